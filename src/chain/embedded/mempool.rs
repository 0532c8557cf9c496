//! Transactions waiting for a block: submitted ones first, then the lanes'.
//!
//! Submitted transactions are kept in memory only, in order of arrival, and
//! may spend each other's outputs. What a template holds is built once per tip
//! and shared. Invariant: all of it together is valid in the next block.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use bitcoin::{Transaction, Txid};

use super::coins::{BlockTransactions, Changes, Coins, View, sigops_cost};
use super::lanes::Lanes;
use super::params::Params;
use super::rules::{SIGOPS_COST_MAX, WEIGHT_MAX};
use super::transactions::{SpendContext, check_spends, check_transaction, is_final};
use crate::block::TemplateTransaction;
use crate::chain::Refusal;
use crate::hash::Hash;

/// Weight left for the header, the count and a coinbase of up to 16 KiB.
const WEIGHT_RESERVED: usize = 80_000;

/// Signature operations left for the coinbase's outputs.
const SIGOPS_RESERVED: usize = 4_000;

/// A submitted transaction.
#[derive(Debug)]
struct Submitted {
    entry: TemplateTransaction,
    sigops: usize,
}

/// Transactions for the next block.
#[derive(Debug)]
pub(super) struct Mempool {
    submitted: Vec<Submitted>,
    /// What the submitted ones change, laid over the coins at the tip.
    changes: Changes,
    lanes: Lanes,
    /// The full template's transactions, until the tip or the submitted ones change.
    full: Option<Arc<[TemplateTransaction]>>,
    none: Arc<[TemplateTransaction]>,
}

impl Mempool {
    /// The mempool of a chain with these coins.
    pub fn new(params: &Params, coins: &Coins) -> Self {
        Self {
            submitted: Vec::new(),
            changes: Changes::new(),
            lanes: Lanes::new(params.lanes, params.seed, coins),
            full: None,
            none: Arc::new([]),
        }
    }

    /// No transactions.
    pub fn none(&self) -> Arc<[TemplateTransaction]> {
        self.none.clone()
    }

    /// All that fits into the block at `height`.
    pub fn full(&mut self, height: u32) -> Arc<[TemplateTransaction]> {
        if let Some(full) = &self.full {
            return full.clone();
        }
        let mut weight = WEIGHT_RESERVED;
        let mut sigops = SIGOPS_RESERVED;
        let mut left_out: BTreeSet<Hash> = BTreeSet::new();
        let mut chosen = Vec::new();
        let from_lanes = self.lane_transactions(height).into_iter().map(|entry| {
            let sigops = entry.transaction.input.len(); // one for each P2WPKH, none for taproot
            Submitted { entry, sigops }
        });
        let submitted = self.submitted.iter().map(|Submitted { entry, sigops }| (entry.clone(), *sigops));
        for (entry, cost) in submitted.chain(from_lanes.map(|lane| (lane.entry, lane.sigops))) {
            let entry_weight = entry.weight as usize;
            let spends =
                |input: &bitcoin::TxIn| left_out.contains(input.previous_output.txid.as_byte_array());
            let orphaned = !left_out.is_empty() && entry.transaction.input.iter().any(spends);
            if orphaned || weight + entry_weight > WEIGHT_MAX || sigops + cost > SIGOPS_COST_MAX {
                left_out.insert(entry.txid);
                continue;
            }
            weight += entry_weight;
            sigops += cost;
            chosen.push(entry);
        }
        self.full.insert(chosen.into()).clone()
    }

    /// Only the lanes' transactions, which are valid after any sibling of the tip
    /// that spends the same coins.
    pub fn lane_transactions(&self, height: u32) -> Vec<TemplateTransaction> {
        self.lanes.transactions(height, |outpoint| matches!(self.changes.get(outpoint), Some(None)))
    }

    /// Takes a transaction for the block at the context's height.
    pub fn submit(
        &mut self,
        tx: Transaction,
        coins: &Coins,
        context: &SpendContext,
    ) -> Result<Txid, Refusal> {
        check_transaction(&tx)?;
        let id = tx.compute_txid();
        let refuse = |reason| Err(Refusal::new(reason, format!("transaction {id}")));
        if tx.is_coinbase() {
            return refuse("coinbase");
        }
        if self.submitted.iter().any(|other| other.entry.txid == id.to_byte_array()) {
            return refuse("txn-already-in-mempool");
        }
        if !is_final(&tx, context.height, context.median_time) {
            return refuse("non-final");
        }
        let conflicts = |input: &bitcoin::TxIn| {
            coins.contains_key(&input.previous_output)
                && matches!(self.changes.get(&input.previous_output), Some(None))
        };
        if tx.input.iter().any(conflicts) {
            return refuse("txn-mempool-conflict");
        }
        let mut view = View::new(coins, std::mem::take(&mut self.changes));
        let judged = view.inputs(&tx).and_then(|spent| {
            let fee = check_spends(&tx, &spent, context)?;
            let sigops = sigops_cost(&tx, &spent);
            let weight = tx.weight().to_wu() as usize;
            if sigops > SIGOPS_COST_MAX - SIGOPS_RESERVED || weight > WEIGHT_MAX - WEIGHT_RESERVED {
                return Err(Refusal::new(
                    "tx-size",
                    format!("weight {weight}, sigop cost {sigops}: no block holds it"),
                ));
            }
            view.update(
                &BlockTransactions { transactions: std::slice::from_ref(&tx), txids: &[id.to_byte_array()] },
                0,
                context.height,
            );
            Ok((fee, sigops))
        });
        self.changes = view.into_changes();
        let (fee, sigops) = judged?;
        self.submitted.push(Submitted { entry: TemplateTransaction::new(tx, fee), sigops });
        self.full = None;
        Ok(id)
    }

    /// Follows the chain to another tip, whose coins are `coins`.
    ///
    /// `returned` are transactions of blocks that left the chain, oldest first;
    /// they and the submitted ones stay as far as they are still valid.
    pub fn follow(
        &mut self,
        coins: &Coins,
        changes: &Changes,
        returned: Vec<Transaction>,
        context: &SpendContext,
    ) {
        self.lanes.follow(changes);
        self.full = None;
        self.changes.clear();
        let submitted = std::mem::take(&mut self.submitted);
        for tx in returned.into_iter().chain(submitted.into_iter().map(|kept| kept.entry.transaction)) {
            // Refused ones are in a block by now, or conflict with one.
            let _ = self.submit(tx, coins, context);
        }
    }

    /// Whether a transaction belongs to a lane, and is made anew for every tip.
    pub fn is_from_lane(&self, tx: &Transaction) -> bool {
        tx.output.iter().all(|output| self.lanes.owns(&output.script_pubkey))
    }
}
