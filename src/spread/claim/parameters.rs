//! The numbers that the claim rests on, each with range, unit, source and status.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::energy::{DataError, DataFile, RegionCode, Row, Status, Table};

/// Columns of `claim.csv`; the first names the row in errors.
const COLUMNS: [&str; 8] = ["name", "value", "low", "high", "unit", "source", "date", "status"];

/// Names of rows that say how much of a region's power is hydropower begin so.
const HYDRO_PREFIX: &str = "hydro_dependence.";

macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident in $low:literal..=$high:literal;)*) => {
        /// Values of one run. Names are those of `claim.csv`, which has units and sources.
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct Parameters {
            $($(#[$doc])* pub $name: f64,)*
        }

        impl Parameters {
            /// Name, and the smallest and greatest value that makes sense.
            const LIMITS: &'static [(&'static str, f64, f64)] = &[$((stringify!($name), $low, $high),)*];

            fn from_values(values: &[f64]) -> Self {
                let mut values = values.iter().copied();
                Self { $($name: values.next().unwrap_or(f64::NAN),)* }
            }

            fn get_mut(&mut self, name: &str) -> Option<&mut f64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

parameters! {
    /// Mean part of a struck region's hashrate that goes off.
    depth_mean in 0.0..=1.0;
    /// Sum of the two parameters of the beta distribution of that part.
    depth_concentration in 0.1..=1000.0;
    /// Latent correlation of local shocks in any two regions.
    correlation_world in 0.0..=1.0;
    /// Latent correlation within a country, of what the world does not share.
    correlation_country in 0.0..=1.0;
    /// Probability of a dry year in a hydro region.
    drought_probability_per_year in 0.0..=1.0;
    /// Latent correlation of dry years in any two hydro regions.
    drought_correlation in 0.0..=1.0;
    /// Part of the hashrate on hydropower that a dry year takes.
    drought_depth in 0.0..=1.0;
    /// Mean days until the water is back.
    drought_mean_days in 0.0..=1830.0;
    /// Probability of a year in which the price crashes.
    price_crash_probability_per_year in 0.0..=1.0;
    /// Smallest part of the price that a crash takes.
    price_crash_fraction_min in 0.0..=0.99;
    /// Greatest part of the price that a crash takes.
    price_crash_fraction_max in 0.0..=0.99;
    /// Mean days until a crash is made up for.
    price_crash_mean_days in 0.0..=1830.0;
    /// What a petahash per second earns in a day before shocks.
    hashprice_usd_per_phs_day in 0.01..=100_000.0;
    /// Scale of the logistic by which machines of a region differ in the logarithm of their cost.
    fleet_cost_width in 0.01..=5.0;
    /// Probability of a year in which a large pool fails.
    pool_failure_probability_per_year in 0.0..=1.0;
    /// Its part of the network.
    pool_share in 0.0..=1.0;
    /// The part of its miners that has no working second pool.
    pool_stuck_fraction in 0.0..=1.0;
    /// Mean days until it is back.
    pool_failure_mean_days in 0.0..=1830.0;
    /// Probability of a year in which countries ban together.
    ban_probability_per_year in 0.0..=1.0;
    /// Probability that a country is among them.
    ban_join_probability in 0.0..=1.0;
    /// Shape of the gamma distribution of the delay of relocation.
    relocation_shape in 0.1..=100.0;
    /// Its scale.
    relocation_scale_days in 0.1..=1000.0;
    /// Part of the lost hashrate that comes back where it was.
    return_in_place_fraction in 0.0..=1.0;
    /// Part of the lost hashrate that never runs again.
    never_return_fraction in 0.0..=1.0;
    /// New machines a month, as part of the network's hashrate.
    deliveries_per_month in 0.0..=1.0;
    /// Empty racks, as part of the surviving hashrate.
    rack_vacancy_fraction in 0.0..=1.0;
    /// The network before shocks.
    network_hashrate_ehs in 0.001..=1e6;
    /// Machine power over hashrate, mean of the network.
    fleet_efficiency_j_per_th in 0.1..=1e5;
    /// What the machines are worth.
    rig_price_usd_per_ths in 0.0..=1e6;
    /// What the sites are worth.
    site_capex_usd_per_mw in 0.0..=1e9;
    /// Hazard of a region whose hazard is not raised, in the flip surface.
    hazard_base_per_year in 0.0..=20.0;
    /// Losses above this part of the network are bad.
    loss_bad_fraction in 0.0..=1.0;
}

/// One row of `claim.csv`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Parameter {
    /// As in [`Parameters`].
    pub name: &'static str,
    /// What is used unless a caller says otherwise.
    pub value: f64,
    /// Where a sweep begins.
    pub low: f64,
    /// Where a sweep ends.
    pub high: f64,
    /// For people.
    pub unit: String,
    /// Where it comes from, or that it is assumed.
    pub source: String,
    /// When that was.
    pub date: String,
    /// How far it can be trusted.
    pub status: Status,
}

/// A `claim.csv`: parameters, and which regions hang on water.
#[derive(Debug, Clone, PartialEq)]
pub struct Assumptions {
    /// The values.
    pub values: Parameters,
    /// The same with range and origin, in the order of [`Parameters`].
    pub rows: Vec<Parameter>,
    /// Part of a region's power that is hydropower; a region not listed has none.
    pub hydro_dependence: BTreeMap<RegionCode, f64>,
}

/// A parameter that does not exist or cannot have that value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadParameter(String);

impl Parameters {
    /// Gives a parameter another value.
    ///
    /// # Errors
    /// When there is none of that name, or the value makes no sense for it.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), BadParameter> {
        let Some(&(_, low, high)) = Self::LIMITS.iter().find(|(known, ..)| *known == name) else {
            let alike = |known: &str| strsim::jaro_winkler(known, name);
            let nearest =
                Self::LIMITS.iter().map(|(known, ..)| *known).max_by(|a, b| alike(a).total_cmp(&alike(b)));
            let nearest = nearest.unwrap_or_default();
            return Err(BadParameter(format!("no parameter is called `{name}`; did you mean `{nearest}`?")));
        };
        if !(low..=high).contains(&value) {
            return Err(BadParameter(format!(
                "{name} = {value} is outside {low}..{high}; see data/claim.csv for its unit"
            )));
        }
        if let Some(field) = self.get_mut(name) {
            *field = value;
        }
        Ok(())
    }
}

