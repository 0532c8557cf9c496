//! What the operating system says of this process, under Prometheus' usual names.
//!
//! Read from `/proc` when the metrics are asked for. The `prometheus` crate's own
//! collector counts CPU time in whole seconds, too coarse for what one share
//! costs.

use super::catalogue::ProcessMetrics;

/// Ticks in a second of `/proc/self/stat`: `USER_HZ`, 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes in a page of `/proc/self/statm` on the machines we know.
const PAGE_BYTES: f64 = 4096.0;

impl ProcessMetrics {
    /// Brings them up to date; leaves them alone where there is no `/proc`.
    pub(super) fn read(&self) {
        if let Some(seconds) = cpu_seconds() {
            // The system's own sum, so it is set and not added to.
            self.cpu.set(seconds);
        }
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.files.set(files.count() as f64);
        }
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold anything; fields are counted after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<f64>().ok()? * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells() {
        assert!(resident_bytes().unwrap() > 1e6);
        let before = cpu_seconds().unwrap();
        let busy = (0..30_000_000u64).fold(0, |sum: u64, n| sum.wrapping_mul(31).wrapping_add(n));
        assert!(std::hint::black_box(busy) > 0 && cpu_seconds().unwrap() >= before);
    }
}
