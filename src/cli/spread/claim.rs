//! `adit spread claim`: whether spreading mining over nations makes the network safer.

use clap::Args;

use super::super::{Failure, print};
use super::parallel::{Stop, pieces};
use super::{Setting, apply, cells, columns};
use crate::energy::Atlas;
use crate::spread::claim::{
    Assumptions, CaseResult, Crossing, Estimate, Flip, FlipSurface, Measure, Parameters, RATIOS_MAX, Shock,
    Spread, Study, StudyResults, World, alternatives, same_energy_cost,
};

/// Years that a thread takes at once.
const PIECE: u64 = 1_000;

/// In names of counterfactuals: `today~hydro-only` is today's spread at the energy cost of hydro-only.
const SAME_COST: char = '~';

/// What is compared unless `--spread` names something.
const USUAL: [&str; 6] =
    ["today", "us-half-moved", "today~us-half-moved", "equal-countries", "one-place", "hydro-only"];

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit spread claim
  adit spread claim --spread today --spread us-half-moved --shock hydro-correlated
  adit spread claim --set depth_mean=1 --set correlation_country=0.9 --draws 1000000
  adit spread claim --flip equal-countries --ratios 1,2,3,4 --correlations 0,0.2,0.4
  adit spread claim --equal-hazard 0.105
  adit spread claim --hazard-scale 2 --json > claim.json
Spreads: today, us-half-moved, equal-countries, one-place, hydro-only; A~B is A, tilted to the
energy cost of B. Shocks: independent, hydro-correlated, price-common, partial-pool,
coordinated-ban. Parameters: data/claim.csv. Equations: docs/model.md, Claim.
Hazards are guesses: the surface sweeps them, and the table after it is not a forecast.
Ctrl-C ends the draws and shows what there is.")]
pub(super) struct Claim {
    /// Hold this spread against the others; may be repeated
    #[arg(long, value_name = "NAME")]
    spread: Vec<String>,
    /// Draw this kind of year; may be repeated [default: all]
    #[arg(long, value_name = "NAME")]
    shock: Vec<Shock>,
    /// Sweep hazards for the move from today's spread to this one
    #[arg(long, value_name = "NAME", default_value = "us-half-moved")]
    flip: String,
    /// Hazards of destinations to try, over those elsewhere
    #[arg(
        long,
        value_name = "R,..",
        value_delimiter = ',',
        default_value = "0.5,1,1.5,2,2.5,3,4,5,6,8,10,12"
    )]
    ratios: Vec<f64>,
    /// Correlations of any two regions to try
    #[arg(long, value_name = "RHO,..", value_delimiter = ',', default_value = "0,0.05,0.1,0.2,0.4,0.6")]
    correlations: Vec<f64>,
    /// Years to draw for each figure
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    draws: u64,
    /// Decides everything that is drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Give a parameter of data/claim.csv another value; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<Setting>,
    /// Multiply the guessed hazard of every region
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    hazard_scale: f64,
    /// Give every region this hazard a year instead, so that only the spread differs
    #[arg(long, value_name = "RATE", conflicts_with = "hazard_scale")]
    equal_hazard: Option<f64>,
    /// Print results as JSON
    #[arg(long)]
    json: bool,
}

