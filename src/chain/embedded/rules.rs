//! What a block must be, before any coin is looked at.
//!
//! Pure functions in the order and with the reject reasons of Bitcoin Core's
//! `validation.cpp`: [`check_block`] is its `CheckBlock`, [`check_header`] its
//! `ContextualCheckBlockHeader`, [`check_in_context`] its
//! `ContextualCheckBlock`. All soft forks up to taproot are active from the
//! first block, as on regtest.
//!
//! Scripts are not executed: who may spend a coin is not checked. Sigops are
//! counted by the `bitcoin` crate.

use bitcoin::block::Header;
use bitcoin::hashes::Hash as _;
use bitcoin::script::Builder;
use bitcoin::{Amount, Block, CompactTarget, VarInt};

use super::params::Params;
use super::transactions::{check_transaction, is_final};
use crate::chain::Refusal;
use crate::hash::{Hash, sha256d_pair};
use crate::units::{Target, Timestamp};

/// Largest block weight (BIP141).
pub(super) const WEIGHT_MAX: usize = 4_000_000;

/// Weight of one byte that is not witness data.
const WITNESS_SCALE: usize = 4;

/// Largest cost of signature operations in a block (BIP141).
pub(super) const SIGOPS_COST_MAX: usize = 80_000;

/// Seconds a header may be ahead of the clock.
const FUTURE_SECONDS_MAX: u64 = 2 * 60 * 60;

/// Blocks between difficulty adjustments.
pub(super) const RETARGET_BLOCKS: u32 = 2016;

/// Seconds that `RETARGET_BLOCKS` should take.
const RETARGET_SECONDS: u32 = 14 * 24 * 60 * 60;

/// Seconds that a block should take.
pub(super) const BLOCK_SECONDS: u32 = 600;

/// The lowest block version since BIP65.
const VERSION_MIN: i32 = 4;

/// How a block's work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its hash meets its target.
    Hashed,
    /// Its finder was drawn by lot; only a mainnet-like chain takes it.
    Drawn,
}

/// The target that `nbits` stands for, unless negative, zero, too large for
/// 256 bits or easier than `limit` (Core's `DeriveTarget`).
pub(super) fn target_of(nbits: u32, limit_nbits: u32) -> Option<Target> {
    let (size, mantissa) = (nbits >> 24, nbits & 0x007f_ffff);
    let value = if size <= 3 { mantissa >> (8 * (3 - size)) } else { mantissa };
    let negative = mantissa != 0 && nbits & 0x0080_0000 != 0;
    let overflow = value != 0 && (size > 34 || (value > 0xff && size > 33) || (value > 0xffff && size > 32));
    if negative || overflow || value == 0 {
        return None;
    }
    let target = Target::from_compact(nbits);
    (target <= Target::from_compact(limit_nbits)).then_some(target)
}

/// The compact form of a target, rounded down (Core's `GetCompact`).
pub(super) fn compact_of(target: Target) -> u32 {
    bitcoin::Target::from_le_bytes(target.to_le_bytes()).to_compact_lossy().to_consensus()
}

/// The target after a period that took `seconds` (Core's `CalculateNextWorkRequired`).
///
/// `seconds` runs from the period's first block to its last: 2015 intervals,
/// not 2016, as on mainnet since 2009.
pub(super) fn next_nbits(nbits: u32, seconds: i64, limit_nbits: u32) -> u32 {
    let low = RETARGET_SECONDS / 4;
    let high = RETARGET_SECONDS * 4;
    let seconds = seconds.clamp(i64::from(low), i64::from(high)) as u64;
    let scaled = scale(Target::from_compact(nbits), seconds, u64::from(RETARGET_SECONDS));
    compact_of(scaled.min(Target::from_compact(limit_nbits)))
}

