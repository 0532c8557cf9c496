//! The one integration binary: each module tests the library or the program
//! from outside.

mod session_model;
mod session_rules;
mod tidy;
