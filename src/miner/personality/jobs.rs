//! From a notice to work: what a job is made of, and when it is taken up.

use std::collections::VecDeque;
use std::str::FromStr as _;
use std::sync::Arc;

use super::Quirk;
use super::device::Device;
use super::session::Early;
use super::work::SWITCH;
use crate::hash::Hash;
use crate::miner::MinerJob;
use crate::miner::job::ExtranonceSplit;
use crate::stratum::v1::JobNotice;
use crate::units::{Difficulty, Seconds, Timestamp};

/// Jobs that wait in [`Quirk::JobQueue`].
const QUEUE_MAX: usize = 12;

/// How long each of them is worked on.
const QUEUE_SECONDS: Seconds = Seconds(1.0);

/// Names of jobs that [`Quirk::SeenJobIgnored`] remembers.
const SEEN_MAX: usize = 16;

/// How long [`Quirk::IdleStops`] works on without a new job.
const IDLE: Seconds = Seconds(60.0);

/// Jobs that came and are not yet taken up; none, where no quirk delays them.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The oldest first, with its time.
    jobs: VecDeque<(Timestamp, Arc<MinerJob>)>,
    /// When the last job of the queue is taken up.
    queued_until: Timestamp,
    /// A notice that nobody looked at yet.
    deferred: Option<Early>,
    /// The name of the newest job.
    pub newest: String,
}

impl Device {
    /// Takes a job. The terms of a job are those in force when its notice came.
    pub(super) fn new_job(
        &mut self,
        notice: JobNotice,
        difficulty: Difficulty,
        received: Timestamp,
        now: Timestamp,
    ) {
        if self.has(Quirk::DeafWhileSubmitting) && self.session.shares.is_unanswered() {
            self.session.waiting.deferred = Some(Early { notice, difficulty, received });
            return;
        }
        if self.has(Quirk::ForeignPayoutReset) && !self.pays_user(&notice) {
            return self.block_pool(now);
        }
        let Some(extranonce) = self.session.extranonce.clone() else { return };
        // A new tip voids older work even if the pool does not say so.
        let new_tip = self.session.tip.replace(notice.prev_hash) != Some(notice.prev_hash);
        if self.drops(&notice) {
            return;
        }
        if new_tip || notice.clean {
            self.session.generation += 1;
        }
        let clean = notice.clean;
        self.session.waiting.newest.clone_from(&notice.id);
        let job = Arc::new(self.job(notice, extranonce, difficulty, received));
        let job = match &self.memory.job {
            Some(old) if self.goes_on_with(old, &job) => Arc::clone(old),
            _ => job,
        };
        self.session.job_at = Some(now);
        self.schedule(job, clean, new_tip, now);
    }

    /// Builds a job, with what quirks make of its parts.
    fn job(
        &self,
        mut notice: JobNotice,
        extranonce: ExtranonceSplit,
        difficulty: Difficulty,
        received: Timestamp,
    ) -> MinerJob {
        if self.has(Quirk::PrevHashUnswapped) {
            notice.prev_hash = words_turned(notice.prev_hash);
        }
        if let Some(cut) = self.size(Quirk::JobIdCut) {
            notice.id.truncate(notice.id.floor_char_boundary(cut as usize));
        }
        if let Some(cut) = self.size(Quirk::BranchCut) {
            notice.branch.truncate(cut as usize);
        }
        if let Some(cut) = self.size(Quirk::CoinbaseCut) {
            let before = notice.coinb1.len() + extranonce.extranonce1.len() + extranonce.extranonce2_bytes;
            notice.coinb2.truncate((cut as usize).saturating_sub(before));
        }
        let real = difficulty.scaled(1.0 / self.config.claimed_per_real);
        let mut job = MinerJob::new(notice, extranonce, real, self.session.generation, received);
        job.target = self.target(difficulty);
        job
    }

    /// Whether the first job of a session is taken for the last one of the session before.
    fn goes_on_with(&self, old: &MinerJob, job: &MinerJob) -> bool {
        self.has(Quirk::OldWorkSurvives) && self.session.job_at.is_none() && old.notice.id == job.notice.id
    }

    /// Whether a job is dropped for its name or its flag.
    fn drops(&mut self, notice: &JobNotice) -> bool {
        let seen = &mut self.memory.seen;
        if notice.clean {
            seen.clear();
        }
        let again = seen.contains(&notice.id);
        if !again {
            seen.push_back(notice.id.clone());
        }
        if seen.len() > SEEN_MAX {
            seen.pop_front();
        }
        let at_work = self.worker.job().is_some();
        again && at_work && self.has(Quirk::SeenJobIgnored)
            || !notice.clean && at_work && self.has(Quirk::UncleanIgnored)
    }

