//! A deployment with intake in front of the pacer and the Meta simulator behind it.

use std::sync::Arc;
use std::time::Duration;

use headgate_aws::messages::{Messages, Record};
use headgate_aws::pacing::Pacing;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::record::{MAX_SHARDS, RecordRef};
use headgate_lambda::clock::{Clock, system_clock};
use headgate_lambda::settings::Settings;
use headgate_testkit::{APP_SECRET, GRAPH_TOKEN, Stage, events, stage_with};
use intake::Intake;
use meta_simulator::{Latency, Number, Options, Simulator, Template};
use sender::Sender;
use serde_json::{Value, json};

const CONFIG: &str = include_str!("../../../../config/headgate.toml");
pub(crate) const NUMBER_ID: &str = "106540352242922";
pub(crate) const PORTFOLIO: &str = "portfolio-1";

pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) simulator: Simulator,
    pub(crate) sender: Sender,
    pub(crate) messages: Messages,
    pub(crate) pacing: Pacing,
    intake: Intake,
    clock: Clock,
}

impl World {
    pub(crate) async fn start() -> Self {
        let unlimited = "daily_limit = \"unlimited\"";
        Self::of(&CONFIG.replacen("# daily_limit = 2000", unlimited, 1)).await
    }

    /// As it is shipped: Meta has not said yet how many people may be written to.
    pub(crate) async fn limited() -> Self {
        Self::of(CONFIG).await
    }

    async fn of(config: &str) -> Self {
        let stage = stage_with(config).await;
        let template = |name: &str, category: &str| Template {
            name: name.into(),
            language: "en_US".into(),
            category: category.into(),
            body_parameters: 0,
        };
        let simulator = Simulator::start(Options {
            app_secret: APP_SECRET.into(),
            access_token: GRAPH_TOKEN.into(),
            numbers: vec![Number {
                id: NUMBER_ID.into(),
                display_phone: "+16135550100".into(),
                per_second: 80,
            }],
            templates: vec![
                template("autumn_sale", "MARKETING"),
                template("order_shipped", "UTILITY"),
            ],
            latency: Latency {
                min_ms: 5,
                max_ms: 30,
            },
            statuses: false,
            ..Options::default()
        })
        .await
        .unwrap();
        let mut environment = stage.environment("SenderFunction");
        environment.insert("HEADGATE_GRAPH_URL".into(), simulator.url());
        let aws =
            Aws::new(&AwsSettings::new(|name| environment.get(name).cloned()).unwrap()).unwrap();
        let messages = Messages::new(&aws, &environment["HEADGATE_TABLE_MESSAGES"]);
        let pacing = Pacing::new(&aws, &environment["HEADGATE_TABLE_PACING"]);
        let clock = stage.clock();
        let intake_settings = Settings::from_map(stage.environment("IntakeFunction"));
        Self {
            sender: Sender::new(&Settings::from_map(environment), Arc::clone(&clock))
                .await
                .unwrap(),
            intake: Intake::new(&intake_settings, Arc::clone(&clock))
                .await
                .unwrap(),
            stage,
            simulator,
            messages,
            pacing,
            clock,
        }
    }

    pub(crate) fn now(&self) -> headgate_domain::time::Timestamp {
        (self.clock)()
    }

    /// Puts bodies on a queue of intake's and lets it work.
    pub(crate) async fn put(&self, queue: &str, bodies: &[Value]) {
        let arn = self.stage.environment("IntakeFunction")[&format!("HEADGATE_QUEUE_{queue}_ARN")]
            .clone();
        for chunk in bodies.chunks(10) {
            let texts: Vec<String> = chunk.iter().map(Value::to_string).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let event = serde_json::from_value(events::sqs(&arn, &texts)).unwrap();
            let response = self.intake.handle(event).await;
            assert!(response.batch_item_failures.is_empty());
        }
    }

    /// People who agreed to everything, each with one message in the outbox of a lane.
    pub(crate) async fn queue(
        &self,
        purpose: &str,
        people: std::ops::Range<u32>,
    ) -> Vec<RecordRef> {
        let consents: Vec<Value> = people.clone().map(|n| consent("given", n)).collect();
        self.put("CONSENTS", &consents).await;
        self.put(
            &purpose.to_uppercase(),
            &people
                .clone()
                .map(|n| message(purpose, n))
                .collect::<Vec<_>>(),
        )
        .await;
        let lane = headgate_domain::lane::Purpose::from_word(purpose).unwrap();
        let mut references = Vec::new();
        for shard in 0..MAX_SHARDS {
            let page = self
                .messages
                .page(NUMBER_ID, lane, shard, ("0", 1_000), self.now());
            let seen = page.await.unwrap().seen;
            references.extend(seen.into_iter().map(|s| s.ticket.reference));
        }
        references
    }

    /// The claims that the last holder left open.
    pub(crate) async fn open_claims(&self) -> Vec<u16> {
        let legacy = self.pacing.legacy(PORTFOLIO).await.unwrap().unwrap();
        legacy.numbers.into_iter().flat_map(|n| n.open).collect()
    }

    /// Wakes the sender and lets it work until nothing waits.
    pub(crate) async fn wake(&self) {
        self.sender
            .handle(wake(), Duration::from_secs(40))
            .await
            .unwrap();
    }

    pub(crate) async fn record(&self, reference: &RecordRef) -> Record {
        self.messages
            .load(std::slice::from_ref(reference), self.now())
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    /// What reached the app queue, by type.
    pub(crate) async fn events(&self, kind: &str) -> usize {
        let dump = self.stage.cloud().dump().await.unwrap();
        let wanted = format!("\"type\":\"{kind}\"");
        dump.iter()
            .filter(|(place, text)| {
                place.contains("app-events") && text.replace("\\\"", "\"").contains(&wanted)
            })
            .count()
    }
}

pub(crate) fn wake() -> Value {
    json!({"Records": [{"body": json!({"portfolio": PORTFOLIO}).to_string()}]})
}

pub(crate) fn bsuid(n: u32) -> String {
    format!("CA.{}", 10_000_000_u32 + n)
}

pub(crate) fn message(purpose: &str, n: u32) -> Value {
    let template = if purpose == "marketing" {
        "autumn_sale"
    } else {
        "order_shipped"
    };
    json!({
        "schema": "headgate.outbound/1", "id": format!("{purpose}-{n}"), "from": "main", "to": {"bsuid": bsuid(n)}, "purpose": purpose,
        "message": {"type": "template", "template": {"name": template, "language": {"code": "en_US"}, "components": []}},
    })
}

pub(crate) fn consent(action: &str, n: u32) -> Value {
    json!({
        "schema": "headgate.consent/1", "id": format!("{action}-{n}"), "to": {"bsuid": bsuid(n)}, "purpose": ["marketing", "utility"],
        "action": action, "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp", "evidence": {"form": "checkout-7", "page": "maple.example/checkout"}, "occurred_at": system_clock()(),
    })
}
