//! Bitcoin nodes of somebody else's making, several seen as one.
//!
//! ```text
//!  endpoint ──View──▶ board: who is up, who is active ──▶ tips, templates
//!  endpoint ──View──▶   │                                      │
//!      ▲                └── statuses ─▶ metrics, API, /healthz ▼
//!      └──────────── delivery: a found block, to all ◀──── the pool
//! ```
//!
//! | file | what |
//! |---|---|
//! | `endpoint` | one node, however it is spoken to |
//! | `board` | what all of them say, and which one is mined on |
//! | `delivery` | a found block on its way to all of them |
//! | `empty` | the block that can be mined on a tip before its transactions are known |
//! | `error` | what can be wrong with a node, for its operator |
//! | `rpc` | Bitcoin Core, and what speaks like it, by JSON-RPC |
//! | `ipc` | Bitcoin Core by its mining interface |
//!
//! A task for each endpoint follows its node for ever and reports to the board.
//! [`Nodes`] owns these tasks: they end with it. A pool never waits for a node
//! that is away: what the board has is at hand, and a template is asked for only
//! of a node that is up.

mod board;
mod delivery;
mod empty;
mod endpoint;
mod error;
#[cfg(feature = "ipc")]
pub mod ipc;
pub mod rpc;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::{Block, Network};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use board::{ChainWork, Health, NodeStatus, Offer, Reporter, View};
pub use empty::empty_template;
pub use endpoint::{Endpoint, EndpointSettings};
pub use error::NodeError;

use super::{ChainError, Refusal, SubmitOutcome, Tip};
use crate::block::Template;
use crate::hash::Hash;
use board::{AtHand, Board};

/// A template younger than this is handed out again. Core itself makes a new one
/// for the same tip every five seconds at most.
const FRESH: Duration = Duration::from_secs(5);

/// How long a new tip's transactions are awaited before they are asked for:
/// they are on their way already when the node announced the tip.
const UNDER_WAY: Duration = Duration::from_secs(2);

/// How often it is said whom the pool waits for at its start.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Several nodes of one network, as one.
#[derive(Debug, Clone)]
pub struct Nodes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    network: Network,
    endpoints: Vec<Arc<Endpoint>>,
    board: Arc<Board>,
    watchers: Vec<JoinHandle<std::convert::Infallible>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watchers.iter().for_each(JoinHandle::abort);
        self.board.close();
    }
}

impl Nodes {
    /// Follows these nodes, and returns when the first of them has a template.
    ///
    /// A node may be started after the pool, or take minutes to load; so this
    /// waits, and says for what.
    ///
    /// # Errors
    /// When waiting cannot help with any of them: wrong network, wrong password.
    pub async fn connect(
        endpoints: impl IntoIterator<Item = Endpoint>,
        network: Network,
    ) -> Result<Self, ChainError> {
        let endpoints: Vec<_> = endpoints.into_iter().map(Arc::new).collect();
        let board = Arc::new(Board::new(endpoints.iter().map(|endpoint| (endpoint.name(), endpoint.kind()))));
        let watch = |(index, endpoint): (usize, &Arc<Endpoint>)| {
            let (endpoint, reporter) = (endpoint.clone(), Reporter::new(board.clone(), index));
            tokio::spawn(async move { endpoint.watch(&reporter).await })
        };
        let watchers = endpoints.iter().enumerate().map(watch).collect();
        let nodes = Self(Arc::new(Inner { network, endpoints, board, watchers }));
        nodes.ready().await?;
        Ok(nodes)
    }

    async fn ready(&self) -> Result<(), ChainError> {
        let board = &self.0.board;
        let mut changes = board.changes();
        let mut say = tokio::time::interval(SAY_EVERY);
        say.tick().await;
        loop {
            changes.borrow_and_update();
            let statuses = board.statuses();
            if !matches!(board.at_hand(), AtHand::Nothing(_)) {
                return Ok(());
            }
            if statuses.iter().all(|node| node.health.problem().is_some_and(NodeError::is_permanent)) {
                return Err(ChainError::NoNode { problems: board.problems() });
            }
            tokio::select! {
                _ = changes.changed() => {}
                _ = say.tick() => tracing::warn!("waiting for a node: {}", board.problems()),
            }
        }
    }

