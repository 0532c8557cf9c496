//! Pages: self-contained HTML of a report, and of a comparison.
//!
//! Style and script are inside, and a content security policy lets nothing else
//! run or load: a page that is opened beside a firmware's repository must not
//! do what the firmware's strings say.

mod case;
mod comparison;

use std::fmt::Write as _;

use super::escape::html;
use super::{Report, Standing, Verdict};
use crate::units::Hashrate;

pub use comparison::comparison_page;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Findings that are listed above the cases.
const FINDINGS_MAX: usize = 200;

/// The page of a report.
#[must_use]
pub fn page(report: &Report) -> String {
    let examination = &report.examination;
    let agent = html(examination.user_agent.as_deref().unwrap_or("unknown miner"));
    let mut body = String::new();
    let _ = write!(body, "<header><p class=\"kind\">adit check</p><h1>{agent}</h1>");
    body.push_str(&verdict_line(report));
    let rate = Hashrate::new(examination.hashrate).unwrap_or_default();
    let how = if examination.hashrate_claimed { "claimed" } else { "measured" };
    figures(
        &mut body,
        &[
            ("hashrate", format!("{rate} <small>{how}</small>")),
            ("suite", html(&examination.selection)),
            ("began", html(&moment(examination.began_us))),
            ("took", duration(examination.seconds)),
            ("adit", html(&examination.adit)),
        ],
    );
    notes(&mut body, report);
    body.push_str("</header><main>");
    findings(&mut body, report);
    filters(&mut body, report);
    for (group, cases) in report.groups() {
        let _ = write!(body, "<section class=\"group\"><h2>{}</h2>", html(&group));
        cases.iter().for_each(|result| case::render(&mut body, result, &report.verdict(result)));
        body.push_str("</section>");
    }
    body.push_str("<p id=\"nothing\" hidden>No case ended so.</p></main>");
    document(&format!("adit check: {agent}"), &body)
}

/// A document around `body`; `title` is escaped already.
fn document(title: &str, body: &str) -> String {
    super::document::document(title, body, STYLE, SCRIPT)
}

/// The answer in one line.
fn verdict_line(report: &Report) -> String {
    let counts = report.counts();
    let (class, text) = match (report.is_good(), counts.failed) {
        (true, _) if counts.passed == 0 => ("inconclusive", "Nothing was decided".to_owned()),
        (true, _) => ("pass", format!("No case failed; {} passed", counts.passed)),
        (false, 0) => ("fail", "An accepted deviation is out of date".to_owned()),
        (false, 1) => ("fail", "1 case failed".to_owned()),
        (false, failed) => ("fail", format!("{failed} cases failed")),
    };
    format!("<p class=\"verdict {class}\">{text}</p>")
}

