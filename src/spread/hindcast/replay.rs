//! The states of the past, and free runs from them.

use rand_chacha::ChaCha8Rng;

use super::super::chain::{Chain, Luck};
use super::super::day::Day;
use super::super::fleet::Fleet;
use super::super::history::History;
use super::super::inputs::Inputs;
use super::super::parameters::Parameters;
use super::super::step::{Outside, State, Today};
use super::super::world::{Event, World};
use super::metric::window;

/// Days whose blocks say where the hashrate is: their noise is 2.2 %.
const NUDGE_DAYS: usize = 14;

/// Days that a free run may go beyond the record.
const BEYOND_DAYS: usize = 400;

/// What a free run is told of the time after its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Prices and events as they came.
    Everything,
    /// Nothing: the last price, and events that had begun.
    UntilOrigin,
}

/// A day of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Free {
    /// The day.
    pub day: Day,
    /// What it came to.
    pub today: Today,
    /// EH/s of the world.
    pub hashrate_ehs: f64,
    /// Height at its end, and the factor of the latest retarget.
    pub height: f64,
    /// Difficulty at its end.
    pub difficulty: f64,
    /// Factor of the latest retarget.
    pub last_change: f64,
}

/// The model as it followed the record.
pub struct Replay<'a> {
    inputs: &'a Inputs,
    history: &'a History,
    /// The world that it is a replay of.
    pub world: World,
    /// The state at the beginning of each day.
    states: Vec<State>,
    /// What each day came to, with the observed chain.
    pub days: Vec<Free>,
    /// Types of events that no row of `event_effects.csv` has; they do nothing.
    pub unknown_types: Vec<String>,
}

impl<'a> Replay<'a> {
    /// Follows the whole record.
    ///
    /// # Panics
    /// The record has fewer than three days: [`History::read`] and the caller see to that.
    #[must_use]
    pub fn new(inputs: &'a Inputs, history: &'a History, parameters: &Parameters) -> Self {
        let start = history.network[1].day;
        let days = history.network.len() - 1;
        let regions: Vec<_> = inputs.atlas.regions().cloned().collect();
        let mut world =
            World::new(inputs, regions, parameters.clone(), Vec::new(), start, days + BEYOND_DAYS);
        let mut unknown_types = Vec::new();
        for past in history.events.iter().chain(&inputs.events) {
            let Some(kind) = inputs.effects.get(&past.kind) else {
                unknown_types.push(past.kind.clone());
                continue;
            };
            let of_past = Event::of_past(past, kind, inputs, &world.places, parameters);
            world.events.extend(of_past);
        }
        let (shares, shares_of) = shares_at(inputs, &world, start);
        let first = &history.network[1..NUDGE_DAYS + 1];
        let hashrate_ths =
            first.iter().map(|day| day.hashrate_1d_ehs).sum::<f64>() / first.len() as f64 * 1e6;
        let mut fleet = Fleet::new(&world, hashrate_ths, &shares, parameters.initial_efficiency_j_per_th);
        fleet.store(&world, parameters.initial_idle);
        let mut state = State::new(&world, fleet, observed_chain(history, start), |back| {
            history.price_on(start - back, start)
        });
        let mut replay = Self {
            inputs,
            history,
            world,
            states: Vec::with_capacity(days),
            days: Vec::new(),
            unknown_types,
        };
        let mut recent: Vec<f64> = Vec::new();
        for at in 0..days {
            let day = start + at as i32;
            state.chain = observed_chain(history, day);
            replay.states.push(state.clone());
            let free = replay.pass(&mut state, history.price_on(day, day + BEYOND_DAYS as i32));
            recent.push(free.hashrate_ehs);
            replay.days.push(free);
            let length = recent.len().min(NUDGE_DAYS);
            let model: f64 = recent[recent.len() - length..].iter().sum();
            let last = at + 1;
            let observed: f64 =
                history.network[last + 1 - length..=last].iter().map(|day| day.hashrate_1d_ehs).sum();
            let factor = (observed / model).powf(1.0 / NUDGE_DAYS as f64);
            state.fleet.adjust(&replay.world, day.month(), factor);
            if shares_of.is_some_and(|date| date == day) {
                // The table is the mean of its month, outages in it included.
                let of_month = replay.days.iter().rev().take(day.date().day() as usize);
                let mut mean = vec![0.0; shares.len()];
                for of_day in of_month {
                    let sum: f64 = of_day.today.hashrate_ths.iter().sum();
                    for (mean, ths) in mean.iter_mut().zip(&of_day.today.hashrate_ths) {
                        *mean += ths / sum;
                    }
                }
                let sum: f64 = mean.iter().sum();
                let factors: Vec<f64> = shares
                    .iter()
                    .zip(&mean)
                    .map(|(share, mean)| if *mean > 0.0 { share * sum / mean } else { 1.0 })
                    .collect();
                state.fleet.respread(&replay.world, &factors);
            }
        }
        replay
    }

