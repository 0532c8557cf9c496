//! The task that owns the examiner.
//!
//! Events come in one order, with the time at which they were read from the
//! socket; the examiner's clock never runs backwards. Timers are looked at
//! after every event, so a peer that talks without end delays none.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::{Order, Peer};
use super::listeners::{Listeners, other_host};
use super::{
    CASE_BYTES_MAX, CONNECTIONS_MAX, CheckError, CheckOptions, Play, Progress, bad_tls, connection, reachable,
};
use crate::conformance::{
    Action, Case, CaseResult, Closing, Connection, Examination, Input, Listener, Outcome, Setting, WorkScale,
};
use crate::net::Clock;
use crate::units::Timestamp;

/// Events that wait for the examiner. Each connection keeps one place while it
/// reads, so there must be more than connections.
const EVENTS: usize = 4 * CONNECTIONS_MAX;

/// A miner that is away for so long, though it could connect, does not come back by itself.
const GONE_AFTER: Duration = Duration::from_secs(600);

/// What happened outside, and when.
#[derive(Debug)]
pub(super) struct Event {
    pub at: Timestamp,
    pub what: What,
}

/// What happened outside.
#[derive(Debug)]
pub(super) enum What {
    Accepted(Listener, TcpStream, SocketAddr),
    /// A miner went through with TLS.
    Secured(Box<TlsStream<TcpStream>>, SocketAddr),
    Received(Connection, Vec<u8>),
    Closed(Connection, Closing),
    /// A miner did not go through with TLS; why.
    Refused(String),
    Note(String),
}

