//! The known mistakes, each as the headers that it would have hashed.
//!
//! Every hypothesis changes one thing and leaves the rest as described; the
//! same header is tried once, under the first of its names. Sources of the
//! mistakes: firmware that made them, as listed in the conformance cases.

use super::{Evidence, Explanation, ShareFacts, Solution, jobs_newest_first};
use crate::block::HeaderFields;
use crate::conformance::log::{Connection, Difference, Fact, JobRecord, Log};
use crate::conformance::scale::WorkScale;
use crate::hash::{Hash, fold_branch, sha256d, sha256d_header, sha256d_pair};
use crate::units::{Difficulty, Target};

/// Other jobs that are tried, newest first: queues of firmware are shorter.
const JOBS_MAX: usize = 64;

/// Other extranonce1 that are tried, newest first.
const EXTRANONCES_MAX: usize = 16;

/// Siblings that are tried: merkle branches of blocks have at most 14 or so;
/// cases send up to 64.
const BRANCH_MAX: usize = 64;

/// Lengths of fixed buffers that firmware was seen to use, beside powers of two:
/// NerdMiner 255 (#807), ESP-Miner 384 (#1897), signed bytes, off-by-ones.
const CUTS: [usize; 12] = [127, 192, 250, 252, 255, 320, 384, 500, 511, 768, 1_000, 1_023];

/// Masks that firmware takes for granted: BIP320, BIP323.
const USUAL_MASKS: [u32; 2] = [0x1fff_e000, 0x1fff_ffe0];

/// Lengths of extranonces that firmware has built in.
const USUAL_EXTRANONCE: [usize; 3] = [2, 4, 8];

struct Bench<'a> {
    solution: &'a Solution<'a>,
    scale: WorkScale,
    seen: Vec<Hash>,
    evidence: Evidence,
}

impl Bench<'_> {
    /// The probability that one wrong header meets `difficulty`.
    fn luck(&self, difficulty: Difficulty) -> f64 {
        (self.scale.factor() / difficulty.expected_hashes()).min(1.0)
    }

    fn header(
        &mut self,
        explanation: Explanation,
        header: &HeaderFields,
        difficulty: Difficulty,
        target: &Target,
    ) {
        let hash = sha256d_header(&header.to_bytes());
        if !self.seen.contains(&hash) {
            self.seen.push(hash);
            self.evidence.add(explanation, self.luck(difficulty), target.is_met_by(&hash));
        }
    }

    /// The described header of another job.
    fn job(&mut self, explanation: Explanation, job: &JobRecord) {
        let header = self.solution.header(job);
        self.header(explanation, &header, job.difficulty, &self.scale.target(job.difficulty));
    }
}

/// Tries all mistakes for a share whose described header carries no proof.
pub(super) fn try_all(
    log: &Log,
    facts: &ShareFacts,
    job: Option<&JobRecord>,
    solution: &Solution<'_>,
    scale: WorkScale,
) -> Evidence {
    let mut bench = Bench { solution, scale, seen: Vec::new(), evidence: Evidence::default() };
    bench.seen.extend(facts.hash);
    if let Some(job) = job {
        under_the_job(&mut bench, log, job);
        if let Some(hash) = &facts.hash {
            difficulties(&mut bench, log, job, hash);
        }
    }
    let others = |job: &&JobRecord| Some(job.number) != facts.job;
    for other in jobs_newest_first(log).filter(others).filter(|job| job.id == facts.job_id).take(JOBS_MAX) {
        bench.job(Explanation::EarlierJobOfThatName(other.number), other);
    }
    for other in jobs_newest_first(log).filter(others).filter(|job| job.id != facts.job_id).take(JOBS_MAX) {
        bench.job(Explanation::OtherJob(other.number), other);
    }
    bench.evidence
}

