//! A share on its way through a session: find its job, judge it, record it.

use std::sync::Arc;

use super::{DIAGNOSES_PER_SECOND, Session};
use crate::block::{HeaderFields, assemble};
use crate::event::{Event, Extranonce2, FoundBlock, Reject, Share, Verdict};
use crate::hash::Hash;
use crate::pool::Output;
use crate::pool::diagnose::diagnose;
use crate::pool::job::Job;
use crate::pool::share::{Judged, Solution, judge};
use crate::stratum::v1::{Line, Reply, Submit};
use crate::units::Timestamp;

/// Stands for workers that were never authorized.
const STRANGER: &str = "(unauthorized)";

/// Solved headers a session remembers, so that one sent again is not submitted again.
const SOLVED_MAX: usize = 8;

impl Session {
    /// The merkle roots of requests that follow each other, where those are shares of known jobs.
    ///
    /// Most of what a share costs is this hashing, and many at once take less
    /// than half of it. The terms of a job never change and a share changes no
    /// jobs, so what is worked out before judging the first still holds for the
    /// last. A share alone is left to its judge.
    pub(super) fn merkle_roots(&self, lines: &[Line<'_>]) -> Vec<Option<Hash>> {
        let mut roots = vec![None; lines.len()];
        let Some(state) = self.subscribed.as_ref().filter(|_| lines.len() > 1) else { return roots };
        let length = self.pool.settings.extranonce2_bytes;
        let mut known = Vec::with_capacity(lines.len());
        for (at, submit) in lines.iter().map(Line::submit).enumerate() {
            if let Some(Submit { job: Some(job), extranonce2: Some(extranonce2), .. }) = submit
                && extranonce2.as_bytes().len() == length
            {
                known.push((*job, at, extranonce2.as_bytes()));
            }
        }
        known.sort_unstable_by_key(|(job, at, _)| (*job, *at));
        for of_one in known.chunk_by(|left, right| left.0 == right.0) {
            let Some(job) = state.jobs.get(of_one[0].0) else { continue };
            let extranonces2: Vec<&[u8]> = of_one.iter().map(|(.., extranonce2)| *extranonce2).collect();
            for ((_, at, _), root) in of_one.iter().zip(job.merkle_roots(&extranonces2)) {
                roots[*at] = Some(root);
            }
        }
        roots
    }

    /// Judges a submission; what it returns is the reply.
    ///
    /// `merkle_root` comes from [`Self::merkle_roots`].
    pub(super) fn on_submit(
        &mut self,
        submit: &Submit<'_>,
        merkle_root: Option<Hash>,
        now: Timestamp,
        out: &mut Output,
    ) -> Reply<'static> {
        let worker = self.workers.iter().find(|name| ***name == *submit.worker).cloned();
        let mut share = Share {
            time: now,
            connection: self.connection,
            // A name that was never authorized is the peer's to choose: it
            // must not grow the ledger.
            worker: worker.clone().unwrap_or_else(|| STRANGER.into()),
            verdict: Verdict::Rejected(Reject::NotSubscribed),
            job: submit.job,
            height: 0,
            extranonce2: submit.extranonce2.unwrap_or_default(),
            ntime: submit.ntime,
            nonce: submit.nonce,
            version: submit.version_bits.unwrap_or(0),
            difficulty_asked: None,
            difficulty_reached: None,
            job_age_us: 0,
            near_miss: None,
        };
        if self.subscribed.is_some() {
            share.verdict = Verdict::Rejected(Reject::Unauthorized);
            if worker.is_some() {
                self.judge_into(&mut share, submit, merkle_root, now, out);
            }
        }
        let reply = match share.verdict {
            Verdict::Rejected(reject) => Reply::Reject(reject),
            Verdict::Accepted | Verdict::AcceptedLate => Reply::True,
        };
        out.events.push(Event::Share(Box::new(share)));
        reply
    }

