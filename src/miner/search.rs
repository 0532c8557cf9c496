//! Which headers to try: all of a worker's part of a job, none of them twice.
//!
//! A header differs from the next in nonce, extranonce2, version bits or ntime.
//! The walk takes a slice of nonces, then the next extranonce2 and the next
//! version bits together, so that both keep moving even on a slow CPU:
//!
//! ```text
//! k = q·E + r = 0, 1, 2, …, V·E - 1     E = 256^extranonce2_bytes, V = 2^(bits of the mask)
//! extranonce2 = first + r               mod E
//! version     = (first + q + r) · odd   mod V     (each pair once: r is extranonce2, and
//!                                                  for one r every q is another version)
//! ```
//!
//! `odd` makes every granted bit change within a few steps; counting up would
//! take hours to reach the high ones.
//!
//! When all pairs are used the next slice of nonces follows, and after the last
//! slice ntime plus one. Workers divide the slices among them, not extranonce2:
//! that works even where the pool leaves one byte of it, or none.
//!
//! A backend may be faster at many versions of one nonce than at many nonces of
//! one version ([`Search::fastest`]). Then a `version` above is a batch of them:
//! the low bits of the mask are the batch, the high bits count, and the slice is
//! shorter. Within a slice headers have a place: nonce by nonce, all of the
//! batch's versions of each.
//!
//! Hashing is done ahead, as many at a time as suits the backend, and what it
//! finds is handed out when its place is reached. So a search that is asked in
//! small pieces costs no more, and finds the same as one that is asked at once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::faults::Fault;
use super::job::MinerJob;
use super::share::Share;
use crate::event::Extranonce2;
use crate::hash::{Hash, HeaderScan, VersionScan, chosen, sha256d_header};

/// Bits of the headers between two changes of extranonce2 and version: a fraction
/// of a second on one CPU core, and thousands of times the cost of the change.
const SLICE_BITS: u32 = 20;

/// The same for batches, of which each version costs a hash to set up.
const BATCH_SLICE_BITS: u32 = 24;

/// Bits of version in a batch, at most: their midstates fill a part of the second cache.
const BATCH_BITS_MAX: u32 = 11;

/// And at least: each nonce of a batch costs as much as some ten hashes more.
const BATCH_BITS_MIN: u32 = 9;

/// `odd` above: 2^32 divided by the golden ratio, whose multiples lie evenly
/// however many there are.
const VERSION_STRIDE: u128 = 0x9e37_79b1;

/// Nonces are hashed by so many: the lanes of the widest backend.
const MULTIPLE: u64 = 16;

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
    /// Bits of version in a batch; 0 when nonces are scanned.
    batch_bits: u32,
    /// `k` above.
    step: u128,
    slice: u32,
    ntime: u32,
    /// Headers of the slice that are used.
    used: u64,
    /// Headers of the slice that are hashed already.
    scanned: u64,
    /// Those between that meet the target, by place.
    found: VecDeque<(u64, Hash)>,
    extranonce2: Extranonce2,
    /// Of a batch, what its versions have in common.
    version_bits: u32,
    scan: Scan,
    hashes: u64,
}

#[derive(Debug)]
enum Scan {
    Nonces(HeaderScan),
    Versions(Box<VersionScan>),
}

impl Search {
    /// A search of `job` with the version bits of `version_mask`, if granted.
    ///
    /// `extranonce2_first` is where the walk enters the extranonce2 values.
    #[must_use]
    pub fn new(job: Arc<MinerJob>, version_mask: Option<u32>, lane: Lane, extranonce2_first: u64) -> Self {
        let (bytes, ntime) = (job.extranonce.extranonce2_bytes, job.notice.ntime);
        Self::on_terms(job, version_mask, lane, extranonce2_first, bytes, ntime, None, 0)
    }

    /// The same with batches of versions, where the mask is wide enough and the
    /// chosen backend is faster with them. Worth it for a whole CPU core only.
    #[must_use]
    pub fn fastest(
        job: Arc<MinerJob>,
        version_mask: Option<u32>,
        lane: Lane,
        extranonce2_first: u64,
    ) -> Self {
        let (bytes, ntime) = (job.extranonce.extranonce2_bytes, job.notice.ntime);
        let bits = version_mask.unwrap_or(0).count_ones().min(BATCH_BITS_MAX);
        let batch_bits = if bits < BATCH_BITS_MIN || chosen().versions.is_none() { 0 } else { bits };
        Self::on_terms(job, version_mask, lane, extranonce2_first, bytes, ntime, None, batch_bits)
    }

