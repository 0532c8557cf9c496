//! Every metric, one row each.

use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

/// A metric as documented.
#[derive(Debug)]
pub struct Row {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells, with its unit.
    pub help: &'static str,
}

/// Upper bounds of all histograms in seconds. A group commit takes milliseconds,
/// telling ten thousand miners of a tip a tenth of a second, a slow reader seconds.
const SECONDS_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How one kind of metric is made.
trait Make: Sized + Clone + prometheus::core::Collector + 'static {
    const KIND: &'static str;
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

macro_rules! make {
    ($($kind:ident $text:literal: |$name:ident, $help:ident, $labels:ident| $make:expr;)*) => {
        $(impl Make for $kind {
            const KIND: &'static str = $text;
            fn make($name: &str, $help: &str, $labels: &[&str]) -> prometheus::Result<Self> {
                $make
            }
        })*
    };
}

make! {
    Counter "counter": |name, help, _labels| Counter::new(name, help);
    CounterVec "counter": |name, help, labels| CounterVec::new(Opts::new(name, help), labels);
    IntCounter "counter": |name, help, _labels| IntCounter::new(name, help);
    IntCounterVec "counter": |name, help, labels| IntCounterVec::new(Opts::new(name, help), labels);
    Gauge "gauge": |name, help, _labels| Gauge::new(name, help);
    GaugeVec "gauge": |name, help, labels| GaugeVec::new(Opts::new(name, help), labels);
    IntGauge "gauge": |name, help, _labels| IntGauge::new(name, help);
    IntGaugeVec "gauge": |name, help, labels| IntGaugeVec::new(Opts::new(name, help), labels);
    Histogram "histogram": |name, help, _labels| {
        Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS_BUCKETS.to_vec()))
    };
}

fn register<M: Make>(registry: &Registry, row: &Row) -> M {
    let metric = M::make(row.name, row.help, row.labels).expect("the catalogue's names are valid");
    registry.register(Box::new(metric.clone())).expect("the catalogue's names are unique");
    metric
}

macro_rules! catalogue {
    (
        $(#[$doc:meta])* $handles:ident $rows:ident:
        $($field:ident: $kind:ident, $name:literal, [$($label:literal),*], $help:literal;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $handles {
            $(#[doc = $help] pub $field: $kind,)*
        }

        static $rows: &[Row] = &[
            $(Row { name: $name, kind: <$kind as Make>::KIND, labels: &[$($label),*], help: $help },)*
        ];

        impl $handles {
            /// All of them at zero, in `registry`.
            pub(super) fn register(registry: &Registry) -> Self {
                let mut rows = $rows.iter();
                Self {
                    $($field: register(registry, rows.next().expect("a row for each handle")),)*
                }
            }
        }
    };
}

/// Every metric.
pub fn catalogue() -> impl Iterator<Item = &'static Row> {
    POOL.iter().chain(FLEET).chain(PROCESS)
}

catalogue! {
    /// What a pool knows: a handle for each metric.
    PoolMetrics POOL:
    connections: IntGauge, "adit_connections", [], "Open miner connections.";
    connections_opened: IntCounter, "adit_connections_opened_total", [], "Miner connections accepted.";
    connections_closed: IntCounterVec, "adit_connections_closed_total", ["reason"],
        "Miner connections ended, by reason.";
    shares: IntCounterVec, "adit_shares_total", ["verdict", "region"],
        "Shares judged, by verdict and by the region the worker says it mines in.";
    difficulty_accepted: Counter, "adit_share_difficulty_total", [],
        "Sum of the difficulties of credited shares; its rate times 2^32 is the hashrate in H/s.";
    near_misses: IntCounterVec, "adit_near_misses_total", ["kind"],
        "Failed shares that would have been valid under a known mistake.";
    difficulty_changes: IntCounterVec, "adit_difficulty_changes_total", ["cause"],
        "New difficulties announced, by who asked for them.";
    bad_lines: IntCounter, "adit_bad_lines_total", [], "Lines from miners that were no valid request.";
    blocks_found: IntCounter, "adit_blocks_found_total", [], "Shares that solved a block.";
    blocks: IntCounterVec, "adit_blocks_total", ["state"], "Blocks submitted, by what the node made of them.";
    tip_height: IntGauge, "adit_tip_height", [], "Height of the chain's tip.";
    tip_published: Gauge, "adit_tip_published_timestamp_seconds", [],
        "Unix time at which the first work on the tip was published.";
    work_published: IntCounterVec, "adit_work_published_total", ["kind"],
        "Work published to all sessions: empty, full or refreshed.";
    tip_notify_seconds: Histogram, "adit_tip_notify_seconds", [],
        "Seconds from hearing of a new tip to handing the first job on it to a socket, once for each miner and tip.";
    commit_seconds: Histogram, "adit_commit_seconds", [],
        "Seconds from judging shares to their commit, which is when they are answered.";
    store_healthy: IntGauge, "adit_store_healthy", [], "1 while the last commit succeeded.";
    node_healthy: IntGauge, "adit_node_healthy", [], "1 while a node gives templates.";
    node_up: IntGaugeVec, "adit_node_up", ["node"], "1 while this node answers and gives templates.";
    node_tip_height: IntGaugeVec, "adit_node_tip_height", ["node"], "Height of this node's tip.";
    node_template_seconds: GaugeVec, "adit_node_template_seconds", ["node"],
        "Seconds that this node took for the last template it was asked for.";
}

catalogue! {
    /// What a fleet of simulated miners knows, and no pool can: a handle for each metric.
    FleetMetrics FLEET:
    miners: IntGaugeVec, "adit_fleet_miners", ["region"], "Simulated miners that the pool let in, by region.";
    energy_joules: CounterVec, "adit_fleet_energy_joules_total", ["region"],
        "Energy drawn by the devices that the miners stand for, cooling included, in joules: 3.6e6 are a kWh.";
    energy_cost_usd: CounterVec, "adit_fleet_energy_cost_usd_total", ["region"],
        "What that energy costs at the region's tariff of the hour, in USD.";
}

catalogue! {
    /// What the operating system says of this process.
    ProcessMetrics PROCESS:
    cpu: Gauge, "process_cpu_seconds_total", [], "CPU time of this process in seconds.";
    resident: Gauge, "process_resident_memory_bytes", [], "Resident memory in bytes.";
    files: Gauge, "process_open_fds", [], "Open files.";
}
