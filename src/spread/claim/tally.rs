//! Counts and integer sums over draws, which are the same in whatever order they come.
//!
//! Floating point sums depend on their order, and so on how draws are divided
//! among threads. Losses are kept as multiples of 2^-32 and everything is an
//! integer: any partition of the draws gives the same bits.

use super::recovery::HORIZON_DAYS;

/// Losses are counted in multiples of one over this.
pub(super) const LOSS_UNITS: f64 = 4_294_967_296.0;

/// Bins of the histogram of losses: 0.025 percentage points each.
const LOSS_BINS: usize = 4_000;

/// A figure and how far chance may have moved it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its Monte Carlo standard error: of the draws, not of the model.
    pub standard_error: f64,
}

/// Counts in bins of equal width from 0 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Histogram {
    bins: Vec<u64>,
}

/// What the years of one case came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    draws: u64,
    bad: u64,
    losses: Sums,
    loss_bins: Histogram,
    /// Over draws that are not over at once.
    recoveries: Sums,
    recovery_draws: u64,
    recovery_bins: Histogram,
    beyond_horizon: u64,
    /// In USD a day.
    security: Sums,
}

/// A sum and a sum of squares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sums {
    sum: u128,
    squares: u128,
}

/// One year of one case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Part of the network lost.
    pub loss: f64,
    /// Whether that is a bad loss.
    pub is_bad: bool,
    /// Days to recover.
    pub recovery_days: u32,
    /// Power for a day to match what is left.
    pub security_cost_usd_per_day: f64,
}

impl Histogram {
    pub(super) fn new(bins: usize) -> Self {
        Self { bins: vec![0; bins] }
    }

    pub(super) fn of_losses() -> Self {
        Self::new(LOSS_BINS)
    }

    pub(super) fn add(&mut self, bin: usize) {
        let last = self.bins.len() - 1;
        self.bins[bin.min(last)] += 1;
    }

    /// Counts a loss, 0 to 1.
    pub(super) fn add_loss(&mut self, loss: f64) {
        self.add((loss * LOSS_BINS as f64) as usize);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.bins.iter_mut().zip(&other.bins).for_each(|(bin, more)| *bin += more);
    }

    /// The value, in bins, below which a part `fraction` of `draws` lies.
    pub(super) fn quantile(&self, fraction: f64, draws: u64) -> f64 {
        let rank = fraction.clamp(0.0, 1.0) * draws as f64;
        let mut below = 0.0;
        for (at, &count) in self.bins.iter().enumerate() {
            let count = count as f64;
            if count > 0.0 && below + count >= rank {
                return at as f64 + ((rank - below) / count).max(0.0);
            }
            below += count;
        }
        self.bins.len() as f64
    }

    /// A quantile with half the distance between the ranks one standard error either side.
    fn quantile_estimate(&self, fraction: f64, draws: u64, bin_width: f64) -> Estimate {
        let error = (fraction * (1.0 - fraction) / draws.max(1) as f64).sqrt();
        let at = |fraction| self.quantile(fraction, draws) * bin_width;
        Estimate { value: at(fraction), standard_error: (at(fraction + error) - at(fraction - error)) / 2.0 }
    }

    /// A quantile of losses, as a part of 1.
    pub(super) fn loss_quantile(&self, fraction: f64, draws: u64) -> f64 {
        self.quantile(fraction, draws) / LOSS_BINS as f64
    }
}

impl Sums {
    fn add(&mut self, value: u64) {
        self.sum += u128::from(value);
        self.squares += u128::from(value) * u128::from(value);
    }

    fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// Mean and its standard error, divided by `units`.
    fn mean(self, draws: u64, units: f64) -> Estimate {
        let n = draws.max(1) as f64;
        Estimate {
            value: self.sum as f64 / n / units,
            standard_error: (self.variance(draws, units) / n).sqrt(),
        }
    }

