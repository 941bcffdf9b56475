//! How fast the engine is: the shipped holder and the shipped client on one thread, against Meta over HTTP/2 and TLS.
//!
//! The tables are in memory here and answer at once, so that what is left is the engine: deciding, pacing, permits,
//! requests, answers. The number's limit is set far above what one thread can do.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::holder::{
    Answer, Controls, Effect, Event, Holder, InForce, Judgement, Now, NumberSettings, Opened,
    PageRead, Seen, Settings, Taken, Ticket, Tuning,
};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::live::Live;
use headgate_domain::outbound::{Basis, Kind};
use headgate_domain::policy::{Facts, Moment, Request, SendPermit, authorize};
use headgate_domain::profiles::ProcessingRegion;
use headgate_domain::recent::Recent;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::time::{DAY, HOUR, Timestamp};
use headgate_graph::{GraphClient, Outcome};
use headgate_redact::Secret;
use headgate_testkit::{APP_SECRET, GRAPH_TOKEN, graph_proof};
use meta_simulator::{Latency, Number, Options, Simulator, Template};
use serde_json::{Value, json};

use crate::world::{NUMBER, bsuid};

const LIMIT: u32 = 50_000;
const CONNECTIONS: usize = 4;

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine {
    pub(crate) sends: u64,
    pub(crate) per_second: f64,
    pub(crate) cpu_us_per_send: f64,
}

/// Sends `count` messages as fast as one thread can.
pub(crate) async fn measure(count: u64) -> Engine {
    let simulator = Simulator::start(Options {
        tls: true,
        threads: 1,
        app_secret: APP_SECRET.into(),
        access_token: GRAPH_TOKEN.into(),
        numbers: vec![Number {
            id: NUMBER.into(),
            display_phone: "+16135550100".into(),
            per_second: 2 * LIMIT,
        }],
        templates: vec![Template {
            name: "order_shipped".into(),
            language: "en_US".into(),
            category: "UTILITY".into(),
            body_parameters: 0,
        }],
        latency: Latency::NONE,
        statuses: false,
        ..Options::default()
    })
    .await
    .unwrap();
    let (url, certificate) = (
        simulator.url(),
        simulator.certificate_der().unwrap().to_vec(),
    );
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(&url, &certificate, count))
    });
    let engine = tokio::task::spawn_blocking(move || thread.join().unwrap())
        .await
        .unwrap();
    assert_eq!(
        simulator.arrivals().iter().filter(|a| a.accepted).count() as u64,
        engine.sends,
        "every one of them arrived, once"
    );
    engine
}

/// The CPU time of this thread, as the scheduler counts it.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let on_cpu = stat.split_whitespace().next().unwrap();
    Duration::from_nanos(on_cpu.parse().unwrap())
}

type Sending = BoxFuture<'static, Event>;

struct Driver {
    client: &'static GraphClient,
    config: Config,
    subject: Subject,
    began: Instant,
    wall: Timestamp,
    /// How many records there are, and how many were read.
    backlog: u64,
    read: u64,
    permits: HashMap<(u64, String), SendPermit>,
    ready: VecDeque<Event>,
    flight: FuturesUnordered<Sending>,
    answered: u64,
}

