//! Single messages: whole, from a cached prefix, and the two fixed sizes of mining.

use adit_kernels::Absorbed;
use adit_kernels::words::{BLOCK, INITIAL, compress_bytes};

use super::{Hash, batch};

/// The state of SHA-256 after the whole blocks of a message's beginning.
///
/// A pool hashes the same first bytes of a coinbase for every share of a job;
/// this keeps the part of that work which does not depend on the miner.
#[derive(Debug, Clone)]
pub struct Prefix(Absorbed);

impl Prefix {
    /// Absorbs the whole 64-byte blocks at the beginning of `message`.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let (blocks, _) = message.as_chunks::<BLOCK>();
        let mut state = INITIAL;
        for block in blocks {
            compress_bytes(&mut state, block);
        }
        Self(Absorbed { state, bytes: blocks.len() * BLOCK })
    }

    /// As a [`Batch`](super::backend::Batch) takes it.
    #[must_use]
    pub fn absorbed(&self) -> &Absorbed {
        &self.0
    }

    /// Bytes that need not be given again to [`Self::sha256d`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.bytes
    }

    /// Whether nothing is absorbed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.bytes == 0
    }

    /// Double SHA-256 of the absorbed bytes followed by `parts`.
    #[must_use]
    pub fn sha256d(&self, parts: &[&[u8]]) -> Hash {
        batch::parts(&self.0, parts)
    }
}

/// Double SHA-256 of a message.
#[must_use]
pub fn sha256d(message: &[u8]) -> Hash {
    batch::parts(&Absorbed { state: INITIAL, bytes: 0 }, &[message])
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
