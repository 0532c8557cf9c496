//! How fast the world model runs: a run of days, a run of hours, many runs on all cores.

use std::hint::black_box;
use std::time::Instant;

use crate::spread::inputs::Inputs;
use crate::spread::run::run;
use crate::spread::scenario::{Ready, Source};

/// Five years of today's world.
const SCENARIO: &str = r#"
title = "five years"
start = "2026-01-01"
end = "2030-12-31"
[world]
hashrate_ehs = 1000
efficiency_j_per_th = 18
height = 930_000
[price]
path = "walk"
usd = 90_000
"#;

/// Bytes of a machine's cell that a day reads and writes: installed and on, both
/// ways; watts, profits, sells and two queues.
const BYTES_PER_CELL: f64 = 66.0;

/// What was measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SpreadSpeed {
    /// Regions times vintages.
    pub cells: usize,
    /// Days of a run.
    pub days: usize,
    /// Seconds of a run in days: the median of several.
    pub daily_run_s: f64,
    /// Seconds of a run in hours.
    pub hourly_run_s: f64,
    /// Nanoseconds of a cell and day, in days.
    pub daily_ns_per_cell_step: f64,
    /// Nanoseconds of a cell and hour, in hours.
    pub hourly_ns_per_cell_step: f64,
    /// Nanoseconds that the memory alone would take for a cell's bytes of a day.
    pub memory_ns_per_cell_step: f64,
    /// Runs in hours on all cores, and the seconds of all of them.
    pub many: (u32, f64),
    /// Threads of those.
    pub threads: usize,
}

/// Measures; `runs` in hours on all cores at the end.
///
/// # Panics
/// Never in a build whose tests pass: the scenario is built in.
#[must_use]
pub fn spread(runs: u32) -> SpreadSpeed {
    let ready = |step: &str| -> Ready {
        let sets = [format!("step={step}")];
        let source = Source { file: "built in", text: SCENARIO, sets: &sets };
        Ready::of(source, Inputs::embedded()).expect("a scenario that is built in")
    };
    let (daily, hourly) = (ready("day"), ready("hour"));
    let median = |ready: &Ready, turns: u32| {
        let mut seconds: Vec<f64> = (0..turns)
            .map(|turn| {
                let began = Instant::now();
                black_box(run(ready, 1, turn));
                began.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    };
    let (daily_run_s, hourly_run_s) = (median(&daily, 9), median(&hourly, 5));
    let cells = daily.world.places.len() * daily.world.vintages.len();
    let days = daily.world.days;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = std::sync::atomic::AtomicU32::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= runs {
                        break;
                    }
                    black_box(run(&hourly, 1, number));
                }
            });
        }
    });
    let steps = (cells * days) as f64;
    SpreadSpeed {
        cells,
        days,
        daily_run_s,
        hourly_run_s,
        daily_ns_per_cell_step: daily_run_s * 1e9 / steps,
        hourly_ns_per_cell_step: hourly_run_s * 1e9 / (steps * 24.0),
        memory_ns_per_cell_step: BYTES_PER_CELL / bytes_per_second() * 1e9,
        many: (runs, began.elapsed().as_secs_f64()),
        threads,
    }
}

/// What one core copies in a second, of arrays far larger than the caches.
fn bytes_per_second() -> f64 {
    const BYTES: usize = 256 << 20;
    let from = vec![1_u8; BYTES];
    let mut to = vec![0_u8; BYTES];
    let best = (0..3)
        .map(|_| {
            let began = Instant::now();
            to.copy_from_slice(black_box(&from));
            black_box(&mut to);
            began.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    // Read and written.
    2.0 * BYTES as f64 / best
}

impl std::fmt::Display for SpreadSpeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (runs, seconds) = self.many;
        writeln!(f, "{} cells, {} days", self.cells, self.days)?;
        writeln!(
            f,
            "a run by days   {:7.1} ms   {:6.2} ns a cell and day",
            self.daily_run_s * 1e3,
            self.daily_ns_per_cell_step
        )?;
        writeln!(
            f,
            "a run by hours  {:7.1} ms   {:6.2} ns a cell and hour",
            self.hourly_run_s * 1e3,
            self.hourly_ns_per_cell_step
        )?;
        writeln!(
            f,
            "memory alone                 {:6.2} ns for a cell's bytes of a day",
            self.memory_ns_per_cell_step
        )?;
        write!(
            f,
            "{runs} runs by hours on {} threads: {seconds:.1} s, {:.1} ms each",
            self.threads,
            seconds * 1e3 / f64::from(runs.max(1))
        )
    }
}
