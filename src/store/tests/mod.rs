//! The ledger's promises, kept through closing, full disks and strangers.

mod crash;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::Hash as _;
use proptest::prelude::*;

use super::queue::Work;
use super::*;
use crate::event::{CloseReason, DifficultyCause, Extranonce2, JobId, NearMiss, Reject, Share, Verdict};
use crate::units::Difficulty;

/// A directory that is removed with the value.
pub(super) fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(dir, Options { synchronous: Synchronous::Normal, ..Options::default() }).expect("opens")
}

pub(super) fn share(connection: u64, nonce: u32, verdict: Verdict) -> Share {
    Share {
        time: Timestamp(1_700_000_000_000_000 + u64::from(nonce)),
        connection: ConnectionId(connection),
        worker: Arc::from(format!("alice.rig{connection}")),
        verdict,
        job: Some(JobId(7)),
        height: 840_000,
        extranonce2: Extranonce2::new(&[1, 2, 3, 4]).expect("short"),
        ntime: 1_700_000_000,
        nonce,
        version: 0x2000_0000,
        difficulty_asked: Difficulty::new(1024.0),
        difficulty_reached: Difficulty::new(1500.5),
        job_age_us: 2_500_000,
        near_miss: None,
    }
}

fn shares(connection: u64, nonces: std::ops::Range<u32>) -> Vec<Event> {
    nonces.map(|nonce| Event::Share(Box::new(share(connection, nonce, Verdict::Accepted)))).collect()
}

pub(super) fn found(height: u32) -> FoundBlock {
    let mut block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    block.header.nonce = height;
    FoundBlock {
        time: Timestamp(1_700_000_000_000_000),
        connection: ConnectionId(3),
        worker: Arc::from("alice.rig3"),
        height,
        hash: block.block_hash().to_byte_array(),
        block,
    }
}

fn nonces(dir: &Path) -> Vec<(u64, u32)> {
    let rows = Reader::open(dir).unwrap().shares_after(0, usize::MAX >> 1).unwrap();
    rows.into_iter().map(|(_, share)| (share.connection.0, share.nonce)).collect()
}

/// The disk is full from here on, or has room again.
fn fill_disk(store: &Store, full: bool) {
    let tamper: fn(&Connection) = if full {
        |db| drop(db.query_row("PRAGMA max_page_count = 1", [], |_| Ok(())))
    } else {
        |db| drop(db.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())))
    };
    // The transaction that comes with it may fail or not.
    let _ = store.shared.queue.push(Work::Tamper(tamper)).wait();
}

#[test]
fn what_was_acknowledged_is_there_after_reopening() {
    let dir = directory();
    let store = open(dir.path());
    store.append(shares(1, 0..100)).wait().unwrap();
    // Visible at once to a reader, and after the end of the process.
    assert_eq!(nonces(dir.path()).len(), 100);
    drop(store);
    let store = open(dir.path());
    store.append(shares(2, 0..7)).wait().unwrap();
    store.close();
    let expected = (0..100).map(|nonce| (1, nonce)).chain((0..7).map(|nonce| (2, nonce)));
    assert_eq!(nonces(dir.path()), expected.collect::<Vec<_>>());
    let db = Connection::open(dir.path().join("adit.sqlite")).unwrap();
    let page_bytes: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    assert_eq!(page_bytes, 16_384);
}

#[test]
fn closing_stores_what_waits_and_takes_nothing_more() {
    let dir = directory();
    let store = Store::open(dir.path(), Options { gather: Duration::from_secs(60), ..Options::default() });
    let store = store.unwrap();
    let acks: Vec<Ack> = (0..5).map(|batch| store.append(shares(batch, 0..3))).collect();
    store.close();
    for ack in acks {
        ack.wait().unwrap();
    }
    assert!(matches!(store.append(shares(9, 0..1)).wait(), Err(StoreFault::Closed)));
    assert_eq!(nonces(dir.path()).len(), 15);
}

#[test]
fn every_batch_of_every_thread_is_there_once_and_in_order() {
    const BATCHES: u32 = 60;
    const ROWS: u32 = 33;
    let dir = directory();
    let store = open(dir.path());
    std::thread::scope(|scope| {
        for connection in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for batch in 0..BATCHES {
                    store.append(shares(connection, batch * ROWS..(batch + 1) * ROWS)).wait().unwrap();
                }
            });
        }
    });
    store.close();
    let all = nonces(dir.path());
    for connection in 0..8 {
        let of_one: Vec<u32> = all.iter().filter(|row| row.0 == connection).map(|row| row.1).collect();
        assert_eq!(of_one, (0..BATCHES * ROWS).collect::<Vec<_>>(), "connection {connection}");
    }
}

