//! `adit swarm`: many simulated miners against any pool.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Failure, interrupted, print, runtime};
use crate::bench::thread_seconds;
use crate::hash::calibrate;
use crate::net::PoolUrl;
use crate::swarm::{FleetSpec, Mode, SwarmOptions, SwarmProgress, run};
use crate::units::{Difficulty, Hashrate, Seconds};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 100 --seconds 30
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 100 --faults 0.05   one share in twenty is wrong
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 64 --pipeline 64 --suggest-difficulty 1e-9
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 10000 --idle --seconds 60
Exit 1: the pool gave a verdict that contradicts what a miner knows.")]
pub(super) struct Swarm {
    /// The pool, stratum+tcp://HOST:PORT
    pool: PoolUrl,
    /// Simulated miners, a socket each
    #[arg(long, value_name = "N", default_value_t = 10)]
    miners: usize,
    /// Worker names begin with this; a number follows
    #[arg(long, value_name = "NAME", default_value = "swarm")]
    user: String,
    /// Real hashes a second that each miner spends
    #[arg(long, value_name = "RATE", default_value = "10kH/s")]
    hashrate: Hashrate,
    /// Keep so many shares on the way per miner, as fast as the pool answers
    #[arg(long, value_name = "K", conflicts_with = "idle")]
    pipeline: Option<usize>,
    /// Only connect, and note when jobs come
    #[arg(long)]
    idle: bool,
    /// Fraction of the shares that is deliberately wrong, 0 to 1
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    faults: f64,
    /// Ask the pool for this difficulty
    #[arg(long, value_name = "D")]
    suggest_difficulty: Option<Difficulty>,
    /// New connections a second
    #[arg(long, value_name = "N", default_value_t = 1_000.0)]
    ramp: f64,
    /// End after so many seconds, connecting included; default: Ctrl-C
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// The pool's Prometheus metrics, to tell what the miners cost it
    #[arg(long, value_name = "URL")]
    metrics: Option<String>,
    /// Decides everything that is drawn
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Swarm {
    pub(super) fn run(self) -> Result<(), Failure> {
        calibrate(thread_seconds);
        if !(0.0..=1.0).contains(&self.faults) {
            return Err(Failure::Usage(anyhow::anyhow!(
                "--faults {} is not a fraction from 0 to 1",
                self.faults
            )));
        }
        if self.ramp.is_nan() || self.ramp <= 0.0 {
            return Err(Failure::Usage(anyhow::anyhow!("--ramp {} is not above 0", self.ramp)));
        }
        let mut fleet = FleetSpec::uniform(self.miners, &self.user, self.hashrate);
        fleet.faults_fraction = self.faults;
        fleet.suggest_difficulty = self.suggest_difficulty;
        fleet.seed = self.seed;
        let progress = Arc::new(SwarmProgress::new(&fleet));
        let mut options = SwarmOptions::new(self.pool, fleet);
        options.mode = match self.pipeline {
            Some(pipeline) => Mode::Load { pipeline: pipeline.max(1) },
            None if self.idle => Mode::Idle,
            None => Mode::Paced,
        };
        options.ramp = self.ramp;
        options.duration = self.seconds.map(Seconds);
        options.metrics = self.metrics;
        let report = runtime()?.block_on(async {
            let show = tokio::spawn(show(progress.clone()));
            let report = run(options, interrupted(), progress).await;
            show.abort();
            report
        });
        let report = report.map_err(Failure::surroundings)?;
        if self.json {
            print(serde_json::to_string(&report).map_err(Failure::surroundings)?);
        } else {
            print(&report);
        }
        if report.contradictions.total() > 0 { Err(Failure::No) } else { Ok(()) }
    }
}

/// Shows live figures on a terminal.
async fn show(progress: Arc<SwarmProgress>) {
    let bar = super::status_line();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let total = progress.total();
        bar(format!(
            "{} of {} connected   {} accepted   {} rejected   {} stale   {} blocks",
            total.connected, total.miners, total.accepted, total.rejected, total.stale, total.blocks
        ));
    }
}
