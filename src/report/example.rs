//! Examinations for tests, and one with everything in it for a browser.

use super::{Report, ReportFolder, Settled, Standing};
use crate::conformance::{CaseResult, Examination, Line, Outcome, Plots, Severity, Trouble};
use crate::report::against::Deviation;

/// A case that ended so.
pub(super) fn result(id: &str, outcome: Outcome) -> CaseResult {
    let trouble = Trouble {
        judge: "shares_good".into(),
        outcome,
        finding: format!("what {id} found"),
        expected: "good shares".into(),
        evidence: vec![2],
        trial: None,
    };
    let line = |at_us, from: &str, text: &str| Line {
        at_us,
        connection: Some(1),
        from: from.into(),
        text: Some(text.into()),
        hex: None,
    };
    CaseResult {
        id: id.into(),
        title: format!("The title of {id}"),
        severity: Severity::High,
        outcome,
        summary: format!("the summary of {id}"),
        troubles: if outcome == Outcome::Pass { Vec::new() } else { vec![trouble] },
        measured: vec![("first share".into(), "1.2 s".into())],
        seconds: 2.0,
        shares: 3,
        shares_good: 2,
        pool: "The pool answers late.".into(),
        firmware: "It waits.".into(),
        judged: "By its shares.".into(),
        sources: vec!["ESP-Miner#1880".into(), "BIP310".into()],
        plots: Plots::default(),
        transcript: vec![
            line(0, "case", "connected"),
            line(1_500, "miner", "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"miner/1\"]}"),
            line(1_000_000, "pool", "{\"id\":1,\"result\":true}"),
            line(1_234_567, "miner", "{\"id\":2,\"method\":\"mining.submit\",\"params\":[]}"),
        ],
    }
}

/// An examination of such cases.
pub(super) fn examination(cases: &[(&str, Outcome)]) -> Examination {
    Examination {
        adit: "0.0.0".into(),
        began_us: 1_800_000_000_000_000,
        seconds: 65.5,
        user_agent: Some("miner/1".into()),
        hashrate: 1.2e12,
        hashrate_claimed: true,
        selection: "quick".into(),
        notes: Vec::new(),
        cases: cases.iter().map(|(id, outcome)| result(id, *outcome)).collect(),
    }
}

/// What a hostile device would say.
pub(super) const HOSTILE: &str =
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>\"'\u{1b}[31m\u{202e}\0";

/// Shares as an honest miner finds them, near enough for a picture.
fn plots() -> Plots {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64 + 0.5) / f64::from(1_u32 << 31)
    };
    let mut plots = Plots { version_bits: vec![0; 32], ..Plots::default() };
    let mut at = 0.0;
    for _ in 0..600 {
        let gap = -uniform().ln() * 0.5;
        at += gap;
        plots.gaps.push(gap);
        plots.nonces.push((at, (uniform() * f64::from(u32::MAX)) as u32));
        plots.u.push(uniform());
        for bit in 13..29 {
            plots.version_bits[bit] += u32::from(uniform() < 0.5);
        }
    }
    plots.u.push(1.4);
    plots.switches = (0..40).map(|_| 0.05 + 0.3 * uniform() * uniform()).collect();
    plots
}

/// A report with every kind of content.
pub(super) fn everything() -> Report {
    let mut examination = examination(&[
        ("H01", Outcome::Pass),
        ("H04", Outcome::Fail),
        ("X01", Outcome::Fail),
        ("X05", Outcome::Fail),
        ("W09", Outcome::Inconclusive),
        ("S01", Outcome::Skipped),
        ("T03", Outcome::Pass),
        ("T05", Outcome::Fail),
    ]);
    examination.user_agent = Some(format!("bitaxe/{HOSTILE}"));
    examination.notes = vec![format!("a note about {HOSTILE}")];
    for case in &mut examination.cases {
        match case.id.as_str() {
            "T03" | "T05" => {
                case.plots = plots();
                (case.shares, case.shares_good) = (600, 599);
            }
            "X01" => {
                case.summary = HOSTILE.into();
                case.troubles[0].finding = HOSTILE.into();
                case.troubles[0].trial = Some(HOSTILE.into());
                case.measured = vec![(HOSTILE.into(), HOSTILE.into())];
                case.transcript[3].text = Some(format!("{HOSTILE}{}", "A".repeat(5_000)));
                case.transcript.push(Line {
                    at_us: 2_000_000,
                    connection: None,
                    from: HOSTILE.into(),
                    text: None,
                    hex: Some("ff00".repeat(200)),
                });
            }
            _ => {}
        }
    }
    let deviation = Deviation { case: "X05".into(), reason: HOSTILE.into(), until: None, firmware: None };
    let gone = Deviation { case: "H01".into(), reason: "old".into(), until: None, firmware: None };
    Report {
        examination,
        deviations: vec![
            Settled { deviation, standing: Standing::Accepted },
            Settled { deviation: gone, standing: Standing::Gone },
        ],
    }
}

/// `ci/browser` names a folder and opens what is written there.
#[test]
fn a_report_for_the_browser() {
    let kept = std::env::var_os("ADIT_REPORT_EXAMPLE").map(std::path::PathBuf::from);
    let passing = tempfile::tempdir().unwrap();
    let path = kept.unwrap_or_else(|| passing.path().to_owned());
    let folder = ReportFolder::create(&path).unwrap();
    let mut report = everything();
    for case in &mut report.examination.cases {
        folder.take_transcript(case).unwrap();
    }
    let page = std::fs::read_to_string(folder.write_report(&report).unwrap()).unwrap();
    let after = examination(&[("H01", Outcome::Fail), ("H04", Outcome::Pass), ("N01", Outcome::Pass)]);
    let comparison = super::Comparison::of(&report.examination, &after);
    let compared = super::comparison_page(&comparison);
    folder.write("compare.html", compared.as_bytes()).unwrap();
    for page in [page, compared] {
        assert!(!page.contains("<script>window") && !page.contains("<img src=x"), "markup got through");
        assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}') && !page.contains('\0'));
    }
}
