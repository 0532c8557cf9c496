//! The three tables loaded together, and finding things in them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::device::Device;
use super::region::{Region, RegionCode};
use super::site::Site;
use super::table::{DataError, DataFile, Row, Table};
use super::tariff::{self, Price, Tariff};
use crate::units::Timestamp;

/// Names at least this alike (0 to 1, Jaro-Winkler) are offered in place of an
/// unknown one; below it the offer is more puzzling than helpful.
const LIKENESS_MIN: f64 = 0.8;

/// The texts an [`Atlas`] is made from.
///
/// To replace one table and keep the others:
/// `Sources { tariffs: mine, ..Sources::embedded() }`.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// One row per region.
    pub regions: DataFile<'a>,
    /// One row per machine model.
    pub devices: DataFile<'a>,
    /// Rows of dated prices, each for a region of the first table.
    pub tariffs: DataFile<'a>,
}

impl Sources<'static> {
    /// The files of `data/`, as they were when the program was built.
    #[must_use]
    pub const fn embedded() -> Self {
        Self {
            regions: DataFile { name: "data/regions.csv", text: include_str!("../../data/regions.csv") },
            devices: DataFile { name: "data/devices.csv", text: include_str!("../../data/devices.csv") },
            tariffs: DataFile { name: "data/tariffs.csv", text: include_str!("../../data/tariffs.csv") },
        }
    }
}

/// Regions with their tariffs, and devices.
#[derive(Debug, Clone)]
pub struct Atlas {
    regions: BTreeMap<RegionCode, Arc<Region>>,
    devices: Vec<Arc<Device>>,
}

/// A name that no row of a table bears.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} is called `{name}`; {advice}")]
pub struct UnknownName {
    kind: &'static str,
    name: String,
    advice: String,
}

impl Atlas {
    /// The tables built into the program.
    ///
    /// # Panics
    /// Never in a build whose tests pass: they load the same text.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Atlas> = LazyLock::new(|| {
            Atlas::from_csv(Sources::embedded()).unwrap_or_else(|error| panic!("embedded data: {error}"))
        });
        &EMBEDDED
    }

    /// Parses and checks the three tables.
    ///
    /// # Errors
    /// The first cell, row or file that cannot be used, in the order regions,
    /// devices, tariffs.
    pub fn from_csv(sources: Sources<'_>) -> Result<Self, DataError> {
        let mut regions: BTreeMap<RegionCode, Region> =
            Region::read_all(sources.regions)?.into_iter().map(|region| (region.code, region)).collect();
        let devices = Device::read_all(sources.devices)?.into_iter().map(Arc::new).collect();
        add_tariffs(&mut regions, sources.tariffs)?;
        let regions = regions.into_iter().map(|(code, region)| (code, Arc::new(region))).collect();
        Ok(Self { regions, devices })
    }

    /// All regions, by code.
    pub fn regions(&self) -> impl Iterator<Item = &Arc<Region>> {
        self.regions.values()
    }

    /// All devices, in file order.
    pub fn devices(&self) -> impl Iterator<Item = &Arc<Device>> {
        self.devices.iter()
    }

    /// The region of that code.
    ///
    /// # Errors
    /// When there is none, with the nearest code.
    pub fn region(&self, code: &str) -> Result<&Arc<Region>, UnknownName> {
        code.parse()
            .ok()
            .and_then(|code: RegionCode| self.regions.get(&code))
            .ok_or_else(|| UnknownName::new("region", code, self.regions.keys().map(RegionCode::as_str)))
    }

    /// The device of that model, without regard to case.
    ///
    /// # Errors
    /// When there is none, with the nearest name.
    pub fn device(&self, model: &str) -> Result<&Arc<Device>, UnknownName> {
        self.devices.iter().find(|device| device.model.eq_ignore_ascii_case(model)).ok_or_else(|| {
            UnknownName::new("device", model, self.devices.iter().map(|device| device.model.as_str()))
        })
    }

    /// What a kWh costs a machine in a region at that time, and why; `None`
    /// for an unknown region.
    #[must_use]
    pub fn price_at(&self, region: RegionCode, at: Timestamp) -> Option<Price<'_>> {
        self.regions.get(&region).map(|region| region.price_at(at))
    }

    /// `count` machines of a model in a region.
    ///
    /// # Errors
    /// When the region or the model is unknown.
    pub fn site(&self, region: &str, model: &str, count: u32) -> Result<Site, UnknownName> {
        Ok(Site { region: self.region(region)?.clone(), device: self.device(model)?.clone(), count })
    }
}

