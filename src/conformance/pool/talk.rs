//! What the script of a case can do and wait for, without I/O.
//!
//! A script awaits conditions on the [`World`]; the examiner changes the world
//! by each input and then polls the script. The only thing a script leaves
//! behind is when it wants to be polled again, because time has passed.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::super::log::Connection;
use super::super::result::{Line, Outcome, Trouble};
use super::examiner::{Action, SearchId, Setting};
use super::proof::Sought;
use crate::hash::Hash;
use crate::miner::Share;
use crate::stratum::v1::{PoolMessage, hex, parse_message};
use crate::units::{Seconds, Timestamp};

/// Bytes of a line that the transcript keeps.
const SHOWN_BYTES_MAX: usize = 4_096;

/// Bytes of a case's transcript; a flood of jobs must not fill a report.
const TRANSCRIPT_LINES_MAX: usize = 2_000;

/// A script cannot go on; why is among the case's troubles.
#[derive(Debug)]
pub(super) struct Stop;

/// How a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Dialling,
    Open,
    Refused(String),
    Closed(String),
}

/// A line that came.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub at: Timestamp,
    pub bytes: Vec<u8>,
    /// Its place in the transcript.
    pub evidence: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Socket {
    pub standing: Standing,
    pub opened: Timestamp,
    pub inbox: VecDeque<Heard>,
}

/// A job that any connection was sent, for what can only be seen over time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notice {
    pub connection: Connection,
    pub at: Timestamp,
    pub prev_hash: Hash,
    pub clean: bool,
}

/// All that is known, and what the script asked for.
#[derive(Debug)]
pub(super) struct World {
    pub setting: Setting,
    pub now: Timestamp,
    pub wake: Option<Timestamp>,
    pub actions: Vec<Action>,
    pub sockets: BTreeMap<Connection, Socket>,
    /// The connection that says nothing during the whole examination.
    pub quiet: Option<Connection>,
    pub notices: Vec<Notice>,
    /// Seconds from submit to verdict, of all cases.
    pub latencies: Vec<f64>,
    /// What is left of waiting for a new tip.
    pub tip_wait: Seconds,
    found: BTreeMap<SearchId, Option<Box<Share>>>,
    connections: u32,
    searches: u64,
    /// Of the running case.
    pub began: Timestamp,
    pub first_connection: u32,
    pub transcript: Vec<Line>,
    pub troubles: Vec<Trouble>,
    pub measured: Vec<(String, String)>,
    pub skipped: Option<String>,
    pub shares: (u32, u32),
    pub case: &'static str,
}

impl World {
    pub fn new(setting: Setting, now: Timestamp) -> Self {
        Self {
            tip_wait: setting.tip_wait,
            setting,
            now,
            wake: None,
            actions: Vec::new(),
            sockets: BTreeMap::new(),
            quiet: None,
            notices: Vec::new(),
            latencies: Vec::new(),
            found: BTreeMap::new(),
            connections: 0,
            searches: 0,
            began: now,
            first_connection: 1,
            transcript: Vec::new(),
            troubles: Vec::new(),
            measured: Vec::new(),
            skipped: None,
            shares: (0, 0),
            case: "",
        }
    }

    /// Forgets what belongs to the case before.
    pub fn begin(&mut self, case: &'static str) {
        self.case = case;
        self.began = self.now;
        self.first_connection = self.connections + 1;
        self.transcript.clear();
        self.troubles.clear();
        self.measured.clear();
        self.skipped = None;
        self.shares = (0, 0);
    }

    /// Ends all connections but the quiet one.
    pub fn hang_up(&mut self) {
        for (connection, _) in self.sockets.iter().filter(|(connection, _)| Some(**connection) != self.quiet)
        {
            self.actions.push(Action::Close(*connection));
        }
        let quiet = self.quiet;
        self.sockets.retain(|connection, _| Some(*connection) == quiet);
    }

    pub fn on_opened(&mut self, connection: Connection) {
        let now = self.now;
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.standing = Standing::Open;
            socket.opened = now;
            self.write(connection, "case", b"connected");
        }
    }

    pub fn on_ended(&mut self, connection: Connection, standing: Standing) {
        if let Some(socket) = self.sockets.get_mut(&connection) {
            socket.standing = standing.clone();
            if let Standing::Refused(why) | Standing::Closed(why) = standing {
                self.write(connection, "case", format!("ended: {why}").as_bytes());
            }
        }
    }

    pub fn on_line(&mut self, connection: Connection, bytes: &[u8]) {
        if !self.sockets.contains_key(&connection) {
            return;
        }
        let at = self.now;
        if let Ok(PoolMessage::Job(notice)) = parse_message(bytes) {
            self.notices.push(Notice { connection, at, prev_hash: notice.prev_hash, clean: notice.clean });
        }
        let evidence = self.write(connection, "pool", bytes);
        let heard = Heard { at, bytes: bytes.to_vec(), evidence };
        self.sockets.entry(connection).and_modify(|socket| socket.inbox.push_back(heard));
    }

    pub fn on_found(&mut self, search: SearchId, share: Option<Box<Share>>) {
        self.found.insert(search, share);
    }

    /// Adds to the transcript, unless it is the quiet connection's, which is another story.
    fn write(&mut self, connection: Connection, from: &str, bytes: &[u8]) -> Option<usize> {
        if Some(connection) == self.quiet || self.transcript.len() == TRANSCRIPT_LINES_MAX {
            return None;
        }
        let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
        let (text, raw) = match std::str::from_utf8(shown) {
            Ok(text) if shown.len() < bytes.len() => (format!("{text}… {} bytes", bytes.len()), None),
            Ok(text) => (text.to_owned(), None),
            Err(_) => (String::from_utf8_lossy(shown).into_owned(), Some(hex::encode(shown))),
        };
        self.transcript.push(Line {
            at_us: self.now.micros().saturating_sub(self.began.micros()),
            connection: Some(connection.0 + 1 - self.first_connection.min(connection.0)),
            from: from.to_owned(),
            text: Some(text.trim_end_matches('\n').to_owned()),
            hex: raw,
        });
        Some(self.transcript.len() - 1)
    }
}

