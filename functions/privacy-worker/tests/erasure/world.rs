//! The worker with the template's own tables, queues and keys, people it has met, and a look behind it.

use std::collections::BTreeMap;

use headgate_aws::consents::{Consents, Statement};
use headgate_aws::evidence::{Evidence, held_place_key};
use headgate_aws::keyring::Keyring;
use headgate_aws::messages::{Inbound, Messages, Record, inbound_place_key};
use headgate_aws::pacing::Pacing;
use headgate_aws::privacy_requests::{Chosen, PrivacyRequests};
use headgate_aws::subjects::Subjects;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::consent::{Action, IdentityChange};
use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::identity::{Bsuid, Identifier, Phone, Pseudonym, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::optin_code;
use headgate_domain::privacy::{Ask, Choice, ExportLink, HoldId, RequestId, Task, Wish};
use headgate_domain::profiles::Right;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::sealing::Place;
use headgate_domain::system::Locale;
use headgate_domain::time::{DAY, Timestamp};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, events, stage};
use local_cloud::Gate;
use privacy_worker::PrivacyWorker;
use serde_json::{Value, json};

const NUMBER: &str = "106540352242922";

pub(crate) struct World {
    stage: Stage,
    environment: BTreeMap<String, String>,
    aws: Aws,
    consents: Consents,
}

impl World {
    pub(crate) async fn start() -> Self {
        let stage = stage().await;
        let environment = stage.environment("PrivacyWorkerFunction");
        let settings = Settings::from_map(environment.clone());
        let aws = Aws::new(&AwsSettings::new(settings.lookup()).unwrap()).unwrap();
        let consents = stage.consents().await;
        Self {
            stage,
            environment,
            aws,
            consents,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::from_map(self.environment.clone())
    }

    pub(crate) fn clock(&self) -> Clock {
        self.stage.clock()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock())()
    }

    pub(crate) fn gate(&self) -> Gate {
        self.stage.cloud().gate()
    }

    pub(crate) fn wait(&self, ms: i64) {
        let calendar = self.stage.cloud().calendar();
        calendar.set_offset_ms(calendar.offset_ms() + ms);
    }

    pub(crate) async fn worker(&self) -> PrivacyWorker {
        PrivacyWorker::new(&self.settings(), self.clock())
            .await
            .unwrap()
    }

    /// Everything that is due; how many tasks were done.
    pub(crate) async fn work_off(&self) -> u64 {
        let done = self.worker().await.handle(json!({})).await.unwrap();
        done["done"].as_u64().unwrap()
    }

    pub(crate) const fn subjects(&self) -> &Subjects {
        self.consents.subjects()
    }

    pub(crate) fn requests(&self) -> PrivacyRequests {
        PrivacyRequests::new(
            &self.aws,
            &self.environment["HEADGATE_TABLE_PRIVACY_REQUESTS"],
        )
    }

    fn messages(&self) -> Messages {
        Messages::new(&self.aws, &self.environment["HEADGATE_TABLE_MESSAGES"])
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        self.subjects().keyring()
    }

    fn identifiers(n: u32) -> [Identifier; 2] {
        let area = [613, 416, 647, 514, 604][n as usize / 100];
        let phone = Phone::parse(&format!("+1{area}555{:04}", 100 + n % 100)).unwrap();
        let bsuid = Bsuid::parse(&format!("CA.{}", 70_000_000 + n)).unwrap();
        [Identifier::Phone(phone), Identifier::Bsuid(bsuid)]
    }

    fn pseudonym(kind: char, n: u32) -> Pseudonym {
        Pseudonym::parse(&format!("{kind}1_{n:0>43}")).unwrap()
    }

