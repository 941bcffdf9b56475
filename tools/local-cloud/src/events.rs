//! EventBridge: `PutEvents`, matched against the rules of the template and forwarded to their queues at once.
//!
//! Promises the limits of AWS (ten entries, 1 MB) and the matching of `source`, `detail-type` and any other field by
//! exact value, prefix, suffix, `anything-but` or `exists`. Deliberately has no archive, replay or other targets.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::amz_json::{self, Refusal};
use crate::calendar::{Calendar, rfc3339};
use crate::ids::random_id;
use crate::sqs::Sqs;
use crate::stack::{ACCOUNT, REGION};

const MAX_ENTRIES: usize = 10;
const MAX_BYTES: usize = 1_048_576;

/// A rule and the queues it feeds.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) bus: String,
    pub(crate) pattern: Value,
    /// Queue name and `InputPath`.
    pub(crate) targets: Vec<(String, Option<String>)>,
}

/// The buses and rules.
#[derive(Debug)]
pub(crate) struct Bus {
    pub(crate) buses: BTreeSet<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) calendar: Calendar,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    resources: Vec<String>,
    time: Option<f64>,
}

impl Bus {
    pub(crate) fn answer(&self, operation: &str, body: &[u8]) -> Response<Bytes> {
        if operation != "PutEvents" {
            return refuse(
                "UnknownOperationException",
                "The operation is not supported locally.",
            );
        }
        let Ok(request) = serde_json::from_slice::<PutEvents>(body) else {
            return refuse("SerializationException", "The request cannot be read.");
        };
        let count = request.entries.len();
        if !(1..=MAX_ENTRIES).contains(&count) {
            let message = format!(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: \
                 Member must have length between 1 and {MAX_ENTRIES}"
            );
            return refuse("ValidationException", &message);
        }
        let size: usize = request.entries.iter().map(Entry::size).sum();
        if size > MAX_BYTES {
            return refuse(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            );
        }
        let results: Vec<Result<String, (&str, &str)>> = request
            .entries
            .iter()
            .map(|entry| self.put(entry))
            .collect();
        let failed = results.iter().filter(|r| r.is_err()).count();
        let entries: Vec<Value> = results
            .into_iter()
            .map(|result| match result {
                Ok(id) => json!({"EventId": id}),
                Err((code, message)) => json!({"ErrorCode": code, "ErrorMessage": message}),
            })
            .collect();
        amz_json::respond(Ok(json!({"FailedEntryCount": failed, "Entries": entries})))
    }

    fn put(&self, entry: &Entry) -> Result<String, (&'static str, &'static str)> {
        let given = |field: &Option<String>| field.clone().filter(|f| !f.is_empty());
        let source = given(&entry.source).ok_or((
            "InvalidArgument",
            "Parameter Source is not valid. Reason: Source is a required argument.",
        ))?;
        let kind = given(&entry.detail_type).ok_or((
            "InvalidArgument",
            "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
        ))?;
        let detail = given(&entry.detail).ok_or((
            "InvalidArgument",
            "Parameter Detail is not valid. Reason: Detail is a required argument.",
        ))?;
        let detail: Value = serde_json::from_str(&detail)
            .ok()
            .filter(Value::is_object)
            .ok_or(("MalformedDetail", "Detail is malformed."))?;
        if source.starts_with("aws.") {
            return Err((
                "NotAuthorizedForSourceException",
                "Not authorized for the source.",
            ));
        }
        let bus = entry.event_bus_name.as_deref().unwrap_or("default");
        let bus = bus.rsplit('/').next().unwrap_or(bus);
        if !self.buses.contains(bus) {
            return Err(("ResourceNotFoundException", "Event bus does not exist."));
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "seconds since the epoch fit"
        )]
        let at_ms = entry
            .time
            .map_or_else(|| self.calendar.now_ms(), |s| (s * 1000.0) as i64);
        let id = random_id();
        let event = json!({
            "version": "0", "id": id, "detail-type": kind, "source": source, "account": ACCOUNT,
            "time": rfc3339(at_ms).map_err(|_out_of_range| ("InvalidArgument", "Parameter Time is not valid."))?,
            "region": REGION, "resources": entry.resources, "detail": detail,
        });
        for rule in &self.rules {
            if rule.bus == bus && matches(&rule.pattern, Some(&event)) {
                for (queue, path) in &rule.targets {
                    let body = match path.as_deref() {
                        None | Some("$") => Some(&event),
                        Some(path) => {
                            event.pointer(&path.trim_start_matches('$').replace('.', "/"))
                        }
                    };
                    if let Some(body) = body {
                        self.sqs
                            .deliver(queue, body.to_string())
                            .map_err(|_journal| {
                                ("InternalFailure", "The target queue is not available.")
                            })?;
                    }
                }
            }
        }
        Ok(id)
    }
}

