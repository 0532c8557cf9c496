//! Sockets of the player: each miner that connects hears the recording from its beginning.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::LINE_BYTES_MAX;
use super::player::{Part, Player, PlayerOutput};
use super::proxy::{TapError, listen};
use super::report::ReplayReport;
use crate::net::{Clock, Lines};
use crate::units::Seconds;

/// Miners at a time.
const CONNECTIONS_MAX: usize = 64;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// How long a miner may leave what it was sent unread.
const WRITE_LIMIT: Duration = Duration::from_secs(120);

/// How to replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Where miners connect.
    pub listen: SocketAddr,
    /// 2 halves all times.
    pub speed: f64,
    /// Whether to end after the first miner.
    pub once: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct ReplaySummary {
    /// For each miner, in the order in which they left.
    pub reports: Vec<ReplayReport>,
}

impl ReplaySummary {
    /// Whether any miner did anything differently.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.reports.iter().any(ReplayReport::differs)
    }
}

/// Plays a part to every miner that connects, until `stop` completes or, with
/// `once`, the first miner has heard it. `each` gets each report as it comes.
///
/// # Errors
/// When the port is taken.
pub async fn replay(
    part: Part,
    options: ReplayOptions,
    stop: impl Future<Output = ()>,
    mut each: impl FnMut(&ReplayReport),
) -> Result<ReplaySummary, TapError> {
    let (listener, bound) = listen(options.listen).await?;
    tracing::info!("miners: stratum+tcp://{bound}   lasts {}", Seconds(part.lasted().0 / options.speed));
    let part = Arc::new(part);
    let (done, mut reports) = mpsc::channel(CONNECTIONS_MAX);
    let (stopping, stopped) = watch::channel(false);
    let mut summary = ReplaySummary::default();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if done.strong_count() <= CONNECTIONS_MAX => {
                    tracing::info!(%peer, "connected");
                    tokio::spawn(play(part.clone(), options.speed, stream, stopped.clone(), done.clone()));
                }
                Ok((_, peer)) => tracing::warn!(%peer, "refused: there are {CONNECTIONS_MAX} miners already"),
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}; is the limit of open files too low?");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(report) = reports.recv() => {
                each(&report);
                summary.reports.push(report);
                if options.once {
                    return Ok(summary);
                }
            }
            () = &mut stop => break,
        }
    }
    // Those that still listen have heard only a part; what they did is reported all the same.
    stopping.send_replace(true);
    drop(done);
    while let Some(report) = reports.recv().await {
        each(&report);
        summary.reports.push(report);
    }
    Ok(summary)
}

/// Plays to one miner; reports unless it said nothing, as a port scan does.
async fn play(
    part: Arc<Part>,
    speed: f64,
    mut stream: TcpStream,
    mut stop: watch::Receiver<bool>,
    done: mpsc::Sender<ReplayReport>,
) {
    let _ = stream.set_nodelay(true);
    let clock = Clock::start();
    let mut player = Player::new(&part, speed, clock.now());
    let ended = tokio::select! {
        ended = perform(&mut player, &clock, &mut stream) => Some(ended),
        _ = stop.wait_for(|stop| *stop) => None,
    };
    match ended {
        Some(Ok(true)) => {
            let _ = stream.set_zero_linger();
        }
        Some(Ok(false)) => {
            let _ = stream.shutdown().await;
        }
        Some(Err(error)) => tracing::info!("the miner is gone: {error}"),
        None => player.interrupt(),
    }
    drop(stream);
    if player.is_begun() {
        let _ = done.send(player.report(clock.now())).await;
    }
}

/// Plays to the end; says whether that is a reset. An error means that the miner left.
async fn perform(player: &mut Player<'_>, clock: &Clock, stream: &mut TcpStream) -> io::Result<bool> {
    let mut lines = Lines::new(LINE_BYTES_MAX);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        while let Some(output) = player.pop(clock.now()) {
            match output {
                PlayerOutput::End { reset } => return Ok(reset),
                PlayerOutput::Send(bytes) => {
                    tokio::time::timeout(WRITE_LIMIT, stream.write_all(&bytes)).await??;
                }
            }
        }
        let wake = player.next_wake().map(|at| Instant::from_std(clock.instant(at)));
        let wait = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = stream.readable() => {
                ready?;
                match stream.try_read(&mut buffer) {
                    Ok(0) => return Err(io::Error::other("it closed the connection")),
                    Ok(length) => {
                        let fed = lines.feed(&buffer[..length], |line| player.on_line(line, clock.now()));
                        fed.map_err(|error| io::Error::other(format!("it sent {error}")))?;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            () = wait => {}
        }
    }
}
