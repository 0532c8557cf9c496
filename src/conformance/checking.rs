//! Whether a case can work, as far as that is known before it is run.

use super::case::Case;
use super::examiner::{GOLDEN, HEX_FORMS, PLACEHOLDERS, count, longest};
use super::step::{DifficultyStep, Expectation, Step};
use super::terms::{JobSpec, TermsChange};
use crate::miner::personality::Quirk;
use crate::stratum::v1::hex;

/// Steps of a case at most, repetitions counted.
const STEPS_MAX: f64 = 1_000_000.0;

/// The longest that a case can take.
const SECONDS_MAX: f64 = 604_800.0;

/// The longest coinbase that can be asked for.
const COINBASE_BYTES_MAX: usize = 65_000;

/// Names that a case gives to things.
#[derive(Default)]
struct Names<'a> {
    labels: Vec<&'a str>,
    marks: Vec<&'a str>,
    asked: Vec<&'a str>,
}

/// What is wrong with a case, and what to try; `verdict` is its judges as written.
pub(super) fn fault(case: &Case, verdict: &[toml::Value]) -> Option<String> {
    if case.steps.is_empty() {
        return Some("it has no steps; try `{ session = {} }`".into());
    }
    if verdict.is_empty() {
        return Some("nothing would be judged; try `verdict = [\"met\"]`".into());
    }
    let steps = count(&case.steps);
    if steps > STEPS_MAX {
        return Some(format!("it has up to {steps} steps; at most {STEPS_MAX} are done"));
    }
    if longest(&case.steps) > SECONDS_MAX {
        return Some("it can take longer than a week; repeat less, or wait less".into());
    }
    if let Some(name) = case.caught.iter().find(|name| Quirk::named(name).is_none()) {
        return Some(format!("no quirk is called `{name}`; src/miner/personality/quirk.rs lists them"));
    }
    let mut names = Names::default();
    gather(&case.steps, &mut names);
    first_of(&case.steps, &names).or_else(|| verdict.iter().find_map(|judge| unknown_name(judge, &names)))
}

fn gather<'a>(steps: &'a [Step], names: &mut Names<'a>) {
    for step in steps {
        match step {
            Step::Notify(spec) => names.labels.extend(spec.label.as_deref()),
            Step::Terms(terms) => {
                names.labels.extend(terms.job.as_ref().and_then(|job| job.label.as_deref()));
            }
            Step::Mark(name) => names.marks.push(name),
            Step::Ask(ask) => names.asked.push(&ask.id),
            Step::Repeat { steps, .. } => gather(steps, names),
            Step::Sweep(sweep) => sweep.trials.iter().for_each(|(_, steps)| gather(steps, names)),
            _ => {}
        }
    }
}

fn first_of(steps: &[Step], names: &Names<'_>) -> Option<String> {
    steps.iter().find_map(|step| {
        let unknown = || step.texts().into_iter().find_map(unknown_placeholder);
        fault_of(step, names).or_else(unknown)
    })
}

fn fault_of(step: &Step, names: &Names<'_>) -> Option<String> {
    match step {
        Step::Terms(terms) => fault_of_terms(terms),
        Step::Notify(spec) => fault_of_job(spec),
        Step::Difficulty(DifficultyStep::Rate(rate)) => fault_of_rate(*rate),
        Step::Difficulty(DifficultyStep::Value(value) | DifficultyStep::Factor(value)) => {
            let wrong = !(value.is_finite() && *value > 0.0);
            wrong.then(|| format!("a difficulty of {value} cannot be meant; try `raw`"))
        }
        Step::Mask(mask) => no_number(mask),
        Step::Bytes(bytes) => {
            if bytes.text.is_none() && bytes.hex.is_none() {
                return Some("`bytes` needs a text or hex".into());
            }
            let no_hex = bytes.hex.as_ref().filter(|digits| hex::decode(digits).is_none());
            no_hex.map(|digits| format!("`{digits}` is no hexadecimal; each byte has two digits"))
        }
        Step::Ask(ask) => {
            let no_json = serde_json::from_str::<serde_json::Value>(&ask.id).is_err();
            let what = || format!("the id `{0}` is no JSON; try `7` or `'\"{0}\"'`", ask.id);
            no_json.then(what)
        }
        Step::Freeze(false) => Some("what is frozen does not thaw; try `reconnect`".into()),
        Step::Transport(transport) => {
            let none = transport.split == Some(0) || transport.coalesce == Some(0);
            none.then(|| "segments of 0 bytes or lines cannot be sent; try 1".into())
        }
        Step::Expect(expectation) => fault_of_expectation(expectation, names),
        Step::Repeat { steps, .. } => first_of(steps, names),
        Step::Sweep(sweep) => sweep.trials.iter().find_map(|(_, steps)| first_of(steps, names)),
        _ => None,
    }
}

