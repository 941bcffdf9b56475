//! Subjects: finding the person behind an identifier, and what is known of them.
//!
//! A row is found by pseudonym only. The number itself is a vault field; the consent state is in
//! clear, because it names nobody. Who an identifier leads to is `identifiers`', what becomes of people
//! whose identifiers change is `identity`'s.

pub(crate) mod asking;
mod calendar;
mod do_not_sell;
mod erasing;
mod health;
mod identifiers;
mod identity;
mod links;
mod pointers;
mod question;
mod renaming;
mod resealing;
mod restriction;

pub use calendar::Noted;
pub use erasing::{Group, Person};
pub use identifiers::Held;
pub use links::{LinkRequest, LinkRequests};
pub use pointers::Pointers;
pub use renaming::Renamed;
pub use resealing::{Cursor, Walked};

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::consent::{
    Consent, History, Kind as SaidKind, NoticeId, Said, State, Subject, Topic,
};
use headgate_domain::identity::{
    Bsuid, Identifier, Kind, Pepper, Phone, Pseudonym, SubjectId, pseudonym,
};
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::region::Country;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use std::collections::HashMap;

use crate::item::{Attributes, Item, b, batch_get, changed, key, ms, n, s};
use crate::keyring::{Keyring, KeyringError, Salt};
use crate::peppers::Peppers;
use crate::{Aws, AwsError};

/// The version of the pepper of message ids, which is not rotated: a name made with it lives for 90 days.
const PEPPER: u32 = 1;
/// The country of the number, and of the user id.
const PHONE_COUNTRY: &str = "phone_country";
const BSUID_COUNTRY: &str = "bsuid_country";

/// The subjects table.
#[derive(Clone)]
pub struct Subjects {
    client: aws_sdk_dynamodb::Client,
    table: String,
    keyring: Keyring,
    peppers: Peppers,
}

/// A consent request made on the opt-in page or by an import, waiting for the person's own message.
#[derive(Clone, Debug)]
pub struct ConsentRequest {
    /// For what: purposes as a whole, or topics of them.
    pub asks: Vec<(Purpose, Option<Topic>)>,
    /// The wording that was shown.
    pub notice: String,
    /// In which language.
    pub locale: String,
    /// When.
    pub requested_at: Timestamp,
}

