//! Asking many people at once: rows of people of whom nothing was known, and the requests that wait for
//! their own messages.
//!
//! Everything here is a transaction with conditions: who is found to be known meanwhile, or to have said
//! something, is left alone, and the caller looks again.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use futures_util::future::try_join_all;
use headgate_domain::consent::{Consent, Topic};
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::region::Country;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;

use super::erasing::ABOUT;
use super::identifiers::UNKNOWN_TTL_MS;
use super::{
    Subjects, ask_of, asks_value, attribute, calendar, consent_value, country_field, place,
    request_key,
};
use crate::item::{Attributes, Item, b, batch_get, key, ms, n, s, transact};
use crate::keyring::{KeyringError, Salt, Salts};
use crate::{AwsError, random};

/// A transaction takes a hundred items. A new person has six at most: pointer, that there is no other, row, calendar,
/// two salts.
const NEW_PER_TRANSACTION: usize = 16;
/// Who is asked has the row, a request, and the proof of each thing they are asked for.
const ASKED_PER_TRANSACTION: usize = 100;

/// What is asked of a person for one purpose, or one topic of it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) purpose: Purpose,
    pub(crate) topic: Option<Topic>,
    /// Where the person stood when it was decided to ask.
    pub(crate) judged: Option<Consent>,
    /// Where they stand once asked, with the ledger event that proves it.
    pub(crate) new: Consent,
    /// What proves it; sealed here.
    pub(crate) evidence: Vec<u8>,
}

/// A request that waits, without its wording.
#[derive(Clone, Debug)]
pub(crate) struct Requested {
    /// Whose answer it waits for.
    pub(crate) subject: SubjectId,
    /// What it asks for.
    pub(crate) asks: Vec<(Purpose, Option<Topic>)>,
    /// Whether the business has shown a record of an earlier yes.
    pub(crate) is_attested: bool,
    /// Whether it was answered.
    pub(crate) is_used: bool,
    /// Until when it waits.
    pub(crate) expires_at: Timestamp,
}

/// A person and what they are asked.
pub(crate) struct Asking<'a> {
    pub(crate) subject: &'a SubjectId,
    pub(crate) salt: &'a Salt,
    pub(crate) code_hash: &'a str,
    pub(crate) asked: Vec<Asked>,
    pub(crate) notice: &'a str,
    pub(crate) locale: &'a str,
    pub(crate) reference: Option<&'a str>,
    /// Whether the business has shown a record of an earlier yes.
    pub(crate) is_attested: bool,
    pub(crate) expires_at: Timestamp,
}

impl Subjects {
    /// The purposes of the requests that exist under some codes, in one read per hundred.
    pub(crate) async fn requests(
        &self,
        code_hashes: &[&str],
    ) -> Result<HashMap<String, Vec<Purpose>>, AwsError> {
        let keys = code_hashes.iter().map(|hash| request_key(hash)).collect();
        let items = batch_get(&self.client, &self.table, keys).await?;
        Ok(items
            .iter()
            .filter_map(|item| {
                let hash = item.text("pk")?.strip_prefix("R#")?.to_owned();
                let words = item.set("purposes").iter();
                let mut purposes: Vec<Purpose> = words.filter_map(|w| Some(ask_of(w)?.0)).collect();
                purposes.sort_unstable();
                purposes.dedup();
                Some((hash, purposes))
            })
            .collect())
    }

    /// The requests of people that exist under some codes, answered or not.
    pub(crate) async fn requested(
        &self,
        code_hashes: &[&str],
    ) -> Result<HashMap<String, Requested>, AwsError> {
        let keys = code_hashes.iter().map(|hash| request_key(hash)).collect();
        let items = batch_get(&self.client, &self.table, keys).await?;
        let read = |item: &Item| {
            let hash = item.text("pk")?.strip_prefix("R#")?.to_owned();
            let words = item.set("purposes").iter();
            let request = Requested {
                subject: SubjectId::parse(item.text("subject")?).ok()?,
                asks: words.filter_map(|word| ask_of(word)).collect(),
                is_attested: item.flag("attested"),
                is_used: item.text("used_by").is_some(),
                expires_at: Timestamp::from_seconds(item.number("ttl")?),
            };
            Some((hash, request))
        };
        Ok(items.iter().filter_map(read).collect())
    }

