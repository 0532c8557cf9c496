//! The one thread that writes: group commit and its answers.
//!
//! Take what waits, write it in one transaction, commit, answer everyone. A
//! failed transaction is rolled back whole and every one of its callers is
//! told; the next group starts afresh, so a disk that has room again is used
//! again. Nothing here panics because of the disk.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bitcoin::hashes::Hash as _;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::StoreFault;
use super::ids::ConnectionIds;
use super::queue::{Job, Queue, Work};
use super::rows::{self, Rows};

/// What the writer and the handles share.
pub(super) struct Shared {
    pub queue: Queue,
    pub ids: ConnectionIds,
    /// Why the last transaction failed; `None` when it did not.
    pub fault: Mutex<Option<StoreFault>>,
}

pub(super) struct Writer {
    pub db: Connection,
    pub path: Arc<Path>,
    pub gather: Duration,
    pub shared: Arc<Shared>,
}

impl Writer {
    /// Serves until the queue is closed and empty.
    pub fn run(mut self) {
        // However this ends, nobody may wait for ever.
        let _abandon = AbandonOnDrop(Arc::clone(&self.shared));
        let mut rows = Rows::new();
        while let Some(jobs) = self.shared.queue.next_group(self.gather) {
            self.commit(jobs, &mut rows);
        }
        // The ids that were reserved but not handed out are free again.
        if let Err(error) = self.shared.ids.give_back(&self.db) {
            tracing::warn!(%error, "unused connection ids stay reserved");
        }
    }

    fn commit(&mut self, jobs: Vec<Job>, rows: &mut Rows) {
        #[cfg(test)]
        for job in &jobs {
            if let Work::Tamper(tamper) = &job.work {
                tamper(&self.db);
            }
        }
        match self.transact(&jobs, rows) {
            Ok(missing) => {
                self.note(None);
                for (at, job) in jobs.into_iter().enumerate() {
                    let answer = match (&job.work, missing.contains(&at)) {
                        (Work::State(change), true) => {
                            let hash = bitcoin::BlockHash::from_byte_array(change.hash);
                            Err(StoreFault::UnknownBlock(hash))
                        }
                        _ => Ok(()),
                    };
                    job.answer(answer);
                }
            }
            Err(error) => {
                rows.forget();
                let fault = StoreFault::Write { path: Arc::clone(&self.path), cause: Arc::new(error) };
                self.note(Some(&fault));
                for job in jobs {
                    job.answer(Err(fault.clone()));
                }
            }
        }
    }

    /// Writes `jobs` in one transaction. Returns which ones named no known block.
    fn transact(&mut self, jobs: &[Job], rows: &mut Rows) -> rusqlite::Result<Vec<usize>> {
        let transaction = Transaction::new(&mut self.db, TransactionBehavior::Immediate)?;
        let reserved = self.shared.ids.reserve(&transaction)?;
        let mut missing = Vec::new();
        let events = jobs.iter().filter_map(|job| match &job.work {
            Work::Events(events) => Some(events),
            _ => None,
        });
        rows.write_events(&transaction, events.flatten())?;
        for (at, job) in jobs.iter().enumerate() {
            match &job.work {
                Work::Block(found) => rows.write_block(&transaction, found)?,
                Work::State(change) if !rows::write_state(&transaction, change)? => missing.push(at),
                _ => {}
            }
        }
        transaction.commit()?;
        self.shared.ids.reserved(reserved);
        Ok(missing)
    }

    /// Publishes how the last transaction went; logs only when that changed.
    fn note(&self, fault: Option<&StoreFault>) {
        let mut noted = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*noted, fault) {
            (None, Some(fault)) => tracing::error!("{fault}"),
            (Some(_), None) => tracing::info!(path = %self.path.display(), "the ledger can be written again"),
            _ => {}
        }
        *noted = fault.cloned();
    }
}

struct AbandonOnDrop(Arc<Shared>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}
