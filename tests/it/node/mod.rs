//! The pool on real nodes: Bitcoin Core, started here on regtest.
//!
//! The daemon is not committed and not fetched: `ci/bitcoin-core` builds it, and
//! the variable `ADIT_BITCOIND` says where it is. Tests that need it are ignored
//! unless asked for: `cargo test --test it node:: -- --ignored`.

#[cfg_attr(not(feature = "ipc"), expect(dead_code, reason = "some of it is for IPC alone"))]
pub mod daemon;
mod failover;
#[cfg(feature = "ipc")]
mod ipc;
mod program;
