//! Jobs as a case asks for them: what is sent, and the record of it.

use super::coinbase::{Shape, build};
use super::wire::quoted;
use crate::block::branch_of_first;
use crate::conformance::log::{Connection, JobNumber, JobRecord};
use crate::conformance::terms::{ExtranoncePlace, JobSpec};
use crate::hash::{Hash, sha256d};
use crate::stratum::v1::hex;
use crate::units::{Difficulty, Timestamp};

/// Siblings where a case does not say.
const BRANCHES: usize = 3;

/// Bytes of the coinbase where a case does not say: a common pool's.
const COINBASE_BYTES: usize = 250;

/// Height of the first block, about that of the time of writing.
const HEIGHT: u32 = 900_000;

/// Mainnet's target of then: no share is a block.
const NBITS: u32 = 0x1702_3a04;

/// What a job is made for.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// Where it goes.
    pub connection: Connection,
    /// Extranonce1 in force.
    pub extranonce1: &'a [u8],
    /// Bytes of extranonce2 in force; `None` when what was announced is nonsense.
    pub extranonce2_bytes: Option<usize>,
    /// Difficulty in force.
    pub difficulty: Difficulty,
    /// The block that the connection's job before builds on.
    pub prev_hash: Option<Hash>,
    /// When.
    pub now: Timestamp,
}

/// What makes a block, beside the extranonce.
#[derive(Debug, Clone)]
struct Template {
    prev_hash: Hash,
    height: u32,
    salt: Hash,
    branch: Vec<Hash>,
    version: u32,
    nbits: u32,
    ntime: u32,
    coinbase_bytes: usize,
    place: ExtranoncePlace,
}

/// Makes jobs.
#[derive(Debug)]
pub(super) struct Workshop {
    seed: u64,
    jobs: u32,
    blocks: u32,
    last: Option<Template>,
}

impl Workshop {
    /// One whose jobs follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, jobs: 0, blocks: 0, last: None }
    }

    /// The job made last.
    pub fn newest(&self) -> JobNumber {
        JobNumber(self.jobs)
    }

    /// A hash that nobody has seen before.
    fn draw(&self, what: &str, number: u32, index: usize) -> Hash {
        sha256d(format!("{what} {number} {index} {}", self.seed).as_bytes())
    }

    /// An extranonce1 that nobody has had before.
    pub fn extranonce1(&self, number: u32, bytes: usize) -> Vec<u8> {
        (0..bytes.div_ceil(32))
            .flat_map(|index| self.draw("extranonce1", number, index))
            .take(bytes)
            .collect()
    }

    /// Makes a job: its record, and its line.
    pub fn make(&mut self, spec: &JobSpec, frame: &Frame<'_>) -> (JobRecord, Vec<u8>) {
        self.jobs += 1;
        let clean = spec.clean.or(spec.new_block).unwrap_or(false);
        let template = match &self.last {
            Some(last) if spec.same_template == Some(true) => last.clone(),
            _ => self.template(spec, spec.new_block.unwrap_or(clean), frame.now),
        };
        let extranonce2_bytes = frame.extranonce2_bytes.unwrap_or(8);
        let shape = Shape {
            place: template.place,
            extranonce_bytes: frame.extranonce1.len() + extranonce2_bytes,
            bytes: template.coinbase_bytes,
            height: template.height,
            salt: template.salt,
        };
        let (coinb1, coinb2) = build(&shape);
        let odd = matches!(spec.hex.as_deref(), Some("odd" | "0x"));
        let record = JobRecord {
            number: JobNumber(self.jobs),
            connection: frame.connection,
            label: spec.label.clone(),
            id: spec.id.clone().unwrap_or_else(|| format!("{:x}", 0x5000 + self.jobs)),
            at: frame.now,
            clean,
            new_block: frame.prev_hash != Some(template.prev_hash),
            sound: spec.replace.is_none()
                && spec.params.is_none()
                && !odd
                && frame.extranonce2_bytes.is_some(),
            extranonce1: frame.extranonce1.to_vec(),
            extranonce2_bytes,
            difficulty: frame.difficulty,
            prev_hash: template.prev_hash,
            coinb1,
            coinb2,
            branch: template.branch.clone(),
            version: template.version,
            nbits: template.nbits,
            ntime: template.ntime,
        };
        self.last = Some(template);
        let line = line(spec, &record);
        (record, line)
    }

    fn template(&mut self, spec: &JobSpec, new_block: bool, now: Timestamp) -> Template {
        if spec.golden.is_some() {
            return golden_template();
        }
        if new_block || self.last.is_none() {
            self.blocks += 1;
        }
        let mut prev_hash = self.draw("block", self.blocks, 0);
        // As a block's hash looks: its proof is at the end.
        prev_hash[22..].fill(0);
        let number =
            |text: &Option<String>, usual| text.as_deref().and_then(hex::decode_u32).unwrap_or(usual);
        let later = now.unix_seconds().saturating_add_signed(spec.ntime_offset.unwrap_or(0));
        let fixed = self.last.as_ref().filter(|_| spec.ntime_fixed == Some(true)).map(|last| last.ntime);
        let branches = spec.branches.unwrap_or(BRANCHES);
        Template {
            prev_hash,
            height: HEIGHT + self.blocks,
            salt: self.draw("coinbase", self.jobs, 0),
            branch: (0..branches).map(|index| self.draw("branch", self.jobs, index)).collect(),
            version: number(&spec.version, 0x2000_0000),
            nbits: number(&spec.nbits, NBITS),
            ntime: fixed.unwrap_or(later as u32),
            coinbase_bytes: spec.coinbase_bytes.unwrap_or(COINBASE_BYTES),
            place: spec.extranonce_in.unwrap_or_default(),
        }
    }
}

