//! A proof of work on its way to the pool.

use std::sync::Arc;

use super::faults::{Fault, INTRUDER, UNKNOWN_JOB};
use super::job::MinerJob;
use crate::event::Extranonce2;
use crate::hash::Hash;
use crate::stratum::v1::{Submit, write_submit};
use crate::units::{Difficulty, Target};

/// A header that was tried, with the job it belongs to.
#[derive(Debug, Clone)]
pub struct Share {
    /// The job it was made for.
    pub job: Arc<MinerJob>,
    /// The miner's part of the extranonce.
    pub extranonce2: Extranonce2,
    /// ntime of the header.
    pub ntime: u32,
    /// Nonce of the header.
    pub nonce: u32,
    /// The version bits to send; `None` when rolling was not negotiated.
    pub version_bits: Option<u32>,
    /// The header's hash.
    pub hash: Hash,
    /// The one thing that is deliberately wrong with it.
    pub fault: Option<Fault>,
}

impl Share {
    /// The difficulty its hash reached.
    #[must_use]
    pub fn reached(&self) -> Difficulty {
        Target::from_le_bytes(self.hash).difficulty()
    }

    /// Whether the network would take it as a block.
    #[must_use]
    pub fn is_block(&self) -> bool {
        self.job.network_target().is_met_by(&self.hash)
    }

    /// The job it names on the wire.
    #[must_use]
    pub fn job_named(&self) -> &str {
        if self.fault == Some(Fault::UnknownJob) { UNKNOWN_JOB } else { &self.job.notice.id }
    }

    /// The worker it names on the wire, where `user` is the one authorized.
    #[must_use]
    pub fn worker_named<'a>(&self, user: &'a str) -> &'a str {
        if self.fault == Some(Fault::UnauthorizedWorker) { INTRUDER } else { user }
    }

    /// Whether both are the same header of the same job.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.hash == other.hash && Arc::ptr_eq(&self.job, &other.job)
    }

    /// Writes its `mining.submit`.
    pub fn write(&self, out: &mut Vec<u8>, id: u64, user: &str) {
        let submit = Submit {
            worker: self.worker_named(user).into(),
            job: None,
            extranonce2: Some(self.extranonce2),
            ntime: self.ntime,
            nonce: self.nonce,
            version_bits: self.version_bits,
        };
        write_submit(out, id, self.job_named(), &submit);
    }
}
