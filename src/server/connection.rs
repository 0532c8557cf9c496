//! One miner's socket.
//!
//! Bytes are read into a buffer that all connections of a thread share; only an
//! unfinished line is kept, so an idle connection costs little more than its
//! session. Replies to a batch of lines are held until the batch is committed.
//! Until then nothing more is read: a miner is paced by the disk, and a
//! connection never has more than one batch in flight. New jobs overtake held
//! replies, unless those carry a job themselves.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;

use super::{Order, Service, stopped};
use crate::event::{CloseReason, Event};
use crate::hash::Hash;
use crate::metrics::{REGION_UNKNOWN, RegionShares};
use crate::net::Lines;
use crate::pool::{Output, Session, Work};
use crate::store::{Ack, StoreFault};
use crate::units::Timestamp;

/// Bytes read at once: some hundred submits.
const READ_BYTES: usize = 64 * 1024;

/// How often a session is told that time passes. Vardiff judges counts over
/// minutes, so seconds do not matter to it; 10,000 timers a second would.
const TICK: Duration = Duration::from_secs(5);

/// How long a peer may leave what it was sent unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

struct Connection {
    service: Arc<Service>,
    socket: TcpStream,
    session: Session,
    lines: Lines,
    region: Arc<RegionShares>,
    /// Replies that wait for their commit.
    held: Option<Held>,
    /// The tip that the miner knows or is being told of.
    tip: Hash,
    /// When the pool heard of that tip, until the first job on it is sent.
    announcing: Option<Timestamp>,
}

struct Held {
    ack: Ack,
    since: Instant,
    bytes: Vec<u8>,
    carries_job: bool,
    close: Option<CloseReason>,
}

/// What woke a connection up.
enum Wake {
    Stop,
    Committed(Result<(), StoreFault>),
    Work,
    Order(Order),
    Tick,
    Readable(io::Result<()>),
}

/// Serves one connection to its end. `_alive` tells the server that it has not come.
pub(super) async fn serve(
    service: Arc<Service>,
    socket: TcpStream,
    peer: SocketAddr,
    _alive: mpsc::Sender<()>,
) {
    // Without it, replies wait for acknowledgements of earlier ones.
    let _ = socket.set_nodelay(true);
    let now = service.clock.now();
    let id = match service.store.next_connection_id() {
        Ok(id) => id,
        Err(fault) => {
            tracing::error!("connection from {peer} refused: {fault}");
            return;
        }
    };
    let session = Session::new(service.pool.clone(), id, now);
    let region = service.metrics.region(REGION_UNKNOWN);
    let lines = Lines::new(service.settings.line_bytes_max);
    let tip = service.work().template.prev_hash;
    let mut connection =
        Connection { service, socket, session, lines, region, held: None, tip, announcing: None };
    let mut out = Output::default();
    out.events.push(Event::Connected { time: now, connection: id, peer });
    tracing::debug!(connection = id.0, %peer, "connected");

    let reason = connection.run(&mut out).await;

    tracing::debug!(connection = id.0, %peer, reason = reason.name(), "closed");
    let now = connection.service.clock.now();
    connection.session.close(reason, now, &mut out);
    connection.service.metrics.observe(&out.events, &connection.region);
    // Nobody waits for this: the store is flushed before the process ends.
    drop(connection.service.store.append(out.events));
}

impl Connection {
    /// Runs until the connection ends; what `out` then holds is not yet stored.
    async fn run(&mut self, out: &mut Output) -> CloseReason {
        let mut stop = self.service.stop.subscribe();
        let mut work = self.service.work.subscribe();
        let mut orders = self.service.orders.subscribe();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let first = work.borrow_and_update().clone();
        self.session.on_work(&first, self.service.clock.now(), out);
        loop {
            let idle = self.held.is_none();
            let wake = tokio::select! {
                biased;
                () = stopped(&mut stop) => Wake::Stop,
                result = committed(&mut self.held) => Wake::Committed(result),
                Ok(()) = work.changed() => Wake::Work,
                order = next_order(&mut orders), if idle => Wake::Order(order),
                _ = tick.tick(), if idle => Wake::Tick,
                ready = self.socket.readable(), if idle => Wake::Readable(ready),
            };
            let now = self.service.clock.now();
            let mut ended = None;
            match wake {
                Wake::Stop => return CloseReason::Shutdown,
                Wake::Committed(result) => match self.release(result).await {
                    Ok(()) => continue,
                    Err(reason) => return reason,
                },
                Wake::Work => {
                    let newest = work.borrow_and_update().clone();
                    match self.held.take_if(|held| held.carries_job) {
                        Some(mut held) => {
                            let mut later = Output::default();
                            self.session.on_work(&newest, now, &mut later);
                            self.announce(&newest, &later);
                            held.bytes.append(&mut later.bytes);
                            self.held = Some(held);
                            continue;
                        }
                        None => {
                            self.session.on_work(&newest, now, out);
                            self.announce(&newest, out);
                        }
                    }
                }
                Wake::Order(order) => {
                    if order.connection.is_none_or(|id| id == self.session.connection()) {
                        self.session.on_command(&order.command, now, out);
                    }
                }
                Wake::Tick => self.session.on_tick(now, out),
                Wake::Readable(ready) => {
                    ended = ready.map_err(|_| CloseReason::Peer).and_then(|()| self.read(out)).err()
                }
            }
            if let Some(reason) = ended {
                // What came before the end is answered if it still can be.
                out.close.get_or_insert(reason);
            }
            if let Err(reason) = self.dispatch(out).await {
                return reason;
            }
        }
    }

