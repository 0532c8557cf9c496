//! `adit spread sensitivity`: which parameters a result rests on.

use std::path::PathBuf;
use std::sync::Mutex;

use clap::{Args, ValueEnum};

use super::super::{Failure, print};
use super::claim::spread_of;
use super::parallel::{Stop, pieces};
use super::run::ready;
use super::{Setting, apply, cells, columns};
use crate::energy::Atlas;
use crate::spread::claim::{Assumptions, Parameters, Shock, Spread, Study, World};
use crate::spread::inputs::Inputs;
use crate::spread::run::run;
use crate::spread::sensitivity::{Factor, Interval, Morris, MorrisEffect, Sobol, SobolIndex};

/// Something whose results depend on named parameters.
pub(super) trait Subject: Sync {
    /// The parameters, with the ranges to sweep unless others are asked for.
    fn factors(&self) -> Vec<Factor>;
    /// Names of the results.
    fn results(&self) -> &'static [&'static str];
    /// Whether a name that is not among the factors can be swept too, over a range that is given.
    fn takes(&self, _name: &str) -> bool {
        false
    }
    /// The results for values of some parameters, by name.
    fn evaluate(&self, names: &[String], values: &[f64]) -> anyhow::Result<Vec<f64>>;
}

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Elementary effects: which of many parameters matter at all
    Morris,
    /// Variance: how much each parameter explains
    Sobol,
}

