//! Links to confirm: where each stands, in the privacy-requests table.
//!
//! A row names nobody: whom the link asks stands in the subjects table, under the same hash. The consent API
//! writes rows, the pages move one from `issued` to `confirmed`, intake only reads. What pressing does is
//! `headgate_domain::confirm_link`'s to say.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use headgate_domain::api_token::TokenId;
use headgate_domain::confirm_link::{LinkRow, Standing};
use headgate_domain::time::{DAY, Timestamp};

use crate::item::{Attributes, Item, batch_get, key, ms, n, put_if_new, s};
use crate::{Aws, AwsError};

/// As long as the record behind it is remembered, so that a link that was pressed can say so.
const KEEP_MS: i64 = 90 * DAY;
const SORT: &str = "link";

/// The rows of links.
#[derive(Clone)]
pub struct ConfirmLinks {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// A link, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Where it stands.
    pub standing: Standing,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was pressed.
    pub confirmed_at: Option<Timestamp>,
    /// Whether that is known to be on the consents queue.
    pub is_queued: bool,
}

impl ConfirmLinks {
    /// The links in the privacy-requests table.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// Makes the row of a link; the one that is there when the same link was made before.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn issue(
        &self,
        row: &LinkRow,
        by: &TokenId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Issued, AwsError> {
        let mut item = of(row);
        item.insert("issued_by".to_owned(), s(by.as_str()));
        item.insert("issued_at".to_owned(), ms(now));
        item.insert("expires_at".to_owned(), ms(expires_at));
        item.insert("ttl".to_owned(), n(now.plus_millis(KEEP_MS).seconds()));
        let made = issued_of(&item);
        let found = put_if_new(&self.client, &self.table, item).await?;
        let issued = found.as_ref().map_or(made, issued_of);
        issued.ok_or_else(|| AwsError::new("PutItem", "the row of a link is damaged"))
    }

    /// Where a link stands, read consistently; `None` when there is none.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, row: &LinkRow) -> Result<Option<Issued>, AwsError> {
        let items = batch_get(&self.client, &self.table, vec![of(row)]).await?;
        Ok(items.first().and_then(issued_of))
    }

    /// Confirms by an attempt of this name, if the link still waits for it; where it stands then, whoever
    /// has brought it there. `None` when there is no such link.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn press(
        &self,
        row: &LinkRow,
        attempt: &str,
        now: Timestamp,
    ) -> Result<Option<Issued>, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(of(row)))
            .update_expression("SET confirmed_by = :attempt, confirmed_at = :now")
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(confirmed_by) AND expires_at > :now",
            )
            .expression_attribute_values(":attempt", s(attempt))
            .expression_attribute_values(":now", ms(now))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match answer {
            Ok(pressed) => return Ok(pressed.attributes().and_then(issued_of)),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(failed.item().and_then(issued_of))
            }
            _ => Err(AwsError::of("UpdateItem", &error)),
        }
    }

    /// Notes that what was pressed is on the queue.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; it is queued all the same.
    pub async fn mark_queued(&self, row: &LinkRow, now: Timestamp) -> Result<(), AwsError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(of(row)))
            .update_expression("SET queued_at = :now")
            .condition_expression("attribute_exists(confirmed_by)")
            .expression_attribute_values(":now", ms(now))
            .send()
            .await
            .map(|_marked| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }
}

fn of(row: &LinkRow) -> Item {
    key(row.as_str(), SORT)
}

fn issued_of(item: &Item) -> Option<Issued> {
    let confirmed_by = item.text("confirmed_by");
    Some(Issued {
        standing: confirmed_by.map_or(Standing::Issued, |by| Standing::Confirmed(by.to_owned())),
        issued_at: item.time("issued_at")?,
        expires_at: item.time("expires_at")?,
        confirmed_at: item.time("confirmed_at"),
        is_queued: item.time("queued_at").is_some(),
    })
}
