//! From `runs.parquet` back to records, or to some days of a run.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};

use super::super::WORLD_LABEL;
use super::super::error::StudyError;
use super::Layout;
use crate::energy::RegionCode;
use crate::spread::{Day, Model, Record};

const RUN: usize = 0;
const TIME: usize = 1;
const REGION: usize = 2;
const VARIABLE: usize = 3;
const VALUE: usize = 4;

/// A table of runs on disk.
pub struct Table {
    path: PathBuf,
    file: SerializedFileReader<File>,
    layout: Layout,
    runs: Vec<u32>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("path", &self.path).field("runs", &self.runs.len()).finish()
    }
}

impl Table {
    /// Opens a table and reads what its runs have in common.
    ///
    /// # Errors
    /// When it cannot be read, or is no table of this version.
    pub fn open(path: &Path) -> Result<Self, StudyError> {
        let file = File::open(path).map_err(StudyError::read(path))?;
        let file = SerializedFileReader::new(file).map_err(StudyError::decode(path))?;
        let rows = file.metadata().file_metadata().num_rows();
        let mut table = Self {
            path: path.to_owned(),
            file,
            layout: Layout { model: Model::World, regions: Vec::new(), days: Vec::new() },
            runs: Vec::new(),
        };
        if rows > 0 {
            table.layout = table.read_layout()?;
            table.runs = table.read_runs().map_err(StudyError::decode(path))?;
            table.check_groups()?;
        }
        Ok(table)
    }

    /// The runs, ascending.
    #[must_use]
    pub fn runs(&self) -> &[u32] {
        &self.runs
    }

