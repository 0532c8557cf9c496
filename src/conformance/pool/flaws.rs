//! Cases about shares with one flawed field, and what is said of them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::Hand;
use super::proof::{Sought, Start};
use super::reading;
use super::talk::{Stop, Talk};
use super::trial::good;
use crate::event::{Extranonce2, Reject};
use crate::miner::{Fault, MinerJob, Share};
use crate::stratum::v1::hex;
use crate::units::Seconds;

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P24",
        title: "An extranonce2 of another length is rejected",
        severity: Severity::High,
        sources: &["ckpool cuts and fills a wrong nonce2, which hides faults of firmware"],
        miner: "Submits proofs made with one byte more and one less; proofs of the right length with a zero byte left out or one byte added; one with none at all",
        pool: "Rejects each: the length is part of the terms",
        judged: "No verdict is true",
        run: |talk| Box::pin(extranonce2_length(talk)),
    },
    PoolCase {
        id: "P25",
        title: "ntime out of range is rejected",
        severity: Severity::High,
        sources: &[
            "consensus: after the median of eleven blocks, at most two hours ahead",
            "ckpool, DATUM, miningcore: a window; p2poolv2, public-pool: none",
        ],
        miner: "Submits proofs made with the time of Bitcoin's first block, and with four hours from now",
        pool: "Rejects both: no node takes such a block",
        judged: "No verdict is true",
        run: |talk| Box::pin(ntime_range(talk)),
    },
    PoolCase {
        id: "P26",
        title: "ntime a little ahead is accepted",
        severity: Severity::Medium,
        sources: &["ckpool, para, goPool: up to 7000 s after the job's"],
        miner: "Submits proofs made with ntime 1 s and 30 s after the job's",
        pool: "Accepts both: firmware rolls ntime when it runs out of nonces",
        judged: "Both verdicts are true",
        run: |talk| Box::pin(ntime_rolled(talk)),
    },
    PoolCase {
        id: "P27",
        title: "A share of a worker that was not authorized is rejected",
        severity: Severity::Medium,
        sources: &["Stratum wiki 2012: code 24", "ckpool: Worker mismatch"],
        miner: "Submits a real proof under a name that was never authorized",
        pool: "Rejects it",
        judged: "The verdict is not true",
        run: |talk| Box::pin(intruder(talk)),
    },
    PoolCase {
        id: "P28",
        title: "A share before the handshake is rejected",
        severity: Severity::High,
        sources: &["Stratum wiki 2012: codes 24 and 25"],
        miner: "Submits before subscribing, and after subscribing before authorizing; then authorizes",
        pool: "Answers with an error or ends the connection; the handshake can still be done",
        judged: "No verdict is true, none is missing, and a job comes in the end unless the connection was ended",
        run: |talk| Box::pin(too_early(talk)),
    },
    PoolCase {
        id: "P29",
        title: "Malformed submits are refused and harm nothing",
        severity: Severity::High,
        sources: &["ckpool: Invalid array size, No nonce, …", "ESP-Miner #916: replies that lack something"],
        miner: "Submits a real proof with one field broken: digits that are none, too many, an odd number of them, fields missing, null or of another type; then the proof as it should be",
        pool: "Refuses each broken one in words, and accepts the last",
        judged: "No broken one is accepted or left unanswered; the whole one is accepted, unless the connection was ended",
        run: |talk| Box::pin(malformed(talk)),
    },
    PoolCase {
        id: "P30",
        title: "The reason for a reject names the fault",
        severity: Severity::Medium,
        sources: &["Stratum wiki 2012: codes 20 to 25", "ESP-Miner #1695: rejects by reason"],
        miner: "Submits a low share, a repeated one, one of an unknown job and one of a stranger, and reads the answers",
        pool: "Says why by code or text: 23, 22, 21, 24",
        judged: "No reason is another fault's, in the words of the pools we know. Unknown words are reported",
        run: |talk| Box::pin(reasons(talk)),
    },
];

