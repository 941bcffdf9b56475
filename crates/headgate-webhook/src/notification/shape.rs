//! Reading loosely shaped JSON without ever failing the neighbours.
//!
//! Owns the small readers: a list that may be absent, a text that may be a number, a time in
//! seconds that may be either. Nothing here keeps an error of `serde_json`: they quote the input.

use std::borrow::Cow;
use std::collections::HashMap;

use headgate_domain::identity::{Bsuid, Phone};
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::node::Node;

/// Meta gives seconds; a value this large can only be milliseconds (it would be the year 5138).
const SURELY_MILLISECONDS: i64 = 100_000_000_000;

/// One object of a notification.
pub(super) struct Piece<'a>(Node<'a>);

impl<'a> Piece<'a> {
    /// Reads an object; `None` for anything else, and for one that is nested too deep.
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        match serde_json::from_str(raw.get()) {
            Ok(object @ Node::Object(_)) => Some(Self(object)),
            Ok(_other_shape) => None,
            Err(_quotes_input) => None,
        }
    }

    fn at(&self, path: &str) -> Option<&Node<'a>> {
        path.split('.').try_fold(&self.0, Node::member)
    }

    /// What names somebody, to compare.
    fn name(&self, path: &str) -> Option<Cow<'_, str>> {
        self.at(path).and_then(text_of)
    }

    /// The text at a dotted path; numbers are texts, blank is absent.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.at(path).and_then(text_of).map(Cow::into_owned)
    }

    /// A text written by a person or naming one.
    pub(super) fn personal(&self, path: &str) -> Option<Personal<String>> {
        self.text(path).map(Personal::new)
    }

    /// A telephone number as Meta writes it, when it is one.
    pub(super) fn phone(&self, path: &str) -> Option<Phone> {
        let text = self.name(path)?;
        let digits = text.strip_prefix('+').unwrap_or(&text);
        Phone::from_wa_id(digits).ok()
    }

    /// A business-scoped user id, when it is one.
    pub(super) fn bsuid(&self, path: &str) -> Option<Bsuid> {
        Bsuid::parse(&self.name(path)?).ok()
    }

    /// A time, when it is one.
    pub(super) fn moment(&self, path: &str) -> Option<Timestamp> {
        self.at(path).and_then(moment_of)
    }

    /// The numeric `code` of every object in a list.
    pub(super) fn codes(&self, path: &str) -> Vec<u32> {
        let errors = self.at(path).and_then(Node::list);
        let codes = errors.into_iter().flatten();
        codes
            .filter_map(|error| error.member("code"))
            .filter_map(|code| text_of(code)?.parse().ok())
            .collect()
    }
}

/// The people a change is about.
#[derive(Default)]
pub(super) struct Contacts<'a> {
    people: Vec<Piece<'a>>,
    /// Where the first of each number, and of each user id, is: a notification can hold a thousand.
    places: [HashMap<String, usize>; 2],
}

/// What names somebody in a message, and in a contact.
const NAMES: [(&str, &str); 2] = [("from", "wa_id"), ("from_user_id", "user_id")];

impl<'a> Contacts<'a> {
    /// Reads them; contacts that cannot be read cost a name, never a message.
    pub(super) fn read(raw: Vec<&'a RawValue>) -> Self {
        let people: Vec<Piece<'a>> = raw.into_iter().filter_map(Piece::read).collect();
        let places = NAMES.map(|(_ours, theirs)| {
            let mut places = HashMap::new();
            for (place, contact) in people.iter().enumerate() {
                if let Some(name) = contact.text(theirs) {
                    places.entry(name).or_insert(place);
                }
            }
            places
        });
        Self { people, places }
    }

    /// The contact behind a message: the first with the same id, or the only one of the only
    /// message.
    pub(super) fn of(&self, message: &Piece<'_>, alone: bool) -> Option<&Piece<'a>> {
        let same = NAMES
            .iter()
            .zip(&self.places)
            .filter_map(|((ours, _theirs), places)| {
                places.get(message.name(ours)?.as_ref()).copied()
            });
        let only = || {
            self.people
                .first()
                .filter(|_one| alone && self.people.len() == 1)
        };
        match same.min() {
            Some(place) => self.people.get(place),
            None => only(),
        }
    }
}

/// Reads an object. Serde alone would take a list for one, member by member.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    if !json.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// The pieces of a list; an absent one is empty, `None` is something else than a list.
pub(super) fn list(raw: Option<&RawValue>) -> Option<Vec<&RawValue>> {
    raw.map_or_else(
        || Some(Vec::new()),
        |raw| serde_json::from_str(raw.get()).ok(),
    )
}

/// A bare text or number.
pub(super) fn word(raw: &RawValue) -> Option<String> {
    let node = serde_json::from_str(raw.get()).ok()?;
    text_of(&node).map(Cow::into_owned)
}

/// A bare time.
pub(super) fn moment(raw: &RawValue) -> Option<Timestamp> {
    moment_of(&serde_json::from_str(raw.get()).ok()?)
}

fn text_of<'n>(node: &'n Node<'_>) -> Option<Cow<'n, str>> {
    match node {
        Node::Text(text) => Some(text.as_ref())
            .filter(|text| !text.trim().is_empty())
            .map(Cow::Borrowed),
        Node::Number(number) => Some(Cow::Owned(number.to_string())),
        Node::Word | Node::List(_) | Node::Object(_) => None,
    }
}

fn moment_of(node: &Node<'_>) -> Option<Timestamp> {
    let number: i64 = text_of(node)?.trim().parse().ok().filter(|n| *n > 0)?;
    Some(if number < SURELY_MILLISECONDS {
        Timestamp::from_seconds(number)
    } else {
        Timestamp::from_millis(number)
    })
}
