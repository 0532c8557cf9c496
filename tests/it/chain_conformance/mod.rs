//! One body for every chain that the pool can mine on.
//!
//! [`body::run`] mines 150 blocks through the real pool by the real CPU miner, from
//! height 0, and then what a chain does to a pool: payments, blocks of others, a
//! tip that changes while a share is sought, a reorganisation. It is told nothing
//! about the chain but how to look at it ([`Chain`]); what it demands is the same.

pub mod body;
mod pool;
mod wallet;

use adit::chain::embedded::{EmbeddedChain, Params, Proof, Warp};
use adit::chain::remote::Nodes;
use adit::chain::{EmbeddedNode, Node, SubmitOutcome};
use adit::net::Clock;
use bitcoin::hashes::Hash as _;
use bitcoin::{Block, BlockHash, Network, Transaction};
use serde_json::{Value, json};

use super::node::daemon::Daemon;
pub use pool::{MinedPool, key_script, pool_on};
pub use wallet::Wallet;

/// A chain as somebody beside the pool sees it. Calls block.
pub trait Chain: Send + Sync {
    /// Height of the tip.
    fn height(&self) -> u32;
    /// The best chain's block at a height.
    fn block(&self, height: u32) -> Block;
    /// Hands in a block of somebody else; `None` when it is the new tip, else why not.
    fn submit(&self, block: &Block) -> Option<String>;
    /// Hands in a payment.
    fn send(&self, transaction: &Transaction);
    /// Takes the tip off the chain, where a chain can be told to.
    fn invalidate(&self, _tip: BlockHash) -> bool {
        false
    }
    /// Takes [`Self::invalidate`] back.
    fn reconsider(&self, _tip: BlockHash) {}
}

impl Chain for EmbeddedNode {
    fn height(&self) -> u32 {
        self.chain().tip().height
    }

    fn block(&self, height: u32) -> Block {
        let chain = self.chain();
        chain.block(&chain.hash_at(height).unwrap()).unwrap().unwrap()
    }

    fn submit(&self, block: &Block) -> Option<String> {
        match self.chain().submit(block, Proof::Hashed, Clock::start().now()) {
            Ok(SubmitOutcome::NewTip) => None,
            Ok(other) => other.reason().map(str::to_owned),
            Err(error) => Some(error.to_string()),
        }
    }

    fn send(&self, transaction: &Transaction) {
        self.chain().submit_transaction(transaction.clone()).unwrap();
    }
}

impl Chain for Daemon {
    fn height(&self) -> u32 {
        Daemon::height(self)
    }

    fn block(&self, height: u32) -> Block {
        Daemon::block(self, height)
    }

    fn submit(&self, block: &Block) -> Option<String> {
        match Daemon::submit(self, block) {
            Value::Null => None,
            reason => Some(reason.as_str().unwrap().to_owned()),
        }
    }

    fn send(&self, transaction: &Transaction) {
        Daemon::send(self, transaction);
    }

    fn invalidate(&self, tip: BlockHash) -> bool {
        self.call("invalidateblock", &json!([tip.to_string()]));
        true
    }

    fn reconsider(&self, tip: BlockHash) {
        self.call("reconsiderblock", &json!([tip.to_string()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn embedded_chain() {
    let dir = tempfile::tempdir().unwrap();
    let chain = EmbeddedChain::open(Some(dir.path()), Params::regtest(), Clock::start().now()).unwrap();
    let node = EmbeddedNode::new(chain, Warp::none());
    body::run(node.clone().into(), &node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
async fn bitcoin_core_by_rpc() {
    let daemon = Daemon::start();
    let nodes = Nodes::connect([daemon.endpoint()], Network::Regtest).await.unwrap();
    body::run(Node::from(nodes), &daemon).await;
}

/// A block's hash as the ledger and headers have it.
fn hash_of(block: &Block) -> [u8; 32] {
    block.block_hash().to_byte_array()
}
