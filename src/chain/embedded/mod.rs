//! A Bitcoin chain without a node: real blocks, coins, forks, on one SQLite file.
//!
//! ```text
//! submit: check_block -> known? parent? -> check_header -> check_in_context   (rules)
//!           -> more work than the tip? no: side branch
//!              yes: disconnect and connect in a View of the coins             (coins)
//!           -> one transaction on disk -> memory -> announce the tip          (storage)
//! ```
//!
//! The order is Bitcoin Core's, so a block wrong in two ways gets the same
//! reject reason. Of two chains with equal work the first seen stays. Scripts
//! are not executed: a spend needs no signature here. Everything else that a
//! block of regtest must satisfy is checked, so a block without such spends
//! that is accepted here is accepted by Core.
//!
//! Synchronous and deterministic: time and proofs are arguments.

mod clock;
mod coins;
mod index;
mod lanes;
mod mempool;
mod network;
mod params;
mod rules;
mod storage;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, Block, OutPoint, ScriptBuf, Transaction, Txid, absolute, transaction};
use tokio::sync::watch;

pub use self::clock::Warp;
pub use self::coins::Coin;
pub use self::network::{Arrival, Network, NetworkConfig};
pub use self::params::{ChainKind, FORK_DEPTH_MAX, Params};
pub use self::rules::Proof;

use self::coins::{BlockTransactions, Changes, Coins, Undo, View, apply};
use self::index::{Entry, Index, Path as ChainPath};
use self::lanes::Lanes;
use self::mempool::Mempool;
use self::rules::{HeaderContext, check_block, check_header, check_in_context, subsidy};
use self::storage::{Step, Storage};
use self::transactions::SpendContext;
use super::{ChainError, Refusal, SubmitError, SubmitOutcome, Tip};
use crate::block::{Limits, Template, TemplateTransaction};
use crate::hash::Hash;
use crate::units::Timestamp;

/// Version of templates: BIP9's, with no bit set.
const TEMPLATE_VERSION: u32 = 0x2000_0000;

/// Blocks found invalid that are remembered; forgetting one only means checking it again.
const FAILED_MAX: usize = 10_000;

/// A chain of our own.
#[derive(Debug)]
pub struct EmbeddedChain {
    params: Params,
    storage: Storage,
    index: Index,
    coins: Coins,
    mempool: Mempool,
    /// Blocks that can never be on the chain, for Core's answers to their like.
    failed: BTreeSet<Hash>,
    tips: watch::Sender<Tip>,
}

/// What following a path does, before any of it is done.
struct Prepared {
    undos: Vec<(Hash, Undo)>,
    changes: Changes,
    /// Transactions of disconnected blocks, oldest first.
    returned: Vec<Transaction>,
}

/// Why a path cannot be followed.
enum Obstacle {
    /// A block on it is not valid.
    Invalid(Hash, Refusal),
    Fault(ChainError),
}

impl From<ChainError> for Obstacle {
    fn from(error: ChainError) -> Self {
        Self::Fault(error)
    }
}

impl EmbeddedChain {
    /// Opens the chain in `dir`, or makes a new one; without `dir` in memory.
    ///
    /// `now` becomes the time of a new mainnet-like chain's anchor block.
    ///
    /// # Errors
    /// When the directory is not there, in use, damaged, or holds another chain.
    pub fn open(dir: Option<&Path>, params: Params, now: Timestamp) -> Result<Self, ChainError> {
        let mut storage = Storage::open(dir, &params.fingerprint())?;
        if storage.load()?.is_none() {
            let block = root_block(&params, now);
            let entry = Entry::root(block.header, params.base_height);
            let changes = Lanes::first_coins(params.lanes, params.seed, params.base_height);
            storage.write(&Step {
                entry: &entry,
                block: &block,
                undos: &[],
                changes: &changes,
                tip: entry.hash,
                prune_to: None,
            })?;
        }
        let Some(stored) = storage.load()? else {
            return Err(storage.damaged("what was just written is not there".to_owned()));
        };
        let mut entries = stored.entries.into_iter();
        let Some(root) = entries.next() else { return Err(storage.damaged("it has no blocks".to_owned())) };
        let mut index = Index::new(root);
        for entry in entries {
            if index.get(&entry.prev()).is_none() {
                return Err(storage.damaged(format!("block {} has no parent", entry.header.block_hash())));
            }
            index.insert(entry);
        }
        if !index.activate(&stored.tip) {
            return Err(storage.damaged("its tip is no block of it".to_owned()));
        }
        let mempool = Mempool::new(&params, &stored.coins);
        let (tips, _) = watch::channel(index.tip_info());
        Ok(Self { params, storage, index, coins: stored.coins, mempool, failed: BTreeSet::new(), tips })
    }

