//! What the pool of a case does, step by step.
//!
//! In a case file a step is a table with one key, its name. Steps run in order;
//! those that wait end when what they wait for came. An expectation that is not
//! met in time is a fact for the judges; it ends the trial that it is part of,
//! or the case.

use serde::Deserialize;

use super::span::Span;
use super::terms::{JobSpec, TermsChange};

/// One step.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Changes how the pool behaves from here on.
    Terms(Box<TermsChange>),
    /// Ends the session, if there is one, and waits for the next connection.
    Reconnect(Within),
    /// Waits until the miner is subscribed and authorized and has a job; at once if it is.
    Session(Within),
    /// Sends `mining.notify`.
    Notify(Box<JobSpec>),
    /// Sends `mining.set_difficulty`; it holds for jobs sent later.
    Difficulty(DifficultyStep),
    /// Sends `mining.set_extranonce`; it holds for jobs sent later.
    Extranonce(ExtranonceStep),
    /// Sends `mining.set_version_mask`; it holds at once.
    Mask(String),
    /// Sends a line as it stands.
    Line(String),
    /// Sends bytes as they stand, without a line feed.
    Bytes(BytesStep),
    /// Sends a request to the miner; its reply can be expected.
    Ask(AskStep),
    /// Lets time pass; the pool goes on answering.
    Wait(Span),
    /// Waits for something.
    Expect(Expectation),
    /// How bytes are cut up on their way, from here on.
    Transport(TransportStep),
    /// Ends the connection.
    Close(CloseStep),
    /// Drops all packets of the connection both ways from here on, without a word.
    Freeze(bool),
    /// Whether the pool reads what the miner sends; when not, its window closes.
    Reading(bool),
    /// Whether the pool accepts connections.
    Listening(bool),
    /// Whether the pool's name leads to another address; the usual one refuses then.
    Moved(bool),
    /// Whether the pool answers with TLS and a bad certificate.
    BadTls(bool),
    /// Sends the replies that were held.
    Release(ReleaseStep),
    /// Names this moment for the judges.
    Mark(String),
    /// Repeats steps.
    Repeat {
        /// How often.
        times: u32,
        /// What.
        steps: Vec<Step>,
    },
    /// Runs steps once for each value; `$name` in them stands for the value.
    /// Each run is a trial: one that ends early does not end the others.
    Sweep(super::step::Sweep),
}

impl Step {
    /// Its texts with placeholders, as the case has them; not those of steps within it.
    #[must_use]
    pub(super) fn texts(&self) -> Vec<&str> {
        fn of_job(job: &JobSpec) -> impl Iterator<Item = &str> {
            job.replace.iter().flatten().map(|(_, json)| json.as_str())
        }
        match self {
            Self::Line(text) | Self::Difficulty(DifficultyStep::Raw(text)) => vec![text],
            Self::Extranonce(step) => step.raw.as_deref().into_iter().collect(),
            Self::Bytes(step) => step.text.as_deref().into_iter().collect(),
            Self::Ask(ask) => ask.params.as_deref().into_iter().collect(),
            Self::Notify(job) => of_job(job).collect(),
            Self::Terms(terms) => {
                let lines = [&terms.before_authorize, &terms.before_subscribe].into_iter().flatten();
                lines.map(String::as_str).chain(terms.job.iter().flat_map(of_job)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A time limit.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// How long to wait at most; what is usual for the step when absent.
    pub within: Option<Span>,
}

/// A difficulty to announce.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DifficultyStep {
    /// This one.
    Value(f64),
    /// One that lets the miner find so many shares in a second.
    Rate(f64),
    /// So many times the present one.
    Factor(f64),
    /// This JSON, whatever it means; the miner is expected to keep the present one.
    Raw(String),
}

/// An extranonce to announce.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtranonceStep {
    /// Bytes of a new extranonce1; as many as before when absent.
    pub bytes1: Option<usize>,
    /// Bytes of extranonce2; as before when absent.
    pub bytes2: Option<i64>,
    /// The parameters as JSON instead.
    pub raw: Option<String>,
}

/// Bytes to send.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BytesStep {
    /// As text.
    pub text: Option<String>,
    /// As hexadecimal.
    pub hex: Option<String>,
    /// How often, one after the other; once when absent.
    pub times: Option<u32>,
}

/// A request to the miner.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskStep {
    /// The method.
    pub method: String,
    /// Its parameters as JSON; an empty list when absent.
    pub params: Option<String>,
    /// The id as JSON.
    pub id: String,
}

