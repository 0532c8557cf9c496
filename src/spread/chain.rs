//! Blocks as a Poisson process, and the rule that keeps them ten minutes apart.
//!
//! ```text
//! rate [1/s]      lambda = H [H/s] / (D x 2^32)
//! every 2016 blocks:  D' = D x clamp(2016 x 600 s / T, 1/4, 4)
//! ```
//!
//! `T` is the time from an epoch's first block to its last, so it spans 2015
//! intervals, not 2016: Bitcoin's off-by-one, kept because it is consensus
//! (Bitcoin Core, `CalculateNextWorkRequired`). Worked: an epoch whose 2015
//! intervals took 13.8558 days has 2016 x 600 / T = 1.0104.

use rand::Rng;
use rand_distr::{Beta, Distribution as _, Poisson};

/// Blocks in an epoch.
pub const EPOCH_BLOCKS: u32 = 2_016;

/// Seconds that an epoch shall take.
const EPOCH_SECONDS: f64 = 2_016.0 * 600.0;

/// Hashes that a difficulty of 1 takes on the mean.
pub const HASHES: f64 = 4_294_967_296.0;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// Blocks between halvings, and the first subsidy.
const HALVING_BLOCKS: f64 = 210_000.0;
const SUBSIDY_BTC: f64 = 50.0;

/// The difficulty after an epoch whose first and last block were `seconds` apart.
#[must_use]
pub fn retarget(difficulty: f64, seconds: f64) -> f64 {
    difficulty * (EPOCH_SECONDS / seconds).clamp(0.25, 4.0)
}

/// The subsidy of the block at `height`, BTC.
#[must_use]
pub fn subsidy_btc(height: f64) -> f64 {
    SUBSIDY_BTC * 0.5_f64.powi((height / HALVING_BLOCKS) as i32)
}

/// How blocks come.
pub enum Luck<'a, R> {
    /// As many as expected, fractions too.
    None,
    /// As a Poisson process.
    Poisson(&'a mut R),
}

/// The chain's state between days.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Blocks so far.
    pub height: f64,
    /// In force.
    pub difficulty: f64,
    /// Seconds since the first block of the epoch.
    epoch_seconds: f64,
    /// Seconds from the epoch's first block to its latest.
    epoch_seconds_to_latest: f64,
    /// Change of the last retarget, as a factor.
    pub last_change: f64,
    /// Blocks of the present epoch.
    pub epoch_blocks: f64,
    /// Retargets so far.
    pub retargets: u32,
}

impl Chain {
    /// In an epoch that has `epoch_blocks` and began `epoch_seconds` ago.
    #[must_use]
    pub fn new(height: f64, difficulty: f64, epoch_blocks: f64, epoch_seconds: f64) -> Self {
        Self {
            height,
            difficulty,
            epoch_seconds,
            epoch_seconds_to_latest: epoch_seconds,
            last_change: 1.0,
            epoch_blocks,
            retargets: 0,
        }
    }

    /// Blocks expected in a second at a hashrate in TH/s.
    #[must_use]
    pub fn blocks_per_second(&self, hashrate_ths: f64) -> f64 {
        hashrate_ths * 1e12 / (self.difficulty * HASHES)
    }

    /// Lets a time pass at a constant hashrate; gives the blocks found.
    pub fn pass<R: Rng>(&mut self, hashrate_ths: f64, seconds: f64, luck: &mut Luck<'_, R>) -> f64 {
        let mut left = seconds;
        let mut found = 0.0;
        // A retarget shortens what is left; the clamp of 4 bounds how often.
        while left > 0.0 {
            let expected = self.blocks_per_second(hashrate_ths) * left;
            let wanted = f64::from(EPOCH_BLOCKS) - self.epoch_blocks;
            let drawn = match luck {
                Luck::None => expected,
                Luck::Poisson(rng) if expected > 0.0 => {
                    Poisson::new(expected).map_or(0.0, |blocks| blocks.sample(&mut **rng))
                }
                Luck::Poisson(_) => 0.0,
            };
            if drawn < wanted {
                self.epoch_seconds += left;
                self.epoch_blocks += drawn;
                if drawn > 0.0 {
                    // The latest of `drawn` even times.
                    self.epoch_seconds_to_latest = self.epoch_seconds - left / (drawn + 1.0);
                }
                return self.count(found + drawn);
            }
            // When the last block of the epoch came: the `wanted`-th of `drawn`.
            let part = match luck {
                Luck::None => wanted / drawn,
                Luck::Poisson(rng) => Beta::new(wanted, drawn - wanted + 1.0)
                    .map_or(wanted / drawn, |order| order.sample(&mut **rng)),
            };
            let used = left * part;
            self.epoch_seconds += used;
            // 2016 blocks from the first block's time on are 2016 intervals; the rule sees 2015.
            let seen = self.epoch_seconds * (f64::from(EPOCH_BLOCKS) - 1.0) / f64::from(EPOCH_BLOCKS);
            let next = retarget(self.difficulty, seen.max(1.0));
            self.last_change = next / self.difficulty;
            self.difficulty = next;
            self.retargets += 1;
            self.epoch_seconds = 0.0;
            self.epoch_seconds_to_latest = 0.0;
            self.epoch_blocks = 0.0;
            found += wanted;
            left -= used;
        }
        self.count(found)
    }

