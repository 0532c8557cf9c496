//! The rules of a session hold under any interleaving of messages.

use std::collections::BTreeMap;

use adit::event::Reject;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::session_model::run;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_breaks_the_session(bytes in prop::collection::vec(any::<u8>(), 0..800)) {
        let _ = run(&bytes);
    }
}

/// The property would hold for want of shares; it does not.
#[test]
fn the_model_reaches_every_verdict() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut verdicts = BTreeMap::new();
    for _ in 0..2_000 {
        let bytes: Vec<u8> = (0..800).map(|_| rng.random()).collect();
        for (name, count) in run(&bytes) {
            *verdicts.entry(name).or_insert(0) += count;
        }
    }
    for name in Reject::ALL.map(Reject::name).into_iter().chain(["accepted", "accepted_late"]) {
        // A malformed share is no share: it is recorded as a bad line.
        if name != Reject::Malformed.name() {
            assert!(verdicts.get(name).is_some_and(|count| *count >= 10), "{name}: {verdicts:?}");
        }
    }
}
