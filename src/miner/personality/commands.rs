//! What the lines of a pool mean to a device.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Quirk;
use super::device::{Device, Ending};
use super::session::{AGENT, Early};
use crate::stratum::v1::{Dialect, JobNotice, PoolMessage, Reply, hex, parse_message};
use crate::units::{Seconds, Timestamp};

/// The longest name of a job that is echoed with every share.
const JOB_ID_BYTES_MAX: usize = 256;

/// Where a notify has hexadecimal.
const HEXADECIMAL: [usize; 6] = [1, 2, 3, 5, 6, 7];

/// A line before anybody made sense of it.
#[derive(Debug)]
pub(super) struct Raw<'a> {
    /// As it stands; `None` for `null` too: nobody waits for a reply to that.
    pub id: Option<&'a str>,
    pub all: Value,
}

impl<'a> Raw<'a> {
    /// `None` when it is no JSON object.
    fn read(line: &'a [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Id<'a> {
            #[serde(borrow, default)]
            id: Option<&'a RawValue>,
        }
        let all: Value = serde_json::from_slice(line).ok()?;
        let Id { id } = serde_json::from_slice(line).ok().filter(|_| all.is_object())?;
        Some(Self { id: id.map(RawValue::get), all })
    }

    pub fn method(&self) -> &str {
        self.all["method"].as_str().unwrap_or_default()
    }

    /// The parameters, where they are a list.
    pub fn list(&self) -> &[Value] {
        self.all["params"].as_array().map_or(&[], Vec::as_slice)
    }

