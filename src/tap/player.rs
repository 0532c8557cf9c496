//! The pool of a recorded connection, played to another miner.
//!
//! A recorded **reply** is sent when the miner makes the request that it
//! answered: the nth of that method answers the nth, with the miner's id in
//! place of the recorded one, as long after the request as it took then. All
//! else the pool said, and the end of the connection, keeps its time after the
//! latest **gate** before it: the first `mining.subscribe` and the first
//! `mining.authorize`. Those every miner sends; waiting for anything else would
//! make a miner that does not send it wait for ever.
//!
//! What the recording does not answer is answered all the same, so that a miner
//! can go on: shares beyond the recorded ones with `true`, another request
//! with the last reply to its method, an unknown one with an error. A request
//! that got no reply gets none.

use std::collections::BTreeMap;

use super::conversation::{Conversation, Kind, Request};
use super::report::ReplayReport;
use super::{Side, conversation};
use crate::stratum::v1::members::Members;
use crate::units::{Seconds, Timestamp};

/// Requests that the pool's side of a recording waits for.
const GATES: [&str; 2] = ["mining.subscribe", "mining.authorize"];

/// How long a gate is waited for. Real miners need seconds, some a minute.
const GATE_LIMIT: Seconds = Seconds(120.0);

/// How much longer than the recorded one a miner may stay that has to leave by itself.
const LEAVE_LIMIT: Seconds = Seconds(10.0);

/// The most requests that a miner may have without a reply due: beyond it they
/// are not answered, so that a miner in a loop does not fill the memory.
const DUE_MAX: usize = 10_000;

/// Methods of the miner that are remembered; the recording's are all of them.
const METHODS_MAX: usize = 1_000;

/// Something the pool said unasked.
#[derive(Debug, Clone)]
struct Unasked {
    /// Index of the gate in [`GATES`] that it waits for.
    gate: Option<usize>,
    /// Time after the gate, or after the opening.
    after: Seconds,
    bytes: Vec<u8>,
}

/// A reply as recorded.
#[derive(Debug, Clone)]
struct Reply {
    line: Vec<u8>,
    after: Seconds,
}

/// What a recorded connection says to a miner.
#[derive(Debug, Clone)]
pub struct Part {
    unasked: Vec<Unasked>,
    /// By method, in order; `None` where there was no reply.
    replies: BTreeMap<String, Vec<Option<Reply>>>,
    /// The miner's methods in the order of their first use.
    methods: Vec<String>,
    /// Requests of the pool that the recorded miner answered.
    answered: usize,
    end: End,
    lasted: Seconds,
}

/// How a recorded connection ended.
#[derive(Debug, Clone)]
struct End {
    gate: Option<usize>,
    after: Seconds,
    by_miner: bool,
    reset: bool,
}

/// Why a recorded connection cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// There is no such connection.
    #[error("there is no connection {number} in it; it has {}", list(.known))]
    NoConnection {
        /// The one that was asked for.
        number: u32,
        /// Those there are.
        known: Vec<u32>,
    },
    /// The pool said nothing on it.
    #[error("the pool says nothing on connection {0}; choose another with --connection")]
    Silent(u32),
    /// There is no connection at all.
    #[error("no miner connected in it")]
    Empty,
}

fn list(numbers: &[u32]) -> String {
    const SHOWN: usize = 10;
    let mut text = numbers.iter().take(SHOWN).map(u32::to_string).collect::<Vec<_>>().join(", ");
    if numbers.len() > SHOWN {
        text += &format!(" and {} more", numbers.len() - SHOWN);
    }
    text
}

impl Part {
    /// The pool's part of a recording's connection: `number`, or the first on
    /// which the miner subscribed and the pool said something.
    ///
    /// # Errors
    /// See [`PartError`].
    pub fn of(recording: &super::Recording, number: Option<u32>) -> Result<Self, PartError> {
        let conversations = Conversation::all(recording, conversation::View::Miner);
        let speaks = |it: &Conversation| it.lines.iter().any(|said| said.by == Side::Pool);
        let conversation = match number {
            Some(number) => {
                let known = || conversations.iter().map(|it| it.number).collect();
                let found = conversations.iter().find(|it| it.number == number);
                found.ok_or_else(|| PartError::NoConnection { number, known: known() })?
            }
            None => {
                let subscribes = |it: &&Conversation| {
                    speaks(it) && it.asked_by(Side::Miner).any(|request| request.method == GATES[0])
                };
                let found = conversations.iter().find(subscribes);
                let found = found.or_else(|| conversations.iter().find(|it| speaks(it)));
                found.or(conversations.first()).ok_or(PartError::Empty)?
            }
        };
        if !speaks(conversation) {
            return Err(PartError::Silent(conversation.number));
        }
        Ok(Self::of_conversation(conversation))
    }

