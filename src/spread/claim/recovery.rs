//! How long the network takes to get lost hashrate back.
//!
//! A struck region's machines come back in three ways: a part `a` returns in
//! place, the rest relocates less a part `n` that never runs again, and new
//! machines are delivered meanwhile. All but the first need sites, which are
//! empty racks and what is built. `t` days after the loss of `l`, with `F` the
//! distribution of the delay, gamma with shape 2 and scale 45 days:
//!
//! ```text
//! machines(t) = l x (1 - a - n) x F(t) + deliveries x t
//! sites(t)    = vacancy x (1 - l) + build x t
//! regained(t) = min(l, l x a x F(t) + min(machines(t), sites(t)))
//! ```
//!
//! Worked: China in 2021. l = 0.46, a = 0.48 and building 3 % of the network a
//! month: after 128 days F is 0.776, 0.171 is back in place, and sites for
//! 0.142 are there, so 0.313 of the 0.46 is regained; nine tenths of the
//! network run again after 157 days. The blocks say 128, from the peak on.
//!
//! Droughts, crashes and pool failures pass by themselves, after a drawn time.

use statrs::function::gamma::gamma_lr;

use super::parameters::Parameters;
use super::world::DAYS_PER_MONTH;

/// Days after which we stop looking: five years.
pub const HORIZON_DAYS: u32 = 1826;

/// The network is back when it lacks no more than this.
pub const RECOVERED_LACKS_MAX: f64 = 0.1;

/// The course of recoveries.
#[derive(Debug, Clone)]
pub(super) struct Recovery {
    /// `F` by day.
    returned: Vec<f64>,
    in_place: f64,
    relocated: f64,
    deliveries_per_day: f64,
    vacancy: f64,
}

/// What a year took from the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Loss {
    /// Everything at once.
    pub all: f64,
    /// That of local shocks and bans alone.
    pub struck: f64,
    /// Days until the rest has passed.
    pub passes_after_days: f64,
    /// Building in regions that were not struck, as part of the network a day.
    pub build_per_day: f64,
}

impl Recovery {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let (shape, scale) = (parameters.relocation_shape, parameters.relocation_scale_days);
        let returned = |day: u32| if day == 0 { 0.0 } else { gamma_lr(shape, f64::from(day) / scale) };
        let in_place = parameters.return_in_place_fraction;
        Self {
            returned: (0..=HORIZON_DAYS).map(returned).collect(),
            in_place,
            relocated: (1.0 - in_place - parameters.never_return_fraction).max(0.0),
            deliveries_per_day: parameters.deliveries_per_month / DAYS_PER_MONTH,
            vacancy: parameters.rack_vacancy_fraction,
        }
    }

    /// What of a loss of struck regions is back after so many days.
    fn regained(&self, lost: f64, build_per_day: f64, day: u32) -> f64 {
        let returned = self.returned[day as usize];
        let machines = lost * self.relocated * returned + self.deliveries_per_day * f64::from(day);
        let sites = self.vacancy * (1.0 - lost) + build_per_day * f64::from(day);
        lost.min(lost * self.in_place * returned + machines.min(sites))
    }

    /// The first day on which no more than `lacks_max` is missing of `missing` that struck
    /// regions have lost and others may have; `HORIZON_DAYS` if there is none before.
    fn first_day(&self, missing: f64, loss: Loss, lacks_max: f64) -> u32 {
        let is_back = |day| missing - self.regained(loss.struck, loss.build_per_day, day) <= lacks_max;
        // What is regained grows with time, so the first day can be sought by halving.
        let (mut low, mut high) = (0, HORIZON_DAYS);
        while low < high {
            let middle = u32::midpoint(low, high);
            if is_back(middle) { high = middle } else { low = middle + 1 }
        }
        low
    }

    /// Days until the network lacks at most [`RECOVERED_LACKS_MAX`], at most [`HORIZON_DAYS`].
    pub(super) fn days(&self, loss: Loss) -> u32 {
        if loss.all <= RECOVERED_LACKS_MAX {
            return 0;
        }
        let by_return_alone = self.first_day(loss.struck, loss, RECOVERED_LACKS_MAX);
        let with_the_rest_missing = self.first_day(loss.all, loss, RECOVERED_LACKS_MAX);
        let passed = loss.passes_after_days.ceil().min(f64::from(HORIZON_DAYS)) as u32;
        by_return_alone.max(with_the_rest_missing.min(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Assumptions;
    use super::*;

    fn check(all: f64, struck: f64, passes_after_days: f64, days: u32) {
        let recovery = Recovery::new(&Assumptions::embedded().values);
        let loss = Loss { all, struck, passes_after_days, build_per_day: 0.03 / DAYS_PER_MONTH };
        assert_eq!(recovery.days(loss), days, "{loss:?}");
    }

    #[test]
    fn deep_losses_take_long_and_passing_ones_pass() {
        check(0.1, 0.1, 0.0, 0);
        check(0.46, 0.46, 0.0, 157); // China
        check(0.3, 0.0, 7.5, 8); // nothing to rebuild, back when the cause is gone
        check(0.5, 0.46, 10.0, 157); // the passing part is gone long before
    }

    #[test]
    fn the_course_of_the_module_docs() {
        let recovery = Recovery::new(&Assumptions::embedded().values);
        let regained = recovery.regained(0.46, 0.03 / DAYS_PER_MONTH, 128);
        assert!((regained - 0.313).abs() < 0.001, "{regained}");
        assert!((recovery.returned[128] - 0.776).abs() < 0.001);
    }

    #[test]
    fn without_sites_or_machines_only_the_part_in_place_returns() {
        let mut parameters = Assumptions::embedded().values.clone();
        parameters.deliveries_per_month = 0.0;
        parameters.never_return_fraction = 1.0;
        let recovery = Recovery::new(&parameters);
        let loss = Loss { all: 0.5, struck: 0.5, passes_after_days: 0.0, build_per_day: 1.0 };
        assert_eq!(recovery.days(loss), HORIZON_DAYS);
    }
}
