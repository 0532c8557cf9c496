//! The error card: each target beside the model, the noise, and persistence.

use super::super::day::Day;
use super::super::history::{History, Target};
use super::super::measure::{country_shares, hhi};
use super::metric::{Metric, Series, window};
use super::replay::{Free, Known, Replay};

/// Days before an event at which a free run begins, unless the window begins earlier.
const BEFORE_EVENT_DAYS: i32 = 14;

/// Days that a free run may take to recover.
const RUN_DAYS: usize = 420;

/// A measured or modelled value.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// In the unit of the metric.
    Number(f64),
    /// A date.
    Date(Day),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => f.pad(&format!("{number:.1}")),
            Self::Date(day) => f.pad(&day.to_string()),
        }
    }
}

/// A line of the card.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// The event or subject.
    pub target: String,
    /// When.
    pub window: String,
    /// What is measured.
    pub metric: String,
    /// What was measured; absent where the metric is an error itself.
    pub observed: Option<Value>,
    /// What the model says.
    pub model: Option<Value>,
    /// Model less observed; for an error metric the model's error.
    pub error: Option<f64>,
    /// Standard error of what was measured.
    pub noise: Option<f64>,
    /// The error of saying that nothing changes.
    pub baseline: Option<f64>,
    /// What counts as a pass.
    pub tolerance: String,
    /// Whether it is one.
    pub pass: bool,
    /// The first day on which the model ran free, or how else the value came to be.
    pub basis: String,
}

/// All lines, and what is to be known beside them.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Card {
    /// In the order of the targets.
    pub rows: Vec<Row>,
    /// Types of events in the record that do nothing as nobody knows them.
    pub unknown_types: Vec<String>,
}

/// A target that cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// What it measures is unknown.
    #[error("target `{target}`, {window}: the metric `{metric}` is unknown; known are: {known}", known = Metric::KNOWN)]
    Metric {
        /// Of the row.
        target: String,
        /// Of the row.
        window: String,
        /// Of the row.
        metric: String,
    },
    /// When it is measured cannot be read.
    #[error(
        "target `{target}`, {metric}: the window `{window}` is none; write 2021, 2022-01, 2021-05-30, or two of those with .. between"
    )]
    Window {
        /// Of the row.
        target: String,
        /// Of the row.
        window: String,
        /// Of the row.
        metric: String,
    },
    /// What counts as a pass cannot be read.
    #[error(
        "target `{target}`, {metric}: the tolerance `{tolerance}` is none; write +-5 pp, <= 8 %, or inside 80-104"
    )]
    Tolerance {
        /// Of the row.
        target: String,
        /// Of the row.
        metric: String,
        /// Of the row.
        tolerance: String,
    },
    /// The record does not reach as far.
    #[error("target `{target}`, {metric}: the record does not cover {window}; give a folder whose files do")]
    Beyond {
        /// Of the row.
        target: String,
        /// Of the row.
        window: String,
        /// Of the row.
        metric: String,
    },
}

/// Scores the targets, or those of one event.
///
/// # Errors
/// The first target that cannot be scored.
pub fn card(replay: &Replay<'_>, history: &History, event: Option<&str>) -> Result<Card, CardError> {
    let rows = history
        .targets
        .iter()
        .filter(|target| event.is_none_or(|event| target.target == event))
        .map(|target| Scoring { replay, history, target }.row())
        .collect::<Result<_, _>>()?;
    Ok(Card { rows, unknown_types: replay.unknown_types.clone() })
}

struct Scoring<'a> {
    replay: &'a Replay<'a>,
    history: &'a History,
    target: &'a Target,
}

/// Observed, model, and what persistence would say.
struct Scored {
    observed: Option<Value>,
    model: Option<Value>,
    baseline: Option<f64>,
    basis: String,
}

