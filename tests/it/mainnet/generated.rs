//! A full template in mainnet's shape, made from one seed on a regtest chain.
//!
//! It is generated, not recorded: what is mainnet's about it is the mixture
//! (legacy and SegWit inputs, chains of unconfirmed transactions, batches,
//! consolidations, data) and the size. Every input is signed, so that Core can
//! judge the block to the end.

use adit::block::{
    Coinbase, CoinbaseSpec, HeaderFields, Template, TemplateTransaction, assemble, witness_commitment,
};
use adit::chain::embedded::{EmbeddedChain, Params, Proof};
use adit::hash::{Hash, HeaderScan};
use adit::units::{Target, Timestamp};
use bitcoin::hashes::Hash as _;
use bitcoin::{
    Amount, Block, CompactTarget, Network, OutPoint, ScriptBuf, Transaction, TxMerkleNode, TxOut, Txid,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::offer::{Offer, Offered, merkle_root};
use super::wallet::{Coin, KINDS, Kind, Wallet};

/// What Core leaves for the coinbase and the header by default.
const WEIGHT: u64 = 4_000_000 - 8_000;
const SIGOPS: u64 = 80_000 - 400;

/// Heights of the coinbases that are split into coins.
const SPLIT: std::ops::RangeInclusive<u32> = 1..=8;
const COINS_EACH: usize = 750;

/// Longest chain of unconfirmed transactions that Core relayed until version 31.
const DEPTH_MAX: u32 = 24;

/// Most transactions that hang together, and their virtual bytes; Core takes 64 and 101,000.
const CLUSTER_MAX: u32 = 60;
const CLUSTER_VSIZE_MAX: usize = 90_000;

/// The chain up to the template, and the template.
pub struct Scene {
    pub chain: EmbeddedChain,
    /// From height 1 on.
    pub blocks: Vec<Block>,
    pub offer: Offer,
    pub now: Timestamp,
}

struct Unspent {
    coin: Coin,
    /// How many unconfirmed ancestors deep.
    depth: u32,
    /// What hangs together with the transaction that made it; none of a confirmed coin.
    cluster: Option<usize>,
}

/// Transactions of the block that hang together by what they spend.
#[derive(Default)]
struct Clusters {
    /// Each one's successor, or itself; with its count and virtual bytes.
    all: Vec<(usize, u32, usize)>,
}

impl Clusters {
    fn last(&self, mut of: usize) -> usize {
        while self.all[of].0 != of {
            of = self.all[of].0;
        }
        of
    }

    /// The clusters that spending these would join.
    fn joined(&self, spent: &[Unspent]) -> Vec<usize> {
        let mut joined: Vec<_> =
            spent.iter().filter_map(|unspent| Some(self.last(unspent.cluster?))).collect();
        joined.sort_unstable();
        joined.dedup();
        joined
    }

    /// Their count and virtual bytes.
    fn size(&self, joined: &[usize]) -> (u32, usize) {
        joined.iter().fold((0, 0), |(count, vsize), of| (count + self.all[*of].1, vsize + self.all[*of].2))
    }

    /// Joins them by a transaction; returns the cluster.
    fn join(&mut self, joined: &[usize], vsize: usize) -> usize {
        let (count, before) = self.size(joined);
        let new = self.all.len();
        self.all.push((new, count + 1, before + vsize));
        joined.iter().for_each(|of| self.all[*of].0 = new);
        new
    }
}

impl Scene {
    /// The scene at a time, which becomes the tip's.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let wallet = Wallet::new();
        let maturity = 100;
        let last = SPLIT.end() + maturity;
        let time_of =
            |height| Timestamp::from_unix_seconds(now.unix_seconds() - 600 * u64::from(last - height));
        let mut chain = EmbeddedChain::open(None, Params::regtest(), time_of(0)).unwrap();
        let mut blocks: Vec<Block> = Vec::new();
        let mut coins = Vec::new();
        for height in 1..=last {
            if let Some(split) = height.checked_sub(maturity).filter(|split| SPLIT.contains(split)) {
                let coinbase = &blocks[split as usize - 1].txdata[0];
                let tx = split_coinbase(&wallet, coinbase, &mut rng, &mut coins);
                chain.submit_transaction(tx).unwrap();
            }
            let block = mined(&chain.template(false, time_of(height)), &wallet);
            chain.submit(&block, Proof::Hashed, time_of(height)).unwrap();
            blocks.push(block);
        }
        let template = chain.template(true, now);
        let transactions = fill(&wallet, coins, &mut rng);
        let fees: Amount = transactions.iter().map(|offered| offered.fee).sum();
        let offer = Offer {
            network: Network::Regtest,
            height: template.height,
            prev_hash: bitcoin::BlockHash::from_byte_array(template.prev_hash),
            version: template.version,
            bits: CompactTarget::from_consensus(template.nbits),
            time_min: template.ntime_min,
            time: template.ntime,
            coinbase_value: template.coinbase_value + fees,
            transactions,
        };
        Self { chain, blocks, offer, now }
    }
}

/// Splits a coinbase into coins of all kinds.
fn split_coinbase(
    wallet: &Wallet,
    coinbase: &Transaction,
    rng: &mut ChaCha8Rng,
    coins: &mut Vec<Unspent>,
) -> Transaction {
    let source = Coin {
        outpoint: OutPoint::new(coinbase.compute_txid(), 0),
        kind: Kind::Wpkh,
        sats: coinbase.output[0].value.to_sat(),
    };
    let each = (source.sats - 100_000) / COINS_EACH as u64;
    let outputs: Vec<(Kind, u64)> = (0..COINS_EACH).map(|_| (any_kind(rng), each)).collect();
    let tx = wallet.pay(&[source], &outputs, None);
    coins.extend(coins_of(tx.compute_txid(), &outputs).map(|coin| Unspent { coin, depth: 0, cluster: None }));
    tx
}

