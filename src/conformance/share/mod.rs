//! What a share is worth, whatever it claims: its proof under every hypothesis.
//!
//! [`examine`] reads a submit as far as it can be read, finds the job it names,
//! and builds the header it describes. A share is good by its proof alone, never
//! by what a pool would have answered. When the proof is missing, the headers of
//! the known mistakes are tried ([`hypotheses`]), and what fits is kept with the
//! luck it would have taken ([`evidence`]).

mod evidence;
mod hypotheses;
mod read;
#[cfg(test)]
mod tests;

pub(super) use evidence::causes;
pub use evidence::{Evidence, Fit};

use super::log::{Connection, Difference, Fact, JobNumber, JobRecord, Log};
use super::scale::WorkScale;
use crate::block::HeaderFields;
use crate::hash::{Hash, fold_branch, sha256d, sha256d_header};
use crate::units::{Difficulty, Seconds, Timestamp};
use read::Submission;

/// How far ntime may be ahead of the time that passed since the job: clocks of
/// devices tick in whole seconds, and their notion of when the job came is late.
const NTIME_SLACK: Seconds = Seconds(5.0);

/// How the miner must have come to a header that carries the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Explanation {
    /// As it should.
    AsDescribed,
    /// For another job than the one it names.
    OtherJob(JobNumber),
    /// With an extranonce1 of before the job, or of an earlier session.
    EarlierExtranonce1,
    /// With an extranonce1 announced after the job was sent.
    LaterExtranonce1,
    /// For a difficulty announced after the job was sent.
    LaterDifficulty,
    /// For the difficulty of an earlier job.
    EarlierDifficulty,
    /// For the difficulty cut to a whole number.
    TruncatedDifficulty,
    /// For the power of two below the difficulty.
    PowerOfTwoDifficulty,
    /// Version bits were XORed onto the job's version.
    VersionXor,
    /// Version bits were ORed onto the job's version.
    VersionOr,
    /// The whole version was sent in place of its bits.
    VersionWhole,
    /// The header was hashed with the job's own version.
    VersionNotRolled,
    /// Version bits were put in under a mask that this session never granted.
    OtherMask,
    /// The version of another job, or one whose top bits were made 001.
    OtherVersion,
    /// The nonce was written in the other byte order.
    NonceByteSwapped,
    /// ntime was written in the other byte order.
    NtimeByteSwapped,
    /// The hashed extranonce1 is the job's, padded with zeros or cut to another length.
    Extranonce1Resized,
    /// The hashed extranonce2 is the sent one reversed.
    Extranonce2Reversed,
    /// The hashed extranonce2 is the sent one, padded with zeros or cut to the length asked for.
    Extranonce2Resized,
    /// The coinbase was cut: the length that was hashed.
    CoinbaseCut(usize),
    /// The branch was cut: the siblings that were hashed.
    BranchCut(usize),
    /// An earlier job of the same name.
    EarlierJobOfThatName(JobNumber),
    /// Words of the previous block's hash in another order.
    PrevHashOrder,
}

impl Explanation {
    /// Names of all, without their numbers.
    pub const NAMES: [&'static str; 23] = [
        "as_described",
        "other_job",
        "earlier_extranonce1",
        "later_extranonce1",
        "later_difficulty",
        "earlier_difficulty",
        "truncated_difficulty",
        "power_of_two_difficulty",
        "version_xor",
        "version_or",
        "version_whole",
        "version_not_rolled",
        "other_mask",
        "other_version",
        "nonce_byte_swapped",
        "ntime_byte_swapped",
        "extranonce1_resized",
        "extranonce2_reversed",
        "extranonce2_resized",
        "coinbase_cut",
        "branch_cut",
        "earlier_job_of_that_name",
        "prev_hash_order",
    ];

    /// Its name in case files and reports, without its number.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AsDescribed => "as_described",
            Self::OtherJob(_) => "other_job",
            Self::EarlierExtranonce1 => "earlier_extranonce1",
            Self::LaterExtranonce1 => "later_extranonce1",
            Self::LaterDifficulty => "later_difficulty",
            Self::EarlierDifficulty => "earlier_difficulty",
            Self::TruncatedDifficulty => "truncated_difficulty",
            Self::PowerOfTwoDifficulty => "power_of_two_difficulty",
            Self::VersionXor => "version_xor",
            Self::VersionOr => "version_or",
            Self::VersionWhole => "version_whole",
            Self::VersionNotRolled => "version_not_rolled",
            Self::OtherMask => "other_mask",
            Self::OtherVersion => "other_version",
            Self::NonceByteSwapped => "nonce_byte_swapped",
            Self::NtimeByteSwapped => "ntime_byte_swapped",
            Self::Extranonce1Resized => "extranonce1_resized",
            Self::Extranonce2Reversed => "extranonce2_reversed",
            Self::Extranonce2Resized => "extranonce2_resized",
            Self::CoinbaseCut(_) => "coinbase_cut",
            Self::BranchCut(_) => "branch_cut",
            Self::EarlierJobOfThatName(_) => "earlier_job_of_that_name",
            Self::PrevHashOrder => "prev_hash_order",
        }
    }
}

