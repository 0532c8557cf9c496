//! The terms of the next job: extranonce, version mask and difficulty, as they change.

use std::sync::Arc;

use super::Quirk;
use super::commands::Raw;
use super::device::{Device, Ending};
use crate::event::Extranonce2;
use crate::miner::MinerJob;
use crate::miner::job::ExtranonceSplit;
use crate::stratum::v1::VERSION_MASK;
use crate::units::{Difficulty, Timestamp};

/// Announced difficulties remembered at most.
const DIFFICULTIES_MAX: usize = 64;

impl Device {
    /// What a new session makes of an extranonce; `resumed` if it asked to resume an earlier one.
    pub(super) fn remembered(
        &mut self,
        mut extranonce1: Vec<u8>,
        mut bytes: usize,
        resumed: bool,
    ) -> (Vec<u8>, usize) {
        if let Some(earlier) = &self.memory.extranonce {
            if resumed && self.has(Quirk::ResumedExtranonceKept) {
                extranonce1.clone_from(&earlier.extranonce1);
            }
            if self.has(Quirk::Extranonce1SizeKept) {
                extranonce1.resize(earlier.extranonce1.len(), 0);
            }
            if self.has(Quirk::Extranonce2SizeKept) {
                bytes = earlier.extranonce2_bytes;
            }
        }
        if let Some(kept) = self.size(Quirk::Extranonce1Cut) {
            extranonce1.truncate(kept as usize);
        }
        if let Some(fixed) = self.size(Quirk::Extranonce2Fixed).filter(|_| ![2, 4, 8].contains(&bytes)) {
            bytes = fixed as usize;
        }
        (extranonce1, bytes)
    }

    /// From the next notify on. A size that cannot be mined ends the session:
    /// to go on would be to submit nonsense.
    pub(super) fn set_extranonce(&mut self, extranonce1: Vec<u8>, extranonce2_bytes: usize, now: Timestamp) {
        if extranonce2_bytes > Extranonce2::BYTES_MAX {
            return self.leave(Ending::Fin, now);
        }
        let split = ExtranonceSplit { extranonce1, extranonce2_bytes };
        self.memory.extranonce.get_or_insert_with(|| split.clone());
        self.session.extranonce = Some(split);
    }

    /// Takes `mining.set_extranonce`.
    pub(super) fn on_extranonce(&mut self, extranonce1: Vec<u8>, extranonce2_bytes: usize, now: Timestamp) {
        if self.session.extranonce.is_none() || self.has(Quirk::SetExtranonceIgnored) {
            return;
        }
        self.set_extranonce(extranonce1, extranonce2_bytes, now);
        let Some(new) = self.session.extranonce.clone() else { return };
        let Some(job) = self.worker.job().cloned() else { return };
        let mut split = job.extranonce.clone();
        if self.has(Quirk::ExtranonceAtOnce) {
            split.extranonce1 = new.extranonce1;
        }
        if self.has(Quirk::Extranonce2SizeAtOnce) {
            split.extranonce2_bytes = new.extranonce2_bytes;
        }
        if split != job.extranonce {
            let MinerJob { notice, difficulty, generation, received, .. } = (*job).clone();
            let mut changed = MinerJob::new(notice, split, difficulty, generation, received);
            changed.target = job.target;
            self.worker.take_up(Arc::new(changed), now, now);
        }
    }

    /// The mask of a session that has just begun: none, in firmware that forgets.
    pub(super) fn adopt_mask(&mut self, now: Timestamp) {
        if self.has(Quirk::RollsWithoutGrant) {
            self.session.mask = Some(VERSION_MASK);
        } else if self.has(Quirk::MaskSurvivesSession) {
            self.session.mask = self.memory.mask;
        }
        self.worker.set_mask(self.session.mask, now);
    }

    /// At once, as BIP310 says; never beyond what was offered.
    pub(super) fn set_mask(&mut self, mask: Option<u32>, now: Timestamp) {
        if self.has(Quirk::NoVersionRolling) {
            return;
        }
        let kept = match mask {
            None => self.has(Quirk::RollsWithoutGrant) || self.has(Quirk::MaskSurvivesSession),
            Some(0) => self.has(Quirk::ZeroMaskIgnored),
            Some(_) => false,
        };
        if kept && self.session.mask.is_some() {
            return;
        }
        let granted = if self.has(Quirk::AskedMaskUsed) { u32::MAX } else { 0 };
        self.session.mask = mask.map(|mask| (mask | granted) & VERSION_MASK);
        if !self.has(Quirk::MaskAtNextJob) || self.worker.job().is_none() {
            self.worker.set_mask(self.session.mask, now);
        }
    }

    /// For jobs that come later.
    pub(super) fn on_difficulty(&mut self, difficulty: Difficulty, raw: &Raw<'_>, now: Timestamp) {
        // A text that reads as a number is not one.
        if !raw.list().first().is_some_and(serde_json::Value::is_number) {
            return;
        }
        let mut value = difficulty.get();
        if self.has(Quirk::DifficultyTruncated) {
            value = f64::from(value as u64 as u32);
        }
        if self.has(Quirk::DifficultyOnlyRises) && self.session.job_at.is_some() {
            value = value.max(self.session.difficulty.get());
        }
        self.announce(Difficulty::new(value).unwrap_or(Difficulty::MIN), now);
    }

    /// Takes a difficulty that nobody can mean.
    pub(super) fn on_odd_difficulty(&mut self, raw: &Raw<'_>, now: Timestamp) {
        let value = raw.list().first().and_then(serde_json::Value::as_f64);
        if value.is_some_and(|value| value <= 0.0) && self.has(Quirk::DifficultyZeroTaken) {
            self.announce(Difficulty::MIN, now);
        }
    }

    fn announce(&mut self, difficulty: Difficulty, now: Timestamp) {
        let session = &mut self.session;
        session.difficulties.push_back(difficulty);
        if session.difficulties.len() > DIFFICULTIES_MAX {
            session.difficulties.pop_front();
        }
        if self.has(Quirk::DifficultyQueued) {
            return;
        }
        if self.has(Quirk::DifficultyLate) && self.session.job_at.is_some() {
            return;
        }
        self.session.difficulty = difficulty;
        if self.has(Quirk::DifficultyAtOnce)
            && let Some(job) = self.worker.job()
        {
            let mut job = (**job).clone();
            job.target = self.target(difficulty);
            self.worker.take_up(Arc::new(job), now, now);
        }
    }

    /// The difficulty of a job that comes now.
    pub(super) fn job_difficulty(&mut self) -> Difficulty {
        let session = &mut self.session;
        if self.quirks.has(Quirk::DifficultyQueued) {
            session.difficulty = session.difficulties.pop_front().unwrap_or(session.difficulty);
        }
        let difficulty = session.difficulty;
        if self.quirks.has(Quirk::DifficultyLate) {
            // What was announced before this job holds for the next.
            session.difficulty = session.difficulties.back().copied().unwrap_or(difficulty);
        }
        difficulty
    }

    /// The real target of a claimed difficulty, as `conformance::WorkScale` has it.
    pub(super) fn target(&self, difficulty: Difficulty) -> crate::units::Target {
        let mut applied = difficulty.get();
        if self.has(Quirk::DifficultyRoundedUp) {
            applied = 2f64.powf(applied.log2().ceil());
        }
        let applied = Difficulty::new(applied).unwrap_or(difficulty);
        applied.scaled(1.0 / self.config.claimed_per_real).target()
    }
}
