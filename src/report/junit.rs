//! The report as JUnit XML, which CI systems show.
//!
//! A test suite for each group of cases. What could not be decided is skipped
//! with a message: it is neither good nor a regression.

use std::fmt::Write as _;

use super::escape::xml;
use super::{Report, Verdict};
use crate::conformance::CaseResult;

/// The document.
#[must_use]
pub fn junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = report.counts();
    let stale: Vec<String> = report.stale().collect();
    let _ = writeln!(
        out,
        "<testsuites name=\"adit check\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        report.examination.cases.len() + stale.len(),
        counts.failed + stale.len(),
        counts.inconclusive + counts.skipped + counts.accepted,
        report.examination.seconds
    );
    for (group, cases) in report.groups() {
        let count =
            |wanted: fn(&Verdict) -> bool| cases.iter().filter(|case| wanted(&report.verdict(case))).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
            xml(&group),
            cases.len(),
            count(|verdict| matches!(verdict, Verdict::Failed)),
            count(|verdict| !matches!(verdict, Verdict::Failed | Verdict::Passed)),
            cases.iter().map(|case| case.seconds).sum::<f64>()
        );
        cases.iter().for_each(|case| test_case(&mut out, report, case));
        out.push_str("  </testsuite>\n");
    }
    if !stale.is_empty() {
        let _ = writeln!(
            out,
            "  <testsuite name=\"accepted deviations\" tests=\"{0}\" failures=\"{0}\" skipped=\"0\">",
            stale.len()
        );
        for text in &stale {
            let text = xml(text);
            let _ = writeln!(
                out,
                "    <testcase classname=\"adit.deviations\" name=\"{text}\"><failure message=\"{text}\"/></testcase>"
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn test_case(out: &mut String, report: &Report, case: &CaseResult) {
    let letter: String = case.id.chars().take_while(|c| c.is_alphabetic()).collect();
    let _ = write!(
        out,
        "    <testcase classname=\"adit.{}\" name=\"{} {}\" time=\"{:.3}\"",
        xml(&letter),
        xml(&case.id),
        xml(&case.title),
        case.seconds
    );
    match report.verdict(case) {
        Verdict::Passed => out.push_str("/>\n"),
        Verdict::Failed => {
            let _ = writeln!(out, ">\n      <failure message=\"{}\">", xml(&case.summary));
            for trouble in &case.troubles {
                let trial = trouble.trial.as_ref().map_or_else(String::new, |trial| format!("at {trial}: "));
                let _ = writeln!(out, "{}", xml(&format!("{trial}{}", trouble.finding)));
                let _ = writeln!(out, "expected: {}", xml(&trouble.expected));
            }
            let _ = writeln!(out, "sources: {}", xml(&case.sources.join(", ")));
            let _ = writeln!(out, "transcript: {}", xml(&super::transcript::file_name(&case.id)));
            out.push_str("      </failure>\n    </testcase>\n");
        }
        Verdict::Accepted(reason) => skipped(out, &format!("accepted deviation: {reason}; {}", case.summary)),
        Verdict::Inconclusive => skipped(out, &format!("inconclusive: {}", case.summary)),
        Verdict::Skipped => skipped(out, &case.summary),
    }
}

fn skipped(out: &mut String, message: &str) {
    let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(message));
}

#[cfg(test)]
mod tests {
    use super::super::example::examination;
    use super::*;
    use crate::conformance::Outcome;

    #[test]
    fn a_suite_for_each_group() {
        let mut examination = examination(&[
            ("H01", Outcome::Pass),
            ("H02", Outcome::Fail),
            ("X01", Outcome::Inconclusive),
            ("X02", Outcome::Skipped),
        ]);
        examination.cases[1].summary = "said \"<x>\" & \x1b".into();
        let text = junit(&Report { examination, deviations: Vec::new() });
        for part in [
            "<testsuites name=\"adit check\" tests=\"4\" failures=\"1\" skipped=\"2\"",
            "<testsuite name=\"Handshake\" tests=\"2\" failures=\"1\" skipped=\"0\"",
            "<testsuite name=\"Extranonce\" tests=\"2\" failures=\"0\" skipped=\"2\"",
            "<failure message=\"said &quot;&lt;x&gt;&quot; &amp; ␛\">",
            "<skipped message=\"inconclusive: ",
            "name=\"H01 The title of H01\" time=\"2.000\"/>",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
