//! What can happen to a place in a year, and how much of its hashrate stays.
//!
//! Every kind of year has the **local** shocks: bans, moratoria, confiscations,
//! by the hazard of the place. The kinds differ in the common cause that comes
//! on top, so a row less the first row is what the common cause adds.
//!
//! ```text
//! struck:   Phi(z) < 1 - exp(-hazard)                       a Gaussian copula:
//! z = sqrt(rho) world + sqrt((1 - rho) kappa) country + sqrt((1 - rho)(1 - kappa)) own
//! depth:    beta with mean m and concentration c            part that goes off
//! drought:  depth x hydro dependence, where sqrt(r) water + sqrt(1 - r) own < Phi^-1(q)
//! crash:    1 - G(q) / G(1), with q the part of hashprice left and
//!           G(q) = 1 / (1 + (q hashprice / cost)^(-1/w))    machines that still earn
//!           q = (1 - x) / s, s = sum of share x G(q) / G(1)  difficulty follows
//! cost      = 0.024 x efficiency x PUE x price x 1,000      USD/PH/day
//! pool:     share x stuck, everywhere alike
//! ban:      with probability b, each country joins with probability j
//! ```
//!
//! Worked: at a hazard of 0.2 a year a place is struck in 18.1 % of years. At
//! 17.5 J/TH, a PUE of 1.063 and 4 US cents a PH/s costs USD 17.9 a day. When
//! the price of a bitcoin halves, machines go off and difficulty follows until
//! 76 % of today's network run and hashprice has fallen from 34 to 22.5; here G
//! goes from 0.745 to 0.595, so a fifth goes off.
//!
//! Losses in the same year are taken to overlap, which is the worst case.
//! Difficulty follows a crash as far as today's network would make it,
//! whatever the spread: a crash is the same price for everyone.

use statrs::distribution::{Beta, ContinuousCDF as _, Normal};

use super::parameters::Parameters;
use super::world::World;
use super::year::Year;

/// Steps of the table of the beta distribution's quantiles.
const DEPTH_STEPS: usize = 1024;

/// Steps of the table of crashes: about a tenth of a percentage point of price each.
const CRASH_STEPS: usize = 256;

/// A kind of year: the local shocks and at most one common cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shock {
    /// Local shocks alone.
    Independent,
    /// Dry years, which hydro regions tend to share.
    HydroCorrelated,
    /// A crash of the price of a bitcoin, the same everywhere.
    PriceCommon,
    /// A large pool fails, wherever its miners are.
    PartialPool,
    /// Countries ban together.
    CoordinatedBan,
}

impl Shock {
    /// Every kind, with the name by which it is chosen and what it is.
    pub const ALL: [(&'static str, Self, &'static str); 5] = [
        ("independent", Self::Independent, "local shocks alone"),
        ("hydro-correlated", Self::HydroCorrelated, "local shocks, and dry years that hydro regions share"),
        ("price-common", Self::PriceCommon, "local shocks, and crashes of the price"),
        ("partial-pool", Self::PartialPool, "local shocks, and failures of a large pool"),
        ("coordinated-ban", Self::CoordinatedBan, "local shocks, and bans by several countries at once"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, shock, _)| *shock == self).map_or("", |(name, ..)| name)
    }
}

impl std::str::FromStr for Shock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(name, ..)| *name == text).map(|(_, shock, _)| *shock).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, ..)| *name).collect();
            format!("no shock is called `{text}`; there are {}", names.join(", "))
        })
    }
}

/// How correlated the local shocks of regions are, through normal factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    world: f64,
    country: f64,
    own: f64,
}

impl Correlation {
    /// Of any two regions, and within a country of what the world does not
    /// share; both from 0 to 1.
    #[must_use]
    pub fn new(world: f64, country: f64) -> Self {
        let (world, country) = (world.clamp(0.0, 1.0), country.clamp(0.0, 1.0));
        Self {
            world: world.sqrt(),
            country: ((1.0 - world) * country).sqrt(),
            own: ((1.0 - world) * (1.0 - country)).sqrt(),
        }
    }

    /// The normal variate that decides about a place.
    pub(super) fn latent(self, year: &Year, place: usize, country: usize) -> f64 {
        self.world * year.world + self.country * year.country[country] + self.own * year.own[place]
    }
}

/// Below which standard normal value a part `probability` of draws lies.
pub(super) fn threshold(probability: f64) -> f64 {
    match probability {
        p if p <= 0.0 => f64::NEG_INFINITY,
        p if p >= 1.0 => f64::INFINITY,
        p => Normal::standard().inverse_cdf(p),
    }
}

/// The threshold of a Poisson rate: whether at least one event comes in a year.
pub(super) fn threshold_of_hazard(hazard_per_year: f64) -> f64 {
    threshold(-(-hazard_per_year).exp_m1())
}

/// Quantiles of the depth of a strike.
#[derive(Debug, Clone)]
pub(super) struct Depth(Vec<f64>);

