//! The client against servers that answer badly, the parser against answers that
//! real nodes gave, and against those with one thing wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::block::{Coinbase, CoinbaseSpec};
use crate::chain::ChainError;
use crate::chain::remote::{Endpoint, EndpointSettings, Nodes};
use crate::pool::Work;
use crate::units::Timestamp;

/// A server that answers `(method, login)` as `answer` says; it ends with the test's runtime.
async fn serve<F>(answer: F) -> SocketAddr
where
    F: Fn(&str, &str) -> (u16, String) + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    let handle = move |headers: HeaderMap, body: String| {
        let request: Value = serde_json::from_str(&body).unwrap();
        let login =
            headers.get(header::AUTHORIZATION).and_then(|login| login.to_str().ok()).unwrap_or_default();
        let (status, body) = answer(request["method"].as_str().unwrap(), login);
        async move { (StatusCode::from_u16(status).unwrap(), body) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(axum::routing::post(handle));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn endpoint(address: SocketAddr, auth: Auth) -> RpcEndpoint {
    let settings = RpcSettings::parse(&format!("http://{address}"), Network::Regtest).unwrap();
    let timeout = Duration::from_secs(60);
    RpcEndpoint::new(&RpcSettings { timeout, ..settings.with_auth(auth).unwrap() }, Network::Regtest)
}

fn result(value: &Value) -> (u16, String) {
    (200, json!({"result": value, "error": null, "id": "adit"}).to_string())
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words() {
    async fn check(status: u16, body: &str, words: &str, is_permanent: bool) {
        let body = body.to_owned();
        let address = serve(move |_, _| (status, body.clone())).await;
        let error = endpoint(address, Auth::None).template().await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.is_permanent(), is_permanent, "{error}");
    }
    check(401, "", "refuses the user and password (HTTP 401)", true).await;
    check(403, "<html>no</html>", "allow it with rpcallowip", true).await;
    check(503, "Work queue depth exceeded", "with HTTP 503: Work queue depth exceeded", false).await;
    check(404, "<html>Not here", "with HTTP 404: <html>Not here", false).await;
    check(200, "<html>Hello", "with what cannot be read", false).await;
    check(200, "{\"result\":{}}", "the template cannot be read: missing field `version`", false).await;
    let warming = r#"{"result":null,"error":{"code":-28,"message":"Loading block index…"},"id":1}"#;
    check(500, warming, "error -28: Loading block index… (it is starting)", false).await;
    let syncing = r#"{"result":null,"error":{"code":-10,"message":"in initial sync"}}"#;
    check(200, syncing, "it gives templates when it has all blocks", false).await;
}

#[tokio::test]
async fn a_node_that_is_not_there_is_said_to_be_so() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = endpoint(free, Auth::None).best_hash().await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached: Connection refused"), "{error}");

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = RpcSettings::parse(&format!("http://{}", silent.local_addr().unwrap()), Network::Regtest);
    let settings = RpcSettings { timeout: Duration::from_millis(20), ..settings.unwrap() };
    let error = RpcEndpoint::new(&settings, Network::Regtest).best_hash().await.unwrap_err();
    assert_eq!(error, NodeError::Timeout { method: "getbestblockhash", seconds: 0 });
}

#[tokio::test]
async fn a_new_cookie_is_read_when_the_old_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let cookie = dir.path().join(".cookie");
    let hash = BlockHash::all_zeros().to_string();
    let address = serve(move |_, login| {
        // "__cookie__:second"
        if login == "Basic X19jb29raWVfXzpzZWNvbmQ=" { result(&json!(hash)) } else { (401, String::new()) }
    })
    .await;
    let node = endpoint(address, Auth::Cookie(cookie.clone()));
    let missing = node.best_hash().await.unwrap_err();
    assert!(missing.to_string().contains("has no cookie at") && !missing.is_permanent(), "{missing}");
    std::fs::write(&cookie, "__cookie__:first").unwrap();
    let refused = node.best_hash().await.unwrap_err();
    assert!(refused.to_string().contains("the one there is refused") && !refused.is_permanent(), "{refused}");
    std::fs::write(&cookie, "__cookie__:second\n").unwrap();
    node.best_hash().await.unwrap();
}

