//! Cutting notifications into work that may run side by side.
//!
//! Updates about one message, or from one person, keep the order of the notification; everything
//! else has none. What cannot be read needs no work and becomes an effect right away.

use std::collections::HashMap;

use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_webhook::notification::{self, Inbound, Other, Preference, Status, Update};

use crate::notices;
use crate::outcome::{Effects, Poison};
use crate::overflow::{Brought, aside};
use crate::people::identifiers;
use crate::statuses;

/// What keeps notices in order; no message and no person is called so.
const NOTICES: &str = "notices";

/// An update that needs work.
pub(crate) enum Step {
    /// A delivery status of ours.
    Status(Status),
    /// A message of a person, and its position.
    Inbound(Inbound, usize),
    /// A person's choice in WhatsApp itself.
    Preference(Preference),
    /// Something about numbers, templates or the account.
    Notice(Other),
}

/// Steps to be taken one after the other.
pub(crate) struct Unit {
    /// Which record of the batch they are from.
    pub(crate) record: usize,
    /// Whether SQS has handed the record over before.
    pub(crate) again: bool,
    /// The steps.
    pub(crate) steps: Vec<Step>,
}

/// Takes a record apart.
pub(crate) fn read(
    record: usize,
    message: &SqsRecord,
    brought: Brought,
    now: Timestamp,
) -> (Vec<Unit>, Effects) {
    let mut effects = Effects::default();
    let (body, stored) = match brought {
        Brought::Body(body) => (body, None),
        Brought::Stored(body, key, stored) => {
            effects.stored = Some(key);
            (body, Some(stored))
        }
        Brought::Handled => return (Vec::new(), effects),
        Brought::Poison(poison) => {
            effects.poison.push(poison);
            return (Vec::new(), effects);
        }
    };
    let Ok(updates) = notification::parse(&body) else {
        effects.poison.push(aside(
            message,
            stored.as_deref(),
            "malformed",
            "the notification is not a JSON object with a list of entries",
        ));
        return (Vec::new(), effects);
    };
    let again = message.receive_count() > 1;
    let mut units: Vec<Unit> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (position, update) in updates.into_iter().enumerate() {
        let Some((key, step)) = sort(update, position, &mut effects, now) else {
            continue;
        };
        let place = *places.entry(key).or_insert(units.len());
        match units.get_mut(place) {
            Some(unit) => unit.steps.push(step),
            None => units.push(Unit {
                record,
                again,
                steps: vec![step],
            }),
        }
    }
    (units, effects)
}

/// The step of an update and what it must stay in order with.
fn sort(
    update: Update,
    position: usize,
    effects: &mut Effects,
    now: Timestamp,
) -> Option<(String, Step)> {
    match update {
        Update::Status(status) => {
            let Some(reference) = statuses::reference(&status) else {
                // Somebody else's message, or one from before: nothing of ours changes.
                effects.ignored = effects.ignored.saturating_add(1);
                return None;
            };
            Some((reference.message_id(), Step::Status(status)))
        }
        Update::Inbound(inbound) => {
            let names = identifiers(inbound.from_phone.as_ref(), inbound.from_bsuid.as_ref());
            let key = names
                .first()
                .map_or_else(|| position.to_string(), |name| name.reveal().to_owned());
            Some((key, Step::Inbound(inbound, position)))
        }
        Update::Preference(preference) => {
            let names = identifiers(preference.phone.as_ref(), preference.bsuid.as_ref());
            let key = names
                .first()
                .map_or_else(|| position.to_string(), |name| name.reveal().to_owned());
            Some((key, Step::Preference(preference)))
        }
        Update::Other(notice) => {
            effects.events.extend(notices::event(&notice, now));
            // One after the other, as Meta wrote them.
            Some((NOTICES.to_owned(), Step::Notice(notice)))
        }
        Update::Unreadable { index, why, raw } => {
            effects.poison.push(Poison {
                reason: "unreadable",
                why,
                index: Some(index),
                encoding: None,
                content: raw,
            });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use headgate_webhook::signature::VerifiedBody;
    use serde_json::{Value, json};

    use super::*;

    fn read_body(body: String) -> (Vec<Unit>, Effects) {
        let brought = Brought::Body(VerifiedBody::from_own_queue(body.clone().into_bytes()));
        let message = SqsRecord {
            body,
            ..SqsRecord::default()
        };
        read(0, &message, brought, Timestamp::default())
    }

    fn read_value(value: &Value) -> (Vec<Unit>, Effects) {
        let body = json!({ "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": value }] }] }).to_string();
        read_body(body)
    }

    fn status(opaque: &str, word: &str) -> Value {
        json!({ "id": "wamid.A", "status": word, "timestamp": "1", "biz_opaque_callback_data": opaque })
    }

    #[test]
    fn what_is_about_one_message_stays_in_order_and_the_rest_runs_side_by_side() {
        let (a, b) = (
            "hg1.1.u.0.01ARZ3NDEKTSV4RRFFQ69G5FAV.1",
            "hg1.1.u.0.01ARZ3NDEKTSV4RRFFQ69G5FAW.1",
        );
        let (units, effects) = read_value(
            &json!({ "statuses": [status(a, "sent"), status(b, "sent"), status(a, "delivered")] }),
        );
        let steps: Vec<usize> = units.iter().map(|unit| unit.steps.len()).collect();
        assert_eq!((steps, effects.ignored), (vec![2, 1], 0));
        assert!(matches!(&units[0].steps[1], Step::Status(s) if s.status.word() == "delivered"));
    }

    #[test]
    fn messages_that_are_not_ours_cost_nothing() {
        let foreign = json!({ "id": "wamid.A", "status": "sent", "timestamp": "1" });
        let (units, effects) =
            read_value(&json!({ "statuses": [status("crm-7", "sent"), foreign] }));
        assert!(units.is_empty());
        assert_eq!(effects.ignored, 2);
    }

    #[test]
    fn one_person_is_heard_in_order() {
        let message = |from: &str| json!({ "from": from, "id": "wamid.A", "timestamp": "1", "type": "text", "text": { "body": "x" } });
        let (units, _effects) = read_value(
            &json!({ "messages": [message("16135550100"), message("16135550101"), message("16135550100")] }),
        );
        assert_eq!(
            units
                .iter()
                .map(|unit| unit.steps.len())
                .collect::<Vec<_>>(),
            [2, 1]
        );
    }

    #[test]
    fn what_cannot_be_read_is_kept_and_named_by_a_word() {
        let (units, effects) = read_value(&json!({ "statuses": [7] }));
        assert!(units.is_empty());
        assert_eq!(
            (effects.poison[0].reason, effects.poison[0].index),
            ("unreadable", Some(0))
        );
        assert_eq!(effects.poison[0].content.reveal(), "7");
        let (_units, effects) = read_body("{".to_owned());
        assert_eq!(
            (
                effects.poison[0].reason,
                effects.poison[0].content.reveal().as_str()
            ),
            ("malformed", "{")
        );
    }
}
