//! SHA-256 on plain words: its constants, what is worked out before a scan, and what checks its finds.
//!
//! Source: FIPS 180-4.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;
use sha2::digest::typenum::U64;

/// 32 bytes as SHA-256 returns them.
pub type Hash = [u8; 32];

/// Bytes in one compression.
pub const BLOCK: usize = 64;

/// Initial state (5.3.3).
pub const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Round constants (4.2.2).
#[rustfmt::skip]
pub const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Compresses one block into `state`, with the `sha2` crate.
pub fn compress_bytes(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    compress256(state, std::slice::from_ref(GenericArray::<u8, U64>::from_slice(block)));
}

/// Compresses one block of 16 words into `state`.
pub fn compress(state: &mut [u32; 8], words: &[u32; 16]) {
    let mut block = [0; BLOCK];
    for (bytes, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    compress_bytes(state, &block);
}

/// The bytes of a finished hash.
#[must_use]
pub fn to_bytes(state: [u32; 8]) -> Hash {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *chunk = word.to_be_bytes();
    }
    bytes
}

/// The double hash of a header, given the state after its first 64 bytes and the words behind.
#[must_use]
pub fn double_hash(midstate: [u32; 8], [merkle, ntime, nbits]: [u32; 3], nonce: u32) -> [u32; 8] {
    let mut first = midstate;
    let nonce = nonce.swap_bytes();
    compress(&mut first, &[merkle, ntime, nbits, nonce, END, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8 * 80]);
    let [a, b, c, d, e, f, g, h] = first;
    let mut second = INITIAL;
    compress(&mut second, &[a, b, c, d, e, f, g, h, END, 0, 0, 0, 0, 0, 0, 8 * 32]);
    second
}

/// The bit that ends a message, in a word of its own.
pub(crate) const END: u32 = 0x8000_0000;

/// One round (6.2.2); `kw` is the sum of its constant and its message word.
pub(crate) const fn round([a, b, c, d, e, f, g, h]: [u32; 8], kw: u32) -> [u32; 8] {
    let sum_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let choice = (e & f) ^ (!e & g);
    let t = h.wrapping_add(sum_1).wrapping_add(choice).wrapping_add(kw);
    let sum_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let majority = (a & b) ^ (a & c) ^ (b & c);
    [t.wrapping_add(sum_0).wrapping_add(majority), a, b, c, d.wrapping_add(t), e, f, g]
}

/// Of the message schedule (4.1.2).
pub(crate) const fn sigma_0(x: u32) -> u32 {
    x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3)
}

/// Of the message schedule (4.1.2).
pub(crate) const fn sigma_1(x: u32) -> u32 {
    x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10)
}
