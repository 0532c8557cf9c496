//! Tests of statistics, exact where the field has few shares.
//!
//! | function | test | source |
//! |---|---|---|
//! | [`garwood`] | exact interval of a Poisson mean | Garwood, Biometrika 28 (1936) |
//! | [`poisson_at_least`] | exact Poisson tail | by the incomplete gamma function |
//! | [`binomial_at_least`], [`binomial_two_sided`] | exact binomial, two-sided by likelihood | as `binom.test` of R |
//! | [`uniform`] | Kolmogorov–Smirnov, known distribution | Stephens, J. R. Stat. Soc. B 32 (1970) |
//! | [`exponential`] | Lilliefors, exponential with fitted mean | Stephens, JASA 69 (1974), table 1.3; below 1 % simulated |
//! | [`equal`] | χ² of equal counts | Pearson |
//!
//! All return probabilities (`p`): how often chance alone does at least as badly.

use statrs::function::beta::beta_reg;
use statrs::function::gamma::{gamma_lr, gamma_ur, ln_gamma};

/// The probability that a Poisson count with this mean is at least `count`.
#[must_use]
pub fn poisson_at_least(count: u64, mean: f64) -> f64 {
    match count {
        0 => 1.0,
        _ if mean <= 0.0 => 0.0,
        _ => gamma_lr(count as f64, mean),
    }
}

/// The probability that a Poisson count with this mean is at most `count`.
#[must_use]
pub fn poisson_at_most(count: u64, mean: f64) -> f64 {
    if mean <= 0.0 { 1.0 } else { gamma_ur(count as f64 + 1.0, mean) }
}

/// The exact two-sided interval of a Poisson mean of which `count` came.
#[must_use]
pub fn garwood(count: u64, alpha: f64) -> (f64, f64) {
    // Ten standard deviations around, and some for small counts.
    let above = count as f64 + 10.0 * (count as f64).sqrt() + 50.0;
    let low = match count {
        0 => 0.0,
        _ => solve(0.0, count as f64, |mean| poisson_at_least(count, mean) >= alpha / 2.0),
    };
    (low, solve(count as f64, above, |mean| poisson_at_most(count, mean) <= alpha / 2.0))
}

/// Where a condition that holds from some point on begins to hold.
fn solve(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The probability of at least `count` successes of `trials`, each with probability `chance`.
#[must_use]
pub fn binomial_at_least(count: u64, trials: u64, chance: f64) -> f64 {
    match count {
        0 => 1.0,
        _ if count > trials || chance <= 0.0 => 0.0,
        _ if chance >= 1.0 => 1.0,
        _ => beta_reg(count as f64, (trials - count) as f64 + 1.0, chance),
    }
}

/// The probability of a number of successes that is no likelier than `count`.
#[must_use]
pub fn binomial_two_sided(count: u64, trials: u64, chance: f64) -> f64 {
    let ln_probability = |count: u64| {
        let (count, trials) = (count as f64, trials as f64);
        ln_gamma(trials + 1.0) - ln_gamma(count + 1.0) - ln_gamma(trials - count + 1.0)
            + count * chance.ln()
            + (trials - count) * (-chance).ln_1p()
    };
    // Rounding must not make equally likely counts differ.
    let bound = ln_probability(count) + 1e-7;
    let sum: f64 =
        (0..=trials).map(ln_probability).filter(|probability| *probability <= bound).map(f64::exp).sum();
    sum.min(1.0)
}

/// Largest distance between the distribution of a sorted sample and the uniform one.
fn distance(sorted: &[f64]) -> f64 {
    let n = sorted.len() as f64;
    sorted.iter().enumerate().fold(0.0, |worst: f64, (index, value)| {
        worst.max((index + 1) as f64 / n - value).max(value - index as f64 / n)
    })
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Whether a sample is uniform on (0, 1]: Kolmogorov–Smirnov.
#[must_use]
pub fn uniform(sample: &[f64]) -> f64 {
    if sample.is_empty() {
        return 1.0;
    }
    let root = (sample.len() as f64).sqrt();
    let distance = distance(&sorted(sample.iter().map(|value| value.clamp(0.0, 1.0))));
    kolmogorov((root + 0.12 + 0.11 / root) * distance)
}

/// The distance that a sample of `n` from the uniform distribution exceeds with
/// probability `alpha`: a smaller departure goes unnoticed.
#[must_use]
pub fn uniform_noticed(n: usize, alpha: f64) -> f64 {
    let root = (n as f64).sqrt();
    (-0.5 * (alpha / 2.0).ln()).sqrt() / (root + 0.12 + 0.11 / root)
}

/// `2 Σ (-1)^(k-1) exp(-2 k² x²)`, the limit of the test's distribution.
fn kolmogorov(x: f64) -> f64 {
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 1.0 } else { -1.0 };
        sign * (-2.0 * f64::from(k * k) * x * x).exp()
    };
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// Points of the modified statistic with their probability: Stephens' table,
/// and behind 1 % our own simulation (`the_table_is_what_chance_does`).
const LILLIEFORS: [(f64, f64); 8] = [
    (0.926, 0.15),
    (0.990, 0.10),
    (1.094, 0.05),
    (1.190, 0.025),
    (1.308, 0.01),
    (1.470, 0.002),
    (1.538, 0.001),
    (1.748, 0.0001),
];

/// Whether gaps are exponential, whatever their mean: Lilliefors.
///
/// Above 15 % the probability is not tabled and given as 1; below 0.01 % it is
/// extrapolated.
#[must_use]
pub fn exponential(gaps: &[f64]) -> f64 {
    let n = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / n;
    if gaps.len() < 2 || mean <= 0.0 {
        return 1.0;
    }
    let distance = distance(&sorted(gaps.iter().map(|gap| -(-gap / mean).exp_m1())));
    lilliefors(modified(distance, n))
}

/// Stephens' modification, whose distribution hardly depends on `n`.
fn modified(distance: f64, n: f64) -> f64 {
    (distance - 0.2 / n) * (n.sqrt() + 0.26 + 0.5 / n.sqrt())
}

fn lilliefors(statistic: f64) -> f64 {
    let (first, last) = (LILLIEFORS[0], LILLIEFORS[LILLIEFORS.len() - 1]);
    if statistic < first.0 {
        return 1.0;
    }
    // The logarithm of the tail falls with the square.
    let between = |(x0, p0): (f64, f64), (x1, p1): (f64, f64)| {
        let part = (statistic * statistic - x0 * x0) / (x1 * x1 - x0 * x0);
        (p0.ln() + part * (p1.ln() - p0.ln())).exp()
    };
    LILLIEFORS
        .windows(2)
        .find(|pair| statistic <= pair[1].0)
        .map_or_else(|| between(first, last), |pair| between(pair[0], pair[1]))
}

/// Whether counts are equal but for chance: χ².
#[must_use]
pub fn equal(counts: &[u64]) -> f64 {
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    if counts.len() < 2 || mean <= 0.0 {
        return 1.0;
    }
    let square = counts.iter().map(|count| (*count as f64 - mean).powi(2) / mean).sum::<f64>();
    if square > 0.0 { gamma_ur((counts.len() - 1) as f64 / 2.0, square / 2.0) } else { 1.0 }
}

/// The value below which `part` of the sorted values lie, by rank.
#[must_use]
pub fn percentile(sorted: &[f64], part: f64) -> Option<f64> {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).or(sorted.last()).copied()
}

#[cfg(test)]
mod tests;