#[tokio::test]
async fn acknowledgements_can_be_awaited() {
    let dir = directory();
    let store = open(dir.path());
    let acks: Vec<Ack> = (0..10).map(|connection| store.append(shares(connection, 0..5))).collect();
    for ack in acks {
        ack.await.unwrap();
    }
    assert_eq!(nonces(dir.path()).len(), 50);
}

#[test]
fn a_full_disk_is_told_to_everyone_and_got_over() {
    let dir = directory();
    let store = open(dir.path());
    store.append(shares(1, 0..10)).wait().unwrap();
    assert!(store.fault().is_none());

    fill_disk(&store, true);
    let acks: Vec<Ack> =
        (0..20).map(|batch| store.append(shares(2, batch * 500..(batch + 1) * 500))).collect();
    let refused: Vec<usize> =
        acks.into_iter().enumerate().filter_map(|(at, ack)| ack.wait().err().map(|_| at)).collect();
    assert!(!refused.is_empty(), "10,000 shares found room in a full disk");
    let fault = store.append(shares(2, 10_000..12_000)).wait().unwrap_err();
    assert!(matches!(fault, StoreFault::Write { .. }), "{fault}");
    assert!(fault.to_string().contains("full"), "{fault}");
    assert!(store.fault().is_some());

    fill_disk(&store, false);
    store.append(shares(3, 0..2000)).wait().unwrap();
    assert!(store.fault().is_none());
    store.close();
    // What was refused is absent, all else is there.
    let stored = nonces(dir.path());
    for batch in 0..20 {
        let first = (2, batch as u32 * 500);
        assert_eq!(stored.contains(&first), !refused.contains(&batch), "batch {batch}");
    }
    assert_eq!(stored.iter().filter(|row| row.0 == 1 || row.0 == 3).count(), 2010);
    assert!(!stored.contains(&(2, 10_000)));
    // A worker that was first named in a failed transaction has its row now.
    let totals = Reader::open(dir.path()).unwrap().worker_totals().unwrap();
    assert!(totals.iter().any(|totals| &*totals.worker == "alice.rig3" && totals.shares_accepted == 2000));
}

#[test]
fn a_newer_ledger_is_refused_and_left_alone() {
    let dir = directory();
    drop(open(dir.path()));
    let db = Connection::open(dir.path().join("adit.sqlite")).unwrap();
    db.pragma_update(None, "user_version", 7).unwrap();
    let text = format!(
        "data directory {} was written by a newer adit (schema 7, this one knows {}); \
         use that version or another --data DIR",
        dir.path().display(),
        schema::VERSION,
    );
    assert_eq!(Store::open(dir.path(), Options::default()).unwrap_err().to_string(), text);
    assert_eq!(Reader::open(dir.path()).unwrap_err().to_string(), text);
    assert_eq!(schema::version(&db).unwrap(), 7);
}

#[test]
fn an_empty_database_becomes_a_ledger() {
    let dir = directory();
    let db = Connection::open(dir.path().join("adit.sqlite")).unwrap();
    db.execute_batch("PRAGMA user_version = 0; VACUUM").unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::Older { found: 0, .. })));
    let store = open(dir.path());
    store.append(shares(1, 0..1)).wait().unwrap();
    assert_eq!(schema::version(&db).unwrap(), schema::VERSION);
}

#[test]
fn a_directory_has_one_writer() {
    let dir = directory();
    let store = open(dir.path());
    let error = Store::open(dir.path(), Options::default()).unwrap_err().to_string();
    let process = std::process::id();
    assert!(error.contains(&format!("in use by another adit (process {process})")), "{error}");
    drop(store);
    drop(open(dir.path()));
}

#[test]
fn without_a_ledger_there_is_nothing_to_read() {
    let dir = directory();
    let error = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("no adit.sqlite"), "{error}");
    assert!(!dir.path().join("adit.sqlite").exists());
}

#[test]
fn connection_ids_are_never_used_twice() {
    let dir = directory();
    let store = open(dir.path());
    assert_eq!(store.next_connection_id().unwrap(), ConnectionId(1));
    assert_eq!(store.next_connection_id().unwrap(), ConnectionId(2));
    // A crash: another process begins with what is on disk at this moment.
    let copy = directory();
    for name in ["adit.sqlite", "adit.sqlite-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    assert!(open(copy.path()).next_connection_id().unwrap() > ConnectionId(2));
    // A clean end leaves no gap.
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.next_connection_id().unwrap(), ConnectionId(3));
    // An id in use beyond the counter is not given out again either.
    let peer = "127.0.0.1:3333".parse().unwrap();
    let connected = Event::Connected { time: Timestamp(1), connection: ConnectionId(500_000), peer };
    store.append(vec![connected]).wait().unwrap();
    drop(store);
    assert_eq!(open(dir.path()).next_connection_id().unwrap(), ConnectionId(500_001));
}

