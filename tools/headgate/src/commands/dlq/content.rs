//! The content of entries: opened when asked for, and made into what goes back on the queue.

use anyhow::{Context as _, Result};
use headgate_aws::keyring::Keyring;
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use serde_json::Value;

use super::entry::{Entry, Kind};
use crate::cli::QueueArg;

/// What a redrive sends.
pub(super) struct Again {
    pub(super) body: Personal<String>,
    pub(super) encoding: Option<String>,
}

/// Why an entry cannot go back by itself.
pub(super) type Stays = &'static str;

/// What goes back on the source queue, for one content (several entries when it was split).
///
/// # Errors
/// When a sealed content cannot be opened. What can never go back is no error: it is said, and stays.
pub(super) async fn again(
    parts: &[Entry],
    keyring: Option<&Keyring>,
    now: Timestamp,
) -> Result<Result<Again, Stays>> {
    let Some(first) = parts.first() else {
        return Ok(Err("there is nothing in it"));
    };
    if first.queue == QueueArg::Wake {
        return Ok(Err(
            "a wake is a hint, and one comes each minute: discard it",
        ));
    }
    let plain = |body: String| Again {
        body: Personal::new(body),
        encoding: first.message.attributes.get("encoding").cloned(),
    };
    Ok(match &first.kind {
        Kind::Moved => Ok(plain(first.message.body.clone())),
        Kind::Event(detail) => Ok(plain(detail.to_string())),
        // Intake opens its letters itself: the seal proves who sent the message, and when.
        Kind::Letter(_) if first.queue != QueueArg::Notifications => {
            Ok(plain(first.message.body.clone()))
        }
        Kind::Letter(letter) => {
            if parts.len() != letter.parts {
                return Ok(Err("not all of its parts are here"));
            }
            let keyring = keyring.context("the keys are not known")?;
            let text = opened(parts, keyring, now).await?;
            let text = String::from_utf8_lossy(text.reveal()).into_owned();
            if letter.encoding.is_none() && !is_whole(&text) {
                return Ok(Err(
                    "it is a piece of a notification, whose rest was dealt with: look at it with `dlq show --reveal`, then discard it",
                ));
            }
            Ok(Again {
                body: Personal::new(text),
                encoding: letter.encoding.clone(),
            })
        }
    })
}

/// Whether this is a notification as Meta sends them, or something that never was one and is tried as it is.
fn is_whole(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => object.contains_key("entry"),
        Ok(_) | Err(_) => true,
    }
}

/// The content, all parts joined.
pub(super) async fn opened(
    parts: &[Entry],
    keyring: &Keyring,
    now: Timestamp,
) -> Result<Personal<Vec<u8>>> {
    let mut sorted: Vec<&Entry> = parts.iter().collect();
    sorted.sort_by_key(|entry| match &entry.kind {
        Kind::Letter(letter) => letter.part,
        Kind::Moved | Kind::Event(_) => 0,
    });
    let mut content = Vec::new();
    for entry in sorted {
        match &entry.kind {
            Kind::Letter(letter) => {
                let part = letter.open(keyring, now).await.context(
                    "the content does not open: its day may be past retention, or this role may not use the keys",
                )?;
                content.extend_from_slice(part.reveal());
            }
            Kind::Moved | Kind::Event(_) => {
                content.extend_from_slice(entry.message.body.as_bytes());
            }
        }
    }
    Ok(Personal::new(content))
}
