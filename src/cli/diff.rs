//! `adit diff`: what two firmwares, or two pools, did differently.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{Failure, print};
use crate::tap::{Recording, diff};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit diff old-firmware.jsonl new-firmware.jsonl
  adit diff pool-a.jsonl pool-b.jsonl --all       also what is the same
  adit diff a.jsonl b.jsonl --json | jq '.[] | select(.topic == \"miner: handshake\")'
Exit 0: the same; 1: different; 3: a file cannot be read.
What is compared: docs/record-replay.md")]
pub(super) struct Diff {
    /// A recording of `adit record`, or a transcript of `adit check`
    a: PathBuf,
    /// Another
    b: PathBuf,
    /// Show also what is the same
    #[arg(long)]
    all: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(super) fn run(self) -> Result<(), Failure> {
        let differences = diff(&read(&self.a)?, &read(&self.b)?);
        let any = differences.any();
        let shown = if self.all { differences } else { differences.only() };
        if self.json {
            print(serde_json::to_string(&shown).map_err(Failure::surroundings)?);
        } else if shown.rows.is_empty() {
            print("no differences");
        } else {
            print(format_args!(
                "A {}\nB {}\n\n{}",
                self.a.display(),
                self.b.display(),
                shown.to_string().trim_end()
            ));
        }
        if any { Err(Failure::No) } else { Ok(()) }
    }
}

/// Reads a recording.
pub(super) fn read(path: &Path) -> Result<Recording, Failure> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()));
    let recording = Recording::read(BufReader::new(file.map_err(Failure::Surroundings)?));
    let recording = recording.with_context(|| path.display().to_string()).map_err(Failure::Surroundings)?;
    if recording.cut_off {
        tracing::warn!("{}: the last line is cut off; it is left out", path.display());
    }
    Ok(recording)
}
