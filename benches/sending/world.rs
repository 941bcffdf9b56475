//! A deployment to measure in: the local cloud, a simulated Meta over HTTP/2 and TLS, and a backlog.
//!
//! Records are made as intake makes them: one is written by the shipped adapters, the others are copies of what they
//! wrote, each with an id, a person and a sealed body of its own. They are put into the tables past the meter.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_aws::keyring::Keyring;
use headgate_aws::messages::{Messages, Record, body_place_key};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State, shard, ulid};
use headgate_domain::sealing::Place;
use headgate_domain::time::{DAY, HOUR, Timestamp};
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{APP_SECRET, GRAPH_TOKEN, Stage, events, stage_with};
use intake::Intake;
use local_cloud::LocalCloud;
use meta_simulator::{Latency, Number, Options, Simulator, Template};
use serde_json::{Map, Value, json};

pub(crate) const NUMBER: &str = "106540352242922";
pub(crate) const PORTFOLIO: &str = "portfolio-1";
const CONFIG: &str = include_str!("../../config/headgate.toml");
/// As many campaigns as marketing has shards, and then some.
const CAMPAIGNS: usize = 16;
/// Items that are put into a table at once.
const CHUNK: usize = 20_000;

pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) simulator: Simulator,
    pub(crate) clock: Clock,
    pub(crate) per_second: u32,
    pub(crate) intake: Intake,
    keyring: Keyring,
    messages: Messages,
}

impl World {
    /// `statuses`: whether Meta tells what became of its messages.
    pub(crate) async fn start(per_second: u32, statuses: bool) -> Self {
        let limit = format!("per_second = {per_second}");
        let config = CONFIG.replacen("per_second = 80", &limit, 1).replacen(
            "# daily_limit = 2000",
            "daily_limit = \"unlimited\"",
            1,
        );
        let stage = stage_with(&config).await;
        stage.cloud().set_sweeping(false);
        let clock = stage.clock();
        // Five in the afternoon in Greenwich: nobody of the backlog has a night that holds messages back.
        let calendar = stage.cloud().calendar();
        let until_five = (17 * HOUR - clock().millis().rem_euclid(DAY)).rem_euclid(DAY);
        calendar.set_offset_ms(calendar.offset_ms() + until_five);
        let template = |name: &str, category: &str, body_parameters| Template {
            name: name.into(),
            language: "en_US".into(),
            category: category.into(),
            body_parameters,
        };
        let simulator = Simulator::start(Options {
            tls: true,
            app_secret: APP_SECRET.into(),
            access_token: GRAPH_TOKEN.into(),
            numbers: vec![Number {
                id: NUMBER.into(),
                display_phone: "+16135550100".into(),
                per_second,
            }],
            templates: vec![
                template("login_code", "AUTHENTICATION", 1),
                template("order_shipped", "UTILITY", 0),
                template("autumn_sale", "MARKETING", 0),
            ],
            latency: Latency {
                min_ms: 30,
                max_ms: 120,
            },
            statuses,
            ..Options::default()
        })
        .await
        .unwrap();
        let aws = stage.aws();
        let environment = stage.environment("SenderFunction");
        let settings = Settings::from_map(stage.environment("IntakeFunction"));
        Self {
            intake: Intake::new(&settings, clock.clone()).await.unwrap(),
            keyring: stage.keyring(),
            messages: Messages::new(&aws, &environment["HEADGATE_TABLE_MESSAGES"]),
            simulator,
            clock,
            per_second,
            stage,
        }
    }

    pub(crate) fn cloud(&self) -> &LocalCloud {
        self.stage.cloud()
    }

