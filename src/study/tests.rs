//! Studies of a small model: parts against wholes, and what damages them.

use std::convert::Infallible;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::table::{Layout, Table};
use super::*;
use crate::spread::{Day, Model, REGIONAL, Record, WORLD};

const CODES: [(&str, &str); 3] = [("US-TX", "USA"), ("KZ", "KAZ"), ("US-GA", "USA")];

pub(super) fn layout(days: i32) -> Layout {
    Layout {
        model: Model::World,
        regions: CODES.iter().map(|(code, _)| code.parse().unwrap()).collect(),
        days: (0..days).map(|day| Day(19_000 + 7 * day)).collect(),
    }
}

pub(super) fn places() -> Vec<Place> {
    let place = |(at, (code, iso3)): (usize, &(&str, &str))| Place {
        code: code.parse().unwrap(),
        name: format!("region {code}"),
        iso3: (*iso3).to_owned(),
        latitude_deg: 10.0 * at as f64,
        longitude_deg: -30.0 * at as f64,
    };
    CODES.iter().enumerate().map(place).collect()
}

/// A number that depends on all it is of, and now and then is not known.
fn number(run: u32, at: usize) -> f64 {
    let mixed = (u64::from(run) << 32 | at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    if mixed.is_multiple_of(97) { f64::NAN } else { (mixed >> 11) as f64 / 1e9 }
}

pub(super) fn record(run: u32, days: i32) -> Record {
    let layout = layout(days);
    let mut record = Record::new(run, layout.regions);
    record.world = (0..layout.days.len() * WORLD.len()).map(|at| number(run, at)).collect();
    let regional = layout.days.len() * REGIONAL.len() * CODES.len();
    record.regional = (0..regional).map(|at| number(run, at + 1_000_000)).collect();
    record.days = layout.days;
    record
}

fn plan(out: &Path, runs: u32, shard: &str, threads: usize) -> Plan {
    Plan {
        scenario: Scenario { name: "ban".to_owned(), text: "name = \"ban\"\n".to_owned() },
        seed: u64::MAX,
        runs,
        shard: shard.parse().unwrap(),
        threads: NonZeroUsize::new(threads).unwrap(),
        out: out.to_owned(),
        data: vec![("regions.csv".to_owned(), "code\n".to_owned())],
        model: Model::World,
        places: places(),
        guesses: vec![],
    }
}

const DAYS: i32 = 40;

fn study(out: &Path, runs: u32, shard: &str, threads: usize) -> Finished {
    let simulate = |run| Ok::<_, Infallible>(record(run, DAYS));
    run(&plan(out, runs, shard, threads), &AtomicBool::new(false), |_| (), simulate).unwrap()
}

/// Name and bytes of each file, sorted.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn names(dir: &Path) -> Vec<String> {
    files(dir).into_iter().map(|(name, _)| name).collect()
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let finished = study(dir.path(), 5, "1/1", 3);
    assert!(finished.manifest().is_complete());
    let folder = finished.folder().unwrap();
    assert_eq!(folder.manifest(), finished.manifest());
    let table = folder.table().unwrap();
    assert_eq!((table.runs(), table.layout()), (&[0, 1, 2, 3, 4][..], &layout(DAYS)));
    for run in 0..5 {
        let (found, wanted) = (table.record(run as usize).unwrap(), record(run, DAYS));
        assert!(same(&found.world, &wanted.world) && same(&found.regional, &wanted.regional));
        let mut days = Vec::new();
        table.days(run as usize, 17..19, &mut days).unwrap();
        assert!(same(&days[..WORLD.len()], &wanted.world[17 * WORLD.len()..18 * WORLD.len()]));
    }
}

