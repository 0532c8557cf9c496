//! JSON-RPC over HTTP, as Bitcoin Core serves it.
//!
//! Connections are kept and reused. Core's cookie changes at each of its starts,
//! so the file is read again when the node refuses the old one. What went wrong
//! is told apart by what an operator can do about it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use bitcoin::BlockHash;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as HttpClient, Error as HttpError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Auth, RpcSettings};
use crate::chain::remote::NodeError;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Core closes a connection that is idle for 30 s (`-rpcservertimeout`); one that it
/// is just closing would fail the next call.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The longest answer. A template of a full block is some 10 MB.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How much of a page that is no answer goes into the error.
const EXCERPT_CHARS: usize = 120;

/// A node's RPC.
#[derive(Debug)]
pub(super) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    url: String,
    auth: Auth,
    /// The header that `auth` comes to, when it was worked out.
    login: Mutex<Option<HeaderValue>>,
    timeout: Duration,
}

/// How long to wait for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patience {
    /// As configured, so many times.
    Times(u32),
    /// Until there is one: the node answers when it has news.
    Endless,
}

/// The body of an answer.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    #[serde(default)]
    message: String,
}

/// An answer that is there whole.
#[derive(Debug)]
pub(super) struct Answer {
    method: &'static str,
    body: Bytes,
}

impl Answer {
    /// Reads the result as a `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, NodeError> {
        serde_json::from_str(self.result()?.map_or("null", RawValue::get))
            .map_err(|error| self.unreadable(error))
    }

    /// Reads the result as a block's hash.
    pub fn hash(&self) -> Result<BlockHash, NodeError> {
        let text: &str = self.read()?;
        let what = || format!("{text:?} is no block hash");
        text.parse().map_err(|_| NodeError::Answer { method: self.method, what: what() })
    }

    fn result(&self) -> Result<Option<&RawValue>, NodeError> {
        let envelope: Envelope<'_> =
            serde_json::from_slice(&self.body).map_err(|error| self.unreadable(error))?;
        match envelope.error {
            Some(RpcError { code, message }) => Err(NodeError::Rpc { method: self.method, code, message }),
            None => Ok(envelope.result),
        }
    }

    fn unreadable(&self, error: serde_json::Error) -> NodeError {
        NodeError::Answer { method: self.method, what: error.to_string() }
    }
}

impl Client {
    pub fn new(settings: &RpcSettings) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Self {
            http,
            url: settings.url(),
            auth: settings.auth.clone(),
            login: Mutex::new(None),
            timeout: settings.timeout,
        }
    }

    /// Calls a method; `params` are its parameters as JSON.
    pub async fn call(
        &self,
        method: &'static str,
        params: &str,
        patience: Patience,
    ) -> Result<Answer, NodeError> {
        let call = self.call_with_login(method, params);
        match patience {
            Patience::Endless => call.await,
            Patience::Times(times) => {
                let limit = self.timeout * times;
                let seconds = limit.as_secs();
                tokio::time::timeout(limit, call).await.unwrap_or(Err(NodeError::Timeout { method, seconds }))
            }
        }
    }

    async fn call_with_login(&self, method: &'static str, params: &str) -> Result<Answer, NodeError> {
        let body = Bytes::from(format!(
            "{{\"jsonrpc\":\"1.0\",\"id\":\"adit\",\"method\":\"{method}\",\"params\":{params}}}"
        ));
        let login = self.login()?;
        match self.post(method, body.clone(), login.clone()).await {
            Err(NodeError::Unauthorized) if matches!(self.auth, Auth::Cookie(_)) => {
                *self.login.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let again = self.login()?;
                if again == login {
                    return Err(self.stale_cookie());
                }
                self.post(method, body, again).await
            }
            answer => answer,
        }
    }

    async fn post(
        &self,
        method: &'static str,
        body: Bytes,
        login: Option<HeaderValue>,
    ) -> Result<Answer, NodeError> {
        let mut request = Request::post(&self.url).header(CONTENT_TYPE, "application/json");
        if let Some(login) = login {
            request = request.header(AUTHORIZATION, login);
        }
        let unreachable = |reason: String| NodeError::Unreachable { reason };
        let request = request.body(Full::new(body)).map_err(|error| unreachable(error.to_string()))?;
        let response = self.http.request(request).await.map_err(|error| unreachable(cause(&error)))?;
        let status = response.status();
        let body = read(response).await.map_err(|what| NodeError::Answer { method, what })?;
        match status {
            StatusCode::UNAUTHORIZED => Err(NodeError::Unauthorized),
            StatusCode::FORBIDDEN => Err(NodeError::Forbidden),
            // Errors of a method come with status 500 or 404 and a JSON body.
            _ if status.is_success() || serde_json::from_slice::<Envelope<'_>>(&body).is_ok() => {
                Ok(Answer { method, body })
            }
            _ => {
                let text: String =
                    String::from_utf8_lossy(&body).trim().chars().take(EXCERPT_CHARS).collect();
                Err(NodeError::Http { method, status: status.as_u16(), text })
            }
        }
    }

    fn login(&self) -> Result<Option<HeaderValue>, NodeError> {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if login.is_none() {
            *login = match &self.auth {
                Auth::None => None,
                Auth::User { user, password } => Some(basic(&format!("{user}:{password}"))),
                Auth::Cookie(path) => Some(basic(&read_cookie(path)?)),
            };
        }
        Ok(login.clone())
    }

    fn stale_cookie(&self) -> NodeError {
        let Auth::Cookie(path) = &self.auth else { return NodeError::Unauthorized };
        let reason = "the one there is refused: it is of another node, or of an earlier start".to_owned();
        NodeError::Cookie { path: path.clone(), reason }
    }
}

fn read_cookie(path: &Path) -> Result<String, NodeError> {
    let unusable = |reason: String| NodeError::Cookie { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let text = text.trim_end();
    if !text.contains(':') || text.contains('\n') {
        return Err(unusable("the file is not of the form USER:PASSWORD".to_owned()));
    }
    Ok(text.to_owned())
}

fn basic(login: &str) -> HeaderValue {
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login));
    let mut value = HeaderValue::from_str(&text).expect("base64 is printable");
    value.set_sensitive(true);
    value
}

async fn read(response: Response<hyper::body::Incoming>) -> Result<Bytes, String> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| format!("the answer broke off: {error}"))
}

/// The innermost cause: "Connection refused" says more than "client error (Connect)".
fn cause(error: &HttpError) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
