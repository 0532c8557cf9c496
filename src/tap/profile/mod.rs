//! What is peculiar to the miner and the pool of a recording: named facts.
//!
//! A fact is a text that is the same or not, or a measurement that differs only
//! beyond what chance and a network explain. Facts are chosen so that the same
//! miner on the same pool gives the same ones twice: forms, orders and sizes,
//! never what is new each time, such as an extranonce1 or a nonce.

mod miner;
mod pool;
mod shape;

use std::collections::BTreeSet;

use super::Side;
use super::conversation::{Conversation, Said, View};
use super::recording::Recording;
use crate::units::Timestamp;

/// Distinct values that are listed of a fact.
const LISTED_MAX: usize = 12;

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Whose, and about what: `miner: ids`.
    pub topic: &'static str,
    /// What about it.
    pub name: String,
    /// What it is.
    pub value: Value,
}

/// What a fact is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The same or not.
    Text(String),
    /// A measurement.
    Measured {
        /// The value, for counts and spans usually a median.
        value: f64,
        /// Its unit.
        unit: Unit,
        /// How many it is made of.
        samples: usize,
    },
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A span of time that somebody takes, in seconds.
    Seconds,
    /// A span until something that happens by chance, such as a share, in seconds.
    Wait,
    /// A rate, per second.
    PerSecond,
    /// A size in bytes.
    Bytes,
    /// A plain number.
    Count,
}

impl Unit {
    /// The ratio within which two exact measurements are the same.
    const fn ratio(self) -> f64 {
        match self {
            Self::Seconds | Self::Wait => 2.0,
            Self::PerSecond | Self::Bytes | Self::Count => 1.5,
        }
    }

    /// The difference within which they are.
    const fn margin(self) -> f64 {
        match self {
            // A busy machine and a network move replies by so much.
            Self::Seconds | Self::Wait => 0.05,
            Self::PerSecond => 0.0,
            Self::Bytes => 32.0,
            Self::Count => 1.0,
        }
    }
}

impl Value {
    /// Whether two values are the same, as far as their samples tell. What
    /// chance decides strays: the ratio of two means of `n` and `m` memoryless
    /// times by about `exp(sqrt(1/n + 1/m))`, and three times that is allowed.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) => one == two,
            (
                Self::Measured { value: one, unit, samples: n },
                Self::Measured { value: two, unit: other_unit, samples: m },
            ) => {
                let stray = (1.0 / (*n).max(1) as f64 + 1.0 / (*m).max(1) as f64).sqrt();
                let stray = if matches!(unit, Unit::Wait | Unit::PerSecond) { 3.0 * stray } else { 0.0 };
                let ratio = one.max(*two) / one.min(*two).max(f64::MIN_POSITIVE);
                let is_near = (one - two).abs() <= unit.margin() || ratio <= unit.ratio() * stray.exp();
                unit == other_unit && is_near
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Measured { value, unit: Unit::Seconds | Unit::Wait, .. } if *value < 1.0 => {
                write!(f, "{:.1} ms", value * 1e3)
            }
            Self::Measured { value, unit: Unit::Seconds | Unit::Wait, .. } => write!(f, "{value:.1} s"),
            Self::Measured { value, unit: Unit::PerSecond, .. } => write!(f, "{value:.3} /s"),
            Self::Measured { value, unit: Unit::Bytes, .. } => write!(f, "{value:.0} bytes"),
            Self::Measured { value, unit: Unit::Count, .. } => write!(f, "{value}"),
        }
    }
}

/// All facts of a recording, by topic.
#[must_use]
pub fn facts(recording: &Recording) -> Vec<Fact> {
    let mut facts = Facts::default();
    miner::facts(&Conversation::all(recording, View::Miner), &mut facts);
    pool::facts(&Conversation::all(recording, View::Pool), &mut facts);
    facts.facts
}

/// Collects facts.
#[derive(Default)]
struct Facts {
    topic: &'static str,
    facts: Vec<Fact>,
}

impl Facts {
    fn topic(&mut self, topic: &'static str) {
        self.topic = topic;
    }

    fn text(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.put(name, Value::Text(text.into()));
    }

    /// Values in order; `none` when there are none.
    fn set(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = impl ToString>) {
        let values: BTreeSet<String> = values.into_iter().map(|value| value.to_string()).collect();
        let more = values.len().saturating_sub(LISTED_MAX);
        let mut text = values.into_iter().take(LISTED_MAX).collect::<Vec<_>>().join(" | ");
        if text.is_empty() {
            text = "none".into();
        }
        if more > 0 {
            text += &format!(" and {more} more");
        }
        self.text(name, text);
    }

