//! How a session comes to work: subscribe, authorize, configure, suggestions.

use std::sync::Arc;

use super::{EXTRANONCES_MAX, Resumable, Session};
use crate::event::{DifficultyCause, Event, JobId};
use crate::pool::Output;
use crate::pool::duplicate::Seen;
use crate::pool::extranonce::Extranonce1;
use crate::pool::job::{Jobs, Terms};
use crate::stratum::v1::{Configure, Id, Reply, SessionToken};
use crate::units::{Difficulty, Timestamp};

/// Worker names one connection may authorize: proxies use a few.
const WORKERS_MAX: usize = 64;

/// Bytes of a user agent that are kept.
const USER_AGENT_BYTES_MAX: usize = 128;

impl Session {
    pub(super) fn on_subscribe(
        &mut self,
        id: Id<'_>,
        user_agent: &str,
        session: Option<SessionToken>,
        now: Timestamp,
        out: &mut Output,
    ) {
        let first_time = self.subscribed.is_none();
        let resumed = first_time && session.is_some_and(|token| self.resume(token, now));
        if self.subscribed.is_none() && !self.subscribe_anew() {
            self.reply(id, &Reply::Malformed("the pool has no extranonce left"), out);
            return;
        }
        let state = self.subscribed.as_ref().expect("subscribed above");
        let extranonce1 = *state.extranonces.last().expect("a subscribed session has one");
        let (bytes, length) = extranonce1.to_bytes();
        let reply = Reply::Subscribed {
            session: state.token,
            extranonce1: &bytes[..length],
            extranonce2_bytes: self.pool.settings.extranonce2_bytes,
        };
        self.reply(id, &reply, out);
        if first_time {
            let end = user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX);
            out.events.push(Event::Subscribed {
                time: now,
                connection: self.connection,
                user_agent: user_agent[..end].into(),
                extranonce1: extranonce1.to_string(),
                resumed,
            });
            self.send_job(now, out);
        }
    }

    /// Takes up an earlier session: its extranonce, jobs and credited shares.
    fn resume(&mut self, token: SessionToken, now: Timestamp) -> bool {
        let Some(state) = self.pool.extranonces().resume(token, now) else { return false };
        // What the miner asked for on this connection goes first.
        if self.suggested.is_none() && state.terms.difficulty > self.difficulty_floor {
            self.difficulty = state.terms.difficulty;
        }
        self.subscribed = Some(Box::new(state));
        true
    }

    fn subscribe_anew(&mut self) -> bool {
        let mut extranonces = self.pool.extranonces();
        let Some(extranonce1) = extranonces.take() else { return false };
        let token = extranonces.token();
        drop(extranonces);
        self.subscribed = Some(Box::new(Resumable {
            token,
            extranonces: vec![extranonce1],
            terms: Arc::new(Terms::new(extranonce1, self.difficulty)),
            jobs: Jobs::default(),
            seen: Seen::default(),
        }));
        true
    }

    pub(super) fn on_authorize(
        &mut self,
        id: Id<'_>,
        worker: &str,
        password: &str,
        now: Timestamp,
        out: &mut Output,
    ) {
        let known = self.workers.iter().any(|name| **name == *worker);
        if !known && self.workers.len() == WORKERS_MAX {
            self.reply(id, &Reply::False, out);
            return;
        }
        self.reply(id, &Reply::True, out);
        if known {
            return;
        }
        let worker: Arc<str> = worker.into();
        let options = PasswordOptions::parse(password);
        out.events.push(Event::Authorized {
            time: now,
            connection: self.connection,
            worker: worker.clone(),
            region: options.region.map(Arc::from),
        });
        self.workers.push(worker);
        if let Some(floor) = options.difficulty_floor {
            self.raise_floor(floor, now, out);
        }
        if let Some(difficulty) = options.difficulty {
            self.on_suggestion(difficulty, now, out);
        }
        if self.workers.len() == 1 {
            self.send_job(now, out);
        }
    }

    pub(super) fn on_configure(
        &mut self,
        id: Id<'_>,
        configure: &Configure<'_>,
        now: Timestamp,
        out: &mut Output,
    ) {
        let version_mask = configure.version_rolling.map(|rolling| {
            let mask = rolling.mask & self.pool.settings.version_mask;
            if self.version.offered.replace(rolling.mask).is_some() {
                self.version.previous = Some((self.version.mask, now));
            }
            self.version.mask = mask;
            (mask != 0).then_some(mask)
        });
        let minimum = configure.minimum_difficulty.flatten();
        self.wants_set_extranonce |= configure.subscribe_extranonce;
        let reply = Reply::Configured {
            version_mask,
            minimum_difficulty: configure.minimum_difficulty.map(|value| value.is_some()),
            subscribe_extranonce: configure.subscribe_extranonce.then_some(true),
            info: configure.info.then_some(true),
            unknown: &configure.unknown,
        };
        self.reply(id, &reply, out);
        if let Some(minimum) = minimum {
            self.raise_floor(minimum, now, out);
        }
    }

    /// Keeps the difficulty from now on at or above what the miner asked for.
    fn raise_floor(&mut self, floor: Difficulty, now: Timestamp, out: &mut Output) {
        self.difficulty_floor = floor;
        if self.difficulty < floor {
            self.change_difficulty(floor, DifficultyCause::Miner, now, out);
        }
    }

    /// A repeated suggestion is a sign of life, not a wish: vardiff may have moved on.
    pub(super) fn on_suggestion(&mut self, difficulty: Difficulty, now: Timestamp, out: &mut Output) {
        if self.suggested != Some(difficulty) {
            self.suggested = Some(difficulty);
            self.change_difficulty(difficulty, DifficultyCause::Miner, now, out);
        }
    }

    pub(super) fn on_get_transactions(&mut self, id: Id<'_>, job: Option<JobId>, out: &mut Output) {
        let job = job.and_then(|job| self.subscribed.as_ref()?.jobs.get(job));
        let Some(job) = job else {
            self.reply(id, &Reply::Reject(crate::event::Reject::UnknownJob), out);
            return;
        };
        // Megabytes for one short line: once per job, and no way back to older ones.
        if self.transactions_of.is_some_and(|last| job.id <= last) {
            self.reply(
                id,
                &Reply::Malformed("the transactions of this job or a later one were already sent"),
                out,
            );
            return;
        }
        let job_id = job.id;
        let transactions: Vec<String> = (job.work.template.transactions.iter())
            .map(|entry| bitcoin::consensus::encode::serialize_hex(&entry.transaction))
            .collect();
        self.transactions_of = Some(job_id);
        self.reply(id, &Reply::Transactions(&transactions), out);
    }

    /// Gives the session another extranonce1 for its next jobs.
    ///
    /// `None`: the miner did not subscribe to changes, or there is none left.
    pub(super) fn rotate_extranonce(&mut self) -> Option<Extranonce1> {
        if !self.wants_set_extranonce {
            return None;
        }
        let state = self.subscribed.as_mut()?;
        let mut extranonces = self.pool.extranonces();
        let extranonce1 = extranonces.take()?;
        state.extranonces.push(extranonce1);
        if state.extranonces.len() > EXTRANONCES_MAX {
            let oldest = state.extranonces.remove(0);
            state.jobs.forget(oldest);
            extranonces.release(oldest);
        }
        state.terms = Arc::new(Terms::new(extranonce1, state.terms.difficulty));
        Some(extranonce1)
    }
}

