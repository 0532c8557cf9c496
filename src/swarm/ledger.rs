//! What all miners of a fleet found out together.
//!
//! Miners write here on every verdict. Figures that each verdict touches are
//! split over shards so that miners on different cores do not wait for each
//! other; the rare ones have one place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;

use super::tips::{TipReport, Tips};
use crate::hash::Hash;
use crate::miner::{Fault, Judgement, reason};
use crate::stratum::v1::WireError;
use crate::units::{Seconds, Timestamp};

/// Shards; miners take them in turn.
const SHARDS: usize = 16;

/// Examples of contradictions that are kept with their lines.
const EXAMPLES_MAX: usize = 20;

/// The longest time that is told apart: ten minutes in microseconds.
const LONGEST_US: u64 = 600_000_000;

/// An empty histogram of times, within 1 %.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).expect("bounds in order")
}

/// Counts a time.
pub(super) fn record(histogram: &mut Histogram<u64>, time: Seconds) {
    histogram.saturating_record((time.0 * 1e6) as u64);
}

/// A distribution of times in short.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Percentiles {
    /// How many there were.
    pub count: u64,
    /// Half are not above this.
    pub p50: Seconds,
    /// 99 % are not above this.
    pub p99: Seconds,
    /// None is above this.
    pub max: Seconds,
}

impl Percentiles {
    /// `None` when nothing was counted.
    pub(super) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let seconds = |micros: u64| Seconds(micros as f64 / 1e6);
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            p50: seconds(histogram.value_at_quantile(0.5)),
            p99: seconds(histogram.value_at_quantile(0.99)),
            max: seconds(histogram.max()),
        })
    }
}

impl std::fmt::Display for Percentiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Seconds| time.0 * 1e3;
        write!(f, "p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms", ms(self.p50), ms(self.p99), ms(self.max))
    }
}

/// Times and reasons of one shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// From sending a share to its verdict.
    pub latency: Histogram<u64>,
    /// How late shares left because their search took longer than planned.
    pub lag: Histogram<u64>,
    /// From dialling to being authorized.
    pub handshake: Histogram<u64>,
    /// Rejected shares by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl Default for Shard {
    fn default() -> Self {
        let (latency, lag, handshake) = (histogram(), histogram(), histogram());
        Self { latency, lag, handshake, rejected: BTreeMap::new() }
    }
}

/// Shares sent with one deliberate fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct FaultCount {
    /// Answered by the pool.
    pub answered: u64,
    /// Of them, rightly refused.
    pub refused: u64,
}

/// A verdict that contradicts what the miner knows, with the lines to show for it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Example {
    /// What is wrong with the verdict.
    pub what: String,
    /// The share as submitted.
    pub submit: String,
    /// The pool's answer.
    pub answer: String,
}

/// Verdicts against what the miners know.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Contradictions {
    /// Bad shares that were accepted, by fault.
    pub false_accepts: BTreeMap<&'static str, u64>,
    /// Good shares that were rejected, by reason.
    pub false_rejects: BTreeMap<String, u64>,
    /// Bad shares that were rejected for a reason that does not apply, as `fault: reason`.
    pub wrong_reasons: BTreeMap<String, u64>,
    /// Verdicts nobody can judge: pool and miner could not know the same.
    pub races: u64,
    /// Deliberate faults, by name.
    pub faults: BTreeMap<&'static str, FaultCount>,
    /// The first contradictions with their lines.
    pub examples: Vec<Example>,
}

impl Contradictions {
    /// All contradictions together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        self.false_accepts.values().sum::<u64>() + sum(&self.false_rejects) + sum(&self.wrong_reasons)
    }
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    shards: [Mutex<Shard>; SHARDS],
    tips: Mutex<Tips>,
    contradictions: Mutex<Contradictions>,
    last_trouble: Mutex<String>,
    /// Shares sent.
    pub sent: AtomicU64,
    /// Shares answered.
    pub answered: AtomicU64,
    /// Shares that got no answer before their connection ended.
    pub unanswered: AtomicU64,
    /// Verdicts that wait for a new tip to explain them.
    pub undecided: AtomicU64,
    /// Connections made.
    pub opened: AtomicU64,
    /// Connections that could not be made.
    pub failed: AtomicU64,
    /// Connections that ended before the run did.
    pub lost: AtomicU64,
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// Reads a counter.
pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// The shard of a miner.
    pub fn shard(&self, miner: usize) -> MutexGuard<'_, Shard> {
        lock(&self.shards[miner % SHARDS])
    }

    /// A miner heard of a new tip.
    pub fn tip(&self, prev_hash: &Hash, at: Timestamp) {
        lock(&self.tips).heard(prev_hash, at);
    }

    /// A connection could not be made, or broke.
    pub fn trouble(&self, what: String) {
        *lock(&self.last_trouble) = what;
    }

    /// What broke last.
    pub fn last_trouble(&self) -> String {
        lock(&self.last_trouble).clone()
    }

    /// Shares on the way.
    pub fn in_flight(&self) -> u64 {
        read(&self.sent).saturating_sub(read(&self.answered) + read(&self.unanswered))
    }

    /// Enters a judgement; `lines` are the share and its answer.
    pub fn judged(
        &self,
        flaw: Option<Fault>,
        judgement: &Judgement,
        lines: impl FnOnce() -> (String, String),
    ) {
        let mut all = match (flaw, judgement) {
            (None, Judgement::Right) | (_, Judgement::Undecided) => return,
            _ => lock(&self.contradictions),
        };
        if let Some(fault) = flaw {
            let count = all.faults.entry(fault.name()).or_default();
            count.answered += 1;
            count.refused += u64::from(*judgement == Judgement::Right);
        }
        let what = match judgement {
            Judgement::Right | Judgement::Undecided => return,
            Judgement::Race => {
                all.races += 1;
                return;
            }
            Judgement::FalseAccept(fault) => {
                *all.false_accepts.entry(fault.name()).or_default() += 1;
                format!("accepted in spite of {}", fault.name())
            }
            Judgement::FalseReject(error) => {
                *all.false_rejects.entry(name(error)).or_default() += 1;
                format!("a good share, rejected: {error}")
            }
            Judgement::WrongReason(fault, error) => {
                let key = format!("{}: {}", fault.name(), reason::name(error));
                *all.wrong_reasons.entry(key).or_default() += 1;
                format!("{}, rejected as something else: {error}", fault.name())
            }
        };
        if all.examples.len() < EXAMPLES_MAX {
            let (submit, answer) = lines();
            all.examples.push(Example { what, submit, answer });
        }
    }

    /// All shards in one.
    pub fn total(&self) -> Shard {
        let mut total = Shard::default();
        for shard in &self.shards {
            let shard = lock(shard);
            // Same bounds, so adding cannot fail.
            let _ = total.latency.add(&shard.latency);
            let _ = total.lag.add(&shard.lag);
            let _ = total.handshake.add(&shard.handshake);
            for (reason, count) in &shard.rejected {
                *total.rejected.entry(reason.clone()).or_default() += count;
            }
        }
        total
    }

    pub fn tips(&self) -> TipReport {
        lock(&self.tips).report()
    }

    pub fn contradictions(&self) -> Contradictions {
        lock(&self.contradictions).clone()
    }
}

/// What a reject is counted under.
pub(super) fn name(error: &WireError) -> String {
    reason::name(error).into_owned()
}
