//! What people do: they write, press a button, or turn marketing off. Each becomes a signed notification.

use crate::ledger::locked;
use crate::options::Person;
use crate::people::{Profile, Subject};
use crate::statuses::contact;
use crate::text::{Direction, is_bsuid, phone_digits, wamid};
use crate::wire::to_wire;
use crate::world::World;
use anyhow::{Context as _, bail};
use axum::body::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// What a person sends.
pub(crate) enum Content {
    Text(String),
    Button { payload: String, text: String },
}

/// Delivers a message of a person; returns its id once the webhook answered for the first time.
pub(crate) async fn message(
    world: Arc<World>,
    number_id: String,
    from: Person,
    content: Content,
) -> anyhow::Result<String> {
    let number = world
        .number(&number_id)
        .context("no such phone number id")?;
    if world.courier.webhook().is_none() {
        bail!("no webhook is set");
    }
    let subject = subject(&world, &from)?;
    let now = (world.options.clock)();
    let (id, answered) = {
        let mut ledger = locked(&world.ledger);
        let at = Instant::now();
        ledger.throughput[number].count(at);
        ledger.inbound.push((number, at));
        ledger.people.introduce(&subject);
        ledger.people.heard(number, &subject, now);
        let noise = world.boot.wrapping_add(ledger.next());
        let id = wamid(subject.phone.as_deref(), Direction::FromPerson, noise);
        (id, ledger.people.last_sent(number, &subject))
    };
    locked(&world.counters).inbound += 1;
    let mut message =
        json!({"from_user_id": *subject.bsuid, "id": id, "timestamp": now.to_string()});
    if let Some(phone) = &subject.phone {
        message["from"] = json!(**phone);
    }
    match content {
        Content::Text(body) => {
            message["type"] = json!("text");
            message["text"] = json!({"body": body});
        }
        Content::Button { payload, text } => {
            message["type"] = json!("button");
            message["button"] = json!({"payload": payload, "text": text});
            if let Some(answered) = answered {
                let business = world.options.numbers[number]
                    .display_phone
                    .trim_start_matches('+');
                message["context"] = json!({"from": business, "id": *answered});
            }
        }
    }
    let value = json!({"contacts": [contact(&subject)], "messages": [message]});
    notify(&world, number, "messages", value).await?;
    Ok(id)
}

/// Meta's own switch: `stop` or `resume` of marketing messages.
pub(crate) async fn preference(
    world: Arc<World>,
    number_id: String,
    from: Person,
    stop: bool,
) -> anyhow::Result<()> {
    let number = world
        .number(&number_id)
        .context("no such phone number id")?;
    let subject = subject(&world, &from)?;
    {
        let mut ledger = locked(&world.ledger);
        ledger.people.introduce(&subject);
        ledger.people.prefer(&subject, stop);
    }
    let (value, detail) = if stop {
        ("stop", "User requested to stop marketing messages")
    } else {
        ("resume", "User requested to resume marketing messages")
    };
    let mut preference = json!({
        "user_id": *subject.bsuid, "detail": detail, "category": "marketing_messages",
        "value": value, "timestamp": (world.options.clock)(),
    });
    if let Some(phone) = &subject.phone {
        preference["wa_id"] = json!(**phone);
    }
    let value = json!({"contacts": [contact(&subject)], "user_preferences": [preference]});
    notify(&world, number, "user_preferences", value).await
}

async fn notify(
    world: &Arc<World>,
    number: usize,
    field: &str,
    mut value: Value,
) -> anyhow::Result<()> {
    let number = &world.options.numbers[number];
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({
        "display_phone_number": number.display_phone.trim_start_matches('+'), "phone_number_id": number.id,
    });
    let body = to_wire(&json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": world.options.waba_id, "changes": [{"value": value, "field": field}]}],
    }))?;
    world.courier.expect(1);
    world.courier.deliver(Bytes::from(body), 1).await;
    Ok(())
}

fn subject(world: &World, person: &Person) -> anyhow::Result<Subject> {
    let (phone, bsuid, profile) = match person {
        Person::Phone { e164, name, bsuid } => {
            let digits = phone_digits(e164, "").context("not a phone number")?;
            let bsuid = if bsuid.is_empty() {
                locked(&world.ledger)
                    .people
                    .by_phone(&digits, world.options.seed)
                    .bsuid
                    .to_string()
            } else {
                bsuid.clone()
            };
            (
                Some(digits.into()),
                bsuid,
                Profile {
                    name: Some(name.clone()),
                    username: None,
                },
            )
        }
        Person::BsuidOnly { bsuid, username } => {
            // Meta shows the user name where it has no profile name to show.
            (
                None,
                bsuid.clone(),
                Profile {
                    name: username.clone(),
                    username: username.clone(),
                },
            )
        }
    };
    if !is_bsuid(&bsuid) {
        bail!("not a business-scoped user id");
    }
    Ok(Subject {
        phone,
        bsuid: bsuid.into(),
        profile: Some(Arc::new(profile)),
    })
}
