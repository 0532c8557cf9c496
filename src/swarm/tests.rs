//! The fleet against pools on loopback, just and unjust ones.

use super::*;
use crate::miner::Fault;
use crate::net::test_pool::{TestPool, settings};
use crate::pool::PoolSettings;
use crate::units::{Difficulty, Hashrate, Seconds};

fn options(pool: &TestPool, miners: usize, mode: Mode, seconds: f64) -> SwarmOptions {
    let hashrate = Hashrate::new(10_000.0).unwrap();
    let fleet = FleetSpec::uniform(miners, "w", hashrate);
    SwarmOptions { mode, duration: Some(Seconds(seconds)), ..SwarmOptions::new(pool.url.clone(), fleet) }
}

async fn swarm(options: SwarmOptions) -> SwarmReport {
    let progress = Arc::new(SwarmProgress::new(&options.fleet));
    run(options, std::future::pending(), progress).await.unwrap()
}

#[tokio::test]
async fn shares_come_at_the_fleets_hashrate_and_all_verdicts_are_right() {
    let pool = TestPool::start(settings(1e-6)).await;
    let report = swarm(options(&pool, 20, Mode::Paced, 5.0)).await;
    let difficulty = Difficulty::new(1e-6).unwrap();
    let expected = 5.0 * 20.0 * 10_000.0 / difficulty.expected_hashes();
    let found = report.shares.accepted as f64;
    // Five sigma, and up to a second for connecting on a busy machine.
    let sigma = expected.sqrt();
    assert!(found < expected + 5.0 * sigma, "{found} of {expected}\n{report}");
    assert!(found > expected * 0.8 - 5.0 * sigma, "{found} of {expected}\n{report}");
    assert_eq!(report.contradictions, Contradictions::default(), "{report}");
    assert_eq!((report.connections.at_end, report.connections.lost), (20, 0), "{report}");
    assert_eq!(report.shares.unanswered, 0, "{report}");
}

#[tokio::test]
async fn harder_proofs_are_searched_aside_and_leave_on_time() {
    let pool = TestPool::start(settings(1e-5)).await;
    let report = swarm(options(&pool, 10, Mode::Paced, 4.0)).await;
    assert!(report.shares.accepted > 0, "{report}");
    assert!(report.shares.search_lag.unwrap().count > 0, "{report}");
    assert_eq!(report.contradictions, Contradictions::default(), "{report}");
}

#[tokio::test]
async fn load_keeps_the_pipeline_full() {
    let pool = TestPool::start(settings(1e-9)).await;
    let report = swarm(options(&pool, 20, Mode::Load { pipeline: 8 }, 2.0)).await;
    assert!(report.shares.accepted > 2_000, "{report}");
    assert_eq!(report.shares.accepted, report.shares.sent, "{report}");
    assert_eq!(report.contradictions, Contradictions::default(), "{report}");
    assert!(report.shares.verdicts_per_second > 500.0, "{report}");
}

#[tokio::test]
async fn a_just_pool_refuses_every_fault_for_the_right_reason() {
    let pool = TestPool::start(settings(1e-8)).await;
    let mut options = options(&pool, 20, Mode::Load { pipeline: 4 }, 2.0);
    options.fleet.faults_fraction = 0.5;
    let report = swarm(options).await;
    assert_eq!(report.contradictions.total(), 0, "{report}");
    for fault in Fault::ALL.into_iter().filter(|fault| *fault != Fault::StaleJob) {
        let count = report.contradictions.faults.get(fault.name()).copied().unwrap_or_default();
        assert!(count.answered > 0, "no {} was sent\n{report}", fault.name());
        assert_eq!(count.answered, count.refused, "{}\n{report}", fault.name());
    }
}

