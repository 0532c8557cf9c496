//! A pool on loopback for tests: the pool's own rules behind the simplest of servers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, ScriptBuf, WPubkeyHash};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};

use super::{Clock, Lines, PoolUrl};
use crate::block::{CoinbaseSpec, Limits, Template};
use crate::event::{ConnectionId, Event};
use crate::pool::{Output, Pool, PoolSettings, Session, Work};
use crate::stratum::v1::Command;
use crate::units::Difficulty;

/// What the connections of a test pool share.
#[derive(Debug)]
struct Shared {
    pool: Arc<Pool>,
    clock: Clock,
    work: watch::Sender<Arc<Work>>,
    commands: broadcast::Sender<Command>,
    /// What every share is answered with, if set: makes the pool unjust.
    always: Option<&'static str>,
    events: Mutex<Vec<Event>>,
}

/// A pool; it ends with the test's runtime.
#[derive(Debug)]
pub struct TestPool {
    /// Where it listens.
    pub url: PoolUrl,
    shared: Arc<Shared>,
    tip: AtomicU64,
}

/// Settings with a fixed difficulty.
pub fn settings(difficulty: f64) -> PoolSettings {
    let difficulty_initial = Difficulty::new(difficulty).unwrap();
    PoolSettings { difficulty_initial, vardiff: None, ..PoolSettings::default() }
}

fn work(tip: u64, clock: Clock) -> Arc<Work> {
    let now = clock.now();
    let template = Template {
        height: 300_000 + tip as u32,
        prev_hash: crate::hash::sha256d(&tip.to_le_bytes()),
        version: 0x2000_0000,
        nbits: 0x1d00_ffff,
        ntime_min: now.unix_seconds() as u32 - 3_600,
        ntime: now.unix_seconds() as u32,
        coinbase_value: Amount::from_sat(312_500_000),
        transactions: Arc::new([]),
        limits: Limits::CONSENSUS,
        segwit: true,
        demands: None,
    };
    let settings = PoolSettings::default();
    let spec = CoinbaseSpec {
        payees: vec![(ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([1; 20])), 1)],
        tag: "/adit/".into(),
        extranonce_bytes: settings.extranonce1_bytes + settings.extranonce2_bytes,
        length: None,
    };
    Arc::new(Work::new(template, &spec, now).unwrap())
}

impl TestPool {
    /// Listens on a free port of loopback.
    pub async fn start(settings: PoolSettings) -> Self {
        Self::start_with(settings, None).await
    }

    /// A pool that answers every share with `result_and_error`.
    pub async fn unjust(settings: PoolSettings, result_and_error: &'static str) -> Self {
        Self::start_with(settings, Some(result_and_error)).await
    }

    async fn start_with(settings: PoolSettings, always: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = PoolUrl { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let clock = Clock::start();
        let shared = Arc::new(Shared {
            pool: Arc::new(Pool::new(settings, [7; 32])),
            clock,
            work: watch::Sender::new(work(0, clock)),
            commands: broadcast::Sender::new(16),
            always,
            events: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(Arc::clone(&accepting), stream, ConnectionId(number)));
            }
        });
        Self { url, shared, tip: AtomicU64::new(1) }
    }

    /// Puts the chain one block further.
    pub fn new_tip(&self) {
        let tip = self.tip.fetch_add(1, Ordering::Relaxed);
        self.shared.work.send_replace(work(tip, self.shared.clock));
    }

    /// Gives every session a command.
    pub fn command(&self, command: Command) {
        let _ = self.shared.commands.send(command);
    }

    /// What happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.shared.events.lock().unwrap().clone()
    }
}

async fn serve(shared: Arc<Shared>, mut stream: TcpStream, connection: ConnectionId) {
    stream.set_nodelay(true).unwrap();
    let now = || shared.clock.now();
    let mut session = Session::new(Arc::clone(&shared.pool), connection, now());
    let mut work = shared.work.subscribe();
    work.mark_changed();
    let mut commands = shared.commands.subscribe();
    let mut lines = Lines::new(16 * 1024);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let mut out = Output::default();
        tokio::select! {
            count = stream.read(&mut buffer) => {
                let Ok(count @ 1..) = count else { break };
                let each = |line: &[u8]| answer(&shared, &mut session, line, &mut out);
                lines.feed(&buffer[..count], each).unwrap();
            }
            _ = work.changed() => {
                let work = work.borrow_and_update().clone();
                session.on_work(&work, now(), &mut out);
            }
            Ok(command) = commands.recv() => {
                session.on_command(&command, now(), &mut out);
            }
        }
        shared.events.lock().unwrap().append(&mut out.events);
        if stream.write_all(&out.bytes).await.is_err() || out.close.is_some() {
            break;
        }
    }
    let mut out = Output::default();
    session.close(crate::event::CloseReason::Peer, now(), &mut out);
    shared.events.lock().unwrap().append(&mut out.events);
}

fn answer(shared: &Shared, session: &mut Session, line: &[u8], out: &mut Output) {
    match shared.always {
        Some(always) if line.windows(13).any(|window| window == b"mining.submit") => {
            let value: serde_json::Value = serde_json::from_slice(line).unwrap();
            out.bytes.extend_from_slice(format!("{{\"id\":{},{always}}}\n", value["id"]).as_bytes());
        }
        _ => session.on_line(line, shared.clock.now(), out),
    }
}
