//! What mutants do to lines.

use adit::stratum::v1::hex;
use serde_json::{Value, json};

use super::rehearsal::{Memory, Take, answer};

/// Changes the answer to subscribe.
pub fn on_subscribed(mut line: Value, change: fn(&mut Value)) -> Vec<Value> {
    if line["result"][0].is_array() {
        change(&mut line["result"]);
    }
    vec![line]
}

pub fn on_mask(mut line: Value, mask: &str) -> Vec<Value> {
    if line["result"]["version-rolling.mask"].is_string() {
        line["result"]["version-rolling.mask"] = json!(mask);
    }
    vec![line]
}

pub fn on_difficulty(mut line: Value, change: fn(f64) -> Value) -> Vec<Value> {
    if line["method"] == "mining.set_difficulty" {
        line["params"][0] = change(line["params"][0].as_f64().unwrap());
    }
    vec![line]
}

pub fn on_job(mut line: Value, change: impl Fn(&mut Value)) -> Vec<Value> {
    if line["method"] == "mining.notify" {
        change(&mut line["params"]);
    }
    vec![line]
}

pub fn on_coinb(line: Value, at: usize, change: fn(&mut Vec<u8>)) -> Vec<Value> {
    on_job(line, |job| {
        let mut bytes = hex::decode(job[at].as_str().unwrap()).unwrap();
        change(&mut bytes);
        job[at] = json!(hex::encode(&bytes));
    })
}

/// Accepts submits without looking any further.
pub fn accept(line: &Value, which: impl Fn(&[Value]) -> bool) -> Take {
    let params = line["params"].as_array().filter(|_| line["method"] == "mining.submit");
    match params {
        Some(params) if which(params) => Take::Say(answer(line, json!(true), Value::Null)),
        _ => Take::Pass,
    }
}

/// Refuses submits without looking any further.
pub fn refuse(line: &Value, which: impl Fn(&[Value]) -> bool) -> Take {
    refuse_as(line, which, json!([20, "no", null]))
}

pub fn refuse_as(line: &Value, which: impl Fn(&[Value]) -> bool, error: Value) -> Take {
    let params = line["params"].as_array().filter(|_| line["method"] == "mining.submit");
    match params {
        Some(params) if which(params) => Take::Say(answer(line, Value::Null, error)),
        _ => Take::Pass,
    }
}

/// Our pool replaces; with other bits it does what another formula does with these.
pub fn on_bits(memory: &Memory, line: &Value, formula: fn(u32, u32) -> u32) -> Take {
    let number = |value: &Value| value.as_str().and_then(|text| u32::from_str_radix(text, 16).ok());
    let (Some(job), Some(bits)) = (memory.job_of(line), number(&line["params"][5])) else {
        return Take::Pass;
    };
    let own = number(&job[5]).unwrap();
    let mut line = line.clone();
    line["params"][5] = json!(format!("{:08x}", formula(own, bits) & memory.mask));
    Take::Change(line)
}
