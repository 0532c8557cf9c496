//! `adit check`: what a miner does wrong, or a pool.

mod choose;
mod compare;
mod list;
mod matrix;
mod pool;
mod run;
mod show;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Failure;
use crate::conformance::Suite;
use crate::conformance::pool::PoolCase;
use crate::net::PoolUrl;
use crate::units::Hashrate;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit check --v1 0.0.0.0:3333                        then point the device at this machine, port 3333
  adit check --v1 0.0.0.0:3333 --suite full --hashrate 1.2TH/s --out bitaxe-2.9
  adit check --v1 127.0.0.1:3333 --case H04 X01       only these cases
  adit check --v1 127.0.0.1:3333 --against known.toml exit 0 while only known cases fail
  adit check --compare 2.8/report.json 2.9/report.json
  adit check --pool stratum+tcp://127.0.0.1:3333      the other side: 47 cases about a pool
  adit check --list --json | jq -r '.[].id'
  adit check --explain H04
  adit check --matrix                                 that each case can fail
Files in --out: report.html for you, report.json for --compare, junit.xml for CI,
transcripts/ID.jsonl with every line of both sides.
Exit codes: 0 no case failed, 1 a case failed (or got worse), 2 wrong usage, 3 no miner came,
a port is taken, or the examination ended early. More: docs/check.md, docs/check-pool.md")]
pub(super) struct Check {
    /// Be the pool at this address, and examine the miner that connects
    #[arg(long, value_name = "ADDR", value_parser = address)]
    v1: Option<SocketAddr>,
    /// Be the miner, and examine this pool, stratum+tcp://HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with_all = ["v1", "suite", "cases", "against", "list", "explain", "compare"])]
    pool: Option<PoolUrl>,
    /// Which cases to run [default: quick]
    #[arg(long, value_enum, value_name = "SUITE", conflicts_with = "case")]
    suite: Option<SuiteName>,
    /// Run these cases only, in this order
    #[arg(long, value_name = "ID", num_args = 1..)]
    case: Vec<String>,
    /// Add the case files of a folder; alone, only they are run
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// What the miner claims to hash; measured first when not given
    #[arg(long, value_name = "RATE", value_parser = claim)]
    hashrate: Option<Hashrate>,
    /// Write the report into this folder [default: adit-report; for --compare: none]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Accept the failures that this file lists with a reason
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// How the miner reaches this machine, where that is not the address it connects to
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Another address of this machine, which no miner may be sent to [default: 127.0.0.2 on loopback]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    decoy: Option<SocketAddr>,
    /// Where the pool moves to when its name leads elsewhere
    #[arg(long, value_name = "ADDR", value_parser = address)]
    moved: Option<SocketAddr>,
    /// Offer TLS with a bad certificate here when a case wants it
    #[arg(long, value_name = "ADDR", value_parser = address)]
    tls: Option<SocketAddr>,
    /// Wait so long for the miner to come at all
    #[arg(long, value_name = "S", default_value_t = 600)]
    wait: u64,
    /// Decides extranonces, coinbases and hashes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// List the cases, of one suite or all
    #[arg(long, conflicts_with_all = ["explain", "compare"])]
    list: bool,
    /// Tell what a case does, what correct firmware does, and how it is judged
    #[arg(long, value_name = "ID", conflicts_with = "compare")]
    explain: Option<String>,
    /// Compare two report.json: exit 1 when something got worse
    #[arg(long, value_names = ["BEFORE", "AFTER"], num_args = 2)]
    compare: Option<Vec<PathBuf>>,
    /// Prove the suite: all cases against replicas of firmware, in virtual time
    #[arg(long, conflicts_with_all = ["v1", "pool", "list", "explain", "compare"])]
    matrix: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    of_pool: pool::CheckPool,
}

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "it is no address to listen on; IP:PORT, such as 0.0.0.0:3333 for all addresses of this machine"
            .to_owned()
    })
}

/// A hashrate that a miner can have.
fn claim(text: &str) -> Result<Hashrate, String> {
    let rate: Hashrate = text.parse().map_err(|error: crate::units::ParseError| error.to_string())?;
    if rate.hashes_per_second() >= 1.0 { Ok(rate) } else { Err("a miner does at least 1 H/s".to_owned()) }
}

/// A suite, as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SuiteName {
    /// The most telling cases, under three minutes
    Quick,
    /// All that take less than half an hour each
    Full,
    /// What a hostile pool could do
    Security,
    /// Statistics and latencies
    Timing,
    /// What takes long
    Soak,
}

impl SuiteName {
    fn suite(self) -> Suite {
        match self {
            Self::Quick => Suite::Quick,
            Self::Full => Suite::Full,
            Self::Security => Suite::Security,
            Self::Timing => Suite::Timing,
            Self::Soak => Suite::Soak,
        }
    }
}

/// A suite's name.
fn suite_name(suite: Suite) -> &'static str {
    match suite {
        Suite::Quick => "quick",
        Suite::Full => "full",
        Suite::Security => "security",
        Suite::Timing => "timing",
        Suite::Soak => "soak",
    }
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        if let Some(files) = &self.compare {
            return compare::compare(files, self.out.as_deref(), self.json);
        }
        if self.matrix {
            return matrix::matrix(self.json);
        }
        if let Some(pool) = self.pool {
            return self.of_pool.run(pool, &self.case, self.json, self.out.as_deref());
        }
        let catalogue = choose::Catalogue::read(self.cases.as_deref())?;
        if let Some(id) = &self.explain {
            if let Some(case) = PoolCase::named(id) {
                return list::explain_pool(case, self.json);
            }
            return list::explain(catalogue.find(id)?, self.json);
        }
        if self.list {
            return list::list(&catalogue.choose_or_all(self.suite, &self.case)?, self.json);
        }
        run::run(self, &catalogue)
    }
}
