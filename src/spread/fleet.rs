//! Fleets: how many machines of each vintage are in each region, running or
//! not, moving or waiting for a site.

use super::day::Day;
use super::world::World;

/// A cell that nobody wants and that is less than this part of the first fleet is thrown
/// away: it costs time and changes nothing.
const DUST: f64 = 1e-9;

/// Machines by region and vintage, TH/s, and those that are nowhere yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    regions: usize,
    vintages: usize,
    /// `[region][vintage]`: installed, TH/s.
    pub installed: Vec<f64>,
    /// `[region][vintage]`: part of the installed that is switched on.
    pub on: Vec<f64>,
    /// `[region]`: power that sites can take, MW.
    pub capacity_mw: Vec<f64>,
    /// `[vintage]`: packed or under way, in two stages, TH/s.
    pub moving: [Vec<f64>; 2],
    /// `[region][vintage]`: on the road of a season to a site that is theirs there,
    /// in two stages, TH/s.
    pub seasonal: [Vec<f64>; 2],
    /// `[vintage]`: waiting for a site, TH/s.
    pub waiting: Vec<f64>,
    /// `[region][vintage]`: will mine on in hiding, in two stages, TH/s.
    pub hidden: [Vec<f64>; 2],
    /// `[region]`: whether anything has ever hidden there or followed a season to it.
    comes: Vec<bool>,
    /// Counted since the beginning, TH/s.
    pub ledger: Ledger,
}

/// What came and went since the beginning, TH/s: with it machines balance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ledger {
    /// At the beginning.
    pub initial: f64,
    /// Bought new.
    pub delivered: f64,
    /// Thrown away: worn, idle for long, or never to return after a ban.
    pub scrapped: f64,
    /// Lost or broken on the way.
    pub lost: f64,
    /// Added or taken to follow a measurement.
    pub adjusted: f64,
}

impl Fleet {
    /// A fleet of `hashrate_ths` spread over regions by `shares` (of 1) and over
    /// vintages so that its mean efficiency is `efficiency_j_per_th`.
    #[must_use]
    pub fn new(world: &World, hashrate_ths: f64, shares: &[f64], efficiency_j_per_th: f64) -> Self {
        let (regions, vintages) = (world.places.len(), world.vintages.len());
        let mix = mix(world, efficiency_j_per_th);
        let mut installed = vec![0.0; regions * vintages];
        let mut capacity_mw = vec![0.0; regions];
        let month = world.start.month();
        for (region, share) in shares.iter().enumerate() {
            for (vintage, part) in mix.iter().enumerate() {
                let ths = hashrate_ths * share * part;
                installed[region * vintages + vintage] = ths;
                capacity_mw[region] += ths * world.watts_per_ths(region, vintage, month) / 1e6;
            }
            capacity_mw[region] *= 1.0 + world.parameters.site_slack;
        }
        Self {
            regions,
            vintages,
            on: vec![1.0; regions * vintages],
            moving: [vec![0.0; vintages], vec![0.0; vintages]],
            waiting: vec![0.0; vintages],
            hidden: [vec![0.0; regions * vintages], vec![0.0; regions * vintages]],
            seasonal: [vec![0.0; regions * vintages], vec![0.0; regions * vintages]],
            comes: vec![false; regions],
            ledger: Ledger { initial: installed.iter().sum(), ..Ledger::default() },
            installed,
            capacity_mw,
        }
    }

    /// Puts machines of the oldest kind into storage on the first day, where they wait for
    /// a site: `part` of those that are installed.
    pub fn store(&mut self, world: &World, part: f64) {
        let ths = self.installed_ths() * part;
        self.waiting[world.best_first()[self.vintages - 1]] += ths;
        self.ledger.initial += ths;
    }

    /// The cells of a region.
    #[must_use]
    pub fn of(&self, region: usize) -> std::ops::Range<usize> {
        region * self.vintages..(region + 1) * self.vintages
    }

    /// Installed machines, TH/s.
    #[must_use]
    pub fn installed_ths(&self) -> f64 {
        self.installed.iter().sum()
    }

    /// Machines between two sites, TH/s.
    #[must_use]
    pub fn in_transit_ths(&self) -> f64 {
        self.moving.iter().chain(&self.hidden).chain(&self.seasonal).flatten().chain(&self.waiting).sum()
    }

