//! Where templates come from and blocks go: a Bitcoin node, or a chain of our own.
//!
//! Everything above asks a [`Node`] for a [`Template`](crate::block::Template),
//! hands it solved blocks and watches its [`Tip`]. Refusals carry Bitcoin
//! Core's reject reasons letter by letter, so that a caller (and one
//! conformance body) need not know which node answers.
//!
//! | backend | blocks are | for |
//! |---|---|---|
//! | [`embedded`], regtest | real: hashed and consensus-valid | tests, demo, firmware |
//! | [`embedded`], mainnet-like | valid, the proofs of others drawn | simulation with mainnet's shape |
//! | [`remote`], one node or several | those of Bitcoin | mining |
//!
//! With the feature `kernel`, Bitcoin Core's own consensus code can judge the blocks
//! of an embedded regtest chain too ([`kernel`]).
//!
//! Invariant: the embedded chain announces a tip only after its block and all coin
//! changes are on disk together.

pub mod embedded;
#[cfg_attr(not(feature = "kernel"), path = "without_kernel.rs")]
pub mod kernel;
mod node;
pub mod remote;

use std::borrow::Cow;
use std::path::PathBuf;

pub use node::{EmbeddedNode, Node};

use crate::hash::Hash;

/// The last block of the best chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its height; the next block is one higher.
    pub height: u32,
    /// Its hash, internal order.
    pub hash: Hash,
    /// Its timestamp, in seconds since the Unix epoch.
    pub ntime: u32,
    /// Its compact target.
    pub nbits: u32,
}

/// What an accepted block changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The block is the new tip.
    NewTip,
    /// The block is kept, but another chain has as much work or more.
    SideBranch,
    /// The block was known already. For whoever submits to several nodes or
    /// after a crash this is success.
    Duplicate,
}

impl SubmitOutcome {
    /// What Core's `submitblock` answers (BIP22); `None` is its `null`.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::NewTip => None,
            Self::SideBranch => Some("inconclusive"),
            Self::Duplicate => Some("duplicate"),
        }
    }
}

/// Why a block or transaction is not valid: the fault of who made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// Bitcoin Core's reject reason, such as `bad-cb-amount`.
    pub reason: Cow<'static, str>,
    /// The numbers behind it.
    pub detail: String,
}

impl Refusal {
    /// A refusal with one of Core's fixed reasons.
    pub(crate) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason: Cow::Borrowed(reason), detail: detail.into() }
    }
}

/// Why a submission did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The block is not valid; submitting it again will not help.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The node or its disk failed; the block may be good and should be kept.
    #[error(transparent)]
    Fault(#[from] ChainError),
}

/// A failure of our surroundings, with what to try.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The database could not be read or written.
    #[error("{context}: {source}; check that the directory exists, its permissions and free space")]
    Storage {
        /// What was attempted, on which file.
        context: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another process has the data directory open.
    #[error("{path} is in use by another process; stop it, or choose another data directory", path = .path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database holds a chain with other parameters.
    #[error(
        "{path} holds the chain `{found}`, but `{wanted}` was asked for; use those parameters, \
         choose another data directory, or delete the file to start over",
        path = .path.display()
    )]
    OtherChain {
        /// The database.
        path: PathBuf,
        /// Its parameters.
        found: String,
        /// The parameters asked for.
        wanted: String,
    },
    /// The database was written by a newer version, or is no chain of ours.
    #[error(
        "{path} has schema version {found}, this adit reads version {known}; run the adit that \
         wrote it, choose another data directory, or delete the file to start over",
        path = .path.display()
    )]
    OtherVersion {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The version this code writes.
        known: i64,
    },
    /// No node outside gives templates.
    #[error("no template: {problems}")]
    NoNode {
        /// What is wrong with each, and what to try.
        problems: String,
    },
    /// Bitcoin Core's consensus code, which judges beside the embedded chain, does not work.
    #[error("Bitcoin Core's consensus code cannot be used: {what}")]
    Kernel {
        /// What is wrong, and what to try.
        what: String,
    },
    /// The database contradicts itself.
    #[error("{path} is damaged: {what}; restore it, or delete the file to start over", path = .path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
}
