//! `adit spread`: where hashrate goes, and what its spread does to the network.

mod breakeven;
mod calibrate;
mod claim;
mod diff;
mod eras;
mod hindcast;
mod merge;
mod parallel;
mod run;
mod sensitivity;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::report::world::{PAGE_FILE, eras_page, page};
use crate::spread::Model;
use crate::spread::claim::Parameters;
use crate::spread::eras::findings::{Finder, Findings};
use crate::study::{Finished, Progress, StudyError};

/// Where hashrate goes, and what its spread does to the network.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  adit spread scenarios/today.toml --runs 20 --out out/today
  adit spread scenarios/today.toml --set region.ET.price_mid=0.065 --set reinvested=0.5
  adit spread hindcast                                   # how well it did on what happened
  adit spread claim                                      # does spreading make the network safer?
  adit spread scenarios/home-to-industry.toml            # who mined since 2009, by size of site
The folder has runs.parquet, summary.csv, manifest.json and report.html.
Exit 0: done; 2: a scenario or setting cannot be; 3: a file cannot be read or written."
)]
pub(super) struct Spread {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    run: run::Run,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Hold the model against what happened: targets, errors, noise, passes and misses
    Hindcast(hindcast::Hindcast),
    /// Does spreading mining over nations make the network safer, and from which hazard on not?
    Claim(claim::Claim),
    /// Which parameters does a result rest on?
    Sensitivity(sensitivity::Sensitivity),
    /// At what tariff does half of a region's hashrate leave?
    Breakeven(breakeven::Breakeven),
    /// Tell what differs between two studies
    Diff(diff::Diff),
    /// Join the parts of a study that --shard has made
    Merge(merge::Merge),
    /// Fit parameters to the windows that may be looked at
    Calibrate(calibrate::Calibrate),
}

impl Spread {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.what {
            None => self.run.run(),
            Some(What::Hindcast(hindcast)) => hindcast.run(),
            Some(What::Claim(claim)) => claim.run(),
            Some(What::Sensitivity(sensitivity)) => sensitivity.run(),
            Some(What::Breakeven(breakeven)) => breakeven.run(),
            Some(What::Diff(diff)) => diff.run(),
            Some(What::Merge(merge)) => merge.run(),
            Some(What::Calibrate(calibrate)) => calibrate.run(),
        }
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> impl FnMut(Progress) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}, {eta} left") {
        bar.set_style(style);
    }
    move |progress| {
        if bar.message() != progress.stage.name() {
            bar.reset();
            bar.set_message(progress.stage.name());
        }
        bar.set_length(progress.of);
        bar.set_position(progress.done);
        if progress.done == progress.of {
            bar.finish_and_clear();
        }
    }
}

/// The page of a whole study, and what was found for it.
struct Page {
    path: PathBuf,
    /// Of eras only.
    findings: Option<Findings>,
}

/// Makes the page of a whole study, and the tables of its findings.
fn write_page(finished: &mut Finished) -> Result<Page, Failure> {
    let folder = finished.folder().map_err(failure)?;
    let summary = folder.summary().map_err(failure)?;
    let (page, findings) = match folder.manifest().model {
        Model::World => (page(&summary, folder.manifest()), None),
        Model::Eras => {
            let (table, mut finder) = (folder.table().map_err(failure)?, Finder::default());
            for at in 0..table.runs().len() {
                finder.add(&table.record(at).map_err(failure)?);
            }
            let findings = finder.findings();
            finished.add("crossings.csv", findings.crossings_csv().as_bytes()).map_err(failure)?;
            finished.add("facts.csv", findings.facts_csv().as_bytes()).map_err(failure)?;
            (eras_page(&summary, folder.manifest(), &findings), Some(findings))
        }
    };
    let path = finished.add(PAGE_FILE, page.as_bytes()).map_err(failure)?;
    Ok(Page { path, findings })
}

/// What was asked for cannot be, or the machine cannot.
fn failure(error: StudyError) -> Failure {
    match error {
        StudyError::Plan(_) | StudyError::File { .. } => Failure::Usage(error.into()),
        StudyError::Run { .. }
        | StudyError::Record { .. }
        | StudyError::Write { .. }
        | StudyError::Read { .. } => Failure::surroundings(error),
    }
}

/// `NAME=VALUE` on the command line.
#[derive(Debug, Clone)]
struct Setting {
    name: String,
    value: f64,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is not NAME=VALUE such as depth_mean=0.5");
        let (name, value) = text.split_once('=').ok_or_else(wanted)?;
        Ok(Self { name: name.to_owned(), value: value.parse().map_err(|_| wanted())? })
    }
}

/// Applies settings in the order given.
fn apply(settings: &[Setting], parameters: &mut Parameters) -> Result<(), Failure> {
    for Setting { name, value } in settings {
        parameters
            .set(name, *value)
            .map_err(|error| Failure::Usage(anyhow::anyhow!("--set {name}: {error}")))?;
    }
    Ok(())
}

/// Rows as aligned columns; the first `left` of them begin on the left.
fn columns(left: usize, rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..count).map(|at| width_of(at).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            if at < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Cells of a row.
fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [cells(["name", "W"]), cells(["é", "1000"])];
        assert_eq!(columns(1, &rows), "name     W\né     1000");
    }

    #[test]
    fn a_setting_is_a_name_and_a_number() {
        let setting: Setting = "depth_mean=0.5".parse().unwrap();
        assert_eq!((setting.name.as_str(), setting.value), ("depth_mean", 0.5));
        assert!("depth_mean".parse::<Setting>().is_err() && "a=b".parse::<Setting>().is_err());
    }
}
