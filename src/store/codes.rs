//! The small integers that stand for verdicts and near misses in the ledger.
//!
//! A code is for ever: data directories outlive versions. So codes are written
//! out here instead of following the order of an enum, and a new variant takes
//! the next free number. Everything from [`FIRST_REJECT`] up is a reject; the
//! schema's partial index relies on it.

use crate::event::{JobId, NearMiss, Reject, Verdict};

/// The lowest code of a verdict that does not count.
pub(super) const FIRST_REJECT: i64 = 2;

/// Every verdict, for the lookup table and for reading back.
pub(super) fn verdicts() -> impl Iterator<Item = Verdict> {
    [Verdict::Accepted, Verdict::AcceptedLate].into_iter().chain(Reject::ALL.map(Verdict::Rejected))
}

/// The code of a verdict.
pub(super) fn of_verdict(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Accepted => 0,
        Verdict::AcceptedLate => 1,
        Verdict::Rejected(reject) => match reject {
            Reject::UnknownJob => 2,
            Reject::Stale => 3,
            Reject::Duplicate => 4,
            Reject::LowDifficulty => 5,
            Reject::NtimeTooOld => 6,
            Reject::NtimeTooNew => 7,
            Reject::VersionMask => 8,
            Reject::Extranonce2Length => 9,
            Reject::Malformed => 10,
            Reject::Unauthorized => 11,
            Reject::NotSubscribed => 12,
        },
    }
}

/// The verdict of a code; `None` for one this version does not know.
pub(super) fn verdict(code: i64) -> Option<Verdict> {
    verdicts().find(|verdict| of_verdict(*verdict) == code)
}

/// Every near miss, for the lookup table and for reading back; the job stands for any.
pub(super) fn near_misses(job: JobId) -> [NearMiss; 11] {
    [
        NearMiss::OtherJob { job },
        NearMiss::OldDifficulty,
        NearMiss::PreviousExtranonce,
        NearMiss::VersionXor,
        NearMiss::VersionOr,
        NearMiss::VersionNotRolled,
        NearMiss::VersionWhole,
        NearMiss::NonceByteSwapped,
        NearMiss::NtimeByteSwapped,
        NearMiss::Extranonce2Reversed,
        NearMiss::NewDifficulty,
    ]
}

/// The code of a near miss; the job it may name has a column of its own.
pub(super) fn of_near_miss(near_miss: NearMiss) -> i64 {
    match near_miss {
        NearMiss::OtherJob { .. } => 0,
        NearMiss::OldDifficulty => 1,
        NearMiss::PreviousExtranonce => 2,
        NearMiss::VersionXor => 3,
        NearMiss::VersionOr => 4,
        NearMiss::VersionNotRolled => 5,
        NearMiss::VersionWhole => 6,
        NearMiss::NonceByteSwapped => 7,
        NearMiss::NtimeByteSwapped => 8,
        NearMiss::Extranonce2Reversed => 9,
        NearMiss::NewDifficulty => 10,
    }
}

/// The near miss of a code and, where it names one, its job.
pub(super) fn near_miss(code: i64, job: Option<u32>) -> Option<NearMiss> {
    let all = near_misses(JobId(job.unwrap_or_default()));
    all.into_iter().find(|near_miss| of_near_miss(*near_miss) == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back_and_rejects_come_last() {
        let codes: Vec<i64> = verdicts().map(of_verdict).collect();
        assert_eq!(codes, (0..codes.len() as i64).collect::<Vec<_>>());
        for each in verdicts() {
            assert_eq!(verdict(of_verdict(each)), Some(each));
            assert_eq!(of_verdict(each) < FIRST_REJECT, each.is_accepted());
        }
        assert_eq!(verdict(99), None);
        for (code, each) in near_misses(JobId(7)).into_iter().enumerate() {
            assert_eq!(near_miss(code as i64, Some(7)), Some(each));
            assert_eq!(of_near_miss(each), code as i64);
        }
    }
}
