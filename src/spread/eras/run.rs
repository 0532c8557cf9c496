//! The months of a run, from the first block on, and what a run draws.
//!
//! What nobody knows is drawn once a run, each number from a stream of its own that seed,
//! run and the number's name choose: a new row of data/eras.csv leaves the others as they were.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::record::{Model, Record};
use super::inputs::{CLASSES, Class, Common, Device, Number};
use super::market::{
    DAYS_PER_MONTH, KWH_PER_J_DAY, break_even, divide, inverse_normal, normal, part_buying, part_running,
    worth,
};
use super::scenario::{Outside, Ready};
use super::sites::{Concentration, Sites, spread_out};

const COUNT: usize = CLASSES.len();
const HOME: usize = 0;

/// Blocks between two halvings.
const HALVING_BLOCKS: f64 = 210_000.0;

/// How much more a class buys of what returns more: in proportion to return ^ 4, as vintages
/// of the fleets model are bought by their efficiency.
const RETURN_EXPONENT: i32 = 4;

/// The numbers of a run.
struct Numbers {
    common: Common,
    classes: [Class; COUNT],
}

/// A run with every number as the table has it.
#[must_use]
pub fn middle(ready: &Ready) -> Record {
    simulate(ready, 0, &|number| number.value)
}

/// A run. Numbers are drawn between their least and their most, likeliest at their value: the
/// density is a triangle.
#[must_use]
pub fn run(ready: &Ready, seed: u64, run: u32) -> Record {
    simulate(ready, run, &|number| {
        // FNV-1a of the name chooses the stream.
        let name = number.key().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((u64::from(run) << 32) | (name & 0xffff_ffff));
        triangle(number, rng.random())
    })
}

/// The number below which a triangular draw lies with probability `part`.
fn triangle(&Number { value, low, high, .. }: &Number, part: f64) -> f64 {
    if high <= low {
        return value;
    }
    let rising = (value - low) / (high - low);
    if part < rising {
        low + (part * (high - low) * (value - low)).sqrt()
    } else {
        high - ((1.0 - part) * (high - low) * (high - value)).sqrt()
    }
}

fn simulate(ready: &Ready, run: u32, value: &dyn Fn(&Number) -> f64) -> Record {
    let numbers = &ready.inputs.numbers;
    let of = |class: Option<usize>, name: &str| {
        let at = numbers.iter().position(|number| number.class == class && number.name == name);
        let at = at.expect("a test has read every number");
        ready.fixed[at].unwrap_or_else(|| value(&numbers[at]))
    };
    let numbers = Numbers {
        common: Common::of(|name| of(None, name)),
        classes: std::array::from_fn(|class| Class::of(|name| of(Some(class), name))),
    };
    let mut record = Record::of(Model::Eras, run, ready.inputs.codes());
    let first = super::inputs::Month::of(ready.scenario.start);
    let mut state = State::new(&ready.inputs.devices);
    for outside in &ready.outside {
        let month = state.step(&numbers, outside);
        if outside.month >= first {
            note(&mut record, &numbers, &ready.inputs.devices, outside, &month);
        }
    }
    record
}

/// By class, then generation.
type Grid = [Vec<f64>; COUNT];

fn grid(devices: usize) -> Grid {
    std::array::from_fn(|_| vec![0.0; devices])
}

struct State<'a> {
    devices: &'a [Device],
    /// Installed, TH/s.
    stock: Grid,
    /// Of that, what homes run whatever it earns, TH/s.
    hobby: Grid,
    /// Which part of a class bought it: those whose power is cheapest.
    bought_by: Grid,
    /// What it cost and is not written off, USD.
    book: Grid,
    /// Part that ran last month.
    on: Grid,
    /// Power that the sites of a class can take, kW.
    capacity_kw: [f64; COUNT],
    /// Power that a class without a site would have bought, kW: it waits for the least site.
    saved_kw: [f64; COUNT],
    /// Profit of last month, USD/day.
    profit: [f64; COUNT],
    /// Hashprice when a generation came out, USD/TH/s/day.
    first_hashprice: Vec<Option<f64>>,
    height: f64,
}

