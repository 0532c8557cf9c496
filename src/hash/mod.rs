//! Double SHA-256, in the shapes that mining needs.
//!
//! Everything that hashes goes through here: header checks, coinbase txids
//! from a cached prefix, merkle nodes and branches, one by one or many at once,
//! and the nonce scan. What a CPU has for it is found out at run time: for
//! messages by [`batch`], for a scan by one of the [`backend`]s, of which
//! [`calibrate`] finds the fastest. Without anything of its own the compression
//! function is the `sha2` crate's. All hashes are in the order in which they
//! come out of SHA-256 ("internal" order; people print the reverse).
//!
//! Source: FIPS 180-4; Bitcoin hashes twice.

pub mod batch;
mod scan;
mod select;
mod sha256;

pub use adit_kernels as backend;
pub use adit_kernels::words::Hash;
pub use adit_kernels::{Backend, UnknownBackend};
pub use scan::{HeaderScan, Hit, VersionScan};
pub use select::{Choice, Speed, calibrate, chosen, force};
pub use sha256::{Prefix, sha256d, sha256d_header, sha256d_pair};

/// The merkle root above `leaf` at position 0, given its branch from the bottom up.
///
/// This is what a miner computes from a notify: each sibling is on the right.
#[must_use]
pub fn fold_branch(leaf: Hash, branch: &[Hash]) -> Hash {
    batch::fold_one(leaf, branch)
}