    fn of_conversation(conversation: &Conversation) -> Self {
        let lines = &conversation.lines;
        let mut replies: BTreeMap<String, Vec<Option<Reply>>> = BTreeMap::new();
        let mut methods = Vec::new();
        let mut is_reply = vec![false; lines.len()];
        // Where in the lines each gate stands.
        let mut gates = [None; GATES.len()];
        for Request { line, method, reply, .. } in conversation.asked_by(Side::Miner) {
            let asked = lines[*line].at;
            if !replies.contains_key(method) {
                methods.push(method.clone());
                if let Some(gate) = GATES.iter().position(|gate| gate == method) {
                    gates[gate] = Some((*line, asked));
                }
            }
            let reply = reply.map(|reply| {
                is_reply[reply] = true;
                Reply { line: lines[reply].line.clone(), after: lines[reply].at.since(asked) }
            });
            replies.entry(method.clone()).or_default().push(reply);
        }
        // The latest gate before a line, and the time since.
        let placed = |line: usize, at: Timestamp| {
            let passed =
                gates.iter().enumerate().filter_map(|(gate, place)| place.map(|place| (gate, place)));
            let latest = passed.filter(|(_, (place, _))| *place < line).max_by_key(|(_, (place, _))| *place);
            match latest {
                Some((gate, (_, passed))) => (Some(gate), at.since(passed)),
                None => (None, at.since(conversation.opened)),
            }
        };
        let unasked = lines.iter().zip(is_reply).enumerate();
        let unasked = unasked.filter(|(_, (said, is_reply))| said.by == Side::Pool && !is_reply);
        let unasked = unasked.map(|(index, (said, _))| {
            let (gate, after) = placed(index, said.at);
            let mut bytes = said.line.clone();
            if !said.unfinished {
                bytes.push(b'\n');
            }
            Unasked { gate, after, bytes }
        });
        let unasked = unasked.collect();
        let how = conversation.closed.as_ref().map_or("", |closed| &closed.how);
        let at = conversation.closed.as_ref().map_or(conversation.ended, |closed| closed.at);
        let (gate, after) = placed(lines.len(), at);
        let by_miner = how.starts_with("closed by miner");
        Self {
            unasked,
            replies,
            methods,
            answered: conversation.asked_by(Side::Pool).filter(|request| request.reply.is_some()).count(),
            end: End { gate, after, by_miner, reset: how.contains("rst") },
            lasted: at.since(conversation.opened),
        }
    }

    /// How long the recorded connection lasted.
    #[must_use]
    pub fn lasted(&self) -> Seconds {
        self.lasted
    }

    /// The miner's methods in the order of their first use.
    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.methods
    }
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerOutput {
    /// Send bytes.
    Send(Vec<u8>),
    /// End the connection: as the recording did, or because it is over.
    End {
        /// By RST instead of FIN.
        reset: bool,
    },
}

/// A part as it is played to one miner. Give it the miner's lines, take what is
/// due, and ask for the report when the connection has ended.
#[derive(Debug)]
pub struct Player<'a> {
    part: &'a Part,
    speed: f64,
    opened: Timestamp,
    gates: [Option<Timestamp>; GATES.len()],
    /// When a gate was passed, or the opening: the wait for the next counts from here.
    progress: Timestamp,
    /// The first of the unasked that is not on its way.
    next: usize,
    /// Unasked lines keep their order.
    not_before: Timestamp,
    /// Whether an unasked line is among what is due: one at a time.
    unasked_due: bool,
    /// What is on its way, and whether it was unasked.
    due: BTreeMap<(Timestamp, u64), (bool, PlayerOutput)>,
    sequence: u64,
    /// Requests by method.
    asked: BTreeMap<String, usize>,
    /// The miner's methods in the order of their first use.
    methods: Vec<String>,
    requests: u64,
    answered: usize,
    unreadable: u64,
    ending: bool,
    is_over: bool,
    waited_for: Option<&'static str>,
}

