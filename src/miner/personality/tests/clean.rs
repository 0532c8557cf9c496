//! What no quirk is about, and a device must do all the same.

use serde_json::json;

use super::super::{DeviceEvent, Ending};
use super::lab::{EASY, Job, Lab};

#[test]
fn it_mines_at_the_pace_of_its_claim() {
    let mut lab = Lab::mining(&[]);
    let (all, valid) = lab.count(500.0);
    // 1,000 expected; five standard deviations.
    assert!((840..1160).contains(&all), "{all}");
    assert_eq!(valid, all);
    assert!(!lab.has_duplicates());
    assert_eq!(lab.connects.len(), 1);
    for method in ["mining.configure", "mining.subscribe", "mining.authorize", "mining.suggest_difficulty"] {
        assert_eq!(lab.asked(method), 1, "{method}");
    }
}

#[test]
fn version_bits_and_nonces_are_spread() {
    let mut lab = Lab::mining(&[]);
    lab.run(500.0);
    let share_of = |bit: u32| {
        let set = lab.shares.iter().filter(|share| share.bits().unwrap() & bit != 0).count();
        set as f64 / lab.shares.len() as f64
    };
    for bit in (13..29).map(|place| 1 << place) {
        assert!((0.42..0.58).contains(&share_of(bit)), "{bit:x}: {}", share_of(bit));
    }
    let high = lab.shares.iter().filter(|share| share.text(4) >= "80000000").count();
    assert!((400..600).contains(&(high * 1_000 / lab.shares.len())), "{high}");
}

#[test]
fn extranonce2_may_have_any_length_to_32() {
    for bytes in [0, 1, 2, 3, 8, 9, 32] {
        let mut lab = Lab::new(&[]);
        lab.extranonce2_bytes = json!(bytes);
        lab.run(1.0);
        lab.start();
        assert!(lab.is_good(60.0), "{bytes}");
        assert!(!lab.has_duplicates(), "{bytes}");
    }
}

#[test]
fn a_mask_holds_at_once() {
    let mut lab = Lab::mining(&[]);
    lab.run(10.0);
    lab.tell("mining.set_version_mask", json!(["00006000"]));
    lab.mask = Some(0x6000);
    lab.notify(&Job::new("2"));
    assert!(lab.is_good(20.0));
}

#[test]
fn a_job_may_come_before_the_handshake_is_done() {
    let mut lab = Lab::new(&[]);
    lab.answering = false;
    lab.run(1.0);
    lab.set_difficulty(EASY * 4.0);
    lab.notify(&Job::new("early"));
    lab.line(&json!({"id": 3, "result": true, "error": null}));
    lab.line(&json!({"id": 2, "result": [[], "aaaaaaaa", 8], "error": null}));
    lab.line(&json!({"id": 1, "result": {"version-rolling": true, "version-rolling.mask": "1fffe000"}}));
    lab.answering = true;
    assert!(lab.is_good(60.0));
}

#[test]
fn a_long_line_ends_the_session_and_a_longer_job_does_not() {
    let mut lab = Lab::mining(&[]);
    let mut job = Job::new("2");
    job.coinb2 = vec![7; 16_000];
    job.branch = vec![[8; 32]; 64];
    lab.notify(&job);
    assert!(lab.is_good(20.0));
    lab.notify(&Job::new(&"x".repeat(100_000)));
    assert!(lab.is_good(20.0), "a name too long to echo");
    lab.send("a".repeat(1 << 20));
    assert_eq!(lab.connects.len(), 1);
    lab.send("a");
    assert_eq!(lab.closes.len(), 1);
    lab.run(5.0);
    lab.start();
    assert!(lab.is_good(20.0));
}

#[test]
fn it_waits_longer_after_each_failure_and_anew_after_a_session() {
    let mut lab = Lab::mining(&[]);
    lab.run(70.0);
    lab.listening = false;
    lab.event(DeviceEvent::Closed(Ending::Fin));
    lab.run(1_000.0);
    let gaps: Vec<f64> = lab.connects[1..].windows(2).map(|pair| pair[1].0.since(pair[0].0).0).collect();
    for (gap, whole) in gaps.iter().zip([2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
        assert!((whole / 2.0..whole).contains(gap), "{gap} of {whole}");
    }
    lab.listening = true;
    lab.run(61.0);
    lab.start();
    lab.run(20.0);
    let before = lab.connects.len();
    lab.event(DeviceEvent::Closed(Ending::Fin));
    lab.run(1.0);
    assert_eq!(lab.connects.len(), before + 1);
}

#[test]
fn a_pool_that_only_answers_pings_is_kept() {
    let mut lab = Lab::mining(&[]);
    lab.set_difficulty(1e9);
    lab.notify(&Job::new("2"));
    lab.run(900.0);
    assert_eq!(lab.connects.len(), 1);
    assert!(lab.asked("mining.ping") > 5);
}

#[test]
fn a_detour_is_taken_once() {
    let mut lab = Lab::mining(&[]);
    lab.tell("client.reconnect", json!(["pool.example", 4444, 0]));
    lab.run(5.0);
    lab.event(DeviceEvent::Closed(Ending::Fin));
    lab.run(5.0);
    let ports: Vec<u16> = lab.connects.iter().map(|(_, _, port)| *port).collect();
    assert_eq!(ports, [3333, 4444, 3333]);
}
