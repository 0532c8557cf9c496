//! Share difficulty and the 256-bit target it stands for.
//!
//! A header meets a target when its hash, read as a little-endian 256-bit
//! integer, is not above it. Difficulty is `DIFF1 / target`, where `DIFF1` is
//! `0xFFFF << 208` ("bdiff"). Pools hand out fractions down to 1e-9 and up to
//! mainnet's 1e14, so a difficulty is a real number and the target is computed
//! from it exactly: `floor(DIFF1 / d)` for the very `f64` that was announced.

use std::fmt;
use std::str::FromStr;

use super::{Hashrate, ParseError, Seconds};

/// Hashes expected per unit of difficulty: `2^256 / (DIFF1 + 1)`, about `2^32`.
const HASHES_PER_DIFFICULTY: f64 = 4_295_032_833.000_015;

/// Bits `DIFF1` is shifted left by.
const DIFF1_SHIFT: i32 = 208;

/// A 256-bit bound on a header hash, as four 64-bit limbs, least significant first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target([u64; 4]);

impl Target {
    /// The largest 256-bit number: every hash meets it.
    pub const MAX: Target = Target([u64::MAX; 4]);
    /// The target of difficulty 1, `0xFFFF << 208`.
    pub const DIFF1: Target = Target([0, 0, 0, 0xFFFF_0000]);

    /// From 32 bytes, least significant first (the order of a header hash).
    #[must_use]
    pub fn from_le_bytes(bytes: [u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*chunk);
        }
        Self(limbs)
    }

    /// 32 bytes, least significant first.
    #[must_use]
    pub fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *chunk = limb.to_le_bytes();
        }
        bytes
    }

    /// From 32 bytes, most significant first (the order people print).
    #[must_use]
    pub fn from_be_bytes(mut bytes: [u8; 32]) -> Self {
        bytes.reverse();
        Self::from_le_bytes(bytes)
    }

    /// From a block header's compact `nbits`.
    #[must_use]
    pub fn from_compact(nbits: u32) -> Self {
        let target = bitcoin::Target::from_compact(bitcoin::CompactTarget::from_consensus(nbits));
        Self::from_le_bytes(target.to_le_bytes())
    }

    /// Whether `hash` (a header's double SHA-256, as it comes out) is not above this target.
    #[must_use]
    #[inline]
    pub fn is_met_by(&self, hash: &[u8; 32]) -> bool {
        Self::from_le_bytes(*hash) <= *self
    }

    /// The difficulty of this target, `DIFF1 / target`; zero targets count as one.
    #[must_use]
    pub fn difficulty(self) -> Difficulty {
        let value = self.0.iter().rev().fold(0.0, |sum, &limb| sum * 2f64.powi(64) + limb as f64);
        Difficulty(f64::from(0xFFFF) * 2f64.powi(DIFF1_SHIFT) / value.max(1.0))
    }
}

impl Ord for Target {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Target {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|limb| write!(f, "{limb:016x}"))
    }
}

/// A finite difficulty above zero.
#[derive(Clone, Copy, PartialEq, PartialOrd, serde::Serialize)]
#[serde(transparent)]
pub struct Difficulty(f64);

impl Difficulty {
    /// Difficulty 1, about 2^32 hashes.
    pub const ONE: Difficulty = Difficulty(1.0);
    /// The lowest difficulty handed out: about four hashes a share.
    pub const MIN: Difficulty = Difficulty(1e-9);
    /// The highest difficulty handed out, above any the network has seen.
    pub const MAX: Difficulty = Difficulty(1e18);

    /// `None` unless `value` is finite and above zero.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self(value))
    }

    /// The plain number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// The nearest difficulty within `[low, high]`.
    #[must_use]
    pub fn clamp(self, low: Self, high: Self) -> Self {
        Self(self.0.clamp(low.0, high.0))
    }

    /// This difficulty times a positive factor, kept within [`Self::MIN`] and [`Self::MAX`].
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self((self.0 * factor).clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Rounded to what is short to print and survives a firmware that keeps
    /// only whole numbers: integers from 1 up, two significant digits below.
    #[must_use]
    pub fn rounded(self) -> Self {
        let digits = if self.0 < 1.0 { 2 } else { 3 };
        let text = format!("{:.*e}", digits - 1, self.0);
        let short = text.parse().unwrap_or(self.0);
        Self(if self.0 < 1.0 { short } else { f64::max(short.round(), 1.0) })
    }

    /// `floor(DIFF1 / self)`, exact; saturates at [`Target::MAX`].
    #[must_use]
    pub fn target(self) -> Target {
        // self = mantissa * 2^exponent with an integer mantissa below 2^53.
        let bits = self.0.to_bits();
        let raw_exponent = ((bits >> 52) & 0x7FF) as i32;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) =
            if raw_exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, raw_exponent - 1075) };
        // target = 0xFFFF * 2^shift / mantissa, by long division bit by bit.
        let shift = DIFF1_SHIFT - exponent;
        let mut quotient = [0u64; 4];
        let mut remainder: u128 = 0xFFFF;
        if shift < 0 {
            return Target([0; 4]);
        }
        // Digits of the quotient above the shifted part: 0xFFFF / mantissa itself.
        quotient[0] = (remainder / u128::from(mantissa)) as u64;
        remainder %= u128::from(mantissa);
        for _ in 0..shift {
            if quotient[3] >> 63 != 0 {
                return Target::MAX;
            }
            remainder <<= 1;
            let bit = u64::from(remainder >= u128::from(mantissa));
            remainder -= u128::from(mantissa) * u128::from(bit);
            for limb in (1..4).rev() {
                quotient[limb] = quotient[limb] << 1 | quotient[limb - 1] >> 63;
            }
            quotient[0] = quotient[0] << 1 | bit;
        }
        Target(quotient)
    }

    /// Hashes a miner needs on average for one share.
    #[must_use]
    pub fn expected_hashes(self) -> f64 {
        self.0 * HASHES_PER_DIFFICULTY
    }

    /// The mean time between shares of a miner with this hashrate.
    #[must_use]
    pub fn share_interval(self, hashrate: Hashrate) -> Seconds {
        Seconds(self.expected_hashes() / hashrate.hashes_per_second())
    }
}