#[test]
fn reserved_connection_ids_do_not_run_out_while_the_disk_works() {
    let dir = directory();
    let store = open(dir.path());
    let mut last = 0;
    for _ in 0..4 {
        for _ in 0..40_000 {
            let id = store.next_connection_id().unwrap().0;
            assert_eq!(id, last + 1);
            last = id;
        }
        store.append(Vec::new()).wait().unwrap();
    }
}

#[test]
fn pending_blocks_come_back_until_a_node_answered() {
    let dir = directory();
    let store = open(dir.path());
    for height in 1..=4 {
        store.record_block(found(height)).wait().unwrap();
    }
    // Known already: left as it is, whichever way it comes.
    let answer = |height: u32, state, reason: Option<&str>| {
        let hash = found(height).hash;
        let time = Timestamp(9);
        store.set_block_state(StateChange { time, hash, state, reason: reason.map(str::to_owned) }).wait()
    };
    answer(1, BlockState::Accepted, None).unwrap();
    answer(3, BlockState::Refused, Some("bad-cb-height")).unwrap();
    store
        .append(vec![Event::BlockFound(Box::new(found(1))), Event::BlockFound(Box::new(found(5)))])
        .wait()
        .unwrap();
    assert!(matches!(answer(77, BlockState::Side, None), Err(StoreFault::UnknownBlock(_))));
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.pending_blocks().unwrap(), [found(2), found(4), found(5)]);
    let blocks = store.reader().unwrap().recent_blocks(10).unwrap();
    let states: Vec<_> = blocks.iter().map(|block| (block.height, block.state)).collect();
    let pending = BlockState::Pending;
    assert_eq!(
        states,
        [(5, pending), (4, pending), (3, BlockState::Refused), (2, pending), (1, BlockState::Accepted)]
    );
    assert_eq!(blocks[2].reason.as_deref(), Some("bad-cb-height"));
    assert_eq!(blocks[2].submitted, Some(Timestamp(9)));
    assert_eq!(serde_json::to_value(&blocks[2]).unwrap()["hash"], blocks[2].hash.to_string());
}

#[test]
fn a_block_does_not_wait_for_the_group() {
    let dir = directory();
    let options = Options { gather: Duration::from_secs(3600), ..Options::default() };
    let store = Store::open(dir.path(), options).unwrap();
    let ack = store.append(shares(1, 0..1));
    store.record_block(found(1)).wait().unwrap();
    assert_eq!(nonces(dir.path()), []);
    store.close();
    ack.wait().unwrap();
}

#[test]
fn a_connection_is_told_by_its_row_and_its_events() {
    let dir = directory();
    let store = open(dir.path());
    let (time, connection) = (Timestamp(10), ConnectionId(1));
    let events = vec![
        Event::Connected { time, connection, peer: "[::1]:3333".parse().unwrap() },
        Event::Subscribed {
            time,
            connection,
            user_agent: "cgminer/4.12".into(),
            extranonce1: "0a0b".into(),
            resumed: true,
        },
        Event::Authorized { time, connection, worker: "bob".into(), region: Some("kz".into()) },
        Event::DifficultyChanged {
            time,
            connection,
            difficulty: Difficulty::ONE,
            cause: DifficultyCause::Vardiff,
        },
        Event::BadLine { time, connection, reason: "no \"id\"".into() },
        Event::Disconnected { time: Timestamp(20), connection, reason: CloseReason::SlowReader },
    ];
    store.append(events).wait().unwrap();
    let db = Connection::open(dir.path().join("adit.sqlite")).unwrap();
    let row: String = db
        .query_row(
            "SELECT concat_ws('|', opened_us, closed_us, peer, user_agent, extranonce1, resumed, region,
                              close_reason) FROM connections",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(row, "10|20|[::1]:3333|cgminer/4.12|0a0b|1|kz|slow_reader");
    let mut events = db.prepare("SELECT kind || ' ' || detail FROM events ORDER BY id").unwrap();
    let events: Vec<String> =
        events.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(
        events,
        [
            r#"authorized {"region":"kz","worker":"bob"}"#,
            r#"difficulty_changed {"cause":"vardiff","difficulty":1.0}"#,
            r#"bad_line {"reason":"no \"id\""}"#,
        ]
    );
}

