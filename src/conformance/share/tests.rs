//! Jobs mined with each mistake at a tiny difficulty, and what is found out.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::conformance::log::Record;

const MASK: u32 = 0x1fff_e000;
const HERE: Connection = Connection(2);

/// Asked of the job; what firmware may take for it; what was asked before and later.
const ASKED: f64 = 3.9;
const EARLIER: f64 = 1.2;
const LATER: f64 = 1.5;

fn difficulty(value: f64) -> Difficulty {
    Difficulty::new(value).unwrap()
}

/// A log with an earlier session, an earlier job of the same name, and changes afterwards.
struct Scene {
    log: Log,
    job: JobRecord,
    rng: ChaCha8Rng,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = |length: usize| (0..length).map(|_| rng.random()).collect::<Vec<u8>>();
        let job = |number: u32,
                   connection: Connection,
                   id: &str,
                   asked: f64,
                   bytes: &mut dyn FnMut(usize) -> Vec<u8>| {
            JobRecord {
                number: JobNumber(number),
                connection,
                label: None,
                id: id.to_owned(),
                at: Timestamp::from_unix_seconds(u64::from(number)),
                clean: true,
                new_block: true,
                sound: true,
                extranonce1: bytes(4),
                extranonce2_bytes: 5,
                difficulty: difficulty(asked),
                prev_hash: bytes(32).try_into().unwrap(),
                coinb1: bytes(60),
                coinb2: bytes(300),
                branch: (0..3).map(|_| bytes(32).try_into().unwrap()).collect(),
                // With bits inside the mask, so that no two formulas agree.
                version: 0x6aaa_4000,
                nbits: 0x1703_4219,
                ntime: 0x6600_0000 + number,
            }
        };
        let jobs = [
            job(1, Connection(1), "1", ASKED, &mut bytes),
            job(2, HERE, "7", EARLIER, &mut bytes),
            job(3, HERE, "7", ASKED, &mut bytes),
            job(4, HERE, "8", ASKED, &mut bytes),
        ];
        let record = |at: &JobRecord, fact: Fact| Record { at: at.at, connection: Some(at.connection), fact };
        let mut records = Vec::new();
        for job in &jobs {
            if job.number.0 == 2 {
                records.push(record(job, Fact::Changed(Difference::Mask(MASK))));
            }
            records.push(record(job, Fact::Job(Box::new(job.clone()))));
            if job.number.0 == 3 {
                records.push(record(job, Fact::Changed(Difference::Difficulty(difficulty(LATER)))));
            }
        }
        let [_, _, job, _] = jobs;
        Self { log: Log { records }, job, rng }
    }

    fn other(&self, number: u32) -> JobRecord {
        jobs_newest_first(&self.log).find(|job| job.number.0 == number).unwrap().clone()
    }
}

/// A submit, and the header that was hashed for it but for its nonce.
struct Work {
    hashed: HeaderFields,
    extranonce2: Vec<u8>,
    ntime: u32,
    bits: u32,
    /// How the nonce is written.
    swapped: bool,
    /// Least and greatest difficulty to find, in the miner's units.
    reach: (f64, f64),
}

fn root(job: &JobRecord, coinbase: &[u8], siblings: usize) -> Hash {
    fold_branch(sha256d(coinbase), &job.branch[..siblings])
}

