//! How the pool's bytes are cut up on their way out.
//!
//! Bytes leave in the order they were given. A case can have them leave in
//! small pieces, with time between them, or only many lines at once.

use std::collections::VecDeque;

use crate::conformance::step::TransportStep;
use crate::units::{Seconds, Timestamp};

/// Bytes that wait at most; a peer that makes us say more than a trickle can
/// carry loses what is beyond.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    transport: TransportStep,
    /// Lines that wait for company, and how many.
    gathered: (Vec<u8>, usize),
    waiting: VecDeque<Segments>,
    waiting_bytes: usize,
    /// When the next piece may go.
    next: Timestamp,
    /// Whether what was given last ended with a line feed.
    mid_line: bool,
}

/// Bytes that leave in pieces.
#[derive(Debug)]
struct Segments {
    bytes: Vec<u8>,
    sent: usize,
    split: usize,
    every: Seconds,
    /// After the last of them.
    pause: Seconds,
}

impl Outbox {
    /// From here on bytes go out like this.
    pub fn shape(&mut self, transport: TransportStep) {
        self.flush();
        self.transport = transport;
    }

    /// Takes one or more whole lines.
    pub fn lines(&mut self, lines: Vec<u8>) {
        let lines = if self.transport.crlf { with_returns(&lines) } else { lines };
        self.mid_line = false;
        if let Some(late) = self.transport.late_feed {
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                let (line, feed) = line.split_at(line.len() - usize::from(line.ends_with(b"\n")));
                self.put(line.to_vec(), Some(late.0));
                self.put(feed.to_vec(), None);
            }
            return;
        }
        let Some(wanted) = self.transport.coalesce else { return self.put(lines, None) };
        let (gathered, count) = &mut self.gathered;
        *count += lines.iter().filter(|byte| **byte == b'\n').count();
        gathered.extend(lines);
        if *count >= wanted || gathered.len() > WAITING_BYTES_MAX {
            self.flush();
        }
    }

    /// Takes bytes as they stand.
    pub fn bytes(&mut self, bytes: Vec<u8>) {
        self.flush();
        self.mid_line = bytes.last().map_or(self.mid_line, |last| *last != b'\n');
        self.put(bytes, None);
    }

    /// Whether a line was begun and not ended, or something is still waiting.
    pub fn is_unfinished(&self) -> bool {
        self.mid_line || !self.waiting.is_empty() || !self.gathered.0.is_empty()
    }

    fn flush(&mut self) {
        let (gathered, count) = &mut self.gathered;
        *count = 0;
        if !gathered.is_empty() {
            let gathered = std::mem::take(gathered);
            self.put(gathered, None);
        }
    }

    /// `pause` is the time until what comes after it may go.
    fn put(&mut self, bytes: Vec<u8>, pause: Option<Seconds>) {
        if bytes.is_empty() || self.waiting_bytes + bytes.len() > WAITING_BYTES_MAX {
            return;
        }
        self.waiting_bytes += bytes.len();
        let split = self.transport.split.unwrap_or(bytes.len()).max(1);
        let every = self.transport.every.map_or(Seconds(0.0), |span| span.0);
        self.waiting.push_back(Segments { bytes, sent: 0, split, every, pause: pause.unwrap_or(every) });
    }

    /// When the next piece goes; `None` when nothing waits.
    pub fn next_wake(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then_some(self.next)
    }

    /// The pieces that go now.
    pub fn take(&mut self, now: Timestamp, mut each: impl FnMut(Vec<u8>)) {
        while self.next <= now {
            let Some(front) = self.waiting.front_mut() else { return };
            let end = (front.sent + front.split).min(front.bytes.len());
            let piece = front.bytes[front.sent..end].to_vec();
            front.sent = end;
            self.waiting_bytes -= piece.len();
            self.next = now + front.every;
            if front.sent == front.bytes.len() {
                self.next = now + front.pause;
                self.waiting.pop_front();
            }
            each(piece);
        }
    }
}

fn with_returns(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.len() + 1);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => out.extend([line, b"\r\n"].concat()),
            None => out.extend(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::span::Span;

    fn taken(outbox: &mut Outbox, millis: u64) -> Vec<String> {
        let mut pieces = Vec::new();
        outbox.take(Timestamp(millis * 1000), |piece| pieces.push(String::from_utf8(piece).unwrap()));
        pieces
    }

    #[test]
    fn a_trickle_takes_its_time_and_keeps_the_order() {
        let mut outbox = Outbox::default();
        let every = Some(Span(Seconds(0.02)));
        outbox.shape(TransportStep { split: Some(2), every, ..TransportStep::default() });
        outbox.lines(b"abc\n".to_vec());
        outbox.lines(b"d\n".to_vec());
        assert_eq!(taken(&mut outbox, 100), ["ab"]);
        assert_eq!(taken(&mut outbox, 110), [""; 0]);
        assert_eq!(outbox.next_wake(), Some(Timestamp(120_000)));
        assert_eq!(taken(&mut outbox, 120), ["c\n"]);
        assert_eq!(taken(&mut outbox, 140), ["d\n"]);
        assert_eq!(outbox.next_wake(), None);
    }

    #[test]
    fn pieces_without_a_pause_are_writes_of_their_own() {
        let mut outbox = Outbox::default();
        outbox.shape(TransportStep { split: Some(3), crlf: true, ..TransportStep::default() });
        outbox.lines(b"abc\n".to_vec());
        assert_eq!(taken(&mut outbox, 0), ["abc", "\r\n"]);
    }

    #[test]
    fn a_line_feed_can_be_late() {
        let mut outbox = Outbox::default();
        outbox.shape(TransportStep { late_feed: Some(Span(Seconds(0.5))), ..TransportStep::default() });
        outbox.lines(b"a\nb\n".to_vec());
        assert_eq!(taken(&mut outbox, 0), ["a"]);
        assert_eq!(taken(&mut outbox, 500), ["\n", "b"]);
        assert_eq!(taken(&mut outbox, 1000), ["\n"]);
    }

    #[test]
    fn lines_wait_for_company() {
        let mut outbox = Outbox::default();
        outbox.shape(TransportStep { coalesce: Some(2), ..TransportStep::default() });
        outbox.lines(b"a\n".to_vec());
        assert_eq!(taken(&mut outbox, 0), [""; 0]);
        assert!(outbox.is_unfinished());
        outbox.lines(b"b\n".to_vec());
        outbox.lines(b"c\n".to_vec());
        assert_eq!(taken(&mut outbox, 0), ["a\nb\n"]);
        outbox.shape(TransportStep::default());
        assert_eq!(taken(&mut outbox, 0), ["c\n"]);
        assert!(!outbox.is_unfinished());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut outbox = Outbox::default();
        for _ in 0..40 {
            outbox.bytes(vec![b'x'; 1 << 20]);
        }
        assert_eq!(outbox.waiting_bytes, WAITING_BYTES_MAX);
        assert!(outbox.is_unfinished());
    }
}
