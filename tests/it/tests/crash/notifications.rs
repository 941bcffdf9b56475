//! The notification processor dies: a STOP, two statuses in the overflow bucket, and a body nobody can read.

use headgate_domain::record::{RecordRef, State};
use headgate_lambda::batch::{BatchResponse, MessageAttribute, SqsEvent};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::overflow::store;
use headgate_testkit::{End, environment};
use local_cloud::{Call, Crash};
use notification_processor::NotificationProcessor;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::Trial;
use crate::world::{NUMBER, World, again, consent, delivery, message};

/// A new environment's notification processor.
pub(crate) async fn processor(
    environment: BTreeMap<String, String>,
    clock: Clock,
) -> NotificationProcessor {
    NotificationProcessor::new(&Settings::from_map(environment), clock)
        .await
        .unwrap()
}

/// A notification with the given updates under `messages` or `statuses`.
pub(crate) fn notification(member: &str, updates: &[Value]) -> String {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{ "field": "messages", "value": {
        "metadata": { "phone_number_id": NUMBER }, "messaging_product": "whatsapp", member: updates } }] }] })
    .to_string()
}

/// A delivery status of an attempt.
pub(crate) fn status(opaque: &str, word: &str, seconds: i64, code: Option<u32>) -> Value {
    json!({ "id": format!("wamid.{}", opaque.replace('.', "")), "status": word, "timestamp": seconds.to_string(),
        "recipient_id": "447700900000", "biz_opaque_callback_data": opaque, "errors": code.map(|code| json!([{ "code": code }])) })
}

pub(crate) struct Notifications(World);

impl Notifications {
    async fn run(&self, batch: SqsEvent, death: Option<(u64, Crash)>) -> End<BatchResponse> {
        let world = &self.0;
        let settings = world.stage.environment("NotificationProcessorFunction");
        let clock = world.clock.clone();
        environment(
            &world.stage.cloud().gate(),
            death,
            || processor(settings, clock),
            |processor| async move { processor.handle(batch).await },
        )
        .await
    }
}

impl Notifications {
    /// Both records have moved, and everything is told, under one id.
    async fn moved_and_told(&self, references: &[RecordRef], subject: &Value, at: &str) {
        let world = &self.0;
        let states: Vec<State> = world
            .messages
            .load(references, (world.clock)())
            .await
            .unwrap()
            .into_iter()
            .map(|record| record.state)
            .collect();
        assert!(
            states.contains(&State::Delivered) && states.contains(&State::Failed),
            "{states:?} {at}"
        );
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in world.events().await {
            if event["subject"] == *subject {
                let kind = event["type"].as_str().unwrap().to_owned();
                let event_id = event["event_id"].as_str().unwrap().to_owned();
                told.entry(kind).or_default().insert(event_id);
            }
        }
        for kind in [
            "inbound.message",
            "subject.opted_out",
            "message.delivered",
            "message.failed",
        ] {
            let ids = told.get(kind).map_or(0, BTreeSet::len);
            assert_eq!(ids, 1, "{kind} is told, and under one id: {at}");
        }
    }
}

impl Trial for Notifications {
    async fn start() -> Self {
        Self(World::start().await)
    }

    async fn die(&self, n: u64, crash: Crash) -> Option<Call> {
        let world = &self.0;
        let batch = world.batch();
        assert!(batch < 1_000, "the numbers for drama are used up");
        let phone = format!("+447700900{batch:03}");
        let to = json!({ "phone": phone });
        let yes = consent(world, "given", &to, &format!("yes-{batch}"));
        let yes = world.queued("CONSENTS", batch, &[yes]);
        world.intake(yes).await;
        let ids = ["delivered", "failed"].map(|what| format!("{what}-{batch}"));
        let messages = ids.clone().map(|id| message("utility", &to, &id));
        let messages = world.queued("UTILITY", batch, &messages);
        world.intake(messages).await;
        let references = [
            world.reference(&ids[0]).await,
            world.reference(&ids[1]).await,
        ];
        let subject = world
            .events()
            .await
            .into_iter()
            .find(|event| event["id"] == ids[0])
            .map(|event| event["subject"].clone())
            .unwrap();
        let facts = world.rows("consent-ledger", "/E#").await;
        let seconds = (world.clock)().seconds();
        let stop = json!({ "from": phone.trim_start_matches('+'), "id": format!("wamid.stop{batch}"), "timestamp": seconds.to_string(),
            "type": "text", "text": { "body": "STOP" } });
        let statuses = notification(
            "statuses",
            &[
                status(&references[0].opaque(1), "delivered", seconds, None),
                status(&references[1].opaque(1), "failed", seconds, Some(131_026)),
            ],
        );
        let settings = world.stage.environment("NotificationProcessorFunction");
        let bucket = &settings["HEADGATE_BUCKET_OVERFLOW"];
        let now = (world.clock)();
        let pointer = store(&world.stage.aws(), bucket, statuses.as_bytes(), now).await;
        let bodies = [
            notification("messages", &[stop]),
            pointer.to_string(),
            "{\"unreadable".to_owned(),
        ];
        let aside = world.stage.cloud().meter().queue("notifications-dlq").sent;
        let mut batch_of_queue = delivery("arn:notifications", &format!("n-{batch}"), &bodies);
        let overflow = MessageAttribute {
            string_value: Some("overflow".to_owned()),
            data_type: "String".to_owned(),
        };
        batch_of_queue.records[1]
            .message_attributes
            .insert("encoding".to_owned(), overflow);
        let call = match self.run(batch_of_queue.clone(), Some((n, crash))).await {
            End::Died(call) => Some(call),
            End::Answered(answer) => {
                assert_eq!(answer, BatchResponse::default());
                None
            }
        };
        let at = format!("{n} {crash:?} {call:?}");
        if call.is_some() {
            let answer = self.run(again(batch_of_queue), None).await;
            assert_eq!(answer, End::Answered(BatchResponse::default()), "{at}");
        }

        self.moved_and_told(&references, &subject, &at).await;
        // As with intake's consents: a death between the proof and its effect leaves one that nothing refers to.
        let proofs = world.rows("consent-ledger", "/E#").await - facts;
        let spare = usize::from(call.is_some());
        assert!(
            (1..=1 + spare).contains(&proofs),
            "{proofs} proofs of one STOP: {at}"
        );
        let set_aside = world.stage.cloud().meter().queue("notifications-dlq").sent;
        assert!(set_aside > aside, "what is poison is kept: {at}");
        let key = pointer["key"].as_str().unwrap();
        let stored = world.stage.places_with(key).await;
        assert_eq!(
            stored,
            Vec::<String>::new(),
            "what is handled is gone: {at}"
        );
        call
    }
}
