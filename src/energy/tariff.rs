//! One row of a tariff, and on what basis a price was chosen.
//!
//! A row holds from one date to another (both included) and in a set of local
//! hours. Its [`Role`] says whether machines are charged by it. Per region no
//! two charged rows may hold at the same time, so that the price of an hour
//! never depends on the order of rows.

use std::fmt;

use jiff::civil::Date;

use super::hours::{Hours, LocalHour};
use super::table::{DataError, Row, Status};
use crate::units::UsdPerKwh;

/// Prices outside this are in another unit. Spot markets do go below zero.
pub(super) const PRICE_RANGE_USD_PER_KWH: std::ops::RangeInclusive<f64> = -1.0..=5.0;

/// Columns of `tariffs.csv` that are read; the first names the row in errors.
pub(super) const COLUMNS: [&str; 10] = [
    "region",
    "role",
    "customer",
    "valid_from_date",
    "valid_to_date",
    "local_hours",
    "price_usd_per_kwh",
    "status",
    "source",
    "note",
];

/// What a tariff row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What machines in the region pay while the row holds.
    Charged,
    /// A tax or levy on top of power. The region's middle price is all-in,
    /// so it is not added to anything unless a scenario asks for it.
    Surcharge,
    /// The price of another customer class, or one end of a band, kept for
    /// comparison. Make it the charged one by exchanging the roles.
    Reference,
}

impl Role {
    /// Every role and its word in the file.
    pub const ALL: [(&'static str, Self); 3] =
        [("charged", Self::Charged), ("surcharge", Self::Surcharge), ("reference", Self::Reference)];
}

/// A price that holds between two dates in a set of local hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Tariff {
    /// What the row is for.
    pub role: Role,
    /// The customer class, or the name of the levy.
    pub customer: String,
    /// First local day; `None` is since ever.
    pub valid_from: Option<Date>,
    /// Last local day; `None` is until further notice.
    pub valid_to: Option<Date>,
    /// Local hours of standard time in which it holds.
    pub hours: Hours,
    /// The price.
    pub price: UsdPerKwh,
    /// How far the price can be trusted.
    pub status: Status,
    /// Who published it.
    pub source: String,
    /// Disputes, conversions and choices behind the row.
    pub note: String,
}

impl Tariff {
    /// Whether the row holds in that hour, whatever its role.
    #[must_use]
    pub fn is_in_force(&self, at: LocalHour) -> bool {
        self.hours.contains(at.hour) && (self.first_day()..self.day_after()).contains(&at.day)
    }

    /// First local day as days since 1970-01-01.
    pub(super) fn first_day(&self) -> i64 {
        self.valid_from.map_or(i64::MIN, epoch_day)
    }

    /// The day after the last local day, as days since 1970-01-01.
    pub(super) fn day_after(&self) -> i64 {
        self.valid_to.map_or(i64::MAX, |date| epoch_day(date) + 1)
    }

    /// The first day and hour in which both rows hold though only one of them
    /// may: charged rows exclude each other, other roles only within a customer.
    pub(super) fn conflict(&self, other: &Self) -> Option<LocalHour> {
        let comparable = self.role == other.role
            && (self.role == Role::Charged || self.customer.eq_ignore_ascii_case(&other.customer));
        let day = self.first_day().max(other.first_day());
        if !comparable || day >= self.day_after().min(other.day_after()) {
            return None;
        }
        self.hours.first_common(other.hours).map(|hour| LocalHour { day, hour })
    }

