//! `kill -9` at any moment loses no share that was answered, and no block.
//!
//! Each round starts the pool on the same directory, loads it with pipelined
//! shares from several connections, and kills it: after a random count of
//! answers, or the moment a block is answered. From then on every share that a
//! miner saw accepted must be in the ledger, once, and if it was a block, that
//! too; in the end every block of the ledger is in the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adit::chain::embedded::{EmbeddedChain, Params};
use adit::miner::{Client, ClientConfig, ClientEvent, ClientOutput, Lane, PoolVerdict, Search, Share};
use adit::store::{BlockRow, BlockState, Reader};
use adit::units::{Difficulty, Timestamp};
use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::program::{DEADLINE, Serve, Wire, data_dir, poll};

const ROUNDS: usize = 20;
const CONNECTIONS: usize = 4;

/// Shares that a connection has under way.
const PIPELINED: usize = 24;

/// Every other round is killed after up to so many answers.
const ANSWERS_MAX: usize = 2_000;

/// Some 4,300 hashes a block and 4 a share: about one share in a thousand is a block.
const BLOCK_DIFFICULTY: f64 = 1e-6;

const CONFIG: &str = "
[chain]
difficulty = 1e-6
[difficulty]
initial = 1e-9
vardiff = false
";

/// What identifies a share: extranonce1, job, extranonce2, ntime, nonce.
type Key = (String, u32, String, u32, u32);

fn key(share: &Share) -> Key {
    let extranonce1 = adit::stratum::v1::hex::encode(&share.job.extranonce.extranonce1);
    let job = u32::from_str_radix(&share.job.notice.id, 16).unwrap();
    (extranonce1.to_string(), job, format!("{:?}", share.extranonce2), share.ntime, share.nonce)
}

/// A share that was accepted, and its hash if it is a block.
type Accepted = (Key, Option<BlockHash>);

/// What the miners have heard in a round.
#[derive(Default)]
struct Heard {
    answers: AtomicUsize,
    blocks: AtomicUsize,
}

