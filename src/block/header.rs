//! The 80 bytes that are hashed.

use crate::hash::Hash;

/// The fields of a block header, hashes in internal order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderFields {
    /// Block version with its rolled bits.
    pub version: u32,
    /// Hash of the previous block.
    pub prev_hash: Hash,
    /// Root of the transactions' merkle tree.
    pub merkle_root: Hash,
    /// Seconds since the Unix epoch.
    pub ntime: u32,
    /// Compact network target.
    pub nbits: u32,
    /// The nonce.
    pub nonce: u32,
}

impl HeaderFields {
    /// The consensus encoding.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 80] {
        let mut bytes = [0; 80];
        bytes[0..4].copy_from_slice(&self.version.to_le_bytes());
        bytes[4..36].copy_from_slice(&self.prev_hash);
        bytes[36..68].copy_from_slice(&self.merkle_root);
        bytes[68..72].copy_from_slice(&self.ntime.to_le_bytes());
        bytes[72..76].copy_from_slice(&self.nbits.to_le_bytes());
        bytes[76..80].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// Reads the consensus encoding.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 80]) -> Self {
        let word = |at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().expect("80 bytes"));
        Self {
            version: word(0),
            prev_hash: *bytes[4..].first_chunk().expect("80 bytes"),
            merkle_root: *bytes[36..].first_chunk().expect("80 bytes"),
            ntime: word(68),
            nbits: word(72),
            nonce: word(76),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_network_does() {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Bitcoin).header;
        let bytes: [u8; 80] = bitcoin::consensus::serialize(&genesis).try_into().unwrap();
        let fields = HeaderFields::from_bytes(&bytes);
        assert_eq!(fields.nonce, genesis.nonce);
        assert_eq!(fields.nbits, 0x1d00_ffff);
        assert_eq!(fields.to_bytes(), bytes);
    }
}
