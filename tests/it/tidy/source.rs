//! A source file taken apart: code without comments and texts, comments without code.
//!
//! Only as much of Rust's lexer as keeps a word in a text from being taken for
//! code. What is left out is blanked, so lines and columns stay where they are.

/// The two halves of a file, each as long as the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Code; comments and the insides of texts are blank.
    pub code: String,
    /// Comments; all else is blank.
    pub comments: String,
}

/// What a character belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Text,
}

impl Source {
    /// Takes a file apart.
    pub fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut source = Self { code: String::new(), comments: String::new() };
        let mut at = 0;
        while at < chars.len() {
            let (length, part) = next(&chars, at);
            for &character in &chars[at..at + length] {
                let blank = if character == '\n' { '\n' } else { ' ' };
                source.code.push(if part == Part::Code { character } else { blank });
                source.comments.push(if part == Part::Comment { character } else { blank });
            }
            at += length;
        }
        source
    }
}

/// The piece that begins at `at`: how many characters, and of what.
fn next(chars: &[char], at: usize) -> (usize, Part) {
    let rest = &chars[at..];
    let word_before = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => (rest.iter().take_while(|c| **c != '\n').count(), Part::Comment),
        ['/', '*', ..] => (block_comment(rest), Part::Comment),
        ['"', ..] => (quoted(rest), Part::Text),
        ['b' | 'c', '"', ..] if !word_before => (1 + quoted(&rest[1..]), Part::Text),
        ['r', '"' | '#', ..] if !word_before => raw(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !word_before => raw(rest, 2),
        // An escaped character or a plain one; else it is a lifetime.
        ['\'', '\\', ..] => {
            let inside = rest[3.min(rest.len())..].iter().take_while(|c| **c != '\'').count();
            ((inside + 4).min(rest.len()), Part::Text)
        }
        ['\'', _, '\'', ..] => (3, Part::Text),
        _ => (1, Part::Code),
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A raw text whose hashes begin at `prefix`; `r#word` is code.
fn raw(rest: &[char], prefix: usize) -> (usize, Part) {
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return (1, Part::Code);
    }
    let closes = |at: &usize| {
        rest[*at] == '"' && rest[*at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let end = (open + 1..rest.len()).find(closes).map_or(rest.len(), |at| at + 1 + hashes);
    (end, Part::Text)
}

#[test]
fn code_comments_and_texts_are_told_apart() {
    fn check(text: &str, code: &str, comments: &str) {
        let source = Source::of(text);
        let short = |half: &str| half.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            (short(&source.code).as_str(), short(&source.comments).as_str()),
            (code, comments),
            "{text}"
        );
        assert_eq!(source.code.chars().count(), text.chars().count(), "{text}");
    }
    check("a // b", "a", "// b");
    check("a // b\nc", "a c", "// b");
    check("a /* b /* c */ */ d", "a d", "/* b /* c */ */");
    check(r#"f("// x", y)"#, "f( , y)", "");
    check(r#"f("\"// x", y)"#, "f( , y)", "");
    check("r#\"a\" // b\"# + r#type", "+ r#type", "");
    check("br\"//\" + b\"//\" + c\"//\"; bar\"\"", "+ + ; bar", "");
    check("'\"' + '\\'' + '\\u{22}' + 'a", "+ + + 'a", "");
    check("fn f<'a>(x: &'a str) {} // '", "fn f<'a>(x: &'a str) {}", "// '");
    check("\"never closed // x", "", "");
}
