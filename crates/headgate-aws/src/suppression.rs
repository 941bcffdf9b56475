//! The suppression list: who said no, under names that cannot be joined with traffic.

mod erased;
mod moving;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::identity::Pseudonym;
use headgate_domain::import::ONCE_MS;
use headgate_domain::lane::Purpose;
use headgate_domain::time::{DAY, Day, Timestamp};

use crate::item::{Attributes, batch_get, ms, n, s, taken};
use crate::{Aws, AwsError};

/// The suppression table.
#[derive(Clone)]
pub struct Suppression {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Suppression {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// The purposes that an entry of any of the keys covers, read consistently.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read: then nothing may be sent.
    pub async fn covering(&self, keys: &[String]) -> Result<Vec<(String, Vec<Purpose>)>, AwsError> {
        let mut wanted = keys.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let wanted = wanted
            .into_iter()
            .map(|k| [("pk".to_owned(), s(k))].into())
            .collect();
        let items = batch_get(&self.client, &self.table, wanted).await?;
        Ok(items
            .iter()
            .filter_map(|item| {
                let purposes = item
                    .set("purposes")
                    .iter()
                    .filter_map(|w| Purpose::from_word(w))
                    .collect();
                Some((item.text("pk")?.to_owned(), purposes))
            })
            .collect())
    }

    /// Adds purposes to a person's entry; a purpose with a later no stays as it is.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn add(
        &self,
        key: &Pseudonym,
        purposes: &[Purpose],
        at: Timestamp,
        method: &str,
    ) -> Result<(), AwsError> {
        for purpose in purposes {
            let call = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("pk", s(key.as_str()))
                // An entry that was moved here may stand in a row that was to run out.
                .update_expression("ADD purposes :p SET #at = :at, #m = :m REMOVE #ttl")
                .condition_expression("attribute_not_exists(#at) OR #at <= :at")
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_names("#at", since(*purpose))
                .expression_attribute_names("#m", "method")
                .expression_attribute_values(":p", words(&[*purpose]))
                .expression_attribute_values(":at", ms(at))
                .expression_attribute_values(":m", s(method));
            taken(
                call.send()
                    .await
                    .map_err(|e| AwsError::of("UpdateItem", &e)),
            )?;
        }
        Ok(())
    }

    /// Takes purposes off a person's entry after a newer yes; a purpose whose no is newer than the yes stays.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn lift(
        &self,
        key: &Pseudonym,
        purposes: &[Purpose],
        yes_at: Timestamp,
    ) -> Result<(), AwsError> {
        for purpose in purposes {
            let call = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("pk", s(key.as_str()))
                .update_expression("DELETE purposes :p")
                .condition_expression("attribute_exists(pk) AND #at < :yes")
                .expression_attribute_names("#at", since(*purpose))
                .expression_attribute_values(":p", words(&[*purpose]))
                .expression_attribute_values(":yes", ms(yes_at));
            taken(
                call.send()
                    .await
                    .map_err(|e| AwsError::of("UpdateItem", &e)),
            )?;
        }
        Ok(())
    }
}

impl Suppression {
    /// What registers said of the numbers behind suppression keys, read consistently; keys of which nothing
    /// is known are not in it.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read: then nothing may be advertised.
    pub async fn checks(
        &self,
        keys: &[String],
    ) -> Result<HashMap<String, Vec<RegisterCheck>>, AwsError> {
        let mut wanted = keys.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let wanted = wanted
            .iter()
            .map(|key| [("pk".to_owned(), s(of_registers(key)))].into())
            .collect();
        let items = batch_get(&self.client, &self.table, wanted).await?;
        let found = items.iter().filter_map(|item| {
            let key = item.text("pk")?.strip_prefix(REGISTERS)?.to_owned();
            let answers = item.iter().filter_map(|(name, value)| {
                let registry = name.strip_prefix(ANSWER)?;
                read_check(registry, value.as_s().ok()?)
            });
            let checks = answers.collect();
            Some((key, checks))
        });
        Ok(found.collect())
    }

    /// Stores what a register said of a number; DynamoDB deletes it when it no longer counts. What is newer
    /// stays, and of one day `listed` does.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_check(
        &self,
        key: &Pseudonym,
        check: &RegisterCheck,
        until: Timestamp,
    ) -> Result<(), AwsError> {
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(of_registers(key.as_str())))
            .update_expression("SET #r = :answer, #t = :until")
            .condition_expression("attribute_not_exists(#r) OR #r <= :answer")
            .expression_attribute_names("#r", format!("{ANSWER}{}", check.registry))
            .expression_attribute_names("#t", "ttl")
            .expression_attribute_values(":answer", s(written_check(check)))
            .expression_attribute_values(":until", n(until.seconds()));
        taken(
            call.send()
                .await
                .map_err(|e| AwsError::of("UpdateItem", &e)),
        )?;
        Ok(())
    }
}

/// Whether somebody may be written to on the word of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// By this request, now or by an earlier try.
    Mine,
    /// They were, by another request.
    Other,
    /// Today nobody more is.
    Full,
}

