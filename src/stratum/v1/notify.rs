//! `mining.notify`, serialised once per template.
//!
//! Only three things differ between miners: the job's id (so that a share names
//! the exact terms it was done under), ntime (so that a job sent twice is never
//! the same work), and whether older work is void. They are spliced between
//! parts that every session shares; nothing is formatted per miner.

use super::hex;
use crate::event::JobId;
use crate::hash::Hash;

/// The shared parts of one template's notify.
#[derive(Debug, Clone)]
pub struct Notify {
    /// From the quote after the job id to the quote before ntime.
    middle: Box<[u8]>,
}

const HEAD: &[u8] = b"{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"";
const CLEAN: &[u8] = b"\",true]}\n";
const NOT_CLEAN: &[u8] = b"\",false]}\n";

impl Notify {
    /// Serialises a job. `prev_hash` and `branch` are in internal order.
    #[must_use]
    pub fn new(
        prev_hash: &Hash,
        coinb1: &[u8],
        coinb2: &[u8],
        branch: &[Hash],
        version: u32,
        nbits: u32,
    ) -> Self {
        let mut middle = Vec::with_capacity(2 * (coinb1.len() + coinb2.len()) + 67 * branch.len() + 128);
        middle.extend_from_slice(b"\",\"");
        hex::write(&mut middle, &swap_words(prev_hash));
        middle.extend_from_slice(b"\",\"");
        hex::write(&mut middle, coinb1);
        middle.extend_from_slice(b"\",\"");
        hex::write(&mut middle, coinb2);
        middle.extend_from_slice(b"\",[");
        for (index, sibling) in branch.iter().enumerate() {
            middle.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            hex::write(&mut middle, sibling);
            middle.push(b'"');
        }
        middle.extend_from_slice(b"],\"");
        hex::write_u32(&mut middle, version);
        middle.extend_from_slice(b"\",\"");
        hex::write_u32(&mut middle, nbits);
        middle.extend_from_slice(b"\",\"");
        Self { middle: middle.into_boxed_slice() }
    }

    /// Writes the line for one miner.
    pub fn write(&self, out: &mut Vec<u8>, job: JobId, ntime: u32, clean: bool) {
        out.reserve(self.middle.len() + 96);
        out.extend_from_slice(HEAD);
        hex::write_job(out, job);
        out.extend_from_slice(&self.middle);
        hex::write_u32(out, ntime);
        out.extend_from_slice(if clean { CLEAN } else { NOT_CLEAN });
    }
}

/// The bytes reversed inside each 4-byte word: how Stratum V1 writes prevhash.
pub(super) fn swap_words(hash: &Hash) -> Hash {
    let mut swapped = *hash;
    for word in swapped.as_chunks_mut::<4>().0 {
        word.reverse();
    }
    swapped
}
