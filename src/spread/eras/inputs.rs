//! The tables of the eras: hashrate and price by month, machines, classes of sites, facts.

use std::sync::LazyLock;

use super::super::day::Day;
use super::super::record::Model;
use crate::energy::{DataError, DataFile, RegionCode, Row, Status, Table};

macro_rules! data {
    ($name:literal) => {
        DataFile { name: concat!("data/", $name), text: include_str!(concat!("../../../data/", $name)) }
    };
}

macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident: $($field:ident),* $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[expect(missing_docs, reason = "each is a row of data/eras.csv")]
        pub struct $name { $(pub $field: f64),* }

        impl $name {
            /// Their names.
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// All of the value `value(name)`.
            pub(super) fn of(mut value: impl FnMut(&'static str) -> f64) -> Self {
                Self { $($field: value(stringify!($field))),* }
            }
        }
    };
}

numbers!(
    /// What is the same for all classes.
    Common: reinvested, hobby_part, choice_spread, decline_per_month, discount_per_month,
    machine_life_months, wear_per_month, idle_scrap_months, largest_part, size_exponent,
    device_price_factor, fee_share, pool_fee,
);

numbers!(
    /// A class of sites.
    Class: power_min_kw, power_max_kw, power_usd_per_kwh, power_spread, pue, operation_usd_per_kwh,
    site_usd_per_kw, machine_price_factor, lead_months, build_per_month, interest,
);

/// Classes of sites by power, the smallest first, and what they are.
pub const CLASSES: [(&str, &str); 4] = [
    ("HOME", "homes, below 5 kW"),
    ("HOBBY", "garages and back rooms, 5 to 100 kW"),
    ("FARM", "farms, 100 kW to 5 MW"),
    ("INDUSTRY", "industrial sites, above 5 MW"),
];

/// In the column `class` of numbers that all classes share.
const ALL: &str = "ALL";

/// A number of `data/eras.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Its name.
    pub name: &'static str,
    /// Of which class; `None` of all.
    pub class: Option<usize>,
    /// The value that is thought likeliest.
    pub value: f64,
    /// The least that is plausible.
    pub low: f64,
    /// The most.
    pub high: f64,
    /// Its unit, in words.
    pub unit: String,
    /// Where it comes from.
    pub source: String,
    /// How far it can be trusted.
    pub status: Status,
}

impl Number {
    /// As `--set` knows it: `class.HOME.pue`, `parameters.reinvested`.
    #[must_use]
    pub fn key(&self) -> String {
        match self.class {
            Some(class) => format!("class.{}.{}", CLASSES[class].0, self.name),
            None => format!("parameters.{}", self.name),
        }
    }
}

/// A generation of machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Short: `CPU`, `ASIC-6`.
    pub code: RegionCode,
    /// For people.
    pub name: String,
    /// The first month of delivery.
    pub available_from: Month,
    /// J/TH at the wall, without the site's cooling.
    pub efficiency_j_per_th: f64,
    /// TH/s of one machine.
    pub unit_th_per_s: f64,
    /// List price when it came out, USD per TH/s.
    pub usd_per_th: f64,
    /// Whether it does nothing else: then it comes late to small buyers, and its price follows what it earns.
    pub for_mining: bool,
    /// Part of the price that homes have paid already, for another use.
    pub owned_at_home: f64,
    /// Machines in one home.
    pub home_units: f64,
}

/// Months since the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(pub i32);

impl Month {
    /// The month of a day.
    #[must_use]
    pub fn of(day: Day) -> Self {
        let date = day.date();
        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> Day {
        let (year, month) = (self.0.div_euclid(12) as i16, self.0.rem_euclid(12) as i8 + 1);
        Day::of(jiff::civil::date(year, month, 1))
    }
}

impl std::str::FromStr for Month {
    type Err = jiff::Error;

    /// `2013-01`.
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        format!("{text}-01").parse().map(Self::of)
    }
}

impl<'de> serde::Deserialize<'de> for Month {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no month such as 2024-07")))
    }
}

/// The network in a month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    /// Which.
    pub month: Month,
    /// TH/s and blocks a day; `None` after the record.
    pub chain: Option<(f64, f64)>,
    /// USD/BTC; 0 before there was a market.
    pub price_usd: f64,
}

/// How months become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// Their mean.
    Mean,
    /// Their largest.
    Max,
}

