//! The log as judges read it: shares with their jobs, trials, windows between marks.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Context, Window};
use crate::conformance::log::{Connection, Fact, JobNumber, JobRecord, Log};
use crate::conformance::share::{Explanation, ShareFacts, causes};
use crate::units::{Seconds, Timestamp};

/// A share, when and where it came, and its job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'l> {
    /// Its record.
    pub index: usize,
    pub at: Timestamp,
    pub facts: &'l ShareFacts,
    /// The job it names.
    pub job: Option<&'l JobRecord>,
    /// The record of that job.
    pub job_index: Option<usize>,
}

impl Arrival<'_> {
    /// Whether it can be judged: its job holds no nonsense.
    pub fn counts(&self) -> bool {
        self.job.is_none_or(|job| job.sound)
    }

    /// Whether it carries the proof of what it describes.
    pub fn is_as_described(&self) -> bool {
        self.facts.explanation == Some(Explanation::AsDescribed)
    }
}

/// One run of a sweep; of sweeps within sweeps, the innermost.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trial {
    /// `size = 8`, outer ones first.
    pub name: String,
    /// What varies, and its value.
    pub values: Vec<(String, String)>,
    /// Its records.
    pub records: Range<usize>,
}

/// A part of the log, from a mark on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stretch {
    /// Its records; the mark is the first.
    pub records: Range<usize>,
    /// From when on things count: the mark, a round trip and the grace.
    pub begins: Timestamp,
    /// When it ends.
    pub ends: Timestamp,
    /// When the mark was.
    pub mark: Timestamp,
}

/// The stretches that are judged, in order, and the label of jobs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Windows<'w> {
    pub stretches: Vec<Stretch>,
    pub of: Option<&'w str>,
}

impl Windows<'_> {
    /// Whether a record at this time is judged.
    pub fn hold(&self, index: usize, at: Timestamp) -> bool {
        self.stretches.iter().any(|stretch| stretch.records.contains(&index) && at >= stretch.begins)
    }

    /// Seconds that are judged.
    pub fn seconds(&self) -> f64 {
        self.stretches.iter().map(|stretch| stretch.ends.since(stretch.begins).0).sum()
    }
}

/// A connection, as far as the log shows it.
#[derive(Debug, Clone)]
pub(super) struct Life<'l> {
    pub connection: Connection,
    /// Its jobs, oldest first.
    pub jobs: Vec<&'l JobRecord>,
    /// When it ended, or the log.
    pub ended: Timestamp,
}

/// What judges read.
#[derive(Debug)]
pub(super) struct View<'l> {
    pub log: &'l Log,
    pub context: &'l Context,
    /// Seconds from the pool to the miner and back, at least; 0 when unknown.
    pub round_trip: f64,
    pub shares: Vec<Arrival<'l>>,
    pub trials: Vec<Trial>,
    pub lives: Vec<Life<'l>>,
    /// When the log ends.
    pub ended: Timestamp,
    /// Mistakes that all shares together prove, by the record of each share.
    mistakes: BTreeMap<usize, Explanation>,
}