    /// The network whose addresses belong to these nodes' chain.
    #[must_use]
    pub fn network(&self) -> Network {
        self.0.network
    }

    /// Announces every new tip of the active node; holds the present one.
    #[must_use]
    pub fn tips(&self) -> watch::Receiver<Tip> {
        self.0.board.tips()
    }

    /// What every node says of itself, in the order of the configuration.
    #[must_use]
    pub fn statuses(&self) -> Vec<NodeStatus> {
        self.0.board.statuses()
    }

    /// What can be mined at once on the tip: all of it, or a block without
    /// transactions while those are under way.
    #[must_use]
    pub fn template_at_once(&self) -> Option<Template> {
        match self.0.board.at_hand() {
            AtHand::Offer(_, offer) => Some(offer.at(Instant::now())),
            AtHand::Tip(_) | AtHand::Nothing(_) => None,
        }
    }

    /// What to mine on, with transactions.
    ///
    /// # Errors
    /// When no node is up, or the active one fails.
    pub async fn template(&self) -> Result<Template, ChainError> {
        let board = &self.0.board;
        let mut changes = board.changes();
        let deadline = Instant::now() + UNDER_WAY;
        let index = loop {
            changes.borrow_and_update();
            match board.at_hand() {
                AtHand::Offer(_, offer) if offer.whole && offer.received.elapsed() < FRESH => {
                    return Ok(offer.at(Instant::now()));
                }
                AtHand::Offer(index, offer) if offer.whole => break index,
                AtHand::Nothing(problems) => return Err(ChainError::NoNode { problems }),
                AtHand::Offer(index, _) | AtHand::Tip(index) => tokio::select! {
                    _ = changes.changed() => {}
                    () = tokio::time::sleep_until(deadline.into()) => break index,
                },
            }
        };
        let endpoint = &self.0.endpoints[index];
        let began = Instant::now();
        match endpoint.template().await {
            Ok(template) => {
                let offer = Offer::whole(template, began.elapsed());
                board.refresh(index, offer.clone());
                Ok(offer.at(offer.received))
            }
            Err(error) => Err(ChainError::NoNode { problems: format!("node {} {error}", endpoint.name()) }),
        }
    }

    /// Hands a block to all nodes; returns with the first that accepts, or when
    /// all have refused. A node that is away gets it when it is back.
    ///
    /// # Errors
    /// When every node refuses the block.
    pub async fn submit(&self, block: Block) -> Result<SubmitOutcome, Refusal> {
        let (block, board) = (Arc::new(block), &self.0.board);
        let outcome = delivery::deliver(&self.0.endpoints, block.clone(), board).await;
        if outcome == Ok(SubmitOutcome::NewTip) {
            board.taken(block);
        }
        outcome
    }

    /// How many blocks of the best chain confirm this one, itself included;
    /// 0 when it is on a side branch, `None` when no node knows it.
    ///
    /// # Errors
    /// When no node answers.
    pub async fn confirmations(&self, hash: &Hash) -> Result<Option<u32>, ChainError> {
        let active = self.0.board.active().unwrap_or(0);
        let (before, from) = self.0.endpoints.split_at(active.min(self.0.endpoints.len()));
        let mut problem = None;
        let mut known = None;
        for endpoint in from.iter().chain(before) {
            match endpoint.confirmations(hash).await {
                Ok(Some(count)) => return Ok(Some(count)),
                Ok(None) => known = Some(None),
                Err(error) => problem = Some(format!("node {} {error}", endpoint.name())),
            }
        }
        known.ok_or_else(|| ChainError::NoNode { problems: problem.unwrap_or_default() })
    }
}
