//! The log of the present case, bounded whatever a peer does.

use crate::conformance::log::{Connection, Fact, Log, Record};
use crate::units::Timestamp;

/// Records of a case at most that a peer can cause.
const RECORDS_MAX: usize = 100_000;

/// Bytes of a case at most that a peer can cause to be kept.
const BYTES_MAX: usize = 16 << 20;

/// A log with a limit.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    log: Log,
    bytes: usize,
    dropped: u64,
}

impl Ledger {
    /// What was observed.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Where the next record goes.
    pub fn len(&self) -> usize {
        self.log.records.len()
    }

    /// Facts that were left out.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds a fact; what the case itself does is always kept.
    pub fn push(&mut self, at: Timestamp, connection: Option<Connection>, fact: Fact) {
        let bytes = match &fact {
            Fact::Mark(_) | Fact::Trial(..) | Fact::TrialEnd => 0,
            Fact::Met(_) | Fact::Missed(_) | Fact::MissedOptional(_) => 0,
            Fact::Said(bytes) | Fact::Told(bytes) => bytes.len() + 1,
            Fact::Request { method, id, params } => {
                method.len() + params.len() + id.as_ref().map_or(1, String::len)
            }
            Fact::Reply { id, line } => id.len() + line.len() + 1,
            Fact::BadLine(what) | Fact::TlsRefused(what) => what.len() + 1,
            Fact::Share(share) => share.worker.len() + share.job_id.len() + share.extranonce2.len() + 256,
            Fact::Job(job) => job.coinb1.len() + job.coinb2.len() + 32 * job.branch.len() + 256,
            _ => 1,
        };
        let full = self.bytes + bytes > BYTES_MAX || self.log.records.len() >= RECORDS_MAX;
        if bytes > 0 && full {
            self.dropped += 1;
            return;
        }
        self.bytes += bytes;
        self.log.records.push(Record { at, connection, fact });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_fill_it_but_the_case_goes_on() {
        let mut ledger = Ledger::default();
        for _ in 0..100 {
            ledger.push(Timestamp(0), None, Fact::Said(vec![0; 1 << 20]));
        }
        assert!(ledger.dropped() > 80);
        for _ in 0..2 * RECORDS_MAX {
            ledger.push(Timestamp(0), None, Fact::Opened(crate::conformance::Listener::Main));
        }
        assert_eq!(ledger.len(), RECORDS_MAX);
        ledger.push(Timestamp(0), None, Fact::Mark("end".into()));
        assert_eq!(ledger.len(), RECORDS_MAX + 1);
    }
}