/// Something known, that the model is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// In a few words.
    pub what: String,
    /// First and last month.
    pub months: (Month, Month),
    /// `WORLD`, or classes and generations whose numbers are added.
    pub places: Vec<String>,
    /// Of [`NETWORK`](super::NETWORK) or [`PARTS`](super::PARTS).
    pub variable: String,
    /// How its months become one number.
    pub take: Take,
    /// What the source allows.
    pub range: (f64, f64),
    /// Where it was read.
    pub source: String,
}

/// Everything beside a scenario.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// By month, without a gap.
    pub past: Vec<Past>,
    /// Generations, the oldest first.
    pub devices: Vec<Device>,
    /// Numbers of all classes and of each.
    pub numbers: Vec<Number>,
    /// What is known.
    pub facts: Vec<Fact>,
}

/// The files of [`Inputs::embedded`], for a manifest.
pub const FILES: [DataFile<'static>; 4] =
    [data!("eras.csv"), data!("eras_devices.csv"), data!("eras_network.csv"), data!("eras_facts.csv")];

impl Inputs {
    /// The tables built into the program.
    ///
    /// # Panics
    /// Never in a build whose tests pass: they load the same text.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Inputs> =
            LazyLock::new(|| Inputs::read(FILES).unwrap_or_else(|error| panic!("embedded data: {error}")));
        &EMBEDDED
    }

    /// From files in the order of [`FILES`].
    ///
    /// # Errors
    /// The first cell that cannot be used.
    pub fn read([numbers, devices, network, facts]: [DataFile<'_>; 4]) -> Result<Self, DataError> {
        let numbers = read_numbers(numbers)?;
        let devices = rows(
            devices,
            &[
                "code",
                "name",
                "available_from",
                "efficiency_j_per_th",
                "unit_th_per_s",
                "usd_per_th",
                "for_mining",
                "owned_at_home",
                "home_units",
                "spec_source",
                "spec_status",
                "price_source",
                "price_status",
                "date",
            ],
            device,
        )?;
        let columns =
            ["month", "hashrate_ths", "blocks_per_day", "chain_status", "price_usd_per_btc", "price_status"];
        let past = rows(network, &columns, past)?;
        if let Some(pair) = past.windows(2).find(|pair| pair[1].month.0 != pair[0].month.0 + 1) {
            let what = format!(
                "has a gap or goes back after {}; every month has one row",
                pair[0].month.first_day()
            );
            return Err(DataError::of(network.name, what));
        }
        let columns = [
            "what",
            "from_month",
            "to_month",
            "place",
            "variable",
            "take",
            "low",
            "high",
            "source",
            "status",
        ];
        let facts = rows(facts, &columns, |row| fact(row, &devices))?;
        Ok(Self { past, devices, numbers, facts })
    }

    /// What the parts of a run are called, classes first.
    #[must_use]
    pub fn codes(&self) -> Vec<RegionCode> {
        let classes = CLASSES.iter().map(|(code, _)| code.parse().expect("a test has read it"));
        classes.chain(self.devices.iter().map(|device| device.code)).collect()
    }
}

fn rows<T>(
    file: DataFile<'_>,
    columns: &[&'static str],
    read: impl Fn(Row<'_>) -> Result<T, DataError>,
) -> Result<Vec<T>, DataError> {
    Table::read(file, columns)?.rows().map(read).collect()
}

fn read_numbers(file: DataFile<'_>) -> Result<Vec<Number>, DataError> {
    let columns = ["name", "class", "value", "low", "high", "unit", "source", "date", "status"];
    let numbers = rows(file, &columns, number)?;
    let missing = |class: Option<usize>, names: &[&'static str]| {
        let known = |name: &str| numbers.iter().any(|number| number.name == name && number.class == class);
        let of = class.map_or(ALL, |class| CLASSES[class].0);
        names
            .iter()
            .find(|name| !known(name))
            .map(|name| format!("has no row {name},{of}; every number needs a value"))
    };
    let of_classes = (0..CLASSES.len()).find_map(|class| missing(Some(class), Class::NAMES));
    match missing(None, Common::NAMES).or(of_classes) {
        Some(what) => Err(DataError::of(file.name, what)),
        None => Ok(numbers),
    }
}

fn number(row: Row<'_>) -> Result<Number, DataError> {
    let class = match row.some_text("class")? {
        ALL => None,
        code => Some(CLASSES.iter().position(|(known, _)| *known == code).ok_or_else(|| {
            row.wrong("class", &format!("is not one of {ALL}, {}", CLASSES.map(|(code, _)| code).join(", ")))
        })?),
    };
    let names = if class.is_some() { Class::NAMES } else { Common::NAMES };
    let name = row.some_text("name")?;
    let name = names.iter().find(|known| **known == name).ok_or_else(|| {
        row.error(format!("there is no number of this name; try one of {}", names.join(", ")))
    })?;
    let read = |column| row.number(column, 0.0..=1e7, "that is no plausible number");
    let (value, low, high) = (read("value")?, read("low")?, read("high")?);
    if !(low..=high).contains(&value) {
        return Err(row.wrong("value", &format!("is outside its own range {low}..{high}")));
    }
    row.some_text("date")?;
    Ok(Number {
        name,
        class,
        value,
        low,
        high,
        unit: row.some_text("unit")?.to_owned(),
        source: row.some_text("source")?.to_owned(),
        status: row.one_of("status", &Status::ALL)?,
    })
}

fn device(row: Row<'_>) -> Result<Device, DataError> {
    for (source, status) in [("spec_source", "spec_status"), ("price_source", "price_status")] {
        row.some_text(source)?;
        row.one_of(status, &Status::ALL)?;
    }
    row.some_text("date")?;
    Ok(Device {
        code: row.parse("code", "a code such as ASIC-6")?,
        name: row.some_text("name")?.to_owned(),
        available_from: row.parse("available_from", "a month such as 2013-01")?,
        efficiency_j_per_th: row.number("efficiency_j_per_th", 1.0..=1e9, "is it in J/GH?")?,
        unit_th_per_s: row.number("unit_th_per_s", 1e-9..=1e5, "is it in GH/s?")?,
        usd_per_th: row.number("usd_per_th", 0.1..=1e9, "is it in USD per GH/s?")?,
        for_mining: row.one_of("for_mining", &[("0", false), ("1", true)])?,
        owned_at_home: row.number("owned_at_home", 0.0..=1.0, "it is a fraction")?,
        home_units: row.number("home_units", 1.0..=100.0, "a home has at least one")?,
    })
}

fn past(row: Row<'_>) -> Result<Past, DataError> {
    row.one_of("price_status", &Status::ALL)?;
    let chain = if row.text("hashrate_ths").is_empty() {
        None
    } else {
        row.one_of("chain_status", &Status::ALL)?;
        Some((
            row.number("hashrate_ths", 1e-9..=1e12, "is it in EH/s?")?,
            row.number("blocks_per_day", 1.0..=2_000.0, "144 are usual")?,
        ))
    };
    Ok(Past {
        month: row.parse("month", "a month such as 2013-01")?,
        chain,
        price_usd: row.number("price_usd_per_btc", 0.0..=1e8, "it is USD for a bitcoin")?,
    })
}

fn fact(row: Row<'_>, devices: &[Device]) -> Result<Fact, DataError> {
    row.one_of("status", &Status::ALL)?;
    let places: Vec<String> = row.some_text("place")?.split('+').map(str::to_owned).collect();
    let known = |place: &str| {
        CLASSES.iter().any(|(code, _)| *code == place)
            || devices.iter().any(|device| device.code.as_str() == place)
    };
    let network = places == ["WORLD"];
    if !network && !places.iter().all(|place| known(place)) {
        return Err(row.wrong("place", "is not WORLD, or classes and generations joined by +"));
    }
    let variables = if network { Model::Eras.world() } else { Model::Eras.regional() };
    let variable = row.some_text("variable")?;
    if !variables.iter().any(|known| known.name == variable) {
        let known: Vec<_> = variables.iter().map(|variable| variable.name).collect();
        return Err(row.wrong("variable", &format!("is not one of {}", known.join(", "))));
    }
    let read = |column| row.number(column, 0.0..=1e12, "that is no plausible fact");
    Ok(Fact {
        what: row.some_text("what")?.to_owned(),
        months: (row.parse("from_month", "a month")?, row.parse("to_month", "a month")?),
        places,
        variable: variable.to_owned(),
        take: row.one_of("take", &[("mean", Take::Mean), ("max", Take::Max)])?,
        range: (read("low")?, read("high")?),
        source: row.some_text("source")?.to_owned(),
    })
}
