//! What a transaction must be, by itself and against the coins it spends.
//!
//! Core's `CheckTransaction`, `IsFinalTx`, `CheckTxInputs` and BIP68 sequence
//! locks, with their reject reasons. Used for blocks and for submitted
//! transactions alike. Invariant: after [`check_transaction`] no sum over the
//! outputs can overflow.

use bitcoin::absolute::LOCK_TIME_THRESHOLD;
use bitcoin::{Amount, Sequence, Transaction};

use super::coins::Coin;
use super::rules::WEIGHT_MAX;
use crate::chain::Refusal;

/// Bounds of a coinbase scriptSig.
const COINBASE_SCRIPT_BYTES: std::ops::RangeInclusive<usize> = 2..=100;

/// BIP68: the input's sequence is no relative lock.
const SEQUENCE_DISABLED: u32 = 1 << 31;
/// BIP68: the lock counts time, not blocks.
const SEQUENCE_IS_TIME: u32 = 1 << 22;
/// BIP68: the lock's value.
const SEQUENCE_VALUE: u32 = 0xffff;
/// BIP68: seconds per unit of a time lock, as a shift.
const SEQUENCE_TIME_SHIFT: u32 = 9;

/// What can be said of a transaction by itself.
pub(super) fn check_transaction(tx: &Transaction) -> Result<(), Refusal> {
    let refuse = |reason| Err(Refusal::new(reason, format!("transaction {}", tx.compute_txid())));
    if tx.input.is_empty() {
        return refuse("bad-txns-vin-empty");
    }
    if tx.output.is_empty() {
        return refuse("bad-txns-vout-empty");
    }
    if tx.base_size() * 4 > WEIGHT_MAX {
        return refuse("bad-txns-oversize");
    }
    let mut total = Amount::ZERO;
    for output in &tx.output {
        if output.value.to_sat() > i64::MAX as u64 {
            return refuse("bad-txns-vout-negative"); // Core's amounts are signed
        }
        if output.value > Amount::MAX_MONEY {
            return refuse("bad-txns-vout-toolarge");
        }
        total += output.value;
        if total > Amount::MAX_MONEY {
            return refuse("bad-txns-txouttotal-toolarge");
        }
    }
    let mut spent: Vec<_> = tx.input.iter().map(|input| input.previous_output).collect();
    spent.sort_unstable();
    if spent.windows(2).any(|pair| pair[0] == pair[1]) {
        return refuse("bad-txns-inputs-duplicate");
    }
    if tx.is_coinbase() {
        if !COINBASE_SCRIPT_BYTES.contains(&tx.input[0].script_sig.len()) {
            return refuse("bad-cb-length");
        }
    } else if spent.iter().any(|outpoint| outpoint.is_null()) {
        return refuse("bad-txns-prevout-null");
    }
    Ok(())
}

/// Whether the lock time lets `tx` into the block at `height` (BIP113).
pub(super) fn is_final(tx: &Transaction, height: u32, median_time: u32) -> bool {
    let lock_time = tx.lock_time.to_consensus_u32();
    let reached = if lock_time < LOCK_TIME_THRESHOLD { height } else { median_time };
    lock_time == 0 || lock_time < reached || tx.input.iter().all(|input| input.sequence == Sequence::MAX)
}

/// Where a transaction is to be spent.
pub(super) struct SpendContext<'a> {
    /// Height of the block it goes into.
    pub height: u32,
    /// Median time past of the block before that.
    pub median_time: u32,
    /// Confirmations a coinbase needs.
    pub coinbase_maturity: u32,
    /// Median time past of the block at a height of this chain.
    pub median_time_at: &'a dyn Fn(u32) -> u32,
}

/// Checks a transaction against the coins of its inputs, in their order.
/// Returns the fee.
pub(super) fn check_spends(
    tx: &Transaction,
    coins: &[Coin],
    context: &SpendContext,
) -> Result<Amount, Refusal> {
    let refuse = |reason, detail: String| {
        Err(Refusal::new(reason, format!("transaction {}{detail}", tx.compute_txid())))
    };
    let mut value_in = Amount::ZERO;
    for coin in coins {
        let depth = context.height.saturating_sub(coin.height);
        if coin.coinbase && depth < context.coinbase_maturity {
            return refuse(
                "bad-txns-premature-spend-of-coinbase",
                format!(" spends a coinbase at depth {depth}"),
            );
        }
        // Every coin is an output that was checked, so the sum cannot overflow.
        value_in += coin.output.value;
        if value_in > Amount::MAX_MONEY {
            return refuse("bad-txns-inputvalues-outofrange", String::new());
        }
    }
    let value_out: Amount = tx.output.iter().map(|output| output.value).sum();
    if value_in < value_out {
        return refuse("bad-txns-in-belowout", format!(" spends {value_in} and pays {value_out}"));
    }
    if !sequence_locks_met(tx, coins, context) {
        return refuse("bad-txns-nonfinal", " has a relative lock".to_owned());
    }
    Ok(value_in - value_out)
}

