//! The examination of a pool, examined: our own pool passes every case, and
//! each case is failed by a pool that differs from ours in one way.

mod change;
mod judges;
mod mutants;
mod over_tcp;
mod rehearsal;

use std::collections::BTreeSet;

use adit::conformance::pool::{PoolCase, cases};
use adit::conformance::{CaseResult, Outcome};
use adit::pool::VardiffSettings;
use adit::stratum::v1::dialect::DIALECTS;

use rehearsal::{Mutant, OURS, rehearse};

/// Pools that differ from ours in one way.
fn mutants() -> impl Iterator<Item = &'static Mutant> {
    mutants::MUTANTS.iter().chain(judges::MUTANTS)
}

fn named(ids: &[&str]) -> Vec<&'static PoolCase> {
    ids.iter().map(|id| PoolCase::named(id).unwrap_or_else(|| panic!("no case {id}"))).collect()
}

/// A result for a failed assertion.
fn shown(result: &CaseResult) -> String {
    let mut text = format!("{} {:?}: {}\n", result.id, result.outcome, result.summary);
    for trouble in &result.troubles {
        text += &format!("  {:?}: {} (expected {})\n", trouble.outcome, trouble.finding, trouble.expected);
    }
    for line in result.transcript.iter().rev().take(30).rev() {
        let said: String = line.text.clone().unwrap_or_default().chars().take(220).collect();
        text += &format!("  {:>10} {:?} {} {said}\n", line.at_us, line.connection, line.from);
    }
    text
}

#[test]
fn our_own_pool_passes_every_case() {
    fn check(what: &str, pool: &Mutant) {
        let results = rehearse(pool, cases().collect(), 1);
        assert_eq!(results.len(), cases().count());
        let wrong: String =
            results.iter().filter(|result| result.outcome != Outcome::Pass).map(shown).collect();
        assert!(wrong.is_empty(), "{what}\n{wrong}");
    }
    check("as it is", &OURS);
    check("version bits in jobs", &Mutant { job_version: 0x20ff_e000, ..OURS });
    check("vardiff", &Mutant { settings: |rules| rules.vardiff = Some(VardiffSettings::default()), ..OURS });
    check("ckpool's words", &Mutant { settings: |rules| rules.dialect = &DIALECTS[1], ..OURS });
    check("DATUM's words", &Mutant { settings: |rules| rules.dialect = &DIALECTS[2], ..OURS });
    check("public-pool's words", &Mutant { settings: |rules| rules.dialect = &DIALECTS[3], ..OURS });
    check(
        "short extranonces",
        &Mutant { settings: |rules| (rules.extranonce1_bytes, rules.extranonce2_bytes) = (2, 2), ..OURS },
    );
}

#[test]
fn what_a_pool_does_not_have_is_no_fault() {
    let ours = Mutant { settings: |rules| rules.version_mask = 0, ..OURS };
    let results = rehearse(&ours, named(&["P05", "P31", "P32", "P33"]), 1);
    let outcomes: Vec<Outcome> = results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Skipped, Outcome::Skipped, Outcome::Pass]);
}

#[test]
fn what_would_take_too_long_is_left_open_and_says_what_it_needs() {
    let hard = Mutant {
        settings: |rules| rules.difficulty_min = adit::units::Difficulty::new(1.0).unwrap(),
        ..OURS
    };
    for result in rehearse(&hard, named(&["P17", "P18", "P34"]), 1) {
        let wanted = if result.id == "P18" { Outcome::Pass } else { Outcome::Inconclusive };
        assert_eq!(result.outcome, wanted, "{}", shown(&result));
        if wanted == Outcome::Inconclusive {
            assert!(
                result.summary.contains("at difficulty 1 and 8.00 kH/s this takes"),
                "{}",
                shown(&result)
            );
            assert!(result.troubles[0].expected.contains("--share-seconds-max"), "{}", shown(&result));
        }
    }
}

#[test]
fn each_case_is_failed_by_a_mutant() {
    let mut missed = String::new();
    for mutant in mutants() {
        let results = rehearse(mutant, named(&[mutant.before, mutant.fails].concat()), 1);
        for result in &results[mutant.before.len()..] {
            if result.outcome != Outcome::Fail || result.troubles[0].expected.is_empty() {
                missed += &format!("mutant \"{}\"\n{}", mutant.name, shown(result));
            }
        }
    }
    assert!(missed.is_empty(), "{missed}");
    let failed: BTreeSet<&str> = mutants().flat_map(|mutant| mutant.fails.iter().copied()).collect();
    let all: BTreeSet<&str> = cases().map(|case| case.id).collect();
    assert_eq!(all.difference(&failed).collect::<Vec<_>>(), Vec::<&&str>::new(), "no mutant fails these");
}

#[test]
fn formulas_for_version_bits_are_named() {
    fn check(mutant: &str, name: &str) {
        let mutant = mutants().find(|other| other.name == mutant).unwrap();
        let results = rehearse(mutant, named(&["P31"]), 1);
        assert!(results[0].summary.contains(name), "{}", shown(&results[0]));
    }
    check("ORs version bits", "the pool ORs");
    check("XORs version bits", "the pool XORs");
    check("hashes the job's version", "the pool hashes the job's own version");
}

#[test]
fn the_same_seed_gives_the_same_examination() {
    let ids = ["P08", "P17", "P19", "P34"];
    let [first, again] = [0, 1].map(|_| rehearse(&OURS, named(&ids), 7));
    assert_eq!(first, again);
    assert_ne!(first, rehearse(&OURS, named(&ids), 8));
}

#[test]
fn the_page_lists_every_case() {
    let page = include_str!("../../../docs/check-pool.md");
    for case in cases() {
        let severity = format!("{:?}", case.severity).to_lowercase();
        let sources = case.sources.join("; ");
        let PoolCase { id, title, miner, pool, judged, .. } = case;
        let row = format!("| {id} | {title} | {severity} | {miner} | {pool} | {judged} | {sources} |");
        assert!(page.contains(&row), "docs/check-pool.md lacks this row:\n{row}");
    }
}
