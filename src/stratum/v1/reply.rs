//! What the pool writes: replies with the id they answer, notifications, commands.
//!
//! Replies are written straight into the connection's buffer. The three most
//! frequent (accepted, rejected, set_difficulty) format nothing but the id.

use std::borrow::Cow;
use std::io::Write as _;

use super::{Dialect, SessionToken, hex};
use crate::event::{Extranonce2, Reject};
use crate::units::Difficulty;

/// The answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply<'a> {
    /// `result: true`.
    True,
    /// `result: false`.
    False,
    /// A refused share.
    Reject(Reject),
    /// A request that cannot be read, and why.
    Malformed(&'a str),
    /// A method this pool does not have.
    UnknownMethod,
    /// To `mining.subscribe`.
    Subscribed {
        /// Names the session for resuming.
        session: SessionToken,
        /// The pool's part of the extranonce.
        extranonce1: &'a [u8],
        /// Bytes of the miner's part.
        extranonce2_bytes: usize,
    },
    /// To `mining.configure`.
    Configured {
        /// The granted mask, or a refusal; `None` when not asked.
        version_mask: Option<Option<u32>>,
        /// Whether the minimum is kept; `None` when not asked.
        minimum_difficulty: Option<bool>,
        /// Whether `mining.set_extranonce` may come; `None` when not asked.
        subscribe_extranonce: Option<bool>,
        /// Whether the miner's info was noted; `None` when not given.
        info: Option<bool>,
        /// Extensions that are refused as unknown.
        unknown: &'a [Cow<'a, str>],
    },
    /// A text, such as `pong` or a version.
    Text(&'a str),
    /// Transactions, each in hexadecimal.
    Transactions(&'a [String]),
}

impl Reply<'_> {
    /// Writes the line. `id` is echoed as it came; without one nothing is written.
    pub fn write(&self, out: &mut Vec<u8>, id: super::Id<'_>, dialect: &Dialect) {
        let Some(id) = id else { return };
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(id.as_bytes());
        match self {
            Self::True => out.extend_from_slice(b",\"result\":true,\"error\":null}\n"),
            Self::False => out.extend_from_slice(b",\"result\":false,\"error\":null}\n"),
            Self::Reject(reject) => {
                let (code, text) = dialect.reject(*reject);
                write_error(out, code, text, dialect, dialect.reject_reason);
            }
            // The dialect's code, but what is wrong in our own words.
            Self::Malformed(what) => {
                write_error(out, dialect.reject(Reject::Malformed).0, what, dialect, false);
            }
            Self::UnknownMethod => {
                let (code, text) = dialect.unknown_method;
                write_error(out, code, text, dialect, false);
            }
            Self::Subscribed { session, extranonce1, extranonce2_bytes } => {
                let session = hex::encode(&session.0);
                put(
                    out,
                    format_args!(
                        ",\"result\":[[[\"mining.set_difficulty\",\"{session}\"],\
                         [\"mining.notify\",\"{session}\"]],\"{}\",{extranonce2_bytes}],\"error\":null}}\n",
                        hex::encode(extranonce1)
                    ),
                );
            }
            Self::Configured { version_mask, minimum_difficulty, subscribe_extranonce, info, unknown } => {
                let mut result = serde_json::Map::new();
                if let Some(mask) = version_mask {
                    result.insert("version-rolling".into(), mask.is_some().into());
                    if let Some(mask) = mask {
                        result.insert("version-rolling.mask".into(), format!("{mask:08x}").into());
                    }
                }
                let flags = [
                    ("minimum-difficulty", minimum_difficulty),
                    ("subscribe-extranonce", subscribe_extranonce),
                    ("info", info),
                ];
                for (name, flag) in flags {
                    if let Some(flag) = flag {
                        result.insert(name.into(), (*flag).into());
                    }
                }
                for name in *unknown {
                    result.insert(name.to_string(), false.into());
                }
                let result = serde_json::Value::from(result);
                put(out, format_args!(",\"result\":{result},\"error\":null}}\n"));
            }
            Self::Text(text) => {
                put(out, format_args!(",\"result\":{},\"error\":null}}\n", quoted(text)));
            }
            Self::Transactions(transactions) => {
                out.extend_from_slice(b",\"result\":[");
                for (index, transaction) in transactions.iter().enumerate() {
                    out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
                    out.extend_from_slice(transaction.as_bytes());
                    out.push(b'"');
                }
                out.extend_from_slice(b"],\"error\":null}\n");
            }
        }
    }
}

/// Writing to a `Vec` cannot fail.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write_error(out: &mut Vec<u8>, code: i16, text: &str, dialect: &Dialect, reject_reason: bool) {
    let text = quoted(text);
    put(
        out,
        format_args!(",\"result\":{},\"error\":[{code},{text},{}]", dialect.failed_result, dialect.traceback),
    );
    if reject_reason {
        put(out, format_args!(",\"reject-reason\":{text}"));
    }
    out.extend_from_slice(b"}\n");
}

/// Writes `mining.set_difficulty`.
pub fn write_set_difficulty(out: &mut Vec<u8>, difficulty: Difficulty) {
    put(
        out,
        format_args!("{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{difficulty}]}}\n"),
    );
}

