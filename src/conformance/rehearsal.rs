//! An examination in virtual time, of a replica of some firmware.
//!
//! Examiner and device are joined by a network that is a queue of events: 20 ms
//! each way, nothing lost unless a case says so. The same cases, quirks and
//! seed give the same results.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::examiner::{Action, Examiner, Input, Listener, Setting};
use super::log::{Closing, Connection};
use super::result::CaseResult;
use super::scale::WorkScale;
use crate::miner::personality::{Device, DeviceAction, DeviceConfig, DeviceEvent, Ending, Quirk};
use crate::units::{Hashrate, Seconds, Timestamp};

/// When it begins: 2026-01-01.
const EPOCH: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// How long a packet is under way.
const LATENCY: Seconds = Seconds(0.02);

/// What the device claims, hashes a second.
const HASHRATE: f64 = 1e10;

/// What a peer that does not read takes before the window closes.
const WINDOW_BYTES: usize = 64 * 1024;

/// The pool's name, and that of the decoy: of one domain, so that a miner that
/// compares only the end of the name is found out.
const HOST: &str = "stratum.pool.example";
const DECOY_HOST: &str = "decoy.pool.example";
const PORT: u16 = 3333;

/// Whom the device mines for, where the case does not say.
const WORKER: &str = "adit.replica";

/// Runs one case against a replica with `quirks`; the same seed gives the same result.
///
/// # Panics
/// Never: a case that is run has a result.
#[must_use]
pub fn rehearse(case: &Case, quirks: &[Quirk], seed: u64) -> CaseResult {
    rehearse_all(std::slice::from_ref(case), quirks, seed).pop().expect("one case, one result")
}

/// Runs cases one after another over one life of a replica, as a real examination does.
#[must_use]
pub fn rehearse_all(cases: &[Case], quirks: &[Quirk], seed: u64) -> Vec<CaseResult> {
    World::new(cases, quirks, seed, true).run().1
}

/// A packet on its way, or what it causes.
#[derive(Debug)]
enum Event {
    /// The device asks for a connection.
    Asked { connection: Connection, listener: Option<Listener>, accepts_any_certificate: bool },
    /// The device learns whether it has one.
    Told { connection: Connection, accepted: bool },
    /// Bytes reach the pool.
    ToPool(Connection, Vec<u8>),
    /// The pool learns that the device ended a connection.
    PoolClosed(Connection, Ending),
    /// Bytes reach the device.
    ToDevice(Connection, Vec<u8>),
    /// The device learns that the pool ended a connection.
    DeviceClosed(Connection, Ending),
}

/// A connection as the network knows it.
#[derive(Debug, Default)]
struct Link {
    frozen: bool,
    /// What the pool does not read.
    unread: Option<Vec<u8>>,
    /// The device was told that it cannot send.
    blocked: bool,
}

/// Examiner, device, and what is between them.
#[derive(Debug)]
struct World {
    now: Timestamp,
    examiner: Examiner,
    device: Device,
    events: BTreeMap<(Timestamp, u64), Event>,
    events_made: u64,
    listening: BTreeSet<Listener>,
    links: BTreeMap<Connection, Link>,
    connections: u32,
    /// The connection that the device has, or waits for.
    device_has: Option<Connection>,
    results: Vec<CaseResult>,
    done: bool,
}

impl World {
    /// `claims`: whether the examiner is told the hashrate; otherwise it measures it.
    fn new(cases: &[Case], quirks: &[Quirk], seed: u64, claims: bool) -> Self {
        let worker = match cases {
            [case] => case.worker.as_deref(),
            _ => None,
        };
        let worker = worker.unwrap_or(WORKER);
        let hashrate = Hashrate::new(HASHRATE);
        let scale = WorkScale::VIRTUAL;
        let address = |listener, host: &str, port| (listener, host.to_owned(), port);
        let setting = Setting {
            cases: cases.to_vec(),
            hashrate: hashrate.filter(|_| claims),
            scale,
            addresses: vec![
                address(Listener::Main, HOST, PORT),
                address(Listener::SameHost, HOST, PORT + 1),
                address(Listener::Decoy, DECOY_HOST, PORT),
                address(Listener::Moved, HOST, PORT),
                address(Listener::BadTls, HOST, PORT),
            ],
            seed,
        };
        let config = DeviceConfig {
            host: HOST.into(),
            port: PORT,
            // Whoever does not escape it sends no JSON.
            user: worker.into(),
            hashrate: hashrate.unwrap_or_default(),
            claimed_per_real: scale.factor(),
            quirks: quirks.to_vec(),
            seed,
        };
        Self {
            now: EPOCH,
            examiner: Examiner::new(setting, EPOCH),
            device: Device::new(config, EPOCH),
            events: BTreeMap::new(),
            events_made: 0,
            listening: BTreeSet::from([Listener::Main, Listener::SameHost, Listener::Decoy]),
            links: BTreeMap::new(),
            connections: 0,
            device_has: None,
            results: Vec::new(),
            done: false,
        }
    }

    /// The hashrate that the examiner knows in the end, and all results.
    fn run(mut self) -> (Hashrate, Vec<CaseResult>) {
        while !self.done {
            let event = self.events.keys().next().map(|(at, _)| *at);
            let device = self.device.next_wake();
            let examiner = self.examiner.next_wake();
            let Some(next) = event.into_iter().chain(device).chain(examiner).min() else { break };
            self.now = self.now.max(next);
            if event == Some(next) {
                if let Some((_, event)) = self.events.pop_first() {
                    self.happen(event);
                }
            } else if device == Some(next) {
                self.device(DeviceEvent::Tick);
            } else {
                self.examiner(Input::Tick);
            }
        }
        (self.examiner.hashrate(), self.results)
    }

