//! The handshake of one connection, and what the pool's answers mean.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Quirk;
use super::commands::{Raw, quoted};
use super::device::{Device, Ending};
use super::jobs::Waiting;
use super::submit::Shares;
use crate::hash::Hash;
use crate::miner::MinerJob;
use crate::miner::job::ExtranonceSplit;
use crate::stratum::v1::{Answer, JobNotice, VERSION_MASK, WireError};
use crate::units::{Difficulty, Seconds, Timestamp};

/// What it calls itself.
pub(super) const AGENT: &str = concat!("adit-replica/", env!("CARGO_PKG_VERSION"));

/// Requests remembered at most: a pool that answers none must not fill the memory.
const ASKED_MAX: usize = 4_096;

/// The mean time between shares that it suggests to the pool.
const SHARE_SECONDS: f64 = 5.0;

/// How long [`Quirk::OneByOne`] waits for an answer that it can do without.
const STEP_LIMIT: Seconds = Seconds(5.0);

/// How long [`Quirk::SuggestionRequired`] waits for its answer.
const SUGGESTION_LIMIT: Seconds = Seconds(10.0);

/// How often [`Quirk::SuggestsOften`] does.
const SUGGESTS_EVERY: Seconds = Seconds(30.0);

/// What was asked of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Configure,
    Subscribe,
    Authorize,
    Suggest,
    ExtranonceSubscribe,
    Ping,
    Submit,
}

/// A job that came before the handshake was done, with the terms it came under.
#[derive(Debug)]
pub(super) struct Early {
    pub notice: JobNotice,
    pub difficulty: Difficulty,
    pub received: Timestamp,
}

/// What outlives a connection: the name of the session in every device, the rest in those with a quirk.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The pool's name for the last session, to resume it.
    pub session: Option<String>,
    pub mask: Option<u32>,
    pub extranonce: Option<ExtranonceSplit>,
    pub job: Option<Arc<MinerJob>>,
    /// Names of the newest jobs.
    pub seen: VecDeque<String>,
    /// Parameters of the last shares.
    pub submits: VecDeque<String>,
    /// Rejects in a row.
    pub rejects: u32,
}

/// What is agreed on one connection.
#[derive(Debug)]
pub(super) struct Session {
    pub began: Timestamp,
    /// When the last bytes came.
    pub heard: Timestamp,
    /// Whether a sign of life was asked for since.
    pub pinged: bool,
    /// When it was subscribed and authorized.
    pub ready: Option<Timestamp>,
    /// Whether a share was accepted.
    pub works: bool,
    /// Extranonce of the next job; `None` until subscribed.
    pub extranonce: Option<ExtranonceSplit>,
    /// Whether the pool agreed to send set_extranonce.
    pub extranonce_subscribed: bool,
    pub authorized: bool,
    /// Difficulty of the next job. The wiki's default until a pool says more.
    pub difficulty: Difficulty,
    /// Difficulties announced since the last job; only [`Quirk::DifficultyQueued`] looks at more than the last.
    pub difficulties: VecDeque<Difficulty>,
    /// Version bits that may be rolled; `None` when that was not granted.
    pub mask: Option<u32>,
    pub early: Option<Early>,
    /// What the newest job builds on.
    pub tip: Option<Hash>,
    /// Counts the times that older jobs became void.
    pub generation: u32,
    /// Jobs that are not yet taken up.
    pub waiting: Waiting,
    pub shares: Shares,
    /// When the last job came.
    pub job_at: Option<Timestamp>,
    /// Requests of the handshake that are still to be made.
    plan: VecDeque<Purpose>,
    /// Since when the plan waits for an answer.
    step: Timestamp,
    suggested: Option<Timestamp>,
    /// Requests without a reply, oldest first, with their ids as they are written.
    asked: VecDeque<(String, Purpose)>,
    /// Ids of the handshake that were answered.
    answered: Vec<String>,
    next_id: u64,
}

impl Session {
    pub fn new(now: Timestamp) -> Self {
        Self {
            began: now,
            heard: now,
            pinged: false,
            ready: None,
            works: false,
            extranonce: None,
            extranonce_subscribed: false,
            authorized: false,
            difficulty: Difficulty::ONE,
            difficulties: VecDeque::new(),
            mask: None,
            early: None,
            tip: None,
            generation: 0,
            waiting: Waiting::default(),
            shares: Shares::default(),
            job_at: None,
            plan: VecDeque::new(),
            step: now,
            suggested: None,
            asked: VecDeque::new(),
            answered: Vec::new(),
            next_id: 1,
        }
    }

    fn waits_for(&self, purpose: Purpose) -> bool {
        self.asked.iter().any(|(_, asked)| *asked == purpose)
    }
}

