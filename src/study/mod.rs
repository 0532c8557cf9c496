//! Many runs of a model as files: threads, tables, parts and their merging.
//!
//! | file | what |
//! |---|---|
//! | `runs.parquet` | every number of every run: run, time, region, variable, value |
//! | `summary.csv` | over the runs: mean and quantiles by time, region and variable |
//! | `manifest.json` | what it was made of, and SHA-256 of what was made |
//!
//! A part of a study (`--shard 2/4`) has `runs-2-of-4.parquet` and
//! `manifest-2-of-4.json`; [`merge`] makes of all parts the very bytes of one
//! whole study. That holds because nothing in a file depends on threads, time
//! or parts: runs are written in their order by one encoder, and the summary
//! is computed from the table, not beside it.
//!
//! Memory: a few runs wait for their turn to be written ([`run`]), and the
//! summary reads the table in blocks of days that fit `BLOCK_BYTES_MAX`.
//!
//! - `engine`: runs over threads, in order
//! - `table`: the Parquet file, both ways
//! - `country`: from regions to countries
//! - `summary`: quantiles over runs
//! - `window`: each run's end and mean, for comparing two studies
//! - `manifest`, `files`: what stands in a folder
//! - `merge`: parts to a whole

mod country;
mod engine;
mod error;
mod files;
mod manifest;
mod merge;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod window;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use crate::energy::{Region, RegionCode};
use crate::spread::Model;

pub use country::country_label;
pub use engine::run;
pub use error::StudyError;
pub use files::{Finished, Folder};
pub use manifest::{Manifest, Scenario};
pub use merge::merge;
pub use summary::{SIGNIFICANT_DIGITS, Series, Stats, Summary};
pub use table::{Layout, Table};
pub use window::{Outlook, outlook};

/// What stands in `region` for the whole network.
pub const WORLD_LABEL: &str = "WORLD";

/// The table of all runs.
pub const RUNS_FILE: &str = "runs.parquet";
/// Mean and quantiles over the runs.
pub const SUMMARY_FILE: &str = "summary.csv";
/// What the folder's files were made of.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Runs at most: a table of more has no use, and a slip of the finger has many.
pub const RUNS_MAX: u32 = 1_000_000;

/// What to run, and where its files go.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The model that the runs are of.
    pub model: Model,
    /// The scenario as it was written.
    pub scenario: Scenario,
    /// Where all randomness begins. The caller derives a run's from it and the run's number.
    pub seed: u64,
    /// Runs of the whole study.
    pub runs: u32,
    /// Which of them to do.
    pub shard: Shard,
    /// Threads that run and that sort; no file depends on their number.
    pub threads: NonZeroUsize,
    /// The folder for the files; made where it is not there.
    pub out: PathBuf,
    /// Data that the runs rest on: name and text. The manifest has their SHA-256.
    pub data: Vec<(String, String)>,
    /// The regions, for maps and countries; none of a model without places.
    pub places: Vec<Place>,
    /// What the result rests on without being known.
    pub guesses: Vec<Guess>,
}

/// Where a region is.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The region.
    pub code: RegionCode,
    /// Its name in English.
    pub name: String,
    /// ISO 3166 alpha-3 code of its country.
    pub iso3: String,
    /// Degrees north of the equator.
    pub latitude_deg: f64,
    /// Degrees east of Greenwich.
    pub longitude_deg: f64,
}

impl From<&Region> for Place {
    fn from(region: &Region) -> Self {
        Self {
            code: region.code,
            name: region.name.clone(),
            iso3: region.iso3.clone(),
            latitude_deg: region.latitude_deg,
            longitude_deg: region.longitude_deg,
        }
    }
}

/// An assumption that a result rests on, to be shown beside the result.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    /// What is assumed: `build_mw_per_month of US-TX`.
    pub what: String,
    /// The value, with its unit.
    pub value: String,
    /// Why this one, and what would replace it.
    pub why: String,
}

/// Which part of a study's runs: `2/4` is the second of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// All runs.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Whether it is all runs.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// The runs that belong to it. Those of all shards are consecutive and cover `0..runs`.
    #[must_use]
    pub fn range(self, runs: u32) -> std::ops::Range<u32> {
        let bound = |index: u32| {
            let bound = u64::from(runs) * u64::from(index) / u64::from(self.of);
            u32::try_from(bound).expect("index is at most of, so the bound is at most runs")
        };
        bound(self.index - 1)..bound(self.index)
    }

    /// Its files: the whole has the plain names.
    fn runs_file(self) -> String {
        self.file(RUNS_FILE)
    }

    fn manifest_file(self) -> String {
        self.file(MANIFEST_FILE)
    }

    fn file(self, whole: &str) -> String {
        match whole.split_once('.') {
            Some((stem, extension)) if !self.is_whole() => {
                format!("{stem}-{}-of-{}.{extension}", self.index, self.of)
            }
            _ => whole.to_owned(),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// A text that is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no part of a study; write 2/4 for the second of four")]
pub struct NoShard(String);

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let (index, of) = text.split_once('/').ok_or_else(|| NoShard(text.to_owned()))?;
        match (index.parse(), of.parse()) {
            (Ok(index), Ok(of)) if (1..=of).contains(&index) && of <= RUNS_MAX => Ok(Self { index, of }),
            _ => Err(NoShard(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = NoShard;
    fn try_from(text: String) -> Result<Self, NoShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

/// How far it is; for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: u64,
    /// How much there is; `done` reaches it unless the work is stopped.
    pub of: u64,
}

/// What a study is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Running, or merging, by runs.
    Runs,
    /// Computing the summary, by days.
    Summary,
}

impl Stage {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Summary => "summary, by days",
        }
    }
}
