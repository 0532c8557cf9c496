//! A case that examines a pool, and the list of all of them.

use std::pin::Pin;

use super::super::case::Severity;
use super::talk::{Stop, Talk};
use super::{difficulty, extranonce, flaws, handshake, replies, robust, shares, version, work};

/// A running case. What it returns is the summary of a pass.
pub(super) type Script = Pin<Box<dyn Future<Output = Result<String, Stop>>>>;

/// One thing that a pool gets right or wrong.
#[derive(Debug)]
pub struct PoolCase {
    /// Its name for good: P and a number.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// How bad it is to fail.
    pub severity: Severity,
    /// The specification, issue or file that motivates it.
    pub sources: &'static [&'static str],
    /// What we do.
    pub miner: &'static str,
    /// What a correct pool does.
    pub pool: &'static str,
    /// How it is judged.
    pub judged: &'static str,
    pub(super) run: fn(Talk) -> Script,
}

impl PoolCase {
    /// The case of that name.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        cases().find(|case| case.id.eq_ignore_ascii_case(id))
    }
}

/// All cases, in the order in which they run.
pub fn cases() -> impl Iterator<Item = &'static PoolCase> {
    let groups = [
        handshake::CASES,
        extranonce::CASES,
        work::CASES,
        shares::CASES,
        flaws::CASES,
        version::CASES,
        difficulty::CASES,
        replies::CASES,
        robust::CASES,
    ];
    groups.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_and_nothing_is_left_unsaid() {
        for (number, case) in (1..).zip(cases()) {
            assert_eq!(case.id, format!("P{number:02}"));
            for text in [case.title, case.miner, case.pool, case.judged] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text}", case.id);
            }
            assert!(!case.sources.is_empty(), "{}", case.id);
        }
        assert_eq!(PoolCase::named("p01").map(|case| case.id), Some("P01"));
        assert!(PoolCase::named("P00").is_none());
    }
}
