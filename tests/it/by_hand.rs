//! A miner by hand: real shares of real jobs, sent as a test says.

use std::net::SocketAddr;
use std::sync::Arc;

use adit::miner::job::ExtranonceSplit;
use adit::miner::{Lane, MinerJob, Search, Share};
use adit::stratum::v1::{PoolMessage, parse_message};
use adit::units::{Difficulty, Timestamp};
use serde_json::{Value, json};

use super::program::Wire;

/// The worker that [`Miner`] authorizes.
pub const WORKER: &str = "miner.1";

/// A miner by hand: it finds real shares, and sends what a test says.
pub struct Miner {
    pub wire: Wire,
    /// The pool's name for the session.
    pub session: String,
    pub extranonce: ExtranonceSplit,
    /// Difficulty of the next job.
    pub difficulty: Difficulty,
    pub job: Arc<MinerJob>,
    search: Search,
}

impl Miner {
    /// Subscribes, authorizes and takes the first job.
    pub fn start(address: SocketAddr) -> Self {
        Self::resume(address, None)
    }

    /// The same, as an earlier session if the pool still has it.
    pub fn resume(address: SocketAddr, session: Option<&str>) -> Self {
        Self::greet(Wire::connect(address).unwrap(), session)
    }

    /// The same on a connection that may have said something already.
    pub fn greet(mut wire: Wire, session: Option<&str>) -> Self {
        let params = session.map_or_else(|| json!(["by-hand/1"]), |session| json!(["by-hand/1", session]));
        let reply = wire.request("mining.subscribe", &params);
        let result = &reply["result"];
        let session = result[0][0][1].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned();
        let extranonce1 = adit::stratum::v1::hex::decode(result[1].as_str().unwrap()).unwrap();
        let extranonce2_bytes = result[2].as_u64().unwrap() as usize;
        let extranonce = ExtranonceSplit { extranonce1, extranonce2_bytes };
        let reply = wire.request("mining.authorize", &json!([WORKER, "x"]));
        assert_eq!(reply["result"], true, "{reply}");
        let mut difficulty = Difficulty::ONE;
        let job = next_job(&mut wire, &extranonce, &mut difficulty);
        let search = Search::new(job.clone(), None, Lane::ONLY, 0);
        Self { wire, session, extranonce, difficulty, job, search }
    }

    /// Waits for the next job, with the difficulty announced before it.
    pub fn next_job(&mut self) {
        let job = next_job(&mut self.wire, &self.extranonce, &mut self.difficulty);
        self.take_up(job);
    }

    /// Goes on with another job.
    pub fn take_up(&mut self, job: Arc<MinerJob>) {
        self.job = job.clone();
        self.search.take_up(job, None);
    }

    /// Finds the next share of its job.
    pub fn share(&mut self) -> Share {
        self.search.run(u64::from(u32::MAX)).expect("a share at a low difficulty")
    }

    /// Submits a share and waits for the verdict.
    pub fn submit(&mut self, share: &Share) -> Value {
        self.wire.request("mining.submit", &submit(share))
    }
}

fn next_job(wire: &mut Wire, extranonce: &ExtranonceSplit, difficulty: &mut Difficulty) -> Arc<MinerJob> {
    loop {
        let line = wire.unasked();
        match parse_message(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}")) {
            PoolMessage::SetDifficulty(announced) => *difficulty = announced,
            PoolMessage::Job(notice) => {
                let received = Timestamp::from_unix_seconds(0);
                return Arc::new(MinerJob::new(notice, extranonce.clone(), *difficulty, 0, received));
            }
            _ => {}
        }
    }
}

/// The parameters of a share's `mining.submit`: worker, job, extranonce2, ntime, nonce.
pub fn submit(share: &Share) -> Value {
    let [ntime, nonce] = [share.ntime, share.nonce].map(|field| format!("{field:08x}"));
    json!([WORKER, share.job.notice.id, format!("{:?}", share.extranonce2), ntime, nonce])
}

/// A verdict must be a yes.
pub fn check_accepted(verdict: &Value) {
    assert!(verdict["result"] == true && verdict["error"].is_null(), "{verdict}");
}

/// A verdict must be a no, with this code and text.
pub fn check_rejected(verdict: &Value, code: i64, text: &str) {
    assert!(verdict["result"].is_null(), "{verdict}");
    assert_eq!(verdict["error"], json!([code, text, null]), "{verdict}");
}
