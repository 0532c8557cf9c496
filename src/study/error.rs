//! Why a study, a merge or a comparison stopped.

use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// Why a study stopped. Every message names the file or the run, and what to try.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// What was asked for cannot be.
    #[error("{0}")]
    Plan(String),
    /// A run failed.
    #[error("run {run}: {source}")]
    Run {
        /// Which run.
        run: u32,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A run recorded something else than the runs before it.
    #[error("run {run} {what}; all runs of a study record the same days and regions: this is a bug")]
    Record {
        /// Which run.
        run: u32,
        /// What is wrong with it.
        what: String,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}; is the disk full? choose another folder with --out", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {what}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to try.
        what: String,
    },
}

impl StudyError {
    pub(super) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    pub(super) fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), what: what.into() }
    }

    /// The encoder fails only because of what it writes to.
    pub(super) fn encode(path: &Path) -> impl FnOnce(ParquetError) -> Self {
        move |error| Self::Write { path: path.to_owned(), source: std::io::Error::other(error) }
    }

    pub(super) fn decode(path: &Path) -> impl FnOnce(ParquetError) -> Self {
        move |error| Self::file(path, format!("{error}; is it a {} of adit, and whole?", super::RUNS_FILE))
    }
}
