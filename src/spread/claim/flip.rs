//! From which hazard ratio on spreading does harm, for each correlation.
//!
//! Places that gain share from one spread to another get `ratio` times the
//! base hazard, all others the base hazard itself. Then
//!
//! ```text
//! difference(ratio, rho) = figure of the new spread - figure of the old one
//! flip(rho)              = the ratio at which it turns positive
//! ```
//!
//! for three figures: mean loss, its 99th percentile, and the probability of a
//! bad loss. With probabilities p = 1 - exp(-hazard) the mean differs by
//! moved share x depth x (p(ratio) - p(1)): it flips at a ratio of 1, whatever
//! the correlation. The other two flip later where the new spread is the wider
//! one and narrows the tail, earlier where it is the narrower one, and come
//! towards 1 as correlation grows.
//!
//! Both spreads and all ratios live through the same years, and errors are
//! those of the paired differences. The interval of a flip is where the
//! difference plus and minus 1.96 standard errors turn positive.

use std::ops::Range;

use super::parameters::Parameters;
use super::shock::{Correlation, Depth, threshold_of_hazard};
use super::tally::{Estimate, Histogram, LOSS_UNITS};
use super::world::{Spread, World};
use super::year::Year;

/// Batches whose percentiles tell how uncertain a percentile is. Years are dealt to them by number.
const BATCHES: usize = 16;

/// Standard errors either side of a difference that make an interval of 95 %.
const SIGMAS: f64 = 1.96;

/// Ratios that a grid may have.
pub const RATIOS_MAX: usize = 64;

/// The figures that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Mean loss.
    Mean,
    /// 99th percentile of the loss.
    P99,
    /// Probability of a bad loss.
    Bad,
}

impl Measure {
    /// Every figure and its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("mean loss", Self::Mean), ("99th percentile", Self::P99), ("P(bad loss)", Self::Bad)];
}

/// Two spreads over a grid of hazard ratios and correlations.
pub struct Flip {
    countries: usize,
    country_of: Vec<usize>,
    /// By place: share under the old and the new spread, and whether it gains.
    shares: Vec<(f64, f64, bool)>,
    names: [String; 2],
    ratios: Vec<f64>,
    correlations: Vec<(f64, Correlation)>,
    base_below: f64,
    raised_below: Vec<f64>,
    depth: Depth,
    parameters: Parameters,
    seed: u64,
}

/// What some draws of a [`Flip`] came to, by correlation and then ratio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlipCounts {
    cells: Vec<Cell>,
    draws_of_batch: [u64; BATCHES],
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    /// Of new minus old loss, in units.
    difference: i128,
    difference_squares: u128,
    /// Years that are bad under the new spread only, and under the old one only.
    bad_new_only: u64,
    bad_old_only: u64,
    /// By spread and batch.
    losses: [Vec<Histogram>; 2],
}

/// The difference of a figure between the spreads at one point of the grid.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Difference {
    /// Hazard of destinations over that of other places.
    pub hazard_ratio: f64,
    /// Latent correlation of any two regions.
    pub correlation: f64,
    /// Mean loss, new less old.
    pub mean: Estimate,
    /// 99th percentile, new less old.
    pub p99: Estimate,
    /// Probability of a bad loss, new less old.
    pub bad: Estimate,
}

/// Where a difference turns positive.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Crossing {
    /// Between two ratios of the grid, by linear interpolation.
    At(f64),
    /// It is positive at the smallest ratio already.
    BelowGrid,
    /// It is not positive at any ratio.
    AboveGrid,
}

/// Where a figure flips at one correlation.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Ridge {
    /// Which figure.
    pub measure: Measure,
    /// Latent correlation of any two regions.
    pub correlation: f64,
    /// The ratio from which on spreading does harm.
    pub flip: Crossing,
    /// Lower end of its interval of 95 %, of the draws alone.
    pub low: Crossing,
    /// Upper end.
    pub high: Crossing,
}

/// Everything that a [`Flip`] tells.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FlipSurface {
    /// Name of the old spread.
    pub from: String,
    /// Name of the new one.
    pub to: String,
    /// Years drawn.
    pub draws: u64,
    /// Hazard of places that do not gain.
    pub hazard_base_per_year: f64,
    /// By correlation, then ratio.
    pub differences: Vec<Difference>,
    /// By figure, then correlation.
    pub ridges: Vec<Ridge>,
}

