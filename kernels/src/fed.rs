//! Rounds by the SHA extensions, message schedules by vectors.
//!
//! `sha256rnds2` does two rounds at once, and one can begin each cycle, but
//! `sha256msg1` and `sha256msg2` take more of the same unit's time than the
//! rounds do. Here eight lanes of a vector compute the messages of eight headers
//! and store them, constants added, two words of a header side by side; a turn
//! is then a load and a `sha256rnds2`, and the vectors have the other units.
//!
//! A pass does what is independent side by side, in the order of `fed_order.rs`:
//!
//! | half | rounds | vectors |
//! |---|---|---|
//! | first | first hash of the next group | words of the second hash of this group |
//! | second | second hash of this group | words of the first hash of the group after the next |
//!
//! So two passes more than there are groups are made, and the first two answer nothing.

use core::arch::asm;
use core::arch::x86_64::*;

use crate::constants::{KNOWN, TERM_2, TERM_7, TERM_15, TERM_16, first_terms, second_terms};

/// Constant plus word of two rounds, for eight headers; row `t / 2` for rounds `t` and `t + 1`.
type Rows = [[[u32; 2]; 8]; 32];

/// What the vectors leave for the rounds, and the rounds for the vectors.
#[repr(C, align(64))]
struct Buffer {
    first: Rows,
    second: Rows,
    /// `abef`, then `cdgh`; row `i` is of headers `i` and `i + 4`.
    starts: [[[u32; 8]; 4]; 2],
    ends: [[[u32; 8]; 4]; 2],
}

const EMPTY: Buffer = Buffer {
    first: [[[0; 2]; 8]; 32],
    second: [[[0; 2]; 8]; 32],
    starts: [[[0; 8]; 4]; 2],
    ends: [[[0; 8]; 4]; 2],
};

/// Where in a row a header stands: as two unpacks leave it.
const fn position(header: usize) -> usize {
    [0, 1, 4, 5, 2, 3, 6, 7][header]
}

/// Where in the rows the pair of a header stands, in bytes.
const fn place(t: usize, header: usize) -> usize {
    t / 2 * 64 + position(header) * 8
}

#[inline]
#[target_feature(enable = "sha,avx")]
fn two_rounds<const OFFSET: usize, T>(cdgh: __m128i, abef: __m128i, table: &T) -> __m128i {
    const { assert!(OFFSET + 8 <= size_of::<T>()) };
    let mut next = cdgh;
    // SAFETY: reads eight bytes of the table.
    unsafe {
        asm!(
            "vmovq xmm0, qword ptr [{table} + {offset}]",
            "sha256rnds2 {next}, {abef}, xmm0",
            table = in(reg) table,
            offset = const OFFSET,
            next = inout(xmm_reg) next,
            abef = in(xmm_reg) abef,
            out("xmm0") _,
            options(nostack, readonly, preserves_flags)
        );
    }
    next
}

