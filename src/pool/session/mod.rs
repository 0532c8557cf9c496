//! One Stratum V1 connection, as a state machine without I/O.
//!
//! ```text
//!              subscribe                authorize
//!   Fresh ───────────────▶ Subscribed ─────────────▶ Working ◀─ on_work, on_tick
//!     │                                                 ▲
//!     └────────────────▶ Authorized ────────────────────┘
//!          authorize                    subscribe
//! ```
//!
//! `configure`, suggestions and the rest are taken in any state: miners send the
//! three handshake requests pipelined and in any order. The first job goes out
//! on entering `Working`, and shares are judged only there.
//!
//! Call [`Session::on_line`] for each line or [`Session::on_lines`] for those
//! that came together, [`Session::on_work`] for each published work,
//! [`Session::on_tick`] every few seconds, [`Session::on_command`] for an
//! operator's command, and [`Session::close`] at the end. Each appends to an [`Output`]; the driver sends its bytes, after its
//! events are stored.
//!
//! Invariants: one reply per request that has an id, with that id; no share is
//! credited twice, nor above the target of the terms its job was sent with; a new
//! difficulty is announced together with the first job it applies to.

mod handshake;
mod submit;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::duplicate::Seen;
use super::extranonce::{Extranonce1, Extranonces};
use super::job::{Jobs, Terms, Work};
use super::{PoolSettings, Vardiff};
use crate::event::{CloseReason, ConnectionId, DifficultyCause, Event};
use crate::hash::Hash;
use crate::stratum::v1::{
    Command, Id, Line, Reply, Request, SessionToken, parse_line, write_command, write_set_difficulty,
};
use crate::units::{Difficulty, Timestamp};

/// Earlier extranonces a session keeps, so that work on them is still judged.
const EXTRANONCES_MAX: usize = 4;

/// Near-miss diagnoses a session may cost in a second: a flood of bad shares
/// must not buy forty hashes each.
const DIAGNOSES_PER_SECOND: u32 = 8;

/// What all sessions of a listener share: its rules, and who has which extranonce.
#[derive(Debug)]
pub struct Pool {
    /// The rules.
    pub settings: PoolSettings,
    extranonces: Mutex<Extranonces<Resumable>>,
}

impl Pool {
    /// A pool without sessions. `seed` decides extranonces and session tokens.
    #[must_use]
    pub fn new(settings: PoolSettings, seed: [u8; 32]) -> Self {
        let extranonces = Mutex::new(Extranonces::new(settings.extranonce1_bytes, seed));
        Self { settings, extranonces }
    }

    fn extranonces(&self) -> MutexGuard<'_, Extranonces<Resumable>> {
        self.extranonces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a session has from subscribing on, and gets back when it resumes.
#[derive(Debug)]
struct Resumable {
    token: SessionToken,
    /// Newest last; the terms of jobs refer to them.
    extranonces: Vec<Extranonce1>,
    terms: Arc<Terms>,
    jobs: Jobs,
    seen: Seen,
}

/// What the driver has to do after a call.
#[derive(Debug, Default)]
pub struct Output {
    /// To be sent, once `events` are stored.
    pub bytes: Vec<u8>,
    /// To be stored and counted, in order.
    pub events: Vec<Event>,
    /// Whether `bytes` carry a job. Jobs must reach the miner in their order.
    pub carries_job: bool,
    /// Close after sending.
    pub close: Option<CloseReason>,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    pool: Arc<Pool>,
    connection: ConnectionId,
    opened: Timestamp,
    /// `Some` once subscribed.
    subscribed: Option<Box<Resumable>>,
    /// Names authorized, first one first; empty until then.
    workers: Vec<Arc<str>>,
    /// The newest work, for jobs sent between publications.
    work: Option<Arc<Work>>,
    /// Difficulty of the next job, within the pool's and the miner's limits.
    difficulty: Difficulty,
    /// Last difficulty announced with `set_difficulty`.
    announced: Option<Difficulty>,
    /// The miner's own floor.
    difficulty_floor: Difficulty,
    /// The last suggestion: some firmware repeats it as a sign of life.
    suggested: Option<Difficulty>,
    vardiff: Option<Vardiff>,
    version: VersionRolling,
    wants_set_extranonce: bool,
    /// In a row.
    malformed_lines: u32,
    diagnosed: (u64, u32),
    /// Headers that solved a block, newest last.
    solved: VecDeque<Hash>,
    transactions_of: Option<crate::event::JobId>,
    next_command_id: u32,
}

/// What was agreed about version bits.
#[derive(Debug, Default)]
struct VersionRolling {
    /// Bits the miner can roll; `None` until it negotiates.
    offered: Option<u32>,
    /// Bits it may roll now.
    mask: u32,
    /// The mask before the last change, and when that was: shares of its time
    /// are still on the way.
    previous: Option<(u32, Timestamp)>,
}

impl Session {
    /// A fresh connection.
    #[must_use]
    pub fn new(pool: Arc<Pool>, connection: ConnectionId, now: Timestamp) -> Self {
        let difficulty = pool.settings.difficulty_initial;
        let difficulty_floor = pool.settings.difficulty_min;
        Self {
            pool,
            connection,
            opened: now,
            subscribed: None,
            workers: Vec::new(),
            work: None,
            difficulty,
            announced: None,
            difficulty_floor,
            suggested: None,
            vardiff: None,
            version: VersionRolling::default(),
            wants_set_extranonce: false,
            malformed_lines: 0,
            diagnosed: (0, 0),
            solved: VecDeque::new(),
            transactions_of: None,
            next_command_id: 1,
        }
    }

