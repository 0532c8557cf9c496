//! When a device connects, to whom, and when it gives a connection up.

use super::Quirk;
use super::device::{Device, DeviceAction, Ending};
use super::session::Session;
use crate::miner::Backoff;
use crate::units::{Seconds, Timestamp};

/// How long to wait for a connection.
const DIAL_LIMIT: Seconds = Seconds(30.0);

/// How long to wait for the replies without which there is no session.
const HANDSHAKE_LIMIT: Seconds = Seconds(30.0);

/// Silence after which the pool is asked for a sign of life.
const QUIET: Seconds = Seconds(90.0);

/// Silence after which the pool counts as dead. Below the three minutes that
/// a half-open connection may go unnoticed (N08), with room to reconnect.
const DEAD: Seconds = Seconds(150.0);

/// A session that lasts so long works, even where no share is accepted.
const WORKS: Seconds = Seconds(60.0);

/// The longest wait that a pool can ask for.
const WAIT_MAX: Seconds = Seconds(60.0);

/// How long a crash keeps a device away: its watchdog and its start.
const REBOOT: Seconds = Seconds(20.0);

/// Requests to reconnect that are further apart than this are unrelated.
const STORM_OVER: Seconds = Seconds(300.0);

/// The wait of the impatient.
const AT_ONCE: Seconds = Seconds(0.1);

/// For how long [`Quirk::ForeignPayoutReset`] blocks a pool.
const BLOCKED: Seconds = Seconds(600.0);

/// Failures in a row after which [`Quirk::GivesUp`] does.
const FAILURES_MAX: u32 = 3;

/// Where the connection stands.
///
/// ```text
///          until               Connected
///   Away ────────▶ Dialing ──────────────▶ Up
///    ▲                │ Refused, too long    │ Closed, dead, refused, told to
///    └────────────────┴──────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection before this time; never again without a time.
    Away(Option<Timestamp>),
    /// Asked for a connection at this time.
    Dialing(Timestamp),
    /// There is one.
    Up,
}

/// The connection of a device, and its plans for the next one.
#[derive(Debug)]
pub(super) struct Link {
    state: State,
    backoff: Backoff,
    /// Grows with each request to reconnect, so that a storm of them is none.
    patience: Backoff,
    /// When the pool last asked to reconnect.
    asked: Option<Timestamp>,
    /// Where the pool wants it next.
    detour: Option<(String, u16)>,
    /// Where it is at home; from its configuration, unless a quirk moved it.
    home: (String, u16),
    booted: Timestamp,
    boots: u32,
    /// Whether the device starts from scratch when it is back.
    crashed: bool,
    /// Whether a write never returned.
    hangs: bool,
    /// Whether it ever connected.
    knows_address: bool,
}

impl Link {
    pub fn new(home: (String, u16), seed: u64, boots: u32, now: Timestamp) -> Self {
        let backoff = Backoff::new(seed ^ u64::from(boots) << 32);
        Self {
            state: State::Away(Some(now)),
            patience: backoff.clone(),
            backoff,
            asked: None,
            detour: None,
            home,
            booted: now,
            boots,
            crashed: false,
            hangs: false,
            knows_address: false,
        }
    }
}

impl Device {
    pub(super) fn is_up(&self) -> bool {
        self.link.state == State::Up
    }

    /// Whether it does nothing at all until its connection ends.
    pub(super) fn hangs(&self) -> bool {
        self.link.hangs
    }

    pub(super) fn connected(&mut self, now: Timestamp) {
        if matches!(self.link.state, State::Dialing(_)) {
            self.link.state = State::Up;
            self.link.knows_address = true;
            self.session = Session::new(now);
            self.greet(now);
        }
    }

    pub(super) fn refused(&mut self, now: Timestamp) {
        if matches!(self.link.state, State::Dialing(_)) {
            self.gone(now);
        }
    }

    pub(super) fn closed(&mut self, now: Timestamp) {
        if !matches!(self.link.state, State::Away(_)) {
            self.gone(now);
        }
    }

    /// The connection takes no bytes.
    pub(super) fn blocked(&mut self, now: Timestamp) {
        self.outbox.block(now);
        self.link.hangs = self.has(Quirk::WriteHangs);
    }

    /// Ends the connection, and tries again after the back-off.
    pub(super) fn leave(&mut self, ending: Ending, now: Timestamp) {
        if self.is_up() {
            self.flush();
            self.actions.push(DeviceAction::Close(ending));
            self.gone(now);
        }
    }

    /// Goes where the pool asks, after a while.
    pub(super) fn move_to(&mut self, place: Option<(String, u16)>, wait: Seconds, now: Timestamp) {
        self.leave(Ending::Fin, now);
        if self.link.asked.is_some_and(|asked| now.since(asked) > STORM_OVER) {
            self.link.patience.reset();
        }
        self.link.asked = Some(now);
        self.link.detour = place;
        let mut wait = self.link.patience.next_wait().0.max(wait.0).min(WAIT_MAX.0);
        if self.has(Quirk::ReconnectAtOnce) {
            wait = AT_ONCE.0;
        }
        self.link.state = State::Away(Some(now + Seconds(wait)));
    }

    /// Waits as long as it is told, however long.
    pub(super) fn wait_for(&mut self, wait: Seconds, now: Timestamp) {
        self.leave(Ending::Fin, now);
        self.link.state = State::Away(Some(now + wait));
    }

