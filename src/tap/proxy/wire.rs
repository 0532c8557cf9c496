//! One miner's socket, one to the pool, and the relay between them.
//!
//! A side is read only while little is on its way to the other, so a slow
//! reader slows the writer down as it would without a proxy. An end is passed
//! on as it came: FIN half-closes the other side behind all that was said,
//! RST resets it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use crate::net::{ConnectionError, Lines, PoolUrl};
use crate::tap::recording::Entry;
use crate::tap::relay::{Ending, Relay};
use crate::tap::{LINE_BYTES_MAX, Side};
use crate::units::Timestamp;

/// Bytes on their way to a side, beyond which the other side is not read.
const QUEUED_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;

/// Bytes that are handed to a socket and not yet taken by it.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// How long connecting to the pool may take.
const DIAL_LIMIT: Duration = Duration::from_secs(10);

/// How long one side may go on after the other has ended.
const HALF_CLOSED_LIMIT: Duration = Duration::from_secs(10);

/// A socket and what is handed to it.
struct Wire {
    stream: TcpStream,
    lines: Lines,
    unsent: Vec<u8>,
    /// Whether nothing may be added to what is unsent: a piece travels alone.
    alone: bool,
    /// Whether the peer has said all.
    ended: bool,
    /// Whether we have.
    shut: bool,
}

/// Both sockets of a connection.
struct Tap<'a> {
    shared: &'a Shared,
    relay: Relay,
    miner: Wire,
    pool: Wire,
    entries: Vec<Entry>,
    buffer: Vec<u8>,
    number: u32,
    /// When the first side ended, or a rule closed.
    closing: Option<Instant>,
    /// Whether nothing is read any more.
    deaf: bool,
}

/// The connection is over.
struct Over;

/// Serves a miner to the end of its connection.
pub(super) async fn serve(shared: &Shared, number: u32, miner: TcpStream, peer: SocketAddr) {
    let relay = Relay::new(shared.rules.clone(), number, shared.keep_passwords, shared.now());
    let mut entries = Vec::new();
    relay.note(format!("opened by {peer}"), shared.now(), &mut entries);
    tracing::info!(connection = number, %peer, "opened");
    let mut stop = shared.stop.clone();
    let dialed = tokio::select! {
        dialed = dial(&shared.upstream) => dialed.map_err(|error| error.to_string()),
        _ = stop.wait_for(|stop| *stop) => Err("the recording ends".to_owned()),
    };
    let pool = match dialed {
        Ok(pool) => pool,
        Err(why) => {
            tracing::warn!(connection = number, "closed: {why}");
            relay.note(format!("closed by proxy: {why}"), shared.now(), &mut entries);
            let _ = store(shared, &mut entries).await;
            return;
        }
    };
    let (miner, pool) = (Wire::new(miner), Wire::new(pool));
    let buffer = vec![0; READ_BYTES];
    let mut tap = Tap { shared, relay, miner, pool, entries, buffer, number, closing: None, deaf: false };
    tokio::select! {
        Over = tap.run() => {}
        _ = stop.wait_for(|stop| *stop) => tap.note("closed by proxy: the recording ends".into()),
    }
    let _ = store(shared, &mut tap.entries).await;
}

async fn dial(url: &PoolUrl) -> Result<TcpStream, ConnectionError> {
    let connecting = TcpStream::connect((url.host.as_str(), url.port));
    tokio::time::timeout(DIAL_LIMIT, connecting)
        .await
        .map_err(|_| ConnectionError::Timeout { url: url.clone(), limit: DIAL_LIMIT })?
        .map_err(|source| ConnectionError::Connect { url: url.clone(), source })
}

/// Hands entries to the writer; waits for the disk if need be.
async fn store(shared: &Shared, entries: &mut Vec<Entry>) -> Result<(), Over> {
    for entry in entries.drain(..) {
        // The writer ends only when the disk failed, which ends the recording.
        shared.entries.send(entry).await.map_err(|_| Over)?;
    }
    Ok(())
}

impl Wire {
    fn new(stream: TcpStream) -> Self {
        // Without it a piece waits for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let lines = Lines::new(LINE_BYTES_MAX);
        Self { stream, lines, unsent: Vec::new(), alone: false, ended: false, shut: false }
    }

    /// Hands the socket what it takes.
    fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.stream.try_write(&self.unsent[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..sent);
        self.alone &= !self.unsent.is_empty();
        Ok(())
    }
}

