//! Live figures by region: written by the miners, read at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::spec::FleetSpec;

/// Figures of one region; counters only grow, `connected` goes up and down.
#[derive(Debug, Default)]
pub struct RegionProgress {
    name: Option<Arc<str>>,
    miners: u64,
    pub(super) connected: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) hashes: AtomicU64,
    pub(super) blocks: AtomicU64,
}

/// A reading of one region.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RegionFigures {
    /// Its name; `None` for miners without a region.
    pub region: Option<Arc<str>>,
    /// Miners it has.
    pub miners: u64,
    /// Of them, authorized now.
    pub connected: u64,
    /// Shares that count.
    pub accepted: u64,
    /// Shares refused for another reason than staleness.
    pub rejected: u64,
    /// Shares refused as too old.
    pub stale: u64,
    /// Hashes computed in searching.
    pub hashes: u64,
    /// Shares that were blocks.
    pub blocks: u64,
}

/// Figures of a fleet.
#[derive(Debug)]
pub struct SwarmProgress {
    regions: Vec<Arc<RegionProgress>>,
}

impl SwarmProgress {
    /// Regions of `fleet`, in the order of their first miner.
    #[must_use]
    pub fn new(fleet: &FleetSpec) -> Self {
        let mut regions: Vec<RegionProgress> = Vec::new();
        for miner in &fleet.miners {
            match regions.iter_mut().find(|region| region.name == miner.region) {
                Some(region) => region.miners += 1,
                None => regions.push(RegionProgress {
                    name: miner.region.clone(),
                    miners: 1,
                    ..RegionProgress::default()
                }),
            }
        }
        Self { regions: regions.into_iter().map(Arc::new).collect() }
    }

    /// The figures now, region by region.
    #[must_use]
    pub fn read(&self) -> Vec<RegionFigures> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let figures = |region: &Arc<RegionProgress>| RegionFigures {
            region: region.name.clone(),
            miners: region.miners,
            connected: count(&region.connected),
            accepted: count(&region.accepted),
            rejected: count(&region.rejected),
            stale: count(&region.stale),
            hashes: count(&region.hashes),
            blocks: count(&region.blocks),
        };
        self.regions.iter().map(figures).collect()
    }

    /// The figures of all regions together.
    #[must_use]
    pub fn total(&self) -> RegionFigures {
        let zero = RegionFigures {
            region: None,
            miners: 0,
            connected: 0,
            accepted: 0,
            rejected: 0,
            stale: 0,
            hashes: 0,
            blocks: 0,
        };
        self.read().into_iter().fold(zero, |sum, region| RegionFigures {
            region: None,
            miners: sum.miners + region.miners,
            connected: sum.connected + region.connected,
            accepted: sum.accepted + region.accepted,
            rejected: sum.rejected + region.rejected,
            stale: sum.stale + region.stale,
            hashes: sum.hashes + region.hashes,
            blocks: sum.blocks + region.blocks,
        })
    }

    pub(super) fn region(&self, name: Option<&Arc<str>>) -> Arc<RegionProgress> {
        let found = self.regions.iter().find(|region| region.name.as_ref() == name);
        found.cloned().unwrap_or_default()
    }
}