impl Subjects {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str, keyring: Keyring, peppers: Peppers) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
            keyring,
            peppers,
        }
    }

    /// The keys that seal this table's fields.
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The pepper that identifiers are found by.
    pub const fn peppers(&self) -> &Peppers {
        &self.peppers
    }

    /// The names an identifier may be found by, the newest first.
    fn names(&self, identifier: &Identifier) -> Vec<String> {
        let names = self.peppers.pointers(identifier).into_iter();
        names.map(|name| name.as_str().to_owned()).collect()
    }

    /// Everything known about several subjects, with the salts to seal with, in two reads per
    /// hundred; who cannot be read or opened is absent. Under the id of a subject that another one
    /// stands for, that other one is found.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn load_all(
        &self,
        subjects: &[SubjectId],
    ) -> Result<HashMap<SubjectId, (Subject, Salt)>, KeyringError> {
        let mut wanted = subjects.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = wanted
            .iter()
            .map(|id| key(format!("S#{id}"), "S"))
            .collect();
        let (items, salts) = tokio::join!(
            batch_get(&self.client, &self.table, keys),
            self.keyring.salts(&wanted)
        );
        let mut salts = salts?;
        let mut loaded = HashMap::new();
        for item in items? {
            let Some(state) = state_of(&item) else {
                continue;
            };
            if let Some(other) = state.same_as {
                if let Some(found) = Box::pin(self.load_with_salt(&other)).await? {
                    loaded.insert(state.id, found);
                }
                continue;
            }
            let Some(salt) = salts.remove(&state.id) else {
                continue;
            };
            if let Ok(subject) = Box::pin(self.read(&item, &salt)).await {
                Box::pin(self.reseal_if_possible(&item, &salt)).await;
                loaded.insert(subject.id.clone(), (subject, salt));
            }
        }
        Ok(loaded)
    }

    /// Everything known about a subject, read consistently; `None` when there is no such person.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn load(&self, subject: &SubjectId) -> Result<Option<Subject>, KeyringError> {
        Ok(self
            .load_with_salt(subject)
            .await?
            .map(|(subject, _salt)| subject))
    }

    /// Everything known about a subject, or the one that stands for it, and the salt to seal with, in
    /// one round trip.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn load_with_salt(
        &self,
        subject: &SubjectId,
    ) -> Result<Option<(Subject, Salt)>, KeyringError> {
        let (item, salt) = tokio::join!(
            self.get(key(format!("S#{subject}"), "S")),
            self.keyring.salt(subject)
        );
        let Some(item) = item? else { return Ok(None) };
        if let Some(other) = state_of(&item).and_then(|state| state.same_as) {
            return Box::pin(self.load_with_salt(&other)).await;
        }
        let salt = salt?;
        let subject = Box::pin(self.read(&item, &salt)).await?;
        Box::pin(self.reseal_if_possible(&item, &salt)).await;
        Ok(Some((subject, salt)))
    }

    /// What the rules need about several subjects, without their numbers.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn states(&self, subjects: &[SubjectId]) -> Result<Vec<Subject>, AwsError> {
        SubjectStates {
            client: self.client.clone(),
            table: self.table.clone(),
        }
        .load(subjects)
        .await
    }

    async fn read(&self, item: &Item, salt: &Salt) -> Result<Subject, KeyringError> {
        let mut subject = state_of(item).ok_or(KeyringError::NoKey)?;
        let pk = format!("S#{}", subject.id);
        if let Some(text) = self.opened(item, salt, &pk, "phone").await? {
            subject.phone = Phone::parse(&text).ok();
        }
        if let Some(text) = self.opened(item, salt, &pk, "bsuid").await? {
            subject.bsuid = Bsuid::parse(&text).ok();
        }
        subject.reference = self.opened(item, salt, &pk, "ref").await?;
        let identity_key = self.opened(item, salt, &pk, identity::KEY).await?;
        subject.identity_key = identity_key.map(Personal::new);
        Ok(subject)
    }

    async fn opened(
        &self,
        item: &Item,
        salt: &Salt,
        pk: &str,
        field: &str,
    ) -> Result<Option<String>, KeyringError> {
        let Some(sealed) = item.bytes(field) else {
            return Ok(None);
        };
        let plain = self
            .keyring
            .open_vault(salt, &place(pk, field), sealed)
            .await?;
        Ok(String::from_utf8(plain.into_revealed()).ok())
    }

    /// Stores the app's own key of the person, sealed.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn put_reference(
        &self,
        subject: &SubjectId,
        reference: &str,
    ) -> Result<(), KeyringError> {
        let pk = format!("S#{subject}");
        let salt = self.keyring.salt(subject).await?;
        let sealed = self
            .keyring
            .seal_vault(&salt, &place(&pk, "ref"), reference.as_bytes())
            .await?;
        self.update(
            &pk,
            "SET #r = :r",
            &[("#r", "ref")],
            vec![(":r", b(sealed))],
        )
        .await?;
        Ok(())
    }

    /// Seals and stores what proves a ledger event.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn put_evidence(
        &self,
        subject: &SubjectId,
        ledger_event: &str,
        evidence: &[u8],
    ) -> Result<(), KeyringError> {
        let pk = format!("S#{subject}");
        let sk = format!("E#{ledger_event}");
        let salt = self.keyring.salt(subject).await?;
        let sealed = self
            .keyring
            .seal_vault(
                &salt,
                &Place {
                    table: "subjects",
                    key: &format!("{pk}/{sk}"),
                    field: "evidence",
                },
                evidence,
            )
            .await?;
        let mut item = key(pk, sk);
        item.insert("evidence".to_owned(), b(sealed));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map_err(|e| AwsError::of("PutItem", &e))?;
        Ok(())
    }

    /// Moves a consent from the state that was judged to a new one; `false` when somebody else moved it meanwhile.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_consent(
        &self,
        subject: &SubjectId,
        purpose: Purpose,
        topic: Option<&Topic>,
        judged: Option<&Consent>,
        new: &Consent,
    ) -> Result<bool, AwsError> {
        let value = consent_value(new);
        // Who is only asked and never answers is forgotten like anybody of whom nothing is known.
        let is_only_asked = matches!(new.state, State::Requested);
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("S#{subject}"), "S")))
            .update_expression(if is_only_asked {
                "SET #c = :c, #said = :said"
            } else {
                "SET #c = :c, #said = :said REMOVE #ttl"
            })
            .expression_attribute_names("#c", attribute(purpose, topic))
            .expression_attribute_names("#said", calendar::SAID)
            .expression_attribute_values(":c", value)
            .expression_attribute_values(":said", ms(new.at));
        if !is_only_asked {
            call = call.expression_attribute_names("#ttl", "ttl");
        }
        call = match judged {
            None => call.condition_expression("attribute_exists(pk) AND attribute_not_exists(#c)"),
            Some(judged) if judged.revision == 0 => call
                .condition_expression("#c.#event = :event AND attribute_not_exists(#c.#revision)")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_names("#event", "event")
                .expression_attribute_values(":event", s(judged.event.as_str())),
            Some(judged) => call
                .condition_expression("#c.#revision = :revision")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":revision", n(judged.revision)),
        };
        match call
            .send()
            .await
            .map_err(|e| AwsError::of("UpdateItem", &e))
        {
            Ok(_) => Ok(true),
            Err(e) if e.is("ConditionalCheckFailedException") => {
                // A retried call may meet its own write.
                let now = self.states(std::slice::from_ref(subject)).await?;
                Ok(now
                    .first()
                    .and_then(|s| s.consent_to(purpose, topic))
                    .is_some_and(|c| c == new))
            }
            Err(e) => Err(e),
        }
    }

    /// Notes that the person wrote: opens the service window.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_inbound(&self, subject: &SubjectId, at: Timestamp) -> Result<(), AwsError> {
        let update = self
            .row_of(subject)
            .update_expression("SET last_inbound_at = :at")
            .condition_expression("attribute_exists(pk) AND (attribute_not_exists(last_inbound_at) OR last_inbound_at < :at)")
            .expression_attribute_values(":at", ms(at));
        changed(update).await.map(drop)
    }

    /// Notes Meta's own marketing switch; the later of two notices wins.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_meta_stop(
        &self,
        subject: &SubjectId,
        stop: bool,
        at: Timestamp,
    ) -> Result<(), AwsError> {
        let update = self
            .row_of(subject)
            .update_expression("SET meta_stop = :stop, meta_stop_at = :at REMOVE #ttl")
            .condition_expression(if stop {
                // Of one second the stop counts.
                "attribute_exists(pk) AND (attribute_not_exists(meta_stop_at) OR meta_stop_at <= :at)"
            } else {
                "attribute_exists(pk) AND (attribute_not_exists(meta_stop_at) OR meta_stop_at < :at)"
            })
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":stop", AttributeValue::Bool(stop))
            .expression_attribute_values(":at", ms(at));
        changed(update).await.map(drop)
    }

    /// An update of a person's row.
    fn row_of(&self, subject: &SubjectId) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(format!("S#{subject}"), "S")))
    }

    async fn update(
        &self,
        pk: &str,
        expression: &str,
        names: &[(&str, &str)],
        values: Vec<(&str, AttributeValue)>,
    ) -> Result<(), AwsError> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(pk, "S")))
            .update_expression(expression)
            .condition_expression("attribute_exists(pk)");
        for (name, attribute) in names {
            call = call.expression_attribute_names(*name, *attribute);
        }
        for (name, value) in values {
            call = call.expression_attribute_values(name, value);
        }
        call.send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    async fn get(&self, wanted: Item) -> Result<Option<Item>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(wanted))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer.item)
    }

    /// Uses up a consent request by the hash of its code; `None` when unknown, used or expired, or
    /// another person's: what a file asks, it asks of one person.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn use_request(
        &self,
        code_hash: &str,
        who: &SubjectId,
        now: Timestamp,
        by: &str,
    ) -> Result<Option<ConsentRequest>, KeyringError> {
        let requests = ConsentRequests {
            client: self.client.clone(),
            table: self.table.clone(),
        };
        let Some(item) = requests.redeem(code_hash, who, now, by).await? else {
            return Ok(None);
        };
        erasing::note_about(&self.client, &self.table, who, &format!("R#{code_hash}")).await?;
        let notice = if item.bytes("notice").is_some() {
            let salt = self.keyring.salt(who).await?;
            let pk = format!("R#{code_hash}");
            self.opened(&item, &salt, &pk, "notice").await?
        } else {
            item.text("notice").map(str::to_owned)
        };
        let (Some(notice), Some(locale)) = (notice, item.text("locale")) else {
            return Ok(None);
        };
        let words = item.set("purposes").iter();
        Ok(Some(ConsentRequest {
            asks: words.filter_map(|word| ask_of(word)).collect(),
            notice,
            locale: locale.to_owned(),
            requested_at: item.time("requested_at").unwrap_or(now),
        }))
    }
}

