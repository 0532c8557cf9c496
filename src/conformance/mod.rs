//! Conformance of miner firmware: what a test pool does to a miner, what it
//! observes, and what follows.
//!
//! A [`Case`] is data: steps that the pool takes, and judges that read what was
//! observed. The [`Examiner`] is a pure state machine that plays the pool of
//! one case after another; it observes and never assumes, so each share is
//! judged by its real proof. Everything that happens becomes a [`Fact`] in a
//! [`Log`]; judges, reports and transcripts are readers of the log. A driver
//! runs the examiner over sockets, [`rehearse`] runs it in virtual time against
//! a replica of some firmware.
//!
//! ```text
//!  cases/*.toml ─▶ Case ─▶ Examiner ◀─bytes─▶ miner (socket, or virtual)
//!                             │ Fact
//!                             ▼
//!                            Log ─▶ judges ─▶ Finding ─▶ report
//! ```

mod case;
mod catalogue;
mod checking;
mod examiner;
mod judge;
mod log;
pub mod pool;
mod rehearsal;
mod result;
mod scale;
mod share;
mod span;
mod statistics;
mod step;
mod terms;

pub use case::{Case, Severity, Suite};
pub use catalogue::{cases, read_cases};
pub use examiner::{Action, Examiner, Input, Listener, Setting};
pub use judge::{
    Context, ExplanationName, JUDGES, Judge, JudgeDoc, Opinion, Rule, Value, Verdict, Window, verdict,
};
pub use log::{Closing, Connection, Difference, Fact, JobNumber, JobRecord, Log, Record};
pub use rehearsal::{rehearse, rehearse_all};
pub use result::{CaseResult, Examination, Line, Outcome, Plots, Trouble};
pub use scale::WorkScale;
pub use share::{Evidence, Explanation, Fit, Problem, ShareFacts};
pub use span::Span;
pub use step::Step;
pub use terms::{JobSpec, Terms, TermsChange};
