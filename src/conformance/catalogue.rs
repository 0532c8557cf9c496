//! The cases that come with adit, and how a file of cases is read.

use std::sync::LazyLock;

use serde::Deserialize;

use super::case::Case;
use super::checking::fault;

/// The files, in the order in which their cases run.
const FILES: &[(&str, &str)] = &[
    ("handshake", include_str!("cases/handshake.toml")),
    ("extranonce", include_str!("cases/extranonce.toml")),
    ("work", include_str!("cases/work.toml")),
    ("difficulty", include_str!("cases/difficulty.toml")),
    ("replies", include_str!("cases/replies.toml")),
    ("network", include_str!("cases/network.toml")),
    ("security", include_str!("cases/security.toml")),
    ("timing", include_str!("cases/timing.toml")),
];

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| match read_cases(text) {
        Ok(cases) => cases,
        Err(error) => panic!("cases/{name}.toml: {error}"),
    };
    FILES.iter().flat_map(read).collect()
});

/// The cases that come with adit, in the order in which they run.
#[must_use]
pub fn cases() -> &'static [Case] {
    &CASES
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Case>,
}

/// What a case's judges say beside their rules: names that must exist.
#[derive(Deserialize)]
struct Verdicts {
    #[serde(default)]
    case: Vec<Verdict>,
}

#[derive(Deserialize)]
struct Verdict {
    verdict: Vec<toml::Value>,
}

/// Reads the `[[case]]` tables of a file, and checks what can be known before a case is run.
///
/// # Errors
/// What is wrong, where, and what to try.
pub fn read_cases(text: &str) -> Result<Vec<Case>, String> {
    let plain = |error: toml::de::Error| error.to_string().trim_end().to_owned();
    let File { case: cases } = toml::from_str(text).map_err(plain)?;
    let Verdicts { case: verdicts } = toml::from_str(text).map_err(plain)?;
    for (place, (case, Verdict { verdict })) in cases.iter().zip(&verdicts).enumerate() {
        let line = line_of(text, place);
        if cases[..place].iter().any(|other| other.id == case.id) {
            return Err(format!("line {line}: case {} is there twice; ids are unique", case.id));
        }
        if let Some(what) = fault(case, verdict) {
            return Err(format!("line {line}: case {}: {what}", case.id));
        }
    }
    Ok(cases)
}

/// The line of the `place`-th case, counted from 1.
fn line_of(text: &str, place: usize) -> usize {
    let begins = text.lines().zip(1..).filter(|(line, _)| line.trim_start().starts_with("[[case]]"));
    begins.map(|(_, number)| number).nth(place).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::super::case::Suite;
    use super::*;

    #[test]
    fn all_can_be_read() {
        let cases = cases();
        assert!(cases.len() >= 100, "{}", cases.len());
        for (place, case) in cases.iter().enumerate() {
            assert!(cases[..place].iter().all(|other| other.id != case.id), "{} is there twice", case.id);
            assert!(!case.sources.is_empty() && !case.suites.is_empty(), "{}", case.id);
        }
        assert!(cases.iter().any(|case| case.suites.contains(&Suite::Quick)));
    }

    #[test]
    fn the_language_is_documented() {
        let text = include_str!("../../docs/check-language.md");
        for judge in super::super::JUDGES {
            let settings =
                if judge.settings.is_empty() { String::new() } else { format!("`{}`", judge.settings) };
            let row = format!("| `{}` | {} | {} | {settings} |", judge.name, judge.holds, judge.needs);
            assert!(text.contains(&row), "docs/check-language.md lacks this row:\n{row}");
        }
        for name in super::super::examiner::PLACEHOLDERS {
            assert!(text.contains(name), "docs/check-language.md does not say what {name} stands for");
        }
        let example = text.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(read_cases(example).unwrap().len(), 1);
    }

    #[test]
    fn errors_say_where() {
        let error = read_cases("[[case]]\nid = 7\n").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn what_cannot_work_is_told_before_it_is_run() {
        fn check(steps: &str, verdict: &str, part: &str) {
            let text = format!(
                "# a comment\n[[case]]\nid = \"U01\"\ntitle = \"t\"\nseverity = \"low\"\nsuites = [\"full\"]\n\
                 sources = []\npool = \"\"\nfirmware = \"\"\njudged = \"\"\nsteps = [{steps}]\nverdict = [{verdict}]\n"
            );
            match read_cases(&text) {
                Ok(_) => assert_eq!(part, "", "{steps} {verdict}"),
                Err(error) => {
                    assert!(!part.is_empty() && error.contains(part), "{error}");
                    assert!(error.starts_with("line 2: case U01: ") || error.contains("TOML"), "{error}");
                }
            }
        }
        check("{ session = {} }", "\"met\"", "");
        check("", "\"met\"", "it has no steps");
        check("{ session = {} }", "", "nothing would be judged");
        check("{ mask = \"1fffxxxx\" }", "\"met\"", "`1fffxxxx` is no number in hexadecimal");
        check("{ terms = { mask = \"zz\" } }", "\"met\"", "`zz` is no number in hexadecimal");
        check("{ terms = { rate = 0.0 } }", "\"met\"", "a rate of 0");
        check("{ notify = { version = \"20\", nbits = \"x\" } }", "\"met\"", "`x` is no number");
        check("{ notify = { golden = \"1\" } }", "\"met\"", "try 125552");
        check("{ notify = { hex = \"roman\" } }", "\"met\"", "try lower, upper, 0x or odd");
        check("{ notify = { coinbase_bytes = 99999 } }", "\"met\"", "99999 bytes");
        check("{ notify = { replace = [[10, \"1\"]] } }", "\"met\"", "parameter 10");
        check("{ bytes = { hex = \"abc\" } }", "\"met\"", "`abc` is no hexadecimal");
        check("{ bytes = {} }", "\"met\"", "text or hex");
        check("{ ask = { method = \"m\", id = \"seven\" } }", "\"met\"", "`seven` is no JSON");
        check("{ freeze = false }", "\"met\"", "try `reconnect`");
        check("{ transport = { split = 0 } }", "\"met\"", "segments of 0");
        check("{ expect = {} }", "\"met\"", "expects nothing");
        check("{ expect = { reply = \"7\" } }", "\"met\"", "nobody is asked with id 7");
        check("{ expect = { shares = 1, of = \"a\" } }", "\"met\"", "no job is called `a`");
        check("{ notify = { label = \"a\" } }, { expect = { shares = 1, of = \"a\" } }", "\"met\"", "");
        check(
            "{ sweep = { name = \"n\", over = [1], steps = [{ notify = { label = \"a$n\" } }] } }, { expect = { shares = 1, of = \"a1\" } }",
            "\"met\"",
            "",
        );
        check("{ session = {} }", "{ alive = { after = \"m\" } }", "no moment is called `m`");
        check("{ mark = \"m\" }", "{ alive = { after = \"m\" } }", "");
        check("{ repeat = { times = 2000000, steps = [{ mark = \"m\" }] } }", "\"met\"", "4000000 steps");
        check("{ repeat = { times = 9999, steps = [{ wait = \"1h\" }] } }", "\"met\"", "longer than a week");
        check("{ sesion = {} }", "\"met\"", "unknown variant `sesion`");
        let quirk = "{ session = {} }";
        check(quirk, "\"met\"]\ncaught = [\"no-such-quirk\"", "no quirk is called `no-such-quirk`");
        check(quirk, "\"met\"]\ncaught = [\"extranonce-at-once\"", "");
        check("{ line = \"{decoy_hos}\" }", "\"met\"", "`{decoy_hos}` stands for nothing");
    }
}
