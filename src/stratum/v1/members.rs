//! A line of either side taken apart but not interpreted: its members as they stood.
//!
//! For what passes lines on or compares them: a proxy, a replay. What they
//! change is cut out and replaced in place, so that everything else stays byte
//! for byte, spaces and order included.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What stands for a secret.
pub const HIDDEN: &str = "\"***\"";

/// Members of an object of parameters that are not secret.
const USER_NAMES: [&str; 3] = ["user", "username", "worker"];

/// The members of a JSON object, or elements of a list, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members<'a> {
    text: &'a str,
    /// Name (empty in a list) and place.
    places: Vec<(String, Range<usize>)>,
}

impl<'a> Members<'a> {
    /// Takes a line apart, without its line feed; `None` when it is no JSON object.
    #[must_use]
    pub fn of_line(line: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        if text.trim_start().starts_with('{') { Self::of(text) } else { None }
    }

    /// Takes an object or a list apart; `None` when it is neither.
    #[must_use]
    pub fn of(text: &'a str) -> Option<Self> {
        let parts: Parts<'_> = serde_json::from_str(text).ok()?;
        let place = |part: &str| {
            let begin = part.as_ptr() as usize - text.as_ptr() as usize;
            begin..begin + part.len()
        };
        let places = parts.0.into_iter().map(|(name, part)| (name, place(part))).collect();
        Some(Self { text, places })
    }

    /// A member as it stood. Of several with the same name the last, as most readers have it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.places.iter().rev().find(|(other, _)| other == name).map(|(_, place)| &self.text[place.clone()])
    }

    /// An element of a list as it stood.
    #[must_use]
    pub fn element(&self, index: usize) -> Option<&'a str> {
        self.places.get(index).map(|(_, place)| &self.text[place.clone()])
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|(name, _)| name.as_str())
    }

    /// The id as it stood.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        self.get("id")
    }

    /// The method; `None` in a reply.
    #[must_use]
    pub fn method(&self) -> Option<Cow<'a, str>> {
        text_of(self.get("method")?)
    }

    /// Whether it answers something.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        let has = |name| self.get(name).is_some();
        self.get("method").is_none_or(|method| method == "null") && (has("result") || has("error"))
    }

    /// The text with those members replaced for which `change`, given name, index and value, says how.
    #[must_use]
    pub fn with(&self, mut change: impl FnMut(&str, usize, &str) -> Option<String>) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut done = 0;
        for (index, (name, place)) in self.places.iter().enumerate() {
            if let Some(value) = change(name, index, &self.text[place.clone()]) {
                out.push_str(&self.text[done..place.start]);
                out.push_str(&value);
                done = place.end;
            }
        }
        out.push_str(&self.text[done..]);
        out
    }

    /// The line with another id; one that had none gets none.
    #[must_use]
    pub fn with_id(&self, id: &str) -> String {
        self.with(|name, _, _| (name == "id").then(|| id.to_owned()))
    }
}

/// A JSON string's value.
#[must_use]
pub fn text_of(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

/// A miner's line with the password of `mining.authorize` hidden; `None` when
/// there is nothing to hide. One that authorizes but cannot be read is hidden
/// as a whole: nobody knows where the password is.
#[must_use]
pub fn without_password(line: &[u8]) -> Option<Vec<u8>> {
    let authorizes = |text: &[u8]| text.windows(4).any(|four| four.eq_ignore_ascii_case(b"auth"));
    let Some(members) = Members::of_line(line) else {
        let hidden = || format!("*** (authorizes, but is no JSON object; {} bytes)", line.len()).into_bytes();
        return authorizes(line).then(hidden);
    };
    if !authorizes(members.method()?.as_bytes()) {
        return None;
    }
    let hide = || Some(HIDDEN.to_owned());
    let hidden = members.with(|name, _, params| match Members::of(params) {
        Some(list) if name == "params" && params.starts_with('[') => {
            Some(list.with(|_, index, _| if index > 0 { hide() } else { None }))
        }
        Some(map) if name == "params" => {
            Some(map.with(|name, _, _| if USER_NAMES.contains(&name) { None } else { hide() }))
        }
        _ => None,
    });
    Some(hidden.into_bytes())
}

struct Parts<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Parts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object or list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(item) = items.next_element::<&RawValue>()? {
                    parts.push((String::new(), item.get()));
                }
                Ok(Parts(parts))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some((name, value)) = items.next_entry::<String, &RawValue>()? {
                    parts.push((name, value.get()));
                }
                Ok(Parts(parts))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_as_they_stood() {
        let line = br#" {"id": 1e2 ,"method":"a\u002eb","params":[ "x", {"y":[1]} ],"id":"7"} "#;
        let members = Members::of_line(line).unwrap();
        assert_eq!(members.names().collect::<Vec<_>>(), ["id", "method", "params", "id"]);
        assert_eq!(members.id(), Some("\"7\""));
        assert_eq!(members.method().as_deref(), Some("a.b"));
        let params = Members::of(members.get("params").unwrap()).unwrap();
        assert_eq!((params.element(0), params.element(1)), (Some("\"x\""), Some("{\"y\":[1]}")));
        let changed = members.with_id("null");
        assert_eq!(changed, r#" {"id": null ,"method":"a\u002eb","params":[ "x", {"y":[1]} ],"id":null} "#);
        for other in ["", "[]", "7", "{", "{}x", "nul", "{\"a\":}"] {
            assert_eq!(Members::of_line(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Members::of_line(b"{\"a\":\"\xff\"}"), None);
    }

    #[test]
    fn replies_have_a_result_and_no_method() {
        fn check(line: &str, is_reply: bool) {
            assert_eq!(Members::of_line(line.as_bytes()).unwrap().is_reply(), is_reply, "{line}");
        }
        check(r#"{"id":1,"result":true}"#, true);
        check(r#"{"id":1,"error":null,"method":null}"#, true);
        check(r#"{"id":1,"method":"x","result":true}"#, false);
        check("{}", false);
    }

    #[test]
    fn passwords_are_hidden_and_nothing_else_changes() {
        fn check(line: &str, hidden: Option<&str>) {
            let found = without_password(line.as_bytes()).map(|line| String::from_utf8(line).unwrap());
            assert_eq!(found.as_deref(), hidden, "{line}");
        }
        check(
            r#"{"id" : 3, "method":"mining.authorize","params":["w", "secret"]}"#,
            Some(r#"{"id" : 3, "method":"mining.authorize","params":["w", "***"]}"#),
        );
        check(
            r#"{"params":{"user":"w","pass":"secret"},"method":"mining.auth\u006frize"}"#,
            Some(r#"{"params":{"user":"w","pass":"***"},"method":"mining.auth\u006frize"}"#),
        );
        check(
            r#"{"params":["w","one"],"params":["w","two",3],"method":"mining.Authorize"}"#,
            Some(r#"{"params":["w","***"],"params":["w","***","***"],"method":"mining.Authorize"}"#),
        );
        check(
            r#"{"method":"mining.authorize","params":["w","secret"]"#,
            Some("*** (authorizes, but is no JSON object; 52 bytes)"),
        );
        check(
            r#"[{"method":"mining.authorize"}]"#,
            Some("*** (authorizes, but is no JSON object; 31 bytes)"),
        );
        check(r#"{"method":"mining.submit","params":["author","x"]}"#, None);
        check("", None);
    }
}
