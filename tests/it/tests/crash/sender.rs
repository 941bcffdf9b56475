//! The sender dies: three messages, from the lease to the last settlement, the calls to Meta included.
//!
//! Meta's notifications arrive inside the ambiguity timers: what Meta took is told before the calendar is turned past
//! them. The lease is taken over in real time, three seconds after the death.

use std::collections::BTreeMap;
use std::time::Duration;

use headgate_domain::record::{RecordRef, State};
use headgate_lambda::batch::BatchResponse;
use headgate_lambda::settings::Settings;
use headgate_testkit::{APP_SECRET, End, GRAPH_TOKEN, environment};
use local_cloud::{Call, Crash};
use meta_simulator::{Latency, Number, Options, Simulator, Template};
use notification_processor::NotificationProcessor;
use sender::Sender;
use serde_json::{Value, json};

use crate::Trial;
use crate::notifications::{notification, processor, status};
use crate::world::{NUMBER, PORTFOLIO, World, bsuid, consent, delivery, message};

/// Longer than the longest ambiguity timer.
const PAST_THE_TIMERS_MS: i64 = 130_000;
/// What Lambda leaves a sender: a term, and the time to drain.
const TIME: Duration = Duration::from_secs(40);

pub(crate) struct Sending {
    world: World,
    simulator: Simulator,
    /// The simulator, behind the gate.
    graph_url: String,
    processor: NotificationProcessor,
}

impl Trial for Sending {
    async fn start() -> Self {
        let world = World::start().await;
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
                id: NUMBER.into(),
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
            // They are told here, at a time of the trial's choosing.
            statuses: false,
            ..Options::default()
        })
        .await
        .unwrap();
        let front = world.stage.cloud().front("Graph", &simulator.url()).await;
        Self {
            graph_url: front.unwrap(),
            processor: processor(
                world.stage.environment("NotificationProcessorFunction"),
                world.clock.clone(),
            )
            .await,
            simulator,
            world,
        }
    }

    async fn die(&self, n: u64, crash: Crash) -> Option<Call> {
        let world = &self.world;
        let batch = world.batch();
        let ids = self.fill(batch).await;
        let mut references = BTreeMap::new();
        for id in &ids {
            references.insert(id.clone(), world.reference(id).await);
        }
        let began = self.simulator.arrivals().len();
        let call = match self.run(Some((n, crash))).await {
            End::Died(call) => Some(call),
            End::Answered(()) => None,
        };
        // Meta's answer was lost with the process; its notification is not.
        self.notify(began, batch).await;
        let mut rounds = 0;
        while rounds < 4 && (rounds == 0 || self.is_open(references.values()).await) {
            if call.is_some() || rounds > 0 {
                assert_eq!(self.run(None).await, End::Answered(()));
            }
            self.notify(began, batch).await;
            let calendar = world.stage.cloud().calendar();
            calendar.set_offset_ms(calendar.offset_ms() + PAST_THE_TIMERS_MS);
            rounds += 1;
        }
        self.check(&references, began, &format!("{n} {crash:?} {call:?}"))
            .await;
        call
    }
}

impl Sending {
    /// Three messages of people who agreed, in the outbox of two lanes.
    async fn fill(&self, batch: u32) -> [String; 3] {
        let world = &self.world;
        let people = [0, 1, 2].map(|person| json!({ "bsuid": bsuid(batch * 3 + person) }));
        let yes = people
            .clone()
            .map(|to| consent(world, "given", &to, &format!("yes-{batch}")));
        world.intake(world.queued("CONSENTS", batch, &yes)).await;
        let [first, second, third] = people;
        let ids = ["utility-a", "utility-b", "marketing"].map(|what| format!("{what}-{batch}"));
        let utility = [
            message("utility", &first, &ids[0]),
            message("utility", &second, &ids[1]),
        ];
        let marketing = [message("marketing", &third, &ids[2])];
        world.intake(world.queued("UTILITY", batch, &utility)).await;
        world
            .intake(world.queued("MARKETING", batch, &marketing))
            .await;
        ids
    }

    /// A sender's environment, woken.
    async fn run(&self, death: Option<(u64, Crash)>) -> End<()> {
        let mut settings = self.world.stage.environment("SenderFunction");
        settings.insert("HEADGATE_GRAPH_URL".to_owned(), self.graph_url.clone());
        let clock = self.world.clock.clone();
        environment(
            &self.world.stage.cloud().gate(),
            death,
            || async move {
                let settings = Settings::from_map(settings);
                Sender::new(&settings, clock).await.unwrap()
            },
            |sender| async move {
                let wake = json!({ "portfolio": PORTFOLIO }).to_string();
                let wake = json!({ "Records": [{ "body": wake }] });
                // On a busy machine a request may run out of time: the queue gives the message again.
                let mut told = sender.handle(wake.clone(), TIME).await;
                if told.is_err() {
                    told = sender.handle(wake, TIME).await;
                }
                told.unwrap();
            },
        )
        .await
    }

    /// What Meta took since `began`: the record, and the attempt.
    fn taken(&self, began: usize) -> Vec<String> {
        let arrivals = self.simulator.arrivals();
        let taken = arrivals[began..].iter().filter(|a| a.accepted);
        taken.filter_map(|a| a.opaque.clone()).collect()
    }

    /// Meta tells that it sent what it took.
    async fn notify(&self, began: usize, batch: u32) {
        let seconds = (self.world.clock)().seconds();
        let updates: Vec<Value> = self
            .taken(began)
            .iter()
            .map(|opaque| status(opaque, "sent", seconds, None))
            .collect();
        if updates.is_empty() {
            return;
        }
        let told = [notification("statuses", &updates)];
        let told = delivery("arn:notifications", &format!("statuses-{batch}"), &told);
        assert_eq!(self.processor.handle(told).await, BatchResponse::default());
    }

    /// Whether something may still become of one of these.
    async fn is_open(&self, references: impl Iterator<Item = &RecordRef>) -> bool {
        let references: Vec<RecordRef> = references.cloned().collect();
        let records = self
            .world
            .messages
            .load(&references, (self.world.clock)())
            .await
            .unwrap();
        records.iter().any(|record| {
            matches!(
                record.state,
                State::Queued | State::Scheduled | State::Ambiguous | State::Accepted
            )
        })
    }

    /// Nothing lost, nothing twice.
    async fn check(&self, references: &BTreeMap<String, RecordRef>, began: usize, at: &str) {
        let world = &self.world;
        let taken = self.taken(began);
        let told = world.events().await;
        for (id, reference) in references {
            let attempts = format!("{}.", reference.opaque(0).rsplit_once('.').unwrap().0);
            let times = taken.iter().filter(|o| o.starts_with(&attempts)).count();
            let record = world
                .messages
                .load(std::slice::from_ref(reference), (world.clock)())
                .await;
            let state = record.unwrap().pop().unwrap().state;
            let event = |kind: &str| {
                told.iter().any(|event| {
                    event["type"] == kind && event["message_id"] == reference.message_id()
                })
            };
            match state {
                State::Sent => assert_eq!(times, 1, "{id} was sent {times} times: {at}"),
                // Marketing is never repeated: what may or may not have left is told.
                State::Unknown => {
                    assert!(
                        times == 0 && id.starts_with("marketing") && event("message.unknown"),
                        "{id} is unknown and was sent {times} times: {at}"
                    );
                }
                other => panic!("{id} is {other:?} and was sent {times} times: {at}"),
            }
            if state == State::Sent {
                assert!(event("message.sent"), "{id} is sent, and nobody told: {at}");
            }
        }
    }
}
