//! Single messages: whole, from a cached prefix, and the two fixed sizes of mining.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;
use sha2::digest::typenum::U64;

use super::Hash;

/// Bytes in one compression.
const BLOCK: usize = 64;

/// Initial state of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The block that pads a 64-byte message: the end mark and its length, 512 bits.
const PADDING_OF_64_BYTES: [u8; BLOCK] = {
    let mut block = [0; BLOCK];
    block[0] = 0x80;
    block[62] = 2;
    block
};

pub(super) fn compress(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    compress256(state, std::slice::from_ref(GenericArray::<u8, U64>::from_slice(block)));
}

fn to_bytes(state: [u32; 8]) -> Hash {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *chunk = word.to_be_bytes();
    }
    bytes
}

/// SHA-256 of a 32-byte first hash: the second half of every double hash.
pub(super) fn second(first: [u32; 8]) -> Hash {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(&to_bytes(first));
    block[32] = 0x80;
    block[62] = 1;
    let mut state = INITIAL;
    compress(&mut state, &block);
    to_bytes(state)
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
        let mut state = self.state;
        let mut total = self.absorbed;
        let mut block = [0; BLOCK];
        let mut filled = 0;
        for part in parts {
            total += part.len();
            let mut rest = *part;
            if filled > 0 {
                let take = rest.len().min(BLOCK - filled);
                block[filled..filled + take].copy_from_slice(&rest[..take]);
                filled += take;
                rest = &rest[take..];
                if filled == BLOCK {
                    compress(&mut state, &block);
                    filled = 0;
                }
            }
            if filled == 0 {
                let (blocks, tail) = rest.as_chunks::<BLOCK>();
                for whole in blocks {
                    compress(&mut state, whole);
                }
                block[..tail.len()].copy_from_slice(tail);
                filled = tail.len();
            }
        }
        block[filled] = 0x80;
        block[filled + 1..].fill(0);
        if filled >= BLOCK - 8 {
            compress(&mut state, &block);
            block.fill(0);
        }
        block[BLOCK - 8..].copy_from_slice(&(total as u64 * 8).to_be_bytes());
        compress(&mut state, &block);
        second(state)
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
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(left);
    block[32..].copy_from_slice(right);
    let mut state = INITIAL;
    compress(&mut state, &block);
    compress(&mut state, &PADDING_OF_64_BYTES);
    second(state)
}

/// Double SHA-256 of a block header.
#[must_use]
pub fn sha256d_header(header: &[u8; 80]) -> Hash {
    let mut state = INITIAL;
    let (first, _) = header.as_chunks::<BLOCK>();
    compress(&mut state, &first[0]);
    let mut block = [0; BLOCK];
    block[..16].copy_from_slice(&header[BLOCK..]);
    header_padding(&mut block);
    compress(&mut state, &block);
    second(state)
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
