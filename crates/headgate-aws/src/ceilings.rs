//! The counters of the abuse ceilings, in the pacing table.
//!
//! A message is counted in one transaction with the claim of its id: all its counters or none, and
//! once however often it is delivered. `n` never passes its limit, whoever counts at the same
//! time. Decides neither what is counted nor how much is too much: that is
//! `headgate_domain::ceilings`.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use headgate_domain::ceilings::Counter;
use headgate_domain::identity::Pseudonym;
use headgate_domain::record::RecordRef;
use headgate_domain::time::{HOUR, Timestamp};

use crate::item::{Attributes, key, n, s, was_taken};
use crate::{Aws, AwsError};

/// How often a transaction that met another one is tried.
const TRIES: u32 = 12;

/// The counters.
#[derive(Clone)]
pub struct Ceilings {
    client: aws_sdk_dynamodb::Client,
    pacing: String,
    messages: String,
}

/// What came of counting a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is counted, now or at an earlier delivery.
    Within,
    /// A counter stands at its limit; nothing was counted.
    Full,
    /// The claim of the id is gone or another one: somebody else has it in hand.
    Unclaimed,
}

impl Ceilings {
    /// The counters of the table `pacing`, for ids claimed in the table `messages`.
    pub fn new(aws: &Aws, pacing: &str, messages: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            pacing: pacing.to_owned(),
            messages: messages.to_owned(),
        }
    }

    /// Counts the message that claimed an id, in all its counters or in none.
    ///
    /// # Errors
    /// [`AwsError`] when the tables did not answer, or too many counted the same at once.
    pub async fn count(
        &self,
        id: &Pseudonym,
        reference: &RecordRef,
        counters: &[Counter],
        now: Timestamp,
    ) -> Result<Counted, AwsError> {
        for attempt in 0..TRIES {
            if let Some(counted) = self.once(id, reference, counters, now).await? {
                return Ok(counted);
            }
            // Two transactions met on one counter: AWS cancels one of them at once.
            let pause = u64::from(attempt.saturating_add(1)).saturating_mul(7);
            let [any] = crate::random::<1>()?;
            let spread = u64::from(any % 16);
            tokio::time::sleep(Duration::from_millis(pause.saturating_add(spread))).await;
        }
        Err(AwsError::new("counting a message", "contended"))
    }

    /// One attempt; `None` when another transaction was in the way.
    async fn once(
        &self,
        id: &Pseudonym,
        reference: &RecordRef,
        counters: &[Counter],
        now: Timestamp,
    ) -> Result<Option<Counted>, AwsError> {
        let unbuilt = |_build| AwsError::new("TransactWriteItems", "request not built");
        let mark = Update::builder()
            .table_name(&self.messages)
            .set_key(Some(key(format!("I#{}", id.as_str()), "I")))
            .update_expression("SET counted = :now")
            .condition_expression("#ref = :ref AND attribute_not_exists(counted)")
            .expression_attribute_names("#ref", "ref")
            .expression_attribute_values(":ref", s(reference.to_string()))
            .expression_attribute_values(":now", n(now.millis()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(unbuilt)?;
        let mut call = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(mark).build());
        for counter in counters {
            let update = Update::builder()
                .table_name(&self.pacing)
                .set_key(Some(key(counter.key(), counter.hour())))
                .update_expression("SET #ttl = :ttl ADD n :one")
                .condition_expression("attribute_not_exists(n) OR n < :limit")
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(
                    ":ttl",
                    n(counter.ends_at().plus_millis(HOUR).seconds()),
                )
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":limit", n(counter.limit))
                .build()
                .map_err(unbuilt)?;
            call = call.transact_items(TransactWriteItem::builder().update(update).build());
        }
        let error = match call.send().await {
            Ok(_written) => return Ok(Some(Counted::Within)),
            Err(error) => error,
        };
        let failure = AwsError::of("TransactWriteItems", &error);
        if failure.is("TransactionConflictException")
            || failure.is("TransactionInProgressException")
        {
            return Ok(None);
        }
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Err(failure);
        };
        let reasons = cancelled.cancellation_reasons();
        let failed = |code: Option<&str>| code == Some("ConditionalCheckFailed");
        let claim = reasons.first().filter(|mark| failed(mark.code()));
        if let Some(claim) = claim {
            let same = reference.to_string();
            let is_ours = claim
                .item()
                .is_some_and(|item| item.text("ref") == Some(same.as_str()));
            return Ok(Some(if is_ours {
                Counted::Within
            } else {
                Counted::Unclaimed
            }));
        }
        if reasons.iter().skip(1).any(|counter| failed(counter.code())) {
            return Ok(Some(Counted::Full));
        }
        let met = |code: Option<&str>| {
            matches!(
                code,
                Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
            )
        };
        if reasons.iter().any(|reason| met(reason.code())) {
            return Ok(None);
        }
        Err(failure)
    }

    /// Gives an id back whose message was refused; `false` when it is counted or not ours after all.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn release(&self, id: &Pseudonym, reference: &RecordRef) -> Result<bool, AwsError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.messages)
            .set_key(Some(key(format!("I#{}", id.as_str()), "I")))
            .condition_expression(
                "attribute_not_exists(pk) OR (#ref = :ref AND attribute_not_exists(counted))",
            )
            .expression_attribute_names("#ref", "ref")
            .expression_attribute_values(":ref", s(reference.to_string()))
            .send()
            .await;
        was_taken(answer.map_err(|e| AwsError::of("DeleteItem", &e)))
    }
}