    /// Fills in the verdict and what is known of the share.
    fn judge_into(
        &mut self,
        share: &mut Share,
        submit: &Submit<'_>,
        merkle_root: Option<Hash>,
        now: Timestamp,
        out: &mut Output,
    ) {
        let mask = self.mask_for(submit.version_bits, now);
        let Some(state) = &mut self.subscribed else { return };
        let job = submit.job.and_then(|id| state.jobs.get(id));
        let length_is_right =
            |nonce2: &Extranonce2| nonce2.as_bytes().len() == self.pool.settings.extranonce2_bytes;
        let extranonce2 = submit.extranonce2.filter(length_is_right);
        let refused = match (job, extranonce2) {
            (None, _) => Some(Reject::UnknownJob),
            (Some(_), None) => Some(Reject::Extranonce2Length),
            _ => None,
        };
        if let Some(job) = job {
            share.height = job.work.template.height;
            share.difficulty_asked = Some(job.terms.difficulty);
            share.job_age_us = now.micros().saturating_sub(job.sent.micros());
        }
        let bytes = extranonce2.unwrap_or_default();
        let solution = Solution {
            extranonce2: bytes.as_bytes(),
            ntime: submit.ntime,
            nonce: submit.nonce,
            version_bits: submit.version_bits,
        };
        if let Some(reject) = refused {
            share.verdict = Verdict::Rejected(reject);
            if reject == Reject::UnknownJob && extranonce2.is_some() && may_diagnose(&mut self.diagnosed, now)
            {
                let newest = self.difficulty;
                share.near_miss = diagnose(&state.jobs, None, &solution, mask, None, newest);
            }
            return;
        }
        let Some(job) = job else { return };
        let standing = state.jobs.standing(job, now, self.pool.settings.late_credit);
        let judged = judge(job, standing, &solution, merkle_root, mask, &mut state.seen);
        share.version = judged.header.version;
        share.difficulty_reached = Some(judged.reached);
        share.verdict = judged.verdict;
        let may_be_mistaken = matches!(
            judged.verdict,
            Verdict::Rejected(
                Reject::LowDifficulty | Reject::NtimeTooOld | Reject::NtimeTooNew | Reject::VersionMask
            )
        );
        if may_be_mistaken && may_diagnose(&mut self.diagnosed, now) {
            // What met its target is wrong in another way than its difficulty.
            let low = judged.verdict == Verdict::Rejected(Reject::LowDifficulty);
            let reached = low.then_some(judged.reached);
            share.near_miss = diagnose(&state.jobs, Some(job), &solution, mask, reached, self.difficulty);
        }
        if judged.is_block && !self.solved.contains(&judged.hash) {
            if self.solved.len() == SOLVED_MAX {
                self.solved.pop_front();
            }
            self.solved.push_back(judged.hash);
            out.events.push(Event::BlockFound(Box::new(found_block(job, &judged, &solution, share))));
        }
        if judged.verdict.is_accepted()
            && let Some(vardiff) = &mut self.vardiff
        {
            vardiff.on_share(job.terms.difficulty);
        }
    }

    /// The mask that a share's bits are judged by: the one before the last
    /// change, when only that one allows them and they may have been on the way.
    fn mask_for(&self, bits: Option<u32>, now: Timestamp) -> u32 {
        let outside = |mask: u32| bits.unwrap_or(0) & !mask != 0;
        match self.version.previous {
            Some((previous, changed))
                if outside(self.version.mask)
                    && !outside(previous)
                    && now.since(changed) <= self.pool.settings.late_credit =>
            {
                previous
            }
            _ => self.version.mask,
        }
    }
}

/// Counts a diagnosis against the session's allowance for this second.
fn may_diagnose(diagnosed: &mut (u64, u32), now: Timestamp) -> bool {
    if diagnosed.0 != now.unix_seconds() {
        *diagnosed = (now.unix_seconds(), 0);
    }
    diagnosed.1 += 1;
    diagnosed.1 <= DIAGNOSES_PER_SECOND
}

fn found_block(job: &Job, judged: &Judged, solution: &Solution<'_>, share: &Share) -> FoundBlock {
    let (extranonce1, length) = job.terms.extranonce1.to_bytes();
    let coinbase = job.work.coinbase.transaction(&extranonce1[..length], solution.extranonce2);
    let header: &HeaderFields = &judged.header;
    FoundBlock {
        time: share.time,
        connection: share.connection,
        worker: Arc::clone(&share.worker),
        height: job.work.template.height,
        hash: judged.hash,
        block: assemble(header, coinbase, &job.work.template),
    }
}
