//! Cases about answers: whose they are, how many, how soon.

use serde_json::{Value, json};

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::{Hand, Reply, line, shown, verdict_of};
use super::proof::Sought;
use super::talk::{Stop, Talk};
use super::trial::good;
use crate::miner::{Fault, MinerJob, PoolVerdict};
use crate::units::Seconds;

/// Longest time to a verdict that 19 of 20 may take.
const VERDICT_P95_MAX: Seconds = Seconds(1.0);

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P39",
        title: "Ids come back as they were sent",
        severity: Severity::High,
        sources: &["JSON-RPC: the same value", "ESP-Miner #252: unknown result ids", "ESP-Miner #917"],
        miner: "Sends requests with ids that are small, zero, negative and large numbers, texts, an empty text and text with quotes",
        pool: "Answers each with the same id, of the same type",
        judged: "By comparing JSON values",
        run: |talk| Box::pin(ids(talk)),
    },
    PoolCase {
        id: "P40",
        title: "A method nobody knows gets an error",
        severity: Severity::Medium,
        sources: &["JSON-RPC: method not found"],
        miner: "Sends three methods that do not exist, then a share",
        pool: "Answers each with an error, and goes on",
        judged: "Three errors, and the share is accepted",
        run: |talk| Box::pin(unknown_method(talk)),
    },
    PoolCase {
        id: "P41",
        title: "Each submit gets one answer",
        severity: Severity::High,
        sources: &["ESP-Miner #1695: counting by answers"],
        miner: "Sends good and bad shares, twelve in one segment",
        pool: "Answers each once, with its own id and its own verdict",
        judged: "By counting answers for each id, and by the verdicts",
        run: |talk| Box::pin(one_answer(talk)),
    },
    PoolCase {
        id: "P42",
        title: "Verdicts come soon",
        severity: Severity::Medium,
        sources: &["para and p2poolv2 await submitblock before they answer"],
        miner: "Submits shares one after another and takes the time",
        pool: "Answers in the time that the network takes, and little more",
        judged: "19 of 20 verdicts of the whole examination within 1 s; the median and the slowest are reported",
        run: |talk| Box::pin(latency(talk)),
    },
];

async fn ids(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    hand.greet(None).await?;
    let sent = [
        json!(77),
        json!(0),
        json!(-5),
        json!(4_294_967_296_u64),
        json!(9_007_199_254_740_991_u64),
        json!("seven"),
        json!("77"),
        json!(""),
        json!("a \"quoted\" \u{e9}"),
    ];
    let user = talk.world().setting.user.clone();
    for id in &sent {
        // Asked again, who is authorized already is told so by every pool.
        let evidence = hand.send(line(id, "mining.authorize", &json!([user, "x"])));
        let wanted = id.to_string();
        hand.answers.clear();
        let came = hand.listen_until(talk.answer_within(), |hand| !hand.answers.is_empty()).await;
        let expected = "the id as it was sent, with its type";
        if !came {
            return Err(talk.stop(format!("a request with id {id} is not answered"), expected, evidence));
        }
        if !hand.answers.contains_key(&wanted) {
            let other = hand.answers.keys().next().cloned().unwrap_or_default();
            let finding = format!("a request with id {id} is answered with id {other}");
            return Err(talk.stop(finding, expected, evidence));
        }
    }
    Ok(format!("{} ids of several types came back", sent.len()))
}

async fn unknown_method(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let expected = "an error that says so; the connection goes on";
    let mut said = String::new();
    for method in ["mining.adit_unknown", "adit", ""] {
        match hand.ask(method, json!([])).await {
            Reply::Answered(answer) if answer.error.is_some() => said = shown(&answer),
            Reply::Answered(answer) => {
                let finding = format!("the method `{method}` is answered with {}", shown(&answer));
                return Err(talk.stop(finding, expected, answer.evidence));
            }
            Reply::Silent => {
                return Err(talk.stop(format!("the method `{method}` is not answered"), expected, []));
            }
            Reply::Ended(why) => {
                let finding = format!("the method `{method}` ends the connection: {why}");
                return Err(talk.stop(finding, expected, []));
            }
        }
    }
    hand.must_accept("a good share afterwards", good).await?;
    Ok(format!("answered with {said}"))
}

async fn one_answer(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    hand.catch_up().await;
    let job = hand.newest()?;
    let mut shares = Vec::new();
    for number in 0..12 {
        let sought = if number % 3 == 2 {
            hand.fault(Fault::UnknownJob, &job)?
        } else {
            let start = hand.next_start();
            Sought::good(&job, start)
        };
        shares.push(hand.seek(sought).await?);
    }
    let mut segment = Vec::new();
    let mut sent = Vec::new();
    for share in &shares {
        let id = hand.fresh_id();
        segment.extend(line(&json!(id), "mining.submit", &hand.params(share)));
        sent.push((id, share.fault));
    }
    let evidence = hand.send(segment);
    let all = |hand: &Hand| sent.iter().all(|(id, _)| hand.answers.contains_key(&id.to_string()));
    hand.listen_until(talk.answer_within(), all).await;
    // One that comes twice comes soon.
    hand.listen(Seconds(0.5)).await;
    judge_each(&hand, &job, &sent, evidence)?;
    Ok("12 submits, 12 answers".to_owned())
}

fn judge_each(
    hand: &Hand,
    job: &MinerJob,
    sent: &[(u64, Option<Fault>)],
    evidence: Option<usize>,
) -> Result<(), Stop> {
    let expected = "one answer for each submit, with its id";
    let missing = sent.iter().filter(|(id, _)| !hand.answers.contains_key(&id.to_string())).count();
    if missing > 0 {
        let finding = format!("{missing} of {} submits are not answered", sent.len());
        return Err(hand.talk.stop(finding, expected, evidence));
    }
    for (id, fault) in sent {
        let answers = &hand.answers[&Value::from(*id).to_string()];
        if answers.len() > 1 {
            let finding = format!("submit {id} is answered {} times", answers.len());
            return Err(hand.talk.stop(
                finding,
                expected,
                answers.iter().filter_map(|answer| answer.evidence),
            ));
        }
        let accepted = verdict_of(&answers[0]) == PoolVerdict::Accepted;
        if accepted == fault.is_some() && !hand.is_void(job) {
            let kind = if fault.is_some() { "bad" } else { "good" };
            let finding = format!("submit {id}, a {kind} share, is answered with {}", shown(&answers[0]));
            return Err(hand.talk.stop(finding, "its own verdict", answers[0].evidence));
        }
    }
    Ok(())
}

async fn latency(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready_with(&talk, None, 0.2).await?;
    for _ in 0..20 {
        let (_, judged) = hand.attempt(good).await?;
        if judged.verdict.is_none() {
            return Err(talk.stop(format!("a share is {}", judged.words()), "a verdict", judged.evidence));
        }
    }
    let mut latencies = talk.world().latencies.clone();
    latencies.sort_by(f64::total_cmp);
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part).round() as usize];
    let (median, p95, slowest) = (at(0.5), at(0.95), at(1.0));
    let milliseconds = |seconds: f64| format!("{:.1} ms", seconds * 1e3);
    for (name, value) in [("median", median), ("95th percentile", p95), ("slowest", slowest)] {
        talk.measure(name, milliseconds(value));
    }
    let found = format!(
        "median {}, 95th percentile {} of {} verdicts",
        milliseconds(median),
        milliseconds(p95),
        latencies.len()
    );
    if p95 > VERDICT_P95_MAX.0 {
        return Err(talk.stop(found, "within 1 s, the round trip included", []));
    }
    Ok(found)
}
