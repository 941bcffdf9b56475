//! Notices about numbers, templates and accounts, passed on in words of a closed list.
//!
//! Owns which of Meta's fields an app hears of. The value is not passed through: it may hold what
//! nobody expects. Of a template's status the parts are taken that cannot name a person. What a notice
//! changes is `changes`'s.

use headgate_domain::event::Event;
use headgate_domain::time::Timestamp;
use headgate_webhook::notification::Other;
use serde_json::Value;

/// The event of a notice; none for what would come with every message.
pub(crate) fn event(notice: &Other, now: Timestamp) -> Option<Event> {
    let field = notice.word();
    let kind = kind(field)?;
    let time = notice.at.map(|at| at.to_string()).unwrap_or_default();
    // Meta repeats; the same notice has the same account, field, time and value.
    let same = [
        notice.entry_id.as_str(),
        field,
        &time,
        notice.value.reveal(),
    ];
    let mut event = Event::new(kind, notice.at.unwrap_or(now), &same).with("field", field);
    if notice.at.is_some() {
        event = event.with("time", time);
    }
    if field.starts_with("message_template_") {
        event = template(event, notice.value.reveal());
    }
    Some(event)
}

/// The family a field belongs to; what has none of its own concerns the account, so that a field of
/// the future is heard of. A status or a preference in a word nobody knows is kept and not told.
fn kind(field: &str) -> Option<&'static str> {
    const FAMILIES: [(&str, &str); 10] = [
        ("message_template_", "template.notification"),
        ("template_", "template.notification"),
        ("phone_number_", "number.notification"),
        ("security", "number.notification"),
        ("business_username_updates", "number.notification"),
        ("calls", "number.notification"),
        ("group_", "number.notification"),
        ("history", "number.notification"),
        ("messages", "number.notification"),
        ("smb_", "number.notification"),
    ];
    if matches!(field, "messages.statuses" | "user_preferences") {
        return None;
    }
    let family = FAMILIES
        .into_iter()
        .find(|(prefix, _kind)| field.starts_with(prefix));
    Some(family.map_or("account.notification", |(_prefix, kind)| kind))
}

fn template(mut event: Event, value: &str) -> Event {
    let Ok(Value::Object(value)) = serde_json::from_str(value) else {
        return event;
    };
    for (theirs, ours) in [
        ("event", "event"),
        ("message_template_name", "template"),
        ("message_template_language", "language"),
        ("reason", "reason"),
        ("new_quality_score", "quality"),
    ] {
        if let Some(word) = value
            .get(theirs)
            .and_then(Value::as_str)
            .filter(|word| is_word(word))
        {
            event = event.with(ours, word);
        }
    }
    event
}

/// A name or code: no room for a sentence, a number or an address.
fn is_word(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=512).contains(&text.len())
        && digits < 7
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_redact::Personal;
    use serde_json::json;

    use super::*;

    fn notice(field: &str, value: &Value) -> Other {
        Other {
            field: field.into(),
            entry_id: "300".into(),
            at: Some(Timestamp::from_seconds(1)),
            value: Personal::new(value.to_string()),
        }
    }

    #[test]
    fn a_paused_template_is_told_by_name_and_a_sentence_is_not() {
        let value = json!({ "event": "PAUSED", "message_template_name": "order_update", "message_template_language": "en_US",
            "reason": "Call 16135550100 now", "message_template_id": 5 });
        let event = event(
            &notice("message_template_status_update", &value),
            Timestamp::default(),
        )
        .unwrap();
        assert_eq!(
            (event.kind, event.data.get("template")),
            ("template.notification", Some(&"order_update".into()))
        );
        assert!(!event.to_json().contains("1613"));
        assert_eq!(event.data.get("event"), Some(&"PAUSED".into()));
    }

    #[test]
    fn a_value_that_may_hold_anything_is_not_passed_on() {
        let value = json!({ "event": "PARTNER_ADDED", "display_phone_number": "16135550100" });
        for (field, kind) in [
            ("account_update", "account.notification"),
            ("phone_number_name_update", "number.notification"),
            ("security", "number.notification"),
        ] {
            let event = event(&notice(field, &value), Timestamp::default()).unwrap();
            assert_eq!(event.kind, kind);
            assert_eq!(event.data.len(), 2, "field and time");
        }
    }

    #[test]
    fn a_field_of_the_future_is_told_and_what_comes_with_every_message_is_not() {
        for (field, kind) in [
            ("quux", "account.notification"),
            ("flows", "account.notification"),
            ("history", "number.notification"),
            ("group_status_update", "number.notification"),
            ("messages", "number.notification"),
        ] {
            let event = event(&notice(field, &json!({})), Timestamp::default()).unwrap();
            assert_eq!(event.kind, kind, "{field}");
        }
        for field in ["messages.statuses", "user_preferences"] {
            assert!(event(&notice(field, &json!({})), Timestamp::default()).is_none());
        }
    }

    #[test]
    fn the_same_notice_has_the_same_id_and_another_has_not() {
        let (a, b) = (json!({ "event": "A" }), json!({ "event": "B" }));
        let id = |value: &Value, now| {
            event(
                &notice("account_update", value),
                Timestamp::from_seconds(now),
            )
            .unwrap()
            .event_id
        };
        assert_eq!(id(&a, 5), id(&a, 6));
        assert_ne!(id(&a, 5), id(&b, 5));
    }
}
