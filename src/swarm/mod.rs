//! Thousands of simulated miners against any pool, behind `adit swarm` and `adit demo`.
//!
//! | file | does |
//! |---|---|
//! | `sites` | lets miners stand for devices of regions, and charges their power |
//! | `spec` | says who the miners are and what they do |
//! | `miner` | lives one miner's life on a real socket |
//! | `delay` | makes the way to the pool longer |
//! | `searchers` | searches proofs that are too hard to find in passing |
//! | `ledger`, `tips` | gather what the miners find out |
//! | `probe` | asks the pool what they cost it |
//! | `progress` | shows live figures by region |
//! | `report` | tells it all at the end |
//!
//! A miner is one task with one socket, a few kilobytes and no timer of its own
//! but one. Proofs are real, so the pool under test does all its work; because
//! the miner knows exactly what it sent, it also checks every verdict.

mod delay;
mod ledger;
mod miner;
mod probe;
mod progress;
mod report;
mod searchers;
mod sites;
mod spec;
mod tips;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub use ledger::{Contradictions, Example, FaultCount, Percentiles};
pub use probe::ProbeError;
pub use progress::{RegionFigures, RegionProgress, SwarmProgress};
pub use report::{ConnectionReport, PoolCost, ShareReport, SwarmReport};
pub use sites::{FleetBill, SiteArg, SiteBill, SiteError, of_site};
pub use spec::{FleetSpec, MinerSpec, Mode, SwarmOptions};
pub use tips::TipReport;

use crate::net::{Clock, PoolUrl};
use crate::units::Timestamp;
use ledger::{Ledger, read};
use miner::Fleet;
use probe::Reading;
use searchers::Searchers;

/// How long after the ramp the last miner may take to be let in.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// How long answers are waited for at the end, a little more than the oracle's grace.
const DRAIN_LIMIT: Duration = Duration::from_millis(2_500);

/// File descriptors that the process needs beside the miners' sockets.
const OTHER_FILES: u64 = 64;

