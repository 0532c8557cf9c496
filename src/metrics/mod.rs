//! What Prometheus is told: counters and gauges folded from events.
//!
//! One row in `catalogue` makes a metric: its handle, its registration and its
//! line in `docs/metrics.md`. Label values are bounded: verdicts, reasons,
//! regions that the data knows, nodes as configured; never names that a peer chooses.

mod catalogue;
mod process;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Encoder, IntCounter, TextEncoder};

pub use catalogue::{CATALOGUE, Metrics, Row};

use crate::event::{Event, Reject, Verdict};

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

impl Metrics {
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

    /// Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        self.read_process();
        let mut text = Vec::new();
        // Encoding into a Vec fails only on metrics without a name.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
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
        for row in CATALOGUE {
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
        assert!(text.contains("process_cpu_seconds_total"));
    }
}
