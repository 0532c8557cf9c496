//! Each run's last day and mean over all days, for comparing two studies.
//!
//! From the table and not from the summary: the band of a mean over time is
//! narrower than the mean of the daily bands.

use super::country::Wide;
use super::error::StudyError;
use super::summary::Stats;
use super::table::Table;
use super::{Place, Progress, Stage};

/// A variable of a region over the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// A region's code, `WORLD`, or `country:` and an ISO code.
    pub region: String,
    /// Its name.
    pub variable: &'static str,
    /// On the last day.
    pub end: Stats,
    /// The mean over the recorded days on which it is known.
    pub mean: Stats,
}

/// Every variable of every region, in the order of the summary.
///
/// # Errors
/// When the table cannot be read.
pub fn outlook(
    table: &Table,
    places: &[Place],
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Outlook>, StudyError> {
    let wide = Wide::new(table.layout(), places);
    let cells = wide.cells();
    let (runs, days) = (table.runs().len(), table.layout().days.len());
    let (mut ends, mut means) = (vec![f64::NAN; cells.len() * runs], vec![f64::NAN; cells.len() * runs]);
    let mut values = Vec::new();
    for run in 0..runs {
        table.days(run, 0..days, &mut values)?;
        let mut sums = vec![(0.0, 0_u32); cells.len()];
        let mut last = Vec::new();
        for day in values.chunks_exact(table.layout().per_day()) {
            last.clear();
            last.extend_from_slice(day);
            wide.countries_of(day, |value| last.push(value));
            for ((sum, known), value) in sums.iter_mut().zip(&last).filter(|(_, value)| !value.is_nan()) {
                *sum += value;
                *known += 1;
            }
        }
        for (cell, value) in last.iter().enumerate() {
            let (sum, known) = sums[cell];
            ends[cell * runs + run] = *value;
            means[cell * runs + run] = sum / f64::from(known);
        }
        progress(Progress { stage: Stage::Runs, done: run as u64 + 1, of: runs as u64 });
    }
    let stats = |numbers: &mut [f64], cell: usize| Stats::of(&mut numbers[cell * runs..][..runs]).rounded();
    let outlook = cells.iter().enumerate().map(|(cell, (region, variable))| Outlook {
        region: (*region).to_owned(),
        variable,
        end: stats(&mut ends, cell),
        mean: stats(&mut means, cell),
    });
    Ok(outlook.collect())
}
