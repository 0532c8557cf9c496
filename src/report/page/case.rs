//! A case on the page: what was sent, what came, what was expected, and why.

use std::fmt::Write as _;

use super::super::escape::{cut, html};
use super::super::source::linked;
use super::super::transcript::{LINE_CHARS_MAX, TROUBLES_MAX, excerpt, file_name, sent};
use super::super::{Verdict, plot};
use crate::conformance::{CaseResult, Line, Outcome, Severity, Trouble};

/// Characters of what was sent that stand beside a finding.
const SENT_CHARS_MAX: usize = 240;

/// The class and word of a verdict.
fn badge(verdict: &Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Passed => ("pass", "pass"),
        Verdict::Failed => ("fail", "fail"),
        Verdict::Accepted(_) => ("accepted", "accepted"),
        Verdict::Inconclusive => ("inconclusive", "inconclusive"),
        Verdict::Skipped => ("skipped", "skipped"),
    }
}

/// The word for a severity, also its class.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}

/// Appends the case.
pub(super) fn render(body: &mut String, result: &CaseResult, verdict: &Verdict) {
    let (class, word) = badge(verdict);
    let open = if *verdict == Verdict::Failed { " open" } else { "" };
    let _ = write!(
        body,
        "<details class=\"case\" data-verdict=\"{class}\" id=\"{id}\"{open}><summary>\
         <span class=\"badge {class}\">{word}</span> <span class=\"id\">{id}</span> \
         <span class=\"title\">{}</span> <span class=\"severity {severity}\">{severity}</span> \
         <span class=\"seconds\">{:.1} s</span></summary><div class=\"inside\">",
        html(&result.title),
        result.seconds,
        id = html(&result.id),
        severity = severity(result.severity)
    );
    if let Verdict::Accepted(reason) = verdict {
        let _ = write!(body, "<p><b>Accepted:</b> {}</p>", html(reason));
    }
    let _ = write!(body, "<p class=\"summary\">{}</p>", html(&result.summary));
    let told = result.troubles.iter().filter(|trouble| trouble.outcome != Outcome::Pass);
    told.clone().take(TROUBLES_MAX).for_each(|trouble| finding(body, result, trouble));
    let more = told.count().saturating_sub(TROUBLES_MAX);
    if more > 0 {
        let _ = write!(body, "<p>{more} more of the kind are in report.json.</p>");
    }
    for trouble in result.troubles.iter().filter(|trouble| trouble.outcome == Outcome::Pass) {
        let _ = write!(body, "<p class=\"note\">{}</p>", html(&trouble.finding));
    }
    facts(body, result);
    measured(body, result);
    let figures = plot::figures(result);
    if !figures.is_empty() {
        let _ = write!(body, "<div class=\"figures\">{figures}</div>");
    }
    transcript(body, result);
    body.push_str("</div></details>");
}

/// A finding: what was sent, what came, what was expected.
fn finding(body: &mut String, result: &CaseResult, trouble: &Trouble) {
    let trial = trouble.trial.as_deref().map_or_else(String::new, |trial| format!(" at {}", html(trial)));
    let line = sent(result, trouble).and_then(|place| result.transcript[place].text.as_deref());
    let sent = match line.map(|line| cut(line, SENT_CHARS_MAX)) {
        Some((line, 0)) => format!("<code>{}</code>", html(line)),
        Some((line, _)) => format!("<code>{} …</code>", html(line)),
        None => html(&result.pool),
    };
    let _ = write!(
        body,
        "<dl class=\"finding\"><div><dt>Sent{trial}</dt><dd>{sent}</dd></div><div><dt>Came</dt><dd>{}</dd></div>\
         <div><dt>Expected</dt><dd>{}</dd></div></dl>",
        html(&trouble.finding),
        html(&trouble.expected)
    );
}

fn facts(body: &mut String, result: &CaseResult) {
    body.push_str("<dl class=\"facts\">");
    for (name, text) in [
        ("The pool", &result.pool),
        ("Correct firmware", &result.firmware),
        ("How it is judged", &result.judged),
    ] {
        let _ = write!(body, "<div><dt>{name}</dt><dd>{}</dd></div>", html(text));
    }
    let _ =
        write!(body, "<div><dt>Shares</dt><dd>{} of {} good</dd></div>", result.shares_good, result.shares);
    if !result.sources.is_empty() {
        let sources: Vec<String> = result.sources.iter().map(|source| linked(source)).collect();
        let _ = write!(body, "<div><dt>Why it matters</dt><dd>{}</dd></div>", sources.join("<br>"));
    }
    body.push_str("</dl>");
}

fn measured(body: &mut String, result: &CaseResult) {
    if result.measured.is_empty() {
        return;
    }
    body.push_str("<table><thead><tr><th>measured<th>value</thead><tbody>");
    for (name, value) in &result.measured {
        let _ = write!(body, "<tr><td>{}<td>{}", html(name), html(value));
    }
    body.push_str("</tbody></table>");
}

fn transcript(body: &mut String, result: &CaseResult) {
    if result.outcome == Outcome::Pass || result.transcript.is_empty() {
        return;
    }
    let evidence: Vec<usize> =
        result.troubles.iter().flat_map(|trouble| trouble.evidence.iter().copied()).collect();
    let _ = write!(
        body,
        "<h3>What was said <small>from {}</small></h3><ol class=\"transcript\">",
        html(&file_name(&result.id))
    );
    let mut before = None;
    for place in excerpt(result) {
        if before.is_some_and(|before| before + 1 < place) {
            body.push_str("<li class=\"gap\">…</li>");
        }
        before = Some(place);
        if let Some(line) = result.transcript.get(place) {
            spoken(body, line, evidence.contains(&place));
        }
    }
    body.push_str("</ol>");
}

fn spoken(body: &mut String, line: &Line, is_evidence: bool) {
    let (class, who) = match line.from.as_str() {
        "miner" => ("miner", "miner"),
        "pool" => ("pool", "pool"),
        _ => ("event", "case"),
    };
    let connection = line.connection.map_or_else(String::new, |number| format!(" {number}"));
    let (text, raw) = match (&line.text, &line.hex) {
        (Some(text), _) => (text.as_str(), ""),
        (None, Some(hex)) => (hex.as_str(), "<i>bytes</i> "),
        (None, None) => ("", ""),
    };
    let (text, more) = cut(text, 2 * LINE_CHARS_MAX);
    let more = if more > 0 { format!(" <i>… {more} more characters</i>") } else { String::new() };
    let _ = write!(
        body,
        "<li class=\"{class}{}\"><time>{:.6}</time> <b>{who}{connection}</b> <code>{raw}{}{more}</code></li>",
        if is_evidence { " evidence" } else { "" },
        line.at_us as f64 / 1e6,
        html(text)
    );
}
