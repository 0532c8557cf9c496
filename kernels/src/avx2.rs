//! 8 lanes of AVX2, one chain.
//!
//! A rotate is three operations here, so there is more to do than one chain
//! waits, and 16 registers hold no second one: written in turns it is slower.

use core::arch::asm;
use core::arch::x86_64::*;

use crate::Work;
use crate::constants::Constants;
use crate::midstates::{Group, LANES, Midstates};

type Vector = __m256i;

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn add(a: Vector, b: Vector) -> Vector {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn splat(x: u32) -> Vector {
    _mm256_set1_epi32(x as i32)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sum_0(x: Vector) -> Vector {
    xor_3(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sum_1(x: Vector) -> Vector {
    xor_3(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sigma_0(x: Vector) -> Vector {
    xor_3(rotate::<7, 25>(x), rotate::<18, 14>(x), _mm256_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn sigma_1(x: Vector) -> Vector {
    xor_3(rotate::<17, 15>(x), rotate::<19, 13>(x), _mm256_srli_epi32::<10>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn xor_3(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn choice(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(f, g), e), g)
}

/// The compiler finds that `b ^ c` is the `a ^ b` of the round before.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)), b)
}

/// See `lanes.rs`.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn hold(mut x: Vector) -> Vector {
    // SAFETY: no instruction is executed.
    unsafe { asm!("/* {0} */", inout(ymm_reg) x, options(pure, nomem, nostack, preserves_flags)) };
    x
}

/// See `lanes.rs`.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn order(x: Vector) -> Vector {
    x
}

/// The same constants, but the compiler does not know: it shall load each where it
/// is added, not all before the loop, for which there are not enough registers.
#[inline]
pub(crate) fn opaque(constants: &Constants) -> &Constants {
    std::hint::black_box(constants)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn swap_bytes(x: Vector) -> Vector {
    let order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
    _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order))
}

/// A bit for each lane whose word, bytes reversed, is at most `top`.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn at_most(x: Vector, top: u32) -> [u8; 1] {
    let x = swap_bytes(x);
    let fits = _mm256_cmpeq_epi32(_mm256_min_epu32(x, splat(top)), x);
    [_mm256_movemask_ps(_mm256_castsi256_ps(fits)) as u8]
}

/// Lanes of one word of a group, from `lane` on.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn lanes(group: &Group, word: usize, lane: usize) -> Vector {
    let lanes: &[u32; 8] = group[word][lane..].first_chunk().expect("half a group");
    // SAFETY: they are 8 lanes of 32 bits.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

scans_of_lanes!("avx2", one_chain, 8, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
