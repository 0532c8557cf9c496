//! Recording, replaying and comparing sessions, by the program.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use super::program::{DEADLINE, EASY, Ended, Wire, adit, collect, command, poll, serve, wait};

/// `adit record` or `adit replay`, running; killed when dropped.
struct Tap {
    child: Child,
    log: Arc<Mutex<String>>,
    stdout: Option<JoinHandle<String>>,
    address: SocketAddr,
}

impl Tap {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let copy = log.clone();
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                *copy.lock().unwrap() += &(line + "\n");
            }
        });
        let address = poll("the address in the log", || {
            let text = log.lock().unwrap().clone();
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{arguments:?} ended: {ended:?}\n{text}");
            text.split_once("miners: stratum+tcp://")?.1.split_whitespace().next()?.parse().ok()
        });
        Self { child, log, stdout: Some(stdout), address }
    }

    fn record(upstream: SocketAddr, out: &Path, more: &[&str]) -> Self {
        let upstream = format!("stratum+tcp://{upstream}");
        let record = ["record", "--listen", "127.0.0.1:0", "--upstream", &upstream, "--out", path(out)];
        Self::start(&[&record[..], more].concat())
    }

    fn wait(mut self) -> Ended {
        let status = wait(&mut self.child, &"the tap");
        let stdout = self.stdout.take().unwrap().join().unwrap();
        Ended { code: status.code(), stdout, stderr: self.log.lock().unwrap().clone() }
    }

    /// Ctrl-C.
    fn interrupt(self) -> Ended {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.wait()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the tap\n{}---", self.log.lock().unwrap());
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Mines some shares.
fn mine(address: SocketAddr, more: &[&str]) -> Ended {
    let url = format!("stratum+tcp://{address}");
    let mine = ["mine", &url, "--user", "me.1", "--password", "secret", "--threads", "1", "--shares", "5"];
    adit(&[&mine[..], &["--attempts", "1", "--hashrate", "20kH/s"], more].concat())
}

/// The lines of a file as JSON, the header first.
fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// A session of our miner on our pool, recorded.
fn recorded(dir: &Path, name: &str, pool: SocketAddr, more: &[&str]) -> PathBuf {
    let file = dir.join(name);
    let tap = Tap::record(pool, &file, &[]);
    let mined = mine(tap.address, more);
    assert_eq!(mined.code, Some(0), "{}", mined.stderr);
    let closed = || {
        let text = std::fs::read_to_string(&file).unwrap();
        text.contains("closed by pool").then_some(())
    };
    poll("the end in the recording", closed);
    let ended = tap.interrupt();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains(": 1 connections, "), "{}", ended.stdout);
    file
}

