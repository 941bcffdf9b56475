//! A deployment to import into, and what can be seen of it afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consent_import::ConsentImport;
use headgate_aws::consents::{Consents, Statement};
use headgate_aws::objects::{Bucket, Found, PART};
use headgate_aws::subjects::Subjects;
use headgate_domain::consent::{Action, Subject};
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::import::{FileHash, Progress};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, events, stage_with};
use serde_json::json;
use sha2::{Digest as _, Sha256};

pub(crate) const HEADER: &str = "phone,purpose,claimed_at,method,notice,locale,ref\n";
/// As long as Lambda gives the function.
pub(crate) const ENOUGH: Duration = Duration::from_mins(5);
/// A report part or a piece of a file.
const LARGEST: usize = 1 << 20;

pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) clock: Clock,
    pub(crate) files: Bucket,
    pub(crate) function: ConsentImport,
    pub(crate) consents: Consents,
}

/// Who brings the files, as S3 says it.
pub(crate) const OPERATOR: &str = "AWS:AROAOPERATOR:ada";

/// A row of a good file.
pub(crate) fn row(phone: &str, purpose: &str) -> String {
    format!("{phone},{purpose},2026-03-01,paper,\"Yes, write to me\",en,crm-1\n")
}

/// Somebody of whom there are ten million: possible by their length, and in no numbering plan.
pub(crate) fn somebody(number: u64) -> String {
    format!("+1000{number:07}")
}

pub(crate) fn hash(file: &[u8]) -> String {
    FileHash::of(Sha256::new_with_prefix(file))
        .as_str()
        .to_owned()
}

/// What S3 says of a file.
pub(crate) fn created(file: &str) -> SqsEvent {
    put_by(&Progress::file_key(file), OPERATOR)
}

/// What S3 says of an object and of who put it.
pub(crate) fn put_by(key: &str, principal: &str) -> SqsEvent {
    let said = json!({ "Records": [{
        "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": principal },
        "s3": { "bucket": { "name": "imports" }, "object": { "key": key, "size": 1 } },
    }] });
    let event = events::sqs("arn:aws:sqs:ca-central-1:1:imports", &[&said.to_string()]);
    serde_json::from_value(event).unwrap()
}

pub(crate) async fn function(environment: BTreeMap<String, String>, clock: Clock) -> ConsentImport {
    ConsentImport::new(&Settings::from_map(environment), clock)
        .await
        .unwrap()
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with more in the configuration.
    pub(crate) async fn start_with(more: &str) -> Self {
        headgate_lambda::log::capture(Arc::new(|_line| {}));
        let config = include_str!("../../../../config/headgate.toml");
        let stage = stage_with(&format!("{config}\n{more}")).await;
        let environment = stage.environment("ConsentImportFunction");
        let clock = stage.clock();
        let aws = stage.aws();
        let name = |variable: &str| environment[variable].as_str();
        let consents = stage.consents().await;
        Self {
            files: Bucket::new(&aws, name("HEADGATE_BUCKET_IMPORTS"), LARGEST),
            function: function(environment.clone(), clock.clone()).await,
            consents,
            stage,
            environment,
            clock,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) async fn put(&self, file: &[u8]) -> String {
        let hash = hash(file);
        let key = Progress::file_key(&hash);
        self.files.put(&key, file.to_vec()).await.unwrap();
        hash
    }

    /// Puts a file of any size.
    pub(crate) async fn put_in_parts(&self, file: &[u8]) -> String {
        let hash = hash(file);
        let key = Progress::file_key(&hash);
        let mut upload = self.files.upload(&key).await.unwrap();
        for part in file.chunks(PART) {
            upload.put(part.to_vec()).await.unwrap();
        }
        upload.complete().await.unwrap();
        hash
    }

    pub(crate) async fn handle(&self, file: &str, time_left: Duration) -> BatchResponse {
        self.function.handle(created(file), time_left).await
    }

    /// Imports a file to its end: how it stands, and the lines of its report.
    pub(crate) async fn import(&self, file: impl AsRef<[u8]>) -> (Progress, Vec<String>) {
        let hash = self.put(file.as_ref()).await;
        let answer = self.handle(&hash, ENOUGH).await;
        assert_eq!(answer, BatchResponse::default());
        assert!(!self.has_file(&hash).await, "the file is left behind");
        (
            self.progress(&hash).await.unwrap(),
            self.report(&hash).await,
        )
    }

    pub(crate) async fn has_file(&self, file: &str) -> bool {
        let found = self.files.find(&Progress::file_key(file)).await.unwrap();
        !matches!(found, Found::Missing)
    }

    pub(crate) async fn progress(&self, file: &str) -> Option<Progress> {
        match self.files.find(&Progress::key(file)).await.unwrap() {
            Found::Object(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
            Found::Missing | Found::TooLarge => None,
        }
    }

    /// The lines of the report below the names of its columns.
    pub(crate) async fn report(&self, file: &str) -> Vec<String> {
        let parts = self.progress(file).await.unwrap().parts;
        let mut lines = Vec::new();
        for part in 0..parts {
            let found = self.files.find(&Progress::part_key(file, part)).await;
            let Found::Object(bytes) = found.unwrap() else {
                panic!("part {part} is missing");
            };
            let text = String::from_utf8(bytes).unwrap();
            let (columns, rows) = text.split_once('\n').unwrap();
            assert_eq!(columns, "row,line,code,column,purposes,link");
            lines.extend(rows.lines().map(str::to_owned));
        }
        lines
    }

    pub(crate) fn subjects(&self) -> &Subjects {
        self.consents.subjects()
    }

    pub(crate) async fn subject(&self, phone: &str) -> Option<SubjectId> {
        let identifier = Identifier::Phone(Phone::parse(phone).unwrap());
        self.subjects().find(&identifier).await.unwrap()
    }

    /// What is known of somebody who is known.
    pub(crate) async fn person(&self, phone: &str) -> Subject {
        let subject = self.subject(phone).await.expect("somebody known");
        self.subjects().load(&subject).await.unwrap().unwrap()
    }

    /// Somebody says something on paper.
    pub(crate) async fn says(&self, phone: &str, action: Action, purpose: Purpose) {
        let now = self.now();
        let identifier = Identifier::Phone(Phone::parse(phone).unwrap());
        let subject = self.subjects().find_or_create(&[identifier], now).await;
        let said = Statement {
            subject: subject.unwrap(),
            purpose,
            topic: None,
            action,
            at: now,
            asked_at: None,
            method: "paper".to_owned(),
            notice: None,
            locale: None,
            evidence: None,
            actor: None,
        };
        self.consents.record(&said, now).await.unwrap();
    }

    /// The facts of the ledger.
    pub(crate) async fn facts(&self) -> usize {
        self.events().await.len()
    }

    /// What the ledger holds, event by event.
    pub(crate) async fn events(&self) -> Vec<serde_json::Value> {
        let mut events = Vec::new();
        for shard in 0..16 {
            let entries = self.consents.ledger().entries(shard, 0).await.unwrap();
            let read = |entry: &headgate_domain::ledger::Entry| {
                serde_json::from_str(&entry.event).unwrap()
            };
            events.extend(entries.iter().map(read));
        }
        events
    }

    /// Everything in the tables.
    pub(crate) async fn tables(&self) -> Vec<(String, String)> {
        let mut dump = self.stage.cloud().dump().await.unwrap();
        dump.retain(|(place, _)| place.starts_with("table "));
        dump.sort();
        dump
    }
}
