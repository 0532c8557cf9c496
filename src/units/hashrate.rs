//! Hashes per second.

use std::fmt;
use std::str::FromStr;

use super::ParseError;

/// SI prefixes of hashrates, largest first.
const PREFIXES: [(&str, f64); 7] = [
    ("EH/s", 1e18),
    ("PH/s", 1e15),
    ("TH/s", 1e12),
    ("GH/s", 1e9),
    ("MH/s", 1e6),
    ("kH/s", 1e3),
    ("H/s", 1.0),
];

/// A hashrate, finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Hashrate(f64);

impl Hashrate {
    /// `None` unless `hashes_per_second` is finite and not negative.
    #[must_use]
    pub fn new(hashes_per_second: f64) -> Option<Self> {
        (hashes_per_second.is_finite() && hashes_per_second >= 0.0).then_some(Self(hashes_per_second))
    }

    /// From TH/s, the unit of device data sheets; negative or non-finite input counts as none.
    #[must_use]
    pub fn from_terahashes(terahashes_per_second: f64) -> Self {
        Self::new(terahashes_per_second * 1e12).unwrap_or_default()
    }

    /// H/s.
    #[must_use]
    pub fn hashes_per_second(self) -> f64 {
        self.0
    }
}

impl std::iter::Sum for Hashrate {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        Self(iter.map(|rate| rate.0).sum())
    }
}

impl FromStr for Hashrate {
    type Err = ParseError;

    /// A number and a unit: `1.2TH/s`, `500 kH/s`, `80 MH`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "a hashrate such as 1.2TH/s, 500kH/s or 80MH/s");
        let split = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e').ok_or_else(error)?;
        let (number, unit) = text.split_at(split);
        let unit = unit.trim().trim_end_matches("/s");
        let factor = PREFIXES
            .iter()
            .find(|(name, _)| name.trim_end_matches("/s").eq_ignore_ascii_case(unit))
            .map(|(_, factor)| factor)
            .ok_or_else(error)?;
        number.trim().parse().ok().and_then(|value: f64| Self::new(value * factor)).ok_or_else(error)
    }
}

impl fmt::Display for Hashrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) =
            PREFIXES.iter().find(|(_, factor)| self.0 >= *factor).unwrap_or(&PREFIXES[PREFIXES.len() - 1]);
        write!(f, "{:.2} {unit}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        fn check(text: &str, value: Option<f64>) {
            assert_eq!(text.parse::<Hashrate>().ok().map(Hashrate::hashes_per_second), value, "{text}");
        }
        check("1.5TH/s", Some(1.5e12));
        check("500 kH/s", Some(5e5));
        check("80mh", Some(8e7));
        check("1e3H/s", Some(1e3));
        check("12", None);
        check("-1H/s", None);
        check("1XH/s", None);
        assert_eq!(Hashrate(1.5e12).to_string(), "1.50 TH/s");
        assert_eq!(Hashrate(0.0).to_string(), "0.00 H/s");
    }
}
