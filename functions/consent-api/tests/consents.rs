//! The HTTP API for consents: who gets in, what is taken, and what a refusal does not tell (R-503).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use consent_api::{ConsentApi, PER_MINUTE};
use headgate_aws::api_tokens::ApiTokens;
use headgate_aws::controls::Controls;
use headgate_aws::subjects::Subjects;
use headgate_domain::api_token::{PlainToken, Scope, TokenId};
use headgate_domain::consent::{Consent, Kind, NoticeId, State, Topic};
use headgate_domain::identity::{Identifier, PepperVersion, Phone};
use headgate_domain::lane::Purpose;
use headgate_domain::relayed::Relayed;
use headgate_domain::time::{HOUR, MINUTE, Timestamp};
use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, stage};
use http::{Request, Response, header};
use serde_json::{Value, json};

struct World {
    stage: Stage,
    api: ConsentApi,
    /// How far the API's clock is ahead.
    ahead: Arc<AtomicI64>,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut std::collections::BTreeMap<String, String>)) -> Self {
        let stage = stage().await;
        let mut environment = stage.environment("ConsentApiFunction");
        change(&mut environment);
        let ahead = Arc::new(AtomicI64::new(0));
        let turned = Arc::clone(&ahead);
        let clock = Arc::new(move || system_clock()().plus_millis(turned.load(Ordering::Relaxed)));
        let settings = Settings::from_map(environment);
        let api = ConsentApi::new(&settings, clock).await.unwrap();
        Self { stage, api, ahead }
    }

    fn now(&self) -> Timestamp {
        system_clock()().plus_millis(self.ahead.load(Ordering::Relaxed))
    }

    fn deployment(&self) -> String {
        self.stage.environment("ConsentApiFunction")["HEADGATE_DEPLOYMENT"].clone()
    }

    fn tokens(&self) -> ApiTokens {
        let environment = self.stage.environment("ConsentApiFunction");
        ApiTokens::new(
            &self.stage.aws(),
            &environment["HEADGATE_TABLE_PRIVACY_REQUESTS"],
        )
    }

    fn id(&self, token: &PlainToken) -> TokenId {
        token.hashed(&self.deployment()).id()
    }

    async fn send(&self, authorization: Option<&str>, body: &str) -> Response<Bytes> {
        self.send_to("/consents", authorization, body).await
    }

    async fn send_to(
        &self,
        path: &str,
        authorization: Option<&str>,
        body: &str,
    ) -> Response<Bytes> {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        self.api.handle(request).await
    }

    /// What is answered about somebody.
    async fn ask(&self, token: &PlainToken, to: Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", token.expose());
        let question = json!({ "schema": "headgate.consent-query/1", "to": to }).to_string();
        let answer = self
            .send_to("/consents/query", Some(&bearer), &question)
            .await;
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(answer.body()).unwrap())
    }

    /// The subjects as the API finds them, with what is sealed.
    async fn subjects(&self) -> Subjects {
        self.stage.subjects().await
    }

    async fn post(&self, token: &PlainToken, body: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", token.expose());
        let answer = self.send(Some(&bearer), &body.to_string()).await;
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(answer.body()).unwrap())
    }

    /// What is on the consents queue.
    async fn queued(&self) -> Vec<Relayed> {
        let dump = self.stage.cloud().dump().await.unwrap();
        let messages = dump
            .iter()
            .filter(|(place, _)| place.starts_with("queue ") && place.contains("consents"));
        messages
            .map(|(_, text)| {
                let mut all = serde_json::Deserializer::from_str(text).into_iter::<Value>();
                Relayed::parse(&all.next().unwrap().unwrap().to_string()).unwrap()
            })
            .collect()
    }

    fn no(id: &str) -> Value {
        json!({
            "schema": "headgate.consent/1", "id": id, "to": {"phone": "+16135550123"},
            "purpose": "marketing", "action": "withdrawn", "method": "agent",
        })
    }

    fn yes(&self, id: &str) -> Value {
        let schema = include_str!("../../../schemas/consent-record.v1.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let mut record = schema["examples"][0].clone();
        record["id"] = json!(id);
        record["occurred_at"] = json!(self.now().to_string());
        record
    }
}