/// Small facts in a row; values are HTML.
fn figures(body: &mut String, list: &[(&str, String)]) {
    body.push_str("<dl>");
    for (name, value) in list {
        let _ = write!(body, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    body.push_str("</dl>");
}

fn notes(body: &mut String, report: &Report) {
    let mut notes: Vec<String> = report.stale().collect();
    notes.extend(report.examination.notes.iter().cloned());
    let expired = |standing| matches!(standing, Standing::OtherFirmware);
    for settled in report.deviations.iter().filter(|settled| expired(settled.standing)) {
        let firmware = settled.deviation.firmware.as_deref().unwrap_or_default();
        notes.push(format!(
            "the deviation of {} is about {firmware}, not this firmware",
            settled.deviation.case
        ));
    }
    if notes.is_empty() {
        return;
    }
    body.push_str("<ul class=\"notes\">");
    notes.iter().for_each(|note| {
        let _ = write!(body, "<li>{}</li>", html(note));
    });
    body.push_str("</ul>");
}

/// What failed, each in a line that leads to it.
fn findings(body: &mut String, report: &Report) {
    let failed = report.examination.cases.iter().filter(|case| report.verdict(case) == Verdict::Failed);
    let failed: Vec<_> = failed.take(FINDINGS_MAX).collect();
    if failed.is_empty() {
        return;
    }
    body.push_str("<section><h2>Findings</h2><ul class=\"findings\">");
    for case in failed {
        let _ = write!(
            body,
            "<li><a href=\"#{id}\">{id}</a> <span class=\"severity {severity}\">{severity}</span> {}</li>",
            html(&case.summary),
            id = html(&case.id),
            severity = case::severity(case.severity)
        );
    }
    body.push_str("</ul></section>");
}

fn filters(body: &mut String, report: &Report) {
    let counts = report.counts();
    let list = [
        ("all", "All", report.examination.cases.len()),
        ("fail", "Failed", counts.failed),
        ("accepted", "Accepted", counts.accepted),
        ("inconclusive", "Inconclusive", counts.inconclusive),
        ("skipped", "Skipped", counts.skipped),
        ("pass", "Passed", counts.passed),
    ];
    body.push_str("<nav aria-label=\"Which cases to show\">");
    for (class, name, count) in list {
        // Those that every report needs, and those that this one has.
        if count > 0 || ["all", "fail", "inconclusive"].contains(&class) {
            let _ = write!(
                body,
                "<button type=\"button\" data-show=\"{class}\" aria-pressed=\"{}\">{name} <b>{count}</b></button>",
                class == "all"
            );
        }
    }
    body.push_str("</nav>");
}

/// A moment in UTC, to the second.
fn moment(us: u64) -> String {
    let moment = i64::try_from(us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    moment.map_or_else(|| "unknown".to_owned(), |moment| moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// A span of time for people.
fn duration(seconds: f64) -> String {
    match seconds {
        short if short < 60.0 => format!("{short:.1} s"),
        middle if middle < 3_600.0 => {
            format!("{:.0} min {:02.0} s", (middle / 60.0).floor(), (middle % 60.0).floor())
        }
        long => format!("{:.0} h {:02.0} min", (long / 3_600.0).floor(), (long % 3_600.0 / 60.0).floor()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{HOSTILE, everything, examination};
    use super::*;
    use crate::conformance::Outcome;

    #[test]
    fn everything_is_on_the_page_and_nothing_else() {
        let text = page(&everything());
        for part in [
            "id=\"H04\"",
            "The pool answers late.",
            "It waits.",
            "good shares",
            "href=\"https://github.com/bitaxeorg/ESP-Miner/issues/1880\"",
            "3 cases failed",
            "H01 passes, but is on the list",
            "1.20 TH/s",
            "data-show=\"inconclusive\"",
            "1.234567",
        ] {
            assert!(text.contains(part), "{part} is missing");
        }
        assert!(!text.contains(HOSTILE));
        // Nothing is loaded from anywhere: addresses stand in links only.
        for (at, _) in text.match_indices("http") {
            let before = &text[..at];
            let fine = before.ends_with("href=\"") || text[at..].starts_with("http-equiv");
            assert!(fine, "{}", &text[at..at + 60]);
        }
    }

    #[test]
    fn the_answer_comes_first() {
        fn check(cases: &[(&str, Outcome)], part: &str) {
            let report = Report { examination: examination(cases), deviations: Vec::new() };
            assert!(verdict_line(&report).contains(part), "{cases:?}: {}", verdict_line(&report));
        }
        check(&[("H01", Outcome::Pass)], "No case failed; 1 passed");
        check(&[("H01", Outcome::Fail)], "1 case failed");
        check(&[("H01", Outcome::Skipped)], "Nothing was decided");
        check(&[], "Nothing was decided");
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(duration(3.25), "3.2 s");
        assert_eq!(duration(125.9), "2 min 05 s");
        assert_eq!(duration(7_261.0), "2 h 01 min");
        assert_eq!(moment(1_800_000_000_000_000), "2027-01-15 08:00:00 UTC");
        assert_eq!(moment(u64::MAX), "unknown");
    }
}