/// What a pool may tell a miner unasked.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(tag = "method", deny_unknown_fields)]
pub enum Command {
    /// A new extranonce1 from the next job on.
    #[serde(rename = "mining.set_extranonce")]
    SetExtranonce,
    /// Another version mask, at once.
    #[serde(rename = "mining.set_version_mask")]
    SetVersionMask {
        /// Bits the pool leaves to the miner; in JSON in hexadecimal, as on the wire.
        #[serde(deserialize_with = "hexadecimal")]
        mask: u32,
    },
    /// Connect again, here or elsewhere.
    #[serde(rename = "client.reconnect")]
    Reconnect {
        /// Another host; none means this one.
        host: Option<String>,
        /// Another port.
        port: Option<u16>,
        /// Seconds to wait first.
        #[serde(default)]
        wait_seconds: u32,
    },
    /// Show a text to the miner's user.
    #[serde(rename = "client.show_message")]
    ShowMessage {
        /// The text.
        text: String,
    },
    /// Ask what software the miner runs.
    #[serde(rename = "client.get_version")]
    GetVersion,
    /// Ask for a sign of life.
    #[serde(rename = "mining.ping")]
    Ping,
}

fn hexadecimal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = <Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
    let expected = "a mask in hexadecimal such as \"1fffe000\"";
    let unexpected = || serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &expected);
    hex::decode_u32(&text).ok_or_else(unexpected)
}

/// Writes a command. `extranonce` is used by [`Command::SetExtranonce`], the
/// id by those that want an answer.
pub fn write_command(out: &mut Vec<u8>, command: &Command, id: u32, extranonce: (&[u8], usize)) {
    let (id, method, params) = match command {
        Command::SetExtranonce => {
            let (extranonce1, extranonce2_bytes) = extranonce;
            debug_assert!(extranonce2_bytes <= Extranonce2::BYTES_MAX);
            let params = format!("\"{}\",{extranonce2_bytes}", hex::encode(extranonce1));
            (None, "mining.set_extranonce", params)
        }
        Command::SetVersionMask { mask } => (None, "mining.set_version_mask", format!("\"{mask:08x}\"")),
        Command::Reconnect { host, port, wait_seconds } => {
            let params = match (host, port) {
                (None, None) if *wait_seconds == 0 => String::new(),
                (host, port) => {
                    let host = quoted(host.as_deref().unwrap_or_default());
                    format!("{host},{},{wait_seconds}", port.unwrap_or_default())
                }
            };
            (None, "client.reconnect", params)
        }
        Command::ShowMessage { text } => (None, "client.show_message", quoted(text)),
        Command::GetVersion => (Some(id), "client.get_version", String::new()),
        Command::Ping => (Some(id), "mining.ping", String::new()),
    };
    let id = id.map_or_else(|| "null".to_owned(), |id| id.to_string());
    put(out, format_args!("{{\"id\":{id},\"method\":\"{method}\",\"params\":[{params}]}}\n"));
}

#[cfg(test)]
mod tests {
    use super::super::dialect::DIALECTS;
    use super::*;

    fn write(reply: &Reply<'_>, dialect: &str) -> String {
        let mut out = Vec::new();
        reply.write(&mut out, Some("\"x\""), Dialect::named(dialect).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rejects_speak_the_dialect() {
        fn check(dialect: &str, line: &str) {
            assert_eq!(write(&Reply::Reject(Reject::LowDifficulty), dialect).trim_end(), line);
        }
        check("classic", r#"{"id":"x","result":null,"error":[23,"Low difficulty share",null]}"#);
        check(
            "ckpool",
            r#"{"id":"x","result":false,"error":[23,"Above target",null],"reject-reason":"Above target"}"#,
        );
        check("datum", r#"{"id":"x","result":null,"error":[23,"high-hash",null]}"#);
        check("public-pool", r#"{"id":"x","result":null,"error":[23,"Difficulty too low",""]}"#);
    }

    #[test]
    fn every_line_is_one_json_object() {
        let unknown = [Cow::Borrowed("a\"b")];
        let transactions = ["00".to_owned(), "ff".to_owned()];
        let replies = [
            Reply::True,
            Reply::False,
            Reply::Malformed("it says \"no\"\n"),
            Reply::UnknownMethod,
            Reply::Subscribed { session: SessionToken([7; 16]), extranonce1: &[1, 2], extranonce2_bytes: 8 },
            Reply::Configured {
                version_mask: Some(Some(0x1fff_e000)),
                minimum_difficulty: Some(false),
                subscribe_extranonce: Some(true),
                info: None,
                unknown: &unknown,
            },
            Reply::Text("pong"),
            Reply::Transactions(&transactions),
        ];
        for dialect in &DIALECTS {
            let rejects = Reject::ALL.map(Reply::Reject);
            for reply in replies.iter().chain(&rejects) {
                let line = write(reply, dialect.name);
                assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line}");
                let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                assert_eq!(value["id"], "x");
            }
        }
        let mut out = Vec::new();
        Reply::True.write(&mut out, None, Dialect::classic());
        assert!(out.is_empty(), "a request without an id gets no reply");
    }
}
