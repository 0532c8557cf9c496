//! `adit record`: a proxy that writes down what a miner and its pool say.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{Failure, interrupted, print, runtime};
use crate::net::PoolUrl;
use crate::tap::{RecordOptions, Rules, record};
use crate::units::Seconds;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit record --listen 0.0.0.0:3334 --upstream stratum+tcp://pool.example.org:3333 --out session.jsonl
                                              then point the miner at port 3334
  adit record --listen 127.0.0.1:3334 --upstream stratum+tcp://127.0.0.1:3333 --out lossy.jsonl \\
      --rules lossy.toml --seconds 60         with faults by rules
A rule: [[rule]] from = \"pool\", method = \"mining.notify\", nth = 2, action = \"drop\"
Formats of rules and recordings: docs/record-replay.md
Ctrl-C ends it. Passwords are hidden; worker names, often a payout address, are not.")]
pub(super) struct Record {
    /// Where miners connect
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The pool, stratum+tcp://HOST:PORT
    #[arg(long, value_name = "URL")]
    upstream: PoolUrl,
    /// File to write, JSON lines; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What to drop, delay, split, duplicate, rewrite, or end the connection at
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Write the passwords of mining.authorize down
    #[arg(long)]
    keep_passwords: bool,
    /// End after so many seconds; default: Ctrl-C
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

impl Record {
    pub(super) fn run(self) -> Result<(), Failure> {
        let rules = self.rules.map(|file| rules(&file).map(|rules| (file, rules))).transpose()?;
        let options = RecordOptions {
            listen: self.listen,
            upstream: self.upstream,
            out: self.out.clone(),
            rules,
            keep_passwords: self.keep_passwords,
            duration: self.seconds.map(Seconds),
        };
        let summary = runtime()?.block_on(async { record(options, interrupted()).await });
        print(format_args!("{}: {}", self.out.display(), summary.map_err(Failure::surroundings)?));
        Ok(())
    }
}

fn rules(file: &Path) -> Result<Rules, Failure> {
    let text = std::fs::read_to_string(file);
    let text =
        text.with_context(|| format!("cannot read the rules {}", file.display())).map_err(Failure::Usage)?;
    Rules::parse(&text).with_context(|| file.display().to_string()).map_err(Failure::Usage)
}