impl Device {
    /// Says hello on a new connection: all at once, as replies are matched by id.
    pub(super) fn greet(&mut self, now: Timestamp) {
        use Purpose::{Authorize, Configure, ExtranonceSubscribe, Subscribe, Suggest};
        self.adopt_mask(now);
        let without = |purpose: Purpose| match purpose {
            Configure => self.has(Quirk::NoVersionRolling),
            ExtranonceSubscribe => self.has(Quirk::NoExtranonceSubscribe),
            Suggest => self.has(Quirk::NoSuggestion),
            _ => false,
        };
        let mut plan = [Configure, Subscribe, Authorize, Suggest, ExtranonceSubscribe];
        if self.has(Quirk::SubscribeFirst) {
            plan.swap(0, 1);
        }
        self.session.plan = plan.into_iter().filter(|purpose| !without(*purpose)).collect();
        self.proceed(now);
    }

    /// Makes the requests of the handshake that can be made now.
    fn proceed(&mut self, now: Timestamp) {
        let one_by_one = self.has(Quirk::OneByOne);
        while let Some(purpose) = self.session.plan.pop_front() {
            self.session.step = now;
            self.ask_for(purpose, now);
            let required = purpose == Purpose::Configure && self.has(Quirk::ConfigureRequired);
            if required || one_by_one {
                return;
            }
        }
    }

    fn ask_for(&mut self, purpose: Purpose, now: Timestamp) {
        match purpose {
            Purpose::Configure => {
                let mask = if self.has(Quirk::AsksAllBits) { u32::MAX } else { VERSION_MASK };
                let options = json!({
                    "version-rolling.mask": format!("{mask:08x}"),
                    "version-rolling.min-bit-count": 2,
                });
                self.ask(purpose, "mining.configure", &json!([["version-rolling"], options]).to_string());
            }
            Purpose::Subscribe => {
                let params = match &self.memory.session {
                    Some(name) => json!([AGENT, name]),
                    None => json!([AGENT]),
                };
                self.ask(purpose, "mining.subscribe", &params.to_string());
            }
            Purpose::Authorize => {
                let params = format!("[{},\"x\"]", self.user());
                self.ask(purpose, "mining.authorize", &params);
            }
            Purpose::Suggest => {
                self.session.suggested = Some(now);
                let hashes = self.config.hashrate.hashes_per_second() * SHARE_SECONDS;
                let wanted = Difficulty::ONE.scaled(hashes / Difficulty::ONE.expected_hashes()).rounded();
                self.ask(purpose, "mining.suggest_difficulty", &json!([wanted.get()]).to_string());
            }
            Purpose::ExtranonceSubscribe => self.ask(purpose, "mining.extranonce.subscribe", "[]"),
            Purpose::Ping => self.ask(purpose, "mining.ping", "[]"),
            Purpose::Submit => {}
        }
    }

    /// The user's name as JSON.
    pub(super) fn user(&self) -> String {
        if self.has(Quirk::UserUnescaped) {
            format!("\"{}\"", self.config.user)
        } else {
            quoted(&self.config.user)
        }
    }

    /// Asks for a sign of life.
    pub(super) fn keep_alive(&mut self) {
        self.session.pinged = true;
        self.ask(Purpose::Ping, "mining.ping", "[]");
    }

    pub(super) fn ask(&mut self, purpose: Purpose, method: &str, params: &str) {
        let id = self.new_id(purpose);
        let mut line = format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n");
        if let Some(max) = self.size(Quirk::SubmitCut).filter(|_| purpose == Purpose::Submit) {
            line.truncate(line.floor_char_boundary(max as usize));
        }
        self.outbox.push(line.as_bytes());
    }

    /// An id for a request, whose reply is expected from here on.
    fn new_id(&mut self, purpose: Purpose) -> String {
        let number = self.session.next_id;
        self.session.next_id += 1;
        let id = match purpose {
            Purpose::Submit if self.has(Quirk::SubmitIdFour) => "4".to_owned(),
            Purpose::Authorize if self.has(Quirk::TextIds) => "\"auth\"".to_owned(),
            Purpose::ExtranonceSubscribe if self.has(Quirk::TextIds) => "\"xnsub\"".to_owned(),
            _ => number.to_string(),
        };
        let asked = &mut self.session.asked;
        if asked.len() == ASKED_MAX {
            asked.pop_front();
        }
        asked.push_back((id.clone(), purpose));
        id
    }

    /// Takes the reply to a request; one that nobody waits for is ignored.
    pub(super) fn on_response(
        &mut self,
        raw: &Raw<'_>,
        result: Result<Answer<'_>, WireError>,
        now: Timestamp,
    ) {
        let Some(id) = raw.id else { return };
        let result = match result {
            Ok(_) if self.has(Quirk::ErrorFieldRequired) && raw.all.get("error").is_none() => {
                Err(WireError { code: 0, message: String::new() })
            }
            result => result,
        };
        if self.has(Quirk::ErrorObjectCrash) && raw.all["error"].is_object() {
            return self.crash(now);
        }
        if self.has(Quirk::OddIdIsSetupReply) && id.parse::<f64>().is_err() {
            if let Ok(answer) = &result
                && let Some(subscription) = answer.subscription()
            {
                self.set_extranonce(subscription.extranonce1, subscription.extranonce2_bytes, now);
            }
            return;
        }
        let by_id = self.session.asked.iter().position(|(asked, _)| asked == id);
        let at = if self.has(Quirk::RepliesByOrder) { Some(0) } else { by_id };
        let Some((id, purpose)) = at.and_then(|at| self.session.asked.remove(at)) else {
            let again = self.session.answered.iter().any(|answered| answered == id);
            if self.has(Quirk::UnknownReplyFatal) || again && self.has(Quirk::DuplicateReplyFatal) {
                self.leave(Ending::Fin, now);
            }
            return;
        };
        if purpose == Purpose::Submit {
            return self.on_verdict(result.is_ok_and(|answer| answer.is_true()), now);
        }
        self.session.answered.push(id);
        self.on_answer(purpose, raw, result, now);
        if self.is_up() {
            self.proceed(now);
        }
    }

