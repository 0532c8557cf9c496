//! The unspent coins, and views of them in which blocks come and go.
//!
//! A [`View`] lays changes over [`Coins`] without touching them: connecting
//! and disconnecting happen there, and only when all of a reorganisation has
//! succeeded (and is on disk) are its [`Changes`] applied. Invariant:
//! disconnecting a block restores exactly the coins from before it.

use std::collections::BTreeMap;

use bitcoin::consensus::{Decodable, Encodable};
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid};

use super::rules::SIGOPS_COST_MAX;
use super::transactions::{SpendContext, check_spends};
use crate::chain::Refusal;
use crate::hash::Hash;

/// Scripts longer than this can never be spent from.
const SCRIPT_BYTES_MAX: usize = 10_000;

/// An unspent output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coin {
    /// Value and script.
    pub output: TxOut,
    /// Height of the block that made it.
    pub height: u32,
    /// Whether it is a coinbase's, which must mature.
    pub coinbase: bool,
}

impl Coin {
    /// Appends the stored form.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&(self.height << 1 | u32::from(self.coinbase)).to_le_bytes());
        self.output.consensus_encode(to).expect("a Vec takes all bytes");
    }

    /// Reads the stored form off the front of `from`.
    pub(super) fn decode(from: &mut &[u8]) -> Option<Self> {
        let code = u32::consensus_decode(from).ok()?;
        let output = TxOut::consensus_decode(from).ok()?;
        Some(Self { output, height: code >> 1, coinbase: code & 1 != 0 })
    }
}

/// The coins at the tip.
pub(super) type Coins = BTreeMap<OutPoint, Coin>;

/// Coins made (`Some`) and spent (`None`).
pub(super) type Changes = BTreeMap<OutPoint, Option<Coin>>;

/// The coins that a block spent, in the order of its inputs.
pub(super) type Undo = Vec<Coin>;

/// The stored form of a block's undo data.
pub(super) fn encode_undo(undo: &Undo) -> Vec<u8> {
    let mut bytes = Vec::new();
    undo.iter().for_each(|coin| coin.encode(&mut bytes));
    bytes
}

/// Reads a block's undo data.
pub(super) fn decode_undo(mut bytes: &[u8]) -> Option<Undo> {
    let mut undo = Undo::new();
    while !bytes.is_empty() {
        undo.push(Coin::decode(&mut bytes)?);
    }
    Some(undo)
}

/// Makes `changes` part of `coins`.
pub(super) fn apply(coins: &mut Coins, changes: Changes) {
    for (outpoint, coin) in changes {
        match coin {
            Some(coin) => coins.insert(outpoint, coin),
            None => coins.remove(&outpoint),
        };
    }
}

/// A block's transactions with their ids.
pub(super) struct BlockTransactions<'a> {
    pub transactions: &'a [Transaction],
    pub txids: &'a [Hash],
}

impl BlockTransactions<'_> {
    /// Outputs that become coins, with the index of their transaction.
    fn outputs(&self, at: usize) -> impl Iterator<Item = (OutPoint, &TxOut)> {
        let txid = Txid::from_byte_array(self.txids[at]);
        (0..)
            .zip(&self.transactions[at].output)
            .filter(|(_, output)| is_spendable(output))
            .map(move |(vout, output)| (OutPoint::new(txid, vout), output))
    }
}

fn is_spendable(output: &TxOut) -> bool {
    !output.script_pubkey.is_op_return() && output.script_pubkey.len() <= SCRIPT_BYTES_MAX
}

/// Coins with changes laid over them.
#[derive(Debug)]
pub(super) struct View<'a> {
    coins: &'a Coins,
    changes: Changes,
}

impl<'a> View<'a> {
    /// The coins with `changes` already made.
    pub fn new(coins: &'a Coins, changes: Changes) -> Self {
        Self { coins, changes }
    }

    /// The changes against the coins beneath.
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// An unspent coin.
    pub fn get(&self, outpoint: &OutPoint) -> Option<&Coin> {
        match self.changes.get(outpoint) {
            Some(change) => change.as_ref(),
            None => self.coins.get(outpoint),
        }
    }

    fn make(&mut self, outpoint: OutPoint, coin: Coin) {
        self.changes.insert(outpoint, Some(coin));
    }

    fn spend(&mut self, outpoint: OutPoint) {
        self.changes.insert(outpoint, None);
    }

    /// The coins that `tx` spends.
    pub fn inputs(&self, tx: &Transaction) -> Result<Vec<Coin>, Refusal> {
        let coin_of = |input: &bitcoin::TxIn| {
            let outpoint = input.previous_output;
            let missing =
                || Refusal::new("bad-txns-inputs-missingorspent", format!("no unspent coin {outpoint}"));
            self.get(&outpoint).cloned().ok_or_else(missing)
        };
        tx.input.iter().map(coin_of).collect()
    }

