//! The pool over sockets: pure sessions, driven by tokio.
//!
//! ```text
//!  node ──tip──▶ work ──watch──▶ connection × n ──events──▶ store ──ack──▶ reply
//!   ▲                                 │
//!   └──────────── blocks ◀── found ───┘
//! ```
//!
//! | file | drives |
//! |---|---|
//! | `connection` | one socket: lines in, commit, replies out |
//! | `work` | templates into published work, empty first on a new tip |
//! | `blocks` | found blocks to the node, again after a crash |
//! | `network` | the rest of the network on a mainnet-like chain |
//!
//! What sessions share is published (`watch` of an `Arc<Work>`) or sent away
//! (events to the store's writer). A share is answered after its commit.

mod blocks;
mod connection;
mod network;
mod work;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};

use crate::block::{CoinbaseError, CoinbaseSpec};
use crate::chain::embedded::NetworkConfig;
use crate::chain::{ChainError, EmbeddedNode, Node};
use crate::energy::Atlas;
use crate::event::{ConnectionId, FoundBlock};
use crate::metrics::Metrics;
use crate::net::Clock;
use crate::pool::{Pool, PoolSettings, Work};
use crate::store::{BlockState, Store, StoreError};
use crate::stratum::v1::Command;
use crate::units::Timestamp;

/// Commands that wait for a connection that is busy.
const COMMANDS_QUEUED: usize = 64;

/// How long connections may take to end when the pool stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operator may choose about the server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen for Stratum V1.
    pub v1: SocketAddr,
    /// The rules.
    pub pool: PoolSettings,
    /// Who is paid, and how the coinbase looks.
    pub coinbase: CoinbaseSpec,
    /// How often the same tip gets a job with new transactions and ntime.
    pub refresh: Duration,
    /// Bits set in the version of every job. Inside the mask they tell a firmware
    /// that replaces version bits from one that XORs or ORs them (c2pool #1393).
    pub job_version_bits: u32,
    /// Longest line taken from a miner, in bytes.
    pub line_bytes_max: usize,
    /// Decides extranonces and session tokens.
    pub seed: [u8; 32],
}

/// Why a pool cannot start, with what to try.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another program using the port? try another one with {flag}"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// No coinbase can be made as configured.
    #[error("the coinbase cannot be made: {0}")]
    Coinbase(#[from] CoinbaseError),
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A command to one connection, or to all.
#[derive(Debug, Clone)]
struct Order {
    connection: Option<ConnectionId>,
    command: Command,
}

/// The tip as miners were told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PublishedTip {
    /// Height of the tip; jobs are for the next block.
    pub height: u32,
    /// When the pool heard of it.
    pub heard: Timestamp,
    /// When the first work on it was published.
    pub published: Timestamp,
}

/// A running pool, as its connections and faces see it.
#[derive(Debug)]
pub struct Service {
    /// The ledger.
    pub store: Arc<Store>,
    /// The node.
    pub node: Node,
    /// The counters.
    pub metrics: Metrics,
    /// What the operator chose.
    pub settings: ServerSettings,
    /// The time.
    pub clock: Clock,
    /// When it started.
    pub started: Timestamp,
    pool: Arc<Pool>,
    work: watch::Sender<Arc<Work>>,
    tip: watch::Sender<PublishedTip>,
    orders: broadcast::Sender<Order>,
    found: mpsc::UnboundedSender<FoundBlock>,
    stop: watch::Sender<bool>,
}

impl Service {
    /// The work published last.
    #[must_use]
    pub fn work(&self) -> Arc<Work> {
        self.work.borrow().clone()
    }

    /// The tip published last.
    #[must_use]
    pub fn tip(&self) -> PublishedTip {
        *self.tip.borrow()
    }

    /// Gives a command to one connection, or to all.
    pub fn command(&self, connection: Option<ConnectionId>, command: Command) {
        // Without connections there is nobody to tell.
        let _ = self.orders.send(Order { connection, command });
    }

    /// What Prometheus is told: the counters, and how the nodes are now.
    #[must_use]
    pub fn render_metrics(&self) -> Vec<u8> {
        let metrics = &self.metrics;
        let mut any_up = false;
        for node in self.node.statuses() {
            let name = [&*node.name];
            any_up |= node.health.is_up();
            metrics.node_up.with_label_values(&name).set(node.health.is_up().into());
            if let Some(tip) = node.tip {
                metrics.node_tip_height.with_label_values(&name).set(tip.height.into());
            }
            if let Some(took) = node.template_took {
                metrics.node_template_seconds.with_label_values(&name).set(took.as_secs_f64());
            }
        }
        metrics.node_healthy.set(any_up.into());
        metrics.render()
    }

