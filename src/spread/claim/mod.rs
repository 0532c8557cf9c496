//! Whether spreading hashrate over nations makes the network safer, and where that turns.
//!
//! A year is drawn, with local shocks by the hazard of each place and at most
//! one cause that places share; what of the network goes off depends on where
//! it was. Many years give the expected loss, its tail, the time to recover,
//! and what it then costs to match the rest.
//!
//! ```text
//! loss L = sum over places of share x (1 - remains)
//! independent, equal hazard h, all of a place lost:
//!   E[L] = h, whatever the spread        Var[L] = h (1 - h) x HHI / 10,000
//! ```
//!
//! So spread can only ever narrow the tail; the mean is moved by how dangerous
//! the places are. The **flip** is the hazard of the destinations, as a
//! multiple of that elsewhere, from which on spreading does harm.
//!
//! Worked: h = 0.1 and today's HHI over regions, 777: the standard deviation
//! of the yearly loss is sqrt(0.09 x 0.0777) = 8.4 percentage points; all in
//! one place it is 30.
//!
//! HHI is that of the units that shocks strike. Over countries today's is
//! 1,910, but the law above holds with 1,910 only if countries fall whole,
//! which is `correlation_country` = 1. Hazards are guesses throughout: the
//! sweep is the result, and no row of it is a forecast.
//!
//! - `parameters`: the numbers it rests on, each with range and origin
//! - `world`: places, spreads over them, and how concentrated those are
//! - `spreads`: which spreads are compared, and counterfactuals of the same energy cost
//! - `year`: the random numbers of one year
//! - `shock`: what can happen to a place, and how much of it stays
//! - `recovery`: how long the network takes to get lost hashrate back
//! - `tally`: integer counts that do not depend on the order of draws
//! - `study`: spreads under shocks
//! - `flip`: from which hazard ratio on spreading does harm

mod flip;
mod parameters;
mod recovery;
mod shock;
mod spreads;
mod study;
mod tally;
mod world;
mod year;

pub use flip::{Crossing, Difference, Flip, FlipCounts, FlipSurface, Measure, RATIOS_MAX, Ridge};
pub use parameters::{Assumptions, BadParameter, Parameter, Parameters};
pub use recovery::{HORIZON_DAYS, RECOVERED_LACKS_MAX};
pub use shock::{Correlation, Shock};
pub use spreads::{alternatives, same_energy_cost};
pub use study::{CaseResult, Counts, SpreadResult, Study, StudyResults};
pub use tally::Estimate;
pub use world::{Concentration, Place, Spread, World};
