//! A scenario as a file says it, checked, and made ready to run.

use std::sync::Arc;

use serde::Deserialize;

use super::day::Day;
use super::eras;
use super::history::{History, HistoryFiles};
use super::inputs::{Effect, Inputs};
use super::parameters::Parameters;
use super::record::Model;
use super::source::Wrong;
pub use super::source::{ScenarioError, Source};
use super::world::{Event, World};
use crate::energy::{Region, RegionCode};
use crate::units::UsdPerKwh;

/// The longest scenario.
const YEARS_MAX: i32 = 60;

/// A file of `scenarios/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Which model it is for.
    #[serde(default)]
    pub model: Model,
    /// In a few words.
    pub title: String,
    /// What it asks, in some sentences.
    #[serde(default)]
    pub about: String,
    /// First day.
    pub start: Day,
    /// Last day.
    pub end: Day,
    /// Whether hours matter.
    #[serde(default)]
    pub step: Step,
    /// Days from one record to the next.
    #[serde(default = "week")]
    pub record_every_days: u32,
    /// The world on the first day.
    pub world: Start,
    /// The price of bitcoin.
    pub price: Price,
    /// Parameters that differ from `data/parameters.csv` and `data/calibration.toml`.
    #[serde(default)]
    pub parameters: toml::Table,
    /// What is known to happen.
    #[serde(default, rename = "event")]
    pub events: Vec<EventRow>,
    /// Whether the dated events of `data/history/events.csv` happen too.
    #[serde(default = "yes")]
    pub known_events: bool,
    /// Whether bans are drawn by the regions' hazards, which are guesses.
    #[serde(default)]
    pub random_bans: bool,
    /// Which parameters `adit spread sensitivity` varies, unless told.
    #[serde(default)]
    pub sensitivity: Vec<String>,
    /// Regions that differ from `data/regions.csv`.
    #[serde(default)]
    pub region: std::collections::BTreeMap<RegionCode, RegionRow>,
}

fn week() -> u32 {
    7
}

fn yes() -> bool {
    true
}

/// How fine a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A mean day: spot markets by their distribution.
    #[default]
    Day,
    /// Hours: spot prices drawn hour by hour, tariffs by their hours.
    Hour,
}

/// The world on the first day.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Network hashrate.
    pub hashrate_ehs: f64,
    /// Mean of the machines that run.
    pub efficiency_j_per_th: f64,
    /// Height of the chain.
    pub height: u32,
    /// Month of `data/shares.csv`; without it the shares of `data/regions.csv`.
    pub shares: Option<String>,
}

/// The price of bitcoin.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "path", rename_all = "snake_case", deny_unknown_fields)]
pub enum Price {
    /// Always this.
    Constant {
        /// USD/BTC.
        usd: f64,
    },
    /// A geometric random walk whose median grows by `price_drift_per_year`.
    Walk {
        /// USD/BTC on the first day.
        usd: f64,
    },
    /// As it was; after the record its last.
    History,
}

/// An event of a scenario.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRow {
    /// What it is called.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// A region, the first part of several (`US`), a country (`ETH`), or `WORLD`.
    pub regions: Vec<String>,
    /// First day.
    pub start: Day,
    /// Last day; without it for good.
    pub end: Option<Day>,
    /// How much; what it means depends on the effect.
    #[serde(default = "whole")]
    pub size: f64,
    /// Days from the end until all is as before.
    #[serde(default)]
    pub recovery_days: f64,
}

fn whole() -> f64 {
    1.0
}

/// What a scenario changes in a region.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionRow {
    /// USD/kWh; tariffs of the region no longer count.
    pub price_mid: Option<f64>,
    /// MW of sites in a month.
    pub build_mw_per_month: Option<f64>,
    /// Bans a year.
    pub policy_hazard_per_year: Option<f64>,
    /// Percent of the network on the first day.
    pub share_pct: Option<f64>,
    /// g CO2e/kWh.
    pub carbon_g_per_kwh: Option<f64>,
}

/// A scenario, ready.
#[derive(Debug, Clone)]
pub struct Ready {
    /// As it was written, and set.
    pub scenario: Scenario,
    /// What is the same in all runs.
    pub world: World,
    /// Shares of 1 on the first day, by region.
    pub shares: Vec<f64>,
    /// The record, for prices.
    pub history: Arc<History>,
}

