//! What differs between two studies: a table for a terminal, and a page.
//!
//! A change is flagged when it is beyond both bands: each median lies outside
//! the other study's 5 to 95 % of runs. That is no test of significance; it
//! says that most runs of the one are unlike most runs of the other.

use std::fmt;
use std::fmt::Write as _;

use super::super::document::document;
use super::super::escape::{html, visible};
use super::{STYLE, grouped};
use crate::spread::Model;
use crate::study::{Folder, Manifest, Outlook, Progress, Stats, StudyError, WORLD_LABEL, outlook};

/// Rows that are printed; the page and the JSON have all.
const LINES_MAX: usize = 60;

/// One measure in both studies.
#[derive(Debug, Clone, PartialEq)]
pub struct Sides {
    /// In the first.
    pub a: Stats,
    /// In the second.
    pub b: Stats,
}

impl Sides {
    /// Change of the median.
    #[must_use]
    pub fn change(&self) -> f64 {
        self.b.p50 - self.a.p50
    }

    /// Whether each median is outside of the other's band.
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        let outside = |value: f64, band: &Stats| value < band.p05 || value > band.p95;
        outside(self.a.p50, &self.b) && outside(self.b.p50, &self.a)
    }

    /// Change of the median as a part of the first.
    fn relative(&self) -> Option<f64> {
        let relative = self.change() / self.a.p50.abs();
        relative.is_finite().then_some(relative)
    }
}

/// A variable of a region in both studies.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// A region's code, `WORLD`, or `country:` and an ISO code.
    pub region: String,
    /// Its name.
    pub variable: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// On the last day.
    pub end: Sides,
    /// Each run's mean over its days.
    pub mean: Sides,
}

impl Change {
    /// Whether the end or the mean is beyond both bands.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        self.end.is_beyond() || self.mean.is_beyond()
    }
}

/// What differs between two studies.
#[derive(Debug, Clone)]
pub struct Changes {
    /// Name of each: the folder.
    pub names: [String; 2],
    /// Scenario and runs of each, for people.
    pub titles: [String; 2],
    /// What they were made of that differs, a line each.
    pub inputs: Vec<String>,
    /// Variables of regions that both have, in the order of the summary.
    pub changes: Vec<Change>,
    /// Regions that only one has.
    pub only: Vec<String>,
}

impl Changes {
    /// Compares two folders; reads both tables.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of(a: &Folder, b: &Folder, mut progress: impl FnMut(Progress)) -> Result<Self, StudyError> {
        if a.manifest().model != b.manifest().model {
            let what = format!(
                "{} and {} are of different models, which have no variables in common; compare two of one model",
                a.dir().display(),
                b.dir().display()
            );
            return Err(StudyError::Plan(what));
        }
        let (table_a, table_b) = (a.table()?, b.table()?);
        let days = [&table_a, &table_b].map(|table| match table.layout().days.as_slice() {
            [] => "no days".to_owned(),
            [day] => day.to_string(),
            [first, .., last] => format!("{first} to {last}"),
        });
        let mut inputs = inputs(a.manifest(), b.manifest());
        if table_a.layout().days != table_b.layout().days {
            let counts = [&table_a, &table_b].map(|table| table.layout().days.len());
            inputs.push(format!("days: {} ({}), then {} ({})", days[0], counts[0], days[1], counts[1]));
        }
        let rows_a = outlook(&table_a, &a.manifest().places, &mut progress)?;
        let rows_b = outlook(&table_b, &b.manifest().places, &mut progress)?;
        let title = |folder: &Folder, days: &str| {
            let manifest = folder.manifest();
            format!("{}, {} runs, {days}", visible(&manifest.scenario.name), manifest.runs_done)
        };
        Ok(Self {
            names: [a, b].map(|folder| folder.dir().display().to_string()),
            titles: [title(a, &days[0]), title(b, &days[1])],
            inputs,
            only: only(&rows_a, &rows_b),
            changes: pair(a.manifest().model, rows_a, rows_b),
        })
    }

    /// How many changes are beyond both bands.
    #[must_use]
    pub fn flagged(&self) -> usize {
        self.changes.iter().filter(|change| change.is_flagged()).count()
    }

    /// As JSON: `inputs`, `only`, and `changes` with both bands and whether they are flagged.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let stats = |stats: &Stats| serde_json::json!({ "p05": stats.p05, "p50": stats.p50, "p95": stats.p95, "mean": stats.mean });
        let sides = |sides: &Sides| {
            serde_json::json!({
                "a": stats(&sides.a), "b": stats(&sides.b),
                "change": sides.change(), "beyond_both_bands": sides.is_beyond(),
            })
        };
        let change = |change: &Change| {
            serde_json::json!({
                "region": change.region, "variable": change.variable, "unit": change.unit,
                "end": sides(&change.end), "mean": sides(&change.mean), "flagged": change.is_flagged(),
            })
        };
        serde_json::json!({
            "a": self.names[0], "b": self.names[1], "inputs": self.inputs, "only": self.only,
            "flagged": self.flagged(), "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        })
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let [a, b] = [0, 1].map(|at| html(&self.names[at]));
        let mut body = format!(
            "<header><p class=\"kind\">adit spread diff</p><h1>{a} <small>and</small> {b}</h1><dl>\
             <div><dt>{a}</dt><dd>{}</dd></div><div><dt>{b}</dt><dd>{}</dd></div>\
             <div><dt>beyond both bands</dt><dd>{} of {}</dd></div></dl>\
             <p class=\"note\">Medians over the runs, and in brackets nine of ten runs. A change is beyond both bands \
             when each median lies outside the other study's. In the pictures the upper bar is the first study, the \
             lower the second, both on the last day.</p></header><main>",
            html(&self.titles[0]),
            html(&self.titles[1]),
            self.flagged(),
            self.changes.len()
        );
        list(&mut body, "What they were made of differs", &self.inputs);
        list(&mut body, "Only in one", &self.only);
        let flagged: Vec<&Change> = self.changes.iter().filter(|change| change.is_flagged()).collect();
        let world: Vec<&Change> = self.changes.iter().filter(|change| change.region == WORLD_LABEL).collect();
        section(&mut body, "The network", &world);
        section(&mut body, "Beyond both bands", &flagged);
        let all: Vec<&Change> = self.changes.iter().collect();
        body.push_str("<details><summary>All variables of all regions</summary>");
        section(&mut body, "All", &all);
        body.push_str("</details></main>");
        document(&format!("adit spread diff: {a} and {b}"), &body, STYLE, "")
    }
}

