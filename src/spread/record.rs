//! What a run tells: variables with units, by day, of the world and of each region.

use super::day::Day;
use super::eras;
use crate::energy::RegionCode;

/// Which model a run is of: each records other variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Fleets by region: [`WORLD`], [`REGIONAL`].
    #[default]
    World,
    /// Sites by size and generations of machines since 2009: [`eras::NETWORK`], [`eras::PARTS`].
    Eras,
}

impl Model {
    /// Every model.
    pub const ALL: [Self; 2] = [Self::World, Self::Eras];

    /// Variables of the whole network.
    #[must_use]
    pub fn world(self) -> &'static [Variable] {
        match self {
            Self::World => WORLD,
            Self::Eras => eras::NETWORK,
        }
    }

    /// Variables of each part of it: regions, or classes and generations.
    #[must_use]
    pub fn regional(self) -> &'static [Variable] {
        match self {
            Self::World => REGIONAL,
            Self::Eras => eras::PARTS,
        }
    }

    /// Whether it is the one that files mean which name none.
    #[must_use]
    pub fn is_world(&self) -> bool {
        *self == Self::World
    }
}

/// Something that a run records.
#[derive(Debug, PartialEq, Eq)]
pub struct Variable {
    /// As it stands in files; its unit ends the name.
    pub name: &'static str,
    /// For people.
    pub unit: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
}

pub(super) const fn variable(name: &'static str, unit: &'static str, help: &'static str) -> Variable {
    Variable { name, unit, help }
}

/// Of the whole network, in the order of [`Record::world`].
pub const WORLD: &[Variable] = &[
    variable("hashrate_ehs", "EH/s", "mean hashrate of the day"),
    variable("difficulty", "1", "network difficulty at the end of the day"),
    variable("block_interval_s", "s", "mean time between the day's blocks"),
    variable("price_usd_per_btc", "USD/BTC", "price of a bitcoin"),
    variable(
        "hashprice_usd_per_phs_day",
        "USD/PH/s/day",
        "what a petahash per second earns in a day, after the pool",
    ),
    variable("hhi", "0-10000", "Herfindahl-Hirschman index of country shares"),
    variable("entropy_nats", "nat", "Shannon entropy of country shares"),
    variable("nakamoto", "countries", "fewest countries that have more than half of the hashrate"),
    variable("power_mw", "MW", "power of all sites, cooling included"),
    variable("energy_twh_per_year", "TWh/year", "the day's energy times 365.25"),
    variable("carbon_t_per_day", "t CO2e", "emissions of the day"),
    variable("efficiency_j_per_th", "J/TH", "power of machines that run, without cooling, over hashrate"),
    variable("power_cost_usd_per_kwh", "USD/kWh", "mean price of the energy used"),
    variable("cost_usd_per_btc", "USD/BTC", "power, operation and capital of a bitcoin mined"),
    variable(
        "security_cost_usd_per_day",
        "USD/day",
        "power to match the honest hashrate for a day at the mean price",
    ),
    variable("rigs_idle_fraction", "1", "machines installed that do not run, by hashrate"),
    variable("in_transit_ehs", "EH/s", "machines between two sites"),
    variable("delivered_ehs", "EH/s", "new machines delivered since the beginning"),
];

/// Of one region, in the order of [`Record::regional`].
pub const REGIONAL: &[Variable] = &[
    variable("hashrate_ehs", "EH/s", "mean hashrate of the day"),
    variable("share", "1", "part of the network's hashrate"),
    variable("power_mw", "MW", "power of the sites, cooling included"),
    variable("power_price_usd_per_kwh", "USD/kWh", "mean price of the energy used"),
    variable("cost_usd_per_btc", "USD/BTC", "power, operation and capital of a bitcoin mined here"),
    variable("uptime", "1", "hashrate that runs over hashrate installed"),
    variable("lost_ehs", "EH/s", "hashrate that shocks keep off"),
    variable("carbon_t_per_day", "t CO2e", "emissions of the day"),
    variable("site_capacity_mw", "MW", "power that sites can take"),
];

/// One run: a row a recorded day.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The model that it is of.
    pub model: Model,
    /// Which run of the study it is, from 0.
    pub run: u32,
    /// The regions, in the order of the columns; of eras the classes and generations.
    pub regions: Vec<RegionCode>,
    /// The days recorded, ascending.
    pub days: Vec<Day>,
    /// `[day][variable]`, flattened: see [`Model::world`].
    pub world: Vec<f64>,
    /// `[day][variable][region]`, flattened: see [`Model::regional`].
    pub regional: Vec<f64>,
}

impl Record {
    /// A record of the world without days.
    #[must_use]
    pub fn new(run: u32, regions: Vec<RegionCode>) -> Self {
        Self::of(Model::World, run, regions)
    }

    /// A record without days.
    #[must_use]
    pub fn of(model: Model, run: u32, regions: Vec<RegionCode>) -> Self {
        Self { model, run, regions, days: Vec::new(), world: Vec::new(), regional: Vec::new() }
    }

    /// A variable of the world over the recorded days.
    ///
    /// # Panics
    /// There is no such variable: a bug of the caller.
    pub fn world_series(&self, name: &str) -> impl Iterator<Item = (Day, f64)> + '_ {
        let (at, per_day) = (position(self.model.world(), name), self.model.world().len());
        self.days.iter().enumerate().map(move |(day, &date)| (date, self.world[day * per_day + at]))
    }

    /// A variable of the region at `region` in [`Record::regions`].
    ///
    /// # Panics
    /// As [`Record::world_series`].
    pub fn regional_series(&self, name: &str, region: usize) -> impl Iterator<Item = (Day, f64)> + '_ {
        let (at, per_day) = (position(self.model.regional(), name), self.model.regional().len());
        let regions = self.regions.len();
        self.days
            .iter()
            .enumerate()
            .map(move |(day, &date)| (date, self.regional[(day * per_day + at) * regions + region]))
    }
}

fn position(variables: &[Variable], name: &str) -> usize {
    variables.iter().position(|variable| variable.name == name).expect("a variable that is recorded")
}
