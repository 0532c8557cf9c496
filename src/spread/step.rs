//! A day of the world: what machines earn and cost, who runs, who moves, what
//! is bought and built, and the blocks that come of it.
//!
//! ```text
//! hashprice [USD/TH/s/day]  pi = (S + F) P (1 - f) 1e12 x 86400 / (D x 2^32)
//! cost [USD/TH/s/day]       c  = 0.024 e PUE (p + a o)
//! margin                    z  = pi / c - 1
//! ```
//!
//! S, F subsidy and fees in BTC, P price in USD/BTC, f the pool's fee, D difficulty,
//! e efficiency in J/TH, p power and o operation in USD/kWh, of which a part a is saved by
//! switching off. docs/model.md has all
//! equations and a worked number for each.

use rand::Rng;

use super::chain::{Chain, HASHES, Luck, subsidy_btc};
use super::day::Day;
use super::fleet::Fleet;
use super::inputs::Effect;
use super::parameters::Parameters;
use super::world::{Event, World};

/// kWh per day of a watt.
pub const KWH_PER_WATT_DAY: f64 = 0.024;

/// Free sites over all above which nobody builds more.
const VACANT_ENOUGH: f64 = 0.15;

/// Days of price that the orders under way at the beginning are made of.
const HISTORY_DAYS: i32 = 1_000;

/// Stages between order and delivery: a delay that varies by 1/sqrt(6) = 41 % of its mean,
/// as orders that come after 6 to 12 months do.
const ORDER_STAGES: usize = 6;

/// What a machine leaves of its revenue where `rig_payback_days` and `reinvested` hold.
const USUAL_MARGIN: f64 = 0.75;

/// The world between two days.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The day that comes next.
    pub day: Day,
    /// Machines.
    pub fleet: Fleet,
    /// Blocks.
    pub chain: Chain,
    /// Revenue of a TH/s and day, mean over the memory of machine prices, USD.
    pub hashprice_memory: f64,
    /// Revenue of a TH/s and day, mean of a week, USD.
    pub hashprice_week: f64,
    /// Power of a TH/s and day, mean of those that ran on the day before, USD.
    cost: f64,
    /// Orders on their way through the stages, TH/s in a day; the last are due.
    pub orders_ths_per_day: [f64; ORDER_STAGES],
    /// Due, and not yet made: factories are the limit, TH/s.
    pub backlog_ths: f64,
    /// `[region]`: part of what is delivered that was bought there.
    buyers: Vec<f64>,
    /// `[event]`: how much of a ban has been carried out, 0 to 1.
    banned: Vec<f64>,
    /// `[region]`: part of what AI could take that it has taken, 0 to 1.
    pub taken_by_ai: Vec<f64>,
}

/// What a day is told.
#[derive(Debug, Clone, Copy)]
pub struct Outside<'a> {
    /// USD/BTC.
    pub price_usd: f64,
    /// USD/kWh by hour, of the regions where the hour matters; `None`: a mean day.
    pub hours: Option<&'a [Option<[f64; 24]>]>,
    /// What happens, the same list every day.
    pub events: &'a [Event],
}

/// What a day came to; by region where it is a vector.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Today {
    /// USD/BTC.
    pub price_usd: f64,
    /// USD/TH/s/day, after the pool's fee.
    pub hashprice: f64,
    /// Blocks found.
    pub blocks: f64,
    /// Paid to miners, USD.
    pub revenue_usd: f64,
    /// TH/s, mean of the day.
    pub hashrate_ths: Vec<f64>,
    /// TH/s that outages keep off.
    pub lost_ths: Vec<f64>,
    /// MW, cooling included.
    pub power_mw: Vec<f64>,
    /// USD/kWh of the energy used.
    pub power_price: Vec<f64>,
    /// Spent on power, USD.
    pub power_usd: Vec<f64>,
    /// Power of machines alone, MW.
    pub machine_mw: f64,
    /// Capital cost of the machines that run, USD.
    pub capital_usd: Vec<f64>,
    /// USD of a TH/s of new machines.
    pub rig_usd_per_ths: f64,
}

