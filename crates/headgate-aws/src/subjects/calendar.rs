//! When whom is to be looked at: everybody is in a calendar from the day they become known, so that nobody has to look
//! through a table for people who are to be forgotten.
//!
//! The row of somebody of whom nothing but an identifier is known runs out by itself, and everything that would be left
//! behind it (what leads to them, their salts, the proofs of what they were asked) is found by the day.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use headgate_domain::consent::State;
use headgate_domain::identity::SubjectId;
use headgate_domain::retention::{self, Contact};
use headgate_domain::time::{Day, Timestamp};

use super::Subjects;
use super::erasing::{ABOUT, Group, linked};
use crate::AwsError;
use crate::item::{Attributes, Item, changed, key, ms, n, s, transact};

/// A day of the calendar has a partition for each letter an id can begin with: an import of a million people fits.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz234567";
/// People whose rows are read beside each other.
const CONCURRENCY: usize = 16;

/// Somebody who is to be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// Their id.
    pub subject: SubjectId,
    /// Every name of the person.
    pub group: Group,
    /// What their rows and the calendar say of when they are to be forgotten.
    pub contact: Contact,
    /// Whether they were marked as one who is forgotten, by a run that did not come to its end.
    pub is_marked: bool,
    /// Their rows, as they were read.
    rows: Vec<Item>,
}

/// The first letter behind `sub_`; ids are random.
fn letter(subject: &SubjectId) -> char {
    let body = subject.as_str().strip_prefix("sub_");
    body.and_then(|body| body.chars().next()).unwrap_or('a')
}

fn partition(day: Day, letter: char) -> String {
    format!("F#{day}#{letter}")
}

/// The partition of somebody in the calendar.
fn place(subject: &SubjectId, at: Timestamp) -> String {
    partition(at.day(), letter(subject))
}

/// When somebody whose row ends then is looked at first.
const fn first_look(ends_at: Timestamp) -> Timestamp {
    ends_at.plus_millis(-retention::BEFORE_MS)
}

/// The row in the calendar of somebody new, and where it stands, to be named in their own row.
pub(super) fn noted(
    subject: &SubjectId,
    pseudonyms: Vec<String>,
    ends_at: Timestamp,
) -> (String, Item) {
    let pk = place(subject, first_look(ends_at));
    (pk.clone(), written(&pk, subject, pseudonyms))
}

/// The row in the calendar that a person's row names, if that is what it names.
pub(super) fn in_calendar(pk: &str, row: &Item) -> Option<Item> {
    let subject = row.text("pk")?.strip_prefix("S#")?;
    pk.starts_with("F#").then(|| key(pk, subject))
}

fn written(pk: &str, subject: &SubjectId, pseudonyms: Vec<String>) -> Item {
    let mut item = key(pk, subject.as_str());
    // There is no empty set.
    if !pseudonyms.is_empty() {
        item.insert("pseudonyms".to_owned(), AttributeValue::Ss(pseudonyms));
    }
    item
}

