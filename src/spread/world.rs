//! A scenario made ready to run: everything that is the same in all its runs.

use std::sync::Arc;

use super::day::Day;
use super::history::PastEvent;
use super::inputs::{Effect, Inputs, SpotZone, TypeEffect, Vintage};
use super::parameters::Parameters;
use super::spot::SpotCurve;
use crate::energy::{Cooling, LocalHour, PriceBasis, Region, RegionCode};

/// A ban whose end comes within so many days means the end of its ramp.
const RAMP_DAYS_MAX: i32 = 120;

/// How long a ban takes that names no end: as China's did.
const RAMP_DAYS: i32 = 42;

/// The middle prices and build rates of `regions.csv` are of 2026.
const REGIONS_OF: Day = Day(20_454);

/// Machines on sale for longer are no longer made.
const MADE_FOR_DAYS: i32 = 640;

/// Something that happens in some regions between two days.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What it is called.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Indices of the regions.
    pub regions: Vec<usize>,
    /// Its first day.
    pub start: Day,
    /// Its last day; `None` for good.
    pub end: Option<Day>,
    /// How much.
    pub size: f64,
    /// Days from the end until all is as before.
    pub recovery_days: f64,
    /// When a ban was carried out, where that is known; else it is a line.
    pub stages: Vec<Stage>,
}

/// A part of a ban that is carried out between two days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
    /// Of the machines that were there before the ban, 0 to 1.
    pub part: f64,
}

impl Stage {
    fn done(&self, day: Day) -> f64 {
        self.part * (f64::from(day - self.from + 1) / f64::from(self.to - self.from + 1)).clamp(0.0, 1.0)
    }
}

impl Event {
    /// What the record tells of an event: one of it, or one for each region whose
    /// stages are known.
    #[must_use]
    pub fn of_past(
        past: &PastEvent,
        kind: &TypeEffect,
        inputs: &Inputs,
        places: &[Place],
        parameters: &Parameters,
    ) -> Vec<Self> {
        let of = |regions: Vec<usize>, stages: Vec<Stage>| Self {
            id: past.id.clone(),
            effect: kind.effect,
            regions,
            start: past.start,
            end: past.end,
            size: kind.size_with(parameters),
            recovery_days: kind.recovery_days,
            stages,
        };
        let meant = World::meant(places, &past.region);
        let (staged, others): (Vec<usize>, Vec<usize>) = meant
            .into_iter()
            .partition(|&at| inputs.stages.contains_key(&(past.id.clone(), places[at].region.code)));
        let mut events: Vec<Self> = staged
            .into_iter()
            .map(|at| of(vec![at], inputs.stages[&(past.id.clone(), places[at].region.code)].clone()))
            .collect();
        if events.is_empty() || !others.is_empty() {
            events.push(of(others, Vec::new()));
        }
        events
    }

    /// Whether a ban is known of: nobody builds or brings machines any more.
    #[must_use]
    pub fn announced(&self, day: Day) -> bool {
        self.effect == Effect::Ban && !self.stages.is_empty() && day >= self.start
    }

    /// How much of the event there is on a day, from 0 to its size.
    #[must_use]
    pub fn strength(&self, day: Day) -> f64 {
        if !self.stages.is_empty() {
            return self.size * self.stages.iter().map(|stage| stage.done(day)).sum::<f64>().min(1.0);
        }
        if day < self.start {
            return 0.0;
        }
        let since = f64::from(day - self.start);
        if self.effect == Effect::Ban {
            let (ramp, lifted) = match self.end {
                Some(end) if end - self.start <= RAMP_DAYS_MAX => (end - self.start, None),
                end => (RAMP_DAYS, end),
            };
            if lifted.is_some_and(|end| day > end) {
                return 0.0;
            }
            return self.size * ((since + 1.0) / (f64::from(ramp) + 1.0)).min(1.0);
        }
        match self.end {
            Some(end) if day > end => {
                let after = f64::from(day - end);
                if self.recovery_days > 0.0 {
                    self.size * (1.0 - after / (self.recovery_days + 1.0)).max(0.0)
                } else {
                    0.0
                }
            }
            _ => self.size,
        }
    }
}

