//! The suite for firmware, held against replicas of firmware in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};

use adit::conformance::{Case, Outcome, Suite, cases, rehearse, rehearse_all};
use adit::miner::personality::{PERSONALITIES, Quirk, UPSTREAM};

const SEED: u64 = 1;

fn case(id: &str) -> &'static Case {
    cases().iter().find(|case| case.id == id).unwrap_or_else(|| panic!("no case {id}"))
}

/// What is wrong with each item, looked at on all cores.
#[track_caller]
fn none_wrong<T: Sync>(items: &[T], wrong: impl Fn(&T) -> Option<String> + Sync) {
    let next = AtomicUsize::new(0);
    let found = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    found.lock().unwrap().extend(wrong(item));
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_device_without_a_fault_passes_every_case() {
    none_wrong(cases(), |case| {
        let result = rehearse(case, &[], SEED);
        (result.outcome != Outcome::Pass)
            .then(|| format!("{}: {:?}: {}", case.id, result.outcome, result.summary))
    });
}

/// As a real examination goes: what one case leaves behind is no fault in the next.
#[test]
fn it_passes_them_all_in_one_life() {
    let results = rehearse_all(cases(), &[], SEED);
    assert_eq!(results.len(), cases().len());
    none_wrong(&results, |result| {
        let bad = result.outcome != Outcome::Pass;
        bad.then(|| format!("{}: {:?}: {}", result.id, result.outcome, result.summary))
    });
}

#[test]
fn each_case_fails_the_replicas_that_it_names() {
    none_wrong(cases(), |case| {
        let escapes = |name: &&String| {
            let quirk = Quirk::named(name).expect("names are checked when cases are read");
            rehearse(case, &[quirk], SEED).outcome != Outcome::Fail
        };
        let escaped: Vec<&String> = case.caught.iter().filter(escapes).collect();
        let wrong = case.caught.is_empty() || !escaped.is_empty();
        wrong.then(|| format!("{}: not found out: {escaped:?} of {:?}", case.id, case.caught))
    });
}

#[test]
fn replicas_of_known_issues_are_found() {
    assert!(UPSTREAM.len() >= 25);
    none_wrong(UPSTREAM, |upstream| {
        let outcome = rehearse(case(upstream.case), &[upstream.quirk], SEED).outcome;
        (outcome != Outcome::Fail).then(|| format!("{} in {}: {outcome:?}", upstream.issue, upstream.case))
    });
}

/// A quirk that is neither harmless nor named by a case is a mistake that firmware may make unseen.
#[test]
fn every_fault_that_a_replica_can_have_is_named_by_a_case() {
    let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
    let named: Vec<String> = cases().iter().flat_map(|case| &case.caught).map(|name| stem(name)).collect();
    none_wrong(Quirk::ALL, |quirk| {
        let unseen = !quirk.is_harmless() && !named.contains(&stem(&quirk.name()));
        unseen.then(|| format!("{}: {}", quirk.name(), quirk.does()))
    });
}

#[test]
fn each_firmware_fails_something_but_not_everything() {
    let quick: Vec<&Case> = cases().iter().filter(|case| case.suites.contains(&Suite::Quick)).collect();
    none_wrong(&PERSONALITIES[1..], |firmware| {
        let fails = |case: &&&Case| rehearse(case, firmware.quirks, SEED).outcome == Outcome::Fail;
        let failed = quick.iter().filter(fails).count();
        let plausible = failed > 0 && failed < quick.len();
        (!plausible).then(|| format!("{} fails {failed} of {}", firmware.key, quick.len()))
    });
}
