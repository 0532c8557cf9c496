//! What a study of the eras finds: when homes fell below a share, and how the model stands
//! against what is known. Misses are told as loudly as passes.

use super::super::day::Day;
use super::super::record::Record;
use super::inputs::{CLASSES, Fact, Inputs, Month, Take};

/// Shares below which homes fall.
pub const THRESHOLDS: [f64; 3] = [0.5, 0.1, 0.01];

/// Quantiles over the runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// A run in twenty is below.
    pub p05: f64,
    /// Half of the runs are below.
    pub p50: f64,
    /// A run in twenty is above.
    pub p95: f64,
}

impl Band {
    /// Of numbers, infinite ones among them; `None` of none.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        // The nearest rank: a month that never came lies beside no other.
        let at = |part: f64| values[(part * last as f64).round() as usize];
        Some(Self { p05: at(0.05), p50: at(0.5), p95: at(0.95) })
    }
}

/// When homes fell below a share for good.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// The share.
    pub threshold: f64,
    /// First month of being below, over the runs; `None` is later than the study.
    pub months: [Option<Day>; 3],
    /// Part of the runs that fell below it.
    pub crossed: f64,
}

/// A fact and what the runs say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored<'a> {
    /// What is known.
    pub fact: &'a Fact,
    /// What the model says; `None` where the study does not have those months.
    pub model: Option<Band>,
}

impl Scored<'_> {
    /// Whether the median is what the source allows.
    #[must_use]
    pub fn passes(&self) -> Option<bool> {
        let (low, high) = self.fact.range;
        self.model.map(|band| (low..=high).contains(&band.p50))
    }
}

/// What a study finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// By threshold.
    pub crossings: Vec<Crossing>,
    /// By fact.
    pub card: Vec<Scored<'static>>,
}

/// Numbers of runs, of which findings are made.
#[derive(Debug, Default)]
pub struct Finder {
    crossings: Vec<[f64; THRESHOLDS.len()]>,
    facts: Vec<Vec<f64>>,
}

impl Finder {
    /// Takes a run in.
    pub fn add(&mut self, record: &Record) {
        self.crossings.push(THRESHOLDS.map(|threshold| match falls_below(record, CLASSES[0].0, threshold) {
            Some(day) => f64::from(day.0),
            None => f64::INFINITY,
        }));
        self.facts.push(Inputs::embedded().facts.iter().map(|fact| value_of(fact, record)).collect());
    }

    /// What the runs say together.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let crossing = |(at, &threshold): (usize, &f64)| {
            let days: Vec<f64> = self.crossings.iter().map(|run| run[at]).collect();
            let crossed = days.iter().filter(|day| day.is_finite()).count() as f64 / days.len() as f64;
            let day = |day: f64| day.is_finite().then_some(Day(day as i32));
            let months =
                Band::of(days).map_or([None; 3], |band| [day(band.p05), day(band.p50), day(band.p95)]);
            Crossing { threshold, months, crossed }
        };
        let scored = |(at, fact): (usize, &'static Fact)| {
            let values = self.facts.iter().map(|run| run[at]).collect();
            Scored { fact, model: Band::of(values) }
        };
        Findings {
            crossings: THRESHOLDS.iter().enumerate().map(crossing).collect(),
            card: Inputs::embedded().facts.iter().enumerate().map(scored).collect(),
        }
    }
}

/// The first month from which on the part never has `threshold` of the hashrate again.
#[must_use]
pub fn falls_below(record: &Record, code: &str, threshold: f64) -> Option<Day> {
    let at = record.regions.iter().position(|region| region.as_str() == code)?;
    let shares: Vec<(Day, f64)> = record.regional_series("share", at).collect();
    let last_above = shares.iter().rposition(|(_, share)| *share >= threshold);
    let first = last_above.map_or(0, |at| at + 1);
    shares.get(first).map(|(day, _)| *day)
}

/// What a run says of a fact; NaN where it does not have all of its months.
fn value_of(fact: &Fact, record: &Record) -> f64 {
    let (from, to) = fact.months;
    let has = |month: Month| record.days.contains(&month.first_day());
    if !(has(from) && has(to)) {
        return f64::NAN;
    }
    let inside = |series: &mut dyn Iterator<Item = (Day, f64)>| -> f64 {
        let values: Vec<f64> = series
            .filter(|(day, _)| (from..=to).contains(&Month::of(*day)))
            .map(|(_, value)| value)
            .collect();
        match fact.take {
            Take::Mean => values.iter().sum::<f64>() / values.len() as f64,
            Take::Max => values.iter().copied().fold(f64::NAN, f64::max),
        }
    };
    let places = fact.places.iter().map(|place| {
        match record.regions.iter().position(|region| region.as_str() == place) {
            Some(at) => inside(&mut record.regional_series(&fact.variable, at)),
            None => inside(&mut record.world_series(&fact.variable)),
        }
    });
    places.sum()
}

impl Findings {
    /// `crossings.csv`: by threshold, months over the runs; empty is later than the study.
    #[must_use]
    pub fn crossings_csv(&self) -> String {
        let mut text = String::from("class,below_share,p05_month,p50_month,p95_month,runs_below\n");
        for Crossing { threshold, months, crossed } in &self.crossings {
            let [p05, p50, p95] = months.map(|day| day.map_or_else(String::new, |day| day.to_string()));
            text += &format!("{},{threshold},{p05},{p50},{p95},{crossed}\n", CLASSES[0].0);
        }
        text
    }

    /// `facts.csv`: by fact, what the source allows and what the model says.
    #[must_use]
    pub fn facts_csv(&self) -> String {
        let mut text = String::from("what,low,high,p05,p50,p95,verdict\n");
        for scored in &self.card {
            let (low, high) = scored.fact.range;
            let numbers = scored.model.map_or_else(
                || ",,".to_owned(),
                |band| [band.p05, band.p50, band.p95].map(|value| format!("{value:.4e}")).join(","),
            );
            let verdict = verdict(scored.passes());
            text +=
                &format!("\"{}\",{low},{high},{numbers},{verdict}\n", scored.fact.what.replace('"', "\"\""));
        }
        text
    }
}

/// For people: misses stand out.
#[must_use]
pub fn verdict(passes: Option<bool>) -> &'static str {
    match passes {
        Some(true) => "pass",
        Some(false) => "MISS",
        None => "not in this study",
    }
}
