//! One connection's handshake and answers, by the terms of the case.

use std::collections::VecDeque;

use super::lines::{LINE_BYTES_MAX, Lines};
use super::outbox::Outbox;
use super::pool::Pool;
use super::wire::{Answer, Heard, quoted, read};
use super::{Action, Listener};
use crate::conformance::log::{Connection, Fact, JobNumber};
use crate::conformance::share::{self, Explanation, Problem, ShareFacts};
use crate::conformance::step::ReleaseStep;
use crate::conformance::terms::{Answering, FirstJob, Replying, Subscriptions, Terms};
use crate::hash::Hash;
use crate::stratum::v1::hex;
use crate::units::{Difficulty, Seconds, Timestamp};

/// Replies that wait at most.
const REPLIES_MAX: usize = 65_536;

/// Shares of a case that are looked into at most.
const SHARES_MAX: u32 = 20_000;

/// What follows when a reply goes out.
#[derive(Debug, Clone)]
pub(super) enum Then {
    Nothing,
    /// Version bits were granted.
    Configured(u32),
    Subscribed,
    Authorized,
    /// A share was judged.
    Answered {
        share: usize,
        accepted: bool,
    },
}

/// A reply on its way.
#[derive(Debug)]
pub(super) struct Reply {
    lines: Vec<u8>,
    then: Then,
}

/// A connection's state.
#[derive(Debug)]
pub(super) struct Peer {
    pub listener: Listener,
    pub outbox: Outbox,
    pub frozen: bool,
    pub reading: bool,
    pub subscribed: bool,
    pub authorized: bool,
    /// When it was subscribed and authorized.
    pub ready: Option<Timestamp>,
    /// The terms it was agreed on.
    pub agreed: Terms,
    pub extranonce1: Vec<u8>,
    /// `None` when what was announced is no number that can be meant.
    pub extranonce2_bytes: Option<usize>,
    /// Version bits that may be rolled now.
    pub mask: u32,
    /// Those that were granted in the handshake.
    pub granted: u32,
    pub difficulty: Difficulty,
    pub prev_hash: Option<Hash>,
    /// Jobs sent.
    pub jobs: u32,
    /// Jobs before this one are stale.
    pub oldest_fresh: JobNumber,
    /// Its jobs are those of an earlier case.
    pub is_stale: bool,
    lines: Lines,
    requests: u32,
    held: Vec<Reply>,
    delayed: VecDeque<(Timestamp, Reply)>,
}

impl Peer {
    /// A connection that nothing was said on.
    pub fn new(listener: Listener, outbox: Outbox, terms: &Terms, difficulty: Difficulty) -> Self {
        Self {
            listener,
            outbox,
            frozen: false,
            reading: true,
            subscribed: false,
            authorized: false,
            ready: None,
            agreed: terms.clone(),
            extranonce1: Vec::new(),
            extranonce2_bytes: terms.extranonce2_bytes(),
            mask: 0,
            granted: 0,
            difficulty,
            prev_hash: None,
            jobs: 0,
            oldest_fresh: JobNumber(0),
            is_stale: false,
            lines: Lines::default(),
            requests: 0,
            held: Vec::new(),
            delayed: VecDeque::new(),
        }
    }

    /// Whether a new case cannot go on with it.
    pub fn is_spoilt(&self) -> bool {
        let half_way = self.ready.is_none() && self.requests > 0;
        let waiting = !self.held.is_empty() || !self.delayed.is_empty();
        let stray = !matches!(self.listener, Listener::Main);
        self.frozen || !self.reading || self.outbox.is_unfinished() || half_way || waiting || stray
    }

    /// Whether it serves under `terms` as if it had just been agreed on.
    pub fn serves(&self, terms: &Terms) -> bool {
        if self.requests == 0 {
            return true;
        }
        let unchanged = self.mask == self.granted
            && self.extranonce1.len() == terms.extranonce1_bytes
            && self.extranonce2_bytes == terms.extranonce2_bytes();
        terms.allows_session_of(&self.agreed) && (self.ready.is_none() || unchanged)
    }

    /// When the next delayed reply is due.
    pub fn next_delayed(&self) -> Option<Timestamp> {
        self.delayed.front().map(|(due, _)| *due)
    }

    /// A delayed reply that is due.
    pub fn take_delayed(&mut self, now: Timestamp) -> Option<Reply> {
        self.delayed.pop_front_if(|(due, _)| *due <= now).map(|(_, reply)| reply)
    }
}

