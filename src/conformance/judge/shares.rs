//! Judges of proofs: good shares, problems, explanations, headers.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{Arrival, View, Windows, counted};
use super::{ExplanationName, Opinion};
use crate::conformance::log::{Difference, Fact, Log};
use crate::conformance::share::{Explanation, Problem, ShareFacts, causes};
use crate::units::Seconds;

/// Nonces of one header.
const NONCES: f64 = 4_294_967_296.0;

const GOOD: &str = "Shares whose header, built from the job and the submit's own fields, meets the difficulty of the job, with every field in its form.";

/// Absent version bits waste nothing: the header is the job's own.
const HARMLESS: Problem = Problem::BitsMissing;

/// Shares with what is wrong with them, in words. A mistake that is proved over
/// the whole log explains each share that fits it.
fn wrongs(view: &View<'_>, shares: &[Arrival<'_>], ignore: &[Problem]) -> Vec<(String, Vec<usize>)> {
    let mut found = Vec::new();
    let mut by_mistake: BTreeMap<Explanation, Vec<usize>> = BTreeMap::new();
    let mut by_problem: BTreeMap<Problem, Vec<usize>> = BTreeMap::new();
    for share in shares {
        let mistake = view.mistake_of(share);
        if let Some(mistake) = mistake {
            by_mistake.entry(mistake).or_default().push(share.index);
        }
        for problem in share.facts.problems.iter().filter(|problem| !ignore.contains(problem)) {
            if *problem != Problem::Low || mistake.is_none() {
                by_problem.entry(*problem).or_default().push(share.index);
            }
        }
    }
    for (mistake, indices) in by_mistake {
        let count = counted(indices.len(), "share");
        found.push((format!("{count} without the proof described: the miner {mistake}"), indices));
    }
    for (problem, indices) in by_problem {
        let maybe = if problem == Problem::Low { perhaps(view, shares) } else { String::new() };
        found.push((format!("{} with {problem}{maybe}", counted(indices.len(), "share")), indices));
    }
    found
}

/// What may explain shares that nothing proves, where most of them fit it.
fn perhaps(view: &View<'_>, shares: &[Arrival<'_>]) -> String {
    let open: Vec<&ShareFacts> = shares
        .iter()
        .filter(|share| share.facts.problems.contains(&Problem::Low) && view.mistake_of(share).is_none())
        .map(|share| share.facts)
        .collect();
    match causes(&open).first() {
        Some(cause) if 2 * cause.shares.len() > open.len() => {
            format!("; perhaps the miner {}, which luck does not rule out", cause.explanation)
        }
        _ => String::new(),
    }
}

fn is_good(share: &Arrival<'_>, ignore: &[Problem]) -> bool {
    let ignored: Vec<Problem> = ignore.iter().copied().chain([HARMLESS]).collect();
    share.facts.is_good_but_for(&ignored)
}

pub(super) fn good(
    view: &View<'_>,
    windows: &Windows<'_>,
    min: usize,
    ignore: &[Problem],
    out: &mut Opinion,
) {
    let shares = view.shares_in(windows);
    let ignored: Vec<Problem> = ignore.iter().copied().chain([HARMLESS]).collect();
    let (fine, bad): (Vec<Arrival<'_>>, Vec<Arrival<'_>>) =
        shares.iter().partition(|share| is_good(share, ignore));
    out.measured("shares", format!("{} good of {}", fine.len(), shares.len()));
    let in_trial = |share: &Arrival<'_>| view.trial_of(share).map(|trial| trial.records.start);
    // One finding for each trial and kind of mistake.
    let mut groups: BTreeMap<Option<usize>, Vec<Arrival<'_>>> = BTreeMap::new();
    for share in bad {
        groups.entry(in_trial(&share)).or_default().push(share);
    }
    for (trial, group) in &groups {
        let name = view.trials.iter().find(|known| Some(known.records.start) == *trial);
        for (what, evidence) in wrongs(view, group, &ignored) {
            out.fail(format!("{what}."), GOOD, evidence);
            if let (Some(trouble), Some(trial)) = (out.troubles.last_mut(), name) {
                trouble.trial = Some(trial.name.clone());
            }
        }
    }
    // Trials that the windows reach, or the whole.
    let reached: Vec<_> = view
        .trials
        .iter()
        .filter(|trial| {
            windows.stretches.iter().any(|stretch| {
                stretch.records.start < trial.records.end && trial.records.start < stretch.records.end
            })
        })
        .collect();
    let few = |count: usize| match count {
        0 => format!("No good share came; it takes {min} to tell. None is wrong."),
        _ => format!("Only {} came; it takes {min} to tell. None is wrong.", counted(count, "good share")),
    };
    let per_trial = !reached.is_empty() && windows.of.is_none_or(|of| labels_in_trials(view, of));
    if per_trial {
        for trial in reached {
            let here = |share: &&Arrival<'_>| in_trial(share) == Some(trial.records.start);
            let (count, is_bad) =
                (fine.iter().filter(here).count(), groups.contains_key(&Some(trial.records.start)));
            if count < min && !is_bad {
                out.inconclusive(few(count), GOOD);
                if let Some(trouble) = out.troubles.last_mut() {
                    trouble.trial = Some(trial.name.clone());
                }
            }
        }
    } else if fine.len() < min && groups.is_empty() {
        out.inconclusive(few(fine.len()), GOOD);
    }
}

