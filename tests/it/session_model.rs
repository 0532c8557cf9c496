//! A miner's model of a pool session, driven by arbitrary bytes.
//!
//! The bytes choose steps: valid and invalid messages, shares good and bad, new
//! work, new tips, time, commands, reconnects. After each the model checks what
//! the session wrote against what a miner can know by itself, with the
//! `bitcoin` crate's hashing instead of ours. The property test and the fuzz
//! target `session_inputs` both run it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use adit::block::{CoinbaseSpec, Limits, Template};
use adit::event::{CloseReason, ConnectionId, Event};
use adit::pool::{Output, Pool, PoolSettings, Session, Work};
use adit::stratum::v1::Command;
use adit::units::{Difficulty, Seconds, Timestamp};
use bitcoin::hashes::{Hash as _, sha256d};
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

/// Takes decisions from bytes, zero when they run out.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.max(1)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A job as the miner received it, with the terms in force then.
#[derive(Clone)]
struct SeenJob {
    params: Value,
    difficulty: f64,
    extranonce1: Vec<u8>,
    extranonce2_bytes: usize,
}

/// A submission, with what makes its header.
#[derive(Clone)]
struct Submission {
    line: String,
    job: SeenJob,
    extranonce2: Vec<u8>,
    ntime: u32,
    nonce: u32,
    bits: Option<u32>,
}

struct Model {
    pool: Arc<Pool>,
    session: Session,
    now: Timestamp,
    tip: u8,
    works: u32,
    next_id: u64,
    session_token: Option<String>,
    extranonce: (Vec<u8>, usize),
    difficulty: f64,
    mask: u32,
    /// The mask before the last change, and when that was.
    mask_before: Option<(u32, Timestamp)>,
    negotiated: bool,
    jobs: Vec<SeenJob>,
    credited: BTreeSet<[u8; 32]>,
    last: Option<Submission>,
    connections: u64,
    verdicts: BTreeMap<&'static str, usize>,
}

/// Runs the steps that `bytes` choose and counts the verdicts by their names.
/// Panics when an invariant breaks.
pub fn run(bytes: &[u8]) -> BTreeMap<&'static str, usize> {
    let mut choices = Choices(bytes);
    let settings = PoolSettings {
        difficulty_initial: Difficulty::MIN,
        extranonce1_bytes: 2 + choices.below(7),
        extranonce2_bytes: 1 + choices.below(8),
        ..PoolSettings::default()
    };
    let pool = Arc::new(Pool::new(settings, [choices.byte(); 32]));
    let session = Session::new(pool.clone(), ConnectionId(1), START);
    let mut model = Model {
        pool,
        session,
        now: START,
        tip: 1,
        works: 0,
        next_id: 1,
        session_token: None,
        extranonce: (Vec::new(), 0),
        difficulty: f64::NAN,
        mask: 0,
        mask_before: None,
        negotiated: false,
        jobs: Vec::new(),
        credited: BTreeSet::new(),
        last: None,
        connections: 1,
        verdicts: BTreeMap::new(),
    };
    while !choices.is_empty() {
        model.step(&mut choices);
    }
    model.verdicts
}

