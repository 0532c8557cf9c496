//! A dress rehearsal for mainnet, without money: full templates go through
//! `adit serve --node`, a real CPU miner, and come back as blocks.
//!
//! | file | has |
//! |---|---|
//! | `player` | a node that is played on loopback: offers a template, takes a block |
//! | `offer` | the template, in the words of `getblocktemplate` |
//! | `generated`, `wallet` | a full block's worth of signed transactions of all kinds, from a seed |
//! | `recorded` | a template made of a block of mainnet, which `ci/mainnet-block` fetches |
//! | `structure` | what the block must be |

mod generated;
mod offer;
mod player;
mod recorded;
mod structure;
pub mod wallet;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use adit::chain::SubmitOutcome;
use adit::chain::embedded::Proof;
use adit::units::Timestamp;
use bitcoin::Block;

use serde_json::{Value, json};

use super::node::daemon::{BITCOIND, Daemon};
use super::program::{Serve, command};
use generated::Scene;
use offer::{Offer, Offered};
use player::{PATIENCE, Player};
use structure::Figures;

/// An address that BIP 173 gives as an example.
const MAINNET_ADDRESS: &str = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
const REGTEST_ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/// Serves a template, mines on it, and returns the block with its figures.
fn rehearse(offer: Offer, coinbase: &str) -> (Block, Figures) {
    let (chain, address) = match offer.network {
        bitcoin::Network::Bitcoin => ("mainnet", MAINNET_ADDRESS),
        _ => ("regtest", REGTEST_ADDRESS),
    };
    let player = Player::start(offer);
    let config = format!(
        "[chain]\nkind = \"{chain}\"\n[difficulty]\ninitial = 1e-6\nvardiff = false\n\
         [[node]]\nurl = \"http://{}\"\nuser = \"u\"\npassword = \"p\"\n\
         [coinbase]\n{coinbase}\n[[coinbase.payouts]]\naddress = \"{address}\"\nparts = 1\n",
        player.address
    );
    let dir = tempfile::tempdir().unwrap();
    let pool = Serve::start(dir.path(), &config);
    let block = mine(&pool, || player.taken());
    let figures = structure::check(&block, player.offer());
    println!("{figures:?}");
    (block, figures)
}

/// Runs `adit mine` on the pool until there is a block.
fn mine<T>(pool: &Serve, block: impl Fn() -> Option<T>) -> T {
    let url = format!("stratum+tcp://{}", pool.v1);
    let mut miner = command(&["mine", &url, "--user", "rehearsal", "--threads", "1"]).spawn().unwrap();
    let began = Instant::now();
    let block = loop {
        if let Some(block) = block() {
            break block;
        }
        assert!(began.elapsed() < PATIENCE, "no block in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    };
    miner.kill().unwrap();
    miner.wait().unwrap();
    block
}

/// A full template upon a chain that ends now.
fn scene(seed: u64) -> Scene {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let scene = Scene::new(Timestamp::from_unix_seconds(now), seed);
    let offered = scene.offer.transactions.len();
    assert!(offered >= 3_000, "{offered} transactions");
    scene
}

#[test]
fn a_full_generated_template_becomes_a_block_that_is_valid_to_the_last_script() {
    let mut scene = scene(6);
    let offered = scene.offer.transactions.len();
    let (block, figures) = rehearse(scene.offer.clone(), "");

    assert_eq!(figures.transactions, offered + 1, "nothing had to be left out");
    assert!(figures.weight > 3_950_000 && figures.sigops > 10_000, "{figures:?}");
    let share = figures.with_witness as f64 / figures.transactions as f64;
    assert!((0.5..0.95).contains(&share), "{share} of the transactions have witnesses");
    assert!(figures.dependent > 300 && figures.depth >= 3, "{figures:?}");

    let outcome = scene.chain.submit(&block, Proof::Hashed, scene.now).unwrap();
    assert_eq!(outcome, SubmitOutcome::NewTip);
    #[cfg(feature = "kernel")]
    {
        let kernel = adit::chain::kernel::Kernel::regtest().unwrap();
        for block in scene.blocks.iter().chain([&block]) {
            assert_eq!(kernel.submit(block).unwrap(), SubmitOutcome::NewTip);
        }
        println!("Core's consensus code takes it, scripts and all");
    }
}

#[test]
fn a_long_coinbase_takes_the_place_of_what_pays_least() {
    let scene = scene(7);
    let offered = scene.offer.transactions.len();
    let (_, figures) = rehearse(scene.offer, "length = 6500");
    let left_out = offered + 1 - figures.transactions;
    assert!((1..100).contains(&left_out), "{left_out} left out: {figures:?}");
    assert!(figures.weight > 3_950_000, "{figures:?}");
}

#[test]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
fn bitcoin_core_fills_a_template_and_takes_the_block() {
    let scene = scene(8);
    // No fee is too low, so that nothing is left out for it.
    let daemon = Daemon::start_program(BITCOIND, &["-minrelaytxfee=0", "-blockmintxfee=0"]);
    for block in &scene.blocks {
        assert_eq!(daemon.submit(block), Value::Null);
    }
    let height = daemon.height();
    let send =
        |offered: &Offered| json!([bitcoin::consensus::encode::serialize_hex(&offered.transaction), 0]);
    let mut refused = BTreeMap::<String, u32>::new();
    for offered in scene.offer.transactions.chunks(100) {
        let answers = daemon.try_calls("sendrawtransaction", offered.iter().map(send));
        for error in answers.into_iter().filter_map(Result::err) {
            *refused.entry(error).or_default() += 1;
        }
    }
    let config = format!(
        "[difficulty]\ninitial = 1e-9\nvardiff = false\n[[node]]\nurl = \"http://{}\"\ncookie_file = \"{}\"\n",
        daemon.rpc,
        daemon.cookie().display()
    );
    let dir = tempfile::tempdir().unwrap();
    let pool = Serve::start(dir.path(), &config);
    let block = mine(&pool, || (daemon.height() > height).then(|| daemon.block(height + 1)));
    let weight = block.weight().to_wu();
    println!("Core made a block of {} transactions and weight {weight}", block.txdata.len());
    assert!(block.txdata.len() > 3_000 && weight > 3_900_000, "not taken: {refused:?}");
    let blocks = pool.api("blocks");
    let hash = block.block_hash().to_string();
    let ours = blocks.as_array().unwrap().iter().find(|row| row["hash"] == *hash);
    assert_eq!(ours.map(|row| &row["state"]), Some(&json!("accepted")), "{blocks}");
}

#[test]
#[ignore = "needs a block of mainnet in ADIT_MAINNET_BLOCK; ci/mainnet-block runs it"]
fn a_recorded_block_of_mainnet_is_made_again() {
    let recorded = recorded::block();
    let offer = recorded::offer(&recorded);
    let offered = offer.transactions.len();
    assert!(offered >= 3_000, "{offered} transactions");
    let (block, figures) = rehearse(offer, "");
    println!("block {} of mainnet, {} transactions", recorded.block_hash(), recorded.txdata.len());

    assert_eq!(figures.transactions, offered + 1);
    assert_eq!(block.txdata[1..], recorded.txdata[1..], "what was recorded is mined again");
    assert_eq!(block.txdata[0].output[0].value, recorded.txdata[0].output[0].value, "for the same reward");
}
