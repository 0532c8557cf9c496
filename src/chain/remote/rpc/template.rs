//! What `getblocktemplate` answers (BIP22, BIP23, BIP145), made a template.
//!
//! Everything that a block depends on is checked here, so that a template is one
//! to mine on: rules that we would have to know, signets whose blocks need a
//! signature, transactions that are what they are said to be.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, BlockHash, CompactTarget, Transaction, Txid, Wtxid};
use serde::Deserialize;

use crate::block::{Limits, Template, TemplateTransaction};

/// Rules that we say we know. Core refuses whoever does not name `segwit`, and on
/// a signet `signet`.
pub(super) const RULES: [&str; 2] = ["segwit", "signet"];

/// Further rules, under which a block made by this pool is valid: they bind only
/// transactions, which the node chooses.
const RULES_OF_TRANSACTIONS: [&str; 2] = ["csv", "taproot"];

/// Version bits that miners roll (BIP320).
const ROLLED: u32 = 0x1fff_e000;

/// The challenge of a signet whose blocks anyone may make: OP_TRUE.
const OP_TRUE: &str = "51";

/// Heights from here on would read as times in a lock time.
const HEIGHT_MAX: u32 = 500_000_000;

/// Why a node's template cannot be mined on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not JSON of the right form.
    #[error("the template cannot be read: {0}")]
    Unreadable(String),
    /// A rule marked `!`, which whoever makes blocks must know.
    #[error("its blocks follow the rule `{0}`, which this adit does not know; a newer one may")]
    UnknownRule(String),
    /// A signet with a challenge.
    #[error(
        "blocks of this signet need a signature of its operator (challenge {0}); mine on regtest, on testnet4, or \
         on a signet of your own with -signetchallenge=51"
    )]
    SignedBlocks(String),
    /// Version bits that miners would overwrite.
    #[error("the node requires version bits {0:08x}, which miners roll (BIP320)")]
    RolledBits(u32),
    /// A field that contradicts another.
    #[error("the template contradicts itself: {0}")]
    Contradiction(String),
}

impl TemplateError {
    /// Whether waiting cannot help.
    pub(in crate::chain::remote) fn is_permanent(&self) -> bool {
        matches!(self, Self::UnknownRule(_) | Self::SignedBlocks(_) | Self::RolledBits(_))
    }
}

/// A template and how to be told of the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The template.
    pub template: Template,
    /// What to give back to be answered when there is something new (BIP22).
    pub longpollid: Option<String>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    version: i64,
    #[serde(default, borrow)]
    rules: Vec<Cow<'a, str>>,
    #[serde(default)]
    vbrequired: u32,
    #[serde(borrow)]
    previousblockhash: Cow<'a, str>,
    #[serde(borrow)]
    transactions: Vec<RawTransaction<'a>>,
    coinbasevalue: u64,
    longpollid: Option<String>,
    #[serde(borrow)]
    target: Cow<'a, str>,
    mintime: u32,
    curtime: u32,
    #[serde(borrow)]
    bits: Cow<'a, str>,
    height: u32,
    sigoplimit: Option<u64>,
    sizelimit: Option<u64>,
    weightlimit: Option<u64>,
    signet_challenge: Option<String>,
}

#[derive(Deserialize)]
struct RawTransaction<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    txid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    hash: Cow<'a, str>,
    fee: i64,
    sigops: Option<u64>,
}

fn contradiction(what: impl Into<String>) -> TemplateError {
    TemplateError::Contradiction(what.into())
}

