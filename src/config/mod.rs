//! The configuration file: TOML in, checked settings out.
//!
//! `Raw` is the file as written, all keys optional; [`Settings`] is
//! what the pool runs on, where every value is known to be usable. Each key is
//! documented in `docs/adit.toml`, which a test holds to the defaults.

mod chain;
mod raw;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bitcoin::{Amount, ScriptBuf};

use crate::block::{Coinbase, CoinbaseError, CoinbaseSpec};
use crate::pool::{PoolSettings, VardiffSettings};
use crate::store;
use crate::stratum::v1::Dialect;
use crate::stratum::v1::dialect::DIALECTS;
use crate::units::{Difficulty, Seconds};
pub use chain::{ChainSettings, EmbeddedSettings};
use raw::Raw;

/// As long in a coinbase as the height of any block for 150 years.
const HEIGHT_OF_THREE_BYTES: u32 = 1_000_000;

/// What is wrong with a configuration, where, and what to try.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}; check the path given with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no TOML, or has a key nobody knows.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the reader says, with line and column.
        message: String,
    },
    /// A value that cannot be used.
    #[error("{key} = {value} {reason}")]
    Value {
        /// The key with its table, or the flag.
        key: &'static str,
        /// The value as given.
        value: String,
        /// Why it cannot be used and what to try.
        reason: String,
    },
    /// No coinbase can be made as configured.
    #[error("the table [coinbase] cannot be met: {0}")]
    Coinbase(#[from] CoinbaseError),
}

fn value_error(key: &'static str, value: impl ToString, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, value: value.to_string(), reason: reason.into() }
}

