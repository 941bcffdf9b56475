//! People of whom nothing but an identifier is known: their row runs out by itself, and everything that would be left
//! behind it (what leads to them, their salts, the proofs of what they were asked) is found by the day.
//!
//! A row in the calendar is written with the person's own, so nobody has to look through a table for people who never
//! answered.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use headgate_domain::identity::SubjectId;
use headgate_domain::time::{DAY, Day, Timestamp};

use super::Subjects;
use super::erasing::{ABOUT, Group};
use crate::AwsError;
use crate::item::{Attributes, Item, changed, key, n, s};

/// A day of the calendar has a partition for each letter an id can begin with: an import of a million people fits.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz234567";
/// Before a row runs out it is looked at whether the person has been in touch since.
const BEFORE_MS: i64 = 3 * DAY;

/// Somebody whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Their id.
    pub subject: SubjectId,
    /// What leads to them.
    pub group: Group,
    /// Until when their row lives; nothing when it has run out, or lives as long as a consent.
    pub ends_at: Option<Timestamp>,
    /// Whether their row is there.
    pub has_row: bool,
    /// When they wrote last.
    pub wrote_at: Option<Timestamp>,
}

impl Stranger {
    /// Whether they are none any more: what they said is kept.
    pub const fn is_known(&self) -> bool {
        self.has_row && self.ends_at.is_none()
    }
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
    ends_at.plus_millis(-BEFORE_MS)
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
    item.insert("pseudonyms".to_owned(), AttributeValue::Ss(pseudonyms));
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
    pub async fn strangers(&self, day: Day) -> Result<Vec<Stranger>, AwsError> {
        let pages = LETTERS.chars().map(|letter| self.noted_under(day, letter));
        let mut found = Vec::new();
        for item in try_join_all(pages).await?.concat() {
            found.extend(self.stranger(&item).await?);
        }
        Ok(found)
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

    async fn stranger(&self, noted: &Item) -> Result<Option<Stranger>, AwsError> {
        let Some(subject) = noted.text("sk").and_then(|id| SubjectId::parse(id).ok()) else {
            return Ok(None);
        };
        let mut pseudonyms: BTreeSet<String> = noted.set("pseudonyms").iter().cloned().collect();
        let row = self.get(key(format!("S#{subject}"), "S")).await?;
        let set = |name| {
            row.iter()
                .flat_map(move |row| row.set(name).iter().cloned())
        };
        pseudonyms.extend(set("idents"));
        let mut rows: BTreeSet<String> = set(ABOUT).collect();
        rows.extend(noted.text("pk").map(str::to_owned));
        let ends = row.as_ref().and_then(|row| row.number("ttl"));
        Ok(Some(Stranger {
            group: Group {
                subjects: vec![subject.clone()],
                pseudonyms,
                rows,
            },
            subject,
            ends_at: ends.map(Timestamp::from_seconds),
            has_row: row.is_some(),
            wrote_at: row.as_ref().and_then(|row| row.time("last_inbound_at")),
        }))
    }

    /// Has somebody looked at again on another day, and, if they have been in touch, lets their row live until then.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_off(
        &self,
        stranger: &Stranger,
        from: Day,
        to: Timestamp,
        lives_until: Option<Timestamp>,
    ) -> Result<(), AwsError> {
        let subject = &stranger.subject;
        let pk = place(subject, to);
        let names = stranger.group.pseudonyms.iter().cloned().collect();
        self.put_noted(written(&pk, subject, names)).await?;
        let call = self.client.update_item().table_name(&self.table);
        let call = call
            .set_key(Some(key(format!("S#{subject}"), "S")))
            .condition_expression("attribute_exists(#ttl)")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#about", ABOUT)
            .expression_attribute_values(":pk", AttributeValue::Ss(vec![pk.clone()]));
        let call = match lives_until {
            Some(until) => call
                .update_expression("SET #ttl = :until ADD #about :pk")
                .expression_attribute_values(":until", n(until.seconds())),
            None => call.update_expression("ADD #about :pk"),
        };
        changed(call).await?;
        if pk != partition(from, letter(subject)) {
            self.strike(stranger, from).await?;
        }
        Ok(())
    }

    /// Lets somebody's row live until it is deleted.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn keep(&self, subject: &SubjectId) -> Result<(), AwsError> {
        let call = self.client.update_item().table_name(&self.table);
        let call = call
            .set_key(Some(key(format!("S#{subject}"), "S")))
            .update_expression("REMOVE #ttl")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#ttl", "ttl");
        changed(call).await.map(drop)
    }

    /// Takes somebody out of the calendar of a day.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn strike(&self, stranger: &Stranger, day: Day) -> Result<(), AwsError> {
        let subject = &stranger.subject;
        self.strike_at(partition(day, letter(subject)), subject)
            .await
    }

    pub(super) async fn strike_at(&self, pk: String, subject: &SubjectId) -> Result<(), AwsError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.set_key(Some(key(pk, subject.as_str()))).send().await;
        deleted
            .map(|_deleted| ())
            .map_err(|e| AwsError::of("DeleteItem", &e))
    }
}
