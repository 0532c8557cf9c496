//! Good blocks, each broken in one way, and the reason it is refused for.

use bitcoin::block::Version;
use bitcoin::hashes::Hash as _;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, ScriptBuf, Transaction, TxMerkleNode, TxOut, Witness,
};

use super::bench::{Bench, HEIGHT, fix_commitment, fix_merkle_root, solve, spoil};
use super::judge::Who;
use super::transactions;

/// What is made right again after the block was broken, so that only one thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mend {
    Nothing,
    Proof,
    /// Merkle root and proof.
    Root,
    /// Commitment, merkle root and proof.
    Commitment,
}

/// A judge who says otherwise by design.
pub struct But {
    pub judge: Who,
    pub verdict: Option<&'static str>,
    pub why: &'static str,
}

/// A block that is broken in one way.
pub struct Row {
    pub what: &'static str,
    /// Core's reason; `None` for a block that is good all the same.
    pub reason: Option<&'static str>,
    pub differs: &'static [But],
    pub mend: Mend,
    pub spoil: fn(&mut Block, &Bench),
}

impl Row {
    /// What a judge is to say, in the words of BIP22.
    pub fn verdict(&self, judge: Who) -> Option<&'static str> {
        self.differs.iter().find(|but| but.judge == judge).map_or(self.reason, |but| but.verdict)
    }

    /// The block; `number` makes it differ from those of other rows.
    pub fn block(&self, bench: &Bench, number: usize) -> Block {
        let mut block = bench.good(&format!("row {number}"));
        (self.spoil)(&mut block, bench);
        if self.mend == Mend::Commitment {
            fix_commitment(&mut block);
        }
        if self.mend >= Mend::Root {
            fix_merkle_root(&mut block);
        }
        if self.mend >= Mend::Proof {
            solve(&mut block);
        }
        block
    }
}

/// All rows.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    HEADERS.iter().chain(BODIES).chain(COINBASES).chain(WITNESSES).chain(transactions::ROWS)
}

/// A row on which all judges agree.
pub const fn row(
    what: &'static str,
    reason: Option<&'static str>,
    mend: Mend,
    spoil: fn(&mut Block, &Bench),
) -> Row {
    Row { what, reason, differs: &[], mend, spoil }
}

fn now(bench: &Bench) -> u32 {
    bench.now.unix_seconds() as u32
}

const HEADERS: &[Row] = &[
    row("nothing", None, Mend::Nothing, |_, _| {}),
    row("high hash", Some("high-hash"), Mend::Nothing, |block, _| spoil(block)),
    row("target above the limit", Some("high-hash"), Mend::Proof, |block, _| {
        block.header.bits = CompactTarget::from_consensus(0x2100_ffff);
    }),
    row("wrong bits", Some("bad-diffbits"), Mend::Proof, |block, _| {
        block.header.bits = CompactTarget::from_consensus(0x207f_fffe);
    }),
    // The median is the time of the block five below the tip.
    row("time at the median", Some("time-too-old"), Mend::Proof, |block, bench| {
        block.header.time = now(bench) - 5 * 600;
    }),
    row("time just above the median", None, Mend::Proof, |block, bench| {
        block.header.time = now(bench) - 5 * 600 + 1;
    }),
    // Real nodes look at the clock: ten minutes are room for a slow run.
    row("time too far ahead", Some("time-too-new"), Mend::Proof, |block, bench| {
        block.header.time = now(bench) + 7_200 + 600;
    }),
    row("time ahead", None, Mend::Proof, |block, bench| block.header.time = now(bench) + 7_200 - 600),
    row("version 3", Some("bad-version(0x00000003)"), Mend::Proof, |block, _| {
        block.header.version = Version::from_consensus(3);
    }),
    row("version below zero", Some("bad-version(0xffffffff)"), Mend::Proof, |block, _| {
        block.header.version = Version::from_consensus(-1);
    }),
    row("version bits rolled", None, Mend::Proof, |block, _| {
        block.header.version = Version::from_consensus(0x3fff_e000);
    }),
    row("unknown parent", Some("prev-blk-not-found"), Mend::Proof, |block, _| {
        block.header.prev_blockhash = BlockHash::from_byte_array([9; 32]);
    }),
    row("old time and old version", Some("time-too-old"), Mend::Proof, |block, _| {
        block.header.time = 0;
        block.header.version = Version::from_consensus(1);
    }),
];

