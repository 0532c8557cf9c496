//! The numbers of a page: those of `summary.csv`, digit by digit, as JSON.

use std::fmt::Write as _;

use super::super::escape::visible;
use super::map::{Map, project};
use crate::spread::{Model, REGIONAL, Variable, WORLD};
use crate::study::{Manifest, Series, Stats, Summary, WORLD_LABEL, country_label};

/// Days on a page at most; the file has all. More than a screen can show apart.
const DAYS_MAX: usize = 160;

const ALL: &[&str] = &["mean", "p05", "p25", "p50", "p75", "p95"];

/// What a page has of countries.
const OF_COUNTRIES: &[(&str, &[&str])] = &[
    ("hashrate_ehs", ALL),
    ("share", ALL),
    ("power_price_usd_per_kwh", &["p50"]),
    ("cost_usd_per_btc", &["p05", "p50", "p95"]),
    ("lost_ehs", &["p50"]),
];

/// What a page has of regions.
const OF_REGIONS: &[(&str, &[&str])] = &[
    ("hashrate_ehs", &["p50"]),
    ("share", &["p05", "p50", "p95"]),
    ("power_price_usd_per_kwh", &["p50"]),
    ("cost_usd_per_btc", &["p50"]),
    ("lost_ehs", &["p50"]),
];

/// What a page has of classes and generations.
const OF_ERAS: &[(&str, &[&str])] =
    &[("share", ALL), ("cost_usd_per_btc", ALL), ("break_even_usd_per_kwh", ALL), ("sites", ALL)];

/// Which days of the summary a page shows: evenly spaced, first and last included.
pub(super) fn days_shown(days: usize) -> Vec<usize> {
    let shown = days.min(DAYS_MAX);
    (0..shown).map(|at| if shown < 2 { at } else { at * (days - 1) / (shown - 1) }).collect()
}

/// Countries of the regions, each once, by code.
pub(super) fn countries(manifest: &Manifest) -> Vec<&str> {
    let mut countries: Vec<&str> = manifest.places.iter().map(|place| place.iso3.as_str()).collect();
    countries.sort_unstable();
    countries.dedup();
    countries
}

/// All that the page's script needs, safe inside a `script` element.
pub(super) fn json(summary: &Summary, manifest: &Manifest, map: &Map) -> String {
    let days = days_shown(summary.days.len());
    let mut out = String::from("{\"days\":[");
    list(&mut out, &days, |out, &day| {
        let _ = write!(out, "\"{}\"", summary.days[day]);
    });
    out.push_str("],\"variables\":{");
    list(&mut out, WORLD, variable);
    out.push_str("},\"regional\":{");
    list(&mut out, REGIONAL, variable);
    out.push_str("},\"places\":[");
    list(&mut out, &manifest.places, |out, place| {
        let (x, y) = project(place.longitude_deg, place.latitude_deg);
        let (code, name) = (place.code, text(&place.name));
        let _ = write!(out, "{{\"code\":\"{code}\",\"name\":{name},\"x\":{x:.0},\"y\":{y:.0}}}");
    });
    out.push_str("],\"countries\":[");
    list(&mut out, &countries(manifest), |out, iso3| {
        let (label, name) = (text(&country_label(iso3)), text(map.name(iso3)));
        let _ = write!(out, "{{\"code\":{label},\"name\":{name}}}");
    });
    out.push_str("],\"series\":{");
    let world: Vec<_> = WORLD.iter().map(|variable| (variable.name, ALL)).collect();
    of_region(&mut out, summary, &days, WORLD_LABEL, &world);
    for place in &manifest.places {
        out.push(',');
        of_region(&mut out, summary, &days, place.code.as_str(), OF_REGIONS);
    }
    for iso3 in countries(manifest) {
        out.push(',');
        of_region(&mut out, summary, &days, &country_label(iso3), OF_COUNTRIES);
    }
    out.push_str("}}");
    // Nothing then ends the element or opens a comment.
    out.replace('<', "\\u003c")
}

