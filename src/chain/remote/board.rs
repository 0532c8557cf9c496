//! What all nodes say, and which one is mined on.
//!
//! The active node is the one whose chain has the most work among those that are
//! up; of several, the one that is active already, so that equal nodes do not
//! take turns. Whoever is first to tell of a block is so the one that is mined on.
//! While one of them does not tell its work, heights are compared instead.
//!
//! A node that fails takes its newest block with it: the others may not have it
//! yet, though it is the one to build on. So for [`GRACE`] nobody is sent back to
//! an older tip; miners keep the job they have.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::Block;
use tokio::sync::watch;

use super::NodeError;
use crate::block::Template;
use crate::chain::Tip;

/// How long nodes may take to learn of a block that another one had. Blocks cross
/// the network in a second or two.
const GRACE: Duration = Duration::from_secs(10);

/// Blocks of ours that are kept for nodes which lose them: a day's, had we all hashrate.
const KEPT: usize = 144;

/// Work of a chain up to a tip: a 256-bit number, most significant byte first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ChainWork(pub [u8; 32]);

impl ChainWork {
    /// A stand-in that orders chains by their height.
    fn of_height(height: u32) -> Self {
        let mut work = [0; 32];
        work[28..].copy_from_slice(&height.to_be_bytes());
        Self(work)
    }
}

/// A template with where it comes from in time.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The template.
    pub template: Arc<Template>,
    /// Whether it has the node's transactions, and not none for being the first on its tip.
    pub whole: bool,
    /// When it came.
    pub received: Instant,
    /// How long the node took, where that is known: it does not say how long it
    /// took when it was waited for.
    pub took: Option<Duration>,
}

impl Offer {
    /// A node's answer, which took so long.
    #[must_use]
    pub fn whole(template: Template, took: Duration) -> Self {
        Self { took: Some(took), ..Self::awaited(template) }
    }

    /// What a node sent when it had something new.
    #[must_use]
    pub fn awaited(template: Template) -> Self {
        Self { template: Arc::new(template), whole: true, received: Instant::now(), took: None }
    }

    /// A block without transactions on a tip that was just heard of.
    #[must_use]
    pub fn empty(template: Template) -> Self {
        Self { whole: false, ..Self::awaited(template) }
    }

    /// The template as of `now`: its time went on since it came.
    #[must_use]
    pub fn at(&self, now: Instant) -> Template {
        let mut template = Template::clone(&self.template);
        let age = now.saturating_duration_since(self.received).as_secs();
        let age = u32::try_from(age).unwrap_or(u32::MAX);
        template.ntime = template.ntime.saturating_add(age);
        template
    }
}

/// What a node that is up says: its chain, and what to mine on it.
#[derive(Debug, Clone)]
pub struct View {
    /// Its tip.
    pub tip: Tip,
    /// Work of its chain, where the node tells it.
    pub work: Option<ChainWork>,
    /// A template on that tip; `None` while none can be had.
    pub offer: Option<Offer>,
}

/// Whether a node is up.
#[derive(Debug, Clone)]
pub enum Health {
    /// It was not asked yet.
    Unknown,
    /// It answers and gives templates.
    Up,
    /// It does not, for this reason.
    Down(NodeError),
}

impl Health {
    /// Whether it is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up)
    }

    /// Why it is down.
    #[must_use]
    pub fn problem(&self) -> Option<&NodeError> {
        match self {
            Self::Down(error) => Some(error),
            Self::Up | Self::Unknown => None,
        }
    }
}

/// What is known of a node.
#[derive(Debug, Clone)]
pub struct NodeStatus {
    /// Where it is, as configured, without its password: unique among the nodes.
    pub name: Arc<str>,
    /// How it is spoken to: `embedded`, `rpc`.
    pub kind: &'static str,
    /// Whether it is the one that is mined on.
    pub active: bool,
    /// Whether it is up.
    pub health: Health,
    /// Since when it is so.
    pub since: Instant,
    /// Its tip when it was last up.
    pub tip: Option<Tip>,
    /// Transactions of its newest template.
    pub transactions: Option<usize>,
    /// How long it took for the last template that it was asked for.
    pub template_took: Option<Duration>,
}

#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    kind: &'static str,
    health: Health,
    since: Instant,
    view: Option<View>,
    took: Option<Duration>,
}

