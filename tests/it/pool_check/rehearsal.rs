//! Our own pool in virtual time, changed in one way, and the examiner before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use adit::block::{CoinbaseSpec, Limits, Template, TemplateTransaction};
use adit::conformance::pool::{Action, Examiner, Input, PoolCase, SearchId, Setting};
use adit::conformance::{CaseResult, Connection};
use adit::event::ConnectionId;
use adit::miner::Share;
use adit::net::Lines;
use adit::pool::{Output, Pool, PoolSettings, Session, Work};
use adit::units::{Difficulty, Hashrate, Seconds, Timestamp};
use bitcoin::{Amount, ScriptBuf, absolute, transaction};
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

/// From one end of the wire to the other.
const LATENCY: Seconds = Seconds(0.005);

/// Between two jobs on the same tip, and between two tips.
const REFRESH: Seconds = Seconds(10.0);
const TIP: Seconds = Seconds(40.0);

const HASHES_PER_SECOND: f64 = 8_000.0;

/// What becomes of a line of the miner.
pub enum Take {
    /// The pool gets it.
    Pass,
    /// The pool gets another.
    Change(Value),
    /// The pool does not get it; this is answered.
    Say(Value),
    /// Nobody gets it.
    Ignore,
    /// The connection ends.
    Close,
    /// The pool ends.
    Crash,
}

/// What a mutant may remember of a connection.
#[derive(Default)]
pub struct Memory {
    pub subscribed: bool,
    pub authorized: bool,
    /// Parameters of jobs, newest last.
    pub jobs: Vec<Value>,
    /// Difficulties announced, newest last.
    pub announced: Vec<f64>,
    /// Jobs that were there when the last difficulty was announced.
    pub jobs_before: usize,
    /// Submits by their parameters.
    pub submits: Vec<String>,
    pub mask: u32,
    pub lines: u32,
    /// A line that is kept back.
    pub held: Option<Value>,
    /// Anything else.
    pub flag: bool,
}

impl Memory {
    /// The parameters of the job that a submit names.
    pub fn job_of(&self, submit: &Value) -> Option<&Value> {
        self.jobs.iter().find(|job| job[0] == submit["params"][1])
    }

    pub fn is_newest(&self, submit: &Value) -> bool {
        self.jobs.last().is_some_and(|job| job[0] == submit["params"][1])
    }
}

/// How bytes of the miner become lines.
#[derive(Clone, Copy, PartialEq)]
pub enum Cut {
    Stream,
    /// Each segment is taken for one line.
    SegmentIsLine,
    /// Only the first line of a segment is read.
    FirstOfSegment,
}

/// Our pool, changed in one way.
#[derive(Clone, Copy)]
pub struct Mutant {
    pub name: &'static str,
    /// Cases that are run first, and may end as they like.
    pub before: &'static [&'static str],
    /// Cases that it fails.
    pub fails: &'static [&'static str],
    pub settings: fn(&mut PoolSettings),
    /// Each line of the miner that is JSON.
    pub miner: fn(&mut Memory, &Value) -> Take,
    /// Each line of the miner that is not.
    pub garbage: fn(&mut Memory) -> Take,
    /// Each line of the pool.
    pub pool: Option<fn(&mut Memory, Value) -> Vec<Value>>,
    pub cut: Cut,
    pub line_bytes_max: usize,
    /// Answers and jobs come so much later.
    pub delay: Seconds,
    /// A silent miner is dropped after this.
    pub silence_max: Seconds,
    /// Connections taken, of all.
    pub connections_max: u32,
    pub job_version: u32,
    /// Seconds that the pool's clock is ahead of the miner's.
    pub clock_ahead: i64,
    pub prev_hash: fn([u8; 32]) -> [u8; 32],
    pub nbits: u32,
}

/// Our pool as it is.
pub const OURS: Mutant = Mutant {
    name: "ours",
    before: &[],
    fails: &[],
    settings: |_| {},
    miner: |_, _| Take::Pass,
    garbage: |_| Take::Pass,
    pool: None,
    cut: Cut::Stream,
    line_bytes_max: 16 * 1024,
    delay: Seconds(0.0),
    silence_max: Seconds(1e9),
    connections_max: u32::MAX,
    job_version: 0x2000_0000,
    clock_ahead: 0,
    prev_hash: |hash| hash,
    nbits: 0x1703_4219,
};

