//! Shares of a hand: searched on a job's terms, submitted, and what must become of them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::hand::{Hand, Reply, Told, span, verdict_of};
use super::proof::{SLICES, Sought, Start};
use super::talk::Stop;
use crate::miner::faults::Recipe;
use crate::miner::{Fault, MinerJob, PoolVerdict, Scene, Share, reason};
use crate::stratum::v1::{WireError, hex};
use crate::units::{Difficulty, Seconds};

/// How much later than a stale reject its new tip may arrive.
const TIP_GRACE: Seconds = Seconds(2.0);

/// How often a share is searched anew because a new block voided the last one.
const RACES_MAX: u32 = 6;

/// What became of a share.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// `None`: no answer; why is in `silence`.
    pub verdict: Option<PoolVerdict>,
    pub silence: String,
    pub evidence: Vec<usize>,
}

impl Judged {
    pub fn is_accepted(&self) -> bool {
        self.verdict == Some(PoolVerdict::Accepted)
    }

    pub fn error(&self) -> Option<&WireError> {
        match &self.verdict {
            Some(PoolVerdict::Rejected(error)) => Some(error),
            _ => None,
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match &self.verdict {
            Some(PoolVerdict::Accepted) => "accepted".to_owned(),
            Some(PoolVerdict::Rejected(error)) => format!("rejected: {error}"),
            None => self.silence.clone(),
        }
    }
}

/// Slices at either end of the nonces that are kept for searches of their own.
const SLICES_KEPT: u32 = 16;

impl Hand {
    /// A job that came, ready to be searched.
    pub fn job(&self, told: &Told) -> Result<Arc<MinerJob>, Stop> {
        let Some(extranonce) = told.extranonce.clone().or_else(|| self.extranonce.clone()) else {
            return Err(self
                .talk
                .undecided("a job came without a subscription", "an answer to mining.subscribe"));
        };
        let (notice, difficulty) = (told.notice.clone(), told.difficulty.unwrap_or(Difficulty::ONE));
        Ok(Arc::new(MinerJob::new(notice, extranonce, difficulty, told.generation, told.at)))
    }

    pub fn newest(&self) -> Result<Arc<MinerJob>, Stop> {
        match self.jobs.last() {
            Some(told) => self.job(told),
            None => Err(self.talk.undecided("there is no job", "a job")),
        }
    }

    /// Whether a newer block or a clean job has ended this one.
    pub fn is_void(&self, job: &MinerJob) -> bool {
        self.jobs.last().is_some_and(|last| last.generation > job.generation)
    }

    /// Where the next search goes: no two of this connection try the same headers.
    pub fn next_start(&mut self) -> Start {
        self.searches += 1;
        let slice = SLICES_KEPT + (self.searches as u32) % (SLICES - 2 * SLICES_KEPT);
        Start { slice, extranonce2: self.extranonce2.wrapping_add(self.searches) }
    }

    /// Searches, unless it would take too long.
    pub async fn seek(&mut self, sought: Sought) -> Result<Share, Stop> {
        let (rate, limit) = {
            let setting = &self.talk.world().setting;
            (setting.hashrate, setting.share_seconds_max)
        };
        let seconds = sought.expected_hashes() / rate.hashes_per_second().max(1.0);
        if seconds > limit.0 {
            let difficulty = self.difficulty.unwrap_or(Difficulty::ONE);
            let finding = format!(
                "at difficulty {difficulty} and {rate} this takes {} on average; {limit} are allowed",
                span(seconds)
            );
            let needs = "a lower difficulty: the pool's minimum, mining.suggest_difficulty or a password such as \
                         d=0.001; or more patience: --share-seconds-max";
            return Err(self.talk.undecided(finding, needs));
        }
        match self.talk.search(sought).await {
            Some(share) => {
                // What came meanwhile counts, and a connection that ended too.
                self.catch_up().await;
                Ok(share)
            }
            None => {
                Err(self.talk.undecided("no share was found in twenty times the expected time", "more luck"))
            }
        }
    }

    /// Finds a good share of the newest job, which may be void by now.
    pub async fn good(&mut self) -> Result<Share, Stop> {
        self.catch_up().await;
        let start = self.next_start();
        let sought = Sought::good(&self.newest()?, start);
        self.seek(sought).await
    }

    /// The parameters of a share's `mining.submit`.
    pub fn params(&self, share: &Share) -> Value {
        let user = self.talk.world().setting.user.clone();
        let word = |value: u32| Value::from(format!("{value:08x}"));
        let mut params = vec![
            Value::from(share.worker_named(&user)),
            Value::from(share.job_named()),
            Value::from(hex::encode(share.extranonce2.as_bytes())),
            word(share.ntime),
            word(share.nonce),
        ];
        params.extend(share.version_bits.map(word));
        Value::from(params)
    }

    /// Submits parameters as they are.
    pub async fn submit_params(&mut self, params: Value) -> Judged {
        let (id, sent) = self.begin("mining.submit", params);
        self.verdict(id, sent).await
    }

