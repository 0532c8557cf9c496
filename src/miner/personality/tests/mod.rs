//! A device without quirks is what firmware should be, and each quirk shows.

mod any;
mod clean;
mod connection;
mod handshake;
mod lab;
mod lines;
mod work;

use std::collections::BTreeSet;

use super::{Quirk, UPSTREAM};

/// Something a pool does; whether the device does what it should.
type Scenario = fn(&[Quirk]) -> bool;

/// Each quirk with a scenario that a clean device passes and one with the quirk does not.
fn all() -> Vec<(Quirk, Scenario)> {
    [handshake::SHOWN, lines::SHOWN, work::SHOWN, connection::SHOWN].concat()
}

#[test]
fn each_quirk_shows() {
    let mut wrong = Vec::new();
    for (quirk, is_right) in all() {
        if !is_right(&[]) {
            wrong.push(format!("{quirk}: a clean device fails its scenario"));
        }
        if is_right(&[quirk]) {
            wrong.push(format!("{quirk} does not show"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_quirk_is_left_out() {
    let shown: BTreeSet<String> = all().iter().map(|(quirk, _)| stem(*quirk)).collect();
    let missing: Vec<String> =
        Quirk::ALL.iter().map(|quirk| stem(*quirk)).filter(|s| !shown.contains(s)).collect();
    assert!(missing.is_empty(), "no scenario for {missing:?}");
}

/// The name without a number.
fn stem(quirk: Quirk) -> String {
    quirk.name().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned()
}

#[test]
fn issues_stand_once() {
    let issues: BTreeSet<&str> = UPSTREAM.iter().map(|upstream| upstream.issue).collect();
    assert!(issues.len() >= 25 && issues.len() == UPSTREAM.len(), "{} issues", issues.len());
}
