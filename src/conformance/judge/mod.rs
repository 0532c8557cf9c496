//! What must hold after a case, decided from the log alone.
//!
//! | file | judges |
//! |---|---|
//! | `sessions` | connections, requests, replies, lines |
//! | `shares` | proofs, problems, explanations |
//! | `timing` | latencies, silences, rates |
//! | `chance` | statistics |
//! | `sweeps` | trials: limits, and refusing cleanly |
//!
//! A judge reads a [`View`](view::View) of the log: shares with their jobs,
//! windows between marks, trials. It fails only on what a miner can be blamed
//! for: what was in flight when something changed is taken out by the round
//! trip, what chance explains by a test with a stated error. When the log has
//! too little to decide, it says what it would need. Jobs with nonsense in them
//! prove nothing about shares made of them, so their shares are passed over.

mod catalogue;
mod chance;
mod plots;
mod rule;
mod sessions;
mod shares;
mod sweeps;
#[cfg(test)]
mod tests;
mod timing;
mod view;

pub use catalogue::{JUDGES, JudgeDoc};
pub(super) use plots::plots;
pub use rule::{ExplanationName, Judge, Rule, Value, Window};

use super::log::{Fact, Log};
use super::result::{Outcome, Trouble};
use crate::units::Hashrate;
use view::View;

/// What judges know beside the log.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Hashes a second, in the miner's units.
    pub hashrate: Hashrate,
    /// Whether the user claims it; otherwise it was measured, roughly.
    pub claimed: bool,
}

/// What a judge thinks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Opinion {
    /// What it found; none is a pass.
    pub troubles: Vec<Trouble>,
    /// What it measured.
    pub measured: Vec<(String, String)>,
}

/// Records that are shown as evidence for one finding.
const EVIDENCE_MAX: usize = 10;

impl Opinion {
    fn add(
        &mut self,
        outcome: Outcome,
        finding: impl Into<String>,
        expected: impl Into<String>,
        evidence: Vec<usize>,
    ) {
        let mut evidence = evidence;
        evidence.truncate(EVIDENCE_MAX);
        self.troubles.push(Trouble {
            judge: String::new(),
            outcome,
            finding: finding.into(),
            expected: expected.into(),
            evidence,
            trial: None,
        });
    }

    fn fail(&mut self, finding: impl Into<String>, expected: impl Into<String>, evidence: Vec<usize>) {
        self.add(Outcome::Fail, finding, expected, evidence);
    }

    fn inconclusive(&mut self, finding: impl Into<String>, expected: impl Into<String>) {
        self.add(Outcome::Inconclusive, finding, expected, Vec::new());
    }

    fn note(&mut self, finding: impl Into<String>, expected: impl Into<String>) {
        self.add(Outcome::Pass, finding, expected, Vec::new());
    }

    fn measured(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.measured.push((name.into(), value.into()));
    }

    /// What it comes to.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let has = |outcome| self.troubles.iter().any(|trouble| trouble.outcome == outcome);
        if has(Outcome::Fail) {
            Outcome::Fail
        } else if has(Outcome::Inconclusive) {
            Outcome::Inconclusive
        } else {
            Outcome::Pass
        }
    }
}

impl Judge {
    /// Reads the log.
    #[must_use]
    pub fn judge(&self, log: &Log, context: &Context) -> Opinion {
        self.judge_view(&View::of(log, context))
    }

    fn judge_view(&self, view: &View<'_>) -> Opinion {
        let mut opinion = Opinion::default();
        if let Some(mark) = view.missing_mark(&self.window) {
            opinion.inconclusive(
                format!("The case never came to the moment `{mark}`, so there is nothing to judge."),
                "That the case runs to its end.",
            );
        } else {
            self.apply(view, &mut opinion);
        }
        for trouble in &mut opinion.troubles {
            trouble.judge.clone_from(&self.name);
            if trouble.trial.is_none() {
                let first = trouble.evidence.first();
                trouble.trial = first.and_then(|index| view.trial_at(*index)).map(|trial| trial.name.clone());
            }
        }
        opinion
    }

