//! The pool on a second implementation of a node, bcoin (2018), on regtest.
//!
//! It knows BIP9: SegWit is not active before height 432, and until then the
//! pool must make blocks without a commitment, though bcoin offers one. What
//! else differs from Bitcoin Core is in docs/nodes.md. `ci/bcoin` installs it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use bitcoin::{Amount, Block, Network, OutPoint, Transaction};
use serde_json::{Value, json};

use super::mainnet::wallet::{Coin, Kind, Wallet};
use super::program::{DEADLINE, Serve, command, poll};

/// Names the folder with bcoin's `node_modules`.
const BCOIN: &str = "ADIT_BCOIN";

/// The password of its RPC.
const KEY: &str = "rehearsal";

/// From here on SegWit is active: three periods of 144 blocks, the second of which signals.
const SEGWIT: u32 = 432;

/// A running bcoin; killed when dropped.
struct Bcoin {
    child: Child,
    rpc: SocketAddr,
}

impl Bcoin {
    fn start() -> Self {
        let home = std::env::var(BCOIN)
            .unwrap_or_else(|_| panic!("{BCOIN} does not name bcoin's folder; ci/bcoin installs it"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/bcoin-node.cjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("NODE_PATH", Path::new(&home).join("node_modules"))
            .env("NODE_BACKEND", "js")
            .env("BCOIN_API_KEY", KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let rpc = line.strip_prefix("rpc ").and_then(|address| address.trim().parse().ok());
        let rpc = rpc.unwrap_or_else(|| panic!("bcoin says {line:?}"));
        Self { child, rpc }
    }

    fn call(&self, method: &str, params: &Value) -> Value {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("x:{KEY}"));
        let body = json!({ "method": method, "params": params, "id": 0 }).to_string();
        let mut answer = ureq::post(format!("http://{}", self.rpc))
            .header("Authorization", format!("Basic {login}"))
            .header("Content-Type", "application/json")
            .send(&body)
            .unwrap();
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        assert_eq!(answer["error"], Value::Null, "{method} {params}");
        answer["result"].clone()
    }

    fn height(&self) -> u32 {
        self.call("getblockcount", &json!([])).as_u64().unwrap() as u32
    }

    fn block(&self, height: u32) -> Block {
        let hash = self.call("getblockhash", &json!([height]));
        let block = self.call("getblock", &json!([hash, false]));
        bitcoin::consensus::encode::deserialize_hex(block.as_str().unwrap()).unwrap()
    }

    /// Puts a transaction into the mempool.
    fn send(&self, tx: &Transaction) {
        self.call("sendrawtransaction", &json!([bitcoin::consensus::encode::serialize_hex(tx)]));
    }

    /// Waits until the chain is this high, as long as it grows.
    fn reach(&self, height: u32) {
        let mut grew = (self.height(), Instant::now());
        while grew.0 < height {
            let now = self.height();
            if now > grew.0 {
                grew = (now, Instant::now());
            }
            assert!(grew.1.elapsed() < DEADLINE, "no block after height {} in {DEADLINE:?}", grew.0);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The height at which a transaction was mined, from `from` on.
    fn mined(&self, tx: &Transaction, from: u32) -> u32 {
        let mut height = from;
        poll("a block with the transaction", || {
            while height <= self.height() {
                if self.block(height).txdata.contains(tx) {
                    return Some(height);
                }
                height += 1;
            }
            None
        })
    }
}

impl Drop for Bcoin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn commits(block: &Block) -> bool {
    block.txdata[0]
        .output
        .iter()
        .any(|output| output.script_pubkey.as_bytes().starts_with(&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed]))
}

/// The first coin of a block of the pool's.
fn reward(block: &Block, kind: Kind) -> Coin {
    let coinbase = &block.txdata[0];
    let outpoint = OutPoint::new(coinbase.compute_txid(), 0);
    Coin { outpoint, kind, sats: coinbase.output[0].value.to_sat() }
}

#[test]
#[ignore = "needs bcoin in ADIT_BCOIN; ci/bcoin runs it"]
fn bcoin_takes_blocks_of_the_pool_before_and_after_segwit() {
    const FEE: u64 = 20_000;
    let bcoin = Bcoin::start();
    let wallet = Wallet::new();
    let address = bitcoin::Address::from_script(&wallet.script(Kind::Pkh), Network::Regtest).unwrap();
    let config = format!(
        "[difficulty]\ninitial = 1e-9\nvardiff = false\n\
         [[node]]\nurl = \"http://{}\"\nuser = \"x\"\npassword = \"{KEY}\"\n\
         [[coinbase.payouts]]\naddress = \"{address}\"\nparts = 1\n",
        bcoin.rpc
    );
    let dir = tempfile::tempdir().unwrap();
    let pool = Serve::start(dir.path(), &config);
    let url = format!("stratum+tcp://{}", pool.v1);
    // Two hashes make a block, and bcoin takes its time for each.
    let arguments = ["mine", &url, "--user", "bcoin.1", "--threads", "1", "--hashrate", "40H/s"];
    let mut miner = command(&arguments).spawn().unwrap();

    // Before SegWit: a legacy payment to a key that has a witness later.
    bcoin.reach(102);
    let coin = reward(&bcoin.block(1), Kind::Pkh);
    let legacy = wallet.pay(std::slice::from_ref(&coin), &[(Kind::Wpkh, coin.sats - FEE)], None);
    bcoin.send(&legacy);
    let height = bcoin.mined(&legacy, 102);
    assert!(height < SEGWIT, "mined at {height}");
    let claimed = bcoin.block(height).txdata[0].output[0].value;
    assert_eq!(claimed, Amount::from_sat((5_000_000_000 >> (height / 150)) + FEE), "the fee is claimed");

    bcoin.reach(SEGWIT + 8);
    let spent =
        Coin { outpoint: OutPoint::new(legacy.compute_txid(), 0), kind: Kind::Wpkh, sats: coin.sats - FEE };
    let segwit = wallet.pay(&[spent], &[(Kind::Wpkh, coin.sats - 2 * FEE)], None);
    bcoin.send(&segwit);
    let with_witness = bcoin.mined(&segwit, SEGWIT);
    bcoin.reach(with_witness + 5);
    miner.kill().unwrap();
    miner.wait().unwrap();

    let end = bcoin.height();
    for height in 1..=end {
        let block = bcoin.block(height);
        assert_eq!(commits(&block), height >= SEGWIT, "height {height}");
        assert!(block.txdata[0].input[0].script_sig.as_bytes().windows(6).any(|part| part == b"/adit/"));
    }
    let refused =
        pool.api("blocks").as_array().unwrap().iter().filter(|block| block["state"] == "refused").count();
    assert_eq!(refused, 0, "{}", pool.api("blocks"));
    println!("bcoin took {end} blocks, legacy payment at {}, SegWit payment at {with_witness}", height);
}
