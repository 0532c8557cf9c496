//! No line makes the Stratum V1 readers panic, and what a request says survives
//! being written and read again.
#![no_main]

use adit::stratum::v1::{Request, parse_line, parse_message, write_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = parse_message(line);
    let Ok(request) = parse_line(line).request else { return };
    if matches!(request, Request::Unknown(_) | Request::Reply) {
        return;
    }
    let mut written = Vec::new();
    write_request(&mut written, 1, &request);
    let again = parse_line(&written).request.expect("what we write can be read");
    // An id that is not ours and an extranonce2 that is too long cannot be written back.
    let lossy = match &request {
        Request::Submit(submit) => submit.job.is_none() || submit.extranonce2.is_none(),
        _ => false,
    };
    assert!(lossy || again == request, "{request:?} became {again:?}");
});
