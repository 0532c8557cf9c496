//! What a site comes to: costs, break-even, hours to switch off, payback.

use super::plan::SitePlan;
use crate::energy::{LocalHour, RegionCode};

/// Days of the first year, of which the figures of a year are. A whole number, so that every
/// hour of the day counts alike.
const YEAR_DAYS: i64 = 365;

/// Days of a mean year, by which growth and discount are spread over days.
const DAYS_PER_YEAR: f64 = 365.25;

/// What has to be paid before anything is earned.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Capital {
    /// Machines with duty and freight.
    pub machines_usd: f64,
    /// Buildings and connection.
    pub site_usd: f64,
}

/// When the margins have brought the capital back.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Payback {
    /// Years without discounting; `None` if not within the lifetime.
    pub simple_years: Option<f64>,
    /// Years with every margin discounted to the start.
    pub discounted_years: Option<f64>,
    /// Discounted margins of the whole lifetime less the capital.
    pub net_present_value_usd: f64,
}

/// What a site comes to. Figures of a year are of its first 365 days.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SiteReport {
    /// Where it is.
    pub region: RegionCode,
    /// Its machines.
    pub device: String,
    /// Site power with every machine on.
    pub power_kw: f64,
    /// Hashrate with every machine on.
    pub hashrate_phs: f64,
    /// Machine power over hashrate.
    pub efficiency_j_per_th: f64,
    /// Site power over machine power.
    pub pue: f64,
    /// Mean price of all hours.
    pub power_price_usd_per_kwh: f64,
    /// Mean price of the hours run.
    pub power_price_run_usd_per_kwh: f64,
    /// Power and operation of a kWh used.
    pub running_cost_usd_per_kwh: f64,
    /// Capital of a kWh used.
    pub capital_usd_per_kwh: f64,
    /// Both.
    pub all_in_usd_per_kwh: f64,
    /// Power and operation of a bitcoin.
    pub running_cost_usd_per_btc: f64,
    /// The same with capital.
    pub all_in_usd_per_btc: f64,
    /// Hashprice that pays power and operation, USD/PH/s/day.
    pub break_even_hashprice_running: f64,
    /// Hashprice that pays capital too, USD/PH/s/day.
    pub break_even_hashprice_all_in: f64,
    /// Machines of worse efficiency do not pay their power and operation here.
    pub break_even_efficiency_j_per_th: f64,
    /// What a kWh earns: dearer hours are not worth running.
    pub strike_usd_per_kwh: f64,
    /// Hours of the first year in which to switch off.
    pub curtail_hours_per_year: u32,
    /// On how many days of the first year, by local hour of the day.
    pub curtail_days_by_hour: [u32; 24],
    /// What switching off in them saves, credits included.
    pub curtail_saving_usd_per_year: f64,
    /// Energy used in the first year.
    pub energy_kwh_per_year: f64,
    /// Bitcoin mined in the first year, the pool's fee taken off.
    pub btc_per_year: f64,
    /// What they sell for.
    pub revenue_usd_per_year: f64,
    /// That, and credits, less power and operation.
    pub margin_usd_per_year: f64,
    /// What has to be paid first.
    pub capital: Capital,
    /// When it is back.
    pub payback: Payback,
}

/// Sums over some hours.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    kwh: f64,
    power_usd: f64,
    revenue_usd: f64,
    credit_usd: f64,
    /// What the hours not run would have lost, and the credits for them.
    saving_usd: f64,
    hours_off: u32,
}

impl SitePlan {
    /// Site power with every machine on.
    fn power_kw(&self) -> f64 {
        self.device.power.0 * f64::from(self.count) * self.pue / 1e3
    }

    fn hashrate_phs(&self) -> f64 {
        self.device.hashrate.hashes_per_second() * f64::from(self.count) / 1e15
    }

    /// What a kWh earns on a day, `years` after the start.
    fn revenue_usd_per_kwh(&self, years: f64) -> f64 {
        let hashprice = self.hashprice_usd_per_phs_day * (1.0 + self.hashprice_change_per_year).powf(years);
        hashprice * (1.0 - self.pool_fee) * self.hashrate_phs() / (24.0 * self.power_kw())
    }

