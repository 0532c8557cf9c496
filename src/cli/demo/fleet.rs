//! Who mines in the demo: a few devices in each of twelve regions.

use crate::energy::{Atlas, Site};
use crate::swarm::FleetSpec;

/// Regions with the device that is typical there: new rigs where power is
/// contracted, older ones where it is cheapest.
const SITES: [(&str, &str); 12] = [
    ("ET", "Antminer S19j Pro+"),
    ("PY", "Antminer S19 XP"),
    ("US-TX", "Antminer S21"),
    ("US-NY", "Antminer S19 XP"),
    ("CA-QC", "Whatsminer M50S++"),
    ("NO", "Antminer S21 Hyd"),
    ("IS", "Whatsminer M60S"),
    ("RU-SIB", "Whatsminer M30S++"),
    ("KZ", "Antminer S19 Pro"),
    ("AE", "Antminer S21 Hyd"),
    ("BT", "Antminer S19 XP Hyd"),
    ("BR", "Antminer S19j Pro"),
];

/// Devices in each region.
const DEVICES: u32 = 4;

/// The simulated miners' mean, for the first difficulty.
pub(super) const MEAN_HASHES_PER_SECOND: f64 = 15_000.0;

/// The miners, and the sites they stand for.
pub(super) struct DemoFleet {
    pub spec: FleetSpec,
    pub sites: Vec<Site>,
}

impl DemoFleet {
    pub fn new(seed: u64) -> Self {
        let atlas = Atlas::embedded();
        let site = |(region, device): &(&str, &str)| {
            atlas.site(region, device, DEVICES).expect("a test holds the table to the data")
        };
        let sites: Vec<Site> = SITES.iter().map(site).collect();
        let fleet = FleetSpec::at_sites(&sites, "").expect("a test holds the table to one site a region");
        Self { spec: FleetSpec { seed, ..fleet }, sites }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_data() {
        let fleet = DemoFleet::new(0);
        assert_eq!(fleet.sites.len(), SITES.len());
        let mean = fleet.spec.hashrate().hashes_per_second() / fleet.spec.miners.len() as f64;
        assert!((MEAN_HASHES_PER_SECOND / 1.5..MEAN_HASHES_PER_SECOND * 1.5).contains(&mean), "{mean}");
    }
}