/// What pools take from the password field: `d=1024,md=16,region=ET`, in any order.
#[derive(Debug, Default, PartialEq)]
struct PasswordOptions<'a> {
    difficulty: Option<Difficulty>,
    difficulty_floor: Option<Difficulty>,
    region: Option<&'a str>,
}

impl<'a> PasswordOptions<'a> {
    fn parse(password: &'a str) -> Self {
        let mut options = Self::default();
        for (key, value) in password.split([',', ';', ' ']).filter_map(|option| option.split_once('=')) {
            match key.trim() {
                "d" | "diff" => options.difficulty = value.trim().parse().ok(),
                "md" | "mindiff" => options.difficulty_floor = value.trim().parse().ok(),
                "region" => options.region = Some(value.trim()).filter(|region| region.len() <= 32),
                _ => {}
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_carry_options() {
        fn check(password: &str, difficulty: Option<f64>, region: Option<&str>) {
            let options = PasswordOptions::parse(password);
            assert_eq!((options.difficulty.map(Difficulty::get), options.region), (difficulty, region));
        }
        check("x", None, None);
        check("d=1024", Some(1024.0), None);
        check("region=ET,d=0.5", Some(0.5), Some("ET"));
        check("d=-1", None, None);
        check("d=", None, None);
    }
}
