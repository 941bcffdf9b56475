//! Walking a partition of the outbox by time, for whoever may read some attributes of its rows and no others.

use aws_sdk_dynamodb::types::Select;
use headgate_domain::lane::Purpose;
use headgate_domain::record::{outbox_pk, ulid_floor};
use headgate_domain::time::Timestamp;

use crate::AwsError;
use crate::item::{Attributes, Item, s};

/// Tells every row that was accepted from one moment to before another, page by page: its key, and these attributes.
pub(crate) async fn walk(
    (client, table): (&aws_sdk_dynamodb::Client, &str),
    (number, lane, shard): (&str, Purpose, u8),
    (from, until): (Timestamp, Timestamp),
    attributes: &[&str],
    mut told: impl FnMut(&Item),
) -> Result<(), AwsError> {
    // What begins at the end is above it, so that the end itself is not in.
    let (first, end) = (ulid_floor(from), ulid_floor(until));
    let names: Vec<String> = attributes.iter().map(|name| format!("#{name}")).collect();
    let mut start = None;
    loop {
        let mut call = client
            .query()
            .table_name(table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :end")
            .expression_attribute_values(":pk", s(outbox_pk(number, lane, shard)))
            .expression_attribute_values(":first", s(&first))
            .expression_attribute_values(":end", s(&end))
            .select(Select::SpecificAttributes)
            .projection_expression(format!("pk, sk, {}", names.join(", ")))
            .set_exclusive_start_key(start);
        for (name, attribute) in names.iter().zip(attributes) {
            call = call.expression_attribute_names(name, *attribute);
        }
        let answer = call.send().await.map_err(|e| AwsError::of("Query", &e))?;
        for item in answer.items.unwrap_or_default() {
            if item.text("sk").is_some_and(|ulid| ulid < end.as_str()) {
                told(&item);
            }
        }
        start = answer.last_evaluated_key.filter(|key| !key.is_empty());
        if start.is_none() {
            return Ok(());
        }
    }
}