#[tokio::test]
async fn what_was_answered_202_is_on_the_queue_with_whose_token_it_was() {
    let world = World::new().await;
    let before = world.now().day();
    let writes = world.stage.api_token(&[Scope::ConsentsWrite]).await;
    let attests = world.stage.api_token(&[Scope::ConsentsAttest]).await;
    let (status, body) = world.post(&writes, &World::no("quokka-n-1")).await;
    assert_eq!(
        (status, &body["records"][0]["status"]),
        (202, &json!("queued"))
    );
    let yes = world.yes("quokka-y-1");
    let (status, body) = world
        .post(&attests, &json!([yes, World::no("quokka-n-2")]))
        .await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(
        body["records"][1],
        json!({"id": "quokka-n-2", "status": "queued"})
    );

    let queued = world.queued().await;
    assert_eq!(queued.len(), 3);
    for relayed in queued {
        let record: Value = serde_json::from_str(&relayed.record).unwrap();
        let by = if record["id"] == "quokka-n-1" {
            &writes
        } else {
            &attests
        };
        assert_eq!(relayed.token, world.id(by));
        assert_eq!(relayed.attests, record["id"] != "quokka-n-1");
        if record["id"] == "quokka-y-1" {
            assert_eq!(record, yes);
        }
    }
    let listed = world.tokens().list().await.unwrap();
    assert!(
        listed
            .iter()
            .all(|l| l.last_used.is_some_and(|day| day >= before))
    );
    // Neither a number nor an id of a record is in a table.
    for text in ["6135550123", "quokka-n-1", "quokka-y-1"] {
        let places = world.stage.places_with(text).await;
        assert!(
            places.iter().all(|place| place.starts_with("queue ")),
            "{text}: {places:?}"
        );
    }
}

/// One answer for everybody: nobody learns whether a token was ever one.
#[tokio::test]
async fn a_token_that_does_not_open_is_told_nothing_and_changes_nothing() {
    let world = World::new().await;
    let bearer = |token: &PlainToken| format!("Bearer {}", token.expose());
    let deployment = world.deployment();
    let revoked = world.stage.api_token(&Scope::ALL).await;
    world
        .tokens()
        .revoke(&world.id(&revoked), world.now())
        .await
        .unwrap();
    let good = world.stage.api_token(&Scope::ALL).await;
    let mut mistyped = bearer(&good);
    let last = if mistyped.ends_with('a') { 'b' } else { 'a' };
    mistyped.pop();
    mistyped.push(last);
    let forged = PlainToken::from_random(&deployment, &[9; 32]);
    let elsewhere = PlainToken::from_random("another-deployment", &[9; 32]);
    let before = world.stage.cloud().dump().await.unwrap();

    let mut heard = Vec::new();
    for (what, authorization) in [
        ("none", None),
        ("blank", Some(String::new())),
        (
            "another scheme",
            Some(bearer(&good).replace("Bearer", "Basic")),
        ),
        ("mistyped", Some(mistyped)),
        ("forged", Some(bearer(&forged))),
        ("of another deployment", Some(bearer(&elsewhere))),
        ("revoked", Some(bearer(&revoked))),
        (
            "an id for a token",
            Some(format!("Bearer {}", world.id(&good))),
        ),
    ] {
        let answer = world
            .send(authorization.as_deref(), &World::no("n-1").to_string())
            .await;
        assert_eq!(answer.status(), 401, "{what}");
        heard.push((what, answer));
    }
    world.ahead.store(HOUR, Ordering::Relaxed);
    let expired = world
        .send(Some(&bearer(&good)), &World::no("n-1").to_string())
        .await;
    heard.push(("expired", expired));
    for (what, answer) in &heard {
        assert_eq!(answer.body(), heard[0].1.body(), "{what}");
        assert_eq!(answer.headers(), heard[0].1.headers(), "{what}");
    }
    assert!(
        before == world.stage.cloud().dump().await.unwrap(),
        "something changed"
    );
    world.ahead.store(HOUR - MINUTE, Ordering::Relaxed);
    assert_eq!(world.post(&good, &World::no("n-1")).await.0, 202);
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let world = World::new().await;
    let writes = world.stage.api_token(&[Scope::ConsentsWrite]).await;
    let mut bad = World::no("n-2");
    bad["purpose"] = json!("+16135550177");
    let (status, body) = world.post(&writes, &json!([World::no("n-1"), bad])).await;
    assert_eq!((status, &body["code"]), (422, &json!("record_refused")));
    assert_eq!(body["errors"][0]["record"], 1);
    assert_eq!(body["errors"][0]["field"], "purpose");
    assert!(
        !body.to_string().contains("6135550177"),
        "a value comes back"
    );
    let (status, body) = world
        .post(&writes, &json!([World::no("n-1"), world.yes("y-1")]))
        .await;
    assert_eq!((status, &body["code"]), (403, &json!("insufficient_scope")));
    assert_eq!(body["errors"][0]["record"], 1);
    assert!(world.queued().await.is_empty());
}