/// Gives each region its rows of a `tariffs.csv`.
fn add_tariffs(regions: &mut BTreeMap<RegionCode, Region>, file: DataFile<'_>) -> Result<(), DataError> {
    let table = Table::read(file, &tariff::COLUMNS)?;
    let mut earlier: BTreeMap<RegionCode, Vec<Row<'_>>> = BTreeMap::new();
    for row in table.rows() {
        let region = row
            .some_text("region")?
            .parse()
            .ok()
            .and_then(|code: RegionCode| regions.get_mut(&code))
            .ok_or_else(|| row.wrong("region", "is not in the table of regions; add it there first"))?;
        let tariff = Tariff::read(row, &region.currency)?;
        let earlier = earlier.entry(region.code).or_default();
        for (line, other) in earlier.iter().map(Row::line).zip(region.tariffs()) {
            if let Some(at) = tariff.conflict(other) {
                return Err(row.error(format!(
                    "`{}` overlaps `{}` of line {line} in hour {:02}; \
                     end one before the other begins, or change hours or role",
                    tariff.customer, other.customer, at.hour
                )));
            }
        }
        earlier.push(row);
        region.add_tariff(tariff);
    }
    Ok(())
}

impl UnknownName {
    fn new<'a>(kind: &'static str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
        let nearest = known
            .clone()
            .map(|other| (likeness(other), other))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let advice = match nearest {
            Some((_, other)) => format!("did you mean `{other}`?"),
            None => format!("the table has {}", known.collect::<Vec<_>>().join(", ")),
        };
        Self { kind, name: name.to_owned(), advice }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::{PriceBasis, Role};
    use super::*;

    #[test]
    fn every_row_of_the_data_loads() {
        let atlas = Atlas::from_csv(Sources::embedded()).unwrap_or_else(|error| panic!("{error}"));
        fn rows(file: DataFile<'_>) -> usize {
            csv::Reader::from_reader(file.text.as_bytes()).records().count()
        }
        let files = Sources::embedded();
        assert_eq!((atlas.regions().count(), rows(files.regions)), (42, 42));
        assert_eq!(atlas.devices().count(), rows(files.devices));
        let tariffs: usize = atlas.regions().map(|region| region.tariffs().len()).sum();
        assert_eq!(tariffs, rows(files.tariffs));
    }

    #[test]
    fn charged_tariffs_leave_no_hour_of_a_day_out() {
        // A gap would silently mix the region's middle price into a tariff.
        for region in Atlas::embedded().regions() {
            let charged = region.tariffs().iter().filter(|tariff| tariff.role == Role::Charged);
            for day in charged.flat_map(|tariff| [tariff.first_day(), tariff.day_after()]) {
                let on_tariff: BTreeSet<bool> = (0..24)
                    .map(|hour| region.price_in(super::super::LocalHour { day, hour }).basis)
                    .map(|basis| basis != PriceBasis::RegionMid)
                    .collect();
                assert_eq!(on_tariff.len(), 1, "{} on day {day}", region.code);
            }
        }
    }

    /// `at` is RFC 3339. `basis` begins what the price rests on.
    fn check_price(region: &str, at: &str, usd_per_kwh: f64, basis: &str) {
        let micros = at.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let price = Atlas::embedded().price_at(region.parse().unwrap(), Timestamp(micros as u64)).unwrap();
        assert_eq!(price.value.0, usd_per_kwh, "{region} {at}");
        assert!(price.basis.to_string().starts_with(basis), "{region} {at}: {}", price.basis);
    }

