//! A JSON value that borrows its texts from the body it is read from.
//!
//! Owns the one thing that `serde_json::Value` does differently: that one copies every name and every
//! text, and of a thousand statuses few are looked at. Accepts and refuses the same, such as nesting
//! deeper than 128, and of a name that is there twice the last counts.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A value.
pub(super) enum Node<'a> {
    /// `null`, `true` or `false`: nothing here asks which.
    Word,
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object, in the order it was written.
    Object(Vec<(Name<'a>, Node<'a>)>),
}

/// The name of a member.
pub(super) struct Name<'a>(Cow<'a, str>);

impl Node<'_> {
    /// A member of an object.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut members = members.iter().rev();
        members
            .find(|(known, _value)| known.0 == name)
            .map(|(_name, value)| value)
    }

    /// The elements of a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(elements) => Some(elements),
            Self::Word | Self::Number(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Word)
    }

    fn visit_bool<E>(self, _which: bool) -> Result<Node<'de>, E> {
        Ok(Node::Word)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'de>, E> {
        // JSON has no other numbers than finite ones.
        Ok(Number::from_f64(number).map_or(Node::Word, Node::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Node<'de>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = from.next_element()? {
            elements.push(element);
        }
        Ok(Node::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Node<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(AnyName)
    }
}

struct AnyName;

impl<'de> Visitor<'de> for AnyName {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// What is lost of a value is only which word it was.
    fn same(node: &Node<'_>, value: &Value) -> bool {
        match (node, value) {
            (Node::Word, Value::Null | Value::Bool(_)) => true,
            (Node::Number(ours), Value::Number(theirs)) => ours == theirs,
            (Node::Text(ours), Value::String(theirs)) => ours == theirs,
            (Node::List(ours), Value::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
            }
            (Node::Object(_), Value::Object(theirs)) => theirs
                .iter()
                .all(|(name, value)| node.member(name).is_some_and(|ours| same(ours, value))),
            _ => false,
        }
    }

    fn check(text: &str) {
        let ours = serde_json::from_str::<Node<'_>>(text);
        match serde_json::from_str::<Value>(text) {
            Ok(value) => assert!(same(&ours.unwrap(), &value), "{text}"),
            Err(_refused) => assert!(ours.is_err(), "{text}"),
        }
    }

    #[test]
    fn it_accepts_and_refuses_what_a_value_does() {
        let deep = |levels| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let twice = r#"{"a":1,"b":"\u4f60","a":{"c":-7.5e3}}"#;
        for text in [
            twice,
            &json!({ "a": [null, true, "x", 18_446_744_073_709_551_615_u64] }).to_string(),
            &deep(127),
            &deep(128),
            &deep(5_000),
            "1e999",
            r#""\ud800""#,
            r#"{"\u0061":1}"#,
            "nul",
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_read_otherwise(text in r#"[\[\]{}:,"\\au0-9.eE+-]{0,40}"#) {
            check(&text);
        }
    }
}
