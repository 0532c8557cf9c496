//! Judges of latencies, silences and rates.

use super::Opinion;
use super::view::{Arrival, Life, View, Windows, counted, span};
use crate::conformance::examiner::Listener;
use crate::conformance::log::{Fact, JobRecord};
use crate::conformance::statistics::{binomial_at_least, percentile, poisson_at_least};
use crate::units::{Seconds, Timestamp};

/// How rarely chance alone makes a silence that is called one.
const SILENCE_ALPHA: f64 = 1e-4;

/// How rarely chance alone makes a rate that is called too high, or a fraction.
const RATE_ALPHA: f64 = 1e-3;

/// Part of the claimed hashrate that is taken for granted: whether the claim is
/// right is another judge's matter.
const CLAIM: f64 = 0.8;

/// The same for a hashrate that was measured from eight shares: the lower end of
/// their exact 99.8 % interval is 2.5.
const MEASURE: f64 = 0.3;

/// Where a job stands among those of its connection.
fn place(life: &Life<'_>, job: &JobRecord) -> usize {
    life.jobs.partition_point(|other| other.number < job.number)
}

/// A clean job on a new block, and what came after it.
#[derive(Debug, Clone)]
pub(super) struct Switch {
    /// Seconds to the last share of a job before it, less the round trip; 0 when none came.
    pub last_old: f64,
    /// Records of the shares of jobs before it.
    pub old: Vec<usize>,
    /// Seconds to the first share of it or a later job, less the round trip.
    pub first_new: Option<f64>,
}

/// All switches in the windows after which shares came.
pub(super) fn all_switches(view: &View<'_>, windows: &Windows<'_>) -> Vec<Switch> {
    let mut found = Vec::new();
    for life in &view.lives {
        let is_switch = |job: &JobRecord| job.clean && job.new_block && job.sound;
        let shares: Vec<(usize, Arrival<'_>)> = view
            .shares
            .iter()
            .filter(|share| share.facts.connection == life.connection)
            .filter_map(|share| Some((place(life, share.job?), *share)))
            .collect();
        for (at, job) in life.jobs.iter().enumerate().filter(|(at, job)| *at > 0 && is_switch(job)) {
            let in_window =
                windows.stretches.iter().any(|stretch| (stretch.begins..=stretch.ends).contains(&job.at));
            let next =
                life.jobs.iter().skip(at + 1).find(|job| is_switch(job)).map_or(life.ended, |job| job.at);
            let observed = shares.iter().any(|(_, share)| share.at > job.at && share.at <= next);
            if !in_window || !observed {
                continue;
            }
            // A share is late by the first switch it should have followed.
            let since = |share: &Arrival<'_>| (share.at.since(job.at).0 - view.round_trip).max(0.0);
            let previous = (0..at).rev().find(|earlier| is_switch(life.jobs[*earlier])).unwrap_or(0);
            let old: Vec<&Arrival<'_>> = shares
                .iter()
                .filter(|(place, share)| (previous..at).contains(place) && share.at > job.at)
                .map(|(_, share)| share)
                .collect();
            found.push(Switch {
                last_old: old.iter().map(|share| since(share)).fold(0.0, f64::max),
                old: old.iter().map(|share| share.index).collect(),
                first_new: shares.iter().find(|(place, _)| *place >= at).map(|(_, share)| since(share)),
            });
        }
    }
    found
}

pub(super) fn switches(view: &View<'_>, windows: &Windows<'_>, p95: f64, min: usize, out: &mut Opinion) {
    let switches = all_switches(view, windows);
    let sorted = |values: &mut Vec<f64>| values.sort_by(f64::total_cmp);
    let mut last_old: Vec<f64> = switches.iter().map(|switch| switch.last_old).collect();
    let mut first_new: Vec<f64> = switches.iter().filter_map(|switch| switch.first_new).collect();
    sorted(&mut last_old);
    sorted(&mut first_new);
    let three = |values: &[f64]| {
        let at = |part| percentile(values, part).map_or("none".to_owned(), span);
        format!("median {}, p95 {}, maximum {}", at(0.5), at(0.95), at(1.0))
    };
    out.measured("last share of an old block after", three(&last_old));
    out.measured("first share of a new block after", three(&first_new));
    out.measured("round trip taken out", span(view.round_trip));
    let expected = format!("In 95 of 100 switches no share of the old block later than {}.", span(p95));
    if let Some(found) = percentile(&last_old, 0.95).filter(|found| *found > p95) {
        let mut slow: Vec<_> = switches.iter().filter(|switch| switch.last_old > p95).collect();
        slow.sort_by(|a, b| b.last_old.total_cmp(&a.last_old));
        out.fail(
            format!(
                "Shares of an old block came up to {} after the new one ({} of {}).",
                span(found),
                slow.len(),
                counted(switches.len(), "switch")
            ),
            expected,
            slow.iter().flat_map(|switch| switch.old.last()).copied().collect(),
        );
    } else if switches.len() < min {
        out.inconclusive(
            format!("Only {} of {min} new blocks were followed by shares.", switches.len()),
            expected,
        );
    }
}

pub(super) fn stale_fraction(
    view: &View<'_>,
    windows: &Windows<'_>,
    max: f64,
    min: usize,
    out: &mut Opinion,
) {
    let shares: Vec<Arrival<'_>> =
        view.shares_in(windows).into_iter().filter(|share| share.job.is_some()).collect();
    let is_stale = |share: &&Arrival<'_>| {
        let life = view.lives.iter().find(|life| life.connection == share.facts.connection);
        let (Some(life), Some(job)) = (life, share.job) else { return false };
        let newer = life.jobs[place(life, job)..].iter().skip(1).find(|job| job.new_block && job.sound);
        newer.is_some_and(|newer| share.at.since(newer.at).0 > view.round_trip)
    };
    let stale: Vec<&Arrival<'_>> = shares.iter().filter(is_stale).collect();
    let part = stale.len() as f64 / shares.len().max(1) as f64;
    out.measured("stale shares", format!("{} of {} ({:.1} %)", stale.len(), shares.len(), 100.0 * part));
    let expected = format!("At most {:.1} % of the shares.", 100.0 * max);
    let by_chance = binomial_at_least(stale.len() as u64, shares.len() as u64, max);
    if part > max && by_chance < RATE_ALPHA {
        out.fail(
            format!("{} of {} were of an old block.", stale.len(), counted(shares.len(), "share")),
            expected,
            stale.iter().map(|share| share.index).collect(),
        );
    } else if part > max || shares.len() < min {
        out.inconclusive(
            format!(
                "{} of {} were of an old block: too few to tell.",
                stale.len(),
                counted(shares.len(), "share")
            ),
            expected,
        );
    }
}

