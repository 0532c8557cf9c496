//! SHA-256 of many messages of one shape side by side, and of one alone.
//!
//! The rounds of one message wait for each other; those of several do not. Each
//! set of instructions is a file: its kernel says how many messages it takes,
//! `kernel.rs` makes the shapes of it. What comes of them is a column of the
//! table of backends.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernel;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod sha_ni;

use crate::words::Hash;
use kernel::Kernel;
use scalar::Scalar;

/// The beginning of a message, hashed.
#[derive(Debug, Clone, Copy)]
pub struct Absorbed {
    /// The state of SHA-256 behind it.
    pub state: [u32; 8],
    /// Its length, a multiple of 64.
    pub bytes: usize,
}

/// How a backend hashes messages.
#[derive(Debug)]
pub struct Batch {
    lanes: usize,
    few: usize,
    headers: unsafe fn(&[[u8; 80]], &mut [Hash]),
    pairs: unsafe fn(&[[Hash; 2]], &mut [Hash]),
    fold: unsafe fn(&mut [Hash], &[Hash]),
    tails: unsafe fn(&Absorbed, &[&[u8]], &mut [Hash]),
    parts: unsafe fn(&Absorbed, &[&[u8]]) -> Hash,
}

/// A [`Batch`] of two kernels: groups of `$wide`, and `$narrow` for a rest that fits it.
macro_rules! batch {
    ($wide:ty, $narrow:ty, #[$enable:meta]) => {{
        const WIDE: usize = <$wide as Kernel>::LANES;
        const NARROW: usize = <$narrow as Kernel>::LANES;

        #[$enable]
        unsafe fn headers(headers: &[[u8; 80]], out: &mut [Hash]) {
            for (headers, out) in headers.chunks(WIDE).zip(out.chunks_mut(WIDE)) {
                // SAFETY: the caller has what this function enables.
                unsafe {
                    match headers.len() {
                        ..=NARROW => kernel::headers::<$narrow>(headers, out),
                        _ => kernel::headers::<$wide>(headers, out),
                    }
                }
            }
        }

        #[$enable]
        unsafe fn pairs(pairs: &[[Hash; 2]], out: &mut [Hash]) {
            for (pairs, out) in pairs.chunks(WIDE).zip(out.chunks_mut(WIDE)) {
                // SAFETY: the caller has what this function enables.
                unsafe {
                    match pairs.len() {
                        ..=NARROW => kernel::pairs::<$narrow>(pairs, out),
                        _ => kernel::pairs::<$wide>(pairs, out),
                    }
                }
            }
        }

        #[$enable]
        unsafe fn fold(nodes: &mut [Hash], branch: &[Hash]) {
            for nodes in nodes.chunks_mut(WIDE) {
                // SAFETY: the caller has what this function enables.
                unsafe {
                    match nodes.len() {
                        ..=NARROW => kernel::fold::<$narrow>(nodes, branch),
                        _ => kernel::fold::<$wide>(nodes, branch),
                    }
                }
            }
        }

        #[$enable]
        unsafe fn tails(prefix: &Absorbed, tails: &[&[u8]], out: &mut [Hash]) {
            for (tails, out) in tails.chunks(WIDE).zip(out.chunks_mut(WIDE)) {
                // SAFETY: the caller has what this function enables.
                unsafe {
                    match tails.len() {
                        ..=NARROW => kernel::tails::<$narrow>(prefix, tails, out),
                        _ => kernel::tails::<$wide>(prefix, tails, out),
                    }
                }
            }
        }

        #[$enable]
        unsafe fn parts(prefix: &Absorbed, parts: &[&[u8]]) -> Hash {
            // SAFETY: the caller has what this function enables.
            unsafe { kernel::parts::<$narrow>(prefix, parts) }
        }

        Batch { lanes: WIDE, few: NARROW, headers, pairs, fold, tails, parts }
    }};
}

