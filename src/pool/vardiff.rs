//! Variable difficulty: keep one miner near a target share interval.
//!
//! Shares arrive as a Poisson process. After a time `t` at difficulty `d` a
//! miner that is on target has sent `mu = t / share_interval` shares on
//! average; `n` were counted. The exact (Garwood) interval for the true mean
//! at confidence `1 - alpha` is
//!
//! ```text
//! low(n)  = chi2(alpha/2, 2n) / 2        high(n) = chi2(1 - alpha/2, 2n + 2) / 2
//! ```
//!
//! and we act only when all of it is outside `1/TOLERANCE .. TOLERANCE` times
//! `mu`: then the miner is off by more than the tolerance, whatever the luck.
//! The judgement is made on a timer, not on shares, so silence is judged by the
//! same rule: with `n = 0` the upper bound is `-ln(alpha/2)` = 9.2, and the
//! difficulty falls after `9.2 * TOLERANCE` = 13 silent intervals of a fresh
//! window; shares from before the silence make it somewhat longer.
//!
//! The window slides in two halves; the recent half is judged alone first, so
//! an old good time neither hides a decline nor blurs its estimate. The new difficulty follows the
//! median-unbiased estimate `(n + 2/3) / mu`, at most `STEP_UP_MAX` up or
//! `STEP_DOWN_MAX` down at a time.

use crate::units::{Difficulty, Seconds, Timestamp};

/// alpha/2: a look that finds a change where there is none. Looks are frequent
/// and share their data, so each must be nearly sure.
const TAIL: f64 = 1e-4;

/// The normal quantile of 1 - `TAIL`.
const CONFIDENCE_Z: f64 = 3.719_016;

/// A rate within this factor of the target is left alone.
const TOLERANCE: f64 = 1.4;

/// Share intervals that a judgement looks back at most. With 120, a lasting
/// factor of 1.9 lies outside the bounds on average.
const WINDOW_INTERVALS: f64 = 120.0;

/// Most that one step may raise the difficulty: many early shares are a sure sign.
const STEP_UP_MAX: f64 = 16.0;

/// Most that one step may lower it: silence can also be a lost connection.
const STEP_DOWN_MAX: f64 = 8.0;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VardiffSettings {
    /// The wanted mean time between shares.
    pub share_interval: Seconds,
}

impl Default for VardiffSettings {
    /// Ten shares a minute: enough to see a change in minutes, at about 20 bytes
    /// a second each.
    fn default() -> Self {
        Self { share_interval: Seconds(6.0) }
    }
}

/// Counts and time of one half of the window.
#[derive(Debug, Clone, Copy, Default)]
struct Half {
    shares: u32,
    seconds: f64,
}

impl Half {
    /// The estimated ratio to the target rate, if it is surely outside the tolerance.
    fn off_target_by(self, interval: f64) -> Option<f64> {
        let counted = f64::from(self.shares);
        let expected = self.seconds / interval;
        let too_fast = poisson_low(counted) > expected * TOLERANCE;
        let too_slow = poisson_high(counted) < expected / TOLERANCE;
        (too_fast || too_slow).then(|| (counted + 2.0 / 3.0) / expected)
    }
}

/// The estimator of one session.
#[derive(Debug, Clone)]
pub struct Vardiff {
    settings: VardiffSettings,
    difficulty: Difficulty,
    began: Timestamp,
    shares: u32,
    older: Half,
}

impl Vardiff {
    /// Starts counting at `now` for jobs of `difficulty`.
    #[must_use]
    pub fn new(settings: VardiffSettings, difficulty: Difficulty, now: Timestamp) -> Self {
        Self { settings, difficulty, began: now, shares: 0, older: Half::default() }
    }

    /// Counts a credited share. Shares of jobs on other terms say nothing about these.
    pub fn on_share(&mut self, asked: Difficulty) {
        if asked == self.difficulty {
            self.shares += 1;
        }
    }

    /// Judges the rate. `Some` is a difficulty to announce; tell [`Self::restart`]
    /// what became of it.
    pub fn on_tick(&mut self, now: Timestamp) -> Option<Difficulty> {
        let interval = self.settings.share_interval.0;
        let recent = Half { shares: self.shares, seconds: now.since(self.began).0 };
        let whole =
            Half { shares: recent.shares + self.older.shares, seconds: recent.seconds + self.older.seconds };
        if recent.seconds > interval * WINDOW_INTERVALS / 2.0 {
            self.older = recent;
            self.shares = 0;
            self.began = now;
        }
        let ratio = recent.off_target_by(interval).or_else(|| whole.off_target_by(interval))?;
        Some(self.difficulty.scaled(ratio.clamp(1.0 / STEP_DOWN_MAX, STEP_UP_MAX)))
    }

    /// Starts counting anew: jobs of `difficulty` are sent from `now` on.
    pub fn restart(&mut self, difficulty: Difficulty, now: Timestamp) {
        *self = Self::new(self.settings, difficulty, now);
    }
}

/// Quantile of chi-square with `k` degrees of freedom, by Wilson and Hilferty:
/// within 4 % of the exact value where it matters.
fn chi_square(k: f64, z: f64) -> f64 {
    let spread = 2.0 / (9.0 * k);
    k * (1.0 - spread + z * spread.sqrt()).max(0.0).powi(3)
}

