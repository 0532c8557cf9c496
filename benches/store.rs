//! How many shares a second the ledger takes, and what a share costs its writer.
//!
//! 64 connections hand in batches of 500 shares, each its next one when the
//! last is acknowledged, as sessions do. The reference is the same rows in the
//! simplest program: one statement a row, one transaction, no flush at the end.
//!
//! `cargo bench --bench store -- [connections] [shares a batch] [batches]`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adit::event::{ConnectionId, Event, Extranonce2, JobId, Share, Verdict};
use adit::store::{Options, Reader, Store, Synchronous};
use adit::units::{Difficulty, Timestamp};

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let load = Load { connections: number(0, 64), shares: number(1, 500), batches: number(2, 40) };
    println!(
        "{} connections, {} batches of {} shares each: {} rows",
        load.connections,
        load.batches,
        load.shares,
        load.rows()
    );
    let reference = std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("plain".into()).spawn_scoped(scope, || plain_sqlite(&load));
        thread.expect("a thread").join().expect("no panic")
    });
    println!("plain SQLite, one insert a row, never flushed: {:6.0} ns a row   1.00", reference);
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        let run = measure(&load, synchronous);
        let per_row = |span: Duration| span.as_nanos() as f64 / load.rows() as f64;
        let cpu = run.writer_cpu.map_or(f64::NAN, per_row);
        println!(
            "store, synchronous {synchronous:?}: {:.0} rows/s, {cpu:.0} ns of the writer's CPU a row   {:.2}; \
             acknowledged within {:.1} ms (median), {:.1} ms (99 %)",
            load.rows() as f64 / run.wall.as_secs_f64(),
            cpu / reference,
            run.ack_ms(0.5),
            run.ack_ms(0.99),
        );
    }
}

struct Load {
    connections: usize,
    shares: usize,
    batches: usize,
}

impl Load {
    fn rows(&self) -> usize {
        self.connections * self.shares * self.batches
    }

    fn batch(&self, worker: &Arc<str>, connection: usize, batch: usize) -> Vec<Event> {
        let first = batch * self.shares;
        (first..first + self.shares).map(|n| Event::Share(Box::new(share(worker, connection, n)))).collect()
    }
}

fn share(worker: &Arc<str>, connection: usize, n: usize) -> Share {
    let scattered = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Share {
        time: Timestamp(1_700_000_000_000_000 + n as u64 * 1000),
        connection: ConnectionId(connection as u64),
        worker: Arc::clone(worker),
        verdict: Verdict::Accepted,
        job: Some(JobId((n / 100) as u32)),
        height: 840_000,
        extranonce2: Extranonce2::new(&scattered.to_le_bytes()).expect("8 bytes"),
        ntime: 1_700_000_000,
        nonce: scattered as u32,
        version: 0x2000_0000,
        difficulty_asked: Difficulty::new(16_384.0),
        difficulty_reached: Difficulty::new(16_384.0 + scattered as f64 / 1e15),
        job_age_us: scattered % 30_000_000,
        near_miss: None,
    }
}

struct Run {
    wall: Duration,
    writer_cpu: Option<Duration>,
    acks: Vec<Duration>,
}

impl Run {
    fn ack_ms(&self, quantile: f64) -> f64 {
        self.acks[((self.acks.len() - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3
    }
}

fn measure(load: &Load, synchronous: Synchronous) -> Run {
    let dir = tempfile::tempdir_in(".").expect("a directory on a real disk");
    let store = Store::open(dir.path(), Options { synchronous, ..Options::default() }).expect("opens");
    // All made before the clock starts: making shares is not the store's work.
    let work: Vec<Vec<Vec<Event>>> = (0..load.connections)
        .map(|connection| {
            let worker = Arc::from(format!("alice.rig{connection}"));
            (0..load.batches).map(|batch| load.batch(&worker, connection, batch)).collect()
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let (began, cpu_before) = (Instant::now(), cpu_of("adit-store"));
    let store = Arc::new(store);
    let tasks: Vec<_> = work
        .into_iter()
        .map(|batches| {
            let store = Arc::clone(&store);
            runtime.spawn(async move {
                let mut acks = Vec::with_capacity(batches.len());
                for batch in batches {
                    let handed_in = Instant::now();
                    store.append(batch).await.expect("stored");
                    acks.push(handed_in.elapsed());
                }
                acks
            })
        })
        .collect();
    let mut acks: Vec<Duration> =
        tasks.into_iter().flat_map(|task| runtime.block_on(task).expect("no panic")).collect();
    let wall = began.elapsed();
    // Before it first ran, the thread may not have had its name.
    let writer_cpu = cpu_of("adit-store").map(|after| after - cpu_before.unwrap_or_default());
    store.close();
    acks.sort();
    let totals = Reader::open(dir.path()).and_then(|mut reader| reader.worker_totals()).expect("reads");
    let stored: u64 = totals.iter().map(|row| row.shares_accepted).sum();
    assert_eq!(stored, load.rows() as u64, "every acknowledged share is there once");
    Run { wall, writer_cpu, acks }
}

/// CPU time of the thread with this name; `None` where /proc does not tell.
fn cpu_of(name: &str) -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?.flatten().map(|task| task.path());
    let named =
        |task: &PathBuf| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name);
    let schedstat = std::fs::read_to_string(tasks.into_iter().find(named)?.join("schedstat")).ok()?;
    schedstat.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// CPU nanoseconds a row when nothing is done that need not be.
fn plain_sqlite(load: &Load) -> f64 {
    let epoch = Instant::now();
    let dir = tempfile::tempdir_in(".").expect("a directory on a real disk");
    let db = rusqlite::Connection::open(dir.path().join("plain.sqlite")).expect("opens");
    db.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = off;
         CREATE TABLE shares (id INTEGER PRIMARY KEY, a, b, c, d, e, f, g, h, i, j, k REAL, l REAL, m, n, o);
         BEGIN",
    )
    .expect("a table");
    let worker: Arc<str> = Arc::from("alice.rig0");
    let shares: Vec<Share> = (0..load.rows().min(1_000_000)).map(|n| share(&worker, 0, n)).collect();
    let mut insert = db
        .prepare("INSERT INTO shares VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)")
        .expect("an insert");
    let clock = || cpu_of("plain").unwrap_or_else(|| epoch.elapsed());
    let began = clock();
    for share in &shares {
        insert
            .execute(rusqlite::params![
                share.time.0 as i64,
                share.connection.0 as i64,
                1,
                0,
                share.job.map(|job| job.0),
                share.height,
                share.extranonce2.as_bytes(),
                share.ntime,
                share.nonce,
                share.version,
                share.difficulty_asked.map(Difficulty::get),
                share.difficulty_reached.map(Difficulty::get),
                share.job_age_us as i64,
            ])
            .expect("a row");
    }
    db.execute_batch("COMMIT").expect("a commit");
    (clock() - began).as_nanos() as f64 / shares.len() as f64
}
