//! One connection through the proxy: lines go in, and come out when they are due.
//!
//! Call [`Relay::on_line`] for each line of a side, then take what is due with
//! [`Relay::pop`]; [`Relay::due`] says when to come back. Both write down what
//! happened as [`Entry`]s. A line that no rule touches is due at once.
//!
//! Invariant: nothing comes between the pieces of a split line.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::recording::{Entry, What};
use super::rules::{Action, Count, Rule, Rules, Seen};
use super::{LINE_BYTES_MAX, Side};
use crate::stratum::v1::members::{Members, without_password};
use crate::units::{Seconds, Timestamp};

/// Requests whose replies are awaited, for `reply_to`. A side that leaves more
/// unanswered loses the oldest.
const ASKED_MAX: usize = 1_024;

/// Bytes of a mebibyte line that are kept when it is too long: enough to see what it was.
const TOO_LONG_BYTES_KEPT: usize = 4 * 1024;

/// How a rule ends a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The rule.
    pub rule: String,
    /// Whether by RST instead of FIN.
    pub reset: bool,
}

/// Bytes to pass on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Bytes, with the line feed if there is to be one.
    pub bytes: Vec<u8>,
    /// Whether they are a piece that must not travel with what follows.
    pub alone: bool,
}

/// A line on its way.
#[derive(Debug, Clone)]
struct Passing {
    pieces: VecDeque<Vec<u8>>,
    gap: Seconds,
    /// Whether the last piece is followed by a line feed.
    ends: bool,
    /// What the recording shows of it, when it is altered.
    shown: Option<Shown>,
}

/// What the recording shows of an altered line.
#[derive(Debug, Clone)]
enum Shown {
    /// The pieces as they are.
    AsIs,
    /// This with the first piece, nothing with the others: it hides a password.
    Instead(Vec<u8>),
}

/// What is on its way to one side.
#[derive(Debug, Default)]
struct Queue {
    /// By time due, then in the order it came.
    waiting: BTreeMap<(Timestamp, u64), Passing>,
    /// A line of which a piece has gone, and when the next may go.
    begun: Option<(Timestamp, Passing)>,
    /// Nothing that comes later is due earlier.
    not_before: Timestamp,
    bytes: usize,
}

/// The rules' view of one connection.
#[derive(Debug)]
pub struct Relay {
    rules: Arc<Rules>,
    counts: Vec<Count>,
    connection: u32,
    keep_passwords: bool,
    opened: Timestamp,
    /// Id and method of requests without a reply yet, by who asked.
    asked: BTreeMap<Side, VecDeque<(String, String)>>,
    /// By destination.
    queues: BTreeMap<Side, Queue>,
    sequence: u64,
}

impl Passing {
    /// A line that no rule touches.
    fn whole(line: &[u8], unfinished: bool) -> Self {
        Self { pieces: [line.to_vec()].into(), gap: Seconds(0.0), ends: !unfinished, shown: None }
    }
}

impl Relay {
    /// A connection that was opened now. Times of entries count from the same
    /// beginning as `now`.
    #[must_use]
    pub fn new(rules: Arc<Rules>, connection: u32, keep_passwords: bool, now: Timestamp) -> Self {
        let counts = vec![Count::default(); rules.rules.len()];
        let queues = Side::ALL.into_iter().map(|side| (side, Queue::default())).collect();
        let asked = Side::ALL.into_iter().map(|side| (side, VecDeque::new())).collect();
        Self { rules, counts, connection, keep_passwords, opened: now, asked, queues, sequence: 0 }
    }

    fn queue(&mut self, to: Side) -> &mut Queue {
        self.queues.entry(to).or_default()
    }

    /// Takes a line without its line feed; `unfinished` when none followed.
    pub fn on_line(
        &mut self,
        by: Side,
        line: &[u8],
        unfinished: bool,
        now: Timestamp,
        entries: &mut Vec<Entry>,
    ) -> Option<Ending> {
        let rules = Arc::clone(&self.rules);
        let rule = self.rule_for(&rules, by, line, now);
        let what = What::Said {
            by,
            bytes: self.shown(by, line).unwrap_or_else(|| line.to_vec()),
            unfinished,
            altered: rule.is_some(),
        };
        entries.push(self.entry(now, what));
        let Some(rule) = rule else {
            let passing = Passing::whole(line, unfinished);
            self.pass(by.other(), passing, now);
            return None;
        };
        tracing::info!(
            connection = self.connection,
            "rule `{}` acts on a line of the {}",
            rule.name,
            by.name()
        );
        // What goes on, and how often, from when on.
        let mut passing = Passing::whole(line, unfinished);
        let (mut copies, mut due) = (1, now);
        match &rule.action {
            Action::Drop => copies = 0,
            Action::Delay(time) => {
                due = now + *time;
                let queue = self.queue(by.other());
                queue.not_before = queue.not_before.max(due);
            }
            Action::HoldBack(_) => {}
            Action::Split { pieces, gap } => {
                passing.pieces = cut(line, *pieces);
                passing.gap = *gap;
            }
            Action::Duplicate(times) => copies = *times,
            Action::Rewrite { find, with } => {
                let rewritten = match find {
                    None => with.as_bytes().to_vec(),
                    Some(find) => find.replace_all(line, with.as_bytes()).into_owned(),
                };
                passing.pieces = [rewritten].into();
            }
            Action::Close => return Some(Ending { rule: rule.name.clone(), reset: false }),
            Action::Reset => return Some(Ending { rule: rule.name.clone(), reset: true }),
        }
        passing.shown = Some(self.shown_altered(by, line, &passing));
        if let Action::HoldBack(time) = &rule.action {
            self.put(by.other(), passing, now + *time);
        } else {
            for _ in 0..copies {
                self.pass(by.other(), passing.clone(), due);
            }
        }
        None
    }

