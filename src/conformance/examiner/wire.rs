//! What a miner's line is, and how the pool's lines are written.
//!
//! The readers and writers of `stratum` cannot say nonsense and understand too
//! much; a test pool needs the id and the parameters as they stood, and must
//! answer in every form that pools have been seen to use.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::conformance::terms::{Answering, ReplyStyle};

/// A line of a miner.
#[derive(Debug, PartialEq)]
pub(super) enum Heard<'a> {
    /// A request, or a notification when it has no id.
    Request {
        /// The id as it stood.
        id: Option<&'a str>,
        /// The method.
        method: Cow<'a, str>,
        /// The parameters as they stood.
        params: &'a str,
    },
    /// A reply to a request of the pool.
    Reply {
        /// The id as it stood.
        id: Option<&'a str>,
    },
}

/// Fields of a message as they stood; `Some` also for `null`.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a line.
///
/// # Errors
/// When it is no message; says why.
pub(super) fn read(line: &[u8]) -> Result<Heard<'_>, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("it is not UTF-8: {error}"))?;
    // A list is also a valid form of a struct to serde, but no message.
    if !text.trim_start().starts_with('{') {
        return Err("it is no JSON object".into());
    }
    let fields: Fields<'_> =
        serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))?;
    let id = fields.id.map(RawValue::get);
    match fields.method.map(RawValue::get).filter(|method| *method != "null") {
        Some(method) => Ok(Heard::Request {
            id,
            method: serde_json::from_str::<String>(method)
                .map_err(|_| format!("its method is no text: {}", shortened(method)))?
                .into(),
            params: fields.params.map_or("null", RawValue::get),
        }),
        None if fields.result.is_some() || fields.error.is_some() => Ok(Heard::Reply { id }),
        None => Err("it has neither a method nor a result".into()),
    }
}

/// The beginning of a text, for people.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a reply says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// JSON.
    pub result: String,
    /// JSON.
    pub error: String,
    /// Some pools say it beside the error.
    pub reject_reason: Option<String>,
}

impl Answer {
    /// A yes, or whatever else was asked for.
    pub fn result(result: impl Into<String>) -> Self {
        Self { result: result.into(), error: "null".into(), reject_reason: None }
    }

    /// The classic error.
    pub fn error(code: i32, text: &str) -> Self {
        let error = format!("[{code},{},null]", quoted(text));
        Self { result: "null".into(), error, reject_reason: None }
    }

    /// `good`, or a no in the form that the terms ask for; `None` for silence.
    pub fn by(answering: Answering, good: impl FnOnce() -> Self, code: i32, text: &str) -> Option<Self> {
        let failed = |error: String| Self { result: "null".into(), error, reject_reason: None };
        Some(match answering {
            Answering::Good => good(),
            Answering::No => Self::result("false"),
            Answering::ErrorList => Self::error(code, text),
            Answering::ErrorObject => failed(format!("{{\"code\":{code},\"message\":{}}}", quoted(text))),
            Answering::ErrorText => failed(quoted(text)),
            Answering::RejectReason => Self { reject_reason: Some(text.to_owned()), ..Self::result("false") },
            Answering::ErrorJsonRpc => {
                let code = -32_000 - code.abs();
                failed(format!("{{\"code\":{code},\"message\":{},\"data\":null}}", quoted(text)))
            }
            Answering::Null => Self::result("null"),
            Answering::Silent => return None,
        })
    }

    /// The lines of this reply to a request with `id`.
    pub fn lines(&self, id: &str, style: ReplyStyle) -> Vec<u8> {
        let Self { result, error, reject_reason } = self;
        let reason = reject_reason
            .as_ref()
            .map_or(String::new(), |text| format!(",\"reject-reason\":{}", quoted(text)));
        let full = |id: &str| format!("{{\"id\":{id},\"result\":{result},\"error\":{error}{reason}}}\n");
        let line = match style {
            ReplyStyle::Full => full(id),
            ReplyStyle::WithoutError if error == "null" => {
                format!("{{\"id\":{id},\"result\":{result}{reason}}}\n")
            }
            ReplyStyle::WithoutError => full(id),
            ReplyStyle::JsonRpc if error == "null" => {
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}{reason}}}\n")
            }
            ReplyStyle::JsonRpc => format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}{reason}}}\n"),
            ReplyStyle::WrongId => full(&another_id(id)),
            ReplyStyle::Twice => full(id).repeat(2),
        };
        line.into_bytes()
    }
}

/// An id of the same type that no miner is waiting for.
fn another_id(id: &str) -> String {
    match id.parse::<u64>() {
        Ok(number) => number.wrapping_add(1_000_000).to_string(),
        Err(_) => "\"another\"".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_stood() {
        let submit = br#"{"id": 1e1,"method":"mining.submit","params":[ "a" ]}"#;
        let expected =
            Heard::Request { id: Some("1e1"), method: "mining.submit".into(), params: r#"[ "a" ]"# };
        assert_eq!(read(submit), Ok(expected));
        assert_eq!(read(br#"{"id":null,"result":null}"#), Ok(Heard::Reply { id: Some("null") }));
        assert_eq!(read(br#"{"method":null,"error":1}"#), Ok(Heard::Reply { id: None }));
        for bad in [&b"[1]"[..], b"{", b"\xff", b"{\"id\":1}", b"{\"method\":7}", b"{\"id\":1,\"id\":2}"] {
            assert!(read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        assert!(read(&b"[".repeat(100_000)).is_err());
        assert!(read(&[&b"{\"params\":"[..], &b"[".repeat(100_000)].concat()).is_err());
    }

    #[test]
    fn every_answer_is_one_object_a_line() {
        let all = [
            Answering::Good,
            Answering::No,
            Answering::ErrorList,
            Answering::ErrorObject,
            Answering::ErrorText,
            Answering::RejectReason,
            Answering::ErrorJsonRpc,
            Answering::Null,
        ];
        let styles = [ReplyStyle::Full, ReplyStyle::WithoutError, ReplyStyle::JsonRpc, ReplyStyle::Twice];
        for answering in all {
            let answer = Answer::by(answering, || Answer::result("true"), 23, "too \"low\"").unwrap();
            for style in styles {
                let lines = String::from_utf8(answer.lines("7", style)).unwrap();
                assert_eq!(lines.lines().count(), if style == ReplyStyle::Twice { 2 } else { 1 });
                for line in lines.lines() {
                    let value: serde_json::Value = serde_json::from_str(line).unwrap();
                    assert_eq!(value["id"], 7);
                }
            }
        }
        assert_eq!(Answer::by(Answering::Silent, || Answer::result("true"), 23, ""), None);
        let line = Answer::result("true").lines("4", ReplyStyle::WrongId);
        assert_eq!(line, b"{\"id\":1000004,\"result\":true,\"error\":null}\n");
    }
}
