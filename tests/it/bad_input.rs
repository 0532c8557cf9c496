//! What cannot work is refused in one sentence, with the right exit code, and
//! leaves everything as it was.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use super::program::{Ended, Serve, adit, data_dir, write_config};

/// Wrong usage.
const USAGE: i32 = 2;
/// Our surroundings failed.
const SURROUNDINGS: i32 = 3;

/// A mainnet address.
const MAINNET: &str = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";

/// One error, the right code, and the error says each of `parts`.
fn check_refused(ended: &Ended, code: i32, parts: &[&str]) {
    let Ended { stderr, stdout, .. } = ended;
    assert_eq!(ended.code, Some(code), "{stderr}");
    let errors: Vec<_> = stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains(" ERROR "), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no {part:?} in: {stderr}");
    }
    assert_eq!(stdout, "");
}

/// Runs `adit serve` in `dir` with a configuration and more arguments.
fn serve(dir: &Path, config: &str, more: &[&str]) -> Ended {
    let (file, data) = (write_config(dir, config), data_dir(dir));
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let mut arguments = vec!["serve", "--config", file, "--data", data];
    for (flag, free) in [("--v1", "127.0.0.1:0"), ("--http", "127.0.0.1:0")] {
        if !more.contains(&flag) {
            arguments.extend([flag, free]);
        }
    }
    arguments.extend(more);
    adit(&arguments)
}

const LEDGER: &str = "adit.sqlite";
const CHAIN: &str = "chain.sqlite";

/// What a directory holds besides the lock.
fn files(dir: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with("adit.lock")).collect()
}

/// Says that a database was written by a version far ahead.
fn make_newer(database: &Path) {
    let db = rusqlite::Connection::open(database).unwrap();
    db.pragma_update(None, "user_version", 1_000).unwrap();
    db.close().unwrap();
}

/// Runs `attempt` and makes sure that `file` has the same bytes after it.
fn check_untouched(file: &Path, attempt: impl FnOnce()) {
    let before = std::fs::read(file).unwrap();
    attempt();
    assert!(std::fs::read(file).unwrap() == before, "{} was changed", file.display());
}

/// A data directory that a pool made and left in order.
fn used_directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let pool = Serve::start(dir.path(), "");
    assert_eq!(pool.interrupt().code, Some(0));
    dir
}

#[test]
fn configurations_that_cannot_be_used() {
    fn check(config: &str, parts: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        check_refused(&serve(dir.path(), config, &[]), USAGE, parts);
        assert!(!data_dir(dir.path()).exists(), "wrong usage makes no data directory: {config}");
    }
    check("[difficulty]\ninital = 4", &["adit.toml", "line 2", "`inital`", "did you mean `initial`?"]);
    check("[lisen]", &["`lisen`", "did you mean `listen`?"]);
    check("[listen", &["adit.toml", "line 1"]);
    check("[difficulty]\ninitial = \"much\"", &["line 2", "expected f64"]);
    check("[difficulty]\nmin = 5", &["difficulty.initial = 1 is outside"]);
    check("[chain]\nkind = \"testnet\"", &["chain.kind = \"testnet\"", "regtest"]);
    check("[[coinbase.payouts]]\naddress = \"bcrt1nope\"", &["bcrt1nope", "is no Bitcoin address"]);
    check(&format!("[[coinbase.payouts]]\naddress = \"{MAINNET}\""), &[MAINNET, "regtest", "chain.kind"]);
    check("[coinbase]\nlength = 60", &["coinbase", "60"]);
    check("[coinbase]\nlength = 100000", &["coinbase", "100000"]);
    check(&format!("[coinbase]\ntag = \"{}\"", "x".repeat(200)), &["coinbase"]);
}

#[test]
fn configurations_that_cannot_be_read() {
    fn check(path: &Path) {
        let dir = tempfile::tempdir().unwrap();
        let data = data_dir(dir.path());
        let path = path.to_str().unwrap();
        let ended = adit(&["serve", "--config", path, "--data", data.to_str().unwrap()]);
        check_refused(&ended, USAGE, &["cannot read the configuration", path, "--config"]);
        assert!(!data.exists());
    }
    let dir = tempfile::tempdir().unwrap();
    check(&dir.path().join("missing.toml"));
    check(dir.path());
}

