//! A connection as a miner by hand holds it: what it said, what it was told,
//! and the terms of each job.
//!
//! Unlike `miner::Client` it follows no order of its own: a script says each
//! line. What the pool says unasked is always taken up, so a job has the terms
//! that held when it came.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::log::Connection;
use super::talk::{Heard, Standing, Stop, Talk};
use crate::event::Extranonce2;
use crate::miner::PoolVerdict;
use crate::miner::job::ExtranonceSplit;
use crate::stratum::v1::{JobNotice, PoolMessage, Subscription, VERSION_MASK, WireError, parse_message};
use crate::units::{Difficulty, Seconds, Timestamp};

/// What the examiner calls itself.
const USER_AGENT: &str = concat!("adit-check/", env!("CARGO_PKG_VERSION"));

/// How long a pool may take to send a job after another: refreshes come every 30 s or so.
pub(super) const NEXT_JOB: Seconds = Seconds(70.0);

/// An answer to a request.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub id: Value,
    pub result: Value,
    pub error: Option<WireError>,
    pub at: Timestamp,
    pub evidence: Option<usize>,
    pub subscription: Option<Subscription>,
    pub mask: Option<u32>,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Answered(Answer),
    Silent,
    Ended(String),
}

/// A job that came, with the terms of that moment.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub notice: JobNotice,
    pub difficulty: Option<Difficulty>,
    pub generation: u32,
    pub at: Timestamp,
    pub evidence: Option<usize>,
    /// The line as JSON.
    pub line: Value,
    pub extranonce: Option<ExtranonceSplit>,
}

#[derive(Debug)]
pub(super) struct Hand {
    pub talk: Talk,
    pub connection: Connection,
    pub extranonce: Option<ExtranonceSplit>,
    pub session: Option<String>,
    pub mask: Option<u32>,
    /// As announced; pools that announce none mean one.
    pub difficulty: Option<Difficulty>,
    /// Difficulties announced, with their place in the transcript.
    pub announced: Vec<(Value, Option<usize>)>,
    pub jobs: Vec<Told>,
    /// Lines that are no message at all.
    pub unreadable: Vec<(String, Option<usize>)>,
    /// By id; more than one is a fault.
    pub answers: BTreeMap<String, Vec<Answer>>,
    /// Where its searches begin.
    pub extranonce2: u64,
    pub searches: u64,
    next_id: u64,
}

enum Turn {
    Heard,
    Late,
    Ended(String),
}

impl Hand {
    /// Connects and says nothing yet.
    pub async fn connect(talk: &Talk) -> Result<Self, Stop> {
        match talk.open().await {
            Ok(connection) => Ok(Self::on(talk, connection)),
            Err(why) => {
                let finding = format!("no connection: {why}");
                Err(talk.stop(finding, "a pool takes connections, whatever was said on others", []))
            }
        }
    }

    fn on(talk: &Talk, connection: Connection) -> Self {
        let seed = talk.world().setting.seed;
        Self {
            talk: talk.clone(),
            connection,
            extranonce: None,
            session: None,
            mask: None,
            difficulty: None,
            announced: Vec::new(),
            jobs: Vec::new(),
            unreadable: Vec::new(),
            answers: BTreeMap::new(),
            extranonce2: seed.wrapping_add(u64::from(connection.0) << 20),
            searches: 0,
            next_id: 1,
        }
    }

    /// Connects and comes to work: version rolling, the difficulty that suits us, a job.
    pub async fn ready(talk: &Talk) -> Result<Self, Stop> {
        Self::ready_with(talk, Some(VERSION_MASK), 1.0).await
    }

