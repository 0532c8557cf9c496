//! `adit export`: the ledger for other tools.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::Failure;
use crate::store::{Format, What, export};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit export --data adit-data --what shares --format csv > shares.csv
  adit export --data adit-data --what shares --format parquet --out shares.parquet
Works while `adit serve` writes to the directory. Columns: docs/store.md")]
pub(super) struct Export {
    /// Data directory of a pool
    #[arg(long, value_name = "DIR", default_value = "adit-data")]
    data: PathBuf,
    /// What to write: shares, blocks or workers
    #[arg(long, value_name = "TABLE")]
    what: What,
    /// How to write it: csv or parquet
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    format: Format,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let out: Box<dyn Write + Send> = match &self.out {
            Some(path) => {
                let file = File::create(path)
                    .with_context(|| {
                        format!("cannot write {}; check the directory and its permissions", path.display())
                    })
                    .map_err(Failure::Surroundings)?;
                Box::new(BufWriter::new(file))
            }
            None if self.format == Format::Parquet && std::io::stdout().is_terminal() => {
                let error =
                    anyhow::anyhow!("Parquet is binary and stdout is a terminal; name a file with --out");
                return Err(Failure::Usage(error));
            }
            None => Box::new(BufWriter::new(std::io::stdout())),
        };
        let rows = export(&self.data, self.what, self.format, out).map_err(Failure::surroundings)?;
        if let Some(path) = self.out {
            eprintln!("{rows} rows in {}", path.display());
        }
        Ok(())
    }
}
