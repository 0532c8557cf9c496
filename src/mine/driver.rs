//! Keeps a connection to the pool, and the threads on its newest job.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info, warn};

use super::hashers::Hashers;
use super::{MineError, MineFigures, MineOptions, MineProgress, MineSummary};
use crate::miner::{
    Backoff, Client, ClientConfig, ClientEvent, ClientOutput, MinerJob, PoolVerdict, Share, reason,
};
use crate::net::{Clock, Connection, PoolUrl, dial};
use crate::units::{Hashrate, Seconds, Timestamp};

/// How long connecting may take.
const DIAL_LIMIT: Duration = Duration::from_secs(10);

/// How long the pool may take to let the miner in.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// A pool sends a job at least once a minute or so; one that has been silent
/// this long is gone, whatever TCP believes.
const SILENCE_LIMIT: Duration = Duration::from_secs(150);

/// How long the pool may take to end a session that the miner ends.
const END_LIMIT: Duration = Duration::from_secs(1);

/// A session this long was a good one: the next failure is a new trouble.
const GOOD_SESSION: Seconds = Seconds(60.0);

/// The longest wait that a pool may ask for before a reconnect.
const RECONNECT_WAIT_MAX: Seconds = Seconds(60.0);

/// How often the figures are logged.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// How a session ended.
enum End {
    /// All shares that were wanted are accepted.
    Enough,
    /// The pool wants another connection, on this port, after this time.
    Reconnect(u16, Seconds),
    /// It broke.
    Lost(String),
}

/// The miner.
pub(super) struct Driver {
    options: MineOptions,
    progress: Arc<MineProgress>,
    clock: Clock,
    began: Timestamp,
    client: Client,
    hashers: Hashers,
    session_began: Instant,
    /// When the pool last said anything.
    heard: Instant,
    report_at: Instant,
    /// The newest job of this session.
    job: Option<Arc<MinerJob>>,
    backoff: Backoff,
    /// Consecutive attempts that did not come to mining.
    failures: u32,
    summary: MineSummary,
}

impl Driver {
    pub fn new(options: MineOptions, progress: Arc<MineProgress>) -> Result<Self, MineError> {
        let client = Client::new(ClientConfig {
            user: options.user.as_str().into(),
            password: options.password.as_str().into(),
            user_agent: concat!("adit/", env!("CARGO_PKG_VERSION")).into(),
            version_rolling: options.version_rolling,
            suggest_difficulty: options.suggest_difficulty,
            extranonce_subscribe: true,
        });
        let clock = Clock::start();
        let now = Instant::now();
        Ok(Self {
            hashers: Hashers::start(options.threads, options.hashrate, options.seed, &progress)?,
            backoff: Backoff::new(options.seed),
            began: clock.now(),
            options,
            progress,
            clock,
            client,
            session_began: now,
            heard: now,
            report_at: now + REPORT_EVERY,
            job: None,
            failures: 0,
            summary: MineSummary::default(),
        })
    }

    pub fn into_summary(mut self) -> MineSummary {
        self.summary.unanswered += self.client.pending() as u64;
        self.summary.seconds = self.clock.now().since(self.began);
        self.summary.hashes = self.progress.read().hashes;
        self.summary
    }

    /// Session after session, until enough is mined or the pool stays out of reach.
    pub async fn mine(&mut self) -> Result<(), MineError> {
        let mut port = self.options.pool.port;
        loop {
            // A port that the pool named is good for one attempt.
            let url = PoolUrl { port, ..self.options.pool.clone() };
            port = self.options.pool.port;
            let began = self.clock.now();
            let accepted = self.summary.accepted;
            let (end, was_mining) = match dial(&url, DIAL_LIMIT).await {
                Ok(connection) => self.session(connection, &url).await,
                Err(error) => (End::Lost(error.to_string()), false),
            };
            let lasted = self.clock.now().since(began);
            if self.summary.accepted > accepted || lasted >= GOOD_SESSION {
                self.backoff.reset();
            }
            let mut wait = self.backoff.next_wait();
            match end {
                End::Enough => return Ok(()),
                End::Reconnect(to, after) => {
                    port = to;
                    wait = Seconds(wait.0.max(after.0));
                    info!(port, "the pool asks to connect again in {wait}");
                }
                End::Lost(error) if was_mining => {
                    self.failures = 0;
                    warn!("{error}; connecting again in {wait}");
                }
                End::Lost(error) => {
                    self.failures += 1;
                    if self.options.attempts.is_some_and(|attempts| self.failures >= attempts) {
                        let pool = self.options.pool.clone();
                        return Err(MineError::GaveUp { pool, attempts: self.failures, last: error });
                    }
                    warn!(failures = self.failures, "{error}; trying again in {wait}");
                }
            }
            sleep(wait.into()).await;
        }
    }

    /// One connection. Returns how it ended and whether it came to mining.
    async fn session(&mut self, mut connection: Connection, url: &PoolUrl) -> (End, bool) {
        info!("connected to {url}");
        self.summary.sessions += 1;
        self.session_began = Instant::now();
        self.heard = self.session_began;
        let mut out = ClientOutput::default();
        self.client.connect(&mut out);
        let end = loop {
            if let Some(end) = self.on_events(&mut out) {
                break end;
            }
            connection.outbox.append(&mut out.bytes);
            if let Err(error) = connection.flush() {
                break End::Lost(error.to_string());
            }
            if let Some(end) = self.turn(&mut connection, &mut out).await {
                break end;
            }
        };
        let was_mining = self.job.take().is_some();
        self.hashers.rest();
        self.progress.connected.store(false, Ordering::Relaxed);
        self.client.disconnected(&mut out);
        self.on_events(&mut out);
        connection.end(END_LIMIT).await;
        (end, was_mining)
    }