/// What happened in a month.
struct Month {
    /// USD/TH/s/day.
    hashprice: f64,
    btc_per_day: f64,
    running: Grid,
    stock: Grid,
    /// USD/day of power, of power and operation, of capital.
    power_usd: Grid,
    running_usd: Grid,
    capital_usd: Grid,
}

impl<'a> State<'a> {
    fn new(devices: &'a [Device]) -> Self {
        let empty = || grid(devices.len());
        Self {
            devices,
            stock: empty(),
            hobby: empty(),
            bought_by: empty(),
            book: empty(),
            on: empty(),
            capacity_kw: [0.0; COUNT],
            saved_kw: [0.0; COUNT],
            profit: [0.0; COUNT],
            first_hashprice: vec![None; devices.len()],
            height: 0.0,
        }
    }

    fn step(&mut self, numbers: &Numbers, outside: &Outside) -> Month {
        let Numbers { common, classes } = numbers;
        let btc_per_day = outside.blocks_per_day * 50.0 / 2_f64.powf((self.height / HALVING_BLOCKS).floor())
            * (1.0 + common.fee_share);
        self.height += outside.blocks_per_day * DAYS_PER_MONTH;
        let hashprice = btc_per_day * outside.price_usd * (1.0 - common.pool_fee) / outside.hashrate_ths;
        self.age(common);
        let even = |class: usize, device: usize| {
            break_even(hashprice, self.devices[device].efficiency_j_per_th, &classes[class])
        };
        // Who runs if power were dearer by e^squeeze for all; the dearest sites leave first.
        let on = |squeeze: f64| -> Grid {
            std::array::from_fn(|class| {
                let part = |device: usize| {
                    let cheap_enough = part_running(even(class, device) * (-squeeze).exp(), &classes[class]);
                    let hobby = self.hobby[class][device] / self.stock[class][device].max(1e-30);
                    hobby + (1.0 - hobby) * (cheap_enough / self.bought_by[class][device].max(1e-9)).min(1.0)
                };
                (0..self.devices.len()).map(part).collect()
            })
        };
        let runs = |on: &Grid| -> f64 {
            self.stock.iter().zip(on).flat_map(|(stock, on)| stock.iter().zip(on)).map(|(a, b)| a * b).sum()
        };
        let wanted = outside.hashrate_ths;
        let mut squeeze = 0.0;
        if runs(&on(0.0)) > wanted {
            let (mut low, mut high) = (0.0, 20.0);
            for _ in 0..50 {
                squeeze = (low + high) / 2.0;
                if runs(&on(squeeze)) > wanted { low = squeeze } else { high = squeeze }
            }
        }
        let mut part_on = on(squeeze);
        let missing = wanted - runs(&part_on);
        if missing > 0.0 && squeeze == 0.0 {
            self.buy(numbers, outside, hashprice, missing, &mut part_on);
        }
        // What is left of a difference: the bisection's, or homes that mine whatever it earns.
        let scale = wanted / runs_of(&self.stock, &part_on);
        let running: Grid = std::array::from_fn(|class| {
            self.stock[class].iter().zip(&part_on[class]).map(|(stock, on)| stock * on * scale).collect()
        });
        let month = self.money(numbers, hashprice, btc_per_day, running);
        for class in 0..COUNT {
            self.capacity_kw[class] =
                self.capacity_kw[class].max(self.power_kw(class, &month.running[class], classes));
        }
        self.on = part_on;
        month
    }

    /// Wear, and scrapping of what stood idle; what is written off goes with it.
    fn age(&mut self, common: &Common) {
        for class in 0..COUNT {
            for device in 0..self.devices.len() {
                let idle = 1.0 - self.on[class][device].min(1.0);
                let lost = (common.wear_per_month + idle / common.idle_scrap_months).min(1.0);
                self.stock[class][device] *= 1.0 - lost;
                self.hobby[class][device] *= 1.0 - lost;
            }
        }
    }

