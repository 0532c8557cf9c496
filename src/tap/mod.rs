//! What stands between a miner and a pool: record a session, replay it,
//! compare two.
//!
//! ```text
//!  miner ◀──▶ proxy ◀──▶ pool        adit record
//!              │ relay, rules
//!              ▼
//!          recording ──▶ conversation ─┬─▶ player ◀──▶ miner     adit replay
//!                                      └─▶ profile ──▶ diff      adit diff
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `recording` | the file: a header, and what was said, when, by whom |
//! | `rules` | which lines the proxy drops, delays, splits, duplicates, rewrites, or ends the connection at |
//! | `relay` | one connection through the proxy: lines in, what goes on and when |
//! | `proxy` | the relay's sockets, and the file |
//! | `conversation` | one connection of a recording as its lines, requests and replies |
//! | `player` | the pool of a conversation, played to another miner |
//! | `report` | what that miner did differently |
//! | `replay` | the player's sockets |
//! | `profile` | what is peculiar to the miner and the pool of a recording |
//! | `diff` | two profiles side by side |
//!
//! All but `proxy` and `replay` take the time as an argument and do no I/O.

mod conversation;
mod diff;
mod player;
mod profile;
mod proxy;
mod recording;
mod relay;
mod replay;
mod report;
mod rules;

use serde::{Deserialize, Serialize};

pub use conversation::{Conversation, Kind, Request, Said, View};
pub use diff::{Difference, Differences, diff};
pub use player::{Part, PartError, Player, PlayerOutput};
pub use profile::{Fact, Value, facts};
pub use proxy::{RecordOptions, RecordSummary, TapError, record};
pub use recording::{Entry, FORMAT, Header, Recording, RecordingError, What};
pub use relay::{Ending, Outgoing, Relay};
pub use replay::{ReplayOptions, ReplaySummary, replay};
pub use report::ReplayReport;
pub use rules::{Action, RuleError, Rules};

/// Longest line that is passed on or played, in bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The miner.
    Miner,
    /// The pool.
    Pool,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Miner, Self::Pool];

    /// As in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Miner => "miner",
            Self::Pool => "pool",
        }
    }

    /// The one it talks to.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Miner => Self::Pool,
            Self::Pool => Self::Miner,
        }
    }
}
