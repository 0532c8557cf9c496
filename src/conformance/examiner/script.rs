//! Does a case's steps one after another, and waits where they wait.

use std::collections::BTreeMap;

use super::expecting::Expecting;
use super::pool::Pool;
use super::program::{Op, compile, longest, patience, patience_for};
use super::{Action, Listener};
use crate::conformance::case::Case;
use crate::conformance::log::{Connection, Fact, JobNumber};
use crate::conformance::step::{BytesStep, CloseStep, ReleaseStep, Step};
use crate::conformance::terms::Replying;
use crate::stratum::v1::hex;
use crate::units::{Seconds, Timestamp};

/// Steps done at most; a case that repeats nothing without waiting stays far below.
const STEPS_MAX: u32 = 1_000_000;

/// Bytes that a single step sends at most.
const STEP_BYTES_MAX: usize = 16 << 20;

/// What a script waits for.
#[derive(Debug)]
enum Waiting {
    /// Nothing.
    No,
    /// The time.
    Until(Timestamp),
    /// A connection that opens after a place in the log.
    Connection { after: usize, until: Timestamp },
    /// A complete session; what opened after a place in the log is a sign of life.
    Session { after: usize, until: Timestamp },
    /// Something that a step expects.
    For(Box<Expecting>),
}

/// A case under way.
#[derive(Debug)]
pub(super) struct Script {
    ops: Vec<Op>,
    at: usize,
    /// How often the loop that ends at a place was done.
    rounds: BTreeMap<usize, u32>,
    /// Where the trials end that have begun, and the newest job before each.
    trials: Vec<(usize, JobNumber)>,
    waiting: Waiting,
    /// Where in the log the miner was asked with an id.
    asked: BTreeMap<String, usize>,
    steps: u32,
    /// When it ends whatever happens.
    end: Timestamp,
}

impl Script {
    /// Stands before the first step.
    pub fn new(case: &Case, now: Timestamp) -> Self {
        Self {
            ops: compile(case),
            at: 0,
            rounds: BTreeMap::new(),
            trials: Vec::new(),
            waiting: Waiting::No,
            asked: BTreeMap::new(),
            steps: 0,
            // Each step has its limit, so this is reached only by a fault of ours.
            end: now + Seconds(longest(&case.steps) + 10.0),
        }
    }

    /// When it goes on if nothing happens.
    pub fn next_wake(&self) -> Option<Timestamp> {
        match &self.waiting {
            Waiting::No => None,
            Waiting::Until(time) => Some(*time),
            Waiting::Connection { until, .. } | Waiting::Session { until, .. } => Some(*until),
            Waiting::For(expecting) => Some(expecting.until),
        }
    }

    /// Goes on as far as it can. `true` when the case has ended.
    pub fn run(&mut self, pool: &mut Pool, now: Timestamp, actions: &mut Vec<Action>) -> bool {
        loop {
            if now > self.end {
                self.miss("it took longer than all its steps together".into(), true, pool, now);
            }
            if !self.has_what_it_waits_for(pool, now) {
                return false;
            }
            let Some(op) = self.ops.get(self.at).cloned() else { return true };
            self.at += 1;
            self.steps += 1;
            if self.steps > STEPS_MAX {
                self.miss(format!("it has more than {STEPS_MAX} steps"), true, pool, now);
                continue;
            }
            match op {
                Op::Do(step) => self.step(&step, pool, now, actions),
                Op::Again { first, times } => {
                    let rounds = self.rounds.entry(self.at).or_default();
                    *rounds += 1;
                    if *rounds < times {
                        self.at = first;
                    } else {
                        self.rounds.remove(&self.at);
                    }
                }
                Op::Trial { name, value, end } => {
                    self.trials.push((end, pool.newest_job()));
                    pool.ledger.push(now, None, Fact::Trial(name, value));
                }
                Op::TrialEnd => {
                    self.trials.pop();
                    pool.ledger.push(now, None, Fact::TrialEnd);
                }
            }
        }
    }

    /// Whether the next step can be done. An expectation that was missed moves on to where the case goes on.
    fn has_what_it_waits_for(&mut self, pool: &mut Pool, now: Timestamp) -> bool {
        let opened = |pool: &Pool, after: usize| {
            let new = pool.ledger.log().records.iter().skip(after);
            new.filter(|record| matches!(record.fact, Fact::Opened(_))).count()
        };
        match &mut self.waiting {
            Waiting::No => return true,
            Waiting::Until(time) if now < *time => return false,
            Waiting::Until(_) => {}
            Waiting::Connection { after, .. } if opened(pool, *after) > 0 => {}
            Waiting::Connection { until, .. } if now < *until => return false,
            Waiting::Connection { .. } => {
                self.miss("a connection: the miner does not come back".into(), true, pool, now);
            }
            Waiting::Session { .. } if pool.is_in_session() => {}
            Waiting::Session { until, .. } if now < *until => return false,
            Waiting::Session { after, .. } => {
                let alive = pool.current().is_some() || opened(pool, *after) > 0;
                let what = if alive {
                    "a session: the miner connects, but is not subscribed and authorized"
                } else {
                    "a session: the miner does not come back"
                };
                // Who is not there will not be there for the next trial either.
                self.miss(what.into(), !alive, pool, now);
            }
            Waiting::For(expecting) => {
                let met = expecting.is_met(pool);
                if !met && now < expecting.until {
                    return false;
                }
                let text = expecting.to_string();
                if met {
                    pool.ledger.push(now, None, Fact::Met(text));
                } else if expecting.what.optional {
                    pool.ledger.push(now, None, Fact::MissedOptional(text));
                } else {
                    self.miss(text, false, pool, now);
                }
            }
        }
        self.waiting = Waiting::No;
        true
    }

