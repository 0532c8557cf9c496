//! A node, whichever it is: the handle that pools hold.
//!
//! An enum of backends rather than a trait: callers are few, backends are
//! known, and `async` methods need no boxing. Methods take the real time;
//! a node with a clock of its own ignores it. Invariant: a submitted block is
//! judged and stored to the end even if the caller stops waiting.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use bitcoin::{Block, Network};
use tokio::sync::watch;

use super::embedded::{EmbeddedChain, Proof, Warp};
use super::kernel::Kernel;
use super::remote::{Health, NodeStatus, Nodes};
use super::{ChainError, SubmitError, SubmitOutcome, Tip};
use crate::block::Template;
use crate::hash::Hash;
use crate::units::Timestamp;

/// Where templates come from and blocks go.
#[derive(Debug, Clone)]
pub enum Node {
    /// A chain of our own.
    Embedded(EmbeddedNode),
    /// Nodes outside.
    Remote(Nodes),
}

impl Node {
    /// What can be mined on the tip at once: without transactions, unless those
    /// are at hand too. `None` when nothing is.
    #[must_use]
    pub fn template_at_once(&self, now: Timestamp) -> Option<Template> {
        match self {
            Self::Embedded(node) => Some(node.chain().template(true, node.clock.chain_time(now))),
            Self::Remote(nodes) => nodes.template_at_once(),
        }
    }

    /// What to mine on, with transactions.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn template(&self, now: Timestamp) -> Result<Template, ChainError> {
        match self {
            Self::Embedded(node) => Ok(node.chain().template(false, node.clock.chain_time(now))),
            Self::Remote(nodes) => nodes.template().await,
        }
    }

    /// What is known of each node; of a chain of our own, that it is there.
    #[must_use]
    pub fn statuses(&self) -> Vec<NodeStatus> {
        match self {
            Self::Embedded(node) => vec![node.status()],
            Self::Remote(nodes) => nodes.statuses(),
        }
    }

    /// Hands in a solved block.
    ///
    /// # Errors
    /// When the block is refused, or the node does not answer.
    pub async fn submit(&self, block: Block, now: Timestamp) -> Result<SubmitOutcome, SubmitError> {
        match self {
            Self::Embedded(node) => node.submit(block, now).await,
            Self::Remote(nodes) => Ok(nodes.submit(block).await?),
        }
    }

    /// Announces every new tip; holds the present one from the start.
    #[must_use]
    pub fn tips(&self) -> watch::Receiver<Tip> {
        match self {
            Self::Embedded(node) => node.tips.clone(),
            Self::Remote(nodes) => nodes.tips(),
        }
    }

    /// How many blocks of the best chain confirm this one, itself included;
    /// 0 when it is on a side branch, `None` when unknown.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn confirmations(&self, hash: &Hash) -> Result<Option<u32>, ChainError> {
        match self {
            Self::Embedded(node) => Ok(node.chain().confirmations(hash)),
            Self::Remote(nodes) => nodes.confirmations(hash).await,
        }
    }

    /// The network whose addresses belong to this node's chain.
    #[must_use]
    pub fn network(&self) -> Network {
        match self {
            Self::Embedded(node) => node.network,
            Self::Remote(nodes) => nodes.network(),
        }
    }

    /// Seconds of the node's time in a real second.
    #[must_use]
    pub fn pace(&self) -> f64 {
        match self {
            Self::Embedded(node) => node.clock.factor(),
            Self::Remote(_) => 1.0,
        }
    }

    /// The node's time when the real time is `now`.
    #[must_use]
    pub fn chain_time(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Embedded(node) => node.clock.chain_time(now),
            Self::Remote(_) => now,
        }
    }
}

/// An embedded chain that many tasks share.
#[derive(Debug, Clone)]
pub struct EmbeddedNode {
    chain: Arc<Mutex<EmbeddedChain>>,
    clock: Warp,
    tips: watch::Receiver<Tip>,
    network: Network,
    opened: Instant,
    kernel: Option<Arc<Kernel>>,
}

impl EmbeddedNode {
    /// Shares `chain`, whose time runs by `clock`.
    #[must_use]
    pub fn new(chain: EmbeddedChain, clock: Warp) -> Self {
        let (tips, network) = (chain.tips(), chain.params().network());
        let chain = Arc::new(Mutex::new(chain));
        Self { chain, clock, tips, network, opened: Instant::now(), kernel: None }
    }