    /// Somebody of whom there is something in every store.
    pub(crate) async fn acquainted(&self, n: u32) -> SubjectId {
        let now = self.now();
        // Days go by in a long test.
        self.keyring().mint_day(now.day(), now).await.unwrap();
        let identifiers = Self::identifiers(n);
        let subject = self
            .subjects()
            .find_or_create(&identifiers, now)
            .await
            .unwrap();
        for action in [Action::Given, Action::Withdrawn] {
            self.says(&subject, Purpose::Utility, action).await;
        }
        let key = self.consents.suppression_keys(&identifiers[0]).remove(0);
        let check = RegisterCheck {
            registry: "us-dnc".to_owned(),
            checked_on: now.day(),
            listed: false,
        };
        let until = now.plus_millis(30 * DAY);
        let list = self.consents.suppression();
        list.note_check(&key, &check, until).await.unwrap();
        let reference = RecordRef {
            number: NUMBER.to_owned(),
            lane: Purpose::Utility,
            shard: 0,
            ulid: ulid(now, headgate_aws::random().unwrap()),
        };
        let messages = self.messages();
        let id = Self::pseudonym('i', n);
        messages
            .claim_id(&id, (&reference, &subject), "mac", now)
            .await
            .unwrap();
        messages
            .put(&record(&subject, reference, now))
            .await
            .unwrap();
        let inbound = Inbound {
            reference: Self::pseudonym('m', n),
            subject: subject.clone(),
            at: now,
            kind: "text".to_owned(),
            day: now.day(),
            body: vec![1, 2, 3],
            done: true,
        };
        messages.put_inbound(&inbound).await.unwrap();
        let pacing = Pacing::new(&self.aws, &self.environment["HEADGATE_TABLE_PACING"]);
        pacing
            .put_pair_debt(NUMBER, subject.as_str(), 5_000, now)
            .await
            .unwrap();
        subject
    }

    /// Somebody of whom nothing but their names is known.
    pub(crate) async fn stranger(&self, n: u32) -> SubjectId {
        let identifiers = Self::identifiers(n);
        let found = self.subjects().find_or_create(&identifiers, self.now());
        found.await.unwrap()
    }

    /// Somebody known by a user id of another country alone.
    pub(crate) async fn abroad(&self, user_id: &str) -> SubjectId {
        let names = [Identifier::Bsuid(Bsuid::parse(user_id).unwrap())];
        let found = self.subjects().find_or_create(&names, self.now());
        found.await.unwrap()
    }

    /// An app wants something sent to somebody.
    pub(crate) async fn writes_to(&self, subject: &SubjectId) {
        let now = self.now();
        let reference = RecordRef {
            number: NUMBER.to_owned(),
            lane: Purpose::Utility,
            shard: 0,
            ulid: ulid(now, headgate_aws::random().unwrap()),
        };
        let put = record(subject, reference, now);
        self.messages().put(&put).await.unwrap();
    }

    /// The key of today, as the purge would have made it.
    pub(crate) async fn mint_today(&self) {
        let now = self.now();
        self.keyring().mint_day(now.day(), now).await.unwrap();
    }

    /// Records what somebody says.
    pub(crate) async fn says(&self, subject: &SubjectId, purpose: Purpose, action: Action) {
        let now = self.now();
        let statement = said(subject, purpose, action, now);
        self.consents.record(&statement, now).await.unwrap();
    }

    /// A word like START.
    pub(crate) async fn says_yes_again(&self, subject: &SubjectId, purpose: Purpose) {
        self.says(subject, purpose, Action::Given).await;
    }

    /// Somebody who has written something.
    pub(crate) async fn talked(&self, n: u32, words: &str) -> SubjectId {
        let now = self.now();
        let subject = self
            .subjects()
            .find_or_create(&Self::identifiers(n), now)
            .await
            .unwrap();
        let reference = Self::pseudonym('m', 1_000 + n);
        let key = inbound_place_key(&reference);
        let place = Place {
            table: "messages",
            key: &key,
            field: "body",
        };
        let body =
            json!({ "wamid": "wamid.A", "message": { "type": "text", "text": { "body": words } } });
        let salt = self.keyring().salt(&subject).await.unwrap();
        let sealed = self
            .keyring()
            .seal_content(now.day(), &salt, &place, body.to_string().as_bytes())
            .await
            .unwrap();
        let inbound = Inbound {
            reference,
            subject: subject.clone(),
            at: now,
            kind: "text".to_owned(),
            day: now.day(),
            body: sealed,
            done: true,
        };
        self.messages().put_inbound(&inbound).await.unwrap();
        let noted = self.subjects().note_inbound(&subject, now);
        noted.await.unwrap();
        subject
    }

    /// What a hold has kept, as it is handed out.
    pub(crate) async fn disclosed(&self, hold: &HoldId) -> Value {
        let requests = self.requests();
        requests
            .plan(&Task::Disclose(hold.clone()), self.now())
            .await
            .unwrap();
        self.work_off().await;
        let link = requests.disclosed(hold).await.unwrap().unwrap();
        let link = ExportLink::parse(&link).unwrap();
        let deployment = &self.environment["HEADGATE_DEPLOYMENT"];
        let copy = requests
            .fetch_export(&link, deployment, 1, self.now())
            .await
            .unwrap();
        serde_json::from_slice(copy.unwrap().reveal()).unwrap()
    }

