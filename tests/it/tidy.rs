//! What reviewers should not have to watch for: who may import whom, and the
//! house rules that a text search can hold.
//!
//! [`LAYERS`] is the table of ARCHITECTURE.md. Every rule is a function over a
//! path and a text, so each is itself tested on a text that breaks it.

mod source;

use std::path::{Path, PathBuf};

use source::Source;

/// The rows, lowest first: a module may import those of the rows above its
/// own in this list, and of its own row what [`WITHIN_A_ROW`] allows. A name
/// may stand here before its module exists.
const LAYERS: &[(&str, &[&str])] = &[
    ("values", &["units", "hash", "block", "event"]),
    ("rules", &["stratum", "pool", "miner", "energy", "spread", "conformance"]),
    ("edges", &["chain", "store", "metrics", "net"]),
    ("drivers", &["server", "mine", "swarm", "check", "tap", "bench", "study"]),
    ("faces", &["web", "report", "config", "demo", "cli"]),
];

/// Rows without clock, randomness of their own, sockets, files or threads.
const PURE: &[&str] = &["values", "rules"];

/// Imports within a row.
const WITHIN_A_ROW: &[(&str, &[&str])] = &[
    ("hash", &["units"]),
    ("block", &["units", "hash"]),
    ("event", &["units", "hash", "block"]),
    ("pool", &["stratum"]),
    ("miner", &["stratum"]),
    ("spread", &["energy"]),
    ("conformance", &["stratum", "miner"]),
    ("swarm", &["mine"]),
    ("demo", &["web", "config"]),
    ("cli", &["web", "report", "config", "demo"]),
];

/// What pure modules do not say, and what they do instead.
const IMPURE: &[(&str, &str)] = &[
    ("SystemTime", "take `now: Timestamp` as an argument"),
    ("Instant::now", "take `now: Timestamp` as an argument"),
    ("thread_rng", "take a seeded RNG as an argument"),
    ("rand::rng", "take a seeded RNG as an argument"),
    ("tokio", "leave I/O to a driver"),
    ("std::net::Tcp", "leave I/O to a driver"),
    ("std::net::Udp", "leave I/O to a driver"),
    ("std::fs", "let an edge or a face read the file"),
    ("std::thread", "leave threads to a driver"),
];

/// Names whose iteration order differs between runs.
const HASHED: &[&str] = &["HashMap", "HashSet"];

/// Pure files that may use them, and why.
const HASHED_ALLOWED: &[(&str, &str)] =
    &[("src/pool/duplicate.rs", "membership only, with a fixed hasher: nothing iterates")];

/// The only place that may contain `unsafe`: the package of the hash backends.
const UNSAFE_PACKAGE: &str = "kernels/";

/// Left-overs, in code or comments.
const LEFT_OVERS: &[&str] = &["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX"];

/// Longest file; above it there are two modules in one.
const LINES_MAX: usize = 600;

/// One broken rule: where, what, and what to do.
type Finding = String;

fn finding(path: &str, line: usize, what: impl std::fmt::Display) -> Finding {
    format!("{path}:{line}: {what}")
}

/// The module of `src/` that a file belongs to; `None` for the crate's roots
/// and for files elsewhere.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split('/').next()?;
    match name.strip_suffix(".rs") {
        Some("lib" | "main") => None,
        Some(single) => Some(single),
        None => Some(name),
    }
}

fn row_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

fn is_pure(path: &str) -> bool {
    let row = module_of(path).and_then(row_of);
    row.is_some_and(|row| PURE.contains(&LAYERS[row].0)) || path.starts_with(UNSAFE_PACKAGE)
}

/// Every occurrence of `name` as a whole word, with its line, counted from 1,
/// and what follows on that line.
fn words<'t, 'n>(text: &'t str, name: &'n str) -> impl Iterator<Item = (usize, &'t str)> + use<'t, 'n> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.lines().zip(1..).flat_map(move |(line, number)| {
        line.match_indices(name).filter_map(move |(at, _)| {
            let (before, after) = (&line[..at], &line[at + name.len()..]);
            let open_end = name.ends_with("Tcp") || name.ends_with("Udp");
            let whole = !before.ends_with(is_word)
                && (open_end || !name.ends_with(is_word) || !after.starts_with(is_word));
            whole.then_some((number, after))
        })
    })
}