/// What the command line says over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--v1`
    pub v1: Option<SocketAddr>,
    /// `--http`
    pub http: Option<SocketAddr>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--chain`
    pub chain: Option<String>,
    /// `--difficulty`
    pub difficulty: Option<Difficulty>,
    /// `--network-difficulty`
    pub network_difficulty: Option<Difficulty>,
    /// `--node`, as often as given
    pub nodes: Vec<String>,
    /// `--node-ipc`, as often as given
    pub node_sockets: Vec<PathBuf>,
    /// `--node-cookie`
    pub node_cookie: Option<PathBuf>,
    /// `--payout`
    pub payout: Option<String>,
    /// `--kernel`
    pub kernel: bool,
}

/// Everything `adit serve` runs on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where miners connect.
    pub v1: SocketAddr,
    /// Where the API and metrics are.
    pub http: SocketAddr,
    /// The data directory.
    pub data: PathBuf,
    /// How the ledger is written.
    pub store: store::Options,
    /// Bits set in the version of every job.
    pub job_version_bits: u32,
    /// Longest line taken from a miner, in bytes.
    pub line_bytes_max: usize,
    /// How often a tip's work is refreshed.
    pub refresh: Duration,
    /// The rules.
    pub pool: PoolSettings,
    /// How the coinbase is made.
    pub coinbase: CoinbaseSpec,
    /// What is mined on.
    pub chain: ChainSettings,
}

impl Settings {
    /// Reads a file, or takes the defaults, and lets the command line override.
    ///
    /// # Errors
    /// When the file cannot be read or a value cannot be used.
    pub fn load(path: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let raw = match path {
            None => Raw::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
                parse(path, &text)?
            }
        };
        Self::check(raw, overrides)
    }

    fn check(raw: Raw, overrides: &Overrides) -> Result<Self, ConfigError> {
        let chain = chain::chain(&raw, overrides)?;
        let pool = pool_settings(&raw, overrides)?;
        let coinbase = CoinbaseSpec {
            payees: payees(&raw, overrides, chain.network())?,
            tag: raw.coinbase.tag.clone(),
            extranonce_bytes: pool.extranonce1_bytes + pool.extranonce2_bytes,
            length: raw.coinbase.length,
        };
        // Before anything is created, and for every block: heights grow to three bytes.
        Coinbase::build(&coinbase, HEIGHT_OF_THREE_BYTES, Amount::ONE_BTC, Some([0; 32]))?;
        let store = store::Options {
            synchronous: match raw.data.synchronous.as_str() {
                "full" => store::Synchronous::Full,
                "normal" => store::Synchronous::Normal,
                other => return Err(value_error("data.synchronous", other, "is neither full nor normal")),
            },
            gather: Duration::from_millis(raw.data.gather_ms),
        };
        if raw.listen.line_bytes_max < 512 {
            let reason = "is too short for a submit; 512 is the least";
            return Err(value_error("listen.line_bytes_max", raw.listen.line_bytes_max, reason));
        }
        Ok(Self {
            v1: overrides.v1.map_or_else(|| parsed("listen.v1", &raw.listen.v1, ADDRESS_HINT), Ok)?,
            http: overrides.http.map_or_else(|| parsed("listen.http", &raw.listen.http, ADDRESS_HINT), Ok)?,
            data: overrides.data.clone().unwrap_or(raw.data.dir),
            store,
            job_version_bits: version_bits("session.job_version_bits", &raw.session.job_version_bits)?,
            line_bytes_max: raw.listen.line_bytes_max,
            refresh: Duration::from_secs_f64(
                positive("session.refresh_seconds", raw.session.refresh_seconds)?.min(86_400.0),
            ),
            pool,
            coinbase,
            chain,
        })
    }
}

const ADDRESS_HINT: &str = "is no address; try one such as 127.0.0.1:3333";

fn parse(path: &Path, text: &str) -> Result<Raw, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let mut message = error.to_string().trim_end().to_owned();
        if let Some(nearest) = nearest_key(error.message()) {
            message += &format!("\ndid you mean `{nearest}`?");
        }
        ConfigError::Syntax { path: path.to_owned(), message }
    })
}

/// The known key nearest to an unknown one, from serde's message that lists both in backquotes.
fn nearest_key(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let distance = |known: &str| strsim::damerau_levenshtein(unknown, known);
    let nearest = quoted.min_by_key(|known| distance(known))?;
    (distance(nearest) <= nearest.len().div_ceil(2)).then_some(nearest)
}

fn parsed<T: FromStr>(key: &'static str, text: &str, hint: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|_| value_error(key, format!("{text:?}"), hint))
}

fn positive(key: &'static str, value: f64) -> Result<f64, ConfigError> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(value_error(key, value, "is not above 0"))
}

fn difficulty(key: &'static str, value: f64) -> Result<Difficulty, ConfigError> {
    Difficulty::new(value)
        .filter(|difficulty| (Difficulty::MIN..=Difficulty::MAX).contains(difficulty))
        .ok_or_else(|| value_error(key, value, "is outside 1e-9 to 1e18"))
}

fn pool_settings(raw: &Raw, overrides: &Overrides) -> Result<PoolSettings, ConfigError> {
    let session = &raw.session;
    let within = |key, value: usize, low: usize, high: usize| {
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        Err(value_error(key, value, format!("is outside {low} to {high} bytes")))
    };
    let difficulty_min = difficulty("difficulty.min", raw.difficulty.min)?;
    let difficulty_max = difficulty("difficulty.max", raw.difficulty.max)?;
    let initial = match overrides.difficulty {
        Some(initial) => initial,
        None => difficulty("difficulty.initial", raw.difficulty.initial)?,
    };
    if !(difficulty_min..=difficulty_max).contains(&initial) {
        let reason =
            format!("is outside difficulty.min = {difficulty_min} to difficulty.max = {difficulty_max}");
        return Err(value_error("difficulty.initial", initial, reason));
    }
    let names = || DIALECTS.iter().map(|dialect| dialect.name).collect::<Vec<_>>().join(", ");
    let dialect = Dialect::named(&raw.listen.dialect).ok_or_else(|| {
        value_error("listen.dialect", format!("{:?}", raw.listen.dialect), format!("is none of {}", names()))
    })?;
    let version_mask = version_bits("session.version_mask", &session.version_mask)?;
    let interval = positive("difficulty.share_interval_seconds", raw.difficulty.share_interval_seconds)?;
    let seconds = |key, value: f64| {
        let usable = value.is_finite() && value >= 0.0;
        if usable { Ok(Seconds(value)) } else { Err(value_error(key, value, "is not 0 or above")) }
    };
    Ok(PoolSettings {
        difficulty_initial: initial,
        difficulty_min,
        difficulty_max,
        vardiff: raw.difficulty.vardiff.then_some(VardiffSettings { share_interval: Seconds(interval) }),
        version_mask,
        extranonce1_bytes: within("session.extranonce1_bytes", session.extranonce1_bytes, 2, 8)?,
        extranonce2_bytes: within("session.extranonce2_bytes", session.extranonce2_bytes, 1, 32)?,
        dialect,
        late_credit: seconds("session.late_credit_seconds", session.late_credit_seconds)?,
        session_ttl: seconds("session.resume_seconds", session.resume_seconds)?,
        handshake_timeout: seconds("session.handshake_timeout_seconds", session.handshake_timeout_seconds)?,
        malformed_lines_max: session.malformed_lines_max,
    })
}

fn version_bits(key: &'static str, text: &str) -> Result<u32, ConfigError> {
    u32::from_str_radix(text, 16)
        .map_err(|_| value_error(key, format!("{text:?}"), "is no hexadecimal number such as \"1fffe000\""))
}

/// Who is paid. On chains without money the default is a script that anyone can spend.
fn payees(
    raw: &Raw,
    overrides: &Overrides,
    network: bitcoin::Network,
) -> Result<Vec<(ScriptBuf, u32)>, ConfigError> {
    let is_simulated = !chain::has_nodes(raw, overrides);
    if raw.coinbase.payouts.is_empty() && overrides.payout.is_none() {
        if !is_simulated && network != bitcoin::Network::Regtest {
            let reason = "would leave every block to anyone; name an address with --payout, or in [[coinbase.payouts]]";
            return Err(value_error("coinbase.payouts", "[]", reason));
        }
        let anyone = bitcoin::script::Builder::new().push_opcode(bitcoin::opcodes::OP_TRUE).into_script();
        return Ok(vec![(anyone.to_p2wsh(), 1)]);
    }
    let script = |address: &str| -> Result<ScriptBuf, ConfigError> {
        let invalid =
            |reason: String| value_error("coinbase.payouts.address", format!("{address:?}"), reason);
        let parsed: bitcoin::Address<bitcoin::address::NetworkUnchecked> =
            address.parse().map_err(|error| invalid(format!("is no Bitcoin address: {error}")))?;
        let checked = parsed.require_network(network).map_err(|_| {
            invalid(format!("is not an address of this chain's network ({network}); check chain.kind"))
        })?;
        Ok(checked.script_pubkey())
    };
    if let Some(address) = &overrides.payout {
        return Ok(vec![(script(address)?, 1)]);
    }
    raw.coinbase.payouts.iter().map(|payout| Ok((script(&payout.address)?, payout.parts))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, String> {
        let raw = parse(Path::new("adit.toml"), text).map_err(|error| error.to_string())?;
        Settings::check(raw, &Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_documented_file_holds_the_defaults() {
        let documented = parse(Path::new("docs/adit.toml"), include_str!("../../docs/adit.toml")).unwrap();
        assert_eq!(documented, Raw::default());
        let keys = toml::to_string(&Raw::default()).unwrap();
        for key in keys.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key) {
            assert!(include_str!("../../docs/adit.toml").contains(&format!("{key} = ")), "{key}");
        }
        Settings::check(documented, &Overrides::default()).unwrap();
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest() {
        fn check(text: &str, unknown: &str, nearest: Option<&str>) {
            let error = load(text).unwrap_err();
            assert!(error.contains(&format!("`{unknown}`")), "{error}");
            match nearest {
                Some(nearest) => assert!(error.contains(&format!("did you mean `{nearest}`?")), "{error}"),
                None => assert!(!error.contains("did you mean"), "{error}"),
            }
        }
        check("[difficulty]\ninital = 4", "inital", Some("initial"));
        check("[chian]\nkind = 1", "chian", Some("chain"));
        check("[coinbase]\nzzzzzzzzzzzz = 1", "zzzzzzzzzzzz", None);
    }

    #[test]
    fn values_are_checked_where_they_enter() {
        fn check(text: &str, error: &str) {
            let found = load(text).unwrap_err();
            assert!(found.contains(error), "{text}: {found}");
        }
        check("[listen]\nv1 = \"here\"", "listen.v1 = \"here\" is no address");
        check("[listen]\ndialect = \"klingon\"", "is none of classic, ckpool, datum, public-pool");
        check("[difficulty]\ninitial = -1", "difficulty.initial = -1 is outside 1e-9 to 1e18");
        check("[difficulty]\nmin = 5", "difficulty.initial = 1 is outside difficulty.min = 5");
        check("[session]\nextranonce2_bytes = 33", "is outside 1 to 32 bytes");
        check("[session]\nversion_mask = \"x\"", "is no hexadecimal number");
        check("[chain]\nkind = \"main\"", "is neither regtest nor mainnet-like");
        check("[chain]\nwarp = 0.0", "chain.warp = 0 is not above 0");
        check("[data]\nsynchronous = \"maybe\"", "is neither full nor normal");
        check("[[coinbase.payouts]]\naddress = \"bcrt1nope\"", "is no Bitcoin address");
        let mainnet = "[[coinbase.payouts]]\naddress = \"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa\"";
        check(mainnet, "is not an address of this chain's network (regtest)");
        check("[coinbase]\nlength = 60", "the table [coinbase] cannot be met: a coinbase of 60 bytes");
        check("= 3", "adit.toml");
    }
}
