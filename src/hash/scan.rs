//! The nonce scan: the loop a CPU miner spends its life in.

use super::Hash;
use super::sha256::{Prefix, compress, header_padding, second};
use crate::units::Target;

/// A header whose nonce is searched; the first 64 bytes are hashed once.
#[derive(Debug, Clone)]
pub struct HeaderScan {
    midstate: [u32; 8],
    /// The second block: last bytes of the header, nonce at 12..16, padding.
    tail: [u8; 64],
}

impl HeaderScan {
    /// Prepares a scan; the nonce in `header` is ignored.
    #[must_use]
    pub fn new(header: &[u8; 80]) -> Self {
        let mut tail = [0; 64];
        tail[..16].copy_from_slice(&header[64..]);
        header_padding(&mut tail);
        Self { midstate: Prefix::of(&header[..64]).state(), tail }
    }

    /// Tries up to `count` nonces from `start` on, wrapping at 2^32.
    ///
    /// Returns the first nonce whose hash meets `target`, with that hash.
    pub fn search(&mut self, target: &Target, start: u32, count: u64) -> Option<(u32, Hash)> {
        let mut nonce = start;
        for _ in 0..count {
            self.tail[12..16].copy_from_slice(&nonce.to_le_bytes());
            let mut state = self.midstate;
            compress(&mut state, &self.tail);
            let hash = second(state);
            if target.is_met_by(&hash) {
                return Some((nonce, hash));
            }
            nonce = nonce.wrapping_add(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_genesis_nonce_and_no_other_before_it() {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Bitcoin).header;
        let header: [u8; 80] = bitcoin::consensus::serialize(&genesis).try_into().unwrap();
        let target = Target::from_compact(genesis.bits.to_consensus());
        let mut scan = HeaderScan::new(&header);
        let (nonce, hash) = scan.search(&target, genesis.nonce - 5_000, 10_000).unwrap();
        assert_eq!(nonce, genesis.nonce);
        assert_eq!(hash, crate::hash::sha256d_header(&header));
        assert_eq!(scan.search(&target, genesis.nonce - 5_000, 5_000), None);
    }
}
