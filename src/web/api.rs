//! What each path answers.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use bitcoin::hashes::Hash as _;
use serde::{Deserialize, Serialize};

use super::Web;
use crate::block::CoinbaseAudit;
use crate::chain::remote::NodeStatus;
use crate::event::{ConnectionId, Share};
use crate::store::{BlockRow, Reader, RegionShares, StoreError, WorkerTotals};
use crate::stratum::v1::Command;
use crate::units::{Difficulty, Timestamp};

/// Rows answered when the query does not say.
const LIMIT: usize = 100;

/// Most rows answered at once; `adit export` gives them all.
const LIMIT_MAX: usize = 10_000;

type Shared = State<Arc<Web>>;

/// An error as the API answers it.
pub(super) struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

/// Reads the ledger where blocking is allowed.
async fn read<T, F>(web: Arc<Web>, query: F) -> Result<Json<T>, Failure>
where
    T: Send + 'static,
    F: FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
{
    let failed = |what: String| Failure(StatusCode::INTERNAL_SERVER_ERROR, what);
    let answer = tokio::task::spawn_blocking(move || {
        query(&mut web.reader.lock().unwrap_or_else(PoisonError::into_inner))
    });
    match answer.await {
        Ok(Ok(rows)) => Ok(Json(rows)),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}

pub(super) async fn metrics(State(web): Shared) -> impl IntoResponse {
    super::prometheus_text(web.service.render_metrics())
}

pub(super) async fn health(State(web): Shared) -> Response {
    let mut problems = Vec::new();
    if let Some(fault) = web.service.store.fault() {
        problems.push(fault.to_string());
    }
    let nodes = web.service.node.statuses();
    if !nodes.iter().any(|node| node.health.is_up()) {
        problems.push("no node gives templates; miners keep their last job".to_owned());
    }
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let away = nodes.iter().filter_map(|node| Some(format!("node {} {}", node.name, node.health.problem()?)));
    problems.extend(away);
    if status == StatusCode::OK {
        problems.insert(0, "ok".to_owned());
    }
    (status, problems.join("\n") + "\n").into_response()
}

/// A node as the API shows it.
#[derive(Serialize)]
pub(super) struct NodeRow {
    name: Arc<str>,
    kind: &'static str,
    /// Whether it is the one that is mined on.
    active: bool,
    up: bool,
    /// Why it is not.
    problem: Option<String>,
    /// How long it has been so.
    seconds: f64,
    height: Option<u32>,
    tip: Option<String>,
    /// Transactions of its newest template.
    transactions: Option<usize>,
    template_seconds: Option<f64>,
}

pub(super) async fn nodes(State(web): Shared) -> Json<Vec<NodeRow>> {
    let row = |node: NodeStatus| NodeRow {
        active: node.active,
        up: node.health.is_up(),
        problem: node.health.problem().map(ToString::to_string),
        seconds: node.since.elapsed().as_secs_f64(),
        height: node.tip.map(|tip| tip.height),
        tip: node.tip.map(|tip| bitcoin::BlockHash::from_byte_array(tip.hash).to_string()),
        transactions: node.transactions,
        template_seconds: node.template_took.map(|took| took.as_secs_f64()),
        name: node.name,
        kind: node.kind,
    };
    Json(web.service.node.statuses().into_iter().map(row).collect())
}

/// The pool at a glance.
#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    network: String,
    now: Timestamp,
    started: Timestamp,
    connections: i64,
    blocks_found: u64,
    difficulty_accepted: f64,
    tip: TipStatus,
    work: WorkStatus,
}

#[derive(Serialize)]
struct TipStatus {
    height: u32,
    hash: String,
    /// When the first work on it was published, microseconds since the Unix epoch.
    published: Timestamp,
}

#[derive(Serialize)]
struct WorkStatus {
    height: u32,
    transactions: usize,
    merkle_branches: usize,
    network_difficulty: Difficulty,
    coinbase_bytes: usize,
    /// What any miner can read from its jobs.
    coinbase: Option<CoinbaseAudit>,
}

