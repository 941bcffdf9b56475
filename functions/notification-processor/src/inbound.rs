//! A person wrote: stored, read for a yes or no, passed on.
//!
//! The order is that of what may be lost: the message is stored sealed, an opt-out is recorded,
//! the app is told, and only then is the message marked as done. Meta repeats for seven days, so
//! a message that is done is not looked at again. A message is never consumed: an opt-out is
//! passed on to the app as well.

use headgate_aws::keyring::Salt;
use headgate_aws::messages::{Inbound as Stored, inbound_place_key};
use headgate_domain::config::Config;
use headgate_domain::consent::{Action, Consent, State, Subject};
use headgate_domain::event::Event;
use headgate_domain::identity::Pseudonym;
use headgate_domain::lane::Purpose;
use headgate_domain::optin_code;
use headgate_domain::optout::{Context, Intent, Scope, classify};
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use headgate_webhook::notification::Inbound;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::config::Ports;
use crate::content::shown;
use crate::outcome::{Effects, Failure, Poison};
use crate::people;
use crate::says::{Said, say};

/// How a person says something with a word of theirs.
const KEYWORD: &str = "keyword";
/// How a person says something with a button of ours.
const QUICK_REPLY: &str = "quick_reply";

/// Everything an inbound message causes.
pub(crate) async fn receive(
    ports: &Ports,
    config: &Config,
    inbound: &Inbound,
    index: usize,
    now: Timestamp,
) -> Result<Effects, Failure> {
    let mut effects = Effects::default();
    let identifiers = people::identifiers(inbound.from_phone.as_ref(), inbound.from_bsuid.as_ref());
    if identifiers.is_empty() {
        effects.poison.push(Poison {
            reason: "names_nobody",
            why: "a message names neither a number nor a user id",
            index: Some(index),
            encoding: None,
            content: inbound.raw.clone(),
        });
        return Ok(effects);
    }
    let (person, salt) = people::meet(ports, &identifiers, now).await?;
    let name = ports.pseudonym(&inbound.wamid);
    if store(ports, inbound, &person, &salt, &name, now).await? {
        effects.ignored = 1;
        return Ok(effects);
    }
    // A notice of Meta's about a changed number is no message of the person: it opens no window.
    if inbound.kind != "system" {
        ports.subjects.note_inbound(&person.id, inbound.at).await?;
    }
    let heard = Heard {
        ports,
        inbound,
        person: &person,
        name: &name,
        now,
    };
    effects.events = heard.consent().await?;
    effects.events.push(heard.told(config));
    effects.done.push(name);
    Ok(effects)
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

/// A message that is being listened to.
struct Heard<'a> {
    ports: &'a Ports,
    inbound: &'a Inbound,
    person: &'a Subject,
    name: &'a Pseudonym,
    now: Timestamp,
}