/// `mining.notify` for a job.
fn line(spec: &JobSpec, job: &JobRecord) -> Vec<u8> {
    let style = spec.hex.as_deref().unwrap_or("lower");
    let digits = |bytes: &[u8]| match style {
        "upper" => format!("\"{}\"", hex::encode(bytes).to_uppercase()),
        "0x" => format!("\"0x{}\"", hex::encode(bytes)),
        _ => format!("\"{}\"", hex::encode(bytes)),
    };
    let mut coinb2 = digits(&job.coinb2);
    if style == "odd" {
        coinb2.remove(coinb2.len() - 2);
    }
    let mut prev_hash = job.prev_hash;
    for word in prev_hash.as_chunks_mut::<4>().0 {
        word.reverse();
    }
    let branch: Vec<String> = job.branch.iter().map(|sibling| digits(sibling)).collect();
    let mut params = vec![
        quoted(&job.id),
        digits(&prev_hash),
        digits(&job.coinb1),
        coinb2,
        format!("[{}]", branch.join(",")),
        digits(&job.version.to_be_bytes()),
        digits(&job.nbits.to_be_bytes()),
        digits(&job.ntime.to_be_bytes()),
        job.clean.to_string(),
    ];
    for (place, json) in spec.replace.iter().flatten() {
        if let Some(param) = params.get_mut(*place) {
            param.clone_from(json);
        }
    }
    if let Some(extra) = &spec.extra {
        params.insert(params.len() - 1, extra.clone());
    }
    params.truncate(spec.params.unwrap_or(params.len()));
    format!("{{\"id\":null,\"method\":\"mining.notify\",\"params\":[{}]}}\n", params.join(",")).into_bytes()
}

/// Names of golden jobs.
pub(in crate::conformance) const GOLDEN: [&str; 1] = ["125552"];

/// How hexadecimal can be written.
pub(in crate::conformance) const HEX_FORMS: [&str; 4] = ["lower", "upper", "0x", "odd"];

