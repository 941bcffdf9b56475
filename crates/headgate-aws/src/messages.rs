//! Messages: the outbox and the message record in one item, idempotency, and what people wrote.

mod erasing;
mod sweep;
mod written;

pub use erasing::Theirs;
pub use sweep::{Mark, Part, Swept};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use headgate_domain::holder::{Seen, Ticket};
use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, State, ulid_floor};
use headgate_domain::retention::content_ttl;
use headgate_domain::time::{Day, Timestamp};

use crate::item::{Attributes, Item, b, batch_get, key, ms, n, s, taken, was_taken};
use crate::{Aws, AwsError};
use sweep::{in_time, to_be_swept};

/// The messages table.
#[derive(Clone)]
pub struct Messages {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// A message record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its address.
    pub reference: RecordRef,
    /// Where it stands.
    pub state: State,
    /// How many times it was claimed for sending.
    pub attempt: u32,
    /// Whose.
    pub subject: SubjectId,
    /// What for.
    pub purpose: Purpose,
    /// The app's campaign.
    pub campaign: Option<String>,
    /// The template's name.
    pub template: Option<String>,
    /// The ledger event of the consent it was accepted on, and once it was sent, sent on.
    pub consent_event: Option<String>,
    /// The SQS `SenderId` that put it on the lane.
    pub producer: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Not to be sent before.
    pub not_before: Option<Timestamp>,
    /// Not to be sent after.
    pub expires_at: Timestamp,
    /// The day whose key seals the body.
    pub day: Day,
    /// The sealed payload.
    pub body: Vec<u8>,
    /// Why it was cancelled or failed, once it was.
    pub reason: Option<String>,
}

/// The id Meta gave a record, as it is stored.
#[derive(Clone, Debug)]
pub struct StoredWamid {
    /// Whose the record is.
    pub subject: SubjectId,
    /// The day whose key seals the wamid.
    pub day: Day,
    /// The wamid, sealed for the record's key and the field `wamid`.
    pub sealed: Vec<u8>,
}

/// The key of a record's item, for the [`Place`](headgate_domain::sealing::Place) of its sealed fields.
pub fn body_place_key(reference: &RecordRef) -> String {
    format!("{}/{}", reference.pk(), reference.ulid)
}

/// The key of an inbound item, for the [`Place`](headgate_domain::sealing::Place) of its sealed body.
pub fn inbound_place_key(reference: &Pseudonym) -> String {
    format!("N#{}/N", reference.as_str())
}

/// What the idempotency item says about an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Nobody used it; it is ours now.
    Fresh,
    /// The same content was accepted under this reference.
    Same(String),
    /// It was used with other content.
    Other,
}

/// Something a person wrote, as it is stored.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The pseudonym of its wamid.
    pub reference: Pseudonym,
    /// Who wrote it.
    pub subject: SubjectId,
    /// When, by Meta's clock.
    pub at: Timestamp,
    /// Meta's message type.
    pub kind: String,
    /// The day whose key seals the body.
    pub day: Day,
    /// The wamid and the message, sealed.
    pub body: Vec<u8>,
    /// Whether everything it caused has been done.
    pub done: bool,
}

/// Attributes a record takes on when it changes state.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// Meta's error code.
    pub code: Option<u32>,
    /// Why it was cancelled or failed, from a closed list.
    pub reason: Option<&'static str>,
    /// The pseudonym of the wamid.
    pub wamid_pseudonym: Option<String>,
    /// The wamid, sealed under the record's day.
    pub wamid: Option<Vec<u8>>,
    /// The attempt this settles.
    pub attempt: Option<u32>,
    /// The ledger event of the consent it was sent on.
    pub consent_event: Option<String>,
}

impl Settlement {
    /// What is known of it, by attribute.
    fn attributes(&self) -> impl Iterator<Item = (&'static str, AttributeValue)> {
        [
            ("code", self.code.map(n)),
            ("reason", self.reason.map(s)),
            ("m_ref", self.wamid_pseudonym.as_deref().map(s)),
            ("wamid", self.wamid.clone().map(b)),
            ("attempt", self.attempt.map(n)),
            ("consent_event", self.consent_event.as_deref().map(s)),
        ]
        .into_iter()
        .filter_map(|(attribute, value)| Some((attribute, value?)))
    }
}