    fn count(&mut self, found: f64) -> f64 {
        self.height += found;
        found
    }

    /// Mean seconds between blocks at a hashrate in TH/s.
    #[must_use]
    pub fn interval_seconds(&self, hashrate_ths: f64) -> f64 {
        1.0 / self.blocks_per_second(hashrate_ths)
    }
}

/// A day of blocks by a hashrate in TH/s and a difficulty.
#[must_use]
pub fn blocks_per_day(hashrate_ths: f64, difficulty: f64) -> f64 {
    hashrate_ths * 1e12 * SECONDS_PER_DAY / (difficulty * HASHES)
}

#[cfg(test)]
mod tests {
    use super::super::history::{History, HistoryFiles};
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    /// The worst is 0.0004 %, of a difficulty that is kept in three bytes.
    #[test]
    fn every_epoch_of_the_record_is_replayed() {
        let history = History::read(HistoryFiles::embedded()).unwrap();
        let ends = include_str!("../../data/history/btc_epoch_ends.csv").lines().skip(1);
        let mut replayed = 0;
        for (pair, end) in history.epochs.windows(2).zip(ends) {
            let (height, time) = end.split_once(',').unwrap();
            assert_eq!(height.parse(), Ok(pair[0].height + EPOCH_BLOCKS - 1));
            let last = time.parse::<jiff::Timestamp>().unwrap().as_second();
            let difficulty = retarget(pair[0].difficulty, (last - pair[0].began.1) as f64);
            let wrong = difficulty / pair[1].difficulty - 1.0;
            assert!(wrong.abs() < 1e-4, "{height}: {wrong}");
            replayed += 1;
        }
        assert_eq!(replayed, history.epochs.len() - 1);
    }

    #[test]
    fn a_constant_hashrate_settles_at_ten_minutes() {
        let mut chain = Chain::new(700_000.0, 1e13, 0.0, 0.0);
        let hashrate_ths = 200e6;
        for _ in 0..200 {
            chain.pass::<ChaCha8Rng>(hashrate_ths, SECONDS_PER_DAY, &mut Luck::None);
        }
        // 2015 counted intervals make epochs 2016 / 2015 too long.
        assert!((chain.interval_seconds(hashrate_ths) - 600.0).abs() < 1.0, "{chain:?}");
    }

    #[test]
    fn blocks_are_poisson() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut chain = Chain::new(0.0, 2e13, 0.0, 0.0);
        let (mut sum, mut square, days) = (0.0, 0.0, 4_000);
        for _ in 0..days {
            chain.difficulty = 2e13;
            chain.epoch_blocks = 0.0;
            let expected = blocks_per_day(150e6, 2e13);
            let blocks = chain.pass(150e6, SECONDS_PER_DAY, &mut Luck::Poisson(&mut rng)) / expected;
            sum += blocks;
            square += blocks * blocks;
        }
        let (mean, n) = (sum / f64::from(days), f64::from(days));
        let deviation = (square / n - mean * mean).sqrt();
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
        assert!((deviation - 0.0814).abs() < 0.004, "{deviation}");
    }

    #[test]
    fn subsidies_halve() {
        for (height, btc) in [(0.0, 50.0), (629_999.0, 12.5), (630_000.0, 6.25), (840_000.0, 3.125)] {
            assert_eq!(subsidy_btc(height), btc);
        }
    }
}