    /// The rules of this chain.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The best chain's last block.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.index.tip_info()
    }

    /// Announces every new tip.
    #[must_use]
    pub fn tips(&self) -> watch::Receiver<Tip> {
        self.tips.subscribe()
    }

    /// What to mine on now: with all transactions that wait, or with none.
    ///
    /// The empty one costs nothing; the full one is made once per tip.
    pub fn template(&mut self, empty: bool, now: Timestamp) -> Template {
        let height = self.index.tip().height + 1;
        let transactions = if empty { self.mempool.none() } else { self.mempool.full(height) };
        self.template_on(self.index.tip(), transactions, now)
    }

    fn template_on(
        &self,
        prev: &Entry,
        transactions: Arc<[TemplateTransaction]>,
        now: Timestamp,
    ) -> Template {
        let height = prev.height + 1;
        let ntime_min = self.index.median_time(prev).saturating_add(1);
        let fees: Amount = transactions.iter().map(|entry| entry.fee).sum();
        Template {
            height,
            prev_hash: prev.hash,
            version: TEMPLATE_VERSION,
            nbits: self.index.next_nbits(prev, &self.params),
            ntime_min,
            ntime: u32::try_from(now.unix_seconds()).unwrap_or(u32::MAX).max(ntime_min),
            coinbase_value: subsidy(height, self.params.halving_interval) + fees,
            transactions,
            limits: Limits::CONSENSUS,
            segwit: true,
            demands: None,
        }
    }

    /// What a competitor of the tip is mined on: the tip's parent, with the tip's transactions.
    fn template_beside_tip(&self, now: Timestamp) -> Result<Option<Template>, ChainError> {
        let tip = self.index.tip();
        let Some(parent) = self.index.get(&tip.prev()) else { return Ok(None) };
        let mut undo = self.undo_of(tip)?.into_iter();
        let block = self.block_of(&tip.hash)?;
        let with_fee = |tx: &Transaction| {
            let value_in: Amount = undo.by_ref().take(tx.input.len()).map(|coin| coin.output.value).sum();
            let value_out: Amount = tx.output.iter().map(|output| output.value).sum();
            TemplateTransaction::new(tx.clone(), value_in - value_out)
        };
        let transactions = block.txdata[1..].iter().map(with_fee).collect();
        Ok(Some(self.template_on(parent, transactions, now)))
    }

    /// What is mined on a competitor of the tip that has the tip's transactions.
    fn template_upon(&self, competitor: &Hash, now: Timestamp) -> Option<Template> {
        let prev = self.index.get(competitor)?;
        let transactions = self.mempool.lane_transactions(prev.height + 1).into();
        Some(self.template_on(prev, transactions, now))
    }

    /// Judges a block and takes it in.
    ///
    /// # Errors
    /// [`SubmitError::Refused`] with Core's reason when it is not valid;
    /// [`SubmitError::Fault`] when it could not be stored, and then nothing has changed.
    pub fn submit(
        &mut self,
        block: &Block,
        proof: Proof,
        now: Timestamp,
    ) -> Result<SubmitOutcome, SubmitError> {
        let txids = check_block(block, proof, &self.params)?;
        let hash = block.block_hash().to_byte_array();
        if self.failed.contains(&hash) {
            return Err(Refusal::new("duplicate-invalid", "this block was refused before").into());
        }
        if self.index.get(&hash).is_some() {
            return Ok(SubmitOutcome::Duplicate);
        }
        let entry = self.check_against_chain(block, now)?;
        if entry.work <= self.index.tip().work {
            self.keep_aside(entry, block)?;
            return Ok(SubmitOutcome::SideBranch);
        }
        let path = self.index.path_to(&entry);
        match self.prepare(&path, block, &txids) {
            Ok(prepared) => {
                self.commit(entry, block, &path, prepared)?;
                Ok(SubmitOutcome::NewTip)
            }
            Err(Obstacle::Invalid(invalid, refusal)) if invalid == hash => {
                self.remember_failed(hash);
                Err(refusal.into())
            }
            Err(Obstacle::Invalid(invalid, refusal)) => {
                // The block is good in itself, but one it builds on is not.
                tracing::warn!(height = entry.height, %refusal, "a chain with more work is not valid");
                self.keep_aside(entry, block)?;
                self.remember_failed(invalid);
                self.remember_descendants();
                Ok(SubmitOutcome::SideBranch)
            }
            Err(Obstacle::Fault(error)) => Err(error.into()),
        }
    }

    /// Finds the block's place and checks all that needs no coins.
    fn check_against_chain(&mut self, block: &Block, now: Timestamp) -> Result<Entry, Refusal> {
        let parent = block.header.prev_blockhash;
        if self.failed.contains(parent.as_byte_array()) {
            return Err(Refusal::new("bad-prevblk", format!("the parent {parent} is not valid")));
        }
        let Some(prev) = self.index.get(parent.as_byte_array()) else {
            return Err(Refusal::new("prev-blk-not-found", format!("the parent {parent} is unknown")));
        };
        if let Some(kept) = self.params.bodies_kept {
            let (fork, tip) = (self.index.fork_of(prev).height, self.index.tip().height);
            if fork + kept < tip {
                let detail =
                    format!("it forks off at height {fork}, more than {kept} below the tip at {tip}");
                return Err(Refusal::new("bad-fork-prior-to-checkpoint", detail));
            }
        }
        let median_time = self.index.median_time(prev);
        let nbits = self.index.next_nbits(prev, &self.params);
        check_header(&block.header, &HeaderContext { median_time, nbits, now })?;
        let entry = prev.child(block.header);
        if let Err(refusal) = check_in_context(block, entry.height, median_time) {
            // When only witnesses are wrong, another body may fit the same header.
            if !refusal.reason.contains("witness") {
                self.remember_failed(entry.hash);
            }
            return Err(refusal);
        }
        Ok(entry)
    }

    fn remember_failed(&mut self, hash: Hash) {
        if self.failed.len() >= FAILED_MAX {
            self.failed.clear();
        }
        self.failed.insert(hash);
    }

    /// What builds on a block that failed has failed with it, on whichever branch.
    fn remember_descendants(&mut self) {
        let mut entries: Vec<(u32, Hash, Hash)> =
            self.index.entries().map(|entry| (entry.height, entry.hash, entry.prev())).collect();
        entries.sort_unstable();
        for (_, hash, prev) in entries {
            if self.failed.contains(&prev) {
                self.remember_failed(hash);
            }
        }
    }

    /// Stores a block that does not become part of the chain.
    fn keep_aside(&mut self, entry: Entry, block: &Block) -> Result<(), ChainError> {
        let tip = self.index.tip().hash;
        let changes = Changes::new();
        self.storage.write(&Step {
            entry: &entry,
            block,
            undos: &[],
            changes: &changes,
            tip,
            prune_to: None,
        })?;
        self.index.insert(entry);
        Ok(())
    }

    /// Follows `path` in a view of the coins; `block` is the last on it.
    fn prepare(&self, path: &ChainPath, block: &Block, txids: &[Hash]) -> Result<Prepared, Obstacle> {
        let mut view = View::new(&self.coins, Changes::new());
        let mut returned = Vec::new();
        for hash in &path.disconnect {
            let entry = self.index.get(hash).expect("the best chain is in the index");
            let gone = self.block_of(hash)?;
            let txids = ids_of(&gone);
            let parts = BlockTransactions { transactions: &gone.txdata, txids: &txids };
            if !view.disconnect(&parts, self.undo_of(entry)?) {
                return Err(self.storage.damaged(format!("undo data of height {}", entry.height)).into());
            }
            let own = gone.txdata.into_iter().skip(1).filter(|tx| !self.mempool.is_from_lane(tx));
            returned.splice(0..0, own);
        }
        let mut undos = Vec::new();
        let (last, others) = path.connect.split_last().expect("a path ends in the new tip");
        for hash in others {
            let stored = self.block_of(hash)?;
            let undo = self.connect(&mut view, &stored, &ids_of(&stored), hash)?;
            undos.push((*hash, undo));
        }
        undos.push((*last, self.connect(&mut view, block, txids, last)?));
        Ok(Prepared { undos, changes: view.into_changes(), returned })
    }

    fn connect(&self, view: &mut View, block: &Block, txids: &[Hash], hash: &Hash) -> Result<Undo, Obstacle> {
        if self.failed.contains(hash) {
            return Err(Obstacle::Invalid(*hash, Refusal::new("duplicate-invalid", "refused before")));
        }
        let prev = self.index.get(block.header.prev_blockhash.as_byte_array()).expect("parents come first");
        let value = subsidy(prev.height + 1, self.params.halving_interval);
        let parts = BlockTransactions { transactions: &block.txdata, txids };
        with_spend_context(&self.index, &self.params, prev, |context| view.connect(&parts, value, context))
            .map_err(|refusal| Obstacle::Invalid(*hash, refusal))
    }

    /// Writes a step to disk, then makes it so in memory, then tells.
    fn commit(
        &mut self,
        entry: Entry,
        block: &Block,
        path: &ChainPath,
        prepared: Prepared,
    ) -> Result<(), ChainError> {
        let Prepared { undos, changes, returned } = prepared;
        let prune_to = self.params.bodies_kept.and_then(|kept| entry.height.checked_sub(kept + 1));
        self.storage.write(&Step {
            entry: &entry,
            block,
            undos: &undos,
            changes: &changes,
            tip: entry.hash,
            prune_to,
        })?;
        self.index.insert(entry);
        self.index.follow(path);
        apply(&mut self.coins, changes.clone());
        let (mempool, coins) = (&mut self.mempool, &self.coins);
        with_spend_context(&self.index, &self.params, self.index.tip(), |context| {
            mempool.follow(coins, &changes, returned, context);
        });
        self.tips.send_replace(self.index.tip_info());
        Ok(())
    }

    /// Takes a transaction into the next templates, if it is valid on the tip.
    ///
    /// It is kept in memory only.
    ///
    /// # Errors
    /// With Core's reason when it is not valid or conflicts with another.
    pub fn submit_transaction(&mut self, tx: Transaction) -> Result<Txid, Refusal> {
        let (mempool, coins) = (&mut self.mempool, &self.coins);
        with_spend_context(&self.index, &self.params, self.index.tip(), |context| {
            mempool.submit(tx, coins, context)
        })
    }

    /// How many blocks of the best chain confirm this one, itself included;
    /// 0 when it is on a side branch, `None` when unknown.
    #[must_use]
    pub fn confirmations(&self, hash: &Hash) -> Option<u32> {
        let entry = self.index.get(hash)?;
        Some(if self.index.is_active(entry) { self.index.tip().height - entry.height + 1 } else { 0 })
    }

    /// Hash of the best chain's block at `height`.
    #[must_use]
    pub fn hash_at(&self, height: u32) -> Option<Hash> {
        self.index.active_at(height).map(|entry| entry.hash)
    }

    /// A block; `None` when unknown, or so old that its body was pruned.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn block(&self, hash: &Hash) -> Result<Option<Block>, ChainError> {
        self.storage.block(hash)
    }

    /// A block's coinbase, which is there however old the block is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn coinbase(&self, hash: &Hash) -> Result<Option<Transaction>, ChainError> {
        self.storage.coinbase(hash)
    }

    /// Gives every block but the first with its height, parents before their
    /// children and the best chain before all others, as far as bodies are kept.
    ///
    /// # Errors
    /// When the database cannot be read, or whatever `each` says.
    pub fn each_block(
        &self,
        mut each: impl FnMut(u32, &Block) -> Result<(), ChainError>,
    ) -> Result<(), ChainError> {
        let mut entries: Vec<&Entry> = self.index.entries().collect();
        entries.sort_by_key(|entry| (!self.index.is_active(entry), entry.height));
        for entry in entries.into_iter().filter(|entry| entry.height > self.params.base_height) {
            if let Some(block) = self.storage.block(&entry.hash)? {
                each(entry.height, &block)?;
            }
        }
        Ok(())
    }

    /// An unspent output.
    #[must_use]
    pub fn coin(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.coins.get(outpoint)
    }

    /// All unspent outputs in order.
    pub fn coins(&self) -> impl Iterator<Item = (&OutPoint, &Coin)> {
        self.coins.iter()
    }

    fn block_of(&self, hash: &Hash) -> Result<Block, ChainError> {
        self.storage.block(hash)?.ok_or_else(|| self.storage.damaged("a recent block has no body".to_owned()))
    }

    fn undo_of(&self, entry: &Entry) -> Result<Undo, ChainError> {
        let undo = self.storage.undo(&entry.hash)?;
        undo.ok_or_else(|| self.storage.damaged(format!("no undo data at height {}", entry.height)))
    }
}

