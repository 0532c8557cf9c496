//! The scan: which headers of a range meet a target.

use adit_kernels::words::{double_hash, to_bytes};
use adit_kernels::{ANSWER_BYTES, Backend, LANES, Midstates, PER_BYTE, Work};

use super::sha256::Prefix;
use super::{Hash, chosen};
use crate::units::Target;

/// Headers between two looks at what was found, in bytes of the answer: long
/// enough that starting a backend anew costs nothing, and within the fastest cache.
const ANSWER_MAX: usize = 2048;

/// A scan stops for its caller when it has found so many.
const HITS_ENOUGH: usize = 64;

/// A header that meets the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Its place in the range, in headers from its beginning.
    pub place: u64,
    /// Its hash.
    pub hash: Hash,
}

/// A header whose nonce is searched; the first 64 bytes are hashed once.
#[derive(Debug, Clone)]
pub struct HeaderScan {
    midstate: [u32; 8],
    /// The words before the nonce: end of the merkle root, ntime, nbits.
    words: [u32; 3],
}

impl HeaderScan {
    /// Prepares a scan; the nonce in `header` is ignored.
    #[must_use]
    pub fn new(header: &[u8; 80]) -> Self {
        Self { midstate: Prefix::of(&header[..64]).absorbed().state, words: words_before_nonce(header) }
    }

    /// Tries up to `count` nonces from `start` on, wrapping at 2^32, and appends
    /// what meets `target`, in order.
    ///
    /// Returns how many it tried: all of `count`, or fewer when `hits` is long enough for now.
    pub fn scan(
        &self,
        backend: &Backend,
        target: &Target,
        start: u32,
        count: u64,
        hits: &mut Vec<Hit>,
    ) -> u64 {
        let work = Work { midstate: self.midstate, words: self.words, top: top(target) };
        let mut answer = [0; ANSWER_MAX];
        let stride = stride(work.top);
        let mut tried = 0;
        while tried < count && hits.len() < HITS_ENOUGH {
            let here = (count - tried).min((stride * PER_BYTE) as u64);
            let bytes = (here as usize).div_ceil(PER_BYTE).next_multiple_of(ANSWER_BYTES);
            let first = start.wrapping_add(tried as u32);
            backend.nonces(&work, first, &mut answer[..bytes]);
            for place in candidates(&answer[..bytes]).take_while(|place| *place < here) {
                let hash = hash(self.midstate, self.words, first.wrapping_add(place as u32));
                if target.is_met_by(&hash) {
                    hits.push(Hit { place: tried + place, hash });
                }
            }
            tried += here;
        }
        tried
    }

    /// The first of up to `count` nonces from `start` on, wrapping at 2^32, whose
    /// hash meets `target`, with that hash.
    #[must_use]
    pub fn search(&self, target: &Target, start: u32, count: u64) -> Option<(u32, Hash)> {
        let mut hits = Vec::new();
        let mut tried = 0;
        while tried < count && hits.is_empty() {
            // Not all at once: what lies behind the first hit is done for nothing.
            let here = (count - tried).min((stride(top(target)) * PER_BYTE) as u64);
            self.scan(chosen().nonces, target, start.wrapping_add(tried as u32), here, &mut hits);
            if hits.is_empty() {
                tried += here;
            }
        }
        hits.first().map(|hit| (start.wrapping_add((tried + hit.place) as u32), hit.hash))
    }
}

/// A header of which both nonce and version are searched.
///
/// Headers are counted nonce by nonce, all versions of each: the header with
/// nonce `start + n` and version number `v` is at place `n * versions + v`.
#[derive(Debug, Clone)]
pub struct VersionScan {
    midstates: Midstates,
}

impl VersionScan {
    /// The number of versions is a multiple of this.
    pub const MULTIPLE: usize = LANES;

    /// Prepares a scan of `header` under `versions`; its own version and nonce are ignored.
    #[must_use]
    pub fn new(header: &[u8; 80], versions: &[u32]) -> Self {
        Self { midstates: Midstates::new(header, versions) }
    }

    /// How many versions there are.
    #[must_use]
    pub fn versions(&self) -> u64 {
        self.midstates.lanes() as u64
    }

    /// Tries up to `count` nonces from `start` on, wrapping at 2^32, with every
    /// version, and appends what meets `target`, in order.
    ///
    /// Returns how many nonces it tried: all of `count`, or fewer when `hits` is
    /// long enough for now; 0 when `backend` has no form for versions.
    pub fn scan(
        &self,
        backend: &Backend,
        target: &Target,
        start: u32,
        count: u64,
        hits: &mut Vec<Hit>,
    ) -> u64 {
        let mut answer = vec![0; self.midstates.lanes() / PER_BYTE];
        let mut tried = 0;
        while tried < count && hits.len() < HITS_ENOUGH {
            let nonce = start.wrapping_add(tried as u32);
            if !backend.versions(&self.midstates, nonce, top(target), &mut answer) {
                return 0;
            }
            for index in candidates(&answer) {
                let midstate = self.midstates.midstate(index as usize);
                let hash = hash(midstate, self.midstates.words(), nonce);
                if target.is_met_by(&hash) {
                    hits.push(Hit { place: tried * self.versions() + index, hash });
                }
            }
            tried += 1;
        }
        tried
    }
}

/// The places of the ones, in order.
fn candidates(answer: &[u8]) -> impl Iterator<Item = u64> {
    let (chunks, rest) = answer.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = chunks.iter().copied().chain((!rest.is_empty()).then_some(last));
    (0..).zip(words).filter(|(_, word)| *word != [0; 8]).flat_map(|(at, word)| {
        let mut left = u64::from_le_bytes(word);
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros();
            (left != 0).then(|| {
                left &= left - 1;
                at * 64 + u64::from(bit)
            })
        })
    })
}

/// The hash of one header, by the reference.
#[cold]
fn hash(midstate: [u32; 8], words: [u32; 3], nonce: u32) -> Hash {
    to_bytes(double_hash(midstate, words, nonce))
}

/// The last bytes of a header before its nonce, as SHA-256 reads them.
fn words_before_nonce(header: &[u8; 80]) -> [u32; 3] {
    let (words, _) = header[64..].as_chunks::<4>();
    [words[0], words[1], words[2]].map(u32::from_be_bytes)
}

/// The most significant 32 bits of a target: a hash with a larger last word does not meet it.
fn top(target: &Target) -> u32 {
    let bytes = target.to_le_bytes();
    u32::from_le_bytes([bytes[28], bytes[29], bytes[30], bytes[31]])
}

/// How many bytes of the answer to ask for at a time: where every few headers
/// are a hit, most of a long answer would be for nothing.
fn stride(top: u32) -> usize {
    let headers_per_hit = (1_u64 << 32) / (u64::from(top) + 1);
    (headers_per_hit as usize / PER_BYTE)
        .next_multiple_of(2 * ANSWER_BYTES)
        .clamp(2 * ANSWER_BYTES, ANSWER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_genesis_nonce_and_no_other_before_it() {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Bitcoin).header;
        let header: [u8; 80] = bitcoin::consensus::serialize(&genesis).try_into().unwrap();
        let target = Target::from_compact(genesis.bits.to_consensus());
        let scan = HeaderScan::new(&header);
        let (nonce, hash) = scan.search(&target, genesis.nonce - 5_000, 10_000).unwrap();
        assert_eq!(nonce, genesis.nonce);
        assert_eq!(hash, crate::hash::sha256d_header(&header));
        assert_eq!(scan.search(&target, genesis.nonce - 5_000, 5_000), None);
    }
}
