//! The driver with a scripted pool, and plain sockets as miners.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::*;
use crate::conformance::{Closing, Connection, Outcome};

/// A pool that does what a closure says.
struct Scripted<F> {
    wake: Option<Timestamp>,
    script: F,
}

impl<F: FnMut(Input<'_>, Timestamp, &mut Option<Timestamp>, &mut Vec<Action>)> Play for Scripted<F> {
    fn next_wake(&self) -> Option<Timestamp> {
        self.wake
    }

    fn on(&mut self, input: Input<'_>, now: Timestamp, actions: &mut Vec<Action>) {
        if matches!(input, Input::Tick) {
            self.wake = None;
        }
        (self.script)(input, now, &mut self.wake, actions);
    }

    fn user_agent(&self) -> Option<String> {
        Some("scripted".to_owned())
    }

    fn hashrate(&self) -> Option<Hashrate> {
        None
    }
}

fn case(id: &str) -> Case {
    let text = format!(
        "id = \"{id}\"\ntitle = \"t\"\nseverity = \"low\"\nsuites = [\"quick\"]\nsources = []\npool = \"p\"\n\
         firmware = \"f\"\njudged = \"j\"\nsteps = []\nverdict = []"
    );
    toml::from_str(&text).unwrap()
}

fn options() -> CheckOptions {
    CheckOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        decoy: None,
        tls: None,
        moved: None,
        host: None,
        cases: vec![case("H01"), case("H02")],
        selection: "quick".to_owned(),
        hashrate: None,
        wait: Duration::from_secs(60),
        seed: 1,
    }
}

/// Runs the driver with a script, and a client at the main address; returns both results.
async fn play<T, C: Future<Output = T>>(
    options: CheckOptions,
    client: impl FnOnce(SocketAddr) -> C,
    script: impl FnMut(Input<'_>, Timestamp, &mut Option<Timestamp>, &mut Vec<Action>),
) -> (Examination, T) {
    let (listening, address) = oneshot::channel();
    let mut listening = Some(listening);
    let each = |progress: Progress<'_>| {
        if let (Progress::Listening(address), Some(listening)) = (progress, listening.take()) {
            listening.send(address).unwrap();
        }
    };
    let run = driver::run(options, std::future::pending(), each, |_, _| Scripted { wake: None, script });
    let client = async { client(address.await.unwrap()).await };
    let (examination, result) = tokio::join!(run, client);
    (examination.unwrap(), result)
}

async fn read_all(stream: &mut TcpStream) -> (Vec<u8>, Option<io::ErrorKind>) {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).await.err().map(|error| error.kind());
    (bytes, error)
}

#[tokio::test]
async fn lines_go_both_ways_and_ends_are_told_apart() {
    async fn check(end: fn(Connection) -> Action, expected: Option<io::ErrorKind>) {
        let client = async |address: SocketAddr| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"hello\n").await.unwrap();
            read_all(&mut stream).await
        };
        let (examination, (bytes, error)) = play(options(), client, |input, _, _, actions| match input {
            Input::Opened(Connection(1), Listener::Main) => actions.push(Action::Began(0)),
            Input::Received(number, b"hello\n") => {
                let one = Action::Send(number, b"one\n".to_vec());
                actions.extend([one, Action::Send(number, b"two\n".to_vec()), end(number), Action::Done]);
            }
            other => panic!("{other:?}"),
        })
        .await;
        assert_eq!((bytes.as_slice(), error), (&b"one\ntwo\n"[..], expected));
        assert_eq!(examination.user_agent.as_deref(), Some("scripted"));
        let outcomes: Vec<Outcome> = examination.cases.iter().map(|case| case.outcome).collect();
        assert_eq!(outcomes, [Outcome::Skipped; 2]);
    }
    check(Action::Close, None).await;
    check(Action::Reset, Some(io::ErrorKind::ConnectionReset)).await;
}