    /// The same with other version bits or none, and a share taking `ease` of the usual time.
    pub async fn ready_with(talk: &Talk, mask: Option<u32>, ease: f64) -> Result<Self, Stop> {
        let mut hand = Self::connect(talk).await?;
        let (wanted, limit) = {
            let setting = &talk.world().setting;
            let hashes = setting.hashrate.hashes_per_second() * setting.share_seconds.0 * ease;
            let scale = setting.hashrate.hashes_per_second() * setting.share_seconds_max.0;
            let difficulty = |hashes: f64| Difficulty::ONE.scaled(hashes / Difficulty::ONE.expected_hashes());
            (difficulty(hashes), difficulty(scale))
        };
        if let Some(mask) = mask {
            hand.configure(mask).await;
        }
        hand.subscribe(None).await?;
        // Before authorize: some pools then give the first job this difficulty.
        hand.begin("mining.suggest_difficulty", json!([wanted.get()]));
        hand.authorize().await?;
        hand.first_job().await?;
        hand.suggest_difficulty(wanted).await;
        let too_hard =
            |hand: &Self| hand.jobs.last().is_none_or(|job| job.difficulty.is_some_and(|is| is > limit));
        if too_hard(&hand) && hand.difficulty.is_some_and(|is| is <= limit) {
            // The new difficulty waits for the next job.
            hand.listen_until(NEXT_JOB, |hand| !too_hard(hand)).await;
        }
        Ok(hand)
    }

    /// Subscribes and authorizes.
    pub async fn greet(&mut self, mask: Option<u32>) -> Result<(), Stop> {
        if let Some(mask) = mask {
            self.configure(mask).await;
        }
        self.subscribe(None).await?;
        self.authorize().await
    }

    pub async fn configure(&mut self, mask: u32) -> Reply {
        let options =
            json!({"version-rolling.mask": format!("{mask:08x}"), "version-rolling.min-bit-count": 2});
        let reply = self.ask("mining.configure", json!([["version-rolling"], options])).await;
        if let Reply::Answered(answer) = &reply {
            self.mask = answer.mask;
        }
        reply
    }

    /// Subscribes, perhaps as an earlier session.
    pub async fn subscribe(&mut self, session: Option<&str>) -> Result<Answer, Stop> {
        let params = session.map_or_else(|| json!([USER_AGENT]), |session| json!([USER_AGENT, session]));
        let expected = "[subscriptions, extranonce1 in hexadecimal, bytes of extranonce2]";
        let answer = self.answer("mining.subscribe", params).await?;
        let evidence = answer.evidence;
        let Some(subscription) = answer.subscription.clone() else {
            let finding = format!("mining.subscribe was answered with {}", shown(&answer));
            return Err(self.talk.stop(finding, expected, evidence));
        };
        if subscription.extranonce2_bytes > Extranonce2::BYTES_MAX {
            let finding = format!("extranonce2 of {} bytes", subscription.extranonce2_bytes);
            return Err(self.talk.stop(finding, "2 to 8 bytes, which all firmware can hold", evidence));
        }
        self.session = subscription.session;
        let (extranonce1, extranonce2_bytes) = (subscription.extranonce1, subscription.extranonce2_bytes);
        self.extranonce = Some(ExtranonceSplit { extranonce1, extranonce2_bytes });
        Ok(answer)
    }

    pub async fn authorize(&mut self) -> Result<(), Stop> {
        let (user, password) = {
            let setting = &self.talk.world().setting;
            (setting.user.clone(), setting.password.clone())
        };
        let answer = self.answer("mining.authorize", json!([user, password])).await?;
        if answer.result == Value::Bool(true) && answer.error.is_none() {
            return Ok(());
        }
        let finding = format!("`{user}` is not authorized: {}", shown(&answer));
        Err(self.talk.undecided(finding, "a worker that the pool lets in: --user and --password"))
    }