#[tokio::test]
async fn verdicts_on_blocks_are_told_apart() {
    fn check(reason: Option<&str>, expected: Option<Result<SubmitOutcome, &str>>) {
        let found = verdict(reason, "h:1").ok();
        let found = found.map(|answer| answer.map_err(|refusal| refusal.reason.into_owned()));
        assert_eq!(found, expected.map(|answer| answer.map_err(str::to_owned)), "{reason:?}");
    }
    check(None, Some(Ok(SubmitOutcome::NewTip)));
    check(Some("duplicate"), Some(Ok(SubmitOutcome::Duplicate)));
    check(Some("rejected: duplicate"), Some(Ok(SubmitOutcome::Duplicate)));
    check(Some("inconclusive"), Some(Ok(SubmitOutcome::SideBranch)));
    check(Some("duplicate-invalid"), Some(Err("duplicate-invalid")));
    check(Some("rejected: bad-cb-amount"), Some(Err("bad-cb-amount")));
    check(Some("prev-blk-not-found"), None);

    let body = r#"{"result":null,"error":{"code":-22,"message":"Block decode failed"}}"#;
    let address = serve(move |_, _| (500, body.to_owned())).await;
    let block = bitcoin::constants::genesis_block(Network::Regtest);
    let refusal = endpoint(address, Auth::None).submit(&block).await.unwrap().unwrap_err();
    assert_eq!(refusal.reason, "Block decode failed");
}

#[tokio::test]
async fn a_node_of_another_network_is_not_waited_for() {
    let genesis = |network| bitcoin::constants::genesis_block(network).block_hash().to_string();
    let (signet, regtest) = (genesis(Network::Signet), genesis(Network::Regtest));
    for (chain, genesis, words) in [
        ("signet", &signet, "is on signet, but the pool is set to regtest"),
        ("regtest", &signet, "is on a regtest that begins with block 00000008819873e9"),
        ("main", &regtest, "is on main, but"),
    ] {
        let genesis = genesis.clone();
        let address = serve(move |method, _| match method {
            "getblockchaininfo" => result(&json!({"chain": chain})),
            "getblockhash" => result(&json!(genesis)),
            other => panic!("{other}"),
        })
        .await;
        let settings = RpcSettings::parse(&format!("http://{address}"), Network::Regtest).unwrap();
        let node = Endpoint::new(&EndpointSettings::Rpc(settings), Network::Regtest);
        let Err(ChainError::NoNode { problems }) = Nodes::connect([node], Network::Regtest).await else {
            panic!("{chain} is taken for regtest")
        };
        assert!(problems.contains(words) && problems.contains(&address.to_string()), "{problems}");
    }
}

/// A daemon's answer, recorded.
macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/data/getblocktemplate/", $name, ".json"))
    };
}

#[test]
fn answers_of_bitcoin_core_are_read_and_its_commitment_is_ours() {
    // 31.99: two payments, the second of what the first pays; a signet of one's own.
    for (json, height, count) in [(recorded!("core-regtest"), 103, 2), (recorded!("core-signet-own"), 1, 0)] {
        let Template { transactions, segwit, height: found, coinbase_value, .. } =
            parse(json).unwrap().template;
        assert_eq!((found, transactions.len(), segwit), (height, count, true));
        let wtxids: Vec<_> = transactions.iter().map(|entry| entry.wtxid).collect();
        let commitment = crate::block::witness_commitment(&wtxids, &[0; 32]);
        let spec = CoinbaseSpec {
            payees: vec![(vec![0x51].into(), 1)],
            tag: "/x/".into(),
            extranonce_bytes: 8,
            length: None,
        };
        let coinbase = Coinbase::build(&spec, height, coinbase_value, Some(commitment)).unwrap();
        let ours = coinbase.transaction(&[0; 8], &[]).output[1].script_pubkey.to_hex_string();
        let node: Value = serde_json::from_str(json).unwrap();
        assert_eq!(node["default_witness_commitment"], ours);
        for (entry, said) in transactions.iter().zip(node["transactions"].as_array().unwrap()) {
            assert_eq!(
                (entry.weight, entry.fee.to_sat()),
                (said["weight"].as_u64().unwrap(), said["fee"].as_u64().unwrap())
            );
        }
    }
    let public = parse(recorded!("core-signet-public")).unwrap_err();
    assert!(
        public.is_permanent() && public.to_string().contains("need a signature of its operator"),
        "{public}"
    );
}

