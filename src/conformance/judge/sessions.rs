//! Judges of connections, requests, replies and lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::Opinion;
use super::view::{View, Windows, counted, span};
use crate::conformance::examiner::Listener;
use crate::conformance::log::{Closing, Connection, Fact, Record};
use crate::units::Timestamp;

/// Seconds over which connections are counted.
const MINUTE: f64 = 60.0;

/// Connections that show whether pauses grow.
const BACK_OFF_MIN: usize = 6;

/// What the pool sent last before a record, shortened: of what the miner can
/// have answered to, where the round trip is known.
fn told_before(view: &View<'_>, index: usize, connection: Connection) -> String {
    let at = view.log.records[index].at;
    let told = || {
        let earlier = view.log.records[..index].iter().rev();
        earlier.filter(|record| record.connection == Some(connection)).filter_map(|record| {
            match &record.fact {
                Fact::Told(bytes) if !bytes.trim_ascii().is_empty() => Some((record.at, bytes)),
                _ => None,
            }
        })
    };
    // Timestamps are whole microseconds.
    let in_time = |told: &(Timestamp, &Vec<u8>)| at.since(told.0).0 >= view.round_trip - 1e-6;
    let told = told().find(in_time).or_else(|| told().next());
    told.map_or_else(
        || "before the pool sent anything".to_owned(),
        |(at, bytes)| {
            let text: String = String::from_utf8_lossy(bytes).trim_end().chars().take(100).collect();
            format!("{} after the pool sent {text}", span(view.log.records[index].at.since(at).0))
        },
    )
}

pub(super) fn alive(view: &View<'_>, windows: &Windows<'_>, out: &mut Opinion) {
    let expected = "The connection lives until the pool ends it.";
    let mut open: BTreeSet<Connection> = BTreeSet::new();
    let mut ended: BTreeSet<Connection> = BTreeSet::new();
    for (index, record) in view.log.records.iter().enumerate() {
        let Some(connection) = record.connection else { continue };
        let judged = windows.stretches.iter().any(|stretch| stretch.records.contains(&index));
        match &record.fact {
            Fact::Opened(listener) => {
                let at_home = matches!(listener, Listener::Main | Listener::SameHost | Listener::Moved);
                if let Some(other) = open.iter().next().filter(|_| judged && at_home) {
                    out.fail(
                        format!(
                            "The miner opened connection {} while connection {} was open.",
                            connection.0, other.0
                        ),
                        expected,
                        vec![index],
                    );
                }
                open.insert(connection);
            }
            Fact::Closed(how) if ended.insert(connection) => {
                open.remove(&connection);
                let what = match how {
                    Closing::ByPool => continue,
                    Closing::Fin => "ended connection",
                    Closing::Rst => "reset connection",
                    Closing::TimedOut => "no longer answered on connection",
                };
                if judged {
                    let when = told_before(view, index, connection);
                    out.fail(format!("The miner {what} {}, {when}.", connection.0), expected, vec![index]);
                }
            }
            _ if !ended.contains(&connection) => {
                open.insert(connection);
            }
            _ => {}
        }
    }
    if view.lives.is_empty() {
        out.inconclusive("No connection was there that could have lived.", expected);
    }
}

