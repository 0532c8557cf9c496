//! What a node offers to mine on, as a value, and as `getblocktemplate` words it.

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash as _, sha256d};
use bitcoin::{Amount, BlockHash, CompactTarget, Network, Target, Transaction};
use serde_json::{Value, json};

/// A transaction on offer.
#[derive(Clone)]
pub struct Offered {
    pub transaction: Transaction,
    pub fee: Amount,
    /// As blocks count them: legacy ones four times.
    pub sigops: u64,
}

/// A template.
#[derive(Clone)]
pub struct Offer {
    pub network: Network,
    pub height: u32,
    pub prev_hash: BlockHash,
    pub version: u32,
    pub bits: CompactTarget,
    /// The lowest time of the block.
    pub time_min: u32,
    pub time: u32,
    /// Subsidy and all fees.
    pub coinbase_value: Amount,
    pub transactions: Vec<Offered>,
}

impl Offer {
    /// The coinbase's value without fees.
    pub fn subsidy(&self) -> Amount {
        self.coinbase_value - self.transactions.iter().map(|offered| offered.fee).sum()
    }

    /// In the words of Bitcoin Core's `getblocktemplate`.
    pub fn to_json(&self) -> Value {
        let place: BTreeMap<_, _> =
            self.transactions.iter().map(|offered| offered.transaction.compute_txid()).zip(1u32..).collect();
        let transaction = |Offered { transaction, fee, sigops }: &Offered| {
            let mut depends: Vec<_> =
                transaction.input.iter().filter_map(|input| place.get(&input.previous_output.txid)).collect();
            depends.sort_unstable();
            depends.dedup();
            json!({
                "data": bitcoin::consensus::encode::serialize_hex(transaction),
                "txid": transaction.compute_txid().to_string(),
                "hash": transaction.compute_wtxid().to_string(),
                "depends": depends,
                "fee": fee.to_sat(),
                "sigops": sigops,
                "weight": transaction.weight().to_wu(),
            })
        };
        json!({
            "capabilities": ["proposal"],
            "version": self.version,
            "rules": ["csv", "!segwit", "taproot"],
            "vbavailable": {},
            "vbrequired": 0,
            "previousblockhash": self.prev_hash.to_string(),
            "transactions": self.transactions.iter().map(transaction).collect::<Vec<_>>(),
            "coinbaseaux": {},
            "coinbasevalue": self.coinbase_value.to_sat(),
            "longpollid": format!("{}1", self.prev_hash),
            "target": format!("{:x}", Target::from(self.bits)),
            "mintime": self.time_min,
            "mutable": ["time", "transactions", "prevblock"],
            "noncerange": "00000000ffffffff",
            "sigoplimit": 80_000,
            "sizelimit": 4_000_000,
            "weightlimit": 4_000_000,
            "curtime": self.time,
            "bits": format!("{:08x}", self.bits.to_consensus()),
            "height": self.height,
            "default_witness_commitment": self.commitment_script(),
        })
    }

    fn commitment_script(&self) -> String {
        let wids =
            self.transactions.iter().map(|offered| offered.transaction.compute_wtxid().to_byte_array());
        let witness_root = merkle_root(std::iter::once([0; 32]).chain(wids).collect());
        let commitment = sha256d::Hash::hash(&[witness_root, [0; 32]].concat());
        format!("6a24aa21a9ed{}", adit::stratum::v1::hex::encode(commitment.as_byte_array()))
    }
}

/// The merkle root of some ids.
pub fn merkle_root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        let pair = |of: &[[u8; 32]]| sha256d::Hash::hash(&[of[0], of[of.len() - 1]].concat()).to_byte_array();
        level = level.chunks(2).map(pair).collect();
    }
    level[0]
}
