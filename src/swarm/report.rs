//! What a run found out, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use super::ledger::{Contradictions, Percentiles};
use super::progress::RegionFigures;
use super::spec::Mode;
use super::tips::TipReport;
use crate::units::{Hashrate, Seconds};

/// Connections of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ConnectionReport {
    /// Made.
    pub opened: u64,
    /// Could not be made.
    pub failed: u64,
    /// Ended before the run did.
    pub lost: u64,
    /// Authorized at the end.
    pub at_end: u64,
    /// From dialling to being authorized.
    pub handshake: Option<Percentiles>,
    /// The last thing that went wrong.
    pub last_trouble: Option<String>,
}

/// Shares of a run.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ShareReport {
    /// Sent.
    pub sent: u64,
    /// That count.
    pub accepted: u64,
    /// That do not, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// That the pool did not answer.
    pub unanswered: u64,
    /// Verdicts a second, once all miners were connected.
    pub verdicts_per_second: f64,
    /// From sending to the verdict, the simulated way not counted.
    pub latency: Option<Percentiles>,
    /// How late shares left because their search took longer than planned: when
    /// this grows, the fleet's hashrate is more than the CPU's.
    pub search_lag: Option<Percentiles>,
}

/// What the miners cost the pool, by its own account.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PoolCost {
    /// CPU time per verdict, in microseconds. Some pools count whole seconds of CPU
    /// time: from those this is good to one second over the run.
    pub cpu_us_per_verdict: Option<f64>,
    /// Cores busy on average.
    pub cpu_cores: f64,
    /// Growth of resident memory per connection.
    pub resident_bytes_per_connection: Option<f64>,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SwarmReport {
    /// How the miners behaved.
    pub mode: Mode,
    /// How long it ran.
    pub seconds: Seconds,
    /// The part after the last miner connected, over which rates are measured.
    pub measured_seconds: Seconds,
    /// Simulated miners.
    pub miners: u64,
    /// The hashrate they were allowed.
    pub hashrate: Hashrate,
    /// Hashes they computed.
    pub hashes: u64,
    /// Shares that were blocks.
    pub blocks: u64,
    /// Connections.
    pub connections: ConnectionReport,
    /// Shares.
    pub shares: ShareReport,
    /// Verdicts against what the miners know.
    pub contradictions: Contradictions,
    /// How new tips spread.
    pub new_tips: TipReport,
    /// What it cost the pool, if its metrics were read.
    pub pool: Option<PoolCost>,
    /// By region.
    pub regions: Vec<RegionFigures>,
}

impl fmt::Display for SwarmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<20} {value}");
        let Self { connections, shares, new_tips, contradictions, .. } = self;
        row("miners", &format_args!("{} with {}, {}", self.miners, self.hashrate, self.seconds))?;
        row(
            "connections",
            &format_args!(
                "{} opened, {} failed, {} lost, {} at the end",
                connections.opened, connections.failed, connections.lost, connections.at_end
            ),
        )?;
        optional(&mut row, "handshake", connections.handshake.as_ref())?;
        optional(&mut row, "last trouble", connections.last_trouble.as_ref())?;
        row(
            "shares",
            &format_args!(
                "{} sent, {} accepted, {} unanswered, {} blocks",
                shares.sent, shares.accepted, shares.unanswered, self.blocks
            ),
        )?;
        for (reason, count) in &shares.rejected {
            row("  rejected", &format_args!("{count} {reason}"))?;
        }
        row("verdicts", &format_args!("{:.0} a second", shares.verdicts_per_second))?;
        optional(&mut row, "share latency", shares.latency.as_ref())?;
        optional(&mut row, "search lag", shares.search_lag.as_ref())?;
        row("new tips", &new_tips.tips)?;
        optional(&mut row, "  first to last", new_tips.first_to_last.as_ref())?;
        optional(&mut row, "  first to each", new_tips.first_to_each.as_ref())?;
        if let Some(pool) = &self.pool {
            row("pool CPU", &format_args!("{:.2} cores", pool.cpu_cores))?;
            if let Some(micros) = pool.cpu_us_per_verdict {
                row("", &format_args!("{micros:.1} µs a verdict"))?;
            }
            if let Some(bytes) = pool.resident_bytes_per_connection {
                row("pool memory", &format_args!("{:.1} KiB a connection", bytes / 1024.0))?;
            }
        }
        for (fault, count) in &contradictions.faults {
            let (refused, answered) = (count.refused, count.answered);
            row("  fault", &format_args!("{fault}: {refused} of {answered} rightly refused"))?;
        }
        row("contradictions", &format_args!("{}, {} races", contradictions.total(), contradictions.races))?;
        for (fault, count) in &contradictions.false_accepts {
            row("  false accept", &format_args!("{count} {fault}"))?;
        }
        for (reason, count) in &contradictions.false_rejects {
            row("  false reject", &format_args!("{count} {reason}"))?;
        }
        for (reason, count) in &contradictions.wrong_reasons {
            row("  wrong reason", &format_args!("{count} {reason}"))?;
        }
        for example in &contradictions.examples {
            row("  example", &example.what)?;
            row("    ->", &example.submit)?;
            row("    <-", &example.answer)?;
        }
        Ok(())
    }
}

fn optional<T: fmt::Display>(
    row: &mut impl FnMut(&str, &dyn fmt::Display) -> fmt::Result,
    name: &str,
    value: Option<&T>,
) -> fmt::Result {
    value.map_or(Ok(()), |value| row(name, value))
}
