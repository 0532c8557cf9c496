//! A template as the mining interface gives it, made into ours.
//!
//! The interface does not tell the lowest time of the next block. The template's
//! own is never below it, so that is taken. Limits are those of consensus.

use std::sync::Arc;

use bitcoin::consensus::encode::deserialize;
use bitcoin::hashes::Hash as _;
use bitcoin::script::Builder;
use bitcoin::{Amount, Block, Transaction, TxOut};

use super::client::{CoinbaseFields, Offer};
use crate::block::{
    CoinbaseDemands, Limits, Template, TemplateTransaction, commitment_script, witness_commitment,
};

/// Version bits that miners roll (BIP320).
const ROLLED: u32 = 0x1fff_e000;

/// Heights from here on would read as times in a lock time.
const HEIGHT_MAX: u32 = 500_000_000;

/// Reads what the node offers: some 10 ms for a full block.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn decode(offer: &Offer) -> Result<Template, String> {
    let Block { header, txdata } = deserialize(&offer.block).map_err(|error| format!("no block: {error}"))?;
    let others = txdata.len().saturating_sub(1);
    if offer.fees.len() != others || offer.sigops.len() != others {
        let (fees, sigops) = (offer.fees.len(), offer.sigops.len());
        return Err(format!("{fees} fees and {sigops} counts of sigops for {others} transactions"));
    }
    let entry = |(transaction, (fee, sigops)): (Transaction, (&i64, &i64))| {
        let mut entry = TemplateTransaction::new(transaction, Amount::from_sat(unsigned(*fee)?));
        entry.sigops = unsigned(*sigops)?;
        Ok(entry)
    };
    let figures = offer.fees.iter().zip(&offer.sigops);
    let transactions: Arc<[TemplateTransaction]> =
        txdata.into_iter().skip(1).zip(figures).map(entry).collect::<Result<_, String>>()?;
    let height = height(&offer.coinbase.script_sig_prefix)?;
    Ok(Template {
        height,
        prev_hash: header.prev_blockhash.to_byte_array(),
        version: header.version.to_consensus() as u32 & !ROLLED,
        nbits: header.bits.to_consensus(),
        ntime_min: header.time,
        ntime: header.time,
        coinbase_value: value(&offer.coinbase)?,
        limits: Limits::CONSENSUS,
        segwit: offer.coinbase.witness.is_some(),
        demands: demands(&offer.coinbase, height, &transactions)?,
        transactions,
    })
}

fn unsigned(number: i64) -> Result<u64, String> {
    u64::try_from(number).map_err(|_| format!("{number} where nothing can be negative"))
}

/// The height that a scriptSig begins with (BIP34), if that is all of it.
fn height(script_sig: &[u8]) -> Result<u32, String> {
    let wrong = || format!("a coinbase that begins with {script_sig:02x?}, not with a height alone");
    let height = match script_sig {
        [op @ 0x51..=0x60] => u32::from(op - 0x50),
        [length, bytes @ ..] if usize::from(*length) == bytes.len() && bytes.len() <= 4 => {
            let mut number = [0; 4];
            number[..bytes.len()].copy_from_slice(bytes);
            u32::from_le_bytes(number)
        }
        _ => return Err(wrong()),
    };
    let is_ours = Builder::new().push_int(i64::from(height)).as_bytes() == script_sig;
    if is_ours && (1..HEIGHT_MAX).contains(&height) { Ok(height) } else { Err(wrong()) }
}

/// All that the coinbase may pay, with what it has to pay.
fn value(coinbase: &CoinbaseFields) -> Result<Amount, String> {
    let remaining = Amount::from_sat(unsigned(coinbase.value)?);
    let sum = coinbase.outputs.iter().try_fold(remaining, |sum, output| sum.checked_add(output.value));
    sum.filter(|sum| *sum <= Amount::MAX_MONEY)
        .ok_or_else(|| format!("a coinbase worth {remaining} and more"))
}

