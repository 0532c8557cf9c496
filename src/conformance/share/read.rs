//! The parameters of a submit, read as far as they can be.

use serde_json::Value;

use super::Problem;
use crate::stratum::v1::hex;

/// What a submit says. Parts that cannot be read are absent.
#[derive(Debug, Clone, Default)]
pub(super) struct Submission {
    pub worker: String,
    pub job_id: String,
    /// As it stood.
    pub extranonce2_text: String,
    pub extranonce2: Option<Vec<u8>>,
    pub ntime: Option<u32>,
    pub nonce: Option<u32>,
    pub version_bits: Option<u32>,
    /// What is wrong with its form.
    pub problems: Vec<Problem>,
}

impl Submission {
    /// Reads the JSON of the parameters; anything is taken.
    ///
    /// A number where a text should stand is read as its digits, hexadecimal
    /// with `0x`, spaces or an odd number of digits as what it must mean: the
    /// form is a problem of its own, and the proof can be judged nevertheless.
    pub fn read(params: &str) -> Self {
        let mut submission = Self::default();
        let values = match serde_json::from_str(params) {
            Ok(Value::Array(values)) => values,
            _ => Vec::new(),
        };
        let mut malformed = !(5..=6).contains(&values.len());
        let mut text = |at: usize| match values.get(at) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => {
                malformed = true;
                Some(number.to_string())
            }
            Some(_) => {
                malformed = true;
                None
            }
            None => None,
        };
        submission.worker = text(0).unwrap_or_default();
        submission.job_id = text(1).unwrap_or_default();
        submission.extranonce2_text = text(2).unwrap_or_default();
        let [ntime, nonce, version_bits] = [text(3), text(4), text(5)];

        let (digits, plain) = digits_of(&submission.extranonce2_text);
        malformed |= !plain || digits.len() % 2 != 0;
        let even = if digits.len() % 2 == 0 { digits.to_owned() } else { format!("0{digits}") };
        submission.extranonce2 = hex::decode(&even);
        malformed |= submission.extranonce2.is_none();

        let mut word = |text: Option<String>| {
            let text = text?;
            let (digits, plain) = digits_of(&text);
            let value = hex::decode_u32(digits);
            malformed |= !plain || value.is_none();
            value.map(|value| (value, digits.len()))
        };
        let (ntime, nonce, version_bits) = (word(ntime), word(nonce), word(version_bits));
        malformed |= [ntime, version_bits].iter().flatten().any(|(_, digits)| *digits != 8);
        submission.ntime = ntime.map(|(value, _)| value);
        submission.nonce = nonce.map(|(value, _)| value);
        submission.version_bits = version_bits.map(|(value, _)| value);
        if malformed {
            submission.problems.push(Problem::Malformed);
        }
        if nonce.is_some_and(|(_, digits)| digits != 8) {
            submission.problems.push(Problem::NonceLength);
        }
        submission
    }
}

/// The digits of a hexadecimal text, and whether nothing else was there.
fn digits_of(text: &str) -> (&str, bool) {
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix("0x").or_else(|| trimmed.strip_prefix("0X")).unwrap_or(trimmed);
    (digits, digits.len() == text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_can_be_read() {
        fn check(
            params: &str,
            nonce: Option<u32>,
            extranonce2: Option<&[u8]>,
            bits: Option<u32>,
            problems: &[Problem],
        ) {
            let read = Submission::read(params);
            assert_eq!(
                (read.nonce, read.extranonce2.as_deref(), read.version_bits, read.problems.as_slice()),
                (nonce, extranonce2, bits, problems),
                "{params}"
            );
        }
        use Problem::{Malformed, NonceLength};
        check(r#"["w","j","00ff","66000000","0000002a"]"#, Some(42), Some(&[0, 255]), None, &[]);
        check(
            r#"["w","j","00FF","66000000","2A","00002000"]"#,
            Some(42),
            Some(&[0, 255]),
            Some(0x2000),
            &[NonceLength],
        );
        check(r#"["w","j","","66000000","0000002a"]"#, Some(42), Some(&[]), None, &[]);
        check(r#"["w",7,"00","66000000","0000002a"]"#, Some(42), Some(&[0]), None, &[Malformed]);
        check(r#"["w","j"," 1","66000000","0x0000002a"]"#, Some(42), Some(&[1]), None, &[Malformed]);
        check(r#"["w","j","xy","66000000","0000002a"]"#, Some(42), None, None, &[Malformed]);
        check(
            r#"["w","j","00","66000000","0000002a","2000"]"#,
            Some(42),
            Some(&[0]),
            Some(0x2000),
            &[Malformed],
        );
        check(r#"["w","j","00","66000000"]"#, None, Some(&[0]), None, &[Malformed]);
        check(r#"{"a":1}"#, None, Some(&[]), None, &[Malformed]);
        check("not JSON", None, Some(&[]), None, &[Malformed]);
        assert_eq!(Submission::read(r#"["w","a\"\u00e9","","",""]"#).job_id, "a\"é");
    }
}
