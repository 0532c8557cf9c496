//! Cases about a job as it is told: its fields, its coinbase, what it builds on.

use bitcoin::hashes::Hash as _;
use serde_json::{Value, json};

use super::super::case::Severity;
use super::case::PoolCase;
use super::hand::{Hand, Told};
use super::talk::{Stop, Talk};
use crate::block::{CoinbaseAudit, branch_of_first};
use crate::hash::Hash;
use crate::stratum::v1::hex;
use crate::units::Target;

/// Where the scriptSig of a coinbase begins: version, count, outpoint, length.
const SCRIPT_SIG_AT: usize = 4 + 1 + 36 + 1;

/// Seconds that a job may be away from our clock: what consensus allows.
const NTIME_AWAY_MAX: u64 = 7_200;

/// No chain is this high for thousands of years.
const HEIGHT_MAX: u32 = 100_000_000;

pub(super) static CASES: &[PoolCase] = &[
    PoolCase {
        id: "P10",
        title: "notify has nine parameters of the known form",
        severity: Severity::Critical,
        sources: &[
            "Stratum wiki 2012: mining.notify",
            "ESP-Miner #1880: fields that are no text crash devices",
        ],
        miner: "Reads the first job",
        pool: "Sends job id, previous hash, coinb1, coinb2, branch, version, nbits and ntime as text and a list of texts, then true or false; digits as many as the field has",
        judged: "By JSON type and number of digits of each",
        run: |talk| Box::pin(notify(talk)),
    },
    PoolCase {
        id: "P11",
        title: "The coinbase is a transaction",
        severity: Severity::Critical,
        sources: &[
            "BIP141: the merkle tree holds ids without witness",
            "consensus: a scriptSig of 2 to 100 bytes",
        ],
        miner: "Puts coinb1, both extranonces and coinb2 together",
        pool: "Makes a coinbase without marker and witness, with the extranonces inside its scriptSig, that pays somebody",
        judged: "By reading it as a transaction. Who is paid is reported",
        run: |talk| Box::pin(coinbase(talk)),
    },
    PoolCase {
        id: "P12",
        title: "The coinbase begins with the height",
        severity: Severity::High,
        sources: &["BIP34", "BIP54: lock time and sequence"],
        miner: "Reads the height from the scriptSig",
        pool: "Begins it with the height of the block, pushed in the shortest way",
        judged: "The height is there and plausible; whether BIP54 is met is reported",
        run: |talk| Box::pin(height(talk)),
    },
    PoolCase {
        id: "P13",
        title: "The coinbase commits to witnesses",
        severity: Severity::High,
        sources: &["BIP141: commitment structure"],
        miner: "Looks for the commitment among the outputs",
        pool: "Has an output that begins with 6a24aa21a9ed, wherever the block has other transactions",
        judged: "It is there, or the merkle branch is empty",
        run: |talk| Box::pin(commitment(talk)),
    },
    PoolCase {
        id: "P14",
        title: "Previous hash and nbits are plausible",
        severity: Severity::High,
        sources: &["Stratum wiki 2012: the order of words of the previous hash"],
        miner: "Reads both",
        pool: "Sends nbits that stand for a target, and the previous hash with the bytes of each 4-byte word reversed",
        judged: "nbits decode; where the previous hash shows its proof of work, it does so in the right order",
        run: |talk| Box::pin(previous_hash(talk)),
    },
    PoolCase {
        id: "P15",
        title: "ntime is the time",
        severity: Severity::Medium,
        sources: &["consensus: at most two hours ahead of a node's clock"],
        miner: "Compares ntime with its own clock",
        pool: "Sends the time, two hours more or less",
        judged: "By the difference, which is reported",
        run: |talk| Box::pin(time(talk)),
    },
    PoolCase {
        id: "P16",
        title: "The merkle branch is that of its transactions",
        severity: Severity::High,
        sources: &["Stratum wiki 2012: mining.get_transactions"],
        miner: "Asks for the transactions of the job with mining.get_transactions",
        pool: "Gives them in hexadecimal; the branch is what lies beside the coinbase in their tree",
        judged: "By building the tree. Skipped where the pool does not give them out",
        run: |talk| Box::pin(branch(talk)),
    },
];