/// Why a run cannot be made. Our surroundings are to blame.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// An empty fleet.
    #[error("the fleet has no miner")]
    NoMiners,
    /// More sockets than the system gives.
    #[error("{wanted} miners need {} open files, the limit is {limit}: raise it with `ulimit -n`", wanted + OTHER_FILES)]
    FileLimit {
        /// Miners asked for.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// The system gave no thread.
    #[error("cannot start a searching thread: {0}; try fewer")]
    Thread(#[from] std::io::Error),
    /// The pool's metrics cannot be read.
    #[error(transparent)]
    Metrics(#[from] ProbeError),
    /// No miner ever connected.
    #[error("no miner could connect to {pool}: {last}")]
    Unreachable {
        /// The pool.
        pool: PoolUrl,
        /// What went wrong last.
        last: String,
    },
}

/// Runs a fleet until `stop` completes or its time is over.
///
/// `progress` must be made from the same fleet.
///
/// # Errors
/// See [`SwarmError`].
pub async fn run(
    options: SwarmOptions,
    stop: impl Future<Output = ()>,
    progress: Arc<SwarmProgress>,
) -> Result<SwarmReport, SwarmError> {
    check(&options)?;
    let ramp = Duration::from_secs_f64(options.fleet.miners.len() as f64 / options.ramp.max(1e-3));
    let clock = Clock::start();
    let fleet = Arc::new(Fleet {
        clock,
        searchers: Searchers::start(options.search_threads)?,
        ledger: Ledger::default(),
        draining: AtomicBool::new(false),
        options,
    });
    let before = Sample::take(&fleet).await?;
    let began = Instant::now();
    let mut miners = JoinSet::new();
    for (index, spec) in fleet.options.fleet.miners.iter().enumerate() {
        miners.spawn(miner::live(Arc::clone(&fleet), index, progress.region(spec.region.as_ref())));
    }
    let end = async {
        match fleet.options.duration {
            Some(duration) => sleep_until(began + duration.into()).await,
            None => std::future::pending().await,
        }
    };
    let mut end = pin!(async {
        tokio::select! {
            () = stop => {}
            () = end => {}
        }
    });
    let all_in = async {
        let latest = began + ramp + CONNECT_LIMIT;
        let all = fleet.options.fleet.miners.len() as u64;
        while progress.total().connected < all && Instant::now() < latest {
            sleep(Duration::from_millis(50)).await;
        }
        // Let the last handshake's memory and CPU time show in the metrics.
        sleep(Duration::from_millis(500)).await;
    };
    let is_over = tokio::select! {
        () = all_in => false,
        () = &mut end => true,
    };
    let connected = progress.total().connected;
    let start = if is_over { before } else { Sample::take(&fleet).await? };
    if !is_over {
        end.await;
    }
    let last = Sample::take(&fleet).await?;
    let connected_at_end = progress.total().connected;
    drain(&fleet).await;
    miners.shutdown().await;
    if read(&fleet.ledger.opened) == 0 {
        let (pool, last) = (fleet.options.pool.clone(), fleet.ledger.last_trouble());
        return Err(SwarmError::Unreachable { pool, last });
    }
    let cost = cost(&before, &start, &last, connected);
    Ok(report(&fleet, &progress, [before.at, start.at, last.at], &start, &last, connected_at_end, cost))
}

fn check(options: &SwarmOptions) -> Result<(), SwarmError> {
    let wanted = options.fleet.miners.len() as u64;
    if wanted == 0 {
        return Err(SwarmError::NoMiners);
    }
    match file_limit() {
        Some(limit) if wanted + OTHER_FILES > limit => Err(SwarmError::FileLimit { wanted, limit }),
        _ => Ok(()),
    }
}

/// How many files this process may open; `None` where the system does not say.
fn file_limit() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The state of a run at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    verdicts: u64,
    pool: Option<Reading>,
}

impl Sample {
    async fn take(fleet: &Fleet) -> Result<Self, SwarmError> {
        let pool = match fleet.options.metrics.clone() {
            Some(url) => {
                let read = tokio::task::spawn_blocking(move || probe::read(&url));
                Some(read.await.map_err(std::io::Error::other)??)
            }
            None => None,
        };
        Ok(Self { at: fleet.clock.now(), verdicts: read(&fleet.ledger.answered), pool })
    }
}

/// Sends nothing more, and waits for what is on the way.
async fn drain(fleet: &Fleet) {
    fleet.draining.store(true, Ordering::Relaxed);
    let latest = Instant::now() + DRAIN_LIMIT;
    let waiting = || fleet.ledger.in_flight() + read(&fleet.ledger.undecided);
    while waiting() > 0 && Instant::now() < latest {
        sleep(Duration::from_millis(20)).await;
    }
}

fn cost(before: &Sample, start: &Sample, last: &Sample, connected: u64) -> Option<PoolCost> {
    let (empty, full, end) = (before.pool?, start.pool?, last.pool?);
    let cpu_seconds = end.cpu_seconds - full.cpu_seconds;
    let verdicts = last.verdicts - start.verdicts;
    let grown = full.resident_bytes - empty.resident_bytes;
    Some(PoolCost {
        cpu_us_per_verdict: (verdicts > 0).then(|| cpu_seconds * 1e6 / verdicts as f64),
        cpu_cores: cpu_seconds / last.at.since(start.at).0.max(1e-3),
        resident_bytes_per_connection: (connected > 0 && start.at > before.at)
            .then(|| grown / connected as f64),
    })
}

fn report(
    fleet: &Fleet,
    progress: &SwarmProgress,
    [began, full, ended]: [Timestamp; 3],
    start: &Sample,
    last: &Sample,
    connected_at_end: u64,
    pool: Option<PoolCost>,
) -> SwarmReport {
    let Fleet { options, ledger, .. } = fleet;
    let total = progress.total();
    let times = ledger.total();
    let measured = ended.since(full);
    SwarmReport {
        mode: options.mode,
        seconds: ended.since(began),
        measured_seconds: measured,
        miners: total.miners,
        hashrate: options.fleet.hashrate(),
        hashes: total.hashes,
        blocks: total.blocks,
        connections: ConnectionReport {
            opened: read(&ledger.opened),
            failed: read(&ledger.failed),
            lost: read(&ledger.lost),
            at_end: connected_at_end,
            handshake: Percentiles::of(&times.handshake),
            last_trouble: Some(ledger.last_trouble()).filter(|trouble| !trouble.is_empty()),
        },
        shares: ShareReport {
            sent: read(&ledger.sent),
            accepted: total.accepted,
            rejected: times.rejected,
            unanswered: ledger.in_flight() + read(&ledger.unanswered),
            verdicts_per_second: (last.verdicts - start.verdicts) as f64 / measured.0.max(1e-3),
            latency: Percentiles::of(&times.latency),
            search_lag: Percentiles::of(&times.lag),
        },
        contradictions: ledger.contradictions(),
        new_tips: ledger.tips(),
        pool,
        regions: progress.read(),
    }
}

#[cfg(test)]
mod tests;