    /// What every run has; empty when there is none.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The numbers of some days of the run at `at` in [`Self::runs`]: by day,
    /// the world's variables, then each regional one over the regions.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn days(&self, at: usize, days: Range<usize>, values: &mut Vec<f64>) -> Result<(), StudyError> {
        values.clear();
        let wanted = days.len() * self.layout.per_day();
        self.read_days(at, days, values).map_err(StudyError::decode(&self.path))?;
        if values.len() != wanted {
            return Err(self.wrong("ends before its last row"));
        }
        Ok(())
    }

    /// The run at `at` in [`Self::runs`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn record(&self, at: usize) -> Result<Record, StudyError> {
        let mut values = Vec::new();
        self.days(at, 0..self.layout.days.len(), &mut values)?;
        let mut record = Record::of(self.layout.model, self.runs[at], self.layout.regions.clone());
        record.days.clone_from(&self.layout.days);
        for day in values.chunks_exact(self.layout.per_day()) {
            let (world, regional) = day.split_at(self.layout.model.world().len());
            record.world.extend_from_slice(world);
            record.regional.extend_from_slice(regional);
        }
        Ok(record)
    }

    fn read_days(&self, at: usize, days: Range<usize>, values: &mut Vec<f64>) -> Result<(), ParquetError> {
        let (per_group, per_day) = (self.layout.days_per_group(), self.layout.per_day());
        let mut day = days.start;
        while day < days.end {
            let group = day / per_group;
            let end = days.end.min((group + 1) * per_group);
            let group = self.file.get_row_group(at * self.layout.groups() + group)?;
            let ColumnReader::DoubleColumnReader(mut reader) = group.get_column_reader(VALUE)? else {
                return Err(type_of("value"));
            };
            reader.skip_records(day % per_group * per_day)?;
            let mut left = (end - day) * per_day;
            while left > 0 {
                let (read, ..) = reader.read_records(left, None, None, values)?;
                if read == 0 {
                    return Ok(());
                }
                left -= read;
            }
            day = end;
        }
        Ok(())
    }

    /// The first run says what all have: its keys must be those that the layout would write.
    fn read_layout(&self) -> Result<Layout, StudyError> {
        let failed = || StudyError::decode(&self.path);
        let first = self.first_run().map_err(failed())?;
        let (mut times, mut regions, mut variables) = (Vec::new(), Vec::new(), Vec::new());
        for group in first {
            let group = self.file.get_row_group(group).map_err(failed())?;
            integers(group.as_ref(), TIME, usize::MAX, &mut times).map_err(failed())?;
            texts(group.as_ref(), REGION, &mut regions).map_err(failed())?;
            texts(group.as_ref(), VARIABLE, &mut variables).map_err(failed())?;
        }
        let mut days: Vec<Day> = times.iter().map(|&day| Day(day)).collect();
        days.dedup();
        // The network's variables come first, and no two models have the same.
        let is_of = |model: &Model| {
            let names = model.world().iter().map(|variable| variable.name.as_bytes());
            variables.len() > model.world().len()
                && names.eq(variables[..model.world().len()].iter().map(ByteArray::data))
        };
        let model = Model::ALL.into_iter().find(is_of).unwrap_or_default();
        let mut layout = Layout { model, regions: Vec::new(), days };
        for region in regions.iter().skip(model.world().len()) {
            let code = region.as_utf8().ok().and_then(|text| text.parse().ok());
            match code {
                Some(code) if !layout.regions.contains(&code) => layout.regions.push(code),
                _ => break,
            }
        }
        let mut found = times.iter().zip(regions.iter().zip(&variables));
        let mut next_is = |day: Day, (code, name): (Option<RegionCode>, &str)| {
            let label = code.as_ref().map_or(WORLD_LABEL, RegionCode::as_str);
            found.next().is_some_and(|(&time, (region, variable))| {
                day.0 == time && label.as_bytes() == region.data() && name.as_bytes() == variable.data()
            })
        };
        let all = layout.days.iter().all(|&day| layout.rows().all(|row| next_is(day, row)));
        let fits = all && times.len() == layout.days.len() * layout.per_day();
        if fits { Ok(layout) } else { Err(self.wrong("has other rows than this version writes")) }
    }

    /// The row groups of the first run.
    fn first_run(&self) -> Result<Range<usize>, ParquetError> {
        let first = self.first_of(0)?;
        let mut end = 1;
        while end < self.file.num_row_groups() && self.first_of(end)? == first {
            end += 1;
        }
        Ok(0..end)
    }

    /// The number of the run that a row group is of.
    fn first_of(&self, group: usize) -> Result<i32, ParquetError> {
        let mut runs = Vec::new();
        integers(self.file.get_row_group(group)?.as_ref(), RUN, 1, &mut runs)?;
        runs.first().copied().ok_or_else(|| ParquetError::General("a row group without rows".to_owned()))
    }

    fn read_runs(&self) -> Result<Vec<u32>, ParquetError> {
        let firsts = (0..self.file.num_row_groups()).step_by(self.layout.groups().max(1));
        firsts.map(|group| self.first_of(group).map(i32::cast_unsigned)).collect()
    }

    fn check_groups(&self) -> Result<(), StudyError> {
        let rows = self.layout.days.len() * self.layout.per_day();
        let found = self.file.metadata().file_metadata().num_rows();
        if u64::try_from(found).ok() != Some((self.runs.len() * rows) as u64) {
            return Err(self.wrong("has runs of different lengths"));
        }
        if self.runs.windows(2).any(|pair| pair[1] <= pair[0]) {
            return Err(self.wrong("has runs that do not ascend"));
        }
        Ok(())
    }

    fn wrong(&self, what: &str) -> StudyError {
        StudyError::file(&self.path, format!("{what}; run that study again"))
    }
}

fn type_of(column: &str) -> ParquetError {
    ParquetError::General(format!("column {column} has another type"))
}

/// At most `most` numbers of a column of integers.
fn integers(
    group: &dyn RowGroupReader,
    column: usize,
    most: usize,
    values: &mut Vec<i32>,
) -> Result<(), ParquetError> {
    let ColumnReader::Int32ColumnReader(mut reader) = group.get_column_reader(column)? else {
        return Err(type_of("run or time"));
    };
    let mut left = most.min(rows_of(group));
    while left > 0 {
        match reader.read_records(left, None, None, values)?.0 {
            0 => break,
            read => left -= read,
        }
    }
    Ok(())
}

/// A column of texts.
fn texts(group: &dyn RowGroupReader, column: usize, values: &mut Vec<ByteArray>) -> Result<(), ParquetError> {
    let ColumnReader::ByteArrayColumnReader(mut reader) = group.get_column_reader(column)? else {
        return Err(type_of("region or variable"));
    };
    while reader.read_records(rows_of(group), None, None, values)?.0 > 0 {}
    Ok(())
}

fn rows_of(group: &dyn RowGroupReader) -> usize {
    usize::try_from(group.metadata().num_rows()).unwrap_or(0)
}
