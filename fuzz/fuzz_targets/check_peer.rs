//! Nothing that a miner sends, at any time, breaks the examiner or keeps a case from ending.
#![no_main]

#[path = "../../tests/it/examiner_model.rs"]
mod examiner_model;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = examiner_model::run(bytes);
});
