//! Shares that are wrong in exactly one way, and the reject each must get.
//!
//! The work behind a fault is real: a share with ntime out of range is searched
//! with that ntime, one with a wrong extranonce2 length with that length. So a
//! pool that accepts it did not check that one thing, and a pool that rejects
//! it has only one reason to.

use std::sync::Arc;

use super::job::MinerJob;
use super::search::{Lane, Search};
use super::share::Share;
use crate::event::{Extranonce2, Reject};
use crate::stratum::v1::VERSION_MASK;
use crate::units::{Target, Timestamp};

/// A job id that no pool gives: ours count up from zero, others use short or random ones.
pub(super) const UNKNOWN_JOB: &str = "fffffff7";

/// A worker that nobody authorizes.
pub(super) const INTRUDER: &str = "adit-intruder";

/// The time of Bitcoin's first block: no chain's median time is earlier.
const NTIME_TOO_OLD: u32 = 1_231_006_505;

/// Twice what consensus lets a block be ahead of a node's clock.
const NTIME_AHEAD: u32 = 4 * 3_600;

/// One way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The hash is above the job's target.
    LowDifficulty,
    /// The share was accepted before.
    Duplicate,
    /// The job was never given.
    UnknownJob,
    /// The job's tip was replaced too long ago to be credited.
    StaleJob,
    /// One byte of extranonce2 too many, or too few.
    Extranonce2Length,
    /// ntime before any block of any chain.
    NtimeTooOld,
    /// ntime hours ahead.
    NtimeTooNew,
    /// A version bit outside the granted mask.
    VersionOutsideMask,
    /// Version bits though rolling was not negotiated.
    VersionUnnegotiated,
    /// A worker that was not authorized.
    UnauthorizedWorker,
}

/// What there is to make a fault from.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The newest job.
    pub job: &'a Arc<MinerJob>,
    /// The granted version mask, if any.
    pub version_mask: Option<u32>,
    /// An accepted share of the current tip.
    pub accepted: Option<&'a Share>,
    /// A job whose tip was replaced longer ago than any pool gives credit.
    pub stale_job: Option<&'a Arc<MinerJob>>,
    /// Where the walk over extranonce2 begins.
    pub extranonce2: u64,
    /// The time.
    pub now: Timestamp,
}

/// How to come by a share with a fault.
#[derive(Debug)]
pub enum Recipe {
    /// Here it is.
    Ready(Box<Share>),
    /// This search finds one.
    Search(Box<Search>),
}

impl Fault {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::LowDifficulty,
        Self::Duplicate,
        Self::UnknownJob,
        Self::StaleJob,
        Self::Extranonce2Length,
        Self::NtimeTooOld,
        Self::NtimeTooNew,
        Self::VersionOutsideMask,
        Self::VersionUnnegotiated,
        Self::UnauthorizedWorker,
    ];

    /// A stable name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LowDifficulty => "low_difficulty",
            Self::Duplicate => "duplicate",
            Self::UnknownJob => "unknown_job",
            Self::StaleJob => "stale_job",
            Self::Extranonce2Length => "extranonce2_length",
            Self::NtimeTooOld => "ntime_too_old",
            Self::NtimeTooNew => "ntime_too_new",
            Self::VersionOutsideMask => "version_outside_mask",
            Self::VersionUnnegotiated => "version_unnegotiated",
            Self::UnauthorizedWorker => "unauthorized_worker",
        }
    }

    /// The reject it must get.
    #[must_use]
    pub fn reject(self) -> Reject {
        match self {
            Self::LowDifficulty => Reject::LowDifficulty,
            Self::Duplicate => Reject::Duplicate,
            Self::UnknownJob => Reject::UnknownJob,
            Self::StaleJob => Reject::Stale,
            Self::Extranonce2Length => Reject::Extranonce2Length,
            Self::NtimeTooOld => Reject::NtimeTooOld,
            Self::NtimeTooNew => Reject::NtimeTooNew,
            Self::VersionOutsideMask | Self::VersionUnnegotiated => Reject::VersionMask,
            Self::UnauthorizedWorker => Reject::Unauthorized,
        }
    }

    /// How to make it; `None` when the scene lacks what it takes.
    #[must_use]
    pub fn recipe(self, scene: &Scene<'_>) -> Option<Recipe> {
        let job = match self {
            Self::StaleJob => scene.stale_job?,
            _ => scene.job,
        };
        let mask = scene.version_mask;
        let possible = match self {
            Self::Duplicate => {
                let share = Share { fault: Some(self), ..scene.accepted?.clone() };
                return Some(Recipe::Ready(Box::new(share)));
            }
            // Every hash meets the easiest target.
            Self::LowDifficulty => job.target != Target::MAX,
            Self::VersionOutsideMask => mask.is_some_and(|mask| mask != u32::MAX),
            Self::VersionUnnegotiated => mask.is_none(),
            _ => true,
        };
        let length = job.extranonce.extranonce2_bytes;
        let bytes = match self {
            Self::Extranonce2Length if length < Extranonce2::BYTES_MAX => length + 1,
            Self::Extranonce2Length => length - 1,
            _ => length,
        };
        let ntime = match self {
            Self::NtimeTooOld => NTIME_TOO_OLD,
            Self::NtimeTooNew => {
                let now = u32::try_from(scene.now.unix_seconds()).unwrap_or(u32::MAX);
                now.max(job.notice.ntime).saturating_add(NTIME_AHEAD)
            }
            _ => job.notice.ntime,
        };
        possible.then(|| {
            let job = Arc::clone(job);
            let search =
                Search::on_terms(job, mask, Lane::ONLY, scene.extranonce2, bytes, ntime, Some(self), 0);
            Recipe::Search(Box::new(search))
        })
    }

    /// Finishes a share that was found for this fault.
    pub(super) fn disguise(self, share: Share, version_mask: Option<u32>) -> Share {
        let version_bits = match (self, version_mask) {
            // Found with the bits inside the mask: a pool that drops the others takes it.
            (Self::VersionOutsideMask, Some(mask)) => share.version_bits.map(|bits| bits | lowest_zero(mask)),
            // Found with the job's own version: a pool that ignores the bits takes it.
            (Self::VersionUnnegotiated, None) => Some(lowest_one(VERSION_MASK)),
            _ => share.version_bits,
        };
        Share { version_bits, fault: Some(self), ..share }
    }
}

fn lowest_one(bits: u32) -> u32 {
    bits & bits.wrapping_neg()
}

fn lowest_zero(bits: u32) -> u32 {
    lowest_one(!bits)
}
