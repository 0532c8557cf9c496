//! SHA-256 of many messages of one shape side by side, and of one as fast as it goes.
//!
//! The rounds of one message wait for each other; those of several do not. Each
//! backend is a file: its kernel says how many messages it takes, `kernel.rs`
//! makes the shapes of it. The functions of this module choose for the CPU; a
//! [`Backend`] can also be addressed by itself, which tests and benches do.
//!
//! The choice is an order, not a measurement. On what CPUs there are, a full
//! vector of AVX-512 beats the SHA extensions, and those beat AVX2, whose
//! rotates take three instructions (`cargo bench --bench verify` prints all).

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
#[cfg(test)]
mod tests;

use super::Hash;
use super::sha256::Prefix;
use kernel::Kernel;
use scalar::Scalar;

/// Messages that are worth an AVX-512 vector of sixteen; fewer take no longer
/// with the SHA extensions, four at a time.
const WORTH_A_VECTOR: usize = 9;

/// One way to hash.
pub struct Backend {
    /// What the instructions are called.
    pub name: &'static str,
    /// Messages side by side.
    pub lanes: usize,
    available: fn() -> bool,
    headers: unsafe fn(&[[u8; 80]], &mut [Hash]),
    pairs: unsafe fn(&[[Hash; 2]], &mut [Hash]),
    fold: unsafe fn(&mut [Hash], &[Hash]),
    tails: unsafe fn(&Prefix, &[&[u8]], &mut [Hash]),
}

/// A [`Backend`] of two kernels: groups of `$wide`, and `$narrow` for a rest that fits it.
macro_rules! backend {
    ($name:literal, $available:expr, $wide:ty, $narrow:ty, #[$enable:meta]) => {{
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
        unsafe fn tails(prefix: &Prefix, tails: &[&[u8]], out: &mut [Hash]) {
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

        Backend { name: $name, lanes: WIDE, available: $available, headers, pairs, fold, tails }
    }};
}

static SCALAR: Backend = backend!("scalar", || true, Scalar, Scalar, #[inline]);

#[cfg(target_arch = "x86_64")]
static SHA_NI: Backend = backend!(
    "sha_ni",
    || is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1"),
    sha_ni::ShaNi<4>,
    sha_ni::ShaNi<1>,
    #[target_feature(enable = "sha,sse4.1")]
);

#[cfg(target_arch = "x86_64")]
static AVX2: Backend = backend!("avx2", || is_x86_feature_detected!("avx2"), avx2::Avx2, Scalar, #[target_feature(enable = "avx2")]);

#[cfg(target_arch = "x86_64")]
static AVX512: Backend = backend!(
    "avx512",
    || is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
    avx512::Two,
    avx512::One,
    #[target_feature(enable = "avx512f,avx512bw")]
);

/// All of this architecture, the reference first.
#[cfg(target_arch = "x86_64")]
pub static BACKENDS: [&Backend; 4] = [&SCALAR, &SHA_NI, &AVX2, &AVX512];

/// All of this architecture, the reference first.
#[cfg(not(target_arch = "x86_64"))]
pub static BACKENDS: [&Backend; 1] = [&SCALAR];

impl Backend {
    /// Whether this CPU has its instructions.
    #[must_use]
    pub fn is_available(&self) -> bool {
        (self.available)()
    }

    fn check(&self, inputs: usize, outputs: usize) {
        assert!(self.is_available(), "this CPU lacks {}", self.name);
        assert_eq!(inputs, outputs, "as many outputs as inputs");
    }

    /// [`headers`] with these instructions.
    ///
    /// # Panics
    /// As all of these, when the CPU lacks them, or the lengths differ.
    pub fn headers(&self, headers: &[[u8; 80]], out: &mut [Hash]) {
        self.check(headers.len(), out.len());
        // SAFETY: just checked.
        unsafe { (self.headers)(headers, out) }
    }

    /// [`pairs`] with these instructions.
    pub fn pairs(&self, pairs: &[[Hash; 2]], out: &mut [Hash]) {
        self.check(pairs.len(), out.len());
        // SAFETY: just checked.
        unsafe { (self.pairs)(pairs, out) }
    }

    /// [`fold`] with these instructions.
    pub fn fold(&self, nodes: &mut [Hash], branch: &[Hash]) {
        self.check(nodes.len(), nodes.len());
        // SAFETY: just checked.
        unsafe { (self.fold)(nodes, branch) }
    }

    /// [`tails`] with these instructions.
    pub fn tails(&self, prefix: &Prefix, tails: &[&[u8]], out: &mut [Hash]) {
        self.check(tails.len(), out.len());
        assert!(tails.iter().all(|tail| tail.len() == tails[0].len()), "messages of one length");
        // SAFETY: just checked.
        unsafe { (self.tails)(prefix, tails, out) }
    }
}

/// The best for a message alone.
#[inline]
fn for_one() -> &'static Backend {
    #[cfg(target_arch = "x86_64")]
    if SHA_NI.is_available() {
        return &SHA_NI;
    }
    &SCALAR
}

/// The best for `count` messages: for the first so many, and for the rest.
fn for_many(count: usize) -> (usize, &'static Backend, &'static Backend) {
    #[cfg(target_arch = "x86_64")]
    {
        let few = [&SHA_NI, &AVX2, &SCALAR].into_iter().find(|backend| backend.is_available());
        let few = few.unwrap_or(&SCALAR);
        if count >= WORTH_A_VECTOR && AVX512.is_available() {
            let rest = count % avx512::LANES;
            let rest = if rest < WORTH_A_VECTOR { rest } else { 0 };
            return (count - rest, &AVX512, few);
        }
        (0, few, few)
    }
    #[cfg(not(target_arch = "x86_64"))]
    (0, &SCALAR, &SCALAR)
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
    many.tails(prefix, &tails[..cut], &mut out[..cut]);
    few.tails(prefix, &tails[cut..], &mut out[cut..]);
}

pub(super) fn header(header: &[u8; 80]) -> Hash {
    let mut hash = Hash::default();
    for_one().headers(std::slice::from_ref(header), std::slice::from_mut(&mut hash));
    hash
}

pub(super) fn pair(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Hash::default();
    for_one().pairs(&[[*left, *right]], std::slice::from_mut(&mut hash));
    hash
}

pub(super) fn fold_one(mut node: Hash, branch: &[Hash]) -> Hash {
    for_one().fold(std::slice::from_mut(&mut node), branch);
    node
}

/// Double SHA-256 of one message that begins with `prefix` and goes on in `parts`.
pub(super) fn parts(prefix: &Prefix, parts: &[&[u8]]) -> Hash {
    #[cfg(target_arch = "x86_64")]
    if SHA_NI.is_available() {
        #[target_feature(enable = "sha,sse4.1")]
        unsafe fn parts_sha_ni(prefix: &Prefix, parts: &[&[u8]]) -> Hash {
            // SAFETY: the caller has what this function enables.
            unsafe { kernel::parts::<sha_ni::ShaNi<1>>(prefix, parts) }
        }
        // SAFETY: just checked.
        return unsafe { parts_sha_ni(prefix, parts) };
    }
    // SAFETY: the scalar kernel needs no instructions.
    unsafe { kernel::parts::<Scalar>(prefix, parts) }
}