impl Model {
    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(16) {
            0 => {
                let token = self.session_token.clone().filter(|_| choices.byte().is_multiple_of(2));
                let params = token.map_or_else(|| json!(["model"]), |token| json!(["model", token]));
                self.request("mining.subscribe", params);
            }
            1 => self.request("mining.authorize", json!([format!("w{}", choices.below(3)), "region=ET"])),
            2 => {
                let mask = [0x1fff_e000u32, 0xffff_ffff, 0x0000_e000, 0][choices.below(4)];
                let minimum = [1e-9, 2e-9, -1.0][choices.below(3)];
                let names = json!(["version-rolling", "minimum-difficulty", "subscribe-extranonce", "zzz"]);
                let options = json!({
                    "version-rolling.mask": format!("{mask:08x}"),
                    "minimum-difficulty.value": minimum,
                });
                self.request("mining.configure", json!([names, options]));
            }
            3 => {
                let value = [json!(1e-9), json!(4e-9), json!("2e-9"), json!(-1), json!(1e300)];
                self.request("mining.suggest_difficulty", json!([value[choices.below(5)]]));
            }
            4 => self.request("mining.extranonce.subscribe", json!([])),
            5 => self.request("mining.get_transactions", json!([format!("{:x}", choices.below(20))])),
            6 => self.work(choices.byte().is_multiple_of(2)),
            7 => {
                self.now = self.now + Seconds(f64::from(choices.byte()) / 16.0);
                let mut out = Output::default();
                self.session.on_tick(self.now, &mut out);
                self.absorb(&out, None);
            }
            8 => self.command(choices),
            9 => self.raw(choices),
            10 => self.reconnect(),
            11 => {
                if let Some(last) = self.last.clone() {
                    self.submit(last);
                }
            }
            _ => self.share(choices),
        }
    }

    fn work(&mut self, new_tip: bool) {
        self.works += 1;
        self.tip = self.tip.wrapping_add(u8::from(new_tip));
        let seconds = self.now.unix_seconds() as u32;
        let template = Template {
            height: 100 + u32::from(self.tip),
            prev_hash: [self.tip; 32],
            version: 0x2000_0000,
            nbits: 0x1d00_ffff,
            ntime_min: seconds - 600,
            ntime: seconds,
            coinbase_value: bitcoin::Amount::from_sat(5_000_000_000 + u64::from(self.works)),
            transactions: Arc::new([]),
            limits: Limits::CONSENSUS,
            segwit: true,
            demands: None,
        };
        let spec = CoinbaseSpec {
            payees: vec![(bitcoin::ScriptBuf::new(), 1)],
            tag: "/model/".into(),
            extranonce_bytes: self.pool.settings.extranonce1_bytes + self.pool.settings.extranonce2_bytes,
            length: None,
        };
        let work = Arc::new(Work::new(template, &spec, self.now).unwrap());
        let mut out = Output::default();
        self.session.on_work(&work, self.now, &mut out);
        self.absorb(&out, None);
    }

    fn command(&mut self, choices: &mut Choices<'_>) {
        let command = match choices.below(5) {
            0 => Command::SetExtranonce,
            1 => Command::SetVersionMask { mask: u32::from(choices.byte()) << 13 },
            2 => Command::ShowMessage { text: "\"quoted\"\n".into() },
            3 => Command::GetVersion,
            _ => Command::Reconnect { host: None, port: Some(3333), wait_seconds: 1 },
        };
        let mut out = Output::default();
        self.session.on_command(&command, self.now, &mut out);
        self.absorb(&out, None);
    }

    fn raw(&mut self, choices: &mut Choices<'_>) {
        let length = choices.below(40);
        let bytes: Vec<u8> = (0..length).map(|_| choices.byte()).filter(|byte| *byte != b'\n').collect();
        let mut out = Output::default();
        self.session.on_line(&bytes, self.now, &mut out);
        assert!(out.bytes.iter().filter(|byte| **byte == b'\n').count() <= 1, "one reply to a raw line");
        self.check_close(&out);
    }

    fn reconnect(&mut self) {
        self.connections += 1;
        let fresh = Session::new(self.pool.clone(), ConnectionId(self.connections), self.now);
        let mut out = Output::default();
        std::mem::replace(&mut self.session, fresh).close(CloseReason::Peer, self.now, &mut out);
        assert_eq!(out.events.len(), 1);
        self.difficulty = f64::NAN;
        self.mask = 0;
        self.mask_before = None;
        self.negotiated = false;
        self.jobs.clear();
        self.last = None;
    }

    /// Sends a request and checks that it gets exactly one reply with its id.
    fn request(&mut self, method: &str, params: Value) {
        let id = json!({"n": self.next_id});
        self.next_id += 1;
        let line = json!({"id": id, "method": method, "params": params}).to_string();
        let mut out = Output::default();
        self.session.on_line(line.as_bytes(), self.now, &mut out);
        let reply = self.absorb(&out, Some(&id)).expect("every request with an id is answered");
        match method {
            "mining.subscribe" if reply["error"].is_null() => {
                let result = &reply["result"];
                self.session_token = result[0][0][1].as_str().map(str::to_owned);
                let extranonce1 = from_hex(result[1].as_str().unwrap());
                self.extranonce = (extranonce1, result[2].as_u64().unwrap() as usize);
                // Jobs may come in the same breath, after the reply.
                self.absorb_notifications(&out);
            }
            "mining.configure" if reply["error"].is_null() => {
                let mask = reply["result"]["version-rolling.mask"].as_str();
                // Negotiating again is a change like any other.
                if std::mem::replace(&mut self.negotiated, true) {
                    self.mask_before = Some((self.mask, self.now));
                }
                self.mask = mask.map_or(0, |mask| u32::from_str_radix(mask, 16).unwrap());
                assert_eq!(self.mask & !0x1fff_e000, 0, "only the pool's bits are granted");
                self.absorb_notifications(&out);
            }
            _ => self.absorb_notifications(&out),
        }
    }

    /// Checks every line; returns the reply to `id`. Notifications are taken
    /// when no reply is awaited, for they may depend on it.
    fn absorb(&mut self, out: &Output, id: Option<&Value>) -> Option<Value> {
        for event in &out.events {
            if let Event::Share(share) = event {
                *self.verdicts.entry(share.verdict.name()).or_default() += 1;
            }
        }
        let mut reply = None;
        for line in lines(out) {
            if line.get("method").is_none() {
                assert_eq!(Some(&line["id"]), id, "a reply to what was not asked: {line}");
                assert!(reply.replace(line).is_none(), "two replies to {id:?}");
            }
        }
        if id.is_none() {
            self.absorb_notifications(out);
        }
        self.check_close(out);
        reply
    }

    fn absorb_notifications(&mut self, out: &Output) {
        for line in lines(out) {
            let params = &line["params"];
            match line["method"].as_str() {
                Some("mining.set_difficulty") => self.difficulty = params[0].as_f64().unwrap(),
                Some("mining.set_extranonce") => {
                    let extranonce1 = from_hex(params[0].as_str().unwrap());
                    self.extranonce = (extranonce1, params[1].as_u64().unwrap() as usize);
                }
                Some("mining.set_version_mask") => {
                    self.mask_before = Some((self.mask, self.now));
                    self.mask = u32::from_str_radix(params[0].as_str().unwrap(), 16).unwrap();
                }
                Some("mining.notify") => {
                    assert!(self.difficulty > 0.0, "a job before any difficulty");
                    let fresh = self.jobs.iter().all(|job| job.params[0] != params[0]);
                    assert!(fresh, "a job id used twice in a connection");
                    self.jobs.push(SeenJob {
                        params: params.clone(),
                        difficulty: self.difficulty,
                        extranonce1: self.extranonce.0.clone(),
                        extranonce2_bytes: self.extranonce.1,
                    });
                }
                _ => {}
            }
        }
    }

    /// A connection that the pool closes is replaced.
    fn check_close(&mut self, out: &Output) {
        if out.close.is_some() {
            self.reconnect();
        }
    }

    fn share(&mut self, choices: &mut Choices<'_>) {
        let Some(job) = self.jobs.iter().rev().nth(choices.below(4)).cloned() else {
            self.request("mining.submit", json!(["w0", "0", "00", "00000000", "00000000"]));
            return;
        };
        let extranonce2 = vec![choices.byte() % 4; job.extranonce2_bytes];
        let job_ntime = u32::from_str_radix(job.params[7].as_str().unwrap(), 16).unwrap();
        let ntime = match choices.below(8) {
            0 => job_ntime - 1_000,
            1 => job_ntime + 100_000,
            near => job_ntime + near as u32,
        };
        let bits = match choices.below(4) {
            0 => Some(
                (self.mask | self.mask_before.map_or(0, |(mask, _)| mask))
                    & (u32::from(choices.byte()) << 13),
            ),
            1 => Some(u32::from(choices.byte()) << 12),
            _ => None,
        };
        let target = Difficulty::new(job.difficulty).unwrap().target();
        let first = u32::from(choices.byte());
        let mask = self.mask_for(bits);
        let attempt = |nonce: u32| header_hash(&job, &extranonce2, ntime, nonce, bits, mask);
        // Mostly a good nonce; sometimes whatever comes.
        let tries = if choices.below(4) == 0 { 1 } else { 64 };
        let good = (first..first + tries).find(|nonce| target.is_met_by(&attempt(*nonce)));
        let nonce = good.unwrap_or(first);
        let mut params = json!([
            format!("w{}", choices.below(3)),
            job.params[0],
            hex(&extranonce2),
            format!("{ntime:08x}"),
            format!("{nonce:08x}")
        ]);
        if let Some(bits) = bits {
            params.as_array_mut().unwrap().push(json!(format!("{bits:08x}")));
        }
        match choices.below(12) {
            0 => params[1] = json!("ffffffff"),
            1 => params[2] = json!("00".repeat(job.extranonce2_bytes + 1)),
            2 => params[3] = json!(7),
            _ => {}
        }
        let line = params.to_string();
        self.submit(Submission { line, job, extranonce2, ntime, nonce, bits });
    }

    /// The mask a pool judges `bits` by: bits that only the mask before the last
    /// change allowed may have been on the way.
    fn mask_for(&self, bits: Option<u32>) -> u32 {
        let outside = |mask: u32| bits.unwrap_or(0) & !mask != 0;
        match self.mask_before {
            Some((before, changed))
                if outside(self.mask)
                    && !outside(before)
                    && self.now.since(changed) <= self.pool.settings.late_credit =>
            {
                before
            }
            _ => self.mask,
        }
    }

    fn submit(&mut self, submission: Submission) {
        let id = json!(self.next_id);
        self.next_id += 1;
        let line = format!(r#"{{"id":{id},"method":"mining.submit","params":{}}}"#, submission.line);
        let mut out = Output::default();
        self.session.on_line(line.as_bytes(), self.now, &mut out);
        let reply = self.absorb(&out, Some(&id)).expect("every submit is answered");
        let Submission { job, extranonce2, ntime, nonce, bits, .. } = &submission;
        let hash = header_hash(job, extranonce2, *ntime, *nonce, *bits, self.mask_for(*bits));
        let meets = Difficulty::new(job.difficulty).unwrap().target().is_met_by(&hash);
        if reply["result"] == true {
            assert!(meets, "credited above its target: {line}");
            assert!(self.credited.insert(hash), "credited twice: {line}");
        } else {
            match reply["error"][0].as_i64().unwrap() {
                22 => assert!(self.credited.contains(&hash), "no duplicate: {line}"),
                23 => assert!(!meets, "the work was enough: {line}"),
                20 | 21 | 24 | 25 => {}
                other => panic!("unknown code {other} for {line}"),
            }
        }
        let shares = out.events.iter().filter(|event| matches!(event, Event::Share(_))).count();
        let malformed = out.events.iter().any(|event| matches!(event, Event::BadLine { .. }));
        assert_eq!(shares, usize::from(!malformed), "one record a share");
        self.last = Some(submission);
    }
}

