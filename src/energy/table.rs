//! CSV text into checked values, and errors that name the cell.
//!
//! Data files are edited by hand and by spreadsheets, so every cell is
//! checked where it is read, and the first bad one is reported with file,
//! line, row key, column, value, and what to try.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Characters of a cell that an error repeats. A quote left open can make
/// one cell of a whole file.
const CELL_SHOWN_CHARS: usize = 40;

/// The text of a data file and the name to call it by in errors.
#[derive(Debug, Clone, Copy)]
pub struct DataFile<'a> {
    /// Path or other name, as the user knows the file.
    pub name: &'a str,
    /// UTF-8 CSV with a header row; a byte order mark and CRLF are fine.
    pub text: &'a str,
}

/// A data file that cannot be used: file, place, reason, and what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}{reason}")]
pub struct DataError {
    file: String,
    place: String,
    reason: String,
}

impl DataError {
    /// An error about a file as a whole.
    pub(crate) fn of(file: &str, reason: String) -> Self {
        Self { file: file.to_owned(), place: String::new(), reason }
    }

    /// The file as named by its [`DataFile`].
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// How far a number can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Read in the source named beside it.
    Found,
    /// General knowledge, not checked against a source.
    Recalled,
    /// Calculated from found or recalled numbers; the note says how.
    Computed,
    /// An assumption: vary it, never report it as data.
    Guess,
}

impl Status {
    /// Every status and its word in the files.
    pub const ALL: [(&'static str, Self); 4] = [
        ("found", Self::Found),
        ("recalled", Self::Recalled),
        ("computed", Self::Computed),
        ("guess", Self::Guess),
    ];
}

/// A parsed file whose header has all wanted columns. Columns beyond those
/// are ignored, so that a user can keep remarks beside the numbers.
pub(crate) struct Table<'a> {
    file: DataFile<'a>,
    columns: Vec<(&'static str, usize)>,
    records: Vec<csv::StringRecord>,
}

impl<'a> Table<'a> {
    /// Splits `file` into rows. The first of `wanted` is the key by which
    /// errors name a row.
    pub(crate) fn read(file: DataFile<'a>, wanted: &[&'static str]) -> Result<Self, DataError> {
        let fail = |line: Option<u64>, reason: String| DataError {
            file: file.name.to_owned(),
            place: line.map(|line| format!("line {line}: ")).unwrap_or_default(),
            reason,
        };
        if file.text.trim().is_empty() {
            return Err(fail(None, format!("is empty; it needs a header row: {}", wanted.join(","))));
        }
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file.text.as_bytes());
        let header = reader.headers().map_err(|error| fail(None, error.to_string()))?.clone();
        let columns = wanted
            .iter()
            .map(|&name| match header.iter().position(|column| column == name) {
                Some(at) => Ok((name, at)),
                None => Err(fail(
                    Some(1),
                    format!("column {name} is missing; add it, or rename the one that holds it in this unit"),
                )),
            })
            .collect::<Result<_, _>>()?;
        let records = reader
            .records()
            .map(|record| {
                record.map_err(|error| {
                    let line = error.position().map(|position| line_at(file.text, position));
                    match error.kind() {
                        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => fail(
                            line,
                            format!(
                                "has {len} fields and the header {expected_len}; is a text with a comma not in quotes?"
                            ),
                        ),
                        _ => fail(line, error.to_string()),
                    }
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { file, columns, records })
    }

    /// The rows in file order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.records.iter().map(|record| Row { table: self, record })
    }

    /// An error about the file as a whole.
    pub(crate) fn error(&self, reason: impl Into<String>) -> DataError {
        DataError { file: self.file.name.to_owned(), place: String::new(), reason: reason.into() }
    }
}

/// One row: getters that check, and errors that name the cell.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    table: &'a Table<'a>,
    record: &'a csv::StringRecord,
}