/// The same of a study of the eras: places are classes and generations.
pub(super) fn eras_json(summary: &Summary, names: &[(String, String)]) -> String {
    let days = days_shown(summary.days.len());
    let mut out = String::from("{\"days\":[");
    list(&mut out, &days, |out, &day| {
        let _ = write!(out, "\"{}\"", summary.days[day]);
    });
    out.push_str("],\"variables\":{");
    list(&mut out, Model::Eras.world(), variable);
    out.push_str("},\"regional\":{");
    list(&mut out, Model::Eras.regional(), variable);
    out.push_str("},\"places\":[],\"countries\":[],\"names\":{");
    list(&mut out, names, |out, (code, name)| {
        let _ = write!(out, "{}:{}", text(code), text(name));
    });
    out.push_str("},\"series\":{");
    let world: Vec<_> = Model::Eras.world().iter().map(|variable| (variable.name, ALL)).collect();
    of_region(&mut out, summary, &days, WORLD_LABEL, &world);
    for (code, _) in names {
        out.push(',');
        of_region(&mut out, summary, &days, code, OF_ERAS);
    }
    out.push_str("}}");
    out.replace('<', "\\u003c")
}

fn variable(out: &mut String, variable: &Variable) {
    let Variable { name, unit, help } = variable;
    let _ = write!(out, "\"{name}\":{{\"unit\":{},\"help\":{}}}", text(unit), text(help));
}

fn of_region(
    out: &mut String,
    summary: &Summary,
    days: &[usize],
    region: &str,
    variables: &[(&str, &[&str])],
) {
    let _ = write!(out, "{}:{{", text(region));
    list(out, variables, |out, (variable, columns)| {
        let _ = write!(out, "\"{variable}\":{{");
        let series = summary.find(region, variable);
        list(out, columns, |out, column| {
            let _ = write!(out, "\"{column}\":[");
            list(out, days, |out, &day| number(out, series, day, column));
            out.push(']');
        });
        out.push('}');
    });
    out.push('}');
}

/// As in the file; what is not known, or has no form in JSON, is `null`.
fn number(out: &mut String, series: Option<&Series>, day: usize, column: &str) {
    let value = series.and_then(|series| series.stats.get(day)).map_or(f64::NAN, |stats| get(stats, column));
    let _ = if value.is_finite() { write!(out, "{value}") } else { write!(out, "null") };
}

fn get(stats: &Stats, column: &str) -> f64 {
    ALL.iter().zip(stats.columns()).find(|(name, _)| **name == column).map_or(f64::NAN, |(_, value)| value)
}

fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
}

fn text(text: &str) -> String {
    serde_json::Value::from(visible(text)).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn days_are_spread_over_all() {
        fn check(days: usize, shown: usize) {
            let found = days_shown(days);
            assert_eq!(found.len(), shown, "{days}");
            assert_eq!(
                (found.first(), found.last()),
                ((days > 0).then_some(&0), days.checked_sub(1).as_ref())
            );
            assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        }
        check(0, 0);
        check(1, 1);
        check(2, 2);
        check(160, 160);
        check(161, 160);
        check(1_826, 160);
    }

    #[test]
    fn numbers_are_those_of_the_file() {
        let (summary, manifest) = example::study(300);
        let json: serde_json::Value = serde_json::from_str(&json(&summary, &manifest, &Map::new())).unwrap();
        let mut seen = 0;
        for (region, variables) in json["series"].as_object().unwrap() {
            for (variable, columns) in variables.as_object().unwrap() {
                let series = summary.find(region, variable).unwrap_or_else(|| panic!("{region} {variable}"));
                for (column, values) in columns.as_object().unwrap() {
                    for (&day, value) in days_shown(300).iter().zip(values.as_array().unwrap()) {
                        let wanted = get(&series.stats[day], column);
                        assert_eq!(value.as_f64(), wanted.is_finite().then_some(wanted));
                        assert_eq!(json["days"].as_array().unwrap().len(), values.as_array().unwrap().len());
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 10_000, "{seen}");
    }
}