impl Flip {
    /// Ratios ascend, at most [`RATIOS_MAX`] of them. The correlation within
    /// countries is that of the parameters.
    ///
    /// # Panics
    /// Ratios do not ascend or are too many: a bug of the caller.
    #[must_use]
    pub fn new(
        world: &World,
        [old, new]: [&Spread; 2],
        ratios: &[f64],
        correlations: &[f64],
        parameters: &Parameters,
        seed: u64,
    ) -> Self {
        assert!(
            ratios.len() <= RATIOS_MAX && ratios.is_sorted(),
            "ratios ascend and are at most {RATIOS_MAX}"
        );
        let (country_of, countries) = world.countries();
        let base = parameters.hazard_base_per_year;
        Self {
            countries,
            country_of,
            shares: old.shares.iter().zip(&new.shares).map(|(&old, &new)| (old, new, new > old)).collect(),
            names: [old.name.clone(), new.name.clone()],
            ratios: ratios.to_vec(),
            correlations: correlations
                .iter()
                .map(|&world| (world, Correlation::new(world, parameters.correlation_country)))
                .collect(),
            base_below: threshold_of_hazard(base),
            raised_below: ratios.iter().map(|ratio| threshold_of_hazard(base * ratio)).collect(),
            depth: Depth::new(parameters),
            parameters: parameters.clone(),
            seed,
        }
    }

    /// No draws yet.
    #[must_use]
    pub fn counts(&self) -> FlipCounts {
        let cell = Cell {
            difference: 0,
            difference_squares: 0,
            bad_new_only: 0,
            bad_old_only: 0,
            losses: [(); 2].map(|()| vec![Histogram::of_losses(); BATCHES]),
        };
        FlipCounts {
            cells: vec![cell; self.correlations.len() * self.ratios.len()],
            draws_of_batch: [0; BATCHES],
        }
    }

    /// Lives through the years of those numbers and adds them to `counts`.
    pub fn draw(&self, years: Range<u64>, counts: &mut FlipCounts) {
        let mut year = Year::new(self.country_of.len(), self.countries);
        for number in years {
            year.draw(self.seed, number);
            let batch = (number % BATCHES as u64) as usize;
            counts.draws_of_batch[batch] += 1;
            for (nth, (_, correlation)) in self.correlations.iter().enumerate() {
                let cells = &mut counts.cells[nth * self.ratios.len()..][..self.ratios.len()];
                self.count(&year, *correlation, batch, cells);
            }
        }
    }

    fn count(&self, year: &Year, correlation: Correlation, batch: usize, cells: &mut [Cell]) {
        // Places that do not gain are struck alike at every ratio. A place that gains is struck
        // from some ratio on: `from_ratio` holds what it loses there, and sums along the grid
        // give every ratio at once.
        let (mut old, mut new) = (0.0, 0.0);
        let mut from_ratio = [(0.0, 0.0); RATIOS_MAX];
        for (place, &(share_old, share_new, gains)) in self.shares.iter().enumerate() {
            let latent = correlation.latent(year, place, self.country_of[place]);
            if gains {
                let at = self.raised_below.partition_point(|&below| latent >= below);
                if at < self.ratios.len() {
                    let depth = self.depth.at(year.depth[place]);
                    from_ratio[at].0 += share_old * depth;
                    from_ratio[at].1 += share_new * depth;
                }
            } else if latent < self.base_below {
                let depth = self.depth.at(year.depth[place]);
                old += share_old * depth;
                new += share_new * depth;
            }
        }
        let bad = self.parameters.loss_bad_fraction;
        for (cell, (more_old, more_new)) in cells.iter_mut().zip(from_ratio) {
            old += more_old;
            new += more_new;
            let difference = ((new - old) * LOSS_UNITS) as i64;
            cell.difference += i128::from(difference);
            cell.difference_squares += u128::from(difference.unsigned_abs()).pow(2);
            cell.bad_new_only += u64::from(new > bad && old <= bad);
            cell.bad_old_only += u64::from(old > bad && new <= bad);
            cell.losses[0][batch].add_loss(old);
            cell.losses[1][batch].add_loss(new);
        }
    }

