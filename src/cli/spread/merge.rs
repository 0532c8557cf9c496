//! `adit spread merge`: from the parts of a study to the whole.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::super::{Failure, print};
use super::{bar, failure, write_page};
use crate::study::merge;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit spread scenarios/hydro.toml --runs 1000 --shard 1/2 --out dry   # on one machine
  adit spread scenarios/hydro.toml --runs 1000 --shard 2/2 --out dry   # on another; copy its files here
  adit spread merge dry
The files are byte for byte those of one run of all, and the parts stay.
Exit 0: merged; 2: a part is missing, damaged or of another study; 3: a file cannot be read or written.")]
pub(super) struct Merge {
    /// The folder with all parts: runs-1-of-4.parquet, manifest-1-of-4.json and so on
    dir: PathBuf,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Merge {
    pub(super) fn run(self) -> Result<(), Failure> {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut finished = merge(&self.dir, threads, bar()).map_err(failure)?;
        let page = write_page(&mut finished)?;
        let manifest = finished.manifest();
        if self.json {
            let outputs = &manifest.outputs;
            let json = serde_json::json!({ "out": self.dir, "runs": manifest.runs_done, "outputs": outputs });
            print(json);
        } else {
            let (runs, name) = (manifest.runs_done, &manifest.scenario.name);
            print(format_args!("merged {runs} runs of {name}\npage: {}", page.path.display()));
        }
        Ok(())
    }
}
