//! A case's steps as a flat program, and how long it can take at most.

use crate::conformance::case::Case;
use crate::conformance::step::{Expectation, Step, Within};
use crate::units::Seconds;

/// How long to wait for a share, a reply or a request where a case does not say.
const TALK_SECONDS: f64 = 60.0;

/// How long to wait for a connection or its end where a case does not say:
/// miners need up to a minute to come back, and three to notice silence.
const CONNECTION_SECONDS: f64 = 200.0;

/// One instruction.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// Does a step that is neither a repetition nor a sweep.
    Do(Step),
    /// Goes back to `first` until it was done `times` times.
    Again { first: usize, times: u32 },
    /// A trial of a sweep begins; its end is at `end`.
    Trial { name: String, value: String, end: usize },
    /// The trial ends.
    TrialEnd,
}

/// The program of a case.
pub(super) fn compile(case: &Case) -> Vec<Op> {
    let mut ops = Vec::new();
    add(&case.steps, &mut ops);
    ops
}

fn add(steps: &[Step], ops: &mut Vec<Op>) {
    for step in steps {
        match step {
            Step::Repeat { times: 0, .. } => {}
            Step::Repeat { times, steps } => {
                let first = ops.len();
                add(steps, ops);
                ops.push(Op::Again { first, times: *times });
            }
            Step::Sweep(sweep) => {
                for (value, steps) in &sweep.trials {
                    let begin = ops.len();
                    ops.push(Op::Trial { name: sweep.name.clone(), value: value.clone(), end: 0 });
                    add(steps, ops);
                    let at = ops.len();
                    ops.push(Op::TrialEnd);
                    if let Op::Trial { end, .. } = &mut ops[begin] {
                        *end = at;
                    }
                }
            }
            step => ops.push(Op::Do(step.clone())),
        }
    }
}

/// How long to wait for a session or connection.
pub(super) fn patience(within: Within) -> Seconds {
    within.within.map_or(Seconds(CONNECTION_SECONDS), |span| span.0)
}

/// How long to wait for what is expected.
pub(super) fn patience_for(expectation: &Expectation) -> Seconds {
    let slow = expectation.connection == Some(true) || expectation.closed == Some(true);
    let usual = if slow { CONNECTION_SECONDS } else { TALK_SECONDS };
    expectation.within.map_or(Seconds(usual), |span| span.0)
}

/// The longest that steps can take, in seconds.
pub(in crate::conformance) fn longest(steps: &[Step]) -> f64 {
    steps.iter().map(longest_step).sum()
}

fn longest_step(step: &Step) -> f64 {
    match step {
        Step::Reconnect(within) | Step::Session(within) => patience(*within).0,
        Step::Wait(span) => span.0.0,
        Step::Expect(expectation) => patience_for(expectation).0,
        Step::Repeat { times, steps } => f64::from(*times) * longest(steps),
        Step::Sweep(sweep) => sweep.trials.iter().map(|(_, steps)| longest(steps)).sum(),
        _ => 0.0,
    }
}

/// How many steps are done at most, repetitions counted.
pub(in crate::conformance) fn count(steps: &[Step]) -> f64 {
    let of = |step: &Step| match step {
        Step::Repeat { times, steps } => f64::from(*times) * (1.0 + count(steps)),
        Step::Sweep(sweep) => sweep.trials.iter().map(|(_, steps)| 2.0 + count(steps)).sum(),
        _ => 1.0,
    };
    steps.iter().map(of).sum()
}
