//! Which headers to try: all of a worker's part of a job, none of them twice.
//!
//! A header differs from the next in nonce, extranonce2, version bits or ntime.
//! The walk takes a slice of nonces, then the next extranonce2 and the next
//! version bits together, so that both keep moving even on a slow CPU:
//!
//! ```text
//! k = q·E + r = 0, 1, 2, …, V·E - 1     E = 256^extranonce2_bytes, V = 2^(bits of the mask)
//! extranonce2 = first + r   mod E
//! version     = q + r       mod V       (each pair once: r is extranonce2, and for one r
//!                                        every q is another version)
//! ```
//!
//! When all pairs are used the next slice of nonces follows, and after the last
//! slice ntime plus one. Workers divide the slices among them, not extranonce2:
//! that works even where the pool leaves one byte of it, or none.

use std::sync::Arc;

use super::faults::Fault;
use super::job::MinerJob;
use super::share::Share;
use crate::event::Extranonce2;
use crate::hash::{HeaderScan, sha256d_header};

/// Nonces between two changes of extranonce2 and version: a fraction of a second
/// on one CPU core, and a hundred thousand times the cost of the change.
const SLICE: u32 = 1 << 20;

/// Slices in the nonces of one header.
const SLICES: u32 = 1 << 12;

/// One of several workers that divide a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Which of them, from 0.
    pub index: u32,
    /// How many there are, 1 to 4,096.
    pub of: u32,
}

impl Lane {
    /// The only worker.
    pub const ONLY: Lane = Lane { index: 0, of: 1 };
}

/// A walk over one worker's headers of one job.
#[derive(Debug)]
pub struct Search {
    job: Arc<MinerJob>,
    lane: Lane,
    version_mask: Option<u32>,
    extranonce2_bytes: usize,
    /// Set when the shares to find are to be wrong in this way.
    fault: Option<Fault>,
    extranonce2_first: u64,
    /// `k` above.
    step: u128,
    slice: u32,
    ntime: u32,
    /// Nonces of the slice that are used.
    used: u32,
    extranonce2: Extranonce2,
    version_bits: u32,
    scan: HeaderScan,
    hashes: u64,
}

impl Search {
    /// A search of `job` with the version bits of `version_mask`, if granted.
    ///
    /// `extranonce2_first` is where the walk enters the extranonce2 values.
    #[must_use]
    pub fn new(job: Arc<MinerJob>, version_mask: Option<u32>, lane: Lane, extranonce2_first: u64) -> Self {
        let (bytes, ntime) = (job.extranonce.extranonce2_bytes, job.notice.ntime);
        Self::on_terms(job, version_mask, lane, extranonce2_first, bytes, ntime, None)
    }

    /// A search on other terms than the job's, for a share with a fault.
    pub(super) fn on_terms(
        job: Arc<MinerJob>,
        version_mask: Option<u32>,
        lane: Lane,
        extranonce2_first: u64,
        extranonce2_bytes: usize,
        ntime: u32,
        fault: Option<Fault>,
    ) -> Self {
        let mut search = Self {
            scan: HeaderScan::new(&[0; 80]),
            job,
            lane,
            version_mask,
            extranonce2_bytes: extranonce2_bytes.min(Extranonce2::BYTES_MAX),
            fault,
            extranonce2_first,
            step: 0,
            slice: lane.index,
            ntime,
            used: 0,
            extranonce2: Extranonce2::default(),
            version_bits: 0,
            hashes: 0,
        };
        search.prepare();
        search
    }

    /// Goes on with another job. Where it is the same work under another name
    /// or difficulty, the walk goes on where it was, so nothing is found twice.
    pub fn take_up(&mut self, job: Arc<MinerJob>, version_mask: Option<u32>) {
        if self.fault.is_none() && self.version_mask == version_mask && self.job.is_same_work(&job) {
            self.job = job;
            return;
        }
        let hashes = self.hashes;
        let next = self.extranonce2_value().wrapping_add(1);
        *self = Self::new(job, version_mask, self.lane, next);
        self.hashes = hashes;
    }

    /// The job being searched.
    #[must_use]
    pub fn job(&self) -> &Arc<MinerJob> {
        &self.job
    }