impl Pool {
    /// Bytes came.
    pub fn received(
        &mut self,
        connection: Connection,
        bytes: &[u8],
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(peer) = self.peers.get_mut(&connection).filter(|peer| !peer.frozen) else { return };
        let mut lines = std::mem::take(&mut peer.lines);
        lines.feed(bytes, |line, cut| self.said(connection, line, cut, now, actions));
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.lines = lines;
        }
    }

    fn said(
        &mut self,
        connection: Connection,
        line: &[u8],
        cut: bool,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.ledger.push(now, Some(connection), Fact::Said(line.to_vec()));
        if cut {
            let what = format!("it is longer than {} bytes", LINE_BYTES_MAX);
            return self.ledger.push(now, Some(connection), Fact::BadLine(what));
        }
        if line.trim_ascii().is_empty() {
            return;
        }
        match read(line) {
            Err(what) => self.ledger.push(now, Some(connection), Fact::BadLine(what)),
            Ok(Heard::Reply { id }) => {
                let id = id.unwrap_or("null").to_owned();
                let line = String::from_utf8_lossy(line).into_owned();
                self.ledger.push(now, Some(connection), Fact::Reply { id, line });
            }
            Ok(Heard::Request { id, method, params }) => {
                let fact = Fact::Request {
                    method: method.clone().into_owned(),
                    id: id.map(str::to_owned),
                    params: params.to_owned(),
                };
                self.ledger.push(now, Some(connection), fact);
                self.asked(connection, id, &method, params, now, actions);
            }
        }
    }

    fn asked(
        &mut self,
        connection: Connection,
        id: Option<&str>,
        method: &str,
        params: &str,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let terms = self.terms.clone();
        let extranonce1 = if method == "mining.subscribe" { self.fresh_extranonce1() } else { Vec::new() };
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        peer.requests = peer.requests.saturating_add(1);
        let yes = || Answer::result("true");
        let (answer, then) = match method {
            "mining.configure" => {
                let (result, mask) = configured(params, terms.mask);
                let answer = match terms.configure {
                    Answering::No => Some(Answer::result("{\"version-rolling\":false}")),
                    other => Answer::by(other, || Answer::result(result), 20, "Not supported"),
                };
                let granted = (terms.configure == Answering::Good).then_some(mask).flatten();
                (answer, Then::Configured(granted.unwrap_or(0)))
            }
            "mining.subscribe" => {
                peer.agreed = terms.clone();
                if !peer.subscribed {
                    peer.extranonce1.clone_from(&extranonce1);
                    peer.extranonce2_bytes = terms.extranonce2_bytes();
                }
                self.user_agent = user_agent(params).or(self.user_agent.take());
                let result = subscribed(&terms, &peer.extranonce1);
                if let Some(line) = &terms.before_subscribe {
                    self.tell(connection, format!("{}\n", self.filled(line)).into_bytes(), now, actions);
                }
                let jobless = self.peers.get(&connection).is_some_and(|peer| peer.jobs == 0);
                if jobless && terms.first_job == FirstJob::BeforeSubscribe {
                    self.first_job(connection, now, actions);
                }
                let answer = Answer::by(terms.subscribe, || Answer::result(result), 20, "Not supported");
                (answer, then_if(terms.subscribe, Then::Subscribed))
            }
            "mining.authorize" => {
                peer.agreed.authorize = terms.authorize;
                if let Some(line) = &terms.before_authorize {
                    self.tell(connection, format!("{}\n", self.filled(line)).into_bytes(), now, actions);
                }
                let answer = Answer::by(terms.authorize, yes, 24, "Unauthorized worker");
                (answer, then_if(terms.authorize, Then::Authorized))
            }
            "mining.submit" => return self.submitted(connection, id, params, now, actions),
            "mining.suggest_difficulty" | "mining.suggest_target" => {
                (Answer::by(terms.suggest_difficulty, yes, 20, "Not supported"), Then::Nothing)
            }
            "mining.extranonce.subscribe" => {
                (Answer::by(terms.extranonce_subscribe, yes, 20, "Not supported"), Then::Nothing)
            }
            "mining.ping" | "client.ping" => (Some(Answer::result("\"pong\"")), Then::Nothing),
            _ => {
                let unknown = || Answer::error(-3, "Method not found");
                (Answer::by(terms.unknown, unknown, -3, "Method not found"), Then::Nothing)
            }
        };
        self.answer(connection, id, answer, then, 0.0, now, actions);
    }

    /// Answers by the terms: at once, later or when released; without an id or an answer not at all.
    #[expect(clippy::too_many_arguments, reason = "a reply is all of this, and is made in two places")]
    fn answer(
        &mut self,
        connection: Connection,
        id: Option<&str>,
        answer: Option<Answer>,
        then: Then,
        delay: f64,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let (Some(id), Some(answer)) = (id, answer) else { return };
        let reply = Reply { lines: answer.lines(id, self.terms.reply_style), then };
        let replying = self.terms.replying;
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        if peer.held.len() + peer.delayed.len() >= REPLIES_MAX {
            return;
        }
        if replying == Replying::Held {
            peer.held.push(reply);
        } else if delay > 0.0 {
            let due = now + Seconds(delay);
            let place = peer.delayed.partition_point(|(other, _)| *other <= due);
            peer.delayed.insert(place, (due, reply));
        } else {
            self.reply(connection, reply, now, actions);
        }
    }

    /// Sends a reply, and does what follows.
    pub fn reply(&mut self, connection: Connection, reply: Reply, now: Timestamp, actions: &mut Vec<Action>) {
        self.tell(connection, reply.lines, now, actions);
        self.follow(connection, &reply.then, now, actions);
    }

    /// Sends the replies that were held.
    pub fn release(&mut self, order: ReleaseStep, now: Timestamp, actions: &mut Vec<Action>) {
        let all: Vec<Connection> = self.peers.keys().copied().collect();
        for connection in all {
            let Some(peer) = self.peers.get_mut(&connection) else { continue };
            let mut held = std::mem::take(&mut peer.held);
            if order == ReleaseStep::Reversed {
                held.reverse();
            }
            if order == ReleaseStep::Together {
                let lines: Vec<u8> =
                    held.iter_mut().flat_map(|reply| std::mem::take(&mut reply.lines)).collect();
                self.tell(connection, lines, now, actions);
            }
            for reply in held {
                self.reply(connection, reply, now, actions);
            }
        }
    }

    fn submitted(
        &mut self,
        connection: Connection,
        id: Option<&str>,
        params: &str,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let delay = self.terms.submit_delay.0.0;
        let job = serde_json::from_str::<Vec<serde_json::Value>>(params)
            .ok()
            .and_then(|params| Some(params.get(1)?.as_str()?.to_owned()));
        if job.is_some_and(|job| self.is_of_case_before(connection, &job, now)) {
            let answer = Answer::error(21, "Job not found");
            return self.answer(connection, id, Some(answer), Then::Nothing, delay, now, actions);
        }
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let oldest_fresh = peer.oldest_fresh;
        self.shares += 1;
        if self.shares > SHARES_MAX {
            return;
        }
        let facts = share::examine(self.ledger.log(), connection, id, params, now, self.scale);
        let reject = rejection(&facts, oldest_fresh);
        let share = self.ledger.len();
        self.ledger.push(now, Some(connection), Fact::Share(Box::new(facts)));
        let (code, text) = reject.unwrap_or((23, "Low difficulty share"));
        let good = || reject.map_or(Answer::result("true"), |(code, text)| Answer::error(code, text));
        let accepted = self.terms.submit == Answering::Good && reject.is_none();
        let answer = Answer::by(self.terms.submit, good, code, text);
        self.answer(connection, id, answer, Then::Answered { share, accepted }, delay, now, actions);
    }
}

