//! The recording's format: JSON lines, a header and then what was said, when and by whom.
//!
//! The reader takes transcripts of `adit check` too: the lines are of the same
//! type, and the header may be missing. It is strict where leniency would hide
//! a fault, with one exception: a last line without its line feed is what
//! `kill -9` leaves, so it is dropped and [`Recording::cut_off`] says so.

use std::io::{BufRead, Read as _};

use serde::{Deserialize, Serialize};

use super::Side;
use crate::conformance::Line;
use crate::stratum::v1::hex;
use crate::units::Timestamp;

/// The format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// Longest line of a file. One of the wire has at most a mebibyte, which JSON's
/// escapes can make six times as long.
const FILE_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format, [`FORMAT`].
    pub recording: u32,
    /// Version of adit that wrote it.
    pub adit: String,
    /// When it began, microseconds since the Unix epoch; entries count from here.
    pub began_us: u64,
    /// The pool.
    pub upstream: String,
    /// Where miners connected.
    pub listen: String,
    /// The file of rules, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}

/// One line after the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Time since the recording began.
    pub at: Timestamp,
    /// The connection, from 1; `None` for what concerns none.
    pub connection: Option<u32>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A side said something.
    Said {
        /// Who.
        by: Side,
        /// A line without its line feed. Transcripts also have bytes as they
        /// went, line feeds included.
        bytes: Vec<u8>,
        /// Whether no line feed followed.
        unfinished: bool,
        /// Whether it was not passed on as it stood; what was, if anything, follows.
        altered: bool,
    },
    /// The proxy passed this on in place of an altered line.
    Passed {
        /// To whom.
        to: Side,
        /// As above.
        bytes: Vec<u8>,
        /// As above.
        unfinished: bool,
    },
    /// Something that the proxy or the case did or saw.
    Note {
        /// Whether it is the note of a case of `adit check`.
        by_case: bool,
        /// What.
        text: String,
    },
}

/// A line of a file as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    line: Line,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Side>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    altered: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unfinished: bool,
}

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// There is nothing in it.
    #[error("there is nothing in it; `adit record` writes at least a header")]
    Empty,
    /// A newer version wrote it.
    #[error("it has format {0} of a newer adit; this one reads up to {FORMAT}")]
    Newer(u32),
    /// A line is not as it should be.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it, and what to try.
        what: String,
    },
}

/// A whole recording, or a transcript of `adit check`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// The first line; a transcript has none.
    pub header: Option<Header>,
    /// All others, in order.
    pub entries: Vec<Entry>,
    /// Whether a last line was cut off, and is not among the entries.
    pub cut_off: bool,
}

impl Entry {
    /// As a line of a file, with its line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (from, bytes, to, altered, unfinished) = match &self.what {
            What::Said { by, bytes, unfinished, altered } => {
                (by.name(), bytes.as_slice(), None, *altered, *unfinished)
            }
            What::Passed { to, bytes, unfinished } => {
                ("proxy", bytes.as_slice(), Some(*to), false, *unfinished)
            }
            What::Note { by_case, text } => {
                (if *by_case { "case" } else { "proxy" }, text.as_bytes(), None, false, false)
            }
        };
        let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
        let hex = text.is_none().then(|| hex::encode(bytes));
        let line =
            Line { at_us: self.at.micros(), connection: self.connection, from: from.to_owned(), text, hex };
        to_json(&Written { line, to, altered, unfinished })
    }

    fn from_json(json: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let Written { line: Line { at_us, connection, from, text, hex }, to, altered, unfinished } = written;
        let bytes = match (text, hex) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(hex)) => hex::decode(&hex).ok_or("`hex` is not hexadecimal")?,
            (Some(_), Some(_)) => return Err("both `text` and `hex`; which one was said?".into()),
            (None, None) => return Err("neither `text` nor `hex`; what was said?".into()),
        };
        let note = |by_case, bytes| {
            let text = String::from_utf8(bytes).map_err(|_| "a note that is not UTF-8")?;
            Ok::<_, String>(What::Note { by_case, text })
        };
        let what = match (from.as_str(), to) {
            ("miner", None) => What::Said { by: Side::Miner, bytes, unfinished, altered },
            ("pool", None) => What::Said { by: Side::Pool, bytes, unfinished, altered },
            ("proxy", Some(to)) => What::Passed { to, bytes, unfinished },
            ("proxy", None) => note(false, bytes)?,
            ("case", None) => note(true, bytes)?,
            (_, Some(_)) => return Err(format!("`to` in a line from `{from}`; only the proxy has it")),
            _ => return Err(format!("from `{from}`; it is one of miner, pool, proxy and case")),
        };
        Ok(Self { at: Timestamp(at_us), connection, what })
    }
}