fn under_the_job(bench: &mut Bench<'_>, log: &Log, job: &JobRecord) {
    let solution = bench.solution;
    let proper = solution.header(job);
    let target = bench.scale.target(job.difficulty);
    let mut attempt = |explanation, header: HeaderFields| {
        bench.header(explanation, &header, job.difficulty, &target);
    };
    if let Some(bits) = solution.version_bits {
        let under_other_masks: Vec<(Explanation, u32)> = other_masks(log)
            .into_iter()
            .map(|mask| (Explanation::OtherMask, Solution { mask, ..*solution }.version(job)))
            .collect();
        let mut formulas = vec![
            (Explanation::VersionWhole, bits),
            (Explanation::VersionXor, job.version ^ bits),
            (Explanation::VersionOr, job.version | bits),
            (Explanation::VersionNotRolled, job.version),
        ];
        // Bits that were not granted speak of another mask, where formulas agree.
        let at = if bits & !solution.mask == 0 { formulas.len() } else { 1 };
        formulas.splice(at..at, under_other_masks);
        for (explanation, version) in formulas {
            attempt(explanation, HeaderFields { version, ..proper });
        }
    }
    for version in other_versions(log, job, proper.version) {
        attempt(Explanation::OtherVersion, HeaderFields { version, ..proper });
    }
    attempt(Explanation::NonceByteSwapped, HeaderFields { nonce: proper.nonce.swap_bytes(), ..proper });
    attempt(Explanation::NtimeByteSwapped, HeaderFields { ntime: proper.ntime.swap_bytes(), ..proper });
    for prev_hash in prev_hash_orders(&job.prev_hash) {
        attempt(Explanation::PrevHashOrder, HeaderFields { prev_hash, ..proper });
    }

    let root = |coinbase: &[u8]| fold_branch(sha256d(coinbase), &job.branch);
    let with_extranonces = |extranonce1: &[u8], extranonce2: &[u8]| HeaderFields {
        merkle_root: root(&[&job.coinb1, extranonce1, extranonce2, &job.coinb2].concat()),
        ..proper
    };
    let reversed: Vec<u8> = solution.extranonce2.iter().rev().copied().collect();
    attempt(Explanation::Extranonce2Reversed, with_extranonces(&job.extranonce1, &reversed));
    for (explanation, extranonce1) in other_extranonces(log, job) {
        attempt(explanation, with_extranonces(extranonce1, solution.extranonce2));
    }
    let mut lengths: Vec<usize> =
        other_extranonces(log, job).iter().map(|(_, extranonce1)| extranonce1.len()).collect();
    lengths.extend(USUAL_EXTRANONCE);
    lengths.dedup();
    lengths.truncate(2 * USUAL_EXTRANONCE.len());
    for extranonce1 in resized(&job.extranonce1, &lengths) {
        attempt(Explanation::Extranonce1Resized, with_extranonces(&extranonce1, solution.extranonce2));
    }
    for extranonce2 in resized(solution.extranonce2, &extranonce2_lengths(log, job)) {
        attempt(Explanation::Extranonce2Resized, with_extranonces(&job.extranonce1, &extranonce2));
    }

    let coinbase = [&job.coinb1, &job.extranonce1, solution.extranonce2, &job.coinb2].concat();
    let before_coinb2 = coinbase.len() - job.coinb2.len();
    for length in cuts(coinbase.len(), before_coinb2) {
        let merkle_root = root(&coinbase[..length]);
        attempt(Explanation::CoinbaseCut(length), HeaderFields { merkle_root, ..proper });
    }
    let mut node = sha256d(&coinbase);
    for (siblings, sibling) in job.branch.iter().enumerate().take(BRANCH_MAX) {
        attempt(Explanation::BranchCut(siblings), HeaderFields { merkle_root: node, ..proper });
        node = sha256d_pair(&node, sibling);
    }
}

/// Difficulties below the one asked for that the miner may have applied.
fn difficulties(bench: &mut Bench<'_>, log: &Log, job: &JobRecord, hash: &Hash) {
    let asked = job.difficulty.get();
    let mut attempt = |explanation, difficulty: f64| {
        let Some(difficulty) = Difficulty::new(difficulty).filter(|_| difficulty < asked) else { return };
        let fits = bench.scale.target(difficulty).is_met_by(hash);
        bench.evidence.add(explanation, bench.luck(difficulty), fits);
    };
    attempt(Explanation::TruncatedDifficulty, asked.floor());
    attempt(Explanation::PowerOfTwoDifficulty, 2f64.powf(asked.log2().floor()));
    let (earlier, later) = other_difficulties(log, job);
    // Those that fit best stand for their kind: the next one below.
    for (explanation, mut values) in
        [(Explanation::LaterDifficulty, later), (Explanation::EarlierDifficulty, earlier)]
    {
        values.sort_by(|a, b| b.total_cmp(a));
        values.dedup();
        for value in values {
            attempt(explanation, value);
        }
    }
}

/// Difficulties on the job's connection, before it and after it.
fn other_difficulties(log: &Log, job: &JobRecord) -> (Vec<f64>, Vec<f64>) {
    let (mut earlier, mut later) = (Vec::new(), Vec::new());
    let mut after = false;
    for record in log.records.iter().filter(|record| record.connection == Some(job.connection)) {
        let value = match &record.fact {
            Fact::Job(other) if other.number == job.number => {
                after = true;
                continue;
            }
            Fact::Job(other) => other.difficulty.get(),
            Fact::Changed(Difference::Difficulty(difficulty)) => difficulty.get(),
            _ => continue,
        };
        if after { &mut later } else { &mut earlier }.push(value);
    }
    (earlier, later)
}

