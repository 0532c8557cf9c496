//! Who has which extranonce1, and which lost sessions may come back.
//!
//! Invariant: no two live or resumable sessions share an extranonce1. That is
//! what makes their search spaces disjoint and their duplicate sets local.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::stratum::v1::SessionToken;
use crate::units::{Seconds, Timestamp};

/// Sessions kept for resuming; beyond it the one that expires first is let go.
const PARKED_MAX: usize = 10_000;

/// The pool's part of an extranonce: up to 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extranonce1 {
    value: u64,
    bytes: u8,
}

impl Extranonce1 {
    /// The bytes as they stand in the coinbase, with their number.
    #[must_use]
    pub fn to_bytes(self) -> ([u8; 8], usize) {
        let mut bytes = [0; 8];
        let length = usize::from(self.bytes);
        bytes[..length].copy_from_slice(&self.value.to_be_bytes()[8 - length..]);
        (bytes, length)
    }
}

impl std::fmt::Display for Extranonce1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:0width$x}", self.value, width = 2 * usize::from(self.bytes))
    }
}

/// The allocator; `T` is what a resumed session gets back.
#[derive(Debug)]
pub(super) struct Extranonces<T> {
    bytes: u8,
    next: u64,
    taken: BTreeSet<u64>,
    parked: BTreeMap<SessionToken, (Timestamp, T)>,
    /// When sessions that were parked expire, in order: all wait equally long.
    expiries: VecDeque<(Timestamp, SessionToken)>,
    rng: ChaCha12Rng,
}

impl<T> Extranonces<T> {
    /// `bytes` per extranonce1, 2 to 8. The seed decides the first value and the
    /// tokens; a pool that faces strangers takes it from the operating system.
    pub fn new(bytes: usize, seed: [u8; 32]) -> Self {
        let bytes = bytes.clamp(2, 8) as u8;
        let mut rng = ChaCha12Rng::from_seed(seed);
        let next = rng.random::<u64>() & Self::mask(bytes);
        Self { bytes, next, taken: BTreeSet::new(), parked: BTreeMap::new(), expiries: VecDeque::new(), rng }
    }

    fn mask(bytes: u8) -> u64 {
        u64::MAX >> (64 - 8 * u32::from(bytes))
    }

    /// A free extranonce1, or `None` when every one is taken.
    pub fn take(&mut self) -> Option<Extranonce1> {
        let mask = Self::mask(self.bytes);
        if self.taken.len() as u64 > mask {
            return None;
        }
        while self.taken.contains(&self.next) {
            self.next = self.next.wrapping_add(1) & mask;
        }
        let value = self.next;
        self.taken.insert(value);
        self.next = value.wrapping_add(1) & mask;
        Some(Extranonce1 { value, bytes: self.bytes })
    }

    /// A new token, not to be guessed.
    pub fn token(&mut self) -> SessionToken {
        SessionToken(self.rng.random())
    }

    /// Gives an extranonce1 back.
    pub fn release(&mut self, extranonce1: Extranonce1) {
        self.taken.remove(&extranonce1.value);
    }

    /// Keeps a lost session for `ttl`. Returns those that expired or had to make room.
    #[must_use]
    pub fn park(&mut self, token: SessionToken, state: T, now: Timestamp, ttl: Seconds) -> Vec<T> {
        let expires = now + ttl;
        self.parked.insert(token, (expires, state));
        self.expiries.push_back((expires, token));
        let mut gone = Vec::new();
        while let Some(next) = self.expiries.front().copied()
            && (next.0 <= now || self.parked.len() > PARKED_MAX)
        {
            self.expiries.pop_front();
            gone.extend(self.remove(next));
        }
        gone
    }

    /// Removes the session that was parked with this expiry, unless it was resumed.
    fn remove(&mut self, (expires, token): (Timestamp, SessionToken)) -> Option<T> {
        let is_that = self.parked.get(&token).is_some_and(|(parked, _)| *parked == expires);
        if is_that { self.parked.remove(&token).map(|(_, state)| state) } else { None }
    }

    /// Takes up a parked session that has not expired.
    pub fn resume(&mut self, token: SessionToken, now: Timestamp) -> Option<T> {
        match self.parked.get(&token) {
            Some((expires, _)) if *expires > now => self.parked.remove(&token).map(|(_, state)| state),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(bytes: usize) -> Extranonces<&'static str> {
        Extranonces::new(bytes, [1; 32])
    }

    #[test]
    fn every_value_is_handed_out_once() {
        let mut extranonces = new(2);
        let all: BTreeSet<_> = std::iter::from_fn(|| extranonces.take()).collect();
        assert_eq!(all.len(), 65_536);
        let one = *all.iter().next().unwrap();
        extranonces.release(one);
        assert_eq!(extranonces.take(), Some(one));
        assert_eq!(extranonces.take(), None);
    }

    #[test]
    fn bytes_and_text_agree() {
        let extranonce1 = Extranonce1 { value: 0x0a0b, bytes: 4 };
        assert_eq!(extranonce1.to_string(), "00000a0b");
        assert_eq!(extranonce1.to_bytes(), ([0, 0, 0x0a, 0x0b, 0, 0, 0, 0], 4));
    }

    #[test]
    fn a_session_resumes_once_and_in_time() {
        let (start, ttl) = (Timestamp::from_unix_seconds(100), Seconds(10.0));
        let mut extranonces = new(4);
        let token = extranonces.token();
        assert!(extranonces.park(token, "state", start, ttl).is_empty());
        assert_eq!(extranonces.resume(SessionToken([0; 16]), start), None);
        assert_eq!(extranonces.resume(token, start + Seconds(10.0)), None);
        assert_eq!(extranonces.resume(token, start + Seconds(9.0)), Some("state"));
        assert_eq!(extranonces.resume(token, start), None);
        assert!(extranonces.park(token, "again", start + Seconds(9.5), ttl).is_empty());
        let other = extranonces.token();
        // The first parking has expired, but that session was resumed.
        assert!(extranonces.park(other, "other", start + ttl, ttl).is_empty());
        assert_eq!(extranonces.park(other, "other", start + Seconds(30.0), ttl), ["again"]);
    }
}
