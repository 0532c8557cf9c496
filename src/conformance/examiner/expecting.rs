//! Whether what a step expects has come.

use std::fmt;

use super::pool::Pool;
use crate::conformance::log::{Closing, Connection, Fact, JobNumber, Log};
use crate::conformance::share::{Explanation, ShareFacts};
use crate::conformance::step::Expectation;
use crate::units::Timestamp;

/// An expectation, and what of it has come.
#[derive(Debug)]
pub(super) struct Expecting {
    /// What is expected.
    pub what: Expectation,
    /// When it is missed.
    pub until: Timestamp,
    /// Older jobs are not meant.
    before: JobNumber,
    /// Where in the log to read on.
    next: usize,
    /// The connection that it is about.
    connection: Option<Connection>,
    shares: u32,
    submits: u32,
    requested: bool,
    replied: bool,
    connected: bool,
    closed: bool,
}

impl Expecting {
    /// Counts from now on; replies since they were asked for, requests since
    /// the connection was opened. Labels are of jobs after `before`: a trial
    /// does not mean those of another one.
    pub fn new(
        what: &Expectation,
        pool: &Pool,
        asked: Option<usize>,
        before: JobNumber,
        until: Timestamp,
    ) -> Self {
        let connection = pool.current();
        let log = pool.ledger.log();
        let replies = log.records.iter().skip(asked.unwrap_or(log.records.len()));
        let replied = what.reply.as_ref().is_none_or(|wanted| {
            replies
                .into_iter()
                .any(|record| matches!(&record.fact, Fact::Reply { id, .. } if same_json(id, wanted)))
        });
        let requested = what.request.as_ref().is_none_or(|wanted| {
            let ours = log.records.iter().filter(|record| record.connection == connection);
            ours.into_iter()
                .any(|record| matches!(&record.fact, Fact::Request { method, .. } if method == wanted))
        });
        Self {
            what: what.clone(),
            until,
            before,
            next: log.records.len(),
            connection,
            shares: 0,
            submits: 0,
            requested,
            replied,
            connected: what.connection != Some(true),
            closed: what.closed != Some(true) || connection.is_none(),
        }
    }

    /// Reads on, and says whether all of it has come.
    pub fn is_met(&mut self, pool: &Pool) -> bool {
        let log = pool.ledger.log();
        for record in log.records.iter().skip(self.next) {
            match &record.fact {
                Fact::Share(share) if self.is_of_label(share, log) => {
                    self.submits += 1;
                    self.shares += u32::from(share.explanation == Some(Explanation::AsDescribed));
                }
                Fact::Request { method, .. } if Some(method) == self.what.request.as_ref() => {
                    self.requested = true;
                }
                Fact::Reply { id, .. }
                    if self.what.reply.as_ref().is_some_and(|wanted| same_json(id, wanted)) =>
                {
                    self.replied = true;
                }
                Fact::Opened(_) => self.connected = true,
                Fact::Closed(closing) if record.connection == self.connection => {
                    self.closed |= *closing != Closing::ByPool;
                }
                _ => {}
            }
        }
        self.next = log.records.len();
        self.shares >= self.what.shares.unwrap_or(0)
            && self.submits >= self.what.submits.unwrap_or(0)
            && self.requested
            && self.replied
            && self.connected
            && self.closed
    }

    fn is_of_label(&self, share: &ShareFacts, log: &Log) -> bool {
        let Some(label) = &self.what.of else { return true };
        let job = share.job.and_then(|number| log.job(number));
        job.is_some_and(|job| job.number > self.before && job.label.as_ref() == Some(label))
    }
}

impl fmt::Display for Expecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.what.of.as_ref().map_or(String::new(), |label| format!(" of the job `{label}`"));
        let mut parts = Vec::new();
        if let Some(shares) = self.what.shares {
            parts.push(format!("{shares} shares with a valid proof{of} ({} came)", self.shares));
        }
        if let Some(submits) = self.what.submits {
            parts.push(format!("{submits} shares{of} ({} came)", self.submits));
        }
        if let Some(method) = &self.what.request {
            parts.push(format!("the request {method}"));
        }
        if let Some(id) = &self.what.reply {
            parts.push(format!("the reply with id {id}"));
        }
        if self.what.connection == Some(true) {
            parts.push("a new connection".into());
        }
        if self.what.closed == Some(true) {
            parts.push("the end of the connection".into());
        }
        f.write_str(&parts.join(" and "))?;
        self.what.because.as_ref().map_or(Ok(()), |because| write!(f, ": {because}"))
    }
}

/// Whether two ids have the same JSON value and type, however they are written.
fn same_json(one: &str, other: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || value(one).is_some_and(|one| Some(one) == value(other))
}
