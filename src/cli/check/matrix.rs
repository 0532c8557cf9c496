//! `adit check --matrix`: every case against every replica, in virtual time.
//!
//! It proves the suite, not a device: a device without a fault passes every
//! case, and each case is failed by the replicas that it names. Prints the
//! tables of docs/conformance.md.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::{Failure, print};
use crate::conformance::{Case, Outcome, cases, rehearse};
use crate::miner::personality::{PERSONALITIES, Quirk, UPSTREAM};

/// Which hashes and extranonces; any would do, but the tables must be the same each time.
const SEED: u64 = 1;

/// Outcomes of one case.
struct Row {
    case: &'static Case,
    /// Of each personality, in the order of [`PERSONALITIES`].
    firmware: Vec<Outcome>,
    /// Of each replica that the case names.
    replicas: Vec<(&'static str, Outcome)>,
}

/// Rehearses everything and prints the tables; fails when the suite does not hold.
pub(super) fn matrix(json: bool) -> Result<(), Failure> {
    let rows = rehearse_all();
    if json {
        let row = |row: &Row| {
            let firmware = PERSONALITIES.iter().zip(&row.firmware);
            serde_json::json!({
                "case": row.case.id,
                "firmware": firmware.map(|(who, how)| (who.key, how)).collect::<std::collections::BTreeMap<_, _>>(),
                "replicas": row.replicas.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
            })
        };
        print(serde_json::Value::from_iter(rows.iter().map(row)));
    } else {
        print(tables(&rows).trim_end());
    }
    let broken = broken(&rows);
    broken.iter().for_each(|what| eprintln!("{what}"));
    if broken.is_empty() { Ok(()) } else { Err(Failure::No) }
}

/// What does not hold.
fn broken(rows: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    for Row { case, firmware, replicas } in rows {
        for (who, how) in PERSONALITIES.iter().zip(firmware) {
            if who.quirks.is_empty() && *how != Outcome::Pass {
                broken.push(format!("{}: {} does not pass", case.id, who.name));
            }
        }
        if replicas.is_empty() {
            broken.push(format!("{}: no replica fails it", case.id));
        }
        for (name, how) in replicas {
            if *how != Outcome::Fail {
                broken.push(format!("{}: the replica {name} is not found out", case.id));
            }
        }
    }
    broken
}

/// All cases against all replicas, on all cores.
fn rehearse_all() -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases().get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = rehearsed(case);
                    rows.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let place = |row: &Row| cases().iter().position(|case| case.id == row.case.id);
    rows.sort_by_key(place);
    rows
}

fn rehearsed(case: &'static Case) -> Row {
    let of = |quirks: &[Quirk]| rehearse(case, quirks, SEED).outcome;
    let replica = |name: &'static String| {
        let outcome = Quirk::named(name).map_or(Outcome::Skipped, |quirk| of(&[quirk]));
        (name.as_str(), outcome)
    };
    Row {
        case,
        firmware: PERSONALITIES.iter().map(|personality| of(personality.quirks)).collect(),
        replicas: case.caught.iter().map(replica).collect(),
    }
}

/// The tables, as Markdown.
fn tables(rows: &[Row]) -> String {
    let mut text = String::from("| case | what | found in replicas |\n|---|---|---|\n");
    for Row { case, replicas, .. } in rows {
        let found = replicas.iter().filter(|(_, how)| *how == Outcome::Fail);
        let names: Vec<String> = found.map(|(name, _)| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {} | {} |", case.id, case.title, names.join(", "));
    }
    text.push_str("\n| case |");
    PERSONALITIES.iter().for_each(|who| text.push_str(&format!(" {} |", who.key)));
    text.push_str("\n|---|");
    PERSONALITIES.iter().for_each(|_| text.push_str("---|"));
    for Row { case, firmware, .. } in rows {
        let _ = write!(text, "\n| {} |", case.id);
        for outcome in firmware {
            let mark = match outcome {
                Outcome::Pass => "",
                Outcome::Fail => "fails",
                Outcome::Inconclusive => "open",
                Outcome::Skipped => "–",
            };
            let _ = write!(text, " {mark} |");
        }
    }
    text.push_str("\n\n| issue | what happened | replica | found by |\n|---|---|---|---|\n");
    for upstream in UPSTREAM {
        let _ = writeln!(
            text,
            "| {} | {} | `{}` | {} |",
            upstream.issue,
            upstream.what,
            upstream.quirk.name(),
            upstream.case
        );
    }
    text
}
