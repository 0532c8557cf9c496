//! Cases about difficulty: what exactly it asks for, and from which job on.

use std::sync::Arc;

use serde_json::json;

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::{Hand, NEXT_JOB, Reply};
use super::proof::Sought;
use super::talk::{Stop, Talk};
use super::trial::good;
use crate::miner::{MinerJob, Share};
use crate::units::{Difficulty, Seconds};

/// How near to the target a proof comes that tells an exact pool from another:
/// goPool forgives 2 %, miningcore 1 %.
const NEAR: f64 = 1.02;

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P34",
        title: "The target is exactly that of the difficulty announced",
        severity: Severity::High,
        sources: &[
            "goPool: 0.98, miningcore: 0.99 of the difficulty is enough",
            "ckpool: integers; para: a compact target",
            "DATUM #226: bdiff or pdiff",
        ],
        miner: "Suggests a difficulty with a fraction, and submits proofs within 2 % of the target on either side",
        pool: "Accepts those on the right side and rejects the others, by the very number it announced",
        judged: "By two verdicts on each side. Target: 0xFFFF << 208 divided by the difficulty",
        run: |talk| Box::pin(exact(talk)),
    },
    PoolCase {
        id: "P35",
        title: "A new difficulty does not judge old work",
        severity: Severity::High,
        sources: &[
            "Stratum wiki 2012: from the next job on",
            "miningcore #1147: low difficulty after a change",
        ],
        miner: "Finds shares of a job, has the difficulty raised by a suggestion, and submits them",
        pool: "Judges them by the difficulty their job was sent with",
        judged: "Every verdict is true, unless the pool sent a clean job with the change. Inconclusive when it ignores suggestions",
        run: |talk| Box::pin(old_work(talk)),
    },
    PoolCase {
        id: "P36",
        title: "A new difficulty judges the jobs that follow it",
        severity: Severity::High,
        sources: &[
            "ESP-Miner #1587: set_difficulty and a job that is not clean",
            "NerdQAxePlus #511: effective at the next notify",
        ],
        miner: "Has the difficulty raised by a suggestion, and submits shares of the jobs that come: by the difficulty announced before each, and by the lower one before",
        pool: "Accepts the first, rejects the second where the new difficulty came before the job",
        judged: "By the order in which difficulty and job came. Inconclusive when it ignores suggestions",
        run: |talk| Box::pin(new_work(talk)),
    },
    PoolCase {
        id: "P37",
        title: "Suggestions are taken or ignored, and do no harm",
        severity: Severity::Medium,
        sources: &[
            "ESP-Miner #686: a number or a list",
            "NerdMiner #620: 0.0001",
            "public-pool #152: low suggestions ignored",
        ],
        miner: "Suggests difficulties as number, text and list, then zero, a negative one and no number",
        pool: "Goes on; never announces a difficulty that is not above 0",
        judged: "The connection lives, what is announced is above 0, a share is accepted in the end. Whether suggestions are answered and followed is reported",
        run: |talk| Box::pin(suggestions(talk)),
    },
    PoolCase {
        id: "P38",
        title: "An older job on the same block is still good",
        severity: Severity::High,
        sources: &[
            "ckpool: 10 min; DATUM: 256 jobs; miningcore: 4",
            "p2poolv2's load test: 27 % of submits to ckpool with a job id gone",
        ],
        miner: "Keeps a share of a job until a newer job has come that is not clean, then submits it",
        pool: "Accepts it",
        judged: "The verdict is true. Inconclusive when no such job comes in 70 s",
        run: |talk| Box::pin(older_job(talk)),
    },
];

/// A share between two difficulties.
fn between(low: f64, high: f64) -> impl Fn(&mut Hand, &Arc<MinerJob>) -> Result<Sought, Stop> {
    move |hand, job| {
        let start = hand.next_start();
        let difficulty = |value: f64| Difficulty::new(value).unwrap_or(Difficulty::MAX);
        Ok(Sought::between(job, difficulty(low), difficulty(high), start))
    }
}

