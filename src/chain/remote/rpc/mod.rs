//! Bitcoin Core, and what speaks like it, by JSON-RPC.
//!
//! | file | what |
//! |---|---|
//! | `settings` | where the RPC is, and the login |
//! | `client` | a call over HTTP |
//! | `template` | `getblocktemplate`'s answer, made a template |
//! | `follow` | hears of news as soon as it can |
//! | `zmq` | a bell that rings for blocks, where the node has one |

mod client;
mod follow;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod zmq;

use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use bitcoin::{Block, BlockHash, Network};
use serde::Deserialize;

pub use settings::{Auth, RpcSettings, RpcUrlError};
pub use template::{Parsed, TemplateError, parse};

use super::NodeError;
use super::endpoint::Answer as SubmitAnswer;
use crate::block::Template;
use crate::chain::{Refusal, SubmitOutcome, Tip};
use crate::hash::Hash;
use client::{Client, Patience};

/// A call of the usual length.
const USUAL: Patience = Patience::Times(1);

/// Checking a full block whose transactions the node has not seen takes seconds.
const LONG: Patience = Patience::Times(6);

/// Core's code for a block that it does not know (`RPC_INVALID_ADDRESS_OR_KEY`).
const NOT_FOUND: i64 = -5;

/// Core's code for what cannot be decoded (`RPC_DESERIALIZATION_ERROR`).
const UNDECODABLE: i64 = -22;

/// A node that is spoken to by JSON-RPC.
#[derive(Debug)]
pub struct RpcEndpoint {
    name: Arc<str>,
    client: Client,
    /// Its name or address alone.
    host: String,
    network: Network,
}

/// What a block's header says, with its place in the chain.
#[derive(Debug, Deserialize)]
struct BlockHeader {
    height: u32,
    time: u32,
    mediantime: u32,
    bits: Bits,
    chainwork: String,
    confirmations: i64,
}

/// Core writes eight hexadecimal digits, bcoin a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Bits {
    Number(u32),
    Hex(String),
}

impl RpcEndpoint {
    /// The node at `settings`, which must be on `network`.
    #[must_use]
    pub fn new(settings: &RpcSettings, network: Network) -> Self {
        let host = settings.host.clone();
        Self { name: settings.name().into(), client: Client::new(settings), host, network }
    }

    pub(super) fn name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// Asks for a template, at once, or when there is something newer than `longpollid`.
    async fn block_template(&self, longpollid: Option<&str>) -> Result<Parsed, NodeError> {
        let mut request = serde_json::json!({
            "rules": self.rules(),
            "capabilities": ["coinbasevalue", "longpoll", "workid"],
        });
        let patience = match longpollid {
            None => USUAL,
            Some(id) => {
                request["longpollid"] = id.into();
                Patience::Endless
            }
        };
        let params = serde_json::Value::Array(vec![request]).to_string();
        let answer = self.client.call("getblocktemplate", &params, patience).await?;
        // Megabytes of hexadecimal: connections on this thread should not wait for it.
        let parsing = tokio::task::spawn_blocking(move || {
            let json: &serde_json::value::RawValue = answer.read()?;
            parse(json.get()).map_err(NodeError::from)
        });
        match parsing.await {
            Ok(parsed) => parsed,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only at shutdown, when nobody waits for it any more.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn rules(&self) -> &'static [&'static str] {
        match self.network {
            Network::Signet => &template::RULES,
            _ => &template::RULES[..1],
        }
    }

    pub(super) async fn template(&self) -> Result<Template, NodeError> {
        Ok(self.block_template(None).await?.template)
    }

    async fn header(&self, hash: &BlockHash) -> Result<BlockHeader, NodeError> {
        self.client.call("getblockheader", &format!("[\"{hash}\"]"), USUAL).await?.read()
    }

    async fn best_hash(&self) -> Result<BlockHash, NodeError> {
        self.client.call("getbestblockhash", "[]", USUAL).await?.hash()
    }

    pub(super) async fn submit(&self, block: &Block) -> SubmitAnswer {
        let params = format!("[\"{}\"]", bitcoin::consensus::encode::serialize_hex(block));
        let answer = self.client.call("submitblock", &params, LONG).await?;
        match answer.read::<Option<String>>() {
            Ok(reason) => verdict(reason.as_deref(), &self.name),
            Err(NodeError::Rpc { code: UNDECODABLE, message, .. }) => {
                Ok(Err(Refusal { reason: message.into(), detail: self.said() }))
            }
            Err(error) => Err(error),
        }
    }

    fn said(&self) -> String {
        format!("node {}", self.name)
    }

    pub(super) async fn confirmations(&self, hash: &Hash) -> Result<Option<u32>, NodeError> {
        match self.header(&BlockHash::from_byte_array(*hash)).await {
            // -1 on a side branch.
            Ok(header) => Ok(Some(u32::try_from(header.confirmations).unwrap_or(0))),
            Err(NodeError::Rpc { code: NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What an answer of `submitblock` means (BIP22).
fn verdict(reason: Option<&str>, node: &str) -> SubmitAnswer {
    let Some(reason) = reason else { return Ok(Ok(SubmitOutcome::NewTip)) };
    // bcoin puts a word before it.
    let reason = reason.strip_prefix("rejected: ").unwrap_or(reason);
    match reason {
        "duplicate" => Ok(Ok(SubmitOutcome::Duplicate)),
        "inconclusive" | "duplicate-inconclusive" => Ok(Ok(SubmitOutcome::SideBranch)),
        // Not the block's fault: the node has yet to hear of the one before.
        "prev-blk-not-found" | "inconclusive-not-best-prevblk" => Err(NodeError::Rpc {
            method: "submitblock",
            code: 0,
            message: format!("{reason}: it does not have the block before yet"),
        }),
        _ => Ok(Err(Refusal { reason: reason.to_owned().into(), detail: format!("node {node}") })),
    }
}

impl BlockHeader {
    /// The tip that this header is, if the node says it well.
    fn tip(&self, hash: &BlockHash) -> Result<(Tip, super::ChainWork), NodeError> {
        let wrong = |what: String| NodeError::Answer { method: "getblockheader", what };
        let nbits = match &self.bits {
            Bits::Number(bits) => *bits,
            Bits::Hex(bits) => u32::from_str_radix(bits, 16).map_err(|_| wrong(format!("bits {bits:?}")))?,
        };
        let work = bitcoin::Work::from_unprefixed_hex(&self.chainwork)
            .map_err(|_| wrong(format!("chainwork {:?}", self.chainwork)))?;
        let tip = Tip { height: self.height, hash: hash.to_byte_array(), ntime: self.time, nbits };
        Ok((tip, super::ChainWork(work.to_be_bytes())))
    }
}
