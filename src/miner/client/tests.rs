//! The client against scripted lines, and against the pool's own session.

use proptest::prelude::*;

use super::*;
use crate::stratum::v1::{Notify, write_set_difficulty};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

fn config() -> ClientConfig {
    ClientConfig {
        user: "w.1".into(),
        password: "x".into(),
        user_agent: "adit/test".into(),
        version_rolling: true,
        suggest_difficulty: None,
        extranonce_subscribe: false,
    }
}

fn connected(config: ClientConfig) -> Client {
    let mut client = Client::new(config);
    client.connect(&mut ClientOutput::default());
    client
}

fn tell(client: &mut Client, lines: &[&str]) -> ClientOutput {
    let mut out = ClientOutput::default();
    for line in lines {
        client.on_line(line.as_bytes(), NOW, &mut out);
    }
    out
}

const SUBSCRIBED: &str = r#"{"id":2,"result":[[["mining.notify","s"]],"aabb",4],"error":null}"#;
const AUTHORIZED: &str = r#"{"id":3,"result":true,"error":null}"#;
const GRANTED: &str = r#"{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"00006000"}}"#;

fn notify(tip: u8, job: u32, clean: bool) -> String {
    let notify = Notify::new(&[tip; 32], &[1, 2], &[3], &[], 0x2000_0000, 0x1d00_ffff);
    let mut line = Vec::new();
    notify.write(&mut line, crate::event::JobId(job), 1_700_000_000, clean);
    String::from_utf8(line).unwrap()
}

fn difficulty(value: f64) -> String {
    let mut line = Vec::new();
    write_set_difficulty(&mut line, Difficulty::new(value).unwrap());
    String::from_utf8(line).unwrap()
}

fn jobs(out: &ClientOutput) -> Vec<(String, f64, u32, bool)> {
    let mut jobs = Vec::new();
    for event in &out.events {
        if let ClientEvent::NewJob { job, new_tip } = event {
            jobs.push((job.notice.id.clone(), job.difficulty.get(), job.generation, *new_tip));
        }
    }
    jobs
}

#[test]
fn the_handshake_may_be_answered_in_any_order() {
    let job = notify(1, 7, true);
    let easy = difficulty(0.5);
    let orders: [&[&str]; 4] = [
        &[GRANTED, SUBSCRIBED, AUTHORIZED, &easy, &job],
        &[AUTHORIZED, SUBSCRIBED, &easy, &job],
        &[&easy, &job, SUBSCRIBED, AUTHORIZED],
        &[SUBSCRIBED, &easy, &job, AUTHORIZED],
    ];
    for lines in orders {
        let mut client = connected(config());
        let out = tell(&mut client, lines);
        assert!(client.is_mining(), "{lines:?}");
        assert_eq!(jobs(&out), [("7".into(), 0.5, 1, true)], "{lines:?}");
    }
}

#[test]
fn a_new_difficulty_or_extranonce_is_the_next_jobs() {
    let mut client = connected(config());
    let other_extranonce = r#"{"id":null,"method":"mining.set_extranonce","params":["cc",8]}"#;
    let lines = [SUBSCRIBED, AUTHORIZED, &notify(1, 1, true), &difficulty(4.0), other_extranonce];
    let first = tell(&mut client, &lines);
    assert_eq!(jobs(&first), [("1".into(), 1.0, 1, true)]);
    let second = tell(&mut client, &[&notify(1, 2, false)]);
    assert_eq!(jobs(&second), [("2".into(), 4.0, 1, false)]);
    let splits: Vec<usize> = [&first, &second]
        .iter()
        .flat_map(|out| &out.events)
        .filter_map(|event| match event {
            ClientEvent::NewJob { job, .. } => Some(job.extranonce.extranonce2_bytes),
            _ => None,
        })
        .collect();
    assert_eq!(splits, [4, 8]);
}

