//! Valid blocks from height 1 on, and what a refusal leaves behind.
//!
//! Every way in which a block is refused is in `tests/it/verdicts`, which Bitcoin
//! Core goes through too.

use proptest::prelude::*;

use super::super::rules::target_of;
use super::*;

#[test]
fn grows_from_genesis_across_the_halving() {
    let mut bench = Bench::regtest();
    assert_eq!(
        bench.chain.tip().hash,
        bitcoin::constants::genesis_block(bitcoin::Network::Regtest).block_hash().to_byte_array()
    );
    let mut total = 0;
    for height in 1..=155 {
        let template = bench.template();
        assert_eq!((template.height, template.nbits), (height, 0x207f_ffff));
        let expected = if height < 150 { 5_000_000_000 } else { 2_500_000_000 };
        assert_eq!(template.coinbase_value.to_sat(), expected, "height {height}");
        total += expected;
        bench.mine(1);
        assert_eq!(bench.chain.tip().height, height);
    }
    let unspent: u64 = bench.coins().iter().map(|(_, coin)| coin.output.value.to_sat()).sum();
    assert_eq!(unspent, total);
}

#[test]
fn template_times_follow_the_median_and_the_clock() {
    let mut bench = Bench::regtest();
    assert_eq!(bench.template().ntime_min, 1_296_688_602 + 1);
    assert_eq!(u64::from(bench.template().ntime), START.unix_seconds());
    bench.mine(11);
    let median = START.unix_seconds() + 6 * 600;
    assert_eq!(u64::from(bench.template().ntime_min), median + 1);
    let behind = bench.chain.template(true, START);
    assert_eq!(behind.ntime, behind.ntime_min);
}

#[test]
fn tips_are_announced() {
    let mut bench = Bench::regtest();
    let mut tips = bench.chain.tips();
    assert_eq!(tips.borrow_and_update().height, 0);
    let hash = bench.mine(1)[0];
    assert!(tips.has_changed().unwrap());
    let tip = *tips.borrow_and_update();
    assert_eq!((tip.height, tip.hash), (1, hash));
    let side = bench.block_upon(bench.chain.hash_at(0).unwrap(), "side");
    assert_eq!(bench.submit(&side).unwrap(), SubmitOutcome::SideBranch);
    assert!(!tips.has_changed().unwrap());
}

#[test]
fn the_clock_is_looked_at_to_the_second() {
    fn check(seconds_ahead: u32, expected: Option<&str>) {
        let mut bench = Bench::regtest_at(1);
        let mut block = bench.next_block("ahead");
        block.header.time = bench.now.unix_seconds() as u32 + seconds_ahead;
        solve(&mut block);
        let reason = bench.submit(&block).err().map(|refusal| refusal.reason);
        assert_eq!(reason.as_deref(), expected, "{seconds_ahead} s ahead");
    }
    check(7_200, None);
    check(7_201, Some("time-too-new"));
}

#[test]
fn a_refusal_leaves_everything_as_it_was_and_says_why() {
    let mut bench = Bench::regtest_at(105);
    let (tip, coins) = (bench.chain.tip(), bench.coins());
    let mut block = bench.next_block("greedy");
    block.txdata[0].output[0].value += Amount::from_sat(1);
    fix_merkle_root(&mut block);
    solve(&mut block);
    let refusal = bench.submit(&block).unwrap_err();
    assert_eq!(refusal.reason, "bad-cb-amount");
    assert!(refusal.detail.contains("50.00000001 BTC"), "{}", refusal.detail);
    assert_eq!((bench.chain.tip(), bench.coins()), (tip, coins));
}

#[test]
fn submitted_transactions_wait_for_a_block() {
    let mut bench = Bench::regtest_at(105);
    let (coin, value) = bench.coinbase_coin(1);
    let value = value.to_sat();
    let first = pay(&[coin], &[value - 700]);
    let second = pay(&[OutPoint::new(first.compute_txid(), 0)], &[value - 1_000]);
    let submit = |bench: &mut Bench, tx: &Transaction| match bench.chain.submit_transaction(tx.clone()) {
        Ok(_) => None,
        Err(refusal) => Some(refusal.reason.into_owned()),
    };
    assert_eq!(submit(&mut bench, &second).as_deref(), Some("bad-txns-inputs-missingorspent"));
    assert_eq!(submit(&mut bench, &first), None);
    assert_eq!(submit(&mut bench, &second), None);
    assert_eq!(submit(&mut bench, &first).as_deref(), Some("txn-already-in-mempool"));
    assert_eq!(submit(&mut bench, &pay(&[coin], &[1])).as_deref(), Some("txn-mempool-conflict"));
    let (immature, _) = bench.coinbase_coin(50);
    let premature = pay(&[immature], &[1]);
    assert_eq!(submit(&mut bench, &premature).as_deref(), Some("bad-txns-premature-spend-of-coinbase"));

    let template = bench.template();
    let fees: Vec<u64> = template.transactions.iter().map(|entry| entry.fee.to_sat()).collect();
    assert_eq!(fees, [700, 300]);
    assert_eq!(template.coinbase_value.to_sat(), 5_000_001_000);
    let empty = bench.chain.template(true, bench.now);
    assert_eq!((empty.transactions.len(), empty.coinbase_value.to_sat()), (0, 5_000_000_000));

    // An empty block leaves them waiting, a full one takes them in.
    let tip = bench.chain.tip().hash;
    let empty = bench.block_upon(tip, "empty");
    bench.submit(&empty).unwrap();
    assert_eq!(bench.template().transactions.len(), 2);
    bench.mine(1);
    assert_eq!(bench.template().transactions.len(), 0);
    assert!(bench.chain.coin(&OutPoint::new(second.compute_txid(), 0)).is_some());
    assert!(bench.chain.coin(&coin).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        at in any::<prop::sample::Index>(),
        valid: bool,
    ) {
        thread_local! {
            static BENCH: std::cell::RefCell<Bench> = std::cell::RefCell::new(Bench::regtest_at(17));
        }
        BENCH.with_borrow_mut(|bench| {
            // Either noise, or noise written over a valid block.
            let mut raw = bytes.clone();
            if valid {
                raw = bitcoin::consensus::serialize(&bench.next_block("valid"));
                let start = at.index(raw.len());
                for (to, from) in raw[start..].iter_mut().zip(bytes.iter().take(8)) {
                    *to = *from;
                }
            }
            if let Ok(mut block) = bitcoin::consensus::deserialize::<Block>(&raw) {
                let _ = bench.submit(&block);
                // Past the proof and the root, where the body is read.
                fix_merkle_root(&mut block);
                let target = target_of(block.header.bits.to_consensus(), 0x207f_ffff);
                if target.is_some_and(|target| target > Target::from_compact(0x2000_ffff)) {
                    solve(&mut block);
                }
                let _ = bench.submit(&block);
            }
        });
    }
}