pub(super) fn cadence(view: &View<'_>, windows: &Windows<'_>, slack: f64, out: &mut Opinion) {
    let factor = if view.context.claimed { CLAIM } else { MEASURE };
    let (mut gaps, mut total) = (0, 0.0);
    // Silences: expected shares in it, from, to, the record that ended it.
    let mut silences: Vec<(f64, Timestamp, Timestamp, Option<usize>)> = Vec::new();
    for life in &view.lives {
        for (from, to) in view.working(life, windows) {
            total += factor * view.expected(life, from, to);
            let mut last = from;
            let inside = view.shares.iter().filter(|share| {
                share.facts.connection == life.connection && share.at > from && share.at < to
            });
            for (at, index) in inside.map(|share| (share.at, Some(share.index))).chain([(to, None)]) {
                gaps += 1;
                let expected = factor * view.expected(life, last + Seconds(slack), at);
                silences.push((expected, last, at, index));
                last = at;
            }
        }
    }
    let bound = (f64::from(gaps.max(1)) / SILENCE_ALPHA).ln();
    let longest = silences.iter().map(|(_, from, to, _)| to.since(*from).0).fold(0.0, f64::max);
    out.measured("longest silence", span(longest));
    let expected = "Shares as often as the hashrate gives, whatever the pool answers and whenever.";
    silences.retain(|(shares, ..)| *shares > bound);
    silences.sort_by(|a, b| b.0.total_cmp(&a.0));
    if let Some((shares, from, to, _)) = silences.first() {
        out.fail(
            format!(
                "No share came for {}, where {:.0} were expected ({} in all).",
                span(to.since(*from).0),
                shares / factor,
                counted(silences.len(), "such silence")
            ),
            expected,
            silences.iter().filter_map(|(.., index)| *index).collect(),
        );
    } else if total < bound {
        out.inconclusive(
            format!(
                "Only {total:.0} shares were due in the window; a silence shows from {bound:.0} on, \
                 so it takes a longer window or a lower difficulty."
            ),
            expected,
        );
    }
}

