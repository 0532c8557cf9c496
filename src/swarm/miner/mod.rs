//! One simulated miner: a real connection, real proofs, a pace and a distance.
//!
//! Time to the next share is drawn from an exponential distribution at the
//! miner's hashrate and its job's difficulty; the proof is then really searched
//! (`pace`), so that share times have the statistics of mining while a process
//! holds thousands of miners.
//!
//! Lines pass through a delay of the miner's one-way latency in both
//! directions. Stale shares therefore come about as they do in the world: the
//! miner works on while the news travels, and its share travels on after.

mod pace;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::delay::Delay;
use super::ledger::{self, Ledger, add, record};
use super::progress::RegionProgress;
use super::searchers::Searchers;
use super::spec::{MinerSpec, SwarmOptions};
use crate::miner::oracle::GRACE;
use crate::miner::{
    Backoff, Client, ClientConfig, ClientEvent, ClientOutput, Judgement, MinerJob, Oracle, PoolVerdict,
    Search, Sent, SubmissionId, reason,
};
use crate::net::{Clock, Connection, ConnectionError, dial};
use crate::stratum::v1::WireError;
use crate::units::{Seconds, Timestamp};
use pace::Plan;

/// How long connecting may take.
const DIAL_LIMIT: Duration = Duration::from_secs(30);

/// How long the pool may take to let a miner in.
const HANDSHAKE_LIMIT: Seconds = Seconds(60.0);

/// Arrived bytes that hold more than verdicts, most likely a job.
const NEWS_BYTES: usize = 512;

/// What all miners share.
pub(super) struct Fleet {
    pub options: SwarmOptions,
    pub clock: Clock,
    pub searchers: Searchers,
    pub ledger: Ledger,
    /// Set at the end: nothing more is sent, answers are still taken.
    pub draining: AtomicBool,
}

impl Fleet {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// A share on the way.
struct InFlight {
    id: SubmissionId,
    sent: Sent,
    /// When it left for the pool's socket.
    left: Option<Timestamp>,
}

/// A reject that a new tip may yet explain.
struct Undecided {
    since: Timestamp,
    share: InFlight,
    error: WireError,
    answer: String,
}

pub(super) struct SimMiner {
    fleet: Arc<Fleet>,
    index: usize,
    region: Arc<RegionProgress>,
    client: Client,
    oracle: Oracle,
    rng: ChaCha8Rng,
    out: ClientOutput,
    inbound: Delay<()>,
    outbound: Delay<Option<SubmissionId>>,
    job: Option<Arc<MinerJob>>,
    /// The walk for good shares, unless it is with the searchers.
    search: Option<Box<Search>>,
    plan: Plan,
    in_flight: VecDeque<InFlight>,
    undecided: VecDeque<Undecided>,
    /// When this connection was begun.
    began: Timestamp,
    /// Whether the region counts it as connected.
    counted: bool,
    /// Why the session has to end.
    ended: Option<String>,
}

/// Lives the life of miner `index`; ends only by being aborted.
pub(super) async fn live(fleet: Arc<Fleet>, index: usize, region: Arc<RegionProgress>) {
    let ramp = fleet.options.ramp.max(1e-3);
    sleep(Duration::from_secs_f64(index as f64 / ramp)).await;
    let mut miner = SimMiner::new(Arc::clone(&fleet), index, region);
    let mut backoff = Backoff::new(fleet.options.fleet.seed ^ (index as u64) << 20);
    loop {
        miner.began = fleet.clock.now();
        let error = match dial(&fleet.options.pool, DIAL_LIMIT).await {
            Ok(connection) => {
                add(&fleet.ledger.opened, 1);
                let error = miner.session(connection).await.unwrap_or_else(|error| error.to_string());
                if fleet.is_draining() {
                    return;
                }
                add(&fleet.ledger.lost, 1);
                if miner.counted {
                    backoff.reset();
                }
                error
            }
            Err(error) => {
                add(&fleet.ledger.failed, 1);
                error.to_string()
            }
        };
        miner.disconnected();
        fleet.ledger.trouble(error);
        sleep(backoff.next_wait().into()).await;
    }
}

impl SimMiner {
    fn new(fleet: Arc<Fleet>, index: usize, region: Arc<RegionProgress>) -> Self {
        let options = &fleet.options;
        let MinerSpec { user, password, region: place, one_way_latency, version_rolling, .. } =
            options.fleet.miners[index].clone();
        let client = Client::new(ClientConfig {
            user,
            password: match place {
                Some(place) => format!("{password},region={place}").into(),
                None => password,
            },
            user_agent: concat!("adit-swarm/", env!("CARGO_PKG_VERSION")).into(),
            version_rolling,
            suggest_difficulty: options.fleet.suggest_difficulty,
            extranonce_subscribe: true,
        });
        let mut rng = ChaCha8Rng::seed_from_u64(options.fleet.seed);
        rng.set_stream(index as u64);
        Self {
            fleet,
            index,
            region,
            client,
            oracle: Oracle::default(),
            rng,
            out: ClientOutput::default(),
            inbound: Delay::new(one_way_latency),
            outbound: Delay::new(one_way_latency),
            job: None,
            search: None,
            plan: Plan::Nothing,
            in_flight: VecDeque::new(),
            undecided: VecDeque::new(),
            began: Timestamp::default(),
            counted: false,
            ended: None,
        }
    }

