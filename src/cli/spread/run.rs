//! `adit spread SCENARIO`: runs a scenario many times, and writes tables and a page.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{Failure, print};
use super::parallel::Stop;
use super::{bar, cells, columns, failure, write_page};
use crate::energy::{DataFile, Status};
use crate::spread::inputs::{FILES, Inputs};
use crate::spread::parameters::Provenance;
use crate::spread::run::run;
use crate::spread::scenario::{Ready, ScenarioError, Source};
use crate::spread::{Day, Model, Record, eras};
use crate::study::{self, Guess, Place, Plan, Shard, WORLD_LABEL, country_label};

/// Guesses that a page lists.
pub(super) const GUESSES_MAX: usize = 15;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// A scenario: a TOML file such as scenarios/today.toml
    pub(super) scenario: Option<PathBuf>,
    /// How many times: each draws its own prices, blocks and bans
    #[arg(long, default_value_t = 20, value_name = "N")]
    runs: u32,
    /// Where all chance begins; the same seed gives the same files
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Change something of the scenario, a region or a parameter: region.ET.price_mid=0.065
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The folder for the files; without it out/ and the scenario's name
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do the I-th of N parts of the runs; `adit spread merge` joins them
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,
    /// Threads; results do not depend on them
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// A scenario read from a file, ready to run, and its text.
pub(super) fn ready(path: &Path, sets: &[String]) -> Result<(Ready, String), Failure> {
    let (name, text) = (path.display().to_string(), text_of(path)?);
    let ready = Ready::of(Source { file: &name, text: &text, sets }, Inputs::embedded()).map_err(usage)?;
    Ok((ready, text))
}

fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let name = path.display();
        Failure::Usage(anyhow::anyhow!(
            "cannot read the scenario {name}: {error}; try one of scenarios/*.toml"
        ))
    })
}

pub(super) fn usage(error: ScenarioError) -> Failure {
    Failure::Usage(anyhow::Error::new(error))
}

