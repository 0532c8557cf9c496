//! The Stratum mining protocols: bytes to messages and back.
//!
//! Parse, don't validate: beyond this module nobody sees JSON or hexadecimal.
//! It knows what a line says, never whether it is right.

pub mod v1;
