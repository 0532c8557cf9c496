//! The miner against a pool on loopback.

use std::time::Duration;

use tokio::sync::oneshot;

use super::*;
use crate::event::Event;
use crate::net::test_pool::{TestPool, settings};
use crate::stratum::v1::Command;

fn options(pool: &TestPool) -> MineOptions {
    MineOptions { threads: 2, network: bitcoin::Network::Regtest, ..MineOptions::new(pool.url.clone(), "w") }
}

async fn mine(options: MineOptions) -> Result<MineSummary, MineError> {
    let running = run(options, std::future::pending(), Arc::default());
    tokio::time::timeout(Duration::from_secs(60), running).await.expect("it ends by itself")
}

#[tokio::test]
async fn what_it_finds_is_accepted() {
    for version_rolling in [true, false] {
        let pool = TestPool::start(settings(1e-5)).await;
        let summary =
            mine(MineOptions { shares: Some(20), version_rolling, ..options(&pool) }).await.unwrap();
        // A reply to one more may come in the same breath.
        assert!(summary.accepted >= 20, "{summary}");
        assert!(summary.rejected.is_empty(), "{summary}");
        assert!(summary.best.unwrap().get() >= 1e-5);
        assert!(summary.hashes > 20 * 10_000, "{summary}");
    }
}

#[tokio::test]
async fn tips_masks_extranonces_and_pings_do_not_cost_a_share() {
    let pool = TestPool::start(settings(1e-6)).await;
    let progress = Arc::new(MineProgress::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(run(
        options(&pool),
        async {
            let _ = stopped.await;
        },
        progress.clone(),
    ));
    let commands = [
        Command::SetExtranonce,
        Command::SetVersionMask { mask: 0x6000 },
        Command::Ping,
        Command::SetVersionMask { mask: 0x1fff_e000 },
        Command::ShowMessage { text: "hello".into() },
        Command::GetVersion,
    ];
    for command in commands {
        pool.command(command);
        tokio::time::sleep(Duration::from_millis(50)).await;
        pool.new_tip();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let figures = progress.read();
    assert!(figures.connected && figures.hashes > 0, "{figures:?}");
    stop.send(()).unwrap();
    let summary = running.await.unwrap().unwrap();
    assert!(summary.accepted > 20, "{summary}");
    assert_eq!(summary.rejected, BTreeMap::new());
    assert_eq!(summary.sessions, 1);
}

#[tokio::test]
async fn a_hashrate_is_kept() {
    let pool = TestPool::start(settings(1.0)).await;
    let limit = Hashrate::new(200_000.0);
    let summary =
        mine(MineOptions { hashrate: limit, duration: Some(Seconds(2.0)), ..options(&pool) }).await.unwrap();
    let kept = summary.hashrate().hashes_per_second() / 200_000.0;
    assert!((0.5..1.1).contains(&kept), "{summary}");
}

#[tokio::test]
async fn reconnects_lead_to_the_same_host_only() {
    let pool = TestPool::start(settings(1e-5)).await;
    let decoy = TestPool::start(settings(1e-5)).await;
    let reconnect = |host: Option<&str>, port| Command::Reconnect {
        host: host.map(str::to_owned),
        port: Some(port),
        wait_seconds: 0,
    };
    let running = tokio::spawn(mine(MineOptions { duration: Some(Seconds(4.0)), ..options(&pool) }));
    tokio::time::sleep(Duration::from_millis(500)).await;
    pool.command(reconnect(Some("localhost"), decoy.url.port));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(decoy.events(), [], "another host was followed");
    pool.command(reconnect(Some("127.0.0.1"), decoy.url.port));
    let summary = running.await.unwrap().unwrap();
    assert_eq!(summary.sessions, 2, "{summary}");
    assert!(decoy.events().iter().any(|event| matches!(event, Event::Share(_))));
}

#[tokio::test]
async fn it_gives_up_when_told_to() {
    let pool = PoolUrl { host: "127.0.0.1".into(), port: 1 };
    let error = mine(MineOptions { attempts: Some(2), ..MineOptions::new(pool, "w") }).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("gave up on stratum+tcp://127.0.0.1:1 after 2 failed attempts: "), "{text}");
}

#[tokio::test]
async fn rejects_are_counted_by_reason() {
    let pool = TestPool::unjust(settings(1e-5), r#""result":null,"error":[23,"Above target",null]"#).await;
    let summary = mine(MineOptions { duration: Some(Seconds(1.0)), ..options(&pool) }).await.unwrap();
    assert_eq!(summary.accepted, 0);
    assert_eq!(summary.rejected.keys().collect::<Vec<_>>(), ["low_difficulty"]);
}