impl<'a> Player<'a> {
    /// For a miner that connected now. `speed` 2 halves all times.
    #[must_use]
    pub fn new(part: &'a Part, speed: f64, now: Timestamp) -> Self {
        let mut player = Self {
            part,
            speed,
            opened: now,
            gates: [None; GATES.len()],
            progress: now,
            next: 0,
            not_before: now,
            unasked_due: false,
            due: BTreeMap::new(),
            sequence: 0,
            asked: BTreeMap::new(),
            methods: Vec::new(),
            requests: 0,
            answered: 0,
            unreadable: 0,
            ending: false,
            is_over: false,
            waited_for: None,
        };
        player.release();
        player
    }

    fn scaled(&self, span: Seconds) -> Seconds {
        Seconds(span.0 / self.speed)
    }

    /// Puts what the pool says next by itself on its way, if its gate is
    /// passed and nothing of the kind is on its way already.
    fn release(&mut self) {
        let anchor = |gate: Option<usize>| gate.map_or(Some(self.opened), |gate| self.gates[gate]);
        if self.unasked_due || self.ending {
            return;
        }
        if let Some(unasked) = self.part.unasked.get(self.next) {
            let Some(from) = anchor(unasked.gate) else { return };
            let at = (from + self.scaled(unasked.after)).max(self.not_before);
            self.not_before = at;
            self.next += 1;
            self.unasked_due = true;
            return self.put(at, true, PlayerOutput::Send(unasked.bytes.clone()));
        }
        let End { gate, after, reset, by_miner } = &self.part.end;
        let Some(from) = anchor(*gate) else { return };
        let grace = if *by_miner { LEAVE_LIMIT } else { Seconds(0.0) };
        let at = (from + self.scaled(*after)).max(self.not_before) + grace;
        self.ending = true;
        self.put(at, true, PlayerOutput::End { reset: *reset && !by_miner });
    }