async fn run(url: &str, certificate: &[u8], count: u64) -> Engine {
    let token = Secret::new(GRAPH_TOKEN.to_owned());
    let client = GraphClient::trusting(url, &token, Secret::new(graph_proof()), certificate)
        .unwrap()
        .with_connections(CONNECTIONS)
        .unwrap();
    client.warm().await;
    let wall = Timestamp::from_seconds(1_795_000_000);
    let mut subject = Subject::unknown(SubjectId::from_random([7; 16]));
    subject.last_inbound_at = Some(wall);
    let mut driver = Driver {
        // The sends live as long as the process, and end with this run.
        client: Box::leak(Box::new(client)),
        config: Config::from_toml(include_str!("../../config/headgate.toml")).unwrap(),
        subject,
        began: Instant::now(),
        wall,
        backlog: count,
        read: 0,
        permits: HashMap::new(),
        ready: VecDeque::new(),
        flight: FuturesUnordered::new(),
        answered: 0,
    };
    let settings = Settings {
        numbers: vec![NumberSettings {
            id: NUMBER.to_owned(),
            per_second: LIMIT,
            guard_permille: Some(1_000),
        }],
        successor: false,
        tuning: Tuning::default(),
    };
    let mut holder = Holder::new(settings, driver.now());
    let (began, used) = (Instant::now(), cpu());
    let mut event = Event::Tick;
    while driver.answered < count {
        let now = driver.now();
        let effects = holder.step(now, event);
        for effect in effects {
            driver.perform(effect);
        }
        event = driver.next(&holder).await;
    }
    let (wall, used) = (began.elapsed(), cpu().saturating_sub(used));
    Engine {
        sends: count,
        per_second: count as f64 / wall.as_secs_f64(),
        cpu_us_per_send: used.as_secs_f64() * 1e6 / count as f64,
    }
}

impl Driver {
    fn now(&self) -> Now {
        let since = self.began.elapsed() + Duration::from_secs(10);
        Now {
            mono: u64::try_from(since.as_nanos()).unwrap(),
            wall: self
                .wall
                .plus_millis(i64::try_from(since.as_millis()).unwrap()),
        }
    }

    /// What happens next: something that was answered at once, a send's answer, or time.
    async fn next(&mut self, holder: &Holder) -> Event {
        if let Some(event) = self.ready.pop_front() {
            return event;
        }
        let now = self.now().mono;
        let wait = Duration::from_nanos(holder.wake_at(now).saturating_sub(now));
        let event = tokio::select! {
            biased;
            Some(event) = self.flight.next() => event,
            () = tokio::time::sleep(wait) => Event::Tick,
        };
        self.answered += u64::from(matches!(event, Event::Answered { .. }));
        event
    }

    #[allow(clippy::too_many_lines, reason = "one short arm for each effect")]
    fn perform(&mut self, effect: Effect) {
        let event = match effect {
            Effect::ReadLease => Event::LeaseRead(Ok(None)),
            Effect::TakeLease { .. } => Event::LeaseTaken(Ok(Some(Taken {
                epoch: 1,
                legacy: None,
            }))),
            Effect::Renew { .. } => Event::Renewed(Ok(true)),
            Effect::ReadNextDue => Event::NextDueRead(Ok(None)),
            Effect::ReadControls => Event::ControlsRead(Ok(Controls {
                numbers: vec![InForce {
                    number: NUMBER.to_owned(),
                    per_second: LIMIT,
                    guard_permille: Some(1_000),
                    share_permille: 1_000,
                    inbound_total: 0,
                }],
                daily_limit: None,
            })),
            Effect::ReadBudget => Event::BudgetRead(Ok(Vec::new())),
            Effect::Open { number, .. } => Event::Opened {
                number,
                opened: Ok(Opened::default()),
            },
            Effect::ReadPage {
                number,
                lane,
                shard,
                ..
            } => Event::Page {
                number,
                lane,
                shard,
                page: Ok(self.page(lane, shard)),
            },
            Effect::ReadDue { lane, .. } => Event::DueRead {
                lane,
                entries: Ok(Vec::new()),
            },
            Effect::LoadDue { lane, .. } => Event::DueLoaded {
                lane,
                loaded: Ok(Vec::new()),
            },
            Effect::Claim { number, block, .. } => Event::Claimed {
                number,
                block,
                written: Ok(()),
            },
            Effect::Judge {
                number,
                block,
                tickets,
            } => {
                let judged = tickets.iter().map(|ticket| self.judge(block, ticket));
                let judgements = judged.collect();
                Event::Judged {
                    number,
                    block,
                    judgements: Ok(judgements),
                }
            }
            Effect::Flush { number, block, .. } => Event::Flushed {
                number,
                block,
                written: Ok(()),
            },
            Effect::NotePair {
                number,
                block,
                reference,
                ..
            } => Event::PairNoted {
                number,
                block,
                reference,
                written: Ok(()),
            },
            Effect::Send {
                number,
                block,
                ticket,
            } => return self.send(number, block, ticket),
            Effect::Settle {
                number,
                block,
                ticket,
                ..
            } => Event::Settled {
                number,
                block,
                reference: ticket.reference,
                written: Ok(()),
            },
            Effect::Requeue { due, .. } => Event::Requeued {
                due,
                seen: Ok(None),
            },
            Effect::Wake { .. }
            | Effect::DropBuckets { .. }
            | Effect::Tell { .. }
            | Effect::DropDue { .. }
            | Effect::KeepClaim { .. }
            | Effect::Note { .. }
            | Effect::PutCursors { .. } => Event::Tidied,
        };
        self.ready.push_back(event);
    }

