//! Real proofs for shares that are right, wrong in one way, or close to the target.

use std::sync::Arc;

use crate::miner::{Lane, MinerJob, Search, Share};
use crate::units::{Difficulty, Target};

/// Work to be searched: hashes not above the job's target, and above `above`.
#[derive(Debug)]
pub struct Sought {
    search: Search,
    /// Hashes that meet this one are too good.
    above: Option<Target>,
    /// The job as the pool gave it, where the search is on an altered one.
    real: Option<Arc<MinerJob>>,
    /// Version bits to send with what is found.
    version_bits: Option<Option<u32>>,
    expected: f64,
    /// Hashes left.
    left: u64,
}

/// How much longer than expected a search goes on: it fails by chance less than
/// once in a hundred million.
const PATIENCE: f64 = 20.0;

impl Sought {
    /// What `search` finds at once: nearly every header will do.
    pub(super) fn any(search: Search) -> Self {
        Self { search, above: None, real: None, version_bits: None, expected: 1.0, left: left(1e4) }
    }

    /// What `search` finds.
    pub(super) fn of(search: Search) -> Self {
        let expected = search.job().target.difficulty().expected_hashes().max(1.0);
        Self { search, above: None, real: None, version_bits: None, expected, left: left(expected) }
    }

    /// A good share of `job`, from `start` on.
    pub(super) fn good(job: &Arc<MinerJob>, start: Start) -> Self {
        Self::of(start.search(Arc::clone(job)))
    }

    /// A share that reaches at least `low` and less than `high`, whatever the job's difficulty.
    pub(super) fn between(job: &Arc<MinerJob>, low: Difficulty, high: Difficulty, start: Start) -> Self {
        let mut easier = (**job).clone();
        easier.target = low.target();
        let above = Some(high.target());
        let share_of = 1.0 - low.get() / high.get();
        let expected = (low.expected_hashes() / share_of).max(1.0);
        let search = start.search(Arc::new(easier));
        let real = Some(Arc::clone(job));
        Self { search, above, real, version_bits: None, expected, left: left(expected) }
    }

    /// A share whose header has this version, sent with these version bits.
    pub(super) fn with_version(job: &Arc<MinerJob>, version: u32, bits: Option<u32>, start: Start) -> Self {
        let mut altered = (**job).clone();
        altered.notice.version = version;
        let search = start.search(Arc::new(altered));
        let real = Some(Arc::clone(job));
        Self { real, version_bits: Some(bits), ..Self::of(search) }
    }

    /// A share whose header has this ntime.
    pub(super) fn with_ntime(job: &Arc<MinerJob>, ntime: u32, start: Start) -> Self {
        let mut altered = (**job).clone();
        altered.notice.ntime = ntime;
        let search = start.search(Arc::new(altered));
        Self { real: Some(Arc::clone(job)), ..Self::of(search) }
    }

    /// A share of a job with another length of extranonce2.
    pub(super) fn with_length(job: &Arc<MinerJob>, extranonce2_bytes: usize, start: Start) -> Self {
        let mut altered = (**job).clone();
        altered.extranonce.extranonce2_bytes = extranonce2_bytes;
        let search = start.search(Arc::new(altered));
        Self { real: Some(Arc::clone(job)), ..Self::of(search) }
    }

    /// Hashes it takes on average.
    #[must_use]
    pub fn expected_hashes(&self) -> f64 {
        self.expected
    }

    /// Tries up to `budget` headers. `None` and not [`Self::is_over`]: go on.
    pub fn run(&mut self, budget: u64) -> Option<Share> {
        let budget = budget.min(self.left);
        let end = self.search.hashes() + budget;
        let mut found = None;
        while self.search.hashes() < end {
            let Some(share) = self.search.run(end - self.search.hashes()) else { break };
            if !self.above.is_some_and(|above| above.is_met_by(&share.hash)) {
                found = Some(share);
                break;
            }
        }
        self.left -= budget;
        found.map(|share| self.finish(share))
    }

    /// Whether it was given up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Hashes computed so far.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.search.hashes()
    }

    fn finish(&self, share: Share) -> Share {
        let job = self.real.as_ref().map_or_else(|| Arc::clone(&share.job), Arc::clone);
        let version_bits = self.version_bits.unwrap_or(share.version_bits);
        Share { job, version_bits, ..share }
    }
}

fn left(expected: f64) -> u64 {
    (expected * PATIENCE).min(1e18) as u64
}

/// Slices that the nonces are divided into.
pub(super) const SLICES: u32 = 4_096;

/// Where a search goes: through one slice of the nonces, over extranonce2 from
/// a value on. Searches in different slices never try the same header, however
/// long they take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub slice: u32,
    pub extranonce2: u64,
}

impl Start {
    fn search(self, job: Arc<MinerJob>) -> Search {
        Search::new(job, None, Lane { index: self.slice, of: SLICES }, self.extranonce2)
    }
}
