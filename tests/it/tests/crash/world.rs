//! A deployment with what the trials share: batches as SQS hands them over, and what stands after them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use headgate_aws::messages::Messages;
use headgate_aws::pacing::Pacing;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::record::RecordRef;
use headgate_domain::time::{DAY, HOUR};
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, events, stage};
use intake::Intake;
use serde_json::{Value, json};

pub(crate) const NUMBER: &str = "106540352242922";
pub(crate) const PORTFOLIO: &str = "portfolio-1";

pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) clock: Clock,
    pub(crate) messages: Messages,
    pub(crate) pacing: Pacing,
    intake: Intake,
    batches: AtomicU32,
}

impl World {
    pub(crate) async fn start() -> Self {
        let stage = stage().await;
        let environment = stage.environment("SenderFunction");
        let aws =
            Aws::new(&AwsSettings::new(|name| environment.get(name).cloned()).unwrap()).unwrap();
        let clock = stage.clock();
        // Five in the afternoon in Greenwich is day in all of Canada, where the people of these tests are. Intake's own
        // clock is the calendar's, and the keys of today and tomorrow are there.
        let calendar = stage.cloud().calendar();
        let until_five = (17 * HOUR - clock().millis().rem_euclid(DAY)).rem_euclid(DAY);
        calendar.set_offset_ms(calendar.offset_ms() + until_five);
        Self {
            messages: Messages::new(&aws, &environment["HEADGATE_TABLE_MESSAGES"]),
            pacing: Pacing::new(&aws, &environment["HEADGATE_TABLE_PACING"]),
            intake: intake(stage.environment("IntakeFunction"), clock.clone()).await,
            clock,
            stage,
            batches: AtomicU32::new(0),
        }
    }

    /// A number no other batch of this deployment has.
    pub(crate) fn batch(&self) -> u32 {
        self.batches.fetch_add(1, Ordering::Relaxed)
    }

    /// A batch from a queue of intake's; the SQS messages have ids of their own.
    pub(crate) fn queued(&self, queue: &str, batch: u32, bodies: &[Value]) -> SqsEvent {
        let environment = self.stage.environment("IntakeFunction");
        let arn = &environment[&format!("HEADGATE_QUEUE_{queue}_ARN")];
        let bodies: Vec<String> = bodies.iter().map(Value::to_string).collect();
        delivery(arn, &format!("{queue}-{batch}"), &bodies)
    }

    /// Lets an intake that does not die work on a batch.
    pub(crate) async fn intake(&self, batch: SqsEvent) {
        assert_eq!(self.intake.handle(batch).await, BatchResponse::default());
    }

    /// What apps were told about the ids that end so, by type and id: the event ids. A repetition has the same one.
    pub(crate) async fn told(&self, end: &str) -> BTreeMap<(String, String), BTreeSet<String>> {
        let mut told: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for event in self.events().await {
            let id = event["id"].as_str().unwrap_or_default();
            if id.ends_with(end) {
                let kind = event["type"].as_str().unwrap().to_owned();
                let event_id = event["event_id"].as_str().unwrap().to_owned();
                told.entry((kind, id.to_owned()))
                    .or_default()
                    .insert(event_id);
            }
        }
        told
    }

    /// Everything apps were told.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let dump = self.stage.cloud().dump().await.unwrap();
        let of_queue = dump.iter().filter(|(place, _)| {
            let mut words = place.split(' ');
            words.next() == Some("queue")
                && words
                    .next()
                    .is_some_and(|queue| queue.ends_with("app-events"))
        });
        of_queue
            .map(|(_, text)| {
                let mut values = serde_json::Deserializer::from_str(text).into_iter();
                values.next().unwrap().unwrap()
            })
            .collect()
    }

    /// The record an app was told under its id.
    pub(crate) async fn reference(&self, id: &str) -> RecordRef {
        let events = self.events().await;
        let event = events
            .iter()
            .find(|event| event["type"] == "message.accepted" && event["id"] == id)
            .unwrap_or_else(|| panic!("{id} was not accepted"));
        RecordRef::from_message_id(event["message_id"].as_str().unwrap()).unwrap()
    }

    /// How many rows of a table have a place that contains these letters.
    pub(crate) async fn rows(&self, table: &str, letters: &str) -> usize {
        let dump = self.stage.cloud().dump().await.unwrap();
        let found = dump.iter().filter(|(place, _)| {
            let row = place.strip_prefix("table ").unwrap_or_default();
            let (name, key) = row.split_once('/').unwrap_or_default();
            // The bytes of an item are listed beside it.
            name.ends_with(table) && key.contains(letters) && !key.contains(" bytes of ")
        });
        found.count()
    }
}

/// A new environment's intake.
pub(crate) async fn intake(environment: BTreeMap<String, String>, clock: Clock) -> Intake {
    Intake::new(&Settings::from_map(environment), clock)
        .await
        .unwrap()
}

/// A batch; its messages are known by `name` wherever they are delivered again.
pub(crate) fn delivery(queue_arn: &str, name: &str, bodies: &[String]) -> SqsEvent {
    let texts: Vec<&str> = bodies.iter().map(String::as_str).collect();
    let event = events::sqs(queue_arn, &texts);
    let mut event: SqsEvent = serde_json::from_value(event).unwrap();
    for (index, record) in event.records.iter_mut().enumerate() {
        record.message_id = format!("{name}-{index}");
    }
    event
}

/// The same batch as SQS hands it over after `failed` attempts.
pub(crate) fn again(mut batch: SqsEvent) -> SqsEvent {
    for record in &mut batch.records {
        let count = record.receive_count() + 1;
        record.attributes.approximate_receive_count = Some(count.to_string());
    }
    batch
}

pub(crate) fn bsuid(n: u32) -> String {
    format!("CA.{}", 10_000_000 + n)
}

pub(crate) fn message(purpose: &str, to: &Value, id: &str) -> Value {
    let template = match purpose {
        "marketing" => "autumn_sale",
        _ => "order_shipped",
    };
    json!({
        "schema": "headgate.outbound/1", "id": id, "from": "main", "to": to, "purpose": purpose,
        "message": {"type": "template", "template": {"name": template, "language": {"code": "en_US"}, "components": []}},
    })
}

pub(crate) fn consent(world: &World, action: &str, to: &Value, id: &str) -> Value {
    json!({
        "schema": "headgate.consent/1", "id": id, "to": to, "purpose": ["marketing", "utility"],
        "action": action, "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp",
        "evidence": {"form": "checkout-7", "page": "maple.example/checkout"}, "occurred_at": (world.clock)(),
    })
}