/// Why a good pool rejects a share.
fn rejection(share: &ShareFacts, oldest_fresh: JobNumber) -> Option<(i32, &'static str)> {
    let has = |problem| share.problems.contains(&problem);
    if has(Problem::UnknownJob) {
        return Some((21, "Job not found"));
    }
    if has(Problem::Duplicate) {
        return Some((22, "Duplicate share"));
    }
    if share.problems.iter().any(|problem| !matches!(problem, Problem::BitsMissing | Problem::Low)) {
        return Some((20, "Invalid share"));
    }
    if share.explanation != Some(Explanation::AsDescribed) || has(Problem::Low) {
        return Some((23, "Low difficulty share"));
    }
    share.job.is_some_and(|job| job < oldest_fresh).then_some((21, "Stale share"))
}

fn then_if(answering: Answering, then: Then) -> Then {
    if answering == Answering::Good { then } else { Then::Nothing }
}

/// What a good pool answers to `mining.configure`, and the mask it grants.
fn configured(params: &str, mask: u32) -> (String, Option<u32>) {
    let params: serde_json::Value = serde_json::from_str(params).unwrap_or_default();
    let mut result = serde_json::Map::new();
    let mut granted = None;
    for name in params[0].as_array().into_iter().flatten().filter_map(|name| name.as_str()) {
        match name {
            "version-rolling" => {
                let asked = params[1]["version-rolling.mask"].as_str().and_then(hex::decode_u32);
                let mask = mask & asked.unwrap_or(u32::MAX);
                granted = Some(mask);
                result.insert(name.into(), true.into());
                result.insert("version-rolling.mask".into(), format!("{mask:08x}").into());
            }
            "minimum-difficulty" | "subscribe-extranonce" | "info" => {
                result.insert(name.into(), true.into());
            }
            _ => {
                result.insert(name.into(), false.into());
            }
        }
    }
    (serde_json::Value::from(result).to_string(), granted)
}

fn subscribed(terms: &Terms, extranonce1: &[u8]) -> String {
    let extranonce1 = hex::encode(extranonce1);
    let session = quoted(&format!("adit{extranonce1}"));
    let subscriptions = match terms.subscriptions {
        Subscriptions::Full => {
            format!("[[\"mining.set_difficulty\",{session}],[\"mining.notify\",{session}]]")
        }
        Subscriptions::Empty => "[]".into(),
        Subscriptions::Null => "null".into(),
    };
    format!("[{subscriptions},\"{extranonce1}\",{}]", terms.extranonce2)
}

fn user_agent(params: &str) -> Option<String> {
    let params: serde_json::Value = serde_json::from_str(params).ok()?;
    Some(params[0].as_str()?.chars().take(200).collect())
}
