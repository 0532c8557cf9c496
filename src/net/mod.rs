//! What miners need of the network: pool addresses, connections of lines, patience.
//!
//! | file | noun |
//! |---|---|
//! | `url` | where a pool is |
//! | `lines` | bytes cut into lines, with a limit |
//! | `connection` | a socket of lines that never makes its owner wait |
//! | `clock` | the wall time, never running backwards |

pub mod clock;
pub mod connection;
pub mod lines;
#[cfg(test)]
pub(crate) mod test_pool;
pub mod url;

pub use clock::Clock;
pub use connection::{Connection, ConnectionError, dial};
pub use lines::{LineTooLong, Lines};
pub use url::{PoolUrl, UrlError};
