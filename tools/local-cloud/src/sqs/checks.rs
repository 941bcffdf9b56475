//! The limits of SQS, with the errors it gives beyond them.

use std::collections::BTreeSet;

use super::wire::{Entry, Refusal};

/// Entries of a batch, and messages of a receive.
pub(super) const MAX_ENTRIES: usize = 10;
/// One mebibyte, for a message and for a whole batch.
pub(super) const MAX_CALL_BYTES: usize = 1_048_576;

pub(super) fn check_message(entry: &Entry, max: usize) -> Result<(), Refusal> {
    let body = entry.message_body.as_deref().unwrap_or_default();
    if body.is_empty() {
        return Err(Refusal::new(
            "com.amazonaws.sqs#MissingRequiredParameterException",
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        ));
    }
    if entry.size() > max {
        return Err(Refusal::invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {max} bytes."
        )));
    }
    // SQS takes the characters of XML 1.0 only.
    let allowed = |c: char| matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if !body.chars().all(allowed) {
        return Err(Refusal::new(
            "com.amazonaws.sqs#InvalidMessageContents",
            "InvalidMessageContents",
            "The message contains characters outside the allowed set.",
        ));
    }
    if entry.delay_seconds.is_some_and(|d| !(0..=900).contains(&d)) {
        return Err(Refusal::invalid(
            "Value for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
        ));
    }
    if entry.message_attributes.len() > 10 {
        return Err(Refusal::invalid(
            "Number of message attributes exceeds the allowed maximum [10].",
        ));
    }
    Ok(())
}

pub(super) fn check_batch(entries: Option<Vec<Entry>>) -> Result<Vec<Entry>, Refusal> {
    let entries = entries.unwrap_or_default();
    if entries.is_empty() {
        return Err(Refusal::new(
            "com.amazonaws.sqs#EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest",
            "There should be at least one entry in the request.",
        ));
    }
    if entries.len() > MAX_ENTRIES {
        return Err(Refusal::new(
            "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            format!(
                "Maximum number of entries per request are {MAX_ENTRIES}. You have sent {}.",
                entries.len()
            ),
        ));
    }
    let ids: BTreeSet<&str> = entries.iter().map(|e| e.id.as_str()).collect();
    if ids.len() < entries.len() {
        return Err(Refusal::new(
            "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        ));
    }
    let valid = |id: &str| {
        (1..=80).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !entries.iter().all(|e| valid(&e.id)) {
        return Err(Refusal::new(
            "com.amazonaws.sqs#InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
             It can be at most 80 letters long.",
        ));
    }
    Ok(entries)
}
