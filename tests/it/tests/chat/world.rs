//! Intake, notification-processor and sender with a simulated Meta, and what lies on their queues.

use std::collections::BTreeSet;
use std::time::Duration;

use consent_import::ConsentImport;
use headgate_aws::consents::Consents;
use headgate_aws::controls::Controls;
use headgate_aws::evidence::Evidence;
use headgate_aws::ledger::Ledger;
use headgate_aws::objects::Bucket;
use headgate_aws::pacing::Pacing;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::time::{DAY, HOUR};
use headgate_lambda::batch::SqsEvent;
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{APP_SECRET, GRAPH_TOKEN, Stage, events, stage_with};
use intake::Intake;
use meta_simulator::{Arrival, Number, Options, Simulator, Template};
use notification_processor::NotificationProcessor;
use privacy_web::PrivacyWeb;
use privacy_worker::PrivacyWorker;
use sender::Sender;
use serde_json::{Value, json};

const CONFIG: &str = include_str!("../../../../config/headgate.toml");
const IMPORTS: &str = include_str!("../../../../crates/headgate-domain/tests/import_message.toml");
const AD: &str = "[[consents.entries]]\nname = \"any-ad\"\nkind = \"ad\"\npurpose = \"marketing\"\ntopics = [\"offers\"]\n[consents.entries.notice]\nen = \"Maple Outfitters may write to me after its advertisement.\"\n[events]";
pub(crate) const NUMBER: &str = "106540352242922";
/// What Lambda leaves a sender.
const TIME: Duration = Duration::from_secs(40);
/// So long a holder has for a message or two on a machine that is busy with something else: when it has sent them, it
/// ends by itself.
const LIFE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    stage: Stage,
    simulator: Simulator,
    intake: Intake,
    processor: NotificationProcessor,
    ledger: Ledger,
    clock: Clock,
    worker: PrivacyWorker,
    aws: Aws,
}