/// For a terminal: the network, and what is beyond both bands.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A {}: {}\nB {}: {}", self.names[0], self.titles[0], self.names[1], self.titles[1])?;
        for line in self.inputs.iter().chain(&self.only) {
            writeln!(f, "  {}", visible(line))?;
        }
        let shown = |change: &&Change| change.region == WORLD_LABEL || change.is_flagged();
        let rows: Vec<[String; 6]> = self
            .changes
            .iter()
            .filter(shown)
            .take(LINES_MAX)
            .map(|change| {
                let flag = if change.is_flagged() { "*" } else { "" };
                let name = format!("{} {}", change.variable, flag);
                let mean = relative(&change.mean);
                [
                    change.region.clone(),
                    name,
                    band(&change.end.a),
                    band(&change.end.b),
                    relative(&change.end),
                    mean,
                ]
            })
            .collect();
        let header = ["region", "variable", "A at the end", "B at the end", "end", "mean"].map(str::to_owned);
        let lines = || std::iter::once(&header).chain(&rows);
        let widths: [usize; 6] =
            std::array::from_fn(|at| lines().map(|row| row[at].chars().count()).max().unwrap_or(0));
        writeln!(f)?;
        for row in lines() {
            let mut line = String::new();
            for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let _ =
                    if at < 2 { write!(line, "{cell:width$}  ") } else { write!(line, "{cell:>width$}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        let (flagged, all) = (self.flagged(), self.changes.len());
        let more = self.changes.iter().filter(shown).count() - rows.len();
        if more > 0 {
            writeln!(f, "and {more} more: see the page (--out) or --json")?;
        }
        write!(f, "\n* {flagged} of {all} changes are beyond both bands (5 to 95 % of runs)")
    }
}

/// What differs between the inputs, for people.
fn inputs(a: &Manifest, b: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |name: &str, a: &dyn fmt::Display, b: &dyn fmt::Display| {
        let (a, b) = (a.to_string(), b.to_string());
        if a != b {
            lines.push(format!("{name}: {a}, then {b}"));
        }
    };
    differ("adit", &a.adit, &b.adit);
    differ("seed", &a.seed, &b.seed);
    differ("runs", &a.runs_done, &b.runs_done);
    differ("scenario", &a.scenario.name, &b.scenario.name);
    for name in a.data.keys().chain(b.data.keys().filter(|name| !a.data.contains_key(*name))) {
        if a.data.get(name) != b.data.get(name) {
            lines.push(format!("data: {name}"));
        }
    }
    // By lines, each once: enough to see which settings changed.
    let without = |text: &str, other: &str, mark: &str| -> Vec<String> {
        let other: Vec<&str> = other.lines().map(str::trim).collect();
        let own = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        own.filter(|line| !other.contains(line))
            .map(|line| format!("scenario, only in {mark}: {line}"))
            .collect()
    };
    lines.extend(without(&a.scenario.text, &b.scenario.text, "A"));
    lines.extend(without(&b.scenario.text, &a.scenario.text, "B"));
    lines
}

fn regions(rows: &[Outlook]) -> Vec<&str> {
    let mut regions: Vec<&str> = rows.iter().map(|row| row.region.as_str()).collect();
    regions.sort_unstable();
    regions.dedup();
    regions
}

fn only(a: &[Outlook], b: &[Outlook]) -> Vec<String> {
    let (in_a, in_b) = (regions(a), regions(b));
    let only_a =
        in_a.iter().filter(|region| !in_b.contains(region)).map(|region| format!("{region}: only in A"));
    let only_b =
        in_b.iter().filter(|region| !in_a.contains(region)).map(|region| format!("{region}: only in B"));
    only_a.chain(only_b).collect()
}

fn pair(model: Model, a: Vec<Outlook>, b: Vec<Outlook>) -> Vec<Change> {
    let unit = |row: &Outlook| {
        let variables = if row.region == WORLD_LABEL { model.world() } else { model.regional() };
        variables.iter().find(|variable| variable.name == row.variable).map_or("", |variable| variable.unit)
    };
    a.into_iter()
        .filter_map(|a| {
            let b = b.iter().find(|b| b.region == a.region && b.variable == a.variable)?;
            Some(Change {
                unit: unit(&a),
                region: a.region,
                variable: a.variable,
                end: Sides { a: a.end, b: b.end },
                mean: Sides { a: a.mean, b: b.mean },
            })
        })
        .collect()
}

fn band(stats: &Stats) -> String {
    if stats.p50.is_nan() {
        return "–".to_owned();
    }
    format!("{} ({} to {})", short(stats.p50), short(stats.p05), short(stats.p95))
}

/// Four digits, for a table that is to be seen at once.
fn short(value: f64) -> String {
    let large = value.abs() >= 1e9;
    if large { format!("{value:.3e}") } else { grouped(format!("{value:.3e}").parse().unwrap_or(value)) }
}

fn relative(sides: &Sides) -> String {
    match sides.relative() {
        Some(part) if part.abs() < 10.0 => format!("{:+.1} %", part * 100.0),
        Some(part) => format!("x {:.0}", part + 1.0),
        None if sides.change() == 0.0 => "+0.0 %".to_owned(),
        None if sides.change().is_finite() => format!("{:+.3e}", sides.change()),
        None => "–".to_owned(),
    }
}

fn list(body: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(body, "<section><h2>{title}</h2><ul>");
    for line in lines {
        let _ = write!(body, "<li>{}</li>", html(line));
    }
    body.push_str("</ul></section>");
}

fn section(body: &mut String, title: &str, changes: &[&Change]) {
    let _ = write!(body, "<section><h2>{title} <small>{}</small></h2>", changes.len());
    if changes.is_empty() {
        body.push_str("<p>None.</p></section>");
        return;
    }
    let _ = write!(
        body,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><table><thead><tr>\
         <th scope=\"col\">region<th scope=\"col\">variable<th scope=\"col\">unit<th scope=\"col\" class=\"n\">first, at the end\
         <th scope=\"col\" class=\"n\">second, at the end<th scope=\"col\" class=\"n\">change<th scope=\"col\" class=\"n\">\
         change of the mean<th scope=\"col\">bands at the end</thead><tbody>"
    );
    for change in changes {
        let (class, flag) = if change.is_flagged() { (" class=\"flag\"", "*") } else { ("", "") };
        let _ = write!(
            body,
            "<tr{class}><td>{}<td>{}{flag}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}",
            html(&change.region),
            change.variable,
            change.unit,
            band(&change.end.a),
            band(&change.end.b),
            relative(&change.end),
            relative(&change.mean),
            picture(&change.end)
        );
    }
    body.push_str("</tbody></table></div></section>");
}

/// Both bands one above the other; the table beside it has the numbers.
fn picture(sides: &Sides) -> String {
    const WIDTH: f64 = 160.0;
    let Sides { a, b } = sides;
    let (low, high) = (a.p05.min(b.p05), a.p95.max(b.p95));
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return String::new();
    }
    let x = |value: f64| 4.0 + (value - low) / span * (WIDTH - 8.0);
    let mut out = format!("<svg class=\"bands\" viewBox=\"0 0 {WIDTH} 22\" aria-hidden=\"true\">");
    for (class, y, stats) in [("a", 2.0, a), ("b", 12.0, b)] {
        // No number, no band: the cost of a bitcoin where none is mined.
        if !(stats.p05 + stats.p50 + stats.p95).is_finite() {
            continue;
        }
        let (left, middle, right) = (x(stats.p05), x(stats.p50), x(stats.p95));
        let _ = write!(
            out,
            "<g class=\"{class}\"><rect x=\"{left:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"8\"/>\
             <line x1=\"{middle:.1}\" x2=\"{middle:.1}\" y1=\"{y}\" y2=\"{}\"/></g>",
            (right - left).max(1.0),
            y + 8.0
        );
    }
    out + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::super::example::{HOSTILE, folder};
    use super::*;

    fn stats(p05: f64, p50: f64, p95: f64) -> Stats {
        Stats { mean: p50, p05, p25: p05, p50, p75: p95, p95 }
    }

    #[test]
    fn a_side_without_a_number_has_no_band() {
        let (known, none) = (stats(1.0, 2.0, 3.0), stats(f64::NAN, f64::NAN, f64::NAN));
        for sides in [Sides { a: known, b: none }, Sides { a: none, b: known }] {
            let picture = picture(&sides);
            assert!(!picture.contains("NaN") && picture.matches("<rect").count() == 1, "{picture}");
        }
    }

    #[test]
    fn beyond_both_bands() {
        fn check(a: (f64, f64, f64), b: (f64, f64, f64), expected: bool) {
            let sides = Sides { a: stats(a.0, a.1, a.2), b: stats(b.0, b.1, b.2) };
            assert_eq!(sides.is_beyond(), expected, "{a:?} {b:?}");
        }
        check((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), true);
        check((1.0, 2.0, 3.0), (2.5, 5.0, 6.0), true);
        // One band is so wide that it has the other's median.
        check((1.0, 2.0, 3.0), (1.5, 5.0, 9.0), false);
        check((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), false);
        check((2.0, 2.0, 2.0), (2.0, 2.0, 2.0), false);
        check((2.0, 2.0, 2.0), (3.0, 3.0, 3.0), true);
        check((f64::NAN, f64::NAN, f64::NAN), (1.0, 2.0, 3.0), false);
    }

    #[test]
    fn a_study_does_not_differ_from_itself() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path(), 10, 1.0);
        let changes = Changes::of(&folder, &folder, |_| ()).unwrap();
        assert_eq!((changes.flagged(), changes.inputs.len(), changes.only.len()), (0, 0, 0));
        assert!(changes.changes.len() > 300);
        assert!(changes.to_string().contains("* 0 of "), "{changes}");
    }

    #[test]
    fn what_changed_is_told() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (a, b) = (folder(dirs[0].path(), 10, 1.0), folder(dirs[1].path(), 12, 3.0));
        let changes = Changes::of(&a, &b, |_| ()).unwrap();
        let text = changes.to_string();
        for part in ["days: ", "scenario, only in B: factor = 3", "hashrate_ehs *", "A at the end"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let found =
            changes.changes.iter().find(|c| c.region == "WORLD" && c.variable == "hashrate_ehs").unwrap();
        assert!(found.is_flagged() && found.end.relative().unwrap() > 1.0, "{found:?}");
        assert_eq!(found.unit, "EH/s");
        // The end is that of the summary.
        let summary = a.summary().unwrap();
        let last = *summary.find("WORLD", "hashrate_ehs").unwrap().stats.last().unwrap();
        assert_eq!(found.end.a, last);
        let page = changes.page();
        assert!(
            page.contains("Beyond both bands") && !page.contains(HOSTILE) && page.contains("class=\"bands\"")
        );
        let json = changes.json();
        assert_eq!(json["flagged"], changes.flagged());
        assert_eq!(json["changes"][0]["unit"], "EH/s");
    }

    #[test]
    fn changes_are_for_people() {
        fn check(a: f64, b: f64, text: &str) {
            let sides = Sides { a: stats(a, a, a), b: stats(b, b, b) };
            assert_eq!(relative(&sides), text);
        }
        check(2.0, 3.0, "+50.0 %");
        check(-2.0, -3.0, "-50.0 %");
        check(1.0, 100.0, "x 100");
        check(0.0, 0.0, "+0.0 %");
        check(0.0, 0.5, "+5.000e-1");
        check(f64::NAN, 0.5, "–");
        assert_eq!(band(&stats(1_234.56, 2e12, 3e12)), "2.000e12 (1,235 to 3.000e12)");
    }
}