impl State {
    /// A beginning: a fleet, a chain, and the price so many days before, from which
    /// follow what machines cost and which orders are under way.
    #[must_use]
    pub fn new(world: &World, fleet: Fleet, chain: Chain, price_before: impl Fn(i32) -> f64) -> Self {
        let price_usd = price_before(0);
        let hashprice = hashprice(world, &chain, price_usd);
        let mut state = Self {
            day: world.start,
            hashprice_memory: hashprice,
            hashprice_week: hashprice,
            cost: 0.0,
            orders_ths_per_day: [0.0; ORDER_STAGES],
            backlog_ths: 0.0,
            buyers: Vec::new(),
            banned: Vec::new(),
            taken_by_ai: vec![0.0; world.places.len()],
            fleet,
            chain,
        };
        let today = state.first_day(world, price_usd);
        let hashrate_ths: f64 = today.hashrate_ths.iter().sum();
        state.cost = today.power_usd.iter().sum::<f64>() / hashrate_ths;
        state.buyers = today.hashrate_ths.iter().map(|ths| ths / hashrate_ths).collect();
        // As if fleet and difficulty had grown steadily until the first day.
        let before = |back: i32| (-world.parameters.past_growth_per_year * f64::from(back) / 365.25).exp();
        let earned = |back: i32| hashprice * price_before(back) / price_usd / before(back);
        state.hashprice_memory = earned(HISTORY_DAYS);
        for back in (1..=HISTORY_DAYS).rev() {
            state.order(world, world.start - back, earned(back), hashrate_ths * before(back));
        }
        state
    }

    /// What the next day would come to with nothing happening.
    fn first_day(&self, world: &World, price_usd: f64) -> Today {
        let outside = Outside { price_usd, hours: None, events: &[] };
        self.clone().step::<rand_chacha::ChaCha8Rng>(world, &outside, &mut Luck::None)
    }

    /// What would run on the next day with nothing happening, TH/s.
    #[must_use]
    pub fn first_day_ths(&self, world: &World, price_usd: f64) -> f64 {
        self.first_day(world, price_usd).hashrate_ths.iter().sum()
    }

