//! The model held against what happened: replay, free runs from an origin, an error card.
//!
//! Up to an origin the model follows the record: its chain is the recorded one,
//! and its hashrate is nudged to the blocks of the last fortnight. From the
//! origin on it runs free. In a *hindcast* it is told prices and events, as the
//! question is whether hashrate follows from those; in a *forecast* it is told
//! nothing that was not known at the origin: the price stays, and only events
//! that had begun are there.
//!
//! - `replay`: the states of the past, and runs from them
//! - `card`: targets scored
//! - `metric`: what targets measure
//! - `calibrate`: the fit to the windows that may be looked at
//! - `forecast`: rolling origins against persistence

mod calibrate;
mod card;
mod forecast;
mod metric;
mod replay;

pub use calibrate::{Fit, Fitted, calibrate};
pub use card::{Card, CardError, Row, Value, card};
pub use forecast::{Horizon, forecast};
pub use replay::{Free, Known, Replay};
