//! What is peculiar to a miner: its handshake, ids, wording, shares and timing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::shape::shape;
use super::{Facts, Unit, ends, gaps, share_of, writing};
use crate::stratum::v1::{PoolMessage, hex, members::Members, parse_message};
use crate::tap::Side;
use crate::tap::conversation::{Conversation, Kind, Request};
use crate::units::Timestamp;

/// Repetitions from which on a request counts as kept up.
const REPEATS_MIN: usize = 3;

const SUBMIT: &str = "mining.submit";

/// Adds what is peculiar to the miner.
pub(super) fn facts(conversations: &[Conversation], facts: &mut Facts) {
    facts.topic("miner: handshake");
    handshake(conversations, facts);
    facts.topic("miner: ids");
    ids(conversations, facts);
    facts.topic("miner: messages");
    messages(conversations, facts);
    writing(conversations, Side::Miner, facts);
    facts.topic("miner: shares");
    let shares: Vec<Share> = conversations.iter().flat_map(shares).collect();
    submits(conversations, &shares, facts);
    facts.topic("miner: timing");
    timing(conversations, &shares, facts);
    facts.topic("miner: keep-alive");
    keep_alive(conversations, facts);
    facts.topic("miner: end");
    ends(conversations, facts);
    closing(conversations, facts);
}

/// The parameters of a request as JSON; null when there are none.
fn params(conversation: &Conversation, request: &Request) -> Json {
    let members = conversation.lines[request.line].members();
    let params = members.as_ref().and_then(|members| members.get("params"));
    params.and_then(|params| serde_json::from_str(params).ok()).unwrap_or(Json::Null)
}

fn requests<'c>(
    conversations: &'c [Conversation],
    method: &'c str,
) -> impl Iterator<Item = (&'c Conversation, &'c Request)> {
    let of = move |it: &'c Conversation| it.asked_by(Side::Miner).map(move |request| (it, request));
    conversations.iter().flat_map(of).filter(move |(_, request)| request.method == method)
}

fn handshake(conversations: &[Conversation], facts: &mut Facts) {
    let subscribes = |it: &&Conversation| it.asked_by(Side::Miner).any(|it| it.method == "mining.subscribe");
    let first = conversations.iter().find(subscribes).or(conversations.first());
    let mut order: Vec<&str> = Vec::new();
    for request in first.into_iter().flat_map(|it| it.asked_by(Side::Miner)) {
        if request.method == SUBMIT {
            break;
        }
        if !order.contains(&request.method.as_str()) {
            order.push(&request.method);
        }
    }
    facts.text("order", if order.is_empty() { "nothing".into() } else { order.join(" → ") });
    let at_once = first.map_or(0, |it| it.lines.iter().take_while(|said| said.by == Side::Miner).count());
    facts.text("sends on without waiting for replies", if at_once > 1 { "yes" } else { "no" });
    let element = |method, index: usize| {
        requests(conversations, method)
            .filter_map(move |(it, request)| Some(params(it, request).get(index)?.clone()))
    };
    let texts = |value: Json| value.as_str().map(str::to_owned);
    facts.known("user agent", element("mining.subscribe", 0).filter_map(texts));
    let extensions = element("mining.configure", 0).filter_map(|names| {
        let names = names.as_array()?.iter().filter_map(Json::as_str).collect::<Vec<_>>();
        Some(names.join(","))
    });
    facts.known("extensions asked for", extensions);
    let masks = element("mining.configure", 1);
    let masks = masks.map(|it| it["version-rolling.mask"].as_str().unwrap_or("not said").to_owned());
    facts.known("version mask offered", masks);
    facts.known("difficulty suggested", element("mining.suggest_difficulty", 0));
    let resumes = element("mining.subscribe", 1).any(|session| session.is_string());
    facts.text("resumes sessions", if resumes { "yes" } else { "no" });
}

fn ids(conversations: &[Conversation], facts: &mut Facts) {
    let all = || conversations.iter().flat_map(|it| it.asked_by(Side::Miner));
    let kind = |request: &Request| match request.id.as_deref() {
        None => "none",
        Some(id) if id.starts_with('"') => "string",
        Some(id) if id.parse::<i64>().is_ok() => "int",
        Some(_) => "other",
    };
    facts.set("type", all().map(kind));
    facts.known("first", conversations.iter().filter_map(|it| it.asked_by(Side::Miner).next()?.id.clone()));
    let mut ways = BTreeSet::new();
    for conversation in conversations {
        let ids: Vec<&str> = conversation.asked_by(Side::Miner).filter_map(|it| it.id.as_deref()).collect();
        let numbers: Vec<i64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        let counts = numbers.len() == ids.len()
            && numbers.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
        match () {
            () if ids.len() < 2 => {}
            () if counts => drop(ways.insert("each one more")),
            () if distinct.len() < ids.len() => drop(ways.insert("repeated")),
            () => drop(ways.insert("each another")),
        }
    }
    facts.known("sequence", ways);
}

