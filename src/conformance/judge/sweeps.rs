//! Judges of trials: how far values may go, and whether the miner refuses cleanly.

use std::collections::BTreeSet;

use super::shares::{good_ones, wrong_ones};
use super::view::{Arrival, Trial, View, Windows, counted, span};
use super::{Opinion, Value};
use crate::conformance::examiner::Listener;
use crate::conformance::log::{Closing, Connection, Fact};
use crate::conformance::share::Problem;

/// Seconds that a device needs to start again. Whoever closes a socket with
/// bytes unread sends RST as well, but comes back sooner.
const RESTART: f64 = 15.0;

/// How a trial ended that did not go well, in words, with its records.
type Crash = (String, Vec<usize>);

/// Signs of a crash among the records of `range`: a connection lost or
/// abandoned, reset and not replaced before a device could have started again,
/// or ended and not replaced within `within` seconds.
fn crashes(view: &View<'_>, range: std::ops::Range<usize>, within: f64) -> Vec<Crash> {
    let mut found = Vec::new();
    let mut open: BTreeSet<Connection> = BTreeSet::new();
    let mut ended: BTreeSet<Connection> = BTreeSet::new();
    for (index, record) in view.log.records.iter().enumerate().take(range.end) {
        let Some(connection) = record.connection else { continue };
        let here = range.contains(&index);
        match record.fact {
            Fact::Opened(Listener::Decoy | Listener::BadTls) => {}
            Fact::Opened(_) => {
                if let Some(old) = open.iter().next().filter(|_| here) {
                    found.push((
                        format!("the miner came back on connection {} without ending connection {}, as after a restart", connection.0, old.0),
                        vec![index],
                    ));
                }
                // What was left open is not worth a second finding.
                open.clear();
                open.insert(connection);
            }
            Fact::Closed(how) if ended.insert(connection) => {
                open.remove(&connection);
                match how {
                    Closing::Rst if here => found.extend(not_back(view, index, within.min(RESTART))),
                    Closing::TimedOut if here => found.push((
                        format!("the miner no longer answered on connection {}", connection.0),
                        vec![index],
                    )),
                    Closing::Fin if here => found.extend(not_back(view, index, within)),
                    _ => {}
                }
            }
            _ if !ended.contains(&connection) => {
                open.insert(connection);
            }
            _ => {}
        }
    }
    found
}

/// Whether the miner stayed away after it ended the connection at `index`.
fn not_back(view: &View<'_>, index: usize, within: f64) -> Option<Crash> {
    let records = &view.log.records;
    let left = records[index].at;
    let back = records[index..].iter().find(|record| matches!(record.fact, Fact::Opened(_)));
    let away = back.map_or(view.ended, |record| record.at).since(left).0;
    (away > within).then(|| {
        (format!("the miner was away for {} after it ended the connection", span(away)), vec![index])
    })
}

fn shares_of<'l>(view: &View<'l>, trial: &Trial) -> Vec<Arrival<'l>> {
    let is_here =
        |share: &&Arrival<'_>| view.trial_of(share).is_some_and(|other| other.records == trial.records);
    view.shares.iter().filter(is_here).copied().filter(Arrival::counts).collect()
}

