//! The coinbase, split around the extranonce that each miner fills in.
//!
//! Layout of the scriptSig: height (BIP34), pool tag, extranonce. The tag comes
//! before the extranonce so that as many bytes as possible precede what varies:
//! their hash state is kept ([`Coinbase::prefix_hash`]).
//!
//! Ready for BIP54: `nLockTime` is the height minus one and `nSequence` is not
//! final, so a coinbase can never repeat an earlier one.
//!
//! A wanted total length is reached with zero bytes after the tag and, where
//! those are not enough, unspendable `OP_RETURN` outputs; firmware breaks at sizes between 255 bytes and 6.5 KB, so the
//! length is a setting (DATUM's table of clients, ESP-Miner #1897).

use bitcoin::absolute::LockTime;
use bitcoin::script::{Builder, PushBytesBuf, ScriptBuf};
use bitcoin::{Amount, OutPoint, Sequence, Transaction, TxIn, TxOut, Witness, opcodes, transaction};

use crate::hash::{Hash, Prefix, batch};

/// Consensus bounds of a coinbase scriptSig.
const SCRIPT_SIG_BYTES_MAX: usize = 100;

/// Bytes of one filler output's script; under the 10,000 of a valid script.
const FILLER_BYTES_MAX: usize = 9_000;

/// Value and length field of an output.
const FILLER_OVERHEAD_MIN: usize = 9;

/// The longest coinbase that can be asked for, without its witness.
const LENGTH_MAX: usize = 16 * 1024;

/// What goes into a coinbase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoinbaseSpec {
    /// Who is paid: script and share of the value in parts; at least one.
    pub payees: Vec<(ScriptBuf, u32)>,
    /// The pool's mark in the scriptSig.
    pub tag: String,
    /// Bytes of extranonce1 and extranonce2 together.
    pub extranonce_bytes: usize,
    /// Total length without the witness, or the natural one.
    pub length: Option<usize>,
}

/// What a block's coinbase must have, as its node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoinbaseDemands {
    /// Height of the block (BIP34).
    pub height: u32,
    /// Version of the transaction.
    pub version: i32,
    /// Sequence number of its input.
    pub sequence: u32,
    /// Its lock time.
    pub lock_time: u32,
    /// Its witness, and so part of the commitment (BIP141).
    pub reserved: Hash,
    /// Outputs beside the commitment; what they are worth is not the payees'.
    pub outputs: Vec<TxOut>,
}

impl CoinbaseDemands {
    /// What we do unasked: BIP54's lock time and sequence, and nothing reserved.
    #[must_use]
    pub fn usual(height: u32) -> Self {
        Self {
            height,
            version: 2,
            sequence: Sequence::ENABLE_LOCKTIME_NO_RBF.0,
            lock_time: height.saturating_sub(1),
            reserved: Hash::default(),
            outputs: Vec::new(),
        }
    }
}

/// Why no coinbase can be made to a specification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoinbaseError {
    /// The demanded outputs are worth more than the block.
    #[error("the node demands outputs that are worth more than the block")]
    Demands,
    /// No payee, or all with zero parts.
    #[error("the coinbase pays nobody: name at least one payout address")]
    NoPayee,
    /// The scriptSig would pass 100 bytes.
    #[error(
        "tag of {tag} bytes and extranonce of {extranonce} bytes make a scriptSig of {total} bytes; \
         consensus allows {SCRIPT_SIG_BYTES_MAX}"
    )]
    ScriptSigTooLong {
        /// Bytes of the tag.
        tag: usize,
        /// Bytes of both extranonces.
        extranonce: usize,
        /// Bytes of the whole scriptSig.
        total: usize,
    },
    /// The wanted length cannot be had.
    #[error(
        "a coinbase of {wanted} bytes cannot be made: with these outputs it can have {natural} to {LENGTH_MAX}"
    )]
    Length {
        /// The length asked for.
        wanted: usize,
        /// The length without filler.
        natural: usize,
    },
}

/// A coinbase cut at its extranonce.
#[derive(Debug, Clone)]
pub struct Coinbase {
    /// Bytes before the extranonce, without segwit marker and flag ("coinb1").
    pub prefix: Vec<u8>,
    /// Bytes after it ("coinb2").
    pub suffix: Vec<u8>,
    /// Hash state over the whole blocks of `prefix`.
    pub prefix_hash: Prefix,
    /// Its witness, when the block commits to witnesses.
    witness: Option<Hash>,
}