    /// Lets Bitcoin Core's consensus code judge each block before the chain does.
    ///
    /// # Errors
    /// When the chain is not Core's regtest in real time, when Core refuses a
    /// block that it has, or when this build is without the feature `kernel`.
    pub fn with_kernel(mut self) -> Result<Self, ChainError> {
        let pace = self.clock.factor();
        if pace != 1.0 {
            let what = format!("it knows real time only, and chain.warp is {pace}");
            return Err(ChainError::Kernel { what });
        }
        let kernel = Kernel::of(&self.chain())?;
        self.kernel = Some(Arc::new(kernel));
        Ok(self)
    }

    /// The chain itself, locked: for what other nodes cannot do, such as
    /// letting the rest of the network find a block. Writing takes a disk
    /// flush, so call it where blocking is allowed.
    ///
    /// # Panics
    /// When a thread panicked while it held the chain, which may be half changed.
    pub fn chain(&self) -> MutexGuard<'_, EmbeddedChain> {
        self.chain.lock().expect("no thread panics while it holds the chain")
    }

    /// How the chain's time runs.
    #[must_use]
    pub fn clock(&self) -> Warp {
        self.clock
    }

    fn status(&self) -> NodeStatus {
        NodeStatus {
            name: "embedded".into(),
            kind: "embedded",
            active: true,
            health: Health::Up,
            since: self.opened,
            tip: Some(*self.tips.borrow()),
            transactions: None,
            template_took: None,
        }
    }

    async fn submit(&self, block: Block, now: Timestamp) -> Result<SubmitOutcome, SubmitError> {
        let (node, chain_now) = (self.clone(), self.clock.chain_time(now));
        let judging = tokio::task::spawn_blocking(move || match &node.kernel {
            Some(kernel) => kernel.agree(&mut node.chain(), &block, chain_now),
            None => node.chain().submit(&block, Proof::Hashed, chain_now),
        });
        match judging.await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only at shutdown, when nobody waits for the answer any more.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl From<EmbeddedNode> for Node {
    fn from(node: EmbeddedNode) -> Self {
        Self::Embedded(node)
    }
}

impl From<Nodes> for Node {
    fn from(nodes: Nodes) -> Self {
        Self::Remote(nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::embedded::{Network as RestOfTheNetwork, NetworkConfig, Params};
    use crate::units::Seconds;

    #[test]
    fn a_chain_with_a_time_of_its_own_has_no_second_judge() {
        let now = Timestamp::from_unix_seconds(1_750_000_000);
        let chain = EmbeddedChain::open(None, Params::regtest(), now).unwrap();
        let clock = Warp::resuming(now, &chain.tip(), 60.0);
        let error = EmbeddedNode::new(chain, clock).with_kernel().unwrap_err().to_string();
        assert!(error.contains("chain.warp is 60"), "{error}");
    }

    #[tokio::test]
    async fn many_tasks_share_one_chain() {
        let now = Timestamp::from_unix_seconds(1_750_000_000);
        let chain =
            EmbeddedChain::open(None, Params::mainnet_like(840_000).with_transactions(3), now).unwrap();
        let clock = Warp::resuming(now, &chain.tip(), 60.0);
        let embedded = EmbeddedNode::new(chain, clock);
        let node = Node::from(embedded.clone());
        let mut tips = node.tips();
        assert_eq!(tips.borrow_and_update().height, 840_000);
        assert_eq!(node.network(), Network::Bitcoin);

        let empty = node.template_at_once(now + Seconds(10.0)).unwrap();
        assert_eq!((empty.transactions.len(), u64::from(empty.ntime)), (0, 1_750_000_600));
        assert_eq!(node.template(now).await.unwrap().transactions.len(), 3);

        let mut network = RestOfTheNetwork::new(NetworkConfig::default(), &embedded.chain(), now);
        network.arrive(&mut embedded.chain()).unwrap();
        tips.changed().await.unwrap();
        let tip = *tips.borrow_and_update();
        assert_eq!(tip.height, 840_001);
        assert_eq!(node.confirmations(&tip.hash).await.unwrap(), Some(1));

        // The node hashes what is submitted to it.
        let block = embedded.chain().block(&tip.hash).unwrap().unwrap();
        assert!(node.submit(block, now).await.unwrap_err().to_string().starts_with("high-hash"));
    }
}