impl World {
    pub(crate) async fn start() -> Self {
        let config = CONFIG.replacen("[events]", AD, 1);
        let stage = stage_with(&format!("{config}\n{IMPORTS}")).await;
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
                per_second: 80,
            }],
            templates: ["autumn_sale", "ask_imported"]
                .map(|name| Template {
                    name: name.into(),
                    language: "en_US".into(),
                    category: "MARKETING".into(),
                    body_parameters: 0,
                })
                .into(),
            statuses: false,
            ..Options::default()
        })
        .await
        .unwrap();
        let settings = |function: &str| Settings::from_map(stage.environment(function));
        let of_intake = settings("IntakeFunction");
        let aws = Aws::new(&AwsSettings::new(of_intake.lookup()).unwrap()).unwrap();
        let ledger = Ledger::new(
            &aws,
            of_intake.name("HEADGATE_TABLE_CONSENT_LEDGER").unwrap(),
        );
        let of_processor = settings("NotificationProcessorFunction");
        let processor = NotificationProcessor::new(&of_processor, clock.clone()).await;
        let of_worker = settings("PrivacyWorkerFunction");
        let worker = PrivacyWorker::new(&of_worker, clock.clone()).await;
        Self {
            worker: worker.unwrap(),
            aws,
            intake: Intake::new(&of_intake, clock.clone()).await.unwrap(),
            processor: processor.unwrap(),
            ledger,
            simulator,
            clock,
            stage,
        }
    }

    /// Now, in whole seconds, as Meta writes it.
    pub(crate) fn seconds(&self) -> i64 {
        (self.clock)().seconds()
    }

    /// Everything Meta heard.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.simulator.arrivals()
    }

    /// Hands bodies to intake as from one of its queues.
    pub(crate) async fn queue(&self, queue: &str, name: &str, bodies: &[Value]) {
        let variable = format!("HEADGATE_QUEUE_{queue}_ARN");
        let arn = self.stage.environment("IntakeFunction")[&variable].clone();
        let answer = self.intake.handle(self.batch(&arn, name, bodies)).await;
        assert!(answer.batch_item_failures.is_empty(), "{name}");
    }

    /// Hands a notification of Meta's over.
    pub(crate) async fn notify(&self, name: &str, body: &Value) {
        let batch = self.batch("arn:notifications", name, std::slice::from_ref(body));
        let answer = self.processor.handle(batch).await;
        assert!(answer.batch_item_failures.is_empty(), "{name}");
    }

    /// Hands everything on the system queue to intake; what it had before, it knows.
    pub(crate) async fn answer_people(&self) {
        for (n, body) in self.on_queue("-system").await.iter().enumerate() {
            let name = format!("system-{n}");
            self.queue("SYSTEM", &name, std::slice::from_ref(body))
                .await;
        }
    }

    /// Puts an object into the imports bucket as somebody, and hands over what S3 says of it.
    pub(crate) async fn bring(&self, key: &str, bytes: &str, access_key: Option<&str>) {
        let mut environment = self.stage.environment("ConsentImportFunction");
        let name = environment["HEADGATE_BUCKET_IMPORTS"].clone();
        environment.extend(self.stage.cloud().aws_environment());
        if let Some(access_key) = access_key {
            environment.insert("AWS_ACCESS_KEY_ID".to_owned(), access_key.to_owned());
        }
        let settings = Settings::from_map(environment);
        let aws = Aws::new(&AwsSettings::new(settings.lookup()).unwrap()).unwrap();
        let bucket = Bucket::new(&aws, &name, 1 << 20);
        bucket.put(key, bytes.as_bytes().to_vec()).await.unwrap();
        let said = self.on_queue("-imports").await;
        let is_of_it = |said: &&Value| said["Records"][0]["s3"]["object"]["key"] == key;
        let said = said.iter().rfind(is_of_it).unwrap();
        let event = self.batch("arn:imports", key, std::slice::from_ref(said));
        let settings = Settings::from_map(self.stage.environment("ConsentImportFunction"));
        let import = ConsentImport::new(&settings, self.clock.clone())
            .await
            .unwrap();
        let answer = import.handle(event, TIME).await;
        assert!(answer.batch_item_failures.is_empty(), "{key}");
    }

    /// The limits remember somebody at a number, and the purge that there is that number.
    pub(crate) async fn remember_at(&self, number: &str, subject: &str) {
        let worker = self.stage.environment("PrivacyWorkerFunction");
        let pacing = Pacing::new(&self.aws, &worker["HEADGATE_TABLE_PACING"]);
        let debt = pacing.put_pair_debt(number, subject, 5_000, (self.clock)());
        debt.await.unwrap();
        let evidence = Evidence::new(&self.aws, &worker["HEADGATE_TABLE_EVIDENCE"]);
        let numbers = BTreeSet::from([number.to_owned()]);
        evidence.put_swept_numbers(&numbers).await.unwrap();
    }

    /// A page, as a browser asks for it: status and text.
    pub(crate) async fn page(&self, method: &str, path: &str, form: &str) -> (u16, String) {
        let settings = Settings::from_map(self.stage.environment("PrivacyWebFunction"));
        let pages = PrivacyWeb::new(&settings, self.clock.clone())
            .await
            .unwrap();
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        let request = request.body(form.to_owned().into()).unwrap();
        let answer = pages.handle(request).await;
        let status = answer.status().as_u16();
        let body = String::from_utf8(answer.into_body().to_vec()).unwrap();
        // As Lambda gets it, with room for the headers: it takes 6 MB.
        assert!(Value::from(body.as_str()).to_string().len() < 6_000_000);
        (status, body)
    }

    /// One of the published schemas.
    pub(crate) fn schema(name: &str) -> jsonschema::Validator {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        let text = std::fs::read_to_string(path.join(name)).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    /// Where a text stands, of all that is stored or waits.
    pub(crate) async fn places_with(&self, text: &str) -> Vec<String> {
        self.stage.places_with(text).await
    }

    /// What an import has reported of its first rows.
    pub(crate) async fn report(&self, hash: &str) -> String {
        let settings = Settings::from_map(self.stage.environment("ConsentImportFunction"));
        let name = settings.name("HEADGATE_BUCKET_IMPORTS").unwrap();
        let bucket = Bucket::new(&self.aws, name, 1 << 20);
        let key = format!("reports/{hash}/rows-00000.csv");
        let report = bucket.find_tagged(&key).await.unwrap();
        String::from_utf8(report.unwrap().0).unwrap()
    }

    /// One life of a holder.
    pub(crate) async fn send(&self) {
        let mut environment = self.stage.environment("SenderFunction");
        environment.insert("HEADGATE_GRAPH_URL".into(), self.simulator.url());
        let wake = json!({ "portfolio": "portfolio-1" }).to_string();
        let wake = json!({ "Records": [{ "body": wake }] });
        let sender = Sender::new(&Settings::from_map(environment), self.clock.clone()).await;
        let sender = sender.unwrap();
        tokio::time::timeout(LIFE, sender.handle(wake, TIME))
            .await
            .ok();
    }

    /// The bodies on a queue, by the end of its name.
    pub(crate) async fn on_queue(&self, name: &str) -> Vec<Value> {
        self.stage.on_queue(name).await
    }

    /// Hands everything on the requests queue to the worker; what it had before, it knows.
    pub(crate) async fn receive_requests(&self) {
        assert_eq!(self.failed_requests().await, 0);
    }

    /// The same; how many it could not open and would be handed again.
    pub(crate) async fn failed_requests(&self) -> usize {
        let bodies = self.on_queue("-privacy-requests").await;
        let batch = self.batch("arn:privacy-requests", "ask", &bodies);
        let answer = self.worker.handle(json!(batch)).await.unwrap();
        answer["batchItemFailures"].as_array().unwrap().len()
    }

    /// What the worker does at its hour; how many tasks.
    pub(crate) async fn work_off(&self) -> u64 {
        let answer = self.worker.handle(json!({})).await.unwrap();
        answer["done"].as_u64().unwrap()
    }

    /// Turns the calendar.
    pub(crate) fn wait(&self, ms: i64) {
        let calendar = self.stage.cloud().calendar();
        calendar.set_offset_ms(calendar.offset_ms() + ms);
    }

    /// Keys of the days up to now and some ahead, as the purge would have minted them.
    pub(crate) async fn mint(&self) {
        let keyring = self.stage.keyring();
        let now = (self.clock)();
        for ahead in 0..3 {
            keyring.mint_day(now.day().plus(ahead), now).await.unwrap();
        }
    }

    /// Every row of the tables, and what stands in it.
    pub(crate) async fn rows(&self) -> Vec<(String, String)> {
        let dump = self.stage.cloud().dump().await.unwrap();
        let tables = dump
            .into_iter()
            .filter(|(place, _)| place.starts_with("table "));
        tables.collect()
    }

    /// The environment of a function of the template, and a connection as it has one.
    pub(crate) fn of(&self, function: &str) -> (Settings, &Aws) {
        (
            Settings::from_map(self.stage.environment(function)),
            &self.aws,
        )
    }

    /// The same business with another number instead; functions that start anew know of it at once.
    pub(crate) async fn with_number(self, id: &str) -> Self {
        let (settings, aws) = self.of("IntakeFunction");
        let controls = Controls::new(aws, settings.name("HEADGATE_TABLE_CONTROLS").unwrap());
        let mut config = controls.config().await.unwrap().as_ref().clone();
        id.clone_into(&mut config.numbers[0].id);
        controls.put_config(&config, 2).await.unwrap();
        let settings = |function: &str| Settings::from_map(self.stage.environment(function));
        let of_processor = settings("NotificationProcessorFunction");
        let processor = NotificationProcessor::new(&of_processor, self.clock.clone()).await;
        let of_worker = settings("PrivacyWorkerFunction");
        let worker = PrivacyWorker::new(&of_worker, self.clock.clone()).await;
        let of_intake = settings("IntakeFunction");
        let intake = Intake::new(&of_intake, self.clock.clone()).await;
        Self {
            processor: processor.unwrap(),
            worker: worker.unwrap(),
            intake: intake.unwrap(),
            ..self
        }
    }

    /// What people say, as a function records it.
    pub(crate) async fn consents(&self) -> Consents {
        self.stage.consents().await
    }

    /// The events of the ledger.
    pub(crate) async fn ledger(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for shard in 0..16 {
            for entry in self.ledger.entries(shard, 0).await.unwrap() {
                all.push(serde_json::from_str(&entry.event).unwrap());
            }
        }
        all
    }

    /// Records of a queue, sent just now.
    fn batch(&self, arn: &str, name: &str, bodies: &[Value]) -> SqsEvent {
        let texts: Vec<String> = bodies.iter().map(Value::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut event: SqsEvent = serde_json::from_value(events::sqs(arn, &texts)).unwrap();
        for (index, record) in event.records.iter_mut().enumerate() {
            record.message_id = format!("{name}-{index}");
            record.attributes.sent_timestamp = Some((self.clock)().millis().to_string());
        }
        event
    }
}
