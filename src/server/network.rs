//! The rest of the network, in real time: blocks that others find on a
//! mainnet-like chain.

use std::sync::Arc;

use super::{Service, stopped};
use crate::chain::EmbeddedNode;
use crate::chain::embedded::{Arrival, Network, NetworkConfig};

/// Lets blocks arrive until the pool stops.
pub(super) async fn run(service: Arc<Service>, node: EmbeddedNode, config: NetworkConfig) {
    let mut stop = service.stop.subscribe();
    let warp = node.clock();
    let mut network = Network::new(config, &node.chain(), warp.chain_time(service.clock.now()));
    loop {
        let wait = warp.real_time(network.next_arrival()).since(service.clock.now());
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(wait.into()) => {}
        }
        let chain = node.clone();
        // Writing the block waits for the disk.
        let arrived = tokio::task::spawn_blocking(move || {
            let arrival = network.arrive(&mut chain.chain());
            (network, arrival)
        });
        let Ok((back, arrival)) = arrived.await else { return };
        network = back;
        match arrival {
            Ok(Arrival::Block) => {}
            Ok(Arrival::Reorg { .. }) => tracing::info!("two blocks of others replaced the tip"),
            Err(error) => {
                tracing::error!("the network's block could not be added: {error}");
                return;
            }
        }
    }
}
