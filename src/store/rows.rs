//! Turns events into rows, inside a transaction that the writer opened.
//!
//! Shares are nearly all there is, so they alone are made fast: their values
//! are bound from where they lie, [`ROWS_PER_INSERT`] rows to a statement, and
//! a worker's name is turned into its number once per run of the same `Arc`.
//! Everything else is written by one plain statement per event.

use std::collections::HashMap;
use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Statement, params};
use serde_json::json;

use super::{BlockState, StateChange, codes};
use crate::event::{Event, FoundBlock, NearMiss, Share};
use crate::units::Timestamp;

/// Rows of one INSERT into `shares`: 16 % less CPU a share than one row at a
/// time; 64 or 128 gain nothing more.
const ROWS_PER_INSERT: usize = 32;

/// The columns of `shares` that are written, in the order of [`bind`].
const SHARE_COLUMNS: [&str; 15] = [
    "time_us",
    "connection",
    "worker",
    "verdict",
    "job",
    "height",
    "extranonce2",
    "ntime",
    "nonce",
    "version",
    "difficulty_asked",
    "difficulty_reached",
    "job_age_us",
    "near_miss",
    "near_miss_job",
];

/// Names kept in memory; beyond this they are looked up again. Miners choose
/// their names, so the number must not be theirs to choose.
const NAMES_MAX: usize = 262_144;

/// SQL texts and known names; everything else is in the database.
pub(super) struct Rows {
    insert_one: String,
    insert_many: String,
    workers: Workers,
}

impl Rows {
    pub fn new() -> Self {
        Self {
            insert_one: insert_shares(1),
            insert_many: insert_shares(ROWS_PER_INSERT),
            workers: Workers::default(),
        }
    }

    /// Forgets what a rolled back transaction may have made untrue.
    pub fn forget(&mut self) {
        self.workers = Workers::default();
    }

    /// Writes all `events`: their order is kept within each table.
    pub fn write_events<'a>(
        &mut self,
        db: &Connection,
        events: impl Iterator<Item = &'a Event>,
    ) -> rusqlite::Result<()> {
        let mut shares: Vec<(&Share, i64)> = Vec::with_capacity(events.size_hint().0);
        for event in events {
            match event {
                Event::Share(share) => {
                    shares.push((share, self.workers.number(db, &share.worker, share.time)?));
                }
                Event::BlockFound(block) => self.write_block(db, block)?,
                other => self.write_other(db, other)?,
            }
        }
        let (many, rest) = shares.as_chunks::<ROWS_PER_INSERT>();
        let mut insert = db.prepare_cached(&self.insert_many)?;
        for rows in many {
            for (at, (share, worker)) in rows.iter().enumerate() {
                bind(&mut insert, at, share, *worker)?;
            }
            insert.raw_execute()?;
        }
        let mut insert = db.prepare_cached(&self.insert_one)?;
        for (share, worker) in rest {
            bind(&mut insert, 0, share, *worker)?;
            insert.raw_execute()?;
        }
        Ok(())
    }

    /// Writes a block as pending, unless it is known already.
    pub fn write_block(&mut self, db: &Connection, found: &FoundBlock) -> rusqlite::Result<()> {
        let worker = self.workers.number(db, &found.worker, found.time)?;
        let insert = "INSERT INTO blocks (hash, height, time_us, worker, connection, state, block)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (hash) DO NOTHING";
        db.prepare_cached(insert)?
            .execute(params![
                bitcoin::BlockHash::from_byte_array(found.hash).to_string(),
                found.height,
                found.time.0.cast_signed(),
                worker,
                found.connection.0.cast_signed(),
                BlockState::Pending.name(),
                bitcoin::consensus::serialize(&found.block),
            ])
            .map(drop)
    }

    fn write_other(&mut self, db: &Connection, event: &Event) -> rusqlite::Result<()> {
        // A connection's row is made by whichever of its events comes first:
        // the batch that held an earlier one may have failed.
        match event {
            Event::Connected { time, connection, peer } => db
                .prepare_cached(
                    "INSERT INTO connections (id, opened_us, peer) VALUES (?1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET opened_us = ?2, peer = ?3",
                )?
                .execute(params![connection.0.cast_signed(), time.0.cast_signed(), peer.to_string()])
                .map(drop),
            Event::Subscribed { time, connection, user_agent, extranonce1, resumed } => db
                .prepare_cached(
                    "INSERT INTO connections (id, opened_us, user_agent, extranonce1, resumed)
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id)
                     DO UPDATE SET user_agent = ?3, extranonce1 = ?4, resumed = ?5",
                )?
                .execute(params![
                    connection.0.cast_signed(),
                    time.0.cast_signed(),
                    &**user_agent,
                    extranonce1,
                    resumed
                ])
                .map(drop),
            Event::Authorized { time, connection, worker, region } => {
                self.workers.number(db, worker, *time)?;
                if let Some(region) = region {
                    db.prepare_cached(
                        "INSERT INTO connections (id, opened_us, region) VALUES (?1, ?2, ?3)
                         ON CONFLICT (id) DO UPDATE SET region = ?3",
                    )?
                    .execute(params![
                        connection.0.cast_signed(),
                        time.0.cast_signed(),
                        &**region
                    ])?;
                }
                let detail = json!({ "worker": worker, "region": region });
                write_event(db, *time, connection.0, "authorized", &detail)
            }
            Event::DifficultyChanged { time, connection, difficulty, cause } => {
                let detail = json!({ "difficulty": difficulty, "cause": cause.name() });
                write_event(db, *time, connection.0, "difficulty_changed", &detail)
            }
            Event::BadLine { time, connection, reason } => {
                write_event(db, *time, connection.0, "bad_line", &json!({ "reason": reason }))
            }
            Event::Disconnected { time, connection, reason } => db
                .prepare_cached(
                    "INSERT INTO connections (id, opened_us, closed_us, close_reason)
                     VALUES (?1, ?2, ?2, ?3) ON CONFLICT (id)
                     DO UPDATE SET closed_us = ?2, close_reason = ?3",
                )?
                .execute(params![connection.0.cast_signed(), time.0.cast_signed(), reason.name()])
                .map(drop),
            Event::Share(_) | Event::BlockFound(_) => unreachable!("written by write_events"),
        }
    }
}

