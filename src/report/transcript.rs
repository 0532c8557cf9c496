//! Transcripts: the file of a case, and the part of it that shows a finding.

use crate::conformance::{CaseResult, Line, Outcome, Trouble};

/// Lines around each piece of evidence.
const CONTEXT: usize = 3;

/// Lines of an excerpt at most.
const EXCERPT_LINES_MAX: usize = 60;

/// Findings of one case that are shown; a sweep can have hundreds.
pub(super) const TROUBLES_MAX: usize = 20;

/// Lines that are shown where no finding points anywhere.
const LAST_LINES: usize = 20;

/// Characters of a line that an excerpt keeps.
pub(super) const LINE_CHARS_MAX: usize = 500;

/// The name of a case's transcript in the report's folder. Ids of cases that
/// users write may hold anything.
#[must_use]
pub fn file_name(id: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    format!("transcripts/{}.jsonl", id.chars().map(safe).collect::<String>())
}

/// The transcript as JSON lines.
#[must_use]
pub fn json_lines(lines: &[Line]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        // Texts and numbers: nothing that JSON cannot hold.
        if serde_json::to_writer(&mut text, line).is_ok() {
            text.push(b'\n');
        }
    }
    text
}

/// Where the line is that the pool had sent last when a finding came about.
#[must_use]
pub fn sent(result: &CaseResult, trouble: &Trouble) -> Option<usize> {
    let first = *trouble.evidence.first()?;
    let until = result.transcript.get(..=first)?;
    until.iter().rposition(|line| line.from == "pool")
}

/// Places of the lines that show what was found: those around the evidence
/// with what was sent before, or the last ones.
#[must_use]
pub fn excerpt(result: &CaseResult) -> Vec<usize> {
    let count = result.transcript.len();
    let evidence = result.troubles.iter().flat_map(|trouble| trouble.evidence.iter().copied());
    let mut places: Vec<usize> = evidence
        .filter(|place| *place < count)
        .take(EXCERPT_LINES_MAX)
        .flat_map(|place| place.saturating_sub(CONTEXT)..(place + CONTEXT + 1).min(count))
        .collect();
    places.extend(result.troubles.iter().take(TROUBLES_MAX).filter_map(|trouble| sent(result, trouble)));
    if places.is_empty() {
        places = (count.saturating_sub(LAST_LINES)..count).collect();
    }
    places.sort_unstable();
    places.dedup();
    places.truncate(EXCERPT_LINES_MAX);
    places
}

/// Leaves of a stored transcript what a report shows. An examination may take
/// hours, and its transcripts hundreds of megabytes.
pub fn thin(result: &mut CaseResult) {
    if result.outcome == Outcome::Pass || result.outcome == Outcome::Skipped {
        result.transcript = Vec::new();
        return;
    }
    let places = excerpt(result);
    for (place, line) in result.transcript.iter_mut().enumerate() {
        if places.binary_search(&place).is_err() {
            (line.text, line.hex) = (None, None);
            continue;
        }
        for text in [&mut line.text, &mut line.hex].into_iter().flatten() {
            let (kept, more) = super::escape::cut(text, LINE_CHARS_MAX);
            if more > 0 {
                *text = format!("{kept} … {more} more characters");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::result;
    use super::*;

    fn line(text: &str) -> Line {
        Line { at_us: 5, connection: Some(1), from: "miner".into(), text: Some(text.into()), hex: None }
    }

    fn with(lines: usize, evidence: &[usize]) -> CaseResult {
        let mut result = result("H01", Outcome::Fail);
        result.transcript = (0..lines).map(|at| line(&at.to_string())).collect();
        result.troubles[0].evidence = evidence.to_vec();
        result
    }

    #[test]
    fn excerpts_show_the_evidence() {
        assert_eq!(excerpt(&with(100, &[10, 12])), (7..=15).collect::<Vec<_>>());
        assert_eq!(excerpt(&with(100, &[0, 500])), (0..=3).collect::<Vec<_>>());
        assert_eq!(excerpt(&with(100, &[])), (80..100).collect::<Vec<_>>());
        assert_eq!(excerpt(&with(3, &[])), [0, 1, 2]);
        assert_eq!(excerpt(&with(0, &[])), [0; 0]);
        assert_eq!(excerpt(&with(1000, &(0..900).collect::<Vec<_>>())).len(), EXCERPT_LINES_MAX);
    }

    #[test]
    fn what_was_sent_belongs_to_it() {
        let mut result = with(100, &[50]);
        assert_eq!(sent(&result, &result.troubles[0]), None);
        result.transcript[10].from = "pool".into();
        result.transcript[60].from = "pool".into();
        assert_eq!(sent(&result, &result.troubles[0]), Some(10));
        assert_eq!(excerpt(&result), [10, 47, 48, 49, 50, 51, 52, 53]);
        result.troubles[0].evidence = vec![1000];
        assert_eq!(sent(&result, &result.troubles[0]), None);
    }

    #[test]
    fn thin_results_show_the_same() {
        let mut result = with(100, &[50]);
        result.transcript[50].text = Some("x".repeat(10_000));
        let before = excerpt(&result);
        thin(&mut result);
        assert_eq!(excerpt(&result), before);
        assert_eq!(result.transcript[51].text.as_deref(), Some("51"));
        assert_eq!(result.transcript[10].text, None);
        assert!(result.transcript[50].text.as_ref().unwrap().ends_with("… 9500 more characters"));
        result.outcome = Outcome::Pass;
        thin(&mut result);
        assert!(result.transcript.is_empty());
    }

    #[test]
    fn files_are_json_lines_with_harmless_names() {
        assert_eq!(
            String::from_utf8(json_lines(&[line("{\"id\":1}"), line("\u{1b}")])).unwrap(),
            "{\"at_us\":5,\"connection\":1,\"from\":\"miner\",\"text\":\"{\\\"id\\\":1}\"}\n\
             {\"at_us\":5,\"connection\":1,\"from\":\"miner\",\"text\":\"\\u001b\"}\n"
        );
        assert_eq!(file_name("H04"), "transcripts/H04.jsonl");
        assert_eq!(file_name("../../etc/x"), "transcripts/______etc_x.jsonl");
    }
}
