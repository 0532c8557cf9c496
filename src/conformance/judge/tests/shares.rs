//! Proofs, problems, explanations.

use super::story::{Story, cannot_tell, check, fails, passes};
use crate::conformance::log::{Closing, JobNumber};
use crate::conformance::result::Outcome;
use crate::conformance::share::{Explanation, Problem, ShareFacts};

#[test]
fn shares_good() {
    let judge = "{ shares_good = { min = 3 } }";
    passes(judge, Story::new().shares(3));
    passes(judge, Story::new().shares(2).problem(Problem::BitsMissing));
    cannot_tell(judge, Story::new().shares(2));
    fails(
        judge,
        Story::new().shares(3).problem(Problem::NtimeTooLate),
        "1 share with an ntime further ahead",
    );
    fails(
        judge,
        Story::new().shares(5).wrong(Explanation::CoinbaseCut(255)),
        "first 255 bytes of the coinbase",
    );
    fails(judge, Story::new().shares(5).share_with(unexplained), "does not reach the difficulty");
    // Shares of a job with nonsense in it prove nothing.
    let nonsense =
        Story::new().shares(3).job_with("odd", |job| job.sound = false).wrong(Explanation::VersionOr);
    passes(judge, nonsense);
    let ignoring = "{ shares_good = { min = 1, ignore = [\"ntime_too_late\"] } }";
    passes(ignoring, Story::new().problem(Problem::NtimeTooLate));

    let after = "{ shares_good = { min = 2, after = \"second\" } }";
    passes(after, Story::new().wrong(Explanation::VersionOr).mark("second").shares(2));
    fails(after, Story::new().mark("second").shares(2).wrong(Explanation::VersionOr), "OR");
    cannot_tell(after, Story::new().shares(5));
    let of = "{ shares_good = { min = 2, of = \"new\" } }";
    passes(of, Story::new().wrong(Explanation::VersionOr).job("new").shares(2));
    cannot_tell(of, Story::new().shares(5).job("new").share());
}

fn unexplained(share: &mut ShareFacts) {
    share.explanation = None;
    share.problems = vec![Problem::Low];
}

#[test]
fn in_a_sweep_each_trial_counts() {
    let judge = "{ shares_good = { min = 2 } }";
    let both = |second: usize| {
        let story = Story::new().trial("size", "1").job("a").shares(2).end();
        story.trial("size", "2").job("b").shares(second).end().job("rest").share()
    };
    passes(judge, both(2));
    let opinion = check(judge, both(1), Outcome::Inconclusive);
    assert_eq!(opinion.troubles[0].trial.as_deref(), Some("size = 2"));
    let late = Story::new().trial("size", "1").job("a").shares(2).end().trial("size", "2").job("b").shares(2);
    let opinion = check(
        judge,
        late.share_with(|share| {
            share.job = Some(JobNumber(2));
            unexplained(share);
        })
        .end(),
        Outcome::Fail,
    );
    // The share came in the second trial, for the job of the first.
    assert_eq!(opinion.troubles[0].trial.as_deref(), Some("size = 1"));
    // Trials within trials are named by both.
    let inner = Story::new().trial("at", "0").trial("json", "7").job("a").share().end().end();
    let opinion = check(judge, inner, Outcome::Inconclusive);
    assert_eq!(opinion.troubles[0].trial.as_deref(), Some("at = 0, json = 7"));
}

#[test]
fn no_problem() {
    let judge = "{ no_problem = { which = [\"bits_not_granted\", \"low\"] } }";
    passes(judge, Story::new().shares(1));
    passes(judge, Story::new().problem(Problem::Malformed));
    fails(judge, Story::new().problem(Problem::BitsNotGranted), "version bits though none were granted");
    cannot_tell(judge, Story::new());
    let after = "{ no_problem = { which = [\"bits_not_granted\"], after = \"m\" } }";
    let at = |seconds: f64| {
        Story::new()
            .round_trip(0.5)
            .mark("m")
            .wait(seconds)
            .problem(Problem::BitsNotGranted)
            .wait(9.0)
            .share()
    };
    passes(after, at(2.4)); // two seconds of grace and the round trip
    fails(after, at(2.6), "granted");
    let sharp = "{ no_problem = { which = [\"bits_not_granted\"], after = \"m\", grace = \"0s\" } }";
    fails(sharp, at(0.6), "granted");
}