/// Reads the result of `getblocktemplate`.
///
/// # Errors
/// When no valid block can be made of it.
pub fn parse(json: &str) -> Result<Parsed, TemplateError> {
    let raw: Raw<'_> =
        serde_json::from_str(json).map_err(|error| TemplateError::Unreadable(error.to_string()))?;
    let known = |rule: &&str| RULES.contains(rule) || RULES_OF_TRANSACTIONS.contains(rule);
    let unknown = raw.rules.iter().filter_map(|rule| rule.strip_prefix('!')).find(|rule| !known(rule));
    if let Some(rule) = unknown {
        return Err(TemplateError::UnknownRule(rule.to_owned()));
    }
    if let Some(challenge) = raw.signet_challenge.filter(|challenge| challenge != OP_TRUE) {
        return Err(TemplateError::SignedBlocks(challenge));
    }
    if raw.vbrequired & ROLLED != 0 {
        return Err(TemplateError::RolledBits(raw.vbrequired & ROLLED));
    }
    // bcoin offers a commitment before SegWit is active, where it would be refused.
    let segwit = raw.rules.iter().any(|rule| rule.trim_start_matches('!') == "segwit");
    if !(1..HEIGHT_MAX).contains(&raw.height) {
        return Err(contradiction(format!("height {}", raw.height)));
    }
    let nbits = nbits(&raw.bits, &raw.target)?;
    let prev_hash: BlockHash = raw
        .previousblockhash
        .parse()
        .map_err(|_| contradiction(format!("previousblockhash {:?} is no hash", raw.previousblockhash)))?;
    let version = i32::try_from(raw.version)
        .or_else(|_| u32::try_from(raw.version).map(|version| version as i32))
        .map_err(|_| contradiction(format!("version {}", raw.version)))? as u32;
    let transactions = transactions(&raw.transactions, segwit)?;
    let fees = transactions.iter().try_fold(Amount::ZERO, |sum, entry| sum.checked_add(entry.fee));
    let coinbase_value = Amount::from_sat(raw.coinbasevalue);
    if coinbase_value > Amount::MAX_MONEY || fees.is_none_or(|fees| fees > coinbase_value) {
        return Err(contradiction(format!("coinbasevalue {} with these fees", raw.coinbasevalue)));
    }
    // Before SegWit, sizes are counted, and legacy signature operations.
    let scale = if segwit { 1 } else { 4 };
    let or = |limit: Option<u64>, scale: u64, most: u64| {
        limit.map_or(most, |limit| limit.saturating_mul(scale).min(most))
    };
    let weight = raw.weightlimit.or(raw.sizelimit.map(|size| size.saturating_mul(4)));
    let limits = Limits {
        weight: or(weight, 1, Limits::CONSENSUS.weight),
        sigops: or(raw.sigoplimit, scale, Limits::CONSENSUS.sigops),
    };
    let template = Template {
        height: raw.height,
        prev_hash: prev_hash.to_byte_array(),
        version: (version & !ROLLED) | raw.vbrequired,
        nbits,
        ntime_min: raw.mintime,
        ntime: raw.curtime.max(raw.mintime),
        coinbase_value,
        transactions: transactions.into(),
        limits,
        segwit,
        demands: None,
    };
    Ok(Parsed { template, longpollid: raw.longpollid })
}

/// `bits`, if the target is the one they stand for.
fn nbits(bits: &str, target: &str) -> Result<u32, TemplateError> {
    let compact = CompactTarget::from_unprefixed_hex(bits)
        .map_err(|_| contradiction(format!("bits {bits:?} are no 32-bit number")))?;
    let stands_for = bitcoin::Target::from_compact(compact);
    if bitcoin::Target::from_unprefixed_hex(target) != Ok(stands_for) || stands_for == bitcoin::Target::ZERO {
        return Err(contradiction(format!("bits {bits} do not stand for the target {target}")));
    }
    Ok(compact.to_consensus())
}

fn transactions(raw: &[RawTransaction<'_>], segwit: bool) -> Result<Vec<TemplateTransaction>, TemplateError> {
    let mut ids = BTreeSet::new();
    let mut transactions = Vec::with_capacity(raw.len());
    for (place, raw) in raw.iter().enumerate() {
        let wrong = |what: String| contradiction(format!("transaction {} {what}", place + 1));
        let transaction: Transaction = bitcoin::consensus::encode::deserialize_hex(&raw.data)
            .map_err(|error| wrong(format!("cannot be decoded: {error}")))?;
        let fee = u64::try_from(raw.fee).map_err(|_| wrong(format!("has the fee {}", raw.fee)))?;
        let entry = TemplateTransaction::new(transaction, Amount::from_sat(fee));
        // `hash` is the witness id; before BIP145 there was only the id, under this name.
        let wtxid = Wtxid::from_byte_array(entry.wtxid).to_string();
        let txid = Txid::from_byte_array(entry.txid).to_string();
        if raw.txid.as_ref().is_some_and(|id| *id != txid) || (raw.hash != wtxid && raw.hash != txid) {
            return Err(wrong(format!("is {txid}, not what it is said to be")));
        }
        if !segwit && entry.txid != entry.wtxid {
            return Err(wrong("has a witness, and SegWit is not active".to_owned()));
        }
        if !ids.insert(entry.txid) {
            return Err(wrong("is there twice".to_owned()));
        }
        // The node knows the coins that are spent, which count too.
        let sigops =
            raw.sigops.map_or(entry.sigops, |sigops| if segwit { sigops } else { sigops.saturating_mul(4) });
        transactions.push(TemplateTransaction { sigops, ..entry });
    }
    Ok(transactions)
}
