//! What the HTTP API has taken, so that a repetition is told from a second record of the same id.
//!
//! A record is noted before it is queued and marked after it: who finds the note and not the mark queues
//! it again, because whoever noted it may have ended in between. Names and contents come here as keyed
//! hashes; nothing in it names a person.

use headgate_domain::time::{DAY, Timestamp};

use crate::item::{Attributes, key, ms, n, put_if_new, s};
use crate::{Aws, AwsError};

/// As long as an id on a lane.
const KEEP_MS: i64 = 90 * DAY;

/// The records of the API.
#[derive(Clone)]
pub struct ApiRecords {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It has to be queued: it is new, or whoever noted it did not come to it.
    ToQueue,
    /// It was queued before.
    Queued,
    /// Another record has its id.
    Other,
}

impl ApiRecords {
    /// The records in the privacy-requests table.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// Notes a record under its name.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note(&self, name: &str, content: &str, now: Timestamp) -> Result<Noted, AwsError> {
        let mut item = key(of(name), "record");
        item.insert("content".to_owned(), s(content));
        item.insert("noted_at".to_owned(), ms(now));
        item.insert("ttl".to_owned(), n(now.plus_millis(KEEP_MS).seconds()));
        let Some(found) = put_if_new(&self.client, &self.table, item).await? else {
            return Ok(Noted::ToQueue);
        };
        Ok(if found.text("content") != Some(content) {
            Noted::Other
        } else if found.time("queued_at").is_some() {
            Noted::Queued
        } else {
            // Our own first attempt, too, when its answer was lost.
            Noted::ToQueue
        })
    }

    /// Marks a record as queued.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; the record is queued all the same.
    pub async fn mark_queued(&self, name: &str, now: Timestamp) -> Result<(), AwsError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(of(name), "record")))
            .update_expression("SET queued_at = :now")
            .expression_attribute_values(":now", ms(now))
            .send()
            .await
            .map(|_marked| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }
}

fn of(name: &str) -> String {
    format!("api-record#{name}")
}
