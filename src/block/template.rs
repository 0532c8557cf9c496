//! A block template: all that a node decides, and the block made from it.

use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, OutPoint, Transaction, TxOut, VarInt};

use super::{CoinbaseDemands, HeaderFields};
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
    /// Its weight (BIP141).
    pub weight: u64,
    /// Its signature operations as blocks count them: legacy ones four times.
    pub sigops: u64,
}

impl TemplateTransaction {
    /// Computes the ids of `transaction`, its weight, and its signature
    /// operations as far as they can be told without the coins it spends.
    #[must_use]
    pub fn new(transaction: Transaction, fee: Amount) -> Self {
        let txid = transaction.compute_txid().to_byte_array();
        let wtxid = transaction.compute_wtxid().to_byte_array();
        let weight = transaction.weight().to_wu();
        let unknown = |_: &OutPoint| -> Option<TxOut> { None };
        let sigops = transaction.total_sigop_cost(unknown) as u64;
        Self { transaction, txid, wtxid, fee, weight, sigops }
    }
}

/// What a block may hold, its coinbase included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Weight (BIP141).
    pub weight: u64,
    /// Signature operations, legacy ones counted four times.
    pub sigops: u64,
}

impl Limits {
    /// Those of consensus.
    pub const CONSENSUS: Self = Self { weight: 4_000_000, sigops: 80_000 };
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
    /// What the block may hold.
    pub limits: Limits,
    /// Whether SegWit is active, so that the coinbase commits to witnesses.
    pub segwit: bool,
    /// What the coinbase must have, where that is not the usual.
    pub demands: Option<Arc<CoinbaseDemands>>,
}

impl Template {
    /// Leaves out transactions, last ones first, until a coinbase of this weight
    /// and these signature operations fits; tells how many.
    ///
    /// Nodes reserve room for a usual coinbase (Core 8,000 weight units), ours
    /// may be of 16 KB. None that stays depends on one that goes, since parents come
    /// first; and the last ones pay least.
    pub fn make_room(&mut self, coinbase_weight: u64, coinbase_sigops: u64) -> usize {
        let sum = |of: fn(&TemplateTransaction) -> u64| self.transactions.iter().map(of).sum::<u64>();
        // The count can only become shorter.
        let framing = 4 * (80 + VarInt::from(self.transactions.len() + 1).size() as u64);
        let mut weight = framing + coinbase_weight + sum(|entry| entry.weight);
        let mut sigops = coinbase_sigops + sum(|entry| entry.sigops);
        let mut kept = self.transactions.len();
        while weight > self.limits.weight || sigops > self.limits.sigops {
            let Some(last) = kept.checked_sub(1).map(|at| &self.transactions[at]) else { break };
            weight -= last.weight;
            sigops -= last.sigops;
            self.coinbase_value -= last.fee;
            kept -= 1;
        }
        let left_out = self.transactions.len() - kept;
        if left_out > 0 {
            self.transactions = self.transactions[..kept].into();
        }
        left_out
    }
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

#[cfg(test)]
mod tests {
    use bitcoin::{ScriptBuf, Sequence, TxIn, Witness, absolute, transaction};

    use super::*;

    /// Transactions with a fee of their number, without and with a CHECKSIG.
    fn template(count: u64) -> Template {
        let checksig = ScriptBuf::from_bytes(vec![0xac]);
        let transaction = |n: u64| Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint { txid: bitcoin::Txid::all_zeros(), vout: n as u32 },
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[[7; 32]]),
            }],
            output: vec![TxOut { value: Amount::ZERO, script_pubkey: checksig.clone() }],
        };
        let entry = |n| TemplateTransaction::new(transaction(n), Amount::from_sat(n));
        Template {
            height: 1,
            prev_hash: [1; 32],
            version: 0x2000_0000,
            nbits: 0x207f_ffff,
            ntime_min: 1,
            ntime: 2,
            coinbase_value: Amount::from_sat(1_000 + (1..=count).sum::<u64>()),
            transactions: (1..=count).map(entry).collect(),
            limits: Limits::CONSENSUS,
            segwit: true,
            demands: None,
        }
    }

    #[test]
    fn room_is_made_from_the_end_and_its_fees_are_not_claimed() {
        let (ours, sigops) = (4_000, 4);
        let whole = template(300);
        let each = whole.transactions[0].weight;
        assert_eq!(each, whole.transactions[0].transaction.weight().to_wu());
        assert_eq!(whole.transactions[0].sigops, 4);
        let exact = 4 * (80 + 3) + ours + 300 * each;
        let check = |limits, kept: u64| {
            let mut template = Template { limits, ..template(300) };
            assert_eq!(template.make_room(ours, sigops) as u64, 300 - kept, "{limits:?}");
            assert_eq!(template.transactions[..], whole.transactions[..kept as usize]);
            let fees: Amount = template.transactions.iter().map(|entry| entry.fee).sum();
            assert_eq!(template.coinbase_value - fees, Amount::from_sat(1_000));
        };
        check(Limits::CONSENSUS, 300);
        check(Limits { weight: exact, sigops: 80_000 }, 300);
        check(Limits { weight: exact - 1, sigops: 80_000 }, 299);
        check(Limits { weight: exact - each - 1, sigops: 80_000 }, 298);
        check(Limits { weight: exact, sigops: 4 * 200 }, 199);
        check(Limits { weight: 0, sigops: 0 }, 0);
    }
}
