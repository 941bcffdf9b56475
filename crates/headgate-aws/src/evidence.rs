//! Evidence: what was done to keep a promise, kept for an auditor.

use headgate_domain::time::Timestamp;

use crate::item::{key, s};
use crate::{Aws, AwsError};

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
}
