//! What every chain must do for a pool, and the pool on it.

use std::time::Duration;

use adit::block::{
    Coinbase, CoinbaseSpec, HeaderFields, Limits, Template, assemble, root, witness_commitment,
};
use adit::chain::Node;
use adit::hash::{Hash, sha256d_header};
use adit::store::{BlockRow, BlockState};
use adit::units::Target;
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, Block, BlockHash, OutPoint};

use super::{Chain, MinedPool, Wallet, hash_of, key_script, pool_on};
use crate::by_hand::{Miner, check_accepted};
use crate::program::{DEADLINE, poll};

/// Blocks that are mined from height 0: past coinbase maturity, up to the first halving.
const BLOCKS: u32 = 150;

/// Blocks that a coinbase must be deep to be spent.
const MATURITY: u32 = 100;

/// What the payments of the test pay.
const FEE: Amount = Amount::from_sat(12_345);

fn subsidy(height: u32) -> Amount {
    Amount::from_sat(5_000_000_000 >> (height / 150))
}

/// Asks until there is an answer, without holding up a thread.
async fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(answer) = tokio::task::block_in_place(&mut ask) {
            return answer;
        }
        assert!(began.elapsed() < DEADLINE, "{what}: not in {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs the whole body on an empty chain.
pub async fn run(node: Node, chain: &dyn Chain) {
    let dir = tempfile::tempdir().unwrap();
    let server = pool_on(node, dir.path()).await;
    let wallet = Wallet::new();
    assert_eq!(chain.height(), 0, "the body begins with an empty chain");

    let miner = MinedPool::start(server.v1());
    until("the first coinbases are mature", || (chain.height() > MATURITY).then_some(())).await;
    let payments = tokio::task::block_in_place(|| pay(chain, &wallet));
    until("150 blocks", || (chain.height() >= BLOCKS).then_some(())).await;
    let summary = miner.end().await;
    assert_eq!(summary.sessions, 1, "{summary}");
    assert!(summary.rejected.keys().all(|reason| reason == "stale"), "{summary}");

    let reader = server.service().store.reader().unwrap();
    until("every block has its answer", || reader.pending_blocks().unwrap().is_empty().then_some(())).await;
    let ledger = reader.recent_blocks(100_000).unwrap();
    tokio::task::block_in_place(|| {
        check_chain(chain, &ledger);
        check_payments(chain, &payments);
        tip_changes_while_a_share_is_sought(&server, chain);
        follows_a_reorganisation(&server, chain);
        goes_back_when_told(&server, chain);
    });
    let (status, text) = (server.service().node.statuses(), server.service().render_metrics());
    assert!(status.iter().all(|node| node.health.is_up()) && status[0].active, "{status:?}");
    let height = format!("adit_node_tip_height{{node=\"{}\"}} {}", status[0].name, chain.height());
    assert!(String::from_utf8(text).unwrap().contains(&height), "{height}");
    server.stop().await;
}

/// Spends the first coinbases in a chain of payments, each with a fee; their ids.
fn pay(chain: &dyn Chain, wallet: &Wallet) -> Vec<bitcoin::Txid> {
    let coinbase = chain.block(1).txdata[0].clone();
    let (mut coin, mut value) =
        (OutPoint { txid: coinbase.compute_txid(), vout: 0 }, coinbase.output[0].value);
    let mut payments = Vec::new();
    for _ in 0..3 {
        let transaction = wallet.spend(coin, value, FEE);
        chain.send(&transaction);
        value = transaction.output[0].value;
        coin = OutPoint { txid: transaction.compute_txid(), vout: 0 };
        payments.push(coin.txid);
    }
    payments
}

/// Every block is as it must be, and as the ledger says.
fn check_chain(chain: &dyn Chain, ledger: &[BlockRow]) {
    let mut prev: Option<Hash> = None;
    for height in 1..=chain.height() {
        let block = chain.block(height);
        let hash = block.block_hash();
        assert!(prev.is_none_or(|prev| block.header.prev_blockhash.to_byte_array() == prev));
        prev = Some(hash_of(&block));
        let pushed = bitcoin::script::Builder::new().push_int(i64::from(height)).into_bytes();
        assert!(block.txdata[0].input[0].script_sig.as_bytes().starts_with(&pushed), "block {height}");
        assert!(block.check_merkle_root() && block.check_witness_commitment(), "block {height}");
        let coinbase = &block.txdata[0];
        assert_eq!(coinbase.lock_time.to_consensus_u32(), height - 1);
        assert_eq!(coinbase.output[0].script_pubkey, key_script(), "block {height} pays us");
        let fees = FEE * (block.txdata.len() - 1) as u64;
        let paid: Amount = coinbase.output.iter().map(|output| output.value).sum();
        assert_eq!(paid, subsidy(height) + fees, "block {height} claims its fees");
        let row = ledger.iter().find(|row| row.hash == hash);
        assert_eq!(row.map(|row| (row.state, row.height)), Some((BlockState::Accepted, height)));
    }
    let accepted = ledger.iter().filter(|row| row.state == BlockState::Accepted).count();
    assert_eq!(accepted, chain.height() as usize, "what the ledger has as accepted is the chain");
    assert!(ledger.iter().all(|row| row.state != BlockState::Refused), "no block is refused: {ledger:?}");
}

/// The payments are in the chain, each after the one before.
fn check_payments(chain: &dyn Chain, payments: &[bitcoin::Txid]) {
    let mined: Vec<_> = (MATURITY..=chain.height())
        .flat_map(|height| chain.block(height).txdata.into_iter().skip(1).map(|tx| tx.compute_txid()))
        .collect();
    assert_eq!(mined, payments);
}

/// A block of somebody else: on the tip, or beside it.
fn block_of_others(prev: &Block, height: u32, salt: u8) -> Block {
    let template = Template {
        height,
        prev_hash: hash_of(prev),
        version: 0x2000_0000,
        nbits: prev.header.bits.to_consensus(),
        ntime_min: 0,
        // Above the median of any eleven that end with it.
        ntime: prev.header.time + 1,
        coinbase_value: subsidy(height),
        transactions: [].into(),
        limits: Limits::CONSENSUS,
        segwit: true,
        demands: None,
    };
    let spec = CoinbaseSpec {
        payees: vec![(bitcoin::ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([salt; 20])), 1)],
        tag: "/others/".into(),
        extranonce_bytes: 4,
        length: None,
    };
    let coinbase =
        Coinbase::build(&spec, height, template.coinbase_value, Some(witness_commitment(&[], &[0; 32])))
            .unwrap()
            .transaction(&[salt; 4], &[]);
    let mut header = HeaderFields {
        version: template.version,
        prev_hash: template.prev_hash,
        merkle_root: root(&[coinbase.compute_txid().to_byte_array()]),
        ntime: template.ntime,
        nbits: template.nbits,
        nonce: 0,
    };
    while !Target::from_compact(header.nbits).is_met_by(&sha256d_header(&header.to_bytes())) {
        header.nonce += 1;
    }
    assemble(&header, coinbase, &template)
}