impl Depth {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let (mean, concentration) = (parameters.depth_mean, parameters.depth_concentration);
        let beta = Beta::new(mean * concentration, (1.0 - mean) * concentration);
        let quantile = |step: usize| match &beta {
            // The middle of each step, as the ends of a beta distribution are all of the region or nothing.
            Ok(beta) => beta.inverse_cdf((step as f64 + 0.5) / DEPTH_STEPS as f64),
            // A mean of 0 or 1 leaves nothing to chance.
            Err(_) => mean,
        };
        Self((0..DEPTH_STEPS).map(quantile).collect())
    }

    pub(super) fn at(&self, uniform: f64) -> f64 {
        self.0[((uniform * DEPTH_STEPS as f64) as usize).min(DEPTH_STEPS - 1)]
    }

    /// Mean and mean square.
    #[cfg(test)]
    pub(super) fn moments(&self) -> (f64, f64) {
        let n = self.0.len() as f64;
        (self.0.iter().sum::<f64>() / n, self.0.iter().map(|depth| depth * depth).sum::<f64>() / n)
    }
}

/// What a year does to each place.
pub(super) struct Strikes {
    country_of: Vec<usize>,
    correlation: Correlation,
    depth: Depth,
    /// By place: below it is struck.
    struck_below: Vec<f64>,
    hydro_dependence: Vec<f64>,
    dry_below: f64,
    /// By place: hashprice over cost.
    margin: Vec<f64>,
    /// By step of a crash from its least to its greatest: the part of hashprice left.
    left: Vec<f64>,
    parameters: Parameters,
}

/// What stays of each place, and for how long the rest is away.
#[derive(Debug, Clone, Default)]
pub(super) struct Remains {
    /// By place, after local shocks and bans.
    pub struck: Vec<f64>,
    /// By place, after everything.
    pub all: Vec<f64>,
    /// Days until what is not local has passed.
    pub passes_after_days: f64,
}

impl Strikes {
    pub(super) fn new(world: &World, parameters: &Parameters) -> Self {
        let (country_of, _) = world.countries();
        // USD/day of the whole network's power over its PH/s.
        let cost = |place| {
            world.energy_cost_usd_per_day(place, parameters) / (parameters.network_hashrate_ehs * 1e3)
        };
        let mut strikes = Self {
            country_of,
            correlation: Correlation::new(parameters.correlation_world, parameters.correlation_country),
            depth: Depth::new(parameters),
            struck_below: world
                .places
                .iter()
                .map(|place| threshold_of_hazard(place.hazard_per_year))
                .collect(),
            hydro_dependence: world.places.iter().map(|place| place.hydro_dependence).collect(),
            dry_below: threshold(parameters.drought_probability_per_year),
            margin: (0..world.places.len())
                .map(|place| parameters.hashprice_usd_per_phs_day / cost(place))
                .collect(),
            left: Vec::new(),
            parameters: parameters.clone(),
        };
        let today: Vec<f64> = world.places.iter().map(|place| place.share_today).collect();
        let (min, max) = (parameters.price_crash_fraction_min, parameters.price_crash_fraction_max);
        let gone = |step: usize| min + (max - min) * (step as f64 + 0.5) / CRASH_STEPS as f64;
        strikes.left = (0..CRASH_STEPS).map(|step| strikes.hashprice_left(gone(step), &today)).collect();
        strikes
    }

    /// The part of hashprice left when a part `gone` of the price is gone and difficulty has followed.
    fn hashprice_left(&self, gone: f64, shares: &[f64]) -> f64 {
        // Fewer machines leave more for each: what stays at an assumed `s` falls as `s` grows.
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..50 {
            let s = f64::midpoint(low, high);
            let left = (1.0 - gone) / s;
            let stays: f64 =
                shares.iter().enumerate().map(|(place, share)| share * self.staying(place, left)).sum();
            if stays > s { low = s } else { high = s }
        }
        (1.0 - gone) / f64::midpoint(low, high)
    }

    /// Part of the machines of a place that keep running when a part `left` of hashprice is left.
    fn staying(&self, place: usize, left: f64) -> f64 {
        self.earning(place, left) / self.earning(place, 1.0)
    }

    /// Part of the machines of a place that earn when a part `left` of hashprice is left.
    fn earning(&self, place: usize, left: f64) -> f64 {
        1.0 / (1.0 + (left * self.margin[place]).powf(-1.0 / self.parameters.fleet_cost_width))
    }

