//! A span of time as cases write it: `500ms`, `10s`, `2m`.

use std::str::FromStr;

use serde::Deserialize;

use crate::units::Seconds;

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Seconds);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match &text[digits.len()..] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return Err(format!("`{text}` is no span of time; try 500ms, 10s, 2m or 1h")),
        };
        match digits.trim().parse::<f64>() {
            Ok(number) if (0.0..=604_800.0).contains(&(number * factor)) => {
                Ok(Self(Seconds(number * factor)))
            }
            _ => Err(format!("`{text}` is no span of time up to a week; try 500ms, 10s, 2m or 1h")),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
