//! The scan of every backend, in ratios to the `sha2` crate's `compress256` on
//! the midstate. `cargo bench --bench sha256d`.
//!
//! Before anything is timed, all must agree about which headers are candidates.

use std::hint::black_box;

use adit::hash::backend::{self, Backend, Midstates, PER_BYTE, Work};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Headers in one call.
const HEADERS: usize = 4096;

/// One hash in sixteen is a candidate, so that there is something to agree about.
const TOP: u32 = 0x0fff_ffff;

fn work(top: u32) -> Work {
    Work { midstate: [0x0123_4567; 8], words: [0x89ab_cdef, 2, 3], top }
}

fn agree(backend: &Backend, midstates: &Midstates) {
    let reference = backend::find("scalar").expect("scalar is everywhere");
    let (mut expected, mut answer) = ([0; HEADERS / PER_BYTE], [0; HEADERS / PER_BYTE]);
    for first in [0, 0xffff_ff00] {
        reference.nonces(&work(TOP), first, &mut expected);
        backend.nonces(&work(TOP), first, &mut answer);
        assert_eq!(answer, expected, "{}", backend.name());
    }
    assert_ne!(expected, [0; HEADERS / PER_BYTE]);
    if backend.versions(midstates, 7, TOP, &mut answer) {
        for index in 0..HEADERS {
            let hash = backend::words::double_hash(midstates.midstate(index), midstates.words(), 7);
            let bit = answer[index / PER_BYTE] >> (index % PER_BYTE) & 1 == 1;
            assert_eq!(bit, hash[7].swap_bytes() <= TOP, "{}, version {index}", backend.name());
        }
    }
}

fn scan(criterion: &mut Criterion) {
    let midstates = Midstates::new(&[7; 80], &(0..HEADERS as u32).collect::<Vec<_>>());
    for backend in backend::available() {
        agree(backend, &midstates);
    }
    let mut group = criterion.benchmark_group("sha256d");
    group.throughput(Throughput::Elements(HEADERS as u64));
    let mut answer = [0; HEADERS / PER_BYTE];
    for backend in backend::available() {
        let mut nonce = 0_u32;
        group.bench_function(format!("{}/nonce", backend.name()), |bencher| {
            bencher.iter(|| {
                nonce = nonce.wrapping_add(HEADERS as u32);
                backend.nonces(&work(0), nonce, black_box(&mut answer));
            });
        });
        if backend.rolls_versions() {
            group.bench_function(format!("{}/versions", backend.name()), |bencher| {
                bencher.iter(|| {
                    nonce = nonce.wrapping_add(1);
                    backend.versions(&midstates, nonce, 0, black_box(&mut answer))
                });
            });
        }
    }
    group.finish();
}

/// One backend after the other in turns, so that ratios hold on a busy machine.
fn ratios(_: &mut Criterion) {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let bench = adit::bench::HashBench { threads: 1, seconds: 5.0, only: None };
    let report = adit::bench::hashing(&bench, &std::sync::atomic::AtomicBool::new(false));
    for row in report.rows {
        let share = row
            .share_of_limit
            .map_or_else(String::new, |share| format!(", {:.0} % of the limit", share * 100.0));
        println!("{} {}: {:.2} x sha2 compress256{share}", row.backend, row.mode, row.ratio_to_sha2);
    }
}

criterion_group!(benches, scan, ratios);
criterion_main!(benches);
