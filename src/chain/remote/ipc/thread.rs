//! The thread that a node is spoken to on.
//!
//! ```text
//!   connect ──▶ mining interface ──▶ follow tips ◀──┐
//!      ▲               │                  │         │ request: template, block
//!      └──── pause ◀───┴──── failure ◀────┘─────────┘
//! ```
//!
//! One template without transactions is always kept: the node's `waitNext` on it
//! returns with the like of it on the next tip, so that the work of an empty block
//! needs no further question. One with transactions is asked for behind it.
//!
//! While there is no connection, requests are answered with the reason.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash as _;
use bitcoin::{Block, Network};
use bitcoin_capnp_types::capnp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, LocalSet};

use super::client::{Client, Handle, Judgement, connect};
use super::template::decode;
use crate::block::Template;
use crate::chain::remote::NodeError;
use crate::chain::{Refusal, SubmitOutcome};

/// How long a call may take that waits for nothing. A block is checked within a
/// second or two; templates of a loaded machine take hundreds of milliseconds.
const ANSWER: Duration = Duration::from_secs(30);

/// How long the node is asked to wait for a new tip before it is asked again: a
/// node that hangs is noticed after this and [`ANSWER`].
const WAIT: Duration = Duration::from_secs(60);

/// First pause before a node that failed is tried again; doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Templates that are kept in the node, so that Bitcoin Core 31 can be told that
/// they are solved. Sessions keep as many jobs.
const KEPT_MAX: usize = 16;

/// The lowest tip on which Bitcoin Core 31 makes templates: below, its own coinbase
/// is shorter than consensus allows (`createNewBlock`).
const HEIGHT_MIN: u32 = 16;

/// What the node has to say, unasked.
#[derive(Debug)]
pub(super) enum News {
    /// It is there. Its tip is not asked for before this is answered, or dropped.
    Connected(oneshot::Sender<()>),
    /// A new tip, or another target for the block on it; the template has no transactions.
    Tip(Template),
    /// The template with transactions, and how long it took.
    Whole(Template, Duration),
    /// The node cannot be mined on.
    Down(NodeError),
}

/// What the node is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// A template with transactions.
    Template(oneshot::Sender<Result<Template, NodeError>>),
    /// To take a block.
    Submit(Block, oneshot::Sender<super::Answer>),
}