#[tokio::test]
async fn unjust_pools_are_found_out() {
    let lenient = TestPool::unjust(settings(1e-8), r#""result":true,"error":null"#).await;
    let mut on_lenient = options(&lenient, 10, Mode::Load { pipeline: 2 }, 1.5);
    on_lenient.fleet.faults_fraction = 0.5;
    let report = swarm(on_lenient).await;
    for fault in Fault::ALL.into_iter().filter(|fault| *fault != Fault::StaleJob) {
        assert!(report.contradictions.false_accepts.contains_key(fault.name()), "{report}");
    }
    assert_eq!(report.contradictions.examples.len(), 20);
    assert!(report.contradictions.examples[0].submit.contains("mining.submit"), "{report}");

    let strict =
        TestPool::unjust(settings(1e-8), r#""result":null,"error":[22,"Duplicate share",null]"#).await;
    let report = swarm(options(&strict, 10, Mode::Load { pipeline: 2 }, 1.0)).await;
    let rejects = &report.contradictions.false_rejects;
    assert_eq!(rejects.get("duplicate").copied(), report.shares.rejected.get("duplicate").copied());
    assert!(rejects["duplicate"] > 0, "{report}");

    // Stale without a new tip: doubt is given for a while, and then no more.
    let sleepy = TestPool::unjust(settings(1e-8), r#""result":null,"error":[21,"Stale share",null]"#).await;
    let mut on_sleepy = options(&sleepy, 2, Mode::Paced, 1.0);
    on_sleepy.fleet.miners.iter_mut().for_each(|miner| miner.hashrate = Hashrate::new(1_000.0).unwrap());
    let report = swarm(on_sleepy).await;
    assert!(report.contradictions.false_rejects["stale"] > 0, "{report}");
}

#[tokio::test]
async fn distance_makes_shares_stale_and_that_is_right() {
    let late_credit = Seconds(0.0);
    let pool = TestPool::start(PoolSettings { late_credit, ..settings(1e-7) }).await;
    let mut options = options(&pool, 20, Mode::Paced, 3.0);
    for (index, miner) in options.fleet.miners.iter_mut().enumerate() {
        miner.one_way_latency = Seconds(if index % 2 == 0 { 0.0 } else { 0.1 });
        miner.region = Some(if index % 2 == 0 { "near" } else { "far" }.into());
    }
    let progress = Arc::new(SwarmProgress::new(&options.fleet));
    let running = tokio::spawn(run(options, std::future::pending(), Arc::clone(&progress)));
    for _ in 0..4 {
        sleep(Duration::from_millis(500)).await;
        pool.new_tip();
    }
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.contradictions.total(), 0, "{report}");
    let region = |name| report.regions.iter().find(|region| region.region.as_deref() == Some(name)).unwrap();
    let (near, far) = (region("near"), region("far"));
    // A far miner works on for 0.1 s and its share travels for 0.1 s: of the
    // 23 shares a second that ten miners find, 4 to 5 at each of four tips.
    assert!(far.stale >= 5, "{report:?}");
    assert!(near.stale * 3 < far.stale, "{report:?}");
    assert_eq!(report.new_tips.tips, 4, "{report}");
    let latency = report.shares.latency.unwrap();
    assert!(latency.p50.0 < 0.05, "the simulated way is not the pool's: {report}");
}

#[tokio::test]
async fn idle_miners_time_new_tips() {
    let pool = TestPool::start(settings(1.0)).await;
    let options = options(&pool, 50, Mode::Idle, 2.0);
    let progress = Arc::new(SwarmProgress::new(&options.fleet));
    let running = tokio::spawn(run(options, std::future::pending(), Arc::clone(&progress)));
    for _ in 0..3 {
        sleep(Duration::from_millis(500)).await;
        pool.new_tip();
    }
    assert_eq!(progress.total().connected, 50);
    let report = running.await.unwrap().unwrap();
    assert_eq!((report.shares.sent, report.new_tips.tips), (0, 3), "{report}");
    assert_eq!(report.new_tips.first_to_each.unwrap().count, 150);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["mode"], "idle");
}

#[tokio::test]
async fn impossible_runs_say_why() {
    async fn check(miners: usize, port: u16, expected: &str) {
        let pool = PoolUrl { host: "127.0.0.1".into(), port };
        let fleet = FleetSpec::uniform(miners, "w", Hashrate::default());
        let options = SwarmOptions { duration: Some(Seconds(0.3)), ..SwarmOptions::new(pool, fleet) };
        let progress = Arc::new(SwarmProgress::new(&options.fleet));
        let error = run(options, std::future::pending(), progress).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    check(0, 1, "the fleet has no miner").await;
    check(2, 1, "no miner could connect to stratum+tcp://127.0.0.1:1: cannot connect").await;
}
