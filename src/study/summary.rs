//! Over the runs: mean and quantiles of every number, by day.
//!
//! Exact quantiles need the numbers of all runs side by side, and the table has
//! them run after run. It is read in blocks of days: as many days of all runs
//! as fit `BLOCK_BYTES_MAX`, of which only the pages needed are decoded. No
//! number is shortened for that, so what the summary says can be computed
//! again from the table by anyone.
//!
//! A quantile lies between the two nearest numbers, in proportion (type 7 of
//! Hyndman and Fan, the default of R and NumPy). Numbers that are not known
//! (NaN: the cost of a bitcoin where nobody mines) are left out; where no run
//! knows, the cells are empty.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use super::country::Wide;
use super::error::StudyError;
use super::files::Draft;
use super::table::Table;
use super::{Place, Progress, RUNS_FILE, SUMMARY_FILE, Stage};
use crate::spread::Day;

/// Numbers of all runs in memory at once, in bytes.
const BLOCK_BYTES_MAX: usize = 128 << 20;

/// Digits of the numbers in `summary.csv`, and in pages made of it.
pub const SIGNIFICANT_DIGITS: usize = 6;

const HEADER: [&str; 9] = ["time", "region", "variable", "mean", "p05", "p25", "p50", "p75", "p95"];

/// A number over the runs; NaN where no run knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Mean.
    pub mean: f64,
    /// A run in twenty is below.
    pub p05: f64,
    /// A run in four is below.
    pub p25: f64,
    /// Half of the runs are below: the median.
    pub p50: f64,
    /// A run in four is above.
    pub p75: f64,
    /// A run in twenty is above.
    pub p95: f64,
}

impl Stats {
    /// Of the numbers of all runs, whose order is lost.
    pub(super) fn of(values: &mut [f64]) -> Self {
        // In the order of runs, so that the sum is the same whatever the threads.
        let known = values.iter().filter(|value| !value.is_nan());
        let mean = known.clone().sum::<f64>() / known.count() as f64;
        values.sort_unstable_by(f64::total_cmp);
        // The table has one NaN, which this order puts last.
        let known = &values[..values.partition_point(|value| !value.is_nan())];
        let quantile = |part: f64| match known {
            [] => f64::NAN,
            [.., last] => {
                let at = part * (known.len() - 1) as f64;
                let below = known[at as usize];
                let above = known.get(at as usize + 1).unwrap_or(last);
                // Not below + (above - below) * fract where both are the same infinity.
                if below == *above { below } else { below + (above - below) * at.fract() }
            }
        };
        let [p05, p25, p50, p75, p95] = [0.05, 0.25, 0.5, 0.75, 0.95].map(quantile);
        Self { mean, p05, p25, p50, p75, p95 }
    }

    /// As in `summary.csv`.
    #[must_use]
    pub fn rounded(self) -> Self {
        self.map(rounded)
    }

    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let Self { mean, p05, p25, p50, p75, p95 } = self;
        let [mean, p05, p25, p50, p75, p95] = [mean, p05, p25, p50, p75, p95].map(f);
        Self { mean, p05, p25, p50, p75, p95 }
    }

    /// In the order of the columns.
    #[must_use]
    pub fn columns(&self) -> [f64; 6] {
        [self.mean, self.p05, self.p25, self.p50, self.p75, self.p95]
    }
}

/// The number with [`SIGNIFICANT_DIGITS`] digits.
pub(super) fn rounded(value: f64) -> f64 {
    let text = format!("{value:.*e}", SIGNIFICANT_DIGITS - 1);
    text.parse().unwrap_or(value)
}

/// One variable of one region over the days.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// A region's code, `WORLD`, or `country:` and an ISO code.
    pub region: String,
    /// As in [`Model::world`](crate::spread::Model::world) or [`Model::regional`](crate::spread::Model::regional).
    pub variable: String,
    /// By day.
    pub stats: Vec<Stats>,
}

/// `summary.csv` in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The days.
    pub days: Vec<Day>,
    /// Every variable of every region, in the order of the file.
    pub series: Vec<Series>,
}

impl Summary {
    /// A variable of a region.
    #[must_use]
    pub fn find(&self, region: &str, variable: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.region == region && series.variable == variable)
    }

    /// Reads a `summary.csv`.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let failed = |line: u64, what: &str| {
            let what = format!("line {line} {what}; is it a {SUMMARY_FILE} of `adit spread`?");
            StudyError::file(path, what)
        };
        let mut csv =
            csv::Reader::from_path(path).map_err(|error| StudyError::file(path, error.to_string()))?;
        if !csv.headers().is_ok_and(|header| header.iter().eq(HEADER)) {
            return Err(failed(1, "has other columns"));
        }
        let mut summary = Self::default();
        let mut index: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut row = csv::StringRecord::new();
        while csv.read_record(&mut row).map_err(|error| StudyError::file(path, error.to_string()))? {
            let line = row.position().map_or(0, csv::Position::line);
            let day: Day = row[0].parse().map_err(|_| failed(line, "has no date"))?;
            if summary.days.last() != Some(&day) {
                summary.days.push(day);
            }
            let mut numbers = [f64::NAN; 6];
            for (number, text) in numbers.iter_mut().zip(row.iter().skip(3)) {
                if !text.is_empty() {
                    *number = text.parse().map_err(|_| failed(line, "has a cell that is no number"))?;
                }
            }
            let [mean, p05, p25, p50, p75, p95] = numbers;
            let at = *index.entry((row[1].to_owned(), row[2].to_owned())).or_insert_with(|| {
                let (region, variable) = (row[1].to_owned(), row[2].to_owned());
                summary.series.push(Series { region, variable, stats: Vec::new() });
                summary.series.len() - 1
            });
            let stats = &mut summary.series[at].stats;
            stats.push(Stats { mean, p05, p25, p50, p75, p95 });
            if stats.len() != summary.days.len() {
                return Err(failed(line, "repeats a number, or some before it is missing"));
            }
        }
        Ok(summary)
    }
}