/// What came of moving a record.
#[derive(Clone, Debug)]
pub enum Settled {
    /// It moved.
    Moved(Record),
    /// It stands there or higher already.
    Stood(Record),
    /// There is no such record, none in its time, or none that can be read.
    Absent,
}

/// A page of an outbox partition.
#[derive(Clone, Debug)]
pub struct Page {
    /// What a holder needs of its records; a row that cannot be read is left out.
    pub seen: Vec<Seen>,
    /// Where the next page starts, if there is one. DynamoDB ends a page at 1 MB, so a short page is not the last.
    pub next: Option<String>,
}

impl Record {
    /// What a holder needs of it.
    pub fn seen(&self) -> Seen {
        Seen {
            ticket: Ticket {
                reference: self.reference.clone(),
                attempt: self.attempt,
                campaign: self.campaign.clone(),
                recipient: self.subject.as_str().to_owned(),
                expires_at: self.expires_at,
                due: None,
            },
            state: self.state,
        }
    }
}

impl Messages {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// The table's name, for a reader of another room.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Claims an app's id for a record reference; on redelivery answers with the reference of the first time.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn claim_id(
        &self,
        id: &Pseudonym,
        (reference, subject): (&RecordRef, &SubjectId),
        content_mac: &str,
        now: Timestamp,
    ) -> Result<Idempotency, AwsError> {
        let reference = reference.to_string();
        let mut item = key(format!("I#{}", id.as_str()), "I");
        item.insert("subject".to_owned(), s(subject.as_str()));
        item.insert("ref".to_owned(), s(reference.as_str()));
        item.insert("mac".to_owned(), s(content_mac));
        to_be_swept(&mut item, now.day());
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", n(now.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Idempotency::Fresh);
        };
        let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error()
        else {
            return Err(AwsError::of("PutItem", &error));
        };
        let Some(existing) = failed.item() else {
            return Err(AwsError::of("PutItem", &error));
        };
        match (existing.text("ref"), existing.text("mac")) {
            // The SDK repeated our own write.
            (Some(stored), _) if stored == reference => Ok(Idempotency::Fresh),
            (Some(stored), Some(mac)) if mac == content_mac => {
                Ok(Idempotency::Same(stored.to_owned()))
            }
            _ => Ok(Idempotency::Other),
        }
    }

    /// The reference under which an id was accepted with the same content; changes nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn claimed(
        &self,
        id: &Pseudonym,
        content_mac: &str,
        now: Timestamp,
    ) -> Result<Option<String>, AwsError> {
        self.claim(id, |mac| mac == Some(content_mac), now).await
    }

    /// The reference under which an id was accepted, whatever it said; changes nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn accepted_under(
        &self,
        id: &Pseudonym,
        now: Timestamp,
    ) -> Result<Option<String>, AwsError> {
        self.claim(id, |_mac| true, now).await
    }

    async fn claim(
        &self,
        id: &Pseudonym,
        is_it: impl Fn(Option<&str>) -> bool,
        now: Timestamp,
    ) -> Result<Option<String>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("I#{}", id.as_str()), "I")))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer
            .item
            .filter(|item| is_it(item.text("mac")))
            .filter(|item| in_time(item, now))
            .and_then(|item| item.text("ref").map(str::to_owned)))
    }

    /// Puts a record into the outbox; doing so twice leaves the first. Answers whether it was this call that
    /// created it: if not, what is stored may be in another state.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put(&self, record: &Record) -> Result<bool, AwsError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item_of(record)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        was_taken(answer.map_err(|e| AwsError::of("PutItem", &e)))
    }

    /// A page of an outbox partition behind a cursor, oldest first, read consistently. Bodies are left
    /// where they are until a record is judged.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn page(
        &self,
        number: &str,
        lane: Purpose,
        shard: u8,
        (cursor, limit): (&str, i32),
        now: Timestamp,
    ) -> Result<Page, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk > :cursor")
            .expression_attribute_values(
                ":pk",
                s(headgate_domain::record::outbox_pk(number, lane, shard)),
            )
            .expression_attribute_values(":cursor", s(cursor))
            .projection_expression("pk, sk, #state, attempt, campaign, #subject, expires_at, #ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#subject", "subject")
            .limit(limit)
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        let seen = answer.items().iter().filter(|item| in_time(item, now));
        let seen = seen.filter_map(seen_of).collect();
        let next = answer
            .last_evaluated_key
            .as_ref()
            .and_then(|k| k.text("sk"))
            .map(str::to_owned);
        Ok(Page { seen, next })
    }

    /// Several records by reference, read consistently; missing ones are absent, and so are those past their time.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn load(
        &self,
        references: &[RecordRef],
        now: Timestamp,
    ) -> Result<Vec<Record>, AwsError> {
        let mut wanted = references.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = wanted
            .iter()
            .map(|r| key(r.pk(), r.ulid.as_str()))
            .collect();
        Ok(batch_get(&self.client, &self.table, keys)
            .await?
            .iter()
            .filter(|item| in_time(item, now))
            .filter_map(record_of)
            .collect())
    }

    /// The newest records of a person that were accepted between two moments, newest first. The index is
    /// read, so what was written this very second may be missing.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn latest_of(
        &self,
        subject: &SubjectId,
        (since, until): (Timestamp, Timestamp),
        most: i32,
    ) -> Result<Vec<RecordRef>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_subject")
            .key_condition_expression("#subject = :subject AND sk BETWEEN :since AND :until")
            .expression_attribute_names("#subject", "subject")
            .expression_attribute_values(":subject", s(subject.as_str()))
            .expression_attribute_values(":since", s(ulid_floor(since)))
            .expression_attribute_values(":until", s(ulid_floor(until)))
            .scan_index_forward(false)
            .limit(most)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        let reference = |item: &Item| RecordRef::from_key(item.text("pk")?, item.text("sk")?);
        Ok(answer.items().iter().filter_map(reference).collect())
    }

    /// The id Meta gave a record; `None` when there is no such record, none in its time, or Meta has not named it yet.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn wamid(
        &self,
        reference: &RecordRef,
        now: Timestamp,
    ) -> Result<Option<StoredWamid>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(reference.pk(), reference.ulid.as_str())))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let item = answer.item.filter(|item| in_time(item, now));
        Ok(item.as_ref().and_then(|item| {
            Some(StoredWamid {
                subject: SubjectId::parse(item.text("subject")?).ok()?,
                day: Day::parse(item.text("day")?).ok()?,
                sealed: item.bytes("wamid")?.to_vec(),
            })
        }))
    }

    /// Moves a record up to a state; `None` when it does not exist or stands there or higher already.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn settle(
        &self,
        reference: &RecordRef,
        state: State,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<Option<Record>, AwsError> {
        match self
            .settle_or_see(reference, state, settlement, now)
            .await?
        {
            Settled::Moved(record) => Ok(Some(record)),
            Settled::Stood(_) | Settled::Absent => Ok(None),
        }
    }

    /// Like [`Messages::settle`], and shows the record that did not move.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn settle_or_see(
        &self,
        reference: &RecordRef,
        state: State,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<Settled, AwsError> {
        let mut sets = vec!["#state = :state, #rank = :rank, settled_at = :now".to_owned()];
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(reference.pk(), reference.ulid.as_str())))
            .condition_expression(if settlement.attempt.is_some() {
                // The outcome of an earlier attempt says nothing about a later one.
                "#ttl > :seconds AND #rank < :rank AND #attempt <= :attempt"
            } else {
                "#ttl > :seconds AND #rank < :rank"
            })
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":seconds", n(now.seconds()))
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#rank", "rank")
            .expression_attribute_values(":state", s(state.word()))
            .expression_attribute_values(":rank", n(state.rank()))
            .expression_attribute_values(":now", ms(now))
            .return_values(ReturnValue::AllNew);
        for (attribute, value) in settlement.attributes() {
            let (name, value_name) = (format!("#{attribute}"), format!(":{attribute}"));
            sets.push(format!("{name} = {value_name}"));
            call = call
                .expression_attribute_names(name, attribute)
                .expression_attribute_values(value_name, value);
        }
        let answer = call
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .update_expression(format!("SET {}", sets.join(", ")))
            .send()
            .await;
        let error = match answer {
            Ok(answer) => {
                return Ok(answer
                    .attributes
                    .as_ref()
                    .and_then(record_of)
                    .map_or(Settled::Absent, Settled::Moved));
            }
            Err(error) => error,
        };
        let failure = AwsError::of("UpdateItem", &error);
        if !failure.is("ConditionalCheckFailedException") {
            return Err(failure);
        }
        let existing = error.as_service_error().and_then(|e| {
            if let aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(e) = e { e.item() } else { None }
        });
        let existing = existing.filter(|item| in_time(item, now));
        let Some((item, record)) = existing.and_then(|item| Some((item, record_of(item)?))) else {
            return Ok(Settled::Absent);
        };
        // The SDK may have repeated a call whose answer was lost: then this is our own write.
        let is_ours = record.state == state && item.time("settled_at") == Some(now);
        Ok(if is_ours {
            Settled::Moved(record)
        } else {
            Settled::Stood(record)
        })
    }

    /// Puts an ambiguous or scheduled record back into the outbox, if no notification moved it meanwhile.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn requeue(
        &self,
        reference: &RecordRef,
        from: State,
        attempt: u32,
    ) -> Result<Option<Record>, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(reference.pk(), reference.ulid.as_str())))
            .update_expression("SET #state = :queued, #rank = :zero, #attempt = :attempt")
            .condition_expression("#state = :from OR (#state = :queued AND #attempt = :attempt)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#rank", "rank")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_values(":queued", s(State::Queued.word()))
            .expression_attribute_values(":from", s(from.word()))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":attempt", n(attempt))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Ok(answer) => Ok(answer.attributes.as_ref().and_then(record_of)),
            Err(e) if e.is("ConditionalCheckFailedException") => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Notes that an attempt is known not to have been accepted: the record waits again, and readers of the
    /// outbox leave it to its due entry. A notification that arrived meanwhile wins.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn park(&self, reference: &RecordRef, attempt: u32) -> Result<(), AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(reference.pk(), reference.ulid.as_str())))
            .update_expression("SET #state = :queued, #rank = :zero, #attempt = :attempt")
            .condition_expression(
                "#state IN (:queued, :scheduled) OR (#state = :ambiguous AND #attempt = :attempt)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#rank", "rank")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_values(":queued", s(State::Queued.word()))
            .expression_attribute_values(":scheduled", s(State::Scheduled.word()))
            .expression_attribute_values(":ambiguous", s(State::Ambiguous.word()))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":attempt", n(attempt))
            .send()
            .await;
        taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))
    }

    /// Keeps the wamid of a record that a notification moved before its answer was written down.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn put_wamid(
        &self,
        reference: &RecordRef,
        settlement: &Settlement,
    ) -> Result<(), AwsError> {
        let (Some(pseudonym), Some(sealed)) = (&settlement.wamid_pseudonym, &settlement.wamid)
        else {
            return Ok(());
        };
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(reference.pk(), reference.ulid.as_str())))
            .update_expression("SET wamid = :wamid, m_ref = :mref")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(wamid)")
            .expression_attribute_values(":wamid", b(sealed.clone()))
            .expression_attribute_values(":mref", s(pseudonym.as_str()))
            .send()
            .await;
        taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))
    }

    /// Stores what a person wrote; answers what is stored, which on redelivery is the first one.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn put_inbound(&self, inbound: &Inbound) -> Result<Inbound, AwsError> {
        let mut item = key(format!("N#{}", inbound.reference.as_str()), "N");
        item.insert("subject".to_owned(), s(inbound.subject.as_str()));
        item.insert("at".to_owned(), ms(inbound.at));
        item.insert("kind".to_owned(), s(inbound.kind.as_str()));
        item.insert("body".to_owned(), b(inbound.body.clone()));
        item.insert("done".to_owned(), AttributeValue::Bool(false));
        to_be_swept(&mut item, inbound.day);
        let today = inbound.day.start();
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :today")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":today", n(today.seconds()))
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("PutItem", &e)) {
            Ok(_) => Ok(inbound.clone()),
            Err(e) if e.is("ConditionalCheckFailedException") => self
                .inbound(&inbound.reference, today)
                .await?
                .ok_or_else(|| AwsError::new("PutItem", "vanished")),
            Err(e) => Err(e),
        }
    }

    /// What a person wrote, by the pseudonym of its wamid, as long as it is in its time.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn inbound(
        &self,
        reference: &Pseudonym,
        now: Timestamp,
    ) -> Result<Option<Inbound>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("N#{}", reference.as_str()), "N")))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let item = answer.item.filter(|item| in_time(item, now));
        Ok(item.as_ref().and_then(inbound_of))
    }

    /// Notes that everything an inbound message caused has been done; what has gone meanwhile stays gone.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn inbound_done(&self, reference: &Pseudonym) -> Result<(), AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("N#{}", reference.as_str()), "N")))
            .update_expression("SET done = :yes")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .send()
            .await;
        taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))
    }
}

