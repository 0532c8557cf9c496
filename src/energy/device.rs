//! A mining machine: its hashrate and its power.

use jiff::civil::Date;

use super::table::{DataError, DataFile, Row, Status, Table};
use crate::units::{Hashrate, Watts};

/// How far power over hashrate may be from the stated efficiency. Data sheets
/// round each of the three; beyond this one of them is of another mode.
const EFFICIENCY_TOLERANCE: f64 = 0.02;

/// Columns of `devices.csv` that are read; the first names the row in errors.
const COLUMNS: [&str; 9] = [
    "model",
    "maker",
    "release_month",
    "hashrate_th_per_s",
    "power_w",
    "efficiency_j_per_th",
    "cooling",
    "spec_source",
    "spec_status",
];

/// What carries a machine's heat away, and so which PUE applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cooling {
    /// Fans.
    Air,
    /// Water plates, with pumps and dry coolers outside the machine.
    Hydro,
}

impl Cooling {
    /// Every way and its word in the files.
    pub const ALL: [(&'static str, Self); 2] = [("air", Self::Air), ("hydro", Self::Hydro)];
}

/// A model of mining machine, as its maker specifies it.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// The maker's name for it; unique without regard to case.
    pub model: String,
    /// Who makes it.
    pub maker: String,
    /// First day of the month of first delivery.
    pub release: Date,
    /// Nominal hashrate.
    pub hashrate: Hashrate,
    /// Nominal power at the wall, without the site's cooling.
    pub power: Watts,
    /// Joules per terahash, which is watts per TH/s.
    pub efficiency_j_per_th: f64,
    /// What carries its heat away.
    pub cooling: Cooling,
    /// Who published hashrate, power and efficiency.
    pub spec_source: String,
    /// How far these three can be trusted.
    pub spec_status: Status,
}

impl Device {
    /// The rows of a `devices.csv`, in file order.
    pub(super) fn read_all(file: DataFile<'_>) -> Result<Vec<Self>, DataError> {
        let table = Table::read(file, &COLUMNS)?;
        let mut devices: Vec<Self> = Vec::new();
        for row in table.rows() {
            let device = Self::read(row)?;
            if devices.iter().any(|other| other.model.eq_ignore_ascii_case(&device.model)) {
                return Err(row.error("model is already listed above; remove one of the two"));
            }
            devices.push(device);
        }
        if devices.is_empty() {
            return Err(table.error("has a header and no rows; add at least one device"));
        }
        Ok(devices)
    }

    fn read(row: Row<'_>) -> Result<Self, DataError> {
        let terahashes =
            row.number("hashrate_th_per_s", 1e-6..=100_000.0, "is it in GH/s, or above 0 at all?")?;
        let power = row.number("power_w", 0.1..=1_000_000.0, "is it in kW?")?;
        let efficiency_j_per_th = row.number("efficiency_j_per_th", 0.1..=1_000_000.0, "is it in J/GH?")?;
        let implied = power / terahashes;
        if (implied / efficiency_j_per_th - 1.0).abs() > EFFICIENCY_TOLERANCE {
            return Err(row.wrong(
                "efficiency_j_per_th",
                &format!("but power_w / hashrate_th_per_s = {implied:.2}; are the three of the same mode?"),
            ));
        }
        Ok(Self {
            model: row.some_text("model")?.to_owned(),
            maker: row.some_text("maker")?.to_owned(),
            release: release_of(row)?,
            hashrate: Hashrate::from_terahashes(terahashes),
            power: Watts(power),
            efficiency_j_per_th,
            cooling: row.one_of("cooling", &Cooling::ALL)?,
            spec_source: row.some_text("spec_source")?.to_owned(),
            spec_status: row.one_of("spec_status", &Status::ALL)?,
        })
    }
}

/// `2024-02` as the first of February 2024.
fn release_of(row: Row<'_>) -> Result<Date, DataError> {
    let month = row.some_text("release_month")?;
    let date = format!("{month}-01").parse::<Date>().ok().filter(|_| month.len() == "2024-02".len());
    match date {
        // Before 2009 there was nothing to mine.
        Some(date) if (2009..=2200).contains(&date.year()) => Ok(date),
        _ => Err(row.wrong("release_month", "is not a month from 2009 on, such as 2024-02")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "model,maker,release_month,hashrate_th_per_s,power_w,efficiency_j_per_th,cooling,spec_source,spec_status";

    fn read(rows: &str) -> Result<Vec<Device>, String> {
        let text = format!("{HEADER}\n{rows}");
        Device::read_all(DataFile { name: "devices.csv", text: &text }).map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_is_a_device() {
        let devices = read("S21,Bitmain,2024-02,200.0,3500,17.5,air,data sheet,found").unwrap();
        assert_eq!(devices[0].hashrate, Hashrate::from_terahashes(200.0));
        assert_eq!(devices[0].power, Watts(3500.0));
        assert_eq!(devices[0].release, Date::constant(2024, 2, 1));
        assert_eq!(devices[0].cooling, Cooling::Air);
    }

    #[test]
    fn bad_rows_say_why() {
        fn check(rows: &str, error: &str) {
            assert_eq!(read(rows).unwrap_err(), format!("devices.csv: {error}"));
        }
        check("", "has a header and no rows; add at least one device");
        check(
            "S21,Bitmain,2024-02,200,3500,18,air,s,found",
            "line 2 (S21): efficiency_j_per_th = 18 but power_w / hashrate_th_per_s = 17.50; \
             are the three of the same mode?",
        );
        check(
            "S21,Bitmain,2024-02,200,0.0035,17.5,air,s,found",
            "line 2 (S21): power_w = 0.0035 is outside 0.1..1000000; is it in kW?",
        );
        check(
            "S21,Bitmain,2024-02,200000,3500,17.5,air,s,found",
            "line 2 (S21): hashrate_th_per_s = 200000 is outside 0.000001..100000; \
             is it in GH/s, or above 0 at all?",
        );
        check(
            "S21,Bitmain,2024-02,200,3500,17.5,oil,s,found",
            "line 2 (S21): cooling = oil is not one of air, hydro",
        );
        check(
            "S21,Bitmain,Feb-24,200,3500,17.5,air,s,found",
            "line 2 (S21): release_month = Feb-24 is not a month from 2009 on, such as 2024-02",
        );
        check(
            "S21,Bitmain,2024-02,200,3500,17.5,air,s,found\ns21,Bitmain,2024-02,200,3500,17.5,air,s,found",
            "line 3 (s21): model is already listed above; remove one of the two",
        );
    }

    #[test]
    fn data_sheet_rounding_is_within_tolerance() {
        assert!(read("S9,Bitmain,2016-06,13.5,1323,96.5,air,s,found").is_ok());
        assert!(read("S9,Bitmain,2016-06,13.5,1323,95.5,air,s,found").is_err());
    }
}
