//! A site as a TOML file describes it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Deserialize;

use crate::energy::{Atlas, Device, Hours, LocalHour, Region, UnknownName};
use crate::spread::Day;

/// Prices outside this are in another unit. Spot markets do go below zero.
const PRICE_USD_PER_KWH: RangeInclusive<f64> = -1.0..=5.0;

/// A site whose numbers are usable.
#[derive(Debug, Clone, PartialEq)]
pub struct SitePlan {
    /// Where it is.
    pub region: Arc<Region>,
    /// Its machines.
    pub device: Arc<Device>,
    /// How many of them.
    pub count: u32,
    /// First local day of operation, from which tariffs are read.
    pub from: Day,
    /// Site power over machine power.
    pub pue: f64,
    /// Part of the hours it wants to run in which it can.
    pub uptime: f64,
    /// What a petahash per second earns in a day, before the pool's fee.
    pub hashprice_usd_per_phs_day: f64,
    /// Change of hashprice in a year, as a part: -0.2 is a fifth less each year.
    pub hashprice_change_per_year: f64,
    /// Price of a bitcoin.
    pub price_usd_per_btc: f64,
    /// What the pool keeps, as a part.
    pub pool_fee: f64,
    /// What power costs.
    pub prices: Prices,
    /// Operation and maintenance.
    pub operation_usd_per_kwh: f64,
    /// What is paid for a kWh not used.
    pub curtailment_credit_usd_per_kwh: f64,
    /// Price of a machine at its maker's.
    pub rig_price_usd: f64,
    /// Freight of a machine.
    pub freight_usd_per_rig: f64,
    /// Import duty on its price, as a part.
    pub duty: f64,
    /// Buildings and connection.
    pub site_capex_usd_per_mw: f64,
    /// After which everything is worth nothing.
    pub lifetime_years: f64,
    /// What the money would earn elsewhere, as a part.
    pub discount_per_year: f64,
}

/// What power costs by local hour.
#[derive(Debug, Clone, PartialEq)]
pub enum Prices {
    /// The tariffs of the region, with their dates.
    Region,
    /// A price by hour of the day, the same each day.
    Tariff([f64; 24]),
    /// A price for each hour, from midnight of the first day on, and again from the start when they end.
    Hourly(Vec<f64>),
}

