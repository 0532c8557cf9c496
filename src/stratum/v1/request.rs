//! What a miner asks of a pool.
//!
//! The reader is liberal where the field is: ids of any JSON type are echoed
//! byte for byte, a lone parameter need not be in a list, and a difficulty may
//! be a number or a text. It is strict where leniency would hide a fault: a
//! wrong-length or non-hexadecimal field is named, never padded or cut.

use std::borrow::Cow;
use std::io::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::hex;
use super::param::Param;
use crate::event::{Extranonce2, JobId};
use crate::units::{Difficulty, Target};

/// Longest worker name, in bytes. Whatsminer overflows above 127, so names in use are shorter.
pub const WORKER_BYTES_MAX: usize = 256;

/// The id of a request as it stood in the line; `None` when it had none.
pub type Id<'a> = Option<&'a str>;

/// One line of a miner, understood as far as possible.
#[derive(Debug)]
pub struct Line<'a> {
    /// The id to echo.
    pub id: Id<'a>,
    /// What it asks for, or what is wrong with it.
    pub request: Result<Request<'a>, Malformed>,
}

impl<'a> Line<'a> {
    /// The submission, if it is one.
    #[must_use]
    pub fn submit(&self) -> Option<&Submit<'a>> {
        match &self.request {
            Ok(Request::Submit(submit)) => Some(submit),
            _ => None,
        }
    }
}

/// What is wrong with a line, told to the miner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub Cow<'static, str>);

impl From<&'static str> for Malformed {
    fn from(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }
}

/// A request of a miner.
#[derive(Debug, Clone, PartialEq)]
pub enum Request<'a> {
    /// `mining.subscribe`
    Subscribe {
        /// What the miner calls itself; empty when it does not say.
        user_agent: Cow<'a, str>,
        /// An earlier session it wants to resume.
        session: Option<SessionToken>,
    },
    /// `mining.authorize`
    Authorize {
        /// Worker name.
        worker: Cow<'a, str>,
        /// Password: pools take options from it.
        password: Cow<'a, str>,
    },
    /// `mining.configure` (BIP310)
    Configure(Configure<'a>),
    /// `mining.submit`
    Submit(Submit<'a>),
    /// `mining.suggest_difficulty`
    SuggestDifficulty(Difficulty),
    /// `mining.suggest_target`
    SuggestTarget(Target),
    /// `mining.extranonce.subscribe`
    ExtranonceSubscribe,
    /// `mining.get_transactions`: the transactions of a job
    GetTransactions(Option<JobId>),
    /// `mining.ping` or `client.ping`
    Ping,
    /// `mining.get_version` or `client.get_version`
    GetVersion,
    /// A reply to something the pool asked.
    Reply,
    /// Any other method.
    Unknown(Cow<'a, str>),
}

/// Names a session that can be resumed: hexadecimal on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionToken(pub [u8; 16]);

/// The extensions that a miner asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Configure<'a> {
    /// `version-rolling`
    pub version_rolling: Option<VersionRolling>,
    /// `minimum-difficulty`: the value, when there is a usable one.
    pub minimum_difficulty: Option<Option<Difficulty>>,
    /// `subscribe-extranonce`
    pub subscribe_extranonce: bool,
    /// `info`
    pub info: bool,
    /// Extensions nobody here knows.
    pub unknown: Vec<Cow<'a, str>>,
}

/// Parameters of `version-rolling`. `min-bit-count` is required by BIP310 but
/// left out by most firmware, so it is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRolling {
    /// Bits the miner could roll.
    pub mask: u32,
}

/// A share as submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Submit<'a> {
    /// Worker name.
    pub worker: Cow<'a, str>,
    /// The job it names; `None` when that is no id we could have given.
    pub job: Option<JobId>,
    /// extranonce2; `None` when longer than any we announce.
    pub extranonce2: Option<Extranonce2>,
    /// ntime.
    pub ntime: u32,
    /// Nonce.
    pub nonce: u32,
    /// BIP310 version bits, when sent.
    pub version_bits: Option<u32>,
}