impl Explanation {
    /// Whether it names one header; those without a number may stand for several.
    fn has_number(self) -> bool {
        matches!(
            self,
            Self::OtherJob(_) | Self::CoinbaseCut(_) | Self::BranchCut(_) | Self::EarlierJobOfThatName(_)
        )
    }
}

impl std::fmt::Display for Explanation {
    /// What the miner did, as a sentence without its subject.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AsDescribed => f.write_str("hashed what it describes"),
            Self::OtherJob(number) => write!(f, "hashed another job than it names (job number {})", number.0),
            Self::EarlierExtranonce1 => {
                f.write_str("hashed an extranonce1 of before the job or of an earlier session")
            }
            Self::LaterExtranonce1 => f.write_str("hashed an extranonce1 that was announced after the job"),
            Self::LaterDifficulty => f.write_str("applied a difficulty that was announced after the job"),
            Self::EarlierDifficulty => f.write_str("applied the difficulty of before the job"),
            Self::TruncatedDifficulty => f.write_str("applied the difficulty cut to a whole number"),
            Self::PowerOfTwoDifficulty => f.write_str("applied the power of two below the difficulty"),
            Self::VersionXor => f.write_str("sent its version XOR the job's version as version bits"),
            Self::VersionOr => f.write_str("hashed the job's version OR the version bits it sends"),
            Self::VersionWhole => f.write_str("sent the whole version as version bits"),
            Self::VersionNotRolled => f.write_str("sent version bits that it did not hash"),
            Self::OtherMask => f.write_str("rolled version bits under a mask that was not granted"),
            Self::OtherVersion => f.write_str("hashed the version of another job, or one of its own making"),
            Self::NonceByteSwapped => f.write_str("wrote the nonce in the other byte order"),
            Self::NtimeByteSwapped => f.write_str("wrote ntime in the other byte order"),
            Self::Extranonce1Resized => f.write_str("hashed extranonce1 with another length than it has"),
            Self::Extranonce2Reversed => f.write_str("wrote extranonce2 in the other byte order"),
            Self::Extranonce2Resized => f.write_str("hashed extranonce2 with another length than it sends"),
            Self::CoinbaseCut(bytes) => write!(f, "hashed only the first {bytes} bytes of the coinbase"),
            Self::BranchCut(0) => f.write_str("left out the merkle branch"),
            Self::BranchCut(siblings) => {
                write!(f, "hashed only the first {siblings} siblings of the merkle branch")
            }
            Self::EarlierJobOfThatName(_) => f.write_str("hashed an earlier job of the same id"),
            Self::PrevHashOrder => {
                f.write_str("put the bytes of the previous block's hash in the wrong order")
            }
        }
    }
}

/// What is wrong with a share, beside its proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// No job of that name was ever sent on this connection.
    UnknownJob,
    /// extranonce2 has another length than was asked for.
    Extranonce2Length,
    /// A parameter is missing or is no text of the form it should have.
    Malformed,
    /// ntime before the job's.
    NtimeTooEarly,
    /// ntime further ahead of the job's than time passed.
    NtimeTooLate,
    /// Version bits outside the mask.
    BitsOutsideMask,
    /// Version bits, not zero, though none were granted.
    BitsNotGranted,
    /// No version bits though they were granted.
    BitsMissing,
    /// The same header was sent before.
    Duplicate,
    /// The nonce is not eight digits.
    NonceLength,
    /// The proof is below what was asked.
    Low,
}

