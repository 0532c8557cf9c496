//! Threads that search real proofs, so that sockets never wait for a hash.
//!
//! Searches are worked on in slices, the one that is due first before the
//! others, and dropped when nobody waits for them any more. A miner orders its
//! search a little before the share is due ([`Searchers::lead`]), so that the
//! share leaves on time although finding it costs real work.

use std::cmp::Ordering as Order;
use std::collections::BinaryHeap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::oneshot;

use super::progress::RegionProgress;
use crate::miner::{Search, Share};
use crate::units::{Seconds, Timestamp};

/// Hashes in a slice: a few milliseconds.
const SLICE: u64 = 16_384;

/// Hashes a second of one thread, until it is measured.
const RATE_GUESS: f64 = 3e6;

/// A search takes longer than this many times its mean with probability `e^-3`, 5 %.
const LEAD_MEANS: f64 = 3.0;

/// The longest lead: beyond it the fleet is too much for the CPU anyway.
const LEAD_MAX: Seconds = Seconds(5.0);

/// A share, and the search that found it, to go on with.
pub(super) type Found = (Share, Box<Search>);

struct Task {
    due: Timestamp,
    /// Hashes it takes on average, however long it has been searched.
    expected: f64,
    search: Box<Search>,
    region: Arc<RegionProgress>,
    reply: oneshot::Sender<Found>,
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Task {}

impl PartialOrd for Task {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Task {
    /// The heap gives out its greatest: the one due first.
    fn cmp(&self, other: &Self) -> Order {
        other.due.cmp(&self.due)
    }
}

#[derive(Default)]
struct Queue {
    tasks: BinaryHeap<Task>,
    quit: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    added: Condvar,
    /// Expected hashes of all tasks.
    backlog: AtomicU64,
    /// Hashes a second of one thread, as `f64` bits.
    rate_bits: AtomicU64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads; dropping this ends them.
pub(super) struct Searchers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Searchers {
    pub fn start(threads: usize) -> io::Result<Self> {
        let shared = Shared {
            queue: Mutex::default(),
            added: Condvar::new(),
            backlog: AtomicU64::new(0),
            rate_bits: AtomicU64::new(RATE_GUESS.to_bits()),
        };
        let mut searchers = Self { shared: Arc::new(shared), threads: Vec::new() };
        for index in 0..threads.clamp(1, 256) {
            let shared = Arc::clone(&searchers.shared);
            let name = format!("searcher-{index}");
            let thread = std::thread::Builder::new().name(name).spawn(move || work(&shared))?;
            searchers.threads.push(thread);
        }
        Ok(searchers)
    }

    /// Orders a share that is due at `due`. Dropping the receiver cancels it.
    pub fn order(
        &self,
        search: Box<Search>,
        due: Timestamp,
        region: &Arc<RegionProgress>,
    ) -> oneshot::Receiver<Found> {
        let (reply, found) = oneshot::channel();
        let expected = search.job().difficulty.expected_hashes();
        let task = Task { due, expected, search, region: Arc::clone(region), reply };
        self.shared.backlog.fetch_add(expected as u64, Ordering::Relaxed);
        self.shared.queue().tasks.push(task);
        self.shared.added.notify_one();
        found
    }

    /// How long before a share is due its search should be ordered.
    pub fn lead(&self, expected_hashes: f64) -> Seconds {
        let rate = f64::from_bits(self.shared.rate_bits.load(Ordering::Relaxed)) * self.threads.len() as f64;
        let backlog = self.shared.backlog.load(Ordering::Relaxed) as f64;
        // One search runs on one thread, whatever the others do.
        let own = LEAD_MEANS * expected_hashes * self.threads.len() as f64;
        Seconds(((backlog + own) / rate).min(LEAD_MAX.0))
    }
}

impl Drop for Searchers {
    fn drop(&mut self) {
        self.shared.queue().quit = true;
        self.shared.added.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared) {
    loop {
        let mut queue = shared.queue();
        let mut task = loop {
            if queue.quit {
                return;
            }
            match queue.tasks.pop() {
                Some(task) => break task,
                None => queue = shared.added.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(queue);
        let done = |expected: f64| shared.backlog.fetch_sub(expected as u64, Ordering::Relaxed);
        if task.reply.is_closed() {
            done(task.expected);
            continue;
        }
        let (began, before) = (Instant::now(), task.search.hashes());
        let share = task.search.run(SLICE);
        let hashes = task.search.hashes() - before;
        task.region.hashes.fetch_add(hashes, Ordering::Relaxed);
        if hashes == SLICE {
            learn_rate(shared, hashes as f64 / began.elapsed().as_secs_f64().max(1e-6));
        }
        match share {
            Some(share) => {
                done(task.expected);
                // Nobody waiting is no error: a new job came in this moment.
                let _ = task.reply.send((share, task.search));
            }
            None => shared.queue().tasks.push(task),
        }
    }
}

/// A moving average; lost updates between threads do no harm.
fn learn_rate(shared: &Shared, rate: f64) {
    let before = f64::from_bits(shared.rate_bits.load(Ordering::Relaxed));
    shared.rate_bits.store((before * 0.98 + rate * 0.02).to_bits(), Ordering::Relaxed);
}
