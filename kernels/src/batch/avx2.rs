//! Eight messages in each vector of 256 bits (AVX2).

use core::arch::x86_64::*;

use super::lanes::{Lanes, Vector};
use crate::words::Hash;

/// One vector: eight messages.
pub(super) type Avx2 = Lanes<__m256i, 1>;

/// Reverses the bytes of each word.
#[inline(always)]
unsafe fn swap_bytes(words: __m256i) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        _mm256_shuffle_epi8(words, _mm256_broadcastsi128_si256(order))
    }
}

/// In each half of 128 bits: transposes four vectors of four words.
#[inline(always)]
unsafe fn transpose(rows: [__m256i; 4]) -> [__m256i; 4] {
    // SAFETY: the caller has AVX2.
    unsafe {
        let low = [_mm256_unpacklo_epi32(rows[0], rows[1]), _mm256_unpacklo_epi32(rows[2], rows[3])];
        let high = [_mm256_unpackhi_epi32(rows[0], rows[1]), _mm256_unpackhi_epi32(rows[2], rows[3])];
        [
            _mm256_unpacklo_epi64(low[0], low[1]),
            _mm256_unpackhi_epi64(low[0], low[1]),
            _mm256_unpacklo_epi64(high[0], high[1]),
            _mm256_unpackhi_epi64(high[0], high[1]),
        ]
    }
}

impl Vector for __m256i {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_set1_epi32(word.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_epi32(self, other) }
    }

    #[inline(always)]
    unsafe fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_xor_si256(self, _mm256_xor_si256(b, c)) }
    }

    #[inline(always)]
    unsafe fn choose(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_xor_si256(_mm256_and_si256(self, _mm256_xor_si256(b, c)), c) }
    }

    #[inline(always)]
    unsafe fn majority(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(self, b), _mm256_xor_si256(b, c)), b) }
    }

    #[inline(always)]
    unsafe fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(self), _mm256_slli_epi32::<LEFT>(self)) }
    }

    #[inline(always)]
    unsafe fn shift<const RIGHT: u32>(self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_srl_epi32(self, _mm_cvtsi32_si128(RIGHT.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn load<'a>(row: impl Fn(usize) -> &'a Hash) -> [Self; 8] {
        // SAFETY: the caller has AVX2, and each row has the 32 bytes that are read.
        unsafe {
            let mut rows = [_mm256_setzero_si256(); 8];
            for (n, words) in rows.iter_mut().enumerate() {
                *words = swap_bytes(_mm256_loadu_si256(row(n).as_ptr().cast()));
            }
            let front = transpose([rows[0], rows[1], rows[2], rows[3]]);
            let back = transpose([rows[4], rows[5], rows[6], rows[7]]);
            let mut words = [front[0]; 8];
            for n in 0..4 {
                words[n] = _mm256_permute2x128_si256::<0x20>(front[n], back[n]);
                words[n + 4] = _mm256_permute2x128_si256::<0x31>(front[n], back[n]);
            }
            words
        }
    }

    #[inline(always)]
    unsafe fn store(words: [Self; 8], mut row: impl FnMut(usize, Hash)) {
        let [w0, w1, w2, w3, w4, w5, w6, w7] = words;
        // SAFETY: the caller has AVX2, and a row has the 32 bytes that are written.
        unsafe {
            let left = transpose([w0, w1, w2, w3]);
            let right = transpose([w4, w5, w6, w7]);
            for n in 0..4 {
                let rows = [
                    _mm256_permute2x128_si256::<0x20>(left[n], right[n]),
                    _mm256_permute2x128_si256::<0x31>(left[n], right[n]),
                ];
                for (half, words) in rows.into_iter().enumerate() {
                    let mut hash = [0; 32];
                    _mm256_storeu_si256(hash.as_mut_ptr().cast(), swap_bytes(words));
                    row(4 * half + n, hash);
                }
            }
        }
    }
}
