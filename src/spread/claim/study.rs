//! Spreads under shocks: draws of years, and what they come to.

use std::ops::Range;

use super::parameters::Parameters;
use super::recovery::{Loss, Recovery};
use super::shock::{Remains, Shock, Strikes};
use super::tally::{Estimate, Outcome, Tally};
use super::world::{Concentration, Spread, World, network_kw};
use super::year::Year;

/// Some spreads to be held against some kinds of year.
///
/// [`draw`](Self::draw) any ranges of years, on any threads,
/// [`merge`](Counts::merge) the counts and read the [`results`](Self::results).
/// Which ranges, and in what order, changes no bit of the result.
pub struct Study {
    world: World,
    spreads: Vec<Spread>,
    shocks: Vec<Shock>,
    parameters: Parameters,
    seed: u64,
    strikes: Strikes,
    recovery: Recovery,
    /// By place: energy cost of the whole network there, in USD a day.
    costs: Vec<f64>,
    /// By place: building, as part of the network a day.
    builds: Vec<f64>,
}

/// What some draws of a [`Study`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(Vec<Tally>);

/// One spread in one kind of year.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CaseResult {
    /// Name of the spread.
    pub spread: String,
    /// Kind of year.
    pub shock: Shock,
    /// Years drawn.
    pub draws: u64,
    /// Part of the network lost in a year, mean.
    pub loss_mean: Estimate,
    /// Its variance.
    pub loss_variance: f64,
    /// What is lost in one year of a hundred, or more.
    pub loss_p99: Estimate,
    /// Probability that a year loses more than `loss_bad_fraction`.
    pub loss_bad_probability: Estimate,
    /// Days until nine tenths of the network run, mean of the years that lose more than a tenth.
    pub recovery_mean_days: Estimate,
    /// Days that one year of a hundred takes, or more.
    pub recovery_p99_days: Estimate,
    /// Probability that it takes five years or more.
    pub recovery_beyond_horizon_probability: Estimate,
    /// Power for a day to match what is left, at what it pays; mean.
    pub security_cost_usd_per_day: Estimate,
}

/// Everything that a study tells.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StudyResults {
    /// Decides every draw.
    pub seed: u64,
    /// The values used.
    pub parameters: Parameters,
    /// Each spread, and how concentrated it is.
    pub spreads: Vec<SpreadResult>,
    /// By spread, then by kind of year.
    pub cases: Vec<CaseResult>,
}

/// A spread and how concentrated it is.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SpreadResult {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// How concentrated it is, and what it costs.
    #[serde(flatten)]
    pub concentration: Concentration,
}

impl Study {
    /// Spreads have a share for each place of `world`.
    #[must_use]
    pub fn new(
        world: World,
        spreads: Vec<Spread>,
        shocks: Vec<Shock>,
        parameters: Parameters,
        seed: u64,
    ) -> Self {
        debug_assert!(spreads.iter().all(|spread| spread.shares.len() == world.places.len()));
        let places = 0..world.places.len();
        let machines_mw = network_kw(&parameters) / 1e3;
        Self {
            strikes: Strikes::new(&world, &parameters),
            recovery: Recovery::new(&parameters),
            costs: places.clone().map(|place| world.energy_cost_usd_per_day(place, &parameters)).collect(),
            builds: world
                .places
                .iter()
                .map(|place| place.build_mw_per_day / (machines_mw * place.pue))
                .collect(),
            world,
            spreads,
            shocks,
            parameters,
            seed,
        }
    }

