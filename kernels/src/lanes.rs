//! The two hashes over lanes of a vector: rounds as macros, which each backend
//! expands over vector operations of its own.
//!
//! A backend has functions `add`, `splat`, `sum_0`, `sum_1`, `sigma_0`,
//! `sigma_1`, `choice`, `majority`, and two barriers that cost nothing:
//!
//! - `hold` keeps a sum as it is written. The compiler would move constants to
//!   its end, which is where the next round waits.
//! - `order` fixes an instruction's place. The compiler would take two chains
//!   that are written in turns apart again.
//!
//! Of 64 rounds those are left out whose result is known (0 to 3 of the first
//! hash: of round 3 only the nonce is to be added; round 0 of the second) or is
//! not asked for (61 to 63 of the second; 57 to 60 compute only `e`), and of
//! each message word the terms that `constants.rs` knows.
//!
//! State and message are arrays; all indices are constants, so the compiler has
//! them in registers. `a` of round `t` is at `(64 - t) % 8`, `b` behind it and
//! so on: no round moves its variables. Word `t` is at `t % 16`.

/// Calls a macro with each round in turn.
macro_rules! each {
    ($round:ident $($t:literal)*) => { $( $round!($t); )* };
}

/// Defines `first_round` over constants, state and message. Words before `$known` are known.
macro_rules! first_rounds {
    ($c:ident, $s:ident, $w:ident, $known:literal) => {
        macro_rules! finish_round {
            ($t:literal, $state:ident, $sum:expr) => {
                let (e, f, g) = ($state[(68 - $t) % 8], $state[(69 - $t) % 8], $state[(70 - $t) % 8]);
                let t1 = add(hold(add($sum, choice(e, f, g))), sum_1(e));
                $state[(67 - $t) % 8] = order(add($state[(67 - $t) % 8], t1));
                let (a, b, c) = ($state[(64 - $t) % 8], $state[(65 - $t) % 8], $state[(66 - $t) % 8]);
                $state[(71 - $t) % 8] = order(add(t1, add(sum_0(a), majority(a, b, c))));
            };
        }
        macro_rules! first_word {
            ($t:literal) => {
                let term_2 = || sigma_1($w[($t + 14) % 16]);
                let term_7 = || $w[($t + 9) % 16];
                let term_15 = || sigma_0($w[($t + 1) % 16]);
                let term_16 = || $w[$t % 16];
                let known = || splat($c.first.x[$t]);
                $w[$t % 16] = order(match $t {
                    18 => add(term_15(), known()),
                    19 => add(term_16(), known()),
                    21 => term_2(),
                    20 | 22..=24 => add(term_2(), known()),
                    25..=29 => add(term_2(), term_7()),
                    30..=32 => add(add(term_2(), term_7()), known()),
                    33 => add(add(term_2(), term_7()), add(term_15(), known())),
                    _ => add(add(term_15(), term_16()), add(term_2(), term_7())),
                });
            };
        }
        macro_rules! first_round {
            ($t:literal) => {
                let mut sum = add($s[(71 - $t) % 8], splat($c.first.k[$t]));
                if $t >= $known {
                    first_word!($t);
                    sum = add(sum, $w[$t % 16]);
                }
                finish_round!($t, $s, sum);
            };
        }
    };
}

