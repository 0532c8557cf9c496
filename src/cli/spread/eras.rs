//! The eras behind `adit spread SCENARIO`: a scenario made ready, its guesses ranked, its findings told.

use super::super::Failure;
use super::run::{GUESSES_MAX, Prepared, usage};
use super::{cells, columns};
use crate::energy::Status;
use crate::spread::eras::findings::{Crossing, Findings, falls_below, verdict};
use crate::spread::eras::inputs::{CLASSES, FILES, Inputs, Number};
use crate::spread::eras::{Ready, middle, run};
use crate::spread::scenario::Source;
use crate::spread::{Day, Model};
use crate::study::Guess;

/// A share of homes below which guesses are ranked by when it was: it is a small part, and not yet noise.
const RANKED_BY: f64 = 0.1;

pub(super) fn prepare(source: Source<'_>, seed: u64) -> Result<Prepared, Failure> {
    let ready = Ready::of(source).map_err(usage)?;
    let shares = CLASSES.iter().map(|(code, _)| ((*code).to_owned(), "share"));
    Ok(Prepared {
        model: Model::Eras,
        title: ready.scenario.title.clone(),
        end: ready.scenario.end,
        data: FILES.to_vec(),
        places: Vec::new(),
        guesses: guesses(source)?,
        shown: shares.collect(),
        run: Box::new(move |number| run(&ready, seed, number)),
    })
}

/// The numbers nobody knows, by how much each moves the month in which homes fell below a tenth.
fn guesses(source: Source<'_>) -> Result<Vec<Guess>, Failure> {
    let unknown = |number: &&Number| {
        matches!(number.status, Status::Guess | Status::Recalled) && number.low < number.high
    };
    // Below a tenth, and what homes and industry have in the end; a study that ends before is its end.
    let end = |number: &Number, value: f64| -> Result<(Day, f64, f64), Failure> {
        let sets: Vec<String> =
            source.sets.iter().cloned().chain([format!("{}={value:?}", number.key())]).collect();
        let ready = Ready::of(Source { sets: &sets, ..source }).map_err(usage)?;
        let record = middle(&ready);
        let share =
            |class: usize| record.regional_series("share", class).last().map_or(0.0, |(_, share)| share);
        let day = falls_below(&record, CLASSES[0].0, RANKED_BY).unwrap_or(ready.scenario.end);
        Ok((day, share(0), share(CLASSES.len() - 1)))
    };
    let mut effects = Vec::new();
    let known = Ready::of(source).map_err(usage)?;
    let free = |number: &&Number| !known.sets(number);
    for number in Inputs::embedded().numbers.iter().filter(unknown).filter(free) {
        let (low, high) = (end(number, number.low)?, end(number, number.high)?);
        let months = f64::from(high.0 - low.0) / 30.44;
        let (homes, industry) = ((high.1 - low.1) * 100.0, (high.2 - low.2) * 100.0);
        let why = format!(
            "{}; from least to most: homes below a tenth {months:+.0} months, at the end homes {homes:+.2} and industry {industry:+.1} points",
            number.source
        );
        let guess = Guess {
            what: number.key(),
            value: format!("{} ({} to {}) {}", number.value, number.low, number.high, number.unit),
            why,
        };
        // A year weighs as much as ten points of industry.
        effects.push((months.abs() / 12.0 + industry.abs() / 10.0, guess));
    }
    effects.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(effects.into_iter().take(GUESSES_MAX).map(|(_, guess)| guess).collect())
}

/// When homes fell below shares, and the model against facts, for a terminal.
pub(super) fn card(findings: &Findings) -> String {
    let mut rows = vec![cells(["homes have less than", "runs", "5 %", "median", "95 %"])];
    for Crossing { threshold, months, crossed } in &findings.crossings {
        let [p05, p50, p95] = months.map(|day| day.map_or_else(|| "not yet".to_owned(), month));
        rows.push(vec![
            format!("{} %", threshold * 100.0),
            format!("{:.0} %", crossed * 100.0),
            p05,
            p50,
            p95,
        ]);
    }
    let crossings = columns(1, &rows);
    let mut rows = vec![cells(["held against what is known", "known", "model", "5 to 95 % of runs", ""])];
    for scored in &findings.card {
        let (low, high) = scored.fact.range;
        let number = |value: f64| format!("{}", format!("{value:.2e}").parse::<f64>().unwrap_or(value));
        let (model, band) = match scored.model {
            Some(band) => (number(band.p50), format!("{} to {}", number(band.p05), number(band.p95))),
            None => ("–".to_owned(), String::new()),
        };
        let known = format!("{} to {}", number(low), number(high));
        rows.push(vec![scored.fact.what.clone(), known, model, band, verdict(scored.passes()).to_owned()]);
    }
    let passes = findings.card.iter().filter(|scored| scored.passes() == Some(true)).count();
    format!("{crossings}\n\n{}\n{passes} of {} pass", columns(1, &rows), findings.card.len())
}

/// `2013-06`.
fn month(day: Day) -> String {
    day.to_string()[..7].to_owned()
}
