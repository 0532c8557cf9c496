//! Fits some parameters to January-April 2021 and to 2022, and to nothing else.
//!
//! Two windows are too little to know so many parameters, so each also stays near what a
//! source or judgement said: the fit is the most probable point (maximum a posteriori) of
//! normal errors and priors,
//!
//! ```text
//! loss = sum (error / sigma)^2 + sum (moved / sigma of the prior)^2
//! ```
//!
//! found by Levenberg-Marquardt from several starts. The curvature there says how much
//! the windows told: a parameter whose spread is still that of its prior is not known by
//! them. Errors are of free runs inside the windows, told prices and events, and of the
//! targets of the windows. States of 2022 follow the record through 2021, as those of any
//! origin do; nothing of May to December 2021 is in the loss.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::day::Day;
use super::super::history::History;
use super::super::inputs::Inputs;
use super::super::parameters::{Parameters, Provenance};
use super::card::{CardError, Value, card};
use super::metric::Series;
use super::replay::{Known, Replay};

/// What is fitted; everything else keeps what its source says.
const FITTED: [&str; 10] = [
    "initial_efficiency_j_per_th",
    "initial_idle",
    "reinvested",
    "delivery_days",
    "delivered_mw_per_month_max",
    "off_threshold",
    "operation_avoidable",
    "idle_sale_days",
    "storm_curtailment",
    "appeal_reach",
];

/// First and last day of what may be looked at.
const WINDOWS: [(&str, &str); 2] = [("2021-01-10", "2021-04-30"), ("2022-01-01", "2022-12-31")];

/// Targets of those windows, with sigma: noise, and half of the tolerance.
const TARGETS: [(&str, &str, f64); 6] = [
    ("xinjiang_blackout", "hashrate drop", 4.9),
    ("price_crash_2022", "monthly mean", 2.5),
    ("price_crash_2022", "difficulty", 2.7),
    ("ftx", "difficulty", 2.7),
    ("elliott", "hashrate drop", 5.5),
    ("energy", "TWh", 4.75),
];

/// Days between origins, of each run, and of the parts whose mean is an error.
const STRIDE_DAYS: usize = 20;
const RUN_DAYS: usize = 90;
const PART_DAYS: usize = 30;

/// Sigma of such a mean, percent: 6 that a model without owners cannot know, and each day
/// is seen by 1.5 runs of the same age.
const RUN_SIGMA_PCT: f64 = 7.3;

/// Ranges of `parameters.csv` are so many sigmas of the prior wide.
const RANGE_SIGMAS: f64 = 4.0;

/// Step of a derivative, as a part of the range.
const PROBE: f64 = 0.03;

/// Starts of the search: the prior, and points drawn from it.
const STARTS: usize = 3;

/// Gains below this part of the loss end a search.
const LITTLE: f64 = 1e-3;

/// A parameter after the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Its name.
    pub name: String,
    /// What the windows and the prior together say.
    pub value: f64,
    /// Its standard deviation.
    pub sigma: f64,
    /// What the source said, and its standard deviation.
    pub prior: (f64, f64),
}

/// What a fit came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// In the order of the file.
    pub parameters: Vec<Fitted>,
    /// Loss of the prior.
    pub before: f64,
    /// Loss of the fit.
    pub after: f64,
    /// Where each start ended, in the order of the starts; those that were begun.
    pub ends: Vec<f64>,
    /// Times that the windows were run.
    pub evaluations: usize,
}

/// Errors over their sigma: of the windows, then of the priors.
struct Problem<'a> {
    inputs: &'a Inputs,
    history: &'a History,
    observed: Series,
    rows: Vec<&'a Provenance>,
    evaluations: usize,
}

/// Part of a parameter's range, 0 to 1.
type Point = Vec<f64>;

