//! Work for everyone, and the jobs a session made of it.
//!
//! A [`Work`] is one template made ready: published once, shared by all
//! sessions. A session's job is that work under the terms it was sent with:
//! extranonce1, difficulty, exact target. Terms never change after sending, so
//! a new difficulty cannot judge old work.

use std::collections::VecDeque;
use std::sync::Arc;

use super::extranonce::Extranonce1;
use crate::block::{
    Coinbase, CoinbaseDemands, CoinbaseError, CoinbaseSpec, Template, branch_of_first, witness_commitment,
};
use crate::event::JobId;
use crate::hash::{Hash, batch, fold_branch};
use crate::stratum::v1::Notify;
use crate::units::{Difficulty, Seconds, Target, Timestamp};

/// Jobs a session keeps. Firmware works on the newest two or three; with a
/// refresh every 30 s this is eight minutes.
const JOBS_MAX: usize = 16;

/// A template made ready to be mined.
#[derive(Debug)]
pub struct Work {
    /// What the node offered.
    pub template: Template,
    /// The coinbase around its extranonce.
    pub coinbase: Coinbase,
    /// Siblings of the coinbase in the merkle tree.
    pub branch: Vec<Hash>,
    /// The template's target.
    pub network_target: Target,
    /// When it was made.
    pub created: Timestamp,
    /// Seconds of the chain's time in a second.
    pace: f64,
    /// The serialised notify.
    pub(super) notify: Notify,
}

impl Work {
    /// Makes a template ready.
    ///
    /// # Errors
    /// When no coinbase can be made to the specification.
    pub fn new(
        mut template: Template,
        spec: &CoinbaseSpec,
        created: Timestamp,
    ) -> Result<Self, CoinbaseError> {
        let usual = CoinbaseDemands::usual(template.height);
        let demands = template.demands.clone().map_or(usual, Arc::unwrap_or_clone);
        let build = |value, commitment| Coinbase::build_as(spec, &demands, value, commitment);
        let any = build(template.coinbase_value, template.segwit.then_some([0; 32]))?;
        template.make_room(any.weight(spec.extranonce_bytes), any.sigops_max(spec.extranonce_bytes));
        let ids = |id: fn(&crate::block::TemplateTransaction) -> Hash| -> Vec<Hash> {
            template.transactions.iter().map(id).collect()
        };
        let branch = branch_of_first(&ids(|entry| entry.txid));
        let wtxids = ids(|entry| entry.wtxid);
        let commitment = template.segwit.then(|| witness_commitment(&wtxids, &demands.reserved));
        let coinbase = build(template.coinbase_value, commitment)?;
        let notify = Notify::new(
            &template.prev_hash,
            &coinbase.prefix,
            &coinbase.suffix,
            &branch,
            template.version,
            template.nbits,
        );
        let network_target = Target::from_compact(template.nbits);
        Ok(Self { template, coinbase, branch, network_target, created, pace: 1.0, notify })
    }

    /// For a chain whose time runs `pace` times as fast as ours.
    #[must_use]
    pub fn with_pace(self, pace: f64) -> Self {
        Self { pace, ..self }
    }

    /// The chain's time at `now`, for a job sent later than the template was made.
    pub(super) fn ntime_at(&self, now: Timestamp) -> u32 {
        self.template.ntime.saturating_add((now.since(self.created).0 * self.pace) as u32)
    }
}

/// What a session's jobs have in common until something changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The pool's part of the extranonce.
    pub extranonce1: Extranonce1,
    /// The difficulty announced.
    pub difficulty: Difficulty,
    /// Its exact target.
    pub target: Target,
}

impl Terms {
    /// Terms with the exact target of `difficulty`.
    #[must_use]
    pub fn new(extranonce1: Extranonce1, difficulty: Difficulty) -> Self {
        Self { extranonce1, difficulty, target: difficulty.target() }
    }
}

/// One job of one session.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub id: JobId,
    pub work: Arc<Work>,
    pub terms: Arc<Terms>,
    pub sent: Timestamp,
    pub ntime: u32,
}

impl Job {
    /// The merkle root with this extranonce2.
    pub fn merkle_root(&self, extranonce2: &[u8]) -> Hash {
        let (extranonce1, length) = self.terms.extranonce1.to_bytes();
        fold_branch(self.work.coinbase.txid(&extranonce1[..length], extranonce2), &self.work.branch)
    }

    /// [`Self::merkle_root`] for many extranonces2 of one length at once.
    pub fn merkle_roots(&self, extranonces2: &[&[u8]]) -> Vec<Hash> {
        let (extranonce1, length) = self.terms.extranonce1.to_bytes();
        let mut nodes = self.work.coinbase.txids(&extranonce1[..length], extranonces2);
        batch::fold(&mut nodes, &self.work.branch);
        nodes
    }
}

/// How a job stands towards the tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It builds on the tip.
    Current,
    /// Its tip was replaced within the credit window.
    Late,
    /// Its tip was replaced before that.
    Stale,
}

/// The jobs of a session, oldest first.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    jobs: VecDeque<Job>,
    /// When the tip of the newest job was first sent.
    tip_since: Timestamp,
    next_id: u32,
}

impl Jobs {
    /// Adds a job on `work` and returns it. `true`: it is on a new tip.
    pub fn push(&mut self, work: &Arc<Work>, terms: &Arc<Terms>, now: Timestamp) -> (&Job, bool) {
        let newest = self.jobs.back();
        let new_tip = newest.is_none_or(|job| job.work.template.prev_hash != work.template.prev_hash);
        // Jobs on one tip must differ in ntime: where all else is the same, a
        // miner that starts its extranonce anew with each job would find the same
        // shares again (ESP-Miner #1587). Not only the newest: a chain can come
        // back to a tip that it left.
        let on_this_tip = self.iter().find(|job| job.work.template.prev_hash == work.template.prev_hash);
        let after_it = on_this_tip.map_or(0, |job| job.ntime.saturating_add(1));
        let ntime = work.ntime_at(now).max(after_it);
        if new_tip {
            self.tip_since = now;
        }
        if self.jobs.len() == JOBS_MAX {
            self.jobs.pop_front();
        }
        let id = JobId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.jobs.push_back(Job { id, work: work.clone(), terms: terms.clone(), sent: now, ntime });
        (self.jobs.back().expect("just pushed"), new_tip)
    }

    /// The job of that id, if it is still known.
    pub fn get(&self, id: JobId) -> Option<&Job> {
        // Shares are for the newest jobs.
        self.jobs.iter().rev().find(|job| job.id == id)
    }

    /// How `job` stands at `now`, with `credit` for late work.
    pub fn standing(&self, job: &Job, now: Timestamp, credit: Seconds) -> Standing {
        let tip = |job: &Job| job.work.template.prev_hash;
        let newest = self.jobs.back().map(tip);
        if newest == Some(tip(job)) {
            return Standing::Current;
        }
        let before = self.jobs.iter().rev().map(tip).find(|hash| Some(*hash) != newest);
        if before == Some(tip(job)) && now.since(self.tip_since) <= credit {
            Standing::Late
        } else {
            Standing::Stale
        }
    }

    /// Whether there is a job on this tip.
    pub fn any_on(&self, tip: &Hash) -> bool {
        self.iter().any(|job| job.work.template.prev_hash == *tip)
    }

    /// Forgets the jobs of an extranonce1 that is given back.
    pub fn forget(&mut self, extranonce1: Extranonce1) {
        self.jobs.retain(|job| job.terms.extranonce1 != extranonce1);
    }

    /// All jobs, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().rev()
    }
}
