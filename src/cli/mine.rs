//! `adit mine`: the CPU as a miner.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Failure, interrupted, print, runtime};
use crate::bench::thread_seconds;
use crate::hash::calibrate;
use crate::mine::{MineFigures, MineOptions, MineProgress, run};
use crate::net::PoolUrl;
use crate::units::{Difficulty, Hashrate, Seconds};

/// How often the figures are written where there is no terminal.
const SHOW_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit mine stratum+tcp://127.0.0.1:3333 --user me
  adit mine stratum+tcp://127.0.0.1:3333 --user me --threads 2 --shares 10 --json
  adit mine stratum+tcp://127.0.0.1:3333 --user me --attempts 3     exit 3 when nobody answers")]
pub(super) struct Mine {
    /// The pool, stratum+tcp://HOST:PORT
    pool: PoolUrl,
    /// Worker name
    #[arg(long, value_name = "NAME")]
    user: String,
    /// Password; pools take options from it
    #[arg(long, value_name = "TEXT", default_value = "x")]
    password: String,
    /// Threads that hash; default: one per core
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Give up after so many failed attempts in a row (exit 3)
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// Hash no faster than this, such as 500kH/s
    #[arg(long, value_name = "RATE")]
    hashrate: Option<Hashrate>,
    /// End after so many accepted shares
    #[arg(long, value_name = "N")]
    shares: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Ask the pool for this difficulty
    #[arg(long, value_name = "D")]
    suggest_difficulty: Option<Difficulty>,
    /// Do not ask for version rolling
    #[arg(long)]
    no_version_rolling: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Mine {
    pub(super) fn run(self) -> Result<(), Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = MineOptions::new(self.pool.clone(), &self.user);
        options.password = self.password;
        options.threads = self.threads.unwrap_or(cores).max(1);
        options.attempts = self.attempts;
        options.hashrate = self.hashrate;
        options.shares = self.shares;
        options.duration = self.seconds.map(Seconds);
        options.version_rolling = !self.no_version_rolling;
        options.suggest_difficulty = self.suggest_difficulty;
        // Two miners of one user must not begin their search at the same place.
        options.seed = u64::from(std::process::id());
        calibrate(thread_seconds);
        let progress = Arc::new(MineProgress::default());
        let summary = runtime()?.block_on(async {
            let show = tokio::spawn(show(progress.clone()));
            let summary = run(options, interrupted(), progress).await;
            show.abort();
            summary
        });
        let summary = summary.map_err(Failure::surroundings)?;
        if self.json {
            print(serde_json::to_string(&summary).map_err(Failure::surroundings)?);
        } else {
            print(summary);
        }
        Ok(())
    }
}

/// Shows live figures: a line that changes on a terminal, a line now and then elsewhere.
async fn show(progress: Arc<MineProgress>) {
    let is_terminal = std::io::stderr().is_terminal();
    let every = if is_terminal { Duration::from_secs(1) } else { SHOW_EVERY };
    let bar = super::status_line();
    let mut before = progress.read();
    loop {
        tokio::time::sleep(every).await;
        let now = progress.read();
        let rate = (now.hashes - before.hashes) as f64 / every.as_secs_f64();
        let text = line(&now, Hashrate::new(rate).unwrap_or_default());
        if is_terminal {
            bar(text)
        } else {
            eprintln!("{text}")
        }
        before = now;
    }
}

fn line(figures: &MineFigures, rate: Hashrate) -> String {
    let MineFigures { connected, accepted, rejected, blocks, difficulty, .. } = figures;
    let state = if *connected { "" } else { "not connected   " };
    let difficulty = difficulty.map_or_else(String::new, |difficulty| format!("   difficulty {difficulty}"));
    format!("{state}{accepted} accepted   {rejected} rejected   {blocks} blocks   {rate}{difficulty}")
}
