//! What stands ready to watch a pool names only metrics that there are.

use std::collections::BTreeSet;
use std::path::Path;

use adit::metrics::catalogue;

/// Files in which a metric may be named, beside its row in docs/metrics.md.
const FILES: &[&str] = &[
    "docs/deploy/alerts.yml",
    "docs/deploy/alerts-test.yml",
    "docs/deploy/grafana/adit.json",
    "docs/monitoring.md",
    "docs/metrics.md",
    "README.md",
    "CHANGELOG.md",
];

fn read(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(full).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a text that look like a metric of ours.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("adit_") || word.starts_with("process_")).collect()
}

/// Names in `text` that Prometheus would not know.
fn unknown(text: &str) -> Vec<&str> {
    let is_known = |name: &str| {
        catalogue().any(|row| match row.kind {
            "histogram" => ["", "_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| name.strip_suffix(suffix) == Some(row.name)),
            _ => row.name == name,
        })
    };
    named(text).into_iter().filter(|name| !is_known(name)).collect()
}

#[test]
fn every_metric_that_is_named_is_in_the_catalogue() {
    for path in FILES {
        assert_eq!(unknown(&read(path)), Vec::<&str>::new(), "{path} names what no catalogue has");
    }
    assert!(named(&read("docs/deploy/grafana/adit.json")).len() > 10);
    assert_eq!(unknown("rate(adit_sharez_total[5m]) / adit_tip_height"), ["adit_sharez_total"]);
    assert_eq!(unknown("adit_tip_height_bucket adit_commit_seconds_bucket"), ["adit_tip_height_bucket"]);
}

#[test]
fn every_alert_has_its_meaning() {
    let (rules, guide) = (read("docs/deploy/alerts.yml"), read("docs/monitoring.md"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in &alerts {
        assert!(guide.contains(&format!("\n| `{alert}` | ")), "docs/monitoring.md does not explain {alert}");
    }
    let explained = guide.split("## The alerts").nth(1).unwrap().matches("\n| `").count();
    assert_eq!(explained, alerts.len(), "docs/monitoring.md explains an alert that there is not");
}
