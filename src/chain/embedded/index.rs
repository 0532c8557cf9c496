//! The block index: every header known, and which of them are the best chain.
//!
//! A tree with the genesis or anchor block as its root. Each entry holds the
//! work of the whole chain up to it; the best chain also lies in order of
//! height. Invariant: parents are in the index before their children.

use std::collections::BTreeMap;

use bitcoin::block::Header;
use bitcoin::hashes::Hash as _;
use bitcoin::pow::Work;

use super::params::Params;
use super::rules::{BLOCK_SECONDS, RETARGET_BLOCKS, median_time, next_nbits};
use crate::chain::Tip;
use crate::hash::Hash;

/// Blocks whose timestamps the median is of.
const MEDIAN_BLOCKS: usize = 11;

/// A block as the index knows it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub hash: Hash,
    pub height: u32,
    pub header: Header,
    /// Work of the chain from the root to this block.
    pub work: Work,
}

impl Entry {
    /// The block before this one.
    pub fn prev(&self) -> Hash {
        self.header.prev_blockhash.to_byte_array()
    }

    /// The root of an index: no parent, so only its own work.
    pub fn root(header: Header, height: u32) -> Self {
        Self { hash: header.block_hash().to_byte_array(), height, header, work: header.work() }
    }

    /// The entry of a block upon this one.
    pub fn child(&self, header: Header) -> Self {
        let hash = header.block_hash().to_byte_array();
        Self { hash, height: self.height + 1, header, work: self.work + header.work() }
    }
}

/// The way from one tip to another.
#[derive(Debug)]
pub(super) struct Path {
    /// Blocks to take back, the tip first.
    pub disconnect: Vec<Hash>,
    /// Blocks to put on, the lowest first.
    pub connect: Vec<Hash>,
}

/// All blocks known.
#[derive(Debug)]
pub(super) struct Index {
    entries: BTreeMap<Hash, Entry>,
    base_height: u32,
    /// The best chain from the root to the tip.
    active: Vec<Hash>,
}

impl Index {
    /// An index of one block.
    pub fn new(root: Entry) -> Self {
        let (hash, base_height) = (root.hash, root.height);
        Self { entries: BTreeMap::from([(hash, root)]), base_height, active: vec![hash] }
    }

    pub fn get(&self, hash: &Hash) -> Option<&Entry> {
        self.entries.get(hash)
    }

    /// Every block known, in no order that means anything.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Adds a block whose parent is known.
    pub fn insert(&mut self, entry: Entry) {
        debug_assert!(self.entries.contains_key(&entry.prev()));
        self.entries.insert(entry.hash, entry);
    }

    /// The last block of the best chain.
    pub fn tip(&self) -> &Entry {
        &self.entries[self.active.last().expect("the root is always there")]
    }

    /// The best chain's end, for whoever watches.
    pub fn tip_info(&self) -> Tip {
        let Entry { hash, height, header, .. } = self.tip();
        Tip { height: *height, hash: *hash, ntime: header.time, nbits: header.bits.to_consensus() }
    }

    /// The best chain's block at `height`.
    pub fn active_at(&self, height: u32) -> Option<&Entry> {
        let at = height.checked_sub(self.base_height)?;
        self.active.get(at as usize).map(|hash| &self.entries[hash])
    }

    pub fn is_active(&self, entry: &Entry) -> bool {
        self.active_at(entry.height).is_some_and(|active| active.hash == entry.hash)
    }

    /// The block at `height` on the chain that ends in `from`; `None` below the root.
    pub fn ancestor<'a>(&'a self, from: &'a Entry, height: u32) -> Option<&'a Entry> {
        if height < self.base_height || height > from.height {
            return None;
        }
        let mut entry = from;
        while entry.height > height {
            if self.is_active(entry) {
                return self.active_at(height);
            }
            entry = self.get(&entry.prev())?;
        }
        Some(entry)
    }

    /// Median timestamp of the up to 11 blocks that end in `entry`.
    pub fn median_time(&self, entry: &Entry) -> u32 {
        let chain = std::iter::successors(Some(entry), |entry| self.get(&entry.prev()));
        median_time(chain.take(MEDIAN_BLOCKS).map(|entry| entry.header.time).collect())
    }

    /// The target due for the block after `prev`.
    pub fn next_nbits(&self, prev: &Entry, params: &Params) -> u32 {
        let nbits = prev.header.bits.to_consensus();
        let height = prev.height + 1;
        if !params.retargets() {
            return params.nbits;
        }
        if !height.is_multiple_of(RETARGET_BLOCKS) {
            return nbits;
        }
        let first_height = height - RETARGET_BLOCKS;
        let began = match self.ancestor(prev, first_height) {
            Some(first) => i64::from(first.header.time),
            // Before the anchor blocks are assumed to have been on time.
            None => {
                let root = &self.entries[&self.active[0]];
                i64::from(root.header.time) - i64::from(root.height - first_height) * i64::from(BLOCK_SECONDS)
            }
        };
        next_nbits(nbits, i64::from(prev.header.time) - began, params.limit_nbits)
    }