impl Claim {
    pub(super) fn run(self) -> Result<(), Failure> {
        let usage = |text: String| Failure::Usage(anyhow::anyhow!(text));
        if !(0.0..=1_000.0).contains(&self.hazard_scale) {
            return Err(usage(format!("--hazard-scale {} is outside 0..1000", self.hazard_scale)));
        }
        if let Some(rate) = self.equal_hazard.filter(|rate| !(0.0..=20.0).contains(rate)) {
            return Err(usage(format!("--equal-hazard {rate} is outside 0..20 a year")));
        }
        if !(1..=RATIOS_MAX).contains(&self.ratios.len())
            || !self.ratios.is_sorted()
            || !self.ratios.iter().all(|ratio| (0.0..=1_000.0).contains(ratio))
        {
            return Err(usage(format!(
                "--ratios are not 1 to {RATIOS_MAX} ascending numbers from 0 to 1000"
            )));
        }
        if !(1..=RATIOS_MAX).contains(&self.correlations.len())
            || !self.correlations.iter().all(|rho| (0.0..=1.0).contains(rho))
        {
            return Err(usage(format!("--correlations are not 1 to {RATIOS_MAX} numbers from 0 to 1")));
        }
        let assumptions = Assumptions::embedded();
        let mut parameters = assumptions.values.clone();
        apply(&self.set, &mut parameters)?;
        let mut world = World::new(Atlas::embedded(), assumptions);
        for place in &mut world.places {
            place.hazard_per_year = self.equal_hazard.unwrap_or(place.hazard_per_year * self.hazard_scale);
        }

        let named = |name: &str| spread_of(&world, name, &parameters).map_err(usage);
        let names: Vec<&str> = self.spread.iter().map(String::as_str).collect();
        let names = if names.is_empty() { &USUAL[..] } else { &names[..] };
        let spreads = names.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?;
        let [from, to] = [named("today")?, named(&self.flip)?];
        let flip = Flip::new(&world, [&from, &to], &self.ratios, &self.correlations, &parameters, self.seed);
        let shocks = if self.shock.is_empty() {
            Shock::ALL.map(|(_, shock, _)| shock).to_vec()
        } else {
            self.shock.clone()
        };
        let study = Study::new(world, spreads, shocks, parameters, self.seed);

        let stop = Stop::listen()?;
        let range = |piece: u64| piece * PIECE..((piece + 1) * PIECE).min(self.draws);
        let chunks = self.draws.div_ceil(PIECE);
        let mut flips = flip.counts();
        let work = |piece, counts: &mut _| flip.draw(range(piece), counts);
        pieces("surface", chunks, &stop, || flip.counts(), work)
            .iter()
            .for_each(|counts| flips.merge(counts));
        let mut years = study.counts();
        let work = |piece, counts: &mut crate::spread::claim::Counts| counts.merge(&study.draw(range(piece)));
        pieces("years", chunks, &stop, || study.counts(), work).iter().for_each(|counts| years.merge(counts));
        if stop.is_asked() {
            eprintln!("interrupted: fewer than {} years are drawn, and errors are larger", self.draws);
        }

        let (surface, results) = (flip.surface(&flips), study.results(&years));
        if self.json {
            let everything = serde_json::json!({
                "flip": surface,
                "study": results,
                "assumptions": assumptions.rows,
                "hazard_scale": self.hazard_scale,
                "equal_hazard_per_year": self.equal_hazard,
            });
            print(everything);
        } else {
            print(surface_text(&surface));
            print("");
            print(spreads_text(&results));
            print("");
            print(cases_text(&results));
        }
        Ok(())
    }
}

/// A spread by its name, or a counterfactual `A~B`.
pub(super) fn spread_of(world: &World, name: &str, parameters: &Parameters) -> Result<Spread, String> {
    if let Some((from, like)) = name.split_once(SAME_COST) {
        let [from, like] = [spread_of(world, from, parameters)?, spread_of(world, like, parameters)?];
        return same_energy_cost(world, &from, &like, parameters).ok_or_else(|| {
            format!("no spread over the places of {} has the energy cost of {}", from.name, like.name)
        });
    }
    let all = alternatives(world);
    let names: Vec<String> = all.iter().map(|spread| spread.name.clone()).collect();
    all.into_iter()
        .find(|spread| spread.name == name)
        .ok_or_else(|| format!("no spread is called `{name}`; there are {}, and A~B", names.join(", ")))
}