/// The consent states alone, for the sender: it needs no pepper and opens no number.
#[derive(Clone)]
pub struct SubjectStates {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl SubjectStates {
    /// The states in the subjects table.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// What the rules need about several subjects, consistently, in one read per hundred. Of a subject
    /// that another one stands for, it is the state of that other one, under the id that was asked for.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn load(&self, subjects: &[SubjectId]) -> Result<Vec<Subject>, AwsError> {
        let mut states = self.rows(subjects).await?;
        let others: Vec<SubjectId> = states.iter().filter_map(|s| s.same_as.clone()).collect();
        if others.is_empty() {
            return Ok(states);
        }
        let standing = self.rows(&others).await?;
        for state in &mut states {
            let other = state.same_as.clone();
            if let Some(found) = standing.iter().find(|s| Some(&s.id) == other.as_ref()) {
                *state = Subject {
                    id: state.id.clone(),
                    same_as: other,
                    ..found.clone()
                };
            }
        }
        Ok(states)
    }

    async fn rows(&self, subjects: &[SubjectId]) -> Result<Vec<Subject>, AwsError> {
        let mut wanted = subjects.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = wanted
            .iter()
            .map(|id| key(format!("S#{id}"), "S"))
            .collect();
        let items = batch_get(&self.client, &self.table, keys).await?;
        Ok(items.iter().filter_map(state_of).collect())
    }
}

