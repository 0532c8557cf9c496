//! The CSV form of an export.

use std::io::Write;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{Column, ExportError, Kind, Sink};

pub(super) struct Csv<W: Write> {
    columns: &'static [Column],
    out: csv::Writer<W>,
    /// The field being written, kept for its memory.
    field: Vec<u8>,
}

impl<W: Write> Csv<W> {
    /// Writes the header line.
    pub fn new(columns: &'static [Column], out: W) -> Result<Self, ExportError> {
        let mut out = csv::Writer::from_writer(out);
        for column in columns {
            if column.kind == Kind::Time {
                out.write_field(format!("{}_us", column.name)).map_err(output)?;
            }
            out.write_field(column.name).map_err(output)?;
        }
        out.write_record(None::<&[u8]>).map_err(output)?;
        Ok(Self { columns, out, field: Vec::new() })
    }

    fn put(&mut self, print: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<(), ExportError> {
        self.field.clear();
        print(&mut self.field)?;
        self.out.write_field(&self.field).map_err(output)
    }
}

impl<W: Write> Sink for Csv<W> {
    fn row(&mut self, row: &Row<'_>) -> Result<(), ExportError> {
        for (at, column) in self.columns.iter().enumerate() {
            let value = row.get_ref(at + 1)?;
            match (value, column.kind) {
                (ValueRef::Integer(micros), Kind::Time) => {
                    self.put(|field| write!(field, "{micros}"))?;
                    self.put(|field| match jiff::Timestamp::from_microsecond(micros) {
                        Ok(time) => write!(field, "{time}"),
                        Err(_) => Ok(()), // beyond the year 9999
                    })?;
                }
                (ValueRef::Null, Kind::Time) => {
                    self.put(|_| Ok(()))?;
                    self.put(|_| Ok(()))?;
                }
                (ValueRef::Null, _) => self.put(|_| Ok(()))?,
                (ValueRef::Integer(value), _) => self.put(|field| write!(field, "{value}"))?,
                // `{:?}` is the shortest text that reads back as the same number,
                // with an exponent where digits would be zeros.
                (ValueRef::Real(value), _) => self.put(|field| write!(field, "{value:?}"))?,
                (ValueRef::Text(text), _) => self.out.write_field(text).map_err(output)?,
                (ValueRef::Blob(bytes), _) => {
                    self.put(|field| bytes.iter().try_for_each(|byte| write!(field, "{byte:02x}")))?
                }
            }
        }
        self.out.write_record(None::<&[u8]>).map_err(output)
    }

    fn finish(mut self) -> Result<(), ExportError> {
        Ok(self.out.flush()?)
    }
}

fn output(error: csv::Error) -> ExportError {
    ExportError::Output(error.into())
}
