//! One message at a time by the `sha2` crate: the reference, and what runs everywhere.

use super::kernel::Kernel;
use crate::words::{BLOCK, Hash, INITIAL, compress_bytes, to_bytes};

/// No vectors.
pub(super) struct Scalar;

/// The block that pads a 64-byte message: the end mark and its length, 512 bits.
const NODE_PADDING_BLOCK: [u8; BLOCK] = {
    let mut block = [0; BLOCK];
    block[0] = 0x80;
    block[62] = 2;
    block
};

fn absorb(mut state: [u32; 8], block: &[u8; BLOCK]) -> [u32; 8] {
    compress_bytes(&mut state, block);
    state
}

impl Kernel for Scalar {
    const LANES: usize = 1;
    type State = [u32; 8];

    unsafe fn splat(words: &[u32; 8]) -> Self::State {
        *words
    }

    unsafe fn load<'a>(hash: impl Fn(usize) -> &'a Hash) -> Self::State {
        let words = hash(0).as_chunks().0;
        std::array::from_fn(|n| u32::from_be_bytes(words[n]))
    }

    unsafe fn absorb<'a>(state: Self::State, block: impl Fn(usize) -> &'a [u8; BLOCK]) -> Self::State {
        absorb(state, block(0))
    }

    unsafe fn absorb_node(left: Self::State, right: &Hash) -> Self::State {
        let mut block = [0; BLOCK];
        block[..32].copy_from_slice(&to_bytes(left));
        block[32..].copy_from_slice(right);
        absorb(INITIAL, &block)
    }

    unsafe fn pad_node(state: Self::State) -> Self::State {
        absorb(state, &NODE_PADDING_BLOCK)
    }

    unsafe fn second(first: Self::State) -> Self::State {
        let mut block = [0; BLOCK];
        block[..32].copy_from_slice(&to_bytes(first));
        block[32] = 0x80;
        block[62] = 1;
        absorb(INITIAL, &block)
    }

    unsafe fn store(state: Self::State, out: &mut [Hash]) {
        if let Some(out) = out.first_mut() {
            *out = to_bytes(state);
        }
    }
}