/// `NAME` or `NAME=LOW..HIGH` on the command line.
#[derive(Debug, Clone)]
struct Range {
    name: String,
    ends: Option<(f64, f64)>,
}

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, ends)) = text.split_once('=') else {
            return Ok(Self { name: text.to_owned(), ends: None });
        };
        let ends =
            ends.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        match ends {
            Some((low, high)) if low < high => Ok(Self { name: name.to_owned(), ends: Some((low, high)) }),
            _ => Err(format!("`{text}` is not NAME=LOW..HIGH such as depth_mean=0.3..0.9")),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit spread sensitivity
  adit spread sensitivity --method sobol --samples 256 --factor depth_mean --factor hazard_scale=0.5..2
  adit spread sensitivity --spread equal-countries --shock coordinated-ban --json
  adit spread sensitivity --scenario scenarios/today.toml
  adit spread sensitivity --scenario scenarios/today.toml --factor reinvested --factor region.ET.price_mid=0.03..0.07
With --scenario the parameters are those it names, and the results are of its last day. Else the
claim is looked at. Its parameters: hazard_scale, which multiplies every hazard, and those of data/claim.csv over the
ranges there. Equations: docs/model.md, Sensitivity. Ctrl-C ends it without a result.")]
pub(super) struct Sensitivity {
    /// How to look
    #[arg(long, value_enum, default_value = "morris")]
    method: Method,
    /// Trajectories of Morris, or samples of Sobol [default: 20, or 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    samples: Option<u32>,
    /// Sweep this parameter, over this range; may be repeated [default: all]
    #[arg(long, value_name = "NAME[=LOW..HIGH]")]
    factor: Vec<Range>,
    /// Keep a parameter at another value; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
    /// Look at this scenario, not at the claim
    #[arg(long, value_name = "FILE", conflicts_with_all = ["spread", "shock", "draws"])]
    scenario: Option<PathBuf>,
    /// Runs of the scenario to take the mean of, for each evaluation
    #[arg(long, value_name = "N", default_value_t = 3, requires = "scenario")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// The spread whose loss is explained
    #[arg(long, value_name = "NAME", default_value = "us-half-moved")]
    spread: String,
    /// The kind of year
    #[arg(long, value_name = "NAME", default_value = "hydro-correlated")]
    shock: Shock,
    /// Years to draw for each evaluation
    #[arg(long, value_name = "N", default_value_t = 4_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    draws: u64,
    /// Decides everything that is drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print results as JSON
    #[arg(long)]
    json: bool,
}

impl Sensitivity {
    pub(super) fn run(self) -> Result<(), Failure> {
        if let Some(path) = self.scenario.clone() {
            let sets: Vec<String> =
                self.set.iter().map(|set| format!("{}={:?}", set.name, set.value)).collect();
            let (ready, _) = ready(&path, &sets)?;
            let subject = ScenarioSubject {
                path,
                sets,
                named: ready.scenario.sensitivity,
                runs: self.runs,
                seed: self.seed,
            };
            return self.look_at(&subject);
        }
        let assumptions = Assumptions::embedded();
        let mut parameters = assumptions.values.clone();
        apply(&self.set, &mut parameters)?;
        let world = World::new(Atlas::embedded(), assumptions);
        let spread =
            |name| spread_of(&world, name, &parameters).map_err(|text| Failure::Usage(anyhow::anyhow!(text)));
        let spreads = [spread("today")?, spread(&self.spread)?];
        let subject = ClaimSubject {
            world,
            spreads,
            shock: self.shock,
            parameters,
            draws: self.draws,
            seed: self.seed,
        };
        self.look_at(&subject)
    }

    /// Evaluates the design on all cores and says what the results mean.
    fn look_at(self, subject: &impl Subject) -> Result<(), Failure> {
        let factors = self.factors_of(subject)?;
        let names: Vec<String> = factors.iter().map(|factor| factor.name.clone()).collect();
        let (morris, sobol) = match self.method {
            Method::Morris => {
                (Some(Morris::new(factors, self.samples.unwrap_or(20) as usize, self.seed)), None)
            }
            Method::Sobol => {
                (None, Some(Sobol::new(factors, self.samples.unwrap_or(128) as usize, self.seed)))
            }
        };
        let points =
            morris.as_ref().map(Morris::points).or(sobol.as_ref().map(Sobol::points)).unwrap_or_default();
        let results = evaluate(subject, &names, &points)?;
        let mut all = Vec::new();
        for (nth, &name) in subject.results().iter().enumerate() {
            let of: Vec<f64> = results.iter().map(|result| result[nth]).collect();
            let effects = morris.as_ref().and_then(|morris| morris.effects(&of));
            let indices = sobol.as_ref().and_then(|sobol| sobol.indices(&of));
            if self.json {
                all.push(serde_json::json!({ "result": name, "morris": effects, "sobol": indices }));
            } else {
                let text = effects.map(morris_text).or(indices.map(sobol_text));
                print(format!("{name}\n{}\n", text.unwrap_or_else(|| "does not vary".to_owned())));
            }
        }
        if self.json {
            print(serde_json::json!({ "evaluations": points.len(), "seed": self.seed, "results": all }));
        } else {
            print(format!("{} evaluations; [95 % intervals by bootstrap]", points.len()));
        }
        Ok(())
    }

    fn factors_of(&self, subject: &impl Subject) -> Result<Vec<Factor>, Failure> {
        let known = subject.factors();
        if self.factor.is_empty() {
            // What is set is meant to stay.
            let is_set = |name: &str| self.set.iter().any(|setting| setting.name == name);
            return Ok(known.into_iter().filter(|factor| !is_set(&factor.name)).collect());
        }
        let chosen = self.factor.iter().map(|range| {
            if let (Some((low, high)), true) = (range.ends, subject.takes(&range.name)) {
                return Ok(Factor { name: range.name.clone(), low, high });
            }
            let mut factor =
                known.iter().find(|factor| factor.name == range.name).cloned().ok_or_else(|| {
                    let names: Vec<&str> = known.iter().map(|factor| factor.name.as_str()).collect();
                    let name = &range.name;
                    Failure::Usage(anyhow::anyhow!(
                        "--factor {name}: there is none; there are {}",
                        names.join(", ")
                    ))
                })?;
            (factor.low, factor.high) = range.ends.unwrap_or((factor.low, factor.high));
            Ok(factor)
        });
        chosen.collect()
    }
}

/// The results at every point, in their order.
fn evaluate(subject: &impl Subject, names: &[String], points: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, Failure> {
    let stop = Stop::listen()?;
    let failure = Mutex::new(None);
    let work = |piece: u64, done: &mut Vec<(u64, Vec<f64>)>| match subject
        .evaluate(names, &points[piece as usize])
    {
        Ok(results) => done.push((piece, results)),
        Err(error) => {
            failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
        }
    };
    let mut done: Vec<_> =
        pieces("evaluations", points.len() as u64, &stop, Vec::new, work).into_iter().flatten().collect();
    if let Some(error) = failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(Failure::Usage(error));
    }
    if done.len() < points.len() {
        let error = anyhow::anyhow!("interrupted after {} of {} evaluations", done.len(), points.len());
        return Err(Failure::Surroundings(error));
    }
    done.sort_by_key(|(piece, _)| *piece);
    Ok(done.into_iter().map(|(_, results)| results).collect())
}

fn morris_text(mut effects: Vec<MorrisEffect>) -> String {
    effects.sort_by(|a, b| b.mu_star.value.total_cmp(&a.mu_star.value));
    // A table of zeros tells less than their names.
    let without = effects.split_off(effects.partition_point(|effect| effect.mu_star.value > 0.0));
    let mut rows = vec![cells(["  parameter", "mu*", "", "mu", "sigma"])];
    rows.extend(effects.iter().map(|effect| {
        vec![
            format!("  {}", effect.factor),
            figure(effect.mu_star.value),
            interval(effect.mu_star),
            figure(effect.mu.value),
            figure(effect.sigma.value),
        ]
    }));
    let mut text = columns(1, &rows);
    if !without.is_empty() {
        let names: Vec<&str> = without.iter().map(|effect| effect.factor.as_str()).collect();
        text.push_str(&format!("\n  no effect at all: {}", names.join(", ")));
    }
    text
}

fn sobol_text(mut indices: Vec<SobolIndex>) -> String {
    indices.sort_by(|a, b| b.total.value.total_cmp(&a.total.value));
    let mut rows = vec![cells(["  parameter", "first", "", "total", ""])];
    rows.extend(indices.iter().map(|index| {
        vec![
            format!("  {}", index.factor),
            figure(index.first_order.value),
            interval(index.first_order),
            figure(index.total.value),
            interval(index.total),
        ]
    }));
    columns(1, &rows)
}

fn interval(of: Interval) -> String {
    format!("[{}, {}]", figure(of.low), figure(of.high))
}

/// Four decimals for small figures, none for large ones.
fn figure(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.4}") } else { format!("{value:.0}") }
}

