//! How long to wait before the next attempt: doubling, with jitter.
//!
//! A pool that restarts loses all its miners in one instant. Without jitter
//! they come back in one instant too, again and again; with it, spread over
//! half the waiting time.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::units::Seconds;

/// The first wait, before jitter.
const FIRST: Seconds = Seconds(1.0);

/// The longest wait, before jitter.
const LONGEST: Seconds = Seconds(60.0);

/// The waits of one miner.
#[derive(Debug, Clone)]
pub struct Backoff {
    failures: u32,
    rng: ChaCha8Rng,
}

impl Backoff {
    /// Fresh; `seed` decides the jitter.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { failures: 0, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Counts a failure and returns how long to wait: between half and all of
    /// 1, 2, 4, … 60 seconds.
    pub fn next_wait(&mut self) -> Seconds {
        let whole = (FIRST.0 * 2f64.powi(self.failures.min(16) as i32)).min(LONGEST.0);
        self.failures = self.failures.saturating_add(1);
        Seconds(whole * self.rng.random_range(0.5..1.0))
    }

    /// Consecutive failures.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_minute_and_differ_between_miners() {
        let mut backoff = Backoff::new(1);
        for whole in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            let wait = backoff.next_wait().0;
            assert!((whole / 2.0..whole).contains(&wait), "{wait} of {whole}");
        }
        assert_eq!(backoff.failures(), 8);
        backoff.reset();
        assert!(backoff.next_wait().0 < 1.0);
        assert_ne!(Backoff::new(1).next_wait(), Backoff::new(2).next_wait());
        assert_eq!(Backoff::new(3).next_wait(), Backoff::new(3).next_wait());
    }
}