fn messages(conversations: &[Conversation], facts: &mut Facts) {
    let mut shapes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for conversation in conversations {
        for request in conversation.asked_by(Side::Miner) {
            let members = conversation.lines[request.line].members();
            let params = members.as_ref().and_then(|members| members.get("params"));
            let shape = params.map_or_else(|| "none".to_owned(), shape);
            shapes.entry(&request.method).or_default().insert(shape);
        }
    }
    facts.set("methods", shapes.keys());
    for (method, shapes) in shapes {
        facts.set(format!("params of {method}"), shapes);
    }
    let mut answers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for conversation in conversations {
        for request in conversation.asked_by(Side::Pool) {
            let reply = request.reply.and_then(|reply| conversation.lines[reply].members());
            let result = reply.as_ref().map(|reply| reply.get("result").map_or("no result".into(), shape));
            answers.entry(&request.method).or_default().insert(result.unwrap_or("no reply".into()));
        }
    }
    for (method, answers) in answers {
        facts.set(format!("reply to {method}"), answers);
    }
}

/// A share as submitted, and what was known of its job.
struct Share {
    at: Timestamp,
    opened: Timestamp,
    job: String,
    extranonce2: String,
    ntime: String,
    nonce: String,
    version_bits: Option<String>,
    /// The version bits allowed then; `None` when never said.
    mask: Option<u32>,
    /// The ntime of its job; `None` for a job that was never announced.
    job_ntime: Option<u32>,
    /// The first clean job before it that was announced later than its own, and its time.
    since_clean: Option<Timestamp>,
    /// Whether its job was the newest, and since when.
    newest_since: Option<Timestamp>,
}

/// The shares of a connection, against the jobs that came.
fn shares(conversation: &Conversation) -> Vec<Share> {
    let mut shares = Vec::new();
    // Place among the jobs, and ntime, of each job id.
    let mut jobs: BTreeMap<String, (usize, u32)> = BTreeMap::new();
    let mut cleans: Vec<(usize, Timestamp)> = Vec::new();
    let mut newest = (0, Timestamp::default());
    let mut mask = None;
    let asked: BTreeMap<usize, &Request> =
        conversation.requests.iter().filter_map(|request| Some((request.reply?, request))).collect();
    for (index, said) in conversation.lines.iter().enumerate() {
        match (&said.kind, said.by) {
            (Kind::Request(method) | Kind::Notification(method), Side::Miner) if method == SUBMIT => {
                let members = said.members();
                let params = members.as_ref().and_then(|members| members.get("params"));
                let params: Json = params.and_then(|it| serde_json::from_str(it).ok()).unwrap_or(Json::Null);
                let text =
                    |index: usize| params.get(index).and_then(Json::as_str).unwrap_or_default().to_owned();
                let job = text(1);
                let own = jobs.get(&job).copied();
                let since_clean = cleans.iter().find(|(place, _)| own.is_some_and(|(own, _)| *place > own));
                shares.push(Share {
                    at: said.at,
                    opened: conversation.opened,
                    extranonce2: text(2),
                    ntime: text(3),
                    nonce: text(4),
                    version_bits: params.get(5).and_then(Json::as_str).map(str::to_owned),
                    mask,
                    job_ntime: own.map(|(_, ntime)| ntime),
                    since_clean: since_clean.map(|(_, at)| *at),
                    newest_since: own.is_some_and(|(own, _)| own == newest.0).then_some(newest.1),
                    job,
                });
            }
            (Kind::Notification(_) | Kind::Request(_), Side::Pool) => match parse_message(&said.line) {
                Ok(PoolMessage::Job(job)) => {
                    newest = (newest.0 + 1, said.at);
                    jobs.insert(job.id, (newest.0, job.ntime));
                    if job.clean {
                        cleans.push(newest);
                    }
                }
                Ok(PoolMessage::SetVersionMask(bits)) => mask = Some(bits),
                _ => {}
            },
            (Kind::Reply, Side::Pool)
                if asked.get(&index).is_some_and(|it| it.method == "mining.configure") =>
            {
                if let Ok(PoolMessage::Response { result: Ok(answer), .. }) = parse_message(&said.line) {
                    mask = Some(answer.version_mask().unwrap_or(0));
                }
            }
            _ => {}
        }
    }
    shares
}

