//! Stratum V1: JSON objects, one a line.
//!
//! | file | noun |
//! |---|---|
//! | `request` | what a miner asks of a pool |
//! | `message` | what a pool says to a miner, read by our miners |
//! | `reply` | what the pool writes: replies, notifications, commands |
//! | `notify` | a job, serialised once and spliced per miner |
//! | `dialect` | the error codes and strings of well-known pools |
//! | `members` | a line taken apart but not interpreted, for what passes it on |
//! | `param` | a JSON value without an allocation where the field sends strings |
//! | `hex` | hexadecimal, lenient where the field is |
//!
//! Sources: the Stratum wiki of 2012, BIP310, and how pools and firmware use
//! them today; where they differ, the doc of the item says what we do.

pub mod dialect;
pub mod hex;
pub mod members;
mod message;
mod notify;
mod param;
mod reply;
mod request;

pub use dialect::Dialect;
pub use message::{Answer, JobNotice, MessageError, PoolMessage, Subscription, WireError, parse_message};
pub use notify::Notify;
pub use reply::{Command, Reply, write_command, write_set_difficulty};
pub use request::{
    Configure, Id, Line, Malformed, Request, SessionToken, Submit, VersionRolling, WORKER_BYTES_MAX,
    parse_line, write_request, write_submit,
};

/// Longest line accepted from a miner, in bytes, unless configured otherwise.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// The bits of a block version that BIP320 leaves to miners.
pub const VERSION_MASK: u32 = 0x1fff_e000;
