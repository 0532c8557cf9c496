//! A job as its miner holds it: the pool's notice under the terms in force when it came.
//!
//! Difficulty and extranonce are frozen on arrival, because `set_difficulty`
//! and `set_extranonce` speak of the next job: a share is judged by the terms
//! its job was sent with. Version bits are not among the terms: a mask holds
//! from the moment it arrives, so it is an argument here.

use crate::block::{CoinbaseAudit, HeaderFields, audit};
use crate::event::Extranonce2;
use crate::hash::{Hash, Prefix, fold_branch};
use crate::stratum::v1::JobNotice;
use crate::units::{Difficulty, Target, Timestamp};

/// The extranonce as a pool divides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtranonceSplit {
    /// The pool's part.
    pub extranonce1: Vec<u8>,
    /// Bytes of the miner's part, at most [`Extranonce2::BYTES_MAX`].
    pub extranonce2_bytes: usize,
}

/// A job and its terms.
#[derive(Debug, Clone)]
pub struct MinerJob {
    /// What the pool announced.
    pub notice: JobNotice,
    /// The extranonce it is mined with.
    pub extranonce: ExtranonceSplit,
    /// The difficulty in force when it came.
    pub difficulty: Difficulty,
    /// That difficulty's exact target.
    pub target: Target,
    /// Counts the times that older jobs became void; jobs of an older
    /// generation than the newest are stale.
    pub generation: u32,
    /// When it came.
    pub received: Timestamp,
    coinb1_hash: Prefix,
}

impl MinerJob {
    /// Freezes the terms of a notice.
    #[must_use]
    pub fn new(
        notice: JobNotice,
        extranonce: ExtranonceSplit,
        difficulty: Difficulty,
        generation: u32,
        received: Timestamp,
    ) -> Self {
        let coinb1_hash = Prefix::of(&notice.coinb1);
        let target = difficulty.target();
        Self { notice, extranonce, difficulty, target, generation, received, coinb1_hash }
    }

    /// The network's target: a share that meets it is a block.
    #[must_use]
    pub fn network_target(&self) -> Target {
        Target::from_compact(self.notice.nbits)
    }

    /// The merkle root for an extranonce2.
    #[must_use]
    pub fn merkle_root(&self, extranonce2: &[u8]) -> Hash {
        let coinb1_rest = &self.notice.coinb1[self.coinb1_hash.len()..];
        let parts = [coinb1_rest, &self.extranonce.extranonce1, extranonce2, &self.notice.coinb2];
        fold_branch(self.coinb1_hash.sha256d(&parts), &self.notice.branch)
    }

    /// The block version with `bits` in place of the job's inside `mask` (BIP310).
    #[must_use]
    pub fn version(&self, bits: u32, mask: u32) -> u32 {
        (self.notice.version & !mask) | (bits & mask)
    }

    /// The header of one attempt.
    #[must_use]
    pub fn header(&self, merkle_root: Hash, version: u32, ntime: u32, nonce: u32) -> HeaderFields {
        HeaderFields {
            version,
            prev_hash: self.notice.prev_hash,
            merkle_root,
            ntime,
            nbits: self.notice.nbits,
            nonce,
        }
    }

    /// Whether `other` has the same headers to try, whatever its name and terms:
    /// searching it from the start would find the same shares again.
    #[must_use]
    pub fn is_same_work(&self, other: &Self) -> bool {
        let JobNotice { id: _, clean: _, prev_hash, coinb1, coinb2, branch, version, nbits, ntime } =
            &self.notice;
        let them = &other.notice;
        (prev_hash, version, nbits, ntime) == (&them.prev_hash, &them.version, &them.nbits, &them.ntime)
            && (coinb1, coinb2, branch) == (&them.coinb1, &them.coinb2, &them.branch)
            && self.extranonce == other.extranonce
    }

    /// What its coinbase says: height, tag, who is paid. `None` when it is no transaction.
    #[must_use]
    pub fn audit(&self, network: bitcoin::Network) -> Option<CoinbaseAudit> {
        let zeros = [0; Extranonce2::BYTES_MAX];
        let extranonce2 = zeros.get(..self.extranonce.extranonce2_bytes)?;
        let notice = &self.notice;
        let coinbase =
            [&notice.coinb1, self.extranonce.extranonce1.as_slice(), extranonce2, &notice.coinb2].concat();
        audit(&coinbase, network)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bitcoin::hashes::Hash as _;
    use bitcoin::{Amount, ScriptBuf, WPubkeyHash};

    use super::*;
    use crate::block::{Coinbase, CoinbaseSpec};

    /// A job at `difficulty`, with a real coinbase around 4 + `extranonce2_bytes` bytes of extranonce.
    pub(in crate::miner) fn job(difficulty: f64, extranonce2_bytes: usize) -> MinerJob {
        let spec = CoinbaseSpec {
            payees: vec![(ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([1; 20])), 1)],
            tag: "/adit/".into(),
            extranonce_bytes: 4 + extranonce2_bytes,
            length: None,
        };
        let coinbase =
            Coinbase::build(&spec, 300_000, Amount::from_sat(5_000_000_000), Some([7; 32])).unwrap();
        let notice = JobNotice {
            id: "1f".into(),
            prev_hash: [3; 32],
            coinb1: coinbase.prefix,
            coinb2: coinbase.suffix,
            branch: vec![[4; 32], [5; 32]],
            version: 0x2000_0000,
            nbits: 0x1d00_ffff,
            ntime: 1_700_000_000,
            clean: true,
        };
        let extranonce = ExtranonceSplit { extranonce1: vec![0xaa; 4], extranonce2_bytes };
        let difficulty = Difficulty::new(difficulty).unwrap();
        MinerJob::new(notice, extranonce, difficulty, 1, Timestamp::from_unix_seconds(1_700_000_000))
    }

    #[test]
    fn the_root_is_that_of_the_whole_transaction() {
        let job = job(1.0, 8);
        let notice = &job.notice;
        let bytes = [&notice.coinb1[..], &[0xaa; 4], &[9; 8], &notice.coinb2].concat();
        let txid = crate::hash::sha256d(&bytes);
        assert_eq!(job.merkle_root(&[9; 8]), fold_branch(txid, &notice.branch));
    }

    #[test]
    fn bits_replace_the_jobs_inside_the_mask_only() {
        let mut job = job(1.0, 8);
        job.notice.version = 0x3fff_e004;
        assert_eq!(job.version(0x0000_2001, 0x1fff_e000), 0x2000_2004);
    }

    #[test]
    fn anyone_can_read_who_is_paid() {
        let audit = job(1.0, 8).audit(bitcoin::Network::Regtest).unwrap();
        assert_eq!((audit.height, audit.tag.as_str()), (Some(300_000), "/adit/"));
        assert_eq!(audit.outputs.len(), 1);
    }

    #[test]
    fn work_is_the_same_under_another_name_or_difficulty() {
        let first = job(1.0, 8);
        let mut again = job(2.0, 8);
        again.notice.id = "20".into();
        again.notice.clean = false;
        assert!(first.is_same_work(&again));
        again.notice.ntime += 1;
        assert!(!first.is_same_work(&again));
        assert!(!first.is_same_work(&job(1.0, 4)));
    }
}
