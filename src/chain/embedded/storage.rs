//! The chain on disk: one SQLite file, `chain.sqlite`.
//!
//! A block, the coins it changes and the new tip are one transaction with
//! `synchronous=FULL`, so a process killed at any moment leaves the chain at
//! a block boundary. The file is locked while open: two chains writing one
//! file would each believe in coins the other has spent. Without a directory
//! the same schema lives in memory.
//!
//! Invariant: `coins` are the unspent outputs at `meta.tip`, and every block
//! on the way there that is not pruned has its undo data.

use std::path::{Path, PathBuf};

use bitcoin::block::Header;
use bitcoin::consensus::{Decodable, deserialize, serialize};
use bitcoin::hashes::Hash as _;
use bitcoin::pow::Work;
use bitcoin::{Block, OutPoint, Transaction};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::coins::{Changes, Coin, Coins, Undo, decode_undo, encode_undo};
use super::index::Entry;
use crate::chain::ChainError;
use crate::hash::Hash;

/// Version of the schema below; raised when it changes.
const SCHEMA_VERSION: i64 = 1;

/// The database's name in the data directory.
const FILE_NAME: &str = "chain.sqlite";

const SCHEMA: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    -- In order of arrival: parents before children.
    CREATE TABLE blocks (
        sequence INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        height INTEGER NOT NULL,
        header BLOB NOT NULL,
        work BLOB NOT NULL,      -- of the chain up to this block, 256 bits, big endian
        coinbase BLOB NOT NULL,
        body BLOB,               -- the whole block; NULL when pruned
        undo BLOB                -- the coins it spent; NULL when pruned or never connected
    );
    CREATE INDEX blocks_with_body ON blocks (height) WHERE body IS NOT NULL;
    CREATE TABLE coins (outpoint BLOB PRIMARY KEY, coin BLOB NOT NULL) WITHOUT ROWID;
";

/// What a chain resumes from.
pub(super) struct Stored {
    /// All blocks, parents before children.
    pub entries: Vec<Entry>,
    /// The coins at the tip.
    pub coins: Coins,
    /// The best chain's last block.
    pub tip: Hash,
}

/// One step of the chain, written as a whole.
pub(super) struct Step<'a> {
    /// The block that arrived.
    pub entry: &'a Entry,
    /// Its transactions and all.
    pub block: &'a Block,
    /// Undo data of the blocks that were connected.
    pub undos: &'a [(Hash, Undo)],
    /// The coins that changed.
    pub changes: &'a Changes,
    /// The best chain's last block from now on.
    pub tip: Hash,
    /// Blocks at and below this height lose their bodies.
    pub prune_to: Option<u32>,
}

/// An open database.
#[derive(Debug)]
pub(super) struct Storage {
    connection: Connection,
    path: PathBuf,
}

