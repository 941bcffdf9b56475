//! What it means that a schema and a parser agree, and the few rules a schema cannot know.

use headgate_domain::consent::ConsentRecord;
use headgate_domain::outbound::OutboundMessage;
use headgate_domain::refusal::{Code, Refusal};
use jsonschema::Validator;
use serde_json::Value;

use super::{now, schema, validator};

/// One of the two inputs an app writes.
pub(crate) struct Contract {
    /// For messages of failed tests.
    pub(crate) name: &'static str,
    /// The schema of the file.
    pub(crate) schema: Value,
    validator: Validator,
    parse: fn(&str) -> Option<Refusal>,
}

pub(crate) fn outbound() -> Contract {
    contract("outbound-message.v1.json", |body| {
        OutboundMessage::parse(body, now()).err()
    })
}

pub(crate) fn consent() -> Contract {
    contract("consent-record.v1.json", |body| {
        ConsentRecord::parse(body, now()).err()
    })
}

fn contract(name: &'static str, parse: fn(&str) -> Option<Refusal>) -> Contract {
    let schema = schema(name);
    Contract {
        name,
        validator: validator(&schema),
        schema,
        parse,
    }
}

/// Rules a schema cannot express; every other refusal of the parser must be the schema's too.
fn is_beyond_a_schema(refusal: &Refusal, body: &str) -> bool {
    match (refusal.code, refusal.field) {
        // Which lengths are possible differs by country.
        (Code::InvalidRecipient, Some("to.phone"))
        // The size in bytes is not part of the value.
        | (Code::TooLarge, None)
        // Relative to now.
        | (Code::Expired, Some("expires_at"))
        | (Code::NotBeforeTooFar, Some("not_before" | "expires_at")) => true,
        // Relative to now, or to each other.
        (Code::Malformed, Some("occurred_at")) if refusal.why == Some("lies in the future") => true,
        (Code::Malformed, Some("expires_at")) if refusal.why == Some("is not after not_before") => true,
        // A leap second is only one at the end of a month; date-time allows one on every day.
        (Code::Malformed, Some("not_before" | "expires_at" | "basis.at" | "occurred_at")) => body.contains(":60"),
        _ => false,
    }
}

impl Contract {
    /// The documented example.
    pub(crate) fn example(&self) -> Value {
        self.schema["examples"][0].clone()
    }

    /// Whether the parser accepts the body; fails unless the schema agrees.
    pub(crate) fn verdict(&self, body: &str) -> Result<(), Refusal> {
        let refusal = (self.parse)(body);
        let value: Option<Value> = serde_json::from_str(body).ok();
        let is_valid = value.as_ref().is_some_and(|v| self.validator.is_valid(v));
        match &refusal {
            None => {
                let wrong: Vec<String> = value
                    .iter()
                    .flat_map(|v| self.validator.iter_errors(v))
                    .map(|e| format!("{}: {e}", e.instance_path()))
                    .collect();
                assert!(
                    is_valid,
                    "{}: the parser takes what the schema does not: {body}\n{wrong:?}",
                    self.name
                );
            }
            Some(refusal) => assert!(
                !is_valid || is_beyond_a_schema(refusal, body),
                "{}: the schema takes what the parser refuses ({} {:?} {:?}): {body}",
                self.name,
                refusal.code,
                refusal.field,
                refusal.why
            ),
        }
        refusal.map_or(Ok(()), Err)
    }

    /// The example changed is accepted.
    pub(crate) fn good(&self, change: impl FnOnce(&mut Value)) {
        let mut value = self.example();
        change(&mut value);
        let body = value.to_string();
        if let Err(refusal) = self.verdict(&body) {
            panic!(
                "{}: {} {:?} {:?}: {body}",
                self.name, refusal.code, refusal.field, refusal.why
            );
        }
    }

    /// The example changed is refused, by the schema too unless it cannot know.
    pub(crate) fn bad(&self, change: impl FnOnce(&mut Value), code: Code, field: &str) {
        let mut value = self.example();
        change(&mut value);
        let body = value.to_string();
        let refusal = self.verdict(&body).expect_err(&body);
        assert_eq!(
            (refusal.code, refusal.field.unwrap_or("")),
            (code, field),
            "{body}"
        );
    }
}