impl Heard<'_> {
    /// Records what the message says about being written to.
    async fn consent(&self) -> Result<Vec<Event>, Failure> {
        let Some(method) = method(&self.inbound.kind) else {
            return Ok(Vec::new());
        };
        match intent(self.inbound) {
            Intent::OptOut { scope, keyword } => self.opt_out(scope, &keyword, method).await,
            Intent::OptIn { keyword } => self.opt_in(&keyword, method).await,
            Intent::Help
            | Intent::AccessRequest
            | Intent::ErasureRequest
            | Intent::DoNotSell
            | Intent::Ask
            | Intent::None => self.confirmation().await,
        }
    }

    async fn opt_out(
        &self,
        scope: Scope,
        keyword: &str,
        method: &str,
    ) -> Result<Vec<Event>, Failure> {
        let purposes: &[Purpose] = match scope {
            Scope::Marketing => &[Purpose::Marketing],
            Scope::All => &[Purpose::Marketing, Purpose::Utility],
        };
        let mut events = Vec::new();
        for purpose in purposes {
            let said = self.said(Action::Withdrawn, method, keyword);
            events.extend(say(self.ports, &said, *purpose, self.now).await?);
        }
        Ok(events)
    }

    /// A word like START re-opens what a word like STOP closed, and nothing else: by itself it is
    /// no consent, because no notice was shown.
    async fn opt_in(&self, keyword: &str, method: &str) -> Result<Vec<Event>, Failure> {
        let mut events = Vec::new();
        for purpose in [Purpose::Marketing, Purpose::Utility] {
            if self
                .person
                .consent(purpose)
                .is_some_and(|current| may_reopen(current, self.inbound.at, method))
            {
                let said = self.said(Action::Given, method, keyword);
                events.extend(say(self.ports, &said, purpose, self.now).await?);
            }
        }
        Ok(events)
    }

    /// `CONFIRM <code>`: the person answers a form on our opt-in page, whose wording is the notice.
    async fn confirmation(&self) -> Result<Vec<Event>, Failure> {
        let code = self
            .inbound
            .text
            .as_ref()
            .and_then(|text| optin_code::find_in(text.reveal()));
        let Some(request_hash) = code.map(|code| optin_code::hash(&code)) else {
            return Ok(Vec::new());
        };
        let Some(request) = self
            .ports
            .subjects
            .use_request(&request_hash, self.now, self.name.as_str())
            .await?
        else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        for purpose in &request.purposes {
            let said = Said {
                notice: Some(&request.notice),
                locale: Some(&request.locale),
                evidence: json!({ "request": request_hash, "message": self.name.as_str() }),
                ..self.said(Action::Given, "message_in", "")
            };
            events.extend(say(self.ports, &said, *purpose, self.now).await?);
        }
        Ok(events)
    }

    /// The keyword is a term of our list, so it may be kept; the person's own text is not.
    fn said<'a>(&'a self, action: Action, method: &'a str, keyword: &str) -> Said<'a> {
        Said {
            subject: &self.person.id,
            reference: self.person.reference.as_deref(),
            action,
            at: self.inbound.at,
            method,
            notice: None,
            locale: None,
            evidence: json!({ "message": self.name.as_str(), "keyword": keyword }),
            source: self.name.as_str(),
        }
    }

    /// The event for the app.
    fn told(&self, config: &Config) -> Event {
        let mut event = Event::new("inbound.message", self.inbound.at, &[self.name.as_str()])
            .with_subject(Some(&self.person.id))
            .with_reference(self.person.reference.clone())
            .with("number", self.inbound.number.clone())
            .with("message_ref", message_ref(self.name))
            .with("message_type", kind(self.inbound))
            .with("at", self.inbound.at.to_string());
        event = match shown(self.inbound.raw.reveal(), |wamid| {
            message_ref(&self.ports.pseudonym(wamid))
        }) {
            Some(message) => event.with("message", message),
            None => event.with("truncated", true),
        };
        if config.events.inbound_numbers
            && let Some(phone) = &self.inbound.from_phone
        {
            event = event.with("phone", phone.reveal());
        }
        event
    }
}

/// What an app answers to.
fn message_ref(name: &Pseudonym) -> String {
    format!("in_{}", name.as_str())
}

/// How something is said by a kind of message; none for kinds that say nothing in words.
fn method(kind: &str) -> Option<&'static str> {
    match kind {
        "text" => Some(KEYWORD),
        "button" | "interactive" => Some(QUICK_REPLY),
        _ => None,
    }
}

/// What the message asks for. A button stands for what was seen on it and for its payload; a no
/// in either is a no.
fn intent(inbound: &Inbound) -> Intent {
    let context = Context {
        words_bind: words_bind(inbound),
        ..Context::default()
    };
    let read = |text: Option<&Personal<String>>| {
        text.map_or(Intent::None, |text| classify(text.reveal(), &context))
    };
    let (text, payload) = (read(inbound.text.as_ref()), read(inbound.payload.as_ref()));
    match (text, payload) {
        (no @ Intent::OptOut { .. }, _) | (_, no @ Intent::OptOut { .. }) => no,
        (Intent::None, payload) => payload,
        (text, _) => text,
    }
}