impl Entry {
    /// The size EventBridge counts: 14 bytes for a time, and the texts.
    fn size(&self) -> usize {
        let length = |field: &Option<String>| field.as_ref().map_or(0, String::len);
        self.time.map_or(0, |_| 14)
            + length(&self.source)
            + length(&self.detail_type)
            + length(&self.detail)
            + self.resources.iter().map(String::len).sum::<usize>()
    }
}

fn matches(pattern: &Value, value: Option<&Value>) -> bool {
    match pattern {
        Value::Object(fields) => fields
            .iter()
            .all(|(name, inner)| matches(inner, value.and_then(|v| v.get(name)))),
        // An array in the event matches when one of its elements does.
        Value::Array(any) => match value {
            Some(Value::Array(values)) => values
                .iter()
                .any(|v| any.iter().any(|test| passes(test, Some(v)))),
            other => any.iter().any(|test| passes(test, other)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn passes(test: &Value, value: Option<&Value>) -> bool {
    let Some(filters) = test.as_object() else {
        return value == Some(test);
    };
    let given = value.and_then(Value::as_str);
    filters
        .iter()
        .all(|(filter, operand)| match (filter.as_str(), operand) {
            ("prefix", Value::String(prefix)) => given.is_some_and(|t| t.starts_with(prefix)),
            ("suffix", Value::String(suffix)) => given.is_some_and(|t| t.ends_with(suffix)),
            ("exists", Value::Bool(wanted)) => value.is_some() == *wanted,
            ("anything-but", Value::Array(excluded)) => {
                value.is_some_and(|v| !excluded.contains(v))
            }
            ("anything-but", excluded) => value.is_some_and(|v| v != excluded),
            _ => false,
        })
}

/// Refuses a pattern this file would silently not match.
pub(crate) fn check_pattern(pattern: &Value) -> Result<()> {
    match pattern {
        Value::Object(fields) => fields.values().try_for_each(check_pattern),
        Value::Array(any) => any.iter().try_for_each(|test| match test.as_object() {
            None => Ok(()),
            Some(filter) => filter.keys().try_for_each(|name| {
                if ["prefix", "suffix", "exists", "anything-but"].contains(&name.as_str()) {
                    Ok(())
                } else {
                    bail!("the filter {name} of an event pattern is not supported locally")
                }
            }),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(anyhow::anyhow!(
            "a field of an event pattern must be a list"
        ))
        .context("an event pattern"),
    }
}

fn refuse(kind: &'static str, message: &str) -> Response<Bytes> {
    amz_json::respond(Err(Refusal::new(kind, message)))
}

#[cfg(test)]
mod tests {
    use super::matches;
    use serde_json::json;

    #[test]
    fn a_rule_matches_exact_values_and_prefixes_and_nothing_else() {
        let event =
            json!({"source": "headgate", "detail-type": "message.sent", "detail": {"a": 1}});
        let check = |pattern, expected| assert_eq!(matches(&pattern, Some(&event)), expected);
        check(json!({"source": ["headgate"]}), true);
        check(
            json!({"source": ["other", "headgate"], "detail-type": [{"prefix": "message."}]}),
            true,
        );
        check(
            json!({"source": ["headgate"], "detail-type": [{"prefix": "consent."}]}),
            false,
        );
        check(json!({"detail": {"a": [1]}}), true);
        check(json!({"detail": {"b": [{"exists": true}]}}), false);
    }
}
