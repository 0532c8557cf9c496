//! Our own miner, examined over real sockets, passes; what it said is on disk.

use std::sync::Arc;
use std::time::Duration;

use adit::check::{CheckOptions, Progress};
use adit::conformance::{Outcome, cases};
use adit::mine::{MineOptions, MineProgress};
use adit::net::PoolUrl;
use adit::report::{Report, ReportFolder, read_json};
use adit::units::Hashrate;
use tokio::sync::oneshot;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_miner_passes() {
    let wanted = ["H01", "X11", "S01"];
    let chosen = wanted.map(|id| cases().iter().find(|case| case.id == id).unwrap().clone());
    let rate: Hashrate = "50kH/s".parse().unwrap();
    let options = CheckOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        decoy: None,
        tls: None,
        moved: None,
        host: None,
        cases: chosen.to_vec(),
        selection: wanted.join(" "),
        hashrate: Some(rate),
        wait: Duration::from_secs(60),
        seed: 1,
    };
    let out = tempfile::tempdir().unwrap();
    let folder = ReportFolder::create(out.path()).unwrap();
    let (listening, address) = oneshot::channel();
    let mut listening = Some(listening);
    let examination = adit::check::run(options, std::future::pending(), |progress| match progress {
        Progress::Listening(address) => listening.take().unwrap().send(address).unwrap(),
        Progress::Ended(result) => folder.take_transcript(result).unwrap(),
        _ => {}
    });
    let miner = async {
        let address = address.await.unwrap();
        let url = PoolUrl { host: address.ip().to_string(), port: address.port() };
        let mut options = MineOptions::new(url, "me");
        options.threads = 1;
        options.hashrate = Some(rate);
        adit::mine::run(options, std::future::pending(), Arc::new(MineProgress::default())).await
    };
    // The miner never ends by itself.
    let examination = tokio::select! {
        examination = examination => examination.unwrap(),
        summary = miner => panic!("the miner ended: {summary:?}"),
    };
    for case in &examination.cases {
        assert_eq!(case.outcome, Outcome::Pass, "{}: {} {:?}", case.id, case.summary, case.troubles);
        let transcript = out.path().join(format!("transcripts/{}.jsonl", case.id));
        let text = std::fs::read_to_string(transcript).unwrap();
        assert!(text.contains("mining.submit"), "{text}");
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }
    assert!(examination.user_agent.as_ref().unwrap().starts_with("adit/"));
    folder.write_report(&Report { examination, deviations: Vec::new() }).unwrap();
    assert_eq!(read_json(&out.path().join("report.json")).unwrap().cases.len(), wanted.len());
}
