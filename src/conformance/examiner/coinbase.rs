//! Coinbases of any shape a case asks for.
//!
//! Where a real pool could build it, `block` does. Beyond that (extranonce in
//! an output, script longer than consensus allows) it is put together here:
//! no network will ever see it, and a miner hashes it all the same.

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, ScriptBuf, WPubkeyHash};

use crate::block::{Coinbase, CoinbaseSpec};
use crate::conformance::terms::ExtranoncePlace;
use crate::hash::Hash;

/// Subsidy and fees of a block today, about.
const VALUE_SATS: u64 = 315_000_000;

/// Value and length field of an output with a script up to 252 bytes.
const OUTPUT_OVERHEAD: usize = 9;

/// What a coinbase should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    /// Where the extranonce stands.
    pub place: ExtranoncePlace,
    /// Bytes of both parts of it.
    pub extranonce_bytes: usize,
    /// Bytes of the whole.
    pub bytes: usize,
    /// BIP34 height.
    pub height: u32,
    /// Makes it different from others.
    pub salt: Hash,
}

/// The coinbase before and after the extranonce. It is longer than asked for
/// only where it cannot be that short.
pub(super) fn build(shape: &Shape) -> (Vec<u8>, Vec<u8>) {
    let payee = WPubkeyHash::from_slice(&shape.salt[..20]).expect("20 bytes are a hash");
    let payee = ScriptBuf::new_p2wpkh(&payee);
    if shape.place == ExtranoncePlace::ScriptSig {
        let spec = CoinbaseSpec {
            payees: vec![(payee.clone(), 1)],
            tag: "adit".into(),
            extranonce_bytes: shape.extranonce_bytes,
            length: Some(shape.bytes),
        };
        if let Ok(coinbase) =
            Coinbase::build(&spec, shape.height, Amount::from_sat(VALUE_SATS), Some(shape.salt))
        {
            return (coinbase.prefix, coinbase.suffix);
        }
    }
    by_hand(shape, &payee)
}

fn by_hand(shape: &Shape, payee: &ScriptBuf) -> (Vec<u8>, Vec<u8>) {
    let bare = put_together(shape, payee, 0, 0);
    let missing = shape.bytes.saturating_sub(bare.0.len() + shape.extranonce_bytes + bare.1.len());
    // Small gaps are filled in the scriptSig, larger ones by an output.
    let (script, output) = if missing <= 40 { (missing, 0) } else { (0, missing) };
    put_together(shape, payee, script, output)
}

/// With `script` zero bytes in the scriptSig and outputs of `output` bytes.
fn put_together(shape: &Shape, payee: &ScriptBuf, script: usize, output: usize) -> (Vec<u8>, Vec<u8>) {
    let in_script = shape.place == ExtranoncePlace::ScriptSig;
    let mut before = Vec::new();
    before.extend(2u32.to_le_bytes());
    before.push(1);
    before.extend([0; 32]);
    before.extend(u32::MAX.to_le_bytes());
    let height = &shape.height.to_le_bytes()[..3];
    let script_bytes = 4 + script + if in_script { shape.extranonce_bytes } else { 0 };
    length(&mut before, script_bytes);
    before.push(3);
    before.extend(height);
    before.resize(before.len() + script, 0);
    let fillers = fillers(output);
    let mut rest = Vec::new();
    rest.extend(0xffff_fffe_u32.to_le_bytes());
    length(&mut rest, 1 + fillers.len() + usize::from(!in_script));
    rest.extend(VALUE_SATS.to_le_bytes());
    length(&mut rest, payee.len());
    rest.extend(payee.as_bytes());
    for bytes in &fillers {
        rest.extend(0u64.to_le_bytes());
        length(&mut rest, *bytes);
        // OP_RETURN, and zeros.
        rest.extend((0..*bytes).map(|at| if at == 0 { 0x6a } else { 0 }));
    }
    let lock_time = (shape.height - 1).to_le_bytes();
    if in_script {
        rest.extend(lock_time);
        return (before, rest);
    }
    rest.extend(0u64.to_le_bytes());
    length(&mut rest, 2 + shape.extranonce_bytes);
    rest.extend([0x6a, shape.extranonce_bytes as u8]);
    before.extend(rest);
    (before, lock_time.to_vec())
}

/// Scripts of outputs that take up exactly `bytes`, of which there are more than a few.
fn fillers(mut bytes: usize) -> Vec<usize> {
    let mut scripts = Vec::new();
    while bytes > 0 {
        // A length of 253 and more takes three bytes; no remainder is too small for an output.
        let script = match bytes {
            0..=261 => bytes.saturating_sub(OUTPUT_OVERHEAD),
            262..=263 => 100,
            264..=9_011 => bytes - OUTPUT_OVERHEAD - 2,
            _ => 8_900,
        };
        scripts.push(script);
        bytes = bytes.saturating_sub(OUTPUT_OVERHEAD + script + if script > 252 { 2 } else { 0 });
    }
    scripts
}

/// A length as Bitcoin writes it.
fn length(out: &mut Vec<u8>, value: usize) {
    match value {
        0..=252 => out.push(value as u8),
        _ => {
            out.push(253);
            out.extend((value as u16).to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(place: ExtranoncePlace, extranonce_bytes: usize, bytes: usize) {
        let shape = Shape { place, extranonce_bytes, bytes, height: 900_000, salt: [7; 32] };
        let (before, after) = build(&shape);
        let whole = [&before[..], &vec![0xee; extranonce_bytes], &after].concat();
        assert_eq!(whole.len(), bytes, "{place:?} around {extranonce_bytes}");
        let transaction: bitcoin::Transaction = bitcoin::consensus::deserialize(&whole).unwrap();
        assert_eq!(transaction.input.len(), 1);
        let extranonce = vec![0xee; extranonce_bytes];
        let place = match place {
            ExtranoncePlace::ScriptSig => transaction.input[0].script_sig.as_bytes(),
            ExtranoncePlace::OpReturn => transaction.output.last().unwrap().script_pubkey.as_bytes(),
        };
        assert!(place.ends_with(&extranonce));
    }

    #[test]
    fn every_size_is_exact() {
        for bytes in (150..1_000).chain([4_000, 6_144, 9_000, 9_300, 16_384]) {
            check(ExtranoncePlace::ScriptSig, 12, bytes);
            check(ExtranoncePlace::OpReturn, 12, bytes);
        }
        for extranonce_bytes in [0, 1, 40, 64] {
            check(ExtranoncePlace::ScriptSig, extranonce_bytes, 300);
            check(ExtranoncePlace::OpReturn, extranonce_bytes, 300);
        }
        check(ExtranoncePlace::ScriptSig, 259, 600);
    }
}
