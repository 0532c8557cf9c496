//! Tables for other tools: CSV to look at, Parquet to compute with.
//!
//! One list of columns per table drives both formats, so they cannot differ.
//! Shares are read in pages, each a short transaction of its own: memory stays
//! bounded by one page, and a server writes on meanwhile. An export holds the
//! shares that were committed when it began.

mod csv;
mod parquet;

use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use rusqlite::{Connection, Row};

use super::error::StoreError;
use super::reader;

/// Rows read in one transaction, and rows of a Parquet row group. A row group
/// of shares is about 10 MB in memory and 2 MB on disk.
const PAGE_ROWS: usize = 65_536;

/// Which table to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// One row per submission.
    Shares,
    /// One row per found block, without the block's bytes.
    Blocks,
    /// One row per worker, with its totals.
    Workers,
}

/// How to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with a header line; missing values are empty.
    Csv,
    /// Typed columns, compressed with zstd.
    Parquet,
}

/// A name that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of {}", names.join(", "))]
pub struct UnknownName {
    text: String,
    names: &'static [&'static str],
}

impl What {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["shares", "blocks", "workers"];
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Shares, Self::Blocks, Self::Workers];
}

impl Format {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["csv", "parquet"];
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Csv, Self::Parquet];
}

fn by_name<T: Copy>(text: &str, names: &'static [&str], all: &[T]) -> Result<T, UnknownName> {
    let at = names.iter().position(|name| *name == text);
    at.map(|at| all[at]).ok_or_else(|| UnknownName { text: text.to_owned(), names })
}

impl FromStr for What {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        by_name(text, Self::NAMES, Self::ALL)
    }
}

impl FromStr for Format {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        by_name(text, Self::NAMES, Self::ALL)
    }
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it is written to takes no more.
    #[error("cannot write the export: {0}")]
    Output(#[from] std::io::Error),
    /// The Parquet encoder failed, mostly because of what it writes to.
    #[error("cannot write the Parquet export: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// SQLite refused while reading, or a row holds what no version of adit writes.
    #[error("cannot read the ledger: {0}")]
    Ledger(#[from] rusqlite::Error),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Microseconds since the Unix epoch. In CSV twice: `NAME_us`, and `NAME` in RFC 3339.
    Time,
    Integer,
    Real,
    Text,
    /// In CSV as hexadecimal.
    Bytes,
}

struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: false }
}

const fn nullable(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: true }
}

struct Table {
    /// What is exported, in the order of the select.
    columns: &'static [Column],
    /// The row's number, then the columns; for rows above `?1` up to `?2`, at most `?3`.
    select: &'static str,
    /// The highest row number.
    last: &'static str,
    /// Rows of one select; all of them where a page would repeat work.
    page: Option<usize>,
}

const SHARES: Table = Table {
    columns: &[
        column("time", Kind::Time),
        column("connection_id", Kind::Integer),
        column("worker", Kind::Text),
        nullable("region", Kind::Text),
        column("verdict", Kind::Text),
        nullable("job_id", Kind::Integer),
        column("height", Kind::Integer),
        column("extranonce2", Kind::Bytes),
        column("ntime_unix_s", Kind::Integer),
        column("nonce", Kind::Integer),
        column("version", Kind::Integer),
        nullable("difficulty_asked", Kind::Real),
        nullable("difficulty_reached", Kind::Real),
        column("job_age_us", Kind::Integer),
        nullable("near_miss", Kind::Text),
        nullable("near_miss_job_id", Kind::Integer),
    ],
    select: "SELECT shares.id, shares.time_us, connection, workers.name, region, verdicts.name, job,
                    height, extranonce2, ntime, nonce, version, difficulty_asked, difficulty_reached,
                    job_age_us, near_misses.name, near_miss_job
             FROM shares
             LEFT JOIN workers     ON workers.id = worker
             LEFT JOIN connections ON connections.id = connection
             LEFT JOIN verdicts    ON verdicts.code = verdict
             LEFT JOIN near_misses ON near_misses.code = near_miss
             WHERE shares.id > ?1 AND shares.id <= ?2 ORDER BY shares.id LIMIT ?3",
    last: "SELECT coalesce(max(id), 0) FROM shares",
    page: Some(PAGE_ROWS),
};

const BLOCKS: Table = Table {
    columns: &[
        column("time", Kind::Time),
        column("height", Kind::Integer),
        column("hash", Kind::Text),
        column("worker", Kind::Text),
        column("connection_id", Kind::Integer),
        nullable("region", Kind::Text),
        column("state", Kind::Text),
        nullable("reason", Kind::Text),
        nullable("submitted", Kind::Time),
    ],
    select: "SELECT blocks.id, time_us, height, hash, workers.name, connection, region, state, reason,
                    submitted_us
             FROM blocks
             LEFT JOIN workers     ON workers.id = worker
             LEFT JOIN connections ON connections.id = connection
             WHERE blocks.id > ?1 AND blocks.id <= ?2 ORDER BY blocks.id LIMIT ?3",
    last: "SELECT coalesce(max(id), 0) FROM blocks",
    page: Some(PAGE_ROWS),
};

