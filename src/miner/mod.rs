//! The rules of a miner, pure: a line and the time go in, bytes and events come out.
//!
//! | file | decides |
//! |---|---|
//! | `client` | what to tell a pool, and what its lines mean for the miner |
//! | `job` | what must be hashed for a job, and what its coinbase pays |
//! | `search` | which headers to try, none of them twice |
//! | `share` | what goes on the wire for a proof of work |
//! | `faults` | how to make a share that is wrong in exactly one way |
//! | `reason` | what a pool's error means, whichever words it uses |
//! | `oracle` | whether a pool's verdict agrees with what the miner knows |
//! | `backoff` | how long to wait before the next attempt |
//! | `personality` | a whole device, with any of the mistakes that firmware makes |
//!
//! The real miner (`mine`), the fleet on sockets (`swarm`) and the fleet in
//! virtual time (`sim`) run this same code. Nothing here opens a socket, reads
//! a clock or draws from a global RNG.

pub mod backoff;
pub mod client;
pub mod faults;
pub mod job;
pub mod oracle;
pub mod personality;
pub mod reason;
pub mod search;
pub mod share;

pub use backoff::Backoff;
pub use client::{Client, ClientConfig, ClientEvent, ClientOutput, PoolVerdict, SessionError, SubmissionId};
pub use faults::{Fault, Scene};
pub use job::MinerJob;
pub use oracle::{Judgement, Oracle, Sent};
pub use search::{Lane, Search};
pub use share::Share;