/// What firmware with a mistake hashes and says.
fn work(scene: &mut Scene, mistake: Explanation) -> Work {
    let extranonce2: Vec<u8> = (0..5).map(|_| scene.rng.random()).collect();
    // A bit that only the job has, one that both have, one that only the share has:
    // no two formulas agree.
    let bits = scene.rng.random::<u32>() & MASK & !0x4000 | 0x3_0000;
    let job = scene.job.clone();
    let coinbase = |job: &JobRecord, extranonce1: &[u8], extranonce2: &[u8]| {
        [&job.coinb1, extranonce1, extranonce2, &job.coinb2].concat()
    };
    let proper = |job: &JobRecord, extranonce2: &[u8]| HeaderFields {
        version: job.version & !MASK | bits,
        prev_hash: job.prev_hash,
        merkle_root: root(job, &coinbase(job, &job.extranonce1, extranonce2), job.branch.len()),
        ntime: scene.job.ntime + 1,
        nbits: job.nbits,
        nonce: 0,
    };
    let hashed = proper(&job, &extranonce2);
    let mut work = Work {
        hashed,
        ntime: hashed.ntime,
        bits,
        swapped: false,
        reach: (ASKED, f64::INFINITY),
        extranonce2: extranonce2.clone(),
    };
    let whole = coinbase(&job, &job.extranonce1, &extranonce2);
    let with_extranonce1 = |other: u32| {
        let extranonce1 = scene.other(other).extranonce1;
        root(&job, &coinbase(&job, &extranonce1, &extranonce2), job.branch.len())
    };
    match mistake {
        Explanation::AsDescribed => {}
        Explanation::OtherJob(number) | Explanation::EarlierJobOfThatName(number) => {
            let other = scene.other(number.0);
            work.hashed = proper(&other, &extranonce2);
            work.reach.0 = other.difficulty.get();
        }
        Explanation::EarlierExtranonce1 => work.hashed.merkle_root = with_extranonce1(1),
        Explanation::LaterExtranonce1 => work.hashed.merkle_root = with_extranonce1(4),
        Explanation::TruncatedDifficulty => work.reach = (3.0, ASKED),
        Explanation::PowerOfTwoDifficulty => work.reach = (2.0, 3.0),
        Explanation::LaterDifficulty => work.reach = (LATER, 2.0),
        Explanation::EarlierDifficulty => work.reach = (EARLIER, LATER),
        Explanation::VersionXor => work.hashed.version = job.version ^ bits,
        Explanation::VersionOr => work.hashed.version = job.version | bits,
        Explanation::VersionWhole => {
            // Where it agrees with the job outside the mask, it is as described.
            work.bits = job.version ^ bits ^ 0x4000_0001;
            work.hashed.version = work.bits;
        }
        Explanation::VersionNotRolled => work.hashed.version = job.version,
        Explanation::OtherMask => {
            work.bits = bits | 0xe0;
            work.hashed.version = job.version & !0x1fff_ffe0 | work.bits;
        }
        Explanation::NonceByteSwapped => work.swapped = true,
        Explanation::NtimeByteSwapped => work.ntime = hashed.ntime.swap_bytes(),
        Explanation::Extranonce2Reversed => work.extranonce2.reverse(),
        Explanation::OtherVersion => work.hashed.version = hashed.version & 0x1fff_ffff | 0x2000_0000,
        Explanation::Extranonce1Resized => {
            work.hashed.merkle_root =
                root(&job, &coinbase(&job, &job.extranonce1[..2], &extranonce2), job.branch.len());
        }
        Explanation::Extranonce2Resized => {
            let resized = [&extranonce2[..], &[0, 0, 0]].concat();
            work.hashed = proper(&job, &resized);
        }
        Explanation::CoinbaseCut(length) => {
            work.hashed.merkle_root = root(&job, &whole[..length], job.branch.len());
        }
        Explanation::BranchCut(siblings) => work.hashed.merkle_root = root(&job, &whole, siblings),
        Explanation::PrevHashOrder => work.hashed.prev_hash.reverse(),
    }
    work
}

/// Mines a share with a mistake; one that by luck also carries the proof it describes is thrown away.
fn share(scene: &mut Scene, mistake: Explanation) -> ShareFacts {
    loop {
        let work = work(scene, mistake);
        let reach = |value: f64| WorkScale::VIRTUAL.target(difficulty(value));
        let nonce = (scene.rng.random::<u32>()..)
            .find(|nonce| {
                let hash = sha256d_header(&HeaderFields { nonce: *nonce, ..work.hashed }.to_bytes());
                reach(work.reach.0).is_met_by(&hash)
                    && (work.reach.1.is_infinite() || !reach(work.reach.1).is_met_by(&hash))
            })
            .unwrap();
        let nonce = if work.swapped { nonce.swap_bytes() } else { nonce };
        let params = format!(
            r#"["w","7","{}","{:08x}","{nonce:08x}","{:08x}"]"#,
            crate::stratum::v1::hex::encode(&work.extranonce2),
            work.ntime,
            work.bits
        );
        let now = Timestamp::from_unix_seconds(10);
        let facts = examine(&scene.log, HERE, Some("9"), &params, now, WorkScale::VIRTUAL);
        if facts.explanation != Some(Explanation::AsDescribed) || mistake == Explanation::AsDescribed {
            return facts;
        }
    }
}