#[test]
fn totals_follow_the_ledger() {
    let dir = directory();
    let store = open(dir.path());
    let mut reader = store.reader().unwrap();
    assert_eq!(reader.worker_totals().unwrap(), []);
    let authorized = |connection, region: Option<&str>| Event::Authorized {
        time: Timestamp(1),
        connection: ConnectionId(connection),
        worker: format!("alice.rig{connection}").into(),
        region: region.map(Arc::from),
    };
    store
        .append(vec![authorized(1, Some("kz")), authorized(2, Some("kz")), authorized(3, None)])
        .wait()
        .unwrap();
    for round in 0..3 {
        let mut batch = shares(1, 0..10);
        batch.push(Event::Share(Box::new(share(2, round, Verdict::Rejected(Reject::Stale)))));
        batch.push(Event::Share(Box::new(share(3, round, Verdict::AcceptedLate))));
        store.append(batch).wait().unwrap();
        let n = u64::from(round) + 1;
        let totals = reader.worker_totals().unwrap();
        let counts: Vec<_> = totals
            .iter()
            .map(|row| (&*row.worker, row.shares_accepted, row.shares_rejected, row.difficulty_accepted))
            .collect();
        let credit = 1024.0 * n as f64;
        assert_eq!(
            counts,
            [
                ("alice.rig1", 10 * n, 0, 10.0 * credit),
                ("alice.rig2", 0, n, 0.0),
                ("alice.rig3", n, 0, credit)
            ]
        );
        let regions = reader.share_counts_by_region().unwrap();
        let counts: Vec<_> = regions
            .iter()
            .map(|row| (row.region.as_deref(), row.shares_accepted, row.shares_rejected))
            .collect();
        assert_eq!(counts, [(None, n, 0), (Some("kz"), 10 * n, n)]);
    }
}

#[test]
fn rejects_come_newest_first_with_their_near_miss() {
    let dir = directory();
    let store = open(dir.path());
    let mut missed = share(1, 5, Verdict::Rejected(Reject::LowDifficulty));
    missed.near_miss = Some(NearMiss::OtherJob { job: JobId(u32::MAX) });
    let stale = share(1, 9, Verdict::Rejected(Reject::Stale));
    let both = [&missed, &stale].map(|share| Event::Share(Box::new(share.clone())));
    store.append([both.to_vec(), shares(1, 20..200)].concat()).wait().unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.rejects_recent(10).unwrap(), [stale.clone(), missed]);
    assert_eq!(reader.rejects_recent(1).unwrap(), [stale]);
}

fn any_share() -> impl Strategy<Value = Share> {
    let verdict = proptest::sample::select(codes::verdicts().collect::<Vec<_>>());
    let near_miss = any::<u32>().prop_flat_map(|job| {
        proptest::option::of(proptest::sample::select(codes::near_misses(JobId(job)).to_vec()))
    });
    let difficulty = || {
        let extremes = [f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0, 0.1, 9_007_199_254_740_993.0];
        prop_oneof![any::<f64>(), proptest::sample::select(extremes.to_vec())]
            .prop_map(|value| Difficulty::new(value.abs()))
    };
    let extranonce2 = proptest::collection::vec(any::<u8>(), 0..=Extranonce2::BYTES_MAX);
    (
        (any::<u64>(), any::<u64>(), ".*|\0.*|[a-z]{0,3}", verdict, proptest::option::of(any::<u32>())),
        (any::<u32>(), extranonce2, any::<[u32; 3]>(), difficulty(), difficulty()),
        (any::<u64>(), near_miss),
    )
        .prop_map(
            |(
                (time, connection, worker, verdict, job),
                (height, extranonce2, [ntime, nonce, version], difficulty_asked, difficulty_reached),
                (job_age_us, near_miss),
            )| Share {
                time: Timestamp(time),
                connection: ConnectionId(connection),
                worker: worker.into(),
                verdict,
                job: job.map(JobId),
                height,
                extranonce2: Extranonce2::new(&extranonce2).expect("within the limit"),
                ntime,
                nonce,
                version,
                difficulty_asked,
                difficulty_reached,
                job_age_us,
                near_miss,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_share_reads_back_as_it_was(shares in proptest::collection::vec(any_share(), 0..100)) {
        let dir = directory();
        let store = open(dir.path());
        store.append(shares.iter().cloned().map(|share| Event::Share(Box::new(share))).collect()).wait().unwrap();
        store.close();
        let rows = Reader::open(dir.path()).unwrap().shares_after(0, 1000).unwrap();
        prop_assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), (1..=shares.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(rows.into_iter().map(|row| row.1).collect::<Vec<_>>(), shares);
    }
}
