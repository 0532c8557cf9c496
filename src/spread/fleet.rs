//! Fleets: how many machines of each vintage are in each region, running or
//! not, moving or waiting for a site.

use super::world::World;

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
    /// `[vintage]`: waiting for a site, TH/s.
    pub waiting: Vec<f64>,
    /// `[region][vintage]`: will mine on in hiding, in two stages, TH/s.
    pub hidden: [Vec<f64>; 2],
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
            ledger: Ledger { initial: installed.iter().sum(), ..Ledger::default() },
            installed,
            capacity_mw,
        }
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
        self.moving.iter().chain(&self.hidden).flatten().chain(&self.waiting).sum()
    }

    /// Zero but for rounding: no machine comes from nowhere.
    #[must_use]
    pub fn imbalance_ths(&self) -> f64 {
        let Ledger { initial, delivered, scrapped, lost, adjusted } = self.ledger;
        initial + delivered + adjusted - scrapped - lost - self.installed_ths() - self.in_transit_ths()
    }

    /// Multiplies all installed machines, to follow a measurement.
    pub fn adjust(&mut self, factor: f64) {
        self.ledger.adjusted += self.installed_ths() * (factor - 1.0);
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

    /// A day of moving: two stages, so that the whole takes a Gamma(2) time.
    pub fn transport(&mut self, world: &World) {
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
        let step = 1.0 - (-2.0 / parameters.covert_days).exp();
        let month = world.start.month();
        for region in 0..self.regions {
            for cell in self.of(region) {
                let [first, second] = &mut self.hidden;
                let resumes = second[cell] * step;
                let goes_on = first[cell] * step;
                second[cell] += goes_on - resumes;
                first[cell] -= goes_on;
                if resumes > 0.0 {
                    let running = self.installed[cell] * self.on[cell] + resumes;
                    self.installed[cell] += resumes;
                    self.on[cell] = running / self.installed[cell];
                    // Hidden sites are not those that were closed.
                    self.capacity_mw[region] +=
                        resumes * world.watts_per_ths(region, cell % self.vintages, month) / 1e6;
                }
            }
        }
    }

    /// A day of wear, and of idle machines that are thrown away or sold to
    /// where a site is free.
    pub fn retire(&mut self, world: &World, sells: &[bool]) {
        let parameters = &world.parameters;
        let wear = parameters.wear_per_year / 365.25;
        let scrap = 1.0 / parameters.idle_scrap_days;
        let sell = 1.0 / parameters.idle_sale_days;
        for region in 0..self.regions {
            for cell in self.of(region) {
                let installed = self.installed[cell];
                let idle = installed * (1.0 - self.on[cell]);
                let sold = if sells[cell] { idle * sell } else { 0.0 };
                let scrapped = installed * wear + idle * scrap;
                let left = installed - sold - scrapped;
                // What goes was idle, wear apart.
                if left > 0.0 {
                    let running = installed * self.on[cell] * (1.0 - wear);
                    self.on[cell] = (running / left).min(1.0);
                }
                self.installed[cell] = left;
                self.moving[0][cell % self.vintages] += sold;
                self.ledger.scrapped += scrapped;
            }
        }
    }

    /// Power of everything installed in a region, MW, cooling included.
    #[must_use]
    pub fn installed_mw(&self, world: &World, region: usize, month: usize) -> f64 {
        let cells = self.of(region);
        let watts = &world.watts_in(month)[cells.clone()];
        self.installed[cells].iter().zip(watts).map(|(ths, watts)| ths * watts).sum::<f64>() / 1e6
    }

    /// Brings waiting machines to free sites, the most efficient first; to where
    /// `weight` and free sites are largest. `profits[region][vintage]`: whether it
    /// would run there.
    pub fn place(&mut self, world: &World, month: usize, weight: &[f64], profits: &[bool]) {
        let mut free: Vec<f64> = (0..self.regions)
            .map(|region| (self.capacity_mw[region] - self.installed_mw(world, region, month)).max(0.0))
            .collect();
        let mut pulls = vec![0.0; self.regions];
        for &vintage in world.best_first() {
            let waiting = self.waiting[vintage];
            if waiting <= 0.0 {
                continue;
            }
            let watts = |region: usize| world.watts_per_ths(region, vintage, month);
            for (region, pull) in pulls.iter_mut().enumerate() {
                let wanted = profits[region * self.vintages + vintage];
                *pull = if wanted { weight[region] * free[region] } else { 0.0 };
            }
            let sum: f64 = pulls.iter().sum();
            if sum <= 0.0 {
                continue;
            }
            let mut placed = 0.0;
            for region in 0..self.regions {
                let ths = (waiting * pulls[region] / sum).min(free[region] * 1e6 / watts(region));
                if ths > 0.0 {
                    let cell = region * self.vintages + vintage;
                    let running = self.installed[cell] * self.on[cell] + ths;
                    self.installed[cell] += ths;
                    self.on[cell] = running / self.installed[cell];
                    free[region] -= ths * watts(region) / 1e6;
                    placed += ths;
                }
            }
            self.waiting[vintage] = (waiting - placed).max(0.0);
        }
    }
}

/// Parts of the vintages on the first day: equal but for a tilt to the
/// efficient ones, exp(-k x efficiency), with the k that gives the mean wanted.
fn mix(world: &World, efficiency_j_per_th: f64) -> Vec<f64> {
    let on_sale = |vintage: usize| world.vintages[vintage].available_from <= world.start;
    let of = |tilt: f64| {
        let weights: Vec<f64> = (0..world.vintages.len())
            .map(|vintage| {
                let efficiency = world.vintages[vintage].efficiency_j_per_th;
                if on_sale(vintage) { (-tilt * efficiency / 10.0).exp() } else { 0.0 }
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect::<Vec<_>>()
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
