//! What can go wrong with the ledger, said to whoever can do something about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The ledger cannot be opened or read. For the operator, at the command line.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process writes here.
    #[error(
        "data directory {} is in use by another adit{}; stop it or use another --data DIR",
        dir.display(),
        process.as_ref().map_or(String::new(), |id| format!(" (process {id})"))
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The other process, when it said so.
        process: Option<String>,
    },
    /// Written by a version after this one.
    #[error(
        "data directory {} was written by a newer adit (schema {found}, this one knows {known}); \
         use that version or another --data DIR",
        dir.display()
    )]
    Newer {
        /// The data directory.
        dir: PathBuf,
        /// Its schema version.
        found: i64,
        /// The latest schema version this program knows.
        known: i64,
    },
    /// To be read, but written by a version before this one.
    #[error(
        "data directory {} was written by an older adit (schema {found}, this one reads {known}); \
         start `adit serve` on it once to bring it up to date",
        dir.display()
    )]
    Older {
        /// The data directory.
        dir: PathBuf,
        /// Its schema version.
        found: i64,
        /// The schema version this program reads.
        known: i64,
    },
    /// Nothing to read.
    #[error("there is no ledger in {} (no adit.sqlite); is it the --data DIR of a pool?", dir.display())]
    Missing {
        /// The data directory.
        dir: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {attempt} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("cannot {attempt} the ledger {}: {source}", path.display())]
    Sqlite {
        /// What was attempted.
        attempt: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
}

/// Something handed to the store is not stored. Told to every waiting caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreFault {
    /// The transaction failed; nothing of it is kept, and the next may succeed.
    #[error("cannot write to the ledger {}: {cause}; is the disk full or failing?", path.display())]
    Write {
        /// The database file.
        path: Arc<Path>,
        /// What SQLite says.
        cause: Arc<rusqlite::Error>,
    },
    /// A state for a block that was never recorded.
    #[error("the ledger has no block {0}, so its state cannot be set")]
    UnknownBlock(bitcoin::BlockHash),
    /// Connection ids are reserved on disk before use, and none are left.
    #[error("no connection id could be reserved in the ledger; is the disk full or failing?")]
    NoConnectionIds,
    /// The store is closed or its writer has ended.
    #[error("the ledger is closed")]
    Closed,
}
