//! Judges of statistics: what chance does, and what it does not.

use std::collections::BTreeSet;

use super::Opinion;
use super::view::{Arrival, View, Windows, counted};
use crate::conformance::share::{Explanation, ShareFacts, causes};
use crate::conformance::statistics::{
    binomial_at_least, binomial_two_sided, equal, exponential, garwood as interval, uniform, uniform_noticed,
};
use crate::units::Hashrate;

/// Gaps shorter than this are those of shares that were sent together: a
/// processor's time between two lines, not a chip's between two shares.
const TOGETHER_SECONDS: f64 = 0.005;

/// Nonces that show whether they differ.
const NONCES_MIN: usize = 20;

/// Part of the nonces that differ, at least: chance repeats hardly one in a million.
const NONCES_DISTINCT: f64 = 0.9;

/// How far above 1 `u` may be for a share of the right header with the wrong
/// difficulty; beyond that the header is another one.
const U_MAX: f64 = 4.0;

pub(super) fn garwood(view: &View<'_>, windows: &Windows<'_>, alpha: f64, min: usize, out: &mut Opinion) {
    let (mut count, mut expected) = (0u64, 0.0);
    let mut evidence = Vec::new();
    for life in &view.lives {
        for (from, to) in view.working(life, windows) {
            let mut shares = view.shares.iter().filter(|share| {
                share.facts.connection == life.connection
                    && share.at > from
                    && share.at < to
                    && share.is_as_described()
                    && share.counts()
            });
            // The clock starts with a share, which is not counted: no start-up time is judged.
            let start = shares.next().map_or(from, |share| share.at);
            for share in shares {
                count += 1;
                evidence.push(share.index);
            }
            expected += view.expected(life, start, to);
        }
    }
    let claim = view.context.hashrate;
    let should = "A claimed hashrate within the interval that the shares allow.";
    if expected <= 0.0 {
        return out.inconclusive("There was no work in the window.", should);
    }
    let (low, high) = interval(count, alpha);
    let of_claim = |shares: f64| {
        Hashrate::new(claim.hashes_per_second() * shares / expected)
            .map_or("0 H/s".to_owned(), |rate| rate.to_string())
    };
    let shown = format!(
        "{} ({} to {} at {} % confidence), from {}",
        of_claim(count as f64),
        of_claim(low),
        of_claim(high),
        100.0 * (1.0 - alpha),
        counted(count as usize, "share")
    );
    out.measured("hashrate by shares", shown.clone());
    if !view.context.claimed {
        return out.inconclusive(
            format!("The shares show {shown}; no hashrate is claimed to compare it with. Give --hashrate."),
            should,
        );
    }
    if expected < low || expected > high {
        out.fail(
            format!(
                "The miner claims {claim} and delivers {:.0} % of it: {shown}.",
                100.0 * count as f64 / expected
            ),
            should,
            evidence,
        );
    } else if (count as usize) < min {
        out.inconclusive(
            format!("The claim fits, but {} allow much; it takes {min}.", counted(count as usize, "share")),
            should,
        );
    }
}

/// Gaps between shares of one connection with work in between, in seconds and
/// in expected shares.
fn gaps(view: &View<'_>, windows: &Windows<'_>) -> Vec<(f64, f64)> {
    let mut found = Vec::new();
    for life in &view.lives {
        for (from, to) in view.working(life, windows) {
            let times: Vec<_> = view
                .shares
                .iter()
                .filter(|share| {
                    share.facts.connection == life.connection
                        && share.at >= from
                        && share.at <= to
                        && share.counts()
                })
                .map(|share| share.at)
                .collect();
            for pair in times.windows(2) {
                found.push((pair[1].since(pair[0]).0, view.expected(life, pair[0], pair[1])));
            }
        }
    }
    found
}

pub(super) fn lilliefors(view: &View<'_>, windows: &Windows<'_>, alpha: f64, min: usize, out: &mut Opinion) {
    // In expected shares, so that a change of difficulty does not look like one of the miner.
    let gaps: Vec<f64> = gaps(view, windows).into_iter().map(|(_, expected)| expected).collect();
    let p = exponential(&gaps);
    let should = "Exponential gaps, as of shares that are found by chance and sent at once.";
    out.measured("gaps between shares", format!("{}, exponential with p {}", gaps.len(), shown(p)));
    if p < alpha {
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let short = gaps.iter().filter(|gap| **gap < 0.1 * mean).count() as f64 / gaps.len() as f64;
        let long = gaps.iter().filter(|gap| **gap > 3.0 * mean).count() as f64 / gaps.len() as f64;
        out.fail(
            format!(
                "{} are not exponential (p {}): {:.1} % are shorter than a tenth of the mean (9.5 % by chance), {:.1} % longer than three times (5.0 %).",
                counted(gaps.len(), "gap"),
                shown(p),
                100.0 * short,
                100.0 * long
            ),
            should,
            Vec::new(),
        );
    } else if gaps.len() < min {
        out.inconclusive(format!("Only {}; it takes {min}.", counted(gaps.len(), "gap")), should);
    }
}

