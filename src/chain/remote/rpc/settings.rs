//! Where a node's RPC is, and how it is logged into: `http://USER:PASSWORD@HOST:PORT`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitcoin::Network;

/// How long a call may take. Core stands still for seconds when it writes its
/// caches to disk.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a node is logged into.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// As a user of `rpcauth` or `rpcuser`.
    User {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// By the file that the node writes at each start.
    Cookie(PathBuf),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "None"),
            Self::User { user, .. } => write!(f, "User {{ user: {user:?}, password: *** }}"),
            Self::Cookie(path) => write!(f, "Cookie({})", path.display()),
        }
    }
}

/// Where a node's RPC is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcSettings {
    /// Name or IP address; IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path of the requests, such as `/`.
    pub path: String,
    /// How it is logged into.
    pub auth: Auth,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Why a text is no node's address. None of the messages shows what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcUrlError {
    /// No `http://`.
    #[error("does not begin with http://; write http://USER:PASSWORD@HOST:PORT")]
    Scheme,
    /// TLS.
    #[error("asks for TLS, which Bitcoin Core does not speak: use http:// on a private network, or a tunnel")]
    Tls,
    /// No host.
    #[error("names no host; write http://USER:PASSWORD@HOST:PORT")]
    NoHost,
    /// A port that TCP does not have.
    #[error("has no port from 1 to 65535 behind its colon")]
    BadPort,
    /// A `%` without two hexadecimal digits.
    #[error("has a % that begins no %XX; write a % of the password as %25")]
    BadEscape,
    /// A user without a password.
    #[error("has a user and no password; write http://USER:PASSWORD@HOST:PORT, or give a cookie file")]
    NoPassword,
    /// User and password in two places.
    #[error("has a user, and there is a cookie file or another user too; give one of them")]
    TwoLogins,
}

impl RpcSettings {
    /// Reads `http://[USER:PASSWORD@]HOST[:PORT][/PATH]`. Characters of user and
    /// password may be written as `%XX`. The port is by default Core's for `network`.
    ///
    /// # Errors
    /// When it is no such thing.
    pub fn parse(url: &str, network: Network) -> Result<Self, RpcUrlError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(RpcUrlError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(RpcUrlError::Tls),
            _ => return Err(RpcUrlError::Scheme),
        }
        // A password may hold an @ or a /, which people forget to escape.
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(login), rest),
            None => (None, rest),
        };
        let (place, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(place) => {
                let (host, port) = place.split_once(']').ok_or(RpcUrlError::NoHost)?;
                (host, port.strip_prefix(':'))
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let usable = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '/' | '[' | ']');
        if host.is_empty() || !host.chars().all(usable) {
            return Err(RpcUrlError::NoHost);
        }
        let port = match port {
            None => default_port(network),
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(RpcUrlError::BadPort)?,
        };
        let auth = match login {
            None => Auth::None,
            Some(login) => {
                let (user, password) = login.split_once(':').ok_or(RpcUrlError::NoPassword)?;
                Auth::User { user: unescape(user)?, password: unescape(password)? }
            }
        };
        Ok(Self { host: host.to_owned(), port, path: path.to_owned(), auth, timeout: TIMEOUT })
    }

    /// The same with a login that stands beside the URL.
    ///
    /// # Errors
    /// When the URL has one already.
    pub fn with_auth(self, auth: Auth) -> Result<Self, RpcUrlError> {
        match (&self.auth, &auth) {
            (_, Auth::None) => Ok(self),
            (Auth::None, _) => Ok(Self { auth, ..self }),
            _ => Err(RpcUrlError::TwoLogins),
        }
    }

    /// Logs in with the cookie at `path`, unless it has a login.
    #[must_use]
    pub fn or_cookie(self, path: &Path) -> Self {
        match self.auth {
            Auth::None => Self { auth: Auth::Cookie(path.to_owned()), ..self },
            _ => self,
        }
    }

    /// Host and port, and the path if it says something.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path.trim_end_matches('/');
        if self.host.contains(':') {
            format!("[{}]:{}{path}", self.host, self.port)
        } else {
            format!("{}:{}{path}", self.host, self.port)
        }
    }

    /// The URL without login.
    #[must_use]
    pub fn url(&self) -> String {
        let place = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("http://{place}:{}{}", self.port, self.path)
    }
}

/// Core's `rpcport` (`src/chainparamsbase.cpp`).
fn default_port(network: Network) -> u16 {
    match network {
        Network::Bitcoin => 8_332,
        Network::Testnet => 18_332,
        Network::Testnet4 => 48_332,
        Network::Signet => 38_332,
        Network::Regtest => 18_443,
    }
}

fn unescape(text: &str) -> Result<String, RpcUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte =
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(RpcUrlError::BadEscape)?;
        bytes.push(byte);
        rest = &others[2..];
    }
    String::from_utf8(bytes).map_err(|_| RpcUrlError::BadEscape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<RpcSettings, RpcUrlError> {
        RpcSettings::parse(url, Network::Signet)
    }

    #[test]
    fn reads_what_people_write() {
        fn check(url: &str, name: &str, auth: &Auth) {
            let settings = parse(url).unwrap();
            assert_eq!((settings.name().as_str(), &settings.auth), (name, auth), "{url}");
        }
        let user = |user: &str, password: &str| Auth::User { user: user.into(), password: password.into() };
        check("http://127.0.0.1:18443", "127.0.0.1:18443", &Auth::None);
        check("http://node", "node:38332", &Auth::None);
        check("HTTP://u:p@node:1/", "node:1", &user("u", "p"));
        check("http://u:p%40%25%2f@node/wallet/w", "node:38332/wallet/w", &user("u", "p@%/"));
        check("http://u:p@/x@node", "node:38332", &user("u", "p@/x"));
        check("http://u:@[::1]:8332", "[::1]:8332", &user("u", ""));
        assert_eq!(parse("http://u:p@[::1]:8332").unwrap().url(), "http://[::1]:8332/");
    }

    #[test]
    fn says_what_is_wrong_and_keeps_the_password() {
        fn check(url: &str, error: RpcUrlError) {
            assert_eq!(parse(url), Err(error.clone()), "{url}");
            assert!(!error.to_string().contains("secret"));
        }
        check("127.0.0.1:18443", RpcUrlError::Scheme);
        check("tcp://u:secret@h", RpcUrlError::Scheme);
        check("https://u:secret@h", RpcUrlError::Tls);
        check("http://u:secret@", RpcUrlError::NoHost);
        check("http://u:secret@h?x", RpcUrlError::NoHost);
        check("http://u:secret@h:0", RpcUrlError::BadPort);
        check("http://u:secret@h:x", RpcUrlError::BadPort);
        check("http://u:secret%4@h", RpcUrlError::BadEscape);
        check("http://u:secret%+4@h", RpcUrlError::BadEscape);
        check("http://secret@h", RpcUrlError::NoPassword);
        let settings = parse("http://u:secret@h").unwrap();
        assert!(!format!("{settings:?} {} {}", settings.name(), settings.url()).contains("secret"));
        assert_eq!(settings.with_auth(Auth::Cookie("c".into())), Err(RpcUrlError::TwoLogins));
    }
}
