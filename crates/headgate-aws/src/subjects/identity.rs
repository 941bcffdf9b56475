//! People whose identifiers change, and who may be somebody else since.
//!
//! Every step is a write of its own and may be repeated; the callers order them so that whatever is
//! cut off leaves the stricter state.

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::consent::{IdentityChange, SILENCE_MS, Subject};
use headgate_domain::identity::{Identifier, SubjectId};
use headgate_domain::time::Timestamp;

use super::{Subjects, country_field, field_of, place};
use crate::AwsError;
use crate::item::{Attributes, Item, b, changed, ms, s};
use crate::keyring::{KeyringError, Salt};

/// The field of the account's key.
pub(super) const KEY: &str = "identity_key";

/// Adds what a row says about the person's identity, but for what is sealed.
pub(super) fn read(item: &Item, subject: &mut Subject) {
    subject.identity_key_at = item.time("identity_key_at");
    subject.identity_change = item
        .time("identity_changed_at")
        .zip(item.text("identity_change").map(IdentityChange::from_word));
    subject.returned_at = item.time("returned_at");
    subject.same_as = item
        .text("same_as")
        .and_then(|text| SubjectId::parse(text).ok());
}

impl Subjects {
    /// Notes that somebody else may be behind the subject since a moment; the latest counts. What was
    /// agreed to before is suspended by it.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_identity_change(
        &self,
        subject: &SubjectId,
        change: IdentityChange,
        at: Timestamp,
    ) -> Result<(), AwsError> {
        let update = self
            .row_of(subject)
            .update_expression(
                "SET identity_changed_at = :at, identity_change = :what",
            )
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(identity_changed_at) OR identity_changed_at < :at)",
            )
            .expression_attribute_values(":at", ms(at))
            .expression_attribute_values(":what", s(change.word()));
        changed(update).await.map(drop)
    }

    /// Notes that the person wrote again after a year without a word; the first message counts.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn note_return(&self, subject: &SubjectId, at: Timestamp) -> Result<(), AwsError> {
        let update = self
            .row_of(subject)
            .update_expression("SET returned_at = :at")
            .condition_expression("attribute_exists(pk) AND (attribute_not_exists(returned_at) OR returned_at < :before)")
            .expression_attribute_values(":at", ms(at))
            .expression_attribute_values(":before", ms(at.plus_millis(-SILENCE_MS)));
        changed(update).await.map(drop)
    }

    /// Stores the key of the person's account, sealed, and since when it is known.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn put_identity_key(
        &self,
        subject: &SubjectId,
        salt: &Salt,
        identity_key: &str,
        at: Timestamp,
    ) -> Result<(), KeyringError> {
        let pk = format!("S#{subject}");
        let sealed = self
            .keyring
            .seal_vault(salt, &place(&pk, KEY), identity_key.as_bytes())
            .await?;
        let names = [("#k", KEY), ("#at", "identity_key_at")];
        let values = vec![(":k", b(sealed)), (":at", ms(at))];
        Ok(self
            .update(&pk, "SET #k = :k, #at = :at", &names, values)
            .await?)
    }

    /// Takes an identifier out of a subject's row, if it is the one that stands there.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn forget_identifier(
        &self,
        subject: &SubjectId,
        identifier: &Identifier,
    ) -> Result<(), KeyringError> {
        // The row of who stands for the subject, if somebody does.
        let Some(known) = self.load(subject).await? else {
            return Ok(());
        };
        let stands = match identifier {
            Identifier::Phone(phone) => known.phone.as_ref() == Some(phone),
            Identifier::Bsuid(bsuid) => known.bsuid.as_ref() == Some(bsuid),
        };
        if stands {
            let names = [
                ("#f", field_of(identifier)),
                ("#c", country_field(identifier)),
            ];
            let pk = format!("S#{}", known.id);
            self.update(&pk, "REMOVE #f, #c", &names, Vec::new())
                .await?;
        }
        Ok(())
    }

    /// Lets one subject stand for another, when the two turned out to be one person.
    ///
    /// The other keeps its salt, because what was sealed with it is still to be read, and no identifier:
    /// these are given to the first beforehand.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn join(&self, standing: &SubjectId, other: &SubjectId) -> Result<(), AwsError> {
        // First where an erasure looks, then what makes it needed.
        let others = AttributeValue::Ss(vec![other.as_str().to_owned()]);
        self.update(
            &format!("S#{standing}"),
            "ADD #o :o",
            &[("#o", "others")],
            vec![(":o", others)],
        )
        .await?;
        self.update(
            &format!("S#{other}"),
            "SET same_as = :s REMOVE phone, bsuid, phone_country, bsuid_country",
            &[],
            vec![(":s", s(standing.as_str()))],
        )
        .await
    }
}
