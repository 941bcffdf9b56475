//! Evidence: what was done to keep a promise, kept for an auditor.

mod held;

pub use held::{Held, held_place_key};

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::ledger::Hash;
use headgate_domain::privacy::{RECEIPT_DAYS, RequestId};
use headgate_domain::record::is_number_id;
use headgate_domain::retention::{Destroyed, KeyName};
use headgate_domain::time::Timestamp;

use crate::controls::Controls;
use crate::item::{Attributes, key, n, put_if_new, s};
use crate::{Aws, AwsError};

/// Where the manifests stand, by number.
const PURGE: &str = "purge";
/// Where the receipts of erasures stand, by request.
const ERASURE: &str = "erasure";
/// The one item that says which purge has no evidence yet.
const OPEN: &str = "purge#open";
/// The one item that says which numbers ever had an outbox.
const NUMBERS: &str = "purge#numbers";

/// What a purge is about to do to keys, and has no evidence of yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenPurge {
    /// Keys that are made.
    pub mint: Vec<KeyName>,
    /// Keys that are destroyed.
    pub destroy: Vec<Destroyed>,
}

impl OpenPurge {
    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.mint.is_empty() && self.destroy.is_empty()
    }
}

/// The evidence table.
#[derive(Clone)]
pub struct Evidence {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Evidence {
    /// The table of a name.
    pub fn new(aws: &Aws, table: &str) -> Self {
        Self {
            client: aws.dynamodb(),
            table: table.to_owned(),
        }
    }

    /// The signed note of a purge manifest; `None` when there is none of this number.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn purge(&self, number: u64) -> Result<Option<String>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(PURGE, place(number))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let item = answer.item.as_ref();
        Ok(item.and_then(|item| item.text("note")).map(str::to_owned))
    }

    /// The number and the note of the newest manifest; `None` before the first.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn newest_purge(&self) -> Result<Option<(u64, String)>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(PURGE))
            .scan_index_forward(false)
            .limit(1)
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        let items = answer.items.unwrap_or_default();
        Ok(items.first().and_then(|item| {
            let number = item.text("sk")?.parse().ok()?;
            Some((number, item.text("note")?.to_owned()))
        }))
    }

    /// Keeps the note of a manifest under its number; `false` when another run has taken the number.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_purge(&self, number: u64, note: &str) -> Result<bool, AwsError> {
        let mut item = key(PURGE, place(number));
        item.insert("note".to_owned(), s(note));
        let taken = put_if_new(&self.client, &self.table, item).await?;
        // A call that is repeated after its answer was lost finds its own.
        Ok(taken.is_none_or(|taken| taken.text("note") == Some(note)))
    }

    /// Keeps the receipt of an erasure, as long as one is kept; the first one stays, and is what is answered.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_receipt(
        &self,
        request: &RequestId,
        note: &str,
        now: Timestamp,
    ) -> Result<String, AwsError> {
        let mut item = key(ERASURE, request.as_str());
        item.insert("note".to_owned(), s(note));
        let until = now.day().plus(RECEIPT_DAYS).start();
        item.insert("ttl".to_owned(), n(until.seconds()));
        let stands = put_if_new(&self.client, &self.table, item).await?;
        let stands = stands.as_ref().and_then(|item| item.text("note"));
        Ok(stands.unwrap_or(note).to_owned())
    }

    /// Notes which keys are about to be made and destroyed, before they are: a run that ends before its evidence is
    /// thereby caught up by the next one. Empty: nothing is open.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_open_purge(&self, open: &OpenPurge) -> Result<(), AwsError> {
        let mut item = key(OPEN, OPEN);
        let destroy = open
            .destroy
            .iter()
            .map(|Destroyed { name, hash }| match hash {
                Some(hash) => format!("{name}:{hash}"),
                None => name.to_string(),
            });
        let mint = open.mint.iter().map(|name| format!("+{name}"));
        let words: Vec<String> = destroy.chain(mint).collect();
        item.insert("manifest".to_owned(), s(words.join(" ")));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }

    /// The keys of a purge that has no evidence yet; words that are none are passed over.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn open_purge(&self) -> Result<OpenPurge, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(OPEN, OPEN)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let keys = answer
            .item
            .as_ref()
            .and_then(|item| item.text("manifest"))
            .unwrap_or_default();
        let mut open = OpenPurge::default();
        for word in keys.split_whitespace() {
            if let Some(name) = word.strip_prefix('+') {
                open.mint.extend(KeyName::parse(name));
                continue;
            }
            let (name, hash) = word
                .split_once(':')
                .map_or((word, None), |(name, hash)| (name, Some(hash)));
            open.destroy
                .extend(KeyName::parse(name).map(|name| Destroyed {
                    name,
                    hash: hash.and_then(|hash| Hash::parse(hash).ok()),
                }));
        }
        Ok(open)
    }

    /// The numbers whose outbox was ever swept: one that leaves the configuration still has rows there.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn swept_numbers(&self) -> Result<BTreeSet<String>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(NUMBERS, NUMBERS)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        let item = answer.item.as_ref();
        let numbers = item.map_or(&[][..], |item| item.set("numbers"));
        Ok(numbers.iter().cloned().collect())
    }

    /// The numbers that have an outbox: those of the configuration, those that anything is known of, and those of
    /// any earlier sweep, because what a number leaves behind when it leaves the configuration is due all the
    /// same. Beside them, whether some are not remembered yet.
    ///
    /// # Errors
    /// [`AwsError`] when a table cannot be read.
    pub async fn outbox_numbers(
        &self,
        controls: &Controls,
    ) -> Result<(BTreeSet<String>, bool), AwsError> {
        let remembered = self.swept_numbers().await?;
        let mut numbers = remembered.clone();
        match controls.config().await {
            Ok(config) => numbers.extend(config.numbers.iter().map(|number| number.id.clone())),
            // Before the first set-up there is no number and so no message.
            Err(error) if error.is("not set up") => {}
            Err(error) => return Err(error),
        }
        let known = controls.known().await?;
        let known = known.numbers.keys().filter(|number| is_number_id(number));
        numbers.extend(known.cloned());
        let are_new = numbers != remembered;
        Ok((numbers, are_new))
    }

    /// Remembers numbers whose outbox has to be swept.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take them.
    pub async fn put_swept_numbers(&self, numbers: &BTreeSet<String>) -> Result<(), AwsError> {
        let mut item = key(NUMBERS, NUMBERS);
        let numbers = numbers.iter().cloned().collect();
        item.insert("numbers".to_owned(), AttributeValue::Ss(numbers));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .send()
            .await
            .map(|_put| ())
            .map_err(|e| AwsError::of("PutItem", &e))
    }
}

/// The number so that texts sort as numbers do.
fn place(number: u64) -> String {
    format!("{number:020}")
}
