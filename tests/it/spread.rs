//! The world model through its commands: studies, parts, the error card, scenarios that ship.

use std::path::Path;

use serde_json::Value;

use super::program::adit;

const SMALL: [&str; 4] = ["--set", "end=\"2026-03-31\"", "--runs", "4"];

fn spread(arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended = adit(&[&["spread"], arguments].concat());
    (ended.code, ended.stdout, ended.stderr)
}

fn bytes(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap_or_else(|error| panic!("{}: {error}", dir.join(name).display()))
}

#[test]
fn parts_make_the_whole_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    let run = |out: &Path, more: &[&str]| {
        let out = out.to_str().unwrap().to_owned();
        let arguments = [&["scenarios/today.toml", "--out", &out], &SMALL[..], more].concat();
        let (code, _, stderr) = spread(&arguments);
        assert_eq!(code, Some(0), "{stderr}");
    };
    run(&whole, &["--threads", "1"]);
    for part in ["1/3", "2/3", "3/3"] {
        run(&parts, &["--shard", part, "--threads", "2"]);
    }
    let (code, _, stderr) = spread(&["merge", parts.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    for name in ["runs.parquet", "summary.csv", "manifest.json", "report.html"] {
        assert_eq!(bytes(&whole, name), bytes(&parts, name), "{name}");
    }
    let (code, stdout, _) = spread(&["diff", whole.to_str().unwrap(), parts.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stdout}");
}

/// The eras have other variables, no regions and pages of their own: parts, merge, diff, refusals.
#[test]
fn the_eras_go_through_the_same_commands() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let run = |out: &str, more: &[&str]| {
        let eras = ["scenarios/home-to-industry.toml", "--runs", "4", "--out", &path(out)];
        let (code, stdout, stderr) = spread(&[&eras[..], more].concat());
        assert_eq!(code, Some(0), "{stderr}");
        stdout
    };
    let told = run("whole", &["--threads", "1"]);
    assert!(told.contains("homes have less than") && told.contains("of 18 pass"), "{told}");
    for part in ["1/3", "2/3", "3/3"] {
        run("parts", &["--shard", part, "--threads", "2"]);
    }
    let (code, _, stderr) = spread(&["merge", &path("parts")]);
    assert_eq!(code, Some(0), "{stderr}");
    let names = ["runs.parquet", "summary.csv", "crossings.csv", "facts.csv", "manifest.json", "report.html"];
    for name in names {
        assert_eq!(bytes(&dir.path().join("whole"), name), bytes(&dir.path().join("parts"), name), "{name}");
    }
    let (code, stdout, _) = spread(&["diff", &path("whole"), &path("parts")]);
    assert_eq!(code, Some(0), "{stdout}");
    // Power at home for nothing keeps homes in.
    run("free", &["--set", "class.HOME.power_usd_per_kwh=0.001"]);
    let (code, stdout, _) = spread(&["diff", &path("whole"), &path("free")]);
    assert_eq!(code, Some(1), "{stdout}");

    let (code, _, stderr) =
        spread(&[&["scenarios/today.toml", "--out", &path("world")], &SMALL[..]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let check = |arguments: &[&str], wanted: &str| {
        let (code, _, stderr) = spread(arguments);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(wanted), "{arguments:?}: {stderr}");
    };
    check(&["diff", &path("whole"), &path("world")], "are of different models");
    let eras = "scenarios/home-to-industry.toml";
    check(
        &["breakeven", "--region", "ET", "--scenario", eras],
        "home-to-industry.toml, line 1: this is of the model",
    );
    check(
        &[eras, "--set", "class.HOME.power_price=0.1"],
        "--set class.HOME.power_price=0.1: there is no `power_price` here",
    );
    check(&[eras, "--set", "model=\"moon\""], "unknown variant `moon`");
}

#[test]
fn the_card_is_the_same_from_a_folder() {
    let (code, built_in, _) = spread(&["hindcast", "--json"]);
    assert_eq!(code, Some(1));
    let (_, from_folder, stderr) = spread(&["hindcast", "--json", "--data", "data/history"]);
    assert_eq!(built_in, from_folder, "{stderr}");
    let rows: Vec<Value> = serde_json::from_str(&built_in).unwrap();
    assert_eq!(rows.len(), 20);
    for row in &rows {
        for key in [
            "target",
            "window",
            "metric",
            "observed",
            "model",
            "error",
            "noise",
            "baseline",
            "tolerance",
            "pass",
        ] {
            assert!(row.get(key).is_some(), "{key} of {row}");
        }
    }
    // Saying that nothing changes is the least to be beaten.
    let mape = rows.iter().find(|row| row["metric"].as_str().unwrap().starts_with("MAPE")).unwrap();
    assert!(mape["model"].as_f64() < mape["baseline"].as_f64(), "{mape}");
}

#[test]
fn a_target_that_nobody_can_score_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir("data/history").unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let folder = dir.path().to_str().unwrap();
    let targets = dir.path().join("validation_targets.csv");
    let check = |row: &str, wanted: &str| {
        let text = std::fs::read_to_string("data/history/validation_targets.csv").unwrap();
        std::fs::write(&targets, format!("{text}{row}\n")).unwrap();
        let (code, _, stderr) = spread(&["hindcast", "--data", folder]);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(wanted), "{stderr}");
    };
    check("x,2022,temperature,1,,+-5,same", "the metric `temperature` is unknown; known are");
    check("x,soon,TWh,1,,+-5,same", "the window `soon` is none");
    check("x,2022,TWh,1,,close,same", "the tolerance `close` is none");
    check("x,2031,TWh,1,,+-5,same", "the record does not cover 2031");
    std::fs::remove_file(dir.path().join("events.csv")).unwrap();
    let (code, _, stderr) = spread(&["hindcast", "--data", folder]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("events.csv") && stderr.contains("--data wants a folder with"), "{stderr}");
}

