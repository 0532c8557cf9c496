//! What a pool says to a miner, as our own miners read it.
//!
//! Miners of this project connect to any pool, so this reader takes what pools
//! in the field send: errors as arrays, objects or strings, job ids of any
//! text, numbers written as strings.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::hex;
use super::notify::swap_words;
use super::param::Param;
use super::request::present;
use crate::hash::Hash;
use crate::units::Difficulty;

/// A line from a pool.
#[derive(Debug, PartialEq)]
pub enum PoolMessage<'a> {
    /// `mining.notify`
    Job(JobNotice),
    /// `mining.set_difficulty`
    SetDifficulty(Difficulty),
    /// `mining.set_extranonce`
    SetExtranonce {
        /// The pool's part.
        extranonce1: Vec<u8>,
        /// Bytes of the miner's part.
        extranonce2_bytes: usize,
    },
    /// `mining.set_version_mask`
    SetVersionMask(u32),
    /// `client.reconnect`
    Reconnect {
        /// Another host, if one is named.
        host: Option<String>,
        /// Another port, if one is named.
        port: Option<u16>,
        /// Seconds to wait first.
        wait_seconds: u32,
    },
    /// `client.show_message`
    ShowMessage(Cow<'a, str>),
    /// `client.get_version`, with the id to echo.
    GetVersion(Option<&'a str>),
    /// `mining.ping`, with the id to echo.
    Ping(Option<&'a str>),
    /// A method we do not know.
    Unknown(Cow<'a, str>),
    /// The answer to a request.
    Response {
        /// Our id; `None` when it is none of ours.
        id: Option<u64>,
        /// `Ok` with what the pool answered, or its error.
        result: Result<Answer<'a>, WireError>,
    },
}

/// The `result` of a response.
#[derive(Debug, PartialEq)]
pub struct Answer<'a>(Param<'a>);

impl Answer<'_> {
    /// Whether it is `true`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.0 == Param::Bool(true)
    }

    /// As the answer to `mining.subscribe`.
    #[must_use]
    pub fn subscription(&self) -> Option<Subscription> {
        let Param::List(items) = &self.0 else { return None };
        let [subscriptions, extranonce1, extranonce2_bytes, ..] = items.as_slice() else { return None };
        let session = match subscriptions {
            Param::List(pairs) => pairs.iter().find_map(|pair| match pair {
                Param::List(pair) => pair.get(1)?.text().map(str::to_owned),
                _ => None,
            }),
            _ => None,
        };
        Some(Subscription {
            session,
            extranonce1: hex::decode(extranonce1.text()?)?,
            extranonce2_bytes: whole(extranonce2_bytes.number()?)?,
        })
    }

    /// As the answer to `mining.configure`: the granted version mask, if any.
    #[must_use]
    pub fn version_mask(&self) -> Option<u32> {
        (self.0.get("version-rolling") == Some(&Param::Bool(true)))
            .then(|| self.0.get("version-rolling.mask").and_then(Param::hex_u32))?
    }
}

/// What a pool grants to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Names the session for resuming.
    pub session: Option<String>,
    /// The pool's part of the extranonce.
    pub extranonce1: Vec<u8>,
    /// Bytes of the miner's part.
    pub extranonce2_bytes: usize,
}

/// A job as announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobNotice {
    /// To be named in submits, as it came.
    pub id: String,
    /// Hash of the previous block, internal order.
    pub prev_hash: Hash,
    /// Coinbase before the extranonce.
    pub coinb1: Vec<u8>,
    /// Coinbase after it.
    pub coinb2: Vec<u8>,
    /// Siblings of the coinbase in the merkle tree.
    pub branch: Vec<Hash>,
    /// Block version.
    pub version: u32,
    /// Compact network target.
    pub nbits: u32,
    /// ntime to start from.
    pub ntime: u32,
    /// Whether older jobs are void.
    pub clean: bool,
}

/// An error as a pool words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct WireError {
    /// The number; 0 when there is none.
    pub code: i64,
    /// The text.
    pub message: String,
}