    /// Spends the inputs and makes the outputs of transaction `at`.
    pub fn update(&mut self, block: &BlockTransactions, at: usize, height: u32) {
        let tx = &block.transactions[at];
        let coinbase = tx.is_coinbase();
        if !coinbase {
            tx.input.iter().for_each(|input| self.spend(input.previous_output));
        }
        for (outpoint, output) in block.outputs(at) {
            self.make(outpoint, Coin { output: output.clone(), height, coinbase });
        }
    }

    /// Spends and makes the coins of a block worth `subsidy` plus fees
    /// (Core's `ConnectBlock`, without scripts).
    ///
    /// On a refusal the view is half changed and must be dropped.
    pub fn connect(
        &mut self,
        block: &BlockTransactions,
        subsidy: Amount,
        context: &SpendContext,
    ) -> Result<Undo, Refusal> {
        for at in 0..block.transactions.len() {
            if let Some((outpoint, _)) = block.outputs(at).find(|(outpoint, _)| self.get(outpoint).is_some())
            {
                return Err(Refusal::new("bad-txns-BIP30", format!("{outpoint} exists and is unspent")));
            }
        }
        let mut undo = Undo::new();
        let (mut fees, mut sigops) = (Amount::ZERO, 0);
        for (at, tx) in block.transactions.iter().enumerate() {
            let mut spent = Vec::new();
            if !tx.is_coinbase() {
                spent = self.inputs(tx)?;
                fees += check_spends(tx, &spent, context)?;
                if fees > Amount::MAX_MONEY {
                    return Err(Refusal::new(
                        "bad-txns-accumulated-fee-outofrange",
                        format!("fees of {fees}"),
                    ));
                }
            }
            sigops += sigops_cost(tx, &spent);
            if sigops > SIGOPS_COST_MAX {
                return Err(Refusal::new(
                    "bad-blk-sigops",
                    format!("sigop cost {sigops}, allowed {SIGOPS_COST_MAX}"),
                ));
            }
            self.update(block, at, context.height);
            undo.append(&mut spent);
        }
        let paid: Amount = block.transactions[0].output.iter().map(|output| output.value).sum();
        if paid > subsidy + fees {
            let detail = format!("the coinbase pays {paid}, the block is worth {}", subsidy + fees);
            return Err(Refusal::new("bad-cb-amount", detail));
        }
        Ok(undo)
    }

    /// Takes a block's coins back; `false` when `undo` is not of this block.
    #[must_use]
    pub fn disconnect(&mut self, block: &BlockTransactions, mut undo: Undo) -> bool {
        for (at, tx) in block.transactions.iter().enumerate().rev() {
            for (outpoint, _) in block.outputs(at) {
                self.spend(outpoint);
            }
            if tx.is_coinbase() {
                continue;
            }
            for input in tx.input.iter().rev() {
                let Some(coin) = undo.pop() else { return false };
                self.make(input.previous_output, coin);
            }
        }
        undo.is_empty()
    }
}

/// Cost of the signature operations of `tx`, which spends `coins` in the order of its inputs.
pub(super) fn sigops_cost(tx: &Transaction, coins: &[Coin]) -> usize {
    let spent: BTreeMap<&OutPoint, &TxOut> =
        tx.input.iter().zip(coins).map(|(input, coin)| (&input.previous_output, &coin.output)).collect();
    tx.total_sigop_cost(|outpoint| spent.get(outpoint).map(|output| (*output).clone()))
}

#[cfg(test)]
mod tests {
    use bitcoin::{ScriptBuf, Sequence, TxIn, Witness, absolute, transaction};
    use proptest::prelude::*;

    use super::*;

    const CONTEXT: SpendContext =
        SpendContext { height: 200, median_time: 0, coinbase_maturity: 100, median_time_at: &|_| 0 };

    fn pay(from: Vec<OutPoint>, values: Vec<u64>) -> Transaction {
        let input = |previous_output| TxIn {
            previous_output,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let output = |value| TxOut { value: Amount::from_sat(value), script_pubkey: ScriptBuf::new() };
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: from.into_iter().map(input).collect(),
            output: values.into_iter().map(output).collect(),
        }
    }

    fn coinbase(tag: u32) -> Transaction {
        let mut tx = pay(vec![OutPoint::null()], vec![50]);
        tx.lock_time = absolute::LockTime::from_consensus(tag);
        tx
    }

    fn ids(block: &[Transaction]) -> Vec<Hash> {
        block.iter().map(|tx| tx.compute_txid().to_byte_array()).collect()
    }

    /// Coins to begin with: one of each value, old enough to spend.
    fn coins(values: &[u64]) -> Coins {
        let tx = pay(vec![OutPoint::new(Txid::from_byte_array([1; 32]), 0)], values.to_vec());
        let txids = ids(std::slice::from_ref(&tx));
        let mut coins = Coins::new();
        let empty = Coins::new();
        let mut view = View::new(&empty, Changes::new());
        view.update(&BlockTransactions { transactions: &[tx], txids: &txids }, 0, 1);
        apply(&mut coins, view.into_changes());
        coins
    }

