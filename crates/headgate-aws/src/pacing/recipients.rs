//! What is remembered about recipients for the limits' sake: pair debts, the portfolio's 24-hour budget,
//! and what a person was sent lately. By subject, never by number.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::pair::{owed, paid_at};
use headgate_domain::recent::Recent;
use headgate_domain::time::{DAY, Timestamp};

use super::Pacing;
use crate::AwsError;
use crate::item::{Attributes, Item, batch_get, batch_write, key, ms, n, s};

/// What is remembered about a recipient of a portfolio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// The bucket of the 24-hour budget they were counted in last.
    pub bucket: Option<u32>,
    /// What they were sent lately.
    pub recent: Recent,
}

impl Pacing {
    /// The pair debts that are stored of a number's recipients.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn pair_debts(
        &self,
        number: &str,
        now: Timestamp,
    ) -> Result<Vec<(String, u32)>, AwsError> {
        let items = self.query_all(&format!("P#{number}"), Some(now)).await?;
        let debt = |item: &Item| {
            let debt = owed(item.time("paid_at")?, now);
            (debt > 0).then(|| Some((item.text("sk")?.to_owned(), debt)))?
        };
        Ok(items.iter().filter_map(debt).collect())
    }

    /// Stores a pair debt, before the message that caused it leaves.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; then the message may not leave.
    pub async fn put_pair_debt(
        &self,
        number: &str,
        recipient: &str,
        debt: u32,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let paid = paid_at(debt, now);
        let mut item = key(format!("P#{number}"), recipient);
        item.insert("paid_at".to_owned(), ms(paid));
        item.insert("ttl".to_owned(), n(paid.seconds()));
        self.put(item).await
    }

    /// The counts of a portfolio's 24-hour buckets.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn budget(&self, portfolio: &str) -> Result<Vec<(u32, i64)>, AwsError> {
        let item = self.get(budget_key(portfolio)).await?.unwrap_or_default();
        let count = |name: &String| {
            let bucket = name.strip_prefix('b')?.parse().ok()?;
            Some((bucket, item.number(name)?))
        };
        Ok(item.keys().filter_map(count).collect())
    }

    /// Adds to the counts, all or nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it; then nothing that was counted may be sent.
    pub async fn add_to_budget(
        &self,
        portfolio: &str,
        changes: &[(u32, i64)],
    ) -> Result<(), AwsError> {
        let parts: Vec<String> = changes
            .iter()
            .enumerate()
            .map(|(i, (bucket, _))| format!("b{bucket} :c{i}"))
            .collect();
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(budget_key(portfolio)))
            .update_expression(format!("ADD {}", parts.join(", ")));
        for (i, (_, delta)) in changes.iter().enumerate() {
            call = call.expression_attribute_values(format!(":c{i}"), n(delta));
        }
        call.send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    /// Removes counts that no longer count.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn drop_buckets(&self, portfolio: &str, buckets: &[u32]) -> Result<(), AwsError> {
        for chunk in buckets.chunks(100) {
            let names: Vec<String> = chunk.iter().map(|bucket| format!("b{bucket}")).collect();
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(budget_key(portfolio)))
                .update_expression(format!("REMOVE {}", names.join(", ")))
                .send()
                .await
                .map_err(|e| AwsError::of("UpdateItem", &e))?;
        }
        Ok(())
    }

    /// What is remembered about recipients, read consistently; nothing about those who are missing.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn recipients(
        &self,
        portfolio: &str,
        subjects: &[SubjectId],
    ) -> Result<HashMap<SubjectId, Recipient>, AwsError> {
        let mut wanted: Vec<&str> = subjects.iter().map(SubjectId::as_str).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = wanted
            .iter()
            .map(|subject| recipient_key(portfolio, subject))
            .collect();
        let items = batch_get(&self.client, &self.table, keys).await?;
        let prefix = format!("R#{portfolio}#");
        Ok(items
            .iter()
            .filter_map(|item| {
                let subject = item.text("pk")?.strip_prefix(&prefix)?;
                Some((SubjectId::parse(subject).ok()?, recipient_of(item)))
            })
            .collect())
    }

    /// Remembers recipients, each until nothing of it can matter any more; nobody may be there twice.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_recipients(
        &self,
        portfolio: &str,
        recipients: &[(String, Recipient)],
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let puts = recipients
            .iter()
            .map(|(subject, recipient)| {
                let put = PutRequest::builder()
                    .set_item(Some(recipient_item(portfolio, subject, recipient, now)))
                    .build()
                    .map_err(|_build| AwsError::new("BatchWriteItem", "request not built"))?;
                Ok(WriteRequest::builder().put_request(put).build())
            })
            .collect::<Result<_, AwsError>>()?;
        batch_write(&self.client, &self.table, puts).await
    }
}

fn budget_key(portfolio: &str) -> Item {
    key(format!("B#{portfolio}"), "B")
}

fn recipient_key(portfolio: &str, subject: &str) -> Item {
    key(format!("R#{portfolio}#{subject}"), "R")
}

fn recipient_item(portfolio: &str, subject: &str, recipient: &Recipient, now: Timestamp) -> Item {
    let mut item = recipient_key(portfolio, subject);
    if let Some(bucket) = recipient.bucket {
        item.insert("bucket".to_owned(), n(bucket));
    }
    let sends = recipient.recent.sends.iter();
    let sends = sends.map(|(purpose, at)| s(format!("{}{}", purpose.letter(), at.millis())));
    item.insert("sends".to_owned(), AttributeValue::L(sends.collect()));
    let days = i64::from(Recent::MAX_HOURS)
        .div_euclid(24)
        .saturating_add(1);
    let ttl = now.plus_millis(DAY.saturating_mul(days));
    item.insert("ttl".to_owned(), n(ttl.seconds()));
    item
}

fn recipient_of(item: &Item) -> Recipient {
    let sends = item.get("sends").and_then(|v| v.as_l().ok());
    let send = |value: &AttributeValue| {
        let (letter, at) = value.as_s().ok()?.split_at_checked(1)?;
        let purpose = Purpose::from_letter(letter.chars().next()?)?;
        Some((purpose, Timestamp::from_millis(at.parse().ok()?)))
    };
    Recipient {
        bucket: item.number("bucket").and_then(|b| u32::try_from(b).ok()),
        recent: Recent {
            sends: sends.into_iter().flatten().filter_map(send).collect(),
        },
    }
}
