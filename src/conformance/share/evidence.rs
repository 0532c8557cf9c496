//! When a match is no luck.
//!
//! A header that has nothing to do with a share's proof passes all the same
//! with probability `p`, one over the real hashes that its target takes. The
//! luck of a share is the expected number of such passes over all headers that
//! were tried for it. On a device `p` is below 1e-6 and one share tells. In
//! virtual time a share stands for some hundred hashes; of ten wrong shares
//! one fits some mistake by luck. But luck does not repeat itself: a mistake
//! fits every share of the miner that makes it. So judges look at all failed
//! shares together, and a cause is certain when as many matches come about by
//! luck with probability below [`LUCK_MAX`], all hypotheses counted.

use super::{Explanation, ShareFacts};
use crate::conformance::statistics::poisson_at_least;

/// Luck that counts as none: one false finding in a thousand failures.
pub(super) const LUCK_MAX: f64 = 1e-3;

/// A hypothesis under which a share carries the proof.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The hypothesis.
    pub explanation: Explanation,
    /// The probability that a wrong header passes as well.
    pub luck: f64,
}

/// What was tried for a share without proof.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// What fits, in the order of the trials.
    pub fits: Vec<Fit>,
    /// Expected lucky passes by name of hypothesis.
    pub lucks: Vec<(&'static str, f64)>,
    /// Headers and difficulties tried.
    pub tried: u32,
}

impl Evidence {
    /// Expected lucky passes over all that was tried.
    #[must_use]
    pub fn luck(&self) -> f64 {
        self.lucks.iter().map(|(_, luck)| luck).sum()
    }

    /// Notes a trial, and whether it fits.
    pub(in crate::conformance) fn add(&mut self, explanation: Explanation, luck: f64, fits: bool) {
        self.tried += 1;
        let name = explanation.name();
        match self.lucks.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += luck,
            None => self.lucks.push((name, luck)),
        }
        if fits {
            self.fits.push(Fit { explanation, luck });
        }
    }

    /// The fit that takes most luck; the first of several.
    pub(super) fn best(&self) -> Option<Explanation> {
        self.fits.iter().min_by(|a, b| a.luck.total_cmp(&b.luck)).map(|fit| fit.explanation)
    }

    fn luck_of(&self, name: &str) -> f64 {
        self.lucks.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, luck)| *luck)
    }

    fn fit_of(&self, name: &str) -> Option<&Fit> {
        self.fits.iter().find(|fit| fit.explanation.name() == name)
    }
}

/// A mistake, and the shares that it explains.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::conformance) struct Cause {
    /// As it was for the first of them.
    pub explanation: Explanation,
    /// Their places in the list that was given.
    pub shares: Vec<usize>,
    /// Whether luck is out of the question.
    pub certain: bool,
}

/// The mistakes behind `shares`, the one that explains most first. Shares that
/// carry their proof are passed over; each other is explained at most once.
pub(in crate::conformance) fn causes(shares: &[&ShareFacts]) -> Vec<Cause> {
    let mut open: Vec<usize> =
        (0..shares.len()).filter(|&at| shares[at].explanation != Some(Explanation::AsDescribed)).collect();
    let failed: Vec<&ShareFacts> = open.iter().map(|&at| shares[at]).collect();
    let mut found = Vec::new();
    loop {
        // Most shares first; of those that explain as many, what takes most luck.
        let best = Explanation::NAMES
            .iter()
            .map(|&name| {
                let members: Vec<usize> =
                    open.iter().copied().filter(|&at| shares[at].evidence.fit_of(name).is_some()).collect();
                let luck: f64 = members
                    .iter()
                    .filter_map(|&at| shares[at].evidence.fit_of(name))
                    .map(|fit| fit.luck.max(f64::MIN_POSITIVE).ln())
                    .sum();
                (name, members, luck)
            })
            .filter(|(_, members, _)| !members.is_empty())
            .min_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.2.total_cmp(&b.2)));
        let Some((name, members, _)) = best else { return found };
        let explanation = most_frequent(shares, &members, name);
        open.retain(|at| !members.contains(at));
        found.push(Cause { explanation, certain: is_certain(&failed, name, explanation), shares: members });
    }
}

/// Of the explanations of one name, the one most shares have.
fn most_frequent(shares: &[&ShareFacts], members: &[usize], name: &str) -> Explanation {
    let all: Vec<Explanation> = members
        .iter()
        .flat_map(|&at| shares[at].evidence.fits.iter().map(|fit| fit.explanation))
        .filter(|explanation| explanation.name() == name)
        .collect();
    let count = |explanation: Explanation| all.iter().filter(|other| **other == explanation).count();
    *all.iter().rev().max_by_key(|explanation| count(**explanation)).expect("a cause has members")
}

/// Whether so many of the failed shares fit by luck hardly ever: either under
/// one and the same hypothesis, or under any of one name.
fn is_certain(failed: &[&ShareFacts], name: &str, explanation: Explanation) -> bool {
    let tail = |lucks: f64, fits: usize| poisson_at_least(fits as u64, lucks);
    let same: Vec<&Fit> = failed
        .iter()
        .filter_map(|share| share.evidence.fits.iter().find(|fit| fit.explanation == explanation))
        .collect();
    // A name without a number may stand for several headers of one share. What a
    // share that does not fit would have needed is like what one that fits needed.
    let numbered = |fit: &Fit| fit.explanation.has_number();
    let lucks = failed.iter().map(|share| share.evidence.luck_of(name));
    let each = match same.first() {
        Some(fit) if numbered(fit) => same.iter().map(|fit| fit.luck).fold(0.0, f64::max),
        _ => lucks.fold(0.0, f64::max),
    };
    let tried = failed.iter().map(|share| share.evidence.tried).max().unwrap_or(0);
    let by_same = tail(each * failed.len() as f64, same.len()) * f64::from(tried);
    let named = failed.iter().filter(|share| share.evidence.fit_of(name).is_some()).count();
    let lucks = failed.iter().map(|share| share.evidence.luck_of(name)).sum();
    let by_name = tail(lucks, named) * Explanation::NAMES.len() as f64;
    2.0 * by_same.min(by_name) < LUCK_MAX
}