/// A region, made ready.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its row in the atlas.
    pub region: Arc<Region>,
    /// Site power over machine power by cooling (air, hydro) and month.
    pub pue: [[f64; 2]; 12],
    /// Part of the time without an outage of the grid.
    pub available: f64,
    /// Part of hydro in its power.
    pub hydro_fraction: f64,
    /// Hydro output of each month over the year's mean, after storage.
    pub hydro_ratio: [f64; 12],
    /// Part of nominal hashrate that air-cooled machines reach in each month's heat.
    pub heat: [f64; 12],
    /// What a spot market costs, where sites pay one.
    pub spot: Option<(SpotZone, SpotCurve)>,
}

impl Place {
    /// Part of hydro in the power of a month: its output follows the water, that of other
    /// sources stays.
    #[must_use]
    pub fn hydro_in(&self, month: usize) -> f64 {
        let hydro = self.hydro_fraction * self.hydro_ratio[month];
        hydro / (hydro + 1.0 - self.hydro_fraction).max(1e-9)
    }

    /// What a delivered kWh costs more than the market's, USD: so that a mean hour
    /// costs the region's middle price.
    #[must_use]
    pub fn spot_adder(&self) -> f64 {
        self.spot.as_ref().map_or(0.0, |(_, curve)| curve.adder())
    }
}

/// Sites that a region can build on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayBuild {
    /// MW.
    pub mw_per_day: f64,
    /// Whether it is what was built, rather than what can be.
    pub dated: bool,
}

/// Machines that follow the seasons from one region to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// Index of the region that they leave.
    pub from: usize,
    /// Index of the region that they go to.
    pub to: usize,
    /// First and last day of leaving.
    pub days: (Day, Day),
    /// Of the machines there before, 0 to 1.
    pub part: f64,
}

impl Move {
    /// Part of the machines still there that leaves on a day.
    #[must_use]
    pub fn leaving(&self, day: Day) -> f64 {
        let (first, last) = self.days;
        if day < first || day > last {
            return 0.0;
        }
        let a_day = self.part / f64::from(last - first + 1);
        a_day / (1.0 - a_day * f64::from(day - first))
    }
}

/// Everything that is the same in all runs of a scenario.
#[derive(Debug, Clone)]
pub struct World {
    /// The numbers.
    pub parameters: Parameters,
    /// The regions.
    pub places: Vec<Place>,
    /// The machines.
    pub vintages: Vec<Vintage>,
    /// What happens.
    pub events: Vec<Event>,
    /// First day prepared.
    pub start: Day,
    /// Days prepared.
    pub days: usize,
    /// `[day][region]`: mean USD/kWh of the day before shocks.
    price_usd_per_kwh: Vec<f64>,
    /// `[day][region]`: sites that can be built in the day.
    builds: Vec<DayBuild>,
    /// Moves of a season.
    pub moves: Vec<Move>,
    /// Vintages by efficiency, the best first.
    best_first: Vec<usize>,
    /// `[month][region][vintage]`: W of a TH/s, cooling included.
    watts: Vec<f64>,
}

impl World {
    /// Prepares the days from `start` on.
    #[must_use]
    pub fn new(
        inputs: &Inputs,
        regions: Vec<Arc<Region>>,
        parameters: Parameters,
        events: Vec<Event>,
        start: Day,
        days: usize,
    ) -> Self {
        let places: Vec<Place> =
            regions.into_iter().map(|region| place(inputs, region, &parameters)).collect();
        let mut best_first: Vec<usize> = (0..inputs.vintages.len()).collect();
        best_first.sort_by(|a, b| {
            inputs.vintages[*a].efficiency_j_per_th.total_cmp(&inputs.vintages[*b].efficiency_j_per_th)
        });
        let mut world = Self {
            parameters,
            best_first,
            watts: Vec::new(),
            vintages: inputs.vintages.clone(),
            events,
            start,
            days,
            price_usd_per_kwh: Vec::with_capacity(days * places.len()),
            builds: Vec::with_capacity(days * places.len()),
            moves: Vec::new(),
            places,
        };
        for month in 0..12 {
            for place in &world.places {
                world.watts.extend(world.vintages.iter().map(|machine| {
                    machine.efficiency_j_per_th * place.pue[month][cooling_index(machine.cooling)]
                }));
            }
        }
        for day in 0..days {
            let day = start + day as i32;
            for place in &world.places {
                world
                    .price_usd_per_kwh
                    .push(tariff_on(&place.region, day) * hydro_price(place, day, &world.parameters));
                world.builds.push(build_on(inputs, &place.region, day, &world.parameters));
            }
        }
        world.moves = moves(inputs, &world);
        world
    }

