//! Bytes cut into lines, within bounds.

use super::Quirk;
use super::device::{Device, Ending};
use crate::units::{Seconds, Timestamp};

/// The longest line that is waited for. A job with a coinbase of 16 KB has 40 KB.
const LINE_BYTES_MAX: usize = 1 << 20;

/// How long [`Quirk::LineTimeout`] waits for the rest of a line.
const LINE_TIMEOUT: Seconds = Seconds(1.0);

/// Bytes of a line that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// When its first byte came.
    since: Timestamp,
    /// Whether nothing is read any more ([`Quirk::NulHidesRest`]).
    deaf: bool,
}

impl Inbox {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.deaf = false;
    }

    /// The next whole line, without its line feed.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = memchr::memchr(b'\n', &self.bytes)?;
        let rest = self.bytes.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.pop();
        Some(line)
    }
}

impl Device {
    pub(super) fn received(&mut self, bytes: &[u8], now: Timestamp) {
        if !self.is_up() {
            return;
        }
        self.session.heard = now;
        self.session.pinged = false;
        let bytes = self.segment(bytes);
        if self.inbox.bytes.is_empty() {
            self.inbox.since = now;
        }
        self.inbox.bytes.extend_from_slice(bytes);
        while let Some(line) = self.inbox.line() {
            self.inbox.since = now;
            self.whole_line(&line, now);
            if !self.is_up() {
                return;
            }
        }
        let unfinished = self.inbox.bytes.len();
        if self.size(Quirk::LineCrash).is_some_and(|max| unfinished > max as usize) {
            self.crash(now);
        } else if unfinished > self.size(Quirk::LineLimit).map_or(LINE_BYTES_MAX, |max| max as usize) {
            self.leave(Ending::Fin, now);
        }
    }

    /// What is taken of the bytes that came together.
    fn segment<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut end = bytes.len();
        if self.has(Quirk::FirstLineOfSegment) {
            end = memchr::memchr(b'\n', bytes).map_or(end, |at| at + 1);
        }
        if self.has(Quirk::PartialLineLost) {
            end = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        }
        if self.has(Quirk::NulHidesRest) {
            if self.inbox.deaf {
                end = 0;
            } else if let Some(at) = memchr::memchr(0, bytes) {
                self.inbox.deaf = true;
                end = at;
            }
        }
        &bytes[..end]
    }

    fn whole_line(&mut self, line: &[u8], now: Timestamp) {
        let too_long = self.size(Quirk::LineSkipped).is_some_and(|max| line.len() > max as usize);
        if too_long || self.has(Quirk::CarriageReturnRefused) && line.ends_with(b"\r") {
            return;
        }
        let line = line.trim_ascii();
        if !line.is_empty() {
            self.on_line(line, now);
        } else if self.has(Quirk::BlankLineFatal) {
            self.leave(Ending::Fin, now);
        }
    }

    /// When a line that is not whole is taken as it is.
    pub(super) fn line_due(&self) -> Option<Timestamp> {
        let waits = self.has(Quirk::LineTimeout) && !self.inbox.bytes.is_empty();
        waits.then(|| self.inbox.since + LINE_TIMEOUT)
    }

    pub(super) fn take_unfinished_line(&mut self, now: Timestamp) {
        let line = std::mem::take(&mut self.inbox.bytes);
        self.whole_line(&line, now);
    }

    /// A share goes out.
    pub(super) fn inbox_on_submit(&mut self) {
        if self.has(Quirk::LineLostOnSubmit) {
            self.inbox.bytes.clear();
        }
    }

    pub(super) fn inbox_on_gone(&mut self) {
        if !self.has(Quirk::LineSurvivesReconnect) {
            self.inbox.clear();
        }
    }
}
