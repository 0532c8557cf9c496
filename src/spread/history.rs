//! What happened: hashrate, difficulty, price, events and shares, as measured.

use super::day::Day;
use super::inputs::data;
use crate::energy::{DataError, DataFile, Table};

/// The six files of a history, with the columns of `data/history/`.
#[derive(Debug, Clone, Copy)]
pub struct HistoryFiles<'a> {
    /// `btc_daily_network.csv`
    pub network: DataFile<'a>,
    /// `btc_difficulty_epochs.csv`
    pub epochs: DataFile<'a>,
    /// `btc_price_weekly.csv`
    pub price: DataFile<'a>,
    /// `events.csv`
    pub events: DataFile<'a>,
    /// `hashrate_share_country.csv`
    pub shares: DataFile<'a>,
    /// `validation_targets.csv`
    pub targets: DataFile<'a>,
}

impl HistoryFiles<'static> {
    /// The names of the files in a folder.
    pub const NAMES: [&'static str; 6] = [
        "btc_daily_network.csv",
        "btc_difficulty_epochs.csv",
        "btc_price_weekly.csv",
        "events.csv",
        "hashrate_share_country.csv",
        "validation_targets.csv",
    ];

    /// The files of `data/history/`, as they were when the program was built.
    #[must_use]
    pub const fn embedded() -> Self {
        Self {
            network: data!("history/btc_daily_network.csv"),
            epochs: data!("history/btc_difficulty_epochs.csv"),
            price: data!("history/btc_price_weekly.csv"),
            events: data!("history/events.csv"),
            shares: data!("history/hashrate_share_country.csv"),
            targets: data!("history/validation_targets.csv"),
        }
    }
}

/// One day of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkDay {
    /// The day, UTC.
    pub day: Day,
    /// Blocks found.
    pub blocks: f64,
    /// Mean difficulty of those.
    pub difficulty: f64,
    /// Hashrate by the day's blocks, EH/s.
    pub hashrate_1d_ehs: f64,
    /// By the blocks of seven days that end with this one; absent at the start.
    pub hashrate_7d_ehs: Option<f64>,
    /// Subsidy paid, BTC.
    pub subsidy_btc: f64,
}

/// A difficulty epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// Height of its first block.
    pub height: u32,
    /// The day of its first block, and the second since 1970.
    pub began: (Day, i64),
    /// Its difficulty.
    pub difficulty: f64,
    /// Against the epoch before, percent.
    pub change_pct: Option<f64>,
    /// Days from its first block to the next epoch's; absent for the last.
    pub days: Option<f64>,
}

/// Something that happened to mining somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct PastEvent {
    /// What it is called.
    pub id: String,
    /// Its first day.
    pub start: Day,
    /// Its last day, if it has one.
    pub end: Option<Day>,
    /// A region, the first part of several (`US`), or `WORLD`.
    pub region: String,
    /// A type of `event_effects.csv`.
    pub kind: String,
}

/// A country's share at some time.
#[derive(Debug, Clone, PartialEq)]
pub struct CountryShare {
    /// Month or day, as in the file.
    pub date: String,
    /// ISO 3166 alpha-3.
    pub iso3: String,
    /// Percent of the network.
    pub share_pct: f64,
}

/// Something that a model can be held against.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Target {
    /// The event or the subject.
    pub target: String,
    /// When.
    pub window: String,
    /// What is measured.
    pub metric: String,
    /// What was measured.
    pub observed: String,
    /// Its standard error, where known.
    pub noise: Option<f64>,
    /// What counts as hit, in words.
    pub tolerance: String,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Ascending and without gaps.
    pub network: Vec<NetworkDay>,
    /// Ascending.
    pub epochs: Vec<Epoch>,
    /// First day of each week and the mean price, USD/BTC; ascending.
    pub price: Vec<(Day, f64)>,
    /// In file order.
    pub events: Vec<PastEvent>,
    /// In file order.
    pub shares: Vec<CountryShare>,
    /// In file order.
    pub targets: Vec<Target>,
}

