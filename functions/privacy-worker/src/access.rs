//! A copy of a person's data (GDPR 15 and 20): everything that is kept of them, for them and for their machines.
//!
//! One JSON document (schemas/export.v1.json), with what a person is to be told beside it (GDPR 15(1)), sealed under a
//! key that follows from the link, which only the message to the person carries. Where somebody else may have come to
//! the number since, what is older than that is left out: it may be another person's.

use std::collections::BTreeSet;

use headgate_aws::keyring::KeyringError;
use headgate_aws::messages::{Record, body_place_key, inbound_place_key};
use headgate_aws::privacy_requests::Request;
use headgate_aws::subjects::Person;
use headgate_domain::config::Config;
use headgate_domain::consent::{Consent, Kind as SaidKind, Subject};
use headgate_domain::identity::{Bsuid, Phone, SubjectId};
use headgate_domain::lane::PURPOSES;
use headgate_domain::outbound::{Payload, Recipient};
use headgate_domain::privacy::{EXPORT_MS, ExportLink, State, Terms, into_volumes};
use headgate_domain::processors::Register;
use headgate_domain::retention::{CONTENT_DAYS, plan};
use headgate_domain::sealing::Place;
use headgate_domain::system::{Kind, Locale, SystemMessage, to_json};
use headgate_domain::time::{Day, Timestamp};
use headgate_lambda::log::{Field, Level, log};
use headgate_redact::Personal;
use serde_json::{Map, Value, json};

use crate::{PrivacyWorker, WorkerError};

/// The schema of a copy.
const SCHEMA: &str = "headgate.export/1";

impl PrivacyWorker {
    /// Makes the copy, stores it sealed, and tells the person where it is.
    pub(crate) async fn export(
        &self,
        request: &Request,
        subject: &SubjectId,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let person = self.eraser.subjects.person(subject).await?;
        let closed = if let Some(known) = &person.subject {
            let volumes = self.copy(request, &person, known, now).await?;
            let link = ExportLink::of(&self.links, &self.deployment, request.id.as_str());
            let stored = self
                .requests
                .put_export(&link, &self.deployment, &volumes, now);
            stored.await?;
            self.requests.note_export(&known.id, now).await?;
            self.tell_where(request, &known.id).await?;
            let bytes = volumes.iter().map(|volume| volume.reveal().len()).sum();
            log(
                Level::Info,
                "exported",
                &[
                    ("request", Field::safe(&request.id)),
                    ("volumes", Field::count(volumes.len())),
                    ("bytes", Field::count(bytes)),
                ],
            );
            if known.certain_since().is_none() {
                State::Fulfilled
            } else {
                State::PartiallyFulfilled
            }
        } else {
            // Erased in between.
            State::Denied
        };
        self.requests
            .close(request, closed, None, (now, None))
            .await?;
        Ok(())
    }

    /// The link itself is made by whoever writes the message: it stands on no queue.
    async fn tell_where(&self, request: &Request, subject: &SubjectId) -> Result<(), WorkerError> {
        let Some(number) = &request.number else {
            return Ok(());
        };
        let message = SystemMessage {
            kind: Kind::PrivacyExport,
            cause: request.id.as_str().to_owned(),
            to: Recipient::Subject(subject.clone()),
            from: number.clone(),
            locale: request.locale,
            token: Some(request.id.as_str().to_owned()),
            said_at: None,
            question: None,
        };
        Ok(self.system.send(&to_json(&message), &[]).await?)
    }

    async fn copy(
        &self,
        request: &Request,
        person: &Person,
        known: &Subject,
        now: Timestamp,
    ) -> Result<Vec<Personal<Vec<u8>>>, WorkerError> {
        let since = known.certain_since();
        let config = self.controls.config().await?;
        let law = config.profile_of(known.country());
        let consents = &self.eraser.consents;
        let keys = consents.all_suppression_keys(&person.identifiers);
        let suppressed = consents.suppression().covering(&keys).await?;
        let mut suppressed: Vec<&str> = suppressed
            .iter()
            .flat_map(|(_key, purposes)| purposes.iter().map(|purpose| purpose.word()))
            .collect();
        suppressed.sort_unstable();
        suppressed.dedup();
        let processors = &Register::compiled_in().processors;
        let recipients: Vec<&str> = processors.iter().map(|one| one.name.as_str()).collect();
        let registers = self.registers(&keys, since).await?;
        let controller = &config.controller;
        let head = json!({
            "schema": SCHEMA,
            "request": request.id.as_str(),
            "generated_at": now,
            "available_until": now.plus_millis(EXPORT_MS),
            "controller": { "name": controller.name, "contact": controller.privacy_contact },
            "profiles": law.ids(),
            "leaves_out_before": since,
            "you": you(known, since),
            "choices": choices(known, since),
            "suppressed": suppressed,
            "registers": registers,
            "recipients": recipients,
            "under_legal_hold": self.is_held(&person.group, now).await?,
            "kept": {
                "messages_days": CONTENT_DAYS,
                "number_and_choices": format!(
                    "until you ask to be erased; {} years after the last contact, 90 days without a choice",
                    plan().people.years
                ),
                "suppression": "until you agree anew, so that a no stays a no",
                "ledger": "as commitments that lead to nobody once you are erased",
            },
        });
        let mut head = object(head);
        head.extend(told_beside(request.locale, &config, !registers.is_empty()));
        let lists = vec![
            ("proofs", self.proofs(person, since).await?),
            ("messages", self.messages(person, since, now).await?),
        ];
        Ok(into_volumes(&head, lists))
    }

