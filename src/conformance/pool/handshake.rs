//! Cases about coming to work: subscribe, authorize, configure, the first job.

use serde_json::{Value, json};

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::{Hand, Reply, line, shown};
use super::talk::{Stop, Talk};
use crate::stratum::v1::VERSION_MASK;
use crate::units::Seconds;

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P01",
        title: "The answer to subscribe has the known form",
        severity: Severity::Critical,
        sources: &[
            "Stratum wiki 2012: mining.subscribe",
            "ESP-Miner #1880: a negative extranonce2_size crashes",
        ],
        miner: "Subscribes",
        pool: "Answers with a list of subscriptions, extranonce1 as hexadecimal text, and the bytes of extranonce2 as a whole number; error is null",
        judged: "By the JSON types of the answer",
        run: |talk| Box::pin(subscription(talk)),
    },
    PoolCase {
        id: "P02",
        title: "The first job comes soon after authorize",
        severity: Severity::High,
        sources: &["ESP-Miner #689: devices wait for ever on a pool without work"],
        miner: "Subscribes and authorizes, and waits",
        pool: "Sends a job at once",
        judged: "A mining.notify within 10 s of the answer to authorize; the time is reported",
        run: |talk| Box::pin(first_job(talk)),
    },
    PoolCase {
        id: "P03",
        title: "The difficulty is known before the first job",
        severity: Severity::High,
        sources: &[
            "ESP-Miner #190: difficulty after the first notify",
            "ESP-Miner #1592: fractions cut to 0",
        ],
        miner: "Subscribes and authorizes",
        pool: "Sends mining.set_difficulty with a number above 0 before the first mining.notify",
        judged: "By the order of the two, and the JSON type of the value",
        run: |talk| Box::pin(difficulty_first(talk)),
    },
    PoolCase {
        id: "P04",
        title: "The handshake works in one segment and without configure",
        severity: Severity::High,
        sources: &["Braiins farm-proxy #31: configure, subscribe and authorize in one packet freeze it"],
        miner: "Sends configure, subscribe and authorize as one segment; on another connection, authorize before subscribe",
        pool: "Answers each; the first order leads to a job. The other order may be refused, in words",
        judged: "All ids answered; a job in the first order",
        run: |talk| Box::pin(one_segment(talk)),
    },
    PoolCase {
        id: "P05",
        title: "Only version bits that were offered are granted",
        severity: Severity::High,
        sources: &["BIP310: version-rolling", "btcpool #425: masks beyond BIP320"],
        miner: "Asks for version rolling with all bits of BIP320, with two of them, and with an unknown extension",
        pool: "Grants a subset of what was asked, as 8 hexadecimal digits, or refuses with false; says false to what it does not know, or nothing",
        judged: "By the answers to mining.configure",
        run: |talk| Box::pin(configure(talk)),
    },
    PoolCase {
        id: "P06",
        title: "A lost session goes on, or begins anew",
        severity: Severity::Medium,
        sources: &["Stratum wiki 2012: resuming a session", "para #572: extranonce collisions"],
        miner: "Subscribes with the session of a connection that still lives, of one that was lost, and of none that ever was",
        pool: "Grants a subscription each time, and never the extranonce1 of a connection that still lives",
        judged: "By the answers; whether a session was resumed is reported",
        run: |talk| Box::pin(resume(talk)),
    },
];