    proptest! {
        #[test]
        fn disconnecting_restores_exactly_what_was(
            // Blocks of transactions; each spends some coins by index into what is unspent.
            blocks in prop::collection::vec(
                prop::collection::vec(
                    (prop::collection::vec(any::<prop::sample::Index>(), 1..4), 1usize..4),
                    0..6,
                ),
                1..12,
            ),
        ) {
            let mut now = coins(&[1_000; 8]);
            let mut history = Vec::new();
            for (tag, plan) in (0..).zip(blocks) {
                let mut block = vec![coinbase(tag)];
                let mut view = View::new(&now, Changes::new());
                // Spendable as the block goes on, so that it spends its own coins too.
                let mut unspent = now.clone();
                for (inputs, outputs) in plan {
                    let mature: Vec<_> =
                        unspent.iter().filter(|(_, coin)| !coin.coinbase).map(|(o, _)| *o).collect();
                    let mut from: Vec<_> =
                        inputs.iter().map(|index| mature[index.index(mature.len())]).collect();
                    from.sort_unstable();
                    from.dedup();
                    let value: u64 = from.iter().map(|outpoint| unspent[outpoint].output.value.to_sat()).sum();
                    let tx = pay(from.clone(), vec![value / outputs as u64; outputs]);
                    from.iter().for_each(|outpoint| drop(unspent.remove(outpoint)));
                    for (vout, output) in (0..).zip(&tx.output) {
                        let coin = Coin { output: output.clone(), height: 200, coinbase: false };
                        unspent.insert(OutPoint::new(tx.compute_txid(), vout), coin);
                    }
                    block.push(tx);
                }
                let txids = ids(&block);
                let parts = BlockTransactions { transactions: &block, txids: &txids };
                let undo = view.connect(&parts, Amount::from_sat(50), &CONTEXT).unwrap();
                let undo = decode_undo(&encode_undo(&undo)).unwrap();
                let changes = view.into_changes();
                let before = now.clone();
                apply(&mut now, changes);
                history.push((before, block, txids, undo));
            }
            // Back in one view, as a reorganisation does.
            let mut view = View::new(&now, Changes::new());
            let mut expected = now.clone();
            for (before, block, txids, undo) in history.into_iter().rev() {
                let parts = BlockTransactions { transactions: &block, txids: &txids };
                prop_assert!(view.disconnect(&parts, undo));
                expected = before;
            }
            let mut restored = now.clone();
            apply(&mut restored, view.into_changes());
            prop_assert_eq!(restored, expected);
        }
    }

    #[test]
    fn fees_belong_to_the_coinbase() {
        fn check(fee: u64, paid: u64, reason: Option<&str>) {
            let coins = coins(&[100]);
            let spend = pay(coins.keys().copied().collect(), vec![100 - fee]);
            let mut first = coinbase(0);
            first.output[0].value = Amount::from_sat(paid);
            let block = [first, spend];
            let txids = ids(&block);
            let parts = BlockTransactions { transactions: &block, txids: &txids };
            let result = View::new(&coins, Changes::new()).connect(&parts, Amount::from_sat(50), &CONTEXT);
            assert_eq!(result.err().map(|refusal| refusal.reason).as_deref(), reason);
        }
        check(0, 50, None);
        check(7, 57, None);
        check(7, 40, None);
        check(7, 58, Some("bad-cb-amount"));
    }

    #[test]
    fn coins_are_spent_once() {
        fn check(second: u64, reason: &str) {
            let coins = coins(&[100]);
            let from: Vec<_> = coins.keys().copied().collect();
            let block = [coinbase(0), pay(from.clone(), vec![90]), pay(from, vec![second])];
            let txids = ids(&block);
            let parts = BlockTransactions { transactions: &block, txids: &txids };
            let result = View::new(&coins, Changes::new()).connect(&parts, Amount::from_sat(50), &CONTEXT);
            assert_eq!(result.unwrap_err().reason, reason);
        }
        check(80, "bad-txns-inputs-missingorspent");
    }

    #[test]
    fn what_cannot_be_spent_is_no_coin() {
        let mut tx = pay(vec![OutPoint::null()], vec![1, 2, 3]);
        tx.output[0].script_pubkey = ScriptBuf::new_op_return([0; 4]);
        tx.output[1].script_pubkey = ScriptBuf::from_bytes(vec![0x51; SCRIPT_BYTES_MAX + 1]);
        let txids = ids(std::slice::from_ref(&tx));
        let empty = Coins::new();
        let mut view = View::new(&empty, Changes::new());
        view.update(&BlockTransactions { transactions: &[tx], txids: &txids }, 0, 1);
        let made: Vec<u32> = view.into_changes().keys().map(|outpoint| outpoint.vout).collect();
        assert_eq!(made, [2]);
    }
}
