//! The SHA extensions: one message by itself, or several interleaved.
//!
//! Two rounds take one instruction, which waits four cycles for the one before
//! it, while another could begin every second cycle. So one message leaves half
//! of the unit idle; four fill it.

use core::arch::x86_64::*;

use super::kernel::{Kernel, NODE_PADDING, sixteen};
use crate::words::{BLOCK, Hash, INITIAL, K};

/// `LANES` messages, interleaved.
pub(super) struct ShaNi<const LANES: usize>;

/// The words of a state as the instructions want them.
#[derive(Clone, Copy)]
pub(super) struct State {
    /// F, E, B, A from the low end.
    abef: __m128i,
    /// H, G, D, C from the low end.
    cdgh: __m128i,
}

/// Four words of a table, the first one lowest.
#[inline(always)]
unsafe fn four(table: &[u32; 64], at: usize) -> __m128i {
    // SAFETY: the caller has SSE2, and gets four of sixteen fours.
    unsafe { _mm_loadu_si128(table.as_chunks::<4>().0[at].as_ptr().cast()) }
}

/// Words A to D and E to H, in the order of a message.
#[inline(always)]
unsafe fn pack(words: [__m128i; 2]) -> State {
    // SAFETY: the caller has SSE4.1.
    unsafe {
        let badc = _mm_shuffle_epi32::<0xb1>(words[0]);
        let hgfe = _mm_shuffle_epi32::<0x1b>(words[1]);
        State { abef: _mm_alignr_epi8::<8>(badc, hgfe), cdgh: _mm_blend_epi16::<0xf0>(hgfe, badc) }
    }
}

/// The inverse of [`pack`].
#[inline(always)]
unsafe fn unpack(state: State) -> [__m128i; 2] {
    // SAFETY: the caller has SSE4.1.
    unsafe {
        let abef = _mm_shuffle_epi32::<0x1b>(state.abef);
        let ghcd = _mm_shuffle_epi32::<0xb1>(state.cdgh);
        [_mm_blend_epi16::<0xf0>(abef, ghcd), _mm_alignr_epi8::<8>(ghcd, abef)]
    }
}

/// Sixteen bytes of a message as four words.
#[inline(always)]
unsafe fn words(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the caller has SSSE3, and sixteen bytes are read.
    unsafe { swap_bytes(_mm_loadu_si128(bytes.as_ptr().cast())) }
}

#[inline(always)]
unsafe fn swap_bytes(words: __m128i) -> __m128i {
    // SAFETY: the caller has SSSE3.
    unsafe {
        let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        _mm_shuffle_epi8(words, order)
    }
}

/// Four rounds, given their words with the constants added.
#[inline(always)]
unsafe fn four_rounds(state: &mut State, words: __m128i) {
    // SAFETY: the caller has the SHA extensions.
    unsafe {
        state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, words);
        state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32::<0x0e>(words));
    }
}

#[inline(always)]
unsafe fn compress<const LANES: usize>(
    before: [State; LANES],
    mut message: [[__m128i; 4]; LANES],
) -> [State; LANES] {
    let mut state = before;
    // SAFETY: the caller has the SHA extensions.
    unsafe {
        sixteen!(I => {
            for lane in 0..LANES {
                let w = &mut message[lane];
                four_rounds(&mut state[lane], _mm_add_epi32(w[I % 4], four(&K, I)));
                if I < 12 {
                    let next = w[(I + 3) % 4];
                    let sum = _mm_add_epi32(
                        _mm_sha256msg1_epu32(w[I % 4], w[(I + 1) % 4]),
                        _mm_alignr_epi8::<4>(next, w[(I + 2) % 4]),
                    );
                    w[I % 4] = _mm_sha256msg2_epu32(sum, next);
                }
            }
        });
        sum(before, state)
    }
}

#[inline(always)]
unsafe fn sum<const LANES: usize>(before: [State; LANES], mut after: [State; LANES]) -> [State; LANES] {
    for (after, before) in after.iter_mut().zip(before) {
        // SAFETY: the caller has SSE2.
        unsafe {
            after.abef = _mm_add_epi32(after.abef, before.abef);
            after.cdgh = _mm_add_epi32(after.cdgh, before.cdgh);
        }
    }
    after
}

