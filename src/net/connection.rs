//! A socket of lines that never makes its owner wait.
//!
//! [`Connection::flush`] sends what the socket takes now. Only
//! [`Connection::turn`] waits, for reading and sending at once, and it may be
//! dropped at any point. So a miner whose pool reads slowly still hears of new
//! jobs, and nothing is lost when a share is found in mid-line.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::lines::{LineTooLong, Lines};
use super::url::PoolUrl;

/// Longest line taken from a pool: a notify with a 16 KiB coinbase and twenty
/// branches is 35 KB.
pub const POOL_LINE_BYTES_MAX: usize = 256 * 1024;

/// Bytes taken from a socket at a time.
const READ_BYTES: usize = 64 * 1024;

/// Bytes waiting to be sent, beyond which the peer does not read at all.
const UNSENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes that an empty outbox may hold on to: a few shares.
const IDLE_BYTES_MAX: usize = 1024;

thread_local! {
    /// One buffer per thread, not per connection: thousands of them are quiet.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Why a connection cannot be made, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No connection.
    #[error("cannot connect to {url}: {source}; is the pool running, and the port open?")]
    Connect {
        /// Where to.
        url: PoolUrl,
        /// Why not.
        source: io::Error,
    },
    /// Neither connected nor refused in time.
    #[error("no answer from {url} within {} s; is a firewall dropping packets?", limit.as_secs())]
    Timeout {
        /// Where to.
        url: PoolUrl,
        /// How long was waited.
        limit: Duration,
    },
    /// The pool closed.
    #[error("the pool closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// The pool sent what no pool sends.
    #[error("the pool sent {0}")]
    LineTooLong(#[from] LineTooLong),
    /// The pool takes nothing any more.
    #[error("the pool has not read the last {UNSENT_BYTES_MAX} bytes sent to it")]
    Stuck,
}

/// A connected socket.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    lines: Lines,
    /// Bytes to send, by [`Self::flush`] or during [`Self::turn`].
    pub outbox: Vec<u8>,
}

/// Connects to a pool.
///
/// # Errors
/// When its name does not resolve, it refuses, or `limit` passes.
pub async fn dial(url: &PoolUrl, limit: Duration) -> Result<Connection, ConnectionError> {
    let connecting = TcpStream::connect((url.host.as_str(), url.port));
    let stream = tokio::time::timeout(limit, connecting)
        .await
        .map_err(|_| ConnectionError::Timeout { url: url.clone(), limit })?
        .map_err(|source| ConnectionError::Connect { url: url.clone(), source })?;
    // A share that waits for the last one's acknowledgement may be stale by then.
    stream.set_nodelay(true)?;
    Ok(Connection { stream, lines: Lines::new(POOL_LINE_BYTES_MAX), outbox: Vec::new() })
}

impl Connection {
    /// Waits until something could be read or sent, and does so; lines that
    /// became complete are given out. May be dropped at any point.
    ///
    /// # Errors
    /// When the pool closed, the socket broke, or a line is too long.
    pub async fn turn(&mut self, mut each: impl FnMut(&[u8])) -> Result<(), ConnectionError> {
        poll_fn(|context| {
            if !self.outbox.is_empty() && self.stream.poll_write_ready(context)?.is_ready() {
                self.flush()?;
                return Poll::Ready(Ok(()));
            }
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                // Unlike `try_read`, this knows that a short read emptied the socket.
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Err(ConnectionError::Closed));
                }
                self.lines.feed(buffer.filled(), &mut each)?;
                Poll::Ready(Ok(()))
            })
        })
        .await
    }

    /// Sends as much of the outbox as the socket takes.
    ///
    /// # Errors
    /// When the socket broke, or the peer has stopped reading.
    pub fn flush(&mut self) -> Result<(), ConnectionError> {
        let mut sent = 0;
        while sent < self.outbox.len() {
            match self.stream.try_write(&self.outbox[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.outbox.drain(..sent);
        if self.outbox.is_empty() && self.outbox.capacity() > IDLE_BYTES_MAX {
            self.outbox = Vec::new();
        }
        if self.outbox.len() > UNSENT_BYTES_MAX { Err(ConnectionError::Stuck) } else { Ok(()) }
    }

    /// Ends it in order: says no more, and lets the pool finish, for `limit` at
    /// most. A socket that is closed over unread bytes sends RST instead, which
    /// looks like a crash.
    pub async fn end(mut self, limit: Duration) {
        let finish = async {
            self.stream.shutdown().await?;
            let mut unread = [0; 4096];
            while self.stream.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        // It has ended either way.
        let _ = tokio::time::timeout(limit, finish).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = PoolUrl { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let (ours, theirs) = tokio::join!(dial(&url, Duration::from_secs(5)), listener.accept());
        (ours.unwrap(), theirs.unwrap().0)
    }

    #[tokio::test]
    async fn an_end_over_unread_bytes_is_in_order() {
        let (ours, mut theirs) = pair().await;
        theirs.write_all(&[b'x'; 10_000]).await.unwrap();
        let pool = async {
            let heard = theirs.read(&mut [0; 10]).await;
            drop(theirs);
            heard
        };
        let (heard, ()) = tokio::join!(pool, ours.end(Duration::from_secs(60)));
        assert_eq!(heard.unwrap(), 0, "FIN");
    }

    #[tokio::test]
    async fn lines_go_both_ways() {
        let (mut ours, mut theirs) = pair().await;
        ours.outbox.extend_from_slice(b"ping\n");
        ours.flush().unwrap();
        let mut bytes = [0; 5];
        theirs.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping\n");
        theirs.write_all(b"one\ntwo\nthr").await.unwrap();
        let mut lines = Vec::new();
        while lines.len() < 2 {
            ours.turn(|line| lines.push(line.to_vec())).await.unwrap();
        }
        assert_eq!(lines, [b"one", b"two"]);
        drop(theirs);
        assert!(matches!(ours.turn(|_| ()).await, Err(ConnectionError::Closed)));
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_makes_nobody_wait() {
        let (mut ours, mut theirs) = pair().await;
        let mut writes = 0;
        let error = loop {
            ours.outbox.resize(ours.outbox.len() + 1024 * 1024, b'x');
            writes += 1;
            if let Err(error) = ours.flush() {
                break error;
            }
            assert!(writes < 100, "the socket's buffer has no end");
        };
        assert!(matches!(error, ConnectionError::Stuck));
        theirs.write_all(b"job\n").await.unwrap();
        let mut heard = 0;
        while heard == 0 {
            ours.turn(|_| heard += 1).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_refusal_names_the_pool() {
        let url = PoolUrl { host: "127.0.0.1".into(), port: 1 };
        let error = dial(&url, Duration::from_secs(5)).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot connect to stratum+tcp://127.0.0.1:1: "), "{error}");
    }
}
