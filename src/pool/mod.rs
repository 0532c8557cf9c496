//! The rules of a pool, pure: a line and the time go in, replies and events come out.
//!
//! | file | decides |
//! |---|---|
//! | `session` | what a connection may do now, and what it is told |
//! | `job` | which work a share belongs to, and on which terms it was given |
//! | `share` | what a submission is worth |
//! | `diagnose` | under which mistake a failed share would have been valid |
//! | `duplicate` | whether a header was credited before |
//! | `vardiff` | which difficulty keeps a miner at its share interval |
//! | `extranonce` | which extranonce1 is free, and which session may resume |
//! | `settings` | what an operator may choose |
//!
//! Nothing here opens a socket, reads a clock or draws from a global RNG. Nothing
//! global is on the share path: a session owns all that its shares need. The
//! one thing that sessions share, the extranonce allocator, is asked when a
//! session subscribes, changes its extranonce, and ends.

mod diagnose;
mod duplicate;
mod extranonce;
mod job;
mod session;
mod settings;
mod share;
mod vardiff;

pub use extranonce::Extranonce1;
pub use job::{Terms, Work};
pub use session::{Output, Pool, Session};
pub use settings::PoolSettings;
pub use vardiff::{Vardiff, VardiffSettings};
