//! The assumed economy of a chain: coins whose owners spend them in every block.
//!
//! Each lane is one owner: a script with one to three coins. A template holds
//! one transaction of each lane, shaped like mainnet's (segwit, 1 or 2 inputs,
//! 1 to 3 outputs, log-normal fee rates), which pays back into the lane. What
//! is spent follows from the coins at the tip, and how from the seed and the
//! height, so lanes survive empty blocks, forks and restarts without any state
//! of their own. Signatures are random bytes: scripts are not executed here,
//! and a node that executes them refuses these transactions.
//!
//! Invariant: transactions of one template spend disjoint, confirmed coins.

use std::collections::BTreeMap;

use bitcoin::hashes::Hash as _;
use bitcoin::opcodes::all::OP_PUSHNUM_1;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, WPubkeyHash, Witness, absolute,
    transaction,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};

use super::coins::{Changes, Coin, Coins};
use crate::block::TemplateTransaction;
use crate::hash::{Hash, sha256d};

/// Every so many lanes one has a taproot script; the others are P2WPKH.
const TAPROOT_EVERY: u32 = 4;

/// A lane never holds more coins.
const COINS_MAX: usize = 3;

/// Median of a lane's first coin: enough for years of fees.
const VALUE_MEDIAN_SATS: f64 = 1e8;
/// Spread of first coins (sigma of the logarithm).
const VALUE_SIGMA: f64 = 1.0;

/// Median fee rate in satoshi per virtual byte, and its spread; typical of 2024.
const FEE_RATE_MEDIAN: f64 = 8.0;
const FEE_RATE_SIGMA: f64 = 0.7;

/// No output is smaller.
const DUST_SATS: u64 = 1_000;

/// Owners and their confirmed coins.
#[derive(Debug)]
pub(super) struct Lanes {
    seed: u64,
    scripts: Vec<ScriptBuf>,
    lane_of_script: BTreeMap<ScriptBuf, usize>,
    lane_of_coin: BTreeMap<OutPoint, usize>,
    coins: Vec<BTreeMap<OutPoint, Amount>>,
}

impl Lanes {
    /// The owners of a chain, with the coins they have in `coins`.
    pub fn new(count: u32, seed: u64, coins: &Coins) -> Self {
        let scripts: Vec<ScriptBuf> = (0..count).map(|lane| script(seed, lane)).collect();
        let lane_of_script = scripts.iter().cloned().zip(0..).collect();
        let mut lanes = Self {
            seed,
            lane_of_script,
            lane_of_coin: BTreeMap::new(),
            coins: vec![BTreeMap::new(); scripts.len()],
            scripts,
        };
        coins.iter().for_each(|(outpoint, coin)| lanes.add(*outpoint, coin));
        lanes
    }

    /// The coins that the owners of a new chain begin with.
    pub fn first_coins(count: u32, seed: u64, height: u32) -> Changes {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let value = LogNormal::new(VALUE_MEDIAN_SATS.ln(), VALUE_SIGMA).expect("a positive sigma");
        let coin = |lane| {
            let txid = Txid::from_byte_array(derive(seed, "coin", lane));
            let sats = value.sample(&mut rng).clamp(VALUE_MEDIAN_SATS / 10.0, VALUE_MEDIAN_SATS * 1e3);
            let output = TxOut { value: Amount::from_sat(sats as u64), script_pubkey: script(seed, lane) };
            (OutPoint::new(txid, 0), Some(Coin { output, height, coinbase: false }))
        };
        (0..count).map(coin).collect()
    }

    /// Whether an output with this script is a lane's.
    pub fn owns(&self, script: &ScriptBuf) -> bool {
        self.lane_of_script.contains_key(script)
    }

    /// Follows the coins to another tip.
    pub fn follow(&mut self, changes: &Changes) {
        for (outpoint, change) in changes {
            match change {
                Some(coin) => self.add(*outpoint, coin),
                None => {
                    if let Some(lane) = self.lane_of_coin.remove(outpoint) {
                        self.coins[lane].remove(outpoint);
                    }
                }
            }
        }
    }

    fn add(&mut self, outpoint: OutPoint, coin: &Coin) {
        if coin.coinbase {
            return; // immature, and not the lane's own money
        }
        if let Some(lane) = self.lane_of_script.get(&coin.output.script_pubkey) {
            self.lane_of_coin.insert(outpoint, *lane);
            self.coins[*lane].insert(outpoint, coin.output.value);
        }
    }

    /// The lanes' transactions for the block at `height`, the highest fee rate
    /// first, leaving alone the coins that `taken` names.
    pub fn transactions(&self, height: u32, taken: impl Fn(&OutPoint) -> bool) -> Vec<TemplateTransaction> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(height) + 1); // stream 0 drew the first coins
        let mut transactions: Vec<(u64, TemplateTransaction)> = Vec::with_capacity(self.coins.len());
        for (lane, coins) in self.coins.iter().enumerate() {
            let coins: Vec<(OutPoint, Amount)> =
                coins.iter().filter(|(outpoint, _)| !taken(outpoint)).map(|(o, v)| (*o, *v)).collect();
            if let Some((transaction, fee)) = spend(&coins, &self.scripts[lane], &mut rng) {
                let rate = fee.to_sat() * 1_000_000 / transaction.weight().to_wu();
                transactions.push((rate, TemplateTransaction::new(transaction, fee)));
            }
        }
        transactions.sort_by_key(|(rate, _)| std::cmp::Reverse(*rate));
        transactions.into_iter().map(|(_, transaction)| transaction).collect()
    }
}