fn fault_of_terms(terms: &TermsChange) -> Option<String> {
    (terms.mask.as_deref().and_then(no_number))
        .or_else(|| terms.rate.and_then(fault_of_rate))
        .or_else(|| terms.job.as_ref().and_then(fault_of_job))
}

fn fault_of_rate(rate: f64) -> Option<String> {
    let wrong = !(rate.is_finite() && rate > 0.0);
    wrong.then(|| format!("a rate of {rate} shares a second cannot be had; try 2.0"))
}

fn fault_of_job(spec: &JobSpec) -> Option<String> {
    if let Some(bytes) = spec.coinbase_bytes.filter(|bytes| *bytes > COINBASE_BYTES_MAX) {
        return Some(format!("a coinbase of {bytes} bytes; at most {COINBASE_BYTES_MAX} can be made"));
    }
    if let Some(name) = spec.golden.as_deref().filter(|name| !GOLDEN.contains(name)) {
        return Some(format!("no golden job is called `{name}`; try {}", GOLDEN.join(" or ")));
    }
    if let Some(form) = spec.hex.as_deref().filter(|form| !HEX_FORMS.contains(form)) {
        return Some(format!("hexadecimal is not written `{form}`; try lower, upper, 0x or odd"));
    }
    if let Some((place, _)) = spec.replace.iter().flatten().find(|(place, _)| *place > 8) {
        return Some(format!("a job has no parameter {place}; they are numbered from 0 to 8"));
    }
    [&spec.version, &spec.nbits].into_iter().flatten().find_map(|number| no_number(number))
}

fn fault_of_expectation(expectation: &Expectation, names: &Names<'_>) -> Option<String> {
    let Expectation { shares, submits, of, request, reply, connection, closed, .. } = expectation;
    let waits = connection == &Some(true) || closed == &Some(true);
    if shares.is_none() && submits.is_none() && request.is_none() && reply.is_none() && !waits {
        return Some(
            "it expects nothing; try shares, submits, request, reply, connection = true or closed = true"
                .into(),
        );
    }
    if let Some(id) = reply.as_deref().filter(|id| !names.asked.contains(id)) {
        return Some(format!("nobody is asked with id {id}, so no reply can come; try an `ask` before it"));
    }
    of.as_deref().and_then(|label| no_label(label, names))
}

fn no_label(label: &str, names: &Names<'_>) -> Option<String> {
    let unknown = !names.labels.contains(&label);
    unknown.then(|| format!("no job is called `{label}`; try `notify = {{ label = \"{label}\" }}`"))
}

fn no_number(text: &str) -> Option<String> {
    let wrong = hex::decode_u32(text).is_none();
    wrong.then(|| format!("`{text}` is no number in hexadecimal; try one such as 1fffe000"))
}

/// A name in braces that looks like a placeholder and is none.
fn unknown_placeholder(text: &str) -> Option<String> {
    text.match_indices('{').find_map(|(at, _)| {
        let inside = text[at + 1..].split('}').next()?;
        let is_name = !inside.is_empty() && inside.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        let name = format!("{{{inside}}}");
        let unknown = is_name && text[at..].starts_with(&name) && !PLACEHOLDERS.contains(&name.as_str());
        unknown.then(|| format!("`{name}` stands for nothing; try {}", PLACEHOLDERS.join(", ")))
    })
}

/// A name that a judge uses and no step gives.
fn unknown_name(judge: &toml::Value, names: &Names<'_>) -> Option<String> {
    let (_, settings) = judge.as_table()?.iter().next()?;
    let text = |key| settings.get(key).and_then(toml::Value::as_str);
    let no_mark = |name: &str| {
        let unknown = !names.marks.contains(&name);
        unknown.then(|| format!("no moment is called `{name}`; try `mark = \"{name}\"` among the steps"))
    };
    (text("after").and_then(no_mark))
        .or_else(|| text("before").and_then(no_mark))
        .or_else(|| text("of").and_then(|label| no_label(label, names)))
}
