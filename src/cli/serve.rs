//! `adit serve`: the pool for any miner.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rand::TryRng as _;

use super::{Failure, interrupted, runtime};
use crate::chain::EmbeddedNode;
use crate::chain::embedded::{EmbeddedChain, Warp};
use crate::config::{Overrides, Settings};
use crate::net::Clock;
use crate::server::{Server, ServerError, ServerSettings};
use crate::store::Store;
use crate::units::Difficulty;
use crate::web;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit serve                                  regtest on 127.0.0.1:3333
  adit serve --difficulty 0.001               for a CPU miner
  adit serve --chain mainnet-like             thousands of transactions, mainnet's difficulty
  adit serve --v1 0.0.0.0:3333                for a device on your network
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
    /// Chain: regtest or mainnet-like
    #[arg(long, value_name = "KIND")]
    chain: Option<String>,
    /// Difficulty of a miner's first job
    #[arg(long, value_name = "D")]
    difficulty: Option<Difficulty>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let overrides = Overrides {
            v1: self.v1,
            http: self.http,
            data: self.data,
            chain: self.chain,
            difficulty: self.difficulty,
        };
        let settings = Settings::load(self.config.as_deref(), &overrides)?;
        runtime()?.block_on(async {
            let http = settings.http;
            let pool = start(settings).await?;
            let bound = web::start(http, pool.service().clone()).await.map_err(failure)?;
            tracing::info!("miners: stratum+tcp://{}   page, API, metrics: http://{bound}", pool.v1());
            interrupted().await;
            tracing::info!("stopping: closing connections and storing everything");
            pool.stop().await;
            Ok(())
        })
    }
}

/// Opens ledger and chain and starts the pool on them.
pub(super) async fn start(settings: Settings) -> Result<Server, Failure> {
    let mut seed = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut seed).map_err(Failure::surroundings)?;
    let now = Clock::start().now();
    let store = Store::open(&settings.data, settings.store).map_err(Failure::surroundings)?;
    let chain =
        EmbeddedChain::open(Some(&settings.data), settings.chain, now).map_err(Failure::surroundings)?;
    let clock =
        if settings.warp == 1.0 { Warp::none() } else { Warp::resuming(now, &chain.tip(), settings.warp) };
    let node = EmbeddedNode::new(chain, clock);
    let server = ServerSettings {
        v1: settings.v1,
        pool: settings.pool,
        coinbase: settings.coinbase,
        refresh: settings.refresh,
        line_bytes_max: settings.line_bytes_max,
        seed,
    };
    let server = Server::start(server, node.clone().into(), Arc::new(store)).await.map_err(failure)?;
    if let Some(network) = settings.network {
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