const WORKERS: Table = Table {
    columns: &[
        column("worker", Kind::Text),
        column("first_seen", Kind::Time),
        nullable("last_share", Kind::Time),
        column("shares_accepted", Kind::Integer),
        column("shares_rejected", Kind::Integer),
        column("difficulty_accepted", Kind::Real),
    ],
    // 2 is the lowest code of a reject.
    select: "SELECT id, name, first_seen_us, last_us, coalesce(accepted, 0), coalesce(rejected, 0),
                    coalesce(difficulty, 0.0)
             FROM workers LEFT JOIN (
                 SELECT worker, max(time_us) AS last_us, sum(verdict < 2) AS accepted,
                        sum(verdict >= 2) AS rejected,
                        sum(difficulty_asked) FILTER (WHERE verdict < 2) AS difficulty
                 FROM shares GROUP BY worker
             ) ON worker = id
             WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
    last: "SELECT coalesce(max(id), 0) FROM workers",
    page: None,
};

/// Takes the rows of a table in order.
trait Sink {
    /// `row` holds the columns from number 1 on.
    fn row(&mut self, row: &Row<'_>) -> Result<(), ExportError>;
    /// Writes what is still held back.
    fn finish(self) -> Result<(), ExportError>;
}

/// Writes a table of the ledger in `dir` to `out`; works while a server writes there.
///
/// Returns the number of rows. Reads and writes block.
pub fn export(
    dir: impl AsRef<Path>,
    what: What,
    format: Format,
    out: impl Write + Send,
) -> Result<u64, ExportError> {
    let table = match what {
        What::Shares => &SHARES,
        What::Blocks => &BLOCKS,
        What::Workers => &WORKERS,
    };
    // Before a header is written: what cannot be read exports nothing.
    let (db, _) = reader::open(dir.as_ref())?;
    match format {
        Format::Csv => copy(&db, table, csv::Csv::new(table.columns, out)?),
        Format::Parquet => copy(&db, table, parquet::Parquet::new(table.columns, out)?),
    }
}

fn copy(db: &Connection, table: &Table, mut sink: impl Sink) -> Result<u64, ExportError> {
    let last: i64 = db.query_row(table.last, [], |row| row.get(0))?;
    let mut select = db.prepare(table.select)?;
    let page = table.page.map_or(-1, usize::cast_signed);
    let (mut at, mut count) = (0, 0);
    while at < last {
        let before = at;
        let mut rows = select.query([at, last, page as i64])?;
        while let Some(row) = rows.next()? {
            at = row.get(0)?;
            sink.row(row)?;
            count += 1;
        }
        if at == before {
            break;
        }
    }
    sink.finish()?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use ::parquet::basic::LogicalType;
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::Field;

    use super::*;
    use crate::event::{ConnectionId, Event, Reject, Verdict};
    use crate::store::tests::{directory, found, open, share};
    use crate::units::Timestamp;

    /// A ledger with one good and one strange share, and a block.
    fn ledger(dir: &Path) {
        let store = open(dir);
        let mut strange = share(2, 8, Verdict::Rejected(Reject::UnknownJob));
        strange.worker = Arc::from("bob, \"the\" ünïcode\nrig");
        (strange.job, strange.difficulty_asked, strange.difficulty_reached) = (None, None, None);
        let region = Event::Authorized {
            time: Timestamp(1_700_000_000_000_000),
            connection: ConnectionId(1),
            worker: Arc::from("alice.rig1"),
            region: Some(Arc::from("kz")),
        };
        let shares = [share(1, 7, Verdict::Accepted), strange].map(|share| Event::Share(Box::new(share)));
        store.append([vec![region], shares.to_vec()].concat()).wait().unwrap();
        store.record_block(found(9)).wait().unwrap();
    }

    fn csv(dir: &Path, what: What) -> String {
        let mut out = Vec::new();
        export(dir, what, Format::Csv, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_is_readable_text() {
        let dir = directory();
        ledger(dir.path());
        assert_eq!(
            csv(dir.path(), What::Shares),
            "time_us,time,connection_id,worker,region,verdict,job_id,height,extranonce2,ntime_unix_s,nonce,\
             version,difficulty_asked,difficulty_reached,job_age_us,near_miss,near_miss_job_id\n\
             1700000000000007,2023-11-14T22:13:20.000007Z,1,alice.rig1,kz,accepted,7,840000,01020304,\
             1700000000,7,536870912,1024.0,1500.5,2500000,,\n\
             1700000000000008,2023-11-14T22:13:20.000008Z,2,\"bob, \"\"the\"\" ünïcode\nrig\",,unknown_job,,\
             840000,01020304,1700000000,8,536870912,,,2500000,,\n"
        );
        let hash = super::super::Reader::open(dir.path()).unwrap().recent_blocks(1).unwrap()[0].hash;
        assert_eq!(
            csv(dir.path(), What::Blocks),
            format!(
                "time_us,time,height,hash,worker,connection_id,region,state,reason,submitted_us,submitted\n\
                 1700000000000000,2023-11-14T22:13:20Z,9,{hash},alice.rig3,3,,pending,,,\n"
            )
        );
        let workers = csv(dir.path(), What::Workers);
        assert!(workers.contains(
            "alice.rig1,1700000000000000,2023-11-14T22:13:20Z,1700000000000007,\
             2023-11-14T22:13:20.000007Z,1,0,1024.0\n"
        ));
        assert_eq!(workers.lines().count(), 1 + 3 + 1, "a name may contain a line break");
    }

    #[test]
    fn parquet_reads_back_with_its_types() {
        let dir = directory();
        ledger(dir.path());
        let path = dir.path().join("shares.parquet");
        assert_eq!(
            export(dir.path(), What::Shares, Format::Parquet, File::create(&path).unwrap()).unwrap(),
            2
        );
        let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let schema = file.metadata().file_metadata().schema_descr();
        assert!(matches!(
            schema.column(0).logical_type_ref(),
            Some(LogicalType::Timestamp(time)) if time.is_adjusted_to_u_t_c
        ));
        assert_eq!(schema.column(2).logical_type_ref(), Some(&LogicalType::String));
        let rows: Vec<_> = file.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let field = |row: usize, name: &str| {
            let found = rows[row].get_column_iter().find(|(column, _)| *column == name);
            found.unwrap_or_else(|| panic!("no column {name}")).1.clone()
        };
        assert_eq!(field(0, "time"), Field::TimestampMicros(1_700_000_000_000_007));
        assert_eq!(field(0, "region"), Field::Str("kz".into()));
        assert_eq!(field(0, "difficulty_reached"), Field::Double(1500.5));
        assert_eq!(field(0, "extranonce2"), Field::Bytes(vec![1, 2, 3, 4].into()));
        assert_eq!(field(1, "worker"), Field::Str("bob, \"the\" ünïcode\nrig".into()));
        assert_eq!(field(1, "verdict"), Field::Str("unknown_job".into()));
        for name in ["region", "job_id", "difficulty_asked", "near_miss", "near_miss_job_id"] {
            assert_eq!(field(1, name), Field::Null, "{name}");
        }
    }

    #[test]
    fn pages_join_without_gap_or_repeat_while_a_server_writes() {
        let dir = directory();
        let store = open(dir.path());
        let rows = PAGE_ROWS as u32 + 3;
        let batch = |nonces: std::ops::Range<u32>| -> Vec<Event> {
            nonces.map(|nonce| Event::Share(Box::new(share(1, nonce, Verdict::Accepted)))).collect()
        };
        store.append(batch(0..rows)).wait().unwrap();
        let text = std::thread::scope(|scope| {
            scope.spawn(|| (0..50).for_each(|_| store.append(batch(0..100)).wait().unwrap()));
            csv(dir.path(), What::Shares)
        });
        let nonce = |line: &str| line.split(',').nth(10).unwrap().parse::<u32>().unwrap();
        let nonces: Vec<u32> = text.lines().skip(1).take(rows as usize).map(nonce).collect();
        assert_eq!(nonces, (0..rows).collect::<Vec<_>>());
        let path = dir.path().join("shares.parquet");
        let all = u64::from(rows) + 50 * 100;
        assert_eq!(
            export(dir.path(), What::Shares, Format::Parquet, File::create(&path).unwrap()).unwrap(),
            all
        );
        let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(file.metadata().num_row_groups(), 2);
        assert_eq!(file.metadata().file_metadata().num_rows(), all as i64);
    }

    #[test]
    fn an_empty_ledger_exports_empty_tables() {
        let dir = directory();
        drop(open(dir.path()));
        for what in What::ALL {
            assert_eq!(csv(dir.path(), *what).lines().count(), 1, "{what:?}");
            let mut out = Vec::new();
            assert_eq!(export(dir.path(), *what, Format::Parquet, &mut out).unwrap(), 0);
            assert!(out.starts_with(b"PAR1") && out.ends_with(b"PAR1"));
        }
    }

    #[test]
    fn names_lead_to_variants() {
        for (name, what) in What::NAMES.iter().zip(What::ALL) {
            assert_eq!(name.parse(), Ok(*what));
        }
        for (name, format) in Format::NAMES.iter().zip(Format::ALL) {
            assert_eq!(name.parse(), Ok(*format));
        }
        let error = "share".parse::<What>().unwrap_err().to_string();
        assert_eq!(error, "`share` is none of shares, blocks, workers");
    }

    #[test]
    fn an_output_that_takes_no_more_is_an_error() {
        let dir = directory();
        ledger(dir.path());
        for format in Format::ALL {
            let mut room = [0; 10];
            assert!(export(dir.path(), What::Shares, *format, &mut room[..]).is_err(), "{format:?}");
        }
    }
}
