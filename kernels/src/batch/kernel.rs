//! The shapes of messages, written once over what a backend can do.
//!
//! A [`Kernel`] is SHA-256 for a fixed number of messages side by side: its
//! state stays in registers, in whatever form the instructions like, from the
//! first block of a message to its last. The functions here take one group of
//! at most that many messages; empty lanes repeat the last message, and what
//! they give is thrown away.

use super::Absorbed;
use crate::words::{BLOCK, Hash, INITIAL, K, sigma_0, sigma_1};

/// The most lanes that a kernel has.
pub(super) const LANES_MAX: usize = 32;

/// Round constants plus message words of the block that pads a 64-byte message:
/// the end mark, and its length, 512 bits.
pub(super) const NODE_PADDING: [u32; 64] = {
    let mut words = [0u32; 64];
    words[0] = 0x8000_0000;
    words[15] = 512;
    let mut n = 16;
    while n < 64 {
        words[n] = words[n - 16]
            .wrapping_add(sigma_0(words[n - 15]))
            .wrapping_add(words[n - 7])
            .wrapping_add(sigma_1(words[n - 2]));
        n += 1;
    }
    n = 0;
    while n < 64 {
        words[n] = words[n].wrapping_add(K[n]);
        n += 1;
    }
    words
};

/// Expands to sixteen copies, with the index as a literal: registers have no index.
macro_rules! sixteen {
    ($i:ident => $body:block) => {
        sixteen!(@ $i $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $i:ident $body:block $($n:literal)*) => {
        $({ const $i: usize = $n; $body })*
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use sixteen;

/// SHA-256 of [`Self::LANES`] messages at once.
///
/// # Safety
/// To call any of it, the CPU must have the instructions that the implementing
/// file enables.
pub(super) trait Kernel {
    /// Messages side by side, at most [`LANES_MAX`].
    const LANES: usize;

    /// The eight words of each lane.
    type State: Copy;

    /// The same state in each lane.
    unsafe fn splat(words: &[u32; 8]) -> Self::State;

    /// The words of finished hashes.
    unsafe fn load<'a>(hash: impl Fn(usize) -> &'a Hash) -> Self::State;

    /// Compresses a block into each lane.
    unsafe fn absorb<'a>(state: Self::State, block: impl Fn(usize) -> &'a [u8; BLOCK]) -> Self::State;

    /// Compresses the block of two hashes: those in `left`, and the same `right` in each lane.
    unsafe fn absorb_node(left: Self::State, right: &Hash) -> Self::State;

    /// Compresses the padding of a 64-byte message.
    unsafe fn pad_node(state: Self::State) -> Self::State;

    /// SHA-256 of a hash: the second half of a double hash.
    unsafe fn second(first: Self::State) -> Self::State;

    /// Writes the hash of each lane that `out` has room for.
    unsafe fn store(state: Self::State, out: &mut [Hash]);
}

/// Writes the padding of an 80-byte message into its second block.
fn header_padding(block: &mut [u8; BLOCK]) {
    block[16] = 0x80;
    block[62] = 2;
    block[63] = 0x80;
}

/// Double SHA-256 of block headers.
#[inline(always)]
pub(super) unsafe fn headers<S: Kernel>(headers: &[[u8; 80]], out: &mut [Hash]) {
    let mut ends = [[0; BLOCK]; LANES_MAX];
    for (end, header) in ends.iter_mut().zip(headers) {
        end[..16].copy_from_slice(&header[BLOCK..]);
        header_padding(end);
    }
    let last = headers.len() - 1;
    let first = |lane: usize| headers[lane.min(last)].first_chunk().expect("80 bytes");
    // SAFETY: the caller has the instructions.
    unsafe {
        let state = S::absorb(S::splat(&INITIAL), first);
        let state = S::absorb(state, |lane| &ends[lane.min(last)]);
        S::store(S::second(state), out);
    }
}

/// Double SHA-256 of neighbours: a level of a merkle tree from the one below.
#[inline(always)]
pub(super) unsafe fn pairs<S: Kernel>(pairs: &[[Hash; 2]], out: &mut [Hash]) {
    let last = pairs.len() - 1;
    let block = |lane: usize| pairs[lane.min(last)].as_flattened().first_chunk().expect("64 bytes");
    // SAFETY: the caller has the instructions.
    unsafe {
        let state = S::absorb(S::splat(&INITIAL), block);
        S::store(S::second(S::pad_node(state)), out);
    }
}

/// The roots above `nodes`, each at position 0 under the same branch.
#[inline(always)]
pub(super) unsafe fn fold<S: Kernel>(nodes: &mut [Hash], branch: &[Hash]) {
    let last = nodes.len() - 1;
    // SAFETY: the caller has the instructions.
    unsafe {
        let mut state = S::load(|lane| &nodes[lane.min(last)]);
        for sibling in branch {
            state = S::second(S::pad_node(S::absorb_node(state, sibling)));
        }
        S::store(state, nodes);
    }
}

/// Double SHA-256 of messages that begin with `prefix`; `tails` are what
/// follows the bytes it covers, all of one length.
#[inline(always)]
pub(super) unsafe fn tails<S: Kernel>(prefix: &Absorbed, tails: &[&[u8]], out: &mut [Hash]) {
    let last = tails.len() - 1;
    let length = tails[last].len();
    let bits = ((prefix.bytes + length) as u64 * 8).to_be_bytes();
    let whole = length / BLOCK;
    // The end mark and the length in bits need nine bytes.
    let blocks = (length + 9).div_ceil(BLOCK);
    let mut ends = [[0; BLOCK]; LANES_MAX];
    // SAFETY: the caller has the instructions.
    unsafe {
        let mut state = S::splat(&prefix.state);
        for at in 0..whole {
            let block = |lane: usize| tails[lane.min(last)][at * BLOCK..].first_chunk().expect("whole");
            state = S::absorb(state, block);
        }
        for at in whole..blocks {
            for (end, tail) in ends.iter_mut().zip(tails) {
                let rest = tail.get(at * BLOCK..).unwrap_or_default();
                end.fill(0);
                end[..rest.len()].copy_from_slice(rest);
                if at == whole {
                    end[rest.len()] = 0x80;
                }
                if at + 1 == blocks {
                    end[BLOCK - 8..].copy_from_slice(&bits);
                }
            }
            state = S::absorb(state, |lane| &ends[lane.min(last)]);
        }
        S::store(S::second(state), out);
    }
}

/// Double SHA-256 of one message that begins with `prefix` and goes on in `parts`.
#[inline(always)]
pub(super) unsafe fn parts<S: Kernel>(prefix: &Absorbed, parts: &[&[u8]]) -> Hash {
    let mut block = [0; BLOCK];
    let mut filled = 0;
    let mut total = prefix.bytes;
    let mut hash = [Hash::default()];
    // SAFETY: the caller has the instructions.
    unsafe {
        let mut state = S::splat(&prefix.state);
        for part in parts {
            total += part.len();
            let mut rest = *part;
            if filled > 0 {
                let take = rest.len().min(BLOCK - filled);
                block[filled..filled + take].copy_from_slice(&rest[..take]);
                filled += take;
                rest = &rest[take..];
                if filled == BLOCK {
                    state = S::absorb(state, |_| &block);
                    filled = 0;
                }
            }
            if filled == 0 {
                let (blocks, tail) = rest.as_chunks::<BLOCK>();
                for whole in blocks {
                    state = S::absorb(state, |_| whole);
                }
                block[..tail.len()].copy_from_slice(tail);
                filled = tail.len();
            }
        }
        block[filled] = 0x80;
        block[filled + 1..].fill(0);
        if filled >= BLOCK - 8 {
            state = S::absorb(state, |_| &block);
            block.fill(0);
        }
        block[BLOCK - 8..].copy_from_slice(&(total as u64 * 8).to_be_bytes());
        state = S::absorb(state, |_| &block);
        S::store(S::second(state), &mut hash);
    }
    hash[0]
}
