//! One run of a scenario: its draws, its days, its record.
//!
//! Each kind of chance has a stream of its own (price, blocks, bans, and one for
//! each spot market), so that changing one leaves the others as they were. A
//! stream is chosen by seed and run alone: runs can be made in any order, on any
//! thread or machine.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::chain::{Chain, HASHES, Luck};
use super::day::Day;
use super::fleet::Fleet;
use super::inputs::Effect;
use super::measure::{country_shares, entropy, hhi, nakamoto};
use super::record::{REGIONAL, Record, WORLD};
use super::scenario::{Price, Ready, Step};
use super::spot::SpotPath;
use super::step::{KWH_PER_WATT_DAY, Outside, State, Today};
use super::world::{Event, Place};
use crate::energy::LocalHour;

const DAYS_PER_YEAR: f64 = 365.25;

/// Below so many bitcoin a day nobody mines, and a cost of one means nothing.
const LEAST_BTC: f64 = 1e-4;

/// Streams of chance.
const PRICE: u64 = 1;
const BLOCKS: u64 = 2;
const BANS: u64 = 3;
const SPOT: u64 = 100;

fn stream(seed: u64, run: u32, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((u64::from(run) << 20) | stream);
    rng
}

/// A run.
#[must_use]
pub fn run(ready: &Ready, seed: u64, run: u32) -> Record {
    let Ready { scenario, world, shares, history } = ready;
    let p = &world.parameters;
    let start = scenario.start;
    let fleet = |installed_ehs: f64| {
        Fleet::new(world, installed_ehs * 1e6, shares, scenario.world.efficiency_j_per_th)
    };
    let difficulty = scenario.world.hashrate_ehs * 1e18 * 600.0 / HASHES;
    let in_epoch = f64::from(scenario.world.height % super::chain::EPOCH_BLOCKS);
    let chain = Chain::new(f64::from(scenario.world.height), difficulty, in_epoch, in_epoch * 600.0);
    let last = start + 100_000;
    let first_usd = match scenario.price {
        Price::Constant { usd } | Price::Walk { usd } => usd,
        Price::History => history.price_on(start, last),
    };
    let recorded = history.price_on(start, start);
    let before = |back| first_usd * history.price_on(start - back, start) / recorded;
    // The scenario names what runs; heat, outages and dear hours keep some of what is installed off.
    let wanted = scenario.world.hashrate_ehs;
    let runs = State::new(world, fleet(wanted), chain.clone(), before).first_day_ths(world, first_usd) / 1e6;
    let mut state = State::new(world, fleet(wanted * wanted / runs.max(1e-9)), chain, before);
    let mut events = world.events.clone();
    if scenario.random_bans {
        events.extend(bans(ready, &mut stream(seed, run, BANS)));
    }
    let mut price_rng = stream(seed, run, PRICE);
    let mut block_rng = stream(seed, run, BLOCKS);
    let mut spots: Vec<Option<SpotPath>> = world
        .places
        .iter()
        .enumerate()
        .map(|(at, place)| {
            let hourly = scenario.step == Step::Hour;
            place
                .spot
                .as_ref()
                .filter(|_| hourly)
                .map(|(zone, _)| SpotPath::new(zone, stream(seed, run, SPOT + at as u64)))
        })
        .collect();
    let mut hours: Vec<Option<[f64; 24]>> = vec![None; world.places.len()];
    let mut record = Record::new(run, world.places.iter().map(|place| place.region.code).collect());
    let mut usd = first_usd;
    for since in 0..world.days {
        let day = start + since as i32;
        match scenario.price {
            Price::Constant { .. } => {}
            Price::Walk { .. } => {
                let draw: f64 = StandardNormal.sample(&mut price_rng);
                if since > 0 {
                    usd *= (p.price_drift_per_year / DAYS_PER_YEAR
                        + p.price_volatility_per_year * draw / DAYS_PER_YEAR.sqrt())
                    .exp();
                }
            }
            Price::History => usd = history.price_on(day, last),
        }
        if scenario.step == Step::Hour {
            for ((hours, spot), place) in hours.iter_mut().zip(&mut spots).zip(&world.places) {
                *hours = match spot {
                    Some(spot) => Some(
                        spot.day(day.month(), utc_offset_hours(place)).map(|spot| spot + place.spot_adder()),
                    ),
                    None => tariff_hours(place, day),
                };
            }
        }
        let outside = Outside {
            price_usd: usd,
            hours: (scenario.step == Step::Hour).then_some(hours.as_slice()),
            events: &events,
        };
        let today = state.step(world, &outside, &mut Luck::Poisson(&mut block_rng));
        if since % scenario.record_every_days as usize == 0 || since + 1 == world.days {
            note(&mut record, ready, day, &state, &today);
        }
    }
    record
}

