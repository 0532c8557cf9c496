//! One connection of a recording as its lines, requests and replies.
//!
//! A recording through rules tells two stories: what a side said, and what the
//! other heard. A [`View`] takes one side's: all it said, and what reached it.

use std::collections::{BTreeMap, VecDeque};

use super::Side;
use super::recording::{Entry, Recording, What};
use crate::stratum::v1::members::Members;
use crate::units::Timestamp;

/// Whose story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// What the miner said, and what it heard of the pool.
    Miner,
    /// What the pool said, and what it heard of the miner.
    Pool,
}

/// What a line is, as far as its form tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It has a method and an id that is not null.
    Request(String),
    /// It has a method and no id.
    Notification(String),
    /// It has a result or an error, and no method.
    Reply,
    /// It is none of these: no JSON object, or one without all.
    Other,
}

/// A line that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When its last byte was.
    pub at: Timestamp,
    /// Who said it.
    pub by: Side,
    /// Without its line feed.
    pub line: Vec<u8>,
    /// Whether no line feed followed.
    pub unfinished: bool,
    /// What it is.
    pub kind: Kind,
}

/// A request, and its reply if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Index of its line.
    pub line: usize,
    /// Who asked.
    pub by: Side,
    /// The method.
    pub method: String,
    /// The id as it stood; `None` for a notification of the miner.
    pub id: Option<String>,
    /// Index of the reply's line.
    pub reply: Option<usize>,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// As the recording says: `closed by miner: fin`.
    pub how: String,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its number.
    pub number: u32,
    /// When it was opened, or the first line was said.
    pub opened: Timestamp,
    /// Its lines in order.
    pub lines: Vec<Said>,
    /// Its requests in order; notifications of the miner are among them.
    pub requests: Vec<Request>,
    /// The first sign of its end.
    pub closed: Option<Closed>,
    /// When the last thing happened.
    pub ended: Timestamp,
}

impl Said {
    /// The line's members; none when it has none.
    #[must_use]
    pub fn members(&self) -> Option<Members<'_>> {
        Members::of_line(trimmed(&self.line))
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What a line is.
pub(super) fn kind(line: &[u8]) -> Kind {
    let Some(members) = Members::of_line(trimmed(line)) else { return Kind::Other };
    match members.method() {
        Some(method) if members.id().is_some_and(|id| id != "null") => Kind::Request(method.into_owned()),
        Some(method) => Kind::Notification(method.into_owned()),
        None if members.is_reply() => Kind::Reply,
        None => Kind::Other,
    }
}

/// Puts lines together from pieces, or takes them apart.
#[derive(Default)]
struct Assembly {
    partial: Vec<u8>,
    /// Whether entries are bytes as they went: line feeds among them are theirs.
    raw: bool,
}

impl Assembly {
    fn feed(&mut self, bytes: &[u8], unfinished: bool, mut each: impl FnMut(Vec<u8>)) {
        self.partial.extend_from_slice(bytes);
        if !self.raw {
            if !unfinished {
                each(std::mem::take(&mut self.partial));
            }
            return;
        }
        let Some(last) = memchr::memrchr(b'\n', &self.partial) else { return };
        let rest = self.partial.split_off(last + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        whole[..last].split(|byte| *byte == b'\n').for_each(|line| each(line.to_vec()));
    }
}

/// Whether an entry is part of a view: who says what it has.
fn heard(what: &What, view: View) -> Option<(Side, &[u8], bool)> {
    let told = if view == View::Miner { Side::Miner } else { Side::Pool };
    match what {
        What::Said { by, bytes, unfinished, altered } if *by == told || !altered => {
            Some((*by, bytes, *unfinished))
        }
        What::Passed { to, bytes, unfinished } if *to == told => Some((to.other(), bytes, *unfinished)),
        _ => None,
    }
}

impl Conversation {
    /// A connection of a recording, from one side.
    #[must_use]
    pub fn of(recording: &Recording, number: u32, view: View) -> Self {
        let entries = recording.entries.iter().filter(|entry| entry.connection == Some(number));
        Self::of_entries(&entries.collect::<Vec<_>>(), number, view)
    }

    /// All connections of a recording, from one side.
    #[must_use]
    pub fn all(recording: &Recording, view: View) -> Vec<Self> {
        let mut by_number: BTreeMap<u32, Vec<&Entry>> = BTreeMap::new();
        for entry in &recording.entries {
            if let Some(number) = entry.connection {
                by_number.entry(number).or_default().push(entry);
            }
        }
        by_number.into_iter().map(|(number, entries)| Self::of_entries(&entries, number, view)).collect()
    }

    fn of_entries(entries: &[&Entry], number: u32, view: View) -> Self {
        let mut assemblies = [Assembly::default(), Assembly::default()];
        for entry in entries {
            if let Some((by, bytes, _)) = heard(&entry.what, view) {
                assemblies[by as usize].raw |= bytes.contains(&b'\n');
            }
        }
        let began = entries.iter().map(|entry| entry.at).min().unwrap_or_default();
        let mut conversation = Self {
            number,
            opened: began,
            lines: Vec::new(),
            requests: Vec::new(),
            closed: None,
            ended: began,
        };
        for Entry { at, what, .. } in entries.iter().copied() {
            conversation.ended = conversation.ended.max(*at);
            if let Some((by, bytes, unfinished)) = heard(what, view) {
                let lines = &mut conversation.lines;
                assemblies[by as usize].feed(bytes, unfinished, |line| {
                    let kind = kind(&line);
                    lines.push(Said { at: *at, by, line, unfinished: false, kind });
                });
            }
            match what {
                What::Note { text, .. } if text.starts_with("closed") => {
                    conversation.closed.get_or_insert_with(|| Closed { at: *at, how: text.clone() });
                }
                _ => {}
            }
        }
        for (by, assembly) in Side::ALL.into_iter().zip(assemblies) {
            if !assembly.partial.is_empty() {
                let (at, line) = (conversation.ended, assembly.partial);
                let kind = kind(&line);
                conversation.lines.push(Said { at, by, line, unfinished: true, kind });
            }
        }
        conversation.requests = requests(&conversation.lines);
        conversation
    }

