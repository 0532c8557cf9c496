//! The rules by name, with their settings: how case files write judges.
//!
//! A judge is a rule and a window. In a file it is the rule's name, or a table
//! with the name and the settings of both: `"met"`,
//! `{ shares_good = { min = 3, after = "second" } }`.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::conformance::examiner::Listener;
use crate::conformance::share::{Explanation, Problem};
use crate::conformance::span::Span;
use crate::units::Seconds;

/// Error probability of a statistical rule: many of them run in one examination.
const ALPHA: f64 = 0.001;

fn alpha() -> f64 {
    ALPHA
}

fn one() -> usize {
    1
}

fn count<const N: usize>() -> usize {
    N
}

fn seconds<const N: u32>() -> Span {
    Span(Seconds(f64::from(N)))
}

fn yes() -> bool {
    true
}

/// A number or text of a sweep, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(pub String);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}

/// The name of an explanation, without its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplanationName(pub &'static str);

impl<'de> Deserialize<'de> for ExplanationName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Explanation::NAMES
            .into_iter()
            .find(|name| *name == text)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("no explanation is called `{text}`")))
    }
}

/// Which part of the log is judged.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// From this mark on; each time it comes.
    pub after: Option<String>,
    /// Until this mark.
    pub before: Option<String>,
    /// Shares of the job with this label only.
    pub of: Option<String>,
    /// What comes so soon after the mark does not count, beside a round trip.
    pub grace: Option<Span>,
}

impl Window {
    const KEYS: [&str; 4] = ["after", "before", "of", "grace"];
}

/// What must hold. The doc of each says when it does; `catalogue` says it to users.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are described in the catalogue")]
pub enum Rule {
    /// Every expectation that is not optional was met.
    Met {},
    /// The miner never ended a connection, nor opened another one unasked.
    Alive {},
    /// Every share is good.
    SharesGood {
        #[serde(default = "one")]
        min: usize,
        #[serde(default)]
        ignore: Vec<Problem>,
    },
    /// No share has one of these problems.
    NoProblem {
        which: Vec<Problem>,
        #[serde(default = "one")]
        min: usize,
    },
    /// No share's proof comes about by one of these explanations.
    NotExplained {
        which: Vec<ExplanationName>,
        #[serde(default = "one")]
        min: usize,
    },
    /// No share came.
    NoShares {},
    /// So many good shares came.
    SomeShares {
        #[serde(default = "one")]
        min: usize,
    },
    /// Old jobs are left soon after a new block.
    Switches {
        #[serde(default = "seconds::<2>")]
        p95: Span,
        #[serde(default = "count::<30>")]
        min: usize,
    },
    /// Few shares are stale.
    StaleFraction {
        max: f64,
        #[serde(default = "count::<50>")]
        min: usize,
    },
    /// Extranonce2, version bits or ntime keep moving.
    Moving {},
    /// Replies carry the id of the pool's request.
    Reply {
        id: Option<String>,
        result: Option<String>,
        #[serde(default)]
        required: bool,
    },
    /// So many requests with this method came on each connection.
    Requests { method: String, min: Option<usize>, max: Option<usize> },
    /// One request came before another.
    RequestBefore { a: String, b: String },
    /// The case applies only to miners that send this request.
    Asked { method: String },
    /// A new connection came in time.
    Reconnected {
        #[serde(default = "seconds::<60>")]
        within: Span,
    },
    /// New connections come neither too often nor in lockstep.
    Reconnects {
        per_minute_max: f64,
        #[serde(default)]
        backs_off: bool,
    },
    /// A connection came on a listener.
    Visited { listener: Listener, within: Option<Span> },
    /// No connection came on a listener.
    NotVisited { listener: Listener },
    /// No silence is longer than chance explains.
    Cadence {
        #[serde(default = "seconds::<2>")]
        slack: Span,
    },
    /// Shares come no faster.
    RateBelow { per_second: f64 },
    /// Every line is one JSON object with what its method needs.
    WellFormed {
        #[serde(default = "count::<4096>")]
        bytes_max: usize,
    },
    /// Every share names an authorized worker.
    Worker {},
    /// How far values of the sweep may go.
    Limit {
        what: String,
        at_least: Option<f64>,
        at_most: Option<f64>,
        #[serde(default)]
        must: Vec<Value>,
    },
    /// Each trial has good shares, or none and no crash.
    SoundOrRefused {
        #[serde(default)]
        ignore: Vec<Problem>,
        #[serde(default = "seconds::<90>")]
        within: Span,
    },
    /// The claimed hashrate is what the count of shares allows.
    Garwood {
        #[serde(default = "alpha")]
        alpha: f64,
        #[serde(default = "count::<200>")]
        min: usize,
    },
    /// Gaps between shares are exponential.
    Lilliefors {
        #[serde(default = "alpha")]
        alpha: f64,
        #[serde(default = "count::<50>")]
        min: usize,
    },
    /// Shares are not sent in batches.
    NotBatched {
        #[serde(default = "alpha")]
        alpha: f64,
        #[serde(default = "count::<100>")]
        min: usize,
    },
    /// Shares fill the range that their difficulty allows, and no more.
    UniformU {
        #[serde(default = "alpha")]
        alpha: f64,
        #[serde(default = "count::<10>")]
        min: usize,
    },
    /// Every granted version bit is used.
    VersionBits {
        #[serde(default = "alpha")]
        alpha: f64,
        #[serde(default = "yes")]
        every: bool,
    },
    /// Nonces differ.
    NonceCoverage {},
    /// No header came twice.
    NoDuplicates {},
    /// The first share comes soon.
    FirstShare { within: Option<Span> },
    /// Shares are for the newest job soon.
    LatestJob {
        #[serde(default = "seconds::<1>")]
        within: Span,
    },
    /// Version bits stay in the mask that is in force.
    BitsWithin {},
}

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    /// Its name in case files.
    pub name: String,
    /// What must hold.
    pub rule: Rule,
    /// Where.
    pub window: Window,
}