const MISTAKES: [Explanation; 25] = [
    Explanation::OtherJob(JobNumber(4)),
    Explanation::OtherJob(JobNumber(1)),
    Explanation::EarlierExtranonce1,
    Explanation::LaterExtranonce1,
    Explanation::LaterDifficulty,
    Explanation::EarlierDifficulty,
    Explanation::TruncatedDifficulty,
    Explanation::PowerOfTwoDifficulty,
    Explanation::VersionXor,
    Explanation::VersionOr,
    Explanation::VersionWhole,
    Explanation::VersionNotRolled,
    Explanation::OtherMask,
    Explanation::OtherVersion,
    Explanation::Extranonce1Resized,
    Explanation::NonceByteSwapped,
    Explanation::NtimeByteSwapped,
    Explanation::Extranonce2Reversed,
    Explanation::Extranonce2Resized,
    Explanation::CoinbaseCut(255),
    Explanation::CoinbaseCut(256),
    Explanation::BranchCut(0),
    Explanation::BranchCut(2),
    Explanation::EarlierJobOfThatName(JobNumber(2)),
    Explanation::PrevHashOrder,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_mistake_is_found_in_three_shares(seed in any::<u64>()) {
        let mut scene = Scene::new(seed);
        for mistake in MISTAKES {
            let shares: Vec<ShareFacts> = (0..3).map(|_| share(&mut scene, mistake)).collect();
            for facts in &shares {
                let fits: Vec<Explanation> = facts.evidence.fits.iter().map(|fit| fit.explanation).collect();
                prop_assert!(fits.contains(&mistake), "{mistake:?} is not in {fits:?}");
                prop_assert!(!facts.is_good() && !facts.is_explained());
                prop_assert!(facts.problems.contains(&Problem::Low));
            }
            let causes = causes(&shares.iter().collect::<Vec<_>>());
            prop_assert_eq!(causes[0].explanation, mistake);
            prop_assert!(causes[0].certain && causes[0].shares == [0, 1, 2]);
        }
    }

    #[test]
    fn what_is_right_is_good_and_what_is_random_is_no_mistake(seed in any::<u64>()) {
        let mut scene = Scene::new(seed);
        let facts = share(&mut scene, Explanation::AsDescribed);
        prop_assert!(facts.is_good(), "{:?}", facts);
        prop_assert!(facts.u().unwrap() <= 1.0 && facts.evidence == Evidence::default());
        let random: Vec<ShareFacts> = (0..3)
            .map(|_| {
                let params = format!(
                    r#"["w","7","{:010x}","66000004","{:08x}","{:08x}"]"#,
                    scene.rng.random_range(0..1u64 << 40),
                    scene.rng.random::<u32>(),
                    scene.rng.random::<u32>() & MASK
                );
                examine(&scene.log, HERE, None, &params, Timestamp::from_unix_seconds(9), WorkScale::VIRTUAL)
            })
            .collect();
        let causes = causes(&random.iter().collect::<Vec<_>>());
        prop_assert!(causes.iter().all(|cause| !cause.certain), "{causes:?}");
    }

    #[test]
    fn any_parameters_are_taken(text in ".{0,80}", list in prop::collection::vec(".{0,12}", 0..8)) {
        let scene = Scene::new(1);
        for params in [text, serde_json::to_string(&list).unwrap()] {
            let now = Timestamp::from_unix_seconds(9);
            let facts = examine(&scene.log, HERE, None, &params, now, WorkScale::REAL);
            prop_assert!(!facts.problems.is_empty());
        }
    }
}

