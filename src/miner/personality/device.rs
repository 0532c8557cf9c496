//! A replica of a mining device, as a pure state machine.

use std::sync::Arc;

use super::Quirk;
use super::inbox::Inbox;
use super::link::Link;
use super::outbox::Outbox;
use super::session::{Memory, Session};
use super::work::Worker;
use crate::units::{Hashrate, Timestamp};

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With FIN.
    Fin,
    /// With RST.
    Rst,
}

/// What happens to a device.
#[derive(Debug)]
pub enum DeviceEvent<'a> {
    /// The connection it asked for is there.
    Connected,
    /// Nobody accepts at that address, or its certificate is bad.
    Refused,
    /// Bytes came.
    Received(&'a [u8]),
    /// The pool ended the connection.
    Closed(Ending),
    /// The connection takes no more bytes: what was sent is still on its way.
    Blocked,
    /// It takes bytes again.
    Drained,
    /// The time of [`Device::next_wake`] came.
    Tick,
}

/// What a device does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceAction {
    /// Connects; the world looks the host up. An earlier connection is gone.
    Connect {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// An address that it looked up before and still uses, if it does not look up again.
        cached: bool,
        /// Whether it would accept a bad certificate, where there is TLS.
        accepts_any_certificate: bool,
    },
    /// Sends bytes.
    Send(Vec<u8>),
    /// Ends the connection.
    Close(Ending),
}

/// What a device is.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// Where it was told to mine.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// Worker name.
    pub user: String,
    /// What it claims to hash.
    pub hashrate: Hashrate,
    /// Claimed hashes for each real one.
    pub claimed_per_real: f64,
    /// What is peculiar.
    pub quirks: Vec<Quirk>,
    /// Seed of its back-off and extranonces.
    pub seed: u64,
}

/// The quirks of one device.
#[derive(Debug, Clone)]
pub(super) struct Quirks(Arc<[Quirk]>);

impl Quirks {
    pub fn new(quirks: &[Quirk]) -> Self {
        Self(quirks.into())
    }

    pub fn has(&self, quirk: Quirk) -> bool {
        self.0.contains(&quirk)
    }

    /// The value of a quirk that comes in sizes.
    pub fn size(&self, quirk: fn(u32) -> Quirk) -> Option<u32> {
        self.0.iter().find_map(|own| own.value().filter(|value| quirk(*value) == *own))
    }
}

/// A replica of a mining device.
///
/// Call [`Device::on`] with what happens, and with [`DeviceEvent::Tick`] at
/// [`Device::next_wake`]. The same configuration and events give the same actions.
#[derive(Debug)]
pub struct Device {
    pub(super) config: DeviceConfig,
    pub(super) quirks: Quirks,
    pub(super) link: Link,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) session: Session,
    pub(super) memory: Memory,
    pub(super) worker: Worker,
    pub(super) actions: Vec<DeviceAction>,
}

impl Device {
    /// A device that was just switched on.
    #[must_use]
    pub fn new(config: DeviceConfig, now: Timestamp) -> Self {
        Self::boot(config, 0, now)
    }

    /// A device that starts for the `boots`-th time, with nothing in mind.
    pub(super) fn boot(config: DeviceConfig, boots: u32, now: Timestamp) -> Self {
        let quirks = Quirks::new(&config.quirks);
        Self {
            link: Link::new((config.host.clone(), config.port), config.seed, boots, now),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            session: Session::new(now),
            memory: Memory::default(),
            worker: Worker::new(&config, quirks.clone(), boots),
            actions: Vec::new(),
            config,
            quirks,
        }
    }

    /// When to call with [`DeviceEvent::Tick`].
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let work = if self.is_up() && !self.hangs() { self.work_wake() } else { None };
        self.link_wake().into_iter().chain(work).min()
    }

    /// Takes what happened; appends what it does.
    pub fn on(&mut self, event: DeviceEvent<'_>, now: Timestamp, actions: &mut Vec<DeviceAction>) {
        if self.hangs() && !matches!(event, DeviceEvent::Closed(_) | DeviceEvent::Drained) {
            return;
        }
        match event {
            DeviceEvent::Connected => self.connected(now),
            DeviceEvent::Refused => self.refused(now),
            DeviceEvent::Closed(_) => self.closed(now),
            DeviceEvent::Received(bytes) => self.received(bytes, now),
            DeviceEvent::Blocked => self.blocked(now),
            DeviceEvent::Drained => self.outbox.drain(),
            DeviceEvent::Tick => {}
        }
        if !self.hangs() {
            self.link_timers(now);
            if self.is_up() {
                self.work_timers(now);
                self.mine(now);
            }
        }
        self.flush();
        actions.append(&mut self.actions);
    }

    /// Hands what was written over to the connection.
    pub(super) fn flush(&mut self) {
        if let Some(bytes) = self.outbox.take() {
            self.actions.push(DeviceAction::Send(bytes));
        }
    }

    pub(super) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
    }

    pub(super) fn size(&self, quirk: fn(u32) -> Quirk) -> Option<u32> {
        self.quirks.size(quirk)
    }
}
