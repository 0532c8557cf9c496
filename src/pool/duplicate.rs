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

/// The credited headers of the current tip and of the one before.
#[derive(Debug, Default)]
pub(super) struct Seen {
    current: Hashes,
    previous: Hashes,
}

impl Seen {
    /// Whether `hash` was credited.
    pub fn contains(&self, hash: &Hash) -> bool {
        self.current.contains(hash) || self.previous.contains(hash)
    }

    /// Remembers a credited header.
    pub fn insert(&mut self, hash: Hash) {
        self.current.insert(hash);
    }

    /// A new tip: what was credited two tips ago can no longer be credited.
    pub fn on_new_tip(&mut self) {
        self.previous = std::mem::take(&mut self.current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_for_two_tips() {
        let mut seen = Seen::default();
        seen.insert([1; 32]);
        assert!(seen.contains(&[1; 32]));
        assert!(!seen.contains(&[2; 32]));
        seen.on_new_tip();
        assert!(seen.contains(&[1; 32]));
        seen.on_new_tip();
        assert!(!seen.contains(&[1; 32]));
    }
}
