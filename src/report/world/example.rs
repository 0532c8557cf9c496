//! Studies for tests, with curves like those of the world and hostile names, and one for a browser.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Changes, PAGE_FILE, page};
use crate::energy::Atlas;
use crate::spread::{Day, Model, REGIONAL, Record, WORLD};
use crate::study::{Folder, Guess, Manifest, Place, Plan, Scenario, Shard, Summary, run};

/// In every text that a page shows.
pub(super) const HOSTILE: &str = "</script><script>window.pwned = 1</script>";

fn places() -> Vec<Place> {
    let mut places: Vec<Place> = Atlas::embedded().regions().map(|region| Place::from(&**region)).collect();
    places[3].name += HOSTILE;
    places
}

/// A number that looks random: between -1 and 1, smooth in time.
fn wave(run: u32, what: usize, day: usize) -> f64 {
    let phase = f64::from(run) * 1.7 + what as f64 * 2.3;
    (phase + day as f64 / 40.0).sin() * 0.7 + (phase * 3.1).cos() * 0.3
}

fn record(run: u32, days: usize, places: &[Place], factor: f64) -> Record {
    let mut record = Record::new(run, places.iter().map(|place| place.code).collect());
    for day in 0..days {
        record.days.push(Day(18_628 + 7 * day as i32));
        let growth = 1.0 + day as f64 / 50.0;
        for (at, variable) in WORLD.iter().enumerate() {
            let scale = match variable.name {
                "hashrate_ehs" => 180.0 * growth * factor,
                "difficulty" => 2e13 * growth,
                "block_interval_s" => 600.0,
                "hhi" => 1_500.0,
                "nakamoto" => 3.0,
                "rigs_idle_fraction" => 0.05,
                _ => 50.0 * growth,
            };
            let value = scale * (1.0 + 0.1 * wave(run, at, day));
            record.world.push(if variable.name == "nakamoto" { value.round() } else { value });
        }
        let weights: Vec<f64> = (0..places.len())
            .map(|region| (2.0 - (region as f64).sqrt() / 4.0).exp() * (1.0 + 0.5 * wave(run, region, day)))
            .collect();
        let sum: f64 = weights.iter().sum();
        for (at, variable) in REGIONAL.iter().enumerate() {
            for (region, weight) in weights.iter().enumerate() {
                let share = if region == 7 && day > days / 2 { 0.0 } else { weight / sum };
                let noise = 1.0 + 0.2 * wave(run, at + region, day);
                record.regional.push(match variable.name {
                    "share" => share,
                    "hashrate_ehs" => share * 180.0 * growth * factor,
                    "power_price_usd_per_kwh" => 0.03 + 0.001 * region as f64 * noise,
                    "cost_usd_per_btc" if share == 0.0 => f64::NAN,
                    "cost_usd_per_btc" => 20_000.0 + 900.0 * region as f64 * noise,
                    "lost_ehs" if region % 5 != 0 => 0.0,
                    "lost_ehs" => 3.0 * noise.max(0.0),
                    _ => 100.0 * noise,
                });
            }
        }
    }
    record
}

/// A study of 12 runs that was stopped after 9.
pub(super) fn folder(dir: &Path, days: usize, factor: f64) -> Folder {
    let places = places();
    let plan = Plan {
        model: Model::World,
        scenario: Scenario {
            name: format!("china-2021 {HOSTILE}"),
            text: format!("# {HOSTILE}\nname = \"china-2021\"\nfactor = {factor}\n"),
        },
        seed: u64::MAX,
        runs: 12,
        shard: Shard::WHOLE,
        threads: NonZeroUsize::MIN,
        out: dir.to_owned(),
        data: vec![("regions.csv".to_owned(), "text".to_owned())],
        places: places.clone(),
        guesses: vec![Guess {
            what: format!("build_mw_per_month of US-TX {HOSTILE}"),
            value: "60 MW".to_owned(),
            why: "no source; vary it".to_owned(),
        }],
    };
    let stop = AtomicBool::new(false);
    let simulate = |run| {
        stop.store(run == 8, Ordering::Relaxed);
        Ok::<_, Infallible>(record(run, days, &places, factor))
    };
    let mut finished = run(&plan, &stop, |_| (), simulate).unwrap();
    let folder = finished.folder().unwrap();
    let page = page(&folder.summary().unwrap(), folder.manifest());
    finished.add(PAGE_FILE, page.as_bytes()).unwrap();
    finished.folder().unwrap()
}

pub(super) fn study(days: usize) -> (Summary, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path(), days, 1.0);
    (folder.summary().unwrap(), folder.manifest().clone())
}

/// `ci/browser` names a folder and opens what is written there.
#[test]
fn a_study_for_the_browser() {
    let kept = std::env::var_os("ADIT_WORLD_EXAMPLE").map(std::path::PathBuf::from);
    let passing = tempfile::tempdir().unwrap();
    let path = kept.unwrap_or_else(|| passing.path().to_owned());
    let (a, b) = (folder(&path.join("a"), 200, 1.0), folder(&path.join("b"), 200, 1.5));
    let page = std::fs::read_to_string(a.dir().join(PAGE_FILE)).unwrap();
    assert!(page.len() < 2 << 20, "{} bytes are much for a page", page.len());
    assert!(a.manifest().outputs.contains_key(PAGE_FILE));
    let diff = Changes::of(&a, &b, |_| ()).unwrap().page();
    std::fs::write(path.join("diff.html"), &diff).unwrap();
    for page in [page, diff] {
        assert!(!page.contains("<script>window"), "markup got through");
    }
}
