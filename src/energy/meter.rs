//! Power over time into kWh and USD.
//!
//! A span is cut where the local hour changes, so that each piece is charged
//! at the price of its hour. Days on which the same rows hold are alike, so all
//! whole days before the next tariff change are charged hour of the day by hour
//! of the day at once. The work is thus bounded by the number of tariff
//! rows, not by the length of the span: a century is hardly more work than a day.
//!
//! Invariant: however a span is cut into calls, energy and cost are the same.

use super::hours::{LocalHour, MICROS_PER_DAY, MICROS_PER_HOUR, local_micros};
use super::region::Region;
use crate::units::{KilowattHours, Seconds, Timestamp, Usd, UsdPerKwh, Watts};

/// What has been used and what it cost, so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EnergyMeter {
    energy: KilowattHours,
    cost: Usd,
}

impl EnergyMeter {
    /// Adds `power` drawn in `region` from one time to another, at the prices
    /// of its tariffs. Nothing is added when `to` is not after `from`.
    pub fn charge(&mut self, region: &Region, power: Watts, from: Timestamp, to: Timestamp) {
        let mut at = local_micros(from, region.utc_offset_seconds);
        let end = local_micros(to, region.utc_offset_seconds);
        while at < end {
            let now = LocalHour::of_local_micros(at);
            // Days while the same rows hold are alike; 24 hours from any minute
            // on hold one hour's worth of each hour of the day.
            let alike_until = i128::from(region.next_tariff_day(now.day)) * MICROS_PER_DAY;
            let days = (alike_until.min(end) - at) / MICROS_PER_DAY;
            if days > 0 {
                for hour in 0..24 {
                    let price = region.price_in(LocalHour { hour, ..now }).value;
                    self.add(power * micros(days * MICROS_PER_HOUR), price);
                }
                at += days * MICROS_PER_DAY;
            } else {
                let next = end.min((at.div_euclid(MICROS_PER_HOUR) + 1) * MICROS_PER_HOUR);
                self.add(power * micros(next - at), region.price_in(now).value);
                at = next;
            }
        }
    }

    /// Energy used.
    #[must_use]
    pub fn energy(&self) -> KilowattHours {
        self.energy
    }

    /// What it cost.
    #[must_use]
    pub fn cost(&self) -> Usd {
        self.cost
    }

    /// Cost over energy; `None` before any energy is used.
    #[must_use]
    pub fn mean_price(&self) -> Option<UsdPerKwh> {
        (self.energy.0 > 0.0).then(|| UsdPerKwh(self.cost.0 / self.energy.0))
    }

    fn add(&mut self, energy: KilowattHours, price: UsdPerKwh) {
        self.energy += energy;
        self.cost += energy * price;
    }
}