#[tokio::test]
async fn a_repetition_changes_nothing_and_another_record_of_the_same_id_is_refused() {
    let world = World::new().await;
    let token = world.stage.api_token(&[Scope::ConsentsWrite]).await;
    let other = world.stage.api_token(&[Scope::ConsentsWrite]).await;
    assert_eq!(world.post(&token, &World::no("n-1")).await.0, 202);
    let (status, body) = world.post(&token, &World::no("n-1")).await;
    assert_eq!(
        (status, &body["records"][0]["status"]),
        (202, &json!("repeated"))
    );
    assert_eq!(world.queued().await.len(), 1);
    let mut changed = World::no("n-1");
    changed["purpose"] = json!("utility");
    let (status, body) = world
        .post(&token, &json!([World::no("n-3"), changed]))
        .await;
    assert_eq!((status, &body["code"]), (409, &json!("duplicate_id")));
    assert_eq!(body["errors"][0]["record"], 1);
    assert_eq!(world.queued().await.len(), 1, "none of the batch");
    // What was noted and did not get as far as the queue gets there when it comes again.
    let (status, body) = world.post(&token, &World::no("n-3")).await;
    assert_eq!(
        (status, &body["records"][0]["status"]),
        (202, &json!("queued"))
    );
    // Ids are a system's own.
    assert_eq!(world.post(&other, &changed).await.0, 202);
    assert_eq!(world.queued().await.len(), 3);
}

#[tokio::test]
async fn a_token_that_is_used_too_often_waits_for_the_next_minute_and_another_does_not() {
    let world = World::new().await;
    let token = world.stage.api_token(&[Scope::ConsentsWrite]).await;
    let other = world.stage.api_token(&[Scope::ConsentsWrite]).await;
    let now = world.now();
    // Both this minute and the next, so that the test may run at the turn of one.
    for minute in [now, now.plus_millis(MINUTE)] {
        let id = world.id(&token);
        assert!(
            world
                .tokens()
                .count(&id, PER_MINUTE, PER_MINUTE, minute)
                .await
                .unwrap()
        );
    }
    let bearer = format!("Bearer {}", token.expose());
    let answer = world
        .send(Some(&bearer), &World::no("n-1").to_string())
        .await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "60");
    assert!(world.queued().await.is_empty());
    assert_eq!(world.post(&other, &World::no("n-1")).await.0, 202);
    world.ahead.store(2 * MINUTE, Ordering::Relaxed);
    assert_eq!(world.post(&token, &World::no("n-1")).await.0, 202);
}

#[tokio::test]
async fn what_is_not_durable_is_not_taken_and_may_come_again() {
    let world = World::with(|environment| {
        environment.insert(
            "HEADGATE_QUEUE_CONSENTS_URL".to_owned(),
            "http://127.0.0.1/000000000000/no-such-queue".to_owned(),
        );
    })
    .await;
    let token = world.stage.api_token(&[Scope::ConsentsWrite]).await;
    let (status, body) = world.post(&token, &World::no("n-1")).await;
    assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
    let settings = Settings::from_map(world.stage.environment("ConsentApiFunction"));
    let mended = ConsentApi::new(&settings, system_clock()).await.unwrap();
    let world = World {
        api: mended,
        ..world
    };
    let (status, body) = world.post(&token, &World::no("n-1")).await;
    assert_eq!(
        (status, &body["records"][0]["status"]),
        (202, &json!("queued"))
    );
}

