//! The most that this CPU could hash, if it did nothing but the operations that must be done.
//!
//! ```text
//! seconds per group = max(operations / their rate at best, those only some units can do / their rate)
//! limit             = headers per group / seconds per group
//! ```
//!
//! Operations are counted (`Backend::operations`), rates measured here, with
//! independent instructions of one kind. No program reaches it: it would have
//! to keep every unit busy in every cycle.

use crate::hash::Backend;
use crate::hash::backend::Operations;

/// How long each loop runs, and how often; the best counts.
const SLICE_SECONDS: f64 = 0.004;
const SLICES: u32 = 9;

/// What the CPU does of one kind of instruction.
#[derive(Debug, Clone, Copy)]
pub struct Port {
    /// The instruction.
    pub name: &'static str,
    /// How many in a second, at best.
    pub per_second: f64,
}

/// The bound on a backend.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// What it must do.
    pub operations: Operations,
    /// The bound, for one thread.
    pub hashes_per_second: f64,
}

impl Limit {
    /// Of a backend, where its operations are known.
    #[must_use]
    pub fn of(backend: &Backend, versions: bool, ports: &[Port]) -> Option<Self> {
        let operations = backend.operations(versions)?;
        let seconds = |(count, name): (u32, &str)| {
            let port = ports.iter().find(|port| port.name == name)?;
            Some(f64::from(count) / port.per_second)
        };
        let seconds = f64::max(seconds(operations.all)?, seconds(operations.some)?);
        Some(Self { operations, hashes_per_second: f64::from(operations.headers) / seconds })
    }
}

/// Measures all kinds, in turns.
#[cfg(target_arch = "x86_64")]
pub(super) fn measure(seconds: impl Fn() -> f64) -> Vec<Port> {
    use crate::hash::backend::ports::probes;

    let mut ports: Vec<Port> = probes().map(|probe| Port { name: probe.name(), per_second: 0.0 }).collect();
    for _ in 0..SLICES {
        for (probe, port) in probes().zip(&mut ports) {
            let (began, mut done) = (seconds(), 0);
            loop {
                done += probe.run(20_000);
                let spent = seconds() - began;
                if spent >= SLICE_SECONDS {
                    port.per_second = port.per_second.max(done as f64 / spent);
                    break;
                }
            }
        }
    }
    ports
}

/// No kind of instruction is known here.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn measure(_: impl Fn() -> f64) -> Vec<Port> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::backend::available;

    #[test]
    fn the_scarcer_unit_decides() {
        for backend in available() {
            let Some(operations) = backend.operations(false) else { continue };
            let ports = |all: f64, some: f64| {
                let port = |(_, name), per_second| Port { name, per_second };
                let limit =
                    Limit::of(backend, false, &[port(operations.all, all), port(operations.some, some)]);
                limit.map(|limit| limit.hashes_per_second)
            };
            let free = ports(1e9, 1e18).unwrap();
            let expected = f64::from(operations.headers) * 1e9 / f64::from(operations.all.0);
            assert!((free / expected - 1.0).abs() < 1e-9 || operations.all.1 == operations.some.1);
            assert!(ports(1e9, 1e6).unwrap() <= free);
            assert_eq!(Limit::of(backend, false, &[]).map(|limit| limit.hashes_per_second), None);
        }
    }
}
