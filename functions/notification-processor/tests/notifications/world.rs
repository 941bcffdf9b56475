//! The function with the template's own tables, queues and keys, and a look behind it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use headgate_aws::consents::{Consents, Statement};
use headgate_aws::controls::Controls;
use headgate_aws::keyring::{Keyring, VaultVersion};
use headgate_aws::messages::{Messages, Record, body_place_key};
use headgate_aws::peppers::pepper;
use headgate_aws::subjects::{ConsentRequests, SubjectStates};
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::config::Config;
use headgate_domain::consent::{Action, State as Stands, Subject};
use headgate_domain::identity::{Bsuid, Identifier, Kind as NameKind, Phone, SubjectId, pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::live::Live;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::sealing::Place;
use headgate_domain::system::SystemMessage;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::{
    BatchResponse, MessageAttribute, SqsEvent, SqsRecord, SystemAttributes,
};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::people;
use local_cloud::{Calendar, LocalCloud, Options};
use notification_processor::NotificationProcessor;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The phone number id of the configuration.
pub(crate) const NUMBER: &str = "106540352242922";

const CONFIG: &str = r#"
[controller]
name = "Maple Outfitters"
privacy_contact = "privacy@maple.example"
[[numbers]]
id = "106540352242922"
alias = "main"
display = "+16135550199"
portfolio = "portfolio-1"
[events]
inbound_numbers = false
"#;

/// A running function and what it stands on.
pub(crate) struct World {
    cloud: LocalCloud,
    settings: Settings,
    aws: Aws,
    function: NotificationProcessor,
    pub(crate) consents: Consents,
    clock: Clock,
    started: Timestamp,
}

impl World {
    /// Starts everything, with keys and a configuration in place.
    pub(crate) async fn start() -> Self {
        Self::start_at(Calendar::at_fixed_morning()).await
    }

    /// The same, at the time of a calendar.
    pub(crate) async fn start_at(calendar: Calendar) -> Self {
        let clock: Clock = {
            let calendar = calendar.clone();
            Arc::new(move || Timestamp::from_millis(calendar.now_ms()))
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
        let cloud = LocalCloud::start(Options {
            template: read("template.yaml"),
            nested: ["infra/data.yaml", "infra/edge.yaml"]
                .map(|location| (location.to_owned(), read(location)))
                .into(),
            parameters: BTreeMap::new(),
            data_dir: None,
            first_port: None,
            calendar,
        })
        .await
        .unwrap();
        let settings = Settings::from_map(
            cloud
                .function_environment("NotificationProcessorFunction")
                .unwrap(),
        );
        let aws = Aws::new(&AwsSettings::new(settings.lookup()).unwrap()).unwrap();
        let name = |variable| settings.name(variable).unwrap();
        Controls::new(&aws, name("HEADGATE_TABLE_CONTROLS"))
            .put_config(&Config::from_toml(CONFIG).unwrap(), 1)
            .await
            .unwrap();
        let deployment = name("HEADGATE_DEPLOYMENT");
        let keyring = Keyring::new(
            &aws,
            name("HEADGATE_TABLE_KEYS"),
            name("HEADGATE_KMS_KEY_DATA"),
            deployment,
        );
        let now = clock();
        keyring.mint_vault(VaultVersion::FIRST, now).await.unwrap();
        for ahead in -1..2 {
            keyring.mint_day(now.day().plus(ahead), now).await.unwrap();
        }
        let intake = cloud.function_environment("IntakeFunction").unwrap();
        let consents = people::consents(&aws, &intake, now).await;
        let function = NotificationProcessor::new(&settings, clock.clone())
            .await
            .unwrap();
        Self {
            cloud,
            settings,
            aws,
            function,
            consents,
            clock,
            started: Timestamp::from_seconds(now.seconds()),
        }
    }

    /// The time the function goes by.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A time before this world began, in whole seconds as Meta tells them: asked twice, it is the same.
    pub(crate) fn ago(&self, millis: i64) -> Timestamp {
        self.started.plus_millis(-millis)
    }

    /// The keys.
    pub(crate) fn keyring(&self) -> &Keyring {
        self.consents.subjects().keyring()
    }

    /// The controls table, with nothing cached.
    pub(crate) fn controls(&self) -> Controls {
        Controls::new(
            &self.aws,
            self.settings.name("HEADGATE_TABLE_CONTROLS").unwrap(),
        )
    }

    /// The live controls as they are stored now.
    pub(crate) async fn live(&self) -> Live {
        Live::clone(&*self.controls().live().await.unwrap())
    }

    /// The configuration in force.
    pub(crate) async fn config(&self) -> Arc<Config> {
        self.controls().config().await.unwrap()
    }

    /// Configures whether apps are told the number of who wrote; before the function is first used.
    pub(crate) async fn tell_numbers(&self, told: bool) {
        let text = CONFIG.replace(
            "inbound_numbers = false",
            &format!("inbound_numbers = {told}"),
        );
        let config = Config::from_toml(&text).unwrap();
        self.controls().put_config(&config, 2).await.unwrap();
    }

    /// Adds to the configuration; before the function is first used.
    pub(crate) async fn configure(&self, more: &str) {
        self.reconfigure(more, 2).await;
    }

    /// Puts a version of the configuration in force.
    pub(crate) async fn reconfigure(&self, more: &str, version: u64) {
        let config = Config::from_toml(&format!("{CONFIG}{more}")).unwrap();
        self.controls().put_config(&config, version).await.unwrap();
    }

    /// Hands one body over to another execution environment, which has cached nothing.
    pub(crate) async fn consume_afresh(&self, body: &str) {
        let fresh = NotificationProcessor::new(&self.settings, self.clock.clone());
        let batch = Self::batch(&[(body.to_owned(), None)], 1);
        let answer = fresh.await.unwrap().handle(batch).await;
        assert!(answer.batch_item_failures.is_empty());
    }

    /// What was sealed as the proof of a ledger event.
    pub(crate) async fn proof(&self, phone: &str, event: &str) -> Value {
        let table = self.settings.name("HEADGATE_TABLE_SUBJECTS").unwrap();
        let states = SubjectStates::new(&self.aws, table);
        let subject = self.subject(phone).await;
        let proof = states.evidence(self.keyring(), &subject, event).await;
        serde_json::from_slice(proof.unwrap().unwrap().reveal()).unwrap()
    }

    /// Lets intake have taken a system message from its queue, and Meta have accepted it.
    pub(crate) async fn sent(&self, message: &Value, phone: &str, id: u8) {
        let message = SystemMessage::parse(&message.to_string()).unwrap();
        let mac = self.settings.name("HEADGATE_KMS_MAC_MESSAGE_REF").unwrap();
        let deployment = self.settings.name("HEADGATE_DEPLOYMENT").unwrap();
        let pepper = pepper(&self.aws, mac, deployment).await.unwrap();
        let value = format!("system\0{}", message.id());
        let name = pseudonym(&pepper, NameKind::Idempotency, 1, deployment, &value);
        let reference = self.record(phone, Purpose::Service, id).await;
        let messages = self.messages();
        let somebody = SubjectId::from_random([9; 16]);
        let claimed = messages.claim_id(&name, (&reference, &somebody), "mac", self.now());
        claimed.await.unwrap();
    }

    /// The messages table.
    pub(crate) fn messages(&self) -> Messages {
        Messages::new(
            &self.aws,
            self.settings.name("HEADGATE_TABLE_MESSAGES").unwrap(),
        )
    }

    /// The consent requests.
    pub(crate) fn requests(&self) -> ConsentRequests {
        ConsentRequests::new(
            &self.aws,
            self.settings.name("HEADGATE_TABLE_SUBJECTS").unwrap(),
        )
    }

    /// Bodies, each with its encoding, as one batch, received for the given time.
    pub(crate) fn batch(bodies: &[(String, Option<&str>)], receive: u32) -> SqsEvent {
        let records = bodies.iter().enumerate();
        let records = records.map(|(index, (body, encoding))| SqsRecord {
            message_id: format!("m{index}"),
            body: body.clone(),
            attributes: SystemAttributes {
                approximate_receive_count: Some(receive.to_string()),
                ..SystemAttributes::default()
            },
            message_attributes: encoding
                .map(|encoding| {
                    let attribute = MessageAttribute {
                        string_value: Some(encoding.to_owned()),
                        data_type: "String".to_owned(),
                    };
                    ("encoding".to_owned(), attribute)
                })
                .into_iter()
                .collect(),
            ..SqsRecord::default()
        });
        SqsEvent {
            records: records.collect(),
        }
    }

    /// Hands bodies over as one batch, received for the given time.
    pub(crate) async fn deliver(&self, bodies: &[String], receive: u32) -> BatchResponse {
        let bodies: Vec<_> = bodies.iter().map(|body| (body.clone(), None)).collect();
        self.function.handle(Self::batch(&bodies, receive)).await
    }

    /// Hands a pointer over, received for the given time.
    pub(crate) async fn deliver_stored(&self, pointer: &str, receive: u32) -> BatchResponse {
        let pointer = (pointer.to_owned(), Some("overflow"));
        self.function.handle(Self::batch(&[pointer], receive)).await
    }

    /// Another function in this deployment, with another secret to sign with.
    pub(crate) async fn signing_with(&self, secret: &str) -> NotificationProcessor {
        let settings = self
            .cloud
            .function_environment("NotificationProcessorFunction");
        let mut settings = settings.unwrap();
        settings.insert("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned());
        NotificationProcessor::new(&Settings::from_map(settings), self.clock.clone())
            .await
            .unwrap()
    }

    /// Another function in this deployment, which looks for messages in a table that is not there.
    pub(crate) async fn without_messages(&self) -> NotificationProcessor {
        let settings = self
            .cloud
            .function_environment("NotificationProcessorFunction");
        let mut settings = settings.unwrap();
        settings.insert("HEADGATE_TABLE_MESSAGES".to_owned(), "nothing".to_owned());
        NotificationProcessor::new(&Settings::from_map(settings), self.clock.clone())
            .await
            .unwrap()
    }

    /// The services.
    pub(crate) const fn cloud(&self) -> &LocalCloud {
        &self.cloud
    }

    /// A connection to them.
    pub(crate) const fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The name of the overflow bucket.
    pub(crate) fn bucket(&self) -> &str {
        self.settings.name("HEADGATE_BUCKET_OVERFLOW").unwrap()
    }

    /// The names of what is stored there.
    pub(crate) async fn objects(&self) -> Vec<String> {
        let dump = self.cloud.dump().await.unwrap();
        let names = dump
            .into_iter()
            .filter(|(place, _name)| place.starts_with("bucket ") && place.ends_with(" name"));
        names.map(|(_place, name)| name).collect()
    }

    /// Hands one body over and expects that it is consumed.
    pub(crate) async fn consume(&self, body: &str) {
        assert!(
            self.deliver(&[body.to_owned()], 1)
                .await
                .batch_item_failures
                .is_empty()
        );
    }

    /// A subject by number.
    pub(crate) async fn subject(&self, phone: &str) -> SubjectId {
        let phone = Identifier::from(Phone::parse(phone).unwrap());
        self.consents
            .subjects()
            .find_or_create(&[phone], self.now())
            .await
            .unwrap()
    }

    /// Whom a number or a user id leads to now.
    pub(crate) async fn holder(&self, name: &str) -> Option<SubjectId> {
        let identifier = named(name);
        self.consents.subjects().find(&identifier).await.unwrap()
    }

    /// A subject by number and business-scoped user id.
    pub(crate) async fn meet(&self, phone: &str, bsuid: &str) -> SubjectId {
        let names = [
            Identifier::from(Phone::parse(phone).unwrap()),
            Identifier::Bsuid(Bsuid::parse(bsuid).unwrap()),
        ];
        self.consents
            .subjects()
            .find_or_create(&names, self.now())
            .await
            .unwrap()
    }

    /// What is known of whoever has a number; nobody is made up.
    pub(crate) async fn known(&self, phone: &str) -> Option<Subject> {
        let subject = self.holder(phone).await?;
        self.consents.subjects().load(&subject).await.unwrap()
    }

    /// What is known of a subject.
    pub(crate) async fn person(&self, subject: &SubjectId) -> Subject {
        self.consents
            .subjects()
            .load(subject)
            .await
            .unwrap()
            .unwrap()
    }

    /// Somebody wants their data kept and not used, as privacy-worker notes it.
    pub(crate) async fn restrict(&self, subject: &SubjectId, at: Timestamp) {
        let subjects = self.consents.subjects();
        subjects.restrict(subject, at, at).await.unwrap();
    }

    /// Where a person stands with marketing.
    pub(crate) async fn marketing(&self, phone: &str) -> Option<Stands> {
        let subject = self.subject(phone).await;
        self.person(&subject)
            .await
            .consent(Purpose::Marketing)
            .map(|consent| consent.state)
    }

    /// Puts a number on the suppression list, as a step that was cut off would leave it.
    pub(crate) async fn suppress(&self, phone: &str, at: Timestamp) {
        self.suppress_for(phone, &[Purpose::Marketing], at).await;
    }

    /// The same, for some purposes.
    pub(crate) async fn suppress_for(&self, phone: &str, purposes: &[Purpose], at: Timestamp) {
        let key = self.consents.suppression_keys(&named(phone)).remove(0);
        self.consents
            .suppression()
            .add(&key, purposes, at, "keyword")
            .await
            .unwrap();
    }

    /// Takes purposes off the list, as a yes of that moment does.
    pub(crate) async fn lift_for(&self, phone: &str, purposes: &[Purpose], yes_at: Timestamp) {
        let key = self.consents.suppression_keys(&named(phone)).remove(0);
        self.consents
            .suppression()
            .lift(&key, purposes, yes_at)
            .await
            .unwrap();
    }

    /// Destroys a key behind everybody's back; the local DynamoDB looks at a signature's form only.
    pub(crate) async fn destroy_key(&self, id: &str) {
        let body = json!({ "TableName": self.settings.name("HEADGATE_TABLE_KEYS").unwrap(), "Key": { "pk": { "S": id } } })
            .to_string();
        let endpoint = self.settings.name("AWS_ENDPOINT_URL_DYNAMODB").unwrap();
        let host = endpoint
            .strip_prefix("http://")
            .unwrap()
            .trim_end_matches('/');
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: DynamoDB_20120810.DeleteItem\r\nX-Amz-Date: 20261118T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=local/20261118/local/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// What a suppression entry of a number or a user id covers.
    pub(crate) async fn suppressed(&self, name: &str) -> Vec<Purpose> {
        let key = self.consents.suppression_keys(&named(name)).remove(0);
        let found = self
            .consents
            .suppression()
            .covering(&[key.as_str().to_owned()])
            .await
            .unwrap();
        found
            .into_iter()
            .flat_map(|(_key, purposes)| purposes)
            .collect()
    }

    /// How many facts the ledger holds.
    pub(crate) async fn ledger(&self) -> usize {
        let mut count = 0;
        for shard in 0..16 {
            count += self
                .consents
                .ledger()
                .entries(shard, 0)
                .await
                .unwrap()
                .len();
        }
        count
    }

    /// Records a yes, as a shop's form would.
    pub(crate) async fn opt_in(&self, phone: &str, at: Timestamp) {
        self.opt_in_subject(&self.subject(phone).await, at).await;
    }

    /// The same, of somebody the shop knows by our id.
    pub(crate) async fn opt_in_subject(&self, subject: &SubjectId, at: Timestamp) {
        self.opt_in_to(Purpose::Marketing, subject, at).await;
    }

    /// The same, to messages of any purpose.
    pub(crate) async fn opt_in_to(&self, purpose: Purpose, subject: &SubjectId, at: Timestamp) {
        let statement = Statement {
            subject: subject.clone(),
            purpose,
            topic: None,
            action: Action::Given,
            at,
            asked_at: None,
            method: "web_checkbox".into(),
            notice: None,
            locale: None,
            evidence: Some(b"{}".to_vec()),
            actor: None,
        };
        assert!(
            self.consents
                .record(&statement, self.now())
                .await
                .unwrap()
                .in_force
        );
    }

    /// Puts a record into the outbox, accepted by Meta.
    pub(crate) async fn record(&self, phone: &str, purpose: Purpose, id: u8) -> RecordRef {
        self.record_in(State::Accepted, phone, purpose, id).await
    }

    /// Puts a record into the outbox, in the state that a send left it in.
    pub(crate) async fn record_in(
        &self,
        state: State,
        phone: &str,
        purpose: Purpose,
        id: u8,
    ) -> RecordRef {
        let reference = RecordRef {
            number: NUMBER.into(),
            lane: purpose,
            shard: 0,
            ulid: ulid(self.now(), [id; 10]),
        };
        self.put_record(state, &reference, phone, id).await;
        reference
    }

    /// The same, accepted, under a reference that is given.
    pub(crate) async fn record_as(&self, reference: &RecordRef, phone: &str, id: u8) {
        self.put_record(State::Accepted, reference, phone, id).await;
    }

    async fn put_record(&self, state: State, reference: &RecordRef, phone: &str, id: u8) {
        let now = self.now();
        let purpose = reference.lane;
        let subject = self.subject(phone).await;
        let payload = Payload {
            phone: Some(phone.into()),
            bsuid: None,
            identity_key: None,
            suppression: Vec::new(),
            message: Map::new(),
            id: format!("order-{id}"),
            reference: Some("customer-7".into()),
            basis: json!({ "kind": "consent" }),
            topic: None,
        };
        let salt = self.keyring().salt(&subject).await.unwrap();
        let key = body_place_key(reference);
        let place = Place {
            table: "messages",
            key: &key,
            field: "body",
        };
        let body = self
            .keyring()
            .seal_content(now.day(), &salt, &place, &payload.to_bytes())
            .await
            .unwrap();
        let record = Record {
            reference: reference.clone(),
            state,
            attempt: 1,
            subject,
            purpose,
            campaign: Some("autumn".into()),
            template: Some("autumn_sale".into()),
            consent_event: None,
            producer: "producer".into(),
            accepted_at: now,
            not_before: None,
            expires_at: now.plus_millis(1_000_000),
            day: now.day(),
            body,
            reason: None,
        };
        self.messages().put(&record).await.unwrap();
    }

    /// The state of a record.
    pub(crate) async fn state(&self, reference: &RecordRef) -> State {
        self.messages()
            .load(std::slice::from_ref(reference), self.now())
            .await
            .unwrap()[0]
            .state
    }

    /// The messages of a queue, by the end of its name.
    pub(crate) async fn queue(&self, name: &str) -> Vec<Value> {
        let dump = self.dump().await;
        dump.iter()
            .filter(|(place, _text)| {
                place.starts_with("queue ")
                    && place
                        .split(' ')
                        .nth(1)
                        .is_some_and(|queue| queue.ends_with(name))
            })
            .map(|(_place, text)| {
                serde_json::Deserializer::from_str(text)
                    .into_iter()
                    .next()
                    .unwrap()
                    .unwrap()
            })
            .collect()
    }

    /// The app events of a type.
    pub(crate) async fn events(&self, kind: &str) -> Vec<Value> {
        let mut events = self.queue("app-events").await;
        events.retain(|event| event["type"] == kind);
        events
    }

    /// Everything that is stored or queued, by its place.
    pub(crate) async fn dump(&self) -> Vec<(String, String)> {
        self.cloud.dump().await.unwrap()
    }

    /// Everything that is stored or queued, as text.
    pub(crate) async fn everything(&self) -> String {
        self.dump()
            .await
            .iter()
            .flat_map(|(place, text)| [place.as_str(), " ", text, "\n"])
            .collect()
    }
}

fn named(name: &str) -> Identifier {
    match Phone::parse(name) {
        Ok(phone) => phone.into(),
        Err(_no_number) => Bsuid::parse(name).unwrap().into(),
    }
}

/// A body with the given updates under `messages`, `statuses` or another member.
pub(crate) fn body(member: &str, updates: &[Value]) -> String {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{ "field": "messages", "value": {
        "metadata": { "phone_number_id": NUMBER }, "messaging_product": "whatsapp", member: updates } }] }] })
    .to_string()
}

/// A text message.
pub(crate) fn text(from: &str, wamid: &str, at: Timestamp, text: &str) -> Value {
    json!({ "from": from.trim_start_matches('+'), "id": wamid, "timestamp": at.seconds().to_string(), "type": "text", "text": { "body": text } })
}

/// A delivery status.
pub(crate) fn status(opaque: &str, word: &str, at: Timestamp, code: Option<u32>) -> Value {
    let errors = code.map(|code| json!([{ "code": code }]));
    json!({ "id": format!("wamid.{}", opaque.replace('.', "")), "status": word, "timestamp": at.seconds().to_string(),
        "recipient_id": "16135550100", "biz_opaque_callback_data": opaque, "errors": errors })
}
