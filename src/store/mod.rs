//! The ledger of a pool's data directory: every fact, on disk before it is acknowledged.
//!
//! One SQLite file, `adit.sqlite`. A dedicated thread owns the writing
//! connection and commits in groups: it takes every batch that came within
//! [`Options::gather`], writes them in one transaction, and answers all of
//! them when that is on disk. So a flush of a few milliseconds is shared by
//! all connections, and `kill -9` at any moment loses nothing acknowledged.
//!
//! Readers ([`Reader`], [`export`]) use connections of their own. In WAL mode
//! they see a committed state and never hold up the writer.
//!
//! Order of calls: [`Store::open`]; hand [`Store::pending_blocks`] to the
//! nodes again; then [`Store::append`] and [`Store::record_block`] from
//! anywhere; [`Store::close`]. Tables, columns and what is promised when:
//! `docs/store.md`.

mod codes;
mod error;
mod export;
mod ids;
mod queue;
mod reader;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

pub use error::{StoreError, StoreFault};
pub use export::{ExportError, Format, What, export};
pub use queue::Ack;
pub use reader::{BlockRow, Reader, RegionShares, WorkerTotals};

use crate::event::{ConnectionId, Event, FoundBlock};
use crate::hash::Hash;
use crate::units::Timestamp;
use queue::{Queue, Work};
use writer::{Shared, Writer};

/// The lock file's name within a data directory.
const LOCK_NAME: &str = "adit.lock";

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Until the disk says it has it: survives power loss.
    #[default]
    Full,
    /// Until the operating system has it: survives `kill -9`; power loss takes
    /// the last seconds, never the file.
    Normal,
}

/// How a [`Store`] writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// How long the first batch of a group waits for others.
    pub gather: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { synchronous: Synchronous::Full, gather: Duration::from_millis(2) }
    }
}

/// What became of a found block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockState {
    /// Found; no node has answered yet.
    Pending,
    /// A node took it into the best chain.
    Accepted,
    /// Valid, but another block is ahead of it.
    Side,
    /// Nodes refused it.
    Refused,
}

impl BlockState {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Accepted, Self::Side, Self::Refused];

    /// A stable name, the one in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Side => "side",
            Self::Refused => "refused",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A block's new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// When the node answered.
    pub time: Timestamp,
    /// Which block: its header's hash, internal order.
    pub hash: Hash,
    /// What became of it.
    pub state: BlockState,
    /// The node's words, for a block that was not accepted.
    pub reason: Option<String>,
}

/// The writing side of a ledger. Share it in an `Arc`.
///
/// Appending never blocks. A failure reaches every caller whose events were in
/// the failed transaction, is published by [`Self::fault`], and the next
/// transaction is tried afresh. Dropping flushes and waits like [`Self::close`].
pub struct Store {
    dir: PathBuf,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the ledger in `dir` and creates what is missing; takes the
    /// directory for this process alone and brings an older ledger up to date.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        std::fs::create_dir_all(&dir).map_err(|source| StoreError::Io {
            attempt: "create the data directory",
            path: dir.clone(),
            source,
        })?;
        let lock = lock(&dir)?;
        let path = dir.join(schema::FILE_NAME);
        let failed = |source| StoreError::Sqlite { attempt: "open", path: path.clone(), source };
        let mut db = Connection::open(&path).map_err(failed)?;
        configure(&db, options.synchronous).map_err(failed)?;
        schema::migrate(&mut db, &dir)?;
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            ids: ids::ConnectionIds::open(&db).map_err(failed)?,
            fault: Mutex::new(None),
        });
        let writer = Writer {
            db,
            path: Arc::from(path.as_path()),
            gather: options.gather,
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name("adit-store".into())
            .spawn(move || {
                writer.run();
                // The database is closed; now another process may have it.
                drop(lock);
            })
            .map_err(|source| StoreError::Io { attempt: "start a thread to write", path, source })?;
        Ok(Self { dir, shared, thread: Mutex::new(Some(thread)) })
    }

    /// Stores `events` with the next group. Their order is kept.
    ///
    /// Hand in a connection's next batch when its last one is acknowledged:
    /// that bounds the memory and gives the disk's pace to the miners.
    pub fn append(&self, events: Vec<Event>) -> Ack {
        self.shared.queue.push(Work::Events(events))
    }

    /// Stores a found block as [`BlockState::Pending`], at once and before all that waits.
    ///
    /// A block that is known already, by this call or by [`Event::BlockFound`]
    /// in a batch, is left as it is.
    pub fn record_block(&self, found: FoundBlock) -> Ack {
        self.shared.queue.push(Work::Block(Box::new(found)))
    }

    /// Stores what became of a block; in order with [`Self::append`] and after
    /// any [`Self::record_block`] before it.
    pub fn set_block_state(&self, change: StateChange) -> Ack {
        self.shared.queue.push(Work::State(change))
    }

    /// Blocks that no node has answered for, oldest first: submit them again after a crash.
    pub fn pending_blocks(&self) -> Result<Vec<FoundBlock>, StoreError> {
        self.reader()?.pending_blocks()
    }

    /// A number for a new connection, never used before in this data directory.
    ///
    /// Fails only when the disk has refused writes for many thousand connections.
    pub fn next_connection_id(&self) -> Result<ConnectionId, StoreFault> {
        let (id, reserve) = self.shared.ids.next();
        if reserve {
            // Any transaction reserves more; nobody needs to wait for this one.
            drop(self.append(Vec::new()));
        }
        id
    }

    /// Why the last transaction failed; `None` while the disk takes what it is given.
    #[must_use]
    pub fn fault(&self) -> Option<StoreFault> {
        self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads this ledger.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.dir)
    }

    /// Takes nothing more, stores all that waits and releases the directory.
    /// Blocks for as long as that takes: a group or two.
    pub fn close(&self) {
        self.shared.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the ledger's writer panicked; what it had not stored was reported as such");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).field("fault", &self.fault()).finish()
    }
}

/// Takes `dir` for this process until the file is dropped.
///
/// The operating system releases the lock of a process that dies.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK_NAME);
    let failed = |source| StoreError::Io { attempt: "lock", path: path.clone(), source };
    let mut options = File::options();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let process = file.read_to_string(&mut text).ok().map(|_| text.trim().to_owned());
            let process = process.filter(|process| !process.is_empty());
            return Err(StoreError::Locked { dir: dir.to_owned(), process });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // Who holds it, for the message of whoever comes second.
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

fn configure(db: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    // Another program may hold the write lock for a moment.
    db.busy_timeout(Duration::from_secs(5))?;
    // For a new file only. 16 KiB pages cost 12 % less CPU a share than 4 KiB:
    // fewer page headers, checksums and WAL frames. What did not help: a larger
    // cache (64 MB: 11 % more, out of the CPU's caches), rarer checkpoints
    // (4 times: no difference, longer stalls). Measured by benches/store.rs.
    db.pragma_update(None, "page_size", 16_384)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = match synchronous {
        Synchronous::Full => "full",
        Synchronous::Normal => "normal",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    // A row may name a connection whose own row failed to be stored.
    db.pragma_update(None, "foreign_keys", false)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(())
}
