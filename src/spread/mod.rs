//! Where hashrate goes: fleets of machines by region, what they earn and cost,
//! and what shocks do to them.
//!
//! Pure: a scenario and a seed go in, a [`Record`] comes out. docs/model.md has
//! the equations with a worked number for each.
//!
//! - `day`: civil days as numbers
//! - `parameters`: the numbers by name
//! - `inputs`: the tables
//! - `history`: what happened
//! - `world`: a scenario made ready
//! - `spot`: prices of power markets by the hour
//! - `chain`: blocks and the retarget
//! - `fleet`: machines by region and vintage
//! - `step`: a day
//! - `scenario`: what a file says
//! - `source`: its text, what overrules it, and where in it something stands
//! - `run`: a run of it
//! - `hindcast`: the model held against what happened
//! - `measure`: how concentrated hashrate is
//! - `record`: what a run tells
//! - `claim`: what a spread of hashrate does to the risk of losing it
//! - `sensitivity`: which parameters a result rests on
//! - `eras`: who had the hashrate since 2009, by size of site; a model of its own
//! - `site`: what a kWh and a bitcoin cost at one site, and when it has paid

pub mod chain;
pub mod claim;
mod day;
pub mod eras;
pub mod fleet;
pub mod hindcast;
pub mod history;
pub mod inputs;
pub mod measure;
pub mod parameters;
mod record;
pub mod run;
pub mod scenario;
pub mod sensitivity;
pub mod site;
mod source;
pub mod spot;
pub mod step;
#[cfg(test)]
mod tests;
pub mod world;

pub use day::Day;
pub use record::{Model, REGIONAL, Record, Variable, WORLD};
