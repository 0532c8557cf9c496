//! Two examinations side by side: what got better, and what worse.
//!
//! Worse is a case that passed and now fails. What cannot be decided in one of
//! them is told apart: it is no proof of either.

use std::fmt;

use serde::Serialize;

use super::escape::visible;
use crate::conformance::{CaseResult, Examination, Outcome};

/// Numbers that differ by less are the same measurement.
const NOTABLE: f64 = 0.1;

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It passed, and fails now.
    Worse,
    /// It failed, and passes now.
    Better,
    /// It is decided in one of them only.
    Undecided,
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// As before.
    Same,
}

impl Change {
    /// All, the most urgent first.
    pub const ALL: [Self; 6] =
        [Self::Worse, Self::Better, Self::Undecided, Self::New, Self::Gone, Self::Same];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Undecided => "undecided",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Same => "same",
        }
    }
}

/// A measurement that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeasuredChange {
    /// What was measured.
    pub name: String,
    /// The value before, with its unit.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
}

/// A case in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseChange {
    /// The case.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What became of it.
    pub change: Change,
    /// How it ended before.
    pub before: Option<Outcome>,
    /// How it ended after.
    pub after: Option<Outcome>,
    /// What was found after, or before where it is gone.
    pub summary: String,
    /// Measurements that changed notably.
    pub measured: Vec<MeasuredChange>,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// What the miner calls itself.
    pub user_agent: Option<String>,
    /// Hashes a second.
    pub hashrate: f64,
    /// When it began, microseconds since the Unix epoch.
    pub began_us: u64,
    /// What was asked for.
    pub selection: String,
    /// Version of adit.
    pub adit: String,
}

/// Two examinations side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The first.
    pub before: Side,
    /// The second.
    pub after: Side,
    /// All cases, the most urgent first, then by id.
    pub cases: Vec<CaseChange>,
}

impl Comparison {
    /// Compares.
    #[must_use]
    pub fn of(before: &Examination, after: &Examination) -> Self {
        let find = |examination: &'_ Examination, id: &str| {
            examination.cases.iter().find(|case| case.id == id).cloned()
        };
        let mut cases: Vec<CaseChange> = Vec::new();
        for case in after.cases.iter().chain(&before.cases) {
            if !cases.iter().any(|change| change.id == case.id) {
                cases.push(compare(find(before, &case.id).as_ref(), find(after, &case.id).as_ref(), case));
            }
        }
        cases.sort_by(|a, b| (a.change, &a.id).cmp(&(b.change, &b.id)));
        Self { before: side(before), after: side(after), cases }
    }

    /// How many cases changed so.
    #[must_use]
    pub fn count(&self, change: Change) -> usize {
        self.cases.iter().filter(|case| case.change == change).count()
    }

    /// The counts in words.
    #[must_use]
    pub fn counts(&self) -> String {
        let count = |change: &Change| format!("{} {}", self.count(*change), change.name());
        Change::ALL.iter().map(count).collect::<Vec<_>>().join(", ")
    }
}

fn side(examination: &Examination) -> Side {
    Side {
        user_agent: examination.user_agent.clone(),
        hashrate: examination.hashrate,
        began_us: examination.began_us,
        selection: examination.selection.clone(),
        adit: examination.adit.clone(),
    }
}

fn compare(before: Option<&CaseResult>, after: Option<&CaseResult>, case: &CaseResult) -> CaseChange {
    let change = match (before.map(|case| case.outcome), after.map(|case| case.outcome)) {
        (None, _) => Change::New,
        (_, None) => Change::Gone,
        (Some(before), Some(after)) if before == after => Change::Same,
        (Some(Outcome::Pass), Some(Outcome::Fail)) => Change::Worse,
        (Some(Outcome::Fail), Some(Outcome::Pass)) => Change::Better,
        _ => Change::Undecided,
    };
    let measured = |result: Option<&CaseResult>| result.map_or(&[][..], |result| &result.measured).to_vec();
    let (old, new) = (measured(before), measured(after));
    let value = |list: &[(String, String)], name: &str| {
        list.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    };
    let mut changes: Vec<MeasuredChange> = Vec::new();
    for (name, _) in new.iter().chain(&old) {
        let (before, after) = (value(&old, name), value(&new, name));
        let seen = changes.iter().any(|change| change.name == *name);
        if !seen && before != after && is_notable(before.as_deref(), after.as_deref()) {
            changes.push(MeasuredChange { name: name.clone(), before, after });
        }
    }
    // Of a case that is new or gone every measurement is.
    if before.is_none() || after.is_none() {
        changes.clear();
    }
    CaseChange {
        id: case.id.clone(),
        title: case.title.clone(),
        change,
        before: before.map(|case| case.outcome),
        after: after.map(|case| case.outcome),
        summary: case.summary.clone(),
        measured: changes,
    }
}