    /// Has something happen after the latency, behind what is already under way.
    fn later(&mut self, event: Event) {
        self.events_made += 1;
        self.events.insert((self.now + LATENCY, self.events_made), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Asked { connection, listener, accepts_any_certificate } => {
                let mut listener = listener.filter(|listener| self.listening.contains(listener));
                if listener == Some(Listener::BadTls) && !accepts_any_certificate {
                    self.examiner(Input::TlsRefused(Listener::BadTls, "bad certificate".into()));
                    listener = None;
                }
                self.later(Event::Told { connection, accepted: listener.is_some() });
                if let Some(listener) = listener {
                    self.links.insert(connection, Link::default());
                    self.examiner(Input::Opened(connection, listener));
                    self.examiner(Input::RoundTrip(connection, Seconds(2.0 * LATENCY.0)));
                }
            }
            Event::Told { connection, accepted } if self.device_has == Some(connection) => {
                if accepted {
                    self.device(DeviceEvent::Connected);
                } else {
                    self.device_has = None;
                    self.device(DeviceEvent::Refused);
                }
            }
            Event::ToPool(connection, bytes) => {
                let Some(link) = self.links.get_mut(&connection).filter(|link| !link.frozen) else { return };
                let Some(unread) = &mut link.unread else {
                    return self.examiner(Input::Received(connection, &bytes));
                };
                unread.extend(bytes);
                if unread.len() > WINDOW_BYTES && !link.blocked && self.device_has == Some(connection) {
                    link.blocked = true;
                    self.device(DeviceEvent::Blocked);
                }
            }
            Event::PoolClosed(connection, ending) => {
                if self.links.get(&connection).is_some_and(|link| !link.frozen) {
                    self.links.remove(&connection);
                    let closing = if ending == Ending::Fin { Closing::Fin } else { Closing::Rst };
                    self.examiner(Input::Closed(connection, closing));
                }
            }
            Event::ToDevice(connection, bytes) if self.device_has == Some(connection) => {
                self.device(DeviceEvent::Received(&bytes));
            }
            Event::DeviceClosed(connection, ending) if self.device_has == Some(connection) => {
                self.device_has = None;
                self.device(DeviceEvent::Closed(ending));
            }
            // What was under way to a device that has gone on is of no interest.
            Event::Told { .. } | Event::ToDevice(..) | Event::DeviceClosed(..) => {}
        }
    }

    fn device(&mut self, event: DeviceEvent<'_>) {
        let mut actions = Vec::new();
        self.device.on(event, self.now, &mut actions);
        for action in actions {
            match action {
                DeviceAction::Connect { host, port, cached, accepts_any_certificate } => {
                    if let Some(left) = self.device_has.take() {
                        self.later(Event::PoolClosed(left, Ending::Rst));
                    }
                    self.connections += 1;
                    let connection = Connection(self.connections);
                    self.device_has = Some(connection);
                    let listener = self.resolve(&host, port, cached);
                    self.later(Event::Asked { connection, listener, accepts_any_certificate });
                }
                DeviceAction::Send(bytes) => {
                    if let Some(connection) = self.device_has {
                        self.later(Event::ToPool(connection, bytes));
                    }
                }
                DeviceAction::Close(ending) => {
                    if let Some(connection) = self.device_has.take() {
                        self.later(Event::PoolClosed(connection, ending));
                    }
                }
            }
        }
    }

    /// Who is behind an address now.
    fn resolve(&self, host: &str, port: u16, cached: bool) -> Option<Listener> {
        match (host, port) {
            (HOST, PORT) if self.listening.contains(&Listener::BadTls) => Some(Listener::BadTls),
            (HOST, PORT) if self.listening.contains(&Listener::Moved) && !cached => Some(Listener::Moved),
            (HOST, PORT) => Some(Listener::Main),
            (HOST, port) if port == PORT + 1 => Some(Listener::SameHost),
            (DECOY_HOST, PORT) => Some(Listener::Decoy),
            _ => None,
        }
    }

    fn examiner(&mut self, input: Input<'_>) {
        let mut actions = Vec::new();
        self.examiner.on(input, self.now, &mut actions);
        for action in actions {
            match action {
                Action::Send(connection, bytes) => {
                    if self.links.get(&connection).is_some_and(|link| !link.frozen) {
                        self.later(Event::ToDevice(connection, bytes));
                    }
                }
                Action::Close(connection) => self.end(connection, Ending::Fin),
                Action::Reset(connection) => self.end(connection, Ending::Rst),
                Action::Freeze(connection) => {
                    if let Some(link) = self.links.get_mut(&connection) {
                        link.frozen = true;
                    }
                }
                Action::Read(connection, reading) => self.read(connection, reading),
                Action::Listen(listener, true) => {
                    self.listening.insert(listener);
                }
                Action::Listen(listener, false) => {
                    self.listening.remove(&listener);
                }
                Action::Began(_) => {}
                Action::Ended(result) => self.results.push(*result),
                Action::Done => self.done = true,
            }
        }
    }

    /// The pool ends a connection, which also ends whatever was done to it.
    fn end(&mut self, connection: Connection, ending: Ending) {
        if self.links.remove(&connection).is_some() {
            self.later(Event::DeviceClosed(connection, ending));
        }
    }

    fn read(&mut self, connection: Connection, reading: bool) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        if !reading {
            link.unread.get_or_insert_default();
            return;
        }
        let unread = link.unread.take().unwrap_or_default();
        let drained = std::mem::take(&mut link.blocked);
        self.examiner(Input::Received(connection, &unread));
        if drained && self.device_has == Some(connection) {
            self.device(DeviceEvent::Drained);
        }
    }
}

#[cfg(test)]
mod tests;