    #[test]
    fn ethiopia_pays_by_the_hour_since_december_2025() {
        fn check(local: &str, cents: f64) {
            check_price("ET", &format!("{local}+03:00"), cents, "tariff `data mining`");
        }
        check("2020-01-01T19:00:00", 0.0314);
        check("2025-11-30T23:59:59", 0.0314);
        check("2025-12-01T00:00:00", 0.035);
        check("2025-12-01T04:59:59", 0.035);
        check("2025-12-01T05:00:00", 0.045);
        check("2025-12-01T08:59:59", 0.045);
        check("2025-12-01T09:00:00", 0.035);
        check("2025-12-01T17:59:59", 0.035);
        check("2025-12-01T18:00:00", 0.06);
        check("2025-12-01T21:59:59", 0.06);
        check("2025-12-01T22:00:00", 0.035);
        check("2026-07-07T19:00:00", 0.06);
        check("2026-07-08T19:00:00", 0.063);
        check("2026-07-08T06:00:00", 0.0555);
        check("2026-07-08T12:00:00", 0.0465);
        check("2027-07-07T23:00:00", 0.0465);
        check("2027-07-08T19:00:00", 0.072);
        check("2027-07-08T06:00:00", 0.0645);
        check("2027-07-08T12:00:00", 0.0635);
        // Held after the last published step.
        check("2028-07-08T12:00:00", 0.0635);
        check("2040-01-01T19:00:00", 0.072);
    }

    #[test]
    fn paraguay_pays_more_since_july_2024() {
        fn check(local: &str, usd_per_kwh: f64, basis: &str) {
            check_price("PY", &format!("{local}-03:00"), usd_per_kwh, basis);
        }
        check("2022-11-30T23:59:59", 0.048, "middle price");
        check("2022-12-01T00:00:00", 0.04304, "tariff `intensive special, midpoint`");
        check("2024-06-30T23:59:59", 0.04304, "tariff `intensive special, midpoint`");
        check("2024-07-01T00:00:00", 0.04842, "tariff `intensive special, midpoint`");
        check("2030-01-01T12:00:00", 0.04842, "tariff `intensive special, midpoint`");
    }

    #[test]
    fn other_regions_pay_tariff_or_middle_price() {
        check_price("US-TX", "2026-01-01T00:00:00Z", 0.045, "middle price");
        check_price("KZ", "2021-06-01T00:00:00Z", 0.025, "tariff `price cap`");
        check_price("KZ", "2022-06-01T00:00:00Z", 0.0273, "tariff `price cap era and mining tax`");
        // After the cap, and with a surcharge that the all-in price holds already.
        check_price("KZ", "2023-06-01T00:00:00Z", 0.055, "middle price");
        check_price("UZ", "2022-04-30T18:59:59Z", 0.031, "tariff `miners on grid`");
        check_price("UZ", "2022-04-30T19:00:00Z", 0.062, "tariff `miners on grid`");
        // The price of new projects is a reference, not what sites pay.
        check_price("CA-QC", "2025-01-01T00:00:00Z", 0.043, "middle price");
        // A clock with a half hour.
        check_price("IR", "2021-06-30T20:29:59Z", 0.039, "middle price");
        check_price("IR", "2021-06-30T20:30:00Z", 0.039, "tariff `licensed miners`");
    }

    #[test]
    fn names_are_found_or_the_nearest_is_offered() {
        fn check(region: &str, model: &str, error: &str) {
            let found = Atlas::embedded().site(region, model, 1);
            assert_eq!(found.err().map(|error| error.to_string()).unwrap_or_default(), error);
        }
        check("ET", "antminer s21 xp hyd", "");
        check("US-TC", "Antminer S21", "no region is called `US-TC`; did you mean `US-TX`?");
        check("et", "Antminer S21", "no region is called `et`; did you mean `ET`?");
        check(
            "ET",
            "Wattsminer M60S",
            "no device is called `Wattsminer M60S`; did you mean `Whatsminer M60S`?",
        );
        let error = Atlas::embedded().region("zzz").unwrap_err().to_string();
        assert!(error.starts_with("no region is called `zzz`; the table has AE, AO, AR, BR, "), "{error}");
    }

    #[test]
    fn a_table_of_ones_own_joins_the_built_in_ones() {
        let text = "region,role,customer,valid_from_date,valid_to_date,local_hours,price_usd_per_kwh,\
                    status,source,note\n";
        let tariffs = DataFile { name: "mine.csv", text };
        let atlas = Atlas::from_csv(Sources { tariffs, ..Sources::embedded() }).unwrap();
        let price = atlas.region("ET").unwrap().price_at(Timestamp(0));
        assert_eq!(price.basis, PriceBasis::RegionMid);
    }

