//! Measuring this machine, for `adit bench`: how fast it hashes, how fast the world model runs (`spread`).
//!
//! Rates are per second of CPU time of the threads, so that a busy machine does
//! not look like a slow program; what the clock on the wall shows stands beside
//! them. All backends run in turns, a slice of time each, again and again, so a
//! clock that changes its speed changes all of them.

mod limit;
mod spread;
mod surroundings;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

pub use limit::{Limit, Port};
pub use spread::{SpreadSpeed, spread};
pub use surroundings::{Energy, hyper_threads};

use crate::hash::backend::{self, Backend, Midstates, Work};

/// Turns of all backends.
const ALTERNATIONS: u32 = 9;

/// Versions of a batch in the measurement.
const VERSIONS: u32 = 2048;

/// Seconds of CPU time that this thread has had.
#[must_use]
pub fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct HashBench {
    /// Threads at once, beside one alone.
    pub threads: usize,
    /// How long to measure, all together.
    pub seconds: f64,
    /// Only this backend, beside the reference.
    pub only: Option<&'static Backend>,
}

/// One backend in one mode on some threads.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Row {
    /// Its name.
    pub backend: &'static str,
    /// `nonce` or `versions`.
    pub mode: &'static str,
    /// Threads that ran it at once.
    pub threads: usize,
    /// Million hashes for each second of CPU time, summed over the threads: the median turn.
    pub mhs_median: f64,
    /// The worst turn.
    pub mhs_min: f64,
    /// The best turn.
    pub mhs_max: f64,
    /// The median, in medians of the `sha2` crate on as many threads.
    pub ratio_to_sha2: f64,
    /// The median, in what the CPU's throughput would allow; `None` where that is not known.
    pub share_of_limit: Option<f64>,
    /// The median by the clock on the wall.
    #[serde(skip)]
    pub mhs_wall: f64,
    /// Energy for a million hashes by the CPU's own meter, all that ran besides included.
    #[serde(skip)]
    pub joules_per_mh: Option<f64>,
}

/// All that was measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// A row for each backend, mode and number of threads.
    pub rows: Vec<Row>,
    /// What the CPU does at best.
    pub ports: Vec<Port>,
    /// Turns that were complete.
    pub alternations: u32,
}

/// A turn of one backend.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// Summed over threads.
    per_cpu_second: f64,
    per_wall_second: f64,
    joules: Option<f64>,
    hashes: f64,
}

/// Who takes turns.
#[derive(Debug, Clone, Copy)]
struct Runner {
    backend: &'static Backend,
    versions: bool,
    threads: usize,
}

/// Measures until `options` are satisfied, or `stop` is set; then with the turns so far.
#[must_use]
pub fn hashing(options: &HashBench, stop: &AtomicBool) -> Report {
    let mut threads = vec![1];
    if options.threads > 1 {
        threads.push(options.threads);
    }
    let mut runners = Vec::new();
    for &threads in &threads {
        for backend in backend::available() {
            let wanted = options.only.is_none_or(|only| only.name() == backend.name());
            if !wanted && backend.name() != REFERENCE {
                continue;
            }
            for versions in [false, true] {
                if !versions || backend.rolls_versions() {
                    runners.push(Runner { backend, versions, threads });
                }
            }
        }
    }
    let ports = limit::measure(thread_seconds);
    let slice = (options.seconds / f64::from(ALTERNATIONS) / runners.len() as f64).max(0.001);
    let midstates = Midstates::new(&[0; 80], &(0..VERSIONS).collect::<Vec<_>>());
    let mut turns: Vec<Vec<Turn>> = vec![Vec::new(); runners.len()];
    let mut alternations = 0;
    while alternations < ALTERNATIONS && !(alternations > 0 && stop.load(Ordering::Relaxed)) {
        for (runner, turns) in runners.iter().zip(&mut turns) {
            turns.push(turn(*runner, &midstates, slice));
        }
        alternations += 1;
    }
    let mut rows: Vec<Row> =
        runners.iter().zip(turns).map(|(runner, turns)| row(*runner, turns, &ports)).collect();
    for threads in threads {
        let reference = rows.iter().find(|row| row.backend == REFERENCE && row.threads == threads);
        let reference = reference.map_or(f64::NAN, |row| row.mhs_median);
        for row in rows.iter_mut().filter(|row| row.threads == threads) {
            row.ratio_to_sha2 = row.mhs_median / reference;
        }
    }
    Report { rows, ports, alternations }
}

