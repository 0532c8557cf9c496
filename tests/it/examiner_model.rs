//! A miner at its worst against the examiner, driven by arbitrary bytes.
//!
//! The bytes choose a case and what the peer does: handshakes, shares, half
//! lines, long lines, noise, connections that come and go, time. After them
//! nobody is there, and the case must come to its end by itself. The property
//! test and the fuzz target `check_peer` both run it.

use std::collections::BTreeMap;

use adit::conformance::{
    Action, CaseResult, Closing, Connection, Examiner, Input, Listener, Setting, WorkScale, cases,
};
use adit::units::{Hashrate, Seconds, Timestamp};
use serde_json::Value;

/// Things that a peer does in one run.
const DEEDS_MAX: usize = 400;

/// Calls after which a case must be over, with nobody there.
const CALLS_MAX: usize = 400_000;

/// What may be kept of a case: its limit, twice for hexadecimal, and what the pool itself says.
const TRANSCRIPT_BYTES_MAX: usize = 64 << 20;

const LISTENERS: [Listener; 5] =
    [Listener::Main, Listener::SameHost, Listener::Decoy, Listener::Moved, Listener::BadTls];

/// What a miner says; `$` are holes that the bytes fill, `@` and `%` the newest job and its ntime.
const LINES: [&str; 8] = [
    r#"{"id":3,"method":"mining.submit","params":["a","@","0000000000000000","%","000000$$","00000000"]}"#,
    r#"{"id":4,"method":"mining.submit","params":["a","@","00000000000000$","6955b90$","0000000$","0000$000"]}"#,
    r#"{"id":4,"method":"mining.submit","params":["$","@","$","$","$","$"]}"#,
    r#"{"id":$,"method":"mining.submit","params":$}"#,
    r#"{"id":$,"result":$,"error":$}"#,
    r#"{"id":$,"method":"mining.$","params":$}"#,
    r#"{"id":5,"method":"mining.extranonce.subscribe","params":[]}"#,
    r#"{"id":6,"method":"mining.suggest_difficulty","params":[$]}"#,
];

/// A handshake in one write.
const HANDSHAKE: &str = concat!(
    r#"{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}"#,
    "\n",
    r#"{"id":2,"method":"mining.subscribe","params":["fuzz"]}"#,
    "\n",
    r#"{"id":3,"method":"mining.authorize","params":["a","b"]}"#,
    "\n",
);

/// Takes decisions from bytes, zero when they run out.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

/// The examiner, and what its peer knows.
struct World {
    examiner: Examiner,
    now: Timestamp,
    newest_job: String,
    newest_ntime: String,
    opened: u32,
    result: Option<Box<CaseResult>>,
    done: bool,
}

/// Runs a case against the peer that `bytes` describe; counts what came of it.
pub fn run(bytes: &[u8]) -> BTreeMap<&'static str, usize> {
    let mut choices = Choices(bytes);
    let case = &cases()[usize::from(choices.byte()) % cases().len()];
    let claims = choices.byte() % 4 > 0;
    let now = Timestamp::from_unix_seconds(1_767_225_600);
    let addresses = LISTENERS.map(|listener| (listener, "pool.example".to_owned(), 3333));
    let setting = Setting {
        cases: vec![case.clone()],
        // So slow that one hash in four is a share.
        hashrate: Hashrate::new(1e3).filter(|_| claims),
        scale: WorkScale::VIRTUAL,
        addresses: addresses.to_vec(),
        seed: 1,
    };
    let examiner = Examiner::new(setting, now);
    let mut world = World {
        examiner,
        now,
        newest_job: String::new(),
        newest_ntime: String::new(),
        opened: 0,
        result: None,
        done: false,
    };
    world.on(Input::Tick);
    for _ in 0..DEEDS_MAX {
        if choices.0.is_empty() || world.done {
            break;
        }
        world.act(&mut choices);
    }
    // Only the measurement of the hashrate waits for a miner as long as it takes.
    if claims {
        world.wait_for_the_end();
    }
    world.counts()
}

