//! From regions to countries: what adds up is added, prices are weighed.
//!
//! Within each run, before quantiles: the quantile of a sum is not the sum of
//! quantiles.

use super::table::Layout;
use super::{Place, WORLD_LABEL};
use crate::spread::Model;

/// How a variable of regions becomes one of their country.
enum Fold {
    Sum,
    /// The mean by the named weight; where that is nothing, the plain mean of what is known.
    Mean(&'static str),
}

/// The variables that countries have; those not listed mean nothing for a country.
const FOLDS: &[(&str, Fold)] = &[
    ("hashrate_ehs", Fold::Sum),
    ("share", Fold::Sum),
    ("power_mw", Fold::Sum),
    ("power_price_usd_per_kwh", Fold::Mean("power_mw")),
    ("cost_usd_per_btc", Fold::Mean("hashrate_ehs")),
    ("lost_ehs", Fold::Sum),
    ("carbon_t_per_day", Fold::Sum),
    ("site_capacity_mw", Fold::Sum),
];

/// What stands in `region` for a country, by its ISO 3166 alpha-3 code. The
/// colon keeps it apart from every region's code.
#[must_use]
pub fn country_label(iso3: &str) -> String {
    format!("country:{iso3}")
}

/// A variable with its fold, both by their place among the regional variables.
struct Rule {
    variable: usize,
    weight: Option<usize>,
}

/// A day's numbers as the summary has them: the world, the regions, the countries.
pub(super) struct Wide {
    model: Model,
    regions: Vec<String>,
    /// Label, and its regions by their place in the layout.
    countries: Vec<(String, Vec<usize>)>,
    rules: Vec<Rule>,
}

impl Wide {
    pub fn new(layout: &Layout, places: &[Place]) -> Self {
        let mut countries: Vec<(String, Vec<usize>)> = Vec::new();
        for (at, code) in layout.regions.iter().enumerate() {
            let Some(place) = places.iter().find(|place| place.code == *code) else { continue };
            let label = country_label(&place.iso3);
            match countries.iter_mut().find(|(known, _)| *known == label) {
                Some((_, members)) => members.push(at),
                None => countries.push((label, vec![at])),
            }
        }
        countries.sort();
        let position = |name: &str| layout.model.regional().iter().position(|variable| variable.name == name);
        let rule = |(name, fold): &(&str, Fold)| {
            let weight = match fold {
                Fold::Sum => None,
                Fold::Mean(weight) => Some(position(weight)?),
            };
            Some(Rule { variable: position(name)?, weight })
        };
        Self {
            model: layout.model,
            regions: layout.regions.iter().map(ToString::to_string).collect(),
            countries,
            rules: FOLDS.iter().filter_map(rule).collect(),
        }
    }

    /// Region and variable of each number, in order.
    pub fn cells(&self) -> Vec<(&str, &'static str)> {
        let mut cells: Vec<_> =
            self.model.world().iter().map(|variable| (WORLD_LABEL, variable.name)).collect();
        for variable in self.model.regional() {
            cells.extend(self.regions.iter().map(|region| (region.as_str(), variable.name)));
        }
        for rule in &self.rules {
            let name = self.model.regional()[rule.variable].name;
            cells.extend(self.countries.iter().map(|(label, _)| (label.as_str(), name)));
        }
        cells
    }

    /// Appends the numbers of countries to a day of the table, whose numbers
    /// are the first of [`Self::cells`].
    pub fn countries_of(&self, day: &[f64], mut push: impl FnMut(f64)) {
        let regional = &day[self.model.world().len()..];
        let series = |variable: usize| &regional[variable * self.regions.len()..][..self.regions.len()];
        for rule in &self.rules {
            let values = series(rule.variable);
            for (_, members) in &self.countries {
                push(match rule.weight {
                    None => members.iter().map(|&at| values[at]).sum(),
                    Some(weight) => weighted_mean(members, values, series(weight)),
                });
            }
        }
    }
}

fn weighted_mean(members: &[usize], values: &[f64], weights: &[f64]) -> f64 {
    let known = || members.iter().filter(|&&at| values[at].is_finite());
    let weight: f64 = known().map(|&at| weights[at]).sum();
    if weight > 0.0 {
        known().map(|&at| values[at] * weights[at]).sum::<f64>() / weight
    } else {
        // NaN where nothing is known.
        known().map(|&at| values[at]).sum::<f64>() / known().count() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{layout, places};
    use super::*;
    use crate::spread::REGIONAL;

    #[test]
    fn each_variable_of_a_region_has_its_rule() {
        // Uptime is a ratio whose denominator is not recorded.
        let without = ["uptime"];
        for variable in REGIONAL {
            let rules = FOLDS.iter().filter(|(name, _)| *name == variable.name).count();
            let wanted = usize::from(!without.contains(&variable.name));
            assert_eq!(rules, wanted, "{}: give it a row in FOLDS, or a reason here", variable.name);
        }
        let wide = Wide::new(&layout(1), &places());
        assert_eq!(wide.rules.len(), FOLDS.len(), "a fold names a variable that is not recorded");
    }

    #[test]
    fn sums_and_weighted_means() {
        fn check(members: &[usize], values: &[f64], weights: &[f64], expected: f64) {
            let mean = weighted_mean(members, values, weights);
            assert!(mean == expected || mean.is_nan() && expected.is_nan(), "{mean} is not {expected}");
        }
        check(&[0, 1], &[0.04, 0.08], &[3.0, 1.0], 0.05);
        check(&[0, 1], &[0.04, f64::NAN], &[3.0, 1.0], 0.04);
        check(&[0, 1], &[0.04, 0.08], &[0.0, 0.0], 0.06);
        check(&[1], &[0.04, 0.08], &[3.0, 1.0], 0.08);
        check(&[0], &[f64::NAN], &[0.0], f64::NAN);

        let layout = layout(1);
        let wide = Wide::new(&layout, &places());
        let day: Vec<f64> = (0..layout.per_day()).map(|at| at as f64).collect();
        let mut found = Vec::new();
        wide.countries_of(&day, |value| found.push(value));
        let cells = wide.cells();
        assert_eq!(cells.len(), day.len() + found.len());
        let at = |region: &str, name: &str| {
            let at = cells.iter().position(|cell| *cell == (region, name)).unwrap();
            day.iter().chain(&found).copied().nth(at).unwrap()
        };
        let sum = at("US-TX", "share") + at("US-GA", "share");
        assert_eq!(at("country:USA", "share"), sum);
        assert_eq!(at("country:KAZ", "share"), at("KZ", "share"));
    }
}
