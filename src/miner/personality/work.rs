//! Which headers a device tries, and when: real hashes at the pace of its claim.
//!
//! Headers are numbered through the life of a device; the number decides all
//! that is in a header beside its job:
//!
//! ```text
//! n = 8·s + r                      s: slice, r = 0..7
//! nonce       = (a·s + b mod 2^29)·8 + r        a odd: no nonce twice in 2^32 headers
//! version     = scattered by s over the mask
//! extranonce2 = s / slices of one extranonce2, mod 256^bytes, counting
//! ntime       = the job's; once extranonce2 came round, plus the seconds since
//! ```
//!
//! So no header is tried twice, whatever the pool sends: not when two jobs are
//! the same work, not when extranonce2 has no bytes, not on the next connection.
//! The header with number n is tried at an exact time; shares are looked for
//! about a second ahead of it.

use std::sync::Arc;

use super::Quirk;
use super::device::{DeviceConfig, Quirks};
use crate::event::Extranonce2;
use crate::hash::{Hash, HeaderScan};
use crate::miner::MinerJob;
use crate::miner::share::Share;
use crate::units::{Seconds, Timestamp};

/// Headers that differ in their nonce only.
const SLICE: u64 = 8;

/// Claimed hashes for one extranonce2: a quarter of its nonces, as chips that
/// get new work many times a second leave them.
const HASHES_PER_EXTRANONCE2: f64 = 1_073_741_824.0;

/// An odd number with bits everywhere, to scatter with.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

/// How long the chips need to take up other work.
pub(super) const SWITCH: Seconds = Seconds(0.005);

/// What is being worked on.
#[derive(Debug)]
struct Work {
    job: Arc<MinerJob>,
    /// The time of header `first`.
    began: Timestamp,
    first: u64,
    /// Headers looked at, from `first` on; the last ones may be in the future.
    tried: u64,
    found: Option<(Timestamp, Share)>,
    /// The root that belongs to an extranonce2.
    root: Option<(Extranonce2, Hash)>,
}

/// The part of a device that hashes.
#[derive(Debug)]
pub(super) struct Worker {
    quirks: Quirks,
    /// Real ones.
    hashes_per_second: f64,
    slices_per_extranonce2: u64,
    seed: u64,
    /// The next header.
    next: u64,
    mask: Option<u32>,
    work: Option<Work>,
    /// The latest ntime of any job.
    ntime_max: u32,
}

/// What is the same in the headers of a slice.
#[derive(Debug)]
struct Slice {
    /// With the first nonce.
    share: Share,
    root: Hash,
    version: u32,
}

impl Worker {
    pub fn new(config: &DeviceConfig, quirks: Quirks, boots: u32) -> Self {
        let slice = SLICE as f64 * config.claimed_per_real;
        let percent = quirks.size(Quirk::HashrateOverstated).unwrap_or(100);
        let claimed = config.hashrate.hashes_per_second() * f64::from(percent) / 100.0;
        Self {
            quirks,
            hashes_per_second: claimed / config.claimed_per_real,
            slices_per_extranonce2: (HASHES_PER_EXTRANONCE2 / slice).max(1.0) as u64,
            seed: scattered(config.seed ^ u64::from(boots) << 48),
            next: 0,
            mask: None,
            work: None,
            ntime_max: 0,
        }
    }

    /// Works on `job` from `at` on.
    pub fn take_up(&mut self, job: Arc<MinerJob>, now: Timestamp, at: Timestamp) {
        self.stop(now);
        self.ntime_max = self.ntime_max.max(job.notice.ntime);
        if self.hashes_per_second > 0.0 {
            let first = self.next;
            self.work = Some(Work { job, began: at, first, tried: 0, found: None, root: None });
        }
    }

    /// Works on nothing. Headers that were only looked at ahead of time count as not tried.
    pub fn stop(&mut self, now: Timestamp) {
        if let Some(work) = self.work.take() {
            let done = (now.since(work.began).0 * self.hashes_per_second) as u64;
            self.next = work.first + done.min(work.tried);
        }
    }

    /// What is worked on.
    pub fn job(&self) -> Option<&Arc<MinerJob>> {
        self.work.as_ref().map(|work| &work.job)
    }

    /// Begins with the first header again.
    pub fn restart(&mut self, now: Timestamp) {
        self.stop(now);
        self.next = 0;
    }

    /// Rolls these version bits, at once.
    pub fn set_mask(&mut self, mask: Option<u32>, now: Timestamp) {
        if mask == self.mask {
            return;
        }
        self.mask = mask;
        if let Some(work) = &self.work {
            let (job, at) = (Arc::clone(&work.job), work.began.max(now));
            self.take_up(job, now, at);
        }
    }

    /// When [`Self::share`] has something, or must look further.
    pub fn wake(&self) -> Option<Timestamp> {
        let work = self.work.as_ref()?;
        Some(work.found.as_ref().map_or_else(|| self.time_of(work, work.tried), |(at, _)| *at))
    }

    /// A share that is found by `now`.
    pub fn share(&mut self, now: Timestamp) -> Option<Share> {
        self.look_ahead(now);
        self.work.as_mut()?.found.take_if(|(at, _)| *at <= now).map(|(_, share)| share)
    }

    fn time_of(&self, work: &Work, header: u64) -> Timestamp {
        work.began + Seconds(header as f64 / self.hashes_per_second)
    }

    /// Tries headers until a share is found, or all up to `now` and some more are tried.
    fn look_ahead(&mut self, now: Timestamp) {
        let Some(mut work) = self.work.take() else { return };
        let chunk = (self.hashes_per_second as u64).clamp(SLICE, 1 << 16);
        while work.found.is_none() && self.time_of(&work, work.tried) <= now.max(work.began) {
            let end = work.tried + chunk;
            while work.tried < end && work.found.is_none() {
                self.slice(&mut work);
            }
        }
        self.work = Some(work);
    }

