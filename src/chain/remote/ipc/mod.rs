//! Bitcoin Core by its mining interface, over a Unix socket.
//!
//! The node pushes: work on a new tip is here a fraction of a millisecond after the
//! node has it, without polling and without JSON. Speaks the interface of Bitcoin
//! Core 31 and later (`bitcoin-node` or `bitcoin -m node`, with `-ipcbind=unix`).
//!
//! | file | what |
//! |---|---|
//! | `client` | the calls |
//! | `template` | the node's template, made into ours |
//! | `thread` | the thread they are made on: connects, follows tips, hands in blocks |
//!
//! What the interface lacks, and what is done about it:
//!
//! - **Heights to 16**, in Bitcoin Core 31: its own coinbase is too short there, so it
//!   makes no template ([`NodeError::TooLow`]). Later ones do.
//! - **Which network.** It tells mainnet from the others, and no more.
//! - **Work of the chain.** Beside other nodes, heights are compared instead.
//! - **Where a block is.** `confirmations` knows the tip only.
//! - **Whole blocks**, in Bitcoin Core 31: it takes a solution of one of its
//!   templates, the last of which are kept; after a restart it needs another way in
//!   ([`NodeError::NotKept`]). Later ones take whole blocks, and say what is wrong with them.

mod client;
mod template;
#[cfg(test)]
mod tests;
mod thread;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bitcoin::{Block, Network};
use tokio::sync::{mpsc, oneshot};

use super::endpoint::Answer;
use super::{NodeError, Offer, Reporter, View};
use crate::block::Template;
use crate::chain::{SubmitOutcome, Tip};
use crate::hash::Hash;
use thread::{News, Request};

/// A node's mining interface.
#[derive(Debug)]
pub struct IpcEndpoint {
    path: PathBuf,
    network: Network,
    requests: mpsc::UnboundedSender<Request>,
    /// The other end, until the thread has it.
    inbox: Mutex<Option<mpsc::UnboundedReceiver<Request>>>,
    tip: Mutex<Option<Hash>>,
}

impl IpcEndpoint {
    /// The node that listens at `path` and must be on `network`. Nothing is sent yet.
    #[must_use]
    pub fn new(path: PathBuf, network: Network) -> Self {
        let (requests, inbox) = mpsc::unbounded_channel();
        Self { path, network, requests, inbox: Mutex::new(Some(inbox)), tip: Mutex::new(None) }
    }

    /// Its socket.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        self.path.to_string_lossy().into()
    }

    /// Starts the thread and passes on what it says. Called once.
    pub(super) async fn watch(&self, report: &Reporter) -> Infallible {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let inbox = inbox.expect("a node is watched once");
        let (say, mut news) = mpsc::unbounded_channel();
        let (path, network) = (self.path.clone(), self.network);
        let thread = move || thread::run(path, network, inbox, say);
        if let Err(error) = std::thread::Builder::new().name("node ipc".to_owned()).spawn(thread) {
            tracing::error!("no thread to speak to node {}: {error}", self.name());
        }
        let mut tip = None;
        while let Some(news) = news.recv().await {
            match news {
                News::Connected(caught_up) => {
                    self.catch_up(report).await;
                    let _ = caught_up.send(());
                }
                News::Tip(template) => {
                    // It tells no time of the tip, and no target but that of the next block.
                    let hash = template.prev_hash;
                    let height = template.height - 1;
                    let new = Tip { height, hash, ntime: template.ntime_min, nbits: template.nbits };
                    tip = Some(new);
                    *self.tip.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash);
                    report.up(View { tip: new, work: None, offer: Some(Offer::empty(template)) });
                }
                News::Whole(template, took) => {
                    if let Some(tip) = tip.filter(|tip: &Tip| tip.hash == template.prev_hash) {
                        report.up(View { tip, work: None, offer: Some(Offer::whole(template, took)) });
                    }
                }
                News::Down(error) => {
                    *self.tip.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    report.down(error);
                }
            }
        }
        let reason = "the thread that speaks to it has ended; start adit again".to_owned();
        report.down(NodeError::Ipc { call: "all calls", reason });
        std::future::pending().await
    }

    /// Hands in what the node should have, if it lost it; see [`Reporter::taken`].
    async fn catch_up(&self, report: &Reporter) {
        let blocks = report.taken();
        let Some(last) = blocks.last() else { return };
        let is_known = Ok(Ok(SubmitOutcome::Duplicate));
        if self.submit(last).await == is_known {
            return;
        }
        tracing::warn!("node {} has lost blocks: {} of ours are handed in again", self.name(), blocks.len());
        for block in blocks {
            // What it says to them shows in its tip.
            let _ = self.submit(&block).await;
        }
    }

    /// Asks for a template with transactions.
    pub(super) async fn template(&self) -> Result<Template, NodeError> {
        self.ask(Request::Template).await?
    }

    /// Hands in a block. The error means that it got no answer.
    pub(super) async fn submit(&self, block: &Block) -> Answer {
        self.ask(|reply| Request::Submit(block.clone(), reply)).await?
    }

    /// 1 for the tip; `None` for any other block, of which the interface tells nothing.
    pub(super) fn confirmations(&self, hash: &Hash) -> Option<u32> {
        let tip = *self.tip.lock().unwrap_or_else(PoisonError::into_inner);
        (tip.as_ref() == Some(hash)).then_some(1)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, NodeError> {
        let (reply, answer) = oneshot::channel();
        let gone = || NodeError::Ipc { call: "a request", reason: "the connection ended".to_owned() };
        self.requests.send(request(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}
