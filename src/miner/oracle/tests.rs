//! The table of the module's head, line by line, and every fault there is.

use super::*;
use crate::miner::faults::{Recipe, Scene};
use crate::miner::job::tests::job;
use crate::miner::{ClientConfig, ClientOutput, Lane, Search};
use crate::stratum::v1::VERSION_MASK;

const START: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

/// A client that is greeted, with or without version rolling.
fn client(rolling: bool) -> Client {
    let mut client = Client::new(ClientConfig {
        user: "w".into(),
        password: "x".into(),
        user_agent: "t".into(),
        version_rolling: rolling,
        suggest_difficulty: None,
        extranonce_subscribe: false,
    });
    let mut out = ClientOutput::default();
    client.connect(&mut out);
    let granted = r#"{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"}}"#;
    for line in [granted, r#"{"id":2,"result":[[],"aaaaaaaa",8]}"#, r#"{"id":3,"result":true}"#] {
        client.on_line(line.as_bytes(), START, &mut out);
    }
    assert!(client.is_mining());
    client
}

fn job_on(tip: u8, generation: u32, seconds: f64) -> Arc<MinerJob> {
    let mut job = job(1e-8, 8);
    job.notice.prev_hash = [tip; 32];
    job.generation = generation;
    job.received = START + Seconds(seconds);
    Arc::new(job)
}

fn share_of(job: &Arc<MinerJob>) -> Share {
    Search::new(Arc::clone(job), None, Lane::ONLY, 0).run(u64::MAX).unwrap()
}

fn rejected(code: i64, message: &str) -> PoolVerdict {
    PoolVerdict::Rejected(WireError { code, message: message.into() })
}

#[test]
fn every_fault_is_known_from_its_facts() {
    let now = START + Seconds(60.0);
    let mut made = Vec::new();
    for rolling in [true, false] {
        let client = client(rolling);
        let mask = client.version_mask();
        let mut oracle = Oracle::default();
        let (old, new) = (job_on(1, 1, 0.0), job_on(2, 2, 10.0));
        oracle.on_job(&old);
        oracle.on_job(&new);
        let good = Search::new(Arc::clone(&new), mask, Lane::ONLY, 0).run(u64::MAX).unwrap();
        assert_eq!(oracle.inspect(&good, &client, now), None);
        let sent = Sent { share: good, flaw: None, at: now };
        assert_eq!(oracle.judge(&sent, &PoolVerdict::Accepted), Judgement::Right);
        for fault in Fault::ALL {
            let scene = Scene {
                job: &new,
                version_mask: mask,
                accepted: oracle.accepted(),
                stale_job: oracle.stale_job(now),
                extranonce2: 99,
                now,
            };
            let share = match fault.recipe(&scene) {
                None => continue,
                Some(Recipe::Ready(share)) => *share,
                Some(Recipe::Search(mut search)) => search.run(u64::MAX).unwrap(),
            };
            assert_eq!(oracle.inspect(&share, &client, now), Some(fault));
            made.push(fault);
        }
    }
    for fault in Fault::ALL {
        assert!(made.contains(&fault), "{} was never made", fault.name());
    }
}

/// Judges `verdict` on a share of the first job after `later` jobs arrived.
fn check(flaw: Option<Fault>, later: &[Arc<MinerJob>], verdict: &PoolVerdict, expected: &Judgement) {
    let mut oracle = Oracle::default();
    let first = job_on(1, 1, 0.0);
    oracle.on_job(&first);
    let sent = Sent { share: share_of(&first), flaw, at: START + Seconds(1.0) };
    for job in later {
        oracle.on_job(job);
    }
    assert_eq!(oracle.judge(&sent, verdict), *expected, "{flaw:?}, {verdict:?}");
}

#[test]
fn verdicts_are_judged_by_what_can_be_known() {
    use Judgement::{FalseAccept, FalseReject, Right, Undecided, WrongReason};
    let low = WireError { code: 23, message: "Low difficulty share".into() };
    let is_low = PoolVerdict::Rejected(low.clone());
    let stale = rejected(21, "Stale share");
    let next_tip = [job_on(2, 2, 2.0)];
    let refreshed = [job_on(1, 1, 2.0)];
    let cleaned = [job_on(1, 2, 2.0)];
    check(None, &[], &PoolVerdict::Accepted, &Right);
    check(None, &next_tip, &PoolVerdict::Accepted, &Right);
    check(None, &next_tip, &stale, &Right);
    check(None, &cleaned, &stale, &Right);
    check(None, &[], &stale, &Undecided);
    check(None, &refreshed, &stale, &Undecided);
    check(None, &next_tip, &is_low, &FalseReject(low.clone()));
    check(Some(Fault::LowDifficulty), &[], &PoolVerdict::Accepted, &FalseAccept(Fault::LowDifficulty));
    check(Some(Fault::LowDifficulty), &[], &is_low, &Right);
    check(Some(Fault::LowDifficulty), &next_tip, &stale, &Right);
    check(Some(Fault::Duplicate), &[], &is_low, &WrongReason(Fault::Duplicate, low));
    check(Some(Fault::Duplicate), &[], &rejected(-1, "nope"), &Right);
    check(Some(Fault::UnknownJob), &[], &rejected(21, "Job not found"), &Right);
    check(Some(Fault::UnknownJob), &[], &PoolVerdict::Accepted, &FalseAccept(Fault::UnknownJob));
}

#[test]
fn an_early_stale_reject_waits_for_its_tip() {
    let error = WireError { code: 21, message: "Stale share".into() };
    let mut oracle = Oracle::default();
    let first = job_on(1, 1, 0.0);
    oracle.on_job(&first);
    let sent = Sent { share: share_of(&first), flaw: None, at: START };
    assert_eq!(oracle.settle(&sent, &error, Seconds(1.0)), Judgement::Undecided);
    assert_eq!(oracle.settle(&sent, &error, Seconds(2.5)), Judgement::FalseReject(error.clone()));
    oracle.on_job(&job_on(2, 2, 1.0));
    assert_eq!(oracle.settle(&sent, &error, Seconds(1.5)), Judgement::Right);
}

#[test]
fn a_mask_that_crosses_a_share_excuses_both() {
    let mut oracle = Oracle::default();
    let first = job_on(1, 1, 0.0);
    oracle.on_job(&first);
    let sent = |flaw| Sent { share: share_of(&first), flaw, at: START };
    oracle.on_version_mask(START + Seconds(0.1));
    let reject = rejected(20, "Version bits outside the negotiated mask");
    assert_eq!(oracle.judge(&sent(None), &reject), Judgement::Race);
    let outside = sent(Some(Fault::VersionOutsideMask));
    assert_eq!(oracle.judge(&outside, &PoolVerdict::Accepted), Judgement::Race);
    assert_eq!(VERSION_MASK.count_ones(), 16);
}