impl<'l> View<'l> {
    pub fn of(log: &'l Log, context: &'l Context) -> Self {
        let mut round_trip = f64::INFINITY;
        let mut jobs: BTreeMap<JobNumber, (usize, &JobRecord)> = BTreeMap::new();
        let mut shares = Vec::new();
        let ended = log.records.last().map_or(Timestamp::default(), |record| record.at);
        let mut lives: BTreeMap<Connection, Life<'_>> = BTreeMap::new();
        for (index, record) in log.records.iter().enumerate() {
            if let Some(connection) = record.connection {
                let life =
                    lives.entry(connection).or_insert_with(|| Life { connection, jobs: Vec::new(), ended });
                match &record.fact {
                    Fact::Job(job) => life.jobs.push(job),
                    Fact::Closed(_) => life.ended = life.ended.min(record.at),
                    _ => {}
                }
            }
            match &record.fact {
                Fact::RoundTrip(seconds) => round_trip = round_trip.min(*seconds),
                Fact::Job(job) => {
                    jobs.insert(job.number, (index, job));
                }
                Fact::Share(facts) => {
                    let job = facts.job.and_then(|number| jobs.get(&number));
                    shares.push(Arrival {
                        index,
                        at: record.at,
                        facts,
                        job: job.map(|(_, job)| *job),
                        job_index: job.map(|(index, _)| *index),
                    });
                }
                _ => {}
            }
        }
        let mistakes = mistakes(&shares);
        Self {
            log,
            context,
            mistakes,
            round_trip: if round_trip.is_finite() { round_trip.max(0.0) } else { 0.0 },
            shares,
            trials: trials(log),
            lives: lives.into_values().collect(),
            ended,
        }
    }

    /// The mistake behind a share without proof, where luck is out of the question.
    pub fn mistake_of(&self, share: &Arrival<'_>) -> Option<Explanation> {
        self.mistakes.get(&share.index).copied()
    }

    /// The trial that a record belongs to.
    pub fn trial_at(&self, index: usize) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.records.contains(&index))
    }

    /// The trial that a share belongs to: that of its job, if that was sent in one.
    pub fn trial_of(&self, share: &Arrival<'_>) -> Option<&Trial> {
        share.job_index.and_then(|index| self.trial_at(index)).or_else(|| self.trial_at(share.index))
    }

    fn marks<'s>(&'s self, name: &'s str) -> impl Iterator<Item = usize> + 's {
        (0..self.log.records.len())
            .filter(move |&index| matches!(&self.log.records[index].fact, Fact::Mark(mark) if mark == name))
    }

    /// The mark that the window begins with, when it never came.
    pub fn missing_mark<'w>(&self, window: &'w Window) -> Option<&'w str> {
        let after = window.after.as_deref()?;
        self.marks(after).next().is_none().then_some(after)
    }

    /// The window's stretches: from each time the first mark came to the next
    /// time the second one did, or the first again, or the trial ended that the
    /// mark is in.
    pub fn windows<'w>(&self, window: &'w Window, grace: Seconds) -> Windows<'w> {
        let records = &self.log.records;
        let end_of_log = records.len();
        let before = window.before.as_deref();
        let next_before = |from: usize| {
            before.and_then(|mark| self.marks(mark).find(|index| *index > from)).unwrap_or(end_of_log)
        };
        let time = |index: usize| records.get(index).map_or(self.ended, |record| record.at);
        let stretches = match window.after.as_deref() {
            None => {
                let begins = time(0);
                let to = match before {
                    Some(mark) => self.marks(mark).next().unwrap_or(end_of_log),
                    None => end_of_log,
                };
                vec![Stretch { records: 0..to, begins, ends: time(to), mark: begins }]
            }
            Some(after) => {
                let grace = window.grace.map_or(grace, |span| span.0);
                let starts: Vec<usize> = self.marks(after).collect();
                let stretch = |(nth, &from): (usize, &usize)| {
                    let again = starts.get(nth + 1).copied().unwrap_or(end_of_log);
                    let trial_ends = self.trial_at(from).map_or(end_of_log, |trial| trial.records.end);
                    let to = next_before(from).min(again).min(trial_ends);
                    let mark = time(from);
                    let begins = mark + Seconds(grace.0 + self.round_trip);
                    Stretch { records: from..to, begins, ends: time(to).max(begins), mark }
                };
                starts.iter().enumerate().map(stretch).collect()
            }
        };
        Windows { stretches, of: window.of.as_deref() }
    }

    /// The shares in the windows that can be judged, oldest first.
    pub fn shares_in(&self, windows: &Windows<'_>) -> Vec<Arrival<'l>> {
        self.all_shares_in(windows).filter(Arrival::counts).collect()
    }

    /// The same, and those of jobs with nonsense in them.
    pub fn all_shares_in<'s>(&'s self, windows: &'s Windows<'_>) -> impl Iterator<Item = Arrival<'l>> + 's {
        self.shares.iter().copied().filter(move |share| {
            let label = share.job.and_then(|job| job.label.as_deref());
            windows.hold(share.index, share.at) && (windows.of.is_none() || label == windows.of)
        })
    }

    /// Shares expected on a connection between two times, at the context's hashrate.
    pub fn expected(&self, life: &Life<'_>, from: Timestamp, to: Timestamp) -> f64 {
        let first = life.jobs.partition_point(|job| job.at <= from).saturating_sub(1);
        let mut sum = 0.0;
        for (nth, job) in life.jobs.iter().enumerate().skip(first) {
            let begins = job.at.max(from);
            let ends = life.jobs.get(nth + 1).map_or(to, |next| next.at.min(to));
            if begins >= to {
                break;
            }
            if job.sound {
                sum += ends.since(begins).0 / job.difficulty.share_interval(self.context.hashrate).0;
            }
        }
        sum
    }

    /// Times on a connection when there was work, within the windows.
    pub fn working(&self, life: &Life<'_>, windows: &Windows<'_>) -> Vec<(Timestamp, Timestamp)> {
        let Some(first) = life.jobs.iter().find(|job| job.sound) else { return Vec::new() };
        let span = |stretch: &Stretch| {
            let (from, to) = (stretch.begins.max(first.at), stretch.ends.min(life.ended));
            (from < to).then_some((from, to))
        };
        windows.stretches.iter().filter_map(span).collect()
    }
}