pub(super) fn sound_or_refused(
    view: &View<'_>,
    windows: &Windows<'_>,
    ignore: &[Problem],
    within: f64,
    out: &mut Opinion,
) {
    let expected = "Good shares, or none and an orderly end of the connection.";
    let mut judge = |trial: Option<&Trial>, shares: &[Arrival<'_>], crashes: Vec<Crash>| {
        let mut findings: Vec<Crash> = wrong_ones(view, shares, ignore);
        findings.extend(crashes);
        for (what, evidence) in findings {
            let mut sentence = what;
            if let Some(first) = sentence.get(..1) {
                let first = first.to_uppercase();
                sentence.replace_range(..1, &first);
            }
            out.fail(format!("{sentence}."), expected, evidence);
            if let Some(trouble) = out.troubles.last_mut() {
                trouble.trial = trial.map(|trial| trial.name.clone());
            }
        }
    };
    let reached = |range: &std::ops::Range<usize>| {
        windows
            .stretches
            .iter()
            .any(|stretch| stretch.records.start < range.end && range.start < stretch.records.end)
    };
    for trial in view.trials.iter().filter(|trial| reached(&trial.records)) {
        judge(Some(trial), &shares_of(view, trial), crashes(view, trial.records.clone(), within));
    }
    // Outside of trials the same holds.
    let rest: Vec<Arrival<'_>> =
        view.shares_in(windows).into_iter().filter(|share| view.trial_of(share).is_none()).collect();
    let crashes_elsewhere =
        crashes(view, 0..view.log.records.len(), within).into_iter().filter(|(_, evidence)| {
            evidence.first().is_some_and(|index| {
                view.trial_at(*index).is_none()
                    && windows.stretches.iter().any(|stretch| stretch.records.contains(index))
            })
        });
    judge(None, &rest, crashes_elsewhere.collect());
    if view.trials.is_empty() && view.lives.is_empty() {
        out.inconclusive("There was no connection.", expected);
    }
}

pub(super) fn limit(
    view: &View<'_>,
    what: &str,
    at_least: Option<f64>,
    at_most: Option<f64>,
    must: &[Value],
    out: &mut Opinion,
) {
    let expected = "Good shares at these values.";
    if view.trials.is_empty() {
        return out.inconclusive("No value was tried.", expected);
    }
    let value_of = |trial: &Trial| {
        let named = trial.values.iter().find(|(name, _)| name == what);
        named.or(trial.values.last()).map_or(String::new(), |(_, value)| value.clone())
    };
    // A value may be tried more than once: it is good when it always is.
    let mut values: Vec<(String, bool)> = Vec::new();
    for trial in &view.trials {
        let shares = shares_of(view, trial);
        let good = good_ones(&shares, &[]) > 0 && wrong_ones(view, &shares, &[]).is_empty();
        let value = value_of(trial);
        match values.iter_mut().find(|(other, _)| *other == value) {
            Some((_, all)) => *all &= good,
            None => values.push((value, good)),
        }
    }
    let list = |wanted: bool| {
        let chosen: Vec<&str> =
            values.iter().filter(|(_, good)| *good == wanted).map(|(value, _)| value.as_str()).collect();
        if chosen.is_empty() { "none".to_owned() } else { chosen.join(", ") }
    };
    out.measured(format!("{what}: good shares at"), list(true));
    if values.iter().any(|(_, good)| !good) {
        out.measured(format!("{what}: no good shares at"), list(false));
    }
    let number = |value: &str| value.parse::<f64>().ok();
    let good_numbers: Vec<f64> =
        values.iter().filter(|(_, good)| *good).filter_map(|(value, _)| number(value)).collect();
    if let (Some(least), Some(most)) =
        (good_numbers.iter().copied().reduce(f64::min), good_numbers.iter().copied().reduce(f64::max))
    {
        out.measured(format!("{what}: smallest and largest"), format!("{least} and {most}"));
    }
    let is_due = |value: &str| {
        must.iter().any(|due| due.0 == value)
            || number(value).is_some_and(|value| {
                at_least.is_some_and(|bound| value <= bound) || at_most.is_some_and(|bound| value >= bound)
            })
    };
    let lacking: Vec<&str> = values
        .iter()
        .filter(|(value, good)| !good && is_due(value))
        .map(|(value, _)| value.as_str())
        .collect();
    if !lacking.is_empty() {
        let trials = view.trials.iter().filter(|trial| lacking.contains(&value_of(trial).as_str()));
        out.fail(
            format!("No good shares at {} {what}.", lacking.join(", ")),
            expected,
            trials.map(|trial| trial.records.start).collect(),
        );
        if let Some(trouble) = out.troubles.last_mut().filter(|_| lacking.len() > 1) {
            trouble.trial = Some(counted(lacking.len(), "value"));
        }
    }
    let missing: Vec<&str> = must
        .iter()
        .filter(|due| values.iter().all(|(value, _)| *value != due.0))
        .map(|due| due.0.as_str())
        .collect();
    if !missing.is_empty() {
        out.inconclusive(format!("The case ended before {} {what}.", missing.join(", ")), expected);
    }
}
