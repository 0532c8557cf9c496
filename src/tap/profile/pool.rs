//! What is peculiar to a pool: its handshake, difficulty, jobs, verdicts and timing.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::shape;
use super::{Facts, Unit, ends, gaps, share_of, writing};
use crate::stratum::v1::{JobNotice, PoolMessage, parse_message};
use crate::tap::Side;
use crate::tap::conversation::{Conversation, Kind, Request};
use crate::units::Timestamp;

/// Difficulties of a session that are listed.
const HISTORY_MAX: usize = 8;

const SUBMIT: &str = "mining.submit";

/// Adds what is peculiar to the pool.
pub(super) fn facts(conversations: &[Conversation], facts: &mut Facts) {
    facts.topic("pool: handshake");
    handshake(conversations, facts);
    facts.topic("pool: difficulty");
    difficulty(conversations, facts);
    facts.topic("pool: jobs");
    jobs(conversations, facts);
    facts.topic("pool: verdicts");
    verdicts(conversations, facts);
    facts.topic("pool: messages");
    messages(conversations, facts);
    writing(conversations, Side::Pool, facts);
    facts.topic("pool: end");
    ends(conversations, facts);
}

/// What the pool said that a miner could understand, with its time.
fn understood(conversation: &Conversation) -> impl Iterator<Item = (Timestamp, PoolMessage<'_>)> {
    let lines = conversation.lines.iter().filter(|said| said.by == Side::Pool);
    lines.filter_map(|said| Some((said.at, parse_message(&said.line).ok()?)))
}

/// Replies to the miner's requests.
fn replies<'c>(
    conversations: &'c [Conversation],
    method: &'c str,
) -> impl Iterator<Item = (&'c Conversation, &'c Request, usize)> {
    conversations.iter().flat_map(move |it| {
        let replied = it.asked_by(Side::Miner).filter(move |request| request.method == method);
        replied.filter_map(move |request| Some((it, request, request.reply?)))
    })
}

fn handshake(conversations: &[Conversation], facts: &mut Facts) {
    let subscribes = |it: &&Conversation| it.asked_by(Side::Miner).any(|it| it.method == "mining.subscribe");
    if let Some(first) = conversations.iter().find(subscribes) {
        facts.text("order", order(first));
    }
    let subscriptions = || {
        replies(conversations, "mining.subscribe").filter_map(|(it, _, reply)| {
            match parse_message(&it.lines[reply].line) {
                Ok(PoolMessage::Response { result: Ok(answer), .. }) => answer.subscription(),
                _ => None,
            }
        })
    };
    facts.known("extranonce1 bytes", subscriptions().map(|it| it.extranonce1.len()));
    facts.known("extranonce2 bytes", subscriptions().map(|it| it.extranonce2_bytes));
    facts.known("names a session", subscriptions().map(|it| it.session.is_some()));
    let masks = replies(conversations, "mining.configure").map(|(it, _, reply)| {
        match parse_message(&it.lines[reply].line) {
            Ok(PoolMessage::Response { result: Ok(answer), .. }) => {
                answer.version_mask().map_or("none".into(), |mask| format!("{mask:08x}"))
            }
            _ => "an error".into(),
        }
    });
    facts.known("version mask granted", masks);
    let mut results: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for conversation in conversations {
        for request in conversation.asked_by(Side::Miner).filter(|request| request.method != SUBMIT) {
            let reply = request.reply.and_then(|reply| conversation.lines[reply].members());
            let result = match reply.as_ref().map(|reply| (reply.get("result"), reply.get("error"))) {
                None => "no reply".into(),
                Some((Some(result), None | Some("null"))) if result == "true" || result == "false" => {
                    result.into()
                }
                Some((Some(result), None | Some("null"))) => shape(result),
                Some((_, error)) => format!("error {}", error.map_or("none".into(), shape)),
            };
            results.entry(&request.method).or_default().insert(result);
        }
    }
    for (method, results) in results {
        facts.set(format!("reply to {method}"), results);
    }
}

/// What the pool said until its first job.
fn order(conversation: &Conversation) -> String {
    let asked: BTreeMap<usize, &str> =
        conversation.requests.iter().filter_map(|it| Some((it.reply?, it.method.as_str()))).collect();
    let mut order = Vec::new();
    for (index, said) in conversation.lines.iter().enumerate().filter(|(_, said)| said.by == Side::Pool) {
        let what = match &said.kind {
            Kind::Request(method) | Kind::Notification(method) => method.clone(),
            Kind::Reply => {
                format!("reply to {}", asked.get(&index).copied().unwrap_or("nothing"))
            }
            Kind::Other => "no message".into(),
        };
        let is_job = what == "mining.notify";
        if order.last() != Some(&what) {
            order.push(what);
        }
        if is_job || order.len() > HISTORY_MAX {
            break;
        }
    }
    order.join(" → ")
}