    /// Lets a day pass.
    pub fn step<R: Rng>(&mut self, world: &World, outside: &Outside<'_>, luck: &mut Luck<'_, R>) -> Today {
        let day = self.day;
        let month = day.month();
        let p = &world.parameters;
        let (regions, vintages) = (world.places.len(), world.vintages.len());
        let shocks = Shocks::on(p, world.places.len(), outside.events, day);
        self.carry_out_bans(world, outside.events, day);

        let price_usd = outside.price_usd * shocks.price_factor;
        let hashprice = hashprice(world, &self.chain, price_usd);
        self.hashprice_week += (hashprice - self.hashprice_week) / 7.0;
        let rig_usd_per_ths = self.rig_usd_per_ths(world);

        let mut today = Today {
            price_usd,
            hashprice,
            rig_usd_per_ths,
            hashrate_ths: vec![0.0; regions],
            lost_ths: vec![0.0; regions],
            power_mw: vec![0.0; regions],
            power_price: vec![0.0; regions],
            power_usd: vec![0.0; regions],
            capital_usd: vec![0.0; regions],
            ..Today::default()
        };
        let mut profits = vec![false; regions * vintages];
        let mut sells = vec![false; regions * vintages];
        let mut weight = vec![0.0; regions];
        let capital_per_day = rig_usd_per_ths * (1.0 / p.capital_years + p.discount_per_year / 2.0) / 365.25;
        let width = 1.0 / (p.cost_spread * 5.0_f64.sqrt());
        let switch = 1.0 / p.switch_days;
        // USD that a kWh at one W per TH/s earns.
        let earned = self.hashprice_week / KWH_PER_WATT_DAY;
        // Staff and rent are paid whether a machine runs or not.
        let saved = p.operation_usd_per_kwh * p.operation_avoidable;
        let all_watts = world.watts_in(month);
        let best = world.best_on_sale(day);
        let (mut hour_ths, mut steady_ths) = ([0.0; 24], 0.0);

        for region in 0..regions {
            let place = &world.places[region];
            let quiet = world.price(day, region);
            let base = quiet * shocks.power_factor[region] + shocks.surcharge[region];
            let extra = base - quiet;
            let available =
                place.available * (1.0 - shocks.outage[region]) * shocks.water(place.hydro_fraction, region);
            let hours = outside.hours.and_then(|hours| hours[region].as_ref());
            let exposed = if place.spot.is_some() { p.spot_exposed } else { 1.0 };
            let cells = self.fleet.of(region);
            let installed = &self.fleet.installed[cells.clone()];
            let on = &mut self.fleet.on[cells.clone()];
            let watts = &all_watts[cells.clone()];
            let (profits, sells) = (&mut profits[cells.clone()], &mut sells[cells]);
            let mut sum = Sums::default();
            for vintage in 0..vintages {
                // Nobody has such machines here, and none are looking for a site.
                if installed[vintage] <= 0.0 && self.fleet.waiting[vintage] <= 0.0 {
                    continue;
                }
                let earns = earned / watts[vintage];
                // Below which price of power the hour is worth running.
                let strike = earns - saved - extra;
                let hourly = match (hours, &place.spot) {
                    (Some(hours), _) => Some(below(hours, strike)),
                    (None, Some((_, curve))) => Some(curve.below(strike)),
                    (None, None) => None,
                };
                let (uptime, power_price) = match hourly {
                    None => (1.0, base),
                    // The others have a contract of one price and run through dear hours.
                    Some((below, price)) => {
                        let uptime = 1.0 - exposed * (1.0 - below);
                        let paid = exposed * below * (price + extra) + (1.0 - exposed) * base;
                        (uptime, if uptime > 0.0 { paid / uptime } else { price + extra })
                    }
                };
                let margin = earns / (power_price + saved) - 1.0;
                // Sites differ: so many would start, so many would go on.
                let would_start = part_below((margin - p.on_threshold) * width);
                let would_go_on = part_below((margin + p.off_threshold) * width);
                let wanted = on[vintage].clamp(would_start, would_go_on);
                on[vintage] += (wanted - on[vintage]) * switch;
                let all_cost = power_price + p.operation_usd_per_kwh;
                profits[vintage] = earns > all_cost * (1.0 + p.on_threshold) && uptime > 0.5;
                sells[vintage] = margin < -p.off_threshold;

                let heat = if world.cooling(vintage) == 0 { place.heat[month] } else { 1.0 };
                let up = installed[vintage] * on[vintage] * uptime * heat;
                let runs = up * available;
                match hours {
                    Some(hours) if uptime > 0.0 => {
                        let all = runs / uptime;
                        steady_ths += all * (1.0 - exposed);
                        for (sum, price) in hour_ths.iter_mut().zip(hours) {
                            *sum += if *price < strike { all * exposed } else { 0.0 };
                        }
                    }
                    _ => steady_ths += runs,
                }
                let site_watts = runs * watts[vintage];
                sum.runs += runs;
                sum.up += up;
                sum.watts += site_watts;
                sum.machine_watts += runs * world.vintages[vintage].efficiency_j_per_th;
                sum.paid += site_watts * power_price;
                sum.installed += installed[vintage];
                sum.installed_watts += installed[vintage] * watts[vintage];
            }
            today.hashrate_ths[region] = sum.runs;
            today.lost_ths[region] = sum.up - sum.runs;
            today.power_mw[region] = sum.watts / 1e6;
            today.machine_mw += sum.machine_watts / 1e6;
            today.power_usd[region] = sum.paid * KWH_PER_WATT_DAY;
            today.capital_usd[region] = sum.installed * capital_per_day;
            today.power_price[region] = if sum.watts > 0.0 { sum.paid / sum.watts } else { base };
            // What a kilowatt leaves here, relative to what it earns, on the best machine.
            let earns = earned / world.watts_per_ths(region, best, month);
            let leaves =
                ((earns - today.power_price[region] - p.operation_usd_per_kwh) / earns).clamp(-1.0, 1.0);
            let landed = leaves - shocks.duty[region] * rig_usd_per_ths / (self.hashprice_week * 1_460.0);
            weight[region] = if shocks.closed[region] { 0.0 } else { (p.preference * landed).exp() };
            let used_mw = sum.installed_watts / 1e6;
            self.build(world, region, leaves, &shocks, used_mw);
            if shocks.ai_per_year[region] > 0.0 {
                let mined = if sum.watts > 0.0 { earned * sum.runs / sum.watts } else { 0.0 };
                self.convert(p, region, shocks.ai_per_year[region], mined, used_mw);
            }
        }
        self.buy(world, &today, &shocks.closing);
        self.fleet.migrate(world, day, &shocks.closing);
        self.fleet.transport(world, &shocks.closing);
        let used_mw = self.fleet.retire(world, month, &sells);
        // What a machine leaves of its revenue at the mean price of power.
        let price = today.power_usd.iter().sum::<f64>() / today.power_mw.iter().sum::<f64>() / 24_000.0
            + p.operation_usd_per_kwh;
        let bids: Vec<f64> = world
            .vintages
            .iter()
            .map(|vintage| (-p.preference * price * vintage.efficiency_j_per_th / earned).exp())
            .collect();
        self.fleet.place(world, month, &used_mw, &weight, &bids, &profits);

        let subsidy = subsidy_btc(self.chain.height);
        today.blocks = if outside.hours.is_some() {
            hour_ths.iter().map(|ths| self.chain.pass(steady_ths + ths, 3_600.0, luck)).sum()
        } else {
            self.chain.pass(steady_ths, 86_400.0, luck)
        };
        today.revenue_usd = today.blocks * subsidy * (1.0 + p.fee_share) * (1.0 - p.pool_fee) * price_usd;
        self.day = day + 1;
        today
    }

