//! The wall time for drivers: read once, then counted by the monotonic clock.
//!
//! A step of the system's clock would otherwise make a wait negative or a
//! latency of hours.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::units::{Seconds, Timestamp};

/// A wall clock that never runs backwards.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    began: Timestamp,
}

impl Clock {
    /// Set to the system's time.
    #[must_use]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), began: Timestamp(since_epoch.as_micros() as u64) }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.began.0 + self.started.elapsed().as_micros() as u64)
    }

    /// The instant of a time, for timers; times before the start count as the start.
    #[must_use]
    pub fn instant(&self, time: Timestamp) -> Instant {
        let Seconds(after) = time.since(self.began);
        self.started + std::time::Duration::try_from_secs_f64(after).unwrap_or_default()
    }
}
