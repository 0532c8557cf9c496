//! What a block is made of: header, coinbase, merkle tree, template.
//!
//! Types and consensus encoding are the `bitcoin` crate's; here is what a pool
//! adds to them: a coinbase split around its extranonce, merkle branches for
//! position 0, and the template from which jobs are made.

mod coinbase;
mod header;
mod merkle;
mod template;

pub use coinbase::{
    Coinbase, CoinbaseAudit, CoinbaseDemands, CoinbaseError, CoinbaseSpec, audit, commitment_script,
};
pub use header::HeaderFields;
pub use merkle::{branch_of_first, root, witness_commitment};
pub use template::{Limits, Template, TemplateTransaction, assemble};