    /// Which connection this is.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Takes a line without its line feed.
    pub fn on_line(&mut self, line: &[u8], now: Timestamp, out: &mut Output) {
        if !line.trim_ascii().is_empty() {
            self.on_request(parse_line(line), None, now, out);
        }
    }

    /// Takes lines that came together, until one closes the session.
    ///
    /// The same as [`Self::on_line`] for each, in less time when there are shares.
    pub fn on_lines(&mut self, lines: &[&[u8]], now: Timestamp, out: &mut Output) {
        let lines = lines.iter().filter(|line| !line.trim_ascii().is_empty());
        let mut lines = lines.map(|line| parse_line(line)).peekable();
        let mut run = Vec::new();
        while let Some(line) = lines.next() {
            let more = line.submit().is_some();
            run.push(line);
            while let Some(share) = lines.next_if(|next| more && next.submit().is_some()) {
                run.push(share);
            }
            let roots = self.merkle_roots(&run);
            for (line, root) in run.drain(..).zip(roots) {
                if out.close.is_none() {
                    self.on_request(line, root, now, out);
                }
            }
        }
    }

    /// Takes a request. `merkle_root`: that of a share, when it is known already.
    fn on_request(&mut self, line: Line<'_>, merkle_root: Option<Hash>, now: Timestamp, out: &mut Output) {
        let request = match line.request {
            Err(malformed) => return self.on_malformed(line.id, &malformed.to_string(), now, out),
            Ok(request) => {
                self.malformed_lines = 0;
                request
            }
        };
        let reply = match request {
            Request::Submit(submit) => self.on_submit(&submit, merkle_root, now, out),
            Request::Subscribe { user_agent, session } => {
                return self.on_subscribe(line.id, &user_agent, session, now, out);
            }
            Request::Authorize { worker, password } => {
                return self.on_authorize(line.id, &worker, &password, now, out);
            }
            Request::Configure(configure) => {
                return self.on_configure(line.id, &configure, now, out);
            }
            Request::SuggestDifficulty(difficulty) => {
                self.reply(line.id, &Reply::True, out);
                return self.on_suggestion(difficulty, now, out);
            }
            Request::SuggestTarget(target) => {
                self.reply(line.id, &Reply::True, out);
                return self.on_suggestion(target.difficulty(), now, out);
            }
            Request::ExtranonceSubscribe => {
                self.wants_set_extranonce = true;
                Reply::True
            }
            Request::GetTransactions(job) => {
                return self.on_get_transactions(line.id, job, out);
            }
            Request::Ping => Reply::Text("pong"),
            Request::GetVersion => Reply::Text(concat!("adit/", env!("CARGO_PKG_VERSION"))),
            Request::Reply => return,
            Request::Unknown(_) => Reply::UnknownMethod,
        };
        self.reply(line.id, &reply, out);
    }

    /// Takes newly published work.
    pub fn on_work(&mut self, work: &Arc<Work>, now: Timestamp, out: &mut Output) {
        self.work = Some(work.clone());
        self.send_job(now, out);
    }

    /// Lets time pass.
    pub fn on_tick(&mut self, now: Timestamp, out: &mut Output) {
        if !self.is_working() {
            if now.since(self.opened) > self.pool.settings.handshake_timeout {
                out.close = Some(CloseReason::HandshakeTimeout);
            }
            return;
        }
        if let Some(difficulty) = self.vardiff.as_mut().and_then(|vardiff| vardiff.on_tick(now)) {
            self.change_difficulty(difficulty.rounded(), DifficultyCause::Vardiff, now, out);
        }
    }