/// A span of microseconds.
fn micros(span: i128) -> Seconds {
    Seconds(span as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Atlas;
    use super::*;

    const MEGAWATT: Watts = Watts(1e6);
    const DECADES: u64 = 40 * 366 * 86_400;

    fn region(code: &str) -> &'static Region {
        Atlas::embedded().region(code).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond() as u64)
    }

    fn bill(region: &Region, from: Timestamp, to: Timestamp) -> EnergyMeter {
        let mut meter = EnergyMeter::default();
        meter.charge(region, MEGAWATT, from, to);
        meter
    }

    fn assert_close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6), "{a} is not {b}");
    }

    #[test]
    fn each_hour_is_charged_at_its_price() {
        // Of 1 MW, in UTC; Ethiopia is 3 hours ahead.
        fn check(from: &str, to: &str, kwh: f64, usd: f64) {
            let meter = bill(region("ET"), at(from), at(to));
            assert_close(meter.energy().0, kwh);
            assert_close(meter.cost().0, usd);
        }
        // Half an hour each side of 18:00, then of 22:00.
        check("2025-12-05T14:30:00Z", "2025-12-05T15:30:00Z", 1000.0, 500.0 * (0.035 + 0.06));
        check("2025-12-05T18:30:00Z", "2025-12-05T19:30:00Z", 1000.0, 500.0 * (0.06 + 0.035));
        // A local day: 4 hours peak, 4 shoulder, 16 off-peak.
        let day = 1000.0 * (4.0 * 0.06 + 4.0 * 0.045 + 16.0 * 0.035);
        check("2025-12-04T21:00:00Z", "2025-12-05T21:00:00Z", 24_000.0, day);
        check("2025-12-04T21:00:01Z", "2025-12-05T21:00:01Z", 24_000.0, day);
        // A flat day, then a day of the new tariff.
        check("2025-11-29T21:00:00Z", "2025-12-01T21:00:00Z", 48_000.0, 24_000.0 * 0.0314 + day);
        check("2025-12-05T14:30:00Z", "2025-12-05T14:30:00Z", 0.0, 0.0);
        check("2025-12-05T14:30:00Z", "2024-12-05T14:30:00Z", 0.0, 0.0);
    }

    #[test]
    fn the_day_of_the_module_docs() {
        let site = Atlas::embedded().site("ET", "Antminer S21", 1000).unwrap();
        let meter = site.bill(at("2025-12-04T21:00:00Z"), at("2025-12-05T21:00:00Z"));
        assert_eq!(site.power().to_string(), "3720500 W");
        assert_eq!(meter.energy().to_string(), "89292.000 kWh");
        assert_eq!(meter.cost().to_string(), "3646.0900 USD");
    }

    #[test]
    fn mean_price_of_a_day_is_near_the_published_average() {
        fn check(day: &str, published: f64) {
            let from = at(&format!("{day}T21:00:00Z"));
            let mean = bill(region("ET"), from, from + Seconds(86_400.0)).mean_price().unwrap();
            assert!((mean.0 / published - 1.0).abs() < 0.025, "{day}: {mean}");
        }
        check("2025-12-04", 0.040);
        check("2026-12-04", 0.050);
        check("2027-12-04", 0.065);
        assert_eq!(EnergyMeter::default().mean_price(), None);
    }

    #[test]
    fn all_of_time_is_soon_charged() {
        for code in ["ET", "KZ", "IR", "US-TX"] {
            let meter = bill(region(code), Timestamp(0), Timestamp(u64::MAX));
            assert_close(meter.energy().0, u64::MAX as f64 / 3.6e9 * 1e3);
        }
    }

    /// The plain way: one piece per local hour.
    fn bill_by_the_hour(region: &Region, from: Timestamp, to: Timestamp) -> EnergyMeter {
        let mut meter = EnergyMeter::default();
        let offset = i64::from(region.utc_offset_seconds) * 1_000_000;
        let mut now = from.micros() as i64;
        while now < to.micros() as i64 {
            let next = ((now + offset).div_euclid(3_600_000_000) + 1) * 3_600_000_000 - offset;
            let next = next.min(to.micros() as i64);
            let price = region.price_at(Timestamp(now as u64)).value;
            meter.add(MEGAWATT * Seconds((next - now) as f64 / 1e6), price);
            now = next;
        }
        meter
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn energy_is_power_times_time(nth in 0..42_usize, from in 0..DECADES, span in 0..DECADES) {
            let region = Atlas::embedded().regions().nth(nth).unwrap();
            let (from, to) = (Timestamp::from_unix_seconds(from), Timestamp::from_unix_seconds(from + span));
            assert_close(bill(region, from, to).energy().0, (MEGAWATT * to.since(from)).0);
        }

        #[test]
        fn pieces_sum_to_the_whole(
            nth in 0..42_usize,
            mut cuts in proptest::collection::vec(0..70 * 366 * 86_400_000_000_u64, 2..6),
        ) {
            cuts.sort_unstable();
            let region = Atlas::embedded().regions().nth(nth).unwrap();
            let mut pieces = EnergyMeter::default();
            for pair in cuts.windows(2) {
                pieces.charge(region, MEGAWATT, Timestamp(pair[0]), Timestamp(pair[1]));
            }
            let whole = bill(region, Timestamp(cuts[0]), Timestamp(cuts[cuts.len() - 1]));
            assert_close(pieces.energy().0, whole.energy().0);
            assert_close(pieces.cost().0, whole.cost().0);
        }

        #[test]
        fn days_at_once_cost_what_hours_one_by_one_cost(
            nth in 0..42_usize,
            // From 2019 on, so that spans cross the tariff changes.
            from in 1_550_000_000_000_000..1_850_000_000_000_000_u64,
            span in 0..3 * 366 * 86_400_000_000_u64,
        ) {
            let region = Atlas::embedded().regions().nth(nth).unwrap();
            let (from, to) = (Timestamp(from), Timestamp(from + span));
            let (fast, plain) = (bill(region, from, to), bill_by_the_hour(region, from, to));
            assert_close(fast.energy().0, plain.energy().0);
            assert_close(fast.cost().0, plain.cost().0);
        }
    }
}