fn item_of(record: &Record) -> Item {
    let mut item = key(record.reference.pk(), record.reference.ulid.as_str());
    let optional = [
        ("campaign", record.campaign.as_deref().map(s)),
        ("template", record.template.as_deref().map(s)),
        ("consent_event", record.consent_event.as_deref().map(s)),
        ("not_before", record.not_before.map(ms)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    }
    for (name, value) in [
        ("state", s(record.state.word())),
        ("rank", n(record.state.rank())),
        ("attempt", n(record.attempt)),
        ("subject", s(record.subject.as_str())),
        ("purpose", s(record.purpose.word())),
        ("producer", s(record.producer.as_str())),
        ("accepted_at", ms(record.accepted_at)),
        ("expires_at", ms(record.expires_at)),
        ("day", s(record.day.to_string())),
        ("body", b(record.body.clone())),
        ("ttl", n(content_ttl(record.accepted_at))),
    ] {
        item.insert(name.to_owned(), value);
    }
    item
}

fn reference_of(item: &Item) -> Option<RecordRef> {
    let pk = item.text("pk")?.strip_prefix("O#")?.replace('#', ".");
    RecordRef::parse(&format!("{pk}.{}", item.text("sk")?))
}

fn attempt_of(item: &Item) -> u32 {
    let attempt = item.number("attempt").and_then(|a| u32::try_from(a).ok());
    attempt.unwrap_or(0)
}

fn seen_of(item: &Item) -> Option<Seen> {
    Some(Seen {
        ticket: Ticket {
            reference: reference_of(item)?,
            attempt: attempt_of(item),
            campaign: item.text("campaign").map(str::to_owned),
            recipient: SubjectId::parse(item.text("subject")?)
                .ok()?
                .as_str()
                .to_owned(),
            expires_at: item.time("expires_at")?,
            due: None,
        },
        state: State::from_word(item.text("state")?)?,
    })
}

fn record_of(item: &Item) -> Option<Record> {
    Some(Record {
        reference: reference_of(item)?,
        state: State::from_word(item.text("state")?)?,
        attempt: attempt_of(item),
        subject: SubjectId::parse(item.text("subject")?).ok()?,
        purpose: Purpose::from_word(item.text("purpose")?)?,
        campaign: item.text("campaign").map(str::to_owned),
        template: item.text("template").map(str::to_owned),
        consent_event: item.text("consent_event").map(str::to_owned),
        producer: item.text("producer").unwrap_or_default().to_owned(),
        accepted_at: item.time("accepted_at")?,
        not_before: item.time("not_before"),
        expires_at: item.time("expires_at")?,
        day: Day::parse(item.text("day")?).ok()?,
        body: item.bytes("body")?.to_vec(),
        reason: item.text("reason").map(str::to_owned),
    })
}

fn inbound_of(item: &Item) -> Option<Inbound> {
    Some(Inbound {
        reference: Pseudonym::parse(item.text("pk")?.strip_prefix("N#")?).ok()?,
        subject: SubjectId::parse(item.text("subject")?).ok()?,
        at: item.time("at")?,
        kind: item.text("kind")?.to_owned(),
        day: Day::parse(item.text("day")?).ok()?,
        body: item.bytes("body")?.to_vec(),
        done: item.flag("done"),
    })
}
