//! The pool on Bitcoin Core's mining interface.

use adit::chain::Node;
use adit::chain::remote::{Endpoint, EndpointSettings, Nodes};
use bitcoin::Network;
use serde_json::json;

use super::daemon::{BITCOIN_NODE, Daemon, IPC};
use crate::by_hand::{Miner, check_accepted};
use crate::chain_conformance;
use crate::program::{Serve, http, poll};

fn serve(dir: &tempfile::TempDir, daemon: &Daemon) -> Serve {
    let socket = daemon.socket();
    let config = format!("[difficulty]\ninitial = 1e-9\nvardiff = false\n[[node]]\nipc = {socket:?}\n");
    Serve::start(dir.path(), &config)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs bitcoin-node in ADIT_BITCOIN_NODE; ci/bitcoin-core runs it"]
async fn bitcoin_core_by_ipc() {
    let daemon = Daemon::start_program(BITCOIN_NODE, &[IPC]);
    let endpoint = EndpointSettings::Ipc(daemon.socket());
    let endpoint = Endpoint::new(&endpoint, Network::Regtest);
    let nodes = Nodes::connect([endpoint], Network::Regtest).await.unwrap();
    chain_conformance::body::run(Node::from(nodes), &daemon).await;
}

#[test]
#[ignore = "needs bitcoin-node in ADIT_BITCOIN_NODE; ci/bitcoin-core runs it"]
fn miners_stay_while_the_node_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start_program(BITCOIN_NODE, &[IPC]);
    let pool = serve(&dir, &daemon);
    let mut miner = Miner::start(pool.v1);
    let share = miner.share();
    check_accepted(&miner.submit(&share));
    miner.next_job();
    assert_eq!((daemon.height(), miner.job.notice.prev_hash), (1, share.hash));
    let node = pool.api("nodes")[0].clone();
    assert_eq!((&node["kind"], &node["up"], &node["height"]), (&json!("ipc"), &json!(true), &json!(1)));

    daemon.stop();
    let health = poll("the API tells", || {
        let (status, text) = http(pool.http, "GET", "/healthz", "");
        (status == 503).then_some(text)
    });
    assert!(health.contains("miners keep their last job"), "{health}");
    // The block that is found meanwhile waits for the node.
    let share = miner.share();
    check_accepted(&miner.submit(&share));
    daemon.restart();
    while miner.job.notice.prev_hash != share.hash {
        miner.next_job();
    }
    assert_eq!(daemon.height(), 2);
    poll("the ledger tells", || (pool.api("blocks")[0]["state"] == "accepted").then_some(()));
    assert_eq!(pool.get("/healthz"), "ok\n");
}