    /// Requests that one side made.
    pub fn asked_by(&self, side: Side) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(move |request| request.by == side)
    }
}

/// Requests with their replies: each reply belongs to the oldest request with
/// its id that has none. Some miners give every share the same id.
fn requests(lines: &[Said]) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    let mut waiting: BTreeMap<(Side, String), VecDeque<usize>> = BTreeMap::new();
    for (index, said) in lines.iter().enumerate() {
        let Some(members) = said.members() else { continue };
        let id = members.id().filter(|id| *id != "null");
        match &said.kind {
            Kind::Request(method) => {
                let id = id.unwrap_or_default().to_owned();
                waiting.entry((said.by, id.clone())).or_default().push_back(requests.len());
                let (by, method) = (said.by, method.clone());
                requests.push(Request { line: index, by, method, id: Some(id), reply: None });
            }
            Kind::Notification(method) if said.by == Side::Miner => {
                let (by, method) = (said.by, method.clone());
                requests.push(Request { line: index, by, method, id: None, reply: None });
            }
            Kind::Reply => {
                let asker = (said.by.other(), id.unwrap_or_default().to_owned());
                if let Some(request) = waiting.get_mut(&asker).and_then(|waiting| waiting.pop_front()) {
                    requests[request].reply = Some(index);
                }
            }
            _ => {}
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(lines: &[&str]) -> Recording {
        let lines =
            lines.iter().zip(1..).map(|(line, at)| format!("{{\"at_us\":{at},\"connection\":1,{line}}}\n"));
        Recording::read(lines.collect::<String>().as_bytes()).unwrap()
    }

    fn texts(conversation: &Conversation) -> Vec<(Side, String, bool)> {
        let text = |said: &Said| (said.by, String::from_utf8(said.line.clone()).unwrap(), said.unfinished);
        conversation.lines.iter().map(text).collect()
    }

    #[test]
    fn each_side_has_its_story() {
        let recording = recording(&[
            r#""from":"proxy","text":"opened by x""#,
            r#""from":"pool","text":"a","altered":true"#,
            r#""from":"pool","text":"b""#,
            r#""from":"proxy","to":"miner","text":"A","unfinished":true"#,
            r#""from":"proxy","to":"miner","text":"A""#,
            r#""from":"miner","text":"m","unfinished":true"#,
            r#""from":"proxy","text":"closed by miner: fin""#,
            r#""from":"proxy","text":"closed by pool: fin""#,
        ]);
        let own = |by, text: &str, unfinished| (by, text.to_owned(), unfinished);
        let of = |view| Conversation::of(&recording, 1, view);
        let miner = [own(Side::Pool, "b", false), own(Side::Pool, "AA", false), own(Side::Miner, "m", true)];
        assert_eq!(texts(&of(View::Miner)), miner);
        let pool = [own(Side::Pool, "a", false), own(Side::Pool, "b", false), own(Side::Miner, "m", true)];
        assert_eq!(texts(&of(View::Pool)), pool);
        let closed = Closed { at: Timestamp(7), how: "closed by miner: fin".into() };
        assert_eq!(of(View::Miner).closed, Some(closed));
    }

    #[test]
    fn bytes_of_transcripts_are_cut_into_lines() {
        let recording = recording(&[
            r#""from":"pool","text":"a\nb""#,
            r#""from":"pool","text":"c\n""#,
            r#""from":"miner","text":"d""#,
        ]);
        let found = texts(&Conversation::of(&recording, 1, View::Miner));
        let found: Vec<&str> = found.iter().map(|(_, text, _)| text.as_str()).collect();
        assert_eq!(found, ["a", "bc", "d"]);
    }

    #[test]
    fn replies_find_their_requests() {
        let recording = recording(&[
            r#""from":"miner","text":"{\"id\":4,\"method\":\"a\"}""#,
            r#""from":"miner","text":"{\"id\":4,\"method\":\"b\"}""#,
            r#""from":"miner","text":"{\"method\":\"c\"}""#,
            r#""from":"pool","text":"{\"id\":4,\"result\":1}""#,
            r#""from":"pool","text":"{\"id\":4,\"method\":\"d\"}""#,
            r#""from":"pool","text":"{\"id\":5,\"result\":1}""#,
            r#""from":"miner","text":"{\"id\":4,\"error\":1}""#,
        ]);
        let conversation = Conversation::of(&recording, 1, View::Miner);
        let found: Vec<_> =
            conversation.requests.iter().map(|request| (request.method.as_str(), request.reply)).collect();
        assert_eq!(found, [("a", Some(3)), ("b", None), ("c", None), ("d", Some(6))]);
    }
}