#[test]
fn a_new_tip_voids_older_jobs_even_if_the_pool_does_not_say_so() {
    let mut client = connected(config());
    tell(&mut client, &[SUBSCRIBED, AUTHORIZED, &notify(1, 1, true)]);
    let out = tell(&mut client, &[&notify(2, 2, false), &notify(2, 3, true), &notify(2, 4, false)]);
    let generations: Vec<_> = jobs(&out).iter().map(|job| (job.2, job.3)).collect();
    assert_eq!(generations, [(2, true), (3, false), (3, false)]);
}

#[test]
fn a_mask_holds_at_once_and_dies_with_the_connection() {
    let mut client = connected(config());
    tell(&mut client, &[GRANTED, SUBSCRIBED, AUTHORIZED]);
    assert_eq!(client.version_mask(), Some(0x6000));
    let all = r#"{"id":null,"method":"mining.set_version_mask","params":["ffffffff"]}"#;
    tell(&mut client, &[all]);
    assert_eq!(client.version_mask(), Some(VERSION_MASK), "never more than was offered");
    client.connect(&mut ClientOutput::default());
    let refused = r#"{"id":1,"result":{"version-rolling":false}}"#;
    tell(&mut client, &[refused, SUBSCRIBED, AUTHORIZED]);
    assert_eq!(client.version_mask(), None);
}

