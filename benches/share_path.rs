//! One share through the pool on one core, and one new tip to 10,000 sessions.
//!
//! `submit` is the whole path: the line's bytes in, verdict, duplicate set,
//! event and reply bytes out, for a job with a 250-byte coinbase and 12 merkle
//! branches, each share a fresh valid one; `submit_32` is the same for 32 lines
//! that came in one read. The named reference is `hashing`:
//! the 45 SHA-256 compressions that any pool must do for that share, one after
//! the other. Every share is asserted to be accepted.
//!
//! Run: `cargo bench --bench share_path`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adit::block::{CoinbaseSpec, HeaderFields, Limits, Template, TemplateTransaction};
use adit::event::{ConnectionId, Extranonce2, JobId};
use adit::hash::{fold_branch, sha256d, sha256d_header};
use adit::pool::{Output, Pool, PoolSettings, Session, Work};
use adit::stratum::v1::{PoolMessage, Request, Submit, parse_line, parse_message, write_request};
use adit::units::{Difficulty, Timestamp};
use criterion::{BenchmarkId, Criterion, Throughput};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
const TRANSACTIONS: u32 = 3_000;
const SESSIONS: usize = 10_000;

fn work(tip: u8) -> Arc<Work> {
    let transaction = |n: u32| bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::from_consensus(n),
        input: vec![bitcoin::TxIn::default()],
        output: vec![],
    };
    let transactions = (0..TRANSACTIONS)
        .map(|n| TemplateTransaction::new(transaction(n), bitcoin::Amount::ZERO))
        .collect::<Vec<_>>();
    let seconds = NOW.unix_seconds() as u32;
    let template = Template {
        height: 840_000,
        prev_hash: [tip; 32],
        version: 0x2000_0000,
        nbits: 0x1703_4219,
        ntime_min: seconds - 600,
        ntime: seconds,
        coinbase_value: bitcoin::Amount::from_sat(312_500_000),
        transactions: transactions.into(),
        limits: Limits::CONSENSUS,
        segwit: true,
        demands: None,
    };
    Arc::new(Work::new(template, &coinbase_spec(), NOW).unwrap())
}

fn coinbase_spec() -> CoinbaseSpec {
    CoinbaseSpec {
        payees: vec![(bitcoin::ScriptBuf::from_bytes(vec![0; 22]), 1)],
        tag: "/adit/".into(),
        extranonce_bytes: 12,
        length: Some(250),
    }
}

fn pool() -> Arc<Pool> {
    let settings = PoolSettings { difficulty_initial: Difficulty::MIN, ..PoolSettings::default() };
    Arc::new(Pool::new(settings, [7; 32]))
}