async fn extranonce2_length(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let length = hand.newest()?.extranonce.extranonce2_bytes;
    for bytes in [length + 1, length.saturating_sub(1)] {
        if bytes == length || bytes > Extranonce2::BYTES_MAX {
            continue;
        }
        let what = format!("a proof with {bytes} bytes of extranonce2 instead of {length}");
        let make = |hand: &mut Hand, job: &Arc<MinerJob>| {
            let start = hand.next_start();
            Ok(Sought::with_length(job, bytes, start))
        };
        hand.must_reject(&what, make).await?;
    }
    // Whole proofs of which a byte is lost on the way, or added.
    let mut variants = Vec::new();
    if length > 1 {
        variants.push(("a proof whose extranonce2 lacks its last byte, a zero,", 0));
    }
    variants.push(("a proof whose extranonce2 has a byte too many", 1));
    variants.push(("a proof whose extranonce2 is left out", 2));
    for (what, kind) in variants {
        let share = ending_in_zero(&mut hand).await?;
        let whole = hex::encode(share.extranonce2.as_bytes());
        let text = match kind {
            0 => whole[..whole.len() - 2].to_owned(),
            1 => whole + "00",
            _ => String::new(),
        };
        let mut params = hand.params(&share);
        params[2] = json!(text);
        let judged = hand.submit_params(params).await;
        hand.expect_reject(what, judged)?;
    }
    Ok("five lengths that are wrong, none accepted".to_owned())
}

/// A good share of the newest job, not submitted.
async fn find(hand: &mut Hand, start: Start) -> Result<Share, Stop> {
    hand.catch_up().await;
    let sought = Sought::good(&hand.newest()?, start);
    hand.seek(sought).await
}

/// Searches for a share under one value of extranonce2. Each has a slice of the
/// nonces, some million headers: at difficulty 0.001 one in five searches finds.
const SEARCHES_MAX: usize = 100;

/// A good share whose extranonce2 ends in a zero byte, not submitted.
async fn ending_in_zero(hand: &mut Hand) -> Result<Share, Stop> {
    for _ in 0..SEARCHES_MAX {
        let Start { slice, extranonce2 } = hand.next_start();
        let share = find(hand, Start { slice, extranonce2: extranonce2 << 8 }).await?;
        // A long search goes on to other values.
        if share.extranonce2.as_bytes().last() == Some(&0) {
            return Ok(share);
        }
    }
    Err(hand
        .talk
        .undecided("shares take too long to be found with a given extranonce2", "a lower difficulty"))
}

async fn ntime_range(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    for (fault, what) in [
        (Fault::NtimeTooOld, "a proof with ntime of the year 2009"),
        (Fault::NtimeTooNew, "a proof with ntime four hours ahead"),
    ] {
        hand.must_reject(what, |hand, job| hand.fault(fault, job)).await?;
    }
    Ok("too old and too new are both rejected".to_owned())
}

async fn ntime_rolled(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    for ahead in [1, 30] {
        let make = |hand: &mut Hand, job: &Arc<MinerJob>| {
            let start = hand.next_start();
            Ok(Sought::with_ntime(job, job.notice.ntime.saturating_add(ahead), start))
        };
        hand.must_accept(&format!("a proof with ntime {ahead} s after the job's"), make).await?;
    }
    Ok("1 s and 30 s after the job's are accepted".to_owned())
}

async fn intruder(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let what = "a share of a worker that was not authorized";
    let said = hand.must_reject(what, |hand, job| hand.fault(Fault::UnauthorizedWorker, job)).await?;
    Ok(said.map_or("rejected by ending the connection".to_owned(), |error| format!("rejected: {error}")))
}

async fn too_early(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    let user = talk.world().setting.user.clone();
    let made_up = json!([user, "0", "0000000000000000", "65000000", "00000001"]);
    let judged = hand.submit_params(made_up.clone()).await;
    if hand.expect_reject("a share before subscribe", judged)?.is_none() {
        return Ok("a share before subscribe ends the connection".to_owned());
    }
    hand.subscribe(None).await?;
    hand.listen(Seconds(0.5)).await;
    let mut params = made_up;
    if !hand.jobs.is_empty() {
        // Some pools send a job before anybody is authorized: then the proof can be real.
        let start = hand.next_start();
        let share = find(&mut hand, start).await?;
        params = hand.params(&share);
    }
    let judged = hand.submit_params(params).await;
    if hand.expect_reject("a share before authorize", judged)?.is_none() {
        return Ok("a share before authorize ends the connection".to_owned());
    }
    hand.authorize().await?;
    hand.first_job().await?;
    Ok("rejected both, and the handshake went on".to_owned())
}

