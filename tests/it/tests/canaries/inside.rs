//! What reaches functions by queues, buckets and schedules: good and broken input, services that are away, panics, and
//! what an operator puts back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use headgate_aws::poison::Letter;
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::runtime::survive;
use headgate_redact::LogSafe;
use intake::Intake;
use meta_simulator::{Fault, Faults, Person};
use notification_processor::NotificationProcessor;
use sender::Sender;
use serde_json::{Value, json};

use crate::echo::Echo;
use crate::list::{APP, BODIES, CODES, NAMES, PHONES, USER_IDS, wamids};
use crate::strangers::{people_write, statuses};
use crate::world::{NUMBER, World};

/// As long as Lambda gives the longest of them.
pub(crate) const ENOUGH: Duration = Duration::from_secs(40);
/// Above Meta's slowest answer that is still waited for.
const TOO_LONG_MS: u64 = 9_000;

pub(crate) fn consent(world: &World, id: &str, to: &Value, action: &str) -> String {
    json!({ "schema": "headgate.consent/1", "id": format!("{}.{id}", APP[0]), "to": to, "purpose": ["marketing", "utility"],
        "action": action, "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp", "locale": "en",
        "evidence": { "form": "checkout-7", "page": "maple.example/checkout", "signed_by": NAMES[5], "said": BODIES[0] },
        "occurred_at": world.now().plus_millis(-1_000).to_string() })
    .to_string()
}

pub(crate) fn outbound(id: &str, purpose: &str, to: &Value, message: &Value) -> Value {
    json!({ "schema": "headgate.outbound/1", "id": format!("{}.{id}", APP[0]), "from": "main", "to": to,
        "purpose": purpose, "message": message })
}

pub(crate) fn template(name: &str) -> Value {
    json!({ "type": "template", "template": { "name": name, "language": { "code": "en_US" }, "components": [] } })
}

pub(crate) fn code(world: &World, id: &str, to: &Value, code: &str) -> String {
    let text = json!([{ "type": "text", "text": code }]);
    let message = json!({ "type": "template", "template": { "name": "login_code", "language": { "code": "en_US" }, "components": [
        { "type": "body", "parameters": text }, { "type": "button", "sub_type": "url", "index": "0", "parameters": text } ] } });
    let mut body = outbound(id, "authentication", to, &message);
    body["basis"] = json!({ "kind": "user_action", "at": world.now().to_string() });
    body.to_string()
}

pub(crate) fn free_form(id: &str, to: &Value, text: &str) -> Value {
    outbound(
        id,
        "service",
        to,
        &json!({ "type": "text", "text": { "body": text } }),
    )
}

/// The body of a text of [`World::on_queue`], without what SQS knows about it.
pub(crate) fn body_of(text: &str) -> String {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    values.next().unwrap().unwrap().to_string()
}

impl World {
    pub(crate) async fn send(&self, queue: &str, body: &str) {
        self.put_in(body);
        self.queue(queue).send(body, &[]).await.unwrap();
    }

    /// Puts back what was set aside on a dead-letter queue, as an operator does.
    async fn redrive(&self, queue: &str, end: &str) {
        let letters = self.on_queue(end).await;
        let letter = body_of(letters.first().unwrap());
        let body = if queue == "Notifications" {
            let opened = Letter::parse(&letter)
                .unwrap()
                .open(&self.keyring(), self.now())
                .await;
            String::from_utf8(opened.unwrap().into_revealed()).unwrap()
        } else {
            letter
        };
        self.send(queue, &body).await;
    }
}

/// Lambda's side of an invocation that fails.
pub(crate) fn failed(error: &impl LogSafe) -> String {
    log(
        Level::Error,
        "invocation_failed",
        &[("error", Field::safe(error))],
    );
    error.to_string()
}