/// Requests that the pool made: their ids, each as JSON. What goes out in pieces is put together.
fn asked_ids(view: &View<'_>) -> Vec<Json> {
    let mut lines: BTreeMap<Connection, Vec<u8>> = BTreeMap::new();
    for record in &view.log.records {
        if let (Fact::Told(bytes), Some(connection)) = (&record.fact, record.connection) {
            lines.entry(connection).or_default().extend(bytes);
        }
    }
    let mut ids = Vec::new();
    for line in lines.values().flat_map(|bytes| bytes.split(|byte| *byte == b'\n')) {
        // Most lines are jobs and replies, and jobs can be long.
        if line.starts_with(b"{\"id\":null") {
            continue;
        }
        if let Ok(Json::Object(mut object)) = serde_json::from_slice(line)
            && object.contains_key("method")
            && let Some(id) = object.remove("id").filter(|id| !id.is_null())
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids
}

pub(super) fn reply(
    view: &View<'_>,
    windows: &Windows<'_>,
    id: Option<&str>,
    result: Option<&str>,
    required: bool,
    out: &mut Opinion,
) {
    let expected = "The reply has the id of the request, the same JSON value of the same type.";
    let asked = asked_ids(view);
    let replies: Vec<(usize, &str, &str)> = view
        .log
        .records
        .iter()
        .enumerate()
        .filter(|(index, record)| windows.hold(*index, record.at))
        .filter_map(|(index, record)| match &record.fact {
            Fact::Reply { id, line } => Some((index, id.as_str(), line.as_str())),
            _ => None,
        })
        .collect();
    let parsed = |text: &str| serde_json::from_str::<Json>(text).ok();
    if let Some(id) = id {
        let wanted = parsed(id);
        let Some((index, _, line)) = replies.iter().find(|(_, id, _)| parsed(id) == wanted) else {
            if asked.iter().any(|asked| Some(asked) == wanted.as_ref()) {
                let others: Vec<usize> = replies.iter().map(|(index, ..)| *index).collect();
                out.fail(format!("No reply came to the request with id {id}."), expected, others);
            } else {
                out.inconclusive(format!("The pool never asked with id {id}."), expected);
            }
            return;
        };
        if let Some(result) = result {
            let came = parsed(line).and_then(|line| line.get("result").cloned());
            if came != parsed(result) {
                let came = came.map_or("nothing".to_owned(), |came| came.to_string());
                out.fail(
                    format!("The result of the reply is {came}."),
                    format!("The result {result}."),
                    vec![*index],
                );
            }
        }
        return;
    }
    let answered =
        asked.iter().filter(|asked| replies.iter().any(|(_, id, _)| parsed(id).as_ref() == Some(asked)));
    let answered: Vec<&Json> = answered.collect();
    out.measured("requests of the pool answered", format!("{} of {}", answered.len(), asked.len()));
    let foreign: Vec<_> = replies
        .iter()
        .filter(|(_, id, _)| {
            let id = parsed(id);
            id.is_none_or(|id| !id.is_null() && !asked.contains(&id))
        })
        .collect();
    if let Some((_, id, _)) = foreign.first() {
        let ids = asked.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        out.fail(
            format!(
                "{} of another id than was asked: {id}, where {ids} were asked.",
                counted(foreign.len(), "reply")
            ),
            expected,
            foreign.iter().map(|(index, ..)| *index).collect(),
        );
    }
    let silent: Vec<String> =
        asked.iter().filter(|id| !answered.contains(id)).map(ToString::to_string).collect();
    if required && !silent.is_empty() {
        out.fail(format!("No reply came to the ids {}.", silent.join(", ")), expected, Vec::new());
    }
    if asked.is_empty() {
        out.inconclusive("The pool asked nothing.", expected);
    }
}

/// Requests in the windows: record, connection, method.
fn requests_in<'l>(view: &View<'l>, windows: &Windows<'_>) -> Vec<(usize, Connection, &'l str)> {
    view.log
        .records
        .iter()
        .enumerate()
        .filter(|(index, record)| windows.hold(*index, record.at))
        .filter_map(|(index, record)| match (&record.fact, record.connection) {
            (Fact::Request { method, .. }, Some(connection)) => Some((index, connection, method.as_str())),
            _ => None,
        })
        .collect()
}

pub(super) fn requests(
    view: &View<'_>,
    windows: &Windows<'_>,
    method: &str,
    min: Option<usize>,
    max: Option<usize>,
    out: &mut Opinion,
) {
    let mut counts: BTreeMap<Connection, Vec<usize>> = BTreeMap::new();
    for (index, connection, other) in requests_in(view, windows) {
        let indices = counts.entry(connection).or_default();
        if other == method {
            indices.push(index);
        }
    }
    let expected = match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max} of {method} on each connection."),
        (Some(min), None) => format!("At least {min} of {method} on each connection."),
        (None, Some(max)) => format!("At most {max} of {method} on each connection."),
        (None, None) => format!("Any number of {method}."),
    };
    for (connection, indices) in &counts {
        let count = indices.len();
        if min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max) {
            out.fail(
                format!("{method} came {} on connection {}.", counted(count, "time"), connection.0),
                expected.clone(),
                indices.clone(),
            );
        }
    }
    if counts.is_empty() {
        out.inconclusive("The miner requested nothing.", expected);
    }
}

