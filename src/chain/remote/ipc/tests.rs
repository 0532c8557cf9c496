//! What a real node's mining interface takes and says. These tests need one:
//! `ci/bitcoin-core` runs them.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, Block, ScriptBuf};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::client::{Client, connect};
use super::thread::{Link, News, spawn};
use crate::block::{Coinbase, CoinbaseSpec, HeaderFields, Template, assemble, root, witness_commitment};
use crate::chain::remote::NodeError;
use crate::chain::{Refusal, SubmitOutcome};
use crate::hash::{HeaderScan, sha256d};
use crate::units::Target;

/// Any block's payee; no money is on this chain.
const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/// The `bitcoin-node` that `ADIT_BITCOIN_NODE` names, with `bitcoin-cli` beside it.
struct Daemon {
    child: Child,
    program: PathBuf,
    dir: tempfile::TempDir,
    /// Which chain, and where: the daemon's and the client's alike.
    place: [String; 3],
}

impl Daemon {
    fn start() -> Self {
        let program = std::env::var_os("ADIT_BITCOIN_NODE").expect("run this by ci/bitcoin-core");
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place =
            ["-regtest".to_owned(), format!("-datadir={}", dir.path().display()), format!("-rpcport={port}")];
        let mut command = Command::new(&program);
        command.args(&place).arg(format!("-ipcbind=unix:{}", dir.path().join("sock").display()));
        // Loopback, and nobody to talk to.
        command.args(["-listen=0", "-connect=0", "-dnsseed=0", "-fixedseeds=0", "-printtoconsole=0"]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Self { child, program: program.into(), dir, place }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    /// Calls a method of its RPC; waits until it answers.
    fn call(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.program.with_file_name("bitcoin-cli"));
        command.args(&self.place).args(["-rpcwait", "-rpcwaittimeout=60"]).args(arguments);
        let ended = command.output().unwrap();
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap().trim().to_owned()
    }

    fn generate(&self, count: u32) {
        self.call(&["generatetoaddress", &count.to_string(), ADDRESS]);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A solved block on `template` that pays `excess` satoshi too much.
fn solved(template: &Template, excess: u64) -> Block {
    let spec = CoinbaseSpec {
        payees: vec![(ScriptBuf::from_bytes(vec![0x51]), 1)],
        tag: "/adit/".to_owned(),
        extranonce_bytes: 8,
        length: None,
    };
    let value = template.coinbase_value + Amount::from_sat(excess);
    let wtxids: Vec<_> = template.transactions.iter().map(|entry| entry.wtxid).collect();
    let commitment = witness_commitment(&wtxids, &[0; 32]);
    let coinbase = Coinbase::build(&spec, template.height, value, Some(commitment)).unwrap();
    let coinbase = coinbase.transaction(&[1; 4], &[2; 4]);
    let mut txids = vec![coinbase.compute_txid().to_byte_array()];
    txids.extend(template.transactions.iter().map(|entry| entry.txid));
    let mut header = HeaderFields {
        version: template.version,
        prev_hash: template.prev_hash,
        merkle_root: root(&txids),
        ntime: template.ntime,
        nbits: template.nbits,
        nonce: 0,
    };
    let target = Target::from_compact(template.nbits);
    (header.nonce, _) = HeaderScan::new(&header.to_bytes()).search(&target, 0, 1 << 32).unwrap();
    assemble(&header, coinbase, template)
}

/// Talks to a new daemon with so many blocks.
async fn with_link<F: Future<Output = ()>>(blocks: u32, test: impl FnOnce(Rc<Daemon>, Link) -> F) {
    let daemon = Rc::new(Daemon::start());
    daemon.generate(blocks);
    LocalSet::new()
        .run_until(async {
            let (init, messages) = connect(&daemon.socket()).await.unwrap();
            let _messages = spawn(async { drop(messages.await) });
            let (news, _) = mpsc::unbounded_channel::<News>();
            let link = Link { client: Client::new(&init).await.unwrap(), kept: Rc::default(), news };
            test(daemon.clone(), link).await;
        })
        .await;
}

#[tokio::test]
#[ignore = "needs bitcoin-node: ci/bitcoin-core"]
async fn solutions_of_templates_are_judged_as_blocks_are() {
    with_link(16, |daemon, link| async move {
        let check = async |template: &Template, excess, expected: Result<SubmitOutcome, &str>| {
            let block = solved(template, excess);
            let bytes = bitcoin::consensus::serialize(&block);
            let found = link.solve(&block, &bytes).await.unwrap();
            assert_eq!(
                found.map_err(|refusal: Refusal| refusal.reason.into_owned()),
                expected.map_err(str::to_owned)
            );
            block
        };
        let template = link.template().await.unwrap();
        assert_eq!((template.height, &template.demands), (17, &None));
        check(&template, 1, Err("bad-cb-amount")).await;
        let block = check(&template, 0, Ok(SubmitOutcome::NewTip)).await;
        assert_eq!(daemon.call(&["getbestblockhash"]), block.block_hash().to_string());

        // The next block on the same parent is a competitor.
        let late = Template { ntime: template.ntime + 1, ..template };
        check(&late, 0, Ok(SubmitOutcome::SideBranch)).await;
        let unknown = Template { prev_hash: sha256d(b"another"), ..late };
        let block = solved(&unknown, 0);
        let answer = link.solve(&block, &bitcoin::consensus::serialize(&block)).await;
        assert_eq!(answer.unwrap_err(), NodeError::NotKept);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs bitcoin-node: ci/bitcoin-core"]
async fn whole_blocks_are_judged_with_reasons() {
    with_link(16, |daemon, link| async move {
        let check = async |block: &Block, expected: Result<SubmitOutcome, &str>| {
            let found = link.submit(block).await.unwrap();
            assert_eq!(
                found.map_err(|refusal: Refusal| refusal.reason.into_owned()),
                expected.map_err(str::to_owned)
            );
        };
        let template = link.template().await.unwrap();
        check(&solved(&template, 1), Err("bad-cb-amount")).await;
        let block = solved(&template, 0);
        check(&block, Ok(SubmitOutcome::NewTip)).await;
        check(&block, Ok(SubmitOutcome::Duplicate)).await;
        let rival = Template { ntime: template.ntime + 1, ..template };
        check(&solved(&rival, 0), Ok(SubmitOutcome::SideBranch)).await;
        assert_eq!(daemon.call(&["getblockcount"]), "17");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs bitcoin-node: ci/bitcoin-core"]
async fn there_are_templates_from_the_first_block_on() {
    with_link(0, |daemon, link| async move {
        for height in [1, 17] {
            let block = solved(&link.template().await.unwrap(), 0);
            assert_eq!(link.submit(&block).await.unwrap(), Ok(SubmitOutcome::NewTip));
            assert_eq!(daemon.call(&["getblockcount"]), height.to_string());
            daemon.generate(15);
        }
    })
    .await;
}
