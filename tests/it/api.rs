//! The pool as its operator sees it: pages, commands to miners, near misses,
//! and how it ends.

use adit::event::Extranonce2;
use adit::miner::{Lane, Search};
use adit::stratum::v1::hex;
use serde_json::{Value, json};

use super::by_hand::{Miner, WORKER, check_accepted, check_rejected, submit};
use super::program::{EASY, Serve, adit, data_dir, http, poll, serve};

/// A share stands for 1.3 million hashes: evidence of a mistake rather than luck,
/// also for a test that runs a thousand times.
const EVIDENT: &str = "
[chain]
difficulty = 1.0
[difficulty]
initial = 3e-4
vardiff = false
";

#[test]
fn every_page_answers() {
    let (_dir, pool) = serve(EASY);
    let mut miner = Miner::start(pool.v1);
    for _ in 0..3 {
        let share = miner.share();
        check_accepted(&miner.submit(&share));
        check_rejected(&miner.submit(&share), 22, "Duplicate share");
    }
    assert_eq!(pool.get("/healthz"), "ok\n");
    assert!(pool.get("/").contains("<html"));
    let metrics = pool.get("/metrics");
    for line in [
        r#"adit_shares_total{region="unknown",verdict="accepted"} 3"#,
        r#"adit_shares_total{region="unknown",verdict="duplicate"} 3"#,
        "adit_connections 1",
        "adit_store_healthy 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "no {line} in {metrics}");
    }

    let status = pool.api("status");
    assert_eq!((&status["network"], &status["connections"]), (&json!("regtest"), &json!(1)));
    assert_eq!((&status["tip"]["height"], &status["work"]["height"]), (&json!(0), &json!(1)));
    assert_eq!(status["work"]["coinbase"]["tag"], "/adit/");
    let workers = pool.api("workers");
    assert_eq!(workers.as_array().unwrap().len(), 1);
    assert_eq!(workers[0]["worker"], WORKER);
    assert_eq!((&workers[0]["shares_accepted"], &workers[0]["shares_rejected"]), (&json!(3), &json!(3)));
    assert_eq!(pool.api("regions")[0]["shares_accepted"], 3);
    assert_eq!(pool.api("rejects").as_array().unwrap().len(), 3);
    assert_eq!(pool.api("rejects?limit=2").as_array().unwrap().len(), 2);
    assert_eq!(pool.api("rejects")[0]["verdict"], "duplicate");
    assert_eq!(pool.api("blocks"), json!([]));

    assert_eq!(http(pool.http, "GET", "/api/v1/nothing", "").0, 404);
    assert_eq!(http(pool.http, "GET", "/api/v1/rejects?limit=x", "").0, 400);
    assert_eq!(http(pool.http, "GET", "/api/v1/commands", "").0, 405);
}

#[test]
fn a_block_moves_the_tip_and_everyone_with_it() {
    // On plain regtest any share is a block.
    let (_dir, pool) = serve("[difficulty]\ninitial = 1e-9\nvardiff = false");
    let (mut miner, mut other) = (Miner::start(pool.v1), Miner::start(pool.v1));
    let share = miner.share();
    check_accepted(&miner.submit(&share));
    for miner in [&mut miner, &mut other] {
        let before = miner.job.notice.prev_hash;
        miner.next_job();
        assert_eq!(miner.job.notice.prev_hash, share.hash);
        assert_ne!(miner.job.notice.prev_hash, before);
        assert!(miner.job.notice.clean);
    }
    // Each miner heard of it once; counted when written, which the miner may see a moment before.
    poll("both notifies", || {
        pool.get("/metrics").lines().any(|line| line == "adit_tip_notify_seconds_count 2").then_some(())
    });
    let block = poll("the block's state", || {
        let block = pool.api("blocks")[0].clone();
        (block["state"] != "pending").then_some(block)
    });
    assert_eq!(
        (&block["state"], &block["height"], &block["worker"]),
        (&json!("accepted"), &json!(1), &json!(WORKER))
    );
    let status = pool.api("status");
    assert_eq!((&status["tip"]["height"], &status["tip"]["hash"]), (&json!(1), &block["hash"]));
    assert_eq!(status["blocks_found"], 1);
}

