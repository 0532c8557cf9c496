//! Pictures of shares as inline SVG; colours come from the page's style.

use std::fmt::Write as _;

use crate::conformance::{CaseResult, Plots};

/// The picture's size in its own units; the page scales it.
const SIZE: (f64, f64) = (480.0, 220.0);

/// Room for axes: left, top, right, bottom.
const MARGIN: (f64, f64, f64, f64) = (62.0, 10.0, 12.0, 34.0);

/// Points of a scatter plot at most; the eye sees no more, and a page should stay small.
const POINTS_MAX: usize = 2_000;

/// Bars of a histogram.
const BINS: usize = 24;

/// Fewer numbers make no picture.
const NUMBERS_MIN: usize = 3;

/// All pictures that a case has data for, each with its caption.
pub(super) fn figures(case: &CaseResult) -> String {
    let plots = &case.plots;
    let mut out = String::new();
    let mut add = |picture: Option<(Picture, String)>| {
        if let Some((picture, caption)) = picture {
            let _ =
                write!(out, "<figure>{}<figcaption>{caption}</figcaption></figure>", picture.svg(&caption));
        }
    };
    add(nonces(plots));
    add(gaps(plots));
    add(switches(plots));
    add(u(plots));
    add(version_bits(plots, case.shares));
    out
}

/// Axes and what is drawn between them.
struct Picture {
    x: (f64, f64),
    y: (f64, f64),
    body: String,
    labels: (&'static str, &'static str),
    /// How a number on the vertical axis is written.
    y_text: fn(f64) -> String,
    x_text: fn(f64) -> String,
}

impl Picture {
    fn new(x: (f64, f64), y: (f64, f64), labels: (&'static str, &'static str)) -> Self {
        let widen = |(low, high): (f64, f64)| if high > low { (low, high) } else { (low, low + 1.0) };
        Self { x: widen(x), y: widen(y), body: String::new(), labels, y_text: number, x_text: number }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let (left, top, right, bottom) = MARGIN;
        let across = (x - self.x.0) / (self.x.1 - self.x.0);
        let up = (y - self.y.0) / (self.y.1 - self.y.0);
        (left + across * (SIZE.0 - left - right), SIZE.1 - bottom - up * (SIZE.1 - top - bottom))
    }

    fn bar(&mut self, from: f64, to: f64, height: f64, class: &str) {
        let ((x1, y1), (x2, y2)) = (self.at(from, height), self.at(to, 0.0));
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y1:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            x1 + 0.5,
            (x2 - x1 - 1.0).max(0.5),
            (y2 - y1).max(0.0)
        );
    }

    fn dot(&mut self, x: f64, y: f64) {
        let (x, y) = self.at(x, y);
        let _ = write!(self.body, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.4\"/>");
    }

    fn line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, class: &str) {
        let points: Vec<String> =
            points.into_iter().map(|(x, y)| self.at(x, y)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(self.body, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = super::escape::html(text);
        let _ = write!(self.body, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
    }

    /// The whole picture; `caption` is for those who do not see it.
    fn svg(mut self, caption: &str) -> String {
        let (left, top, right, bottom) = MARGIN;
        let (x0, y0) = (left, SIZE.1 - bottom);
        let _ = write!(self.body, "<path class=\"axis\" d=\"M{left} {top}V{y0}H{}\"/>", SIZE.0 - right);
        for share in [0.0, 0.5, 1.0] {
            let y = self.y.0 + share * (self.y.1 - self.y.0);
            let (_, at) = self.at(self.x.0, y);
            let written = (self.y_text)(y);
            self.text(x0 - 5.0, at + 4.0, "end", &written);
            let x = self.x.0 + share * (self.x.1 - self.x.0);
            let (at, _) = self.at(x, self.y.0);
            let written = (self.x_text)(x);
            let anchor = if share == 0.0 {
                "start"
            } else if share == 1.0 {
                "end"
            } else {
                "middle"
            };
            self.text(at, y0 + 14.0, anchor, &written);
        }
        let labels = self.labels;
        self.text((x0 + SIZE.0 - right) / 2.0, SIZE.1 - 5.0, "middle", labels.0);
        self.text(x0 + 6.0, top + 8.0, "start", labels.1);
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{caption}\">{}</svg>",
            SIZE.0, SIZE.1, self.body
        )
    }
}

/// A number in few characters.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 10_000.0 => format!("{value:.1e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.0e}"),
    }
}