    fn carry_out_bans(&mut self, world: &World, events: &[Event], day: Day) {
        self.banned.resize(events.len(), 0.0);
        for (at, event) in events.iter().enumerate() {
            if event.effect != Effect::Ban {
                continue;
            }
            let wanted = event.strength(day);
            let left = 1.0 - self.banned[at];
            if wanted > self.banned[at] && left > 0.0 {
                for &region in &event.regions {
                    self.fleet.banish(world, region, (wanted - self.banned[at]) / left);
                }
            }
            self.banned[at] = wanted;
        }
    }

    fn build(&mut self, world: &World, region: usize, leaves: f64, shocks: &Shocks, used_mw: f64) {
        let p = &world.parameters;
        let capacity = self.fleet.capacity_mw[region];
        let vacant = capacity - used_mw;
        if !shocks.frozen[region] && vacant < VACANT_ENOUGH * capacity.max(10.0) {
            let build = world.build(self.day, region);
            // Against a gross margin of one half; what is dated was built, whatever the margin.
            let keen = if build.dated {
                1.0
            } else {
                (leaves.max(0.0) / 0.5).powf(p.build_profit_exponent).min(2.0)
            };
            self.fleet.capacity_mw[region] += build.mw_per_day * keen;
        }
    }

    /// Turns sites over to AI, where that earns more for a kWh than `mined`, USD: so much
    /// of what could be turned over in a year. Power and staff cost both alike.
    fn convert(&mut self, p: &Parameters, region: usize, per_year: f64, mined: f64, used_mw: f64) {
        let worth = p.ai_usd_per_kwh - p.ai_capital_usd_per_kwh;
        // Sites differ here as in what mining costs them.
        let keen = if mined > 0.0 {
            part_below((worth / mined - 1.0) / (p.cost_spread * 5.0_f64.sqrt()))
        } else {
            1.0
        };
        let taken = &mut self.taken_by_ai[region];
        let before = *taken;
        *taken = (before + per_year / 365.25 * keen).min(1.0);
        let left = |taken: f64| 1.0 - p.convertible_to_ai * taken;
        let capacity = &mut self.fleet.capacity_mw[region];
        *capacity *= left(*taken) / left(before);
        let missing = used_mw - *capacity;
        if missing > 0.0 {
            self.fleet.evict(region, missing / used_mw);
        }
    }

