//! Who judges blocks, behind one interface.

use adit::chain::embedded::{EmbeddedChain, Params, Proof};
use adit::chain::{SubmitError, SubmitOutcome};
use adit::units::Timestamp;
use bitcoin::hashes::Hash as _;
use bitcoin::{Block, BlockHash};
use serde_json::{Value, json};

use super::bench::{Bench, HEIGHT};
use crate::node::daemon::Daemon;

/// A judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The embedded chain.
    Embedded,
    /// Core's consensus code, in process.
    Kernel,
    /// Core's `submitblock`.
    Rpc,
}

/// What judges blocks, beginning with the chain of a [`Bench`].
pub trait Judge {
    fn who(&self) -> Who;

    /// What BIP22 has `submitblock` answer: `None` for a new tip.
    fn judge(&mut self, block: &Block) -> Option<String>;

    fn tip(&mut self) -> BlockHash;

    /// Goes back to the bench's chain.
    fn reset(&mut self, bench: &Bench);
}

/// An outcome in the words of BIP22.
fn words(outcome: Result<SubmitOutcome, SubmitError>) -> Option<String> {
    match outcome {
        Ok(outcome) => outcome.reason().map(str::to_owned),
        Err(SubmitError::Refused(refusal)) => Some(refusal.reason.into_owned()),
        Err(SubmitError::Fault(error)) => panic!("{error}"),
    }
}

/// The embedded chain.
pub struct Embedded {
    pub chain: EmbeddedChain,
    pub now: Timestamp,
}

impl Embedded {
    pub fn new(bench: &Bench) -> Self {
        let chain = EmbeddedChain::open(None, Params::regtest(), bench.now).unwrap();
        let mut judge = Self { chain, now: bench.now };
        for block in &bench.blocks {
            assert_eq!(judge.judge(block), None);
        }
        judge
    }
}

impl Judge for Embedded {
    fn who(&self) -> Who {
        Who::Embedded
    }

    fn judge(&mut self, block: &Block) -> Option<String> {
        words(self.chain.submit(block, Proof::Hashed, self.now))
    }

    fn tip(&mut self) -> BlockHash {
        BlockHash::from_byte_array(self.chain.tip().hash)
    }

    fn reset(&mut self, bench: &Bench) {
        *self = Self::new(bench);
    }
}

/// Core's consensus code, in process.
#[cfg(feature = "kernel")]
pub struct InProcess(adit::chain::kernel::Kernel);

#[cfg(feature = "kernel")]
impl InProcess {
    pub fn new(bench: &Bench) -> Self {
        let mut judge = Self(adit::chain::kernel::Kernel::regtest().unwrap());
        for block in &bench.blocks {
            assert_eq!(judge.judge(block), None);
        }
        judge
    }
}

#[cfg(feature = "kernel")]
impl Judge for InProcess {
    fn who(&self) -> Who {
        Who::Kernel
    }

    fn judge(&mut self, block: &Block) -> Option<String> {
        words(self.0.submit(block))
    }

    fn tip(&mut self) -> BlockHash {
        BlockHash::from_byte_array(self.0.tip())
    }

    fn reset(&mut self, bench: &Bench) {
        *self = Self::new(bench);
    }
}

/// Core's `submitblock`.
pub struct Rpc(Daemon);

impl Rpc {
    pub fn new(bench: &Bench) -> Self {
        let mut judge = Self(Daemon::start());
        for block in &bench.blocks {
            assert_eq!(judge.judge(block), None);
        }
        judge
    }
}

impl Judge for Rpc {
    fn who(&self) -> Who {
        Who::Rpc
    }

    fn judge(&mut self, block: &Block) -> Option<String> {
        let hex = bitcoin::consensus::encode::serialize_hex(block);
        match self.0.try_call("submitblock", &json!([hex])) {
            Ok(Value::Null) => None,
            Ok(reason) => Some(reason.as_str().expect("a reason is text").to_owned()),
            Err(error) => {
                let error: Value = serde_json::from_str(&error).expect("an error of the node's");
                Some(error["message"].as_str().expect("a message").to_owned())
            }
        }
    }

    fn tip(&mut self) -> BlockHash {
        self.0.best()
    }

    fn reset(&mut self, bench: &Bench) {
        // Another branch may take the place of the one that is taken off.
        while self.0.best() != bench.tip() {
            let first = self.0.call("getblockhash", &json!([HEIGHT + 1]));
            self.0.call("invalidateblock", &json!([first]));
        }
    }
}