impl std::fmt::Display for Problem {
    /// As a noun that fits behind a count of shares "with".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnknownJob => "a job id that was never sent on this connection",
            Self::Extranonce2Length => "an extranonce2 of another length than was asked for",
            Self::Malformed => "parameters that are missing or not of the form they should have",
            Self::NtimeTooEarly => "an ntime before the job's",
            Self::NtimeTooLate => "an ntime further ahead of the job's than time passed",
            Self::BitsOutsideMask => "version bits outside the mask",
            Self::BitsNotGranted => "version bits though none were granted",
            Self::BitsMissing => "no version bits though they were granted",
            Self::Duplicate => "a header that was sent before",
            Self::NonceLength => "a nonce that is not eight digits",
            Self::Low => "a header that does not reach the difficulty asked for",
        })
    }
}

/// A share and all that can be known of it.
#[derive(Debug, Clone)]
pub struct ShareFacts {
    /// The connection it came on.
    pub connection: Connection,
    /// The id of the request as it stood.
    pub request_id: Option<String>,
    /// Worker name.
    pub worker: String,
    /// The job as named.
    pub job_id: String,
    /// The newest job of that name on the connection.
    pub job: Option<JobNumber>,
    /// extranonce2 as it stood.
    pub extranonce2: String,
    /// ntime, if it could be read.
    pub ntime: Option<u32>,
    /// Nonce, if it could be read.
    pub nonce: Option<u32>,
    /// Version bits, if sent and readable.
    pub version_bits: Option<u32>,
    /// The mask that was in force when it came.
    pub mask: u32,
    /// Hash of the header it describes.
    pub hash: Option<Hash>,
    /// The difficulty that hash reaches, in the miner's units.
    pub reached: Option<Difficulty>,
    /// The difficulty its job asks for.
    pub asked: Option<Difficulty>,
    /// How the proof most likely comes about; `None` when no hypothesis fits.
    /// Beside [`Explanation::AsDescribed`] it may be luck, see [`Self::is_explained`].
    pub explanation: Option<Explanation>,
    /// All that fits, and what luck would take; empty when the proof is there.
    pub evidence: Evidence,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl ShareFacts {
    /// Whether it carries the proof it should, and nothing is wrong with it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.is_good_but_for(&[])
    }

    /// The same, whatever is wrong with it among `harmless`.
    #[must_use]
    pub fn is_good_but_for(&self, harmless: &[Problem]) -> bool {
        self.explanation == Some(Explanation::AsDescribed)
            && self.problems.iter().all(|problem| harmless.contains(problem))
    }

    /// Whether this share alone shows how its proof comes about, because luck cannot.
    #[must_use]
    pub fn is_explained(&self) -> bool {
        self.explanation == Some(Explanation::AsDescribed)
            || self.explanation.is_some() && self.evidence.luck() < evidence::LUCK_MAX
    }

    /// `D_job / share difficulty`: uniform on (0, 1] for a miner that applies exactly its target.
    #[must_use]
    pub fn u(&self) -> Option<f64> {
        Some(self.asked?.get() / self.reached?.get())
    }
}

/// Finds out all about a submit that came on `connection` at `now`.
///
/// `params` is the JSON of its parameters as it stood; the log holds what was
/// sent and what came before. Costs one pass over the log, and some hundred
/// hashes when the proof is missing.
pub(super) fn examine(
    log: &Log,
    connection: Connection,
    request_id: Option<&str>,
    params: &str,
    now: Timestamp,
    scale: WorkScale,
) -> ShareFacts {
    let submission = Submission::read(params);
    let named = |job: &&JobRecord| job.connection == connection && job.id == submission.job_id;
    let job = jobs_newest_first(log).find(named);
    let masks = masks(log, connection);
    let mask = masks.first().copied().unwrap_or(0);
    let mut facts = ShareFacts {
        connection,
        request_id: request_id.map(str::to_owned),
        worker: submission.worker.clone(),
        job_id: submission.job_id.clone(),
        job: job.map(|job| job.number),
        extranonce2: submission.extranonce2_text.clone(),
        ntime: submission.ntime,
        nonce: submission.nonce,
        version_bits: submission.version_bits,
        mask,
        hash: None,
        reached: None,
        asked: job.map(|job| job.difficulty),
        explanation: None,
        evidence: Evidence::default(),
        problems: submission.problems.clone(),
    };
    describe(&mut facts, log, job, &submission, &masks, scale);
    facts.problems.extend(problems(&facts, job, &submission, now));
    if facts.hash.is_some_and(|hash| shares(log).any(|earlier| earlier.hash == Some(hash))) {
        facts.problems.push(Problem::Duplicate);
    }
    facts.problems.sort_unstable();
    facts
}