    /// What the sender is told, the simulator included.
    pub(crate) fn sender_environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.stage.environment("SenderFunction");
        environment.insert("HEADGATE_GRAPH_URL".to_owned(), self.simulator.url());
        environment
    }

    fn table(&self, variable: &str) -> String {
        self.stage.environment("IntakeFunction")[variable].clone()
    }

    /// A batch as SQS would hand it to intake.
    pub(crate) fn batch(&self, queue: &str, bodies: &[Value]) -> SqsEvent {
        let environment = self.stage.environment("IntakeFunction");
        let arn = &environment[&format!("HEADGATE_QUEUE_{queue}_ARN")];
        let texts: Vec<String> = bodies.iter().map(Value::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        serde_json::from_value(events::sqs(arn, &texts)).unwrap()
    }

    /// So many people who said yes to marketing and utility.
    pub(crate) async fn people(&self, count: usize) -> Vec<SubjectId> {
        let yes = json!({
            "schema": "headgate.consent/1", "id": "model", "to": { "bsuid": bsuid(0) }, "purpose": ["marketing", "utility"],
            "action": "given", "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp",
            "evidence": {"form": "checkout-7", "page": "maple.example/checkout"}, "occurred_at": (self.clock)(),
        });
        let answer = self.intake.handle(self.batch("CONSENTS", &[yes])).await;
        assert_eq!(answer, BatchResponse::default());
        let (subjects, keys) = (
            self.table("HEADGATE_TABLE_SUBJECTS"),
            self.table("HEADGATE_TABLE_KEYS"),
        );
        let model = self.model(&subjects, "S#sub_", "S").await;
        let salt = self.model(&keys, "salt#sub_", "").await;
        let first = model["pk"]["S"].as_str().unwrap().trim_start_matches("S#");
        let mut people = vec![SubjectId::parse(first).unwrap()];
        people.extend((1..count).map(|n| {
            let mut random = [7; 16];
            random[..8].copy_from_slice(&(n as u64).to_be_bytes());
            SubjectId::from_random(random)
        }));
        for chunk in people[1..].chunks(CHUNK) {
            let copies = |model: &Value, prefix: &str| -> Vec<Value> {
                chunk
                    .iter()
                    .map(|person| {
                        with(
                            model,
                            &[("pk", json!({ "S": format!("{prefix}{person}") }))],
                        )
                    })
                    .collect()
            };
            let cloud = self.cloud();
            cloud.load(&subjects, copies(&model, "S#")).await.unwrap();
            cloud.load(&keys, copies(&salt, "salt#")).await.unwrap();
        }
        people
    }

    async fn model(&self, table: &str, pk: &str, sk: &str) -> Value {
        let items = self.cloud().items(table).await.unwrap();
        let is = |item: &&Value, key: &str, wanted: &str| {
            item[key]["S"]
                .as_str()
                .unwrap_or_default()
                .starts_with(wanted)
        };
        let found = items
            .iter()
            .find(|item| is(item, "pk", pk) && is(item, "sk", sk));
        found.unwrap().clone()
    }

    /// So many messages in the outbox, one after the other to each of the people.
    pub(crate) async fn backlog(&self, lane: Purpose, count: usize, people: &[SubjectId]) {
        let (now, began) = ((self.clock)(), std::time::Instant::now());
        let salt = self.keyring.salt(&people[0]).await.unwrap();
        let table = self.table("HEADGATE_TABLE_MESSAGES");
        let mut model = None;
        let mut items = Vec::with_capacity(CHUNK);
        for n in 0..count {
            let subject = &people[n % people.len()];
            let campaign = format!("campaign-{}", n % CAMPAIGNS);
            let mut random = [0; 10];
            random[..8].copy_from_slice(&scattered(n as u64).to_be_bytes());
            let age = HOUR - i64::try_from(n).unwrap() * (HOUR / 2) / i64::try_from(count).unwrap();
            let reference = RecordRef {
                number: NUMBER.to_owned(),
                lane,
                shard: shard(
                    lane,
                    self.per_second,
                    Some(&campaign),
                    scattered(n as u64).to_le_bytes()[0],
                ),
                // Queued in half an hour, an hour ago.
                ulid: ulid(now.plus_millis(-age), random),
            };
            let key = body_place_key(&reference);
            let place = Place {
                table: "messages",
                key: &key,
                field: "body",
            };
            let payload = payload(lane, n, n % people.len()).to_bytes();
            let sealed = self
                .keyring
                .seal_content(now.day(), &salt, &place, &payload)
                .await
                .unwrap();
            let Some(model) = &model else {
                let record = record(reference, subject, lane, campaign, sealed, now);
                assert!(self.messages.put(&record).await.unwrap());
                let pk = record.reference.pk();
                model = Some(self.model(&table, &pk, &record.reference.ulid).await);
                continue;
            };
            items.push(with(
                model,
                &[
                    ("pk", json!({ "S": reference.pk() })),
                    ("sk", json!({ "S": reference.ulid })),
                    ("subject", json!({ "S": subject.as_str() })),
                    ("campaign", json!({ "S": campaign })),
                    ("body", json!({ "B": STANDARD.encode(sealed) })),
                ],
            ));
            if items.len() == CHUNK {
                let chunk = std::mem::replace(&mut items, Vec::with_capacity(CHUNK));
                self.cloud().load(&table, chunk).await.unwrap();
                if (n + 1) % (10 * CHUNK) < CHUNK {
                    eprintln!(
                        "  {n} messages are waiting after {:.0} s",
                        began.elapsed().as_secs_f64()
                    );
                }
            }
        }
        self.cloud().load(&table, items).await.unwrap();
    }
}