    /// Hashes computed so far.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.hashes
    }

    /// Tries up to `budget` headers. `None`: no share among them.
    pub fn run(&mut self, budget: u64) -> Option<Share> {
        if self.fault == Some(Fault::LowDifficulty) {
            return self.miss(budget);
        }
        let mut left = budget;
        while left > 0 {
            let start = self.next_nonce();
            let count = left.min(u64::from(SLICE - self.used));
            if let Some((nonce, hash)) = self.scan.search(&self.job.target, start, count) {
                let tried = nonce.wrapping_sub(start) + 1;
                self.used += tried;
                self.hashes += u64::from(tried);
                return Some(self.share(nonce, hash));
            }
            self.used += count as u32;
            self.hashes += count;
            left -= count;
        }
        None
    }

    /// Looks for a hash that does *not* meet the target.
    fn miss(&mut self, budget: u64) -> Option<Share> {
        for _ in 0..budget {
            let nonce = self.next_nonce();
            self.used += 1;
            self.hashes += 1;
            let root = self.job.merkle_root(self.extranonce2.as_bytes());
            let version = self.job.version(self.version_bits, self.version_mask.unwrap_or(0));
            let header = self.job.header(root, version, self.ntime, nonce);
            let hash = sha256d_header(&header.to_bytes());
            if !self.job.target.is_met_by(&hash) {
                return Some(self.share(nonce, hash));
            }
        }
        None
    }

    fn share(&self, nonce: u32, hash: crate::hash::Hash) -> Share {
        let share = Share {
            job: Arc::clone(&self.job),
            extranonce2: self.extranonce2,
            ntime: self.ntime,
            nonce,
            version_bits: self.version_mask.map(|_| self.version_bits),
            hash,
            fault: None,
        };
        match self.fault {
            Some(fault) => fault.disguise(share, self.version_mask),
            None => share,
        }
    }

    /// The next nonce, in the next slice if this one is used up.
    fn next_nonce(&mut self) -> u32 {
        if self.used == SLICE {
            self.advance();
        }
        self.slice * SLICE + self.used
    }

    fn advance(&mut self) {
        self.used = 0;
        self.step += 1;
        if self.step == self.extranonce2_values() * self.version_values() {
            self.step = 0;
            self.slice += self.lane.of;
            if self.slice >= SLICES {
                self.slice = self.lane.index;
                self.ntime = self.ntime.wrapping_add(1);
            }
        }
        self.prepare();
    }

    fn extranonce2_values(&self) -> u128 {
        // Beyond 64 bits the counter never comes round.
        1 << (8 * self.extranonce2_bytes.min(8))
    }

    fn version_values(&self) -> u128 {
        1 << self.version_mask.unwrap_or(0).count_ones()
    }

    fn extranonce2_value(&self) -> u64 {
        ((u128::from(self.extranonce2_first) + self.step) % self.extranonce2_values()) as u64
    }

    /// Computes everything of the header but the nonce.
    fn prepare(&mut self) {
        let value = self.extranonce2_value();
        let mut bytes = [0; Extranonce2::BYTES_MAX];
        // Big-endian at the end: the first bytes of a long one stay zero.
        bytes[Extranonce2::BYTES_MAX - 8..].copy_from_slice(&value.to_be_bytes());
        let own = &bytes[Extranonce2::BYTES_MAX - self.extranonce2_bytes..];
        self.extranonce2 = Extranonce2::new(own).expect("at most 32 bytes");
        let (rounds, rest) = (self.step / self.extranonce2_values(), self.step % self.extranonce2_values());
        let mask = self.version_mask.unwrap_or(0);
        self.version_bits = spread(((rounds + rest) % self.version_values()) as u32, mask);
        let root = self.job.merkle_root(own);
        let version = self.job.version(self.version_bits, mask);
        self.scan = HeaderScan::new(&self.job.header(root, version, self.ntime, 0).to_bytes());
    }
}