    /// Whether the coinbase pays the address that the user's name begins with.
    fn pays_user(&self, notice: &JobNotice) -> bool {
        let account = self.config.user.split('.').next().unwrap_or_default();
        let Ok(address) = bitcoin::Address::from_str(account) else { return false };
        let script = address.assume_checked().script_pubkey();
        notice.coinb2.windows(script.len()).any(|part| part == script.as_bytes())
    }

    /// Takes a job up, now or when its time comes.
    fn schedule(&mut self, job: Arc<MinerJob>, clean: bool, new_tip: bool, now: Timestamp) {
        let waiting = &mut self.session.waiting;
        if self.quirks.has(Quirk::JobQueue) && !clean && self.worker.job().is_some() {
            if waiting.jobs.len() < QUEUE_MAX {
                waiting.queued_until = now.max(waiting.queued_until) + QUEUE_SECONDS;
                waiting.jobs.push_back((waiting.queued_until, job));
            }
            return;
        }
        match self.lingers(clean, new_tip) {
            None => {
                self.session.waiting.jobs.clear();
                self.session.waiting.queued_until = now;
                self.start(job, now);
            }
            Some(span) => match self.session.waiting.jobs.back_mut() {
                Some((_, waiting)) => *waiting = job,
                None => self.session.waiting.jobs.push_back((now + span, job)),
            },
        }
    }

    /// How long it works on before it takes up a job.
    fn lingers(&self, clean: bool, new_tip: bool) -> Option<Seconds> {
        self.worker.job()?;
        if self.has(Quirk::NewestJobNamed) {
            return Some(Seconds(0.4));
        }
        if !clean {
            return self.size(Quirk::UncleanLingers).map(|seconds| Seconds(f64::from(seconds)));
        }
        if self.has(Quirk::CleanLingers) {
            return Some(Seconds(5.0));
        }
        (!new_tip && self.has(Quirk::CleanSameBlockLingers)).then_some(Seconds(10.0))
    }

    fn start(&mut self, job: Arc<MinerJob>, now: Timestamp) {
        if self.has(Quirk::Extranonce2Restart) {
            self.worker.restart(now);
        }
        self.worker.set_mask(self.session.mask, now);
        let switch = self.size(Quirk::SlowSwitch).map_or(SWITCH, |millis| Seconds(f64::from(millis) / 1e3));
        let mut at = now + switch;
        if let (Some(wait), Some(ready)) = (self.size(Quirk::SlowStart), self.session.ready) {
            at = at.max(ready + Seconds(f64::from(wait)));
        }
        self.worker.take_up(job, now, at);
    }

    /// When something of jobs or shares is due.
    pub(super) fn work_wake(&self) -> Option<Timestamp> {
        let waiting = self.session.waiting.jobs.front().map(|(due, _)| *due);
        let times = [self.worker.wake(), waiting, self.idle_due(), self.notify_due()];
        let more = [self.shares_due(), self.line_due(), self.handshake_due()];
        times.into_iter().chain(more).flatten().min()
    }

    fn idle_due(&self) -> Option<Timestamp> {
        self.worker.job().filter(|_| self.has(Quirk::IdleStops))?;
        Some(self.session.job_at? + IDLE)
    }

    fn notify_due(&self) -> Option<Timestamp> {
        let limit = self.size(Quirk::NotifyTimer)?;
        let since = self.session.job_at.or(self.session.ready)?;
        Some(since + Seconds(f64::from(limit)))
    }

    /// Does what is due, except hashing.
    pub(super) fn work_timers(&mut self, now: Timestamp) {
        let is_due = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        while let Some((_, job)) = self.session.waiting.jobs.pop_front_if(|(due, _)| *due <= now) {
            // Shares that were found for the one before go out first.
            self.mine(now);
            self.start(job, now);
        }
        if is_due(self.idle_due()) {
            self.worker.stop(now);
        }
        if is_due(self.shares_due()) {
            self.on_shares_due(now);
        }
        if is_due(self.line_due()) {
            self.take_unfinished_line(now);
        }
        if self.is_up() && is_due(self.handshake_due()) {
            self.on_handshake_due(now);
        }
        if self.is_up() && is_due(self.notify_due()) {
            self.leave(super::Ending::Fin, now);
        }
    }

    /// Looks at a notice that had to wait.
    pub(super) fn take_deferred(&mut self, now: Timestamp) {
        if let Some(Early { notice, difficulty, received }) = self.session.waiting.deferred.take() {
            self.new_job(notice, difficulty, received, now);
        }
    }
}

/// The bytes of each word in the other order.
fn words_turned(mut hash: Hash) -> Hash {
    for word in hash.as_chunks_mut::<4>().0 {
        word.reverse();
    }
    hash
}
