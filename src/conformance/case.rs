//! A case: what the pool does, what correct firmware does, how it is judged.

use serde::{Deserialize, Serialize};

use super::judge::Judge;
use super::step::Step;

/// How bad it is to fail a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A crash, or somebody else gets the hashrate.
    Critical,
    /// Work is lost.
    High,
    /// It works less well than it could.
    Medium,
    /// A blemish.
    Low,
}

/// A selection of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// The most telling ones, under three minutes.
    Quick,
    /// All that take less than half an hour each.
    Full,
    /// What a hostile pool could do.
    Security,
    /// Statistics and latencies.
    Timing,
    /// What takes long.
    Soak,
}

/// One thing that firmware gets right or wrong.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name for good: a letter for the group (H handshake, X extranonce,
    /// W work, D difficulty, R replies, N network, S security, T timing) and a
    /// number.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// How bad it is to fail.
    pub severity: Severity,
    /// Where it is run.
    pub suites: Vec<Suite>,
    /// The specification, issue or file that motivates it.
    pub sources: Vec<String>,
    /// What the pool does.
    pub pool: String,
    /// What correct firmware does.
    pub firmware: String,
    /// How it is judged.
    pub judged: String,
    /// Quirks of `miner::personality` that fail it: the proof that it can fail.
    #[serde(default)]
    pub caught: Vec<String>,
    /// A worker name under which it shows more; replicas mine under it, the
    /// owner of a device has to set it.
    #[serde(default)]
    pub worker: Option<String>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What must hold; all of them.
    pub verdict: Vec<Judge>,
}
