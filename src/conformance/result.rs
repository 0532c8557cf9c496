//! What an examination comes to.

use serde::{Deserialize, Serialize};

use super::case::{Case, Severity};

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All judges are content.
    Pass,
    /// One is not.
    Fail,
    /// It could not be decided.
    Inconclusive,
    /// It was not run.
    Skipped,
}

/// One thing that a judge found, with evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// The judge's name as in case files.
    pub judge: String,
    /// Fail or inconclusive (or pass, for a note worth reading).
    pub outcome: Outcome,
    /// What was found, or what it would need to decide.
    pub finding: String,
    /// What was expected instead.
    pub expected: String,
    /// Records of the case's transcript that show it.
    pub evidence: Vec<usize>,
    /// The value of the sweep it happened at, if any.
    pub trial: Option<String>,
}

/// One line of a transcript; `adit record` writes the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Microseconds since the case began.
    pub at_us: u64,
    /// The connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<u32>,
    /// `miner`, `pool` or `case` (marks, trials, expectations, opened, closed).
    pub from: String,
    /// Text; with `hex` where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Raw bytes in hexadecimal where they are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

/// A picture's data: shares and switches of a case.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Plots {
    /// Nonces of shares over seconds since the case began.
    pub nonces: Vec<(f64, u32)>,
    /// Gaps between shares, seconds.
    pub gaps: Vec<f64>,
    /// Seconds from clean notifies to the last share of an old job.
    pub switches: Vec<f64>,
    /// `D_job / share difficulty` of each share.
    pub u: Vec<f64>,
    /// Shares with each version bit set.
    pub version_bits: Vec<u32>,
}

/// A case and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: Severity,
    /// How it ended.
    pub outcome: Outcome,
    /// In one sentence.
    pub summary: String,
    /// What judges found, worst first.
    pub troubles: Vec<Trouble>,
    /// Named measurements: limits found, latencies, statistics; value as text with its unit.
    pub measured: Vec<(String, String)>,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Shares that came, and those that were good.
    pub shares: u32,
    /// Good ones among them.
    pub shares_good: u32,
    /// What the pool did, what firmware should do, how it is judged, sources: as in the case.
    pub pool: String,
    /// See the case.
    pub firmware: String,
    /// See the case.
    pub judged: String,
    /// See the case.
    pub sources: Vec<String>,
    /// Data for pictures.
    pub plots: Plots,
    /// What was said; not in `report.json`, which would otherwise be megabytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<Line>,
}

impl CaseResult {
    /// Of a case that was not run; why.
    #[must_use]
    pub fn not_run(case: &Case, outcome: Outcome, why: String) -> Self {
        Self {
            id: case.id.clone(),
            title: case.title.clone(),
            severity: case.severity,
            outcome,
            summary: why,
            troubles: Vec::new(),
            measured: Vec::new(),
            seconds: 0.0,
            shares: 0,
            shares_good: 0,
            pool: case.pool.clone(),
            firmware: case.firmware.clone(),
            judged: case.judged.clone(),
            sources: case.sources.clone(),
            plots: Plots::default(),
            transcript: Vec::new(),
        }
    }
}

/// All that was found out about a miner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// Version of adit.
    pub adit: String,
    /// When it began, microseconds since the Unix epoch.
    pub began_us: u64,
    /// How long it took, seconds.
    pub seconds: f64,
    /// What the miner calls itself.
    pub user_agent: Option<String>,
    /// Claimed or measured hashes a second.
    pub hashrate: f64,
    /// Whether the hashrate was claimed by the user.
    pub hashrate_claimed: bool,
    /// The suite, or the cases, that were asked for.
    pub selection: String,
    /// What limited the examination: listeners that were missing, an end by hand.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Cases in the order they ran.
    pub cases: Vec<CaseResult>,
}