async fn subscription(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    let answer = hand.answer("mining.subscribe", json!(["adit-check"])).await?;
    let expected = "[[[\"mining.notify\", SESSION], …], \"EXTRANONCE1\", BYTES]";
    let wrong = |what: String| talk.stop(what, expected, answer.evidence);
    if answer.error.is_some() {
        return Err(wrong(format!("the subscription is refused: {}", shown(&answer))));
    }
    let Value::Array(parts) = &answer.result else {
        return Err(wrong(format!("the result is no list: {}", answer.result)));
    };
    let [subscriptions, extranonce1, bytes, ..] = parts.as_slice() else {
        return Err(wrong(format!("the result has {} elements instead of 3", parts.len())));
    };
    if !subscriptions.is_array() {
        return Err(wrong(format!("the subscriptions are no list: {subscriptions}")));
    }
    let hexadecimal = |text: &str| {
        !text.is_empty()
            && text.len().is_multiple_of(2)
            && text.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    if !extranonce1.as_str().is_some_and(hexadecimal) {
        return Err(wrong(format!(
            "extranonce1 is {extranonce1}, which is no hexadecimal text of whole bytes"
        )));
    }
    let Some(bytes) = bytes.as_u64() else {
        return Err(wrong(format!("the bytes of extranonce2 are {bytes}, which is no whole number")));
    };
    talk.measure("extranonce1", extranonce1);
    talk.measure("bytes of extranonce2", bytes);
    Ok(format!("extranonce1 {extranonce1}, {bytes} bytes of extranonce2"))
}

async fn first_job(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    hand.greet(None).await?;
    let began = talk.now();
    hand.first_job().await?;
    let waited = hand.jobs[0].at.since(began);
    talk.measure("first job after authorize", format!("{:.3} s", waited.0));
    Ok(format!("the first job came {:.3} s after authorize", waited.0))
}

async fn difficulty_first(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    hand.greet(None).await?;
    hand.first_job().await?;
    let expected = "mining.set_difficulty with a number above 0, then mining.notify";
    let job = &hand.jobs[0];
    if job.difficulty.is_none() {
        // Was it only late? That tells the operator what to look for.
        let evidence = job.evidence;
        hand.listen(Seconds(2.0)).await;
        let late = hand.announced.first();
        let finding = match late {
            Some((value, _)) => format!("the first job came before difficulty {value} was announced"),
            None => "the first job came without any difficulty".to_owned(),
        };
        return Err(talk.stop(finding, expected, evidence.into_iter().chain(late.and_then(|late| late.1))));
    }
    for (value, evidence) in &hand.announced {
        if !value.as_f64().is_some_and(|value| value > 0.0) {
            talk.fail(format!("a difficulty of {value} is announced"), expected, *evidence);
        }
    }
    Ok(format!("difficulty {} came before the first job", job.difficulty.expect("checked above")))
}

async fn one_segment(talk: Talk) -> Result<String, Stop> {
    let (user, password) = {
        let setting = &talk.world().setting;
        (setting.user.clone(), setting.password.clone())
    };
    let configure = line(
        &json!(1),
        "mining.configure",
        &json!([["version-rolling"], {"version-rolling.mask": format!("{VERSION_MASK:08x}")}]),
    );
    let subscribe = line(&json!(2), "mining.subscribe", &json!(["adit-check"]));
    let authorize = line(&json!(3), "mining.authorize", &json!([user, password]));

    let mut hand = Hand::connect(&talk).await?;
    let sent = hand.send([&configure[..], &subscribe, &authorize].concat());
    for id in [1, 2, 3] {
        if let Some(why) = unanswered(&hand.reply(&json!(id)).await) {
            let finding =
                format!("of configure, subscribe and authorize in one segment, request {id} is {why}");
            return Err(talk.stop(finding, "three answers and a job", sent));
        }
    }
    hand.first_job().await?;

    let mut hand = Hand::connect(&talk).await?;
    let sent = hand.send([&authorize[..], &subscribe].concat());
    for id in [3, 2] {
        match hand.reply(&json!(id)).await {
            Reply::Ended(why) => {
                talk.measure("authorize before subscribe", format!("ends the connection: {why}"));
                return Ok("one segment works; authorize before subscribe ends the connection".to_owned());
            }
            Reply::Silent => {
                let finding = format!("with authorize before subscribe, request {id} is not answered");
                return Err(talk.stop(finding, "an answer, be it an error", sent));
            }
            Reply::Answered(answer) if id == 3 => {
                talk.measure("authorize before subscribe", shown(&answer));
            }
            Reply::Answered(_) => {}
        }
    }
    Ok("one segment works, and authorize before subscribe is answered".to_owned())
}

fn unanswered(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Answered(_) => None,
        Reply::Silent => Some("not answered".to_owned()),
        Reply::Ended(why) => Some(format!("answered by ending the connection: {why}")),
    }
}