    /// Waits for one thing to happen, and takes it in.
    async fn turn(&mut self, connection: &mut Connection, out: &mut ClientOutput) -> Option<End> {
        let Self { client, clock, hashers, .. } = self;
        let is_mining = client.is_mining();
        // No more shares go out than are wanted; the threads keep what they find meanwhile.
        let under_way = self.summary.accepted + client.pending() as u64;
        let is_wanted = is_mining && self.options.shares.is_none_or(|shares| under_way < shares);
        let deadline =
            if is_mining { self.heard + SILENCE_LIMIT } else { self.session_began + HANDSHAKE_LIMIT };
        tokio::select! {
            turn = connection.turn(|line| client.on_line(line, clock.now(), out)) => {
                self.heard = Instant::now();
                turn.err().map(|error| End::Lost(error.to_string()))
            }
            Some(share) = hashers.found.recv(), if is_wanted => {
                self.on_share(&share, out);
                None
            }
            () = sleep_until(self.report_at) => {
                self.report_at += REPORT_EVERY;
                self.report();
                None
            }
            () = sleep_until(deadline) => Some(End::Lost(if is_mining {
                format!("the pool has been silent for {} s", SILENCE_LIMIT.as_secs())
            } else {
                format!("the pool did not let the miner in within {} s", HANDSHAKE_LIMIT.as_secs())
            })),
        }
    }

    fn on_events(&mut self, out: &mut ClientOutput) -> Option<End> {
        let mut end = None;
        for event in out.events.drain(..) {
            let ended = self.on_event(event);
            end = end.or(ended);
        }
        end
    }

    fn on_event(&mut self, event: ClientEvent) -> Option<End> {
        match event {
            ClientEvent::Ready => {
                info!(worker = self.options.user, "authorized");
                self.progress.connected.store(true, Ordering::Relaxed);
            }
            ClientEvent::NewJob { job, new_tip } => self.on_job(job, new_tip),
            ClientEvent::VersionMask(mask) => {
                debug!(mask = mask.map(|mask| format!("{mask:08x}")), "version bits");
                if let Some(job) = &self.job {
                    self.hashers.mine(Arc::clone(job), mask);
                }
            }
            ClientEvent::Answered { verdict: PoolVerdict::Accepted, waited, .. } => {
                self.summary.accepted += 1;
                self.progress.accepted.fetch_add(1, Ordering::Relaxed);
                info!(accepted = self.summary.accepted, "share accepted after {:.0} ms", waited.0 * 1e3);
                if self.options.shares.is_some_and(|shares| self.summary.accepted >= shares) {
                    return Some(End::Enough);
                }
            }
            ClientEvent::Answered { verdict: PoolVerdict::Rejected(error), .. } => {
                self.progress.rejected.fetch_add(1, Ordering::Relaxed);
                *self.summary.rejected.entry(reason::name(&error).into_owned()).or_default() += 1;
                warn!("share rejected: {error}");
            }
            ClientEvent::Unanswered(_) => self.summary.unanswered += 1,
            ClientEvent::Reconnect { host, port, wait_seconds } => {
                let own = &self.options.pool;
                if host.as_ref().is_some_and(|host| !host.eq_ignore_ascii_case(&own.host)) {
                    warn!("the pool asks to connect to {:?}, which is not {}: refused", host, own.host);
                } else {
                    let wait = Seconds(f64::from(wait_seconds).min(RECONNECT_WAIT_MAX.0));
                    return Some(End::Reconnect(port.filter(|port| *port != 0).unwrap_or(own.port), wait));
                }
            }
            ClientEvent::Message(text) => info!("the pool says: {text}"),
            ClientEvent::BadLine(error) => warn!("the pool sent a line that makes no sense: {error}"),
            ClientEvent::Failed(error) => return Some(End::Lost(error.to_string())),
        }
        None
    }

    fn on_job(&mut self, job: Arc<MinerJob>, new_tip: bool) {
        self.progress.set_difficulty(job.difficulty);
        if new_tip {
            match job.audit(self.options.network) {
                Some(audit) => info!(difficulty = job.difficulty.get(), "new tip: {audit}"),
                None => warn!("new tip: the coinbase cannot be read"),
            }
        }
        debug!(id = job.notice.id, difficulty = job.difficulty.get(), clean = job.notice.clean, "job");
        self.hashers.mine(Arc::clone(&job), self.client.version_mask());
        self.job = Some(job);
    }

    fn on_share(&mut self, share: &Share, out: &mut ClientOutput) {
        let is_current = self.job.as_ref().is_some_and(|job| job.generation == share.job.generation);
        let allowed = self.client.version_mask().unwrap_or(0);
        if !is_current || share.version_bits.unwrap_or(0) & !allowed != 0 {
            self.summary.outdated += 1;
            return;
        }
        let reached = share.reached();
        if self.summary.best.is_none_or(|best| reached > best) {
            self.summary.best = Some(reached);
        }
        if share.is_block() {
            self.summary.blocks += 1;
            self.progress.blocks.fetch_add(1, Ordering::Relaxed);
            info!(job = share.job.notice.id, "this share is a block");
        }
        self.client.submit(share, self.clock.now(), out);
    }

    fn report(&self) {
        let MineFigures { accepted, rejected, hashes, .. } = self.progress.read();
        let seconds = self.clock.now().since(self.began).0.max(1.0);
        let hashrate = Hashrate::new(hashes as f64 / seconds).unwrap_or_default();
        info!(accepted, rejected, "{hashrate} on average");
    }
}