impl Storage {
    /// Opens or creates the database of a chain with this fingerprint.
    pub fn open(dir: Option<&Path>, fingerprint: &str) -> Result<Self, ChainError> {
        let path = dir.map_or_else(|| PathBuf::from(":memory:"), |dir| dir.join(FILE_NAME));
        let opening = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                ChainError::InUse { path: path.clone() }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                ChainError::Damaged { path: path.clone(), what: source.to_string() }
            }
            _ => ChainError::Storage { context: format!("cannot open {}", path.display()), source },
        };
        let connection = Connection::open(&path).map_err(opening)?;
        connection.busy_timeout(std::time::Duration::ZERO).map_err(opening)?;
        for (pragma, value) in
            [("locking_mode", "EXCLUSIVE"), ("journal_mode", "WAL"), ("synchronous", "FULL")]
        {
            connection.pragma_update(None, pragma, value).map_err(opening)?;
        }
        // The first write takes the lock and keeps it.
        connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(opening)?;
        let mut storage = Self { connection, path };
        storage.prepare(fingerprint)?;
        Ok(storage)
    }

    fn prepare(&mut self, fingerprint: &str) -> Result<(), ChainError> {
        let context = format!("cannot read {}", self.path.display());
        let failed = |source| ChainError::Storage { context: context.clone(), source };
        let version: i64 =
            self.connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        let tables: i64 = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(failed)?;
        if version == 0 && tables == 0 {
            let transaction = self.connection.transaction().map_err(failed)?;
            transaction.execute_batch(SCHEMA).map_err(failed)?;
            transaction
                .execute("INSERT INTO meta VALUES ('fingerprint', ?)", [fingerprint])
                .map_err(failed)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
            return transaction.commit().map_err(failed);
        }
        if version != SCHEMA_VERSION {
            return Err(ChainError::OtherVersion {
                path: self.path.clone(),
                found: version,
                known: SCHEMA_VERSION,
            });
        }
        let found: String = self
            .connection
            .query_row("SELECT value FROM meta WHERE key = 'fingerprint'", [], |row| row.get(0))
            .map_err(failed)?;
        if found != fingerprint {
            let (path, wanted) = (self.path.clone(), fingerprint.to_owned());
            return Err(ChainError::OtherChain { path, found, wanted });
        }
        Ok(())
    }

    /// Everything a chain needs to resume; `None` when nothing was written yet.
    pub fn load(&self) -> Result<Option<Stored>, ChainError> {
        let tip = self
            .connection
            .query_row("SELECT value FROM meta WHERE key = 'tip'", [], |row| row.get::<_, Hash>(0))
            .optional()
            .map_err(|source| self.failed("read the tip of", source))?;
        let Some(tip) = tip else { return Ok(None) };
        let rows = self.rows("SELECT header, height, work FROM blocks ORDER BY sequence", |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u32>(1)?, row.get::<_, [u8; 32]>(2)?))
        })?;
        let entry = |(header, height, work): (Vec<u8>, u32, [u8; 32])| {
            let header: Header =
                deserialize(&header).map_err(|_| self.damaged(format!("header at height {height}")))?;
            let hash = header.block_hash().to_byte_array();
            Ok(Entry { hash, height, header, work: Work::from_be_bytes(work) })
        };
        let entries = rows.into_iter().map(entry).collect::<Result<Vec<_>, ChainError>>()?;
        let rows = self.rows("SELECT outpoint, coin FROM coins", |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        let coin = |(outpoint, coin): (Vec<u8>, Vec<u8>)| {
            let pair = OutPoint::consensus_decode(&mut &outpoint[..]).ok().zip(Coin::decode(&mut &coin[..]));
            pair.ok_or_else(|| self.damaged("a coin that cannot be read".to_owned()))
        };
        let coins = rows.into_iter().map(coin).collect::<Result<Coins, ChainError>>()?;
        Ok(Some(Stored { entries, coins, tip }))
    }

    /// Writes one step; nothing of it is there unless all of it is.
    pub fn write(&mut self, step: &Step) -> Result<(), ChainError> {
        let context = format!("cannot write block {} to {}", step.entry.height, self.path.display());
        self.write_step(step).map_err(|source| ChainError::Storage { context, source })
    }

    fn write_step(&mut self, step: &Step) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let entry = step.entry;
        transaction
            .prepare_cached(
                "INSERT INTO blocks (hash, height, header, work, coinbase, body) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                entry.hash,
                entry.height,
                serialize(&entry.header),
                entry.work.to_be_bytes(),
                serialize(&step.block.txdata[0]),
                serialize(step.block),
            ])?;
        {
            let mut set_undo = transaction.prepare_cached("UPDATE blocks SET undo = ? WHERE hash = ?")?;
            for (hash, undo) in step.undos {
                set_undo.execute(params![encode_undo(undo), hash])?;
            }
            let mut make = transaction.prepare_cached("INSERT OR REPLACE INTO coins VALUES (?, ?)")?;
            let mut spend = transaction.prepare_cached("DELETE FROM coins WHERE outpoint = ?")?;
            let mut bytes = Vec::new();
            for (outpoint, coin) in step.changes {
                let outpoint = serialize(outpoint);
                match coin {
                    Some(coin) => {
                        bytes.clear();
                        coin.encode(&mut bytes);
                        make.execute(params![outpoint, bytes])?;
                    }
                    None => drop(spend.execute([outpoint])?),
                }
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('tip', ?)")?
                .execute([step.tip])?;
            if let Some(height) = step.prune_to {
                transaction
                    .prepare_cached(
                        "UPDATE blocks SET body = NULL, undo = NULL WHERE height <= ? AND body IS NOT NULL",
                    )?
                    .execute([height])?;
            }
        }
        transaction.commit()
    }

    /// A block's body, unless it was pruned.
    pub fn block(&self, hash: &Hash) -> Result<Option<Block>, ChainError> {
        let bytes: Option<Vec<u8>> = self.blob("SELECT body FROM blocks WHERE hash = ?", hash)?;
        let decode =
            |bytes: Vec<u8>| deserialize(&bytes).map_err(|_| self.damaged("a block body".to_owned()));
        bytes.map(decode).transpose()
    }

    /// A block's coinbase, which is never pruned.
    pub fn coinbase(&self, hash: &Hash) -> Result<Option<Transaction>, ChainError> {
        let bytes: Option<Vec<u8>> = self.blob("SELECT coinbase FROM blocks WHERE hash = ?", hash)?;
        let decode = |bytes: Vec<u8>| deserialize(&bytes).map_err(|_| self.damaged("a coinbase".to_owned()));
        bytes.map(decode).transpose()
    }

    /// The coins that a connected block spent.
    pub fn undo(&self, hash: &Hash) -> Result<Option<Undo>, ChainError> {
        let bytes: Option<Vec<u8>> = self.blob("SELECT undo FROM blocks WHERE hash = ?", hash)?;
        let decode = |bytes: Vec<u8>| decode_undo(&bytes).ok_or_else(|| self.damaged("undo data".to_owned()));
        bytes.map(decode).transpose()
    }

    /// The error for what contradicts itself.
    pub fn damaged(&self, what: String) -> ChainError {
        ChainError::Damaged { path: self.path.clone(), what }
    }

    fn blob(&self, query: &str, hash: &Hash) -> Result<Option<Vec<u8>>, ChainError> {
        let read = |query: &str| {
            self.connection.prepare_cached(query)?.query_row([hash], |row| row.get(0)).optional()
        };
        read(query).map(Option::flatten).map_err(|source| self.failed("read a block from", source))
    }

    fn rows<T>(
        &self,
        query: &str,
        read: impl Fn(&rusqlite::Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ChainError> {
        let all = || -> rusqlite::Result<Vec<T>> {
            self.connection.prepare(query)?.query_map([], |row| read(row))?.collect()
        };
        all().map_err(|source| self.failed("read", source))
    }

    fn failed(&self, what: &str, source: rusqlite::Error) -> ChainError {
        ChainError::Storage { context: format!("cannot {what} {}", self.path.display()), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_one_chain_one_version_and_one_process() {
        let dir = tempfile::tempdir().unwrap();
        let open = |fingerprint| Storage::open(Some(dir.path()), fingerprint);
        let first = open("regtest").unwrap();
        assert!(matches!(open("regtest"), Err(ChainError::InUse { .. })));
        drop(first);
        let message = open("mainnet-like").unwrap_err().to_string();
        assert!(message.contains("holds the chain `regtest`, but `mainnet-like`"), "{message}");
        open("regtest").unwrap().connection.pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(open("regtest"), Err(ChainError::OtherVersion { found: 2, known: 1, .. })));
    }

    #[test]
    fn what_is_no_database_is_said_to_be_damaged() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), "no database".repeat(1000)).unwrap();
        assert!(matches!(Storage::open(Some(dir.path()), "regtest"), Err(ChainError::Damaged { .. })));
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = Storage::open(Some(Path::new("/nonexistent")), "regtest").unwrap_err();
        assert!(error.to_string().starts_with("cannot open /nonexistent/chain.sqlite"), "{error}");
    }
}
