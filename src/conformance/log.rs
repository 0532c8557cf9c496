//! What was observed: facts in order, with their time.
//!
//! The log is all that judges, reports and transcripts know. A case's log
//! begins with its first step and holds all connections of the case.

use super::share::ShareFacts;
use crate::hash::Hash;
use crate::units::{Difficulty, Timestamp};

/// Numbers the connections of an examination, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Connection(pub u32);

/// Numbers the jobs of an examination, from 1; names on the wire may repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct JobNumber(pub u32);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// The miner sent FIN.
    Fin,
    /// The miner sent RST.
    Rst,
    /// The network gave up.
    TimedOut,
    /// The pool ended it.
    ByPool,
}

/// A job as it was sent.
#[derive(Debug, Clone)]
pub struct JobRecord {
    /// Its number.
    pub number: JobNumber,
    /// The connection it was sent on.
    pub connection: Connection,
    /// The case's name for it.
    pub label: Option<String>,
    /// Its id on the wire.
    pub id: String,
    /// When it was sent.
    pub at: Timestamp,
    /// `clean_jobs` as sent.
    pub clean: bool,
    /// Whether it builds on another block than the job before on its connection.
    pub new_block: bool,
    /// Whether a miner can be expected to work on it: no parameter is nonsense.
    pub sound: bool,
    /// Extranonce1 that was in force.
    pub extranonce1: Vec<u8>,
    /// Bytes of extranonce2 that were in force.
    pub extranonce2_bytes: usize,
    /// The difficulty in force for it.
    pub difficulty: Difficulty,
    /// Hash of the previous block, internal order.
    pub prev_hash: Hash,
    /// Coinbase before the extranonce.
    pub coinb1: Vec<u8>,
    /// Coinbase after it.
    pub coinb2: Vec<u8>,
    /// Siblings of the coinbase.
    pub branch: Vec<Hash>,
    /// Block version.
    pub version: u32,
    /// Compact network target.
    pub nbits: u32,
    /// ntime.
    pub ntime: u32,
}

/// A change that the pool announced.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// A difficulty, for jobs sent later.
    Difficulty(Difficulty),
    /// An extranonce, for jobs sent later.
    Extranonce {
        /// The pool's part.
        extranonce1: Vec<u8>,
        /// Bytes of the miner's part.
        extranonce2_bytes: usize,
    },
    /// Version bits that may be rolled from now on; zero when none.
    Mask(u32),
}

/// One fact.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A connection was accepted, on which listener.
    Opened(super::examiner::Listener),
    /// A connection ended.
    Closed(Closing),
    /// The miner began TLS and refused the certificate, with this alert.
    TlsRefused(String),
    /// The miner said a line, without its line feed. Lines beyond the limit are cut.
    Said(Vec<u8>),
    /// The pool sent bytes, as they went out.
    Told(Vec<u8>),
    /// A request of the miner was read.
    Request {
        /// The method.
        method: String,
        /// The id as it stood.
        id: Option<String>,
        /// The parameters as they stood.
        params: String,
    },
    /// The miner replied to a request of the pool.
    Reply {
        /// The id as it stood.
        id: String,
        /// The whole line.
        line: String,
    },
    /// A line that is no JSON object, or not UTF-8, or too long; what is wrong.
    BadLine(String),
    /// The miner is subscribed and authorized.
    Ready,
    /// A job went out.
    Job(Box<JobRecord>),
    /// A change was announced.
    Changed(Difference),
    /// A share came, with all that can be known of it.
    Share(Box<ShareFacts>),
    /// The pool answered a share: accepted or not.
    Answered {
        /// Index of the share's record in the log.
        share: usize,
        /// Whether it was accepted.
        accepted: bool,
    },
    /// A moment that the case names.
    Mark(String),
    /// A trial of a sweep began: its name and value.
    Trial(String, String),
    /// The trial ended.
    TrialEnd,
    /// An expectation was met.
    Met(String),
    /// An expectation was not met: what, and why it matters.
    Missed(String),
    /// An optional expectation was not met; the case went on.
    MissedOptional(String),
    /// A round trip was measured, in seconds.
    RoundTrip(f64),
}

/// A fact, when, and on which connection.
#[derive(Debug, Clone)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// On which connection; `None` for facts of the case itself.
    pub connection: Option<Connection>,
    /// What.
    pub fact: Fact,
}

/// Facts in order.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Oldest first.
    pub records: Vec<Record>,
}

impl Log {
    /// The jobs in the order they were sent.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &JobRecord> {
        self.records.iter().filter_map(|record| match &record.fact {
            Fact::Job(job) => Some(&**job),
            _ => None,
        })
    }

    /// The job with a number.
    #[must_use]
    pub fn job(&self, number: JobNumber) -> Option<&JobRecord> {
        self.jobs().find(|job| job.number == number)
    }

    /// The newest job on a connection with this id on the wire.
    #[must_use]
    pub fn newest_job_named(&self, connection: Connection, id: &str) -> Option<&JobRecord> {
        self.jobs().rev().find(|job| job.connection == connection && job.id == id)
    }
}