    /// Zero but for rounding: no machine comes from nowhere.
    #[must_use]
    pub fn imbalance_ths(&self) -> f64 {
        let Ledger { initial, delivered, scrapped, lost, adjusted } = self.ledger;
        initial + delivered + adjusted - scrapped - lost - self.installed_ths() - self.in_transit_ths()
    }

    /// Multiplies all installed machines, to follow a measurement, and sites with them. What
    /// is too many waits for a site; what is too few comes from those that wait, the most
    /// efficient first, and only then from nowhere.
    pub fn adjust(&mut self, world: &World, month: usize, factor: f64) {
        if factor < 1.0 {
            for region in 0..self.regions {
                self.capacity_mw[region] -= self.installed_mw(world, region, month) * (1.0 - factor);
                for cell in self.of(region) {
                    self.waiting[cell % self.vintages] += self.installed[cell] * (1.0 - factor);
                    self.installed[cell] *= factor;
                }
            }
            return;
        }
        let all = self.installed_ths();
        let mut lacks = all * (factor - 1.0);
        let parts: Vec<f64> = (0..self.regions)
            .map(|region| self.installed[self.of(region)].iter().sum::<f64>() / all)
            .collect();
        for &vintage in world.best_first() {
            let comes = self.waiting[vintage].min(lacks);
            if comes <= 0.0 {
                continue;
            }
            self.waiting[vintage] -= comes;
            lacks -= comes;
            for (region, part) in parts.iter().enumerate().filter(|(_, part)| **part > 0.0) {
                self.install(region * self.vintages + vintage, comes * part);
                self.capacity_mw[region] += comes * part * world.watts_per_ths(region, vintage, month) / 1e6;
            }
        }
        self.ledger.adjusted += lacks;
        let factor = 1.0 + lacks / self.installed_ths();
        self.installed.iter_mut().for_each(|ths| *ths *= factor);
    }

    /// Multiplies each region's machines by its factor and keeps the sum, so that
    /// shares follow a measurement. Sites grow and shrink with them.
    pub fn respread(&mut self, world: &World, factors: &[f64]) {
        let before = self.installed_ths();
        let month = world.start.month();
        for (region, factor) in factors.iter().enumerate() {
            for cell in self.of(region) {
                self.installed[cell] *= factor;
            }
        }
        let keep = before / self.installed_ths();
        self.installed.iter_mut().for_each(|ths| *ths *= keep);
        for region in 0..self.regions {
            let used = self.installed_mw(world, region, month);
            self.capacity_mw[region] = used * (1.0 + world.parameters.site_slack);
        }
    }

    /// `fraction` of a region's machines have to leave within a day, and its
    /// sites with them: some hide, some are scrapped, the rest moves.
    pub fn banish(&mut self, world: &World, region: usize, fraction: f64) {
        let parameters = &world.parameters;
        let hides = parameters.covert_return;
        let scrapped = (1.0 - hides) * parameters.never_return;
        self.comes[region] = true;
        for cell in self.of(region) {
            let leaves = self.installed[cell] * fraction;
            self.installed[cell] -= leaves;
            self.hidden[0][cell] += leaves * hides;
            self.ledger.scrapped += leaves * scrapped;
            self.moving[0][cell % self.vintages] += leaves * (1.0 - hides - scrapped);
        }
        self.capacity_mw[region] *= 1.0 - fraction;
    }

    /// `fraction` of a region's machines must make room; all of them move.
    pub fn evict(&mut self, region: usize, fraction: f64) {
        for cell in self.of(region) {
            let leaves = self.installed[cell] * fraction;
            self.installed[cell] -= leaves;
            self.moving[0][cell % self.vintages] += leaves;
        }
    }

    /// A day of the season's moves: machines leave with their sites, which nobody
    /// else has. Not to a region that is `closing`.
    pub fn migrate(&mut self, world: &World, day: Day, closing: &[bool]) {
        for of in &world.moves {
            let leaving = of.leaving(day);
            if leaving <= 0.0 || closing[of.to] {
                continue;
            }
            let (from, to) = (self.of(of.from).start, self.of(of.to).start);
            self.comes[of.to] = true;
            for vintage in 0..self.vintages {
                let leaves = self.installed[from + vintage] * leaving;
                self.installed[from + vintage] -= leaves;
                self.seasonal[0][to + vintage] += leaves;
            }
            self.capacity_mw[of.from] *= 1.0 - leaving;
        }
    }

