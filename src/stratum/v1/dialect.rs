//! How well-known pools word their refusals.
//!
//! Firmware matches on codes and strings, so a pool that stands in for another
//! must speak like it. A dialect is a row of data: adding one needs no code.
//! Sources: ckpool `libckpool.h` (2026), DATUM gateway `datum_stratum.c`
//! (2026-08), public-pool `StratumErrorMessage` (2025-04); "classic" are the
//! codes 20 to 25 of the Stratum wiki that most engines use.

use crate::event::Reject;

/// The error codes, strings and reply shape of one pool software.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The name used in configuration.
    pub name: &'static str,
    /// Code and text for each reject.
    pub rejects: [(Reject, i16, &'static str); Reject::ALL.len()],
    /// Code and text for a method the pool does not know.
    pub unknown_method: (i16, &'static str),
    /// `result` beside an error.
    pub failed_result: &'static str,
    /// The third element of the error array.
    pub traceback: &'static str,
    /// Whether ckpool's extra `reject-reason` is written.
    pub reject_reason: bool,
}

/// Every dialect; the first is the default.
pub static DIALECTS: [Dialect; 4] = [CLASSIC, CKPOOL, DATUM, PUBLIC_POOL];

const CLASSIC: Dialect = Dialect {
    name: "classic",
    rejects: [
        (Reject::UnknownJob, 21, "Job not found"),
        (Reject::Stale, 21, "Stale share"),
        (Reject::Duplicate, 22, "Duplicate share"),
        (Reject::LowDifficulty, 23, "Low difficulty share"),
        (Reject::NtimeTooOld, 20, "ntime out of range: too old"),
        (Reject::NtimeTooNew, 20, "ntime out of range: too new"),
        (Reject::VersionMask, 20, "Version bits outside the negotiated mask"),
        (Reject::Extranonce2Length, 20, "Wrong extranonce2 length"),
        (Reject::Malformed, 20, "Malformed share"),
        (Reject::Unauthorized, 24, "Unauthorized worker"),
        (Reject::NotSubscribed, 25, "Not subscribed"),
    ],
    unknown_method: (20, "Unknown method"),
    failed_result: "null",
    traceback: "null",
    reject_reason: false,
};

const CKPOOL: Dialect = Dialect {
    name: "ckpool",
    rejects: [
        (Reject::UnknownJob, 21, "Invalid JobID"),
        (Reject::Stale, 21, "Stale"),
        (Reject::Duplicate, 22, "Duplicate"),
        (Reject::LowDifficulty, 23, "Above target"),
        (Reject::NtimeTooOld, 20, "Ntime out of range"),
        (Reject::NtimeTooNew, 20, "Ntime out of range"),
        (Reject::VersionMask, 20, "Invalid version mask"),
        (Reject::Extranonce2Length, 20, "Invalid nonce2 length"),
        (Reject::Malformed, 20, "Invalid array size"),
        (Reject::Unauthorized, 24, "Worker mismatch"),
        (Reject::NotSubscribed, 25, "Not subscribed"),
    ],
    unknown_method: (-3, "Method not found"),
    failed_result: "false",
    traceback: "null",
    reject_reason: true,
};

const DATUM: Dialect = Dialect {
    name: "datum",
    rejects: [
        (Reject::UnknownJob, 20, "unknown-work"),
        (Reject::Stale, 21, "stale-prevblk"),
        (Reject::Duplicate, 22, "duplicate"),
        (Reject::LowDifficulty, 23, "high-hash"),
        (Reject::NtimeTooOld, 21, "time-too-old"),
        (Reject::NtimeTooNew, 21, "time-too-new"),
        (Reject::VersionMask, 23, "bad-version"),
        (Reject::Extranonce2Length, 20, "bad-extranonce-size"),
        (Reject::Malformed, 20, "invalid-share"),
        (Reject::Unauthorized, 24, "unauthorized-worker"),
        (Reject::NotSubscribed, 25, "not-subscribed"),
    ],
    unknown_method: (-3, "Method not found"),
    failed_result: "null",
    traceback: "null",
    reject_reason: false,
};

const PUBLIC_POOL: Dialect = Dialect {
    name: "public-pool",
    rejects: [
        (Reject::UnknownJob, 21, "Job not found"),
        (Reject::Stale, 21, "Job not found"),
        (Reject::Duplicate, 22, "Duplicate share"),
        (Reject::LowDifficulty, 23, "Difficulty too low"),
        (Reject::NtimeTooOld, 20, "Ntime out of range"),
        (Reject::NtimeTooNew, 20, "Ntime out of range"),
        (Reject::VersionMask, 20, "Invalid version mask"),
        (Reject::Extranonce2Length, 20, "Mining Submit validation error"),
        (Reject::Malformed, 20, "Mining Submit validation error"),
        (Reject::Unauthorized, 24, "Unauthorized worker"),
        (Reject::NotSubscribed, 25, "Not subscribed"),
    ],
    unknown_method: (20, "Unknown method"),
    failed_result: "null",
    traceback: "\"\"",
    reject_reason: false,
};

impl Dialect {
    /// The default.
    #[must_use]
    pub fn classic() -> &'static Dialect {
        &DIALECTS[0]
    }

    /// By its name in configuration.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Dialect> {
        DIALECTS.iter().find(|dialect| dialect.name == name)
    }

    /// Code and text for a reject.
    #[must_use]
    pub fn reject(&self, reject: Reject) -> (i16, &'static str) {
        let (_, code, text) = self.rejects[reject as usize];
        (code, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_words_every_reject_in_order() {
        for dialect in &DIALECTS {
            let order: Vec<Reject> = dialect.rejects.iter().map(|(reject, ..)| *reject).collect();
            assert_eq!(order, Reject::ALL, "{}", dialect.name);
            for reject in Reject::ALL {
                assert_eq!(dialect.rejects[reject as usize].0, reject);
            }
        }
        assert_eq!(Dialect::named("ckpool").unwrap().reject(Reject::LowDifficulty), (23, "Above target"));
        assert_eq!(Dialect::named("nobody"), None);
    }
}