    /// Replaces the first `old` of a built-in table by `new` and loads that.
    fn check_bad(name: &str, old: &str, new: &str, error: &str) {
        let mut sources = Sources::embedded();
        let file = [&mut sources.regions, &mut sources.devices, &mut sources.tariffs]
            .into_iter()
            .find(|file| file.name == format!("data/{name}.csv"))
            .unwrap();
        assert!(file.text.contains(old), "{name} has no {old}");
        let text = file.text.replacen(old, new, 1);
        // Tests may leak; sources borrow the built-in text for ever.
        file.text = text.leak();
        assert_eq!(Atlas::from_csv(sources).unwrap_err().to_string(), format!("data/{name}.csv: {error}"));
    }

    #[test]
    fn bad_regions_say_why() {
        fn check(old: &str, new: &str, error: &str) {
            check_bad("regions", old, new, error);
        }
        let kz = "Kazakhstan,KAZ,KZT,48.2,66.9,5,Asia/Almaty,found,0.03,0.055,0.09,";
        let kz_with = |old: &str, new: &str| kz.replace(old, new);
        check(
            kz,
            &kz_with("0.055", "41"),
            "line 11 (KZ): price_mid_usd_per_kwh = 41 is outside -1..5; is it in KZT?",
        );
        check(
            ",0.03,0.045,0.065,ERCOT",
            ",30,0.045,0.065,ERCOT",
            "line 2 (US-TX): price_low_usd_per_kwh = 30 is outside -1..5; is it in cents or per MWh?",
        );
        check(
            kz,
            &kz_with("0.055", "0.55"),
            "line 11 (KZ): price_mid_usd_per_kwh = 0.55 is not between price_low_usd_per_kwh = 0.03 \
             and price_high_usd_per_kwh = 0.09",
        );
        check(kz, &kz_with("0.055", "five"), "line 11 (KZ): price_mid_usd_per_kwh = five is not a number");
        check(kz, &kz_with("0.055", ""), "line 11 (KZ): price_mid_usd_per_kwh is empty");
        check(
            kz,
            &kz_with("48.2", "148.2"),
            "line 11 (KZ): lat_deg = 148.2 is outside -90..90; are latitude and longitude exchanged?",
        );
        check(
            kz,
            &kz_with("66.9", "366.9"),
            "line 11 (KZ): lon_deg = 366.9 is outside -180..180; west is negative",
        );
        check(
            kz,
            &kz_with(",5,", ",300,"),
            "line 11 (KZ): utc_offset_hours = 300 is outside -12..14; is it in minutes?",
        );
        check(
            kz,
            &kz_with(",5,", ",5.1,"),
            "line 11 (KZ): utc_offset_hours = 5.1 is not a multiple of 0.25; write 5 h 30 min as 5.5",
        );
        check(kz, &kz_with("KAZ", "KZ"), "line 11 (KZ): iso3 = KZ is not an ISO 3166 country such as ETH");
        check(
            kz,
            &kz_with("KZT", "tenge"),
            "line 11 (KZ): currency = tenge is not an ISO 4217 currency such as USD",
        );
        check("\nKZ,", "\nkz,", "line 11 (kz): code = kz is not a region code such as ET or US-TX");
        check("\nKZ,", "\nET,", "line 15 (ET): code is already listed above; remove one of the two");
        check(
            ",1.053,1.085,1.051,",
            ",0.053,1.085,1.051,",
            "line 11 (KZ): pue_air_mean = 0.053 is outside 1..2; PUE is site power over machine power",
        );
        check(
            ",1.053,1.085,1.051,",
            ",1.053,1.035,1.051,",
            "line 11 (KZ): pue_air_hottest_month = 1.035 is below pue_air_mean; are the two exchanged?",
        );
        check(
            ",2.48,2025-05-27,",
            ",24.8,2025-05-27,",
            "hashrate_share_pct sums to 120.1 over all rows, and the network has 100; \
             is a country listed beside its parts?",
        );
        check(
            "pue_hydro_mean",
            "pue_hydro",
            "line 1: column pue_hydro_mean is missing; add it, or rename the one that holds it in this unit",
        );
    }