impl FromStr for Difficulty {
    type Err = ParseError;

    /// Plain or scientific notation, with an optional suffix k, M, G, T or P.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a difficulty above 0, such as 0.001, 1024, 64k or 1e-9");
        let (digits, factor) = match text.trim().char_indices().next_back() {
            Some((at, 'k' | 'K')) => (&text.trim()[..at], 1e3),
            Some((at, 'M')) => (&text.trim()[..at], 1e6),
            Some((at, 'G')) => (&text.trim()[..at], 1e9),
            Some((at, 'T')) => (&text.trim()[..at], 1e12),
            Some((at, 'P')) => (&text.trim()[..at], 1e15),
            _ => (text.trim(), 1.0),
        };
        let value: f64 = digits.trim().parse().map_err(|_| error())?;
        let difficulty = Self::new(value * factor).ok_or_else(error)?;
        if difficulty < Self::MIN || difficulty > Self::MAX {
            return Err(ParseError::new(text, "within the difficulties handed out, 1e-9 to 1e18"));
        }
        Ok(difficulty)
    }
}

impl fmt::Debug for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Difficulty {
    /// The shortest decimal that reads back as the same number. Very small
    /// ones are written as `1e-9`: firmware reads both as JSON numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1e-5 { write!(f, "{:e}", self.0) } else { write!(f, "{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_exact() {
        fn check(difficulty: f64, target: &str) {
            assert_eq!(Difficulty::new(difficulty).unwrap().target().to_string(), target, "{difficulty}");
        }
        check(1.0, "00000000ffff0000000000000000000000000000000000000000000000000000");
        check(2.0, "000000007fff8000000000000000000000000000000000000000000000000000");
        check(0.5, "00000001fffe0000000000000000000000000000000000000000000000000000");
        check(3.0, "0000000055550000000000000000000000000000000000000000000000000000");
        check(7.0, "0000000024922492492492492492492492492492492492492492492492492492");
        check(65535.0, "0000000000010000000000000000000000000000000000000000000000000000");
        check(1e-12, &"f".repeat(64));
        check(f64::MIN_POSITIVE, &"f".repeat(64));
        check(1e200, &"0".repeat(64));
    }

    #[test]
    fn compact_and_difficulty_agree_with_known_blocks() {
        // Block 840,000: nbits 17034219, difficulty 86,388,558,925,171.02.
        let difficulty = Target::from_compact(0x1703_4219).difficulty().get();
        assert!((difficulty - 86_388_558_925_171.02).abs() < 1.0, "{difficulty}");
        assert_eq!(Target::from_compact(0x1d00_ffff), Target::DIFF1);
    }

    #[test]
    fn comparison_is_over_all_256_bits() {
        let target = Target::DIFF1;
        let mut above = target.to_le_bytes();
        above[0] = 1;
        assert!(target.is_met_by(&target.to_le_bytes()));
        assert!(!target.is_met_by(&above));
    }

    #[test]
    fn parses_and_prints() {
        fn check(text: &str, value: Option<f64>) {
            assert_eq!(text.parse::<Difficulty>().ok().map(Difficulty::get), value, "{text}");
        }
        check("0.001", Some(0.001));
        check("64k", Some(64_000.0));
        check("1e-9", Some(1e-9));
        check("1e-10", None);
        check("0", None);
        check("-1", None);
        check("NaN", None);
        check("kk", None);
        assert_eq!(Difficulty(1e-9).to_string(), "1e-9");
        assert_eq!(Difficulty(0.0012).to_string(), "0.0012");
        assert_eq!(Difficulty(16384.0).to_string(), "16384");
    }

    #[test]
    fn rounds_to_what_firmware_can_hold() {
        fn check(value: f64, rounded: f64) {
            assert_eq!(Difficulty(value).rounded().get(), rounded);
        }
        check(1.49, 1.0);
        check(1234.5, 1230.0);
        check(0.001_234, 0.0012);
        check(0.999, 1.0);
    }
}
