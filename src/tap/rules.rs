//! Rules of a proxy: which lines, and what becomes of them.
//!
//! A file of `[[rule]]` tables. All conditions of a rule must hold for a line
//! to count; of the lines that count, on each connection from the first on,
//! the rule acts on those that `nth`, `every` and `limit` choose. The first
//! rule that acts on a line decides; the rules after it still count the line.

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::Side;
use crate::conformance::Span;
use crate::units::Seconds;

/// Memory a pattern may take, compiled: patterns are written by the user, but by mistake too.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// The most pieces of a line, and copies of it.
const PIECES_MAX: usize = 1_000;

/// The rules, in order.
#[derive(Debug, Default)]
pub struct Rules {
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// For people.
    pub name: String,
    /// Whose lines.
    pub from: Side,
    /// Only this connection.
    pub connection: Option<u32>,
    /// Only requests and notifications with this method.
    pub method: Option<String>,
    /// Only replies to requests with this method.
    pub reply_to: Option<String>,
    /// Only lines that contain this text.
    pub contains: Option<String>,
    /// Only lines in which this pattern is found.
    pub matches: Option<Regex>,
    /// Only so long after the connection was opened.
    pub after: Seconds,
    /// Which of the lines that count.
    pub occurrence: Occurrence,
    /// How often at most, on each connection.
    pub limit: Option<u64>,
    /// What becomes of the line.
    pub action: Action,
}

/// Which of the lines that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// All.
    All,
    /// Only the nth, from 1.
    Nth(u64),
    /// Each nth.
    Every(u64),
}

/// What becomes of a line.
#[derive(Debug, Clone)]
pub enum Action {
    /// It is not passed on.
    Drop,
    /// It is passed on later, and what follows it waits behind it.
    Delay(Seconds),
    /// It is passed on later, and what follows it overtakes it.
    HoldBack(Seconds),
    /// It is passed on in pieces of about the same length.
    Split {
        /// How many.
        pieces: usize,
        /// Time between two.
        gap: Seconds,
    },
    /// It is passed on so many times.
    Duplicate(usize),
    /// What `find` finds, or the whole line, is replaced.
    Rewrite {
        /// What to replace, everywhere in the line.
        find: Option<Regex>,
        /// By what; `$1` and `${name}` are groups of the pattern.
        with: String,
    },
    /// Instead of passing it on, both sides get an orderly end (FIN).
    Close,
    /// Instead of passing it on, both sides get a reset (RST).
    Reset,
}