    /// The index of a region.
    #[must_use]
    pub fn index(&self, code: RegionCode) -> Option<usize> {
        self.places.iter().position(|place| place.region.code == code)
    }

    /// The vintages by efficiency, the best first.
    #[must_use]
    pub fn best_first(&self) -> &[usize] {
        &self.best_first
    }

    /// Watts of a TH/s of a vintage in a region and month, cooling included.
    #[must_use]
    pub fn watts_per_ths(&self, region: usize, vintage: usize, month: usize) -> f64 {
        self.watts_in(month)[region * self.vintages.len() + vintage]
    }

    /// `[region][vintage]`: watts of a TH/s in a month, cooling included.
    #[must_use]
    pub fn watts_in(&self, month: usize) -> &[f64] {
        let cells = self.places.len() * self.vintages.len();
        &self.watts[month * cells..(month + 1) * cells]
    }

    /// How a vintage is cooled: the index of its PUE.
    #[must_use]
    pub fn cooling(&self, vintage: usize) -> usize {
        cooling_index(self.vintages[vintage].cooling)
    }

    /// The most efficient vintage on sale; the oldest if none is yet.
    #[must_use]
    pub fn best_on_sale(&self, day: Day) -> usize {
        let on_sale = |at: &&usize| self.vintages[**at].available_from <= day;
        self.best_first.iter().find(on_sale).copied().unwrap_or(0)
    }

    /// What factories make on a day: vintages with their part, and their mean J/TH. The
    /// latest, if none is new.
    #[must_use]
    pub fn made(&self, day: Day) -> (Vec<(usize, f64)>, f64) {
        let out = |at: &usize| self.vintages[*at].available_from <= day;
        let came = |at: usize| self.vintages[at].available_from;
        let latest = (0..self.vintages.len()).filter(out).map(came).max();
        let oldest = latest.map_or(day, |latest| latest.min(day - MADE_FOR_DAYS));
        let weight = |at: usize| self.vintages[at].efficiency_j_per_th.powi(-4);
        let mut made: Vec<(usize, f64)> = (0..self.vintages.len())
            .filter(|at| out(at) && came(*at) >= oldest)
            .map(|at| (at, weight(at)))
            .collect();
        let sum: f64 = made.iter().map(|(_, weight)| weight).sum();
        made.iter_mut().for_each(|(_, weight)| *weight /= sum);
        let efficiency = made.iter().map(|(at, part)| part * self.vintages[*at].efficiency_j_per_th).sum();
        (made, efficiency)
    }

    /// MW of machines that factories can begin in a day.
    #[must_use]
    pub fn factory_mw_per_day(&self, day: Day) -> f64 {
        self.parameters.delivered_mw_per_month_max / 30.44 * trade_on(day, &self.parameters)
    }

    /// Mean USD/kWh of a day and a region, before shocks.
    #[must_use]
    pub fn price(&self, day: Day, region: usize) -> f64 {
        self.price_usd_per_kwh[self.at(day, region)]
    }

    /// Sites that a region can build on a day.
    #[must_use]
    pub fn build(&self, day: Day, region: usize) -> DayBuild {
        self.builds[self.at(day, region)]
    }

    fn at(&self, day: Day, region: usize) -> usize {
        let day = ((day - self.start).max(0) as usize).min(self.days - 1);
        day * self.places.len() + region
    }

    /// The regions that a name of an event means: a region, the first part of
    /// several (`US` for `US-TX` and others), a country's ISO code, or `WORLD`.
    #[must_use]
    pub fn meant(places: &[Place], name: &str) -> Vec<usize> {
        let is_meant = |place: &Place| {
            let code = place.region.code.as_str();
            name == "WORLD"
                || code == name
                || place.region.iso3 == name
                || code.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
        };
        places.iter().enumerate().filter(|(_, place)| is_meant(place)).map(|(at, _)| at).collect()
    }
}

