//! The SHA extensions, four headers in turns.
//!
//! One instruction does two rounds, but the next two must wait four cycles for
//! it; four headers fill that time. State is held as the instruction wants it,
//! `abef` and `cdgh`, four message words to a register, first word lowest.

use core::arch::x86_64::*;

use crate::Work;
use crate::constants::Constants;
use crate::words::{END, INITIAL, K, sigma_0};

type Vector = __m128i;

/// Headers in turns.
const TURNS: usize = 4;

/// A value of each header.
type Each = [Vector; TURNS];

#[inline]
#[target_feature(enable = "sse4.1,sha")]
fn vector([a, b, c, d]: [u32; 4]) -> Vector {
    _mm_setr_epi32(a as i32, b as i32, c as i32, d as i32)
}

/// Four words of a table from `t` on.
#[inline]
#[target_feature(enable = "sse4.1,sha")]
fn four(table: &[u32; 64], t: usize) -> Vector {
    vector([table[t], table[t + 1], table[t + 2], table[t + 3]])
}

/// `abef` and `cdgh` of a state.
#[inline]
#[target_feature(enable = "sse4.1,sha")]
fn halves([a, b, c, d, e, f, g, h]: [u32; 8]) -> (Vector, Vector) {
    (vector([f, e, b, a]), vector([h, g, d, c]))
}

/// Four rounds of each header; `kw` are constants and message words.
#[inline]
#[target_feature(enable = "sse4.1,sha")]
fn rounds(abef: &mut Each, cdgh: &mut Each, mut kw: Each) {
    for _ in 0..2 {
        for i in 0..TURNS {
            let next = _mm_sha256rnds2_epu32(cdgh[i], abef[i], kw[i]);
            cdgh[i] = abef[i];
            abef[i] = next;
            kw[i] = _mm_shuffle_epi32::<0x0e>(kw[i]);
        }
    }
}

/// The message words behind a quarter of sixteen: `first` are terms 16 and 15
/// of their sums, `a`, `b` the quarters two and one before.
#[inline]
#[target_feature(enable = "sse4.1,sha")]
fn next_words(first: Vector, a: Vector, b: Vector) -> Vector {
    _mm_sha256msg2_epu32(_mm_add_epi32(first, _mm_alignr_epi8::<4>(b, a)), b)
}

/// Rounds `t` to `t + 3` of each header and the message words for them.
macro_rules! steps {
    ($abef:ident, $cdgh:ident, $w:ident, $k:expr, $($t:literal)*) => { $(
        for w in &mut $w {
            let (now, next) = ($t / 4 % 4, ($t / 4 + 1) % 4);
            let first = _mm_sha256msg1_epu32(w[now], w[next]);
            w[now] = next_words(first, w[($t / 4 + 2) % 4], w[($t / 4 + 3) % 4]);
        }
        rounds(&mut $abef, &mut $cdgh, $w.map(|w| _mm_add_epi32(w[$t / 4 % 4], four($k, $t))));
    )* };
}

#[target_feature(enable = "sse4.1,sha")]
pub(crate) fn nonces(work: &Work, first: u32, candidates: &mut [u8]) {
    let c = Constants::of_nonces(work.midstate, work.words, work.top);
    let mut nonce = first;
    for byte in candidates {
        *byte = turns(&c, nonce) | turns(&c, nonce.wrapping_add(4)) << 4;
        nonce = nonce.wrapping_add(8);
    }
}