/// Bans drawn by the regions' hazards. Sizes and hazards are guesses.
fn bans(ready: &Ready, rng: &mut ChaCha8Rng) -> Vec<Event> {
    let years = f64::from(ready.scenario.end - ready.scenario.start) / DAYS_PER_YEAR;
    let mut events = Vec::new();
    for (at, place) in ready.world.places.iter().enumerate() {
        // The same number of draws for each region: another's hazard changes nothing here.
        let (chance, when, size): (f64, f64, f64) = (rng.random(), rng.random(), rng.random_range(0.3..1.0));
        if chance < 1.0 - (-place.region.policy_hazard_per_year * years).exp() {
            events.push(Event {
                id: format!("drawn_ban_{}", place.region.code),
                effect: Effect::Ban,
                regions: vec![at],
                start: ready.scenario.start + (when * years * DAYS_PER_YEAR) as i32,
                end: None,
                size,
                recovery_days: 0.0,
                stages: Vec::new(),
            });
        }
    }
    events
}

/// Prices of a day's hours in UTC, where the tariff in force has several.
fn tariff_hours(place: &Place, day: Day) -> Option<[f64; 24]> {
    let mut hours = [0.0; 24];
    for (hour, price) in hours.iter_mut().enumerate() {
        *price = place.region.price_in(LocalHour { day: i64::from(day.0), hour: hour as u8 }).value.0;
    }
    let differ = hours.iter().any(|price| *price != hours[0]);
    // Local hour h is UTC hour h - offset.
    hours.rotate_left(utc_offset_hours(place));
    differ.then_some(hours)
}

/// Hours that local time is ahead of UTC, 0 to 23.
fn utc_offset_hours(place: &Place) -> usize {
    (place.region.utc_offset_seconds / 3_600).rem_euclid(24) as usize
}

/// Adds a day to the record, in the order of [`WORLD`] and [`REGIONAL`].
fn note(record: &mut Record, ready: &Ready, day: Day, state: &State, today: &Today) {
    let world = &ready.world;
    let hashrate_ths: f64 = today.hashrate_ths.iter().sum();
    let shares = country_shares(world, &today.hashrate_ths);
    let power_mw: f64 = today.power_mw.iter().sum();
    let power_usd: f64 = today.power_usd.iter().sum();
    let operation = world.parameters.operation_usd_per_kwh;
    let btc = |ths: f64| today.revenue_usd / today.price_usd * ths / hashrate_ths;
    let cost = |mw: f64, usd: f64, capital: f64| usd + mw * 24_000.0 * operation + capital;
    let carbon: Vec<f64> = today
        .power_mw
        .iter()
        .zip(&world.places)
        .map(|(mw, place)| mw * 24_000.0 * place.region.carbon_g_per_kwh / 1e6)
        .collect();
    let mean_price = if power_mw > 0.0 { power_usd / (power_mw * 24_000.0) } else { 0.0 };
    let per_btc = |cost: f64, btc: f64| if btc > LEAST_BTC { cost / btc } else { f64::NAN };
    let capital: f64 = today.capital_usd.iter().sum();
    let installed = state.fleet.installed_ths();
    let machine_watts_per_ths = if hashrate_ths > 0.0 { today.machine_mw * 1e6 / hashrate_ths } else { 0.0 };
    record.days.push(day);
    record.world.extend([
        hashrate_ths / 1e6,
        state.chain.difficulty,
        if today.blocks > 0.0 { 86_400.0 / today.blocks } else { f64::NAN },
        today.price_usd,
        today.hashprice * 1e3,
        hhi(&shares),
        entropy(&shares),
        nakamoto(&shares) as f64,
        power_mw,
        power_mw * 24.0 * DAYS_PER_YEAR / 1e6,
        carbon.iter().sum(),
        machine_watts_per_ths,
        mean_price,
        per_btc(cost(power_mw, power_usd, capital), btc(hashrate_ths)),
        hashrate_ths * machine_watts_per_ths * KWH_PER_WATT_DAY * mean_price,
        if installed > 0.0 { 1.0 - hashrate_ths / installed } else { 0.0 },
        state.fleet.in_transit_ths() / 1e6,
        state.fleet.ledger.delivered / 1e6,
    ]);
    debug_assert_eq!(record.world.len(), record.days.len() * WORLD.len());
    let regions = world.places.len();
    let installed_in: Vec<f64> = (0..regions)
        .map(|region| state.fleet.of(region).map(|cell| state.fleet.installed[cell]).sum())
        .collect();
    let columns: [Vec<f64>; REGIONAL.len()] = [
        today.hashrate_ths.iter().map(|ths| ths / 1e6).collect(),
        today
            .hashrate_ths
            .iter()
            .map(|ths| if hashrate_ths > 0.0 { ths / hashrate_ths } else { 0.0 })
            .collect(),
        today.power_mw.clone(),
        today.power_price.clone(),
        (0..regions)
            .map(|at| {
                per_btc(
                    cost(today.power_mw[at], today.power_usd[at], today.capital_usd[at]),
                    btc(today.hashrate_ths[at]),
                )
            })
            .collect(),
        today
            .hashrate_ths
            .iter()
            .zip(&installed_in)
            .map(|(ths, all)| if *all > 0.0 { ths / all } else { 0.0 })
            .collect(),
        today.lost_ths.iter().map(|ths| ths / 1e6).collect(),
        carbon,
        state.fleet.capacity_mw.clone(),
    ];
    record.regional.extend(columns.into_iter().flatten());
}
