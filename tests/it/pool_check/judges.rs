//! Pools that differ from ours in their verdicts and answers.

use adit::units::Seconds;
use serde_json::{Value, json};

use super::change::{accept, on_bits, on_difficulty, on_job, refuse, refuse_as};
use super::rehearsal::{Cut, Mutant, OURS, Take};

pub const MUTANTS: &[Mutant] = &[
    // Whole shares.
    Mutant {
        name: "nonces are signed",
        fails: &["P17"],
        miner: |_, line| refuse(line, |params| params[4].as_str().is_some_and(|nonce| nonce >= "80000000")),
        ..OURS
    },
    Mutant {
        name: "the previous hash is not what is hashed",
        fails: &["P17", "P26"],
        pool: Some(|_, line| {
            on_job(line, |job| job[1] = json!(format!("00000000{}", &job[1].as_str().unwrap()[8..])))
        }),
        ..OURS
    },
    Mutant {
        name: "accepts everything",
        fails: &[
            "P18", "P19", "P20", "P21", "P22", "P24", "P25", "P27", "P28", "P29", "P32", "P33", "P34", "P41",
        ],
        miner: |_, line| accept(line, |_| true),
        ..OURS
    },
    Mutant {
        name: "knows a share by its text",
        fails: &["P19"],
        miner: |_, line| {
            accept(line, |params| {
                let text = params[2..].iter().filter_map(Value::as_str).collect::<String>();
                text.bytes().any(|byte| byte.is_ascii_uppercase())
            })
        },
        ..OURS
    },
    Mutant {
        name: "remembers one share",
        fails: &["P19"],
        miner: |memory, line| {
            let (last, text) = (memory.submits.last(), line["params"].to_string());
            let before = memory.submits.contains(&text) && last != Some(&text);
            accept(line, |_| before)
        },
        ..OURS
    },
    Mutant {
        name: "an unknown job is the newest",
        fails: &["P21"],
        miner: |memory, line| {
            if line["method"] == "mining.submit" && memory.job_of(line).is_none() && !memory.jobs.is_empty() {
                let mut line = line.clone();
                line["params"][1] = memory.jobs.last().unwrap()[0].clone();
                return Take::Change(line);
            }
            Take::Pass
        },
        ..OURS
    },
    Mutant {
        name: "old blocks are as good as new",
        fails: &["P22"],
        settings: |rules| rules.late_credit = Seconds(1e6),
        ..OURS
    },
    Mutant {
        name: "no job is clean",
        fails: &["P23"],
        pool: Some(|_, line| on_job(line, |job| job[8] = json!(false))),
        ..OURS
    },
    // Flawed shares.
    Mutant {
        name: "fills and cuts extranonce2",
        fails: &["P24"],
        miner: |memory, line| {
            let Some(text) = line["params"][2].as_str().filter(|_| memory.job_of(line).is_some()) else {
                return Take::Pass;
            };
            let mut line = line.clone();
            line["params"][2] = json!(format!("{text:0<16}")[..16]);
            Take::Change(line)
        },
        ..OURS
    },
    Mutant {
        name: "does not look at ntime",
        fails: &["P25"],
        miner: |memory, line| {
            let far = |params: &[Value]| {
                let seconds =
                    |value: &Value| i64::from_str_radix(value.as_str().unwrap_or("0"), 16).unwrap_or(0);
                memory.job_of(line).is_some_and(|job| (seconds(&params[3]) - seconds(&job[7])).abs() > 3_600)
            };
            accept(line, far)
        },
        ..OURS
    },
    Mutant {
        name: "ntime must be the job's",
        fails: &["P26"],
        miner: |memory, line| {
            refuse(line, |params| memory.job_of(line).is_some_and(|job| job[7] != params[3]))
        },
        ..OURS
    },
    Mutant {
        name: "any worker will do",
        fails: &["P27"],
        miner: |_, line| {
            if line["method"] == "mining.submit" {
                let mut line = line.clone();
                line["params"][0] = json!("check.1");
                return Take::Change(line);
            }
            Take::Pass
        },
        ..OURS
    },
    Mutant {
        name: "no answer to a submit before authorize",
        fails: &["P28"],
        miner: |memory, line| {
            let early = line["method"] == "mining.submit" && !memory.authorized;
            if early { Take::Ignore } else { Take::Pass }
        },
        ..OURS
    },
    Mutant {
        name: "a submit before subscribe spoils the connection",
        fails: &["P28"],
        miner: |memory, line| {
            memory.flag |= line["method"] == "mining.submit" && !memory.subscribed;
            if memory.flag && line["method"] == "mining.authorize" { Take::Ignore } else { Take::Pass }
        },
        ..OURS
    },
    Mutant {
        name: "no answer to a malformed submit",
        fails: &["P29"],
        miner: |_, line| {
            let params = line["params"].as_array().map_or(0, Vec::len);
            if line["method"] == "mining.submit" && params < 5 { Take::Ignore } else { Take::Pass }
        },
        ..OURS
    },
    Mutant {
        name: "takes the last digits of a nonce",
        fails: &["P29"],
        miner: |_, line| {
            let nonce = line["params"][4].as_str().filter(|nonce| nonce.len() > 8 && nonce.is_ascii());
            let Some(nonce) = nonce else { return Take::Pass };
            let mut changed = line.clone();
            changed["params"][4] = json!(nonce[nonce.len() - 8..]);
            Take::Change(changed)
        },
        ..OURS
    },
    Mutant {
        name: "the reason is always a low difficulty",
        fails: &["P30"],
        pool: Some(|_, mut line| {
            if !line["error"].is_null() {
                line["error"] = json!([23, "Low difficulty share", null]);
            }
            vec![line]
        }),
        ..OURS
    },
    // Version bits.
    Mutant {
        name: "ORs version bits",
        fails: &["P31"],
        job_version: 0x2060_0000,
        miner: |memory, line| on_bits(memory, line, |own, bits| own | bits),
        ..OURS
    },
    Mutant {
        name: "XORs version bits",
        fails: &["P31"],
        job_version: 0x2060_0000,
        miner: |memory, line| on_bits(memory, line, |own, bits| own ^ bits),
        ..OURS
    },
    Mutant {
        name: "hashes the job's version",
        fails: &["P31"],
        miner: |memory, line| on_bits(memory, line, |own, _| own),
        ..OURS
    },
    Mutant {
        name: "drops bits outside the mask",
        fails: &["P32", "P33"],
        miner: |memory, line| {
            let Some(bits) = line["params"][5].as_str() else { return Take::Pass };
            let mut changed = line.clone();
            let bits = u32::from_str_radix(bits, 16).unwrap() & memory.mask;
            changed["params"][5] = json!(format!("{bits:08x}"));
            Take::Change(changed)
        },
        ..OURS
    },
    // Difficulty.
    Mutant {
        name: "a little less will do",
        fails: &["P34"],
        pool: Some(|_, line| on_difficulty(line, |value| json!(value * 1.02))),
        ..OURS
    },
    Mutant {
        name: "a little more is wanted",
        fails: &["P34"],
        pool: Some(|_, line| on_difficulty(line, |value| json!(value * 0.98))),
        ..OURS
    },
    Mutant {
        name: "the newest difficulty judges all work",
        fails: &["P35"],
        miner: |memory, line| {
            let old = memory.announced.len() > 1 && memory.jobs.len() > memory.jobs_before;
            let known = |job: &Value| memory.jobs[memory.jobs_before..].contains(job);
            let of_old = old && memory.job_of(line).is_some_and(|job| !known(job));
            refuse_as(line, |_| of_old, json!([23, "Low difficulty share", null]))
        },
        ..OURS
    },
    Mutant {
        name: "the first difficulties judge all work",
        fails: &["P36"],
        miner: |memory, line| accept(line, |_| memory.announced.len() > 1),
        ..OURS
    },
    Mutant {
        name: "ends the connection at a suggestion of zero",
        fails: &["P37"],
        miner: |_, line| {
            let zero = line["method"] == "mining.suggest_difficulty" && line["params"] == json!([0]);
            if zero { Take::Close } else { Take::Pass }
        },
        ..OURS
    },
    Mutant {
        name: "takes a suggestion of zero",
        fails: &["P37"],
        miner: |_, line| {
            let zero = line["method"] == "mining.suggest_difficulty" && line["params"] == json!([0]);
            let told = json!({"id": null, "method": "mining.set_difficulty", "params": [0]});
            if zero { Take::Say(told) } else { Take::Pass }
        },
        ..OURS
    },
    Mutant {
        name: "knows one job",
        fails: &["P35", "P38"],
        miner: |memory, line| {
            let newest = memory.is_newest(line);
            refuse_as(line, |_| !newest, json!([21, "Job not found", null]))
        },
        ..OURS
    },
    // Answers.
    Mutant {
        name: "ids are numbers",
        fails: &["P39"],
        pool: Some(|_, mut line| {
            if line["id"].is_string() {
                line["id"] = json!(0);
            }
            vec![line]
        }),
        ..OURS
    },
    Mutant {
        name: "ids are of 32 bits",
        fails: &["P39"],
        pool: Some(|_, mut line| {
            if let Some(id) = line["id"].as_u64() {
                line["id"] = json!(id as u32);
            }
            vec![line]
        }),
        ..OURS
    },
    Mutant {
        name: "says nothing to what it does not know",
        fails: &["P40"],
        pool: Some(|_, line| if line["error"][1] == "Unknown method" { vec![] } else { vec![line] }),
        ..OURS
    },
    Mutant {
        name: "ends the connection at what it does not know",
        fails: &["P40"],
        miner: |_, line| if line["method"] == "adit" { Take::Close } else { Take::Pass },
        ..OURS
    },
    Mutant {
        name: "says it twice",
        fails: &["P41"],
        pool: Some(|_, line| if line["result"] == true { vec![line.clone(), line] } else { vec![line] }),
        ..OURS
    },
    Mutant {
        name: "forgets every fourth answer",
        fails: &["P41"],
        miner: |memory, line| {
            let forgets = line["method"] == "mining.submit" && memory.lines.is_multiple_of(4);
            if forgets { Take::Ignore } else { Take::Pass }
        },
        ..OURS
    },
    Mutant { name: "takes its time", fails: &["P42"], delay: Seconds(1.5), ..OURS },
    // What a network does, and what no miner should.
    Mutant { name: "a segment is a line", fails: &["P43"], cut: Cut::SegmentIsLine, ..OURS },
    Mutant { name: "garbage ends the pool", fails: &["P44"], garbage: |_| Take::Crash, ..OURS },
    Mutant {
        name: "garbage makes it deaf",
        fails: &["P44"],
        miner: |memory, _| if memory.flag { Take::Ignore } else { Take::Pass },
        garbage: |memory| {
            memory.flag = true;
            Take::Ignore
        },
        ..OURS
    },
    Mutant { name: "lines of any length", fails: &["P45"], line_bytes_max: usize::MAX, ..OURS },
    Mutant { name: "keeps out who came too often", fails: &["P46"], connections_max: 5, ..OURS },
    Mutant { name: "drops who is silent", fails: &["P47"], silence_max: Seconds(15.0), ..OURS },
    Mutant {
        name: "does not tell a silent one of new blocks",
        before: &["P22"],
        fails: &["P47"],
        // The quiet connection does not negotiate; others that mine do.
        pool: Some(|memory, line| {
            let silent = memory.mask == 0 && memory.submits.is_empty() && !memory.jobs.is_empty();
            if line["method"] == "mining.notify" && silent { vec![] } else { vec![line] }
        }),
        ..OURS
    },
];
