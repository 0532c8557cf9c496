//! Nodes come and go: miners stay, and no block is lost.

use std::time::Duration;

use adit::chain::remote::rpc::RpcSettings;
use adit::chain::remote::{Endpoint, EndpointSettings, Nodes};
use adit::store::BlockState;
use bitcoin::Network;
use bitcoin::hashes::Hash as _;

use super::daemon::{Daemon, free_port};
use crate::chain_conformance::{MinedPool, pool_on};
use crate::program::DEADLINE;

/// A node that is not there.
fn dead() -> Endpoint {
    let url = format!("http://nobody:nothing@127.0.0.1:{}", free_port());
    let settings = RpcSettings::parse(&url, Network::Regtest).unwrap();
    Endpoint::new(&EndpointSettings::Rpc(settings), Network::Regtest)
}

async fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !tokio::task::block_in_place(&mut ask) {
        assert!(began.elapsed() < DEADLINE, "{what}: not in {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
async fn a_node_is_restarted_while_it_is_mined_on() {
    check_restart(Daemon::stop).await;
}

/// What it took and had not written yet is gone from its disk, and comes from the pool again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
async fn a_node_is_killed_while_it_is_mined_on() {
    check_restart(Daemon::kill).await;
}

async fn check_restart(end: fn(&mut Daemon)) {
    let mut daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let nodes = Nodes::connect([daemon.endpoint()], Network::Regtest).await.unwrap();
    let server = pool_on(nodes.clone().into(), dir.path()).await;
    let miner = MinedPool::start(server.v1());
    until("some blocks", || daemon.height() >= 20).await;

    tokio::task::block_in_place(|| end(&mut daemon));
    let before = {
        let reader = server.service().store.reader().unwrap();
        until("blocks are found while it is away", || !reader.pending_blocks().unwrap().is_empty()).await;
        until("it is seen to be away", || nodes.statuses().iter().all(|node| !node.health.is_up())).await;
        reader.recent_blocks(100_000).unwrap().iter().filter(|row| row.state == BlockState::Accepted).count()
    };
    tokio::task::block_in_place(|| daemon.restart());
    let again = before as u32 + 10;
    until("blocks again", || daemon.height() >= again).await;

    let summary = miner.end().await;
    assert_eq!(summary.sessions, 1, "the miner kept its connection: {summary}");
    let reader = server.service().store.reader().unwrap();
    until("every block has its answer", || reader.pending_blocks().unwrap().is_empty()).await;
    let rows = reader.recent_blocks(100_000).unwrap();
    let accepted: Vec<_> = rows.iter().filter(|row| row.state == BlockState::Accepted).collect();
    assert_eq!(accepted.len(), daemon.height() as usize, "{rows:?}");
    for row in accepted {
        assert_eq!(daemon.block(row.height).block_hash(), row.hash);
    }
    assert!(rows.iter().all(|row| row.state != BlockState::Refused), "{rows:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
async fn one_of_two_nodes_lies_dead() {
    let daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let nodes = Nodes::connect([dead(), daemon.endpoint()], Network::Regtest).await.unwrap();
    let server = pool_on(nodes.clone().into(), dir.path()).await;
    let miner = MinedPool::start(server.v1());
    until("some blocks", || daemon.height() >= 20).await;
    let summary = miner.end().await;
    assert_eq!(summary.sessions, 1, "{summary}");
    let statuses = nodes.statuses();
    assert!(!statuses[0].health.is_up() && statuses[1].active, "{statuses:?}");
    assert!(statuses[0].health.problem().unwrap().to_string().contains("cannot be reached"), "{statuses:?}");
    let metrics = String::from_utf8(server.service().render_metrics()).unwrap();
    for (node, up) in statuses.iter().zip([0, 1]) {
        let line = format!("adit_node_up{{node=\"{}\"}} {up}", node.name);
        assert!(metrics.contains(&line), "{line}");
    }
    assert!(metrics.contains("adit_node_healthy 1"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
async fn the_node_that_is_mined_on_is_killed() {
    // They are no peers: what the second has, it has from the pool.
    let mut daemons = [Daemon::start(), Daemon::start()];
    let dir = tempfile::tempdir().unwrap();
    let endpoints = daemons.each_ref().map(Daemon::endpoint);
    let nodes = Nodes::connect(endpoints, Network::Regtest).await.unwrap();
    let server = pool_on(nodes.clone().into(), dir.path()).await;
    let miner = MinedPool::start(server.v1());
    until("both have blocks", || daemons.iter().all(|daemon| daemon.height() >= 20)).await;

    let active = nodes.statuses().iter().position(|node| node.active).unwrap();
    tokio::task::block_in_place(|| daemons[active].kill());
    let other = &daemons[1 - active];
    let height = other.height();
    until("the other is mined on", || other.height() >= height + 10).await;
    let summary = miner.end().await;
    assert_eq!(summary.sessions, 1, "the miner kept its connection: {summary}");
    let statuses = nodes.statuses();
    assert!(statuses[1 - active].active && !statuses[active].health.is_up(), "{statuses:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
async fn the_chain_with_the_most_work_is_mined_on() {
    let daemons = [Daemon::start(), Daemon::start()];
    let nodes = Nodes::connect(daemons.each_ref().map(Daemon::endpoint), Network::Regtest).await.unwrap();
    for (blocks, ahead) in [(1, 1), (2, 0), (1, 0), (3, 1)] {
        tokio::task::block_in_place(|| daemons[ahead].generate(blocks));
        let best = tokio::task::block_in_place(|| daemons[ahead].best());
        let tips = nodes.tips();
        until("the tip", || tips.borrow().hash == *best.as_byte_array()).await;
        let template = nodes.template().await.unwrap();
        assert_eq!(template.prev_hash, *best.as_byte_array());
        assert_eq!(template.height, tokio::task::block_in_place(|| daemons[ahead].height()) + 1);
        let statuses = nodes.statuses();
        assert!(statuses[ahead].active && statuses[1 - ahead].health.is_up(), "{statuses:?}");
    }
}
