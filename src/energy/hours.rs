//! Local hours of the day, and sets of them.

use std::fmt;
use std::str::FromStr;

use crate::units::{ParseError, Timestamp};

/// Hours in a day.
const HOURS: u32 = 24;

/// Microseconds in an hour.
pub(super) const MICROS_PER_HOUR: i128 = 3_600_000_000;

/// Microseconds in a day.
pub(super) const MICROS_PER_DAY: i128 = 24 * MICROS_PER_HOUR;

/// An hour of a day on the clocks of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalHour {
    /// Days since 1970-01-01, on the local calendar.
    pub day: i64,
    /// Hour of the day, 0 to 23.
    pub hour: u8,
}

impl LocalHour {
    /// The hour in which `at` falls where clocks are ahead of UTC by
    /// `utc_offset_seconds`.
    #[must_use]
    pub fn of(at: Timestamp, utc_offset_seconds: i32) -> Self {
        Self::of_local_micros(local_micros(at, utc_offset_seconds))
    }

    /// The hour of a time from [`local_micros`].
    pub(super) fn of_local_micros(local: i128) -> Self {
        Self {
            // A timestamp of 64 bits holds fewer than 2^28 days.
            day: local.div_euclid(MICROS_PER_DAY) as i64,
            hour: (local.rem_euclid(MICROS_PER_DAY) / MICROS_PER_HOUR) as u8,
        }
    }
}

/// Microseconds since 1970-01-01 00:00 on local clocks. Wider than a
/// [`Timestamp`], so that no offset can overflow it.
pub(super) fn local_micros(at: Timestamp, utc_offset_seconds: i32) -> i128 {
    i128::from(at.micros()) + i128::from(utc_offset_seconds) * 1_000_000
}

/// A set of hours of the day, such as the peak hours of a tariff.
///
/// Written as `all` or as half-open ranges, which may cross midnight:
/// `18-22` is 18:00 to 21:59, `22-05;09-18` the night and the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours(u32);

impl Hours {
    /// All 24 hours.
    pub const ALL: Self = Self((1 << HOURS) - 1);

    /// Whether `hour` (0 to 23) is in the set.
    #[must_use]
    pub fn contains(self, hour: u8) -> bool {
        u32::from(hour) < HOURS && self.0 & (1 << hour) != 0
    }

    /// The first hour that both sets hold.
    #[must_use]
    pub fn first_common(self, other: Self) -> Option<u8> {
        (0..HOURS as u8).find(|&hour| self.contains(hour) && other.contains(hour))
    }
}

impl FromStr for Hours {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new(text, "hours such as all, 18-22 or 22-05;09-18");
        if text == "all" {
            return Ok(Self::ALL);
        }
        let mut hours = 0;
        for range in text.split(';') {
            let (from, to) = range.trim().split_once('-').ok_or_else(error)?;
            let from = hour_of(from).filter(|&from| from < HOURS).ok_or_else(error)?;
            let to = hour_of(to).filter(|&to| to <= HOURS).ok_or_else(error)?;
            // Equal ends could mean none or all; `all` is spelt out.
            if from == to {
                return Err(error());
            }
            let end = if to < from { to + HOURS } else { to };
            for hour in (from..end).map(|hour| 1 << (hour % HOURS)) {
                // An hour named twice is a slip in one of the two ranges.
                if hours & hour != 0 {
                    return Err(error());
                }
                hours |= hour;
            }
        }
        Ok(Self(hours))
    }
}

/// One or two digits, without the sign that `parse` would accept.
fn hour_of(text: &str) -> Option<u32> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("all");
        }
        let holds = |hour: u32| self.0 & (1 << (hour % HOURS)) != 0;
        let starts = (0..HOURS).filter(|&hour| holds(hour) && !holds(hour + HOURS - 1));
        for (nth, start) in starts.enumerate() {
            let length = (1..HOURS).find(|&length| !holds(start + length)).unwrap_or(HOURS);
            let end = start + length;
            let end = if end > HOURS { end - HOURS } else { end };
            write!(f, "{}{start:02}-{end:02}", if nth == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_half_open_and_may_cross_midnight() {
        fn check(text: &str, hours: &[u8], printed: &str) {
            let parsed: Hours = text.parse().unwrap();
            let held: Vec<u8> = (0..24).filter(|&hour| parsed.contains(hour)).collect();
            assert_eq!(held, hours, "{text}");
            assert_eq!(parsed.to_string(), printed);
        }
        check("all", &(0..24).collect::<Vec<_>>(), "all");
        check("0-24", &(0..24).collect::<Vec<_>>(), "all");
        check("18-22", &[18, 19, 20, 21], "18-22");
        check("22-02", &[0, 1, 22, 23], "22-02");
        check("23-01; 05-7", &[0, 5, 6, 23], "05-07;23-01");
        check("20-24", &[20, 21, 22, 23], "20-24");
        check("20-0", &[20, 21, 22, 23], "20-24");
        assert!(!Hours::ALL.contains(24));
    }

    #[test]
    fn other_spellings_are_refused() {
        fn check(text: &str) {
            assert_eq!(
                text.parse::<Hours>().unwrap_err().to_string(),
                format!("`{text}` is not hours such as all, 18-22 or 22-05;09-18")
            );
        }
        for text in
            ["", "5", "peak", "05-09;08-10", "5-5", "24-2", "5-25", "+5-9", "-5-9", "18:00-22:00", "5-9;"]
        {
            check(text);
        }
    }

    #[test]
    fn local_clocks_are_ahead_or_behind() {
        fn check(unix_seconds: u64, offset_hours: f64, day: i64, hour: u8) {
            let at = Timestamp::from_unix_seconds(unix_seconds);
            assert_eq!(LocalHour::of(at, (offset_hours * 3600.0) as i32), LocalHour { day, hour });
        }
        check(0, 0.0, 0, 0);
        check(0, -3.0, -1, 21);
        check(3599, 3.0, 0, 3);
        check(1800, 3.5, 0, 4);
        check(86_400 - 1, 5.5, 1, 5);
        assert_eq!(LocalHour::of(Timestamp(u64::MAX), 14 * 3600).day, 213_503_982);
    }
}