impl Request {
    fn fail(self, error: NodeError) {
        // Whoever asked may have stopped waiting.
        match self {
            Self::Template(reply) => drop(reply.send(Err(error))),
            Self::Submit(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// Speaks to the node at `path` until nobody listens any more.
pub(super) fn run(
    path: PathBuf,
    network: Network,
    mut requests: mpsc::UnboundedReceiver<Request>,
    news: mpsc::UnboundedSender<News>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let talk = Talk { path, network, news: news.clone() };
        tokio::select! {
            () = talk.keep_up(&mut requests) => {}
            () = news.closed() => {}
        }
    });
    Ok(())
}

/// A template in the node, and what it is made of.
pub(super) struct Kept {
    template: Template,
    handle: Handle,
}

impl Kept {
    /// Whether it can be solved by a block on `template`.
    fn is_for(&self, template: &Template) -> bool {
        let of = |template: &Template| (template.prev_hash, template.nbits, template.transactions.len());
        of(&self.template) == of(template) && self.template.transactions == template.transactions
    }
}

/// A connection while it lasts.
#[derive(Clone)]
pub(super) struct Link {
    pub client: Client,
    /// Newest last.
    pub kept: Rc<RefCell<VecDeque<Kept>>>,
    pub news: mpsc::UnboundedSender<News>,
}

struct Talk {
    path: PathBuf,
    network: Network,
    news: mpsc::UnboundedSender<News>,
}

/// Ends its task when dropped.
pub(super) struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn spawn(task: impl Future<Output = ()> + 'static) -> Task {
    Task(tokio::task::spawn_local(task).abort_handle())
}

/// Waits for a call's answer, and names the call where it fails.
async fn answer<T>(
    call: &'static str,
    within: Duration,
    asked: impl Future<Output = capnp::Result<T>>,
) -> Result<T, NodeError> {
    match tokio::time::timeout(within, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(NodeError::Ipc { call, reason: error.extra }),
        Err(_) => Err(NodeError::Timeout { method: call, seconds: within.as_secs() }),
    }
}

impl Talk {
    /// Connects again and again, until nobody can ask any more.
    async fn keep_up(&self, requests: &mut mpsc::UnboundedReceiver<Request>) {
        let mut pause = PAUSE;
        loop {
            let began = Instant::now();
            let error = match self.converse(requests).await {
                Ok(()) => return,
                Err(error) => error,
            };
            let _ = self.news.send(News::Down(error.clone()));
            if began.elapsed() > PAUSE_MAX {
                pause = PAUSE;
            }
            let over = tokio::time::sleep(pause);
            tokio::pin!(over);
            loop {
                tokio::select! {
                    () = &mut over => break,
                    request = requests.recv() => match request {
                        Some(request) => request.fail(error.clone()),
                        None => return,
                    }
                }
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One connection from its beginning to its failure. `Ok` when nobody can ask any more.
    async fn converse(&self, requests: &mut mpsc::UnboundedReceiver<Request>) -> Result<(), NodeError> {
        let (init, messages) = connect(&self.path)
            .await
            .map_err(|error| NodeError::Socket { path: self.path.clone(), reason: error.to_string() })?;
        let (ended, end) = oneshot::channel();
        let _messages = spawn(async move {
            let result = messages.await;
            let _ = ended.send(result);
        });
        let client = match tokio::time::timeout(ANSWER, Client::new(&init)).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) if error.kind == capnp::ErrorKind::Disconnected => {
                return Err(NodeError::Ipc { call: "makeMining", reason: error.extra });
            }
            Ok(Err(error)) => return Err(NodeError::OtherInterface { reason: error.extra }),
            Err(_) => return Err(NodeError::Timeout { method: "makeMining", seconds: ANSWER.as_secs() }),
        };
        let link = Link { client, kept: Rc::default(), news: self.news.clone() };
        let mut followed = std::pin::pin!(link.follow(self.network));
        let mut ended = std::pin::pin!(end);
        let mut tasks = VecDeque::new();
        loop {
            tokio::select! {
                result = &mut followed => {
                    let Err(error) = result;
                    return Err(error);
                }
                _ = &mut ended => {
                    return Err(NodeError::Ipc { call: "waitNext", reason: "the connection ended".to_owned() });
                }
                request = requests.recv() => {
                    let Some(request) = request else { return Ok(()) };
                    let link = link.clone();
                    tasks.retain(|task: &Task| !task.0.is_finished());
                    tasks.push_back(spawn(async move { link.fulfil(request).await }));
                }
            }
        }
    }
}

impl Link {
    /// Tells of every new tip, until the connection fails.
    async fn follow(&self, network: Network) -> Result<Infallible, NodeError> {
        let is_test = answer("isTestChain", ANSWER, self.client.is_test_chain()).await?;
        if is_test == (network == Network::Bitcoin) {
            let found = if is_test { "a test network" } else { "mainnet" };
            return Err(NodeError::OtherNetwork { found: found.to_owned(), wanted: network.to_string() });
        }
        // A test chain may have no other miners: nothing would end its initial download.
        if !is_test && answer("isInitialBlockDownload", ANSWER, self.client.is_initial_download()).await? {
            return Err(NodeError::CatchingUp);
        }
        let (caught_up, wait) = oneshot::channel();
        let _ = self.news.send(News::Connected(caught_up));
        let _ = wait.await;
        let mut handle = self.create(true).await?;
        let mut known = None;
        let mut _whole = None;
        loop {
            let empty = self.read(&handle).await?;
            let about = (empty.prev_hash, empty.nbits);
            if known != Some(about) {
                known = Some(about);
                let _ = self.news.send(News::Tip(empty));
                let link = self.clone();
                _whole = Some(spawn(async move {
                    let began = Instant::now();
                    // A failure shows in the connection too, and is told there.
                    if let Ok(template) = link.template().await {
                        let _ = link.news.send(News::Whole(template, began.elapsed()));
                    }
                }));
            }
            handle = loop {
                match answer("waitNext", WAIT + ANSWER, self.client.next(&handle, WAIT)).await? {
                    Some(next) => break next,
                    // Nothing new, or the end of the node, which ends the connection as well.
                    None => tokio::task::yield_now().await,
                }
            };
        }
    }

    async fn create(&self, empty: bool) -> Result<Handle, NodeError> {
        match answer("createNewBlock", ANSWER, self.client.create(empty)).await {
            Ok(Some(handle)) => Ok(handle),
            Ok(None) => Err(NodeError::Ipc { call: "createNewBlock", reason: "it shuts down".to_owned() }),
            Err(error) => match answer("getTip", ANSWER, self.client.tip()).await {
                Ok(Some((_, height))) if height < HEIGHT_MIN => Err(NodeError::TooLow { height }),
                _ => Err(error),
            },
        }
    }

    /// A template with transactions.
    pub async fn template(&self) -> Result<Template, NodeError> {
        let handle = self.create(false).await?;
        self.read(&handle).await
    }

    async fn read(&self, handle: &Handle) -> Result<Template, NodeError> {
        let offer = answer("getBlock", ANSWER, self.client.read(handle)).await?;
        // Hashing three thousand transactions must not hold up a new tip.
        let decoded = tokio::task::spawn_blocking(move || decode(&offer)).await;
        let template = decoded
            .expect("reading a template does not panic")
            .map_err(|what| NodeError::Answer { method: "getBlock", what })?;
        let mut kept = self.kept.borrow_mut();
        // One that differs only in its time takes the place of the other.
        kept.retain(|kept| !kept.is_for(&template));
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { template: template.clone(), handle: handle.clone() });
        Ok(template)
    }

    async fn fulfil(&self, request: Request) {
        // Whoever asked may have stopped waiting.
        match request {
            Request::Template(reply) => drop(reply.send(self.template().await)),
            Request::Submit(block, reply) => drop(reply.send(self.submit(&block).await)),
        }
    }

    pub async fn submit(&self, block: &Block) -> super::Answer {
        let bytes = serialize(block);
        match tokio::time::timeout(ANSWER, self.client.submit_block(&bytes)).await {
            Ok(Ok(judgement)) => outcome(judgement),
            Ok(Err(error)) if error.kind == capnp::ErrorKind::Unimplemented => {
                self.solve(block, &bytes).await
            }
            Ok(Err(error)) => Err(NodeError::Ipc { call: "submitBlock", reason: error.extra }),
            Err(_) => Err(NodeError::Timeout { method: "submitBlock", seconds: ANSWER.as_secs() }),
        }
    }

    /// Hands a block to Bitcoin Core 31, which takes solutions of its templates only.
    pub async fn solve(&self, block: &Block, bytes: &[u8]) -> super::Answer {
        let is_of = |template: &Template| {
            template.prev_hash == block.header.prev_blockhash.to_byte_array()
                && template.nbits == block.header.bits.to_consensus()
                && template.transactions.iter().map(|entry| &entry.transaction).eq(&block.txdata[1..])
        };
        let handle = self
            .kept
            .borrow()
            .iter()
            .rev()
            .find(|kept| is_of(&kept.template))
            .map(|kept| kept.handle.clone());
        let Some(handle) = handle else { return Err(NodeError::NotKept) };
        answer("submitSolution", ANSWER, self.client.submit_solution(&handle, block)).await?;
        // What it returns does not say whether the block is valid.
        let tip = answer("getTip", ANSWER, self.client.tip()).await?;
        if tip.is_some_and(|(hash, _)| hash == block.block_hash().to_byte_array()) {
            return Ok(Ok(SubmitOutcome::NewTip));
        }
        let judgement = answer("checkBlock", ANSWER, self.client.check_block(bytes)).await?;
        // It can be checked on the tip only; on another it may yet win.
        let is_elsewhere = judgement.taken || judgement.reason == "inconclusive-not-best-prevblk";
        if is_elsewhere { Ok(Ok(SubmitOutcome::SideBranch)) } else { outcome(judgement) }
    }
}

/// What BIP22's reasons mean.
fn outcome(judgement: Judgement) -> super::Answer {
    Ok(match judgement.reason.as_str() {
        _ if judgement.taken => Ok(SubmitOutcome::NewTip),
        "duplicate" => Ok(SubmitOutcome::Duplicate),
        "inconclusive" => Ok(SubmitOutcome::SideBranch),
        // Not the block's fault.
        "prev-blk-not-found" => {
            let reason = "prev-blk-not-found: it does not have the block before yet".to_owned();
            return Err(NodeError::Ipc { call: "submitBlock", reason });
        }
        _ => Err(Refusal { reason: judgement.reason.into(), detail: judgement.debug }),
    })
}
