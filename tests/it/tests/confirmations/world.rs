//! A deployment with its API, its pages and its intake, and the queue between them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use consent_api::ConsentApi;
use headgate_aws::peppers::pepper;
use headgate_aws::subjects::Subjects;
use headgate_domain::api_token::{PlainToken, Scope};
use headgate_domain::confirm_link::ConfirmKey;
use headgate_domain::consent::Consent;
use headgate_domain::identity::{Identifier, Phone};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsEvent;
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, events, stage_with};
use http::{Request, StatusCode};
use intake::Intake;
use privacy_web::PrivacyWeb;
use serde_json::{Value, json};

pub(crate) const PHONE: &str = "+16135550123";
pub(crate) const BROWSER: &str =
    "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/142.0 Mobile";
const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) struct World {
    stage: Stage,
    api: ConsentApi,
    pages: PrivacyWeb,
    intake: Intake,
    token: PlainToken,
    subjects: Subjects,
    confirm: ConfirmKey,
    deployment: String,
    said_at: Timestamp,
    clock: Clock,
    /// Bodies and ids of events that were dealt with.
    done: Mutex<BTreeSet<String>>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        let stage = stage_with(include_str!("../../../../config/headgate.toml")).await;
        let clock = stage.clock();
        let settings = |function: &str| Settings::from_map(stage.environment(function));
        let environment = stage.environment("IntakeFunction");
        let deployment = environment["HEADGATE_DEPLOYMENT"].clone();
        let aws = stage.aws();
        let links = pepper(&aws, &environment["HEADGATE_KMS_MAC_LINKS"], &deployment).await;
        let subjects = stage.subjects().await;
        Self {
            api: ConsentApi::new(&settings("ConsentApiFunction"), clock.clone())
                .await
                .unwrap(),
            pages: PrivacyWeb::new(&settings("PrivacyWebFunction"), clock.clone())
                .await
                .unwrap(),
            intake: Intake::new(&settings("IntakeFunction"), clock.clone())
                .await
                .unwrap(),
            token: stage.api_token(&[Scope::ConsentsAttest]).await,
            subjects,
            confirm: ConfirmKey::of(&links.unwrap()),
            deployment,
            said_at: clock().plus_millis(-1_000),
            clock,
            stage,
            done: Mutex::default(),
        }
    }

    /// Turns the calendar.
    pub(crate) fn wait(&self, ms: i64) {
        let calendar = self.stage.cloud().calendar();
        calendar.set_offset_ms(calendar.offset_ms() + ms);
    }

    fn record(&self, id: &str, said_after_ms: i64) -> Value {
        let schema = include_str!("../../../../schemas/consent-record.v1.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let mut record = schema["examples"][0].clone();
        record["id"] = json!(id);
        record["to"] = json!({ "phone": PHONE, "ref": "customer-77" });
        record["purpose"] = json!("marketing");
        record["method"] = json!("web_checkbox");
        record["evidence"] = json!({ "form": "checkout-7", "page": "maple.example/checkout" });
        record["occurred_at"] = json!(self.said_at.plus_millis(said_after_ms).to_string());
        record
    }

    async fn post(&self, path: &str, record: &Value) -> (u16, Value) {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token.expose()))
            .body(Bytes::from(record.to_string()));
        let answer = self.api.handle(request.unwrap()).await;
        let body = serde_json::from_slice(answer.body()).unwrap();
        (answer.status().as_u16(), body)
    }

    /// The address of the link to a record, without what stands before `/c/`.
    pub(crate) async fn link(&self, id: &str) -> String {
        self.link_said_at(id, 0).await
    }

    /// The same of a record whose yes was said so long after the usual one.
    pub(crate) async fn link_said_at(&self, id: &str, after_ms: i64) -> String {
        let (status, answer) = self
            .post("/confirmations", &self.record(id, after_ms))
            .await;
        assert_eq!(status, 202, "{answer}");
        let answer = &answer["confirmations"][0];
        assert_eq!(answer["id"], id);
        let url = answer["url"].as_str().unwrap();
        url[url.find("/c/").unwrap()..].to_owned()
    }

    /// What the API answers when the record is sent as a yes.
    pub(crate) async fn attest_directly(&self, id: &str) -> u16 {
        self.post("/consents", &self.record(id, 0)).await.0
    }

    /// The person says no, as an app tells it.
    pub(crate) async fn withdraw(&self) {
        let no = json!({ "schema": "headgate.consent/1", "id": "no", "to": { "phone": PHONE }, "purpose": "marketing",
            "action": "withdrawn", "method": "agent", "occurred_at": (self.clock)().to_string() });
        self.say("AROASHOP:shop", &no).await;
        self.events().await;
    }

    /// A link that another deployment with the same key would make.
    pub(crate) fn link_of_another_deployment(&self) -> String {
        let end = (self.clock)().plus_millis(3_600_000);
        format!("/c/{}", self.confirm.token("other", [7; 16], end))
    }

    /// The name of a link's row.
    pub(crate) fn row(&self, link: &str) -> String {
        let text = link.rsplit('/').next().unwrap();
        let token = self.confirm.open(&self.deployment, text).unwrap();
        token.row().to_string()
    }

    pub(crate) async fn get(&self, target: &str, agent: &str) -> Answer {
        self.send("GET", target, agent, None, "").await
    }

    pub(crate) async fn head(&self, target: &str, agent: &str) -> Answer {
        self.send("HEAD", target, agent, None, "").await
    }

    /// Presses the button as a person's browser does.
    pub(crate) async fn press(&self, link: &str) -> Answer {
        self.press_as(link, BROWSER, Some("same-origin"), "agree=yes")
            .await
    }

    /// Sends the form.
    pub(crate) async fn press_as(
        &self,
        link: &str,
        agent: &str,
        site: Option<&str>,
        fields: &str,
    ) -> Answer {
        let token = link.rsplit('/').next().unwrap();
        let body = format!("token={token}&lang=en&{fields}");
        self.send("POST", link, agent, site, &body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        agent: &str,
        site: Option<&str>,
        body: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("accept", "text/html")
            .header("user-agent", agent);
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        if method == "POST" {
            request = request.header("content-type", FORM);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        let answer = self.pages.handle(request).await;
        Answer {
            status: answer.status(),
            text: String::from_utf8(answer.body().to_vec()).unwrap(),
        }
    }

    /// Hands intake what has come to the consents queue, twice, as SQS may; the events since.
    pub(crate) async fn intake(&self) -> Vec<Value> {
        let queued = self.on_queue("-consents").await;
        for body in queued {
            if self.is_new(&body.to_string()) {
                let role = &self.stage.environment("IntakeFunction")["HEADGATE_ROLE_CONSENT_API"];
                let sender = format!("{role}:consent-api");
                for _ in 0..2 {
                    self.say(&sender, &body).await;
                }
            }
        }
        self.events().await
    }

    /// Hands intake a record of the consents queue.
    pub(crate) async fn say(&self, sender: &str, body: &Value) {
        let arn = self.stage.environment("IntakeFunction")["HEADGATE_QUEUE_CONSENTS_ARN"].clone();
        let mut event: SqsEvent =
            serde_json::from_value(events::sqs(&arn, &[&body.to_string()])).unwrap();
        for record in &mut event.records {
            record.attributes.sender_id = Some(sender.to_owned());
            record.attributes.sent_timestamp = Some((self.clock)().millis().to_string());
        }
        let answer = self.intake.handle(event).await;
        assert!(answer.batch_item_failures.is_empty());
    }

    /// What apps were told since this was last asked; a redelivery repeats an event under its id.
    async fn events(&self) -> Vec<Value> {
        let mut all = self.on_queue("app-events").await;
        all.retain(|event| self.is_new(event["event_id"].as_str().unwrap()));
        all
    }

    fn is_new(&self, name: &str) -> bool {
        self.done.lock().unwrap().insert(name.to_owned())
    }

    async fn on_queue(&self, name: &str) -> Vec<Value> {
        self.stage.on_queue(name).await
    }

    /// Where the person stands for marketing.
    pub(crate) async fn consent(&self, phone: &str) -> Option<Consent> {
        let subject = self.subject(phone).await;
        let state = self.subjects.states(&[subject]).await.unwrap();
        state.first()?.consent(Purpose::Marketing).cloned()
    }

    async fn subject(&self, phone: &str) -> headgate_domain::identity::SubjectId {
        let identifier = Identifier::Phone(Phone::parse(phone).unwrap());
        self.subjects
            .find_or_create(&[identifier], (self.clock)())
            .await
            .unwrap()
    }

    /// What was sealed as the proof of an event.
    pub(crate) async fn evidence(&self, phone: &str, event: &str) -> String {
        let environment = self.stage.environment("IntakeFunction");
        let table = &environment["HEADGATE_TABLE_SUBJECTS"];
        let states = headgate_aws::subjects::SubjectStates::new(&self.stage.aws(), table);
        let subject = self.subject(phone).await;
        let proof = states
            .evidence(&self.stage.keyring(), &subject, event)
            .await;
        String::from_utf8(proof.unwrap().unwrap().into_revealed()).unwrap()
    }

    /// An event of the ledger.
    pub(crate) async fn ledger(&self, id: &str) -> Value {
        let dump = self.stage.cloud().dump().await.unwrap();
        let texts = dump.iter().map(|(_place, text)| text);
        let events = texts.filter_map(|text| {
            let item: Value = serde_json::from_str(text).ok()?;
            let event = item.get("event")?.get("S")?.as_str()?;
            serde_json::from_str::<Value>(event).ok()
        });
        events.into_iter().find(|event| event["id"] == id).unwrap()
    }

    /// Everything that is stored.
    pub(crate) async fn stored(&self) -> Vec<(String, String)> {
        self.stage.cloud().dump().await.unwrap()
    }

    /// Where a text stands.
    pub(crate) async fn places_with(&self, text: &str) -> Vec<String> {
        self.stage.places_with(text).await
    }
}