    /// What Do-Not-Call registers said of the person's numbers.
    async fn registers(
        &self,
        keys: &[String],
        since: Option<Timestamp>,
    ) -> Result<Vec<Value>, WorkerError> {
        let suppression = self.eraser.consents.suppression();
        let checks = suppression.checks(keys).await?.into_values().flatten();
        let theirs = checks.filter(|check| since.is_none_or(|at| check.checked_on >= at.day()));
        // A number has a key under each pepper that is looked up.
        let mut told: Vec<(String, Day, bool)> = theirs
            .map(|check| (check.registry, check.checked_on, check.listed))
            .collect();
        told.sort_unstable();
        told.dedup();
        let told = told.iter().map(|(registry, day, listed)| {
            json!({ "registry": registry, "checked_on": day.to_string(), "listed": listed })
        });
        Ok(told.collect())
    }

    /// What proves each thing that was said, as it was recorded.
    async fn proofs(
        &self,
        person: &Person,
        since: Option<Timestamp>,
    ) -> Result<Vec<Value>, WorkerError> {
        if since.is_some() {
            // They do not say themselves when they were made.
            return Ok(Vec::new());
        }
        let proofs = self.eraser.subjects.proofs(&person.group).await?;
        let told = proofs.iter().map(|(event, proof)| {
            let text = String::from_utf8_lossy(proof.reveal());
            let value = serde_json::from_str(&text).unwrap_or_else(|_text| Value::from(text));
            json!({ "event": event, "proof": value })
        });
        Ok(told.collect())
    }