async fn first(talk: &Talk) -> Result<(Hand, Told), Stop> {
    let mut hand = Hand::connect(talk).await?;
    hand.greet(None).await?;
    if hand.first_job().await.is_err() {
        // What came may not have been readable as a job: that says more.
        let Some((why, evidence)) = hand.unreadable.first() else { return Err(Stop) };
        talk.world().troubles.clear();
        let finding = format!("what came is not readable as a job: {why}");
        return Err(talk.stop(finding, "mining.notify with nine parameters of the known form", *evidence));
    }
    let told = hand.jobs.last().cloned().expect("waited for above");
    Ok((hand, told))
}

async fn notify(talk: Talk) -> Result<String, Stop> {
    let (hand, told) = first(&talk).await?;
    let expected = "a list of nine: id, previous hash (64 digits), coinb1, coinb2, branch (64 digits each), \
                    version, nbits, ntime (8 digits each), true or false";
    let Value::Array(params) = &told.line["params"] else {
        return Err(talk.stop("params is no list", expected, told.evidence));
    };
    if params.len() != 9 {
        talk.fail(format!("{} parameters", params.len()), expected, told.evidence);
    }
    if !told.line["id"].is_null() {
        talk.fail(format!("the id is {}", told.line["id"]), "null: it is no request", told.evidence);
    }
    let digits = |value: &Value, count: Option<usize>| {
        value.as_str().is_some_and(|text| {
            text.len().is_multiple_of(2)
                && text.bytes().all(|digit| digit.is_ascii_hexdigit())
                && count.is_none_or(|count| text.len() == count)
        })
    };
    let forms = [("previous hash", 1, Some(64)), ("coinb1", 2, None), ("coinb2", 3, None)];
    let numbers = [("version", 5, Some(8)), ("nbits", 6, Some(8)), ("ntime", 7, Some(8))];
    for (name, at, count) in forms.into_iter().chain(numbers) {
        let value = &told.line["params"][at];
        if !digits(value, count) {
            talk.fail(format!("{name} is {}", cut(value)), expected, told.evidence);
        }
    }
    let branch = told.line["params"][4].as_array();
    if branch.is_none_or(|branch| !branch.iter().all(|hash| digits(hash, Some(64)))) {
        talk.fail("the branch is no list of hashes", expected, told.evidence);
    }
    let id = &told.line["params"][0];
    if !id.as_str().is_some_and(|id| !id.is_empty() && id.len() <= 64) {
        talk.fail(format!("the job id is {}", cut(id)), "a text of 1 to 64 characters", told.evidence);
    }
    if !told.line["params"][8].is_boolean() {
        talk.fail(format!("clean is {}", told.line["params"][8]), expected, told.evidence);
    }
    for (why, evidence) in &hand.unreadable {
        talk.fail(format!("a line is not readable: {why}"), expected, *evidence);
    }
    let hashes = told.notice.branch.len();
    talk.measure("hashes in the branch", hashes);
    talk.measure("bytes of the notify", told.line.to_string().len());
    Ok(format!("job {id} with {hashes} hashes in its branch"))
}

fn cut(value: &Value) -> String {
    let text = value.to_string();
    text.char_indices().nth(80).map_or(text.clone(), |(at, _)| format!("{}…", &text[..at]))
}

/// The coinbase of a job with zeros for extranonce2.
fn bytes_of(hand: &Hand, told: &Told) -> (Vec<u8>, usize) {
    let split = hand.extranonce.as_ref().expect("subscribed");
    let zeros = vec![0; split.extranonce2_bytes];
    let bytes =
        [&told.notice.coinb1, &split.extranonce1, &zeros, &told.notice.coinb2].map(Vec::as_slice).concat();
    (bytes, split.extranonce1.len() + zeros.len())
}

