//! Where personal data may lie in clear: the named exceptions of invariant I4, and nowhere else (docs/data.md).
//!
//! Owns the closed list. Each is short-lived and under a customer key. Promises that the name of an object, an
//! attribute of a dead letter or a log line is none.

/// A named exception of invariant I4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exception {
    /// What apps have put on a lane, until intake has read it.
    LaneInput,
    /// What apps and pages have put on the consents queue, until intake has read it.
    ConsentInput,
    /// Meta's notifications on their queue.
    Notification,
    /// Meta's notifications that fit no queue message, in the overflow bucket.
    StoredNotification,
    /// `inbound.message` on its way to the app.
    InboundMessage,
    /// In the events an app is told: the `id` and `ref` it chose itself, and the link to stop that it is to hand on.
    ForTheApp,
    /// A file of earlier consents, until it is imported.
    ImportFile,
}

impl Exception {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LaneInput,
        Self::ConsentInput,
        Self::Notification,
        Self::StoredNotification,
        Self::InboundMessage,
        Self::ForTheApp,
        Self::ImportFile,
    ];
}

/// The exception that covers a kind of thing in a place; `for_apps` are the kinds that [`Exception::ForTheApp`] names.
pub fn exception(place: &str, text: &str, kind: &str, for_apps: &[&str]) -> Option<Exception> {
    let found = of_place(place, text);
    if found.is_none() && for_apps.contains(&kind) && queue(place) == Some("app-events") {
        return Some(Exception::ForTheApp);
    }
    found
}

/// Whether a place may hold personal data of any kind.
pub fn is_named_exception(place: &str, text: &str) -> bool {
    of_place(place, text).is_some()
}

fn of_place(place: &str, text: &str) -> Option<Exception> {
    if let Some(object) = place.strip_prefix("bucket ") {
        let mut words = object.split(' ');
        let (_deployment, bucket) = words.next()?.split_once('-')?;
        if words.next() != Some("object") {
            return None;
        }
        let key = words.next()?;
        return if bucket.starts_with("overflow-") {
            Some(Exception::StoredNotification)
        } else if bucket.starts_with("imports-") && key.starts_with("files/") {
            Some(Exception::ImportFile)
        } else {
            None
        };
    }
    match queue(place)? {
        "authentication" | "service" | "utility" | "marketing" => Some(Exception::LaneInput),
        "consents" => Some(Exception::ConsentInput),
        "notifications" => Some(Exception::Notification),
        "app-events" => text
            .contains(r#""type":"inbound.message""#)
            .then_some(Exception::InboundMessage),
        _ => None,
    }
}

/// The name of the queue without its deployment's.
fn queue(place: &str) -> Option<&str> {
    let queue = place.strip_prefix("queue ")?.split(' ').next()?;
    Some(
        queue
            .split_once('-')
            .map_or(queue, |(_deployment, name)| name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_exceptions_are_excepted() {
        assert!(is_named_exception("queue headgate-marketing message 1", ""));
        assert!(is_named_exception(
            "queue headgate-notifications message 1",
            ""
        ));
        assert!(is_named_exception(
            "queue headgate-app-events message 1",
            r#"{"type":"inbound.message"}"#
        ));
        assert!(!is_named_exception(
            "queue headgate-app-events message 1",
            r#"{"type":"message.sent"}"#
        ));
        assert!(!is_named_exception(
            "queue headgate-notifications-dlq message 1",
            ""
        ));
        assert!(!is_named_exception("table headgate-messages/x", ""));
        let stored = "bucket headgate-overflow-123456789012";
        assert!(is_named_exception(&format!("{stored} object a/b"), ""));
        assert!(!is_named_exception(&format!("{stored} name"), "a/b"));
        assert!(!is_named_exception(
            "bucket headgate-other-1 object a/b",
            ""
        ));
        let imports = "bucket headgate-imports-123456789012";
        assert!(is_named_exception(
            &format!("{imports} object files/a.csv"),
            ""
        ));
        assert!(!is_named_exception(
            &format!("{imports} object reports/a/rows-00000.csv"),
            ""
        ));
    }

    #[test]
    fn an_event_may_tell_an_apps_own_names_and_nothing_else_of_a_person() {
        let place = "queue headgate-app-events message 1";
        let sent = r#"{"type":"message.sent"}"#;
        let check = |place: &str, kind: &str| exception(place, sent, kind, &["id", "ref"]);
        assert_eq!(check(place, "ref"), Some(Exception::ForTheApp));
        assert_eq!(check(place, "phone"), None);
        assert_eq!(
            check("queue headgate-app-events-dlq message 1", "ref"),
            None
        );
        assert_eq!(check("table headgate-messages/x", "ref"), None);
    }
}
