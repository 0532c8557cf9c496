//! A day of the world: what machines earn and cost, who runs, who moves, what
//! is bought and built, and the blocks that come of it.
//!
//! ```text
//! hashprice [USD/TH/s/day]  pi = (S + F) P (1 - f) 1e12 x 86400 / (D x 2^32)
//! cost [USD/TH/s/day]       c  = 0.024 e PUE (p + o)
//! margin                    z  = pi / c - 1
//! ```
//!
//! S, F subsidy and fees in BTC, P price in USD/BTC, f the pool's fee, D difficulty,
//! e efficiency in J/TH, p power and o operation in USD/kWh. docs/model.md has all
//! equations and a worked number for each.

use rand::Rng;

use super::chain::{Chain, HASHES, Luck, subsidy_btc};
use super::day::Day;
use super::fleet::Fleet;
use super::inputs::Effect;
use super::world::{Event, World};

/// kWh per day of a watt.
pub const KWH_PER_WATT_DAY: f64 = 0.024;

/// Free sites over all above which nobody builds more.
const VACANT_ENOUGH: f64 = 0.15;

/// Days of price that the orders under way at the beginning are made of.
const HISTORY_DAYS: i32 = 1_000;

/// Machines on sale for longer are no longer made.
const MADE_FOR_DAYS: i32 = 640;

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
    /// New machines ordered that are made, and that are under way: two stages, TH/s in a day.
    pub orders_ths_per_day: [f64; 2],
    /// `[event]`: how much of a ban has been carried out, 0 to 1.
    banned: Vec<f64>,
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
            orders_ths_per_day: [0.0; 2],
            banned: Vec::new(),
            fleet,
            chain,
        };
        let today = state.first_day(world, price_usd);
        let hashrate_ths: f64 = today.hashrate_ths.iter().sum();
        let cost = today.power_usd.iter().sum::<f64>() / hashrate_ths;
        state.hashprice_memory = hashprice * price_before(HISTORY_DAYS) / price_usd;
        // As if fleet and difficulty had been those of the first day.
        for back in (1..=HISTORY_DAYS).rev() {
            let earned = hashprice * price_before(back) / price_usd;
            let margin = (earned - cost).max(0.0) * hashrate_ths;
            state.order(world, earned, margin);
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
        let shocks = Shocks::on(world.places.len(), outside.events, day);
        self.carry_out_bans(world, outside.events, day);

        let price_usd = outside.price_usd * shocks.price_factor;
        let hashprice = hashprice(world, &self.chain, price_usd);
        self.hashprice_week += (hashprice - self.hashprice_week) / 7.0;
        let rig_usd_per_ths = p.rig_payback_days * self.hashprice_memory;

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
        let width = p.cost_spread * 5.0_f64.sqrt();
        let all_watts = world.watts_in(month);
        let (mut hour_ths, mut steady_ths) = ([0.0; 24], 0.0);

        for region in 0..regions {
            let place = &world.places[region];
            let base = world.price(day, region) * shocks.power_factor[region] + shocks.surcharge[region];
            let extra = base - world.price(day, region);
            let available =
                place.available * (1.0 - shocks.outage[region]) * shocks.water(place.hydro_fraction, region);
            let first = self.fleet.of(region).start;
            for cell in self.fleet.of(region) {
                let vintage = cell - first;
                // Nobody has such machines here, and none are looking for a site.
                if self.fleet.installed[cell] <= 0.0 && self.fleet.waiting[vintage] <= 0.0 {
                    continue;
                }
                let watts = all_watts[cell];
                // Below which price of power the hour is worth running.
                let strike = self.hashprice_week / (KWH_PER_WATT_DAY * watts) - p.operation_usd_per_kwh;
                let hours = outside.hours.and_then(|hours| hours[region].as_ref());
                let (uptime, power_price) = match (hours, &place.spot) {
                    (Some(hours), _) => below(hours, strike - extra, extra),
                    (None, Some((_, curve))) => {
                        let (uptime, price) = curve.below(strike - extra);
                        (uptime, price + extra)
                    }
                    (None, None) => (1.0, base),
                };
                let cost = KWH_PER_WATT_DAY * watts * (power_price + p.operation_usd_per_kwh);
                let margin = self.hashprice_week / cost - 1.0;
                // Sites differ: so many would start, so many would go on.
                let would_start = part_below((margin - p.on_threshold) / width);
                let would_go_on = part_below((margin + p.off_threshold) / width);
                let wanted = self.fleet.on[cell].clamp(would_start, would_go_on);
                self.fleet.on[cell] += (wanted - self.fleet.on[cell]) / p.switch_days;
                profits[cell] = margin > p.on_threshold && uptime > 0.5;
                sells[cell] = margin < -p.off_threshold;

                let heat = if world.cooling(vintage) == 0 { place.heat[month] } else { 1.0 };
                let up = self.fleet.installed[cell] * self.fleet.on[cell] * uptime * heat;
                let runs = up * available;
                let mw = runs * watts / 1e6;
                today.hashrate_ths[region] += runs;
                match hours {
                    Some(hours) if uptime > 0.0 => {
                        let in_hour = runs / uptime;
                        for (sum, price) in hour_ths.iter_mut().zip(hours) {
                            *sum += if *price < strike - extra { in_hour } else { 0.0 };
                        }
                    }
                    _ => steady_ths += runs,
                }
                today.lost_ths[region] += up - runs;
                today.power_mw[region] += mw;
                today.machine_mw += runs * world.vintages[vintage].efficiency_j_per_th / 1e6;
                today.power_usd[region] += mw * 24_000.0 * power_price;
                today.capital_usd[region] += self.fleet.installed[cell] * capital_per_day;
            }
            today.power_price[region] = match today.power_mw[region] {
                0.0 => base,
                mw => today.power_usd[region] / (mw * 24_000.0),
            };
            // What a kilowatt leaves here, relative to what it earns, on the best machine.
            let best = world.best_on_sale(day);
            let watts = world.watts_per_ths(region, best, month);
            let earns = self.hashprice_week / (KWH_PER_WATT_DAY * watts);
            let leaves =
                ((earns - today.power_price[region] - p.operation_usd_per_kwh) / earns).clamp(-1.0, 1.0);
            let landed = leaves - shocks.duty[region] * rig_usd_per_ths / (self.hashprice_week * 1_460.0);
            weight[region] = if shocks.closed[region] { 0.0 } else { (p.preference * landed).exp() };
            self.build(world, region, leaves, &shocks, month);
        }
        self.buy(world, &today);
        self.fleet.transport(world);
        self.fleet.retire(world, &sells);
        self.fleet.place(world, month, &weight, &profits);

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

    fn build(&mut self, world: &World, region: usize, leaves: f64, shocks: &Shocks, month: usize) {
        let p = &world.parameters;
        let capacity = self.fleet.capacity_mw[region];
        let vacant = capacity - self.fleet.installed_mw(world, region, month);
        if !shocks.frozen[region] && vacant < VACANT_ENOUGH * capacity.max(10.0) {
            // Against a gross margin of one half.
            let keen = (leaves.max(0.0) / 0.5).powf(p.build_profit_exponent).min(2.0);
            self.fleet.capacity_mw[region] += world.build(self.day, region) * keen;
        }
        let converted = shocks.ai_per_year[region] * p.convertible_to_ai / 365.25;
        if converted > 0.0 {
            self.fleet.capacity_mw[region] *= 1.0 - converted;
            let vacant = self.fleet.capacity_mw[region] - self.fleet.installed_mw(world, region, month);
            if vacant < 0.0 {
                self.fleet.evict(region, -vacant / (self.fleet.capacity_mw[region] - vacant));
            }
        }
    }

    /// A part of a day's profit buys machines at the price of the day; both stages move on.
    fn order(&mut self, world: &World, hashprice: f64, profit_usd: f64) {
        let p = &world.parameters;
        self.hashprice_memory += (hashprice - self.hashprice_memory) / p.rig_price_memory_days;
        let wanted = p.reinvested * profit_usd / (p.rig_payback_days * self.hashprice_memory);
        let stage_days = p.delivery_days / 2.0;
        let [made, under_way] = &mut self.orders_ths_per_day;
        *under_way += (*made - *under_way) / stage_days;
        *made += (wanted - *made) / stage_days;
    }

    /// New machines for what was ordered; they wait for a site like the others.
    fn buy(&mut self, world: &World, today: &Today) {
        let p = &world.parameters;
        self.order(world, today.hashprice, profit(today).max(0.0));
        let made: Vec<(usize, f64)> = world
            .vintages
            .iter()
            .enumerate()
            .filter(|(_, vintage)| (0..MADE_FOR_DAYS).contains(&(self.day - vintage.available_from)))
            .map(|(at, vintage)| (at, vintage.efficiency_j_per_th.powi(-4)))
            .collect();
        let sum: f64 = made.iter().map(|(_, weight)| weight).sum();
        if sum <= 0.0 {
            return;
        }
        let efficiency: f64 =
            made.iter().map(|(at, weight)| weight / sum * world.vintages[*at].efficiency_j_per_th).sum();
        let most = p.delivered_mw_per_month_max * 1e6 / 30.44 / efficiency;
        let delivered = self.orders_ths_per_day[1].min(most);
        for (at, weight) in made {
            self.fleet.waiting[at] += delivered * weight / sum;
        }
        self.fleet.ledger.delivered += delivered;
    }
}

