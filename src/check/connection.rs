//! A socket whose every write, end and silence is decided by a case.
//!
//! Each order to send is one `write` with `TCP_NODELAY`, so that it leaves as a
//! segment of its own while the peer's window allows. Reading and writing never
//! wait for each other: a peer that does not read is still heard.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};

use super::driver::{Event, What};
use super::freeze::freeze;
use crate::conformance::{Closing, Connection};
use crate::net::Clock;

/// Bytes that wait for a peer to read them, beyond which it is given up. The
/// longest line of a case is 1 MiB.
const UNSENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What an order costs in memory beside its bytes.
const ORDER_BYTES: usize = 64;

/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;

/// How long a closed connection is still read, so that the peer gets our last
/// bytes and FIN, and no RST for what it was just saying.
const LINGER: Duration = Duration::from_secs(5);

/// How long a frozen connection that has ended is kept, silent as before.
const FROZEN_KEPT: Duration = Duration::from_secs(300);

/// What a connection is told.
#[derive(Debug)]
pub(super) enum Order {
    Send(Vec<u8>),
    Close,
    Reset,
    Freeze,
    Read(bool),
}

/// A connection, as the driver holds it. Dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Peer {
    orders: mpsc::UnboundedSender<Order>,
    unsent: Arc<AtomicUsize>,
}

impl Peer {
    /// A peer, and what its task needs.
    pub fn new() -> (Self, Orders) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let unsent = Arc::new(AtomicUsize::new(0));
        (Self { orders: sender, unsent: unsent.clone() }, Orders { receiver, unsent })
    }

    /// Gives an order; false when the peer leaves too much unread.
    pub fn order(&self, order: Order) -> bool {
        if let Order::Send(bytes) = &order {
            let cost = bytes.len() + ORDER_BYTES;
            if self.unsent.fetch_add(cost, Ordering::Relaxed) + cost > UNSENT_BYTES_MAX {
                return false;
            }
        }
        // A connection that has just ended says so by its own event.
        let _ = self.orders.send(order);
        true
    }
}

/// The orders for a connection.
#[derive(Debug)]
pub(super) struct Orders {
    receiver: mpsc::UnboundedReceiver<Order>,
    unsent: Arc<AtomicUsize>,
}

impl Orders {
    /// The next order; `None` when nobody is interested any more.
    pub async fn next(&mut self) -> Option<Order> {
        self.receiver.recv().await
    }

    /// Bytes of an order have left, or never will.
    pub fn sent(&self, bytes: usize) {
        self.unsent.fetch_sub(bytes + ORDER_BYTES, Ordering::Relaxed);
    }
}

/// How a connection came to its end.
enum End {
    /// The peer ended it, or the network.
    Theirs(Closing),
    /// We end it with FIN.
    Fin,
    /// We end it with RST.
    Rst,
    /// We drop everything from here on.
    Frozen,
}

/// Carries bytes and orders until the connection ends.
pub(super) async fn serve(
    stream: TcpStream,
    number: Connection,
    mut orders: Orders,
    events: mpsc::Sender<Event>,
    clock: Clock,
    permit: OwnedSemaphorePermit,
) {
    let mut socket = Socket { stream, outbox: VecDeque::new(), written: 0 };
    let end = socket.carry(number, &mut orders, &events, clock).await;
    match end {
        End::Theirs(closing) => {
            let _ = events.send(Event { at: clock.now(), what: What::Closed(number, closing) }).await;
        }
        End::Fin => {
            let _ = timeout(LINGER, socket.finish()).await;
        }
        End::Rst => {
            // What was ordered before goes out before.
            let _ = socket.write(&orders);
            let _ = SockRef::from(&socket.stream).set_linger(Some(Duration::ZERO));
        }
        End::Frozen => {
            if let Err(error) = freeze(&socket.stream) {
                let text = format!(
                    "connection {} only fell silent: its packets could not be dropped ({error}), so the miner's \
                     system still gets acknowledgements",
                    number.0
                );
                let _ = events.send(Event { at: clock.now(), what: What::Note(text) }).await;
            }
            // Until the case ends it, and then some time: even its end is not told.
            while let Some(order) = orders.next().await {
                if matches!(order, Order::Close | Order::Reset) {
                    sleep(FROZEN_KEPT).await;
                    break;
                }
            }
        }
    }
    drop(permit);
}

struct Socket {
    stream: TcpStream,
    outbox: VecDeque<Vec<u8>>,
    /// Bytes of the outbox's first that have left.
    written: usize,
}

impl Socket {
    async fn carry(
        &mut self,
        number: Connection,
        orders: &mut Orders,
        events: &mpsc::Sender<Event>,
        clock: Clock,
    ) -> End {
        let mut reading = true;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            tokio::select! {
                // What a case wants comes before what the miner says.
                biased;
                order = orders.next() => match order {
                    Some(Order::Send(bytes)) => {
                        self.outbox.push_back(bytes);
                        if let Err(error) = self.write(orders) {
                            return End::Theirs(closing(&error));
                        }
                    }
                    Some(Order::Read(read)) => {
                        reading = read;
                        // The window then closes after a few shares, not after minutes of them.
                        let bytes = if read { super::listeners::RECEIVE_BYTES } else { 1 };
                        let _ = SockRef::from(&self.stream).set_recv_buffer_size(bytes);
                    }
                    Some(Order::Freeze) => return End::Frozen,
                    Some(Order::Reset) => return End::Rst,
                    Some(Order::Close) | None => return End::Fin,
                },
                _ = self.stream.writable(), if !self.outbox.is_empty() => {
                    if let Err(error) = self.write(orders) {
                        return End::Theirs(closing(&error));
                    }
                }
                // First a place in the channel, then bytes: what cannot be told is not read.
                permit = async {
                    let permit = events.reserve().await;
                    let _ = self.stream.readable().await;
                    permit
                }, if reading => {
                    let Ok(permit) = permit else { return End::Fin };
                    match self.stream.try_read(&mut buffer) {
                        Ok(0) => return End::Theirs(Closing::Fin),
                        Ok(count) => {
                            let bytes = buffer[..count].to_vec();
                            permit.send(Event { at: clock.now(), what: What::Received(number, bytes) });
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => return End::Theirs(closing(&error)),
                    }
                }
            }
        }
    }

    /// Writes what the socket takes now, each order by a call of its own.
    fn write(&mut self, orders: &Orders) -> io::Result<()> {
        while let Some(bytes) = self.outbox.front() {
            match self.stream.try_write(&bytes[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.written == bytes.len() {
                orders.sent(bytes.len());
                self.outbox.pop_front();
                self.written = 0;
            }
        }
        Ok(())
    }

    /// Sends the rest and FIN, and reads until the peer has finished too.
    async fn finish(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.outbox.front() {
            self.stream.writable().await?;
            match self.stream.try_write(&bytes[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.written >= bytes.len() {
                self.outbox.pop_front();
                self.written = 0;
            }
        }
        SockRef::from(&self.stream).shutdown(Shutdown::Write)?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// How the peer or the network ended it, by the system's word.
pub(super) fn closing(error: &io::Error) -> Closing {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Closing::TimedOut
        }
        io::ErrorKind::UnexpectedEof => Closing::Fin,
        _ => Closing::Rst,
    }
}