/// What to wait for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// So many shares with a valid proof, from here on.
    pub shares: Option<u32>,
    /// So many shares, valid or not.
    pub submits: Option<u32>,
    /// Shares of the job with this label only.
    pub of: Option<String>,
    /// A request with this method.
    pub request: Option<String>,
    /// The reply to what was asked with this id (JSON).
    pub reply: Option<String>,
    /// A new connection.
    pub connection: Option<bool>,
    /// The end of the connection, by the miner.
    pub closed: Option<bool>,
    /// How long at most.
    pub within: Option<Span>,
    /// When it is not met the case goes on, and the judges see that it was not.
    #[serde(default)]
    pub optional: bool,
    /// What it means when it is not met, for the report.
    pub because: Option<String>,
}

/// How bytes go out.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransportStep {
    /// Bytes in one segment; all when absent.
    pub split: Option<usize>,
    /// The time between two segments.
    pub every: Option<Span>,
    /// Lines are held until so many can go out in one segment.
    pub coalesce: Option<usize>,
    /// How long after a line its line feed goes out.
    pub late_feed: Option<Span>,
    /// Ends lines with CR LF.
    #[serde(default)]
    pub crlf: bool,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseStep {
    /// With FIN.
    Fin,
    /// With RST.
    Rst,
}

/// The order in which held replies go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseStep {
    /// As the requests came.
    InOrder,
    /// The last request's first.
    Reversed,
    /// As the requests came, in one segment.
    Together,
}

/// Steps for each of some values, with the values already put in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RawSweep")]
pub struct Sweep {
    /// What varies.
    pub name: String,
    /// A value as text, and its steps.
    pub trials: Vec<(String, Vec<Step>)>,
}

/// A sweep as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSweep {
    name: String,
    over: Vec<toml::Value>,
    steps: Vec<toml::Value>,
}

impl TryFrom<RawSweep> for Sweep {
    type Error = String;

    fn try_from(raw: RawSweep) -> Result<Self, String> {
        let placeholder = format!("${}", raw.name);
        let trial = |value: &toml::Value| {
            let text = match value {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let steps = raw.steps.iter().map(|step| {
                let step = replaced(step.clone(), &placeholder, value, &text);
                step.try_into().map_err(|error: toml::de::Error| format!("{} = {text}: {error}", raw.name))
            });
            Ok((text.clone(), steps.collect::<Result<Vec<Step>, String>>()?))
        };
        let trials = raw.over.iter().map(trial).collect::<Result<_, String>>()?;
        Ok(Self { name: raw.name, trials })
    }
}

/// `step` with the value where exactly the placeholder stands, and its text within longer texts.
fn replaced(step: toml::Value, placeholder: &str, value: &toml::Value, text: &str) -> toml::Value {
    match step {
        toml::Value::String(string) if string == placeholder => value.clone(),
        toml::Value::String(string) => toml::Value::String(string.replace(placeholder, text)),
        toml::Value::Array(items) => toml::Value::Array(
            items.into_iter().map(|item| replaced(item, placeholder, value, text)).collect(),
        ),
        toml::Value::Table(table) => toml::Value::Table(
            table.into_iter().map(|(key, item)| (key, replaced(item, placeholder, value, text))).collect(),
        ),
        other => other,
    }
}
