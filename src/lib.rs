//! adit: a Bitcoin mining pool simulator and Stratum server.
#![warn(missing_docs)]
pub mod block;
pub mod chain;
pub mod cli;
pub mod config;
pub mod energy;
pub mod event;
pub mod hash;
pub mod metrics;
pub mod mine;
pub mod miner;
pub mod net;
pub mod pool;
pub mod server;
pub mod store;
pub mod stratum;
pub mod swarm;
pub mod units;
pub mod web;