/// Hashes the described header, and failing that, the headers of the known mistakes.
fn describe(
    facts: &mut ShareFacts,
    log: &Log,
    job: Option<&JobRecord>,
    submission: &Submission,
    masks: &[u32],
    scale: WorkScale,
) {
    let (Some(extranonce2), Some(ntime), Some(nonce)) =
        (&submission.extranonce2, submission.ntime, submission.nonce)
    else {
        return;
    };
    let solution =
        Solution { extranonce2, ntime, nonce, version_bits: submission.version_bits, mask: facts.mask };
    if let Some(job) = job {
        let header = solution.header(job);
        let hash = sha256d_header(&header.to_bytes());
        let target = scale.target(job.difficulty);
        // A mask that was in force earlier on this connection may be the one the
        // miner knew of; that it no longer holds is a problem, not another header.
        let under = |mask: &u32| {
            let version = Solution { mask: *mask, ..solution }.version(job);
            sha256d_header(&HeaderFields { version, ..header }.to_bytes())
        };
        let proof =
            std::iter::once(hash).chain(masks.iter().skip(1).map(under)).find(|hash| target.is_met_by(hash));
        let hash = proof.unwrap_or(hash);
        facts.hash = Some(hash);
        facts.reached = Some(scale.reached(hash));
        if proof.is_some() {
            facts.explanation = Some(Explanation::AsDescribed);
            return;
        }
        facts.problems.push(Problem::Low);
    }
    facts.evidence = hypotheses::try_all(log, facts, job, &solution, scale);
    facts.explanation = facts.evidence.best();
}

/// What is wrong beside the proof and the form.
fn problems(
    facts: &ShareFacts,
    job: Option<&JobRecord>,
    submission: &Submission,
    now: Timestamp,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    match job {
        None => problems.push(Problem::UnknownJob),
        Some(job) => {
            if submission.extranonce2.as_ref().is_some_and(|bytes| bytes.len() != job.extranonce2_bytes) {
                problems.push(Problem::Extranonce2Length);
            }
            if let Some(ntime) = submission.ntime {
                let passed = now.since(job.at).0 + NTIME_SLACK.0;
                if ntime < job.ntime {
                    problems.push(Problem::NtimeTooEarly);
                } else if f64::from(ntime - job.ntime) > passed {
                    problems.push(Problem::NtimeTooLate);
                }
            }
        }
    }
    match (submission.version_bits, facts.mask) {
        (Some(bits), 0) if bits != 0 => problems.push(Problem::BitsNotGranted),
        (Some(bits), mask) if mask != 0 && bits & !mask != 0 => problems.push(Problem::BitsOutsideMask),
        (None, mask) if mask != 0 => problems.push(Problem::BitsMissing),
        _ => {}
    }
    problems
}

/// The fields of a submit that make its header.
#[derive(Debug, Clone, Copy)]
struct Solution<'a> {
    extranonce2: &'a [u8],
    ntime: u32,
    nonce: u32,
    version_bits: Option<u32>,
    mask: u32,
}

impl Solution<'_> {
    /// BIP310: the bits replace the job's inside the mask.
    fn version(&self, job: &JobRecord) -> u32 {
        match self.version_bits {
            Some(bits) => (job.version & !self.mask) | (bits & self.mask),
            None => job.version,
        }
    }

    /// The header of `job` that this describes.
    fn header(&self, job: &JobRecord) -> HeaderFields {
        let coinbase = [&job.coinb1, &job.extranonce1, self.extranonce2, &job.coinb2].concat();
        HeaderFields {
            version: self.version(job),
            prev_hash: job.prev_hash,
            merkle_root: fold_branch(sha256d(&coinbase), &job.branch),
            ntime: self.ntime,
            nbits: job.nbits,
            nonce: self.nonce,
        }
    }
}

fn jobs_newest_first(log: &Log) -> impl Iterator<Item = &JobRecord> {
    log.records.iter().rev().filter_map(|record| match &record.fact {
        Fact::Job(job) => Some(&**job),
        _ => None,
    })
}

fn shares(log: &Log) -> impl Iterator<Item = &ShareFacts> {
    log.records.iter().filter_map(|record| match &record.fact {
        Fact::Share(share) => Some(&**share),
        _ => None,
    })
}

/// Masks that were in force on `connection`, the present one first.
fn masks(log: &Log, connection: Connection) -> Vec<u32> {
    let mut masks = Vec::new();
    for record in log.records.iter().rev().filter(|record| record.connection == Some(connection)) {
        if let Fact::Changed(Difference::Mask(mask)) = record.fact
            && !masks.contains(&mask)
        {
            masks.push(mask);
        }
    }
    masks
}
