//! A Stratum V1 client session: a pool's lines in, requests and events out.
//!
//! Call [`Client::connect`] on a new connection, [`Client::on_line`] for each
//! line, [`Client::submit`] for each share and [`Client::disconnected`] when the
//! connection is gone. All append to a [`ClientOutput`].
//!
//! The three handshake requests go out pipelined and are matched by id, so the
//! pool may answer in any order, or never answer `configure`. A job that comes
//! before the handshake is done is held, and taken up when it is.
//!
//! Invariants: a job carries the terms in force when its notify came; every
//! share submitted is answered, or reported as unanswered, exactly once; no
//! line makes it panic.

use std::collections::VecDeque;
use std::sync::Arc;

use super::job::{ExtranonceSplit, MinerJob};
use super::share::Share;
use crate::event::Extranonce2;
use crate::hash::Hash;
use crate::stratum::v1::{
    Answer, Configure, Dialect, JobNotice, PoolMessage, Reply, Request, SessionToken, VERSION_MASK,
    VersionRolling, WireError, hex, parse_message, write_request,
};
use crate::units::{Difficulty, Seconds, Timestamp};

/// Ids of the handshake's requests.
const CONFIGURE: u64 = 1;
const SUBSCRIBE: u64 = 2;
const AUTHORIZE: u64 = 3;
const SUGGEST: u64 = 4;
const EXTRANONCE_SUBSCRIBE: u64 = 5;

/// The id of the first share.
const FIRST_SUBMISSION: u64 = 16;

/// Shares waiting for an answer at most. A pool that answers none must not
/// fill our memory; beyond this the oldest count as unanswered.
const PENDING_MAX: usize = 16_384;

/// What a client is and wants.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The worker to authorize.
    pub user: Arc<str>,
    /// Its password; pools take options from it.
    pub password: Arc<str>,
    /// What the miner calls itself.
    pub user_agent: Arc<str>,
    /// Whether to ask for version rolling (BIP310).
    pub version_rolling: bool,
    /// The difficulty to ask for.
    pub suggest_difficulty: Option<Difficulty>,
    /// Whether to tell the pool that `mining.set_extranonce` is understood.
    pub extranonce_subscribe: bool,
}

/// Names one submitted share; never reused by a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubmissionId(pub u64);

/// What the pool says about a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolVerdict {
    /// It counts.
    Accepted,
    /// It does not, and why.
    Rejected(WireError),
}

/// Why a session cannot go on. The peer is to blame, or the credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The pool refused `mining.subscribe`.
    #[error("the pool refuses the subscription: {0}")]
    Subscribe(WireError),
    /// The pool's answer to `mining.subscribe` cannot be read.
    #[error("the pool's answer to the subscription makes no sense")]
    Subscription,
    /// The pool refused `mining.authorize`.
    #[error("the pool does not authorize `{user}`: {error}; check --user and --password")]
    Authorize {
        /// Who was refused.
        user: Arc<str>,
        /// Why.
        error: WireError,
    },
    /// The pool wants an extranonce2 that nobody can mine.
    #[error("the pool wants an extranonce2 of {0} bytes; at most {max} are possible", max = Extranonce2::BYTES_MAX)]
    Extranonce2Bytes(usize),
}

