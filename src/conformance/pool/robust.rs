//! Cases about what a network does, and what no miner should: pieces, garbage, floods, silence.

use serde_json::json;

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::{Hand, Reply, line};
use super::talk::{Standing, Stop, Talk};
use super::trial::good;
use crate::units::Seconds;

/// Bytes without a line feed that no miner sends.
const FLOOD_BYTES: usize = 1024 * 1024;

/// Depth of a nested list: deeper than a parser may follow on its stack.
const NESTED: usize = 10_000;

/// How much later than on others a new block may be told on a connection.
const TIP_LAG: Seconds = Seconds(10.0);

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P43",
        title: "Lines come in any pieces",
        severity: Severity::High,
        sources: &["TCP is a stream", "Braiins farm-proxy #31"],
        miner: "Sends a request byte by byte, one with a carriage return, empty lines, and two requests and a half in one segment",
        pool: "Answers each request",
        judged: "By the ids answered",
        run: |talk| Box::pin(pieces(talk)),
    },
    PoolCase {
        id: "P44",
        title: "Garbage does no harm",
        severity: Severity::Critical,
        sources: &["JSON-RPC: parse error", "p2poolv2: no reply to what it cannot read"],
        miner: "Sends lines that are no JSON, no object, not UTF-8, cut off, or nested ten thousand deep, each followed by a subscribe",
        pool: "Answers the subscribe, or ends the connection; serves others as before",
        judged: "Either of the two each time, and a new connection comes to a job and has a share accepted",
        run: |talk| Box::pin(garbage(talk)),
    },
    PoolCase {
        id: "P45",
        title: "A line without end is cut off",
        severity: Severity::High,
        sources: &["ckpool: 1024 bytes a message; blitzpool: 16 KiB a line"],
        miner: "Sends 1 MiB without a line feed, then a line feed and a subscribe",
        pool: "Ends the connection: it keeps no more than a line can have",
        judged: "The connection ends, and a new one comes to a job",
        run: |talk| Box::pin(flood(talk)),
    },
    PoolCase {
        id: "P46",
        title: "Who was lost may come back",
        severity: Severity::High,
        sources: &["ESP-Miner #1311: never rejoins", "SpiralPool #10: a loop of bans"],
        miner: "Connects, subscribes and ends the connection, five times in a row, then mines",
        pool: "Lets it in each time",
        judged: "Five subscriptions, then a share accepted",
        run: |talk| Box::pin(come_back(talk)),
    },
    PoolCase {
        id: "P47",
        title: "A quiet connection lives",
        severity: Severity::Medium,
        sources: &["NerdMiner #805: a keep-alive every 30 s", "a slow miner finds a share in minutes"],
        miner: "Keeps a connection that mines nothing from the beginning of the examination, half a minute at least",
        pool: "Does not end it, and sends it the jobs that others get",
        judged: "It lives, and heard of each new block that others heard of 10 s before",
        run: |talk| Box::pin(quiet(talk)),
    },
];

async fn pieces(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    let user = talk.world().setting.user.clone();
    let subscribe = line(&json!(11), "mining.subscribe", &json!(["adit-check"]));
    for byte in subscribe {
        hand.send([byte]);
    }
    expect_answer(&mut hand, 11, "a request byte by byte").await?;
    let authorize = |id: u64| line(&json!(id), "mining.authorize", &json!([user, "x"]));
    let mut returned = authorize(12);
    returned.insert(returned.len() - 1, b'\r');
    hand.send(returned);
    expect_answer(&mut hand, 12, "a request with a carriage return").await?;
    hand.send([b"\n\n".to_vec(), authorize(13)].concat());
    expect_answer(&mut hand, 13, "a request after empty lines").await?;
    let (begin, end) = (authorize(16)[..20].to_vec(), authorize(16)[20..].to_vec());
    hand.send([authorize(14), authorize(15), begin].concat());
    expect_answer(&mut hand, 14, "the first of two requests in one segment").await?;
    expect_answer(&mut hand, 15, "the second of two requests in one segment").await?;
    hand.send(end);
    expect_answer(&mut hand, 16, "a request in two segments").await?;
    Ok("every request answered, however it was cut".to_owned())
}

async fn expect_answer(hand: &mut Hand, id: u64, what: &str) -> Result<(), Stop> {
    let finding = match hand.reply(&json!(id)).await {
        Reply::Answered(_) => return Ok(()),
        Reply::Silent => format!("{what} is not answered"),
        Reply::Ended(why) => format!("{what} ends the connection: {why}"),
    };
    Err(hand.talk.stop(finding, "an answer: TCP is a stream of bytes", []))
}

