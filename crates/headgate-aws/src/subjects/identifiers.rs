//! Identifiers: which subject a number or a user id leads to, and has led to.
//!
//! A pointer is found by pseudonym. It names who has the identifier now, since when, and who had it
//! before: what comes late is about whoever had it then. A number passes from one person to another;
//! the pointer remembers one change. Where it stands is `pointers`'.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use headgate_domain::identity::{Identifier, SubjectId};
use headgate_domain::region::Country;
use headgate_domain::time::{DAY, Timestamp};

use super::erasing::ABOUT;
use super::pointers::Pointer;
use super::{Subjects, calendar, country_field, field_of, place};
use crate::item::{Attributes, Item, b, key, ms, n, s};
use crate::keyring::KeyringError;
use crate::{AwsError, random};

/// Somebody of whom nothing but an identifier is known is forgotten after this long.
pub(super) const UNKNOWN_TTL_MS: i64 = 90 * DAY;
/// Whoever is met by two at once is linked by one of them; the other looks again.
const TRIES: usize = 5;

/// Who an identifier led to at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whom it led to.
    pub subject: SubjectId,
    /// Whether it still does.
    pub still: bool,
}

impl Subjects {
    /// Who an identifier led to at a moment; nobody, when it is not known to have led anywhere.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn holder(
        &self,
        identifier: &Identifier,
        at: Timestamp,
    ) -> Result<Option<Held>, AwsError> {
        let standing = self.pointer(identifier).await?.standing;
        Ok(standing.as_ref().and_then(|item| held(item, at)))
    }

    /// The subject of an identifier, if there is one.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, identifier: &Identifier) -> Result<Option<SubjectId>, AwsError> {
        let standing = self.pointer(identifier).await?.standing;
        Ok(standing
            .as_ref()
            .and_then(|item| subject_in(item, "subject")))
    }

    /// The subjects of several identifiers, in one read per hundred; unknown ones are absent.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find_all(
        &self,
        identifiers: &[Identifier],
    ) -> Result<HashMap<Identifier, SubjectId>, AwsError> {
        let found = self.pointers(identifiers).await?;
        let led = found.into_iter().filter_map(|(identifier, pointer)| {
            Some((identifier.clone(), subject_in(&pointer, "subject")?))
        });
        Ok(led.collect())
    }

    /// The subject of the given identifiers, created if none of them is known.
    ///
    /// When several are given and only some are known, the others are linked to the same subject.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn find_or_create(
        &self,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<SubjectId, KeyringError> {
        let mut known = None;
        let mut missing = Vec::new();
        for identifier in identifiers {
            match self.find(identifier).await? {
                Some(subject) => known = known.or(Some(subject)),
                None => missing.push(identifier),
            }
        }
        let created = known.is_none();
        let mut subject = match known {
            Some(subject) => subject,
            None => SubjectId::from_random(random::<16>()?),
        };
        for identifier in missing {
            // The pointer decides who is first: a racing creator finds it and uses that subject.
            if let Some(winner) = self.link(identifier, &subject).await? {
                subject = winner;
            } else {
                self.store_identifier(&subject, identifier, now, created)
                    .await?;
            }
        }
        Ok(subject)
    }

    /// Claims the pointer of an identifier; `Some` when another subject already has it.
    async fn link(
        &self,
        identifier: &Identifier,
        subject: &SubjectId,
    ) -> Result<Option<SubjectId>, AwsError> {
        let mut pointer = self.new_pointer(identifier);
        if pointer.other.is_some() {
            pointer = self.pointer(identifier).await?;
        }
        for _ in 0..TRIES {
            let holder = pointer.subject("subject");
            if holder.is_some() {
                return Ok(holder.filter(|holder| holder != subject));
            }
            // Who had it before stays.
            let update = Update::builder()
                .update_expression("SET subject = :s")
                .expression_attribute_values(":s", s(subject.as_str()));
            let nobody = "attribute_not_exists(subject)";
            if self.write_pointer(&pointer, update, nobody).await? {
                return Ok(None);
            }
            pointer = self.pointer(identifier).await?;
        }
        Err(AwsError::new("linking an identifier", "contended"))
    }

    async fn store_identifier(
        &self,
        subject: &SubjectId,
        identifier: &Identifier,
        now: Timestamp,
        created: bool,
    ) -> Result<(), KeyringError> {
        if created && self.restore(subject, identifier, now).await? {
            return Ok(());
        }
        let salt = self.keyring.create_salts(subject).await?;
        let field = field_of(identifier);
        let pk = format!("S#{subject}");
        let name = self.name_in_force(identifier).await?;
        let sealed = self
            .keyring
            .seal_vault(&salt, &place(&pk, field), identifier.reveal().as_bytes())
            .await?;
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&pk, "S")))
            .expression_attribute_names("#f", field)
            .expression_attribute_names("#c", country_field(identifier))
            .expression_attribute_values(":v", b(sealed))
            .expression_attribute_values(":i", AttributeValue::Ss(vec![name]))
            .expression_attribute_values(":now", ms(now));
        let set = "SET #f = :v, created_at = if_not_exists(created_at, :now)";
        let call = match Country::of(identifier) {
            Some(country) => call
                .update_expression(format!("{set}, #c = :c ADD idents :i"))
                .expression_attribute_values(":c", s(country.as_str())),
            None => call.update_expression(format!("{set} REMOVE #c ADD idents :i")),
        };
        call.send()
            .await
            .map_err(|e| AwsError::of("UpdateItem", &e))?;
        Ok(())
    }

    /// Writes the row of a subject of whom only a pointer exists: a new one, or one whose creator has
    /// not written it yet. `false`, and nothing is changed, when there is a row: it may hold a consent
    /// by now, and must not get an expiry.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn restore(
        &self,
        subject: &SubjectId,
        identifier: &Identifier,
        now: Timestamp,
    ) -> Result<bool, KeyringError> {
        let salt = self.keyring.create_salts(subject).await?;
        let field = field_of(identifier);
        let pk = format!("S#{subject}");
        let name = self.name_in_force(identifier).await?;
        let sealed = self
            .keyring
            .seal_vault(&salt, &place(&pk, field), identifier.reveal().as_bytes())
            .await?;
        let mut item = key(&pk, "S");
        item.insert(field.to_owned(), b(sealed));
        if let Some(country) = Country::of(identifier) {
            item.insert(country_field(identifier).to_owned(), s(country.as_str()));
        }
        item.insert("idents".to_owned(), AttributeValue::Ss(vec![name.clone()]));
        item.insert("created_at".to_owned(), ms(now));
        let ends_at = now.plus_millis(UNKNOWN_TTL_MS);
        item.insert("ttl".to_owned(), n(ends_at.seconds()));
        let (calendar, noted) = calendar::noted(subject, vec![name], ends_at);
        item.insert(ABOUT.to_owned(), AttributeValue::Ss(vec![calendar.clone()]));
        // Before the row, so that nobody is there who is not in the calendar.
        self.put_noted(noted).await?;
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        match call.send().await.map_err(|e| AwsError::of("PutItem", &e)) {
            Ok(_) => Ok(true),
            Err(e) if e.is("ConditionalCheckFailedException") => {
                // Their row is in the calendar under its own day.
                let row = self.get(key(&pk, "S")).await?.unwrap_or_default();
                if !row.set(ABOUT).contains(&calendar) {
                    self.strike_at(calendar, subject).await?;
                }
                Ok(false)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Stores an identifier that leads to a subject but is not in its row: whoever linked it was interrupted.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn complete(
        &self,
        subject: &SubjectId,
        identifier: &Identifier,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        self.store_identifier(subject, identifier, now, false).await
    }

    /// Gives an identifier to a subject, from whoever has it; `false` when it changed hands later than that.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it, or somebody else moved it meanwhile.
    pub async fn take_over(
        &self,
        identifier: &Identifier,
        subject: &SubjectId,
        at: Timestamp,
    ) -> Result<bool, AwsError> {
        let pointer = self.pointer(identifier).await?;
        let holder = pointer.subject("subject");
        if holder.as_ref() == Some(subject) {
            return Ok(true);
        }
        if pointer.changed_since(at) {
            return Ok(false);
        }
        self.change_hands(&pointer, holder.as_ref(), Some(subject), at)
            .await?;
        Ok(true)
    }

    /// Takes an identifier from a subject, if the subject has it, and leaves it to nobody.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it, or somebody else moved it meanwhile.
    pub async fn leave(
        &self,
        identifier: &Identifier,
        subject: &SubjectId,
        at: Timestamp,
    ) -> Result<(), AwsError> {
        let pointer = self.pointer(identifier).await?;
        let is_theirs = pointer.subject("subject").as_ref() == Some(subject);
        if !is_theirs || pointer.changed_since(at) {
            return Ok(());
        }
        self.change_hands(&pointer, Some(subject), None, at).await
    }

    async fn change_hands(
        &self,
        pointer: &Pointer,
        from: Option<&SubjectId>,
        to: Option<&SubjectId>,
        at: Timestamp,
    ) -> Result<(), AwsError> {
        let mut set = vec!["changed_at = :at"];
        let mut remove = "";
        let mut update = Update::builder().expression_attribute_values(":at", ms(at));
        match to {
            Some(to) => {
                set.push("subject = :to");
                update = update.expression_attribute_values(":to", s(to.as_str()));
            }
            None => remove = " REMOVE subject",
        }
        let as_seen = match from {
            Some(from) => {
                set.push("was = :from");
                update = update.expression_attribute_values(":from", s(from.as_str()));
                "subject = :from"
            }
            None => "attribute_not_exists(subject)",
        };
        let update = update.update_expression(format!("SET {}{remove}", set.join(", ")));
        if self.write_pointer(pointer, update, as_seen).await? {
            return Ok(());
        }
        Err(AwsError::new("moving an identifier", "contended"))
    }
}

pub(super) fn subject_in(item: &Item, name: &str) -> Option<SubjectId> {
    SubjectId::parse(item.text(name)?).ok()
}

pub(super) fn changed_since(item: &Item, at: Timestamp) -> bool {
    item.time("changed_at").is_some_and(|changed| changed > at)
}

fn held(item: &Item, at: Timestamp) -> Option<Held> {
    let before = changed_since(item, at);
    let name = if before { "was" } else { "subject" };
    Some(Held {
        subject: subject_in(item, name)?,
        still: !before,
    })
}
