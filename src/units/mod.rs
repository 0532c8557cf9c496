//! Values with units: parse, print, and only the conversions that are legal.
//!
//! Every quantity that crosses a module boundary has a type here, so that a
//! difficulty is never added to a hashrate and seconds are never taken for
//! hours. Floats appear only where the quantity is physical or economic;
//! money paid to miners is [`bitcoin::Amount`], integer satoshi.

mod difficulty;
mod energy;
mod hashrate;
mod time;

pub use difficulty::{Difficulty, Target};
pub use energy::{KilowattHours, Usd, UsdPerKwh, Watts};
pub use hashrate::Hashrate;
pub use time::{Seconds, Timestamp};

/// Why a text is not a value of the wanted unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct ParseError {
    text: String,
    wanted: &'static str,
}

impl ParseError {
    pub(crate) fn new(text: &str, wanted: &'static str) -> Self {
        Self { text: text.to_owned(), wanted }
    }
}
