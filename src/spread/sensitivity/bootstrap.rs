//! How far chance may have moved a figure: the percentile bootstrap.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Times that the sample is drawn again. A 95 % interval rests on the outer 12 on each side.
const RESAMPLES: usize = 500;

/// Streams of a seed: those of the designs come before.
const STREAM: u64 = 1 << 32;

/// A figure with its interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// Of the whole sample.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Some figures of a sample of `rows` with their intervals. `figures` computes them from
/// the numbers of the rows to use, which may repeat.
pub(super) fn intervals(rows: usize, seed: u64, figures: impl Fn(&[usize]) -> Vec<f64>) -> Vec<Interval> {
    let whole: Vec<usize> = (0..rows).collect();
    let values = figures(&whole);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    let mut again = vec![Vec::with_capacity(RESAMPLES); values.len()];
    if rows > 0 {
        for _ in 0..RESAMPLES {
            let drawn: Vec<usize> = (0..rows).map(|_| rng.random_range(0..rows)).collect();
            again.iter_mut().zip(figures(&drawn)).for_each(|(of, value)| of.push(value));
        }
    }
    values
        .into_iter()
        .zip(again)
        .map(|(value, mut again)| {
            again.sort_by(f64::total_cmp);
            let at =
                |fraction: f64| again.get((fraction * again.len() as f64) as usize).copied().unwrap_or(value);
            Interval { value, low: at(0.025), high: at(0.975) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_that_of_theory() {
        // 0 to 99: standard deviation 28.87, of the mean of a hundred 2.887.
        let [mean] = intervals(100, 1, |rows| vec![rows.iter().sum::<usize>() as f64 / 100.0])[..] else {
            panic!()
        };
        assert_eq!(mean.value, 49.5);
        assert!((mean.low - (49.5 - 1.96 * 2.887)).abs() < 0.8, "{mean:?}");
        assert!((mean.high - (49.5 + 1.96 * 2.887)).abs() < 0.8, "{mean:?}");
    }
}