    /// A day of moving: two stages, so that the whole takes a Gamma(2) time.
    pub fn transport(&mut self, world: &World, closing: &[bool]) {
        let parameters = &world.parameters;
        let step = 1.0 - (-1.0 / parameters.transit_stage_days).exp();
        let [first, second] = &mut self.moving;
        for vintage in 0..self.vintages {
            let arrives = second[vintage] * step;
            let goes_on = first[vintage] * step;
            second[vintage] += goes_on - arrives;
            first[vintage] -= goes_on;
            let lost = arrives * parameters.transit_loss;
            self.ledger.lost += lost;
            self.waiting[vintage] += arrives - lost;
        }
        let month = world.start.month();
        let step = 1.0 - (-2.0 / parameters.covert_days).exp();
        let seasonal_step = 1.0 - (-2.0 / parameters.season_road_days).exp();
        for (region, &closing) in closing.iter().enumerate() {
            if !self.comes[region] {
                continue;
            }
            for cell in self.of(region) {
                let resumes = pass(&mut self.hidden, cell, step);
                let arrives = pass(&mut self.seasonal, cell, seasonal_step);
                let vintage = cell % self.vintages;
                if closing {
                    self.moving[0][vintage] += arrives;
                }
                let comes = if closing { resumes } else { resumes + arrives };
                if comes > 0.0 {
                    self.install(cell, comes);
                    // Hidden sites are not those that were closed, and a season has sites of its own.
                    self.capacity_mw[region] += comes * world.watts_per_ths(region, vintage, month) / 1e6;
                }
            }
        }
    }

    /// Adds machines that are switched on.
    fn install(&mut self, cell: usize, ths: f64) {
        let running = self.installed[cell] * self.on[cell] + ths;
        self.installed[cell] += ths;
        self.on[cell] = running / self.installed[cell];
    }

    /// A day of wear, and of idle machines that are thrown away or sold to where a site
    /// is free. Gives the power of what is left by region, MW, cooling included.
    pub fn retire(&mut self, world: &World, month: usize, sells: &[bool]) -> Vec<f64> {
        let parameters = &world.parameters;
        let wear = parameters.wear_per_year / 365.25;
        let scrap = 1.0 / parameters.idle_scrap_days;
        let sell = 1.0 / parameters.idle_sale_days;
        let dust = self.ledger.initial * DUST;
        let all_watts = world.watts_in(month);
        let mut used_mw = vec![0.0; self.regions];
        for (region, used_mw) in used_mw.iter_mut().enumerate() {
            let cells = self.of(region);
            let mut used = 0.0;
            for cell in cells {
                let installed = self.installed[cell];
                if installed <= 0.0 {
                    continue;
                }
                let on = self.on[cell];
                let idle = installed * (1.0 - on);
                let sold = if sells[cell] { idle * sell } else { 0.0 };
                let mut scrapped = installed * wear + idle * scrap;
                let mut left = installed - sold - scrapped;
                if sells[cell] && left < dust {
                    scrapped += left;
                    left = 0.0;
                } else {
                    // What goes was idle, wear apart.
                    self.on[cell] = (installed * on * (1.0 - wear) / left).min(1.0);
                }
                self.installed[cell] = left;
                used += left * all_watts[cell];
                self.moving[0][cell % self.vintages] += sold;
                self.ledger.scrapped += scrapped;
            }
            *used_mw = used / 1e6;
        }
        used_mw
    }

    /// Power of everything installed in a region, MW, cooling included.
    #[must_use]
    pub fn installed_mw(&self, world: &World, region: usize, month: usize) -> f64 {
        let cells = self.of(region);
        let watts = &world.watts_in(month)[cells.clone()];
        self.installed[cells].iter().zip(watts).map(|(ths, watts)| ths * watts).sum::<f64>() / 1e6
    }

