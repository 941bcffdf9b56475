//! A deployment whose tables are busy, whose holder dies, and whose people say no in every way there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use headgate_aws::messages::Messages;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::identity::SubjectId;
use headgate_domain::record::{RecordRef, State};
use headgate_domain::time::{DAY, HOUR};
use headgate_lambda::batch::SqsEvent;
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{APP_SECRET, GRAPH_TOKEN, Stage, events, stage_with};
use intake::Intake;
use meta_simulator::{Arrival, Fault, Faults, Latency, Number, Options, Simulator, Template};
use notification_processor::NotificationProcessor;
use sender::Sender;
use serde_json::{Value, json};

use crate::doors::Doors;
use crate::throttle::{Throttled, before};

const CONFIG: &str = include_str!("../../../../config/headgate.toml");
const CAP: &str = "[[caps]]\npurpose = \"marketing\"\nmax = 10\nhours = 24\n[events]";
pub(crate) const NUMBER: &str = "106540352242922";
/// What Lambda leaves a sender: a term, and the time to drain.
const TIME: Duration = Duration::from_secs(40);
/// One request in so many finds the tables too busy.
const BUSY_EVERY: u64 = 23;

pub(crate) struct World {
    stage: Stage,
    simulator: Simulator,
    throttled: Throttled,
    messages: Messages,
    intake: Arc<Intake>,
    processor: NotificationProcessor,
    clock: Clock,
}

impl World {
    pub(crate) async fn start() -> Self {
        let config = CONFIG.replacen("# daily_limit = 2000", "daily_limit = \"unlimited\"", 1);
        // As slow as Meta allows, so that there is time to say no while messages wait.
        let config = config.replacen("per_second = 80", "per_second = 20", 1);
        let stage = stage_with(&config.replacen("[events]", CAP, 1)).await;
        let clock = stage.clock();
        // Day in all of Canada, where the people of this test are.
        let calendar = stage.cloud().calendar();
        let until_five = (17 * HOUR - clock().millis().rem_euclid(DAY)).rem_euclid(DAY);
        calendar.set_offset_ms(calendar.offset_ms() + until_five);
        let simulator = Simulator::start(Options {
            app_secret: APP_SECRET.into(),
            access_token: GRAPH_TOKEN.into(),
            numbers: vec![Number {
                id: NUMBER.into(),
                display_phone: "+16135550100".into(),
                per_second: 20,
            }],
            templates: vec![Template {
                name: "autumn_sale".into(),
                language: "en_US".into(),
                category: "MARKETING".into(),
                body_parameters: 0,
            }],
            latency: Latency {
                min_ms: 5,
                max_ms: 60,
            },
            statuses: false,
            ..Options::default()
        })
        .await
        .unwrap();
        let environment = stage.environment("SenderFunction");
        let throttled = before(&environment["AWS_ENDPOINT_URL_DYNAMODB"], BUSY_EVERY).await;
        let aws =
            Aws::new(&AwsSettings::new(|name| environment.get(name).cloned()).unwrap()).unwrap();
        let settings = |function: &str| {
            let mut environment = stage.environment(function);
            environment.insert("AWS_ENDPOINT_URL_DYNAMODB".into(), throttled.url.clone());
            Settings::from_map(environment)
        };
        Self {
            messages: Messages::new(&aws, &environment["HEADGATE_TABLE_MESSAGES"]),
            intake: Arc::new(
                Intake::new(&settings("IntakeFunction"), clock.clone())
                    .await
                    .unwrap(),
            ),
            processor: NotificationProcessor::new(
                &settings("NotificationProcessorFunction"),
                clock.clone(),
            )
            .await
            .unwrap(),
            simulator,
            throttled,
            clock,
            stage,
        }
    }

    /// The page, the API and the command line, with SQS between them and intake.
    pub(crate) async fn doors(&self) -> Doors {
        Doors::open(&self.stage, &self.intake, &self.throttled.url).await
    }

    /// How often the tables were too busy.
    pub(crate) fn refused(&self) -> u64 {
        self.throttled.refused.load(Ordering::Relaxed)
    }

