//! Random blocks on random branches: whatever they are, two judges say the same of them.
//!
//! A walk is a list of plans. Each becomes a block upon one of the last few,
//! whether those were accepted or not, with transactions that spend what the
//! embedded chain has at its tip: coins of several kinds, immature ones now and
//! then, and each other's. On a branch they may be missing. Some blocks are
//! broken on purpose.

use std::collections::BTreeMap;

use adit::chain::embedded::Coin;
use adit::hash::Hash;
use bitcoin::hashes::Hash as _;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness, absolute,
    transaction,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::bench::{Bench, HEIGHT, Kind, fix_commitment, fix_merkle_root, solve};
use super::judge::{Embedded, Judge, Rpc};

/// How far back a block's parent may lie.
const BACK_MAX: usize = 4;

/// Kinds that have what satisfies them.
const SPENDABLE: [Kind; 4] = [Kind::Anyone, Kind::Bare, Kind::WitnessSigops, Kind::ScriptSigops];

/// A transaction to be.
#[derive(Debug, Clone)]
struct Spend {
    coins: Vec<Index>,
    outputs: Vec<Index>,
    fee: u64,
    lock_time: u32,
    sequence: u32,
    /// Whether coins may be immature.
    hasty: bool,
}

/// What is broken on purpose.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Nothing,
    Amount(i64),
    Height,
    Order,
    Commitment,
    Reserved,
    Repeat,
    Root,
    Time(i32),
}

/// A block to be.
#[derive(Debug, Clone)]
struct Plan {
    back: usize,
    spends: Vec<Spend>,
    fault: Fault,
}

fn spend() -> impl Strategy<Value = Spend> {
    (
        prop::collection::vec(any::<Index>(), 1..4),
        prop::collection::vec(any::<Index>(), 1..4),
        0..5_000u64,
        prop_oneof![6 => Just(0), 1 => HEIGHT - 2..HEIGHT + 30],
        prop_oneof![4 => Just(u32::MAX), 1 => Just(0), 2 => 0..20u32, 1 => (0..3u32).prop_map(|units| 1 << 22 | units)],
        prop::bool::weighted(0.05),
    )
        .prop_map(|(coins, outputs, fee, lock_time, sequence, hasty)| Spend {
            coins,
            outputs,
            fee,
            lock_time,
            sequence,
            hasty,
        })
}

/// Plans for a walk.
fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let fault = prop_oneof![
        16 => Just(Fault::Nothing),
        2 => (-2..3i64).prop_map(Fault::Amount),
        1 => Just(Fault::Height),
        1 => Just(Fault::Order),
        1 => Just(Fault::Commitment),
        1 => Just(Fault::Reserved),
        1 => Just(Fault::Repeat),
        1 => Just(Fault::Root),
        1 => (-4_000..60i32).prop_map(Fault::Time),
    ];
    // Mostly on, so that chains grow.
    let back = prop_oneof![12 => Just(0), 5 => 0..BACK_MAX];
    let plan = (back, prop::collection::vec(spend(), 0..5), fault).prop_map(|(back, spends, fault)| Plan {
        back,
        spends,
        fault,
    });
    prop::collection::vec(plan, 1..30)
}

impl Spend {
    /// The transaction, from coins with their sats; `None` when there are none.
    fn transaction(&self, coins: &mut Vec<(OutPoint, Kind, u64)>) -> Option<(Transaction, u64)> {
        let mut input = Vec::new();
        let mut sats = 0;
        for index in &self.coins {
            if coins.is_empty() {
                break;
            }
            let (previous_output, kind, value) = coins.swap_remove(index.index(coins.len()));
            let (script_sig, witness) = kind.unlock();
            input.push(TxIn { previous_output, script_sig, sequence: Sequence(self.sequence), witness });
            sats += value;
        }
        let paid = sats.checked_sub(self.fee).filter(|_| !input.is_empty())?;
        let each = paid / self.outputs.len() as u64;
        let kinds: Vec<Kind> = self.outputs.iter().map(|kind| *kind.get(&SPENDABLE)).collect();
        let output = |kind: &Kind| TxOut { value: Amount::from_sat(each), script_pubkey: kind.script() };
        let tx = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::from_consensus(self.lock_time),
            input,
            output: kinds.iter().map(output).collect(),
        };
        let id = tx.compute_txid();
        coins.extend(kinds.iter().zip(0..).map(|(kind, vout)| (OutPoint::new(id, vout), *kind, each)));
        Some((tx, sats - each * kinds.len() as u64))
    }
}

