//! Replicas of firmware: one miner, and rows of quirks.
//!
//! The facts behind each quirk were read in the firmware's source or in an
//! issue; each names it. A [`Device`] without quirks is what firmware should
//! be.
//!
//! | file | decides |
//! |---|---|
//! | `device` | what happens to a device, and what it does |
//! | `link` | when it connects, to whom, and when it gives a connection up |
//! | `session` | the handshake of one connection, and what answers mean |
//! | `terms` | extranonce, version mask and difficulty, as they change |
//! | `inbox`, `outbox` | bytes cut into lines, and lines on their way, within bounds |
//! | `commands` | what the lines of a pool mean |
//! | `jobs` | what a job is made of, and when it is taken up |
//! | `submit` | from a share to a submit |
//! | `work` | which headers are tried, and when |
//! | `quirk` | the mistakes that firmware makes, one by one |
//! | `firmware` | firmware, each as a row of quirks |
//! | `upstream` | issues that users reported, and their replicas |
//!
//! Quirks are asked for where a device takes the decision that they change, by
//! name; there is no second device. Not replicated, for want of a part that a
//! pool could see: what a device shows its user, several pools and the way
//! between them (a probe of the primary while mining on another), TLS tried on
//! a plain port, getblocktemplate.

mod commands;
mod device;
mod firmware;
mod inbox;
mod jobs;
mod link;
mod outbox;
mod quirk;
mod session;
mod submit;
mod terms;
#[cfg(test)]
mod tests;
mod upstream;
mod work;

pub use device::{Device, DeviceAction, DeviceConfig, DeviceEvent, Ending};
pub use firmware::{PERSONALITIES, Personality};
pub use quirk::Quirk;
pub use upstream::{UPSTREAM, Upstream};