/// Sets a block's state; false when there is no such block.
pub(super) fn write_state(db: &Connection, change: &StateChange) -> rusqlite::Result<bool> {
    let update = "UPDATE blocks SET state = ?2, reason = ?3, submitted_us = ?4 WHERE hash = ?1";
    let changed = db.prepare_cached(update)?.execute(params![
        bitcoin::BlockHash::from_byte_array(change.hash).to_string(),
        change.state.name(),
        change.reason,
        change.time.0.cast_signed(),
    ])?;
    Ok(changed > 0)
}

fn write_event(
    db: &Connection,
    time: Timestamp,
    connection: u64,
    kind: &str,
    detail: &serde_json::Value,
) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO events (time_us, connection, kind, detail) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![time.0.cast_signed(), connection.cast_signed(), kind, detail.to_string()])
        .map(drop)
}

fn insert_shares(rows: usize) -> String {
    let row = format!("({})", ["?"; SHARE_COLUMNS.len()].join(", "));
    let columns = SHARE_COLUMNS.join(", ");
    format!("INSERT INTO shares ({columns}) VALUES {}", vec![row.as_str(); rows].join(", "))
}

/// Binds row number `row` of an insert into `shares`.
fn bind(insert: &mut Statement<'_>, row: usize, share: &Share, worker: i64) -> rusqlite::Result<()> {
    let integer = |value: i64| ToSqlOutput::Owned(Value::Integer(value));
    let real = |value: f64| ToSqlOutput::Owned(Value::Real(value));
    let null = ToSqlOutput::Owned(Value::Null);
    let values: [ToSqlOutput<'_>; SHARE_COLUMNS.len()] = [
        integer(share.time.0.cast_signed()),
        integer(share.connection.0.cast_signed()),
        integer(worker),
        integer(codes::of_verdict(share.verdict)),
        share.job.map_or(null.clone(), |job| integer(job.0.into())),
        integer(share.height.into()),
        ToSqlOutput::Borrowed(ValueRef::Blob(share.extranonce2.as_bytes())),
        integer(share.ntime.into()),
        integer(share.nonce.into()),
        integer(share.version.into()),
        share.difficulty_asked.map_or(null.clone(), |asked| real(asked.get())),
        share.difficulty_reached.map_or(null.clone(), |reached| real(reached.get())),
        integer(share.job_age_us.cast_signed()),
        share.near_miss.map_or(null.clone(), |near_miss| integer(codes::of_near_miss(near_miss))),
        match share.near_miss {
            Some(NearMiss::OtherJob { job }) => integer(job.0.into()),
            _ => null,
        },
    ];
    for (column, value) in values.into_iter().enumerate() {
        insert.raw_bind_parameter(row * SHARE_COLUMNS.len() + column + 1, value)?;
    }
    Ok(())
}

/// Workers' row numbers by name.
#[derive(Default)]
struct Workers {
    /// A connection's shares come in runs and share one `Arc`.
    last: Option<(Arc<str>, i64)>,
    by_name: HashMap<Arc<str>, i64>,
}

impl Workers {
    /// The row number of `name`, which gets a row if it has none.
    fn number(&mut self, db: &Connection, name: &Arc<str>, time: Timestamp) -> rusqlite::Result<i64> {
        if let Some((last, number)) = &self.last
            && Arc::ptr_eq(last, name)
        {
            return Ok(*number);
        }
        let number = match self.by_name.get(name) {
            Some(number) => *number,
            None => {
                if self.by_name.len() >= NAMES_MAX {
                    self.by_name.clear();
                }
                let number = find_or_insert(db, name, time)?;
                self.by_name.insert(Arc::clone(name), number);
                number
            }
        };
        self.last = Some((Arc::clone(name), number));
        Ok(number)
    }
}

fn find_or_insert(db: &Connection, name: &str, time: Timestamp) -> rusqlite::Result<i64> {
    let known = db
        .prepare_cached("SELECT id FROM workers WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(number) = known {
        return Ok(number);
    }
    db.prepare_cached("INSERT INTO workers (name, first_seen_us) VALUES (?1, ?2)")?
        .insert(params![name, time.0.cast_signed()])
}
