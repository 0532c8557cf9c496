//! A fleet that stands somewhere: simulated miners in place of real devices at
//! mining sites, and their power bill.
//!
//! A miner stands for one device. It hashes a fixed fraction ([`SCALE`]) of what
//! the device would, has its region's latency to the pool, and is charged the
//! device's power, cooling included, at the tariff of the hour for as long as
//! the pool lets it in. So hashrates compare between regions, and energy and
//! cost are those of the devices.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::progress::RegionFigures;
use super::spec::{FleetSpec, MinerSpec};
use crate::energy::{Atlas, EnergyMeter, Site, UnknownName};
use crate::metrics::{FleetMetrics, REGION_UNKNOWN};
use crate::units::{Hashrate, KilowattHours, Seconds, Timestamp, Usd};

/// What a simulated miner hashes of what its device would: 20 kH/s for 200 TH/s.
pub const SCALE: f64 = 1e-10;

/// A site as a command line names it: `REGION:N:DEVICE`.
#[derive(Debug, Clone)]
pub struct SiteArg(pub Site);

/// Why a text names no site.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Not three parts.
    #[error("`{0}` is no site: write REGION:N:DEVICE, such as ET:4:Antminer S21")]
    Form(String),
    /// No number of devices.
    #[error("`{0}` has no number of devices from 1 to 65535 in the middle")]
    Count(String),
    /// No such region or device.
    #[error("{0}")]
    Unknown(#[from] UnknownName),
    /// Two sites would share a region's figures.
    #[error("region {0} has two sites; figures are by region, so give one")]
    Twice(String),
}

impl FromStr for SiteArg {
    type Err = SiteError;

    fn from_str(text: &str) -> Result<Self, SiteError> {
        let mut parts = text.splitn(3, ':').map(str::trim);
        let (Some(region), Some(count), Some(device)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SiteError::Form(text.to_owned()));
        };
        let count = count.parse::<u16>().ok().filter(|count| *count > 0);
        let count = count.ok_or_else(|| SiteError::Count(text.to_owned()))?;
        Ok(Self(Atlas::embedded().site(region, device, count.into())?))
    }
}

impl FleetSpec {
    /// A miner for each device of `sites`, named `user` and its region and number.
    ///
    /// The pool is taken to stand on the east coast of the United States.
    ///
    /// # Errors
    /// When two sites are in one region.
    pub fn at_sites(sites: &[Site], user: &str) -> Result<Self, SiteError> {
        for (index, site) in sites.iter().enumerate() {
            if sites[..index].iter().any(|other| other.region.code == site.region.code) {
                return Err(SiteError::Twice(site.region.code.as_str().to_owned()));
            }
        }
        let miners = sites.iter().flat_map(|site| (0..site.count).map(|index| miner(site, user, index)));
        Ok(Self { miners: miners.collect(), ..Self::default() })
    }
}

fn miner(site: &Site, user: &str, index: u32) -> MinerSpec {
    let hashrate = site.device.hashrate.hashes_per_second() * SCALE;
    let code: Arc<str> = site.region.code.as_str().into();
    MinerSpec {
        user: format!("{user}{code}.{index}").into(),
        password: "x".into(),
        region: Some(code),
        hashrate: Hashrate::new(hashrate).unwrap_or_default(),
        one_way_latency: Seconds(site.region.latency_us_east.0),
        version_rolling: index.is_multiple_of(2),
    }
}

/// The running power bill of a fleet.
#[derive(Debug)]
pub struct FleetBill {
    sites: Vec<(Site, EnergyMeter)>,
    charged: Timestamp,
}

/// What one site has used.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SiteBill {
    /// The region's code.
    pub region: String,
    /// The device that each miner stands for.
    pub device: String,
    /// Energy drawn.
    pub energy_kwh: KilowattHours,
    /// What it cost.
    pub cost_usd: Usd,
}

impl FleetBill {
    /// Nothing used yet.
    #[must_use]
    pub fn new(sites: Vec<Site>, now: Timestamp) -> Self {
        let metered = sites.into_iter().map(|site| (site, EnergyMeter::default()));
        Self { sites: metered.collect(), charged: now }
    }

    /// The sites with what they have used.
    #[must_use]
    pub fn sites(&self) -> &[(Site, EnergyMeter)] {
        &self.sites
    }

    /// Charges the time since the last call to the miners that are let in now.
    pub fn charge(&mut self, figures: &[RegionFigures], now: Timestamp) {
        for (site, meter) in &mut self.sites {
            let connected = of_site(figures, site).map_or(0, |figures| figures.connected);
            let running = Site { count: u32::try_from(connected).unwrap_or(site.count), ..site.clone() };
            meter.charge(&site.region, running.power(), self.charged, now);
        }
        self.charged = now;
    }

