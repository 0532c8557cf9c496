//! So many machines of one model in one region.

use std::sync::Arc;

use super::device::Device;
use super::meter::EnergyMeter;
use super::region::Region;
use crate::units::{Hashrate, Timestamp, Watts};

/// A mining site. Ask an [`Atlas`](super::Atlas) for one by names, or build
/// it from a region and a device of one's own.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where it is, and so its PUE, its prices and its clock.
    pub region: Arc<Region>,
    /// The machines.
    pub device: Arc<Device>,
    /// How many of them.
    pub count: u32,
}

impl Site {
    /// Power drawn from the grid with every machine on: machines and cooling,
    /// at the mean PUE of the year.
    #[must_use]
    pub fn power(&self) -> Watts {
        self.device.power * f64::from(self.count) * self.region.pue(self.device.cooling)
    }

    /// Nominal hashrate with every machine on.
    #[must_use]
    pub fn hashrate(&self) -> Hashrate {
        Hashrate::new(self.device.hashrate.hashes_per_second() * f64::from(self.count)).unwrap_or_default()
    }

    /// What the site uses and pays with every machine on from one time to another.
    #[must_use]
    pub fn bill(&self, from: Timestamp, to: Timestamp) -> EnergyMeter {
        let mut meter = EnergyMeter::default();
        meter.charge(&self.region, self.power(), from, to);
        meter
    }
}

#[cfg(test)]
mod tests {
    use super::super::Atlas;

    #[test]
    fn power_is_machines_times_pue_of_their_cooling() {
        fn check(region: &str, model: &str, count: u32, kilowatts: f64) {
            let site = Atlas::embedded().site(region, model, count).unwrap();
            assert!((site.power().0 / 1e3 - kilowatts).abs() < 1e-6, "{}", site.power());
        }
        check("ET", "Antminer S21", 1000, 3500.0 * 1.063);
        check("ET", "Antminer S21 Hyd", 10, 53.6 * 1.05);
        check("AE", "Antminer S21", 1000, 3500.0 * 1.096);
        check("ET", "Antminer S21", 0, 0.0);
    }

    #[test]
    fn hashrate_is_that_of_all_machines() {
        let site = Atlas::embedded().site("PY", "Antminer S21", 5000).unwrap();
        assert_eq!(site.hashrate().to_string(), "1.00 EH/s");
    }
}
