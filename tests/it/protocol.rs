//! Stratum V1 as a miner sees it over a socket.

use adit::block::branch_of_first;
use adit::hash::sha256d;
use adit::stratum::v1::dialect::DIALECTS;
use adit::stratum::v1::hex;
use serde_json::{Value, json};

use super::by_hand::{Miner, WORKER, check_accepted, check_rejected, submit};
use super::program::{EASY, Serve, Wire, poll, serve};

/// Nothing more is on its way: what was asked now is answered next.
fn check_quiet(wire: &mut Wire) {
    wire.send("{\"id\":\"quiet\",\"method\":\"mining.ping\"}\n").unwrap();
    assert_eq!(wire.unasked(), "{\"id\":\"quiet\",\"result\":\"pong\",\"error\":null}\n");
}

const SUBSCRIBE: &str = r#"{"id":1,"method":"mining.subscribe","params":["any/1"]}"#;
const AUTHORIZE: &str = r#"{"id":2,"method":"mining.authorize","params":["w","x"]}"#;
const CONFIGURE: &str = r#"{"id":3,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}"#;

#[test]
fn the_handshake_goes_in_any_order() {
    fn check(pool: &Serve, order: [&str; 3]) {
        let mut wire = Wire::connect(pool.v1).unwrap();
        wire.send(order.map(|line| format!("{line}\n")).concat()).unwrap();
        let lines: Vec<Value> = (0..5).map(|_| wire.read()).collect();
        check_quiet(&mut wire);

        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].clone();
        let replies: Vec<&Value> = lines.iter().filter(|line| line["method"].is_null()).collect();
        let ids: Vec<Value> = replies.iter().map(|reply| reply["id"].clone()).collect();
        assert_eq!(ids, order.map(id), "{lines:?}");
        assert!(replies.iter().all(|reply| reply["error"].is_null()), "{lines:?}");
        let mask = replies.iter().find(|reply| reply["id"] == 3).unwrap();
        assert_eq!(mask["result"]["version-rolling.mask"], "1fffe000");

        let at = |method: &str| lines.iter().position(|line| line["method"] == method).unwrap();
        let answered = |id: u64| lines.iter().position(|line| line["id"] == id).unwrap();
        let job = at("mining.notify");
        assert_eq!(at("mining.set_difficulty") + 1, job, "{lines:?}");
        assert!(job > answered(1) && job > answered(2), "a job before it can be mined: {lines:?}");
        assert_eq!(lines[job]["params"][8], true, "the first job is clean");
    }
    let (_dir, pool) = serve(EASY);
    for first in 0..3 {
        for swapped in [false, true] {
            let mut order = [SUBSCRIBE, AUTHORIZE, CONFIGURE];
            order.rotate_left(first);
            if swapped {
                order.swap(1, 2);
            }
            check(&pool, order);
        }
    }
}