/// What the node wants of the coinbase that ours would not have by itself.
///
/// Outputs are copied, but for the commitment to witnesses: it is made anew should
/// transactions be left out, so it has to be one that we can make.
fn demands(
    coinbase: &CoinbaseFields,
    height: u32,
    transactions: &[TemplateTransaction],
) -> Result<Option<Arc<CoinbaseDemands>>, String> {
    let mut outputs = coinbase.outputs.clone();
    if let Some(reserved) = &coinbase.witness {
        let wtxids: Vec<_> = transactions.iter().map(|entry| entry.wtxid).collect();
        let script_pubkey = commitment_script(witness_commitment(&wtxids, reserved));
        let commitment = TxOut { value: Amount::ZERO, script_pubkey };
        let at = outputs.iter().position(|output| *output == commitment);
        outputs.remove(at.ok_or("a commitment to witnesses that is not BIP141's")?);
    }
    let demands = CoinbaseDemands {
        height,
        version: coinbase.version as i32,
        sequence: coinbase.sequence,
        lock_time: coinbase.lock_time,
        reserved: coinbase.witness.unwrap_or_default(),
        outputs,
    };
    Ok((demands != CoinbaseDemands::usual(height)).then(|| Arc::new(demands)))
}

#[cfg(test)]
mod tests {
    use bitcoin::consensus::encode::serialize;
    use bitcoin::{ScriptBuf, block, constants};

    use super::*;

    /// The template of block 17 of a regtest chain, with these differences.
    fn offer(change: impl Fn(&mut CoinbaseFields)) -> Offer {
        let mut block = constants::genesis_block(bitcoin::Network::Regtest);
        block.header.version = block::Version::from_consensus(0x3fff_e000);
        let commitment = commitment_script(witness_commitment(&[], &[0; 32]));
        let mut coinbase = CoinbaseFields {
            version: 2,
            sequence: 0xffff_fffe,
            lock_time: 16,
            script_sig_prefix: vec![1, 17],
            witness: Some([0; 32]),
            value: 5_000_000_000,
            outputs: vec![TxOut { value: Amount::ZERO, script_pubkey: commitment }],
        };
        change(&mut coinbase);
        Offer { block: serialize(&block), fees: vec![], sigops: vec![], coinbase }
    }

    #[test]
    fn a_usual_coinbase_has_no_demands() {
        let template = decode(&offer(|_| {})).unwrap();
        assert_eq!((template.height, template.version, template.segwit), (17, 0x2000_0000, true));
        assert_eq!((template.ntime_min, template.coinbase_value.to_sat()), (1_296_688_602, 5_000_000_000));
        assert_eq!(template.demands, None);
    }

    #[test]
    fn demands_are_copied() {
        let extra = TxOut { value: Amount::from_sat(7), script_pubkey: ScriptBuf::from_bytes(vec![0x6a]) };
        let template = decode(&offer(|coinbase| {
            coinbase.outputs.insert(0, extra.clone());
            coinbase.lock_time = 5;
        }))
        .unwrap();
        let demands = template.demands.unwrap();
        assert_eq!(
            (demands.lock_time, demands.sequence, &demands.outputs[..]),
            (5, 0xffff_fffe, &[extra][..])
        );
        assert_eq!(template.coinbase_value.to_sat(), 5_000_000_007);
    }

    #[test]
    fn what_cannot_be_mined_on_is_refused() {
        fn check(change: impl Fn(&mut CoinbaseFields), words: &str) {
            let error = decode(&offer(change)).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        check(|coinbase| coinbase.script_sig_prefix = vec![1, 17, 1, 1], "not with a height alone");
        check(|coinbase| coinbase.script_sig_prefix = vec![2, 17, 0], "not with a height alone");
        check(|coinbase| coinbase.script_sig_prefix = vec![], "not with a height alone");
        check(|coinbase| coinbase.outputs.clear(), "BIP141");
        check(|coinbase| coinbase.value = -1, "negative");
        let mut unfit = offer(|_| {});
        unfit.fees.push(1);
        assert!(decode(&unfit).unwrap_err().contains("1 fees"));
        unfit.block.pop();
        assert!(decode(&unfit).unwrap_err().contains("no block"));
    }
}
