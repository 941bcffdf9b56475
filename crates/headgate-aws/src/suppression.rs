//! The suppression list: who said no, under names that cannot be joined with traffic.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::identity::Pseudonym;
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;

use crate::item::{Attributes, batch_get, ms, s};
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

    /// Adds purposes to a person's entry.
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
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(key.as_str()))
            .update_expression("ADD purposes :p SET #at = :at, #m = :m")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#m", "method")
            .expression_attribute_values(":p", words(purposes))
            .expression_attribute_values(":at", ms(at))
            .expression_attribute_values(":m", s(method))
            .send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    /// Takes purposes off a person's entry after a newer yes; an entry that is newer than the yes stays.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn lift(
        &self,
        key: &Pseudonym,
        purposes: &[Purpose],
        yes_at: Timestamp,
    ) -> Result<(), AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(key.as_str()))
            .update_expression("DELETE purposes :p")
            .condition_expression("attribute_exists(pk) AND #at < :yes")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":p", words(purposes))
            .expression_attribute_values(":yes", ms(yes_at))
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Ok(_) => Ok(()),
            Err(e) if e.is("ConditionalCheckFailedException") => Ok(()),
            Err(e) => Err(e),
        }
    }
}

fn words(purposes: &[Purpose]) -> AttributeValue {
    AttributeValue::Ss(purposes.iter().map(|p| p.word().to_owned()).collect())
}
