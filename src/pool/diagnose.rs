//! Near misses: the mistake under which a failed share is a valid one.
//!
//! A share is refused for its difficulty, its ntime or its version bits: its
//! header does not carry the proof, or is not allowed. It is random noise, unless the miner hashed another
//! header than it described. We build the headers of the known mistakes and see
//! whether one carries the proof. At difficulty `d` a wrong guess passes with
//! probability `1 / (2^32 d)`, so a match is evidence when that is tiny; where
//! the difficulty is so low that luck explains it, nothing is claimed.

use super::job::{Job, Jobs};
use super::share::{Solution, header};
use crate::block::HeaderFields;
use crate::event::NearMiss;
use crate::hash::{fold_branch, sha256d_header};
use crate::units::{Difficulty, Target};

/// Least hashes a proof must stand for, so that some 40 guesses pass by luck
/// less than once in a thousand failures.
const EVIDENCE_HASHES: f64 = 40_000.0;

/// Looks for the mistake behind a share of `job` that reached only `reached`.
///
/// `newest` is the difficulty announced last. Costs up to one header hash per
/// hypothesis and job.
pub(super) fn diagnose(
    jobs: &Jobs,
    job: Option<&Job>,
    solution: &Solution<'_>,
    mask: u32,
    reached: Option<Difficulty>,
    newest: Difficulty,
) -> Option<NearMiss> {
    job.and_then(|job| under_same_job(jobs, job, solution, mask, reached, newest))
        .or_else(|| under_another_job(jobs, job, solution, mask))
}

/// Whether `header` carries a proof of `difficulty` that luck does not explain.
fn proves(header: &HeaderFields, target: &Target, difficulty: Difficulty) -> bool {
    difficulty.expected_hashes() >= EVIDENCE_HASHES && target.is_met_by(&sha256d_header(&header.to_bytes()))
}

fn under_same_job(
    jobs: &Jobs,
    job: &Job,
    solution: &Solution<'_>,
    mask: u32,
    reached: Option<Difficulty>,
    newest: Difficulty,
) -> Option<NearMiss> {
    let asked = job.terms.difficulty;
    if let Some(reached) = reached {
        let met = |difficulty: Difficulty| {
            difficulty < asked && reached >= difficulty && difficulty.expected_hashes() >= EVIDENCE_HASHES
        };
        if met(newest) {
            return Some(NearMiss::NewDifficulty);
        }
        if jobs.iter().any(|other| met(other.terms.difficulty)) {
            return Some(NearMiss::OldDifficulty);
        }
    }
    let (extranonce1, length) = job.terms.extranonce1.to_bytes();
    let proper = header(job, job.merkle_root(solution.extranonce2), solution, mask);
    let holds = |header: HeaderFields| proves(&header, &job.terms.target, asked);
    let version = job.work.template.version;
    if let Some(bits) = solution.version_bits {
        let formulas = [
            (NearMiss::VersionXor, version ^ bits),
            (NearMiss::VersionOr, version | bits),
            (NearMiss::VersionWhole, bits),
            (NearMiss::VersionNotRolled, version),
        ];
        for (mistake, version) in formulas {
            if holds(HeaderFields { version, ..proper }) {
                return Some(mistake);
            }
        }
    }
    if holds(HeaderFields { nonce: proper.nonce.swap_bytes(), ..proper }) {
        return Some(NearMiss::NonceByteSwapped);
    }
    if holds(HeaderFields { ntime: proper.ntime.swap_bytes(), ..proper }) {
        return Some(NearMiss::NtimeByteSwapped);
    }
    let with_extranonces = |extranonce1: &[u8], extranonce2: &[u8]| HeaderFields {
        merkle_root: fold_branch(job.work.coinbase.txid(extranonce1, extranonce2), &job.work.branch),
        ..proper
    };
    let mut reversed = solution.extranonce2.to_vec();
    reversed.reverse();
    if reversed != solution.extranonce2 && holds(with_extranonces(&extranonce1[..length], &reversed)) {
        return Some(NearMiss::Extranonce2Reversed);
    }
    let mut last = job.terms.extranonce1;
    for other in jobs.iter().map(|other| other.terms.extranonce1) {
        if other != job.terms.extranonce1 && other != last {
            let (bytes, length) = other.to_bytes();
            if holds(with_extranonces(&bytes[..length], solution.extranonce2)) {
                return Some(NearMiss::PreviousExtranonce);
            }
            last = other;
        }
    }
    None
}

fn under_another_job(
    jobs: &Jobs,
    named: Option<&Job>,
    solution: &Solution<'_>,
    mask: u32,
) -> Option<NearMiss> {
    jobs.iter().filter(|job| named.is_none_or(|named| named.id != job.id)).find_map(|job| {
        let header = header(job, job.merkle_root(solution.extranonce2), solution, mask);
        proves(&header, &job.terms.target, job.terms.difficulty).then_some(NearMiss::OtherJob { job: job.id })
    })
}
