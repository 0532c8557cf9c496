//! A scenario made ready to run: everything that is the same in all its runs.

use std::sync::Arc;

use super::day::Day;
use super::inputs::{Effect, Inputs, SpotZone, Vintage};
use super::parameters::Parameters;
use super::spot::SpotCurve;
use crate::energy::{Cooling, LocalHour, PriceBasis, Region, RegionCode};

/// A ban whose end comes within so many days means the end of its ramp.
const RAMP_DAYS_MAX: i32 = 120;

/// How long a ban takes that names no end: as China's did.
const RAMP_DAYS: i32 = 42;

/// The middle prices of `regions.csv` are of 2026.
const MIDDLE_PRICES_OF: Day = Day(20_454);

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
}

impl Event {
    /// How much of the event there is on a day, from 0 to its size.
    #[must_use]
    pub fn strength(&self, day: Day) -> f64 {
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
    /// What a delivered kWh costs more than the market's, USD: so that a mean hour
    /// costs the region's middle price.
    #[must_use]
    pub fn spot_adder(&self) -> f64 {
        self.spot.as_ref().map_or(0.0, |(_, curve)| curve.adder())
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
    /// `[day][region]`: MW of sites that can be built in the day.
    build_mw_per_day: Vec<f64>,
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
            build_mw_per_day: Vec::with_capacity(days * places.len()),
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
                world.build_mw_per_day.push(build_on(inputs, &place.region, day) / 30.44);
            }
        }
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

    /// Mean USD/kWh of a day and a region, before shocks.
    #[must_use]
    pub fn price(&self, day: Day, region: usize) -> f64 {
        self.price_usd_per_kwh[self.at(day, region)]
    }

    /// MW of sites that a region can build on a day.
    #[must_use]
    pub fn build(&self, day: Day, region: usize) -> f64 {
        self.build_mw_per_day[self.at(day, region)]
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
        Some(last) if !open && last >= MIDDLE_PRICES_OF => day.min(last),
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

fn build_on(inputs: &Inputs, region: &Region, day: Day) -> f64 {
    inputs
        .builds
        .iter()
        .find(|build| build.region == region.code && build.from <= day && day <= build.to)
        .map_or(region.build_power_per_month.0 / 1e6, |build| build.mw_per_month)
}

/// Which PUE of a [`Place`] a machine has.
#[must_use]
pub fn cooling_index(cooling: Cooling) -> usize {
    match cooling {
        Cooling::Air => 0,
        Cooling::Hydro => 1,
    }
}