async fn configure(talk: Talk) -> Result<String, Stop> {
    let mut granted = Vec::new();
    for asked in [VERSION_MASK, 0x0000_6000] {
        let mut hand = Hand::connect(&talk).await?;
        let reply = hand.configure(asked).await;
        let Reply::Answered(answer) = reply else {
            let finding = "mining.configure is not answered";
            return Err(talk.stop(finding, "an answer, be it an error: firmware waits for it", []));
        };
        if answer.error.is_some() {
            return Err(talk.skip(format!("the pool does not know mining.configure: {}", shown(&answer))));
        }
        let rolling = &answer.result["version-rolling"];
        let mask = &answer.result["version-rolling.mask"];
        let expected =
            "\"version-rolling\": true and a \"version-rolling.mask\" of 8 digits within what was asked";
        match (rolling, mask.as_str()) {
            (Value::Bool(true), Some(text)) => {
                let value = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8);
                let Some(value) = value else {
                    let finding = format!("the mask granted is {mask}, which are not 8 hexadecimal digits");
                    return Err(talk.stop(finding, expected, answer.evidence));
                };
                if value & !asked != 0 {
                    let finding = format!("{asked:08x} was asked for and {value:08x} granted");
                    return Err(talk.stop(finding, expected, answer.evidence));
                }
                granted.push(format!("{value:08x} of {asked:08x}"));
            }
            (Value::Bool(true), None) => {
                let finding = format!("version rolling is granted with mask {mask}");
                return Err(talk.stop(finding, expected, answer.evidence));
            }
            (Value::Bool(false) | Value::Null, _) => granted.push(format!("none of {asked:08x}")),
            (other, _) => {
                return Err(talk.stop(format!("\"version-rolling\" is {other}"), expected, answer.evidence));
            }
        }
    }
    let mut hand = Hand::connect(&talk).await?;
    let params = json!([["version-rolling", "adit-unknown"], {"version-rolling.mask": "1fffe000"}]);
    let answer = hand.answer("mining.configure", params).await?;
    let unknown = &answer.result["adit-unknown"];
    if *unknown == Value::Bool(true) {
        let finding = "an extension that nobody knows is granted";
        return Err(talk.stop(finding, "false, or no mention", answer.evidence));
    }
    talk.measure("granted", granted.join(", "));
    Ok(format!("granted: {}", granted.join(", ")))
}

async fn resume(talk: Talk) -> Result<String, Stop> {
    let mut first = Hand::connect(&talk).await?;
    first.greet(None).await?;
    let extranonce1 = first.extranonce.clone().map(|split| split.extranonce1);
    let Some(session) = first.session.clone() else {
        let mut hand = Hand::connect(&talk).await?;
        hand.subscribe(Some("00000000000000000000000000000000")).await?;
        return Ok("the pool names no sessions, and ignores one that is named".to_owned());
    };

    let mut second = Hand::connect(&talk).await?;
    let answer = second.subscribe(Some(&session)).await?;
    if second.extranonce.as_ref().map(|split| &split.extranonce1) == extranonce1.as_ref() {
        let finding = "a session that still lives was given to a second connection, with its extranonce1";
        return Err(talk.stop(
            finding,
            "another extranonce1: two miners must not do the same work",
            answer.evidence,
        ));
    }
    talk.hang_up(second.connection);

    talk.hang_up(first.connection);
    talk.sleep(Seconds(1.0)).await;
    let mut third = Hand::connect(&talk).await?;
    third.subscribe(Some(&session)).await?;
    let resumed = third.extranonce.as_ref().map(|split| &split.extranonce1) == extranonce1.as_ref();
    third.authorize().await?;
    third.first_job().await?;

    let mut fourth = Hand::connect(&talk).await?;
    fourth.subscribe(Some("no session of yours")).await?;
    talk.measure("sessions are resumed", resumed);
    Ok(if resumed { "a lost session is resumed" } else { "a lost session begins anew" }.to_owned())
}