enum Event {
    Open(Connection),
    Opened(Connection),
    Refused(Connection),
    ToPool(Connection, Vec<u8>),
    ToMiner(Connection, Vec<u8>),
    Ended(Connection),
    Found(SearchId, Option<Box<Share>>),
    Work,
    Tick,
}

struct Served {
    session: Session,
    lines: Lines,
    memory: Memory,
    heard: Timestamp,
}

struct World<'m> {
    mutant: &'m Mutant,
    pool: Arc<Pool>,
    work: Arc<Work>,
    works: u32,
    now: Timestamp,
    events: BTreeMap<(Timestamp, u64), Event>,
    scheduled: u64,
    served: BTreeMap<Connection, Served>,
    taken: u32,
    crashed: bool,
}

/// Runs `cases` on a mutant in virtual time.
pub fn rehearse(mutant: &Mutant, cases: Vec<&'static PoolCase>, seed: u64) -> Vec<CaseResult> {
    let mut rules = PoolSettings {
        difficulty_initial: Difficulty::new(2e-6).unwrap(),
        vardiff: None,
        ..PoolSettings::default()
    };
    (mutant.settings)(&mut rules);
    let extranonce_bytes = rules.extranonce1_bytes + rules.extranonce2_bytes;
    let pool = Arc::new(Pool::new(rules, [seed as u8; 32]));
    let work = work(mutant, 0, START, extranonce_bytes);
    let mut world = World {
        mutant,
        pool,
        work,
        works: 0,
        now: START,
        events: BTreeMap::new(),
        scheduled: 0,
        served: BTreeMap::new(),
        taken: 0,
        crashed: false,
    };
    world.after(REFRESH, Event::Work);
    world.after(Seconds(5.0), Event::Tick);

    let mut setting = Setting::new("check.1", Hashrate::new(HASHES_PER_SECOND).unwrap());
    setting.seed = seed;
    let mut examiner = Examiner::new(setting, cases, START);
    let mut results = Vec::new();
    let mut actions = Vec::new();
    examiner.on(Input::Tick, START, &mut actions);
    loop {
        for action in actions.drain(..) {
            match action {
                Action::Connect(connection) => world.after(LATENCY, Event::Open(connection)),
                Action::Send(connection, bytes) => world.after(LATENCY, Event::ToPool(connection, bytes)),
                Action::Close(connection) => world.end(connection),
                Action::Search(id, mut sought) => {
                    let mut found = None;
                    while found.is_none() && !sought.is_over() {
                        found = sought.run(u64::MAX);
                    }
                    let took = Seconds(sought.hashes() as f64 / HASHES_PER_SECOND);
                    world.after(took, Event::Found(id, found.map(Box::new)));
                }
                Action::Began(_) => {}
                Action::Ended(result) => results.push(*result),
                Action::Done => return results,
            }
        }
        let (due, event) = world.next(examiner.next_wake());
        world.now = due;
        let Some(event) = event else {
            examiner.on(Input::Tick, due, &mut actions);
            continue;
        };
        match event {
            Event::Opened(connection) => examiner.on(Input::Opened(connection), due, &mut actions),
            Event::Refused(connection) => {
                examiner.on(Input::Refused(connection, "refused".into()), due, &mut actions);
            }
            Event::ToMiner(connection, line) => {
                examiner.on(Input::Line(connection, &line), due, &mut actions);
            }
            Event::Ended(connection) => {
                examiner.on(Input::Closed(connection, "by the pool".into()), due, &mut actions);
            }
            Event::Found(id, share) => examiner.on(Input::Found(id, share), due, &mut actions),
            other => world.on(other),
        }
    }
}

