//! What a block must be as far as it shows without the coins it spends.
//!
//! Counted here on their own, from the block alone, so that a mistake of the
//! pool is not made twice.

use bitcoin::hashes::{Hash as _, sha256d};
use bitcoin::{Amount, Block, Transaction, VarInt};

use super::offer::{Offer, merkle_root};

const WEIGHT_MAX: u64 = 4_000_000;
const SIGOPS_MAX: u64 = 80_000;

/// Figures of a block, for whoever reads the test's output.
#[derive(Debug)]
pub struct Figures {
    pub transactions: usize,
    pub weight: u64,
    pub sigops: u64,
    pub with_witness: usize,
    /// Transactions that spend an output of the block.
    pub dependent: usize,
    /// Longest chain of them.
    pub depth: usize,
}

/// Checks everything that consensus asks of the block on `offer`.
pub fn check(block: &Block, offer: &Offer) -> Figures {
    let (coinbase, others) = block.txdata.split_first().expect("a block has a coinbase");

    assert_eq!(block.header.prev_blockhash, offer.prev_hash);
    assert_eq!(block.header.bits, offer.bits);
    block.header.validate_pow(offer.bits.into()).expect("the proof is done");
    assert!((offer.time_min..=offer.time + 7_200).contains(&block.header.time), "{}", block.header.time);

    let kept = &offer.transactions[..others.len()];
    for (ours, offered) in others.iter().zip(kept) {
        assert_eq!(ours, &offered.transaction, "the node's order is kept");
    }

    let ids = block.txdata.iter().map(|tx| tx.compute_txid().to_byte_array());
    assert_eq!(merkle_root(ids.collect()), block.header.merkle_root.to_byte_array());
    let wids = others.iter().map(|tx| tx.compute_wtxid().to_byte_array());
    let witness_root = merkle_root(std::iter::once([0; 32]).chain(wids).collect());
    check_coinbase(coinbase, offer, witness_root, kept.iter().map(|offered| offered.fee).sum());

    let framing = 80 + VarInt::from(block.txdata.len()).size() as u64;
    let weight = 4 * framing + block.txdata.iter().map(|tx| tx.weight().to_wu()).sum::<u64>();
    assert_eq!(weight, block.weight().to_wu());
    assert!(weight <= WEIGHT_MAX, "weight {weight}");
    let own = coinbase.total_sigop_cost(|_| None) as u64;
    let sigops = own + kept.iter().map(|offered| offered.sigops).sum::<u64>();
    assert!(sigops <= SIGOPS_MAX, "sigops {sigops}");

    let (dependent, depth) = chains(others);
    Figures {
        transactions: block.txdata.len(),
        weight,
        sigops,
        with_witness: others
            .iter()
            .filter(|tx| tx.input.iter().any(|input| !input.witness.is_empty()))
            .count(),
        dependent,
        depth,
    }
}

fn check_coinbase(coinbase: &Transaction, offer: &Offer, witness_root: [u8; 32], fees: Amount) {
    assert!(coinbase.is_coinbase());
    let script = coinbase.input[0].script_sig.as_bytes();
    assert!((2..=100).contains(&script.len()), "{} bytes", script.len());
    let height = bitcoin::script::Builder::new().push_int(i64::from(offer.height)).into_bytes();
    assert!(script.starts_with(&height), "{script:02x?}");

    let paid: Amount = coinbase.output.iter().map(|output| output.value).sum();
    assert_eq!(
        paid,
        offer.subsidy() + fees,
        "the coinbase claims exactly the subsidy and the fees of what it has"
    );

    let witness = &coinbase.input[0].witness;
    assert_eq!((witness.len(), witness.nth(0)), (1, Some(&[0; 32][..])), "the reserved value");
    let committed = sha256d::Hash::hash(&[witness_root, [0; 32]].concat()).to_byte_array();
    let marked = |output: &&bitcoin::TxOut| {
        output.script_pubkey.as_bytes().starts_with(&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed])
    };
    let commitments: Vec<_> = coinbase.output.iter().filter(marked).collect();
    assert_eq!(commitments.len(), 1);
    assert_eq!(commitments[0].script_pubkey.as_bytes()[6..], committed);
}

/// How many transactions spend an output of the block, and over how many generations.
/// Parents come first, or this panics.
fn chains(transactions: &[Transaction]) -> (usize, usize) {
    let all: std::collections::BTreeSet<_> = transactions.iter().map(Transaction::compute_txid).collect();
    let mut depth_of = std::collections::BTreeMap::new();
    let mut dependent = 0;
    for tx in transactions {
        let parents = tx.input.iter().map(|input| input.previous_output.txid).filter(|id| all.contains(id));
        let depth = parents.map(|id| depth_of.get(&id).expect("a parent comes first") + 1).max().unwrap_or(0);
        dependent += usize::from(depth > 0);
        depth_of.insert(tx.compute_txid(), depth);
    }
    (dependent, depth_of.into_values().max().unwrap_or(0))
}
