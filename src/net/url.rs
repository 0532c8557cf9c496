//! Where a pool is: `stratum+tcp://HOST:PORT`.

use std::fmt;
use std::str::FromStr;

/// The only scheme there is an implementation for.
const SCHEME: &str = "stratum+tcp";

/// A pool's address. The host is a name or an IP address, resolved on each connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolUrl {
    /// Name or IP address; IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why a text is no pool's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No `://`.
    #[error("`{0}` has no scheme: write stratum+tcp://HOST:PORT")]
    NoScheme(String),
    /// TLS.
    #[error("`{0}` asks for TLS, which is not built in: use stratum+tcp:// and a TLS proxy beside it")]
    Tls(String),
    /// Another scheme.
    #[error("`{url}` has the scheme `{scheme}`; only stratum+tcp:// (Stratum V1) can be mined to")]
    Scheme {
        /// The whole text.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// No host.
    #[error("`{0}` names no host: write stratum+tcp://HOST:PORT")]
    NoHost(String),
    /// No port, or none that TCP has.
    #[error("`{0}` has no port from 1 to 65535: pools use 3333 by custom, as in stratum+tcp://HOST:3333")]
    NoPort(String),
    /// Something more than host and port.
    #[error("`{0}` says more than host and port: user and password have their own options")]
    Surplus(String),
}

impl FromStr for PoolUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let url = || text.to_owned();
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(|| UrlError::NoScheme(url()))?;
        match scheme.to_ascii_lowercase().as_str() {
            SCHEME => {}
            "stratum+ssl" | "stratum+tls" | "stratum+tcps" | "stratums" => return Err(UrlError::Tls(url())),
            other => return Err(UrlError::Scheme { url: url(), scheme: other.to_owned() }),
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['@', '/', '?', '#', ' ']) {
            return Err(UrlError::Surplus(url()));
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| UrlError::NoHost(url()))?;
                (host, port.strip_prefix(':'))
            }
            // More than one colon without brackets: an IPv6 address, and no port.
            None => match rest.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err(UrlError::NoPort(url())),
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        if host.is_empty() {
            return Err(UrlError::NoHost(url()));
        }
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
        let port = port.ok_or_else(|| UrlError::NoPort(url()))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for PoolUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "{SCHEME}://[{host}]:{port}")
        } else {
            write!(f, "{SCHEME}://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        fn check(text: &str, host: &str, port: u16) {
            let url: PoolUrl = text.parse().unwrap();
            assert_eq!((url.host.as_str(), url.port), (host, port));
            assert_eq!(url.to_string().parse(), Ok(url));
        }
        check("stratum+tcp://pool.example.org:3333", "pool.example.org", 3333);
        check("STRATUM+TCP://127.0.0.1:1/", "127.0.0.1", 1);
        check("stratum+tcp://[::1]:3333", "::1", 3333);
    }

    #[test]
    fn says_what_is_wrong() {
        fn check(text: &str, expected: UrlError) {
            assert_eq!(text.parse::<PoolUrl>(), Err(expected));
        }
        let own = str::to_owned;
        check("pool:3333", UrlError::NoScheme(own("pool:3333")));
        check("stratum+ssl://pool:3333", UrlError::Tls(own("stratum+ssl://pool:3333")));
        let other = UrlError::Scheme { url: own("http://pool:80"), scheme: own("http") };
        check("http://pool:80", other);
        check("stratum+tcp://pool", UrlError::NoPort(own("stratum+tcp://pool")));
        check("stratum+tcp://pool:0", UrlError::NoPort(own("stratum+tcp://pool:0")));
        check("stratum+tcp://pool:99999", UrlError::NoPort(own("stratum+tcp://pool:99999")));
        check("stratum+tcp://::1", UrlError::NoPort(own("stratum+tcp://::1")));
        check("stratum+tcp://:3333", UrlError::NoHost(own("stratum+tcp://:3333")));
        check("stratum+tcp://[::1", UrlError::NoHost(own("stratum+tcp://[::1")));
        check("stratum+tcp://u:p@pool:1", UrlError::Surplus(own("stratum+tcp://u:p@pool:1")));
        check("stratum+tcp://pool:1/x", UrlError::Surplus(own("stratum+tcp://pool:1/x")));
    }
}
