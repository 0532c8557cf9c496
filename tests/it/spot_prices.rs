//! The model's hourly power prices held against real ones.
//!
//! The real hours are not in the repository (data/SOURCES.md says where they come
//! from), so the test is ignored unless asked for:
//!
//! ```text
//! ADIT_HOURLY_PRICES=FOLDER cargo test --test it spot_prices -- --ignored --nocapture
//! ```
//!
//! FOLDER has `ZONE_2020_2024.csv` for each zone of data/spot_zones.csv, with the
//! columns `hour_utc` and `usd_per_mwh`.

use std::path::Path;

use adit::spread::inputs::{Inputs, SpotZone};
use adit::spread::spot::SpotPath;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// Hours by which paths are compared: a year has this many.
const HOURS_PER_YEAR: f64 = 8_766.0;

/// Paths of four years. Many, as a dear or cheap time lasts for months.
const PATHS: u64 = 1_000;

/// What a site sees that runs in the hours below a price only.
#[derive(Debug)]
struct Seen {
    /// Part of the hours, in percent.
    hours_pct: f64,
    /// Their mean price, USD/MWh.
    paid: f64,
    /// How often it stops, times a year.
    stops: f64,
}

fn below(prices: &[f64], strike: f64) -> Seen {
    let run: Vec<f64> = prices.iter().copied().filter(|price| *price < strike).collect();
    let stops = prices.windows(2).filter(|pair| pair[0] < strike && pair[1] >= strike).count();
    Seen {
        hours_pct: run.len() as f64 / prices.len() as f64 * 100.0,
        paid: run.iter().sum::<f64>() / run.len() as f64,
        stops: stops as f64 / prices.len() as f64 * HOURS_PER_YEAR,
    }
}

/// USD/MWh of every hour, without 2021, whose freeze in Texas is an event of its own.
fn real(folder: &Path, zone: &str) -> Vec<f64> {
    let path = folder.join(format!("{zone}_2020_2024.csv"));
    let mut file =
        csv::Reader::from_path(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.deserialize()
        .map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .filter(|(hour, _): &(String, f64)| !hour.starts_with("2021"))
        .map(|(_, price)| price)
        .collect()
}

/// Four years of the model's prices, USD/MWh.
fn modelled(zone: &SpotZone, seed: u64) -> Vec<f64> {
    let mut path = SpotPath::new(zone, ChaCha8Rng::seed_from_u64(seed));
    let months = (0..4 * 12).map(|month| month % 12);
    months
        .flat_map(|month| (0..30).flat_map(|_| path.day(month, 0)).collect::<Vec<_>>())
        .map(|usd| usd * 1e3)
        .collect()
}

#[test]
#[ignore = "needs real hourly prices in ADIT_HOURLY_PRICES, see data/SOURCES.md"]
fn a_site_that_runs_in_cheap_hours_runs_as_often_and_pays_as_much() {
    let folder = std::env::var_os("ADIT_HOURLY_PRICES").expect("ADIT_HOURLY_PRICES names a folder");
    println!("zone            strike   % of hours      USD/MWh paid    stops a year");
    println!("               USD/MWh    real  model     real  model     real  model");
    let mut wrong = Vec::new();
    for zone in Inputs::embedded().spot.values() {
        let hours = real(Path::new(&folder), &zone.zone);
        let paths: Vec<f64> = (0..PATHS).flat_map(|seed| modelled(zone, seed)).collect();
        let mut sorted = hours.clone();
        sorted.sort_by(f64::total_cmp);
        for quantile in [0.5, 0.7, 0.8, 0.9, 0.95] {
            let strike = sorted[(quantile * sorted.len() as f64) as usize];
            let (real, model) = (below(&hours, strike), below(&paths, strike));
            println!(
                "{:<14} {strike:>6.1}   {:>5.1}  {:>5.1}    {:>5.1}  {:>5.1}    {:>5.0}  {:>5.0}",
                zone.zone, real.hours_pct, model.hours_pct, real.paid, model.paid, real.stops, model.stops
            );
            if (real.hours_pct - model.hours_pct).abs() > 2.0 || (real.paid / model.paid - 1.0).abs() > 0.03 {
                wrong.push(format!("{} at {strike:.1}: {real:?}, model {model:?}", zone.zone));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
