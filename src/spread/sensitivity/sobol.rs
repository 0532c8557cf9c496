//! Sobol indices: how much of a result's variance each parameter explains.
//!
//! Saltelli's design has two independent samples, A and B, and for each
//! parameter a third one, A with that column from B. Estimators are those of
//! Saltelli et al. 2010 (first order) and Jansen 1999 (total):
//!
//! ```text
//! S_i  = mean(f_B (f_ABi - f_A)) / V        ST_i = mean((f_A - f_ABi)^2) / 2 V
//! ```
//!
//! with results less their mean, which changes no index and much of the noise.

use super::bootstrap::{Interval, intervals};
use super::design::{Factor, latin_hypercube};

/// A design over some parameters.
#[derive(Debug, Clone)]
pub struct Sobol {
    factors: Vec<Factor>,
    samples: usize,
    seed: u64,
}

/// What one parameter explains.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SobolIndex {
    /// Name of the parameter.
    pub factor: String,
    /// Part of the variance that it explains alone. Noise can take it below 0.
    pub first_order: Interval,
    /// The same with everything that it interacts with.
    pub total: Interval,
}

impl Sobol {
    /// `samples` is the size of each of the samples.
    #[must_use]
    pub fn new(factors: Vec<Factor>, samples: usize, seed: u64) -> Self {
        Self { factors, samples, seed }
    }

    /// The points to evaluate: for each row of the samples A, B, and A with each column from B.
    #[must_use]
    pub fn points(&self) -> Vec<Vec<f64>> {
        let k = self.factors.len();
        let both = [0, 1].map(|stream| latin_hypercube(self.samples, k, self.seed, stream));
        let value =
            |unit: &[f64]| self.factors.iter().zip(unit).map(|(factor, &unit)| factor.at(unit)).collect();
        let [a, b] = both;
        let rows = a.iter().zip(&b).flat_map(|(a, b)| {
            let mixed = (0..k).map(move |i| {
                let mut mixed = a.clone();
                mixed[i] = b[i];
                mixed
            });
            [a.clone(), b.clone()].into_iter().chain(mixed)
        });
        rows.map(|unit| value(&unit)).collect()
    }

    /// The indices by one result, which has a value for each of [`points`](Self::points) in their order.
    /// `None` when it has not, or when nothing varies and so nothing can be explained.
    #[must_use]
    pub fn indices(&self, results: &[f64]) -> Option<Vec<SobolIndex>> {
        let k = self.factors.len();
        let width = k + 2;
        if results.len() != self.samples * width || results.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let rows: Vec<&[f64]> = results.chunks(width).collect();
        let (_, variance) = variance_of(&rows);
        if variance <= 0.0 {
            return None;
        }
        // First order of every parameter, then total of every parameter.
        let figures = |drawn: &[usize]| {
            let drawn: Vec<&[f64]> = drawn.iter().map(|&row| rows[row]).collect();
            let (mean, variance) = variance_of(&drawn);
            let mean_of =
                |f: &dyn Fn(&[f64]) -> f64| drawn.iter().map(|row| f(row)).sum::<f64>() / drawn.len() as f64;
            let first = (0..k).map(|i| mean_of(&|row| (row[1] - mean) * (row[2 + i] - row[0])) / variance);
            let total = (0..k).map(|i| mean_of(&|row| (row[0] - row[2 + i]).powi(2)) / 2.0 / variance);
            first.chain(total).collect()
        };
        let figures = intervals(self.samples, self.seed, figures);
        let index = |(i, factor): (usize, &Factor)| SobolIndex {
            factor: factor.name.clone(),
            first_order: figures[i],
            total: figures[k + i],
        };
        Some(self.factors.iter().enumerate().map(index).collect())
    }
}

/// Mean and variance over the two independent samples.
fn variance_of(rows: &[&[f64]]) -> (f64, f64) {
    let n = 2.0 * rows.len() as f64;
    let mean = rows.iter().map(|row| row[0] + row[1]).sum::<f64>() / n;
    let squares = rows.iter().map(|row| (row[0] - mean).powi(2) + (row[1] - mean).powi(2)).sum::<f64>();
    (mean, squares / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluates `f` over `low..high` in each parameter; `expected` is first order and total of each.
    fn check(low: f64, high: f64, f: impl Fn(&[f64]) -> f64, expected: &[(f64, f64)], bound: f64) {
        let factors = (0..expected.len()).map(|i| Factor { name: format!("x{i}"), low, high }).collect();
        let sobol = Sobol::new(factors, 4_096, 1);
        let results: Vec<f64> = sobol.points().iter().map(|point| f(point)).collect();
        for (index, (first, total)) in sobol.indices(&results).unwrap().iter().zip(expected) {
            for (found, theory) in [(index.first_order, first), (index.total, total)] {
                assert!((found.value - theory).abs() < bound, "{}: {found:?} is not {theory}", index.factor);
                assert!(found.low <= found.value && found.value <= found.high, "{found:?}");
            }
        }
    }

    #[test]
    fn the_ishigami_function() {
        let pi = std::f64::consts::PI;
        let f = |x: &[f64]| x[0].sin() + 7.0 * x[1].sin().powi(2) + 0.1 * x[2].powi(4) * x[0].sin();
        check(-pi, pi, f, &[(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)], 0.03);
    }

    #[test]
    fn the_g_function_of_sobol() {
        const A: [f64; 5] = [0.0, 1.0, 4.5, 9.0, 99.0];
        let f = |x: &[f64]| x.iter().zip(A).map(|(x, a)| ((4.0 * x - 2.0).abs() + a) / (1.0 + a)).product();
        let partial = A.map(|a| 1.0 / 3.0 / (1.0 + a) / (1.0 + a));
        let all: f64 = partial.iter().map(|v| 1.0 + v).product();
        let expected = partial.map(|v| (v / (all - 1.0), v * all / (1.0 + v) / (all - 1.0)));
        // Three standard errors of the first index.
        check(0.0, 1.0, f, &expected, 0.05);
    }

    #[test]
    fn first_orders_of_a_sum_add_up_and_are_the_totals() {
        // Variances 1, 4 and 9 over 12.
        let expected = [1.0, 4.0, 9.0].map(|v| (v / 14.0, v / 14.0));
        check(0.0, 1.0, |x| x[0] + 2.0 * x[1] + 3.0 * x[2], &expected, 0.02);
    }

    #[test]
    fn nothing_is_explained_where_nothing_varies() {
        let sobol = Sobol::new(vec![Factor { name: "x".into(), low: 0.0, high: 1.0 }], 8, 1);
        assert_eq!(sobol.points().len(), 8 * 3);
        assert_eq!(sobol.indices(&[1.0; 24]), None);
        assert_eq!(sobol.indices(&[1.0; 23]), None);
        assert_eq!(sobol.indices(&[f64::NAN; 24]), None);
    }
}