/// What the driver has to do after a call.
#[derive(Debug, Default)]
pub struct ClientOutput {
    /// To be sent.
    pub bytes: Vec<u8>,
    /// What happened, in order.
    pub events: Vec<ClientEvent>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum ClientEvent {
    /// Subscribed and authorized.
    Ready,
    /// A job to work on instead of the one before.
    NewJob {
        /// The job.
        job: Arc<MinerJob>,
        /// Whether it builds on another block than the one before.
        new_tip: bool,
    },
    /// Other version bits may be rolled, from now on.
    VersionMask(Option<u32>),
    /// The pool's verdict on a share.
    Answered {
        /// Which.
        submission: SubmissionId,
        /// The verdict.
        verdict: PoolVerdict,
        /// From submitting to the answer.
        waited: Seconds,
    },
    /// The pool will not answer this one any more.
    Unanswered(SubmissionId),
    /// The pool asks to connect again, perhaps elsewhere. Whether that is wise is the driver's to decide.
    Reconnect {
        /// Another host.
        host: Option<String>,
        /// Another port.
        port: Option<u16>,
        /// How long to wait first.
        wait_seconds: u32,
    },
    /// A text for the user, without control characters.
    Message(String),
    /// A line that cannot be used, and why; it is skipped.
    BadLine(String),
    /// The session cannot go on: close it.
    Failed(SessionError),
}

/// The state of a connection.
///
/// ```text
///            connect             subscribed and authorized
///  Offline ──────────▶ Greeting ───────────────────────────▶ Mining
///     ▲                   │ refused                             │ set_extranonce that
///     │                   ▼                                     │ cannot be mined
///     └─ disconnected ─ Failed ◀────────────────────────────────┘
/// ```
///
/// `disconnected` and `connect` are possible in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Offline,
    Greeting,
    Mining,
    Failed,
}

/// A miner's side of Stratum V1, over any number of connections in turn.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    state: State,
    /// Extranonce of the next job; `None` until subscribed.
    extranonce: Option<ExtranonceSplit>,
    authorized: bool,
    /// Difficulty of the next job. The wiki's default until a pool says more.
    difficulty: Difficulty,
    version_mask: Option<u32>,
    /// A job that came before the handshake was done, with its difficulty.
    held: Option<(JobNotice, Difficulty, Timestamp)>,
    /// What the newest job builds on.
    tip: Option<Hash>,
    /// The pool's name for the session, to resume it.
    session: Option<SessionToken>,
    /// Shares without an answer, oldest first, ids ascending.
    pending: VecDeque<(SubmissionId, Timestamp)>,
    next_submission: u64,
    generation: u32,
}

