//! Which spreads are compared: today's, others, and counterfactuals of the same energy cost.
//!
//! Another spread differs from today's in two ways at once: where it is, and
//! what its power costs. The counterfactual takes the second away. Of all
//! spreads with the energy cost of the alternative it is the one nearest to
//! today's in relative entropy, which is today's tilted by its costs:
//!
//! ```text
//! share'[i] = share[i] x exp(-theta x cost[i]) / Z,   theta so that
//! sum of share'[i] x cost[i] = energy cost of the alternative
//! ```
//!
//! It opens no country and closes none, so what is left between it and the
//! alternative is geography.

use std::collections::BTreeMap;

use super::parameters::Parameters;
use super::world::{Place, Spread, World};

/// Where half of the hashrate of the United States goes: the destinations that are talked about.
const DESTINATIONS: [&str; 8] = ["ET", "PY", "OM", "AE", "BT", "NO", "BR", "KZ"];

/// The country that half of the hashrate leaves.
const ORIGIN: &str = "USA";

/// A region counts as hydro from this part of its power on.
const HYDRO_MIN: f64 = 0.5;

/// Doublings of the bracket, and then halvings of it, when a tilt is sought: beyond
/// these the cost cannot be told from that of the cheapest or dearest place.
const STEPS: usize = 60;

/// Today's spread, and others to hold against it.
#[must_use]
pub fn alternatives(world: &World) -> Vec<Spread> {
    let places = &world.places;
    let today: Vec<f64> = places.iter().map(|place| place.share_today).collect();
    let greatest = (0..places.len()).max_by(|&a, &b| today[a].total_cmp(&today[b]));
    let greatest_code = greatest.map_or(String::new(), |at| places[at].code.to_string());
    vec![
        spread("today", "as the data has it", today.clone()),
        spread(
            "us-half-moved",
            "half of the United States moved to Ethiopia, Paraguay, Oman, the UAE, Bhutan, Norway, Brazil and \
             Kazakhstan, an eighth each",
            half_moved(places),
        ),
        spread(
            "equal-countries",
            "every country the same, within a country as today",
            equal_countries(places),
        ),
        spread(
            "one-place",
            &format!("all in {greatest_code}, the greatest region of today"),
            (0..places.len()).map(|at| if Some(at) == greatest { 1.0 } else { 0.0 }).collect(),
        ),
        spread(
            "hydro-only",
            "only regions with at least half of their power from water, in today's proportion",
            normalised(
                places
                    .iter()
                    .map(|place| if place.hydro_dependence >= HYDRO_MIN { place.share_today } else { 0.0 })
                    .collect(),
            ),
        ),
    ]
}

/// The spread nearest to `from` whose energy costs what that of `like` does; `None`
/// when none over the same places does.
#[must_use]
pub fn same_energy_cost(
    world: &World,
    from: &Spread,
    like: &Spread,
    parameters: &Parameters,
) -> Option<Spread> {
    let costs: Vec<f64> =
        (0..world.places.len()).map(|place| world.energy_cost_usd_per_day(place, parameters)).collect();
    let dearest = costs.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mean = |shares: &[f64]| shares.iter().zip(&costs).map(|(share, cost)| share * cost).sum::<f64>();
    let tilted = |theta: f64| {
        normalised(
            from.shares
                .iter()
                .zip(&costs)
                .map(|(share, cost)| share * (-theta * cost / dearest).exp())
                .collect(),
        )
    };
    let wanted = mean(&like.shares);
    let reaches = |theta: f64| mean(&tilted(theta)) <= wanted;
    // The mean cost falls as theta grows.
    let (mut low, mut high) = (-1.0, 1.0);
    for _ in 0..8 {
        if !reaches(high) {
            high *= 2.0;
        }
        if reaches(low) {
            low *= 2.0;
        }
    }
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if reaches(middle) { high = middle } else { low = middle }
    }
    let shares = tilted(high);
    let found = (mean(&shares) / wanted - 1.0).abs() < 1e-6;
    found.then(|| {
        let about = format!("{} with the energy cost of {}", from.name, like.name);
        spread(&format!("{}~{}", from.name, like.name), &about, shares)
    })
}

fn spread(name: &str, about: &str, shares: Vec<f64>) -> Spread {
    Spread { name: name.to_owned(), about: about.to_owned(), shares }
}

fn half_moved(places: &[Place]) -> Vec<f64> {
    let is_origin = |place: &Place| place.country == ORIGIN;
    let moved: f64 =
        places.iter().filter(|place| is_origin(place)).map(|place| place.share_today / 2.0).sum();
    let is_destination = |place: &Place| DESTINATIONS.contains(&place.code.as_str());
    let destinations = places.iter().filter(|place| is_destination(place)).count();
    if destinations == 0 {
        return places.iter().map(|place| place.share_today).collect();
    }
    let shares = places.iter().map(|place| match place {
        place if is_origin(place) => place.share_today / 2.0,
        place if is_destination(place) => place.share_today + moved / destinations as f64,
        place => place.share_today,
    });
    shares.collect()
}

fn equal_countries(places: &[Place]) -> Vec<f64> {
    let mut held: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for place in places {
        let (share, regions) = held.entry(&place.country).or_default();
        *share += place.share_today;
        *regions += 1.0;
    }
    let each = 1.0 / held.len() as f64;
    let shares = places.iter().map(|place| {
        let (share, regions) = held[place.country.as_str()];
        each * if share > 0.0 { place.share_today / share } else { 1.0 / regions }
    });
    shares.collect()
}

/// Divided by their sum; as they are when that is 0.
fn normalised(shares: Vec<f64>) -> Vec<f64> {
    let sum: f64 = shares.iter().sum();
    if sum > 0.0 { shares.into_iter().map(|share| share / sum).collect() } else { shares }
}

#[cfg(test)]
mod tests {
    use super::super::Assumptions;
    use super::*;
    use crate::energy::Atlas;

    #[test]
    fn every_spread_places_the_whole_network() {
        let world = World::new(Atlas::embedded(), Assumptions::embedded());
        for spread in alternatives(&world) {
            assert!((spread.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{}", spread.name);
            assert!(spread.shares.iter().all(|&share| share >= 0.0), "{}", spread.name);
        }
    }

    #[test]
    fn a_counterfactual_costs_the_same_in_the_countries_of_today() {
        let assumptions = Assumptions::embedded();
        let world = World::new(Atlas::embedded(), assumptions);
        let all = alternatives(&world);
        let cost = |spread: &Spread| world.concentration(spread, &assumptions.values).energy_cost_usd_per_day;
        for like in &all {
            let tilted = same_energy_cost(&world, &all[0], like, &assumptions.values).unwrap();
            assert!((cost(&tilted) / cost(like) - 1.0).abs() < 1e-6, "{}", like.name);
            let opened =
                tilted.shares.iter().zip(&all[0].shares).any(|(new, old)| (*new > 0.0) != (*old > 0.0));
            assert!(!opened, "{}", like.name);
        }
        let mut free = all[0].clone();
        free.shares.fill(0.0);
        assert_eq!(same_energy_cost(&world, &all[0], &free, &assumptions.values), None);
    }
}