#[tokio::test]
async fn the_miners_ends_are_told() {
    async fn check(reset: bool, expected: Closing) {
        let client = async |address: SocketAddr| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.read_u8().await.unwrap();
            if reset {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        };
        let mut told = None;
        play(options(), client, |input, _, _, actions| match input {
            Input::Opened(number, _) => actions.push(Action::Send(number, b"x".to_vec())),
            Input::Closed(_, closing) => {
                told = Some(closing);
                actions.push(Action::Done);
            }
            other => panic!("{other:?}"),
        })
        .await;
        assert_eq!(told, Some(expected));
    }
    check(false, Closing::Fin).await;
    check(true, Closing::Rst).await;
}

#[tokio::test]
async fn a_closed_listener_refuses_until_it_is_open_again() {
    let client = async |address: SocketAddr| {
        let mut first = TcpStream::connect(address).await.unwrap();
        first.read_u8().await.unwrap();
        let refused = TcpStream::connect(address).await.err().map(|error| error.kind());
        first.write_all(b"open").await.unwrap();
        first.read_u8().await.unwrap();
        let again = TcpStream::connect(address).await;
        (refused, again.is_ok())
    };
    let (_, result) = play(options(), client, |input, _, _, actions| match input {
        Input::Opened(Connection(1), _) => {
            actions
                .extend([Action::Listen(Listener::Main, false), Action::Send(Connection(1), b"x".to_vec())]);
        }
        Input::Received(..) => {
            actions
                .extend([Action::Listen(Listener::Main, true), Action::Send(Connection(1), b"x".to_vec())]);
        }
        Input::Opened(Connection(2), _) => actions.push(Action::Done),
        other => panic!("{other:?}"),
    })
    .await;
    assert_eq!(result, (Some(io::ErrorKind::ConnectionRefused), true));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_frozen_connection_acknowledges_nothing() {
    let client = async |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The system then reports what stays unacknowledged for so long.
        let limit = Duration::from_millis(300);
        socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(limit)).unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(b"is anybody there?\n").await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        // Only now a second one ends the script.
        TcpStream::connect(address).await.unwrap();
        error.kind()
    };
    let (examination, error) = play(options(), client, |input, _, _, actions| match input {
        Input::Opened(Connection(1), _) => {
            actions.extend([Action::Send(Connection(1), b"x".to_vec()), Action::Freeze(Connection(1))]);
            actions.push(Action::Send(Connection(1), b"never".to_vec()));
        }
        Input::Opened(..) => actions.extend([Action::Close(Connection(1)), Action::Done]),
        other => panic!("{other:?}"),
    })
    .await;
    assert_eq!(error, io::ErrorKind::TimedOut);
    assert!(!examination.notes.iter().any(|note| note.contains("fell silent")), "{:?}", examination.notes);
}

#[tokio::test]
async fn what_is_not_read_waits() {
    const BYTES: usize = 16 * 1024 * 1024;
    let client = async |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&vec![b'x'; BYTES]).await.unwrap();
        read_all(&mut stream).await.0.len()
    };
    let (mut heard, mut at_stop, mut stopped) = (0, 0, false);
    play(options(), client, |input, now, wake, actions| match input {
        Input::Opened(..) => {}
        Input::Received(number, bytes) => {
            heard += bytes.len();
            if !stopped {
                stopped = true;
                actions.push(Action::Read(number, false));
                *wake = Some(Timestamp(now.0 + 100_000));
                return;
            }
            // What was read before the order came is still told, then nothing until it is wanted.
            assert!(at_stop > 0 || heard < BYTES / 2, "{heard} bytes were read though none should be");
            if heard == BYTES {
                actions.extend([Action::Close(number), Action::Done]);
            }
        }
        Input::Tick => {
            at_stop = heard;
            actions.push(Action::Read(Connection(1), true));
        }
        other => panic!("{other:?}"),
    })
    .await;
    assert!(at_stop > 0 && at_stop < BYTES, "{at_stop}");
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_given_up() {
    let client = async |address: SocketAddr| {
        let stream = TcpStream::connect(address).await.unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    };
    let mut closing = None;
    let run = play(
        options(),
        async |address| tokio::time::timeout(Duration::from_secs(5), client(address)).await,
        {
            let closing = &mut closing;
            move |input, _, _, actions| match input {
                Input::Opened(number, _) => {
                    for _ in 0..20 {
                        actions.push(Action::Send(number, vec![b'x'; 1024 * 1024]));
                    }
                }
                Input::Closed(_, how) => {
                    *closing = Some(how);
                    actions.push(Action::Done);
                }
                other => panic!("{other:?}"),
            }
        },
    );
    let (examination, _) = run.await;
    assert_eq!(closing, Some(Closing::TimedOut));
    assert!(examination.notes.iter().any(|note| note.contains("leaves everything unread")));
}

