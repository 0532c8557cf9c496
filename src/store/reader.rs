//! Reads a ledger while a server writes it.
//!
//! Each call is one short read transaction: a long one would keep the WAL
//! from being folded back into the database. Totals are not kept in tables,
//! which would double what the writer writes; a [`Reader`] remembers them and
//! reads only the shares that are new since its last call. So keep the reader,
//! and call it where blocking is allowed: the first totals read every share,
//! a few million a second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, Row, params};

use super::codes::{self, FIRST_REJECT};
use super::error::StoreError;
use super::{BlockState, schema};
use crate::event::{ConnectionId, Extranonce2, FoundBlock, JobId, Share};
use crate::units::{Difficulty, Timestamp};

/// What one worker did, over the whole ledger.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct WorkerTotals {
    /// Full name.
    pub worker: Arc<str>,
    /// When it was first heard of.
    pub first_seen: Timestamp,
    /// Its latest share, good or bad.
    pub last_share: Option<Timestamp>,
    /// Shares that count.
    pub shares_accepted: u64,
    /// Shares that do not.
    pub shares_rejected: u64,
    /// Sum of the difficulties asked for over shares that count.
    pub difficulty_accepted: f64,
}

/// What one region did, over the whole ledger.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RegionShares {
    /// As the workers call it; `None` for connections that named none.
    pub region: Option<Arc<str>>,
    /// Shares that count.
    pub shares_accepted: u64,
    /// Shares that do not.
    pub shares_rejected: u64,
    /// Sum of the difficulties asked for over shares that count.
    pub difficulty_accepted: f64,
}

/// A found block without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BlockRow {
    /// Hash of its header; serialises in the order people print.
    #[serde(serialize_with = "as_text")]
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// When its share arrived.
    pub time: Timestamp,
    /// Whose share it was.
    pub worker: Arc<str>,
    /// On which connection.
    pub connection: ConnectionId,
    /// What became of it.
    pub state: BlockState,
    /// The node's words, for a block that was not accepted.
    pub reason: Option<String>,
    /// When a node answered.
    pub submitted: Option<Timestamp>,
}

fn as_text<S: serde::Serializer>(hash: &BlockHash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    accepted: u64,
    rejected: u64,
    difficulty: f64,
    last: Timestamp,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.difficulty += other.difficulty;
        self.last = self.last.max(other.last);
    }
}

/// The reading side of a ledger.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    path: PathBuf,
    /// Sums over shares up to row `through`, by worker and region.
    sums: BTreeMap<(i64, Option<Arc<str>>), Sums>,
    through: i64,
}