pub(super) fn request_before(view: &View<'_>, windows: &Windows<'_>, a: &str, b: &str, out: &mut Opinion) {
    let expected = format!("{a} before {b}.");
    let mut first: BTreeMap<Connection, (Option<usize>, Option<usize>)> = BTreeMap::new();
    for (index, connection, method) in requests_in(view, windows) {
        let entry = first.entry(connection).or_default();
        if method == a {
            entry.0.get_or_insert(index);
        } else if method == b {
            entry.1.get_or_insert(index);
        }
    }
    for (connection, firsts) in &first {
        match firsts {
            (Some(index_a), Some(index_b)) if index_b < index_a => out.fail(
                format!("{b} came before {a} on connection {}.", connection.0),
                expected.clone(),
                vec![*index_b, *index_a],
            ),
            (None, Some(index_b)) => out.fail(
                format!("{b} came without {a} on connection {}.", connection.0),
                expected.clone(),
                vec![*index_b],
            ),
            _ => {}
        }
    }
    if first.values().all(|firsts| *firsts == (None, None)) {
        out.inconclusive(format!("Neither {a} nor {b} came."), expected);
    }
}

pub(super) fn asked(view: &View<'_>, method: &str, out: &mut Opinion) {
    let is_it = |fact: &Fact| matches!(fact, Fact::Request { method: other, .. } if other == method);
    if !view.log.records.iter().any(|record| is_it(&record.fact)) {
        out.inconclusive(
            format!("The firmware does not ask for {method}, so there is nothing to judge."),
            format!("Applies to miners that send {method}."),
        );
    }
}

/// Connections that were opened: record, when, where.
fn opened(view: &View<'_>) -> Vec<(usize, Timestamp, Listener)> {
    view.log
        .records
        .iter()
        .enumerate()
        .filter_map(|(index, record)| match record.fact {
            Fact::Opened(listener) => Some((index, record.at, listener)),
            _ => None,
        })
        .collect()
}

pub(super) fn reconnected(
    view: &View<'_>,
    windows: &Windows<'_>,
    mark: Option<&str>,
    within: f64,
    out: &mut Opinion,
) {
    let expected = format!("A new connection within {}.", span(within));
    let starts: Vec<(usize, Timestamp)> = match mark {
        Some(_) => windows.stretches.iter().map(|stretch| (stretch.records.start, stretch.mark)).collect(),
        None => view
            .log
            .records
            .iter()
            .enumerate()
            .filter(|(index, record)| {
                windows.hold(*index, record.at) && matches!(record.fact, Fact::Closed(_))
            })
            .map(|(index, record)| (index, record.at))
            .collect(),
    };
    let opened = opened(view);
    let mut took = Vec::new();
    for (index, start) in &starts {
        match opened.iter().find(|(other, ..)| other > index) {
            Some((other, at, _)) => {
                let seconds = at.since(*start).0;
                took.push(seconds);
                if seconds > within {
                    out.fail(
                        format!("The next connection came after {}.", span(seconds)),
                        expected.clone(),
                        vec![*index, *other],
                    );
                }
            }
            None if view.ended.since(*start).0 >= within => out.fail(
                format!("No connection came in {}.", span(view.ended.since(*start).0)),
                expected.clone(),
                vec![*index],
            ),
            None => out.inconclusive(
                format!(
                    "No connection came, but the case went on for only {}.",
                    span(view.ended.since(*start).0)
                ),
                expected.clone(),
            ),
        }
    }
    if let Some(worst) = took.iter().copied().reduce(f64::max) {
        out.measured("reconnected after, at most", span(worst));
    }
    if starts.is_empty() {
        out.inconclusive("No connection ended.", expected);
    }
}

