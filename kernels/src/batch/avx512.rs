//! Sixteen messages in each vector of 512 bits (AVX-512 F and BW).

use core::arch::x86_64::*;

use super::lanes::{Lanes, Vector};
use crate::words::Hash;

/// One vector.
pub(super) type One = Lanes<__m512i, 1>;

/// Two vectors side by side: where a vector takes a cycle (Zen 5), one alone
/// would wait for itself. Where it takes two (Zen 4), this costs nothing.
pub(super) type Two = Lanes<__m512i, 2>;

/// Reverses the bytes of each word.
#[inline(always)]
unsafe fn swap_bytes(words: __m512i) -> __m512i {
    // SAFETY: the caller has AVX-512 BW.
    unsafe {
        let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order))
    }
}

/// In each quarter of 128 bits: transposes four vectors of four words.
#[inline(always)]
unsafe fn transpose(rows: [__m512i; 4]) -> [__m512i; 4] {
    // SAFETY: the caller has AVX-512 F.
    unsafe {
        let low = [_mm512_unpacklo_epi32(rows[0], rows[1]), _mm512_unpacklo_epi32(rows[2], rows[3])];
        let high = [_mm512_unpackhi_epi32(rows[0], rows[1]), _mm512_unpackhi_epi32(rows[2], rows[3])];
        [
            _mm512_unpacklo_epi64(low[0], low[1]),
            _mm512_unpackhi_epi64(low[0], low[1]),
            _mm512_unpacklo_epi64(high[0], high[1]),
            _mm512_unpackhi_epi64(high[0], high[1]),
        ]
    }
}

impl Vector for __m512i {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the caller has AVX-512 F.
        unsafe { _mm512_set1_epi32(word.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512 F.
        unsafe { _mm512_add_epi32(self, other) }
    }

    #[inline(always)]
    unsafe fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller has AVX-512 F.
        unsafe { _mm512_ternarylogic_epi32::<0x96>(self, b, c) }
    }

    #[inline(always)]
    unsafe fn choose(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller has AVX-512 F.
        unsafe { _mm512_ternarylogic_epi32::<0xca>(self, b, c) }
    }

    #[inline(always)]
    unsafe fn majority(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller has AVX-512 F.
        unsafe { _mm512_ternarylogic_epi32::<0xe8>(self, b, c) }
    }

    #[inline(always)]
    unsafe fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        // SAFETY: the caller has AVX-512 F.
        unsafe { _mm512_ror_epi32::<RIGHT>(self) }
    }

    #[inline(always)]
    unsafe fn shift<const RIGHT: u32>(self) -> Self {
        // SAFETY: the caller has AVX-512 F.
        unsafe { _mm512_srli_epi32::<RIGHT>(self) }
    }

    #[inline(always)]
    unsafe fn load<'a>(row: impl Fn(usize) -> &'a Hash) -> [Self; 8] {
        // SAFETY: the caller has AVX-512 F and BW, and each row has the 32 bytes that are read.
        unsafe {
            let mut rows = [_mm512_setzero_si512(); 8];
            for (n, pair) in rows.iter_mut().enumerate() {
                // Row n and row n + 4 share a vector, so that quarters come out in order.
                let low = n % 4 + 8 * (n / 4);
                let halves = [
                    _mm256_loadu_si256(row(low).as_ptr().cast()),
                    _mm256_loadu_si256(row(low + 4).as_ptr().cast()),
                ];
                *pair = swap_bytes(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(halves[0]), halves[1]));
            }
            let front = transpose([rows[0], rows[1], rows[2], rows[3]]);
            let back = transpose([rows[4], rows[5], rows[6], rows[7]]);
            let mut words = [front[0]; 8];
            for n in 0..4 {
                words[n] = _mm512_shuffle_i32x4::<0x88>(front[n], back[n]);
                words[n + 4] = _mm512_shuffle_i32x4::<0xdd>(front[n], back[n]);
            }
            words
        }
    }

    #[inline(always)]
    unsafe fn store(words: [Self; 8], mut row: impl FnMut(usize, Hash)) {
        let [w0, w1, w2, w3, w4, w5, w6, w7] = words;
        // SAFETY: the caller has AVX-512 F and BW, and an array of four times sixteen bytes takes a vector.
        unsafe {
            let left = transpose([w0, w1, w2, w3]);
            let right = transpose([w4, w5, w6, w7]);
            for n in 0..4 {
                let (mut front, mut back) = ([[0u8; 16]; 4], [[0u8; 16]; 4]);
                _mm512_storeu_si512(front.as_mut_ptr().cast(), swap_bytes(left[n]));
                _mm512_storeu_si512(back.as_mut_ptr().cast(), swap_bytes(right[n]));
                for (quarter, (front, back)) in front.iter().zip(&back).enumerate() {
                    let mut hash = Hash::default();
                    hash[..16].copy_from_slice(front);
                    hash[16..].copy_from_slice(back);
                    row(4 * quarter + n, hash);
                }
            }
        }
    }
}
