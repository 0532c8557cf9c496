//! Logs told in a few words.

use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::conformance::examiner::Listener;
use crate::conformance::judge::{Context, Judge, Opinion};
use crate::conformance::log::{Closing, Connection, Difference, Fact, JobNumber, JobRecord, Log, Record};
use crate::conformance::result::Outcome;
use crate::conformance::share::{Evidence, Explanation, Problem, ShareFacts};
use crate::units::{Difficulty, Hashrate, Seconds, Timestamp};

/// Two shares a second at difficulty 1.
pub fn context() -> Context {
    let per_second = 2.0 * Difficulty::ONE.expected_hashes();
    Context { hashrate: Hashrate::new(per_second).unwrap(), claimed: true }
}

/// A log as it grows, and the time.
pub struct Story {
    pub log: Log,
    pub now: Timestamp,
    connection: u32,
    job: Option<JobRecord>,
    number: u32,
    mask: u32,
    headers: u64,
    rng: ChaCha8Rng,
}

impl Story {
    /// Nothing happened yet.
    pub fn empty() -> Self {
        Self {
            log: Log::default(),
            now: Timestamp::from_unix_seconds(1_000),
            connection: 1,
            job: None,
            number: 0,
            mask: 0x6000,
            headers: 0,
            rng: ChaCha8Rng::seed_from_u64(7),
        }
    }

    /// A session with a job.
    pub fn new() -> Self {
        Self::empty()
            .opened(Listener::Main)
            .request("mining.subscribe", "[\"ua\"]")
            .authorize("w")
            .job("first")
    }

    pub fn fact(mut self, fact: Fact) -> Self {
        let case =
            matches!(fact, Fact::Mark(_) | Fact::Trial(..) | Fact::TrialEnd | Fact::Met(_) | Fact::Missed(_));
        let connection = (!case).then_some(Connection(self.connection));
        self.log.records.push(Record { at: self.now, connection, fact });
        self
    }

    pub fn wait(mut self, seconds: f64) -> Self {
        self.now = self.now + Seconds(seconds);
        self
    }

    pub fn mark(self, name: &str) -> Self {
        self.fact(Fact::Mark(name.into()))
    }

    pub fn trial(self, name: &str, value: &str) -> Self {
        self.fact(Fact::Trial(name.into(), value.into()))
    }

    pub fn end(self) -> Self {
        self.fact(Fact::TrialEnd)
    }

    pub fn missed(self, what: &str) -> Self {
        self.fact(Fact::Missed(what.into()))
    }

    pub fn round_trip(self, seconds: f64) -> Self {
        self.fact(Fact::RoundTrip(seconds))
    }

    pub fn opened(self, listener: Listener) -> Self {
        self.fact(Fact::Opened(listener))
    }

    /// The next connection.
    pub fn again(mut self) -> Self {
        self.connection += 1;
        self.opened(Listener::Main)
    }

    pub fn closed(self, how: Closing) -> Self {
        self.fact(Fact::Closed(how))
    }

    pub fn told(self, line: &str) -> Self {
        self.fact(Fact::Told(format!("{line}\n").into_bytes()))
    }

    pub fn said(self, line: &str) -> Self {
        self.fact(Fact::Said(line.as_bytes().to_vec()))
    }

    pub fn request(self, method: &str, params: &str) -> Self {
        self.said("{}").fact(Fact::Request {
            method: method.into(),
            id: Some("1".into()),
            params: params.into(),
        })
    }

    pub fn authorize(self, worker: &str) -> Self {
        self.request("mining.authorize", &format!("[\"{worker}\",\"x\"]"))
    }

    pub fn reply(self, id: &str, result: &str) -> Self {
        let line = format!("{{\"id\":{id},\"result\":{result}}}");
        self.fact(Fact::Reply { id: id.into(), line })
    }

    pub fn mask(mut self, mask: u32) -> Self {
        self.mask = mask;
        self.fact(Fact::Changed(Difference::Mask(mask)))
    }

    /// A clean job on a new block at difficulty 1.
    pub fn job(self, label: &str) -> Self {
        self.job_with(label, |_| {})
    }