    fn power_kw(&self, class: usize, running: &[f64], classes: &[Class; COUNT]) -> f64 {
        let kw = |(ths, device): (&f64, &Device)| ths * device.efficiency_j_per_th / 1e3 * classes[class].pue;
        running.iter().zip(self.devices).map(kw).sum()
    }

    /// Buys machines that run `missing` TH/s.
    fn buy(&mut self, numbers: &Numbers, outside: &Outside, hashprice: f64, missing: f64, on: &mut Grid) {
        let Numbers { common, classes } = numbers;
        for (device, first) in self.devices.iter().zip(&mut self.first_hashprice) {
            if first.is_none() && device.available_from <= outside.month && hashprice > 0.0 {
                *first = Some(hashprice);
            }
        }
        // Return and price of each generation for each class, and whether it can have it yet.
        let released: [Vec<Option<Offer>>; COUNT] = std::array::from_fn(|at| {
            self.devices
                .iter()
                .zip(&self.first_hashprice)
                .map(|(device, first)| offer(device, *first, at, numbers, outside.month, hashprice))
                .collect()
        });
        let offers: [Vec<Option<Offer>>; COUNT] = std::array::from_fn(|at| {
            released[at].iter().map(|offer| offer.filter(|offer| offer.delivered)).collect()
        });
        let best_of =
            |offers: &[Option<Offer>]| offers.iter().flatten().map(|offer| offer.index).fold(0.0, f64::max);
        let best = offers.each_ref().map(|offers| best_of(offers));
        // Makers lower their prices until those buy whom it pays most.
        let most = best.iter().copied().fold(0.0, f64::max);
        let cheaper = if most > 0.0 { most.min(1.0) } else { 1.0 };
        let buying = best.map(|best| part_buying(best / cheaper, common.choice_spread));
        let total_kw: f64 = (0..COUNT)
            .map(|at| {
                let running: Vec<f64> =
                    self.stock[at].iter().zip(&on[at]).map(|(stock, on)| stock * on).collect();
                self.power_kw(at, &running, classes)
            })
            .sum();
        // kW that 1 TH/s of what the class would buy takes.
        let mixes: [Vec<f64>; COUNT] = std::array::from_fn(|at| mix(&offers[at]));
        let kw_per_th: [f64; COUNT] =
            std::array::from_fn(|at| self.power_kw(at, &mixes[at], classes).max(1e-12));
        let network_kw = total_kw + missing * kw_per_th[HOME];
        let profits: f64 = self.profit.iter().sum();
        let interests: f64 = classes.iter().map(|class| class.interest).sum();
        let mut weights: [f64; COUNT] = std::array::from_fn(|at| {
            let fits = at == HOME || classes[at].power_min_kw <= common.largest_part * network_kw;
            let some = offers[at].iter().any(Option::is_some);
            if !fits || !some {
                return 0.0;
            }
            let earned = if profits > 0.0 { self.profit[at] / profits } else { 0.0 };
            let come =
                (1.0 - common.reinvested) * classes[at].interest / interests + common.reinvested * earned;
            let hobby = if at == HOME { common.hobby_part } else { 0.0 };
            // Who sees something much better on its way waits for it.
            let patience = (best[at] / best_of(&released[at]).max(1e-30)).min(1.0);
            come * (hobby + (1.0 - hobby) * buying[at] * patience)
        });
        // Before there was a price, and whenever nobody has a reason, somebody mined all the same.
        if weights.iter().sum::<f64>() <= 0.0 {
            weights[HOME] = 1.0;
        }
        // A class without a site saves until it can build the least.
        let free = [None; COUNT];
        for at in 1..COUNT {
            if self.capacity_kw[at] < classes[at].power_min_kw && weights[at] > 0.0 {
                self.saved_kw[at] += divide(missing, &weights, &free)[at] * kw_per_th[at];
                if self.saved_kw[at] < classes[at].power_min_kw {
                    weights[at] = 0.0;
                } else {
                    self.capacity_kw[at] = classes[at].power_min_kw;
                }
            }
        }
        let caps: [Option<f64>; COUNT] = std::array::from_fn(|at| {
            let running: Vec<f64> =
                self.stock[at].iter().zip(&on[at]).map(|(stock, on)| stock * on).collect();
            let room = self.capacity_kw[at] * (1.0 + classes[at].build_per_month)
                - self.power_kw(at, &running, classes);
            (at != HOME).then_some(room.max(0.0) / kw_per_th[at])
        });
        let mut got = divide(missing, &weights, &caps);
        // The record says that somebody bought it, however fast that is.
        let rest = divide(missing - got.iter().sum::<f64>(), &weights, &free);
        got.iter_mut().zip(rest).for_each(|(got, rest)| *got += rest);
        for at in 0..COUNT {
            let (buy, part) = (buying[at], common.hobby_part);
            let hobby = match (at, buy > 0.0) {
                (HOME, true) => part / (part + (1.0 - part) * buy),
                // Without a reason, it is for itself.
                (HOME, false) => 1.0,
                _ => 0.0,
            };
            for (device, part) in mixes[at].iter().enumerate().filter(|(_, part)| **part > 0.0) {
                let ths = got[at] * part;
                if ths <= 0.0 {
                    continue;
                }
                // Buyers are those for whom it runs, and the fewer buy the cheaper is their power.
                let even = break_even(hashprice, self.devices[device].efficiency_j_per_th, &classes[at]);
                let (old, installed) = (self.stock[at][device], self.stock[at][device] + ths);
                let mean = |of: f64, new: f64| (of * old + new * ths) / installed;
                on[at][device] = mean(on[at][device], 1.0);
                self.bought_by[at][device] =
                    mean(self.bought_by[at][device], part_running(even, &classes[at]) * buy);
                self.hobby[at][device] += ths * hobby;
                self.stock[at][device] = installed;
                self.book[at][device] += ths * offers[at][device].map_or(0.0, |offer| offer.paid);
            }
        }
    }

