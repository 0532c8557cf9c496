//! Competing chains: the most work wins, the first seen keeps a tie.

use super::*;

/// Mines a branch of `blocks` upon `parent` and returns the outcomes.
fn branch(bench: &mut Bench, mut parent: Hash, blocks: u32, tag: &str) -> Vec<SubmitOutcome> {
    (0..blocks)
        .map(|_| {
            let block = bench.block_upon(parent, tag);
            parent = block.block_hash().to_byte_array();
            bench.submit(&block).unwrap()
        })
        .collect()
}

#[test]
fn more_work_wins_and_the_first_seen_keeps_a_tie() {
    use SubmitOutcome::{NewTip, SideBranch};
    let mut bench = Bench::regtest_at(10);
    let main = bench.chain.hash_at(10).unwrap();
    let fork = bench.chain.hash_at(7).unwrap();
    assert_eq!(branch(&mut bench, fork, 5, "side"), [SideBranch, SideBranch, SideBranch, NewTip, NewTip]);
    assert_eq!(bench.chain.tip().height, 12);
    assert_eq!(bench.chain.confirmations(&main), Some(0));
    assert_eq!(bench.chain.confirmations(&fork), Some(6));
    assert_eq!(bench.chain.confirmations(&[1; 32]), None);
    // And back again.
    assert_eq!(branch(&mut bench, main, 3, "main"), [SideBranch, SideBranch, NewTip]);
    assert_eq!(bench.chain.confirmations(&main), Some(4));
}

#[test]
fn there_and_back_restores_the_coins() {
    let mut bench = Bench::regtest_at(110);
    let (coin, value) = bench.coinbase_coin(1);
    let spend = pay(&[coin], &[value.to_sat() / 2, value.to_sat() / 2 - 500]);
    bench.chain.submit_transaction(spend.clone()).unwrap();
    let fork = bench.chain.tip().hash;
    let before = bench.coins();
    bench.mine(3);
    assert!(bench.template().transactions.is_empty());
    let main = bench.chain.tip().hash;
    let with_spend = bench.coins();

    branch(&mut bench, fork, 4, "side");
    assert!(bench.chain.coin(&coin).is_some(), "the spend is undone");
    let side_coins: Vec<_> = bench.coins().into_iter().filter(|(_, coin)| coin.height <= 110).collect();
    assert_eq!(side_coins, before);
    let waiting: Vec<_> =
        bench.template().transactions.iter().map(|entry| entry.transaction.clone()).collect();
    assert_eq!(waiting, [spend], "and waits for another block");

    branch(&mut bench, main, 2, "main");
    let main_coins: Vec<_> = bench.coins().into_iter().filter(|(_, coin)| coin.height <= 113).collect();
    assert_eq!(main_coins, with_spend);
    assert!(bench.template().transactions.is_empty());
}

#[test]
fn a_branch_with_a_bad_block_never_wins() {
    let mut bench = Bench::regtest_at(10);
    let fork = bench.chain.hash_at(8).unwrap();
    let tip = bench.chain.tip();
    let coins = bench.coins();
    // Its coins are only looked at when the branch has more work.
    let mut bad = bench.block_upon(fork, "bad");
    bad.txdata[0].output[0].value += Amount::from_sat(1);
    fix_merkle_root(&mut bad);
    solve(&mut bad);
    assert_eq!(bench.submit(&bad).unwrap(), SubmitOutcome::SideBranch);
    let bad = bad.block_hash().to_byte_array();
    assert_eq!(branch(&mut bench, bad, 2, "side"), [SubmitOutcome::SideBranch; 2]);
    assert_eq!((bench.chain.tip(), bench.coins()), (tip, coins));
    let child = bench.block_upon(bad, "child");
    assert_eq!(bench.submit(&child).unwrap_err().reason, "bad-prevblk");
    bench.mine(1);
}

#[test]
fn forks_of_288_blocks_are_followed() {
    let mut bench = Bench::regtest_at(289);
    let fork = bench.chain.hash_at(1).unwrap();
    let outcomes = branch(&mut bench, fork, 289, "side");
    assert_eq!(outcomes.last(), Some(&SubmitOutcome::NewTip));
    assert_eq!(bench.chain.tip().height, 290);
    assert_eq!(bench.chain.confirmations(&fork), Some(290));
    assert_eq!(bench.coins().len(), 290);
}
