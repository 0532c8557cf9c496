//! How many hashes of the miner's claim one real hash stands for.
//!
//! A device is examined with real hashes: one for one. In virtual time a
//! replica claims the hashrate of a device but tries one header for each
//! `2^24` that it claims, so a share of difficulty 1 costs 256 hashes and
//! everything else, the proof included, stays real. Both sides use the same
//! scale; nothing of it is seen on the wire.

use crate::units::{Difficulty, Target};

/// Claimed hashes for each real one, at least 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkScale(f64);

impl WorkScale {
    /// Real hashes only.
    pub const REAL: Self = Self(1.0);
    /// For replicas in virtual time.
    pub const VIRTUAL: Self = Self(16_777_216.0);

    /// Claimed hashes for each real one.
    #[must_use]
    pub fn factor(self) -> f64 {
        self.0
    }

    /// The target that a proof of the claimed `difficulty` meets.
    #[must_use]
    pub fn target(self, difficulty: Difficulty) -> Target {
        difficulty.scaled(1.0 / self.0).target()
    }

    /// The difficulty that `hash` proves, in the units of the claim.
    #[must_use]
    pub fn reached(self, hash: [u8; 32]) -> Difficulty {
        Target::from_le_bytes(hash).difficulty().scaled(self.0)
    }
}