    /// What running and owning cost; writes off.
    fn money(&mut self, numbers: &Numbers, hashprice: f64, btc_per_day: f64, running: Grid) -> Month {
        let Numbers { common, classes } = numbers;
        let empty = || grid(self.devices.len());
        let (mut power_usd, mut running_usd, mut capital_usd) = (empty(), empty(), empty());
        for (at, class) in classes.iter().enumerate() {
            self.profit[at] = 0.0;
            for (which, device) in self.devices.iter().enumerate() {
                let ths = running[at][which];
                let kwh = KWH_PER_J_DAY * device.efficiency_j_per_th * class.pue * ths;
                let even = break_even(hashprice, device.efficiency_j_per_th, class);
                let price = mean_price(part_running(even, class).min(self.bought_by[at][which]), class);
                power_usd[at][which] = kwh * price;
                running_usd[at][which] = kwh * (price + class.operation_usd_per_kwh);
                // Twice the straight line's rate on what is left has the same mean age.
                let written_off = (2.0 / common.machine_life_months).min(1.0) * self.book[at][which];
                self.book[at][which] -= written_off;
                capital_usd[at][which] = written_off / DAYS_PER_MONTH;
                self.profit[at] += (ths * hashprice - running_usd[at][which]).max(0.0);
            }
        }
        Month {
            hashprice,
            btc_per_day,
            running,
            stock: self.stock.clone(),
            power_usd,
            running_usd,
            capital_usd,
        }
    }
}

fn runs_of(stock: &Grid, on: &Grid) -> f64 {
    stock.iter().zip(on).flat_map(|(stock, on)| stock.iter().zip(on)).map(|(a, b)| a * b).sum()
}

/// A generation of machines as a class sees it.
#[derive(Debug, Clone, Copy)]
struct Offer {
    /// What it will earn over its power, over what is paid for it.
    index: f64,
    /// USD per TH/s, site and all.
    paid: f64,
    /// Whether it is there, and not only on its way.
    delivered: bool,
}

