//! The parameters of a chain: what Bitcoin Core calls `chainparams`.
//!
//! `regtest` is Core's regtest to the bit. `mainnet_like` follows mainnet's
//! rules (halving, retargeting, limits) from a synthetic anchor block at an
//! assumed height, with an assumed coin set whose owners keep every template
//! full. Invariant: [`Params::fingerprint`] differs when blocks or coins would.

use bitcoin::Network;

use super::rules::compact_of;
use crate::units::{Difficulty, Target};

/// Mainnet's difficulty around block 840,000, the default of [`Params::mainnet_like`].
const MAINNET_NBITS: u32 = 0x1703_4219;

/// Mainnet's easiest target.
const MAINNET_LIMIT_NBITS: u32 = 0x1d00_ffff;

/// Regtest's only target.
const REGTEST_NBITS: u32 = 0x207f_ffff;

/// The deepest fork a chain with pruned bodies can follow: two days of blocks,
/// as many as Core keeps when pruning.
pub const FORK_DEPTH_MAX: u32 = 288;

/// Which rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKind {
    /// Core's regtest.
    Regtest,
    /// Mainnet's rules from an assumed height on.
    MainnetLike,
}

/// The rules and the beginning of an embedded chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    pub(super) kind: ChainKind,
    /// Height of the first block: genesis or anchor.
    pub(super) base_height: u32,
    /// Target of the first blocks.
    pub(super) nbits: u32,
    /// The easiest target that a header may claim.
    pub(super) limit_nbits: u32,
    pub(super) halving_interval: u32,
    pub(super) coinbase_maturity: u32,
    /// Blocks whose bodies are kept; `None` keeps all.
    pub(super) bodies_kept: Option<u32>,
    /// Transactions in a full template besides submitted ones.
    pub(super) lanes: u32,
    pub(super) seed: u64,
}

impl Params {
    /// Core's regtest: target 207fffff throughout, halving every 150 blocks.
    #[must_use]
    pub fn regtest() -> Self {
        Self {
            kind: ChainKind::Regtest,
            base_height: 0,
            nbits: REGTEST_NBITS,
            limit_nbits: REGTEST_NBITS,
            halving_interval: 150,
            coinbase_maturity: 100,
            bodies_kept: None,
            lanes: 0,
            seed: 0,
        }
    }

    /// Mainnet's rules from `height` (the anchor's) on, at mainnet's difficulty of 2024.
    ///
    /// `height` 840,000 makes 840,001 the first block mined, and 840,672 the
    /// first with a new difficulty.
    #[must_use]
    pub fn mainnet_like(height: u32) -> Self {
        Self {
            kind: ChainKind::MainnetLike,
            base_height: height,
            nbits: MAINNET_NBITS,
            limit_nbits: MAINNET_LIMIT_NBITS,
            halving_interval: 210_000,
            coinbase_maturity: 100,
            bodies_kept: Some(FORK_DEPTH_MAX),
            lanes: 3_000,
            seed: 0,
        }
    }

    /// Another difficulty to begin with.
    ///
    /// On regtest this departs from Core: every block but genesis must have
    /// it, so that blocks of a demo take as long as wished. A difficulty below
    /// the network's lowest also lowers that limit.
    #[must_use]
    pub fn with_difficulty(mut self, difficulty: Difficulty) -> Self {
        self.nbits = compact_of(difficulty.target());
        if Target::from_compact(self.nbits) > Target::from_compact(self.limit_nbits) {
            self.limit_nbits = REGTEST_NBITS;
            // Easier than any block may be: as easy as can be.
            if Target::from_compact(self.nbits) > Target::from_compact(REGTEST_NBITS) {
                self.nbits = REGTEST_NBITS;
            }
        }
        self
    }

    /// How many transactions fill a template. Between 2,048 and 4,095 give 12
    /// merkle branches; what passes the block weight is left out.
    ///
    /// On regtest this departs from Core, which knows none of the coins they
    /// spend; old bodies are pruned there too then.
    #[must_use]
    pub fn with_transactions(mut self, count: u32) -> Self {
        self.lanes = count;
        if count > 0 {
            self.bodies_kept = Some(FORK_DEPTH_MAX);
        }
        self
    }

    /// The seed of the assumed coins and of the transactions that spend them.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Which rules apply.
    #[must_use]
    pub fn kind(&self) -> ChainKind {
        self.kind
    }

    /// The network whose addresses belong to this chain.
    #[must_use]
    pub fn network(&self) -> Network {
        match self.kind {
            ChainKind::Regtest => Network::Regtest,
            ChainKind::MainnetLike => Network::Bitcoin,
        }
    }

    /// The difficulty of the first blocks.
    #[must_use]
    pub fn difficulty(&self) -> Difficulty {
        Target::from_compact(self.nbits).difficulty()
    }

    /// Whether the difficulty follows the time blocks take.
    pub(super) fn retargets(&self) -> bool {
        self.kind == ChainKind::MainnetLike
    }

    /// Whether blocks may come with a drawn proof.
    pub(super) fn allows_drawn_proofs(&self) -> bool {
        self.kind == ChainKind::MainnetLike
    }

    /// These parameters in words; a data directory belongs to one of them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        match self.kind {
            ChainKind::Regtest => {
                let filling = if self.lanes == 0 {
                    String::new()
                } else {
                    format!(" transactions={} seed={}", self.lanes, self.seed)
                };
                format!("regtest nbits={:08x}{filling}", self.nbits)
            }
            ChainKind::MainnetLike => format!(
                "mainnet-like height={} nbits={:08x} transactions={} seed={}",
                self.base_height, self.nbits, self.lanes, self.seed
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difficulty_is_a_setting_within_what_headers_can_say() {
        fn check(params: Params, difficulty: f64, nbits: u32, limit: u32) {
            let params = params.with_difficulty(Difficulty::new(difficulty).unwrap());
            assert_eq!((params.nbits, params.limit_nbits), (nbits, limit), "{difficulty}");
        }
        check(Params::regtest(), 1.0, 0x1d00_ffff, REGTEST_NBITS);
        check(Params::regtest(), 1e-12, REGTEST_NBITS, REGTEST_NBITS);
        check(Params::mainnet_like(840_000), 1.0, 0x1d00_ffff, MAINNET_LIMIT_NBITS);
        check(Params::mainnet_like(840_000), 0.5, 0x1d01_fffe, REGTEST_NBITS);
    }

    #[test]
    fn fingerprints_differ_where_blocks_would() {
        let default = Params::mainnet_like(840_000);
        for other in [
            Params::regtest(),
            Params::mainnet_like(840_001),
            default.clone().with_seed(1),
            default.clone().with_transactions(1),
            default.clone().with_difficulty(Difficulty::ONE),
        ] {
            assert_ne!(other.fingerprint(), default.fingerprint());
        }
    }
}
