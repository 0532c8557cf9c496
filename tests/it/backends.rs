//! Every hash backend of this CPU against the reference, each addressed directly.
//!
//! The reference is the `bitcoin` crate's hashing, which shares no code with
//! ours. Which backends ran is printed, and which this CPU lacks: run with
//! `--nocapture` (as `ci/hash` does) to see it.

use adit::hash::backend::{self, Backend, PER_BYTE, Work};
use adit::hash::{HeaderScan, VersionScan};
use adit::units::Target;
use bitcoin::hashes::{Hash as _, sha256, sha256d};
use proptest::prelude::*;

/// Real headers of Bitcoin, by height. Facts of the chain; each proves itself by its hash.
const MAINNET: &str = include_str!("../data/mainnet_headers.csv");

/// Those of which a scan starts on every lane of every chain: 16 lanes, four groups.
const OFFSETS: u32 = 64;

fn mainnet() -> Vec<[u8; 80]> {
    let parse = |line: &str| {
        let hex = line.split_once(',').expect("height,header").1;
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
        std::array::from_fn(byte)
    };
    MAINNET.lines().skip(1).map(parse).collect()
}

fn nonce_of(header: &[u8; 80]) -> u32 {
    u32::from_le_bytes(*header.last_chunk().expect("80 bytes"))
}

fn with_nonce(header: &[u8; 80], nonce: u32) -> [u8; 80] {
    let mut header = *header;
    header[76..].copy_from_slice(&nonce.to_le_bytes());
    header
}

fn with_version(header: &[u8; 80], version: u32) -> [u8; 80] {
    let mut header = *header;
    header[..4].copy_from_slice(&version.to_le_bytes());
    header
}

fn reference(header: &[u8; 80]) -> [u8; 32] {
    sha256d::Hash::hash(header).to_byte_array()
}

