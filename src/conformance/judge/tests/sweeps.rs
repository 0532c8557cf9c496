//! Trials.

use super::story::{Story, cannot_tell, check, fails, passes};
use crate::conformance::log::Closing;
use crate::conformance::result::Outcome;
use crate::conformance::share::{Explanation, Problem};

/// A trial with a job, and what the miner does.
fn trial(story: Story, value: &str, then: impl Fn(Story) -> Story) -> Story {
    then(story.trial("bytes", value).job(value)).end()
}

#[test]
fn sound_or_refused() {
    let judge = "\"sound_or_refused\"";
    let good = |story: Story| story.shares(2);
    passes(judge, trial(Story::new(), "200", good));
    passes(judge, trial(Story::new(), "200", |story| story.wait(20.0)));
    let refused = |story: Story| story.closed(Closing::Fin).wait(5.0).again();
    passes(judge, trial(trial(Story::new(), "200", refused), "300", good));
    let cut = |story: Story| story.shares(1).wrong(Explanation::CoinbaseCut(255));
    let opinion = check(judge, trial(Story::new(), "300", cut), Outcome::Fail);
    assert_eq!(opinion.troubles[0].trial.as_deref(), Some("bytes = 300"));
    fails(judge, trial(Story::new(), "300", cut), "first 255 bytes of the coinbase");
    passes(judge, trial(Story::new(), "300", |story| story.closed(Closing::Rst).wait(5.0).again()));
    let restarted = |story: Story| story.closed(Closing::Rst).wait(20.0).again();
    fails(judge, trial(Story::new(), "300", restarted), "away for 20");
    fails(judge, trial(Story::new(), "300", |story| story.closed(Closing::TimedOut)), "no longer answered");
    fails(judge, trial(Story::new(), "300", |story| story.wait(40.0).again()), "as after a restart");
    let gone = |story: Story| story.closed(Closing::Fin).wait(120.0).again();
    fails(judge, trial(Story::new(), "300", gone), "away for 120 s");
    passes(judge, trial(Story::new(), "300", |story| story.problem(Problem::BitsMissing)));
    fails(
        judge,
        trial(Story::new(), "300", |story| story.problem(Problem::Extranonce2Length)),
        "another length",
    );
    // Without a sweep the whole case is one trial.
    passes(judge, Story::new().shares(1));
    fails(judge, Story::new().closed(Closing::Rst).wait(20.0).again(), "away");
    cannot_tell(judge, Story::empty());
}

#[test]
fn limit() {
    let good = |story: Story| story.shares(2);
    let cut = |story: Story| story.shares(1).wrong(Explanation::CoinbaseCut(255));
    let none = |story: Story| story.wait(15.0);
    let sweep = || trial(trial(trial(Story::new(), "200", good), "300", cut), "400", none);
    let opinion = check("{ limit = { what = \"bytes of coinbase\" } }", sweep(), Outcome::Pass);
    assert!(opinion.measured.contains(&("bytes of coinbase: good shares at".into(), "200".into())));
    assert!(opinion.measured.contains(&("bytes of coinbase: no good shares at".into(), "300, 400".into())));
    passes("{ limit = { what = \"bytes\", must = [\"200\"] } }", sweep());
    fails("{ limit = { what = \"bytes\", must = [200, \"300\"] } }", sweep(), "at 300 bytes");
    fails("{ limit = { what = \"bytes\", at_least = 400 } }", sweep(), "at 300, 400 bytes");
    passes("{ limit = { what = \"bytes\", at_least = 250 } }", sweep());
    fails("{ limit = { what = \"bytes\", at_most = 350 } }", sweep(), "at 400 bytes");
    cannot_tell("{ limit = { what = \"bytes\", must = [\"200\", \"500\"] } }", sweep());
    cannot_tell("{ limit = { what = \"bytes\" } }", Story::new());
}