fn lines(out: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&out.bytes).expect("lines are UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The header hash as a miner computes it from what it was sent.
fn header_hash(
    job: &SeenJob,
    extranonce2: &[u8],
    ntime: u32,
    nonce: u32,
    bits: Option<u32>,
    mask: u32,
) -> [u8; 32] {
    let text = |index: usize| job.params[index].as_str().unwrap();
    let number = |index: usize| u32::from_str_radix(text(index), 16).unwrap();
    let coinbase =
        [from_hex(text(2)), job.extranonce1.clone(), extranonce2.to_vec(), from_hex(text(3))].concat();
    let mut root = sha256d::Hash::hash(&coinbase).to_byte_array();
    for sibling in job.params[4].as_array().unwrap() {
        let node = [root.to_vec(), from_hex(sibling.as_str().unwrap())].concat();
        root = sha256d::Hash::hash(&node).to_byte_array();
    }
    let version = bits.map_or(number(5), |bits| (number(5) & !mask) | (bits & mask));
    let mut header = version.to_le_bytes().to_vec();
    for word in from_hex(text(1)).chunks(4) {
        header.extend(word.iter().rev());
    }
    header.extend(root);
    header.extend(ntime.to_le_bytes());
    header.extend(number(6).to_le_bytes());
    header.extend(nonce.to_le_bytes());
    sha256d::Hash::hash(&header).to_byte_array()
}