const DATE: &str = "a date such as 2021-05-21";

impl History {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// The first cell or file that cannot be used.
    pub fn read(files: HistoryFiles<'_>) -> Result<Self, DataError> {
        Ok(Self {
            network: network(files.network)?,
            epochs: epochs(files.epochs)?,
            price: price(files.price)?,
            events: events(files.events)?,
            shares: shares(files.shares)?,
            targets: targets(files.targets)?,
        })
    }

    /// The day's row, if there is one.
    #[must_use]
    pub fn on(&self, day: Day) -> Option<&NetworkDay> {
        let first = self.network.first()?.day;
        self.network.get(usize::try_from(day - first).ok()?)
    }

    /// USD/BTC on a day: between the middles of weeks a line, beyond them the last.
    ///
    /// `known_until`: weeks that end after this day are not looked at.
    #[must_use]
    pub fn price_on(&self, day: Day, known_until: Day) -> f64 {
        let middle = |at: usize| self.price[at].0 + 3;
        let known = self.price.partition_point(|(start, _)| *start + 6 <= known_until).max(1);
        let next = self.price[..known].partition_point(|(start, _)| *start + 3 <= day);
        if next == 0 || next == known {
            return self.price[next.saturating_sub(1).min(known - 1)].1;
        }
        let (from, to) = (middle(next - 1), middle(next));
        let part = f64::from(day - from) / f64::from(to - from);
        self.price[next - 1].1 * (1.0 - part) + self.price[next].1 * part
    }
}

fn network(file: DataFile<'_>) -> Result<Vec<NetworkDay>, DataError> {
    const COLUMNS: [&str; 6] =
        ["date", "blocks", "difficulty_mean", "hashrate_ehs_1d", "hashrate_ehs_7d", "subsidy_btc"];
    let table = Table::read(file, &COLUMNS)?;
    let mut days: Vec<NetworkDay> = Vec::new();
    for row in table.rows() {
        let day: Day = row.parse("date", DATE)?;
        if days.last().is_some_and(|last| day - last.day != 1) {
            return Err(row.wrong("date", "does not follow the day before; days must ascend without gaps"));
        }
        let rate = |column| row.number(column, 0.0..=1e6, "is it in TH/s?");
        days.push(NetworkDay {
            day,
            blocks: row.number("blocks", 0.0..=2_000.0, "blocks of a day")?,
            difficulty: row.number("difficulty_mean", 1.0..=1e20, "is it a target?")?,
            hashrate_1d_ehs: rate("hashrate_ehs_1d")?,
            hashrate_7d_ehs: match row.text("hashrate_ehs_7d") {
                "" => None,
                _ => Some(rate("hashrate_ehs_7d")?),
            },
            subsidy_btc: row.number("subsidy_btc", 0.0..=20_000.0, "is it in satoshi?")?,
        });
    }
    if days.is_empty() {
        return Err(table.error("has a header and no rows"));
    }
    Ok(days)
}

fn epochs(file: DataFile<'_>) -> Result<Vec<Epoch>, DataError> {
    let table = Table::read(file, &["height_start", "time_utc", "difficulty", "change_pct", "epoch_days"])?;
    table
        .rows()
        .map(|row| {
            let began: jiff::Timestamp = row.parse("time_utc", "a time such as 2021-01-09T15:24:37Z")?;
            let second = began.as_second();
            let some = |column, range: std::ops::RangeInclusive<f64>| match row.text(column) {
                "" => Ok(None),
                _ => row.number(column, range, "is the column right?").map(Some),
            };
            Ok(Epoch {
                height: row.number("height_start", 0.0..=1e8, "a block height")? as u32,
                began: (Day(second.div_euclid(86_400) as i32), second),
                difficulty: row.number("difficulty", 1.0..=1e20, "is it a target?")?,
                change_pct: some("change_pct", -75.0..=300.0)?,
                days: some("epoch_days", 0.01..=365.0)?,
            })
        })
        .collect()
}

