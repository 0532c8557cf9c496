//! Elementary effects: which of many parameters matter at all.
//!
//! A trajectory starts at a point of a grid of `LEVELS` and moves each
//! parameter once, in random order, by `delta` = LEVELS / (2 (LEVELS - 1)), up
//! or down as there is room (Morris 1991). An effect is the change of the
//! result over the change of the parameter, as a part of its range: it is in
//! units of the result. `mu*`, the mean of absolute effects, ranks parameters
//! (Campolongo 2007); a `sigma` near it or above it says that the effect
//! depends on where it is measured.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::bootstrap::{Interval, intervals};
use super::design::Factor;

/// Levels of the grid; even, so that all are met equally often.
const LEVELS: u32 = 4;

/// Length of a step, as a part of the range.
const DELTA: f64 = LEVELS as f64 / (2 * (LEVELS - 1)) as f64;

/// A design over some parameters.
#[derive(Debug, Clone)]
pub struct Morris {
    factors: Vec<Factor>,
    trajectories: usize,
    seed: u64,
}

/// What one parameter does.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct MorrisEffect {
    /// Name of the parameter.
    pub factor: String,
    /// Mean effect.
    pub mu: Interval,
    /// Mean of absolute effects.
    pub mu_star: Interval,
    /// Standard deviation of the effects.
    pub sigma: Interval,
}

/// One trajectory: points in the unit cube, and which parameter each step moved, and how far.
struct Trajectory {
    points: Vec<Vec<f64>>,
    steps: Vec<(usize, f64)>,
}

impl Morris {
    /// So many trajectories; ten to fifty are usual.
    #[must_use]
    pub fn new(factors: Vec<Factor>, trajectories: usize, seed: u64) -> Self {
        Self { factors, trajectories, seed }
    }

    /// The points to evaluate, trajectory by trajectory.
    #[must_use]
    pub fn points(&self) -> Vec<Vec<f64>> {
        let value =
            |unit: &Vec<f64>| self.factors.iter().zip(unit).map(|(factor, &unit)| factor.at(unit)).collect();
        (0..self.trajectories).flat_map(|nth| self.trajectory(nth).points).map(|unit| value(&unit)).collect()
    }

    /// The effects on one result, which has a value for each of [`points`](Self::points) in their
    /// order. `None` when it has not.
    #[must_use]
    pub fn effects(&self, results: &[f64]) -> Option<Vec<MorrisEffect>> {
        let k = self.factors.len();
        if results.len() != self.trajectories * (k + 1) || results.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let effects: Vec<Vec<f64>> = results
            .chunks(k + 1)
            .enumerate()
            .map(|(nth, results)| {
                let mut effects = vec![0.0; k];
                for (pair, (factor, step)) in results.windows(2).zip(self.trajectory(nth).steps) {
                    effects[factor] = (pair[1] - pair[0]) / step;
                }
                effects
            })
            .collect();
        // Mean, mean absolute and standard deviation of each parameter in turn.
        let figures = |drawn: &[usize]| {
            let n = drawn.len() as f64;
            let of_factor = |factor: usize| {
                let mean_of = |f: &dyn Fn(f64) -> f64| {
                    drawn.iter().map(|&row| f(effects[row][factor])).sum::<f64>() / n
                };
                let mu = mean_of(&|effect| effect);
                let square = mean_of(&|effect| (effect - mu).powi(2));
                [mu, mean_of(&f64::abs), (square * n / (n - 1.0).max(1.0)).sqrt()]
            };
            (0..k).flat_map(of_factor).collect()
        };
        let figures = intervals(self.trajectories, self.seed, figures);
        let effect = |(factor, figures): (&Factor, &[Interval])| MorrisEffect {
            factor: factor.name.clone(),
            mu: figures[0],
            mu_star: figures[1],
            sigma: figures[2],
        };
        Some(self.factors.iter().zip(figures.chunks(3)).map(effect).collect())
    }

    fn trajectory(&self, nth: usize) -> Trajectory {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(nth as u64);
        let k = self.factors.len();
        let grid = |level: u32| f64::from(level) / f64::from(LEVELS - 1);
        let mut point: Vec<f64> = (0..k).map(|_| grid(rng.random_range(0..LEVELS))).collect();
        let mut order: Vec<usize> = (0..k).collect();
        order.shuffle(&mut rng);
        let mut trajectory = Trajectory { points: vec![point.clone()], steps: Vec::with_capacity(k) };
        for factor in order {
            // A step is more than half of the range, so there is room on one side only.
            let step = if point[factor] < 0.5 { DELTA } else { -DELTA };
            point[factor] += step;
            trajectory.points.push(point.clone());
            trajectory.steps.push((factor, step));
        }
        trajectory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(factors: &[(f64, f64)], f: impl Fn(&[f64]) -> f64) -> Vec<MorrisEffect> {
        let named = |(i, &(low, high)): (usize, &(f64, f64))| Factor { name: format!("x{i}"), low, high };
        let morris = Morris::new(factors.iter().enumerate().map(named).collect(), 40, 1);
        let points = morris.points();
        assert_eq!(points.len(), 40 * (factors.len() + 1));
        for point in &points {
            for (value, (low, high)) in point.iter().zip(factors) {
                assert!((low - 1e-9..=high + 1e-9).contains(value), "{value} is outside {low}..{high}");
            }
        }
        let results: Vec<f64> = points.iter().map(|point| f(point)).collect();
        morris.effects(&results).unwrap()
    }

    #[test]
    fn effects_of_a_linear_model_are_its_slopes_times_the_ranges() {
        let ranges = [(0.0, 1.0), (-2.0, 2.0), (10.0, 11.0)];
        let found = effects(&ranges, |x| 3.0 * x[0] - 0.5 * x[1]);
        for (effect, mu) in found.iter().zip([3.0, -2.0, 0.0_f64]) {
            assert!((effect.mu.value - mu).abs() < 1e-9, "{effect:?}");
            assert!((effect.mu_star.value - mu.abs()).abs() < 1e-9, "{effect:?}");
            assert!(
                effect.sigma.value < 1e-9 && effect.mu_star.high - effect.mu_star.low < 1e-9,
                "{effect:?}"
            );
        }
    }

    #[test]
    fn what_interacts_has_a_sigma() {
        let found = effects(&[(0.0, 1.0); 3], |x| x[0] * x[1] + x[2]);
        assert!(found[0].sigma.value > 0.2 && found[1].sigma.value > 0.2, "{found:?}");
        assert!(found[2].sigma.value < 1e-9, "{found:?}");
        assert!(found[0].mu_star.low < found[0].mu_star.high);
    }

    #[test]
    fn results_that_do_not_fit_are_refused() {
        let morris = Morris::new(vec![Factor { name: "x".into(), low: 0.0, high: 1.0 }], 4, 1);
        assert_eq!(morris.effects(&[0.0; 7]), None);
        assert_eq!(morris.effects(&[f64::NAN; 8]), None);
    }
}