/// What the class at `at` is offered; `None` before the machine is out.
fn offer(
    device: &Device,
    first: Option<f64>,
    at: usize,
    numbers: &Numbers,
    month: super::inputs::Month,
    hashprice: f64,
) -> Option<Offer> {
    let (common, class) = (&numbers.common, &numbers.classes[at]);
    let since = f64::from(month.0 - device.available_from.0);
    if since < 0.0 {
        return None;
    }
    let owned = if at == HOME { device.owned_at_home } else { 0.0 };
    // A machine that does nothing else is worth what it earns.
    let follows = if device.for_mining { first.map_or(1.0, |first| hashprice / first) } else { 1.0 };
    let machine = device.usd_per_th * common.device_price_factor * follows * (1.0 - owned);
    let watts = device.efficiency_j_per_th * class.pue;
    let paid = machine * class.machine_price_factor + class.site_usd_per_kw * watts / 1e3;
    // Buyers are those whose power is cheap: one standard deviation below the median.
    let power = class.power_usd_per_kwh * (-class.power_spread).exp();
    let cost = KWH_PER_J_DAY * watts * (power + class.operation_usd_per_kwh);
    let delivered = !device.for_mining || since >= class.lead_months;
    Some(Offer { index: worth(hashprice, cost, common) / paid.max(1e-9), paid, delivered })
}

/// Parts of 1 in which a class buys generations; the newest where none returns anything.
fn mix(offers: &[Option<Offer>]) -> Vec<f64> {
    let best = offers.iter().flatten().map(|offer| offer.index).fold(0.0, f64::max);
    let newest = offers.iter().rposition(Option::is_some);
    let weight = |(at, offer): (usize, &Option<Offer>)| match offer {
        Some(offer) if best > 0.0 => (offer.index / best).powi(RETURN_EXPONENT),
        Some(_) if Some(at) == newest => 1.0,
        _ => 0.0,
    };
    let weights: Vec<f64> = offers.iter().enumerate().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| if sum > 0.0 { weight / sum } else { 0.0 }).collect()
}

/// What the `part` of a class pays whose power is cheapest, USD/kWh; the median where that is nobody.
fn mean_price(part: f64, class: &Class) -> f64 {
    let (median, spread) = (class.power_usd_per_kwh, class.power_spread);
    if part < 1e-9 || spread <= 0.0 {
        return median;
    }
    let all = median * (spread * spread / 2.0).exp();
    if part >= 1.0 { all } else { all * normal(inverse_normal(part) - spread) / part }
}