impl Problem<'_> {
    fn prior(&self) -> Point {
        self.rows.iter().map(|row| (row.value - row.low) / (row.high - row.low)).collect()
    }

    fn parameters(&self, point: &Point) -> Parameters {
        let mut parameters = self.inputs.prior.clone();
        for (row, part) in self.rows.iter().zip(point) {
            *parameters.get_mut(&row.name).expect("a name of the table") =
                row.low + part * (row.high - row.low);
        }
        parameters
    }

    fn errors(&mut self, point: &Point) -> Result<Vec<f64>, CardError> {
        self.evaluations += 1;
        let parameters = self.parameters(point);
        let replay = Replay::new(self.inputs, self.history, &parameters);
        let mut errors = Vec::new();
        for (from, to) in WINDOWS {
            let (from, to): (Day, Day) = (from.parse().expect("a date"), to.parse().expect("a date"));
            for origin in (from.0 + 14..to.0 - 6).step_by(STRIDE_DAYS) {
                let days = RUN_DAYS.min((to.0 - origin) as usize + 1);
                let Some(run) = replay.free(Day(origin), days, Known::Everything) else { continue };
                for part in run.chunks(PART_DAYS).filter(|part| part.len() >= PART_DAYS / 2) {
                    let model: f64 = part.iter().map(|day| day.hashrate_ehs).sum();
                    let seen: Option<f64> = part.iter().map(|day| self.observed.on(day.day)).sum();
                    errors.extend(seen.map(|seen| (model / seen).ln() * 100.0 / RUN_SIGMA_PCT));
                }
            }
        }
        for (target, metric, sigma) in TARGETS {
            let scored = card(&replay, self.history, Some(target))?;
            for row in scored.rows.iter().filter(|row| row.metric.contains(metric) && row.window != "2021") {
                if let (Some(Value::Number(observed)), Some(Value::Number(model))) = (row.observed, row.model)
                {
                    errors.push((model - observed) / sigma);
                }
            }
        }
        errors.extend(point.iter().zip(self.prior()).map(|(part, prior)| (part - prior) * RANGE_SIGMAS));
        Ok(errors)
    }
}

fn loss(errors: &[f64]) -> f64 {
    errors.iter().map(|error| error * error).sum()
}

/// The fit, with no more than about `evaluations` runs of the windows. `tell` hears of each.
///
/// # Errors
/// As [`card`].
pub fn calibrate(
    inputs: &Inputs,
    history: &History,
    evaluations: usize,
    mut tell: impl FnMut(usize, f64),
) -> Result<Fit, CardError> {
    let network = &history.network;
    let mut problem = Problem {
        inputs,
        history,
        observed: Series {
            first: network[0].day,
            values: network.iter().map(|day| day.hashrate_1d_ehs).collect(),
        },
        rows: FITTED
            .iter()
            .filter_map(|name| inputs.provenance.iter().find(|row| row.name == *name))
            .collect(),
        evaluations: 0,
    };
    let prior = problem.prior();
    let before = loss(&problem.errors(&prior)?);
    let mut rng = ChaCha8Rng::seed_from_u64(2022);
    let mut ends = Vec::new();
    let mut best: Option<(Point, f64, Vec<Vec<f64>>)> = None;
    for start in 0..STARTS {
        if start > 0 && problem.evaluations >= evaluations {
            break;
        }
        // Within one sigma of the prior.
        let drawn = |part: &f64| (part + rng.random_range(-1.0..1.0) / RANGE_SIGMAS).clamp(0.0, 1.0);
        let from = if start == 0 { prior.clone() } else { prior.iter().map(drawn).collect() };
        let (point, least, slopes) = descend(&mut problem, from, evaluations, &mut tell)?;
        ends.push(least);
        if best.as_ref().is_none_or(|(_, other, _)| least < *other) {
            best = Some((point, least, slopes));
        }
    }
    let (point, after, slopes) = best.expect("there is a start");
    let spread = inverse_diagonal(&normal(&slopes));
    let parameters = problem
        .rows
        .iter()
        .zip(point.iter().zip(spread))
        .map(|(row, (part, variance))| Fitted {
            name: row.name.clone(),
            value: row.low + part * (row.high - row.low),
            sigma: variance.sqrt() * (row.high - row.low),
            prior: (row.value, (row.high - row.low) / RANGE_SIGMAS),
        })
        .collect();
    Ok(Fit { parameters, before, after, ends, evaluations: problem.evaluations })
}