/// `target * numerator / denominator`, saturating at [`Target::MAX`].
fn scale(target: Target, numerator: u64, denominator: u64) -> Target {
    // Limbs, most significant first, with one more for the carry.
    let mut product = [0u64; 5];
    let mut carry = 0;
    for (limb, bytes) in product[1..].iter_mut().rev().zip(target.to_le_bytes().as_chunks::<8>().0) {
        let wide = u128::from(u64::from_le_bytes(*bytes)) * u128::from(numerator) + carry;
        *limb = wide as u64;
        carry = wide >> 64;
    }
    product[0] = carry as u64;
    let mut remainder = 0u128;
    for limb in &mut product {
        let wide = remainder << 64 | u128::from(*limb);
        *limb = (wide / u128::from(denominator)) as u64;
        remainder = wide % u128::from(denominator);
    }
    if product[0] != 0 {
        return Target::MAX;
    }
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(product[1..].iter().rev()) {
        *chunk = limb.to_le_bytes();
    }
    Target::from_le_bytes(bytes)
}

/// New coins of the block at `height`.
pub(super) fn subsidy(height: u32, halving_interval: u32) -> Amount {
    let halvings = height / halving_interval;
    Amount::from_sat(if halvings >= 64 { 0 } else { (50 * Amount::ONE_BTC.to_sat()) >> halvings })
}

/// Median of the timestamps of the last up to 11 blocks.
pub(super) fn median_time(mut ntimes: Vec<u32>) -> u32 {
    ntimes.sort_unstable();
    ntimes.get(ntimes.len() / 2).copied().unwrap_or_default()
}

/// What can be said of a block by itself. Returns its transaction ids.
pub(super) fn check_block(block: &Block, proof: Proof, params: &Params) -> Result<Vec<Hash>, Refusal> {
    check_proof(&block.header, proof, params)?;

    let txids: Vec<Hash> = block.txdata.iter().map(|tx| tx.compute_txid().to_byte_array()).collect();
    let (root, mutated) = merkle_root(txids.clone());
    if root != block.header.merkle_root.to_byte_array() {
        return Err(Refusal::new(
            "bad-txnmrklroot",
            "the header's merkle root is not that of the transactions",
        ));
    }
    // CVE-2012-2459: repeating transactions at the end can keep the root.
    if mutated {
        return Err(Refusal::new("bad-txns-duplicate", "two equal nodes side by side in the merkle tree"));
    }

    let count = block.txdata.len();
    let base_size = sizes(block).0;
    if count == 0 || count * WITNESS_SCALE > WEIGHT_MAX || base_size * WITNESS_SCALE > WEIGHT_MAX {
        let detail = format!("{count} transactions, {base_size} bytes without witnesses");
        return Err(Refusal::new("bad-blk-length", detail));
    }
    if !block.txdata[0].is_coinbase() {
        return Err(Refusal::new("bad-cb-missing", "the first transaction is not a coinbase"));
    }
    if block.txdata[1..].iter().any(|tx| tx.is_coinbase()) {
        return Err(Refusal::new("bad-cb-multiple", "more than one coinbase"));
    }
    block.txdata.iter().try_for_each(check_transaction)?;
    let sigops: usize = block.txdata.iter().map(|tx| tx.total_sigop_cost(|_| None)).sum();
    if sigops > SIGOPS_COST_MAX {
        return Err(Refusal::new(
            "bad-blk-sigops",
            format!("sigop cost {sigops}, allowed {SIGOPS_COST_MAX}"),
        ));
    }
    Ok(txids)
}

fn check_proof(header: &Header, proof: Proof, params: &Params) -> Result<(), Refusal> {
    let nbits = header.bits.to_consensus();
    let Some(target) = target_of(nbits, params.limit_nbits) else {
        return Err(Refusal::new("high-hash", format!("nbits {nbits:08x} is no target of this chain")));
    };
    if proof == Proof::Drawn && params.allows_drawn_proofs() {
        return Ok(());
    }
    let hash = header.block_hash();
    if !target.is_met_by(&hash.to_byte_array()) {
        return Err(Refusal::new("high-hash", format!("hash {hash} is above target {target}")));
    }
    Ok(())
}

/// What a header must match on its chain.
pub(super) struct HeaderContext {
    /// The previous block's median time past.
    pub median_time: u32,
    /// The target due.
    pub nbits: u32,
    /// The chain's clock.
    pub now: Timestamp,
}

