//! Bitcoin Core's own consensus code, in process: a second judge of blocks.
//!
//! [`Kernel`] is a whole chainstate of Core (`libbitcoinkernel`) on regtest,
//! its databases in memory: it checks everything that a node checks in a
//! block, scripts included. Its reasons are Core's own words.
//!
//! Three things about the library shape this file:
//! - Processing a block answers "new" for one that is stored and then fails to
//!   connect. What counts is the report of its check, and the tip.
//! - That report has a category only; the reject reason is in the log line of
//!   the failure, and there is one log for the process. Core writes it on the
//!   calling thread, so each thread keeps what is said during its own call.
//! - Its clock is the computer's. Only a chain in real time can be judged.
//!
//! Invariant: [`Kernel::agree`] lets no block onto the chain that Core refuses.

use std::cell::RefCell;
use std::sync::Once;

use bitcoin::Block;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash as _;
use bitcoinkernel::prelude::*;
use bitcoinkernel::{
    BlockValidationStateRef, ChainType, ChainstateManager, Context, KernelError, Log, Logger,
    ProcessBlockResult, ValidationMode,
};
use tempfile::TempDir;

use super::embedded::{EmbeddedChain, Params, Proof};
use super::{ChainError, Refusal, SubmitError, SubmitOutcome};
use crate::hash::Hash;
use crate::units::Timestamp;

/// What Core calls bytes that are no block.
const UNDECODABLE: &str = "Block decode failed";

/// What Core said of a block that it judges.
#[derive(Default)]
struct Said {
    /// Blocks that were checked to the end, and how.
    checked: Vec<(Hash, ValidationMode)>,
    log: Vec<String>,
}

thread_local! {
    /// While this thread has Core judge a block.
    static SAID: RefCell<Option<Said>> = const { RefCell::new(None) };
}

fn note(what: impl FnOnce(&mut Said)) {
    SAID.with_borrow_mut(|said| said.as_mut().map(what));
}

struct ToThread;

impl Log for ToThread {
    fn log(&self, message: &str) {
        let line = message.trim_end();
        tracing::trace!(target: "libbitcoinkernel", "{line}");
        note(|said| said.log.push(line.to_owned()));
    }
}

/// Sends the library's log, which is one for the process, to the thread that causes it.
fn keep_log() -> Result<(), ChainError> {
    static KEPT: Once = Once::new();
    let mut outcome = Ok(());
    // Kept for the process's life: chainstates of other threads need it too.
    KEPT.call_once(|| outcome = Logger::new(ToThread).map(std::mem::forget));
    outcome.map_err(cannot_start)
}

fn cannot_start(error: KernelError) -> ChainError {
    ChainError::Kernel { what: format!("it does not start: {error}") }
}

/// A chainstate of Bitcoin Core's regtest.
pub struct Kernel {
    // Dropped in this order, as the library wants it.
    manager: ChainstateManager,
    _context: Context,
    /// Where block files lie, which cannot be in memory.
    _dir: TempDir,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").field("height", &self.height()).finish()
    }
}

