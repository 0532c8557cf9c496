//! What Prometheus is told: counters and gauges folded from events.
//!
//! One row in `catalogue` makes a metric: its handle, its registration and its
//! line in `docs/metrics.md`. Label values are bounded: verdicts, reasons,
//! regions that the data knows, nodes as configured; never names that a peer chooses.

mod catalogue;
mod process;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Encoder, IntCounter, Registry, TextEncoder};

pub use catalogue::{FleetMetrics, PoolMetrics, Row, catalogue};

use crate::event::{CloseReason, Event, NearMiss, Reject, Verdict};
use catalogue::ProcessMetrics;

/// The label of connections whose region is not told or not known.
pub const REGION_UNKNOWN: &str = "unknown";

/// The share counters of one region, looked up once per connection.
#[derive(Debug)]
pub struct RegionShares {
    by_verdict: Vec<IntCounter>,
}

/// Where a verdict's counter is.
fn index(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Accepted => 0,
        Verdict::AcceptedLate => 1,
        Verdict::Rejected(reject) => 2 + reject as usize,
    }
}

/// What one process shows at `/metrics`: its own figures, and those of what runs in it.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
    process: ProcessMetrics,
}

impl Exposition {
    /// Figures of this process alone.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let process = ProcessMetrics::register(&registry);
        Self { registry, process }
    }

    /// Adds a fleet's figures. A process has one fleet.
    ///
    /// # Panics
    /// When it has one already.
    #[must_use]
    pub fn fleet(&self) -> FleetMetrics {
        FleetMetrics::register(&self.registry)
    }

    /// Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        self.process.read();
        let mut text = Vec::new();
        // Encoding into a Vec fails only on metrics without a name.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

impl Default for Exposition {
    fn default() -> Self {
        Self::new()
    }
}

/// A pool's metrics, and the page that shows them.
#[derive(Debug)]
pub struct Metrics {
    /// Everything shown beside them, at one place.
    pub exposition: Exposition,
    pool: PoolMetrics,
    regions: Regions,
}

impl Deref for Metrics {
    type Target = PoolMetrics;

    fn deref(&self) -> &PoolMetrics {
        &self.pool
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero.
    #[must_use]
    pub fn new() -> Self {
        let exposition = Exposition::new();
        let pool = PoolMetrics::register(&exposition.registry);
        // From zero, so that Prometheus sees the first one as growth.
        for reason in CloseReason::ALL {
            pool.connections_closed.with_label_values(&[reason.name()]);
        }
        for near_miss in NearMiss::ALL {
            pool.near_misses.with_label_values(&[near_miss.name()]);
        }
        Self { exposition, pool, regions: Regions::default() }
    }

    /// Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        self.exposition.render()
    }

    /// The counters of a region. The caller passes only regions that the data knows.
    #[must_use]
    pub fn region(&self, region: &str) -> Arc<RegionShares> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shares) = regions.get(region) {
            return shares.clone();
        }
        let verdicts = [Verdict::Accepted, Verdict::AcceptedLate]
            .into_iter()
            .chain(Reject::ALL.into_iter().map(Verdict::Rejected));
        let by_verdict =
            verdicts.map(|verdict| self.shares.with_label_values(&[verdict.name(), region])).collect();
        let shares = Arc::new(RegionShares { by_verdict });
        regions.insert(region.to_owned(), shares.clone());
        shares
    }

    /// Counts events of a connection in `region`.
    pub fn observe(&self, events: &[Event], region: &RegionShares) {
        for event in events {
            match event {
                Event::Share(share) => {
                    region.by_verdict[index(share.verdict)].inc();
                    if share.verdict.is_accepted() {
                        let asked = share.difficulty_asked.map_or(0.0, crate::units::Difficulty::get);
                        self.difficulty_accepted.inc_by(asked);
                    }
                    if let Some(near_miss) = share.near_miss {
                        self.near_misses.with_label_values(&[near_miss.name()]).inc();
                    }
                }
                Event::Connected { .. } => {
                    self.connections.inc();
                    self.connections_opened.inc();
                }
                Event::Disconnected { reason, .. } => {
                    self.connections.dec();
                    self.connections_closed.with_label_values(&[reason.name()]).inc();
                }
                Event::BlockFound(_) => self.blocks_found.inc(),
                Event::BadLine { .. } => self.bad_lines.inc(),
                Event::DifficultyChanged { cause, .. } => {
                    self.difficulty_changes.with_label_values(&[cause.name()]).inc();
                }
                Event::Subscribed { .. } | Event::Authorized { .. } => {}
            }
        }
    }
}

/// The share counters by region, kept for looking them up.
type Regions = Mutex<BTreeMap<String, Arc<RegionShares>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_metric() {
        let text = include_str!("../../docs/metrics.md");
        for row in catalogue() {
            let labels = if row.labels.is_empty() { "–".to_owned() } else { row.labels.join(", ") };
            let line = format!("| `{}` | {} | {} | {} |", row.name, row.kind, labels, row.help);
            assert!(text.contains(&line), "docs/metrics.md lacks\n{line}");
        }
    }

    #[test]
    fn every_verdict_is_counted_under_its_own_name() {
        let metrics = Metrics::new();
        let region = metrics.region("ET");
        for verdict in Reject::ALL.map(Verdict::Rejected) {
            region.by_verdict[index(verdict)].inc();
        }
        let text = String::from_utf8(metrics.render()).unwrap();
        for reject in Reject::ALL {
            let line = format!("adit_shares_total{{region=\"ET\",verdict=\"{}\"}} 1", reject.name());
            assert!(text.contains(&line), "{line}");
        }
        for (metric, count) in [("adit_connections_closed_total{", 7), ("adit_near_misses_total{", 11)] {
            assert_eq!(text.matches(metric).count(), count, "{metric} begins at zero under each name");
        }
        assert!(text.contains("process_cpu_seconds_total"));
    }
}