/// The leading identifier of `text`.
fn identifier(text: &str) -> &str {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
}

/// Modules that a file of `src/` reaches through the crate's root, with lines.
fn imports<'t>(path: &str, code: &'t str) -> Vec<(usize, &'t str)> {
    let mut found: Vec<_> = words(code, "crate::").map(|(line, rest)| (line, identifier(rest))).collect();
    // `super::` once for each level leads to the root as well.
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches("/mod.rs");
    let to_root = "super::".repeat(inside.split('/').count());
    for (line, rest) in words(code, &to_root) {
        let name = identifier(rest.trim_start_matches("super::"));
        if row_of(name).is_some() && module_of(path) != Some(name) {
            found.push((line, name));
        }
    }
    found
}

fn check_layers(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    let Some(module) = module_of(path) else { return };
    let Some(row) = row_of(module) else {
        let what = format!("module `{module}` is in no row of LAYERS in tests/it/tidy.rs; add it to its row");
        return findings.push(finding(path, 1, what));
    };
    for (line, other) in imports(path, &source.code) {
        if other == module {
            continue;
        }
        let what = match row_of(other) {
            None if other.is_empty() => {
                "imports several modules at once; write one `use crate::module::..` for each".to_owned()
            }
            None => {
                format!("`crate::{other}` is in no row of LAYERS in tests/it/tidy.rs; import from its module")
            }
            Some(from) if from < row => continue,
            Some(from) if from > row => format!(
                "`{module}` ({}) imports `{other}` ({}), which is above it; move what is needed down, or the caller up",
                LAYERS[row].0, LAYERS[from].0
            ),
            Some(_) if WITHIN_A_ROW.iter().any(|(who, whom)| *who == module && whom.contains(&other)) => {
                continue;
            }
            Some(_) => format!(
                "`{module}` imports `{other}` of its own row ({}); move what both need down, or allow it in WITHIN_A_ROW in tests/it/tidy.rs",
                LAYERS[row].0
            ),
        };
        findings.push(finding(path, line, what));
    }
}

fn check_purity(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    if !is_pure(path) {
        return;
    }
    for (name, instead) in IMPURE {
        for (line, _) in words(&source.code, name) {
            findings.push(finding(path, line, format!("`{name}` in a pure module; {instead}")));
        }
    }
    let allowed = HASHED_ALLOWED.iter().any(|(file, _)| *file == path);
    let mut used = false;
    for (line, name) in
        HASHED.iter().flat_map(|name| words(&source.code, name).map(move |(line, _)| (line, name)))
    {
        used = true;
        if !allowed {
            let what = format!(
                "`{name}` in a pure module: its order differs between runs; use BTreeMap, BTreeSet or a Vec, \
                 or list the file in HASHED_ALLOWED in tests/it/tidy.rs with the reason"
            );
            findings.push(finding(path, line, what));
        }
    }
    if allowed && !used {
        let what = "no longer uses a hashed collection; take it off HASHED_ALLOWED in tests/it/tidy.rs";
        findings.push(finding(path, 1, what));
    }
}

fn check_unsafe(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    if !path.starts_with(UNSAFE_PACKAGE) {
        for (line, _) in words(&source.code, "unsafe") {
            findings.push(finding(path, line, "`unsafe` outside kernels; find a safe way, or move it there"));
        }
    }
}

fn check_left_overs(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    for text in [&source.code, &source.comments] {
        for (line, name) in
            LEFT_OVERS.iter().flat_map(|name| words(text, name).map(move |(line, _)| (line, name)))
        {
            findings.push(finding(path, line, format!("`{name}` is left over; do it, or open an issue")));
        }
    }
}

