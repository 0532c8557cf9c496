//! What of the two hashes is the same for all headers of a scan.
//!
//! Of the first hash's message only the nonce changes, of the second's only the
//! eight words that come from the first. So many words, or terms of words, are
//! known, and a round's constant takes in its word where that is known. The
//! words known and the terms left over are those of this table; the kernels
//! (`lanes.rs`) compute the rest:
//!
//! | hash | known words | terms known of others |
//! |---|---|---|
//! | first | all but 3 up to 17 | of 18 to 20, 22 to 24, 30 to 33 |
//! | second | 8 to 15 | of 17, 22 to 24, 30, 31 |

use crate::words::{END, INITIAL, K, round, sigma_0, sigma_1};

/// A message of which some words are known.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Message {
    /// To add in each round: its constant, and its word where that is known.
    pub k: [u32; 64],
    /// To add to each word from 16 on: the known terms of its sum.
    pub x: [u32; 64],
}

impl Message {
    /// Of the words of a block whose bit in `known` is set; the others count as zero.
    pub(crate) const fn new(block: [u32; 16], mut known: u64) -> Self {
        let (mut k, mut x, mut words) = (K, [0; 64], [0; 64]);
        let mut t = 0;
        while t < 64 {
            if t < 16 {
                words[t] = block[t];
            } else {
                // Words that are not known count as zero, and sigma of zero is zero.
                words[t] = sigma_1(words[t - 2])
                    .wrapping_add(words[t - 7])
                    .wrapping_add(sigma_0(words[t - 15]))
                    .wrapping_add(words[t - 16]);
                x[t] = words[t];
                let sources = 1 << (t - 2) | 1 << (t - 7) | 1 << (t - 15) | 1 << (t - 16);
                if known & sources == sources {
                    known |= 1 << t;
                }
            }
            if known >> t & 1 == 1 {
                k[t] = k[t].wrapping_add(words[t]);
            } else {
                words[t] = 0;
            }
            t += 1;
        }
        Self { k, x }
    }
}

/// The constants of both hashes.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Constants {
    pub first: Message,
    pub second: Message,
    /// State after round 3 of the first hash, less the nonce in words 0 and 4.
    pub start: [u32; 8],
    pub midstate: [u32; 8],
    /// State after round 0 of the second hash, less its word 0 in words 0 and 4.
    pub start_second: [u32; 8],
    /// The last word of a candidate, bytes reversed, is at most this.
    pub top: u32,
}

/// The message of the second hash. Its last round that matters, 60, takes in the
/// word of the initial state that is added in the end.
const SECOND: Message = {
    let mut message = Message::new([0, 0, 0, 0, 0, 0, 0, 0, END, 0, 0, 0, 0, 0, 0, 8 * 32], 0xff00);
    message.k[60] = message.k[60].wrapping_add(INITIAL[7]);
    message
};

const START_SECOND: [u32; 8] = round(INITIAL, K[0]);

/// Terms of a message word: the words so many before, and what is known.
pub(crate) const TERM_2: u8 = 1;
pub(crate) const TERM_7: u8 = 2;
pub(crate) const TERM_15: u8 = 4;
pub(crate) const TERM_16: u8 = 8;
pub(crate) const KNOWN: u8 = 16;

/// What is left to add of a word of the first hash.
pub(crate) const fn first_terms(t: usize) -> u8 {
    match t {
        18 => TERM_15 | KNOWN,
        19 => TERM_16 | KNOWN,
        21 => TERM_2,
        20 | 22..=24 => TERM_2 | KNOWN,
        25..=29 => TERM_2 | TERM_7,
        30..=32 => TERM_2 | TERM_7 | KNOWN,
        33 => TERM_2 | TERM_7 | TERM_15 | KNOWN,
        _ => TERM_2 | TERM_7 | TERM_15 | TERM_16,
    }
}

/// And of the second.
pub(crate) const fn second_terms(t: usize) -> u8 {
    match t {
        16 => TERM_15 | TERM_16,
        17 => TERM_15 | TERM_16 | KNOWN,
        18..=21 => TERM_15 | TERM_16 | TERM_2,
        22 => TERM_15 | TERM_16 | TERM_2 | KNOWN,
        23 => TERM_7 | TERM_16 | TERM_2 | KNOWN,
        24 | 30 => TERM_2 | TERM_7 | KNOWN,
        25..=29 => TERM_2 | TERM_7,
        31 => TERM_2 | TERM_7 | TERM_15 | KNOWN,
        _ => TERM_2 | TERM_7 | TERM_15 | TERM_16,
    }
}

impl Constants {
    /// Of a scan over nonces.
    pub(crate) fn of_nonces(midstate: [u32; 8], words: [u32; 3], top: u32) -> Self {
        let first = Message::new(block(words, 0), 0xfff7);
        let start = first.k[..4].iter().fold(midstate, |state, k| round(state, *k));
        Self { first, second: SECOND, start, midstate, start_second: START_SECOND, top }
    }

    /// Of a scan over midstates, where the whole message is known.
    pub(crate) fn of_versions(words: [u32; 3], nonce: u32, top: u32) -> Self {
        let first = Message::new(block(words, nonce.swap_bytes()), 0xffff);
        Self { first, second: SECOND, start: [0; 8], midstate: [0; 8], start_second: START_SECOND, top }
    }
}

/// The second block of a header.
fn block([merkle, ntime, nbits]: [u32; 3], nonce: u32) -> [u32; 16] {
    [merkle, ntime, nbits, nonce, END, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8 * 80]
}
