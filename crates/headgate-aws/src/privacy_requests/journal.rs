//! The journal of erasures: written before anything is destroyed, so that whatever is cut off goes on, and kept for
//! as long as a backup could bring anything back.
//!
//! What leads to the person (their random ids, the pseudonyms) and what says that they are not to be written to
//! stand in different rows without anything in common: the suppression list stays a namespace of its own.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::ledger::{Commitment, Hash};
use headgate_domain::privacy::{JOURNAL_MS, RequestId, Store};
use headgate_domain::time::Timestamp;

use super::PrivacyRequests;
use crate::AwsError;
use crate::item::{Attributes, Item, all, key, ms, n, partition, put_if_new, s, taken};
use crate::subjects::Group;

const ERASED: &str = "erased";
const TOMBSTONES: &str = "tombstones";

/// An erasure that was begun, and must be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The request.
    pub request: RequestId,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// Every name of the person.
    pub group: Group,
    /// How many rows each store had when it was begun.
    pub found: Vec<(Store, u64)>,
    /// The hashes of the salts.
    pub salts: Vec<Hash>,
    /// What the ledger calls them, and the event that says that they were erased.
    pub ledger: Vec<(Commitment, String)>,
}

/// A key on the suppression list, to be put back after a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The key.
    pub key: Pseudonym,
    /// Since when.
    pub at: Timestamp,
}

impl PrivacyRequests {
    /// Writes an entry down; the first one stays, and is what is answered.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_entry(&self, entry: &Entry) -> Result<Entry, AwsError> {
        let stands = put_if_new(&self.client, &self.table, written(entry)).await?;
        let stands = stands.as_ref().and_then(read);
        Ok(stands.unwrap_or_else(|| entry.clone()))
    }

    /// Writes down more names of the person, and the salts that go with them.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn widen_entry(&self, entry: &Entry) -> Result<(), AwsError> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(ERASED, entry.request.as_str())))
            .update_expression(
                "SET #subjects = :subjects, #pseudonyms = :pseudonyms, #rows = :rows, #salts = :salts",
            )
            .condition_expression("attribute_exists(pk)");
        let item = written(entry);
        for name in ["subjects", "pseudonyms", "rows", "salts"] {
            call = call.expression_attribute_names(format!("#{name}"), name);
            if let Some(value) = item.get(name) {
                call = call.expression_attribute_values(format!(":{name}"), value.clone());
            }
        }
        let update = call.send().await;
        update
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    /// Writes down that the ledger says so; what was written first stays, and is what is answered.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_ledger(
        &self,
        request: &RequestId,
        ledger: &[(Commitment, String)],
    ) -> Result<Vec<(Commitment, String)>, AwsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(ERASED, request.as_str())))
            .update_expression("SET ledger = :ledger")
            .condition_expression("attribute_exists(pk) AND size(ledger) = :none")
            .expression_attribute_values(":ledger", pairs(ledger))
            .expression_attribute_values(":none", n(0))
            .send()
            .await;
        taken(answer.map_err(|e| AwsError::of("UpdateItem", &e)))?;
        let entry = self.entry(request).await?;
        Ok(entry.map(|entry| entry.ledger).unwrap_or_default())
    }

    /// The entry of a request.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn entry(&self, request: &RequestId) -> Result<Option<Entry>, AwsError> {
        let item = self.get(key(ERASED, request.as_str())).await?;
        Ok(item.as_ref().and_then(read))
    }

    /// Keeps a key of the suppression list beside the list.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_tombstone(&self, tombstone: &Tombstone) -> Result<(), AwsError> {
        let mut item = key(TOMBSTONES, tombstone.key.as_str());
        item.insert("at".to_owned(), ms(tombstone.at));
        item.insert("ttl".to_owned(), ttl(tombstone.at));
        let put = self.client.put_item().table_name(&self.table);
        put.set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// Every erasure that a backup could bring back, and every key of the list with it.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn journal(&self) -> Result<(Vec<Tombstone>, Vec<Entry>), AwsError> {
        let tombstone = |item: &Item| {
            Some(Tombstone {
                key: Pseudonym::parse(item.text("sk")?).ok()?,
                at: item.time("at")?,
            })
        };
        let tombstones = self.all(TOMBSTONES).await?;
        let entries = self.all(ERASED).await?;
        Ok((
            tombstones.iter().filter_map(tombstone).collect(),
            entries.iter().filter_map(read).collect(),
        ))
    }

    pub(super) async fn all(&self, pk: &str) -> Result<Vec<Item>, AwsError> {
        all(partition(&self.client, &self.table, pk)).await
    }
}

fn ttl(at: Timestamp) -> AttributeValue {
    n(at.plus_millis(JOURNAL_MS).seconds())
}

fn texts(texts: impl Iterator<Item = String>) -> AttributeValue {
    AttributeValue::L(texts.map(s).collect())
}

fn pairs(ledger: &[(Commitment, String)]) -> AttributeValue {
    let pairs = ledger.iter();
    texts(pairs.map(|(commitment, event)| format!("{} {event}", commitment.as_str())))
}

fn written(entry: &Entry) -> Item {
    let mut item = key(ERASED, entry.request.as_str());
    let group = &entry.group;
    let subjects = group.subjects.iter().map(SubjectId::to_string);
    item.insert("subjects".to_owned(), texts(subjects));
    item.insert(
        "pseudonyms".to_owned(),
        texts(group.pseudonyms.iter().cloned()),
    );
    item.insert("rows".to_owned(), texts(group.rows.iter().cloned()));
    let found = entry.found.iter();
    let found = found.map(|(store, rows)| (store.word().to_owned(), n(rows)));
    item.insert("found".to_owned(), AttributeValue::M(found.collect()));
    let salts = entry.salts.iter().map(Hash::to_string);
    item.insert("salts".to_owned(), texts(salts));
    item.insert("ledger".to_owned(), pairs(&entry.ledger));
    item.insert("begun_at".to_owned(), ms(entry.begun_at));
    item.insert("ttl".to_owned(), ttl(entry.begun_at));
    item
}

fn listed<'a>(item: &'a Item, name: &str) -> impl Iterator<Item = &'a str> {
    let list = item.get(name).and_then(|value| value.as_l().ok());
    let texts = list.into_iter().flatten();
    texts.filter_map(|value| value.as_s().ok().map(String::as_str))
}

fn read(item: &Item) -> Option<Entry> {
    let found = item.get("found")?.as_m().ok()?;
    let rows = |store: Store| Some((store, u64::try_from(found.number(store.word())?).ok()?));
    let ledger = listed(item, "ledger").filter_map(|pair| {
        let (commitment, event) = pair.split_once(' ')?;
        Some((Commitment::parse(commitment).ok()?, event.to_owned()))
    });
    Some(Entry {
        request: RequestId::parse(item.text("sk")?).ok()?,
        begun_at: item.time("begun_at")?,
        group: Group {
            subjects: listed(item, "subjects")
                .filter_map(|id| SubjectId::parse(id).ok())
                .collect(),
            pseudonyms: listed(item, "pseudonyms").map(str::to_owned).collect(),
            rows: listed(item, "rows").map(str::to_owned).collect(),
        },
        found: Store::ALL.into_iter().filter_map(rows).collect(),
        salts: listed(item, "salts")
            .filter_map(|hash| Hash::parse(hash).ok())
            .collect(),
        ledger: ledger.collect(),
    })
}
