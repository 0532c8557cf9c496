//! The shape of `adit.sqlite`: its version, and how older ones become the latest.
//!
//! `PRAGMA user_version` counts the migrations that were applied. Each runs in
//! one transaction with its count, so a crash leaves the version before or the
//! one after. A migration that was released is never edited; add another.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::codes;
use super::error::StoreError;
use crate::event::JobId;

/// The database's name within a data directory.
pub(super) const FILE_NAME: &str = "adit.sqlite";

/// In order; the schema version is how many were applied.
const MIGRATIONS: &[&str] = &[include_str!("v1.sql")];

/// The schema version this program writes and reads.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Which schema version a database has.
pub(super) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the database in `dir` to [`VERSION`]; a newer one is refused.
pub(super) fn migrate(db: &mut Connection, dir: &Path) -> Result<(), StoreError> {
    let failed = |attempt| move |source| StoreError::Sqlite { attempt, path: dir.join(FILE_NAME), source };
    let found = version(db).map_err(failed("open"))?;
    if found > VERSION {
        return Err(StoreError::Newer { dir: dir.to_owned(), found, known: VERSION });
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip_while(|(version, _)| *version <= found) {
        apply(db, migration, version).map_err(failed("migrate"))?;
        if found > 0 {
            tracing::info!(dir = %dir.display(), "ledger brought to schema {version}");
        }
    }
    name_codes(db).map_err(failed("open"))
}

fn apply(db: &mut Connection, migration: &str, version: i64) -> rusqlite::Result<()> {
    let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

/// Names every code this version may write. At each opening rather than in a
/// migration: a new verdict is a row, not a new shape.
fn name_codes(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
    for verdict in codes::verdicts() {
        transaction.execute(
            "INSERT OR IGNORE INTO verdicts (code, name, credited) VALUES (?1, ?2, ?3)",
            params![codes::of_verdict(verdict), verdict.name(), verdict.is_accepted()],
        )?;
    }
    for near_miss in codes::near_misses(JobId(0)) {
        transaction.execute(
            "INSERT OR IGNORE INTO near_misses (code, name) VALUES (?1, ?2)",
            params![codes::of_near_miss(near_miss), near_miss.name()],
        )?;
    }
    transaction.commit()
}
