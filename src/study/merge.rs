//! From the parts of a study to the whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::engine::conclude;
use super::error::StudyError;
use super::files::{Finished, verify};
use super::manifest::Manifest;
use super::table::{Table, TableWriter};
use super::{MANIFEST_FILE, Progress, RUNS_FILE, Shard, Stage};

/// Joins the parts in `dir`; leaves there what one run of the whole would have left.
///
/// The parts stay. Their numbers are decoded and written anew by the encoder of
/// the whole, so that equal bytes need no argument about how files are joined.
///
/// # Errors
/// When a part is missing, cut short, damaged, or of another study.
pub fn merge(dir: &Path, threads: usize, mut progress: impl FnMut(Progress)) -> Result<Finished, StudyError> {
    let parts = parts(dir)?;
    let first = &parts[0];
    for part in &parts {
        check(part, first)?;
    }
    let of = u64::from(first.manifest.runs);
    let mut out = TableWriter::new(dir, RUNS_FILE)?;
    for part in &parts {
        let manifest = part.shard().manifest_file();
        verify(&part.runs_path(), part.manifest.outputs.get(&part.shard().runs_file()), &manifest)?;
        let table = Table::open(&part.runs_path())?;
        let range = part.shard().range(part.manifest.runs);
        if !table.runs().iter().copied().eq(range.clone()) {
            let what = format!("does not have the runs {} to {}", range.start, range.end - 1);
            return Err(StudyError::file(&part.runs_path(), what + "; run that part again"));
        }
        for at in 0..table.runs().len() {
            out.write(&table.record(at)?)?;
            progress(Progress { stage: Stage::Runs, done: u64::from(out.runs()), of });
        }
    }
    let mut manifest = first.manifest.clone();
    manifest.shard = Shard::WHOLE;
    manifest.outputs = BTreeMap::new();
    conclude(out, manifest, dir, threads, progress)
}

struct Part {
    path: PathBuf,
    manifest: Manifest,
}

impl Part {
    fn shard(&self) -> Shard {
        self.manifest.shard
    }

    fn runs_path(&self) -> PathBuf {
        self.path.with_file_name(self.shard().runs_file())
    }
}

/// The shard that a file name is of, if it is a part's manifest.
fn shard_of(name: &str) -> Option<Shard> {
    let (stem, extension) = MANIFEST_FILE.split_once('.')?;
    let name = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(extension)?.strip_suffix('.')?;
    let shard: Shard = name.replacen("-of-", "/", 1).parse().ok()?;
    (shard.file(MANIFEST_FILE) == format!("{stem}-{name}.{extension}")).then_some(shard)
}

/// All parts in order, or which are missing.
fn parts(dir: &Path) -> Result<Vec<Part>, StudyError> {
    let mut shards = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(StudyError::read(dir))? {
        let name = entry.map_err(StudyError::read(dir))?.file_name();
        shards.extend(name.to_str().and_then(shard_of).filter(|shard| !shard.is_whole()));
    }
    shards.sort_unstable_by_key(|shard| (shard.of, shard.index));
    let Some(of) = shards.first().map(|shard| shard.of) else {
        let what = "has no part of a study (manifest-1-of-4.json and so on); make one by \
                    `adit spread SCENARIO --shard 1/4 --out` with this folder";
        return Err(StudyError::file(dir, what));
    };
    if let Some(other) = shards.iter().find(|shard| shard.of != of) {
        let what = format!("has parts of {of} and of {}; move those of one study elsewhere", other.of);
        return Err(StudyError::file(dir, what));
    }
    let missing: Vec<String> = (1..=of)
        .map(|index| Shard { index, of })
        .filter(|shard| !shards.contains(shard))
        .map(|shard| shard.to_string())
        .collect();
    if !missing.is_empty() {
        let what = format!(
            "lacks {} of {of} parts; copy them here, or run them: --shard {}",
            missing.len(),
            missing.join(", --shard ")
        );
        return Err(StudyError::file(dir, what));
    }
    let read = |shard: Shard| {
        let path = dir.join(shard.manifest_file());
        let manifest = Manifest::read(&path)?;
        if manifest.shard != shard {
            let what = format!("is of part {}; has the file been renamed?", manifest.shard);
            return Err(StudyError::file(&path, what));
        }
        Ok(Part { path, manifest })
    };
    shards.into_iter().map(read).collect()
}

fn check(part: &Part, first: &Part) -> Result<(), StudyError> {
    let Part { path, manifest } = part;
    if let Some(what) = manifest.difference(&first.manifest) {
        let first = first.shard().manifest_file();
        let what = format!("{what} as {first} has; run part {} again as the others", part.shard());
        return Err(StudyError::file(path, what));
    }
    if manifest.adit != env!("CARGO_PKG_VERSION") {
        let what = format!(
            "is of adit {}, and this is {}; merge with the version that ran, for another may write other bytes",
            manifest.adit,
            env!("CARGO_PKG_VERSION")
        );
        return Err(StudyError::file(path, what));
    }
    if !manifest.is_complete() {
        let what = format!(
            "has {} of {} runs: it was stopped; run it again with --shard {}",
            manifest.runs_done,
            part.shard().range(manifest.runs).len(),
            part.shard()
        );
        return Err(StudyError::file(path, what));
    }
    Ok(())
}