impl Reader {
    /// Opens the ledger in `dir`, which must exist and have the latest schema.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let (db, path) = open(dir.as_ref())?;
        Ok(Self { db, path, sums: BTreeMap::new(), through: 0 })
    }

    /// Every worker, by name.
    pub fn worker_totals(&mut self) -> Result<Vec<WorkerTotals>, StoreError> {
        self.catch_up()?;
        let mut by_worker = BTreeMap::<i64, Sums>::new();
        for ((worker, _), sums) in &self.sums {
            by_worker.entry(*worker).or_default().add(*sums);
        }
        self.rows("SELECT id, name, first_seen_us FROM workers ORDER BY name", [], |row| {
            let sums = by_worker.get(&row.get(0)?);
            Ok(WorkerTotals {
                worker: row.get(1)?,
                first_seen: time(row, 2)?,
                last_share: sums.map(|sums| sums.last),
                shares_accepted: sums.map_or(0, |sums| sums.accepted),
                shares_rejected: sums.map_or(0, |sums| sums.rejected),
                difficulty_accepted: sums.map_or(0.0, |sums| sums.difficulty),
            })
        })
    }

    /// Every region that has shares, by name; the unnamed one first.
    pub fn share_counts_by_region(&mut self) -> Result<Vec<RegionShares>, StoreError> {
        self.catch_up()?;
        let mut by_region = BTreeMap::<Option<Arc<str>>, Sums>::new();
        for ((_, region), sums) in &self.sums {
            by_region.entry(region.clone()).or_default().add(*sums);
        }
        let rows = by_region.into_iter().map(|(region, sums)| RegionShares {
            region,
            shares_accepted: sums.accepted,
            shares_rejected: sums.rejected,
            difficulty_accepted: sums.difficulty,
        });
        Ok(rows.collect())
    }

    /// The latest blocks, newest first.
    pub fn recent_blocks(&self, limit: usize) -> Result<Vec<BlockRow>, StoreError> {
        let select = "SELECT hash, height, time_us, workers.name, connection, state, reason, submitted_us
             FROM blocks LEFT JOIN workers ON workers.id = worker ORDER BY blocks.id DESC LIMIT ?1";
        self.rows(select, [limit.cast_signed()], |row| {
            Ok(BlockRow {
                hash: hash(row, 0)?,
                height: row.get(1)?,
                time: time(row, 2)?,
                worker: row.get(3)?,
                connection: ConnectionId(row.get::<_, i64>(4)?.cast_unsigned()),
                state: parsed(row, 5, BlockState::from_name)?,
                reason: row.get(6)?,
                submitted: row.get::<_, Option<i64>>(7)?.map(|micros| Timestamp(micros.cast_unsigned())),
            })
        })
    }

    /// Blocks that no node has answered for, oldest first.
    pub fn pending_blocks(&self) -> Result<Vec<FoundBlock>, StoreError> {
        let select = "SELECT hash, height, time_us, workers.name, connection, block
             FROM blocks LEFT JOIN workers ON workers.id = worker WHERE state = ?1 ORDER BY blocks.id";
        self.rows(select, [BlockState::Pending.name()], |row| {
            let bytes = row.get_ref(5)?.as_blob()?;
            Ok(FoundBlock {
                hash: hash(row, 0)?.to_byte_array(),
                height: row.get(1)?,
                time: time(row, 2)?,
                worker: row.get(3)?,
                connection: ConnectionId(row.get::<_, i64>(4)?.cast_unsigned()),
                block: bitcoin::consensus::deserialize(bytes)
                    .map_err(|error| unreadable(5, Type::Blob, error))?,
            })
        })
    }

    /// The latest shares that do not count, newest first.
    pub fn rejects_recent(&self, limit: usize) -> Result<Vec<Share>, StoreError> {
        let select = select_shares(&format!(
            "WHERE verdict >= {FIRST_REJECT} ORDER BY shares.time_us DESC, shares.id DESC LIMIT ?1"
        ));
        self.rows(&select, [limit.cast_signed()], |row| share(row, 1))
    }

    /// Up to `limit` shares with numbers above `after`, oldest first: for
    /// whoever folds over the ledger and continues where it stopped.
    pub fn shares_after(&self, after: u64, limit: usize) -> Result<Vec<(u64, Share)>, StoreError> {
        let select = select_shares("WHERE shares.id > ?1 ORDER BY shares.id LIMIT ?2");
        self.rows(&select, params![after.cast_signed(), limit.cast_signed()], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), share(row, 1)?))
        })
    }

    /// Adds the shares that came since the last call to `sums`.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        let select = "SELECT worker, region, verdict < ?2, count(*), sum(difficulty_asked),
                             max(shares.time_us), max(shares.id)
             FROM shares LEFT JOIN connections ON connections.id = connection
             WHERE shares.id > ?1 GROUP BY 1, 2, 3";
        let news = self.rows(select, [self.through, FIRST_REJECT], |row| {
            let credited = row.get(2)?;
            let count = row.get::<_, i64>(3)?.cast_unsigned();
            let sums = Sums {
                accepted: if credited { count } else { 0 },
                rejected: if credited { 0 } else { count },
                difficulty: if credited { row.get::<_, Option<f64>>(4)?.unwrap_or(0.0) } else { 0.0 },
                last: time(row, 5)?,
            };
            Ok(((row.get(0)?, row.get(1)?), sums, row.get::<_, i64>(6)?))
        })?;
        for (key, sums, last_row) in news {
            self.sums.entry(key).or_default().add(sums);
            self.through = self.through.max(last_row);
        }
        Ok(())
    }

    fn rows<T>(
        &self,
        select: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = || self.db.prepare_cached(select)?.query_map(parameters, read)?.collect::<Result<_, _>>();
        rows().map_err(|source| StoreError::Sqlite { attempt: "read", path: self.path.clone(), source })
    }
}

