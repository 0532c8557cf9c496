//! One site: what a kWh and a bitcoin cost there, when to switch off, and when it has paid.
//!
//! With hashprice `pi` in USD/PH/s/day, pool fee `f`, machine efficiency `eta`
//! in J/TH (which is kW per PH/s), `PUE`, power price `p` of an hour, operation
//! `o` and credit for curtailing `k`, all in USD/kWh:
//!
//! ```text
//! revenue of a kWh       v = pi (1 - f) / (24 eta PUE)          the strike
//! an hour is run when    p + o + k < v
//! running cost           c = mean of p over hours run + o
//! capital of a kWh       a = K x CRF / kWh of a year
//! CRF                      = d / (1 - (1 + d)^-years)            discount d
//! capital                K = count x (price x (1 + duty) + freight) + site power x capex
//! cost of a bitcoin        = (c + a) x kWh of a year / BTC of a year
//! BTC of a year            = sum over hours run of pi x hashrate / 24 / price of a BTC
//! break-even hashprice     = 24 eta PUE (c + a) / (1 - f)        without a: to keep running
//! break-even efficiency    = pi (1 - f) / (24 PUE c)
//! payback                  = first day on which the margins since the start reach K,
//!                            with or without discounting each day's
//! ```
//!
//! Worked: hashprice 30, no fee, PUE 1, 5 US cents and nothing else. Machines
//! break even at 30 / (24 x 0.05) = 25 J/TH; one of 17.5 J/TH keeps running
//! down to a hashprice of 24 x 17.5 x 0.05 = 21, and earns 7.14 US cents with
//! a kWh, so it stops in hours dearer than that.
//!
//! Prices are those of each local hour: the site's own, or those of its region
//! with their dates, so that a published step cuts into the payback when it
//! comes. Figures of a year are of the first one.
//!
//! - `plan`: a site as a TOML file describes it
//! - `report`: what it comes to

mod plan;
mod report;

pub use plan::{PlanError, Prices, SitePlan};
pub use report::{Capital, Payback, SiteReport};
