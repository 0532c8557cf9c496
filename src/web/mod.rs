//! The HTTP face of a pool: metrics for Prometheus, an API for people and scripts.
//!
//! | path | what |
//! |---|---|
//! | `/` | a page that shows the rest |
//! | `/metrics` | Prometheus' text format (`docs/metrics.md`) |
//! | `/healthz` | 200 while shares can be stored and a node gives templates, else 503; and what is wrong |
//! | `/api/v1/status` | the pool, its tip, its work and who the coinbase pays |
//! | `/api/v1/nodes` | each node: whether it is up, or why not, its tip, whether it is mined on |
//! | `/api/v1/workers` | totals of each worker |
//! | `/api/v1/regions` | totals of each region |
//! | `/api/v1/blocks` | found blocks, newest first |
//! | `/api/v1/rejects` | rejected shares, newest first, with their near miss |
//! | `POST /api/v1/commands` | tells miners something unasked (`client.reconnect` ...) |

mod api;
mod fleet;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;

pub use fleet::start_fleet;

use crate::server::{ServerError, Service};
use crate::store::Reader;

/// What every handler sees.
pub(crate) struct Web {
    service: Arc<Service>,
    reader: Mutex<Reader>,
}

/// Binds the address and serves until the process ends; returns where.
///
/// # Errors
/// When the address cannot be listened on, or the ledger cannot be read.
pub async fn start(address: SocketAddr, service: Arc<Service>) -> Result<SocketAddr, ServerError> {
    let failed = |source| ServerError::Listen { address, flag: "--http", source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let reader = Mutex::new(service.store.reader()?);
    let router = Router::new()
        .route("/", get(api::page))
        .route("/metrics", get(api::metrics))
        .route("/healthz", get(api::health))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/nodes", get(api::nodes))
        .route("/api/v1/workers", get(api::workers))
        .route("/api/v1/regions", get(api::regions))
        .route("/api/v1/blocks", get(api::blocks))
        .route("/api/v1/rejects", get(api::rejects))
        .route("/api/v1/commands", post(api::command))
        .with_state(Arc::new(Web { service, reader }));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!("the HTTP interface stopped: {error}");
        }
    });
    Ok(bound)
}

/// What Prometheus reads.
fn prometheus_text(text: Vec<u8>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
