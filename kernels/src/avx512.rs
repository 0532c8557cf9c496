//! 16 lanes of AVX-512, two chains in turns.
//!
//! Rotates and three-operand logic make a round 15 vector operations, and both
//! hashes of a header, less what is known beforehand, 178 (`docs/hashing.md`).

use core::arch::asm;
use core::arch::x86_64::*;

use crate::Work;
use crate::constants::Constants;
use crate::midstates::{Group, LANES, Midstates};

type Vector = __m512i;

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(x: u32) -> Vector {
    _mm512_set1_epi32(x as i32)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sum_0(x: Vector) -> Vector {
    xor_3(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sum_1(x: Vector) -> Vector {
    xor_3(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sigma_0(x: Vector) -> Vector {
    xor_3(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sigma_1(x: Vector) -> Vector {
    xor_3(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn xor_3(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn choice(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0xca>(e, f, g)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
}

/// See `lanes.rs`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn hold(mut x: Vector) -> Vector {
    // SAFETY: no instruction is executed.
    unsafe { asm!("/* {0} */", inout(zmm_reg) x, options(pure, nomem, nostack, preserves_flags)) };
    x
}

/// See `lanes.rs`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn order(mut x: Vector) -> Vector {
    // SAFETY: no instruction is executed.
    unsafe { asm!("/* {0} */", inout(zmm_reg) x, options(nomem, nostack, preserves_flags)) };
    x
}

/// The same constants, but the compiler does not know: it shall load each where it
/// is added, not all before the loop, for which there are not enough registers.
#[inline]
fn opaque(constants: &Constants) -> &Constants {
    std::hint::black_box(constants)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn swap_bytes(x: Vector) -> Vector {
    let order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
    _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order))
}

/// A bit for each lane whose word, bytes reversed, is at most `top`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn at_most(x: Vector, top: u32) -> [u8; 2] {
    _mm512_cmple_epu32_mask(swap_bytes(x), splat(top)).to_le_bytes()
}

/// Lanes of one word of a group, from `lane` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn lanes(group: &Group, word: usize, lane: usize) -> Vector {
    debug_assert_eq!(lane, 0);
    // SAFETY: a word of a group is 16 lanes of 32 bits.
    unsafe { _mm512_loadu_si512(group[word].as_ptr().cast()) }
}

scans_of_lanes!(
    "avx512f,avx512bw",
    pipelined,
    16,
    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
);