/// One transaction of a lane, with its fee; `None` when its coins are too few or too small.
fn spend(
    coins: &[(OutPoint, Amount)],
    script: &ScriptBuf,
    rng: &mut ChaCha8Rng,
) -> Option<(Transaction, Amount)> {
    // Merging as often as splitting keeps the lane at one to three coins.
    let inputs = match coins.len() {
        0 => return None,
        1 => 1,
        2 => 1 + usize::from(rng.random_bool(0.6)),
        _ => 2,
    };
    let outputs = match rng.random_range(0..100) {
        0..20 => 1,
        20..80 => 2,
        _ => COINS_MAX,
    };
    let outputs = outputs.min((COINS_MAX + inputs).saturating_sub(coins.len())).max(1);
    let spent = &coins[..inputs];
    let mut transaction = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: spent.iter().map(|(outpoint, _)| input(*outpoint, script, rng)).collect(),
        output: vec![TxOut { value: Amount::ZERO, script_pubkey: script.clone() }; outputs],
    };
    let rate = LogNormal::new(FEE_RATE_MEDIAN.ln(), FEE_RATE_SIGMA).expect("a positive sigma").sample(rng);
    let fee = (rate.max(1.0) * transaction.vsize() as f64) as u64;
    let total: u64 = spent.iter().map(|(_, value)| value.to_sat()).sum();
    let mut left = total.checked_sub(fee + DUST_SATS * outputs as u64)?;
    let (last, others) = transaction.output.split_last_mut().expect("at least one output");
    for output in others {
        let part = rng.random_range(0..=left);
        output.value = Amount::from_sat(DUST_SATS + part);
        left -= part;
    }
    last.value = Amount::from_sat(DUST_SATS + left);
    Some((transaction, Amount::from_sat(fee)))
}

/// An input with a witness of the right size.
fn input(previous_output: OutPoint, script: &ScriptBuf, rng: &mut ChaCha8Rng) -> TxIn {
    let mut random = [0; 72];
    rng.fill_bytes(&mut random);
    let witness = if script.is_p2tr() {
        Witness::from_slice(&[&random[..64]])
    } else {
        // Low-S DER signatures have 71 or 70 bytes, and the sighash type.
        let length = if rng.random() { 72 } else { 71 };
        let mut key = [2; 33];
        rng.fill_bytes(&mut key[1..]);
        Witness::from_slice(&[&random[..length], &key[..]])
    };
    TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness,
    }
}

fn script(seed: u64, lane: u32) -> ScriptBuf {
    let bytes = derive(seed, "lane", lane);
    if lane.is_multiple_of(TAPROOT_EVERY) {
        Builder::new().push_opcode(OP_PUSHNUM_1).push_slice(bytes).into_script()
    } else {
        let hash = *bytes.first_chunk::<20>().expect("32 bytes");
        ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(hash))
    }
}

fn derive(seed: u64, what: &str, lane: u32) -> Hash {
    sha256d(format!("adit {what} {seed} {lane}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::embedded::coins::apply;

    fn coins(count: u32) -> Coins {
        let mut coins = Coins::new();
        apply(&mut coins, Lanes::first_coins(count, 7, 100));
        coins
    }

    #[test]
    fn the_same_seed_height_and_coins_make_the_same_transactions() {
        let make = |seed, height| Lanes::new(50, seed, &coins(50)).transactions(height, |_| false);
        assert_eq!(make(7, 101), make(7, 101));
        assert_ne!(make(7, 101), make(7, 102));
        assert!(make(8, 101).is_empty(), "another seed has other scripts");
    }

    #[test]
    fn shapes_are_those_of_mainnet() {
        let transactions = Lanes::new(1_000, 7, &coins(1_000)).transactions(101, |_| false);
        assert_eq!(transactions.len(), 1_000);
        let rates: Vec<f64> = transactions
            .iter()
            .map(|entry| entry.fee.to_sat() as f64 * 4.0 / entry.transaction.weight().to_wu() as f64)
            .collect();
        assert!(rates.is_sorted_by(|a, b| *a >= b - 1e-6), "fee rates fall");
        assert!((7.0..9.0).contains(&rates[500]), "median {} sat/vB", rates[500]);
        assert!(rates[0] > 30.0 && rates[999] >= 0.9, "{} to {}", rates[0], rates[999]);
        let sizes: usize = transactions.iter().map(|entry| entry.transaction.vsize()).sum();
        assert!((110_000..200_000).contains(&sizes), "{sizes} vB in 1,000 transactions");
        assert!(transactions.iter().any(|entry| entry.transaction.output.len() == 3));
    }

    #[test]
    fn taken_coins_are_left_alone() {
        let coins = coins(10);
        let taken = *coins.keys().next().unwrap();
        let transactions = Lanes::new(10, 7, &coins).transactions(101, |outpoint| *outpoint == taken);
        assert_eq!(transactions.len(), 9);
    }
}
