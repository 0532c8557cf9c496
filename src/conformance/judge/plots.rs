//! The data of a case's pictures.

use super::timing::all_switches;
use super::view::View;
use super::{Context, Window};
use crate::conformance::log::Log;
use crate::conformance::result::Plots;
use crate::units::{Hashrate, Seconds};

/// Shares and switches of a case.
#[must_use]
pub(in crate::conformance) fn plots(log: &Log) -> Plots {
    // Nothing in the pictures depends on the hashrate.
    let context = Context { hashrate: Hashrate::new(1.0).expect("one is above zero"), claimed: false };
    let view = View::of(log, &context);
    let whole = Window::default();
    let windows = view.windows(&whole, Seconds(0.0));
    let Some(began) = log.records.first().map(|record| record.at) else { return Plots::default() };
    let mut plots = Plots { version_bits: vec![0; 32], ..Plots::default() };
    for share in &view.shares {
        if let Some(nonce) = share.facts.nonce {
            plots.nonces.push((share.at.since(began).0, nonce));
        }
        plots.u.extend(share.facts.u());
        for (bit, count) in plots.version_bits.iter_mut().enumerate() {
            *count += share.facts.version_bits.unwrap_or(0) >> bit & 1;
        }
    }
    plots.gaps = view.shares.windows(2).map(|pair| pair[1].at.since(pair[0].at).0).collect();
    plots.switches = all_switches(&view, &windows).into_iter().map(|switch| switch.last_old).collect();
    plots
}