/// What came in by the webhook is read; what nobody can read, what came twice, what a person asked.
pub(crate) async fn to_the_processor(world: &World) {
    let went = |way: &str| world.went("notification-processor", way);
    world
        .told(&[r#""type":"inbound.message""#, BODIES[0]], 1)
        .await;
    went("message");
    for _twice in 0..2 {
        assert_eq!(world.notify_signed(&people_write(world)).await, 200);
        assert_eq!(world.notify_signed(&statuses(world)).await, 200);
    }
    world
        .until("notifications are read", async || {
            world.on_queue("-notifications").await.is_empty()
        })
        .await;
    went("redelivered");
    went("status");
    world
        .seen("-notifications-dlq", &["malformed".to_owned()], 1)
        .await;
    went("unreadable");
    let letters = world.on_queue("-notifications-dlq").await.len();
    world.redrive("Notifications", "-notifications-dlq").await;
    world.seen("-notifications-dlq", &[], letters + 1).await;
    went("redriven");

    let arn = "arn:aws:sqs:ca-central-1:123456789012:headgate-notifications";
    let clock = world.fragile_clock();
    let away = world.settings("NotificationProcessorFunction", &["DYNAMODB"]);
    let away = NotificationProcessor::new(&away, clock.clone())
        .await
        .unwrap();
    for body in [people_write(world), statuses(world)] {
        let answer = Box::pin(away.handle(world.batch(arn, &body, 1))).await;
        assert_eq!(answer.batch_item_failures.len(), 1);
    }
    went("away");
    let whole =
        NotificationProcessor::new(&world.settings("NotificationProcessorFunction", &[]), clock)
            .await
            .unwrap();
    world.break_clock(true);
    let answer = survive(Box::pin(whole.handle(world.batch(
        arn,
        &people_write(world),
        1,
    ))))
    .await;
    failed(&answer.unwrap_err());
    world.break_clock(false);
    went("panic");
}

/// Everything an app can put on a queue, and what it should not have.
pub(crate) async fn to_intake(world: &World) {
    let went = |way: &str| world.went("intake", way);
    let person = |n: usize| json!({ "phone": PHONES[n], "ref": APP[1] });
    for (id, to) in [
        ("yes-1", person(0)),
        ("yes-2", json!({ "bsuid": USER_IDS[2] })),
        ("yes-3", json!({ "bsuid": USER_IDS[0] })),
    ] {
        world
            .send("Consents", &consent(world, id, &to, "given"))
            .await;
        world.told(&[r#""type":"subject.opted_in""#, id], 1).await;
    }
    world
        .send(
            "Consents",
            &consent(world, "no-1", &json!({ "bsuid": USER_IDS[2] }), "withdrawn"),
        )
        .await;
    world
        .told(&[r#""type":"subject.opted_out""#, "no-1"], 1)
        .await;
    let bad = consent(
        world,
        "bad",
        &json!({ "phone": format!("{} {}", PHONES[3], NAMES[3]) }),
        "given",
    );
    world.send("Consents", &bad).await;
    world.told(&[r#""type":"consent.refused""#], 1).await;
    went("consents");

    let utility =
        outbound("utility", "utility", &person(0), &template("order_shipped")).to_string();
    for _twice in 0..2 {
        world.send("Utility", &utility).await;
    }
    world
        .told(&[r#""type":"message.accepted""#, "Xylo.utility"], 1)
        .await;
    let person_who_wrote = Person::Phone {
        e164: PHONES[4].to_owned(),
        name: NAMES[1].to_owned(),
        bsuid: USER_IDS[1].to_owned(),
    };
    world
        .meta()
        .inbound_text(NUMBER, &person_who_wrote, BODIES[2])
        .await
        .unwrap();
    world
        .told(&[r#""type":"inbound.message""#, BODIES[2]], 2)
        .await;
    world
        .send(
            "Service",
            &free_form("service", &person(4), BODIES[1]).to_string(),
        )
        .await;
    world
        .told(&[r#""type":"message.accepted""#, "Xylo.service"], 1)
        .await;
    world
        .send("Authentication", &code(world, "code", &person(1), CODES[0]))
        .await;
    world
        .told(&[r#""type":"message.accepted""#, "Xylo.code"], 1)
        .await;
    went("accepted");

    let mut answering = free_form("answering", &person(4), BODIES[1]);
    answering["message"]["context"] = json!({ "message_id": wamids()[0] });
    let mut campaign = outbound(
        "campaign",
        "marketing",
        &person(0),
        &template("autumn_sale"),
    );
    campaign["campaign"] = json!(PHONES[2].trim_start_matches('+'));
    let other = outbound(
        "utility",
        "utility",
        &person(0),
        &template("appointment_reminder"),
    );
    let large = free_form("large", &person(4), &BODIES[1].repeat(5_000));
    let nobody = outbound("nobody", "marketing", &person(2), &template("autumn_sale"));
    let unknown = outbound("unknown", "utility", &person(2), &template(NAMES[3]));
    for (queue, body, refusal) in [
        ("Marketing", nobody, "no_consent"),
        ("Marketing", campaign, "identifier_looks_personal"),
        ("Utility", other, "duplicate_id"),
        ("Service", answering, "malformed"),
        ("Service", large, "too_large"),
        ("Utility", unknown, "template_unknown"),
    ] {
        world.send(queue, &body.to_string()).await;
        world
            .told(
                &[
                    r#""type":"message.refused""#,
                    &format!(r#""code":"{refusal}""#),
                ],
                1,
            )
            .await;
    }
    went("refused");
    let mut wrong = vec![
        format!(
            "{{\"to\": {} {} {} {}",
            PHONES[3], NAMES[4], CODES[1], USER_IDS[0]
        ),
        json!({ "schema": NAMES[0], "id": PHONES[3] }).to_string(),
        json!({ "schema": "headgate.control/1", "action": NAMES[0], "id": PHONES[3] }).to_string(),
        json!([BODIES[2], APP[1]]).to_string(),
    ];
    for member in [
        "id",
        "from",
        "to",
        "purpose",
        "message",
        "basis",
        "campaign",
        "not_before",
    ] {
        let mut body = outbound("wrong", "service", &person(3), &template("order_shipped"));
        body[member] = json!({ NAMES[2]: format!("{} {}", PHONES[3], BODIES[0]) });
        wrong.push(body.to_string());
    }
    // Some name another schema, and are answered as what they claim to be; some were seen before.
    let count = wrong.len();
    for body in wrong {
        world.send("Service", &body).await;
    }
    world
        .told(
            &[r#""type":"message.refused""#, r#""code":"malformed""#],
            count - 2,
        )
        .await;
    world.send("Utility", &json!({ "schema": "headgate.control/1", "action": "cancel", "id": format!("{}.no", APP[0]) }).to_string()).await;
    // Only our functions may write there, so nobody's number ever lies there: by hand, that is.
    let whole = Intake::new(
        &world.settings("IntakeFunction", &[]),
        world.fragile_clock(),
    )
    .await
    .unwrap();
    let arn = &world.environment("IntakeFunction")["HEADGATE_QUEUE_SYSTEM_ARN"];
    let none_of_ours = json!({ "schema": "headgate.system/1", "kind": NAMES[0], "to": { "phone": PHONES[3] }, "token": CODES[1] });
    let answer = Box::pin(whole.handle(world.batch(arn, &none_of_ours.to_string(), 1))).await;
    assert!(answer.batch_item_failures.is_empty());
    world
        .seen("-system-dlq", &["not_system".to_owned()], 1)
        .await;
    went("malformed");

    let arn = world.environment("IntakeFunction")["HEADGATE_QUEUE_AUTHENTICATION_ARN"].clone();
    let body = code(world, "panic", &person(1), CODES[1]);
    for receives in [1, 3] {
        let panicking = Intake::new(&world.settings("IntakeFunction", &[]), panicking(world))
            .await
            .unwrap();
        let answer = Box::pin(panicking.handle(world.batch(&arn, &body, receives))).await;
        assert_eq!(answer.batch_item_failures.len(), usize::from(receives == 1));
    }
    world
        .seen("-authentication-dlq", &["panicked".to_owned()], 1)
        .await;
    went("panic");
    world.redrive("Authentication", "-authentication-dlq").await;
    world
        .told(&[r#""type":"message.accepted""#, "Xylo.panic"], 1)
        .await;
    went("redriven");
    let away = Intake::new(
        &world.settings("IntakeFunction", &["DYNAMODB"]),
        world.fragile_clock(),
    )
    .await
    .unwrap();
    let arn_of_consents =
        world.environment("IntakeFunction")["HEADGATE_QUEUE_CONSENTS_ARN"].clone();
    for (arn, body) in [
        (&arn, code(world, "away", &person(1), CODES[1])),
        (
            &arn_of_consents,
            consent(world, "away", &person(2), "given"),
        ),
    ] {
        let answer = Box::pin(away.handle(world.batch(arn, &body, 1))).await;
        assert_eq!(answer.batch_item_failures.len(), 1);
    }
    went("away");
}

/// A clock that panics, with canaries in its words, at one of its calls: the second is the first record's own.
fn panicking(world: &World) -> Clock {
    let (calls, clock) = (AtomicUsize::new(0), world.fragile_clock());
    let words = [PHONES[1], NAMES[4], CODES[1]].join(" ");
    Arc::new(move || {
        assert!(calls.fetch_add(1, Ordering::SeqCst) != 1, "{words}");
        clock()
    })
}

/// The sender against a Meta that refuses, hangs, breaks off, talks nonsense, and repeats everything it hears.
pub(crate) async fn to_meta(world: &World) {
    let went = |way: &str| world.went("sender", way);
    let (echo, echoes) = (Echo::start().await, Arc::new(AtomicBool::new(false)));
    let to_meta = Sender::new(
        &world.settings("SenderFunction", &[]),
        world.fragile_clock(),
    )
    .await
    .unwrap();
    let mut environment = world.environment("SenderFunction");
    environment.insert("HEADGATE_GRAPH_URL".to_owned(), echo.url.clone());
    let settings = headgate_lambda::settings::Settings::from_map(environment);
    let to_echo = Sender::new(&settings, world.fragile_clock()).await.unwrap();
    let switch = Arc::clone(&echoes);
    let handler = move |event: Value| {
        let sender = if switch.load(Ordering::SeqCst) {
            to_echo.clone()
        } else {
            to_meta.clone()
        };
        Box::pin(async move {
            let done = survive(Box::pin(sender.handle(event, ENOUGH))).await;
            let done = done.map_err(|panicked| failed(&panicked))?;
            done.map(|()| Value::Null).map_err(|error| failed(&error))
        }) as _
    };
    world
        .cloud()
        .connect("SenderFunction", Arc::new(handler))
        .unwrap();
    for id in ["utility", "service", "code"] {
        world
            .told(&[r#""type":"message.sent""#, &format!("Xylo.{id}\"")], 1)
            .await;
    }
    went("sent");

    let accepted = false;
    let faults = [
        Fault::Code {
            code: 131_026,
            http: None,
        },
        Fault::ServerError { accepted },
        Fault::Hang {
            accepted,
            ms: TOO_LONG_MS,
        },
        Fault::Reset { accepted },
        Fault::Html { accepted },
        Fault::Truncated { accepted },
        Fault::ErrorInside { accepted },
        Fault::FailLater { code: 131_049 },
    ];
    let expected = faults.len();
    for fault in faults {
        world.meta().faults(Faults { fault, next: 1 });
    }
    for n in 0..expected {
        // No more than five an hour to one person.
        let to = json!({ "phone": PHONES[[0, 1, 4][n % 3]] });
        world
            .send(
                "Authentication",
                &code(world, &format!("fault-{n}"), &to, CODES[n % 2]),
            )
            .await;
    }
    world
        .until("every fault is served", async || {
            world.meta().counters().faults.values().sum::<u64>() >= 8
        })
        .await;
    world.told(&[r#""type":"message.failed""#], 2).await;
    for (way, fault) in [
        ("Graph 400", "code"),
        ("Graph 500", "server_error"),
        ("timeout", "hang"),
        ("reset", "reset"),
        ("no JSON", "html"),
        ("cut off", "truncated"),
        ("failed later", "fail_later"),
    ] {
        assert!(world.meta().counters().faults[fault] > 0, "{fault}");
        went(way);
    }

    echoes.store(true, Ordering::SeqCst);
    // Whoever holds the lease lets go of it first.
    world
        .until("the echo is asked", async || {
            let heard = echo.heard();
            if heard < 4 {
                let to = json!({ "bsuid": USER_IDS[0] });
                let id = format!("echo-{}", world.now().millis());
                world
                    .send(
                        "Utility",
                        &outbound(&id, "utility", &to, &template("order_shipped")).to_string(),
                    )
                    .await;
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            heard >= 4
        })
        .await;
    went("Graph repeats what it heard");
    world.put_in(&echo.words());

    world
        .cloud()
        .set_mapping_enabled("SenderFunction", "WakeQueue", false);
    let wake =
        json!({ "Records": [{ "body": json!({ "portfolio": "portfolio-1" }).to_string() }] });
    let away = Sender::new(
        &world.settings("SenderFunction", &["DYNAMODB"]),
        world.fragile_clock(),
    )
    .await
    .unwrap();
    failed(
        &Box::pin(away.handle(wake.clone(), ENOUGH))
            .await
            .unwrap_err(),
    );
    went("away");
    let fragile = Sender::new(
        &world.settings("SenderFunction", &[]),
        world.fragile_clock(),
    )
    .await
    .unwrap();
    world.break_clock(true);
    let outcome = survive(Box::pin(fragile.handle(wake, ENOUGH))).await;
    world.break_clock(false);
    match outcome {
        Err(panicked) => failed(&panicked),
        Ok(outcome) => failed(&outcome.unwrap_err()),
    };
    went("panic");
}
