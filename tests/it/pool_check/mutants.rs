//! Pools that differ from ours in the handshake or in the work they give.

use serde_json::{Value, json};

use super::change::{on_coinb, on_difficulty, on_job, on_mask, on_subscribed};
use super::rehearsal::{Cut, Mutant, OURS, Take, answer};

pub const MUTANTS: &[Mutant] = &[
    // Handshake.
    Mutant {
        name: "the size of extranonce2 is text",
        fails: &["P01"],
        pool: Some(|_, line| on_subscribed(line, |result| result[2] = json!(result[2].to_string()))),
        ..OURS
    },
    Mutant {
        name: "no list of subscriptions",
        fails: &["P01"],
        pool: Some(|_, line| {
            on_subscribed(line, |result| *result = json!([result[1].clone(), result[2].clone()]))
        }),
        ..OURS
    },
    Mutant {
        name: "extranonce1 of half a byte",
        fails: &["P01"],
        pool: Some(|_, line| on_subscribed(line, |result| result[1] = json!("abc"))),
        ..OURS
    },
    Mutant {
        name: "no job before the third",
        fails: &["P02"],
        pool: Some(|memory, line| {
            let early = line["method"] == "mining.notify" && memory.jobs.len() < 2;
            if early { vec![] } else { vec![line] }
        }),
        ..OURS
    },
    Mutant {
        name: "difficulty after the job",
        fails: &["P03", "P36"],
        pool: Some(|memory, line| match line["method"].as_str() {
            Some("mining.set_difficulty") => {
                memory.held = Some(line);
                vec![]
            }
            Some("mining.notify") => std::iter::once(line).chain(memory.held.take()).collect(),
            _ => vec![line],
        }),
        ..OURS
    },
    Mutant {
        name: "difficulty as text",
        fails: &["P03"],
        pool: Some(|_, line| on_difficulty(line, |value| json!(value.to_string()))),
        ..OURS
    },
    Mutant {
        name: "the first line of a segment only",
        fails: &["P04", "P41", "P43"],
        cut: Cut::FirstOfSegment,
        ..OURS
    },
    Mutant {
        name: "no answer to authorize before subscribe",
        fails: &["P04"],
        miner: |memory, line| match line["method"].as_str() {
            Some("mining.authorize") if !memory.subscribed => Take::Ignore,
            _ => Take::Pass,
        },
        ..OURS
    },
    Mutant {
        name: "grants bits that were not offered",
        fails: &["P05"],
        pool: Some(|_, line| on_mask(line, "ffffffff")),
        ..OURS
    },
    Mutant {
        name: "grants a mask of four digits",
        fails: &["P05"],
        pool: Some(|_, line| on_mask(line, "6000")),
        ..OURS
    },
    Mutant {
        name: "no answer to configure",
        fails: &["P05"],
        miner: |_, line| if line["method"] == "mining.configure" { Take::Ignore } else { Take::Pass },
        ..OURS
    },
    Mutant {
        name: "gives a living session to another",
        fails: &["P06", "P08"],
        pool: Some(|_, line| on_subscribed(line, |result| result[1] = json!("a1b2c3d4"))),
        ..OURS
    },
    Mutant {
        name: "refuses who names a session",
        fails: &["P06"],
        miner: |_, line| match line["method"].as_str() {
            Some("mining.subscribe") if !line["params"][1].is_null() => {
                Take::Say(answer(line, Value::Null, json!([20, "unknown session", null])))
            }
            _ => Take::Pass,
        },
        ..OURS
    },
    // Extranonce.
    Mutant {
        name: "one byte of extranonce2",
        fails: &["P07"],
        settings: |rules| rules.extranonce2_bytes = 1,
        ..OURS
    },
    Mutant {
        name: "twelve bytes of extranonce2",
        fails: &["P07"],
        settings: |rules| rules.extranonce2_bytes = 12,
        ..OURS
    },
    Mutant {
        name: "an extranonce1 that begins as another does",
        fails: &["P08"],
        // Of one byte or two, with the same first digits.
        pool: Some(|_, line| {
            on_subscribed(line, |result| {
                let last = result[1].as_str().unwrap().chars().last().unwrap();
                result[1] = json!(if last < '8' { "a1".to_owned() } else { format!("a10{last}") });
            })
        }),
        ..OURS
    },
    Mutant {
        name: "no answer to extranonce.subscribe",
        fails: &["P09"],
        miner: |_, line| match line["method"].as_str() {
            Some("mining.extranonce.subscribe") => Take::Ignore,
            _ => Take::Pass,
        },
        ..OURS
    },
    Mutant {
        name: "ends the connection at extranonce.subscribe",
        fails: &["P09"],
        miner: |_, line| match line["method"].as_str() {
            Some("mining.extranonce.subscribe") => Take::Close,
            _ => Take::Pass,
        },
        ..OURS
    },
    // Work.
    Mutant {
        name: "ntime in decimal",
        fails: &["P10"],
        pool: Some(|_, line| on_job(line, |job| job[7] = json!("1700000000"))),
        ..OURS
    },
    Mutant {
        name: "job ids are numbers",
        fails: &["P10"],
        pool: Some(|_, line| on_job(line, |job| job[0] = json!(7))),
        ..OURS
    },
    Mutant {
        name: "clean is a number",
        fails: &["P10"],
        pool: Some(|_, line| on_job(line, |job| job[8] = json!(1))),
        ..OURS
    },
    Mutant {
        name: "coinb2 lacks its end",
        fails: &["P11"],
        pool: Some(|_, line| on_coinb(line, 3, |bytes| bytes.truncate(bytes.len() - 4))),
        ..OURS
    },
    Mutant {
        name: "coinb1 with marker and flag",
        fails: &["P11"],
        pool: Some(|_, line| on_coinb(line, 2, |bytes| drop(bytes.splice(4..4, [0, 1])))),
        ..OURS
    },
    Mutant {
        name: "pays nobody",
        fails: &["P11"],
        // The value stands behind sequence and count of outputs.
        pool: Some(|_, line| on_coinb(line, 3, |bytes| bytes[5..13].fill(0))),
        ..OURS
    },
    Mutant {
        name: "no height",
        fails: &["P12"],
        pool: Some(|_, line| on_coinb(line, 2, |bytes| bytes[42] = 0)),
        ..OURS
    },
    Mutant {
        name: "no witness commitment",
        fails: &["P13"],
        pool: Some(|_, line| {
            on_coinb(line, 3, |bytes| {
                let at = bytes.windows(4).position(|window| window == [0xaa, 0x21, 0xa9, 0xed]).unwrap();
                bytes[at] = 0;
            })
        }),
        ..OURS
    },
    Mutant {
        name: "the previous hash as people print it",
        fails: &["P14"],
        prev_hash: |hash| {
            let mut turned = hash;
            turned.reverse();
            // Our notify reverses the bytes of each word; undone, whole it stands.
            turned.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
            turned
        },
        ..OURS
    },
    Mutant { name: "nbits that stand for nothing", fails: &["P14"], nbits: 0x1780_4219, ..OURS },
    Mutant { name: "a clock a day ahead", fails: &["P15"], clock_ahead: 86_400, ..OURS },
    Mutant {
        name: "a branch of the wrong hashes",
        fails: &["P16", "P17"],
        pool: Some(|_, line| on_job(line, |job| job[4].as_array_mut().unwrap().reverse())),
        ..OURS
    },
];
