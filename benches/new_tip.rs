//! From a block in the node to the last miner's job on it, for each way to hear
//! of blocks, side by side.
//!
//! 1,000 sessions on loopback, each a socket that did a miner's handshake. A block
//! is made, and the clock runs from before that until the last socket has its
//! `mining.notify` with the new previous hash. So it holds what the node takes to
//! make and connect the block; `made` says when it had answered whoever asked for
//! it. The reference is the embedded chain, where nothing has to be heard.
//!
//! `cargo bench --bench new_tip --features ipc -- [sessions] [tips]`
//!
//! Where the daemons are is said by the environment, as in `ci/bitcoin-core`. A row
//! without its daemon is skipped, in so many words.

#[path = "../tests/it/node/daemon.rs"]
#[expect(dead_code, reason = "tests ask more of a daemon")]
mod daemon;
#[path = "../tests/it/program.rs"]
#[expect(dead_code, reason = "tests ask more of the program")]
mod program;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use adit::chain::embedded::{EmbeddedChain, Network as Others, NetworkConfig, Params, Warp};
use adit::chain::remote::Nodes;
use adit::chain::{EmbeddedNode, Node};
use adit::config::{Overrides, Settings};
use adit::net::Clock;
use adit::server::{Server, ServerSettings};
use adit::store::Store;
use bitcoin::Network;
use daemon::Daemon;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Between two tips, so that all that follows one is over.
const PAUSE: Duration = Duration::from_millis(200);

/// Longer than any sane machine takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Blocks that a daemon has at the start.
const BLOCKS_BEFORE: u32 = 20;

/// A way to hear of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Embedded,
    Rpc,
    RpcAndZmq,
    Ipc,
}

/// The ways, their names, and the variables that name their daemons.
const WAYS: [(Way, &str, &str); 4] = [
    (Way::Embedded, "embedded", ""),
    (Way::Rpc, "Bitcoin Core, RPC", daemon::BITCOIND),
    (Way::RpcAndZmq, "Bitcoin Core, RPC and ZMQ", "ADIT_BITCOIND_ZMQ"),
    (Way::Ipc, "Bitcoin Core, IPC", daemon::BITCOIN_NODE),
];

/// Who makes the blocks.
enum Maker {
    Embedded(EmbeddedNode, Box<Others>),
    Daemon(Arc<Daemon>),
}

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let is_trial = std::env::args().any(|argument| argument == "--test");
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (sessions, tips) = if is_trial { (20, 3) } else { (number(0, 1_000), number(1, 100)) };
    println!("{sessions} sessions, {tips} tips; milliseconds since before a block is made");
    println!("{:<30} {:>8} {:>8} {:>8} {:>8}   p50 to embedded", "", "made", "p50", "p99", "max");
    let mut reference = None;
    for (way, name, variable) in WAYS {
        match open(way, variable).await {
            Err(missing) => println!("{name:<30} SKIPPED: {missing}"),
            Ok((node, maker)) => {
                let (made, mut spans) = measure(node, maker, sessions, tips).await;
                let median = quantile(&mut spans, 0.5);
                let (p99, max) = (quantile(&mut spans, 0.99), quantile(&mut spans, 1.0));
                let ratio = median / *reference.get_or_insert(median);
                println!("{name:<30} {made:>8.2} {median:>8.2} {p99:>8.2} {max:>8.2}   {ratio:.1}");
            }
        }
    }
}

/// Opens a node in this way, with somebody who makes blocks on it.
async fn open(way: Way, variable: &'static str) -> Result<(Node, Maker), String> {
    if way == Way::Embedded {
        return Ok(embedded());
    }
    if way == Way::Ipc && cfg!(not(feature = "ipc")) {
        return Err("this is built without --features ipc".to_owned());
    }
    if std::env::var_os(variable).is_none() {
        return Err(format!("{variable} names no daemon"));
    }
    let daemon = tokio::task::spawn_blocking(move || {
        let zmq = format!("-zmqpubhashblock=tcp://127.0.0.1:{}", daemon::free_port());
        let more = match way {
            Way::RpcAndZmq => &[zmq.as_str()][..],
            Way::Ipc => &[daemon::IPC],
            _ => &[],
        };
        let daemon = Daemon::start_program(variable, more);
        daemon.generate(BLOCKS_BEFORE);
        daemon
    });
    let daemon = Arc::new(daemon.await.expect("a daemon"));
    let endpoint = match way {
        #[cfg(feature = "ipc")]
        Way::Ipc => {
            use adit::chain::remote::{Endpoint, EndpointSettings};
            Endpoint::new(&EndpointSettings::Ipc(daemon.socket()), Network::Regtest)
        }
        _ => daemon.endpoint(),
    };
    let nodes = Nodes::connect([endpoint], Network::Regtest).await.map_err(|error| error.to_string())?;
    Ok((Node::from(nodes), Maker::Daemon(daemon)))
}