impl Entry {
    fn up(&self) -> Option<&View> {
        self.view.as_ref().filter(|_| self.health.is_up())
    }
}

#[derive(Debug)]
struct State {
    nodes: Vec<Entry>,
    active: Option<usize>,
    /// The tip that was announced last, and the work of its chain.
    announced: Option<(Tip, Option<ChainWork>)>,
}

impl State {
    /// Chooses the active node; the tip to announce, if that is another one.
    fn choose(&mut self, now: Instant) -> Option<Tip> {
        let known = self.nodes.iter().filter_map(Entry::up).map(|view| view.work);
        let by_work = known.chain(self.announced.map(|(_, work)| work)).all(|work| work.is_some());
        let progress = |tip: &Tip, work: Option<ChainWork>| {
            work.filter(|_| by_work).unwrap_or_else(|| ChainWork::of_height(tip.height))
        };
        let rank = |(index, node): &(usize, &Entry)| {
            let work = node.up().map(|view| progress(&view.tip, view.work));
            (work, Some(*index) == self.active, std::cmp::Reverse(*index))
        };
        let best = self.nodes.iter().enumerate().filter(|(_, node)| node.up().is_some()).max_by_key(rank);
        let (index, view) = best.and_then(|(index, node)| Some((index, node.up()?)))?;
        if let (Some(before), Some((announced, work))) = (self.active, self.announced)
            && before != index
            && progress(&view.tip, view.work) < progress(&announced, work)
            && now.saturating_duration_since(self.nodes[before].since) < GRACE
        {
            return None;
        }
        let tip = view.tip;
        let work = view.work;
        if self.active != Some(index) {
            tracing::info!(height = tip.height, "mining on the templates of node {}", self.nodes[index].name);
            self.active = Some(index);
        }
        let is_new = self.announced.is_none_or(|(announced, _)| announced.hash != tip.hash);
        self.announced = Some((tip, work));
        is_new.then_some(tip)
    }

    fn is_any_up(&self) -> bool {
        self.nodes.iter().any(|node| node.health.is_up())
    }

    fn problems(&self) -> String {
        let problem = |node: &Entry| match &node.health {
            Health::Unknown => Some(format!("node {} has not answered yet", node.name)),
            Health::Down(error) => Some(format!("node {} {error}", node.name)),
            Health::Up => None,
        };
        let problems: Vec<_> = self.nodes.iter().filter_map(problem).collect();
        if problems.is_empty() {
            return "the nodes that are up do not have the newest block yet".to_owned();
        }
        problems.join("; ")
    }
}

/// What the active node has, by the number of the node.
#[derive(Debug)]
pub(super) enum AtHand {
    /// A template on the tip.
    Offer(usize, Offer),
    /// The tip; its template is under way.
    Tip(usize),
    /// No node is up, in words.
    Nothing(String),
}

/// What all nodes say.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    tips: watch::Sender<Tip>,
    changes: watch::Sender<()>,
    closed: watch::Sender<bool>,
    /// Blocks of ours that a node took, oldest first.
    taken: Mutex<VecDeque<Arc<Block>>>,
}