async fn malformed(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let start = hand.next_start();
    let share = find(&mut hand, start).await?;
    let whole = hand.params(&share);
    let with = |at: usize, value: Value| {
        let mut params = whole.clone();
        params[at] = value;
        params
    };
    let nonce = format!("{:08x}", share.nonce);
    let short: Vec<Value> = whole.as_array().into_iter().flatten().take(4).cloned().collect();
    let object = json!({"worker": whole[0], "job_id": whole[1], "nonce2": whole[2], "ntime": whole[3], "nonce": nonce});
    let broken = [
        ("a nonce of no digits", with(4, json!("zzzzzzzz"))),
        ("a nonce of nine digits", with(4, json!(format!("1{nonce}")))),
        ("an empty nonce", with(4, json!(""))),
        ("a nonce that is null", with(4, Value::Null)),
        ("an ntime of no digits", with(3, json!("now"))),
        (
            "an extranonce2 of an odd number of digits",
            with(2, json!(format!("{}0", whole[2].as_str().unwrap_or("")))),
        ),
        ("a job id that is a list", with(1, json!([]))),
        ("no nonce", Value::from(short)),
        ("no parameters", json!([])),
        ("parameters in an object", object),
    ];
    let count = broken.len();
    for (what, params) in broken {
        let judged = hand.submit_params(params).await;
        if hand.expect_reject(&format!("a submit with {what}"), judged)?.is_none() {
            talk.measure("ends the connection", what);
            hand = Hand::ready(&talk).await?;
        }
    }
    // On the connection where the proof belongs, if that still lives.
    let belongs = hand.jobs.iter().any(|told| told.notice == share.job.notice)
        && hand.extranonce.as_ref() == Some(&share.job.extranonce);
    if belongs && !hand.is_void(&share.job) {
        let judged = hand.submit(&share).await;
        hand.catch_up().await;
        if !hand.is_void(&share.job) {
            hand.expect_accept("the same proof as it should be", judged)?;
        }
    } else {
        hand.must_accept("a good share afterwards", good).await?;
    }
    Ok(format!("{count} broken ones refused, the whole one accepted"))
}

async fn reasons(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let mut unknown = Vec::new();
    for fault in [Fault::LowDifficulty, Fault::Duplicate, Fault::UnknownJob, Fault::UnauthorizedWorker] {
        let name = fault.name().replace('_', " ");
        let judged = if fault == Fault::Duplicate {
            let share = hand.must_accept("a good share", good).await?;
            hand.submit(&share).await
        } else {
            hand.attempt(|hand, job| hand.fault(fault, job)).await?.1
        };
        let Some(error) = judged.error().cloned() else {
            let needs = "a reject: the cases for each fault say more";
            return Err(talk.undecided(format!("{name}: {}", judged.words()), needs));
        };
        talk.measure(&name, &error);
        match reading::names(&error, fault.reject()) {
            Some(true) => {}
            Some(false) => {
                let code = classic_code(fault.reject());
                let expected = format!("a reason that says {name}, such as code {code}");
                talk.fail(format!("{name} is rejected with {error}"), &expected, judged.evidence);
            }
            None => unknown.push(format!("{name}: {error}")),
        }
    }
    Ok(match unknown.as_slice() {
        [] => "each reason names its fault".to_owned(),
        unknown => format!("no reason is wrong, but some say little: {}", unknown.join("; ")),
    })
}

fn classic_code(reject: Reject) -> u32 {
    match reject {
        Reject::LowDifficulty => 23,
        Reject::Duplicate => 22,
        Reject::Unauthorized => 24,
        _ => 21,
    }
}
