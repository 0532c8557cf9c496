//! How fast is the miner? Asked once, when its user does not say.
//!
//! The difficulty comes down from far too high in steps of 16 until shares
//! come; eight of them give the order of magnitude. At the difficulty that
//! follows from it 24 more are counted, so the result is good to about a fifth.

use super::Action;
use super::pool::Pool;
use crate::conformance::log::Fact;
use crate::conformance::terms::JobSpec;
use crate::units::{Difficulty, Hashrate, Seconds, Timestamp};

/// The fastest miner thought of.
const HASHRATE_MAX: f64 = 4e15;

/// The slowest.
const HASHRATE_MIN: f64 = 1e3;

/// What is assumed of a miner that finds no share at any difficulty.
const HASHRATE_UNKNOWN: f64 = 1e12;

/// Steps of difficulty, and how long each is tried.
const STEP: f64 = 16.0;
const STEP_SECONDS: Seconds = Seconds(2.0);

/// How long a round of counting lasts at most.
const ROUND_SECONDS: Seconds = Seconds(30.0);

/// Shares that are counted, coarsely and finely.
const COARSE: u32 = 8;
const FINE: u32 = 24;

/// How often the way down is gone before giving up.
const DESCENTS: u32 = 3;

/// A measurement under way.
#[derive(Debug)]
pub(super) struct Measuring {
    difficulty: Difficulty,
    began: Timestamp,
    until: Timestamp,
    /// Where in the log to read on.
    next: usize,
    shares: u32,
    wanted: u32,
    descents: u32,
}

impl Measuring {
    /// Begins when the first session is complete.
    pub fn new(pool: &mut Pool) -> Self {
        pool.hashrate = Hashrate::new(HASHRATE_MAX).unwrap_or_default();
        Self {
            difficulty: Difficulty::ONE,
            began: Timestamp::default(),
            until: Timestamp::default(),
            next: 0,
            shares: 0,
            wanted: 0,
            descents: 0,
        }
    }

    /// When it goes on if nothing happens.
    pub fn next_wake(&self) -> Option<Timestamp> {
        (self.wanted > 0).then_some(self.until)
    }

    /// Goes on; `true` when the pool knows the hashrate.
    pub fn run(&mut self, pool: &mut Pool, now: Timestamp, actions: &mut Vec<Action>) -> bool {
        if !pool.is_in_session() {
            // Whatever was counted is of another session.
            if self.wanted > 0 && now >= self.until {
                self.wanted = 0;
            }
            return false;
        }
        let log = pool.ledger.log();
        for record in log.records.iter().skip(self.next) {
            if let Fact::Share(share) = &record.fact
                && record.at >= self.began
                && share.asked == Some(self.difficulty)
            {
                self.shares += 1;
            }
        }
        self.next = log.records.len();
        if self.wanted == 0 {
            self.offer(pool.usual_difficulty(), COARSE, STEP_SECONDS, pool, now, actions);
            return false;
        }
        if self.shares >= self.wanted || self.shares > 1 && now >= self.until {
            let seconds = now.since(self.began).0.max(0.01);
            // The first share may come at any time; the others measure.
            let rate = f64::from(self.shares - 1) / seconds;
            let found = (rate * self.difficulty.expected_hashes()).clamp(HASHRATE_MIN, HASHRATE_MAX);
            pool.hashrate = Hashrate::new(found).unwrap_or_default();
            if self.wanted == FINE {
                return true;
            }
            self.offer(pool.usual_difficulty(), FINE, ROUND_SECONDS, pool, now, actions);
        } else if self.shares > 0 && self.wanted == COARSE && now < self.began + ROUND_SECONDS {
            // They come; wait for the rest.
            self.until = self.began + ROUND_SECONDS;
        } else if now >= self.until {
            return self.descend(pool, now, actions);
        }
        false
    }

    fn descend(&mut self, pool: &mut Pool, now: Timestamp, actions: &mut Vec<Action>) -> bool {
        let lower = self.difficulty.scaled(1.0 / STEP);
        let floor = Difficulty::ONE.scaled(HASHRATE_MIN / Difficulty::ONE.expected_hashes());
        if lower < floor {
            self.descents += 1;
            self.wanted = 0;
            pool.hashrate = Hashrate::new(HASHRATE_MAX).unwrap_or_default();
            if self.descents == DESCENTS {
                pool.hashrate = Hashrate::new(HASHRATE_UNKNOWN).unwrap_or_default();
                return true;
            }
            self.offer(pool.usual_difficulty(), COARSE, STEP_SECONDS, pool, now, actions);
        } else {
            self.offer(lower, COARSE, STEP_SECONDS, pool, now, actions);
        }
        false
    }

    fn offer(
        &mut self,
        difficulty: Difficulty,
        wanted: u32,
        within: Seconds,
        pool: &mut Pool,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let Some(connection) = pool.current() else { return };
        (self.difficulty, self.wanted, self.shares) = (difficulty, wanted, 0);
        (self.began, self.until) = (now, now + within);
        pool.set_difficulty(connection, difficulty, now, actions);
        let spec = JobSpec { clean: Some(true), ..JobSpec::default() };
        pool.notify(connection, &spec, now, actions);
    }
}
