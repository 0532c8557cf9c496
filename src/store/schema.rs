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

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../docs/store.md");

    fn ledger() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, Path::new("memory")).unwrap();
        db
    }

    #[test]
    fn every_column_is_in_the_guide() {
        let db = ledger();
        let columns = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name <> 'meta'";
        let mut columns = db.prepare(columns).unwrap();
        let mut rows = columns.query([]).unwrap();
        let mut seen = 0;
        while let Some(row) = rows.next().unwrap() {
            let (table, column): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            let (_, section) = GUIDE.split_once(&format!("\n### {table}\n")).expect(&table);
            let section = section.split("\n#").next().unwrap_or_default();
            assert!(section.contains(&format!("\n| {column} |")), "{table}.{column}");
            seen += 1;
        }
        assert!(seen > 40, "{seen} columns");
    }

    #[test]
    fn the_queries_of_the_guide_run() {
        let db = ledger();
        let (_, queries) = GUIDE.split_once("```sql\n").expect("queries");
        let (queries, _) = queries.split_once("```").expect("an end of the queries");
        for query in queries.split_inclusive(";\n") {
            db.prepare(query).and_then(|mut query| query.query([])?.next().map(drop)).expect(query);
        }
    }

    #[test]
    fn migrations_are_applied_once() {
        let mut db = ledger();
        migrate(&mut db, Path::new("memory")).unwrap();
        assert_eq!(version(&db).unwrap(), VERSION);
        let names: i64 = db.query_row("SELECT count(*) FROM verdicts", [], |row| row.get(0)).unwrap();
        assert_eq!(names, codes::verdicts().count() as i64);
    }

    #[test]
    fn the_latest_rejects_are_found_by_index() {
        let plan = "EXPLAIN QUERY PLAN SELECT id FROM shares WHERE verdict >= 2 ORDER BY time_us DESC";
        let plan: String = ledger().query_row(plan, [], |row| row.get(3)).unwrap();
        assert!(plan.contains("shares_rejected"), "{plan}");
    }
}