impl<'a> Row<'a> {
    /// The cell as text, possibly empty.
    ///
    /// # Panics
    /// When `column` is not among those that [`Table::read`] was given: a bug
    /// here, not in the file.
    pub(crate) fn text(&self, column: &str) -> &'a str {
        let (_, at) = self.table.columns.iter().find(|(name, _)| *name == column).expect("a wanted column");
        &self.record[*at]
    }

    /// The cell as text, not empty.
    pub(crate) fn some_text(&self, column: &str) -> Result<&'a str, DataError> {
        match self.text(column) {
            "" => Err(self.error(format!("{column} is empty"))),
            text => Ok(text),
        }
    }

    /// The cell as a number within `range`; `hint` says what may have gone
    /// wrong when it is outside.
    pub(crate) fn number(
        &self,
        column: &str,
        range: RangeInclusive<f64>,
        hint: &str,
    ) -> Result<f64, DataError> {
        let value: f64 = self.parse(column, "a number")?;
        if range.contains(&value) {
            return Ok(value);
        }
        let (low, high) = range.into_inner();
        Err(self.wrong(column, &format!("is outside {low}..{high}; {hint}")))
    }

    /// The cell as whatever `T` parses; `wanted` names it with its article.
    pub(crate) fn parse<T: FromStr>(&self, column: &str, wanted: &str) -> Result<T, DataError> {
        self.some_text(column)?.parse().map_err(|_| self.wrong(column, &format!("is not {wanted}")))
    }

    /// The cell as one of a list of words.
    pub(crate) fn one_of<T: Copy>(&self, column: &str, words: &[(&str, T)]) -> Result<T, DataError> {
        let text = self.some_text(column)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(column, &format!("is not one of {}", known.join(", ")))
        })
    }

    /// `Err` that repeats the cell and says what is wrong with it.
    pub(crate) fn wrong(&self, column: &str, problem: &str) -> DataError {
        let text = self.text(column);
        let shown: String = text.chars().take(CELL_SHOWN_CHARS).collect();
        let cut = if shown.len() < text.len() { "..." } else { "" };
        self.error(format!("{column} = {shown}{cut} {problem}"))
    }

    /// An error about the row as a whole.
    pub(crate) fn error(&self, reason: impl fmt::Display) -> DataError {
        let key: String = self.record[self.table.columns[0].1].chars().take(CELL_SHOWN_CHARS).collect();
        let key = if key.is_empty() { key } else { format!(" ({key})") };
        DataError {
            file: self.table.file.name.to_owned(),
            place: format!("line {}{key}: ", self.line()),
            reason: reason.to_string(),
        }
    }

    /// The line on which the row begins, the header's being 1.
    pub(crate) fn line(&self) -> u64 {
        self.record.position().map_or(0, |position| line_at(self.table.file.text, position))
    }
}

/// The line, counted from 1, of a record's first character. The parser's own
/// count is one short after CRLF and does not step over blank lines.
fn line_at(text: &str, position: &csv::Position) -> u64 {
    let bytes = text.as_bytes();
    let mut start = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(bytes.len());
    start += bytes[start..].iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count();
    1 + bytes[..start].iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` as columns `key` and `watts`, and sums the watts.
    fn sum(text: &str) -> Result<f64, String> {
        let table =
            Table::read(DataFile { name: "t.csv", text }, &["key", "watts"]).map_err(|e| e.to_string())?;
        table
            .rows()
            .map(|row| row.number("watts", 0.0..=9.0, "is it in kW?").map_err(|e| e.to_string()))
            .sum()
    }

    #[test]
    fn reads_what_spreadsheets_write() {
        fn check(text: &str, watts: f64) {
            assert_eq!(sum(text), Ok(watts), "{text:?}");
        }
        check("key,watts\na,1\nb,2\n", 3.0);
        check("\u{feff}key,watts\r\na,1\r\nb, 2 \r\n", 3.0);
        check("watts,remark,key\n1,\"x, y\",a", 1.0);
        check("key,watts\n", 0.0);
    }

    #[test]
    fn errors_name_the_cell() {
        fn check(text: &str, error: &str) {
            assert_eq!(sum(text), Err(error.to_owned()));
        }
        check(" \n", "t.csv: is empty; it needs a header row: key,watts");
        check(
            "key,watt\na,1",
            "t.csv: line 1: column watts is missing; add it, or rename the one that holds it in this unit",
        );
        check(
            "key,watts\na,1,2",
            "t.csv: line 2: has 3 fields and the header 2; is a text with a comma not in quotes?",
        );
        check("key,watts\na,1\nb,41\n", "t.csv: line 3 (b): watts = 41 is outside 0..9; is it in kW?");
        check("key,watts\r\na,1\r\nb,41\r\n", "t.csv: line 3 (b): watts = 41 is outside 0..9; is it in kW?");
        check("key,watts\na,1\n\n\nb,41\n", "t.csv: line 5 (b): watts = 41 is outside 0..9; is it in kW?");
        check("\u{feff}key,watts\na,41\n", "t.csv: line 2 (a): watts = 41 is outside 0..9; is it in kW?");
        check("key,watts\na,NaN", "t.csv: line 2 (a): watts = NaN is outside 0..9; is it in kW?");
        check("key,watts\na,", "t.csv: line 2 (a): watts is empty");
        check("key,watts\n,1 W", "t.csv: line 2: watts = 1 W is not a number");
        let long = "9".repeat(41);
        check(
            &format!("key,watts\na,{long}x"),
            &format!("t.csv: line 2 (a): watts = {}... is not a number", &long[..40]),
        );
    }
}