impl Scoring<'_> {
    fn row(&self) -> Result<Row, CardError> {
        let target = self.target;
        let Target { target: name, window: when, metric: what, .. } = target;
        let (name, when, what) = (name.clone(), when.clone(), what.clone());
        let Some(metric) = Metric::of(&what) else {
            return Err(CardError::Metric { target: name, window: when, metric: what });
        };
        // Some name the day in the window, some in the metric's observed value.
        let Some(days) = window(&when) else {
            return Err(CardError::Window { target: name, window: when, metric: what });
        };
        let Some(scored) = self.scored(metric, days) else {
            return Err(CardError::Beyond { target: name, window: when, metric: what });
        };
        // What the file says was measured counts; else the same measure on the record.
        let observed = self.given().or(scored.observed);
        let error = match (metric, observed, scored.model) {
            (Metric::Mape | Metric::ShareError, _, Some(Value::Number(model))) => Some(model),
            (_, Some(Value::Number(observed)), Some(Value::Number(model))) => Some(model - observed),
            (_, Some(Value::Date(observed)), Some(Value::Date(model))) => Some(f64::from(model - observed)),
            _ => None,
        };
        let Some(pass) = passes(metric, &target.tolerance, scored.model, error) else {
            return Err(CardError::Tolerance {
                target: name,
                metric: what,
                tolerance: target.tolerance.clone(),
            });
        };
        Ok(Row {
            target: name,
            window: when,
            metric: what,
            observed,
            model: scored.model,
            error,
            noise: target.noise,
            baseline: scored.baseline,
            tolerance: target.tolerance.clone(),
            pass,
            basis: scored.basis,
        })
    }

    fn given(&self) -> Option<Value> {
        let date = self.target.observed.trim().parse().ok().map(Value::Date);
        date.or_else(|| self.observed_number().map(Value::Number))
    }

    fn observed_number(&self) -> Option<f64> {
        self.target.observed.trim().trim_end_matches('%').trim().parse().ok()
    }

    fn scored(&self, metric: Metric, (from, to): (Day, Day)) -> Option<Scored> {
        let number = |observed: Option<f64>, model: Option<f64>, baseline: Option<f64>, basis: String| {
            Some(Scored {
                observed: observed.map(Value::Number),
                model: model.map(Value::Number),
                baseline,
                basis,
            })
        };
        let given = self.observed_number();
        match metric {
            Metric::Energy | Metric::Hhi | Metric::Efficiency | Metric::Hashprice | Metric::Hashrate => {
                let days = self.replayed(from, to)?;
                let mean = |of: &dyn Fn(&Free) -> f64| days.iter().map(of).sum::<f64>() / days.len() as f64;
                let model = match metric {
                    Metric::Energy => mean(&|day| day.today.power_mw.iter().sum::<f64>() * 8_766.0 / 1e6),
                    Metric::Hhi => mean(&|day| hhi(&self.shares(day))),
                    Metric::Efficiency => mean(&|day| day.today.machine_mw / day.hashrate_ehs),
                    Metric::Hashprice => mean(&|day| day.today.hashprice * 1e3),
                    _ => mean(&|day| day.hashrate_ehs),
                };
                let basis = "hashrate follows the record".to_owned();
                let first = self.replay.days.first()?;
                let at_first = match metric {
                    Metric::Hhi => Some(hhi(&self.shares(first))),
                    Metric::Efficiency => Some(first.today.machine_mw / first.hashrate_ehs),
                    _ => None,
                };
                let baseline = at_first.zip(given).map(|(first, given)| first - given);
                number(given, Some(model), baseline, basis)
            }
            Metric::HydroSwing => {
                let swing = self.hydro_swing(from);
                let basis =
                    "shares of the nearest table, the season's moves, weather of a mean year".to_owned();
                number(given, Some(swing), given.map(|given| -given), basis)
            }
            Metric::ShareError => self.share_error(from, to),
            Metric::DifficultyChange => {
                let (origin, run) = self.free(from, to)?;
                let epoch = self.history.epochs.iter().find(|epoch| (epoch.began.0 - from).abs() <= 1)?;
                let observed = epoch.change_pct.or(given)?;
                let height = f64::from(epoch.height);
                let day = run.iter().find(|day| day.height >= height)?;
                let model = (day.last_change - 1.0) * 100.0;
                number(Some(observed), Some(model), Some(-observed), basis_of(origin))
            }
            _ => {
                let (origin, run) = self.free(from, to)?;
                self.of_hashrate(metric, (from, to), origin, &run)
            }
        }
    }

    /// Metrics of the hashrate alone: both worlds through the same measure.
    fn of_hashrate(
        &self,
        metric: Metric,
        (from, to): (Day, Day),
        origin: Day,
        run: &[Free],
    ) -> Option<Scored> {
        let observed = Series {
            first: self.history.network.first()?.day,
            values: self.history.network.iter().map(|day| day.hashrate_1d_ehs).collect(),
        };
        let model = self.joined(origin, run);
        let (observed_week, model_week) = (observed.weekly(), model.weekly());
        // Years are cut to the event's own days.
        let from = from.max(origin);
        let to = to.min(origin + run.len() as i32 - 1);
        let basis = basis_of(origin);
        let number = |observed: Option<f64>, model: Option<f64>, baseline: Option<f64>| {
            Some(Scored {
                observed: observed.map(Value::Number),
                model: model.map(Value::Number),
                baseline,
                basis: basis.clone(),
            })
        };
        match metric {
            Metric::Mape => {
                let flat = observed_week.on(origin - 1)?;
                let (mut error, mut of_flat, mut count) = (0.0, 0.0, 0.0);
                for day in from.0..=to.0 {
                    let seen = observed_week.on(Day(day))?;
                    error += (model_week.on(Day(day))? / seen - 1.0).abs();
                    of_flat += (flat / seen - 1.0).abs();
                    count += 1.0;
                }
                number(None, Some(error / count * 100.0), Some(of_flat / count * 100.0))
            }
            Metric::Trough => {
                let fall = |series: &Series| {
                    let ((_, peak), (_, trough)) = series.peak_and_trough(from, to)?;
                    Some((trough / peak - 1.0) * 100.0)
                };
                let observed = fall(&observed_week)?;
                number(Some(observed), fall(&model_week), Some(-observed))
            }
            Metric::TroughDate => {
                let day =
                    |series: &Series| series.peak_and_trough(from, to).map(|(_, (day, _))| Value::Date(day));
                Some(Scored { observed: day(&observed_week), model: day(&model_week), baseline: None, basis })
            }
            Metric::DaysTo(percent) => {
                let days = |series: &Series| {
                    let ((_, peak), (trough, _)) = series.peak_and_trough(from, to)?;
                    let wanted = peak * f64::from(percent) / 100.0;
                    let until = series.first + series.values.len() as i32;
                    (trough.0..until.0)
                        .find(|day| series.on(Day(*day)).is_some_and(|value| value >= wanted))
                        .map(|day| f64::from(day - trough.0))
                };
                number(days(&observed_week), days(&model_week), None)
            }
            Metric::Drop | Metric::NoDrop => {
                let seen = observed.change(from, to)?;
                number(Some(seen), model.change(from, to), Some(-seen))
            }
            Metric::MonthlyChange => {
                let change = |series: &Series| {
                    let first = window(&from.to_string()[..7])?;
                    let last = window(&to.to_string()[..7])?;
                    Some((series.mean(last.0, last.1)? / series.mean(first.0, first.1)? - 1.0) * 100.0)
                };
                let seen = change(&observed)?;
                number(Some(seen), change(&model), Some(-seen))
            }
            _ => None,
        }
    }

    /// The replay before the origin, the free run from it.
    fn joined(&self, origin: Day, run: &[Free]) -> Series {
        let before = self.replay.days.iter().take_while(|day| day.day < origin);
        Series {
            first: self.replay.world.start,
            values: before.chain(run).map(|day| day.hashrate_ehs).collect(),
        }
    }

    /// A run that begins before the event, or before the window.
    fn free(&self, from: Day, to: Day) -> Option<(Day, Vec<Free>)> {
        let mut origin = from;
        let of_event = |target: &&Target| target.target == self.target.target;
        if let Some(event) = self.history.events.iter().find(|event| event.id == self.target.target) {
            origin = event.start - BEFORE_EVENT_DAYS;
            // All lines of an event come of one run.
            let dated = self.history.targets.iter().filter(of_event).filter(|target| target.window.len() > 7);
            for (from, _) in dated.filter_map(|target| window(&target.window)) {
                origin = origin.min(from);
            }
        }
        let (first, last) = self.replay.origins();
        if origin < first || origin > last || from > last + 1 {
            return None;
        }
        let days = RUN_DAYS.max((to - origin) as usize + 1);
        Some((origin, self.replay.free(origin, days, Known::Everything)?))
    }

    fn replayed(&self, from: Day, to: Day) -> Option<&[Free]> {
        let start = self.replay.world.start;
        // A year of which the first days are missing is still the year.
        let first = usize::try_from((from - start).max(0)).ok()?;
        let last = usize::try_from(to - start).ok()?;
        if from - start < -15 { None } else { self.replay.days.get(first..=last) }
    }

    fn shares(&self, day: &Free) -> Vec<(String, f64)> {
        country_shares(&self.replay.world, &day.today.hashrate_ths)
    }

    /// Countries that the record has in both months, each against the model's
    /// change of share; where the first is missing, the second's level.
    fn share_error(&self, from: Day, to: Day) -> Option<Scored> {
        let month = |day: Day| day.to_string()[..7].to_owned();
        let at = |date: &str, iso3: &str| {
            self.history
                .shares
                .iter()
                .find(|row| row.date == date && row.iso3 == iso3)
                .map(|row| row.share_pct)
        };
        let (first, last) = (month(from), month(to));
        let origin = window(&first)?.1;
        let run = self.replay.free(origin, (to - origin) as usize + 1, Known::Everything)?;
        let days: Vec<&Free> = run.iter().filter(|day| month(day.day) == last).collect();
        let mut model: std::collections::BTreeMap<String, f64> = std::collections::BTreeMap::new();
        for day in &days {
            for (iso3, share) in self.shares(day) {
                *model.entry(iso3).or_default() += share * 100.0 / days.len() as f64;
            }
        }
        let before = self.shares(run.first()?);
        let before = |iso3: &str| {
            before.iter().find(|(other, _)| other == iso3).map_or(0.0, |(_, share)| share * 100.0)
        };
        // The countries of the first month, and those of the second that are larger than 1 %.
        let mut countries: Vec<&str> = self
            .history
            .shares
            .iter()
            .filter(|row| row.date == last && (row.share_pct > 1.0 || at(&first, &row.iso3).is_some()))
            .map(|row| row.iso3.as_str())
            .collect();
        countries.dedup();
        let (mut error, mut flat) = (0.0, 0.0);
        let mut told = Vec::new();
        for iso3 in &countries {
            let seen = at(&last, iso3)?;
            let says = model.get(*iso3).copied().unwrap_or(0.0);
            error += (says - seen).abs();
            flat += (before(iso3) - seen).abs();
            told.push(format!("{iso3} {says:.1} ({seen:.1})"));
        }
        let count = countries.len() as f64;
        Some(Scored {
            observed: None,
            model: (count > 0.0).then_some(Value::Number(error / count)),
            baseline: Some(flat / count),
            basis: format!("{}; model (observed): {}", basis_of(origin), told.join(", ")),
        })
    }

    /// Highest less lowest monthly part of hydro in the network's power, percentage points.
    fn hydro_swing(&self, start: Day) -> f64 {
        let months = self.replay.hydro_by_month(start);
        let highest = months.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lowest = months.iter().copied().fold(f64::INFINITY, f64::min);
        (highest - lowest) * 100.0
    }
}