impl World<'_> {
    fn after(&mut self, span: Seconds, event: Event) {
        self.scheduled += 1;
        self.events.insert((self.now + span, self.scheduled), event);
    }

    /// What comes next; no event when the examiner is to be woken before it.
    fn next(&mut self, wake: Option<Timestamp>) -> (Timestamp, Option<Event>) {
        let (due, _) = *self.events.keys().next().expect("work never ends");
        match wake {
            Some(wake) if wake <= due => (wake.max(self.now), None),
            _ => {
                let ((due, _), event) = self.events.pop_first().expect("seen above");
                (due, Some(event))
            }
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Open(connection) if self.crashed || self.taken == self.mutant.connections_max => {
                self.after(LATENCY, Event::Refused(connection));
            }
            Event::Open(connection) => {
                self.taken += 1;
                let mut session =
                    Session::new(self.pool.clone(), ConnectionId(connection.0.into()), self.now);
                session.on_work(&self.work, self.now, &mut Output::default());
                let lines = Lines::new(self.mutant.line_bytes_max);
                let served = Served { session, lines, memory: Memory::default(), heard: self.now };
                self.served.insert(connection, served);
                self.after(LATENCY, Event::Opened(connection));
            }
            Event::ToPool(connection, bytes) => self.receive(connection, &bytes),
            Event::Work => {
                self.works += 1;
                let settings = &self.pool.settings;
                let bytes = settings.extranonce1_bytes + settings.extranonce2_bytes;
                self.work = work(self.mutant, self.works, self.now, bytes);
                let connections: Vec<Connection> = self.served.keys().copied().collect();
                for connection in connections {
                    let mut out = Output::default();
                    let served = self.served.get_mut(&connection).unwrap();
                    served.session.on_work(&self.work, self.now, &mut out);
                    self.send(connection, out);
                }
                self.after(REFRESH, Event::Work);
            }
            Event::Tick => {
                let connections: Vec<Connection> = self.served.keys().copied().collect();
                for connection in connections {
                    let mut out = Output::default();
                    let served = self.served.get_mut(&connection).unwrap();
                    served.session.on_tick(self.now, &mut out);
                    if self.now.since(served.heard).0 > self.mutant.silence_max.0 {
                        out.close = Some(adit::event::CloseReason::Peer);
                    }
                    self.send(connection, out);
                }
                self.after(Seconds(5.0), Event::Tick);
            }
            _ => unreachable!("the miner's"),
        }
    }

    fn receive(&mut self, connection: Connection, bytes: &[u8]) {
        let Some(served) = self.served.get_mut(&connection) else { return };
        served.heard = self.now;
        let mut lines = Vec::new();
        let fed = match self.mutant.cut {
            Cut::SegmentIsLine => {
                lines.push(bytes.trim_ascii_end().to_vec());
                Ok(())
            }
            _ => served.lines.feed(bytes, |line| lines.push(line.to_vec())),
        };
        if self.mutant.cut == Cut::FirstOfSegment {
            lines.truncate(1);
        }
        for line in lines {
            if !self.line(connection, line) {
                return;
            }
        }
        if fed.is_err() {
            self.drop(connection);
        }
    }

    /// One line of a miner; whether the connection lives.
    fn line(&mut self, connection: Connection, line: Vec<u8>) -> bool {
        let Some(served) = self.served.get_mut(&connection) else { return false };
        served.memory.lines += 1;
        let value: Option<Value> = serde_json::from_slice(&line).ok().filter(Value::is_object);
        let take = match &value {
            Some(value) => (self.mutant.miner)(&mut served.memory, value),
            None if line.trim_ascii().is_empty() => Take::Pass,
            None => (self.mutant.garbage)(&mut served.memory),
        };
        if let Some(value) = &value {
            match value["method"].as_str() {
                Some("mining.subscribe") => served.memory.subscribed = true,
                Some("mining.authorize") => served.memory.authorized = true,
                Some("mining.submit") => served.memory.submits.push(value["params"].to_string()),
                _ => {}
            }
        }
        let line = match take {
            Take::Pass => line,
            Take::Change(value) => value.to_string().into_bytes(),
            Take::Say(value) => {
                self.after(
                    Seconds(LATENCY.0 + self.mutant.delay.0),
                    Event::ToMiner(connection, value.to_string().into_bytes()),
                );
                return true;
            }
            Take::Ignore => return true,
            Take::Close => {
                self.drop(connection);
                return false;
            }
            Take::Crash => {
                self.crashed = true;
                let all: Vec<Connection> = self.served.keys().copied().collect();
                all.into_iter().for_each(|connection| self.drop(connection));
                return false;
            }
        };
        let mut out = Output::default();
        served.session.on_line(&line, self.now, &mut out);
        let ends = out.close.is_some();
        self.send(connection, out);
        !ends
    }

    /// What the pool wrote, on its way to the miner.
    fn send(&mut self, connection: Connection, out: Output) {
        for line in out.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let memory = &mut self.served.get_mut(&connection).unwrap().memory;
            let value: Value = serde_json::from_slice(line).unwrap();
            let lines = match self.mutant.pool {
                None => vec![line.to_vec()],
                Some(change) => {
                    let lines = change(memory, value.clone());
                    lines.into_iter().map(|line| line.to_string().into_bytes()).collect()
                }
            };
            if value["method"] == "mining.notify" {
                memory.jobs.push(value["params"].clone());
            }
            if value["method"] == "mining.set_difficulty" {
                memory.announced.extend(value["params"][0].as_f64());
                memory.jobs_before = memory.jobs.len();
            }
            if let Some(mask) = value["result"]["version-rolling.mask"].as_str() {
                memory.mask = u32::from_str_radix(mask, 16).unwrap();
            }
            for line in lines {
                self.after(Seconds(LATENCY.0 + self.mutant.delay.0), Event::ToMiner(connection, line));
            }
        }
        if out.close.is_some() {
            self.drop(connection);
        }
    }

    /// The pool ends a connection.
    fn drop(&mut self, connection: Connection) {
        if self.served.contains_key(&connection) {
            self.end(connection);
            self.after(LATENCY, Event::Ended(connection));
        }
    }

    fn end(&mut self, connection: Connection) {
        if let Some(served) = self.served.remove(&connection) {
            served.session.close(adit::event::CloseReason::Peer, self.now, &mut Output::default());
        }
    }
}

