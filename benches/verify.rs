//! The hashing of shares and of merkle trees, alone and in batches, per second of CPU time.
//!
//! A share is what a pool must hash for it: a coinbase of 250 bytes, twelve
//! levels of its merkle branch, the header. The named reference is the `sha2`
//! crate's digest, called as its documentation shows. Cases take turns, so that
//! a change of clock or of other load meets all of them; each figure is the
//! median of [`TURNS`]. Every case is first asserted to give the reference's
//! results.
//!
//! Run: `cargo bench --bench verify`

use std::hint::black_box;
use std::time::{Duration, Instant};

use adit::block::root;
use adit::hash::backend::{Batch, available, find, names};
use adit::hash::batch;
use adit::hash::{Hash, Prefix, fold_branch, sha256d_header};
use sha2::{Digest, Sha256};

/// How often each case is measured.
const TURNS: usize = 11;

/// CPU time of one turn: well above the tick at which the kernel counts it.
const TURN: Duration = Duration::from_millis(60);

/// Bytes of the coinbase, and how many before the extranonce a job keeps hashed.
const COINBASE_BYTES: usize = 250;
const CACHED_BYTES: usize = 64;

/// Levels of the branch.
const LEVELS: u8 = 12;

/// Shares at hand; batches are cut from them.
const SHARES: usize = 64;

const TRANSACTIONS: u32 = 3_000;

fn sha256d(message: &[u8]) -> Hash {
    Sha256::digest(Sha256::digest(message)).into()
}

/// Shares of one job.
struct Shares {
    coinbases: Vec<[u8; COINBASE_BYTES]>,
    branch: Vec<Hash>,
}

impl Shares {
    fn new() -> Self {
        let coinbase = |n: u8| std::array::from_fn(|at| if at < CACHED_BYTES { 0x5a } else { n ^ at as u8 });
        Self {
            coinbases: (0..SHARES as u8).map(coinbase).collect(),
            branch: (0..LEVELS).map(|level| sha256d(&[level])).collect(),
        }
    }

    fn by_reference(&self) -> Vec<Hash> {
        let one = |coinbase: &[u8; COINBASE_BYTES]| {
            let up = |node: Hash, sibling: &Hash| sha256d(&[node, *sibling].concat());
            sha256d(&header(&self.branch.iter().fold(sha256d(coinbase), up)))
        };
        self.coinbases.iter().map(one).collect()
    }

    /// One after the other.
    fn singly(&self, prefix: &Prefix) -> Vec<Hash> {
        let one = |coinbase: &[u8; COINBASE_BYTES]| {
            let txid = prefix.sha256d(&[&coinbase[prefix.len()..]]);
            sha256d_header(&header(&fold_branch(txid, &self.branch)))
        };
        self.coinbases.iter().map(one).collect()
    }

    /// `size` at once, with `backend` or what the library would take.
    fn in_batches(&self, size: usize, prefix: &Prefix, backend: Option<&Batch>) -> Vec<Hash> {
        let mut hashes = vec![Hash::default(); SHARES];
        for (coinbases, out) in self.coinbases.chunks(size).zip(hashes.chunks_mut(size)) {
            let tails: Vec<&[u8]> = coinbases.iter().map(|coinbase| &coinbase[prefix.len()..]).collect();
            match backend {
                Some(backend) => backend.tails(prefix.absorbed(), &tails, out),
                None => batch::tails(prefix, &tails, out),
            }
            match backend {
                Some(backend) => backend.fold(out, &self.branch),
                None => batch::fold(out, &self.branch),
            }
            let headers: Vec<[u8; 80]> = out.iter().map(header).collect();
            match backend {
                Some(backend) => backend.headers(&headers, out),
                None => batch::headers(&headers, out),
            }
        }
        hashes
    }
}

fn header(root: &Hash) -> [u8; 80] {
    let mut header = [0; 80];
    header[36..68].copy_from_slice(root);
    header
}

fn root_by_reference(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let up = |pair: &[Hash]| sha256d(&[pair[0], *pair.last().expect("not empty")].concat());
        level = level.chunks(2).map(up).collect();
    }
    level[0]
}

/// CPU time of this thread so far; `None` where the system does not tell.
fn cpu_time() -> Option<Duration> {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    schedstat.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Something to measure, and how many units of work it is.
struct Case<'a> {
    name: String,
    units: usize,
    run: Box<dyn Fn() + 'a>,
    per_second: Vec<f64>,
}

impl<'a> Case<'a> {
    fn new<T: PartialEq + std::fmt::Debug>(
        name: impl Into<String>,
        units: usize,
        expected: &T,
        run: impl Fn() -> T + 'a,
    ) -> Self {
        let name = name.into();
        assert_eq!(run(), *expected, "{name}");
        let run = Box::new(move || drop(black_box(run())));
        Self { name, units, run, per_second: Vec::new() }
    }

    fn turn(&mut self) {
        let (cpu, wall) = (cpu_time(), Instant::now());
        let mut times = 0;
        while wall.elapsed() < TURN {
            for _ in 0..4 {
                (self.run)();
            }
            times += 4;
        }
        let spent = cpu_time().zip(cpu).map_or(wall.elapsed(), |(after, before)| after - before);
        self.per_second.push((times * self.units) as f64 / spent.as_secs_f64());
    }

    fn median(&mut self) -> f64 {
        self.per_second.sort_unstable_by(f64::total_cmp);
        self.per_second[self.per_second.len() / 2]
    }
}

/// Measures the cases in turns and prints them beside the first.
fn compare(title: &str, mut cases: Vec<Case<'_>>) {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for _ in 0..TURNS {
        cases.iter_mut().for_each(Case::turn);
    }
    println!("\n{title}, a second of CPU time");
    let reference = cases[0].median();
    for case in &mut cases {
        let median = case.median();
        println!("{:44} {median:12.0} {:6.2}", case.name, median / reference);
    }
}

fn main() {
    for name in names().filter(|name| find(name).is_err()) {
        println!("SKIPPED, this CPU lacks it: {name}");
    }
    let shares = Shares::new();
    let hashes = shares.by_reference();
    let (nothing, cached) = (Prefix::of(&[]), Prefix::of(&shares.coinbases[0][..CACHED_BYTES]));
    let mut cases = vec![
        Case::new("sha2", SHARES, &hashes, || shares.by_reference()),
        Case::new("one by one", SHARES, &hashes, || shares.singly(&nothing)),
        Case::new("one by one, prefix cached", SHARES, &hashes, || shares.singly(&cached)),
    ];
    let backends = available().filter_map(|backend| Some((backend.name(), Some(backend.batch()?))));
    for (name, backend) in backends.chain([("as chosen", None)]) {
        for size in [1, 8, 16, 32, 64] {
            let (shares, nothing) = (&shares, &nothing);
            let run = move || shares.in_batches(size, nothing, backend);
            cases.push(Case::new(format!("{name}, {size} at once"), SHARES, &hashes, run));
        }
        let (shares, cached) = (&shares, &cached);
        let run = move || shares.in_batches(32, cached, backend);
        cases.push(Case::new(format!("{name}, 32 at once, prefix cached"), SHARES, &hashes, run));
    }
    compare("shares verified", cases);

    let leaves: Vec<Hash> = (0..TRANSACTIONS).map(|n| sha256d(&n.to_le_bytes())).collect();
    let top = root_by_reference(&leaves);
    let cases = vec![
        Case::new("sha2", 1, &top, || root_by_reference(&leaves)),
        Case::new("block::root", 1, &top, || root(&leaves)),
    ];
    compare(&format!("merkle roots of {TRANSACTIONS} transactions"), cases);
}
