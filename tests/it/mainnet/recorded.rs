//! A template made of a block of mainnet.
//!
//! The block is recorded: its transactions, their order, its height, parent,
//! time, and what its coinbase was paid. A block does not say the fee of each
//! transaction, nor signature operations that show only with the coins it
//! spends: the sum of the fees is spread by weight, and of signature operations
//! those that show are counted. The target is an easy one, so that a CPU can
//! find the block.

use bitcoin::{Amount, Block, CompactTarget, Network};

use super::offer::{Offer, Offered};

/// Names the file with the block.
const BLOCK: &str = "ADIT_MAINNET_BLOCK";

/// Some 65,000 hashes.
const BITS: u32 = 0x1f00_ffff;

/// Version bits that miners roll (BIP320).
const ROLLED: i32 = 0x1fff_e000;

/// Sats of mainnet's subsidy at a height.
fn subsidy(height: u32) -> Amount {
    Amount::from_sat((50 * Amount::ONE_BTC.to_sat()) >> (height / 210_000))
}

/// The block in the file that the variable names.
pub fn block() -> Block {
    let path = std::env::var_os(BLOCK)
        .unwrap_or_else(|| panic!("{BLOCK} does not name a block of mainnet; ci/mainnet-block has one"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let block: Block = bitcoin::consensus::deserialize(&bytes).expect("a block as nodes send it");
    // Nobody makes up a block with this much work.
    block.header.validate_pow(block.header.target()).expect("its work is done");
    assert!(block.header.difficulty_float() > 1e12 && block.check_merkle_root());
    block
}

/// What a node would have offered to whoever made `block`.
pub fn offer(block: &Block) -> Offer {
    let height = block.bip34_block_height().expect("a block since 2012") as u32;
    let coinbase_value: Amount = block.txdata[0].output.iter().map(|output| output.value).sum();
    let others = &block.txdata[1..];
    let fees = (coinbase_value - subsidy(height)).to_sat();
    let total: u64 = others.iter().map(|tx| tx.weight().to_wu()).sum();
    let mut transactions: Vec<Offered> = others
        .iter()
        .map(|tx| Offered {
            fee: Amount::from_sat(fees * tx.weight().to_wu() / total),
            sigops: tx.total_sigop_cost(|_| None) as u64,
            transaction: tx.clone(),
        })
        .collect();
    let spread: u64 = transactions.iter().map(|offered| offered.fee.to_sat()).sum();
    transactions[0].fee += Amount::from_sat(fees - spread);
    Offer {
        network: Network::Bitcoin,
        height,
        prev_hash: block.header.prev_blockhash,
        version: (block.header.version.to_consensus() & !ROLLED) as u32,
        bits: CompactTarget::from_consensus(BITS),
        time_min: block.header.time - 3_600,
        time: block.header.time,
        coinbase_value,
        transactions,
    }
}