/// A file that does not describe a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It is not TOML, or has keys that there are not.
    #[error("{0}")]
    Toml(String),
    /// The region or the machine is unknown.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A value makes no sense.
    #[error("{key} = {value} {problem}")]
    Value {
        /// Which key.
        key: &'static str,
        /// As it was read.
        value: String,
        /// What is wrong, and what to try.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    region: String,
    device: String,
    count: u32,
    from: String,
    pue: Option<f64>,
    #[serde(default = "one")]
    uptime: f64,
    market: RawMarket,
    #[serde(default)]
    power: RawPower,
    #[serde(default)]
    capital: RawCapital,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMarket {
    hashprice_usd_per_phs_day: f64,
    #[serde(default)]
    hashprice_change_per_year: f64,
    price_usd_per_btc: f64,
    #[serde(default)]
    pool_fee: f64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawPower {
    tariff: Vec<RawTariff>,
    hourly_usd_per_kwh: Vec<f64>,
    operation_usd_per_kwh: f64,
    curtailment_credit_usd_per_kwh: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTariff {
    hours: String,
    price_usd_per_kwh: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCapital {
    rig_price_usd: f64,
    freight_usd_per_rig: f64,
    duty: f64,
    site_capex_usd_per_mw: f64,
    lifetime_years: f64,
    discount_per_year: f64,
}

impl Default for RawCapital {
    fn default() -> Self {
        Self {
            rig_price_usd: 0.0,
            freight_usd_per_rig: 0.0,
            duty: 0.0,
            site_capex_usd_per_mw: 0.0,
            // Machines are written off over four years, and money costs about a fifth a year.
            lifetime_years: 4.0,
            discount_per_year: 0.2,
        }
    }
}

fn one() -> f64 {
    1.0
}

impl SitePlan {
    /// A file with every key.
    pub const EXAMPLE: &'static str = include_str!("../../../data/site.toml");

    /// Reads a file against the regions and machines of `atlas`.
    ///
    /// # Errors
    /// The first key that cannot be used, and what to try.
    pub fn from_toml(text: &str, atlas: &Atlas) -> Result<Self, PlanError> {
        let raw: Raw =
            toml::from_str(text).map_err(|error| PlanError::Toml(error.to_string().trim_end().to_owned()))?;
        let region = atlas.region(&raw.region)?.clone();
        let device = atlas.device(&raw.device)?.clone();
        if raw.count == 0 {
            return Err(bad("count", 0, "is no machine at all; say how many there are"));
        }
        let from =
            raw.from.parse().map_err(|_| bad("from", &raw.from, "is not a date such as 2026-01-01"))?;
        let RawMarket { hashprice_usd_per_phs_day, hashprice_change_per_year, price_usd_per_btc, pool_fee } =
            raw.market;
        let RawCapital { rig_price_usd, freight_usd_per_rig, duty, site_capex_usd_per_mw, .. } = raw.capital;
        let RawCapital { lifetime_years, discount_per_year, .. } = raw.capital;
        let per_kwh = "is it in cents, or per MWh?";
        let part = "it is a part of 1; is it in percent?";
        Ok(Self {
            from,
            pue: number(
                "pue",
                raw.pue.unwrap_or_else(|| region.pue(device.cooling)),
                1.0..=2.0,
                "it is site power over machine power",
            )?,
            uptime: number("uptime", raw.uptime, 0.01..=1.0, part)?,
            hashprice_usd_per_phs_day: number(
                "market.hashprice_usd_per_phs_day",
                hashprice_usd_per_phs_day,
                0.01..=100_000.0,
                "is it per TH/s?",
            )?,
            hashprice_change_per_year: number(
                "market.hashprice_change_per_year",
                hashprice_change_per_year,
                -0.99..=10.0,
                part,
            )?,
            price_usd_per_btc: number(
                "market.price_usd_per_btc",
                price_usd_per_btc,
                0.01..=1e9,
                "is it in thousands?",
            )?,
            pool_fee: number("market.pool_fee", pool_fee, 0.0..=0.99, part)?,
            prices: prices(&raw.power)?,
            operation_usd_per_kwh: number(
                "power.operation_usd_per_kwh",
                raw.power.operation_usd_per_kwh,
                0.0..=1.0,
                per_kwh,
            )?,
            curtailment_credit_usd_per_kwh: number(
                "power.curtailment_credit_usd_per_kwh",
                raw.power.curtailment_credit_usd_per_kwh,
                0.0..=5.0,
                per_kwh,
            )?,
            rig_price_usd: number(
                "capital.rig_price_usd",
                rig_price_usd,
                0.0..=1e6,
                "is it of all machines?",
            )?,
            freight_usd_per_rig: number(
                "capital.freight_usd_per_rig",
                freight_usd_per_rig,
                0.0..=1e5,
                "is it of all machines?",
            )?,
            duty: number("capital.duty", duty, 0.0..=5.0, part)?,
            site_capex_usd_per_mw: number(
                "capital.site_capex_usd_per_mw",
                site_capex_usd_per_mw,
                0.0..=1e8,
                "is it of the whole site?",
            )?,
            lifetime_years: number("capital.lifetime_years", lifetime_years, 1.0..=30.0, "is it in months?")?,
            discount_per_year: number("capital.discount_per_year", discount_per_year, 0.0..=5.0, part)?,
            count: raw.count,
            region,
            device,
        })
    }

    /// What a kWh costs in a local hour.
    #[must_use]
    pub fn price_in(&self, at: LocalHour) -> f64 {
        match &self.prices {
            Prices::Region => self.region.price_in(at).value.0,
            Prices::Tariff(by_hour) => by_hour[usize::from(at.hour) % 24],
            Prices::Hourly(prices) => {
                let hours = (at.day - i64::from(self.from.0)) * 24 + i64::from(at.hour);
                // Not empty, or the plan would not have been read.
                prices[hours.rem_euclid(prices.len() as i64) as usize]
            }
        }
    }
}

fn prices(raw: &RawPower) -> Result<Prices, PlanError> {
    let checked = |key, price| number(key, price, PRICE_USD_PER_KWH, "is it in cents, or per MWh?");
    match (&raw.tariff[..], &raw.hourly_usd_per_kwh[..]) {
        ([], []) => Ok(Prices::Region),
        ([], hourly) => {
            let key = "power.hourly_usd_per_kwh";
            if !hourly.len().is_multiple_of(24) {
                let values = format!("[{} values]", hourly.len());
                return Err(bad(
                    key,
                    values,
                    "are not whole days; give 24 for every day, or 8760 for a year",
                ));
            }
            hourly.iter().try_for_each(|&price| checked(key, price).map(drop))?;
            Ok(Prices::Hourly(hourly.to_vec()))
        }
        (tariff, []) => {
            let mut by_hour = [None; 24];
            for RawTariff { hours, price_usd_per_kwh } in tariff {
                let set: Hours = hours.parse().map_err(|error| bad("power.tariff.hours", hours, error))?;
                let price = checked("power.tariff.price_usd_per_kwh", *price_usd_per_kwh)?;
                for hour in (0..24).filter(|&hour| set.contains(hour)) {
                    if by_hour[usize::from(hour)].replace(price).is_some() {
                        return Err(bad(
                            "power.tariff.hours",
                            hours,
                            format!("has hour {hour:02} a second time; end one before the other begins"),
                        ));
                    }
                }
            }
            match by_hour.iter().position(Option::is_none) {
                Some(hour) => Err(bad(
                    "power.tariff",
                    format!("[{} rows]", tariff.len()),
                    format!("leave out hour {hour:02}; use `all`, or name all 24"),
                )),
                None => Ok(Prices::Tariff(by_hour.map(Option::unwrap_or_default))),
            }
        }
        _ => Err(bad(
            "power.tariff",
            "[..]",
            "and power.hourly_usd_per_kwh are both given; remove one of the two",
        )),
    }
}

fn number(key: &'static str, value: f64, range: RangeInclusive<f64>, hint: &str) -> Result<f64, PlanError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (low, high) = range.into_inner();
    Err(bad(key, value, format!("is outside {low}..{high}; {hint}")))
}

fn bad(key: &'static str, value: impl ToString, problem: impl ToString) -> PlanError {
    PlanError::Value { key, value: value.to_string(), problem: problem.to_string() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A thousand machines in Ethiopia under the tariff of December 2025.
    pub(in super::super) const ETHIOPIA: &str = r#"
        region = "ET"
        device = "Antminer S21"
        count = 1000
        from = "2025-12-01"
        [market]
        hashprice_usd_per_phs_day = 34
        price_usd_per_btc = 90000
        pool_fee = 0.02
        [power]
        operation_usd_per_kwh = 0.006
        [capital]
        rig_price_usd = 3000
        site_capex_usd_per_mw = 400000
    "#;

    fn read(text: &str) -> Result<SitePlan, String> {
        SitePlan::from_toml(text, Atlas::embedded()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_a_site() {
        let plan = read(ETHIOPIA).unwrap();
        assert_eq!((plan.count, plan.pue, plan.uptime, plan.lifetime_years), (1000, 1.063, 1.0, 4.0));
        let price = |hour| plan.price_in(LocalHour { day: i64::from(plan.from.0), hour });
        assert_eq!([price(4), price(6), price(19)], [0.035, 0.045, 0.06]);
    }

    #[test]
    fn the_example_is_a_site() {
        assert_eq!(read(SitePlan::EXAMPLE).unwrap().uptime, 0.97);
    }

    #[test]
    fn prices_of_ones_own_replace_those_of_the_region() {
        fn check(power: &str, hours: &[(i64, u8, f64)]) {
            let plan = read(&ETHIOPIA.replace("[power]", &format!("[power]\n{power}"))).unwrap();
            for &(day, hour, price) in hours {
                let day = i64::from(plan.from.0) + day;
                assert_eq!(plan.price_in(LocalHour { day, hour }), price, "{power} {day} {hour}");
            }
        }
        check("tariff = [{ hours = \"all\", price_usd_per_kwh = 0.05 }]", &[(0, 0, 0.05), (999, 23, 0.05)]);
        let two = "tariff = [{ hours = \"22-06\", price_usd_per_kwh = 0.03 }, \
                   { hours = \"06-22\", price_usd_per_kwh = 0.07 }]";
        check(two, &[(0, 23, 0.03), (0, 5, 0.03), (1, 6, 0.07)]);
        let days: Vec<String> = (0..48).map(|hour| format!("{:?}", f64::from(hour) / 1000.0)).collect();
        check(
            &format!("hourly_usd_per_kwh = [{}]", days.join(",")),
            &[(0, 3, 0.003), (1, 3, 0.027), (2, 3, 0.003), (-1, 23, 0.047)],
        );
    }

    #[test]
    fn bad_files_say_why() {
        fn check(old: &str, new: &str, error: &str) {
            let text = ETHIOPIA.replacen(old, new, 1);
            assert_ne!(text, ETHIOPIA, "{old}");
            let found = read(&text).unwrap_err();
            assert!(found.contains(error), "{found}");
        }
        check("\"ET\"", "\"EX\"", "no region is called `EX`; ");
        check("S21", "S22", "no device is called `Antminer S22`; did you mean");
        check("1000", "0", "count = 0 is no machine at all; say how many there are");
        check("2025-12-01", "soon", "from = soon is not a date such as 2026-01-01");
        check("0.02", "2", "market.pool_fee = 2 is outside 0..0.99; it is a part of 1; is it in percent?");
        check("0.006", "6", "power.operation_usd_per_kwh = 6 is outside 0..1; is it in cents, or per MWh?");
        check("pool_fee", "pool_fees", "unknown field `pool_fees`");
        check(
            "[power]",
            "[power]\nhourly_usd_per_kwh = [0.1]",
            "power.hourly_usd_per_kwh = [1 values] are not whole days; ",
        );
        check(
            "[power]",
            "[power]\ntariff = [{ hours = \"18-22\", price_usd_per_kwh = 0.1 }]",
            "power.tariff = [1 rows] leave out hour 00; use `all`, or name all 24",
        );
        check(
            "[power]",
            "[power]\ntariff = [{ hours = \"all\", price_usd_per_kwh = 0.1 }, \
             { hours = \"5-6\", price_usd_per_kwh = 0.1 }]",
            "power.tariff.hours = 5-6 has hour 05 a second time; ",
        );
    }
}
