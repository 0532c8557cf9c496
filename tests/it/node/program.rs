//! `adit serve --node` as its operator sees it.

use serde_json::json;

use super::daemon::Daemon;
use crate::by_hand::{Miner, check_accepted};
use crate::program::{Serve, adit, http, poll};

#[test]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
fn the_state_of_a_node_is_plain_everywhere() {
    let mut daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "[difficulty]\ninitial = 1e-9\nvardiff = false\n[[node]]\nurl = \"http://{}\"\ncookie_file = \"{}\"\n",
        daemon.rpc,
        daemon.cookie().display()
    );
    let pool = Serve::start(dir.path(), &config);
    let mut miner = Miner::start(pool.v1);
    let share = miner.share();
    check_accepted(&miner.submit(&share));
    miner.next_job();
    assert_eq!((daemon.height(), miner.job.notice.prev_hash), (1, share.hash));
    assert_eq!(pool.get("/healthz"), "ok\n");
    let node = pool.api("nodes")[0].clone();
    assert_eq!((&node["name"], &node["kind"]), (&json!(daemon.rpc.to_string()), &json!("rpc")));
    assert_eq!((&node["up"], &node["active"], &node["height"]), (&json!(true), &json!(true), &json!(1)));

    daemon.stop();
    let health = poll("the API tells", || {
        let (status, text) = http(pool.http, "GET", "/healthz", "");
        // While it stops it still answers, with 503 itself.
        (status == 503 && text.contains("cannot be reached")).then_some(text)
    });
    assert!(health.contains("no node gives templates; miners keep their last job"), "{health}");
    let node = pool.api("nodes")[0].clone();
    assert_eq!((&node["up"], &node["active"]), (&json!(false), &json!(false)));
    assert!(node["problem"].as_str().unwrap().contains("is it running with server=1"), "{node}");
    let metrics = pool.get("/metrics");
    assert!(metrics.contains("adit_node_healthy 0"), "{metrics}");
    assert!(metrics.contains(&format!("adit_node_up{{node=\"{}\"}} 0", daemon.rpc)), "{metrics}");
    poll("the log tells", || pool.log().contains("miners keep their last job").then_some(()));

    // The block that is found meanwhile waits for the node, through a crash of the pool.
    let share = miner.share();
    check_accepted(&miner.submit(&share));
    assert_eq!(pool.api("blocks")[0]["state"], "pending");
    pool.kill();
    daemon.restart();
    let pool = Serve::start(dir.path(), &config);
    poll("the block is handed in", || (daemon.height() == 2).then_some(()));
    poll("and accepted", || (pool.api("blocks")[0]["state"] == "accepted").then_some(()));
    assert!(daemon.best().to_string() == pool.api("blocks")[0]["hash"]);
}

#[test]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
fn a_node_of_another_network_is_refused_with_what_to_do() {
    let daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let serve = |more: &[&str]| {
        let url = format!("http://{}", daemon.rpc);
        let (cookie, data) = (daemon.cookie(), dir.path().to_str().unwrap());
        let own = ["serve", "--v1", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", data, "--node", &url];
        adit(&[&own[..], &["--node-cookie", cookie.to_str().unwrap()], more].concat())
    };
    let ended = serve(&["--chain", "signet", "--payout", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("is on regtest, but the pool is set to signet"), "{}", ended.stderr);
}

#[test]
fn a_password_is_never_shown() {
    let node = "http://user:secret@127.0.0.1:1";
    for arguments in [
        &["serve", "--node", node, "--chain", "mainnet"][..],
        &["serve", "--node", node, "--node", node],
        &["serve", "--node", "http://user:secret@127.0.0.1:0"],
    ] {
        let ended = adit(arguments);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}
