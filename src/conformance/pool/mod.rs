//! Conformance of a pool: what a miner by hand says to it, what it answers,
//! and what follows.
//!
//! A [`PoolCase`] is a script, an async function that reads from top to bottom.
//! No runtime is behind it: the [`Examiner`] polls it after each [`Input`] and
//! gives out the [`Action`]s it asked for, among them the work to be searched.
//! So the same examination runs over sockets and, in virtual time, against our
//! own pool and its mutants.
//!
//! | file | decides |
//! |---|---|
//! | `case` | what a case is, and which there are |
//! | `examiner` | which case runs, and what becomes of it |
//! | `talk` | what a script can do and wait for |
//! | `hand` | a connection as a miner by hand holds it |
//! | `trial` | its shares, and what must become of them |
//! | `proof` | real proofs for shares that are right, wrong, or close |
//! | `reading` | what the pool's reason for a reject says |
//! | the others | the cases, by subject |

mod case;
mod difficulty;
mod examiner;
mod extranonce;
mod flaws;
mod hand;
mod handshake;
mod proof;
mod reading;
mod replies;
mod robust;
mod shares;
mod talk;
mod trial;
mod version;
mod work;

pub use case::{PoolCase, cases};
pub use examiner::{Action, Examiner, Input, SearchId, Setting};
pub use proof::Sought;
