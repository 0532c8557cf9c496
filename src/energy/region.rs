//! A place where machines run: where it is, and what power costs there.

use std::fmt;
use std::str::FromStr;

use super::device::Cooling;
use super::hours::LocalHour;
use super::table::{DataError, DataFile, Row, Status, Table};
use super::tariff::{Price, PriceBasis, Role, Tariff, price_of};
use crate::units::{ParseError, Seconds, Timestamp, UsdPerKwh, Watts};

/// Columns of `regions.csv` that are read; the first names the row in errors.
const COLUMNS: [&str; 28] = [
    "code",
    "name",
    "iso3",
    "currency",
    "lat_deg",
    "lon_deg",
    "utc_offset_hours",
    "price_low_usd_per_kwh",
    "price_mid_usd_per_kwh",
    "price_high_usd_per_kwh",
    "price_basis",
    "price_status",
    "pue_air_mean",
    "pue_air_hottest_month",
    "pue_hydro_mean",
    "carbon_g_per_kwh",
    "carbon_status",
    "outage_h_per_year",
    "outage_status",
    "hashrate_share_pct",
    "share_status",
    "mining_mw",
    "mining_status",
    "build_mw_per_month",
    "policy_hazard_per_year",
    "risk_note",
    "latency_oneway_ms_us_east",
    "latency_oneway_ms_hong_kong",
];

/// Shares may sum to this and no more: each is rounded on its own.
const SHARE_SUM_MAX_PCT: f64 = 100.5;

/// The short name of a region: `ET`, `US-TX`.
///
/// Two to eight capital letters, digits and hyphens, beginning with a letter,
/// so that it can stand in a file name, a worker name or a metric label.
/// Order is that of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionCode([u8; 8]);

impl RegionCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..length]).expect("only ASCII is stored")
    }
}