    /// Suggests a difficulty, unless it holds already, and waits a little for its effect.
    pub async fn suggest_difficulty(&mut self, wanted: Difficulty) {
        self.catch_up().await;
        let near = |is: Difficulty| (is.get() / wanted.get() - 1.0).abs() < 0.01;
        let before = self.announced.len();
        if !self.difficulty.is_some_and(near) {
            // Many pools do not answer it, so what is waited for is its effect.
            self.begin("mining.suggest_difficulty", json!([wanted.get()]));
        }
        let mut deadline = self.talk.now() + Seconds(1.0);
        while !self.difficulty.is_some_and(near) {
            if self.announced.len() > before {
                // Another one: what the pool makes of it, or an earlier one that was on its way.
                deadline = deadline.min(self.talk.now() + Seconds(0.3));
            }
            if !matches!(self.turn(deadline).await, Turn::Heard) {
                break;
            }
        }
        // The job that the new difficulty is for comes with it, or soon.
        let deadline = self.talk.now() + Seconds(0.5);
        while !self.jobs.last().is_some_and(|job| job.difficulty == self.difficulty) {
            if !matches!(self.turn(deadline).await, Turn::Heard) {
                break;
            }
        }
    }

    /// Waits for a job.
    pub async fn first_job(&mut self) -> Result<(), Stop> {
        let deadline = self.talk.now() + self.talk.answer_within();
        while self.jobs.is_empty() {
            match self.turn(deadline).await {
                Turn::Heard => {}
                Turn::Late => {
                    let finding = format!("no job within {} of authorizing", self.talk.answer_within());
                    return Err(self.talk.stop(finding, "a job at once", []));
                }
                Turn::Ended(why) => {
                    let finding = format!("the connection ended before a job came: {why}");
                    return Err(self.talk.stop(finding, "a job at once", []));
                }
            }
        }
        Ok(())
    }

    /// Sends bytes as one segment.
    pub fn send(&mut self, bytes: impl Into<Vec<u8>>) -> Option<usize> {
        self.talk.send(self.connection, bytes.into())
    }

    pub fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Sends a request; returns its id.
    pub fn begin(&mut self, method: &str, params: Value) -> (u64, Option<usize>) {
        let id = self.fresh_id();
        let evidence = self.send(line(&json!(id), method, &params));
        (id, evidence)
    }

    /// Sends a request and waits for the answer.
    pub async fn ask(&mut self, method: &str, params: Value) -> Reply {
        let (id, _) = self.begin(method, params);
        self.reply(&json!(id)).await
    }

    /// Sends a request that must be answered, be it with an error.
    pub async fn answer(&mut self, method: &str, params: Value) -> Result<Answer, Stop> {
        let expected = "an answer to each request that has an id";
        match self.ask(method, params).await {
            Reply::Answered(answer) => Ok(answer),
            Reply::Silent => Err(self.talk.stop(
                format!("{method} is not answered within {}", self.talk.answer_within()),
                expected,
                [],
            )),
            Reply::Ended(why) => {
                Err(self.talk.stop(format!("{method} ends the connection: {why}"), expected, []))
            }
        }
    }

    /// Waits for the answer to an id.
    pub async fn reply(&mut self, id: &Value) -> Reply {
        let deadline = self.talk.now() + self.talk.answer_within();
        loop {
            if let Some(answer) = self.answers.get(&id.to_string()).and_then(|answers| answers.first()) {
                return Reply::Answered(answer.clone());
            }
            match self.turn(deadline).await {
                Turn::Heard => {}
                Turn::Late => return Reply::Silent,
                Turn::Ended(why) => return Reply::Ended(why),
            }
        }
    }

    /// Takes what comes for a while; `Some` when the connection ended.
    pub async fn listen(&mut self, span: Seconds) -> Option<String> {
        let deadline = self.talk.now() + span;
        loop {
            match self.turn(deadline).await {
                Turn::Heard => {}
                Turn::Late => return None,
                Turn::Ended(why) => return Some(why),
            }
        }
    }

    /// Takes what has come already; `Some` when the connection has ended.
    pub async fn catch_up(&mut self) -> Option<String> {
        self.listen(Seconds(0.0)).await
    }

