//! adit: a Bitcoin mining pool simulator and Stratum server.
#![warn(missing_docs)]
pub mod block;
pub mod energy;
pub mod event;
pub mod hash;
pub mod mine;
pub mod miner;
pub mod net;
pub mod pool;
pub mod store;
pub mod stratum;
pub mod swarm;
pub mod units;