fn price(file: DataFile<'_>) -> Result<Vec<(Day, f64)>, DataError> {
    let table = Table::read(file, &["week_start", "close_usd_mean"])?;
    let mut weeks: Vec<(Day, f64)> = Vec::new();
    for row in table.rows() {
        let week: Day = row.parse("week_start", DATE)?;
        if weeks.last().is_some_and(|last| week <= last.0) {
            return Err(row.wrong("week_start", "does not follow the week before"));
        }
        weeks.push((week, row.number("close_usd_mean", 0.01..=1e8, "it is USD for a bitcoin")?));
    }
    if weeks.is_empty() {
        return Err(table.error("has a header and no rows"));
    }
    Ok(weeks)
}

/// Events, as `events.csv` and `events_more.csv` have them.
pub(super) fn events(file: DataFile<'_>) -> Result<Vec<PastEvent>, DataError> {
    let table = Table::read(file, &["id", "start", "end", "region", "type"])?;
    table
        .rows()
        .map(|row| {
            let start: Day = row.parse("start", DATE)?;
            let end = match row.text("end") {
                "" => None,
                _ => Some(row.parse("end", DATE)?),
            };
            if end.is_some_and(|end| end < start) {
                return Err(row.wrong("end", "is before start; are the two exchanged?"));
            }
            Ok(PastEvent {
                id: row.some_text("id")?.to_owned(),
                start,
                end,
                region: row.some_text("region")?.to_owned(),
                kind: row.some_text("type")?.to_owned(),
            })
        })
        .collect()
}

fn shares(file: DataFile<'_>) -> Result<Vec<CountryShare>, DataError> {
    let table = Table::read(file, &["date", "iso3", "share_pct"])?;
    table
        .rows()
        .map(|row| {
            Ok(CountryShare {
                date: row.some_text("date")?.to_owned(),
                iso3: row.some_text("iso3")?.to_owned(),
                share_pct: row.number("share_pct", 0.0..=100.0, "it is percent of the network")?,
            })
        })
        .collect()
}

fn targets(file: DataFile<'_>) -> Result<Vec<Target>, DataError> {
    const COLUMNS: [&str; 6] =
        ["target", "window", "metric", "observed", "noise_1sigma", "suggested_tolerance"];
    let table = Table::read(file, &COLUMNS)?;
    table
        .rows()
        .map(|row| {
            Ok(Target {
                target: row.some_text("target")?.to_owned(),
                window: row.some_text("window")?.to_owned(),
                metric: row.some_text("metric")?.to_owned(),
                observed: row.text("observed").to_owned(),
                noise: row.text("noise_1sigma").split_whitespace().next().and_then(|text| text.parse().ok()),
                tolerance: row.text("suggested_tolerance").to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_history_is_whole() {
        let history = History::read(HistoryFiles::embedded()).unwrap();
        assert_eq!((history.network.len(), history.epochs.len(), history.targets.len()), (1087, 79, 20));
        let day: Day = "2021-07-02".parse().unwrap();
        assert_eq!(history.on(day).unwrap().hashrate_7d_ehs, Some(84.79));
    }

    #[test]
    fn prices_between_weeks_are_on_a_line() {
        let week = |start: &str, price: f64| (start.parse::<Day>().unwrap(), price);
        let history = History {
            network: Vec::new(),
            epochs: Vec::new(),
            price: vec![week("2022-01-03", 100.0), week("2022-01-10", 170.0)],
            events: Vec::new(),
            shares: Vec::new(),
            targets: Vec::new(),
        };
        let check = |day: &str, known: &str, price: f64| {
            assert_eq!(history.price_on(day.parse().unwrap(), known.parse().unwrap()), price, "{day}");
        };
        check("2022-01-01", "2023-01-01", 100.0);
        check("2022-01-06", "2023-01-01", 100.0);
        check("2022-01-10", "2023-01-01", 140.0);
        check("2022-02-10", "2023-01-01", 170.0);
        check("2022-02-10", "2022-01-15", 100.0); // the second week was not over
    }
}
