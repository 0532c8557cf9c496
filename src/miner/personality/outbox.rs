//! What was written and not yet handed to the connection, within bounds.

use crate::units::{Seconds, Timestamp};

/// Bytes kept for a connection that takes none. Replies and shares beyond it are dropped.
const BYTES_MAX: usize = 16 * 1024;

/// How long a peer may take no bytes before it counts as dead.
const PATIENCE: Seconds = Seconds(120.0);

/// Bytes to send.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    blocked: Option<Timestamp>,
}

impl Outbox {
    /// Adds a whole line, unless a connection that takes none left no room for it.
    pub fn push(&mut self, line: &[u8]) {
        if self.blocked.is_none() || self.bytes.len() + line.len() <= BYTES_MAX {
            self.bytes.extend_from_slice(line);
        }
    }

    pub fn block(&mut self, now: Timestamp) {
        self.blocked.get_or_insert(now);
    }

    pub fn drain(&mut self) {
        self.blocked = None;
    }

    /// When a peer that takes no bytes is given up.
    pub fn gives_up(&self) -> Option<Timestamp> {
        self.blocked.map(|since| since + PATIENCE)
    }

    /// What can be sent now.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (self.blocked.is_none() && !self.bytes.is_empty()).then(|| std::mem::take(&mut self.bytes))
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