/// Why rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No TOML, or keys and values that rules do not have.
    #[error("{0}")]
    Form(String),
    /// A rule that makes no sense.
    #[error("rule {number} ({name}): {what}")]
    Rule {
        /// From 1.
        number: usize,
        /// Its name.
        name: String,
        /// What is wrong with it, and what to try.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRules {
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: Option<String>,
    from: Side,
    connection: Option<u32>,
    method: Option<String>,
    reply_to: Option<String>,
    contains: Option<String>,
    matches: Option<String>,
    after: Option<Span>,
    nth: Option<u64>,
    every: Option<u64>,
    limit: Option<u64>,
    action: RawAction,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RawAction {
    Drop,
    Delay(Span),
    HoldBack(Span),
    Split(RawSplit),
    Duplicate(usize),
    Rewrite(RawRewrite),
    Close,
    Reset,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSplit {
    pieces: usize,
    gap: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRewrite {
    find: Option<String>,
    with: String,
}

/// Long enough that two pieces do not share a segment.
const GAP: Seconds = Seconds(0.02);

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// When it is no TOML, has unknown keys, or a rule makes no sense.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let raw: RawRules =
            toml::from_str(text).map_err(|error| RuleError::Form(error.to_string().trim_end().to_owned()))?;
        if raw.rule.is_empty() {
            return Err(RuleError::Form("there is no [[rule]] in it".into()));
        }
        let rules = raw.rule.into_iter().zip(1..).map(|(rule, number)| {
            let name = rule.name.clone().unwrap_or_else(|| format!("rule {number}"));
            let wrong = |what| RuleError::Rule { number, name: name.clone(), what };
            parse_rule(rule, &name).map_err(wrong)
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }
}

fn parse_rule(raw: RawRule, name: &str) -> Result<Rule, String> {
    let occurrence = match (raw.nth, raw.every) {
        (None, None) => Occurrence::All,
        (Some(0), _) | (_, Some(0)) => return Err("nth and every count from 1".into()),
        (Some(nth), None) => Occurrence::Nth(nth),
        (None, Some(every)) => Occurrence::Every(every),
        (Some(_), Some(_)) => return Err("both nth and every; take one of them".into()),
    };
    if raw.method.is_some() && raw.reply_to.is_some() {
        return Err("both method and reply_to; a line is either a request or a reply".into());
    }
    let in_pieces = |count: usize, least: usize| {
        let wrong = || format!("{count} is outside {least}..={PIECES_MAX}");
        if (least..=PIECES_MAX).contains(&count) { Ok(count) } else { Err(wrong()) }
    };
    let action = match raw.action {
        RawAction::Drop => Action::Drop,
        RawAction::Delay(Span(by)) => Action::Delay(by),
        RawAction::HoldBack(Span(by)) => Action::HoldBack(by),
        RawAction::Split(RawSplit { pieces, gap }) => {
            Action::Split { pieces: in_pieces(pieces, 2)?, gap: gap.map_or(GAP, |Span(gap)| gap) }
        }
        RawAction::Duplicate(copies) => Action::Duplicate(in_pieces(copies, 2)?),
        RawAction::Rewrite(RawRewrite { find, with }) => {
            if with.contains('\n') {
                return Err("a rewritten line with a line feed in it would be two".into());
            }
            Action::Rewrite { find: find.as_deref().map(pattern).transpose()?, with }
        }
        RawAction::Close => Action::Close,
        RawAction::Reset => Action::Reset,
    };
    Ok(Rule {
        name: name.to_owned(),
        from: raw.from,
        connection: raw.connection,
        method: raw.method,
        reply_to: raw.reply_to,
        contains: raw.contains,
        matches: raw.matches.as_deref().map(pattern).transpose()?,
        after: raw.after.map_or(Seconds(0.0), |Span(after)| after),
        occurrence,
        limit: raw.limit,
        action,
    })
}

/// Without Unicode: lines are bytes, and may be none.
fn pattern(text: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(text);
    builder.unicode(false).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| error.to_string())
}

/// What a rule can know of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub from: Side,
    pub connection: u32,
    /// Since the connection was opened.
    pub after: Seconds,
    pub line: &'a [u8],
    pub method: Option<&'a str>,
    pub reply_to: Option<&'a str>,
}

/// How often a rule counted and acted on a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    counted: u64,
    acted: u64,
}

impl Rule {
    /// Counts a line and says whether the rule wants to act on it.
    pub(super) fn wants(&self, seen: &Seen<'_>, count: &mut Count) -> bool {
        let is = |wanted: &Option<String>, is: Option<&str>| wanted.as_deref().is_none_or(|w| is == Some(w));
        let holds = self.from == seen.from
            && self.connection.is_none_or(|connection| connection == seen.connection)
            && seen.after >= self.after
            && is(&self.method, seen.method)
            && is(&self.reply_to, seen.reply_to)
            && self.contains.as_deref().is_none_or(|part| contains(seen.line, part.as_bytes()))
            && self.matches.as_ref().is_none_or(|pattern| pattern.is_match(seen.line));
        if !holds {
            return false;
        }
        count.counted += 1;
        let chosen = match self.occurrence {
            Occurrence::All => true,
            Occurrence::Nth(nth) => count.counted == nth,
            Occurrence::Every(every) => count.counted.is_multiple_of(every),
        };
        chosen && self.limit.is_none_or(|limit| count.acted < limit)
    }

