//! The chain that all judges begin with, coins of all kinds, and good blocks.
//!
//! Blocks are ten minutes apart and end now, since a real node knows the time.
//! Coinbases pay to a script that anyone can spend and that Core accepts:
//! P2WSH of `OP_TRUE`, whose witness is that script.

use std::time::{SystemTime, UNIX_EPOCH};

use adit::block::{Coinbase, CoinbaseSpec, HeaderFields, Template, assemble, root, witness_commitment};
use adit::chain::embedded::{EmbeddedChain, Params, Proof};
use adit::hash::{Hash, HeaderScan};
use adit::units::{Target, Timestamp};
use bitcoin::hashes::Hash as _;
use bitcoin::opcodes::all as op;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{
    Amount, Block, BlockHash, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    WPubkeyHash, Witness, absolute, transaction,
};

/// Blocks of the chain; coinbases of heights up to 11 can be spent in the next.
pub const HEIGHT: u32 = 110;

/// Seconds between blocks.
const SPACING: u64 = 600;

/// A public key, whose coins nobody here can spend.
const KEY: [u8; 33] = [2; 33];

/// Signature operations of [`many_sigops`].
pub const SIGOPS: usize = 195 * 20;

/// Kinds of coins that block 105 makes, and how many of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// P2WSH of `OP_TRUE`.
    Anyone,
    /// `OP_TRUE` itself.
    Bare,
    /// `OP_0`, which nothing satisfies.
    Nobody,
    /// P2WPKH.
    Key,
    /// A taproot output.
    Taproot,
    /// P2WSH that waits for a height far off.
    Later,
    /// P2WSH with [`SIGOPS`] signature operations.
    WitnessSigops,
    /// P2SH with as many, which cost four times as much.
    ScriptSigops,
}

const KINDS: [(Kind, usize); 8] = [
    (Kind::Anyone, 10),
    (Kind::Bare, 3),
    (Kind::Nobody, 1),
    (Kind::Key, 1),
    (Kind::Taproot, 1),
    (Kind::Later, 1),
    (Kind::WitnessSigops, 21),
    (Kind::ScriptSigops, 6),
];

/// Sats in each coin of [`KINDS`].
pub const COIN_SATS: u64 = 10_000_000;

/// A chain, and what is known of it.
pub struct Bench {
    /// From height 1 on.
    pub blocks: Vec<Block>,
    /// Time of the last.
    pub now: Timestamp,
    coins: Vec<(Kind, OutPoint)>,
    template: Template,
}

impl Bench {
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let time_of = |height| Timestamp::from_unix_seconds(now - (SPACING * u64::from(HEIGHT - height)));
        let mut chain = EmbeddedChain::open(None, Params::regtest(), time_of(0)).unwrap();
        let mut bench = Self {
            blocks: Vec::new(),
            now: time_of(HEIGHT),
            coins: Vec::new(),
            template: chain.template(true, time_of(0)),
        };
        for height in 1..=HEIGHT {
            if height == 105 {
                chain.submit_transaction(bench.make_coins()).unwrap();
            }
            let block = solved(&chain.template(false, time_of(height)), "bench");
            chain.submit(&block, Proof::Hashed, time_of(height)).unwrap();
            bench.blocks.push(block);
        }
        for height in 2..=4 {
            let (coin, sats) = bench.coinbase_coin(height);
            chain.submit_transaction(pay(&[coin], &[sats - 1_000])).unwrap();
        }
        bench.template = chain.template(false, bench.now);
        bench
    }

    fn make_coins(&mut self) -> Transaction {
        let (coin, sats) = self.coinbase_coin(1);
        let mut tx = pay(&[coin], &[]);
        for (kind, count) in KINDS {
            for _ in 0..count {
                tx.output.push(TxOut { value: Amount::from_sat(COIN_SATS), script_pubkey: kind.script() });
            }
        }
        let spent = COIN_SATS * tx.output.len() as u64;
        tx.output.push(TxOut { value: Amount::from_sat(sats - spent), script_pubkey: anyone() });
        let kinds = KINDS.iter().flat_map(|(kind, count)| std::iter::repeat_n(*kind, *count));
        self.coins =
            kinds.zip(0..).map(|(kind, vout)| (kind, OutPoint::new(tx.compute_txid(), vout))).collect();
        tx
    }

    pub fn tip(&self) -> BlockHash {
        self.blocks[self.blocks.len() - 1].block_hash()
    }

    pub fn block_at(&self, height: u32) -> &Block {
        &self.blocks[height as usize - 1]
    }

    /// A good block upon the tip with three transactions; `tag` makes it another one.
    pub fn good(&self, tag: &str) -> Block {
        solved(&self.template, tag)
    }

    /// A good block upon any other, without transactions.
    pub fn good_upon(&self, parent: &Block, height: u32, tag: &str) -> Block {
        let template = Template {
            height,
            prev_hash: parent.block_hash().to_byte_array(),
            ntime: parent.header.time + 1,
            coinbase_value: Amount::from_sat(50 * 100_000_000),
            transactions: [].into(),
            ..self.template.clone()
        };
        solved(&template, tag)
    }

    /// The coinbase's coin of a height, and its sats.
    pub fn coinbase_coin(&self, height: u32) -> (OutPoint, u64) {
        let coinbase = &self.block_at(height).txdata[0];
        (OutPoint::new(coinbase.compute_txid(), 0), coinbase.output[0].value.to_sat())
    }

    /// Coins of a kind.
    pub fn coins(&self, kind: Kind) -> Vec<OutPoint> {
        self.coins.iter().filter(|(of, _)| *of == kind).map(|(_, coin)| *coin).collect()
    }

    /// A transaction that spends `count` coins of a kind, with what satisfies their script if anything does.
    pub fn spend(&self, kind: Kind, count: usize) -> Transaction {
        let coins = &self.coins(kind)[..count];
        let mut tx = pay(coins, &[COIN_SATS * count as u64 - 1_000]);
        for input in &mut tx.input {
            (input.script_sig, input.witness) = kind.unlock();
        }
        tx
    }
}

