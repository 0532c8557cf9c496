//! What a pool's reason for a reject says, in known words or plain ones.

use crate::event::Reject;
use crate::miner::reason;
use crate::stratum::v1::WireError;

/// Words that texts of the field have for a reject, in lower case.
const WORDS: &[(Reject, &[&str])] = &[
    (Reject::Duplicate, &["dup"]),
    (Reject::LowDifficulty, &["diff", "target", "high-hash", "h-not-zero"]),
    (Reject::UnknownJob, &["job", "work", "stale"]),
    (Reject::Unauthorized, &["auth", "user"]),
];

/// Whether `error` names the fault that calls for `reject`; `None` when nobody can tell.
pub(super) fn names(error: &WireError, reject: Reject) -> Option<bool> {
    let meanings: Vec<Reject> = reason::meanings(error).collect();
    if !meanings.is_empty() {
        return Some(meanings.contains(&reject));
    }
    let text = error.message.to_ascii_lowercase();
    // "Unauthorized worker" also has "work" in it, so its own words go first.
    let said = |of: Reject| {
        WORDS.iter().any(|(reject, words)| *reject == of && words.iter().any(|word| text.contains(word)))
    };
    if said(reject) {
        return Some(true);
    }
    WORDS.iter().any(|(other, _)| said(*other)).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_by_code_or_by_word() {
        fn check(code: i64, message: &str, reject: Reject, named: Option<bool>) {
            assert_eq!(names(&WireError { code, message: message.into() }, reject), named, "{message}");
        }
        check(23, "Low difficulty share", Reject::LowDifficulty, Some(true));
        check(23, "Low difficulty share", Reject::Duplicate, Some(false));
        check(5, "Above target", Reject::LowDifficulty, Some(true));
        check(4, "Duplicate", Reject::LowDifficulty, Some(false));
        check(-3, "Unauthorized worker", Reject::Unauthorized, Some(true));
        check(0, "no", Reject::Duplicate, None);
    }
}