    fn on_answer(
        &mut self,
        purpose: Purpose,
        raw: &Raw<'_>,
        result: Result<Answer<'_>, WireError>,
        now: Timestamp,
    ) {
        let yes = result.as_ref().is_ok_and(Answer::is_true);
        match purpose {
            Purpose::Configure => {
                if let Ok(answer) = result {
                    self.set_mask(answer.version_mask(), now);
                }
            }
            Purpose::Subscribe => self.on_subscribed(raw, result.ok(), now),
            Purpose::Authorize => {
                if yes || self.has(Quirk::MinesUnauthorized) {
                    self.session.authorized = true;
                    self.advance(now);
                } else {
                    self.leave(Ending::Fin, now);
                }
            }
            Purpose::ExtranonceSubscribe => {
                self.session.extranonce_subscribed = yes;
                if !yes && self.has(Quirk::ExtranonceSubscribeRequired) {
                    self.leave(Ending::Fin, now);
                }
            }
            Purpose::Suggest => {
                if result.is_err() && self.has(Quirk::SuggestionRequired) {
                    self.leave(Ending::Fin, now);
                }
            }
            Purpose::Ping | Purpose::Submit => {}
        }
    }

    fn on_subscribed(&mut self, raw: &Raw<'_>, answer: Option<Answer<'_>>, now: Timestamp) {
        let size = raw.all["result"].get(2).and_then(Value::as_f64);
        if self.has(Quirk::Extranonce2SizeCrash) && size.is_some_and(|size| !(0.0..=32.0).contains(&size)) {
            return self.crash(now);
        }
        if self.has(Quirk::SubscriptionsRequired) {
            let list = raw.all["result"].get(0).map(Value::to_string).unwrap_or_default();
            if !list.contains("mining.notify") {
                return self.leave(Ending::Fin, now);
            }
        }
        let Some(subscription) = answer.and_then(|answer| answer.subscription()) else {
            if self.has(Quirk::SubscribeRefusalIgnored) {
                self.set_extranonce(Vec::new(), 4, now);
                return self.advance(now);
            }
            return self.leave(Ending::Fin, now);
        };
        let resumed = self.memory.session.is_some();
        self.memory.session = subscription.session;
        let (extranonce1, bytes) =
            self.remembered(subscription.extranonce1, subscription.extranonce2_bytes, resumed);
        self.set_extranonce(extranonce1, bytes, now);
        self.advance(now);
    }

    /// Begins to mine once both halves of the handshake are done.
    fn advance(&mut self, now: Timestamp) {
        let session = &mut self.session;
        if session.ready.is_none() && session.authorized && session.extranonce.is_some() {
            session.ready = Some(now);
            let early = session.early.take();
            self.submit_again();
            if let Some(Early { notice, difficulty, received }) = early {
                self.new_job(notice, difficulty, received, now);
            }
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.session.ready.is_some()
    }

    /// When the handshake, or a suggestion, goes on without an answer.
    pub(super) fn handshake_due(&self) -> Option<Timestamp> {
        let session = &self.session;
        let stuck = !session.plan.is_empty() && !self.has(Quirk::ConfigureRequired);
        let step = stuck.then(|| session.step + STEP_LIMIT);
        let unanswered = self.has(Quirk::SuggestionRequired) && session.waits_for(Purpose::Suggest);
        let limit = if unanswered { Some(SUGGESTION_LIMIT) } else { None };
        let often = self.has(Quirk::SuggestsOften).then_some(SUGGESTS_EVERY);
        let suggestion = session.suggested.and_then(|at| Some(at + limit.or(often)?));
        [step, suggestion].into_iter().flatten().min()
    }

    pub(super) fn on_handshake_due(&mut self, now: Timestamp) {
        let session = &self.session;
        let unanswered = session.waits_for(Purpose::Suggest);
        if self.has(Quirk::SuggestionRequired) && unanswered {
            self.leave(Ending::Fin, now);
        } else if !session.plan.is_empty() {
            // Without an answer to subscribe or authorize there is no way on but the time limit.
            let next = session.plan.front().copied();
            let needed = [Purpose::Subscribe, Purpose::Authorize].map(|purpose| session.waits_for(purpose));
            if needed.contains(&true) && next.is_some() {
                self.session.step = now;
            } else {
                self.proceed(now);
            }
        } else {
            self.ask_for(Purpose::Suggest, now);
        }
    }
}
