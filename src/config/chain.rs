//! What is mined on: a chain of our own, or nodes.

use std::path::Path;
use std::time::Duration;

use bitcoin::Network;

use super::raw::{self, Raw};
use super::{ConfigError, Overrides, difficulty, positive, value_error};
use crate::chain::embedded::{ChainKind, NetworkConfig, Params};
use crate::chain::remote::EndpointSettings;
use crate::chain::remote::rpc::{Auth, RpcSettings};

/// Height of a mainnet-like chain's first block, unless configured: the halving of 2024.
const MAINNET_LIKE_HEIGHT: u32 = 840_000;

/// Chains that nodes are on.
const NETWORKS: [(&str, Network); 4] = [
    ("regtest", Network::Regtest),
    ("signet", Network::Signet),
    ("testnet4", Network::Testnet4),
    ("mainnet", Network::Bitcoin),
];

/// What is mined on.
#[derive(Debug, Clone)]
pub enum ChainSettings {
    /// A chain of our own.
    Embedded(EmbeddedSettings),
    /// Nodes.
    Nodes {
        /// The network they must be on.
        network: Network,
        /// How to reach them; at least one.
        endpoints: Vec<EndpointSettings>,
    },
}

/// A chain of our own.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Its rules and its beginning.
    pub params: Params,
    /// Blocks that others find, on a mainnet-like chain.
    pub network: Option<NetworkConfig>,
    /// How much faster than real time its time runs.
    pub warp: f64,
    /// Whether Bitcoin Core's consensus code judges its blocks too.
    pub kernel: bool,
}

impl ChainSettings {
    /// The network whose addresses belong to the chain.
    #[must_use]
    pub fn network(&self) -> Network {
        match self {
            Self::Embedded(chain) => chain.params.network(),
            Self::Nodes { network, .. } => *network,
        }
    }
}

/// Whether nodes are given.
pub(super) fn has_nodes(raw: &Raw, overrides: &Overrides) -> bool {
    !(overrides.nodes.is_empty() && overrides.node_sockets.is_empty() && raw.node.is_empty())
}

/// Where nodes are given, they are what is mined on.
pub(super) fn chain(raw: &Raw, overrides: &Overrides) -> Result<ChainSettings, ConfigError> {
    if !has_nodes(raw, overrides) {
        if let Some(path) = &overrides.node_cookie {
            return Err(value_error("--node-cookie", path.display(), "is for a node: give --node too"));
        }
        return embedded(raw, overrides).map(ChainSettings::Embedded);
    }
    let kind = overrides.chain.as_ref().unwrap_or(&raw.chain.kind);
    let network = NETWORKS.iter().find(|(name, _)| name == kind).map(|(_, network)| *network);
    let network = network.ok_or_else(|| {
        let reason = "is no chain of a node's: regtest, signet, testnet4 or mainnet";
        value_error("chain.kind", format!("{kind:?}"), reason)
    })?;
    refuse_embedded_keys(raw, overrides)?;
    let is_on_command_line = !(overrides.nodes.is_empty() && overrides.node_sockets.is_empty());
    let endpoints: Vec<EndpointSettings> = if is_on_command_line {
        // Of nodes that know the same the first is mined on, and a socket is the quickest.
        let sockets = overrides.node_sockets.iter().map(|path| socket("--node-ipc", path));
        let urls = overrides.nodes.iter().map(|url| on_command_line(url, overrides, network));
        sockets.chain(urls).collect::<Result<_, _>>()?
    } else {
        raw.node.iter().map(|node| in_file(node, overrides, network)).collect::<Result<_, _>>()?
    };
    for (at, node) in endpoints.iter().enumerate() {
        if endpoints[..at].iter().any(|other| other.name() == node.name()) {
            return Err(value_error("node", node.name(), "is given twice"));
        }
    }
    Ok(ChainSettings::Nodes { network, endpoints })
}

/// A message must not show a password, so the value is only the part of the URL
/// behind the login.
fn shown(url: &str) -> String {
    let scheme = url.find("://").map_or("", |at| &url[..at + 3]);
    match url.rsplit_once('@') {
        Some((_, place)) => format!("\"{scheme}***@{place}\""),
        None => format!("{url:?}"),
    }
}

#[cfg(feature = "ipc")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn socket(_: &'static str, path: &Path) -> Result<EndpointSettings, ConfigError> {
    Ok(EndpointSettings::Ipc(path.to_owned()))
}