    /// Whether nothing opens of what a hold had kept, whatever row of it is there.
    pub(crate) async fn opens_nothing_of(&self, hold: &HoldId) -> bool {
        let evidence = Evidence::new(&self.aws, &self.environment["HEADGATE_TABLE_EVIDENCE"]);
        let rows = evidence.held(hold).await.unwrap();
        assert!(!rows.is_empty(), "the backup has brought them back");
        for row in rows {
            let key = held_place_key(hold, &row.name);
            let place = Place {
                table: "evidence",
                key: &key,
                field: "body",
            };
            let salt = self.keyring().salt(&row.subject).await.unwrap();
            let opened = self
                .keyring()
                .open_held(hold, &salt, &place, &row.sealed)
                .await;
            if opened.is_ok() {
                return false;
            }
        }
        true
    }

    /// Their row names one that there cannot be: no key is so long.
    pub(crate) async fn damage(&self, subject: &SubjectId) {
        let table = &self.environment["HEADGATE_TABLE_SUBJECTS"];
        let items = self.stage.cloud().items(table).await.unwrap();
        let row = format!("S#{subject}");
        let is_theirs = |item: &&Value| item["pk"]["S"] == row.as_str() && item["sk"]["S"] == "S";
        let mut item = items.iter().find(is_theirs).unwrap().clone();
        item["about"] = json!({ "SS": ["R#".to_owned() + &"a".repeat(3_000)] });
        self.stage.cloud().load(table, vec![item]).await.unwrap();
    }

    /// Somebody else may be behind the number from now on.
    pub(crate) async fn changes_hands(&self, subject: &SubjectId) {
        let change = IdentityChange::IdentityKey;
        let noted = self
            .subjects()
            .note_identity_change(subject, change, self.now());
        noted.await.unwrap();
    }

    /// The person asks to be erased, as notification-processor passes it on.
    pub(crate) async fn ask(&self, subject: &SubjectId) {
        let ask = Ask {
            wish: Wish::Right(Right::Erasure),
            subject: subject.clone(),
            source: Self::pseudonym('m', 9).as_str().to_owned(),
            at: self.now(),
            number: Some(NUMBER.to_owned()),
            locale: Locale::En,
        };
        assert_eq!(self.hand_over(&[&ask.to_json()]).await, 0);
    }

    /// Somebody who has agreed to a purpose by a message of their own.
    pub(crate) async fn agreed(&self, n: u32, purposes: &[Purpose]) -> SubjectId {
        let subject = self.stranger(n).await;
        let now = self.now();
        for purpose in purposes {
            let statement = Statement {
                method: "message_in".to_owned(),
                ..said(&subject, *purpose, Action::Given, now)
            };
            self.consents.record(&statement, now).await.unwrap();
        }
        // What follows is said later.
        self.wait(2_000);
        subject
    }

    /// What somebody chose on the page: the hash of the code, and the reference of what becomes of it.
    pub(crate) async fn chosen(&self, choice: Choice) -> (String, RequestId) {
        let hash = optin_code::hash(&optin_code::from_random(headgate_aws::random().unwrap()));
        let chosen = Chosen {
            request: RequestId::from_random(headgate_aws::random().unwrap()),
            choice,
            locale: Locale::De,
        };
        let put = self.requests();
        put.put_code(&hash, &chosen, self.now()).await.unwrap();
        (hash, chosen.request)
    }

    /// What notification-processor passes on when somebody asks for something in their n-th message.
    pub(crate) fn asked(&self, subject: &SubjectId, wish: Wish, n: u32) -> String {
        let ask = Ask {
            wish,
            subject: subject.clone(),
            source: Self::pseudonym('m', 9_000 + n).as_str().to_owned(),
            at: self.now(),
            number: Some(NUMBER.to_owned()),
            locale: Locale::En,
        };
        ask.to_json()
    }

    /// What lies on a queue, by the end of its name.
    pub(crate) async fn on_queue(&self, name: &str) -> Vec<Value> {
        self.stage.on_queue(name).await
    }

    /// Hands bodies over as from the queue; how many failed.
    pub(crate) async fn hand_over(&self, bodies: &[&str]) -> usize {
        let event = events::sqs("arn:privacy-requests", bodies);
        let answer = self.worker().await.handle(event).await.unwrap();
        answer["batchItemFailures"].as_array().unwrap().len()
    }

    /// Rows that have run out go, as they do some time after.
    pub(crate) async fn expire(&self) {
        self.stage.cloud().sweep_expired().await.unwrap();
    }

