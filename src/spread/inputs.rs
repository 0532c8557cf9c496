//! The tables of the world model beside those of `energy`, read and checked.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::day::Day;
use super::history::PastEvent;
use super::parameters::{Parameters, Provenance};
use super::world::Stage;
use crate::energy::{Atlas, Cooling, DataError, DataFile, RegionCode, Row, Status, Table};

/// A generation of machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Vintage {
    /// What it is called.
    pub name: String,
    /// The first day of delivery.
    pub available_from: Day,
    /// J/TH at the wall, without the site's cooling.
    pub efficiency_j_per_th: f64,
    /// How it is cooled.
    pub cooling: Cooling,
    /// TH/s of one machine.
    pub th_per_unit: f64,
}

/// What an event of some type does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Machines have to leave: they move, hide or are scrapped.
    Ban,
    /// Machines stand still and come back.
    Outage,
    /// Hydro output falls.
    Drought,
    /// No sites are built.
    Freeze,
    /// New machines cost more by this fraction.
    Duty,
    /// Power costs more by this fraction.
    Power,
    /// Power costs more by so many USD/kWh.
    Surcharge,
    /// Sites are turned to AI at this fraction a year.
    Ai,
    /// The price of bitcoin is multiplied by 1 + size.
    Price,
    /// Nothing that the model does not know from elsewhere.
    None,
}

impl Effect {
    /// Every effect and its word in the files.
    pub const ALL: [(&'static str, Self); 10] = [
        ("ban", Self::Ban),
        ("outage", Self::Outage),
        ("drought", Self::Drought),
        ("freeze", Self::Freeze),
        ("duty", Self::Duty),
        ("power", Self::Power),
        ("surcharge", Self::Surcharge),
        ("ai", Self::Ai),
        ("price", Self::Price),
        ("none", Self::None),
    ];
}

/// What all events of a type do.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeEffect {
    /// What they do.
    pub effect: Effect,
    /// How much: a number, or the product of parameters.
    pub size: Vec<Term>,
    /// Days from the end until all is as before.
    pub recovery_days: f64,
}

/// A factor of a size.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A number.
    Number(f64),
    /// A parameter by name.
    Parameter(String),
}

impl TypeEffect {
    /// The size with these parameters.
    #[must_use]
    pub fn size_with(&self, parameters: &Parameters) -> f64 {
        let mut parameters = parameters.clone();
        self.size
            .iter()
            .map(|term| match term {
                Term::Number(number) => *number,
                Term::Parameter(name) => *parameters.get_mut(name).expect("checked when read"),
            })
            .product()
    }
}

/// Site power that is built in a month, between two days.
#[derive(Debug, Clone, PartialEq)]
pub struct Build {
    /// Where.
    pub region: RegionCode,
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
    /// MW in a month.
    pub mw_per_month: f64,
}

/// Machines that move with the seasons, every year while it is valid.
#[derive(Debug, Clone, PartialEq)]
pub struct SeasonalMove {
    /// Where they leave.
    pub from: RegionCode,
    /// Where they go.
    pub to: RegionCode,
    /// Month and day on which the first leave.
    pub begins: (i8, i8),
    /// Month and day on which the last leave.
    pub ends: (i8, i8),
    /// Of the machines there before, 0 to 1.
    pub part: f64,
    /// First and last day of the years in which they do.
    pub valid: (Day, Day),
}

/// A region's year.
#[derive(Debug, Clone, PartialEq)]
pub struct Seasons {
    /// Mean temperature of each month, degrees C.
    pub temperature_c: [f64; 12],
    /// Part of hydro in the power of its sites.
    pub hydro_fraction: f64,
    /// How much of the swing reservoirs take away, 0 to 1.
    pub storage_damping: f64,
    /// Hydro output of each month over the year's mean.
    pub hydro_ratio: [f64; 12],
}

/// A market whose hourly price sites pay.
#[derive(Debug, Clone, PartialEq)]
pub struct SpotZone {
    /// The market's name.
    pub zone: String,
    /// Part of the variance of (standardised) prices that month and hour explain.
    pub explained: f64,
    /// Part of the rest that lasts for weeks.
    pub slow_part: f64,
    /// Its correlation from one hour to the next.
    pub slow_persistence_1h: f64,
    /// That of what lasts for hours.
    pub fast_persistence_1h: f64,
    /// Part of the hours (0 to 1) and the price below which they are (USD/MWh); both ascend.
    pub quantiles: Vec<(f64, f64)>,
    /// Typical USD/MWh by month and local hour.
    pub profile_usd_per_mwh: [[f64; 24]; 12],
}

