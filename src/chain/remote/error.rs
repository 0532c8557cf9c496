//! What can be wrong with a node, in words that follow its name.

use std::path::PathBuf;

use super::rpc::TemplateError;

/// Why a node cannot be mined on now. Reads on from "node HOST:PORT".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No connection.
    #[error("cannot be reached: {reason}; is it running with server=1, and is this its rpcport?")]
    Unreachable {
        /// The operating system's reason.
        reason: String,
    },
    /// No answer in time.
    #[error("did not answer {method} within {seconds} s")]
    Timeout {
        /// What was asked.
        method: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// HTTP 401.
    #[error("refuses the user and password (HTTP 401); check them, or give its cookie file instead")]
    Unauthorized,
    /// HTTP 403.
    #[error("refuses our address (HTTP 403); allow it with rpcallowip in bitcoin.conf")]
    Forbidden,
    /// The cookie file cannot be read.
    #[error(
        "has no cookie at {path}: {reason}; it writes one when it starts, in its data directory (in a folder for \
         the network)",
        path = .path.display()
    )]
    Cookie {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// An HTTP status without a JSON-RPC answer.
    #[error("answers {method} with HTTP {status}{}{text}", if text.is_empty() { " and no word; is it stopping?" } else { ": " })]
    Http {
        /// What was asked.
        method: &'static str,
        /// The status.
        status: u16,
        /// How the body begins.
        text: String,
    },
    /// A JSON-RPC error.
    #[error("answers {method} with error {code}: {message}{}", hint(*.code))]
    Rpc {
        /// What was asked.
        method: &'static str,
        /// Core's code (`src/rpc/protocol.h`).
        code: i64,
        /// Its message.
        message: String,
    },
    /// An answer that is not what the method answers.
    #[error("answers {method} with what cannot be read: {what}; is it a Bitcoin node?")]
    Answer {
        /// What was asked.
        method: &'static str,
        /// What is wrong.
        what: String,
    },
    /// Another chain.
    #[error("is on {found}, but the pool is set to {wanted}; change chain.kind (--chain), or the node")]
    OtherNetwork {
        /// The node's.
        found: String,
        /// Ours.
        wanted: String,
    },
    /// No socket to connect to.
    #[error(
        "cannot be reached: {reason}; is it bitcoin-node (or `bitcoin -m node`), running with -ipcbind=unix:{path}?",
        path = .path.display()
    )]
    Socket {
        /// The socket.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// A call of the mining interface that failed.
    #[error("fails {call}: {reason}")]
    Ipc {
        /// The call.
        call: &'static str,
        /// What the node says, or what became of the connection.
        reason: String,
    },
    /// A mining interface that we do not speak.
    #[error("has another mining interface than Bitcoin Core 31 and later ({reason}); use its RPC: --node")]
    OtherInterface {
        /// What the node says.
        reason: String,
    },
    /// A node that is still loading blocks.
    #[error("is still catching up with its network")]
    CatchingUp,
    /// A chain too short for templates over the mining interface of Bitcoin Core 31.
    #[error(
        "is at height {height}, and the mining interface of Bitcoin Core 31 gives templates from 16 on; mine the \
         first blocks over its RPC: --node, or bitcoin-cli generatetoaddress 16 ADDRESS"
    )]
    TooLow {
        /// The height of its tip.
        height: u32,
    },
    /// A block that the node takes only as the solution of a template it has no more.
    #[error(
        "is Bitcoin Core 31, takes over its mining interface only blocks on templates that it still has, and has \
         not this one's; give its RPC too: --node"
    )]
    NotKept,
    /// A template that must not or cannot be mined on.
    #[error("gives no template to mine on: {0}")]
    Template(#[from] TemplateError),
}

/// What to try, for errors of Core that need more words than its own.
fn hint(code: i64) -> &'static str {
    match code {
        -9 => " (it needs peers before it gives templates)",
        -10 => " (it gives templates when it has all blocks)",
        -28 => " (it is starting)",
        -32601 => " (is it a Bitcoin node, and not too old?)",
        _ => "",
    }
}

impl NodeError {
    /// Whether waiting cannot help: something has to be configured otherwise.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Unauthorized
            | Self::Forbidden
            | Self::OtherNetwork { .. }
            | Self::OtherInterface { .. } => true,
            Self::Template(error) => error.is_permanent(),
            _ => false,
        }
    }
}