#[test]
fn commands_reach_the_miner() {
    fn check(pool: &Serve, miner: &mut Miner, command: &Value, params: &Value) {
        pool.order(command);
        let method = command["method"].as_str().unwrap();
        assert_eq!(miner.wire.notification(method)["params"], *params, "{command}");
    }
    let (_dir, pool) = serve(EASY);
    let mut miner = Miner::start(pool.v1);
    let message = json!({"method": "client.show_message", "text": "say \"é\"\n"});
    check(&pool, &mut miner, &message, &json!(["say \"é\"\n"]));
    check(&pool, &mut miner, &json!({"method": "client.reconnect"}), &json!([]));
    let elsewhere =
        json!({"method": "client.reconnect", "host": "pool.test", "port": 3334, "wait_seconds": 5});
    check(&pool, &mut miner, &elsewhere, &json!(["pool.test", 3334, 5]));
    check(&pool, &mut miner, &json!({"method": "client.get_version"}), &json!([]));
    check(&pool, &mut miner, &json!({"method": "mining.ping"}), &json!([]));

    // Answers to what the pool asked are nothing to answer.
    pool.order(&json!({"method": "mining.ping"}));
    let id = miner.wire.notification("mining.ping")["id"].clone();
    assert!(id.is_u64(), "{id}");
    miner.wire.send(format!("{{\"id\":{id},\"result\":\"pong\",\"error\":null}}\n")).unwrap();

    let configured = miner
        .wire
        .request("mining.configure", &json!([["version-rolling"], {"version-rolling.mask": "00ffe000"}]));
    assert_eq!(configured["result"]["version-rolling.mask"], "00ffe000");
    let mask = json!({"method": "mining.set_version_mask", "mask": "1f00e000"});
    check(&pool, &mut miner, &mask, &json!(["0000e000"]));
}

#[test]
fn a_new_extranonce_comes_with_its_job() {
    let (_dir, pool) = serve(EASY);
    let (mut miner, mut deaf) = (Miner::start(pool.v1), Miner::start(pool.v1));
    check_accepted(&miner.wire.request("mining.extranonce.subscribe", &json!([])));
    let old = miner.share();
    pool.order(&json!({"method": "mining.set_extranonce"}));
    let params = miner.wire.notification("mining.set_extranonce")["params"].clone();
    let before = miner.extranonce.clone();
    miner.extranonce.extranonce1 = hex::decode(params[0].as_str().unwrap()).unwrap();
    assert_ne!(miner.extranonce, before);
    assert_eq!(params[1], json!(before.extranonce2_bytes));
    miner.next_job();
    let new = miner.share();
    check_accepted(&miner.submit(&new));
    check_accepted(&miner.submit(&old));

    // Whoever did not subscribe to it keeps what it has.
    pool.order(&json!({"method": "client.show_message", "text": "next"}));
    let next: Value = serde_json::from_str(&deaf.wire.unasked()).unwrap();
    assert_eq!(next["method"], "client.show_message");
    let share = deaf.share();
    check_accepted(&deaf.submit(&share));
}

#[test]
fn a_command_can_go_to_one_miner() {
    let (_dir, pool) = serve(EASY);
    let (mut first, mut second) = (Miner::start(pool.v1), Miner::start(pool.v1));
    // Connections are numbered from 1 in a new data directory.
    for (connection, text) in [(1, "one"), (2, "two")] {
        let order =
            json!({"connection": connection, "command": {"method": "client.show_message", "text": text}});
        assert_eq!(http(pool.http, "POST", "/api/v1/commands", &order.to_string()).0, 202);
    }
    assert_eq!(first.wire.notification("client.show_message")["params"], json!(["one"]));
    assert_eq!(second.wire.notification("client.show_message")["params"], json!(["two"]));
}

