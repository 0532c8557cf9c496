//! What waits for the writer, and how the wait for an answer looks.
//!
//! A queue under a mutex instead of a channel, because the writer takes from
//! it in ways a channel does not offer: a whole group at once, blocks before
//! everything else, and a wait that ends early when enough has come. The
//! condition variable is signalled only when the writer can act on it, not for
//! every batch: while it gathers or commits, appending costs no system call.
//!
//! The queue is unbounded. It is the callers that bound it: a connection hands
//! in its next batch when the last one was acknowledged.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::StateChange;
use super::error::StoreFault;
use crate::event::{Event, FoundBlock};

/// Events in one transaction, at most by a batch. Large enough that the disk's
/// flush is spread thin (4 ms over 8,192 rows), small enough that a found block
/// does not wait long for the transaction in front of it (about 10 ms).
pub(super) const EVENTS_PER_COMMIT: usize = 8_192;

/// Resolves when everything handed in is on disk, or is known not to be.
///
/// Dropping it changes nothing: what was handed in is still stored.
#[must_use = "what was handed in is stored only when this resolves to Ok"]
#[derive(Debug)]
pub struct Ack(oneshot::Receiver<Result<(), StoreFault>>);

impl Ack {
    /// Blocks until it resolves, for callers without an async runtime.
    ///
    /// # Panics
    /// Inside an async task.
    pub fn wait(self) -> Result<(), StoreFault> {
        self.0.blocking_recv().unwrap_or(Err(StoreFault::Closed))
    }
}

impl Future for Ack {
    type Output = Result<(), StoreFault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(StoreFault::Closed)))
    }
}

/// Something to store.
pub(super) enum Work {
    Events(Vec<Event>),
    Block(Box<FoundBlock>),
    State(StateChange),
    /// Runs on the writer's connection outside any transaction: how tests break the disk.
    #[cfg(test)]
    Tamper(fn(&rusqlite::Connection)),
}

impl Work {
    fn events(&self) -> usize {
        match self {
            Self::Events(events) => events.len(),
            _ => 1,
        }
    }
}

/// Work and who waits for it. Dropping it unanswered reports [`StoreFault::Closed`].
pub(super) struct Job {
    pub work: Work,
    done: oneshot::Sender<Result<(), StoreFault>>,
}

impl Job {
    pub fn answer(self, answer: Result<(), StoreFault>) {
        // Whoever waited may be gone; the work is done all the same.
        let _ = self.done.send(answer);
    }
}

#[derive(Default)]
struct Waiting {
    /// Blocks, served first and each at once.
    urgent: VecDeque<Job>,
    /// The rest, in order.
    ordinary: VecDeque<Job>,
    /// Events in `ordinary`.
    events: usize,
    /// When `ordinary` last stopped being empty.
    since: Option<Instant>,
    /// The writer sleeps until there is anything at all.
    idle: bool,
    /// Nothing more is taken in.
    closed: bool,
}

/// Between everyone who stores and the one thread that writes.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is left half done under this lock, so a panic elsewhere does no harm.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands work to the writer.
    pub fn push(&self, work: Work) -> Ack {
        let (done, ack) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.closed {
            return Ack(ack); // `done` drops here and says so
        }
        let events = work.events();
        let urgent = matches!(work, Work::Block(_));
        let job = Job { work, done };
        let mut wake = waiting.idle || urgent;
        if urgent {
            waiting.urgent.push_back(job);
        } else {
            waiting.since.get_or_insert_with(Instant::now);
            waiting.events += events;
            waiting.ordinary.push_back(job);
            wake |= waiting.events >= EVENTS_PER_COMMIT && waiting.events - events < EVENTS_PER_COMMIT;
        }
        drop(waiting);
        if wake {
            self.wake.notify_one();
        }
        Ack(ack)
    }

    /// Takes in nothing more; what waits is still served.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Takes in nothing more and drops what waits, telling each caller.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.urgent.clear();
        waiting.ordinary.clear();
    }

    /// What to commit next; `None` when closed and empty. Called by the writer.
    ///
    /// Ordinary work waits until `gather` has passed since it began to queue:
    /// what piled up during the last commit has waited already.
    pub fn next_group(&self, gather: Duration) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        loop {
            if !waiting.urgent.is_empty() {
                return Some(waiting.urgent.drain(..).collect());
            }
            let waited = waiting.since.map(|since| since.elapsed());
            match waited {
                None if waiting.closed => return None,
                None => {
                    waiting.idle = true;
                    waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                    waiting.idle = false;
                }
                Some(waited) if waited < gather && waiting.events < EVENTS_PER_COMMIT && !waiting.closed => {
                    let rest = self.wake.wait_timeout(waiting, gather - waited);
                    waiting = rest.unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => return Some(take_group(&mut waiting)),
            }
        }
    }
}

/// As many whole batches as fit one transaction, at least one.
fn take_group(waiting: &mut Waiting) -> Vec<Job> {
    let mut events = 0;
    let fits = |job: &&Job| {
        events += job.work.events();
        events <= EVENTS_PER_COMMIT
    };
    let jobs = waiting.ordinary.iter().take_while(fits).count().max(1);
    let group: Vec<Job> = waiting.ordinary.drain(..jobs).collect();
    waiting.events -= group.iter().map(|job| job.work.events()).sum::<usize>();
    if waiting.ordinary.is_empty() {
        waiting.since = None;
    }
    group
}
