//! The model's numbers by name, each with its range, unit, source and status.

use crate::energy::{DataError, DataFile, Row, Status, Table};

/// Columns of `parameters.csv`; the first names the row in errors.
const COLUMNS: [&str; 8] = ["name", "value", "low", "high", "unit", "source", "date", "status"];

macro_rules! parameters {
    ($($name:ident),* $(,)?) => {
        /// The numbers that a run rests on; units and sources are in `data/parameters.csv`.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each is a row of data/parameters.csv")]
        pub struct Parameters { $(pub $name: f64),* }

        impl Parameters {
            /// Their names, in the order of the struct.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// The parameter of that name.
            #[must_use]
            pub fn get_mut(&mut self, name: &str) -> Option<&mut f64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// All of the value `value(name)`.
            fn of(mut value: impl FnMut(&'static str) -> f64) -> Self {
                Self { $($name: value(stringify!($name))),* }
            }
        }
    };
}

parameters!(
    pool_fee,
    fee_share,
    operation_usd_per_kwh,
    operation_avoidable,
    off_threshold,
    on_threshold,
    switch_days,
    cost_spread,
    heat_start_c,
    heat_loss_per_c,
    heat_day_swing_c,
    hydro_price_exponent,
    spot_exposed,
    season_road_days,
    transit_stage_days,
    transit_loss,
    never_return,
    covert_return,
    covert_days,
    idle_scrap_days,
    idle_sale_days,
    wear_per_year,
    rig_payback_days,
    rig_margin_exponent,
    rig_price_memory_days,
    reinvested,
    capital_exponent,
    delivery_days,
    delivered_mw_per_month_max,
    past_growth_per_year,
    initial_efficiency_j_per_th,
    initial_oldest_max,
    initial_idle,
    site_slack,
    build_profit_exponent,
    build_growth_per_year,
    preference,
    capital_years,
    discount_per_year,
    storm_curtailment,
    summer_ban_reach,
    crackdown_reach,
    rationing_reach,
    appeal_reach,
    blackout_reach,
    internet_reach,
    internet_cut_effective,
    drought_reach,
    convertible_to_ai,
    ai_usd_per_kwh,
    ai_capital_usd_per_kwh,
    ai_growth_per_year,
    price_volatility_per_year,
    price_drift_per_year,
);

/// What is known of a parameter beside its value.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Provenance {
    /// Its name.
    pub name: String,
    /// The value in the file.
    pub value: f64,
    /// The least that is plausible.
    pub low: f64,
    /// The most that is plausible.
    pub high: f64,
    /// Its unit, in words.
    pub unit: String,
    /// Where the value comes from.
    pub source: String,
    /// Of when the value is.
    pub date: String,
    /// How far it can be trusted.
    pub status: Status,
}

impl Parameters {
    /// The rows of a `parameters.csv`, in file order.
    ///
    /// # Errors
    /// The first cell that cannot be used, an unknown or a missing name.
    pub fn read(file: DataFile<'_>) -> Result<(Self, Vec<Provenance>), DataError> {
        let table = Table::read(file, &COLUMNS)?;
        let rows = table.rows().map(provenance).collect::<Result<Vec<_>, _>>()?;
        if let Some(missing) = Self::NAMES.iter().find(|name| !rows.iter().any(|row| row.name == **name)) {
            return Err(table.error(format!("has no row {missing}; every parameter needs a value")));
        }
        let value = |name| rows.iter().find(|row| row.name == name).map_or(f64::NAN, |row| row.value);
        Ok((Self::of(value), rows))
    }
}

fn provenance(row: Row<'_>) -> Result<Provenance, DataError> {
    let name = row.some_text("name")?;
    if !Parameters::NAMES.contains(&name) {
        return Err(row.error(format!(
            "there is no parameter of this name; try one of {}",
            Parameters::NAMES.join(", ")
        )));
    }
    let number = |column| row.number(column, -1e9..=1e9, "that is no plausible parameter");
    let (value, low, high) = (number("value")?, number("low")?, number("high")?);
    if !(low..=high).contains(&value) {
        return Err(row.wrong("value", &format!("is outside its own range {low}..{high}")));
    }
    Ok(Provenance {
        name: name.to_owned(),
        value,
        low,
        high,
        unit: row.some_text("unit")?.to_owned(),
        source: row.some_text("source")?.to_owned(),
        date: row.some_text("date")?.to_owned(),
        status: row.one_of("status", &Status::ALL)?,
    })
}
