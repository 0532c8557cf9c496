//! From a share to a submit, and what its answer means.

use std::fmt::Write as _;

use super::Quirk;
use super::commands::quoted;
use super::device::Device;
use super::session::Purpose;
use crate::miner::share::Share;
use crate::stratum::v1::hex;
use crate::units::{Seconds, Timestamp};

/// Shares sent in one call at most, where the time made a leap.
const SHARES_MAX: usize = 1_000;

/// How long an answer is awaited by firmware that awaits it.
const ANSWER_LIMIT: Seconds = Seconds(30.0);

/// How often [`Quirk::SubmitsBatched`] sends.
const BATCH: Seconds = Seconds(5.0);

/// Shares that [`Quirk::SubmitsSurviveSession`] keeps.
const KEPT_MAX: usize = 3;

/// Every so manieth share goes out twice with [`Quirk::SharesTwice`].
const TWICE_EVERY: u32 = 4;

/// Shares on their way.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Since when one waits for its answer; kept by firmware that awaits it.
    unanswered: Option<Timestamp>,
    batch: Vec<String>,
    batch_due: Option<Timestamp>,
    count: u32,
}

impl Shares {
    pub fn is_unanswered(&self) -> bool {
        self.unanswered.is_some()
    }
}

impl Device {
    /// Hashes, and submits what it finds.
    pub(super) fn mine(&mut self, now: Timestamp) {
        for _ in 0..SHARES_MAX {
            let Some(share) = self.worker.share(now) else { return };
            self.submit(&share, now);
        }
    }

    fn submit(&mut self, share: &Share, now: Timestamp) {
        let too_long = |max| share.job.extranonce.extranonce2_bytes > max as usize;
        if self.size(Quirk::Extranonce2Unsubmitted).is_some_and(too_long) {
            return;
        }
        let shares = &mut self.session.shares;
        if shares.is_unanswered() && self.quirks.has(Quirk::SubmitsOneAtATime) {
            return;
        }
        shares.count += 1;
        shares.unanswered.get_or_insert(now);
        let twice = shares.count.is_multiple_of(TWICE_EVERY);
        let params = self.params(share);
        if self.has(Quirk::SubmitsBatched) {
            let shares = &mut self.session.shares;
            shares.batch.push(params);
            shares.batch_due.get_or_insert(now + BATCH);
            return;
        }
        self.inbox_on_submit();
        self.ask(Purpose::Submit, "mining.submit", &params);
        if twice && self.has(Quirk::SharesTwice) {
            self.ask(Purpose::Submit, "mining.submit", &params);
        }
        self.memory.submits.push_back(params);
        if self.memory.submits.len() > KEPT_MAX {
            self.memory.submits.pop_front();
        }
    }

    /// The parameters of a submit, as JSON.
    fn params(&self, share: &Share) -> String {
        let id =
            if self.has(Quirk::NewestJobNamed) { &self.session.waiting.newest } else { &share.job.notice.id };
        let id = if self.has(Quirk::JobIdUnescaped) { format!("\"{id}\"") } else { quoted(id) };
        let swapped = self.has(Quirk::NonceByteSwapped);
        let nonce = if swapped { share.nonce.swap_bytes() } else { share.nonce };
        let nonce =
            if self.has(Quirk::NonceUnpadded) { format!("{nonce:x}") } else { format!("{nonce:08x}") };
        let mut params = format!(
            "[{},{id},\"{}\",\"{:08x}\",\"{nonce}\"",
            self.worker_name(),
            hex::encode(share.extranonce2.as_bytes()),
            share.ntime,
        );
        let always = self.has(Quirk::VersionBitsAlways).then_some(0);
        if let Some(bits) = share.version_bits.or(always) {
            let _ = write!(params, ",\"{bits:08x}\"");
        }
        params.push(']');
        params
    }

    /// The name that shares are submitted under, as JSON.
    fn worker_name(&self) -> String {
        let user = &self.config.user;
        if self.has(Quirk::UserWithoutWorker) {
            return quoted(user.split('.').next().unwrap_or_default());
        }
        match self.size(Quirk::UserCut) {
            Some(cut) => quoted(&user[..user.floor_char_boundary(cut as usize)]),
            None => self.user(),
        }
    }

    /// Takes the answer to a share.
    pub(super) fn on_verdict(&mut self, accepted: bool, now: Timestamp) {
        self.session.works |= accepted;
        self.memory.rejects = if accepted { 0 } else { self.memory.rejects.saturating_add(1) };
        if self.size(Quirk::RejectsCrash).is_some_and(|max| self.memory.rejects >= max) {
            return self.crash(now);
        }
        self.session.shares.unanswered = None;
        self.take_deferred(now);
    }

    /// Sends the last shares of the session before.
    pub(super) fn submit_again(&mut self) {
        let submits = std::mem::take(&mut self.memory.submits);
        if self.has(Quirk::SubmitsSurviveSession) {
            for params in submits {
                self.ask(Purpose::Submit, "mining.submit", &params);
            }
        }
    }

    /// When shares are sent that waited, or an answer is awaited no longer.
    pub(super) fn shares_due(&self) -> Option<Timestamp> {
        let shares = &self.session.shares;
        let awaits = self.has(Quirk::SubmitsOneAtATime) || self.has(Quirk::DeafWhileSubmitting);
        let answer = shares.unanswered.filter(|_| awaits).map(|since| since + ANSWER_LIMIT);
        [answer, shares.batch_due].into_iter().flatten().min()
    }

    pub(super) fn on_shares_due(&mut self, now: Timestamp) {
        let shares = &mut self.session.shares;
        if shares.unanswered.is_some_and(|since| since + ANSWER_LIMIT <= now) {
            shares.unanswered = None;
        }
        if shares.batch_due.take_if(|due| *due <= now).is_some() {
            for params in std::mem::take(&mut shares.batch) {
                self.ask(Purpose::Submit, "mining.submit", &params);
            }
        }
        self.take_deferred(now);
    }
}
