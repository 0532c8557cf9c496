//! adit: a Bitcoin mining pool simulator and Stratum server.
#![warn(missing_docs)]
pub mod block;
pub mod event;
pub mod hash;
pub mod store;
pub mod units;
