//! Miners let in between them and a pool, and the file that all is written to.
//!
//! Each connection is a task of its own (`wire`). Entries go through a short
//! queue to one thread that writes; a disk that cannot keep up slows the
//! connections down, and memory stays bounded.

mod wire;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

use super::Side;
use super::recording::{Entry, FORMAT, Header, What};
use super::rules::Rules;
use crate::net::{Clock, PoolUrl};
use crate::units::{Seconds, Timestamp};

/// Miners at a time; each has a socket of its own and one to the pool.
const CONNECTIONS_MAX: usize = 256;

/// Entries that wait for the disk.
const ENTRIES_WAITING_MAX: usize = 32;

/// The longest time that an entry stays in memory while others come.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What to record.
#[derive(Debug)]
pub struct RecordOptions {
    /// Where miners connect.
    pub listen: SocketAddr,
    /// The pool.
    pub upstream: PoolUrl,
    /// The file to write; it must not exist.
    pub out: PathBuf,
    /// What to do to lines, and the file that says so.
    pub rules: Option<(PathBuf, Rules)>,
    /// Whether passwords are written down.
    pub keep_passwords: bool,
    /// End after this time.
    pub duration: Option<Seconds>,
}

/// What came of a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordSummary {
    /// Connections of miners.
    pub connections: u32,
    /// Lines of miners.
    pub miner_lines: u64,
    /// Lines of the pool.
    pub pool_lines: u64,
    /// Lines that rules acted on.
    pub altered: u64,
}

impl std::fmt::Display for RecordSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { connections, miner_lines, pool_lines, altered } = self;
        write!(f, "{connections} connections, {miner_lines} lines of miners, {pool_lines} of the pool")?;
        if *altered > 0 { write!(f, ", {altered} altered by rules") } else { Ok(()) }
    }
}

/// Why a tap cannot start or go on. Our surroundings are to blame.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another program using the port? try another one with --listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file is there already.
    #[error("{0} exists already; a recording is never overwritten: remove it, or choose another --out")]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

/// Listens on an address.
pub(super) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), TapError> {
    let failed = |source| TapError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What all connections share.
struct Shared {
    upstream: PoolUrl,
    rules: Arc<Rules>,
    keep_passwords: bool,
    clock: Clock,
    began: Timestamp,
    entries: mpsc::Sender<Entry>,
    stop: watch::Receiver<bool>,
}

impl Shared {
    /// The time since the recording began.
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now().micros().saturating_sub(self.began.micros()))
    }
}

/// Records until `stop` completes or the options' end is reached.
///
/// # Errors
/// When the port is taken, or the file exists or cannot be written.
pub async fn record(
    options: RecordOptions,
    stop: impl Future<Output = ()>,
) -> Result<RecordSummary, TapError> {
    let RecordOptions { listen: address, upstream, out, rules, keep_passwords, duration } = options;
    let (listener, bound) = listen(address).await?;
    let clock = Clock::start();
    let began = clock.now();
    let (rules_file, rules) = rules.map_or_else(Default::default, |(file, rules)| (Some(file), rules));
    let header = Header {
        recording: FORMAT,
        adit: env!("CARGO_PKG_VERSION").to_owned(),
        began_us: began.micros(),
        upstream: upstream.to_string(),
        listen: bound.to_string(),
        rules: rules_file.map(|file| file.display().to_string()),
    };
    let (entries, received) = mpsc::channel(ENTRIES_WAITING_MAX);
    let file = create(&out, &header)?;
    let mut writer = tokio::task::spawn_blocking(move || write_down(file, received));
    tracing::info!("miners: stratum+tcp://{bound}   pool: {upstream}   file: {}", out.display());

    let (stopping, stopped) = watch::channel(false);
    let shared =
        Shared { upstream, rules: Arc::new(rules), keep_passwords, clock, began, entries, stop: stopped };
    let end = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration.into()).await,
            None => std::future::pending().await,
        }
    };
    let shared = Arc::new(shared);
    let written = tokio::select! {
        () = accept(listener, &shared) => None,
        written = &mut writer => Some(written),
        () = stop => None,
        () = end => None,
    };
    // Connections still hold senders: they note their end, then the writer finds no more.
    stopping.send_replace(true);
    drop(shared);
    let written = match written {
        Some(written) => written,
        None => writer.await,
    };
    let failed = |source| TapError::Write { path: out.clone(), source };
    written.map_err(io::Error::other).and_then(|written| written).map_err(failed)
}

fn create(path: &Path, header: &Header) -> Result<BufWriter<File>, TapError> {
    let file = File::options().append(true).create_new(true).open(path);
    let file = file.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => TapError::Exists(path.to_owned()),
        _ => TapError::Write { path: path.to_owned(), source },
    })?;
    let mut file = BufWriter::new(file);
    let written = file.write_all(header.to_json().as_bytes()).and_then(|()| file.flush());
    written.map_err(|source| TapError::Write { path: path.to_owned(), source })?;
    Ok(file)
}

/// Writes entries until there are no more senders, and counts them. What is
/// there is flushed as soon as nothing more waits.
fn write_down(mut file: BufWriter<File>, mut entries: mpsc::Receiver<Entry>) -> io::Result<RecordSummary> {
    let mut summary = RecordSummary::default();
    let mut flushed = Instant::now();
    while let Some(entry) = entries.blocking_recv() {
        summary.connections = summary.connections.max(entry.connection.unwrap_or(0));
        if let What::Said { by, altered, .. } = &entry.what {
            match by {
                Side::Miner => summary.miner_lines += 1,
                Side::Pool => summary.pool_lines += 1,
            }
            summary.altered += u64::from(*altered);
        }
        file.write_all(entry.to_json().as_bytes())?;
        if entries.is_empty() || flushed.elapsed() >= FLUSH_EVERY {
            file.flush()?;
            flushed = Instant::now();
        }
    }
    file.flush()?;
    Ok(summary)
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut number = 0;
    loop {
        let (miner, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly out of file descriptors: those that are connected go on.
                tracing::warn!("cannot accept a connection: {error}; is the limit of open files too low?");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(%peer, "refused: there are {CONNECTIONS_MAX} connections already");
            continue;
        };
        number += 1;
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            wire::serve(&shared, number, miner, peer).await;
            drop(permit);
        });
    }
}