fn embedded() -> (Node, Maker) {
    let now = Clock::start().now();
    let params = Params::mainnet_like(840_000).with_transactions(0);
    let chain = EmbeddedChain::open(None, params, now).expect("a chain in memory");
    let others = Others::new(NetworkConfig::default(), &chain, now);
    let node = EmbeddedNode::new(chain, Warp::none());
    (node.clone().into(), Maker::Embedded(node, Box::new(others)))
}

/// When blocks were made (the median) and the last session knew of each, in ms.
async fn measure(node: Node, mut maker: Maker, sessions: usize, tips: usize) -> (f64, Vec<f64>) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let network = if matches!(maker, Maker::Embedded(..)) { "mainnet-like" } else { "regtest" };
    let overrides = Overrides { chain: Some(network.to_owned()), ..Overrides::default() };
    let settings = Settings::load(None, &overrides).expect("the default settings");
    let store = Store::open(data.path(), settings.store).expect("an empty ledger");
    let server = ServerSettings {
        v1: SocketAddr::from(([127, 0, 0, 1], 0)),
        pool: settings.pool,
        coinbase: settings.coinbase,
        // Only new tips.
        refresh: Duration::from_secs(86_400),
        job_version_bits: settings.job_version_bits,
        line_bytes_max: settings.line_bytes_max,
        seed: [7; 32],
    };
    let server = Server::start(server, node, Arc::new(store)).await.expect("a pool");
    let arrivals = Arc::new(Arrivals::default());
    let mut miners = tokio::task::JoinSet::new();
    for _ in 0..sessions {
        miners.spawn(mine(server.v1(), arrivals.clone()));
    }
    arrivals.all(sessions).await;
    let (mut made, mut spans) = (Vec::new(), Vec::new());
    for _ in 0..tips {
        tokio::time::sleep(PAUSE).await;
        arrivals.forget();
        let began = Instant::now();
        maker = tokio::task::spawn_blocking(move || maker.make()).await.expect("a block");
        made.push(began.elapsed().as_secs_f64() * 1e3);
        spans.push((arrivals.all(sessions).await - began).as_secs_f64() * 1e3);
    }
    miners.abort_all();
    server.stop().await;
    (quantile(&mut made, 0.5), spans)
}

impl Maker {
    fn make(mut self) -> Self {
        match &mut self {
            Self::Embedded(node, others) => drop(others.arrive(&mut node.chain()).expect("a block")),
            Self::Daemon(daemon) => daemon.generate(1),
        }
        self
    }
}

/// Which miners have a job on the newest tip.
#[derive(Debug, Default)]
struct Arrivals {
    count: Mutex<(usize, Option<Instant>)>,
    changed: Notify,
}

impl Arrivals {
    fn note(&self) {
        let now = Instant::now();
        let mut count = self.count.lock().expect("no panic");
        *count = (count.0 + 1, Some(now));
        drop(count);
        self.changed.notify_one();
    }

    fn forget(&self) {
        *self.count.lock().expect("no panic") = (0, None);
    }

    /// When the last of `sessions` had it.
    async fn all(&self, sessions: usize) -> Instant {
        let waiting = async {
            loop {
                if let (count, Some(last)) = *self.count.lock().expect("no panic")
                    && count == sessions
                {
                    return last;
                }
                self.changed.notified().await;
            }
        };
        let Ok(last) = tokio::time::timeout(DEADLINE, waiting).await else {
            panic!("{:?} of {sessions} sessions heard of the block", self.count.lock().expect("no panic").0);
        };
        last
    }
}

/// Shakes hands and notes each new previous hash.
async fn mine(pool: SocketAddr, arrivals: Arc<Arrivals>) {
    let mut stream = TcpStream::connect(pool).await.expect("the pool listens");
    let hello = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n\
                 {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"w\",\"x\"]}\n";
    stream.write_all(hello.as_bytes()).await.expect("the pool reads");
    let mut lines = BufReader::new(stream).lines();
    let mut known = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        // {"id":null,"method":"mining.notify","params":["JOB","PREVIOUS HASH",...
        let Some((_, params)) = line.split_once(r#""mining.notify","params":["#) else { continue };
        let hash = params.split('"').nth(3).expect("a previous hash");
        if hash != known {
            hash.clone_into(&mut known);
            arrivals.note();
        }
    }
}

/// The span that so many of these do not pass.
fn quantile(spans: &mut [f64], part: f64) -> f64 {
    spans.sort_by(f64::total_cmp);
    spans[((spans.len() as f64 * part).ceil() as usize).clamp(1, spans.len()) - 1]
}
