//! What a record brings: the notification in the message itself, or the one its pointer leads to.
//!
//! Owns what becomes of a pointer. A stored notification is fetched before anything else is done
//! and deleted once all of its record has been handled, so one that is gone has been handled,
//! unless its record is handed over for the first time. S3 not answering is our failure: the
//! record comes again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_aws::objects::{Bucket, Found};
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Level, log};
use headgate_redact::Personal;
use headgate_webhook::overflow::{OVERFLOW, ObjectKey, Pointer};
use headgate_webhook::queue_body::{COMPRESSED, ENCODING_ATTRIBUTE, Undecodable, decode};
use headgate_webhook::signature::VerifiedBody;

use crate::outcome::{Failure, Poison};

/// What a record brings.
pub(crate) enum Brought {
    /// A notification.
    Body(VerifiedBody),
    /// A notification, where it was stored, and as what.
    Stored(VerifiedBody, ObjectKey, Vec<u8>),
    /// Nothing: the notification was handled when the record was here before.
    Handled,
    /// Nothing anybody can read.
    Poison(Poison),
}

/// Brings the notification of a record.
pub(crate) async fn bring(bucket: &Bucket, record: &SqsRecord) -> Result<Brought, Failure> {
    let encoding = record.attribute(ENCODING_ATTRIBUTE);
    if encoding != Some(OVERFLOW) {
        let body = decode(&record.body, encoding);
        return Ok(body.map_or_else(|_why| undecodable(record, FORM), Brought::Body));
    }
    let Ok(pointer) = Pointer::parse(&record.body) else {
        return Ok(undecodable(record, FORM));
    };
    let stored = match bucket.find(pointer.key().as_str()).await? {
        Found::Object(stored) => stored,
        Found::Missing if record.receive_count() > 1 => {
            log(Level::Info, "stored_notification_handled_before", &[]);
            return Ok(Brought::Handled);
        }
        Found::Missing => return Ok(poison(record, "missing", GONE)),
        Found::TooLarge => return Ok(undecodable(record, OTHER)),
    };
    Ok(match pointer.open(&stored) {
        Ok(body) => Brought::Stored(body, pointer.key().clone(), stored),
        Err(Undecodable::Replaced) => undecodable(record, OTHER),
        Err(
            Undecodable::Encoding
            | Undecodable::Damaged
            | Undecodable::TooLarge
            | Undecodable::Pointer,
        ) => undecodable(record, FORM),
    })
}

const FORM: &str = "the queue message is not in a form that webhook writes";
const GONE: &str = "the notification was stored, and is not there any more";
const OTHER: &str = "what is stored is not what webhook stored";

fn undecodable(record: &SqsRecord, why: &'static str) -> Brought {
    poison(record, "undecodable", why)
}

/// A record set aside as it is.
fn poison(record: &SqsRecord, reason: &'static str, why: &'static str) -> Brought {
    Brought::Poison(aside(record, None, reason, why))
}

/// What is set aside of a record: its notification as it was stored, or else the message.
pub(crate) fn aside(
    record: &SqsRecord,
    stored: Option<&[u8]>,
    reason: &'static str,
    why: &'static str,
) -> Poison {
    let (content, encoding) = if let Some(stored) = stored {
        (STANDARD.encode(stored), Some(COMPRESSED))
    } else {
        let word = record.attribute(ENCODING_ATTRIBUTE).map(|word| match word {
            COMPRESSED => COMPRESSED,
            OVERFLOW => OVERFLOW,
            _ => "unknown",
        });
        (record.body.clone(), word)
    };
    Poison {
        reason,
        why,
        index: None,
        encoding,
        content: Personal::new(content),
    }
}
