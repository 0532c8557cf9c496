//! The one integration binary: each module tests the library or the program
//! from outside.

mod api;
mod backends;
mod bad_input;
mod by_hand;
mod crash;
mod program;
mod protocol;
mod session_model;
mod session_rules;
mod tidy;