impl FromStr for RegionCode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let is_code = (2..=8).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_code {
            return Err(ParseError::new(text, "a region code such as ET or US-TX"));
        }
        let mut bytes = [0; 8];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for RegionCode {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<RegionCode> for String {
    fn from(code: RegionCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A country or a part of one, as far as mining is concerned.
///
/// Comes from an [`Atlas`](super::Atlas), which has checked every number and
/// given the region its tariffs.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its short name.
    pub code: RegionCode,
    /// Its name in English.
    pub name: String,
    /// ISO 3166 alpha-3 code of the country.
    pub iso3: String,
    /// ISO 4217 code of the country's money.
    pub currency: String,
    /// Degrees north of the equator, of a point that stands for the region.
    pub latitude_deg: f64,
    /// Degrees east of Greenwich, of the same point.
    pub longitude_deg: f64,
    /// Seconds by which standard time in the mining area is ahead of UTC.
    pub utc_offset_seconds: i32,
    /// All-in power price of a well placed large miner.
    pub price_low: UsdPerKwh,
    /// All-in power price of a typical large miner.
    pub price_mid: UsdPerKwh,
    /// All-in power price of a badly placed large miner.
    pub price_high: UsdPerKwh,
    /// What the three prices rest on.
    pub price_basis: String,
    /// How far the three prices can be trusted.
    pub price_status: Status,
    /// Site power over machine power with air cooling, mean of the year.
    pub pue_air_mean: f64,
    /// The same in the hottest month.
    pub pue_air_hottest_month: f64,
    /// Site power over machine power with water cooling, mean of the year.
    pub pue_hydro_mean: f64,
    /// Grams of CO2 equivalent per kWh of the grid's mix.
    pub carbon_g_per_kwh: f64,
    /// How far the carbon figure can be trusted.
    pub carbon_status: Status,
    /// Hours without grid power in a year.
    pub outage_hours_per_year: f64,
    /// How far the outage figure can be trusted.
    pub outage_status: Status,
    /// Share of the network's hashrate, in percent.
    pub hashrate_share_pct: f64,
    /// How far the share can be trusted.
    pub share_status: Status,
    /// Power of the mining sites.
    pub mining_power: Watts,
    /// How far the power of the mining sites can be trusted.
    pub mining_status: Status,
    /// Site power that can be built in a month. A guess everywhere.
    pub build_power_per_month: Watts,
    /// Bans and the like expected in a year, as a Poisson rate. A guess everywhere.
    pub policy_hazard_per_year: f64,
    /// The main risks in words.
    pub risk_note: String,
    /// One-way network latency to the US East coast, from distance.
    pub latency_us_east: Seconds,
    /// One-way network latency to Hong Kong, from distance.
    pub latency_hong_kong: Seconds,
    tariffs: Vec<Tariff>,
}

impl Region {
    /// The tariff rows of the region, all roles, in file order.
    #[must_use]
    pub fn tariffs(&self) -> &[Tariff] {
        &self.tariffs
    }

    /// What a kWh costs a machine at that time, and why.
    #[must_use]
    pub fn price_at(&self, at: Timestamp) -> Price<'_> {
        self.price_in(LocalHour::of(at, self.utc_offset_seconds))
    }

    /// What a kWh costs a machine in that local hour, and why.
    #[must_use]
    pub fn price_in(&self, at: LocalHour) -> Price<'_> {
        match self.charged().find(|tariff| tariff.is_in_force(at)) {
            Some(tariff) => Price { value: tariff.price, basis: PriceBasis::Tariff(tariff) },
            None => Price { value: self.price_mid, basis: PriceBasis::RegionMid },
        }
    }

    /// The first local day after `day` on which another set of charged rows
    /// may hold; `i64::MAX` if there is none.
    pub(super) fn next_tariff_day(&self, day: i64) -> i64 {
        self.charged()
            .flat_map(|tariff| [tariff.first_day(), tariff.day_after()])
            .filter(|&boundary| boundary > day)
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Site power over machine power, mean of the year.
    #[must_use]
    pub fn pue(&self, cooling: Cooling) -> f64 {
        match cooling {
            Cooling::Air => self.pue_air_mean,
            Cooling::Hydro => self.pue_hydro_mean,
        }
    }

    /// Makes power cost `price` at all times: charged rows go, and the three prices are one.
    pub fn set_price(&mut self, price: UsdPerKwh) {
        self.tariffs.retain(|tariff| tariff.role != Role::Charged);
        (self.price_low, self.price_mid, self.price_high) = (price, price, price);
    }

    /// Gives the region a row. The caller has checked it against the others.
    pub(super) fn add_tariff(&mut self, tariff: Tariff) {
        self.tariffs.push(tariff);
    }

    fn charged(&self) -> impl Iterator<Item = &Tariff> {
        self.tariffs.iter().filter(|tariff| tariff.role == Role::Charged)
    }

    /// The rows of a `regions.csv`, in file order and without tariffs.
    pub(super) fn read_all(file: DataFile<'_>) -> Result<Vec<Self>, DataError> {
        let table = Table::read(file, &COLUMNS)?;
        let mut regions: Vec<Self> = Vec::new();
        for row in table.rows() {
            let region = Self::read(row)?;
            if regions.iter().any(|other| other.code == region.code) {
                return Err(row.error("code is already listed above; remove one of the two"));
            }
            regions.push(region);
        }
        if regions.is_empty() {
            return Err(table.error("has a header and no rows; add at least one region"));
        }
        let share_sum_pct: f64 = regions.iter().map(|region| region.hashrate_share_pct).sum();
        if share_sum_pct > SHARE_SUM_MAX_PCT {
            return Err(table.error(format!(
                "hashrate_share_pct sums to {share_sum_pct:.1} over all rows, and the network has 100; \
                 is a country listed beside its parts?"
            )));
        }
        Ok(regions)
    }

    fn read(row: Row<'_>) -> Result<Self, DataError> {
        let currency = capitals(row, "currency", "an ISO 4217 currency such as USD")?;
        let price = |column| price_of(row, column, &currency);
        let megawatts = |column| row.number(column, 0.0..=1e6, "is it in kW?").map(|mw| Watts(mw * 1e6));
        let pue = |column| row.number(column, 1.0..=2.0, "PUE is site power over machine power");
        let latency =
            |column| row.number(column, 0.0..=2_000.0, "is it in microseconds?").map(|ms| Seconds(ms / 1e3));
        let status = |column| row.one_of(column, &Status::ALL);
        let region = Self {
            code: row.parse("code", "a region code such as ET or US-TX")?,
            name: row.some_text("name")?.to_owned(),
            iso3: capitals(row, "iso3", "an ISO 3166 country such as ETH")?,
            latitude_deg: row.number("lat_deg", -90.0..=90.0, "are latitude and longitude exchanged?")?,
            longitude_deg: row.number("lon_deg", -180.0..=180.0, "west is negative")?,
            utc_offset_seconds: utc_offset_of(row)?,
            price_low: price("price_low_usd_per_kwh")?,
            price_mid: price("price_mid_usd_per_kwh")?,
            price_high: price("price_high_usd_per_kwh")?,
            price_basis: row.some_text("price_basis")?.to_owned(),
            price_status: status("price_status")?,
            pue_air_mean: pue("pue_air_mean")?,
            pue_air_hottest_month: pue("pue_air_hottest_month")?,
            pue_hydro_mean: pue("pue_hydro_mean")?,
            carbon_g_per_kwh: row.number("carbon_g_per_kwh", 0.0..=2_000.0, "is it per MWh?")?,
            carbon_status: status("carbon_status")?,
            outage_hours_per_year: row.number("outage_h_per_year", 0.0..=8_784.0, "is it in minutes?")?,
            outage_status: status("outage_status")?,
            hashrate_share_pct: row.number("hashrate_share_pct", 0.0..=100.0, "is it in EH/s?")?,
            share_status: status("share_status")?,
            mining_power: megawatts("mining_mw")?,
            mining_status: status("mining_status")?,
            build_power_per_month: megawatts("build_mw_per_month")?,
            policy_hazard_per_year: row.number("policy_hazard_per_year", 0.0..=12.0, "is it in percent?")?,
            risk_note: row.text("risk_note").to_owned(),
            latency_us_east: latency("latency_oneway_ms_us_east")?,
            latency_hong_kong: latency("latency_oneway_ms_hong_kong")?,
            currency,
            tariffs: Vec::new(),
        };
        if region.price_mid < region.price_low || region.price_mid > region.price_high {
            return Err(row.wrong(
                "price_mid_usd_per_kwh",
                &format!(
                    "is not between price_low_usd_per_kwh = {} and price_high_usd_per_kwh = {}",
                    region.price_low.0, region.price_high.0
                ),
            ));
        }
        if region.pue_air_hottest_month < region.pue_air_mean {
            return Err(row.wrong("pue_air_hottest_month", "is below pue_air_mean; are the two exchanged?"));
        }
        Ok(region)
    }
}

/// A cell of three capital letters.
fn capitals(row: Row<'_>, column: &str, wanted: &str) -> Result<String, DataError> {
    let text = row.some_text(column)?;
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err(row.wrong(column, &format!("is not {wanted}")))
    }
}