/// The low bits of `value` in the places where `mask` has ones.
fn spread(mut value: u32, mask: u32) -> u32 {
    let mut places = mask;
    let mut spread = 0;
    while places != 0 {
        let lowest = places & places.wrapping_neg();
        if value & 1 != 0 {
            spread |= lowest;
        }
        value >>= 1;
        places ^= lowest;
    }
    spread
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::job::tests::job;
    use super::*;
    use crate::stratum::v1::VERSION_MASK;

    /// The tuples at the first `steps` changes of a walk.
    fn places(search: &mut Search, steps: usize) -> Vec<(Vec<u8>, u32, u32, u32)> {
        (0..steps)
            .map(|_| {
                let place =
                    (search.extranonce2.as_bytes().to_vec(), search.version_bits, search.slice, search.ntime);
                search.advance();
                place
            })
            .collect()
    }

    #[test]
    fn no_header_is_tried_twice() {
        fn check(extranonce2_bytes: usize, mask: Option<u32>, steps: usize) {
            let job = Arc::new(job(1.0, extranonce2_bytes));
            let mut all = BTreeSet::new();
            for index in 0..3 {
                let lane = Lane { index, of: 3 };
                let mut search = Search::new(Arc::clone(&job), mask, lane, 250);
                all.extend(places(&mut search, steps));
            }
            assert_eq!(all.len(), 3 * steps, "{extranonce2_bytes} bytes, mask {mask:x?}");
        }
        check(8, Some(VERSION_MASK), 1000);
        check(1, Some(0x6000), 256 * 4 * 3);
        check(1, None, 256 * 3);
        check(0, Some(0xe000), 8 * 3);
        check(0, None, 2 * 4096);
        check(32, None, 300);
    }

    #[test]
    fn extranonce2_and_version_both_keep_moving() {
        let mut search = Search::new(Arc::new(job(1.0, 8)), Some(VERSION_MASK), Lane::ONLY, 0);
        let places = places(&mut search, 4);
        let bits: Vec<u32> = places.iter().map(|place| place.1).collect();
        assert_eq!(bits, [0, 0x2000, 0x4000, 0x6000]);
        assert_eq!(places[3].0, [0, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn what_it_finds_meets_the_target_when_hashed_anew() {
        let job = Arc::new(job(1e-6, 8));
        let mut search = Search::new(Arc::clone(&job), Some(VERSION_MASK), Lane { index: 1, of: 2 }, 7);
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            let share = search.run(u64::MAX).unwrap();
            let version = job.version(share.version_bits.unwrap(), VERSION_MASK);
            let root = job.merkle_root(share.extranonce2.as_bytes());
            let header = job.header(root, version, share.ntime, share.nonce);
            assert_eq!(sha256d_header(&header.to_bytes()), share.hash);
            assert!(job.target.is_met_by(&share.hash));
            assert!(seen.insert(share.hash), "found twice");
        }
        assert!(search.hashes() > 20 * 1000, "{}", search.hashes());
    }

    #[test]
    fn the_same_work_under_another_name_goes_on() {
        let first = Arc::new(job(1e-6, 8));
        let mut search = Search::new(Arc::clone(&first), None, Lane::ONLY, 0);
        let mut seen: BTreeSet<_> = (0..10).map(|_| search.run(u64::MAX).unwrap().hash).collect();
        let mut renamed = job(1e-7, 8);
        renamed.notice.id = "20".into();
        search.take_up(Arc::new(renamed), None);
        for _ in 0..10 {
            let share = search.run(u64::MAX).unwrap();
            assert_eq!(share.job.notice.id, "20");
            assert!(seen.insert(share.hash), "found twice");
        }
        let mut other = job(1e-6, 8);
        other.notice.prev_hash = [9; 32];
        search.take_up(Arc::new(other), None);
        assert_eq!(search.used, 0);
        assert_eq!(search.run(u64::MAX).unwrap().job.notice.prev_hash, [9; 32]);
    }

    #[test]
    fn bits_are_spread_over_the_mask() {
        assert_eq!(spread(0b1011, 0xf0), 0xb0);
        assert_eq!(spread(u32::MAX, VERSION_MASK), VERSION_MASK);
        assert_eq!(spread(0b110, 0b1_0010_0100), 0b1_0010_0000);
        assert_eq!(spread(5, 0), 0);
    }
}