fn ids_of(block: &Block) -> Vec<Hash> {
    block.txdata.iter().map(|tx| tx.compute_txid().to_byte_array()).collect()
}

/// Calls `then` with what spending in the block after `prev` depends on.
fn with_spend_context<T>(
    index: &Index,
    params: &Params,
    prev: &Entry,
    then: impl FnOnce(&SpendContext) -> T,
) -> T {
    let root_time = || index.active_at(params.base_height).map_or(0, |root| root.header.time);
    let median_time_at = |height| match index.ancestor(prev, height) {
        Some(entry) => index.median_time(entry),
        None => root_time(), // coins older than the anchor do not exist
    };
    then(&SpendContext {
        height: prev.height + 1,
        median_time: index.median_time(prev),
        coinbase_maturity: params.coinbase_maturity,
        median_time_at: &median_time_at,
    })
}

/// The block a chain begins with: regtest's genesis, or an anchor made up at `now`.
fn root_block(params: &Params, now: Timestamp) -> Block {
    let genesis = bitcoin::constants::genesis_block(params.network());
    if params.kind == ChainKind::Regtest {
        return genesis;
    }
    let script_sig =
        bitcoin::script::Builder::new().push_int(i64::from(params.base_height)).push_slice(b"anchor");
    let coinbase = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn { script_sig: script_sig.into_script(), ..Default::default() }],
        output: vec![bitcoin::TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return([]) }],
    };
    let mut block = Block { header: genesis.header, txdata: vec![coinbase] };
    block.header.version = bitcoin::block::Version::from_consensus(TEMPLATE_VERSION as i32);
    block.header.merkle_root = block.compute_merkle_root().expect("one transaction");
    block.header.time = u32::try_from(now.unix_seconds()).unwrap_or(u32::MAX);
    block.header.bits = bitcoin::CompactTarget::from_consensus(params.nbits);
    block.header.nonce = 0;
    block
}
