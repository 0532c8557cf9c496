//! Examines a miner over real sockets, as the driver of [`Examiner`]; a pool with [`pool`].
//!
//! One task owns the examiner, so what it sees has one order. Acceptors and
//! connections are tasks that feed it through one bounded channel: a peer that
//! floods it is slowed down by TCP, not queued.
//!
//! ```text
//!  listeners ─┐ Accepted                    ┌─▶ connection ─▶ socket
//!             ├──────────▶ driver: Examiner ┤      (orders)
//! connections ┘ Received, Closed            └─▶ listeners
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `driver` | the task that owns the examiner |
//! | `listeners` | where miners come in, opened and closed as cases want |
//! | `connection` | a socket whose every write, end and silence is decided |
//! | `freeze` | a connection whose packets are dropped |
//! | `bad_tls` | a place with a certificate that no miner should accept |
//! | `cases` | case files of a folder |
//! | `pool` | the other side: connections to a pool, searches on a thread |
//!
//! What a peer may cost is bounded: [`CONNECTIONS_MAX`] sockets, 8 MiB that it
//! does not read on each, and [`CASE_BYTES_MAX`] that it says in one case.

mod bad_tls;
mod cases;
mod connection;
mod driver;
mod freeze;
mod listeners;
pub mod pool;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::conformance::{Action, Case, CaseResult, Examination, Examiner, Input, Listener, Setting};
use crate::units::{Hashrate, Timestamp};

pub use cases::{CasesError, read_folder};

/// Open sockets of peers; more are refused.
pub const CONNECTIONS_MAX: usize = 64;

/// Bytes that peers may say in one case; what exceeds it is not heard. A miner
/// says a kilobyte a second.
pub const CASE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What to examine, and where.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// Where the miner is pointed at.
    pub listen: SocketAddr,
    /// Another address of this machine that no miner may be sent to; found
    /// where that is possible, when absent.
    pub decoy: Option<SocketAddr>,
    /// Where to offer TLS with a bad certificate.
    pub tls: Option<SocketAddr>,
    /// Where the pool is after it moved.
    pub moved: Option<SocketAddr>,
    /// The name under which the miner reaches this machine; the address it came to when absent.
    pub host: Option<String>,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// What was asked for, for the report.
    pub selection: String,
    /// What the miner claims to hash.
    pub hashrate: Option<Hashrate>,
    /// How long to wait for the miner to connect at all.
    pub wait: Duration,
    /// Decides everything that is drawn.
    pub seed: u64,
}

/// What happens, for whoever shows it.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The miner can come now.
    Listening(SocketAddr),
    /// A listener accepts connections again, or from now on.
    Opened(Listener),
    /// Something that limits what can be found out.
    Note(&'a str),
    /// A peer connected.
    Connected(Listener, SocketAddr),
    /// No connection is left.
    Alone,
    /// A case began: its place in the list.
    Began(usize),
    /// A case ended. Whoever has stored its transcript may cut it.
    Ended(&'a mut CaseResult),
}

/// Why an examination cannot be.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; {}", advice(source, flag))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The certificate cannot be used; a bug.
    #[error("the bad certificate cannot be offered: {0}")]
    Certificate(String),
    /// The miner never came.
    #[error(
        "no miner connected to {address} within {} s; point it at stratum+tcp://{}:{}, \
         and look for a firewall between them{}",
        waited.as_secs(), host, address.port(), loopback(address)
    )]
    NobodyCame {
        /// Where it was expected.
        address: SocketAddr,
        /// The same as a miner would write it.
        host: String,
        /// How long it was waited for.
        waited: Duration,
    },
}

/// What to try when a port cannot be had.
fn advice(source: &io::Error, flag: &str) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "another program, perhaps another pool, uses the port: end it, or choose another with {flag}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need root: choose a higher one with {flag}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address: with {flag} 0.0.0.0:PORT it listens on all it has")
        }
        _ => format!("choose another address with {flag}"),
    }
}

fn loopback(address: &SocketAddr) -> &'static str {
    match address.ip().is_loopback() {
        true => "; only programs on this machine reach a loopback address: for a device listen on 0.0.0.0",
        false => "",
    }
}

/// How a miner would write an address of ours: for 0.0.0.0 the one that this
/// machine would use towards others.
#[must_use]
pub fn reachable(ip: IpAddr) -> String {
    if !ip.is_unspecified() {
        return ip.to_string();
    }
    // Connecting UDP sends nothing; it only chooses a route. The address is one for documentation.
    let own = UdpSocket::bind(SocketAddr::new(ip, 0)).and_then(|socket| {
        socket.connect(if ip.is_ipv4() { "192.0.2.1:9" } else { "[2001:db8::1]:9" })?;
        socket.local_addr()
    });
    own.map_or_else(|_| "THIS-MACHINE".to_owned(), |address| address.ip().to_string())
}

/// A pool that is played; [`Examiner`], or a script in tests.
trait Play {
    fn next_wake(&self) -> Option<Timestamp>;
    fn on(&mut self, input: Input<'_>, now: Timestamp, actions: &mut Vec<Action>);
    /// What the miner calls itself.
    fn user_agent(&self) -> Option<String>;
    /// Claimed or measured hashrate.
    fn hashrate(&self) -> Option<Hashrate>;
}

impl Play for Examiner {
    fn next_wake(&self) -> Option<Timestamp> {
        Self::next_wake(self)
    }

    fn on(&mut self, input: Input<'_>, now: Timestamp, actions: &mut Vec<Action>) {
        Self::on(self, input, now, actions);
    }

    fn user_agent(&self) -> Option<String> {
        Self::user_agent(self).map(str::to_owned)
    }

    fn hashrate(&self) -> Option<Hashrate> {
        Some(Self::hashrate(self))
    }
}

/// Examines the miner that comes, until all cases are done or `stop` ends.
/// Cases that were not run are skipped.
///
/// # Errors
/// When an address cannot be listened on, or no miner comes.
pub async fn run(
    options: CheckOptions,
    stop: impl Future<Output = ()>,
    each: impl FnMut(Progress<'_>),
) -> Result<Examination, CheckError> {
    driver::run(options, stop, each, |setting: Setting, now| Examiner::new(setting, now)).await
}
