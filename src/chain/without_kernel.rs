//! What stands for Core's consensus code in a build without the feature `kernel`.

use bitcoin::Block;

use super::embedded::EmbeddedChain;
use super::{ChainError, SubmitError, SubmitOutcome};
use crate::units::Timestamp;

/// A chainstate of Bitcoin Core's regtest, of which this build can have none.
#[derive(Debug)]
pub enum Kernel {}

impl Kernel {
    /// Says what to build.
    ///
    /// # Errors
    /// Always.
    pub fn of(_: &EmbeddedChain) -> Result<Self, ChainError> {
        let what = "this adit was built without it; build with `cargo build --release --features kernel`, \
                    which needs cmake, a C++20 compiler and boost's headers, or leave out chain.kernel";
        Err(ChainError::Kernel { what: what.to_owned() })
    }

    /// Judges nothing.
    ///
    /// # Errors
    /// Never called.
    pub fn agree(
        &self,
        _: &mut EmbeddedChain,
        _: &Block,
        _: Timestamp,
    ) -> Result<SubmitOutcome, SubmitError> {
        match *self {}
    }
}
