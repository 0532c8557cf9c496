//! Merkle trees over transaction ids.
//!
//! A Stratum job carries the siblings on the path of the coinbase (position 0)
//! so that a miner can change the coinbase and find the root in `log2(n)`
//! steps. An odd level repeats its last node (Bitcoin's rule).

use crate::hash::{Hash, batch, sha256d_pair};

/// The siblings of position 0, from the bottom up, for a block whose other
/// transactions have the ids `others`.
#[must_use]
pub fn branch_of_first(others: &[Hash]) -> Vec<Hash> {
    // The node at position 0 is unknown; each level keeps only the rest.
    let mut level = others.to_vec();
    let mut branch = Vec::new();
    while !level.is_empty() {
        branch.push(level[0]);
        level = pair_up(&level[1..]);
    }
    branch
}

/// The root of a tree over `leaves`; all zero when there are none.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = pair_up(&level);
    }
    level.first().copied().unwrap_or_default()
}

fn pair_up(level: &[Hash]) -> Vec<Hash> {
    let (pairs, odd) = level.as_chunks::<2>();
    let mut above = vec![Hash::default(); pairs.len() + odd.len()];
    batch::pairs(pairs, &mut above[..pairs.len()]);
    if let ([last], Some(above)) = (odd, above.last_mut()) {
        *above = sha256d_pair(last, last);
    }
    above
}

/// The BIP141 commitment hash for a block whose transactions after the
/// coinbase have the witness ids `others`. `reserved` is the coinbase's witness,
/// zero but for what soft forks may put there.
#[must_use]
pub fn witness_commitment(others: &[Hash], reserved: &Hash) -> Hash {
    // The coinbase's own witness id counts as zero.
    let leaves: Vec<Hash> = std::iter::once(Hash::default()).chain(others.iter().copied()).collect();
    sha256d_pair(&root(&leaves), reserved)
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash as _;

    use super::*;
    use crate::hash::{fold_branch, sha256d};

    #[test]
    fn branch_and_tree_agree_for_every_size() {
        for count in (0..150u16).chain([1_023, 1_024, 2_999, 3_000]) {
            let others: Vec<Hash> = (1..=count).map(|n| sha256d(&n.to_le_bytes())).collect();
            let coinbase = [0xCB; 32];
            let all: Vec<Hash> = std::iter::once(coinbase).chain(others.iter().copied()).collect();
            let expected = bitcoin::merkle_tree::calculate_root(
                all.iter().map(|id| bitcoin::Txid::from_byte_array(*id)),
            )
            .unwrap()
            .to_byte_array();
            assert_eq!(root(&all), expected, "{count} others");
            assert_eq!(fold_branch(coinbase, &branch_of_first(&others)), expected, "{count} others");
        }
    }
}
