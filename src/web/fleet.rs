//! The HTTP face of a fleet: `/metrics` for Prometheus, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::prometheus_text;
use crate::metrics::Exposition;
use crate::server::ServerError;

/// Binds the address and serves until the process ends; returns where.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn start_fleet(
    address: SocketAddr,
    exposition: Arc<Exposition>,
) -> Result<SocketAddr, ServerError> {
    let failed = |source| ServerError::Listen { address, flag: "--http", source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let router = Router::new().route("/metrics", get(metrics)).with_state(exposition);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!("the fleet's metrics are no longer served: {error}");
        }
    });
    Ok(bound)
}

async fn metrics(State(exposition): State<Arc<Exposition>>) -> impl IntoResponse {
    prometheus_text(exposition.render())
}