#[tokio::test]
async fn a_flood_is_cut_and_timers_go_on() {
    let client = async |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let chunk = vec![b'x'; 1024 * 1024];
        // Until the driver ends.
        while stream.write_all(&chunk).await.is_ok() {}
    };
    let mut heard = 0;
    let (examination, ()) = play(options(), client, |input, now, wake, actions| match input {
        Input::Opened(..) => *wake = Some(Timestamp(now.0 + 50_000)),
        Input::Received(_, bytes) => heard += bytes.len(),
        Input::Tick if heard + 16 * 1024 > CASE_BYTES_MAX => actions.push(Action::Done),
        Input::Tick => *wake = Some(Timestamp(now.0 + 50_000)),
        other => panic!("{other:?}"),
    })
    .await;
    assert!(heard <= CASE_BYTES_MAX, "{heard}");
    drop(examination);
}

#[tokio::test]
async fn more_connections_than_anybody_needs_are_refused() {
    let client = async |address: SocketAddr| {
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS_MAX + 3 {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        // The last is over the limit: it is closed without a word.
        let mut last = streams.pop().unwrap();
        let closed = last.read_u8().await.is_err();
        streams[0].write_all(b"end").await.unwrap();
        closed
    };
    let mut opened = 0;
    let (examination, closed) = play(options(), client, |input, _, _, actions| match input {
        Input::Opened(..) => opened += 1,
        Input::Received(..) => actions.push(Action::Done),
        other => panic!("{other:?}"),
    })
    .await;
    assert!(closed);
    assert_eq!(opened, CONNECTIONS_MAX);
    assert_eq!(examination.notes.iter().filter(|note| note.contains("one more was refused")).count(), 1);
}

#[tokio::test]
async fn other_places_are_known_and_reachable() {
    let mut options = options();
    options.moved = Some("127.0.0.3:0".parse().unwrap());
    let mut visited = Vec::new();
    let (listening, address) = oneshot::channel();
    let mut listening = Some(listening);
    let (addresses, places) = oneshot::channel();
    let each = |progress: Progress<'_>| {
        if let (Progress::Listening(address), Some(listening)) = (progress, listening.take()) {
            listening.send(address).unwrap();
        }
    };
    let run = driver::run(options, std::future::pending(), each, |setting, _| {
        addresses.send(setting.addresses).unwrap();
        let script =
            |input: Input<'_>, _: Timestamp, _: &mut Option<Timestamp>, actions: &mut Vec<Action>| {
                if let Input::Opened(_, listener) = input {
                    visited.push(listener);
                    match visited.len() {
                        1 => actions.push(Action::Listen(Listener::Moved, true)),
                        4 => actions.push(Action::Done),
                        _ => {}
                    }
                }
            };
        Scripted { wake: None, script }
    });
    let client = async {
        let main = address.await.unwrap();
        let mut streams = vec![TcpStream::connect(main).await.unwrap()];
        let places = places.await.unwrap();
        for wanted in [Listener::SameHost, Listener::Decoy, Listener::Moved] {
            let (_, host, port) = places.iter().find(|(listener, ..)| *listener == wanted).unwrap();
            loop {
                // Opened when the script says so.
                match TcpStream::connect((host.as_str(), *port)).await {
                    Ok(stream) => break streams.push(stream),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        }
        (main, places)
    };
    let (examination, (main, places)) = tokio::join!(run, client);
    assert_eq!(visited, [Listener::Main, Listener::SameHost, Listener::Decoy, Listener::Moved]);
    let host =
        |wanted| places.iter().find(|(listener, ..)| *listener == wanted).map(|(_, host, _)| host.clone());
    assert_eq!(host(Listener::Main), Some(main.ip().to_string()));
    assert_eq!(host(Listener::Decoy).as_deref(), Some("127.0.0.2"));
    assert_eq!(host(Listener::BadTls), None);
    assert!(examination.unwrap().notes.is_empty());
}

/// A miner that takes any certificate.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn connector(gullible: bool) -> TlsConnector {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = if gullible {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Gullible)).with_no_client_auth()
    } else {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn a_bad_certificate_finds_out_who_verifies() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut options = options();
    options.tls = Some(port);
    let client = async move |address: SocketAddr| {
        let mut main = TcpStream::connect(address).await.unwrap();
        main.read_u8().await.unwrap();
        let mut plain = TcpStream::connect(port).await.unwrap();
        plain.write_all(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").await.unwrap();
        // An alert comes, which it does not understand, and the end.
        read_all(&mut plain).await;
        let name = ServerName::try_from("pool.example").unwrap();
        let careful = connector(false).connect(name.clone(), TcpStream::connect(port).await.unwrap()).await;
        let mut gullible =
            connector(true).connect(name, TcpStream::connect(port).await.unwrap()).await.unwrap();
        gullible.write_all(b"hello").await.unwrap();
        let mut reply = [0; 5];
        gullible.read_exact(&mut reply).await.unwrap();
        (careful.unwrap_err().to_string(), reply)
    };
    let mut refused = Vec::new();
    let (examination, (careful, reply)) = play(options, client, |input, _, _, actions| match input {
        Input::Opened(number, Listener::Main) => {
            actions.extend([Action::Listen(Listener::BadTls, true), Action::Send(number, b"x".to_vec())]);
        }
        Input::TlsRefused(Listener::BadTls, why) => refused.push(why),
        Input::Opened(number, Listener::BadTls) => assert_eq!(number, Connection(2)),
        Input::Received(number, b"hello") => actions.push(Action::Send(number, b"world".to_vec())),
        Input::Closed(..) => actions.push(Action::Done),
        other => panic!("{other:?}"),
    })
    .await;
    assert!(careful.contains("certificate"), "{careful}");
    assert!(examination.notes.iter().any(|note| note.contains("is no TLS")), "{:?}", examination.notes);
    assert!(refused.len() == 1 && refused[0].contains("alert"), "{refused:?}");
    assert_eq!(&reply, b"world");
    assert_eq!(examination.cases.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut busy = options();
    busy.listen = taken.local_addr().unwrap();
    let error = run(busy, std::future::pending(), |_| ()).await.unwrap_err().to_string();
    assert!(error.contains("in use") && error.contains("choose another with --v1"), "{error}");

    let mut lonely = options();
    lonely.wait = Duration::ZERO;
    let error = run(lonely, std::future::pending(), |_| ()).await.unwrap_err().to_string();
    assert!(error.starts_with("no miner connected to 127.0.0.1:"), "{error}");
    assert!(error.contains("stratum+tcp://127.0.0.1:") && error.contains("0.0.0.0"), "{error}");

    let mut elsewhere = options();
    elsewhere.listen = "192.0.2.1:3333".parse().unwrap();
    let error = run(elsewhere, std::future::pending(), |_| ()).await.unwrap_err().to_string();
    assert!(error.contains("no such address"), "{error}");
}

#[tokio::test]
async fn an_examination_ended_by_hand_is_reported() {
    let mut told = Vec::new();
    let each = |progress: Progress<'_>| {
        if let Progress::Ended(result) = progress {
            told.push(result.id.clone());
        }
    };
    let examination = run(options(), std::future::ready(()), each).await.unwrap();
    assert_eq!(told, ["H01", "H02"]);
    assert!(examination.cases.iter().all(|case| case.outcome == Outcome::Skipped));
}