/// Everything that a world is made of beside a scenario.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Regions and their tariffs.
    pub atlas: Atlas,
    /// Machines.
    pub vintages: Vec<Vintage>,
    /// The defaults: `parameters.csv`, and over it `calibration.toml`.
    pub parameters: Parameters,
    /// `parameters.csv` alone, which a calibration begins with.
    pub prior: Parameters,
    /// Where the priors come from.
    pub provenance: Vec<Provenance>,
    /// What events do, by type.
    pub effects: BTreeMap<String, TypeEffect>,
    /// What happened beside the events of the record.
    pub events: Vec<PastEvent>,
    /// When bans were carried out, by event and region.
    pub stages: BTreeMap<(String, RegionCode), Vec<Stage>>,
    /// Moves of a season.
    pub moves: Vec<SeasonalMove>,
    /// Dated building of sites; `regions.csv` has the rest.
    pub builds: Vec<Build>,
    /// Shares of regions in percent, by month.
    pub shares: BTreeMap<String, Vec<(RegionCode, f64)>>,
    /// Weather and water.
    pub seasons: BTreeMap<RegionCode, Seasons>,
    /// Spot markets.
    pub spot: BTreeMap<RegionCode, SpotZone>,
}

macro_rules! data {
    ($name:literal) => {
        DataFile { name: concat!("data/", $name), text: include_str!(concat!("../../data/", $name)) }
    };
}
pub(super) use data;

/// The files that [`Inputs::embedded`] is made of, for a manifest.
pub const FILES: &[DataFile<'static>] = &[
    data!("regions.csv"),
    data!("tariffs.csv"),
    data!("parameters.csv"),
    data!("calibration.toml"),
    data!("vintages.csv"),
    data!("event_effects.csv"),
    data!("events_more.csv"),
    data!("event_stages.csv"),
    data!("seasonal_moves.csv"),
    data!("builds.csv"),
    data!("shares.csv"),
    data!("climate.csv"),
    data!("hydro_season.csv"),
    data!("spot_zones.csv"),
    data!("spot_quantiles.csv"),
    data!("spot_profile.csv"),
];

impl Inputs {
    /// The tables built into the program.
    ///
    /// # Panics
    /// Never in a build whose tests pass: they load the same text.
    #[must_use]
    pub fn embedded() -> &'static Arc<Self> {
        static EMBEDDED: LazyLock<Arc<Inputs>> = LazyLock::new(|| {
            Arc::new(Inputs::read().unwrap_or_else(|error| panic!("embedded data: {error}")))
        });
        &EMBEDDED
    }

    fn read() -> Result<Self, DataError> {
        let (prior, provenance) = Parameters::read(data!("parameters.csv"))?;
        Ok(Self {
            parameters: calibrated(&prior, data!("calibration.toml"))?,
            prior,
            atlas: Atlas::embedded().clone(),
            vintages: vintages(data!("vintages.csv"))?,
            provenance,
            effects: effects(data!("event_effects.csv"))?,
            events: super::history::events(data!("events_more.csv"))?,
            stages: stages(data!("event_stages.csv"))?,
            moves: seasonal_moves(data!("seasonal_moves.csv"))?,
            builds: builds(data!("builds.csv"))?,
            shares: shares(data!("shares.csv"))?,
            seasons: seasons(data!("climate.csv"), data!("hydro_season.csv"))?,
            spot: spot(data!("spot_zones.csv"), data!("spot_quantiles.csv"), data!("spot_profile.csv"))?,
        })
    }
}

/// The parameters of a `calibration.toml` over the others.
fn calibrated(prior: &Parameters, file: DataFile<'_>) -> Result<Parameters, DataError> {
    let table: toml::Table =
        file.text.parse().map_err(|error: toml::de::Error| DataError::of(file.name, error.to_string()))?;
    let mut parameters = prior.clone();
    for (name, value) in table.get("parameters").and_then(toml::Value::as_table).into_iter().flatten() {
        let (Some(slot), Some(value)) = (parameters.get_mut(name), value.as_float()) else {
            return Err(DataError::of(
                file.name,
                format!("parameters.{name} = {value} is no parameter with a number"),
            ));
        };
        *slot = value;
    }
    Ok(parameters)
}

const DATE: &str = "a date such as 2021-05-21";
const CODE: &str = "a region code such as ET or US-TX";