/// Whether jobs with this label were sent in trials.
fn labels_in_trials(view: &View<'_>, of: &str) -> bool {
    view.log.records.iter().enumerate().any(|(index, record)| match &record.fact {
        Fact::Job(job) => job.label.as_deref() == Some(of) && view.trial_at(index).is_some(),
        _ => false,
    })
}

fn enough(count: usize, min: usize, out: &mut Opinion, expected: &str) -> bool {
    if count < min {
        let came = match count {
            0 => "No share".to_owned(),
            _ => format!("Only {}", counted(count, "share")),
        };
        out.inconclusive(format!("{came} came that could show it; it takes {min}."), expected);
    }
    count >= min
}

pub(super) fn no_problem(
    view: &View<'_>,
    windows: &Windows<'_>,
    which: &[Problem],
    min: usize,
    out: &mut Opinion,
) {
    let shares = view.shares_in(windows);
    let mut found = false;
    for problem in which {
        let having: Vec<&Arrival<'_>> =
            shares.iter().filter(|share| share.facts.problems.contains(problem)).collect();
        if let Some(first) = having.first() {
            found = true;
            out.fail(
                format!("{} of {} with {problem}{}.", having.len(), shares.len(), detail(*problem, first)),
                format!("No share with {problem}."),
                having.iter().map(|share| share.index).collect(),
            );
        }
    }
    if !found {
        enough(shares.len(), min, out, "Shares without these problems.");
    }
}