/// A session at work on `work`, and the extranonce1 and job it was given.
fn session(pool: &Arc<Pool>, work: &Arc<Work>) -> (Session, Vec<u8>, JobId) {
    let mut session = Session::new(pool.clone(), ConnectionId(1), NOW);
    let mut out = Output::default();
    session.on_line(br#"{"id":1,"method":"mining.subscribe","params":["bench"]}"#, NOW, &mut out);
    let subscribed = out.bytes.trim_ascii_end().to_vec();
    session.on_line(br#"{"id":2,"method":"mining.authorize","params":["bench.worker"]}"#, NOW, &mut out);
    out.bytes.clear();
    session.on_work(work, NOW, &mut out);
    let Ok(PoolMessage::Response { result: Ok(answer), .. }) = parse_message(&subscribed) else {
        panic!("not subscribed")
    };
    let notify = out
        .bytes
        .split(|byte| *byte == b'\n')
        .find(|line| line.starts_with(b"{\"id\":null,\"method\":\"mining.n"));
    let Ok(PoolMessage::Job(job)) = parse_message(notify.expect("a job")) else { panic!("no job") };
    let job_id = JobId(u32::from_str_radix(&job.id, 16).unwrap());
    (session, answer.subscription().unwrap().extranonce1, job_id)
}

/// What any pool must hash for one share.
fn hash_share(work: &Work, extranonce1: &[u8], extranonce2: &[u8], nonce: u32) -> [u8; 32] {
    let header = HeaderFields {
        version: work.template.version,
        prev_hash: work.template.prev_hash,
        merkle_root: fold_branch(work.coinbase.txid(extranonce1, extranonce2), &work.branch),
        ntime: work.template.ntime,
        nbits: work.template.nbits,
        nonce,
    };
    sha256d_header(&header.to_bytes())
}

/// `count` valid submit lines, one extranonce2 each.
fn submit_lines(work: &Work, extranonce1: &[u8], job: JobId, count: u64) -> Vec<Vec<u8>> {
    let target = Difficulty::MIN.target();
    (0..count)
        .map(|n| {
            let extranonce2 = n.to_be_bytes();
            let is_share =
                |nonce: &u32| target.is_met_by(&hash_share(work, extranonce1, &extranonce2, *nonce));
            let submit = Submit {
                worker: "bench.worker".into(),
                job: Some(job),
                extranonce2: Extranonce2::new(&extranonce2),
                ntime: work.template.ntime,
                nonce: (0..).find(is_share).unwrap(),
                version_bits: None,
            };
            let mut line = Vec::new();
            write_request(&mut line, n, &Request::Submit(submit));
            line.pop();
            line
        })
        .collect()
}

fn share_path(criterion: &mut Criterion) {
    let work = work(1);
    assert_eq!(work.branch.len(), 12);
    assert_eq!(work.coinbase.len(12), 250);
    let pool = pool();
    let mut group = criterion.benchmark_group("share");
    group.throughput(Throughput::Elements(1)).sample_size(20).measurement_time(Duration::from_secs(2));

    let coinbase = vec![0x5a; 250];
    group.bench_function("hashing", |bencher| {
        bencher.iter(|| {
            let root = fold_branch(sha256d(black_box(&coinbase)), &work.branch);
            let mut header = [0; 80];
            header[36..68].copy_from_slice(&root);
            sha256d_header(&header)
        });
    });
    let (_, extranonce1, job) = session(&pool, &work);
    let line = submit_lines(&work, &extranonce1, job, 1).remove(0);
    group.bench_function("parse", |bencher| bencher.iter(|| parse_line(black_box(&line)).request.is_ok()));
    type Judge = fn(&mut Session, &[&[u8]], &mut Output);
    let singly: Judge = |session, lines, out| lines.iter().for_each(|line| session.on_line(line, NOW, out));
    let together: Judge = |session, lines, out| session.on_lines(lines, NOW, out);
    for (name, judge) in [("submit", singly), ("submit_32", together)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut session, extranonce1, job) = session(&pool, &work);
                let lines = submit_lines(&work, &extranonce1, job, iterations);
                let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
                let mut out = Output::default();
                let mut accepted = 0;
                let began = Instant::now();
                // A driver hands over a batch every few dozen shares.
                for batch in lines.chunks(32) {
                    judge(&mut session, batch, &mut out);
                    accepted +=
                        out.bytes.windows(13).filter(|text| text == b"\"result\":true").count() as u64;
                    black_box(&out.bytes);
                    out.bytes.clear();
                    out.events.clear();
                }
                let elapsed = began.elapsed();
                assert_eq!(accepted, iterations, "every share is accepted");
                elapsed
            });
        });
    }
    group.finish();
}

fn broadcast(criterion: &mut Criterion) {
    let pool = pool();
    let works = [work(1), work(2)];
    let mut sessions: Vec<Session> = (0..SESSIONS).map(|_| session(&pool, &works[0]).0).collect();
    let mut group = criterion.benchmark_group("notify");
    group.throughput(Throughput::Elements(SESSIONS as u64)).sample_size(20);
    let mut tip = 0;
    group.bench_function(BenchmarkId::new("new_tip", SESSIONS), |bencher| {
        bencher.iter(|| {
            tip += 1;
            let mut out = Output::default();
            for session in &mut sessions {
                out.bytes.clear();
                session.on_work(&works[tip % 2], NOW, &mut out);
                assert!(out.carries_job);
                black_box(&out.bytes);
            }
        });
    });
    group.finish();
}

/// Criterion's median of a benchmark of this run, in nanoseconds.
fn median(path: &str) -> Option<f64> {
    let root = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let file = std::path::Path::new(&root).join("criterion").join(path).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    share_path(&mut criterion);
    broadcast(&mut criterion);
    criterion.final_summary();
    if let (Some(hashing), Some(submit), Some(together), Some(parse), Some(notify)) = (
        median("share/hashing"),
        median("share/submit"),
        median("share/submit_32"),
        median("share/parse"),
        median("notify/new_tip/10000"),
    ) {
        println!(
            "submit line in, reply out: {submit:.0} ns, {:.2} x the hashing alone ({hashing:.0} ns)",
            submit / hashing
        );
        println!("of that, reading the line: {parse:.0} ns");
        println!("where 32 came in one read: {together:.0} ns each, {:.2} x", together / submit);
        println!("new tip to one of {SESSIONS} sessions: {:.0} ns", notify / SESSIONS as f64);
    }
}
