//! Runs an examination: flags in, report and exit code out.

use std::path::Path;

use super::super::{Failure, interrupted, print, runtime};
use super::Check;
use super::choose::Catalogue;
use super::list::severity_name;
use super::show::Show;
use crate::check::{CheckError, CheckOptions, Progress, run as examine};
use crate::conformance::Outcome;
use crate::report::escape::visible;
use crate::report::{Deviations, FolderError, Report, ReportFolder, Verdict};

/// Where the report goes when nobody says.
const OUT: &str = "adit-report";

/// Findings are cut to this in the summary; the report has them whole.
const FINDING_CHARS: usize = 160;

/// Examines the miner that connects.
pub(super) fn run(check: Check, catalogue: &Catalogue) -> Result<(), Failure> {
    let Some(listen) = check.v1 else {
        return Err(Failure::Usage(anyhow::anyhow!(
            "adit check examines a miner or a pool; say which. For a miner, be its pool: --v1 0.0.0.0:3333, and point \
             the device at port 3333 of this machine. For a pool: --pool stratum+tcp://HOST:PORT"
        )));
    };
    let (cases, selection) = catalogue.choose(check.suite, &check.case)?;
    let deviations = match &check.against {
        Some(path) => Deviations::read(path, |id| catalogue.known(id).map(|_| ()))
            .map_err(|error| Failure::Usage(error.into()))?,
        None => Deviations::default(),
    };
    let out = check.out.as_deref().unwrap_or(Path::new(OUT));
    let folder = ReportFolder::create(out).map_err(Failure::surroundings)?;
    let mut show = Show::new(&cases, listen, check.host.clone());
    let options = CheckOptions {
        listen,
        decoy: check.decoy,
        tls: check.tls,
        moved: check.moved,
        host: check.host,
        cases,
        selection,
        hashrate: check.hashrate,
        wait: std::time::Duration::from_secs(check.wait),
        seed: check.seed,
    };
    let mut lost: Option<FolderError> = None;
    let examination = runtime()?.block_on(async {
        let stop = interrupted();
        examine(options, stop, |progress| {
            if let Progress::Ended(result) = progress {
                show.ended(result);
                // Whole now, in memory only as much as the report shows.
                lost = folder.take_transcript(result).err().or(lost.take());
            } else {
                show.progress(&progress);
            }
        })
        .await
    });
    show.finish();
    let examination = examination.map_err(|error: CheckError| Failure::Surroundings(error.into()))?;
    let deviations = deviations.settle(&examination, today());
    let report = Report { examination, deviations };
    let page = folder.write_report(&report).map_err(Failure::surroundings)?;
    if check.json {
        print(serde_json::to_string(&report.examination).map_err(Failure::surroundings)?);
        eprintln!("{}", summary(&report));
    } else {
        print(summary(&report));
        print(format_args!("report: {}", page.display()));
    }
    if let Some(error) = lost {
        return Err(Failure::surroundings(error));
    }
    verdict(&report)
}

/// Today, in UTC.
pub(super) fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// What the run means for who reads exit codes only.
fn verdict(report: &Report) -> Result<(), Failure> {
    let counts = report.counts();
    if !report.is_good() {
        return Err(Failure::No);
    }
    if counts.skipped > 0 {
        return Err(Failure::Surroundings(anyhow::anyhow!(
            "the examination ended before {} of {} cases were run",
            counts.skipped,
            report.examination.cases.len()
        )));
    }
    // Nothing failed because nothing was found out: that is not good either.
    if counts.passed + counts.accepted == 0 { Err(Failure::No) } else { Ok(()) }
}

/// The end of a run in a few lines.
fn summary(report: &Report) -> String {
    let counts = report.counts();
    let examination = &report.examination;
    let agent = visible(examination.user_agent.as_deref().unwrap_or("unknown miner"));
    let mut text = format!("\n{agent}: {} passed, {} failed", counts.passed, counts.failed);
    for (count, name) in
        [(counts.accepted, "accepted"), (counts.inconclusive, "inconclusive"), (counts.skipped, "not run")]
    {
        if count > 0 {
            text.push_str(&format!(", {count} {name}"));
        }
    }
    text.push_str(&format!(" in {:.0} s", examination.seconds));
    let mut line = |word: &str, id: &str, what: &str| {
        let what = visible(what);
        let (what, more) = crate::report::escape::cut(&what, FINDING_CHARS);
        let dots = if more > 0 { " …" } else { "" };
        text.push_str(&format!("\n{word:<12}  {id:<5}  {what}{dots}"));
    };
    for case in &examination.cases {
        match report.verdict(case) {
            Verdict::Failed => {
                let finding = case.troubles.iter().find(|trouble| trouble.outcome == Outcome::Fail);
                let what = finding.map_or(&case.summary, |trouble| &trouble.finding);
                line("failed", &visible(&case.id), &format!("({}) {what}", severity_name(case.severity)));
            }
            Verdict::Accepted(reason) => line("accepted", &visible(&case.id), &reason),
            Verdict::Inconclusive => line("inconclusive", &visible(&case.id), &case.summary),
            Verdict::Passed | Verdict::Skipped => {}
        }
    }
    report.stale().for_each(|stale| line("deviation", "", &stale));
    text
}
