//! Connection ids that are never used twice in a data directory.
//!
//! An id is handed out before anything about its connection is stored, so ids
//! are reserved on disk ahead of use, [`BLOCK`] at a time: after `kill -9` the
//! next process starts above the reservation. A clean close gives the unused
//! rest back, so the gaps in the numbers tell of crashes.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::error::StoreFault;
use crate::event::ConnectionId;

/// Ids reserved in one write. The writer reserves more when half are left,
/// with the next transaction.
const BLOCK: u64 = 65_536;

/// Ids from `next` up to but without `reserved` may be handed out.
#[derive(Debug, Clone, Copy)]
struct Range {
    next: u64,
    reserved: u64,
}

/// The reserved ids of this process.
#[derive(Debug)]
pub(super) struct ConnectionIds(Mutex<Range>);

impl ConnectionIds {
    /// Continues above every id that was ever reserved or used.
    pub fn open(db: &Connection) -> rusqlite::Result<Self> {
        let select = "SELECT max((SELECT value FROM meta WHERE key = 'next_connection_id'),
                                 (SELECT coalesce(max(id), 0) + 1 FROM connections))";
        let next: i64 = db.query_row(select, [], |row| row.get(0))?;
        let next = next.cast_unsigned();
        let ids = Self(Mutex::new(Range { next, reserved: next }));
        let reserved = ids.reserve(db)?;
        ids.reserved(reserved);
        Ok(ids)
    }

    /// The next id, and whether the writer should be woken to reserve more.
    pub fn next(&self) -> (Result<ConnectionId, StoreFault>, bool) {
        let mut range = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if range.next == range.reserved {
            return (Err(StoreFault::NoConnectionIds), true);
        }
        let id = ConnectionId(range.next);
        range.next += 1;
        (Ok(id), range.reserved - range.next == BLOCK / 2)
    }

    /// Reserves more in the open transaction if needed. Returns the new bound,
    /// to be passed to [`Self::reserved`] once that is committed.
    pub fn reserve(&self, db: &Connection) -> rusqlite::Result<u64> {
        let Range { next, reserved } = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reserved - next > BLOCK / 2 {
            return Ok(reserved);
        }
        write(db, reserved + BLOCK)?;
        Ok(reserved + BLOCK)
    }

    /// The reservation up to `bound` is on disk.
    pub fn reserved(&self, bound: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reserved = bound;
    }

    /// Ends the reservation at what was handed out.
    pub fn give_back(&self, db: &Connection) -> rusqlite::Result<()> {
        let mut range = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        range.reserved = range.next;
        write(db, range.next)
    }
}

fn write(db: &Connection, next: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'next_connection_id'")?
        .execute([next.cast_signed()])
        .map(drop)
}