/// Defines `second_start`, `second_round` and `last_word` over constants, state of
/// the first hash, state and message of the second. `$feed!(i)` is word `i` of the
/// midstate. To be expanded behind `first_rounds`.
macro_rules! second_rounds {
    ($c:ident, $s:ident, $r:ident, $v:ident, $feed:ident) => {
        /// The end of the first hash is the message of the second. Does its round 0.
        macro_rules! second_start {
            () => {
                $v[0] = add($s[0], $feed!(0));
                $v[1] = add($s[1], $feed!(1));
                $v[2] = add($s[2], $feed!(2));
                $v[3] = add($s[3], $feed!(3));
                $v[4] = add($s[4], $feed!(4));
                $v[5] = add($s[5], $feed!(5));
                $v[6] = add($s[6], $feed!(6));
                $v[7] = add($s[7], $feed!(7));
                $r[7] = add($v[0], splat($c.start_second[0]));
                $r[0] = splat($c.start_second[1]);
                $r[1] = splat($c.start_second[2]);
                $r[2] = splat($c.start_second[3]);
                $r[3] = add($v[0], splat($c.start_second[4]));
                $r[4] = splat($c.start_second[5]);
                $r[5] = splat($c.start_second[6]);
                $r[6] = splat($c.start_second[7]);
            };
        }
        macro_rules! second_word {
            ($t:literal) => {
                let term_2 = || sigma_1($v[($t + 14) % 16]);
                let term_7 = || $v[($t + 9) % 16];
                let term_15 = || sigma_0($v[($t + 1) % 16]);
                let term_16 = || $v[$t % 16];
                let known = || splat($c.second.x[$t]);
                $v[$t % 16] = order(match $t {
                    16 => add(term_15(), term_16()),
                    17 => add(add(term_15(), term_16()), known()),
                    18..=21 => add(add(term_15(), term_16()), term_2()),
                    22 => add(add(term_15(), term_16()), add(term_2(), known())),
                    23 => add(add(term_7(), term_16()), add(term_2(), known())),
                    24 | 30 => add(add(term_2(), term_7()), known()),
                    25..=29 => add(term_2(), term_7()),
                    31 => add(add(term_2(), term_7()), add(term_15(), known())),
                    _ => add(add(term_15(), term_16()), add(term_2(), term_7())),
                });
            };
        }
        macro_rules! second_round {
            ($t:literal) => {
                let mut sum = add($r[(71 - $t) % 8], splat($c.second.k[$t]));
                if $t >= 16 {
                    second_word!($t);
                }
                if $t < 8 || $t >= 16 {
                    sum = add(sum, $v[$t % 16]);
                }
                if $t < 57 {
                    finish_round!($t, $r, sum);
                } else {
                    let (e, f, g) = ($r[(68 - $t) % 8], $r[(69 - $t) % 8], $r[(70 - $t) % 8]);
                    let t1 = add(hold(add(sum, choice(e, f, g))), sum_1(e));
                    $r[(67 - $t) % 8] = order(add($r[(67 - $t) % 8], t1));
                }
            };
        }
        /// `e` after round 60, to which the initial state is added already.
        macro_rules! last_word {
            () => {
                $r[7]
            };
        }
    };
}

/// Sets the state in which round 4 of the first hash begins.
macro_rules! start_round_4 {
    ($s:ident, $word:ident, $nonce:expr) => {
        $s[4] = add($word!(0), $nonce);
        $s[5] = $word!(1);
        $s[6] = $word!(2);
        $s[7] = $word!(3);
        $s[0] = add($word!(4), $nonce);
        $s[1] = $word!(5);
        $s[2] = $word!(6);
        $s[3] = $word!(7);
    };
}

/// The scan as one chain: a group's first hash, then its second.
///
/// `$begin!(c, s, w)` takes up the next group, `$feed!(c, i)` is word `i` of its midstate.
macro_rules! one_chain {
    ($constants:ident, $begin:ident, $feed:ident, $known:literal, $answers:expr) => {
        let zero = splat(0);
        let (mut s, mut w, mut r, mut v) = ([zero; 8], [zero; 16], [zero; 8], [zero; 16]);
        for answer in $answers {
            let c = opaque(&$constants);
            macro_rules! word_of_midstate { ($i:literal) => { $feed!(c, $i) }; }
            first_rounds!(c, s, w, $known);
            second_rounds!(c, s, r, v, word_of_midstate);
            $begin!(c, s, w);
            each!(first_round 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
                33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
                61 62 63);
            second_start!();
            each!(second_round 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
                31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58
                59 60);
            *answer = at_most(last_word!(), c.top);
        }
    };
}

