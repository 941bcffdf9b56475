//! Sealing anew under the newest vault key: a person's row on contact, and every row on a walk through the table.
//!
//! Whoever loads a person and may write them leaves their row under the version in force; a walk finds who is not
//! met, the proofs of consents and the requests that wait. Every write asks that the bytes are the ones that were
//! opened, so it neither goes over a newer value nor brings back the row of somebody who was erased.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::Select;
use headgate_domain::identity::SubjectId;
use headgate_domain::sealing::Place;

use super::Subjects;
use crate::AwsError;
use crate::item::{Attributes, Item, b, changed, key};
use crate::keyring::{KeyringError, Salt, VaultVersion};

/// What may be sealed in a row of any kind.
const SEALED: [&str; 6] = [
    "phone",
    "bsuid",
    "ref",
    super::identity::KEY,
    "evidence",
    "notice",
];
/// Rows that are read at a time: their salts are one request.
const PAGE: i32 = 100;

/// Where a walk goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Cursor {
    pub(super) fn of(key: &Item) -> Option<Self> {
        let (pk, sk) = (key.text("pk")?.to_owned(), key.text("sk")?.to_owned());
        Some(Self { pk, sk })
    }
}

/// What one page of a walk came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Rows with something sealed.
    pub rows: u64,
    /// Of them, rows that were under an older version.
    pub older: u64,
    /// Of these, rows with a value that did not open, though the person's salt is there.
    pub unopened: u64,
    /// Where the next page begins; nothing at the end of the table.
    pub next: Option<Cursor>,
}

impl Subjects {
    /// Seals a row anew on the way to something else, which does not fail for it: the next contact tries again.
    pub(super) async fn reseal_if_possible(&self, item: &Item, salt: &Salt) {
        self.reseal(item, salt).await.unwrap_or_default();
    }

    /// Seals anew one page of the table, in the order that the table has.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available; the page can be walked again.
    pub async fn reseal_page(&self, after: Option<&Cursor>) -> Result<Walked, KeyringError> {
        let newest = self.keyring.newest_vault().await?;
        let names: Vec<String> = (0..SEALED.len()).map(|i| format!("#f{i}")).collect();
        let mut call = self
            .client
            .scan()
            .table_name(&self.table)
            .projection_expression(format!("pk, sk, subject, {}", names.join(", ")))
            .select(Select::SpecificAttributes)
            .limit(PAGE)
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|after| key(&after.pk, &after.sk)));
        for (name, field) in names.iter().zip(SEALED) {
            call = call.expression_attribute_names(name, field);
        }
        let answer = call.send().await.map_err(|e| AwsError::of("Scan", &e))?;
        let mut walked = Walked {
            next: answer.last_evaluated_key.as_ref().and_then(Cursor::of),
            ..Walked::default()
        };
        let mut older: Vec<(SubjectId, Item)> = Vec::new();
        let mut nobodys = 0_u64;
        for item in answer.items.unwrap_or_default() {
            let versions = SEALED.iter().filter_map(|field| version(&item, field));
            let Some(oldest) = versions.min() else {
                continue;
            };
            walked.rows = walked.rows.saturating_add(1);
            if oldest < newest {
                match whose(&item) {
                    Some(subject) => older.push((subject, item)),
                    None => nobodys = nobodys.saturating_add(1),
                }
            }
        }
        // With nobody's salt it cannot be opened; that it should not be there is told.
        (walked.older, walked.unopened) = (nobodys, nobodys);
        let subjects: Vec<SubjectId> = older.iter().map(|(subject, _)| subject.clone()).collect();
        let salts: HashMap<SubjectId, Salt> = self.keyring.salts(&subjects).await?;
        for (subject, item) in &older {
            // Without its salt nothing opens it under any version: it is as good as gone.
            let Some(salt) = salts.get(subject) else {
                continue;
            };
            walked.older = walked.older.saturating_add(1);
            match self.reseal(item, salt).await {
                Ok(()) => {}
                Err(KeyringError::NotOpened | KeyringError::NoKey) => {
                    walked.unopened = walked.unopened.saturating_add(1);
                }
                Err(error @ (KeyringError::PastRetention | KeyringError::Aws(_))) => {
                    return Err(error);
                }
            }
        }
        Ok(walked)
    }

    /// Seals anew what a row has under an older version.
    async fn reseal(&self, item: &Item, salt: &Salt) -> Result<(), KeyringError> {
        let (Some(pk), Some(sk)) = (item.text("pk"), item.text("sk")) else {
            return Ok(());
        };
        let newest = self.keyring.newest_vault().await?;
        // A proof is bound to both halves of its key, everything else to the first.
        let place_key = if sk.starts_with("E#") {
            format!("{pk}/{sk}")
        } else {
            pk.to_owned()
        };
        let (mut set, mut same) = (Vec::new(), Vec::new());
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(pk, sk)));
        for (index, field) in SEALED.into_iter().enumerate() {
            let is_older = version(item, field).is_some_and(|version| version < newest);
            let Some(old) = item.bytes(field).filter(|_sealed| is_older) else {
                continue;
            };
            let place = Place {
                table: "subjects",
                key: &place_key,
                field,
            };
            let plain = self.keyring.open_vault(salt, &place, old).await?;
            let new = self
                .keyring
                .seal_vault(salt, &place, plain.reveal())
                .await?;
            set.push(format!("#f{index} = :new{index}"));
            same.push(format!("#f{index} = :old{index}"));
            call = call
                .expression_attribute_names(format!("#f{index}"), field)
                .expression_attribute_values(format!(":new{index}"), b(new))
                .expression_attribute_values(format!(":old{index}"), b(old.to_vec()));
        }
        if set.is_empty() {
            return Ok(());
        }
        let update = call
            .update_expression(format!("SET {}", set.join(", ")))
            .condition_expression(same.join(" AND "));
        changed(update).await?;
        Ok(())
    }
}

fn version(item: &Item, field: &str) -> Option<VaultVersion> {
    VaultVersion::of(item.bytes(field)?)
}

/// Whose salt a row is sealed with: by its key, or by what it says.
fn whose(item: &Item) -> Option<SubjectId> {
    let id = match item.text("pk")?.strip_prefix("S#") {
        Some(id) => id,
        None => item.text("subject")?,
    };
    SubjectId::parse(id).ok()
}
