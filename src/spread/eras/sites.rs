//! Sites of a class by size, and how concentrated all of them are.
//!
//! A class has power, not sites. Its sites are taken to follow a power law between its
//! bounds: of sites larger than s there are in proportion to s^-x. Zipf's law is x = 1.

/// Sizes that a class is cut into.
const BINS: usize = 48;

/// Sites of one size: part of the network's hashrate of one, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sites {
    pub share: f64,
    pub count: f64,
}

/// A class of `power_kw` that has the part `share` of the hashrate.
pub(super) fn spread_out(power_kw: f64, share: f64, min_kw: f64, max_kw: f64, exponent: f64) -> Vec<Sites> {
    if power_kw <= 0.0 || share <= 0.0 {
        return Vec::new();
    }
    // Less than one least site is one site.
    let (low, high) = (min_kw.min(power_kw), max_kw.min(power_kw).max(min_kw.min(power_kw)));
    let ratio = (high / low).powf(1.0 / BINS as f64);
    let bins: Vec<(f64, f64)> = (0..BINS)
        .map(|bin| {
            let (from, to) = (low * ratio.powi(bin as i32), low * ratio.powi(bin as i32 + 1));
            let count = if high > low { from.powf(-exponent) - to.powf(-exponent) } else { 1.0 };
            ((from * to).sqrt(), count)
        })
        .collect();
    let whole: f64 = bins.iter().map(|(size, count)| size * count).sum();
    let scale = power_kw / whole;
    bins.iter().map(|(size, count)| Sites { share: share * size / power_kw, count: count * scale }).collect()
}

/// How concentrated sites are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Concentration {
    pub sites: f64,
    pub sites_for_half: f64,
    pub largest: f64,
    pub ten_largest: f64,
    /// 0 to 10,000.
    pub hhi: f64,
    pub entropy_nats: f64,
}

impl Concentration {
    pub fn of(mut sites: Vec<Sites>) -> Self {
        sites.sort_by(|a, b| b.share.total_cmp(&a.share));
        let sum = |of: &dyn Fn(&Sites) -> f64| sites.iter().map(of).sum::<f64>();
        // Of the largest sites, by count or by share; a bin is cut where the limit lies.
        let up_to = |count_max: f64, share_max: f64| {
            let (mut count, mut share) = (0.0, 0.0);
            for bin in &sites {
                let part = bin.count.min(count_max - count).min((share_max - share) / bin.share);
                count += part;
                share += part * bin.share;
                if part < bin.count {
                    break;
                }
            }
            (count, share)
        };
        Self {
            sites: sum(&|bin| bin.count),
            sites_for_half: up_to(f64::INFINITY, 0.5).0,
            largest: up_to(1.0, f64::INFINITY).1,
            ten_largest: up_to(10.0, f64::INFINITY).1,
            hhi: sum(&|bin| bin.count * (bin.share * 100.0).powi(2)),
            entropy_nats: sum(&|bin| -bin.count * bin.share * bin.share.ln()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sites_have_the_indices_of_equal_shares() {
        let found = Concentration::of(vec![Sites { share: 0.05, count: 20.0 }]);
        let wanted = [20.0, 10.0, 0.05, 0.5, 500.0, 20_f64.ln()];
        let found = [
            found.sites,
            found.sites_for_half,
            found.largest,
            found.ten_largest,
            found.hhi,
            found.entropy_nats,
        ];
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn a_class_keeps_its_power_whatever_its_sites() {
        for (power, share, exponent) in [(3.0, 0.1, 1.0), (5_000.0, 1.0, 0.7), (4e6, 0.4, 1.3)] {
            let sites = spread_out(power, share, 5.0, 100.0, exponent);
            let sum: f64 = sites.iter().map(|bin| bin.count * bin.share).sum();
            assert!((sum - share).abs() < 1e-9, "{sum}");
            let count: f64 = sites.iter().map(|bin| bin.count).sum();
            assert!((power / 100.0..=(power / 5.0).max(1.0) * 1.2).contains(&count), "{power}: {count}");
        }
        assert!(spread_out(0.0, 0.0, 5.0, 100.0, 1.0).is_empty());
    }
}
