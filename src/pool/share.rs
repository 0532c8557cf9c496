//! What a submission is worth.
//!
//! The order of the checks is the rule: the header is built and hashed, and
//! whether it is a block is known before anything can refuse the share. Then
//! the tip, the fields, the work, and last whether it was credited before; a
//! hash enters the duplicate set only when all else is right.

use super::duplicate::Seen;
use super::job::{Job, Standing};
use crate::block::HeaderFields;
use crate::event::{Reject, Verdict};
use crate::hash::{Hash, sha256d_header};
use crate::units::{Difficulty, Target};

/// How far ahead of the job's template ntime may be: consensus lets a block be
/// two hours ahead of a node's clock.
const NTIME_AHEAD_MAX: u32 = 7_200;

/// The fields of a submission that make its header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solution<'a> {
    pub extranonce2: &'a [u8],
    pub ntime: u32,
    pub nonce: u32,
    /// Bits that replace the job's inside the mask.
    pub version_bits: Option<u32>,
}

/// A submission with its verdict.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub verdict: Verdict,
    pub header: HeaderFields,
    pub hash: Hash,
    pub reached: Difficulty,
    pub is_block: bool,
}

/// The header of a solution under BIP310's formula: bits replace the job's inside the mask.
pub(super) fn header(job: &Job, merkle_root: Hash, solution: &Solution<'_>, mask: u32) -> HeaderFields {
    let template = &job.work.template;
    let version = match solution.version_bits {
        Some(bits) => (template.version & !mask) | (bits & mask),
        None => template.version,
    };
    HeaderFields {
        version,
        prev_hash: template.prev_hash,
        merkle_root,
        ntime: solution.ntime,
        nbits: template.nbits,
        nonce: solution.nonce,
    }
}

/// Judges a solution of `job`. `mask` are the bits that were granted, and
/// `merkle_root` is [`Job::merkle_root`] when it was worked out already.
///
/// The caller has checked the length of extranonce2: with another length there
/// is no coinbase, and so no header to hash.
pub(super) fn judge(
    job: &Job,
    standing: Standing,
    solution: &Solution<'_>,
    merkle_root: Option<Hash>,
    mask: u32,
    seen: &mut Seen,
) -> Judged {
    let merkle_root = merkle_root.unwrap_or_else(|| job.merkle_root(solution.extranonce2));
    let header = header(job, merkle_root, solution, mask);
    let hash = sha256d_header(&header.to_bytes());
    let as_target = Target::from_le_bytes(hash);
    let is_block = as_target <= job.work.network_target;
    let template = &job.work.template;
    let verdict = if standing == Standing::Stale {
        Verdict::Rejected(Reject::Stale)
    } else if solution.ntime < template.ntime_min {
        Verdict::Rejected(Reject::NtimeTooOld)
    } else if solution.ntime > template.ntime.saturating_add(NTIME_AHEAD_MAX) {
        Verdict::Rejected(Reject::NtimeTooNew)
    } else if solution.version_bits.unwrap_or(0) & !mask != 0 {
        Verdict::Rejected(Reject::VersionMask)
    } else if as_target > job.terms.target {
        Verdict::Rejected(Reject::LowDifficulty)
    } else if !seen.insert(&template.prev_hash, hash) {
        Verdict::Rejected(Reject::Duplicate)
    } else if standing == Standing::Late {
        Verdict::AcceptedLate
    } else {
        Verdict::Accepted
    };
    Judged { verdict, header, hash, reached: as_target.difficulty(), is_block }
}
