//! `adit bench`: what this machine can do.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};

use super::{Failure, interrupted, print, runtime};
use crate::bench::{HashBench, Limit, Report, Row, hashing, hyper_threads, spread, thread_seconds};
use crate::hash::{self, Choice, backend};

#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How fast each hash backend scans, beside the sha2 crate and the CPU's limit
    Hash(Hash),
    /// How fast the world model runs: days, hours, and many runs on all cores
    Spread(Spread),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit bench spread
  adit bench spread --runs 1000 --json")]
struct Spread {
    /// Runs by hours on all cores
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Spread {
    fn run(&self) -> Result<(), Failure> {
        let speed = spread(self.runs);
        if self.json {
            print(serde_json::to_string(&speed).map_err(Failure::surroundings)?);
        } else {
            print(speed);
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit bench hash
  adit bench hash --threads 1 --seconds 30 --json
  adit bench hash --backend avx2                      only this one and the reference
  adit bench hash --list                              which backends this CPU has

Rates are per second of CPU time, the median of nine turns. Ctrl-C ends after
the present turn and reports what there is.")]
struct Hash {
    /// Threads to measure with, beside one; default: one per core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// How long to measure, all together
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// Print the rows as JSON
    #[arg(long)]
    json: bool,
    /// Only list the backends, with those that this CPU lacks
    #[arg(long)]
    list: bool,
}

impl Bench {
    pub(super) fn run(self, backend: Option<&str>) -> Result<(), Failure> {
        match self.what {
            What::Hash(bench) => bench.run(backend),
            What::Spread(bench) => bench.run(),
        }
    }
}

impl Hash {
    fn run(self, name: Option<&str>) -> Result<(), Failure> {
        let only = name.map(backend::find).transpose().map_err(|error| Failure::Usage(error.into()))?;
        if self.list {
            print(list());
            return Ok(());
        }
        if !(self.seconds.is_finite() && self.seconds > 0.0) {
            return Err(Failure::Usage(anyhow::anyhow!("--seconds {} is no time; try 10", self.seconds)));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.map_or(cores, usize::from);
        let options = HashBench { threads, seconds: self.seconds, only };
        let choice = hash::calibrate(thread_seconds);
        let stop = Arc::new(AtomicBool::new(false));
        let report = runtime()?.block_on(async {
            let stopped = interrupted();
            let measured = tokio::task::spawn_blocking({
                let stop = Arc::clone(&stop);
                move || hashing(&options, &stop)
            });
            tokio::pin!(stopped, measured);
            tokio::select! {
                report = &mut measured => report,
                () = &mut stopped => {
                    stop.store(true, Ordering::Relaxed);
                    measured.await
                }
            }
        });
        let report = report.map_err(Failure::surroundings)?;
        if self.json {
            print(serde_json::to_string(&report.rows).map_err(Failure::surroundings)?);
        } else {
            print(text(&report, choice, only.is_some()));
        }
        Ok(())
    }
}

/// Letters of the longest name of a backend.
fn names_width() -> usize {
    backend::names().map(str::len).max().unwrap_or_default()
}

/// All backends, and whether this CPU has them.
fn list() -> String {
    let available: Vec<&str> = backend::available().map(backend::Backend::name).collect();
    let width = names_width();
    let lines = backend::names().map(|name| {
        let state = if available.contains(&name) { "available" } else { "SKIPPED: this CPU lacks it" };
        format!("{name:<width$} {state}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn text(report: &Report, choice: &Choice, forced: bool) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    let width = names_width();
    line(format!(
        "{:<width$} {:<8} {:>7}  {:>8} {:>8} {:>8}  {:>8}  {:>6}  {:>8}  {:>7}",
        "backend", "mode", "threads", "MH/s", "min", "max", "by wall", "x sha2", "of limit", "J/MH"
    ));
    for row in &report.rows {
        let Row { backend, mode, threads, mhs_median, mhs_min, mhs_max, mhs_wall, ratio_to_sha2, .. } = row;
        let share = row.share_of_limit.map_or_else(|| "-".into(), |share| format!("{:.0} %", share * 100.0));
        let joules = row.joules_per_mh.map_or_else(|| "-".into(), |joules| format!("{joules:.3}"));
        line(format!(
            "{backend:<width$} {mode:<8} {threads:>7}  {mhs_median:>8.2} {mhs_min:>8.2} {mhs_max:>8.2}  \
             {mhs_wall:>8.2}  {ratio_to_sha2:>6.2}  {share:>8}  {joules:>7}"
        ));
    }
    line(format!(
        "\nMH/s are per second of CPU time, summed over threads; median, worst and best of {} turns.",
        report.alternations
    ));
    if report.rows.iter().all(|row| row.joules_per_mh.is_none()) {
        line("J/MH: the CPU's energy meter (/sys/class/powercap) is not there or not ours to read.".into());
    }
    line("\nLimit: operations that a group of headers needs, over the rate of such operations alone:".into());
    for port in &report.ports {
        line(format!("  {:<15} {:>7.2} billion a second", port.name, port.per_second / 1e9));
    }
    for backend in backend::available() {
        for (versions, mode) in [(false, "nonce"), (true, "versions")] {
            let Some(limit) = Limit::of(backend, versions, &report.ports) else { continue };
            if versions && !backend.rolls_versions() {
                continue;
            }
            let operations = limit.operations;
            let (all, all_name) = operations.all;
            let (some, some_name) = operations.some;
            line(format!(
                "  {:<width$} {mode:<8} {:>2} headers: {all} x {all_name}, of which {some} x {some_name}: {:.1} MH/s",
                backend.name(),
                operations.headers,
                limit.hashes_per_second / 1e6
            ));
        }
    }
    line(format!("\n{}", scaling(report)));
    line(chosen(choice, forced));
    text.trim_end().to_owned()
}

/// How more threads compare with one.
fn scaling(report: &Report) -> String {
    let siblings = match hyper_threads() {
        Some(true) => "some CPUs are threads of one core, and share its units",
        Some(false) => "each CPU is a core of its own, as far as the system says",
        None => "the system does not say which CPUs share a core",
    };
    let one = |row: &&Row| {
        report.rows.iter().find(|one| one.threads == 1 && (one.backend, one.mode) == (row.backend, row.mode))
    };
    let gains: Vec<String> = report
        .rows
        .iter()
        .filter(|row| row.threads > 1)
        .filter_map(|row| {
            let one = one(&row)?;
            let (cpu, wall) = (row.mhs_median / one.mhs_median, row.mhs_wall / one.mhs_wall);
            Some(format!("{} {} {cpu:.2} x (wall {wall:.2} x)", row.backend, row.mode))
        })
        .collect();
    match gains.as_slice() {
        [] => format!("Threads: {siblings}."),
        gains => format!("Threads: {} of one thread; {siblings}.", gains.join(", ")),
    }
}

/// Which backend is used, and why.
fn chosen(choice: &Choice, forced: bool) -> String {
    let trial: Vec<String> = choice
        .trial
        .iter()
        .map(|speed| {
            let mode = if speed.versions { " versions" } else { "" };
            format!("{}{mode} {:.1}", speed.backend.name(), speed.hashes_per_second / 1e6)
        })
        .collect();
    let why = if forced {
        "as --backend or ADIT_HASH_BACKEND says".to_owned()
    } else {
        format!("the fastest in a trial of 20 ms (MH/s: {})", trial.join(", "))
    };
    let versions = choice.versions.map_or("none", |backend| backend.name());
    format!("Chosen: {} for nonces, {versions} for rolled versions: {why}.", choice.nonces.name())
}