    pub fn job_with(mut self, label: &str, change: impl Fn(&mut JobRecord)) -> Self {
        self.number += 1;
        let mut job = JobRecord {
            number: JobNumber(self.number),
            connection: Connection(self.connection),
            label: Some(label.into()),
            id: self.number.to_string(),
            at: self.now,
            clean: true,
            new_block: true,
            sound: true,
            extranonce1: vec![0; 4],
            extranonce2_bytes: 8,
            difficulty: Difficulty::ONE,
            prev_hash: [0; 32],
            coinb1: Vec::new(),
            coinb2: Vec::new(),
            branch: Vec::new(),
            version: 0x2000_0000,
            nbits: 0,
            ntime: 100,
        };
        change(&mut job);
        self.job = Some(job.clone());
        self.fact(Fact::Job(Box::new(job)))
    }

    /// A good share of the newest job.
    pub fn share(self) -> Self {
        self.share_with(|_| {})
    }

    pub fn shares(self, count: usize) -> Self {
        (0..count).fold(self, |story, _| story.wait(0.5).share())
    }

    /// Good shares at random for so long, at so many a second.
    pub fn mine(mut self, seconds: f64, rate: f64) -> Self {
        let end = self.now + Seconds(seconds);
        loop {
            let gap = -(1.0 - self.rng.random::<f64>()).ln() / rate;
            if self.now + Seconds(gap) > end {
                self.now = end;
                return self;
            }
            self = self.wait(gap).share();
        }
    }

    /// A share without proof, that fits a mistake of which luck is out of the question.
    pub fn wrong(self, explanation: Explanation) -> Self {
        self.share_with(|facts| {
            facts.explanation = Some(explanation);
            facts.problems = vec![Problem::Low];
            facts.evidence = Evidence::default();
            facts.evidence.add(explanation, 1e-9, true);
        })
    }

    pub fn problem(self, problem: Problem) -> Self {
        self.share_with(|facts| facts.problems.push(problem))
    }

    pub fn share_with(mut self, change: impl Fn(&mut ShareFacts)) -> Self {
        self.headers += 1;
        let job = self.job.clone();
        let reached = 1.0 / (1.0 - self.rng.random::<f64>());
        let asked = job.as_ref().map_or(Difficulty::ONE, |job| job.difficulty);
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&self.headers.to_le_bytes());
        let mut facts = ShareFacts {
            connection: Connection(self.connection),
            request_id: None,
            worker: "w".into(),
            job_id: job.as_ref().map_or(String::new(), |job| job.id.clone()),
            job: job.as_ref().map(|job| job.number),
            extranonce2: format!("{:016x}", self.headers),
            ntime: Some(100),
            nonce: Some(self.rng.random()),
            version_bits: Some(self.rng.random::<u32>() & self.mask),
            mask: self.mask,
            hash: Some(hash),
            reached: Difficulty::new(reached * asked.get()),
            asked: Some(asked),
            explanation: Some(Explanation::AsDescribed),
            evidence: Evidence::default(),
            problems: Vec::new(),
        };
        change(&mut facts);
        self.fact(Fact::Share(Box::new(facts)))
    }

    /// A share of an older job.
    pub fn share_of(self, number: u32) -> Self {
        self.share_with(|facts| facts.job = Some(JobNumber(number)))
    }
}

/// What a judge as written in a case file thinks of a story.
pub fn opinion(judge: &str, story: &Story, context: &Context) -> Opinion {
    let table: toml::Table = toml::from_str(&format!("judge = {judge}")).unwrap();
    let judge: Judge = table["judge"].clone().try_into().unwrap_or_else(|error| panic!("{judge}: {error}"));
    judge.judge(&story.log, context)
}

pub fn check(judge: &str, story: Story, expected: Outcome) -> Opinion {
    let opinion = opinion(judge, &story, &context());
    assert_eq!(opinion.outcome(), expected, "{judge}: {opinion:#?}");
    for trouble in &opinion.troubles {
        assert!(trouble.finding.ends_with('.'), "{trouble:?}");
        assert!(!trouble.expected.is_empty() && !trouble.judge.is_empty(), "{trouble:?}");
        assert!(trouble.evidence.iter().all(|index| *index < story.log.records.len()), "{trouble:?}");
    }
    opinion
}

pub fn passes(judge: &str, story: Story) {
    check(judge, story, Outcome::Pass);
}

/// It fails, and says so with these words.
pub fn fails(judge: &str, story: Story, words: &str) {
    let opinion = check(judge, story, Outcome::Fail);
    let found = opinion.troubles.iter().any(|trouble| trouble.finding.contains(words));
    assert!(found, "{judge}: no finding says {words:?}: {opinion:#?}");
}

pub fn cannot_tell(judge: &str, story: Story) {
    check(judge, story, Outcome::Inconclusive);
}
