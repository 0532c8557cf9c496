//! Examines a pool over sockets.
//!
//! The examiner says what to do; here are its connections, its clock, and a
//! thread for its searches. It searches one share at a time, so one core is
//! what it has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::conformance::pool::{Action, Examiner, Input, PoolCase, SearchId, Setting, Sought};
use crate::conformance::{CaseResult, Connection, Examination};
use crate::hash::HeaderScan;
use crate::miner::Share;
use crate::net::{self, Clock, ConnectionError, PoolUrl, dial};
use crate::units::{Hashrate, Seconds, Target};

/// How long our own speed is measured.
const MEASURE: Duration = Duration::from_millis(300);

/// Hashes between two looks at whether the search still is wanted.
const GLANCE: u64 = 1 << 14;

/// Lines and ends of connections that wait for the examiner.
const EVENTS_QUEUED: usize = 1024;

/// Which pool to examine, and how.
#[derive(Debug, Clone)]
pub struct PoolCheck {
    /// The pool.
    pub pool: PoolUrl,
    /// The worker to authorize.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The cases, in the order in which they are to run.
    pub cases: Vec<&'static PoolCase>,
    /// How the cases were chosen, for the report.
    pub selection: String,
    /// How long one share may take.
    pub share_seconds_max: Seconds,
    /// How long to wait for a new block, all cases together.
    pub tip_wait: Seconds,
}

/// What can be shown while it runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A case began.
    Began(&'static PoolCase),
    /// A case ended.
    Ended(&'a CaseResult),
}

enum Event {
    Opened(Connection),
    Refused(Connection, String),
    Line(Connection, Vec<u8>),
    Closed(Connection, String),
    Found(SearchId, Option<Box<Share>>),
}

/// Runs the cases and says how they ended.
///
/// # Errors
/// When the pool cannot be reached at all.
pub async fn examine(
    check: PoolCheck,
    mut show: impl FnMut(Progress<'_>),
) -> Result<Examination, ConnectionError> {
    let clock = Clock::start();
    let began = clock.now();
    let hashrate = tokio::task::spawn_blocking(own_hashrate).await.unwrap_or_default();
    let mut setting = Setting::new(&check.user, hashrate);
    setting.password.clone_from(&check.password);
    setting.share_seconds_max = check.share_seconds_max;
    setting.tip_wait = check.tip_wait;
    setting.seed = began.micros();
    let patience: Duration = setting.answer_within.into();
    // A pool that is not there is no pool that fails.
    drop(dial(&check.pool, patience).await?);

    let mut surroundings = Surroundings::new(check.pool, patience);
    let mut examiner = Examiner::new(setting, check.cases, clock.now());
    let mut results = Vec::new();
    let mut actions = Vec::new();
    examiner.on(Input::Tick, clock.now(), &mut actions);
    'examination: loop {
        for action in actions.drain(..) {
            match action {
                Action::Began(case) => show(Progress::Began(case)),
                Action::Ended(result) => {
                    show(Progress::Ended(&result));
                    results.push(*result);
                }
                Action::Done => break 'examination,
                other => surroundings.act(other),
            }
        }
        let wake = examiner.next_wake();
        let event = tokio::select! {
            biased;
            event = surroundings.events.recv() => event,
            () = due(&clock, wake) => None,
        };
        let now = clock.now();
        match event {
            None => examiner.on(Input::Tick, now, &mut actions),
            Some(event) => {
                let input = match &event {
                    Event::Opened(connection) => Input::Opened(*connection),
                    Event::Refused(connection, why) => Input::Refused(*connection, why.clone()),
                    Event::Line(connection, line) => Input::Line(*connection, line),
                    Event::Closed(connection, why) => Input::Closed(*connection, why.clone()),
                    Event::Found(search, share) => Input::Found(*search, share.clone()),
                };
                examiner.on(input, now, &mut actions);
            }
        }
    }
    Ok(Examination {
        adit: env!("CARGO_PKG_VERSION").to_owned(),
        began_us: began.micros(),
        seconds: clock.now().since(began).0,
        user_agent: None,
        hashrate: hashrate.hashes_per_second(),
        hashrate_claimed: false,
        selection: check.selection,
        cases: results,
        notes: Vec::new(),
    })
}

/// Ends at a time; never, when there is none.
async fn due(clock: &Clock, wake: Option<crate::units::Timestamp>) {
    match wake {
        // Beyond what a timer can hold nothing is ever due.
        Some(wake) if wake.since(clock.now()).0 < 1e9 => {
            tokio::time::sleep_until(clock.instant(wake).into()).await;
        }
        _ => std::future::pending().await,
    }
}

/// What one thread hashes.
fn own_hashrate() -> Hashrate {
    let scan = HeaderScan::new(&[0; 80]);
    let nothing = Target::from_le_bytes([0; 32]);
    let began = Instant::now();
    let mut hashes = 0_u32;
    while began.elapsed() < MEASURE {
        let _ = scan.search(&nothing, hashes, GLANCE);
        hashes = hashes.wrapping_add(GLANCE as u32);
    }
    Hashrate::new(f64::from(hashes) / began.elapsed().as_secs_f64()).unwrap_or_default()
}

/// The sockets and the thread.
struct Surroundings {
    pool: PoolUrl,
    patience: Duration,
    sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    /// Dropping one ends its connection.
    wires: BTreeMap<Connection, mpsc::UnboundedSender<Vec<u8>>>,
    /// Ends searches.
    quit: Arc<AtomicBool>,
}

impl Surroundings {
    fn new(pool: PoolUrl, patience: Duration) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_QUEUED);
        let quit = Arc::new(AtomicBool::new(false));
        Self { pool, patience, sender, events, wires: BTreeMap::new(), quit }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect(connection) => {
                let (wire, orders) = mpsc::unbounded_channel();
                self.wires.insert(connection, wire);
                let pool = self.pool.clone();
                tokio::spawn(hold(pool, self.patience, connection, orders, self.sender.clone()));
            }
            Action::Send(connection, bytes) => {
                if let Some(wire) = self.wires.get(&connection) {
                    // One that has ended says so itself.
                    let _ = wire.send(bytes);
                }
            }
            Action::Close(connection) => drop(self.wires.remove(&connection)),
            Action::Search(id, sought) => {
                let (sender, quit) = (self.sender.clone(), Arc::clone(&self.quit));
                std::thread::spawn(move || search(id, *sought, &sender, &quit));
            }
            Action::Began(_) | Action::Ended(_) | Action::Done => {}
        }
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
    }
}