    /// Brings waiting machines to free sites: each kind to where `weight` and free sites are
    /// largest, and where more come than a region has sites for, those that bid more get
    /// more of them. `profits[region][vintage]`: whether it would run there; `bids[vintage]`;
    /// `used_mw`: power of all installed, by region.
    pub fn place(
        &mut self,
        world: &World,
        month: usize,
        used_mw: &[f64],
        weight: &[f64],
        bids: &[f64],
        profits: &[bool],
    ) {
        let free: Vec<f64> =
            self.capacity_mw.iter().zip(used_mw).map(|(all, used)| (all - used).max(0.0)).collect();
        // TH/s that a unit of pull draws.
        let mut per_pull = vec![0.0; self.vintages];
        for (vintage, per_pull) in per_pull.iter_mut().enumerate() {
            let waiting = self.waiting[vintage];
            if waiting <= 0.0 {
                continue;
            }
            let (mut sum, mut earns) = (0.0, false);
            for region in 0..self.regions {
                if profits[region * self.vintages + vintage] {
                    earns = true;
                    sum += weight[region] * free[region];
                }
            }
            if !earns {
                let scrapped = waiting / world.parameters.idle_scrap_days;
                self.waiting[vintage] -= scrapped;
                self.ledger.scrapped += scrapped;
            }
            if sum > 0.0 {
                *per_pull = waiting / sum;
            }
        }
        for region in 0..self.regions {
            let pull = weight[region] * free[region];
            if pull <= 0.0 {
                continue;
            }
            let cells = self.of(region);
            let watts = &world.watts_in(month)[cells.clone()];
            let wants = |vintage: usize| {
                if profits[cells.start + vintage] { per_pull[vintage] * pull } else { 0.0 }
            };
            let bid: f64 = (0..self.vintages).map(|at| wants(at) * watts[at] * bids[at]).sum::<f64>() / 1e6;
            for (vintage, of_vintage) in bids.iter().enumerate() {
                let ths = wants(vintage) * (free[region] * of_vintage / bid).min(1.0);
                if ths > 0.0 {
                    self.install(cells.start + vintage, ths);
                    self.waiting[vintage] = (self.waiting[vintage] - ths).max(0.0);
                }
            }
        }
    }
}

/// A day of two stages; gives what leaves the second.
fn pass(stages: &mut [Vec<f64>; 2], cell: usize, step: f64) -> f64 {
    let [first, second] = stages;
    if first[cell] == 0.0 && second[cell] == 0.0 {
        return 0.0;
    }
    let leaves = second[cell] * step;
    let goes_on = first[cell] * step;
    second[cell] += goes_on - leaves;
    first[cell] -= goes_on;
    leaves
}

/// Parts of the vintages on the first day: equal but for a tilt to the efficient ones,
/// exp(-k x efficiency), with the k that gives the mean wanted; of the oldest no more than
/// `initial_oldest_max`.
fn mix(world: &World, efficiency_j_per_th: f64) -> Vec<f64> {
    let on_sale = |vintage: usize| world.vintages[vintage].available_from <= world.start;
    let oldest = world.best_first()[world.vintages.len() - 1];
    let of = |tilt: f64| {
        let mut weights: Vec<f64> = (0..world.vintages.len())
            .map(|vintage| {
                let efficiency = world.vintages[vintage].efficiency_j_per_th;
                if on_sale(vintage) { (-tilt * efficiency / 10.0).exp() } else { 0.0 }
            })
            .collect();
        let others = weights.iter().sum::<f64>() - weights[oldest];
        if others > 0.0 {
            let most = world.parameters.initial_oldest_max;
            weights[oldest] = weights[oldest].min(others * most / (1.0 - most));
        }
        let sum: f64 = weights.iter().sum();
        let part = |weight: f64| if weight < DUST * sum { 0.0 } else { weight / sum };
        weights.into_iter().map(part).collect::<Vec<_>>()
    };
    let mean = |mix: &[f64]| {
        mix.iter().zip(&world.vintages).map(|(part, vintage)| part * vintage.efficiency_j_per_th).sum::<f64>()
    };
    // The mean falls as the tilt grows.
    let (mut low, mut high) = (-10.0, 10.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if mean(&of(middle)) > efficiency_j_per_th { low = middle } else { high = middle }
    }
    of(low)
}