/// Checks a header against the chain it extends.
pub(super) fn check_header(header: &Header, context: &HeaderContext) -> Result<(), Refusal> {
    if header.bits != CompactTarget::from_consensus(context.nbits) {
        let found = header.bits.to_consensus();
        return Err(Refusal::new("bad-diffbits", format!("nbits {found:08x}, due {:08x}", context.nbits)));
    }
    if header.time <= context.median_time {
        let detail = format!("ntime {}, median time past {}", header.time, context.median_time);
        return Err(Refusal::new("time-too-old", detail));
    }
    if u64::from(header.time) > context.now.unix_seconds().saturating_add(FUTURE_SECONDS_MAX) {
        let detail = format!("ntime {}, chain time {}", header.time, context.now.unix_seconds());
        return Err(Refusal::new("time-too-new", detail));
    }
    let version = header.version.to_consensus();
    if version < VERSION_MIN {
        return Err(Refusal {
            reason: format!("bad-version(0x{version:08x})").into(),
            detail: format!("versions below {VERSION_MIN} ended with BIP65"),
        });
    }
    Ok(())
}

/// Checks a whole block against its height and its parent's median time past.
pub(super) fn check_in_context(block: &Block, height: u32, median_time: u32) -> Result<(), Refusal> {
    for tx in &block.txdata {
        if !is_final(tx, height, median_time) {
            let detail = format!("{} has lock time {}", tx.compute_txid(), tx.lock_time);
            return Err(Refusal::new("bad-txns-nonfinal", detail));
        }
    }
    let coinbase = &block.txdata[0];
    let expected = Builder::new().push_int(i64::from(height)).into_bytes();
    if !coinbase.input[0].script_sig.as_bytes().starts_with(&expected) {
        return Err(Refusal::new(
            "bad-cb-height",
            format!("the coinbase does not begin with height {height}"),
        ));
    }
    check_witnesses(block)?;
    let (base_size, total_size) = sizes(block);
    let weight = base_size * (WITNESS_SCALE - 1) + total_size;
    if weight > WEIGHT_MAX {
        return Err(Refusal::new("bad-blk-weight", format!("weight {weight}, allowed {WEIGHT_MAX}")));
    }
    Ok(())
}

/// BIP141: witness data must be committed to (Core's `CheckWitnessMalleation`).
fn check_witnesses(block: &Block) -> Result<(), Refusal> {
    let coinbase = &block.txdata[0];
    let commitment = coinbase.output.iter().rev().find_map(|output| {
        let script = output.script_pubkey.as_bytes();
        script.strip_prefix(&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed])?.first_chunk::<32>()
    });
    let Some(commitment) = commitment else {
        if block.txdata.iter().any(|tx| tx.input.iter().any(|input| !input.witness.is_empty())) {
            return Err(Refusal::new(
                "unexpected-witness",
                "witness data, but no commitment in the coinbase",
            ));
        }
        return Ok(());
    };
    let witness = &coinbase.input[0].witness;
    let reserved: &Hash = match (witness.len(), witness.nth(0).map(<&Hash>::try_from)) {
        (1, Some(Ok(reserved))) => reserved,
        (items, _) => {
            let detail = format!("the coinbase's witness has {items} items; it must be one of 32 bytes");
            return Err(Refusal::new("bad-witness-nonce-size", detail));
        }
    };
    // The coinbase's own witness id counts as zero.
    let others = block.txdata[1..].iter().map(|tx| tx.compute_wtxid().to_byte_array());
    let (root, _) = merkle_root(std::iter::once(Hash::default()).chain(others).collect());
    if sha256d_pair(&root, reserved) != *commitment {
        return Err(Refusal::new("bad-witness-merkle-match", "the coinbase commits to other witness data"));
    }
    Ok(())
}

/// A block's size without and with witness data.
fn sizes(block: &Block) -> (usize, usize) {
    let fixed = Header::SIZE + VarInt::from(block.txdata.len()).size();
    let sum = |size: fn(&bitcoin::Transaction) -> usize| block.txdata.iter().map(size).sum::<usize>();
    (fixed + sum(bitcoin::Transaction::base_size), fixed + sum(bitcoin::Transaction::total_size))
}