    /// No draws yet.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts(vec![Tally::new(); self.spreads.len() * self.shocks.len()])
    }

    /// Lives through the years of those numbers.
    #[must_use]
    pub fn draw(&self, years: Range<u64>) -> Counts {
        let mut counts = self.counts();
        let (_, countries) = self.world.countries();
        let mut year = Year::new(self.world.places.len(), countries);
        let mut remains = Remains::default();
        for number in years {
            year.draw(self.seed, number);
            for (nth_shock, &shock) in self.shocks.iter().enumerate() {
                self.strikes.remains(&year, shock, &mut remains);
                let build_per_day: f64 =
                    remains.struck.iter().zip(&self.builds).map(|(stays, build)| stays * build).sum();
                for (nth_spread, spread) in self.spreads.iter().enumerate() {
                    let outcome = self.outcome(spread, &remains, build_per_day);
                    counts.0[nth_spread * self.shocks.len() + nth_shock].add(outcome);
                }
            }
        }
        counts
    }

    fn outcome(&self, spread: &Spread, remains: &Remains, build_per_day: f64) -> Outcome {
        let (mut struck, mut all, mut security_cost_usd_per_day) = (0.0, 0.0, 0.0);
        for (place, &share) in spread.shares.iter().enumerate() {
            struck += share * (1.0 - remains.struck[place]);
            all += share * (1.0 - remains.all[place]);
            security_cost_usd_per_day += share * remains.all[place] * self.costs[place];
        }
        // Rounding may leave a hair outside.
        let (struck, all) = (f64::clamp(struck, 0.0, 1.0), f64::clamp(all, 0.0, 1.0));
        let loss = Loss { all, struck, passes_after_days: remains.passes_after_days, build_per_day };
        Outcome {
            loss: all,
            is_bad: all > self.parameters.loss_bad_fraction,
            recovery_days: self.recovery.days(loss),
            security_cost_usd_per_day,
        }
    }

    /// What the draws came to.
    #[must_use]
    pub fn results(&self, counts: &Counts) -> StudyResults {
        let cases =
            self.spreads.iter().flat_map(|spread| self.shocks.iter().map(move |&shock| (spread, shock)));
        StudyResults {
            seed: self.seed,
            parameters: self.parameters.clone(),
            spreads: self
                .spreads
                .iter()
                .map(|spread| SpreadResult {
                    name: spread.name.clone(),
                    about: spread.about.clone(),
                    concentration: self.world.concentration(spread, &self.parameters),
                })
                .collect(),
            cases: cases
                .zip(&counts.0)
                .map(|((spread, shock), tally)| CaseResult {
                    spread: spread.name.clone(),
                    shock,
                    draws: tally.draws(),
                    loss_mean: tally.loss_mean(),
                    loss_variance: tally.loss_variance(),
                    loss_p99: tally.loss_p99(),
                    loss_bad_probability: tally.bad(),
                    recovery_mean_days: tally.recovery_mean_days(),
                    recovery_p99_days: tally.recovery_p99_days(),
                    recovery_beyond_horizon_probability: tally.beyond_horizon(),
                    security_cost_usd_per_day: tally.security_cost_usd_per_day(),
                })
                .collect(),
        }
    }
}

impl Counts {
    /// Adds other draws of the same study.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(tally, more)| tally.merge(more));
    }
}

#[cfg(test)]
mod tests {
    use super::super::shock::Depth;
    use super::super::{Assumptions, alternatives};
    use super::*;
    use crate::energy::Atlas;

    const DRAWS: u64 = 20_000;

    /// The world and the parameters under which a struck region loses everything,
    /// and nothing is correlated.
    fn plain() -> (World, Parameters) {
        let assumptions = Assumptions::embedded();
        let mut parameters = assumptions.values.clone();
        for (name, value) in [("depth_mean", 1.0), ("correlation_world", 0.0), ("correlation_country", 0.0)] {
            parameters.set(name, value).unwrap();
        }
        (World::new(Atlas::embedded(), assumptions), parameters)
    }

    /// The Poisson rate of a probability.
    fn rate(probability: f64) -> f64 {
        -f64::ln(1.0 - probability.min(0.999_999))
    }

    fn results(world: World, shocks: &[Shock], parameters: Parameters) -> StudyResults {
        let spreads = alternatives(&world);
        let study = Study::new(world, spreads, shocks.to_vec(), parameters, 1);
        study.results(&study.draw(0..DRAWS))
    }

    #[test]
    fn the_mean_does_not_depend_on_spread_and_the_variance_is_proportional_to_hhi() {
        let (mut world, parameters) = plain();
        let h = 0.1;
        world.places.iter_mut().for_each(|place| place.hazard_per_year = rate(h));
        let results = results(world, &[Shock::Independent], parameters);
        for (case, spread) in results.cases.iter().zip(&results.spreads) {
            let error = case.loss_mean.standard_error;
            assert!((case.loss_mean.value - h).abs() < 4.0 * error, "{}: {:?}", case.spread, case.loss_mean);
            let theory = h * (1.0 - h) * spread.concentration.hhi_regions / 1e4;
            assert!(
                (case.loss_variance / theory - 1.0).abs() < 0.06,
                "{}: {} {theory}",
                case.spread,
                case.loss_variance
            );
        }
        let variance = |nth: usize| results.cases[nth].loss_variance;
        assert!(variance(3) > 10.0 * variance(0), "one place must be far worse than today");
    }