/// By number and by id the same; with dates, wording and proof, and without the number.
/// Known by the name of one pepper, and by that of the next: both are found by who has the number.
#[tokio::test]
async fn somebody_is_found_under_the_names_of_two_peppers() {
    let world = World::new().await;
    let reads = world.stage.api_token(&[Scope::ConsentsRead]).await;
    let environment = world.stage.environment("ConsentApiFunction");
    let controls = Controls::new(&world.stage.aws(), &environment["HEADGATE_TABLE_CONTROLS"]);
    let now = world.now();
    for (number, rotated) in [("+16135550124", false), ("+16135550125", true)] {
        if rotated {
            let since = now.plus_millis(-2 * HOUR);
            let put = controls.next_peppers(PepperVersion::FIRST, since).await;
            assert!(put.unwrap());
        }
        let phone = [Identifier::Phone(Phone::parse(number).unwrap())];
        let subjects = world.subjects().await;
        subjects.find_or_create(&phone, now).await.unwrap();
    }
    let stage = &world.stage;
    let settings = Settings::from_map(stage.environment("ConsentApiFunction"));
    let api = ConsentApi::new(&settings, stage.clock()).await.unwrap();
    let world = World { api, ..world };
    for (number, is_known) in [
        ("+16135550124", true),
        ("+16135550125", true),
        ("+16135550126", false),
    ] {
        let (status, answer) = world.ask(&reads, json!({ "phone": number })).await;
        let found = answer["subject"].is_string();
        assert_eq!((status, found), (200, is_known), "{answer}");
    }
}

#[tokio::test]
async fn a_question_is_answered_with_where_the_person_stands_and_what_proves_it() {
    let world = World::new().await;
    let reads = world.stage.api_token(&[Scope::ConsentsRead]).await;
    let (subjects, now) = (world.subjects().await, world.now());
    let phone = [Identifier::Phone(Phone::parse("+16135550123").unwrap())];
    let person = subjects.find_or_create(&phone, now).await.unwrap();
    let mut yes = Consent::alone(State::Given, now, "L3.17", "web_checkbox");
    let notice = NoticeId::of("Yes", "en", "Maple Outfitters");
    let mut said = yes.history.latest(Kind::Yes).unwrap().clone();
    said.at = now.plus_millis(1);
    said.notice = Some(notice.clone());
    yes.history.take(Kind::Yes, said);
    let events = Topic::parse("events").unwrap();
    let no = Consent::alone(State::Withdrawn, now.plus_millis(2), "L3.18", "link");
    for (topic, consent) in [(None, &yes), (Some(&events), &no)] {
        let put = subjects.put_consent(&person, Purpose::Marketing, topic, None, consent);
        assert!(put.await.unwrap());
    }
    let by_number = world.ask(&reads, json!({"phone": "+16135550123"})).await;
    let by_id = world.ask(&reads, json!({"subject": person.as_str()})).await;
    assert_eq!(by_number, by_id);
    let (status, answer) = by_number;
    assert_eq!((status, &answer["subject"]), (200, &json!(person.as_str())));
    let of = |topic: Value| {
        let consents = answer["consents"].as_array().unwrap();
        let is_it = |c: &&Value| c["purpose"] == "marketing" && c["topic"] == topic;
        consents.iter().find(is_it).unwrap().clone()
    };
    let whole = of(Value::Null);
    for (member, expected) in [
        ("standing", json!("given")),
        ("since", json!(now.to_string())),
        ("method", json!("web_checkbox")),
        ("notice", json!(notice.to_string())),
        ("ledger_event", json!("L3.17")),
    ] {
        assert_eq!(whole[member], expected, "{member}");
    }
    assert!(whole["valid_until"].is_string());
    assert_eq!(of(json!("offers"))["standing"], "given");
    let events = of(json!("events"));
    assert_eq!(
        (&events["standing"], &events["ledger_event"]),
        (&json!("withdrawn"), &json!("L3.18"))
    );
    assert!(events.get("valid_until").is_none());
    assert!(answer["restricted_since"].is_null());
    assert!(!answer.to_string().contains("6135550123"));

    subjects.restrict(&person, now, now).await.unwrap();
    let (_status, answer) = world.ask(&reads, json!({"phone": "+16135550123"})).await;
    assert_eq!(answer["restricted_since"], now.to_string());
}

