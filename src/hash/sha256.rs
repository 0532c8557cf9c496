//! Single messages: whole, from a cached prefix, and the two fixed sizes of mining.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;
use sha2::digest::typenum::U64;

use super::{Hash, batch};

/// Bytes in one compression.
pub(super) const BLOCK: usize = 64;

/// Initial state of SHA-256 (FIPS 180-4, 5.3.3).
pub(super) const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Round constants of SHA-256 (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
pub(super) const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

pub(super) fn compress(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    compress256(state, std::slice::from_ref(GenericArray::<u8, U64>::from_slice(block)));
}

pub(super) fn to_bytes(state: [u32; 8]) -> Hash {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *chunk = word.to_be_bytes();
    }
    bytes
}

/// SHA-256 of a 32-byte first hash: the second half of every double hash.
pub(super) fn second_state(first: [u32; 8]) -> [u32; 8] {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(&to_bytes(first));
    block[32] = 0x80;
    block[62] = 1;
    let mut state = INITIAL;
    compress(&mut state, &block);
    state
}

/// The state of SHA-256 after the whole blocks of a message's beginning.
///
/// A pool hashes the same first bytes of a coinbase for every share of a job;
/// this keeps the part of that work which does not depend on the miner.
#[derive(Debug, Clone)]
pub struct Prefix {
    state: [u32; 8],
    /// Bytes that `state` covers, a multiple of 64.
    absorbed: usize,
}

impl Prefix {
    /// Absorbs the whole 64-byte blocks at the beginning of `message`.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let (blocks, _) = message.as_chunks::<BLOCK>();
        let mut state = INITIAL;
        for block in blocks {
            compress(&mut state, block);
        }
        Self { state, absorbed: blocks.len() * BLOCK }
    }

    pub(super) fn state(&self) -> [u32; 8] {
        self.state
    }

    /// Bytes that need not be given again to [`Self::sha256d`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.absorbed
    }

    /// Whether nothing is absorbed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.absorbed == 0
    }

    /// Double SHA-256 of the absorbed bytes followed by `parts`.
    #[must_use]
    pub fn sha256d(&self, parts: &[&[u8]]) -> Hash {
        batch::parts(self, parts)
    }
}

/// Double SHA-256 of a message.
#[must_use]
pub fn sha256d(message: &[u8]) -> Hash {
    Prefix { state: INITIAL, absorbed: 0 }.sha256d(&[message])
}

/// Double SHA-256 of two hashes side by side: a merkle node.
#[must_use]
pub fn sha256d_pair(left: &Hash, right: &Hash) -> Hash {
    batch::pair(left, right)
}

/// Double SHA-256 of a block header.
#[must_use]
pub fn sha256d_header(header: &[u8; 80]) -> Hash {
    batch::header(header)
}

/// Writes the padding of an 80-byte message into its second block.
pub(super) fn header_padding(block: &mut [u8; BLOCK]) {
    block[16] = 0x80;
    block[62] = 2;
    block[63] = 0x80;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn reference(message: &[u8]) -> Hash {
        Sha256::digest(Sha256::digest(message)).into()
    }

    proptest! {
        #[test]
        fn every_shape_agrees_with_the_reference(
            message in prop::collection::vec(any::<u8>(), 0..600),
            cut in any::<prop::sample::Index>(),
            cut_again in any::<prop::sample::Index>(),
        ) {
            prop_assert_eq!(sha256d(&message), reference(&message));
            let prefix = Prefix::of(&message[..cut.index(message.len() + 1)]);
            let rest = &message[prefix.len()..];
            let (left, right) = rest.split_at(cut_again.index(rest.len() + 1));
            prop_assert_eq!(prefix.sha256d(&[left, right]), reference(&message));
            if let Some(header) = message.first_chunk::<80>() {
                prop_assert_eq!(sha256d_header(header), reference(header));
            }
            if let Some((left, right)) = message.first_chunk::<64>().map(|node| node.split_at(32)) {
                let pair = sha256d_pair(left.try_into().unwrap(), right.try_into().unwrap());
                prop_assert_eq!(pair, reference(&message[..64]));
            }
        }
    }
}
