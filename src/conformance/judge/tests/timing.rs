//! Latencies, silences, rates.

use super::story::{Story, cannot_tell, check, context, fails, opinion, passes};
use crate::conformance::examiner::Listener;
use crate::conformance::judge::Context;
use crate::conformance::log::Closing;
use crate::conformance::result::Outcome;

/// Blocks 3 s apart, after each a last share of the old job `late` seconds after it.
fn blocks(count: u32, late: impl Fn(u32) -> f64) -> Story {
    (1..=count).fold(Story::new().round_trip(0.1).shares(2), |story, number| {
        let late = late(number);
        story.wait(0.5).job("next").wait(late).share_of(number).wait(2.5 - late).share()
    })
}

#[test]
fn switches() {
    passes("\"switches\"", blocks(30, |_| 0.2));
    // One in twenty may be slow.
    passes("\"switches\"", blocks(40, |number| if number > 38 { 2.4 } else { 0.2 }));
    fails("\"switches\"", blocks(30, |_| 2.4), "came up to 2.3 s after the new one (30 of 30 switches)");
    fails("{ switches = { p95 = \"200ms\" } }", blocks(30, |_| 0.4), "300 ms");
    passes("{ switches = { p95 = \"200ms\" } }", blocks(30, |_| 0.25)); // the round trip is not the miner's
    cannot_tell("\"switches\"", blocks(20, |_| 0.2));
    let opinion = check("\"switches\"", blocks(30, |_| 0.2), Outcome::Pass);
    assert!(opinion.measured.iter().any(|(_, value)| value == "median 100 ms, p95 100 ms, maximum 100 ms"));
}

#[test]
fn stale_fraction() {
    let judge = "{ stale_fraction = { max = 0.1 } }";
    let story = |stale: usize| {
        let story = Story::new().job("new").wait(5.0).shares(100);
        (0..stale).fold(story, |story, _| story.share_of(1))
    };
    passes(judge, story(5));
    fails(judge, story(40), "40 of 140 shares");
    cannot_tell(judge, story(14)); // 12 % of 114: chance
    cannot_tell(judge, Story::new().shares(20));
    passes(judge, Story::new().shares(100).round_trip(0.5).job("new").wait(0.4).share_of(1));
}

#[test]
fn cadence() {
    let judge = "{ cadence = { after = \"silent\", before = \"end\" } }";
    let steady = || Story::new().mine(5.0, 2.0).mark("silent").mine(60.0, 2.0);
    passes(judge, steady().mark("end").wait(100.0).share());
    fails(judge, steady().wait(30.0).share().mark("end"), "No share came for 3");
    // Half the hashrate is another judge's matter.
    passes(judge, Story::new().mark("silent").mine(60.0, 1.2).mark("end"));
    fails(judge, Story::new().mark("silent").wait(30.0).share().wait(30.0).mark("end"), "2 such silences");
    fails(judge, Story::new().mark("silent").wait(60.0).mark("end"), "No share came for 60.0 s");
    cannot_tell(judge, Story::new().mark("silent").mine(4.0, 2.0).mark("end"));
    // Without a connection there is nothing to send.
    let away =
        Story::new().mine(20.0, 2.0).closed(Closing::ByPool).wait(60.0).again().job("n").mine(20.0, 2.0);
    passes("\"cadence\"", away);
    // A hashrate that was measured from eight shares allows more.
    let rough = Context { claimed: false, ..context() };
    let silence = |seconds: f64| steady().wait(seconds).share().mark("end");
    assert_eq!(opinion(judge, &silence(15.0), &rough).outcome(), Outcome::Pass);
    assert_eq!(opinion(judge, &silence(40.0), &rough).outcome(), Outcome::Fail);
}

#[test]
fn rate_below() {
    let judge = "{ rate_below = { per_second = 12.0 } }";
    passes(judge, Story::new().mine(20.0, 2.0));
    fails(judge, Story::new().mine(20.0, 40.0), "a second");
    cannot_tell(judge, Story::new().mine(1.0, 14.0));
    let swept =
        |rate: f64| Story::new().trial("d", "0").mine(9.0, rate).end().trial("d", "1").mine(9.0, 2.0).end();
    passes(judge, swept(2.0));
    let opinion = check(judge, swept(50.0), Outcome::Fail);
    assert_eq!(opinion.troubles[0].trial.as_deref(), Some("d = 0"));
}

#[test]
fn first_share() {
    let judge = "{ first_share = { within = \"30s\" } }";
    passes(judge, Story::new().wait(10.0).share());
    fails(judge, Story::new().wait(40.0).share(), "came 40.0 s after the connection");
    fails(judge, Story::new().wait(40.0).mark("end"), "No good share came in the 40.0 s");
    cannot_tell(judge, Story::new().wait(10.0).mark("end"));
    cannot_tell(judge, Story::empty().job("first").share());
    passes(judge, Story::new().share().opened(Listener::Decoy));
    passes("\"first_share\"", Story::new().wait(100.0).share());
}

#[test]
fn latest_job() {
    let judge = "{ latest_job = { within = \"1s\" } }";
    let burst = || (0..50).fold(Story::new(), |story, _| story.wait(0.02).share().job("next")).job("last");
    passes(judge, burst().wait(0.5).share_of(20).wait(1.0).share());
    fails(judge, burst().wait(3.0).share_of(20), "the last one 3.0 s after it");
    cannot_tell(judge, burst());
}
