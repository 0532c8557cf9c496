//! The chain as its users see it: mine, break, fork, restart.
//!
//! [`Bench`] owns the chain and a clock that moves on by ten minutes a block.
//! Coinbases pay to `OP_TRUE`, so their coins can really be spent by anyone.

mod blocks;
mod forks;
mod mainnet;
mod restart;

use std::path::Path;

use bitcoin::hashes::Hash as _;
use bitcoin::{
    Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness, absolute,
    transaction,
};

use super::{Coin, EmbeddedChain, Params, Proof};
use crate::block::{Coinbase, CoinbaseSpec, HeaderFields, Template, assemble, root, witness_commitment};
use crate::chain::{Refusal, SubmitError, SubmitOutcome};
use crate::hash::{Hash, HeaderScan};
use crate::units::{Seconds, Target, Timestamp};

/// When the tests begin.
const START: Timestamp = Timestamp::from_unix_seconds(1_750_000_000);

struct Bench {
    chain: EmbeddedChain,
    now: Timestamp,
}

impl Bench {
    fn regtest() -> Self {
        Self::open(None, Params::regtest())
    }

    /// Regtest with `blocks` blocks.
    fn regtest_at(blocks: u32) -> Self {
        let mut bench = Self::regtest();
        bench.mine(blocks);
        bench
    }

    fn open(dir: Option<&Path>, params: Params) -> Self {
        Self { chain: EmbeddedChain::open(dir, params, START).unwrap(), now: START }
    }

    fn template(&mut self) -> Template {
        self.chain.template(false, self.now)
    }

    /// A solved block on the tip.
    fn next_block(&mut self, tag: &str) -> Block {
        self.now = self.now + Seconds(600.0);
        solved_block(&self.template(), tag)
    }

    fn submit(&mut self, block: &Block) -> Result<SubmitOutcome, Refusal> {
        match self.chain.submit(block, Proof::Hashed, self.now) {
            Ok(outcome) => Ok(outcome),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(SubmitError::Fault(error)) => panic!("{error}"),
        }
    }

    /// Mines blocks onto the tip and returns their hashes.
    fn mine(&mut self, blocks: u32) -> Vec<Hash> {
        (0..blocks)
            .map(|_| {
                let block = self.next_block("main");
                assert_eq!(self.submit(&block).unwrap(), SubmitOutcome::NewTip);
                block.block_hash().to_byte_array()
            })
            .collect()
    }

    /// A solved block without transactions upon any known block.
    fn block_upon(&mut self, parent: Hash, tag: &str) -> Block {
        self.now = self.now + Seconds(1.0);
        let parent = self.chain.index.get(&parent).unwrap();
        solved_block(&self.chain.template_on(parent, self.chain.mempool.none(), self.now), tag)
    }

    fn coins(&self) -> Vec<(OutPoint, Coin)> {
        self.chain.coins().map(|(outpoint, coin)| (*outpoint, coin.clone())).collect()
    }

    /// The coinbase coin of the best chain's block at `height`.
    fn coinbase_coin(&self, height: u32) -> (OutPoint, Amount) {
        let coinbase = self.chain.coinbase(&self.chain.hash_at(height).unwrap()).unwrap().unwrap();
        (OutPoint::new(coinbase.compute_txid(), 0), coinbase.output[0].value)
    }
}

fn anyone_can_spend() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51])
}

/// A block on `template`, solved.
fn solved_block(template: &Template, tag: &str) -> Block {
    let spec = CoinbaseSpec {
        payees: vec![(anyone_can_spend(), 1)],
        tag: tag.to_owned(),
        extranonce_bytes: 12,
        length: None,
    };
    let wtxids: Vec<Hash> = template.transactions.iter().map(|entry| entry.wtxid).collect();
    let commitment = witness_commitment(&wtxids, &[0; 32]);
    let coinbase = Coinbase::build(&spec, template.height, template.coinbase_value, Some(commitment))
        .unwrap()
        .transaction(&[1; 4], &[2; 8]);
    let header = HeaderFields {
        version: template.version,
        prev_hash: template.prev_hash,
        merkle_root: [0; 32],
        ntime: template.ntime,
        nbits: template.nbits,
        nonce: 0,
    };
    let mut block = assemble(&header, coinbase, template);
    fix_merkle_root(&mut block);
    solve(&mut block);
    block
}

fn fix_merkle_root(block: &mut Block) {
    let ids: Vec<Hash> = block.txdata.iter().map(|tx| tx.compute_txid().to_byte_array()).collect();
    block.header.merkle_root = TxMerkleNode::from_byte_array(root(&ids));
}

/// Searches the nonce for the target that the header claims.
fn solve(block: &mut Block) {
    let header: [u8; 80] = bitcoin::consensus::serialize(&block.header).try_into().unwrap();
    let target = Target::from_compact(block.header.bits.to_consensus());
    let found = HeaderScan::new(&header).search(&target, 0, 1 << 32).unwrap();
    block.header.nonce = found.0;
}

/// Spends coins of anyone to `values`.
fn pay(from: &[OutPoint], values: &[u64]) -> Transaction {
    let input = |outpoint: &OutPoint| TxIn {
        previous_output: *outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let output = |sats: &u64| TxOut { value: Amount::from_sat(*sats), script_pubkey: anyone_can_spend() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: from.iter().map(input).collect(),
        output: values.iter().map(output).collect(),
    }
}
