//! Valid blocks from height 1 on, and every way in which one is refused.

use bitcoin::absolute::LockTime;
use bitcoin::block::Version;
use bitcoin::{BlockHash, CompactTarget, Sequence, TxOut, Witness};
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

/// Breaks the block after 110 others, which holds three transactions, and
/// expects the reason; `None` is a block that is fine all the same.
#[track_caller]
fn check(expected: Option<&str>, break_it: impl FnOnce(&mut Block, &Bench)) {
    let mut bench = Bench::regtest_at(110);
    for height in 1..=3 {
        let (coin, value) = bench.coinbase_coin(height);
        let mut tx = pay(&[coin], &[value.to_sat() - 1_000]);
        tx.input[0].witness = Witness::from_slice(&[[height as u8; 64]]);
        bench.chain.submit_transaction(tx).unwrap();
    }
    let mut block = bench.next_block("broken");
    assert_eq!(block.txdata.len(), 4);
    break_it(&mut block, &bench);
    let result = bench.submit(&block);
    assert_eq!(result.as_ref().err().map(|refusal| &*refusal.reason), expected, "{result:?}");
    if let Err(refusal) = result {
        assert_eq!(bench.chain.tip().height, 110);
        assert!(!refusal.detail.is_empty());
    }
}

/// Breaks the coinbase or other transactions, and makes the rest fit.
#[track_caller]
fn check_body(expected: Option<&str>, break_it: impl FnOnce(&mut Vec<Transaction>, &Bench)) {
    check(expected, |block, bench| {
        break_it(&mut block.txdata, bench);
        if block.txdata[0].is_coinbase() {
            fix_commitment(block);
        }
        fix_merkle_root(block);
        solve(block);
    });
}

/// Breaks the header and solves it.
#[track_caller]
fn check_header(expected: Option<&str>, break_it: impl FnOnce(&mut Block, &Bench)) {
    check(expected, |block, bench| {
        break_it(block, bench);
        solve(block);
    });
}

#[test]
fn headers_are_refused_with_their_reason() {
    let now = |bench: &Bench| bench.now.unix_seconds() as u32;
    check_header(None, |_, _| {});
    check(Some("high-hash"), |block, _| {
        let target = Target::from_compact(0x207f_ffff);
        while target.is_met_by(&block.block_hash().to_byte_array()) {
            block.header.nonce += 1;
        }
    });
    check_header(Some("high-hash"), |block, _| {
        block.header.bits = CompactTarget::from_consensus(0x2100_ffff)
    });
    check_header(Some("bad-diffbits"), |block, _| {
        block.header.bits = CompactTarget::from_consensus(0x207f_fffe)
    });
    // The median is that of the block five below the tip.
    check_header(Some("time-too-old"), |block, bench| block.header.time = now(bench) - 6 * 600);
    check_header(None, |block, bench| block.header.time = now(bench) - 6 * 600 + 1);
    check_header(Some("time-too-new"), |block, bench| block.header.time = now(bench) + 7_201);
    check_header(None, |block, bench| block.header.time = now(bench) + 7_200);
    check_header(Some("bad-version(0x00000003)"), |block, _| {
        block.header.version = Version::from_consensus(3)
    });
    check_header(Some("bad-version(0xffffffff)"), |block, _| {
        block.header.version = Version::from_consensus(-1)
    });
    check_header(None, |block, _| block.header.version = Version::from_consensus(0x3fff_e000));
    check_header(Some("prev-blk-not-found"), |block, _| {
        block.header.prev_blockhash = BlockHash::from_byte_array([9; 32]);
    });
}