    /// Every row of the tables.
    pub(crate) async fn rows(&self) -> Vec<(String, String)> {
        let dump = self.stage.cloud().dump().await.unwrap();
        let rows = dump.into_iter();
        rows.filter(|(place, _)| place.starts_with("table "))
            .collect()
    }

    /// Where a person is still named, but for the journal and the marks in place of their salts.
    pub(crate) async fn left_of(&self, subject: &SubjectId) -> Vec<String> {
        let id = subject.as_str();
        let names = |(place, text): &(String, String)| place.contains(id) || text.contains(id);
        let is_kept = |(place, text): &(String, String)| {
            place.contains("-privacy-requests/erased/")
                || (place.contains("-keys/")
                    && text.contains("destroyed_at")
                    && !text.contains("\"salt\""))
        };
        let rows = self.rows().await;
        let left = rows.iter().filter(|row| names(row) && !is_kept(row));
        left.map(|(place, _)| place.clone()).collect()
    }

    /// How many receipts there are of erasures of a person.
    pub(crate) async fn receipts(&self, subject: &SubjectId) -> usize {
        let (_tombstones, entries) = self.requests().journal().await.unwrap();
        let theirs = entries.iter().filter(|entry| entry.group.has(subject));
        let requests: Vec<&str> = theirs.map(|entry| entry.request.as_str()).collect();
        let rows = self.rows().await;
        let receipts = rows
            .iter()
            .filter(|(place, _)| place.contains("-evidence/erasure/"));
        receipts
            .filter(|(place, _)| requests.iter().any(|id| place.ends_with(id)))
            .count()
    }

    /// Whether marketing to somebody is on the suppression list, under both of their names.
    pub(crate) async fn is_blocked(&self, n: u32) -> bool {
        self.is_blocked_for(n, Purpose::Marketing).await
    }

    /// The same of any purpose.
    pub(crate) async fn is_blocked_for(&self, n: u32, purpose: Purpose) -> bool {
        let keys = Self::identifiers(n).map(|one| self.consents.suppression_keys(&one).remove(0));
        let keys = keys.map(|key| key.as_str().to_owned());
        let covered = self.consents.suppression().covering(&keys).await.unwrap();
        let blocks = |(_, purposes): &&(String, Vec<Purpose>)| purposes.contains(&purpose);
        covered.iter().filter(blocks).count() == 2
    }

    /// What a point-in-time copy of the tables that have one would hold.
    pub(crate) async fn backup(&self) -> BTreeMap<String, Vec<Value>> {
        let mut copies = BTreeMap::new();
        for name in ["SUBJECTS", "SUPPRESSION", "MESSAGES"] {
            copies.extend(self.backup_of(name).await);
        }
        copies
    }

    /// The same of one table.
    pub(crate) async fn backup_of(&self, name: &str) -> BTreeMap<String, Vec<Value>> {
        let table = self.environment[&format!("HEADGATE_TABLE_{name}")].clone();
        let items = self.stage.cloud().items(&table).await.unwrap();
        BTreeMap::from([(table, items)])
    }

    /// Puts the copy in the place of what is there.
    pub(crate) async fn restore(&self, copies: &BTreeMap<String, Vec<Value>>) {
        for (table, items) in copies {
            self.stage.cloud().load(table, items.clone()).await.unwrap();
        }
        let (tombstones, _entries) = self.requests().journal().await.unwrap();
        for tombstone in tombstones {
            // In the copy the entry was not there.
            let list = self.consents.suppression();
            let later = self.now().plus_millis(DAY);
            list.lift(&tombstone.key, &[Purpose::Marketing], later)
                .await
                .unwrap();
        }
    }
}

fn said(subject: &SubjectId, purpose: Purpose, action: Action, at: Timestamp) -> Statement {
    Statement {
        subject: subject.clone(),
        purpose,
        topic: None,
        action,
        at,
        asked_at: None,
        method: "keyword".to_owned(),
        notice: None,
        locale: None,
        evidence: Some(b"the proof".to_vec()),
        actor: None,
    }
}

fn record(subject: &SubjectId, reference: RecordRef, now: Timestamp) -> Record {
    Record {
        reference,
        state: State::Queued,
        attempt: 0,
        subject: subject.clone(),
        purpose: Purpose::Utility,
        campaign: None,
        template: None,
        consent_event: None,
        producer: "app".to_owned(),
        accepted_at: now,
        not_before: None,
        expires_at: now.plus_millis(DAY),
        day: now.day(),
        body: vec![1, 2, 3],
        reason: None,
    }
}