async fn garbage(talk: Talk) -> Result<String, Stop> {
    let deep = |open: &str| open.repeat(NESTED).into_bytes();
    let lines: [(&str, Vec<u8>); 9] = [
        ("text that is no JSON", b"GET / HTTP/1.1".to_vec()),
        ("a line cut off", b"{\"id\":1,\"method\":\"mining.subs".to_vec()),
        ("a list", b"[1,2,3]".to_vec()),
        ("a number", b"5".to_vec()),
        ("an object without method", b"{\"id\":5}".to_vec()),
        ("a method that is a number", b"{\"id\":5,\"method\":7,\"params\":[]}".to_vec()),
        ("bytes that are not UTF-8", vec![b'{', 0xff, 0xfe, 0, b'}']),
        ("lists nested ten thousand deep", deep("[")),
        ("objects nested ten thousand deep", deep("{\"id\":")),
    ];
    let mut ended = 0;
    for (what, bytes) in lines {
        let mut hand = Hand::connect(&talk).await?;
        let sent = hand.send([bytes, b"\n".to_vec()].concat());
        let subscribe = line(&json!(21), "mining.subscribe", &json!(["adit-check"]));
        hand.send(subscribe);
        match hand.reply(&json!(21)).await {
            Reply::Answered(_) => {}
            Reply::Ended(_) => ended += 1,
            Reply::Silent => {
                let finding = format!("after {what} a subscribe is not answered");
                return Err(talk.stop(finding, "an answer, or the end of the connection", sent));
            }
        }
        talk.hang_up(hand.connection);
    }
    serves_on(&talk).await?;
    talk.measure("connections ended", ended);
    Ok(format!("9 lines of garbage; {ended} ended their connection, and the pool serves on"))
}

/// A new connection comes to work.
async fn serves_on(talk: &Talk) -> Result<(), Stop> {
    let mut hand = Hand::ready(talk).await?;
    hand.must_accept("a good share of a new connection afterwards", good).await?;
    Ok(())
}

async fn flood(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    let sent = hand.send(vec![b'x'; FLOOD_BYTES]);
    let mut end = hand.listen(Seconds(2.0)).await;
    if end.is_none() {
        let subscribe = line(&json!(31), "mining.subscribe", &json!(["adit-check"]));
        hand.send([b"\n".to_vec(), subscribe].concat());
        end = hand.listen(talk.answer_within()).await;
    }
    if end.is_none() {
        let finding = if hand.answers.is_empty() {
            "1 MiB without a line feed neither ends the connection nor is answered"
        } else {
            "1 MiB without a line feed was taken for a line"
        };
        return Err(talk.stop(finding, "the end of the connection: memory is not the miner's to fill", sent));
    }
    Hand::ready(&talk).await?;
    Ok("it ends the connection, and the pool serves on".to_owned())
}

async fn come_back(talk: Talk) -> Result<String, Stop> {
    for _ in 0..5 {
        let mut hand = Hand::connect(&talk).await?;
        hand.subscribe(None).await?;
        talk.hang_up(hand.connection);
    }
    serves_on(&talk).await?;
    Ok("let in six times".to_owned())
}

async fn quiet(talk: Talk) -> Result<String, Stop> {
    let (connection, opened, wanted) = {
        let world = talk.world();
        let Some(connection) = world.quiet else {
            drop(world);
            return Err(
                talk.undecided("the quiet connection never came to be", "see the cases of the handshake")
            );
        };
        let opened = world.sockets.get(&connection).map_or(world.now, |socket| socket.opened);
        (connection, opened, world.setting.quiet_seconds)
    };
    talk.sleep(Seconds((wanted - talk.now().since(opened)).0.max(0.0))).await;
    let world = talk.world();
    let lived = world.now.since(opened);
    let standing = world.sockets.get(&connection).map(|socket| socket.standing.clone());
    let told = |of_quiet: bool| {
        let notices = world.notices.iter();
        notices.filter(move |notice| (notice.connection == connection) == of_quiet)
    };
    let missed = told(false)
        .filter(|notice| notice.at > opened + TIP_LAG && world.now.since(notice.at).0 > TIP_LAG.0)
        .any(|notice| !told(true).any(|heard| heard.prev_hash == notice.prev_hash));
    let jobs = told(true).count();
    drop(world);
    if let Some(Standing::Closed(why) | Standing::Refused(why)) = standing {
        let finding = format!("a connection that mined nothing was ended within {lived}: {why}");
        return Err(talk.stop(finding, "it lives: a slow miner may find nothing for minutes", []));
    }
    if missed {
        let finding = "a connection that mined nothing was not told of a new block";
        return Err(talk.stop(finding, "the jobs that others get", []));
    }
    talk.measure("quiet for", lived);
    talk.measure("jobs it was sent", jobs);
    Ok(format!("quiet for {lived}, sent {jobs} jobs"))
}