    /// Notes that it acted.
    pub(super) fn acted(count: &mut Count) {
        count.acted += 1;
    }
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(line, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        fn check(rule: &str, part: &str) {
            let error = Rules::parse(&format!("[[rule]]\n{rule}\n")).unwrap_err().to_string();
            assert!(error.contains(part), "{rule}: {error}");
        }
        check("from = \"pool\"", "missing field `action`");
        check("action = \"drop\"", "missing field `from`");
        check("from = \"sky\"\naction = \"drop\"", "unknown variant `sky`, expected `miner` or `pool`");
        check("from = \"pool\"\naction = \"explode\"", "unknown variant `explode`");
        check("from = \"pool\"\nmetod = \"x\"\naction = \"drop\"", "unknown field `metod`");
        check("from = \"pool\"\naction = { delay = \"2\" }", "`2` is no span of time; try 500ms");
        check(
            "from = \"pool\"\naction = { split = { pieces = 1 } }",
            "rule 1 (rule 1): 1 is outside 2..=1000",
        );
        check("from = \"pool\"\naction = { duplicate = 1 }", "1 is outside 2..=1000");
        check("from = \"pool\"\nnth = 0\naction = \"drop\"", "count from 1");
        check("name = \"n\"\nfrom = \"pool\"\nnth = 1\nevery = 2\naction = \"drop\"", "rule 1 (n): both nth");
        check(
            "from = \"pool\"\nmethod = \"a\"\nreply_to = \"b\"\naction = \"drop\"",
            "both method and reply_to",
        );
        check("from = \"pool\"\nmatches = \"(\"\naction = \"drop\"", "unclosed group");
        check("from = \"pool\"\nmatches = \"(x{999}){999}\"\naction = \"drop\"", "size limit");
        check("from = \"pool\"\naction = { rewrite = { with = \"a\\nb\" } }", "would be two");
        assert!(Rules::parse("").unwrap_err().to_string().contains("no [[rule]]"));
        assert!(Rules::parse("[[rule]").is_err());
    }

    /// Which of five equal lines, a second apart, a rule acts on.
    fn acts(conditions: &str) -> Vec<usize> {
        let text = format!("[[rule]]\nfrom = \"pool\"\naction = \"drop\"\n{conditions}");
        let rules = Rules::parse(&text).unwrap();
        let mut count = Count::default();
        let line = br#"{"method":"mining.notify","params":["a1"]}"#;
        let seen = |number: usize| Seen {
            from: Side::Pool,
            connection: 2,
            after: Seconds(number as f64),
            line,
            method: Some("mining.notify"),
            reply_to: None,
        };
        (1..=5)
            .filter(|&number| {
                let wants = rules.rules[0].wants(&seen(number), &mut count);
                if wants {
                    Rule::acted(&mut count);
                }
                wants
            })
            .collect()
    }

    #[test]
    fn conditions_and_occurrences_choose() {
        assert_eq!(acts(""), [1, 2, 3, 4, 5]);
        assert_eq!(acts("nth = 2"), [2]);
        assert_eq!(acts("every = 2"), [2, 4]);
        assert_eq!(acts("limit = 2"), [1, 2]);
        assert_eq!(acts("after = \"3s\""), [3, 4, 5]);
        assert_eq!(acts("after = \"3s\"\nnth = 2"), [4]);
        assert_eq!(acts("connection = 2\nmethod = \"mining.notify\"\ncontains = \"a1\""), [1, 2, 3, 4, 5]);
        assert_eq!(acts("matches = '\"[a-f]\\d\"'"), [1, 2, 3, 4, 5]);
        for never in
            ["connection = 1", "method = \"x\"", "reply_to = \"x\"", "contains = \"b1\"", "matches = \"^n\""]
        {
            assert_eq!(acts(never), [0; 0], "{never}");
        }
    }
}
