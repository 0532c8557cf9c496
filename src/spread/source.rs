//! The text of a scenario, what overrules it, and where in it something stands.

use toml::de::{DeTable, DeValue};

use super::eras::inputs::Common;
use super::parameters::Parameters;

/// A scenario that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ScenarioError {
    /// The file with the line, or the flag.
    place: String,
    reason: String,
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Its key, nested by dots: `region.ET.price_mid`, or `event.0.size` in a list.
    pub key: String,
    /// The value, what is wrong with it, what to try.
    pub reason: String,
}

impl Wrong {
    /// The value at `key` is wrong.
    pub(super) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

/// A scenario as it was given.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What the file is called.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// `key=value` each, over what the file says: its own keys (`price.usd`),
    /// `region.ET.price_mid` and its like, and any parameter by its name.
    pub sets: &'a [String],
}

impl Source<'_> {
    /// The whole, overruled.
    ///
    /// # Errors
    /// What is no TOML, or says something that `T` does not have.
    pub(super) fn value<T: serde::de::DeserializeOwned>(&self) -> Result<T, ScenarioError> {
        let in_file = |error: toml::de::Error| {
            let line = error.span().map(|span| line_at(self.text, span.start));
            self.error_at(line, error.message().to_owned())
        };
        // By itself first: only so does an error know its line.
        let alone = toml::from_str::<T>(self.text);
        if self.sets.is_empty() {
            return alone.map_err(in_file);
        }
        let mut table: toml::Table = self.text.parse().map_err(in_file)?;
        for set in self.sets {
            let overruled = |reason: String| ScenarioError { place: format!("--set {set}"), reason };
            let (key, value) = set
                .split_once('=')
                .ok_or_else(|| overruled("write KEY=VALUE, as in region.ET.price_mid=0.065".to_owned()))?;
            let value = match format!("x = {value}").parse::<toml::Table>() {
                Ok(mut parsed) => parsed.remove("x").expect("it was written"),
                Err(_) => toml::Value::String(value.to_owned()),
            };
            put(&mut table, &path(key), value).map_err(overruled)?;
        }
        toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| match alone {
            Err(alone) => in_file(alone),
            Ok(_) => ScenarioError {
                place: format!("--set {}", self.sets.join(" --set ")),
                reason: error.to_string().trim_end().to_owned(),
            },
        })
    }

    /// An error that says where the value stands.
    pub(super) fn error(&self, wrong: Wrong) -> ScenarioError {
        let wanted: Vec<&str> = wrong.key.split('.').collect();
        let set =
            self.sets.iter().find(|set| set.split_once('=').is_some_and(|(key, _)| path(key) == wanted));
        if let Some(set) = set {
            return ScenarioError { place: format!("--set {set}"), reason: wrong.reason };
        }
        let line = DeTable::parse(self.text)
            .ok()
            .and_then(|table| start(&DeValue::Table(table.into_inner()), &wanted))
            .map(|at| line_at(self.text, at));
        self.error_at(line, wrong.reason)
    }

    fn error_at(&self, line: Option<usize>, reason: String) -> ScenarioError {
        let place = match line {
            Some(line) => format!("{}, line {line}", self.file),
            None => self.file.to_owned(),
        };
        ScenarioError { place, reason }
    }
}

/// The keys that lead to a value; a parameter needs its name only.
fn path(key: &str) -> Vec<&str> {
    match key.trim() {
        name if Parameters::NAMES.contains(&name) || Common::NAMES.contains(&name) => {
            vec!["parameters", name]
        }
        key => key.split('.').collect(),
    }
}

/// Sets `path` in nested tables, making those that are missing.
fn put(table: &mut toml::Table, path: &[&str], value: toml::Value) -> Result<(), String> {
    match path {
        [] | [""] => Err("the key is empty".to_owned()),
        [name] => {
            table.insert((*name).to_owned(), value);
            Ok(())
        }
        [name, rest @ ..] => {
            let inner =
                table.entry((*name).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            match inner {
                toml::Value::Table(inner) => put(inner, rest, value),
                _ => Err(format!("`{name}` is no table")),
            }
        }
    }
}

/// Where the value at `path` begins, or the innermost that there is of it.
fn start(value: &DeValue<'_>, path: &[&str]) -> Option<usize> {
    let (name, rest) = path.split_first()?;
    let (at, inner) = match value {
        DeValue::Table(table) => {
            let (key, inner) = table.iter().find(|(key, _)| key.get_ref().as_ref() == *name)?;
            (key.span().start, inner)
        }
        DeValue::Array(list) => {
            let inner = list.get(name.parse::<usize>().ok()?)?;
            (inner.span().start, inner)
        }
        _ => return None,
    };
    Some(start(inner.get_ref(), rest).unwrap_or(at))
}

fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