#[test]
fn problems_are_named() {
    let scene = Scene::new(2);
    let check = |params: &str, seconds: u64, expected: &[Problem]| {
        let now = Timestamp::from_unix_seconds(seconds);
        let facts = examine(&scene.log, HERE, None, params, now, WorkScale::VIRTUAL);
        let found: Vec<Problem> =
            facts.problems.iter().copied().filter(|problem| *problem != Problem::Low).collect();
        assert_eq!(found, expected, "{params}");
    };
    // The job was sent at 3 s with ntime 66000003.
    check(r#"["w","7","0102030405","66000003","00000001","00002000"]"#, 4, &[]);
    check(r#"["w","9","0102030405","66000003","00000001","00002000"]"#, 4, &[Problem::UnknownJob]);
    check(r#"["w","1","0102030405","66000003","00000001","00002000"]"#, 4, &[Problem::UnknownJob]);
    check(r#"["w","7","01020304","66000003","00000001","00002000"]"#, 4, &[Problem::Extranonce2Length]);
    check(r#"["w","7","0102030405","66000002","00000001","00002000"]"#, 4, &[Problem::NtimeTooEarly]);
    check(r#"["w","7","0102030405","66000010","00000001","00002000"]"#, 4, &[Problem::NtimeTooLate]);
    check(r#"["w","7","0102030405","66000010","00000001","00002000"]"#, 20, &[]);
    check(r#"["w","7","0102030405","66000003","00000001","00001000"]"#, 4, &[Problem::BitsOutsideMask]);
    check(r#"["w","7","0102030405","66000003","00000001"]"#, 4, &[Problem::BitsMissing]);
    check(r#"["w","7","0102030405","66000003","1","00002000"]"#, 4, &[Problem::NonceLength]);
    check(
        r#"["w","7","0102030405","66000003",1,"00002000"]"#,
        4,
        &[Problem::Malformed, Problem::NonceLength],
    );
}

#[test]
fn a_header_twice_is_a_duplicate_whatever_job_it_names() {
    let mut scene = Scene::new(3);
    let facts = share(&mut scene, Explanation::AsDescribed);
    let params = format!(
        r#"["w","7","{}","{:08x}","{:08x}","{:08x}"]"#,
        facts.extranonce2,
        facts.ntime.unwrap(),
        facts.nonce.unwrap(),
        facts.version_bits.unwrap()
    );
    let at = Timestamp::from_unix_seconds(11);
    scene.log.records.push(Record { at, connection: Some(HERE), fact: Fact::Share(Box::new(facts)) });
    let again = examine(&scene.log, HERE, None, &params, at, WorkScale::VIRTUAL);
    assert_eq!(again.problems, [Problem::Duplicate]);
    assert!(!again.is_good() && again.is_good_but_for(&[Problem::Duplicate]));
}

#[test]
fn a_mask_that_was_narrowed_is_a_problem_not_another_header() {
    let mut scene = Scene::new(4);
    let change = Fact::Changed(Difference::Mask(0x6000));
    let narrowed = Record { at: Timestamp::from_unix_seconds(5), connection: Some(HERE), fact: change };
    scene.log.records.push(narrowed);
    let facts = share(&mut scene, Explanation::AsDescribed);
    assert_eq!(facts.explanation, Some(Explanation::AsDescribed));
    assert_eq!(facts.problems, [Problem::BitsOutsideMask]);
    assert_eq!(facts.mask, 0x6000);
}

#[test]
fn names_are_those_of_the_explanations() {
    for explanation in MISTAKES.into_iter().chain([Explanation::AsDescribed]) {
        let json = serde_json::to_value(explanation).unwrap();
        let name = match &json {
            serde_json::Value::String(name) => name.clone(),
            other => other.as_object().unwrap().keys().next().unwrap().clone(),
        };
        assert_eq!(explanation.name(), name);
        assert!(Explanation::NAMES.contains(&explanation.name()));
    }
}

#[test]
fn one_share_tells_where_it_stands_for_enough_hashes() {
    let mut evidence = Evidence::default();
    let fit = |evidence: &mut Evidence, hashes: f64| {
        evidence.add(Explanation::NonceByteSwapped, 1.0 / hashes, true);
        for _ in 0..60 {
            evidence.add(Explanation::OtherJob(JobNumber(1)), 1.0 / hashes, false);
        }
    };
    let mut scene = Scene::new(5);
    let mut facts = share(&mut scene, Explanation::NonceByteSwapped);
    for (hashes, certain) in [(300.0, false), (1e6, true)] {
        evidence = Evidence::default();
        fit(&mut evidence, hashes);
        facts.evidence = evidence.clone();
        facts.explanation = facts.evidence.best();
        assert_eq!(facts.is_explained(), certain, "{hashes}");
        assert_eq!(causes(&[&facts])[0].certain, certain, "{hashes}");
    }
    assert_eq!(evidence.tried, 61);
}
