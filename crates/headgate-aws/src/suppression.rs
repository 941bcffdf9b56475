//! The suppression list: who said no, under names that cannot be joined with traffic.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::identity::Pseudonym;
use headgate_domain::lane::Purpose;
use headgate_domain::time::{Day, Timestamp};

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
                .update_expression("ADD purposes :p SET #at = :at, #m = :m")
                .condition_expression("attribute_not_exists(#at) OR #at <= :at")
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
