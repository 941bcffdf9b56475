//! What an app is shown of a message: what the person wrote, without who they are.
//!
//! Owns the removal of numbers, user ids and message ids, which hold numbers, from Meta's message
//! object. What the person wrote or attached stays as it is, shared contact cards included: the
//! app is who they wrote to.

use headgate_domain::identity::Wamid;
use serde_json::{Map, Value};

/// An event may have 200 KB; the rest is room for the envelope.
const LARGEST: usize = 190_000;

/// Members of a message that say who wrote it, to whom, or which message it is.
const ENVELOPE: [&str; 9] = [
    "id",
    "from",
    "from_user_id",
    "from_parent_user_id",
    "to",
    "to_user_id",
    "recipient_id",
    "identity",
    "identity_key_hash",
];

/// Members whose value may be a message id of Meta's.
const MESSAGE_IDS: [&str; 3] = ["id", "message_id", "original_message_id"];

/// The message as an app may see it; `None` when it is too large for an event.
///
/// `name` gives the name of an earlier message of the person by its id, so that an edit can be
/// told apart from a new message.
pub(crate) fn shown(raw: &str, name: impl Fn(&Wamid) -> String) -> Option<Value> {
    let mut message = match serde_json::from_str(raw) {
        Ok(Value::Object(message)) => message,
        // It was read once already; what has no shape any more is not shown.
        Ok(_other_shape) => Map::new(),
        Err(_quotes_input) => Map::new(),
    };
    strip(&mut message, &name);
    let value = Value::Object(message);
    (value.to_string().len() <= LARGEST).then_some(value)
}

fn strip(message: &mut Map<String, Value>, name: &impl Fn(&Wamid) -> String) {
    message.retain(|key, _value| !ENVELOPE.contains(&key.as_str()));
    if let Some(Value::Object(context)) = message.get_mut("context") {
        context.retain(|key, _value| {
            !matches!(
                key.as_str(),
                "id" | "from" | "user_id" | "from_user_id" | "parent_user_id"
            )
        });
    }
    if let Some(Value::Object(system)) = message.get_mut("system") {
        // "User A changed from +… to +…": everything but the kind of change names somebody.
        system.retain(|key, _value| key == "type");
    }
    for value in message.values_mut() {
        let Value::Object(part) = value else { continue };
        let named = part
            .get("original_message_id")
            .and_then(Value::as_str)
            .and_then(|id| Wamid::parse(id).ok())
            .map(|id| name(&id));
        part.retain(|key, value| {
            !(MESSAGE_IDS.contains(&key.as_str())
                && value.as_str().is_some_and(|id| Wamid::parse(id).is_ok()))
        });
        if let Some(named) = named {
            part.insert("message_ref".to_owned(), Value::String(named));
        }
        if let Some(Value::Object(inner)) = part.get_mut("message") {
            strip(inner, name);
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
    use serde_json::json;

    use super::*;

    fn seen(message: &Value) -> Value {
        shown(&message.to_string(), |_id| "in_m1_x".to_owned()).unwrap()
    }

    #[test]
    fn what_was_written_stays_and_who_wrote_it_goes() {
        let seen = seen(&json!({
            "from": "16135550100", "from_user_id": "CA.1", "id": "wamid.A", "timestamp": "1795341600", "type": "text",
            "text": { "body": "wamid.is not my name" }, "context": { "from": "15550783881", "id": "wamid.B", "forwarded": true },
        }));
        assert_eq!(
            seen,
            json!({ "timestamp": "1795341600", "type": "text", "text": { "body": "wamid.is not my name" }, "context": { "forwarded": true } })
        );
    }

    #[test]
    fn no_message_id_and_no_changed_number_comes_through() {
        let seen_all = [
            seen(
                &json!({ "type": "reaction", "reaction": { "message_id": "wamid.A", "emoji": "x" } }),
            ),
            seen(
                &json!({ "type": "system", "system": { "type": "user_changed_number", "wa_id": "16135550101",
                "body": "User A changed from 16135550100 to 16135550101" } }),
            ),
            seen(
                &json!({ "type": "edit", "edit": { "original_message_id": "wamid.A",
                "message": { "from": "16135550100", "id": "wamid.B", "text": { "body": "new" } } } }),
            ),
        ];
        let text = format!("{}{}{}", seen_all[0], seen_all[1], seen_all[2]);
        assert!(!text.contains("wamid") && !text.contains("1613"), "{text}");
        assert_eq!(seen_all[0]["reaction"]["emoji"], "x");
        assert_eq!(seen_all[2]["edit"]["message_ref"], "in_m1_x");
        assert_eq!(seen_all[2]["edit"]["message"]["text"]["body"], "new");
    }

    #[test]
    fn an_apps_own_button_id_stays() {
        let seen = seen(
            &json!({ "type": "interactive", "interactive": { "type": "button_reply", "button_reply": { "id": "yes-1", "title": "Yes" } } }),
        );
        assert_eq!(seen["interactive"]["button_reply"]["id"], "yes-1");
    }

    #[test]
    fn the_id_of_what_was_attached_stays_for_the_download() {
        for kind in ["image", "video", "audio", "document", "sticker"] {
            let attached = json!({ "id": "400000000000001", "mime_type": "image/jpeg", "sha256": "x", "caption": "c" });
            let seen = seen(&json!({ "type": kind, "id": "wamid.A", kind: attached }));
            assert_eq!(seen[kind], attached);
            let edited = json!({ "original_message_id": "wamid.A", "message": { "type": kind, kind: attached } });
            let seen = self::seen(&json!({ "type": "edit", "edit": edited }));
            assert_eq!(seen["edit"]["message"][kind], attached);
        }
    }

    #[test]
    fn what_does_not_fit_an_event_is_not_shown() {
        let message = json!({ "type": "interactive", "interactive": { "nfm_reply": { "response_json": "x".repeat(200_000) } } });
        assert!(shown(&message.to_string(), |_id| String::new()).is_none());
    }
}
