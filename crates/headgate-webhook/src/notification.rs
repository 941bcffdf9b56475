//! Notifications: Meta's wire types in, facts out.
//!
//! Owns the walk through `entry[] × changes[] × (messages[] | statuses[] | user_preferences[])`
//! (docs/notifications.md). Promises that one update nobody can read does not take the others
//! along: every level is first cut into raw pieces, and each piece is read alone. Where every level
//! has the shape of messages, as nearly always, one cut goes down to the pieces. Numbers where text
//! was expected, missing people, unknown fields and unknown words are all normal. It does not know
//! who anybody is, and whether a fact changes anything is for the rules.

mod node;
mod shape;
mod shapely;
mod update;

use headgate_domain::time::Timestamp;
use headgate_redact::{LogSafe, Personal};
use serde::Deserialize;
use serde_json::value::RawValue;

pub use update::{
    AccountNotice, Choice, Inbound, Other, Preference, Referral, Status, StatusWord, Update,
};

use crate::signature::VerifiedBody;
use shape::{Contacts, Piece, list, moment, object, word};
use shapely::{Object, Pieces};

/// The body is not an envelope of notifications, so there is nothing in it to take apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the notification is not a JSON object with a list of entries")]
pub struct Malformed;

/// Consists of a text of ours; `serde_json`'s would quote the input.
impl LogSafe for Malformed {}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    entry: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    changes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, default)]
    field: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    contacts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<&'a RawValue>,
    #[serde(borrow, default)]
    statuses: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_preferences: Option<&'a RawValue>,
}

impl<'a> Value<'a> {
    /// `None` when one of the updates is something else than a list.
    fn pieces(&self) -> Option<Pieces<'a>> {
        Some(Pieces {
            metadata: self.metadata,
            contacts: list(self.contacts),
            messages: Some(list(self.messages)?),
            statuses: Some(list(self.statuses)?),
            user_preferences: Some(list(self.user_preferences)?),
        })
    }
}

/// Takes a notification apart, in the order Meta wrote it.
///
/// # Errors
/// [`Malformed`] when there is no envelope. Everything below it that cannot be read becomes an
/// [`Update::Unreadable`] in its place.
pub fn parse(body: &VerifiedBody) -> Result<Vec<Update>, Malformed> {
    // JSON is UTF-8; a stray byte in one name costs that character, not the batch.
    let text = String::from_utf8_lossy(body.bytes());
    let Some(entries) = shapely::cut(&text) else {
        return level_by_level(&text);
    };
    let mut walk = Walk::default();
    for Object(entry) in entries {
        walk.shapely(entry);
    }
    Ok(walk.updates)
}

/// The long way alone, for the fuzz target that holds the two ways against each other; no other build
/// has it.
#[cfg(fuzzing)]
pub fn parse_level_by_level(body: &VerifiedBody) -> Result<Vec<Update>, Malformed> {
    level_by_level(&String::from_utf8_lossy(body.bytes()))
}

/// What finds the same in any notification, at the price of a cut for each level.
fn level_by_level(text: &str) -> Result<Vec<Update>, Malformed> {
    let envelope: Envelope<'_> = object(text).ok_or(Malformed)?;
    let mut walk = Walk::default();
    for entry in envelope.entry {
        walk.entry(entry);
    }
    Ok(walk.updates)
}

/// Whether the value of a field holds updates about messages or people.
fn is_about_messages(field: &str) -> bool {
    matches!(field, "messages" | "user_preferences" | "")
}

/// What an update has from the levels above it.
#[derive(Clone, Copy)]
struct Place<'a> {
    entry_id: &'a str,
    time: Option<Timestamp>,
    field: &'a str,
}

#[derive(Default)]
struct Walk {
    updates: Vec<Update>,
}

