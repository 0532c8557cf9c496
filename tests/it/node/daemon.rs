//! `bitcoind` on regtest: started here, on free ports, and stopped again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adit::chain::remote::rpc::{Auth, RpcSettings};
use adit::chain::remote::{Endpoint, EndpointSettings};
use bitcoin::hashes::Hash as _;
use bitcoin::{Block, BlockHash, Network, Transaction};
use serde_json::{Value, json};

use crate::program::{DEADLINE, poll};

/// Names the daemon to test with.
pub const BITCOIND: &str = "ADIT_BITCOIND";

/// Names the daemon with a mining interface.
pub const BITCOIN_NODE: &str = "ADIT_BITCOIN_NODE";

/// Opens the mining interface.
pub const IPC: &str = "-ipcbind=unix:{dir}/node.sock";

/// Only the loopback: no peers are listened for, sought or kept. Blocks pay whom a
/// test says, and nothing waits for a minute.
const ARGUMENTS: [&str; 9] = [
    "-regtest",
    "-server=1",
    "-listen=0",
    "-connect=0",
    "-dnsseed=0",
    "-fixedseeds=0",
    "-discover=0",
    "-printtoconsole=0",
    "-rpcallowip=127.0.0.1",
];

/// A running node with a directory of its own; killed when dropped.
pub struct Daemon {
    child: Option<Child>,
    program: PathBuf,
    arguments: Vec<String>,
    dir: tempfile::TempDir,
    /// Where its RPC is, the same after a restart.
    pub rpc: SocketAddr,
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Daemon {
    /// Starts the daemon that [`BITCOIND`] names.
    pub fn start() -> Self {
        Self::start_program(BITCOIND, &[])
    }

    /// Starts the program that the variable names, with further arguments; `{dir}` in
    /// them is the node's directory.
    pub fn start_program(variable: &str, arguments: &[&str]) -> Self {
        let program = std::env::var_os(variable).unwrap_or_else(|| {
            panic!("{variable} does not say where the daemon is; ci/bitcoin-core builds it")
        });
        let dir = tempfile::Builder::new().prefix("adit-node-").tempdir().unwrap();
        let rpc = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let own = ARGUMENTS.iter().map(ToString::to_string);
        let data = dir.path().to_str().unwrap();
        let place =
            [format!("-datadir={data}"), format!("-rpcbind={rpc}"), format!("-rpcport={}", rpc.port())];
        let further = arguments.iter().map(|argument| argument.replace("{dir}", data));
        let arguments = own.chain(place).chain(further).collect();
        let mut daemon = Self { child: None, program: program.into(), arguments, dir, rpc };
        daemon.restart();
        daemon
    }

    /// Starts it again on the same directory and port.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let _ = std::fs::remove_file(self.cookie());
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child =
            Some(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display())));
        poll("the node answers", || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the node ended: {ended:?}\n{}", self.log());
            self.try_call("getblockcount", &json!([])).ok()
        });
    }

    /// `kill -9`: what it had not written is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.call("stop", &json!([]));
        let mut child = self.child.take().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < DEADLINE, "the node does not stop\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its cookie file.
    pub fn cookie(&self) -> PathBuf {
        self.dir.path().join("regtest/.cookie")
    }

    /// Its mining interface, for one that was started with [`IPC`].
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("node.sock")
    }

    /// How the pool reaches it.
    pub fn endpoint(&self) -> Endpoint {
        let settings = RpcSettings::parse(&format!("http://{}", self.rpc), Network::Regtest).unwrap();
        let settings = settings.with_auth(Auth::Cookie(self.cookie())).unwrap();
        Endpoint::new(&EndpointSettings::Rpc(settings), Network::Regtest)
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.dir.path().join("regtest/debug.log")).unwrap_or_default();
        log.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// A call that must succeed.
    pub fn call(&self, method: &str, params: &Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method} {params}: {error}"))
    }

    /// A call; the error is the node's, or that it cannot be reached.
    pub fn try_call(&self, method: &str, params: &Value) -> Result<Value, String> {
        self.exchange(&json!({"jsonrpc": "1.0", "id": 0, "method": method, "params": params}))
            .and_then(result)
    }

    /// The same call with each of these parameters, in one request, in order.
    pub fn try_calls(&self, method: &str, params: impl Iterator<Item = Value>) -> Vec<Result<Value, String>> {
        let call = |params| json!({"jsonrpc": "1.0", "id": 0, "method": method, "params": params});
        let answers = self.exchange(&params.map(call).collect()).unwrap();
        answers.as_array().unwrap().iter().cloned().map(result).collect()
    }

    fn exchange(&self, body: &Value) -> Result<Value, String> {
        let cookie = std::fs::read_to_string(self.cookie()).map_err(|error| error.to_string())?;
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.rpc).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: node\r\nConnection: close\r\nAuthorization: Basic {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            base64(&cookie),
            body.len()
        );
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{answer:?}"))?;
        serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))
    }

    pub fn height(&self) -> u32 {
        self.call("getblockcount", &json!([])).as_u64().unwrap() as u32
    }

    pub fn best(&self) -> BlockHash {
        self.call("getbestblockhash", &json!([])).as_str().unwrap().parse().unwrap()
    }

    /// The best chain's block at a height.
    pub fn block(&self, height: u32) -> Block {
        let hash = self.call("getblockhash", &json!([height]));
        let block = self.call("getblock", &json!([hash, 0]));
        bitcoin::consensus::encode::deserialize_hex(block.as_str().unwrap()).unwrap()
    }

    /// What `submitblock` answers.
    pub fn submit(&self, block: &Block) -> Value {
        self.call("submitblock", &json!([bitcoin::consensus::encode::serialize_hex(block)]))
    }

    /// Puts a transaction into the mempool.
    pub fn send(&self, transaction: &Transaction) {
        self.call("sendrawtransaction", &json!([bitcoin::consensus::encode::serialize_hex(transaction), 0]));
    }

    /// Blocks of somebody else.
    pub fn generate(&self, blocks: u32) {
        let somebody = bitcoin::WPubkeyHash::from_byte_array([0x5b; 20]);
        let script = bitcoin::ScriptBuf::new_p2wpkh(&somebody);
        let address = bitcoin::Address::from_script(&script, Network::Regtest).unwrap();
        self.call("generatetoaddress", &json!([blocks, address.to_string()]));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the node at {}\n{}\n---", self.rpc, self.log());
        }
        self.kill();
    }
}

/// What an answer says.
fn result(mut answer: Value) -> Result<Value, String> {
    if answer["error"].is_null() { Ok(answer["result"].take()) } else { Err(answer["error"].to_string()) }
}

fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}
