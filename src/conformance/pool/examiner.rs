//! Runs one case after another, as a pure state machine.

use std::task::{Context, Poll, Waker};

use super::super::log::Connection;
use super::super::result::{CaseResult, Outcome, Plots};
use super::case::{PoolCase, Script};
use super::hand::Hand;
use super::proof::Sought;
use super::talk::{Standing, Stop, Talk, World};
use crate::miner::Share;
use crate::units::{Hashrate, Seconds, Timestamp};

/// Names a search; never reused in an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchId(pub u64);

/// What holds for a whole examination.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The worker to authorize.
    pub user: String,
    /// Its password; pools take options from it.
    pub password: String,
    /// What we can hash.
    pub hashrate: Hashrate,
    /// How long a share should take: a difficulty for this is suggested.
    pub share_seconds: Seconds,
    /// How long one share may take at most before a case is given up.
    pub share_seconds_max: Seconds,
    /// How long to wait for a new block, all cases together.
    pub tip_wait: Seconds,
    /// How long an answer may take.
    pub answer_within: Seconds,
    /// How old the quiet connection must become.
    pub quiet_seconds: Seconds,
    /// Decides where searches begin.
    pub seed: u64,
}

impl Setting {
    /// What suits a pool near by and a CPU that does `hashrate`.
    #[must_use]
    pub fn new(user: &str, hashrate: Hashrate) -> Self {
        Self {
            user: user.to_owned(),
            password: "x".to_owned(),
            hashrate,
            share_seconds: Seconds(0.05),
            share_seconds_max: Seconds(30.0),
            tip_wait: Seconds(60.0),
            answer_within: Seconds(10.0),
            quiet_seconds: Seconds(30.0),
            seed: 0,
        }
    }
}

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection that was asked for is there.
    Opened(Connection),
    /// It cannot be had, and why.
    Refused(Connection, String),
    /// A line came, without its line feed.
    Line(Connection, &'a [u8]),
    /// A connection ended, not by us.
    Closed(Connection, String),
    /// A search ended, with or without a share.
    Found(SearchId, Option<Box<Share>>),
    /// The time of [`Examiner::next_wake`] came.
    Tick,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Connect to the pool.
    Connect(Connection),
    /// Send these bytes as one write.
    Send(Connection, Vec<u8>),
    /// End a connection. Later inputs about it are ignored.
    Close(Connection),
    /// Search this work, and say what was found.
    Search(SearchId, Box<Sought>),
    /// A case began.
    Began(&'static PoolCase),
    /// A case ended.
    Ended(Box<CaseResult>),
    /// All cases ended.
    Done,
}

/// Plays the miners of one case after another.
pub struct Examiner {
    talk: Talk,
    waiting: std::vec::IntoIter<&'static PoolCase>,
    /// No case: the quiet connection is being opened.
    running: Option<(Option<&'static PoolCase>, Script)>,
}

impl Examiner {
    /// Begins with the first of `cases`: call [`Self::on`] with [`Input::Tick`].
    #[must_use]
    pub fn new(setting: Setting, cases: Vec<&'static PoolCase>, now: Timestamp) -> Self {
        let talk = Talk::new(World::new(setting, now));
        let quiet = Box::pin(open_quiet(talk.clone()));
        Self { talk, waiting: cases.into_iter(), running: Some((None, quiet)) }
    }

    /// When to call with [`Input::Tick`], if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.talk.world().wake
    }

    /// Takes what happened; appends what to do.
    pub fn on(&mut self, input: Input<'_>, now: Timestamp, actions: &mut Vec<Action>) {
        {
            let mut world = self.talk.world();
            world.now = now;
            match input {
                Input::Opened(connection) => world.on_opened(connection),
                Input::Refused(connection, why) => world.on_ended(connection, Standing::Refused(why)),
                Input::Line(connection, bytes) => world.on_line(connection, bytes),
                Input::Closed(connection, why) => world.on_ended(connection, Standing::Closed(why)),
                Input::Found(search, share) => world.on_found(search, share),
                Input::Tick => {}
            }
        }
        while let Some((case, script)) = &mut self.running {
            self.talk.world().wake = None;
            let Poll::Ready(result) = script.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
                break;
            };
            let case = *case;
            let mut world = self.talk.world();
            world.hang_up();
            actions.append(&mut world.actions);
            if let Some(case) = case {
                actions.push(Action::Ended(Box::new(sum_up(case, &mut world, result))));
            }
            self.running = self.waiting.next().map(|case| {
                world.begin(case.id);
                actions.push(Action::Began(case));
                (Some(case), (case.run)(self.talk.clone()))
            });
            if self.running.is_none() {
                world.wake = None;
                actions.push(Action::Done);
            }
        }
        actions.append(&mut self.talk.world().actions);
    }
}

/// Opens a connection that mines nothing for the rest of the examination.
async fn open_quiet(talk: Talk) -> Result<String, Stop> {
    let mut hand = Hand::connect(&talk).await?;
    talk.world().quiet = Some(hand.connection);
    hand.greet(None).await?;
    Ok(String::new())
}

fn sum_up(case: &PoolCase, world: &mut World, result: Result<String, Stop>) -> CaseResult {
    let mut troubles = std::mem::take(&mut world.troubles);
    troubles.sort_by_key(|trouble| trouble.outcome != Outcome::Fail);
    let (outcome, summary) = match (troubles.first(), world.skipped.take(), result) {
        (Some(worst), ..) => (worst.outcome, worst.finding.clone()),
        (None, Some(why), _) => (Outcome::Skipped, why),
        (None, None, Ok(summary)) => (Outcome::Pass, summary),
        (None, None, Err(Stop)) => (Outcome::Inconclusive, "it ended without saying why".to_owned()),
    };
    CaseResult {
        id: case.id.to_owned(),
        title: case.title.to_owned(),
        severity: case.severity,
        outcome,
        summary,
        troubles,
        measured: std::mem::take(&mut world.measured),
        seconds: world.now.since(world.began).0,
        shares: world.shares.0,
        shares_good: world.shares.1,
        pool: case.pool.to_owned(),
        firmware: case.miner.to_owned(),
        judged: case.judged.to_owned(),
        sources: case.sources.iter().map(|source| (*source).to_owned()).collect(),
        plots: Plots::default(),
        transcript: std::mem::take(&mut world.transcript),
    }
}

impl std::fmt::Debug for Examiner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examiner").field("talk", &self.talk).finish_non_exhaustive()
    }
}