    /// What was written to and by the person, the oldest first.
    async fn messages(
        &self,
        person: &Person,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Value>, WorkerError> {
        let store = &self.eraser.messages;
        let theirs = store.all_of(&person.group.subjects).await?;
        let mut told = Vec::new();
        for record in store.load(&theirs.records(), now).await? {
            if since.is_none_or(|since| record.accepted_at >= since) {
                told.push((record.accepted_at, self.sent(&record, now).await?));
            }
        }
        for name in theirs.inbound() {
            let Some(inbound) = store.inbound(&name, now).await? else {
                continue;
            };
            if since.is_some_and(|since| inbound.at < since) {
                continue;
            }
            let key = inbound_place_key(&name);
            let sealed = (&inbound.subject, inbound.day, inbound.body.as_slice());
            let message = self.opened(sealed, &key, now).await?;
            let stored = message.map_or(Value::Null, |body| {
                serde_json::from_slice(body.reveal()).unwrap_or_default()
            });
            let value = json!({
                "direction": "from_you", "at": inbound.at, "message": own_words(&stored),
                "profile_name": stored.get("profile_name"),
            });
            told.push((inbound.at, value));
        }
        told.sort_by_key(|(at, _message)| *at);
        Ok(told.into_iter().map(|(_at, message)| message).collect())
    }

    async fn sent(&self, record: &Record, now: Timestamp) -> Result<Value, WorkerError> {
        let key = body_place_key(&record.reference);
        let sealed = (&record.subject, record.day, record.body.as_slice());
        let body = self.opened(sealed, &key, now).await?;
        let payload = body.and_then(|body| Payload::from_bytes(body.reveal()));
        Ok(json!({
            "direction": "to_you",
            "at": record.accepted_at,
            "purpose": record.purpose.word(),
            "state": record.state.word(),
            "template": record.template,
            "consent_event": record.consent_event,
            "message": payload.map(|payload| without_ids(payload.message)),
        }))
    }

    /// What was sealed as content, if it is within its time.
    pub(crate) async fn opened(
        &self,
        (subject, day, sealed): (&SubjectId, Day, &[u8]),
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Personal<Vec<u8>>>, WorkerError> {
        let keyring = self.eraser.subjects.keyring();
        let place = Place {
            table: "messages",
            key,
            field: "body",
        };
        let opened = async {
            let salt = keyring.salt(subject).await?;
            keyring.open_content(day, now, &salt, &place, sealed).await
        };
        match opened.await {
            Ok(body) => Ok(Some(body)),
            Err(KeyringError::NoKey | KeyringError::NotOpened | KeyringError::PastRetention) => {
                Ok(None)
            }
            Err(error @ KeyringError::Aws(_)) => Err(error.into()),
        }
    }
}

/// What belongs beside the data itself (GDPR 15(1)(a) to (g)): the sentences of the privacy page in the person's
/// language, and words of closed lists for machines.
fn told_beside(locale: Locale, config: &Config, has_registers: bool) -> Map<String, Value> {
    let processors = Register::compiled_in().processors.iter();
    let classes = processors.flat_map(|one| &one.data_classes);
    let categories: BTreeSet<String> = classes
        .filter_map(|class| Some(json!(class).as_str()?.to_owned()))
        .collect();
    let mut sources = vec!["you", "whatsapp", "business"];
    sources.extend(has_registers.then_some("registers"));
    let mut told = Map::from_iter([
        ("language".to_owned(), locale.tag().into()),
        ("categories".to_owned(), json!(categories)),
        ("sources".to_owned(), json!(sources)),
    ]);
    // A test holds that every language has them.
    if let Ok(terms) = Terms::of(locale, &config.controller.name) {
        let authorities = &config.authorities;
        told.extend([
            ("purposes".to_owned(), json!(terms.purposes)),
            ("retention".to_owned(), json!(terms.stored)),
            ("rights".to_owned(), json!(terms.rights)),
            (
                "complaints".to_owned(),
                json!({ "how": terms.complaint(!authorities.is_empty()), "authorities": authorities }),
            ),
        ]);
    }
    told
}

/// What the person wrote.
fn own_words(stored: &Value) -> Value {
    let message = stored.get("message").and_then(Value::as_object);
    message.map_or(Value::Null, |message| without_ids(message.clone()))
}

/// A message in Meta's form without Meta's ids of it and of what it answers: they hold somebody's number.
fn without_ids(mut message: Map<String, Value>) -> Value {
    message.remove("id");
    message.remove("context");
    Value::Object(message)
}

/// What somebody is known by. Where somebody else may have been there before, what is from then is left out.
fn you(subject: &Subject, since: Option<Timestamp>) -> Value {
    let is_theirs = |at: &Timestamp| since.is_none_or(|since| *at >= since);
    let of_themselves = |value: Value| if since.is_none() { value } else { Value::Null };
    json!({
        "phone": subject.phone.as_ref().map(Phone::reveal),
        "user_id": subject.bsuid.as_ref().map(Bsuid::reveal),
        "known_to_the_business_as": of_themselves(json!(subject.reference)),
        "country": subject.country().map(|country| country.as_str().to_owned()),
        "known_since": subject.created_at.filter(is_theirs),
        "last_wrote_at": subject.last_inbound_at.filter(is_theirs),
        "stopped_marketing_in_whatsapp": subject.meta_stop,
        "restricted_since": subject.restricted_at.filter(is_theirs),
        "do_not_sell_since": subject.do_not_sell.as_ref().map(|choice| choice.at).filter(is_theirs),
    })
}

fn choices(subject: &Subject, since: Option<Timestamp>) -> Vec<Value> {
    let of_purposes = PURPOSES.into_iter().zip(&subject.consents);
    let of_purposes = of_purposes.filter_map(|(purpose, consent)| {
        let consent = consent.as_ref()?;
        Some((purpose, None, consent))
    });
    let topics = subject.topics.iter();
    let of_topics = topics.map(|(purpose, topic, consent)| (*purpose, Some(topic), consent));
    of_purposes
        .chain(of_topics)
        .filter(|(_purpose, _topic, consent)| since.is_none_or(|since| consent.at >= since))
        .map(|(purpose, topic, consent)| {
            let mut told = choice(consent, since);
            told.insert("purpose".to_owned(), purpose.word().into());
            if let Some(topic) = topic {
                told.insert("topic".to_owned(), topic.as_str().into());
            }
            Value::Object(told)
        })
        .collect()
}

fn choice(consent: &Consent, since: Option<Timestamp>) -> Map<String, Value> {
    let said = SaidKind::ALL.into_iter().filter_map(|kind| {
        let said = consent.history.latest(kind)?;
        if since.is_some_and(|since| said.at < since) {
            return None;
        }
        Some(json!({ "said": kind.word(), "at": said.at, "method": said.method, "event": said.event }))
    });
    let told = json!({
        "state": consent.state.word(), "since": consent.at, "method": consent.method,
        "event": consent.event, "history": said.collect::<Vec<_>>(),
    });
    object(told)
}

/// The fields of an object, as it was just made.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
