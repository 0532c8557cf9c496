//! What the demo shows: live on a terminal, and once at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::{Failure, status_line};
use super::fleet::DemoFleet;
use crate::energy::{EnergyMeter, Site};
use crate::metrics::FleetMetrics;
use crate::mine::MineSummary;
use crate::server::Service;
use crate::store::{Reader, RegionShares};
use crate::swarm::{FleetBill, SwarmProgress, SwarmReport, of_site};
use crate::units::{Difficulty, Hashrate, KilowattHours, Timestamp, Usd};

/// The demo's result; the JSON object is this.
#[derive(Debug, serde::Serialize)]
pub(super) struct Summary {
    seconds: f64,
    connections: u64,
    shares_accepted: u64,
    shares_rejected: u64,
    pub(super) wrong_verdicts: u64,
    blocks_found: u64,
    regions: BTreeMap<String, RegionSummary>,
}

#[derive(Debug, Clone, serde::Serialize)]
struct RegionSummary {
    name: String,
    device: String,
    miners: u64,
    /// Proven by credited shares.
    hashrate_hs: f64,
    shares_accepted: u64,
    stale: u64,
    energy_kwh: KilowattHours,
    cost_usd: Usd,
    /// What the power costs now.
    usd_per_kwh: f64,
}

/// The demo as it runs.
pub(super) struct Live {
    service: Arc<Service>,
    progress: Arc<SwarmProgress>,
    bill: FleetBill,
    metrics: FleetMetrics,
    reader: Option<Reader>,
    began: Timestamp,
}

impl Live {
    pub fn new(fleet: &DemoFleet, service: Arc<Service>, progress: Arc<SwarmProgress>) -> Self {
        let now = service.clock.now();
        let bill = FleetBill::new(fleet.sites.clone(), now);
        let metrics = service.metrics.exposition.fleet();
        // A ledger that cannot be read is reported at the end, by the summary.
        let reader = service.store.reader().ok();
        Self { service, progress, bill, metrics, reader, began: now }
    }

    /// Charges the power of what is connected, and redraws the table; never ends.
    pub async fn watch(&mut self) {
        let bar = status_line();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.charge();
            if let Ok(regions) = self.regions() {
                let total = self.progress.total();
                let status = self.service.tip();
                let header = format!(
                    "tip {}   {} connected   {} accepted   {} rejected   {} stale   {} blocks",
                    status.height,
                    total.connected,
                    total.accepted,
                    total.rejected,
                    total.stale,
                    self.service.metrics.blocks_found.get()
                );
                bar(format!("{header}\n{}", Table(&regions)));
            }
        }
    }

    fn charge(&mut self) {
        let now = self.service.clock.now();
        let figures = self.progress.read();
        self.bill.charge(&figures, now);
        self.bill.show(&figures, &self.metrics);
    }

    fn regions(&mut self) -> Result<BTreeMap<String, RegionSummary>, Failure> {
        if self.reader.is_none() {
            self.reader = Some(self.service.store.reader().map_err(Failure::surroundings)?);
        }
        let reader = self.reader.as_mut().expect("just opened");
        let proven = reader.share_counts_by_region().map_err(Failure::surroundings)?;
        let figures = self.progress.read();
        let now = self.service.clock.now();
        let seconds = now.since(self.began).0.max(1e-3);
        let summary = |(site, meter): &(Site, EnergyMeter)| {
            let code = site.region.code.as_str();
            let figures = of_site(&figures, site);
            let of_region = |shares: &&RegionShares| shares.region.as_deref() == Some(code);
            let difficulty = proven.iter().find(of_region).map_or(0.0, |shares| shares.difficulty_accepted);
            let summary = RegionSummary {
                name: site.region.name.clone(),
                device: site.device.model.clone(),
                miners: figures.map_or(0, |figures| figures.miners),
                hashrate_hs: difficulty * Difficulty::ONE.expected_hashes() / seconds,
                shares_accepted: figures.map_or(0, |figures| figures.accepted),
                stale: figures.map_or(0, |figures| figures.stale),
                energy_kwh: meter.energy(),
                cost_usd: meter.cost(),
                usd_per_kwh: site.region.price_at(now).value.0,
            };
            (code.to_owned(), summary)
        };
        Ok(self.bill.sites().iter().map(summary).collect())
    }

    /// The result, once all miners have ended.
    pub fn summary(&mut self, report: &SwarmReport, mined: &MineSummary) -> Result<Summary, Failure> {
        self.charge();
        let regions = self.regions()?;
        let rejected: u64 = report.shares.rejected.values().chain(mined.rejected.values()).sum();
        Ok(Summary {
            seconds: self.service.clock.now().since(self.began).0,
            connections: self.service.metrics.connections_opened.get(),
            shares_accepted: report.shares.accepted + mined.accepted,
            shares_rejected: rejected,
            wrong_verdicts: report.contradictions.total(),
            blocks_found: self.service.metrics.blocks_found.get(),
            regions,
        })
    }
}

struct Table<'a>(&'a BTreeMap<String, RegionSummary>);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<8}{:<26}{:<22}{:>12}{:>10}{:>7}{:>9}{:>10}{:>9}",
            "region", "", "device", "proven", "accepted", "stale", "kWh", "USD", "USD/kWh"
        )?;
        for (code, region) in self.0 {
            let rate = Hashrate::new(region.hashrate_hs).unwrap_or_default();
            writeln!(
                f,
                "{code:<8}{:<26}{:<22}{:>12}{:>10}{:>7}{:>9.3}{:>10.4}{:>9.4}",
                region.name,
                format!("{} x {}", region.miners, region.device),
                rate.to_string(),
                region.shares_accepted,
                region.stale,
                region.energy_kwh.0,
                region.cost_usd.0,
                region.usd_per_kwh
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Table(&self.regions))?;
        write!(
            f,
            "{} connections, {} shares accepted, {} rejected, {} wrong verdicts, {} blocks in {:.0} s",
            self.connections,
            self.shares_accepted,
            self.shares_rejected,
            self.wrong_verdicts,
            self.blocks_found,
            self.seconds
        )
    }
}