#[test]
fn refusals_say_why() {
    fn check(line: &str, expected: &str) {
        let mut client = connected(config());
        let out = tell(&mut client, &[line]);
        let [ClientEvent::Failed(error)] = out.events.as_slice() else { panic!("{:?}", out.events) };
        assert_eq!(error.to_string(), expected);
        assert!(!client.is_mining());
        assert!(tell(&mut client, &[SUBSCRIBED, AUTHORIZED]).events.is_empty());
    }
    check(
        r#"{"id":3,"result":false,"error":null}"#,
        "the pool does not authorize `w.1`: no reason given (0); check --user and --password",
    );
    check(
        r#"{"id":2,"result":null,"error":[20,"full",null]}"#,
        "the pool refuses the subscription: full (20)",
    );
    check(r#"{"id":2,"result":true}"#, "the pool's answer to the subscription makes no sense");
    check(
        r#"{"id":2,"result":[[],"aabb",33]}"#,
        "the pool wants an extranonce2 of 33 bytes; at most 32 are possible",
    );
    check(r#"{"id":2,"result":[[],"aabb",-1]}"#, "the pool's answer to the subscription makes no sense");
}

#[test]
fn every_share_is_answered_or_reported_once() {
    let mut client = connected(config());
    let out = tell(&mut client, &[SUBSCRIBED, AUTHORIZED, &difficulty(1e-9), &notify(1, 1, true)]);
    let Some(ClientEvent::NewJob { job, .. }) = out.events.last() else { panic!("{:?}", out.events) };
    let mut search = crate::miner::Search::new(Arc::clone(job), None, crate::miner::Lane::ONLY, 0);
    let mut out = ClientOutput::default();
    let ids: Vec<u64> =
        (0..4).map(|_| client.submit(&search.run(u64::MAX).unwrap(), NOW, &mut out).unwrap().0).collect();
    assert_eq!(out.bytes.iter().filter(|byte| **byte == b'\n').count(), 4);
    let yes = format!(r#"{{"id":{},"result":true,"error":null}}"#, ids[1]);
    let no = format!(r#"{{"id":{},"result":null,"error":[23,"low",null]}}"#, ids[0]);
    let shy = format!(r#"{{"id":{},"result":false}}"#, ids[2]);
    let unknown = r#"{"id":99,"result":true}"#;
    let mut out = tell(&mut client, &[&yes, &yes, &no, &shy, unknown]);
    client.disconnected(&mut out);
    let seen: Vec<String> = out
        .events
        .iter()
        .map(|event| match event {
            ClientEvent::Answered { submission, verdict: PoolVerdict::Accepted, .. } => {
                format!("{} yes", submission.0)
            }
            ClientEvent::Answered { submission, verdict: PoolVerdict::Rejected(error), .. } => {
                format!("{} {error}", submission.0)
            }
            ClientEvent::Unanswered(id) => format!("{} lost", id.0),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(seen, ["17 yes", "16 low (23)", "18 no reason given (0)", "19 lost"]);
    assert_eq!(client.pending(), 0);
}

#[test]
fn it_answers_and_reports_what_pools_ask() {
    fn check(line: &str, bytes: &str, event: &str) {
        let mut client = connected(config());
        let out = tell(&mut client, &[line]);
        assert_eq!(String::from_utf8_lossy(&out.bytes).trim_end(), bytes);
        let events: String = out.events.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(events, event);
    }
    check(r#"{"id":7,"method":"mining.ping"}"#, r#"{"id":7,"result":"pong","error":null}"#, "");
    check(
        r#"{"id":"a","method":"client.get_version","params":[]}"#,
        r#"{"id":"a","result":"adit/test","error":null}"#,
        "",
    );
    check(
        "{\"id\":null,\"method\":\"client.show_message\",\"params\":[\"hi\\u001b[2J\"]}",
        "",
        "Message(\"hi[2J\")",
    );
    check(
        r#"{"id":null,"method":"client.reconnect","params":["h",3334,5]}"#,
        "",
        r#"Reconnect { host: Some("h"), port: Some(3334), wait_seconds: 5 }"#,
    );
    check(r#"{"id":null,"method":"mining.brandnew","params":[]}"#, "", "");
    check("", "", "");
    check("{", "", "BadLine(\"EOF while parsing an object at line 1 column 1\")");
}

#[test]
fn a_session_is_taken_up_again() {
    let mut client = connected(config());
    let token = "0123456789abcdef0123456789abcdef";
    let line = format!(r#"{{"id":2,"result":[[["mining.notify","{token}"]],"aabb",4],"error":null}}"#);
    tell(&mut client, &[&line, AUTHORIZED]);
    let mut out = ClientOutput::default();
    client.connect(&mut out);
    assert!(String::from_utf8_lossy(&out.bytes).contains(token));
}

/// Lines that are nearly right: known methods and ids with any parameters.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        any::<f64>().prop_map(|value| format!("{value}")),
        any::<i64>().prop_map(|value| value.to_string()),
        "\"[0-9a-f]{0,70}\"",
        Just(format!("\"{}\"", "00".repeat(32))),
        Just("[\"00\"]".to_owned()),
    ];
    let method = prop::sample::select(vec![
        "mining.notify",
        "mining.set_difficulty",
        "mining.set_extranonce",
        "mining.set_version_mask",
        "client.reconnect",
        "client.show_message",
        "client.get_version",
        "mining.ping",
        "x",
    ]);
    let params = prop::collection::vec(value.clone(), 0..11);
    let call = (method, params).prop_map(|(method, params)| {
        format!(r#"{{"id":1,"method":"{method}","params":[{}]}}"#, params.join(",")).into_bytes()
    });
    let response = (0u64..20, value.clone(), value).prop_map(|(id, result, error)| {
        format!(r#"{{"id":{id},"result":{result},"error":{error}}}"#).into_bytes()
    });
    let fixed =
        prop::sample::select(vec![SUBSCRIBED, AUTHORIZED, GRANTED]).prop_map(|line| line.as_bytes().to_vec());
    let job = (any::<u8>(), any::<u32>(), any::<bool>())
        .prop_map(|(tip, id, clean)| notify(tip, id, clean).into_bytes());
    prop_oneof![call, response, fixed, job, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #[test]
    fn no_lines_make_it_panic(lines in prop::collection::vec(lines(), 0..30)) {
        let mut client = connected(config());
        let mut out = ClientOutput::default();
        for line in &lines {
            client.on_line(line, NOW, &mut out);
            // What comes of a job must be safe to mine, too.
            for event in std::mem::take(&mut out.events) {
                if let ClientEvent::NewJob { job, .. } = event {
                    let _ = (job.audit(bitcoin::Network::Regtest), job.network_target());
                    let mask = client.version_mask();
                    let mut search = crate::miner::Search::new(job, mask, crate::miner::Lane::ONLY, 1);
                    if let Some(share) = search.run(2) {
                        client.submit(&share, NOW, &mut out);
                    }
                }
            }
        }
    }
}
