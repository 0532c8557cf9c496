//! Who the simulated miners are, and what they do.

use std::sync::Arc;

use crate::net::PoolUrl;
use crate::units::{Difficulty, Hashrate, Seconds};

/// One simulated miner.
#[derive(Debug, Clone)]
pub struct MinerSpec {
    /// The worker it authorizes.
    pub user: Arc<str>,
    /// Its password; `region=NAME` is added when it has a region.
    pub password: Arc<str>,
    /// Where it stands, for figures by region.
    pub region: Option<Arc<str>>,
    /// Real hashes a second that it may spend on shares.
    pub hashrate: Hashrate,
    /// How long a line takes from the pool to it, and back.
    pub one_way_latency: Seconds,
    /// Whether it asks for version rolling.
    pub version_rolling: bool,
}

/// A fleet.
#[derive(Debug, Clone, Default)]
pub struct FleetSpec {
    /// The miners, in the order in which they connect.
    pub miners: Vec<MinerSpec>,
    /// The part of the shares that is deliberately wrong, 0 to 1.
    pub faults_fraction: f64,
    /// The difficulty every miner asks for.
    pub suggest_difficulty: Option<Difficulty>,
    /// Decides all that is drawn; each miner has its own stream of it.
    pub seed: u64,
}

impl FleetSpec {
    /// `count` miners alike, named `user.0`, `user.1`, …, without latency.
    ///
    /// Every second one rolls versions, so that both kinds of session are seen.
    #[must_use]
    pub fn uniform(count: usize, user: &str, hashrate: Hashrate) -> Self {
        let miner = |index: usize| MinerSpec {
            user: format!("{user}.{index}").into(),
            password: "x".into(),
            region: None,
            hashrate,
            one_way_latency: Seconds(0.0),
            version_rolling: index.is_multiple_of(2),
        };
        Self { miners: (0..count).map(miner).collect(), ..Self::default() }
    }

    /// The hashrate of all miners together.
    #[must_use]
    pub fn hashrate(&self) -> Hashrate {
        self.miners.iter().map(|miner| miner.hashrate).sum()
    }
}

/// How the miners behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Each finds shares at its hashrate.
    Paced,
    /// Each keeps this many shares on the way, as fast as the pool answers.
    Load {
        /// Shares on the way per miner.
        pipeline: usize,
    },
    /// They connect, and note when jobs come.
    Idle,
}

/// A run of the swarm.
#[derive(Debug, Clone)]
pub struct SwarmOptions {
    /// The pool.
    pub pool: PoolUrl,
    /// The miners.
    pub fleet: FleetSpec,
    /// What they do.
    pub mode: Mode,
    /// New connections a second.
    pub ramp: f64,
    /// End after this time, connecting included.
    pub duration: Option<Seconds>,
    /// The pool's Prometheus metrics, to tell what miners cost it.
    pub metrics: Option<String>,
    /// Threads that search proofs which are too hard to find in passing.
    pub search_threads: usize,
}

impl SwarmOptions {
    /// A paced run against `pool` without an end.
    #[must_use]
    pub fn new(pool: PoolUrl, fleet: FleetSpec) -> Self {
        Self {
            pool,
            fleet,
            mode: Mode::Paced,
            ramp: 1_000.0,
            duration: None,
            metrics: None,
            search_threads: 1,
        }
    }
}
