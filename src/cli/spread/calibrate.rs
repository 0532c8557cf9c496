//! `adit spread calibrate`: fits parameters to the windows that may be looked at.

use clap::Args;
use indicatif::ProgressBar;

use super::super::{Failure, print};
use crate::spread::hindcast::{FITTED, calibrate};
use crate::spread::history::{History, HistoryFiles};
use crate::spread::inputs::Inputs;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  adit spread calibrate > data/calibration.toml      # repeatable: the search is seeded
Takes a minute or two. Looks at January-April 2021 and at 2022, and at nothing else.")]
pub(super) struct Calibrate {
    /// Points to try
    #[arg(long, default_value_t = 300, value_name = "N")]
    steps: usize,
}

impl Calibrate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let usage = |error: anyhow::Error| Failure::Usage(error);
        let history = History::read(HistoryFiles::embedded()).map_err(|error| usage(error.into()))?;
        let bar = ProgressBar::new(self.steps as u64);
        let (mut fitted, before, after) =
            calibrate(Inputs::embedded(), &history, self.steps, |_, _| bar.inc(1))
                .map_err(|error| usage(error.into()))?;
        bar.finish_and_clear();
        print(format_args!(
            "# Parameters fitted to January-April 2021 and 2022, and frozen: `adit spread calibrate --steps {}`.\n\
             # Loss {before:.3} with data/parameters.csv alone, {after:.3} with these; docs/model.md says what it is.\n\
             [parameters]",
            self.steps
        ));
        for name in FITTED {
            let value = *fitted.get_mut(name).expect("a name of the table");
            print(format_args!("{name} = {value:.6}"));
        }
        Ok(())
    }
}