/// See [`super::run`]; `play` makes the pool when the first miner is there.
pub(super) async fn run<P: Play>(
    options: CheckOptions,
    stop: impl Future<Output = ()>,
    mut each: impl FnMut(Progress<'_>),
    play: impl FnOnce(Setting, Timestamp) -> P,
) -> Result<Examination, CheckError> {
    let mut stop = pin!(stop);
    let clock = Clock::start();
    let began = clock.now();
    let (sender, mut events) = mpsc::channel(EVENTS);
    let mut listeners = Listeners::new(sender.clone(), clock);
    let main = listeners.open_for(Listener::Main, options.listen, "--v1")?;
    let mut named = Vec::new();
    for (listener, address, flag) in [
        (Listener::Decoy, options.decoy, "--decoy"),
        (Listener::Moved, options.moved, "--moved"),
        (Listener::BadTls, options.tls, "--tls"),
    ] {
        if let Some(address) = address {
            named.push((listener, listeners.open_for(listener, address, flag)?));
            if listener != Listener::Decoy {
                // It is known to be free; a case opens it when its time comes.
                listeners.close(listener).await;
            }
        }
    }
    let acceptor = bad_tls::acceptor()?;
    each(Progress::Listening(main));

    let mut report = Examination {
        adit: env!("CARGO_PKG_VERSION").to_owned(),
        began_us: began.0,
        seconds: 0.0,
        user_agent: None,
        hashrate: options.hashrate.map_or(0.0, |rate| rate.hashes_per_second()),
        hashrate_claimed: options.hashrate.is_some(),
        selection: options.selection.clone(),
        notes: Vec::new(),
        cases: Vec::new(),
    };
    let first = tokio::select! {
        first = first(&mut events) => first,
        () = tokio::time::sleep(options.wait) => {
            let host = options.host.clone().unwrap_or_else(|| reachable(main.ip()));
            return Err(CheckError::NobodyCame { address: main, host, waited: options.wait });
        }
        () = &mut stop => {
            report.cases = skipped(&options.cases, 0, &mut each);
            return Ok(report);
        }
    };
    let (first, arrived_at) = first;

    let mut notes = Vec::new();
    let addresses = addresses(&options, &mut listeners, main, arrived_at, named, &mut notes);
    let setting = Setting {
        cases: options.cases.clone(),
        hashrate: options.hashrate,
        scale: WorkScale::REAL,
        addresses,
        seed: options.seed,
    };
    let mut driver = Driver {
        play: play(setting, clock.now()),
        cases: options.cases,
        clock,
        now: clock.now(),
        sender,
        listeners,
        acceptor,
        peers: BTreeMap::new(),
        next: 1,
        permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        heard: 0,
        alone_since: None,
        given_up: Vec::new(),
        results: Vec::new(),
        notes: Vec::new(),
        each: &mut each,
        done: false,
    };
    notes.into_iter().for_each(|note| driver.note(note));
    driver.take(first).await;
    driver.work(events, stop).await;

    report.seconds = clock.now().since(began).0;
    report.user_agent = driver.play.user_agent();
    if let Some(rate) = driver.play.hashrate() {
        report.hashrate = rate.hashes_per_second();
    }
    report.cases = driver.results;
    report.notes = driver.notes;
    let remaining = skipped(&driver.cases, report.cases.len(), &mut each);
    report.cases.extend(remaining);
    Ok(report)
}

/// The first connection to the main listener, and the address of ours that it
/// found; others are not waited for yet.
async fn first(events: &mut mpsc::Receiver<Event>) -> (Event, Option<SocketAddr>) {
    while let Some(event) = events.recv().await {
        if let What::Accepted(Listener::Main, stream, _) = &event.what {
            let arrived_at = stream.local_addr().ok();
            return (event, arrived_at);
        }
    }
    std::future::pending().await
}

/// Where each listener can be reached; opens those that nobody has to name.
fn addresses(
    options: &CheckOptions,
    listeners: &mut Listeners,
    main: SocketAddr,
    arrived_at: Option<SocketAddr>,
    named: Vec<(Listener, SocketAddr)>,
    notes: &mut Vec<String>,
) -> Vec<(Listener, String, u16)> {
    let ip = arrived_at.map_or(main.ip(), |address| address.ip().to_canonical());
    let host = options.host.clone().unwrap_or_else(|| ip.to_string());
    let mut addresses = vec![(Listener::Main, host.clone(), main.port())];
    // Predictable where possible: somebody may have to open it in a firewall.
    // Ports of listeners that are closed for now look free, and are not.
    let next = main.port().wrapping_add(1);
    let taken = named.iter().any(|(_, address)| address.port() == next);
    match listeners.open_any(Listener::SameHost, main.ip(), [if taken { 0 } else { next }, 0]) {
        Ok(address) => addresses.push((Listener::SameHost, host.clone(), address.port())),
        Err(error) => notes.push(format!(
            "there is no second port on this host ({error}): cases that send the miner there are inconclusive"
        )),
    }
    for (listener, address) in &named {
        let host = if address.ip().is_unspecified() { host.clone() } else { address.ip().to_string() };
        addresses.push((*listener, host, address.port()));
    }
    let lacks = |listener| !named.iter().any(|(other, _)| *other == listener);
    if lacks(Listener::Decoy) {
        let other = other_host(ip)
            .and_then(|other| listeners.open_any(Listener::Decoy, other, [main.port(), 0]).ok());
        match other {
            Some(address) => addresses.push((Listener::Decoy, address.ip().to_string(), address.port())),
            None => notes.push(
                "there is no second host to lure the miner to: cases that need one are inconclusive; give another \
                 address of this machine with --decoy ADDR"
                    .to_owned(),
            ),
        }
    }
    addresses
}

/// Results of the cases from the `from`th on, which were not run.
fn skipped(cases: &[Case], from: usize, each: &mut impl FnMut(Progress<'_>)) -> Vec<CaseResult> {
    let result = |case: &Case| {
        CaseResult::not_run(case, Outcome::Skipped, "not run: the examination ended before".to_owned())
    };
    let mut results: Vec<CaseResult> = cases.iter().skip(from).map(result).collect();
    results.iter_mut().for_each(|result| each(Progress::Ended(result)));
    results
}

struct Driver<'a, P, F> {
    play: P,
    cases: Vec<Case>,
    clock: Clock,
    /// The examiner's time.
    now: Timestamp,
    sender: mpsc::Sender<Event>,
    listeners: Listeners,
    acceptor: TlsAcceptor,
    peers: BTreeMap<Connection, Peer>,
    next: u32,
    permits: Arc<Semaphore>,
    /// Bytes that peers said in the present case.
    heard: usize,
    /// Since when no peer is there though the main listener is open.
    alone_since: Option<Instant>,
    /// Connections that were ended because they read nothing.
    given_up: Vec<Connection>,
    results: Vec<CaseResult>,
    notes: Vec<String>,
    each: &'a mut F,
    done: bool,
}

impl<P: Play, F: FnMut(Progress<'_>)> Driver<'_, P, F> {
    async fn work(&mut self, mut events: mpsc::Receiver<Event>, mut stop: impl Future<Output = ()> + Unpin) {
        while !self.done {
            let wake = self.play.next_wake();
            let timer = async {
                match wake {
                    Some(at) => sleep_until(Instant::from_std(self.clock.instant(at))).await,
                    None => std::future::pending().await,
                }
            };
            let gone = self.alone_since.map(|since| since + GONE_AFTER);
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event).await,
                    None => return,
                },
                () = timer => {}
                () = &mut stop => {
                    self.note("the examination was ended by hand".to_owned());
                    return;
                }
                () = sleep_until(gone.unwrap_or_else(Instant::now)), if gone.is_some() => {
                    let minutes = GONE_AFTER.as_secs() / 60;
                    self.note(format!(
                        "the miner has not come back for {minutes} min: has it crashed? The remaining cases are skipped"
                    ));
                    return;
                }
            }
            let now = self.clock.now();
            if self.play.next_wake().is_some_and(|at| at <= now) {
                self.tell(Input::Tick, now).await;
            }
        }
    }

    /// Passes what happened on to the examiner.
    async fn take(&mut self, event: Event) {
        match event.what {
            What::Accepted(Listener::BadTls, stream, peer) => self.shake_hands(stream, peer),
            What::Accepted(listener, stream, peer) => {
                let Some((number, orders, permit)) = self.admit(listener, peer) else { return };
                // A reply must not wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection::serve(
                    stream,
                    number,
                    orders,
                    self.sender.clone(),
                    self.clock,
                    permit,
                ));
                self.tell(Input::Opened(number, listener), event.at).await;
            }
            What::Secured(stream, peer) => {
                let Some((number, orders, permit)) = self.admit(Listener::BadTls, peer) else { return };
                let (sender, clock) = (self.sender.clone(), self.clock);
                tokio::spawn(async move {
                    bad_tls::serve(*stream, number, orders, sender, clock).await;
                    drop(permit);
                });
                self.tell(Input::Opened(number, Listener::BadTls), event.at).await;
            }
            What::Received(number, bytes) => {
                if !self.peers.contains_key(&number) {
                    return;
                }
                self.heard = self.heard.saturating_add(bytes.len());
                if self.heard <= CASE_BYTES_MAX {
                    self.tell(Input::Received(number, &bytes), event.at).await;
                } else if self.heard - bytes.len() <= CASE_BYTES_MAX {
                    let mib = CASE_BYTES_MAX >> 20;
                    self.note(format!(
                        "the miner said more than {mib} MiB in one case; the rest was not heard"
                    ));
                }
            }
            What::Closed(number, closing) => {
                if self.peers.remove(&number).is_some() {
                    self.tell(Input::Closed(number, closing), event.at).await;
                }
            }
            What::Refused(why) => self.tell(Input::TlsRefused(Listener::BadTls, why), event.at).await,
            What::Note(text) => self.note(text),
        }
        self.look_around();
    }

    /// A number and a place for a new connection, if there is one.
    fn admit(
        &mut self,
        listener: Listener,
        peer: SocketAddr,
    ) -> Option<(Connection, connection::Orders, tokio::sync::OwnedSemaphorePermit)> {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            self.note(format!("more than {CONNECTIONS_MAX} connections at once; one more was refused"));
            return None;
        };
        let number = Connection(self.next);
        self.next += 1;
        let (ours, orders) = Peer::new();
        self.peers.insert(number, ours);
        (self.each)(Progress::Connected(listener, peer));
        Some((number, orders, permit))
    }

    /// Lets a peer of the TLS listener show whether it accepts the certificate.
    fn shake_hands(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Ok(permit) = self.permits.clone().try_acquire_owned() else { return };
        let (acceptor, sender, clock) = (self.acceptor.clone(), self.sender.clone(), self.clock);
        tokio::spawn(async move {
            let what = match bad_tls::shake_hands(&acceptor, stream).await {
                Ok(stream) => What::Secured(Box::new(stream), peer),
                Err(bad_tls::NoSession::Refused(why)) => What::Refused(why),
                Err(bad_tls::NoSession::NoTls(why)) => What::Note(format!("at the port with TLS, {why}")),
            };
            drop(permit);
            let _ = sender.send(Event { at: clock.now(), what }).await;
        });
    }

    /// Tells the examiner, and does what it wants.
    async fn tell(&mut self, input: Input<'_>, at: Timestamp) {
        self.now = self.now.max(at);
        let mut input = Some(input);
        while let Some(told) = input.take() {
            let mut actions = Vec::new();
            self.play.on(told, self.now, &mut actions);
            for action in actions {
                self.act(action).await;
            }
            // Not the pool's will, so it learns of it as of any other end.
            input = self.given_up.pop().map(|number| Input::Closed(number, Closing::TimedOut));
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Send(number, bytes) => self.order(number, Order::Send(bytes)),
            Action::Freeze(number) => self.order(number, Order::Freeze),
            Action::Read(number, read) => self.order(number, Order::Read(read)),
            Action::Close(number) => self.end(number, Order::Close),
            Action::Reset(number) => self.end(number, Order::Reset),
            Action::Listen(listener, false) => self.listeners.close(listener).await,
            Action::Listen(listener, true) => match self.listeners.reopen(listener).await {
                Ok(()) => (self.each)(Progress::Opened(listener)),
                Err(error) => self.note(error),
            },
            Action::Began(index) => {
                self.heard = 0;
                (self.each)(Progress::Began(index));
            }
            Action::Ended(mut result) => {
                (self.each)(Progress::Ended(&mut result));
                self.results.push(*result);
            }
            Action::Done => self.done = true,
        }
        self.look_around();
    }

    fn order(&mut self, number: Connection, order: Order) {
        let Some(peer) = self.peers.get(&number) else { return };
        if !peer.order(order) {
            self.note(format!("connection {} was given up: the miner leaves everything unread", number.0));
            self.end(number, Order::Reset);
            self.given_up.push(number);
        }
    }

    fn end(&mut self, number: Connection, order: Order) {
        if let Some(peer) = self.peers.remove(&number) {
            peer.order(order);
        }
    }

    /// Notices when the miner has gone, and when it is back.
    fn look_around(&mut self) {
        let alone = self.peers.is_empty() && self.listeners.is_open(Listener::Main);
        match self.alone_since {
            None if alone => {
                self.alone_since = Some(Instant::now());
                (self.each)(Progress::Alone);
            }
            Some(_) if !alone => self.alone_since = None,
            _ => {}
        }
    }

    fn note(&mut self, note: String) {
        (self.each)(Progress::Note(&note));
        // One that repeats itself says nothing new, and a peer can provoke some.
        if !self.notes.contains(&note) && self.notes.len() < 100 {
            self.notes.push(note);
        }
    }
}
