//! A notification whose every level has the shape of updates about messages, cut down to the pieces
//! at once.
//!
//! Owns the short way: nearly every notification is of this kind, and a cut for each level would read
//! 3 MB six times. Finds what the long way finds, or nothing at all.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::is_about_messages;
use super::shape::{object, word};

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    entry: Vec<Object<Entry<'a>>>,
}

/// One entry.
#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) changes: Option<Vec<Object<Change<'a>>>>,
}

/// One change.
#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow, default)]
    pub(super) field: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) value: Object<Pieces<'a>>,
}

/// The pieces of a value.
#[derive(Deserialize)]
pub(super) struct Pieces<'a> {
    #[serde(borrow, default)]
    pub(super) metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) contacts: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) statuses: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) user_preferences: Option<Vec<&'a RawValue>>,
}

impl Pieces<'_> {
    /// Whether there is no update in it.
    pub(super) fn is_empty(&self) -> bool {
        let lists = [&self.messages, &self.statuses, &self.user_preferences];
        lists
            .into_iter()
            .all(|list| list.as_ref().is_none_or(Vec::is_empty))
    }
}

/// The entries, when all that is in them is updates about messages.
pub(super) fn cut(text: &str) -> Option<Vec<Object<Entry<'_>>>> {
    let whole: Whole<'_> = object(text)?;
    let entries = whole.entry.iter().map(|Object(entry)| entry);
    let mut changes = entries.flat_map(|entry| &entry.changes).flatten();
    changes
        .all(|Object(change)| {
            let field = change.field.and_then(word).unwrap_or_default();
            is_about_messages(&field) && !change.value.0.is_empty()
        })
        .then_some(whole.entry)
}

/// What is written as an object; serde alone would take a list for one, member by member.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AnObject(PhantomData))
    }
}

struct AnObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnObject<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(from)).map(Object)
    }
}