pub(super) fn rate_below(view: &View<'_>, windows: &Windows<'_>, per_second: f64, out: &mut Opinion) {
    let shares: Vec<Arrival<'_>> = view.all_shares_in(windows).collect();
    let mut judge = |name: Option<String>, shares: Vec<&Arrival<'_>>, seconds: f64| {
        if seconds <= 0.0 {
            return;
        }
        let rate = shares.len() as f64 / seconds;
        let expected = format!("At most {per_second} shares a second.");
        if rate > per_second {
            let finding =
                format!("{} in {seconds:.1} s are {rate:.1} a second.", counted(shares.len(), "share"));
            if poisson_at_least(shares.len() as u64, per_second * seconds) < RATE_ALPHA {
                out.fail(finding, expected, shares.iter().map(|share| share.index).collect());
            } else {
                out.inconclusive(format!("{finding} Chance could do that; a longer window tells."), expected);
            }
            if let Some(trouble) = out.troubles.last_mut() {
                trouble.trial = name;
            }
        }
    };
    if view.trials.is_empty() {
        judge(None, shares.iter().collect(), windows.seconds());
    }
    let records = &view.log.records;
    for trial in &view.trials {
        let here = shares.iter().filter(|share| trial.records.contains(&share.index)).collect();
        let end = records.get(trial.records.end).map_or(view.ended, |record| record.at);
        judge(Some(trial.name.clone()), here, end.since(records[trial.records.start].at).0);
    }
}

pub(super) fn first_share(view: &View<'_>, windows: &Windows<'_>, within: Option<f64>, out: &mut Opinion) {
    let expected =
        within.map_or("A share.".to_owned(), |within| format!("A good share within {}.", span(within)));
    let mut connections = 0;
    let mut took = Vec::new();
    for (index, record) in view.log.records.iter().enumerate() {
        let (Fact::Opened(listener), Some(connection)) = (&record.fact, record.connection) else { continue };
        if !windows.hold(index, record.at) || matches!(listener, Listener::Decoy | Listener::BadTls) {
            continue;
        }
        connections += 1;
        let first = view.shares.iter().find(|share| {
            share.index > index && share.facts.connection == connection && share.is_as_described()
        });
        let lived = view
            .lives
            .iter()
            .find(|life| life.connection == connection)
            .map_or(0.0, |life| life.ended.since(record.at).0);
        match first {
            Some(share) => {
                let seconds = share.at.since(record.at).0;
                took.push(seconds);
                if within.is_some_and(|within| seconds > within) {
                    out.fail(
                        format!("The first share came {} after the connection.", span(seconds)),
                        expected.clone(),
                        vec![index, share.index],
                    );
                }
            }
            None if within.is_some_and(|within| lived > within) => out.fail(
                format!("No good share came in the {} of connection {}.", span(lived), connection.0),
                expected.clone(),
                vec![index],
            ),
            None => {}
        }
    }
    took.sort_by(f64::total_cmp);
    if let (Some(median), Some(most)) = (percentile(&took, 0.5), took.last()) {
        out.measured(
            "from connection to first share",
            format!("median {}, maximum {}", span(median), span(*most)),
        );
    } else if out.troubles.is_empty() {
        out.inconclusive(
            format!("{} came, none lived long enough for a share.", counted(connections, "new connection")),
            expected,
        );
    }
}

pub(super) fn latest_job(view: &View<'_>, windows: &Windows<'_>, within: f64, out: &mut Opinion) {
    let expected = format!("Shares of the newest job from {} after it.", span(within));
    let (mut right, mut late) = (0, Vec::new());
    for life in &view.lives {
        for (place, job) in life.jobs.iter().enumerate().filter(|(_, job)| job.sound) {
            let from = job.at + Seconds(within + view.round_trip);
            let to = life.jobs.get(place + 1).map_or(life.ended, |next| next.at);
            let in_window = |share: &&Arrival<'_>| {
                share.facts.connection == life.connection
                    && share.at > from
                    && share.at <= to
                    && windows.hold(share.index, share.at)
            };
            for share in view.shares.iter().filter(in_window) {
                if share.facts.job == Some(job.number) {
                    right += 1;
                } else {
                    late.push((share.index, share.at.since(job.at).0));
                }
            }
        }
    }
    if let Some((_, worst)) = late.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a }) {
        out.fail(
            format!(
                "{} of an older job came after the newest, the last one {} after it.",
                counted(late.len(), "share"),
                span(worst)
            ),
            expected,
            late.iter().map(|(index, _)| *index).collect(),
        );
    } else if right == 0 {
        out.inconclusive("No share came long enough after a job.", expected);
    }
}