#[cfg(not(feature = "ipc"))]
fn socket(key: &'static str, path: &Path) -> Result<EndpointSettings, ConfigError> {
    let reason = "needs an adit built with the feature `ipc`: install capnproto and libcapnp-dev, then cargo build \
                  --release --features ipc; or use the node's RPC: --node";
    Err(value_error(key, path.display(), reason))
}

fn on_command_line(
    url: &str,
    overrides: &Overrides,
    network: Network,
) -> Result<EndpointSettings, ConfigError> {
    let settings = RpcSettings::parse(url, network)
        .map_err(|error| value_error("--node", shown(url), error.to_string()))?;
    Ok(EndpointSettings::Rpc(match &overrides.node_cookie {
        Some(path) => settings.or_cookie(path),
        None => settings,
    }))
}

fn in_file(
    node: &raw::Node,
    overrides: &Overrides,
    network: Network,
) -> Result<EndpointSettings, ConfigError> {
    let url = match (&node.url, &node.ipc) {
        (Some(url), None) => url,
        (None, Some(path)) => {
            let others = [&node.user, &node.password].iter().any(|key| key.is_some());
            if others || node.cookie_file.is_some() || node.timeout_seconds.is_some() {
                let reason = "is all that can be said of a node by its socket; remove the other keys";
                return Err(value_error("node.ipc", path.display(), reason));
            }
            return socket("node.ipc", path);
        }
        (Some(url), Some(_)) => {
            let reason = "is a node of its own; give node.ipc in another [[node]]";
            return Err(value_error("node.url", shown(url), reason));
        }
        (None, None) => return Err(value_error("node", "{}", "has neither url nor ipc")),
    };
    let wrong = |error: crate::chain::remote::rpc::RpcUrlError| {
        value_error("node.url", shown(url), error.to_string())
    };
    let auth = match (&node.user, &node.password, &node.cookie_file) {
        (None, None, None) => Auth::None,
        (None, None, Some(path)) => Auth::Cookie(path.clone()),
        (Some(user), Some(password), None) => Auth::User { user: user.clone(), password: password.clone() },
        (_, _, Some(path)) => {
            let reason = "is given beside a user or password; take one of them";
            return Err(value_error("node.cookie_file", path.display(), reason));
        }
        (Some(user), None, None) => return Err(value_error("node.user", user, "has no node.password")),
        (None, Some(_), None) => return Err(value_error("node.password", "***", "has no node.user")),
    };
    let mut settings = RpcSettings::parse(url, network).and_then(|url| url.with_auth(auth)).map_err(wrong)?;
    if let Some(path) = &overrides.node_cookie {
        settings = settings.or_cookie(path);
    }
    if let Some(seconds) = node.timeout_seconds {
        settings.timeout = Duration::from_secs_f64(positive("node.timeout_seconds", seconds)?.min(3_600.0));
    }
    Ok(EndpointSettings::Rpc(settings))
}

