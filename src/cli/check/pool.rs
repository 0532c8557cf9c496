//! `adit check --pool`: whether a pool does what it should.

use std::path::Path;

use clap::Args;

use super::super::{Failure, interrupted, print, runtime};
use super::run::today;
use crate::check::pool::{PoolCheck, Progress, examine};
use crate::conformance::pool::{PoolCase, cases};
use crate::conformance::{CaseResult, Examination, Outcome};
use crate::net::PoolUrl;
use crate::report::{Deviations, Report, ReportFolder};
use crate::units::Seconds;

/// What only concerns pools.
#[derive(Debug, Args)]
pub(super) struct CheckPool {
    /// Worker name that the pool lets in, for many an address
    #[arg(long, value_name = "NAME", default_value = "adit-check")]
    user: String,
    /// Password; pools take options from it, such as d=0.001
    #[arg(long, value_name = "TEXT", default_value = "x")]
    password: String,
    /// Leave a case open when one share of it would take longer than this
    #[arg(long, value_name = "S", default_value = "30")]
    share_seconds_max: f64,
    /// Wait so long for a new block, all cases together
    #[arg(long, value_name = "S", default_value = "60")]
    tip_wait: f64,
}

impl CheckPool {
    pub(super) fn run(
        self,
        pool: PoolUrl,
        chosen: &[String],
        json: bool,
        out: Option<&Path>,
    ) -> Result<(), Failure> {
        let check = PoolCheck {
            pool,
            user: self.user,
            password: self.password,
            cases: choose(chosen)?,
            selection: if chosen.is_empty() { "all".to_owned() } else { chosen.join(" ") },
            share_seconds_max: seconds("--share-seconds-max", self.share_seconds_max)?,
            tip_wait: seconds("--tip-wait", self.tip_wait)?,
        };
        let mut examination = runtime()?.block_on(async {
            tokio::select! {
                biased;
                () = interrupted() => Err(Failure::Surroundings(anyhow::anyhow!("interrupted"))),
                result = examine(check, |progress| show(&progress, json)) => result.map_err(Failure::surroundings),
            }
        })?;
        let page = match out {
            Some(dir) => {
                let folder = ReportFolder::create(dir).map_err(Failure::surroundings)?;
                for case in &mut examination.cases {
                    folder.take_transcript(case).map_err(Failure::surroundings)?;
                }
                let report = Report {
                    examination: examination.clone(),
                    deviations: Deviations::default().settle(&examination, today()),
                };
                Some(folder.write_report(&report).map_err(Failure::surroundings)?)
            }
            None => None,
        };
        if json {
            print(serde_json::to_string(&examination).map_err(Failure::surroundings)?);
        } else {
            print(total(&examination));
            if let Some(page) = page {
                print(format_args!("report: {}", page.display()));
            }
        }
        let ended = |outcome| examination.cases.iter().any(|case| case.outcome == outcome);
        // An examination that decided nothing has not found the pool good.
        if ended(Outcome::Fail) || !ended(Outcome::Pass) { Err(Failure::No) } else { Ok(()) }
    }
}

fn seconds(flag: &str, value: f64) -> Result<Seconds, Failure> {
    if (0.0..=1e6).contains(&value) {
        return Ok(Seconds(value));
    }
    Err(Failure::Usage(anyhow::anyhow!("{flag} {value}: is not a number of seconds from 0 to a million")))
}

/// The cases named, or all.
fn choose(chosen: &[String]) -> Result<Vec<&'static PoolCase>, Failure> {
    if chosen.is_empty() {
        return Ok(cases().collect());
    }
    let named = |id: &String| {
        PoolCase::named(id).ok_or_else(|| {
            Failure::Usage(anyhow::anyhow!(
                "--case {id}: there is no such case; they are P01 to P47, see docs/check-pool.md"
            ))
        })
    };
    chosen.iter().map(named).collect()
}

/// A line for each case as it ends; on stderr where stdout is for a program.
fn show(progress: &Progress<'_>, json: bool) {
    let Progress::Ended(result) = progress else { return };
    let say = |text: String| if json { eprintln!("{text}") } else { print(text) };
    say(line(result));
    for trouble in &result.troubles {
        say(format!("      {}", trouble.finding));
        say(format!("      expected: {}", trouble.expected));
    }
}

fn line(result: &CaseResult) -> String {
    let CaseResult { id, title, summary, .. } = result;
    match result.outcome {
        Outcome::Pass => format!("{id}  pass  {title}: {summary}"),
        Outcome::Fail => format!("{id}  FAIL  {title}"),
        Outcome::Inconclusive => format!("{id}  open  {title}"),
        Outcome::Skipped => format!("{id}  skip  {title}: {summary}"),
    }
}

fn total(examination: &Examination) -> String {
    let count = |outcome| examination.cases.iter().filter(|case| case.outcome == outcome).count();
    let shares: u32 = examination.cases.iter().map(|case| case.shares).sum();
    format!(
        "{} passed, {} failed, {} open, {} skipped; {shares} shares judged, {:.0} s",
        count(Outcome::Pass),
        count(Outcome::Fail),
        count(Outcome::Inconclusive),
        count(Outcome::Skipped),
        examination.seconds
    )
}