impl Kind {
    pub fn script(self) -> ScriptBuf {
        match self {
            Self::Anyone => anyone(),
            Self::Bare => op_true(),
            Self::Nobody => ScriptBuf::from_bytes(vec![0]),
            Self::Key => ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&KEY)),
            Self::Taproot => Builder::new().push_opcode(op::OP_PUSHNUM_1).push_slice([3; 32]).into_script(),
            Self::Later => later().to_p2wsh(),
            Self::WitnessSigops => many_sigops().to_p2wsh(),
            Self::ScriptSigops => many_sigops().to_p2sh(),
        }
    }

    pub fn unlock(self) -> (ScriptBuf, Witness) {
        let witness = |items: &[&[u8]]| (ScriptBuf::new(), Witness::from_slice(items));
        match self {
            Self::Anyone => (ScriptBuf::new(), anyones_witness()),
            Self::Bare | Self::Nobody => (ScriptBuf::new(), Witness::new()),
            Self::Key => witness(&[&[], &KEY]),
            Self::Taproot => witness(&[&[7; 64]]),
            Self::Later => witness(&[later().as_bytes()]),
            Self::WitnessSigops => witness(&[many_sigops().as_bytes()]),
            Self::ScriptSigops => {
                let script = PushBytesBuf::try_from(many_sigops().into_bytes()).unwrap();
                (Builder::new().push_slice(script).into_script(), Witness::new())
            }
        }
    }
}

fn op_true() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51])
}

/// A script that anyone can spend.
pub fn anyone() -> ScriptBuf {
    op_true().to_p2wsh()
}

/// What spends it.
pub fn anyones_witness() -> Witness {
    Witness::from_slice(&[op_true().as_bytes()])
}

/// Height a million and more, and true.
fn later() -> ScriptBuf {
    Builder::new().push_int(1_000_000).push_opcode(op::OP_CLTV).into_script()
}

/// True, with [`SIGOPS`] signature operations that are not executed; 201 operations are the most.
fn many_sigops() -> ScriptBuf {
    let mut script = Builder::new().push_int(0).push_opcode(op::OP_IF);
    for _ in 0..SIGOPS / 20 {
        script = script.push_opcode(op::OP_CHECKMULTISIG);
    }
    script.push_opcode(op::OP_ENDIF).push_int(1).into_script()
}

/// Spends coins of [`Kind::Anyone`] to outputs of that kind.
pub fn pay(from: &[OutPoint], values: &[u64]) -> Transaction {
    let input = |outpoint: &OutPoint| TxIn {
        previous_output: *outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: anyones_witness(),
    };
    let output = |sats: &u64| TxOut { value: Amount::from_sat(*sats), script_pubkey: anyone() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: from.iter().map(input).collect(),
        output: values.iter().map(output).collect(),
    }
}

/// The block of a template, solved.
pub fn solved(template: &Template, tag: &str) -> Block {
    let spec =
        CoinbaseSpec { payees: vec![(anyone(), 1)], tag: tag.to_owned(), extranonce_bytes: 8, length: None };
    let wtxids: Vec<Hash> = template.transactions.iter().map(|entry| entry.wtxid).collect();
    let commitment = witness_commitment(&wtxids, &[0; 32]);
    let coinbase = Coinbase::build(&spec, template.height, template.coinbase_value, Some(commitment))
        .unwrap()
        .transaction(&[1; 4], &[2; 4]);
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

/// Makes the header's merkle root that of the transactions.
pub fn fix_merkle_root(block: &mut Block) {
    let ids: Vec<Hash> = block.txdata.iter().map(|tx| tx.compute_txid().to_byte_array()).collect();
    block.header.merkle_root = TxMerkleNode::from_byte_array(root(&ids));
}

/// Makes the coinbase's last output commit to the witnesses there are.
pub fn fix_commitment(block: &mut Block) {
    let wtxids: Vec<Hash> = block.txdata[1..].iter().map(|tx| tx.compute_wtxid().to_byte_array()).collect();
    let script = [&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed][..], &witness_commitment(&wtxids, &[0; 32])].concat();
    block.txdata[0].output.last_mut().unwrap().script_pubkey = ScriptBuf::from_bytes(script);
}

/// Searches the nonce for the target that the header claims.
pub fn solve(block: &mut Block) {
    let header: [u8; 80] = bitcoin::consensus::serialize(&block.header).try_into().unwrap();
    let target = Target::from_compact(block.header.bits.to_consensus());
    block.header.nonce = HeaderScan::new(&header).search(&target, 0, 1 << 32).expect("an easy target").0;
}

/// Searches a nonce whose hash does not meet the target.
pub fn spoil(block: &mut Block) {
    while block.header.validate_pow(block.header.target()).is_ok() {
        block.header.nonce += 1;
    }
}
