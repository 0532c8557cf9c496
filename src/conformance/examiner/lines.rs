//! Lines out of whatever bytes a peer sends, none longer than a limit.
//!
//! Unlike `net::Lines` this goes on after a line that is too long: its
//! beginning is a fact, and so is what the miner says next.

use memchr::memchr;

/// Longest line that is kept, in bytes; what is beyond is dropped.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// The beginning of a line that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// The rest of a line that was cut is being dropped.
    dropping: bool,
}

impl Lines {
    /// Takes bytes as they come and gives out each line without its end, and
    /// whether it was cut.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8], bool)) {
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            self.extend(&rest[..end], &mut each);
            if !std::mem::take(&mut self.dropping) {
                each(self.partial.strip_suffix(b"\r").unwrap_or(&self.partial), false);
            }
            self.partial.clear();
            self.partial.shrink_to(4096);
            rest = &rest[end + 1..];
        }
        self.extend(rest, &mut each);
    }

    fn extend(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8], bool)) {
        if self.dropping {
            return;
        }
        let room = LINE_BYTES_MAX - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            each(&self.partial, true);
            self.partial = Vec::new();
            self.dropping = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<(usize, bool)> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            lines.feed(piece, |line, cut| found.push((line.len(), cut)));
        }
        found
    }

    #[test]
    fn where_the_network_cuts_makes_no_difference() {
        assert_eq!(cut(&[b"abc\r\nde", b"f\n\ng"]), [(3, false), (3, false), (0, false)]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_is_read() {
        let long = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(cut(&[&long, b"\nab\n"]), [(LINE_BYTES_MAX, false), (2, false)]);
        assert_eq!(cut(&[&long, b"x", b"xx\nab\n"]), [(LINE_BYTES_MAX, true), (2, false)]);
    }
}