/// A bit for each of four nonces.
#[inline]
#[target_feature(enable = "sse4.1,sha")]
fn turns(c: &Constants, nonce: u32) -> u8 {
    let zero = _mm_setzero_si128();
    let end = vector([END, 0, 0, 0]);
    let mut w = [[zero; 4]; TURNS];

    // The first hash, from round 4 on.
    let (abef, cdgh) = halves(c.start);
    let (mut abef, mut cdgh) = ([abef; TURNS], [cdgh; TURNS]);
    let words_16 = four(&c.first.x, 16);
    for (i, (w, abef)) in w.iter_mut().zip(&mut abef).enumerate() {
        let word = nonce.wrapping_add(i as u32).swap_bytes();
        let vector = _mm_cvtsi32_si128(word as i32);
        *abef = _mm_add_epi32(*abef, _mm_shuffle_epi32::<0x11>(vector));
        let terms = _mm_unpacklo_epi32(_mm_cvtsi32_si128(sigma_0(word) as i32), vector);
        w[0] = _mm_add_epi32(words_16, _mm_slli_si128::<8>(terms));
    }
    let length = vector([0, 0, 0, 8 * 80]);
    rounds(&mut abef, &mut cdgh, [four(&c.first.k, 4); TURNS]);
    rounds(&mut abef, &mut cdgh, [four(&c.first.k, 8); TURNS]);
    rounds(&mut abef, &mut cdgh, [four(&c.first.k, 12); TURNS]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[0], four(&K, 16))));
    w = w.map(|[w16, ..]| [w16, next_words(end, length, w16), zero, zero]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[1], four(&K, 20))));
    w = w.map(|[w16, w20, ..]| [w16, w20, next_words(zero, w16, w20), zero]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[2], four(&K, 24))));
    let known = _mm_sha256msg1_epu32(length, vector([c.first.x[16], 0, 0, 0]));
    w = w.map(|[w16, w20, w24, _]| [w16, w20, w24, next_words(known, w20, w24)]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[3], four(&K, 28))));
    steps!(abef, cdgh, w, &K, 32 36 40 44 48 52 56 60);

    // Its end is the message of the second hash.
    let (mid_abef, mid_cdgh) = halves(c.midstate);
    for i in 0..TURNS {
        let (x, y) = (_mm_add_epi32(abef[i], mid_abef), _mm_add_epi32(cdgh[i], mid_cdgh));
        w[i][0] = _mm_shuffle_epi32::<0xb1>(_mm_unpackhi_epi64(x, y));
        w[i][1] = _mm_shuffle_epi32::<0xb1>(_mm_unpacklo_epi64(x, y));
    }
    let (abef, cdgh) = halves(INITIAL);
    let (mut abef, mut cdgh) = ([abef; TURNS], [cdgh; TURNS]);
    let length = vector([0, 0, 0, 8 * 32]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[0], four(&K, 0))));
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[1], four(&K, 4))));
    rounds(&mut abef, &mut cdgh, [four(&c.second.k, 8); TURNS]);
    rounds(&mut abef, &mut cdgh, [four(&c.second.k, 12); TURNS]);
    w = w.map(|[w0, w4, ..]| [next_words(_mm_sha256msg1_epu32(w0, w4), zero, length), w4, zero, zero]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[0], four(&K, 16))));
    w = w.map(|[w16, w4, ..]| [w16, next_words(_mm_sha256msg1_epu32(w4, end), length, w16), zero, zero]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[1], four(&K, 20))));
    w = w.map(|[w16, w20, ..]| [w16, w20, next_words(end, w16, w20), zero]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[2], four(&K, 24))));
    w = w.map(|[w16, w20, w24, _]| [w16, w20, w24, next_words(_mm_sha256msg1_epu32(length, w16), w20, w24)]);
    rounds(&mut abef, &mut cdgh, w.map(|w| _mm_add_epi32(w[3], four(&K, 28))));
    steps!(abef, cdgh, w, &K, 32 36 40 44 48 52 56);

    // `e` after round 60, which is `f` after 61.
    let mut answer = 0;
    for i in 0..TURNS {
        let first = _mm_sha256msg1_epu32(w[i][3], w[i][0]);
        let words = next_words(first, w[i][1], w[i][2]);
        let end = _mm_sha256rnds2_epu32(cdgh[i], abef[i], _mm_add_epi32(words, four(&c.second.k, 60)));
        let last = (_mm_cvtsi128_si32(end) as u32).swap_bytes();
        answer |= u8::from(last <= c.top) << i;
    }
    answer
}
