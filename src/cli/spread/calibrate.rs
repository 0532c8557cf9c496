//! `adit spread calibrate`: fits parameters to the windows that may be looked at.

use clap::Args;
use indicatif::ProgressBar;

use super::super::{Failure, print};
use crate::spread::hindcast::calibrate;
use crate::spread::history::{History, HistoryFiles};
use crate::spread::inputs::Inputs;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  adit spread calibrate > data/calibration.toml      # repeatable: its starts are seeded
Takes a minute or two. Looks at January-April 2021 and at 2022, and at nothing else.
Beside each value stands what the windows made of its prior: one whose spread stayed that
of the prior is not known by them.")]
pub(super) struct Calibrate {
    /// Runs of the windows after which no further step is begun
    #[arg(long, default_value_t = 300, value_name = "N")]
    steps: usize,
}

impl Calibrate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let usage = |error: anyhow::Error| Failure::Usage(error);
        let history = History::read(HistoryFiles::embedded()).map_err(|error| usage(error.into()))?;
        let bar = ProgressBar::new(self.steps as u64);
        let fit = calibrate(Inputs::embedded(), &history, self.steps, |evaluations, _| {
            bar.set_position(evaluations as u64);
        })
        .map_err(|error| usage(error.into()))?;
        bar.finish_and_clear();
        let ends: Vec<String> = fit.ends.iter().map(|end| format!("{end:.2}")).collect();
        print(format_args!(
            "# Parameters fitted to January-April 2021 and 2022, and frozen: `adit spread calibrate --steps {}`.\n\
             # Loss {:.2} with data/parameters.csv alone, {:.2} with these; docs/model.md says what it is.\n\
             # Starts ended at {} after {} runs of the windows.\n\
             [parameters]",
            self.steps,
            fit.before,
            fit.after,
            ends.join(", "),
            fit.evaluations
        ));
        for row in &fit.parameters {
            let (prior, prior_sigma) = row.prior;
            print(format_args!(
                "{} = {:.6} # +-{:.3}; prior {prior} +-{prior_sigma:.3}",
                row.name, row.value, row.sigma
            ));
        }
        Ok(())
    }
}