const BODIES: &[Row] = &[
    row("wrong merkle root", Some("bad-txnmrklroot"), Mend::Proof, |block, _| {
        block.header.merkle_root = TxMerkleNode::all_zeros();
    }),
    row("wrong merkle order", Some("bad-txnmrklroot"), Mend::Nothing, |block, _| block.txdata.swap(1, 2)),
    row("wrong merkle root and old time", Some("bad-txnmrklroot"), Mend::Proof, |block, _| {
        block.header.merkle_root = TxMerkleNode::all_zeros();
        block.header.time = 0;
    }),
    // CVE-2012-2459: three leaves, and three with the last repeated, have the same root.
    row("transaction repeated under the same root", Some("bad-txns-duplicate"), Mend::Proof, |block, _| {
        block.txdata.pop();
        fix_commitment(block);
        fix_merkle_root(block);
        let last = block.txdata[2].clone();
        block.txdata.push(last);
    }),
    row("no transactions at all", Some("bad-blk-length"), Mend::Proof, |block, _| {
        block.txdata.clear();
        block.header.merkle_root = TxMerkleNode::all_zeros();
    }),
    row("too long without witnesses", Some("bad-blk-length"), Mend::Commitment, |block, _| {
        let script_pubkey = ScriptBuf::from_bytes(vec![0x6a; 1_000_000]);
        block.txdata[0].output.insert(0, TxOut { value: Amount::ZERO, script_pubkey });
    }),
    row("too heavy", Some("bad-blk-weight"), Mend::Commitment, |block, _| {
        let beside = block.weight().to_wu() as usize;
        block.txdata[1].input[0].witness.push(vec![0; 4_000_000 - beside]);
    }),
    row("too many sigops in outputs", Some("bad-blk-sigops"), Mend::Commitment, |block, _| {
        let script_pubkey = ScriptBuf::from_bytes(vec![0xac; 20_001]);
        block.txdata[0].output.insert(0, TxOut { value: Amount::ZERO, script_pubkey });
    }),
    row("as many sigops in outputs as may be", None, Mend::Commitment, |block, _| {
        let script_pubkey = ScriptBuf::from_bytes(vec![0xac; 20_000]);
        block.txdata[0].output.insert(0, TxOut { value: Amount::ZERO, script_pubkey });
    }),
];

fn script_of(block: &mut Block, bytes: usize) {
    let mut script = block.txdata[0].input[0].script_sig.to_bytes();
    script.resize(bytes, 0);
    block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(script);
}