fn mistakes(shares: &[Arrival<'_>]) -> BTreeMap<usize, Explanation> {
    let shares: Vec<&Arrival<'_>> = shares.iter().filter(|share| share.counts()).collect();
    let facts: Vec<&ShareFacts> = shares.iter().map(|share| share.facts).collect();
    let mut found = BTreeMap::new();
    for cause in causes(&facts).into_iter().filter(|cause| cause.certain) {
        for at in cause.shares {
            // Its own number, unless the usual one fits as well.
            let fits = || facts[at].evidence.fits.iter().map(|fit| fit.explanation);
            let own = fits()
                .find(|own| *own == cause.explanation)
                .or_else(|| fits().find(|own| own.name() == cause.explanation.name()));
            found.insert(shares[at].index, own.unwrap_or(cause.explanation));
        }
    }
    found
}

/// The innermost trials.
fn trials(log: &Log) -> Vec<Trial> {
    let mut open: Vec<(usize, String, String, bool)> = Vec::new();
    let mut found = Vec::new();
    let close = |open: &mut Vec<(usize, String, String, bool)>, at: usize, found: &mut Vec<Trial>| {
        let values: Vec<(String, String)> =
            open.iter().map(|(_, name, value, _)| (name.clone(), value.clone())).collect();
        if let Some((begun, _, _, innermost)) = open.pop()
            && innermost
        {
            let name =
                values.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
            found.push(Trial { name, values, records: begun..at });
        }
    };
    for (index, record) in log.records.iter().enumerate() {
        match &record.fact {
            Fact::Trial(name, value) => {
                if let Some((.., innermost)) = open.last_mut() {
                    *innermost = false;
                }
                open.push((index, name.clone(), value.clone(), true));
            }
            Fact::TrialEnd => close(&mut open, index + 1, &mut found),
            _ => {}
        }
    }
    while !open.is_empty() {
        close(&mut open, log.records.len(), &mut found);
    }
    found
}

/// A count with its noun: `1 share`, `3 shares`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ if noun.ends_with("ch") => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// Seconds as people read them.
pub(super) fn span(seconds: f64) -> String {
    if seconds < 0.0005 {
        "0 ms".to_owned()
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.0} s")
    }
}
