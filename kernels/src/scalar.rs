//! One header at a time with the `sha2` crate: the reference, and the default
//! where nothing better is known.
//!
//! `compress256` uses the SHA extensions by itself where the CPU has them, as
//! one dependent chain.

use crate::words::double_hash;
use crate::{PER_BYTE, Work};

pub(crate) fn nonces(work: &Work, first: u32, candidates: &mut [u8]) {
    let mut nonce = first;
    for byte in candidates {
        *byte = 0;
        for bit in 0..PER_BYTE {
            let last = double_hash(work.midstate, work.words, nonce)[7].swap_bytes();
            *byte |= u8::from(last <= work.top) << bit;
            nonce = nonce.wrapping_add(1);
        }
    }
}
