//! How many operations a scan must do at the least: what its limit is derived from.
//!
//! The counts are those of `lanes.rs` for one group of lanes, and a test counts them.

/// What the rounds over lanes ask for, as the backend's functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub adds: u32,
    pub rotates: u32,
    pub shifts: u32,
    pub xors: u32,
    pub choices: u32,
    pub majorities: u32,
}

/// For a scan of nonces.
pub(crate) const NONCES: Calls =
    Calls { adds: 1049, rotates: 1020, shifts: 156, xors: 392, choices: 120, majorities: 116 };

/// For a scan of versions.
pub(crate) const VERSIONS: Calls =
    Calls { adds: 892, rotates: 868, shifts: 80, xors: 316, choices: 120, majorities: 116 };

/// The work of one group of headers, by what limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operations {
    /// Headers of the group.
    pub headers: u32,
    /// Operations of any kind, and the name of the probe that says how fast they go at best.
    pub all: (u32, &'static str),
    /// Those among them that only some units can do, and the name of their probe.
    pub some: (u32, &'static str),
}

impl Calls {
    /// With rotates and three-operand logic of AVX-512. Both byte swaps and the
    /// comparison of the end are in it.
    pub(crate) const fn avx512(self) -> Operations {
        let Self { adds, rotates, shifts, xors, choices, majorities } = self;
        let all = adds + rotates + shifts + xors + choices + majorities + 3;
        Operations { headers: 16, all: (all, "vpaddd zmm"), some: (rotates + shifts, "vprord zmm") }
    }

    /// With AVX2, where a rotate is two shifts and an or, a choice three
    /// operations and a majority three, since it shares one with the round before.
    pub(crate) const fn avx2(self) -> Operations {
        let Self { adds, rotates, shifts, xors, choices, majorities } = self;
        let all = adds + 3 * rotates + shifts + 2 * xors + 3 * choices + 3 * majorities + 4;
        Operations { headers: 8, all: (all, "vpaddd ymm"), some: (2 * rotates + shifts, "vpsrld ymm") }
    }
}

/// With the SHA extensions: from round 4 of the first hash to round 61 of the second, two at a time.
pub(crate) const SHA_NI: Operations =
    Operations { headers: 1, all: (61, "sha256rnds2"), some: (61, "sha256rnds2") };

/// The same beside so many operations of vectors for eight headers: see `fed_order.rs`.
#[cfg(target_arch = "x86_64")]
pub(crate) const fn fed([words, places]: [u32; 2]) -> Operations {
    let rounds = 8 * SHA_NI.all.0;
    Operations { headers: 8, all: (rounds + words + places, "vpaddd ymm"), some: (rounds, "sha256rnds2") }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::constants::Constants;

    type Vector = u32;

    thread_local! {
        static CALLS: Cell<Calls> = Cell::default();
    }

    fn count(change: fn(&mut Calls)) {
        let mut calls = CALLS.get();
        change(&mut calls);
        CALLS.set(calls);
    }

    fn add(a: Vector, b: Vector) -> Vector {
        count(|calls| calls.adds += 1);
        a.wrapping_add(b)
    }
    fn splat(x: u32) -> Vector {
        x
    }
    fn rotate(x: Vector, by: u32) -> Vector {
        count(|calls| calls.rotates += 1);
        x.rotate_right(by)
    }
    fn shift(x: Vector, by: u32) -> Vector {
        count(|calls| calls.shifts += 1);
        x >> by
    }
    fn xor_3(a: Vector, b: Vector, c: Vector) -> Vector {
        count(|calls| calls.xors += 1);
        a ^ b ^ c
    }
    fn sum_0(x: Vector) -> Vector {
        xor_3(rotate(x, 2), rotate(x, 13), rotate(x, 22))
    }
    fn sum_1(x: Vector) -> Vector {
        xor_3(rotate(x, 6), rotate(x, 11), rotate(x, 25))
    }
    fn sigma_0(x: Vector) -> Vector {
        xor_3(rotate(x, 7), rotate(x, 18), shift(x, 3))
    }
    fn sigma_1(x: Vector) -> Vector {
        xor_3(rotate(x, 17), rotate(x, 19), shift(x, 10))
    }
    fn choice(e: Vector, f: Vector, g: Vector) -> Vector {
        count(|calls| calls.choices += 1);
        (e & f) ^ (!e & g)
    }
    fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
        count(|calls| calls.majorities += 1);
        (a & b) ^ (a & c) ^ (b & c)
    }
    fn hold(x: Vector) -> Vector {
        x
    }
    fn order(x: Vector) -> Vector {
        x
    }
    fn opaque(constants: &Constants) -> &Constants {
        constants
    }
    fn at_most(x: Vector, _: u32) -> [u8; 4] {
        x.to_le_bytes()
    }

    macro_rules! begin {
        ($c:ident, $s:ident, $w:ident) => {
            macro_rules! word {
                ($i:literal) => {
                    $c.start[$i]
                };
            }
            start_round_4!($s, word, 7);
            $w[3] = 7;
        };
    }
    macro_rules! feed {
        ($c:ident, $i:literal) => {
            $c.midstate[$i]
        };
    }

    #[test]
    fn the_operations_are_counted() {
        let constants = Constants::of_nonces([1; 8], [2; 3], 0);
        let mut answers = [[0; 4]];
        CALLS.set(Calls::default());
        one_chain!(constants, begin, feed, 18, &mut answers);
        // One more: counting on to the next nonce.
        assert_eq!(CALLS.get(), Calls { adds: NONCES.adds - 1, ..NONCES });

        let constants = Constants::of_versions([2; 3], 7, 0);
        CALLS.set(Calls::default());
        one_chain!(constants, begin, feed, 64, &mut answers);
        assert_eq!(CALLS.get(), VERSIONS);
    }
}
