//! What targets measure: names of metrics and windows, and both worlds measured alike.

use super::super::day::Day;

/// What a target measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Mean absolute error of the 7-day hashrate, percent.
    Mape,
    /// Lowest against highest before it, of the 7-day hashrate, percent.
    Trough,
    /// Day of the lowest.
    TroughDate,
    /// Days from the lowest until this percentage of the peak.
    DaysTo(u32),
    /// Change at the retarget that begins on a day, percent.
    DifficultyChange,
    /// Mean of the window against the week before, percent.
    Drop,
    /// The same, and it shall be small.
    NoDrop,
    /// Mean of the last month against the first, percent.
    MonthlyChange,
    /// Mean absolute error of country shares, percentage points.
    ShareError,
    /// Highest less lowest hydro share of a year's months, percentage points.
    HydroSwing,
    /// Energy of a year, TWh.
    Energy,
    /// Herfindahl-Hirschman index of countries.
    Hhi,
    /// Mean efficiency of a window, J/TH.
    Efficiency,
    /// Mean hashprice of a window, USD/PH/s/day.
    Hashprice,
    /// Mean hashrate of a window, EH/s.
    Hashrate,
}

impl Metric {
    /// The metric of that name, as `validation_targets.csv` writes it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let has = |part: &str| name.contains(part);
        Some(match () {
            () if has("mape") && has("hashrate") => Self::Mape,
            () if has("must not show") => Self::NoDrop,
            () if has("date of trough") => Self::TroughDate,
            () if has("days from trough to") => {
                let digits: String =
                    name.split("to ").last()?.chars().take_while(char::is_ascii_digit).collect();
                Self::DaysTo(digits.parse().ok()?)
            }
            () if has("trough") => Self::Trough,
            () if has("difficulty change") => Self::DifficultyChange,
            () if has("hashrate drop") => Self::Drop,
            () if has("monthly mean change") => Self::MonthlyChange,
            () if has("country shares") && (has("mae") || has("error")) => Self::ShareError,
            () if has("hydro share swing") => Self::HydroSwing,
            () if has("twh") => Self::Energy,
            () if has("hhi") => Self::Hhi,
            () if has("j/th") => Self::Efficiency,
            () if has("hashprice") => Self::Hashprice,
            () if has("hashrate") && has("eh/s") => Self::Hashrate,
            () => return None,
        })
    }

    /// Names that [`Metric::of`] knows, for an error.
    pub const KNOWN: &str = "MAPE of 7-day hashrate; trough of 7-day hashrate, % vs peak; date of trough; \
        days from trough to N% of peak; difficulty change %; hashrate drop %; must NOT show a drop; \
        monthly mean change %; country shares MAE; hydro share swing; TWh; country HHI; J/TH; \
        hashprice; hashrate EH/s";
}

/// First and last day of a window: `2021`, `2022-01`, `2021-05-30`, or two of
/// those with `..` between; the year or month may be left out of the second.
#[must_use]
pub fn window(text: &str) -> Option<(Day, Day)> {
    match text.split_once("..") {
        None => span(text.trim()),
        Some((from, to)) => {
            let (from, to) = (from.trim(), to.trim());
            let first = span(from)?.0;
            let whole = if to.len() < from.len() {
                format!("{}{to}", &from[..from.len() - to.len()])
            } else {
                to.to_owned()
            };
            let last = span(&whole)?.1;
            (first <= last).then_some((first, last))
        }
    }
}

fn span(text: &str) -> Option<(Day, Day)> {
    match text.len() {
        4 => Some((format!("{text}-01-01").parse().ok()?, format!("{text}-12-31").parse().ok()?)),
        7 => {
            let first: Day = format!("{text}-01").parse().ok()?;
            let last = Day::of(first.date().last_of_month());
            Some((first, last))
        }
        10 => text.parse().ok().map(|day| (day, day)),
        _ => None,
    }
}

/// A daily series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The day of the first value.
    pub first: Day,
    /// One a day.
    pub values: Vec<f64>,
}

impl Series {
    /// The value of a day.
    #[must_use]
    pub fn on(&self, day: Day) -> Option<f64> {
        self.values.get(usize::try_from(day - self.first).ok()?).copied()
    }

    /// Mean of the days that there are.
    #[must_use]
    pub fn mean(&self, from: Day, to: Day) -> Option<f64> {
        let values: Vec<f64> = (from.0..=to.0).filter_map(|day| self.on(Day(day))).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Means of seven days that end with each.
    #[must_use]
    pub fn weekly(&self) -> Self {
        let values =
            (6..self.values.len()).map(|at| self.values[at - 6..=at].iter().sum::<f64>() / 7.0).collect();
        Self { first: self.first + 6, values }
    }

    /// The highest value before the lowest, and the lowest, of the days from
    /// `from` to `to`.
    #[must_use]
    pub fn peak_and_trough(&self, from: Day, to: Day) -> Option<((Day, f64), (Day, f64))> {
        let days: Vec<(Day, f64)> =
            (from.0..=to.0).filter_map(|day| Some((Day(day), self.on(Day(day))?))).collect();
        // The deepest fall from a peak so far.
        let mut peak = *days.first()?;
        let mut worst = (peak, peak);
        for &(day, value) in &days {
            if value > peak.1 {
                peak = (day, value);
            }
            if value / peak.1 < worst.1.1 / worst.0.1 {
                worst = (peak, (day, value));
            }
        }
        Some(worst)
    }

    /// Percent by which the mean of a window is above that of the week before.
    #[must_use]
    pub fn change(&self, from: Day, to: Day) -> Option<f64> {
        Some((self.mean(from, to)? / self.mean(from - 7, from - 1)? - 1.0) * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_the_files_write_them() {
        fn check(text: &str, wanted: Option<(&str, &str)>) {
            let wanted = wanted.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()));
            assert_eq!(window(text), wanted, "{text}");
        }
        check("2021", Some(("2021-01-01", "2021-12-31")));
        check("2022-02", Some(("2022-02-01", "2022-02-28")));
        check("2021-05-30", Some(("2021-05-30", "2021-05-30")));
        check("2021-05-01..2021-12-31", Some(("2021-05-01", "2021-12-31")));
        check("2021-04-16..04-21", Some(("2021-04-16", "2021-04-21")));
        check("2022-05..2022-07", Some(("2022-05-01", "2022-07-31")));
        check("2022-07..2022-05", None);
        check("spring", None);
    }

    #[test]
    fn the_deepest_fall_is_found() {
        let first: Day = "2021-05-01".parse().unwrap();
        let series = Series { first, values: vec![9.0, 10.0, 8.0, 4.0, 7.0, 12.0, 11.0] };
        let ((peak, _), (trough, low)) = series.peak_and_trough(first, first + 6).unwrap();
        assert_eq!((peak, trough, low), (first + 1, first + 3, 4.0));
    }
}