    /// What stays of each place.
    pub(super) fn remains(&self, year: &Year, shock: Shock, remains: &mut Remains) {
        let p = &self.parameters;
        let ban = shock == Shock::CoordinatedBan && year.ban < p.ban_probability_per_year;
        remains.struck.clear();
        remains.struck.extend(self.country_of.iter().enumerate().map(|(place, &country)| {
            let is_local = self.correlation.latent(year, place, country) < self.struck_below[place];
            let is_banned = ban && year.joins[country] < p.ban_join_probability;
            if is_local || is_banned { 1.0 - self.depth.at(year.depth[place]) } else { 1.0 }
        }));
        remains.all.clear();
        remains.all.extend_from_slice(&remains.struck);
        let mut mean_days = 0.0;
        match shock {
            Shock::HydroCorrelated => {
                let (common, own) = (p.drought_correlation.sqrt(), (1.0 - p.drought_correlation).sqrt());
                for (place, stays) in remains.all.iter_mut().enumerate() {
                    if common * year.water + own * year.own_water[place] < self.dry_below {
                        *stays *= 1.0 - p.drought_depth * self.hydro_dependence[place];
                    }
                }
                mean_days = p.drought_mean_days;
            }
            Shock::PriceCommon if year.crash < p.price_crash_probability_per_year => {
                let left = self.left[((year.crash_depth * CRASH_STEPS as f64) as usize).min(CRASH_STEPS - 1)];
                for (place, stays) in remains.all.iter_mut().enumerate() {
                    *stays *= self.staying(place, left);
                }
                mean_days = p.price_crash_mean_days;
            }
            Shock::PartialPool if year.pool < p.pool_failure_probability_per_year => {
                remains.all.iter_mut().for_each(|stays| *stays *= 1.0 - p.pool_share * p.pool_stuck_fraction);
                mean_days = p.pool_failure_mean_days;
            }
            Shock::Independent | Shock::PriceCommon | Shock::PartialPool | Shock::CoordinatedBan => {}
        }
        // Exponential, by inversion.
        remains.passes_after_days = -mean_days * (-year.lasts).ln_1p();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Assumptions;
    use super::*;
    use crate::energy::Atlas;

    #[test]
    fn the_copula_gives_the_joint_probability_of_theory() {
        // Of two standard normals with correlation rho, both are negative with
        // probability 1/4 + asin(rho) / (2 pi).
        fn check(world: f64, country: f64, same_country: bool, rho: f64) {
            let correlation = Correlation::new(world, country);
            let mut year = Year::new(2, 2);
            let second = usize::from(!same_country);
            const DRAWS: u64 = 40_000;
            let both = (0..DRAWS).filter(|&number| {
                year.draw(5, number);
                correlation.latent(&year, 0, 0) < 0.0 && correlation.latent(&year, 1, second) < 0.0
            });
            let found = both.count() as f64 / DRAWS as f64;
            let theory = 0.25 + rho.asin() / std::f64::consts::TAU;
            // Four standard errors.
            assert!((found - theory).abs() < 0.0085, "{world} {country}: {found} is not {theory}");
        }
        check(0.0, 0.0, true, 0.0);
        check(0.5, 0.0, false, 0.5);
        check(0.0, 0.6, true, 0.6);
        check(0.0, 0.6, false, 0.0);
        check(0.5, 0.6, true, 0.5 + 0.5 * 0.6);
        check(1.0, 0.6, false, 1.0);
    }

    #[test]
    fn the_numbers_of_the_module_docs() {
        let assumptions = Assumptions::embedded();
        let world = World::new(Atlas::embedded(), assumptions);
        let strikes = Strikes::new(&world, &assumptions.values);
        let ethiopia = world.places.iter().position(|place| place.code.as_str() == "ET").unwrap();
        assert!((34.0 / strikes.margin[ethiopia] - 17.86).abs() < 0.01);
        let today: Vec<f64> = world.places.iter().map(|place| place.share_today).collect();
        let left = strikes.hashprice_left(0.5, &today);
        assert!((34.0 * left - 22.5).abs() < 0.05 && (0.5 / left - 0.755).abs() < 0.005, "{left}");
        let (before, after) = (strikes.earning(ethiopia, 1.0), strikes.earning(ethiopia, left));
        assert!((before - 0.745).abs() < 5e-4 && (after - 0.595).abs() < 5e-4, "{before} {after}");
        assert!((strikes.hashprice_left(0.0, &today) - 1.0).abs() < 1e-9);
        let struck = Normal::standard().cdf(threshold_of_hazard(0.2));
        assert!((struck - 0.1813).abs() < 1e-4, "{struck}");
    }

    #[test]
    fn depth_has_the_mean_it_is_given() {
        fn check(mean: f64) {
            let mut parameters = Assumptions::embedded().values.clone();
            parameters.depth_mean = mean;
            let (found, square) = Depth::new(&parameters).moments();
            assert!((found - mean).abs() < 1e-3, "{mean}: {found}");
            // Of a beta distribution with concentration 4.
            let variance = mean * (1.0 - mean) / 5.0;
            assert!((square - found * found - variance).abs() < 1e-3);
        }
        for mean in [0.0, 0.3, 0.7, 1.0] {
            check(mean);
        }
    }

    #[test]
    fn names_are_read_as_they_are_printed() {
        for (name, shock, _) in Shock::ALL {
            assert_eq!((name.parse(), shock.name()), (Ok(shock), name));
        }
        let error = "war".parse::<Shock>().unwrap_err();
        assert!(error.starts_with("no shock is called `war`; there are independent, "), "{error}");
    }
}
