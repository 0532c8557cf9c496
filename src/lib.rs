//! adit: a Bitcoin mining pool simulator and Stratum server.
pub mod energy;
pub mod units;
