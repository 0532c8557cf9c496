//! No interleaving of messages, work, time and commands breaks a session.
#![no_main]

#[path = "../../tests/it/session_model.rs"]
mod session_model;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    session_model::run(bytes);
});
