//! Two recordings' facts side by side.
//!
//! A fact that only one of them has is not counted as a difference: it depends
//! on something else that is, such as a method that only one miner uses.

use std::fmt;

use super::profile::{Fact, facts};
use super::recording::Recording;

/// Characters of a value that fit a column.
const COLUMN_MAX: usize = 32;

/// Characters of a value that the table shows at all; JSON has it whole.
const SHOWN_MAX: usize = 300;

/// A fact of both.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Whose, and about what.
    pub topic: &'static str,
    /// What about it.
    pub name: String,
    /// In the first recording; `None` when there is nothing to tell.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
    /// Whether they are the same, or cannot be compared.
    pub same: bool,
}

/// All facts of two recordings, by topic.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Differences {
    /// In order of topics.
    pub rows: Vec<Difference>,
}

/// Compares two recordings.
#[must_use]
pub fn diff(a: &Recording, b: &Recording) -> Differences {
    let (mut ones, mut twos) = (facts(a), facts(b));
    let mut topics: Vec<&'static str> = Vec::new();
    for fact in ones.iter().chain(&twos) {
        if !topics.contains(&fact.topic) {
            topics.push(fact.topic);
        }
    }
    let mut rows = Vec::new();
    for topic in topics {
        let of = |facts: &mut Vec<Fact>| facts.extract_if(.., |fact| fact.topic == topic).collect::<Vec<_>>();
        let (ones, mut twos) = (of(&mut ones), of(&mut twos));
        for one in ones {
            let place = twos.iter().position(|two| two.name == one.name);
            let two = place.map(|place| twos.remove(place).value);
            let same = two.as_ref().is_none_or(|two| one.value.is_like(two));
            let b = two.map(|two| two.to_string());
            rows.push(Difference { topic, name: one.name, a: Some(one.value.to_string()), b, same });
        }
        for two in twos {
            let b = Some(two.value.to_string());
            rows.push(Difference { topic, name: two.name, a: None, b, same: true });
        }
    }
    Differences { rows }
}

impl Differences {
    /// Whether there is any.
    #[must_use]
    pub fn any(&self) -> bool {
        self.rows.iter().any(|row| !row.same)
    }

    /// Only what is different.
    #[must_use]
    pub fn only(mut self) -> Self {
        self.rows.retain(|row| !row.same);
        self
    }
}

impl fmt::Display for Differences {
    /// A table by topic. Values that are long for a column stand below each other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = |row: &Difference| [&row.a, &row.b].map(|value| shown(value.as_deref().unwrap_or("–")));
        let is_long = |row: &Difference| cells(row).iter().any(|cell| cell.chars().count() > COLUMN_MAX);
        let width = |cell: &str| cell.chars().count();
        let name_width = self.rows.iter().map(|row| width(&shown(&row.name))).max().unwrap_or(0);
        let short = self.rows.iter().filter(|row| !is_long(row));
        let a_width = short.map(|row| width(&cells(row)[0])).max().unwrap_or(0);
        let mut topic = "";
        for row in &self.rows {
            if row.topic != topic {
                if !topic.is_empty() {
                    writeln!(f)?;
                }
                topic = row.topic;
                writeln!(f, "{topic}")?;
            }
            let ([a, b], name) = (cells(row), shown(&row.name));
            let mark = if row.same { ' ' } else { '≠' };
            if is_long(row) {
                writeln!(f, "{mark} {name:name_width$}   A {a}\n  {:name_width$}   B {b}", "")?;
            } else {
                writeln!(f, "{mark} {name:name_width$}   {a:a_width$}   {b}")?;
            }
        }
        Ok(())
    }
}

