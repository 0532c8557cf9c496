//! What happened, in the words that everything downstream shares.
//!
//! A session emits events; the store, metrics, payout, energy and reports are
//! folds over them. Nothing learns of a share by any other way.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::hash::Hash;
use crate::units::{Difficulty, Timestamp};

/// Numbers the connections of one data directory, never reused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct ConnectionId(pub u64);

/// A job as one session knows it; on the wire in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct JobId(pub u32);

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Counts.
    Accepted,
    /// For the previous tip, but inside the credit window: counts.
    AcceptedLate,
    /// Does not count, and why.
    #[serde(untagged)]
    Rejected(Reject),
}

impl Verdict {
    /// Whether the share is credited.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        !matches!(self, Self::Rejected(_))
    }

    /// A stable name for metrics and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedLate => "accepted_late",
            Self::Rejected(reject) => reject.name(),
        }
    }
}

/// Why a share was refused. Told to the miner in the words of a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    /// No such job was ever sent, or it is long gone.
    UnknownJob,
    /// The job's tip was replaced longer ago than the credit window.
    Stale,
    /// The same header was credited before.
    Duplicate,
    /// The hash is above the job's share target.
    LowDifficulty,
    /// ntime before the median time that consensus demands.
    NtimeTooOld,
    /// ntime further ahead than a node accepts.
    NtimeTooNew,
    /// Version bits outside the mask, or without negotiation.
    VersionMask,
    /// extranonce2 of another length than announced.
    Extranonce2Length,
    /// A parameter is missing or not what it should be.
    Malformed,
    /// The worker was not authorized on this connection.
    Unauthorized,
    /// Submitted before subscribing.
    NotSubscribed,
}

impl Reject {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::UnknownJob,
        Self::Stale,
        Self::Duplicate,
        Self::LowDifficulty,
        Self::NtimeTooOld,
        Self::NtimeTooNew,
        Self::VersionMask,
        Self::Extranonce2Length,
        Self::Malformed,
        Self::Unauthorized,
        Self::NotSubscribed,
    ];

    /// A stable name for metrics and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownJob => "unknown_job",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::LowDifficulty => "low_difficulty",
            Self::NtimeTooOld => "ntime_too_old",
            Self::NtimeTooNew => "ntime_too_new",
            Self::VersionMask => "version_mask",
            Self::Extranonce2Length => "extranonce2_length",
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::NotSubscribed => "not_subscribed",
        }
    }
}

/// One submission and its verdict, with everything needed to judge it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// When it arrived.
    pub time: Timestamp,
    /// On which connection.
    pub connection: ConnectionId,
    /// Full worker name as submitted.
    pub worker: Arc<str>,
    /// What became of it.
    pub verdict: Verdict,
    /// The job it names; `None` when the name was no job id.
    pub job: Option<JobId>,
    /// Height of the job's block; 0 when the job is unknown.
    pub height: u32,
    /// The miner's part of the extranonce.
    pub extranonce2: Extranonce2,
    /// ntime of the header.
    pub ntime: u32,
    /// Nonce of the header.
    pub nonce: u32,
    /// Version of the header, rolled bits included.
    pub version: u32,
    /// Difficulty the job asked for; `None` when the job is unknown.
    pub difficulty_asked: Option<Difficulty>,
    /// Difficulty the header's hash reached; `None` when there is no header.
    pub difficulty_reached: Option<Difficulty>,
    /// Microseconds from sending the job to receiving the share: network both
    /// ways, the miner's switching time and its search.
    pub job_age_us: u64,
    /// What the share would have been valid under, when it failed its proof.
    pub near_miss: Option<NearMiss>,
}

/// The miner's part of the extranonce, kept inline.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Extranonce2 {
    length: u8,
    bytes: [u8; 32],
}

impl Extranonce2 {
    /// The longest that a job may ask for.
    pub const BYTES_MAX: usize = 32;

