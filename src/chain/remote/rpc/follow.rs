//! Hears of news as soon as it can.
//!
//! A long poll brings a new tip's template as soon as the node has made it. On
//! mainnet that takes it some hundred milliseconds, so the tip itself is awaited
//! beside it (`waitforblockheight`, which costs the node nothing) and reported with
//! an empty block. Each second [`BEAT`] asks for the best block: that finds a node
//! that is gone without a word, a chain that changed without growing, and is all
//! there is with nodes that offer neither of the two. Where a node publishes its
//! blocks by ZMQ, that is listened to as well.
//!
//! A long poll is never given up while its node is well: Core would keep the
//! thread of an abandoned one until the next block. Two calls of a node's
//! `-rpcthreads` are so taken for good.

use std::convert::Infallible;
use std::pin::pin;
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use serde::Deserialize;
use tokio::time::{MissedTickBehavior, sleep, sleep_until};

use super::zmq::{self, Bell};
use super::{NodeError, Parsed, Patience, RpcEndpoint, USUAL};
use crate::block::Template;
use crate::chain::Tip;
use crate::chain::remote::{ChainWork, Offer, Reporter, View, empty_template};

/// How soon a node that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often a node is asked whether it is there, and what its best block is.
const BEAT: Duration = Duration::from_secs(1);

/// How long a wait for a height lasts, in milliseconds. Core keeps a thread so
/// long when nobody waits any more.
const HEIGHT_WAIT_MS: u32 = 10_000;

/// A long poll that has not brought a tip's template by then is asked over: it is
/// slow, or the chain came back to where the poll began.
const POLL_OVERDUE: Duration = Duration::from_secs(5);

/// Core's code for a method that it does not have (`RPC_METHOD_NOT_FOUND`).
const NO_METHOD: i64 = -32601;

/// The newest of a node.
struct Newest {
    tip: Tip,
    work: ChainWork,
    template: Template,
    longpollid: Option<String>,
}

impl RpcEndpoint {
    pub(in crate::chain::remote) async fn watch(&self, report: &Reporter) -> Infallible {
        loop {
            let Err(error) = self.follow(report).await;
            report.down(error);
            sleep(RETRY).await;
        }
    }

    async fn follow(&self, report: &Reporter) -> Result<Infallible, NodeError> {
        self.check_network().await?;
        self.catch_up(report).await?;
        let bell = self.bell().await?;
        let began = Instant::now();
        let first = self.block_template(None).await?;
        let mut newest = self.take(first, Some(began.elapsed()), None, report).await?;
        loop {
            newest = self.next(newest, bell.as_ref(), report).await?;
        }
    }

    async fn check_network(&self) -> Result<(), NodeError> {
        #[derive(Deserialize)]
        struct ChainInfo {
            chain: String,
        }
        let info: ChainInfo = self.client.call("getblockchaininfo", "[]", USUAL).await?.read()?;
        let genesis = self.client.call("getblockhash", "[0]", USUAL).await?.hash()?;
        let wanted = self.network.to_core_arg();
        let ours = bitcoin::constants::genesis_block(self.network).block_hash();
        if info.chain != wanted || genesis != ours {
            let mut found = info.chain;
            if found == wanted {
                found = format!("a {found} that begins with block {genesis}");
            }
            return Err(NodeError::OtherNetwork { found, wanted: wanted.to_owned() });
        }
        Ok(())
    }