pub(super) async fn status(State(web): Shared) -> Json<Status> {
    let service = &web.service;
    let work = service.work();
    let tip = service.tip();
    let extranonce_bytes = service.settings.coinbase.extranonce_bytes;
    let coinbase =
        [&work.coinbase.prefix[..], &vec![0; extranonce_bytes], &work.coinbase.suffix[..]].concat();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        network: service.node.network().to_string(),
        now: service.clock.now(),
        started: service.started,
        connections: service.metrics.connections.get(),
        blocks_found: service.metrics.blocks_found.get(),
        difficulty_accepted: service.metrics.difficulty_accepted.get(),
        tip: TipStatus {
            height: tip.height,
            hash: bitcoin::BlockHash::from_byte_array(work.template.prev_hash).to_string(),
            published: tip.published,
        },
        work: WorkStatus {
            height: work.template.height,
            transactions: work.template.transactions.len(),
            merkle_branches: work.branch.len(),
            network_difficulty: work.network_target.difficulty(),
            coinbase_bytes: coinbase.len(),
            coinbase: crate::block::audit(&coinbase, service.node.network()),
        },
    })
}

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT).min(LIMIT_MAX)
    }
}

pub(super) async fn workers(State(web): Shared) -> Result<Json<Vec<WorkerTotals>>, Failure> {
    read(web, Reader::worker_totals).await
}

pub(super) async fn regions(State(web): Shared) -> Result<Json<Vec<RegionShares>>, Failure> {
    read(web, Reader::share_counts_by_region).await
}

pub(super) async fn blocks(
    State(web): Shared,
    Query(page): Query<Page>,
) -> Result<Json<Vec<BlockRow>>, Failure> {
    read(web, move |reader| reader.recent_blocks(page.limit())).await
}

/// A rejected share as the API shows it.
#[derive(Serialize)]
pub(super) struct RejectRow {
    time: Timestamp,
    connection: ConnectionId,
    worker: Arc<str>,
    verdict: &'static str,
    job: Option<String>,
    height: u32,
    extranonce2: String,
    ntime: u32,
    nonce: u32,
    version: u32,
    difficulty_asked: Option<Difficulty>,
    difficulty_reached: Option<Difficulty>,
    job_age_us: u64,
    near_miss: Option<crate::event::NearMiss>,
}

impl From<Share> for RejectRow {
    fn from(share: Share) -> Self {
        Self {
            time: share.time,
            connection: share.connection,
            worker: share.worker,
            verdict: share.verdict.name(),
            job: share.job.map(|job| job.to_string()),
            height: share.height,
            extranonce2: format!("{:?}", share.extranonce2),
            ntime: share.ntime,
            nonce: share.nonce,
            version: share.version,
            difficulty_asked: share.difficulty_asked,
            difficulty_reached: share.difficulty_reached,
            job_age_us: share.job_age_us,
            near_miss: share.near_miss,
        }
    }
}

pub(super) async fn rejects(
    State(web): Shared,
    Query(page): Query<Page>,
) -> Result<Json<Vec<RejectRow>>, Failure> {
    let rows = move |reader: &mut Reader| {
        Ok(reader.rejects_recent(page.limit())?.into_iter().map(RejectRow::from).collect())
    };
    read(web, rows).await
}

/// `{"connection": 7, "command": {"method": "client.show_message", "text": "hi"}}`;
/// without `connection` it goes to all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandOrder {
    connection: Option<ConnectionId>,
    command: Command,
}

pub(super) async fn command(
    State(web): Shared,
    body: Result<Json<CommandOrder>, axum::extract::rejection::JsonRejection>,
) -> Result<StatusCode, Failure> {
    let Json(order) = body.map_err(|rejection| Failure(StatusCode::BAD_REQUEST, rejection.body_text()))?;
    web.service.command(order.connection, order.command);
    Ok(StatusCode::ACCEPTED)
}
