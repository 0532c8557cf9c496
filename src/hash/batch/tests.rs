//! Every backend, addressed by itself, against the `sha2` crate.

use std::io::Write;

use adit_kernels::{available, names};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

fn reference(message: &[u8]) -> Hash {
    Sha256::digest(Sha256::digest(message)).into()
}

/// Runs `with` for each backend of this CPU.
fn each(with: impl Fn(&Batch)) {
    available().filter_map(|backend| backend.batch()).for_each(with);
}

/// Past the capture of test output: what was not tested must be seen.
#[test]
fn says_what_is_skipped() {
    for name in names() {
        let ran = match find(name).map(adit_kernels::Backend::batch) {
            Ok(Some(_)) => "tested",
            Ok(None) => "has no way of its own",
            Err(_) => "SKIPPED, this CPU lacks it",
        };
        writeln!(std::io::stderr(), "hash::batch {name}: {ran}").unwrap();
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_order_names_backends() {
    for name in [FOR_ONE, FOR_FEW, FOR_MANY].concat() {
        assert!(names().any(|known| known == name), "{name}");
        assert!(find(name).map_or(true, |backend| backend.batch().is_some()), "{name}");
    }
}

/// Bytes that differ from each other and with `seed`.
fn bytes<const N: usize>(seed: usize) -> [u8; N] {
    let mut bytes = [0; N];
    for (block, chunk) in bytes.chunks_mut(32).enumerate() {
        let hash = Sha256::digest(format!("{seed} {block}"));
        chunk.copy_from_slice(&hash[..chunk.len()]);
    }
    bytes
}

fn check_headers(count: usize, hash: impl Fn(&[[u8; 80]], &mut [Hash])) {
    let headers: Vec<[u8; 80]> = (0..count).map(bytes).collect();
    let mut out = vec![[0xee; 32]; count];
    hash(&headers, &mut out);
    let expected: Vec<Hash> = headers.iter().map(|header| reference(header)).collect();
    assert_eq!(out, expected, "{count} headers");
}

fn check_pairs(count: usize, hash: impl Fn(&[[Hash; 2]], &mut [Hash])) {
    let pairs: Vec<[Hash; 2]> = (0..count).map(|n| [bytes(n), bytes(n + 1000)]).collect();
    let mut out = vec![[0xee; 32]; count];
    hash(&pairs, &mut out);
    let expected: Vec<Hash> = pairs.iter().map(|pair| reference(pair.as_flattened())).collect();
    assert_eq!(out, expected, "{count} pairs");
}

fn check_fold(count: usize, levels: usize, fold: impl Fn(&mut [Hash], &[Hash])) {
    let branch: Vec<Hash> = (0..levels).map(bytes).collect();
    let mut nodes: Vec<Hash> = (500..500 + count).map(bytes).collect();
    let up = |node: Hash, sibling: &Hash| reference(&[node, *sibling].concat());
    let expected: Vec<Hash> = nodes.iter().map(|node| branch.iter().fold(*node, up)).collect();
    fold(&mut nodes, &branch);
    assert_eq!(nodes, expected, "{count} nodes, {levels} levels");
}

/// `messages` have one length; their first `common` bytes are the same.
fn check_tails(messages: &[Vec<u8>], common: usize, hash: impl Fn(&Prefix, &[&[u8]], &mut [Hash])) {
    let prefix = Prefix::of(messages.first().map_or(&[], |message| &message[..common]));
    let tails: Vec<&[u8]> = messages.iter().map(|message| &message[prefix.len()..]).collect();
    let mut out = vec![[0xee; 32]; messages.len()];
    hash(&prefix, &tails, &mut out);
    let expected: Vec<Hash> = messages.iter().map(|message| reference(message)).collect();
    assert_eq!(out, expected, "{} messages with {common} bytes in common", messages.len());
}

/// In two parts, the first as long as what is in common.
fn check_parts(message: &[u8], common: usize, hash: impl Fn(&Prefix, &[&[u8]]) -> Hash) {
    let prefix = Prefix::of(&message[..common]);
    let (left, right) = message.split_at(common);
    let hashed = hash(&prefix, &[&left[prefix.len()..], right]);
    assert_eq!(hashed, reference(message), "{} bytes, cut at {common}", message.len());
}

fn messages(count: usize, common: usize, length: usize) -> Vec<Vec<u8>> {
    let all = bytes::<300>(7);
    let message = |n| [&all[..common], &bytes::<300>(n)[..length - common]].concat();
    (0..count).map(message).collect()
}

#[test]
fn any_number_of_messages() {
    for count in 0..70 {
        each(|backend| {
            check_headers(count, |headers, out| backend.headers(headers, out));
            check_pairs(count, |pairs, out| backend.pairs(pairs, out));
            check_fold(count, 3, |nodes, branch| backend.fold(nodes, branch));
            check_tails(&messages(count, 70, 250), 70, |prefix, tails, out| {
                backend.tails(prefix.absorbed(), tails, out)
            });
        });
        check_headers(count, headers);
        check_pairs(count, pairs);
        check_fold(count, 3, fold);
        check_tails(&messages(count, 70, 250), 70, tails);
    }
}

#[test]
fn any_number_of_levels() {
    for levels in 0..14 {
        each(|backend| check_fold(5, levels, |nodes, branch| backend.fold(nodes, branch)));
    }
}

/// Where the padding begins in a block decides whether it needs another.
#[test]
fn any_length() {
    for length in 0..200 {
        for common in [0, length.min(64), length] {
            each(|backend| {
                let messages = messages(3, common, length);
                check_parts(&messages[0], common, |prefix, parts| backend.parts(prefix.absorbed(), parts));
                check_tails(&messages, common, |prefix, tails, out| {
                    backend.tails(prefix.absorbed(), tails, out)
                });
            });
        }
    }
}

/// Examples of FIPS 180 for SHA-256, published by NIST; what is done twice here must agree on the first time.
#[test]
fn published_examples() {
    let two_blocks = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr\
                      lmnopqrsmnopqrstnopqrstu";
    let examples = [
        (String::new(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc".to_owned(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".to_owned(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (two_blocks.to_owned(), "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"),
        ("a".repeat(1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ];
    for (message, first) in &examples {
        let first: Vec<u8> = first
            .as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
            .collect();
        let expected: Hash = Sha256::digest(&first).into();
        each(|backend| {
            let count = backend.lanes() + 1;
            let mut out = vec![Hash::default(); count];
            backend.tails(Prefix::of(&[]).absorbed(), &vec![message.as_bytes(); count], &mut out);
            assert_eq!(out, vec![expected; count], "{backend:?}, {} bytes", message.len());
        });
        assert_eq!(crate::hash::sha256d(message.as_bytes()), expected);
    }
}

#[test]
#[should_panic(expected = "one length")]
fn a_batch_has_one_length() {
    tails(&Prefix::of(&[]), &[b"a", b"ab"], &mut [Hash::default(); 2]);
}

#[test]
#[should_panic(expected = "as many outputs as inputs")]
fn a_batch_has_room_for_its_results() {
    headers(&[[0; 80]; 2], &mut [Hash::default()]);
}

proptest! {
    #[test]
    fn every_backend_agrees_with_the_reference(
        message in prop::collection::vec(any::<u8>(), 0..500),
        others in prop::collection::vec(any::<u8>(), 0..40),
        common in any::<prop::sample::Index>(),
        headers in prop::collection::vec(prop::collection::vec(any::<u8>(), 80), 0..40),
    ) {
        let common = common.index(message.len() + 1);
        let changed = |add: &u8| -> Vec<u8> {
            let varied = message[common..].iter().map(|byte| byte.wrapping_add(*add));
            message[..common].iter().copied().chain(varied).collect()
        };
        let messages: Vec<Vec<u8>> = others.iter().map(changed).collect();
        let headers: Vec<[u8; 80]> = headers.into_iter().map(|bytes| bytes.try_into().unwrap()).collect();
        let expected: Vec<Hash> = headers.iter().map(|header| reference(header)).collect();
        let pairs: Vec<[Hash; 2]> =
            headers.iter().map(|bytes| [*bytes.first_chunk().unwrap(), *bytes.last_chunk().unwrap()]).collect();
        let nodes: Vec<Hash> = pairs.iter().map(|pair| reference(pair.as_flattened())).collect();
        each(|backend| {
            check_tails(&messages, common, |prefix, tails, out| backend.tails(prefix.absorbed(), tails, out));
            let mut out = vec![Hash::default(); headers.len()];
            backend.headers(&headers, &mut out);
            assert_eq!(out, expected, "{backend:?}");
            backend.pairs(&pairs, &mut out);
            assert_eq!(out, nodes, "{backend:?}");
        });
    }
}