    /// The last block that the best chain shares with the one ending in `entry`.
    pub fn fork_of<'a>(&'a self, entry: &'a Entry) -> &'a Entry {
        let mut entry = entry;
        while !self.is_active(entry) {
            entry = self.get(&entry.prev()).expect("parents come before children");
        }
        entry
    }

    /// The way from the tip to `to`, which need not be in the index yet though its parent is.
    pub fn path_to(&self, to: &Entry) -> Path {
        let mut connect = vec![to.hash];
        let mut below = self.get(&to.prev()).expect("parents come before children");
        while !self.is_active(below) {
            connect.push(below.hash);
            below = self.get(&below.prev()).expect("parents come before children");
        }
        connect.reverse();
        let kept = (below.height - self.base_height) as usize + 1;
        Path { disconnect: self.active[kept..].iter().rev().copied().collect(), connect }
    }

    /// Makes the chain at the end of `path` the best.
    pub fn follow(&mut self, path: &Path) {
        self.active.truncate(self.active.len() - path.disconnect.len());
        self.active.extend_from_slice(&path.connect);
    }

    /// Makes the chain that ends in `tip` the best; `false` when it is unknown.
    pub fn activate(&mut self, tip: &Hash) -> bool {
        let Some(entry) = self.get(tip) else { return false };
        if !self.is_active(entry) {
            let path = self.path_to(entry);
            self.follow(&path);
        } else {
            self.active.truncate((entry.height - self.base_height) as usize + 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::block::Version;
    use bitcoin::{BlockHash, CompactTarget, TxMerkleNode};

    use super::*;

    fn header(prev: Hash, time: u32, nonce: u32) -> Header {
        Header {
            version: Version::from_consensus(4),
            prev_blockhash: BlockHash::from_byte_array(prev),
            merkle_root: TxMerkleNode::all_zeros(),
            time,
            bits: CompactTarget::from_consensus(0x1703_4219),
            nonce,
        }
    }

    /// A chain of `count` blocks on a root at `base`, `spacing` seconds apart.
    fn chain(base: u32, count: u32, spacing: u32) -> Index {
        let mut index = Index::new(Entry::root(header([0; 32], 1_700_000_000, 0), base));
        for _ in 0..count {
            extend(&mut index, spacing);
        }
        index
    }

    fn extend(index: &mut Index, spacing: u32) {
        let tip = index.tip().clone();
        let entry = tip.child(header(tip.hash, tip.header.time + spacing, 0));
        let path = index.path_to(&entry);
        index.insert(entry);
        index.follow(&path);
    }

    #[test]
    fn retargets_over_2015_intervals() {
        fn check(base: u32, spacing: u32, expected_ratio: f64) {
            let blocks = 2016 - base % 2016 - 1;
            let index = chain(base, blocks, spacing);
            let params = Params::mainnet_like(base);
            let nbits = index.next_nbits(index.tip(), &params);
            let before = crate::units::Target::from_compact(0x1703_4219).difficulty().get();
            let ratio = crate::units::Target::from_compact(nbits).difficulty().get() / before;
            assert!((ratio / expected_ratio - 1.0).abs() < 1e-4, "{base} {spacing}: {ratio}");
        }
        // On time is 2015 intervals in the time of 2016: slightly harder.
        check(2016 * 400, 600, 2016.0 / 2015.0);
        check(2016 * 400, 300, 2.0 * 2016.0 / 2015.0);
        check(2016 * 400, 60, 4.0);
        check(2016 * 400, 60_000, 0.25);
        // Anchored in the middle of a period: what came before was on time.
        check(2016 * 400 + 1008, 600, 2016.0 / 2015.0);
        check(2016 * 400 + 1008, 300, 2016.0 / (1008.0 + 1007.0 * 0.5));
    }

    #[test]
    fn between_adjustments_the_target_stays() {
        let index = chain(2016 * 400, 2014, 1);
        assert_eq!(index.next_nbits(index.tip(), &Params::mainnet_like(2016 * 400)), 0x1703_4219);
    }

    #[test]
    fn finds_forks_and_ways() {
        let mut index = chain(100, 10, 600);
        let at = |index: &Index, height| index.active_at(height).unwrap().hash;
        let fork = index.active_at(105).unwrap().clone();
        let side1 = fork.child(header(fork.hash, 1, 7));
        let side2 = side1.child(header(side1.hash, 2, 7));
        index.insert(side1.clone());
        let path = index.path_to(&side2);
        assert_eq!(path.connect, [side1.hash, side2.hash]);
        assert_eq!(path.disconnect, (106..=110).rev().map(|height| at(&index, height)).collect::<Vec<_>>());
        assert_eq!(index.fork_of(&side1).height, 105);
        assert_eq!(index.ancestor(&side1, 103).unwrap().hash, at(&index, 103));
        assert_eq!(index.ancestor(&side1, 106).unwrap().hash, side1.hash);
        assert!(index.ancestor(&side1, 99).is_none());
        index.insert(side2.clone());
        index.follow(&path);
        assert_eq!((index.tip().height, index.tip().hash), (107, side2.hash));
        assert!(index.activate(&fork.hash));
        assert_eq!(index.tip().height, 105);
    }
}