/// A read-only connection to the ledger in `dir`, and its file.
pub(super) fn open(dir: &Path) -> Result<(Connection, PathBuf), StoreError> {
    let path = dir.join(schema::FILE_NAME);
    if !path.exists() {
        return Err(StoreError::Missing { dir: dir.to_owned() });
    }
    let connect = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags)?;
        db.busy_timeout(Duration::from_secs(5))?;
        Ok((schema::version(&db)?, db))
    };
    let known = schema::VERSION;
    match connect() {
        Ok((found, _)) if found > known => Err(StoreError::Newer { dir: dir.to_owned(), found, known }),
        Ok((found, _)) if found < known => Err(StoreError::Older { dir: dir.to_owned(), found, known }),
        Ok((_, db)) => Ok((db, path)),
        Err(source) => Err(StoreError::Sqlite { attempt: "open", path, source }),
    }
}

fn select_shares(which: &str) -> String {
    format!(
        "SELECT shares.id, shares.time_us, connection, workers.name, verdict, job, height, extranonce2,
                ntime, nonce, version, difficulty_asked, difficulty_reached, job_age_us, near_miss,
                near_miss_job
         FROM shares LEFT JOIN workers ON workers.id = worker {which}"
    )
}

/// The share whose columns begin at `at`, in the order of [`select_shares`].
fn share(row: &Row<'_>, at: usize) -> rusqlite::Result<Share> {
    let difficulty = |column| -> rusqlite::Result<Option<Difficulty>> {
        Ok(row.get::<_, Option<f64>>(column)?.and_then(Difficulty::new))
    };
    let near_miss_job: Option<u32> = row.get(at + 14)?;
    Ok(Share {
        time: time(row, at)?,
        connection: ConnectionId(row.get::<_, i64>(at + 1)?.cast_unsigned()),
        worker: row.get(at + 2)?,
        verdict: known(at + 3, codes::verdict(row.get(at + 3)?))?,
        job: row.get::<_, Option<u32>>(at + 4)?.map(JobId),
        height: row.get(at + 5)?,
        extranonce2: known(at + 6, Extranonce2::new(row.get_ref(at + 6)?.as_blob()?))?,
        ntime: row.get(at + 7)?,
        nonce: row.get(at + 8)?,
        version: row.get(at + 9)?,
        difficulty_asked: difficulty(at + 10)?,
        difficulty_reached: difficulty(at + 11)?,
        job_age_us: row.get::<_, i64>(at + 12)?.cast_unsigned(),
        near_miss: match row.get::<_, Option<i64>>(at + 13)? {
            Some(code) => Some(known(at + 13, codes::near_miss(code, near_miss_job))?),
            None => None,
        },
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp(row.get::<_, i64>(column)?.cast_unsigned()))
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<BlockHash> {
    parsed(row, column, |text| BlockHash::from_str(text).ok())
}

fn parsed<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    known(column, parse(row.get_ref(column)?.as_str()?))
}

fn known<T>(column: usize, value: Option<T>) -> rusqlite::Result<T> {
    value.ok_or_else(|| unreadable(column, Type::Null, "a value this version does not know"))
}

fn unreadable(
    column: usize,
    column_type: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, column_type, error.into())
}
