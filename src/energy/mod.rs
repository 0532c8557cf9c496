//! What a site's electricity costs: regions, devices, tariffs, and the meter.
//!
//! A pool sees hashrate; a miner sees a power bill. This module joins them:
//!
//! ```text
//! power [W]  = count x device power [W] x PUE(region, cooling)
//! energy [kWh] = sum over spans of power x time / 3.6e6
//! cost [USD] = sum over local hours of energy in the hour x price of the hour
//! price [USD/kWh] = the charged tariff in force at that local date and hour,
//!                   else the region's middle price
//! ```
//!
//! Worked: 1,000 Antminer S21 (3,500 W) in Ethiopia at a PUE of 1.063 draw
//! 3,720.5 kW. A day of December 2025 is 89,292 kWh; 4 hours cost 6.0 US
//! cents, 4 hours 4.5 and 16 hours 3.5, so the day costs USD 3,646.09.
//!
//! Prices are dated because a static table is wrong within a year: several
//! regions have published their next steps. Local hours are those of standard
//! time all year, as daylight saving is not modelled.
//!
//! The tables are three CSV files, `regions.csv`, `devices.csv` and
//! `tariffs.csv`. Those of `data/` are built in; a caller may read others and
//! hand their text to [`Atlas::from_csv`]. Nothing here reads a file, a clock
//! or a socket.
//!
//! - `atlas`: the three tables loaded together, and finding things in them
//! - `region`: a place: where it is, what power costs there, its price at a time
//! - `device`: a machine: its hashrate and its power
//! - `tariff`: one row of a tariff, and on what basis a price was chosen
//! - `hours`: local hours of the day and sets of them
//! - `site`: so many machines of one model in one region
//! - `meter`: power over time into kWh and USD
//! - `table`: CSV text into checked values, and errors that name the cell

mod atlas;
mod device;
mod hours;
mod meter;
mod region;
mod site;
mod table;
mod tariff;

pub use atlas::{Atlas, Sources, UnknownName};
pub use device::{Cooling, Device};
pub use hours::{Hours, LocalHour};
pub use meter::EnergyMeter;
pub use region::{Region, RegionCode};
pub use site::Site;
pub use table::{DataError, DataFile, Status};
pub(crate) use table::{Row, Table};
pub use tariff::{Price, PriceBasis, Role, Tariff};
