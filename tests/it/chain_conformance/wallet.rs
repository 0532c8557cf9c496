//! One key: what the pool's blocks pay, and payments signed with it.

use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{
    Amount, CompressedPublicKey, OutPoint, PrivateKey, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Witness, absolute, transaction,
};

/// A key and the coins it was paid.
pub struct Wallet {
    key: PrivateKey,
}

impl Wallet {
    pub fn new() -> Self {
        let secret = SecretKey::from_slice(&[0xad; 32]).unwrap();
        Self { key: PrivateKey::new(secret, bitcoin::Network::Regtest) }
    }

    fn public(&self) -> CompressedPublicKey {
        CompressedPublicKey::from_private_key(&Secp256k1::new(), &self.key).unwrap()
    }

    /// The script that pays this key (P2WPKH).
    pub fn script(&self) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&self.public().wpubkey_hash())
    }

    /// Spends a coin of this key into one of this key again, less `fee`.
    pub fn spend(&self, coin: OutPoint, value: Amount, fee: Amount) -> Transaction {
        let secp = Secp256k1::new();
        let mut transaction = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: coin,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![TxOut { value: value - fee, script_pubkey: self.script() }],
        };
        let sighash = SighashCache::new(&transaction)
            .p2wpkh_signature_hash(0, &self.script(), value, EcdsaSighashType::All)
            .unwrap();
        let signature = secp.sign_ecdsa(&Message::from_digest(sighash.to_byte_array()), &self.key.inner);
        let signature = bitcoin::ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All };
        transaction.input[0].witness = Witness::p2wpkh(&signature, &self.public().0);
        transaction
    }
}