fn difficulty(conversations: &[Conversation], facts: &mut Facts) {
    let mut histories = Vec::new();
    let mut early = Vec::new();
    for conversation in conversations {
        let mut history: Vec<String> = Vec::new();
        let mut before_job = None;
        for (_, message) in understood(conversation) {
            match message {
                PoolMessage::SetDifficulty(difficulty) => {
                    let difficulty = difficulty.to_string();
                    if history.last() != Some(&difficulty) {
                        history.push(difficulty);
                    }
                    before_job.get_or_insert("yes");
                }
                PoolMessage::Job(_) => drop(before_job.get_or_insert("no")),
                _ => {}
            }
        }
        early.extend(before_job);
        if !history.is_empty() {
            let more = if history.len() > HISTORY_MAX { " → …" } else { "" };
            history.truncate(HISTORY_MAX);
            histories.push(history.join(" → ") + more);
        }
    }
    facts.known("before the first job", early);
    facts.known("first", histories.iter().filter_map(|history| history.split(" → ").next()));
    facts.known("history", &histories);
}

fn jobs(conversations: &[Conversation], facts: &mut Facts) {
    let mut jobs: Vec<JobNotice> = Vec::new();
    let mut between = Vec::new();
    for conversation in conversations {
        let mut times = Vec::new();
        for (at, message) in understood(conversation) {
            if let PoolMessage::Job(job) = message {
                times.push(at);
                jobs.push(job);
            }
        }
        between.extend(gaps(&times));
    }
    facts.text("any", if jobs.is_empty() { "no" } else { "yes" });
    facts.median("between two", Unit::Wait, between);
    if jobs.is_empty() {
        return;
    }
    facts.set("version", jobs.iter().map(|job| format!("{:08x}", job.version)));
    facts.text("clean", share_of(jobs.iter().filter(|job| job.clean).count(), jobs.len()));
    let class = |job: &JobNotice| match &job.id {
        id if id.bytes().all(|c| c.is_ascii_digit()) => "digits",
        id if id.bytes().all(|c| c.is_ascii_hexdigit()) => "hexadecimal",
        _ => "other text",
    };
    // Hexadecimal ids are often digits only by chance.
    let classes: BTreeSet<&str> = jobs.iter().map(class).collect();
    let class = ["other text", "hexadecimal", "digits"].into_iter().find(|class| classes.contains(class));
    facts.known("ids", class);
    facts.largest("longest id", Unit::Bytes, jobs.iter().map(|job| job.id.len() as f64));
    facts.largest("branches", Unit::Count, jobs.iter().map(|job| job.branch.len() as f64));
    let coinbase = |job: &JobNotice| (job.coinb1.len() + job.coinb2.len()) as f64;
    facts.largest("coinbase without extranonce", Unit::Bytes, jobs.iter().map(coinbase));
}

fn verdicts(conversations: &[Conversation], facts: &mut Facts) {
    let submits: Vec<(&Conversation, &Request)> = conversations
        .iter()
        .flat_map(|it| it.asked_by(Side::Miner).map(move |request| (it, request)))
        .filter(|(_, request)| request.method == SUBMIT)
        .collect();
    if submits.is_empty() {
        return;
    }
    let (mut accepted, mut unanswered) = (0, 0);
    let (mut errors, mut shapes, mut waits) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (conversation, request) in &submits {
        let Some(reply) = request.reply else {
            unanswered += 1;
            continue;
        };
        let said = &conversation.lines[reply];
        waits.push(said.at.since(conversation.lines[request.line].at).0);
        match parse_message(&said.line) {
            Ok(PoolMessage::Response { result: Ok(answer), .. }) if answer.is_true() => accepted += 1,
            Ok(PoolMessage::Response { result: Err(error), .. }) => {
                errors.insert(error.to_string());
                let members = said.members();
                shapes.extend(members.as_ref().and_then(|members| members.get("error")).map(shape));
            }
            _ => drop(errors.insert("no error".into())),
        }
    }
    let answered = submits.len() - unanswered;
    facts.text("accepts", share_of(accepted, answered));
    facts.set("errors", errors);
    facts.known("form of an error", shapes);
    facts.text("no reply", share_of(unanswered, submits.len()));
    facts.median("time to answer", Unit::Seconds, waits);
}

fn messages(conversations: &[Conversation], facts: &mut Facts) {
    let mut shapes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for said in conversations.iter().flat_map(|it| &it.lines).filter(|said| said.by == Side::Pool) {
        if let Kind::Request(method) | Kind::Notification(method) = &said.kind {
            let members = said.members();
            let params = members.as_ref().and_then(|members| members.get("params"));
            let shapes = shapes.entry(method).or_default();
            // The branch of a job is as long as the block has transactions.
            if method != "mining.notify" {
                shapes.insert(params.map_or_else(|| "none".to_owned(), shape));
            }
        }
    }
    facts.set("methods", shapes.keys());
    for (method, shapes) in shapes {
        facts.known(format!("params of {method}"), shapes);
    }
    let masks = conversations.iter().flat_map(understood).filter_map(|(_, message)| match message {
        PoolMessage::SetVersionMask(mask) => Some(format!("{mask:08x}")),
        _ => None,
    });
    facts.known("version masks set", masks);
    let extranonces = conversations.iter().flat_map(understood).filter_map(|(_, message)| match message {
        PoolMessage::SetExtranonce { extranonce1, extranonce2_bytes } => {
            Some(format!("{} + {extranonce2_bytes}", extranonce1.len()))
        }
        _ => None,
    });
    facts.known("extranonces set, bytes", extranonces);
}