impl SubjectStates {
    /// What was sealed as the proof of a ledger event; `None` when there is none.
    ///
    /// # Errors
    /// [`KeyringError`] when it does not open: the person was erased, or this role may not use the keys.
    pub async fn evidence(
        &self,
        keyring: &Keyring,
        subject: &SubjectId,
        ledger_event: &str,
    ) -> Result<Option<Personal<Vec<u8>>>, KeyringError> {
        let (pk, sk) = (format!("S#{subject}"), format!("E#{ledger_event}"));
        let items = batch_get(&self.client, &self.table, vec![key(&pk, &sk)]).await?;
        let Some(sealed) = items.first().and_then(|item| item.bytes("evidence")) else {
            return Ok(None);
        };
        let salt = keyring.salt(subject).await?;
        let place = Place {
            table: "subjects",
            key: &format!("{pk}/{sk}"),
            field: "evidence",
        };
        keyring.open_vault(&salt, &place, sealed).await.map(Some)
    }
}

/// The consent requests, which need no keys: they name nobody.
#[derive(Clone)]
pub struct ConsentRequests {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl ConsentRequests {
    /// The requests in the subjects table.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// Stores a request under the hash of its code.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put(
        &self,
        code_hash: &str,
        request: &ConsentRequest,
        expires_at: Timestamp,
    ) -> Result<(), AwsError> {
        let mut item = request_key(code_hash);
        item.insert("purposes".to_owned(), asks_value(&request.asks));
        item.insert("notice".to_owned(), s(request.notice.as_str()));
        item.insert("locale".to_owned(), s(request.locale.as_str()));
        item.insert("requested_at".to_owned(), ms(request.requested_at));
        item.insert("ttl".to_owned(), n(expires_at.seconds()));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// `by` names the message that redeems, so that its redelivery redeems again and nobody else's does.
    async fn redeem(
        &self,
        code_hash: &str,
        who: &SubjectId,
        now: Timestamp,
        by: &str,
    ) -> Result<Option<Item>, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(request_key(code_hash)))
            .update_expression("SET used_by = :by")
            .condition_expression("attribute_exists(pk) AND (attribute_not_exists(used_by) OR used_by = :by) AND (attribute_not_exists(subject) OR subject = :who) AND #ttl > :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":by", s(by))
            .expression_attribute_values(":who", s(who.as_str()))
            .expression_attribute_values(":now", n(now.seconds()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
            .send()
            .await;
        match answer.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Ok(answer) => Ok(answer.attributes),
            Err(e) if e.is("ConditionalCheckFailedException") => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// What a request asks for, a word for each: the purpose, and the topic behind `#`.
fn asks_value(asks: &[(Purpose, Option<Topic>)]) -> AttributeValue {
    let word = |(purpose, topic): &(Purpose, Option<Topic>)| match topic {
        None => purpose.word().to_owned(),
        Some(topic) => format!("{purpose}#{topic}"),
    };
    AttributeValue::Ss(asks.iter().map(word).collect())
}

/// What a word asks for; a topic that cannot be read must not turn into all of its purpose.
fn ask_of(word: &str) -> Option<(Purpose, Option<Topic>)> {
    match word.split_once('#') {
        None => Some((Purpose::from_word(word)?, None)),
        Some((purpose, topic)) => Some((
            Purpose::from_word(purpose)?,
            Some(Topic::parse(topic).ok()?),
        )),
    }
}

fn request_key(code_hash: &str) -> Item {
    key(format!("R#{code_hash}"), "R")
}

/// The pseudonym of a wamid, under the message-ref pepper.
pub fn message_pseudonym(
    pepper: &Pepper,
    deployment: &str,
    wamid: &headgate_domain::identity::Wamid,
) -> Pseudonym {
    pseudonym(pepper, Kind::Message, PEPPER, deployment, wamid.reveal())
}

const fn field_of(identifier: &Identifier) -> &'static str {
    match identifier {
        Identifier::Phone(_) => "phone",
        Identifier::Bsuid(_) => "bsuid",
    }
}

/// Where the country of an identifier is, in clear: which law holds is asked by whoever opens no number.
const fn country_field(identifier: &Identifier) -> &'static str {
    match identifier {
        Identifier::Phone(_) => PHONE_COUNTRY,
        Identifier::Bsuid(_) => BSUID_COUNTRY,
    }
}

const fn place<'a>(pk: &'a str, field: &'a str) -> Place<'a> {
    Place {
        table: "subjects",
        key: pk,
        field,
    }
}

fn state_of(item: &Item) -> Option<Subject> {
    let id = SubjectId::parse(item.text("pk")?.strip_prefix("S#")?).ok()?;
    let mut subject = Subject::unknown(id);
    subject.consents =
        PURPOSES.map(|purpose| consent_of(item.get(&attribute(purpose, None))?.as_m().ok()?));
    subject.topics = topics_of(item);
    // The number first, as messages go to it.
    let country = |field| Country::parse(item.text(field)?).ok();
    subject.country_on_record = country(PHONE_COUNTRY).or_else(|| country(BSUID_COUNTRY));
    subject.last_inbound_at = item.time("last_inbound_at");
    subject.created_at = item.time("created_at");
    subject.meta_stop = item.flag("meta_stop");
    subject.health = health::health_of(item);
    identity::read(item, &mut subject);
    subject.asked = question::read(item);
    subject.do_not_sell = do_not_sell::read(item);
    subject.restricted_at = item.time(restriction::AT);
    Some(subject)
}

/// The attribute that holds a consent: of a purpose, or of one topic of it.
fn attribute(purpose: Purpose, topic: Option<&Topic>) -> String {
    match topic {
        None => format!("c_{purpose}"),
        Some(topic) => format!("c_{purpose}#{topic}"),
    }
}

fn topics_of(item: &Item) -> Vec<(Purpose, Topic, Consent)> {
    let mut topics: Vec<_> = item
        .iter()
        .filter_map(|(name, value)| {
            let (purpose, topic) = name.strip_prefix("c_")?.split_once('#')?;
            Some((
                Purpose::from_word(purpose)?,
                Topic::parse(topic).ok()?,
                consent_of(value.as_m().ok()?)?,
            ))
        })
        .collect();
    topics.sort_unstable_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    topics
}

fn consent_of(map: &Item) -> Option<Consent> {
    let mut consent = Consent::alone(
        State::from_word(map.text("state")?),
        map.time("at")?,
        map.text("event")?,
        map.text("method")?,
    );
    if let Some(said) = map.get("history").and_then(|value| value.as_m().ok()) {
        consent.history = history_of(said);
        let revision = map.number("revision").and_then(|n| n.try_into().ok());
        consent.revision = revision.unwrap_or_default();
    }
    Some(consent)
}

fn history_of(map: &Item) -> History {
    let mut history = History::default();
    for kind in SaidKind::ALL {
        let Some(said) = map.get(kind.word()).and_then(|value| value.as_m().ok()) else {
            continue;
        };
        if let (Some(at), Some(method)) = (said.time("at"), said.text("method")) {
            let said = Said {
                at,
                event: said.text("event").map(str::to_owned),
                method: method.to_owned(),
                evidence: said.text("evidence").map(str::to_owned),
                notice: said.text("notice").and_then(|id| NoticeId::parse(id).ok()),
                asked_at: said.time("asked_at"),
            };
            history.take(kind, said);
        }
    }
    history
}

fn consent_value(consent: &Consent) -> AttributeValue {
    let mut history = Item::new();
    for kind in SaidKind::ALL {
        let Some(said) = consent.history.latest(kind) else {
            continue;
        };
        let mut map = Item::from([
            ("at".to_owned(), ms(said.at)),
            ("method".to_owned(), s(said.method.as_str())),
        ]);
        let optional = [
            ("event", said.event.as_deref()),
            ("evidence", said.evidence.as_deref()),
            ("notice", said.notice.as_ref().map(NoticeId::as_str)),
        ];
        for (name, text) in optional {
            if let Some(text) = text {
                map.insert(name.to_owned(), s(text));
            }
        }
        if let Some(asked_at) = said.asked_at {
            map.insert("asked_at".to_owned(), ms(asked_at));
        }
        history.insert(kind.word().to_owned(), AttributeValue::M(map));
    }
    AttributeValue::M(Item::from([
        ("state".to_owned(), s(consent.state.word())),
        ("at".to_owned(), ms(consent.at)),
        ("event".to_owned(), s(consent.event.as_str())),
        ("method".to_owned(), s(consent.method.as_str())),
        ("history".to_owned(), AttributeValue::M(history)),
        ("revision".to_owned(), n(consent.revision)),
    ]))
}