    /// Writes down the beginning of a line that is too long to be passed on.
    pub fn on_too_long(&mut self, by: Side, begin: &[u8], now: Timestamp, entries: &mut Vec<Entry>) {
        let begin = &begin[..begin.len().min(TOO_LONG_BYTES_KEPT)];
        let bytes = self.shown(by, begin).unwrap_or_else(|| begin.to_vec());
        entries.push(self.entry(now, What::Said { by, bytes, unfinished: true, altered: true }));
    }

    /// Writes down what happened to the connection.
    pub fn note(&self, text: impl Into<String>, now: Timestamp, entries: &mut Vec<Entry>) {
        entries.push(self.entry(now, What::Note { by_case: false, text: text.into() }));
    }

    fn entry(&self, at: Timestamp, what: What) -> Entry {
        Entry { at, connection: Some(self.connection), what }
    }

    /// A line as the recording shows it, where that differs.
    fn shown(&self, by: Side, line: &[u8]) -> Option<Vec<u8>> {
        if self.keep_passwords || by == Side::Pool { None } else { without_password(line) }
    }

    /// The rule that acts on a line. All rules count it.
    fn rule_for<'r>(&mut self, rules: &'r Rules, by: Side, line: &[u8], now: Timestamp) -> Option<&'r Rule> {
        let members = Members::of_line(line);
        let method = members.as_ref().and_then(Members::method);
        let id = members.as_ref().and_then(Members::id);
        let mut reply_to = None;
        match (&method, id) {
            (Some(method), Some(id)) if id != "null" => {
                let asked = self.asked.entry(by).or_default();
                if asked.len() == ASKED_MAX {
                    asked.pop_front();
                }
                asked.push_back((id.to_owned(), method.clone().into_owned()));
            }
            (None, Some(id)) if members.as_ref().is_some_and(Members::is_reply) => {
                let asked = self.asked.entry(by.other()).or_default();
                let place = asked.iter().position(|(other, _)| other == id);
                reply_to = place.and_then(|place| asked.remove(place)).map(|(_, method)| method);
            }
            _ => {}
        }
        let seen = Seen {
            from: by,
            connection: self.connection,
            after: now.since(self.opened),
            line,
            method: method.as_deref(),
            reply_to: reply_to.as_deref(),
        };
        let mut acts = None;
        for (rule, count) in rules.rules.iter().zip(&mut self.counts) {
            if rule.wants(&seen, count) && acts.is_none() {
                Rule::acted(count);
                acts = Some(rule);
            }
        }
        acts
    }

    /// What the recording shows of what goes on instead of a line.
    fn shown_altered(&self, by: Side, line: &[u8], passing: &Passing) -> Shown {
        let whole: Vec<u8> = passing.pieces.iter().flatten().copied().collect();
        match self.shown(by, &whole) {
            Some(hidden) => Shown::Instead(hidden),
            // Rewritten so that it authorizes no more, with the password still in it.
            None if self.shown(by, line).is_some() => {
                Shown::Instead(format!("*** (was an authorize; {} bytes)", whole.len()).into_bytes())
            }
            None => Shown::AsIs,
        }
    }

    /// Puts a line behind what is on its way already.
    fn pass(&mut self, to: Side, passing: Passing, due: Timestamp) {
        let due = due.max(self.queue(to).not_before);
        self.put(to, passing, due);
    }

    fn put(&mut self, to: Side, passing: Passing, due: Timestamp) {
        self.sequence += 1;
        let key = (due, self.sequence);
        let queue = self.queue(to);
        queue.bytes += passing.pieces.iter().map(|piece| piece.len() + 1).sum::<usize>();
        queue.waiting.insert(key, passing);
    }

    /// When something is due for a side.
    #[must_use]
    pub fn due(&self, to: Side) -> Option<Timestamp> {
        let queue = self.queues.get(&to)?;
        match &queue.begun {
            Some((at, _)) => Some(*at),
            None => queue.waiting.keys().next().map(|(due, _)| *due),
        }
    }

    /// Bytes that are on their way to a side.
    #[must_use]
    pub fn queued(&self, to: Side) -> usize {
        self.queues.get(&to).map_or(0, |queue| queue.bytes)
    }

    /// The next bytes for a side, if they are due.
    pub fn pop(&mut self, to: Side, now: Timestamp, entries: &mut Vec<Entry>) -> Option<Outgoing> {
        if self.due(to)? > now {
            return None;
        }
        let queue = self.queue(to);
        let mut passing = match queue.begun.take() {
            Some((_, passing)) => passing,
            None => queue.waiting.pop_first()?.1,
        };
        let mut bytes = passing.pieces.pop_front().unwrap_or_default();
        queue.bytes = queue.bytes.saturating_sub(bytes.len() + 1);
        let is_last = passing.pieces.is_empty();
        let unfinished = !is_last || !passing.ends;
        let shown = match &mut passing.shown {
            None => None,
            Some(Shown::AsIs) => Some(bytes.clone()),
            Some(Shown::Instead(instead)) => Some(std::mem::take(instead)),
        };
        let alone = !is_last;
        if !is_last {
            let next = now + passing.gap;
            queue.begun = Some((next, passing));
        }
        if let Some(shown) = shown {
            entries.push(self.entry(now, What::Passed { to, bytes: shown, unfinished }));
        }
        if !unfinished {
            bytes.push(b'\n');
        }
        Some(Outgoing { bytes, alone })
    }
}

