//! The Parquet form of an export: one row group a page, zstd, typed columns.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{Column, ExportError, Kind, PAGE_ROWS, Sink};

/// One column's values of the row group being gathered, and per row whether there is one.
enum Values {
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

struct Gathered {
    column: &'static Column,
    values: Values,
    /// Parquet's definition levels: 1 where there is a value, 0 for NULL.
    present: Vec<i16>,
}

impl Gathered {
    fn push(&mut self, value: ValueRef<'_>) -> rusqlite::Result<()> {
        if self.column.nullable {
            self.present.push(i16::from(value != ValueRef::Null));
            if value == ValueRef::Null {
                return Ok(());
            }
        }
        match &mut self.values {
            Values::Integers(values) => values.push(value.as_i64()?),
            Values::Reals(values) => values.push(value.as_f64()?),
            Values::Bytes(values) => values.push(value.as_bytes()?.to_vec().into()),
        }
        Ok(())
    }
}

pub(super) struct Parquet<W: Write + Send> {
    out: SerializedFileWriter<W>,
    gathered: Vec<Gathered>,
    rows: usize,
}

impl<W: Write + Send> Parquet<W> {
    pub fn new(columns: &'static [Column], out: W) -> Result<Self, ExportError> {
        let fields =
            columns.iter().map(|column| Ok(Arc::new(field(column)?))).collect::<Result<_, ParquetError>>()?;
        let schema = Type::group_type_builder("adit").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("adit ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        let gathered = columns.iter().map(|column| Gathered {
            column,
            values: match column.kind {
                Kind::Time | Kind::Integer => Values::Integers(Vec::new()),
                Kind::Real => Values::Reals(Vec::new()),
                Kind::Text | Kind::Bytes => Values::Bytes(Vec::new()),
            },
            present: Vec::new(),
        });
        Ok(Self { out, gathered: gathered.collect(), rows: 0 })
    }

    fn write_row_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.out.next_row_group()?;
        for gathered in &mut self.gathered {
            let Some(mut writer) = group.next_column()? else { break };
            let present = gathered.column.nullable.then_some(gathered.present.as_slice());
            match &mut gathered.values {
                Values::Integers(values) => {
                    writer.typed::<Int64Type>().write_batch(values, present, None)?;
                    values.clear();
                }
                Values::Reals(values) => {
                    writer.typed::<DoubleType>().write_batch(values, present, None)?;
                    values.clear();
                }
                Values::Bytes(values) => {
                    writer.typed::<ByteArrayType>().write_batch(values, present, None)?;
                    values.clear();
                }
            }
            writer.close()?;
            gathered.present.clear();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn row(&mut self, row: &Row<'_>) -> Result<(), ExportError> {
        for (at, gathered) in self.gathered.iter_mut().enumerate() {
            gathered.push(row.get_ref(at + 1)?)?;
        }
        self.rows += 1;
        if self.rows == PAGE_ROWS {
            self.write_row_group()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), ExportError> {
        if self.rows > 0 {
            self.write_row_group()?;
        }
        self.out.close()?;
        Ok(())
    }
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Integer => (Physical::INT64, None),
        Kind::Real => (Physical::DOUBLE, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Bytes => (Physical::BYTE_ARRAY, None),
    };
    let repetition = if column.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    Type::primitive_type_builder(column.name, physical)
        .with_logical_type(logical)
        .with_repetition(repetition)
        .build()
}
