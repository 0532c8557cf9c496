//! How concentrated hashrate is: shares of countries, and indices of them.

use super::world::World;

/// Shares of 1 by ISO country, in the order of the alphabet; countries without hashrate are left out.
#[must_use]
pub fn country_shares(world: &World, hashrate: &[f64]) -> Vec<(String, f64)> {
    let sum: f64 = hashrate.iter().sum();
    let mut shares: std::collections::BTreeMap<&str, f64> = std::collections::BTreeMap::new();
    for (place, rate) in world.places.iter().zip(hashrate) {
        *shares.entry(place.region.iso3.as_str()).or_default() += rate / sum;
    }
    shares
        .into_iter()
        .filter(|(_, share)| *share > 0.0)
        .map(|(iso3, share)| (iso3.to_owned(), share))
        .collect()
}

/// Herfindahl-Hirschman index: the sum of squared shares in percent, 0 to 10,000.
#[must_use]
pub fn hhi(shares: &[(String, f64)]) -> f64 {
    shares.iter().map(|(_, share)| (share * 100.0).powi(2)).sum()
}

/// Shannon entropy of shares, nat.
#[must_use]
pub fn entropy(shares: &[(String, f64)]) -> f64 {
    shares.iter().map(|(_, share)| -share * share.ln()).sum()
}

/// Nakamoto coefficient: the fewest countries that have more than half.
#[must_use]
pub fn nakamoto(shares: &[(String, f64)]) -> usize {
    let mut parts: Vec<f64> = shares.iter().map(|(_, share)| *share).collect();
    parts.sort_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    1 + parts
        .iter()
        .take_while(|share| {
            sum += **share;
            sum <= 0.5
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_of_concentration() {
        fn check(shares: &[f64], wanted: (f64, f64, usize)) {
            let shares: Vec<(String, f64)> = shares.iter().map(|share| (String::new(), *share)).collect();
            let found = (hhi(&shares).round(), (entropy(&shares) * 1e3).round() / 1e3, nakamoto(&shares));
            assert_eq!(found, wanted, "{shares:?}");
        }
        check(&[1.0], (10_000.0, 0.0, 1));
        check(&[0.25; 4], (2_500.0, 1.386, 3));
        check(&[0.6, 0.4], (5_200.0, 0.673, 1));
    }
}
