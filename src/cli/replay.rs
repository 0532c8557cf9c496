//! `adit replay`: a recorded pool, played to another miner.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{Failure, interrupted, print, runtime};
use crate::tap::{Part, ReplayOptions, replay};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit replay session.jsonl --listen 0.0.0.0:3334          to every miner that connects, until Ctrl-C
  adit replay session.jsonl --listen 0.0.0.0:3334 --once   to one miner
  adit replay session.jsonl --listen 127.0.0.1:3334 --once --speed 10
Exit 0: the miner did as the recorded one; 1: it did not, and stdout says what; 3: file or port.
What is adapted and what is compared: docs/record-replay.md")]
pub(super) struct Replay {
    /// A recording of `adit record`, or a transcript of `adit check`
    file: PathBuf,
    /// Where miners connect
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The recorded connection to play; default: the first on which a miner subscribed
    #[arg(long, value_name = "N")]
    connection: Option<u32>,
    /// Faster (2) or slower (0.5) than recorded
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    speed: f64,
    /// End after the first miner
    #[arg(long)]
    once: bool,
}

impl Replay {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !(0.001..=1_000.0).contains(&self.speed) {
            return Err(Failure::Usage(anyhow::anyhow!("--speed {} is outside 0.001..=1000", self.speed)));
        }
        let recording = super::diff::read(&self.file)?;
        let part = Part::of(&recording, self.connection).with_context(|| self.file.display().to_string());
        let part = part.map_err(Failure::Surroundings)?;
        drop(recording);
        let options = ReplayOptions { listen: self.listen, speed: self.speed, once: self.once };
        let summary =
            runtime()?.block_on(async { replay(part, options, interrupted(), |report| print(report)).await });
        let summary = summary.map_err(Failure::surroundings)?;
        if summary.reports.is_empty() {
            return Err(Failure::Surroundings(anyhow::anyhow!(
                "no miner connected and spoke; does it know this address?"
            )));
        }
        if summary.differs() { Err(Failure::No) } else { Ok(()) }
    }
}
