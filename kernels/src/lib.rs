//! The ways to hash that this CPU may offer, in one table.
//!
//! Its first columns are scans. They answer one question about a range of headers: which of them have
//! a last hash word that may meet the target? It writes a bit for each header
//! and neither branches nor calls anything when one is set. The full 256-bit
//! comparison is done outside, on those few, with [`words`].
//!
//! The last column is whole hashes, of many messages side by side or of one: [`Batch`].
//! What only feeds the rounds of a scan has none.
//!
//! A backend that this CPU lacks cannot be had: rows come out of the table only
//! through [`available`] and [`find`], which detect first. Its functions may
//! therefore be called, and the methods of [`Backend`] and [`Batch`] do.
//!
//! A new backend is one file and one row. Every test and bench walks the table.
//!
//! This is a package of its own because its loops, unrolled to thousands of
//! vector instructions, take the compiler about a minute of CPU time that no other
//! change should cost, and so that tests and debug builds run them optimised.

#![cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, unused_macros, unused_imports, reason = "what vectors share has no user here yet")
)]

#[macro_use]
mod lanes;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod batch;
mod constants;
#[cfg(target_arch = "x86_64")]
#[macro_use]
mod fed_order;
#[cfg(target_arch = "x86_64")]
mod fed;
mod midstates;
mod operations;
#[cfg(target_arch = "x86_64")]
pub mod ports;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
pub mod words;

pub use batch::{Absorbed, Batch};
pub use midstates::{LANES, Midstates};
pub use operations::Operations;
use operations::{NONCES, VERSIONS};

/// What is the same for all nonces of a header.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// State after the header's first 64 bytes.
    pub midstate: [u32; 8],
    /// The words before the nonce: end of the merkle root, ntime, nbits.
    pub words: [u32; 3],
    /// The most significant 32 bits of the target.
    pub top: u32,
}

/// Headers for each byte of an answer.
pub const PER_BYTE: usize = 8;

/// Answers have a multiple of so many bytes: the lanes of the widest backend.
pub const ANSWER_BYTES: usize = 2;

/// Sets bit `i` of the answer when the nonce `first + i` (wrapping) is a candidate.
type Nonces = unsafe fn(work: &Work, first: u32, candidates: &mut [u8]);

/// Sets bit `i` of the answer when midstate `i` with this nonce is a candidate.
type Versions = unsafe fn(midstates: &Midstates, nonce: u32, top: u32, candidates: &mut [u8]);

/// A way to hash that this CPU has.
#[derive(Debug)]
pub struct Backend {
    name: &'static str,
    detected: fn() -> bool,
    nonces: Nonces,
    versions: Option<Versions>,
    /// Where it is known what limits it: for nonces, for versions.
    operations: Option<(Operations, Operations)>,
    batch: Option<Batch>,
}

/// All of them, from the one that runs everywhere to the one that is likely the fastest.
static BACKENDS: &[Backend] = &[
    Backend {
        name: "scalar",
        detected: || true,
        nonces: scalar::nonces,
        versions: None,
        operations: None,
        batch: Some(batch::SCALAR),
    },
    #[cfg(target_arch = "x86_64")]
    Backend {
        name: "avx2",
        detected: || is_x86_feature_detected!("avx2"),
        nonces: avx2::nonces,
        versions: Some(avx2::versions),
        operations: Some((NONCES.avx2(), VERSIONS.avx2())),
        batch: Some(batch::AVX2),
    },
    #[cfg(target_arch = "x86_64")]
    Backend {
        name: "sha_ni",
        detected: || is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1"),
        nonces: sha_ni::nonces,
        versions: None,
        operations: Some((operations::SHA_NI, operations::SHA_NI)),
        batch: Some(batch::SHA_NI),
    },
    #[cfg(target_arch = "x86_64")]
    Backend {
        name: "avx512",
        detected: || is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
        nonces: avx512::nonces,
        versions: Some(avx512::versions),
        operations: Some((NONCES.avx512(), VERSIONS.avx512())),
        batch: Some(batch::AVX512),
    },
    #[cfg(target_arch = "x86_64")]
    Backend {
        name: "sha_avx2",
        detected: || is_x86_feature_detected!("sha") && is_x86_feature_detected!("avx2"),
        nonces: fed::avx2::nonces,
        versions: Some(fed::avx2::versions),
        operations: Some((operations::fed(fed_order::NARROW), operations::fed(fed_order::NARROW_VERSIONS))),
        batch: None,
    },
    #[cfg(target_arch = "x86_64")]
    Backend {
        name: "sha_avx512",
        detected: || {
            is_x86_feature_detected!("sha")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
        },
        nonces: fed::avx512::nonces,
        versions: Some(fed::avx512::versions),
        operations: Some((operations::fed(fed_order::WIDE), operations::fed(fed_order::WIDE_VERSIONS))),
        batch: None,
    },
];

/// The name of every backend that this program has for CPUs of this kind.
pub fn names() -> impl Iterator<Item = &'static str> {
    BACKENDS.iter().map(|backend| backend.name)
}

/// Those that this CPU has, the likely fastest last.
pub fn available() -> impl DoubleEndedIterator<Item = &'static Backend> {
    BACKENDS.iter().filter(|backend| (backend.detected)())
}

/// The backend called `name`.
///
/// # Errors
/// Says which names there are.
pub fn find(name: &str) -> Result<&'static Backend, UnknownBackend> {
    available()
        .find(|backend| backend.name == name)
        .ok_or_else(|| UnknownBackend { name: name.to_owned(), exists: names().any(|known| known == name) })
}

/// A name that no backend of this CPU has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} hash backend {name:?}; try one of {}",
    if *.exists { "this CPU cannot run the" } else { "there is no" },
    available().map(Backend::name).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownBackend {
    name: String,
    exists: bool,
}

impl Backend {
    /// What it is called in flags and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it has a form of its own for rolled versions.
    #[must_use]
    pub fn rolls_versions(&self) -> bool {
        self.versions.is_some()
    }

    /// What it must do at the least, where that is known.
    #[must_use]
    pub fn operations(&self, versions: bool) -> Option<Operations> {
        self.operations.map(|(for_nonces, for_versions)| if versions { for_versions } else { for_nonces })
    }

    /// How it hashes messages, where that is not another backend's way.
    #[must_use]
    pub fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref()
    }

    /// Which of the nonces from `first` on may meet the target; see the top.
    ///
    /// # Panics
    /// The answer's length is no multiple of [`ANSWER_BYTES`].
    pub fn nonces(&self, work: &Work, first: u32, candidates: &mut [u8]) {
        assert!(candidates.len().is_multiple_of(ANSWER_BYTES));
        // SAFETY: `self` came out of the table through `available`, so this CPU
        // has the features that the function was compiled for.
        unsafe { (self.nonces)(work, first, candidates) }
    }

    /// Which of the midstates with this nonce may meet the target; see the top.
    ///
    /// `false`: this backend cannot tell, and wrote nothing.
    ///
    /// # Panics
    /// The answer has not a bit for each midstate.
    pub fn versions(&self, midstates: &Midstates, nonce: u32, top: u32, candidates: &mut [u8]) -> bool {
        let Some(versions) = self.versions else { return false };
        assert_eq!(candidates.len() * PER_BYTE, midstates.lanes());
        // SAFETY: as above.
        unsafe { versions(midstates, nonce, top, candidates) }
        true
    }
}