    #[test]
    fn partial_depth_has_the_mean_and_variance_of_theory() {
        let (mut world, mut parameters) = plain();
        parameters.depth_mean = 0.6;
        let (mean, square) = Depth::new(&parameters).moments();
        let h = 0.2;
        world.places.iter_mut().for_each(|place| place.hazard_per_year = rate(h));
        let results = results(world, &[Shock::Independent], parameters);
        for (case, spread) in results.cases.iter().zip(&results.spreads) {
            assert!(
                (case.loss_mean.value - h * mean).abs() < 4.0 * case.loss_mean.standard_error,
                "{case:?}"
            );
            let theory = (h * square - h * h * mean * mean) * spread.concentration.hhi_regions / 1e4;
            assert!((case.loss_variance / theory - 1.0).abs() < 0.06, "{}", case.spread);
        }
    }

    /// Percent: mean, 99th percentile and probability of losing over a third. The table that
    /// these are from took the rates for probabilities, so here they are made such.
    #[test]
    fn the_table_of_the_first_look_comes_out() {
        fn check(spread: usize, hazard: Option<f64>, mean: f64, p99: f64, bad: f64) {
            let (mut world, parameters) = plain();
            for place in &mut world.places {
                place.hazard_per_year = rate(hazard.unwrap_or(place.hazard_per_year));
            }
            let results = results(world, &[Shock::Independent], parameters);
            let case = &results.cases[spread];
            let near = |found: f64, wanted: f64, bound: f64| {
                assert!((100.0 * found - wanted).abs() < bound, "{}: {found} is not {wanted} %", case.spread);
            };
            near(case.loss_mean.value, mean, 0.4);
            near(case.loss_p99.value, p99, 1.0);
            near(case.loss_bad_probability.value, bad, 0.6);
        }
        check(0, None, 13.8, 35.3, 1.5);
        check(1, None, 15.3, 36.8, 2.5);
        check(0, Some(0.1), 10.0, 35.5, 1.5);
        check(1, Some(0.1), 10.0, 30.6, 0.5);
    }

    #[test]
    fn any_partition_of_the_draws_gives_the_same_bits() {
        let (world, parameters) = plain();
        let spreads = alternatives(&world);
        let shocks = Shock::ALL.map(|(_, shock, _)| shock).to_vec();
        let study = Study::new(world, spreads, shocks, parameters, 9);
        let whole = study.draw(0..300);
        let mut pieces = study.draw(170..300);
        pieces.merge(&study.draw(0..1));
        pieces.merge(&study.draw(1..170));
        assert_eq!(whole, pieces);
        assert_ne!(whole, study.draw(1..301));
    }

    #[test]
    fn a_cause_that_all_share_is_not_spread_away() {
        let (mut world, mut parameters) = plain();
        world.places.iter_mut().for_each(|place| {
            place.hazard_per_year = 0.0;
            place.power_price_usd_per_kwh = 0.05;
            place.pue = 1.05;
        });
        parameters.ban_join_probability = 1.0;
        let results =
            results(world, &[Shock::PriceCommon, Shock::PartialPool, Shock::CoordinatedBan], parameters);
        for nth in 0..3 {
            let of = |spread: usize| &results.cases[spread * 3 + nth];
            assert!(of(0).loss_mean.value > 0.001, "{:?}", of(0));
            for spread in 1..5 {
                assert!((of(spread).loss_mean.value - of(0).loss_mean.value).abs() < 1e-9);
                assert!((of(spread).loss_p99.value - of(0).loss_p99.value).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_common_cause_only_adds() {
        let assumptions = Assumptions::embedded();
        let shocks = Shock::ALL.map(|(_, shock, _)| shock);
        let results =
            results(World::new(Atlas::embedded(), assumptions), &shocks, assumptions.values.clone());
        for of_spread in results.cases.chunks(shocks.len()) {
            for case in &of_spread[1..] {
                // A place without water has no droughts.
                assert!(case.loss_mean.value >= of_spread[0].loss_mean.value, "{case:?}");
                assert!(
                    case.loss_bad_probability.value >= of_spread[0].loss_bad_probability.value,
                    "{case:?}"
                );
                assert!(case.security_cost_usd_per_day.value <= of_spread[0].security_cost_usd_per_day.value);
            }
        }
        // Droughts weigh most on a network that runs on water.
        let added = |spread: usize| {
            results.cases[spread * 5 + 1].loss_mean.value - results.cases[spread * 5].loss_mean.value
        };
        assert!(added(4) > 3.0 * added(0), "{} {}", added(4), added(0));
    }
}