fn vintages(file: DataFile<'_>) -> Result<Vec<Vintage>, DataError> {
    const COLUMNS: [&str; 6] =
        ["vintage", "available_from", "efficiency_j_per_th", "cooling", "th_per_unit", "status"];
    let table = Table::read(file, &COLUMNS)?;
    table
        .rows()
        .map(|row| {
            row.one_of("status", &Status::ALL)?;
            Ok(Vintage {
                name: row.some_text("vintage")?.to_owned(),
                available_from: row.parse("available_from", DATE)?,
                efficiency_j_per_th: row.number("efficiency_j_per_th", 1.0..=1e7, "is it in J/GH?")?,
                cooling: row.one_of("cooling", &Cooling::ALL)?,
                th_per_unit: row.number("th_per_unit", 1e-6..=1e5, "is it in GH/s?")?,
            })
        })
        .collect()
}

fn effects(file: DataFile<'_>) -> Result<BTreeMap<String, TypeEffect>, DataError> {
    let table = Table::read(file, &["type", "effect", "size", "recovery_days", "status"])?;
    table
        .rows()
        .map(|row| {
            row.one_of("status", &Status::ALL)?;
            let size = row.some_text("size")?.split('*').map(str::trim);
            let size = size
                .map(|term| match term.parse() {
                    Ok(number) => Ok(Term::Number(number)),
                    Err(_) if Parameters::NAMES.contains(&term) => Ok(Term::Parameter(term.to_owned())),
                    Err(_) => Err(row.wrong("size", "is no number and no product of parameters")),
                })
                .collect::<Result<_, _>>()?;
            let effect = TypeEffect {
                effect: row.one_of("effect", &Effect::ALL)?,
                size,
                recovery_days: row.number("recovery_days", 0.0..=3_650.0, "it is in days")?,
            };
            Ok((row.some_text("type")?.to_owned(), effect))
        })
        .collect()
}

fn stages(file: DataFile<'_>) -> Result<BTreeMap<(String, RegionCode), Vec<Stage>>, DataError> {
    let table = Table::read(file, &["event", "region", "from", "to", "part", "status"])?;
    let mut by_region: BTreeMap<(String, RegionCode), Vec<Stage>> = BTreeMap::new();
    for row in table.rows() {
        row.one_of("status", &Status::ALL)?;
        let stage = Stage {
            from: row.parse("from", DATE)?,
            to: row.parse("to", DATE)?,
            part: row.number("part", 0.0..=1.0, "it is a fraction, not percent")?,
        };
        if stage.to < stage.from {
            return Err(row.wrong("to", "is before `from`; are the two exchanged?"));
        }
        let of = (row.some_text("event")?.to_owned(), row.parse("region", CODE)?);
        let stages = by_region.entry(of).or_default();
        stages.push(stage);
        let sum: f64 = stages.iter().map(|stage| stage.part).sum();
        if sum > 1.0 + 1e-9 {
            return Err(row.wrong("part", &format!("brings the sum of its event and region to {sum:.3}")));
        }
    }
    Ok(by_region)
}

fn seasonal_moves(file: DataFile<'_>) -> Result<Vec<SeasonalMove>, DataError> {
    const COLUMNS: [&str; 8] = ["from", "to", "begins", "ends", "part", "valid_from", "valid_to", "status"];
    let table = Table::read(file, &COLUMNS)?;
    let month_day = |row: &Row<'_>, column: &str| {
        let text = row.some_text(column)?;
        let date = format!("2001-{text}").parse::<jiff::civil::Date>().ok();
        let date = date.ok_or_else(|| row.wrong(column, "is no month and day such as 05-10"))?;
        Ok((date.month(), date.day()))
    };
    table
        .rows()
        .map(|row| {
            row.one_of("status", &Status::ALL)?;
            Ok(SeasonalMove {
                from: row.parse("from", CODE)?,
                to: row.parse("to", CODE)?,
                begins: month_day(&row, "begins")?,
                ends: month_day(&row, "ends")?,
                part: row.number("part", 0.0..=1.0, "it is a fraction, not percent")?,
                valid: (row.parse("valid_from", DATE)?, row.parse("valid_to", DATE)?),
            })
        })
        .collect()
}

