//! Parameters with their ranges, and samples over them.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A parameter, uniform over its range.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Factor {
    /// Its name.
    pub name: String,
    /// Its smallest value.
    pub low: f64,
    /// Its greatest value.
    pub high: f64,
}

impl Factor {
    /// A place in the unit interval as a value.
    pub(super) fn at(&self, unit: f64) -> f64 {
        self.low + (self.high - self.low) * unit
    }
}

/// `rows` points in the unit cube of so many dimensions, each range cut into `rows` parts with
/// a point in each: a Latin hypercube. It covers each parameter evenly as quasi-random
/// sequences do, in any number of dimensions and without tables.
pub(super) fn latin_hypercube(rows: usize, dimensions: usize, seed: u64, stream: u64) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let mut points = vec![vec![0.0; dimensions]; rows];
    let mut parts: Vec<usize> = (0..rows).collect();
    for dimension in 0..dimensions {
        parts.shuffle(&mut rng);
        for (point, &part) in points.iter_mut().zip(&parts) {
            point[dimension] = (part as f64 + rng.random::<f64>()) / rows as f64;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_each_range_has_one_point() {
        let points = latin_hypercube(50, 3, 1, 0);
        for dimension in 0..3 {
            let mut parts: Vec<usize> =
                points.iter().map(|point| (point[dimension] * 50.0) as usize).collect();
            parts.sort_unstable();
            assert_eq!(parts, (0..50).collect::<Vec<_>>());
        }
        assert_ne!(points, latin_hypercube(50, 3, 1, 1));
    }
}
