//! Whether a pool's verdict agrees with what the miner knows about its share.
//!
//! The miner knows the job and its exact terms, and every bit it submitted; it
//! does not know when a new tip reached the pool. So the only verdicts that
//! cannot be judged at once are those about staleness:
//!
//! | share | verdict | judged |
//! |---|---|---|
//! | good | accepted | right; also late, within the credit for the tip before |
//! | good | stale, and a newer tip is known | right |
//! | good | stale, no newer tip known | right if one arrives within [`GRACE`], else a false reject |
//! | good | any other reject | a false reject; a race if a new mask crossed the share |
//! | faulty | accepted | a false accept; a race if a new mask crossed the share |
//! | faulty | rejected | right, unless the reason is another's |

use std::collections::VecDeque;
use std::sync::Arc;

use super::client::{Client, PoolVerdict};
use super::faults::Fault;
use super::job::MinerJob;
use super::reason;
use super::share::Share;
use crate::stratum::v1::WireError;
use crate::units::{Seconds, Timestamp};

/// How much later than a stale reject its new tip may arrive: the pool may
/// serve thousands of miners before this one.
pub const GRACE: Seconds = Seconds(2.0);

/// Longer than pools give credit for work on the tip before.
pub const LATE_CREDIT: Seconds = Seconds(10.0);

/// Accepted shares remembered. The search repeats none, so only a deliberate
/// duplicate of a recent one can be a duplicate.
const ACCEPTED_MAX: usize = 4;

/// A share on its way.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The share.
    pub share: Share,
    /// What is wrong with it, by [`Oracle::inspect`] when it was sent.
    pub flaw: Option<Fault>,
    /// When it was sent.
    pub at: Timestamp,
}

/// What to think of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It agrees.
    Right,
    /// Pool and miner could not know the same: either verdict is legitimate.
    Race,
    /// It is right if a new tip arrives soon: ask [`Oracle::settle`].
    Undecided,
    /// A share that is wrong in this way was accepted.
    FalseAccept(Fault),
    /// A good share was rejected.
    FalseReject(WireError),
    /// A bad share was rejected, but for a reason that does not apply.
    WrongReason(Fault, WireError),
}

/// What a miner knows of one connection.
#[derive(Debug, Default)]
pub struct Oracle {
    newest: Option<Arc<MinerJob>>,
    /// The last job of the tip before, and when that tip was replaced.
    replaced: Option<(Arc<MinerJob>, Timestamp)>,
    mask_changed: Option<Timestamp>,
    /// Newest last.
    accepted: VecDeque<Share>,
}

impl Oracle {
    /// Notes a job that arrived.
    pub fn on_job(&mut self, job: &Arc<MinerJob>) {
        let before = self.newest.replace(Arc::clone(job));
        if let Some(before) = before.filter(|before| before.notice.prev_hash != job.notice.prev_hash) {
            self.replaced = Some((before, job.received));
            self.accepted.clear();
        }
    }

    /// Notes that the pool changed the version mask.
    pub fn on_version_mask(&mut self, now: Timestamp) {
        self.mask_changed = Some(now);
    }

    /// Forgets all: jobs and shares of a lost connection mean nothing on the next.
    pub fn on_disconnect(&mut self) {
        *self = Self::default();
    }

    /// The newest accepted share of the current tip.
    #[must_use]
    pub fn accepted(&self) -> Option<&Share> {
        self.accepted.back()
    }

    /// A job whose tip was replaced too long ago for any credit.
    #[must_use]
    pub fn stale_job(&self, now: Timestamp) -> Option<&Arc<MinerJob>> {
        let (job, since) = self.replaced.as_ref()?;
        (now.since(*since) > LATE_CREDIT).then_some(job)
    }

