//! Blocks with one transaction that should not be there.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, Block, OutPoint, Sequence, Transaction, TxOut, Txid, Witness};

use super::bench::{Bench, COIN_SATS, HEIGHT, Kind, anyone, anyones_witness, pay};
use super::judge::Who;
use super::table::{But, Mend, Row, row};

/// Scripts are what the embedded chain leaves out.
const UNEXECUTED: &[But] = &[But {
    judge: Who::Embedded,
    verdict: None,
    why: "it does not execute scripts: who may spend a coin is checked by Core's code alone",
}];

/// A transaction of no inputs has no bytes of its own: they read as the mark of SegWit.
const UNDECODABLE: &[But] = &[
    But {
        judge: Who::Kernel,
        verdict: Some("Block decode failed"),
        why: "no bytes say a transaction without inputs",
    },
    But {
        judge: Who::Rpc,
        verdict: Some("Block decode failed"),
        why: "no bytes say a transaction without inputs",
    },
];

const fn refused(what: &'static str, reason: &'static str, spoil: fn(&mut Block, &Bench)) -> Row {
    row(what, Some(reason), Mend::Commitment, spoil)
}

const fn good(what: &'static str, spoil: fn(&mut Block, &Bench)) -> Row {
    row(what, None, Mend::Commitment, spoil)
}

/// A spend that is right but for its script.
const fn script(what: &'static str, reason: &'static str, spoil: fn(&mut Block, &Bench)) -> Row {
    Row { differs: UNEXECUTED, ..refused(what, reason, spoil) }
}

/// A transaction without witness by a lock of its own.
fn locked(block: &mut Block, lock_time: u32, sequence: u32) {
    block.txdata[3].lock_time = LockTime::from_consensus(lock_time);
    block.txdata[3].input[0].sequence = Sequence(sequence);
}

/// Median time past of the tip.
fn median_time(bench: &Bench) -> u32 {
    bench.block_at(HEIGHT - 5).header.time
}

fn spend_coinbase(bench: &Bench, height: u32) -> Transaction {
    let (coin, sats) = bench.coinbase_coin(height);
    pay(&[coin], &[sats])
}

fn output(sats: u64) -> TxOut {
    TxOut { value: Amount::from_sat(sats), script_pubkey: anyone() }
}

/// Adds a child of the last transaction.
fn with_child(block: &mut Block) {
    let parent = &block.txdata[3];
    let child = pay(&[OutPoint::new(parent.compute_txid(), 0)], &[parent.output[0].value.to_sat()]);
    block.txdata.push(child);
}

