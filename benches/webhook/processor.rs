//! Updates a second of the notification processor, on one core.
//!
//! The shipped function handles batches as Lambda hands them over, on a thread whose CPU time is counted; what answers
//! it runs on others. First against the local cloud, through a store that remembers the answers; then against that
//! store alone. Every status is of a message of ours and moves its record: nothing is ignored, and apps are told of all.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use headgate_aws::messages::{Messages, Record, body_place_key};
use headgate_domain::identity::{Identifier, Phone};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::sealing::Place;
use headgate_lambda::batch::{SqsEvent, SqsRecord};
use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::Stage;
use notification_processor::NotificationProcessor;
use serde_json::{Map, json};

use crate::fixtures::{self, NUMBER, person};
use crate::null_store::NullStore;
use crate::proc::thread_cpu;

/// People who are written to.
const PEOPLE: usize = 100;
/// What SQS hands over at once (template.yaml).
const BATCH: usize = 10;
/// How often the batches are handed over to the null store.
const ROUNDS: u32 = 5;

/// A way in which updates arrive.
pub(crate) struct Processed {
    pub(crate) what: &'static str,
    pub(crate) updates: usize,
    /// CPU of the processor per update: against the null store, against the local cloud.
    pub(crate) null: Duration,
    pub(crate) cloud: Duration,
    /// Updates a second by the clock against the local cloud, which shares the cores.
    pub(crate) cloud_per_second: f64,
    /// Calls per thousand updates against the null store.
    pub(crate) calls: BTreeMap<String, u64>,
}

/// With one status a notification, and with two hundred.
pub(crate) async fn measure(stage: &Stage) -> Vec<Processed> {
    let mut all = Vec::new();
    let shapes = [
        ("10 notifications a batch, 1 status each", 1, 0),
        ("10 notifications a batch, 100 statuses each", 100, 2_000),
    ];
    for (what, each, first) in shapes {
        let opaque = records(stage, first, 2_000).await;
        let bodies: Vec<String> = opaque
            .chunks(each)
            .enumerate()
            .map(|(n, chunk)| {
                let statuses: Vec<_> = chunk
                    .iter()
                    .enumerate()
                    .map(|(at, opaque)| {
                        fixtures::status(first + n * each + at, opaque, "delivered")
                    })
                    .collect();
                fixtures::notification(&statuses, &[])
            })
            .collect();
        all.push(process(stage, what, &bodies, opaque.len()).await);
    }
    all
}

async fn process(
    stage: &Stage,
    what: &'static str,
    bodies: &[String],
    updates: usize,
) -> Processed {
    let mut environment = stage.environment("NotificationProcessorFunction");
    let store = NullStore::start(&environment["AWS_ENDPOINT_URL_DYNAMODB"]).await;
    let direct = environment.clone();
    for service in ["DYNAMODB", "EVENTBRIDGE"] {
        environment.insert(format!("AWS_ENDPOINT_URL_{service}"), store.url.clone());
    }
    // Fills the store: the records move, and what they were answered is remembered.
    handled(&environment, bodies, 1).await;
    store.calls();
    let (null, _) = handled(&environment, bodies, ROUNDS).await;
    let (calls, forwarded) = store.calls();
    let total = updates * ROUNDS as usize;
    assert!(
        forwarded as usize * 50 < total,
        "{forwarded} calls were not the null store's"
    );
    // The records have moved: a later word moves them again.
    let later: Vec<String> = bodies
        .iter()
        .map(|body| body.replace("\"delivered\"", "\"read\""))
        .collect();
    let (cloud, wall) = handled(&direct, &later, 1).await;
    Processed {
        what,
        updates,
        null: null / u32::try_from(total).unwrap(),
        cloud: cloud / u32::try_from(updates).unwrap(),
        cloud_per_second: updates as f64 / wall.as_secs_f64(),
        calls: per_thousand(&calls, total),
    }
}

fn per_thousand(calls: &HashMap<String, u64>, total: usize) -> BTreeMap<String, u64> {
    calls
        .iter()
        .map(|(name, count)| (name.clone(), count * 1_000 / total as u64))
        .collect()
}

/// CPU of the thread that handles the batches, and the time it took.
async fn handled(
    environment: &BTreeMap<String, String>,
    bodies: &[String],
    rounds: u32,
) -> (Duration, Duration) {
    let settings = Settings::from_map(environment.clone());
    let batches: Vec<SqsEvent> = bodies
        .chunks(BATCH)
        .map(|chunk| SqsEvent {
            records: chunk
                .iter()
                .enumerate()
                .map(|(n, body)| SqsRecord {
                    message_id: format!("m{n}"),
                    body: body.clone(),
                    ..SqsRecord::default()
                })
                .collect(),
        })
        .collect();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let processor = NotificationProcessor::new(&settings, system_clock()).await;
            let processor = processor.unwrap();
            let (cpu, wall) = (thread_cpu(), Instant::now());
            for _ in 0..rounds {
                for batch in &batches {
                    let answer = processor.handle(batch.clone()).await;
                    assert_eq!(answer.batch_item_failures, []);
                }
            }
            (thread_cpu() - cpu, wall.elapsed())
        })
    };
    let thread = tokio::task::spawn_blocking(|| std::thread::spawn(work).join());
    thread.await.unwrap().unwrap()
}

/// So many messages that Meta has accepted; what a status says of each.
async fn records(stage: &Stage, first: usize, count: usize) -> Vec<String> {
    let environment = stage.environment("NotificationProcessorFunction");
    let (aws, keyring, now) = (stage.aws(), stage.keyring(), system_clock()());
    let subjects = stage.subjects().await;
    let messages = Messages::new(&aws, &environment["HEADGATE_TABLE_MESSAGES"]);
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        let phone = Identifier::from(Phone::from_wa_id(&person(n)).unwrap());
        let subject = subjects.find_or_create(&[phone], now).await.unwrap();
        let salt = keyring.salt(&subject).await.unwrap();
        people.push((subject, salt));
    }
    let mut opaque = Vec::new();
    for n in first..first + count {
        let (subject, salt) = &people[n % PEOPLE];
        let mut random = [0; 10];
        random[..8].copy_from_slice(&fixtures::scattered(n as u64).to_be_bytes());
        let reference = RecordRef {
            number: NUMBER.to_owned(),
            lane: Purpose::Utility,
            shard: 0,
            ulid: ulid(now, random),
        };
        let payload = Payload {
            phone: Some(format!("+{}", person(n))),
            bsuid: None,
            suppression: Vec::new(),
            message: Map::new(),
            id: format!("order-{n}"),
            reference: Some(format!("customer-{}", n % PEOPLE)),
            basis: json!({ "kind": "consent" }),
            topic: None,
            identity_key: None,
        };
        let key = body_place_key(&reference);
        let place = Place {
            table: "messages",
            key: &key,
            field: "body",
        };
        let payload = payload.to_bytes();
        let sealed = keyring.seal_content(now.day(), salt, &place, &payload);
        let body = sealed.await.unwrap();
        opaque.push(reference.opaque(1));
        let record = Record {
            reference,
            state: State::Accepted,
            attempt: 1,
            subject: subject.clone(),
            purpose: Purpose::Utility,
            campaign: None,
            template: Some("order_shipped".to_owned()),
            consent_event: None,
            producer: "AROAEXAMPLEID".to_owned(),
            accepted_at: now,
            not_before: None,
            expires_at: now.plus_millis(86_400_000),
            day: now.day(),
            body,
            reason: None,
        };
        assert!(messages.put(&record).await.unwrap());
    }
    opaque
}