    /// What is wrong with a share that `client` submits at `now`, from its facts alone.
    #[must_use]
    pub fn inspect(&self, share: &Share, client: &Client, now: Timestamp) -> Option<Fault> {
        let job = &*share.job;
        let user = &*client.config().user;
        let allowed = client.version_mask().unwrap_or(0);
        let seconds = u32::try_from(now.unix_seconds()).unwrap_or(u32::MAX);
        let on_old_tip =
            self.newest.as_ref().is_some_and(|newest| newest.notice.prev_hash != job.notice.prev_hash);
        if share.worker_named(user) != user {
            Some(Fault::UnauthorizedWorker)
        } else if share.job_named() != job.notice.id {
            Some(Fault::UnknownJob)
        } else if share.extranonce2.as_bytes().len() != job.extranonce.extranonce2_bytes {
            Some(Fault::Extranonce2Length)
        } else if on_old_tip && self.stale_job(now).is_some() {
            Some(Fault::StaleJob)
        } else if share.ntime < job.notice.ntime {
            Some(Fault::NtimeTooOld)
        } else if share.ntime > job.notice.ntime.max(seconds).saturating_add(7_200) {
            Some(Fault::NtimeTooNew)
        } else if share.version_bits.is_some_and(|bits| bits & !allowed != 0) {
            let negotiated = client.version_mask().is_some();
            Some(if negotiated { Fault::VersionOutsideMask } else { Fault::VersionUnnegotiated })
        } else if !job.target.is_met_by(&share.hash) {
            Some(Fault::LowDifficulty)
        } else if self.accepted.iter().any(|accepted| accepted.is_same_as(share)) {
            Some(Fault::Duplicate)
        } else {
            None
        }
    }

    /// Judges the verdict on a share.
    pub fn judge(&mut self, sent: &Sent, verdict: &PoolVerdict) -> Judgement {
        let crossed_by_mask = self.mask_changed.is_some_and(|changed| changed > sent.at);
        match (verdict, sent.flaw) {
            (PoolVerdict::Accepted, None) => {
                if !self.is_void(&sent.share) {
                    self.remember(&sent.share);
                }
                Judgement::Right
            }
            (PoolVerdict::Accepted, Some(Fault::VersionOutsideMask | Fault::VersionUnnegotiated))
                if crossed_by_mask =>
            {
                Judgement::Race
            }
            (PoolVerdict::Accepted, Some(flaw)) => Judgement::FalseAccept(flaw),
            (PoolVerdict::Rejected(error), flaw) if reason::is_stale(error) => {
                let called_for = flaw.is_some_and(|flaw| reason::fits(error, flaw.reject()));
                if called_for || self.is_void(&sent.share) { Judgement::Right } else { Judgement::Undecided }
            }
            (PoolVerdict::Rejected(_), None) if crossed_by_mask => Judgement::Race,
            (PoolVerdict::Rejected(error), flaw) => contradiction(flaw, error),
        }
    }

    /// Judges an undecided reject again, `waited` after it came.
    #[must_use]
    pub fn settle(&self, sent: &Sent, error: &WireError, waited: Seconds) -> Judgement {
        if self.is_void(&sent.share) {
            Judgement::Right
        } else if waited <= GRACE {
            Judgement::Undecided
        } else {
            contradiction(sent.flaw, error)
        }
    }

    /// Whether a newer tip, or a clean job, is known to have ended the share's job.
    fn is_void(&self, share: &Share) -> bool {
        self.newest.as_ref().is_some_and(|newest| newest.generation > share.job.generation)
    }

    fn remember(&mut self, share: &Share) {
        if self.accepted.len() == ACCEPTED_MAX {
            self.accepted.pop_front();
        }
        self.accepted.push_back(share.clone());
    }
}

/// A reject that staleness does not excuse.
fn contradiction(flaw: Option<Fault>, error: &WireError) -> Judgement {
    match flaw {
        None => Judgement::FalseReject(error.clone()),
        Some(flaw) if reason::fits(error, flaw.reject()) => Judgement::Right,
        Some(flaw) => Judgement::WrongReason(flaw, error.clone()),
    }
}

#[cfg(test)]
mod tests;