    /// The next hundred messages, each to somebody else.
    fn page(&mut self, lane: Purpose, shard: u8) -> PageRead {
        if lane != Purpose::Utility || shard != 0 {
            return PageRead {
                records: Vec::new(),
                reached: None,
            };
        }
        let until = (self.read + 100).min(self.backlog);
        let records: Vec<Seen> = (self.read..until)
            .map(|n| {
                let mut random = [0; 10];
                random[2..].copy_from_slice(&n.to_be_bytes());
                Seen {
                    state: State::Queued,
                    ticket: Ticket {
                        reference: RecordRef {
                            number: NUMBER.to_owned(),
                            lane,
                            shard,
                            ulid: ulid(self.wall.plus_millis(-HOUR), random),
                        },
                        attempt: 0,
                        campaign: None,
                        recipient: bsuid(usize::try_from(n).unwrap()),
                        expires_at: self.wall.plus_millis(DAY),
                        due: None,
                    },
                }
            })
            .collect();
        self.read = until;
        let reached = (until < self.backlog).then(|| records.last().unwrap());
        let reached = reached.map(|seen| seen.ticket.reference.ulid.clone());
        PageRead { records, reached }
    }

    /// Asks the shipped policy, as the sender does at the claim.
    fn judge(&mut self, block: u64, ticket: &Ticket) -> Judgement {
        let now = self.now().wall;
        let request = Request {
            at: Moment::Claim,
            number: &self.config.numbers[0],
            to: None,
            // An answer in an open window: it needs no ledger here.
            purpose: Purpose::Service,
            topic: None,
            basis: &Basis::Consent,
            kind: &Kind::FreeForm,
            expires_at: ticket.expires_at,
            accepted_at: now,
            not_before: None,
        };
        let facts = Facts {
            config: &self.config,
            live: &Live::default(),
            subject: &self.subject,
            suppressed: &[],
            region: &ProcessingRegion::parse("ca-central-1").unwrap(),
            checks: &[],
            recent: &Recent::default(),
            producer: "AROAEXAMPLEID",
        };
        let permit = authorize(&request, &facts, now).unwrap();
        self.permits
            .insert((block, ticket.reference.ulid.clone()), permit);
        Judgement::Permitted {
            counts: false,
            counted_in: None,
        }
    }

    fn send(&mut self, number: usize, block: u64, ticket: Ticket) {
        let key = (block, ticket.reference.ulid.clone());
        let permit = self.permits.remove(&key).unwrap();
        let body: Value = json!({
            "messaging_product": "whatsapp", "recipient_type": "individual", "recipient": ticket.recipient, "type": "template",
            "template": { "name": "order_shipped", "language": { "code": "en_US" }, "components": [] },
            "biz_opaque_callback_data": ticket.reference.opaque(ticket.attempt),
        });
        let client = self.client;
        self.flight.push(Box::pin(async move {
            let outcome = client.send(permit, NUMBER, &body).await;
            assert!(matches!(outcome, Outcome::Accepted { .. }), "Meta takes it");
            Event::Answered {
                number,
                block,
                ticket,
                answer: Answer::Accepted { held: false },
            }
        }));
    }
}
