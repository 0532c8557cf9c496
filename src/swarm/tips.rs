//! How long a new tip takes from the first miner that hears of it to the last.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use super::ledger::{Percentiles, histogram, record};
use crate::hash::Hash;
use crate::units::Timestamp;

/// Tips that may still reach somebody.
const OPEN_MAX: usize = 4;

/// Arrivals of new tips.
#[derive(Debug)]
pub(super) struct Tips {
    /// By the block they build on, oldest first.
    open: VecDeque<(Hash, Vec<Timestamp>)>,
    tips: u64,
    first_to_last: Histogram<u64>,
    first_to_each: Histogram<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TipReport {
    /// Tips that at least two miners heard of.
    pub tips: u64,
    /// From the first miner to the last, over tips.
    pub first_to_last: Option<Percentiles>,
    /// From the first miner to each, over tips and miners.
    pub first_to_each: Option<Percentiles>,
}

impl Default for Tips {
    fn default() -> Self {
        let (first_to_last, first_to_each) = (histogram(), histogram());
        Self { open: VecDeque::new(), tips: 0, first_to_last, first_to_each }
    }
}

impl Tips {
    /// A miner heard of the tip on `prev_hash`.
    pub fn heard(&mut self, prev_hash: &Hash, at: Timestamp) {
        if let Some((_, times)) = self.open.iter_mut().rev().find(|(hash, _)| hash == prev_hash) {
            return times.push(at);
        }
        if self.open.len() == OPEN_MAX {
            self.close_oldest();
        }
        self.open.push_back((*prev_hash, vec![at]));
    }

    fn close_oldest(&mut self) {
        let Some((_, times)) = self.open.pop_front().filter(|(_, times)| times.len() > 1) else { return };
        let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return };
        self.tips += 1;
        record(&mut self.first_to_last, last.since(*first));
        for time in &times {
            record(&mut self.first_to_each, time.since(*first));
        }
    }

    pub fn report(&mut self) -> TipReport {
        while !self.open.is_empty() {
            self.close_oldest();
        }
        TipReport {
            tips: self.tips,
            first_to_last: Percentiles::of(&self.first_to_last),
            first_to_each: Percentiles::of(&self.first_to_each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;

    #[test]
    fn each_tip_has_a_first_and_a_last() {
        let mut tips = Tips::default();
        for tip in 0..10u8 {
            for miner in [3.0, 1.0, 2.0] {
                let at = Timestamp::from_unix_seconds(100 * u64::from(tip)) + Seconds(miner / 1000.0);
                tips.heard(&[tip; 32], at);
            }
        }
        tips.heard(&[77; 32], Timestamp(0));
        let report = tips.report();
        assert_eq!(report.tips, 10, "one that only one miner heard of says nothing");
        let spread = report.first_to_last.unwrap();
        assert!((spread.p50.0 - 0.002).abs() < 1e-4 && (spread.max.0 - 0.002).abs() < 1e-4, "{spread:?}");
        assert_eq!(report.first_to_each.unwrap().count, 30);
    }
}
