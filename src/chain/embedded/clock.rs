//! Chain time that runs faster or slower than real time.
//!
//! `chain = chain_origin + (real - real_origin) * factor`. Pure: real time is
//! an argument. The chain's clock must not begin behind its tip, or blocks
//! after a restart of a fast chain would all carry the lowest ntime allowed;
//! [`Warp::resuming`] sees to that.

use crate::chain::Tip;
use crate::units::{Seconds, Timestamp};

/// A conversion between real time and a chain's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warp {
    real_origin: Timestamp,
    chain_origin: Timestamp,
    factor: f64,
}

impl Warp {
    /// Chain time is real time.
    #[must_use]
    pub fn none() -> Self {
        Self { real_origin: Timestamp(0), chain_origin: Timestamp(0), factor: 1.0 }
    }

    /// From `now` on, chain time runs `factor` times as fast as real time,
    /// beginning at `now` or at the tip's time, whichever is later.
    #[must_use]
    pub fn resuming(now: Timestamp, tip: &Tip, factor: f64) -> Self {
        let tip_time = Timestamp::from_unix_seconds(u64::from(tip.ntime));
        Self { real_origin: now, chain_origin: now.max(tip_time), factor }
    }

    /// The chain's time at a real time; before the origin it stands still.
    #[must_use]
    pub fn chain_time(&self, real: Timestamp) -> Timestamp {
        if self.factor == 1.0 && self.real_origin == self.chain_origin {
            return real; // exact, and defined before the origin
        }
        self.chain_origin + Seconds(real.since(self.real_origin).0 * self.factor)
    }

    /// The real time at which the chain's time is `chain`.
    #[must_use]
    pub fn real_time(&self, chain: Timestamp) -> Timestamp {
        self.real_origin + Seconds(chain.since(self.chain_origin).0 / self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn runs_at_its_factor_from_the_later_origin() {
        fn check(tip_ntime: u32, factor: f64, real: u64, chain: u64) {
            let tip = Tip { height: 1, hash: [0; 32], ntime: tip_ntime, nbits: 0 };
            let warp = Warp::resuming(at(1_000), &tip, factor);
            assert_eq!(warp.chain_time(at(real)), at(chain));
            assert_eq!(warp.real_time(at(chain)), at(real));
        }
        check(500, 60.0, 1_000, 1_000);
        check(500, 60.0, 1_010, 1_600);
        check(500, 0.5, 1_010, 1_005);
        check(2_000, 60.0, 1_010, 2_600);
        check(500, 1.0, 1_234, 1_234);
    }

    #[test]
    fn without_a_factor_it_is_the_real_clock() {
        assert_eq!(Warp::none().chain_time(Timestamp(1_234_567_890)), Timestamp(1_234_567_890));
    }
}