async fn exact(talk: Talk) -> Result<String, Stop> {
    // One proof in fifty is near enough.
    let mut hand = Hand::ready_with(&talk, None, 0.1234).await?;
    for side in ["harder", "easier", "harder", "easier"] {
        let make = |hand: &mut Hand, job: &Arc<MinerJob>| {
            let asked = job.difficulty.get();
            let (low, high) = if side == "harder" { (asked, asked * NEAR) } else { (asked / NEAR, asked) };
            between(low, high)(hand, job)
        };
        let (share, judged) = hand.attempt(make).await?;
        let asked = share.job.difficulty.get();
        let percent = (share.reached().get() / asked - 1.0) * 100.0;
        let what = format!("a share {:.2} % {side} than difficulty {asked}", percent.abs());
        if side == "harder" {
            hand.expect_accept(&what, judged)?;
        } else {
            hand.expect_reject(&what, judged)?;
        }
    }
    let asked = hand.newest()?.difficulty.get();
    let kind = if asked.fract() == 0.0 { "a whole number; fractions were not seen" } else { "a fraction" };
    talk.measure("difficulty", format!("{asked}, {kind}"));
    Ok(format!("exact to 2 % at difficulty {asked}"))
}

/// Suggests four times the difficulty; what it was before.
async fn raise(hand: &mut Hand) -> Result<(f64, f64), Stop> {
    let before = hand.newest()?.difficulty;
    hand.suggest_difficulty(before.scaled(4.0)).await;
    let after = hand.difficulty.unwrap_or(before);
    if after.get() < before.get() * 1.5 {
        let finding = format!("the pool ignores the suggestion to raise the difficulty from {before}");
        let needs = "a pool that takes mining.suggest_difficulty";
        return Err(hand.talk.undecided(finding, needs));
    }
    hand.talk.measure("raised", format!("from {before} to {after}"));
    Ok((before.get(), after.get()))
}

async fn old_work(talk: Talk) -> Result<String, Stop> {
    for _ in 0..3 {
        let mut hand = Hand::ready(&talk).await?;
        let job = hand.newest()?;
        let asked = job.difficulty.get();
        let mut kept: Vec<Share> = Vec::new();
        for _ in 0..2 {
            let sought = between(asked, asked * 2.0)(&mut hand, &job)?;
            kept.push(hand.seek(sought).await?);
        }
        if hand.is_void(&job) {
            continue;
        }
        let (before, after) = raise(&mut hand).await?;
        if hand.is_void(&job) {
            return Err(talk.undecided(
                "a clean job came with the new difficulty: the old work is void",
                "a pool that changes difficulty without a clean job, which wastes work",
            ));
        }
        for share in &kept {
            let judged = hand.submit(share).await;
            hand.catch_up().await;
            if !hand.is_void(&job) {
                let what =
                    format!("a share of a job sent with difficulty {before}, after {after} was announced,");
                hand.expect_accept(&what, judged)?;
            }
        }
        return Ok(format!("work of difficulty {before} still counts after {after} was announced"));
    }
    Err(talk.undecided("new blocks come too fast", "a chain whose blocks are harder than its shares"))
}