/// Keys and flags that say how a chain of our own is: nodes have theirs from outside.
fn refuse_embedded_keys(raw: &Raw, overrides: &Overrides) -> Result<(), ConfigError> {
    const REASON: &str = "is for the embedded chain, and a node is given; leave out one of them";
    if let Some(difficulty) = overrides.network_difficulty {
        return Err(value_error("--network-difficulty", difficulty, REASON));
    }
    let (given, usual) = (&raw.chain, raw::Chain::default());
    let differing: [(&'static str, Option<String>); 8] = [
        ("chain.difficulty", given.difficulty.map(|value| value.to_string())),
        ("chain.height", given.height.map(|value| value.to_string())),
        ("chain.transactions", given.transactions.map(|value| value.to_string())),
        ("chain.blocks_per_hour", differs(given.blocks_per_hour, usual.blocks_per_hour)),
        ("chain.reorg_probability", differs(given.reorg_probability, usual.reorg_probability)),
        ("chain.warp", differs(given.warp, usual.warp)),
        ("chain.seed", differs(given.seed, usual.seed)),
        ("chain.kernel", (given.kernel || overrides.kernel).then(|| "true".to_owned())),
    ];
    match differing.into_iter().find_map(|(key, value)| Some((key, value?))) {
        Some((key, value)) => Err(value_error(key, value, REASON)),
        None => Ok(()),
    }
}

fn differs<T: PartialEq + ToString>(given: T, usual: T) -> Option<String> {
    (given != usual).then(|| given.to_string())
}

fn embedded(raw: &Raw, overrides: &Overrides) -> Result<EmbeddedSettings, ConfigError> {
    let warp = positive("chain.warp", raw.chain.warp)?;
    let params = params(raw, overrides)?;
    let network = network(raw, &params)?;
    let kernel = raw.chain.kernel || overrides.kernel;
    Ok(EmbeddedSettings { params, network, warp, kernel })
}

fn params(raw: &Raw, overrides: &Overrides) -> Result<Params, ConfigError> {
    let kind = overrides.chain.as_ref().unwrap_or(&raw.chain.kind);
    let mut params = match kind.as_str() {
        "regtest" => Params::regtest(),
        "mainnet-like" => Params::mainnet_like(raw.chain.height.unwrap_or(MAINNET_LIKE_HEIGHT)),
        other => {
            let reason = if NETWORKS.iter().any(|(name, _)| *name == other) {
                "needs a node: give one with --node http://USER:PASSWORD@HOST:PORT, or take regtest or mainnet-like"
            } else {
                "is neither regtest nor mainnet-like"
            };
            return Err(value_error("chain.kind", format!("{other:?}"), reason));
        }
    };
    let in_file = raw.chain.difficulty.map(|value| difficulty("chain.difficulty", value)).transpose()?;
    if let Some(difficulty) = overrides.network_difficulty.or(in_file) {
        params = params.with_difficulty(difficulty);
    }
    if let Some(count) = raw.chain.transactions {
        params = params.with_transactions(count);
    }
    Ok(params.with_seed(raw.chain.seed))
}

fn network(raw: &Raw, chain: &Params) -> Result<Option<NetworkConfig>, ConfigError> {
    let blocks_per_hour = raw.chain.blocks_per_hour;
    if chain.kind() != ChainKind::MainnetLike {
        return Ok(None);
    }
    if !(blocks_per_hour.is_finite() && blocks_per_hour >= 0.0) {
        return Err(value_error("chain.blocks_per_hour", blocks_per_hour, "is not 0 or above"));
    }
    let reorg_probability = raw.chain.reorg_probability;
    if !(0.0..=1.0).contains(&reorg_probability) {
        return Err(value_error("chain.reorg_probability", reorg_probability, "is outside 0 to 1"));
    }
    Ok(Some(NetworkConfig { blocks_per_hour, reorg_probability, seed: raw.chain.seed }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Settings, parse};
    use super::*;

    fn load(text: &str, overrides: &Overrides) -> Result<Settings, String> {
        let raw = parse(Path::new("adit.toml"), text).map_err(|error| error.to_string())?;
        Settings::check(raw, overrides).map_err(|error| error.to_string())
    }

    fn nodes(text: &str, overrides: &Overrides) -> Vec<RpcSettings> {
        match load(text, overrides).unwrap().chain {
            ChainSettings::Nodes { endpoints, .. } => {
                let rpc = |settings| match settings {
                    EndpointSettings::Rpc(settings) => settings,
                    #[cfg(feature = "ipc")]
                    EndpointSettings::Ipc(path) => panic!("{path:?}"),
                };
                endpoints.into_iter().map(rpc).collect()
            }
            ChainSettings::Embedded(_) => panic!("no nodes in {text}"),
        }
    }

    const TWO: &str = "
[[node]]
url = \"http://10.0.0.1:18443\"
user = \"u\"
password = \"p\"
timeout_seconds = 3
[[node]]
url = \"http://10.0.0.2\"
cookie_file = \"/var/lib/bitcoind/regtest/.cookie\"
";

    #[test]
    fn nodes_come_from_the_file_or_the_command_line() {
        let found = nodes(TWO, &Overrides::default());
        assert_eq!(found[0].auth, Auth::User { user: "u".into(), password: "p".into() });
        assert_eq!((found[0].name(), found[0].timeout.as_secs()), ("10.0.0.1:18443".into(), 3));
        assert_eq!(found[1].auth, Auth::Cookie("/var/lib/bitcoind/regtest/.cookie".into()));
        assert_eq!(found[1].name(), "10.0.0.2:18443");

        let flags = Overrides {
            nodes: vec!["http://a:b@node:1".into(), "http://other:1".into()],
            node_cookie: Some("cookie".into()),
            ..Overrides::default()
        };
        let found = nodes(TWO, &flags);
        assert_eq!(found[0].auth, Auth::User { user: "a".into(), password: "b".into() });
        assert_eq!((found[1].name(), &found[1].auth), ("other:1".into(), &Auth::Cookie("cookie".into())));
    }

    #[test]
    fn nodes_exclude_the_embedded_chain() {
        fn check(text: &str, overrides: &Overrides, error: &str) {
            let found = load(text, overrides).unwrap_err();
            assert!(found.contains(error) && !found.contains("secret"), "{text}: {found}");
        }
        let node = |url: &str| Overrides { nodes: vec![url.into()], ..Overrides::default() };
        let regtest = || node("http://u:secret@h");
        check("[chain]\nwarp = 2.0", &regtest(), "chain.warp = 2 is for the embedded chain");
        check("[chain]\ndifficulty = 2.0", &regtest(), "chain.difficulty = 2 is for the embedded chain");
        let hard = Overrides { network_difficulty: crate::units::Difficulty::new(3.0), ..regtest() };
        check("", &hard, "--network-difficulty = 3 is for the embedded chain");
        check("", &node("ftp://u:secret@h"), "--node = \"ftp://***@h\" does not begin with http://");
        check("", &node("secret@h"), "--node = \"***@h\" does not begin");
        let on = |chain: &str| Overrides { chain: Some(chain.into()), ..regtest() };
        check("", &on("mainnet-like"), "chain.kind = \"mainnet-like\" is no chain of a node's");
        check("", &on("mainnet"), "coinbase.payouts = [] ");
        let both = "[[node]]\nurl = \"http://u:secret@h\"\ncookie_file = \"c\"";
        check(
            both,
            &Overrides::default(),
            "node.url = \"http://***@h\" has a user, and there is a cookie file",
        );
        check(
            "[[node]]\nurl = \"http://h\"\nuser = \"u\"",
            &Overrides::default(),
            "node.user = u has no node.password",
        );
        let twice = "[[node]]\nurl = \"http://h:1\"\n[[node]]\nurl = \"http://h:1/\"";
        check(twice, &Overrides::default(), "node = h:1 is given twice");
        check("[chain]\nkind = \"signet\"", &Overrides::default(), "needs a node");
        let alone = Overrides { node_cookie: Some("c".into()), ..Overrides::default() };
        check("", &alone, "--node-cookie = c is for a node");
    }

    #[test]
    fn a_socket_is_a_node_where_it_can_be() {
        let path = std::path::PathBuf::from("/run/node.sock");
        let flags = Overrides { node_sockets: vec![path.clone()], ..Overrides::default() };
        let by_flag = load("", &flags).map(|settings| settings.chain);
        let by_file = load("[[node]]\nipc = \"/run/node.sock\"", &Overrides::default());
        let both = [by_flag, by_file.map(|settings| settings.chain)];
        #[cfg(feature = "ipc")]
        for found in both {
            let ChainSettings::Nodes { endpoints, .. } = found.unwrap() else { panic!("no node") };
            assert_eq!(endpoints, [EndpointSettings::Ipc(path.clone())]);
        }
        #[cfg(not(feature = "ipc"))]
        for (found, key) in both.into_iter().zip(["--node-ipc", "node.ipc"]) {
            let words = format!("{key} = {} needs an adit built with the feature `ipc`", path.display());
            assert!(found.unwrap_err().starts_with(&words));
        }
        let check = |text: &str, words: &str| {
            let found = load(text, &Overrides::default()).unwrap_err();
            assert!(found.starts_with(words), "{found}");
        };
        check("[[node]]", "node = {} has neither url nor ipc");
        check("[[node]]\nipc = \"s\"\nuser = \"u\"", "node.ipc = s is all that can be said");
        check(
            "[[node]]\nipc = \"s\"\nurl = \"http://u:p@h\"",
            "node.url = \"http://***@h\" is a node of its own",
        );
    }

    #[test]
    fn addresses_belong_to_the_nodes_network() {
        let on = |chain: &str, payout: &str| Overrides {
            nodes: vec!["http://h".into()],
            chain: Some(chain.into()),
            payout: Some(payout.into()),
            ..Overrides::default()
        };
        let genesis = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";
        let settings = load("", &on("mainnet", genesis)).unwrap();
        assert_eq!(settings.chain.network(), Network::Bitcoin);
        let refused = load("", &on("signet", genesis)).unwrap_err();
        assert!(refused.contains("is not an address of this chain's network (signet)"), "{refused}");
    }
}
