//! What a study was made of, and what was made: `manifest.json`.
//!
//! There is no time, machine or number of threads in it: two studies of the
//! same inputs have the same manifest, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::StudyError;
use super::files::sha256_of;
use super::{Guess, Place, Plan, Shard};
use crate::spread::Model;

/// The form of manifest and table; another number is another form.
const FORMAT: u32 = 1;

/// A scenario as it was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, for titles.
    pub name: String,
    /// The whole file.
    pub text: String,
}

/// What a study was made of, and what was made.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Form of this file and of the table.
    pub format: u32,
    /// Version of adit.
    pub adit: String,
    /// The model that it was run by.
    #[serde(default, skip_serializing_if = "Model::is_world")]
    pub model: Model,
    /// The scenario.
    pub scenario: Scenario,
    /// Where all randomness began.
    pub seed: u64,
    /// Runs that the whole study was to have.
    pub runs: u32,
    /// Which of them are here.
    pub shard: Shard,
    /// Runs that are here: fewer than asked for when it was stopped.
    pub runs_done: u32,
    /// SHA-256 of each data file.
    pub data: BTreeMap<String, String>,
    /// The regions.
    pub places: Vec<Place>,
    /// What the result rests on without being known.
    pub guesses: Vec<Guess>,
    /// SHA-256 of each file made.
    pub outputs: BTreeMap<String, String>,
}

impl Manifest {
    /// Of a plan, nothing done yet.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            format: FORMAT,
            adit: env!("CARGO_PKG_VERSION").to_owned(),
            model: plan.model,
            scenario: plan.scenario.clone(),
            seed: plan.seed,
            runs: plan.runs,
            shard: plan.shard,
            runs_done: 0,
            data: plan.data.iter().map(|(name, text)| (name.clone(), sha256_of(text.as_bytes()))).collect(),
            places: plan.places.clone(),
            guesses: plan.guesses.clone(),
            outputs: BTreeMap::new(),
        }
    }

    /// Whether every run that was asked for is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.runs_done as usize == self.shard.range(self.runs).len()
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("strings and finite numbers are JSON");
        json.push(b'\n');
        json
    }

    pub(super) fn read(path: &Path) -> Result<Self, StudyError> {
        let bytes = std::fs::read(path).map_err(StudyError::read(path))?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| {
            StudyError::file(path, format!("{error}; is it of `adit spread`, and of this version?"))
        })?;
        if manifest.format != FORMAT {
            let what = format!(
                "has form {}, and adit {} reads {FORMAT}; use the adit that wrote it ({})",
                manifest.format,
                env!("CARGO_PKG_VERSION"),
                manifest.adit
            );
            return Err(StudyError::file(path, what));
        }
        Ok(manifest)
    }

    /// In what, beside the part, two manifests differ; `None` when both are of one study.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let differ = |name: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
            Some(format!("has {name} {a}, not {b}"))
        };
        if self.adit != other.adit {
            return differ("adit", &self.adit, &other.adit);
        }
        if self.seed != other.seed {
            return differ("--seed", &self.seed, &other.seed);
        }
        if self.runs != other.runs {
            return differ("--runs", &self.runs, &other.runs);
        }
        if self.scenario != other.scenario {
            return Some(format!("has another text of scenario {}", self.scenario.name));
        }
        let names = self.data.keys().chain(other.data.keys());
        if let Some(name) = names.into_iter().find(|&name| self.data.get(name) != other.data.get(name)) {
            return Some(format!("rests on another {name}"));
        }
        (self.places != other.places || self.guesses != other.guesses)
            .then(|| "has other regions or assumptions".to_owned())
    }
}
