//! Cancelling by the app: finding a record by the app's id, and moving it only while it waits.
//!
//! Owns the conditional write. Does not know whether a record that waits is being sent at this
//! moment: that is in the claims (`pacing`).

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use headgate_domain::identity::Pseudonym;
use headgate_domain::record::{RecordRef, State};
use headgate_domain::time::Timestamp;

use crate::item::{Attributes, Item, key, ms, n, s};
use crate::{Aws, AwsError};

/// Records as cancelling needs them.
#[derive(Clone)]
pub struct Cancellations {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// What an app's id leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The record it was accepted under.
    Record(RecordRef),
    /// Nobody used the id, or it is forgotten.
    Nothing,
    /// The entry cannot be read.
    Damaged,
}

/// What came of a cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The record is cancelled for this reason, by this call or an earlier one.
    For(Option<String>),
    /// It stands elsewhere.
    Stood(State),
    /// There is no such record.
    Absent,
}

impl Cancellations {
    /// The messages table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// The record an id was accepted under, whatever its content was.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn find(&self, id: &Pseudonym, now: Timestamp) -> Result<Found, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("I#{}", id.as_str()), "I")))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let known = answer
            .item
            .filter(|item| item.number("ttl").is_none_or(|ttl| now.seconds() < ttl));
        Ok(known.map_or(Found::Nothing, |item| {
            item.text("ref")
                .and_then(RecordRef::parse)
                .map_or(Found::Damaged, Found::Record)
        }))
    }

    /// Cancels a record that waits.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn cancel(
        &self,
        reference: &RecordRef,
        reason: &str,
        now: Timestamp,
    ) -> Result<Cancelled, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(reference.pk(), reference.ulid.as_str())))
            .update_expression(
                "SET #state = :cancelled, #rank = :rank, #reason = :reason, settled_at = :now",
            )
            .condition_expression("#state IN (:queued, :scheduled)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#rank", "rank")
            .expression_attribute_names("#reason", "reason")
            .expression_attribute_values(":cancelled", s(State::Cancelled.word()))
            .expression_attribute_values(":rank", n(State::Cancelled.rank()))
            .expression_attribute_values(":reason", s(reason))
            .expression_attribute_values(":now", ms(now))
            .expression_attribute_values(":queued", s(State::Queued.word()))
            .expression_attribute_values(":scheduled", s(State::Scheduled.word()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Cancelled::For(Some(reason.to_owned())));
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(failed)) =
            error.as_service_error()
        else {
            return Err(AwsError::of("UpdateItem", &error));
        };
        Ok(failed.item().map_or(Cancelled::Absent, stands))
    }
}

fn stands(item: &Item) -> Cancelled {
    match item.text("state").and_then(State::from_word) {
        Some(State::Cancelled) => Cancelled::For(item.text("reason").map(str::to_owned)),
        Some(state) => Cancelled::Stood(state),
        None => Cancelled::Absent,
    }
}