/// The claim as something to look at.
struct ClaimSubject {
    world: World,
    /// Today's and the one that is explained.
    spreads: [Spread; 2],
    shock: Shock,
    parameters: Parameters,
    draws: u64,
    seed: u64,
}

/// The parameter that multiplies every hazard.
const HAZARD_SCALE: &str = "hazard_scale";

impl Subject for ClaimSubject {
    fn factors(&self) -> Vec<Factor> {
        let scale = Factor { name: HAZARD_SCALE.to_owned(), low: 0.5, high: 2.0 };
        let rows = Assumptions::embedded().rows.iter();
        let rows = rows.map(|row| Factor { name: row.name.to_owned(), low: row.low, high: row.high });
        // A definition is not uncertain, and the base hazard is of the surface alone.
        let is_swept =
            |factor: &Factor| !["loss_bad_fraction", "hazard_base_per_year"].contains(&factor.name.as_str());
        std::iter::once(scale).chain(rows.filter(is_swept)).collect()
    }

    fn results(&self) -> &'static [&'static str] {
        &[
            "loss_mean",
            "loss_p99",
            "loss_bad_probability",
            "recovery_mean_days",
            "loss_p99_less_that_of_today",
        ]
    }

    fn evaluate(&self, names: &[String], values: &[f64]) -> anyhow::Result<Vec<f64>> {
        let (mut world, mut parameters) = (self.world.clone(), self.parameters.clone());
        for (name, &value) in names.iter().zip(values) {
            if name == HAZARD_SCALE {
                world.places.iter_mut().for_each(|place| place.hazard_per_year *= value);
            } else {
                parameters.set(name, value)?;
            }
        }
        // The same years at every point, so that differences are those of the parameters.
        let study = Study::new(world, self.spreads.to_vec(), vec![self.shock], parameters, self.seed);
        let results = study.results(&study.draw(0..self.draws));
        let [today, case] = &results.cases[..] else {
            anyhow::bail!("two spreads in one kind of year are two cases")
        };
        Ok(vec![
            case.loss_mean.value,
            case.loss_p99.value,
            case.loss_bad_probability.value,
            case.recovery_mean_days.value,
            case.loss_p99.value - today.loss_p99.value,
        ])
    }
}

/// A scenario as something to look at.
struct ScenarioSubject {
    path: PathBuf,
    sets: Vec<String>,
    /// Parameters that the scenario names.
    named: Vec<String>,
    runs: u32,
    seed: u64,
}

impl Subject for ScenarioSubject {
    fn factors(&self) -> Vec<Factor> {
        let is_meant = |name: &String| self.named.is_empty() || self.named.contains(name);
        let rows = Inputs::embedded().provenance.iter();
        rows.filter(|row| row.low < row.high && is_meant(&row.name))
            .map(|row| Factor { name: row.name.clone(), low: row.low, high: row.high })
            .collect()
    }

    fn results(&self) -> &'static [&'static str] {
        &["hashrate_ehs", "hhi", "energy_twh_per_year", "power_cost_usd_per_kwh", "share_of_usa"]
    }

    fn takes(&self, name: &str) -> bool {
        name.starts_with("region.")
            || name.starts_with("world.")
            || name.starts_with("price.")
            || Inputs::embedded().provenance.iter().any(|row| row.name == name)
    }

    fn evaluate(&self, names: &[String], values: &[f64]) -> anyhow::Result<Vec<f64>> {
        let mut sets = self.sets.clone();
        sets.extend(names.iter().zip(values).map(|(name, value)| format!("{name}={value:?}")));
        let (ready, _) = ready(&self.path, &sets).map_err(Failure::into_error)?;
        let mut sums = vec![0.0; self.results().len()];
        for number in 0..self.runs {
            // The same draws at every point, so that differences are those of the parameters.
            let record = run(&ready, self.seed, number);
            let last = |name| record.world_series(name).last().map_or(0.0, |(_, value)| value);
            let usa: f64 = (0..record.regions.len())
                .filter(|at| record.regions[*at].as_str().starts_with("US-"))
                .filter_map(|at| record.regional_series("share", at).last().map(|(_, share)| share))
                .sum();
            let [world @ .., _] = self.results() else { anyhow::bail!("there are results") };
            for (sum, value) in sums.iter_mut().zip(world.iter().map(|name| last(name)).chain([usa])) {
                *sum += value / f64::from(self.runs);
            }
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_a_name_and_perhaps_ends() {
        fn check(text: &str, name: &str, ends: Option<(f64, f64)>) {
            let range: Range = text.parse().unwrap();
            assert_eq!((range.name.as_str(), range.ends), (name, ends));
        }
        check("depth_mean", "depth_mean", None);
        check("depth_mean=0.3..0.9", "depth_mean", Some((0.3, 0.9)));
        for text in ["a=", "a=1", "a=2..1", "a=x..1"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