fn builds(file: DataFile<'_>) -> Result<Vec<Build>, DataError> {
    let table = Table::read(file, &["region", "from", "to", "mw_per_month", "status"])?;
    table
        .rows()
        .map(|row| {
            row.one_of("status", &Status::ALL)?;
            Ok(Build {
                region: row.parse("region", CODE)?,
                from: row.parse("from", DATE)?,
                to: row.parse("to", DATE)?,
                mw_per_month: row.number("mw_per_month", 0.0..=10_000.0, "is it in kW?")?,
            })
        })
        .collect()
}

fn shares(file: DataFile<'_>) -> Result<BTreeMap<String, Vec<(RegionCode, f64)>>, DataError> {
    let table = Table::read(file, &["region", "date", "share_pct", "status"])?;
    let mut by_date: BTreeMap<String, Vec<(RegionCode, f64)>> = BTreeMap::new();
    for row in table.rows() {
        row.one_of("status", &Status::ALL)?;
        let share = row.number("share_pct", 0.0..=100.0, "is it in EH/s?")?;
        let of_date = by_date.entry(row.some_text("date")?.to_owned()).or_default();
        of_date.push((row.parse("region", CODE)?, share));
        let sum: f64 = of_date.iter().map(|(_, share)| share).sum();
        if sum > 100.5 {
            return Err(row.wrong(
                "share_pct",
                &format!("brings the sum of its date to {sum:.1}; is a country listed beside its parts?"),
            ));
        }
    }
    Ok(by_date)
}