#[test]
fn the_summary_is_that_of_the_table() {
    let dir = tempfile::tempdir().unwrap();
    let folder = study(dir.path(), 30, "1/1", 2).folder().unwrap();
    let summary = folder.summary().unwrap();
    assert_eq!(summary.days, layout(DAYS).days);
    let records: Vec<Record> = (0..30).map(|run| record(run, DAYS)).collect();
    let hhi = summary.find(WORLD_LABEL, "hhi").unwrap();
    let uptime = summary.find("US-GA", "uptime").unwrap();
    let country = summary.find("country:USA", "share").unwrap();
    for day in 0..DAYS as usize {
        let check = |found: &Stats, of: &dyn Fn(&Record) -> f64| {
            let mut values: Vec<f64> = records.iter().map(of).collect();
            let wanted = Stats::of(&mut values).rounded();
            assert!(same(&found.columns(), &wanted.columns()), "{found:?} is not {wanted:?}");
        };
        let of = |record: &Record, name, region| record.regional_series(name, region).nth(day).unwrap().1;
        check(&hhi.stats[day], &|record| record.world_series("hhi").nth(day).unwrap().1);
        check(&uptime.stats[day], &|record| of(record, "uptime", 2));
        check(&country.stats[day], &|record| of(record, "share", 0) + of(record, "share", 2));
    }
}

#[test]
fn blocks_of_days_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = study(dir.path(), 7, "1/1", 2).folder().unwrap();
    let whole = fs::read(dir.path().join(SUMMARY_FILE)).unwrap();
    for bytes_max in [0, 10_000, 50_000] {
        let other = tempfile::tempdir().unwrap();
        let table = folder.table().unwrap();
        let mut blocks = 0;
        summary::write_in_blocks(other.path(), &table, &places(), 3, bytes_max, |_| blocks += 1).unwrap();
        assert!(blocks > 1);
        assert!(fs::read(other.path().join(SUMMARY_FILE)).unwrap() == whole, "{bytes_max}");
    }
}

#[test]
fn parts_make_the_very_whole() {
    let whole = tempfile::tempdir().unwrap();
    study(whole.path(), 10, "1/1", 1);
    let wanted = files(whole.path());
    assert_eq!(names(whole.path()), [MANIFEST_FILE, RUNS_FILE, SUMMARY_FILE]);
    for parts in [1, 2, 3, 10] {
        let dir = tempfile::tempdir().unwrap();
        for part in 1..=parts {
            study(dir.path(), 10, &format!("{part}/{parts}"), part as usize);
        }
        if parts > 1 {
            assert!(!names(dir.path()).contains(&SUMMARY_FILE.to_owned()));
            merge(dir.path(), 2, |_| ()).unwrap();
        }
        let found = files(dir.path());
        let found: Vec<_> = found.into_iter().filter(|(name, _)| !name.contains("-of-")).collect();
        assert!(found == wanted, "{parts} parts");
    }
}

#[test]
fn long_runs_have_several_groups() {
    // 45 rows a day: more than 2^20 rows.
    let days = 24_000;
    let dir = tempfile::tempdir().unwrap();
    let simulate = |run| Ok::<_, Infallible>(record(run, days));
    let mut table = super::table::TableWriter::new(dir.path(), RUNS_FILE).unwrap();
    for run in 3..5 {
        table.write(&simulate(run).unwrap()).unwrap();
    }
    table.finish().unwrap();
    let table = Table::open(&dir.path().join(RUNS_FILE)).unwrap();
    assert_eq!((table.runs(), table.layout()), (&[3, 4][..], &layout(days)));
    let wanted = record(4, days);
    assert!(same(&table.record(1).unwrap().regional, &wanted.regional));
    let mut found = Vec::new();
    // Around the border of the groups.
    let border = (1 << 20) / layout(1).per_day();
    table.days(1, border - 1..border + 1, &mut found).unwrap();
    assert!(same(&found[..WORLD.len()], &wanted.world[(border - 1) * WORLD.len()..][..WORLD.len()]));
    let second = &found[layout(1).per_day()..][..WORLD.len()];
    assert!(same(second, &wanted.world[border * WORLD.len()..][..WORLD.len()]));
}