/// The backend that is the `sha2` crate.
const REFERENCE: &str = "scalar";

fn turn(runner: Runner, midstates: &Midstates, seconds: f64) -> Turn {
    let energy = Energy::read();
    let began = Instant::now();
    let (mut hashes, mut per_cpu_second) = (0.0, 0.0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..runner.threads)
            .map(|thread| scope.spawn(move || work(runner, midstates, thread as u32, seconds)))
            .collect();
        for thread in threads {
            let (done, cpu_seconds) = thread.join().expect("hashing does not panic");
            hashes += done;
            per_cpu_second += done / cpu_seconds;
        }
    });
    let wall = began.elapsed().as_secs_f64();
    let joules = energy.and_then(Energy::since);
    Turn { per_cpu_second, per_wall_second: hashes / wall, joules, hashes }
}

/// Hashes for a time; how many, and the CPU seconds it took.
fn work(runner: Runner, midstates: &Midstates, thread: u32, seconds: f64) -> (f64, f64) {
    let work = Work { midstate: [thread; 8], words: [1, 2, 3], top: 0 };
    let mut answer = vec![0; midstates.lanes() / backend::PER_BYTE];
    let (began, mut hashes) = (thread_seconds(), 0_u64);
    let mut nonce = 0_u32;
    loop {
        for _ in 0..8 {
            nonce = nonce.wrapping_add(1);
            if runner.versions {
                runner.backend.versions(midstates, nonce, 0, &mut answer);
            } else {
                runner.backend.nonces(&work, nonce.wrapping_mul(VERSIONS), &mut answer);
            }
        }
        hashes += 8 * midstates.lanes() as u64;
        let spent = thread_seconds() - began;
        if spent >= seconds {
            return (hashes as f64, spent);
        }
    }
}

fn row(runner: Runner, turns: Vec<Turn>, ports: &[Port]) -> Row {
    let sorted = |value: fn(&Turn) -> f64| {
        let mut values: Vec<f64> = turns.iter().map(|turn| value(turn) / 1e6).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (cpu, wall) = (sorted(|turn| turn.per_cpu_second), sorted(|turn| turn.per_wall_second));
    let median = cpu[cpu.len() / 2];
    let limit = Limit::of(runner.backend, runner.versions, ports);
    let joules: Option<f64> = turns.iter().map(|turn| turn.joules).sum();
    Row {
        backend: runner.backend.name(),
        mode: if runner.versions { "versions" } else { "nonce" },
        threads: runner.threads,
        mhs_median: median,
        mhs_min: cpu[0],
        mhs_max: cpu[cpu.len() - 1],
        ratio_to_sha2: 1.0,
        share_of_limit: limit.map(|limit| median * 1e6 / limit.hashes_per_second / runner.threads as f64),
        mhs_wall: wall[wall.len() / 2],
        joules_per_mh: joules.map(|joules| joules / turns.iter().map(|turn| turn.hashes / 1e6).sum::<f64>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_gets_its_rows_and_an_interruption_keeps_them() {
        let bench = HashBench { threads: 2, seconds: 0.0, only: None };
        let report = hashing(&bench, &AtomicBool::new(true));
        assert_eq!(report.alternations, 1);
        for backend in backend::available() {
            for (mode, expected) in [("nonce", true), ("versions", backend.rolls_versions())] {
                for threads in [1, 2] {
                    let is =
                        |row: &&Row| (row.backend, row.mode, row.threads) == (backend.name(), mode, threads);
                    assert_eq!(report.rows.iter().any(|row| is(&row)), expected, "{backend:?} {mode}");
                }
            }
        }
        let only = HashBench { only: backend::available().next_back(), ..bench };
        let rows = hashing(&only, &AtomicBool::new(true)).rows;
        assert!(rows.iter().all(|row| [REFERENCE, only.only.unwrap().name()].contains(&row.backend)));
    }
}