/// Revenue of a TH/s and day after the pool's fee, USD.
#[must_use]
pub fn hashprice(world: &World, chain: &Chain, price_usd: f64) -> f64 {
    let p = &world.parameters;
    let per_block = subsidy_btc(chain.height) * (1.0 + p.fee_share) * (1.0 - p.pool_fee) * price_usd;
    per_block * 1e12 * 86_400.0 / (chain.difficulty * HASHES)
}

/// What is left of a day's revenue after power and operation, USD.
fn profit(today: &Today) -> f64 {
    let hashrate: f64 = today.hashrate_ths.iter().sum();
    today.hashprice * hashrate - today.power_usd.iter().sum::<f64>()
}

/// Part of sites whose cost lies below the mean by no more than `x` half widths:
/// the distribution 3/4 (1 - x^2), which has a standard deviation of 1/sqrt(5).
fn part_below(x: f64) -> f64 {
    let x = x.clamp(-1.0, 1.0);
    0.5 + x * (0.75 - 0.25 * x * x)
}

/// Part of the hours whose price is below `strike`, and their mean price and `extra`.
fn below(hours: &[f64; 24], strike: f64, extra: f64) -> (f64, f64) {
    let (mut count, mut sum) = (0.0, 0.0);
    for price in hours {
        let runs = if *price < strike { 1.0 } else { 0.0 };
        count += runs;
        sum += runs * price;
    }
    if count == 0.0 {
        (0.0, hours.iter().copied().fold(f64::INFINITY, f64::min) + extra)
    } else {
        (count / 24.0, sum / count + extra)
    }
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
}

impl Shocks {
    fn on(regions: usize, events: &[Event], day: Day) -> Self {
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
        };
        for event in events {
            let size = event.strength(day);
            if size == 0.0 {
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
                    Effect::Ai => shocks.ai_per_year[region] += size,
                    Effect::Freeze => shocks.frozen[region] = true,
                    Effect::Ban => {
                        shocks.frozen[region] = true;
                        shocks.closed[region] |= event.size >= 0.9;
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
