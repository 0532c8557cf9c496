//! `adit spread hindcast`: the model held against what happened.

use std::path::PathBuf;

use clap::Args;

use super::super::{Failure, print};
use super::{cells, columns};
use crate::energy::DataFile;
use crate::spread::hindcast::{Card, Horizon, Replay, card, forecast};
use crate::spread::history::{History, HistoryFiles};
use crate::spread::inputs::Inputs;

/// How far ahead forecasts are scored, days.
const AHEAD_DAYS: [usize; 3] = [30, 90, 180];

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit spread hindcast
  adit spread hindcast --event china_ban
  adit spread hindcast --json | jq '.[] | select(.pass | not)'
  adit spread hindcast --data measured-later/        # the same files, with later years
Parameters are those of data/calibration.toml, fitted to January-April 2021 and 2022 only.
Exit 0: every target is hit; 1: some are missed; 2: a file or target cannot be used.")]
pub(super) struct Hindcast {
    /// Only the targets of this event: china-ban, ftx, elliott ...
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// A folder of history: btc_daily_network.csv and the others of data/history/
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the rows as JSON
    #[arg(long)]
    json: bool,
}

/// The texts of a folder, in the order of [`HistoryFiles::NAMES`].
fn texts(dir: &std::path::Path) -> Result<Vec<(String, String)>, Failure> {
    HistoryFiles::NAMES
        .iter()
        .map(|name| {
            let path = dir.join(name);
            let shown = path.display().to_string();
            std::fs::read_to_string(&path).map(|text| (shown.clone(), text)).map_err(|error| {
                Failure::Usage(anyhow::anyhow!(
                    "cannot read {shown}: {error}; --data wants a folder with {}",
                    HistoryFiles::NAMES.join(", ")
                ))
            })
        })
        .collect()
}

/// The history of a folder, or the one built in.
pub(super) fn history(data: Option<&PathBuf>) -> Result<History, Failure> {
    let usage = |error| Failure::Usage(anyhow::Error::new(error));
    let history = match data {
        None => History::read(HistoryFiles::embedded()).map_err(usage)?,
        Some(dir) => {
            let texts = texts(dir)?;
            let file = |at: usize| DataFile { name: &texts[at].0, text: &texts[at].1 };
            let files = HistoryFiles {
                network: file(0),
                epochs: file(1),
                price: file(2),
                events: file(3),
                shares: file(4),
                targets: file(5),
            };
            History::read(files).map_err(usage)?
        }
    };
    if history.network.len() < 30 {
        return Err(Failure::Usage(anyhow::anyhow!(
            "the record has {} days; the least is 30",
            history.network.len()
        )));
    }
    Ok(history)
}

impl Hindcast {
    pub(super) fn run(self) -> Result<(), Failure> {
        let history = history(self.data.as_ref())?;
        let inputs = Inputs::embedded();
        let replay = Replay::new(inputs, &history, &inputs.parameters);
        // Both ways of writing an event's name.
        let event = self.event.as_ref().map(|event| event.replace('-', "_"));
        if let Some(event) = &event
            && !history.targets.iter().any(|target| target.target == *event)
        {
            let mut known: Vec<&str> = history.targets.iter().map(|target| target.target.as_str()).collect();
            known.dedup();
            return Err(Failure::Usage(anyhow::anyhow!(
                "--event {event}: no target is of it; try one of {}",
                known.join(", ")
            )));
        }
        let card = card(&replay, &history, event.as_deref()).map_err(|error| Failure::Usage(error.into()))?;
        let missed = card.rows.iter().filter(|row| !row.pass).count();
        if self.json {
            print(serde_json::to_string_pretty(&card.rows).map_err(Failure::surroundings)?);
        } else {
            print(table(&card));
            if event.is_none() {
                print(format_args!("\n{}", outlook(&forecast(&replay, &history, &AHEAD_DAYS))));
            }
            for kind in &card.unknown_types {
                print(format_args!(
                    "note: nobody knows what an event of type `{kind}` does; it does nothing"
                ));
            }
            print(format_args!(
                "\n{} of {} targets hit, {missed} MISSED",
                card.rows.len() - missed,
                card.rows.len()
            ));
        }
        if missed == 0 { Ok(()) } else { Err(Failure::No) }
    }
}

fn table(card: &Card) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    let value = |value: Option<crate::spread::hindcast::Value>| {
        value.map_or_else(|| "-".to_owned(), |value| value.to_string())
    };
    let mut rows = vec![cells([
        "target",
        "window",
        "metric",
        "tolerance",
        "",
        "observed",
        "model",
        "error",
        "noise",
        "baseline",
    ])];
    for row in &card.rows {
        rows.push(vec![
            row.target.clone(),
            row.window.clone(),
            row.metric.clone(),
            row.tolerance.clone(),
            if row.pass { "pass" } else { "MISS" }.to_owned(),
            value(row.observed),
            value(row.model),
            number(row.error),
            number(row.noise),
            number(row.baseline),
        ]);
    }
    columns(5, &rows)
}

fn outlook(horizons: &[Horizon]) -> String {
    let mut rows = vec![cells([
        "forecast, days ahead",
        "origins",
        "model %",
        "persistence %",
        "better by, points",
        "5 % to 95 %",
    ])];
    for horizon in horizons {
        let [low, high] = horizon.gain_interval_pp;
        rows.push(vec![
            horizon.days.to_string(),
            horizon.origins.to_string(),
            format!("{:.1}", horizon.model_pct),
            format!("{:.1}", horizon.persistence_pct),
            format!("{:.1}", horizon.gain_pp),
            format!("{low:.1} to {high:.1}"),
        ]);
    }
    columns(1, &rows)
}