    fn spec(&self) -> &MinerSpec {
        &self.fleet.options.fleet.miners[self.index]
    }

    /// One connection; `Ok` with the reason why the miner itself ended it.
    async fn session(&mut self, mut connection: Connection) -> Result<String, ConnectionError> {
        let clock = self.fleet.clock;
        self.client.connect(&mut self.out);
        self.post(None, self.began);
        let mut timer = std::pin::pin!(sleep_until(Instant::now()));
        loop {
            self.act(clock.now());
            if let Some(reason) = self.ended.take() {
                return Ok(reason);
            }
            self.depart(clock.now(), &mut connection)?;
            let has_timer = self.set_timer(timer.as_mut());
            let Self { inbound, plan, .. } = self;
            let mut arrived = 0;
            tokio::select! {
                biased;
                turn = connection.turn(|line| {
                    arrived += line.len();
                    inbound.push(line, (), clock.now());
                }) => turn?,
                found = plan.found() => self.on_found(found, clock.now()),
                () = timer.as_mut(), if has_timer => {}
            }
            // A new job comes to all miners at once. Let every one note its
            // arrival before the first begins to work on it.
            if arrived > NEWS_BYTES {
                tokio::task::yield_now().await;
            }
        }
    }

    fn disconnected(&mut self) {
        self.client.disconnected(&mut self.out);
        self.out = ClientOutput::default();
        add(&self.fleet.ledger.unanswered, self.in_flight.len() as u64);
        self.in_flight.clear();
        // What the lost connection would have explained stays unknown.
        for undecided in std::mem::take(&mut self.undecided) {
            self.settled(&undecided, &Judgement::Race);
        }
        self.oracle.on_disconnect();
        self.inbound.clear();
        self.outbound.clear();
        self.job = None;
        self.plan = Plan::Nothing;
        if std::mem::take(&mut self.counted) {
            self.region.connected.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Arms the timer for whatever is due next; `false`: nothing is.
    fn set_timer(&self, timer: std::pin::Pin<&mut Sleep>) -> bool {
        let undecided = self.undecided.front().map(|undecided| undecided.since + GRACE);
        let handshake = (!self.client.is_mining()).then(|| self.began + HANDSHAKE_LIMIT);
        let times = [self.plan.wake(), undecided, handshake, self.inbound.due(), self.outbound.due()];
        let Some(next) = times.into_iter().flatten().min() else { return false };
        let instant = Instant::from_std(self.fleet.clock.instant(next));
        if timer.deadline() != instant {
            timer.reset(instant);
        }
        true
    }

    /// Does all that is due.
    fn act(&mut self, now: Timestamp) {
        let mut inbound = std::mem::replace(&mut self.inbound, Delay::new(Seconds(0.0)));
        while let Some(line) = inbound.pop(now) {
            self.on_line(line.bytes, line.entered, now);
        }
        self.inbound = inbound;
        for _ in 0..self.undecided.len() {
            let Some(undecided) = self.undecided.pop_front() else { break };
            let waited = now.since(undecided.since);
            match self.oracle.settle(&undecided.share.sent, &undecided.error, waited) {
                Judgement::Undecided => self.undecided.push_back(undecided),
                judgement => self.settled(&undecided, &judgement),
            }
        }
        if !self.client.is_mining() {
            if now.since(self.began) > HANDSHAKE_LIMIT {
                self.ended = Some("the pool did not let the miner in".to_owned());
            }
            return;
        }
        self.pursue(now);
    }

    /// Sends what the client wrote on its way.
    fn post(&mut self, submission: Option<SubmissionId>, now: Timestamp) {
        if !self.out.bytes.is_empty() {
            self.outbound.push(&self.out.bytes, submission, now);
            self.out.bytes.clear();
        }
    }

    /// Hands what has come all the way over to the socket.
    fn depart(&mut self, now: Timestamp, connection: &mut Connection) -> Result<(), ConnectionError> {
        let mut last = None;
        let mut any = false;
        while let Some(piece) = self.outbound.pop(now) {
            connection.outbox.extend_from_slice(piece.bytes);
            last = piece.tag.or(last);
            any = true;
        }
        if !any {
            return Ok(());
        }
        // Before the write: the pool may answer while it returns.
        let left = self.fleet.clock.now();
        for share in self.in_flight.iter_mut().rev().take_while(|share| share.left.is_none()) {
            if Some(share.id) <= last {
                share.left = Some(left);
            }
        }
        connection.flush()
    }

    fn on_line(&mut self, line: &[u8], arrived: Timestamp, now: Timestamp) {
        self.client.on_line(line, now, &mut self.out);
        self.post(None, now);
        let mut events = std::mem::take(&mut self.out.events);
        for event in events.drain(..) {
            self.on_event(event, line, arrived, now);
        }
        self.out.events = events;
    }

    fn on_event(&mut self, event: ClientEvent, line: &[u8], arrived: Timestamp, now: Timestamp) {
        match event {
            ClientEvent::Ready => {
                self.counted = true;
                add(&self.region.connected, 1);
                record(&mut self.fleet.ledger.shard(self.index).handshake, arrived.since(self.began));
            }
            ClientEvent::NewJob { job, new_tip } => {
                // The first job of a connection is no news of a block.
                if new_tip && self.job.is_some() {
                    self.fleet.ledger.tip(&job.notice.prev_hash, arrived);
                }
                self.oracle.on_job(&job);
                self.job = Some(job);
                self.take_up(now);
            }
            ClientEvent::VersionMask(_) => {
                self.oracle.on_version_mask(now);
                self.take_up(now);
            }
            ClientEvent::Answered { submission, verdict, .. } => {
                self.on_verdict(submission, &verdict, line, arrived, now);
            }
            ClientEvent::Unanswered(submission) => {
                self.in_flight.retain(|share| share.id != submission);
                add(&self.fleet.ledger.unanswered, 1);
            }
            ClientEvent::Reconnect { .. } => self.ended = Some("the pool asked to reconnect".to_owned()),
            ClientEvent::Failed(error) => self.ended = Some(error.to_string()),
            ClientEvent::Message(_) | ClientEvent::BadLine(_) => {}
        }
    }

    fn on_verdict(
        &mut self,
        id: SubmissionId,
        verdict: &PoolVerdict,
        line: &[u8],
        arrived: Timestamp,
        now: Timestamp,
    ) {
        let Ok(at) = self.in_flight.binary_search_by_key(&id, |share| share.id) else { return };
        let Some(share) = self.in_flight.remove(at) else { return };
        let ledger = &self.fleet.ledger;
        add(&ledger.answered, 1);
        let mut shard = ledger.shard(self.index);
        record(&mut shard.latency, arrived.since(share.left.unwrap_or(share.sent.at)));
        match verdict {
            PoolVerdict::Accepted => add(&self.region.accepted, 1),
            PoolVerdict::Rejected(error) => {
                let is_stale = reason::is_stale(error);
                add(if is_stale { &self.region.stale } else { &self.region.rejected }, 1);
                *shard.rejected.entry(ledger::name(error)).or_default() += 1;
            }
        }
        drop(shard);
        let judgement = self.oracle.judge(&share.sent, verdict);
        match (judgement, verdict) {
            (Judgement::Undecided, PoolVerdict::Rejected(error)) => {
                add(&ledger.undecided, 1);
                let answer = String::from_utf8_lossy(line).into_owned();
                self.undecided.push_back(Undecided { since: now, share, error: error.clone(), answer });
            }
            (judgement, _) => {
                let lines = || (self.submit_line(&share), String::from_utf8_lossy(line).into_owned());
                ledger.judged(share.sent.flaw, &judgement, lines);
            }
        }
        // In load mode an answer makes room for another share.
        if matches!(self.plan, Plan::Nothing) {
            self.plan_next(now, now);
        }
    }

    fn settled(&self, undecided: &Undecided, judgement: &Judgement) {
        let ledger = &self.fleet.ledger;
        ledger.undecided.fetch_sub(1, Ordering::Relaxed);
        let lines = || (self.submit_line(&undecided.share), undecided.answer.clone());
        ledger.judged(undecided.share.sent.flaw, judgement, lines);
    }

    /// The line of a share, as it was sent.
    fn submit_line(&self, share: &InFlight) -> String {
        let mut line = Vec::new();
        share.sent.share.write(&mut line, share.id.0, &self.client.config().user);
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }
}