/// Pieces of about the same length, none empty where there are enough bytes.
fn cut(line: &[u8], pieces: usize) -> VecDeque<Vec<u8>> {
    let pieces = pieces.min(line.len()).max(1);
    (0..pieces).map(|n| line[n * line.len() / pieces..(n + 1) * line.len() / pieces].to_vec()).collect()
}

const _: () = assert!(TOO_LONG_BYTES_KEPT < LINE_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    const NOTIFY: &[u8] = br#"{"id":null,"method":"mining.notify","params":["a"]}"#;
    const DIFFICULTY: &[u8] = br#"{"id":null,"method":"mining.set_difficulty","params":[512]}"#;

    fn relay(rules: &str) -> Relay {
        let rules = if rules.is_empty() { Rules::default() } else { Rules::parse(rules).unwrap() };
        Relay::new(Arc::new(rules), 1, false, Timestamp(0))
    }

    fn at(seconds: f64) -> Timestamp {
        Timestamp(0) + Seconds(seconds)
    }

    /// What goes out to a side until nothing is on its way, with times in seconds.
    fn drain(relay: &mut Relay, to: Side, entries: &mut Vec<Entry>) -> Vec<(f64, String)> {
        let (mut out, mut now) = (Vec::new(), Timestamp(0));
        while let Some(due) = relay.due(to) {
            now = now.max(due);
            let outgoing = relay.pop(to, now, entries).unwrap();
            out.push((now.since(Timestamp(0)).0, String::from_utf8(outgoing.bytes).unwrap()));
        }
        assert_eq!(relay.queued(to), 0);
        out
    }

    /// What the miner gets when the pool says lines, one a second from 1 s on.
    fn passed(rules: &str, lines: &[&[u8]]) -> Vec<(f64, String)> {
        let (mut relay, mut entries) = (relay(rules), Vec::new());
        for (line, second) in lines.iter().zip(1..) {
            assert_eq!(relay.on_line(Side::Pool, line, false, at(f64::from(second)), &mut entries), None);
        }
        drain(&mut relay, Side::Miner, &mut entries)
    }

    #[test]
    fn without_rules_lines_pass_at_once() {
        assert_eq!(passed("", &[b"a\r", b"b"]), [(1.0, "a\r\n".into()), (2.0, "b\n".into())]);
        let (mut relay, mut entries) = (relay(""), Vec::new());
        relay.on_line(Side::Miner, b"x", true, at(0.0), &mut entries);
        assert_eq!(drain(&mut relay, Side::Pool, &mut entries), [(0.0, "x".into())]);
        let said = What::Said { by: Side::Miner, bytes: b"x".to_vec(), unfinished: true, altered: false };
        assert_eq!(entries, [Entry { at: at(0.0), connection: Some(1), what: said }]);
    }

    fn on_notify(action: &str) -> String {
        format!("[[rule]]\nfrom = \"pool\"\nmethod = \"mining.notify\"\naction = {action}\n")
    }

    #[test]
    fn actions_do_what_they_say() {
        fn check(action: &str, expected: &[(f64, &str)]) {
            let found = passed(&on_notify(action), &[NOTIFY, b"b"]);
            let found: Vec<_> = found.iter().map(|(at, text)| (*at, text.as_str())).collect();
            assert_eq!(found, expected, "{action}");
        }
        let notify = format!("{}\n", std::str::from_utf8(NOTIFY).unwrap());
        let notify = notify.as_str();
        check("\"drop\"", &[(2.0, "b\n")]);
        check("{ delay = \"3s\" }", &[(4.0, notify), (4.0, "b\n")]);
        check("{ hold_back = \"3s\" }", &[(2.0, "b\n"), (4.0, notify)]);
        check("{ duplicate = 2 }", &[(1.0, notify), (1.0, notify), (2.0, "b\n")]);
        check("{ rewrite = { with = \"c\" } }", &[(1.0, "c\n"), (2.0, "b\n")]);
        let pieces = [&notify[..17], &notify[17..34], &notify[34..]];
        check(
            "{ split = { pieces = 3, gap = \"2s\" } }",
            &[(1.0, pieces[0]), (3.0, pieces[1]), (5.0, pieces[2]), (5.0, "b\n")],
        );
    }

    #[test]
    fn rewriting_knows_groups() {
        let rule =
            "[[rule]]\nfrom = \"pool\"\naction = { rewrite = { find = '\\[(\\d+)\\]', with = '[${1}0]' } }\n";
        let expected = "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[5120]}\n";
        assert_eq!(passed(rule, &[DIFFICULTY]), [(1.0, expected.into())]);
    }

    #[test]
    fn connections_can_be_ended() {
        for (action, reset) in [("\"close\"", false), ("\"reset\"", true)] {
            let mut relay = relay(&on_notify(action));
            let ending = relay.on_line(Side::Pool, NOTIFY, false, at(0.0), &mut Vec::new());
            assert_eq!(ending, Some(Ending { rule: "rule 1".into(), reset }));
        }
    }

    #[test]
    fn replies_are_known_by_their_requests() {
        let rules = "[[rule]]\nfrom = \"pool\"\nreply_to = \"mining.submit\"\naction = \"drop\"\n";
        let (mut relay, mut entries) = (relay(rules), Vec::new());
        let mut say = |by, line: &str| {
            relay.on_line(by, line.as_bytes(), false, at(0.0), &mut entries);
        };
        // Pooler's cpuminer gives every submit the id 4.
        say(Side::Miner, r#"{"id":4,"method":"mining.submit","params":[]}"#);
        say(Side::Miner, r#"{"id":"4","method":"mining.authorize","params":["w","secret"]}"#);
        say(Side::Pool, r#"{"id":"4","result":true}"#);
        say(Side::Pool, r#"{"id":4,"result":1}"#);
        say(Side::Pool, r#"{"id":4,"result":2}"#);
        let heard = drain(&mut relay, Side::Miner, &mut entries);
        assert_eq!(
            heard.iter().map(|(_, text)| text.trim()).collect::<Vec<_>>(),
            [r#"{"id":"4","result":true}"#, r#"{"id":4,"result":2}"#]
        );
        let recorded: String = entries.iter().map(Entry::to_json).collect();
        assert!(!recorded.contains("secret") && recorded.contains("***"), "{recorded}");
        let told = drain(&mut relay, Side::Pool, &mut entries);
        assert!(told[1].1.contains("secret"));
    }

    #[test]
    fn pieces_do_not_spell_a_password() {
        let rules = "[[rule]]\nfrom = \"miner\"\naction = { split = { pieces = 9 } }\n";
        let (mut relay, mut entries) = (relay(rules), Vec::new());
        let line = br#"{"id":4,"method":"mining.authorize","params":["w","secret"]}"#;
        relay.on_line(Side::Miner, line, false, at(0.0), &mut entries);
        assert_eq!(drain(&mut relay, Side::Pool, &mut entries).len(), 9);
        let passed: Vec<u8> = entries
            .iter()
            .filter_map(
                |entry| if let What::Passed { bytes, .. } = &entry.what { Some(bytes.clone()) } else { None },
            )
            .flatten()
            .collect();
        assert_eq!(passed, br#"{"id":4,"method":"mining.authorize","params":["w","***"]}"#);
        let rule =
            "[[rule]]\nfrom = \"miner\"\naction = { rewrite = { find = \"authorize\", with = \"login\" } }\n";
        let mut relay = self::relay(rule);
        entries.clear();
        relay.on_line(Side::Miner, line, false, at(0.0), &mut entries);
        assert!(drain(&mut relay, Side::Pool, &mut entries)[0].1.contains("secret"));
        assert!(!entries.iter().map(Entry::to_json).collect::<String>().contains("secret"));
    }
}
