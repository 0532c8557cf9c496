//! `adit serve`: the pool for any miner.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rand::TryRng as _;

use super::{Failure, interrupted, runtime};
use crate::chain::embedded::{EmbeddedChain, Warp};
use crate::chain::remote::{Endpoint, Nodes};
use crate::chain::{EmbeddedNode, Node};
use crate::config::{ChainSettings, EmbeddedSettings, Overrides, Settings};
use crate::net::Clock;
use crate::server::{Server, ServerError, ServerSettings};
use crate::store::Store;
use crate::units::Difficulty;
use crate::web;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit serve                                  regtest on 127.0.0.1:3333
  adit serve --difficulty 0.001 --network-difficulty 0.1
                                              for a CPU miner, a block every hundred shares
  adit serve --chain mainnet-like             thousands of transactions, mainnet's difficulty
  adit serve --v1 0.0.0.0:3333                for a device on your network
  adit serve --node http://127.0.0.1:18443 --node-cookie ~/.bitcoin/regtest/.cookie
                                              on Bitcoin Core (bitcoind -regtest -server)
  adit serve --chain testnet4 --payout tb1q... --node http://user:pass@10.0.0.1 \\
    --node http://user:pass@10.0.0.2          on two nodes that take each other's place
  adit serve --node-ipc ~/.bitcoin/regtest/node.sock
                                              on Bitcoin Core 31 (bitcoin -m node -regtest -ipcbind=unix)
  adit serve --config adit.toml               every key: docs/adit.toml")]
pub(super) struct Serve {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where miners connect
    #[arg(long, value_name = "ADDR")]
    v1: Option<SocketAddr>,
    /// Where the API, metrics and the page are
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Data directory: ledger and chain
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Chain: regtest or mainnet-like; with --node: regtest, signet, testnet4 or mainnet
    #[arg(long, value_name = "KIND")]
    chain: Option<String>,
    /// Difficulty of a miner's first job
    #[arg(long, value_name = "D")]
    difficulty: Option<Difficulty>,
    /// Difficulty of the chain's blocks; default: the chain's own
    #[arg(long, value_name = "D")]
    network_difficulty: Option<Difficulty>,
    /// RPC of a Bitcoin node to mine on: http://[USER:PASSWORD@]HOST[:PORT]; again for each further one
    #[arg(long, value_name = "URL")]
    node: Vec<String>,
    /// Socket of a Bitcoin Core's mining interface to mine on (-ipcbind); needs a build with the feature ipc
    #[arg(long, value_name = "PATH")]
    node_ipc: Vec<PathBuf>,
    /// Cookie file of the nodes that are given without a user
    #[arg(long, value_name = "FILE")]
    node_cookie: Option<PathBuf>,
    /// Address that blocks pay; several, with shares: [[coinbase.payouts]] in the configuration
    #[arg(long, value_name = "ADDRESS")]
    payout: Option<String>,
    /// Let Bitcoin Core's consensus code judge each block of the embedded chain too; needs
    /// a build with the feature kernel
    #[arg(long)]
    kernel: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let overrides = Overrides {
            v1: self.v1,
            http: self.http,
            data: self.data,
            chain: self.chain,
            difficulty: self.difficulty,
            network_difficulty: self.network_difficulty,
            nodes: self.node,
            node_sockets: self.node_ipc,
            node_cookie: self.node_cookie,
            payout: self.payout,
            kernel: self.kernel,
        };
        let settings = Settings::load(self.config.as_deref(), &overrides)?;
        runtime()?.block_on(async {
            let mut end = std::pin::pin!(interrupted());
            let http = settings.http;
            let pool = tokio::select! {
                pool = start(settings) => pool?,
                // While it waits for a node.
                () = &mut end => return Ok(()),
            };
            let bound = web::start(http, pool.service().clone()).await.map_err(failure)?;
            tracing::info!("miners: stratum+tcp://{}   page, API, metrics: http://{bound}", pool.v1());
            end.await;
            tracing::info!("stopping: closing connections and storing everything");
            pool.stop().await;
            Ok(())
        })
    }
}

/// Opens the ledger, opens the chain or waits for a node, and starts the pool on them.
pub(super) async fn start(settings: Settings) -> Result<Server, Failure> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed).map_err(Failure::surroundings)?;
    let now = Clock::start().now();
    let store = Store::open(&settings.data, settings.store).map_err(Failure::surroundings)?;
    let mut others = None;
    let node: Node = match settings.chain {
        ChainSettings::Embedded(EmbeddedSettings { params, network, warp, kernel }) => {
            let chain =
                EmbeddedChain::open(Some(&settings.data), params, now).map_err(Failure::surroundings)?;
            let clock = if warp == 1.0 { Warp::none() } else { Warp::resuming(now, &chain.tip(), warp) };
            let mut node = EmbeddedNode::new(chain, clock);
            if kernel {
                node = node.with_kernel().map_err(Failure::surroundings)?;
            }
            others = network.map(|network| (node.clone(), network));
            node.into()
        }
        ChainSettings::Nodes { network, endpoints } => {
            let endpoints = endpoints.iter().map(|settings| Endpoint::new(settings, network));
            Nodes::connect(endpoints, network).await.map_err(Failure::surroundings)?.into()
        }
    };
    let server = ServerSettings {
        v1: settings.v1,
        pool: settings.pool,
        coinbase: settings.coinbase,
        refresh: settings.refresh,
        job_version_bits: settings.job_version_bits,
        line_bytes_max: settings.line_bytes_max,
        seed,
    };
    let server = Server::start(server, node, Arc::new(store)).await.map_err(failure)?;
    if let Some((node, network)) = others {
        server.run_network(node, network);
    }
    Ok(server)
}

/// A coinbase that cannot be made is the configuration's fault.
pub(super) fn failure(error: ServerError) -> Failure {
    match error {
        ServerError::Coinbase(_) => Failure::Usage(error.into()),
        _ => Failure::Surroundings(error.into()),
    }
}