const MONTHS: [&str; 12] =
    ["m01", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10", "m11", "m12"];

fn by_month(
    row: Row<'_>,
    suffix: &str,
    range: std::ops::RangeInclusive<f64>,
    hint: &str,
) -> Result<[f64; 12], DataError> {
    let mut year = [0.0; 12];
    for (value, month) in year.iter_mut().zip(MONTHS) {
        *value = row.number(&format!("{month}{suffix}"), range.clone(), hint)?;
    }
    Ok(year)
}

fn seasons(climate: DataFile<'_>, hydro: DataFile<'_>) -> Result<BTreeMap<RegionCode, Seasons>, DataError> {
    const CLIMATE: [&str; 13] = [
        "region", "m01_c", "m02_c", "m03_c", "m04_c", "m05_c", "m06_c", "m07_c", "m08_c", "m09_c", "m10_c",
        "m11_c", "m12_c",
    ];
    const HYDRO: [&str; 15] = [
        "region",
        "hydro_fraction",
        "storage_damping",
        "m01_ratio",
        "m02_ratio",
        "m03_ratio",
        "m04_ratio",
        "m05_ratio",
        "m06_ratio",
        "m07_ratio",
        "m08_ratio",
        "m09_ratio",
        "m10_ratio",
        "m11_ratio",
        "m12_ratio",
    ];
    let mut seasons = BTreeMap::new();
    for row in Table::read(climate, &CLIMATE)?.rows() {
        let temperature_c = by_month(row, "_c", -60.0..=60.0, "is it in Fahrenheit?")?;
        let year =
            Seasons { temperature_c, hydro_fraction: 0.0, storage_damping: 0.0, hydro_ratio: [1.0; 12] };
        seasons.insert(row.parse("region", CODE)?, year);
    }
    for row in Table::read(hydro, &HYDRO)?.rows() {
        let code: RegionCode = row.parse("region", CODE)?;
        let Some(year) = seasons.get_mut(&code) else {
            return Err(row.error(format!("{} has no row of this region", climate.name)));
        };
        year.hydro_fraction = row.number("hydro_fraction", 0.0..=1.0, "it is a fraction, not percent")?;
        year.storage_damping = row.number("storage_damping", 0.0..=1.0, "it is a fraction, not percent")?;
        year.hydro_ratio = by_month(row, "_ratio", 0.0..=5.0, "it is a ratio to the year's mean")?;
    }
    Ok(seasons)
}

fn spot(
    zones: DataFile<'_>,
    quantiles: DataFile<'_>,
    profile: DataFile<'_>,
) -> Result<BTreeMap<RegionCode, SpotZone>, DataError> {
    const ZONES: [&str; 6] = [
        "region",
        "zone",
        "explained_by_month_and_hour",
        "slow_part",
        "slow_persistence_1h",
        "fast_persistence_1h",
    ];
    const QUANTILES: [&str; 3] = ["zone", "hours_below_pct", "usd_per_mwh"];
    const PROFILE: [&str; 26] = [
        "zone",
        "month",
        "h00_usd_per_mwh",
        "h01_usd_per_mwh",
        "h02_usd_per_mwh",
        "h03_usd_per_mwh",
        "h04_usd_per_mwh",
        "h05_usd_per_mwh",
        "h06_usd_per_mwh",
        "h07_usd_per_mwh",
        "h08_usd_per_mwh",
        "h09_usd_per_mwh",
        "h10_usd_per_mwh",
        "h11_usd_per_mwh",
        "h12_usd_per_mwh",
        "h13_usd_per_mwh",
        "h14_usd_per_mwh",
        "h15_usd_per_mwh",
        "h16_usd_per_mwh",
        "h17_usd_per_mwh",
        "h18_usd_per_mwh",
        "h19_usd_per_mwh",
        "h20_usd_per_mwh",
        "h21_usd_per_mwh",
        "h22_usd_per_mwh",
        "h23_usd_per_mwh",
    ];
    let mut by_zone: BTreeMap<String, [[f64; 24]; 12]> = BTreeMap::new();
    for row in Table::read(profile, &PROFILE)?.rows() {
        let month = row.number("month", 1.0..=12.0, "January is 1")? as usize;
        let hours = &mut by_zone.entry(row.some_text("zone")?.to_owned()).or_default()[month - 1];
        for (price, column) in hours.iter_mut().zip(&PROFILE[2..]) {
            *price = row.number(column, -500.0..=10_000.0, "is it per kWh?")?;
        }
    }
    let mut curves: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for row in Table::read(quantiles, &QUANTILES)?.rows() {
        let curve = curves.entry(row.some_text("zone")?.to_owned()).or_default();
        let part = row.number("hours_below_pct", 0.0..=100.0, "it is in percent")? / 100.0;
        let price = row.number("usd_per_mwh", -1_000.0..=20_000.0, "is it per kWh?")?;
        if curve.last().is_some_and(|(before, below)| part <= *before || price < *below) {
            return Err(row.error("hours and prices of a zone must ascend"));
        }
        curve.push((part, price));
    }
    let table = Table::read(zones, &ZONES)?;
    table
        .rows()
        .map(|row| {
            let zone = row.some_text("zone")?.to_owned();
            let Some(month_hours) = by_zone.get(&zone) else {
                return Err(row.wrong("zone", &format!("is not in {}", profile.name)));
            };
            let whole = |curve: &&Vec<(f64, f64)>| {
                matches!(curve.as_slice(), [(first, _), .., (last, _)] if *first == 0.0 && *last == 1.0)
            };
            let Some(curve) = curves.get(&zone).filter(whole) else {
                return Err(row.wrong("zone", &format!("has no prices from 0 to 100 % of hours in {}", quantiles.name)));
            };
            let correlation = |column| row.number(column, 0.0..=0.999_99, "it is a correlation");
            let market = SpotZone {
                zone,
                explained: row.number("explained_by_month_and_hour", 0.0..=1.0, "it is a fraction")?,
                slow_part: row.number("slow_part", 0.0..=1.0, "it is a fraction")?,
                slow_persistence_1h: correlation("slow_persistence_1h")?,
                fast_persistence_1h: correlation("fast_persistence_1h")?,
                quantiles: curve.clone(),
                profile_usd_per_mwh: *month_hours,
            };
            Ok((row.parse("region", CODE)?, market))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_tables_are_whole() {
        let inputs = Inputs::embedded();
        for region in inputs.atlas.regions() {
            assert!(inputs.seasons.contains_key(&region.code), "{}", region.code);
        }
        for (date, shares) in &inputs.shares {
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            assert!((99.5..=100.5).contains(&sum), "{date}: {sum}");
        }
        assert_eq!(inputs.vintages.len(), 20);
        assert!(inputs.vintages.is_sorted_by_key(|vintage| vintage.available_from));
    }

    #[test]
    fn sizes_are_numbers_or_parameters() {
        fn check(size: &str, wanted: Result<f64, &str>) {
            let text = format!("type,effect,size,recovery_days,status\nx,outage,{size},0,guess\n");
            let read = effects(DataFile { name: "e.csv", text: &text });
            let parameters = &Inputs::embedded().parameters;
            let size = read.map(|read| read["x"].size_with(parameters)).map_err(|error| error.to_string());
            assert_eq!(size, wanted.map_err(str::to_owned));
        }
        check("0.25", Ok(0.25));
        check("blackout_reach", Ok(0.816));
        check("internet_reach * 0.5", Ok(0.45));
        check("reach", Err("e.csv: line 2 (x): size = reach is no number and no product of parameters"));
    }
}