pub const ROWS: &[Row] = &[
    refused("missing input", "bad-txns-inputs-missingorspent", |block, _| {
        block.txdata.push(pay(&[OutPoint::new(Txid::from_byte_array([1; 32]), 0)], &[1]));
    }),
    refused("double spend within the block", "bad-txns-inputs-missingorspent", |block, bench| {
        block.txdata.push(spend_coinbase(bench, 2));
    }),
    refused("spend of what an earlier block spent", "bad-txns-inputs-missingorspent", |block, bench| {
        block.txdata.push(spend_coinbase(bench, 1));
    }),
    refused("spend of an output that no one can spend", "bad-txns-inputs-missingorspent", |block, bench| {
        // The commitment of a coinbase.
        let coin = OutPoint::new(bench.block_at(5).txdata[0].compute_txid(), 1);
        block.txdata.push(pay(&[coin], &[0]));
    }),
    refused("spend of an immature coinbase", "bad-txns-premature-spend-of-coinbase", |block, bench| {
        block.txdata.push(spend_coinbase(bench, HEIGHT + 1 - 99));
    }),
    good("spend of a coinbase that is just mature", |block, bench| {
        block.txdata.push(spend_coinbase(bench, HEIGHT + 1 - 100));
    }),
    refused("more paid than spent", "bad-txns-in-belowout", |block, _| {
        block.txdata[1].output[0].value += Amount::from_sat(1_001);
    }),
    refused("the same input twice", "bad-txns-inputs-duplicate", |block, _| {
        let input = block.txdata[1].input[0].clone();
        block.txdata[1].input.push(input);
    }),
    refused("an input of nothing", "bad-txns-prevout-null", |block, _| {
        let mut input = block.txdata[1].input[0].clone();
        input.previous_output = OutPoint::null();
        block.txdata[1].input.push(input);
    }),
    Row {
        differs: UNDECODABLE,
        ..refused("no inputs", "bad-txns-vin-empty", |block, _| block.txdata[1].input.clear())
    },
    refused("no outputs", "bad-txns-vout-empty", |block, _| block.txdata[1].output.clear()),
    refused("output of more money than there is", "bad-txns-vout-toolarge", |block, _| {
        block.txdata[1].output[0].value = Amount::MAX_MONEY + Amount::from_sat(1);
    }),
    refused("negative output", "bad-txns-vout-negative", |block, _| {
        block.txdata[1].output[0].value = Amount::from_sat(u64::MAX);
    }),
    refused("outputs of more money than there is", "bad-txns-txouttotal-toolarge", |block, _| {
        block.txdata[1].output = vec![output(Amount::MAX_MONEY.to_sat()), output(1)];
    }),
    refused("not final by height", "bad-txns-nonfinal", |block, _| locked(block, HEIGHT + 1, 0)),
    good("just final by height", |block, _| locked(block, HEIGHT, u32::MAX - 1)),
    good("not final, and no input says so", |block, _| locked(block, HEIGHT + 1, u32::MAX)),
    refused("not final by time", "bad-txns-nonfinal", |block, bench| locked(block, median_time(bench), 0)),
    good("just final by time", |block, bench| locked(block, median_time(bench) - 1, u32::MAX - 1)),
    // Relative: the coin is of height 4.
    refused("relative lock of blocks", "bad-txns-nonfinal", |block, _| locked(block, 0, HEIGHT + 1 - 4 + 1)),
    good("relative lock of blocks that has just ended", |block, _| locked(block, 0, HEIGHT + 1 - 4)),
    // Counted from the median of the block before the coin's: 600 s a block, units of 512 s.
    refused("relative lock of time", "bad-txns-nonfinal", |block, bench| {
        locked(block, 0, 1 << 22 | ((median_time(bench) - median_before_4(bench)) / 512 + 1));
    }),
    good("relative lock of time that has just ended", |block, bench| {
        locked(block, 0, 1 << 22 | ((median_time(bench) - median_before_4(bench)) / 512));
    }),
    good("relative lock in a transaction of version 1", |block, _| {
        locked(block, 0, HEIGHT);
        block.txdata[3].version = bitcoin::transaction::Version::ONE;
    }),
    good("parent before child", |block, _| with_child(block)),
    refused("child before parent", "bad-txns-inputs-missingorspent", |block, _| {
        with_child(block);
        block.txdata.swap(3, 4);
    }),
    good("coins of every kind that can be spent", |block, bench| {
        for kind in [Kind::Anyone, Kind::Bare, Kind::WitnessSigops, Kind::ScriptSigops] {
            block.txdata.push(bench.spend(kind, 2));
        }
    }),
    refused("too many sigops in witness scripts", "bad-blk-sigops", |block, bench| {
        block.txdata.push(bench.spend(Kind::WitnessSigops, 21));
    }),
    good("as many sigops in witness scripts as may be", |block, bench| {
        block.txdata.push(bench.spend(Kind::WitnessSigops, 20));
    }),
    refused("too many sigops in P2SH scripts", "bad-blk-sigops", |block, bench| {
        block.txdata.push(bench.spend(Kind::ScriptSigops, 6));
    }),
    good("as many sigops in P2SH scripts as may be", |block, bench| {
        block.txdata.push(bench.spend(Kind::ScriptSigops, 5));
    }),
    refused("too many sigops of both kinds", "bad-blk-sigops", |block, bench| {
        block.txdata.push(bench.spend(Kind::ScriptSigops, 4));
        block.txdata.push(bench.spend(Kind::WitnessSigops, 5));
    }),
    script(
        "script that nothing satisfies",
        "block-script-verify-flag-failed (Script evaluated without error but finished with a false/empty top stack element)",
        |block, bench| {
            block.txdata.push(bench.spend(Kind::Nobody, 1));
        },
    ),
    script(
        "no signature",
        "block-script-verify-flag-failed (Script evaluated without error but finished with a false/empty top stack element)",
        |block, bench| {
            block.txdata.push(bench.spend(Kind::Key, 1));
        },
    ),
    script(
        "bad taproot signature",
        "block-script-verify-flag-failed (Invalid Schnorr signature)",
        |block, bench| {
            block.txdata.push(bench.spend(Kind::Taproot, 1));
        },
    ),
    script(
        "script that waits for a height",
        "block-script-verify-flag-failed (Locktime requirement not satisfied)",
        |block, bench| {
            block.txdata.push(bench.spend(Kind::Later, 1));
        },
    ),
    script(
        "no witness for a witness program",
        "block-script-verify-flag-failed (Witness program was passed an empty witness)",
        |block, bench| {
            let mut tx = bench.spend(Kind::Anyone, 1);
            tx.input[0].witness = Witness::new();
            block.txdata.push(tx);
        },
    ),
    script(
        "witness for a script that takes none",
        "block-script-verify-flag-failed (Witness provided for non-witness script)",
        |block, bench| {
            let coins = bench.coins(Kind::Bare);
            block.txdata.push(pay(&coins[..1], &[COIN_SATS]));
        },
    ),
    // A taproot key path takes no script, so this witness is a bad signature.
    script(
        "witness of another kind",
        "block-script-verify-flag-failed (Invalid Schnorr signature size)",
        |block, bench| {
            let mut tx = bench.spend(Kind::Taproot, 1);
            tx.input[0].witness = anyones_witness();
            block.txdata.push(tx);
        },
    ),
];

/// Median time past of the block before height 4.
fn median_before_4(bench: &Bench) -> u32 {
    // Genesis and heights 1 to 3: the third of four.
    bench.block_at(2).header.time
}