#[test]
fn what_cannot_be_run_is_said_clearly() {
    let check = |arguments: &[&str], wanted: &str| {
        let (code, _, stderr) = spread(arguments);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(wanted), "{arguments:?}: {stderr}");
    };
    check(&[], "say what to run");
    check(&["nowhere.toml"], "cannot read the scenario nowhere.toml");
    check(&["scenarios/today.toml", "--runs", "0"], "--runs 0");
    check(&["scenarios/today.toml", "--set", "region.ET.price_mid=41"], "is outside -1..5");
    check(&["breakeven", "--region", "XX"], "no region is called `XX`");
    check(&["hindcast", "--event", "flood"], "no target is of it; try one of china_ban");
}

/// Every scenario that ships: its first run ends where it did when it was stored.
///
/// After a change of the model, `ADIT_EXPECT=write cargo test --test it spread` stores anew.
#[test]
fn shipped_scenarios_end_as_stored() {
    use adit::spread::eras;
    use adit::spread::inputs::Inputs;
    use adit::spread::run::run;
    use adit::spread::scenario::{Ready, Source};

    let mut found = String::from("scenario,hashrate_ehs,hhi,energy_twh_per_year,power_cost_usd_per_kwh\n");
    let mut files: Vec<_> =
        std::fs::read_dir("scenarios").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 10);
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let source = Source { file: &name, text: &text, sets: &[] };
        let record = if eras::reads(source).unwrap() {
            eras::run(&eras::Ready::of(source).unwrap(), 1, 0)
        } else {
            run(&Ready::of(source, Inputs::embedded()).unwrap(), 1, 0)
        };
        let last = |variable| record.world_series(variable).last().unwrap().1;
        found += &format!(
            "{name},{:.1},{:.0},{:.1},{:.4}\n",
            last("hashrate_ehs"),
            last("hhi"),
            last("energy_twh_per_year"),
            last("power_cost_usd_per_kwh")
        );
    }
    if std::env::var("ADIT_EXPECT").is_ok_and(|what| what == "write") {
        std::fs::write("scenarios/expected.csv", &found).unwrap();
    }
    let stored = std::fs::read_to_string("scenarios/expected.csv").unwrap();
    assert_eq!(found, stored, "the model has changed; see the comment of this test");
}