/// Adds a month to the record, in the order of [`super::NETWORK`] and [`super::PARTS`].
fn note(record: &mut Record, numbers: &Numbers, devices: &[Device], outside: &Outside, month: &Month) {
    let Numbers { common, classes } = numbers;
    let total = outside.hashrate_ths;
    let kw = |class: usize, device: usize| {
        month.running[class][device] * devices[device].efficiency_j_per_th / 1e3 * classes[class].pue
    };
    let all = || (0..COUNT).flat_map(|class| (0..devices.len()).map(move |device| (class, device)));
    let sum = |of: &dyn Fn(usize, usize) -> f64| all().map(|(class, device)| of(class, device)).sum::<f64>();
    let power_kw = sum(&kw);
    let site_max_kw = |class: usize| {
        classes[class].power_max_kw.min((common.largest_part * power_kw).max(classes[class].power_min_kw))
    };
    let class_sites = |class: usize| -> Vec<Sites> {
        let share = month.running[class].iter().sum::<f64>() / total;
        if class != HOME {
            let power: f64 = (0..devices.len()).map(|device| kw(class, device)).sum();
            return spread_out(
                power,
                share,
                classes[class].power_min_kw,
                site_max_kw(class),
                common.size_exponent,
            );
        }
        let home = |(which, device): (usize, &Device)| {
            let watts =
                device.home_units * device.unit_th_per_s * device.efficiency_j_per_th * classes[HOME].pue;
            let home_kw = (watts / 1e3).clamp(classes[HOME].power_min_kw, classes[HOME].power_max_kw);
            let count = kw(HOME, which) / home_kw;
            (count > 0.0).then(|| Sites { share: month.running[HOME][which] / total / count, count })
        };
        devices.iter().enumerate().filter_map(home).collect()
    };
    let sites: [Vec<Sites>; COUNT] = std::array::from_fn(class_sites);
    let concentration = Concentration::of(sites.iter().flatten().copied().collect());
    // Machines alone, without cooling.
    let machine_watts =
        sum(&|class, device| month.running[class][device] * devices[device].efficiency_j_per_th);
    let cost =
        |class: usize, device: usize| month.running_usd[class][device] + month.capital_usd[class][device];
    let per_btc = |usd: f64, ths: f64| {
        if ths > 1e-9 * total { usd / (month.btc_per_day * ths / total) } else { f64::NAN }
    };
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { f64::NAN };
    let day_kwh = power_kw * 24.0;
    record.days.push(outside.month.first_day());
    record.world.extend([
        total / 1e6,
        outside.price_usd,
        month.hashprice * 1e3,
        concentration.sites,
        concentration.sites_for_half,
        concentration.largest,
        concentration.ten_largest,
        concentration.hhi,
        concentration.entropy_nats,
        power_kw / 1e3,
        day_kwh * 365.25 / 1e9,
        machine_watts / total,
        sum(&|class, device| month.power_usd[class][device]) / day_kwh,
        (month.hashprice * total
            - sum(&|class, device| month.running_usd[class][device] - month.power_usd[class][device]))
            / day_kwh,
        per_btc(sum(&cost), total),
    ]);
    type Cell = (usize, usize);
    // Classes, then generations: cells that each part has.
    let parts: Vec<Vec<Cell>> = (0..COUNT)
        .map(|class| (0..devices.len()).map(|device| (class, device)).collect())
        .chain((0..devices.len()).map(|device| (0..COUNT).map(|class| (class, device)).collect()))
        .collect();
    let column = |of: &dyn Fn(&[Cell]) -> f64| -> Vec<f64> { parts.iter().map(|cells| of(cells)).collect() };
    let add = |cells: &[Cell], of: &dyn Fn(usize, usize) -> f64| -> f64 {
        cells.iter().map(|&(class, device)| of(class, device)).sum()
    };
    let ths = |class: usize, device: usize| month.running[class][device];
    record.regional.extend(column(&|cells| add(cells, &ths) / 1e6));
    record.regional.extend(column(&|cells| add(cells, &ths) / total));
    record.regional.extend(column(&|cells| add(cells, &kw) / 1e3));
    record.regional.extend(column(&|cells| {
        ratio(add(cells, &ths), add(cells, &|class, device| month.stock[class][device]))
    }));
    record.regional.extend(column(&|cells| per_btc(add(cells, &cost), add(cells, &ths))));
    // Of machines as they are: a generation's does not depend on who has it.
    record.regional.extend(parts.iter().enumerate().map(|(at, cells)| match at.checked_sub(COUNT) {
        Some(device) => month.hashprice / (KWH_PER_J_DAY * devices[device].efficiency_j_per_th),
        None => {
            let operation = classes[at].operation_usd_per_kwh;
            ratio(month.hashprice * add(cells, &ths), add(cells, &kw) * 24.0) - operation
        }
    }));
    record.regional.extend(
        (0..parts.len())
            .map(|at| sites.get(at).map_or(f64::NAN, |sites| sites.iter().map(|bin| bin.count).sum())),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_is_drawn_between_its_ends() {
        let mut number = super::super::inputs::Inputs::embedded().numbers[0].clone();
        (number.low, number.value, number.high) = (1.0, 2.0, 5.0);
        let check = |part: f64, wanted: f64| assert!((triangle(&number, part) - wanted).abs() < 1e-12);
        check(0.0, 1.0);
        // A quarter of the base is below the value, and so a quarter of the draws.
        check(0.25, 2.0);
        check(1.0, 5.0);
        check(1.0 - 1.0 / 12.0, 4.0);
    }
}
