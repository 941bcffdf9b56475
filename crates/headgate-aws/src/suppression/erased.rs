//! Who was erased, and when: so that nothing from before brings them back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::identity::Pseudonym;
use headgate_domain::privacy::ERASED_MARK_MS;
use headgate_domain::time::Timestamp;

use super::{ANSWER, Suppression, of_registers};
use crate::AwsError;
use crate::item::{Attributes, Item, batch_get, ms, n, s, taken};

/// Before the key of a person who was erased.
const ERASED: &str = "erased#";

fn of_erased(key: &str) -> String {
    format!("{ERASED}{key}")
}

impl Suppression {
    /// Notes that whoever is behind a key was erased; the latest time counts.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn mark_erased(&self, key: &Pseudonym, at: Timestamp) -> Result<(), AwsError> {
        let until = at.plus_millis(ERASED_MARK_MS);
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(of_erased(key.as_str())))
            .update_expression("SET #at = :at, #ttl = :until")
            .condition_expression("attribute_not_exists(#at) OR #at < :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":at", ms(at))
            .expression_attribute_values(":until", n(until.seconds()));
        taken(
            call.send()
                .await
                .map_err(|e| AwsError::of("UpdateItem", &e)),
        )
    }

    /// When somebody behind any of some keys was erased last, lately.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn erased_at(&self, keys: &[Pseudonym]) -> Result<Option<Timestamp>, AwsError> {
        let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
        Ok(self.erased(&keys).await?.into_values().max())
    }

    /// When whoever is behind each of some keys was erased, lately, in one read per hundred; who was not is not in it.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn erased(&self, keys: &[String]) -> Result<HashMap<String, Timestamp>, AwsError> {
        let mut wanted = keys.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let wanted = wanted.iter().map(|key| one(of_erased(key))).collect();
        let items = batch_get(&self.client, &self.table, wanted).await?;
        let erased = items.iter().filter_map(|item| {
            let key = item.text("pk")?.strip_prefix(ERASED)?;
            Some((key.to_owned(), item.time("at")?))
        });
        Ok(erased.collect())
    }

    /// How many rows say what registers know of the numbers behind some keys.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn count_registers(&self, keys: &[String]) -> Result<u64, AwsError> {
        let wanted = keys.iter().map(|key| one(of_registers(key))).collect();
        let items = batch_get(&self.client, &self.table, wanted).await?;
        let say = items.iter().filter(|item| answers(item).next().is_some());
        Ok(say.count().try_into().unwrap_or(u64::MAX))
    }

    /// Forgets what registers said of the numbers behind some keys. Nobody may delete a row of this table, lest a no
    /// be lifted so: the answers are taken out, and the row runs out.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn forget_registers(&self, keys: &[String], now: Timestamp) -> Result<(), AwsError> {
        let wanted = keys.iter().map(|key| one(of_registers(key))).collect();
        for item in batch_get(&self.client, &self.table, wanted).await? {
            let Some(pk) = item.text("pk") else {
                continue;
            };
            let mut call = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("pk", s(pk))
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":now", n(now.seconds()));
            let mut removed = Vec::new();
            for (index, answer) in answers(&item).enumerate() {
                call = call.expression_attribute_names(format!("#r{index}"), answer);
                removed.push(format!("#r{index}"));
            }
            if removed.is_empty() {
                continue;
            }
            call.update_expression(format!("SET #ttl = :now REMOVE {}", removed.join(", ")))
                .send()
                .await
                .map_err(|e| AwsError::of("UpdateItem", &e))?;
        }
        Ok(())
    }
}

/// The attributes that hold what a register said.
fn answers(item: &Item) -> impl Iterator<Item = &String> {
    item.keys().filter(|name| name.starts_with(ANSWER))
}

fn one(pk: String) -> HashMap<String, AttributeValue> {
    [("pk".to_owned(), s(pk))].into()
}
