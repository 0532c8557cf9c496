//! Cases about verdicts on whole shares: good, low, repeated, of other jobs and blocks.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::Hand;
use super::proof::{SLICES, Sought, Start};
use super::talk::{Stop, Talk};
use super::trial::good;
use crate::hash::sha256d_header;
use crate::miner::oracle::LATE_CREDIT;
use crate::miner::{Fault, MinerJob, Share};
use crate::units::Seconds;

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P17",
        title: "Good shares are accepted",
        severity: Severity::Critical,
        sources: &["Stratum wiki 2012: mining.submit", "NerdMiner #750: leading zeros"],
        miner: "Submits real shares with small and with the largest nonces, extranonce2 of zeros, of all ones and others",
        pool: "Accepts each",
        judged: "Every verdict is true. It also proves version, previous hash, branch, coinbase and word orders: one wrong bit, and no proof would hold",
        run: |talk| Box::pin(good_shares(talk)),
    },
    PoolCase {
        id: "P18",
        title: "A hash above the target is rejected",
        severity: Severity::Critical,
        sources: &["Stratum wiki 2012: code 23"],
        miner: "Submits headers that miss the target, three times",
        pool: "Rejects them",
        judged: "No verdict is true",
        run: |talk| Box::pin(low_difficulty(talk)),
    },
    PoolCase {
        id: "P19",
        title: "A share counts once",
        severity: Severity::Critical,
        sources: &["Stratum wiki 2012: code 22", "miningcore BitcoinJob.cs: the key lacks version bits"],
        miner: "Submits an accepted share again: as it was, with the digits in capitals, and after other shares",
        pool: "Rejects each repetition",
        judged: "The first verdict is true, the others are not",
        run: |talk| Box::pin(duplicates(talk)),
    },
    PoolCase {
        id: "P20",
        title: "A share counts on its own connection only",
        severity: Severity::Critical,
        sources: &["para, blitzpool: duplicates are remembered for each session"],
        miner: "Submits a share that one connection was credited for on another connection, under each job that one has",
        pool: "Rejects it: there it is other work",
        judged: "No verdict on the second connection is true",
        run: |talk| Box::pin(other_connection(talk)),
    },
    PoolCase {
        id: "P21",
        title: "A share of a job that never was is rejected",
        severity: Severity::High,
        sources: &["Stratum wiki 2012: code 21"],
        miner: "Submits a real proof under a made-up job id",
        pool: "Rejects it",
        judged: "The verdict is not true",
        run: |talk| Box::pin(unknown_job(talk)),
    },
    PoolCase {
        id: "P22",
        title: "A share of the block before is rejected",
        severity: Severity::High,
        sources: &["Stratum wiki 2012: code 21", "blitzpool: 5 s of credit after a new block"],
        miner: "Keeps a share until a new block has come and 10 s more have passed, then submits it",
        pool: "Rejects it as stale or unknown",
        judged: "The verdict is not true. Whether a share was still credited directly after the block is reported. Inconclusive when no block comes in time",
        run: |talk| Box::pin(stale(talk)),
    },
    PoolCase {
        id: "P23",
        title: "Jobs on a new block are clean",
        severity: Severity::High,
        sources: &["Stratum wiki 2012: clean_jobs", "umbrel-apps #946: mining old work unnoticed"],
        miner: "Watches the jobs of all its connections, and waits for a new block if none has come",
        pool: "Sets clean on the first job of a connection that builds on another block",
        judged: "By all jobs seen. Inconclusive when no block comes in time",
        run: |talk| Box::pin(clean(talk)),
    },
];

async fn good_shares(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let places = [
        ("extranonce2 of zeros and a small nonce", (0, 0)),
        ("extranonce2 of zeros and a large nonce", (SLICES - 1, 0)),
        ("extranonce2 of ones and a small nonce", (1, u64::MAX)),
        ("extranonce2 of ones and a large nonce", (SLICES - 2, u64::MAX)),
        ("an uneven extranonce2", (2, 0x0102_0304_0506_0708)),
        ("an extranonce2 with the highest bit set", (3, 0x8080_8080_8080_8080)),
    ];
    for (what, (slice, extranonce2)) in places {
        let start = Start { slice, extranonce2 };
        hand.must_accept(&format!("a good share with {what}"), |_, job| Ok(Sought::good(job, start))).await?;
    }
    for _ in 0..4 {
        hand.must_accept("a good share", good).await?;
    }
    if !hand.unreadable.is_empty() {
        let (why, evidence) = hand.unreadable[0].clone();
        talk.fail(format!("a line is not readable: {why}"), "one JSON object a line", evidence);
    }
    let difficulty = hand.newest()?.difficulty;
    talk.measure("difficulty", difficulty);
    Ok(format!("10 of 10 accepted at difficulty {difficulty}"))
}

async fn low_difficulty(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let mut said = None;
    for _ in 0..3 {
        let what = "a share above the target";
        said = hand.must_reject(what, |hand, job| hand.fault(Fault::LowDifficulty, job)).await?;
    }
    Ok(said.map_or("rejected by ending the connection".to_owned(), |error| format!("rejected: {error}")))
}