    /// Hands in what the node should have, if it lost it; see [`Reporter::taken`].
    async fn catch_up(&self, report: &Reporter) -> Result<(), NodeError> {
        let blocks = report.taken();
        let Some(last) = blocks.last() else { return Ok(()) };
        if self.confirmations(last.block_hash().as_byte_array()).await?.is_some() {
            return Ok(());
        }
        tracing::warn!("node {} has lost blocks: {} of ours are handed in again", self.name, blocks.len());
        for block in blocks {
            match self.submit(&block).await {
                // What it says to them shows in its tip.
                Ok(_) | Err(NodeError::Rpc { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Subscribes to the node's blocks, where it publishes them.
    async fn bell(&self) -> Result<Option<Bell>, NodeError> {
        let answer = self.client.call("getzmqnotifications", "[]", USUAL).await;
        let publishers: Vec<zmq::Publisher> = match answer.and_then(|answer| answer.read()) {
            Ok(publishers) => publishers,
            // Built without it, or not for this user.
            Err(NodeError::Rpc { .. } | NodeError::Forbidden) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(zmq::address(&publishers, &self.host).map(Bell::new))
    }

    /// Reports a template; `before` is what was the newest until now.
    async fn take(
        &self,
        parsed: Parsed,
        took: Option<Duration>,
        before: Option<&Newest>,
        report: &Reporter,
    ) -> Result<Newest, NodeError> {
        let Parsed { template, longpollid } = parsed;
        let (tip, work) = match before {
            Some(before) if before.tip.hash == template.prev_hash => (before.tip, before.work),
            _ => {
                let hash = BlockHash::from_byte_array(template.prev_hash);
                self.header(&hash).await?.tip(&hash)?
            }
        };
        let offer = Offer { took, ..Offer::awaited(template.clone()) };
        report.up(View { tip, work: Some(work), offer: Some(offer) });
        Ok(Newest { tip, work, template, longpollid })
    }

    /// Waits for news and reports them.
    async fn next(
        &self,
        mut newest: Newest,
        bell: Option<&Bell>,
        report: &Reporter,
    ) -> Result<Newest, NodeError> {
        let id = newest.longpollid.take();
        let mut poll = pin!(async {
            match id.as_deref() {
                Some(id) => self.block_template(Some(id)).await,
                None => std::future::pending().await,
            }
        });
        // When the template of a tip that was heard of has to be there.
        let mut due: Option<Instant> = None;
        loop {
            let fetch = tokio::select! {
                biased;
                answer = &mut poll => match answer {
                    // It was on its way when a later block was heard of.
                    Ok(parsed) if due.is_some() && parsed.template.prev_hash != newest.tip.hash => true,
                    Ok(parsed) => {
                        if parsed.longpollid == id {
                            // No news: a node that answers so at once is not to be asked without end.
                            sleep(RETRY).await;
                        }
                        return self.take(parsed, None, Some(&newest), report).await;
                    }
                    Err(error) => {
                        tracing::debug!("node {}: the long poll ended: {error}", self.name);
                        true
                    }
                },
                changed = self.tip_changes(&newest.tip, bell, report) => {
                    changed?;
                    self.look(&mut newest, report).await?;
                    due.get_or_insert(Instant::now() + POLL_OVERDUE);
                    id.is_none()
                }
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => true,
            };
            if fetch {
                let began = Instant::now();
                let parsed = self.block_template(None).await?;
                return self.take(parsed, Some(began.elapsed()), Some(&newest), report).await;
            }
        }
    }

    /// Ends when the node is on another tip than this, or fails.
    async fn tip_changes(&self, tip: &Tip, bell: Option<&Bell>, report: &Reporter) -> Result<(), NodeError> {
        let rung = async {
            match bell {
                Some(bell) => bell.rung(&tip.hash).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.beat(tip, report) => changed,
            () = self.height_above(tip.height) => Ok(()),
            () = rung => Ok(()),
        }
    }

    async fn beat(&self, tip: &Tip, report: &Reporter) -> Result<(), NodeError> {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        loop {
            beat.tick().await;
            if self.best_hash().await?.to_byte_array() != tip.hash {
                return Ok(());
            }
            report.alive();
        }
    }

    /// Ends when the node has a block above `height`; never when it cannot tell.
    async fn height_above(&self, height: u32) {
        #[derive(Deserialize)]
        struct Reached {
            height: u32,
        }
        let params = format!("[{},{HEIGHT_WAIT_MS}]", height.saturating_add(1));
        loop {
            let answer = self.client.call("waitforblockheight", &params, Patience::Endless).await;
            match answer.and_then(|answer| answer.read::<Reached>()) {
                Ok(reached) if reached.height > height => return,
                Ok(_) => {}
                Err(NodeError::Rpc { code: NO_METHOD, .. }) => return std::future::pending().await,
                // Whether it is well is the beat's to say.
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    /// Reports the tip as it is now, with an empty block on it.
    async fn look(&self, newest: &mut Newest, report: &Reporter) -> Result<(), NodeError> {
        let hash = self.best_hash().await?;
        if hash.to_byte_array() == newest.tip.hash {
            return Ok(());
        }
        let header = self.header(&hash).await?;
        let (tip, work) = header.tip(&hash)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        let empty = empty_template(&tip, header.mediantime, &newest.template, self.network, now);
        report.up(View { tip, work: Some(work), offer: empty.map(Offer::empty) });
        (newest.tip, newest.work) = (tip, work);
        Ok(())
    }
}
