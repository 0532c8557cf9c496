//! What is mined on: a chain of our own, or nodes.

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

/// Where nodes are given, they are what is mined on.
pub(super) fn chain(raw: &Raw, overrides: &Overrides) -> Result<ChainSettings, ConfigError> {
    if overrides.nodes.is_empty() && raw.node.is_empty() {
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
    let endpoints: Vec<_> = if overrides.nodes.is_empty() {
        raw.node.iter().map(|node| in_file(node, overrides, network)).collect::<Result<_, _>>()?
    } else {
        overrides
            .nodes
            .iter()
            .map(|url| on_command_line(url, overrides, network))
            .collect::<Result<_, _>>()?
    };
    for (at, node) in endpoints.iter().enumerate() {
        if endpoints[..at].iter().any(|other| other.name() == node.name()) {
            return Err(value_error("node.url", node.name(), "is given twice"));
        }
    }
    let endpoints = endpoints.into_iter().map(EndpointSettings::Rpc).collect();
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

fn on_command_line(url: &str, overrides: &Overrides, network: Network) -> Result<RpcSettings, ConfigError> {
    let settings = RpcSettings::parse(url, network)
        .map_err(|error| value_error("--node", shown(url), error.to_string()))?;
    Ok(match &overrides.node_cookie {
        Some(path) => settings.or_cookie(path),
        None => settings,
    })
}

fn in_file(node: &raw::Node, overrides: &Overrides, network: Network) -> Result<RpcSettings, ConfigError> {
    let wrong = |error: crate::chain::remote::rpc::RpcUrlError| {
        value_error("node.url", shown(&node.url), error.to_string())
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
    let mut settings =
        RpcSettings::parse(&node.url, network).and_then(|url| url.with_auth(auth)).map_err(wrong)?;
    if let Some(path) = &overrides.node_cookie {
        settings = settings.or_cookie(path);
    }
    if let Some(seconds) = node.timeout_seconds {
        settings.timeout = Duration::from_secs_f64(positive("node.timeout_seconds", seconds)?.min(3_600.0));
    }
    Ok(settings)
}

/// Keys and flags that say how a chain of our own is: nodes have theirs from outside.
fn refuse_embedded_keys(raw: &Raw, overrides: &Overrides) -> Result<(), ConfigError> {
    const REASON: &str = "is for the embedded chain, and a node is given; leave out one of them";
    if let Some(difficulty) = overrides.network_difficulty {
        return Err(value_error("--network-difficulty", difficulty, REASON));
    }
    let (given, usual) = (&raw.chain, raw::Chain::default());
    let differing: [(&'static str, Option<String>); 7] = [
        ("chain.difficulty", given.difficulty.map(|value| value.to_string())),
        ("chain.height", given.height.map(|value| value.to_string())),
        ("chain.transactions", given.transactions.map(|value| value.to_string())),
        ("chain.blocks_per_hour", differs(given.blocks_per_hour, usual.blocks_per_hour)),
        ("chain.reorg_probability", differs(given.reorg_probability, usual.reorg_probability)),
        ("chain.warp", differs(given.warp, usual.warp)),
        ("chain.seed", differs(given.seed, usual.seed)),
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
    Ok(EmbeddedSettings { params, network, warp })
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
                endpoints.into_iter().map(|EndpointSettings::Rpc(settings)| settings).collect()
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
        check(twice, &Overrides::default(), "node.url = h:1 is given twice");
        check("[chain]\nkind = \"signet\"", &Overrides::default(), "needs a node");
        let alone = Overrides { node_cookie: Some("c".into()), ..Overrides::default() };
        check("", &alone, "--node-cookie = c is for a node");
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
