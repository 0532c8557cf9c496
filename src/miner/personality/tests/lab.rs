//! A scripted pool around a device, in virtual time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::{Device, DeviceAction, DeviceConfig, DeviceEvent, Ending, Quirk};
use crate::hash::{Hash, fold_branch, sha256d, sha256d_header};
use crate::stratum::v1::hex;
use crate::units::{Difficulty, Hashrate, Seconds, Timestamp};

/// Claimed hashes for each real one.
pub(super) const SCALE: f64 = 16_777_216.0;

/// A name that is hard to write.
pub(super) const USER: &str = "who.\"rig\" of the very long name that fits no buffer in any firmware";

/// A difficulty that the device meets twice a second.
pub(super) const EASY: f64 = 1.164;

/// A job of the test pool.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub id: String,
    pub prev_hash: [u8; 32],
    pub coinb1: Vec<u8>,
    pub coinb2: Vec<u8>,
    pub branch: Vec<Hash>,
    pub version: u32,
    pub ntime: u32,
    pub clean: bool,
}

impl Job {
    pub fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            prev_hash: [3; 32],
            coinb1: [vec![1, 0, 0, 0, 1], vec![0; 32], vec![0xff; 4], vec![40], vec![7; 20]].concat(),
            coinb2: vec![9; 100],
            branch: vec![[4; 32], [5; 32]],
            version: 0x2000_0000,
            ntime: 1_700_000_000,
            clean: true,
        }
    }

    pub fn params(&self) -> Value {
        let mut prev_hash = self.prev_hash;
        prev_hash.chunks_mut(4).for_each(<[u8]>::reverse);
        let branch: Vec<String> = self.branch.iter().map(|hash| hex::encode(hash)).collect();
        json!([
            self.id,
            hex::encode(&prev_hash),
            hex::encode(&self.coinb1),
            hex::encode(&self.coinb2),
            branch,
            format!("{:08x}", self.version),
            "17034219",
            format!("{:08x}", self.ntime),
            self.clean
        ])
    }
}

/// A job, and the terms it was sent under.
struct Sent {
    job: Job,
    at: Timestamp,
    extranonce1: Vec<u8>,
    extranonce2_bytes: usize,
    difficulty: f64,
    mask: u32,
}

/// A share as it came.
#[derive(Debug, Clone)]
pub(super) struct Submit {
    pub params: Vec<Value>,
    /// Whether it is as it should be: its proof, and each parameter.
    pub valid: bool,
    pub hash: Hash,
}

impl Submit {
    pub fn text(&self, at: usize) -> &str {
        self.params.get(at).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn bits(&self) -> Option<u32> {
        hex::decode_u32(self.text(5))
    }
}

/// A device and its surroundings.
pub(super) struct Lab {
    user: String,
    pub device: Device,
    pub now: Timestamp,
    /// Whether connections are accepted.
    pub listening: bool,
    /// Whether requests are answered as a good pool does.
    pub answering: bool,
    /// What answers to a method are to hold behind the id; nothing: no answer.
    pub answers: BTreeMap<&'static str, &'static str>,
    /// Granted version bits.
    pub mask: Option<u32>,
    pub extranonce1: Vec<u8>,
    pub extranonce2_bytes: Value,
    /// The difficulty that jobs sent now have.
    pub difficulty: f64,
    jobs: Vec<Sent>,
    pub requests: Vec<Value>,
    pub replies: Vec<Value>,
    pub shares: Vec<Submit>,
    pub connects: Vec<(Timestamp, String, u16)>,
    pub closes: Vec<(Timestamp, Ending)>,
    pub actions: Vec<DeviceAction>,
    said: Vec<u8>,
}

impl Lab {
    pub fn new(quirks: &[Quirk]) -> Self {
        Self::of(USER, quirks)
    }

    /// With a device of this user.
    pub fn of(user: &str, quirks: &[Quirk]) -> Self {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let config = DeviceConfig {
            host: "pool.example".into(),
            port: 3333,
            user: user.into(),
            hashrate: Hashrate::new(1e10).unwrap(),
            claimed_per_real: SCALE,
            quirks: quirks.to_vec(),
            seed: 7,
        };
        Self {
            user: user.into(),
            device: Device::new(config, now),
            now,
            listening: true,
            answering: true,
            answers: BTreeMap::new(),
            mask: Some(0x1fff_e000),
            extranonce1: vec![0xaa; 4],
            extranonce2_bytes: json!(8),
            difficulty: EASY,
            jobs: Vec::new(),
            requests: Vec::new(),
            replies: Vec::new(),
            shares: Vec::new(),
            connects: Vec::new(),
            closes: Vec::new(),
            actions: Vec::new(),
            said: Vec::new(),
        }
    }

    /// A device that is connected and mines job `1`.
    pub fn mining(quirks: &[Quirk]) -> Self {
        let mut lab = Self::new(quirks);
        lab.run(3.0);
        lab.start();
        lab
    }

    /// Sends difficulty and job `1`.
    pub fn start(&mut self) {
        self.set_difficulty(self.difficulty);
        self.notify(&Job::new("1"));
    }

    /// Lets time pass.
    pub fn run(&mut self, seconds: f64) {
        let end = self.now + Seconds(seconds);
        while let Some(wake) = self.device.next_wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.event(DeviceEvent::Tick);
        }
        self.now = end;
    }

