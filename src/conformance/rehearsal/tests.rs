//! Cases of each kind against a clean device, in virtual time.

use super::super::{Outcome, Step};
use super::*;

/// A case of these steps.
fn case(steps: &str) -> Case {
    #[derive(serde::Deserialize)]
    struct Steps {
        steps: Vec<Step>,
    }
    let Steps { steps } = toml::from_str(&format!("steps = [{steps}]")).unwrap();
    Case {
        id: "Z01".into(),
        title: "A test".into(),
        severity: super::super::Severity::Low,
        suites: Vec::new(),
        sources: Vec::new(),
        pool: String::new(),
        firmware: String::new(),
        judged: String::new(),
        caught: Vec::new(),
        worker: None,
        steps,
        verdict: vec![toml::Value::from("met").try_into().unwrap()],
    }
}

/// Runs steps against a clean device, which meets all expectations.
#[track_caller]
fn passes(steps: &str) -> CaseResult {
    let result = rehearse(&case(steps), &[], 1);
    let heard: Vec<String> = result.transcript.iter().map(|line| format!("{line:?}")).collect();
    assert_eq!(result.outcome, Outcome::Pass, "{}\n{}", result.summary, heard.join("\n"));
    result
}

/// Runs steps of which an expectation is missed.
#[track_caller]
fn misses(steps: &str, what: &str) -> CaseResult {
    let result = rehearse(&case(steps), &[], 1);
    assert_eq!(result.outcome, Outcome::Fail);
    assert!(result.summary.contains(what), "{}", result.summary);
    result
}

#[test]
fn a_clean_device_mines() {
    let result = passes("{ session = {} }, { expect = { shares = 20 } }");
    assert!(result.seconds < 60.0);
    assert_eq!((result.shares, result.shares_good), (20, 20));
    assert_eq!(result.plots.u.len(), 20);
    assert!(result.plots.u.iter().all(|u| *u <= 1.0));
}

#[test]
fn a_hashrate_that_nobody_claims_is_measured() {
    for seed in 0..8 {
        let cases = [case("{ session = {} }, { expect = { shares = 4 } }")];
        let (measured, results) = World::new(&cases, &[], seed, false).run();
        let ratio = measured.hashes_per_second() / HASHRATE;
        assert!((0.5..2.0).contains(&ratio), "{ratio} with seed {seed}");
        assert_eq!(results[0].outcome, Outcome::Pass, "{}", results[0].summary);
    }
}

#[test]
fn the_same_seed_gives_the_same_result() {
    let steps = case("{ session = {} }, { notify = { clean = true } }, { wait = \"20s\" }");
    assert_eq!(rehearse(&steps, &[], 5), rehearse(&steps, &[], 5));
    assert_ne!(rehearse(&steps, &[], 5), rehearse(&steps, &[], 6));
}