/// Levenberg-Marquardt inside the ranges; gives the point, its loss, and how each error
/// answers to each parameter there: `[parameter][error]`.
fn descend(
    problem: &mut Problem<'_>,
    mut point: Point,
    evaluations: usize,
    tell: &mut impl FnMut(usize, f64),
) -> Result<(Point, f64, Vec<Vec<f64>>), CardError> {
    let mut errors = problem.errors(&point)?;
    let mut least = loss(&errors);
    let mut damping = 0.1;
    loop {
        let mut slopes = Vec::new();
        for at in 0..point.len() {
            let mut probe = point.clone();
            probe[at] += if point[at] + PROBE <= 1.0 { PROBE } else { -PROBE };
            let moved = problem.errors(&probe)?;
            slopes.push(
                moved
                    .iter()
                    .zip(&errors)
                    .map(|(moved, here)| (moved - here) / (probe[at] - point[at]))
                    .collect::<Vec<f64>>(),
            );
            tell(problem.evaluations, least);
        }
        let steepest: Vec<f64> =
            slopes.iter().map(|slope| -slope.iter().zip(&errors).map(|(a, b)| a * b).sum::<f64>()).collect();
        // One that its range holds back stays where it is, and the others are found without it.
        let held: Vec<bool> = point
            .iter()
            .zip(&steepest)
            .map(|(part, push)| (*part <= 0.0 && *push < 0.0) || (*part >= 1.0 && *push > 0.0))
            .collect();
        let curvature = normal(&slopes);
        let mut gain = 0.0;
        for _ in 0..5 {
            let mut damped = curvature.clone();
            let mut push = steepest.clone();
            for at in 0..point.len() {
                damped[at][at] *= 1.0 + damping;
                if held[at] {
                    push[at] = 0.0;
                    for other in (0..point.len()).filter(|other| *other != at) {
                        damped[at][other] = 0.0;
                        damped[other][at] = 0.0;
                    }
                }
            }
            let step = solve(damped, push);
            let tried: Point =
                point.iter().zip(&step).map(|(part, step)| (part + step).clamp(0.0, 1.0)).collect();
            let found = problem.errors(&tried)?;
            tell(problem.evaluations, least);
            if loss(&found) < least {
                gain = 1.0 - loss(&found) / least;
                (point, least, errors) = (tried, loss(&found), found);
                damping = (damping / 4.0_f64).max(1e-3);
                break;
            }
            damping *= 4.0;
        }
        if gain < LITTLE || problem.evaluations >= evaluations {
            return Ok((point, least, slopes));
        }
    }
}

/// Sums of products of slopes.
fn normal(slopes: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    slopes.iter().map(|a| slopes.iter().map(|b| product(a, b)).collect()).collect()
}

/// Solves a positive definite system by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for pivot in 0..size {
        let (done, below) = matrix.split_at_mut(pivot + 1);
        let known = &done[pivot];
        for (at, row) in below.iter_mut().enumerate() {
            let factor = row[pivot] / known[pivot];
            for (value, known) in row.iter_mut().zip(known).skip(pivot) {
                *value -= factor * known;
            }
            right[pivot + 1 + at] -= factor * right[pivot];
        }
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

/// The diagonal of the inverse.
fn inverse_diagonal(matrix: &[Vec<f64>]) -> Vec<f64> {
    (0..matrix.len())
        .map(|at| {
            let unit = (0..matrix.len()).map(|other| if other == at { 1.0 } else { 0.0 }).collect();
            solve(matrix.to_vec(), unit)[at]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_system_is_solved() {
        let matrix = vec![vec![4.0, 1.0], vec![1.0, 3.0]];
        assert_eq!(solve(matrix.clone(), vec![1.0, 2.0]), [1.0 / 11.0, 7.0 / 11.0]);
        let diagonal = inverse_diagonal(&matrix);
        assert!((diagonal[0] - 3.0 / 11.0).abs() < 1e-12 && (diagonal[1] - 4.0 / 11.0).abs() < 1e-12);
    }
}