    fn text(&self, at: usize) -> Option<&str> {
        self.list().get(at)?.as_str()
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Device {
    /// Takes a line. One that makes no sense is skipped.
    pub(super) fn on_line(&mut self, line: &[u8], now: Timestamp) {
        if self.crashes_at_bytes(line) {
            return self.crash(now);
        }
        let misread = self.misread(line);
        let line = misread.as_deref().unwrap_or(line);
        let Some(raw) = Raw::read(line) else {
            if self.has(Quirk::BadJsonCrash) {
                self.crash(now);
            } else if self.has(Quirk::BadJsonFatal) {
                self.leave(Ending::Fin, now);
            }
            return;
        };
        if self.crashes_at(&raw) {
            return self.crash(now);
        }
        match parse_message(line) {
            Ok(message) => self.on_message(message, &raw, now),
            Err(_) => self.on_unusable(&raw, now),
        }
    }

    fn on_message(&mut self, message: PoolMessage<'_>, raw: &Raw<'_>, now: Timestamp) {
        let is_response = matches!(message, PoolMessage::Response { .. });
        if !is_response && self.session.extranonce.is_none() && self.has(Quirk::EarlyMessagesLost) {
            return;
        }
        match message {
            PoolMessage::Job(notice) => self.on_notify(notice, raw, now),
            PoolMessage::SetDifficulty(difficulty) => self.on_difficulty(difficulty, raw, now),
            PoolMessage::SetExtranonce { extranonce1, extranonce2_bytes } => {
                self.on_extranonce(extranonce1, extranonce2_bytes, now);
            }
            PoolMessage::SetVersionMask(mask) => self.set_mask(Some(mask), now),
            PoolMessage::Reconnect { host, port, wait_seconds } => {
                self.on_reconnect(host.as_deref(), port, wait_seconds, raw, now);
            }
            // Shown to the user, control characters taken out; nothing of that is on the wire.
            PoolMessage::ShowMessage(_) => self.reply(raw.id, &Reply::True),
            PoolMessage::GetVersion(id) => self.reply(id, &Reply::Text(AGENT)),
            PoolMessage::Ping(Some(id)) if self.has(Quirk::PongAsRequest) => {
                let line = format!("{{\"id\":{id},\"method\":\"pong\",\"params\":[]}}\n");
                self.outbox.push(line.as_bytes());
            }
            PoolMessage::Ping(id) => self.reply(id, &Reply::Text("pong")),
            PoolMessage::Unknown(_) => self.on_unknown(raw.id, now),
            PoolMessage::Response { result, .. } => self.on_response(raw, result, now),
        }
    }

    /// Takes a line that is JSON, but no message that anyone can use.
    fn on_unusable(&mut self, raw: &Raw<'_>, now: Timestamp) {
        match raw.method() {
            "mining.set_difficulty" => self.on_odd_difficulty(raw, now),
            // To ignore an impossible size would mean shares under terms that hold no more.
            "mining.set_extranonce"
                if raw.text(0).and_then(hex::decode).is_some()
                    && raw.list()[1..].iter().any(Value::is_number) =>
            {
                self.leave(Ending::Fin, now);
            }
            _ => {}
        }
    }

    fn reply(&mut self, id: Option<&str>, reply: &Reply<'_>) {
        let is_number = id.is_some_and(|id| id.parse::<f64>().is_ok());
        let id = if !is_number && self.has(Quirk::ReplyIdZero) { id.map(|_| "0") } else { id };
        if !self.has(Quirk::RequestsIgnored) {
            let mut line = Vec::new();
            reply.write(&mut line, id, Dialect::classic());
            self.outbox.push(&line);
        }
    }

    fn on_unknown(&mut self, id: Option<&str>, now: Timestamp) {
        if !self.session.authorized && self.has(Quirk::StrayLineFatal) {
            return self.leave(Ending::Fin, now);
        }
        if let Some(id) = id.filter(|_| !self.has(Quirk::RequestsIgnored)) {
            let line =
                format!("{{\"id\":{id},\"result\":null,\"error\":[-32601,\"Method not found\",null]}}\n");
            self.outbox.push(line.as_bytes());
        }
    }

    fn on_notify(&mut self, mut notice: JobNotice, raw: &Raw<'_>, now: Timestamp) {
        let Some(clean) = clean_flag(raw.list()) else { return };
        notice.clean = clean;
        if notice.id.len() > JOB_ID_BYTES_MAX || self.refuses(&notice, raw) {
            return;
        }
        let difficulty = self.job_difficulty();
        if self.is_ready() {
            self.new_job(notice, difficulty, now, now);
        } else {
            self.session.early = Some(Early { notice, difficulty, received: now });
        }
    }

    /// Whether it leaves a sound job alone.
    fn refuses(&mut self, notice: &JobNotice, raw: &Raw<'_>) -> bool {
        let is_number = notice.id.len() <= 16 && hex::decode(&notice.id.repeat(2)).is_some();
        self.has(Quirk::NineParamsOnly) && raw.list().len() != 9
            || self.has(Quirk::JobIdHexOnly) && (notice.id.is_empty() || !is_number)
            || self.has(Quirk::EmptyBranchRefused) && notice.branch.is_empty()
            || self.has(Quirk::ExtranonceInScriptOnly) && !is_in_script(&notice.coinb1)
    }

    /// Only the host that the user named is trusted; another port of it is fine.
    fn on_reconnect(
        &mut self,
        host: Option<&str>,
        port: Option<u16>,
        wait_seconds: u32,
        raw: &Raw<'_>,
        now: Timestamp,
    ) {
        let (own, own_port) = (self.config.host.clone(), self.config.port);
        if self.has(Quirk::ReconnectIgnored) {
            return;
        }
        if self.has(Quirk::ReconnectHome) {
            return self.move_to(None, Seconds(0.0), now);
        }
        if self.has(Quirk::ReconnectPortWraps)
            && let Some(port) = raw.list().get(1).and_then(Value::as_i64)
        {
            return self.settle_at(host.unwrap_or(&own).to_owned(), port as u16, now);
        }
        let behind_dot = |host: &str| host.split_once('.').map(|(_, rest)| rest.to_owned());
        let trusted = host.is_none_or(|host| {
            host.eq_ignore_ascii_case(&own)
                || self.has(Quirk::ReconnectAnywhere)
                || self.has(Quirk::ReconnectSuffix) && behind_dot(host) == behind_dot(&own)
        });
        if !trusted {
            return;
        }
        let wait = Seconds(f64::from(wait_seconds));
        if self.has(Quirk::ReconnectWaitObeyed) {
            return self.wait_for(wait, now);
        }
        let place = (host.unwrap_or(&own).to_owned(), port.filter(|port| *port != 0).unwrap_or(own_port));
        self.move_to(Some(place), wait, now);
    }

    fn crashes_at_bytes(&self, line: &[u8]) -> bool {
        let depth = || {
            line.iter().fold((0_i32, 0), |(depth, deepest), byte| {
                let depth =
                    depth + i32::from(matches!(byte, b'[' | b'{')) - i32::from(matches!(byte, b']' | b'}'));
                (depth, deepest.max(depth))
            })
        };
        self.has(Quirk::BadTextCrash) && std::str::from_utf8(line).is_err()
            || self.has(Quirk::NestingCrash) && depth().1 > 1_000
    }

    fn crashes_at(&self, raw: &Raw<'_>) -> bool {
        let is_response = raw.all.get("result").is_some() || raw.all.get("error").is_some();
        let list = raw.list();
        let asked = raw.id.is_some() && !is_response;
        match raw.method() {
            "" => self.has(Quirk::MethodNullCrash) && !is_response,
            "mining.notify" => self.crashes_at_notify(raw),
            "mining.multi_version" => self.has(Quirk::MultiVersionCrash) && list.len() > 4,
            "mining.set_version_mask" => self.has(Quirk::EarlyMaskCrash) && !self.session.authorized,
            "mining.set_extranonce" => {
                self.has(Quirk::UnsolicitedExtranonceCrash) && !self.session.extranonce_subscribed
            }
            "client.reconnect" => {
                self.has(Quirk::ReconnectHostCrash) && raw.text(0).is_some_and(|host| host.len() > 255)
            }
            "client.show_message" => {
                let text = raw.text(0).unwrap_or_default();
                self.has(Quirk::MessageCrash) && (text.len() > 1_024 || text.contains('%'))
                    || self.has(Quirk::RequestCrash) && asked
            }
            _ => self.has(Quirk::RequestCrash) && asked,
        }
    }

    fn crashes_at_notify(&self, raw: &Raw<'_>) -> bool {
        let is_typed = (0..8).all(|at| match raw.list().get(at) {
            Some(param) if at == 4 => param.is_array(),
            Some(param) => param.is_string(),
            None => false,
        });
        let is_odd = HEXADECIMAL.iter().any(|at| raw.text(*at).is_some_and(|text| text.len() % 2 == 1));
        let exponent = raw.text(6).and_then(hex::decode_u32).unwrap_or(0x1d00_0000) >> 24;
        self.has(Quirk::NotifyTypeCrash) && !is_typed
            || self.has(Quirk::OddHexCrash) && is_odd
            || self.has(Quirk::NbitsCrash) && !(3..=32).contains(&exponent)
    }

    /// The line as it reads it, where that is not as it stands.
    fn misread(&self, line: &[u8]) -> Option<Vec<u8>> {
        let is_notify = line.windows(13).any(|part| part == b"mining.notify");
        (is_notify && self.has(Quirk::UpperHexMisread)).then(|| {
            let digit = |byte: &u8| if matches!(byte, b'A'..=b'F') { b'0' } else { *byte };
            line.iter().map(digit).collect()
        })
    }
}

/// The clean flag of a notify whose numbers have the digits they should have.
///
/// Some pools send a tenth parameter before the flag, others behind it: it is
/// the last one if that is a flag, else the ninth.
fn clean_flag(params: &[Value]) -> Option<bool> {
    let eight_digits = |at: usize| params.get(at).and_then(Value::as_str).is_some_and(|hex| hex.len() == 8);
    if !(5..=7).all(eight_digits) {
        return None;
    }
    params.last().and_then(Value::as_bool).or_else(|| params.get(8)?.as_bool())
}

/// Whether a coinbase's first part ends within the script of its input: behind
/// version, count, outpoint and the script's length in one byte.
fn is_in_script(coinb1: &[u8]) -> bool {
    coinb1.get(41).is_some_and(|length| coinb1.len() <= 42 + usize::from(*length))
}