/// A template of the time, with some transactions; every fourth is on a new tip.
fn work(mutant: &Mutant, number: u32, now: Timestamp, extranonce_bytes: usize) -> Arc<Work> {
    let tip = number / (TIP.0 / REFRESH.0) as u32;
    let mut prev_hash = [0x5a; 32];
    prev_hash[8..12].copy_from_slice(&tip.to_le_bytes());
    prev_hash[22..].fill(0);
    let transactions: Vec<TemplateTransaction> = (0..5)
        .map(|index| {
            let transaction = bitcoin::Transaction {
                version: transaction::Version::TWO,
                lock_time: absolute::LockTime::from_consensus(number * 10 + index),
                input: vec![bitcoin::TxIn::default()],
                output: vec![bitcoin::TxOut { value: Amount::ONE_SAT, script_pubkey: ScriptBuf::new() }],
            };
            TemplateTransaction::new(transaction, Amount::ONE_SAT)
        })
        .collect();
    let ntime = (now.unix_seconds() as i64 + mutant.clock_ahead) as u32;
    let template = Template {
        height: 840_000 + tip,
        prev_hash: (mutant.prev_hash)(prev_hash),
        version: mutant.job_version,
        nbits: mutant.nbits,
        ntime_min: ntime - 3_600,
        ntime,
        coinbase_value: Amount::from_sat(312_500_000),
        transactions: transactions.into(),
        limits: Limits::CONSENSUS,
        segwit: true,
        demands: None,
    };
    let spec = CoinbaseSpec {
        payees: vec![(ScriptBuf::from_bytes(vec![0x51]), 1)],
        tag: "/mutant/".into(),
        extranonce_bytes,
        length: None,
    };
    Arc::new(Work::new(template, &spec, now).unwrap())
}

/// An answer to a request.
pub fn answer(request: &Value, result: Value, error: Value) -> Value {
    json!({"id": request["id"], "result": result, "error": error})
}