const COINBASES: &[Row] = &[
    row("no coinbase", Some("bad-cb-missing"), Mend::Root, |block, _| drop(block.txdata.remove(0))),
    row("second coinbase", Some("bad-cb-multiple"), Mend::Commitment, |block, _| {
        block.txdata.push(block.txdata[0].clone());
    }),
    row(
        "second coinbase, and a transaction without outputs",
        Some("bad-cb-multiple"),
        Mend::Root,
        |block, _| {
            block.txdata.push(block.txdata[0].clone());
            block.txdata[1].output.clear();
        },
    ),
    row("coinbase script of 1 byte", Some("bad-cb-length"), Mend::Commitment, |block, _| script_of(block, 1)),
    row("coinbase script of 101 bytes", Some("bad-cb-length"), Mend::Commitment, |block, _| {
        script_of(block, 101);
    }),
    row("coinbase script of 100 bytes", None, Mend::Commitment, |block, _| script_of(block, 100)),
    row("coinbase script of the height alone", None, Mend::Commitment, |block, _| script_of(block, 2)),
    row("wrong height", Some("bad-cb-height"), Mend::Commitment, |block, _| {
        block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(vec![1, HEIGHT as u8, 0, 0]);
    }),
    row("height in more bytes than it needs", Some("bad-cb-height"), Mend::Commitment, |block, _| {
        block.txdata[0].input[0].script_sig = ScriptBuf::from_bytes(vec![2, HEIGHT as u8 + 1, 0, 0]);
    }),
    row("excess subsidy", Some("bad-cb-amount"), Mend::Commitment, |block, _| {
        block.txdata[0].output[0].value += Amount::from_sat(1);
    }),
    row("subsidy not claimed", None, Mend::Commitment, |block, _| {
        block.txdata[0].output[0].value -= Amount::from_sat(1);
    }),
    row("fee left out and claimed", Some("bad-cb-amount"), Mend::Commitment, |block, _| {
        block.txdata.pop();
    }),
    row("coinbase that is not final", Some("bad-txns-nonfinal"), Mend::Commitment, |block, _| {
        block.txdata[0].lock_time = bitcoin::absolute::LockTime::from_consensus(HEIGHT + 1);
        block.txdata[0].input[0].sequence = bitcoin::Sequence::ZERO;
    }),
];

fn reserved(block: &mut Block, items: &[&[u8]]) {
    block.txdata[0].input[0].witness = Witness::from_slice(items);
}

const WITNESSES: &[Row] = &[
    Row {
        differs: &[But {
            judge: Who::Rpc,
            verdict: None,
            why: "submitblock adds the reserved value to a coinbase that commits and has no witness",
        }],
        ..row("missing witness reserved value", Some("bad-witness-nonce-size"), Mend::Root, |block, _| {
            reserved(block, &[]);
        })
    },
    row("witness reserved value of 31 bytes", Some("bad-witness-nonce-size"), Mend::Root, |block, _| {
        reserved(block, &[&[0; 31]]);
    }),
    row("two witness items in the coinbase", Some("bad-witness-nonce-size"), Mend::Root, |block, _| {
        reserved(block, &[&[0; 32], &[]]);
    }),
    row("other witness reserved value", Some("bad-witness-merkle-match"), Mend::Root, |block, _| {
        reserved(block, &[&[1; 32]]);
    }),
    row("bad commitment", Some("bad-witness-merkle-match"), Mend::Root, |block, _| {
        let output = block.txdata[0].output.last_mut().unwrap();
        let mut script = output.script_pubkey.to_bytes();
        script[10] ^= 1;
        output.script_pubkey = ScriptBuf::from_bytes(script);
    }),
    row("witness changed", Some("bad-witness-merkle-match"), Mend::Nothing, |block, _| {
        block.txdata[1].input[0].witness.push([1]);
    }),
    row("no commitment", Some("unexpected-witness"), Mend::Root, |block, _| {
        drop_commitment(&mut block.txdata[0]);
    }),
    row("no commitment and no witness", None, Mend::Root, |block, _| {
        drop_commitment(&mut block.txdata[0]);
        block.txdata.truncate(1);
        reserved(block, &[]);
        block.txdata[0].output[0].value -= Amount::from_sat(3_000); // three fees
    }),
    row("wrong commitment before the right one", None, Mend::Root, |block, _| {
        let mut other = block.txdata[0].output.last().unwrap().clone();
        other.script_pubkey =
            ScriptBuf::from_bytes([&other.script_pubkey.as_bytes()[..6], &[0; 32]].concat());
        block.txdata[0].output.insert(0, other);
    }),
    row("wrong commitment after the right one", Some("bad-witness-merkle-match"), Mend::Root, |block, _| {
        let mut other = block.txdata[0].output.last().unwrap().clone();
        other.script_pubkey =
            ScriptBuf::from_bytes([&other.script_pubkey.as_bytes()[..6], &[0; 32]].concat());
        block.txdata[0].output.push(other);
    }),
];

fn drop_commitment(coinbase: &mut Transaction) {
    coinbase.output.pop();
}