    /// Tries the rest of a slice.
    fn slice(&self, work: &mut Work) {
        let header = work.first + work.tried;
        let skip = header % SLICE;
        let Slice { share, root, version } = self.prepare(work, header / SLICE);
        let start = share.nonce + skip as u32;
        let bytes = share.job.header(root, version, share.ntime, start).to_bytes();
        match HeaderScan::new(&bytes).search(&share.job.target, start, SLICE - skip) {
            None => work.tried += SLICE - skip,
            Some((nonce, hash)) => {
                work.tried += u64::from(nonce - start) + 1;
                work.found = Some((self.time_of(work, work.tried), Share { nonce, hash, ..share }));
            }
        }
    }

    /// All of a slice's headers but the nonce; the nonce is the first.
    fn prepare(&self, work: &mut Work, mut slice: u64) -> Slice {
        let job = Arc::clone(&work.job);
        let bytes = job.extranonce.extranonce2_bytes;
        if bytes < 8 && self.quirks.has(Quirk::Extranonce2WrapRepeats) {
            slice %= self.slices_per_extranonce2 << (8 * bytes).min(48);
        }
        let count = slice / self.slices_per_extranonce2;
        let came_round = bytes < 8 && count >> (8 * bytes) > 0;
        let extranonce2 = self.extranonce2(count, bytes, came_round);
        let root = match work.root {
            Some((of, root)) if of == extranonce2 => root,
            _ => job.merkle_root(extranonce2.as_bytes()),
        };
        work.root = Some((extranonce2, root));
        let numbered = if self.quirks.has(Quirk::NonceNarrow) { slice % 32 } else { slice };
        let nonce = (numbered.wrapping_add(self.seed).wrapping_mul(SCATTER) as u32) << SLICE.ilog2();
        let (version, version_bits) = self.version(job.notice.version, slice);
        let ntime = self.ntime(&job, self.time_of(work, work.tried), came_round);
        let share = Share { job, extranonce2, ntime, nonce, version_bits, hash: [0; 32], fault: None };
        Slice { share, root, version }
    }

    /// The extranonce2 with this number.
    fn extranonce2(&self, count: u64, bytes: usize, came_round: bool) -> Extranonce2 {
        let count = if self.quirks.has(Quirk::WorkConstant) { 0 } else { count };
        let more = usize::from(came_round && self.quirks.has(Quirk::Extranonce2Overflows));
        let counted = counted(count, bytes + more);
        if !self.quirks.has(Quirk::Extranonce2LittleEndian) {
            return counted;
        }
        let reversed: Vec<u8> = counted.as_bytes().iter().rev().copied().collect();
        Extranonce2::new(&reversed).unwrap_or_default()
    }

    /// The version to hash, and the bits to send.
    fn version(&self, own: u32, slice: u64) -> (u32, Option<u32>) {
        let Some(mask) = self.mask else { return (own, None) };
        let rolled = self.quirks.size(Quirk::VersionBitsFew).map_or(mask, |few| lowest(mask, few));
        let scatter = scattered(slice ^ self.seed) as u32;
        let bits = if self.quirks.has(Quirk::WorkConstant) { 0 } else { scatter & rolled };
        let replaced = own & !mask | bits;
        let (version, sent) = if self.quirks.has(Quirk::VersionOr) {
            (own | bits, (own | bits) ^ own)
        } else if self.quirks.has(Quirk::VersionXor) {
            (own ^ bits, bits)
        } else if self.quirks.has(Quirk::VersionWhole) {
            (replaced, replaced)
        } else {
            (replaced, bits)
        };
        let modern = self.quirks.has(Quirk::VersionModern);
        (if modern { version & 0x1fff_ffff | 0x2000_0000 } else { version }, Some(sent))
    }

    /// ntime of a header that is tried at `at`.
    fn ntime(&self, job: &MinerJob, at: Timestamp, came_round: bool) -> u32 {
        let elapsed = at.since(job.received).0;
        let own = job.notice.ntime;
        if self.quirks.has(Quirk::NtimeOwnClock) {
            return u32::try_from(at.unix_seconds()).unwrap_or(u32::MAX);
        }
        if self.quirks.has(Quirk::NtimeNeverBack) {
            return own.max(self.ntime_max);
        }
        if self.quirks.has(Quirk::NtimeRunsAhead) {
            return own.saturating_add((10.0 * elapsed) as u32);
        }
        let rolls = came_round && !self.quirks.has(Quirk::WorkConstant);
        own.saturating_add(if rolls { elapsed as u32 } else { 0 })
    }
}

/// The lowest `few` bits of a mask.
fn lowest(mut mask: u32, few: u32) -> u32 {
    let whole = mask;
    for _ in 0..few {
        mask &= mask.wrapping_sub(1);
    }
    whole & !mask
}

/// `count` as an extranonce2, big-endian; the first bytes of a long one stay zero.
fn counted(count: u64, bytes: usize) -> Extranonce2 {
    let mut wide = [0; Extranonce2::BYTES_MAX];
    wide[Extranonce2::BYTES_MAX - 8..].copy_from_slice(&count.to_be_bytes());
    Extranonce2::new(&wide[Extranonce2::BYTES_MAX - bytes.min(Extranonce2::BYTES_MAX)..]).unwrap_or_default()
}

/// A number without resemblance to `value` (the finaliser of SplitMix64).
fn scattered(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(SCATTER);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
