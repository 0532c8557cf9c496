//! The rest of the network: blocks that others find.
//!
//! A Poisson process in chain time, drawn from one seed. The network's
//! hashrate is constant: `blocks_per_hour` holds at the chain's first
//! difficulty and changes inversely with it. With some probability an arrival
//! is a reorganisation: two blocks at once that replace the tip. Blocks carry
//! no work ([`Proof::Drawn`]) but are valid in every other way.
//!
//! A driver sleeps until [`Network::next_arrival`] and calls
//! [`Network::arrive`]; nothing here waits or reads a clock.

use bitcoin::hashes::Hash as _;
use bitcoin::{Block, ScriptBuf, WPubkeyHash};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

use super::{EmbeddedChain, Proof};
use crate::block::{Coinbase, CoinbaseSpec, HeaderFields, Template, assemble, root, witness_commitment};
use crate::chain::{SubmitError, SubmitOutcome};
use crate::hash::Hash;
use crate::units::{Difficulty, Seconds, Target, Timestamp};

/// Bytes that make each block's coinbase unique.
const EXTRANONCE_BYTES: usize = 8;

/// How the rest of the network behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkConfig {
    /// Blocks that others find in an hour of chain time, at the chain's first difficulty.
    pub blocks_per_hour: f64,
    /// Probability that an arrival replaces the tip by two blocks.
    pub reorg_probability: f64,
    /// Seed of arrivals and blocks.
    pub seed: u64,
}

impl Default for NetworkConfig {
    /// Mainnet's pace, without reorganisations.
    fn default() -> Self {
        Self { blocks_per_hour: 6.0, reorg_probability: 0.0, seed: 0 }
    }
}

/// What arrived from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A block on the tip.
    Block,
    /// Two blocks that replaced the tip.
    Reorg {
        /// The block that is no longer part of the chain.
        replaced: Hash,
    },
}

/// The rest of the network.
#[derive(Debug, Clone)]
pub struct Network {
    config: NetworkConfig,
    rng: ChaCha8Rng,
    difficulty_at_start: Difficulty,
    next: Timestamp,
}

impl Network {
    /// The network of a chain, from the chain time `now` on.
    ///
    /// A rate of zero means that no block ever arrives.
    #[must_use]
    pub fn new(config: NetworkConfig, chain: &EmbeddedChain, now: Timestamp) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(config.seed);
        let mut network = Self { config, rng, difficulty_at_start: chain.params().difficulty(), next: now };
        network.draw_next(chain, now);
        network
    }

    /// Chain time of the next arrival.
    #[must_use]
    pub fn next_arrival(&self) -> Timestamp {
        self.next
    }

    /// Lets the next arrival happen, at [`Self::next_arrival`].
    ///
    /// # Errors
    /// When the chain cannot be written, or takes no drawn proofs.
    pub fn arrive(&mut self, chain: &mut EmbeddedChain) -> Result<Arrival, SubmitError> {
        let now = self.next;
        let arrival = self.find(chain, now)?;
        self.draw_next(chain, now);
        Ok(arrival)
    }

    fn find(&mut self, chain: &mut EmbeddedChain, now: Timestamp) -> Result<Arrival, SubmitError> {
        let reorg = self.rng.random_bool(self.config.reorg_probability.clamp(0.0, 1.0));
        if reorg && let Some(template) = chain.template_beside_tip(now)? {
            let replaced = chain.tip().hash;
            let competitor = self.make_block(&template);
            chain.submit(&competitor, Proof::Drawn, now)?;
            if let Some(template) = chain.template_upon(&competitor.block_hash().to_byte_array(), now) {
                let second = self.make_block(&template);
                if chain.submit(&second, Proof::Drawn, now)? == SubmitOutcome::NewTip {
                    return Ok(Arrival::Reorg { replaced });
                }
            }
        }
        let template = chain.template(false, now);
        let block = self.make_block(&template);
        chain.submit(&block, Proof::Drawn, now)?;
        Ok(Arrival::Block)
    }

    fn draw_next(&mut self, chain: &EmbeddedChain, now: Timestamp) {
        let difficulty = Target::from_compact(chain.tip().nbits).difficulty();
        let per_second =
            self.config.blocks_per_hour / 3600.0 * self.difficulty_at_start.get() / difficulty.get();
        let wait: f64 = Exp1.sample(&mut self.rng);
        self.next = if per_second > 0.0 { now + Seconds(wait / per_second) } else { Timestamp(u64::MAX) };
    }

    /// A block of somebody else on `template`, without work.
    fn make_block(&mut self, template: &Template) -> Block {
        let spec = CoinbaseSpec {
            payees: vec![(ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(self.rng.random())), 1)],
            tag: "/elsewhere/".to_owned(),
            extranonce_bytes: EXTRANONCE_BYTES,
            length: None,
        };
        let wtxids: Vec<Hash> = template.transactions.iter().map(|entry| entry.wtxid).collect();
        let commitment = witness_commitment(&wtxids, &[0; 32]);
        let coinbase = Coinbase::build(&spec, template.height, template.coinbase_value, Some(commitment))
            .expect("a short tag fits")
            .transaction(&self.rng.random::<[u8; EXTRANONCE_BYTES]>(), &[]);
        let txids: Vec<Hash> = std::iter::once(coinbase.compute_txid().to_byte_array())
            .chain(template.transactions.iter().map(|entry| entry.txid))
            .collect();
        let header = HeaderFields {
            version: template.version,
            prev_hash: template.prev_hash,
            merkle_root: root(&txids),
            ntime: template.ntime,
            nbits: template.nbits,
            nonce: self.rng.next_u32(),
        };
        assemble(&header, coinbase, template)
    }
}
