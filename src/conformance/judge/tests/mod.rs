//! Logs that judges pass, fail and cannot decide.

mod chance;
mod sessions;
mod shares;
mod story;
mod sweeps;
mod timing;

use super::*;
use crate::conformance::share::Explanation;
use story::{Story, context};

#[test]
fn judges_are_written_as_a_name_or_with_settings() {
    fn check(text: &str, expected: Result<(&str, Option<&str>), &str>) {
        let parsed = toml::from_str::<toml::Table>(&format!("judge = {text}")).unwrap()["judge"]
            .clone()
            .try_into::<Judge>();
        match (parsed, expected) {
            (Ok(judge), Ok((name, after))) => {
                assert_eq!((judge.name.as_str(), judge.window.after.as_deref()), (name, after), "{text}");
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (parsed, _) => panic!("{text}: {parsed:?}"),
        }
    }
    check(r#""met""#, Ok(("met", None)));
    check(r#""shares_good""#, Ok(("shares_good", None)));
    check(
        r#"{ shares_good = { min = 3, after = "second", ignore = ["low"] } }"#,
        Ok(("shares_good", Some("second"))),
    );
    check(r#"{ limit = { what = "bytes", must = ["2", 4] } }"#, Ok(("limit", None)));
    check(r#"{ rate_below = { per_second = 12 } }"#, Ok(("rate_below", None)));
    check(r#"{ not_explained = { which = ["coinbase_cut"] } }"#, Ok(("not_explained", None)));
    check(r#"{ not_explained = { which = ["magic"] } }"#, Err("no explanation is called `magic`"));
    check(r#"{ no_problem = { which = ["magic"] } }"#, Err("magic"));
    check(r#"{ no_problem = {} }"#, Err("which"));
    check(r#""happy""#, Err("happy"));
    check(r#"{ alive = { of = "job" } }"#, Err("`of` makes no sense"));
    check(r#"{ met = { after = "mark" } }"#, Err("a window makes no sense"));
    check(r#"{ no_shares = { grace = "2s" } }"#, Err("give `after`"));
    check(r#"{ met = {}, alive = {} }"#, Err("a judge is a name"));
    check("7", Err("a judge is a name"));
}

#[test]
fn every_rule_is_in_the_catalogue() {
    let text = include_str!("../rule.rs");
    let body = text.split("pub enum Rule {").nth(1).unwrap().split("\n}").next().unwrap();
    let mut names: Vec<String> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.split_whitespace().next().unwrap())
        .map(|name| {
            name.chars().fold(String::new(), |text, c| match c {
                c if c.is_ascii_uppercase() && text.is_empty() => c.to_ascii_lowercase().to_string(),
                c if c.is_ascii_uppercase() => format!("{text}_{}", c.to_ascii_lowercase()),
                c => format!("{text}{c}"),
            })
        })
        .collect();
    let mut documented: Vec<String> = JUDGES.iter().map(|judge| judge.name.to_owned()).collect();
    names.sort();
    documented.sort();
    assert_eq!(names, documented);
}

#[test]
fn a_verdict_is_that_of_its_worst_judge() {
    fn check(judges: &[&str], story: &Story, outcome: Outcome, summary: &str) {
        let parse = |text: &&str| -> Judge {
            toml::from_str::<toml::Table>(&format!("judge = {text}")).unwrap()["judge"]
                .clone()
                .try_into()
                .unwrap()
        };
        let judges: Vec<Judge> = judges.iter().map(parse).collect();
        let verdict = verdict(&judges, &story.log, &context());
        assert_eq!(verdict.outcome, outcome, "{verdict:?}");
        assert!(verdict.summary.contains(summary), "{}", verdict.summary);
    }
    let good = Story::new().shares(3);
    check(&[r#""met""#, r#""shares_good""#], &good, Outcome::Pass, "as it should");
    let few = r#"{ shares_good = { min = 9 } }"#;
    check(&[r#""met""#, few], &good, Outcome::Inconclusive, "Only 3 good shares");
    let bad = Story::new().wrong(Explanation::VersionOr).missed("two shares of the job");
    check(&[few, r#""met""#, r#""reply""#], &bad, Outcome::Fail, "and 1 more");
    // A case that does not apply is not failed, whatever came.
    let asked = r#"{ asked = { method = "mining.extranonce.subscribe" } }"#;
    check(&[r#""met""#, asked], &bad, Outcome::Inconclusive, "does not ask for");
    let asking = Story::new().request("mining.extranonce.subscribe", "[]").missed("a share");
    check(&[asked, r#""met""#], &asking, Outcome::Fail, "a share");
}

#[test]
fn pictures_have_their_data() {
    let story = Story::new().shares(3).wait(1.0).job("second").wait(0.25).share_of(1).shares(2);
    let plots = plots(&story.log);
    assert_eq!((plots.nonces.len(), plots.gaps.len(), plots.u.len()), (6, 5, 6));
    assert_eq!(plots.switches, [0.25]);
    assert_eq!(plots.version_bits.len(), 32);
}