    /// Like [`Self::set`], but nothing when there are no values: then there is nothing to compare.
    fn known(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = impl ToString>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.set(name, values);
        }
    }

    /// The median, unless there is nothing to measure.
    fn median(&mut self, name: impl Into<String>, unit: Unit, mut values: Vec<f64>) {
        if values.is_empty() {
            return;
        }
        values.sort_unstable_by(f64::total_cmp);
        let samples = values.len();
        self.put(name, Value::Measured { value: values[samples / 2], unit, samples });
    }

    /// The largest, unless there is nothing to measure.
    fn largest(&mut self, name: impl Into<String>, unit: Unit, values: impl IntoIterator<Item = f64>) {
        let (mut samples, mut value) = (0, f64::NEG_INFINITY);
        for other in values {
            samples += 1;
            value = value.max(other);
        }
        if samples > 0 {
            self.put(name, Value::Measured { value, unit, samples });
        }
    }

    fn put(&mut self, name: impl Into<String>, value: Value) {
        self.facts.push(Fact { topic: self.topic, name: name.into(), value });
    }
}

/// How a side writes its lines.
fn writing(conversations: &[Conversation], by: Side, facts: &mut Facts) {
    let lines = || conversations.iter().flat_map(|it| &it.lines).filter(|said| said.by == by);
    let orders = lines().filter_map(|said| {
        let members = said.members()?;
        Some(members.names().take(LISTED_MAX).collect::<Vec<_>>().join(","))
    });
    facts.set("members of a line", orders);
    let spaced = |said: &&Said| memchr::memmem::find(&said.line, b"\": ").is_some();
    facts.text("space after a colon", share_of(lines().filter(spaced).count(), lines().count()));
    let ends = lines().map(|said| match (said.unfinished, said.line.ends_with(b"\r")) {
        (true, _) => "no line feed",
        (false, true) => "CR LF",
        (false, false) => "LF",
    });
    facts.set("line ends", ends);
    facts.largest("longest line", Unit::Bytes, lines().map(|said| said.line.len() as f64));
    let other = lines().filter(|said| said.kind == super::Kind::Other && !said.line.trim_ascii().is_empty());
    facts.text("lines that are no message", if other.count() > 0 { "some" } else { "none" });
}

/// How connections ended by whoever ended them.
fn ends(conversations: &[Conversation], facts: &mut Facts) {
    let how = conversations.iter().map(|it| match &it.closed {
        None => "open at the end",
        Some(closed) if closed.how.ends_with("the recording ends") => "open at the end",
        Some(closed) if closed.how.contains(" by rule `") => "ended by a rule",
        Some(closed) => closed.how.as_str(),
    });
    facts.set("connections", how);
}

/// Never, always or sometimes.
fn share_of(count: usize, of: usize) -> &'static str {
    match count {
        0 => "never",
        _ if count == of => "always",
        _ => "sometimes",
    }
}

/// Spans between neighbours, in seconds.
fn gaps(times: &[Timestamp]) -> Vec<f64> {
    times.windows(2).map(|pair| pair[1].since(pair[0]).0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_differ_beyond_chance_only() {
        fn check(unit: Unit, one: (f64, usize), two: (f64, usize), is_like: bool) {
            let value = |(value, samples)| Value::Measured { value, unit, samples };
            assert_eq!(value(one).is_like(&value(two)), is_like, "{one:?} {two:?}");
            assert_eq!(value(two).is_like(&value(one)), is_like, "{two:?} {one:?}");
        }
        check(Unit::PerSecond, (1.0, 1_000), (1.6, 1_000), true); // 1.5 and three sigma
        check(Unit::PerSecond, (1.0, 1_000), (1.8, 1_000), false);
        check(Unit::PerSecond, (1.0, 5), (5.0, 5), true); // five shares tell little
        check(Unit::PerSecond, (0.0, 9), (5.0, 9), false);
        check(Unit::Wait, (1.0, 1), (9.0, 1), true);
        check(Unit::Wait, (1.0, 1_000), (9.0, 1_000), false);
        check(Unit::Seconds, (1.0, 1), (9.0, 1), false);
        check(Unit::Seconds, (0.001, 1_000), (0.050, 1_000), true); // a busy machine
        check(Unit::Seconds, (0.010, 1_000), (0.100, 1_000), false);
        check(Unit::Bytes, (100.0, 1), (132.0, 1), true);
        check(Unit::Bytes, (1_000.0, 1), (2_000.0, 1), false);
    }
}