    /// What a TH/s of new machines costs, USD: days of revenue, fewer as power leaves less of it.
    fn rig_usd_per_ths(&self, world: &World) -> f64 {
        let p = &world.parameters;
        let margin = (1.0 - self.cost / self.hashprice_memory).clamp(0.05, 1.0);
        p.rig_payback_days * self.hashprice_memory * (margin / USUAL_MARGIN).powf(p.rig_margin_exponent)
    }

    /// A part of what the network earned over power orders machines at the price of the day,
    /// a larger one when margins are high. Who has ordered has paid: no order is cancelled.
    /// Factories begin as many as they can; stages later they are delivered.
    fn order(&mut self, world: &World, day: Day, hashprice: f64, hashrate_ths: f64) {
        let p = &world.parameters;
        self.hashprice_memory += (hashprice - self.hashprice_memory) / p.rig_price_memory_days;
        let profit = (hashprice - self.cost).max(0.0);
        let keen = (profit / hashprice / USUAL_MARGIN).powf(p.capital_exponent);
        self.backlog_ths += p.reinvested * keen * profit * hashrate_ths / self.rig_usd_per_ths(world);
        let (made, efficiency) = world.made(day);
        let most = world.factory_mw_per_day(day) * 1e6 / efficiency;
        let begun = if made.is_empty() { 0.0 } else { self.backlog_ths.min(most) };
        self.backlog_ths -= begun;
        let step = (ORDER_STAGES as f64 / p.delivery_days).min(1.0);
        for stage in (1..ORDER_STAGES).rev() {
            self.orders_ths_per_day[stage] +=
                (self.orders_ths_per_day[stage - 1] - self.orders_ths_per_day[stage]) * step;
        }
        self.orders_ths_per_day[0] += (begun - self.orders_ths_per_day[0]) * step;
    }

    /// New machines for what was ordered; they wait for a site like the others. Those of
    /// buyers whose region is `closing` have to be moved first.
    fn buy(&mut self, world: &World, today: &Today, closing: &[bool]) {
        let hashrate_ths: f64 = today.hashrate_ths.iter().sum();
        if hashrate_ths > 0.0 {
            self.cost = today.power_usd.iter().sum::<f64>() / hashrate_ths;
        }
        self.order(world, self.day, today.hashprice, hashrate_ths);
        let (made, _) = world.made(self.day);
        let delivered = self.orders_ths_per_day[ORDER_STAGES - 1];
        let closed: f64 =
            self.buyers.iter().zip(closing).filter(|(_, closing)| **closing).map(|(part, _)| part).sum();
        for (at, part) in made {
            self.fleet.waiting[at] += delivered * part * (1.0 - closed);
            self.fleet.moving[0][at] += delivered * part * closed;
        }
        self.fleet.ledger.delivered += delivered;
        for (part, ths) in self.buyers.iter_mut().zip(&today.hashrate_ths) {
            *part += (ths / hashrate_ths.max(1.0) - *part) / world.parameters.delivery_days;
        }
    }
}

/// Revenue of a TH/s and day after the pool's fee, USD.
#[must_use]
pub fn hashprice(world: &World, chain: &Chain, price_usd: f64) -> f64 {
    let p = &world.parameters;
    let per_block = subsidy_btc(chain.height) * (1.0 + p.fee_share) * (1.0 - p.pool_fee) * price_usd;
    per_block * 1e12 * 86_400.0 / (chain.difficulty * HASHES)
}