fn submits(conversations: &[Conversation], shares: &[Share], facts: &mut Facts) {
    facts.text("any", if shares.is_empty() { "no" } else { "yes" });
    if shares.is_empty() {
        return;
    }
    let connected: f64 = conversations.iter().map(|it| it.ended.since(it.opened).0).sum();
    let value = shares.len() as f64 / connected.max(1e-3);
    let samples = shares.len();
    facts.put("rate of a connection", super::Value::Measured { value, unit: Unit::PerSecond, samples });
    let count =
        |holds: &dyn Fn(&Share) -> bool| share_of(shares.iter().filter(|it| holds(it)).count(), shares.len());
    facts.set("extranonce2 digits", shares.iter().map(|share| share.extranonce2.len()));
    facts.set("nonce digits", shares.iter().map(|share| share.nonce.len()));
    let upper = |text: &str| text.contains(|c: char| c.is_ascii_uppercase());
    facts.text(
        "upper-case hexadecimal",
        count(&|share| upper(&share.extranonce2) || upper(&share.ntime) || upper(&share.nonce)),
    );
    let distinct: BTreeSet<(u32, &str)> = conversations
        .iter()
        .flat_map(|it| {
            std::iter::repeat_n(it.number, it.asked_by(Side::Miner).filter(|it| it.method == SUBMIT).count())
        })
        .zip(shares.iter().map(|share| share.extranonce2.as_str()))
        .collect();
    let connections: BTreeSet<u32> = distinct.iter().map(|(number, _)| *number).collect();
    if shares.len() >= 4 * connections.len() {
        facts.text("extranonce2", if distinct.len() > connections.len() { "moves" } else { "constant" });
    }
    let rolls = |share: &Share| share.job_ntime.is_some() && hex::decode_u32(&share.ntime) != share.job_ntime;
    facts.text("rolls ntime", count(&rolls));
    facts.text("version bits sent", count(&|share| share.version_bits.is_some()));
    let bits = |share: &Share| share.version_bits.as_deref().and_then(hex::decode_u32).unwrap_or(0);
    facts.text("version bits not zero", count(&|share| bits(share) != 0));
    facts.text("version bits outside the mask", count(&|share| bits(share) & !share.mask.unwrap_or(0) != 0));
    facts.text("jobs that were never announced", count(&|share| share.job_ntime.is_none()));
}

fn timing(conversations: &[Conversation], shares: &[Share], facts: &mut Facts) {
    let mut firsts: BTreeMap<Timestamp, f64> = BTreeMap::new();
    let mut first_of_job: BTreeMap<(Timestamp, &str), f64> = BTreeMap::new();
    let mut last_of_old: BTreeMap<Timestamp, f64> = BTreeMap::new();
    for share in shares {
        firsts.entry(share.opened).or_insert(share.at.since(share.opened).0);
        if let Some(since) = share.newest_since {
            first_of_job.entry((since, &share.job)).or_insert(share.at.since(since).0);
        }
        if let Some(clean) = share.since_clean {
            last_of_old.insert(clean, share.at.since(clean).0);
        }
    }
    facts.median("opening to first share", Unit::Wait, firsts.into_values().collect());
    facts.median("job to its first share", Unit::Wait, first_of_job.into_values().collect());
    facts.median("clean job to last share of an older one", Unit::Wait, last_of_old.into_values().collect());
    let times = |it: &Conversation| {
        let times = it.asked_by(Side::Miner).filter(|request| request.method == SUBMIT);
        gaps(&times.map(|request| it.lines[request.line].at).collect::<Vec<_>>())
    };
    facts.median("between two shares", Unit::Wait, conversations.iter().flat_map(times).collect());
}

fn keep_alive(conversations: &[Conversation], facts: &mut Facts) {
    let mut times: BTreeMap<&str, Vec<Vec<Timestamp>>> = BTreeMap::new();
    for conversation in conversations {
        let mut own: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
        for request in conversation.asked_by(Side::Miner).filter(|request| request.method != SUBMIT) {
            own.entry(&request.method).or_default().push(conversation.lines[request.line].at);
        }
        own.into_iter().for_each(|(method, own)| times.entry(method).or_default().push(own));
    }
    times.retain(|_, times| times.iter().any(|times| times.len() >= REPEATS_MIN));
    facts.set("repeats", times.keys());
    for (method, times) in times {
        let gaps = times.iter().filter(|times| times.len() >= REPEATS_MIN).flat_map(|times| gaps(times));
        facts.median(format!("between two {method}"), Unit::Seconds, gaps.collect());
    }
    let pongs = conversations.iter().flat_map(|it| &it.lines).filter(|said| said.by == Side::Miner);
    let pongs = pongs.filter(|said| said.kind == Kind::Reply && Members::of_line(&said.line).is_some());
    facts.text("replies to the pool", if pongs.count() > 0 { "some" } else { "none" });
}

fn closing(conversations: &[Conversation], facts: &mut Facts) {
    let by_miner = || {
        let closed = |it: &Conversation| it.closed.as_ref().map(|closed| (closed.at, closed.how.clone()));
        let closed = conversations.iter().filter_map(move |it| Some((it, closed(it)?)));
        closed.filter(|(_, (_, how))| how.starts_with("closed by miner"))
    };
    let silence = by_miner().filter_map(|(it, (at, _))| {
        let last = it.lines.iter().rfind(|said| said.by == Side::Pool)?;
        Some(at.since(last.at).0)
    });
    facts.median("pool's last line to close by the miner", Unit::Wait, silence.collect());
    let waits = conversations.windows(2).filter_map(|pair| {
        let closed = pair[0].closed.as_ref()?.at;
        (pair[1].opened >= closed).then(|| pair[1].opened.since(closed).0)
    });
    facts.median("close to next opening", Unit::Seconds, waits.collect());
}