fn basis_of(origin: Day) -> String {
    format!("free from {origin}")
}

/// Whether a tolerance in words is kept; `None` if it cannot be read.
fn passes(metric: Metric, tolerance: &str, model: Option<Value>, error: Option<f64>) -> Option<bool> {
    let text = tolerance.trim();
    let number_of = |text: &str| {
        let digits: String =
            text.trim().chars().take_while(|c| c.is_ascii_digit() || *c == '.' || *c == '-').collect();
        digits.parse::<f64>().ok()
    };
    let number = |value: Option<Value>| match value {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    };
    if let Some(within) = text.strip_prefix("+-") {
        let within = number_of(within)?;
        return Some(error.is_some_and(|error| error.abs() <= within));
    }
    if let Some(inside) = text.strip_prefix("inside ") {
        let (low, high) = inside.split_once('-')?;
        let (low, high) = (number_of(low)?, number_of(high)?);
        return Some(number(model).is_some_and(|model| (low..=high).contains(&model)));
    }
    let (_, most) = text.split_once("<=")?;
    let most = number_of(most)?;
    let value = match metric {
        // A drop is negative.
        Metric::NoDrop | Metric::Drop => number(model).map(|model| -model),
        Metric::Mape | Metric::ShareError => number(model),
        _ => error.map(f64::abs),
    };
    Some(value.is_some_and(|value| value <= most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances_in_words() {
        fn check(metric: Metric, tolerance: &str, model: f64, error: f64, wanted: Option<bool>) {
            assert_eq!(
                passes(metric, tolerance, Some(Value::Number(model)), Some(error)),
                wanted,
                "{tolerance}"
            );
        }
        check(Metric::Trough, "+-5 pp", -50.0, 3.1, Some(true));
        check(Metric::Trough, "+-5 pp", -40.0, 13.1, Some(false));
        check(Metric::Mape, "<= 8% fitted, <= 12% pre-registered", 8.1, 8.1, Some(false));
        check(Metric::Mape, "<= 8% fitted, <= 12% pre-registered", 7.9, 7.9, Some(true));
        check(Metric::NoDrop, "model drop <= 10%", -1.7, 0.0, Some(true));
        check(Metric::NoDrop, "model drop <= 10%", -17.0, 0.0, Some(false));
        check(Metric::Energy, "inside 80-104", 80.0, 0.0, Some(true));
        check(Metric::Energy, "inside 80-104", 79.0, 0.0, Some(false));
        check(Metric::Energy, "close", 79.0, 0.0, None);
    }
}
