//! Which backend hashes messages, many of one shape side by side or one alone.
//!
//! The choice is an order, not a measurement. On what CPUs there are, a full
//! vector of AVX-512 beats the SHA extensions, and those beat AVX2, whose
//! rotates take three instructions (`cargo bench --bench verify` prints all).

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use adit_kernels::{Absorbed, Batch, find};

use super::Hash;
use super::sha256::Prefix;

/// Backends for a message alone, the best first.
const FOR_ONE: &[&str] = &["sha_ni", "scalar"];

/// For a few.
const FOR_FEW: &[&str] = &["sha_ni", "avx2", "scalar"];

/// For [`WORTH_A_VECTOR`] and more; without it, those for a few.
const FOR_MANY: &[&str] = &["avx512"];

/// Messages that are worth an AVX-512 vector of sixteen; fewer take no longer
/// with the SHA extensions, four at a time.
const WORTH_A_VECTOR: usize = 9;

/// What this CPU has of them.
struct Chosen {
    one: &'static Batch,
    few: &'static Batch,
    many: Option<&'static Batch>,
}

static CHOSEN: LazyLock<Chosen> = LazyLock::new(|| {
    let best = |names: &[&str]| names.iter().find_map(|name| find(name).ok()?.batch());
    Chosen {
        one: best(FOR_ONE).expect("scalar is everywhere"),
        few: best(FOR_FEW).expect("scalar is everywhere"),
        many: best(FOR_MANY),
    }
});

/// The best for `count` messages: for the first so many, and for the rest.
fn for_many(count: usize) -> (usize, &'static Batch, &'static Batch) {
    let Chosen { few, many, .. } = *CHOSEN;
    match many {
        Some(many) if count >= WORTH_A_VECTOR => {
            let rest = count % many.few();
            let rest = if rest < WORTH_A_VECTOR { rest } else { 0 };
            (count - rest, many, few)
        }
        _ => (0, few, few),
    }
}

/// Double SHA-256 of block headers.
///
/// # Panics
/// As [`pairs`] and [`tails`], when `out` has another length than the input.
pub fn headers(headers: &[[u8; 80]], out: &mut [Hash]) {
    assert_eq!(headers.len(), out.len(), "as many outputs as inputs");
    let (cut, many, few) = for_many(headers.len());
    many.headers(&headers[..cut], &mut out[..cut]);
    few.headers(&headers[cut..], &mut out[cut..]);
}

/// Double SHA-256 of hashes side by side: merkle nodes.
pub fn pairs(pairs: &[[Hash; 2]], out: &mut [Hash]) {
    assert_eq!(pairs.len(), out.len(), "as many outputs as inputs");
    let (cut, many, few) = for_many(pairs.len());
    many.pairs(&pairs[..cut], &mut out[..cut]);
    few.pairs(&pairs[cut..], &mut out[cut..]);
}

/// Replaces each of `nodes` by the root above it at position 0 of a tree with
/// this branch: see [`super::fold_branch`].
pub fn fold(nodes: &mut [Hash], branch: &[Hash]) {
    let (cut, many, few) = for_many(nodes.len());
    let (most, rest) = nodes.split_at_mut(cut);
    many.fold(most, branch);
    few.fold(rest, branch);
}

/// Double SHA-256 of messages that all begin with the bytes absorbed by
/// `prefix` and go on with one of `tails`, which have one length.
pub fn tails(prefix: &Prefix, tails: &[&[u8]], out: &mut [Hash]) {
    assert_eq!(tails.len(), out.len(), "as many outputs as inputs");
    let (cut, many, few) = for_many(tails.len());
    many.tails(prefix.absorbed(), &tails[..cut], &mut out[..cut]);
    few.tails(prefix.absorbed(), &tails[cut..], &mut out[cut..]);
}

pub(super) fn header(header: &[u8; 80]) -> Hash {
    let mut hash = Hash::default();
    CHOSEN.one.headers(std::slice::from_ref(header), std::slice::from_mut(&mut hash));
    hash
}

pub(super) fn pair(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Hash::default();
    CHOSEN.one.pairs(&[[*left, *right]], std::slice::from_mut(&mut hash));
    hash
}

pub(super) fn fold_one(mut node: Hash, branch: &[Hash]) -> Hash {
    CHOSEN.one.fold(std::slice::from_mut(&mut node), branch);
    node
}

/// Double SHA-256 of one message that begins with `prefix` and goes on in `parts`.
pub(super) fn parts(prefix: &Absorbed, parts: &[&[u8]]) -> Hash {
    CHOSEN.one.parts(prefix, parts)
}