#[test]
fn bodies_are_refused_with_their_reason() {
    check_header(Some("bad-txnmrklroot"), |block, _| block.header.merkle_root = TxMerkleNode::all_zeros());
    check(Some("bad-txnmrklroot"), |block, _| block.txdata.swap(1, 2));
    // Three leaves and three with the last repeated have the same root.
    check_header(Some("bad-txns-duplicate"), |block, _| {
        block.txdata.pop();
        fix_merkle_root(block);
        let last = block.txdata[2].clone();
        block.txdata.push(last);
    });
    check_header(Some("bad-blk-length"), |block, _| {
        block.txdata.clear();
        block.header.merkle_root = TxMerkleNode::all_zeros();
    });
    check_body(Some("bad-blk-length"), |txs, _| {
        let script_pubkey = ScriptBuf::from_bytes(vec![0x6a; 1_000_000]);
        txs[0].output.insert(0, TxOut { value: Amount::ZERO, script_pubkey });
    });
    check_body(Some("bad-blk-weight"), |txs, _| {
        txs[1].input[0].witness = Witness::from_slice(&[vec![0; 4_000_000]]);
    });
    check_body(Some("bad-blk-sigops"), |txs, _| {
        let script_pubkey = ScriptBuf::from_bytes(vec![0xac; 20_001]);
        txs[0].output.insert(0, TxOut { value: Amount::ZERO, script_pubkey });
    });
}

#[test]
fn coinbases_are_refused_with_their_reason() {
    let script = |bytes: usize| {
        move |txs: &mut Vec<Transaction>, _: &Bench| {
            let mut script = txs[0].input[0].script_sig.to_bytes();
            script.resize(bytes, 0);
            txs[0].input[0].script_sig = ScriptBuf::from_bytes(script);
        }
    };
    check_body(Some("bad-cb-missing"), |txs, _| drop(txs.remove(0)));
    check_body(Some("bad-cb-multiple"), |txs, _| txs.push(txs[0].clone()));
    check_body(Some("bad-cb-length"), script(1));
    check_body(Some("bad-cb-length"), script(101));
    check_body(None, script(100));
    check_body(None, script(2)); // the height alone
    check_body(Some("bad-cb-height"), |txs, _| {
        txs[0].input[0].script_sig = ScriptBuf::from_bytes(vec![1, 110, 0, 0]);
    });
    check_body(Some("bad-cb-amount"), |txs, _| txs[0].output[0].value += Amount::from_sat(1));
    check_body(None, |txs, _| txs[0].output[0].value -= Amount::from_sat(1));
    check_body(Some("bad-txns-nonfinal"), |txs, _| txs[0].lock_time = LockTime::from_consensus(111));
}

#[test]
fn witnesses_are_refused_with_their_reason() {
    fn check_coinbase(expected: Option<&str>, break_it: impl FnOnce(&mut Transaction)) {
        check_header(expected, |block, _| {
            break_it(&mut block.txdata[0]);
            fix_merkle_root(block);
        });
    }
    let reserved = |items: &[Vec<u8>]| {
        let witness = Witness::from_slice(items);
        move |coinbase: &mut Transaction| coinbase.input[0].witness = witness
    };
    check_coinbase(Some("bad-witness-nonce-size"), reserved(&[]));
    check_coinbase(Some("bad-witness-nonce-size"), reserved(&[vec![0; 31]]));
    check_coinbase(Some("bad-witness-nonce-size"), reserved(&[vec![0; 32], vec![]]));
    check_coinbase(Some("bad-witness-merkle-match"), reserved(&[vec![1; 32]]));
    check(Some("bad-witness-merkle-match"), |block, _| block.txdata[1].input[0].witness.push([1]));
    check_coinbase(Some("unexpected-witness"), |coinbase| drop(coinbase.output.pop()));
    // Without any witness a block need not commit.
    check_header(None, |block, _| {
        block.txdata[0].output.pop();
        for tx in &mut block.txdata {
            tx.input[0].witness.clear();
        }
        fix_merkle_root(block);
    });
    // Of several commitments the last counts.
    check_coinbase(None, |coinbase| {
        let mut other = coinbase.output[1].clone();
        other.script_pubkey =
            ScriptBuf::from_bytes([&other.script_pubkey.as_bytes()[..6], &[0; 32]].concat());
        coinbase.output.insert(0, other);
    });
}

