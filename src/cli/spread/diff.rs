//! `adit spread diff`: what differs between two studies.

use std::path::PathBuf;

use clap::Args;

use super::super::{Failure, print};
use super::{bar, failure};
use crate::report::ReportFolder;
use crate::report::world::Changes;
use crate::study::Folder;

/// The page of a comparison.
const DIFF_FILE: &str = "diff.html";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit spread diff out/base out/ban
  adit spread diff out/base out/ban --out out/ban-diff     also a page, diff.html
  adit spread diff out/base out/ban --json | jq '.changes[] | select(.flagged)'
A change is flagged (*) when each median is outside the other study's 5 to 95 % of runs.
Exit 0: nothing is flagged; 1: something is; 2: no study there; 3: a file cannot be read or written.")]
pub(super) struct Diff {
    /// The --out folder of a study
    a: PathBuf,
    /// That of another
    b: PathBuf,
    /// A folder for the page
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print as JSON, all variables of all regions
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(super) fn run(self) -> Result<(), Failure> {
        let open = |path: &PathBuf| Folder::open(path).map_err(failure);
        let changes = Changes::of(&open(&self.a)?, &open(&self.b)?, bar()).map_err(failure)?;
        let page = match &self.out {
            Some(out) => {
                let folder = ReportFolder::create(out).map_err(Failure::surroundings)?;
                Some(folder.write(DIFF_FILE, changes.page().as_bytes()).map_err(Failure::surroundings)?)
            }
            None => None,
        };
        if self.json {
            print(changes.json());
        } else {
            print(&changes);
            if let Some(page) = page {
                print(format_args!("page: {}", page.display()));
            }
        }
        if changes.flagged() > 0 { Err(Failure::No) } else { Ok(()) }
    }
}