#[test]
fn flags_that_make_no_sense() {
    fn check(arguments: &[&str], parts: &[&str]) {
        check_refused(&adit(arguments), USAGE, parts);
    }
    check(&["serve", "--prot", "1"], &["--prot", "--help"]);
    check(&["serve", "--v1", "here"], &["--v1", "here"]);
    check(&["serve", "--difficulty", "-1"], &["-1"]);
    check(&["serve", "--difficulty", "0"], &["--difficulty", "0"]);
    check(&["serv"], &["serv", "serve"]);
    check(&["export", "--what", "everything"], &["everything", "shares"]);
    check(&["export", "--what", "shares", "--format", "xml"], &["xml", "csv"]);
    check(&["export"], &["--what"]);
    check(&["--log", "adit=loud", "export", "--what", "shares"], &["--log adit=loud", "try info"]);
}

#[test]
fn ports_that_are_taken() {
    fn check(flag: &str) {
        let dir = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let ended = serve(dir.path(), "", &[flag, &address]);
        check_refused(
            &ended,
            SURROUNDINGS,
            &["cannot listen on", &address, "is another program using", flag],
        );
        // Nothing holds the directory any more.
        assert_eq!(Serve::start(dir.path(), "").interrupt().code, Some(0));
    }
    check("--v1");
    check("--http");
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    let dir = used_directory();
    let data = data_dir(dir.path());
    make_newer(&data.join(LEDGER));
    let parts = ["was written by a newer adit", "1000", data.to_str().unwrap(), "--data"];
    check_untouched(&data.join(LEDGER), || {
        check_refused(&serve(dir.path(), "", &[]), SURROUNDINGS, &parts);
        let export = ["export", "--what", "shares", "--data", data.to_str().unwrap()];
        check_refused(&adit(&export), SURROUNDINGS, &parts);
    });
}

#[test]
fn a_chain_of_a_newer_version_is_left_alone() {
    let dir = used_directory();
    let chain = data_dir(dir.path()).join(CHAIN);
    make_newer(&chain);
    check_untouched(&chain, || {
        let parts = [chain.to_str().unwrap(), "schema version 1000"];
        check_refused(&serve(dir.path(), "", &[]), SURROUNDINGS, &parts);
    });
}

#[test]
fn a_directory_in_use_stays_with_its_pool() {
    let dir = tempfile::tempdir().unwrap();
    let pool = Serve::start(dir.path(), "");
    let data = data_dir(dir.path());
    let process = format!("process {}", pool.id());
    let parts = ["is in use by another adit", &process, data.to_str().unwrap(), "--data"];
    check_refused(&serve(dir.path(), "", &[]), SURROUNDINGS, &parts);
    assert_eq!(pool.get("/healthz"), "ok\n");
    assert_eq!(pool.interrupt().code, Some(0));
}

#[test]
fn another_chain_is_left_alone() {
    fn check(config: &str, more: &[&str], part: &str) {
        let dir = used_directory();
        let chain = data_dir(dir.path()).join(CHAIN);
        check_untouched(&chain, || {
            let parts = [chain.to_str().unwrap(), "holds the chain", part, "data directory"];
            check_refused(&serve(dir.path(), config, more), SURROUNDINGS, &parts);
        });
        assert_eq!(Serve::start(dir.path(), "").interrupt().code, Some(0));
    }
    check("", &["--chain", "mainnet-like"], "mainnet");
    check("[chain]\ndifficulty = 0.5", &[], "regtest");
}

#[test]
fn a_directory_that_is_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(data_dir(dir.path()), "a file").unwrap();
    let ended = serve(dir.path(), "", &[]);
    check_refused(&ended, SURROUNDINGS, &["cannot create the data directory"]);
    assert_eq!(std::fs::read_to_string(data_dir(dir.path())).unwrap(), "a file");
}

#[test]
fn a_ledger_that_is_none_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = data_dir(dir.path()).join(LEDGER);
    std::fs::create_dir(data_dir(dir.path())).unwrap();
    std::fs::write(&ledger, "no database".repeat(1_000)).unwrap();
    check_untouched(&ledger, || {
        check_refused(&serve(dir.path(), "", &[]), SURROUNDINGS, &[ledger.to_str().unwrap()]);
    });
}