fn check_lints(path: &str, source: &Source, findings: &mut Vec<Finding>) {
    for (number, line) in (1..).zip(source.code.lines()) {
        let allows = line.match_indices("allow(").any(|(at, _)| {
            let before = line[..at].trim_end();
            before.ends_with('[') || before.ends_with(',') && before.contains("cfg_attr(")
        });
        if allows {
            let what = "silences a lint for ever; use `#[expect(lint, reason = \"..\")]`, which tells when it is not needed";
            findings.push(finding(path, number, what));
        }
    }
    for (at, _) in source.code.match_indices("[expect(") {
        let attribute = source.code[at..].split(']').next().unwrap_or_default();
        if !attribute.contains("reason =") {
            let line = source.code[..at].lines().count().max(1);
            findings.push(finding(path, line, "expects a lint without saying why; add `reason = \"..\"`"));
        }
    }
}

fn check_shape(path: &str, text: &str, findings: &mut Vec<Finding>) {
    if !text.starts_with("//! ") {
        findings.push(finding(path, 1, "does not open with `//!`; say in a sentence what the file is for"));
    }
    let lines = text.lines().count();
    if lines >= LINES_MAX {
        let what =
            format!("{lines} lines, {LINES_MAX} are too many; split it where the sentence says \"and also\"");
        findings.push(finding(path, lines, what));
    }
}

/// Every rule on one file.
fn check(path: &str, text: &str) -> Vec<Finding> {
    let source = Source::of(text);
    let mut findings = Vec::new();
    check_shape(path, text, &mut findings);
    check_layers(path, &source, &mut findings);
    check_purity(path, &source, &mut findings);
    check_unsafe(path, &source, &mut findings);
    check_left_overs(path, &source, &mut findings);
    check_lints(path, &source, &mut findings);
    findings
}

/// Every Rust file below `dir`, deepest last; build outputs are skipped.
fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "kernels", "tests", "benches", "fuzz"] {
        let before = files.len();
        rust_files(&root.join(dir), &mut files);
        assert!(files.len() > before, "no Rust files in {dir}/; has it moved?");
    }
    let findings: Vec<Finding> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            check(&path, &std::fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn the_table_names_each_module_once() {
    let all: Vec<&str> = LAYERS.iter().flat_map(|(_, modules)| modules.iter().copied()).collect();
    let mut unique = all.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), all.len(), "{all:?}");
    for (who, whom) in WITHIN_A_ROW {
        for other in *whom {
            assert!(row_of(who).is_some() && row_of(who) == row_of(other), "{who} and {other} share no row");
        }
    }
}

#[cfg(test)]
mod rules {
    use super::*;

    /// `body` in a file at `path` breaks one rule, whose finding has `part`; no rule when that is empty.
    fn case(path: &str, body: &str, part: &str) {
        let findings = check(path, &format!("//! A file.\n{body}\n"));
        match part {
            "" => assert!(findings.is_empty(), "{path}: {body}: {findings:?}"),
            _ => {
                assert_eq!(findings.len(), 1, "{path}: {body}: {findings:?}");
                assert!(findings[0].starts_with(path) && findings[0].contains(part), "{}", findings[0]);
            }
        }
    }

    #[test]
    fn imports_go_down() {
        case("src/pool/job.rs", "use crate::units::Target;", "");
        case("src/pool/job.rs", "use crate::pool::share;", "");
        case("src/units/time.rs", "use crate::pool::Work;", "`units` (values) imports `pool` (rules)");
        case("src/store/mod.rs", "let x = crate::server::start();", "src/store/mod.rs:2: ");
        case("src/event.rs", "use crate::stratum::v1;", "which is above it");
        case("src/server/mod.rs", "use crate::web;", "`server` (drivers) imports `web` (faces)");
        case("src/web/api.rs", "use crate::server::Service;", "");
        case("src/cli/serve.rs", "use crate::web;", "");
        case("src/units/mod.rs", "//! Not [`crate::pool`].\n// crate::pool\nlet x = \"crate::pool\";", "");
    }

    #[test]
    fn imports_within_a_row_are_listed() {
        case("src/hash/scan.rs", "use crate::units::Target;", "");
        case("src/units/mod.rs", "use crate::hash::Hash;", "of its own row (values)");
        case("src/stratum/mod.rs", "use crate::pool::Work;", "WITHIN_A_ROW");
        case("src/web/mod.rs", "use crate::cli::main;", "of its own row (faces)");
    }

