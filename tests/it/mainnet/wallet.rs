//! Coins of mainnet's usual kinds, and transactions that spend them, signed.

use adit::hash::Hash;
use bitcoin::hashes::Hash as _;
use bitcoin::key::{Keypair, PublicKey, TapTweak as _};
use bitcoin::opcodes::all as op;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::{All, Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, ecdsa, taproot,
    transaction,
};

/// Kinds of coins, with how often one is of each, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Pkh,
    NestedWpkh,
    Wpkh,
    /// 2 of 3 in P2WSH.
    WitnessMultisig,
    Taproot,
    /// 1 of 2, bare: its outputs alone count for 80 signature operations each.
    BareMultisig,
}

pub const KINDS: [(Kind, u32); 6] = [
    (Kind::Pkh, 20),
    (Kind::NestedWpkh, 15),
    (Kind::Wpkh, 35),
    (Kind::WitnessMultisig, 8),
    (Kind::Taproot, 20),
    (Kind::BareMultisig, 2),
];

/// A coin of the wallet.
#[derive(Debug, Clone)]
pub struct Coin {
    pub outpoint: OutPoint,
    pub kind: Kind,
    pub sats: u64,
}

/// A wallet of three keys.
pub struct Wallet {
    secp: Secp256k1<All>,
    keys: [Keypair; 3],
}

impl Wallet {
    pub fn new() -> Self {
        let secp = Secp256k1::new();
        let keys = [1, 2, 3].map(|byte| {
            let secret: Hash = [byte; 32];
            SecretKey::from_slice(&secret).expect("a key below the order").keypair(&secp)
        });
        Self { secp, keys }
    }

    fn public(&self, key: usize) -> PublicKey {
        PublicKey::new(self.keys[key].public_key())
    }

    fn multisig(&self, needed: i64, keys: usize) -> ScriptBuf {
        let mut script = Builder::new().push_int(needed);
        for key in 0..keys {
            script = script.push_key(&self.public(key));
        }
        script.push_int(keys as i64).push_opcode(op::OP_CHECKMULTISIG).into_script()
    }

    fn wpkh(&self) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&self.public(0).wpubkey_hash().expect("keys are compressed"))
    }

    /// The script of coins of a kind.
    pub fn script(&self, kind: Kind) -> ScriptBuf {
        match kind {
            Kind::Pkh => ScriptBuf::new_p2pkh(&self.public(0).pubkey_hash()),
            Kind::NestedWpkh => self.wpkh().to_p2sh(),
            Kind::Wpkh => self.wpkh(),
            Kind::WitnessMultisig => self.multisig(2, 3).to_p2wsh(),
            Kind::Taproot => ScriptBuf::new_p2tr(&self.secp, self.keys[0].x_only_public_key().0, None),
            Kind::BareMultisig => self.multisig(1, 2),
        }
    }

    /// Spends coins to outputs of these kinds and sats, signed.
    pub fn pay(&self, coins: &[Coin], outputs: &[(Kind, u64)], beside: Option<TxOut>) -> Transaction {
        let input = |coin: &Coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let output = |(kind, sats): &(Kind, u64)| TxOut {
            value: Amount::from_sat(*sats),
            script_pubkey: self.script(*kind),
        };
        let unsigned = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: coins.iter().map(input).collect(),
            output: outputs.iter().map(output).chain(beside).collect(),
        };
        let spent: Vec<TxOut> = coins
            .iter()
            .map(|coin| TxOut { value: Amount::from_sat(coin.sats), script_pubkey: self.script(coin.kind) })
            .collect();
        let mut signed = unsigned.clone();
        let mut cache = SighashCache::new(&unsigned);
        for (at, (coin, input)) in coins.iter().zip(&mut signed.input).enumerate() {
            (input.script_sig, input.witness) = self.unlock(coin.kind, at, &spent, &mut cache);
        }
        signed
    }

    fn unlock(
        &self,
        kind: Kind,
        at: usize,
        spent: &[TxOut],
        cache: &mut SighashCache<&Transaction>,
    ) -> (ScriptBuf, Witness) {
        const ALL: EcdsaSighashType = EcdsaSighashType::All;
        let value = spent[at].value;
        let sign = |hash: Hash, key: usize| ecdsa::Signature {
            signature: self.secp.sign_ecdsa(&Message::from_digest(hash), &self.keys[key].secret_key()),
            sighash_type: ALL,
        };
        let push = |bytes: &[u8]| PushBytesBuf::try_from(bytes.to_vec()).expect("a short push");
        let legacy = |cache: &SighashCache<&Transaction>| {
            let hash = cache.legacy_signature_hash(at, &spent[at].script_pubkey, ALL.to_u32());
            hash.expect("an input of the transaction").to_byte_array()
        };
        let wpkh = |cache: &mut SighashCache<&Transaction>| {
            let hash = cache.p2wpkh_signature_hash(at, &self.wpkh(), value, ALL);
            let signature = sign(hash.expect("a P2WPKH script").to_byte_array(), 0);
            Witness::p2wpkh(&signature, &self.keys[0].public_key())
        };
        match kind {
            Kind::Pkh => {
                let signature = sign(legacy(cache), 0).to_vec();
                let script = Builder::new().push_slice(push(&signature)).push_key(&self.public(0));
                (script.into_script(), Witness::new())
            }
            Kind::NestedWpkh => {
                (Builder::new().push_slice(push(self.wpkh().as_bytes())).into_script(), wpkh(cache))
            }
            Kind::Wpkh => (ScriptBuf::new(), wpkh(cache)),
            Kind::WitnessMultisig => {
                let script = self.multisig(2, 3);
                let hash = cache.p2wsh_signature_hash(at, &script, value, ALL);
                let hash = hash.expect("an input of the transaction").to_byte_array();
                let [first, second] = [0, 1].map(|key| sign(hash, key).to_vec());
                (ScriptBuf::new(), Witness::from_slice(&[vec![], first, second, script.into_bytes()]))
            }
            Kind::Taproot => {
                let hash = cache.taproot_key_spend_signature_hash(
                    at,
                    &Prevouts::All(spent),
                    TapSighashType::Default,
                );
                let message = Message::from_digest(hash.expect("all prevouts are given").to_byte_array());
                let key = self.keys[0].tap_tweak(&self.secp, None).to_keypair();
                let signature = taproot::Signature {
                    signature: self.secp.sign_schnorr_no_aux_rand(&message, &key),
                    sighash_type: TapSighashType::Default,
                };
                (ScriptBuf::new(), Witness::p2tr_key_spend(&signature))
            }
            Kind::BareMultisig => {
                let signature = sign(legacy(cache), 0).to_vec();
                (Builder::new().push_int(0).push_slice(push(&signature)).into_script(), Witness::new())
            }
        }
    }
}