    /// Something that must be there is not: goes to the end of the trial, or of the case.
    fn miss(&mut self, what: String, whole_case: bool, pool: &mut Pool, now: Timestamp) {
        self.waiting = Waiting::No;
        pool.ledger.push(now, None, Fact::Missed(what));
        let to = match self.trials.last() {
            Some((end, _)) if !whole_case => *end,
            _ => self.ops.len(),
        };
        // Loops that are left are begun anew when they are come to again.
        self.rounds.retain(|place, _| *place > to);
        if to == self.ops.len() {
            for _ in self.trials.drain(..) {
                pool.ledger.push(now, None, Fact::TrialEnd);
            }
            self.end = Timestamp(u64::MAX);
        }
        self.at = to;
    }

    fn step(&mut self, step: &Step, pool: &mut Pool, now: Timestamp, actions: &mut Vec<Action>) {
        if speaks(step) {
            pool.refresh(now, actions);
        }
        let current = pool.current();
        match step {
            Step::Terms(change) => {
                pool.terms = std::mem::take(&mut pool.terms).changed(change);
                if pool.terms.replying == Replying::AtOnce {
                    pool.release(ReleaseStep::InOrder, now, actions);
                }
            }
            Step::Reconnect(within) => {
                let until = now + patience(*within);
                self.waiting = Waiting::Connection { after: pool.ledger.len(), until };
                pool.end_all(now, actions);
            }
            Step::Session(within) => {
                let peer = current.and_then(|current| pool.peers.get(&current));
                let unfit = peer.is_some_and(|peer| !peer.serves(&pool.terms));
                if unfit {
                    pool.end_all(now, actions);
                }
                pool.refresh(now, actions);
                let until = now + patience(*within);
                self.waiting = Waiting::Session { after: pool.ledger.len(), until };
            }
            Step::Notify(spec) => {
                if let Some(connection) = current {
                    pool.notify(connection, spec, now, actions);
                }
            }
            Step::Difficulty(step) => pool.difficulty_step(step, now, actions),
            Step::Extranonce(step) => pool.extranonce_step(step, now, actions),
            Step::Mask(mask) => pool.mask_step(mask, now, actions),
            Step::Line(line) => {
                let line = format!("{}\n", pool.filled(line)).into_bytes();
                tell(current, line, pool, now, actions);
            }
            Step::Bytes(step) => {
                if let Some(connection) = current {
                    pool.tell_bytes(connection, bytes(step, pool), now, actions);
                }
            }
            Step::Ask(ask) => {
                self.asked.insert(ask.id.clone(), pool.ledger.len());
                let params = pool.filled(ask.params.as_deref().unwrap_or("[]"));
                let method = super::wire::quoted(&ask.method);
                let line = format!("{{\"id\":{},\"method\":{method},\"params\":{params}}}\n", ask.id);
                tell(current, line.into_bytes(), pool, now, actions);
            }
            Step::Wait(span) => self.waiting = Waiting::Until(now + span.0),
            Step::Expect(expectation) => {
                let asked = expectation.reply.as_ref().and_then(|id| self.asked.get(id)).copied();
                let until = now + patience_for(expectation);
                let before = self.trials.last().map_or(JobNumber(0), |(_, before)| *before);
                let expecting = Expecting::new(expectation, pool, asked, before, until);
                self.waiting = Waiting::For(Box::new(expecting));
            }
            Step::Transport(transport) => pool.shape(*transport, now, actions),
            Step::Close(how) => {
                if let Some(connection) = current {
                    pool.end(connection, *how == CloseStep::Rst, now, actions);
                }
            }
            Step::Freeze(_) => {
                if let Some((connection, peer)) = pool.current_peer() {
                    peer.frozen = true;
                    actions.push(Action::Freeze(connection));
                }
            }
            Step::Reading(reading) => {
                if let Some((connection, peer)) = pool.current_peer() {
                    peer.reading = *reading;
                    actions.push(Action::Read(connection, *reading));
                }
            }
            Step::Listening(listening) => pool.listen(*listening, actions),
            Step::Moved(true) => pool.serve(Listener::Moved, actions),
            Step::BadTls(true) => pool.serve(Listener::BadTls, actions),
            Step::Moved(false) | Step::BadTls(false) => pool.serve(Listener::Main, actions),
            Step::Release(order) => pool.release(*order, now, actions),
            Step::Mark(name) => pool.ledger.push(now, None, Fact::Mark(name.clone())),
            // They are not in a program.
            Step::Repeat { .. } | Step::Sweep(_) => {}
        }
    }
}

/// Says a line, if there is somebody to say it to.
fn tell(to: Option<Connection>, line: Vec<u8>, pool: &mut Pool, now: Timestamp, actions: &mut Vec<Action>) {
    if let Some(connection) = to {
        pool.tell(connection, line, now, actions);
    }
}

/// Whether the miner must be on work of this case before a step.
fn speaks(step: &Step) -> bool {
    matches!(
        step,
        Step::Notify(_)
            | Step::Difficulty(_)
            | Step::Extranonce(_)
            | Step::Mask(_)
            | Step::Line(_)
            | Step::Bytes(_)
            | Step::Ask(_)
            | Step::Wait(_)
            | Step::Expect(_)
            | Step::Freeze(_)
            | Step::Reading(_)
    )
}

fn bytes(step: &BytesStep, pool: &Pool) -> Vec<u8> {
    let mut once = step.text.as_ref().map_or_else(Vec::new, |text| pool.filled(text).into_bytes());
    once.extend(step.hex.as_deref().and_then(hex::decode).unwrap_or_default());
    let times = step.times.unwrap_or(1) as usize;
    let times = times.min(STEP_BYTES_MAX / once.len().max(1));
    once.repeat(times)
}
