//! Verdicts that follow from what was submitted before.

use bitcoin::{Amount, Block};

use super::bench::{Bench, HEIGHT, fix_merkle_root, solve};

/// A block, and what is to be said of it.
type Told = (Block, Option<&'static str>);

/// Blocks one after the other.
pub struct Story {
    pub what: &'static str,
    pub tell: fn(&Bench) -> Vec<Told>,
}

/// A block whose coinbase takes one sat too much: good until its coins are looked at.
fn greedy(mut block: Block) -> Block {
    block.txdata[0].output[0].value += Amount::from_sat(1);
    fix_merkle_root(&mut block);
    solve(&mut block);
    block
}

pub const STORIES: &[Story] = &[
    Story {
        what: "a known block is a duplicate",
        tell: |bench| {
            let block = bench.good("known");
            let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
            vec![
                (block.clone(), None),
                (block, Some("duplicate")),
                (bench.block_at(7).clone(), Some("duplicate")),
                (genesis, Some("duplicate")),
            ]
        },
    },
    Story {
        what: "a refused block stays refused, and so does what builds on it",
        tell: |bench| {
            let bad = greedy(bench.good("greedy"));
            let child = bench.good_upon(&bad, HEIGHT + 2, "child");
            vec![
                (bad.clone(), Some("bad-cb-amount")),
                (bad, Some("duplicate-invalid")),
                (child, Some("bad-prevblk")),
            ]
        },
    },
    Story {
        what: "a wrong height in the coinbase spoils the header",
        tell: |bench| {
            let bad = bench.good_upon(bench.block_at(HEIGHT), HEIGHT, "height");
            vec![(bad.clone(), Some("bad-cb-height")), (bad, Some("duplicate-invalid"))]
        },
    },
    Story {
        what: "other witnesses do not spoil the header",
        tell: |bench| {
            let good = bench.good("witness");
            let mut other = good.clone();
            other.txdata[1].input[0].witness.push([1]);
            vec![(other, Some("bad-witness-merkle-match")), (good, None)]
        },
    },
    Story {
        what: "of two chains with equal work the first stays, and more work wins",
        tell: |bench| {
            let first = bench.good("first");
            let second = bench.good("second");
            let upon_second = bench.good_upon(&second, HEIGHT + 2, "upon second");
            vec![(first, None), (second, Some("inconclusive")), (upon_second, None)]
        },
    },
    Story {
        what: "a longer chain with a bad block in it does not win",
        tell: |bench| {
            let first = bench.good("good tip");
            let bad = greedy(bench.good("bad branch"));
            let upon_bad = bench.good_upon(&bad, HEIGHT + 2, "upon bad");
            let again = bench.good_upon(&upon_bad, HEIGHT + 3, "again");
            vec![
                (first, None),
                // Nobody looks at the coins of a side branch.
                (bad, Some("inconclusive")),
                // Good in itself; the one below is found out now.
                (upon_bad, Some("inconclusive")),
                (again, Some("bad-prevblk")),
            ]
        },
    },
];