/// Block 125,552, the worked example of Bitcoin's block hashing algorithm.
fn golden_template() -> Template {
    let hash = |text: &str| -> Hash {
        let mut bytes: Hash = hex::decode(text).and_then(|bytes| bytes.try_into().ok()).expect("64 digits");
        bytes.reverse();
        bytes
    };
    let others = [
        "60c25dda8d41f8d3d7d5c6249e2ea1b05a25bf7ae2ad6d904b512b31f997e1a1",
        "01f314cdd8566d3e5dbdd97de2d9fbfbfd6873e916a00d48758282cbb81a45b9",
        "b519286a1040da6ad83c783eb2872659eaf57b1bec088e614776ffe7dc8f6d01",
    ];
    Template {
        prev_hash: hash("00000000000008a3a41b85b8b29ad444def299fee21793cd8b9e567eab02cd81"),
        height: 125_552,
        salt: [0; 32],
        branch: branch_of_first(&others.map(hash)),
        version: 1,
        nbits: 0x1a44_b9f2,
        ntime: 0x4dd7_f5c7,
        coinbase_bytes: COINBASE_BYTES,
        place: ExtranoncePlace::ScriptSig,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::HeaderFields;
    use crate::hash::{fold_branch, sha256d_header};
    use crate::stratum::v1::{PoolMessage, parse_message};

    fn frame(extranonce1: &[u8]) -> Frame<'_> {
        Frame {
            connection: Connection(1),
            extranonce1,
            extranonce2_bytes: Some(8),
            difficulty: Difficulty::ONE,
            prev_hash: None,
            now: Timestamp::from_unix_seconds(1_767_225_600),
        }
    }

    fn spec(text: &str) -> JobSpec {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_line_says_what_the_record_says() {
        for text in ["", "clean = true", "branches = 0", "hex = \"upper\"", "extranonce_in = \"op_return\""] {
            let (record, mut line) = Workshop::new(1).make(&spec(text), &frame(&[1, 2, 3, 4]));
            assert_eq!(line.pop(), Some(b'\n'));
            let Ok(PoolMessage::Job(notice)) = parse_message(&line) else { panic!("{text}: no job") };
            assert!(record.sound);
            assert_eq!((notice.id, notice.clean), (record.id, record.clean));
            assert_eq!((notice.prev_hash, notice.branch), (record.prev_hash, record.branch));
            assert_eq!((notice.coinb1, notice.coinb2), (record.coinb1, record.coinb2));
            assert_eq!(
                (notice.version, notice.nbits, notice.ntime),
                (record.version, record.nbits, record.ntime)
            );
        }
    }

    #[test]
    fn a_golden_job_is_the_real_block() {
        let job = golden_template();
        let mut coinbase: Hash =
            hex::decode("51d37bdd871c9e1f4d5541be67a6ab625e32028744d7d4609d0c37747b40cd2d")
                .unwrap()
                .try_into()
                .unwrap();
        coinbase.reverse();
        let header = HeaderFields {
            version: job.version,
            prev_hash: job.prev_hash,
            merkle_root: fold_branch(coinbase, &job.branch),
            ntime: job.ntime,
            nbits: job.nbits,
            nonce: 0x9546_a142,
        };
        let mut hash = sha256d_header(&header.to_bytes());
        hash.reverse();
        assert_eq!(hex::encode(&hash), "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d");
    }

    #[test]
    fn blocks_and_templates_change_when_asked() {
        let mut workshop = Workshop::new(1);
        let mut make = |text: &str| workshop.make(&spec(text), &frame(&[1, 2, 3, 4])).0;
        let first = make("");
        let same = make("same_template = true");
        assert_eq!((&first.coinb1, &first.coinb2, first.ntime), (&same.coinb1, &same.coinb2, same.ntime));
        assert_ne!(first.id, same.id);
        let other = make("");
        assert_eq!(first.prev_hash, other.prev_hash);
        assert_ne!((&first.coinb2, &first.branch), (&other.coinb2, &other.branch));
        assert_ne!(make("clean = true").prev_hash, other.prev_hash);
        let kept = make("clean = true\nnew_block = false\nntime_offset = -60");
        assert_eq!(kept.ntime, other.ntime - 60);
        assert_eq!(make("ntime_fixed = true").ntime, kept.ntime);
    }

    #[test]
    fn nonsense_goes_out_as_written_and_is_known_as_such() {
        fn check(text: &str, part: &str) {
            let (record, line) = Workshop::new(1).make(&spec(text), &frame(&[1]));
            let line = String::from_utf8(line).unwrap();
            assert!(line.contains(part) && !record.sound, "{text}: {line}");
        }
        check("replace = [[8, \"7\"]]", "\",7]}");
        check("replace = [[1, \"null\"]]", "\",null,\"");
        check("params = 0", "\"params\":[]}");
        check("hex = \"0x\"", "\"0x20000000\"");
        let (record, line) = Workshop::new(1).make(&spec("extra = \"[]\"\nid = \"a\\\"b\""), &frame(&[1]));
        assert!(record.sound);
        let line = String::from_utf8(line).unwrap();
        assert!(line.contains("\"params\":[\"a\\\"b\",") && line.ends_with(",[],false]}\n"), "{line}");
    }
}