    /// Goes there, now and for good.
    pub(super) fn settle_at(&mut self, host: String, port: u16, now: Timestamp) {
        self.leave(Ending::Fin, now);
        self.link.home = (host, port);
    }

    /// Wants nothing more to do with this pool for a while.
    pub(super) fn block_pool(&mut self, now: Timestamp) {
        self.leave(Ending::Rst, now);
        self.link.state = State::Away(Some(now + BLOCKED));
    }

    /// The firmware crashes, and starts again from scratch.
    pub(super) fn crash(&mut self, now: Timestamp) {
        if self.link.crashed {
            return;
        }
        if !matches!(self.link.state, State::Away(_)) {
            self.outbox.clear();
            self.actions.push(DeviceAction::Close(Ending::Rst));
            self.gone(now);
        }
        self.link.crashed = true;
        self.link.state = State::Away(Some(now + REBOOT));
    }

    /// The connection is gone; nothing agreed on it holds any more.
    fn gone(&mut self, now: Timestamp) {
        let session = &self.session;
        if session.works || session.ready.is_some_and(|ready| now.since(ready) > WORKS) {
            self.link.backoff.reset();
        }
        self.outbox.clear();
        self.inbox_on_gone();
        self.memory.mask = self.session.mask.or(self.memory.mask);
        self.memory.job = self.worker.job().cloned().or(self.memory.job.take());
        self.worker.stop(now);
        self.worker.set_mask(None, now);
        self.session = Session::new(now);
        self.link.hangs = false;
        self.link.state = State::Away(self.next_attempt(now));
    }

    fn next_attempt(&mut self, now: Timestamp) -> Option<Timestamp> {
        let wait = self.link.backoff.next_wait();
        let failures = self.link.backoff.failures();
        if self.has(Quirk::GivesUp) && failures > FAILURES_MAX {
            return None;
        }
        let wait = if self.has(Quirk::RetryAtOnce) {
            AT_ONCE
        } else if self.has(Quirk::BackoffUnbounded) {
            Seconds(2f64.powi(failures.min(20) as i32 - 1))
        } else {
            self.size(Quirk::RetryFixed).map_or(wait, |seconds| Seconds(f64::from(seconds)))
        };
        Some(now + wait)
    }

    fn dial(&mut self, now: Timestamp) {
        if self.link.crashed {
            let boots = self.link.boots + 1;
            let actions = std::mem::take(&mut self.actions);
            *self = Self { actions, ..Self::boot(self.config.clone(), boots, now) };
        }
        self.link.state = State::Dialing(now);
        // A detour is tried once: whatever becomes of it, next is where the user wants it.
        let (host, port) = self.link.detour.take().unwrap_or_else(|| self.link.home.clone());
        self.actions.push(DeviceAction::Connect {
            host,
            port,
            cached: self.has(Quirk::AddressCached) && self.link.knows_address,
            accepts_any_certificate: self.has(Quirk::CertificateUnverified),
        });
    }

    /// Silence after which the pool counts as dead.
    fn dead_after(&self) -> Option<Seconds> {
        if self.has(Quirk::SilenceIgnored) {
            return None;
        }
        Some(self.size(Quirk::SilenceLimit).map_or(DEAD, |seconds| Seconds(f64::from(seconds))))
    }

    /// When something of the connection is due.
    pub(super) fn link_wake(&self) -> Option<Timestamp> {
        if self.link.hangs {
            return None;
        }
        match self.link.state {
            State::Away(until) => until,
            State::Dialing(since) => Some(since + DIAL_LIMIT),
            State::Up => {
                let session = &self.session;
                let handshake = session.ready.is_none().then(|| session.began + HANDSHAKE_LIMIT);
                let dead = self.dead_after().map(|limit| session.heard + limit);
                let quiet = self.pings().then(|| session.heard + QUIET);
                let reboot = self.reboot_due();
                [handshake, dead, quiet, self.outbox.gives_up(), reboot].into_iter().flatten().min()
            }
        }
    }

    /// Whether it will ask for a sign of life.
    fn pings(&self) -> bool {
        let own_limit = self.size(Quirk::SilenceLimit).is_some();
        !self.session.pinged && !own_limit && !self.has(Quirk::SilenceIgnored)
    }

    fn reboot_due(&self) -> Option<Timestamp> {
        let uptime = self.size(Quirk::UptimeCrash)?;
        Some(self.link.booted + Seconds(f64::from(uptime)))
    }

    /// Does what is due.
    pub(super) fn link_timers(&mut self, now: Timestamp) {
        if self.link_wake().is_none_or(|wake| wake > now) {
            return;
        }
        let is_due = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
        match self.link.state {
            State::Away(_) => self.dial(now),
            State::Dialing(_) => self.gone(now),
            State::Up => {
                let session = &self.session;
                let late = session.ready.is_none() && now >= session.began + HANDSHAKE_LIMIT;
                let dead = self.dead_after().map(|limit| session.heard + limit);
                if is_due(self.reboot_due()) {
                    self.crash(now);
                } else if is_due(self.outbox.gives_up()) || is_due(dead) {
                    self.leave(Ending::Rst, now);
                } else if late {
                    self.leave(Ending::Fin, now);
                } else {
                    self.keep_alive();
                }
            }
        }
    }
}