    /// A search on other terms than the job's, for a share with a fault.
    #[expect(clippy::too_many_arguments, reason = "the terms, each of another type; two callers")]
    pub(super) fn on_terms(
        job: Arc<MinerJob>,
        version_mask: Option<u32>,
        lane: Lane,
        extranonce2_first: u64,
        extranonce2_bytes: usize,
        ntime: u32,
        fault: Option<Fault>,
        batch_bits: u32,
    ) -> Self {
        let mut search = Self {
            scan: Scan::Nonces(HeaderScan::new(&[0; 80])),
            job,
            lane,
            version_mask,
            extranonce2_bytes: extranonce2_bytes.min(Extranonce2::BYTES_MAX),
            fault,
            extranonce2_first,
            batch_bits,
            step: 0,
            slice: lane.index,
            ntime,
            used: 0,
            scanned: 0,
            found: VecDeque::new(),
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
            // What was hashed ahead was judged by the old target.
            self.scanned = self.used >> self.batch_bits << self.batch_bits;
            self.found.clear();
            return;
        }
        let hashes = self.hashes;
        let next = self.extranonce2_value().wrapping_add(1);
        let new = if self.batch_bits > 0 { Self::fastest } else { Self::new };
        *self = new(job, version_mask, self.lane, next);
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
        loop {
            if let Some(&(place, hash)) = self.found.front()
                && place - self.used < left
            {
                self.found.pop_front();
                self.use_up(place + 1 - self.used);
                return Some(self.share(place, hash));
            }
            let ready = left.min(self.scanned.saturating_sub(self.used));
            self.use_up(ready);
            left -= ready;
            if left == 0 {
                return None;
            }
            if self.used == self.slice_headers() {
                self.advance();
            }
            self.scan_ahead(left);
        }
    }

    fn use_up(&mut self, headers: u64) {
        self.used += headers;
        self.hashes += headers;
    }

    /// Hashes about `wanted` more headers of the slice.
    fn scan_ahead(&mut self, wanted: u64) {
        let mut hits = Vec::new();
        let left = self.slice_headers() - self.scanned;
        let (target, start) = (&self.job.target, self.nonce(self.scanned));
        let chosen = chosen();
        let tried = match (&self.scan, chosen.versions) {
            (Scan::Nonces(scan), _) => {
                let count = wanted.saturating_add(MULTIPLE - 1) / MULTIPLE * MULTIPLE;
                scan.scan(chosen.nonces, target, start, count.min(left), &mut hits)
            }
            (Scan::Versions(scan), Some(backend)) => {
                let nonces = wanted.min(left).div_ceil(scan.versions());
                scan.scan(backend, target, start, nonces, &mut hits) * scan.versions()
            }
            (Scan::Versions(_), None) => unreachable!("batches are taken where there is a backend for them"),
        };
        let (first, used) = (self.scanned, self.used);
        self.found
            .extend(hits.iter().map(|hit| (first + hit.place, hit.hash)).filter(|(place, _)| *place >= used));
        self.scanned += tried;
    }

    /// Looks for a hash that does *not* meet the target.
    fn miss(&mut self, budget: u64) -> Option<Share> {
        for _ in 0..budget {
            if self.used == self.slice_headers() {
                self.advance();
            }
            let (place, nonce) = (self.used, self.nonce(self.used));
            self.use_up(1);
            let root = self.job.merkle_root(self.extranonce2.as_bytes());
            let version = self.job.version(self.version_bits, self.version_mask.unwrap_or(0));
            let header = self.job.header(root, version, self.ntime, nonce);
            let hash = sha256d_header(&header.to_bytes());
            if !self.job.target.is_met_by(&hash) {
                return Some(self.share(place, hash));
            }
        }
        None
    }

    /// The share at a place of the slice.
    fn share(&self, place: u64, hash: Hash) -> Share {
        let batch = (place & ((1 << self.batch_bits) - 1)) as u32;
        let share = Share {
            job: Arc::clone(&self.job),
            extranonce2: self.extranonce2,
            ntime: self.ntime,
            nonce: self.nonce(place),
            version_bits: self.version_mask.map(|mask| self.version_bits | spread(batch, mask)),
            hash,
            fault: None,
        };
        match self.fault {
            Some(fault) => fault.disguise(share, self.version_mask),
            None => share,
        }
    }

    /// Headers of a slice.
    fn slice_headers(&self) -> u64 {
        1 << if self.batch_bits > 0 { BATCH_SLICE_BITS } else { SLICE_BITS }
    }

    /// Nonces of a slice.
    fn slice_nonces(&self) -> u64 {
        self.slice_headers() >> self.batch_bits
    }

    /// The nonce at a place of the slice.
    fn nonce(&self, place: u64) -> u32 {
        (u64::from(self.slice) * self.slice_nonces() + (place >> self.batch_bits)) as u32
    }