/// As good as random, and the same in every run (splitmix64).
fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A copy of an item with other values.
fn with(model: &Value, values: &[(&str, Value)]) -> Value {
    let mut copy = model.clone();
    for (name, value) in values {
        copy[*name] = value.clone();
    }
    copy
}

pub(crate) fn bsuid(n: usize) -> String {
    format!("CA.{}", 100_000_000 + n)
}

fn template(lane: Purpose) -> &'static str {
    match lane {
        Purpose::Marketing => "autumn_sale",
        Purpose::Authentication | Purpose::Service | Purpose::Utility => "order_shipped",
    }
}

/// Meta's message object.
fn message(lane: Purpose) -> Map<String, Value> {
    let template =
        json!({ "name": template(lane), "language": { "code": "en_US" }, "components": [] });
    [
        ("type".to_owned(), json!("template")),
        ("template".to_owned(), template),
    ]
    .into_iter()
    .collect()
}

/// What an app puts on a lane queue for somebody.
pub(crate) fn outbound(lane: Purpose, to: &Value, id: &str) -> Value {
    json!({ "schema": "headgate.outbound/1", "id": id, "from": "main", "to": to, "purpose": lane.word(),
        "message": Value::Object(message(lane)) })
}

fn payload(lane: Purpose, n: usize, person: usize) -> Payload {
    Payload {
        phone: None,
        bsuid: Some(bsuid(person)),
        identity_key: None,
        // The form of a key, and nobody's.
        suppression: vec![format!("x1_{person:043}")],
        message: message(lane),
        id: format!("order-{n}"),
        reference: Some(format!("customer-{person}")),
        basis: json!({ "kind": "consent" }),
        topic: None,
    }
}

fn record(
    reference: RecordRef,
    subject: &SubjectId,
    lane: Purpose,
    campaign: String,
    body: Vec<u8>,
    now: Timestamp,
) -> Record {
    Record {
        reference,
        state: State::Queued,
        attempt: 0,
        subject: subject.clone(),
        purpose: lane,
        campaign: Some(campaign),
        template: Some(template(lane).to_owned()),
        consent_event: None,
        producer: "AROAEXAMPLEID".to_owned(),
        accepted_at: now.plus_millis(-HOUR),
        not_before: None,
        expires_at: now.plus_millis(7 * DAY),
        day: now.day(),
        body,
        reason: None,
    }
}
