//! adit: a Bitcoin mining pool simulator and Stratum server.
//!
//! # Layout
//!
//! A module imports only from rows above its own; `tests/it/tidy.rs` holds the
//! table. ARCHITECTURE.md says why, and where a change goes.
//!
//! | row | modules |
//! |---|---|
//! | values | [`units`], [`hash`], [`block`], [`event`] |
//! | rules, pure | [`stratum`], [`pool`], [`miner`], [`energy`], [`spread`], [`conformance`] |
//! | edges | [`chain`], [`store`], [`metrics`], [`net`] |
//! | drivers | [`server`], [`mine`], [`swarm`], [`check`], [`tap`], [`mod@bench`], [`study`] |
//! | faces | [`web`], [`report`], [`config`], [`cli`] |
#![warn(missing_docs)]

pub mod bench;
pub mod block;
pub mod chain;
pub mod check;
pub mod cli;
pub mod config;
pub mod conformance;
pub mod energy;
pub mod event;
pub mod hash;
pub mod metrics;
pub mod mine;
pub mod miner;
pub mod net;
pub mod pool;
pub mod report;
pub mod server;
pub mod spread;
pub mod store;
pub mod stratum;
pub mod study;
pub mod swarm;
pub mod tap;
pub mod units;
pub mod web;