    /// One row of the file, in a region whose own money is `currency`.
    pub(super) fn read(row: Row<'_>, currency: &str) -> Result<Self, DataError> {
        let tariff = Self {
            role: row.one_of("role", &Role::ALL)?,
            customer: row.some_text("customer")?.to_owned(),
            valid_from: date_of(row, "valid_from_date")?,
            valid_to: date_of(row, "valid_to_date")?,
            hours: row
                .parse("local_hours", "a list of half-open hour ranges such as all, 18-22 or 22-05;09-18")?,
            price: price_of(row, "price_usd_per_kwh", currency)?,
            status: row.one_of("status", &Status::ALL)?,
            source: row.some_text("source")?.to_owned(),
            note: row.text("note").to_owned(),
        };
        if tariff.first_day() >= tariff.day_after() {
            return Err(row.wrong("valid_to_date", "is before valid_from_date; are the two exchanged?"));
        }
        Ok(tariff)
    }
}

/// A price cell in USD/kWh. The likeliest slip is the region's own currency.
pub(super) fn price_of(row: Row<'_>, column: &str, currency: &str) -> Result<UsdPerKwh, DataError> {
    let hint = match currency {
        "USD" => "is it in cents or per MWh?".to_owned(),
        _ => format!("is it in {currency}?"),
    };
    row.number(column, PRICE_RANGE_USD_PER_KWH, &hint).map(UsdPerKwh)
}

/// A date cell; empty is `None`.
fn date_of(row: Row<'_>, column: &str) -> Result<Option<Date>, DataError> {
    let text = row.text(column);
    if text.is_empty() {
        return Ok(None);
    }
    // Exactly a date: the parser would also take a date with a time.
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    match date {
        Some(date) if (1990..=2200).contains(&date.year()) => Ok(Some(date)),
        _ => Err(row.wrong(column, "is not a date from 1990 to 2200 such as 2025-12-01")),
    }
}

/// Days since 1970-01-01.
fn epoch_day(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

/// A price, and why it is this one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price<'a> {
    /// The price.
    pub value: UsdPerKwh,
    /// Where it comes from.
    pub basis: PriceBasis<'a>,
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PriceBasis<'a> {
    /// The charged tariff in force in that local hour.
    Tariff(&'a Tariff),
    /// No tariff holds then: the region's middle price, undated.
    RegionMid,
}

impl fmt::Display for PriceBasis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tariff(tariff) => {
                write!(f, "tariff `{}`, hours {}", tariff.customer, tariff.hours)?;
                if let Some(from) = tariff.valid_from {
                    write!(f, ", from {from}")?;
                }
                if let Some(to) = tariff.valid_to {
                    write!(f, ", to {to}")?;
                }
                Ok(())
            }
            Self::RegionMid => f.write_str("middle price of the region"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(role: Role, customer: &str, from: &str, to: &str, hours: &str) -> Tariff {
        let date = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        Tariff {
            role,
            customer: customer.to_owned(),
            valid_from: date(from),
            valid_to: date(to),
            hours: hours.parse().unwrap(),
            price: UsdPerKwh(0.05),
            status: Status::Found,
            source: "test".to_owned(),
            note: String::new(),
        }
    }

    #[test]
    fn both_dates_are_included() {
        fn check(from: &str, to: &str, day: &str, holds: bool) {
            let row = tariff(Role::Charged, "a", from, to, "18-22");
            let day = epoch_day(day.parse().unwrap());
            assert_eq!(row.is_in_force(LocalHour { day, hour: 18 }), holds, "{from}..{to} {day}");
            assert!(!row.is_in_force(LocalHour { day, hour: 22 }));
        }
        check("2025-12-01", "2026-07-07", "2025-11-30", false);
        check("2025-12-01", "2026-07-07", "2025-12-01", true);
        check("2025-12-01", "2026-07-07", "2026-07-07", true);
        check("2025-12-01", "2026-07-07", "2026-07-08", false);
        check("", "2026-07-07", "1990-01-01", true);
        check("2025-12-01", "", "2200-01-01", true);
    }

    #[test]
    fn only_rows_that_exclude_each_other_conflict() {
        fn check(a: (Role, &str, &str, &str, &str), b: (Role, &str, &str, &str, &str), hour: Option<u8>) {
            let (a, b) = (tariff(a.0, a.1, a.2, a.3, a.4), tariff(b.0, b.1, b.2, b.3, b.4));
            assert_eq!(a.conflict(&b).map(|at| at.hour), hour, "{a:?} {b:?}");
            assert_eq!(b.conflict(&a).map(|at| at.hour), hour, "{b:?} {a:?}");
        }
        use Role::{Charged, Reference};
        let year = (Charged, "a", "2025-01-01", "2025-12-31", "all");
        check(year, (Charged, "b", "2025-12-31", "", "05-09"), Some(5));
        check(year, (Charged, "a", "2026-01-01", "", "05-09"), None);
        check(year, (Reference, "a", "", "", "all"), None);
        check((Charged, "a", "", "", "18-22"), (Charged, "a", "", "", "22-18"), None);
        check((Reference, "a", "", "", "18-22"), (Reference, "b", "", "", "all"), None);
        check((Reference, "a", "", "", "18-22"), (Reference, "A", "", "", "all"), Some(18));
    }

    #[test]
    fn a_basis_can_be_read_aloud() {
        let row = tariff(Role::Charged, "data mining", "2025-12-01", "2026-07-07", "18-22");
        assert_eq!(
            PriceBasis::Tariff(&row).to_string(),
            "tariff `data mining`, hours 18-22, from 2025-12-01, to 2026-07-07"
        );
        assert_eq!(PriceBasis::RegionMid.to_string(), "middle price of the region");
    }
}
