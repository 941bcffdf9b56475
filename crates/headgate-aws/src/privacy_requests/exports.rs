//! Copies of people's data: sealed parts that are found by the hash of a link, for three days.
//!
//! In the table that has no recovery, so that what has run out is gone, copies included.

use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::{EXPORT_AGAIN_MS, EXPORT_DOWNLOADS, EXPORT_MS, ExportLink};
use headgate_domain::sealing::{Place, open, seal};
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;

use super::PrivacyRequests;
use crate::item::{Attributes, Item, b, key, ms, n};
use crate::{AwsError, random};

/// An item of DynamoDB holds 400 KB.
const PART: usize = 300 * 1024;
const HEAD: &str = "export";
/// Beside the open requests of a person: when the last copy was made for them.
const LAST: &str = "last-export";
/// The name of the key in the envelopes: it stands nowhere.
const KEY: &str = "export#1";

/// A copy that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// How many parts it has.
    parts: u32,
    /// Until when.
    pub expires_at: Timestamp,
    /// How often it was fetched.
    pub downloads: u32,
}

impl Export {
    /// Whether it can be fetched once more.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.downloads < EXPORT_DOWNLOADS
    }
}

impl PrivacyRequests {
    /// Stores a copy under a link; doing so again replaces it, and what was fetched of it stays counted.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_export(
        &self,
        link: &ExportLink,
        deployment: &str,
        copy: &Personal<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let (hash, sealing) = (link.hash(), link.key(deployment));
        let expires_at = now.plus_millis(EXPORT_MS);
        let ttl = n(expires_at.seconds());
        let mut parts = 0_u32;
        for chunk in copy.reveal().chunks(PART) {
            let item_key = part_key(&hash, parts);
            let at = place_key(&hash, parts);
            let sealed = seal(&sealing, KEY, &place(&at), random()?, chunk)
                .map_err(|_size| AwsError::new("PutItem", "a part is too long"))?;
            let mut item = item_key;
            item.insert("part".to_owned(), b(sealed));
            item.insert("ttl".to_owned(), ttl.clone());
            let put = self.client.put_item().table_name(&self.table);
            let put = put.set_item(Some(item)).send().await;
            put.map_err(|e| AwsError::of("PutItem", &e))?;
            parts = parts.saturating_add(1);
        }
        // Last: a copy without a head is none.
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(head_key(&hash)))
            .update_expression("SET #parts = :parts, expires_at = :at, #ttl = :ttl, downloads = if_not_exists(downloads, :none)")
            .expression_attribute_names("#parts", "parts")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":parts", n(parts))
            .expression_attribute_values(":at", ms(expires_at))
            .expression_attribute_values(":ttl", ttl)
            .expression_attribute_values(":none", n(0))
            .send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    /// Whether a copy may be made for somebody: once a day.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn may_export(&self, subject: &SubjectId, now: Timestamp) -> Result<bool, AwsError> {
        let item = self.get(last_key(subject)).await?;
        let last = item.and_then(|item| item.time("at"));
        Ok(last.is_none_or(|last| now.millis_since(last) >= EXPORT_AGAIN_MS))
    }

    /// Notes that a copy was made; forgotten when the next one may be.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_export(&self, subject: &SubjectId, now: Timestamp) -> Result<(), AwsError> {
        let mut item = last_key(subject);
        item.insert("at".to_owned(), ms(now));
        let until = now.plus_millis(EXPORT_AGAIN_MS);
        item.insert("ttl".to_owned(), n(until.seconds()));
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item)).send().await;
        put.map(|_put| ()).map_err(|e| AwsError::of("PutItem", &e))
    }

    /// Forgets when a copy was made.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn forget_export(&self, subject: &SubjectId) -> Result<(), AwsError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let deleted = delete.set_key(Some(last_key(subject))).send().await;
        deleted
            .map(|_deleted| ())
            .map_err(|e| AwsError::of("DeleteItem", &e))
    }

    /// The copy behind a link, without what is in it.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn export(&self, link: &ExportLink) -> Result<Option<Export>, AwsError> {
        let item = self.get(head_key(&link.hash())).await?;
        let read = |item: &Item| {
            let count = |name| u32::try_from(item.number(name)?).ok();
            Some(Export {
                parts: count("parts")?,
                expires_at: item.time("expires_at")?,
                downloads: count("downloads")?,
            })
        };
        Ok(item.as_ref().and_then(read))
    }

    /// Counts a download and opens the copy; nothing when it has run out, or was fetched as often as may be.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn fetch_export(
        &self,
        link: &ExportLink,
        deployment: &str,
        now: Timestamp,
    ) -> Result<Option<Personal<Vec<u8>>>, AwsError> {
        let Some(export) = self
            .export(link)
            .await?
            .filter(|export| export.is_open(now))
        else {
            return Ok(None);
        };
        let (hash, sealing) = (link.hash(), link.key(deployment));
        let counted = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(head_key(&hash)))
            .update_expression("ADD downloads :one")
            .condition_expression("downloads < :most")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":most", n(EXPORT_DOWNLOADS))
            .send()
            .await;
        match counted.map_err(|e| AwsError::of("UpdateItem", &e)) {
            Ok(_) => {}
            Err(e) if e.is("ConditionalCheckFailedException") => return Ok(None),
            Err(e) => return Err(e),
        }
        let mut copy = Vec::new();
        for part in 0..export.parts {
            let item = self.get(part_key(&hash, part)).await?;
            let Some(sealed) = item.as_ref().and_then(|item| item.bytes("part")) else {
                return Ok(None);
            };
            let at = place_key(&hash, part);
            let Ok(plain) = open(&sealing, &place(&at), sealed) else {
                return Ok(None);
            };
            copy.extend_from_slice(plain.reveal());
        }
        Ok(Some(Personal::new(copy)))
    }
}

fn last_key(subject: &SubjectId) -> Item {
    key(format!("open#{subject}"), LAST)
}

fn head_key(hash: &str) -> Item {
    key(format!("export#{hash}"), HEAD)
}

fn part_key(hash: &str, part: u32) -> Item {
    key(format!("export#{hash}"), format!("part#{part:05}"))
}

fn place_key(hash: &str, part: u32) -> String {
    format!("export#{hash}/part#{part:05}")
}

const fn place(key: &str) -> Place<'_> {
    Place {
        table: "privacy-requests",
        key,
        field: "part",
    }
}