impl World {
    fn on(&mut self, input: Input<'_>) {
        let mut actions = Vec::new();
        self.examiner.on(input, self.now, &mut actions);
        for action in actions {
            match action {
                Action::Send(_, bytes) => {
                    for line in bytes.split(|byte| *byte == b'\n') {
                        let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
                        if line["method"] == "mining.notify" {
                            let text = |at: usize| line["params"][at].as_str().unwrap_or_default().to_owned();
                            (self.newest_job, self.newest_ntime) = (text(0), text(7));
                        }
                    }
                }
                Action::Ended(result) => {
                    let lines = result.transcript.iter();
                    let size = |text: &Option<String>| text.as_ref().map_or(0, String::len);
                    let kept: usize = lines.map(|line| size(&line.text) + size(&line.hex)).sum();
                    assert!(kept <= TRANSCRIPT_BYTES_MAX, "{}: a transcript of {kept} bytes", result.id);
                    self.result = Some(result);
                }
                Action::Done => self.done = true,
                _ => {}
            }
        }
    }

    /// One thing that the peer does.
    fn act(&mut self, choices: &mut Choices<'_>) {
        let what = choices.byte();
        let back = u32::from(what >> 5) / 3;
        let connection = Connection(self.opened.saturating_sub(back));
        match what & 15 {
            0 => {
                self.opened += 1;
                let listener = LISTENERS[usize::from(what >> 4) % 16 % LISTENERS.len()];
                self.on(Input::Opened(Connection(self.opened), listener));
            }
            1 | 2 => {
                self.opened += 1;
                self.on(Input::Opened(Connection(self.opened), Listener::Main));
                self.on(Input::Received(Connection(self.opened), HANDSHAKE.as_bytes()));
            }
            3 => {
                let closing = if what & 16 == 0 { Closing::Fin } else { Closing::Rst };
                self.on(Input::Closed(connection, closing));
            }
            4 => {
                self.now = self.now + Seconds(f64::from(choices.byte()).powi(2) / 20_000.0);
                self.on(Input::Tick);
            }
            // Rarely, or a case would be over before it is played.
            5 if what >> 4 == 0 => self.sleep(),
            5 => self.on(Input::Tick),
            6 => {
                let count = usize::from(choices.byte());
                let bytes = choices.bytes(count);
                self.on(Input::Received(connection, bytes));
            }
            7 => {
                let filler = vec![choices.byte(); usize::from(choices.byte()) << 13];
                self.on(Input::Received(connection, &filler));
            }
            8 => self.on(Input::RoundTrip(connection, Seconds(f64::from(choices.byte()) / 100.0))),
            9 => self.on(Input::TlsRefused(Listener::BadTls, "no".into())),
            _ => {
                let line = LINES[usize::from(what >> 4) % LINES.len()];
                let line = line.replace('@', &self.newest_job).replace('%', &self.newest_ntime);
                let mut filled = Vec::new();
                for (place, piece) in line.split('$').enumerate() {
                    if place > 0 {
                        hole(&mut filled, choices);
                    }
                    filled.extend_from_slice(piece.as_bytes());
                }
                filled.push(b'\n');
                self.on(Input::Received(connection, &filled));
            }
        }
    }

    /// Time passes until the examiner wants something.
    fn sleep(&mut self) {
        self.now = self.now.max(self.examiner.next_wake().unwrap_or(self.now));
        self.on(Input::Tick);
    }

    fn wait_for_the_end(&mut self) {
        for _ in 0..CALLS_MAX {
            if self.done {
                return;
            }
            assert!(self.examiner.next_wake().is_some(), "a case waits for what may never come");
            self.sleep();
        }
        panic!("the case does not end");
    }

    fn counts(self) -> BTreeMap<&'static str, usize> {
        let Some(result) = self.result else { return BTreeMap::new() };
        let lines = |begin: &str| {
            let texts = result.transcript.iter().filter_map(|line| line.text.as_deref());
            texts.filter(|text| text.starts_with(begin)).count()
        };
        BTreeMap::from([
            ("ended", 1),
            ("connections", lines("connected")),
            ("sessions", lines("subscribed and authorized")),
            ("lines that are none", lines("not readable")),
            ("expectations met", lines("came: ")),
            ("expectations missed", lines("did not come: ")),
            ("shares", result.shares as usize),
            ("good shares", result.shares_good as usize),
        ])
    }
}

/// A digit, noise, or something that means something in JSON.
fn hole(out: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let kind = choices.byte();
    match kind % 8 {
        0..=4 => out.push(b"0123456789abcdef"[usize::from(kind >> 4)]),
        5 => out.extend_from_slice(choices.bytes(usize::from(kind >> 4))),
        6 => out.extend_from_slice(b"null"),
        _ => out.extend_from_slice(b"[\"a\",{\"b\":[1e999]}]"),
    }
}