#[derive(Deserialize)]
struct RawLine<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<Param<'a>>,
    #[serde(borrow, default)]
    params: Option<Param<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Keeps `null` apart from absent: a null id is echoed.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Reads one line, without its line feed.
#[must_use]
pub fn parse_line(line: &[u8]) -> Line<'_> {
    match serde_json::from_slice::<RawLine<'_>>(line) {
        Ok(raw) => Line { id: raw.id.map(RawValue::get), request: parse_request(raw) },
        Err(error) => {
            let what = format!("not a JSON-RPC request: {error}");
            Line { id: None, request: Err(Malformed(Cow::Owned(what))) }
        }
    }
}

fn parse_request(raw: RawLine<'_>) -> Result<Request<'_>, Malformed> {
    let Some(method) = raw.method else {
        let is_reply = raw.result.is_some() || raw.error.is_some();
        return if is_reply { Ok(Request::Reply) } else { Err("the request has no method".into()) };
    };
    let method = method.into_text().ok_or(Malformed("method is not a string".into()))?;
    let params = raw.params.unwrap_or(Param::Null);
    match method.as_ref() {
        "mining.submit" => parse_submit(params).map(Request::Submit),
        "mining.subscribe" => Ok(parse_subscribe(params)),
        "mining.authorize" | "mining.auth" => parse_authorize(params),
        "mining.configure" => parse_configure(params).map(Request::Configure),
        "mining.suggest_difficulty" => parse_suggest_difficulty(&params).map(Request::SuggestDifficulty),
        "mining.suggest_target" => parse_suggest_target(params).map(Request::SuggestTarget),
        "mining.extranonce.subscribe" => Ok(Request::ExtranonceSubscribe),
        "mining.get_transactions" => {
            let job = params.into_list().first().and_then(Param::hex_u32).map(JobId);
            Ok(Request::GetTransactions(job))
        }
        "mining.ping" | "client.ping" | "ping" => Ok(Request::Ping),
        "mining.get_version" | "client.get_version" => Ok(Request::GetVersion),
        _ => Ok(Request::Unknown(method)),
    }
}

fn parse_subscribe(params: Param<'_>) -> Request<'_> {
    let mut params = params.into_list().into_iter();
    let user_agent = params.next().and_then(Param::into_text).unwrap_or_default();
    let session = params.next().and_then(|token| {
        let mut bytes = [0; 16];
        (hex::decode_into(token.text()?, &mut bytes)? == bytes.len()).then_some(SessionToken(bytes))
    });
    Request::Subscribe { user_agent, session }
}

fn parse_authorize(params: Param<'_>) -> Result<Request<'_>, Malformed> {
    let mut params = params.into_list().into_iter();
    let worker = worker_name(params.next())?;
    let password = params.next().and_then(Param::into_text).unwrap_or_default();
    Ok(Request::Authorize { worker, password })
}

fn worker_name(param: Option<Param<'_>>) -> Result<Cow<'_, str>, Malformed> {
    let name = param.and_then(Param::into_text).ok_or(Malformed("No username".into()))?;
    if name.is_empty() {
        return Err("Empty username".into());
    }
    if name.len() > WORKER_BYTES_MAX {
        return Err("Username too long".into());
    }
    Ok(name)
}

fn parse_submit(params: Param<'_>) -> Result<Submit<'_>, Malformed> {
    let Param::List(params) = params else { return Err("Params not array".into()) };
    if !(5..=6).contains(&params.len()) {
        return Err("Invalid array size".into());
    }
    let mut params = params.into_iter();
    let worker = worker_name(params.next())?;
    let mut text = |missing: &'static str| params.next().and_then(Param::into_text).ok_or(missing);
    let job = text("No job_id")?;
    let extranonce2 = text("No nonce2")?;
    let ntime = text("No ntime")?;
    let nonce = text("No nonce")?;
    let version_bits = match params.next() {
        None | Some(Param::Null) => None,
        Some(bits) => Some(bits.hex_u32().ok_or("version bits are not 8 hexadecimal digits")?),
    };
    let mut bytes = [0; Extranonce2::BYTES_MAX];
    let extranonce2 = if extranonce2.len() > 2 * bytes.len() {
        None
    } else {
        let length = hex::decode_into(&extranonce2, &mut bytes).ok_or("nonce2 is not hexadecimal")?;
        Extranonce2::new(&bytes[..length])
    };
    Ok(Submit {
        worker,
        job: hex::decode_u32(&job).map(JobId),
        extranonce2,
        ntime: hex::decode_u32(&ntime).ok_or("ntime is not 8 hexadecimal digits")?,
        nonce: hex::decode_u32(&nonce).ok_or("nonce is not 8 hexadecimal digits")?,
        version_bits,
    })
}

/// `[512]`, `512`, `["512"]`, `"512"` and `{"difficulty": 512}` are all in use.
fn parse_suggest_difficulty(params: &Param<'_>) -> Result<Difficulty, Malformed> {
    let value = match params {
        Param::List(list) => list.first(),
        Param::Map(_) => params.get("difficulty"),
        lone => Some(lone),
    };
    value
        .and_then(Param::number)
        .and_then(Difficulty::new)
        .ok_or_else(|| "suggested difficulty is not a number above 0".into())
}

fn parse_suggest_target(params: Param<'_>) -> Result<Target, Malformed> {
    let params = params.into_list();
    let mut bytes = [0; 32];
    let text = params.first().and_then(Param::text).unwrap_or_default();
    if hex::decode_into(text, &mut bytes) != Some(32) {
        return Err("suggested target is not 64 hexadecimal digits".into());
    }
    Ok(Target::from_be_bytes(bytes))
}

fn parse_configure(params: Param<'_>) -> Result<Configure<'_>, Malformed> {
    let mut params = params.into_list().into_iter();
    let Some(Param::List(names)) = params.next() else {
        return Err("the first parameter is not the list of extensions".into());
    };
    let options = params.next().unwrap_or(Param::Null);
    let mut configure = Configure::default();
    for name in names {
        let name = name.into_text().ok_or(Malformed("an extension's name is not a string".into()))?;
        match name.as_ref() {
            "version-rolling" => {
                // A mask left out, or one that cannot be read, offers every bit.
                let mask = options.get("version-rolling.mask").and_then(Param::hex_u32);
                configure.version_rolling = Some(VersionRolling { mask: mask.unwrap_or(u32::MAX) });
            }
            "minimum-difficulty" => {
                let value = options.get("minimum-difficulty.value").and_then(Param::number);
                configure.minimum_difficulty = Some(value.and_then(Difficulty::new));
            }
            "subscribe-extranonce" => configure.subscribe_extranonce = true,
            "info" => configure.info = true,
            _ => configure.unknown.push(name),
        }
    }
    Ok(configure)
}

/// Writes a request as our own miners send it, with a line feed.
pub fn write_request(out: &mut Vec<u8>, id: u64, request: &Request<'_>) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (method, params) = match request {
        Request::Subscribe { user_agent, session } => {
            let session = session.map(|token| format!(",\"{}\"", hex::encode(&token.0)));
            ("mining.subscribe", format!("{}{}", quoted(user_agent), session.unwrap_or_default()))
        }
        Request::Authorize { worker, password } => {
            ("mining.authorize", format!("{},{}", quoted(worker), quoted(password)))
        }
        Request::Configure(configure) => ("mining.configure", configure_params(configure)),
        Request::Submit(submit) => {
            let job = submit.job.map(|job| job.to_string()).unwrap_or_default();
            return write_submit(out, id, &job, submit);
        }
        Request::SuggestDifficulty(difficulty) => ("mining.suggest_difficulty", difficulty.to_string()),
        Request::SuggestTarget(target) => ("mining.suggest_target", format!("\"{target}\"")),
        Request::ExtranonceSubscribe => ("mining.extranonce.subscribe", String::new()),
        Request::GetTransactions(job) => {
            let job = job.map(|job| format!("\"{job}\""));
            ("mining.get_transactions", job.unwrap_or_default())
        }
        Request::Ping => ("mining.ping", String::new()),
        Request::GetVersion => ("mining.get_version", String::new()),
        Request::Unknown(method) => (method.as_ref(), String::new()),
        Request::Reply => return,
    };
    let _ = writeln!(out, "{{\"id\":{id},\"method\":\"{method}\",\"params\":[{params}]}}");
}

/// Writes a submit that names its job in the pool's own words.
///
/// `submit.job` is not looked at: other pools use other ids than ours.
pub fn write_submit(out: &mut Vec<u8>, id: u64, job: &str, submit: &Submit<'_>) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let extranonce2 = submit.extranonce2.map(|nonce2| hex::encode(nonce2.as_bytes())).unwrap_or_default();
    let _ = write!(
        out,
        "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[{},{},\"{extranonce2}\",\"{:08x}\",\"{:08x}\"",
        quoted(&submit.worker),
        quoted(job),
        submit.ntime,
        submit.nonce
    );
    if let Some(bits) = submit.version_bits {
        let _ = write!(out, ",\"{bits:08x}\"");
    }
    out.extend_from_slice(b"]}\n");
}

fn configure_params(configure: &Configure<'_>) -> String {
    let mut names = Vec::new();
    let mut options = serde_json::Map::new();
    if let Some(rolling) = configure.version_rolling {
        names.push("version-rolling");
        options.insert("version-rolling.mask".into(), format!("{:08x}", rolling.mask).into());
        options.insert("version-rolling.min-bit-count".into(), rolling.mask.count_ones().min(2).into());
    }
    if let Some(value) = configure.minimum_difficulty {
        names.push("minimum-difficulty");
        options.insert("minimum-difficulty.value".into(), value.map(Difficulty::get).into());
    }
    if configure.subscribe_extranonce {
        names.push("subscribe-extranonce");
    }
    if configure.info {
        names.push("info");
    }
    names.extend(configure.unknown.iter().map(AsRef::as_ref));
    format!("{},{}", serde_json::Value::from(names), serde_json::Value::from(options))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Request<'_>, String> {
        parse_line(line.as_bytes()).request.map_err(|malformed| malformed.to_string())
    }

    #[test]
    fn ids_of_any_type_are_kept_byte_for_byte() {
        fn check(line: &str, id: Id<'_>) {
            assert_eq!(parse_line(line.as_bytes()).id, id, "{line}");
        }
        check(r#"{"id":1,"method":"mining.ping"}"#, Some("1"));
        check(r#"{"id":"a\"b","method":"mining.ping"}"#, Some(r#""a\"b""#));
        check(r#"{"id":null,"method":"mining.ping"}"#, Some("null"));
        check(r#"{"id":9007199254740993,"method":"x"}"#, Some("9007199254740993"));
        check(r#"{"id":[1, 2],"method":"x"}"#, Some("[1, 2]"));
        check(r#"{"method":"mining.ping"}"#, None);
    }

    #[test]
    fn suggestions_come_in_many_forms() {
        fn check(params: &str, value: Option<f64>) {
            let line = format!(r#"{{"id":3,"method":"mining.suggest_difficulty","params":{params}}}"#);
            let expected = value.map(|value| Request::SuggestDifficulty(Difficulty::new(value).unwrap()));
            assert_eq!(parse(&line).ok(), expected, "{params}");
        }
        check("[512]", Some(512.0));
        check("512", Some(512.0));
        check("[0.00015]", Some(0.000_15));
        check(r#"["0.001"]"#, Some(0.001));
        check(r#""64""#, Some(64.0));
        check(r#"{"difficulty":4}"#, Some(4.0));
        check("[0]", None);
        check("[-1]", None);
        check("[]", None);
        check("null", None);
    }

    #[test]
    fn submits_are_read_exactly() {
        fn check(params: &str, expected: Result<Submit<'_>, &str>) {
            let line = format!(r#"{{"id":4,"method":"mining.submit","params":{params}}}"#);
            assert_eq!(parse(&line), expected.map(Request::Submit).map_err(str::to_owned), "{params}");
        }
        let submit = Submit {
            worker: "w".into(),
            job: Some(JobId(0x1f)),
            extranonce2: Extranonce2::new(&[0, 1]),
            ntime: 0x6500_0000,
            nonce: 0xdead_beef,
            version_bits: None,
        };
        check(r#"["w","1f","0001","65000000","deadbeef"]"#, Ok(submit.clone()));
        check(
            r#"["w","1f","0001","65000000","deadbeef","00002000"]"#,
            Ok(Submit { version_bits: Some(0x2000), ..submit.clone() }),
        );
        check(r#"["w","zz","0001","65000000","deadbeef"]"#, Ok(Submit { job: None, ..submit.clone() }));
        let long = format!(r#"["w","1f","{}","65000000","deadbeef"]"#, "00".repeat(33));
        check(&long, Ok(Submit { extranonce2: None, ..submit }));
        check(r#"["w","1f","000","65000000","deadbeef"]"#, Err("nonce2 is not hexadecimal"));
        check(r#"["w","1f","0001","65000000"]"#, Err("Invalid array size"));
        check(r#"["w","1f","0001",1,"deadbeef"]"#, Err("No ntime"));
        check(r#"[null,"1f","0001","65000000","deadbeef"]"#, Err("No username"));
        check(r#"{"user":"w"}"#, Err("Params not array"));
    }

    #[test]
    fn configure_needs_no_min_bit_count() {
        let line = r#"{"id":1,"method":"mining.configure","params":[["version-rolling","minimum-difficulty","x"],
            {"version-rolling.mask":"1fffe000","minimum-difficulty.value":2048}]}"#;
        let Ok(Request::Configure(configure)) = parse(line) else { panic!("not a configure") };
        assert_eq!(configure.version_rolling, Some(VersionRolling { mask: 0x1fff_e000 }));
        assert_eq!(configure.minimum_difficulty, Some(Difficulty::new(2048.0)));
        assert_eq!(configure.unknown, ["x"]);
    }

    #[test]
    fn faults_are_named_and_keep_the_id() {
        fn check(line: &str, id: Id<'_>, fault: &str) {
            let parsed = parse_line(line.as_bytes());
            assert_eq!(parsed.id, id, "{line}");
            assert_eq!(parsed.request.unwrap_err().to_string(), fault, "{line}");
        }
        check(r#"{"id":1,"method":null}"#, Some("1"), "method is not a string");
        check(r#"{"id":1}"#, Some("1"), "the request has no method");
        check(r#"{"id":1,"method":"mining.authorize","params":[]}"#, Some("1"), "No username");
        assert!(parse_line(b"[1,2]").request.is_err());
        assert!(parse_line(b"{\"id\":1,").request.is_err());
        assert!(parse_line(&[0xff, 0xfe]).request.is_err());
        assert!(parse_line("[".repeat(10_000).as_bytes()).request.is_err());
    }

    proptest! {
        #[test]
        fn what_we_write_we_read(
            worker in "[ -~é]{1,40}",
            job in any::<u32>(),
            extranonce2 in prop::collection::vec(any::<u8>(), 0..=32),
            ntime in any::<u32>(),
            nonce in any::<u32>(),
            version_bits in any::<Option<u32>>(),
        ) {
            let submit = Submit {
                worker: worker.into(),
                job: Some(JobId(job)),
                extranonce2: Extranonce2::new(&extranonce2),
                ntime, nonce, version_bits,
            };
            let request = Request::Submit(submit);
            let mut line = Vec::new();
            write_request(&mut line, 7, &request);
            let parsed = parse_line(&line);
            prop_assert_eq!(parsed.id, Some("7"));
            prop_assert_eq!(parsed.request.unwrap(), request);
        }

        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_line(&line);
        }
    }
}