impl<'de> Deserialize<'de> for Judge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, settings) = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(name) => (name, toml::Table::new()),
            toml::Value::Table(table) => match <[_; 1]>::try_from(table.into_iter().collect::<Vec<_>>()) {
                Ok([(name, toml::Value::Table(settings))]) => (name, settings),
                _ => return Err(D::Error::custom("a judge is a name, or a table of its name and settings")),
            },
            _ => return Err(D::Error::custom("a judge is a name, or a table of its name and settings")),
        };
        Self::from_parts(name.clone(), settings)
            .map_err(|error| D::Error::custom(format!("judge `{name}`: {error}")))
    }
}

impl Judge {
    fn from_parts(name: String, settings: toml::Table) -> Result<Self, String> {
        let (window, settings): (toml::Table, toml::Table) =
            settings.into_iter().partition(|(key, _)| Window::KEYS.contains(&key.as_str()));
        let window: Window = toml::Value::Table(window).try_into().map_err(|error| error.to_string())?;
        let table = toml::Table::from_iter([(name.clone(), toml::Value::Table(settings))]);
        let rule: Rule = toml::Value::Table(table).try_into().map_err(|error| error.to_string())?;
        if window.of.is_some() && !rule.is_about_shares() {
            return Err("it is not about the shares of a job, so `of` makes no sense".into());
        }
        if let Rule::Met {} | Rule::Asked { .. } | Rule::Limit { .. } = rule
            && window != Window::default()
        {
            return Err("it is about the whole case, so a window makes no sense".into());
        }
        if window.grace.is_some() && window.after.is_none() {
            return Err("`grace` is counted from a mark: give `after` as well".into());
        }
        Ok(Self { name, rule, window })
    }
}

impl Rule {
    /// Whether it reads shares of jobs one by one, so that a label can select them.
    fn is_about_shares(&self) -> bool {
        matches!(
            self,
            Self::SharesGood { .. }
                | Self::NoProblem { .. }
                | Self::NotExplained { .. }
                | Self::NoShares {}
                | Self::SomeShares { .. }
                | Self::Moving {}
                | Self::UniformU { .. }
                | Self::VersionBits { .. }
                | Self::NonceCoverage {}
                | Self::NoDuplicates {}
                | Self::BitsWithin {}
                | Self::Worker {}
        )
    }

    /// What comes so soon after a mark does not count, where a case does not say.
    pub(super) fn grace(&self) -> Seconds {
        match self {
            Self::NoProblem { .. } | Self::BitsWithin {} => Seconds(2.0),
            _ => Seconds(0.0),
        }
    }
}