    /// Carries out an operator's command. `false`: it does not apply to this session.
    pub fn on_command(&mut self, command: &Command, now: Timestamp, out: &mut Output) -> bool {
        let mut extranonce = ([0; 8], 0);
        match command {
            Command::SetExtranonce => match self.rotate_extranonce() {
                Some(extranonce1) => extranonce = extranonce1.to_bytes(),
                None => return false,
            },
            Command::SetVersionMask { mask } => {
                let Some(offered) = self.version.offered else { return false };
                let mask = mask & offered;
                self.version.previous = Some((self.version.mask, now));
                self.version.mask = mask;
                self.write_command(&Command::SetVersionMask { mask }, (&[], 0), out);
                return true;
            }
            _ => {}
        }
        let (bytes, length) = extranonce;
        self.write_command(command, (&bytes[..length], self.pool.settings.extranonce2_bytes), out);
        if *command == Command::SetExtranonce {
            // It applies from the next job on, so that job follows at once.
            self.send_job(now, out);
        }
        true
    }

    /// Ends the session. A subscribed one can be resumed for a while.
    pub fn close(mut self, reason: CloseReason, now: Timestamp, out: &mut Output) {
        out.events.push(Event::Disconnected { time: now, connection: self.connection, reason });
        let Some(state) = self.subscribed.take() else { return };
        let ttl = self.pool.settings.session_ttl;
        let mut extranonces = self.pool.extranonces();
        for gone in extranonces.park(state.token, *state, now, ttl) {
            gone.extranonces.iter().for_each(|extranonce1| extranonces.release(*extranonce1));
        }
    }

    fn is_working(&self) -> bool {
        self.subscribed.is_some() && !self.workers.is_empty()
    }

    fn reply(&self, id: Id<'_>, reply: &Reply<'_>, out: &mut Output) {
        reply.write(&mut out.bytes, id, self.pool.settings.dialect);
    }

    fn write_command(&mut self, command: &Command, extranonce: (&[u8], usize), out: &mut Output) {
        write_command(&mut out.bytes, command, self.next_command_id, extranonce);
        self.next_command_id = self.next_command_id.wrapping_add(1);
    }

    fn on_malformed(&mut self, id: Id<'_>, what: &str, now: Timestamp, out: &mut Output) {
        // A line without an id gets the reply of JSON-RPC to what cannot be read.
        self.reply(id.or(Some("null")), &Reply::Malformed(what), out);
        out.events.push(Event::BadLine { time: now, connection: self.connection, reason: what.to_owned() });
        self.malformed_lines += 1;
        if self.malformed_lines >= self.pool.settings.malformed_lines_max {
            out.close = Some(CloseReason::Malformed);
        }
    }

    /// Sends a job on the newest work under the newest terms.
    fn send_job(&mut self, now: Timestamp, out: &mut Output) {
        if self.workers.is_empty() {
            return;
        }
        let (Some(state), Some(work)) = (&mut self.subscribed, &self.work) else { return };
        let is_first = self.announced.is_none();
        if is_first {
            out.events.push(Event::DifficultyChanged {
                time: now,
                connection: self.connection,
                difficulty: self.difficulty,
                cause: DifficultyCause::Initial,
            });
        }
        if self.announced != Some(self.difficulty) {
            write_set_difficulty(&mut out.bytes, self.difficulty);
            self.announced = Some(self.difficulty);
            let extranonce1 = *state.extranonces.last().expect("a subscribed session has one");
            state.terms = Arc::new(Terms::new(extranonce1, self.difficulty));
            match &mut self.vardiff {
                Some(vardiff) => vardiff.restart(self.difficulty, now),
                none => {
                    *none = self
                        .pool
                        .settings
                        .vardiff
                        .map(|settings| Vardiff::new(settings, self.difficulty, now));
                }
            }
        }
        let (job, new_tip) = state.jobs.push(work, &state.terms, now);
        // A miner that resumes has no other job yet, whatever the tip.
        work.notify.write(&mut out.bytes, job.id, job.ntime, new_tip || is_first);
        out.carries_job = true;
        if new_tip {
            let Resumable { jobs, seen, .. } = &mut **state;
            seen.on_new_tip(|tip| jobs.any_on(tip));
        }
    }

    /// Sets the difficulty of the next job, and sends that job.
    fn change_difficulty(
        &mut self,
        difficulty: Difficulty,
        cause: DifficultyCause,
        now: Timestamp,
        out: &mut Output,
    ) {
        let settings = &self.pool.settings;
        let floor = self.difficulty_floor.clamp(settings.difficulty_min, settings.difficulty_max);
        let difficulty = difficulty.clamp(floor, settings.difficulty_max);
        if difficulty == self.difficulty {
            // At a limit: count anew instead of finding the same again each tick.
            if let Some(vardiff) = &mut self.vardiff {
                vardiff.restart(difficulty, now);
            }
            return;
        }
        self.difficulty = difficulty;
        // Before the first job nothing was announced that could change.
        if self.announced.is_some() {
            let connection = self.connection;
            out.events.push(Event::DifficultyChanged { time: now, connection, difficulty, cause });
            self.send_job(now, out);
        }
    }
}
