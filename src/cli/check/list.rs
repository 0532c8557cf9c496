//! The cases as a table, as JSON, and one of them in full.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::{Failure, print};
use super::suite_name;
use crate::conformance::pool::PoolCase;
use crate::conformance::{Case, Severity, Suite};
use crate::report::source::address;

/// Columns of text.
const WIDTH: usize = 78;

/// A case as programs read it.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    severity: Severity,
    suites: &'a [Suite],
    sources: &'a [String],
    pool: &'a str,
    firmware: &'a str,
    judged: &'a str,
    caught: &'a [String],
}

impl<'a> Row<'a> {
    fn of(case: &'a Case) -> Self {
        let Case { id, title, severity, suites, sources, pool, firmware, judged, caught, .. } = case;
        Self { id, title, severity: *severity, suites, sources, pool, firmware, judged, caught }
    }
}

/// The word for a severity.
pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}

/// Prints all cases.
pub(super) fn list(cases: &[Case], json: bool) -> Result<(), Failure> {
    if json {
        let rows: Vec<Row<'_>> = cases.iter().map(Row::of).collect();
        print(serde_json::to_string(&rows).map_err(Failure::surroundings)?);
        return Ok(());
    }
    let mut text = format!("{:<5} {:<9} {:<22} {}", "id", "severity", "suites", "what");
    for case in cases {
        let _ = write!(
            text,
            "\n{:<5} {:<9} {:<22} {}",
            case.id,
            severity_name(case.severity),
            suites(case),
            case.title
        );
    }
    print(text);
    Ok(())
}

fn suites(case: &Case) -> String {
    case.suites.iter().map(|suite| suite_name(*suite)).collect::<Vec<_>>().join(",")
}

/// Prints one case in full.
pub(super) fn explain(case: &Case, json: bool) -> Result<(), Failure> {
    if json {
        print(serde_json::to_string(&Row::of(case)).map_err(Failure::surroundings)?);
    } else {
        print(explained(case));
    }
    Ok(())
}

/// The same of a case about pools.
pub(super) fn explain_pool(case: &PoolCase, json: bool) -> Result<(), Failure> {
    let PoolCase { id, title, severity, sources, miner, pool, judged, .. } = case;
    if json {
        let row = serde_json::json!({
            "id": id, "title": title, "severity": severity, "sources": sources,
            "miner": miner, "pool": pool, "judged": judged,
        });
        print(row);
        return Ok(());
    }
    let mut text = format!("{id}  {title}\nseverity {}, about pools\n", severity_name(*severity));
    for (name, told) in
        [("What the miner does", miner), ("What a correct pool does", pool), ("How it is judged", judged)]
    {
        let _ = write!(text, "\n{name}\n{}", wrapped(told));
    }
    text.push_str("\nWhy it matters\n");
    sources.iter().for_each(|source| text.push_str(&wrapped(source)));
    print(text.trim_end());
    Ok(())
}

fn explained(case: &Case) -> String {
    let mut text = format!("{}  {}\n", case.id, case.title);
    let _ = writeln!(text, "severity {}, suites {}", severity_name(case.severity), suites(case));
    for (name, told) in [
        ("What the pool does", &case.pool),
        ("What correct firmware does", &case.firmware),
        ("How it is judged", &case.judged),
    ] {
        let _ = write!(text, "\n{name}\n{}", wrapped(told));
    }
    text.push_str("\nWhy it matters\n");
    for source in &case.sources {
        text.push_str(&wrapped(source));
        for address in
            source.split([' ', ',', ';']).filter_map(|word| address(word.trim_end_matches(['.', ':'])))
        {
            let _ = writeln!(text, "  {address}");
        }
    }
    if !case.caught.is_empty() {
        let _ = write!(text, "\nReplicas that fail it\n{}", wrapped(&case.caught.join(", ")));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Text in indented lines.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column == 0 || column + 1 + length > WIDTH {
            out.push_str(if column == 0 { "  " } else { "\n  " });
            column = 2 + length;
        } else {
            out.push(' ');
            column += 1 + length;
        }
        out.push_str(word);
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::cases;

    #[test]
    fn every_case_is_explained() {
        for case in cases() {
            let text = explained(case);
            for part in [&case.id, &case.title, "What correct firmware does", "Why it matters"] {
                assert!(text.contains(part), "{text}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= 100 || line.contains("http")), "{text}");
        }
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("a  b"), "  a b\n");
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.starts_with("  word") && line.len() <= WIDTH), "{text}");
    }
}
