//! Evidence: what was done to keep a promise, kept for an auditor.

use headgate_domain::time::Timestamp;

use crate::item::{Attributes, key, s};
use crate::{Aws, AwsError};

/// The one item that says which purge has no evidence yet.
const OPEN: &str = "purge#open";

/// The evidence table.
#[derive(Clone)]
pub struct Evidence {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Evidence {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// Records a purge manifest, JSON without personal data.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn record_purge(&self, at: Timestamp, manifest: &str) -> Result<(), AwsError> {
        let mut item = key(format!("purge#{}", at.day()), at.to_string());
        item.insert("manifest".to_owned(), s(manifest));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// Notes which days are about to be destroyed, before they are: a run that ends between the
    /// destruction and its evidence is thereby caught up by the next one. Empty: nothing is open.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_open_purge(&self, days: &[String]) -> Result<(), AwsError> {
        let mut item = key(OPEN, OPEN);
        item.insert("manifest".to_owned(), s(days.join(" ")));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// The days of a purge that has no evidence yet.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn open_purge(&self) -> Result<Vec<String>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(OPEN, OPEN)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let days = answer
            .item
            .as_ref()
            .and_then(|item| item.text("manifest"))
            .unwrap_or_default();
        Ok(days.split_whitespace().map(str::to_owned).collect())
    }
}