impl Subjects {
    /// Writes somebody new into the calendar; doing so again changes nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub(super) async fn put_noted(&self, noted: Item) -> Result<(), AwsError> {
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(noted)).send().await;
        put.map(|_put| ()).map_err(|e| AwsError::of("PutItem", &e))
    }

    /// The people in the calendar of a day, up to a page of each part of it.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn noted_on(&self, day: Day) -> Result<Vec<Noted>, AwsError> {
        let pages = LETTERS.chars().map(|letter| self.noted_under(day, letter));
        let items = try_join_all(pages).await?.concat();
        let noted: Vec<Option<Noted>> = stream::iter(items)
            .map(|item| async move { self.noted(&item).await })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(noted.into_iter().flatten().collect())
    }

    async fn noted_under(&self, day: Day, letter: char) -> Result<Vec<Item>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(partition(day, letter)))
            .limit(100)
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        Ok(answer.items.unwrap_or_default())
    }

    async fn noted(&self, item: &Item) -> Result<Option<Noted>, AwsError> {
        let Some(subject) = item.text("sk").and_then(|id| SubjectId::parse(id).ok()) else {
            return Ok(None);
        };
        let mut group = Group::default();
        let mut contact = Contact {
            last_at: item.time("contact_at"),
            ..Contact::default()
        };
        let (mut rows, mut waiting) = (Vec::new(), vec![subject.clone()]);
        // Whoever turned out to be the same person is looked at, and forgotten, with them.
        while let Some(id) = waiting.pop() {
            if group.has(&id) {
                continue;
            }
            group.subjects.push(id.clone());
            if let Some(row) = self.get(key(format!("S#{id}"), "S")).await? {
                group.take(&row);
                waiting.extend(linked(&row));
                said(&row, &mut contact);
                if id == subject {
                    let ends = row.number("ttl");
                    contact.row_ends_at = ends.map(Timestamp::from_seconds);
                }
                rows.push(row);
            }
        }
        group
            .pseudonyms
            .extend(item.set("pseudonyms").iter().cloned());
        group.rows.extend(item.text("pk").map(str::to_owned));
        Ok(Some(Noted {
            subject,
            group,
            contact,
            is_marked: rows.iter().any(|row| row.contains_key(MARKED)),
            rows,
        }))
    }

    /// Has somebody looked at again on another day, and lets a row that would run out by itself live for longer.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn look_again(
        &self,
        noted: &Noted,
        from: Day,
        to: Timestamp,
        row_until: Option<Timestamp>,
    ) -> Result<(), AwsError> {
        let subject = &noted.subject;
        let pk = place(subject, to);
        let names = noted.group.pseudonyms.iter().cloned().collect();
        let mut item = written(&pk, subject, names);
        if let Some(at) = noted.contact.last_at {
            item.insert("contact_at".to_owned(), ms(at));
        }
        self.put_noted(item).await?;
        let call = self
            .row_of(subject)
            .condition_expression("attribute_exists(pk)");
        let call = call
            .update_expression("ADD #about :pk")
            .expression_attribute_names("#about", ABOUT)
            .expression_attribute_values(":pk", AttributeValue::Ss(vec![pk.clone()]));
        changed(call).await?;
        if let Some(until) = row_until {
            self.keep(subject, until).await?;
        }
        if pk != partition(from, letter(subject)) {
            self.strike(noted, from).await?;
        }
        Ok(())
    }

    /// Takes somebody out of the calendar of a day.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn strike(&self, noted: &Noted, day: Day) -> Result<(), AwsError> {
        let subject = &noted.subject;
        let pk = partition(day, letter(subject));
        self.strike_at(pk.clone(), subject).await?;
        let update = self
            .row_of(subject)
            .update_expression("DELETE #about :pk")
            .condition_expression("contains(#about, :one)")
            .expression_attribute_names("#about", ABOUT)
            .expression_attribute_values(":one", s(pk.clone()))
            .expression_attribute_values(":pk", AttributeValue::Ss(vec![pk]));
        changed(update).await.map(drop)
    }

    /// Marks somebody as one who is to be forgotten, unless something has happened to any of their rows since they were
    /// read; whether it did. From then on they are, whatever else happens.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn mark_forgotten(&self, noted: &Noted, now: Timestamp) -> Result<bool, AwsError> {
        let marks = noted.rows.iter().map(|row| self.mark(row, now));
        let marks: Vec<TransactWriteItem> = marks.collect::<Result<_, _>>()?;
        if marks.is_empty() {
            return Ok(true);
        }
        transact(&self.client, marks).await
    }

    fn mark(&self, row: &Item, now: Timestamp) -> Result<TransactWriteItem, AwsError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", row.get("pk").cloned().unwrap_or_else(|| s("")))
            .key("sk", row.get("sk").cloned().unwrap_or_else(|| s("")))
            .update_expression("SET #marked = :now")
            .expression_attribute_names("#marked", MARKED)
            .expression_attribute_values(":now", ms(now));
        let mut same = Vec::new();
        let seen = row
            .iter()
            .filter(|(name, _)| *name != "pk" && *name != "sk");
        for (index, (name, value)) in seen.enumerate() {
            same.push(format!("#n{index} = :v{index}"));
            update = update
                .expression_attribute_names(format!("#n{index}"), name)
                .expression_attribute_values(format!(":v{index}"), value.clone());
        }
        let unseen = NEWS.into_iter().filter(|name| !row.contains_key(*name));
        for (index, name) in unseen.enumerate() {
            same.push(format!("attribute_not_exists(#u{index})"));
            update = update.expression_attribute_names(format!("#u{index}"), name);
        }
        // A row may have run out by itself.
        let condition = format!("attribute_not_exists(pk) OR ({})", same.join(" AND "));
        let update = update.condition_expression(condition).build();
        let update =
            update.map_err(|_e| AwsError::new("TransactWriteItems", "request not built"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Lets a row that would run out by itself live until a later moment at least.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn keep(&self, subject: &SubjectId, until: Timestamp) -> Result<(), AwsError> {
        let update = self
            .row_of(subject)
            .update_expression("SET #ttl = :until")
            .condition_expression("#ttl < :until")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":until", n(until.seconds()));
        changed(update).await.map(drop)
    }

    pub(super) async fn strike_at(&self, pk: String, subject: &SubjectId) -> Result<(), AwsError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.set_key(Some(key(pk, subject.as_str()))).send().await;
        deleted
            .map(|_deleted| ())
            .map_err(|e| AwsError::of("DeleteItem", &e))
    }
}

/// When what was recorded last was said: whatever is put beside it, this changes.
pub(super) const SAID: &str = "said_at";
/// Since when somebody is one who is to be forgotten.
const MARKED: &str = "forgotten_at";
/// What a row may get at any moment, and whoever has it is not forgotten by what was seen before.
const NEWS: [&str; 7] = [
    "last_inbound_at",
    SAID,
    "meta_stop_at",
    "do_not_sell",
    "restricted_at",
    "same_as",
    "others",
];

/// Takes in what a row says of when its person was in touch.
fn said(row: &Item, contact: &mut Contact) {
    let mut at = vec![row.time("created_at"), row.time("last_inbound_at")];
    for (name, value) in row {
        let is_consent = name.starts_with("c_");
        let Some(map) = value
            .as_m()
            .ok()
            .filter(|_| is_consent || name == "do_not_sell")
        else {
            continue;
        };
        // Who was only asked has said nothing.
        if map.text("state") != Some(State::Requested.word()) {
            contact.has_spoken = true;
        }
        at.push(map.time("at"));
    }
    let stopped_at = row.time("meta_stop_at");
    contact.has_spoken |= stopped_at.is_some();
    contact.is_waited_for |= row.contains_key(super::restriction::AT);
    at.push(stopped_at);
    contact.last_at = at.into_iter().flatten().max().max(contact.last_at);
}