/// A probability for people.
fn shown(p: f64) -> String {
    match p {
        p if p >= 1.0 => "above 0.15".to_owned(),
        p if p >= 0.001 => format!("{p:.3}"),
        p if p > 0.0 => format!("{p:.0e}"),
        _ => "0".to_owned(),
    }
}

pub(super) fn not_batched(view: &View<'_>, windows: &Windows<'_>, alpha: f64, min: usize, out: &mut Opinion) {
    let gaps: Vec<f64> = gaps(view, windows).into_iter().map(|(seconds, _)| seconds).collect();
    let should = "Each share on its own, when it is found.";
    let together = gaps.iter().filter(|gap| **gap < TOGETHER_SECONDS).count();
    let rate = gaps.len() as f64 / gaps.iter().sum::<f64>().max(TOGETHER_SECONDS);
    let chance = 1.0 - (-rate * TOGETHER_SECONDS).exp();
    out.measured(
        "shares within 5 ms of the one before",
        format!("{together} of {}, {:.1} by chance", gaps.len(), chance * gaps.len() as f64),
    );
    if binomial_at_least(together as u64, gaps.len() as u64, chance) < alpha {
        let shares: Vec<Arrival<'_>> = view.all_shares_in(windows).collect();
        let close = shares.windows(2).filter(|pair| pair[1].at.since(pair[0].at).0 < TOGETHER_SECONDS);
        out.fail(
            format!(
                "{together} of {} come within 5 ms of the one before, where chance explains {:.0}.",
                counted(gaps.len(), "share"),
                chance * gaps.len() as f64
            ),
            should,
            close.map(|pair| pair[1].index).collect(),
        );
    } else if gaps.len() < min {
        out.inconclusive(format!("Only {}; it takes {min}.", counted(gaps.len(), "gap")), should);
    }
}

pub(super) fn uniform_u(view: &View<'_>, windows: &Windows<'_>, alpha: f64, min: usize, out: &mut Opinion) {
    let shares = view.shares_in(windows);
    let should = "The exact target: all shares that meet it, and no other.";
    let facts: Vec<&ShareFacts> = shares.iter().map(|share| share.facts).collect();
    // Shares of another header say nothing of the difficulty.
    let certain: Vec<_> = causes(&facts).into_iter().filter(|cause| cause.certain).collect();
    let by = |of_difficulty: bool| -> BTreeSet<usize> {
        let causes = certain.iter().filter(|cause| is_of_difficulty(cause.explanation) == of_difficulty);
        causes.flat_map(|cause| cause.shares.iter().copied()).collect()
    };
    let (elsewhere, of_difficulty) = (by(false), by(true));
    let above: Vec<&Arrival<'_>> = shares
        .iter()
        .enumerate()
        .filter(|(at, share)| {
            !share.is_as_described()
                && !elsewhere.contains(at)
                && share.facts.u().is_some_and(|u| u > 1.0 && (u <= U_MAX || of_difficulty.contains(at)))
        })
        .map(|(_, share)| share)
        .collect();
    let values: Vec<f64> =
        shares.iter().filter(|share| share.is_as_described()).filter_map(|share| share.facts.u()).collect();
    let p = uniform(&values);
    let noticed = uniform_noticed(values.len().max(1), alpha);
    out.measured(
        "target, by u",
        format!("uniform with p {} over {}", shown(p.min(0.999)), counted(values.len(), "share")),
    );
    if !above.is_empty() {
        let most = above.iter().filter_map(|share| share.facts.u()).fold(0.0, f64::max);
        out.fail(
            format!(
                "{} of {} reach less than was asked, down to {:.1} % of it.",
                above.len(),
                counted(shares.len(), "share"),
                100.0 / most
            ),
            should,
            above.iter().map(|share| share.index).collect(),
        );
    }
    if p < alpha && !values.is_empty() {
        let most = values.iter().copied().fold(0.0, f64::max);
        let half = values.iter().filter(|u| **u <= 0.5).count() as f64 / values.len() as f64;
        out.fail(
            format!(
                "{} do not fill the range of their difficulty (p {}): {:.0} % are in its better half, and none is below {:.2} times what was asked.",
                counted(values.len(), "share"),
                shown(p),
                100.0 * half,
                1.0 / most
            ),
            should,
            shares.iter().map(|share| share.index).collect(),
        );
    } else if above.is_empty() && values.len() < min {
        out.inconclusive(format!("Only {}; it takes {min}.", counted(values.len(), "share")), should);
    } else if noticed < 1.0 {
        out.measured(
            "smallest error of the target that would show",
            format!("factor {:.2}", 1.0 / (1.0 - noticed)),
        );
    }
}