/// The hazard ratio from which on spreading does harm, and the differences behind it.
fn surface_text(surface: &FlipSurface) -> String {
    let mut correlations: Vec<f64> = surface.ridges.iter().map(|ridge| ridge.correlation).collect();
    correlations.truncate(surface.ridges.len() / Measure::ALL.len());
    let header = |first: &str| {
        std::iter::once(first.to_owned())
            .chain(correlations.iter().map(|rho| format!("rho {rho}")))
            .collect::<Vec<_>>()
    };
    let mut rows = vec![header("does harm from this ratio on")];
    for (name, measure) in Measure::ALL {
        let of = surface.ridges.iter().filter(|ridge| ridge.measure == measure);
        let cell = |ridge: &crate::spread::claim::Ridge| {
            format!("{} ({}..{})", crossing(ridge.flip), crossing(ridge.low), crossing(ridge.high))
        };
        rows.push(std::iter::once(name.to_owned()).chain(of.map(cell)).collect());
    }
    let mut text = format!(
        "{} to {}: the hazard ratio, destinations over others, from which on it does harm\n\
         ({} years, base hazard {}/year, 95 % intervals of the draws; < and > lie outside the ratios tried)\n\n{}",
        surface.from,
        surface.to,
        surface.draws,
        surface.hazard_base_per_year,
        columns(1, &rows)
    );
    let mut rows = vec![header("change of P(bad loss), pp, at ratio")];
    let width = surface.differences.len() / correlations.len().max(1);
    for ratio in 0..width {
        let points: Vec<_> = surface.differences.iter().skip(ratio).step_by(width).collect();
        let name = points.first().map_or(String::new(), |point| point.hazard_ratio.to_string());
        let cell = |point: &&crate::spread::claim::Difference| format!("{:+.2}", 100.0 * point.bad.value);
        rows.push(std::iter::once(name).chain(points.iter().map(cell)).collect());
    }
    text.push_str("\n\n");
    text.push_str(&columns(1, &rows));
    text
}

fn crossing(crossing: Crossing) -> String {
    match crossing {
        Crossing::At(ratio) => format!("{ratio:.2}"),
        Crossing::BelowGrid => "<".to_owned(),
        Crossing::AboveGrid => ">".to_owned(),
    }
}

/// How concentrated the spreads are, and what they cost.
fn spreads_text(results: &StudyResults) -> String {
    let mut rows =
        vec![cells(["spread", "HHI", "HHI of regions", "Nakamoto", "top three", "USD/kWh", "MUSD/day"])];
    for spread in &results.spreads {
        let of = &spread.concentration;
        rows.push(vec![
            spread.name.clone(),
            format!("{:.0}", of.hhi_countries),
            format!("{:.0}", of.hhi_regions),
            of.nakamoto_countries.to_string(),
            format!("{:.1} %", 100.0 * of.greatest_countries[2]),
            format!("{:.4}", of.power_price_usd_per_kwh),
            format!("{:.2}", of.energy_cost_usd_per_day / 1e6),
        ]);
    }
    let law = "HHI is over countries and counts when a country falls whole; where regions fall alone, \
               the variance of the loss goes with the HHI of regions.";
    format!("{}\n\n{law}", columns(1, &rows))
}

/// What the kinds of year do to the spreads.
fn cases_text(results: &StudyResults) -> String {
    let mut rows = vec![cells([
        "spread",
        "year",
        "mean loss %",
        "99th pct %",
        "P(bad) %",
        "days to 90 %",
        "99th pct",
        "security MUSD/day",
    ])];
    let percent = |of: Estimate| format!("{:.2} ±{:.2}", 100.0 * of.value, 100.0 * of.standard_error);
    let row = |case: &CaseResult| {
        vec![
            case.spread.clone(),
            case.shock.name().to_owned(),
            percent(case.loss_mean),
            percent(case.loss_p99),
            percent(case.loss_bad_probability),
            format!("{:.0} ±{:.0}", case.recovery_mean_days.value, case.recovery_mean_days.standard_error),
            format!("{:.0}", case.recovery_p99_days.value),
            format!("{:.2}", case.security_cost_usd_per_day.value / 1e6),
        ]
    };
    rows.extend(results.cases.iter().map(row));
    format!(
        "With guessed hazards ({} years, ± one standard error; bad is over {:.1} % of the network):\n\n{}",
        results.cases.first().map_or(0, |case| case.draws),
        100.0 * results.parameters.loss_bad_fraction,
        columns(2, &rows)
    )
}
