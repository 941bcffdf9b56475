//! WhatsApp's own switch for marketing messages (docs/notifications.md).
//!
//! *Stop* is an opt-out like any other. *Resume* takes Meta's block away and nothing else: it is
//! not a consent to this business, whose notice the person has not seen.

use headgate_domain::consent::Action;
use headgate_domain::lane::Purpose;
use headgate_domain::risk::Counts;
use headgate_domain::time::Timestamp;
use headgate_webhook::notification::{Choice, Preference};
use serde_json::json;

use crate::config::Ports;
use crate::outcome::{Effects, Failure};
use crate::people;
use crate::says::{Said, say};

/// What a stop adds to the counters of the number.
pub(crate) const STOPPED: Counts = Counts::from_values([0, 0, 0, 0, 0, 1, 0, 0]);

/// Notes the choice.
pub(crate) async fn note(
    ports: &Ports,
    preference: &Preference,
    now: Timestamp,
) -> Result<Effects, Failure> {
    let mut effects = Effects::default();
    match preference.choice {
        Choice::Stop => {
            let met = people::meet(
                ports,
                preference.phone.as_ref(),
                preference.bsuid.as_ref(),
                (preference.at, now),
            );
            let met = met.await?;
            effects.events.extend(met.events);
            let person = met.subject;
            ports
                .subjects
                .note_meta_stop(&person.id, true, preference.at)
                .await?;
            let source = format!("{}/{}", person.id, preference.at);
            let said = Said {
                subject: &person.id,
                reference: person.reference.as_deref(),
                topic: None,
                action: Action::Withdrawn,
                asked_at: None,
                at: preference.at,
                method: "meta_switch",
                notice: None,
                locale: None,
                evidence: json!({ "field": "user_preferences", "number": preference.number }),
                source: &source,
            };
            let told = say(ports, &said, Purpose::Marketing, now).await?;
            if let (Some(number), Some(_stopped)) = (&preference.number, &told) {
                effects.count(number, &STOPPED);
            }
            effects.events.extend(told);
        }
        Choice::Resume => {
            let named = people::identifiers(preference.phone.as_ref(), preference.bsuid.as_ref());
            for identifier in &named {
                if let Some(held) = ports.subjects.holder(identifier, preference.at).await? {
                    ports
                        .subjects
                        .note_meta_stop(&held.subject, false, preference.at)
                        .await?;
                }
            }
        }
    }
    Ok(effects)
}
