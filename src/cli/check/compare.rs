//! `adit check --compare`: two reports side by side.

use std::path::{Path, PathBuf};

use super::super::{Failure, print};
use crate::report::compare::Change;
use crate::report::{Comparison, ReportFolder, comparison_page, read_json};

/// Compares two reports; fails when something got worse.
pub(super) fn compare(files: &[PathBuf], out: Option<&Path>, json: bool) -> Result<(), Failure> {
    let [before, after] = files else {
        return Err(Failure::Usage(anyhow::anyhow!(
            "--compare takes two reports: --compare 2.8/report.json 2.9/report.json"
        )));
    };
    let read = |path: &Path| read_json(path).map_err(|error| Failure::Usage(error.into()));
    let comparison = Comparison::of(&read(before)?, &read(after)?);
    let page = match out {
        Some(folder) => {
            let folder = ReportFolder::create(folder).map_err(Failure::surroundings)?;
            let page = comparison_page(&comparison);
            Some(folder.write("compare.html", page.as_bytes()).map_err(Failure::surroundings)?)
        }
        None => None,
    };
    if json {
        print(serde_json::to_string(&comparison).map_err(Failure::surroundings)?);
    } else {
        print(&comparison);
        if let Some(page) = page {
            print(format_args!("page: {}", page.display()));
        }
    }
    if comparison.count(Change::Worse) > 0 { Err(Failure::No) } else { Ok(()) }
}
