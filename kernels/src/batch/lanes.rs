//! SHA-256 with one message in each 32-bit lane of a vector.
//!
//! Written once over [`Vector`]. The message schedule is a ring of sixteen
//! vectors and the sixty-four rounds are a loop of four times sixteen: unrolled
//! further, the code outgrows the instruction cache.

use std::marker::PhantomData;

use super::kernel::{Kernel, NODE_PADDING, sixteen};
use crate::words::{BLOCK, Hash, INITIAL, K};

/// The vector instructions that SHA-256 needs.
///
/// # Safety
/// To call any of it, the CPU must have the instructions of the implementing file.
pub(super) trait Vector: Copy {
    /// Words in a vector.
    const LANES: usize;

    unsafe fn splat(word: u32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn xor3(self, b: Self, c: Self) -> Self;
    /// Bit by bit: `self ? b : c`.
    unsafe fn choose(self, b: Self, c: Self) -> Self;
    /// Bit by bit: what most of the three have.
    unsafe fn majority(self, b: Self, c: Self) -> Self;
    /// Rotates right by `RIGHT`; `LEFT` is 32 less that.
    unsafe fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self;
    unsafe fn shift<const RIGHT: u32>(self) -> Self;
    /// Vector `n` of the result holds word `n` of every row, read big-endian.
    unsafe fn load<'a>(row: impl Fn(usize) -> &'a Hash) -> [Self; 8];
    /// The inverse of `load`.
    unsafe fn store(words: [Self; 8], row: impl FnMut(usize, Hash));
}

/// `GROUPS` vectors side by side: independent chains that hide each other's latency.
pub(super) struct Lanes<V, const GROUPS: usize>(PhantomData<V>);

type State<V, const GROUPS: usize> = [[V; 8]; GROUPS];