fn is_of_difficulty(explanation: Explanation) -> bool {
    matches!(
        explanation,
        Explanation::LaterDifficulty
            | Explanation::EarlierDifficulty
            | Explanation::TruncatedDifficulty
            | Explanation::PowerOfTwoDifficulty
    )
}

pub(super) fn version_bits(
    view: &View<'_>,
    windows: &Windows<'_>,
    alpha: f64,
    every: bool,
    out: &mut Opinion,
) {
    let shares: Vec<Arrival<'_>> = view
        .shares_in(windows)
        .into_iter()
        .filter(|share| share.facts.version_bits.is_some() && share.facts.mask != 0)
        .collect();
    let granted = shares.iter().fold(0, |bits, share| bits | share.facts.mask);
    let should = "Every granted bit set in some shares and clear in others.";
    let bits: Vec<u32> = (0..32).filter(|bit| granted >> bit & 1 == 1).collect();
    // So many that a bit which is used half the time is both at least once, all bits considered.
    let needed = (2.0 * bits.len() as f64 / alpha).log2().ceil() as usize;
    let (mut stuck, mut uneven) = (Vec::new(), Vec::new());
    for bit in &bits {
        let having: Vec<bool> = shares
            .iter()
            .filter(|share| share.facts.mask >> bit & 1 == 1)
            .map(|share| share.facts.version_bits.unwrap_or(0) >> bit & 1 == 1)
            .collect();
        let set = having.iter().filter(|set| **set).count();
        if having.len() >= needed && (set == 0 || set == having.len()) {
            stuck.push(format!("{bit} ({} set)", if set == 0 { "never" } else { "always" }));
        } else if binomial_two_sided(set as u64, having.len() as u64, 0.5) < alpha / bits.len() as f64 {
            uneven.push(format!("{bit} ({:.0} % set)", 100.0 * set as f64 / having.len() as f64));
        }
    }
    if bits.is_empty() {
        return out.inconclusive("No share came with version bits that were granted.", should);
    }
    if shares.len() < needed {
        return out.inconclusive(
            format!("Only {} with version bits; it takes {needed}.", counted(shares.len(), "share")),
            should,
        );
    }
    out.measured("version bits used", format!("{} of {}", bits.len() - stuck.len(), bits.len()));
    if !uneven.is_empty() {
        out.measured("version bits set more or less than half the time", uneven.join(", "));
    }
    if every && !stuck.is_empty() || stuck.len() == bits.len() {
        out.fail(
            format!("In {}, bits never change: {}.", counted(shares.len(), "share"), stuck.join(", ")),
            should,
            shares.iter().map(|share| share.index).collect(),
        );
    }
}

pub(super) fn nonce_coverage(view: &View<'_>, windows: &Windows<'_>, out: &mut Opinion) {
    let shares = view.shares_in(windows);
    let nonces: Vec<u32> = shares.iter().filter_map(|share| share.facts.nonce).collect();
    let distinct: BTreeSet<u32> = nonces.iter().copied().collect();
    let mut tops = [0u64; 256];
    for nonce in &nonces {
        tops[(nonce >> 24) as usize] += 1;
    }
    let used = tops.iter().filter(|count| **count > 0).count();
    out.measured("distinct nonces", format!("{} of {}", distinct.len(), nonces.len()));
    out.measured(
        "top bytes of nonces",
        format!("{used} of 256, evenly used with p {}", shown(equal(&tops).min(0.999))),
    );
    let should = "Nonces that differ; how they are spread is the chip's choice.";
    if nonces.len() < NONCES_MIN {
        out.inconclusive(format!("Only {}; it takes {NONCES_MIN}.", counted(nonces.len(), "nonce")), should);
    } else if (distinct.len() as f64) < NONCES_DISTINCT * nonces.len() as f64 {
        out.fail(
            format!("{} have only {} nonces.", counted(nonces.len(), "share"), distinct.len()),
            should,
            shares.iter().map(|share| share.index).collect(),
        );
    }
}
