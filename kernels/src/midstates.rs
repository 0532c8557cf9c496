//! Midstates of one header under many versions, laid out for lanes of a vector.
//!
//! Rolled version bits change only the header's first 64 bytes. Everything from
//! there on is shared: for one nonce all versions have the same second block,
//! whose message schedule is worked out once for all of them. What differs is
//! the midstate, and what the rounds before the nonce make of it; both are kept
//! here, 64 bytes a version.

use crate::words::{INITIAL, K, compress, round};

/// Midstates side by side: lanes of the widest backend.
pub const LANES: usize = 16;

/// Words of a version: the state in which round 4 begins, less what the nonce
/// adds, and the midstate.
///
/// | words | |
/// |---|---|
/// | 0, 4 | `a` and `e` after round 3, to which the nonce is yet to be added |
/// | 1, 2, 3 and 5, 6, 7 | `b`, `c`, `d` and `f`, `g`, `h` |
/// | 8 to 15 | the midstate |
pub(crate) type Group = [[u32; LANES]; 16];

/// The table for one header.
#[derive(Debug, Clone)]
pub struct Midstates {
    groups: Vec<Aligned>,
    words: [u32; 3],
}

/// A cache line for each word.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Aligned(Group);

impl Midstates {
    /// Of `header` under `versions`; its own version and nonce are ignored.
    ///
    /// # Panics
    /// The number of versions is no multiple of [`LANES`], or zero.
    #[must_use]
    pub fn new(header: &[u8; 80], versions: &[u32]) -> Self {
        assert!(versions.len().is_multiple_of(LANES) && !versions.is_empty());
        let mut all = [0; 20];
        for (word, bytes) in all.iter_mut().zip(header.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let mut block = *all.first_chunk::<16>().expect("20 words");
        let words = [all[16], all[17], all[18]];
        let groups = versions
            .chunks_exact(LANES)
            .map(|versions| {
                let mut group = [[0; LANES]; 16];
                for (lane, version) in versions.iter().enumerate() {
                    block[0] = version.swap_bytes();
                    let mut midstate = INITIAL;
                    compress(&mut midstate, &block);
                    for (word, value) in words_of(midstate, words).into_iter().enumerate() {
                        group[word][lane] = value;
                    }
                }
                Aligned(group)
            })
            .collect();
        Self { groups, words }
    }

    /// How many midstates there are.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.groups.len() * LANES
    }

    /// Midstate number `index`.
    #[must_use]
    pub fn midstate(&self, index: usize) -> [u32; 8] {
        let group = &self.groups[index / LANES].0;
        std::array::from_fn(|word| group[8 + word][index % LANES])
    }

    /// The words of a header before the nonce, the same for all.
    #[must_use]
    pub fn words(&self) -> [u32; 3] {
        self.words
    }

    /// Lanes `8 * index` to `8 * index + 7`: their group, and the first lane in it.
    pub(crate) fn eight(&self, index: usize) -> (&Group, usize) {
        (&self.groups[index / 2].0, index % 2 * 8)
    }

    /// Group by group.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.groups.iter().map(|group| &group.0)
    }
}

/// The words that are kept of a midstate.
fn words_of(midstate: [u32; 8], words: [u32; 3]) -> [u32; 16] {
    let mut state = midstate;
    for (k, word) in K.into_iter().zip(words) {
        state = round(state, k.wrapping_add(word));
    }
    let before_nonce = round(state, K[3]);
    std::array::from_fn(|word| if word < 8 { before_nonce[word] } else { midstate[word - 8] })
}
