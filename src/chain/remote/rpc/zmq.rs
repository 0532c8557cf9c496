//! A bell that a node rings when it has a new block: ZMQ's `hashblock`.
//!
//! Nothing that comes this way is believed: it only says when to ask. So a message
//! that is lost, late or false costs a question, and a subscription that fails
//! costs nothing, for all that it tells is found out otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use zeromq::{Socket as _, SocketRecv as _, SubSocket, ZmqError, ZmqMessage};

use crate::hash::Hash;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon a connection that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The topic, and what it publishes: hashes in the order of block explorers.
const TOPIC: &str = "hashblock";

/// One of `getzmqnotifications`.
#[derive(Debug, Deserialize)]
pub(super) struct Publisher {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

/// Where of these the blocks are told, as `tcp://HOST:PORT`; none where we cannot listen.
///
/// A node that publishes at all its addresses is reached where its RPC is; one
/// that publishes to its own machine only, from there.
pub(super) fn address(publishers: &[Publisher], rpc_host: &str) -> Option<String> {
    let unbracketed = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_here = |host: &str| match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost",
    };
    publishers.iter().filter(|publisher| publisher.kind == "pubhashblock").find_map(|publisher| {
        let (host, port) = publisher.address.strip_prefix("tcp://")?.rsplit_once(':')?;
        let host = unbracketed(host);
        let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let host = match host.parse::<IpAddr>() {
            Ok(address) if everywhere.contains(&address) => rpc_host.to_owned(),
            Err(_) if host == "*" => rpc_host.to_owned(),
            _ if is_here(&host) && !is_here(rpc_host) => return None,
            _ => host,
        };
        let port: u16 = port.parse().ok()?;
        Some(if host.contains(':') {
            format!("tcp://[{host}]:{port}")
        } else {
            format!("tcp://{host}:{port}")
        })
    })
}

/// A subscription, until it is dropped.
#[derive(Debug)]
pub(super) struct Bell {
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    rung: Notify,
    last: Mutex<Option<Hash>>,
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Bell {
    /// Listens to the publisher at `address`.
    pub fn new(address: String) -> Self {
        let shared = Arc::<Shared>::default();
        let listener = tokio::spawn(listen(address, shared.clone()));
        Self { shared, listener }
    }

    /// Ends when a block other than `tip` was told of, since this ended last.
    pub async fn rung(&self, tip: &Hash) {
        loop {
            self.shared.rung.notified().await;
            let last = *self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last != *tip) {
                return;
            }
        }
    }
}

async fn listen(address: String, shared: Arc<Shared>) {
    loop {
        let error = match subscribe(&address).await {
            Ok(mut socket) => {
                tracing::debug!("hears of blocks by ZMQ from {address}");
                loop {
                    match socket.recv().await {
                        Ok(message) => {
                            if let Some(hash) = hash(&message) {
                                *shared.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash);
                                shared.rung.notify_one();
                            }
                        }
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        tracing::debug!("no ZMQ from {address}: {error}");
        tokio::time::sleep(RETRY).await;
    }
}

async fn subscribe(address: &str) -> Result<SubSocket, ZmqError> {
    let connecting = async {
        let mut socket = SubSocket::new();
        socket.subscribe(TOPIC).await?;
        socket.connect(address).await?;
        Ok(socket)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(result) => result,
        Err(_) => Err(ZmqError::Other("no connection in time")),
    }
}

/// The block that a message tells of: topic, hash, number of the message.
fn hash(message: &ZmqMessage) -> Option<Hash> {
    if message.get(0)?.as_ref() != TOPIC.as_bytes() {
        return None;
    }
    let mut hash: Hash = message.get(1)?.as_ref().try_into().ok()?;
    hash.reverse();
    Some(hash)
}

#[cfg(test)]
mod tests {
    use zeromq::{PubSocket, SocketSend as _};

    use super::*;

    #[test]
    fn a_publisher_is_found_where_the_rpc_is() {
        fn check(published: &str, rpc_host: &str, expected: Option<&str>) {
            let publishers = format!(
                r#"[{{"type":"pubrawtx","address":"tcp://127.0.0.1:1","hwm":1000}},
                    {{"type":"pubhashblock","address":"{published}","hwm":1000}}]"#
            );
            let publishers: Vec<Publisher> = serde_json::from_str(&publishers).unwrap();
            assert_eq!(address(&publishers, rpc_host).as_deref(), expected, "{published} {rpc_host}");
        }
        check("tcp://127.0.0.1:28332", "127.0.0.1", Some("tcp://127.0.0.1:28332"));
        check("tcp://127.0.0.1:28332", "localhost", Some("tcp://127.0.0.1:28332"));
        check("tcp://127.0.0.1:28332", "10.0.0.7", None);
        check("tcp://0.0.0.0:28332", "10.0.0.7", Some("tcp://10.0.0.7:28332"));
        check("tcp://*:28332", "node.example", Some("tcp://node.example:28332"));
        check("tcp://[::]:28332", "::1", Some("tcp://[::1]:28332"));
        check("tcp://10.0.0.8:28332", "10.0.0.7", Some("tcp://10.0.0.8:28332"));
        check("ipc:///run/blocks", "127.0.0.1", None);
        check("tcp://127.0.0.1", "127.0.0.1", None);
    }

    async fn publish(at: &str) -> (PubSocket, String) {
        let mut publisher = PubSocket::new();
        let bound = publisher.bind(at).await.unwrap();
        (publisher, bound.to_string())
    }

    /// Publishes until somebody has heard.
    async fn ring(publisher: &mut PubSocket, byte: u8, bell: &Bell, tip: &Hash) {
        let mut heard = std::pin::pin!(bell.rung(tip));
        let mut every = tokio::time::interval(Duration::from_millis(10));
        loop {
            tokio::select! {
                () = &mut heard => return,
                _ = every.tick() => {
                    let mut message = ZmqMessage::from(TOPIC);
                    message.push_back(vec![byte; 32].into());
                    message.push_back(vec![0; 4].into());
                    publisher.send(message).await.unwrap();
                }
            }
        }
    }

    #[tokio::test]
    async fn rings_again_after_the_node_was_away() {
        let (mut publisher, address) = publish("tcp://127.0.0.1:0").await;
        let bell = Bell::new(address.clone());
        ring(&mut publisher, 1, &bell, &[0; 32]).await;
        ring(&mut publisher, 2, &bell, &[1; 32]).await;
        publisher.close().await;
        let (mut publisher, _) = publish(&address).await;
        ring(&mut publisher, 3, &bell, &[2; 32]).await;
    }

    #[test]
    fn only_blocks_ring() {
        let check = |topic: &str, bytes: Vec<u8>, expected: Option<Hash>| {
            let mut message = ZmqMessage::from(topic);
            message.push_back(bytes.into());
            assert_eq!(hash(&message), expected, "{topic}");
        };
        let mut internal = [0; 32];
        internal[31] = 7;
        let mut shown = vec![0; 32];
        shown[0] = 7;
        check(TOPIC, shown, Some(internal));
        check(TOPIC, vec![0; 31], None);
        check("rawblock", vec![0; 32], None);
    }
}
