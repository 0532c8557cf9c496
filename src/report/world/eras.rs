//! The page of a study of the eras: who has the hashrate by size of site and generation, when
//! homes left, and how the model stands against what is known.

use std::fmt::Write as _;

use super::super::document::document;
use super::super::escape::html;
use super::{SCRIPT, STYLE, figures, grouped, guesses, header, numbers, origin};
use crate::spread::eras::findings::{Crossing, Findings, verdict};
use crate::spread::eras::inputs::{CLASSES, Inputs};
use crate::study::{Manifest, Summary};

/// The network's curves: variable, title, whether each line of the axis is a power of ten.
const CURVES: &[(&str, &str, bool)] = &[
    ("sites", "Sites", true),
    ("sites_for_half", "Sites that have half of the hashrate", true),
    ("largest_site_share", "Largest site", false),
    ("ten_largest_share", "Ten largest sites", false),
    ("hhi", "Concentration of sites (HHI)", true),
    ("entropy_nats", "Shannon entropy of sites", false),
    ("hashrate_ehs", "Hashrate (the record's)", true),
    ("price_usd_per_btc", "Price of a bitcoin", true),
    ("hashprice_usd_per_phs_day", "Hashprice", true),
    ("energy_twh_per_year", "Energy", true),
    ("efficiency_j_per_th", "Efficiency", true),
    ("power_cost_usd_per_kwh", "Power price paid", false),
    ("break_even_usd_per_kwh", "Break-even price of power", true),
    ("cost_usd_per_btc", "Cost of production", true),
];

/// Curves of each class.
const OF_CLASSES: &[(&str, &str, bool)] =
    &[("share", "Share", false), ("cost_usd_per_btc", "Cost of a bitcoin", true), ("sites", "Sites", true)];

/// The page of a study of the eras.
#[must_use]
pub fn eras_page(summary: &Summary, manifest: &Manifest, findings: &Findings) -> String {
    let devices = &Inputs::embedded().devices;
    let classes = CLASSES.map(|(code, what)| (code.to_owned(), format!("{code}: {what}")));
    let generations = devices.iter().map(|device| (device.code.to_string(), device.name.clone()));
    let names: Vec<(String, String)> = classes.iter().cloned().chain(generations).collect();
    let codes = |names: &[(String, String)]| {
        names.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>().join(" ")
    };
    let mut body = header(summary, manifest);
    body.push_str("<main>");
    if summary.days.is_empty() {
        body.push_str("<p class=\"warn\">No run was finished, so there is nothing to show.</p>");
    } else {
        crossings(&mut body, &findings.crossings);
        let (sizes, generations) = names.split_at(CLASSES.len());
        body.push_str(
            "<section><h2>Who has the hashrate</h2><div class=\"when\"><label for=\"when\">Month</label>\
             <input type=\"range\" id=\"when\" min=\"0\" max=\"0\" step=\"1\" value=\"0\">\
             <output class=\"day\" for=\"when\"></output></div><div class=\"charts\">",
        );
        // More than the colours there are: the last of them is for all younger.
        for (title, names, others) in [
            ("Share by size of site", sizes, ""),
            ("Share by generation: the first", generations, "younger machines"),
            ("Share by generation: the last", &generations[generations.len().saturating_sub(8)..], ""),
        ] {
            let _ = write!(
                body,
                "<figure data-stack=\"{}\" data-title=\"{title}\" data-others=\"{others}\"></figure>",
                codes(names)
            );
        }
        body.push_str("</div></section><section><h2>By size of site</h2><div class=\"charts\">");
        for (variable, title, log) in OF_CLASSES {
            for (code, what) in CLASSES {
                figure(&mut body, variable, &format!("{title}: {what}"), *log, code);
            }
        }
        body.push_str("</div></section><section><h2>The network</h2><div class=\"charts\">");
        for (variable, title, log) in CURVES {
            figure(&mut body, variable, title, *log, "WORLD");
        }
        body.push_str("</div></section>");
        facts(&mut body, findings);
        figures(&mut body, summary, manifest);
    }
    guesses(&mut body, manifest);
    origin(&mut body, manifest);
    let _ = write!(
        body,
        "</main><script type=\"application/json\" id=\"numbers\">{}</script>",
        numbers::eras_json(summary, &names)
    );
    document(&format!("adit spread: {}", html(&manifest.scenario.name)), &body, STYLE, SCRIPT)
}

fn figure(body: &mut String, variable: &str, title: &str, log: bool, region: &str) {
    let log = if log { " data-log=\"\"" } else { "" };
    let _ = write!(
        body,
        "<figure data-variable=\"{variable}\" data-title=\"{}\" data-region=\"{region}\"{log}></figure>",
        html(title)
    );
}

fn crossings(body: &mut String, crossings: &[Crossing]) {
    body.push_str(
        "<section><h2>When homes left</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" \
         aria-label=\"When homes left\"><table><thead><tr><th scope=\"col\">homes have less than\
         <th scope=\"col\" class=\"n\">of the runs<th scope=\"col\">5 %<th scope=\"col\">median<th scope=\"col\">95 %\
         </thead><tbody>",
    );
    for Crossing { threshold, months, crossed } in crossings {
        let [p05, p50, p95] =
            months.map(|day| day.map_or_else(|| "not yet".to_owned(), |day| day.to_string()));
        let _ = write!(
            body,
            "<tr><td>{} % for good<td class=\"n\">{:.0} %<td>{p05}<td>{p50}<td>{p95}",
            threshold * 100.0,
            crossed * 100.0
        );
    }
    body.push_str("</tbody></table></div></section>");
}

fn facts(body: &mut String, findings: &Findings) {
    let passes = findings.card.iter().filter(|scored| scored.passes() == Some(true)).count();
    let _ = write!(
        body,
        "<section><h2>Held against what is known <small>{passes} of {} pass</small></h2><div class=\"wide\" tabindex=\"0\" \
         role=\"region\" aria-label=\"Held against what is known\"><table><thead><tr><th scope=\"col\">what\
         <th scope=\"col\" class=\"n\">known<th scope=\"col\" class=\"n\">model<th scope=\"col\" class=\"n\">5 to 95 % of runs\
         <th scope=\"col\"><th scope=\"col\">source</thead><tbody>",
        findings.card.len()
    );
    let number = |value: f64| grouped(format!("{value:.3e}").parse().unwrap_or(value));
    for scored in &findings.card {
        let (low, high) = scored.fact.range;
        let (model, band) = match scored.model {
            Some(band) => (number(band.p50), format!("{} to {}", number(band.p05), number(band.p95))),
            None => ("–".to_owned(), String::new()),
        };
        let flag = if scored.passes() == Some(false) { " class=\"flag\"" } else { "" };
        let _ = write!(
            body,
            "<tr{flag}><td class=\"words\">{}<td class=\"n\">{} to {}<td class=\"n\">{model}<td class=\"n\">{band}<td>{}\
             <td class=\"words\">{}",
            html(&scored.fact.what),
            number(low),
            number(high),
            verdict(scored.passes()),
            html(&scored.fact.source)
        );
    }
    body.push_str("</tbody></table></div></section>");
}