    /// Takes what comes until `done` says so; whether it did in time.
    pub async fn listen_until(&mut self, span: Seconds, mut done: impl FnMut(&Self) -> bool) -> bool {
        let deadline = self.talk.now() + span;
        while !done(self) {
            if !matches!(self.turn(deadline).await, Turn::Heard) {
                return done(self);
            }
        }
        true
    }

    async fn turn(&mut self, deadline: Timestamp) -> Turn {
        let connection = self.connection;
        let next = self.talk.until(deadline, |world| {
            let Some(socket) = world.sockets.get_mut(&connection) else {
                return Some(Err("ended".to_owned()));
            };
            match (socket.inbox.pop_front(), &socket.standing) {
                (Some(heard), _) => Some(Ok(heard)),
                (None, Standing::Closed(why) | Standing::Refused(why)) => Some(Err(why.clone())),
                (None, _) => None,
            }
        });
        match next.await {
            Some(Ok(heard)) => {
                self.take(&heard);
                Turn::Heard
            }
            Some(Err(why)) => Turn::Ended(why),
            None => Turn::Late,
        }
    }

    fn take(&mut self, heard: &Heard) {
        let Heard { at, bytes, evidence } = heard;
        let line: Value = match serde_json::from_slice(bytes) {
            Ok(line) => line,
            Err(error) => return self.unreadable.push((error.to_string(), *evidence)),
        };
        if line["method"] == "mining.set_difficulty" {
            self.announced.push((line["params"][0].clone(), *evidence));
        }
        match parse_message(bytes) {
            Ok(PoolMessage::SetDifficulty(difficulty)) => self.difficulty = Some(difficulty),
            Ok(PoolMessage::SetExtranonce { extranonce1, extranonce2_bytes }) => {
                self.extranonce = Some(ExtranonceSplit { extranonce1, extranonce2_bytes });
            }
            Ok(PoolMessage::SetVersionMask(mask)) => self.mask = Some(mask & VERSION_MASK),
            Ok(PoolMessage::Job(notice)) => self.take_job(notice, line, *at, *evidence),
            Ok(PoolMessage::Response { result, .. }) => {
                let (error, subscription, mask) = match result {
                    Ok(answer) => (None, answer.subscription(), answer.version_mask()),
                    Err(error) => (Some(error), None, None),
                };
                let (id, result) = (line["id"].clone(), line["result"].clone());
                let answer = Answer { id, result, error, at: *at, evidence: *evidence, subscription, mask };
                self.answers.entry(answer.id.to_string()).or_default().push(answer);
            }
            Ok(_) => {}
            Err(error) => self.unreadable.push((error.to_string(), *evidence)),
        }
    }

    fn take_job(&mut self, notice: JobNotice, line: Value, at: Timestamp, evidence: Option<usize>) {
        let last = self.jobs.last();
        let new_tip = last.is_none_or(|last| last.notice.prev_hash != notice.prev_hash);
        let generation = last.map_or(0, |last| last.generation) + u32::from(new_tip || notice.clean);
        let (difficulty, extranonce) = (self.difficulty, self.extranonce.clone());
        self.jobs.push(Told { notice, difficulty, generation, at, evidence, line, extranonce });
    }
}

/// A request as a line.
pub(super) fn line(id: &Value, method: &str, params: &Value) -> Vec<u8> {
    (json!({"id": id, "method": method, "params": params}).to_string() + "\n").into_bytes()
}

/// `true` without an error is a yes.
pub(super) fn verdict_of(answer: &Answer) -> PoolVerdict {
    match &answer.error {
        Some(error) => PoolVerdict::Rejected(error.clone()),
        None if answer.result == Value::Bool(true) => PoolVerdict::Accepted,
        None => {
            let message = format!("no reason given, result {}", answer.result);
            PoolVerdict::Rejected(WireError { code: 0, message })
        }
    }
}

/// An answer for a finding.
pub(super) fn shown(answer: &Answer) -> String {
    match &answer.error {
        Some(error) => format!("the error {error}"),
        None => answer.result.to_string(),
    }
}

/// Seconds as people say them.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}
