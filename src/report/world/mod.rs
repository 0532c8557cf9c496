//! The page of a study: a map, curves with bands, tables, and what it all rests on.
//!
//! Made of `summary.csv` and the manifest alone, so that it can be made again
//! of any folder, and no number of it is computed twice.

mod change;
mod eras;
#[cfg(test)]
mod example;
mod map;
mod numbers;

use std::fmt::Write as _;

use super::document::document;
use super::escape::html;
use crate::spread::Variable;
use crate::study::{Manifest, SIGNIFICANT_DIGITS, Series, Summary, WORLD_LABEL};
use map::{Map, project};

pub use change::{Change, Changes, Sides};
pub use eras::eras_page;

/// The file's name in the folder of a study.
pub const PAGE_FILE: &str = "report.html";

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Variables with a curve, in order, and their titles.
const CURVES: &[(&str, &str)] = &[
    ("hashrate_ehs", "Hashrate"),
    ("hhi", "Concentration (HHI)"),
    ("entropy_nats", "Shannon entropy"),
    ("nakamoto", "Nakamoto coefficient"),
    ("cost_usd_per_btc", "Cost of production"),
    ("price_usd_per_btc", "Price of a bitcoin"),
    ("hashprice_usd_per_phs_day", "Hashprice"),
    ("power_cost_usd_per_kwh", "Power price paid"),
    ("energy_twh_per_year", "Energy"),
    ("carbon_t_per_day", "Carbon"),
    ("efficiency_j_per_th", "Efficiency"),
    ("difficulty", "Difficulty"),
    ("block_interval_s", "Block interval"),
    ("security_cost_usd_per_day", "Power to match the network"),
    ("rigs_idle_fraction", "Machines that do not run"),
    ("in_transit_ehs", "Machines in transit"),
    ("delivered_ehs", "Machines delivered"),
];

/// What the map can show: value, words.
const METRICS: &[(&str, &str)] =
    &[("share", "share"), ("power_price", "power price"), ("cost", "cost of a bitcoin"), ("loss", "loss")];

/// The page of a study.
#[must_use]
pub fn page(summary: &Summary, manifest: &Manifest) -> String {
    let map = Map::new();
    let mut body = header(summary, manifest);
    body.push_str("<main>");
    if summary.days.is_empty() {
        body.push_str("<p class=\"warn\">No run was finished, so there is nothing to show.</p>");
    } else {
        world_map(&mut body, manifest, &map);
        curves(&mut body);
        countries(&mut body);
        regions(&mut body);
        figures(&mut body, summary, manifest);
    }
    guesses(&mut body, manifest);
    origin(&mut body, manifest);
    let _ = write!(
        body,
        "</main><script type=\"application/json\" id=\"numbers\">{}</script>",
        numbers::json(summary, manifest, &map)
    );
    document(&format!("adit spread: {}", html(&manifest.scenario.name)), &body, STYLE, SCRIPT)
}

