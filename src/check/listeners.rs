//! Where miners come in, opened and closed as cases want.
//!
//! A closed listener has no socket: connection attempts are refused, as they
//! are by a pool that is down. Only the main one must exist. The others stand
//! where the miner could be sent: another port of the host it knows, and
//! another host, which on loopback is 127.0.0.2.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::CheckError;
use super::driver::{Event, What};
use crate::conformance::Listener;
use crate::net::Clock;

/// Receive buffers of connections: small, so that one that is not read closes
/// its window soon, and large enough for any line of a miner.
pub(super) const RECEIVE_BYTES: usize = 8 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// The pause after each accepted connection: a peer that connects as fast as it
/// can gets no more than this leaves it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

/// How often a listener that must be reopened is tried again, and how many times.
const REOPEN: (Duration, u32) = (Duration::from_millis(100), 50);

/// The listeners.
#[derive(Debug)]
pub(super) struct Listeners {
    events: mpsc::Sender<Event>,
    clock: Clock,
    places: BTreeMap<Listener, Place>,
}

#[derive(Debug)]
struct Place {
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

impl Listeners {
    /// No listeners yet; who comes is told to `events`.
    pub fn new(events: mpsc::Sender<Event>, clock: Clock) -> Self {
        Self { events, clock, places: BTreeMap::new() }
    }

    /// Opens a listener; returns the address it got.
    pub fn open(&mut self, listener: Listener, address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = bind(address)?;
        let address = socket.local_addr()?;
        let acceptor = tokio::spawn(accept(socket, listener, self.events.clone(), self.clock));
        self.places.insert(listener, Place { address, acceptor: Some(acceptor) });
        Ok(address)
    }

    /// Opens a listener that the user named.
    pub fn open_for(
        &mut self,
        listener: Listener,
        address: SocketAddr,
        flag: &'static str,
    ) -> Result<SocketAddr, CheckError> {
        self.open(listener, address).map_err(|source| CheckError::Listen { address, flag, source })
    }

    /// Opens a listener at the first of `ports` that is free.
    pub fn open_any(
        &mut self,
        listener: Listener,
        ip: IpAddr,
        ports: impl IntoIterator<Item = u16>,
    ) -> io::Result<SocketAddr> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in ports {
            match self.open(listener, SocketAddr::new(ip, port)) {
                Ok(address) => return Ok(address),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Whether a listener accepts connections.
    pub fn is_open(&self, listener: Listener) -> bool {
        self.places.get(&listener).is_some_and(|place| place.acceptor.is_some())
    }

    /// Closes a listener's socket.
    pub async fn close(&mut self, listener: Listener) {
        let acceptor = self.places.get_mut(&listener).and_then(|place| place.acceptor.take());
        if let Some(acceptor) = acceptor {
            acceptor.abort();
            // The socket is gone when the task is.
            let _ = acceptor.await;
        }
    }

    /// Opens a closed listener again, where it was.
    pub async fn reopen(&mut self, listener: Listener) -> Result<(), String> {
        let Some(place) = self.places.get(&listener) else { return Ok(()) };
        if place.acceptor.is_some() {
            return Ok(());
        }
        let address = place.address;
        let (pause, times) = REOPEN;
        let mut last = String::new();
        for _ in 0..times {
            match self.open(listener, address) {
                Ok(_) => return Ok(()),
                Err(error) => last = error.to_string(),
            }
            sleep(pause).await;
        }
        Err(format!("cannot listen on {address} again: {last}; did another program take the port meanwhile?"))
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for place in self.places.values() {
            if let Some(acceptor) = &place.acceptor {
                acceptor.abort();
            }
        }
    }
}

/// A listening socket; its connections inherit the small receive buffer.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A port whose last connections linger can be had again at once.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn accept(socket: TcpListener, listener: Listener, events: mpsc::Sender<Event>, clock: Clock) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let what = What::Accepted(listener, stream, peer);
                if events.send(Event { at: clock.now(), what }).await.is_err() {
                    return;
                }
            }
            // The peer is gone already, or we are out of descriptors for a moment.
            Err(error) => tracing::warn!("cannot accept a connection: {error}"),
        }
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Another host than the one at `ip`, where this machine surely has one.
pub(super) fn other_host(ip: IpAddr) -> Option<IpAddr> {
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    (ip.is_loopback() && ip.is_ipv4() && ip != other).then_some(other)
}
