//! Which headers were credited before.
//!
//! The key is the header's hash: it covers every field, version included, so
//! two shares are the same exactly when their headers are. A share enters only
//! after it passed every other check; worthless shares cannot grow the set.
//! Extranonce1 is unique to a session, so a session's own set is enough.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::hash::Hash;

/// A header hash is already uniform: its low bytes serve as they are.
#[derive(Debug, Default, Clone)]
struct LowBytes(u64);

impl Hasher for LowBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(low) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*low);
        }
    }

    /// The length prefix of an array says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

type Hashes = HashSet<Hash, BuildHasherDefault<LowBytes>>;

/// The credited headers, by the tip they build on.
///
/// A set lives as long as its session has a job on that tip: a chain can come
/// back to a tip that it left, and then its old jobs are good again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Newest last.
    tips: Vec<(Hash, Hashes)>,
}

impl Seen {
    /// Remembers a header that builds on `tip`; `false`: it was credited before.
    pub fn insert(&mut self, tip: &Hash, hash: Hash) -> bool {
        match self.tips.iter_mut().rev().find(|(of, _)| of == tip) {
            Some((_, hashes)) => hashes.insert(hash),
            None => {
                self.tips.push((*tip, Hashes::from_iter([hash])));
                true
            }
        }
    }

    /// A new tip: forgets the headers on those tips that have no job left.
    pub fn on_new_tip(&mut self, has_job: impl Fn(&Hash) -> bool) {
        self.tips.retain(|(tip, _)| has_job(tip));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_as_long_as_there_are_jobs() {
        let [a, b] = [[0xa; 32], [0xb; 32]];
        let mut seen = Seen::default();
        assert!(seen.insert(&a, [1; 32]));
        assert!(!seen.insert(&a, [1; 32]));
        assert!(seen.insert(&b, [2; 32]));
        seen.on_new_tip(|_| true);
        assert!(!seen.insert(&a, [1; 32]));
        seen.on_new_tip(|tip| *tip == b);
        assert!(!seen.insert(&b, [2; 32]));
        assert!(seen.insert(&a, [1; 32]));
    }
}