#[test]
fn shards_cover_all_runs() {
    for (runs, of) in [(10, 3), (1, 1), (1000, 7), (5, 5), (RUNS_MAX, 999)] {
        let ranges: Vec<_> = (1..=of).map(|index| Shard { index, of }.range(runs)).collect();
        assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, runs));
        assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
    for text in ["", "2", "0/4", "5/4", "a/b", "1/0", "-1/4", "1/2/3"] {
        assert!(text.parse::<Shard>().unwrap_err().to_string().contains("2/4"), "{text}");
    }
}

/// Merges three parts of which `damage` has changed something; the error.
fn damaged(damage: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    for shard in ["1/3", "2/3", "3/3"] {
        study(dir.path(), 6, shard, 1);
    }
    damage(dir.path());
    let error = merge(dir.path(), 1, |_| ()).unwrap_err().to_string();
    assert!(!dir.path().join(MANIFEST_FILE).exists() && !dir.path().join(RUNS_FILE).exists(), "{error}");
    error.replace(dir.path().to_str().unwrap(), "DIR")
}

#[test]
fn merging_says_what_is_wrong_and_what_to_try() {
    fn check(damage: impl FnOnce(&Path), parts: &[&str]) {
        let error = damaged(damage);
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let other = |plan: Plan| {
        move |dir: &Path| {
            let plan = Plan { out: dir.to_owned(), ..plan };
            run(&plan, &AtomicBool::new(false), |_| (), |run| Ok::<_, Infallible>(record(run, DAYS)))
                .unwrap();
        }
    };
    let base = || plan(Path::new(""), 6, "2/3", 1);
    check(
        |dir| fs::remove_file(dir.join("manifest-2-of-3.json")).unwrap(),
        &["DIR: lacks 1 of 3 parts", "--shard 2/3"],
    );
    check(|dir| fs::remove_file(dir.join("runs-2-of-3.parquet")).unwrap(), &["runs-2-of-3.parquet", "read"]);
    check(
        |dir| (1..=3).for_each(|n| fs::remove_file(dir.join(format!("manifest-{n}-of-3.json"))).unwrap()),
        &["DIR: has no part", "--shard 1/4"],
    );
    check(
        other(Plan { seed: 7, ..base() }),
        &["DIR/manifest-2-of-3.json: has --seed 7, not 18446744073709551615", "run part 2/3 again"],
    );
    check(other(Plan { runs: 9, ..base() }), &["has --runs 9, not 6"]);
    check(other(Plan { data: vec![], ..base() }), &["rests on another regions.csv"]);
    let scenario = Scenario { name: "ban".to_owned(), text: String::new() };
    check(other(Plan { scenario, ..base() }), &["another text of scenario ban"]);
    check(other(Plan { places: vec![], ..base() }), &["other regions"]);
    check(other(Plan { shard: "1/2".parse().unwrap(), ..base() }), &["has parts of 2 and of 3"]);
    check(
        |dir| {
            let path = dir.join("runs-3-of-3.parquet");
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        &["DIR/runs-3-of-3.parquet: is not the file that manifest-3-of-3.json describes", "copy it again"],
    );
    check(|dir| fs::write(dir.join("manifest-1-of-3.json"), "{").unwrap(), &["manifest-1-of-3.json: EOF"]);
    check(
        |dir| {
            fs::copy(dir.join("manifest-1-of-3.json"), dir.join("manifest-2-of-3.json")).unwrap();
        },
        &["manifest-2-of-3.json: is of part 1/3", "renamed"],
    );
    check(
        |dir| {
            let path = dir.join("manifest-1-of-3.json");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("\"runs_done\": 2", "\"runs_done\": 1")).unwrap();
        },
        &["has 1 of 2 runs: it was stopped", "--shard 1/3"],
    );
}

#[test]
fn a_table_that_is_none_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    fs::write(&path, "no table").unwrap();
    let error = Table::open(&path).unwrap_err().to_string();
    assert!(error.contains("x.parquet: ") && error.contains("is it a runs.parquet"), "{error}");
    let error = Folder::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("has no manifest.json") && error.contains("adit spread merge"), "{error}");
}

