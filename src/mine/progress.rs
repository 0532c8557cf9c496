//! What a miner is doing, for whoever shows it: written by the miner, read at any time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::units::Difficulty;

/// Counters that only grow, and the present state.
#[derive(Debug, Default)]
pub struct MineProgress {
    pub(super) connected: AtomicBool,
    pub(super) accepted: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) hashes: AtomicU64,
    pub(super) blocks: AtomicU64,
    difficulty_bits: AtomicU64,
}

/// A reading of [`MineProgress`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct MineFigures {
    /// Whether shares can be submitted.
    pub connected: bool,
    /// Shares that count.
    pub accepted: u64,
    /// Shares that do not.
    pub rejected: u64,
    /// Hashes computed.
    pub hashes: u64,
    /// Shares that were blocks.
    pub blocks: u64,
    /// Difficulty of the present job.
    pub difficulty: Option<Difficulty>,
}

impl MineProgress {
    /// The figures now.
    #[must_use]
    pub fn read(&self) -> MineFigures {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MineFigures {
            connected: self.connected.load(Ordering::Relaxed),
            accepted: count(&self.accepted),
            rejected: count(&self.rejected),
            hashes: count(&self.hashes),
            blocks: count(&self.blocks),
            difficulty: Difficulty::new(f64::from_bits(count(&self.difficulty_bits))),
        }
    }

    pub(super) fn set_difficulty(&self, difficulty: Difficulty) {
        self.difficulty_bits.store(difficulty.get().to_bits(), Ordering::Relaxed);
    }
}
