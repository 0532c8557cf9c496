//! Scans HEADERS nonces with BACKEND, for tools that count what a scan executes.

use adit_kernels::{PER_BYTE, Work, find};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let backend = arguments.next().expect("usage: scan BACKEND HEADERS");
    let headers: usize = arguments.next().and_then(|text| text.parse().ok()).expect("HEADERS is a number");
    let backend = match find(&backend) {
        Ok(backend) => backend,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    let work = Work { midstate: [1; 8], words: [2; 3], top: 0 };
    let mut answer = vec![0; headers.div_ceil(PER_BYTE).next_multiple_of(2)];
    backend.nonces(&work, 0, &mut answer);
    println!("{}", answer.iter().map(|byte| byte.count_ones()).sum::<u32>());
}