async fn new_work(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let heard = hand.jobs.len();
    let (before, _) = raise(&mut hand).await?;
    let raised =
        |hand: &Hand| hand.jobs.last().and_then(|told| told.difficulty).is_some_and(|is| is.get() > before);
    if !hand.listen_until(NEXT_JOB, raised).await {
        return Err(talk.undecided(format!("no job came within {NEXT_JOB} of the new difficulty"), "a job"));
    }
    let since: Vec<_> = hand.jobs[heard..].iter().take(3).cloned().collect();
    let mut said = Vec::new();
    for told in since {
        let job = hand.job(&told)?;
        let asked = job.difficulty.get();
        let sought = between(asked, asked * 2.0)(&mut hand, &job)?;
        let share = hand.seek(sought).await?;
        let judged = hand.submit(&share).await;
        hand.catch_up().await;
        if hand.is_void(&job) {
            continue;
        }
        hand.expect_accept(&format!("a share of a job sent with difficulty {asked}"), judged)?;
        said.push(format!("{asked}"));
        if asked <= before {
            continue;
        }
        let sought = between(before, asked / 1.2)(&mut hand, &job)?;
        let share = hand.seek(sought).await?;
        let judged = hand.submit(&share).await;
        let what = format!("a share of difficulty {}, of a job sent with {asked},", share.reached());
        hand.expect_reject(&what, judged)?;
    }
    if said.is_empty() {
        return Err(
            talk.undecided("new blocks come too fast", "a chain whose blocks are harder than its shares")
        );
    }
    Ok(format!("jobs were judged by the difficulty before them: {}", said.join(", ")))
}

async fn suggestions(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let base = hand.newest()?.difficulty.get();
    let forms = [
        ("a number in a list", json!([base * 1.5])),
        ("a number", json!(base * 2.5)),
        ("a text in a list", json!([(base * 3.5).to_string()])),
    ];
    let mut told = Vec::new();
    for (form, params) in forms {
        let before = hand.announced.len();
        match hand.ask("mining.suggest_difficulty", params).await {
            Reply::Answered(_) => {}
            Reply::Silent => talk.measure("not answered", form),
            Reply::Ended(why) => {
                let finding = format!("a suggestion as {form} ends the connection: {why}");
                return Err(talk.stop(finding, "it is taken or ignored", []));
            }
        }
        hand.listen(Seconds(0.2)).await;
        told.push(format!(
            "{form}: {}",
            if hand.announced.len() > before { "followed" } else { "not followed" }
        ));
    }
    talk.measure("suggestions", told.join(", "));
    for (what, params) in [("zero", json!([0])), ("minus one", json!([-1])), ("no number", json!(["much"]))] {
        // Without an answer, which is allowed, there is nothing to wait for.
        let (id, sent) = hand.begin("mining.suggest_difficulty", params);
        hand.listen_until(Seconds(1.0), |hand| hand.answers.contains_key(&id.to_string())).await;
        if let Some(why) = hand.catch_up().await {
            let finding = format!("a suggestion of {what} ends the connection: {why}");
            return Err(talk.stop(finding, "it is refused or ignored", sent));
        }
    }
    hand.listen(Seconds(0.5)).await;
    for (value, evidence) in &hand.announced {
        if !value.as_f64().is_some_and(|value| value > 0.0) {
            talk.fail(format!("a difficulty of {value} is announced"), "a number above 0", *evidence);
        }
    }
    hand.must_accept("a good share afterwards", good).await?;
    Ok(told.join(", "))
}

async fn older_job(talk: Talk) -> Result<String, Stop> {
    for _ in 0..3 {
        let mut hand = Hand::ready(&talk).await?;
        let job = hand.newest()?;
        let share = hand.good().await?;
        if hand.is_void(&job) || share.job.notice.id != job.notice.id {
            continue;
        }
        let heard = hand.jobs.len();
        let wanted = job.difficulty.scaled(1.5);
        hand.suggest_difficulty(wanted).await;
        if !hand.listen_until(NEXT_JOB, |hand| hand.jobs.len() > heard).await {
            return Err(talk.undecided(format!("no other job came within {NEXT_JOB}"), "a newer job"));
        }
        if hand.is_void(&job) {
            continue;
        }
        let judged = hand.submit(&share).await;
        hand.catch_up().await;
        if !hand.is_void(&job) {
            hand.expect_accept("a share of the job before the newest, which is not clean,", judged)?;
            return Ok("work on the job before the newest still counts".to_owned());
        }
    }
    Err(talk.undecided("every newer job was clean", "a job that is not clean"))
}
