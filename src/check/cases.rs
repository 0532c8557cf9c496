//! Case files of a folder, with errors that name the file.

use std::path::{Path, PathBuf};

use crate::conformance::{Case, read_cases};

/// Why a folder of cases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}; --cases takes a folder of case files (*.toml)", path = path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// It has no cases.
    #[error("{} holds no case file; cases are `[[case]]` tables in files named *.toml (docs/check.md)", .0.display())]
    Empty(PathBuf),
    /// A file is wrong.
    #[error("{path}: {what}", path = path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
}

/// Reads all case files of a folder, by name.
///
/// # Errors
/// When it cannot be read, holds none, or one is wrong.
pub fn read_folder(folder: &Path) -> Result<Vec<Case>, CasesError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CasesError::Read { path, source }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut cases: Vec<Case> = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
        let wrong = |what: String| CasesError::Wrong { path: path.clone(), what };
        for case in read_cases(&text).map_err(wrong)? {
            if cases.iter().any(|other| other.id == case.id) {
                return Err(wrong(format!("case {} is there already; ids are unique", case.id)));
            }
            cases.push(case);
        }
    }
    if cases.is_empty() { Err(CasesError::Empty(folder.to_owned())) } else { Ok(cases) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "[[case]]\nid = \"M01\"\ntitle = \"t\"\nseverity = \"low\"\nsuites = [\"quick\"]\nsources = []\n\
                        pool = \"p\"\nfirmware = \"f\"\njudged = \"j\"\nsteps = [{ session = {} }]\nverdict = [\"met\"]\n";

    #[test]
    fn folders_are_read_or_refused_by_name() {
        fn check(files: &[(&str, &str)], part: Result<usize, &str>) {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
            match (read_folder(folder.path()), part) {
                (Ok(cases), Ok(count)) => assert_eq!(cases.len(), count),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{files:?}: {found:?}"),
            }
        }
        check(&[("a.toml", CASE), ("notes.md", "x")], Ok(1));
        check(&[], Err("holds no case file"));
        check(&[("a.toml", "")], Err("holds no case file"));
        check(&[("a.toml", CASE), ("b.toml", CASE)], Err("b.toml: case M01 is there already"));
        check(&[("a.toml", "[[case]]\nid = 3")], Err("a.toml: TOML parse error at line 2"));
        check(&[("a.toml", &CASE.replace("session", "sesion"))], Err("unknown variant `sesion`"));
        let missing = read_folder(Path::new("/nonexistent/cases")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read /nonexistent/cases"), "{missing}");
    }
}
