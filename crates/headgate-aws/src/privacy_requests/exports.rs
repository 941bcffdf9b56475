//! Copies of people's data: volumes in sealed parts that are found by the hash of a link, for three days.
//!
//! In the table that has no recovery, so that what has run out is gone, copies included.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::{EXPORT_AGAIN_MS, EXPORT_DOWNLOADS, EXPORT_MS, ExportLink};
use headgate_domain::sealing::{Place, open, seal};
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;

use super::PrivacyRequests;
use crate::item::{Attributes, Item, b, changed, key, ms, n};
use crate::{AwsError, random};

/// An item of DynamoDB holds 400 KB.
const PART: usize = 300 * 1024;
const HEAD: &str = "export";
/// Beside the open requests of a person: when the last copy was made for them.
const LAST: &str = "last-export";
/// The name of the key in the envelopes: it stands nowhere.
const KEY: &str = "export#1";

/// A copy that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its volumes, in their order.
    volumes: Vec<Volume>,
    /// Until when.
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Volume {
    /// How many items it lies in.
    parts: u32,
    /// How often it was fetched.
    downloads: u32,
}

impl Export {
    /// How many volumes it has.
    pub fn volumes(&self) -> usize {
        self.volumes.len()
    }

    /// The numbers of the volumes that can be fetched once more, from 1.
    pub fn open(&self, now: Timestamp) -> Vec<usize> {
        let volumes = (1..).zip(&self.volumes);
        let open = volumes.filter(|(_, volume)| volume.downloads < EXPORT_DOWNLOADS);
        let open = open.filter(|_volume| now < self.expires_at);
        open.map(|(number, _volume)| number).collect()
    }

    fn read(item: &Item) -> Option<Self> {
        let count = |value: &AttributeValue| value.as_n().ok()?.parse().ok();
        let volumes = (1..).zip(item.get("volumes")?.as_l().ok()?);
        let volume = |(number, parts)| {
            Some(Volume {
                parts: count(parts)?,
                downloads: item.get(&downloads(number)).map_or(Some(0), count)?,
            })
        };
        Some(Self {
            volumes: volumes.map(volume).collect::<Option<_>>()?,
            expires_at: item.time("expires_at")?,
        })
    }
}

impl PrivacyRequests {
    /// Stores the volumes of a copy under a link; doing so again replaces it, and what was fetched of it stays counted.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_export(
        &self,
        link: &ExportLink,
        deployment: &str,
        volumes: &[Personal<Vec<u8>>],
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let (hash, sealing) = (link.hash(), link.key(deployment));
        let expires_at = now.plus_millis(EXPORT_MS);
        let ttl = n(expires_at.seconds());
        let mut sizes = Vec::with_capacity(volumes.len());
        for (volume, text) in (1..).zip(volumes) {
            let mut parts = 0_u32;
            for chunk in text.reveal().chunks(PART) {
                let at = place_key(&hash, volume, parts);
                let sealed = seal(&sealing, KEY, &place(&at), random()?, chunk)
                    .map_err(|_size| AwsError::new("PutItem", "a part is too long"))?;
                let mut item = part_key(&hash, volume, parts);
                item.insert("part".to_owned(), b(sealed));
                item.insert("ttl".to_owned(), ttl.clone());
                let put = self.client.put_item().table_name(&self.table);
                let put = put.set_item(Some(item)).send().await;
                put.map_err(|e| AwsError::of("PutItem", &e))?;
                parts = parts.saturating_add(1);
            }
            sizes.push(n(parts));
        }
        // Last: a copy without a head is none.
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(head_key(&hash)))
            .update_expression("SET #volumes = :volumes, expires_at = :at, #ttl = :ttl")
            .expression_attribute_names("#volumes", "volumes")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":volumes", AttributeValue::L(sizes))
            .expression_attribute_values(":at", ms(expires_at))
            .expression_attribute_values(":ttl", ttl)
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
        Ok(item.as_ref().and_then(Export::read))
    }

    /// Counts a download of a volume and opens it; nothing when there is none of that number, it has run out, or was
    /// fetched as often as may be.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn fetch_export(
        &self,
        link: &ExportLink,
        deployment: &str,
        number: usize,
        now: Timestamp,
    ) -> Result<Option<Personal<Vec<u8>>>, AwsError> {
        let export = self.export(link).await?;
        let export = export.filter(|export| export.open(now).contains(&number));
        let Some(volume) = export.and_then(|e| e.volumes.get(number.checked_sub(1)?).copied())
        else {
            return Ok(None);
        };
        let (hash, sealing) = (link.hash(), link.key(deployment));
        let count = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(head_key(&hash)))
            .update_expression("ADD #downloads :one")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(#downloads) OR #downloads < :most)",
            )
            .expression_attribute_names("#downloads", downloads(number))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":most", n(EXPORT_DOWNLOADS));
        if !changed(count).await? {
            return Ok(None);
        }
        let mut copy = Vec::new();
        for part in 0..volume.parts {
            let item = self.get(part_key(&hash, number, part)).await?;
            let Some(sealed) = item.as_ref().and_then(|item| item.bytes("part")) else {
                return Ok(None);
            };
            let at = place_key(&hash, number, part);
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

/// How often a volume was fetched.
fn downloads(volume: usize) -> String {
    format!("downloads#{volume}")
}

fn part_name(volume: usize, part: u32) -> String {
    format!("part#{volume:05}#{part:05}")
}

fn part_key(hash: &str, volume: usize, part: u32) -> Item {
    key(format!("export#{hash}"), part_name(volume, part))
}

fn place_key(hash: &str, volume: usize, part: u32) -> String {
    format!("export#{hash}/{}", part_name(volume, part))
}

const fn place(key: &str) -> Place<'_> {
    Place {
        table: "privacy-requests",
        key,
        field: "part",
    }
}
