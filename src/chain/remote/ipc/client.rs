//! One conversation with a node over its socket: the calls of its mining
//! interface that a pool needs, with Rust's types on both sides.
//!
//! The interface is that of Bitcoin Core 31 and later: `src/ipc/capnp/mining.capnp`
//! of its source, and `src/interfaces/mining.h` for what the calls mean. Every
//! call names a thread of the node to run on, and a thread runs one call at a
//! time, so calls that wait have one of their own.
//!
//! Cap'n Proto's clients are bound to their thread: a [`Client`] is not `Send`.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use bitcoin::consensus::encode::deserialize;
use bitcoin::{Block, TxOut};
use bitcoin_capnp_types::capnp::{self, message::ReaderOptions};
use bitcoin_capnp_types::capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use bitcoin_capnp_types::init_capnp::init;
use bitcoin_capnp_types::mining_capnp::{block_template, mining};
use bitcoin_capnp_types::proxy_capnp::{thread, thread_map};
use tokio::io::{BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

use crate::hash::Hash;

/// A template, kept by the node as long as this is.
pub(super) type Handle = block_template::Client;

/// The calls, and the threads of the node that run them.
#[derive(Clone)]
pub(super) struct Client {
    mining: mining::Client,
    /// Runs what returns at once.
    asking: thread::Client,
    /// Runs [`Self::next`].
    waiting: thread::Client,
    /// Runs what concerns found blocks, which wait for nobody.
    submitting: thread::Client,
}

/// What a block must look like, as the node sees it.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// Serialised: header, a coinbase to be replaced, and the other transactions.
    pub block: Vec<u8>,
    /// Fees of the other transactions, in satoshi.
    pub fees: Vec<i64>,
    /// Their signature operations, legacy ones counted four times.
    pub sigops: Vec<i64>,
    /// What the coinbase must have.
    pub coinbase: CoinbaseFields,
}

/// What a coinbase must have (`node::CoinbaseTx`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CoinbaseFields {
    pub version: u32,
    pub sequence: u32,
    pub lock_time: u32,
    /// Begins the scriptSig: the height (BIP34).
    pub script_sig_prefix: Vec<u8>,
    /// The one element of the witness, where the block commits to witnesses.
    pub witness: Option<Hash>,
    /// Subsidy and fees, less what `outputs` are worth; in satoshi.
    pub value: i64,
    /// End the outputs: the witness commitment, and what a soft fork may add.
    pub outputs: Vec<TxOut>,
}

/// What a node says about a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Whether it was taken: new, and connected.
    pub taken: bool,
    /// Why not (BIP22).
    pub reason: String,
    /// The numbers behind it.
    pub debug: String,
}

/// An answer that is not what the interface promises.
fn unexpected(what: impl std::fmt::Display) -> capnp::Error {
    capnp::Error::failed(what.to_string())
}

fn hash(bytes: &[u8]) -> capnp::Result<Hash> {
    bytes.try_into().map_err(|_| unexpected(format_args!("a hash of {} bytes", bytes.len())))
}

/// Opens the connection and returns the client, and what carries its messages:
/// a future that must be polled for anything to happen, and ends with the connection.
pub(super) async fn connect(
    path: &Path,
) -> std::io::Result<(init::Client, impl Future<Output = capnp::Result<()>> + 'static)> {
    let (read, write) = UnixStream::connect(path).await?.into_split();
    let read = BufReader::new(read).compat();
    let write = BufWriter::new(write).compat_write();
    let network = VatNetwork::new(read, write, Side::Client, ReaderOptions::new());
    let mut rpc = RpcSystem::new(Box::new(network), None);
    Ok((rpc.bootstrap(Side::Server), rpc))
}

impl Client {
    /// Takes the mining interface from a connection.
    pub async fn new(init: &init::Client) -> capnp::Result<Self> {
        let answer = init.construct_request().send().promise.await?;
        let threads = answer.get()?.get_thread_map()?;
        let asking = make_thread(&threads, "adit").await?;
        let mut request = init.make_mining_request();
        request.get().get_context()?.set_thread(asking.clone());
        let answer = request.send().promise.await?;
        Ok(Self {
            mining: answer.get()?.get_result()?,
            asking,
            waiting: make_thread(&threads, "adit waits").await?,
            submitting: make_thread(&threads, "adit blocks").await?,
        })
    }

    /// Whether the node is on any network but mainnet.
    pub async fn is_test_chain(&self) -> capnp::Result<bool> {
        let mut request = self.mining.is_test_chain_request();
        request.get().get_context()?.set_thread(self.asking.clone());
        Ok(request.send().promise.await?.get()?.get_result())
    }

    /// Whether the node still catches up with its network.
    pub async fn is_initial_download(&self) -> capnp::Result<bool> {
        let mut request = self.mining.is_initial_block_download_request();
        request.get().get_context()?.set_thread(self.asking.clone());
        Ok(request.send().promise.await?.get()?.get_result())
    }