fn coins_of(txid: Txid, outputs: &[(Kind, u64)]) -> impl Iterator<Item = Coin> {
    let coin = move |(vout, (kind, sats)): (u32, &(Kind, u64))| Coin {
        outpoint: OutPoint::new(txid, vout),
        kind: *kind,
        sats: *sats,
    };
    (0..).zip(outputs).map(coin)
}

fn any_kind(rng: &mut ChaCha8Rng) -> Kind {
    let mut at = rng.random_range(0..100);
    for (kind, percent) in KINDS {
        if at < percent {
            return kind;
        }
        at -= percent;
    }
    unreachable!("the percentages sum to 100")
}

/// Transactions until the block is full.
fn fill(wallet: &Wallet, mut coins: Vec<Unspent>, rng: &mut ChaCha8Rng) -> Vec<Offered> {
    let mut chosen: Vec<Offered> = Vec::new();
    let (mut weight, mut sigops, mut misfits) = (0, 0, 0);
    let mut clusters = Clusters::default();
    while misfits < 40 {
        let inputs = match rng.random_range(0..100) {
            0..72 => 1,
            72..90 => 2,
            90..98 => rng.random_range(3..6),
            _ => rng.random_range(10..40), // a consolidation
        };
        let outputs = match (inputs, rng.random_range(0..100)) {
            (10.., _) | (_, 0..15) => 1,
            (_, 15..80) => 2,
            (_, 80..97) => rng.random_range(3..8),
            _ => rng.random_range(20..80), // a batch of payments
        };
        let mut spent = Vec::new();
        for _ in 0..inputs {
            // Children of what the block has already, one time in five.
            let young = rng.random_range(0..5) == 0;
            let at = match young {
                true => coins.len() - 1 - rng.random_range(0..coins.len().min(40)),
                false => rng.random_range(0..coins.len()),
            };
            if coins[at].depth <= DEPTH_MAX {
                spent.push(coins.swap_remove(at));
            }
        }
        let joined = clusters.joined(&spent);
        let (count, vsize) = clusters.size(&joined);
        if count >= CLUSTER_MAX || vsize > CLUSTER_VSIZE_MAX {
            coins.extend(spent);
            continue;
        }
        let total: u64 = spent.iter().map(|unspent| unspent.coin.sats).sum();
        let beside = (rng.random_range(0..100) < 4).then(|| data(rng));
        let fee = 200 * rng.random_range(1..60) + 100 * spent.len() as u64;
        let Some(left) = total.checked_sub(fee + 600 * outputs).filter(|_| !spent.is_empty()) else {
            continue;
        };
        let pays: Vec<(Kind, u64)> = (0..outputs).map(|_| (any_kind(rng), 600 + left / outputs)).collect();
        let inputs: Vec<Coin> = spent.iter().map(|unspent| unspent.coin.clone()).collect();
        let tx = wallet.pay(&inputs, &pays, beside);
        let prevout = |outpoint: &OutPoint| {
            let coin = inputs.iter().find(|coin| coin.outpoint == *outpoint)?;
            Some(TxOut { value: Amount::from_sat(coin.sats), script_pubkey: wallet.script(coin.kind) })
        };
        let (tx_weight, tx_sigops) = (tx.weight().to_wu(), tx.total_sigop_cost(prevout) as u64);
        if weight + tx_weight > WEIGHT || sigops + tx_sigops > SIGOPS {
            misfits += 1;
            coins.extend(spent);
            continue;
        }
        weight += tx_weight;
        sigops += tx_sigops;
        let depth = spent.iter().map(|unspent| unspent.depth).max().unwrap_or(0) + 1;
        let cluster = Some(clusters.join(&joined, tx.vsize()));
        coins.extend(coins_of(tx.compute_txid(), &pays).map(|coin| Unspent { coin, depth, cluster }));
        let paid: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        chosen.push(Offered { transaction: tx, fee: Amount::from_sat(total - paid), sigops: tx_sigops });
    }
    chosen
}

fn data(rng: &mut ChaCha8Rng) -> TxOut {
    let bytes: [u8; 64] = rng.random();
    TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(bytes) }
}

/// The block of a template, which pays the wallet.
fn mined(template: &Template, wallet: &Wallet) -> Block {
    let spec = CoinbaseSpec {
        payees: vec![(wallet.script(Kind::Wpkh), 1)],
        tag: "scene".to_owned(),
        extranonce_bytes: 8,
        length: None,
    };
    let wtxids: Vec<Hash> =
        template.transactions.iter().map(|entry: &TemplateTransaction| entry.wtxid).collect();
    let coinbase = Coinbase::build(
        &spec,
        template.height,
        template.coinbase_value,
        Some(witness_commitment(&wtxids, &[0; 32])),
    )
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
    let ids = block.txdata.iter().map(|tx| tx.compute_txid().to_byte_array());
    block.header.merkle_root = TxMerkleNode::from_byte_array(merkle_root(ids.collect()));
    let header: [u8; 80] = bitcoin::consensus::serialize(&block.header).try_into().unwrap();
    let target = Target::from_compact(template.nbits);
    block.header.nonce = HeaderScan::new(&header).search(&target, 0, 1 << 32).expect("an easy target").0;
    block
}
