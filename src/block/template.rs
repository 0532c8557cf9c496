//! A block template: all that a node decides, and the block made from it.

use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, Transaction};

use super::HeaderFields;
use crate::hash::Hash;

/// A transaction of a template with the ids the pool needs, computed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Its id, internal order.
    pub txid: Hash,
    /// Its witness id, internal order.
    pub wtxid: Hash,
    /// Inputs minus outputs.
    pub fee: Amount,
}

impl TemplateTransaction {
    /// Computes the ids of `transaction`.
    #[must_use]
    pub fn new(transaction: Transaction, fee: Amount) -> Self {
        let txid = transaction.compute_txid().to_byte_array();
        let wtxid = transaction.compute_wtxid().to_byte_array();
        Self { transaction, txid, wtxid, fee }
    }
}

/// What a node offers to mine on (BIP22, BIP23, BIP145).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Height of the block to be found.
    pub height: u32,
    /// Hash of the block it builds on, internal order.
    pub prev_hash: Hash,
    /// Block version with every rollable bit clear.
    pub version: u32,
    /// Compact network target.
    pub nbits: u32,
    /// Lowest ntime that consensus allows: median time of the last 11 blocks plus one.
    pub ntime_min: u32,
    /// The chain's time when the template was made.
    pub ntime: u32,
    /// Subsidy plus fees.
    pub coinbase_value: Amount,
    /// Transactions after the coinbase, in order; shared between templates.
    pub transactions: Arc<[TemplateTransaction]>,
}

/// The block of a solved job.
///
/// `coinbase` is the full coinbase with its witness.
#[must_use]
pub fn assemble(header: &HeaderFields, coinbase: Transaction, template: &Template) -> bitcoin::Block {
    let header = bitcoin::consensus::deserialize(&header.to_bytes()).expect("80 bytes are a header");
    let others = template.transactions.iter().map(|entry| entry.transaction.clone());
    bitcoin::Block { header, txdata: std::iter::once(coinbase).chain(others).collect() }
}