impl Board {
    pub fn new(nodes: impl Iterator<Item = (Arc<str>, &'static str)>) -> Self {
        let since = Instant::now();
        let entry =
            |(name, kind)| Entry { name, kind, health: Health::Unknown, since, view: None, took: None };
        let state = State { nodes: nodes.map(entry).collect(), active: None, announced: None };
        // Nobody reads it before the first node has said better.
        let none = Tip { height: 0, hash: [0; 32], ntime: 0, nbits: 0 };
        Self {
            state: Mutex::new(state),
            tips: watch::Sender::new(none),
            changes: watch::Sender::new(()),
            closed: watch::Sender::new(false),
            taken: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the entry of a node, chooses anew, and tells.
    fn change(&self, index: usize, now: Instant, change: impl FnOnce(&mut Entry)) {
        {
            let mut state = self.state();
            let was_any_up = state.is_any_up();
            change(&mut state.nodes[index]);
            if was_any_up && !state.is_any_up() {
                tracing::warn!("no node is up: miners keep their last job");
            }
            if let Some(tip) = state.choose(now) {
                // Under the lock, so that tips are announced in their order.
                self.tips.send_replace(tip);
            }
        }
        self.changes.send_replace(());
    }

    /// Replaces the template of a node that is up, if it is on the node's tip.
    pub fn refresh(&self, index: usize, offer: Offer) {
        self.change(index, offer.received, |node| {
            node.took = offer.took.or(node.took);
            if let Some(view) = &mut node.view
                && view.tip.hash == offer.template.prev_hash
            {
                view.offer = Some(offer);
            }
        });
    }

    /// Remembers a block of ours that a node took.
    pub fn taken(&self, block: Arc<Block>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() == KEPT {
            taken.pop_front();
        }
        taken.push_back(block);
    }

    pub fn at_hand(&self) -> AtHand {
        let state = self.state();
        let active = state.active.and_then(|index| Some((index, state.nodes[index].up()?)));
        match active {
            Some((index, View { offer: Some(offer), .. })) => AtHand::Offer(index, offer.clone()),
            Some((index, _)) => AtHand::Tip(index),
            None => AtHand::Nothing(state.problems()),
        }
    }

    /// Whether a node is down.
    pub fn is_down(&self, index: usize) -> bool {
        matches!(self.state().nodes[index].health, Health::Down(_))
    }

    /// Ends when it is not.
    pub async fn back(&self, index: usize) {
        let mut changes = self.changes();
        // It ends with the board, which its caller holds.
        while self.is_down(index) && changes.changed().await.is_ok() {}
    }

    /// The number of the active node.
    pub fn active(&self) -> Option<usize> {
        self.state().active
    }

    /// What is wrong with the nodes, in words.
    pub fn problems(&self) -> String {
        self.state().problems()
    }

    pub fn tips(&self) -> watch::Receiver<Tip> {
        self.tips.subscribe()
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Turns `true` when the nodes are no longer followed.
    pub fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    pub fn statuses(&self) -> Vec<NodeStatus> {
        let state = self.state();
        let status = |(index, node): (usize, &Entry)| NodeStatus {
            name: node.name.clone(),
            kind: node.kind,
            active: state.active == Some(index) && node.health.is_up(),
            health: node.health.clone(),
            since: node.since,
            tip: node.view.as_ref().map(|view| view.tip),
            transactions: node
                .view
                .as_ref()
                .and_then(|view| Some(view.offer.as_ref()?.template.transactions.len())),
            template_took: node.took,
        };
        state.nodes.iter().enumerate().map(status).collect()
    }
}

/// An endpoint's way to tell what its node says.
#[derive(Debug)]
pub struct Reporter {
    board: Arc<Board>,
    index: usize,
}

impl Reporter {
    pub(super) fn new(board: Arc<Board>, index: usize) -> Self {
        Self { board, index }
    }

    /// The newest blocks of ours that a node took, oldest first.
    ///
    /// Core writes its index once an hour: one that is killed forgets newer blocks,
    /// and a pool may be all it has to hear of them. So hand these to a node
    /// that comes back and does not know the last one, before reporting it up:
    /// miners would be sent back to its old tip.
    #[must_use]
    pub fn taken(&self) -> Vec<Arc<Block>> {
        self.board.taken.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The node is up, and this is its newest.
    pub fn up(&self, view: View) {
        self.up_at(view, Instant::now());
    }

    fn up_at(&self, view: View, now: Instant) {
        self.board.change(self.index, now, |node| {
            if !node.health.is_up() {
                node.since = now;
                tracing::info!(height = view.tip.height, "node {} is up", node.name);
            }
            node.health = Health::Up;
            node.took = view.offer.as_ref().and_then(|offer| offer.took).or(node.took);
            node.view = Some(view);
        });
    }

    /// The node still answers, and has nothing new.
    pub fn alive(&self) {
        self.alive_at(Instant::now());
    }

    fn alive_at(&self, now: Instant) {
        self.board.change(self.index, now, |_| {});
    }

    /// The node cannot be mined on.
    pub fn down(&self, error: NodeError) {
        self.down_at(error, Instant::now());
    }

    fn down_at(&self, error: NodeError, now: Instant) {
        self.board.change(self.index, now, |node| {
            let is_known = node.health.problem().is_some_and(|known| known.to_string() == error.to_string());
            if !matches!(node.health, Health::Down(_)) {
                node.since = now;
            }
            // Once for each trouble, not once for each attempt.
            if !is_known {
                tracing::warn!("node {} {error}", node.name);
            }
            node.health = Health::Down(error);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Limits;

    fn view(height: u32, hash: u8, work: u8) -> View {
        let tip = Tip { height, hash: [hash; 32], ntime: 0, nbits: 0x207f_ffff };
        let template = Template {
            height: height + 1,
            prev_hash: tip.hash,
            version: 0x2000_0000,
            nbits: tip.nbits,
            ntime_min: 1,
            ntime: 100,
            coinbase_value: bitcoin::Amount::ZERO,
            transactions: Arc::new([]),
            limits: Limits::CONSENSUS,
            segwit: true,
            demands: None,
        };
        View { tip, work: Some(ChainWork([work; 32])), offer: Some(Offer::awaited(template)) }
    }

    fn board() -> (Arc<Board>, [Reporter; 2]) {
        let board = Arc::new(Board::new([("a".into(), "rpc"), ("b".into(), "rpc")].into_iter()));
        let reporters = [0, 1].map(|index| Reporter::new(board.clone(), index));
        (board, reporters)
    }

    fn gone() -> NodeError {
        NodeError::Unreachable { reason: "gone".into() }
    }

    #[test]
    fn the_most_work_is_mined_on_and_equal_nodes_do_not_take_turns() {
        let (board, [a, b]) = board();
        let tips = board.tips();
        let check = |active: Option<usize>, hash: u8| {
            assert_eq!((board.active(), tips.borrow().hash[0]), (active, hash));
        };
        assert!(matches!(board.at_hand(), AtHand::Nothing(_)));
        b.up(view(1, 1, 1));
        check(Some(1), 1);
        a.up(view(1, 1, 1));
        check(Some(1), 1); // as good, but not better
        a.up(view(2, 2, 2));
        check(Some(0), 2); // the first to tell of a block
        b.up(view(2, 3, 2));
        check(Some(0), 2); // a competitor of the same work
        a.up(view(1, 1, 1));
        check(Some(1), 3); // a took its block back
        b.down(gone());
        check(Some(1), 3);
        assert!(board.problems().contains("node b"));
    }

    #[test]
    fn heights_decide_where_work_is_not_told() {
        let (board, [a, b]) = board();
        let untold = |height, hash| View { work: None, ..view(height, hash, 0) };
        a.up(untold(100, 1));
        b.up(view(100, 1, 9));
        assert_eq!(board.active(), Some(0), "as good");
        b.up(view(101, 2, 9));
        assert_eq!(board.active(), Some(1), "higher");
        a.up(untold(300, 3));
        assert_eq!(board.active(), Some(0), "higher");
        a.down(gone());
        b.up(view(301, 4, 9));
        assert_eq!(board.active(), Some(1), "the one that is left");
    }

    #[test]
    fn nobody_is_sent_back_before_the_others_can_know() {
        let (board, [a, b]) = board();
        let tips = board.tips();
        a.up(view(2, 2, 2));
        b.up(view(1, 1, 1));
        a.down(gone());
        assert_eq!((board.active(), tips.borrow().hash[0]), (Some(0), 2));
        assert!(matches!(board.at_hand(), AtHand::Nothing(_)), "miners keep their job");
        b.up(view(2, 2, 2));
        assert_eq!((board.active(), tips.borrow().hash[0]), (Some(1), 2), "now b has it");

        let now = Instant::now();
        a.up_at(view(3, 3, 3), now);
        a.down_at(gone(), now);
        b.alive_at(now + GRACE / 2);
        assert_eq!(tips.borrow().hash[0], 3);
        b.alive_at(now + GRACE);
        assert_eq!((board.active(), tips.borrow().hash[0]), (Some(1), 2), "it may never come");
    }

    #[test]
    fn time_goes_on_for_a_template() {
        let (board, [a, _]) = board();
        a.up(view(1, 1, 1));
        let AtHand::Offer(0, offer) = board.at_hand() else { panic!("{board:?}") };
        assert_eq!(offer.at(offer.received + Duration::from_millis(7_900)).ntime, 107);
        let statuses = board.statuses();
        assert_eq!(
            (statuses[0].active, statuses[0].health.is_up(), statuses[0].transactions),
            (true, true, Some(0))
        );
        assert!(!statuses[1].active && matches!(statuses[1].health, Health::Unknown));
    }
}
