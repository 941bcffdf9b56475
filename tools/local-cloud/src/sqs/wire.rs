//! The AWS JSON 1.0 side of SQS: requests, errors and the digests clients check.
//!
//! Promises error codes as the SDKs read them, in the body and in `x-amzn-query-error`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::types::{Attribute, Message, Receipt};

/// A refused request: the shape's name, the code of the older query protocol, a sentence.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) shape: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(shape: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            shape,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(
            "com.amazonaws.sqs#InvalidParameterValueException",
            "InvalidParameterValue",
            message,
        )
    }

    pub(crate) fn no_queue() -> Self {
        Self::new(
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    }

    pub(crate) fn handle() -> Self {
        Self::new(
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            "The input receipt handle is invalid.",
        )
    }
}

/// Every field a supported operation reads; absent ones stay empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Request {
    pub(crate) queue_url: String,
    pub(crate) queue_name: String,
    pub(crate) queue_name_prefix: String,
    pub(crate) entries: Option<Vec<Entry>>,
    pub(crate) max_number_of_messages: Option<i64>,
    pub(crate) wait_time_seconds: Option<i64>,
    pub(crate) attribute_names: Vec<String>,
    pub(crate) message_system_attribute_names: Vec<String>,
    pub(crate) message_attribute_names: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) source_arn: String,
    pub(crate) destination_arn: Option<String>,
    /// Who asks, from the signature.
    #[serde(skip)]
    pub(crate) caller: Option<String>,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

/// One message or receipt, alone or in a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) message_body: Option<String>,
    pub(crate) delay_seconds: Option<i64>,
    pub(crate) message_attributes: BTreeMap<String, Attribute>,
    pub(crate) message_system_attributes: BTreeMap<String, Attribute>,
    pub(crate) message_group_id: Option<String>,
    pub(crate) receipt_handle: String,
    pub(crate) visibility_timeout: Option<i64>,
}

impl Entry {
    /// The size SQS counts: the body and every attribute's name, type and value.
    pub(crate) fn size(&self) -> usize {
        let attributes: usize = self
            .message_attributes
            .iter()
            .map(|(name, a)| {
                name.len()
                    + a.data_type.len()
                    + a.string_value.as_ref().map_or(0, String::len)
                    + binary(a).len()
            })
            .sum();
        self.message_body.as_ref().map_or(0, String::len) + attributes
    }
}

fn binary(attribute: &Attribute) -> Vec<u8> {
    attribute
        .binary_value
        .as_ref()
        .and_then(|b| STANDARD.decode(b).ok())
        .unwrap_or_default()
}

/// Lower-case hexadecimal MD5, as SQS returns it.
pub(crate) fn md5_of(text: &[u8]) -> String {
    format!("{:x}", md5::compute(text))
}

/// The digest of message attributes that SDKs compare with their own.
pub(crate) fn md5_of_attributes(attributes: &BTreeMap<String, Attribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    let field = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    for (name, attribute) in attributes {
        field(&mut out, name.as_bytes());
        field(&mut out, attribute.data_type.as_bytes());
        if attribute.data_type.starts_with("Binary") {
            out.push(2);
            field(&mut out, &binary(attribute));
        } else {
            out.push(1);
            field(
                &mut out,
                attribute
                    .string_value
                    .as_deref()
                    .unwrap_or_default()
                    .as_bytes(),
            );
        }
    }
    Some(md5_of(&out))
}

/// What `SendMessage` answers, and one entry of what the batch answers.
pub(crate) fn sent(message: &Message, entry_id: Option<&str>) -> Value {
    let mut out = Map::new();
    if let Some(id) = entry_id {
        out.insert("Id".to_owned(), json!(id));
    }
    out.insert("MessageId".to_owned(), json!(message.id));
    let body = md5_of(message.body.as_bytes());
    out.insert("MD5OfMessageBody".to_owned(), json!(body));
    if let Some(md5) = md5_of_attributes(&message.attributes) {
        out.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
    }
    Value::Object(out)
}

/// One message of what `ReceiveMessage` answers.
pub(crate) fn received(receipt: &Receipt, request: &Request, stranger: &str) -> Value {
    let message = &receipt.message;
    let mut out = Map::new();
    out.insert("MessageId".to_owned(), json!(message.id));
    out.insert(
        "ReceiptHandle".to_owned(),
        json!(STANDARD.encode(&receipt.handle)),
    );
    out.insert("Body".to_owned(), json!(message.body));
    out.insert(
        "MD5OfBody".to_owned(),
        json!(md5_of(message.body.as_bytes())),
    );
    let names = || {
        request
            .attribute_names
            .iter()
            .chain(&request.message_system_attribute_names)
    };
    let mut system = Map::new();
    for (name, value) in [
        (
            "ApproximateReceiveCount",
            Some(message.received.to_string()),
        ),
        (
            "SentTimestamp",
            Some(message.on_calendar(message.sent_at).to_string()),
        ),
        (
            "SenderId",
            Some(
                message
                    .sender
                    .clone()
                    .unwrap_or_else(|| stranger.to_owned()),
            ),
        ),
        (
            "ApproximateFirstReceiveTimestamp",
            message
                .first_received_at
                .map(|at| message.on_calendar(at).to_string()),
        ),
        ("MessageGroupId", message.group.clone()),
        ("AWSTraceHeader", message.trace.clone()),
        ("DeadLetterQueueSourceArn", message.moved_from.clone()),
    ] {
        if let Some(value) = value
            && names().any(|n| n == "All" || n == name)
        {
            system.insert(name.to_owned(), json!(value));
        }
    }
    if !system.is_empty() {
        out.insert("Attributes".to_owned(), Value::Object(system));
    }
    let chosen: BTreeMap<String, Attribute> = message
        .attributes
        .iter()
        .filter(|(name, _)| {
            request
                .message_attribute_names
                .iter()
                .any(|wanted| match wanted.strip_suffix(".*") {
                    Some(prefix) => name.starts_with(prefix),
                    None => wanted == "All" || wanted == *name,
                })
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(md5) = md5_of_attributes(&chosen) {
        out.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
        out.insert("MessageAttributes".to_owned(), json!(chosen));
    }
    Value::Object(out)
}

/// A receipt handle as the engine knows it; handles are opaque on the wire.
pub(crate) fn handle(wire: &str) -> Option<String> {
    STANDARD
        .decode(wire)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::{Attribute, md5_of_attributes};

    #[test]
    fn the_digest_of_attributes_is_that_of_the_documentation() {
        // Computed apart with Python's hashlib over the documented encoding.
        let one = |value: &str| {
            [(
                "test_attribute_name_1".to_owned(),
                Attribute {
                    data_type: "String".to_owned(),
                    string_value: Some(value.to_owned()),
                    binary_value: None,
                },
            )]
            .into()
        };
        assert_eq!(
            md5_of_attributes(&one("test_attribute_value_1")).as_deref(),
            Some("ba056227cfd9533dba1f72ad9816d233")
        );
    }
}