fn poisson_low(n: f64) -> f64 {
    if n == 0.0 { 0.0 } else { chi_square(2.0 * n, -CONFIDENCE_Z) / 2.0 }
}

fn poisson_high(n: f64) -> f64 {
    if n == 0.0 { -TAIL.ln() } else { chi_square(2.0 * n + 2.0, CONFIDENCE_Z) / 2.0 }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Exp};

    use super::*;
    use crate::units::Hashrate;

    const START: Timestamp = Timestamp::from_unix_seconds(1_000_000);

    #[test]
    fn bounds_agree_with_tables() {
        // Exact limits from the cumulative Poisson distribution: P(X >= n) at the
        // lower and P(X <= n) at the upper one are both TAIL.
        fn at_most(n: u32, mean: f64) -> f64 {
            let terms = (1..=n).scan(1.0, |term, k| {
                *term *= mean / f64::from(k);
                Some(*term)
            });
            (-mean).exp() * (1.0 + terms.sum::<f64>())
        }
        fn check(n: u32) {
            let (low, high) = (poisson_low(f64::from(n)), poisson_high(f64::from(n)));
            let tail_above = if n == 0 { TAIL } else { 1.0 - at_most(n - 1, low) };
            let tail_below = at_most(n, high);
            // Too cautious for a handful of shares, never too bold.
            let cautious = if n < 10 { 0.1 } else { 0.5 };
            assert!((cautious..2.0).contains(&(tail_above / TAIL)), "{n}: {low} leaves {tail_above}");
            assert!((0.5..2.0).contains(&(tail_below / TAIL)), "{n}: {high} leaves {tail_below}");
        }
        [0, 3, 5, 10, 30, 100].into_iter().for_each(check);
    }

    #[test]
    fn judges_counts_on_the_timer() {
        fn check(shares: u32, seconds: f64, expected: Option<f64>) {
            let settings = VardiffSettings { share_interval: Seconds(6.0) };
            let mut vardiff = Vardiff::new(settings, Difficulty::ONE, START);
            (0..shares).for_each(|_| vardiff.on_share(Difficulty::ONE));
            let change = vardiff.on_tick(START + Seconds(seconds));
            let close = |change: f64, expected: f64| (change / expected - 1.0).abs() < 0.05;
            assert!(
                match (change, expected) {
                    (None, None) => true,
                    (Some(change), Some(expected)) => close(change.get(), expected),
                    _ => false,
                },
                "{shares} in {seconds} s: {change:?}"
            );
        }
        check(10, 60.0, None); // on target
        check(14, 60.0, None); // inside tolerance
        check(0, 70.0, None); // silence, but not yet beyond doubt
        check(0, 80.0, Some(1.0 / 8.0)); // silence beyond doubt
        check(6, 240.0, Some(0.167)); // six times too slow
        check(12, 2.0, Some(16.0)); // far too fast: capped
        check(50, 60.0, Some(5.07)); // five times too fast
    }

    /// A simulated miner of `hashrate` for `seconds`; returns the difficulties announced.
    fn run(vardiff: &mut Vardiff, hashrate: f64, from: f64, seconds: f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let hashrate = Hashrate::new(hashrate).unwrap();
        let mut next_share = from;
        let mut changes = Vec::new();
        for tick in 0..seconds as u64 {
            let now = from + tick as f64;
            let draw = |vardiff: &Vardiff, rng: &mut ChaCha8Rng| {
                let interval = vardiff.difficulty.share_interval(hashrate).0;
                Exp::new(1.0 / interval).unwrap().sample(rng)
            };
            while next_share <= now {
                vardiff.on_share(vardiff.difficulty);
                next_share += draw(vardiff, &mut rng);
            }
            if let Some(difficulty) = vardiff.on_tick(START + Seconds(now)) {
                vardiff.restart(difficulty, START + Seconds(now));
                changes.push(difficulty.get());
                next_share = now + draw(vardiff, &mut rng);
            }
        }
        changes
    }

    #[test]
    fn finds_a_miner_and_follows_its_decline() {
        // A factor of 2.5 covers the tolerance and the estimate's own noise.
        for seed in 0..50 {
            // 1 TH/s wants difficulty 1397 at 6 s a share.
            let mut vardiff = Vardiff::new(VardiffSettings::default(), Difficulty::ONE, START);
            run(&mut vardiff, 1e12, 0.0, 900.0, seed);
            let settled = vardiff.difficulty.get();
            assert!((1397.0 / 2.5..1397.0 * 2.5).contains(&settled), "seed {seed}: {settled}");
            run(&mut vardiff, 0.2e12, 900.0, 1800.0, seed + 1_000);
            let declined = vardiff.difficulty.get();
            assert!((279.0 / 2.5..279.0 * 2.5).contains(&declined), "seed {seed}: {declined}");
        }
    }

    #[test]
    fn leaves_a_settled_miner_alone() {
        let false_alarms: usize = (0..50)
            .map(|seed| {
                let mut vardiff =
                    Vardiff::new(VardiffSettings::default(), Difficulty::new(1397.0).unwrap(), START);
                run(&mut vardiff, 1e12, 0.0, 3600.0, seed).len()
            })
            .sum();
        // 50 hours with a look each second.
        assert!(false_alarms <= 2, "{false_alarms} changes in 50 hours");
    }
}