    /// The differences, and where they turn positive.
    #[must_use]
    pub fn surface(&self, counts: &FlipCounts) -> FlipSurface {
        let points =
            self.correlations.iter().flat_map(|&(rho, _)| self.ratios.iter().map(move |&ratio| (rho, ratio)));
        let differences: Vec<Difference> = points
            .zip(&counts.cells)
            .map(|((correlation, hazard_ratio), cell)| {
                cell.difference(hazard_ratio, correlation, &counts.draws_of_batch)
            })
            .collect();
        let ridges = Measure::ALL
            .iter()
            .flat_map(|&(_, measure)| {
                differences.chunks(self.ratios.len()).map(move |row| ridge(measure, row))
            })
            .collect();
        let [from, to] = self.names.clone();
        let draws = counts.draws_of_batch.iter().sum();
        let hazard_base_per_year = self.parameters.hazard_base_per_year;
        FlipSurface { from, to, draws, hazard_base_per_year, differences, ridges }
    }
}

impl Cell {
    fn difference(&self, hazard_ratio: f64, correlation: f64, draws_of_batch: &[u64; BATCHES]) -> Difference {
        let draws: u64 = draws_of_batch.iter().sum();
        let n = draws.max(1) as f64;
        let mean = self.difference as f64 / n / LOSS_UNITS;
        let variance = self.difference_squares as f64 / n / LOSS_UNITS / LOSS_UNITS - mean * mean;
        let bad = (self.bad_new_only as f64 - self.bad_old_only as f64) / n;
        let bad_variance = (self.bad_new_only + self.bad_old_only) as f64 / n - bad * bad;
        let error = |variance: f64| (variance.max(0.0) / n).sqrt();
        Difference {
            hazard_ratio,
            correlation,
            mean: Estimate { value: mean, standard_error: error(variance) },
            p99: self.p99(draws, draws_of_batch),
            bad: Estimate { value: bad, standard_error: error(bad_variance) },
        }
    }

    /// The difference of percentiles over all draws; its error from how the batches differ.
    fn p99(&self, draws: u64, draws_of_batch: &[u64; BATCHES]) -> Estimate {
        let whole = |spread: usize| {
            let mut all = Histogram::of_losses();
            self.losses[spread].iter().for_each(|batch| all.merge(batch));
            all.loss_quantile(0.99, draws)
        };
        let [old, new] = &self.losses;
        let of_batches: Vec<f64> = (0..BATCHES)
            .filter(|&batch| draws_of_batch[batch] > 0)
            .map(|batch| {
                let at = |losses: &[Histogram]| losses[batch].loss_quantile(0.99, draws_of_batch[batch]);
                at(new) - at(old)
            })
            .collect();
        let n = of_batches.len() as f64;
        let mean = of_batches.iter().sum::<f64>() / n.max(1.0);
        let variance =
            of_batches.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        Estimate { value: whole(1) - whole(0), standard_error: (variance / n.max(1.0)).sqrt() }
    }
}

impl FlipCounts {
    /// Adds other draws of the same flip.
    pub fn merge(&mut self, other: &Self) {
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            cell.difference += more.difference;
            cell.difference_squares += more.difference_squares;
            cell.bad_new_only += more.bad_new_only;
            cell.bad_old_only += more.bad_old_only;
            for (losses, more) in cell.losses.iter_mut().flatten().zip(more.losses.iter().flatten()) {
                losses.merge(more);
            }
        }
        self.draws_of_batch.iter_mut().zip(&other.draws_of_batch).for_each(|(draws, more)| *draws += more);
    }
}

/// Where one figure flips along the ratios of one correlation.
fn ridge(measure: Measure, row: &[Difference]) -> Ridge {
    let shifted = |sigmas: f64| {
        let values = row.iter().map(|point| {
            let of = match measure {
                Measure::Mean => point.mean,
                Measure::P99 => point.p99,
                Measure::Bad => point.bad,
            };
            (point.hazard_ratio, of.value + sigmas * of.standard_error)
        });
        crossing(&values.collect::<Vec<_>>())
    };
    Ridge {
        measure,
        correlation: row.first().map_or(0.0, |point| point.correlation),
        flip: shifted(0.0),
        low: shifted(SIGMAS),
        high: shifted(-SIGMAS),
    }
}