    /// Part of hydro in the network's power in each month of the year from `start` on, with
    /// the shares of the nearest table, the weather of a mean year and the season's moves;
    /// all machines run.
    #[must_use]
    pub fn hydro_by_month(&self, start: Day) -> [f64; 12] {
        const DAYS: usize = 365;
        let regions: Vec<_> = self.world.places.iter().map(|place| place.region.clone()).collect();
        let parameters = self.world.parameters.clone();
        let efficiency = parameters.initial_efficiency_j_per_th;
        let world = World::new(self.inputs, regions, parameters, Vec::new(), start, DAYS);
        let (shares, _) = shares_at(self.inputs, &world, start);
        let mut fleet = Fleet::new(&world, 1e8, &shares, efficiency);
        let open = vec![false; shares.len()];
        let (mut hydro, mut all) = ([0.0; 12], [0.0; 12]);
        for since in 0..DAYS {
            let day = start + since as i32;
            let month = day.month();
            fleet.migrate(&world, day, &open);
            fleet.transport(&world, &open);
            for (region, place) in world.places.iter().enumerate() {
                let mw = fleet.installed_mw(&world, region, month);
                hydro[month] += mw * place.hydro_in(month);
                all[month] += mw;
            }
        }
        std::array::from_fn(|month| hydro[month] / all[month])
    }

    fn pass(&self, state: &mut State, price: f64) -> Free {
        let day = state.day;
        let outside = Outside { price_usd: price, hours: None, events: &self.world.events };
        let today = state.step::<ChaCha8Rng>(&self.world, &outside, &mut Luck::None);
        Free {
            day,
            hashrate_ehs: today.hashrate_ths.iter().sum::<f64>() / 1e6,
            height: state.chain.height,
            difficulty: state.chain.difficulty,
            last_change: state.chain.last_change,
            today,
        }
    }

    /// First and last day on which a free run can begin.
    #[must_use]
    pub fn origins(&self) -> (Day, Day) {
        (self.world.start, self.world.start + self.states.len() as i32 - 1)
    }

    /// Runs free from the beginning of `origin` for so many days; `None` outside the record.
    #[must_use]
    pub fn free(&self, origin: Day, days: usize, known: Known) -> Option<Vec<Free>> {
        let at = usize::try_from(origin - self.world.start).ok()?;
        let mut state = self.states.get(at)?.clone();
        let price_now = self.history.price_on(origin, origin);
        let ignorant;
        let runner = match known {
            Known::Everything => self,
            Known::UntilOrigin => {
                ignorant = self.ignorant(origin);
                &ignorant
            }
        };
        let last_known = origin + BEYOND_DAYS as i32 * 10;
        let price = |day| match known {
            Known::Everything => self.history.price_on(day, last_known),
            Known::UntilOrigin => price_now,
        };
        Some(
            (0..days.min(self.world.days - at))
                .map(|since| runner.pass(&mut state, price(origin + since as i32)))
                .collect(),
        )
    }

    /// The same without what began after `origin`.
    fn ignorant(&self, origin: Day) -> Self {
        let mut world = self.world.clone();
        for event in &mut world.events {
            if event.start > origin {
                event.regions.clear();
            }
        }
        Self {
            inputs: self.inputs,
            history: self.history,
            world,
            states: Vec::new(),
            days: Vec::new(),
            unknown_types: Vec::new(),
        }
    }
}

/// Shares of 1 by region, of the table whose month is nearest to `start`; and the last
/// day of that month, if it is still to come.
fn shares_at(inputs: &Inputs, world: &World, start: Day) -> (Vec<f64>, Option<Day>) {
    let far = |month: &str| window(month).map_or(i32::MAX, |(first, _)| (first - start).abs());
    let table = inputs.shares.iter().min_by_key(|(month, _)| far(month));
    let mut shares = vec![0.0; world.places.len()];
    let mut of = None;
    if let Some((month, rows)) = table {
        for (code, share) in rows {
            if let Some(at) = world.index(*code) {
                shares[at] = *share;
            }
        }
        of = window(month).map(|(_, last)| last).filter(|last| *last > start);
    }
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    (shares, of)
}

/// The recorded chain at the beginning of a day.
fn observed_chain(history: &History, day: Day) -> Chain {
    let second = i64::from(day.0) * 86_400;
    let at = history.epochs.partition_point(|epoch| epoch.began.1 <= second).max(1) - 1;
    let epoch = &history.epochs[at];
    // Blocks since, at the mean pace of those days.
    let mut blocks = 0.0;
    let mut when = epoch.began.0;
    while when < day {
        if let Some(of_day) = history.on(when) {
            let part = if when == epoch.began.0 {
                1.0 - (epoch.began.1 - i64::from(when.0) * 86_400) as f64 / 86_400.0
            } else {
                1.0
            };
            blocks += of_day.blocks * part;
        }
        when = when + 1;
    }
    let blocks = blocks.min(2_015.0);
    let mut chain = Chain::new(
        f64::from(epoch.height) + blocks,
        epoch.difficulty,
        blocks,
        (second - epoch.began.1).max(0) as f64,
    );
    if let Some(change) = epoch.change_pct {
        chain.last_change = 1.0 + change / 100.0;
    }
    chain
}