    fn capital(&self) -> Capital {
        let rig_usd = self.rig_price_usd * (1.0 + self.duty) + self.freight_usd_per_rig;
        Capital {
            machines_usd: rig_usd * f64::from(self.count),
            site_usd: self.power_kw() / 1e3 * self.site_capex_usd_per_mw,
        }
    }

    /// One local day, from 0; `off` is told each hour that is not run.
    fn day(&self, day: i64, mut off: impl FnMut(u8)) -> Sums {
        let mut sums = Sums::default();
        let value = self.revenue_usd_per_kwh(day as f64 / DAYS_PER_YEAR);
        let kwh = self.power_kw() * self.uptime;
        for hour in 0..24 {
            let price = self.price_in(LocalHour { day: i64::from(self.from.0) + day, hour });
            let gain = value - price - self.operation_usd_per_kwh - self.curtailment_credit_usd_per_kwh;
            if gain > 0.0 {
                sums.kwh += kwh;
                sums.power_usd += kwh * price;
                sums.revenue_usd += kwh * value;
            } else {
                sums.credit_usd += kwh * self.curtailment_credit_usd_per_kwh;
                sums.saving_usd -= kwh * gain;
                sums.hours_off += 1;
                off(hour);
            }
        }
        sums
    }

    fn margin_usd(&self, sums: Sums) -> f64 {
        sums.revenue_usd + sums.credit_usd - sums.power_usd - sums.kwh * self.operation_usd_per_kwh
    }

    fn payback(&self, capital_usd: f64) -> Payback {
        let days = (self.lifetime_years * DAYS_PER_YEAR) as i64;
        let (mut simple, mut discounted) = (-capital_usd, -capital_usd);
        let (mut simple_years, mut discounted_years) = (None, None);
        for day in 0..days {
            let margin = self.margin_usd(self.day(day, |_| {}));
            let years = (day + 1) as f64 / DAYS_PER_YEAR;
            simple += margin;
            discounted += margin * (1.0 + self.discount_per_year).powf(-years);
            if simple >= 0.0 {
                simple_years.get_or_insert(years);
            }
            if discounted >= 0.0 {
                discounted_years.get_or_insert(years);
            }
        }
        Payback { simple_years, discounted_years, net_present_value_usd: discounted }
    }

    /// What the site comes to. When it runs in no hour of the year, costs of a kWh and of a bitcoin
    /// are what they would be if it ran in all.
    #[must_use]
    pub fn report(&self) -> SiteReport {
        let mut year = Sums::default();
        let mut curtail_days_by_hour = [0; 24];
        let mut price_sum = 0.0;
        for day in 0..YEAR_DAYS {
            let sums = self.day(day, |hour| curtail_days_by_hour[usize::from(hour)] += 1);
            year.kwh += sums.kwh;
            year.power_usd += sums.power_usd;
            year.revenue_usd += sums.revenue_usd;
            year.credit_usd += sums.credit_usd;
            year.saving_usd += sums.saving_usd;
            year.hours_off += sums.hours_off;
            let at = |hour| LocalHour { day: i64::from(self.from.0) + day, hour };
            price_sum += (0..24).map(|hour| self.price_in(at(hour))).sum::<f64>();
        }
        let capital = self.capital();
        let capital_usd = capital.machines_usd + capital.site_usd;
        let power_price_usd_per_kwh = price_sum / (YEAR_DAYS * 24) as f64;
        let (power_price_run, value, kwh) = if year.kwh > 0.0 {
            (year.power_usd / year.kwh, year.revenue_usd / year.kwh, year.kwh)
        } else {
            let kwh = self.power_kw() * self.uptime * (YEAR_DAYS * 24) as f64;
            (power_price_usd_per_kwh, self.revenue_usd_per_kwh(0.0), kwh)
        };
        let running = power_price_run + self.operation_usd_per_kwh;
        let capital_usd_per_kwh = capital_usd * self.capital_recovery_per_year() / kwh;
        let kwh_per_btc = self.price_usd_per_btc / value;
        // kWh that a PH/s uses in a day.
        let kwh_per_phs_day = 24.0 * self.power_kw() / self.hashrate_phs();
        let break_even = |cost: f64| kwh_per_phs_day * cost / (1.0 - self.pool_fee);
        let all_in = running + capital_usd_per_kwh;
        let efficiency_j_per_th = self.device.power.0 / (self.device.hashrate.hashes_per_second() / 1e12);
        SiteReport {
            region: self.region.code,
            device: self.device.model.clone(),
            power_kw: self.power_kw(),
            hashrate_phs: self.hashrate_phs(),
            efficiency_j_per_th,
            pue: self.pue,
            power_price_usd_per_kwh,
            power_price_run_usd_per_kwh: power_price_run,
            running_cost_usd_per_kwh: running,
            capital_usd_per_kwh,
            all_in_usd_per_kwh: all_in,
            running_cost_usd_per_btc: running * kwh_per_btc,
            all_in_usd_per_btc: all_in * kwh_per_btc,
            break_even_hashprice_running: break_even(running),
            break_even_hashprice_all_in: break_even(all_in),
            break_even_efficiency_j_per_th: self.hashprice_usd_per_phs_day * (1.0 - self.pool_fee)
                / (24.0 * self.pue * running),
            strike_usd_per_kwh: self.revenue_usd_per_kwh(0.0)
                - self.operation_usd_per_kwh
                - self.curtailment_credit_usd_per_kwh,
            curtail_hours_per_year: year.hours_off,
            curtail_days_by_hour,
            curtail_saving_usd_per_year: year.saving_usd,
            energy_kwh_per_year: year.kwh,
            btc_per_year: year.revenue_usd / self.price_usd_per_btc,
            revenue_usd_per_year: year.revenue_usd,
            margin_usd_per_year: self.margin_usd(year),
            capital,
            payback: self.payback(capital_usd),
        }
    }