    /// Notes that `told` has the session's first job on a new tip, if it has.
    fn announce(&mut self, work: &Work, told: &Output) {
        if work.template.prev_hash != self.tip {
            self.tip = work.template.prev_hash;
            self.announcing = told.carries_job.then(|| self.service.tip().heard);
        }
    }

    /// Reads what is there and hands it to the session.
    fn read(&mut self, out: &mut Output) -> Result<(), CloseReason> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let length = match self.socket.try_read(buffer) {
                Ok(0) => return Err(CloseReason::Peer),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(CloseReason::Peer),
            };
            let (session, now) = (&mut self.session, self.service.clock.now());
            let fed = self.lines.feed_together(&buffer[..length], |lines| {
                if out.close.is_none() {
                    session.on_lines(lines, now, out);
                }
            });
            fed.map_err(|_| CloseReason::LineTooLong)
        })
    }

    /// Sends what a session wrote: at once, or after its events are committed.
    async fn dispatch(&mut self, out: &mut Output) -> Result<(), CloseReason> {
        let Output { bytes, events, carries_job, close } = std::mem::take(out);
        if events.is_empty() || self.held.is_some() {
            // Jobs come without events, and may overtake held replies.
            self.send(&bytes).await?;
            out.events = events;
            return close.map_or(Ok(()), Err);
        }
        for event in &events {
            match event {
                Event::BlockFound(found) => {
                    // Persisted and submitted beside this; the share is not kept waiting.
                    let _ = self.service.found.send((**found).clone());
                }
                Event::Authorized { region: Some(region), .. } => {
                    self.region = self.service.metrics.region(Service::region_label(region));
                }
                Event::Share(share) if share.near_miss.is_some() => {
                    tracing::info!(
                        connection = share.connection.0,
                        worker = %share.worker,
                        near_miss = ?share.near_miss,
                        "a rejected share would have been valid under a known mistake"
                    );
                }
                _ => {}
            }
        }
        self.service.metrics.observe(&events, &self.region);
        let ack = self.service.store.append(events);
        self.held = Some(Held { ack, since: Instant::now(), bytes, carries_job, close });
        Ok(())
    }

    /// Sends held replies after their commit.
    async fn release(&mut self, result: Result<(), StoreFault>) -> Result<(), CloseReason> {
        let Some(held) = self.held.take() else { return Ok(()) };
        if let Err(fault) = result {
            // Without a record there is no answer: the miner will submit again.
            tracing::error!(connection = self.session.connection().0, "{fault}");
            self.service.metrics.store_healthy.set(0);
            return Err(CloseReason::Fault);
        }
        self.service.metrics.store_healthy.set(1);
        self.service.metrics.commit_seconds.observe(held.since.elapsed().as_secs_f64());
        self.send(&held.bytes).await?;
        held.close.map_or(Ok(()), Err)
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), CloseReason> {
        self.write(bytes).await?;
        if let Some(heard) = self.announcing.take() {
            let seconds = self.service.clock.now().since(heard).0;
            self.service.metrics.tip_notify_seconds.observe(seconds);
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), CloseReason> {
        let sent = match self.socket.try_write(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return Err(CloseReason::Peer),
        };
        if sent == bytes.len() {
            return Ok(());
        }
        match tokio::time::timeout(WRITE_TIMEOUT, self.socket.write_all(&bytes[sent..])).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(CloseReason::Peer),
            Err(_) => Err(CloseReason::SlowReader),
        }
    }
}

/// The outcome of the commit that replies wait for; never, when none do.
async fn committed(held: &mut Option<Held>) -> Result<(), StoreFault> {
    match held {
        Some(held) => (&mut held.ack).await,
        None => std::future::pending().await,
    }
}

/// The next command. One that was missed for being too slow is gone.
async fn next_order(orders: &mut broadcast::Receiver<Order>) -> Order {
    loop {
        match orders.recv().await {
            Ok(order) => return order,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
