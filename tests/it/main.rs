//! The one integration binary: each module tests the library or the program
//! from outside.

mod api;
mod backends;
mod bad_input;
mod bcoin;
mod by_hand;
mod chain_conformance;
mod check_ourselves;
mod conformance;
mod crash;
mod examiner_model;
mod examiner_rules;
mod mainnet;
mod monitoring;
mod node;
mod pool_check;
mod program;
mod protocol;
mod session_model;
mod session_rules;
mod spot_prices;
mod spread;
mod tap;
mod tidy;
mod verdicts;