#[test]
fn spends_are_refused_with_their_reason() {
    let spend_of = |bench: &Bench, height, fee| {
        let (coin, value) = bench.coinbase_coin(height);
        pay(&[coin], &[value.to_sat() - fee])
    };
    check_body(Some("bad-txns-inputs-missingorspent"), |txs, _| {
        txs[1] = pay(&[OutPoint::new(bitcoin::Txid::from_byte_array([1; 32]), 0)], &[1]);
    });
    check_body(Some("bad-txns-inputs-missingorspent"), |txs, bench| {
        txs.push(spend_of(bench, 1, 5)); // spent by the first transaction too
    });
    // At height 111 the coinbase of height 11 is 100 deep.
    check_body(Some("bad-txns-premature-spend-of-coinbase"), |txs, bench| txs.push(spend_of(bench, 12, 5)));
    check_body(None, |txs, bench| txs.push(spend_of(bench, 11, 5)));
    check_body(Some("bad-txns-in-belowout"), |txs, _| txs[1].output[0].value += Amount::from_sat(1_001));
    check_body(Some("bad-txns-inputs-duplicate"), |txs, _| {
        let input = txs[1].input[0].clone();
        txs[1].input.push(input);
    });
    check_body(Some("bad-txns-prevout-null"), |txs, _| {
        txs[1] = pay(&[txs[1].input[0].previous_output, OutPoint::null()], &[1])
    });
    check_body(Some("bad-txns-vin-empty"), |txs, _| txs[1].input.clear());
    check_body(Some("bad-txns-vout-empty"), |txs, _| txs[1].output.clear());
    check_body(Some("bad-txns-vout-toolarge"), |txs, _| {
        txs[1].output[0].value = Amount::MAX_MONEY + Amount::from_sat(1);
    });
    let locked = |lock_time, sequence| {
        move |txs: &mut Vec<Transaction>, _: &Bench| {
            txs[3].lock_time = LockTime::from_consensus(lock_time);
            txs[3].input[0].sequence = Sequence(sequence);
        }
    };
    check_body(Some("bad-txns-nonfinal"), locked(111, 0));
    check_body(None, locked(110, u32::MAX - 1));
    // Relative: the coin is of height 3, so 108 blocks below this one.
    check_body(Some("bad-txns-nonfinal"), locked(0, 109));
    check_body(None, locked(0, 108));
    // A transaction may spend what another one of the block pays, but only after it.
    let chained = |txs: &mut Vec<Transaction>, _: &Bench| {
        let child = pay(&[OutPoint::new(txs[3].compute_txid(), 0)], &[txs[3].output[0].value.to_sat()]);
        txs.push(child);
    };
    check_body(None, chained);
    check_body(Some("bad-txns-inputs-missingorspent"), |txs, bench| {
        chained(txs, bench);
        txs.swap(3, 4);
    });
}

#[test]
fn of_two_faults_the_first_in_cores_order_is_named() {
    check_body(Some("bad-cb-multiple"), |txs, _| {
        txs.push(txs[0].clone());
        txs[1].output.clear();
    });
    check_header(Some("time-too-old"), |block, _| {
        block.header.time = 0;
        block.header.version = Version::from_consensus(1);
    });
    check_header(Some("bad-txnmrklroot"), |block, _| {
        block.header.time = 0;
        block.header.merkle_root = TxMerkleNode::all_zeros();
    });
}

#[test]
fn known_blocks_are_duplicates() {
    let mut bench = Bench::regtest_at(20);
    let good = bench.next_block("good");
    assert_eq!(bench.submit(&good).unwrap(), SubmitOutcome::NewTip);
    assert_eq!(bench.submit(&good).unwrap(), SubmitOutcome::Duplicate);
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    assert_eq!(bench.submit(&genesis).unwrap(), SubmitOutcome::Duplicate);

    let mut bad = bench.next_block("bad");
    bad.txdata[0].output[0].value += Amount::from_sat(1);
    fix_merkle_root(&mut bad);
    solve(&mut bad);
    assert_eq!(bench.submit(&bad).unwrap_err().reason, "bad-cb-amount");
    assert_eq!(bench.submit(&bad).unwrap_err().reason, "duplicate-invalid");
    let mut child = bench.next_block("child");
    child.header.prev_blockhash = bad.block_hash();
    solve(&mut child);
    assert_eq!(bench.submit(&child).unwrap_err().reason, "bad-prevblk");
}

#[test]
fn wrong_witnesses_do_not_spoil_the_header() {
    let mut bench = Bench::regtest_at(5);
    let good = bench.next_block("good");
    let mut stripped = good.clone();
    stripped.txdata[0].input[0].witness.clear();
    assert_eq!(bench.submit(&stripped).unwrap_err().reason, "bad-witness-nonce-size");
    assert_eq!(bench.submit(&good).unwrap(), SubmitOutcome::NewTip);
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