impl Tap<'_> {
    fn wire(&mut self, side: Side) -> &mut Wire {
        match side {
            Side::Miner => &mut self.miner,
            Side::Pool => &mut self.pool,
        }
    }

    fn note(&mut self, text: String) {
        let now = self.shared.now();
        tracing::info!(connection = self.number, "{text}");
        self.relay.note(text, now, &mut self.entries);
    }

    async fn run(&mut self) -> Over {
        loop {
            if let Err(over) = self.turn().await {
                return over;
            }
        }
    }

    /// Sends what is due, then waits for one thing to happen.
    async fn turn(&mut self) -> Result<(), Over> {
        for side in Side::ALL {
            self.send(side)?;
        }
        store(self.shared, &mut self.entries).await?;
        for side in Side::ALL {
            self.pass_end_on(side).await;
        }
        if self.is_over() {
            return Err(Over);
        }
        let reads = Side::ALL.map(|side| self.may_read(side));
        let writes = [!self.miner.unsent.is_empty(), !self.pool.unsent.is_empty()];
        let due = Side::ALL.into_iter().zip(writes).filter(|(_, writes)| !writes);
        let due = due.filter_map(|(side, _)| self.relay.due(side)).min().map(|due| self.instant(due));
        let wake = due.into_iter().chain(self.closing.map(|at| at + HALF_CLOSED_LIMIT)).min();
        let wait = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = self.miner.stream.readable(), if reads[0] => self.read(Side::Miner, ready),
            ready = self.pool.stream.readable(), if reads[1] => self.read(Side::Pool, ready),
            _ = self.miner.stream.writable(), if writes[0] => Ok(()),
            _ = self.pool.stream.writable(), if writes[1] => Ok(()),
            () = wait => Ok(()),
        }
    }

    fn may_read(&mut self, side: Side) -> bool {
        let to = side.other();
        let queued = self.relay.queued(to) + self.wire(to).unsent.len();
        !self.deaf && !self.wire(side).ended && queued < QUEUED_BYTES_MAX
    }

    fn instant(&self, time: Timestamp) -> Instant {
        let wall = Timestamp(self.shared.began.micros().saturating_add(time.micros()));
        Instant::from_std(self.shared.clock.instant(wall))
    }

    /// Hands a side what is due.
    fn send(&mut self, to: Side) -> Result<(), Over> {
        loop {
            let now = self.shared.now();
            let wire = if to == Side::Miner { &mut self.miner } else { &mut self.pool };
            while !wire.alone && wire.unsent.len() < UNSENT_BYTES_MAX {
                let Some(outgoing) = self.relay.pop(to, now, &mut self.entries) else { break };
                wire.unsent.extend_from_slice(&outgoing.bytes);
                wire.alone = outgoing.alone;
            }
            if wire.unsent.is_empty() {
                return Ok(());
            }
            if let Err(error) = wire.flush() {
                return self.broken(to, &error);
            }
            if !self.wire(to).unsent.is_empty() {
                return Ok(());
            }
        }
    }

    /// Tells a side that the other has said all.
    async fn pass_end_on(&mut self, to: Side) {
        let is_ended = self.deaf || self.wire(to.other()).ended;
        let is_said = self.relay.due(to).is_none() && self.wire(to).unsent.is_empty();
        if is_ended && is_said && !self.wire(to).shut {
            self.wire(to).shut = true;
            let _ = self.wire(to).stream.shutdown().await;
        }
    }

    fn is_over(&mut self) -> bool {
        let late = self.closing.is_some_and(|at| at.elapsed() >= HALF_CLOSED_LIMIT);
        late || self.miner.shut && self.pool.shut
    }

    /// Reads what is there and hands it to the relay.
    fn read(&mut self, by: Side, ready: io::Result<()>) -> Result<(), Over> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = ready.and_then(|()| self.wire(by).stream.try_read(&mut buffer));
        let outcome = match read {
            Ok(0) => {
                self.on_end(by);
                Ok(())
            }
            Ok(length) => self.on_bytes(by, &buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => self.broken(by, &error),
        };
        self.buffer = buffer;
        outcome
    }

    fn on_bytes(&mut self, by: Side, bytes: &[u8]) -> Result<(), Over> {
        let now = self.shared.now();
        let wire = if by == Side::Miner { &mut self.miner } else { &mut self.pool };
        let (relay, entries) = (&mut self.relay, &mut self.entries);
        let mut ending = None;
        let fed = wire.lines.feed_verbatim(bytes, |line| {
            if ending.is_none() {
                ending = relay.on_line(by, line, false, now, entries);
            }
        });
        if let Some(Ending { rule, reset }) = ending {
            let how = if reset { "rst" } else { "fin" };
            self.note(format!("closed by proxy: {how} by rule `{rule}`"));
            if reset {
                self.reset();
                return Err(Over);
            }
            self.deaf = true;
            self.closing.get_or_insert_with(Instant::now);
        } else if let Err(error) = fed {
            let begin = self.wire(by).lines.take_rest();
            self.relay.on_too_long(by, &begin, now, &mut self.entries);
            self.note(format!("closed by proxy: the {} sent {error}", by.name()));
            return Err(Over);
        }
        Ok(())
    }

    /// A side has said all.
    fn on_end(&mut self, by: Side) {
        let rest = self.wire(by).lines.take_rest();
        let now = self.shared.now();
        if !rest.is_empty() {
            // A rule that closes here has nothing left to close.
            let _ = self.relay.on_line(by, &rest, true, now, &mut self.entries);
        }
        self.wire(by).ended = true;
        self.closing.get_or_insert_with(Instant::now);
        self.note(format!("closed by {}: fin", by.name()));
    }

    /// A side is gone without an orderly end; the other is told so in kind.
    fn broken(&mut self, by: Side, error: &io::Error) -> Result<(), Over> {
        let rest = self.wire(by).lines.take_rest();
        let now = self.shared.now();
        if !rest.is_empty() {
            let _ = self.relay.on_line(by, &rest, true, now, &mut self.entries);
        }
        let how = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "rst".to_owned(),
            io::ErrorKind::TimedOut => "timed out".to_owned(),
            _ => error.to_string(),
        };
        self.note(format!("closed by {}: {how}", by.name()));
        self.reset();
        Err(Over)
    }

    fn reset(&mut self) {
        for side in Side::ALL {
            // Where it fails the socket is closed with FIN, which ends it as well.
            let _ = self.wire(side).stream.set_zero_linger();
        }
    }
}
