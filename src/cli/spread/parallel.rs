//! Work cut into numbered pieces, on all cores, with progress on a terminal and an end by Ctrl-C.
//!
//! Pieces are taken as threads become free; what is made of them must not
//! depend on which thread took which.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{Failure, interrupted, runtime};

/// Whether the user wants no more. Dropping it gives Ctrl-C its usual meaning back at the end of the program.
pub(super) struct Stop {
    stopped: Arc<AtomicBool>,
    _runtime: tokio::runtime::Runtime,
}

impl Stop {
    /// Listens from here on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let runtime = runtime()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let told = stopped.clone();
        runtime.spawn(async move {
            interrupted().await;
            told.store(true, Ordering::Relaxed);
        });
        Ok(Self { stopped, _runtime: runtime })
    }

    /// The same as a flag, for those that look themselves.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.stopped
    }

    /// Whether the user has asked to stop.
    pub(super) fn is_asked(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Does pieces 0 to `pieces`, each by `work` into a sum of the thread's own that `empty` makes, and
/// returns the sums. Fewer pieces are done when `stop` is asked.
pub(super) fn pieces<T: Send>(
    what: &'static str,
    pieces: u64,
    stop: &Stop,
    empty: impl Fn() -> T + Sync,
    work: impl Fn(u64, &mut T) + Sync,
) -> Vec<T> {
    let bar = ProgressBar::new(pieces).with_message(what);
    // Without a template that indicatif takes there is its usual bar.
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {eta} left") {
        bar.set_style(style);
    }
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let one = || {
        let mut sum = empty();
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces || stop.is_asked() {
                return sum;
            }
            work(piece, &mut sum);
            bar.inc(1);
        }
    };
    let sums = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let joined = started.into_iter().map(|thread| thread.join());
        joined.map(|sum| sum.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    bar.finish_and_clear();
    sums
}