/// The scan as two chains in turns, round by round: the first hash of the next
/// group and the second hash of this one. Neither waits for the other, so the
/// CPU has work while one waits for itself; and it is the code of one group.
macro_rules! pipelined {
    ($constants:ident, $begin:ident, $feed:ident, $known:literal, $answers:expr) => {
        let zero = splat(0);
        let (mut s, mut w, mut r, mut v) = ([zero; 8], [zero; 16], [zero; 8], [zero; 16]);
        {
            let c = opaque(&$constants);
            first_rounds!(c, s, w, $known);
            $begin!(c, s, w);
            each!(first_round 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
                33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60
                61 62 63);
        }
        for answer in $answers {
            let c = opaque(&$constants);
            macro_rules! word_of_midstate { ($i:literal) => { $feed!(c, $i) }; }
            first_rounds!(c, s, w, $known);
            second_rounds!(c, s, r, v, word_of_midstate);
            second_start!();
            $begin!(c, s, w);
            macro_rules! both { ($t:literal, $u:literal) => { first_round!($t); second_round!($u); }; }
            both!(4, 1); both!(5, 2); both!(6, 3); both!(7, 4); both!(8, 5); both!(9, 6); both!(10, 7);
            both!(11, 8); both!(12, 9); both!(13, 10); both!(14, 11); both!(15, 12); both!(16, 13);
            both!(17, 14); both!(18, 15); both!(19, 16); both!(20, 17); both!(21, 18); both!(22, 19);
            both!(23, 20); both!(24, 21); both!(25, 22); both!(26, 23); both!(27, 24); both!(28, 25);
            both!(29, 26); both!(30, 27); both!(31, 28); both!(32, 29); both!(33, 30); both!(34, 31);
            both!(35, 32); both!(36, 33); both!(37, 34); both!(38, 35); both!(39, 36); both!(40, 37);
            both!(41, 38); both!(42, 39); both!(43, 40); both!(44, 41); both!(45, 42); both!(46, 43);
            both!(47, 44); both!(48, 45); both!(49, 46); both!(50, 47); both!(51, 48); both!(52, 49);
            both!(53, 50); both!(54, 51); both!(55, 52); both!(56, 53); both!(57, 54); both!(58, 55);
            both!(59, 56); both!(60, 57); both!(61, 58); both!(62, 59); both!(63, 60);
            *answer = at_most(last_word!(), c.top);
        }
    };
}

/// Defines `nonces` and `versions` over a vector of `$lanes` lanes, whose numbers `$count` is;
/// `$chains` is one of the two above.
macro_rules! scans_of_lanes {
    ($features:literal, $chains:ident, $lanes:literal, $count:expr) => {
        #[target_feature(enable = $features)]
        pub(crate) fn nonces(work: &Work, first: u32, candidates: &mut [u8]) {
            let constants = Constants::of_nonces(work.midstate, work.words, work.top);
            let mut nonces = add(splat(first), $count);
            macro_rules! begin {
                ($c:ident, $s:ident, $w:ident) => {
                    let nonce = swap_bytes(nonces);
                    nonces = add(nonces, splat($lanes));
                    macro_rules! word {
                        ($i:literal) => {
                            splat($c.start[$i])
                        };
                    }
                    start_round_4!($s, word, nonce);
                    $w[3] = nonce;
                };
            }
            macro_rules! feed {
                ($c:ident, $i:literal) => {
                    splat($c.midstate[$i])
                };
            }
            $chains!(
                constants,
                begin,
                feed,
                18,
                candidates.as_chunks_mut::<{ $lanes / crate::PER_BYTE }>().0
            );
        }

        #[target_feature(enable = $features)]
        pub(crate) fn versions(midstates: &Midstates, nonce: u32, top: u32, candidates: &mut [u8]) {
            let constants = Constants::of_versions(midstates.words(), nonce, top);
            let parts = || {
                midstates.groups().flat_map(|group| (0..LANES).step_by($lanes).map(move |lane| (group, lane)))
            };
            let mut ahead = parts();
            // Where the last group has no next one, it is hashed once more for nothing.
            let mut part = parts().next().expect("there are midstates");
            macro_rules! begin {
                ($c:ident, $s:ident, $w:ident) => {
                    part = ahead.next().unwrap_or(part);
                    macro_rules! word {
                        ($i:literal) => {
                            lanes(part.0, $i, part.1)
                        };
                    }
                    start_round_4!($s, word, splat(nonce.swap_bytes()));
                };
            }
            macro_rules! feed {
                ($c:ident, $i:literal) => {
                    lanes(part.0, 8 + $i, part.1)
                };
            }
            $chains!(
                constants,
                begin,
                feed,
                64,
                candidates.as_chunks_mut::<{ $lanes / crate::PER_BYTE }>().0
            );
        }
    };
}