#[test]
fn not_explained() {
    let judge = "{ not_explained = { which = [\"version_or\", \"coinbase_cut\"] } }";
    passes(judge, Story::new().shares(2));
    passes(judge, Story::new().wrong(Explanation::VersionXor));
    fails(judge, Story::new().wrong(Explanation::VersionOr), "job's version OR");
    fails(judge, Story::new().shares(9).wrong(Explanation::CoinbaseCut(255)), "1 share of 10");
    cannot_tell(judge, Story::new());
    // One match of a few hundred hashes may be luck; three are not.
    let weak = |story: Story| {
        story.share_with(|share| {
            share.explanation = Some(Explanation::VersionOr);
            share.problems = vec![Problem::Low];
            share.evidence.add(Explanation::VersionOr, 1.0 / 300.0, true);
            for other in 0..50 {
                share.evidence.add(Explanation::BranchCut(other), 1.0 / 300.0, false);
            }
        })
    };
    cannot_tell(judge, weak(Story::new()));
    fails(judge, weak(weak(weak(Story::new()))), "3 shares of 3");
    let graceful = "{ not_explained = { which = [\"version_or\"], after = \"m\", grace = \"5s\" } }";
    passes(graceful, Story::new().mark("m").wait(4.0).wrong(Explanation::VersionOr).wait(4.0).share());
    fails(graceful, Story::new().mark("m").wait(6.0).wrong(Explanation::VersionOr), "OR");
}

#[test]
fn counts_of_shares() {
    let none = "{ no_shares = { after = \"m\", grace = \"2s\", of = \"first\" } }";
    passes(none, Story::new().shares(3).mark("m").wait(1.0).share().job("new").shares(9));
    fails(none, Story::new().mark("m").wait(3.0).share(), "3.0 s into the window");
    fails(none, Story::new().mark("m").wait(3.0).wrong(Explanation::VersionOr), "none was due");
    cannot_tell(none, Story::new());
    let between = "{ no_shares = { after = \"m\", before = \"n\" } }";
    passes(between, Story::new().shares(1).mark("m").wait(1.0).mark("n").shares(3));
    fails(between, Story::new().mark("m").shares(1).mark("n"), "1 share came");

    let some = "{ some_shares = { min = 3 } }";
    passes(some, Story::new().shares(3));
    fails(some, Story::new().shares(2).wrong(Explanation::VersionOr), "Only 2 good shares");
    cannot_tell("{ some_shares = { min = 3, after = \"m\" } }", Story::new().shares(9));
}

#[test]
fn no_duplicates() {
    passes("\"no_duplicates\"", Story::new().shares(2));
    fails("\"no_duplicates\"", Story::new().shares(2).problem(Problem::Duplicate), "1 of 3 repeat");
    cannot_tell("\"no_duplicates\"", Story::new().shares(1));
}

#[test]
fn moving() {
    // Two nonce ranges a second.
    let constant = |share: &mut ShareFacts| {
        share.extranonce2 = "00".into();
        share.version_bits = None;
    };
    passes("\"moving\"", Story::new().shares(60));
    let stuck = (0..60).fold(Story::new(), |story, _| story.wait(0.5).share_with(constant));
    fails("\"moving\"", stuck, "60 shares of one job have only 1 combination");
    fails("\"moving\"", Story::new().shares(2).problem(Problem::Duplicate), "repeat");
    // A slow miner never comes to the end of its nonces.
    let slow = Story::new().wait(0.1).share_with(constant).wait(0.1).share_with(constant);
    let opinion = check("\"moving\"", slow, Outcome::Pass);
    assert!(opinion.troubles[0].finding.contains("nothing had to move"));
    cannot_tell("\"moving\"", Story::new());
}

#[test]
fn bits_within() {
    let judge = "{ bits_within = { after = \"m\" } }";
    let narrowed = |seconds: f64| {
        Story::new().round_trip(0.5).mask(0x2000).mark("m").wait(seconds).problem(Problem::BitsOutsideMask)
    };
    passes(judge, narrowed(2.4).wait(1.0).share());
    fails(judge, narrowed(3.0), "3.0 s after the change");
    cannot_tell(judge, narrowed(1.0));
    fails("\"bits_within\"", narrowed(3.0), "outside the mask");
    passes("\"bits_within\"", narrowed(1.0).wait(5.0).share());
    cannot_tell("\"bits_within\"", narrowed(1.0).closed(Closing::ByPool));
}
