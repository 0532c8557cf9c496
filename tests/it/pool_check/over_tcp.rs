//! `adit check --pool` as a program, against `adit serve`.

use serde_json::Value;

use crate::program::{EASY, Serve, adit, serve};

fn check(pool: &Serve, more: &[&str]) -> crate::program::Ended {
    let url = format!("stratum+tcp://{}", pool.v1);
    adit(&[&["check", "--pool", &url][..], more].concat())
}

#[test]
fn our_own_pool_passes() {
    let (dir, pool) = serve(EASY);
    let out = dir.path().join("found");
    let cases = ["--case", "P01", "P04", "P08", "P13", "P17", "P18", "p19", "P31", "P34", "P44"];
    let ended = check(&pool, &[&cases[..], &["--json", "--out", out.to_str().unwrap()]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    let passed = found["cases"].as_array().unwrap().iter().filter(|case| case["outcome"] == "pass").count();
    assert_eq!(passed, 10, "{}", ended.stderr);
    assert!(found["hashrate"].as_f64().unwrap() > 0.0);
    let written = std::fs::read(out.join("report.json")).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["cases"].as_array().map(Vec::len), Some(10));
    assert!(out.join("report.html").exists());
}

#[test]
fn exit_codes_say_how_it_went() {
    let (_dir, pool) = serve("[session]\nextranonce2_bytes = 1\n[difficulty]\ninitial = 1e-9");
    let ended = check(&pool, &["--case", "P07"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("P07  FAIL  Extranonce sizes"), "{}", ended.stdout);
    assert!(ended.stdout.contains("extranonce2 of 1 bytes"), "{}", ended.stdout);

    let ended = check(&pool, &["--case", "P99"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("there is no such case"), "{}", ended.stderr);

    let ended = adit(&["check", "--pool", "stratum+tcp://127.0.0.1:1"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("cannot connect"), "{}", ended.stderr);

    let ended = adit(&["check", "--explain", "P17"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("Good shares are accepted"), "{}", ended.stdout);
}
