//! A case's result, out of its log.

use super::ledger::Ledger;
use crate::conformance::case::Case;
use crate::conformance::judge::{Context, Verdict, plots, verdict};
use crate::conformance::log::{Connection, Fact, Log};
use crate::conformance::result::{CaseResult, Line};
use crate::stratum::v1::hex;
use crate::units::Timestamp;

/// What the judges say of a case that ran.
pub(super) fn judged(
    case: &Case,
    ledger: &Ledger,
    context: &Context,
    began: Timestamp,
    now: Timestamp,
) -> CaseResult {
    let log = ledger.log();
    let (transcript, places) = transcript(log, began);
    let Verdict { outcome, summary, mut troubles, mut measured } = verdict(&case.verdict, log, context);
    for trouble in &mut troubles {
        let known = trouble.evidence.iter().filter_map(|record| places.get(*record).copied());
        trouble.evidence = known.collect();
        trouble.evidence.dedup();
    }
    if ledger.dropped() > 0 {
        let text = format!("{} facts beyond the limit of a case were dropped", ledger.dropped());
        measured.push(("log".into(), text));
    }
    let shares = log.records.iter().filter_map(|record| match &record.fact {
        Fact::Share(share) => Some(share.is_good()),
        _ => None,
    });
    let (all, good) = shares.fold((0, 0), |(all, good), is_good| (all + 1, good + u32::from(is_good)));
    CaseResult {
        summary,
        troubles,
        measured,
        seconds: now.since(began).0,
        shares: all,
        shares_good: good,
        plots: plots(log),
        transcript,
        ..CaseResult::not_run(case, outcome, String::new())
    }
}

/// What was said, and for each record the line that shows it.
fn transcript(log: &Log, began: Timestamp) -> (Vec<Line>, Vec<usize>) {
    let mut lines: Vec<Line> = Vec::new();
    let mut places = Vec::new();
    for record in &log.records {
        let (from, bytes) = match &record.fact {
            Fact::Said(bytes) => ("miner", bytes.clone()),
            Fact::Told(bytes) => ("pool", bytes.clone()),
            Fact::Opened(listener) => ("case", format!("connected to {listener:?}").into_bytes()),
            Fact::Closed(closing) => ("case", format!("closed: {closing:?}").into_bytes()),
            Fact::TlsRefused(alert) => ("case", format!("refused the certificate: {alert}").into_bytes()),
            Fact::Ready => ("case", b"subscribed and authorized".to_vec()),
            Fact::Mark(name) => ("case", format!("mark {name}").into_bytes()),
            Fact::Trial(name, value) => ("case", format!("trial: {name} = {value}").into_bytes()),
            Fact::TrialEnd => ("case", b"the trial ends".to_vec()),
            Fact::Met(what) => ("case", format!("came: {what}").into_bytes()),
            Fact::MissedOptional(what) => ("case", format!("did not come: {what} (optional)").into_bytes()),
            Fact::Missed(what) => ("case", format!("did not come: {what}").into_bytes()),
            Fact::BadLine(what) => ("case", format!("not readable: {what}").into_bytes()),
            _ => {
                // Shown by what was said last on its connection.
                let of = |line: &&Line| line.connection == record.connection.map(|Connection(number)| number);
                let back = lines.iter().rev().position(|line| of(&line)).unwrap_or(0);
                places.push(lines.len().saturating_sub(back + 1));
                continue;
            }
        };
        places.push(lines.len());
        let (text, raw) = match String::from_utf8(bytes) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(hex::encode(error.as_bytes()))),
        };
        lines.push(Line {
            at_us: record.at.micros().saturating_sub(began.micros()),
            connection: record.connection.map(|Connection(number)| number),
            from: from.into(),
            text,
            hex: raw,
        });
    }
    (lines, places)
}
