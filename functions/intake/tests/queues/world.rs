//! A deployment in this process: the template's tables, queues and keys, and intake in front of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::keyring::{Keyring, VaultVersion};
use headgate_aws::messages::{Messages, Record};
use headgate_aws::pacing::Pacing;
use headgate_aws::peppers::pepper;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::config::Config;
use headgate_domain::lane::Purpose;
use headgate_domain::record::MAX_SHARDS;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::{BatchResponse, SqsEvent, SqsRecord, SystemAttributes};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::people;
use intake::Intake;
use local_cloud::{Calendar, LocalCloud, Options};
use serde_json::Value;

pub(crate) const PRODUCER: &str = "AROASHOP:session-1";
pub(crate) const STRANGER: &str = "AROASTRANGER:AROASHOP";

const CONFIG: &str = r#"
    [controller]
    name = "Maple Outfitters"
    privacy_contact = "privacy@maple.example"
    [[numbers]]
    id = "106540352242922"
    alias = "main"
    display = "+16135550100"
    portfolio = "portfolio-1"
    [[numbers]]
    id = "106540352242923"
    alias = "closed"
    display = "+16135550101"
    portfolio = "portfolio-1"
    producers = ["AROAOTHER"]
    [[templates]]
    name = "order_shipped"
    language = "en_US"
    category = "utility"
    body_parameters = 1
    status = "approved"
    [[templates]]
    name = "autumn_sale"
    language = "en_US"
    category = "marketing"
    body_parameters = 1
    status = "approved"
    [[templates]]
    name = "login_code"
    language = "en_US"
    category = "authentication"
    body_parameters = 1
    status = "approved"
    [consents]
    attesters = ["AROASHOP"]
"#;

/// The configuration, with more at its end.
pub(crate) fn config(more: &str) -> String {
    format!("{CONFIG}{more}")
}

pub(crate) struct World {
    pub(crate) cloud: LocalCloud,
    pub(crate) intake: Intake,
    pub(crate) clock: Clock,
    environment: BTreeMap<String, String>,
    aws: Aws,
    calendar: Calendar,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With more in its configuration.
    pub(crate) async fn start_with(more: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
        let calendar = Calendar::at_fixed_morning();
        let cloud = LocalCloud::start(Options {
            template: read("template.yaml"),
            nested: ["infra/data.yaml", "infra/edge.yaml"]
                .map(|location| (location.to_owned(), read(location)))
                .into(),
            parameters: [("EnableEventSources".to_owned(), "true".to_owned())].into(),
            data_dir: None,
            first_port: None,
            calendar: calendar.clone(),
        })
        .await
        .unwrap();
        let environment = cloud.function_environment("IntakeFunction").unwrap();
        let turned = calendar.clone();
        let clock: Clock = Arc::new(move || Timestamp::from_millis(calendar.now_ms()));
        let settings = Settings::from_map(environment.clone());
        let aws =
            Aws::new(&AwsSettings::new(|name| environment.get(name).cloned()).unwrap()).unwrap();
        let world = Self {
            intake: Intake::new(&settings, Arc::clone(&clock)).await.unwrap(),
            cloud,
            clock,
            environment,
            aws,
            calendar: turned,
        };
        let keyring = world.keyring();
        keyring
            .mint_vault(VaultVersion::FIRST, world.now())
            .await
            .unwrap();
        keyring
            .mint_day(world.now().day(), world.now())
            .await
            .unwrap();
        world
            .controls()
            .put_config(&Config::from_toml(&config(more)).unwrap(), 1)
            .await
            .unwrap();
        world
    }

    /// Another intake on the same tables, with one setting changed.
    pub(crate) async fn intake_with(&self, variable: &str, value: &str) -> Intake {
        let mut environment = self.environment.clone();
        environment.insert(variable.to_owned(), value.to_owned());
        Intake::new(&Settings::from_map(environment), Arc::clone(&self.clock))
            .await
            .unwrap()
    }

    /// Another intake on the same tables, with a clock of its own.
    pub(crate) async fn intake_at(&self, clock: Clock) -> Intake {
        Intake::new(&Settings::from_map(self.environment.clone()), clock)
            .await
            .unwrap()
    }

    /// Turns the calendar on, or back.
    pub(crate) fn turn(&self, ms: i64) {
        self.calendar.set_offset_ms(self.calendar.offset_ms() + ms);
    }

