//! The table of all runs as Parquet: a row a number, a row group a run.
//!
//! Rows stand by run, then day, then variable, then region: the order in which
//! a [`Record`](crate::spread::Record) has them, and the one in which some days
//! of a run are consecutive, so that the summary reads only the pages it needs.

mod read;
mod write;

use crate::energy::RegionCode;
use crate::spread::{Day, Model};

pub use read::Table;
pub(super) use write::TableWriter;

/// Rows of a row group at most: about 40 MB while a reader decodes it.
const GROUP_ROWS_MAX: usize = 1 << 20;

/// What every run of a table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The model whose variables it has.
    pub model: Model,
    /// The regions, in the order of the rows.
    pub regions: Vec<RegionCode>,
    /// The days recorded, ascending.
    pub days: Vec<Day>,
}

impl Layout {
    /// Rows of a day.
    #[must_use]
    pub fn per_day(&self) -> usize {
        self.model.world().len() + self.model.regional().len() * self.regions.len()
    }

    /// Days of a row group; one run has one group, unless it is very long.
    fn days_per_group(&self) -> usize {
        (GROUP_ROWS_MAX / self.per_day()).max(1)
    }

    /// Row groups of a run.
    fn groups(&self) -> usize {
        self.days.len().div_ceil(self.days_per_group())
    }

    /// Region (`None` is the world) and variable of each row of a day.
    fn rows(&self) -> impl Iterator<Item = (Option<RegionCode>, &'static str)> + '_ {
        let world = self.model.world().iter().map(|variable| (None, variable.name));
        let regional = self
            .model
            .regional()
            .iter()
            .flat_map(|variable| self.regions.iter().map(move |region| (Some(*region), variable.name)));
        world.chain(regional)
    }
}
