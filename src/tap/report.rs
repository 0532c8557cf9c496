//! What a miner that heard a replay did differently from the recorded one.

use crate::units::Seconds;

/// What a miner did that the recorded one did not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReplayReport {
    /// Requests it made.
    pub requests: u64,
    /// Methods that only the recorded miner used.
    pub missing: Vec<String>,
    /// Methods that only this miner used.
    pub extra: Vec<String>,
    /// Those that both used in the order of their first use, where it differs: recorded, now.
    pub order: Option<(Vec<String>, Vec<String>)>,
    /// Replies to the pool's requests, where their number differs: recorded, now.
    pub answers: Option<(usize, usize)>,
    /// Lines that are no message.
    pub unreadable: u64,
    /// A request that the recording waited for in vain, and how long.
    pub waited_for: Option<(String, Seconds)>,
    /// It closed the connection, where the recorded miner did not: when, of how long.
    pub left_early: Option<(Seconds, Seconds)>,
}

impl ReplayReport {
    /// Whether it did anything differently.
    #[must_use]
    pub fn differs(&self) -> bool {
        let Self { requests: _, missing, extra, order, answers, unreadable, waited_for, left_early } = self;
        let methods = !missing.is_empty() || !extra.is_empty() || order.is_some();
        methods || answers.is_some() || *unreadable > 0 || waited_for.is_some() || left_early.is_some()
    }
}

impl std::fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.differs() {
            return write!(f, "{} requests, as in the recording", self.requests);
        }
        write!(f, "{} requests, not as in the recording:", self.requests)?;
        let methods = |methods: &[String]| methods.join(", ");
        if !self.missing.is_empty() {
            write!(f, "\n  never sent {}", methods(&self.missing))?;
        }
        if !self.extra.is_empty() {
            write!(f, "\n  sent {}, which is not in the recording", methods(&self.extra))?;
        }
        if let Some((recorded, now)) = &self.order {
            write!(f, "\n  order {}; recorded {}", methods(now), methods(recorded))?;
        }
        if let Some((recorded, now)) = &self.answers {
            write!(f, "\n  answered {now} requests of the pool; recorded {recorded}")?;
        }
        if self.unreadable > 0 {
            write!(f, "\n  sent {} lines that are no message", self.unreadable)?;
        }
        if let Some((method, limit)) = &self.waited_for {
            write!(f, "\n  the recording waited {limit} for {method} in vain")?;
        }
        if let Some((after, of)) = &self.left_early {
            write!(f, "\n  closed the connection after {after} of {of}")?;
        }
        Ok(())
    }
}