/// A text with a limit and without control characters: peers chose what is in it.
fn shown(text: &str) -> String {
    let mut clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut shown: String = clean.by_ref().take(SHOWN_MAX).collect();
    if clean.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tap::recording::tests::recording;
    use crate::tap::{Part, Player};
    use crate::units::Timestamp;

    fn notify(job: &str, ntime: &str, clean: bool) -> String {
        let zeros = "00".repeat(32);
        format!(
            r#"pool {{"id":null,"method":"mining.notify","params":["{job}","{zeros}","01","02",[],"20000000","1d00ffff","{ntime}",{clean}]}}"#
        )
    }

    fn session() -> Vec<String> {
        let own = str::to_owned;
        vec![
            own("0 proxy opened"),
            own(
                r#"10 miner {"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}"#,
            ),
            own(r#"11 miner {"id":2,"method":"mining.subscribe","params":["firm/1"]}"#),
            own(r#"12 miner {"id":3,"method":"mining.authorize","params":["w","***"]}"#),
            own(
                r#"20 pool {"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}"#,
            ),
            own(r#"21 pool {"id":2,"result":[[],"aabbccdd",4],"error":null}"#),
            own(r#"22 pool {"id":3,"result":true,"error":null}"#),
            own(r#"23 pool {"id":null,"method":"mining.set_difficulty","params":[16]}"#),
            format!("24 {}", notify("a1", "65000000", true)),
            own(
                r#"1000 miner {"id":4,"method":"mining.submit","params":["w","a1","00000001","65000000","0000000a","00002000"]}"#,
            ),
            own(r#"1010 pool {"id":4,"result":null,"error":[23,"low",null]}"#),
            format!("2000 {}", notify("a2", "65000001", true)),
            own(
                r#"2500 miner {"id":5,"method":"mining.submit","params":["w","a1","00000002","65000000","0000000b","00002000"]}"#,
            ),
            own(
                r#"2600 miner {"id":6,"method":"mining.submit","params":["w","a2","00000003","65000001","0000000c","00002000"]}"#,
            ),
            own(
                r#"2601 miner {"id":7,"method":"mining.submit","params":["w","a9","00000003","65000001","0000000c","00002000"]}"#,
            ),
            own("9000 proxy closed by miner: fin"),
        ]
    }

    /// Facts of the session after a text in it was replaced.
    fn changed(from: &str, to: &str) -> Recording {
        let lines: Vec<String> = session().iter().map(|line| line.replace(from, to)).collect();
        recording(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn facts_are_what_was_said() {
        let rows = diff(&changed("", ""), &changed("", "")).rows;
        assert!(rows.iter().all(|row| row.same && row.a == row.b));
        fn check(rows: &[Difference], topic: &str, name: &str, value: &str) {
            let row = rows.iter().find(|row| row.topic == topic && row.name == name);
            assert_eq!(row.and_then(|row| row.a.as_deref()), Some(value), "{topic}, {name}");
        }
        let check = |topic, name, value| check(&rows, topic, name, value);
        check("miner: handshake", "order", "mining.configure → mining.subscribe → mining.authorize");
        check("miner: handshake", "sends on without waiting for replies", "yes");
        check("miner: handshake", "user agent", "firm/1");
        check("miner: ids", "type", "int");
        check("miner: ids", "sequence", "each one more");
        check("miner: messages", "params of mining.submit", "[string×6]");
        check("miner: shares", "extranonce2 digits", "8");
        check("miner: shares", "extranonce2", "moves");
        check("miner: shares", "rolls ntime", "never");
        check("miner: shares", "version bits sent", "always");
        check("miner: shares", "version bits outside the mask", "never");
        check("miner: shares", "jobs that were never announced", "sometimes");
        check("miner: timing", "job to its first share", "976.0 ms");
        check("miner: timing", "clean job to last share of an older one", "500.0 ms");
        check("miner: end", "connections", "closed by miner: fin");
        check("miner: end", "pool's last line to close by the miner", "7.0 s");
        check("pool: handshake", "extranonce1 bytes", "4");
        check("pool: handshake", "version mask granted", "1fffe000");
        check("pool: difficulty", "history", "16");
        check("pool: difficulty", "before the first job", "yes");
        check("pool: jobs", "clean", "always");
        check("pool: jobs", "ids", "hexadecimal");
        check("pool: verdicts", "errors", "low (23)");
        check("pool: verdicts", "no reply", "sometimes");
        check("pool: verdicts", "time to answer", "10.0 ms");
    }

    #[test]
    fn each_change_is_found() {
        fn check(from: &str, to: &str, name: &str) {
            let found = diff(&changed("", ""), &changed(from, to)).only();
            assert!(found.rows.iter().any(|row| row.name == name), "{from} → {to}: {found}");
        }
        check("mining.configure", "mining.other", "order");
        check("firm/1", "firm/2", "user agent");
        check(r#""id":4,"#, r#""id":"4","#, "type");
        check(r#""id":6,"#, r#""id":5,"#, "sequence");
        check(r#""id":1,"method""#, r#""method""#, "members of a line");
        check(r#""id":2,"method""#, r#""id": 2, "method""#, "space after a colon");
        check(r#","00002000"]"#, "]", "version bits sent");
        check("00002000", "00001000", "version bits outside the mask");
        check("\"0000000c\"", "\"c\"", "nonce digits");
        check("\"0000000c\"", "\"0000000C\"", "upper-case hexadecimal");
        check("\"00000003\",\"65000001\"", "\"00000003\",\"65000009\"", "rolls ntime");
        check("closed by miner: fin", "closed by pool: rst", "connections");
        check("aabbccdd\",4", "aabbcc\",8", "extranonce2 bytes");
        check("1fffe000", "00ffe000", "version mask granted");
        check("[16]", "[16.5]", "history");
        check("\"low\"", "\"high\"", "errors");
        check("[23,\"low\",null]", "{\"code\":23,\"message\":\"low\"}", "form of an error");
        check("\"20000000\"", "\"20000004\"", "version");
        check(",true]}", ",false]}", "clean");
        check("1010 pool", "1999 pool", "time to answer");
    }

    /// Awkward lines, and parts of a session.
    fn line() -> impl Strategy<Value = String> {
        let awkward = [
            "",
            "{}",
            "[]",
            "{\"id\":null}",
            "{\"id\":1,\"result\":[[],\"aa\",-1]}",
            "{\"id\":4,\"result\":[null,null,1e300]}",
            "{\"method\":null,\"params\":null}",
            "{\"id\":[],\"method\":\"mining.submit\",\"params\":{\"a\":7}}",
            "{\"id\":9223372036854775807,\"method\":\"mining.submit\",\"params\":[1,2,3,4,5,6,7]}",
            "{\"id\":-9223372036854775808,\"method\":\"mining.subscribe\",\"params\":\"x\"}",
            "{\"method\":\"mining.set_difficulty\",\"params\":[1e400]}",
            "a\nb\n",
        ];
        let session =
            session().into_iter().map(|line| line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned());
        let all: Vec<String> = awkward.into_iter().map(str::to_owned).chain(session).collect();
        prop::sample::select(all)
    }

    proptest! {
        #[test]
        fn no_session_makes_it_panic_or_differ_from_itself(
            lines in prop::collection::vec(
                (any::<u64>(), 0..3_u32, prop::sample::select(vec!["miner", "pool", "proxy", "case"]), line(), any::<(bool, bool)>()),
                1..40,
            )
        ) {
            let mut text = String::new();
            for (at, connection, from, said, (altered, unfinished)) in lines {
                let entry = serde_json::json!({
                    "at_us": at, "connection": connection, "from": from, "text": said,
                    "altered": altered, "unfinished": unfinished,
                });
                text += &format!("{entry}\n");
            }
            let recording = Recording::read(text.as_bytes()).unwrap();
            prop_assert!(!diff(&recording, &recording.clone()).any());
            if let Ok(part) = Part::of(&recording, None) {
                let mut now = Timestamp(1);
                let mut player = Player::new(&part, 1.0, now);
                for method in part.methods().iter().map(String::as_str).chain(["mining.authorize", "mining.subscribe"]) {
                    player.on_line(format!("{{\"id\":1,\"method\":{method:?}}}").as_bytes(), now);
                }
                while let Some(wake) = player.next_wake() {
                    now = now.max(wake);
                    if player.pop(now).is_none() {
                        break;
                    }
                }
                let _ = player.report(now).to_string();
            }
        }
    }

    #[test]
    fn the_table_is_readable_and_safe() {
        let long = "x".repeat(500);
        let table =
            diff(&changed("", ""), &changed("firm/1", &format!("\\u001b[31m{long}"))).only().to_string();
        let at = table.lines().position(|line| line.contains("user agent")).unwrap();
        let lines: Vec<&str> = table.lines().skip(at).take(2).collect();
        assert!(lines[0].starts_with("≠ user agent") && lines[0].ends_with("A firm/1"), "{table}");
        assert!(lines[1].trim_start().starts_with("B ") && lines[1].ends_with("x…"), "{table}");
        assert!(!table.contains('\u{1b}'), "{table:?}");
    }
}