/// Mines until the connection ends; returns the shares whose `true` it read.
fn mine(address: SocketAddr, number: usize, heard: &Heard) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let Ok(mut wire) = Wire::connect(address) else { return accepted };
    let mut client = Client::new(ClientConfig {
        user: format!("crash.{number}").into(),
        password: "x".into(),
        user_agent: "crash/1".into(),
        version_rolling: false,
        suggest_difficulty: None,
        extranonce_subscribe: false,
    });
    let now = Timestamp::from_unix_seconds(0);
    let mut search: Option<Search> = None;
    let mut under_way = BTreeMap::new();
    let mut out = ClientOutput::default();
    client.connect(&mut out);
    loop {
        while let Some(search) = search.as_mut().filter(|_| under_way.len() < PIPELINED) {
            let share = search.run(u64::MAX).expect("shares are plenty");
            let id = client.submit(&share, now, &mut out).expect("it is mining");
            let block = share.is_block().then(|| BlockHash::from_byte_array(share.hash));
            under_way.insert(id, (key(&share), block));
        }
        if wire.send(std::mem::take(&mut out.bytes)).is_err() {
            return accepted;
        }
        let Some(line) = wire.line() else { return accepted };
        client.on_line(line.trim_end().as_bytes(), now, &mut out);
        for event in out.events.drain(..) {
            match event {
                ClientEvent::NewJob { job, .. } => match &mut search {
                    Some(search) => search.take_up(job, None),
                    none => *none = Some(Search::new(job, None, Lane::ONLY, 0)),
                },
                ClientEvent::Answered { submission, verdict, .. } => {
                    let share = under_way.remove(&submission).expect("an answer to a share");
                    match verdict {
                        PoolVerdict::Accepted => {
                            heard.blocks.fetch_add(usize::from(share.1.is_some()), Ordering::Relaxed);
                            accepted.push(share);
                        }
                        PoolVerdict::Rejected(error) => {
                            assert_eq!(error.message, "Stale share", "{share:?}");
                        }
                    }
                    heard.answers.fetch_add(1, Ordering::Relaxed);
                }
                ClientEvent::Ready | ClientEvent::Unanswered(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Every share of the ledger, with whether each of its rows is credited.
fn stored(data: &Path) -> BTreeMap<Key, Vec<bool>> {
    let db = rusqlite::Connection::open(data.join("adit.sqlite")).unwrap();
    let select = "SELECT extranonce1, job, extranonce2, ntime, nonce, credited
         FROM shares_named JOIN connections ON connections.id = connection";
    let mut statement = db.prepare(select).unwrap();
    let rows = statement.query_map([], |row| {
        Ok(((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?), row.get(5)?))
    });
    let mut stored = BTreeMap::<Key, Vec<bool>>::new();
    for row in rows.unwrap() {
        let (key, credited) = row.unwrap();
        stored.entry(key).or_default().push(credited);
    }
    stored
}

fn all_blocks(reader: &Reader) -> Vec<BlockRow> {
    reader.recent_blocks(usize::MAX >> 1).unwrap()
}

/// The height of the highest block that the chain took.
fn highest_accepted(reader: &Reader) -> u32 {
    let blocks = all_blocks(reader);
    let accepted = blocks.iter().filter(|block| block.state == BlockState::Accepted);
    accepted.map(|block| block.height).max().unwrap_or(0)
}

/// What must hold of a pool that was started on the remains of the last.
fn check_restarted(pool: &Serve, data: &Path, accepted: &BTreeMap<Key, Option<BlockHash>>) {
    let stored = stored(data);
    let credited = |key| stored.get(key).map(Vec::as_slice) == Some(&[true]);
    let lost: Vec<_> = accepted.keys().filter(|key| !credited(*key)).collect();
    assert!(lost.is_empty(), "{} of {} accepted shares lost: {lost:?}", lost.len(), accepted.len());

    let reader = Reader::open(data).unwrap();
    let recorded: BTreeSet<_> = all_blocks(&reader).iter().map(|block| block.hash).collect();
    for block in accepted.values().flatten() {
        assert!(recorded.contains(block), "block {block} was answered and is not in the ledger");
    }
    let highest = highest_accepted(&reader);
    let status = pool.api("status");
    let height = status["tip"]["height"].as_u64().unwrap() as u32;
    assert!(height >= highest, "the tip is at {height}, block {highest} is lost");
    assert_eq!(status["work"]["height"], height + 1);
    poll("blocks without an answer are submitted again", || {
        reader.pending_blocks().unwrap().is_empty().then_some(())
    });
    assert_eq!(pool.get("/healthz"), "ok\n");
}

#[test]
fn no_share_and_no_block_is_lost_when_the_pool_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let data = data_dir(dir.path());
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut accepted = BTreeMap::new();
    for round in 0..ROUNDS {
        let pool = Serve::start(dir.path(), CONFIG);
        check_restarted(&pool, &data, &accepted);
        let heard = Arc::new(Heard::default());
        let miners: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let (address, heard) = (pool.v1, heard.clone());
                std::thread::spawn(move || mine(address, number, &heard))
            })
            .collect();
        if round % 2 == 0 {
            let enough = rng.random_range(0..ANSWERS_MAX);
            poll("answers", || (heard.answers.load(Ordering::Relaxed) >= enough).then_some(()));
            // Not right after an answer each time.
            std::thread::sleep(Duration::from_micros(rng.random_range(0..20_000)));
        } else {
            poll("a block", || (heard.blocks.load(Ordering::Relaxed) > 0).then_some(()));
        }
        // Nobody else has the ledger open: the next pool finds it as a crash leaves it.
        pool.kill();
        for miner in miners {
            for (key, block) in miner.join().unwrap() {
                assert!(accepted.insert(key.clone(), block).is_none(), "accepted twice: {key:?}");
            }
        }
    }
    assert!(accepted.len() > ROUNDS * 100, "only {} shares", accepted.len());

    let pool = Serve::start(dir.path(), CONFIG);
    check_restarted(&pool, &data, &accepted);
    pool.kill();
    check_chain(&data);
}

/// Every block of the ledger is in the chain, as the ledger says.
fn check_chain(data: &Path) {
    let difficulty = Difficulty::new(BLOCK_DIFFICULTY).unwrap();
    let params = Params::regtest().with_difficulty(difficulty);
    let chain = EmbeddedChain::open(Some(data), params, Timestamp::from_unix_seconds(0)).unwrap();
    let mut accepted = 0;
    for block in all_blocks(&Reader::open(data).unwrap()) {
        let confirmations = chain.confirmations(&block.hash.to_byte_array());
        match block.state {
            BlockState::Accepted => {
                assert!(confirmations.is_some_and(|count| count > 0), "{block:?}: {confirmations:?}");
                accepted += 1;
            }
            BlockState::Side => assert_eq!(confirmations, Some(0), "{block:?}"),
            BlockState::Pending | BlockState::Refused => panic!("{block:?} within {DEADLINE:?}"),
        }
    }
    assert!(accepted > 0, "no block was found, so nothing is shown");
    assert_eq!(chain.tip().height, accepted, "each height of the chain is a block of the ledger");
}
