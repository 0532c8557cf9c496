//! What an operator may choose about the rules.

use super::vardiff::VardiffSettings;
use crate::stratum::v1::{Dialect, VERSION_MASK};
use crate::units::{Difficulty, Seconds};

/// The rules of one listener; the same for all its sessions.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Difficulty of a session's first job.
    pub difficulty_initial: Difficulty,
    /// Lowest difficulty a session can come to.
    pub difficulty_min: Difficulty,
    /// Highest difficulty a session can come to.
    pub difficulty_max: Difficulty,
    /// How difficulty follows a miner; `None` keeps it where it was set.
    pub vardiff: Option<VardiffSettings>,
    /// Version bits left to miners (BIP310); 0 refuses version rolling.
    pub version_mask: u32,
    /// Bytes of the pool's part of the extranonce, 2 to 8.
    pub extranonce1_bytes: usize,
    /// Bytes of the miner's part, 1 to 32. More than 8 breaks old cgminers.
    pub extranonce2_bytes: usize,
    /// How refusals are worded.
    pub dialect: &'static Dialect,
    /// How long after a new tip work on the old one is still credited. It pays
    /// for what the network and the miner's switch take, not for mining on.
    pub late_credit: Seconds,
    /// How long a lost session can be resumed.
    pub session_ttl: Seconds,
    /// How long a connection may take to subscribe and authorize.
    pub handshake_timeout: Seconds,
    /// Lines in a row that are no requests, after which a peer is dropped.
    pub malformed_lines_max: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            difficulty_initial: Difficulty::ONE,
            difficulty_min: Difficulty::MIN,
            difficulty_max: Difficulty::MAX,
            vardiff: Some(VardiffSettings::default()),
            version_mask: VERSION_MASK,
            extranonce1_bytes: 4,
            extranonce2_bytes: 8,
            dialect: Dialect::classic(),
            late_credit: Seconds(5.0),
            session_ttl: Seconds(600.0),
            handshake_timeout: Seconds(60.0),
            malformed_lines_max: 20,
        }
    }
}
