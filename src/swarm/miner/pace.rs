//! When a miner's next share is due, and how the miner comes by it.
//!
//! ```text
//!             draw                 begin              found            due
//!  Nothing ─────────▶ Wait ──────────────▶ Search ───────────▶ Hold ────────▶ submit
//!     ▲                │                                         ▲               │
//!     │                └── easy enough to find in passing ───────┘               │
//!     └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A new job or mask leads from every state back to the draw: mining has no
//! memory, so drawing anew does not change the statistics.

use std::sync::Arc;

use rand::RngExt;
use rand_distr::Exp1;
use tokio::sync::oneshot;

use super::{InFlight, SimMiner};
use crate::miner::faults::Recipe;
use crate::miner::{Fault, Lane, Scene, Search, Sent, Share};
use crate::swarm::ledger::{add, record};
use crate::swarm::searchers::Found;
use crate::swarm::spec::Mode;
use crate::units::{Seconds, Timestamp};

/// A proof that takes fewer hashes than this is searched in passing: about half a millisecond.
const INLINE_HASHES: f64 = 2_000.0;

/// A search in passing ends after this many times its mean; the luck needed is one in 10^8.
const INLINE_MEANS: f64 = 20.0;

/// Shares a paced miner may send without looking at its socket.
const BURST_MAX: usize = 64;

/// The next share.
pub(super) enum Plan {
    /// There is none to find.
    Nothing,
    /// Its search begins at `begin`, so that it can leave at `due`.
    Wait { begin: Timestamp, due: Timestamp },
    /// It is being searched; `keep` the search for the share after it.
    Search { due: Timestamp, found: oneshot::Receiver<Found>, keep: bool },
    /// It is found before its time.
    Hold { due: Timestamp, share: Box<Share> },
}

impl Plan {
    /// When it has to be looked at again, unless something happens before.
    pub fn wake(&self) -> Option<Timestamp> {
        match self {
            Self::Nothing | Self::Search { .. } => None,
            Self::Wait { begin, .. } => Some(*begin),
            Self::Hold { due, .. } => Some(*due),
        }
    }

    /// Waits for a search to end; for ever, when there is none. `None`: the searchers are gone.
    pub async fn found(&mut self) -> Option<Found> {
        match self {
            Self::Search { found, .. } => found.await.ok(),
            _ => std::future::pending().await,
        }
    }
}

impl SimMiner {
    /// Does what is due, up to a number of shares.
    pub(super) fn pursue(&mut self, now: Timestamp) {
        for _ in 0..BURST_MAX {
            match std::mem::replace(&mut self.plan, Plan::Nothing) {
                Plan::Wait { begin, due } if begin <= now => self.begin_search(due, now),
                Plan::Hold { due, share } if due <= now => {
                    self.submit(*share, now);
                    self.plan_next(due, now);
                }
                plan => {
                    self.plan = plan;
                    break;
                }
            }
        }
    }

    /// Goes to work on the newest job and mask.
    pub(super) fn take_up(&mut self, now: Timestamp) {
        let Some(job) = &self.job else { return };
        if self.fleet.options.mode == Mode::Idle {
            return;
        }
        let mask = self.client.version_mask();
        match &mut self.search {
            Some(search) => search.take_up(Arc::clone(job), mask),
            none => {
                let search = Search::new(Arc::clone(job), mask, Lane::ONLY, self.rng.random());
                *none = Some(Box::new(search));
            }
        }
        self.plan_next(now, now);
    }

    /// Decides when the share after the one of `last` is due.
    pub(super) fn plan_next(&mut self, last: Timestamp, now: Timestamp) {
        self.plan = Plan::Nothing;
        let Some(job) = &self.job else { return };
        if self.fleet.is_draining() {
            return;
        }
        let expected = job.difficulty.expected_hashes();
        let due = match self.fleet.options.mode {
            Mode::Idle => return,
            Mode::Load { pipeline } if self.in_flight.len() >= pipeline => return,
            Mode::Load { .. } => now,
            Mode::Paced => {
                let mean = job.difficulty.share_interval(self.spec().hashrate).0;
                let wait = Seconds(mean * self.rng.sample::<f64, _>(Exp1));
                // Ten years is never; it also keeps sums finite.
                if wait.0 > 3e8 {
                    return;
                }
                last.max(Timestamp(now.0.saturating_sub(1_000_000))) + wait
            }
        };
        let lead = if expected <= INLINE_HASHES { Seconds(0.0) } else { self.fleet.searchers.lead(expected) };
        self.plan = Plan::Wait { begin: due + Seconds(-lead.0), due };
    }

    /// Gets at a share for `due`: a good one, or now and then a bad one.
    fn begin_search(&mut self, due: Timestamp, now: Timestamp) {
        let (mut search, keep) = match self.draw_fault(now) {
            Some(Recipe::Ready(share)) => {
                self.plan = Plan::Hold { due, share };
                return;
            }
            Some(Recipe::Search(search)) => (search, false),
            None => match self.search.take() {
                Some(search) => (search, true),
                None => return,
            },
        };
        let expected = search.job().difficulty.expected_hashes();
        if expected <= INLINE_HASHES {
            let before = search.hashes();
            let share = search.run((expected * INLINE_MEANS) as u64 + 1);
            add(&self.region.hashes, search.hashes() - before);
            if let Some(share) = share {
                self.plan = Plan::Hold { due, share: Box::new(share) };
                if keep {
                    self.search = Some(search);
                }
                return;
            }
        }
        let found = self.fleet.searchers.order(search, due, &self.region);
        self.plan = Plan::Search { due, found, keep };
    }

    pub(super) fn on_found(&mut self, found: Option<Found>, now: Timestamp) {
        let Plan::Search { due, keep, .. } = std::mem::replace(&mut self.plan, Plan::Nothing) else { return };
        let Some((share, search)) = found else { return };
        if keep {
            self.search = Some(search);
        }
        record(&mut self.fleet.ledger.shard(self.index).lag, now.since(due));
        self.plan = Plan::Hold { due, share: Box::new(share) };
    }

    /// Decides whether the next share is to be bad, and in which way.
    fn draw_fault(&mut self, now: Timestamp) -> Option<Recipe> {
        let fraction = self.fleet.options.fleet.faults_fraction;
        if fraction <= 0.0 || self.rng.random::<f64>() >= fraction {
            return None;
        }
        let scene = Scene {
            job: self.job.as_ref()?,
            version_mask: self.client.version_mask(),
            accepted: self.oracle.accepted(),
            stale_job: self.oracle.stale_job(now),
            extranonce2: self.rng.random(),
            now,
        };
        // Not every fault is possible at any time; another one is as good.
        (0..4).find_map(|_| {
            let fault = Fault::ALL[self.rng.random_range(0..Fault::ALL.len())];
            fault.recipe(&scene)
        })
    }

    fn submit(&mut self, share: Share, now: Timestamp) {
        if self.fleet.is_draining() {
            return;
        }
        let flaw = self.oracle.inspect(&share, &self.client, now);
        let Some(id) = self.client.submit(&share, now, &mut self.out) else { return };
        if flaw.is_none() && share.is_block() {
            add(&self.region.blocks, 1);
        }
        self.post(Some(id), now);
        add(&self.fleet.ledger.sent, 1);
        self.in_flight.push_back(InFlight { id, sent: Sent { share, flaw, at: now }, left: None });
    }
}