/// Writes `summary.csv` of the table that is in `dir`; its SHA-256.
pub(super) fn write(
    dir: &Path,
    places: &[Place],
    threads: usize,
    progress: impl FnMut(Progress),
) -> Result<String, StudyError> {
    let table = Table::open(&dir.join(RUNS_FILE))?;
    write_in_blocks(dir, &table, places, threads, BLOCK_BYTES_MAX, progress)
}

pub(super) fn write_in_blocks(
    dir: &Path,
    table: &Table,
    places: &[Place],
    threads: usize,
    bytes_max: usize,
    mut progress: impl FnMut(Progress),
) -> Result<String, StudyError> {
    let mut out = Draft::new(dir, SUMMARY_FILE)?;
    let path = out.path().to_owned();
    let layout = table.layout();
    let wide = Wide::new(layout, places);
    let cells = wide.cells();
    let runs = table.runs().len();
    let days_at_once = (bytes_max / (8 * cells.len() * runs.max(1))).max(1);
    let mut text = HEADER.join(",") + "\n";
    let mut day = 0;
    while day < layout.days.len() {
        let days = day..layout.days.len().min(day + days_at_once);
        let stats = block(table, &wide, cells.len(), days.clone(), threads)?;
        for (date, stats) in layout.days[days.clone()].iter().zip(stats.chunks(cells.len())) {
            for ((region, variable), stats) in cells.iter().zip(stats) {
                push_row(&mut text, *date, region, variable, stats);
            }
            out.write_all(text.as_bytes()).map_err(StudyError::write(&path))?;
            text.clear();
        }
        day = days.end;
        progress(Progress { stage: Stage::Summary, done: day as u64, of: layout.days.len() as u64 });
    }
    out.write_all(text.as_bytes()).map_err(StudyError::write(&path))?;
    out.finish()
}

fn push_row(text: &mut String, day: Day, region: &str, variable: &str, stats: &Stats) {
    use std::fmt::Write as _;
    let _ = write!(text, "{day},{region},{variable}");
    for number in stats.columns() {
        text.push(',');
        if !number.is_nan() {
            let _ = write!(text, "{}", rounded(number));
        }
    }
    text.push('\n');
}

/// The stats of some days: by day and cell.
fn block(
    table: &Table,
    wide: &Wide,
    cells: usize,
    days: std::ops::Range<usize>,
    threads: usize,
) -> Result<Vec<Stats>, StudyError> {
    let runs = table.runs().len();
    // The runs of a number side by side.
    let mut numbers = vec![0.0; days.len() * cells * runs];
    let mut values = Vec::new();
    for run in 0..runs {
        table.days(run, days.clone(), &mut values)?;
        let mut at = run;
        for day in values.chunks_exact(table.layout().per_day()) {
            let mut push = |value| {
                numbers[at] = value;
                at += runs;
            };
            day.iter().copied().for_each(&mut push);
            wide.countries_of(day, push);
        }
    }
    let nothing = Stats::of(&mut []);
    let mut stats = vec![nothing; days.len() * cells];
    let share = stats.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for (stats, numbers) in stats.chunks_mut(share).zip(numbers.chunks_mut(share * runs)) {
            scope.spawn(move || {
                for (stats, numbers) in stats.iter_mut().zip(numbers.chunks_mut(runs)) {
                    *stats = Stats::of(numbers);
                }
            });
        }
    });
    Ok(stats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between() {
        fn check(values: &[f64], expected: [f64; 6]) {
            let found = Stats::of(&mut values.to_vec()).columns();
            let near = |(a, b): (&f64, &f64)| a == b || (a - b).abs() < 1e-12 || a.is_nan() && b.is_nan();
            assert!(found.iter().zip(&expected).all(near), "{values:?}: {found:?}");
        }
        check(&[5.0], [5.0; 6]);
        // R: quantile(c(4,1,3,2), c(.05,.25,.5,.75,.95))
        check(&[4.0, 1.0, 3.0, 2.0], [2.5, 1.15, 1.75, 2.5, 3.25, 3.85]);
        check(&[f64::NAN, 2.0, f64::NAN], [2.0; 6]);
        check(&[f64::NAN], [f64::NAN; 6]);
        check(&[], [f64::NAN; 6]);
        check(&[f64::INFINITY; 3], [f64::INFINITY; 6]);
        let many: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        check(&many, [50.0, 5.0, 25.0, 50.0, 75.0, 95.0]);
    }

    #[test]
    fn numbers_have_six_digits() {
        fn check(value: f64, text: &str) {
            assert_eq!(rounded(value).to_string(), text);
            assert_eq!(rounded(rounded(value)), rounded(value));
        }
        check(123_456_789_012_345.0, "123457000000000");
        check(0.045_678_912, "0.0456789");
        check(1.0, "1");
        check(0.0, "0");
        check(-2.5, "-2.5");
        check(f64::INFINITY, "inf");
    }
}