    /// What a USD of capital costs a year, paid back evenly over the lifetime.
    fn capital_recovery_per_year(&self) -> f64 {
        let (d, years) = (self.discount_per_year, self.lifetime_years);
        if d == 0.0 { 1.0 / years } else { d / (1.0 - (1.0 + d).powf(-years)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::Prices;
    use super::super::plan::tests::ETHIOPIA;
    use super::*;
    use crate::energy::Atlas;

    /// The plain site of the module docs: hashprice 30, PUE 1, 5 US cents and nothing else.
    fn plain() -> SitePlan {
        let mut plan = SitePlan::from_toml(ETHIOPIA, Atlas::embedded()).unwrap();
        plan.hashprice_usd_per_phs_day = 30.0;
        plan.pool_fee = 0.0;
        plan.pue = 1.0;
        plan.prices = Prices::Tariff([0.05; 24]);
        plan.operation_usd_per_kwh = 0.0;
        plan.rig_price_usd = 0.0;
        plan.site_capex_usd_per_mw = 0.0;
        plan
    }

    fn assert_near(found: f64, wanted: f64, bound: f64) {
        assert!((found - wanted).abs() <= bound, "{found} is not {wanted}");
    }

    #[test]
    fn the_numbers_of_the_module_docs() {
        let report = plain().report();
        assert_near(report.break_even_efficiency_j_per_th, 25.0, 1e-9);
        assert_near(report.break_even_hashprice_running, 21.0, 1e-9);
        assert_near(report.strike_usd_per_kwh, 0.0714, 5e-5);
        assert_eq!(report.curtail_hours_per_year, 0);
        // 200 PH/s at 3.5 MW: a year is 30.66 GWh and, at 30, USD 2.19 million.
        assert_near(report.energy_kwh_per_year, 30_660_000.0, 1e-3);
        assert_near(report.revenue_usd_per_year, 2_190_000.0, 1e-3);
        assert_near(report.margin_usd_per_year, 2_190_000.0 - 1_533_000.0, 1e-3);
        // At the break-even hashprice a bitcoin costs what it sells for.
        let mut edge = plain();
        edge.hashprice_usd_per_phs_day = 21.000_001;
        assert_near(edge.report().running_cost_usd_per_btc, 90_000.0, 0.01);
    }

    #[test]
    fn hours_dearer_than_a_kwh_earns_are_not_run() {
        let mut plan = plain();
        let mut by_hour = [0.05; 24];
        by_hour[18..22].fill(0.10);
        plan.prices = Prices::Tariff(by_hour);
        let report = plan.report();
        assert_eq!(report.curtail_hours_per_year, 4 * 365);
        assert_eq!(report.curtail_days_by_hour[17..23], [0, 365, 365, 365, 365, 0]);
        assert_near(report.curtail_saving_usd_per_year, 4.0 * 365.0 * 3_500.0 * (0.10 - 30.0 / 420.0), 1e-3);
        assert_near(report.power_price_run_usd_per_kwh, 0.05, 1e-12);
        assert_near(report.power_price_usd_per_kwh, 0.05 + 0.05 / 6.0, 1e-12);
        // A credit of 3 cents makes the other hours worth more unused.
        plan.curtailment_credit_usd_per_kwh = 0.03;
        let report = plan.report();
        assert_eq!(report.curtail_hours_per_year, 24 * 365);
        assert_near(report.margin_usd_per_year, 30_660_000.0 * 0.03, 1e-3);
    }

    #[test]
    fn payback_is_capital_over_margin_and_later_when_discounted() {
        let mut plan = plain();
        // A margin of 657,000 a year against 1,000 machines of 1,314.
        plan.rig_price_usd = 1_314.0;
        let report = plan.report();
        let simple = report.payback.simple_years.unwrap();
        assert_near(simple, 2.0 * 365.0 / 365.25, 0.003);
        // Discounted at 20 % continuously paid margins reach K after -ln(1 - K ln(1.2) / margin) / ln(1.2).
        let rate = 1.2_f64.ln();
        assert_near(
            report.payback.discounted_years.unwrap(),
            -(1.0 - 2.0 * 365.0 / 365.25 * rate).ln() / rate,
            0.01,
        );
        assert!(report.payback.net_present_value_usd > 0.0);
        plan.hashprice_change_per_year = -0.2;
        let falling = plan.report().payback;
        assert!(falling.simple_years.unwrap_or(f64::INFINITY) > simple, "{falling:?}");
        assert_eq!(falling.discounted_years, None);
        assert!(falling.net_present_value_usd < 0.0);
    }

    #[test]
    fn capital_is_spread_over_the_kilowatt_hours_of_its_life() {
        let mut plan = plain();
        plan.rig_price_usd = 3_000.0;
        plan.duty = 0.1;
        plan.freight_usd_per_rig = 45.0;
        plan.site_capex_usd_per_mw = 400_000.0;
        let report = plan.report();
        assert_near(report.capital.machines_usd, 3_345_000.0, 1e-3);
        assert_near(report.capital.site_usd, 1_400_000.0, 1e-3);
        // CRF at 20 % over four years is 0.3863.
        assert_near(report.capital_usd_per_kwh, 4_745_000.0 * 0.386_289 / 30_660_000.0, 1e-6);
        assert_near(report.break_even_hashprice_all_in, 24.0 * 17.5 * report.all_in_usd_per_kwh, 1e-9);
        plan.discount_per_year = 0.0;
        assert_near(plan.report().capital_usd_per_kwh, 4_745_000.0 / 4.0 / 30_660_000.0, 1e-9);
    }

    #[test]
    fn published_steps_of_a_tariff_cut_into_the_margin() {
        let plan = SitePlan::from_toml(ETHIOPIA, Atlas::embedded()).unwrap();
        let first = plan.report();
        // 219 days at 4.08 US cents, and 146 at 5.08.
        assert_near(first.power_price_usd_per_kwh, (219.0 * 0.040_833 + 146.0 * 0.050_75) / 365.0, 1e-4);
        let later = SitePlan { from: plan.from + 730, ..plan.clone() }.report();
        assert!(
            later.power_price_usd_per_kwh > 0.065 && later.margin_usd_per_year < first.margin_usd_per_year
        );
    }

    #[test]
    fn a_site_that_never_runs_is_told_what_it_would_cost() {
        let mut plan = plain();
        plan.hashprice_usd_per_phs_day = 10.0;
        let report = plan.report();
        assert_eq!(report.curtail_hours_per_year, 365 * 24);
        assert_eq!((report.margin_usd_per_year, report.btc_per_year), (0.0, 0.0));
        assert_near(report.break_even_hashprice_running, 21.0, 1e-9);
        assert_near(report.running_cost_usd_per_btc, 90_000.0 * 2.1, 1e-6);
    }
}
