//! The frame of a page: self-contained, and nothing else may run or load.

use crate::hash::sha256d;

/// A document around `body`; `title` and `body` are escaped already.
pub(super) fn document(title: &str, body: &str, style: &str, script: &str) -> String {
    // Not to be guessed by who wrote what is in the body.
    let nonce: String = sha256d(body.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style nonce=\"{nonce}\">\n{style}</style>\n<body>\n{body}\n\
         <script nonce=\"{nonce}\">\n{script}</script>\n</body>\n</html>\n"
    )
}
