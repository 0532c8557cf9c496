//! Statistics.

use super::story::{Story, cannot_tell, check, context, fails, opinion, passes};
use crate::conformance::judge::Context;
use crate::conformance::result::Outcome;
use crate::conformance::share::{Explanation, Problem};
use crate::units::Difficulty;

#[test]
fn garwood() {
    let judge = "{ garwood = { after = \"begin\", before = \"end\" } }";
    let story =
        |rate: f64, seconds: f64| Story::new().shares(1).mark("begin").mine(seconds, rate).mark("end");
    passes(judge, story(2.0, 300.0));
    fails(judge, story(1.5, 300.0), "% of it");
    fails(judge, story(2.6, 300.0), "% of it");
    cannot_tell(judge, story(2.0, 30.0));
    let rough = Context { claimed: false, ..context() };
    assert_eq!(opinion(judge, &story(2.0, 300.0), &rough).outcome(), Outcome::Inconclusive);
    // Half the difficulty, twice the shares.
    let easier = Story::new().mark("begin").mine(100.0, 2.0).job_with("easy", |job| {
        job.difficulty = Difficulty::new(0.5).unwrap();
    });
    passes(judge, easier.mine(100.0, 4.0).mark("end"));
    cannot_tell(judge, Story::empty().mark("begin").wait(1.0).mark("end"));
}

#[test]
fn gaps() {
    let evenly = |count: usize| (0..count).fold(Story::new(), |story, _| story.wait(0.5).share());
    passes("\"lilliefors\"", Story::new().mine(120.0, 4.0));
    fails("\"lilliefors\"", evenly(60), "not exponential");
    cannot_tell("\"lilliefors\"", Story::new().mine(5.0, 4.0));
    // Sent every two seconds, all that were found.
    let batches =
        || (0..60).fold(Story::new(), |story, _| (0..8).fold(story.wait(2.0), |story, _| story.share()));
    fails("\"lilliefors\"", batches(), "shorter than a tenth of the mean");
    fails("\"not_batched\"", batches(), "within 5 ms of the one before");
    passes("\"not_batched\"", Story::new().mine(60.0, 10.0));
    passes("\"not_batched\"", evenly(200));
    cannot_tell("\"not_batched\"", Story::new().mine(5.0, 4.0));
    // A change of difficulty is not the miner's doing.
    let changed = Story::new().mine(120.0, 2.0).job_with("hard", |job| {
        job.difficulty = Difficulty::new(8.0).unwrap();
    });
    passes("\"lilliefors\"", changed.mine(400.0, 0.25));
}

#[test]
fn uniform_u() {
    let judge = "\"uniform_u\"";
    passes(judge, Story::new().shares(100));
    cannot_tell(judge, Story::new().shares(5));
    // Four times the difficulty is applied: u up to a quarter.
    let harder = |count: usize| {
        (0..count).fold(Story::new(), |story, _| {
            story.share_with(|share| share.reached = share.reached.map(|reached| reached.scaled(4.0)))
        })
    };
    fails(judge, harder(30), "none is below 4.");
    // A truncated difficulty lets shares through that are below it.
    let low = |story: Story, part: f64| {
        story.share_with(|share| {
            share.explanation = Some(Explanation::TruncatedDifficulty);
            share.problems = vec![Problem::Low];
            share.reached = Difficulty::new(part);
        })
    };
    fails(judge, low(Story::new().shares(20), 0.8), "down to 80.0 % of it");
    // Another header says nothing of the difficulty.
    let foreign = Story::new().shares(30).share_with(|share| {
        share.explanation = Some(Explanation::CoinbaseCut(255));
        share.problems = vec![Problem::Low];
        share.reached = Difficulty::new(0.5);
        share.evidence.add(Explanation::CoinbaseCut(255), 1e-9, true);
    });
    passes(judge, foreign);
    let opinion = check(judge, Story::new().shares(100), Outcome::Pass);
    assert!(
        opinion.measured.iter().any(|(name, value)| name.contains("would show") && value == "factor 1.24")
    );
}

#[test]
fn version_bits() {
    let judge = "\"version_bits\"";
    let mask = 0x1fff_e000;
    passes(judge, Story::new().mask(mask).shares(100));
    cannot_tell(judge, Story::new().mask(mask).shares(10));
    let masked = |bits: u32| {
        (0..100).fold(Story::new().mask(mask), |story, _| {
            story.share_with(|share| share.version_bits = share.version_bits.map(|sent| sent & bits))
        })
    };
    fails(judge, masked(0x1fff_c000), "13 (never set)");
    passes("{ version_bits = { every = false } }", masked(0x1fff_c000));
    fails("{ version_bits = { every = false } }", masked(0), "never change");
    let always = Story::new().mask(mask).shares(100).share();
    let set = (0..100)
        .fold(always.mask(0x2000), |story, _| story.share_with(|share| share.version_bits = Some(0x2000)));
    passes(judge, set); // clear in the shares before
}

#[test]
fn nonce_coverage() {
    passes("\"nonce_coverage\"", Story::new().shares(60));
    let constant = (0..60).fold(Story::new(), |story, _| {
        story.share_with(|share| share.nonce = share.nonce.map(|nonce| nonce & 0xff00_0000 & 0x0f00_0000))
    });
    fails("\"nonce_coverage\"", constant, "60 shares have only 16 nonces");
    cannot_tell("\"nonce_coverage\"", Story::new().shares(5));
}