impl Coinbase {
    /// Builds the coinbase of the block at `height` worth `value`.
    ///
    /// `witness_commitment` is [`super::witness_commitment`] of the block's
    /// other transactions; `None` on a chain where SegWit is not active, which
    /// takes no witness.
    ///
    /// # Errors
    /// When the specification cannot be met within consensus.
    pub fn build(
        spec: &CoinbaseSpec,
        height: u32,
        value: Amount,
        witness_commitment: Option<Hash>,
    ) -> Result<Self, CoinbaseError> {
        Self::build_as(spec, &CoinbaseDemands::usual(height), value, witness_commitment)
    }

    /// The same with what the node demands.
    ///
    /// # Errors
    /// When the specification cannot be met within consensus and these demands.
    pub fn build_as(
        spec: &CoinbaseSpec,
        demands: &CoinbaseDemands,
        value: Amount,
        witness_commitment: Option<Hash>,
    ) -> Result<Self, CoinbaseError> {
        let left = demands.outputs.iter().try_fold(value, |left, output| left.checked_sub(output.value));
        let mut outputs = split(&spec.payees, left.ok_or(CoinbaseError::Demands)?)?;
        outputs.extend(demands.outputs.iter().cloned());
        if let Some(commitment) = witness_commitment {
            outputs.push(TxOut { value: Amount::ZERO, script_pubkey: commitment_script(commitment) });
        }
        let natural = serialize(spec, demands, &outputs, 0)?;
        let bytes = match spec.length {
            None => natural,
            Some(wanted) => pad(spec, demands, outputs, wanted, natural.len())?,
        };
        // The extranonce is the end of the scriptSig; find it from the front.
        let script_length_at = 4 + 1 + 36;
        let cut = script_length_at + 1 + usize::from(bytes[script_length_at]) - spec.extranonce_bytes;
        let (prefix, rest) = bytes.split_at(cut);
        let suffix = &rest[spec.extranonce_bytes..];
        Ok(Self {
            prefix: prefix.to_vec(),
            suffix: suffix.to_vec(),
            prefix_hash: Prefix::of(prefix),
            witness: witness_commitment.map(|_| demands.reserved),
        })
    }

    /// The coinbase's txid for an extranonce.
    #[must_use]
    #[inline]
    pub fn txid(&self, extranonce1: &[u8], extranonce2: &[u8]) -> Hash {
        let rest = &self.prefix[self.prefix_hash.len()..];
        self.prefix_hash.sha256d(&[rest, extranonce1, extranonce2, &self.suffix])
    }

    /// [`Self::txid`] for many extranonces2 of one length at once.
    #[must_use]
    pub fn txids(&self, extranonce1: &[u8], extranonces2: &[&[u8]]) -> Vec<Hash> {
        let rest = &self.prefix[self.prefix_hash.len()..];
        let mut tails = Vec::new();
        for extranonce2 in extranonces2 {
            for part in [rest, extranonce1, extranonce2, &self.suffix] {
                tails.extend_from_slice(part);
            }
        }
        let mut ids = vec![Hash::default(); extranonces2.len()];
        if let Some(length) = tails.len().checked_div(ids.len()) {
            batch::tails(&self.prefix_hash, &tails.chunks(length).collect::<Vec<_>>(), &mut ids);
        }
        ids
    }

    /// Length in bytes with an extranonce of `extranonce_bytes`, without the witness.
    #[must_use]
    pub fn len(&self, extranonce_bytes: usize) -> usize {
        self.prefix.len() + extranonce_bytes + self.suffix.len()
    }

    /// Its weight with an extranonce of `extranonce_bytes`.
    #[must_use]
    pub fn weight(&self, extranonce_bytes: usize) -> u64 {
        // Marker, flag, and a stack of one item of 32 bytes.
        let witness = if self.witness.is_some() { 2 + 1 + 1 + 32 } else { 0 };
        4 * self.len(extranonce_bytes) as u64 + witness
    }

    /// The most signature operations it can have, counted as blocks do.
    #[must_use]
    pub fn sigops_max(&self, extranonce_bytes: usize) -> u64 {
        let outputs = self.transaction(&vec![0; extranonce_bytes], &[]).output;
        let of_outputs: usize = outputs.iter().map(|output| output.script_pubkey.count_sigops_legacy()).sum();
        // Any byte of an extranonce may read as CHECKMULTISIG, which counts as 20.
        4 * (of_outputs + 20 * extranonce_bytes) as u64
    }

    /// The whole transaction; with SegWit, its witness is the reserved value of BIP141.
    #[must_use]
    pub fn transaction(&self, extranonce1: &[u8], extranonce2: &[u8]) -> Transaction {
        let bytes = [&self.prefix, extranonce1, extranonce2, &self.suffix].concat();
        let mut transaction: Transaction =
            bitcoin::consensus::deserialize(&bytes).expect("the pool's own coinbase decodes");
        if let Some(reserved) = self.witness {
            transaction.input[0].witness.push(reserved);
        }
        transaction
    }
}