pub(crate) const SCALAR: Batch = batch!(Scalar, Scalar, #[inline]);

#[cfg(target_arch = "x86_64")]
pub(crate) const AVX2: Batch = batch!(avx2::Avx2, Scalar, #[target_feature(enable = "avx2")]);

#[cfg(target_arch = "x86_64")]
pub(crate) const SHA_NI: Batch = batch!(
    sha_ni::ShaNi<4>,
    sha_ni::ShaNi<1>,
    #[target_feature(enable = "sha,sse4.1")]
);

#[cfg(target_arch = "x86_64")]
pub(crate) const AVX512: Batch = batch!(
    avx512::Two,
    avx512::One,
    #[target_feature(enable = "avx512f,avx512bw")]
);

/// All of these panic when inputs and outputs are not as many.
impl Batch {
    /// Messages side by side.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Messages of a rest that is hashed with less.
    #[must_use]
    pub fn few(&self) -> usize {
        self.few
    }

    /// Double SHA-256 of block headers.
    pub fn headers(&self, headers: &[[u8; 80]], out: &mut [Hash]) {
        assert_eq!(headers.len(), out.len(), "as many outputs as inputs");
        // SAFETY: `self` is of a row that came out of the table through
        // `available`, so this CPU has the features of its functions.
        unsafe { (self.headers)(headers, out) }
    }

    /// Double SHA-256 of hashes side by side: merkle nodes.
    pub fn pairs(&self, pairs: &[[Hash; 2]], out: &mut [Hash]) {
        assert_eq!(pairs.len(), out.len(), "as many outputs as inputs");
        // SAFETY: as above.
        unsafe { (self.pairs)(pairs, out) }
    }

    /// Replaces each of `nodes` by the root above it at position 0 of a tree with this branch.
    pub fn fold(&self, nodes: &mut [Hash], branch: &[Hash]) {
        // SAFETY: as above.
        unsafe { (self.fold)(nodes, branch) }
    }

    /// Double SHA-256 of messages that begin with `prefix` and go on with one of
    /// `tails`, which have one length.
    pub fn tails(&self, prefix: &Absorbed, tails: &[&[u8]], out: &mut [Hash]) {
        assert_eq!(tails.len(), out.len(), "as many outputs as inputs");
        assert!(tails.iter().all(|tail| tail.len() == tails[0].len()), "messages of one length");
        // SAFETY: as above.
        unsafe { (self.tails)(prefix, tails, out) }
    }

    /// Double SHA-256 of one message that begins with `prefix` and goes on in `parts`.
    #[must_use]
    pub fn parts(&self, prefix: &Absorbed, parts: &[&[u8]]) -> Hash {
        // SAFETY: as above.
        unsafe { (self.parts)(prefix, parts) }
    }
}

/// Small enough for Miri, which `src/hash/batch/tests.rs` is not.
#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::words::INITIAL;

    fn reference(message: &[u8]) -> Hash {
        Sha256::digest(Sha256::digest(message)).into()
    }

    fn bytes<const N: usize>(seed: usize) -> [u8; N] {
        std::array::from_fn(|at| (seed * 31 + at * 7) as u8)
    }

    #[test]
    fn every_backend_agrees_with_the_reference() {
        let nothing = Absorbed { state: INITIAL, bytes: 0 };
        for batch in crate::available().filter_map(crate::Backend::batch) {
            let count = batch.lanes() + 1;
            let mut out = vec![Hash::default(); count];
            let headers: Vec<[u8; 80]> = (0..count).map(bytes).collect();
            batch.headers(&headers, &mut out);
            assert!(out.iter().zip(&headers).all(|(hash, header)| *hash == reference(header)), "{batch:?}");
            batch.tails(&nothing, &headers.iter().map(<[u8; 80]>::as_slice).collect::<Vec<_>>(), &mut out);
            assert!(out.iter().zip(&headers).all(|(hash, header)| *hash == reference(header)), "{batch:?}");
            let pairs: Vec<[Hash; 2]> = (0..count).map(|seed| [bytes(seed), bytes(seed + 1)]).collect();
            batch.pairs(&pairs, &mut out);
            assert!(
                out.iter().zip(&pairs).all(|(hash, pair)| *hash == reference(pair.as_flattened())),
                "{batch:?}"
            );
            let mut nodes: Vec<Hash> = pairs.iter().map(|pair| pair[0]).collect();
            batch.fold(&mut nodes, &[bytes(9)]);
            let folded = pairs.iter().map(|pair| reference([pair[0], bytes(9)].as_flattened()));
            assert!(nodes.into_iter().eq(folded), "{batch:?}");
            assert_eq!(batch.parts(&nothing, &[&headers[0], &pairs[0][0]]), {
                reference(&[headers[0].as_slice(), &pairs[0][0]].concat())
            });
        }
    }
}