/// Part of sites whose cost lies below the mean by no more than `x` half widths:
/// the distribution 3/4 (1 - x^2), which has a standard deviation of 1/sqrt(5).
fn part_below(x: f64) -> f64 {
    let x = x.clamp(-1.0, 1.0);
    0.5 + x * (0.75 - 0.25 * x * x)
}

/// Part of the hours whose price is below `strike`, and their mean price; the lowest if none is.
fn below(hours: &[f64; 24], strike: f64) -> (f64, f64) {
    let (mut count, mut sum) = (0.0, 0.0);
    for price in hours {
        let runs = if *price < strike { 1.0 } else { 0.0 };
        count += runs;
        sum += runs * price;
    }
    if count == 0.0 {
        (0.0, hours.iter().copied().fold(f64::INFINITY, f64::min))
    } else {
        (count / 24.0, sum / count)
    }
}

/// What the cells of a region come to on a day.
#[derive(Default)]
struct Sums {
    /// TH/s that run.
    runs: f64,
    /// TH/s that would run without outages.
    up: f64,
    /// W of what runs, cooling included.
    watts: f64,
    /// W of what runs, machines alone.
    machine_watts: f64,
    /// W times USD/kWh.
    paid: f64,
    /// TH/s.
    installed: f64,
    /// W if all ran, cooling included.
    installed_watts: f64,
}

/// What events do to each region on a day.
struct Shocks {
    price_factor: f64,
    outage: Vec<f64>,
    dry: Vec<f64>,
    power_factor: Vec<f64>,
    surcharge: Vec<f64>,
    duty: Vec<f64>,
    ai_per_year: Vec<f64>,
    frozen: Vec<bool>,
    closed: Vec<bool>,
    /// Where a ban is being carried out.
    closing: Vec<bool>,
}

impl Shocks {
    fn on(p: &Parameters, regions: usize, events: &[Event], day: Day) -> Self {
        let mut shocks = Self {
            price_factor: 1.0,
            outage: vec![0.0; regions],
            dry: vec![0.0; regions],
            power_factor: vec![1.0; regions],
            surcharge: vec![0.0; regions],
            duty: vec![0.0; regions],
            ai_per_year: vec![0.0; regions],
            frozen: vec![false; regions],
            closed: vec![false; regions],
            closing: vec![false; regions],
        };
        for event in events {
            let size = event.strength(day);
            if size == 0.0 && !event.announced(day) {
                continue;
            }
            if event.effect == Effect::Price {
                shocks.price_factor *= 1.0 + size;
            }
            for &region in &event.regions {
                match event.effect {
                    Effect::Outage => {
                        shocks.outage[region] = 1.0 - (1.0 - shocks.outage[region]) * (1.0 - size.min(1.0))
                    }
                    Effect::Drought => shocks.dry[region] = shocks.dry[region].max(size.min(1.0)),
                    Effect::Power => shocks.power_factor[region] *= 1.0 + size,
                    Effect::Surcharge => shocks.surcharge[region] += size,
                    Effect::Duty => shocks.duty[region] += size,
                    Effect::Ai => {
                        let years = f64::from(day - event.start) / 365.25;
                        shocks.ai_per_year[region] += size * (1.0 + p.ai_growth_per_year).powf(years);
                    }
                    Effect::Freeze => shocks.frozen[region] = true,
                    Effect::Ban => {
                        shocks.frozen[region] = true;
                        shocks.closed[region] |= event.size >= 0.9;
                        shocks.closing[region] |= size > 0.0;
                    }
                    Effect::Price | Effect::None => {}
                }
            }
        }
        shocks
    }

    /// Part of power that is left where water is short: sites are cut with the rest.
    fn water(&self, hydro_fraction: f64, region: usize) -> f64 {
        1.0 - self.dry[region] * hydro_fraction
    }
}
