//! `adit spread breakeven`: the tariff at which half of a region's hashrate leaves.

use std::path::PathBuf;

use clap::Args;

use super::super::{Failure, print};
use super::columns;
use super::run::ready;
use crate::spread::inputs::Inputs;
use crate::spread::run::run;

/// Steps of a bisection: to a thousandth of a cent.
const STEPS: usize = 14;

/// USD/kWh between which a tariff is looked for.
const BETWEEN: (f64, f64) = (0.005, 0.25);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit spread breakeven --region ET
  adit spread breakeven --region PY --scenario scenarios/paraguay-2027.toml --runs 10
The same draws with and without the tariff; hashrate of the region on the last day, against that
of the scenario as it is. A tariff here is flat and holds from the first day.")]
pub(super) struct Breakeven {
    /// A region of data/regions.csv
    #[arg(long, value_name = "CODE")]
    region: String,
    /// The world it is in
    #[arg(long, default_value = "scenarios/today.toml", value_name = "FILE")]
    scenario: PathBuf,
    /// Runs to take the mean of
    #[arg(long, default_value_t = 5, value_name = "N")]
    runs: u32,
    /// Where all chance begins
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Breakeven {
    pub(super) fn run(self) -> Result<(), Failure> {
        let region = Inputs::embedded()
            .atlas
            .region(&self.region)
            .map_err(|error| Failure::Usage(anyhow::anyhow!("--region {}: {error}", self.region)))?
            .clone();
        let hashrate = |sets: &[String]| -> Result<f64, Failure> {
            let (ready, _) = ready(&self.scenario, sets)?;
            let at = ready.world.index(region.code).expect("a region of the atlas");
            let last = |number| {
                run(&ready, self.seed, number)
                    .regional_series("hashrate_ehs", at)
                    .last()
                    .map_or(0.0, |(_, ehs)| ehs)
            };
            Ok((0..self.runs.max(1)).map(last).sum::<f64>() / f64::from(self.runs.max(1)))
        };
        let with = |price: f64| hashrate(&[format!("region.{}.price_mid={price}", region.code)]);
        let as_it_is = hashrate(&[])?;
        if as_it_is <= 0.0 {
            return Err(Failure::Usage(anyhow::anyhow!(
                "{} has no hashrate at the end of {}; nothing can leave",
                region.code,
                self.scenario.display()
            )));
        }
        let (mut low, mut high) = BETWEEN;
        let (at_low, at_high) = (with(low)?, with(high)?);
        let half = as_it_is / 2.0;
        let found = at_low > half && at_high < half;
        if found {
            for _ in 0..STEPS {
                let middle = f64::midpoint(low, high);
                if with(middle)? > half { low = middle } else { high = middle }
            }
        }
        let tariff = found.then_some(f64::midpoint(low, high));
        if self.json {
            print(serde_json::json!({
                "region": region.code, "scenario": self.scenario, "hashrate_ehs": as_it_is,
                "half_leaves_at_usd_per_kwh": tariff,
            }));
        } else {
            let rows = [
                vec!["hashrate on the last day, as it is".to_owned(), format!("{as_it_is:.1} EH/s")],
                vec![format!("at {} USD/kWh", BETWEEN.0), format!("{at_low:.1} EH/s")],
                vec![format!("at {} USD/kWh", BETWEEN.1), format!("{at_high:.1} EH/s")],
                vec![
                    "half of it leaves at".to_owned(),
                    tariff.map_or_else(
                        || "no tariff between".to_owned(),
                        |price| format!("{price:.4} USD/kWh"),
                    ),
                ],
            ];
            print(format_args!("{} in {}", region.name, self.scenario.display()));
            print(columns(1, &rows));
        }
        if tariff.is_some() { Ok(()) } else { Err(Failure::No) }
    }
}