impl Kernel {
    /// A chainstate that has regtest's genesis block only.
    ///
    /// # Errors
    /// When the library cannot start, or the directory for temporary files not be written.
    pub fn regtest() -> Result<Self, ChainError> {
        keep_log()?;
        let failed = |what: &dyn std::fmt::Display| ChainError::Kernel {
            what: format!("no place for blocks: {what}"),
        };
        let dir = TempDir::with_prefix("adit-kernel").map_err(|error| failed(&error))?;
        let blocks = dir.path().join("blocks");
        let path =
            |path: &std::path::Path| path.to_str().map(str::to_owned).ok_or(path.display().to_string());
        let (data, blocks) =
            (path(dir.path()).map_err(|path| failed(&path))?, path(&blocks).map_err(|path| failed(&path))?);
        let checked = |block: bitcoinkernel::Block, state: BlockValidationStateRef<'_>| {
            note(|said| said.checked.push((block.hash().to_bytes(), state.mode())));
        };
        let context = Context::builder()
            .chain_type(ChainType::Regtest)
            .with_block_checked_validation(checked)
            .build()
            .map_err(cannot_start)?;
        let manager = ChainstateManager::builder(&context, &data, &blocks)
            .map_err(cannot_start)?
            .block_tree_db_in_memory(true)
            .chainstate_db_in_memory(true)
            .build()
            .map_err(cannot_start)?;
        // Without any file to import this puts the genesis block on.
        manager.import_blocks().map_err(cannot_start)?;
        Ok(Self { manager, _context: context, _dir: dir })
    }

    /// A chainstate with all blocks of `chain`.
    ///
    /// # Errors
    /// When the chain's rules are not Core's regtest to the bit, or Core refuses one of its blocks.
    pub fn of(chain: &EmbeddedChain) -> Result<Self, ChainError> {
        let (ours, cores) = (chain.params().fingerprint(), Params::regtest().fingerprint());
        if ours != cores {
            let what = format!(
                "it knows regtest as Bitcoin Core has it (`{cores}`), and this chain is `{ours}`; \
                 leave difficulty and transactions of the chain at their defaults"
            );
            return Err(ChainError::Kernel { what });
        }
        let kernel = Self::regtest()?;
        chain.each_block(|height, block| match kernel.submit(block) {
            Ok(_) => Ok(()),
            Err(SubmitError::Refused(refusal)) => Err(ChainError::Kernel {
                what: format!("it refuses block {} at height {height}: {refusal}", block.block_hash()),
            }),
            Err(SubmitError::Fault(error)) => Err(error),
        })?;
        Ok(kernel)
    }

    /// Judges a block and takes it in.
    ///
    /// # Errors
    /// [`SubmitError::Refused`] in Core's words when it is not valid;
    /// [`SubmitError::Fault`] when Core could not judge it.
    pub fn submit(&self, block: &Block) -> Result<SubmitOutcome, SubmitError> {
        let hash = block.block_hash();
        let Ok(decoded) = bitcoinkernel::Block::new(&serialize(block)) else {
            return Err(Refusal::new(UNDECODABLE, format!("the bytes of {hash} are no block")).into());
        };
        SAID.set(Some(Said::default()));
        let result = self.manager.process_block(&decoded);
        let said = SAID.take().unwrap_or_default();
        if result == ProcessBlockResult::Duplicate {
            return Ok(SubmitOutcome::Duplicate);
        }
        let of_this = |(checked, _): &&(Hash, ValidationMode)| checked == hash.as_byte_array();
        match (said.checked.iter().rfind(of_this), result) {
            (Some((_, ValidationMode::Valid)), _) => Ok(SubmitOutcome::NewTip),
            (Some((_, ValidationMode::Invalid)), _) => Err(refusal(&hash.to_string(), &said.log).into()),
            (None, ProcessBlockResult::NewBlock) => Ok(SubmitOutcome::SideBranch),
            _ => {
                let what = format!("it could not judge block {hash}: {}", said.log.join("; "));
                Err(ChainError::Kernel { what }.into())
            }
        }
    }

    /// Lets Core judge a block, and then `chain`; scripts are Core's matter alone.
    ///
    /// # Errors
    /// As [`EmbeddedChain::submit`]. That Core takes what the chain refuses is a
    /// mistake of ours: it is logged, and the block refused.
    pub fn agree(
        &self,
        chain: &mut EmbeddedChain,
        block: &Block,
        now: Timestamp,
    ) -> Result<SubmitOutcome, SubmitError> {
        // A block that is known already may be so from a try that our disk failed.
        let cores = self.submit(block)?;
        let ours = chain.submit(block, Proof::Hashed, now);
        let agreed = match &ours {
            Ok(ours) => *ours == cores || cores == SubmitOutcome::Duplicate,
            Err(SubmitError::Refused(_)) => false,
            Err(SubmitError::Fault(_)) => true,
        };
        if !agreed {
            let hash = block.block_hash();
            tracing::error!(
                "Bitcoin Core's consensus code and the embedded chain disagree on block {hash}: \
                 {cores:?} against {ours:?}; this is a bug, please report it with the chain's file"
            );
        }
        ours
    }

    /// Height of the best chain.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.manager.active_chain().height().try_into().unwrap_or(0)
    }

    /// Hash of the best chain's last block, internal order.
    #[must_use]
    pub fn tip(&self) -> Hash {
        self.manager.active_chain().tip().block_hash().to_bytes()
    }
}

/// The refusal of a block, from what Core logs of it.
fn refusal(hash: &str, log: &[String]) -> Refusal {
    let connecting = format!("ConnectBlock {hash} failed, ");
    let state = log.iter().find_map(|line| match line.split_once("AcceptBlock FAILED (") {
        Some((_, state)) => Some(state.strip_suffix(')').unwrap_or(state)),
        None => line.split_once(&connecting).map(|(_, state)| state),
    });
    let state = state.unwrap_or("rejected"); // BIP22's word for a refusal without a reason
    let (reason, detail) = state.split_once(", ").unwrap_or((state, ""));
    Refusal { reason: reason.to_owned().into(), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_from_the_log() {
        fn check(line: &str, reason: &str, detail: &str) {
            let log = ["2026-01-01T00:00:00Z Block validation error: x, y".to_owned(), line.to_owned()];
            let refusal = refusal("00ab", &log);
            assert_eq!((&*refusal.reason, &*refusal.detail), (reason, detail), "{line}");
        }
        check(
            "[error] ProcessNewBlock: AcceptBlock FAILED (time-too-old, block's timestamp is too early)",
            "time-too-old",
            "block's timestamp is too early",
        );
        check("AcceptBlock FAILED (prev-blk-not-found)", "prev-blk-not-found", "");
        check(
            "[error] ConnectTip: ConnectBlock 00ab failed, bad-cb-amount, coinbase pays too much (actual=2 vs limit=1)",
            "bad-cb-amount",
            "coinbase pays too much (actual=2 vs limit=1)",
        );
        check("[error] ConnectTip: ConnectBlock 00cd failed, bad-cb-amount, another block's", "rejected", "");
    }

    #[test]
    fn only_cores_own_regtest_can_be_judged() {
        let open = |params| EmbeddedChain::open(None, params, Timestamp::from_unix_seconds(1)).unwrap();
        assert_eq!(Kernel::of(&open(Params::regtest())).unwrap().height(), 0);
        let error = Kernel::of(&open(Params::regtest().with_transactions(5))).unwrap_err().to_string();
        assert!(error.contains("transactions=5") && error.contains("defaults"), "{error}");
    }
}
