//! Power markets by the hour: what running in the cheap hours costs, and prices
//! as they may come.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::inputs::SpotZone;

/// Points of the curve of cost by strike.
const STRIKES: usize = 1_024;

/// Points of the map from standard scores to prices.
const POINTS: usize = 513;

/// What a spot market costs a site that runs below some price only.
#[derive(Debug, Clone)]
pub struct SpotCurve {
    /// USD/kWh delivered, ascending, at even probabilities.
    prices: Vec<f64>,
    /// Mean of the prices up to and with each.
    mean_up_to: Vec<f64>,
    /// Delivered less spot, USD/kWh.
    adder: f64,
}

impl SpotCurve {
    /// Of a market whose mean hour shall cost so much, delivered.
    #[must_use]
    pub fn of(zone: &SpotZone, mean_usd_per_kwh: f64) -> Self {
        let spot: Vec<f64> =
            (0..STRIKES).map(|at| zone.quantile((at as f64 + 0.5) / STRIKES as f64) / 1e3).collect();
        let mean = zone.mean() / 1e3;
        let prices: Vec<f64> = spot.iter().map(|price| price + mean_usd_per_kwh - mean).collect();
        let mut sum = 0.0;
        let mean_up_to = prices
            .iter()
            .zip(1..)
            .map(|(price, count)| {
                sum += price;
                sum / f64::from(count)
            })
            .collect();
        Self { prices, mean_up_to, adder: mean_usd_per_kwh - mean }
    }

    /// Delivered less spot, USD/kWh.
    #[must_use]
    pub fn adder(&self) -> f64 {
        self.adder
    }

    /// Part of the hours below `strike`, and their mean price; all USD/kWh.
    #[must_use]
    pub fn below(&self, strike: f64) -> (f64, f64) {
        match self.prices.partition_point(|price| *price < strike) {
            0 => (0.0, self.prices[0]),
            count => (count as f64 / STRIKES as f64, self.mean_up_to[count - 1]),
        }
    }
}

impl SpotZone {
    /// Of all hours, USD/MWh.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.quantiles.windows(2).map(|ends| (ends[1].0 - ends[0].0) * (ends[0].1 + ends[1].1) / 2.0).sum()
    }

    /// The price below which it is with a probability, USD/MWh.
    #[must_use]
    pub fn quantile(&self, probability: f64) -> f64 {
        let curve = &self.quantiles;
        let above = curve.partition_point(|(known, _)| *known < probability).clamp(1, curve.len() - 1);
        let ((from, low), (to, high)) = (curve[above - 1], curve[above]);
        low + (high - low) * (probability - from) / (to - from)
    }
}

/// Spot prices hour by hour: a normal process, mapped onto the distribution
/// of the market's prices.
///
/// ```text
/// s(m, h) = standard score of the profile
/// y = sqrt(b) slow + sqrt(1 - b) fast,   each x' = r x + sqrt(1 - r^2) e
/// price = Q( Phi( sqrt(a) s + sqrt(1 - a) y ) )
/// ```
///
/// `a` is what month and hour explain, `b` which part of the rest lasts for weeks,
/// `r` how long either lasts; all computed from real hours (data/make.py). The slow
/// part moves at midnight.
#[derive(Debug)]
pub struct SpotPath {
    zone: SpotZone,
    scores: [[f64; 24]; 12],
    slow: f64,
    fast: f64,
    rng: ChaCha8Rng,
    /// So many points of Q(Phi(x)), from -4 to 4.
    table: Vec<f64>,
}

impl SpotPath {
    /// A path of this market with draws of its own.
    #[must_use]
    pub fn new(zone: &SpotZone, mut rng: ChaCha8Rng) -> Self {
        let cells: Vec<f64> = zone.profile_usd_per_mwh.iter().flatten().copied().collect();
        let mut ranked = cells.clone();
        ranked.sort_by(f64::total_cmp);
        let score = |price: f64| {
            // The middle of those that are alike: a floor price fills many cells.
            let below = ranked.partition_point(|other| *other < price);
            let up_to = ranked.partition_point(|other| *other <= price);
            inverse_normal((below + up_to) as f64 / 2.0 / ranked.len() as f64)
        };
        let scores = zone.profile_usd_per_mwh.map(|hours| hours.map(score));
        let table = (0..POINTS)
            .map(|at| zone.quantile(normal(-4.0 + 8.0 * at as f64 / (POINTS - 1) as f64)) / 1e3)
            .collect();
        let (slow, fast) = (StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng));
        Self { zone: zone.clone(), scores, slow, fast, rng, table }
    }

    /// The market's next 24 hours from midnight UTC, USD/kWh, in a month (January
    /// is 0) where local time is so many hours ahead.
    pub fn day(&mut self, month: usize, utc_offset_hours: usize) -> [f64; 24] {
        let (a, b) = (self.zone.explained, self.zone.slow_part);
        self.slow = self.step(self.slow, self.zone.slow_persistence_1h.powi(24));
        let (known, weeks, hours) = (a.sqrt(), ((1.0 - a) * b).sqrt(), ((1.0 - a) * (1.0 - b)).sqrt());
        let mut prices = [0.0; 24];
        for (hour, price) in prices.iter_mut().enumerate() {
            self.fast = self.step(self.fast, self.zone.fast_persistence_1h);
            let expected = self.scores[month][(hour + utc_offset_hours) % 24];
            let score = known * expected + weeks * self.slow + hours * self.fast;
            let at = ((score + 4.0) / 8.0 * (POINTS - 1) as f64).clamp(0.0, (POINTS - 1) as f64 - 1e-9);
            let (below, part) = (at as usize, at.fract());
            *price = self.table[below] * (1.0 - part) + self.table[below + 1] * part;
        }
        prices
    }

    /// What a standard normal value is a step later.
    fn step(&mut self, value: f64, persistence: f64) -> f64 {
        let draw: f64 = StandardNormal.sample(&mut self.rng);
        persistence * value + (1.0 - persistence * persistence).sqrt() * draw
    }
}

fn normal(x: f64) -> f64 {
    0.5 * statrs::function::erf::erfc(-x / std::f64::consts::SQRT_2)
}

fn inverse_normal(probability: f64) -> f64 {
    -std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * probability)
}