fn finite(numbers: &[f64]) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The `p`-quantile of sorted numbers.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = (p * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// Counts in equal bins over `low..high`; numbers outside count in the last and first.
fn histogram(numbers: &[f64], low: f64, high: f64, bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for number in numbers {
        let place = ((number - low) / (high - low) * bins as f64).floor();
        counts[(place.max(0.0) as usize).min(bins - 1)] += 1;
    }
    counts
}

fn nonces(plots: &Plots) -> Option<(Picture, String)> {
    let points: Vec<(f64, u32)> = plots.nonces.iter().copied().filter(|(at, _)| at.is_finite()).collect();
    if points.len() < NUMBERS_MIN {
        return None;
    }
    let high = points.iter().map(|(at, _)| *at).fold(0.0, f64::max);
    let mut picture = Picture::new((0.0, high), (0.0, f64::from(u32::MAX)), ("seconds", "nonce"));
    picture.y_text = |nonce| format!("{:08x}", nonce as u32);
    let step = points.len().div_ceil(POINTS_MAX);
    points.iter().step_by(step).for_each(|(at, nonce)| picture.dot(*at, f64::from(*nonce)));
    Some((
        picture,
        format!(
            "Nonces of {} shares over time. Regular patterns are usual: chips divide the range.",
            points.len()
        ),
    ))
}

fn gaps(plots: &Plots) -> Option<(Picture, String)> {
    let gaps = finite(&plots.gaps);
    if gaps.len() < NUMBERS_MIN {
        return None;
    }
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let high = (quantile(&gaps, 0.99) * 1.1).max(mean * 2.0).max(1e-6);
    let width = high / BINS as f64;
    let counts = histogram(&gaps, 0.0, high, BINS);
    let expected = |x: f64| gaps.len() as f64 * width / mean * (-x / mean).exp();
    let top = counts.iter().map(|count| *count as f64).fold(expected(0.0), f64::max);
    let mut picture = Picture::new((0.0, high), (0.0, top), ("seconds between shares", "shares"));
    picture.y_text = |count| format!("{count:.0}");
    for (bin, count) in counts.iter().enumerate() {
        let from = bin as f64 * width;
        picture.bar(from, from + width, *count as f64, "bar");
    }
    if mean > 0.0 {
        picture.line((0..=60).map(|step| high * f64::from(step) / 60.0).map(|x| (x, expected(x))), "curve");
    }
    Some((
        picture,
        format!(
            "Gaps between {} shares, mean {} s; the curve is what chance gives.",
            gaps.len() + 1,
            number(mean)
        ),
    ))
}

fn switches(plots: &Plots) -> Option<(Picture, String)> {
    let times = finite(&plots.switches);
    if times.is_empty() {
        return None;
    }
    let high = times.last().copied().unwrap_or_default().max(1e-3);
    let mut picture = Picture::new(
        (0.0, high),
        (0.0, 1.0),
        ("seconds until the last share of old work", "share of new blocks"),
    );
    let count = times.len() as f64;
    let mut steps = vec![(0.0, 0.0)];
    for (place, time) in times.iter().enumerate() {
        steps.push((time.max(0.0), place as f64 / count));
        steps.push((time.max(0.0), (place + 1) as f64 / count));
    }
    picture.line(steps, "curve");
    let (p50, p95) = (quantile(&times, 0.5), quantile(&times, 0.95));
    picture.line([(p95.max(0.0), 0.0), (p95.max(0.0), 1.0)], "mark");
    Some((
        picture,
        format!(
            "Switching to {} new blocks: half within {} s, 95 % within {} s (dashed).",
            times.len(),
            number(p50),
            number(p95)
        ),
    ))
}

fn u(plots: &Plots) -> Option<(Picture, String)> {
    let values = finite(&plots.u);
    if values.len() < NUMBERS_MIN {
        return None;
    }
    // One bin more for what must not be: above 1.
    let bins = 20;
    let within: Vec<f64> = values.iter().copied().filter(|u| *u <= 1.0).collect();
    let above = values.len() - within.len();
    let counts = histogram(&within, 0.0, 1.0, bins);
    let even = within.len() as f64 / bins as f64;
    let top = counts.iter().map(|count| *count as f64).fold((above as f64).max(even), f64::max);
    let mut picture =
        Picture::new((0.0, 1.1), (0.0, top), ("u = difficulty asked / difficulty reached", "shares"));
    picture.y_text = |count| format!("{count:.0}");
    for (bin, count) in counts.iter().enumerate() {
        let from = bin as f64 / bins as f64;
        picture.bar(from, from + 1.0 / bins as f64, *count as f64, "bar");
    }
    picture.bar(1.02, 1.1, above as f64, "bad");
    picture.line([(0.0, even), (1.0, even)], "curve");
    Some((
        picture,
        format!("u of {} shares: even below 1 is right; {above} above 1 were too easy.", values.len()),
    ))
}

fn version_bits(plots: &Plots, shares: u32) -> Option<(Picture, String)> {
    let bits = &plots.version_bits;
    let most = bits.iter().copied().max().unwrap_or_default();
    if most == 0 {
        return None;
    }
    let all = f64::from(shares.max(most));
    let mut picture = Picture::new((0.0, 32.0), (0.0, 1.0), ("bit of the version", "of shares"));
    picture.y_text = |share| format!("{:.0} %", share * 100.0);
    picture.x_text = |bit| format!("{bit:.0}");
    for (bit, count) in bits.iter().take(32).enumerate() {
        picture.bar(bit as f64, bit as f64 + 1.0, f64::from(*count) / all, "bar");
    }
    picture.line([(0.0, 0.5), (32.0, 0.5)], "mark");
    let used = bits.iter().filter(|count| **count > 0).count();
    Some((picture, format!("Version bits set in shares: {used} are used.")))
}

#[cfg(test)]
mod tests {
    use super::super::example::{everything, result};
    use super::*;
    use crate::conformance::Outcome;

    #[test]
    fn each_kind_of_data_makes_a_picture() {
        let report = everything();
        let with = report.examination.cases.iter().find(|case| case.id == "T03").unwrap();
        let figures = figures(with);
        assert_eq!(figures.matches("<svg").count(), 5);
        assert!(!figures.contains("NaN") && !figures.contains("inf"), "{figures}");
        assert_eq!(super::figures(&result("H01", Outcome::Pass)), "");
    }

    #[test]
    fn odd_data_makes_no_nonsense() {
        let mut case = result("T03", Outcome::Pass);
        case.plots = Plots {
            nonces: vec![(0.0, 0); 5],
            gaps: vec![0.0, f64::NAN, f64::INFINITY, 0.0, 0.0],
            switches: vec![-0.1, 0.0, f64::NAN],
            u: vec![2.0, 3.0, f64::INFINITY, 4.0],
            version_bits: vec![u32::MAX; 40],
        };
        let figures = figures(&case);
        assert!(!figures.contains("NaN") && !figures.contains("inf"), "{figures}");
        assert_eq!(figures.matches("<svg").count(), 5);
    }

    #[test]
    fn quantiles_are_the_nearest_rank() {
        let numbers: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(quantile(&numbers, 0.5), 10.0);
        assert_eq!(quantile(&numbers, 0.95), 19.0);
        assert_eq!(quantile(&numbers, 1.0), 20.0);
        assert_eq!(histogram(&[-1.0, 0.1, 0.9, 5.0], 0.0, 1.0, 2), [2, 2]);
    }
}