#[test]
fn a_session_is_recorded_replayed_and_compared() {
    let (dir, pool) = serve(EASY);
    let dir = dir.path();
    let one = recorded(dir, "one.jsonl", pool.v1, &[]);
    let two = recorded(dir, "two.jsonl", pool.v1, &[]);
    let other = recorded(dir, "other.jsonl", pool.v1, &["--no-version-rolling"]);

    let said = lines(&one);
    assert_eq!(said[0]["recording"], 1);
    assert_eq!(said[0]["upstream"], format!("stratum+tcp://{}", pool.v1));
    assert!(said[1]["text"].as_str().unwrap().starts_with("opened by 127.0.0.1:"));
    let times: Vec<u64> = said[1..].iter().map(|line| line["at_us"].as_u64().unwrap()).collect();
    assert!(times.is_sorted());
    let text = std::fs::read_to_string(&one).unwrap();
    assert!(!text.contains("secret") && text.contains(r#"\"me.1\",\"***\""#), "{text}");
    assert!(text.matches("mining.submit").count() >= 5);

    // The same miner on the same pool: nothing but how fast a busy machine was may differ.
    let same = adit(&["diff", path(&one), path(&two), "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&same.stdout).unwrap();
    let is_measured = |row: &Value| row["a"].as_str().unwrap().ends_with('s');
    assert!(rows.iter().all(is_measured), "{}", same.stdout);
    assert_eq!(same.code, Some(i32::from(!rows.is_empty())));
    assert_eq!(adit(&["diff", path(&one), path(&one)]).code, Some(0));

    let differs = adit(&["diff", path(&one), path(&other)]);
    assert_eq!(differs.code, Some(1), "{}", differs.stderr);
    for part in
        ["miner: handshake", "mining.configure → mining.subscribe", "version bits sent", "always", "never"]
    {
        assert!(differs.stdout.contains(part), "{part}: {}", differs.stdout);
    }
    assert!(!differs.stdout.contains("extranonce1 bytes"), "{}", differs.stdout);
    let all = adit(&["diff", path(&one), path(&other), "--all"]);
    assert!(all.stdout.contains("extranonce1 bytes"), "{}", all.stdout);

    let replay = || Tap::start(&["replay", path(&one), "--listen", "127.0.0.1:0", "--once"]);
    let tap = replay();
    let mined = mine(tap.address, &[]);
    assert_eq!(mined.code, Some(0), "{}", mined.stderr);
    let ended = tap.wait();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("as in the recording"), "{}", ended.stdout);
    let tap = replay();
    mine(tap.address, &["--no-version-rolling"]);
    let ended = tap.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains("never sent mining.configure"), "{}", ended.stdout);
}

/// A pool that says what a test wants, behind a proxy, and a miner before it.
struct Scene {
    dir: tempfile::TempDir,
    tap: Tap,
    miner: Wire,
    pool: TcpStream,
}

impl Scene {
    fn new(rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rules_file = dir.path().join("rules.toml");
        std::fs::write(&rules_file, rules).unwrap();
        let more: &[&str] = if rules.is_empty() { &[] } else { &["--rules", path(&rules_file)] };
        let tap = Tap::record(listener.local_addr().unwrap(), &dir.path().join("out.jsonl"), more);
        let miner = Wire::connect(tap.address).unwrap();
        let pool = listener.accept().unwrap().0;
        pool.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { dir, tap, miner, pool }
    }

    /// What the miner hears when the pool says these lines and goes.
    fn heard(&mut self, lines: &[&str]) -> Vec<String> {
        for line in lines {
            self.pool.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        self.pool.shutdown(std::net::Shutdown::Write).unwrap();
        std::iter::from_fn(|| self.miner.line()).map(|line| line.trim_end().to_owned()).collect()
    }

    /// Ends the recording and reads it.
    fn recorded(self) -> Vec<Value> {
        drop(self.miner);
        drop(self.pool);
        assert_eq!(self.tap.interrupt().code, Some(0));
        lines(&self.dir.path().join("out.jsonl"))
    }
}

fn notify(job: &str) -> String {
    json!({"id": null, "method": "mining.notify", "params": [job]}).to_string()
}

#[test]
fn rules_take_effect_and_are_recorded() {
    let mut scene = Scene::new(
        r#"
        [[rule]]
        name = "lose the second job"
        from = "pool"
        method = "mining.notify"
        nth = 2
        action = "drop"

        [[rule]]
        from = "pool"
        contains = '"third"'
        action = { split = { pieces = 3, gap = "5ms" } }

        [[rule]]
        from = "pool"
        method = "mining.set_difficulty"
        action = { rewrite = { find = '\[\d+\]', with = "[1024]" } }
        "#,
    );
    let difficulty = r#"{"id":null,"method":"mining.set_difficulty","params":[8]}"#;
    let heard = scene.heard(&[&notify("first"), difficulty, &notify("second"), &notify("third"), "\u{e4}\r"]);
    let rewritten = r#"{"id":null,"method":"mining.set_difficulty","params":[1024]}"#;
    assert_eq!(heard, [&notify("first"), rewritten, &notify("third"), "\u{e4}"]);
    let recorded = scene.recorded();
    assert!(recorded[0]["rules"].as_str().unwrap().ends_with("rules.toml"));
    let of = |key: &str, value: Value| recorded.iter().filter(|line| line[key] == value).collect::<Vec<_>>();
    let altered: Vec<&str> =
        of("altered", json!(true)).iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(altered, [difficulty, &notify("second"), &notify("third")]);
    let passed = of("to", json!("miner"));
    let passed: Vec<(&str, bool)> =
        passed.iter().map(|line| (line["text"].as_str().unwrap(), line["unfinished"] == true)).collect();
    let third = notify("third");
    let cuts = [0, third.len() / 3, third.len() * 2 / 3, third.len()];
    let piece = |n: usize| (&third[cuts[n]..cuts[n + 1]], n < 2);
    assert_eq!(passed, [(rewritten, false), piece(0), piece(1), piece(2)]);
    assert_eq!(of("text", json!("closed by pool: fin")).len(), 1);
}

#[test]
fn rules_end_connections() {
    for (action, how) in [("close", "fin"), ("reset", "rst")] {
        let mut scene = Scene::new(&format!(
            "[[rule]]\nname = \"enough\"\nfrom = \"miner\"\nmethod = \"mining.submit\"\naction = \"{action}\"\n"
        ));
        scene.miner.send("hello\n{\"id\":1,\"method\":\"mining.submit\"}\n").unwrap();
        assert_eq!(scene.miner.line(), None);
        let mut told = Vec::new();
        let _ = scene.pool.read_to_end(&mut told);
        assert!(told.is_empty() || told == b"hello\n", "{told:?}");
        let recorded = scene.recorded();
        let text = format!("closed by proxy: {how} by rule `enough`");
        assert!(recorded.iter().any(|line| line["text"] == text), "{recorded:?}");
    }
}

#[test]
fn what_is_no_text_is_kept() {
    let mut scene = Scene::new("");
    scene.miner.send(b"\xff\x00\n").unwrap();
    let mut told = [0; 3];
    scene.pool.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"\xff\x00\n");
    scene.miner.send(b"cut off").unwrap();
    scene.miner.send_end();
    let mut rest = Vec::new();
    scene.pool.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"cut off");
    let recorded = scene.recorded();
    assert!(recorded.iter().any(|line| line["hex"] == "ff00" && line["from"] == "miner"));
    assert!(recorded.iter().any(|line| line["text"] == "cut off" && line["unfinished"] == true));
    assert!(recorded.iter().any(|line| line["text"] == "closed by miner: fin"));
}

#[test]
fn a_line_without_an_end_ends_the_connection() {
    let mut scene = Scene::new("");
    let _ = scene.miner.send(vec![b'x'; 2 * 1024 * 1024]);
    assert_eq!(scene.miner.line(), None);
    let recorded = scene.recorded();
    let text = "closed by proxy: the miner sent a line of more than 1048576 bytes";
    assert!(recorded.iter().any(|line| line["text"] == text), "{:?}", recorded.last());
    assert!(recorded.iter().all(|line| line.to_string().len() < 5_000));
}

#[test]
fn a_slow_reader_slows_the_writer_down() {
    const PIECES: usize = 1_024;
    let mut scene = Scene::new("");
    let line = [vec![b'x'; 64 * 1024 - 1], vec![b'\n']].concat();
    scene.pool.set_write_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    let mut said = 0;
    // Blocked is also who got rid of only a part of the line in time.
    let blocked = (0..PIECES).any(|_| {
        let count = scene.pool.write(&line).unwrap_or(0);
        said += count;
        count < line.len()
    });
    assert!(blocked, "{said} bytes went into a miner that reads nothing");
    scene.pool.shutdown(std::net::Shutdown::Write).unwrap();
    // The last line may have been left unfinished.
    let heard: Vec<usize> = std::iter::from_fn(|| scene.miner.line()).map(|line| line.len()).collect();
    assert_eq!(heard, vec![line.len(); said / line.len()]);
    scene.recorded();
}

#[test]
fn a_kill_leaves_a_readable_file() {
    let scene = Scene::new("");
    let Scene { dir, mut tap, mut miner, pool } = scene;
    let file = dir.path().join("out.jsonl");
    miner.send("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").unwrap();
    poll("the line in the file", || {
        std::fs::read_to_string(&file).unwrap().contains("subscribe").then_some(())
    });
    tap.child.kill().unwrap();
    drop((tap, pool));
    assert_eq!(adit(&["diff", path(&file), path(&file)]).code, Some(0));
    // Killed in the middle of a line.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 9]).unwrap();
    let ended = adit(&["diff", path(&file), path(&file)]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("the last line is cut off"), "{}", ended.stderr);
}

#[test]
fn a_pool_out_of_reach_ends_the_miner_not_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.jsonl");
    let tap = Tap::record("127.0.0.1:1".parse().unwrap(), &file, &[]);
    for _ in 0..2 {
        assert_eq!(Wire::connect(tap.address).unwrap().line(), None);
    }
    poll("both ends", || {
        let text = std::fs::read_to_string(&file).unwrap();
        (text.matches("closed by proxy: cannot connect to stratum+tcp://127.0.0.1:1: ").count() == 2)
            .then_some(())
    });
    assert_eq!(tap.interrupt().code, Some(0));
}