#[test]
fn an_export_of_nothing_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (empty, out) = (dir.path().join("empty"), dir.path().join("shares.csv"));
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(&out, "an earlier export").unwrap();
    let export = ["export", "--what", "shares", "--data", empty.to_str().unwrap()];
    let parts = ["there is no ledger in", empty.to_str().unwrap(), "--data"];
    check_refused(&adit(&export), SURROUNDINGS, &parts);
    check_refused(&adit(&[&export[..], &["--out", out.to_str().unwrap()]].concat()), SURROUNDINGS, &parts);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "an earlier export");
    assert!(files(&empty).is_empty());
    let nowhere = dir.path().join("no/such/place.csv");
    let used = used_directory();
    let data = data_dir(used.path());
    let export =
        ["export", "--what", "shares", "--data", data.to_str().unwrap(), "--out", nowhere.to_str().unwrap()];
    check_refused(&adit(&export), SURROUNDINGS, &["cannot write", nowhere.to_str().unwrap()]);
}

#[test]
fn an_examination_needs_somebody_to_examine() {
    check_refused(&adit(&["check"]), USAGE, &["--v1 0.0.0.0:3333", "--pool stratum+tcp://HOST:PORT"]);
    check_refused(&adit(&["check", "--suite", "full"]), USAGE, &["--v1 ", "--pool "]);
    let dir = tempfile::tempdir().unwrap();
    let no_report = dir.path().join("report.json");
    std::fs::write(&no_report, "{}").unwrap();
    let no_report = no_report.to_str().unwrap();
    let compare = |before: &str| adit(&["check", "--compare", before, no_report]);
    check_refused(&compare("no.json"), USAGE, &["cannot read no.json", "report.json in the folder"]);
    check_refused(&compare(no_report), USAGE, &["is no report of `adit check`", "--out"]);
}

#[test]
fn sites_that_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let example = adit(&["site", "--example"]).stdout;
    let check = |from: &str, to: &str, parts: &[&str]| {
        assert!(example.contains(from), "{from}");
        let file = dir.path().join("site.toml");
        std::fs::write(&file, example.replace(from, to)).unwrap();
        let file = file.to_str().unwrap();
        check_refused(&adit(&["site", file]), USAGE, &[&[file], parts].concat());
    };
    check("\"ET\"", "\"ZZ\"", &["no region is called `ZZ`", "ET"]);
    check("S21 XP", "S99", &["no device is called `Antminer S99`", "did you mean"]);
    check("count = 1000", "count = 0", &["count = 0", "say how many"]);
    check("uptime = 0.97", "uptime = 97", &["uptime = 97", "is it in percent?"]);
    check("pool_fee", "pool_fees", &["line 14", "unknown field `pool_fees`"]);
    let half_a_day = "tariff = [{ hours = \"18-22\", price_usd_per_kwh = 0.06 }]";
    check("# hourly_usd_per_kwh = [0.03, 0.03]", half_a_day, &["power.tariff", "leave out hour 00"]);
    check(&example, "", &["missing field `region`"]);
    let missing = dir.path().join("none.toml");
    check_refused(&adit(&["site", missing.to_str().unwrap()]), USAGE, &["cannot read", "--example"]);
}

#[test]
fn claims_that_cannot_be_drawn() {
    let check = |arguments: &[&str], parts: &[&str]| {
        check_refused(&adit(&[&["spread", "claim"], arguments].concat()), USAGE, parts);
    };
    check(&["--spread", "nowhere"], &["no spread is called `nowhere`", "equal-countries"]);
    check(&["--shock", "flood"], &["no shock is called `flood`", "coordinated-ban"]);
    check(&["--set", "depth=1"], &["no parameter is called `depth`", "did you mean `depth_mean`?"]);
    check(&["--set", "depth_mean=7"], &["depth_mean = 7 is outside 0..1", "data/claim.csv"]);
    check(&["--ratios", "1,x"], &["'x'", "--ratios"]);
    check(&["--correlations", "2"], &["--correlations", "from 0 to 1"]);
    check(&["--draws", "0"], &["'0'", "--draws"]);
}
