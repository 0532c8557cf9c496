//! Cases about version bits: which may be rolled, and by which formula.

use std::sync::Arc;

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::Hand;
use super::proof::Sought;
use super::talk::{Stop, Talk};
use crate::miner::{Fault, MinerJob};
use crate::stratum::v1::VERSION_MASK;

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P31",
        title: "Granted version bits replace those of the job",
        severity: Severity::High,
        sources: &[
            "BIP310: version-rolling",
            "c2pool #1392: jobs with bits inside the mask",
            "ckpool, DATUM: OR; public-pool, btcpool: XOR; para, miningcore: replace",
        ],
        miner: "Submits proofs with none, the lowest, the highest, every second and all of the granted bits",
        pool: "Accepts each: the bits sent stand in place of the job's, inside the mask",
        judged: "Every verdict is true. Where the job has bits inside the mask, a pool that ORs or XORs is found out and named; elsewhere all formulas agree, which is reported",
        run: |talk| Box::pin(formula(talk)),
    },
    PoolCase {
        id: "P32",
        title: "Version bits outside the mask are rejected",
        severity: Severity::High,
        sources: &[
            "BIP310: version-rolling.mask",
            "p2poolv2 drops such bits; public-pool and blitzpool do not look",
        ],
        miner: "Submits proofs with a bit outside the granted mask: one with the bit in the header, one without",
        pool: "Rejects both",
        judged: "No verdict is true",
        run: |talk| Box::pin(outside(talk)),
    },
    PoolCase {
        id: "P33",
        title: "Version bits without negotiation are rejected",
        severity: Severity::Medium,
        sources: &["BIP310", "DATUM #215: bits that were never negotiated"],
        miner: "Does not send mining.configure, and submits proofs with a version bit: one with the bit in the header, one without",
        pool: "Rejects both",
        judged: "No verdict is true",
        run: |talk| Box::pin(unnegotiated(talk)),
    },
];

async fn formula(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let Some(mask) = hand.mask.filter(|mask| *mask != 0) else {
        return Err(talk.skip("the pool grants no version bits"));
    };
    let own = hand.newest()?.notice.version;
    talk.measure("mask", format!("{mask:08x}"));
    talk.measure("version of the job", format!("{own:08x}"));
    let lowest = mask & mask.wrapping_neg();
    let highest = 1 << (31 - mask.leading_zeros());
    for bits in [0, lowest, highest, mask & 0x5555_5555, mask] {
        let make = |hand: &mut Hand, job: &Arc<MinerJob>| {
            let start = hand.next_start();
            let version = job.version(bits, mask);
            Ok(Sought::with_version(job, version, Some(bits), start))
        };
        let (_, judged) = hand.attempt(make).await?;
        if judged.is_accepted() {
            continue;
        }
        let formula = other_formula(&mut hand, mask).await?;
        let finding = format!(
            "bits {bits:08x} in place of those of {own:08x} inside {mask:08x} are {}; {formula}",
            judged.words()
        );
        let expected = "(version AND NOT mask) OR (bits AND mask), as BIP310 says";
        return Err(talk.stop(finding, expected, judged.evidence));
    }
    let formula = if own & mask == 0 {
        "replace, OR and XOR agree: the job has no bit inside the mask"
    } else {
        "the pool replaces, as BIP310 says"
    };
    talk.measure("formula", formula);
    Ok(formula.to_owned())
}

/// The header's version from the job's and the bits sent.
type Formula = fn(u32, u32) -> u32;

/// Which other formula the pool would accept `bits` by; with all bits of the mask no two are the same.
async fn other_formula(hand: &mut Hand, bits: u32) -> Result<&'static str, Stop> {
    let formulas: [(Formula, &str); 3] = [
        (|own, bits| own | bits, "the pool ORs them onto it"),
        (|own, bits| own ^ bits, "the pool XORs them onto it"),
        (|own, _| own, "the pool hashes the job's own version"),
    ];
    for (formula, said) in formulas {
        let make = |hand: &mut Hand, job: &Arc<MinerJob>| {
            let start = hand.next_start();
            let version = formula(job.notice.version, bits);
            Ok(Sought::with_version(job, version, Some(bits), start))
        };
        if hand.attempt(make).await?.1.is_accepted() {
            return Ok(said);
        }
    }
    Ok("nor does OR, XOR or the job's own version do")
}

/// Proofs with `bit`, which is not allowed: in the header, and not.
async fn not_allowed(hand: &mut Hand, bit: u32, fault: Fault) -> Result<String, Stop> {
    let make = |hand: &mut Hand, job: &Arc<MinerJob>| {
        let start = hand.next_start();
        Ok(Sought::with_version(job, job.notice.version ^ bit, Some(bit), start))
    };
    let what = format!("a proof with bit {bit:08x} in its header");
    let said = hand.must_reject(&what, make).await?;
    let what = "a proof that sends such a bit without having it in its header";
    hand.must_reject(what, |hand, job| hand.fault(fault, job)).await?;
    Ok(said.map_or("rejected by ending the connection".to_owned(), |error| format!("rejected: {error}")))
}

async fn outside(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready(&talk).await?;
    let Some(mask) = hand.mask.filter(|mask| *mask != 0 && *mask != u32::MAX) else {
        return Err(talk.skip("the pool grants no mask that bits could be outside of"));
    };
    let outside = !mask;
    not_allowed(&mut hand, outside & outside.wrapping_neg(), Fault::VersionOutsideMask).await
}

async fn unnegotiated(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::ready_with(&talk, None, 1.0).await?;
    not_allowed(&mut hand, VERSION_MASK & VERSION_MASK.wrapping_neg(), Fault::VersionUnnegotiated).await
}