    fn advance(&mut self) {
        (self.used, self.scanned) = (0, 0);
        self.found.clear();
        self.step += 1;
        if self.step == self.extranonce2_values() * self.version_values() {
            self.step = 0;
            self.slice += self.lane.of;
            if u64::from(self.slice) * self.slice_nonces() > u64::from(u32::MAX) {
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
        1 << (self.version_mask.unwrap_or(0).count_ones() - self.batch_bits)
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
        let count = u128::from(self.extranonce2_first) + rounds + rest;
        let batch = (count * VERSION_STRIDE % self.version_values()) as u32;
        self.version_bits = spread(batch << self.batch_bits, mask);
        let root = self.job.merkle_root(own);
        let version = |index| self.job.version(self.version_bits | spread(index, mask), mask);
        let header = self.job.header(root, version(0), self.ntime, 0).to_bytes();
        self.scan = if self.batch_bits == 0 {
            Scan::Nonces(HeaderScan::new(&header))
        } else {
            let versions: Vec<u32> = (0..1 << self.batch_bits).map(version).collect();
            Scan::Versions(Box::new(VersionScan::new(&header, &versions)))
        };
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
        assert_eq!(bits, [0, 0x0f36_2000, 0x1e6c_4000, 0x0da2_6000]);
        assert_eq!(places[3].0, [0, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn short_jobs_use_every_version_bit() {
        let mut search = Search::new(Arc::new(job(1.0, 8)), Some(VERSION_MASK), Lane::ONLY, 0);
        let (mut set, mut clear) = (0, 0);
        for number in 0..20 {
            set |= search.version_bits;
            clear |= !search.version_bits;
            let mut next = job(1.0, 8);
            next.notice.prev_hash = [number; 32];
            search.take_up(Arc::new(next), Some(VERSION_MASK));
        }
        assert_eq!((set & VERSION_MASK, clear & VERSION_MASK), (VERSION_MASK, VERSION_MASK));
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

    /// A search in batches, whatever is the fastest here; `None` when no backend can.
    fn batches(job: Arc<MinerJob>, mask: u32, lane: Lane) -> Option<Search> {
        let search = Search::fastest(job, Some(mask), lane, 250);
        (search.batch_bits > 0).then_some(search)
    }

    #[test]
    fn batches_repeat_no_header_and_miss_none() {
        let job = Arc::new(job(1e-3, 1));
        // Four batches and 256 extranonces: then the next slice.
        let mask = 0x03ff_e000 | 3;
        let mut all = BTreeSet::new();
        let mut steps = 0;
        for index in 0..3 {
            let Some(mut search) = batches(Arc::clone(&job), mask, Lane { index, of: 3 }) else { return };
            assert_eq!(search.slice_nonces() << search.batch_bits, search.slice_headers());
            let here = 3 * search.extranonce2_values() as usize * search.version_values() as usize;
            // Setting up each would take long; the walk is the same without.
            all.extend(places(&mut search, here / 64));
            steps += here / 64;
        }
        assert_eq!(all.len(), steps);
    }

    #[test]
    fn what_batches_find_meets_the_target_when_hashed_anew() {
        let job = Arc::new(job(1e-5, 8));
        let Some(mut search) = batches(Arc::clone(&job), VERSION_MASK, Lane { index: 1, of: 2 }) else {
            return;
        };
        let mut seen = BTreeSet::new();
        let mut versions = BTreeSet::new();
        for _ in 0..200 {
            let share = search.run(u64::MAX).unwrap();
            let bits = share.version_bits.unwrap();
            assert_eq!(bits & !VERSION_MASK, 0);
            let root = job.merkle_root(share.extranonce2.as_bytes());
            let header = job.header(root, job.version(bits, VERSION_MASK), share.ntime, share.nonce);
            assert_eq!(sha256d_header(&header.to_bytes()), share.hash);
            assert!(job.target.is_met_by(&share.hash));
            assert!(seen.insert(share.hash), "found twice");
            versions.insert(bits);
        }
        assert!(versions.len() > 150, "{} versions", versions.len());
        let expected = 200.0 * 1e-5 * 4_295_032_833.0;
        // Two hundred shares: seven percent is one sigma.
        assert!((0.7..1.3).contains(&(search.hashes() as f64 / expected)), "{}", search.hashes());
    }

    #[test]
    fn asked_in_small_pieces_it_finds_the_same() {
        let job = Arc::new(job(1e-7, 8));
        let at_once = |search: &mut Search| {
            (0..300).map(|_| (search.run(u64::MAX).unwrap().hash, search.hashes())).collect::<Vec<_>>()
        };
        let in_pieces = |search: &mut Search| {
            let mut found = Vec::new();
            let mut budget = 0;
            while found.len() < 300 {
                budget = budget % 97 + 1;
                let before = search.hashes();
                match search.run(budget) {
                    Some(share) => found.push((share.hash, search.hashes())),
                    None => assert_eq!(search.hashes() - before, budget),
                }
            }
            found
        };
        for make in [Search::new, Search::fastest] {
            let search = || make(Arc::clone(&job), Some(VERSION_MASK), Lane::ONLY, 0);
            assert_eq!(at_once(&mut search()), in_pieces(&mut search()));
        }
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