    /// `None` when longer than [`Self::BYTES_MAX`].
    #[must_use]
    pub fn new(from: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..from.len())?.copy_from_slice(from);
        Some(Self { length: from.len() as u8, bytes })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for Extranonce2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The mistake under which a failed share would have been a valid one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NearMiss {
    /// The work belongs to another job of this session.
    OtherJob {
        /// The job it was done for.
        job: JobId,
    },
    /// The difficulty of an earlier job was met, not this one's.
    OldDifficulty,
    /// The difficulty announced after this job was met: it was applied at
    /// once instead of with the next job.
    NewDifficulty,
    /// An extranonce1 this session had before.
    PreviousExtranonce,
    /// Version bits were XORed onto the job's version instead of replacing.
    VersionXor,
    /// Version bits were ORed onto the job's version instead of replacing.
    VersionOr,
    /// The header was hashed with the job's version, though bits were sent.
    VersionNotRolled,
    /// The whole rolled version was sent where only its bits belong.
    VersionWhole,
    /// The nonce was printed in the other byte order.
    NonceByteSwapped,
    /// ntime was printed in the other byte order.
    NtimeByteSwapped,
    /// extranonce2 was hashed in reverse byte order.
    Extranonce2Reversed,
}

impl NearMiss {
    /// All of them, in order; of those that name a job, with a job of no meaning.
    pub const ALL: [Self; 11] = [
        Self::OtherJob { job: JobId(0) },
        Self::OldDifficulty,
        Self::NewDifficulty,
        Self::PreviousExtranonce,
        Self::VersionXor,
        Self::VersionOr,
        Self::VersionNotRolled,
        Self::VersionWhole,
        Self::NonceByteSwapped,
        Self::NtimeByteSwapped,
        Self::Extranonce2Reversed,
    ];

    /// A stable name for metrics and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OtherJob { .. } => "other_job",
            Self::OldDifficulty => "old_difficulty",
            Self::NewDifficulty => "new_difficulty",
            Self::PreviousExtranonce => "previous_extranonce",
            Self::VersionXor => "version_xor",
            Self::VersionOr => "version_or",
            Self::VersionNotRolled => "version_not_rolled",
            Self::VersionWhole => "version_whole",
            Self::NonceByteSwapped => "nonce_byte_swapped",
            Self::NtimeByteSwapped => "ntime_byte_swapped",
            Self::Extranonce2Reversed => "extranonce2_reversed",
        }
    }
}

/// A solved block on its way to the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBlock {
    /// When the share arrived.
    pub time: Timestamp,
    /// On which connection.
    pub connection: ConnectionId,
    /// Whose share it was.
    pub worker: Arc<str>,
    /// The block's height.
    pub height: u32,
    /// The header's hash, internal order.
    pub hash: Hash,
    /// The whole block.
    pub block: bitcoin::Block,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The miner closed, or its host reset.
    Peer,
    /// No handshake within its time.
    HandshakeTimeout,
    /// A line longer than the limit.
    LineTooLong,
    /// Too many lines that are no requests.
    Malformed,
    /// It read too slowly what it was sent.
    SlowReader,
    /// The pool is shutting down.
    Shutdown,
    /// The pool's surroundings failed: a share could not be stored.
    Fault,
}

impl CloseReason {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Peer,
        Self::HandshakeTimeout,
        Self::LineTooLong,
        Self::Malformed,
        Self::SlowReader,
        Self::Shutdown,
        Self::Fault,
    ];

    /// A stable name for metrics and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::LineTooLong => "line_too_long",
            Self::Malformed => "malformed",
            Self::SlowReader => "slow_reader",
            Self::Shutdown => "shutdown",
            Self::Fault => "fault",
        }
    }
}

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A miner connected.
    Connected {
        /// When.
        time: Timestamp,
        /// As which connection.
        connection: ConnectionId,
        /// From where.
        peer: SocketAddr,
    },
    /// A miner subscribed.
    Subscribed {
        /// When.
        time: Timestamp,
        /// On which connection.
        connection: ConnectionId,
        /// What it calls itself.
        user_agent: Arc<str>,
        /// Its extranonce1 in hexadecimal.
        extranonce1: String,
        /// Whether it took up an earlier session.
        resumed: bool,
    },
    /// A worker was authorized.
    Authorized {
        /// When.
        time: Timestamp,
        /// On which connection.
        connection: ConnectionId,
        /// The worker's full name.
        worker: Arc<str>,
        /// The region it says it mines in (`region=ET` in the password).
        region: Option<Arc<str>>,
    },
    /// A share was judged.
    Share(Box<Share>),
    /// A block was found.
    BlockFound(Box<FoundBlock>),
    /// A miner's difficulty changes with its next job.
    DifficultyChanged {
        /// When.
        time: Timestamp,
        /// On which connection.
        connection: ConnectionId,
        /// To what.
        difficulty: Difficulty,
        /// Who asked for it.
        cause: DifficultyCause,
    },
    /// A line that was no valid request.
    BadLine {
        /// When.
        time: Timestamp,
        /// On which connection.
        connection: ConnectionId,
        /// What is wrong with it.
        reason: String,
    },
    /// A connection ended.
    Disconnected {
        /// When.
        time: Timestamp,
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
}

/// Who asked for a new difficulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifficultyCause {
    /// The first one of a session.
    Initial,
    /// The pool's own estimate.
    Vardiff,
    /// The miner's `suggest_difficulty`, `suggest_target` or `minimum-difficulty`.
    Miner,
}

impl DifficultyCause {
    /// A stable name for the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Vardiff => "vardiff",
            Self::Miner => "miner",
        }
    }
}