#[test]
fn what_cannot_be_used_is_said_at_once() {
    const USAGE: i32 = 2;
    const SURROUNDINGS: i32 = 3;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        path(&file).to_owned()
    };
    fn check(arguments: &[&str], code: i32, parts: &[&str]) {
        let ended = adit(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        for part in parts {
            assert!(ended.stderr.contains(part), "{arguments:?}: {part}: {}", ended.stderr);
        }
        assert!(
            ended.stderr.lines().filter(|line| line.starts_with("error")).count() == 1,
            "{}",
            ended.stderr
        );
    }
    let rules = file("rules.toml", "[[rule]]\nfrom = \"pool\"\naction = { dely = \"2s\" }\n");
    let bad = file("bad.jsonl", "{\"at_us\":1,\"connection\":1,\"from\":\"miner\",\"text\":\"x\"}\nhello\n");
    let newer = file("newer.jsonl", "{\"recording\":9}\n");
    let empty = file("empty.jsonl", "");
    let silent = file("silent.jsonl", "{\"at_us\":1,\"connection\":1,\"from\":\"miner\",\"text\":\"x\"}\n");
    let out = dir.path().join("out.jsonl");
    let record = |more: &[&'static str]| {
        let record =
            ["record", "--listen", "127.0.0.1:0", "--upstream", "stratum+tcp://127.0.0.1:1", "--out"];
        [&record[..], more].concat()
    };
    let with_rules = [record(&[]), vec![path(&out), "--rules", &rules]].concat();
    check(&with_rules, USAGE, &["rules.toml", "line 3", "unknown variant `dely`", "`delay`"]);
    check(
        &[record(&[]), vec![path(&out), "--rules", "no.toml"]].concat(),
        USAGE,
        &["cannot read the rules no.toml"],
    );
    assert!(!out.exists());
    check(&[record(&[]), vec![&empty]].concat(), SURROUNDINGS, &["exists already", "--out"]);
    check(&[record(&[]), vec!["/no/such/dir/x"]].concat(), SURROUNDINGS, &["cannot write /no/such/dir/x"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check(
        &["record", "--listen", &address, "--upstream", "stratum+tcp://127.0.0.1:1", "--out", path(&out)],
        SURROUNDINGS,
        &["cannot listen on", &address, "--listen"],
    );
    assert!(!out.exists());
    check(&["diff", &bad, &bad], SURROUNDINGS, &["bad.jsonl", "line 2"]);
    check(&["diff", &silent, "no.jsonl"], SURROUNDINGS, &["cannot read no.jsonl"]);
    check(&["diff", &silent, &newer], SURROUNDINGS, &["newer.jsonl", "format 9 of a newer adit"]);
    check(&["diff", &silent, &empty], SURROUNDINGS, &["empty.jsonl", "there is nothing in it"]);
    let replay = |file: &str, more: &[&str]| {
        let replay = ["replay", file, "--listen", &address].map(str::to_owned);
        [&replay[..], &more.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()].concat()
    };
    let check_replay = |file: &str, more: &[&str], code: i32, parts: &[&str]| {
        let arguments = replay(file, more);
        check(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), code, parts);
    };
    check_replay(&silent, &[], SURROUNDINGS, &["silent.jsonl", "the pool says nothing on connection 1"]);
    check_replay(&silent, &["--connection", "7"], SURROUNDINGS, &["no connection 7", "it has 1"]);
    check_replay(&silent, &["--speed", "0"], USAGE, &["--speed 0 is outside"]);
}
