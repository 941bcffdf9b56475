//! A receipt: one event as ISO/IEC TS 27560 would say it, for the person it is about.
//!
//! Made from the event and its proof, and of nothing else. Names nobody: the person is the commitment of the
//! event, which they can be shown to be meant by as long as their salt exists.

use serde_json::{Map, Value, json};

use crate::proof::Proof;

/// The form of a receipt.
const SCHEMA: &str = "headgate.receipt/1";

/// What an event says under our name, and under the standard's.
const FIELDS: [(&str, &str); 18] = [
    ("id", "record_id"),
    ("v", "schema_version"),
    ("subject", "pii_principal_id"),
    ("purpose", "purpose"),
    ("topic", "purpose_type"),
    ("notice", "privacy_notice"),
    ("locale", "language"),
    ("basis", "lawful_basis"),
    ("method", "collection_method"),
    ("controller", "pii_controller"),
    ("pii", "pii_types"),
    ("recipients", "recipient_third_parties"),
    ("regions", "storage_locations"),
    ("retention_class", "retention_period"),
    ("jurisdictions", "jurisdictions"),
    ("profile_digest", "jurisdictions_edition"),
    ("withdrawal_methods", "withdrawal_methods"),
    ("receipt", "erasure_receipt"),
];

/// The same of the standard's event.
const EVENT_FIELDS: [(&str, &str); 9] = [
    ("type", "event_state"),
    ("event_type", "event_type"),
    ("t", "event_time"),
    ("claimed_at", "claimed_time"),
    ("requested_at", "requested_time"),
    ("confirmed_at", "confirmed_time"),
    ("valid_until", "valid_until"),
    ("renew_after", "renew_after"),
    ("actor", "entity_id"),
];

/// The receipt of an event, with its proof of inclusion; `None` when the proof is of something else.
pub fn receipt(proof: &Proof) -> Option<Value> {
    let Proof::Inclusion { event, .. } = proof else {
        return None;
    };
    let event: Map<String, Value> = serde_json::from_str(event).ok()?;
    let named = |fields: &[(&str, &str)]| -> Map<String, Value> {
        let found = fields.iter().filter_map(|(ours, theirs)| {
            let value = event.get(*ours)?.clone();
            Some(((*theirs).to_owned(), value))
        });
        found.collect()
    };
    let mut receipt = named(&FIELDS);
    receipt.insert("schema".to_owned(), SCHEMA.into());
    let id = event.get("id").or_else(|| event.get("seq"))?.clone();
    receipt.insert("receipt_id".to_owned(), id);
    receipt.insert("event".to_owned(), named(&EVENT_FIELDS).into());
    receipt.insert("proof".to_owned(), json!(proof));
    Some(receipt.into())
}
