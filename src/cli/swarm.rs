//! `adit swarm`: many simulated miners against any pool.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::serve::failure;
use super::{Failure, interrupted, print, runtime};
use crate::bench::thread_seconds;
use crate::energy::Site;
use crate::hash::calibrate;
use crate::metrics::{Exposition, FleetMetrics};
use crate::net::{Clock, PoolUrl};
use crate::swarm::{
    FleetBill, FleetSpec, Mode, SiteArg, SiteBill, SwarmOptions, SwarmProgress, SwarmReport, run,
};
use crate::units::{Difficulty, Hashrate, Seconds};
use crate::web;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 100 --seconds 30
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 100 --faults 0.05   one share in twenty is wrong
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 64 --pipeline 64 --suggest-difficulty 1e-9
  adit swarm stratum+tcp://127.0.0.1:3333 --miners 10000 --idle --seconds 60
  adit swarm stratum+tcp://127.0.0.1:3333 --site 'ET:4:Antminer S21' --site 'NO:4:Whatsminer M60S'
A miner of a site hashes a ten billionth of what its device would, and is charged the device's power.
Exit 1: the pool gave a verdict that contradicts what a miner knows.")]
pub(super) struct Swarm {
    /// The pool, stratum+tcp://HOST:PORT
    pool: PoolUrl,
    /// Instead of --miners and --hashrate: N devices of a model in a region, with its latency and
    /// its electricity's price; repeatable. Names: data/regions.csv, data/devices.csv
    #[arg(long = "site", value_name = "REGION:N:DEVICE", conflicts_with_all = ["miners", "hashrate"])]
    sites: Vec<SiteArg>,
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
    /// Serve the fleet's own Prometheus metrics here: miners, energy and its cost by region
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
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
        let sites: Vec<Site> = self.sites.into_iter().map(|site| site.0).collect();
        let mut fleet = if sites.is_empty() {
            FleetSpec::uniform(self.miners, &self.user, self.hashrate)
        } else {
            FleetSpec::at_sites(&sites, &format!("{}.", self.user)).map_err(|e| Failure::Usage(e.into()))?
        };
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
        let (report, bills) = runtime()?.block_on(async {
            let exposition = Arc::new(Exposition::new());
            if let Some(address) = self.http {
                let bound = web::start_fleet(address, exposition.clone()).await.map_err(failure)?;
                tracing::info!("the fleet's metrics: http://{bound}/metrics");
            }
            let mut watch = Watch::new(sites, progress.clone(), exposition.fleet());
            let report = tokio::select! {
                report = run(options, interrupted(), progress) => report.map_err(Failure::surroundings)?,
                never = watch.show() => never,
            };
            watch.charge();
            Ok::<_, Failure>((report, watch.bill.read()))
        })?;
        if self.json {
            let told = Told { report: &report, bills: &bills };
            print(serde_json::to_string(&told).map_err(Failure::surroundings)?);
        } else {
            print(&report);
            bills.iter().for_each(print);
        }
        if report.contradictions.total() > 0 { Err(Failure::No) } else { Ok(()) }
    }
}

/// The report as JSON.
#[derive(serde::Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a SwarmReport,
    /// Of each site; none without sites.
    bills: &'a [SiteBill],
}

/// What is done while the fleet runs.
struct Watch {
    progress: Arc<SwarmProgress>,
    bill: FleetBill,
    metrics: FleetMetrics,
    clock: Clock,
}

impl Watch {
    fn new(sites: Vec<Site>, progress: Arc<SwarmProgress>, metrics: FleetMetrics) -> Self {
        let clock = Clock::start();
        Self { progress, bill: FleetBill::new(sites, clock.now()), metrics, clock }
    }

    /// Charges the power of what is connected, and shows live figures on a terminal; never ends.
    async fn show(&mut self) -> ! {
        let bar = super::status_line();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.charge();
            let total = self.progress.total();
            bar(format!(
                "{} of {} connected   {} accepted   {} rejected   {} stale   {} blocks",
                total.connected, total.miners, total.accepted, total.rejected, total.stale, total.blocks
            ));
        }
    }

    fn charge(&mut self) {
        let figures = self.progress.read();
        self.bill.charge(&figures, self.clock.now());
        self.bill.show(&figures, &self.metrics);
    }
}
