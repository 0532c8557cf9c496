//! From home computers to industry: who has the hashrate of the record, by size of site and
//! generation of machines, since 2009.
//!
//! A model of its own, for the fleets of regions and vintages beside it are those of an
//! industry that exists already. Here total hashrate is the record's; the question is the
//! split. Four classes of sites differ in what power, staff, sites and machines cost them,
//! when they get new machines, how fast they can build, and how large the least site is.
//! Month by month, machines run where they pay, and those that the record adds are bought
//! by whom they promise most. docs/model.md has the equations.
//!
//! - `inputs`: the tables
//! - `scenario`: what a file says
//! - `market`: what a machine is worth, who runs, who buys
//! - `run`: the months, and a run's draws
//! - `sites`: sites of a class, and how concentrated all are
//! - `variables`: what a run tells
//! - `findings`: when classes fell below a share, and the model held against facts

pub mod findings;
pub mod inputs;
mod market;
mod run;
mod scenario;
mod sites;
#[cfg(test)]
mod tests;
mod variables;

pub use run::{middle, run};
pub use scenario::{Ready, reads};
pub use variables::{NETWORK, PARTS};