/// Every other extranonce1 of the log, newest first, and the first one of the
/// job's connection, which firmware that takes no other keeps.
fn other_extranonces<'l>(log: &'l Log, job: &JobRecord) -> Vec<(Explanation, &'l [u8])> {
    let mut found: Vec<(Explanation, &[u8])> = Vec::new();
    let mut later = true;
    let first = log.records.iter().find_map(|record| match &record.fact {
        Fact::Job(other) if other.connection == job.connection => Some(&other.extranonce1),
        _ => None,
    });
    if let Some(first) = first.filter(|first| **first != job.extranonce1) {
        found.push((Explanation::EarlierExtranonce1, first));
    }
    for record in log.records.iter().rev() {
        let (extranonce1, connection): (&[u8], Connection) = match (&record.fact, record.connection) {
            (Fact::Job(other), _) => {
                later &= other.number != job.number;
                (&other.extranonce1, other.connection)
            }
            (Fact::Changed(Difference::Extranonce { extranonce1, .. }), Some(connection)) => {
                (extranonce1, connection)
            }
            _ => continue,
        };
        let explanation = if later && connection == job.connection {
            Explanation::LaterExtranonce1
        } else {
            Explanation::EarlierExtranonce1
        };
        let known = found.iter().any(|(_, other)| *other == extranonce1);
        if extranonce1 != job.extranonce1 && !known {
            found.push((explanation, extranonce1));
            if found.len() == EXTRANONCES_MAX {
                break;
            }
        }
    }
    found
}

/// Masks of other sessions, and those that firmware takes for granted.
fn other_masks(log: &Log) -> Vec<u32> {
    let mut masks = USUAL_MASKS.to_vec();
    for record in &log.records {
        if let Fact::Changed(Difference::Mask(mask)) = record.fact
            && !masks.contains(&mask)
            && masks.len() < EXTRANONCES_MAX
        {
            masks.push(mask);
        }
    }
    masks
}

/// Versions of other jobs, and the job's with the top bits 001, with the rolled
/// bits of the header.
fn other_versions(log: &Log, job: &JobRecord, rolled: u32) -> Vec<u32> {
    let bits = rolled ^ job.version;
    let mut versions = vec![rolled & 0x1fff_ffff | 0x2000_0000];
    for other in jobs_newest_first(log).take(JOBS_MAX) {
        if !versions.contains(&(other.version ^ bits)) && versions.len() < EXTRANONCES_MAX {
            versions.push(other.version ^ bits);
        }
    }
    versions
}

/// Lengths of extranonce2 that were asked for here, or are built into firmware.
fn extranonce2_lengths(log: &Log, job: &JobRecord) -> Vec<usize> {
    let mut lengths = vec![job.extranonce2_bytes];
    for other in jobs_newest_first(log).take(JOBS_MAX) {
        if !lengths.contains(&other.extranonce2_bytes) && lengths.len() < USUAL_EXTRANONCE.len() {
            lengths.push(other.extranonce2_bytes);
        }
    }
    lengths.extend(USUAL_EXTRANONCE);
    lengths
}

/// An extranonce in other lengths: cut, or padded with zeros, at either end.
fn resized(extranonce: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
    let have = extranonce.len();
    let mut found = Vec::new();
    for &length in lengths.iter().filter(|length| **length != have) {
        if length < have {
            found.extend([extranonce[..length].to_vec(), extranonce[have - length..].to_vec()]);
        } else {
            let zeros = vec![0; length - have];
            found.extend([[extranonce, &zeros].concat(), [&zeros, extranonce].concat()]);
        }
    }
    found
}

/// Lengths at which a coinbase of `length` may have been cut: the whole of it,
/// or of what stands behind the extranonce.
fn cuts(length: usize, before_coinb2: usize) -> Vec<usize> {
    let powers = (5..16).map(|power| 1 << power);
    let sizes: Vec<usize> = CUTS.into_iter().chain(powers).collect();
    let of_coinb2 = sizes.iter().map(|size| before_coinb2 + size);
    let mut all: Vec<usize> = sizes.iter().copied().chain(of_coinb2).filter(|cut| *cut < length).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The previous block's hash as miners get it wrong: as it stands on the wire,
/// turned around, and with its words in reverse.
fn prev_hash_orders(hash: &Hash) -> [Hash; 3] {
    let mut as_on_wire = *hash;
    for word in as_on_wire.as_chunks_mut::<4>().0 {
        word.reverse();
    }
    let mut turned = *hash;
    turned.reverse();
    let mut words_turned = as_on_wire;
    words_turned.reverse();
    [as_on_wire, turned, words_turned]
}