/// Waits for the job on `tip`, whatever comes before it.
fn job_on(miner: &mut Miner, tip: BlockHash) {
    while miner.job.notice.prev_hash != tip.to_byte_array() {
        miner.next_job();
    }
    // What is first on a tip, and only that, makes miners drop what they do.
    assert!(miner.job.notice.clean, "a new tip comes with clean_jobs");
}

fn state_of(server: &adit::server::Server, hash: BlockHash) -> BlockState {
    let reader = server.service().store.reader().unwrap();
    poll("the block's state", || {
        let rows = reader.recent_blocks(100_000).unwrap();
        let state = rows.iter().find(|row| row.hash == hash).map(|row| row.state);
        state.filter(|state| *state != BlockState::Pending)
    })
}

/// Somebody else finds a block while a share on the old tip is sought.
fn tip_changes_while_a_share_is_sought(server: &adit::server::Server, chain: &dyn Chain) {
    let tip = chain.block(chain.height());
    let mut miner = Miner::start(server.v1());
    if miner.job.notice.prev_hash != hash_of(&tip) {
        job_on(&mut miner, tip.block_hash());
    }
    let late = miner.share();
    let others = block_of_others(&tip, chain.height() + 1, 1);
    assert_eq!(chain.submit(&others), None);
    job_on(&mut miner, others.block_hash());
    // Work on the tip before is credited; that it is a block too late is the chain's to say.
    check_accepted(&miner.submit(&late));
    assert_eq!(state_of(server, BlockHash::from_byte_array(late.hash)), BlockState::Side);

    let share = miner.share();
    check_accepted(&miner.submit(&share));
    let found = BlockHash::from_byte_array(share.hash);
    job_on(&mut miner, found);
    assert_eq!(state_of(server, found), BlockState::Accepted);
    assert_eq!(chain.block(chain.height()).header.prev_blockhash, others.block_hash());
}

/// Two blocks replace the tip: what is mined next builds on them.
fn follows_a_reorganisation(server: &adit::server::Server, chain: &dyn Chain) {
    let height = chain.height();
    let parent = chain.block(height - 1);
    let mut miner = Miner::start(server.v1());
    let competitor = block_of_others(&parent, height, 2);
    assert_eq!(chain.submit(&competitor).as_deref(), Some("inconclusive"));
    let second = block_of_others(&competitor, height + 1, 3);
    assert_eq!(chain.submit(&second), None);
    job_on(&mut miner, second.block_hash());
    let share = miner.share();
    check_accepted(&miner.submit(&share));
    job_on(&mut miner, BlockHash::from_byte_array(share.hash));
    assert_eq!(chain.height(), height + 2);
    assert_eq!(chain.block(height).block_hash(), competitor.block_hash());
}

/// The operator takes the tip off, and puts it back: the pool goes with it, also to
/// a lower height.
fn goes_back_when_told(server: &adit::server::Server, chain: &dyn Chain) {
    let height = chain.height();
    let tip = chain.block(height);
    let mut miner = Miner::start(server.v1());
    if !chain.invalidate(tip.block_hash()) {
        return;
    }
    job_on(&mut miner, tip.header.prev_blockhash);
    chain.reconsider(tip.block_hash());
    job_on(&mut miner, tip.block_hash());
    chain.invalidate(tip.block_hash());
    job_on(&mut miner, tip.header.prev_blockhash);
    let share = miner.share();
    check_accepted(&miner.submit(&share));
    let found = BlockHash::from_byte_array(share.hash);
    job_on(&mut miner, found);
    assert_eq!((chain.height(), chain.block(height).block_hash()), (height, found));
    assert_eq!(state_of(server, found), BlockState::Accepted);
}