    #[test]
    fn bad_tariffs_say_why() {
        fn check(old: &str, new: &str, error: &str) {
            check_bad("tariffs", old, new, error);
        }
        let peak = "ET,charged,data mining,2025-12-01,2026-07-07,18-22,0.06,";
        let peak_with = |old: &str, new: &str| peak.replace(old, new);
        check(
            peak,
            &peak_with("ET", "ETH"),
            "line 3 (ETH): region = ETH is not in the table of regions; add it there first",
        );
        check(
            peak,
            &peak_with("0.06", "9.12"),
            "line 3 (ET): price_usd_per_kwh = 9.12 is outside -1..5; is it in ETB?",
        );
        check(
            peak,
            &peak_with("charged", "paid"),
            "line 3 (ET): role = paid is not one of charged, surcharge, reference",
        );
        for hours in ["peak", "18-25", "18-18"] {
            check(
                peak,
                &peak_with("18-22", hours),
                &format!(
                    "line 3 (ET): local_hours = {hours} is not a list of half-open hour ranges \
                     such as all, 18-22 or 22-05;09-18"
                ),
            );
        }
        check(
            peak,
            &peak_with("2025-12-01", "01.12.2025"),
            "line 3 (ET): valid_from_date = 01.12.2025 is not a date from 1990 to 2200 such as 2025-12-01",
        );
        check(
            peak,
            &peak_with("2026-07-07", "2025-07-07"),
            "line 3 (ET): valid_to_date = 2025-07-07 is before valid_from_date; are the two exchanged?",
        );
        check(
            peak,
            &peak_with("18-22", "18-23"),
            "line 5 (ET): `data mining` overlaps `data mining` of line 3 in hour 22; \
             end one before the other begins, or change hours or role",
        );
        check(
            "2025-11-30,all",
            "2025-12-01,all",
            "line 3 (ET): `data mining` overlaps `data mining` of line 2 in hour 18; \
             end one before the other begins, or change hours or role",
        );
        check(
            "PY,reference,\"intensive special, high end\"",
            "PY,charged,\"intensive special, high end\"",
            "line 19 (PY): `intensive special, high end` overlaps `intensive special, midpoint` of line 16 \
             in hour 00; end one before the other begins, or change hours or role",
        );
    }

    #[test]
    fn bad_devices_say_why() {
        check_bad(
            "devices",
            "Antminer S21,Bitmain,2024-02,200.0,3500,17.5",
            "Antminer S21,Bitmain,2024-02,200.0,3.5,17.5",
            "line 11 (Antminer S21): efficiency_j_per_th = 17.5 but power_w / hashrate_th_per_s = 0.02; \
             are the three of the same mode?",
        );
    }

    #[test]
    fn an_empty_file_says_what_it_needs() {
        let regions = DataFile { name: "my/regions.csv", text: "\n\n" };
        let error = Atlas::from_csv(Sources { regions, ..Sources::embedded() }).unwrap_err();
        assert_eq!(error.file(), "my/regions.csv");
        let text = error.to_string();
        assert!(
            text.starts_with("my/regions.csv: is empty; it needs a header row: code,name,iso3,"),
            "{text}"
        );
    }

    /// Rows of cells that are often nearly right, so that parsing gets past the header.
    fn nearly_csv(header: &'static str) -> impl Strategy<Value = String> {
        let cell = prop_oneof![
            Just("ET".to_owned()),
            Just("charged".to_owned()),
            Just("all".to_owned()),
            Just("found".to_owned()),
            Just("2025-12-01".to_owned()),
            Just("-9999-01-01".to_owned()),
            "[0-9]{0,2}-[0-9]{0,2}(;[0-9]{0,2}-[0-9]{0,2})?",
            "-?[0-9]{0,3}(\\.[0-9]{1,3})?(e[0-9]{1,3})?",
            "\\PC{0,12}",
        ];
        let columns = header.split(',').count();
        let row = proptest::collection::vec(cell, columns..=columns).prop_map(|cells| cells.join(","));
        proptest::collection::vec(row, 0..4).prop_map(move |rows| format!("{header}\n{}", rows.join("\n")))
    }

    /// The header of a built-in table.
    fn header(file: DataFile<'static>) -> &'static str {
        file.text.lines().next().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_panics_the_loader(
            any in ".*",
            regions in nearly_csv(header(Sources::embedded().regions)),
            devices in nearly_csv(header(Sources::embedded().devices)),
            tariffs in nearly_csv(header(Sources::embedded().tariffs)),
        ) {
            let built_in = Sources::embedded();
            for text in [&any, &regions, &devices, &tariffs] {
                let file = DataFile { name: "any.csv", text };
                let _ = Atlas::from_csv(Sources { regions: file, ..built_in });
                let _ = Atlas::from_csv(Sources { devices: file, ..built_in });
                let _ = Atlas::from_csv(Sources { tariffs: file, ..built_in });
            }
        }
    }
}