    /// Hash and height of the tip; none while the node loads.
    pub async fn tip(&self) -> capnp::Result<Option<(Hash, u32)>> {
        let mut request = self.mining.get_tip_request();
        // A block waits for this, so it waits for no template.
        request.get().get_context()?.set_thread(self.submitting.clone());
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        if !answer.get_has_result() {
            return Ok(None);
        }
        let tip = answer.get_result()?;
        Ok(Some((hash(tip.get_hash()?)?, u32::try_from(tip.get_height()).map_err(unexpected)?)))
    }

    /// A template on the present tip; none when the node shuts down.
    pub async fn create(&self, empty: bool) -> capnp::Result<Option<Handle>> {
        let mut request = self.mining.create_new_block_request();
        request.get().get_context()?.set_thread(self.asking.clone());
        request.get().get_options()?.set_use_mempool(!empty);
        // Whether the node has caught up is asked before; it may not block here.
        request.get().set_cooldown(false);
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        if answer.has_result() { answer.get_result().map(Some) } else { Ok(None) }
    }

    /// Waits for another template than `handle`, made as that one was: on a new
    /// tip, or on test networks for the lower difficulty of a late block. None
    /// after `timeout` or when the node shuts down.
    pub async fn next(&self, handle: &Handle, timeout: Duration) -> capnp::Result<Option<Handle>> {
        let mut request = handle.wait_next_request();
        request.get().get_context()?.set_thread(self.waiting.clone());
        request.get().get_options()?.set_timeout(timeout.as_secs_f64() * 1000.0);
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        if answer.has_result() { answer.get_result().map(Some) } else { Ok(None) }
    }

    /// What a template says.
    pub async fn read(&self, handle: &Handle) -> capnp::Result<Offer> {
        let mut block = handle.get_block_request();
        block.get().get_context()?.set_thread(self.asking.clone());
        let mut fees = handle.get_tx_fees_request();
        fees.get().get_context()?.set_thread(self.asking.clone());
        let mut sigops = handle.get_tx_sigops_request();
        sigops.get().get_context()?.set_thread(self.asking.clone());
        let mut coinbase = handle.get_coinbase_tx_request();
        coinbase.get().get_context()?.set_thread(self.asking.clone());
        // All are on their way before the first is awaited.
        let (block, fees) = (block.send().promise, fees.send().promise);
        let (sigops, coinbase) = (sigops.send().promise, coinbase.send().promise);
        let (block, fees, sigops, coinbase) = (block.await?, fees.await?, sigops.await?, coinbase.await?);
        let coinbase = coinbase.get()?.get_result()?;
        let mut outputs = Vec::new();
        for output in coinbase.get_required_outputs()? {
            outputs.push(deserialize(output?).map_err(unexpected)?);
        }
        Ok(Offer {
            block: block.get()?.get_result()?.to_vec(),
            fees: fees.get()?.get_result()?.iter().collect(),
            sigops: sigops.get()?.get_result()?.iter().collect(),
            coinbase: CoinbaseFields {
                version: coinbase.get_version(),
                sequence: coinbase.get_sequence(),
                lock_time: coinbase.get_lock_time(),
                script_sig_prefix: coinbase.get_script_sig_prefix()?.to_vec(),
                witness: match coinbase.get_witness()? {
                    [] => None,
                    bytes => Some(hash(bytes)?),
                },
                value: coinbase.get_block_reward_remaining(),
                outputs,
            },
        })
    }

    /// Hands in a whole block. Bitcoin Core 31 does not know this call.
    pub async fn submit_block(&self, block: &[u8]) -> capnp::Result<Judgement> {
        let mut request = self.mining.submit_block_request();
        request.get().get_context()?.set_thread(self.submitting.clone());
        request.get().set_block(block);
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        Ok(Judgement {
            taken: answer.get_result(),
            reason: answer.get_reason()?.to_string()?,
            debug: answer.get_debug()?.to_string()?,
        })
    }

    /// Solves a template, the only way to hand in a block to Bitcoin Core 31.
    /// `false` says that the block is not valid; `true` does not say that it is.
    pub async fn submit_solution(&self, handle: &Handle, block: &Block) -> capnp::Result<bool> {
        let mut request = handle.submit_solution_old7_request();
        request.get().get_context()?.set_thread(self.submitting.clone());
        request.get().set_version(block.header.version.to_consensus() as u32);
        request.get().set_timestamp(block.header.time);
        request.get().set_nonce(block.header.nonce);
        request.get().set_coinbase(&bitcoin::consensus::serialize(&block.txdata[0]));
        Ok(request.send().promise.await?.get()?.get_result())
    }

    /// What is wrong with a block on the present tip.
    pub async fn check_block(&self, block: &[u8]) -> capnp::Result<Judgement> {
        let mut request = self.mining.check_block_request();
        request.get().get_context()?.set_thread(self.submitting.clone());
        request.get().set_block(block);
        request.get().init_options();
        let answer = request.send().promise.await?;
        let answer = answer.get()?;
        Ok(Judgement {
            taken: answer.get_result(),
            reason: answer.get_reason()?.to_string()?,
            debug: answer.get_debug()?.to_string()?,
        })
    }
}

async fn make_thread(threads: &thread_map::Client, name: &str) -> capnp::Result<thread::Client> {
    let mut request = threads.make_thread_request();
    request.get().set_name(name);
    request.send().promise.await?.get()?.get_result()
}
