//! Hexadecimal as the field writes it: lower case out, either case in.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends `bytes` in hexadecimal.
pub fn write(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends a 32-bit number as 8 digits.
pub fn write_u32(out: &mut Vec<u8>, value: u32) {
    write(out, &value.to_be_bytes());
}

/// Appends a job id without leading zeros.
pub fn write_job(out: &mut Vec<u8>, job: crate::event::JobId) {
    let digits = (8 - job.0.leading_zeros() / 4).max(1);
    for place in (0..digits).rev() {
        out.push(DIGITS[(job.0 >> (4 * place) & 15) as usize]);
    }
}

/// `bytes` in hexadecimal.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    write(&mut out, bytes);
    String::from_utf8(out).expect("hexadecimal is ASCII")
}

/// The value of each character, or `NO_DIGIT`. Shares are mostly hexadecimal,
/// so reading it by table is a tenth of reading a share.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value] as usize] = value as u8;
        values[DIGITS[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

const NO_DIGIT: u8 = 0xFF;

fn digit(character: u8) -> Option<u8> {
    match VALUES[usize::from(character)] {
        NO_DIGIT => None,
        value => Some(value),
    }
}

/// Decodes into `out` and returns the number of bytes.
///
/// `None` when a character is no digit, the length is odd, or `out` is too short.
#[must_use]
pub fn decode_into(text: &str, out: &mut [u8]) -> Option<usize> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    for (byte, [high, low]) in out.get_mut(..pairs.len())?.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(pairs.len())
}

/// Decodes a whole text; `None` when it is not hexadecimal.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = vec![0; text.len() / 2];
    decode_into(text, &mut out)?;
    Some(out)
}

/// Reads a number of one to eight digits.
///
/// Firmware exists that drops leading zeros (NerdMiner #750); the number is the same.
#[must_use]
pub fn decode_u32(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    text.bytes().try_fold(0, |value, character| Some(value << 4 | u32::from(digit(character)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_only_hexadecimal() {
        fn check(text: &str, bytes: Option<&[u8]>) {
            assert_eq!(decode(text).as_deref(), bytes, "{text}");
        }
        check("00ffAb", Some(&[0, 255, 0xab]));
        check("", Some(&[]));
        check("abc", None);
        check("0x", None);
        check("é", None);
        assert_eq!(encode(&[0, 255, 0xab]), "00ffab");
    }

    #[test]
    fn numbers_may_lack_leading_zeros() {
        fn check(text: &str, value: Option<u32>) {
            assert_eq!(decode_u32(text), value, "{text}");
        }
        check("1fffe000", Some(0x1fff_e000));
        check("7", Some(7));
        check("", None);
        check("123456789", None);
        check("+1", None);
    }
}
