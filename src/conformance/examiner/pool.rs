//! The test pool that a script acts on: its connections, terms, jobs and log.

use std::collections::{BTreeMap, BTreeSet};

use super::jobs::{Frame, Workshop};
use super::ledger::Ledger;
use super::outbox::Outbox;
use super::session::{Peer, Then};
use super::{Action, Listener};
use crate::conformance::log::{Closing, Connection, Difference, Fact, JobNumber};
use crate::conformance::scale::WorkScale;
use crate::conformance::step::{DifficultyStep, ExtranonceStep, TransportStep};
use crate::conformance::terms::{FirstJob, JobSpec, Terms};
use crate::stratum::v1::{hex, write_set_difficulty};
use crate::units::{Difficulty, Hashrate, Timestamp};

/// Connections at the same time; a device has one or two.
const CONNECTIONS_MAX: usize = 64;

/// For how long shares for jobs of the case before are no news.
const LATE_SHARES_SECONDS: f64 = 10.0;

/// The pool.
#[derive(Debug)]
pub(super) struct Pool {
    pub scale: WorkScale,
    pub hashrate: Hashrate,
    pub terms: Terms,
    pub ledger: Ledger,
    pub user_agent: Option<String>,
    pub peers: BTreeMap<Connection, Peer>,
    /// Shares that came in this case.
    pub shares: u32,
    addresses: Vec<(Listener, String, u16)>,
    workshop: Workshop,
    transport: TransportStep,
    extranonces: u32,
    served: Listener,
    listening: bool,
    /// Jobs of the case before, as named.
    retired: (BTreeSet<(Connection, String)>, Timestamp),
    /// Id of the newest job, on any connection.
    newest_job_id: String,
}

impl Pool {
    /// A pool with nobody connected.
    pub fn new(scale: WorkScale, addresses: Vec<(Listener, String, u16)>, seed: u64) -> Self {
        Self {
            scale,
            hashrate: Hashrate::default(),
            terms: Terms::default(),
            ledger: Ledger::default(),
            user_agent: None,
            peers: BTreeMap::new(),
            shares: 0,
            addresses,
            workshop: Workshop::new(seed),
            transport: TransportStep::default(),
            extranonces: 0,
            served: Listener::Main,
            listening: true,
            retired: (BTreeSet::new(), Timestamp::default()),
            newest_job_id: String::new(),
        }
    }

