//! Deviations that the user of a firmware accepts, each with its reason.
//!
//! A known failure should not hide a new one, nor outlive its cause. So an
//! accepted case does not fail the run, and one that passes although it is on
//! the list does, until its line is removed.

use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;

use crate::conformance::{Examination, Outcome};

/// An accepted failure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The case.
    pub case: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is.
    #[serde(default, deserialize_with = "date")]
    pub until: Option<Date>,
    /// How the user agent of the firmware begins that it is accepted of; any when absent.
    #[serde(default)]
    pub firmware: Option<String>,
}

/// A list of accepted failures.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviations {
    /// In the order of the file.
    #[serde(default)]
    pub deviation: Vec<Deviation>,
}

/// What became of a deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The case failed, as accepted.
    Accepted,
    /// The case passed: the deviation must be removed.
    Gone,
    /// The case failed, but the day is over.
    Expired,
    /// The case was not run, or not decided.
    Open,
    /// It is about other firmware.
    OtherFirmware,
}

/// A deviation and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The deviation.
    pub deviation: Deviation,
    /// What became of it.
    pub standing: Standing,
}

/// Why a file of deviations cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AgainstError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}; --against takes a file of `[[deviation]]` tables", path = path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// It is no such file.
    #[error("{path}: {what}", path = path.display())]
    Wrong {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// A TOML date, or the same as text.
fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Toml(toml::value::Datetime),
        Text(String),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Toml(date) => date.to_string(),
        Written::Text(text) => text,
    };
    text.parse()
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format!("until = {text} is no date such as 2027-01-31")))
}

impl Deviations {
    /// Reads a file; `known` says whether there is a case of that id.
    ///
    /// # Errors
    /// When it cannot be read, is no such file, or names an unknown case.
    pub fn read(path: &Path, known: impl Fn(&str) -> Result<(), String>) -> Result<Self, AgainstError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| AgainstError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, known).map_err(|what| AgainstError::Wrong { path: path.to_owned(), what })
    }

    fn parse(text: &str, known: impl Fn(&str) -> Result<(), String>) -> Result<Self, String> {
        let list: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        for (place, deviation) in list.deviation.iter().enumerate() {
            known(&deviation.case)?;
            if deviation.reason.trim().is_empty() {
                return Err(format!(
                    "the deviation of {} has no reason; say why it is accepted",
                    deviation.case
                ));
            }
            let again =
                |other: &Deviation| other.case == deviation.case && other.firmware == deviation.firmware;
            if list.deviation[..place].iter().any(again) {
                return Err(format!("{} is listed twice; keep one", deviation.case));
            }
        }
        Ok(list)
    }

    /// Holds an examination against the list.
    #[must_use]
    pub fn settle(&self, examination: &Examination, today: Date) -> Vec<Settled> {
        let standing = |deviation: &Deviation| {
            let agent = examination.user_agent.as_deref().unwrap_or_default();
            if deviation.firmware.as_ref().is_some_and(|firmware| !agent.starts_with(firmware.as_str())) {
                return Standing::OtherFirmware;
            }
            let case = examination.cases.iter().find(|case| case.id == deviation.case);
            match case.map(|case| case.outcome) {
                Some(Outcome::Fail) if deviation.until.is_some_and(|until| until < today) => {
                    Standing::Expired
                }
                Some(Outcome::Fail) => Standing::Accepted,
                Some(Outcome::Pass) => Standing::Gone,
                Some(Outcome::Inconclusive | Outcome::Skipped) | None => Standing::Open,
            }
        };
        let settle =
            |deviation: &Deviation| Settled { deviation: deviation.clone(), standing: standing(deviation) };
        self.deviation.iter().map(settle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::examination;
    use super::*;

    const LIST: &str = "\
[[deviation]]
case = \"H04\"
reason = \"known since 2.1\"
until = 2027-01-31
firmware = \"bitaxe/\"
";

    fn known(id: &str) -> Result<(), String> {
        if id == "H04" { Ok(()) } else { Err(format!("there is no case {id}")) }
    }

    #[test]
    fn deviations_settle() {
        fn check(outcome: Option<Outcome>, agent: &str, today: (i16, i8, i8), standing: Standing) {
            let list = Deviations::parse(LIST, known).unwrap();
            let mut examination =
                examination(&outcome.map(|outcome| ("H04", outcome)).into_iter().collect::<Vec<_>>());
            examination.user_agent = Some(agent.into());
            let today = Date::new(today.0, today.1, today.2).unwrap();
            assert_eq!(list.settle(&examination, today)[0].standing, standing, "{outcome:?} {agent} {today}");
        }
        let day = (2027, 1, 31);
        check(Some(Outcome::Fail), "bitaxe/1", day, Standing::Accepted);
        check(Some(Outcome::Fail), "bitaxe/1", (2027, 2, 1), Standing::Expired);
        check(Some(Outcome::Pass), "bitaxe/1", day, Standing::Gone);
        check(Some(Outcome::Inconclusive), "bitaxe/1", day, Standing::Open);
        check(None, "bitaxe/1", day, Standing::Open);
        check(Some(Outcome::Pass), "other/1", day, Standing::OtherFirmware);
    }

    #[test]
    fn files_are_checked() {
        fn check(text: &str, part: &str) {
            let error = Deviations::parse(text, known).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        check("[[deviation]]\ncase = \"Z9\"\nreason = \"r\"", "there is no case Z9");
        check("[[deviation]]\ncase = \"H04\"\nreason = \" \"", "has no reason");
        check("[[deviation]]\ncase = \"H04\"", "missing field `reason`");
        check("[[deviation]]\ncase = \"H04\"\nreason = \"r\"\nuntil = \"soon\"", "until = soon is no date");
        check("[[deviation]]\ncase = \"H04\"\nreason = \"r\"\nbecause = \"x\"", "unknown field `because`");
        check(&format!("{LIST}{LIST}"), "listed twice");
        check("[[deviations]]", "unknown field `deviations`");
    }
}
