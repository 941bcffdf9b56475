//! A person wrote: stored, heard, passed on.
//!
//! The order is that of what may be lost: the message is stored sealed, an opt-out is recorded,
//! the app is told, and only then is the message marked as done. Meta repeats for seven days, so
//! a message that is done is not looked at again. A message is never consumed: an opt-out is
//! passed on to the app as well. What it says about being written to is `hearing`'s.

use headgate_aws::keyring::Salt;
use headgate_aws::messages::{Inbound as Stored, inbound_place_key};
use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::event::Event;
use headgate_domain::identity::Pseudonym;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use headgate_webhook::notification::{AccountNotice, Inbound};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::config::Ports;
use crate::content::shown;
use crate::hearing::Heard;
use crate::identity;
use crate::outcome::{Effects, Failure, Poison};
use crate::people::Met;
use crate::preferences::STOPPED;

/// Everything an inbound message causes.
pub(crate) async fn receive(
    ports: &Ports,
    config: &Config,
    inbound: &Inbound,
    index: usize,
    now: Timestamp,
) -> Result<Effects, Failure> {
    let mut effects = Effects::default();
    if names_nobody(inbound) {
        effects.poison.push(Poison {
            reason: "names_nobody",
            why: "a message names neither a number nor a user id",
            index: Some(index),
            encoding: None,
            content: inbound.raw.clone(),
        });
        return Ok(effects);
    }
    let Met {
        subject: person,
        salt,
        events: changes,
    } = identity::sender(ports, inbound, now).await?;
    let name = ports.pseudonym(&inbound.wamid);
    if store(ports, inbound, &person, &salt, &name, now).await? {
        effects.ignored = 1;
        return Ok(effects);
    }
    if opens_the_window(config, inbound) {
        // Before that they wrote, so that it is not missed when this ends in between.
        if person.returns(inbound.at) {
            ports.subjects.note_return(&person.id, inbound.at).await?;
        }
        ports.subjects.note_inbound(&person.id, inbound.at).await?;
    }
    let heard = Heard {
        ports,
        config,
        inbound,
        person: &person,
        name: &name,
        now,
    };
    effects.events = changes;
    let reaction = Box::pin(heard.react()).await?;
    effects.events.extend(reaction.events);
    effects.answers.extend(reaction.answer);
    effects.asks.extend(reaction.ask);
    if let Some(number) = inbound
        .number
        .as_ref()
        .filter(|_id| is_ours(config, inbound))
    {
        effects.inbound.insert(number.clone(), 1);
        let is_stop = |event: &Event| event.kind == "subject.opted_out";
        if effects.events.iter().any(is_stop) {
            effects.count(number, &STOPPED);
        }
    }
    effects
        .events
        .extend(identity::told(&person, inbound.at.min(now)));
    effects.events.push(told(&heard, config));
    effects.done.push(name);
    Ok(effects)
}

/// Whether it names neither who wrote nor, if it is a notice about an account, whose that is now.
fn names_nobody(inbound: &Inbound) -> bool {
    inbound.from_phone.is_none()
        && inbound.from_bsuid.is_none()
        && !matches!(inbound.notice, Some(AccountNotice::Moved { .. }))
}

/// Whether the business may answer freely now. A message to a number that is not in the configuration
/// is heard, for a no counts from anywhere, but says nothing about the numbers we send from. A notice
/// of Meta's about a changed number is no message of the person.
fn opens_the_window(config: &Config, inbound: &Inbound) -> bool {
    inbound.kind != "system" && is_ours(config, inbound)
}

/// Whether it came to a number of the configuration.
fn is_ours(config: &Config, inbound: &Inbound) -> bool {
    inbound
        .number
        .as_ref()
        .is_some_and(|id| config.numbers.iter().any(|number| number.id == *id))
}

/// What is stored of a message.
#[derive(Serialize)]
struct Body<'a> {
    wamid: &'a str,
    message: Option<&'a RawValue>,
    profile_name: Option<&'a str>,
}

/// Stores the message; whether everything it causes was done before.
async fn store(
    ports: &Ports,
    inbound: &Inbound,
    person: &Subject,
    salt: &Salt,
    name: &Pseudonym,
    now: Timestamp,
) -> Result<bool, Failure> {
    let body = Body {
        wamid: inbound.wamid.reveal(),
        message: serde_json::from_str(inbound.raw.reveal()).ok(),
        profile_name: inbound
            .profile_name
            .as_ref()
            .map(|name| name.reveal().as_str()),
    };
    let plain = Personal::new(serde_json::to_vec(&body).unwrap_or_default());
    let key = inbound_place_key(name);
    let place = Place {
        table: "messages",
        key: &key,
        field: "body",
    };
    let day = now.day();
    let sealed = ports
        .keyring
        .seal_content(day, salt, &place, plain.reveal())
        .await?;
    let stored = Stored {
        reference: name.clone(),
        subject: person.id.clone(),
        at: inbound.at,
        kind: kind(inbound),
        day,
        body: sealed,
        done: false,
    };
    Ok(ports.messages.put_inbound(&stored).await?.done)
}

/// Meta's word for the kind of message, in a form fit to be stored in clear.
fn kind(inbound: &Inbound) -> String {
    let word = &inbound.kind;
    let is_word =
        (1..=32).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_word {
        word.clone()
    } else {
        "unknown".to_owned()
    }
}

/// The event for the app.
fn told(heard: &Heard<'_>, config: &Config) -> Event {
    let mut event = Event::new("inbound.message", heard.inbound.at, &[heard.name.as_str()])
        .with_subject(Some(&heard.person.id))
        .with_reference(heard.person.reference.clone())
        .with("number", heard.inbound.number.clone())
        .with("message_ref", message_ref(heard.name))
        .with("message_type", kind(heard.inbound))
        .with("at", heard.inbound.at.to_string());
    event = match shown(heard.inbound.raw.reveal(), |wamid| {
        message_ref(&heard.ports.pseudonym(wamid))
    }) {
        Some(message) => event.with("message", message),
        None => event.with("truncated", true),
    };
    if config.events.inbound_numbers
        && let Some(phone) = &heard.inbound.from_phone
    {
        event = event.with("phone", phone.reveal());
    }
    event
}

/// What an app answers to.
fn message_ref(name: &Pseudonym) -> String {
    format!("in_{}", name.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use crate::hearing::tests::inbound;

    use super::*;

    #[test]
    fn a_kind_that_is_no_word_is_not_stored_in_clear() {
        assert_eq!(kind(&inbound("text", "", None, "")), "text");
        assert_eq!(kind(&inbound("+1 613 555 0100", "", None, "")), "unknown");
    }
}
