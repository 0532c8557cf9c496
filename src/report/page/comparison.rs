//! A comparison on a page.

use std::fmt::Write as _;

use super::super::compare::{Change, Comparison, Side, outcome_name};
use super::super::escape::html;
use super::{document, figures, moment};
use crate::units::Hashrate;

/// The page of a comparison.
#[must_use]
pub fn comparison_page(comparison: &Comparison) -> String {
    let agent = |side: &Side| html(side.user_agent.as_deref().unwrap_or("unknown miner"));
    let (before, after) = (agent(&comparison.before), agent(&comparison.after));
    let worse = comparison.count(Change::Worse);
    let (class, verdict) = match worse {
        0 => ("pass", "Nothing got worse".to_owned()),
        1 => ("fail", "1 case got worse".to_owned()),
        many => ("fail", format!("{many} cases got worse")),
    };
    let mut body = format!(
        "<header><p class=\"kind\">adit check --compare</p><h1>{after} <small>after {before}</small></h1>\
         <p class=\"verdict {class}\">{verdict}</p>"
    );
    let rate = |side: &Side| Hashrate::new(side.hashrate).unwrap_or_default().to_string();
    figures(
        &mut body,
        &[
            (
                "before",
                format!("{}<br>{}", html(&moment(comparison.before.began_us)), rate(&comparison.before)),
            ),
            ("after", format!("{}<br>{}", html(&moment(comparison.after.began_us)), rate(&comparison.after))),
            ("changes", html(&comparison.counts())),
        ],
    );
    body.push_str("</header><main>");
    for change in Change::ALL {
        section(&mut body, comparison, change);
    }
    body.push_str("</main>");
    document(&format!("adit check: {before} and {after}"), &body)
}

fn section(body: &mut String, comparison: &Comparison, change: Change) {
    let cases: Vec<_> = comparison.cases.iter().filter(|case| case.change == change).collect();
    if cases.is_empty() {
        return;
    }
    let _ = write!(
        body,
        "<section><h2>{} <small>{}</small></h2><table><thead><tr><th>case<th>before<th>after<th>what</thead><tbody>",
        change.name(),
        cases.len()
    );
    for case in cases {
        let badge = |outcome| {
            let name = outcome_name(outcome);
            format!("<span class=\"badge {name}\">{name}</span>")
        };
        let _ = write!(
            body,
            "<tr><td><span class=\"id\">{}</span><td>{}<td>{}<td>{}",
            html(&case.id),
            badge(case.before),
            badge(case.after),
            html(&case.title)
        );
        if change == Change::Worse || change == Change::New {
            let _ = write!(body, "<br>{}", html(&case.summary));
        }
        for measured in &case.measured {
            let value = |value: &Option<String>| html(value.as_deref().unwrap_or("-"));
            let _ = write!(
                body,
                "<br><small>{}: {} → {}</small>",
                html(&measured.name),
                value(&measured.before),
                value(&measured.after)
            );
        }
    }
    body.push_str("</tbody></table></section>");
}
