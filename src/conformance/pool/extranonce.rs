//! Cases about the extranonce: its sizes, that it is nobody else's, and its changes.

use serde_json::json;

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::{Hand, Reply, shown};
use super::talk::{Stop, Talk};
use super::trial::good;
use crate::stratum::v1::hex;

/// Connections that are compared.
const CONNECTIONS: usize = 8;

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P07",
        title: "Extranonce sizes are those that firmware can hold",
        severity: Severity::High,
        sources: &[
            "Braiins stratum #501: S9 and cgminer cannot take an extranonce2 above 8 bytes",
            "ckpool: 2 to 8 bytes each",
        ],
        miner: "Subscribes",
        pool: "Leaves 2 to 8 bytes of extranonce2 behind an extranonce1 of at most 8",
        judged: "By the answer to subscribe",
        run: |talk| Box::pin(sizes(talk)),
    },
    PoolCase {
        id: "P08",
        title: "No two connections have the same extranonce1",
        severity: Severity::Critical,
        sources: &["para #572: extranonce collisions", "public-pool: random extranonce1"],
        miner: "Opens eight connections and subscribes on each",
        pool: "Gives each another extranonce1, none the beginning of another",
        judged: "By comparing them",
        run: |talk| Box::pin(unique(talk)),
    },
    PoolCase {
        id: "P09",
        title: "extranonce.subscribe is answered",
        severity: Severity::Medium,
        sources: &["NiceHash specification of mining.extranonce.subscribe", "ESP-Miner #193"],
        miner: "Sends mining.extranonce.subscribe after the handshake, then submits a share",
        pool: "Answers true, or an error; goes on either way",
        judged: "An answer, and a share accepted after it",
        run: |talk| Box::pin(subscribe_changes(talk)),
    },
];

async fn sizes(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    let answer = hand.subscribe(None).await?;
    let split = hand.extranonce.as_ref().expect("subscribed above");
    let (ours, theirs) = (split.extranonce2_bytes, split.extranonce1.len());
    if !(2..=8).contains(&ours) {
        talk.fail(
            format!("extranonce2 of {ours} bytes"),
            "2 to 8: fewer are used up in a moment, more break S9s and cgminers",
            answer.evidence,
        );
    }
    if !(1..=8).contains(&theirs) {
        talk.fail(format!("extranonce1 of {theirs} bytes"), "1 to 8", answer.evidence);
    }
    Ok(format!("{theirs} bytes of extranonce1 and {ours} of extranonce2"))
}

async fn unique(talk: Talk) -> Result<String, Stop> {
    let mut seen: Vec<(Vec<u8>, Option<usize>)> = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut hand = Hand::connect(&talk).await?;
        let answer = hand.subscribe(None).await?;
        let mine = hand.extranonce.clone().expect("subscribed above").extranonce1;
        let clash = seen.iter().find(|(other, _)| other.starts_with(&mine) || mine.starts_with(other));
        if let Some((other, evidence)) = clash {
            let finding =
                format!("{} and {} were given to two connections", hex::encode(other), hex::encode(&mine));
            let expected =
                "extranonces that differ: else two miners do the same work, and one of them for nothing";
            return Err(talk.stop(finding, expected, evidence.iter().copied().chain(answer.evidence)));
        }
        seen.push((mine, answer.evidence));
    }
    Ok(format!("{CONNECTIONS} connections, {CONNECTIONS} extranonces"))
}

async fn subscribe_changes(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let expected = "true or an error, and the session goes on";
    let said = match hand.ask("mining.extranonce.subscribe", json!([])).await {
        Reply::Answered(answer) => shown(&answer),
        Reply::Silent => return Err(talk.stop("mining.extranonce.subscribe is not answered", expected, [])),
        Reply::Ended(why) => {
            let finding = format!("mining.extranonce.subscribe ends the connection: {why}");
            return Err(talk.stop(finding, expected, []));
        }
    };
    hand.must_accept("a share after mining.extranonce.subscribe", good).await?;
    talk.measure("answer", &said);
    Ok(format!("answered with {said}"))
}