fn search(id: SearchId, mut sought: Sought, sender: &mpsc::Sender<Event>, quit: &AtomicBool) {
    let mut found = None;
    while found.is_none() && !sought.is_over() && !quit.load(Ordering::Relaxed) {
        found = sought.run(GLANCE);
    }
    let _ = sender.blocking_send(Event::Found(id, found.map(Box::new)));
}

/// One connection from its beginning to its end.
async fn hold(
    pool: PoolUrl,
    patience: Duration,
    connection: Connection,
    mut orders: mpsc::UnboundedReceiver<Vec<u8>>,
    sender: mpsc::Sender<Event>,
) {
    let mut wire = match dial(&pool, patience).await {
        Ok(wire) => wire,
        Err(error) => {
            let _ = sender.send(Event::Refused(connection, error.to_string())).await;
            return;
        }
    };
    if sender.send(Event::Opened(connection)).await.is_err() {
        return;
    }
    let end = loop {
        let mut lines = Vec::new();
        let turned = tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(bytes) => write(&mut wire, &bytes),
                None => return,
            },
            turned = wire.turn(|line| lines.push(line.to_vec())) => turned,
        };
        for line in lines {
            if sender.send(Event::Line(connection, line)).await.is_err() {
                return;
            }
        }
        if let Err(error) = turned {
            break error;
        }
    };
    let _ = sender.send(Event::Closed(connection, end.to_string())).await;
}

/// Each call is one write, so that segments are cut where the case cuts them.
fn write(wire: &mut net::Connection, bytes: &[u8]) -> Result<(), ConnectionError> {
    wire.outbox.extend_from_slice(bytes);
    wire.flush()
}
