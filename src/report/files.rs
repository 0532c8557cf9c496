//! Files of a report, written so that none is ever half there.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Report, junit, page, transcript};
use crate::conformance::{CaseResult, Examination};

/// A folder that a report goes to.
#[derive(Debug)]
pub struct ReportFolder {
    path: PathBuf,
}

/// Why a report cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be written.
    #[error("cannot write {path}: {source}; choose another folder with --out", path = path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; name the report.json in the folder that --out gave", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file is no report.
    #[error("{path} is no report of `adit check`: {source}; name the report.json in the folder that --out gave", path = path.display())]
    NoReport {
        /// The file.
        path: PathBuf,
        /// Where it differs from one.
        source: serde_json::Error,
    },
}

impl ReportFolder {
    /// Makes the folder where it is not there, and tries whether it can be written to.
    ///
    /// # Errors
    /// When it cannot.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        let failed = |source| FolderError::Write { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        tempfile::NamedTempFile::new_in(path).map_err(failed)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the transcript of a case, and leaves in the result what the report shows of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take_transcript(&self, result: &mut CaseResult) -> Result<(), FolderError> {
        if !result.transcript.is_empty() {
            self.write(&transcript::file_name(&result.id), &transcript::json_lines(&result.transcript))?;
        }
        transcript::thin(result);
        Ok(())
    }

    /// Writes all that can be read of a report; returns the page's path.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_report(&self, report: &Report) -> Result<PathBuf, FolderError> {
        self.write("report.json", &json(&report.examination))?;
        self.write("junit.xml", junit(report).as_bytes())?;
        self.write("report.html", page(report).as_bytes())
    }

    /// Writes one file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, FolderError> {
        let path = self.path.join(name);
        let failed = |source| FolderError::Write { path: path.clone(), source };
        let folder = path.parent().unwrap_or(&self.path);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::Builder::new().prefix(".adit-").tempfile_in(folder).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        // Temporary files are for their owner only; a report is for whoever may see the folder.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
        }
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path)
    }
}

/// `report.json`: the examination without transcripts.
fn json(examination: &Examination) -> Vec<u8> {
    let mut examination = examination.clone();
    for case in &mut examination.cases {
        case.transcript = Vec::new();
        // JSON has no infinity, and writes null for what then cannot be read as a number.
        let plots = &mut case.plots;
        plots.nonces.retain(|(at, _)| at.is_finite());
        for numbers in [&mut plots.gaps, &mut plots.switches, &mut plots.u] {
            numbers.retain(|number| number.is_finite());
        }
    }
    let mut text = serde_json::to_vec_pretty(&examination).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads a `report.json`.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read_json(path: &Path) -> Result<Examination, FolderError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| FolderError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| FolderError::NoReport { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::super::example::examination;
    use super::*;
    use crate::conformance::Outcome;

    #[test]
    fn what_is_written_can_be_read() {
        let parent = tempfile::tempdir().unwrap();
        let folder = ReportFolder::create(&parent.path().join("a/b")).unwrap();
        let mut examination = examination(&[("H01", Outcome::Fail), ("H02", Outcome::Pass)]);
        for case in &mut examination.cases {
            folder.take_transcript(case).unwrap();
        }
        folder.write_report(&Report { examination: examination.clone(), deviations: Vec::new() }).unwrap();
        let names = |path: &Path| {
            let mut names: Vec<String> = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(folder.path()), ["junit.xml", "report.html", "report.json", "transcripts"]);
        assert_eq!(names(&folder.path().join("transcripts")), ["H01.jsonl", "H02.jsonl"]);
        examination.cases.iter_mut().for_each(|case| case.transcript = Vec::new());
        assert_eq!(read_json(&folder.path().join("report.json")).unwrap(), examination);
    }

    #[test]
    fn errors_name_the_file() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "{}").unwrap();
        let error = ReportFolder::create(&file.join("below")).unwrap_err().to_string();
        assert!(error.contains("file/below") && error.contains("--out"), "{error}");
        let error = read_json(&file).unwrap_err().to_string();
        assert!(error.contains("missing field") && error.contains("report.json"), "{error}");
        assert!(read_json(&parent.path().join("none")).unwrap_err().to_string().starts_with("cannot read "));
    }
}