pub(super) fn reconnects(
    view: &View<'_>,
    windows: &Windows<'_>,
    per_minute_max: f64,
    backs_off: bool,
    out: &mut Opinion,
) {
    let opened: Vec<(usize, Timestamp)> = opened(view)
        .into_iter()
        .filter(|(index, at, _)| windows.hold(*index, *at))
        .map(|(index, at, _)| (index, at))
        .collect();
    let in_minute =
        |from: usize| opened[from..].iter().take_while(|(_, at)| at.since(opened[from].1).0 < MINUTE).count();
    let busiest = (0..opened.len()).max_by_key(|from| in_minute(*from));
    let most = busiest.map_or(0, in_minute);
    out.measured("connections in a minute, at most", most.to_string());
    if let Some(from) = busiest.filter(|_| most as f64 > per_minute_max) {
        out.fail(
            format!("The miner connected {most} times in a minute."),
            format!("At most {per_minute_max} connections a minute, with growing pauses."),
            opened[from..from + most].iter().map(|(index, _)| *index).collect(),
        );
    }
    if !backs_off {
        return;
    }
    let expected = "Pauses that grow, or vary, so that a thousand miners do not come back together.";
    if opened.len() < BACK_OFF_MIN {
        return out.inconclusive(
            format!(
                "Only {} came; it takes {BACK_OFF_MIN} to see whether pauses grow.",
                counted(opened.len(), "connection")
            ),
            expected,
        );
    }
    let gaps: Vec<f64> = opened.windows(2).map(|pair| pair[1].1.since(pair[0].1).0).collect();
    let mean = |gaps: &[f64]| gaps.iter().sum::<f64>() / gaps.len() as f64;
    let third = gaps.len() / 3;
    let grows = mean(&gaps[gaps.len() - third..]) >= 1.5 * mean(&gaps[..third]);
    let deviation = mean(&gaps.iter().map(|gap| (gap - mean(&gaps)).powi(2)).collect::<Vec<_>>()).sqrt();
    let varies = deviation >= 0.1 * mean(&gaps);
    if !grows && !varies {
        out.fail(
            format!("The miner tries again every {}, without end.", span(mean(&gaps))),
            expected,
            opened.iter().map(|(index, _)| *index).collect(),
        );
    }
}

pub(super) fn visited(
    view: &View<'_>,
    windows: &Windows<'_>,
    listener: Listener,
    within: Option<f64>,
    out: &mut Opinion,
) {
    let came =
        opened(view).into_iter().find(|(index, at, other)| *other == listener && windows.hold(*index, *at));
    let start = windows.stretches.first().map_or(view.ended, |stretch| stretch.mark);
    let expected = "A connection there.";
    match came {
        Some((index, at, _)) => {
            let seconds = at.since(start).0;
            out.measured("came after", span(seconds));
            if within.is_some_and(|within| seconds > within) {
                out.fail(format!("The connection came only after {}.", span(seconds)), expected, vec![index]);
            }
        }
        None if within.is_some_and(|within| view.ended.since(start).0 < within) => out.inconclusive(
            format!("No connection came, but the case went on for only {}.", span(view.ended.since(start).0)),
            expected,
        ),
        None => out.fail(
            format!("No connection came to the {} in {}.", name(listener), span(view.ended.since(start).0)),
            expected,
            Vec::new(),
        ),
    }
}

fn name(listener: Listener) -> &'static str {
    match listener {
        Listener::Main => "main listener",
        Listener::SameHost => "other port of the same host",
        Listener::Decoy => "decoy, a host nobody may be sent to",
        Listener::Moved => "address that the name leads to now",
        Listener::BadTls => "listener with the bad certificate",
    }
}

pub(super) fn not_visited(view: &View<'_>, windows: &Windows<'_>, listener: Listener, out: &mut Opinion) {
    let came: Vec<usize> = opened(view)
        .into_iter()
        .filter(|(index, at, other)| *other == listener && windows.hold(*index, *at))
        .map(|(index, ..)| index)
        .collect();
    if !came.is_empty() {
        out.fail(
            format!("The miner connected to the {} ({}).", name(listener), counted(came.len(), "time")),
            "No connection there.",
            came,
        );
        return;
    }
    // Who never tried has refused nothing.
    let refused = |record: &Record| matches!(record.fact, Fact::TlsRefused(_));
    if listener == Listener::BadTls && !view.log.records.iter().any(refused) {
        out.inconclusive(
            "The miner never tried TLS.",
            "That the miner has the port with TLS as its pool, or as its fallback.",
        );
    }
}