    /// Makes a subject for each number; one that has a subject by now leads to that one.
    pub(crate) async fn create_all(
        &self,
        phones: &[&Phone],
        now: Timestamp,
    ) -> Result<HashMap<Phone, (SubjectId, Salts)>, KeyringError> {
        let blocks = phones
            .chunks(NEW_PER_TRANSACTION)
            .map(|block| Box::pin(self.create_block(block, now)));
        let made = try_join_all(blocks).await?;
        Ok(made.into_iter().flatten().collect())
    }

    async fn create_block(
        &self,
        phones: &[&Phone],
        now: Timestamp,
    ) -> Result<Vec<(Phone, (SubjectId, Salts))>, KeyringError> {
        let mut made = Vec::with_capacity(phones.len());
        let mut items = Vec::with_capacity(phones.len().saturating_mul(6));
        for phone in phones {
            let subject = SubjectId::from_random(random::<16>()?);
            let salts = Salts::random()?;
            items.extend(self.new_person(&subject, phone, &salts, now).await?);
            made.push(((*phone).clone(), (subject, salts)));
        }
        if transact(&self.client, items).await? {
            return Ok(made);
        }
        // Somebody of them was met by another way meanwhile: one by one, as everywhere else.
        let mut found = Vec::with_capacity(phones.len());
        for phone in phones {
            let identifier = Identifier::Phone((*phone).clone());
            let subject = self
                .find_or_create(std::slice::from_ref(&identifier), now)
                .await?;
            let salts = self.keyring.both_salts(&subject).await?;
            found.push(((*phone).clone(), (subject, salts)));
        }
        Ok(found)
    }

    async fn new_person(
        &self,
        subject: &SubjectId,
        phone: &Phone,
        salts: &Salts,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, KeyringError> {
        let identifier = Identifier::Phone(phone.clone());
        let pk = format!("S#{subject}");
        let sealed = self
            .keyring
            .seal_vault(
                &salts.vault,
                &place(&pk, "phone"),
                phone.reveal().as_bytes(),
            )
            .await?;
        // Whoever has a pointer since it was looked for is found by the conditions.
        let pointer = self.new_pointer(&identifier);
        let names = vec![pointer.name().to_owned()];
        let mut row = key(&pk, "S");
        row.insert("phone".to_owned(), b(sealed));
        if let Some(country) = Country::of(&identifier) {
            row.insert(country_field(&identifier).to_owned(), s(country.as_str()));
        }
        row.insert("idents".to_owned(), AttributeValue::Ss(names.clone()));
        row.insert("created_at".to_owned(), ms(now));
        // Who never answers is forgotten like anybody of whom nothing but a number is known.
        let forgotten_at = now.plus_millis(UNKNOWN_TTL_MS);
        row.insert("ttl".to_owned(), n(forgotten_at.seconds()));
        let (calendar, noted) = calendar::noted(subject, names, forgotten_at);
        row.insert(ABOUT.to_owned(), AttributeValue::Ss(vec![calendar]));
        let update = Update::builder()
            .update_expression("SET subject = :s")
            .expression_attribute_values(":s", s(subject.as_str()));
        let led = self.pointer_update(&pointer, update, "attribute_not_exists(subject)")?;
        let mut items = vec![
            TransactWriteItem::builder().update(led).build(),
            put_new(&self.table, row)?,
            put_new(&self.table, noted)?,
        ];
        items.extend(self.pointer_absent(&pointer)?);
        for salt in salts.items(subject) {
            items.push(put_new(self.keyring.table(), salt)?);
        }
        Ok(items)
    }

    /// Asks people, each in whole or not; `false` for who has said something since it was decided to ask.
    pub(crate) async fn ask_all(&self, people: &[Asking<'_>]) -> Result<Vec<bool>, KeyringError> {
        let blocks = blocks(people)
            .into_iter()
            .map(|block| Box::pin(self.ask_block(block)));
        Ok(try_join_all(blocks).await?.concat())
    }

    async fn ask_block(&self, people: &[Asking<'_>]) -> Result<Vec<bool>, KeyringError> {
        let mut items = Vec::new();
        for person in people {
            items.extend(self.asking(person).await?);
        }
        if transact(&self.client, items).await? {
            return Ok(vec![true; people.len()]);
        }
        let mut asked = Vec::with_capacity(people.len());
        for person in people {
            asked.push(transact(&self.client, self.asking(person).await?).await?);
        }
        Ok(asked)
    }

    async fn asking(&self, person: &Asking<'_>) -> Result<Vec<TransactWriteItem>, KeyringError> {
        let pk = format!("S#{}", person.subject);
        let mut set = Vec::new();
        let mut conditions = vec!["attribute_exists(pk)".to_owned()];
        let mut row = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&pk, "S")));
        let mut items = Vec::new();
        for (index, asked) in person.asked.iter().enumerate() {
            let name = attribute(asked.purpose, asked.topic.as_ref());
            set.push(format!("#c{index} = :c{index}"));
            row = row
                .expression_attribute_names(format!("#c{index}"), name)
                .expression_attribute_values(format!(":c{index}"), consent_value(&asked.new));
            if let Some(judged) = &asked.judged {
                conditions.push(format!("#c{index}.#revision = :r{index}"));
                row = row
                    .expression_attribute_names("#revision", "revision")
                    .expression_attribute_values(format!(":r{index}"), n(judged.revision));
            } else {
                conditions.push(format!("attribute_not_exists(#c{index})"));
            }
            let proof = format!("E#{}", asked.new.event);
            let evidence = Place {
                table: "subjects",
                key: &format!("{pk}/{proof}"),
                field: "evidence",
            };
            let sealed = self
                .keyring
                .seal_vault(person.salt, &evidence, &asked.evidence)
                .await?;
            let mut item = key(&pk, proof);
            item.insert("evidence".to_owned(), b(sealed));
            items.push(put_new(&self.table, item)?);
        }
        if let Some(reference) = person.reference {
            let sealed = self
                .keyring
                .seal_vault(person.salt, &place(&pk, "ref"), reference.as_bytes())
                .await?;
            set.push("#ref = :ref".to_owned());
            row = row
                .expression_attribute_names("#ref", "ref")
                .expression_attribute_values(":ref", b(sealed));
        }
        let request = AttributeValue::Ss(vec![format!("R#{}", person.code_hash)]);
        let row = row
            .update_expression(format!("SET {} ADD #about :request", set.join(", ")))
            .expression_attribute_names("#about", ABOUT)
            .expression_attribute_values(":request", request)
            .condition_expression(conditions.join(" AND "))
            .build()
            .map_err(|_build| unbuilt())?;
        items.push(TransactWriteItem::builder().update(row).build());
        items.push(put_new(&self.table, self.request(person).await?)?);
        Ok(items)
    }

