//! Text of a stranger, made harmless for where it is shown.
//!
//! What a device says reaches a terminal, a page and XML. First every character
//! that is not seen or that moves others about becomes one that is seen
//! ([`visible`]), then what the target takes for markup is escaped.

use std::fmt::Write as _;

/// The text with control characters, direction marks and invisible characters
/// shown instead of obeyed; line feeds and tabs too, so that it stays one line.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Unicode has a picture for each of these.
            '\0'..='\x1f' => shown.push(char::from_u32(0x2400 + c as u32).unwrap_or('?')),
            '\x7f' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}'
            | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}' => {
                let _ = write!(shown, "\\u{{{:x}}}", c as u32);
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// Text for HTML, between tags or in quoted attributes.
#[must_use]
pub fn html(text: &str) -> String {
    markup(&visible(text))
}

/// Text for XML 1.0, between tags or in quoted attributes.
#[must_use]
pub fn xml(text: &str) -> String {
    markup(&visible(text))
}

fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// At most `chars` characters, and how many more there were.
#[must_use]
pub fn cut(text: &str, chars: usize) -> (&str, usize) {
    match text.char_indices().nth(chars) {
        None => (text, 0),
        Some((at, _)) => (&text[..at], text[at..].chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        fn check(text: &str, shown: &str) {
            assert_eq!(html(text), shown, "{text:?}");
            assert_eq!(xml(text), shown, "{text:?}");
        }
        check("plain, ünïcode, 矿", "plain, ünïcode, 矿");
        check(
            "<script>alert('1')</script> & \"more\"",
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;more&quot;",
        );
        check("\x1b[31mred\r\n\0", "␛[31mred␍␊␀");
        check("abc\u{202e}def\u{200b}\u{85}\u{ffff}", "abc\\u{202e}def\\u{200b}\\u{85}\\u{ffff}");
        check("]]>", "]]&gt;");
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("矿矿矿", 2), ("矿矿", 1));
        assert_eq!(cut("abc", 3), ("abc", 0));
    }
}
