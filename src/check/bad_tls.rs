//! Offers TLS with a certificate that is expired, for another host, and signed by nobody.
//!
//! A miner that verifies ends the handshake with an alert. One that goes
//! through with it has opened a connection, and is then talked to like any
//! other. The certificate and its key are files beside this one: known to all,
//! and good for nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{Error, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::CheckError;
use super::connection::{Order, Orders, closing};
use super::driver::{Event, What};
use crate::conformance::{Closing, Connection};
use crate::net::Clock;

/// `CN=someone-else.invalid`, January 2020, signed by itself.
const CERTIFICATE: &[u8] = include_bytes!("bad_tls/certificate.der");

/// Its key.
const KEY: &[u8] = include_bytes!("bad_tls/key.der");

/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);

/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;

/// What accepts with the bad certificate.
pub(super) fn acceptor() -> Result<TlsAcceptor, CheckError> {
    let fault = |error: Error| CheckError::Certificate(error.to_string());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .map_err(fault)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Why no connection came of it.
#[derive(Debug)]
pub(super) enum NoSession {
    /// The miner ended the handshake.
    Refused(String),
    /// It was none: the miner speaks no TLS, or stopped in the middle.
    NoTls(String),
}

/// Shakes hands.
pub(super) async fn shake_hands(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, NoSession> {
    let error = match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => error,
        Err(_) => {
            let seconds = HANDSHAKE_LIMIT.as_secs();
            return Err(NoSession::NoTls(format!("the handshake was not finished within {seconds} s")));
        }
    };
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    Err(match cause {
        Some(Error::InvalidMessage(_)) => NoSession::NoTls("what came is no TLS".to_owned()),
        _ => NoSession::Refused(error.to_string()),
    })
}

/// Carries bytes and orders until the connection ends. Below TLS nothing is
/// disturbed, so a reset is an end like others, and a frozen connection is silent.
pub(super) async fn serve(
    mut stream: TlsStream<TcpStream>,
    number: Connection,
    mut orders: Orders,
    events: mpsc::Sender<Event>,
    clock: Clock,
) {
    let mut buffer = vec![0; READ_BYTES];
    let mut reading = true;
    let closing = loop {
        tokio::select! {
            order = orders.next() => match order {
                Some(Order::Send(bytes)) => {
                    let sent = async { stream.write_all(&bytes).await?; stream.flush().await };
                    match timeout(HANDSHAKE_LIMIT, sent).await {
                        Ok(Ok(())) => orders.sent(bytes.len()),
                        Ok(Err(error)) => break closing(&error),
                        Err(_) => break Closing::TimedOut,
                    }
                }
                Some(Order::Read(read)) => reading = read,
                Some(Order::Freeze) => reading = false,
                Some(Order::Close | Order::Reset) | None => {
                    let _ = timeout(HANDSHAKE_LIMIT, stream.shutdown()).await;
                    return;
                }
            },
            count = stream.read(&mut buffer), if reading => match count {
                Ok(0) => break Closing::Fin,
                Ok(count) => {
                    let what = What::Received(number, buffer[..count].to_vec());
                    if events.send(Event { at: clock.now(), what }).await.is_err() {
                        return;
                    }
                }
                Err(error) => break closing(&error),
            },
        }
    };
    let _ = events.send(Event { at: clock.now(), what: What::Closed(number, closing) }).await;
}
