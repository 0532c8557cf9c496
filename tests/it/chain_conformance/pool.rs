//! A pool in this process on any node, and a CPU miner on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use adit::block::CoinbaseSpec;
use adit::chain::Node;
use adit::mine::{MineError, MineOptions, MineProgress, MineSummary};
use adit::net::PoolUrl;
use adit::pool::PoolSettings;
use adit::server::{Server, ServerSettings};
use adit::store::{Options, Store};
use adit::units::{Difficulty, Hashrate, Seconds};
use bitcoin::ScriptBuf;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::wallet::Wallet;

/// What the CPU miner spends at most: regtest's blocks take two hashes each, and
/// the other tests want the machine too.
const HASHES_PER_SECOND: f64 = 200.0;

/// The script that blocks pay.
pub fn key_script() -> ScriptBuf {
    Wallet::new().script()
}

/// A pool on `node` with its ledger in `dir`. On regtest every share is a block.
pub async fn pool_on(node: Node, dir: &Path) -> Server {
    let pool = PoolSettings {
        difficulty_initial: Difficulty::MIN,
        vardiff: None,
        late_credit: Seconds(60.0),
        ..PoolSettings::default()
    };
    let settings = ServerSettings {
        v1: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        coinbase: CoinbaseSpec {
            payees: vec![(key_script(), 1)],
            tag: "/adit/".into(),
            extranonce_bytes: pool.extranonce1_bytes + pool.extranonce2_bytes,
            length: None,
        },
        pool,
        refresh: std::time::Duration::from_secs(30),
        job_version_bits: 0,
        line_bytes_max: 16_384,
        seed: [7; 32],
    };
    let store = Store::open(dir, Options::default()).unwrap();
    Server::start(settings, node, Arc::new(store)).await.unwrap()
}

/// A CPU miner that works until it is told to end.
pub struct MinedPool {
    stop: oneshot::Sender<()>,
    mining: JoinHandle<Result<MineSummary, MineError>>,
}

impl MinedPool {
    /// Mines on a pool.
    pub fn start(pool: SocketAddr) -> Self {
        let url: PoolUrl = format!("stratum+tcp://{pool}").parse().unwrap();
        let options = MineOptions {
            hashrate: Hashrate::new(HASHES_PER_SECOND),
            network: bitcoin::Network::Regtest,
            ..MineOptions::new(url, "miner.1")
        };
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let mining = tokio::spawn(adit::mine::run(options, stopped, Arc::new(MineProgress::default())));
        Self { stop, mining }
    }

    /// Ends it; what it did.
    pub async fn end(self) -> MineSummary {
        self.stop.send(()).expect("it mines until it is told to end");
        self.mining.await.unwrap().unwrap()
    }
}