    /// Waits for the verdict on a share that was sent.
    pub async fn verdict(&mut self, id: u64, sent: Option<usize>) -> Judged {
        let began = self.talk.now();
        let reply = self.reply(&json!(id)).await;
        let mut evidence: Vec<usize> = sent.into_iter().collect();
        let (verdict, silence) = match reply {
            Reply::Answered(answer) => {
                evidence.extend(answer.evidence);
                let mut world = self.talk.world();
                world.shares.0 += 1;
                world.latencies.push(answer.at.since(began).0);
                (Some(verdict_of(&answer)), String::new())
            }
            Reply::Silent => (None, format!("not answered within {}", self.talk.answer_within())),
            Reply::Ended(why) => (None, format!("the connection ended: {why}")),
        };
        if verdict == Some(PoolVerdict::Accepted) {
            self.talk.world().shares.1 += 1;
        }
        Judged { verdict, silence, evidence }
    }

    /// Submits a share.
    pub async fn submit(&mut self, share: &Share) -> Judged {
        let params = self.params(share);
        self.submit_params(params).await
    }

    /// Searches and submits what `make` makes of the newest job; again while new
    /// blocks void it before its verdict.
    pub async fn attempt(
        &mut self,
        make: impl Fn(&mut Self, &Arc<MinerJob>) -> Result<Sought, Stop>,
    ) -> Result<(Share, Judged), Stop> {
        for _ in 0..RACES_MAX {
            self.catch_up().await;
            let job = self.newest()?;
            let sought = make(self, &job)?;
            let share = self.seek(sought).await?;
            if self.is_void(&job) {
                continue;
            }
            let judged = self.submit(&share).await;
            if judged.error().is_some_and(reason::is_stale) {
                self.listen_until(TIP_GRACE, |hand| hand.is_void(&job)).await;
            }
            if !self.is_void(&job) {
                return Ok((share, judged));
            }
            if judged.is_accepted() {
                // Late, or just before: either way it was judged by its own job.
                return Ok((share, judged));
            }
        }
        let finding = "new blocks come faster than shares can be found";
        Err(self.talk.undecided(finding, "a chain whose blocks are harder than its shares"))
    }

    /// A share that must be accepted.
    pub async fn must_accept(
        &mut self,
        what: &str,
        make: impl Fn(&mut Self, &Arc<MinerJob>) -> Result<Sought, Stop>,
    ) -> Result<Share, Stop> {
        let (share, judged) = self.attempt(make).await?;
        if judged.is_accepted() {
            return Ok(share);
        }
        Err(self.talk.stop(format!("{what} is {}", judged.words()), "it is accepted", judged.evidence))
    }

    /// A share that must be rejected, and answered; what the pool says of it.
    pub async fn must_reject(
        &mut self,
        what: &str,
        make: impl Fn(&mut Self, &Arc<MinerJob>) -> Result<Sought, Stop>,
    ) -> Result<Option<WireError>, Stop> {
        let (_, judged) = self.attempt(make).await?;
        self.expect_reject(what, judged)
    }

    /// The verdict must be a no.
    pub fn expect_reject(&self, what: &str, judged: Judged) -> Result<Option<WireError>, Stop> {
        match judged.verdict {
            Some(PoolVerdict::Rejected(error)) => Ok(Some(error)),
            // It did not count, and the miner learns it.
            None if judged.silence.starts_with("the connection ended") => Ok(None),
            _ => Err(self.talk.stop(
                format!("{what} is {}", judged.words()),
                "it is rejected",
                judged.evidence,
            )),
        }
    }

    /// The verdict must be a yes.
    pub fn expect_accept(&self, what: &str, judged: Judged) -> Result<(), Stop> {
        if judged.is_accepted() {
            return Ok(());
        }
        Err(self.talk.stop(format!("{what} is {}", judged.words()), "it is accepted", judged.evidence))
    }

    /// The recipe of a fault on a job.
    pub fn fault(&mut self, fault: Fault, job: &Arc<MinerJob>) -> Result<Sought, Stop> {
        let extranonce2 = self.next_start().extranonce2;
        let (version_mask, now) = (self.mask, self.talk.now());
        let scene = Scene { job, version_mask, accepted: None, stale_job: None, extranonce2, now };
        match fault.recipe(&scene) {
            // Most hashes are above the target.
            Some(Recipe::Search(search)) if fault == Fault::LowDifficulty => Ok(Sought::any(*search)),
            Some(Recipe::Search(search)) => Ok(Sought::of(*search)),
            _ => Err(self.talk.undecided(format!("{} cannot be made here", fault.name()), "another job")),
        }
    }
}

/// Any good share of a job.
pub(super) fn good(hand: &mut Hand, job: &Arc<MinerJob>) -> Result<Sought, Stop> {
    Ok(Sought::good(job, hand.next_start()))
}
