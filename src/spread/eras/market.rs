//! What a machine is worth to a class of sites, which machines run, and who buys.

use super::inputs::{Class, Common};

/// Days of a month.
pub(super) const DAYS_PER_MONTH: f64 = 365.25 / 12.0;

/// kWh that 1 J/TH takes in a day for 1 TH/s.
pub(super) const KWH_PER_J_DAY: f64 = 0.024;

/// Price of power at which a machine earns it, USD/kWh; negative where operation alone costs more.
pub(super) fn break_even(hashprice: f64, efficiency: f64, class: &Class) -> f64 {
    hashprice / (KWH_PER_J_DAY * efficiency * class.pue) - class.operation_usd_per_kwh
}

/// Part of a class's sites whose power is cheaper than `break_even`: prices are lognormal.
pub(super) fn part_running(break_even: f64, class: &Class) -> f64 {
    if break_even <= 0.0 {
        0.0
    } else {
        normal((break_even / class.power_usd_per_kwh).ln() / class.power_spread)
    }
}

/// What a machine will earn over its power, discounted, USD per TH/s.
///
/// Hashprice (USD/TH/s/day) is expected to fall by a constant rate and `cost` to stay, so it
/// runs until the two meet, or its life ends.
pub(super) fn worth(hashprice: f64, cost: f64, common: &Common) -> f64 {
    if hashprice <= cost {
        return 0.0;
    }
    let (decline, discount) = (common.decline_per_month, common.discount_per_month);
    let until = ((hashprice / cost).ln() / decline).min(common.machine_life_months);
    let sum = |rate: f64| if rate > 0.0 { -(-rate * until).exp_m1() / rate } else { until };
    DAYS_PER_MONTH * (hashprice * sum(decline + discount) - cost * sum(discount))
}

/// Part of those interested whom a return of `index` (worth over price) makes buy.
pub(super) fn part_buying(index: f64, spread: f64) -> f64 {
    if index <= 0.0 { 0.0 } else { normal(index.ln() / spread) }
}

/// Divides `total` by weights so that nobody gets more than their cap; what is above goes to the
/// others by their weights. `None` is no cap.
pub(super) fn divide<const N: usize>(total: f64, weights: &[f64; N], caps: &[Option<f64>; N]) -> [f64; N] {
    let mut got = [0.0; N];
    let mut open: [bool; N] = std::array::from_fn(|at| weights[at] > 0.0);
    let mut left = total;
    loop {
        let sum: f64 = (0..N).filter(|&at| open[at]).map(|at| weights[at]).sum();
        if sum <= 0.0 {
            return got;
        }
        let full: Vec<usize> = (0..N)
            .filter(|&at| open[at] && caps[at].is_some_and(|cap| left * weights[at] / sum >= cap))
            .collect();
        if full.is_empty() {
            for at in (0..N).filter(|&at| open[at]) {
                got[at] = left * weights[at] / sum;
            }
            return got;
        }
        for at in full {
            got[at] = caps[at].unwrap_or(0.0);
            left -= got[at];
            open[at] = false;
        }
    }
}

pub(super) fn normal(x: f64) -> f64 {
    0.5 * statrs::function::erf::erfc(-x / std::f64::consts::SQRT_2)
}

pub(super) fn inverse_normal(probability: f64) -> f64 {
    -std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * probability)
}
