//! The pool of a case, as a pure state machine.
//!
//! Call [`Examiner::on`] with whatever happens, do the [`Action`]s that it
//! appends, in order, and call it with [`Input::Tick`] at
//! [`Examiner::next_wake`]. It ends with [`Action::Done`].
//!
//! | file | decides |
//! |---|---|
//! | `program`, `script` | which step comes next, and when |
//! | `expecting` | whether what a step waits for has come |
//! | `pool` | what a step does to the connections |
//! | `session` | how a connection's requests are answered |
//! | `jobs`, `coinbase` | what a job is |
//! | `wire`, `lines`, `outbox` | bytes to messages and back, however cut up |
//! | `measure` | how fast the miner is |
//! | `ledger`, `result` | what is kept, and what it comes to |
//!
//! Whatever a peer does, a case ends after the limits of its steps, and no more
//! than a few dozen megabytes are kept of it.

mod coinbase;
mod expecting;
mod jobs;
mod ledger;
mod lines;
mod measure;
mod outbox;
mod pool;
mod program;
mod result;
mod script;
mod session;
mod wire;

pub(super) use jobs::{GOLDEN, HEX_FORMS};
pub(super) use pool::PLACEHOLDERS;
pub(super) use program::{count, longest};

use self::measure::Measuring;
use self::pool::Pool;
use self::script::Script;
use super::case::Case;
use super::judge::Context;
use super::log::{Closing, Connection, Fact};
use super::result::{CaseResult, Outcome};
use super::scale::WorkScale;
use super::step::Step;
use crate::units::{Hashrate, Seconds, Timestamp};

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listener {
    /// Where the miner was pointed at.
    Main,
    /// Another port of the same host: a place it may be sent to.
    SameHost,
    /// Another host, which no miner may be sent to.
    Decoy,
    /// The main address after it moved, for miners that look it up again.
    Moved,
    /// With TLS, and a certificate that is expired, for another host, or signed by nobody.
    BadTls,
}

impl Listener {
    const ALL: [Self; 5] = [Self::Main, Self::SameHost, Self::Decoy, Self::Moved, Self::BadTls];

    /// What stands for its host and its port in a case.
    const fn placeholders(self) -> (&'static str, &'static str) {
        match self {
            Self::Main => ("{host}", "{port}"),
            Self::SameHost => ("{same_host}", "{same_host_port}"),
            Self::Decoy => ("{decoy_host}", "{decoy_port}"),
            Self::Moved => ("{moved_host}", "{moved_port}"),
            Self::BadTls => ("{bad_tls_host}", "{bad_tls_port}"),
        }
    }
}

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was accepted. The driver numbers them.
    Opened(Connection, Listener),
    /// Bytes came.
    Received(Connection, &'a [u8]),
    /// A connection ended, not by us.
    Closed(Connection, Closing),
    /// A miner began TLS and refused the certificate, with this alert.
    TlsRefused(Listener, String),
    /// The round trip of a connection was measured.
    RoundTrip(Connection, Seconds),
    /// The time of [`Examiner::next_wake`] came.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send these bytes as one write.
    Send(Connection, Vec<u8>),
    /// End it with FIN.
    Close(Connection),
    /// End it with RST.
    Reset(Connection),
    /// From here on drop all packets both ways.
    Freeze(Connection),
    /// Read from it, or not.
    Read(Connection, bool),
    /// Accept connections on a listener, or refuse them.
    Listen(Listener, bool),
    /// A case began: its place in the list.
    Began(usize),
    /// A case ended.
    Ended(Box<CaseResult>),
    /// All cases ended.
    Done,
}

/// What holds for a whole examination.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// The miner's hashrate as its user claims it; measured first when absent.
    pub hashrate: Option<Hashrate>,
    /// Claimed hashes for each real one.
    pub scale: WorkScale,
    /// `host:port` of each listener that exists, as the miner can reach it.
    pub addresses: Vec<(Listener, String, u16)>,
    /// Seed of extranonces, hashes and coinbases.
    pub seed: u64,
}

/// What the examiner is doing.
#[derive(Debug)]
enum Stage {
    /// Nothing was begun.
    Before,
    /// It measures the hashrate.
    Measuring(Measuring),
    /// It runs a case.
    Running { script: Box<Script>, began: Timestamp },
    /// All cases ended.
    Done,
}

/// Plays the pool of one case after another.
#[derive(Debug)]
pub struct Examiner {
    cases: Vec<Case>,
    claimed: bool,
    /// The present case.
    case: usize,
    stage: Stage,
    pool: Pool,
    began: Timestamp,
}

impl Examiner {
    /// Begins with the first call of [`Self::on`].
    #[must_use]
    pub fn new(setting: Setting, now: Timestamp) -> Self {
        let mut pool = Pool::new(setting.scale, setting.addresses, setting.seed);
        pool.hashrate = setting.hashrate.unwrap_or_default();
        Self {
            cases: setting.cases,
            claimed: setting.hashrate.is_some(),
            case: 0,
            stage: Stage::Before,
            pool,
            began: now,
        }
    }