/// The block of a state and the eight words behind it.
#[inline(always)]
unsafe fn beside<const LANES: usize>(left: [State; LANES], right: [__m128i; 2]) -> [[__m128i; 4]; LANES] {
    // SAFETY: the caller has SSE4.1.
    unsafe {
        let mut message = [[_mm_setzero_si128(); 4]; LANES];
        for (message, state) in message.iter_mut().zip(left) {
            let left = unpack(state);
            *message = [left[0], left[1], right[0], right[1]];
        }
        message
    }
}

impl<const LANES: usize> Kernel for ShaNi<LANES> {
    const LANES: usize = LANES;
    type State = [State; LANES];

    #[inline(always)]
    unsafe fn splat(words: &[u32; 8]) -> Self::State {
        // SAFETY: the caller has SSE4.1, and eight words are read.
        unsafe {
            let halves = words.as_chunks::<4>().0;
            let low = _mm_loadu_si128(halves[0].as_ptr().cast());
            let high = _mm_loadu_si128(halves[1].as_ptr().cast());
            [pack([low, high]); LANES]
        }
    }

    #[inline(always)]
    unsafe fn load<'a>(hash: impl Fn(usize) -> &'a Hash) -> Self::State {
        // SAFETY: the caller has SSE4.1.
        unsafe {
            let mut state = Self::splat(&INITIAL);
            for (lane, state) in state.iter_mut().enumerate() {
                let halves = hash(lane).as_chunks().0;
                *state = pack([words(&halves[0]), words(&halves[1])]);
            }
            state
        }
    }

    #[inline(always)]
    unsafe fn absorb<'a>(state: Self::State, block: impl Fn(usize) -> &'a [u8; BLOCK]) -> Self::State {
        // SAFETY: the caller has the SHA extensions and SSSE3.
        unsafe {
            let mut message = [[_mm_setzero_si128(); 4]; LANES];
            for (lane, message) in message.iter_mut().enumerate() {
                let parts = block(lane).as_chunks().0;
                for (words_of_part, part) in message.iter_mut().zip(parts) {
                    *words_of_part = words(part);
                }
            }
            compress(state, message)
        }
    }

    #[inline(always)]
    unsafe fn absorb_node(left: Self::State, right: &Hash) -> Self::State {
        let right = right.as_chunks().0;
        // SAFETY: the caller has the SHA extensions and SSE4.1.
        unsafe { compress(Self::splat(&INITIAL), beside(left, [words(&right[0]), words(&right[1])])) }
    }

    #[inline(always)]
    unsafe fn pad_node(before: Self::State) -> Self::State {
        let mut state = before;
        // SAFETY: the caller has the SHA extensions.
        unsafe {
            sixteen!(I => {
                for state in &mut state {
                    four_rounds(state, four(&NODE_PADDING, I));
                }
            });
            sum(before, state)
        }
    }

    #[inline(always)]
    unsafe fn second(first: Self::State) -> Self::State {
        // SAFETY: the caller has the SHA extensions and SSE4.1.
        unsafe {
            let end = [_mm_set_epi32(0, 0, 0, i32::MIN), _mm_set_epi32(256, 0, 0, 0)];
            compress(Self::splat(&INITIAL), beside(first, end))
        }
    }

    #[inline(always)]
    unsafe fn store(state: Self::State, out: &mut [Hash]) {
        for (state, out) in state.into_iter().zip(out) {
            // SAFETY: the caller has SSE4.1, and two times sixteen bytes are written.
            unsafe {
                let words = unpack(state);
                let halves = out.as_chunks_mut::<16>().0;
                _mm_storeu_si128(halves[0].as_mut_ptr().cast(), swap_bytes(words[0]));
                _mm_storeu_si128(halves[1].as_mut_ptr().cast(), swap_bytes(words[1]));
            }
        }
    }
}