fn place(inputs: &Inputs, region: Arc<Region>, parameters: &Parameters) -> Place {
    let seasons = &inputs.seasons[&region.code];
    let temperature = seasons.temperature_c;
    let pue = temperature.map(|c| {
        let air: f64 = 1.04 + 0.003 * (c - 10.0).max(0.0);
        let hydro: f64 = 1.05 + 0.0015 * (c - 20.0).max(0.0);
        [air.clamp(1.01, 1.20), hydro.clamp(1.01, 1.20)]
    });
    let heat = temperature.map(|c| {
        let hot = c + parameters.heat_day_swing_c - parameters.heat_start_c;
        1.0 - parameters.heat_loss_per_c * hot.max(0.0)
    });
    let hydro_ratio = seasons.hydro_ratio.map(|ratio| 1.0 + (ratio - 1.0) * (1.0 - seasons.storage_damping));
    let spot = inputs.spot.get(&region.code).map(|zone| {
        let curve = SpotCurve::of(zone, region.price_mid.0);
        (zone.clone(), curve)
    });
    Place {
        available: 1.0 - region.outage_hours_per_year / 8_766.0,
        pue,
        hydro_fraction: seasons.hydro_fraction,
        hydro_ratio,
        heat,
        spot,
        region,
    }
}

/// USD/kWh, mean of the day's hours. After its last tariff a region keeps it, if
/// that is newer than the middle price.
fn tariff_on(region: &Region, day: Day) -> f64 {
    let last = region
        .tariffs()
        .iter()
        .filter(|tariff| tariff.role == crate::energy::Role::Charged)
        .filter_map(|tariff| tariff.valid_to)
        .map(Day::of)
        .max();
    let open = region
        .tariffs()
        .iter()
        .any(|tariff| tariff.role == crate::energy::Role::Charged && tariff.valid_to.is_none());
    let day = match last {
        Some(last) if !open && last >= REGIONS_OF => day.min(last),
        _ => day,
    };
    let of = |hour| region.price_in(LocalHour { day: i64::from(day.0), hour });
    (0..24).map(|hour| of(hour).value.0).sum::<f64>() / 24.0
}

/// Wet months are cheap: the ratio of a day's price to the year's, for the part
/// of hydro. A tariff that is charged is what it is.
fn hydro_price(place: &Place, day: Day, parameters: &Parameters) -> f64 {
    let noon = place.region.price_in(LocalHour { day: i64::from(day.0), hour: 12 });
    if matches!(noon.basis, PriceBasis::Tariff(_)) || place.spot.is_some() {
        return 1.0;
    }
    let ratio = place.hydro_ratio[day.month()].max(0.05);
    1.0 - place.hydro_fraction + place.hydro_fraction * ratio.powf(-parameters.hydro_price_exponent)
}

fn build_on(inputs: &Inputs, region: &Region, day: Day, parameters: &Parameters) -> DayBuild {
    let dated = inputs
        .builds
        .iter()
        .find(|build| build.region == region.code && build.from <= day && day <= build.to);
    let mw_per_month = match dated {
        Some(build) => build.mw_per_month,
        None => region.build_power_per_month.0 / 1e6 * trade_on(day, parameters),
    };
    DayBuild { mw_per_day: mw_per_month / 30.44, dated: dated.is_some() }
}

/// Size of the trade over that on the date of `regions.csv`: it was smaller before.
fn trade_on(day: Day, parameters: &Parameters) -> f64 {
    let years = f64::from((REGIONS_OF - day).max(0)) / 365.25;
    (-parameters.build_growth_per_year * years).exp()
}

/// The moves of each year that the world's days touch.
fn moves(inputs: &Inputs, world: &World) -> Vec<Move> {
    let (first, last) = (world.start, world.start + world.days as i32);
    let mut moves = Vec::new();
    for row in &inputs.moves {
        let (Some(from), Some(to)) = (world.index(row.from), world.index(row.to)) else { continue };
        for year in first.date().year()..=last.date().year() {
            let on = |(month, day): (i8, i8)| jiff::civil::Date::new(year, month, day).map(Day::of);
            // A 29th of February is not in the table.
            let (Ok(begin), Ok(end)) = (on(row.begins), on(row.ends)) else { continue };
            if row.valid.0 <= begin && end <= row.valid.1 {
                moves.push(Move { from, to, days: (begin, end), part: row.part });
            }
        }
    }
    moves
}

/// Which PUE of a [`Place`] a machine has.
#[must_use]
pub fn cooling_index(cooling: Cooling) -> usize {
    match cooling {
        Cooling::Air => 0,
        Cooling::Hydro => 1,
    }
}