    fn apply(&self, view: &View<'_>, out: &mut Opinion) {
        let windows = view.windows(&self.window, self.rule.grace());
        let w = &windows;
        match &self.rule {
            Rule::Met {} => met(view.log, out),
            Rule::Alive {} => sessions::alive(view, w, out),
            Rule::SharesGood { min, ignore } => shares::good(view, w, *min, ignore, out),
            Rule::NoProblem { which, min } => shares::no_problem(view, w, which, *min, out),
            Rule::NotExplained { which, min } => shares::not_explained(view, w, which, *min, out),
            Rule::NoShares {} => shares::none(view, w, out),
            Rule::SomeShares { min } => shares::some(view, w, *min, out),
            Rule::Switches { p95, min } => timing::switches(view, w, p95.0.0, *min, out),
            Rule::StaleFraction { max, min } => timing::stale_fraction(view, w, *max, *min, out),
            Rule::Moving {} => shares::moving(view, w, out),
            Rule::Reply { id, result, required } => {
                sessions::reply(view, w, id.as_deref(), result.as_deref(), *required, out);
            }
            Rule::Requests { method, min, max } => sessions::requests(view, w, method, *min, *max, out),
            Rule::RequestBefore { a, b } => sessions::request_before(view, w, a, b, out),
            Rule::Asked { method } => sessions::asked(view, method, out),
            Rule::Reconnected { within } => {
                sessions::reconnected(view, w, self.window.after.as_deref(), within.0.0, out);
            }
            Rule::Reconnects { per_minute_max, backs_off } => {
                sessions::reconnects(view, w, *per_minute_max, *backs_off, out);
            }
            Rule::Visited { listener, within } => {
                sessions::visited(view, w, *listener, within.map(|span| span.0.0), out);
            }
            Rule::NotVisited { listener } => sessions::not_visited(view, w, *listener, out),
            Rule::Cadence { slack } => timing::cadence(view, w, slack.0.0, out),
            Rule::RateBelow { per_second } => timing::rate_below(view, w, *per_second, out),
            Rule::WellFormed { bytes_max } => sessions::well_formed(view, w, *bytes_max, out),
            Rule::Worker {} => sessions::worker(view, w, out),
            Rule::Limit { what, at_least, at_most, must } => {
                sweeps::limit(view, what, *at_least, *at_most, must, out);
            }
            Rule::SoundOrRefused { ignore, within } => {
                sweeps::sound_or_refused(view, w, ignore, within.0.0, out);
            }
            Rule::Garwood { alpha, min } => chance::garwood(view, w, *alpha, *min, out),
            Rule::Lilliefors { alpha, min } => chance::lilliefors(view, w, *alpha, *min, out),
            Rule::NotBatched { alpha, min } => chance::not_batched(view, w, *alpha, *min, out),
            Rule::UniformU { alpha, min } => chance::uniform_u(view, w, *alpha, *min, out),
            Rule::VersionBits { alpha, every } => chance::version_bits(view, w, *alpha, *every, out),
            Rule::NonceCoverage {} => chance::nonce_coverage(view, w, out),
            Rule::NoDuplicates {} => shares::no_duplicates(view, w, out),
            Rule::FirstShare { within } => timing::first_share(view, w, within.map(|span| span.0.0), out),
            Rule::LatestJob { within } => timing::latest_job(view, w, within.0.0, out),
            Rule::BitsWithin {} => {
                shares::bits_within(view, w, self.window.after.is_some(), self.rule.grace(), out);
            }
        }
    }
}

fn met(log: &Log, out: &mut Opinion) {
    for (index, record) in log.records.iter().enumerate() {
        if let Fact::Missed(what) = &record.fact {
            out.fail(format!("It did not come: {what}."), "That it comes in time.", vec![index]);
        }
    }
}

/// What a case comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Fail if a judge fails, else inconclusive if one is, else pass.
    pub outcome: Outcome,
    /// In one sentence.
    pub summary: String,
    /// Worst first.
    pub troubles: Vec<Trouble>,
    /// All that was measured.
    pub measured: Vec<(String, String)>,
}

/// Lets all judges of a case read its log.
///
/// When a precondition (`asked`) does not hold, the case does not apply to the
/// miner, and nothing else counts.
#[must_use]
pub fn verdict(judges: &[Judge], log: &Log, context: &Context) -> Verdict {
    let view = View::of(log, context);
    let (preconditions, others): (Vec<&Judge>, Vec<&Judge>) =
        judges.iter().partition(|judge| matches!(judge.rule, Rule::Asked { .. }));
    let mut all = Opinion::default();
    let mut gather = |judges: &[&Judge]| {
        for judge in judges {
            let opinion = judge.judge_view(&view);
            all.troubles.extend(opinion.troubles);
            for measured in opinion.measured {
                if !all.measured.contains(&measured) {
                    all.measured.push(measured);
                }
            }
        }
        all.outcome()
    };
    if gather(&preconditions) == Outcome::Pass {
        gather(&others);
    }
    let outcome = all.outcome();
    // Where something failed it needs no telling that something else could not be decided.
    let failed: Vec<Option<String>> = all
        .troubles
        .iter()
        .filter(|trouble| trouble.outcome == Outcome::Fail)
        .map(|trouble| trouble.trial.clone())
        .collect();
    all.troubles
        .retain(|trouble| trouble.outcome != Outcome::Inconclusive || !failed.contains(&trouble.trial));
    all.troubles.sort_by_key(|trouble| match trouble.outcome {
        Outcome::Fail => 0,
        Outcome::Inconclusive => 1,
        Outcome::Pass | Outcome::Skipped => 2,
    });
    let count = |outcome| all.troubles.iter().filter(|trouble| trouble.outcome == outcome).count();
    let first = all.troubles.first().map(|trouble| match &trouble.trial {
        Some(trial) => format!("{} ({trial})", trouble.finding.trim_end_matches('.')),
        None => trouble.finding.trim_end_matches('.').to_owned(),
    });
    let summary = match (outcome, first) {
        (Outcome::Pass, _) | (_, None) => "All as it should be.".to_owned(),
        (outcome, Some(first)) => match count(outcome) {
            1 => format!("{first}."),
            several => format!("{first}; and {} more.", several - 1),
        },
    };
    Verdict { outcome, summary, troubles: all.troubles, measured: all.measured }
}