/// A line that no miner can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MessageError(String);

#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<Param<'a>>,
    #[serde(borrow, default)]
    result: Option<Param<'a>>,
    #[serde(borrow, default)]
    error: Option<Param<'a>>,
}

/// Reads one line of a pool, without its line feed.
///
/// # Errors
/// When it is no JSON-RPC message, or a known method with unusable parameters.
pub fn parse_message(line: &[u8]) -> Result<PoolMessage<'_>, MessageError> {
    let raw: RawMessage<'_> =
        serde_json::from_slice(line).map_err(|error| MessageError(error.to_string()))?;
    let id = raw.id.map(RawValue::get);
    let Some(method) = raw.method else {
        let result = match raw.error {
            None | Some(Param::Null) => Ok(Answer(raw.result.unwrap_or(Param::Null))),
            Some(error) => Err(wire_error(&error)),
        };
        return Ok(PoolMessage::Response { id: id.and_then(|id| id.parse().ok()), result });
    };
    let params = raw.params.unwrap_or(Param::Null).into_list();
    let unusable = || MessageError(format!("{method} with unusable parameters"));
    Ok(match method.as_ref() {
        "mining.notify" => PoolMessage::Job(job_notice(&params).ok_or_else(unusable)?),
        "mining.set_difficulty" => {
            let value = params.first().and_then(Param::number).and_then(Difficulty::new);
            PoolMessage::SetDifficulty(value.ok_or_else(unusable)?)
        }
        "mining.set_extranonce" => {
            let [extranonce1, bytes, ..] = params.as_slice() else { return Err(unusable()) };
            PoolMessage::SetExtranonce {
                extranonce1: extranonce1.text().and_then(hex::decode).ok_or_else(unusable)?,
                extranonce2_bytes: bytes.number().and_then(whole).ok_or_else(unusable)?,
            }
        }
        "mining.set_version_mask" => {
            PoolMessage::SetVersionMask(params.first().and_then(Param::hex_u32).ok_or_else(unusable)?)
        }
        "client.reconnect" => PoolMessage::Reconnect {
            host: params.first().and_then(Param::text).filter(|host| !host.is_empty()).map(str::to_owned),
            port: params.get(1).and_then(Param::number).and_then(whole).and_then(|port| port.try_into().ok()),
            wait_seconds: params.get(2).and_then(Param::number).map_or(0, |seconds| seconds as u32),
        },
        "client.show_message" => {
            let text = params.into_iter().next().and_then(Param::into_text);
            PoolMessage::ShowMessage(text.unwrap_or_default())
        }
        "client.get_version" | "mining.get_version" => PoolMessage::GetVersion(id),
        "mining.ping" | "client.ping" => PoolMessage::Ping(id),
        _ => PoolMessage::Unknown(method),
    })
}

/// A number that is a small count.
fn whole(value: f64) -> Option<usize> {
    (value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0).then_some(value as usize)
}

