//! What a pool's error means, whichever words it uses.
//!
//! Pools word their refusals differently; the dialects we can speak are also
//! the ones we can read. An error that no dialect has is read by its code (the
//! classic 21 to 25), and is otherwise unknown: then nothing is concluded from it.

use std::borrow::Cow;

use crate::event::Reject;
use crate::stratum::v1::WireError;
use crate::stratum::v1::dialect::DIALECTS;

/// The rejects that `error` can stand for; none when nobody knows.
pub fn meanings(error: &WireError) -> impl Iterator<Item = Reject> {
    let worded = |error: &WireError| -> Vec<Reject> {
        let rows = DIALECTS.iter().flat_map(|dialect| &dialect.rejects);
        rows.filter(|(_, code, text)| i64::from(*code) == error.code && *text == error.message)
            .map(|(reject, ..)| *reject)
            .collect()
    };
    let mut rejects = worded(error);
    if rejects.is_empty() {
        rejects.extend_from_slice(match error.code {
            21 => &[Reject::UnknownJob, Reject::Stale],
            22 => &[Reject::Duplicate],
            23 => &[Reject::LowDifficulty],
            24 => &[Reject::Unauthorized],
            25 => &[Reject::NotSubscribed],
            _ if error.message.to_ascii_lowercase().contains("stale") => &[Reject::Stale],
            _ => &[],
        });
    }
    rejects.into_iter()
}

/// Whether `error` says that the job is too old: some pools call it stale, others unknown.
#[must_use]
pub fn is_stale(error: &WireError) -> bool {
    meanings(error).any(|reject| matches!(reject, Reject::Stale | Reject::UnknownJob))
}

/// Whether a share with the fault that calls for `reject` may be answered with `error`.
#[must_use]
pub fn fits(error: &WireError, reject: Reject) -> bool {
    let mut known = false;
    for meaning in meanings(error) {
        known = true;
        // A share that is no share at all may also be called malformed.
        if meaning == reject || meaning == Reject::Malformed {
            return true;
        }
    }
    !known
}

/// A short name to count `error` under.
#[must_use]
pub fn name(error: &WireError) -> Cow<'static, str> {
    match meanings(error).next() {
        Some(reject) => reject.name().into(),
        None => error.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i64, message: &str) -> WireError {
        WireError { code, message: message.into() }
    }

    #[test]
    fn every_dialect_is_understood() {
        for dialect in &DIALECTS {
            for (reject, code, text) in dialect.rejects {
                let error = error(code.into(), text);
                assert!(meanings(&error).any(|meaning| meaning == reject), "{}: {error}", dialect.name);
                assert!(fits(&error, reject));
            }
        }
    }

    #[test]
    fn staleness_has_many_names() {
        fn check(code: i64, message: &str, stale: bool) {
            assert_eq!(is_stale(&error(code, message)), stale, "{message}");
        }
        check(21, "Job not found", true);
        check(21, "Stale share", true);
        check(20, "unknown-work", true);
        check(21, "anything", true);
        check(0, "Share is stale", true);
        check(23, "Low difficulty share", false);
        check(0, "no", false);
    }

    #[test]
    fn a_wrong_reason_is_told_from_an_unknown_one() {
        assert!(!fits(&error(22, "Duplicate share"), Reject::LowDifficulty));
        assert!(fits(&error(-9, "go away"), Reject::LowDifficulty));
        assert_eq!(name(&error(22, "Duplicate share")), "duplicate");
        assert_eq!(name(&error(-9, "go away")), "go away (-9)");
    }
}