#[test]
fn ids_come_back_byte_for_byte() {
    fn check(wire: &mut Wire, id: &str) {
        wire.send(format!("{{\"id\":{id},\"method\":\"mining.ping\",\"params\":[]}}\n")).unwrap();
        assert_eq!(wire.line().unwrap(), format!("{{\"id\":{id},\"result\":\"pong\",\"error\":null}}\n"));
    }
    let (_dir, pool) = serve(EASY);
    let mut wire = Wire::connect(pool.v1).unwrap();
    check(&mut wire, "1");
    check(&mut wire, "18446744073709551616");
    check(&mut wire, "-1.50e+3");
    check(&mut wire, "null");
    check(&mut wire, "true");
    check(&mut wire, "\"\"");
    check(&mut wire, r#""a\"\u00e9 é""#);
    check(&mut wire, r#"{"b": 1, "a" :[2,  {}]}"#);
    check(&mut wire, "[1 ,2]");
    wire.send("{\"method\":\"mining.ping\"}\n").unwrap();
    check_quiet(&mut wire);
}

#[test]
fn lines_come_in_any_pieces() {
    let (_dir, pool) = serve(EASY);
    let mut wire = Wire::connect(pool.v1).unwrap();
    for byte in format!("{SUBSCRIBE}\n").into_bytes() {
        wire.send([byte]).unwrap();
    }
    assert_eq!(wire.read()["id"], 1);
    wire.send(format!("\r\n\n  \n{CONFIGURE}\r\n\r\n")).unwrap();
    assert_eq!(wire.read()["id"], 3);
    // Two and a half requests, then the other half.
    let ping = |id: u32| format!("{{\"id\":{id},\"method\":\"mining.ping\"}}\n");
    let (begin, end) = AUTHORIZE.split_at(17);
    wire.send([&ping(4), &ping(5), begin].concat()).unwrap();
    assert_eq!((&wire.read()["id"], &wire.read()["id"]), (&json!(4), &json!(5)));
    wire.send([end, "\n"].concat()).unwrap();
    assert_eq!(wire.read()["id"], 2);
}

#[test]
fn a_line_that_is_too_long_ends_its_connection_alone() {
    fn check(pool: &Serve, line: &str, answered: bool) {
        let mut wire = Wire::connect(pool.v1).unwrap();
        wire.send(line).unwrap();
        assert_eq!(wire.line().is_some(), answered, "{} bytes", line.len());
        let mut other = Wire::connect(pool.v1).unwrap();
        check_quiet(&mut other);
    }
    let (_dir, pool) = serve("[listen]\nline_bytes_max = 512");
    let ping = "{\"id\":1,\"method\":\"mining.ping\"}";
    check(&pool, &format!("{ping:512}\n"), true);
    check(&pool, &format!("{ping:513}\n"), false);
    check(&pool, &"x".repeat(513), false);
    check(&pool, &"x".repeat(1_000_000), false);
}

#[test]
fn what_cannot_be_read_is_answered_and_counted() {
    fn check(wire: &mut Wire, line: &str, id: &Value, text: &str) {
        wire.send(format!("{line}\n")).unwrap();
        let reply = wire.read();
        assert_eq!((&reply["id"], &reply["error"][0]), (id, &json!(20)), "{reply}");
        assert!(reply["error"][1].as_str().unwrap().contains(text), "{reply}");
    }
    let (_dir, pool) = serve("[session]\nmalformed_lines_max = 5");
    let mut wire = Wire::connect(pool.v1).unwrap();
    check(&mut wire, r#"{"id":7,"method":"mining.dance","params":[]}"#, &json!(7), "Unknown method");
    check(&mut wire, "GET / HTTP/1.1", &Value::Null, "not a JSON-RPC request");
    check(&mut wire, r#"{"id":8,"method":"mining.submit","params":["w"]}"#, &json!(8), "Invalid array size");
    check(&mut wire, r#"{"id":9,"method":"mining.authorize","params":[""]}"#, &json!(9), "Empty username");
    check(&mut wire, r#"{"id":10}"#, &json!(10), "no method");
    check(&mut wire, "\u{fe}\u{ff}", &Value::Null, "not a JSON-RPC request");
    assert_eq!(wire.line(), None, "the fifth was the last");
}

#[test]
fn a_lost_session_goes_on_where_it_was() {
    let (_dir, pool) = serve(EASY);
    let mut miner = Miner::start(pool.v1);
    let (credited, found) = (miner.share(), miner.share());
    check_accepted(&miner.submit(&credited));
    let (session, extranonce, old_job) = (miner.session, miner.extranonce, miner.job.notice.id.clone());
    drop(miner.wire);
    poll("the pool sees the connection end", || (pool.api("status")["connections"] == 0).then_some(()));

    let mut miner = Miner::resume(pool.v1, Some(&session));
    assert_eq!((&miner.session, &miner.extranonce), (&session, &extranonce));
    assert_ne!(miner.job.notice.id, old_job);
    assert!(miner.job.notice.clean, "it has no other job yet");
    check_accepted(&miner.submit(&found));
    check_rejected(&miner.submit(&credited), 22, "Duplicate share");
    check_rejected(&miner.submit(&found), 22, "Duplicate share");
    let fresh = miner.share();
    check_accepted(&miner.submit(&fresh));

    // It cannot be had twice, nor made up.
    assert_ne!(Miner::resume(pool.v1, Some(&session)).extranonce, extranonce);
    assert_ne!(Miner::resume(pool.v1, Some(&"00".repeat(16))).extranonce, extranonce);
    assert_ne!(Miner::resume(pool.v1, Some("no token")).extranonce, extranonce);
}

#[test]
fn a_jobs_transactions_can_be_had_once() {
    let (_dir, pool) = serve("[chain]\ndifficulty = 1.0\ntransactions = 5\n[difficulty]\ninitial = 1e-9");
    let mut miner = Miner::start(pool.v1);
    let job = miner.job.notice.id.clone();
    let reply = miner.wire.request("mining.get_transactions", &json!([job]));
    let transactions = reply["result"].as_array().unwrap_or_else(|| panic!("{reply}"));
    assert!(!transactions.is_empty());
    let txids: Vec<_> = transactions
        .iter()
        .map(|text| {
            let bytes = hex::decode(text.as_str().unwrap()).unwrap();
            let transaction: bitcoin::Transaction = bitcoin::consensus::deserialize(&bytes).unwrap();
            sha256d(&without_witness(&transaction))
        })
        .collect();
    assert_eq!(branch_of_first(&txids), miner.job.notice.branch);

    let again = miner.wire.request("mining.get_transactions", &json!([job]));
    check_rejected(&again, 20, "the transactions of this job or a later one were already sent");
    let unknown = miner.wire.request("mining.get_transactions", &json!(["ffff"]));
    check_rejected(&unknown, 21, "Job not found");
}

/// A transaction as its txid hashes it.
fn without_witness(transaction: &bitcoin::Transaction) -> Vec<u8> {
    let mut stripped = transaction.clone();
    stripped.input.iter_mut().for_each(|input| input.witness.clear());
    bitcoin::consensus::serialize(&stripped)
}

#[test]
fn a_suggested_difficulty_comes_with_the_job_it_applies_to() {
    let (_dir, pool) = serve(EASY);
    let mut miner = Miner::start(pool.v1);
    // A share that the suggested difficulty would refuse.
    let easy = loop {
        let share = miner.share();
        if share.reached().get() < 1e-7 {
            break share;
        }
    };
    check_accepted(&miner.wire.request("mining.suggest_difficulty", &json!([1e-7])));
    let [announced, job]: [Value; 2] =
        std::array::from_fn(|_| serde_json::from_str(&miner.wire.unasked()).unwrap());
    assert_eq!(
        (&announced["method"], &announced["params"]),
        (&json!("mining.set_difficulty"), &json!([1e-7]))
    );
    assert_eq!((&job["method"], &job["params"][8]), (&json!("mining.notify"), &json!(false)));
    check_accepted(&miner.submit(&easy));
    check_accepted(&miner.wire.request("mining.suggest_difficulty", &json!(["1e-7"])));
    check_quiet(&mut miner.wire);

    // The same share is too easy for the new job.
    let mut params = submit(&easy);
    params[1] = job["params"][0].clone();
    let verdict = miner.wire.request("mining.submit", &params);
    check_rejected(&verdict, 23, "Low difficulty share");
}

#[test]
fn each_dialect_has_its_own_words() {
    let mut checked = 0;
    let mut check = |dialect: &str, low_difficulty: &str, unknown_method: &str| {
        let (_dir, pool) = serve(&format!("[listen]\ndialect = \"{dialect}\"\n[chain]\ndifficulty = 1.0"));
        let mut miner = Miner::start(pool.v1);
        let job = &miner.job.notice;
        // At difficulty 1 a share by luck would take 2^32 tries.
        let params = json!([WORKER, job.id, "0000000000000000", format!("{:08x}", job.ntime), "00000000"]);
        let line = json!({"id": "s", "method": "mining.submit", "params": params});
        miner.wire.send(format!("{line}\n{{\"id\":\"u\",\"method\":\"mining.dance\"}}\n")).unwrap();
        assert_eq!(miner.wire.line().unwrap().trim_end(), low_difficulty);
        assert_eq!(miner.wire.line().unwrap().trim_end(), unknown_method);
        checked += 1;
    };
    check(
        "classic",
        r#"{"id":"s","result":null,"error":[23,"Low difficulty share",null]}"#,
        r#"{"id":"u","result":null,"error":[20,"Unknown method",null]}"#,
    );
    check(
        "ckpool",
        r#"{"id":"s","result":false,"error":[23,"Above target",null],"reject-reason":"Above target"}"#,
        r#"{"id":"u","result":false,"error":[-3,"Method not found",null]}"#,
    );
    check(
        "datum",
        r#"{"id":"s","result":null,"error":[23,"high-hash",null]}"#,
        r#"{"id":"u","result":null,"error":[-3,"Method not found",null]}"#,
    );
    check(
        "public-pool",
        r#"{"id":"s","result":null,"error":[23,"Difficulty too low",""]}"#,
        r#"{"id":"u","result":null,"error":[20,"Unknown method",""]}"#,
    );
    assert_eq!(checked, DIALECTS.len(), "a dialect is missing here");
}

#[test]
fn shares_are_refused_for_what_is_wrong_with_them() {
    let (_dir, pool) = serve(EASY);
    let mut miner = Miner::start(pool.v1);
    let mut check = |field: usize, value: &str, code: i64, text: &str| {
        let mut params = submit(&miner.share());
        params[field] = json!(value);
        check_rejected(&miner.wire.request("mining.submit", &params), code, text);
    };
    check(0, "stranger", 24, "Unauthorized worker");
    check(1, "ffff", 21, "Job not found");
    check(1, "no job", 21, "Job not found");
    check(2, "00", 20, "Wrong extranonce2 length");
    check(3, "00000000", 20, "ntime out of range: too old");
    check(3, "ffffffff", 20, "ntime out of range: too new");
    check(4, "0x000000", 20, "nonce is not 8 hexadecimal digits");
    let mut params = submit(&miner.share());
    params.as_array_mut().unwrap().push(json!("00002000"));
    let verdict = miner.wire.request("mining.submit", &params);
    check_rejected(&verdict, 20, "Version bits outside the negotiated mask");

    let share = miner.share();
    check_accepted(&miner.submit(&share));
    let mut stranger = Wire::connect(pool.v1).unwrap();
    check_rejected(&stranger.request("mining.submit", &submit(&share)), 25, "Not subscribed");
}