/// The merkle root, and whether two equal nodes stood side by side on the way.
fn merkle_root(mut level: Vec<Hash>) -> (Hash, bool) {
    let mut mutated = false;
    while level.len() > 1 {
        mutated |= level.as_chunks::<2>().0.iter().any(|[left, right]| left == right);
        level = level.chunks(2).map(|pair| sha256d_pair(&pair[0], pair.get(1).unwrap_or(&pair[0]))).collect();
    }
    (level.first().copied().unwrap_or_default(), mutated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn retargets_as_mainnet_did() {
        // Height, nbits before, first and last ntime of the period, nbits after.
        fn check(height: u32, before: u32, first: i64, last: i64, after: u32) {
            assert_eq!(next_nbits(before, last - first, 0x1d00_ffff), after, "height {height}");
        }
        // Bitcoin Core's pow_tests.cpp.
        check(32_256, 0x1d00_ffff, 1_261_130_161, 1_262_152_739, 0x1d00_d86a);
        check(2_016, 0x1d00_ffff, 1_231_006_505, 1_233_061_996, 0x1d00_ffff); // the limit
        check(68_544, 0x1c05_a3f4, 1_279_008_237, 1_279_297_671, 0x1c01_68fd); // at most 4 times harder
        check(0, 0x1c38_7f6f, 1_263_163_443, 1_269_211_443, 0x1d00_e1fd); // at most 4 times easier
    }

    proptest! {
        #[test]
        fn retargets_as_the_bitcoin_crate_does(
            mantissa in 0x0001_0000_u32..0x007f_ffff,
            size in 10u32..28,
            seconds in 0i64..10_000_000,
        ) {
            let nbits = size << 24 | mantissa;
            let theirs = CompactTarget::from_next_work_required(
                CompactTarget::from_consensus(nbits),
                seconds as u64,
                &bitcoin::params::MAINNET,
            );
            prop_assert_eq!(next_nbits(nbits, seconds, 0x1d00_ffff), theirs.to_consensus());
        }

        #[test]
        fn no_nbits_panics(nbits: u32) {
            let _ = target_of(nbits, 0x207f_ffff);
        }
    }

    #[test]
    fn easy_targets_scale_without_overflow() {
        assert_eq!(next_nbits(0x207f_ffff, 1 << 40, 0x207f_ffff), 0x207f_ffff);
        assert_eq!(next_nbits(0x207f_ffff, 0, 0x207f_ffff), 0x201f_ffff);
    }

    #[test]
    fn targets_that_no_header_may_claim() {
        fn check(nbits: u32, valid: bool) {
            assert_eq!(target_of(nbits, 0x207f_ffff).is_some(), valid, "{nbits:08x}");
        }
        check(0x207f_ffff, true);
        check(0x1d00_ffff, true);
        check(0x0300_0001, true);
        check(0x2100_7fff, true); // the limit in other words, rounded down
        check(0x2100_ffff, false); // above the limit
        check(0x2080_0001, false); // negative
        check(0x0000_0000, false);
        check(0x0200_00ff, false); // shifted down to zero
        check(0x2201_0000, false); // beyond 256 bits
        check(0xff12_3456, false);
    }

    #[test]
    fn subsidy_halves_and_ends() {
        fn check(height: u32, interval: u32, sats: u64) {
            assert_eq!(subsidy(height, interval).to_sat(), sats, "height {height}");
        }
        check(149, 150, 5_000_000_000);
        check(150, 150, 2_500_000_000);
        check(839_999, 210_000, 625_000_000);
        check(840_000, 210_000, 312_500_000);
        check(33 * 150, 150, 0);
        check(u32::MAX, 150, 0);
    }

    #[test]
    fn median_is_of_what_there_is() {
        assert_eq!(median_time(vec![5]), 5);
        assert_eq!(median_time(vec![9, 1]), 9);
        assert_eq!(median_time(vec![3, 1, 2]), 2);
        assert_eq!(median_time((1..=11).rev().collect()), 6);
    }
}