    pub fn event(&mut self, event: DeviceEvent<'_>) {
        let mut actions = Vec::new();
        self.device.on(event, self.now, &mut actions);
        self.actions.extend(actions.iter().cloned());
        for action in actions {
            match action {
                DeviceAction::Connect { host, port, .. } => {
                    self.connects.push((self.now, host, port));
                    self.said.clear();
                    self.jobs.clear();
                    self.event(if self.listening { DeviceEvent::Connected } else { DeviceEvent::Refused });
                }
                DeviceAction::Close(ending) => self.closes.push((self.now, ending)),
                DeviceAction::Send(bytes) => self.hear(&bytes),
            }
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.event(DeviceEvent::Received(bytes.as_ref()));
    }

    pub fn line(&mut self, line: &Value) {
        self.send(format!("{line}\n"));
    }

    pub fn tell(&mut self, method: &str, params: Value) {
        self.line(&json!({"id": null, "method": method, "params": params}));
    }

    pub fn set_difficulty(&mut self, difficulty: f64) {
        self.difficulty = difficulty;
        self.tell("mining.set_difficulty", json!([difficulty]));
    }

    pub fn notify(&mut self, job: &Job) {
        self.note(job);
        self.tell("mining.notify", job.params());
    }

    /// Knows a job that is sent by other means.
    pub fn note(&mut self, job: &Job) {
        self.jobs.push(Sent {
            job: job.clone(),
            at: self.now,
            extranonce1: self.extranonce1.clone(),
            extranonce2_bytes: self.extranonce2_bytes.as_u64().unwrap_or(0) as usize,
            difficulty: self.difficulty,
            mask: self.mask.unwrap_or(0),
        });
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.said.extend_from_slice(bytes);
        while let Some(end) = self.said.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.said.drain(..=end).collect();
            let Ok(line) = serde_json::from_slice::<Value>(&line) else {
                self.requests.push(Value::from(String::from_utf8_lossy(&line).into_owned()));
                continue;
            };
            if line["method"].is_string() && line.get("result").is_none() {
                self.request(line);
            } else {
                self.replies.push(line);
            }
        }
    }

    fn request(&mut self, line: Value) {
        let method = line["method"].as_str().unwrap_or_default().to_owned();
        let result = match &*method {
            "mining.submit" => {
                let share = self.share(&line);
                let valid = share.valid;
                self.shares.push(share);
                json!(valid)
            }
            "mining.configure" => match self.mask {
                Some(mask) => json!({"version-rolling": true, "version-rolling.mask": format!("{mask:08x}")}),
                None => json!({"version-rolling": false}),
            },
            "mining.subscribe" => json!([
                [["mining.set_difficulty", "s1"], ["mining.notify", "s1"]],
                hex::encode(&self.extranonce1),
                self.extranonce2_bytes
            ]),
            _ => json!(true),
        };
        let id = line["id"].clone();
        self.requests.push(line);
        if !self.answering {
            return;
        }
        match self.answers.get(&*method) {
            None => self.line(&json!({"id": id, "result": result, "error": null})),
            Some(&"") => {}
            Some(answer) => self.send(format!("{{\"id\":{id},{answer}}}\n")),
        }
    }

    /// Judges a share.
    fn share(&self, line: &Value) -> Submit {
        let params = line["params"].as_array().cloned().unwrap_or_default();
        let mut submit = Submit { params, valid: false, hash: [0; 32] };
        let Some(sent) = self.jobs.iter().rev().find(|sent| sent.job.id == submit.text(1)) else {
            return submit;
        };
        let job = &sent.job;
        let extranonce2 = hex::decode(submit.text(2)).unwrap_or_default();
        let coinbase = [&job.coinb1[..], &sent.extranonce1, &extranonce2, &job.coinb2].concat();
        let bits = submit.bits().unwrap_or(0);
        let ntime = hex::decode_u32(submit.text(3)).unwrap_or(0);
        let header = crate::block::HeaderFields {
            version: job.version & !sent.mask | bits & sent.mask,
            prev_hash: job.prev_hash,
            merkle_root: fold_branch(sha256d(&coinbase), &job.branch),
            ntime,
            nbits: 0x1703_4219,
            nonce: hex::decode_u32(submit.text(4)).unwrap_or(0),
        };
        let hash = sha256d_header(&header.to_bytes());
        let target = Difficulty::new(sent.difficulty).unwrap().scaled(1.0 / SCALE).target();
        let elapsed = self.now.since(sent.at).0 as u32;
        submit.valid = target.is_met_by(&hash)
            && extranonce2.len() == sent.extranonce2_bytes
            && submit.text(0) == self.user
            && submit.text(4).len() == 8
            && (job.ntime..=job.ntime + elapsed).contains(&ntime)
            && bits & !sent.mask == 0;
        submit.hash = hash;
        submit
    }

    /// Requests with this method.
    pub fn asked(&self, method: &str) -> usize {
        self.requests.iter().filter(|line| line["method"] == method).count()
    }

    /// Forgets shares so far; returns the count of those that come in `seconds`, and of the valid ones.
    pub fn count(&mut self, seconds: f64) -> (usize, usize) {
        self.shares.clear();
        self.run(seconds);
        (self.shares.len(), self.shares.iter().filter(|share| share.valid).count())
    }

    /// Whether all shares that come in `seconds` are valid and there are some.
    pub fn is_good(&mut self, seconds: f64) -> bool {
        let (all, valid) = self.count(seconds);
        all > 0 && all == valid
    }

    /// Whether a header came twice.
    pub fn has_duplicates(&self) -> bool {
        let unique: BTreeSet<Hash> = self.shares.iter().map(|share| share.hash).collect();
        unique.len() < self.shares.len()
    }
}