/// Walks along, and tells all verdicts there were; `name` makes its blocks differ from another's.
fn walk(
    bench: &Bench,
    name: &str,
    plans: &[Plan],
    ours: &mut Embedded,
    other: &mut dyn Judge,
) -> Result<Vec<Option<String>>, TestCaseError> {
    let mut blocks = vec![(bench.block_at(HEIGHT).clone(), HEIGHT)];
    let mut verdicts = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        let (parent, height) = &blocks[blocks.len() - 1 - plan.back.min(blocks.len() - 1)];
        let height = height + 1;
        let block = plan.block(bench, parent, height, &format!("{name} {number}"), ours);
        let [ours_says, other_says] = [ours.judge(&block), other.judge(&block)];
        prop_assert_eq!(&ours_says, &other_says, "block {} upon height {}", number, height - 1);
        prop_assert_eq!(ours.tip(), other.tip(), "tip after block {}", number);
        // Of a block whose witnesses alone are wrong Core keeps the header, for another body
        // may fit it, and takes children. Here there is no header without a body.
        if !ours_says.as_ref().is_some_and(|reason| reason.contains("witness")) {
            blocks.push((block, height));
        }
        verdicts.push(ours_says);
    }
    Ok(verdicts)
}

impl Plan {
    fn block(&self, bench: &Bench, parent: &Block, height: u32, tag: &str, ours: &Embedded) -> Block {
        let mut block = bench.good_upon(parent, height, tag);
        let next = ours.chain.tip().height + 1;
        let mature = |coin: &Coin| !coin.coinbase || coin.height + 100 <= next;
        let scripts: BTreeMap<ScriptBuf, Kind> =
            SPENDABLE.into_iter().map(|kind| (kind.script(), kind)).collect();
        let of_kind = |(outpoint, coin): (&OutPoint, &Coin)| {
            let kind = scripts.get(&coin.output.script_pubkey)?;
            Some((*outpoint, *kind, coin.output.value.to_sat(), mature(coin)))
        };
        let (mut coins, mut immature) = (Vec::new(), Vec::new());
        for (outpoint, kind, sats, is_mature) in ours.chain.coins().filter_map(of_kind) {
            if is_mature { &mut coins } else { &mut immature }.push((outpoint, kind, sats));
        }
        let mut fees = 0;
        for spend in &self.spends {
            let from = if spend.hasty { &mut immature } else { &mut coins };
            if let Some((tx, fee)) = spend.transaction(from) {
                block.txdata.push(tx);
                fees += fee;
            }
        }
        let subsidy = (50 * 100_000_000) >> (height / 150);
        block.txdata[0].output[0].value = Amount::from_sat(subsidy + fees);
        fix_commitment(&mut block);
        fix_merkle_root(&mut block);
        self.fault.commit(&mut block);
        solve(&mut block);
        block
    }
}

impl Fault {
    fn commit(self, block: &mut Block) {
        let coinbase = &mut block.txdata[0];
        match self {
            Self::Nothing => {}
            Self::Amount(more) => {
                let value = &mut coinbase.output[0].value;
                *value = Amount::from_sat(value.to_sat().checked_add_signed(more).unwrap());
                fix_merkle_root(block);
            }
            Self::Height => {
                let script = Builder::new().push_int(HEIGHT.into()).push_slice([0; 4]).into_script();
                coinbase.input[0].script_sig = script;
                fix_merkle_root(block);
            }
            Self::Order => {
                block.txdata[1..].reverse();
                fix_commitment(block);
                fix_merkle_root(block);
            }
            Self::Commitment => {
                coinbase.output.pop();
                fix_merkle_root(block);
            }
            Self::Reserved => coinbase.input[0].witness = Witness::from_slice(&[[1; 32]]),
            Self::Repeat => block.txdata.extend(block.txdata.last().cloned()),
            Self::Root => block.header.merkle_root = TxMerkleNode::from_byte_array(Hash::default()),
            Self::Time(later) => block.header.time = block.header.time.checked_add_signed(later).unwrap(),
        }
    }
}

#[test]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
fn the_embedded_chain_and_bitcoin_core_agree_on_walks() {
    let bench = Bench::new();
    let mut core = Rpc::new(&bench);
    let mut runner = TestRunner::deterministic();
    for number in 0..12 {
        let plans = plans().new_tree(&mut runner).unwrap().current();
        walk(&bench, &number.to_string(), &plans, &mut Embedded::new(&bench), &mut core).unwrap();
        core.reset(&bench);
    }
}

#[cfg(feature = "kernel")]
#[test]
fn the_embedded_chain_and_cores_code_agree_on_any_walk() {
    use super::judge::InProcess;

    let bench = Bench::new();
    let seen = std::cell::RefCell::new(BTreeMap::<Option<String>, u32>::new());
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 64, ..ProptestConfig::with_source_file(file!()) });
    let outcome = runner.run(&plans(), |plans| {
        let verdicts = walk(&bench, "walk", &plans, &mut Embedded::new(&bench), &mut InProcess::new(&bench))?;
        for verdict in verdicts {
            *seen.borrow_mut().entry(verdict).or_default() += 1;
        }
        Ok(())
    });
    let seen = seen.into_inner();
    println!("{seen:?}");
    outcome.unwrap();
    for verdict in [None, Some("inconclusive"), Some("bad-cb-amount"), Some("bad-txns-inputs-missingorspent")]
    {
        assert!(seen.contains_key(&verdict.map(str::to_owned)), "no walk came upon {verdict:?}");
    }
}