fn split(payees: &[(ScriptBuf, u32)], value: Amount) -> Result<Vec<TxOut>, CoinbaseError> {
    let parts: u64 = payees.iter().map(|(_, parts)| u64::from(*parts)).sum();
    if parts == 0 {
        return Err(CoinbaseError::NoPayee);
    }
    let share_of =
        |of: u32| Amount::from_sat((u128::from(value.to_sat()) * u128::from(of) / u128::from(parts)) as u64);
    let mut outputs: Vec<TxOut> = payees
        .iter()
        .map(|(script, of)| TxOut { value: share_of(*of), script_pubkey: script.clone() })
        .collect();
    // Rounding leaves a few satoshi; they are the first payee's.
    let paid: Amount = outputs.iter().map(|output| output.value).sum();
    outputs[0].value += value - paid;
    Ok(outputs)
}

/// The output script that commits to witnesses (BIP141).
#[must_use]
pub fn commitment_script(commitment: Hash) -> ScriptBuf {
    let mut data = PushBytesBuf::from([0xaa, 0x21, 0xa9, 0xed]);
    data.extend_from_slice(&commitment).expect("36 bytes are a push");
    ScriptBuf::new_op_return(data)
}

/// The transaction with `filler` zero bytes after the tag.
fn serialize(
    spec: &CoinbaseSpec,
    demands: &CoinbaseDemands,
    outputs: &[TxOut],
    filler: usize,
) -> Result<Vec<u8>, CoinbaseError> {
    // BIP34: heights up to 16 are OP_1 to OP_16, as Bitcoin Core pushes them.
    let mut script = Builder::new().push_int(i64::from(demands.height)).into_bytes();
    script.extend_from_slice(spec.tag.as_bytes());
    script.resize(script.len() + filler + spec.extranonce_bytes, 0);
    if script.len() > SCRIPT_SIG_BYTES_MAX {
        return Err(CoinbaseError::ScriptSigTooLong {
            tag: spec.tag.len(),
            extranonce: spec.extranonce_bytes,
            total: script.len(),
        });
    }
    let transaction = Transaction {
        version: transaction::Version(demands.version),
        lock_time: LockTime::from_consensus(demands.lock_time),
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(script),
            sequence: Sequence(demands.sequence),
            witness: Witness::new(),
        }],
        output: outputs.to_vec(),
    };
    Ok(bitcoin::consensus::serialize(&transaction))
}

/// Makes the coinbase `wanted` bytes long: outputs for the most of it, the
/// scriptSig for the rest.
fn pad(
    spec: &CoinbaseSpec,
    demands: &CoinbaseDemands,
    mut outputs: Vec<TxOut>,
    wanted: usize,
    natural: usize,
) -> Result<Vec<u8>, CoinbaseError> {
    let unreachable = CoinbaseError::Length { wanted, natural };
    if !(natural..=LENGTH_MAX).contains(&wanted) {
        return Err(unreachable);
    }
    let script_length = natural_script_length(spec, demands.height);
    let room = SCRIPT_SIG_BYTES_MAX - script_length;
    let mut left = wanted - natural;
    while left > room {
        let script_bytes = (left - FILLER_OVERHEAD_MIN.min(left)).clamp(1, FILLER_BYTES_MAX);
        let mut script = vec![opcodes::all::OP_RETURN.to_u8()];
        script.resize(script_bytes, 0);
        outputs.push(TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(script) });
        let now = serialize(spec, demands, &outputs, 0)?.len();
        // A script of 253 bytes and more has a longer length field: take those back.
        if let Some(excess) = now.checked_sub(wanted).filter(|excess| *excess > 0) {
            let last = outputs.last_mut().expect("just pushed");
            let shorter = last.script_pubkey.len().saturating_sub(excess).max(1);
            last.script_pubkey = ScriptBuf::from_bytes(last.script_pubkey.as_bytes()[..shorter].to_vec());
        }
        let now = serialize(spec, demands, &outputs, 0)?.len();
        left = wanted.checked_sub(now).ok_or_else(|| unreachable.clone())?;
    }
    serialize(spec, demands, &outputs, left)
}

/// Bytes of height, tag and extranonce.
fn natural_script_length(spec: &CoinbaseSpec, height: u32) -> usize {
    Builder::new().push_int(i64::from(height)).as_bytes().len() + spec.tag.len() + spec.extranonce_bytes
}