#[test]
fn every_way_to_shake_hands() {
    let terms = [
        "first_job = \"after_subscribe\"",
        "first_job = \"before_subscribe\"",
        "subscriptions = \"null\"",
        "configure = \"no\"",
        "configure = \"silent\"",
        "reply_style = \"json_rpc\"",
        "extranonce2 = 4, extranonce1_bytes = 8",
        "before_authorize = '{\"method\":\"x\",\"params\":[]}'",
    ];
    for terms in terms {
        let steps =
            format!("{{ terms = {{ {terms} }} }}, {{ session = {{}} }}, {{ expect = {{ shares = 2 }} }}");
        passes(&steps);
    }
    for order in ["in_order", "reversed", "together"] {
        passes(&format!(
            "{{ terms = {{ replying = \"held\" }} }}, {{ reconnect = {{}} }},
             {{ expect = {{ request = \"mining.authorize\", within = \"5s\", optional = true }} }},
             {{ release = \"{order}\" }}, {{ terms = {{ replying = \"at_once\" }} }},
             {{ session = {{}} }}, {{ expect = {{ shares = 2 }} }}"
        ));
    }
    misses("{ terms = { authorize = \"no\" } }, { session = { within = \"10s\" } }", "not subscribed");
}

#[test]
fn jobs_of_every_shape() {
    let jobs = [
        "branches = 0",
        "branches = 33",
        "coinbase_bytes = 16000",
        "extranonce_in = \"op_return\"",
        "golden = \"125552\"",
        "version = \"3fffe000\"",
        "ntime_offset = -60",
        "id = 'with \"quotes\"'",
        "hex = \"upper\"",
        "extra = \"[]\"",
    ];
    for job in jobs {
        passes(&format!(
            "{{ session = {{}} }}, {{ notify = {{ label = \"it\", clean = true, new_block = true, {job} }} }},
             {{ expect = {{ shares = 2, of = \"it\" }} }}"
        ));
    }
}

#[test]
fn bytes_in_every_way() {
    for transport in
        ["split = 1, every = \"20ms\"", "split = 40", "coalesce = 2, crlf = true", "late_feed = \"500ms\""]
    {
        passes(&format!(
            "{{ session = {{}} }}, {{ transport = {{ {transport} }} }}, {{ line = \"\" }},
             {{ notify = {{ label = \"it\", clean = true }} }}, {{ transport = {{}} }},
             {{ expect = {{ shares = 2, of = \"it\", within = \"200s\" }} }}"
        ));
    }
    let result = passes(
        "{ session = {} }, { bytes = { text = \"a\", times = 100000 } }, { wait = \"1s\" }, { line = \"\" },
         { session = {} }, { bytes = { hex = \"00fffe\" } }, { line = \"\" }, { session = {} },
         { expect = { shares = 1 } }",
    );
    assert!(result.transcript.iter().any(|line| line.hex.as_deref() == Some("00fffe")));
}

#[test]
fn connections_that_end() {
    passes(
        "{ session = {} }, { close = \"fin\" }, { expect = { connection = true } }, { session = {} },
         { close = \"rst\" }, { session = {} }, { expect = { shares = 1 } },
         { listening = false }, { close = \"rst\" }, { wait = \"30s\" }, { listening = true },
         { session = {} }, { terms = { slam = true } }, { close = \"rst\" }, { wait = \"20s\" },
         { terms = { slam = false } }, { session = {} }, { expect = { shares = 1 } }",
    );
    let result = passes(
        "{ session = {} }, { freeze = true }, { expect = { connection = true } }, { session = {} },
         { expect = { shares = 1 } }",
    );
    assert!(result.transcript.iter().any(|line| line.connection == Some(2)));
}

#[test]
fn the_name_leads_elsewhere() {
    let result = passes(
        "{ session = {} }, { moved = true }, { close = \"rst\" }, { expect = { connection = true } },
         { session = {} }, { expect = { shares = 1 } }, { moved = false }, { close = \"rst\" }, { session = {} },
         { bad_tls = true }, { close = \"rst\" }, { wait = \"60s\" }, { bad_tls = false }, { session = {} }",
    );
    let opened = |listener: &str| {
        let text = format!("connected to {listener}");
        result.transcript.iter().filter(|line| line.text.as_deref() == Some(&text)).count()
    };
    assert_eq!((opened("Moved"), opened("BadTls"), opened("Main")), (1, 0, 3));
}

#[test]
fn a_pool_that_does_not_read_gets_all_of_it_later() {
    let result = passes(
        "{ terms = { rate = 20.0 } }, { session = {} }, { reading = false }, { wait = \"20s\" },
         { reading = true }, { session = {} }, { expect = { shares = 1 } }",
    );
    assert!(result.shares > 300, "{}", result.shares);
}

#[test]
fn a_missed_expectation_ends_its_trial_or_the_case() {
    let result = misses(
        "{ session = {} }, { sweep = { name = \"n\", over = [1, 2], steps = [
             { mark = \"before $n\" }, { expect = { request = \"never\", within = \"2s\" } }, { mark = \"after $n\" },
         ] } }, { mark = \"end\" }",
        "the request never",
    );
    let marks: Vec<&str> =
        result.transcript.iter().filter_map(|line| line.text.as_deref()?.strip_prefix("mark ")).collect();
    assert_eq!(marks, ["before 1", "before 2", "end"]);
    let result = misses(
        "{ session = {} }, { expect = { shares = 1, of = \"nothing\", within = \"2s\" } }, { mark = \"end\" }",
        "of the job `nothing` (0 came)",
    );
    assert!(!result.transcript.iter().any(|line| line.text.as_deref() == Some("mark end")));
}

#[test]
fn repetitions_are_counted_even_when_left_early() {
    let result = rehearse(
        &case(
            "{ session = {} }, { sweep = { name = \"n\", over = [1, 2], steps = [{ repeat = { times = 3, steps = [
                { repeat = { times = 2, steps = [{ mark = \"inner\" }] } },
                { expect = { request = \"never\", within = \"1s\", optional = true } },
                { expect = { request = \"never\", within = \"$n00ms\" } },
            ] } }] } }",
        ),
        &[],
        1,
    );
    let inner = result.transcript.iter().filter(|line| line.text.as_deref() == Some("mark inner")).count();
    assert_eq!(inner, 4);
}

#[test]
fn requests_of_the_pool_are_answered() {
    passes(
        "{ session = {} }, { ask = { method = \"client.get_version\", id = '\"seven\"' } },
         { expect = { reply = '\"seven\"', within = \"2s\" } }",
    );
}

#[test]
fn one_life_goes_through_all_cases() {
    let cases = [
        case("{ session = {} }, { expect = { shares = 1 } }, { freeze = true }"),
        case("{ terms = { mask = \"00006000\" } }, { session = {} }, { expect = { shares = 3 } }"),
        case("{ session = {} }, { extranonce = { bytes1 = 6, bytes2 = 3 } }, { reading = false }"),
        case("{ session = {} }, { expect = { shares = 3 } }, { bytes = { text = \"half\" } }"),
        case(
            "{ session = {} }, { notify = { id = \"5a\" } }, { expect = { shares = 2 } }, { terms = { replying = \"held\" } }, { expect = { submits = 2 } }",
        ),
        case(
            "{ session = {} }, { notify = { label = \"n\", clean = true } }, { expect = { shares = 2, of = \"n\" } }",
        ),
        case("{ session = {} }, { expect = { shares = 2 } }"),
    ];
    let results = rehearse_all(&cases, &[], 3);
    assert_eq!(results.len(), cases.len());
    for (place, result) in results.iter().enumerate() {
        assert_eq!(result.outcome, Outcome::Pass, "{place}: {}", result.summary);
        assert_eq!(result.shares, result.shares_good, "{place}");
    }
    let connections = |result: &CaseResult| {
        let opened = |line: &&crate::conformance::result::Line| {
            line.text.as_deref().is_some_and(|text| text.starts_with("connected"))
        };
        result.transcript.iter().filter(opened).count()
    };
    // All but the last come after one that leaves behind what a new case does not go on with.
    let opened: Vec<usize> = results.iter().map(connections).collect();
    assert_eq!(opened, [1, 1, 1, 1, 1, 1, 0]);
}

#[test]
fn a_clean_device_fails_nothing_in_one_life() {
    let brief = |case: &&Case| case.suites != [super::super::Suite::Soak];
    let cases: Vec<Case> = super::super::cases().iter().filter(brief).cloned().collect();
    let results = rehearse_all(&cases, &[], 2);
    assert_eq!(results.len(), cases.len());
    let bad = results.iter().filter(|result| result.outcome != Outcome::Pass);
    let bad: Vec<String> = bad.map(|result| format!("{}: {}", result.id, result.summary)).collect();
    println!("{}", bad.join("\n"));
    assert!(results.iter().all(|result| result.outcome != Outcome::Fail), "{}", bad.join("\n"));
}
