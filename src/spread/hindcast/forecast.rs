//! Rolling origins: what the model would have said, against saying that nothing changes.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::history::History;
use super::metric::Series;
use super::replay::{Known, Replay};

/// Days from one origin to the next.
const STRIDE_DAYS: usize = 7;

/// Days of record before the first origin.
const FIRST_DAYS: usize = 30;

/// Resamples for an interval, and origins that are drawn together because
/// their errors resemble each other.
const RESAMPLES: usize = 2_000;
const BLOCK: usize = 13;

/// Errors at one distance.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Horizon {
    /// Days ahead.
    pub days: usize,
    /// Origins.
    pub origins: usize,
    /// Mean absolute error of the model, percent.
    pub model_pct: f64,
    /// Mean absolute error of persistence, percent.
    pub persistence_pct: f64,
    /// Persistence less model, percentage points.
    pub gain_pp: f64,
    /// 5 % and 95 % of the gain, by resampling of blocks of origins.
    pub gain_interval_pp: [f64; 2],
}

/// Errors of forecasts from origins a week apart.
#[must_use]
pub fn forecast(replay: &Replay<'_>, history: &History, days: &[usize]) -> Vec<Horizon> {
    let observed = Series {
        first: history.network[0].day,
        values: history.network.iter().map(|day| day.hashrate_1d_ehs).collect(),
    }
    .weekly();
    let (first, last) = replay.origins();
    let longest = days.iter().copied().max().unwrap_or(0);
    let mut errors: Vec<Vec<(f64, f64)>> = vec![Vec::new(); days.len()];
    let mut origin = first + FIRST_DAYS as i32;
    while origin <= last {
        let ahead = longest.min((last - origin) as usize + 1);
        if let (Some(run), Some(now)) =
            (replay.free(origin, ahead, Known::UntilOrigin), observed.on(origin - 1))
        {
            for (at, &days) in days.iter().enumerate() {
                if days > ahead || days < 7 {
                    continue;
                }
                // The seven days that end `days` after the last day known.
                let model = run[days - 7..days].iter().map(|day| day.hashrate_ehs).sum::<f64>() / 7.0;
                if let Some(seen) = observed.on(origin + days as i32 - 1) {
                    errors[at].push(((model / seen - 1.0).abs(), (now / seen - 1.0).abs()));
                }
            }
        }
        origin = origin + STRIDE_DAYS as i32;
    }
    days.iter().zip(errors).map(|(&days, errors)| horizon(days, &errors)).collect()
}

fn horizon(days: usize, errors: &[(f64, f64)]) -> Horizon {
    let count = errors.len();
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| errors.iter().map(of).sum::<f64>() / count as f64 * 100.0;
    let gains: Vec<f64> = errors.iter().map(|(model, flat)| (flat - model) * 100.0).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(days as u64);
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let (mut sum, mut drawn) = (0.0, 0);
            while drawn < count {
                let from = rng.random_range(0..count);
                for step in 0..BLOCK.min(count - drawn) {
                    sum += gains[(from + step) % count];
                }
                drawn += BLOCK.min(count - drawn);
            }
            sum / count as f64
        })
        .collect();
    resampled.sort_by(f64::total_cmp);
    Horizon {
        days,
        origins: count,
        model_pct: mean(&|(model, _)| *model),
        persistence_pct: mean(&|(_, flat)| *flat),
        gain_pp: gains.iter().sum::<f64>() / count as f64,
        gain_interval_pp: [resampled[RESAMPLES / 20], resampled[RESAMPLES - RESAMPLES / 20]],
    }
}
