//! Delivery statuses: when they fall due, and the payload of 2026 they travel in.
//!
//! Contacts carry the user id and are left out for failures; `conversation` is gone since v24.
//! Updates are spread over several changes of one to four statuses, as receivers must expect.

use crate::people::Subject;
use crate::refusal::status_error;
use crate::text::draw;
use crate::wire::to_wire;
use crate::world::World;
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message that was taken on.
pub(crate) struct Sent {
    pub(crate) number: usize,
    pub(crate) sequence: u64,
    pub(crate) wamid: Arc<str>,
    pub(crate) subject: Subject,
    pub(crate) opaque: Option<Box<str>>,
    /// Pricing category.
    pub(crate) category: &'static str,
    /// Fails with this code instead of being delivered.
    pub(crate) fails: Option<u32>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Status {
    Sent,
    Delivered,
    Read,
    Failed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

/// One status of one message.
pub(crate) struct Update {
    pub(crate) message: Arc<Sent>,
    pub(crate) status: Status,
}

struct Pending {
    due: Instant,
    order: u64,
    update: Update,
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Pending {}

/// Statuses that are not due yet.
#[derive(Default)]
pub(crate) struct Outbox {
    heap: BinaryHeap<Reverse<Pending>>,
    order: u64,
}

/// One in so many messages reports delivered before sent, when asked to.
const REORDERED_SHARE: f64 = 1.0 / 8.0;

impl Outbox {
    /// Plans the life of a message that is taken on at `now`; says how many updates it will have.
    pub(crate) fn plan(&mut self, world: &World, message: &Arc<Sent>, now: Instant) -> u64 {
        let options = &world.options;
        let chance = |purpose| draw(options.seed, message.sequence, purpose);
        let after = |from: f64, spread: f64, purpose| {
            Duration::from_secs_f64(from + spread * chance(purpose))
        };
        let sent = now + after(0.13, 0.12, 1);
        if message.fails.is_some() {
            self.push(sent, message, Status::Failed);
            return 1;
        }
        if !options.statuses {
            return 0;
        }
        let delivered = sent + after(0.05, 0.35, 2);
        let swap = options.reorder && chance(3) < REORDERED_SHARE;
        let (sent, delivered) = if swap {
            (delivered, sent)
        } else {
            (sent, delivered)
        };
        self.push(sent, message, Status::Sent);
        self.push(delivered, message, Status::Delivered);
        if chance(4) >= options.read_share {
            return 2;
        }
        self.push(
            sent.max(delivered) + after(0.1, 0.8, 5),
            message,
            Status::Read,
        );
        3
    }

    fn push(&mut self, due: Instant, message: &Arc<Sent>, status: Status) {
        self.order += 1;
        let update = Update {
            message: Arc::clone(message),
            status,
        };
        self.heap.push(Reverse(Pending {
            due,
            order: self.order,
            update,
        }));
    }

    /// Takes out what is due.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Update> {
        let mut due = Vec::new();
        while self.heap.peek().is_some_and(|first| first.0.due <= now) {
            if let Some(Reverse(pending)) = self.heap.pop() {
                due.push(pending.update);
            }
        }
        due
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    object: &'static str,
    entry: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    changes: Vec<Change<'a>>,
}

#[derive(Serialize)]
struct Change<'a> {
    value: Body<'a>,
    field: &'static str,
}

#[derive(Serialize)]
struct Body<'a> {
    messaging_product: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<Value>,
    statuses: Vec<StatusObject<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    display_phone_number: &'a str,
    phone_number_id: &'a str,
}

#[derive(Serialize)]
struct StatusObject<'a> {
    id: &'a str,
    status: &'static str,
    timestamp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pricing: Option<Pricing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[Value; 1]>,
}

#[derive(Serialize)]
struct Pricing {
    billable: bool,
    #[serde(rename = "pricing_model")]
    model: &'static str,
    category: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// One POST for up to 1000 updates, as bytes on the wire.
pub(crate) fn payload(world: &World, updates: &[Update]) -> anyhow::Result<Vec<u8>> {
    let timestamp = (world.options.clock)().to_string();
    let mut changes = Vec::new();
    let mut rest = updates;
    while let Some(first) = rest.first() {
        // Failures stand alone: their change has no contacts.
        let length = match first.status {
            Status::Failed => 1,
            Status::Sent | Status::Delivered | Status::Read => {
                let most = 1 + usize::try_from(first.message.sequence % 4).unwrap_or(0);
                let alike = |update: &&Update| {
                    update.message.number == first.message.number && update.status != Status::Failed
                };
                rest.iter().take(most).take_while(alike).count()
            }
        };
        let (now, later) = rest.split_at(length);
        changes.push(change(world, now, &timestamp));
        rest = later;
    }
    let entry = Entry {
        id: &world.options.waba_id,
        changes,
    };
    to_wire(&Envelope {
        object: "whatsapp_business_account",
        entry: [entry],
    })
}

fn change<'a>(world: &'a World, updates: &'a [Update], timestamp: &'a str) -> Change<'a> {
    let mut contacts: Vec<(&str, Value)> = Vec::new();
    for update in updates {
        let subject = &update.message.subject;
        if update.status != Status::Failed
            && !contacts.iter().any(|(bsuid, _)| **bsuid == *subject.bsuid)
        {
            contacts.push((&subject.bsuid, contact(subject)));
        }
    }
    let number = updates
        .first()
        .and_then(|update| world.options.numbers.get(update.message.number));
    Change {
        value: Body {
            messaging_product: "whatsapp",
            metadata: Metadata {
                display_phone_number: number
                    .map_or("", |number| number.display_phone.trim_start_matches('+')),
                phone_number_id: number.map_or("", |number| &number.id),
            },
            contacts: contacts.into_iter().map(|(_, contact)| contact).collect(),
            statuses: updates
                .iter()
                .map(|update| status_object(update, timestamp))
                .collect(),
        },
        field: "messages",
    }
}

fn status_object<'a>(update: &'a Update, timestamp: &'a str) -> StatusObject<'a> {
    let message = &update.message;
    let phone = message.subject.phone.as_deref();
    let failed = update.status == Status::Failed;
    let priced = matches!(update.status, Status::Sent | Status::Delivered);
    StatusObject {
        id: &message.wamid,
        status: update.status.as_str(),
        timestamp,
        recipient_id: phone,
        recipient_user_id: (!failed || phone.is_none()).then_some(&message.subject.bsuid),
        biz_opaque_callback_data: message.opaque.as_deref(),
        pricing: priced.then_some(Pricing {
            billable: true,
            model: "PMP",
            category: message.category,
            kind: "regular",
        }),
        errors: message
            .fails
            .filter(|_| failed)
            .map(|code| [status_error(code)]),
    }
}

/// A contact as notifications carry it.
pub(crate) fn contact(subject: &Subject) -> Value {
    let mut contact = json!({"user_id": *subject.bsuid});
    if let Some(phone) = &subject.phone {
        contact["wa_id"] = json!(**phone);
    }
    if let Some(profile) = &subject.profile {
        let mut shown = json!({});
        if let Some(name) = &profile.name {
            shown["name"] = json!(name);
        }
        if let Some(username) = &profile.username {
            shown["username"] = json!(username);
        }
        contact["profile"] = shown;
    }
    contact
}