async fn duplicates(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let share = hand.must_accept("a good share", good).await?;
    let again = hand.submit(&share).await;
    hand.expect_reject("the same share again", again)?;
    let params = hand.params(&share);
    let capitals = in_capitals(&params);
    if capitals != params {
        let again = hand.submit_params(capitals).await;
        hand.expect_reject("the same share in capital digits", again)?;
    }
    for _ in 0..3 {
        hand.must_accept("another good share", good).await?;
    }
    let again = hand.submit(&share).await;
    let said = hand.expect_reject("the same share after three others", again)?;
    Ok(said.map_or("rejected by ending the connection".to_owned(), |error| format!("rejected: {error}")))
}

/// The same parameters with capital digits, except for worker and job id.
fn in_capitals(params: &Value) -> Value {
    let mut params = params.as_array().cloned().unwrap_or_default();
    for param in params.iter_mut().skip(2) {
        if let Some(text) = param.as_str() {
            *param = json!(text.to_ascii_uppercase());
        }
    }
    Value::from(params)
}

async fn other_connection(talk: Talk) -> Result<String, Stop> {
    let mut first = Hand::ready(&talk).await?;
    let mut second = Hand::ready(&talk).await?;
    let (share, jobs) = loop {
        let share = first.must_accept("a good share", good).await?;
        second.catch_up().await;
        let last: Vec<_> = second.jobs.iter().rev().take(4).map(|told| second.job(told)).collect();
        let last = last.into_iter().collect::<Result<Vec<_>, Stop>>()?;
        // By luck it may be good work there as well.
        if !last.iter().any(|job| would_do(&share, job)) {
            break (share, last);
        }
    };
    let mut params = first.params(&share);
    let ids: Vec<Value> = jobs.iter().map(|job| json!(job.notice.id)).collect();
    for id in ids.into_iter().chain([params[1].clone()]) {
        params[1] = id;
        let judged = second.submit_params(params.clone()).await;
        second.expect_reject("a share of another connection", judged)?;
    }
    Ok("rejected under each job of the other connection".to_owned())
}

/// Whether the fields of a share are good work on another job too.
fn would_do(share: &Share, job: &MinerJob) -> bool {
    let root = job.merkle_root(share.extranonce2.as_bytes());
    let header = job.header(root, job.notice.version, share.ntime, share.nonce);
    job.target.is_met_by(&sha256d_header(&header.to_bytes()))
}

async fn unknown_job(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let what = "a share of a job that never was";
    let said = hand.must_reject(what, |hand, job| hand.fault(Fault::UnknownJob, job)).await?;
    Ok(said.map_or("rejected by ending the connection".to_owned(), |error| format!("rejected: {error}")))
}

/// Waits for a new block on this connection, out of what is left for that.
async fn new_block(hand: &mut Hand, job: &Arc<MinerJob>) -> Result<(), Stop> {
    let before = hand.talk.now();
    let wait = hand.talk.world().tip_wait;
    let prev_hash = job.notice.prev_hash;
    let came = hand
        .listen_until(wait, |hand| hand.jobs.last().is_some_and(|last| last.notice.prev_hash != prev_hash))
        .await;
    let waited = hand.talk.now().since(before);
    hand.talk.world().tip_wait = Seconds((wait - waited).0.max(0.0));
    if came {
        return Ok(());
    }
    let finding = format!("no new block within {:.0} s", waited.0);
    Err(hand.talk.undecided(finding, "more patience: --tip-wait 1200; or a chain with more blocks"))
}

async fn stale(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let mut kept: Vec<Share> = Vec::new();
    let job = hand.newest()?;
    for _ in 0..2 {
        let start = hand.next_start();
        kept.push(hand.seek(Sought::good(&job, start)).await?);
    }
    new_block(&mut hand, &job).await?;
    let late = hand.submit(&kept[0]).await;
    talk.measure("a share directly after a new block is", late.words());
    hand.listen(LATE_CREDIT).await;
    let judged = hand.submit(&kept[1]).await;
    let what = format!("a share of the block before, {LATE_CREDIT} after the new one,");
    let said = hand.expect_reject(&what, judged)?;
    Ok(said.map_or("rejected by ending the connection".to_owned(), |error| format!("rejected: {error}")))
}

async fn clean(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    hand.greet(None).await?;
    hand.first_job().await?;
    let changes = |talk: &Talk| {
        let world = talk.world();
        let notices = &world.notices;
        let mut changes = Vec::new();
        for (at, notice) in notices.iter().enumerate() {
            let before = notices[..at].iter().rev().find(|before| before.connection == notice.connection);
            if before.is_some_and(|before| before.prev_hash != notice.prev_hash) {
                changes.push(*notice);
            }
        }
        changes
    };
    if changes(&talk).is_empty() {
        let job = hand.newest()?;
        new_block(&mut hand, &job).await?;
    }
    let changes = changes(&talk);
    let dirty = changes.iter().filter(|notice| !notice.clean).count();
    if dirty > 0 {
        let evidence = hand.jobs.last().and_then(|told| told.evidence);
        let finding = format!("{dirty} of {} jobs on a new block were not clean", changes.len());
        return Err(talk.stop(finding, "clean, or miners go on with work that nobody credits", evidence));
    }
    Ok(format!("{} jobs on a new block, all clean", changes.len()))
}
