//! The configuration file as it is written.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::pool::{PoolSettings, VardiffSettings};
use crate::stratum::v1::LINE_BYTES_MAX;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub listen: Listen,
    pub data: Data,
    pub chain: Chain,
    pub difficulty: Difficulty,
    pub session: Session,
    pub coinbase: Coinbase,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Listen {
    pub v1: String,
    pub http: String,
    pub dialect: String,
    pub line_bytes_max: usize,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            v1: "127.0.0.1:3333".into(),
            http: "127.0.0.1:8080".into(),
            dialect: PoolSettings::default().dialect.name.into(),
            line_bytes_max: LINE_BYTES_MAX,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Data {
    pub dir: PathBuf,
    pub synchronous: String,
    pub gather_ms: u64,
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: "adit-data".into(), synchronous: "full".into(), gather_ms: 2 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Chain {
    pub kind: String,
    pub difficulty: Option<f64>,
    pub height: Option<u32>,
    pub transactions: Option<u32>,
    pub blocks_per_hour: f64,
    pub reorg_probability: f64,
    pub warp: f64,
    pub seed: u64,
    pub kernel: bool,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            kind: "regtest".into(),
            difficulty: None,
            height: None,
            transactions: None,
            blocks_per_hour: 6.0,
            reorg_probability: 0.0,
            warp: 1.0,
            seed: 0,
            kernel: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Difficulty {
    pub initial: f64,
    pub min: f64,
    pub max: f64,
    pub vardiff: bool,
    pub share_interval_seconds: f64,
}

impl Default for Difficulty {
    fn default() -> Self {
        let rules = PoolSettings::default();
        Self {
            initial: rules.difficulty_initial.get(),
            min: rules.difficulty_min.get(),
            max: rules.difficulty_max.get(),
            vardiff: rules.vardiff.is_some(),
            share_interval_seconds: VardiffSettings::default().share_interval.0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Session {
    pub extranonce1_bytes: usize,
    pub extranonce2_bytes: usize,
    pub version_mask: String,
    pub job_version_bits: String,
    pub late_credit_seconds: f64,
    pub resume_seconds: f64,
    pub handshake_timeout_seconds: f64,
    pub refresh_seconds: f64,
    pub malformed_lines_max: u32,
}

impl Default for Session {
    fn default() -> Self {
        let rules = PoolSettings::default();
        Self {
            extranonce1_bytes: rules.extranonce1_bytes,
            extranonce2_bytes: rules.extranonce2_bytes,
            version_mask: format!("{:08x}", rules.version_mask),
            job_version_bits: format!("{:08x}", 0),
            late_credit_seconds: rules.late_credit.0,
            resume_seconds: rules.session_ttl.0,
            handshake_timeout_seconds: rules.handshake_timeout.0,
            refresh_seconds: 30.0,
            malformed_lines_max: rules.malformed_lines_max,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Coinbase {
    pub tag: String,
    pub length: Option<usize>,
    pub payouts: Vec<Payout>,
}

impl Default for Coinbase {
    fn default() -> Self {
        Self { tag: "/adit/".into(), length: None, payouts: Vec::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub url: Option<String>,
    pub ipc: Option<PathBuf>,
    pub cookie_file: Option<PathBuf>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub timeout_seconds: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payout {
    pub address: String,
    #[serde(default = "one")]
    pub parts: u32,
}

fn one() -> u32 {
    1
}
