//! The program from outside: starts it, reads what it says, talks to it.
//!
//! Everything waits with a deadline that no sane machine reaches, so a hang
//! fails with a message and nothing depends on how fast the machine is.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take that takes milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Asks until there is an answer.
pub fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < DEADLINE, "{what}: not in {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The program with arguments; what it says is piped.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
    command.args(arguments).env_remove("ADIT_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn adit(arguments: &[&str]) -> Ended {
    let mut child = command(arguments).spawn().unwrap();
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let status = wait(&mut child, &arguments);
    let [stdout, stderr] = [stdout, stderr].map(|thread| thread.join().unwrap());
    Ended { code: status.code(), stdout, stderr }
}

/// Reads to the end, beside.
pub fn collect(mut from: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        from.read_to_end(&mut text).unwrap();
        String::from_utf8(text).expect("what it says is UTF-8")
    })
}

/// Waits for a process to end.
pub fn wait(child: &mut Child, what: &dyn std::fmt::Debug) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("{what:?} did not end in {DEADLINE:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Shares are found in no time, and no block.
pub const EASY: &str = "
[chain]
difficulty = 1.0
[difficulty]
initial = 1e-9
vardiff = false
";

/// A running `adit serve`; killed when dropped.
pub struct Serve {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// Where it takes miners.
    pub v1: SocketAddr,
    /// Where its API is.
    pub http: SocketAddr,
}

impl Serve {
    /// Starts it on free ports with a configuration, which is written beside the data directory.
    pub fn start(dir: &Path, config: &str) -> Self {
        let file = write_config(dir, config);
        let data = data_dir(dir);
        let arguments = ["serve", "--v1", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"];
        let arguments =
            [&arguments[..], &[data.to_str().unwrap(), "--config", file.to_str().unwrap()]].concat();
        let mut child = command(&arguments).spawn().unwrap();
        drop(child.stdout.take());
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let copy = log.clone();
        let reader = std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                *copy.lock().unwrap() += &(line + "\n");
            }
        });
        let addresses = poll("the addresses in the log", || {
            let text = log.lock().unwrap().clone();
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "adit serve ended: {ended:?}\n{text}");
            addresses(&text)
        });
        Self { child, log, reader: Some(reader), v1: addresses.0, http: addresses.1 }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ctrl-C; returns how it ended and its whole log.
    #[cfg(unix)]
    pub fn interrupt(mut self) -> Ended {
        let sent = Command::new("kill").args(["-INT", &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let status = wait(&mut self.child, &"adit serve");
        self.reader.take().unwrap().join().unwrap();
        Ended { code: status.code(), stdout: String::new(), stderr: self.log() }
    }

    /// `GET`, which must succeed.
    pub fn get(&self, path: &str) -> String {
        let (status, body) = http(self.http, "GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// `GET` of JSON.
    pub fn api(&self, path: &str) -> Value {
        let body = self.get(&format!("/api/v1/{path}"));
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// Gives a command to every miner.
    pub fn order(&self, command: &Value) {
        let body = json!({ "command": command }).to_string();
        assert_eq!(http(self.http, "POST", "/api/v1/commands", &body), (202, String::new()), "{body}");
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of adit serve\n{}---", self.log());
        }
    }
}

/// The data directory that a server started in `dir` has.
pub fn data_dir(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// Writes a configuration into `dir`.
pub fn write_config(dir: &Path, config: &str) -> PathBuf {
    let file = dir.join("adit.toml");
    std::fs::write(&file, config).unwrap();
    file
}

/// Finds `miners: stratum+tcp://ADDR   page, API, metrics: http://ADDR`.
fn addresses(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line = log.lines().find(|line| line.contains("miners: "))?;
    let after = |scheme: &str| line.split_once(scheme)?.1.split_whitespace().next()?.parse().ok();
    Some((after("stratum+tcp://")?, after("http://")?))
}

/// One HTTP request on a connection of its own; status and body.
pub fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: adit\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{path}: {head:?}")), body.to_owned())
}

/// A miner's end of a connection: bytes out, lines in.
pub struct Wire {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
    next_id: u64,
    /// Lines that answer nothing, in their order, until someone asks for them.
    unasked: VecDeque<String>,
}

impl Wire {
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let lines = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, lines, next_id: 1_000, unasked: VecDeque::new() })
    }

    /// Sends bytes as they are, in one segment.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub fn send_end(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// The next line; `None` when the connection has ended.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => Some(line),
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line in {DEADLINE:?}: {error}"),
        }
    }

    /// The next line, which must come.
    pub fn read(&mut self) -> Value {
        let line = self.line().expect("a line, but the connection has ended");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Sends a request and waits for its reply; what else comes is kept.
    pub fn request(&mut self, method: &str, params: &Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send(json!({"id": id, "method": method, "params": params}).to_string() + "\n").unwrap();
        self.reply(id)
    }

    /// Waits for the reply to `id`; what else comes is kept.
    pub fn reply(&mut self, id: u64) -> Value {
        loop {
            let line = self.line().expect("a reply, but the connection has ended");
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["method"].is_null() && value["id"] == id {
                return value;
            }
            self.unasked.push_back(line);
        }
    }

    /// The next line that answers nothing.
    pub fn unasked(&mut self) -> String {
        match self.unasked.pop_front() {
            Some(line) => line,
            None => self.line().expect("a line, but the connection has ended"),
        }
    }

    /// Waits for a notification; those before it are skipped.
    pub fn notification(&mut self, method: &str) -> Value {
        loop {
            let value: Value = serde_json::from_str(&self.unasked()).unwrap();
            if value["method"] == method {
                return value;
            }
        }
    }
}

/// A pool in a directory of its own, which lives as long as the first value.
pub fn serve(config: &str) -> (tempfile::TempDir, Serve) {
    let dir = tempfile::tempdir().unwrap();
    let pool = Serve::start(dir.path(), config);
    (dir, pool)
}
