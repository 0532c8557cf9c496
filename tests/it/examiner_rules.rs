//! Whatever a miner does, the examiner survives it and its cases end.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::examiner_model::run;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_peer_breaks_the_examiner(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = run(&bytes);
    }
}

/// The property would hold for want of sessions; it does not.
#[test]
fn the_model_gets_far() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut counts = BTreeMap::new();
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..2_000).map(|_| rng.random()).collect();
        for (name, count) in run(&bytes) {
            *counts.entry(name).or_insert(0) += count;
        }
    }
    assert_eq!(counts.len(), 8, "{counts:?}");
    for (name, count) in &counts {
        assert!(*count >= 20, "{name}: {counts:?}");
    }
}
