//! Fits some parameters to January-April 2021 and to 2022, and to nothing else.
//!
//! The loss is the mean absolute error in percent of the 7-day hashrate over
//! free runs inside those windows, told prices and events, plus for each target
//! of them its error over its tolerance, plus a price for leaving what a source or
//! judgement said: two windows are too little to overrule nine of those. The search draws points around the best
//! so far, in a box that shrinks; it is seeded, so it can be repeated. States of
//! 2022 follow the record through 2021, as those of any origin do; nothing of
//! May to December 2021 is in the loss.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::day::Day;
use super::super::history::History;
use super::super::inputs::Inputs;
use super::super::parameters::{Parameters, Provenance};
use super::card::{CardError, Value, card};
use super::metric::Series;
use super::replay::{Known, Replay};

/// What is fitted; everything else keeps what its source says.
pub const FITTED: [&str; 10] = [
    "initial_efficiency_j_per_th",
    "operation_usd_per_kwh",
    "reinvested",
    "rig_price_memory_days",
    "delivery_days",
    "idle_scrap_days",
    "cost_spread",
    "off_threshold",
    "on_threshold",
    "storm_curtailment",
];

/// First and last day of what may be looked at.
const WINDOWS: [(&str, &str); 2] = [("2021-01-10", "2021-04-30"), ("2022-01-01", "2022-12-31")];

/// Targets of those windows, with the error that counts as one.
const TARGETS: [(&str, &str, f64); 6] = [
    ("xinjiang_blackout", "hashrate drop", 6.0),
    ("price_crash_2022", "monthly mean", 4.0),
    ("price_crash_2022", "difficulty", 3.0),
    ("ftx", "difficulty", 3.0),
    ("elliott", "hashrate drop", 6.0),
    ("energy", "TWh", 9.5),
];

/// Days between origins, and of each run.
const STRIDE_DAYS: usize = 20;
const RUN_DAYS: usize = 90;

/// Loss for moving a parameter through its whole plausible range.
const PRIOR: f64 = 10.0;

/// How badly parameters do in the windows.
///
/// # Errors
/// As [`card`].
pub fn loss(inputs: &Inputs, history: &History, parameters: &Parameters) -> Result<f64, CardError> {
    let replay = Replay::new(inputs, history, parameters);
    let observed = Series {
        first: history.network[0].day,
        values: history.network.iter().map(|day| day.hashrate_1d_ehs).collect(),
    }
    .weekly();
    let (mut error, mut count) = (0.0, 0.0);
    for (from, to) in WINDOWS {
        let (from, to): (Day, Day) = (from.parse().expect("a date"), to.parse().expect("a date"));
        for origin in (from.0 + 14..to.0 - 6).step_by(STRIDE_DAYS) {
            let days = RUN_DAYS.min((to.0 - origin) as usize + 1);
            let Some(run) = replay.free(Day(origin), days, Known::Everything) else { continue };
            for end in 7..=run.len() {
                let model = run[end - 7..end].iter().map(|day| day.hashrate_ehs).sum::<f64>() / 7.0;
                if let Some(seen) = observed.on(Day(origin + end as i32 - 1)) {
                    error += (model / seen - 1.0).abs() * 100.0;
                    count += 1.0;
                }
            }
        }
    }
    let mut loss = error / count;
    for (target, metric, scale) in TARGETS {
        let scored = card(&replay, history, Some(target))?;
        for row in scored.rows.iter().filter(|row| row.metric.contains(metric) && row.window != "2021") {
            let missed = match (row.observed, row.model) {
                (Some(Value::Number(observed)), Some(Value::Number(model))) => (model - observed).abs(),
                _ => continue,
            };
            loss += missed / scale;
        }
    }
    let (mut tried, mut prior) = (parameters.clone(), inputs.prior.clone());
    for row in fitted(inputs) {
        let known = "a name of the table";
        let moved =
            tried.get_mut(&row.name).expect(known).to_owned() - *prior.get_mut(&row.name).expect(known);
        loss += PRIOR * (moved / (row.high - row.low)).powi(2);
    }
    Ok(loss)
}

fn fitted(inputs: &Inputs) -> impl Iterator<Item = &Provenance> {
    inputs.provenance.iter().filter(|row| FITTED.contains(&row.name.as_str()))
}

/// The fit: parameters, the loss before and after. `tell` hears of each step.
///
/// # Errors
/// As [`card`].
pub fn calibrate(
    inputs: &Inputs,
    history: &History,
    steps: usize,
    mut tell: impl FnMut(usize, f64),
) -> Result<(Parameters, f64, f64), CardError> {
    let mut rng = ChaCha8Rng::seed_from_u64(2022);
    let mut best = inputs.prior.clone();
    let before = loss(inputs, history, &best)?;
    let mut least = before;
    for step in 0..steps {
        let reach = 0.5 * 0.02_f64.powf(step as f64 / steps as f64);
        let mut tried = best.clone();
        for row in fitted(inputs) {
            let value = tried.get_mut(&row.name).expect("a name of the table");
            // Half of them stay, so that single effects are found.
            if rng.random_bool(0.5) {
                let moved = *value + rng.random_range(-1.0..1.0) * reach * (row.high - row.low);
                *value = moved.clamp(row.low, row.high);
            }
        }
        let found = loss(inputs, history, &tried)?;
        if found < least {
            (best, least) = (tried, found);
        }
        tell(step, least);
    }
    Ok((best, before, least))
}