async fn coinbase(talk: Talk) -> Result<String, Stop> {
    let (hand, told) = first(&talk).await?;
    let (bytes, extranonce) = bytes_of(&hand, &told);
    let wrong = |finding: String, expected: &str| talk.stop(finding, expected, told.evidence);
    if bytes.get(4) == Some(&0) {
        return Err(wrong(
            "coinb1 has the marker of a transaction with witness".to_owned(),
            "the coinbase without marker, flag and witness: its double SHA-256 is its id",
        ));
    }
    let transaction: bitcoin::Transaction = bitcoin::consensus::deserialize(&bytes).map_err(|error| {
        wrong(
            format!("coinb1, {extranonce} bytes of extranonce and coinb2 are no transaction: {error}"),
            "a whole transaction, with as many bytes of extranonce as subscribe says",
        )
    })?;
    if !transaction.is_coinbase() {
        return Err(wrong("the transaction is no coinbase".to_owned(), "one input, of nothing"));
    }
    let script = transaction.input[0].script_sig.len();
    if !(2..=100).contains(&script) {
        talk.fail(
            format!("a scriptSig of {script} bytes"),
            "2 to 100, or no node takes the block",
            told.evidence,
        );
    }
    let begin = told.notice.coinb1.len();
    if begin < SCRIPT_SIG_AT || begin + extranonce > SCRIPT_SIG_AT + script {
        let expected = "the extranonces inside the scriptSig";
        talk.fail("the extranonces are not inside the scriptSig", expected, told.evidence);
    }
    let paid: u64 = transaction
        .output
        .iter()
        .filter(|output| !output.script_pubkey.is_op_return())
        .map(|output| output.value.to_sat())
        .sum();
    if paid == 0 {
        talk.fail("the coinbase pays nobody", "an output that somebody can spend", told.evidence);
    }
    if let Some(audit) = audit(&hand, &told) {
        talk.measure("tag", &audit.tag);
        for (payee, satoshi) in &audit.outputs {
            talk.measure("pays", format!("{satoshi} satoshi to {payee}"));
        }
    }
    talk.measure("bytes of the coinbase", bytes.len());
    Ok(format!("{} bytes, scriptSig {script}, {paid} satoshi paid", bytes.len()))
}

/// Addresses are written as mainnet's; which chain it is, a job does not say.
fn audit(hand: &Hand, told: &Told) -> Option<CoinbaseAudit> {
    hand.job(told).ok()?.audit(bitcoin::Network::Bitcoin)
}

async fn height(talk: Talk) -> Result<String, Stop> {
    let (hand, told) = first(&talk).await?;
    let height = audit(&hand, &told).and_then(|audit| {
        talk.measure("ready for BIP54", audit.bip54_ready);
        audit.height
    });
    match height {
        Some(height) if (1..HEIGHT_MAX).contains(&height) => {
            talk.measure("height", height);
            Ok(format!("height {height}"))
        }
        Some(height) => {
            Err(talk.stop(format!("height {height}"), "the height of the next block", told.evidence))
        }
        None => {
            let finding = "the scriptSig does not begin with a height";
            Err(talk.stop(finding, "BIP34: the height first, or no node takes the block", told.evidence))
        }
    }
}

async fn commitment(talk: Talk) -> Result<String, Stop> {
    let (hand, told) = first(&talk).await?;
    let (bytes, _) = bytes_of(&hand, &told);
    let transaction: bitcoin::Transaction = match bitcoin::consensus::deserialize(&bytes) {
        Ok(transaction) => transaction,
        Err(error) => return Err(talk.undecided(format!("no transaction: {error}"), "see P11")),
    };
    let begins = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
    let commits = |output: &bitcoin::TxOut| {
        let script = output.script_pubkey.as_bytes();
        script.len() >= 38 && script.starts_with(&begins)
    };
    if transaction.output.iter().any(commits) {
        return Ok("the commitment is there".to_owned());
    }
    if told.notice.branch.is_empty() {
        return Ok("there is none, and no transaction that would need it".to_owned());
    }
    let finding = format!("no commitment, though the branch has {} hashes", told.notice.branch.len());
    let expected = "an output 6a24aa21a9ed…: without it a block with any witness is invalid";
    Err(talk.stop(finding, expected, told.evidence))
}