    fn put(&mut self, at: Timestamp, unasked: bool, output: PlayerOutput) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), (unasked, output));
    }

    /// Takes a line of the miner, without its line feed.
    pub fn on_line(&mut self, line: &[u8], now: Timestamp) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let method = match conversation::kind(line) {
            Kind::Request(method) | Kind::Notification(method) => method,
            Kind::Reply => return self.answered += 1,
            Kind::Other => return self.unreadable += 1,
        };
        self.requests += 1;
        if !self.asked.contains_key(&method) {
            if self.asked.len() >= METHODS_MAX {
                return;
            }
            self.methods.push(method.clone());
        }
        let count = self.asked.entry(method.clone()).or_default();
        let place = *count;
        *count += 1;
        let id = Members::of_line(line).and_then(|members| members.id().map(str::to_owned));
        match self.reply(&method, place, id.as_deref().unwrap_or("null")) {
            Some((after, reply)) if self.due.len() < DUE_MAX => {
                let at = now + self.scaled(after);
                self.put(at, false, PlayerOutput::Send(reply));
            }
            _ => {}
        }
        match GATES.iter().position(|gate| *gate == method) {
            Some(gate) if self.gates[gate].is_none() => {
                self.gates[gate] = Some(now);
                self.progress = now;
                self.release();
            }
            _ => {}
        }
    }

    /// The reply to the request of `method` at `place`, and how long it took.
    fn reply(&self, method: &str, place: usize, id: &str) -> Option<(Seconds, Vec<u8>)> {
        let recorded = self.part.replies.get(method).map_or(&[][..], Vec::as_slice);
        let extra = |result: &str| Some((Seconds(0.0), format!("{{\"id\":{id},{result}}}\n").into_bytes()));
        let reply = match recorded.get(place) {
            Some(reply) => reply.as_ref()?,
            None if method == "mining.submit" => return extra("\"result\":true,\"error\":null"),
            None => match recorded.iter().rev().flatten().next() {
                Some(reply) => reply,
                None if id == "null" => return None,
                None => return extra("\"result\":null,\"error\":[20,\"Not in the recording\",null]"),
            },
        };
        let members = Members::of_line(&reply.line)?;
        Some((reply.after, (members.with_id(id) + "\n").into_bytes()))
    }

    /// Whether nothing is under way until a gate is passed.
    fn waits(&self) -> bool {
        !self.ending && !self.unasked_due
    }

    /// When to call [`Self::pop`] next.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let due = self.due.keys().next().map(|(at, _)| *at);
        let limit = self.waits().then(|| self.progress + GATE_LIMIT);
        due.into_iter().chain(limit).min()
    }

    /// What is due now. After an end there is nothing more.
    pub fn pop(&mut self, now: Timestamp) -> Option<PlayerOutput> {
        if self.is_over {
            return None;
        }
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now);
        let output = match entry.map(|entry| entry.remove()) {
            Some((unasked, output)) => {
                if unasked {
                    self.unasked_due = false;
                    self.progress = now;
                }
                self.release();
                output
            }
            None if self.waits() && self.progress + GATE_LIMIT <= now => {
                let missing = self.gates.iter().position(Option::is_none).unwrap_or_default();
                self.waited_for = Some(GATES[missing]);
                PlayerOutput::End { reset: false }
            }
            None => return None,
        };
        self.is_over = matches!(output, PlayerOutput::End { .. });
        Some(output)
    }

    /// The recording is stopped before its end; nobody is to blame.
    pub fn interrupt(&mut self) {
        self.is_over = true;
    }

    /// Whether the miner has said anything that makes sense.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.requests > 0
    }

    /// What the miner did differently. Call it when the connection has ended.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> ReplayReport {
        let recorded = &self.part.methods;
        let without = |those: &[String], others: &[String]| -> Vec<String> {
            those.iter().filter(|method| !others.contains(method)).cloned().collect()
        };
        let missing = without(recorded, &self.methods);
        let extra = without(&self.methods, recorded);
        let order = |methods: &[String], not: &[String]| without(methods, not);
        let (recorded_order, order) = (order(recorded, &missing), order(&self.methods, &extra));
        let left_early = (!self.is_over && !self.part.end.by_miner).then(|| now.since(self.opened));
        ReplayReport {
            requests: self.requests,
            order: (recorded_order != order).then_some((recorded_order, order)),
            missing,
            extra,
            answers: (self.part.answered != self.answered).then_some((self.part.answered, self.answered)),
            unreadable: self.unreadable,
            waited_for: self.waited_for.map(|method| (method.to_owned(), GATE_LIMIT)),
            left_early: left_early.map(|after| (after, self.scaled(self.part.lasted))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::Recording;
    use crate::tap::recording::tests::recording;

    fn session() -> Part {
        let session = recording(&[
            "0 proxy opened",
            r#"10 miner {"id":1,"method":"mining.subscribe","params":[]}"#,
            r#"15 miner {"id":2,"method":"mining.authorize","params":["w","x"]}"#,
            r#"40 pool {"id":1,"result":[[],"aa",4],"error":null}"#,
            r#"45 pool {"id":2,"result":true,"error":null}"#,
            r#"50 pool {"id":null,"method":"mining.notify","params":["a"]}"#,
            r#"60 miner {"id":3,"method":"mining.submit","params":[]}"#,
            r#"70 pool {"id":3,"result":null,"error":[23,"low",null]}"#,
            r#"80 pool {"id":9,"method":"client.get_version","params":[]}"#,
            r#"81 miner {"id":9,"result":"m/1"}"#,
            "1000 proxy closed by pool: rst",
        ]);
        Part::of(&session, None).unwrap()
    }

    fn ms(at: u64) -> Timestamp {
        Timestamp(at * 1_000)
    }

    /// What comes until nothing is due any more by `until`.
    fn heard(player: &mut Player<'_>, until: u64) -> Vec<(u64, String)> {
        let mut heard = Vec::new();
        while let Some(at) = player.next_wake().filter(|at| *at <= ms(until)) {
            match player.pop(at) {
                Some(PlayerOutput::Send(bytes)) => {
                    heard
                        .push((at.micros() / 1_000, String::from_utf8(bytes).unwrap().trim_end().to_owned()));
                }
                Some(PlayerOutput::End { reset }) => {
                    heard.push((at.micros() / 1_000, format!("end {reset}")))
                }
                None => break,
            }
        }
        heard
    }

    #[test]
    fn replies_follow_requests_and_notifications_their_gate() {
        let part = session();
        let mut player = Player::new(&part, 1.0, ms(0));
        assert_eq!(heard(&mut player, 500), []);
        player.on_line(br#"{"id": "s", "method": "mining.subscribe"}"#, ms(500));
        player.on_line(br#"{"id": 7, "method": "mining.authorize"}"#, ms(600));
        let own = |at, text: &str| (at, text.to_owned());
        assert_eq!(
            heard(&mut player, 1_000),
            [
                own(530, r#"{"id":"s","result":[[],"aa",4],"error":null}"#),
                own(630, r#"{"id":7,"result":true,"error":null}"#),
                own(635, r#"{"id":null,"method":"mining.notify","params":["a"]}"#),
                own(665, r#"{"id":9,"method":"client.get_version","params":[]}"#),
            ]
        );
        player.on_line(br#"{"id":9,"result":"other"}"#, ms(1_000));
        for id in [4, 4] {
            player.on_line(format!("{{\"id\":{id},\"method\":\"mining.submit\"}}").as_bytes(), ms(1_000));
        }
        assert_eq!(
            heard(&mut player, 2_000),
            [
                own(1_000, r#"{"id":4,"result":true,"error":null}"#),
                own(1_010, r#"{"id":4,"result":null,"error":[23,"low",null]}"#),
                own(1_585, "end true"),
            ]
        );
        let report = player.report(ms(2_000));
        assert!(!report.differs(), "{report}");
    }

    #[test]
    fn speed_scales_all_times() {
        let part = session();
        let mut player = Player::new(&part, 10.0, ms(0));
        player.on_line(br#"{"id":1,"method":"mining.subscribe"}"#, ms(0));
        player.on_line(br#"{"id":2,"method":"mining.authorize"}"#, ms(0));
        let times: Vec<u64> = heard(&mut player, 1_000).iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [3, 3, 3, 6, 98]);
    }

    #[test]
    fn differences_are_reported() {
        let part = session();
        let mut player = Player::new(&part, 1.0, ms(0));
        for line in [
            r#"{"id":2,"method":"mining.authorize"}"#,
            r#"{"id":1,"method":"mining.subscribe"}"#,
            r#"{"id":1,"method":"mining.subscribe"}"#,
            r#"{"id":3,"method":"mining.configure"}"#,
            r#"{"method":"mining.suggest_difficulty"}"#,
            "hello",
        ] {
            player.on_line(line.as_bytes(), ms(100));
        }
        let heard: Vec<String> = heard(&mut player, 140).into_iter().map(|(_, text)| text).collect();
        assert!(
            heard.contains(&r#"{"id":3,"result":null,"error":[20,"Not in the recording",null]}"#.to_owned())
        );
        assert_eq!(heard.iter().filter(|line| line.contains("\"aa\"")).count(), 2, "{heard:?}");
        let report = player.report(ms(200));
        let own = |methods: &[&str]| methods.iter().map(|method| (*method).to_owned()).collect::<Vec<_>>();
        assert_eq!(report.missing, own(&["mining.submit"]));
        assert_eq!(report.extra, own(&["mining.configure", "mining.suggest_difficulty"]));
        let (subscribe, authorize) = ("mining.subscribe", "mining.authorize");
        assert_eq!(report.order, Some((own(&[subscribe, authorize]), own(&[authorize, subscribe]))));
        assert_eq!((report.answers, report.unreadable), (Some((1, 0)), 1));
        assert_eq!(report.left_early, Some((Seconds(0.2), Seconds(1.0))));
        assert!(report.differs());
    }

    #[test]
    fn a_miner_that_never_authorizes_is_not_waited_for_forever() {
        let part = session();
        let mut player = Player::new(&part, 1.0, ms(0));
        player.on_line(br#"{"id":1,"method":"mining.subscribe"}"#, ms(1_000));
        let heard = heard(&mut player, 200_000);
        assert_eq!(heard.last(), Some(&(121_000, "end false".to_owned())));
        assert_eq!(player.report(ms(121_000)).waited_for, Some(("mining.authorize".to_owned(), GATE_LIMIT)));
    }

    #[test]
    fn recordings_without_a_pool_are_refused() {
        let read = |text: &str| Recording::read(text.as_bytes()).unwrap();
        let miner = read(r#"{"at_us":1,"connection":3,"from":"miner","text":"x"}"#);
        assert_eq!(Part::of(&miner, None).unwrap_err(), PartError::Silent(3));
        assert_eq!(Part::of(&miner, Some(3)).unwrap_err(), PartError::Silent(3));
        let error = Part::of(&miner, Some(1)).unwrap_err().to_string();
        assert_eq!(error, "there is no connection 1 in it; it has 3");
        let none = read(r#"{"at_us":1,"from":"proxy","text":"x"}"#);
        assert_eq!(Part::of(&none, None).unwrap_err(), PartError::Empty);
    }
}
