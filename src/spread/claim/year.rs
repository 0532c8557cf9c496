//! The random numbers of one year, drawn alike for every case that is compared.
//!
//! Each year has a stream of its own, numbered by the draw, and always takes
//! the same numbers from it. So years can be drawn in any order and by any
//! number of threads, and two spreads or two kinds of shock live through the
//! same years: what differs between them is not chance.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// What chance decided. Normal ones are standard, uniform ones in [0, 1).
#[derive(Debug, Clone, Default)]
pub(super) struct Year {
    /// Normal: what all regions share.
    pub world: f64,
    /// Normal, by country.
    pub country: Vec<f64>,
    /// Normal, by place.
    pub own: Vec<f64>,
    /// Uniform, by place: how deep a strike goes.
    pub depth: Vec<f64>,
    /// Normal: what all hydro regions share.
    pub water: f64,
    /// Normal, by place.
    pub own_water: Vec<f64>,
    /// Uniform: whether the price crashes.
    pub crash: f64,
    /// Uniform: how far.
    pub crash_depth: f64,
    /// Uniform: whether the pool fails.
    pub pool: f64,
    /// Uniform: whether countries ban together.
    pub ban: f64,
    /// Uniform, by country: whether it joins them.
    pub joins: Vec<f64>,
    /// Uniform: how long droughts, crashes and failures last.
    pub lasts: f64,
}

impl Year {
    pub(super) fn new(places: usize, countries: usize) -> Self {
        Self {
            country: vec![0.0; countries],
            own: vec![0.0; places],
            depth: vec![0.0; places],
            own_water: vec![0.0; places],
            joins: vec![0.0; countries],
            ..Self::default()
        }
    }

    /// Draws the year of that number.
    pub(super) fn draw(&mut self, seed: u64, number: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        self.world = rng.sample(StandardNormal);
        self.water = rng.sample(StandardNormal);
        for of_world in
            [&mut self.crash, &mut self.crash_depth, &mut self.pool, &mut self.ban, &mut self.lasts]
        {
            *of_world = rng.random();
        }
        for normal in [&mut self.country, &mut self.own, &mut self.own_water] {
            normal.iter_mut().for_each(|value| *value = rng.sample(StandardNormal));
        }
        for uniform in [&mut self.depth, &mut self.joins] {
            uniform.iter_mut().for_each(|value| *value = rng.random());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_depends_on_seed_and_number_alone() {
        let year = |seed, number, before: &[u64]| {
            let mut year = Year::new(3, 2);
            before.iter().for_each(|&number| year.draw(seed, number));
            year.draw(seed, number);
            format!("{year:?}")
        };
        assert_eq!(year(1, 7, &[]), year(1, 7, &[3, 9]));
        assert_ne!(year(1, 7, &[]), year(1, 8, &[]));
        assert_ne!(year(1, 7, &[]), year(2, 7, &[]));
    }
}