impl Suppression {
    /// Marks a person, of whom none of the keys is marked, as written to by a request, under those that are written
    /// now, and counts them for today: both or neither, and a request once. The mark outlives the person's own row, so that to be forgotten and imported
    /// again is no way around it.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; trying again is safe.
    pub async fn write_once(
        &self,
        keys: &[String],
        written: &[String],
        cause: &str,
        per_day: u32,
        now: Timestamp,
    ) -> Result<Once, AwsError> {
        if let Some(known) = self.written(keys, cause, now).await? {
            return Ok(known);
        }
        let unbuilt = |_build| AwsError::new("TransactWriteItems", "request not built");
        let mut call = self.client.transact_write_items();
        for key in written {
            let mark = Update::builder()
                .table_name(&self.table)
                .key("pk", s(of_messages(key)))
                .update_expression("SET cause = :cause, #t = :until")
                .condition_expression("attribute_not_exists(pk) OR #t <= :now")
                .expression_attribute_names("#t", "ttl")
                .expression_attribute_values(":cause", s(cause))
                .expression_attribute_values(":until", n(now.plus_millis(ONCE_MS).seconds()))
                .expression_attribute_values(":now", n(now.seconds()))
                .build()
                .map_err(unbuilt)?;
            call = call.transact_items(TransactWriteItem::builder().update(mark).build());
        }
        let day = Update::builder()
            .table_name(&self.table)
            .key("pk", s(of_day(now.day())))
            .update_expression("SET #t = :until ADD n :one")
            .condition_expression("attribute_not_exists(n) OR n < :limit")
            .expression_attribute_names("#t", "ttl")
            .expression_attribute_values(":until", n(now.plus_millis(2 * DAY).seconds()))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":limit", n(per_day))
            .build()
            .map_err(unbuilt)?;
        call = call.transact_items(TransactWriteItem::builder().update(day).build());
        match call
            .send()
            .await
            .map_err(|e| AwsError::of("TransactWriteItems", &e))
        {
            Ok(_) => return Ok(Once::Mine),
            Err(e) if e.is("TransactionCanceledException") => {}
            Err(e) => return Err(e),
        }
        // Our own write whose answer was lost, somebody else's, or the day is full.
        if let Some(known) = self.written(keys, cause, now).await? {
            return Ok(known);
        }
        let wanted = vec![[("pk".to_owned(), s(of_day(now.day())))].into()];
        let items = batch_get(&self.client, &self.table, wanted).await?;
        let counted = items.first().and_then(|item| item.number("n"));
        if counted.is_some_and(|counted| counted >= i64::from(per_day)) {
            return Ok(Once::Full);
        }
        Err(AwsError::new("marking whom a file writes to", "contended"))
    }

    /// Whether a person bears such a mark, and whose; the strictest of their keys counts.
    async fn written(
        &self,
        keys: &[String],
        cause: &str,
        now: Timestamp,
    ) -> Result<Option<Once>, AwsError> {
        let wanted = keys
            .iter()
            .map(|key| [("pk".to_owned(), s(of_messages(key)))].into())
            .collect();
        let items = batch_get(&self.client, &self.table, wanted).await?;
        // DynamoDB deletes what has run out some days later.
        let holds = items.iter().filter(|item| {
            let until = item.number("ttl").map(Timestamp::from_seconds);
            until.is_some_and(|until| until > now)
        });
        let mut known = None;
        for mark in holds {
            let is_mine = mark.text("cause") == Some(cause);
            if !is_mine {
                return Ok(Some(Once::Other));
            }
            known = Some(Once::Mine);
        }
        Ok(known)
    }
}

/// Before the key of a person who was written to on the word of a file.
const MESSAGES: &str = "import-message#";

fn of_messages(key: &str) -> String {
    format!("{MESSAGES}{key}")
}

/// How many were on a day.
fn of_day(day: Day) -> String {
    format!("import-messages#{day}")
}

/// Before the key of a person, so that what registers said of them stands beside what they said.
const REGISTERS: &str = "register#";

fn of_registers(key: &str) -> String {
    format!("{REGISTERS}{key}")
}

/// Before the name of a register, in the attribute that holds its answer.
const ANSWER: &str = "at_register_";

/// The day first, so that the later text is the later answer.
fn written_check(check: &RegisterCheck) -> String {
    let answer = if check.listed { "listed" } else { "clear" };
    format!("{} {answer}", check.checked_on)
}

/// A text nobody wrote is no check.
fn read_check(registry: &str, text: &str) -> Option<RegisterCheck> {
    let (day, answer) = text.split_once(' ')?;
    Some(RegisterCheck {
        registry: registry.to_owned(),
        checked_on: Day::parse(day).ok()?,
        listed: answer != "clear",
    })
}

/// The attribute that says since when a purpose is on the list: each has a no of its own.
fn since(purpose: Purpose) -> String {
    format!("at_{purpose}")
}

fn words(purposes: &[Purpose]) -> AttributeValue {
    AttributeValue::Ss(purposes.iter().map(|p| p.word().to_owned()).collect())
}