    pub(crate) const fn aws(&self) -> &Aws {
        &self.aws
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn name(&self, variable: &str) -> &str {
        &self.environment[variable]
    }

    pub(crate) fn keyring(&self) -> Keyring {
        Keyring::new(
            &self.aws,
            self.name("HEADGATE_TABLE_KEYS"),
            self.name("HEADGATE_KMS_KEY_DATA"),
            self.name("HEADGATE_DEPLOYMENT"),
        )
    }

    pub(crate) fn controls(&self) -> Controls {
        Controls::new(&self.aws, self.name("HEADGATE_TABLE_CONTROLS"))
    }

    pub(crate) fn messages(&self) -> Messages {
        Messages::new(&self.aws, self.name("HEADGATE_TABLE_MESSAGES"))
    }

    pub(crate) fn pacing(&self) -> Pacing {
        Pacing::new(&self.aws, self.name("HEADGATE_TABLE_PACING"))
    }

    pub(crate) async fn consents(&self) -> Consents {
        let intake = self.cloud.function_environment("IntakeFunction").unwrap();
        people::consents(&self.aws, &intake, (self.clock)()).await
    }

    pub(crate) async fn links(&self) -> headgate_domain::identity::Pepper {
        pepper(
            &self.aws,
            self.name("HEADGATE_KMS_MAC_LINKS"),
            self.name("HEADGATE_DEPLOYMENT"),
        )
        .await
        .unwrap()
    }

    pub(crate) async fn message_refs(&self) -> headgate_domain::identity::Pepper {
        pepper(
            &self.aws,
            self.name("HEADGATE_KMS_MAC_MESSAGE_REF"),
            self.name("HEADGATE_DEPLOYMENT"),
        )
        .await
        .unwrap()
    }

    /// A record of the queue behind a variable.
    pub(crate) fn record(
        &self,
        queue: &str,
        message_id: &str,
        producer: &str,
        body: &str,
    ) -> SqsRecord {
        SqsRecord {
            message_id: message_id.to_owned(),
            body: body.to_owned(),
            event_source_arn: self.name(&format!("HEADGATE_QUEUE_{queue}_ARN")).to_owned(),
            attributes: SystemAttributes {
                sender_id: Some(producer.to_owned()),
                ..SystemAttributes::default()
            },
            ..SqsRecord::default()
        }
    }

    pub(crate) async fn handle(&self, records: Vec<SqsRecord>) -> BatchResponse {
        self.intake.handle(SqsEvent { records }).await
    }

    /// Everything waiting in a lane's outbox of the main number, whatever its shard.
    pub(crate) async fn outbox(&self, lane: Purpose) -> Vec<Record> {
        let (messages, mut all) = (self.messages(), Vec::new());
        for shard in 0..MAX_SHARDS {
            let page = messages.page("106540352242922", lane, shard, ("0", 100), self.now());
            let seen = page.await.unwrap().seen.into_iter();
            let references: Vec<_> = seen.map(|s| s.ticket.reference).collect();
            all.extend(messages.load(&references, self.now()).await.unwrap());
        }
        all
    }

    /// Handles one record and returns every event it made, also one that was told before.
    pub(crate) async fn told(
        &self,
        queue: &str,
        message_id: &str,
        producer: &str,
        body: &Value,
    ) -> Vec<Value> {
        let before = self.events().await;
        let record = self.record(queue, message_id, producer, &body.to_string());
        assert_eq!(self.handle(vec![record]).await, BatchResponse::default());
        let mut events = self.events().await;
        for old in before {
            let place = events.iter().position(|event| *event == old).unwrap();
            events.swap_remove(place);
        }
        events
    }

    /// Handles one body and returns the event that answers it.
    pub(crate) async fn answer(&self, queue: &str, message_id: &str, body: &Value) -> Value {
        let before = self.events().await;
        let response = self
            .handle(vec![self.record(
                queue,
                message_id,
                PRODUCER,
                &body.to_string(),
            )])
            .await;
        assert_eq!(response, BatchResponse::default());
        let mut events = self.events().await;
        events.retain(|event| !before.contains(event));
        assert_eq!(events.len(), 1, "one answer: {events:?}");
        events.remove(0)
    }

    /// What is on the queue that apps read.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.queue("app-events").await
    }

    /// The bodies on the queue of a name.
    pub(crate) async fn queue(&self, name: &str) -> Vec<Value> {
        let prefix = "queue ";
        let dump = self.cloud.dump().await.unwrap();
        let of_queue = dump.iter().filter(|(place, _)| {
            place
                .strip_prefix(prefix)
                .and_then(|rest| rest.split_once(" message "))
                .is_some_and(|(queue, _)| queue.ends_with(name))
        });
        of_queue
            .map(|(_, text)| {
                serde_json::Deserializer::from_str(text)
                    .into_iter::<Value>()
                    .next()
                    .unwrap()
                    .unwrap()
            })
            .collect()
    }

    /// Everything at rest in the tables.
    pub(crate) async fn tables(&self) -> Vec<(String, String)> {
        let mut dump = self.cloud.dump().await.unwrap();
        dump.retain(|(place, _)| place.starts_with("table "));
        dump
    }
}
