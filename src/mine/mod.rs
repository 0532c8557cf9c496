//! The CPU miner behind `adit mine`: one connection, N threads of hashing.
//!
//! | file | does |
//! |---|---|
//! | `driver` | keeps a connection to the pool, and the threads on its newest job |
//! | `hashers` | the threads |
//! | `progress` | figures for whoever shows them |
//!
//! The rules are `miner`'s; here are only sockets, threads and the clock.
//!
//! `client.reconnect` is followed to the configured host only, on whichever port
//! it names. Stratum V1 is neither encrypted nor signed: whoever can write one
//! line into the connection could otherwise send the miner to work for
//! somebody else, for good and unseen.

mod driver;
mod hashers;
mod progress;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use progress::{MineFigures, MineProgress};

use crate::net::PoolUrl;
use crate::units::{Difficulty, Hashrate, Seconds};

/// What to mine, and for how long.
#[derive(Debug, Clone)]
pub struct MineOptions {
    /// The pool.
    pub pool: PoolUrl,
    /// The worker to mine as.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Threads that hash.
    pub threads: usize,
    /// Consecutive failed attempts to reach the pool before giving up; `None` never gives up.
    pub attempts: Option<u32>,
    /// The most to hash, all threads together; `None` takes what the CPU gives.
    pub hashrate: Option<Hashrate>,
    /// End after this many accepted shares.
    pub shares: Option<u64>,
    /// End after this time.
    pub duration: Option<Seconds>,
    /// Whether to ask for version rolling.
    pub version_rolling: bool,
    /// The difficulty to ask for.
    pub suggest_difficulty: Option<Difficulty>,
    /// How addresses of the coinbase are written in the log.
    pub network: bitcoin::Network,
    /// Decides the jitter of reconnects and where the search begins.
    pub seed: u64,
}

impl MineOptions {
    /// One thread on `pool` as `user`, without an end.
    #[must_use]
    pub fn new(pool: PoolUrl, user: &str) -> Self {
        Self {
            pool,
            user: user.to_owned(),
            password: "x".to_owned(),
            threads: 1,
            attempts: None,
            hashrate: None,
            shares: None,
            duration: None,
            version_rolling: true,
            suggest_difficulty: None,
            network: bitcoin::Network::Bitcoin,
            seed: 0,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct MineSummary {
    /// How long it ran.
    pub seconds: Seconds,
    /// Hashes computed.
    pub hashes: u64,
    /// Shares that count.
    pub accepted: u64,
    /// Shares that do not, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Shares that the pool did not answer.
    pub unanswered: u64,
    /// Shares found too late to be sent.
    pub outdated: u64,
    /// Shares that were blocks.
    pub blocks: u64,
    /// The best difficulty reached.
    pub best: Option<Difficulty>,
    /// Sessions begun, the first included.
    pub sessions: u64,
}

impl MineSummary {
    /// The mean hashrate.
    #[must_use]
    pub fn hashrate(&self) -> Hashrate {
        Hashrate::new(self.hashes as f64 / self.seconds.0.max(1e-3)).unwrap_or_default()
    }
}

impl std::fmt::Display for MineSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} accepted", self.accepted)?;
        for (reason, count) in &self.rejected {
            write!(f, ", {count} {reason}")?;
        }
        if self.unanswered > 0 {
            write!(f, ", {} unanswered", self.unanswered)?;
        }
        if self.blocks > 0 {
            write!(f, ", {} blocks", self.blocks)?;
        }
        write!(f, "; {} over {}", self.hashrate(), self.seconds)
    }
}

/// Why mining ended without being asked to. Our surroundings are to blame.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// The pool could not be reached, or let nobody in, too often in a row.
    #[error("gave up on {pool} after {attempts} failed attempts: {last}")]
    GaveUp {
        /// The pool.
        pool: PoolUrl,
        /// Consecutive failures.
        attempts: u32,
        /// What went wrong in the last one.
        last: String,
    },
    /// The system gave no thread.
    #[error("cannot start a hashing thread: {0}; try fewer --threads")]
    Thread(#[from] std::io::Error),
}

/// Mines until `stop` completes, the options' end is reached, or the pool stays out of reach.
///
/// # Errors
/// See [`MineError`].
pub async fn run(
    options: MineOptions,
    stop: impl Future<Output = ()>,
    progress: Arc<MineProgress>,
) -> Result<MineSummary, MineError> {
    let duration = options.duration;
    let mut miner = driver::Driver::new(options, progress)?;
    let end = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        outcome = miner.mine() => outcome?,
        () = stop => {}
        () = end => {}
    }
    Ok(miner.into_summary())
}

#[cfg(test)]
mod tests;
