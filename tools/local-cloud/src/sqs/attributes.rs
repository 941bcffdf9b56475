//! The attributes of a queue: what it holds, and how it is set up.

use serde_json::{Value, json};

use super::operations::{Outcome, Sqs, failure};
use super::wire::{Refusal, Request};
use crate::stack::{ACCOUNT, REGION};

/// `GetQueueAttributes`.
pub(super) fn read(sqs: &Sqs, queue: &str, request: &Request) -> Outcome {
    let mut engine = sqs.engine();
    let (visible, in_flight, delayed) = engine.sizes(queue).map_err(failure)?;
    let settings = engine
        .settings(queue)
        .ok_or_else(Refusal::no_queue)?
        .clone();
    let mut all = vec![
        ("ApproximateNumberOfMessages", visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            in_flight.to_string(),
        ),
        ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
        ("QueueArn", settings.arn.clone()),
        ("VisibilityTimeout", settings.visibility_s.to_string()),
        ("MessageRetentionPeriod", settings.retention_s.to_string()),
        ("DelaySeconds", settings.delay_s.to_string()),
        ("ReceiveMessageWaitTimeSeconds", settings.wait_s.to_string()),
        ("MaximumMessageSize", settings.max_size.to_string()),
    ];
    if let Some(redrive) = &settings.redrive {
        let target = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", redrive.queue);
        let policy =
            json!({"deadLetterTargetArn": target, "maxReceiveCount": redrive.max_receives});
        all.push(("RedrivePolicy", policy.to_string()));
    }
    let wanted = |name: &str| {
        request
            .attribute_names
            .iter()
            .any(|n| n == "All" || n == name)
    };
    let chosen: serde_json::Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    Ok(json!({"Attributes": chosen}))
}

/// `SetQueueAttributes`.
pub(super) fn write(sqs: &Sqs, queue: &str, request: &Request) -> Outcome {
    let mut engine = sqs.engine();
    let settings = engine.settings_mut(queue).ok_or_else(Refusal::no_queue)?;
    for (name, value) in &request.attributes {
        let target = match name.as_str() {
            "VisibilityTimeout" => &mut settings.visibility_s,
            "MessageRetentionPeriod" => &mut settings.retention_s,
            "DelaySeconds" => &mut settings.delay_s,
            "ReceiveMessageWaitTimeSeconds" => &mut settings.wait_s,
            _ => {
                return Err(Refusal::new(
                    "com.amazonaws.sqs#InvalidAttributeName",
                    "InvalidAttributeName",
                    "The attribute cannot be set locally.",
                ));
            }
        };
        *target = value.parse().map_err(|_not_a_number| {
            Refusal::invalid("The value of an attribute is not a number.")
        })?;
    }
    Ok(json!({}))
}
