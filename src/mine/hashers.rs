//! The threads that hash.
//!
//! All work on one order; a counter tells them that it was replaced, and they
//! look at it about every millisecond. A
//! share goes through a short channel: if the pool sets so low a difficulty that
//! shares come faster than they can be sent, the threads wait.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::MineProgress;
use crate::miner::{Lane, MinerJob, Search, Share};
use crate::units::Hashrate;

/// Hashes between two looks at the order: about a millisecond.
const GLANCE: u64 = 32_768;

/// Shares between the threads and the connection.
const FOUND_MAX: usize = 64;

/// The longest nap of a throttled thread, and the most work it may make up for.
const NAP_MAX: Duration = Duration::from_millis(50);

/// The work of a throttled thread between two naps, as long as it should take.
const BURST: Duration = Duration::from_millis(2);

/// What the threads shall do.
#[derive(Debug, Clone)]
enum Order {
    Rest,
    Mine { job: Arc<MinerJob>, version_mask: Option<u32> },
    Quit,
}

#[derive(Debug)]
struct Board {
    order: Mutex<Order>,
    replaced: Condvar,
    /// Counts orders, each after it was written; looked at without the lock.
    number: AtomicU64,
}

impl Board {
    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, order: Order) {
        *self.order() = order;
        self.number.fetch_add(1, Ordering::Release);
        self.replaced.notify_all();
    }

    /// The newest order and its number; waits while it is to rest.
    fn take(&self) -> (Order, u64) {
        let mut order = self.order();
        while matches!(*order, Order::Rest) {
            order = self.replaced.wait(order).unwrap_or_else(PoisonError::into_inner);
        }
        // An order given between here and the reading of the number is seen at the next glance.
        (order.clone(), self.number.load(Ordering::Acquire))
    }

    fn is_newest(&self, number: u64) -> bool {
        self.number.load(Ordering::Acquire) == number
    }
}

/// The hashing threads; dropping them ends them.
#[derive(Debug)]
pub(super) struct Hashers {
    board: Arc<Board>,
    threads: Vec<JoinHandle<()>>,
    /// Shares they found.
    pub found: mpsc::Receiver<Share>,
}

impl Hashers {
    /// Starts `threads`, which begin their search at `extranonce2` and rest.
    pub fn start(
        threads: usize,
        limit: Option<Hashrate>,
        extranonce2: u64,
        progress: &Arc<MineProgress>,
    ) -> io::Result<Self> {
        let board =
            Board { order: Mutex::new(Order::Rest), replaced: Condvar::new(), number: AtomicU64::new(0) };
        let (sender, found) = mpsc::channel(FOUND_MAX);
        let mut hashers = Self { board: Arc::new(board), threads: Vec::new(), found };
        let threads = threads.clamp(1, 1024) as u32;
        for index in 0..threads {
            let mut hasher = Hasher {
                board: Arc::clone(&hashers.board),
                lane: Lane { index, of: threads },
                extranonce2,
                throttle: limit.map(|limit| Throttle::new(limit.hashes_per_second() / f64::from(threads))),
                found: sender.clone(),
                progress: Arc::clone(progress),
            };
            let thread =
                std::thread::Builder::new().name(format!("hasher-{index}")).spawn(move || hasher.work())?;
            hashers.threads.push(thread);
        }
        Ok(hashers)
    }

    /// Puts all threads on a job at once.
    pub fn mine(&self, job: Arc<MinerJob>, version_mask: Option<u32>) {
        self.board.give(Order::Mine { job, version_mask });
    }

    /// Lets them rest until there is work.
    pub fn rest(&self) {
        self.board.give(Order::Rest);
    }
}

impl Drop for Hashers {
    fn drop(&mut self) {
        self.board.give(Order::Quit);
        // Frees those that wait to hand over a share.
        self.found.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Hasher {
    board: Arc<Board>,
    lane: Lane,
    extranonce2: u64,
    throttle: Option<Throttle>,
    found: mpsc::Sender<Share>,
    progress: Arc<MineProgress>,
}

impl Hasher {
    fn work(&mut self) {
        let mut search: Option<Search> = None;
        loop {
            let (order, number) = self.board.take();
            let Order::Mine { job, version_mask } = order else { return };
            let search = match &mut search {
                Some(search) => {
                    search.take_up(job, version_mask);
                    search
                }
                none => none.insert(Search::fastest(job, version_mask, self.lane, self.extranonce2)),
            };
            while self.board.is_newest(number) {
                let before = search.hashes();
                let share = search.run(self.throttle.as_ref().map_or(GLANCE, Throttle::glance));
                let hashes = search.hashes() - before;
                self.progress.hashes.fetch_add(hashes, Ordering::Relaxed);
                if let Some(share) = share
                    && self.found.blocking_send(share).is_err()
                {
                    return;
                }
                if let Some(throttle) = &mut self.throttle {
                    throttle.pace(hashes);
                }
            }
        }
    }
}

/// Keeps a thread at a hashrate by napping.
#[derive(Debug)]
struct Throttle {
    hashes_per_second: f64,
    /// When the hashes so far are due.
    due: Instant,
}

impl Throttle {
    fn new(hashes_per_second: f64) -> Self {
        Self { hashes_per_second: hashes_per_second.max(1.0), due: Instant::now() }
    }

    /// Hashes between two naps. A fast CPU is done with them at once, so their
    /// shares come together: few enough that nobody can tell.
    fn glance(&self) -> u64 {
        let burst = self.hashes_per_second * BURST.as_secs_f64();
        (burst as u64).clamp(1, GLANCE)
    }

    fn pace(&mut self, hashes: u64) {
        self.due += Duration::from_secs_f64(hashes as f64 / self.hashes_per_second);
        let now = Instant::now();
        // Time lost to others is not made up for in a burst.
        self.due = self.due.max(now.checked_sub(NAP_MAX).unwrap_or(now));
        let mut ahead = self.due.saturating_duration_since(now);
        while !ahead.is_zero() {
            std::thread::sleep(ahead.min(NAP_MAX));
            ahead = self.due.saturating_duration_since(Instant::now());
        }
    }
}