pub(super) fn well_formed(view: &View<'_>, windows: &Windows<'_>, bytes_max: usize, out: &mut Opinion) {
    let mut wrong: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut lines = 0;
    for (index, record) in view.log.records.iter().enumerate() {
        if !windows.hold(index, record.at) {
            continue;
        }
        match &record.fact {
            Fact::Said(line) => {
                lines += 1;
                if line.len() > bytes_max {
                    wrong.entry(format!("longer than {bytes_max} bytes")).or_default().push(index);
                }
            }
            Fact::BadLine(why) => wrong.entry(why.clone()).or_default().push(index),
            Fact::Request { method, id, params } => {
                if let Some(lack) = lack_of(method, id.as_deref(), params) {
                    wrong.entry(format!("{method} {lack}")).or_default().push(index);
                }
            }
            _ => {}
        }
    }
    let expected = "One JSON object a line, with an id, a method and the parameters of the method.";
    for (what, indices) in wrong {
        out.fail(format!("{}: {what}.", counted(indices.len(), "line")), expected, indices);
    }
    if lines == 0 {
        out.inconclusive("The miner said nothing.", expected);
    }
}

/// What a request lacks, if anything.
fn lack_of(method: &str, id: Option<&str>, params: &str) -> Option<&'static str> {
    if id.is_none_or(|id| id == "null") && method != "mining.suggest_difficulty" {
        return Some("without an id");
    }
    let Ok(Json::Array(params)) = serde_json::from_str(params) else {
        return Some("whose params are no list");
    };
    let text = |at: usize| params.get(at).is_some_and(Json::is_string);
    match method {
        "mining.configure" if !params.first().is_some_and(Json::is_array) => {
            Some("without the list of extensions")
        }
        "mining.configure" if params.get(1).is_some_and(|settings| !settings.is_object()) => {
            Some("whose settings are no object")
        }
        "mining.authorize" if !text(0) => Some("without a worker"),
        "mining.authorize" if params.get(1).is_some_and(|pass| !pass.is_string() && !pass.is_null()) => {
            Some("whose password is no text")
        }
        "mining.submit" if !(0..5).all(text) => Some("without five texts"),
        "mining.submit" if params.len() > 5 && !text(5) || params.len() > 6 => {
            Some("with more than version bits behind the nonce")
        }
        "mining.suggest_difficulty" if !params.first().is_some_and(Json::is_number) => {
            Some("without a number")
        }
        _ => None,
    }
}

pub(super) fn worker(view: &View<'_>, windows: &Windows<'_>, out: &mut Opinion) {
    let expected = "The name as it was authorized on the connection, byte for byte.";
    let mut known: BTreeMap<Connection, BTreeSet<String>> = BTreeMap::new();
    for record in &view.log.records {
        if let (Fact::Request { method, params, .. }, Some(connection)) = (&record.fact, record.connection)
            && method == "mining.authorize"
            && let Ok(Json::Array(params)) = serde_json::from_str(params)
            && let Some(Json::String(name)) = params.first()
        {
            known.entry(connection).or_default().insert(name.clone());
        }
    }
    let (mut judged, mut strange) = (0, Vec::new());
    for share in view.all_shares_in(windows) {
        // A session may be older than the log.
        let Some(names) = known.get(&share.facts.connection) else { continue };
        judged += 1;
        if !names.contains(&share.facts.worker) {
            strange.push(share);
        }
    }
    if let Some(first) = strange.first() {
        let names: Vec<_> = known.get(&first.facts.connection).into_iter().flatten().collect();
        out.fail(
            format!(
                "{} name {:?}, authorized was {names:?}.",
                counted(strange.len(), "share"),
                first.facts.worker
            ),
            expected,
            strange.iter().map(|share| share.index).collect(),
        );
    } else if judged == 0 {
        out.inconclusive("No share came on a connection whose authorize was seen.", expected);
    }
}
