//! `adit demo`: everything at once, over real TCP, in the first minute.
//!
//! A pool on an embedded chain, a fleet of simulated miners in many regions, and
//! the CPU as one real miner. Every share carries a real proof. A simulated
//! miner stands for one device of its region: it hashes a fixed fraction of what
//! the device would, has the region's latency to the pool, and is charged the
//! device's power at the tariff of the hour.

mod fleet;
mod summary;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio::time::Instant;

use super::serve::{failure, start};
use super::{Failure, interrupted, print, runtime};
use crate::config::{ChainSettings, Overrides, Settings};
use crate::mine;
use crate::mine::{MineOptions, MineProgress};
use crate::net::PoolUrl;
use crate::pool::VardiffSettings;
use crate::server::Server;
use crate::swarm;
use crate::swarm::{SwarmOptions, SwarmProgress, SwarmReport};
use crate::units::{Difficulty, Hashrate, Seconds};
use crate::web;
use fleet::DemoFleet;
use summary::Live;

/// What the CPU miner may spend: a fraction of a core, so that the demo runs beside other work.
const CPU_HASHES_PER_SECOND: f64 = 2e6;

/// Mean time between blocks that the difficulty of the demo's chain is set for.
const BLOCK_INTERVAL: Seconds = Seconds(3.0);

/// What vardiff aims at: enough shares to watch.
const SHARE_INTERVAL: Seconds = Seconds(2.0);

/// Credit for work on the old tip. Shorter than the way to the far regions and
/// back, so that distance shows as stale shares.
const LATE_CREDIT: Seconds = Seconds(0.1);

/// What ending takes: answers on the way, the last commit.
const ENDING: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit demo                          until Ctrl-C, with a page in the browser
  adit demo --seconds 30 --json      one JSON object at the end
In the JSON, hashrate_hs is what the credited shares prove; the devices that the miners
stand for are 10^10 times as fast, and energy_kwh and cost_usd are theirs.
Exit 1: a verdict of the pool contradicts what a miner knows.")]
pub(super) struct Demo {
    /// End after so many seconds, at least 6; default: Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(6..))]
    seconds: Option<u64>,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
    /// Where the page, the API and metrics are; default: 127.0.0.1:8080, or a free port
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Keep ledger and chain here; default: a directory that is removed at the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Decides everything that is drawn
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let temporary;
        let data = match &self.data {
            Some(dir) => dir.clone(),
            None => {
                temporary =
                    tempfile::Builder::new().prefix("adit-demo-").tempdir().map_err(Failure::surroundings)?;
                temporary.path().to_owned()
            }
        };
        runtime()?.block_on(self.show(data))
    }

    async fn show(&self, data: PathBuf) -> Result<(), Failure> {
        let began = Instant::now();
        let interrupted = interrupted();
        let fleet = DemoFleet::new(self.seed);
        let hashrate = fleet.spec.hashrate().hashes_per_second() + CPU_HASHES_PER_SECOND;
        let pool = start(settings(data, hashrate)?).await?;
        let page = self.page(&pool).await?;
        let url = format!("stratum+tcp://{}", pool.v1());
        eprintln!(
            "pool {url}   page http://{page}   {} miners in {} regions",
            fleet.spec.miners.len(),
            fleet.sites.len()
        );

        let pool_url: PoolUrl = url.parse().map_err(Failure::surroundings)?;
        let (stop, stopping) = watch::channel(false);
        let cpu = tokio::spawn(mine::run(
            cpu_miner(pool_url.clone(), self.seed),
            stopped(stopping.clone()),
            Arc::new(MineProgress::default()),
        ));
        let progress = Arc::new(SwarmProgress::new(&fleet.spec));
        let options = SwarmOptions::new(pool_url, fleet.spec.clone());
        let mut miners = tokio::spawn(swarm::run(options, stopped(stopping), progress.clone()));

        let end = self.seconds.map(|seconds| began + Duration::from_secs(seconds) - ENDING);
        let mut live = Live::new(&fleet, pool.service().clone(), progress);
        tokio::select! {
            () = live.watch() => {}
            () = interrupted => {}
            () = until(end) => {}
            // Only when it fails: it has no end of its own.
            ended = &mut miners => return Err(ended.map_or_else(Failure::surroundings, unexpected)),
        }
        stop.send_replace(true);
        let report = miners.await.map_err(Failure::surroundings)?.map_err(Failure::surroundings)?;
        let mined = cpu.await.map_err(Failure::surroundings)?.map_err(Failure::surroundings)?;
        let summary = live.summary(&report, &mined)?;
        pool.stop().await;
        if self.json {
            print(serde_json::to_string(&summary).map_err(Failure::surroundings)?);
        } else {
            print(&summary);
        }
        for example in &report.contradictions.examples {
            eprintln!("wrong verdict: {}\n  -> {}\n  <- {}", example.what, example.submit, example.answer);
        }
        if summary.wrong_verdicts > 0 { Err(Failure::No) } else { Ok(()) }
    }

    /// Serves the page where it was asked for, or else where it can.
    async fn page(&self, pool: &Server) -> Result<SocketAddr, Failure> {
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        let service = pool.service();
        match web::start(self.http.unwrap_or(usual), service.clone()).await {
            Err(_) if self.http.is_none() => {
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                web::start(any, service.clone()).await.map_err(failure)
            }
            bound => bound.map_err(failure),
        }
    }
}

/// A pool whose blocks and shares come at a pace that can be watched.
fn settings(data: PathBuf, hashrate: f64) -> Result<Settings, Failure> {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let overrides = Overrides { v1: Some(loopback), data: Some(data), ..Overrides::default() };
    let mut settings = Settings::load(None, &overrides)?;
    let difficulty_for = |hashrate: f64, interval: Seconds| {
        Difficulty::ONE.scaled(hashrate * interval.0 / Difficulty::ONE.expected_hashes())
    };
    if let ChainSettings::Embedded(chain) = &mut settings.chain {
        chain.params = chain.params.clone().with_difficulty(difficulty_for(hashrate, BLOCK_INTERVAL));
    }
    settings.pool.difficulty_initial =
        difficulty_for(fleet::MEAN_HASHES_PER_SECOND, SHARE_INTERVAL).rounded();
    settings.pool.vardiff = Some(VardiffSettings { share_interval: SHARE_INTERVAL });
    settings.pool.late_credit = LATE_CREDIT;
    Ok(settings)
}

fn cpu_miner(pool: PoolUrl, seed: u64) -> MineOptions {
    let rate = Hashrate::new(CPU_HASHES_PER_SECOND);
    let interval = Difficulty::ONE.share_interval(rate.unwrap_or_default());
    MineOptions {
        hashrate: rate,
        suggest_difficulty: Some(Difficulty::ONE.scaled(SHARE_INTERVAL.0 / interval.0).rounded()),
        network: bitcoin::Network::Regtest,
        seed,
        ..MineOptions::new(pool, "cpu")
    }
}

fn unexpected(ended: Result<SwarmReport, swarm::SwarmError>) -> Failure {
    match ended {
        Err(error) => Failure::surroundings(error),
        Ok(_) => Failure::Surroundings(anyhow::anyhow!("the fleet ended before it was asked to")),
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the demo is over.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}