/// The numbers behind a problem of one share.
fn detail(problem: Problem, share: &Arrival<'_>) -> String {
    let facts = share.facts;
    match (problem, share.job) {
        (Problem::UnknownJob, _) => format!(": the first names {:?}", shortened(&facts.job_id)),
        (Problem::Extranonce2Length, Some(job)) => format!(
            ": the first has {} digits, {} were asked for",
            facts.extranonce2.len(),
            2 * job.extranonce2_bytes
        ),
        (Problem::NtimeTooEarly | Problem::NtimeTooLate, Some(job)) => format!(
            ": the first is {:+} s from the job's, {:.0} s after it was sent",
            i64::from(facts.ntime.unwrap_or(0)) - i64::from(job.ntime),
            share.at.since(job.at).0
        ),
        (Problem::BitsOutsideMask | Problem::BitsNotGranted, _) => format!(
            ": the first has {:08x} where the mask is {:08x}",
            facts.version_bits.unwrap_or(0),
            facts.mask
        ),
        (Problem::Low, _) => match (facts.reached, facts.asked) {
            (Some(reached), Some(asked)) => {
                format!(": the first reaches {:.3e} of {:.6} asked for", reached.get(), asked.get())
            }
            _ => String::new(),
        },
        _ => String::new(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

pub(super) fn not_explained(
    view: &View<'_>,
    windows: &Windows<'_>,
    which: &[ExplanationName],
    min: usize,
    out: &mut Opinion,
) {
    let shares = view.shares_in(windows);
    let facts: Vec<&ShareFacts> = shares.iter().map(|share| share.facts).collect();
    let expected = "Shares whose proof is that of the header they describe.";
    let mut found = false;
    for cause in causes(&facts) {
        if !which.iter().any(|name| name.0 == cause.explanation.name()) {
            continue;
        }
        found = true;
        let share = counted(cause.shares.len(), "share");
        let evidence: Vec<usize> = cause.shares.iter().map(|at| shares[*at].index).collect();
        if cause.certain {
            let finding = format!("{share} of {} show that the miner {}.", shares.len(), cause.explanation);
            out.fail(finding, expected, evidence);
        } else {
            out.inconclusive(
                format!(
                    "{share} would fit a miner that {}, but luck could explain as many; more shares would tell.",
                    cause.explanation
                ),
                expected,
            );
        }
    }
    if !found {
        enough(shares.len(), min, out, expected);
    }
}

pub(super) fn none(view: &View<'_>, windows: &Windows<'_>, out: &mut Opinion) {
    let shares: Vec<Arrival<'_>> = view.all_shares_in(windows).collect();
    if let Some(last) = shares.last() {
        let since = windows.stretches.iter().rev().find(|stretch| stretch.records.contains(&last.index));
        let late = since.map_or(0.0, |stretch| last.at.since(stretch.mark).0);
        out.fail(
            format!(
                "{} came although none was due, the last one {late:.1} s into the window.",
                counted(shares.len(), "share")
            ),
            "No share.",
            shares.iter().map(|share| share.index).collect(),
        );
    }
}

pub(super) fn some(view: &View<'_>, windows: &Windows<'_>, min: usize, out: &mut Opinion) {
    let shares = view.shares_in(windows);
    let count = shares.iter().filter(|share| is_good(share, &[])).count();
    out.measured("good shares", count.to_string());
    if count < min {
        out.fail(
            format!(
                "{} came in {:.0} s ({} in all).",
                match count {
                    0 => "No good share".to_owned(),
                    _ => format!("Only {}", counted(count, "good share")),
                },
                windows.seconds(),
                shares.len()
            ),
            format!("At least {}.", counted(min, "good share")),
            shares.iter().map(|share| share.index).collect(),
        );
    }
}

pub(super) fn no_duplicates(view: &View<'_>, windows: &Windows<'_>, out: &mut Opinion) {
    let shares = view.shares_in(windows);
    let again: Vec<&Arrival<'_>> =
        shares.iter().filter(|share| share.facts.problems.contains(&Problem::Duplicate)).collect();
    let expected = "Each header of 80 bytes at most once.";
    if let Some(first) = again.first() {
        let original = view.shares.iter().find(|share| share.facts.hash == first.facts.hash);
        let mut evidence: Vec<usize> = original.map(|share| share.index).into_iter().collect();
        evidence.extend(again.iter().map(|share| share.index));
        out.fail(
            format!("{} of {} repeat a header that was sent before.", again.len(), shares.len()),
            expected,
            evidence,
        );
    } else {
        enough(shares.len(), 2, out, expected);
    }
}

/// How many nonce ranges a job lasted, how many values were seen, and how many
/// should have been.
///
/// A miner that goes through `k` ranges one after the other shows, in `n`
/// shares, `k (1 - (1 - 1/k)^n)` of them on average. Half of that is allowed
/// to be missing: more is not chance when ten are expected.
pub(super) fn moving(view: &View<'_>, windows: &Windows<'_>, out: &mut Opinion) {
    no_duplicates(view, windows, out);
    let expected = "Another extranonce2, version bits or ntime before the nonces of a header run out.";
    let mut by_job: BTreeMap<_, Vec<Arrival<'_>>> = BTreeMap::new();
    for share in view.shares_in(windows).into_iter().filter(Arrival::is_as_described) {
        if let Some(job) = share.job {
            by_job.entry(job.number).or_default().push(share);
        }
    }
    let mut longest: f64 = 0.0;
    for shares in by_job.values() {
        let (Some(last), Some(job)) = (shares.last(), shares[0].job) else { continue };
        let hashes = view.context.hashrate.hashes_per_second() * last.at.since(job.at).0;
        let ranges = hashes / NONCES;
        longest = longest.max(ranges);
        let values: BTreeSet<_> = shares
            .iter()
            .map(|share| (&share.facts.extranonce2, share.facts.version_bits, share.facts.ntime))
            .collect();
        let due = ranges * (1.0 - (1.0 - 1.0 / ranges.max(1.0)).powi(shares.len() as i32));
        out.measured(
            "values of extranonce2, version bits and ntime",
            format!("{} in {} of one job", values.len(), counted(shares.len(), "share")),
        );
        if due >= 10.0 && (values.len() as f64) < due / 2.0 {
            out.fail(
                format!(
                    "{} of one job have only {} of extranonce2, version bits and ntime, in {ranges:.0} nonce ranges.",
                    counted(shares.len(), "share"),
                    counted(values.len(), "combination")
                ),
                expected,
                shares.iter().map(|share| share.index).collect(),
            );
        }
    }
    if longest < 2.0 && !by_job.is_empty() {
        out.note(
            format!("At this hashrate one job took {longest:.2} nonce ranges, so nothing had to move."),
            expected,
        );
    }
}

/// Version bits against the mask of each moment. With a mark the window says
/// from when on; without one, each change gives the same grace.
pub(super) fn bits_within(
    view: &View<'_>,
    windows: &Windows<'_>,
    marked: bool,
    grace: Seconds,
    out: &mut Opinion,
) {
    let settled = |share: &Arrival<'_>| {
        marked || last_mask_change(view.log, share).is_none_or(|since| since > grace.0 + view.round_trip)
    };
    let shares: Vec<Arrival<'_>> =
        view.shares_in(windows).into_iter().filter(|share| settled(share)).collect();
    let outside: Vec<&Arrival<'_>> = shares
        .iter()
        .filter(|share| {
            let outside = [Problem::BitsOutsideMask, Problem::BitsNotGranted];
            share.facts.problems.iter().any(|problem| outside.contains(problem))
        })
        .collect();
    let expected = "Version bits within the mask that is in force.";
    if let (Some(first), Some(last)) = (outside.first(), outside.last()) {
        let late = last_mask_change(view.log, last).unwrap_or(0.0);
        out.fail(
            format!(
                "{} of {} have version bits outside the mask ({:08x} where {:08x} are granted), the last one {late:.1} s after the change.",
                outside.len(),
                counted(shares.len(), "share"),
                first.facts.version_bits.unwrap_or(0),
                first.facts.mask
            ),
            expected,
            outside.iter().map(|share| share.index).collect(),
        );
    } else {
        enough(shares.len(), 1, out, expected);
    }
}

/// Seconds since the mask last changed on the share's connection.
fn last_mask_change(log: &Log, share: &Arrival<'_>) -> Option<f64> {
    let earlier = log.records[..share.index].iter().rev();
    let mut changes = earlier.filter(|record| {
        record.connection == Some(share.facts.connection)
            && matches!(record.fact, Fact::Changed(Difference::Mask(_)))
    });
    changes.next().map(|record| share.at.since(record.at).0)
}

/// Whether any share of these is wrong, with its words: for the judges of sweeps.
pub(super) fn wrong_ones(
    view: &View<'_>,
    shares: &[Arrival<'_>],
    ignore: &[Problem],
) -> Vec<(String, Vec<usize>)> {
    let ignored: Vec<Problem> = ignore.iter().copied().chain([HARMLESS]).collect();
    let bad: Vec<Arrival<'_>> = shares.iter().copied().filter(|share| !is_good(share, ignore)).collect();
    let mut found = wrongs(view, &bad, &ignored);
    if found.is_empty() && !bad.is_empty() {
        // Not even readable enough to have a problem of another name.
        let what = format!("{} that carry no proof", counted(bad.len(), "share"));
        found.push((what, bad.iter().map(|share| share.index).collect()));
    }
    found
}

/// Shares that are good.
pub(super) fn good_ones(shares: &[Arrival<'_>], ignore: &[Problem]) -> usize {
    shares.iter().filter(|share| is_good(share, ignore)).count()
}