    /// Tells it to Prometheus.
    pub fn show(&self, figures: &[RegionFigures], metrics: &FleetMetrics) {
        for region in figures {
            let name = region.region.as_deref().unwrap_or(REGION_UNKNOWN);
            let connected = i64::try_from(region.connected).unwrap_or(i64::MAX);
            metrics.miners.with_label_values(&[name]).set(connected);
        }
        for (site, meter) in &self.sites {
            let region = [site.region.code.as_str()];
            let grow =
                |counter: prometheus::Counter, total: f64| counter.inc_by((total - counter.get()).max(0.0));
            grow(metrics.energy_joules.with_label_values(&region), meter.energy().joules());
            grow(metrics.energy_cost_usd.with_label_values(&region), meter.cost().0);
        }
    }

    /// The bill of each site.
    #[must_use]
    pub fn read(&self) -> Vec<SiteBill> {
        let bill = |(site, meter): &(Site, EnergyMeter)| SiteBill {
            region: site.region.code.as_str().to_owned(),
            device: site.device.model.clone(),
            energy_kwh: meter.energy(),
            cost_usd: meter.cost(),
        };
        self.sites.iter().map(bill).collect()
    }
}

impl fmt::Display for SiteBill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, device, energy_kwh, cost_usd } = self;
        write!(f, "{:<20} {energy_kwh}, {cost_usd}, {device}", format!("  bill of {region}"))
    }
}

/// The figures of the region that a site is in.
#[must_use]
pub fn of_site<'a>(figures: &'a [RegionFigures], site: &Site) -> Option<&'a RegionFigures> {
    figures.iter().find(|figures| figures.region.as_deref() == Some(site.region.code.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::progress::SwarmProgress;
    use super::*;
    use crate::metrics::Exposition;

    fn site(text: &str) -> Site {
        text.parse::<SiteArg>().unwrap().0
    }

    #[test]
    fn a_site_is_written_as_region_number_and_device() {
        fn check(text: &str, error: &str) {
            let found = text.parse::<SiteArg>().unwrap_err().to_string();
            assert!(found.contains(error), "{text}: {found}");
        }
        let fine = site("ET:4:antminer s21");
        assert_eq!((fine.region.code.as_str(), fine.count), ("ET", 4));
        check("ET", "write REGION:N:DEVICE");
        check("ET:Antminer S21", "write REGION:N:DEVICE");
        check("ET:none:Antminer S21", "no number of devices");
        check("ET:0:Antminer S21", "no number of devices");
        check("XX:4:Antminer S21", "XX");
        check("ET:4:Antminer S19 Pto", "Antminer S19 Pro");
        let twice = FleetSpec::at_sites(&[site("ET:1:Antminer S21"), site("ET:2:Antminer S19 Pro")], "");
        assert!(twice.unwrap_err().to_string().contains("region ET has two sites"));
    }

    #[test]
    fn only_miners_that_are_let_in_draw_power_and_prometheus_is_told_so() {
        let sites = vec![site("ET:1000:Antminer S21"), site("NO:1:Antminer S21")];
        let fleet = FleetSpec::at_sites(&sites, "").unwrap();
        assert_eq!((fleet.miners.len(), &*fleet.miners[999].user), (1001, "ET.999"));
        let mut figures = SwarmProgress::new(&fleet).read();
        figures[0].connected = 500;
        let from = Timestamp::from_unix_seconds(1_764_900_000);
        let mut bill = FleetBill::new(sites, from);
        let exposition = Exposition::new();
        let metrics = exposition.fleet();
        for hours in 1..=2 {
            bill.charge(&figures, from + Seconds(3600.0 * f64::from(hours)));
            bill.show(&figures, &metrics);
        }
        // Half the worked example of `energy`, for two hours.
        let [et, no] = &bill.read()[..] else { panic!("two sites") };
        assert!((et.energy_kwh.0 - 3720.5).abs() < 1e-6, "{et}");
        assert!(no.energy_kwh.0 == 0.0 && no.cost_usd.0 == 0.0, "{no}");
        let text = String::from_utf8(exposition.render()).unwrap();
        assert!(text.contains("adit_fleet_miners{region=\"ET\"} 500\n"), "{text}");
        let joules = metrics.energy_joules.with_label_values(&["ET"]).get();
        let cost = metrics.energy_cost_usd.with_label_values(&["ET"]).get();
        assert!((joules - 3720.5 * 3.6e6).abs() < 1.0 && (cost - et.cost_usd.0).abs() < 1e-9, "{text}");
    }
}