    /// When to call with [`Input::Tick`]; `None` when only the miner can make it go on.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let stage = match &self.stage {
            Stage::Before => Some(self.began),
            Stage::Measuring(measuring) => measuring.next_wake(),
            Stage::Running { script, .. } => script.next_wake(),
            Stage::Done => return None,
        };
        stage.into_iter().chain(self.pool.next_wake()).min()
    }

    /// Takes what happened; appends what to do.
    pub fn on(&mut self, input: Input<'_>, now: Timestamp, actions: &mut Vec<Action>) {
        if matches!(self.stage, Stage::Done) {
            return;
        }
        if matches!(self.stage, Stage::Before) {
            self.stage = if self.claimed {
                self.begin(now, actions)
            } else {
                Stage::Measuring(Measuring::new(&mut self.pool))
            };
        }
        match input {
            Input::Opened(connection, listener) => self.pool.opened(connection, listener, now, actions),
            Input::Received(connection, bytes) => self.pool.received(connection, bytes, now, actions),
            Input::Closed(connection, closing) => self.pool.closed(connection, closing, now),
            Input::RoundTrip(connection, seconds) => {
                self.pool.ledger.push(now, Some(connection), Fact::RoundTrip(seconds.0));
            }
            Input::TlsRefused(_, alert) => {
                self.pool.ledger.push(now, None, Fact::TlsRefused(alert.chars().take(200).collect()));
            }
            Input::Tick => {}
        }
        self.pool.tick(now, actions);
        self.go_on(now, actions);
    }

    /// Hashes a second, as claimed or measured.
    #[must_use]
    pub fn hashrate(&self) -> Hashrate {
        self.pool.hashrate
    }

    /// What the miner calls itself, as far as it said.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.pool.user_agent.as_deref()
    }

    fn go_on(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        loop {
            match &mut self.stage {
                Stage::Before | Stage::Done => return,
                Stage::Measuring(measuring) => {
                    if !measuring.run(&mut self.pool, now, actions) {
                        return;
                    }
                    self.stage = self.begin(now, actions);
                }
                Stage::Running { script, began } => {
                    if !script.run(&mut self.pool, now, actions) {
                        return;
                    }
                    let began = *began;
                    let context = Context { hashrate: self.pool.hashrate, claimed: self.claimed };
                    let case = &self.cases[self.case];
                    let result = result::judged(case, &self.pool.ledger, &context, began, now);
                    actions.push(Action::Ended(Box::new(result)));
                    self.case += 1;
                    self.stage = self.begin(now, actions);
                }
            }
        }
    }

    /// Begins the next case that can be run here.
    fn begin(&mut self, now: Timestamp, actions: &mut Vec<Action>) -> Stage {
        while let Some(case) = self.cases.get(self.case) {
            actions.push(Action::Began(self.case));
            let is_missing = |listener: &Listener| need(&case.steps, *listener) && !self.pool.has(*listener);
            let Some(missing) = Listener::ALL.into_iter().find(is_missing) else {
                self.pool.begin(now, actions);
                return Stage::Running { script: Box::new(Script::new(case, now)), began: now };
            };
            let why = format!("It needs {}.", described(missing));
            actions.push(Action::Ended(Box::new(CaseResult::not_run(case, Outcome::Inconclusive, why))));
            self.case += 1;
        }
        self.pool.end_all(now, actions);
        actions.push(Action::Done);
        Stage::Done
    }
}

/// Whether steps make no sense without a listener.
fn need(steps: &[Step], listener: Listener) -> bool {
    steps.iter().any(|step| {
        let (host, port) = listener.placeholders();
        let named = || step.texts().into_iter().any(|text| text.contains(host) || text.contains(port));
        match step {
            Step::Moved(true) => listener == Listener::Moved,
            Step::BadTls(true) => listener == Listener::BadTls,
            Step::Repeat { steps, .. } => need(steps, listener),
            Step::Sweep(sweep) => sweep.trials.iter().any(|(_, steps)| need(steps, listener)),
            _ => named(),
        }
    })
}

fn described(listener: Listener) -> &'static str {
    match listener {
        Listener::Main => "the pool's address",
        Listener::SameHost => "a second port on the same host",
        Listener::Decoy => "a second address as a decoy: --decoy ADDR",
        Listener::Moved => "a second address that the pool's name can lead to: --moved ADDR",
        Listener::BadTls => "a port with a bad certificate: --tls ADDR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Outcome, cases};

    #[test]
    fn a_case_whose_address_is_missing_says_what_it_needs() {
        let needing = |id: &str| cases().iter().find(|case| case.id == id).cloned();
        let setting = Setting {
            cases: ["S01", "N13", "N14"].into_iter().filter_map(needing).collect(),
            hashrate: Hashrate::new(1e12),
            scale: WorkScale::REAL,
            addresses: vec![(Listener::Main, "127.0.0.1".into(), 3333)],
            seed: 1,
        };
        let mut actions = Vec::new();
        Examiner::new(setting, Timestamp::default()).on(Input::Tick, Timestamp::default(), &mut actions);
        let results = actions.iter().filter_map(|action| match action {
            Action::Ended(result) => Some((result.outcome, result.summary.as_str())),
            _ => None,
        });
        let expected = [
            (Outcome::Inconclusive, "It needs a second address as a decoy: --decoy ADDR."),
            (
                Outcome::Inconclusive,
                "It needs a second address that the pool's name can lead to: --moved ADDR.",
            ),
            (Outcome::Inconclusive, "It needs a port with a bad certificate: --tls ADDR."),
        ];
        assert_eq!(results.collect::<Vec<_>>(), expected);
        assert_eq!(actions.last(), Some(&Action::Done));
    }
}