/// Offsets in use are multiples of a quarter hour from -12 to +14.
fn utc_offset_of(row: Row<'_>) -> Result<i32, DataError> {
    let hours = row.number("utc_offset_hours", -12.0..=14.0, "is it in minutes?")?;
    if (hours * 4.0).fract() != 0.0 {
        return Err(row.wrong("utc_offset_hours", "is not a multiple of 0.25; write 5 h 30 min as 5.5"));
    }
    Ok((hours * 3600.0) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_short_and_plain() {
        fn check(text: &str, valid: bool) {
            let code = text.parse::<RegionCode>();
            assert_eq!(code.is_ok(), valid, "{text}");
            if let Ok(code) = code {
                assert_eq!(code.to_string(), text);
            }
        }
        check("ET", true);
        check("RU-SIB", true);
        check("ABCDEFGH", true);
        check("A1", true);
        check("", false);
        check("E", false);
        check("et", false);
        check("1A", false);
        check("ABCDEFGHI", false);
        check("E T", false);
        check("ÉT", false);
        assert_eq!(
            "et".parse::<RegionCode>().unwrap_err().to_string(),
            "`et` is not a region code such as ET or US-TX"
        );
    }

    #[test]
    fn codes_sort_as_text_and_pad() {
        let mut codes: Vec<RegionCode> =
            ["US-TX", "ET", "US", "US-GA"].iter().map(|text| text.parse().unwrap()).collect();
        codes.sort();
        assert_eq!(format!("{codes:?}"), "[ET, US, US-GA, US-TX]");
        assert_eq!(format!("{:4}|", codes[0]), "ET  |");
    }

    #[test]
    fn codes_travel_as_text() {
        let code: RegionCode = serde_json::from_str("\"US-TX\"").unwrap();
        assert_eq!(serde_json::to_string(&code).unwrap(), "\"US-TX\"");
        assert!(serde_json::from_str::<RegionCode>("\"texas\"").is_err());
    }
}
