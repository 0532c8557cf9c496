//! A folder of a study: files that appear whole or not at all, and their hashes.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::error::StudyError;
use super::manifest::Manifest;
use super::summary::Summary;
use super::table::Table;
use super::{MANIFEST_FILE, RUNS_FILE, SUMMARY_FILE};

/// Bytes read or written at once.
const CHUNK_BYTES: usize = 256 << 10;

/// A file on its way to `path`, hashed as it is written.
pub(super) struct Draft {
    path: PathBuf,
    out: BufWriter<NamedTempFile>,
    hash: Sha256,
}

impl Draft {
    /// A draft beside where the file is to be, so that it can take its place at once.
    pub fn new(dir: &Path, name: &str) -> Result<Self, StudyError> {
        std::fs::create_dir_all(dir).map_err(StudyError::write(dir))?;
        let path = dir.join(name);
        let file = tempfile::Builder::new().prefix(".adit-").tempfile_in(dir);
        let out = BufWriter::with_capacity(CHUNK_BYTES, file.map_err(StudyError::write(&path))?);
        Ok(Self { path, out, hash: Sha256::new() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file in its place; its SHA-256.
    pub fn finish(mut self) -> Result<String, StudyError> {
        let failed = || StudyError::write(&self.path);
        self.out.flush().map_err(failed())?;
        let file = self.out.into_inner().map_err(|error| failed()(error.into_error()))?;
        // Temporary files are for their owner only; results are for whoever may see the folder.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o644);
            file.as_file().set_permissions(mode).map_err(failed())?;
        }
        file.persist(&self.path).map_err(|error| failed()(error.error))?;
        Ok(hex(self.hash))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a text.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

/// SHA-256 of a file.
fn sha256_of_file(path: &Path) -> Result<String, StudyError> {
    let mut file = File::open(path).map_err(StudyError::read(path))?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk).map_err(StudyError::read(path))? {
            0 => return Ok(hex(hash)),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// Holds a file against the hash that its manifest has.
pub(super) fn verify(path: &Path, expected: Option<&String>, manifest: &str) -> Result<(), StudyError> {
    let Some(expected) = expected else {
        return Err(StudyError::file(path, format!("{manifest} does not list it; run that study again")));
    };
    if sha256_of_file(path)? == *expected {
        return Ok(());
    }
    let what = format!(
        "is not the file that {manifest} describes (SHA-256 differs); copy it again, or run that study again"
    );
    Err(StudyError::file(path, what))
}

/// A study that is on disk.
#[derive(Debug)]
pub struct Finished {
    dir: PathBuf,
    manifest: Manifest,
}

impl Finished {
    /// Writes the manifest, which makes the folder's files a study.
    pub(super) fn new(dir: &Path, manifest: Manifest) -> Result<Self, StudyError> {
        let finished = Self { dir: dir.to_owned(), manifest };
        finished.write_manifest()?;
        Ok(finished)
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it was made of.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its folder, to read what was written; a part of a study has none.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn folder(&self) -> Result<Folder, StudyError> {
        Folder::open(&self.dir)
    }

    /// Adds a file to the folder and to the manifest, such as a page made of the summary.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, StudyError> {
        let mut draft = Draft::new(&self.dir, name)?;
        draft.write_all(bytes).map_err(StudyError::write(&self.dir.join(name)))?;
        let hash = draft.finish()?;
        self.manifest.outputs.insert(name.to_owned(), hash);
        self.write_manifest()?;
        Ok(self.dir.join(name))
    }

    fn write_manifest(&self) -> Result<(), StudyError> {
        let name = self.manifest.shard.manifest_file();
        let mut draft = Draft::new(&self.dir, &name)?;
        draft.write_all(&self.manifest.to_json()).map_err(StudyError::write(&self.dir.join(&name)))?;
        draft.finish().map(drop)
    }
}

/// A folder with a whole study.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    manifest: Manifest,
}

impl Folder {
    /// Opens what `adit spread --out DIR` or a merge has left in `dir`.
    ///
    /// # Errors
    /// When there is no whole study.
    pub fn open(dir: &Path) -> Result<Self, StudyError> {
        let path = dir.join(MANIFEST_FILE);
        if !path.exists() {
            let what = format!(
                "has no {MANIFEST_FILE}; name the --out folder of an `adit spread` that has ended, \
                 and of parts make a whole by `adit spread merge {}`",
                dir.display()
            );
            return Err(StudyError::file(dir, what));
        }
        Ok(Self { dir: dir.to_owned(), manifest: Manifest::read(&path)? })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it was made of.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Mean and quantiles over the runs, as in the file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not the one of the manifest.
    pub fn summary(&self) -> Result<Summary, StudyError> {
        Summary::read(&self.verified(SUMMARY_FILE)?)
    }

    /// All numbers of all runs.
    ///
    /// # Errors
    /// When the file cannot be read, or is not the one of the manifest.
    pub fn table(&self) -> Result<Table, StudyError> {
        Table::open(&self.verified(RUNS_FILE)?)
    }

    fn verified(&self, name: &str) -> Result<PathBuf, StudyError> {
        let path = self.dir.join(name);
        verify(&path, self.manifest.outputs.get(name), MANIFEST_FILE)?;
        Ok(path)
    }
}