/// A script's hold on the world.
#[derive(Debug, Clone)]
pub(super) struct Talk(Rc<RefCell<World>>);

impl Talk {
    pub fn new(world: World) -> Self {
        Self(Rc::new(RefCell::new(world)))
    }

    /// The world, not to be held over an await.
    pub fn world(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }

    pub fn now(&self) -> Timestamp {
        self.world().now
    }

    pub fn answer_within(&self) -> Seconds {
        self.world().setting.answer_within
    }

    /// Waits until `ready` says something; `None` when `deadline` comes first.
    pub async fn until<T>(
        &self,
        deadline: Timestamp,
        mut ready: impl FnMut(&mut World) -> Option<T>,
    ) -> Option<T> {
        poll_fn(|_| {
            let world = &mut *self.world();
            if let Some(value) = ready(world) {
                return Poll::Ready(Some(value));
            }
            if world.now >= deadline {
                return Poll::Ready(None);
            }
            world.wake = Some(world.wake.map_or(deadline, |wake| wake.min(deadline)));
            Poll::Pending
        })
        .await
    }

    pub async fn sleep(&self, span: Seconds) {
        let deadline = self.now() + span;
        self.until::<()>(deadline, |_| None).await;
    }

    /// Opens a connection; `Err` is why not.
    pub async fn open(&self) -> Result<Connection, String> {
        let (connection, deadline) = {
            let world = &mut *self.world();
            world.connections += 1;
            let connection = Connection(world.connections);
            let (standing, opened) = (Standing::Dialling, world.now);
            world.sockets.insert(connection, Socket { standing, opened, inbox: VecDeque::new() });
            world.actions.push(Action::Connect(connection));
            (connection, world.now + world.setting.answer_within)
        };
        let opened = self.until(deadline, |world| match &world.sockets.get(&connection)?.standing {
            Standing::Dialling => None,
            Standing::Open => Some(Ok(connection)),
            Standing::Refused(why) | Standing::Closed(why) => Some(Err(why.clone())),
        });
        opened.await.unwrap_or_else(|| Err("neither accepted nor refused in time".to_owned()))
    }

    /// Sends bytes as one segment.
    pub fn send(&self, connection: Connection, bytes: Vec<u8>) -> Option<usize> {
        let world = &mut *self.world();
        let evidence = world.write(connection, "miner", &bytes);
        world.actions.push(Action::Send(connection, bytes));
        evidence
    }

    /// Ends a connection from our side.
    pub fn hang_up(&self, connection: Connection) {
        let world = &mut *self.world();
        world.on_ended(connection, Standing::Closed("by us".to_owned()));
        world.actions.push(Action::Close(connection));
    }

    /// Has work searched; `None` when the search ended without a share.
    pub async fn search(&self, sought: Sought) -> Option<Share> {
        let id = {
            let world = &mut *self.world();
            world.searches += 1;
            let id = SearchId(world.searches);
            world.actions.push(Action::Search(id, Box::new(sought)));
            id
        };
        let never = Timestamp(u64::MAX);
        self.until(never, |world| world.found.remove(&id)).await.flatten().map(|share| *share)
    }

    /// Notes what is wrong.
    pub fn fail(
        &self,
        finding: impl Into<String>,
        expected: &str,
        evidence: impl IntoIterator<Item = usize>,
    ) {
        self.trouble(Outcome::Fail, finding.into(), expected, evidence);
    }

    /// Notes what is wrong and ends the script.
    pub fn stop(
        &self,
        finding: impl Into<String>,
        expected: &str,
        evidence: impl IntoIterator<Item = usize>,
    ) -> Stop {
        self.fail(finding, expected, evidence);
        Stop
    }

    /// Ends the script without a verdict; `needs` is what it would take.
    pub fn undecided(&self, finding: impl Into<String>, needs: &str) -> Stop {
        self.trouble(Outcome::Inconclusive, finding.into(), needs, []);
        Stop
    }

    /// Ends the script because the pool does not have what it is about.
    pub fn skip(&self, why: impl Into<String>) -> Stop {
        self.world().skipped = Some(why.into());
        Stop
    }

    /// Names a measurement.
    pub fn measure(&self, name: &str, value: impl std::fmt::Display) {
        self.world().measured.push((name.to_owned(), value.to_string()));
    }

    fn trouble(
        &self,
        outcome: Outcome,
        finding: String,
        expected: &str,
        evidence: impl IntoIterator<Item = usize>,
    ) {
        let world = &mut *self.world();
        let judge = world.case.to_owned();
        let (expected, evidence) = (expected.to_owned(), evidence.into_iter().collect());
        world.troubles.push(Trouble { judge, outcome, finding, expected, evidence, trial: None });
    }
}