impl Walk {
    fn shapely(&mut self, entry: shapely::Entry<'_>) {
        let id = entry.id.and_then(word).unwrap_or_default();
        let time = entry.time.and_then(moment);
        for Object(change) in entry.changes.into_iter().flatten() {
            let field = change.field.and_then(word).unwrap_or_default();
            let place = Place {
                entry_id: &id,
                time,
                field: &field,
            };
            self.pieces(place, change.value.0);
        }
    }

    fn entry(&mut self, raw: &RawValue) {
        let Some(entry) = object::<Entry<'_>>(raw.get()) else {
            return self.unreadable("an entry is not an object", raw);
        };
        let id = entry.id.and_then(word).unwrap_or_default();
        let time = entry.time.and_then(moment);
        let Some(changes) = list(entry.changes) else {
            return self.unreadable("the changes of an entry are not a list", raw);
        };
        for raw in changes {
            let Some(change) = object::<Change<'_>>(raw.get()) else {
                self.unreadable("a change is not an object", raw);
                continue;
            };
            let field = change.field.and_then(word).unwrap_or_default();
            let place = Place {
                entry_id: &id,
                time,
                field: &field,
            };
            self.change(place, change.value.unwrap_or(RawValue::NULL));
        }
    }

    /// Dispatches on the field and believes the shape: Meta's own examples carry wrong fields.
    fn change(&mut self, place: Place<'_>, raw: &RawValue) {
        if !is_about_messages(place.field) {
            return self.other(place, place.field, raw);
        }
        let Some(value) = object::<Value<'_>>(raw.get()) else {
            return self.unreadable("the value of a change is not an object", raw);
        };
        let Some(pieces) = value.pieces() else {
            return self.unreadable("the updates of a change are not a list", raw);
        };
        if pieces.is_empty() {
            // For example `value.errors`, which concern the number and not a message.
            return self.other(place, place.field, raw);
        }
        self.pieces(place, pieces);
    }

    fn pieces(&mut self, place: Place<'_>, pieces: Pieces<'_>) {
        let number = pieces
            .metadata
            .and_then(Piece::read)
            .and_then(|metadata| metadata.text("phone_number_id"))
            .filter(|id| headgate_domain::record::is_number_id(id));
        let messages = pieces.messages.unwrap_or_default();
        let contacts = match pieces.contacts {
            // Statuses have contacts too, and nobody asks for them.
            Some(contacts) if !messages.is_empty() => Contacts::read(contacts),
            Some(_) | None => Contacts::default(),
        };
        let alone = messages.len() == 1;
        for raw in messages {
            let update = update::inbound(raw, number.as_deref(), &contacts, alone, place.time);
            self.push(update, raw);
        }
        for raw in pieces.statuses.into_iter().flatten() {
            match update::status(raw, number.as_deref(), place.time) {
                Ok(Some(status)) => self.updates.push(Update::Status(status)),
                Ok(None) => self.other(place, "messages.statuses", raw),
                Err(why) => self.unreadable(why, raw),
            }
        }
        for raw in pieces.user_preferences.into_iter().flatten() {
            match update::preference(raw, number.as_deref(), place.time) {
                Ok(Some(preference)) => self.updates.push(Update::Preference(preference)),
                Ok(None) => self.other(place, "user_preferences", raw),
                Err(why) => self.unreadable(why, raw),
            }
        }
    }

    fn other(&mut self, place: Place<'_>, field: &str, raw: &RawValue) {
        self.updates.push(Update::Other(Other {
            field: field.to_owned(),
            entry_id: place.entry_id.to_owned(),
            at: place.time,
            value: Personal::new(raw.get().to_owned()),
        }));
    }

    fn push(&mut self, update: Result<Update, &'static str>, raw: &RawValue) {
        match update {
            Ok(update) => self.updates.push(update),
            Err(why) => self.unreadable(why, raw),
        }
    }

    fn unreadable(&mut self, why: &'static str, raw: &RawValue) {
        let index = self.updates.len();
        let raw = Personal::new(raw.get().to_owned());
        self.updates.push(Update::Unreadable { index, why, raw });
    }
}

#[cfg(test)]
mod tests;