/// `abef` and `cdgh` of a state.
#[inline]
#[target_feature(enable = "avx")]
fn halves([a, b, c, d, e, f, g, h]: [u32; 8]) -> [__m128i; 2] {
    [[f, e, b, a], [h, g, d, c]].map(|[w, x, y, z]| _mm_setr_epi32(w as i32, x as i32, y as i32, z as i32))
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(row: &mut [u32; 8], x: __m256i) {
    // SAFETY: 32 bytes, aligned as all rows of a buffer.
    unsafe { _mm256_store_si256(std::ptr::from_mut(row).cast(), x) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(row: &[u32; 8]) -> __m256i {
    // SAFETY: as above.
    unsafe { _mm256_load_si256(std::ptr::from_ref(row).cast()) }
}

/// Half of a row.
#[inline]
#[target_feature(enable = "avx2")]
fn store_half<const AT: usize>(row: &mut [u32; 8], x: __m128i) {
    const { assert!(AT == 0 || AT == 4) };
    // SAFETY: 16 bytes, aligned.
    unsafe { _mm_store_si128(row.as_mut_ptr().add(AT).cast(), x) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_half<const AT: usize>(row: &[u32; 8]) -> __m128i {
    const { assert!(AT == 0 || AT == 4) };
    // SAFETY: 16 bytes, aligned.
    unsafe { _mm_load_si128(row.as_ptr().add(AT).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_pairs(row: &mut [[u32; 2]; 8], even: __m256i, odd: __m256i) {
    let row: *mut __m256i = std::ptr::from_mut(row).cast();
    // SAFETY: 64 bytes, aligned.
    unsafe {
        _mm256_store_si256(row, _mm256_unpacklo_epi32(even, odd));
        _mm256_store_si256(row.add(1), _mm256_unpackhi_epi32(even, odd));
    }
}

/// A pair twice.
#[inline]
#[target_feature(enable = "avx2")]
fn load_twice(pair: &[u32; 2]) -> __m128i {
    // SAFETY: eight bytes.
    _mm_castpd_si128(unsafe { _mm_loaddup_pd(pair.as_ptr().cast()) })
}

/// Four rows from four words or four words from four rows, in each half.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose([w, x, y, z]: [__m256i; 4]) -> [__m256i; 4] {
    let (a, b) = (_mm256_unpacklo_epi32(w, x), _mm256_unpackhi_epi32(w, x));
    let (c, d) = (_mm256_unpacklo_epi32(y, z), _mm256_unpackhi_epi32(y, z));
    [
        _mm256_unpacklo_epi64(a, c),
        _mm256_unpackhi_epi64(a, c),
        _mm256_unpacklo_epi64(b, d),
        _mm256_unpackhi_epi64(b, d),
    ]
}

/// The lowest words.
#[inline]
#[target_feature(enable = "avx2")]
fn lowest([w, x, y, z]: [__m128i; 4]) -> __m128i {
    _mm_unpacklo_epi64(_mm_unpacklo_epi32(w, x), _mm_unpacklo_epi32(y, z))
}

/// Does the steps of a list.
macro_rules! steps {
    ($($name:ident $t:tt)*) => { $( $name!($t); )* };
}

/// Defines `m1` to `m5`: the parts of a message word, and where it is left for the rounds.
macro_rules! words {
    ($message:ident, $terms:ident, $w:ident, $c:ident, $buffer:ident,
     $zero:ident, $x:ident, $y:ident, $sum:ident, $even:ident, $last:literal) => {
        macro_rules! m1 {
            ($t:literal) => {
                if $terms($t) & TERM_15 != 0 {
                    ($x, $y) = (
                        order(rotate::<7, 25>($w[($t + 1) % 16])),
                        order(rotate::<18, 14>($w[($t + 1) % 16])),
                    );
                }
            };
        }
        macro_rules! m2 {
            ($t:literal) => {
                $sum = $zero;
                if $terms($t) & TERM_15 != 0 {
                    $sum = order(xor_3($x, $y, _mm256_srli_epi32::<3>($w[($t + 1) % 16])));
                }
            };
        }
        macro_rules! m3 {
            ($t:literal) => {
                if $terms($t) & TERM_2 != 0 {
                    ($x, $y) = (
                        order(rotate::<17, 15>($w[($t + 14) % 16])),
                        order(rotate::<19, 13>($w[($t + 14) % 16])),
                    );
                }
                if $terms($t) & TERM_16 != 0 {
                    $sum = order(add($sum, $w[$t % 16]));
                }
            };
        }
        macro_rules! m4 {
            ($t:literal) => {
                if $terms($t) & TERM_7 != 0 {
                    $sum = order(add($sum, $w[($t + 9) % 16]));
                }
                if $terms($t) & TERM_2 != 0 {
                    let sigma = order(xor_3($x, $y, _mm256_srli_epi32::<10>($w[($t + 14) % 16])));
                    $sum = add($sum, sigma);
                }
                if $terms($t) & KNOWN != 0 {
                    $sum = add($sum, splat($c.$message.x[$t]));
                }
                $w[$t % 16] = order($sum);
            };
        }
        macro_rules! m5 {
            ($t:literal) => {
                let kw = add($w[$t % 16], splat($c.$message.k[$t]));
                if $t % 2 == 0 {
                    $even = order(kw);
                } else {
                    store_pairs(&mut $buffer.$message[$t / 2], $even, kw);
                }
                if $t == $last {
                    store_pairs(&mut $buffer.$message[30], kw, kw);
                }
            };
        }
    };
}

/// The passes. `$begin!(buffer, step)` takes up the next group, `$enter!(buffer, group, i)`
/// is the state of header `group + i` in round 4, `$feed!(c, step, i)` word `i` of the midstate.
macro_rules! fed {
    ($constants:ident, $answers:ident, $known:literal, $step:ident, $buffer:ident, $v:ident,
     $begin:ident, $enter:ident, $feed:ident, $half_1:ident, $half_2:ident,
     $message:ident, $terms:ident, $words:ident, $last:literal) => {
        let zero = splat(0);
        let mut $v = [zero; 16];
        let mut even = zero;
        let (mut x, mut y, mut sum) = (zero, zero, zero);
        let none = _mm_setzero_si128();
        let (mut abef, mut cdgh) = ([none; 8], [none; 8]);
        let [initial_abef, initial_cdgh] = halves(crate::words::INITIAL);
        let mut $buffer = EMPTY;
        for $step in 0..$answers.len() + 2 {
            let c = opaque(&$constants);
            let fits;
            macro_rules! turn {
                ($hash:ident, $is_known:expr, $t:literal, $i:literal) => {
                    let next = if $is_known {
                        two_rounds::<{ 4 * $t }, _>(cdgh[$i], abef[$i], &c.$hash.k)
                    } else {
                        two_rounds::<{ place($t, $i) }, _>(cdgh[$i], abef[$i], &$buffer.$hash)
                    };
                    cdgh[$i] = abef[$i];
                    abef[$i] = next;
                };
            }
            macro_rules! p0 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 0);
                };
            }
            macro_rules! q0 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 0);
                };
            }
            macro_rules! p1 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 1);
                };
            }
            macro_rules! q1 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 1);
                };
            }
            macro_rules! p2 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 2);
                };
            }
            macro_rules! q2 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 2);
                };
            }
            macro_rules! p3 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 3);
                };
            }
            macro_rules! q3 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 3);
                };
            }
            macro_rules! p4 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 4);
                };
            }
            macro_rules! q4 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 4);
                };
            }
            macro_rules! p5 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 5);
                };
            }
            macro_rules! q5 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 5);
                };
            }
            macro_rules! p6 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 6);
                };
            }
            macro_rules! q6 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 6);
                };
            }
            macro_rules! p7 {
                ($t:literal) => {
                    turn!(first, $t < $known, $t, 7);
                };
            }
            macro_rules! q7 {
                ($t:literal) => {
                    turn!(second, $t >= 8 && $t < 16, $t, 7);
                };
            }
            macro_rules! begin {
                ($t:literal) => {
                    $begin!($buffer, $step);
                };
            }
            macro_rules! enter_first {
                (0) => {
                    (abef[0], cdgh[0]) = $enter!($buffer, 0, 0);
                    (abef[1], cdgh[1]) = $enter!($buffer, 0, 1);
                    (abef[2], cdgh[2]) = $enter!($buffer, 0, 2);
                    (abef[3], cdgh[3]) = $enter!($buffer, 0, 3);
                };
                (4) => {
                    (abef[4], cdgh[4]) = $enter!($buffer, 4, 0);
                    (abef[5], cdgh[5]) = $enter!($buffer, 4, 1);
                    (abef[6], cdgh[6]) = $enter!($buffer, 4, 2);
                    (abef[7], cdgh[7]) = $enter!($buffer, 4, 3);
                };
            }
            macro_rules! enter_second {
                (0) => {
                    abef = [initial_abef; 8];
                    cdgh = [initial_cdgh; 8];
                };
                (4) => {};
            }
            macro_rules! leave_first {
                (0) => {
                    store_half::<0>(&mut $buffer.ends[0][0], abef[0]);
                    store_half::<0>(&mut $buffer.ends[0][1], abef[1]);
                    store_half::<0>(&mut $buffer.ends[0][2], abef[2]);
                    store_half::<0>(&mut $buffer.ends[0][3], abef[3]);
                    store_half::<0>(&mut $buffer.ends[1][0], cdgh[0]);
                    store_half::<0>(&mut $buffer.ends[1][1], cdgh[1]);
                    store_half::<0>(&mut $buffer.ends[1][2], cdgh[2]);
                    store_half::<0>(&mut $buffer.ends[1][3], cdgh[3]);
                };
                (4) => {
                    store_half::<4>(&mut $buffer.ends[0][0], abef[4]);
                    store_half::<4>(&mut $buffer.ends[0][1], abef[5]);
                    store_half::<4>(&mut $buffer.ends[0][2], abef[6]);
                    store_half::<4>(&mut $buffer.ends[0][3], abef[7]);
                    store_half::<4>(&mut $buffer.ends[1][0], cdgh[4]);
                    store_half::<4>(&mut $buffer.ends[1][1], cdgh[5]);
                    store_half::<4>(&mut $buffer.ends[1][2], cdgh[6]);
                    store_half::<4>(&mut $buffer.ends[1][3], cdgh[7]);
                };
            }
            macro_rules! leave_second {
                (0) => {};
                (4) => {
                    let low_end = lowest([abef[0], abef[1], abef[2], abef[3]]);
                    let high_end = lowest([abef[4], abef[5], abef[6], abef[7]]);
                    fits = at_most(_mm256_set_m128i(high_end, low_end), c.top);
                };
            }
            macro_rules! gather {
                (0) => {
                    let e = &$buffer.ends[0];
                    let [f, e, b, a] = transpose([load(&e[0]), load(&e[1]), load(&e[2]), load(&e[3])]);
                    $v[0] = order(add(a, $feed!(c, $step, 0)));
                    $v[1] = order(add(b, $feed!(c, $step, 1)));
                    $v[4] = order(add(e, $feed!(c, $step, 4)));
                    $v[5] = order(add(f, $feed!(c, $step, 5)));
                };
                (4) => {
                    let e = &$buffer.ends[1];
                    let [h, g, d, c_] = transpose([load(&e[0]), load(&e[1]), load(&e[2]), load(&e[3])]);
                    $v[2] = order(add(c_, $feed!(c, $step, 2)));
                    $v[3] = order(add(d, $feed!(c, $step, 3)));
                    $v[6] = order(add(g, $feed!(c, $step, 6)));
                    $v[7] = order(add(h, $feed!(c, $step, 7)));
                };
            }
            macro_rules! spread {
                ($t:literal) => {
                    store_pairs(
                        &mut $buffer.second[$t / 2],
                        add($v[$t], splat(c.second.k[$t])),
                        add($v[$t + 1], splat(c.second.k[$t + 1])),
                    );
                };
            }
            {
                words!(second, second_terms, $v, c, $buffer, zero, x, y, sum, even, 60);
                $half_1!();
            }
            {
                words!($message, $terms, $words, c, $buffer, zero, x, y, sum, even, $last);
                $half_2!();
            }
            if $step >= 2 {
                $answers[$step - 2] = fits;
            }
        }
        _ = (even, abef, cdgh, x, y, sum);
    };
}