/// BIP68: whether all inputs are old enough.
fn sequence_locks_met(tx: &Transaction, coins: &[Coin], context: &SpendContext) -> bool {
    if (tx.version.0 as u32) < 2 {
        return true;
    }
    tx.input.iter().zip(coins).all(|(input, coin)| {
        let sequence = input.sequence.to_consensus_u32();
        let value = sequence & SEQUENCE_VALUE;
        if sequence & SEQUENCE_DISABLED != 0 {
            true
        } else if sequence & SEQUENCE_IS_TIME != 0 {
            // Counted from the block before the coin's (BIP68).
            let from = (context.median_time_at)(coin.height.saturating_sub(1));
            u64::from(from) + (u64::from(value) << SEQUENCE_TIME_SHIFT) <= u64::from(context.median_time)
        } else {
            u64::from(coin.height) + u64::from(value) <= u64::from(context.height)
        }
    })
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash as _;
    use bitcoin::{OutPoint, ScriptBuf, TxIn, TxOut, Txid, Witness, absolute, transaction};

    use super::*;

    fn transaction(lock_time: u32, sequence: u32, output: u64) -> Transaction {
        let previous_output = OutPoint::new(Txid::from_byte_array([1; 32]), 0);
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::from_consensus(lock_time),
            input: vec![TxIn {
                previous_output,
                script_sig: ScriptBuf::new(),
                sequence: Sequence(sequence),
                witness: Witness::new(),
            }],
            output: vec![TxOut { value: Amount::from_sat(output), script_pubkey: ScriptBuf::new() }],
        }
    }

    #[test]
    fn lock_times_end_one_block_later() {
        fn check(lock_time: u32, sequence: u32, is: bool) {
            assert_eq!(is_final(&transaction(lock_time, sequence, 1), 100, 1_600_000_000), is, "{lock_time}");
        }
        check(0, 0, true);
        check(99, 0, true);
        check(100, 0, false);
        check(100, u32::MAX, true);
        check(1_599_999_999, 0, true);
        check(1_600_000_000, 0, false);
    }

    #[test]
    fn relative_locks_count_from_the_coin() {
        // A coin of height 90; height 89 had median time 10,000; now height 100, median time 20,240.
        fn check(sequence: u32, version: i32, met: bool) {
            let mut tx = transaction(0, sequence, 1);
            tx.version = transaction::Version(version);
            let output = TxOut { value: Amount::from_sat(1), script_pubkey: ScriptBuf::new() };
            let coins = [Coin { output, height: 90, coinbase: false }];
            let median_time_at = |height| u32::from(height == 89) * 10_000;
            let context = SpendContext {
                height: 100,
                median_time: 20_240,
                coinbase_maturity: 100,
                median_time_at: &median_time_at,
            };
            let expected = if met { None } else { Some("bad-txns-nonfinal".into()) };
            assert_eq!(check_spends(&tx, &coins, &context).err().map(|refusal| refusal.reason), expected);
        }
        check(10, 2, true);
        check(11, 2, false);
        check(11, 1, true);
        check(11, -1, false); // versions are unsigned here
        check(11 | 1 << 31, 2, true);
        check(20 | 1 << 22, 2, true); // 20 * 512 = 10,240 seconds
        check(21 | 1 << 22, 2, false);
    }

    #[test]
    fn money_stays_in_range() {
        fn check(values: &[u64], reason: Option<&str>) {
            let mut tx = transaction(0, 0, 0);
            let output =
                |value: &u64| TxOut { value: Amount::from_sat(*value), script_pubkey: ScriptBuf::new() };
            tx.output = values.iter().map(output).collect();
            let found = check_transaction(&tx).err().map(|refusal| refusal.reason);
            assert_eq!(found.as_deref(), reason);
        }
        let most = Amount::MAX_MONEY.to_sat();
        check(&[most], None);
        check(&[most + 1], Some("bad-txns-vout-toolarge"));
        check(&[u64::MAX], Some("bad-txns-vout-negative"));
        check(&[most, 1], Some("bad-txns-txouttotal-toolarge"));
        check(&[], Some("bad-txns-vout-empty"));
    }
}
