//! What an examination comes to, for people and for programs.
//!
//! | file | what |
//! |---|---|
//! | `report.html` | for people: self-contained, so it can be mailed or attached to an issue |
//! | `report.json` | an [`Examination`] without transcripts (docs/check.md has the members) |
//! | `junit.xml` | for CI |
//! | `transcripts/ID.jsonl` | what was said in each case, one [`crate::conformance::Line`] a line |
//!
//! A file appears whole or not at all. Whatever stems from the device is a
//! stranger's text, and goes through [`escape`].

pub mod against;
pub mod compare;
mod document;
pub mod escape;
#[cfg(test)]
mod example;
mod files;
mod junit;
mod page;
mod plot;
pub mod source;
pub mod transcript;
pub mod world;

use std::collections::BTreeMap;

pub use against::{AgainstError, Deviations, Settled, Standing};
pub use compare::Comparison;
pub use files::{FolderError, ReportFolder, read_json};
pub use junit::junit;
pub use page::{comparison_page, page};

use crate::conformance::{CaseResult, Examination, Outcome};

/// Groups of cases: the letter of their ids, and a name. Cases of users may have other letters.
pub const GROUPS: &[(&str, &str)] = &[
    ("H", "Handshake"),
    ("X", "Extranonce"),
    ("W", "Work"),
    ("D", "Difficulty"),
    ("R", "Replies"),
    ("N", "Network"),
    ("S", "Security"),
    ("T", "Timing"),
    ("V", "Stratum V2"),
    ("P", "Pool"),
    ("U", "Cases of the user"),
];

/// The name of the group that an id belongs to.
#[must_use]
pub fn group_of(id: &str) -> String {
    let letters: String = id.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    match GROUPS.iter().find(|(letter, _)| *letter == letters) {
        Some((_, name)) => (*name).to_owned(),
        None if letters.is_empty() => "Others".to_owned(),
        None => letters,
    }
}

/// An examination, and what was accepted beforehand.
#[derive(Debug, Clone)]
pub struct Report {
    /// The examination.
    pub examination: Examination,
    /// Accepted deviations, and what became of them.
    pub deviations: Vec<Settled>,
}

/// What a case means for the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It failed, and nobody accepted that.
    Failed,
    /// It failed as accepted, for this reason.
    Accepted(String),
    /// It could not be decided.
    Inconclusive,
    /// It was not run.
    Skipped,
}

/// How many cases came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Passed.
    pub passed: usize,
    /// Failed, and nobody accepted that.
    pub failed: usize,
    /// Failed as accepted.
    pub accepted: usize,
    /// Not decided.
    pub inconclusive: usize,
    /// Not run.
    pub skipped: usize,
}

impl Report {
    /// What a case means for the run.
    #[must_use]
    pub fn verdict(&self, case: &CaseResult) -> Verdict {
        match case.outcome {
            Outcome::Pass => Verdict::Passed,
            Outcome::Inconclusive => Verdict::Inconclusive,
            Outcome::Skipped => Verdict::Skipped,
            Outcome::Fail => {
                let accepted = self.deviations.iter().find(|settled| {
                    settled.standing == Standing::Accepted && settled.deviation.case == case.id
                });
                accepted
                    .map_or(Verdict::Failed, |settled| Verdict::Accepted(settled.deviation.reason.clone()))
            }
        }
    }

    /// How many cases came to what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for case in &self.examination.cases {
            *match self.verdict(case) {
                Verdict::Passed => &mut counts.passed,
                Verdict::Failed => &mut counts.failed,
                Verdict::Accepted(_) => &mut counts.accepted,
                Verdict::Inconclusive => &mut counts.inconclusive,
                Verdict::Skipped => &mut counts.skipped,
            } += 1;
        }
        counts
    }

    /// Deviations that must be removed from the list, or renewed.
    pub fn stale(&self) -> impl Iterator<Item = String> {
        self.deviations.iter().filter_map(|settled| {
            let case = &settled.deviation.case;
            match settled.standing {
                Standing::Gone => Some(format!(
                    "{case} passes, but is on the list of accepted deviations ({}); remove it there",
                    settled.deviation.reason
                )),
                Standing::Expired => {
                    Some(format!("the acceptance of {case} ended; fix it, or renew its date"))
                }
                Standing::Accepted | Standing::Open | Standing::OtherFirmware => None,
            }
        })
    }

    /// Whether nothing failed that was not accepted, and all that was accepted still does.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.counts().failed == 0 && self.stale().next().is_none()
    }

    /// Cases by group, groups in the order of [`GROUPS`], then others by name.
    #[must_use]
    pub fn groups(&self) -> Vec<(String, Vec<&CaseResult>)> {
        let mut by_group: BTreeMap<(usize, String), Vec<&CaseResult>> = BTreeMap::new();
        for case in &self.examination.cases {
            let group = group_of(&case.id);
            let place = GROUPS.iter().position(|(_, name)| *name == group).unwrap_or(GROUPS.len());
            by_group.entry((place, group)).or_default().push(case);
        }
        by_group.into_iter().map(|((_, group), cases)| (group, cases)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::against::Deviation;
    use super::example::examination;
    use super::*;

    fn settled(case: &str, standing: Standing) -> Settled {
        let deviation = Deviation { case: case.into(), reason: "why".into(), until: None, firmware: None };
        Settled { deviation, standing }
    }

    #[test]
    fn what_makes_a_run_good() {
        fn check(cases: &[(&str, Outcome)], deviations: &[Settled], good: bool) {
            let report = Report { examination: examination(cases), deviations: deviations.to_vec() };
            assert_eq!(report.is_good(), good, "{cases:?} {deviations:?}");
        }
        check(
            &[("H01", Outcome::Pass), ("H02", Outcome::Inconclusive), ("H03", Outcome::Skipped)],
            &[],
            true,
        );
        check(&[("H01", Outcome::Fail)], &[], false);
        check(&[("H01", Outcome::Fail)], &[settled("H01", Standing::Accepted)], true);
        check(&[("H01", Outcome::Fail)], &[settled("H02", Standing::Accepted)], false);
        check(&[("H01", Outcome::Fail)], &[settled("H01", Standing::Expired)], false);
        check(&[("H01", Outcome::Pass)], &[settled("H01", Standing::Gone)], false);
        check(&[("H01", Outcome::Pass)], &[settled("H02", Standing::Open)], true);
    }

    #[test]
    fn cases_are_grouped_by_letter() {
        let cases =
            [("T01", Outcome::Pass), ("H02", Outcome::Pass), ("ZZ1", Outcome::Pass), ("H01", Outcome::Pass)];
        let report = Report { examination: examination(&cases), deviations: Vec::new() };
        let groups: Vec<(String, usize)> =
            report.groups().into_iter().map(|(name, cases)| (name, cases.len())).collect();
        assert_eq!(groups, [("Handshake".into(), 2), ("Timing".into(), 1), ("ZZ".into(), 1)]);
    }
}