    /// The request that waits for the person. Its wording came out of a file, so it is sealed.
    async fn request(&self, person: &Asking<'_>) -> Result<Item, KeyringError> {
        let mut item = request_key(person.code_hash);
        let pk = format!("R#{}", person.code_hash);
        let notice = self
            .keyring
            .seal_vault(person.salt, &place(&pk, "notice"), person.notice.as_bytes())
            .await?;
        let asks = person.asked.iter().map(|a| (a.purpose, a.topic.clone()));
        let asks: Vec<(Purpose, Option<Topic>)> = asks.collect();
        item.insert("purposes".to_owned(), asks_value(&asks));
        if person.is_attested {
            item.insert("attested".to_owned(), AttributeValue::Bool(true));
        }
        item.insert("notice".to_owned(), b(notice));
        item.insert("locale".to_owned(), s(person.locale));
        item.insert("subject".to_owned(), s(person.subject.as_str()));
        let asked_at = person.asked.iter().map(|a| a.new.at).max();
        item.insert("requested_at".to_owned(), ms(asked_at.unwrap_or_default()));
        item.insert("ttl".to_owned(), n(person.expires_at.seconds()));
        Ok(item)
    }
}

/// The people in transactions of as many as one takes.
fn blocks<'a, 'b>(people: &'b [Asking<'a>]) -> Vec<&'b [Asking<'a>]> {
    let mut blocks = Vec::new();
    let (mut start, mut items) = (0_usize, 0_usize);
    for (index, person) in people.iter().enumerate() {
        let needed = person.asked.len().saturating_add(2);
        if items.saturating_add(needed) > ASKED_PER_TRANSACTION {
            blocks.extend(people.get(start..index));
            (start, items) = (index, 0);
        }
        items = items.saturating_add(needed);
    }
    blocks.extend(people.get(start..).filter(|rest| !rest.is_empty()));
    blocks
}

fn put_new(table: &str, item: Item) -> Result<TransactWriteItem, AwsError> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .map_err(|_build| unbuilt())?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn unbuilt() -> AwsError {
    AwsError::new("TransactWriteItems", "request not built")
}