fn header(summary: &Summary, manifest: &Manifest) -> String {
    let mut body =
        format!("<header><p class=\"kind\">adit spread</p><h1>{}</h1><dl>", html(&manifest.scenario.name));
    let days = match summary.days.as_slice() {
        [] => "none".to_owned(),
        [day] => day.to_string(),
        [first, .., last] => format!("{first} to {last}"),
    };
    let facts = [
        ("days", days),
        ("runs", manifest.runs_done.to_string()),
        ("seed", manifest.seed.to_string()),
        ("adit", html(&manifest.adit)),
    ];
    let regions = manifest.model.is_world().then(|| ("regions", manifest.places.len().to_string()));
    for (name, value) in facts.into_iter().chain(regions) {
        let _ = write!(body, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    body.push_str("</dl>");
    if !manifest.is_complete() {
        let _ = write!(
            body,
            "<p class=\"warn\">The study was stopped: {} of {} runs are in it.</p>",
            manifest.runs_done, manifest.runs
        );
    }
    let shown = numbers::days_shown(summary.days.len()).len();
    let some = match shown == summary.days.len() {
        true => String::new(),
        false => format!(" The page shows {shown} of {} days; the files have all.", summary.days.len()),
    };
    let _ = write!(
        body,
        "<p class=\"note\">Lines and tables show the median of the runs; half of the runs lie in the dark band, nine of \
         ten in the light one. Numbers have {SIGNIFICANT_DIGITS} digits, as in summary.csv.{some} A result of a model, \
         not a forecast: it rests on <a href=\"#guesses\">assumptions</a>.</p>\
         <noscript><p class=\"warn\">Map and curves need JavaScript; tables and files do not.</p></noscript></header>"
    );
    body
}

fn world_map(body: &mut String, manifest: &Manifest, map: &Map) {
    body.push_str("<section><h2>Where hashrate is</h2><fieldset><legend>Show</legend>");
    for (at, (value, words)) in METRICS.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        let _ = write!(
            body,
            "<label><input type=\"radio\" name=\"metric\" value=\"{value}\"{checked}>{words}</label>"
        );
    }
    // Its end is set by the script, which knows the days.
    body.push_str(
        "</fieldset><div class=\"when\"><label for=\"when\">Day</label>\
         <input type=\"range\" id=\"when\" min=\"0\" max=\"0\" step=\"1\" value=\"0\">\
         <output class=\"day\" for=\"when\"></output></div><figure id=\"map\">",
    );
    let countries = numbers::countries(manifest);
    let shown: Vec<&str> = countries.iter().copied().filter(|iso3| map.path_of(iso3).is_some()).collect();
    let _ = write!(
        body,
        "<svg viewBox=\"{}\" role=\"img\" aria-label=\"World map of the regions; the table of regions below has its \
         numbers\"><path class=\"land\" d=\"{}\"/>",
        Map::view_box(),
        map.path_without(&shown)
    );
    for iso3 in shown {
        let (label, name) = (crate::study::country_label(iso3), html(map.name(iso3)));
        let path = map.path_of(iso3).unwrap_or_default();
        let _ = write!(
            body,
            "<path class=\"country\" data-region=\"{}\" d=\"{path}\"><title>{name}</title></path>",
            html(&label)
        );
    }
    for place in &manifest.places {
        let alone = manifest.places.iter().filter(|other| other.iso3 == place.iso3).count() == 1;
        if alone && map.path_of(&place.iso3).is_some() {
            continue;
        }
        let (x, y) = project(place.longitude_deg, place.latitude_deg);
        let _ = write!(
            body,
            "<circle class=\"region\" data-region=\"{}\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"80\"><title>{}</title></circle>",
            place.code,
            html(&place.name)
        );
    }
    body.push_str(
        "</svg><ul class=\"keys\" id=\"keys\"></ul><figcaption>Median of the runs. A circle is a part of a country, \
         its size its share. Loss is hashrate that shocks keep off. Map: Natural Earth.</figcaption></figure></section>",
    );
}

fn curves(body: &mut String) {
    body.push_str("<section><h2>The network</h2><div class=\"charts\">");
    for (variable, title) in CURVES {
        let _ = write!(body, "<figure data-variable=\"{variable}\" data-title=\"{title}\"></figure>");
    }
    body.push_str("</div></section>");
}

fn countries(body: &mut String) {
    body.push_str(
        "<section><h2>Countries</h2><label>Country <select id=\"country\"></select></label><div class=\"charts\">\
         <figure id=\"stack\"></figure><figure id=\"country-hashrate\"></figure>\
         <figure id=\"country-share\"></figure></div></section>",
    );
}

fn regions(body: &mut String) {
    body.push_str(
        "<section><h2>Regions <small class=\"day\"></small></h2><div class=\"wide\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Numbers of the regions\"><table><thead><tr><th scope=\"col\">region<th scope=\"col\" class=\"n\">share\
         <th scope=\"col\" class=\"n\">5 to 95 % of runs<th scope=\"col\" class=\"n\">hashrate<br>EH/s\
         <th scope=\"col\" class=\"n\">power price<br>USD/kWh<th scope=\"col\" class=\"n\">cost<br>USD/BTC\
         <th scope=\"col\" class=\"n\">lost<br>EH/s</thead><tbody id=\"regions\"></tbody></table></div></section>",
    );
}

/// Every variable of the network, at the beginning and at the end.
fn figures(body: &mut String, summary: &Summary, manifest: &Manifest) {
    body.push_str(
        "<section><h2>Figures of the network</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Figures of the network\"><table><thead><tr><th scope=\"col\">what<th scope=\"col\">unit\
         <th scope=\"col\" class=\"n\">first day<th scope=\"col\" class=\"n\">last day\
         <th scope=\"col\" class=\"n\">5 to 95 % of runs</thead><tbody>",
    );
    for Variable { name, unit, help } in manifest.model.world() {
        let Some(Series { stats, .. }) = summary.find(WORLD_LABEL, name) else { continue };
        let [first, .., last] = stats.as_slice() else {
            let value = stats.first().map_or(f64::NAN, |stats| stats.p50);
            let _ = write!(body, "<tr><td>{help}<td>{unit}<td class=\"n\">{}<td><td>", grouped(value));
            continue;
        };
        let _ = write!(
            body,
            "<tr><td class=\"words\">{help}<td>{unit}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{} to {}",
            grouped(first.p50),
            grouped(last.p50),
            grouped(last.p05),
            grouped(last.p95)
        );
    }
    body.push_str("</tbody></table></div></section>");
}

fn guesses(body: &mut String, manifest: &Manifest) {
    body.push_str("<section id=\"guesses\"><h2>What it rests on without being known</h2>");
    if manifest.guesses.is_empty() {
        body.push_str("<p>No assumption was listed.</p></section>");
        return;
    }
    body.push_str(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Assumptions\"><table><thead><tr>\
         <th scope=\"col\">what<th scope=\"col\">value<th scope=\"col\">why</thead><tbody>",
    );
    for guess in &manifest.guesses {
        let (what, value, why) = (html(&guess.what), html(&guess.value), html(&guess.why));
        let _ = write!(body, "<tr><td class=\"words\">{what}<td>{value}<td class=\"words\">{why}");
    }
    body.push_str("</tbody></table></div></section>");
}

fn origin(body: &mut String, manifest: &Manifest) {
    let _ = write!(
        body,
        "<section><h2>What it was made of</h2><details><summary>The scenario</summary><pre>{}</pre></details>",
        // Line feeds are the text's own here; the rest is made harmless line by line.
        manifest.scenario.text.lines().map(html).collect::<Vec<_>>().join("\n")
    );
    body.push_str("<details><summary>SHA-256 of the data</summary><ul>");
    for (name, hash) in &manifest.data {
        let _ = write!(body, "<li>{} <code>{}</code></li>", html(name), html(hash));
    }
    body.push_str("</ul></details></section>");
}

/// A number as it stands in the file, with a comma at the thousands.
fn grouped(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = value.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |text| ("-", text));
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::example::{HOSTILE, study};
    use super::*;
    use crate::spread::WORLD;

    #[test]
    fn everything_is_on_the_page_and_nothing_else() {
        let (summary, manifest) = study(40);
        let text = page(&summary, &manifest);
        for part in [
            "data-region=\"country:KAZ\"",
            "data-region=\"US-TX\"",
            "type=\"range\"",
            "data-variable=\"nakamoto\"",
            "build_mw_per_month of US-TX",
            "18446744073709551615",
            "9 of 12 runs",
        ] {
            assert!(text.contains(part), "{part} is missing");
        }
        assert!(!text.contains("data-region=\"KZ\""), "a country with one region needs no circle");
        assert!(!text.contains(HOSTILE));
        for (at, _) in text.match_indices("http") {
            let fine =
                text[at..].starts_with("http-equiv") || text[at..].starts_with("http://www.w3.org/2000/svg");
            assert!(fine, "{}", &text[at..at + 60]);
        }
    }

    #[test]
    fn curves_are_of_variables_that_are_recorded() {
        for (variable, _) in CURVES {
            assert!(WORLD.iter().any(|known| known.name == *variable), "{variable}");
        }
    }

    #[test]
    fn a_study_without_runs_has_a_page() {
        let (_, manifest) = study(2);
        let text = page(&Summary::default(), &manifest);
        assert!(text.contains("No run was finished"));
    }

    #[test]
    fn numbers_are_grouped() {
        fn check(value: f64, text: &str) {
            assert_eq!(grouped(value), text);
        }
        check(0.0, "0");
        check(123.0, "123");
        check(1_234.5, "1,234.5");
        check(-123_457_000.0, "-123,457,000");
        check(0.045_678_9, "0.0456789");
        check(f64::NAN, "–");
    }
}