    #[test]
    fn no_way_around_the_table() {
        case("src/pool/job.rs", "use crate::{units, server};", "write one `use crate::module::..` for each");
        case("src/pool/job.rs", "use super::super::server;", "imports `server`");
        case("src/event.rs", "use super::server;", "imports `server`");
        case("src/units/mod.rs", "use super::pool;", "imports `pool`");
        case("src/pool/job.rs", "use super::share;", "");
        case("src/pool/session/mod.rs", "use super::super::job;", "");
        case("src/palace/mod.rs", "", "module `palace` is in no row of LAYERS");
        case("src/palace.rs", "", "module `palace` is in no row of LAYERS");
        case("src/pool/job.rs", "use crate::Everything;", "import from its module");
        case("src/main.rs", "use adit::cli;", "");
    }

    #[test]
    fn pure_modules_have_no_surroundings() {
        for name in ["SystemTime::now()", "Instant::now()", "rand::thread_rng()", "rand::rng()"] {
            case("src/pool/vardiff.rs", &format!("let x = {name};"), "as an argument");
            case("src/server/mod.rs", &format!("let x = {name};"), "");
        }
        for name in
            ["tokio::net", "std::net::TcpStream", "std::net::UdpSocket", "std::fs::File", "std::thread"]
        {
            case("src/miner/client.rs", &format!("use {name};"), "in a pure module");
            case("src/net/lines.rs", &format!("use {name};"), "");
        }
        case("src/event.rs", "use std::net::SocketAddr;", "");
        case("kernels/src/ports.rs", "let x = Instant::now();", "as an argument");
        case("src/energy/hours.rs", "use rand::rngs::StdRng;", "");
    }

    #[test]
    fn pure_modules_have_an_order() {
        case("src/pool/vardiff.rs", "use std::collections::HashMap;", "BTreeMap");
        case("src/event.rs", "use std::collections::HashSet;", "HASHED_ALLOWED");
        case("src/pool/vardiff.rs", "use std::collections::BTreeMap;", "");
        case("src/store/rows.rs", "use std::collections::HashMap;", "");
        case("src/pool/duplicate.rs", "use std::collections::HashSet;", "");
        case("src/pool/duplicate.rs", "", "take it off HASHED_ALLOWED");
    }

    #[test]
    fn unsafe_is_in_one_place() {
        case("kernels/src/avx2.rs", "unsafe { compress() }", "");
        case("src/hash/sha256.rs", "unsafe { compress() }", "src/hash/sha256.rs:2: `unsafe`");
        case("tests/it/main.rs", "unsafe impl Send for X {}", "`unsafe`");
        case("src/net/lines.rs", "// unsafe is not needed\n#![forbid(unsafe_code)]", "");
    }

    #[test]
    fn nothing_is_left_over() {
        for code in ["todo!()", "unimplemented!()", "dbg!(x)", "// TODO later", "/* FIXME */", "// XXX: no"] {
            case("benches/share_path.rs", &format!("fn f() {{}}\n{code}"), "benches/share_path.rs:3: ");
        }
        case("src/pool/job.rs", "let x = \"XXX TODO todo!\"; // TODOS", "");
    }

    #[test]
    fn lints_are_expected_with_a_reason() {
        case("src/pool/job.rs", "#[allow(dead_code)]", "use `#[expect(lint, reason");
        case("src/pool/job.rs", "#![allow(dead_code)]", "use `#[expect(lint, reason");
        case("src/pool/job.rs", "#[cfg_attr(test, allow(dead_code))]", "use `#[expect(lint, reason");
        case(
            "src/pool/job.rs",
            "#[expect(dead_code)]",
            "src/pool/job.rs:2: expects a lint without saying why",
        );
        case("src/pool/job.rs", "#[expect(dead_code, reason = \"x\")]", "");
        case("src/pool/job.rs", "rules.allow(dead_code); f(a, allow(b)); x.expect(\"y\")", "");
    }

    #[test]
    fn files_say_what_they_are_and_stay_short() {
        assert_eq!(check("tests/it/main.rs", "use x;\n").len(), 1);
        assert_eq!(check("tests/it/main.rs", "// A file.\n").len(), 1);
        case("src/pool/job.rs", &"\n".repeat(LINES_MAX - 3), "");
        case("src/pool/job.rs", &"\n".repeat(LINES_MAX), "too many");
    }
}
