//! One node, however it is spoken to.
//!
//! A way to speak to nodes is a variant here with these methods. `watch` reports
//! [`View`](super::View)s as fast as it can learn of them: the tip first, with
//! [`empty_template`](super::empty_template) where transactions take longer.

use std::convert::Infallible;
#[cfg(feature = "ipc")]
use std::path::PathBuf;
use std::sync::Arc;

use bitcoin::{Block, Network};

#[cfg(feature = "ipc")]
use super::ipc::IpcEndpoint;
use super::rpc::{RpcEndpoint, RpcSettings};
use super::{NodeError, Reporter};
use crate::block::Template;
use crate::chain::{Refusal, SubmitOutcome};
use crate::hash::Hash;

/// How to reach a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointSettings {
    /// By JSON-RPC over HTTP.
    Rpc(RpcSettings),
    /// By the mining interface at this socket.
    #[cfg(feature = "ipc")]
    Ipc(PathBuf),
}

impl EndpointSettings {
    /// Where the node is, without password.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Rpc(settings) => settings.name(),
            #[cfg(feature = "ipc")]
            Self::Ipc(path) => path.display().to_string(),
        }
    }
}

/// What a node said to a block.
pub(super) type Answer = Result<Result<SubmitOutcome, Refusal>, NodeError>;

/// A node.
#[derive(Debug)]
#[cfg_attr(
    feature = "ipc",
    expect(clippy::large_enum_variant, reason = "there are a few, as long as the pool")
)]
pub enum Endpoint {
    /// By JSON-RPC over HTTP.
    Rpc(RpcEndpoint),
    /// By its mining interface.
    #[cfg(feature = "ipc")]
    Ipc(IpcEndpoint),
}

impl Endpoint {
    /// The node at `settings`, which must be on `network`. Nothing is sent yet.
    #[must_use]
    pub fn new(settings: &EndpointSettings, network: Network) -> Self {
        match settings {
            EndpointSettings::Rpc(settings) => Self::Rpc(RpcEndpoint::new(settings, network)),
            #[cfg(feature = "ipc")]
            EndpointSettings::Ipc(path) => Self::Ipc(IpcEndpoint::new(path.clone(), network)),
        }
    }

    /// Where it is, without password.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Rpc(node) => node.name(),
            #[cfg(feature = "ipc")]
            Self::Ipc(node) => node.name(),
        }
    }

    /// How it is spoken to.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rpc(_) => "rpc",
            #[cfg(feature = "ipc")]
            Self::Ipc(_) => "ipc",
        }
    }

    /// Follows the node for ever.
    pub(super) async fn watch(&self, report: &Reporter) -> Infallible {
        match self {
            Self::Rpc(node) => node.watch(report).await,
            #[cfg(feature = "ipc")]
            Self::Ipc(node) => node.watch(report).await,
        }
    }

    /// Asks for a template with transactions.
    pub(super) async fn template(&self) -> Result<Template, NodeError> {
        match self {
            Self::Rpc(node) => node.template().await,
            #[cfg(feature = "ipc")]
            Self::Ipc(node) => node.template().await,
        }
    }

    /// Hands in a block. The error means that it got no answer.
    pub(super) async fn submit(&self, block: &Block) -> Answer {
        match self {
            Self::Rpc(node) => node.submit(block).await,
            #[cfg(feature = "ipc")]
            Self::Ipc(node) => node.submit(block).await,
        }
    }

    /// See [`Nodes::confirmations`](super::Nodes::confirmations).
    pub(super) async fn confirmations(&self, hash: &Hash) -> Result<Option<u32>, NodeError> {
        match self {
            Self::Rpc(node) => node.confirmations(hash).await,
            #[cfg(feature = "ipc")]
            Self::Ipc(node) => Ok(node.confirmations(hash)),
        }
    }
}