#[test]
fn a_command_that_is_none_is_refused_with_a_reason() {
    fn check(pool: &Serve, body: &str, part: &str) {
        let (status, answer) = http(pool.http, "POST", "/api/v1/commands", body);
        assert_eq!(status, 400, "{body}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["error"].as_str().unwrap().contains(part), "{body}: {answer}");
    }
    let (_dir, pool) = serve(EASY);
    check(&pool, "", "EOF");
    check(&pool, "{\"command\":", "EOF");
    check(&pool, "{}", "missing field `command`");
    check(&pool, r#"{"command":{"method":"client.dance"}}"#, "unknown variant `client.dance`");
    check(&pool, r#"{"command":{"method":"client.show_message"}}"#, "missing field `text`");
    check(&pool, r#"{"command":{"method":"client.show_message","text":7}}"#, "expected a string");
    check(&pool, r#"{"command":{"method":"client.reconnect","prot":1}}"#, "unknown field `prot`");
    check(&pool, r#"{"command":{"method":"client.reconnect","port":70000}}"#, "70000");
    check(&pool, r#"{"command":{"method":"mining.set_version_mask","mask":"1fffe00g"}}"#, "such as");
    check(&pool, r#"{"command":{"method":"mining.ping"},"to":1}"#, "unknown field `to`");
    check(&pool, r#"{"command":{"method":"mining.ping"},"connection":"all"}"#, "\"all\"");
}

#[test]
fn a_near_miss_is_named() {
    let (_dir, pool) = serve(EVIDENT);
    let mut miner = Miner::start(pool.v1);
    let newest = |pool: &Serve| pool.api("rejects?limit=1")[0].clone();

    // The nonce in the other byte order.
    let share = miner.share();
    let mut params = submit(&share);
    params[4] = json!(format!("{:08x}", share.nonce.swap_bytes()));
    check_rejected(&miner.wire.request("mining.submit", &params), 23, "Low difficulty share");
    let row = newest(&pool);
    assert_eq!(row["near_miss"], json!({"kind": "nonce_byte_swapped"}), "{row}");
    assert_eq!((&row["verdict"], &row["worker"]), (&json!("low_difficulty"), &json!(WORKER)));
    assert_eq!((&row["nonce"], &row["ntime"]), (&json!(share.nonce.swap_bytes()), &json!(share.ntime)));
    assert_eq!(row["difficulty_asked"], 3e-4);
    poll("the operator sees it in the log too", || pool.log().contains("NonceByteSwapped").then_some(()));

    // extranonce2 hashed in reverse; the walk enters at 1, which is another number then.
    let share = Search::new(miner.job.clone(), None, Lane::ONLY, 1).run(u64::MAX).unwrap();
    let mut reversed = share.extranonce2.as_bytes().to_vec();
    reversed.reverse();
    let mut params = submit(&share);
    params[2] = json!(format!("{:?}", Extranonce2::new(&reversed).unwrap()));
    check_rejected(&miner.wire.request("mining.submit", &params), 23, "Low difficulty share");
    assert_eq!(newest(&pool)["near_miss"], json!({"kind": "extranonce2_reversed"}));

    // Good for the old job's difficulty, sent for the new job.
    let old = loop {
        let share = miner.share();
        if share.reached().get() < 1e-1 {
            break share;
        }
    };
    check_accepted(&miner.wire.request("mining.suggest_difficulty", &json!([1e-1])));
    let old_job = old.job.notice.id.clone();
    miner.next_job();
    let mut params = submit(&old);
    params[1] = json!(miner.job.notice.id);
    assert_ne!(miner.job.notice.id, old_job);
    check_rejected(&miner.wire.request("mining.submit", &params), 23, "Low difficulty share");
    assert_eq!(newest(&pool)["near_miss"], json!({"kind": "old_difficulty"}));
    check_accepted(&miner.submit(&old));

    // Nothing like a share: nothing is claimed.
    let mut params = submit(&old);
    params[4] = json!("00000001");
    check_rejected(&miner.wire.request("mining.submit", &params), 23, "Low difficulty share");
    assert_eq!(newest(&pool)["near_miss"], Value::Null);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_in_order() {
    let (dir, pool) = serve(EASY);
    let mut miners = [Miner::start(pool.v1), Miner::start(pool.v1)];
    for miner in &mut miners {
        for _ in 0..10 {
            let share = miner.share();
            check_accepted(&miner.submit(&share));
        }
        let unread = miner.share();
        let line = json!({"id": "last", "method": "mining.submit", "params": submit(&unread)});
        miner.wire.send(format!("{line}\n")).unwrap();
        assert_eq!(miner.wire.read()["id"], "last");
    }
    let ended = pool.interrupt();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("stopping"), "{}", ended.stderr);
    for miner in &mut miners {
        assert_eq!(miner.wire.line(), None, "the pool closes the connection");
    }

    let data = data_dir(dir.path());
    let export = adit(&["export", "--what", "shares", "--data", data.to_str().unwrap()]);
    assert_eq!(export.code, Some(0), "{}", export.stderr);
    assert_eq!(export.stdout.lines().filter(|line| line.contains(",accepted,")).count(), 22);
    let db = rusqlite::Connection::open(data.join("adit.sqlite")).unwrap();
    let select =
        "SELECT count(*) FROM connections WHERE close_reason = 'shutdown' AND closed_us >= opened_us";
    assert_eq!(db.query_row(select, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
}
