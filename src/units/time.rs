//! Points in time and spans of it.
//!
//! Pure modules never read a clock: a [`Timestamp`] comes in as an argument.

use std::ops::{Add, Sub};

/// Microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// From whole seconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// Whole seconds since the Unix epoch, the unit of a header's ntime.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The span since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Seconds {
        Seconds(self.0.saturating_sub(earlier.0) as f64 / 1e6)
    }
}

impl Add<Seconds> for Timestamp {
    type Output = Self;
    fn add(self, span: Seconds) -> Self {
        Self(self.0.saturating_add_signed(span.micros()))
    }
}

/// A span of time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

impl Seconds {
    /// Whole microseconds, towards zero.
    fn micros(self) -> i64 {
        (self.0 * 1e6) as i64
    }
}

impl Sub for Seconds {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl From<Seconds> for std::time::Duration {
    /// Negative spans count as zero.
    fn from(span: Seconds) -> Self {
        std::time::Duration::try_from_secs_f64(span.0.max(0.0)).unwrap_or(std::time::Duration::MAX)
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_never_run_backwards() {
        let (early, late) = (Timestamp::from_unix_seconds(10), Timestamp::from_unix_seconds(12));
        assert_eq!(late.since(early), Seconds(2.0));
        assert_eq!(early.since(late), Seconds(0.0));
        assert_eq!(early + Seconds(2.0), late);
    }
}