fn job_notice(params: &[Param<'_>]) -> Option<JobNotice> {
    let [id, prev_hash, coinb1, coinb2, branch, version, nbits, ntime, clean, ..] = params else {
        return None;
    };
    let Param::List(branch) = branch else { return None };
    let hash = |param: &Param<'_>| -> Option<Hash> { hex::decode(param.text()?)?.try_into().ok() };
    Some(JobNotice {
        id: id.text()?.to_owned(),
        prev_hash: swap_words(&hash(prev_hash)?),
        coinb1: hex::decode(coinb1.text()?)?,
        coinb2: hex::decode(coinb2.text()?)?,
        branch: branch.iter().map(hash).collect::<Option<_>>()?,
        version: version.hex_u32()?,
        nbits: nbits.hex_u32()?,
        ntime: ntime.hex_u32()?,
        clean: *clean == Param::Bool(true),
    })
}

fn wire_error(error: &Param<'_>) -> WireError {
    let (code, message) = match error {
        Param::List(items) => (items.first().and_then(Param::number), items.get(1).and_then(Param::text)),
        Param::Map(_) => {
            (error.get("code").and_then(Param::number), error.get("message").and_then(Param::text))
        }
        other => (None, other.text()),
    };
    WireError {
        code: code.unwrap_or_default() as i64,
        message: message.unwrap_or("an error without a text").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::JobId;
    use crate::stratum::v1::{Command, Dialect, Notify, Reply, SessionToken, write_command};

    #[test]
    fn a_notify_survives_the_wire() {
        for branch_length in [0, 1, 12] {
            let branch: Vec<Hash> = (0..branch_length).map(|n| [n; 32]).collect();
            let prev_hash: Hash = std::array::from_fn(|n| n as u8);
            let notify = Notify::new(&prev_hash, &[1, 2], &[3], &branch, 0x2000_0000, 0x1d00_ffff);
            let mut line = Vec::new();
            notify.write(&mut line, JobId(0xab), 0x6500_0000, true);
            assert_eq!(line.pop(), Some(b'\n'));
            let expected = JobNotice {
                id: "ab".into(),
                prev_hash,
                coinb1: vec![1, 2],
                coinb2: vec![3],
                branch,
                version: 0x2000_0000,
                nbits: 0x1d00_ffff,
                ntime: 0x6500_0000,
                clean: true,
            };
            assert_eq!(parse_message(&line), Ok(PoolMessage::Job(expected)));
        }
    }

    #[test]
    fn replies_survive_the_wire() {
        let mut line = Vec::new();
        let reply =
            Reply::Subscribed { session: SessionToken([9; 16]), extranonce1: &[1, 2], extranonce2_bytes: 8 };
        reply.write(&mut line, Some("2"), Dialect::classic());
        let Ok(PoolMessage::Response { id: Some(2), result: Ok(answer) }) = parse_message(&line) else {
            panic!("not a response")
        };
        let subscription = answer.subscription().unwrap();
        assert_eq!(subscription.session.as_deref(), Some("09".repeat(16).as_str()));
        assert_eq!((subscription.extranonce1.as_slice(), subscription.extranonce2_bytes), (&[1, 2][..], 8));
    }

    #[test]
    fn errors_come_in_every_shape() {
        fn check(error: &str, code: i64, message: &str) {
            let line = format!(r#"{{"id":4,"result":false,"error":{error}}}"#);
            let expected = WireError { code, message: message.into() };
            let expected = PoolMessage::Response { id: Some(4), result: Err(expected) };
            assert_eq!(parse_message(line.as_bytes()), Ok(expected));
        }
        check(r#"[21,"Stale",null]"#, 21, "Stale");
        check(r#"{"code":-32601,"message":"no"}"#, -32601, "no");
        check(r#""Above target""#, 0, "Above target");
        check("7", 0, "an error without a text");
    }

    #[test]
    fn commands_survive_the_wire() {
        fn check(command: &Command, expected: PoolMessage<'_>) {
            let mut line = Vec::new();
            write_command(&mut line, command, 77, (&[0xaa], 4));
            assert_eq!(parse_message(&line), Ok(expected));
        }
        check(
            &Command::SetExtranonce,
            PoolMessage::SetExtranonce { extranonce1: vec![0xaa], extranonce2_bytes: 4 },
        );
        check(&Command::SetVersionMask { mask: 0x2000 }, PoolMessage::SetVersionMask(0x2000));
        check(
            &Command::Reconnect { host: None, port: None, wait_seconds: 0 },
            PoolMessage::Reconnect { host: None, port: None, wait_seconds: 0 },
        );
        check(
            &Command::Reconnect { host: Some("h".into()), port: Some(1), wait_seconds: 2 },
            PoolMessage::Reconnect { host: Some("h".into()), port: Some(1), wait_seconds: 2 },
        );
        check(&Command::ShowMessage { text: "a\"b".into() }, PoolMessage::ShowMessage("a\"b".into()));
        check(&Command::GetVersion, PoolMessage::GetVersion(Some("77")));
        check(&Command::Ping, PoolMessage::Ping(Some("77")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_message(&line);
        }
    }
}
