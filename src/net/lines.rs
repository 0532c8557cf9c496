//! Bytes cut into lines, however the network cut them before.
//!
//! Invariant: whatever arrives, no more than the limit is kept. Lines are given
//! out in place; only an unfinished one is copied, so a quiet connection holds
//! no buffer.

/// A line longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {limit} bytes")]
pub struct LineTooLong {
    /// The limit.
    pub limit: usize,
}

/// The beginning of a line that is not complete yet.
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    limit: usize,
}

impl Lines {
    /// Lines of at most `limit` bytes without their line feed.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { partial: Vec::new(), limit }
    }

    /// Takes bytes as they come and gives out each complete line, without its
    /// line feed and a carriage return before it.
    ///
    /// # Errors
    /// At the first line beyond the limit; the stream cannot be trusted after it.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), LineTooLong> {
        self.cut(bytes, without_return, |lines| lines.iter().for_each(|line| each(line)))
    }

    /// The same, with a carriage return left where it is.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn feed_verbatim(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), LineTooLong> {
        self.cut(bytes, |line| line, |lines| lines.iter().for_each(|line| each(line)))
    }

    /// [`Self::feed`] for who wants the lines of one read together: the one that
    /// was unfinished by itself, then all others.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn feed_together(&mut self, bytes: &[u8], some: impl FnMut(&[&[u8]])) -> Result<(), LineTooLong> {
        self.cut(bytes, without_return, some)
    }

    fn cut(
        &mut self,
        bytes: &[u8],
        trimmed: fn(&[u8]) -> &[u8],
        mut some: impl FnMut(&[&[u8]]),
    ) -> Result<(), LineTooLong> {
        let mut rest = bytes;
        let mut whole = Vec::new();
        let mut checked = Ok(());
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            checked = self.check(line.len());
            if checked.is_err() {
                break;
            }
            if self.partial.is_empty() {
                whole.push(trimmed(line));
            } else {
                self.partial.extend_from_slice(line);
                some(&[trimmed(&self.partial)]);
                self.partial = Vec::new();
            }
            rest = after;
        }
        if !whole.is_empty() {
            some(&whole);
        }
        checked?;
        self.check(rest.len())?;
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Takes the beginning of a line that will not be completed.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }

    fn check(&self, more: usize) -> Result<(), LineTooLong> {
        let limit = self.limit;
        if self.partial.len() + more > limit { Err(LineTooLong { limit }) } else { Ok(()) }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(pieces: &[&[u8]], limit: usize) -> Result<Vec<Vec<u8>>, LineTooLong> {
        let mut lines = Lines::new(limit);
        let mut whole = Vec::new();
        for piece in pieces {
            lines.feed(piece, |line| whole.push(line.to_vec()))?;
        }
        Ok(whole)
    }

    #[test]
    fn lines_have_a_limit_finished_or_not() {
        assert_eq!(cut(&[b"abcd\n"], 4).unwrap(), [b"abcd"]);
        assert_eq!(cut(&[b"abcde\n"], 4), Err(LineTooLong { limit: 4 }));
        assert_eq!(cut(&[b"abc", b"de"], 4), Err(LineTooLong { limit: 4 }));
    }

    #[test]
    fn a_carriage_return_belongs_to_the_line_end() {
        assert_eq!(cut(&[b"a\r", b"\nb\r\n\n"], 9).unwrap(), [&b"a"[..], b"b", b""]);
        let (mut lines, mut verbatim) = (Lines::new(9), Vec::new());
        lines.feed_verbatim(b"a\r\nb\r", |line| verbatim.extend_from_slice(line)).unwrap();
        assert_eq!((verbatim.as_slice(), lines.take_rest().as_slice()), (&b"a\r"[..], &b"b\r"[..]));
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_makes_no_difference(
            text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut cuts: Vec<usize> = at.iter().map(|at| at.index(text.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut begin = 0;
            for end in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text[begin..end]);
                begin = end;
            }
            prop_assert_eq!(cut(&pieces, 1000), cut(&[&text], 1000));
        }
    }
}