/// In the United States and Canada some words are an opt-out whatever was meant (47 CFR 64.1200(a)(10)).
fn words_bind(inbound: &Inbound) -> bool {
    let by_phone = inbound
        .from_phone
        .as_ref()
        .and_then(headgate_domain::identity::Phone::region);
    let by_bsuid = || {
        inbound
            .from_bsuid
            .as_ref()
            .and_then(|bsuid| bsuid.country().map(str::to_owned))
    };
    by_phone
        .or_else(by_bsuid)
        .is_some_and(|country| matches!(country.as_str(), "US" | "CA"))
}

/// Whether a word like START may re-open this consent, or has already done so by this very message.
fn may_reopen(current: &Consent, at: Timestamp, method: &str) -> bool {
    match current.state {
        State::Withdrawn => matches!(current.method.as_str(), KEYWORD | QUICK_REPLY),
        State::Given => current.at == at && current.method == method,
        State::Requested => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_domain::identity::{Bsuid, Phone, Wamid};

    use super::*;

    fn inbound(kind: &str, text: &str, payload: Option<&str>, phone: &str) -> Inbound {
        Inbound {
            number: None,
            wamid: Wamid::parse("wamid.A").unwrap(),
            at: Timestamp::from_seconds(1_795_341_600),
            from_phone: Phone::parse(phone).ok(),
            from_bsuid: Bsuid::parse("SG.1").ok(),
            profile_name: None,
            kind: kind.into(),
            text: Some(Personal::new(text.into())),
            payload: payload.map(|text| Personal::new(text.into())),
            raw: Personal::new("{}".into()),
        }
    }

    fn is_no(inbound: &Inbound) -> bool {
        matches!(intent(inbound), Intent::OptOut { .. })
    }

    #[test]
    fn a_no_on_a_button_or_behind_it_is_a_no() {
        assert!(is_no(&inbound("text", "STOP", None, "+6591234567")));
        assert!(is_no(&inbound(
            "button",
            "Unsubscribe",
            Some("x"),
            "+6591234567"
        )));
        assert!(is_no(&inbound(
            "button",
            "Fine",
            Some("STOP"),
            "+6591234567"
        )));
        assert!(!is_no(&inbound("text", "hello", None, "+6591234567")));
    }

    #[test]
    fn words_bind_where_the_law_says_so_and_the_number_tells_where() {
        assert!(is_no(&inbound("text", "cancel", None, "+16135550100")));
        assert!(!is_no(&inbound("text", "cancel", None, "+6591234567")));
        assert!(!is_no(&inbound(
            "text",
            "cancel",
            None,
            "no number, and the id is from Singapore"
        )));
    }

    #[test]
    fn only_words_and_buttons_speak() {
        assert_eq!(
            (method("text"), method("button"), method("image")),
            (Some(KEYWORD), Some(QUICK_REPLY), None)
        );
    }

    #[test]
    fn a_start_word_reopens_only_what_a_stop_word_closed() {
        let at = Timestamp::from_seconds(100);
        let consent = |state, method: &str| Consent {
            state,
            at,
            event: "L0.0".into(),
            method: method.into(),
        };
        assert!(may_reopen(&consent(State::Withdrawn, KEYWORD), at, KEYWORD));
        assert!(may_reopen(
            &consent(State::Withdrawn, QUICK_REPLY),
            at,
            KEYWORD
        ));
        assert!(!may_reopen(
            &consent(State::Withdrawn, "meta_switch"),
            at,
            KEYWORD
        ));
        assert!(!may_reopen(&consent(State::Withdrawn, "link"), at, KEYWORD));
        assert!(
            may_reopen(&consent(State::Given, KEYWORD), at, KEYWORD),
            "the same message, handed over again"
        );
        assert!(!may_reopen(
            &consent(State::Given, "web_checkbox"),
            at,
            KEYWORD
        ));
        assert!(!may_reopen(
            &consent(State::Requested, KEYWORD),
            at,
            KEYWORD
        ));
    }

    #[test]
    fn a_kind_that_is_no_word_is_not_stored_in_clear() {
        assert_eq!(kind(&inbound("text", "", None, "")), "text");
        assert_eq!(kind(&inbound("+1 613 555 0100", "", None, "")), "unknown");
    }
}