    /// Begins a case's log; gives the log of what was before.
    pub fn begin(&mut self, now: Timestamp, actions: &mut Vec<Action>) -> Ledger {
        self.terms = Terms::default();
        self.shares = 0;
        self.shape(TransportStep::default(), now, actions);
        self.serve(Listener::Main, actions);
        self.listen(true, actions);
        // What an earlier case left behind can be no fault of this one.
        let unfit: Vec<Connection> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.is_spoilt())
            .map(|(connection, _)| *connection)
            .collect();
        for connection in unfit {
            self.end(connection, true, now, actions);
        }
        let before = std::mem::take(&mut self.ledger);
        let named = before.log().jobs().rev().take(4096).map(|job| (job.connection, job.id.clone()));
        self.retired = (named.collect(), now);
        for (connection, peer) in &mut self.peers {
            peer.is_stale = peer.ready.is_some();
            for change in [
                Difference::Extranonce {
                    extranonce1: peer.extranonce1.clone(),
                    extranonce2_bytes: peer.extranonce2_bytes.unwrap_or_default(),
                },
                Difference::Mask(peer.mask),
                Difference::Difficulty(peer.difficulty),
            ] {
                self.ledger.push(now, Some(*connection), Fact::Changed(change));
            }
            if peer.ready.is_some() {
                self.ledger.push(now, Some(*connection), Fact::Ready);
            }
        }
        before
    }

    /// The connection that steps are about: the last that became ready, else the newest.
    pub fn current(&self) -> Option<Connection> {
        let open = self.peers.iter().filter(|(_, peer)| !peer.frozen);
        open.max_by_key(|(connection, peer)| (peer.ready, **connection)).map(|(connection, _)| *connection)
    }

    /// The peer that steps are about.
    pub fn current_peer(&mut self) -> Option<(Connection, &mut Peer)> {
        let connection = self.current()?;
        Some((connection, self.peers.get_mut(&connection)?))
    }

    /// Whether the session is complete: handshake done, and a job there unless the case sends it.
    pub fn is_in_session(&self) -> bool {
        let peer = self.current().and_then(|connection| self.peers.get(&connection));
        peer.is_some_and(|peer| {
            peer.ready.is_some() && (peer.jobs > 0 || self.terms.first_job == FirstJob::ByHand)
        })
    }

    /// A connection came in.
    pub fn opened(
        &mut self,
        connection: Connection,
        listener: Listener,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.ledger.push(now, Some(connection), Fact::Opened(listener));
        if self.peers.len() >= CONNECTIONS_MAX || self.terms.slam {
            self.ledger.push(now, Some(connection), Fact::Closed(Closing::ByPool));
            return actions.push(Action::Close(connection));
        }
        let mut outbox = Outbox::default();
        outbox.shape(self.transport);
        let peer = Peer::new(listener, outbox, &self.terms, self.usual_difficulty());
        self.peers.insert(connection, peer);
    }

    /// A connection ended, not by us.
    pub fn closed(&mut self, connection: Connection, closing: Closing, now: Timestamp) {
        if self.peers.remove(&connection).is_some() {
            self.ledger.push(now, Some(connection), Fact::Closed(closing));
        }
    }

    /// Ends a connection, with RST or FIN.
    pub fn end(&mut self, connection: Connection, hard: bool, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.remove(&connection) else { return };
        self.ledger.push(now, Some(connection), Fact::Closed(Closing::ByPool));
        // Nobody would hear a FIN behind a wall.
        let hard = hard || peer.frozen;
        actions.push(if hard { Action::Reset(connection) } else { Action::Close(connection) });
    }

    /// Ends all of them.
    pub fn end_all(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let all: Vec<Connection> = self.peers.keys().copied().collect();
        for connection in all {
            self.end(connection, false, now, actions);
        }
    }

    /// Gives lines to a connection.
    pub fn tell(
        &mut self,
        connection: Connection,
        lines: Vec<u8>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.outbox.lines(lines);
            self.send(connection, now, actions);
        }
    }

    /// Gives bytes to a connection.
    pub fn tell_bytes(
        &mut self,
        connection: Connection,
        bytes: Vec<u8>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.outbox.bytes(bytes);
            self.send(connection, now, actions);
        }
    }

    /// Lets go what is due.
    fn send(&mut self, connection: Connection, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let (ledger, frozen) = (&mut self.ledger, peer.frozen);
        peer.outbox.take(now, |piece| {
            if !frozen {
                ledger.push(now, Some(connection), Fact::Told(piece.clone()));
                actions.push(Action::Send(connection, piece));
            }
        });
    }

    /// When something is due.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let of = |peer: &Peer| peer.outbox.next_wake().into_iter().chain(peer.next_delayed()).min();
        self.peers.values().filter_map(of).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let all: Vec<Connection> = self.peers.keys().copied().collect();
        for connection in all {
            while let Some(reply) = self.peers.get_mut(&connection).and_then(|peer| peer.take_delayed(now)) {
                self.reply(connection, reply, now, actions);
            }
            self.send(connection, now, actions);
        }
    }

    /// How bytes go out from here on, on all connections.
    pub fn shape(&mut self, transport: TransportStep, now: Timestamp, actions: &mut Vec<Action>) {
        if self.transport == transport {
            return;
        }
        self.transport = transport;
        let all: Vec<Connection> = self.peers.keys().copied().collect();
        for connection in all {
            if let Some(peer) = self.peers.get_mut(&connection) {
                peer.outbox.shape(transport);
            }
            self.send(connection, now, actions);
        }
    }

    /// Accepts connections, or not.
    pub fn listen(&mut self, listening: bool, actions: &mut Vec<Action>) {
        if self.listening != listening {
            self.listening = listening;
            actions.push(Action::Listen(self.served, listening));
        }
    }

    /// Puts a listener behind the pool's name.
    pub fn serve(&mut self, listener: Listener, actions: &mut Vec<Action>) {
        if self.served != listener {
            actions.push(Action::Listen(self.served, false));
            self.served = listener;
            actions.push(Action::Listen(listener, self.listening));
        }
    }

    /// Sends a job.
    pub fn notify(
        &mut self,
        connection: Connection,
        spec: &JobSpec,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        let mut spec = spec.over(&self.terms.job);
        for (_, json) in spec.replace.iter_mut().flatten() {
            *json = filled(json, &self.addresses, &self.newest_job_id, &peer.extranonce1);
        }
        let frame = Frame {
            connection,
            extranonce1: &peer.extranonce1,
            extranonce2_bytes: peer.extranonce2_bytes,
            difficulty: peer.difficulty,
            prev_hash: peer.prev_hash,
            now,
        };
        let (job, line) = self.workshop.make(&spec, &frame);
        peer.jobs += 1;
        peer.is_stale = false;
        peer.prev_hash = Some(job.prev_hash);
        if job.clean || job.new_block {
            peer.oldest_fresh = job.number;
        }
        self.newest_job_id.clone_from(&job.id);
        self.tell(connection, line, now, actions);
        self.ledger.push(now, Some(connection), Fact::Job(Box::new(job)));
    }

    /// The first difficulty and job of a session, or those of a new case.
    pub fn first_job(&mut self, connection: Connection, now: Timestamp, actions: &mut Vec<Action>) {
        self.set_difficulty(connection, self.usual_difficulty(), now, actions);
        let spec = JobSpec { clean: Some(true), new_block: Some(true), ..JobSpec::default() };
        // What the terms say about jobs is stronger than what is usual.
        let usual = std::mem::take(&mut self.terms.job);
        self.notify(connection, &usual.over(&spec), now, actions);
        self.terms.job = usual;
    }

    /// Gives the present connection work of this case where it still has that of the one before.
    pub fn refresh(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if let Some((connection, peer)) = self.current_peer()
            && std::mem::take(&mut peer.is_stale)
        {
            self.first_job(connection, now, actions);
        }
    }

    /// An extranonce1 of the length that the terms ask for, new each time.
    pub fn fresh_extranonce1(&mut self) -> Vec<u8> {
        self.extranonces += 1;
        self.workshop.extranonce1(self.extranonces, self.terms.extranonce1_bytes)
    }

    /// A difficulty that makes the miner find shares at the rate of the terms.
    pub fn usual_difficulty(&self) -> Difficulty {
        self.difficulty_for(self.terms.rate).rounded()
    }

    /// The difficulty at which the miner finds so many shares in a second.
    fn difficulty_for(&self, rate: f64) -> Difficulty {
        let expected = self.hashrate.hashes_per_second() / rate / Difficulty::ONE.expected_hashes();
        Difficulty::new(expected).unwrap_or(Difficulty::MAX).clamp(Difficulty::MIN, Difficulty::MAX)
    }

    /// Announces a difficulty.
    pub fn set_difficulty(
        &mut self,
        connection: Connection,
        difficulty: Difficulty,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        peer.difficulty = difficulty;
        let mut line = Vec::new();
        write_set_difficulty(&mut line, difficulty);
        self.tell(connection, line, now, actions);
        self.ledger.push(now, Some(connection), Fact::Changed(Difference::Difficulty(difficulty)));
    }

    /// Announces a difficulty as a step says.
    pub fn difficulty_step(&mut self, step: &DifficultyStep, now: Timestamp, actions: &mut Vec<Action>) {
        let Some((connection, peer)) = self.current_peer() else { return };
        let present = peer.difficulty;
        let difficulty = match step {
            DifficultyStep::Value(value) => Difficulty::new(*value),
            DifficultyStep::Rate(rate) => Some(self.difficulty_for(*rate)),
            DifficultyStep::Factor(factor) => Some(present.scaled(*factor)),
            DifficultyStep::Raw(json) => {
                let line = command("mining.set_difficulty", json);
                return self.tell(connection, line, now, actions);
            }
        };
        if let Some(difficulty) = difficulty {
            self.set_difficulty(connection, difficulty, now, actions);
        }
    }

    /// Announces an extranonce as a step says.
    pub fn extranonce_step(&mut self, step: &ExtranonceStep, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(connection) = self.current() else { return };
        if let Some(json) = &step.raw {
            let json = self.filled(json);
            return self.tell(connection, command("mining.set_extranonce", &json), now, actions);
        }
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        self.extranonces += 1;
        let bytes = step.bytes1.unwrap_or(peer.extranonce1.len());
        peer.extranonce1 = self.workshop.extranonce1(self.extranonces, bytes);
        let announced = step.bytes2.unwrap_or(peer.extranonce2_bytes.unwrap_or(8) as i64);
        peer.extranonce2_bytes = usize::try_from(announced).ok().filter(|bytes| *bytes <= 4096);
        let params = format!("\"{}\",{announced}", hex::encode(&peer.extranonce1));
        let change = peer.extranonce2_bytes.map(|extranonce2_bytes| Difference::Extranonce {
            extranonce1: peer.extranonce1.clone(),
            extranonce2_bytes,
        });
        self.tell(connection, command("mining.set_extranonce", &params), now, actions);
        if let Some(change) = change {
            self.ledger.push(now, Some(connection), Fact::Changed(change));
        }
    }

    /// Announces a version mask.
    pub fn mask_step(&mut self, mask: &str, now: Timestamp, actions: &mut Vec<Action>) {
        let Some((connection, peer)) = self.current_peer() else { return };
        let Some(mask) = hex::decode_u32(mask) else { return };
        peer.mask = mask;
        let line = command("mining.set_version_mask", &format!("\"{mask:08x}\""));
        self.tell(connection, line, now, actions);
        self.ledger.push(now, Some(connection), Fact::Changed(Difference::Mask(mask)));
    }

    /// Shares of jobs that the case before sent, shortly after it ended.
    pub fn is_of_case_before(&self, connection: Connection, job: &str, now: Timestamp) -> bool {
        let (jobs, since) = &self.retired;
        now.since(*since).0 < LATE_SHARES_SECONDS
            && jobs.contains(&(connection, job.to_owned()))
            && self.ledger.log().newest_job_named(connection, job).is_none()
    }

    /// A text with what its placeholders stand for.
    pub fn filled(&self, text: &str) -> String {
        let peer = self.current().and_then(|connection| self.peers.get(&connection));
        let extranonce1 = peer.map_or(&[][..], |peer| &peer.extranonce1);
        filled(text, &self.addresses, &self.newest_job_id, extranonce1)
    }

    /// The newest job, on any connection.
    pub fn newest_job(&self) -> JobNumber {
        self.workshop.newest()
    }

    /// Whether a listener exists.
    pub fn has(&self, listener: Listener) -> bool {
        self.addresses.iter().any(|(present, ..)| *present == listener)
    }

    /// Does what follows once a reply went out.
    pub fn follow(&mut self, connection: Connection, then: &Then, now: Timestamp, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        match then {
            Then::Nothing => {}
            Then::Configured(mask) => {
                peer.mask = *mask;
                peer.granted = *mask;
                self.ledger.push(now, Some(connection), Fact::Changed(Difference::Mask(*mask)));
            }
            Then::Subscribed => {
                peer.subscribed = true;
                let change = Difference::Extranonce {
                    extranonce1: peer.extranonce1.clone(),
                    extranonce2_bytes: peer.extranonce2_bytes.unwrap_or_default(),
                };
                self.ledger.push(now, Some(connection), Fact::Changed(change));
                if peer.jobs == 0 && self.terms.first_job == FirstJob::AfterSubscribe {
                    self.first_job(connection, now, actions);
                }
            }
            Then::Authorized => peer.authorized = true,
            Then::Answered { share, accepted } => {
                let answered = Fact::Answered { share: *share, accepted: *accepted };
                self.ledger.push(now, Some(connection), answered);
            }
        }
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        if peer.subscribed && peer.authorized && peer.ready.is_none() {
            peer.ready = Some(now);
            let jobless = peer.jobs == 0;
            self.ledger.push(now, Some(connection), Fact::Ready);
            if jobless && self.terms.first_job != FirstJob::ByHand {
                self.first_job(connection, now, actions);
            }
        }
    }
}

/// A notification's line; `params` are the elements of its list.
fn command(method: &str, params: &str) -> Vec<u8> {
    format!("{{\"id\":null,\"method\":\"{method}\",\"params\":[{params}]}}\n").into_bytes()
}

/// What can stand in a text for something that is known only when it is sent.
pub(in crate::conformance) const PLACEHOLDERS: [&str; 12] = [
    "{host}",
    "{port}",
    "{same_host}",
    "{same_host_port}",
    "{decoy_host}",
    "{decoy_port}",
    "{moved_host}",
    "{moved_port}",
    "{bad_tls_host}",
    "{bad_tls_port}",
    "{job_id}",
    "{extranonce1}",
];

fn filled(text: &str, addresses: &[(Listener, String, u16)], job_id: &str, extranonce1: &[u8]) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let mut text = text.replace("{job_id}", job_id).replace("{extranonce1}", &hex::encode(extranonce1));
    for (listener, host, port) in addresses {
        let (host_name, port_name) = listener.placeholders();
        text = text.replace(host_name, host).replace(port_name, &port.to_string());
    }
    text
}