impl Header {
    /// As a line of a file, with its line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

fn to_json(value: &impl Serialize) -> String {
    let mut json = serde_json::to_string(value).expect("no map with keys that are no strings");
    json.push('\n');
    json
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is no recording.
    pub fn read(mut from: impl BufRead) -> Result<Self, RecordingError> {
        let mut recording = Self::default();
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            from.by_ref().take(FILE_LINE_BYTES_MAX as u64).read_until(b'\n', &mut text)?;
            if text.is_empty() {
                break;
            }
            let wrong = |what| RecordingError::Line { line, what };
            let whole = text.ends_with(b"\n");
            if !whole && text.len() >= FILE_LINE_BYTES_MAX {
                return Err(wrong(format!("longer than {FILE_LINE_BYTES_MAX} bytes; is it a recording?")));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let is_first = recording.header.is_none() && recording.entries.is_empty();
            if let (true, Some(format)) = (is_first, format_of(&text)) {
                if format > FORMAT {
                    return Err(RecordingError::Newer(format));
                }
                let header = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
                recording.header = Some(header);
                continue;
            }
            match Entry::from_json(&text) {
                Ok(entry) => recording.entries.push(entry),
                Err(_) if !whole && line > 1 => recording.cut_off = true,
                Err(what) => return Err(wrong(what)),
            }
        }
        if recording.header.is_none() && recording.entries.is_empty() {
            return Err(RecordingError::Empty);
        }
        Ok(recording)
    }

    /// As a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let header = self.header.iter().map(Header::to_json);
        header.chain(self.entries.iter().map(Entry::to_json)).collect()
    }

    /// The numbers of its connections, ascending.
    #[must_use]
    pub fn connections(&self) -> Vec<u32> {
        let numbers: std::collections::BTreeSet<u32> =
            self.entries.iter().filter_map(|entry| entry.connection).collect();
        numbers.into_iter().collect()
    }
}

/// The format that a header names; `None` when the line is no header.
fn format_of(line: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Format {
        recording: u32,
    }
    serde_json::from_slice::<Format>(line).ok().map(|format| format.recording)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A connection's lines `TIME WHO TEXT`, times in milliseconds.
    pub fn recording(lines: &[&str]) -> Recording {
        let mut text = String::new();
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let [at, from, said] = [(); 3].map(|()| words.next().unwrap());
            let said = serde_json::Value::from(said);
            let at = 1_000 * at.parse::<u64>().unwrap();
            text += &format!("{{\"at_us\":{at},\"connection\":1,\"from\":\"{from}\",\"text\":{said}}}\n");
        }
        Recording::read(text.as_bytes()).unwrap()
    }

    fn read(text: &str) -> Result<Recording, String> {
        Recording::read(text.as_bytes()).map_err(|error| error.to_string())
    }

    const HEADER: &str =
        r#"{"recording":1,"adit":"0.1.0","began_us":5,"upstream":"stratum+tcp://p:1","listen":"0.0.0.0:1"}"#;

    #[test]
    fn what_is_written_can_be_read() {
        let said = |by, bytes: &[u8], unfinished, altered| What::Said {
            by,
            bytes: bytes.to_vec(),
            unfinished,
            altered,
        };
        let whats = [
            said(Side::Miner, b"{\"id\":1}\r", false, false),
            said(Side::Pool, b"\xff\x00", true, true),
            What::Passed { to: Side::Miner, bytes: b"x".to_vec(), unfinished: true },
            What::Note { by_case: false, text: "closed by miner: fin".into() },
            What::Note { by_case: true, text: "mark".into() },
        ];
        let entries = whats.into_iter().zip(0..).map(|(what, at)| Entry {
            at: Timestamp(at),
            connection: (at > 0).then_some(at as u32),
            what,
        });
        let recording = Recording {
            header: Some(serde_json::from_str(HEADER).unwrap()),
            entries: entries.collect(),
            cut_off: false,
        };
        let text = recording.to_json();
        assert_eq!(read(&text), Ok(recording));
        assert!(
            text.contains(
                r#"{"at_us":1,"connection":1,"from":"pool","hex":"ff00","altered":true,"unfinished":true}"#
            ),
            "{text}"
        );
        assert!(text.contains(
            r#"{"at_us":2,"connection":2,"from":"proxy","text":"x","to":"miner","unfinished":true}"#
        ));
    }

    #[test]
    fn transcripts_of_checks_can_be_read() {
        let line = r#"{"at_us":1,"connection":null,"from":"case","text":"mark","hex":null}"#;
        assert_eq!(read(line).unwrap().entries.len(), 1);
    }

    #[test]
    fn what_a_kill_leaves_can_be_read() {
        let entry = r#"{"at_us":1,"connection":1,"from":"miner","text":"x"}"#;
        for cut in 0..entry.len() {
            let recording = read(&format!("{HEADER}\n{entry}\n{}", &entry[..cut])).unwrap();
            assert_eq!((recording.entries.len(), recording.cut_off), (1, cut > 0));
        }
        assert_eq!(read(&format!("{HEADER}\n{entry}\n{entry}")).unwrap().entries.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        fn check(text: &str, part: &str) {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        check("", "there is nothing in it");
        check("\n\n", "there is nothing in it");
        check("hello", "line 1: ");
        check(&format!("{HEADER}\nhello\n"), "line 2: ");
        check(&format!("{HEADER}\nhello\n{HEADER}"), "line 2: ");
        check(r#"{"recording":2}"#, "format 2 of a newer adit");
        check(r#"{"recording":1}"#, "line 1: missing field `adit`");
        check(r#"{"at_us":1,"from":"moon","text":""}"#, "line 1: from `moon`");
        check(r#"{"at_us":1,"from":"miner"}"#, "neither `text` nor `hex`");
        check(r#"{"at_us":1,"from":"miner","text":"","hex":""}"#, "both");
        check(r#"{"at_us":1,"from":"miner","hex":"0"}"#, "not hexadecimal");
        check(r#"{"at_us":-1,"from":"miner","text":""}"#, "line 1: ");
        check(r#"{"at_us":1,"from":"pool","to":"miner","text":""}"#, "only the proxy");
    }
}