/// Whoever is not on record is answered in the same members, and asking leaves nobody on record.
#[tokio::test]
async fn of_a_stranger_the_answer_is_that_nothing_was_said_and_nothing_is_stored() {
    let world = World::new().await;
    let reads = world.stage.api_token(&[Scope::ConsentsRead]).await;
    let people = || async {
        let dump = world.stage.cloud().dump().await.unwrap();
        let is_person = |place: &&String| place.contains("S#") || place.contains("I#");
        dump.iter()
            .map(|(place, _)| place)
            .filter(is_person)
            .count()
    };
    let before = people().await;
    for to in [
        json!({"phone": "+16135550123"}),
        json!({"bsuid": "CA.20000009"}),
        json!({"subject": "sub_aaaaaaaaaaaaaaaaaaaaaaaaaa"}),
    ] {
        let (status, answer) = world.ask(&reads, to).await;
        assert_eq!((status, &answer["subject"]), (200, &Value::Null));
        let consents = answer["consents"].as_array().unwrap();
        assert_eq!(consents.len(), 6);
        assert!(
            consents
                .iter()
                .all(|consent| consent["standing"] == "unknown")
        );
    }
    assert_eq!(people().await, before);
    let (status, wrong) = world.ask(&reads, json!({"phone": "6135550101"})).await;
    assert_eq!(
        (status, &wrong["errors"][0]["field"]),
        (422, &json!("to.phone"))
    );
    assert!(!wrong.to_string().contains("6135550101"));
}

#[tokio::test]
async fn questions_count_against_the_token_and_need_their_scope() {
    let world = World::new().await;
    let attests = world.stage.api_token(&[Scope::ConsentsAttest]).await;
    let to = json!({"phone": "+16135550123"});
    let (status, body) = world.ask(&attests, to.clone()).await;
    assert_eq!((status, &body["code"]), (403, &json!("insufficient_scope")));
    let reads = world.stage.api_token(&[Scope::ConsentsRead]).await;
    let (status, body) = world.post(&reads, &World::no("n-1")).await;
    assert_eq!((status, &body["code"]), (403, &json!("insufficient_scope")));
    let now = world.now();
    for minute in [now, now.plus_millis(MINUTE)] {
        let id = world.id(&reads);
        let tokens = world.tokens();
        let counted = tokens.count(&id, PER_MINUTE, PER_MINUTE, minute);
        assert!(counted.await.unwrap());
    }
    assert_eq!(world.ask(&reads, to).await.0, 429);
}

/// The page's question is one, and its answer has the members of a real one.
#[tokio::test]
async fn the_question_in_the_documentation_is_answered_as_it_says() {
    let world = World::new().await;
    let page = include_str!("../../../docs/consent-api.md");
    let example = page.split("/consents/query\"").nth(1).unwrap();
    let body = example.split('\'').nth(1).unwrap();
    let shown = example.split("```json\n").nth(1).unwrap();
    let shown: Value = serde_json::from_str(shown.split("```").next().unwrap()).unwrap();
    let reads = world.stage.api_token(&[Scope::ConsentsRead]).await;
    let bearer = format!("Bearer {}", reads.expose());
    let answer = world.send_to("/consents/query", Some(&bearer), body).await;
    assert_eq!(answer.status(), 200);
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    let members = |of: &Value| -> Vec<String> { of.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(members(&shown), members(&answer));
    let known = [
        "purpose",
        "topic",
        "standing",
        "since",
        "method",
        "notice",
        "valid_until",
        "ledger_event",
    ];
    for consent in shown["consents"].as_array().unwrap() {
        for member in members(consent) {
            assert!(known.contains(&member.as_str()), "{member}");
        }
    }
}

/// The page's example is what a client would send.
#[tokio::test]
async fn the_example_in_the_documentation_is_taken() {
    let world = World::new().await;
    let page = include_str!("../../../docs/consent-api.md");
    let command = page.split("```bash\ncurl").nth(1).unwrap();
    let command = command.split("```").next().unwrap();
    assert!(command.contains("Authorization: Bearer $HEADGATE_TOKEN"));
    assert!(command.contains("Content-Type: application/json"));
    assert!(command.contains("$HEADGATE_CONSENT_API_URL/consents"));
    let body = command
        .split("-d '")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let mut record: Value = serde_json::from_str(body).unwrap();
    record["occurred_at"] = json!(world.now().to_string());
    let token = world.stage.api_token(&[Scope::ConsentsAttest]).await;
    let (status, answer) = world.post(&token, &record).await;
    assert_eq!(status, 202, "{answer}");
    let shown = page
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert_eq!(answer, serde_json::from_str::<Value>(shown).unwrap());
}