/// Whether two values differ by more than a repeated measurement would.
fn is_notable(before: Option<&str>, after: Option<&str>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return true };
    let ((old_text, old), (new_text, new)) = (taken_apart(before), taken_apart(after));
    let near = |(old, new): (&f64, &f64)| (new - old).abs() <= NOTABLE * old.abs().max(new.abs());
    old_text != new_text || !old.iter().zip(&new).all(near)
}

/// A text with its numbers taken out, and the numbers.
fn taken_apart(text: &str) -> (String, Vec<f64>) {
    let (mut rest, mut around, mut numbers) = (text, String::new(), Vec::new());
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        around.push_str(&rest[..at]);
        around.push('#');
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches('.');
        numbers.push(number.parse().unwrap_or(f64::INFINITY));
        rest = &rest[number.len()..];
    }
    around.push_str(rest);
    (around, numbers)
}

/// How a case ended, or a dash.
#[must_use]
pub fn outcome_name(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        None => "-",
        Some(Outcome::Pass) => "pass",
        Some(Outcome::Fail) => "fail",
        Some(Outcome::Inconclusive) => "inconclusive",
        Some(Outcome::Skipped) => "skipped",
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agent = |side: &Side| visible(side.user_agent.as_deref().unwrap_or("unknown miner"));
        writeln!(f, "before: {}   after: {}", agent(&self.before), agent(&self.after))?;
        for case in &self.cases {
            if case.change == Change::Same && case.measured.is_empty() {
                continue;
            }
            writeln!(
                f,
                "{:<9}  {:<5}  {:>12} -> {:<12}  {}",
                case.change.name(),
                visible(&case.id),
                outcome_name(case.before),
                outcome_name(case.after),
                visible(&case.title)
            )?;
            if case.change == Change::Worse {
                writeln!(f, "           {}", visible(&case.summary))?;
            }
            for measured in &case.measured {
                writeln!(
                    f,
                    "           {}: {} -> {}",
                    visible(&measured.name),
                    visible(measured.before.as_deref().unwrap_or("-")),
                    visible(measured.after.as_deref().unwrap_or("-"))
                )?;
            }
        }
        write!(f, "{}", self.counts())
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::examination;
    use super::*;

    #[test]
    fn changes_are_told_apart() {
        use Outcome::{Fail, Inconclusive, Pass, Skipped};
        fn check(before: Option<Outcome>, after: Option<Outcome>, change: Change) {
            let examination = |outcome: Option<Outcome>| {
                examination(&outcome.map(|outcome| ("H01", outcome)).into_iter().collect::<Vec<_>>())
            };
            let comparison = Comparison::of(&examination(before), &examination(after));
            assert_eq!(comparison.cases[0].change, change, "{before:?} {after:?}");
        }
        check(Some(Pass), Some(Fail), Change::Worse);
        check(Some(Fail), Some(Pass), Change::Better);
        check(Some(Fail), Some(Fail), Change::Same);
        check(Some(Pass), Some(Inconclusive), Change::Undecided);
        check(Some(Skipped), Some(Fail), Change::Undecided);
        check(None, Some(Fail), Change::New);
        check(Some(Pass), None, Change::Gone);
    }

    #[test]
    fn small_differences_are_noise() {
        fn check(before: &str, after: &str, notable: bool) {
            assert_eq!(is_notable(Some(before), Some(after)), notable, "{before} {after}");
        }
        check("1.00 s", "1.05 s", false);
        check("1.00 s", "1.20 s", true);
        check("1.00 s", "1.00 ms", true);
        check("6500 bytes", "384 bytes", true);
        check("never", "sometimes", true);
        check("p50 1 ms, p95 2 ms", "p50 1 ms, p95 9 ms", true);
        check("1 of 3", "1 of 4", true);
        check("10 good of 10", "9 good of 9.", true);
        check("10 good of 10.", "9 good of 9.", false);
        check("1.2.3", "1.2.4", true);
    }

    #[test]
    fn the_worst_comes_first() {
        let before = examination(&[("H01", Outcome::Pass), ("H02", Outcome::Fail), ("H03", Outcome::Pass)]);
        let mut after =
            examination(&[("H02", Outcome::Pass), ("H01", Outcome::Fail), ("H03", Outcome::Pass)]);
        after.cases[2].measured[0].1 = "9 s".into();
        let text = Comparison::of(&before, &after).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("worse      H01            pass -> fail"), "{text}");
        assert_eq!(lines[2], "           the summary of H01");
        assert!(lines[3].starts_with("better     H02"), "{text}");
        assert_eq!(lines[5], "           first share: 1.2 s -> 9 s");
        assert_eq!(lines[6], "1 worse, 1 better, 0 undecided, 0 new, 0 gone, 1 same");
    }
}
