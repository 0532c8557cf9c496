//! The rules of a session hold under any interleaving of messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use adit::block::{CoinbaseSpec, Limits, Template, TemplateTransaction};
use adit::event::{ConnectionId, Event, Reject};
use adit::pool::{Output, Pool, PoolSettings, Session, Work};
use adit::units::{Difficulty, Timestamp};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::session_model::run;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_breaks_the_session(bytes in prop::collection::vec(any::<u8>(), 0..800)) {
        let _ = run(&bytes);
    }
}

/// The property would hold for want of shares; it does not.
#[test]
fn the_model_reaches_every_verdict() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut verdicts = BTreeMap::new();
    for _ in 0..2_000 {
        let bytes: Vec<u8> = (0..800).map(|_| rng.random()).collect();
        for (name, count) in run(&bytes) {
            *verdicts.entry(name).or_insert(0) += count;
        }
    }
    for name in Reject::ALL.map(Reject::name).into_iter().chain(["accepted", "accepted_late"]) {
        // A malformed share is no share: it is recorded as a bad line.
        if name != Reject::Malformed.name() {
            assert!(verdicts.get(name).is_some_and(|count| *count >= 10), "{name}: {verdicts:?}");
        }
    }
}

/// Work on a tip with so many transactions.
fn work(tip: u8, transactions: u32) -> Arc<Work> {
    let transaction = |n: u32| bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::from_consensus(n),
        input: vec![bitcoin::TxIn::default()],
        output: vec![],
    };
    let spec = CoinbaseSpec {
        payees: vec![(bitcoin::ScriptBuf::from_bytes(vec![0; 22]), 1)],
        tag: "/adit/".into(),
        extranonce_bytes: 12,
        length: None,
    };
    let entry = |n| TemplateTransaction::new(transaction(n), bitcoin::Amount::ZERO);
    let template = Template {
        height: 1,
        prev_hash: [tip; 32],
        version: 0x2000_0000,
        nbits: 0x207f_ffff,
        ntime_min: 1_600_000_000,
        ntime: 1_700_000_000,
        coinbase_value: bitcoin::Amount::from_sat(312_500_000),
        transactions: (0..transactions).map(entry).collect(),
        limits: Limits::CONSENSUS,
        segwit: true,
        demands: None,
    };
    Arc::new(Work::new(template, &spec, NOW).unwrap())
}

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

/// A session with three jobs, on two tips.
fn at_work() -> Session {
    let settings = PoolSettings {
        difficulty_initial: Difficulty::MIN,
        malformed_lines_max: 3,
        ..PoolSettings::default()
    };
    let mut session = Session::new(Arc::new(Pool::new(settings, [7; 32])), ConnectionId(1), NOW);
    let mut out = Output::default();
    session.on_line(br#"{"id":1,"method":"mining.subscribe","params":[]}"#, NOW, &mut out);
    session.on_line(br#"{"id":2,"method":"mining.authorize","params":["w"]}"#, NOW, &mut out);
    for (tip, transactions) in [(1, 6), (2, 0), (2, 9)] {
        session.on_work(&work(tip, transactions), NOW, &mut out);
    }
    session
}

/// One line of a miner that is mostly right.
fn line() -> impl Strategy<Value = String> {
    let share = (0..5u32, 0..24u32, 0..3u32, 0..40u8).prop_map(|(job, extranonce2, nonce, odd)| {
        let worker = if odd == 0 { "stranger" } else { "w" };
        let cut = if odd == 1 { 14 } else { 16 };
        let extranonce2 = &format!("{extranonce2:016x}")[16 - cut..];
        let ntime = if odd == 2 { 0 } else { 1_700_000_000 };
        let bits = if odd < 6 { ",\"00002000\"" } else { "" };
        format!(
            "{{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"{worker}\",\"{job:x}\",\"{extranonce2}\",\
             \"{ntime:08x}\",\"{nonce:08x}\"{bits}]}}"
        )
    });
    let configure = r#"{"id":5,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}"#;
    let other = prop::sample::select(vec![
        "",
        "{}",
        "[",
        r#"{"id":6,"method":"mining.ping","params":[]}"#,
        r#"{"id":7,"method":"mining.suggest_difficulty","params":[0.001]}"#,
        configure,
    ]);
    prop_oneof![12 => share, 1 => other.prop_map(str::to_owned)]
}

proptest! {
    #[test]
    fn lines_that_came_together_are_judged_as_if_alone(
        lines in prop::collection::vec(line(), 0..60),
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let (mut alone, mut together) = (Output::default(), Output::default());
        let mut session = at_work();
        for line in &lines {
            if alone.close.is_none() {
                session.on_line(line, NOW, &mut alone);
            }
        }
        at_work().on_lines(&lines, NOW, &mut together);
        prop_assert_eq!(String::from_utf8(alone.bytes), String::from_utf8(together.bytes));
        prop_assert_eq!(format!("{:?}", alone.events), format!("{:?}", together.events));
        prop_assert_eq!(alone.close, together.close);
    }
}

/// The property would hold for want of accepted shares; it does not.
#[test]
fn shares_that_came_together_meet_both_verdicts() {
    let lines: Vec<String> = (0..200)
        .map(|n| {
            let job = 1 + n % 2;
            format!(
                "{{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"w\",\"{job}\",\"{n:016x}\",\"6553f100\",\"00000000\"]}}"
            )
        })
        .collect();
    let mut out = Output::default();
    at_work().on_lines(&lines.iter().map(String::as_bytes).collect::<Vec<_>>(), NOW, &mut out);
    let accepted = out
        .events
        .iter()
        .filter(|event| matches!(event, Event::Share(share) if share.verdict.is_accepted()))
        .count();
    // At the least difficulty there is, a header in four or five is a share.
    assert!((20..100).contains(&accepted), "{accepted} of 200");
}

/// A chain can come back to a tip that it left (`invalidateblock`, a reorganisation
/// of a reorganisation); what was credited there is not credited again.
#[test]
fn a_share_is_credited_once_though_its_tip_comes_back() {
    let mut session = at_work();
    let submit = |session: &mut Session, job: u32, ntime: u32| {
        let mut credited = 0;
        for n in 0..100 {
            let mut out = Output::default();
            let line = format!(
                "{{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"w\",\"{job}\",\"{n:016x}\",\"{ntime:08x}\",\"00000000\"]}}"
            );
            session.on_line(line.as_bytes(), NOW, &mut out);
            credited += u32::from(
                out.events
                    .iter()
                    .any(|event| matches!(event, Event::Share(share) if share.verdict.is_accepted())),
            );
        }
        credited
    };
    let ntime_of = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let notify: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        u32::from_str_radix(notify["params"][7].as_str().unwrap(), 16).unwrap()
    };
    // Job 1 is the first on the tip 2.
    assert!(submit(&mut session, 1, 1_700_000_000) > 5);
    for tip in [3, 2] {
        let mut out = Output::default();
        session.on_work(&work(tip, 0), NOW, &mut out);
        if tip == 2 {
            // Job 4 is job 1 again, but for its time: what the miner finds now is new.
            let ntime = ntime_of(&out.bytes);
            assert!(ntime > 1_700_000_000, "{ntime}");
            assert!(submit(&mut session, 4, ntime) > 5);
        }
    }
    assert_eq!(submit(&mut session, 1, 1_700_000_000), 0);
    assert_eq!(submit(&mut session, 4, 1_700_000_000), 0);
}