/// The last turn from not positive to positive: beyond it spreading does harm for good. A tail is
/// jagged where losses are few and large, and an early tooth is not the flip.
fn crossing(values: &[(f64, f64)]) -> Crossing {
    match values.iter().rposition(|&(_, difference)| difference <= 0.0) {
        None => Crossing::BelowGrid,
        Some(at) => match values.get(at + 1) {
            None => Crossing::AboveGrid,
            Some(&(high, above)) => {
                let (low, below) = values[at];
                Crossing::At(low + (high - low) * -below / (above - below))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Assumptions, alternatives};
    use super::*;
    use crate::energy::Atlas;

    const RATIOS: [f64; 11] = [0.5, 0.8, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 10.0];

    fn flip(correlations: &[f64]) -> Flip {
        let assumptions = Assumptions::embedded();
        let world = World::new(Atlas::embedded(), assumptions);
        let spreads = alternatives(&world);
        Flip::new(&world, [&spreads[0], &spreads[1]], &RATIOS, correlations, &assumptions.values, 1)
    }

    #[test]
    fn a_crossing_is_the_last_turn() {
        fn check(differences: &[f64], expected: Crossing) {
            let values: Vec<(f64, f64)> = (1..).map(f64::from).zip(differences.iter().copied()).collect();
            assert_eq!(crossing(&values), expected);
        }
        check(&[-1.0, 1.0, 2.0], Crossing::At(1.5));
        check(&[-1.0, 1.0, -1.0, 3.0], Crossing::At(3.25));
        check(&[1.0, 2.0], Crossing::BelowGrid);
        check(&[-1.0, 0.0], Crossing::AboveGrid);
    }

    #[test]
    fn the_mean_flips_at_one_and_the_tail_later_but_less_so_with_correlation() {
        let flip = flip(&[0.0, 0.6]);
        let mut counts = flip.counts();
        flip.draw(0..30_000, &mut counts);
        let surface = flip.surface(&counts);
        let at = |measure: Measure, correlation: f64| {
            let ridge = surface
                .ridges
                .iter()
                .find(|ridge| (ridge.measure, ridge.correlation) == (measure, correlation));
            match ridge.unwrap().flip {
                Crossing::At(ratio) => ratio,
                other => panic!("{measure:?} at {correlation}: {other:?}"),
            }
        };
        for correlation in [0.0, 0.6] {
            assert!((at(Measure::Mean, correlation) - 1.0).abs() < 0.1, "{}", at(Measure::Mean, correlation));
        }
        for measure in [Measure::P99, Measure::Bad] {
            assert!(at(measure, 0.0) > 1.2, "{measure:?}: {}", at(measure, 0.0));
            assert!(at(measure, 0.6) < at(measure, 0.0), "{measure:?}");
        }
    }

    #[test]
    fn the_mean_differs_as_theory_says() {
        let flip = flip(&[0.3]);
        let mut counts = flip.counts();
        flip.draw(0..30_000, &mut counts);
        let p = &flip.parameters;
        let moved: f64 = flip.shares.iter().map(|(old, new, _)| (new - old).max(0.0)).sum();
        let struck = |ratio: f64| 1.0 - (-p.hazard_base_per_year * ratio).exp();
        for point in flip.surface(&counts).differences {
            let theory = moved * p.depth_mean * (struck(point.hazard_ratio) - struck(1.0));
            assert!(
                (point.mean.value - theory).abs() < 4.0 * point.mean.standard_error,
                "{point:?} {theory}"
            );
        }
    }

    #[test]
    fn any_partition_of_the_draws_gives_the_same_bits() {
        let flip = flip(&[0.0, 0.2]);
        let of = |ranges: &[Range<u64>]| {
            let mut sum = flip.counts();
            for range in ranges {
                let mut counts = flip.counts();
                flip.draw(range.clone(), &mut counts);
                sum.merge(&counts);
            }
            sum
        };
        assert_eq!(of(std::slice::from_ref(&(0..200))), of(&[90..200, 0..7, 7..90]));
    }
}