    fn variance(self, draws: u64, units: f64) -> f64 {
        let n = draws.max(1) as f64;
        let mean = self.sum as f64 / n / units;
        (self.squares as f64 / n / units / units - mean * mean).max(0.0)
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            draws: 0,
            bad: 0,
            losses: Sums::default(),
            loss_bins: Histogram::of_losses(),
            recoveries: Sums::default(),
            recovery_draws: 0,
            recovery_bins: Histogram::new(HORIZON_DAYS as usize + 1),
            beyond_horizon: 0,
            security: Sums::default(),
        }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.draws += 1;
        self.bad += u64::from(outcome.is_bad);
        self.losses.add((outcome.loss * LOSS_UNITS) as u64);
        self.loss_bins.add_loss(outcome.loss);
        self.recovery_bins.add(outcome.recovery_days as usize);
        if outcome.recovery_days > 0 {
            self.recovery_draws += 1;
            self.recoveries.add(u64::from(outcome.recovery_days));
        }
        self.beyond_horizon += u64::from(outcome.recovery_days >= HORIZON_DAYS);
        self.security.add(outcome.security_cost_usd_per_day as u64);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.draws += other.draws;
        self.bad += other.bad;
        self.losses.merge(other.losses);
        self.loss_bins.merge(&other.loss_bins);
        self.recoveries.merge(other.recoveries);
        self.recovery_draws += other.recovery_draws;
        self.recovery_bins.merge(&other.recovery_bins);
        self.beyond_horizon += other.beyond_horizon;
        self.security.merge(other.security);
    }

    pub(super) fn draws(&self) -> u64 {
        self.draws
    }

    pub(super) fn loss_mean(&self) -> Estimate {
        self.losses.mean(self.draws, LOSS_UNITS)
    }

    pub(super) fn loss_variance(&self) -> f64 {
        self.losses.variance(self.draws, LOSS_UNITS)
    }

    pub(super) fn loss_p99(&self) -> Estimate {
        self.loss_bins.quantile_estimate(0.99, self.draws, 1.0 / LOSS_BINS as f64)
    }

    pub(super) fn bad(&self) -> Estimate {
        proportion(self.bad, self.draws)
    }

    /// Of the draws in which there is something to recover.
    pub(super) fn recovery_mean_days(&self) -> Estimate {
        self.recoveries.mean(self.recovery_draws, 1.0)
    }

    pub(super) fn recovery_p99_days(&self) -> Estimate {
        self.recovery_bins.quantile_estimate(0.99, self.draws, 1.0)
    }

    pub(super) fn beyond_horizon(&self) -> Estimate {
        proportion(self.beyond_horizon, self.draws)
    }

    pub(super) fn security_cost_usd_per_day(&self) -> Estimate {
        self.security.mean(self.draws, 1.0)
    }
}

/// A part of the draws, with its binomial error.
fn proportion(count: u64, draws: u64) -> Estimate {
    let n = draws.max(1) as f64;
    let value = count as f64 / n;
    Estimate { value, standard_error: (value * (1.0 - value) / n).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_hundred_known_years() {
        let mut tally = Tally::new();
        for nth in 0..100 {
            let loss = f64::from(nth) / 100.0;
            tally.add(Outcome {
                loss,
                is_bad: loss > 0.5,
                recovery_days: if nth < 50 { 0 } else { 100 },
                security_cost_usd_per_day: 1e6,
            });
        }
        assert!((tally.loss_mean().value - 0.495).abs() < 1e-9);
        assert!((tally.loss_variance() - (10_000.0 - 1.0) / 12.0 / 1e4).abs() < 1e-9);
        assert!((tally.loss_p99().value - 0.98).abs() < 1e-3, "{:?}", tally.loss_p99());
        assert_eq!(tally.bad().value, 0.49);
        assert_eq!(tally.recovery_mean_days(), Estimate { value: 100.0, standard_error: 0.0 });
        assert_eq!(tally.security_cost_usd_per_day(), Estimate { value: 1e6, standard_error: 0.0 });
        assert_eq!(tally.beyond_horizon().value, 0.0);
    }
}