/// Runs `check` on each backend, and says so.
fn each(what: &str, check: impl Fn(&'static Backend)) {
    let available: Vec<&str> = backend::available().map(Backend::name).collect();
    for name in backend::names() {
        let ran = if available.contains(&name) { "ran" } else { "SKIPPED, this CPU lacks it" };
        println!("{what}: backend {name} {ran}");
    }
    assert!(available.contains(&"scalar"));
    backend::available().for_each(check);
}

/// The nonces that a scan finds, with all that it hashes compared.
fn found(backend: &Backend, header: &[u8; 80], target: &Target, start: u32, count: u64) -> Vec<u32> {
    let scan = HeaderScan::new(header);
    let mut nonces = Vec::new();
    let mut tried = 0;
    while tried < count {
        let first = start.wrapping_add(tried as u32);
        let mut hits = Vec::new();
        let here = scan.scan(backend, target, first, count - tried, &mut hits);
        assert!(here > 0 && here <= count - tried);
        for hit in hits {
            assert!(hit.place < here);
            let nonce = first.wrapping_add(hit.place as u32);
            assert_eq!(hit.hash, reference(&with_nonce(header, nonce)), "{}", backend.name());
            nonces.push(nonce);
        }
        tried += here;
    }
    nonces
}

#[test]
fn the_reference_knows_its_vectors() {
    // FIPS 180-4 examples, and the longest that NIST prints in full: one and two blocks.
    fn check(message: &str, digest: &str) {
        assert_eq!(sha256::Hash::hash(message.as_bytes()).to_string(), digest);
        let twice = sha256::Hash::hash(&sha256::Hash::hash(message.as_bytes()).to_byte_array());
        assert_eq!(adit::hash::sha256d(message.as_bytes()), twice.to_byte_array());
    }
    check("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check(
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    );
    // The same by the compression that the backends build on.
    let mut state = backend::words::INITIAL;
    backend::words::compress(&mut state, &[0x6162_6380, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24]);
    assert_eq!(state[..2], [0xba78_16bf, 0x8f01_cfea]);
}

#[test]
fn mainnet_blocks_are_found_in_every_lane() {
    let headers = mainnet();
    assert!(headers.len() > 20);
    each("mainnet headers at 64 offsets", |backend| {
        for header in &headers {
            let bits = u32::from_le_bytes(*header[72..].first_chunk().expect("bits"));
            let target = Target::from_compact(bits);
            let nonce = nonce_of(header);
            for offset in 0..OFFSETS {
                let start = nonce.wrapping_sub(offset);
                assert_eq!(
                    found(backend, header, &target, start, 128),
                    [nonce],
                    "{} offset {offset}",
                    backend.name()
                );
                assert_eq!(found(backend, header, &target, start, u64::from(offset)), [0; 0]);
                assert_eq!(found(backend, header, &target, start, u64::from(offset) + 1), [nonce]);
            }
        }
    });
}

#[test]
fn mainnet_versions_are_found_in_every_lane() {
    each("mainnet versions at 64 lanes", |backend| {
        if !backend.rolls_versions() {
            return;
        }
        for header in mainnet() {
            let version = u32::from_le_bytes(*header.first_chunk().expect("version"));
            let target = Target::from_compact(u32::from_le_bytes(*header[72..].first_chunk().expect("bits")));
            for lane in 0..64 {
                let versions: Vec<u32> = (0..64).map(|other| version ^ ((other ^ lane) << 13)).collect();
                let scan = VersionScan::new(&header, &versions);
                let mut hits = Vec::new();
                let start = nonce_of(&header).wrapping_sub(1);
                assert_eq!(scan.scan(backend, &target, start, 3, &mut hits), 3);
                let places: Vec<u64> = hits.iter().map(|hit| hit.place).collect();
                assert_eq!(places, [64 + u64::from(lane)], "{}", backend.name());
                assert_eq!(hits[0].hash, reference(&header));
            }
        }
    });
}

#[test]
fn the_ends_of_the_nonces_meet() {
    each("nonces around 0 and 2^32 - 1", |backend| {
        let header = mainnet()[0];
        let target = Target::from_be_bytes([0x1f; 32]);
        for start in [0, 1, u32::MAX, u32::MAX - 1, u32::MAX - 15, u32::MAX - 100] {
            let expected: Vec<u32> = (0..300)
                .map(|place| start.wrapping_add(place))
                .filter(|nonce| target.is_met_by(&reference(&with_nonce(&header, *nonce))))
                .collect();
            assert!(expected.len() > 10);
            assert_eq!(found(backend, &header, &target, start, 300), expected, "{}", backend.name());
        }
        // Every hash meets the largest target, none the smallest.
        let all: Vec<u32> = (0..1000).map(|place| (u32::MAX - 499).wrapping_add(place)).collect();
        assert_eq!(found(backend, &header, &Target::MAX, u32::MAX - 499, 1000), all);
        assert_eq!(found(backend, &header, &Target::from_le_bytes([0; 32]), 7, 1000), [0; 0]);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_headers_and_targets_have_exactly_the_hits_of_the_reference(
        bytes in prop::collection::vec(any::<u8>(), 80),
        start in any::<u32>(),
        count in 0_u64..400,
        // A hash among the candidates is the target: that one exactly meets it.
        bound in any::<prop::sample::Index>(),
        zeros in 0_u32..8,
    ) {
        let header: [u8; 80] = bytes.try_into().unwrap();
        let hash = |place: u64| reference(&with_nonce(&header, start.wrapping_add(place as u32)));
        let mut target = hash(bound.index(400) as u64);
        target[31] >>= zeros;
        let target = Target::from_le_bytes(target);
        let expected: Vec<u32> = (0..count)
            .filter(|place| target.is_met_by(&hash(*place)))
            .map(|place| start.wrapping_add(place as u32))
            .collect();
        for backend in backend::available() {
            prop_assert_eq!(&found(backend, &header, &target, start, count), &expected, "{}", backend.name());
        }
    }

    #[test]
    fn random_versions_have_exactly_the_hits_of_the_reference(
        bytes in prop::collection::vec(any::<u8>(), 80),
        groups in 1_u32..5,
        step in 1_u32..1000,
        start in any::<u32>(),
        bound in any::<prop::sample::Index>(),
    ) {
        let header: [u8; 80] = bytes.try_into().unwrap();
        let versions: Vec<u32> =
            (0..groups * VersionScan::MULTIPLE as u32).map(|index| index.wrapping_mul(step << 13)).collect();
        let hash = |place: usize| {
            let nonce = start.wrapping_add((place / versions.len()) as u32);
            reference(&with_nonce(&with_version(&header, versions[place % versions.len()]), nonce))
        };
        let target = Target::from_le_bytes(hash(bound.index(3 * versions.len())));
        let expected: Vec<(u64, [u8; 32])> = (0..3 * versions.len())
            .map(|place| (place as u64, hash(place)))
            .filter(|(_, hash)| target.is_met_by(hash))
            .collect();
        let scan = VersionScan::new(&header, &versions);
        for backend in backend::available().filter(|backend| backend.rolls_versions()) {
            let (mut all, mut tried) = (Vec::new(), 0);
            while tried < 3 {
                let mut hits = Vec::new();
                let here = scan.scan(backend, &target, start.wrapping_add(tried as u32), 3 - tried, &mut hits);
                let first = tried * versions.len() as u64;
                all.extend(hits.iter().map(|hit| (first + hit.place, hit.hash)));
                tried += here;
            }
            prop_assert_eq!(&all, &expected, "{}", backend.name());
        }
    }
}

#[test]
fn a_candidate_is_what_the_last_word_says() {
    each("the last word at its bound", |backend| {
        let work = Work { midstate: [0x1234_5678; 8], words: [1, 2, 3], top: 0 };
        let last = |nonce| backend::words::double_hash(work.midstate, work.words, nonce)[7].swap_bytes();
        for nonce in 0..32 {
            for (top, expected) in [(last(nonce), true), (last(nonce).wrapping_sub(1), last(nonce) == 0)] {
                let mut answer = [0; 4];
                backend.nonces(&Work { top, ..work }, 0, &mut answer);
                let bit = answer[nonce as usize / PER_BYTE] >> (nonce as usize % PER_BYTE) & 1 == 1;
                assert_eq!(bit, expected, "{} nonce {nonce}", backend.name());
            }
        }
    });
}