    /// Everything Meta heard.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.simulator.arrivals()
    }

    /// Now, in whole seconds, as Meta writes it.
    pub(crate) fn seconds(&self) -> i64 {
        (self.clock)().seconds()
    }

    /// Puts bodies on a queue of intake's; what it hands back comes again.
    pub(crate) async fn queue(&self, queue: &str, name: &str, bodies: &[Value]) {
        let arn = self.stage.environment("IntakeFunction")[&format!("HEADGATE_QUEUE_{queue}_ARN")]
            .clone();
        for (n, chunk) in bodies.chunks(10).enumerate() {
            let mut batch = batch(&arn, &format!("{name}-{n}"), chunk);
            loop {
                let answer = self.intake.handle(batch.clone()).await;
                if !left(&mut batch, &answer) {
                    break;
                }
            }
        }
    }

    /// Hands a notification of Meta's over until it is taken.
    pub(crate) async fn notify(&self, name: &str, body: &Value) {
        let mut batch = batch("arn:notifications", name, std::slice::from_ref(body));
        loop {
            let answer = self.processor.handle(batch.clone()).await;
            if !left(&mut batch, &answer) {
                break;
            }
        }
    }

    /// One life of a holder; it dies without a word after the given time.
    pub(crate) async fn hold(&self, life: Duration) {
        let mut environment = self.stage.environment("SenderFunction");
        environment.insert("HEADGATE_GRAPH_URL".into(), self.simulator.url());
        environment.insert(
            "AWS_ENDPOINT_URL_DYNAMODB".into(),
            self.throttled.url.clone(),
        );
        let wake = json!({ "portfolio": "portfolio-1" }).to_string();
        let wake = json!({ "Records": [{ "body": wake }] });
        let sender = Sender::new(&Settings::from_map(environment), self.clock.clone()).await;
        let sender = sender.unwrap();
        tokio::time::timeout(life, sender.handle(wake, TIME))
            .await
            .ok();
    }

    /// Has Meta refuse the next send with a code.
    pub(crate) fn refuse_next(&self, code: u32) {
        self.simulator.faults(Faults {
            fault: Fault::Code { code, http: None },
            next: 1,
        });
    }

    /// The bodies on a queue, by the end of its name.
    pub(crate) async fn on_queue(&self, name: &str) -> Vec<Value> {
        self.stage.on_queue(name).await
    }

    /// The records of messages by their ids, as apps were told them.
    pub(crate) async fn accepted(&self) -> BTreeMap<String, RecordRef> {
        let mut found = BTreeMap::new();
        for event in self.on_queue("app-events").await {
            if event["type"] == "message.accepted" {
                let reference = RecordRef::from_message_id(event["message_id"].as_str().unwrap());
                found.insert(event["id"].as_str().unwrap().to_owned(), reference.unwrap());
            }
        }
        found
    }

    /// Whom apps were told about, by the ids of messages.
    pub(crate) async fn subjects(&self) -> BTreeMap<String, SubjectId> {
        let events = self.on_queue("app-events").await;
        let accepted = events.iter().filter(|e| e["type"] == "message.accepted");
        accepted
            .map(|event| {
                let subject = SubjectId::parse(event["subject"].as_str().unwrap()).unwrap();
                (event["id"].as_str().unwrap().to_owned(), subject)
            })
            .collect()
    }

    /// Where records stand, and why.
    pub(crate) async fn states(
        &self,
        references: &[RecordRef],
    ) -> BTreeMap<RecordRef, (State, Option<String>)> {
        let records = self
            .messages
            .load(references, (self.clock)())
            .await
            .unwrap();
        records
            .into_iter()
            .map(|record| (record.reference, (record.state, record.reason)))
            .collect()
    }
}

fn batch(arn: &str, name: &str, bodies: &[Value]) -> SqsEvent {
    let texts: Vec<String> = bodies.iter().map(Value::to_string).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut event: SqsEvent = serde_json::from_value(events::sqs(arn, &texts)).unwrap();
    for (index, record) in event.records.iter_mut().enumerate() {
        record.message_id = format!("{name}-{index}");
    }
    event
}

/// Leaves in a batch what was handed back, as it is delivered again.
fn left(batch: &mut SqsEvent, answer: &headgate_lambda::batch::BatchResponse) -> bool {
    let back: Vec<&str> = answer
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    batch
        .records
        .retain(|record| back.contains(&record.message_id.as_str()));
    for record in &mut batch.records {
        let count = record.receive_count() + 1;
        record.attributes.approximate_receive_count = Some(count.to_string());
    }
    !batch.records.is_empty()
}

/// When something happened that is measured.
pub(crate) struct Withdrawal {
    pub(crate) channel: &'static str,
    /// The queue has it.
    pub(crate) said: Instant,
    /// Everything it changes is stored.
    pub(crate) stored: Instant,
}