impl Assumptions {
    /// The file of `data/`, as it was when the program was built.
    ///
    /// # Panics
    /// Never in a build whose tests pass: they load the same text.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Assumptions> = LazyLock::new(|| {
            let text = include_str!("../../../data/claim.csv");
            Assumptions::from_csv(DataFile { name: "data/claim.csv", text })
                .unwrap_or_else(|error| panic!("embedded data: {error}"))
        });
        &EMBEDDED
    }

    /// Reads and checks a file with a row for each parameter.
    ///
    /// # Errors
    /// The first cell that cannot be used, a name that is unknown or stands twice, or one that is missing.
    pub fn from_csv(file: DataFile<'_>) -> Result<Self, DataError> {
        let table = Table::read(file, &COLUMNS)?;
        let mut found: Vec<Option<Parameter>> = vec![None; Parameters::LIMITS.len()];
        let mut hydro_dependence = BTreeMap::new();
        for row in table.rows() {
            let name = row.some_text("name")?;
            let twice = || row.error("name is already listed above; remove one of the two");
            if let Some(code) = name.strip_prefix(HYDRO_PREFIX) {
                let code = code.parse().map_err(|error| row.error(error))?;
                let part = row.number("value", 0.0..=1.0, "it is a part of 1; is it in percent?")?;
                if hydro_dependence.insert(code, part).is_some() {
                    return Err(twice());
                }
                continue;
            }
            let at = Parameters::LIMITS.iter().position(|(known, ..)| *known == name);
            let at = at.ok_or_else(|| {
                row.error("is not a parameter of the claim; remove the row or correct its name")
            })?;
            if found[at].is_some() {
                return Err(twice());
            }
            found[at] = Some(read(row, Parameters::LIMITS[at])?);
        }
        let rows: Vec<Parameter> = found
            .into_iter()
            .zip(Parameters::LIMITS)
            .map(|(row, (name, ..))| row.ok_or_else(|| table.error(format!("has no row for {name}; add it"))))
            .collect::<Result<_, _>>()?;
        let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
        Ok(Self { values: Parameters::from_values(&values), rows, hydro_dependence })
    }
}

fn read(row: Row<'_>, (name, low, high): (&'static str, f64, f64)) -> Result<Parameter, DataError> {
    let number = |column| row.number(column, low..=high, "is it in the unit that the row names?");
    let parameter = Parameter {
        name,
        value: number("value")?,
        low: number("low")?,
        high: number("high")?,
        unit: row.some_text("unit")?.to_owned(),
        source: row.some_text("source")?.to_owned(),
        date: row.some_text("date")?.to_owned(),
        status: row.one_of("status", &Status::ALL)?,
    };
    if !(parameter.low..=parameter.high).contains(&parameter.value) {
        return Err(row.wrong("value", "is not between low and high"));
    }
    Ok(parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_data_loads() {
        let assumptions = Assumptions::embedded();
        assert_eq!(assumptions.rows.len(), Parameters::LIMITS.len());
        assert_eq!(assumptions.values.relocation_scale_days, 45.0);
        assert_eq!(assumptions.hydro_dependence[&"PY".parse().unwrap()], 1.0);
        assert!(assumptions.rows.iter().all(|row| row.low < row.high));
    }

    #[test]
    fn bad_rows_say_why() {
        fn check(old: &str, new: &str, error: &str) {
            let text = include_str!("../../../data/claim.csv").replacen(old, new, 1);
            let read = Assumptions::from_csv(DataFile { name: "claim.csv", text: &text });
            assert_eq!(read.unwrap_err().to_string(), format!("claim.csv: {error}"));
        }
        check(
            "depth_mean,0.7",
            "depth_mean,70",
            "line 2 (depth_mean): value = 70 is outside 0..1; is it in the unit that the row names?",
        );
        check(
            "depth_mean,0.7",
            "depth_mean,0.1",
            "line 2 (depth_mean): value = 0.1 is not between low and high",
        );
        check(
            "depth_mean",
            "depht_mean",
            "line 2 (depht_mean): is not a parameter of the claim; remove the row or correct its name",
        );
        check(
            "hydro_dependence.PY",
            "hydro_dependence.ET",
            "line 35 (hydro_dependence.ET): name is already listed above; remove one of the two",
        );
    }

    #[test]
    fn values_are_set_by_name() {
        let mut values = Assumptions::embedded().values.clone();
        values.set("depth_mean", 1.0).unwrap();
        assert_eq!(values.depth_mean, 1.0);
        let error = values.set("depth_means", 1.0).unwrap_err().to_string();
        assert_eq!(error, "no parameter is called `depth_means`; did you mean `depth_mean`?");
        let error = values.set("depth_mean", 70.0).unwrap_err().to_string();
        assert_eq!(error, "depth_mean = 70 is outside 0..1; see data/claim.csv for its unit");
    }
}