/// What a node answers, with something changed.
fn answer(change: impl FnOnce(&mut Value)) -> String {
    let mut json = json!({
        "capabilities": ["proposal"], "version": 0x3000_0000, "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {"testdummy": 28}, "vbrequired": 0,
        "previousblockhash": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
        "transactions": [], "coinbaseaux": {}, "coinbasevalue": 5_000_000_000u64,
        "longpollid": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e22060",
        "target": "7fffff0000000000000000000000000000000000000000000000000000000000",
        "mintime": 1_296_688_603, "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff", "sigoplimit": 80_000, "sizelimit": 4_000_000,
        "weightlimit": 4_000_000, "curtime": 1_700_000_000, "bits": "207fffff", "height": 1,
        "default_witness_commitment": "6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9"
    });
    change(&mut json);
    json.to_string()
}

/// A payment, with a witness or without.
fn transaction(witness: bool) -> Value {
    let transaction = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn {
            previous_output: bitcoin::OutPoint { txid: bitcoin::Txid::from_byte_array([3; 32]), vout: 1 },
            witness: bitcoin::Witness::from_slice(if witness { &[[1; 33]][..] } else { &[] }),
            ..Default::default()
        }],
        output: vec![bitcoin::TxOut {
            value: bitcoin::Amount::from_sat(9),
            script_pubkey: vec![0x51].into(),
        }],
    };
    json!({
        "data": bitcoin::consensus::encode::serialize_hex(&transaction),
        "txid": transaction.compute_txid().to_string(), "hash": transaction.compute_wtxid().to_string(),
        "depends": [], "fee": 1_000, "sigops": 4, "weight": transaction.weight().to_wu(),
    })
}

#[test]
fn a_template_is_read_with_what_blocks_depend_on() {
    let Parsed { template, longpollid } = parse(&answer(|json| {
        json["transactions"] = json!([transaction(true)]);
        json["coinbasevalue"] = json!(5_000_001_000u64);
    }))
    .unwrap();
    assert!(longpollid.unwrap().ends_with('0'));
    let genesis = bitcoin::constants::genesis_block(Network::Regtest).block_hash();
    assert_eq!((template.height, template.prev_hash), (1, genesis.to_byte_array()));
    assert_eq!((template.version, template.nbits), (0x2000_0000, 0x207f_ffff), "bit 28 is the miners'");
    assert_eq!((template.ntime_min, template.ntime), (1_296_688_603, 1_700_000_000));
    assert_eq!((template.transactions.len(), template.transactions[0].sigops), (1, 4));
    assert!(template.segwit);
    assert_eq!(parse(&answer(|json| json["version"] = json!(-1))).unwrap().template.version, !0x1fff_e000);
    let late = parse(&answer(|json| json["mintime"] = json!(1_700_000_001))).unwrap().template;
    assert_eq!(late.ntime, 1_700_000_001);
}

#[test]
fn before_segwit_there_is_no_commitment_and_other_limits() {
    let bcoin = |transactions: Value| {
        parse(&answer(|json| {
            json["rules"] = json!(["csv", "segwit"][..1]);
            json["vbavailable"] = json!({"segwit": 1});
            json["sigoplimit"] = json!(20_000);
            json["sizelimit"] = json!(1_000_000);
            json.as_object_mut().unwrap().remove("weightlimit");
            json["transactions"] = transactions;
        }))
    };
    let template = bcoin(json!([transaction(false)])).unwrap().template;
    assert!(!template.segwit, "though default_witness_commitment is offered");
    assert_eq!((template.limits.weight, template.limits.sigops), (4_000_000, 80_000));
    assert_eq!(template.transactions[0].sigops, 16);
    assert!(bcoin(json!([transaction(true)])).unwrap_err().to_string().contains("SegWit is not active"));
    let spec = CoinbaseSpec {
        payees: vec![(vec![0x51].into(), 1)],
        tag: "/x/".into(),
        extranonce_bytes: 8,
        length: None,
    };
    let coinbase =
        Coinbase::build(&spec, 1, template.coinbase_value, None).unwrap().transaction(&[0; 8], &[]);
    assert!(coinbase.output.len() == 1 && coinbase.input[0].witness.is_empty());
}

