//! The places that can host hashrate, and how a spread over them is concentrated.
//!
//! ```text
//! HHI       = 10,000 x sum of squared shares      1 / (HHI / 10,000) is the
//!                                                 number of equal places alike
//! entropy   = - sum of share x ln(share)
//! Nakamoto  = fewest countries that hold more than half
//! capital   = share x hashrate x (rig price + efficiency x PUE x site capex)
//! ```
//!
//! Both indices are given twice: over countries, as they are usually quoted,
//! and over regions, because that is where local shocks strike. The United
//! States count as one country and five regions.

use std::collections::BTreeMap;

use super::parameters::{Assumptions, Parameters};
use crate::energy::{Atlas, RegionCode};

/// Days of a mean month, by which build rates a month become rates a day.
pub(super) const DAYS_PER_MONTH: f64 = 365.25 / 12.0;

/// A region, as far as the claim is concerned.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Place {
    /// Which region.
    pub code: RegionCode,
    /// ISO 3166 alpha-3 code of its country.
    pub country: String,
    /// Part of the network that the data gives it, of all that is placed.
    pub share_today: f64,
    /// Bans and the like in a year, a Poisson rate. A guess everywhere: sweep it.
    pub hazard_per_year: f64,
    /// Part of its power that is hydropower.
    pub hydro_dependence: f64,
    /// Middle price of a large miner.
    pub power_price_usd_per_kwh: f64,
    /// Site power over machine power with air cooling.
    pub pue: f64,
    /// Site power that can be built in a day.
    pub build_mw_per_day: f64,
}

/// All places, in the order of the shares of every [`Spread`].
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// The places, by code.
    pub places: Vec<Place>,
}

/// Which part of the network each place has.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Spread {
    /// Its name on the command line.
    pub name: String,
    /// What it is, in one line.
    pub about: String,
    /// By place; not negative, and sums to 1.
    pub shares: Vec<f64>,
}

/// How concentrated a spread is, and what it costs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Concentration {
    /// Herfindahl-Hirschman index over countries, 0 to 10,000.
    pub hhi_countries: f64,
    /// The same over regions.
    pub hhi_regions: f64,
    /// Shannon entropy over countries, in nats.
    pub entropy_nats: f64,
    /// Fewest countries that hold more than half; 0 if nobody holds anything.
    pub nakamoto_countries: usize,
    /// What the one, two and three greatest countries hold, and so could seize.
    pub greatest_countries: [f64; 3],
    /// Mean price of a kWh used.
    pub power_price_usd_per_kwh: f64,
    /// Power of all sites for a day.
    pub energy_cost_usd_per_day: f64,
    /// Machines and sites.
    pub capital_usd: f64,
}

impl World {
    /// The regions of an atlas. Shares are of what the data places, so they sum to 1.
    #[must_use]
    pub fn new(atlas: &Atlas, assumptions: &Assumptions) -> Self {
        let placed_pct: f64 = atlas.regions().map(|region| region.hashrate_share_pct).sum();
        let places = atlas
            .regions()
            .map(|region| Place {
                code: region.code,
                country: region.iso3.clone(),
                share_today: region.hashrate_share_pct / placed_pct,
                hazard_per_year: region.policy_hazard_per_year,
                hydro_dependence: assumptions.hydro_dependence.get(&region.code).copied().unwrap_or(0.0),
                power_price_usd_per_kwh: region.price_mid.0,
                pue: region.pue_air_mean,
                build_mw_per_day: region.build_power_per_month.0 / 1e6 / DAYS_PER_MONTH,
            })
            .collect();
        Self { places }
    }

    /// Of each place the number of its country, from 0, and how many countries there are.
    pub(super) fn countries(&self) -> (Vec<usize>, usize) {
        let mut numbers = BTreeMap::new();
        let of_place = self
            .places
            .iter()
            .map(|place| {
                let next = numbers.len();
                *numbers.entry(place.country.as_str()).or_insert(next)
            })
            .collect();
        (of_place, numbers.len())
    }