/// Both scans over the vector operations of a module.
macro_rules! scans {
    ($features:literal, $half_1:ident, $half_2:ident, $half_1v:ident, $half_2v:ident) => {
        #[target_feature(enable = $features)]
        pub(crate) fn nonces(work: &Work, first: u32, candidates: &mut [u8]) {
            let constants = Constants::of_nonces(work.midstate, work.words, work.top);
            let mut nonces = add(splat(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
            let answers = candidates.as_chunks_mut::<1>().0;
            let [start_abef, start_cdgh] = halves(constants.start);
            let mut w = [splat(0); 16];
            macro_rules! begin_nonces {
                ($buffer:ident, $step:ident) => {
                    let nonce = swap_bytes(nonces);
                    nonces = add(nonces, splat(8));
                    w[3] = nonce;
                    store_pairs(&mut $buffer.first[1], splat(0), nonce);
                };
            }
            macro_rules! enter {
                ($buffer:ident, $group:literal, $i:literal) => {
                    (
                        _mm_add_epi32(start_abef, load_twice(&$buffer.first[1][position($group + $i)])),
                        start_cdgh,
                    )
                };
            }
            macro_rules! feed {
                ($c:ident, $step:ident, $i:literal) => {
                    splat($c.midstate[$i])
                };
            }
            fed!(
                constants,
                answers,
                18,
                step,
                buffer,
                v,
                begin_nonces,
                enter,
                feed,
                $half_1,
                $half_2,
                first,
                first_terms,
                w,
                64
            );
        }

        #[target_feature(enable = $features)]
        pub(crate) fn versions(midstates: &Midstates, nonce: u32, top: u32, candidates: &mut [u8]) {
            let constants = Constants::of_versions(midstates.words(), nonce, top);
            let answers = candidates.as_chunks_mut::<1>().0;
            let last = answers.len() - 1;
            macro_rules! begin_versions {
                ($buffer:ident, $step:ident) => {
                    let (group, lane) = midstates.eight($step.min(last));
                    let nonce = splat(nonce.swap_bytes());
                    let (a, e) = (add(lanes(group, 0, lane), nonce), add(lanes(group, 4, lane), nonce));
                    let abef = transpose([lanes(group, 5, lane), e, lanes(group, 1, lane), a]);
                    let cdgh = transpose([
                        lanes(group, 7, lane),
                        lanes(group, 6, lane),
                        lanes(group, 3, lane),
                        lanes(group, 2, lane),
                    ]);
                    store(&mut $buffer.starts[0][0], abef[0]);
                    store(&mut $buffer.starts[0][1], abef[1]);
                    store(&mut $buffer.starts[0][2], abef[2]);
                    store(&mut $buffer.starts[0][3], abef[3]);
                    store(&mut $buffer.starts[1][0], cdgh[0]);
                    store(&mut $buffer.starts[1][1], cdgh[1]);
                    store(&mut $buffer.starts[1][2], cdgh[2]);
                    store(&mut $buffer.starts[1][3], cdgh[3]);
                };
            }
            macro_rules! enter {
                ($buffer:ident, $group:literal, $i:literal) => {
                    (load_half::<$group>(&$buffer.starts[0][$i]), load_half::<$group>(&$buffer.starts[1][$i]))
                };
            }
            macro_rules! feed {
                ($c:ident, $step:ident, $i:literal) => {{
                    let (group, lane) = midstates.eight($step.saturating_sub(2));
                    lanes(group, 8 + $i, lane)
                }};
            }
            fed!(
                constants,
                answers,
                64,
                step,
                buffer,
                v,
                begin_versions,
                enter,
                feed,
                $half_1v,
                $half_2v,
                second,
                second_terms,
                v,
                60
            );
        }
    };
}

/// With rotates and three-operand logic.
pub(crate) mod avx512 {
    use super::*;
    use crate::Work;
    use crate::avx2::{add, lanes, opaque, splat, swap_bytes};
    use crate::constants::Constants;
    use crate::midstates::Midstates;

    type Vector = __m256i;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn xor_3(a: Vector, b: Vector, c: Vector) -> Vector {
        _mm256_ternarylogic_epi32::<0x96>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
        _mm256_ror_epi32::<RIGHT>(x)
    }

    /// See `lanes.rs`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn order(mut x: Vector) -> Vector {
        // SAFETY: no instruction is executed.
        unsafe { asm!("/* {0:y} */", inout(zmm_reg) x, options(nomem, nostack, preserves_flags)) };
        x
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn at_most(x: Vector, top: u32) -> [u8; 1] {
        [_mm256_cmple_epu32_mask(swap_bytes(x), splat(top))]
    }

    scans!("avx512f,avx512bw,avx512vl,sha", wide_1, wide_2, wide_versions_1, wide_versions_2);
}

/// With what AVX2 has.
pub(crate) mod avx2 {
    use super::*;
    use crate::Work;
    use crate::avx2::{add, at_most, lanes, opaque, rotate, splat, swap_bytes, xor_3};
    use crate::constants::Constants;
    use crate::midstates::Midstates;

    /// See `lanes.rs`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn order(mut x: __m256i) -> __m256i {
        // SAFETY: no instruction is executed.
        unsafe { asm!("/* {0} */", inout(ymm_reg) x, options(nomem, nostack, preserves_flags)) };
        x
    }

    scans!("avx2,sha", narrow_1, narrow_2, narrow_versions_1, narrow_versions_2);
}
