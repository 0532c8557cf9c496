//! The block that can be mined on a tip before its transactions are known.
//!
//! From the tip's header and the template before it follows all of the next
//! block but its transactions: height, subsidy, lowest time, and the target,
//! except where rules change it. With mainnet's mempool a node takes some hundred
//! milliseconds to choose transactions, check and send them; a header is there
//! within one.

use bitcoin::{Amount, Network};

use crate::block::Template;
use crate::chain::Tip;

/// Blocks between changes of the target, and of the version bits (BIP9).
const PERIOD: u32 = 2_016;

/// An empty block on `tip`, whose last eleven blocks have the median time
/// `median_time`, at `now`; `before` is any earlier template of the chain.
///
/// `None` where target or version may change: at the beginning of a period, and
/// on test networks, where the target depends on the time of each block.
#[must_use]
pub fn empty_template(
    tip: &Tip,
    median_time: u32,
    before: &Template,
    network: Network,
    now: u32,
) -> Option<Template> {
    let height = tip.height.checked_add(1)?;
    let halving = match network {
        Network::Bitcoin | Network::Signet => 210_000,
        Network::Regtest => 150,
        _ => return None,
    };
    if height.is_multiple_of(PERIOD) {
        return None;
    }
    let ntime_min = median_time.saturating_add(1);
    Some(Template {
        height,
        prev_hash: tip.hash,
        version: before.version,
        nbits: tip.nbits,
        ntime_min,
        ntime: now.max(ntime_min),
        coinbase_value: Amount::from_sat((50 * 100_000_000_u64).checked_shr(height / halving).unwrap_or(0)),
        transactions: [].into(),
        limits: before.limits,
        segwit: before.segwit,
        demands: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Limits;

    fn before() -> Template {
        Template {
            height: 1,
            prev_hash: [0; 32],
            version: 0x2000_0000,
            nbits: 0x207f_ffff,
            ntime_min: 1,
            ntime: 1,
            coinbase_value: Amount::ZERO,
            transactions: [].into(),
            limits: Limits::CONSENSUS,
            segwit: true,
            demands: None,
        }
    }

    #[test]
    fn subsidy_and_time_follow_from_the_tip() {
        let check = |network, height, sats: u64| {
            let tip = Tip { height: height - 1, hash: [9; 32], ntime: 500, nbits: 0x1703_4219 };
            let template = empty_template(&tip, 400, &before(), network, 600).unwrap();
            assert_eq!((template.height, template.prev_hash, template.nbits), (height, [9; 32], 0x1703_4219));
            assert_eq!((template.ntime_min, template.ntime), (401, 600));
            assert_eq!(template.coinbase_value.to_sat(), sats, "{network} {height}");
            assert_eq!(empty_template(&tip, 700, &before(), network, 600).unwrap().ntime, 701);
        };
        check(Network::Regtest, 149, 5_000_000_000);
        check(Network::Regtest, 150, 2_500_000_000);
        check(Network::Regtest, 150 * 64, 0);
        check(Network::Bitcoin, 209_999, 5_000_000_000);
        check(Network::Bitcoin, 840_001, 312_500_000);
        check(Network::Signet, 210_000, 2_500_000_000);
    }

    #[test]
    fn nothing_is_guessed() {
        let check = |network, height: u32| {
            let tip = Tip { height: height - 1, hash: [9; 32], ntime: 500, nbits: 0x1703_4219 };
            assert_eq!(empty_template(&tip, 400, &before(), network, 600), None, "{network} {height}");
        };
        check(Network::Bitcoin, 2_016 * 417);
        check(Network::Testnet4, 5);
        check(Network::Testnet, 5);
    }
}