    /// Power of the site for a day and a part 1 of the network, in USD.
    pub(super) fn energy_cost_usd_per_day(&self, place: usize, parameters: &Parameters) -> f64 {
        let Place { power_price_usd_per_kwh, pue, .. } = self.places[place];
        network_kw(parameters) * pue * 24.0 * power_price_usd_per_kwh
    }

    /// How concentrated a spread is, and what it costs.
    #[must_use]
    pub fn concentration(&self, spread: &Spread, parameters: &Parameters) -> Concentration {
        let (country_of, countries) = self.countries();
        let mut held = vec![0.0; countries];
        country_of.iter().zip(&spread.shares).for_each(|(&country, share)| held[country] += share);
        held.sort_by(|a, b| b.total_cmp(a));
        let sum_of = |f: &dyn Fn(usize) -> f64| -> f64 {
            spread.shares.iter().enumerate().map(|(place, share)| share * f(place)).sum()
        };
        let pue = |place: usize| self.places[place].pue;
        let energy_cost_usd_per_day = sum_of(&|place| self.energy_cost_usd_per_day(place, parameters));
        let site_kw = network_kw(parameters) * sum_of(&pue);
        let rigs_usd = parameters.network_hashrate_ehs * 1e6 * parameters.rig_price_usd_per_ths;
        let mut running = 0.0;
        let cumulative: Vec<f64> = held
            .iter()
            .map(|share| {
                running += share;
                running
            })
            .collect();
        Concentration {
            hhi_countries: hhi(&held),
            hhi_regions: hhi(&spread.shares),
            entropy_nats: -held
                .iter()
                .filter(|&&share| share > 0.0)
                .map(|share| share * share.ln())
                .sum::<f64>(),
            nakamoto_countries: cumulative.iter().position(|&sum| sum > 0.5).map_or(0, |at| at + 1),
            greatest_countries: [0, 1, 2].map(|at| cumulative.get(at).copied().unwrap_or(running)),
            power_price_usd_per_kwh: energy_cost_usd_per_day / (site_kw * 24.0),
            energy_cost_usd_per_day,
            capital_usd: rigs_usd + site_kw / 1e3 * parameters.site_capex_usd_per_mw,
        }
    }
}

/// Power of all machines, without cooling.
pub(super) fn network_kw(parameters: &Parameters) -> f64 {
    // EH/s x 1e6 is TH/s, and J/TH is W per TH/s.
    parameters.network_hashrate_ehs * 1e6 * parameters.fleet_efficiency_j_per_th / 1e3
}

/// Herfindahl-Hirschman index, 0 to 10,000.
fn hhi(shares: &[f64]) -> f64 {
    1e4 * shares.iter().map(|share| share * share).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::alternatives;
    use super::*;

    #[test]
    fn today_is_as_concentrated_as_the_data_says() {
        let assumptions = Assumptions::embedded();
        let world = World::new(Atlas::embedded(), assumptions);
        let of = |nth: usize| world.concentration(&alternatives(&world)[nth], &assumptions.values);
        let today = of(0);
        assert_eq!(today.hhi_countries.round(), 1910.0);
        assert_eq!(today.hhi_regions.round(), 777.0);
        assert_eq!(today.nakamoto_countries, 2);
        // 1,000 EH/s at 17.5 J/TH are 17.5 GW; at 5 US cents and a PUE of 1.06 USD 22 million a day.
        assert!(
            (today.energy_cost_usd_per_day / 22e6 - 1.0).abs() < 0.05,
            "{}",
            today.energy_cost_usd_per_day
        );
        let moved = of(1);
        assert_eq!((moved.hhi_countries.round(), moved.nakamoto_countries), (1037.0, 4));
    }

    #[test]
    fn one_place_is_a_monopoly_and_equal_ones_are_not() {
        fn check(shares: &[f64], expected: f64) {
            assert!((hhi(shares) - expected).abs() < 1e-9);
        }
        check(&[1.0, 0.0], 10_000.0);
        check(&[0.5, 0.5], 5_000.0);
        check(&[0.25; 4], 2_500.0);
    }
}