impl Client {
    /// A client that has not connected yet.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self {
            config,
            state: State::Offline,
            extranonce: None,
            authorized: false,
            difficulty: Difficulty::ONE,
            version_mask: None,
            held: None,
            tip: None,
            session: None,
            pending: VecDeque::new(),
            next_submission: FIRST_SUBMISSION,
            generation: 0,
        }
    }

    /// What it is and wants.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Whether shares can be submitted.
    #[must_use]
    pub fn is_mining(&self) -> bool {
        self.state == State::Mining
    }

    /// The version bits that may be rolled now; `None` when that was not granted.
    #[must_use]
    pub fn version_mask(&self) -> Option<u32> {
        self.version_mask
    }

    /// Shares without an answer.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Begins a session on a new connection; an earlier session is resumed if the pool can.
    pub fn connect(&mut self, out: &mut ClientOutput) {
        self.disconnected(out);
        self.state = State::Greeting;
        let mut request = |id, request: &Request<'_>| write_request(&mut out.bytes, id, request);
        if self.config.version_rolling {
            let version_rolling = Some(VersionRolling { mask: VERSION_MASK });
            request(CONFIGURE, &Request::Configure(Configure { version_rolling, ..Configure::default() }));
        }
        let user_agent = (&*self.config.user_agent).into();
        request(SUBSCRIBE, &Request::Subscribe { user_agent, session: self.session });
        // Before authorize: the first job then already has this difficulty.
        if let Some(difficulty) = self.config.suggest_difficulty {
            request(SUGGEST, &Request::SuggestDifficulty(difficulty));
        }
        let worker = (&*self.config.user).into();
        let password = (&*self.config.password).into();
        request(AUTHORIZE, &Request::Authorize { worker, password });
        if self.config.extranonce_subscribe {
            request(EXTRANONCE_SUBSCRIBE, &Request::ExtranonceSubscribe);
        }
    }

    /// The connection is gone. Nothing agreed on it holds any more, least of all a version mask.
    pub fn disconnected(&mut self, out: &mut ClientOutput) {
        self.state = State::Offline;
        self.extranonce = None;
        self.authorized = false;
        self.difficulty = Difficulty::ONE;
        self.version_mask = None;
        self.held = None;
        self.tip = None;
        out.events.extend(self.pending.drain(..).map(|(id, _)| ClientEvent::Unanswered(id)));
    }

    /// Submits a share. `None`: there is no session to submit it to.
    pub fn submit(&mut self, share: &Share, now: Timestamp, out: &mut ClientOutput) -> Option<SubmissionId> {
        if self.state != State::Mining {
            return None;
        }
        if self.pending.len() == PENDING_MAX {
            out.events.extend(self.pending.pop_front().map(|(id, _)| ClientEvent::Unanswered(id)));
        }
        let id = SubmissionId(self.next_submission);
        self.next_submission += 1;
        share.write(&mut out.bytes, id.0, &self.config.user);
        self.pending.push_back((id, now));
        Some(id)
    }

    /// Takes a line of the pool, without its line feed.
    pub fn on_line(&mut self, line: &[u8], now: Timestamp, out: &mut ClientOutput) {
        if matches!(self.state, State::Offline | State::Failed) || line.trim_ascii().is_empty() {
            return;
        }
        let message = match parse_message(line) {
            Ok(message) => message,
            Err(error) => return out.events.push(ClientEvent::BadLine(error.to_string())),
        };
        match message {
            PoolMessage::Job(notice) => self.on_notify(notice, now, out),
            PoolMessage::SetDifficulty(difficulty) => self.difficulty = difficulty,
            PoolMessage::SetExtranonce { extranonce1, extranonce2_bytes } => {
                self.set_extranonce(extranonce1, extranonce2_bytes, out);
            }
            PoolMessage::SetVersionMask(mask) => self.set_version_mask(Some(mask), out),
            PoolMessage::Reconnect { host, port, wait_seconds } => {
                out.events.push(ClientEvent::Reconnect { host, port, wait_seconds });
            }
            PoolMessage::ShowMessage(text) => {
                let printable = |character: &char| !character.is_control();
                let text = text.chars().filter(printable).take(1024).collect();
                out.events.push(ClientEvent::Message(text));
            }
            PoolMessage::GetVersion(id) => {
                let version = Reply::Text(&self.config.user_agent);
                version.write(&mut out.bytes, id, Dialect::classic());
            }
            PoolMessage::Ping(id) => Reply::Text("pong").write(&mut out.bytes, id, Dialect::classic()),
            PoolMessage::Unknown(_) => {}
            PoolMessage::Response { id: Some(id), result } => self.on_response(id, result, now, out),
            PoolMessage::Response { id: None, result: Err(error) } => {
                out.events.push(ClientEvent::BadLine(format!("an error for no request of ours: {error}")));
            }
            PoolMessage::Response { id: None, .. } => {}
        }
    }

    fn on_response(
        &mut self,
        id: u64,
        result: Result<Answer<'_>, WireError>,
        now: Timestamp,
        out: &mut ClientOutput,
    ) {
        match (id, result) {
            (CONFIGURE, Ok(answer)) => self.set_version_mask(answer.version_mask(), out),
            (SUBSCRIBE, result) if self.extranonce.is_none() => self.on_subscribed(result, out),
            (AUTHORIZE, result) if !self.authorized => match approval(result) {
                PoolVerdict::Accepted => {
                    self.authorized = true;
                    self.advance(out);
                }
                PoolVerdict::Rejected(error) => {
                    let user = Arc::clone(&self.config.user);
                    self.fail(SessionError::Authorize { user, error }, out);
                }
            },
            (id, result) => self.on_verdict(SubmissionId(id), result, now, out),
        }
    }

    fn on_subscribed(&mut self, result: Result<Answer<'_>, WireError>, out: &mut ClientOutput) {
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => return self.fail(SessionError::Subscribe(error), out),
        };
        let Some(subscription) = answer.subscription() else {
            return self.fail(SessionError::Subscription, out);
        };
        // Other pools name sessions differently; those we cannot resume.
        self.session = subscription.session.and_then(|text| {
            let mut token = [0; 16];
            (hex::decode_into(&text, &mut token)? == token.len()).then_some(SessionToken(token))
        });
        self.set_extranonce(subscription.extranonce1, subscription.extranonce2_bytes, out);
        self.advance(out);
    }

    /// From the next notify on, as every pool that sends it means it.
    fn set_extranonce(&mut self, extranonce1: Vec<u8>, extranonce2_bytes: usize, out: &mut ClientOutput) {
        if extranonce2_bytes > Extranonce2::BYTES_MAX {
            return self.fail(SessionError::Extranonce2Bytes(extranonce2_bytes), out);
        }
        self.extranonce = Some(ExtranonceSplit { extranonce1, extranonce2_bytes });
    }

    /// At once, as BIP310 says; never beyond what was offered.
    fn set_version_mask(&mut self, mask: Option<u32>, out: &mut ClientOutput) {
        let mask = mask.map(|mask| mask & VERSION_MASK).filter(|_| self.config.version_rolling);
        if mask != self.version_mask {
            self.version_mask = mask;
            out.events.push(ClientEvent::VersionMask(mask));
        }
    }

    /// Enters `Mining` once both halves of the handshake are done.
    fn advance(&mut self, out: &mut ClientOutput) {
        if self.state == State::Greeting && self.authorized && self.extranonce.is_some() {
            self.state = State::Mining;
            out.events.push(ClientEvent::Ready);
            if let Some((notice, difficulty, received)) = self.held.take() {
                self.new_job(notice, difficulty, received, out);
            }
        }
    }

    fn on_notify(&mut self, notice: JobNotice, now: Timestamp, out: &mut ClientOutput) {
        if self.state == State::Mining {
            self.new_job(notice, self.difficulty, now, out);
        } else {
            self.held = Some((notice, self.difficulty, now));
        }
    }

    fn new_job(
        &mut self,
        notice: JobNotice,
        difficulty: Difficulty,
        received: Timestamp,
        out: &mut ClientOutput,
    ) {
        let Some(extranonce) = self.extranonce.clone() else { return };
        // A new tip voids older work even if the pool does not say so.
        let new_tip = self.tip.replace(notice.prev_hash) != Some(notice.prev_hash);
        if new_tip || notice.clean {
            self.generation += 1;
        }
        let job = Arc::new(MinerJob::new(notice, extranonce, difficulty, self.generation, received));
        out.events.push(ClientEvent::NewJob { job, new_tip });
    }

    fn on_verdict(
        &mut self,
        submission: SubmissionId,
        result: Result<Answer<'_>, WireError>,
        now: Timestamp,
        out: &mut ClientOutput,
    ) {
        let Ok(at) = self.pending.binary_search_by_key(&submission, |(id, _)| *id) else { return };
        let Some((_, sent)) = self.pending.remove(at) else { return };
        let waited = now.since(sent);
        out.events.push(ClientEvent::Answered { submission, verdict: approval(result), waited });
    }

    fn fail(&mut self, error: SessionError, out: &mut ClientOutput) {
        self.state = State::Failed;
        out.events.push(ClientEvent::Failed(error));
    }
}

/// `true` is a yes; pools also say no without an error.
fn approval(result: Result<Answer<'_>, WireError>) -> PoolVerdict {
    match result {
        Ok(answer) if answer.is_true() => PoolVerdict::Accepted,
        Ok(_) => PoolVerdict::Rejected(WireError { code: 0, message: "no reason given".into() }),
        Err(error) => PoolVerdict::Rejected(error),
    }
}

#[cfg(test)]
mod tests;