#[test]
fn what_no_block_can_be_made_of_is_refused() {
    fn check(change: impl FnOnce(&mut Value), words: &str, is_permanent: bool) {
        let error = parse(&answer(change)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.is_permanent(), is_permanent, "{error}");
    }
    check(|json| json["rules"] = json!(["csv", "!new"]), "follow the rule `new`", true);
    assert!(parse(&answer(|json| json["rules"] = json!(["segwit", "new"]))).is_ok());
    check(
        |json| json["signet_challenge"] = json!("5121aa"),
        "need a signature of its operator (challenge 5121aa)",
        true,
    );
    assert!(parse(&answer(|json| json["signet_challenge"] = json!("51"))).is_ok());
    check(|json| json["vbrequired"] = json!(1 << 28), "requires version bits 10000000", true);
    assert_eq!(parse(&answer(|json| json["vbrequired"] = json!(2))).unwrap().template.version, 0x2000_0002);
    check(
        |json| json["bits"] = json!("1d00ffff"),
        "bits 1d00ffff do not stand for the target 7fffff00",
        false,
    );
    check(|json| json["bits"] = json!("x"), "are no 32-bit number", false);
    check(|json| json["height"] = json!(0), "height 0", false);
    check(|json| json["previousblockhash"] = json!("00"), "is no hash", false);
    check(|json| json["coinbasevalue"] = json!(2_100_000_000_000_001u64), "coinbasevalue", false);
    check(|json| json["version"] = json!(1u64 << 40), "version 1099511627776", false);
    check(|json| json["curtime"] = json!("now"), "cannot be read", false);
    let with = |change: fn(&mut Value)| {
        let mut one = transaction(true);
        change(&mut one);
        move |json: &mut Value| json["transactions"] = json!([one])
    };
    check(with(|one| one["data"] = json!("00")), "transaction 1 cannot be decoded", false);
    check(with(|one| one["fee"] = json!(-1)), "has the fee -1", false);
    check(with(|one| one["fee"] = json!(5_000_000_001u64)), "with these fees", false);
    check(with(|one| one["txid"] = one["hash"].clone()), "not what it is said to be", false);
    check(with(|one| one["hash"] = json!("00")), "not what it is said to be", false);
    check(
        |json| json["transactions"] = json!([transaction(true), transaction(true)]),
        "is there twice",
        false,
    );
}

proptest! {
    /// What is taken of an answer that was garbled still makes a block: see also the
    /// fuzz target `node_template`.
    #[test]
    fn a_garbled_answer_is_refused_or_makes_a_block(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..24usize), 1..4),
    ) {
        let mut bytes = recorded!("core-regtest").as_bytes().to_vec();
        for (at, with) in edits {
            let at = at.index(bytes.len());
            bytes[at] = b"0123456789abcdef\",:[]{}-."[with];
        }
        if let Ok(Parsed { template, .. }) = parse(std::str::from_utf8(&bytes).unwrap()) {
            let spec = CoinbaseSpec {
                payees: vec![(vec![0x51].into(), 1)],
                tag: "/x/".into(),
                extranonce_bytes: 8,
                length: Some(16 * 1024),
            };
            let work = Work::new(template.clone(), &spec, Timestamp::from_unix_seconds(1_700_000_000)).unwrap();
            let coinbase = work.coinbase.transaction(&[0; 8], &[]);
            let entries = &work.template.transactions;
            let weight = coinbase.weight().to_wu() + entries.iter().map(|entry| entry.weight).sum::<u64>();
            prop_assert!(entries.is_empty() || weight <= template.limits.weight);
        }
    }
}