#[inline(always)]
unsafe fn round<V: Vector, const AT: usize>(state: &mut [V; 8], word_and_constant: V) {
    // The names rotate instead of the values.
    let [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(|name| (name + 16 - AT) % 8);
    // SAFETY: the caller has the instructions.
    unsafe {
        let (va, ve) = (state[a], state[e]);
        let sum1 = ve.rotate::<6, 26>().xor3(ve.rotate::<11, 21>(), ve.rotate::<25, 7>());
        let sum0 = va.rotate::<2, 30>().xor3(va.rotate::<13, 19>(), va.rotate::<22, 10>());
        let t1 = state[h].add(word_and_constant).add(ve.choose(state[f], state[g])).add(sum1);
        state[d] = state[d].add(t1);
        state[h] = t1.add(va.majority(state[b], state[c]).add(sum0));
    }
}

#[inline(always)]
unsafe fn schedule<V: Vector, const AT: usize>(words: &mut [V; 16]) {
    // SAFETY: the caller has the instructions.
    unsafe {
        let (w1, w14) = (words[(AT + 1) % 16], words[(AT + 14) % 16]);
        let sigma0 = w1.rotate::<7, 25>().xor3(w1.rotate::<18, 14>(), w1.shift::<3>());
        let sigma1 = w14.rotate::<17, 15>().xor3(w14.rotate::<19, 13>(), w14.shift::<10>());
        words[AT] = words[AT].add(words[(AT + 9) % 16]).add(sigma0.add(sigma1));
    }
}

#[inline(always)]
unsafe fn compress<V: Vector, const GROUPS: usize>(
    before: State<V, GROUPS>,
    mut words: [[V; 16]; GROUPS],
) -> State<V, GROUPS> {
    let mut state = before;
    // SAFETY: the caller has the instructions.
    unsafe {
        sixteen!(I => {
            for group in 0..GROUPS {
                round::<V, I>(&mut state[group], words[group][I].add(V::splat(K[I])));
            }
        });
        for constants in K.as_chunks::<16>().0[1..].iter() {
            sixteen!(I => {
                for group in 0..GROUPS {
                    schedule::<V, I>(&mut words[group]);
                    round::<V, I>(&mut state[group], words[group][I].add(V::splat(constants[I])));
                }
            });
        }
        sum(before, state)
    }
}

#[inline(always)]
unsafe fn sum<V: Vector, const GROUPS: usize>(
    mut before: State<V, GROUPS>,
    after: State<V, GROUPS>,
) -> State<V, GROUPS> {
    for (before, after) in before.iter_mut().zip(after) {
        for (before, after) in before.iter_mut().zip(after) {
            // SAFETY: the caller has the instructions.
            *before = unsafe { before.add(after) };
        }
    }
    before
}

#[inline(always)]
unsafe fn side_by_side<V: Vector, const GROUPS: usize>(
    left: State<V, GROUPS>,
    right: State<V, GROUPS>,
) -> [[V; 16]; GROUPS] {
    let mut words = [[left[0][0]; 16]; GROUPS];
    for (words, (left, right)) in words.iter_mut().zip(left.into_iter().zip(right)) {
        words[..8].copy_from_slice(&left);
        words[8..].copy_from_slice(&right);
    }
    words
}

impl<V: Vector, const GROUPS: usize> Kernel for Lanes<V, GROUPS> {
    const LANES: usize = V::LANES * GROUPS;
    type State = State<V, GROUPS>;

    #[inline(always)]
    unsafe fn splat(words: &[u32; 8]) -> Self::State {
        // SAFETY: the caller has the instructions.
        unsafe {
            let mut state = [V::splat(0); 8];
            for (vector, word) in state.iter_mut().zip(words) {
                *vector = V::splat(*word);
            }
            [state; GROUPS]
        }
    }

    #[inline(always)]
    unsafe fn load<'a>(hash: impl Fn(usize) -> &'a Hash) -> Self::State {
        // SAFETY: the caller has the instructions.
        unsafe {
            let mut state = Self::splat(&[0; 8]);
            for (group, state) in state.iter_mut().enumerate() {
                *state = V::load(|lane| hash(group * V::LANES + lane));
            }
            state
        }
    }

    #[inline(always)]
    unsafe fn absorb<'a>(state: Self::State, block: impl Fn(usize) -> &'a [u8; BLOCK]) -> Self::State {
        // SAFETY: the caller has the instructions.
        unsafe {
            let left = Self::load(|lane| block(lane).first_chunk().expect("64 bytes"));
            let right = Self::load(|lane| block(lane).last_chunk().expect("64 bytes"));
            compress(state, side_by_side(left, right))
        }
    }

    #[inline(always)]
    unsafe fn absorb_node(left: Self::State, right: &Hash) -> Self::State {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(right.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        // SAFETY: the caller has the instructions.
        unsafe { compress(Self::splat(&INITIAL), side_by_side(left, Self::splat(&words))) }
    }

    #[inline(always)]
    unsafe fn pad_node(before: Self::State) -> Self::State {
        let mut state = before;
        // SAFETY: the caller has the instructions.
        unsafe {
            for constants in NODE_PADDING.as_chunks::<16>().0 {
                sixteen!(I => {
                    for state in &mut state {
                        round::<V, I>(state, V::splat(constants[I]));
                    }
                });
            }
            sum(before, state)
        }
    }

    #[inline(always)]
    unsafe fn second(first: Self::State) -> Self::State {
        // SAFETY: the caller has the instructions.
        unsafe {
            let padding = Self::splat(&[0x8000_0000, 0, 0, 0, 0, 0, 0, 256]);
            compress(Self::splat(&INITIAL), side_by_side(first, padding))
        }
    }

    #[inline(always)]
    unsafe fn store(state: Self::State, out: &mut [Hash]) {
        for (state, out) in state.into_iter().zip(out.chunks_mut(V::LANES)) {
            let row = |lane: usize, hash: Hash| {
                if let Some(out) = out.get_mut(lane) {
                    *out = hash;
                }
            };
            // SAFETY: the caller has the instructions.
            unsafe { V::store(state, row) };
        }
    }
}