async fn previous_hash(talk: Talk) -> Result<String, Stop> {
    let (_, told) = first(&talk).await?;
    let nbits = told.notice.nbits;
    let (exponent, mantissa) = (nbits >> 24, nbits & 0x00ff_ffff);
    if mantissa == 0 || mantissa & 0x0080_0000 != 0 || !(1..=0x20).contains(&exponent) {
        let finding = format!("nbits {nbits:08x} stand for no target");
        return Err(talk.stop(finding, "the compact target of the next block", told.evidence));
    }
    let target = Target::from_compact(nbits);
    talk.measure("network difficulty", target.difficulty());
    let right = told.notice.prev_hash;
    // As it stood on the wire, and turned whole: the two ways to get it wrong.
    let mut wire = right;
    wire.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
    let turned = |mut hash: Hash| {
        hash.reverse();
        hash
    };
    let zeros = |hash: &Hash| hash.iter().rev().take_while(|byte| **byte == 0).count();
    let shows = |hash: &Hash| zeros(hash) >= 4;
    if shows(&right) {
        return Ok(format!(
            "the previous hash has {} zero bytes at its end, nbits {nbits:08x}",
            zeros(&right)
        ));
    }
    for (hash, order) in
        [(wire, "as it came"), (turned(wire), "turned whole"), (turned(right), "word by word from its end")]
    {
        if shows(&hash) {
            let finding = format!("the previous hash shows its proof of work when read {order}");
            let expected = "the bytes of each 4-byte word reversed, words in internal order";
            return Err(talk.stop(finding, expected, told.evidence));
        }
    }
    Ok(format!(
        "nbits {nbits:08x}; the previous hash shows no proof of work in any order, as on a test chain"
    ))
}

async fn time(talk: Talk) -> Result<String, Stop> {
    let (_, told) = first(&talk).await?;
    let (theirs, ours) = (u64::from(told.notice.ntime), told.at.unix_seconds());
    let away = theirs.abs_diff(ours);
    let side = if theirs < ours { "behind" } else { "ahead of" };
    talk.measure("ntime against our clock", theirs as i64 - ours as i64);
    if away > NTIME_AWAY_MAX {
        let finding = format!("ntime is {away} s {side} our clock");
        return Err(talk.stop(finding, "within two hours: see that both clocks are right", told.evidence));
    }
    Ok(format!("ntime is {away} s {side} our clock"))
}

async fn branch(talk: Talk) -> Result<String, Stop> {
    let (mut hand, told) = first(&talk).await?;
    let answer = hand.answer("mining.get_transactions", json!([told.notice.id])).await;
    let list = match &answer {
        Ok(answer) if answer.error.is_none() => answer.result.as_array(),
        Ok(_) => None,
        Err(_) => {
            talk.world().troubles.clear();
            None
        }
    };
    let Some(list) = list else {
        return Err(talk.skip("the pool does not give out the transactions of a job"));
    };
    let mut ids: Vec<Hash> = Vec::new();
    for text in list {
        let bytes = text.as_str().and_then(hex::decode);
        let transaction =
            bytes.and_then(|bytes| bitcoin::consensus::deserialize::<bitcoin::Transaction>(&bytes).ok());
        let Some(transaction) = transaction else {
            return Err(talk.skip("what mining.get_transactions gives are no transactions in hexadecimal"));
        };
        ids.push(transaction.compute_txid().to_byte_array());
    }
    if branch_of_first(&ids) == told.notice.branch {
        return Ok(format!("{} transactions make the branch", ids.len()));
    }
    let finding = format!("the tree of {} transactions has another branch", ids.len());
    Err(talk.stop(finding, "the hashes beside the coinbase, from the bottom up", told.evidence))
}
