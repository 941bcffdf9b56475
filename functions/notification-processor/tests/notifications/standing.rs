//! What notifications leave behind, in lines that can be compared and read.
//!
//! Owns what counts as the state: where people stand, where messages stand, what controls hold. Left
//! out is what counts happenings as they arrive (the ledger, the risk score, messages that came in) and
//! names of ours that chance makes, such as a ledger event's.

use std::collections::BTreeMap;

use headgate_domain::config::TemplateStatus;
use headgate_domain::consent::Subject;
use headgate_domain::lane::PURPOSES;
use headgate_domain::live::{Known, Live, Pause, Tier};
use headgate_domain::record::RecordRef;
use headgate_domain::time::Timestamp;

use crate::world::World;

/// What is known, by what it is known of.
pub(crate) type Standing = BTreeMap<String, String>;

/// Everything that is known of people, messages and controls. People are named by their place.
pub(crate) async fn standing(world: &World, people: &[&str], records: &[RecordRef]) -> Standing {
    let mut all = Standing::new();
    for (place, phone) in people.iter().enumerate() {
        if let Some(person) = world.known(phone).await {
            of_person(&mut all, place, &person);
        }
        let mut suppressed = world.suppressed(phone).await;
        suppressed.sort_unstable();
        for purpose in suppressed {
            all.insert(
                format!("person {place}: suppressed, {purpose}"),
                "yes".into(),
            );
        }
    }
    for (place, reference) in records.iter().enumerate() {
        let state = world.state(reference).await;
        all.insert(format!("message {place}"), state.word().into());
    }
    let mut known = Known::clone(&*world.controls().known().await.unwrap());
    for number in known.numbers.values_mut() {
        number.risk = headgate_domain::risk::Standing::default();
    }
    of_controls(&mut all, &known.live());
    all
}

fn of_person(all: &mut Standing, place: usize, person: &Subject) {
    let mut note = |what: &str, value: String| {
        all.insert(format!("person {place}: {what}"), value);
    };
    for purpose in PURPOSES {
        if let Some(consent) = person.consent(purpose) {
            let how = format!("{} by {}", consent.state.word(), consent.method);
            note(&format!("consent, {purpose}"), how);
        }
    }
    if person.meta_stop {
        note("Meta's switch", "stop".into());
    }
    if person.bsuid.is_some() {
        note("user id", "known".into());
    }
    if let Some((at, change)) = person.identity_change {
        note(
            "suspended",
            format!(
                "what was agreed to before {} ({})",
                minute(at),
                change.word()
            ),
        );
    }
    if person.same_as.is_some() {
        note("stands for it", "another subject".into());
    }
    if let Some(at) = person.last_inbound_at {
        note("last wrote", at.to_string());
    }
    let health = &person.health;
    for (what, count) in [
        ("failures in a row", health.failures),
        ("held back in a row", health.held_back),
    ] {
        if count > 0 {
            note(what, count.to_string());
        }
    }
}

fn of_controls(all: &mut Standing, live: &Live) {
    let mut note = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert(what.to_owned(), value);
        }
    };
    note("account", live.account.as_ref().map(pause));
    for (purpose, halt) in &live.purposes {
        note(&format!("purpose {purpose}"), Some(pause(halt)));
    }
    for known in live.portfolios.values() {
        note(
            "portfolio limit",
            known.tier.map(|tier| match tier {
                Tier::Limit(limit) => limit.to_string(),
                Tier::Unlimited => "none".into(),
            }),
        );
    }
    for known in live.numbers.values() {
        note(
            "number speed",
            known.per_second.map(|speed| format!("{speed} a second")),
        );
        note("number", known.pause.as_ref().map(pause));
        note(
            "number marketing",
            known.marketing_pause.as_ref().map(pause),
        );
        let quality = known.quality.map(|quality| quality.word().to_owned());
        note("number quality", quality);
    }
    for ((name, language), known) in &live.templates {
        let status = match known.status {
            TemplateStatus::Approved => "approved",
            TemplateStatus::Pending => "pending",
            TemplateStatus::Paused => "paused",
            TemplateStatus::Disabled => "disabled",
            TemplateStatus::Parked => "parked",
        };
        note(&format!("template {name} {language}"), Some(status.into()));
        let category = known
            .category
            .map(|category| format!("{category:?}").to_lowercase());
        note(&format!("category of {name} {language}"), category);
    }
}

fn pause(halt: &Pause) -> String {
    match halt.until {
        None => format!("halted ({})", halt.reason),
        Some(until) if until == halt.since => {
            format!("goes on by the ramp ({})", halt.reason)
        }
        Some(until) => format!("halted until {} ({})", minute(until), halt.reason),
    }
}

fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}
