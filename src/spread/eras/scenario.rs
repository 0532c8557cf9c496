//! A scenario of the eras as a file says it, checked, and made ready to run.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::day::Day;
use super::super::record::Model;
use super::super::source::{ScenarioError, Source, Wrong};
use super::inputs::{CLASSES, Inputs, Month, Number};

/// The last month that a scenario may reach.
const LAST: Month = Month(2060 * 12);

/// A file of `scenarios/` with `model = "eras"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Which model it is for.
    pub model: Model,
    /// In a few words.
    pub title: String,
    /// What it asks, in some sentences.
    #[serde(default)]
    pub about: String,
    /// A day of the first month that is recorded; the model begins in January 2009 whatever it says.
    pub start: Day,
    /// A day of the last month.
    pub end: Day,
    /// Hashrate where the record has none: between these in equal ratios, then as the last.
    #[serde(default)]
    pub after: Vec<After>,
    /// Numbers of all classes that are known for sure.
    #[serde(default)]
    pub parameters: BTreeMap<String, f64>,
    /// Numbers of a class that are known for sure.
    #[serde(default)]
    pub class: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Hashrate of a month after the record.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Which month.
    pub month: Month,
    /// Mean of the network.
    pub hashrate_ehs: f64,
}

/// The network in a month, record or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outside {
    pub month: Month,
    pub hashrate_ths: f64,
    pub blocks_per_day: f64,
    pub price_usd: f64,
}

/// A scenario, ready.
#[derive(Debug, Clone)]
pub struct Ready {
    /// As it was written, and set.
    pub scenario: Scenario,
    /// The tables.
    pub inputs: &'static Inputs,
    /// By month from January 2009 on.
    pub(super) outside: Vec<Outside>,
    /// For each of `inputs.numbers`, what the scenario sets it to.
    pub(super) fixed: Vec<Option<f64>>,
}

/// Whether the text is a scenario of the eras.
///
/// # Errors
/// What is no TOML, or no model.
pub fn reads(source: Source<'_>) -> Result<bool, ScenarioError> {
    #[derive(Deserialize)]
    struct Which {
        #[serde(default)]
        model: Model,
    }
    Ok(source.value::<Which>()?.model == Model::Eras)
}

impl Ready {
    /// Reads a scenario and looks up what it names.
    ///
    /// # Errors
    /// What is wrong, where, and what to try.
    pub fn of(source: Source<'_>) -> Result<Self, ScenarioError> {
        let scenario: Scenario = source.value()?;
        let inputs = Inputs::embedded();
        let ready = scenario.outside(inputs).and_then(|outside| Ok((outside, scenario.fixed(inputs)?)));
        let (outside, fixed) = ready.map_err(|wrong| source.error(wrong))?;
        Ok(Self { scenario, inputs, outside, fixed })
    }

    /// Whether the scenario sets the number, so that it is not drawn.
    #[must_use]
    pub fn sets(&self, number: &Number) -> bool {
        let at = self.inputs.numbers.iter().position(|known| known == number);
        at.is_some_and(|at| self.fixed[at].is_some())
    }
}

impl Scenario {
    fn outside(&self, inputs: &Inputs) -> Result<Vec<Outside>, Wrong> {
        let (first, end) = (inputs.past[0].month, Month::of(self.end));
        if self.end < self.start {
            let reason =
                format!("end = {} is before start = {}; are the two exchanged?", self.end, self.start);
            return Err(Wrong::new("end", reason));
        }
        if Month::of(self.start) < first {
            let reason = format!("start = {} is before the first block; try 2009-01-01", self.start);
            return Err(Wrong::new("start", reason));
        }
        if end > LAST {
            return Err(Wrong::new("end", format!("end = {} is after {}", self.end, LAST.first_day())));
        }
        let known = inputs.past.iter().rev().find_map(|past| Some((past.month, past.chain?.0)));
        let mut path = vec![known.expect("a test has read the record")];
        for (at, after) in self.after.iter().enumerate() {
            let (before, _) = path[path.len() - 1];
            if after.month <= before {
                let reason = format!(
                    "month = {} is not after {}, which is known before; put months in their order",
                    after.month.first_day(),
                    before.first_day()
                );
                return Err(Wrong::new(format!("after.{at}.month"), reason));
            }
            if !(1e-3..=1e6).contains(&after.hashrate_ehs) {
                let reason = format!(
                    "hashrate_ehs = {} is outside 0.001..1000000; is it in TH/s?",
                    after.hashrate_ehs
                );
                return Err(Wrong::new(format!("after.{at}.hashrate_ehs"), reason));
            }
            path.push((after.month, after.hashrate_ehs * 1e6));
        }
        let on_path = |month: Month| {
            let later = path.iter().position(|(known, _)| *known >= month);
            match later {
                None => path[path.len() - 1].1,
                Some(0) => path[0].1,
                Some(at) => {
                    let ((from, low), (to, high)) = (path[at - 1], path[at]);
                    low * (high / low).powf(f64::from(month.0 - from.0) / f64::from(to.0 - from.0))
                }
            }
        };
        let last = inputs.past[inputs.past.len() - 1];
        let month = |at: i32| {
            let month = Month(at);
            let past = inputs.past.get((at - first.0) as usize).copied().unwrap_or(last);
            let (hashrate_ths, blocks_per_day) = past.chain.unwrap_or_else(|| (on_path(month), 144.0));
            Outside { month, hashrate_ths, blocks_per_day, price_usd: past.price_usd }
        };
        Ok((first.0..=end.0).map(month).collect())
    }

    fn fixed(&self, inputs: &Inputs) -> Result<Vec<Option<f64>>, Wrong> {
        let mut fixed = vec![None; inputs.numbers.len()];
        let all =
            self.parameters.iter().map(|(name, value)| (None, name, *value, format!("parameters.{name}")));
        let of_classes = self.class.iter().flat_map(|(class, numbers)| {
            numbers
                .iter()
                .map(move |(name, value)| (Some(class), name, *value, format!("class.{class}.{name}")))
        });
        for (class, name, value, key) in all.chain(of_classes) {
            let code = class.map(|class| CLASSES.iter().position(|(code, _)| code == class));
            let of: Vec<usize> = (0..inputs.numbers.len())
                .filter(|&at| match code {
                    Some(code) => code.is_some() && inputs.numbers[at].class == code,
                    None => inputs.numbers[at].class.is_none(),
                })
                .collect();
            if of.is_empty() {
                let known = CLASSES.map(|(code, _)| code).join(", ");
                return Err(Wrong::new(&key, format!("there is no such class; try one of {known}")));
            }
            let Some(&at) = of.iter().find(|&&at| inputs.numbers[at].name == name) else {
                let distance = |at: &&usize| strsim::jaro_winkler(name, inputs.numbers[**at].name);
                let near = of.iter().max_by(|a, b| distance(a).total_cmp(&distance(b)));
                let near = near.map_or("", |at| inputs.numbers[*at].name);
                return Err(Wrong::new(&key, format!("there is no `{name}` here; did you mean {near}?")));
            };
            if !(0.0..=1e7).contains(&value) {
                let unit = &inputs.numbers[at].unit;
                return Err(Wrong::new(
                    &key,
                    format!("{key} = {value} is outside 0..10000000; it is {unit}"),
                ));
            }
            fixed[at] = Some(value);
        }
        Ok(fixed)
    }
}
