//! A JSON value that borrows its strings from the line.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// One parameter. Numbers are `f64`, as everywhere in JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Param<'a>>),
    Map(Vec<(Cow<'a, str>, Param<'a>)>),
}

impl<'a> Param<'a> {
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn into_text(self) -> Option<Cow<'a, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A number, or a text that reads as one: firmware sends both.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A number from hexadecimal text.
    pub fn hex_u32(&self) -> Option<u32> {
        self.text().and_then(super::hex::decode_u32)
    }

    /// The elements, where a lone value counts as a list of itself.
    pub fn into_list(self) -> Vec<Param<'a>> {
        match self {
            Self::List(list) => list,
            Self::Null => Vec::new(),
            lone => vec![lone],
        }
    }

    pub fn get(&self, key: &str) -> Option<&Param<'a>> {
        if let Self::Map(entries) = self {
            entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
        } else {
            None
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Param<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Param<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Param::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Param::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Param::Number(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Param::Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Param::Number(value))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Param::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Param::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Param::Text(Cow::Owned(text)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                // A submit has five or six: one allocation.
                let mut list = Vec::with_capacity(6);
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Param::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = items.next_entry::<Param<'de>, _>()? {
                    entries.push((key.into_text().unwrap_or_default(), value));
                }
                Ok(Param::Map(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
