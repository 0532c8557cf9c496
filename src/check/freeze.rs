//! Makes a connection as dead as one behind a router that lost power.
//!
//! A socket filter that accepts zero bytes of every packet drops what comes in,
//! acknowledgements included, before TCP sees it; the owner writes nothing more.
//! The peer sees neither data nor acknowledgements nor an end, which no close
//! and no mere silence can show it. It needs no privilege.

use std::io;

use tokio::net::TcpStream;

/// Drops everything that arrives from here on.
#[cfg(target_os = "linux")]
pub(super) fn freeze(stream: &TcpStream) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};
    /// BPF's `ret #k`: how many bytes of the packet to keep.
    const RETURN: u16 = 0x06;
    SockRef::from(stream).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)])
}

/// Other systems have other filters; the caller falls silent instead.
#[cfg(not(target_os = "linux"))]
pub(super) fn freeze(_stream: &TcpStream) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux can"))
}