    /// The label under which shares of a region are counted.
    fn region_label(region: &str) -> &str {
        if Atlas::embedded().region(region).is_ok() { region } else { crate::metrics::REGION_UNKNOWN }
    }
}

/// A pool that listens. Dropping it without [`Server::stop`] loses nothing that was acknowledged.
#[derive(Debug)]
pub struct Server {
    service: Arc<Service>,
    v1: SocketAddr,
    /// Ends when the last connection has ended.
    connections: mpsc::Receiver<()>,
}

impl Server {
    /// Starts the pool: opens the listener, publishes the first work,
    /// submits again what a crash left over.
    ///
    /// # Errors
    /// When the port is taken, no coinbase can be made, or the ledger fails.
    pub async fn start(settings: ServerSettings, node: Node, store: Arc<Store>) -> Result<Self, ServerError> {
        let address = settings.v1;
        let failed = |source| ServerError::Listen { address, flag: "--v1", source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let v1 = listener.local_addr().map_err(failed)?;

        let clock = Clock::start();
        let now = clock.now();
        let mut template = node.template(now).await?;
        template.version |= settings.job_version_bits;
        let tip = PublishedTip { height: template.height - 1, heard: now, published: now };
        let first = Arc::new(Work::new(template, &settings.coinbase, now)?.with_pace(node.pace()));
        if settings.pool.difficulty_initial > first.network_target.difficulty() {
            let remedy = match node {
                Node::Embedded(_) => "; give the chain another with --network-difficulty",
                Node::Remote(_) => "",
            };
            tracing::warn!(
                "every share will solve a block: the network's difficulty is {}, a miner's first {}{remedy}",
                first.network_target.difficulty(),
                settings.pool.difficulty_initial
            );
        }
        let (found, found_blocks) = mpsc::unbounded_channel();
        let left_over = store.pending_blocks()?;
        let service = Arc::new(Service {
            pool: Arc::new(Pool::new(settings.pool.clone(), settings.seed)),
            store,
            node,
            metrics: Metrics::new(),
            settings,
            clock,
            started: now,
            work: watch::Sender::new(first),
            tip: watch::Sender::new(tip),
            orders: broadcast::Sender::new(COMMANDS_QUEUED),
            found,
            stop: watch::Sender::new(false),
        });
        service.metrics.tip_height.set(i64::from(tip.height));
        service.metrics.tip_published.set(now.micros() as f64 / 1e6);
        service.metrics.store_healthy.set(1);
        for state in [BlockState::Accepted, BlockState::Side, BlockState::Refused] {
            // From zero, so that Prometheus sees the first one as growth.
            service.metrics.blocks.with_label_values(&[state.name()]);
        }
        for block in left_over {
            // The receiver lives as long as the service.
            let _ = service.found.send(block);
        }
        tokio::spawn(blocks::submit_all(service.clone(), found_blocks));
        tokio::spawn(work::publish(service.clone()));
        let (alive, connections) = mpsc::channel(1);
        tokio::spawn(accept(service.clone(), listener, alive));
        Ok(Self { service, v1, connections })
    }

    /// Lets the rest of the network find blocks on an embedded chain, until the pool stops.
    pub fn run_network(&self, node: EmbeddedNode, config: NetworkConfig) {
        tokio::spawn(network::run(self.service.clone(), node, config));
    }

    /// The running pool.
    #[must_use]
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Where it listens for Stratum V1.
    #[must_use]
    pub fn v1(&self) -> SocketAddr {
        self.v1
    }

    /// Closes every connection and stores everything.
    pub async fn stop(mut self) {
        self.service.stop.send_replace(true);
        // Each connection holds a sender; `None` comes when all are gone.
        if tokio::time::timeout(STOP_TIMEOUT, self.connections.recv()).await.is_err() {
            tracing::warn!("some connections did not end in {} s", STOP_TIMEOUT.as_secs());
        }
        let store = self.service.store.clone();
        if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
            tracing::error!("the ledger could not be closed in order; what was acknowledged is stored");
        }
    }
}

async fn accept(service: Arc<Service>, listener: TcpListener, alive: mpsc::Sender<()>) {
    let mut stop = service.stop.subscribe();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                tokio::spawn(connection::serve(service.clone(), socket, peer, alive.clone()));
            }
            Err(error) => {
                // Mostly out of file descriptors: those that are connected go on.
                tracing::warn!("cannot accept a connection: {error}; is the limit of open files too low?");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Returns when the pool is asked to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the service is gone, which is as good.
    let _ = stop.wait_for(|stop| *stop).await;
}
