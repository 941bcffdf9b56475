//! DynamoDB items: reading and writing attributes without ceremony.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, WriteRequest};
use headgate_domain::time::Timestamp;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "numbers are copied; a reference at every call would only be noise"
)]
pub(crate) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn b(bytes: Vec<u8>) -> AttributeValue {
    AttributeValue::B(bytes.into())
}

pub(crate) fn ms(at: Timestamp) -> AttributeValue {
    n(at.millis())
}

pub(crate) trait Attributes {
    fn text(&self, name: &str) -> Option<&str>;
    fn number(&self, name: &str) -> Option<i64>;
    fn bytes(&self, name: &str) -> Option<&[u8]>;
    fn flag(&self, name: &str) -> bool;
    fn set(&self, name: &str) -> &[String];
    fn time(&self, name: &str) -> Option<Timestamp> {
        self.number(name).map(Timestamp::from_millis)
    }
}

impl Attributes for Item {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_s().ok().map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_n().ok()?.parse().ok()
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.get(name)?.as_b().ok().map(AsRef::as_ref)
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name)
            .and_then(|v| v.as_bool().ok())
            .copied()
            .unwrap_or(false)
    }

    fn set(&self, name: &str) -> &[String] {
        self.get(name)
            .and_then(|v| v.as_ss().ok())
            .map_or(&[], Vec::as_slice)
    }
}

/// Whether a conditional write was made: a condition that does not hold is an answer, and no failure.
pub(crate) fn was_taken<T>(answer: Result<T, crate::AwsError>) -> Result<bool, crate::AwsError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.is("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// The same of a write that may find that it is not needed.
pub(crate) fn taken<T>(answer: Result<T, crate::AwsError>) -> Result<(), crate::AwsError> {
    was_taken(answer).map(drop)
}

/// Makes an update whose condition may not hold; whether it was made.
pub(crate) async fn changed(update: UpdateItemFluentBuilder) -> Result<bool, crate::AwsError> {
    let answer = update.send().await;
    was_taken(answer.map_err(|e| crate::AwsError::of("UpdateItem", &e)))
}

/// Writes all or nothing; `false` when a condition does not hold.
pub(crate) async fn transact(
    client: &aws_sdk_dynamodb::Client,
    items: Vec<TransactWriteItem>,
) -> Result<bool, crate::AwsError> {
    let call = client.transact_write_items();
    let answer = call.set_transact_items(Some(items)).send().await;
    match answer.map_err(|e| crate::AwsError::of("TransactWriteItems", &e)) {
        Ok(_) => Ok(true),
        Err(error) if error.is("TransactionCanceledException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// A key of a table with partition and sort key.
pub(crate) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))])
}

/// Writes an item whose key nobody has taken; the item that has, when somebody has. A call that is repeated
/// after its answer was lost finds its own.
pub(crate) async fn put_if_new(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    item: Item,
) -> Result<Option<Item>, crate::AwsError> {
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
    let answer = client
        .put_item()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    let Err(error) = answer else {
        return Ok(None);
    };
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => failed
            .item()
            .cloned()
            .map(Some)
            .ok_or_else(|| crate::AwsError::new("PutItem", "no item with the refusal")),
        _ => Err(crate::AwsError::of("PutItem", &error)),
    }
}

/// A query for all of a partition, consistently.
pub(crate) fn partition(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    pk: impl Into<String>,
) -> QueryFluentBuilder {
    client
        .query()
        .table_name(table)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", s(pk))
        .consistent_read(true)
}

/// Everything a query finds, over as many pages as it takes.
pub(crate) async fn all(query: QueryFluentBuilder) -> Result<Vec<Item>, crate::AwsError> {
    let found = query.into_paginator().items().send();
    let found: Result<Vec<Item>, _> = found.collect().await;
    found.map_err(|e| crate::AwsError::of("Query", &e))
}

/// Reads up to any number of items by key, a hundred a call, consistently; missing ones are absent.
pub(crate) async fn batch_get(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    keys: Vec<Item>,
) -> Result<Vec<Item>, crate::AwsError> {
    Box::pin(batch_read(client, table, keys, None)).await
}

/// The same with only some attributes of each, for who may read no others.
pub(crate) async fn batch_get_some(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    keys: Vec<Item>,
    attributes: &str,
) -> Result<Vec<Item>, crate::AwsError> {
    Box::pin(batch_read(client, table, keys, Some(attributes))).await
}

async fn batch_read(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    keys: Vec<Item>,
    attributes: Option<&str>,
) -> Result<Vec<Item>, crate::AwsError> {
    use aws_sdk_dynamodb::types::KeysAndAttributes;
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(100) {
        let mut pending = chunk.to_vec();
        let mut tries = 0_u32;
        while !pending.is_empty() {
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(pending))
                .set_projection_expression(attributes.map(str::to_owned))
                .consistent_read(true)
                .build()
                .map_err(|_build| crate::AwsError::new("BatchGetItem", "request not built"))?;
            let answer = client
                .batch_get_item()
                .request_items(table, wanted)
                .send()
                .await
                .map_err(|e| crate::AwsError::of("BatchGetItem", &e))?;
            found.extend(
                answer
                    .responses
                    .unwrap_or_default()
                    .remove(table)
                    .unwrap_or_default(),
            );
            pending = answer
                .unprocessed_keys
                .unwrap_or_default()
                .remove(table)
                .map(|k| k.keys)
                .unwrap_or_default();
            if !pending.is_empty() {
                back_off("BatchGetItem", &mut tries).await?;
            }
        }
    }
    Ok(found)
}

/// Puts or deletes any number of items, 25 a call and unconditionally; no key may be there twice.
pub(crate) async fn batch_write(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    requests: Vec<WriteRequest>,
) -> Result<(), crate::AwsError> {
    for chunk in requests.chunks(25) {
        let mut pending = chunk.to_vec();
        let mut tries = 0_u32;
        while !pending.is_empty() {
            let answer = client
                .batch_write_item()
                .request_items(table, pending)
                .send()
                .await
                .map_err(|e| crate::AwsError::of("BatchWriteItem", &e))?;
            pending = answer
                .unprocessed_items
                .unwrap_or_default()
                .remove(table)
                .unwrap_or_default();
            if !pending.is_empty() {
                back_off("BatchWriteItem", &mut tries).await?;
            }
        }
    }
    Ok(())
}

/// The requests that delete rows, by the key attributes of each.
pub(crate) fn deletions(rows: &[Item]) -> Result<Vec<WriteRequest>, crate::AwsError> {
    use aws_sdk_dynamodb::types::DeleteRequest;
    let delete = |row: &Item| {
        let [pk, sk] = ["pk", "sk"].map(|name| row.text(name).unwrap_or_default());
        let delete = DeleteRequest::builder()
            .set_key(Some(key(pk, sk)))
            .build()
            .map_err(|_build| crate::AwsError::new("BatchWriteItem", "request not built"))?;
        Ok(WriteRequest::builder().delete_request(delete).build())
    };
    rows.iter().map(delete).collect()
}

/// What a batch did not take is asked for again, each time later, and not for ever.
async fn back_off(operation: &'static str, tries: &mut u32) -> Result<(), crate::AwsError> {
    *tries = tries.saturating_add(1);
    if *tries > 6 {
        return Err(crate::AwsError::new(operation, "throttled"));
    }
    let pause = Duration::from_millis(20_u64.saturating_mul(1 << *tries));
    tokio::time::sleep(pause).await;
    Ok(())
}