impl Ready {
    /// Reads a scenario and looks up what it names.
    ///
    /// # Errors
    /// What is wrong, where, and what to try.
    pub fn of(source: Source<'_>, inputs: &Inputs) -> Result<Self, ScenarioError> {
        Scenario::read(source)?.ready(source, inputs)
    }
}

impl Scenario {
    fn read(source: Source<'_>) -> Result<Self, ScenarioError> {
        if eras::reads(source)? {
            let reason = "this is of the model `eras`, and what was asked for knows regions only; \
                          the guesses it rests on are ranked in the report of `adit spread`, or try scenarios/today.toml";
            return Err(source.error(Wrong::new("model", reason)));
        }
        let scenario: Self = source.value()?;
        scenario.check().map_err(|wrong| source.error(wrong))?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), Wrong> {
        let within = |key: &str, value: f64, low: f64, high: f64, hint: &str| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Wrong::new(key, format!("{key} = {value} is outside {low}..{high}; {hint}")))
            }
        };
        if self.end < self.start {
            let reason =
                format!("end = {} is before start = {}; are the two exchanged?", self.end, self.start);
            return Err(Wrong::new("end", reason));
        }
        if self.end - self.start > YEARS_MAX * 366 {
            let reason = format!("end = {} is more than {YEARS_MAX} years after start", self.end);
            return Err(Wrong::new("end", reason));
        }
        if self.record_every_days == 0 {
            return Err(Wrong::new("record_every_days", "record_every_days = 0; the least is 1"));
        }
        within("world.hashrate_ehs", self.world.hashrate_ehs, 1e-9, 1e6, "is it in TH/s?")?;
        within("world.efficiency_j_per_th", self.world.efficiency_j_per_th, 1.0, 1e7, "is it in J/GH?")?;
        if let Price::Constant { usd } | Price::Walk { usd } = self.price {
            within("price.usd", usd, 0.01, 1e8, "it is USD for a bitcoin")?;
        }
        for (at, event) in self.events.iter().enumerate() {
            let (low, high, hint) = match event.effect {
                Effect::Ban | Effect::Outage | Effect::Drought => (0.0, 1.0, "it is a fraction, not percent"),
                Effect::Price => (-0.99, 100.0, "-0.5 halves the price"),
                Effect::Power => (-0.99, 20.0, "0.3 is 30 % more"),
                Effect::Surcharge => (-1.0, 5.0, "it is USD/kWh"),
                Effect::Duty | Effect::Ai => (0.0, 10.0, "it is a fraction"),
                Effect::Freeze | Effect::None => (0.0, 1.0, "leave it out"),
            };
            if !(low..=high).contains(&event.size) {
                let reason =
                    format!("event {}: size = {} is outside {low}..{high}; {hint}", event.id, event.size);
                return Err(Wrong::new(format!("event.{at}.size"), reason));
            }
            if event.end.is_some_and(|end| end < event.start) {
                let reason = format!("event {}: end is before start; are the two exchanged?", event.id);
                return Err(Wrong::new(format!("event.{at}.end"), reason));
            }
        }
        for (code, row) in &self.region {
            if let Some(price) = row.price_mid {
                within(
                    &format!("region.{code}.price_mid"),
                    price,
                    -1.0,
                    5.0,
                    "it is USD/kWh; is it in cents or another currency?",
                )?;
            }
            if let Some(share) = row.share_pct {
                within(&format!("region.{code}.share_pct"), share, 0.0, 100.0, "it is percent")?;
            }
        }
        Ok(())
    }

    fn ready(self, source: Source<'_>, inputs: &Inputs) -> Result<Ready, ScenarioError> {
        let fail = |wrong: Wrong| source.error(wrong);
        let parameters = self.parameters(inputs).map_err(fail)?;
        let mut regions: Vec<Arc<Region>> = inputs.atlas.regions().cloned().collect();
        for (code, row) in &self.region {
            let at = regions.iter().position(|region| region.code == *code).ok_or_else(|| {
                let key = format!("region.{code}");
                let unknown = inputs
                    .atlas
                    .region(code.as_str())
                    .map_or_else(|error| error.to_string(), |_| String::new());
                fail(Wrong::new(&key, format!("{key}: {unknown}")))
            })?;
            let region = Arc::make_mut(&mut regions[at]);
            if let Some(price) = row.price_mid {
                region.set_price(UsdPerKwh(price));
            }
            if let Some(mw) = row.build_mw_per_month {
                region.build_power_per_month = crate::units::Watts(mw * 1e6);
            }
            if let Some(hazard) = row.policy_hazard_per_year {
                region.policy_hazard_per_year = hazard;
            }
            if let Some(carbon) = row.carbon_g_per_kwh {
                region.carbon_g_per_kwh = carbon;
            }
        }
        let shares = self.shares(inputs, &regions).map_err(fail)?;
        let history = History::read(HistoryFiles::embedded())
            .map_err(|error| fail(Wrong::new("", error.to_string())))?;
        let days = (self.end - self.start) as usize + 1;
        let mut world = World::new(inputs, regions, parameters, Vec::new(), self.start, days);
        if self.known_events {
            for past in history
                .events
                .iter()
                .chain(&inputs.events)
                .filter(|past| past.end.is_none_or(|end| end >= self.start))
            {
                if let Some(kind) = inputs.effects.get(&past.kind) {
                    // What began before the first day has had its effect on the first shares.
                    if past.start >= self.start || kind.effect == Effect::Freeze {
                        let of_past = Event::of_past(past, kind, inputs, &world.places, &world.parameters);
                        world.events.extend(of_past);
                    }
                }
            }
        }
        for (at, row) in self.events.iter().enumerate() {
            let mut meant = Vec::new();
            for name in &row.regions {
                let found = World::meant(&world.places, name);
                if found.is_empty() {
                    let reason = format!(
                        "event {}: no region is called `{name}`; write a code of data/regions.csv, the first part of several (US), a country (ETH) or WORLD",
                        row.id
                    );
                    return Err(fail(Wrong::new(format!("event.{at}.regions"), reason)));
                }
                meant.extend(found);
            }
            meant.sort_unstable();
            meant.dedup();
            world.events.push(Event {
                id: row.id.clone(),
                effect: row.effect,
                regions: meant,
                start: row.start,
                end: row.end,
                size: row.size,
                recovery_days: row.recovery_days,
                stages: Vec::new(),
            });
        }
        Ok(Ready { scenario: self, world, shares, history: Arc::new(history) })
    }

    fn parameters(&self, inputs: &Inputs) -> Result<Parameters, Wrong> {
        let mut parameters = inputs.parameters.clone();
        for (name, value) in &self.parameters {
            let key = format!("parameters.{name}");
            let value = value
                .as_float()
                .or_else(|| value.as_integer().map(|value| value as f64))
                .ok_or_else(|| Wrong::new(&key, format!("{key} = {value} is not a number")))?;
            let slot = parameters.get_mut(name).ok_or_else(|| {
                let near = Parameters::NAMES
                    .iter()
                    .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
                let near = near.unwrap_or(&"");
                Wrong::new(&key, format!("there is no parameter `{name}`; did you mean {near}?"))
            })?;
            *slot = value;
        }
        Ok(parameters)
    }

    fn shares(&self, inputs: &Inputs, regions: &[Arc<Region>]) -> Result<Vec<f64>, Wrong> {
        let mut shares: Vec<f64> = match &self.world.shares {
            None => regions.iter().map(|region| region.hashrate_share_pct).collect(),
            Some(month) => {
                let table = inputs.shares.get(month).ok_or_else(|| {
                    let known: Vec<&str> = inputs.shares.keys().map(String::as_str).collect();
                    let reason = format!("world.shares = {month}: data/shares.csv has {}", known.join(", "));
                    Wrong::new("world.shares", reason)
                })?;
                let of = |region: &Arc<Region>| {
                    table.iter().find(|(code, _)| *code == region.code).map_or(0.0, |(_, share)| *share)
                };
                regions.iter().map(of).collect()
            }
        };
        for (code, row) in &self.region {
            if let (Some(at), Some(share)) =
                (regions.iter().position(|region| region.code == *code), row.share_pct)
            {
                shares[at] = share;
            }
        }
        let sum: f64 = shares.iter().sum();
        if sum > 100.5 {
            let reason = format!(
                "the shares of the first day come to {sum:.1} %, and the network has 100; lower some with region.CODE.share_pct"
            );
            return Err(Wrong::new("region", reason));
        }
        if sum <= 0.0 {
            return Err(Wrong::new("region", "the shares of the first day are all zero"));
        }
        shares.iter_mut().for_each(|share| *share /= sum);
        Ok(shares)
    }
}
