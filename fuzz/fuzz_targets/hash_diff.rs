//! Every hash backend finds the same headers as the reference, for any header, target and range,
//! and has the same hashes.
#![no_main]

use adit::hash::backend::available;
use adit::hash::{Hash, HeaderScan, Hit, VersionScan, sha256d_header};
use adit::units::Target;
use libfuzzer_sys::fuzz_target;

/// Headers in a range, at most: the reference hashes each.
const COUNT_MAX: u64 = 200;

fuzz_target!(|input: (&[u8], u32, u8, u8)| {
    let (bytes, start, count, zeros) = input;
    let mut header = [0; 80];
    for (to, from) in header.iter_mut().zip(bytes) {
        *to = *from;
    }
    let count = u64::from(count).min(COUNT_MAX);
    // A hash of the range with some zeros in front: some headers meet it, most do not.
    let mut bound = hash(&header, None, start);
    bound[31] >>= zeros % 8;
    let target = Target::from_le_bytes(bound);
    let headers: Vec<[u8; 80]> =
        (0..count).map(|place| changed(&header, None, start.wrapping_add(place as u32))).collect();
    let hashes: Vec<Hash> = headers.iter().map(sha256d_header).collect();
    let expected: Vec<u64> =
        (0..count).filter(|place| target.is_met_by(&hashes[*place as usize])).collect();
    let versions: Vec<u32> = (0..VersionScan::MULTIPLE as u32).map(|version| version << 13 | 4).collect();
    let rolled: Vec<u64> = (0_u64..)
        .zip(&versions)
        .filter(|(_, version)| target.is_met_by(&hash(&header, Some(**version), start)))
        .map(|(place, _)| place)
        .collect();
    for backend in available() {
        if let Some(batch) = backend.batch() {
            let mut out = vec![[0; 32]; headers.len()];
            batch.headers(&headers, &mut out);
            assert_eq!(out, hashes, "{} batch", backend.name());
        }
        let mut hits: Vec<Hit> = Vec::new();
        let tried = HeaderScan::new(&header).scan(backend, &target, start, count, &mut hits);
        let places: Vec<u64> = hits.iter().map(|hit| hit.place).collect();
        let expected: Vec<u64> = expected.iter().copied().filter(|place| *place < tried).collect();
        assert_eq!(places, expected, "{}", backend.name());
        assert!(tried == count || hits.len() >= 64, "stopped after {tried} with {} hits", hits.len());
        if backend.rolls_versions() {
            let mut hits = Vec::new();
            VersionScan::new(&header, &versions).scan(backend, &target, start, 1, &mut hits);
            let places: Vec<u64> = hits.iter().map(|hit| hit.place).collect();
            assert_eq!(places, rolled, "{} versions", backend.name());
        }
    }
});

fn hash(header: &[u8; 80], version: Option<u32>, nonce: u32) -> Hash {
    sha256d_header(&changed(header, version, nonce))
}

fn changed(header: &[u8; 80], version: Option<u32>, nonce: u32) -> [u8; 80] {
    let mut header = *header;
    if let Some(version) = version {
        header[..4].copy_from_slice(&version.to_le_bytes());
    }
    header[76..].copy_from_slice(&nonce.to_le_bytes());
    header
}
