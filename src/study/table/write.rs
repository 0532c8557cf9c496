//! From records to `runs.parquet`.
//!
//! The bytes depend on the records and their order alone: groups, pages and
//! dictionaries are cut by counts of rows.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};

use super::super::WORLD_LABEL;
use super::super::error::StudyError;
use super::super::files::Draft;
use super::Layout;
use crate::spread::Record;

/// Rows of a page of values. The summary reads whole pages, and needs few days at once.
const PAGE_ROWS: usize = 8_192;

/// A table that grows by a run at a time, in the order of runs.
pub(in super::super) struct TableWriter {
    out: SerializedFileWriter<Draft>,
    path: std::path::PathBuf,
    shape: Option<Shape>,
    runs: u32,
}

/// The layout, and what is the same on each day.
struct Shape {
    layout: Layout,
    regions: Vec<ByteArray>,
    variables: Vec<ByteArray>,
}

impl Shape {
    fn new(record: &Record) -> Self {
        let layout =
            Layout { model: record.model, regions: record.regions.clone(), days: record.days.clone() };
        let (regions, variables) = layout
            .rows()
            .map(|(region, variable)| {
                let region = region.map_or_else(|| WORLD_LABEL.to_owned(), String::from);
                (ByteArray::from(region.into_bytes()), ByteArray::from(variable))
            })
            .unzip();
        Self { layout, regions, variables }
    }
}

impl TableWriter {
    pub fn new(dir: &Path, name: &str) -> Result<Self, StudyError> {
        let draft = Draft::new(dir, name)?;
        let path = draft.path().to_owned();
        let schema = schema().map_err(StudyError::encode(&path))?;
        let out = SerializedFileWriter::new(draft, Arc::new(schema), Arc::new(properties()));
        Ok(Self { out: out.map_err(StudyError::encode(&path))?, path, shape: None, runs: 0 })
    }

    /// Runs written.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// Appends a run.
    pub fn write(&mut self, record: &Record) -> Result<(), StudyError> {
        let shape = self.shape.get_or_insert_with(|| Shape::new(record));
        check(record, &shape.layout)?;
        write_run(&mut self.out, record, shape).map_err(StudyError::encode(&self.path))?;
        self.runs += 1;
        Ok(())
    }

    /// Puts the file in its place; its SHA-256.
    pub fn finish(self) -> Result<String, StudyError> {
        self.out.into_inner().map_err(StudyError::encode(&self.path))?.finish()
    }
}

fn check(record: &Record, layout: &Layout) -> Result<(), StudyError> {
    let failed = |what: &str| Err(StudyError::Record { run: record.run, what: what.to_owned() });
    let days = record.days.len();
    if i32::try_from(record.run).is_err() {
        return failed("has a number that is too large");
    }
    if record.model != layout.model {
        return failed("is of another model than the runs before it");
    }
    if record.regions != layout.regions {
        return failed("has other regions than the runs before it");
    }
    if record.days != layout.days {
        return failed("has other days than the runs before it");
    }
    if record.world.len() != days * record.model.world().len() {
        return failed("has not every variable of the world on every day");
    }
    if record.regional.len() != days * record.model.regional().len() * record.regions.len() {
        return failed("has not every variable of every region on every day");
    }
    Ok(())
}

fn schema() -> Result<Type, ParquetError> {
    let column = |name: &str, physical, logical: Option<LogicalType>| {
        let column = Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::REQUIRED)
            .build()?;
        Ok::<_, ParquetError>(Arc::new(column))
    };
    let columns = vec![
        column("run", Physical::INT32, None)?,
        column("time", Physical::INT32, Some(LogicalType::Date))?,
        column("region", Physical::BYTE_ARRAY, Some(LogicalType::String))?,
        column("variable", Physical::BYTE_ARRAY, Some(LogicalType::String))?,
        column("value", Physical::DOUBLE, None)?,
    ];
    Type::group_type_builder("adit").with_fields(columns).build()
}

fn properties() -> WriterProperties {
    let value = || ColumnPath::from("value");
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("adit ", env!("CARGO_PKG_VERSION")).to_owned())
        // Of pages they would make the footer of a thousand runs larger than what they save.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // Few values repeat, and exponents next to exponents compress where whole numbers do not.
        .set_column_dictionary_enabled(value(), false)
        .set_column_encoding(value(), Encoding::BYTE_STREAM_SPLIT)
        .set_column_data_page_row_count_limit(value(), PAGE_ROWS)
        .build()
}

fn write_run(
    out: &mut SerializedFileWriter<Draft>,
    record: &Record,
    shape: &Shape,
) -> Result<(), ParquetError> {
    let rows = shape.layout.per_day();
    let run = vec![record.run.cast_signed(); rows];
    let (of_world, regional) =
        (record.model.world().len(), record.model.regional().len() * record.regions.len());
    let days: Vec<usize> = (0..record.days.len()).collect();
    for days in days.chunks(shape.layout.days_per_group()) {
        let mut group = out.next_row_group()?;
        column::<Int32Type>(&mut group, days, |_, batch| batch.extend_from_slice(&run))?;
        column::<Int32Type>(&mut group, days, |day, batch| {
            batch.resize(rows, record.days[day].0);
        })?;
        column::<ByteArrayType>(&mut group, days, |_, batch| batch.extend_from_slice(&shape.regions))?;
        column::<ByteArrayType>(&mut group, days, |_, batch| batch.extend_from_slice(&shape.variables))?;
        column::<DoubleType>(&mut group, days, |day, batch| {
            let world = &record.world[day * of_world..][..of_world];
            let regional = &record.regional[day * regional..][..regional];
            // One NaN, for a processor may make others.
            let one = |&value: &f64| if value.is_nan() { f64::NAN } else { value };
            batch.extend(world.iter().chain(regional).map(one));
        })?;
        group.close()?;
    }
    Ok(())
}

/// Writes the next column, a day at a time, so that no run's column is in memory twice.
fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Draft>,
    days: &[usize],
    fill: impl Fn(usize, &mut Vec<T::T>),
) -> Result<(), ParquetError> {
    let mut writer = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has fewer columns than the table".to_owned()))?;
    let mut batch = Vec::new();
    for &day in days {
        batch.clear();
        fill(day, &mut batch);
        writer.typed::<T>().write_batch(&batch, None, None)?;
    }
    writer.close()
}
