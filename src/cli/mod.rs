//! The command line.
//!
//! Exit codes: 0 good; 1 the answer is no; 2 wrong usage; 3 our surroundings
//! failed. Each command is a file that turns its flags into a library call.

mod bench;
mod check;
mod demo;
mod diff;
mod export;
mod mine;
mod record;
mod replay;
mod serve;
mod site;
mod spread;
mod swarm;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::ConfigError;
use crate::hash;

/// A Bitcoin mining pool simulator and Stratum server.
#[derive(Debug, Parser)]
#[command(
    name = "adit",
    version,
    about,
    max_term_width = 100,
    after_help = "\
First minute:   adit demo
Exit codes:     0 good, 1 the answer is no, 2 wrong usage, 3 our surroundings failed
Logs:           --log debug, or the variable ADIT_LOG (for example ADIT_LOG=adit::server=debug)"
)]
struct Cli {
    /// What to log to stderr: error, warn, info, debug, trace, or a filter
    #[arg(long, global = true, env = "ADIT_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Hash with this backend, not with the fastest in a trial; `adit bench hash --list` names them
    #[arg(long, global = true, env = "ADIT_HASH_BACKEND", value_name = "NAME")]
    backend: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at once: pool, chain, and a fleet in many regions over real TCP
    Demo(demo::Demo),
    /// Run the pool for any miner
    Serve(serve::Serve),
    /// Mine on a pool with the CPU
    Mine(mine::Mine),
    /// Load a pool with simulated miners that carry real proofs
    Swarm(swarm::Swarm),
    /// Examine a miner: be its pool, and tell what it does wrong
    Check(Box<check::Check>),
    /// Stand between miners and a pool, and write down what they say
    Record(record::Record),
    /// Play a recorded pool to a miner
    Replay(replay::Replay),
    /// Tell what two recorded miners, or pools, did differently
    Diff(diff::Diff),
    /// Measure what this machine can do
    Bench(bench::Bench),
    /// Tell where hashrate goes, and what its spread does to the network
    Spread(spread::Spread),
    /// Tell what one mining site costs and earns
    Site(site::Site),
    /// Write the ledger of a data directory as CSV or Parquet
    Export(export::Export),
}

/// Why a command did not end well; decides the exit code.
#[derive(Debug)]
enum Failure {
    /// The answer is no.
    No,
    /// Wrong usage.
    Usage(anyhow::Error),
    /// Our surroundings failed.
    Surroundings(anyhow::Error),
}

impl Failure {
    /// The error itself, where the exit code is decided elsewhere.
    fn into_error(self) -> anyhow::Error {
        match self {
            Self::No => anyhow::anyhow!("the answer is no"),
            Self::Usage(error) | Self::Surroundings(error) => error,
        }
    }

    fn surroundings(error: impl Into<anyhow::Error>) -> Self {
        Self::Surroundings(error.into())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.into())
    }
}

/// Parses the arguments, runs the command, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let default = match &cli.command {
        Command::Serve(_) | Command::Record(_) | Command::Replay(_) => "info",
        _ => "warn",
    };
    let filter = cli.log.as_deref().unwrap_or(default);
    let filter = match EnvFilter::try_new(filter) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("error: --log {filter}: {error}; try info or adit::server=debug");
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let backend = cli.backend.as_deref();
    if let Some(name) = backend
        && let Err(error) = hash::force(name)
    {
        eprintln!("error: --backend {name}: {error}");
        return ExitCode::from(2);
    }
    let result = match cli.command {
        Command::Bench(bench) => bench.run(backend),
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Mine(mine) => mine.run(),
        Command::Swarm(swarm) => swarm.run(),
        Command::Check(check) => check.run(),
        Command::Record(record) => record.run(),
        Command::Replay(replay) => replay.run(),
        Command::Diff(diff) => diff.run(),
        Command::Spread(spread) => spread.run(),
        Command::Site(site) => site.run(),
        Command::Export(export) => export.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::No) => ExitCode::from(1),
        Err(Failure::Usage(error)) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::from(2)
        }
        Err(Failure::Surroundings(error)) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::from(3)
        }
    }
}

/// An error with the causes that it does not name itself.
fn describe(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        said if said.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}

/// The async runtime of a command.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::surroundings)
}

/// Ends when the user or the system asks the program to end.
///
/// Listens from the call on, not from the first poll: call it before saying
/// that the program runs, or who reads that and stops it kills it.
#[cfg(unix)]
fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        let [Ok(mut interrupt), Ok(mut terminate)] = signals else {
            // Not to be caught here, so it ends the program by itself.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Ends when the user asks the program to end.
#[cfg(not(unix))]
async fn interrupted() {
    let _ = tokio::signal::ctrl_c().await;
}

/// Writes text to stdout. A reader that has gone away, such as `head`, is no failure.
fn print(text: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Shows a line on stderr: over the one before on a terminal, nothing elsewhere.
fn status_line() -> impl Fn(String) {
    let bar = indicatif::ProgressBar::new_spinner();
    move |line| {
        bar.set_message(line);
        bar.tick();
    }
}