/// What a coinbase says about itself, as any miner can read it from a notify.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CoinbaseAudit {
    /// The BIP34 height, when it can be read.
    pub height: Option<u32>,
    /// Length in bytes without the witness.
    pub length: usize,
    /// Printable text of the scriptSig: the pool's tag.
    pub tag: String,
    /// Spendable outputs: address (or script in hex) and satoshi.
    pub outputs: Vec<(String, u64)>,
    /// Whether lock time and sequence keep BIP54's rule.
    pub bip54_ready: bool,
}

impl std::fmt::Display for CoinbaseAudit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: u64 = self.outputs.iter().map(|(_, sats)| sats).sum();
        write!(f, "coinbase of {} bytes", self.length)?;
        if let Some(height) = self.height {
            write!(f, " at height {height}")?;
        }
        write!(f, " pays {}", Amount::from_sat(total))?;
        for (payee, sats) in &self.outputs {
            write!(f, ", {:.1} % to {payee}", *sats as f64 * 100.0 / total.max(1) as f64)?;
        }
        write!(f, ", tag {:?}", self.tag)
    }
}

/// Reads a coinbase (whole, without witness) the way its miner can.
///
/// `None` when the bytes are no transaction with one input.
#[must_use]
pub fn audit(coinbase: &[u8], network: bitcoin::Network) -> Option<CoinbaseAudit> {
    let transaction: Transaction = bitcoin::consensus::deserialize(coinbase).ok()?;
    let [input] = transaction.input.as_slice() else { return None };
    let height = match input.script_sig.instructions().next() {
        Some(Ok(bitcoin::script::Instruction::PushBytes(push))) if push.len() <= 4 => {
            let mut bytes = [0; 4];
            bytes[..push.len()].copy_from_slice(push.as_bytes());
            Some(u32::from_le_bytes(bytes))
        }
        Some(Ok(bitcoin::script::Instruction::Op(op))) => op
            .to_u8()
            .checked_sub(opcodes::all::OP_PUSHNUM_1.to_u8())
            .map(|n| u32::from(n) + 1)
            .filter(|height| *height <= 16),
        _ => None,
    };
    let printable = |byte: &u8| (byte.is_ascii_graphic() || *byte == b' ').then_some(*byte as char);
    let script = input.script_sig.as_bytes();
    let height_bytes = height.map_or(0, |height| Builder::new().push_int(i64::from(height)).as_bytes().len());
    let tag = script[height_bytes.min(script.len())..]
        .split(|byte| printable(byte).is_none())
        .max_by_key(|run| run.len())
        .map(|run| String::from_utf8_lossy(run).into_owned())
        .unwrap_or_default();
    let outputs = transaction
        .output
        .iter()
        .filter(|output| !output.script_pubkey.is_op_return())
        .map(|output| {
            let payee = bitcoin::Address::from_script(&output.script_pubkey, network)
                .map_or_else(|_| output.script_pubkey.to_hex_string(), |address| address.to_string());
            (payee, output.value.to_sat())
        })
        .collect();
    let bip54_ready = !input.sequence.eq(&Sequence::MAX)
        && height.is_some_and(|height| transaction.lock_time.to_consensus_u32() + 1 == height);
    Some(CoinbaseAudit { height, length: coinbase.len(), tag, outputs, bip54_ready })
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash as _;

    use super::*;

    fn spec(length: Option<usize>) -> CoinbaseSpec {
        let script = |byte| ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([byte; 20]));
        CoinbaseSpec {
            payees: vec![(script(1), 2), (script(2), 1)],
            tag: "/adit/".into(),
            extranonce_bytes: 12,
            length,
        }
    }

    fn build(spec: &CoinbaseSpec, height: u32) -> Result<Coinbase, CoinbaseError> {
        Coinbase::build(spec, height, Amount::from_sat(5_000_000_001), Some([7; 32]))
    }

    #[test]
    fn height_is_encoded_as_core_does_from_one_on() {
        fn check(height: u32, script_sig_begins: &[u8]) {
            let transaction = build(&spec(None), height).unwrap().transaction(&[1; 4], &[2; 8]);
            let script = transaction.input[0].script_sig.as_bytes();
            assert!(script.starts_with(script_sig_begins), "height {height}: {script:02x?}");
            assert_eq!(transaction.lock_time.to_consensus_u32(), height - 1);
            assert_ne!(transaction.input[0].sequence, Sequence::MAX);
        }
        check(1, &[0x51, b'/']);
        check(16, &[0x60, b'/']);
        check(17, &[1, 17, b'/']);
        check(128, &[2, 128, 0, b'/']);
        check(840_000, &[3, 0x40, 0xd1, 0x0c, b'/']);
    }

    #[test]
    fn every_satoshi_is_paid() {
        let transaction = build(&spec(None), 100).unwrap().transaction(&[1; 4], &[2; 8]);
        assert_eq!(transaction.output[0].value.to_sat(), 3_333_333_334);
        assert_eq!(transaction.output[1].value.to_sat(), 1_666_666_667);
    }

    #[test]
    fn length_is_a_setting() {
        let natural = build(&spec(None), 100).unwrap().len(12);
        let lengths = (natural..700).chain([1000, 6500]).chain(9_200..9_400).chain([16 * 1024]);
        for wanted in lengths {
            let coinbase = build(&spec(Some(wanted)), 100).unwrap();
            assert_eq!(coinbase.len(12), wanted);
            let id = bitcoin::Txid::from_byte_array(coinbase.txid(&[1; 4], &[2; 8]));
            assert_eq!(id, coinbase.transaction(&[1; 4], &[2; 8]).compute_txid());
        }
        for wanted in [natural - 1, 16 * 1024 + 1] {
            assert!(matches!(build(&spec(Some(wanted)), 100), Err(CoinbaseError::Length { .. })), "{wanted}");
        }
    }

    #[test]
    fn demands_are_met() {
        let script_pubkey = ScriptBuf::from_bytes(vec![opcodes::all::OP_RETURN.to_u8()]);
        let demanded = TxOut { value: Amount::from_sat(1_001), script_pubkey };
        let demands = CoinbaseDemands {
            height: 100,
            version: 3,
            sequence: 5,
            lock_time: 7,
            reserved: [9; 32],
            outputs: vec![demanded.clone()],
        };
        let value = Amount::from_sat(4_001);
        let coinbase = Coinbase::build_as(&spec(Some(400)), &demands, value, Some([7; 32])).unwrap();
        let transaction = coinbase.transaction(&[1; 4], &[2; 8]);
        assert_eq!(coinbase.len(12), 400);
        assert_eq!((transaction.version.0, transaction.input[0].sequence.0), (3, 5));
        assert_eq!(transaction.lock_time.to_consensus_u32(), 7);
        assert_eq!(transaction.input[0].witness.to_vec(), [[9; 32].to_vec()]);
        let sats = |at: usize| transaction.output[at].value.to_sat();
        assert_eq!((sats(0), sats(1), &transaction.output[2]), (2_000, 1_000, &demanded));
        let poor = Coinbase::build_as(&spec(None), &demands, Amount::from_sat(1_000), None);
        assert_eq!(poor.unwrap_err(), CoinbaseError::Demands);
    }

    #[test]
    fn weight_is_known_before_the_extranonce() {
        for (commitment, length) in [(Some([7; 32]), None), (None, None), (Some([7; 32]), Some(6_500))] {
            let value = Amount::from_sat(5_000_000_000);
            let coinbase = Coinbase::build(&spec(length), 100, value, commitment).unwrap();
            let transaction = coinbase.transaction(&[1; 4], &[2; 8]);
            assert_eq!(transaction.weight().to_wu(), coinbase.weight(12));
            assert_eq!(
                transaction.output.iter().any(|output| output.script_pubkey.is_op_return()),
                commitment.is_some()
            );
            let extreme = coinbase.transaction(&[0xae; 12], &[]);
            let sigops = extreme.total_sigop_cost(|_: &OutPoint| -> Option<TxOut> { None }) as u64;
            assert!(sigops <= coinbase.sigops_max(12), "{sigops}");
        }
    }

    #[test]
    fn impossible_specifications_are_refused() {
        let unpaid = CoinbaseSpec { payees: vec![], ..spec(None) };
        assert_eq!(build(&unpaid, 1).unwrap_err(), CoinbaseError::NoPayee);
        let long = CoinbaseSpec { tag: "x".repeat(90), ..spec(None) };
        assert!(matches!(build(&long, 1), Err(CoinbaseError::ScriptSigTooLong { total: 103, .. })));
    }

    #[test]
    fn a_miner_can_audit_it() {
        let coinbase = build(&spec(Some(400)), 840_000).unwrap();
        let bytes = [&coinbase.prefix[..], &[1; 12], &coinbase.suffix].concat();
        let audit = audit(&bytes, bitcoin::Network::Regtest).unwrap();
        assert_eq!((audit.height, audit.length, audit.tag.as_str()), (Some(840_000), 400, "/adit/"));
        assert!(audit.bip54_ready);
        assert_eq!(audit.outputs.iter().map(|(_, sats)| sats).sum::<u64>(), 5_000_000_001);
        assert!(audit.outputs[0].0.starts_with("bcrt1"));
    }
}