#[test]
fn stopping_keeps_what_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let simulate = |run| {
        if run == 3 {
            stop.store(true, Ordering::Relaxed);
        }
        Ok::<_, Infallible>(record(run, 2))
    };
    let finished = run(&plan(dir.path(), 100, "1/1", 1), &stop, |_| (), simulate).unwrap();
    assert_eq!((finished.manifest().runs_done, finished.manifest().is_complete()), (4, false));
    assert_eq!(finished.folder().unwrap().table().unwrap().runs().len(), 4);
}

#[test]
fn stopping_before_the_first_run_leaves_empty_files() {
    let dir = tempfile::tempdir().unwrap();
    let simulate = |run| Ok::<_, Infallible>(record(run, 2));
    let finished = run(&plan(dir.path(), 9, "1/1", 2), &AtomicBool::new(true), |_| (), simulate).unwrap();
    assert_eq!(finished.manifest().runs_done, 0);
    let folder = finished.folder().unwrap();
    assert_eq!(folder.summary().unwrap(), Summary::default());
    assert!(outlook(&folder.table().unwrap(), &places(), |_| ()).unwrap().iter().all(|o| o.end.p50.is_nan()));
}

#[test]
fn the_first_error_in_order_is_told_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    study(dir.path(), 2, "1/1", 1);
    let before = files(dir.path());
    let begun = AtomicU32::new(0);
    let simulate = |run| {
        begun.fetch_add(1, Ordering::Relaxed);
        if run >= 5 { Err(format!("no power in {run}")) } else { Ok(record(run, 2)) }
    };
    let stop = AtomicBool::new(false);
    let error = run(&plan(dir.path(), 1000, "1/1", 3), &stop, |_| (), simulate).unwrap_err();
    assert_eq!(error.to_string(), "run 5: no power in 5");
    // 5 written, and what three threads may be ahead.
    assert!(begun.load(Ordering::Relaxed) <= 5 + 6, "{begun:?}");
    assert!(files(dir.path()) == before);
}

#[test]
fn runs_that_differ_are_refused() {
    fn check(simulate: impl Fn(u32) -> Record + Sync, part: &str) {
        let dir = tempfile::tempdir().unwrap();
        let simulate = |run| Ok::<_, Infallible>(simulate(run));
        let stop = AtomicBool::new(false);
        let error = run(&plan(dir.path(), 3, "1/1", 1), &stop, |_| (), simulate).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    check(|run| record(run, 2 + run as i32), "run 1 has other days");
    check(|_| record(0, 2), "run 1 calls itself run 0");
    check(
        |run| {
            let mut record = record(run, 2);
            record.world.pop();
            record
        },
        "run 0 has not every variable of the world",
    );
}

#[test]
fn plans_that_cannot_be() {
    fn check(runs: u32, shard: &str, part: &str) {
        let plan = plan(Path::new("nowhere"), runs, shard, 1);
        let simulate = |run| Ok::<_, Infallible>(record(run, 1));
        let error = run(&plan, &AtomicBool::new(false), |_| (), simulate).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    check(0, "1/1", "--runs 0 is outside 1..1000000");
    check(3, "1/5", "has no run; cut the runs in at most 3 parts");
}

#[test]
fn ends_and_means_of_each_run() {
    let dir = tempfile::tempdir().unwrap();
    let table = study(dir.path(), 9, "1/1", 2).folder().unwrap().table().unwrap();
    let outlook = outlook(&table, &places(), |_| ()).unwrap();
    let found = outlook.iter().find(|o| o.region == "KZ" && o.variable == "share").unwrap();
    let series = |run| record(run, DAYS).regional_series("share", 1).map(|(_, v)| v).collect::<Vec<f64>>();
    let mut ends: Vec<f64> = (0..9).map(|run| *series(run).last().unwrap()).collect();
    let mean = |values: Vec<f64>| {
        let known: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    let mut means: Vec<f64> = (0..9).map(|run| mean(series(run))).collect();
    assert_eq!(found.end, Stats::of(&mut ends).rounded());
    assert_eq!(found.mean, Stats::of(&mut means).rounded());
    assert!(found.mean.p95 - found.mean.p05 < found.end.p95 - found.end.p05);
}