/// What a model makes of a scenario.
pub(super) struct Prepared {
    pub model: Model,
    pub title: String,
    pub end: Day,
    pub data: Vec<DataFile<'static>>,
    pub places: Vec<Place>,
    pub guesses: Vec<Guess>,
    /// Region and variable of the numbers that are printed beside the network's.
    pub shown: Vec<(String, &'static str)>,
    /// The run of a number.
    pub run: Box<dyn Fn(u32) -> Record + Sync>,
}

/// The fleets of regions.
fn world(path: &Path, sets: &[String], seed: u64) -> Result<Prepared, Failure> {
    let (ready, _) = ready(path, sets)?;
    let countries = ["USA", "RUS", "CHN", "PRY", "ETH", "ARE", "KAZ"];
    Ok(Prepared {
        model: Model::World,
        title: ready.scenario.title.clone(),
        end: ready.scenario.end,
        data: FILES.to_vec(),
        places: ready.world.places.iter().map(|place| Place::from(&*place.region)).collect(),
        guesses: guesses(path, sets, seed)?,
        shown: countries.iter().map(|iso3| (country_label(iso3), "share")).collect(),
        run: Box::new(move |number| run(&ready, seed, number)),
    })
}

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Some(path) = &self.scenario else {
            return Err(Failure::Usage(anyhow::anyhow!(
                "say what to run: a scenario such as scenarios/today.toml, or one of the commands of adit spread --help"
            )));
        };
        let text = text_of(path)?;
        let file = path.display().to_string();
        let source = Source { file: &file, text: &text, sets: &self.set };
        let prepared = if eras::reads(source).map_err(usage)? {
            super::eras::prepare(source, self.seed)?
        } else {
            world(path, &self.set, self.seed)?
        };
        let name = path
            .file_stem()
            .map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&name));
        let text = if self.set.is_empty() {
            text
        } else {
            format!("{text}\n# --set {}\n", self.set.join(" --set "))
        };
        let plan = Plan {
            model: prepared.model,
            scenario: study::Scenario { name, text },
            seed: self.seed,
            runs: self.runs,
            shard: self.shard,
            threads: self
                .threads
                .unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
            out: out.clone(),
            data: prepared.data.iter().map(|file| (file.name.to_owned(), file.text.to_owned())).collect(),
            places: prepared.places,
            guesses: prepared.guesses,
        };
        let stop = Stop::listen()?;
        let mut finished =
            study::run(&plan, stop.flag(), bar(), |number| Ok::<_, Infallible>((prepared.run)(number)))
                .map_err(failure)?;
        let page = if self.shard.is_whole() { Some(write_page(&mut finished)?) } else { None };
        let manifest = finished.manifest();
        if self.json {
            print(serde_json::json!({
                "out": out, "runs": manifest.runs_done, "complete": manifest.is_complete(), "outputs": manifest.outputs
            }));
            return Ok(());
        }
        if self.shard.is_whole() {
            let summary = finished.folder().map_err(failure)?.summary().map_err(failure)?;
            print(format_args!("{}: {} runs to {}\n", prepared.title, manifest.runs_done, prepared.end));
            let mut rows = vec![cells(["on the last day", "region", "5 %", "median", "95 %"])];
            let shown = prepared
                .model
                .world()
                .iter()
                .map(|variable| (WORLD_LABEL, variable.name))
                .chain(prepared.shown.iter().map(|(region, variable)| (region.as_str(), *variable)));
            for (region, variable) in shown {
                if let Some(stats) = summary.find(region, variable).and_then(|series| series.stats.last()) {
                    rows.push(vec![
                        variable.to_owned(),
                        region.to_owned(),
                        number(stats.p05),
                        number(stats.p50),
                        number(stats.p95),
                    ]);
                }
            }
            print(columns(2, &rows));
            if let Some(findings) = page.as_ref().and_then(|page| page.findings.as_ref()) {
                print(format_args!("\n{}", super::eras::card(findings)));
            }
        }
        match page {
            Some(page) => print(format_args!("\npage: {}", page.path.display())),
            None => print(format_args!(
                "part {} of {}: {} runs in {}",
                self.shard,
                self.runs,
                manifest.runs_done,
                out.display()
            )),
        }
        if !manifest.is_complete() {
            print("stopped early: what was done is stored");
        }
        Ok(())
    }
}

/// Four digits behind the point, or four in all of what is less than a hundredth.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.01 {
        return format!("{value:.3e}");
    }
    format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The numbers nobody knows, by how much the last day moves when each goes from its least to its most.
fn guesses(path: &Path, sets: &[String], seed: u64) -> Result<Vec<Guess>, Failure> {
    let unknown =
        |row: &&Provenance| matches!(row.status, Status::Guess | Status::Recalled) && row.low < row.high;
    let last = |name: &str, value: f64| -> Result<(f64, f64), Failure> {
        let sets: Vec<String> = sets.iter().cloned().chain([format!("{name}={value:?}")]).collect();
        let record = run(&ready(path, &sets)?.0, seed, 0);
        let of = |variable| record.world_series(variable).last().map_or(0.0, |(_, value)| value);
        Ok((of("hashrate_ehs"), of("hhi")))
    };
    let mut effects = Vec::new();
    for row in Inputs::embedded().provenance.iter().filter(unknown) {
        let (low, high) = (last(&row.name, row.low)?, last(&row.name, row.high)?);
        let hashrate = (high.0 / low.0.max(1e-9) - 1.0) * 100.0;
        let concentration = high.1 - low.1;
        let moved = format!("hashrate on the last day {hashrate:+.1} %, HHI {concentration:+.0}");
        let guess = Guess {
            what: row.name.clone(),
            value: format!("{} ({} to {}) {}", row.value, row.low, row.high, row.unit),
            why: format!("{}; from least to most: {moved}", row.source),
        };
        // Ten percent of hashrate weigh as much as a hundred points.
        effects.push((hashrate.abs() / 10.0 + concentration.abs() / 100.0, guess));
    }
    effects.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(effects.into_iter().take(GUESSES_MAX).map(|(_, guess)| guess).collect())
}
