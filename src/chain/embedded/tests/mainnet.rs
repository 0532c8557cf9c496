//! Mainnet's shape: full blocks, a network that finds its own, retargets.

use super::super::{Arrival, Network, NetworkConfig};
use super::*;
use crate::block::branch_of_first;
use crate::units::Difficulty;

fn network(bench: &Bench, reorg_probability: f64) -> Network {
    let config = NetworkConfig { reorg_probability, seed: 3, ..NetworkConfig::default() };
    Network::new(config, &bench.chain, bench.now)
}

#[test]
fn lanes_fill_every_block() {
    let mut bench = Bench::open(None, Params::mainnet_like(840_000));
    let mut network = network(&bench, 0.0);
    for height in 840_001..=840_020 {
        bench.now = network.next_arrival();
        let template = bench.template();
        assert_eq!((template.height, template.nbits), (height, 0x1703_4219));
        let ids: Vec<Hash> = template.transactions.iter().map(|entry| entry.txid).collect();
        assert_eq!(branch_of_first(&ids).len(), 12, "{} transactions", ids.len());
        let fees = template.coinbase_value.to_sat() - 312_500_000;
        assert!((1_000_000..50_000_000).contains(&fees), "fees of {fees}");
        assert!(std::sync::Arc::ptr_eq(&template.transactions, &bench.template().transactions), "made once");
        assert_eq!(network.arrive(&mut bench.chain).unwrap(), Arrival::Block);
        assert_eq!(bench.chain.tip().height, height);
    }
    let coins = bench.chain.coins().count();
    assert!((3_000..9_100).contains(&coins), "{coins} coins");
}

#[test]
fn competing_branches_replace_the_tip() {
    let mut bench = Bench::open(None, Params::mainnet_like(840_000).with_transactions(40));
    let mut network = network(&bench, 0.5);
    let mut reorgs = 0;
    for _ in 0..60 {
        let tip = bench.chain.tip();
        match network.arrive(&mut bench.chain).unwrap() {
            Arrival::Block => assert_eq!(bench.chain.confirmations(&tip.hash), Some(2)),
            Arrival::Reorg { replaced } => {
                assert_eq!((replaced, bench.chain.confirmations(&replaced)), (tip.hash, Some(0)));
                reorgs += 1;
            }
        }
        assert_eq!(bench.chain.tip().height, tip.height + 1);
        bench.now = network.next_arrival();
        assert_eq!(bench.template().transactions.len(), 40);
    }
    assert!((15..45).contains(&reorgs), "{reorgs}");
}

#[test]
fn only_the_proof_is_drawn() {
    let mut bench = Bench::open(None, Params::mainnet_like(840_000).with_transactions(5));
    let template = bench.template();
    let mut block = unsolved(&template);
    assert_eq!(bench.submit(&block).unwrap_err().reason, "high-hash");
    block.txdata[0].output[0].value += Amount::from_sat(1);
    fix_merkle_root(&mut block);
    let refused = bench.chain.submit(&block, Proof::Drawn, bench.now).unwrap_err();
    assert!(refused.to_string().starts_with("bad-cb-amount"), "{refused}");
    bench.chain.submit(&unsolved(&template), Proof::Drawn, bench.now).unwrap();

    let mut regtest = Bench::regtest();
    let mut block = regtest.next_block("drawn");
    let target = Target::from_compact(0x207f_ffff);
    while target.is_met_by(&block.block_hash().to_byte_array()) {
        block.header.nonce += 1;
    }
    let refused = regtest.chain.submit(&block, Proof::Drawn, regtest.now).unwrap_err();
    assert!(refused.to_string().starts_with("high-hash"), "{refused}");
}

/// A block on `template` without work.
fn unsolved(template: &Template) -> Block {
    let easy = Template { nbits: 0x207f_ffff, ..template.clone() };
    let mut block = solved_block(&easy, "unsolved");
    block.header.bits = bitcoin::CompactTarget::from_consensus(template.nbits);
    block
}

#[test]
fn difficulty_follows_the_network_and_the_pace_follows_difficulty() {
    // Twice mainnet's pace: after the first period half the rate per difficulty.
    let params = Params::mainnet_like(2016 * 400).with_transactions(0);
    let mut bench = Bench::open(None, params);
    let config = NetworkConfig { blocks_per_hour: 12.0, ..NetworkConfig::default() };
    let mut network = Network::new(config, &bench.chain, bench.now);
    for _ in 0..2015 {
        network.arrive(&mut bench.chain).unwrap();
    }
    let at_first = Difficulty::get(bench.chain.params().difficulty());
    let due = Target::from_compact(bench.template().nbits).difficulty().get();
    assert!((1.85..2.15).contains(&(due / at_first)), "{}", due / at_first);
    network.arrive(&mut bench.chain).unwrap();
    let began = network.next_arrival();
    for _ in 0..500 {
        network.arrive(&mut bench.chain).unwrap();
    }
    let hours = network.next_arrival().since(began).0 / 3600.0;
    assert!((5.2..6.8).contains(&(500.0 / hours)), "{} blocks an hour", 500.0 / hours);
}

#[test]
fn old_bodies_go_and_headers_and_coinbases_stay() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::mainnet_like(840_000).with_transactions(3);
    let mut bench = Bench::open(Some(dir.path()), params.clone());
    let mut network = network(&bench, 0.0);
    for _ in 0..300 {
        network.arrive(&mut bench.chain).unwrap();
    }
    let has_body =
        |bench: &Bench, height| bench.chain.block(&bench.chain.hash_at(height).unwrap()).unwrap().is_some();
    assert!(!has_body(&bench, 840_011));
    assert!(has_body(&bench, 840_012));
    let old = bench.chain.hash_at(840_005).unwrap();
    assert!(bench.chain.coinbase(&old).unwrap().unwrap().is_coinbase());

    // A fork is followed as deep as bodies go, and refused beyond.
    bench.now = network.next_arrival();
    let drawn = |bench: &mut Bench, parent: u32| {
        let parent = bench.chain.index.get(&bench.chain.hash_at(parent).unwrap()).unwrap();
        let block = unsolved(&bench.chain.template_on(parent, bench.chain.mempool.none(), bench.now));
        bench.chain.submit(&block, Proof::Drawn, bench.now)
    };
    let refused = drawn(&mut bench, 840_011).unwrap_err();
    assert!(refused.to_string().starts_with("bad-fork-prior-to-checkpoint"), "{refused}");
    assert_eq!(drawn(&mut bench, 840_012).unwrap(), SubmitOutcome::SideBranch);

    let (tip, coins) = (bench.chain.tip(), bench.coins());
    let template = bench.template();
    let now = bench.now;
    drop(bench);
    let mut bench = Bench::open(Some(dir.path()), params);
    assert_eq!((bench.chain.tip(), bench.coins()), (tip, coins));
    bench.now = now;
    assert_eq!(bench.template(), template, "lanes resume from their coins");
}

#[test]
fn the_same_seed_makes_the_same_chain() {
    let tip_of = |seed| {
        let params = Params::mainnet_like(840_000).with_transactions(20).with_seed(seed);
        let mut bench = Bench::open(None, params);
        let mut network = network(&bench, 0.2);
        for _ in 0..20 {
            network.arrive(&mut bench.chain).unwrap();
        }
        bench.chain.tip()
    };
    assert_eq!(tip_of(1), tip_of(1));
    assert_ne!(tip_of(1), tip_of(2));
}
