//! Bytes on a long way: they come out, in order, a fixed time after they went in.
//!
//! One buffer holds all pieces, so that a miner without latency copies a line
//! once and allocates nothing.

use std::collections::VecDeque;

use crate::units::{Seconds, Timestamp};

/// Bytes an empty queue may hold on to.
const IDLE_BYTES_MAX: usize = 2048;

/// A piece's place in the buffer.
#[derive(Debug)]
struct Mark<T> {
    entered: Timestamp,
    end: usize,
    tag: T,
}

/// A queue with a delay. Each piece carries a tag.
#[derive(Debug)]
pub(super) struct Delay<T> {
    delay: Seconds,
    bytes: Vec<u8>,
    marks: VecDeque<Mark<T>>,
    /// Where the first piece begins.
    begin: usize,
}

/// A piece that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a, T> {
    /// When it went in.
    pub entered: Timestamp,
    pub bytes: &'a [u8],
    pub tag: T,
}

impl<T> Delay<T> {
    pub fn new(delay: Seconds) -> Self {
        Self { delay, bytes: Vec::new(), marks: VecDeque::new(), begin: 0 }
    }

    pub fn push(&mut self, bytes: &[u8], tag: T, now: Timestamp) {
        self.bytes.extend_from_slice(bytes);
        self.marks.push_back(Mark { entered: now, end: self.bytes.len(), tag });
    }

    /// When the next piece arrives.
    pub fn due(&self) -> Option<Timestamp> {
        self.marks.front().map(|mark| mark.entered + self.delay)
    }

    /// The next piece, if it has arrived.
    pub fn pop(&mut self, now: Timestamp) -> Option<Piece<'_, T>> {
        if self.due().is_none_or(|due| due > now) {
            if self.marks.is_empty() {
                self.clear();
            }
            return None;
        }
        let Mark { entered, end, tag } = self.marks.pop_front()?;
        let begin = std::mem::replace(&mut self.begin, end);
        Some(Piece { entered, bytes: &self.bytes[begin..end], tag })
    }

    /// Loses what is on the way.
    pub fn clear(&mut self) {
        self.marks.clear();
        self.begin = 0;
        if self.bytes.capacity() > IDLE_BYTES_MAX {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_in_order_and_on_time() {
        let at = |seconds: f64| Timestamp(0) + Seconds(seconds);
        let mut delay = Delay::new(Seconds(0.1));
        delay.push(b"one", 1, at(1.0));
        delay.push(b"two", 2, at(1.05));
        assert_eq!(delay.due(), Some(at(1.1)));
        assert_eq!(delay.pop(at(1.09)), None);
        assert_eq!(delay.pop(at(1.12)), Some(Piece { entered: at(1.0), bytes: b"one", tag: 1 }));
        assert_eq!(delay.pop(at(1.12)), None);
        delay.push(b"three", 3, at(1.13));
        assert_eq!(delay.pop(at(9.0)).unwrap().bytes, b"two");
        assert_eq!(delay.pop(at(9.0)).unwrap().bytes, b"three");
        assert_eq!(delay.pop(at(9.0)), None);
        assert_eq!((delay.due(), delay.bytes.len()), (None, 0));
    }
}
